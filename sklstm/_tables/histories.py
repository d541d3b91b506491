"""Where the history of each row starts and ends."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._tables.frequency import Gaps

__all__ = ["Bounds", "count_shortened", "factorize", "longer"]


class Bounds(NamedTuple):
    """Where the history of each row starts and ends, in rows that are sorted by series and time.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_rows,)
        First row of each history.
    lengths : ndarray of int32, shape (n_rows,)
        Number of rows of each history.
    """

    starts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def find(
        cls,
        is_first: np.ndarray,
        cuts: np.ndarray,
        gaps: Gaps,
        window_size: int,
        horizon: int,
        max_gap: tuple[np.ndarray, float] | None = None,
    ) -> "Bounds":
        """Find the first row and the length of the history of each row.

        A row reads the places up to the one `horizon` before its own, so that a row that is missing
        between costs nothing.

        Parameters
        ----------
        is_first : ndarray of bool, shape (n_rows,)
            Whether a row is the first of its series.
        cuts : ndarray of bool, shape (n_rows,)
            Whether histories are cut before a row.
        gaps : Gaps
            Where rows are missing.
        window_size : int
            Maximum number of rows of a history.
        horizon : int
            Number of places from the last row of a history to the row it belongs to.
        max_gap : tuple of (timestamps, float), default=None
            Timestamp of each row, and the longest time between rows that are joined. `None`: no
            rows are joined where one is missing.

        Returns
        -------
        Bounds
            For each row.

        Examples
        --------
        >>> import numpy as np
        >>> is_first = np.array([True, False, False, True])
        >>> cuts = np.zeros(4, dtype=bool)
        >>> Bounds.find(is_first, cuts, Gaps.none(), window_size=2, horizon=1)
        Bounds(starts=array([0, 0, 0, 3]), lengths=array([0, 1, 2, 0], dtype=int32))
        """
        begin = is_first | cuts
        first = np.flatnonzero(begin)
        starts = np.repeat(first, np.diff(first, append=len(begin)))
        ends = np.maximum(np.arange(1 - horizon, len(begin) + 1 - horizon), starts)
        if len(gaps.places) and horizon:
            after = _after_gaps(gaps.places, horizon, is_first)
            ends[after], starts[after] = _by_place(after, starts, is_first, gaps, horizon, max_gap)
        np.maximum(starts, ends - window_size, out=starts)
        return cls(starts, (ends - starts).astype(np.int32))


def _after_gaps(at: np.ndarray, horizon: int, is_first: np.ndarray) -> np.ndarray:
    """The rows less than `horizon` rows after a gap; positions count for all others."""
    n_rows = len(is_first)
    if len(at) * horizon > n_rows:
        return np.arange(n_rows)
    after = np.unique(at[:, None] + np.arange(horizon))
    return after[after < n_rows]


def _by_place(
    rows: np.ndarray,
    starts: np.ndarray,
    is_first: np.ndarray,
    gaps: Gaps,
    horizon: int,
    max_gap: tuple[np.ndarray, float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """End and earliest start of the histories of some rows, by their places in time."""
    n_rows = len(is_first)
    missing = np.zeros(n_rows, dtype=np.int64)
    missing[gaps.places] = gaps.missing
    place = np.arange(n_rows) + np.cumsum(missing)
    segment = np.zeros(n_rows, dtype=np.int64)
    segment[gaps.places] = gaps.is_break
    segment = np.cumsum(segment)
    first = np.maximum.accumulate(np.where(is_first, np.arange(n_rows), 0))
    newest = np.searchsorted(place, place[rows] - horizon, side="right") - 1
    is_read = newest >= first[rows]
    newest = np.maximum(newest, first[rows] - 1)
    at_hand = np.maximum(newest, 0)
    is_there = (place[at_hand] == place[rows] - horizon) & (segment[at_hand] == segment[rows])
    if max_gap is not None:
        timestamps, limit = max_gap
        after = np.minimum(at_hand + 1, n_rows - 1)
        apart = (place[rows] - horizon + 1 - place[at_hand]) / (place[after] - place[at_hand])
        with np.errstate(invalid="ignore"):
            is_there |= ~longer(apart * (timestamps[after] - timestamps[at_hand]), limit)
    is_read &= is_there
    ends = newest + 1
    return ends, np.where(is_read, starts[at_hand], ends)


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


def longer(steps: np.ndarray, limit: float) -> np.ndarray:
    """Check which steps in time exceed a limit, with slack for the rounding of clocks.

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
    limit = limit * (1 + 1e-4)
    return steps > (limit if steps.dtype.kind == "f" or np.isinf(limit) else int(limit))


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
