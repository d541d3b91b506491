"""Tables whose columns are all numbers."""

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["numbers_of", "numeric_columns", "refuse_infinity"]


def numbers_of(table: pd.DataFrame) -> np.ndarray:
    """Copy a DataFrame of numbers to an array.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Columns of numbers or booleans, of any type of pandas.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        NaN where a value is missing; float64 where columns have no type of NumPy in common.

    Raises
    ------
    ValueError
        If a column is not numeric; the message names it.

    Examples
    --------
    >>> import pandas as pd
    >>> numbers_of(pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [True, False]}))
    array([[ 1.,  1.],
           [nan,  0.]])
    """
    table = numeric_columns(table)
    values = table.to_numpy()
    if values.dtype == object:
        return table.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def numeric_columns(table: Any, role: str = "X") -> Any:
    """Make every column of a DataFrame numeric, or raise an error that names it.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns) or any other object
        Anything but a DataFrame is returned unchanged.
    role : str, default="X"
        Name of the table, for messages.

    Returns
    -------
    DataFrame or object
        The same table; columns of numbers that are stored as objects are converted.

    Raises
    ------
    ValueError
        If a column holds texts, dates or other objects; the message names it and such a value.

    Examples
    --------
    >>> import pandas as pd
    >>> numeric_columns(pd.DataFrame({"sky": ["grey", "blue"]}))
    Traceback (most recent call last):
    ...
    ValueError: Column 'sky' of X has the dtype ... and holds 'grey'; features must be numbers...
    """
    if not isinstance(table, pd.DataFrame):
        return table
    numeric = table.copy(deep=False)
    for name, column in table.items():
        if _holds_numbers(column):
            numeric[name] = column.where(column.notna(), np.nan).astype(np.float64)
        elif not pd.api.types.is_numeric_dtype(column):
            raise ValueError(
                f"Column {name!r} of {role} has the dtype {column.dtype} and holds "
                f"{_no_number_in(column)!r}; features must be numbers. Encode it (OneHotEncoder in "
                "a ColumnTransformer, or pandas.get_dummies), leave it out, or move times and "
                f"identifiers to the index, or name them: time={name!r}, series={name!r}. Texts "
                f"to read word by word go through a TokenSequencer: {role}[{name!r}]."
            )
    return numeric


def _holds_numbers(column: pd.Series) -> bool:
    """Return whether a column of objects holds numbers only."""
    numbers = {"boolean", "decimal", "empty", "floating", "integer", "mixed-integer-float"}
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in numbers


def _no_number_in(column: pd.Series) -> Any:
    present = column.dropna().tolist()
    return next(
        (value for value in present if not isinstance(value, Real)), next(iter(present), None)
    )


def refuse_infinity(values: np.ndarray, columns: pd.Index, times: pd.Index, role: str) -> None:
    """Raise an error for numbers that are infinite.

    Parameters
    ----------
    values : ndarray of float, shape (n_rows, n_columns)
        The numbers.
    columns, times : Index
        Their names, and the timestamps of the rows, for the message.
    role : str
        Name of the table, for the message.

    Raises
    ------
    ValueError
        If there is one; the message names the column and the timestamp.
    """
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, column = infinite[0]
        raise ValueError(
            f"Column {columns[column]!r} of {role} is infinite at {times[row]}, as are "
            f"{len(infinite) - 1} more values: correct them, or make them NaN."
        )
