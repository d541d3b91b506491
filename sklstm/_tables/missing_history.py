"""Missing history (cold start): rows that could have had a longer history than they have."""

from typing import NamedTuple

import numpy as np

from sklstm._data.frames import Layout
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import Bounds
from sklstm._tables.joined_table import JoinedTable
from sklstm._tables.seen_rows import Seen
from sklstm._tables.table_warnings import write_step, write_timestamp

__all__ = ["LostRows", "TableEnds", "message_of_missing_history", "message_of_no_time"]

FEW = 32
"""Number of values of the first and of the last row that are remembered of a table without time."""

CURE = " cold_start='ignore' silences this warning, 'error' refuses such tables."


class LostRows(NamedTuple):
    """Given rows that could have had a longer history.

    Attributes
    ----------
    at : ndarray of int, shape (n_lost,)
        Their sorted positions.
    begin : ndarray of int, shape (n_lost,)
        Sorted position of the row before which a row that was or may have been seen is missing.
    is_empty : ndarray of bool, shape (n_lost,)
        Whether they have no history at all.
    """

    at: np.ndarray
    begin: np.ndarray
    is_empty: np.ndarray

    @classmethod
    def find(
        cls, joined: JoinedTable, bounds: Bounds, window_size: int, horizon: int, seen: Seen
    ) -> "LostRows":
        """Find them.

        A history is short for good at the start of a series, and where rows are missing in the
        table of `fit`, or in the given one. It is lost where a row was seen and is not kept, or
        where the given rows start later than the row expected next.

        Parameters
        ----------
        joined : JoinedTable
            The given rows among the buffered ones.
        bounds : Bounds
            Their histories.
        window_size, horizon : int
            Parameters of the windower.
        seen : Seen
            Which rows were seen before.

        Returns
        -------
        LostRows
            None of them, usually.
        """
        at = np.flatnonzero((bounds.lengths < window_size) & joined.is_given)
        if not len(at):
            return cls(at, at, at > 0)
        begin = bounds.starts[at]
        places, which = np.unique(begin, return_inverse=True)
        is_lost = _is_lost(joined, places, seen)[which]
        is_lost |= _is_alone(joined, bounds, at, horizon) & ~seen.knows(_codes(joined, at))
        at, begin = at[is_lost], begin[is_lost]
        return cls(at, begin, bounds.lengths[at] <= (horizon == 0))


def _codes(joined: JoinedTable, at: np.ndarray) -> np.ndarray:
    return joined.table.codes[joined.table.rows.order[at]]


def _is_lost(joined: JoinedTable, places: np.ndarray, seen: Seen) -> np.ndarray:
    """Whether a row was seen, or may have been, right before the rows at some positions."""
    table, rows = joined.table, joined.table.rows
    codes = _codes(joined, places)
    lost = table.is_dropped[places]
    is_known = seen.knows(codes)
    codes = np.where(is_known, codes, 0)
    is_start = rows.is_first[places]
    lost |= is_start & is_known & (rows.timestamps[places] > seen.first[codes])
    is_gap = joined.cuts.copy()
    is_gap[joined.gaps.places] = True
    before = np.maximum(places - 1, 0)
    both_given = joined.is_given[before] & joined.is_given[places]
    saw = seen.saw_between(
        codes, rows.timestamps[before], rows.timestamps[places], both_given=both_given
    )
    follows_buffered = ~joined.is_given[before]
    inner = ~is_start & is_gap[places] & ~table.was_buffered[places]
    return lost | (inner & ((is_known & saw) | follows_buffered))


def _is_alone(joined: JoinedTable, bounds: Bounds, at: np.ndarray, horizon: int) -> np.ndarray:
    """Whether no row of a series has a history, or there is only one row."""
    first = np.flatnonzero(joined.table.rows.is_first)
    sizes = np.diff(first, append=len(bounds.lengths))
    longest = np.maximum.reduceat(bounds.lengths, first)
    alone = (longest <= (horizon == 0)) | (sizes == 1)  # a row itself is no history
    return alone[np.searchsorted(first, at, side="right") - 1]


def message_of_missing_history(joined: JoinedTable, lost: LostRows, seen: Seen) -> str | None:
    """Name the rows whose history is lost, and the cure.

    Parameters
    ----------
    joined : JoinedTable
        The table.
    lost : LostRows
        Such rows.
    seen : Seen
        Which rows were seen before.

    Returns
    -------
    str or None
        None if no history is lost.
    """
    if not len(lost.at):
        return None
    n_empty = int(lost.is_empty.sum())
    return (
        f"Rows of X have no history, or a shorter one than they could have: {n_empty} and "
        f"{len(lost.at) - n_empty} of {len(joined.given.codes)}, because "
        f"{_reason(joined, int(lost.begin[0]), seen)}{CURE}"
    )


