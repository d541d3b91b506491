"""The buffer of past rows: those that later rows continue, or rows in the gaps of `fit`."""

from typing import Any, NamedTuple

import numpy as np

from sklstm._data.frames import Layout, Rows
from sklstm._data.ranges import ranges
from sklstm._tables.seen_rows import Seen

__all__ = ["LEARNED", "Buffer", "InputTable", "SortedRows", "sort_rows"]

LEARNED = 64
"""Number of rows of a series from which its frequency is learned, if they arrive one by one: nine
weeks of days, or eight days of trading hours. Until then all of them are kept."""


class InputTable(NamedTuple):
    """A table as passed to the windower, read and checked.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features of each row.
    layout : Layout
        Time, clock and series of the table.
    codes : ndarray of int, shape (n_rows,)
        Series of each row.
    names : pandas.Index or None
        Name of the series of each code.
    rows : Rows
        The rows, sorted by series and time.
    """

    values: np.ndarray
    layout: Layout
    codes: np.ndarray
    names: Any
    rows: Rows


class SortedRows(NamedTuple):
    """Buffered and given rows, sorted by series and time.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Series of each row: the buffered rows first, then the given ones in the order of the table.
    rows : Rows
        All rows, sorted.
    buffered : ndarray of int, shape (n_buffered,)
        Position of each buffered row in the buffer.
    was_buffered : ndarray of bool, shape (n_rows,)
        Whether the row at each sorted position is in the buffer, or replaces one of it.
    is_dropped : ndarray of bool, shape (n_rows,)
        Whether it is, but not the rows that were seen right before it.
    """

    codes: np.ndarray
    rows: Rows
    buffered: np.ndarray
    was_buffered: np.ndarray
    is_dropped: np.ndarray

    @property
    def is_buffered(self) -> np.ndarray:
        """Whether the row at each sorted position is from the buffer."""
        return self.rows.order < len(self.buffered)


class Buffer(NamedTuple):
    """Past rows, one series after another, each in time order.

    They are the last rows of each series, those before the longest gaps of `fit`, and all rows of a
    series of which too few were seen to know its frequency for good.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Position of the series in ``series_``.
    timestamps : ndarray of shape (n_rows,)
        Timestamp of each row.
    values : ndarray of shape (n_rows, n_features)
        Features of each row.
    is_dropped : ndarray of bool, shape (n_rows,)
        Whether rows of the series that were seen right before a row are not kept.
    is_before_gap : ndarray of bool, shape (n_rows,)
        Whether a row is kept for a gap of `fit`.
    seen : Seen
        Which rows were seen.
    """

    codes: np.ndarray
    timestamps: np.ndarray
    values: np.ndarray
    is_dropped: np.ndarray
    is_before_gap: np.ndarray
    seen: Seen

    @classmethod
    def keep(
        cls,
        table: SortedRows,
        values: np.ndarray,
        is_before_gap: np.ndarray,
        seen: Seen,
        size: float,
    ) -> "Buffer":
        """Keep the last rows of each series, and those before gaps.

        Parameters
        ----------
        table : SortedRows
            All rows at hand.
        values : ndarray of shape (n_rows, n_features)
            Their features, as the codes of `table`.
        is_before_gap : ndarray of bool, shape (n_rows,)
            Which rows to keep besides, by sorted position.
        seen : Seen
            All rows seen so far.
        size : int or inf
            Number of rows to keep at the end of each series.

        Returns
        -------
        Buffer
            A copy of those rows.
        """
        rows = table.rows
        first = np.flatnonzero(rows.is_first)
        ends = np.append(first[1:], len(rows.order))
        codes = table.codes[rows.order[first]]
        n_last = np.where(
            seen.n_rows[codes] <= LEARNED, ends - first, np.minimum(size, ends - first)
        )
        n_last = n_last.astype(np.int64)
        is_kept = is_before_gap.copy()
        is_kept[ranges(ends - n_last, n_last)] = True
        places = np.flatnonzero(is_kept)
        is_dropped = table.is_dropped[places]
        is_dropped |= ~rows.is_first[places] & ~is_kept[places - 1]
        kept = rows.order[places]
        return cls(
            table.codes[kept],
            rows.timestamps[places],
            values[kept],
            is_dropped,
            is_before_gap[places],
            seen,
        )

    @classmethod
    def empty(cls, values: np.ndarray, timestamps: np.ndarray) -> "Buffer":
        """Begin without rows.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
            The first rows, of which only the kind counts.
        timestamps : ndarray of shape (n_rows,)
            Their timestamps.

        Returns
        -------
        Buffer
            No rows, of no series.
        """
        no_row, no_time = np.zeros(0, dtype=bool), timestamps[:0]
        no_gap = np.zeros((0, 0), dtype=timestamps.dtype)
        none = no_row.astype(np.int64)
        seen = Seen(no_time, no_time, none, no_gap, no_gap, no_time)
        return cls(none, no_time, values[:0], no_row, no_row, seen)

    def with_others(self, before: "Buffer") -> "Buffer":
        """Add the rows of series that this buffer does not hold.

        Parameters
        ----------
        before : Buffer
            An earlier one.

        Returns
        -------
        Buffer
            With what was seen until now.
        """
        is_mine = np.zeros(len(self.seen.n_rows), dtype=bool)
        is_mine[self.codes] = True
        others = ~is_mine[before.codes]
        if not others.any():
            return self
        mine, theirs = self[:5], (x[others] for x in before[:5])
        parts = [np.concatenate(pair) for pair in zip(mine, theirs, strict=True)]
        order = np.argsort(parts[0], kind="stable")
        codes, timestamps, values, is_dropped, is_before_gap = (part[order] for part in parts)
        return Buffer(codes, timestamps, values, is_dropped, is_before_gap, self.seen)

    def to_plain(self) -> tuple:
        """Convert the buffer to arrays, for files of plain data."""
        return (*self[:-1], tuple(self.seen))

    @classmethod
    def from_plain(cls, plain: tuple) -> "Buffer":
        """Restore a buffer from these arrays."""
        codes, timestamps, values, is_dropped, is_before_gap, seen = plain
        return cls(codes, timestamps, values, is_dropped, is_before_gap, Seen(*seen))


