"""Given rows among the buffered ones of their series: where histories are cut, and their steps."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.categories import Categories
from sklstm._data.frames import gap_in_timestamps
from sklstm._data.sequences import Sequences
from sklstm._tables.buffer import LEARNED, Buffer, InputTable, SortedRows, sort_rows
from sklstm._tables.frequency import Frequency, Gaps
from sklstm._tables.histories import Bounds, longer

__all__ = ["JoinedTable", "join"]


class JoinedTable(NamedTuple):
    """Given rows among the buffered ones of their series.

    Attributes
    ----------
    given : InputTable
        The given rows.
    buffer : Buffer or None
        The buffer.
    table : SortedRows
        All rows, sorted by series and time.
    frequency : Frequency or None
        The sampling intervals; None if the rows have no time.
    gaps : Gaps
        Where rows are missing.
    cuts : ndarray of bool, shape (n_rows,)
        Whether histories are cut before the row at each sorted position.
    limit : float or None
        Longest time between rows that are joined, if the user has set one.
    """

    given: InputTable
    buffer: Buffer | None
    table: SortedRows
    frequency: Frequency | None
    gaps: Gaps
    cuts: np.ndarray
    limit: float | None

    @property
    def is_given(self) -> np.ndarray:
        """Whether the row at each sorted position is given, not buffered."""
        return self.table.rows.order >= len(self.table.buffered)

    def bounds(self, window_size: int, horizon: int) -> Bounds:
        """Find the history of each row, by sorted position.

        Parameters
        ----------
        window_size : int
            Maximum number of rows of a history.
        horizon : int
            Lead: number of places from the last row of a history to the row it belongs to.

        Returns
        -------
        Bounds
            Also of the buffered rows.
        """
        rows = self.table.rows
        max_gap = None if self.limit is None else (rows.timestamps, self.limit)
        return Bounds.find(rows.is_first, self.cuts, self.gaps, window_size, horizon, max_gap)

    def values(self, median_step: float | None) -> np.ndarray:
        """Collect the features of all rows.

        Parameters
        ----------
        median_step : float or None
            Unit of the feature ``time_delta``, 0 if it is unknown; None if there is no such
            feature.

        Returns
        -------
        ndarray of shape (n_rows, n_features)
            In the order of ``table.codes``.
        """
        values, rows, n_buffered = self.given.values, self.table.rows, len(self.table.buffered)
        if median_step is not None:
            time_delta = np.ones(len(rows.order), dtype=values.dtype)
            if median_step:
                steps = np.where(rows.is_first, median_step, rows.steps)
                time_delta[rows.order] = steps / median_step
            values = np.column_stack([values, time_delta[n_buffered:]])
        if n_buffered and self.buffer is not None:
            values = np.concatenate([self.buffer.values[self.table.buffered], values])
        return values

    def sequences(
        self,
        bounds: Bounds,
        values: np.ndarray,
        names: np.ndarray | None,
        index: pd.Index | None = None,
        categories: Categories | None = None,
    ) -> Sequences:
        """Cut the histories of the given rows out of all rows.

        Parameters
        ----------
        bounds : Bounds
            Where they are. They are brought into the order of the table.
        values : ndarray of shape (n_rows, n_features)
            Features of all rows.
        names : ndarray of shape (n_features,), or None
            Names of the features.
        index : pandas.Index of length n_rows, default=None
            That of the given rows.
        categories : dict of int to tuple, default=None
            Features that are categories, and their values.

        Returns
        -------
        Sequences
            One for each given row, in the order of the table.
        """
        order, (starts, lengths) = self.table.rows.order, bounds
        if not np.array_equal(order, np.arange(len(order))):
            starts[order], lengths[order] = starts.copy(), lengths.copy()  # in place, for memory
            if values.flags.f_contiguous:  # take would copy the table first
                values = values.T.take(order, axis=1).T
            else:
                values = values.take(order, axis=0)
        given = slice(len(self.table.buffered), None)
        codes = self.table.codes[given]
        parts = starts[given], lengths[given], codes, names, index
        return Sequences(values, *parts, categories=categories)


def join(
    buffer: Buffer | None, given: InputTable, frequency: Frequency | None, max_gap: Any
) -> JoinedTable:
    """Put given rows among the buffered ones, and find where histories are cut.

    Parameters
    ----------
    buffer : Buffer or None
        Rows seen before.
    given : InputTable
        The table.
    frequency : Frequency or None
        The sampling intervals; None if the rows have no time that can be compared with that of
        `fit`.
    max_gap : Timedelta, str, number or None
        The parameter of the windower: how far apart rows may be. None: the frequency decides.

    Returns
    -------
    JoinedTable
        Ready to cut histories.
    """
    table = sort_rows(buffer if frequency is not None else None, given)
    rows, layout = table.rows, given.layout
    if frequency is not None:
        frequency = _learned_further(frequency, table, buffer, given)
    gaps = Gaps.none() if frequency is None else frequency.gaps(rows, table.codes, layout)
    cuts, limit = np.zeros(len(rows.order), dtype=bool), None
    if max_gap is not None and rows.steps is not None:
        limit = np.inf if max_gap == "any" else gap_in_timestamps(max_gap, layout.clock)
        cuts = longer(rows.steps, limit) & ~rows.is_first
    else:
        cuts[gaps.places] = True
    if frequency is not None and buffer is not None and len(table.buffered):
        _cut_where_rows_are_not_kept(cuts, table, gaps, frequency, buffer, limit)
    return JoinedTable(given, buffer, table, frequency, gaps, cuts, limit)


def _learned_further(
    frequency: Frequency, table: SortedRows, buffer: Buffer | None, given: InputTable
) -> Frequency:
    """The frequency with that of series of which few rows were seen before."""
    rows, codes = table.rows, table.codes
    frequency = frequency.for_series(int(given.codes.max()) + 1)
    if buffer is None:
        return frequency
    if frequency.of_table:
        nothing = np.zeros(0, dtype=int)
        return frequency.relearned(rows, codes, given.layout, nothing, LEARNED)
    n_seen = np.zeros(len(frequency.step), dtype=np.int64)
    n_seen[: len(buffer.seen.n_rows)] = buffer.seen.n_rows
    series = codes[rows.order]
    differs = rows.steps != frequency.step[series]
    if len(frequency.timetables):
        differs |= frequency.timetable[series] >= 0
    differs &= ~rows.is_first & (n_seen[series] <= LEARNED)
    if not differs.any():
        return frequency
    return frequency.relearned(rows, codes, given.layout, np.unique(series[differs]), LEARNED)


def _cut_where_rows_are_not_kept(
    cuts: np.ndarray,
    table: SortedRows,
    gaps: Gaps,
    frequency: Frequency,
    buffer: Buffer,
    limit: float | None,
) -> None:
    """Cut where rows lie between that were seen and are not kept, and where no place tells."""
    rows, seen = table.rows, buffer.seen
    is_buffered = rows.order < len(table.buffered)
    ask = table.is_dropped.copy()
    ask[1:] |= is_buffered[1:] != is_buffered[:-1]
    ask &= ~rows.is_first
    is_irregular = np.isnan(frequency.step[table.codes[rows.order]])
    is_gap = np.zeros(len(ask), dtype=bool)
    is_gap[gaps.places] = True
    at = np.flatnonzero(ask & (is_irregular | is_gap))
    if not len(at):
        return
    codes = table.codes[rows.order[at]]
    saw = seen.saw_between(
        codes, rows.timestamps[at - 1], rows.timestamps[at], both_given=np.zeros(len(at), bool)
    )
    if limit is None:
        saw |= is_irregular[at] & ~(rows.steps[at] <= frequency.limit[codes])
    cuts[at] |= np.where(table.was_buffered[at], table.is_dropped[at], saw)
