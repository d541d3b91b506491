"""Pandas in: columns that cannot be features are named before anything else looks at them."""

import pandas as pd

__all__ = ["check_feature_columns"]


def check_feature_columns(table):
    """Refuse a column of a DataFrame that holds something else than numbers.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns) or any other object
        Only DataFrames are looked at.

    Raises
    ------
    ValueError
        If a column holds texts, dates or other objects; the message names it and what it holds.
    """
    if not isinstance(table, pd.DataFrame):
        return
    for name, column in table.items():
        if pd.api.types.is_numeric_dtype(column) or _holds_numbers(column):
            continue
        example = column.dropna().iloc[0] if column.notna().any() else None
        raise ValueError(
            f"Column {name!r} of X has the dtype {column.dtype} and holds {example!r}; features "
            "must be numbers. Encode it (OneHotEncoder in a ColumnTransformer, or "
            "pandas.get_dummies), leave it out, or move times and identifiers to the index."
        )


def _holds_numbers(column):
    """Tell whether an object column is only stored in a general way."""
    if column.dtype != object:
        return False
    return pd.api.types.infer_dtype(column, skipna=True) in {
        "boolean",
        "complex",
        "decimal",
        "empty",
        "floating",
        "integer",
        "mixed-integer-float",
    }
