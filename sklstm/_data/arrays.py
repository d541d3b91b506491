"""Conversion of array-like inputs: tensors and masked arrays become plain arrays."""

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["plain", "plain_array", "plain_rows"]

EXACT = 2**53
"""Integers up to here are exact as floating-point numbers."""

NUMPY_FLOATS = {"torch.float16", "torch.float32", "torch.float64"}
"""Data types of torch that NumPy has too; not bfloat16."""


def plain(X: Any) -> Any:
    """Convert arrays of other kinds to NumPy arrays, also in lists.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    object
        An array for a masked array, whose masked entries are NaN (None among texts and objects, NaT
        among dates), and for a tensor of torch, on any device; a list for a nested tensor, and for
        an array or Series of arrays. Entries of lists are converted too, those that are tables of
        Polars or pyarrow to DataFrames of pandas. All else is returned unchanged.

    Raises
    ------
    ValueError
        If masked entries cannot become NaN.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.ma.masked_equal([1, 2, -9999], -9999))
    array([ 1.,  2., nan])
    """
    if isinstance(X, np.ma.MaskedArray):
        return _filled(X)
    if isinstance(X, np.ndarray):
        if X.dtype.kind == "V" and "float" in X.dtype.name:  # bfloat16 and shorter, of ml_dtypes
            return X.astype(np.float32)
        return _entries(X) if X.dtype == object and X.ndim == 1 else X
    if isinstance(X, pd.Series):
        return _entries(X) if X.dtype == object else X
    if isinstance(X, (list, tuple)):
        return _entries(X)
    return _of_tensor(X) if _is_tensor(type(X)) else X


def plain_array(X: Any) -> np.ndarray:
    """Convert an array-like to an array, as `plain` does.

    Parameters
    ----------
    X : array-like
        Including masked arrays and tensors.

    Returns
    -------
    ndarray
        Not copied if it is an array already.
    """
    return np.asarray(plain(X))


def plain_rows(X: Any) -> Any:
    """Convert as `plain` does, and a table to an array.

    Parameters
    ----------
    X : object
        Anything, such as a table of pandas, Polars or pyarrow.

    Returns
    -------
    object
        Its entries are rows in their order; those of a table would be columns, or their names.
    """
    X = X.to_pandas() if _is_foreign(type(X)) else X
    return X.to_numpy() if isinstance(X, pd.DataFrame | pd.Series) else plain(X)


def _entries(X: Any) -> Any:
    """A list of plain arrays, if X holds any kind of arrays or lists."""
    kinds = set(map(type, X))
    if not any(
        issubclass(kind, (np.ndarray, list, tuple)) or _is_tensor(kind) or _is_foreign(kind)
        for kind in kinds
    ):
        return X
    nothing = None if any(issubclass(kind, str) for kind in kinds) else np.nan
    entries = [nothing if entry is np.ma.masked else _entry(entry) for entry in X]
    unchanged = isinstance(X, list) and all(a is b for a, b in zip(entries, X, strict=True))
    return X if unchanged else entries


def _entry(entry: Any) -> Any:
    return entry.to_pandas() if _is_foreign(type(entry)) else plain(entry)


def _is_foreign(kind: type) -> bool:
    """Whether it is a kind of tables or columns of Polars or pyarrow, which have no `ndim`."""
    return hasattr(kind, "to_pandas") and not hasattr(kind, "ndim")


def _filled(X: Any) -> np.ndarray:
    """The array, with missing values where it is masked."""
    if not np.ma.is_masked(X):
        return plain(X.data)
    kind = X.dtype.kind
    if kind in "fc":
        return X.filled(np.nan)
    if kind in "mM":
        return X.filled(np.array("NaT", X.dtype))
    if kind in "OSU":
        entries = X.data.astype(object)
        entries[np.ma.getmaskarray(X)] = None
        return entries
    if kind not in "biu":
        raise ValueError(
            f"A masked array of the dtype {X.dtype} has no NaN to put where it is masked: take its "
            "fields one by one, or fill it with filled()."
        )
    present = X.compressed()
    if kind != "b" and present.size and max(-int(present.min()), int(present.max())) > EXACT:
        raise ValueError(
            f"A masked array of {X.dtype} holds {max(present, key=abs)}: with NaN where it is "
            "masked its numbers would be rounded. Fill it with filled(), or use smaller "
            "numbers."
        )
    return X.astype(np.float64).filled(np.nan)


def _is_tensor(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "torch" and hasattr(kind, "numpy")


def _of_tensor(X: Any) -> Any:
    """The numbers of a tensor; scikit-learn's array API would keep it one."""
    if X.is_nested:
        return [_of_tensor(part) for part in X.unbind()]
    if "strided" not in str(X.layout):
        X = X.to_dense()
    if X.is_floating_point() and str(X.dtype) not in NUMPY_FLOATS:
        X = X.float()
    return X.numpy(force=True)
