"""The buffer of past rows: the last rows of each series, which later rows continue."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, Rows
from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._tables.histories import history_bounds, scatter
from sklstm._tables.table_warnings import write_timestamp

__all__ = ["Buffer", "InputTable", "JoinedTable", "check_rows_are_later", "join_rows"]


class Buffer(NamedTuple):
    """The last rows of each series, one series after another, each in time order.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Position of the series in ``series_``.
    timestamps : ndarray of shape (n_rows,)
        Timestamp of each row.
    values : ndarray of shape (n_rows, n_features)
        Features of each row.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before a row.
    """

    codes: np.ndarray
    timestamps: np.ndarray
    values: np.ndarray
    cuts: np.ndarray

    @classmethod
    def keep(cls, table: "JoinedTable", size: int) -> "Buffer":
        """Keep the last rows of each series.

        Parameters
        ----------
        table : JoinedTable
            All rows seen so far.
        size : int
            Maximum number of rows of a series.

        Returns
        -------
        Buffer
            A copy of those rows.
        """
        rows = table.rows
        first = np.flatnonzero(rows.is_first)
        ends = np.append(first[1:], len(rows.order))
        n_kept = np.minimum(ends - first, size)
        places = ranges(ends - n_kept, n_kept)
        last = rows.order[places]
        cuts = table.is_first[places]
        return cls(table.codes[last], rows.timestamps[places], table.values[last], cuts)

    def take(self, places: np.ndarray) -> "Buffer":
        """Select rows.

        Parameters
        ----------
        places : ndarray of int, shape (n_selected,)
            Which rows.

        Returns
        -------
        Buffer
            In the order of `places`.
        """
        return Buffer(*(x[places] for x in self))

    def bounds(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the rows of some series.

        Parameters
        ----------
        codes : ndarray of int, shape (n_series,)
            Any series.

        Returns
        -------
        starts, ends : ndarray of int, shape (n_series,)
            Position of the first row of each series, and the position after its last one; both
            are equal if the buffer has no row of the series.
        """
        return self.codes.searchsorted(codes), self.codes.searchsorted(codes, side="right")

    def count_before(self, starts: np.ndarray, ends: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Count the rows that are earlier than the first given row of their series.

        Parameters
        ----------
        starts, ends : ndarray of int, shape (n_series,)
            Where the buffered rows of each series are.
        first : ndarray of shape (n_series,)
            Timestamp of the first given row of each.

        Returns
        -------
        ndarray of int64, shape (n_series,)
            Number of earlier rows.
        """
        n_rows = ends - starts
        if (self.timestamps[ends - 1] < first).all():  # of each series, or of the one before it
            return n_rows
        owner = np.repeat(np.arange(len(starts)), n_rows)
        earlier = self.timestamps[ranges(starts, n_rows)] < first[owner]
        return np.bincount(owner, earlier, len(starts)).astype(np.int64)

    def to_plain(self) -> tuple:
        """Convert the buffer to arrays, for files of plain data."""
        return tuple(self)

    @classmethod
    def from_plain(cls, plain: tuple) -> "Buffer":
        """Restore a buffer from these arrays."""
        return cls(*plain)


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


class JoinedTable(NamedTuple):
    """The buffered rows, followed by the given ones.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features of each row, the buffered rows first.
    codes : ndarray of int, shape (n_rows,)
        Series of each row.
    rows : Rows
        The rows, sorted by series and time.
    is_first : ndarray of bool, shape (n_rows,)
        Whether the row at each sorted position is the first of its series, or follows a gap.
    n_carried : int
        Number of buffered rows.
    """

    values: np.ndarray
    codes: np.ndarray
    rows: Rows
    is_first: np.ndarray
    n_carried: int

    def histories(
        self,
        window_size: int,
        horizon: int,
        names: np.ndarray | None,
        index: pd.Index | None = None,
    ) -> Sequences:
        """Cut the histories of the given rows out of all rows.

        Parameters
        ----------
        window_size : int
            Maximum number of rows of a history.
        horizon : int
            Lead: number of rows from the last row of a history to the row it belongs to.
        names : ndarray of shape (n_features,), or None
            Names of the features.
        index : pandas.Index of length n_rows, default=None
            That of the given rows.

        Returns
        -------
        Sequences
            One for each given row, in the order of the table.
        """
        order, values = self.rows.order, self.values
        starts, lengths = history_bounds(self.is_first, window_size, horizon)
        if not np.array_equal(order, np.arange(len(order))):
            starts, lengths = scatter(starts, order), scatter(lengths, order)
            if values.flags.f_contiguous:  # take would copy the table first
                values = values.T.take(order, axis=1).T
            else:
                values = values.take(order, axis=0)
        given = slice(self.n_carried, None)
        return Sequences(values, starts[given], lengths[given], self.codes[given], names, index)


def join_rows(
    carried: Buffer | None,
    given: InputTable,
    cuts: np.ndarray,
    continuations: Any,
    median_step: float | None,
) -> JoinedTable:
    """Append the given rows to the buffered ones.

    Parameters
    ----------
    carried : Buffer or None
        Buffered rows of the given series.
    given : InputTable
        The table.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before the given row at each sorted position.
    continuations : Continuations or None
        Which series continue their buffered rows; required if there are buffered rows.
    median_step : float or None
        Unit of the feature ``time_delta``, 0 if it is unknown; None if there is no such feature.

    Returns
    -------
    JoinedTable
        All rows.
    """
    values, codes, rows = given.values, given.codes, given.rows
    n_carried = 0 if carried is None else len(carried.codes)
    if carried is not None and n_carried:
        codes = np.concatenate([carried.codes, codes])
        timestamps = np.concatenate([carried.timestamps, given.layout.timestamps])
        of_rows = np.concatenate([carried.cuts, scatter(cuts, rows.order)])
        of_rows[n_carried + continuations.rows[~continuations.is_continued]] = True
        rows = Rows.arrange(codes, timestamps)
        cuts = of_rows[rows.order]
    if median_step is not None:
        values = _with_time_delta(values, rows, median_step, n_carried)
    if carried is not None and n_carried:
        values = np.concatenate([carried.values, values])
    return JoinedTable(values, codes, rows, rows.is_first | cuts, n_carried)


def _with_time_delta(
    values: np.ndarray, rows: Rows, median_step: float, n_carried: int
) -> np.ndarray:
    """Append the time since the previous row of the series to the given rows."""
    time_delta = np.ones(len(rows.order), dtype=values.dtype)
    if median_step:
        steps = np.where(rows.is_first, median_step, rows.steps)
        time_delta[rows.order] = steps / median_step
    return np.column_stack([values, time_delta[n_carried:]])


def check_rows_are_later(buffer: Buffer, given: InputTable) -> None:
    """Refuse rows that are not later than the buffered rows of their series.

    Parameters
    ----------
    buffer : Buffer
        Rows seen before.
    given : InputTable
        The rows that have arrived.

    Raises
    ------
    ValueError
        If a row was seen before, or arrives late; the message names it.
    """
    rows = given.rows.order[given.rows.is_first]
    codes = given.codes[rows]
    starts, ends = buffer.bounds(codes)
    last = buffer.timestamps[ends - 1]  # of another series, if the buffer has no row of this one
    late = (starts < ends) & (given.layout.timestamps[rows] <= last)
    if not late.any():
        return
    place = int(late.argmax())
    row, seen = rows[place], write_timestamp(last[place], given.layout)
    what = "was seen before" if given.layout.timestamps[row] == last[place] else "is late"
    of_series = "" if given.names is None else f" of series {given.names[codes[place]]!r}"
    raise ValueError(
        f"Row {row} (counted from 0; time {given.layout.times[row]}){of_series} {what}: "
        f"partial_fit takes rows later than {seen}, the last timestamp in its buffer. Leave out "
        "the rows it has seen; for rows that arrive late, call fit with all rows in time order."
    )
