"""Pandas in: columns that cannot be features are named before anything else looks at them."""

from numbers import Real

import numpy as np
import pandas as pd

__all__ = ["numeric_columns"]


def numeric_columns(table):
    """Make every column of a DataFrame numeric, or say which one cannot be.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns) or any other object
        What is no DataFrame is given back as it is.

    Returns
    -------
    DataFrame or object
        The same table; columns of numbers that are stored as objects are converted.

    Raises
    ------
    ValueError
        If a column holds texts, dates or other objects; the message names it and what it holds.

    Examples
    --------
    >>> import pandas as pd
    >>> numeric_columns(pd.DataFrame({"sky": ["grey", "blue"]}))
    Traceback (most recent call last):
    ...
    ValueError: Column 'sky' of X has the dtype str and holds 'grey'; features must be numbers...
    """
    if not isinstance(table, pd.DataFrame):
        return table
    numeric = table.copy(deep=False)
    for name, column in table.items():
        if _holds_numbers(column):
            numeric[name] = column.where(column.notna(), np.nan).astype(np.float64)
        elif not pd.api.types.is_numeric_dtype(column):
            raise ValueError(
                f"Column {name!r} of X has the dtype {column.dtype} and holds "
                f"{_no_number_in(column)!r}; features must be numbers. Encode it (OneHotEncoder in "
                "a ColumnTransformer, or pandas.get_dummies), leave it out, or move times and "
                "identifiers to the index."
            )
    return numeric


def _holds_numbers(column):
    """Tell whether a column of objects is one of numbers that are only stored in a general way."""
    numbers = {"boolean", "decimal", "empty", "floating", "integer", "mixed-integer-float"}
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in numbers


def _no_number_in(column):
    present = column.dropna()
    return next((value for value in present if not isinstance(value, Real)), None)