def sort_rows(buffer: Buffer | None, given: InputTable) -> SortedRows:
    """Put the given rows among the buffered ones of their series.

    Parameters
    ----------
    buffer : Buffer or None
        Rows seen before.
    given : InputTable
        The table. Where it has a row of the buffer, with the same timestamp, the given one counts.

    Returns
    -------
    SortedRows
        All of them, but buffered rows later than the last given one of their series.
    """
    no_row = np.zeros(len(given.codes), dtype=bool)
    rows = given.rows
    first = np.flatnonzero(rows.is_first)
    if buffer is None:
        return SortedRows(given.codes, rows, first[:0], no_row, no_row)
    series = given.codes[rows.order[first]]
    starts, ends = (buffer.codes.searchsorted(series, side) for side in ("left", "right"))
    buffered = ranges(starts, ends - starts)
    if not len(buffered):
        return SortedRows(given.codes, rows, buffered, no_row, no_row)
    owner = np.repeat(np.arange(len(series)), ends - starts)
    timestamps = buffer.timestamps[buffered]
    if (timestamps < rows.timestamps[first[owner]]).all():
        return _followed(buffer, buffered, given)
    last = np.append(first[1:], len(rows.order))
    places = _search(rows.timestamps, first[owner], last[owner], timestamps)
    at_hand = np.minimum(places, len(rows.order) - 1)
    is_given = (places < last[owner]) & (rows.timestamps[at_hand] == timestamps)
    was_buffered, is_dropped = no_row, no_row.copy()
    if is_given.any():
        was_buffered = no_row.copy()
        was_buffered[places[is_given]] = True
        is_dropped[places[is_given]] = buffer.is_dropped[buffered[is_given]]
        buffered, places, timestamps = (x[~is_given] for x in (buffered, places, timestamps))
    if not len(buffered):
        return SortedRows(given.codes, rows, buffered, was_buffered, is_dropped)
    codes = np.concatenate([buffer.codes[buffered], given.codes])
    order = np.insert(rows.order + len(buffered), places, np.arange(len(buffered)))
    joined = Rows.arrange(codes[order], np.insert(rows.timestamps, places, timestamps))
    return SortedRows(
        codes,
        joined._replace(order=order),
        buffered,
        np.insert(was_buffered, places, True),
        np.insert(is_dropped, places, buffer.is_dropped[buffered]),
    )


def _followed(buffer: Buffer, buffered: np.ndarray, given: InputTable) -> SortedRows:
    """Put given rows behind the buffered ones, all of which are earlier."""
    n_buffered = len(buffered)
    codes = np.concatenate([buffer.codes[buffered], given.codes])
    timestamps = np.concatenate([buffer.timestamps[buffered], given.layout.timestamps])
    rows = Rows.arrange(codes, timestamps)
    is_dropped = np.zeros(len(codes), dtype=bool)
    is_dropped[:n_buffered] = buffer.is_dropped[buffered]
    is_dropped = is_dropped[rows.order]
    return SortedRows(codes, rows, buffered, rows.order < n_buffered, is_dropped)


def _search(x: np.ndarray, low: np.ndarray, high: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where each value belongs in its sorted part of an array, by binary search."""
    low, high = low.copy(), high.copy()
    while (low < high).any():
        middle = (low + high) // 2
        before = (low < high) & (x[np.minimum(middle, len(x) - 1)] < values)
        low = np.where(before, middle + 1, low)
        high = np.where(before, high, np.minimum(middle, high))
    return low
