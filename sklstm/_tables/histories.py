"""Where the history of each row begins and ends."""

import numpy as np
import pandas as pd

__all__ = ["count_shortened", "factorize", "history_bounds", "longer", "scatter"]


def history_bounds(
    is_first: np.ndarray, window_size: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Init and length of the history of each row.

    Parameters
    ----------
    is_first : ndarray of bool, shape (n_rows,)
        Whether a row is the first one of its series, or of a part of it that stands alone.
    window_size : int
        Most rows a history may have.
    horizon : int
        Rows between the last row of a history and the row it belongs to.

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
    """Count the histories that gaps cut short, but for one gap of each series.

    Parameters
    ----------
    is_first : ndarray of bool, shape (n_rows,)
        Whether a row is the first one of its series.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before a row; never at a first row.
    reach : int
        Number of rows behind a gap whose histories reach into it.

    Returns
    -------
    n_gaps : int
        All of them.
    n_shortened : int
        Histories that are shorter for them; those behind the first gap of each series do not
        count.

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
    """Put what belongs to row ``order[i]`` of the table from place i there.

    Parameters
    ----------
    x : ndarray of shape (n_rows,)
        One entry a place.
    order : ndarray of int, shape (n_rows,)
        Row of the table at each place.

    Returns
    -------
    ndarray of shape (n_rows,)
        One entry a row of the table.

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
    """Compare steps in time with a limit; fractions round, so that they get some slack.

    Parameters
    ----------
    steps : ndarray of shape (n_rows,)
        Nanoseconds or numbers.
    limit : int or float
        The same.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Whether a step is longer.
    """
    return steps > (limit * (1 + 1e-4) if steps.dtype.kind == "f" else limit)


def factorize(
    keys: pd.Index | None, n_rows: int, known: pd.Index | None = None
) -> tuple[np.ndarray, pd.Index | None]:
    """Number the series.

    Parameters
    ----------
    keys : pandas.Index of length n_rows, or None
        Name of the series of each row; None if there is but one.
    n_rows : int
        Number of rows.
    known : pandas.Index, default=None
        Names that have codes already, and keep them.

    Returns
    -------
    codes : ndarray of int32, shape (n_rows,)
        Code of the series of each row.
    names : pandas.Index or None
        Name behind each code; those not known come last.
    """
    if keys is None:
        return np.zeros(n_rows, dtype=np.int32), None
    codes, found = pd.factorize(keys)
    if known is None:
        return codes.astype(np.int32), found
    position = known.get_indexer(found)
    new = position < 0
    if not new.any():
        return position[codes].astype(np.int32), known
    position[new] = len(known) + np.arange(new.sum())
    return position[codes].astype(np.int32), known.append(found[new])
