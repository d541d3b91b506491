"""Arrays, lists and tokens as one array of steps, and the length of each sequence."""

from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.arrays import plain_rows
from sklstm._data.numeric import numbers_of
from sklstm._data.padding import cut_padding
from sklstm._data.ranges import equal_names, ranges

__all__ = ["column_names", "flatten_block", "flatten_list", "flatten_tokens"]

ROWS_ARE_ALIKE = (
    " All have as many rows: if features come before steps, as aeon and sktime keep them, "
    "Sequences.from_arrays(X, channels_first=True) reads them."
)


def flatten_block(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps and lengths of a 3-D array, without a copy."""
    n_sequences, n_steps, n_features = block.shape
    values = block.reshape(n_sequences * n_steps, n_features)  # not -1: there may be no feature
    return values, np.full(n_sequences, n_steps)


def flatten_list(arrays: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Steps and lengths of a list of 2-D arrays."""
    arrays = [_block(array, number) for number, array in enumerate(arrays)]
    for number, array in enumerate(arrays):
        if array.ndim != 2:
            raise ValueError(
                f"Sequence {number} has the shape {array.shape}; expected (n_steps, n_features). "
                "A sequence of one feature is array[:, None]."
            )
        if array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"Sequence {number} has {array.shape[1]} features, sequence 0 has "
                f"{arrays[0].shape[1]}: every sequence needs the same features in its columns."
                + (ROWS_ARE_ALIKE if len({len(array) for array in arrays}) == 1 else "")
            )
    return np.concatenate(arrays), np.array([len(array) for array in arrays])


def column_names(tables: list[Any], given: Any = None) -> Any:
    """Names of the features: those that are given, else those of the columns of the tables.

    Parameters
    ----------
    tables : list
        A table of each sequence, or of all; arrays have no names.
    given : array-like of str, default=None
        Names that the user gives. New names rename the columns in their order.

    Returns
    -------
    array-like of str, or None
        The names, if there are any.

    Raises
    ------
    ValueError
        If there is no table, the columns of two differ, or a given name is that of another
        column: columns would get each other's names.
    """
    if not tables:
        raise ValueError("There are no sequences: the list is empty.")
    names = getattr(tables[0], "columns", getattr(tables[0], "feature_names", None))
    for number, table in enumerate(tables):
        if not equal_names(getattr(table, "columns", names), names):
            raise ValueError(
                f"Sequence {number} has the columns {list(table.columns)}, sequence 0 has "
                f"{None if names is None else list(names)}."
            )
    if given is None or names is None:
        return names if given is None else given
    for name, own in zip(given, names, strict=False):
        if name != own and name in list(names):
            raise ValueError(
                f"feature_names={list(given)} calls the column {own!r} {name!r}, which is the name "
                f"of another column: {list(names)}. Give the names in the order of the columns."
            )
    return given


def _block(array: Any, number: int) -> np.ndarray:
    """One sequence, whose steps must have equal numbers of features."""
    if isinstance(array, pd.DataFrame):
        return numbers_of(array)
    try:
        return np.asarray(array)
    except ValueError as error:
        raise ValueError(
            f"Sequence {number} has steps of different numbers of features: {error}"
        ) from error


def flatten_tokens(tokens: Any, filler: Any) -> tuple[np.ndarray, np.ndarray]:
    """Steps and lengths of a list of 1-D arrays of tokens, without the padding."""
    cuts = filler is not None and filler != "keep"
    kinds = "iuf" if cuts and np.isnan(filler) else "iu"
    arrays = [np.asarray(row) for row in plain_rows(tokens)]
    for number, array in enumerate(arrays):
        if array.ndim == 0:
            raise ValueError(
                f"Sequence {number} is the single value {array.item()!r}; expected a list of "
                "sequences of tokens. One sequence is [tokens]; TokenSequencer splits texts."
            )
        if array.ndim != 1:
            raise ValueError(
                f"Sequence {number} has the shape {array.shape}; expected (n_steps,), one token a "
                "step. Sequences of several features are made by Sequences.from_arrays."
            )
        if array.size and array.dtype.kind not in kinds:
            raise ValueError(
                f"Sequence {number} holds {array.dtype}; tokens are integers. TokenSequencer "
                "numbers words; whole numbers stored as another type need astype(int), without "
                "the NaN of a padding, which Sequences.from_tokens(X, padding='nan') cuts off."
            )
    lengths = np.array([len(array) for array in arrays], dtype=np.int32)
    dtype = np.int64 if all(array.dtype.kind in "iu" for array in arrays if array.size) else float
    values = np.concatenate([[], *arrays], dtype=dtype, casting="unsafe")
    if cuts:
        starts = np.cumsum(lengths) - lengths
        starts, lengths = cut_padding(values[:, None], starts, lengths, filler, at_both_ends=True)
        values = values[ranges(starts, lengths)]
    bad = np.flatnonzero((values < 0) | (values % 1 != 0))  # NaN too
    if len(bad):
        number = np.searchsorted(np.cumsum(lengths), bad[0], side="right")
        raise ValueError(
            f"Sequence {number} holds the token {values[bad[0]]}; tokens are integers from 0, "
            "which means unknown. Leave padding out: sequences may differ in length, and "
            f"Sequences.from_tokens(X, padding={values[bad[0]]}) cuts it off."
        )
    values = values.astype(np.int64)
    if values.max(initial=0) <= np.iinfo(np.int32).max:
        values = values.astype(np.int32)
    return values[:, None], lengths
