"""Where the history of each row starts and ends."""

import numpy as np
import pandas as pd

__all__ = ["count_shortened", "factorize", "history_bounds", "longer", "scatter"]


def history_bounds(
    is_first: np.ndarray, window_size: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the first row and the length of the history of each row.

    Parameters
    ----------
    is_first : ndarray of bool, shape (n_rows,)
        Whether a row is the first of its series, or the first after a gap.
    window_size : int
        Maximum number of rows of a history.
    horizon : int
        Number of rows from the last row of a history to the row it belongs to.

    Returns
    -------
    starts : ndarray of int64, shape (n_rows,)
        First row of each history.
    lengths : ndarray of int32, shape (n_rows,)
        Number of rows of each history.

    Examples
    --------
    >>> import numpy as np
    >>> history_bounds(np.array([True, False, False, True]), window_size=2, horizon=1)
    (array([0, 0, 0, 3]), array([0, 1, 2, 0], dtype=int32))
    """
    first = np.flatnonzero(is_first)
    starts = np.repeat(first, np.diff(first, append=len(is_first)))
    ends = np.maximum(np.arange(1 - horizon, len(is_first) + 1 - horizon), starts)
    np.maximum(starts, ends - window_size, out=starts)
    return starts, (ends - starts).astype(np.int32)


def count_shortened(is_first: np.ndarray, cuts: np.ndarray, reach: int) -> tuple[int, int]:
    """Count the histories that gaps shorten, ignoring the first gap of each series.

    Parameters
    ----------
    is_first : ndarray of bool, shape (n_rows,)
        Whether a row is the first of its series.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before a row; never before a first row.
    reach : int
        Number of rows after a gap whose histories would reach across it.

    Returns
    -------
    n_gaps : int
        Number of all gaps.
    n_shortened : int
        Number of shortened histories, without those after the first gap of each series.

    Examples
    --------
    >>> import numpy as np
    >>> is_first = np.arange(10) == 0
    >>> count_shortened(is_first, np.isin(np.arange(10), [3, 6]), reach=2)
    (2, 2)
    """
    first = np.flatnonzero(is_first | cuts)
    sizes = np.diff(first, append=len(cuts))
    starts_series = is_first[first]
    after_start = np.append(False, starts_series[:-1])
    counted = ~starts_series & ~after_start
    return int(cuts.sum()), int(np.minimum(sizes[counted], reach).sum())


def scatter(x: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Move the entry at position ``i`` to row ``order[i]`` of the table.

    Parameters
    ----------
    x : ndarray of shape (n_rows,)
        One entry for each position.
    order : ndarray of int, shape (n_rows,)
        Row of the table at each position.

    Returns
    -------
    ndarray of shape (n_rows,)
        One entry for each row of the table.

    Examples
    --------
    >>> import numpy as np
    >>> scatter(np.array([10, 30, 20]), order=np.array([0, 2, 1]))
    array([10, 20, 30])
    """
    scattered = np.empty_like(x)
    scattered[order] = x
    return scattered


def longer(steps: np.ndarray, limit: float) -> np.ndarray:
    """Check which steps in time exceed a limit, with slack for the rounding of fractions.

    Parameters
    ----------
    steps : ndarray of shape (n_rows,)
        Time since the previous row: nanoseconds or numbers.
    limit : int or float
        In the same unit.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Whether a step exceeds the limit.
    """
    return steps > (limit * (1 + 1e-4) if steps.dtype.kind == "f" else limit)


def factorize(
    keys: pd.Index | None, n_rows: int, seen: pd.Index | None = None
) -> tuple[np.ndarray, pd.Index | None]:
    """Number the series.

    Parameters
    ----------
    keys : pandas.Index of length n_rows, or None
        Name of the series of each row; None if there is a single series.
    n_rows : int
        Number of rows.
    seen : pandas.Index, default=None
        Names that already have codes, which they keep.

    Returns
    -------
    codes : ndarray of int32, shape (n_rows,)
        Code of the series of each row.
    names : pandas.Index or None
        Name of the series of each code; new ones come last.
    """
    if keys is None:
        return np.zeros(n_rows, dtype=np.int32), None
    codes, found = pd.factorize(keys)
    if seen is None:
        return codes.astype(np.int32), found
    position = seen.get_indexer(found)
    new = position < 0
    if not new.any():
        return position[codes].astype(np.int32), seen
    position[new] = len(seen) + np.arange(new.sum())
    return position[codes].astype(np.int32), seen.append(found[new])