def _reason(joined: JoinedTable, begin: int, seen: Seen) -> str:
    """Why the rows before a row are missing, and what to do."""
    table, layout, names = joined.table, joined.given.layout, joined.given.names
    code = int(table.codes[table.rows.order[begin]])
    of_series = "" if names is None else f" of series {names[code]!r}"
    if not seen.knows(np.array([code]))[0]:
        return (
            f"series {names[code]!r} was not seen in fit, and X has too few rows of it. Give the "
            "earlier rows as well, or let partial_fit remember them; names must be those of fit, "
            "texts or numbers as there."
            if names is not None
            else "no rows are buffered. Give the earlier rows as well."
        )
    first = table.rows.timestamps[begin]
    what = f"the row{of_series} at {write_timestamp(first, layout)}"
    if joined.is_given[begin]:
        row = int(table.rows.order[begin]) - len(table.buffered)
        what = f"row {row}{of_series} (counted from 0; time {write_timestamp(first, layout)})"
    if first <= seen.last[code]:
        return (
            f"{what} is among the rows that fit saw, of which those before it are not kept. Give "
            "them as well; carry_over='all' keeps all rows of fit."
        )
    last = seen.last[code]
    assert joined.frequency is not None
    where = _expected(joined.frequency, code, last, first, layout)
    return (
        f"{what} comes later than expected: {where}, after the last row seen before, "
        f"{write_timestamp(last, layout)}. Give the rows between as well, or let partial_fit "
        "remember them; max_gap=... sets how far apart rows may be; context=... reads rows that a "
        "splitter leaves out."
    )


def _expected(frequency: Frequency, code: int, last: float, first: float, layout: Layout) -> str:
    """Describe when a row should have come."""
    if np.isnan(frequency.step[code]):
        limit = frequency.limit[code]
        typical = f"; up to {write_step(limit, layout)} is typical" if limit > 0 else ""
        return f"it is {write_step(first - last, layout)}{typical}"
    expected = _expected_next(frequency, code, last, layout)
    return f"the row expected next is {write_timestamp(expected, layout)}"


def _expected_next(frequency: Frequency, code: int, last: float, layout: Layout) -> float:
    """Timestamp of the row expected after the last one."""
    step = frequency.step[code]
    if frequency.timetable[code] < 0:
        return last + (int(step) if step == int(step) else step)
    ahead = last + int(step) * np.arange(
        1, 8 * len(frequency.timetables[frequency.timetable[code]].slots)
    )
    codes = np.full(len(ahead), code)
    missed = frequency._replace(
        timetables=tuple(hours._replace(holidays=0) for hours in frequency.timetables)
    ).missed(codes, np.full(len(ahead), last), ahead, layout.zone)
    later = np.flatnonzero(missed == 0)
    opened = np.flatnonzero(np.diff(missed, append=missed[-1]) > 0)
    return ahead[opened[0] if len(opened) else later[-1]]


class TableEnds(NamedTuple):
    """What is remembered of a table without time: it may be given again, to be predicted.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    first, last : ndarray of shape (n_features,)
        The first features of the first and of the last row, at most 32.
    """

    n_rows: int
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "TableEnds":
        """Remember a table.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
            Its features.

        Returns
        -------
        TableEnds
            A copy of a few of them.
        """
        return cls(len(values), values[0, :FEW].copy(), values[-1, :FEW].copy())

    def resemble(self, values: np.ndarray) -> bool:
        """Check whether another table starts with the same rows.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
            Its features.

        Returns
        -------
        bool
            Whether the first rows are equal, or the number of rows and most features of the first
            or last row, some of which may have been permuted or corrected.
        """
        first, last = (
            _share_equal(*pair) for pair in zip(self[1:], (values[0], values[-1]), strict=True)
        )
        if len(values) == self.n_rows:
            return max(first, last) > 0.5
        return first == 1


def _share_equal(row: np.ndarray, other: np.ndarray) -> float:
    other = other[:FEW]
    return float(((row == other) | (np.isnan(row) & np.isnan(other))).mean())


def message_of_no_time(layout: Layout, clock: str | None) -> str:
    """Say that the rows of a table cannot be compared in time with those of `fit`.

    Parameters
    ----------
    layout : Layout
        The table, without time.
    clock : str or None
        Kind of time in `fit`.

    Returns
    -------
    str
        The reason, and the cure.
    """
    of_fit = "while the table of fit had one" if clock is not None else "like the table of fit"
    return (
        f"Rows of X have no history before the first one: X, of the type "
        f"{type(layout.features).__name__}, has no time, {of_fit}, so that it is unknown which "
        "rows of fit it follows. Give a DataFrame whose index continues that of fit (a scaler "
        f"before the windower drops it: Pipeline.set_output(transform='pandas')).{CURE}"
    )
