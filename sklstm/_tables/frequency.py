"""The frequency of each series of a table: which row directly follows which."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, Rows
from sklstm._tables.sampling_interval import (
    DAY,
    FEWEST,
    MONTH,
    SLACK_OF_MONTHS,
    THOUSANDTH,
    sampling_interval,
    slack_of,
)
from sklstm._tables.timetable import Timetable, wall_clock

__all__ = ["Frequency", "Gaps"]

NO_RUNS = np.zeros((0, 2), dtype=np.int64)


class Frequency(NamedTuple):
    """The sampling interval of each series, learned in `fit`.

    Attributes
    ----------
    step : ndarray of float64, shape (n_series,)
        Sampling interval: nanoseconds for dates, else numbers; NaN if irregular or unknown.
    slack : ndarray of float64, shape (n_series,)
        By how much the time between two rows may differ from the sampling interval.
    limit : ndarray of float64, shape (n_series,)
        For irregular sampling: the longest time between two rows that are still joined; NaN if
        unknown.
    timetable : ndarray of int, shape (n_series,)
        Position in `timetables`, -1 for a series without closed hours or days.
    timetables : tuple of Timetable
        Open hours and days, for example of series on business days.
    of_table : bool
        Whether the integers of the index count the rows of the table, not those of each series.
    runs : ndarray of int64, shape (n_runs, 2)
        First and last of the integers seen without gaps, if they count the rows of the table.
    common : tuple of (step, slack, limit, timetable), or None
        What all series of `fit` share, if they do: new series get it until they have three rows.
    """

    step: np.ndarray
    slack: np.ndarray
    limit: np.ndarray
    timetable: np.ndarray
    timetables: tuple[Timetable, ...]
    of_table: bool
    runs: np.ndarray
    common: tuple | None

    @classmethod
    def learn(cls, rows: Rows, layout: Layout) -> "Frequency":
        """Find the sampling interval of each series.

        Parameters
        ----------
        rows : Rows
            The rows, sorted by series and time, with the time between neighbours.
        layout : Layout
            Time and clock of the table.

        Returns
        -------
        Frequency
            Series of fewer than three rows get the frequency of the others, if these share one.
        """
        first = np.flatnonzero(rows.is_first)
        sizes = np.diff(first, append=len(rows.order))
        is_counter = layout.clock == "counter"
        if is_counter and len(first) > 1 and _counts_the_table(rows, layout.timestamps):
            frequency = cls._same(len(first), 1.0, layout)
            return frequency._replace(of_table=True, runs=_runs(layout.timestamps, NO_RUNS))
        if _is_of_periods(layout):
            start = layout.times[:1]
            length = (start + 1).to_timestamp()[0] - start.to_timestamp()[0]
            step, slack = float(length.as_unit("ns").value), None
            if step > 27 * DAY:
                step, slack = max(round(step / MONTH), 1) * MONTH, SLACK_OF_MONTHS
            return cls._same(len(first), step, layout, slack=slack)
        common = rows.common_step()
        may_be_months = layout.is_dated and common is not None and common > 27 * DAY
        if common is not None and not may_be_months and (sizes.max() > 2 or is_counter):
            return cls._same(len(first), common, layout)
        frequency = cls._of_each(rows.timestamps, first, sizes, layout)
        frequency = frequency._shared(np.flatnonzero(sizes < 3), np.flatnonzero(sizes > 2))
        if is_counter:
            alone = np.isnan(frequency.step) & (sizes == 1)
            frequency.step[alone], frequency.slack[alone] = 1.0, THOUSANDTH
        return frequency

    @classmethod
    def nothing(cls) -> "Frequency":
        """Begin without series."""
        none = np.zeros(0)
        return cls(none, none, none, none.astype(np.int64), (), False, NO_RUNS, None)

    @classmethod
    def _same(
        cls,
        n_series: int,
        step: float,
        layout: Layout,
        *,
        slack: float | None = None,
    ) -> "Frequency":
        slack = slack_of(step, layout) if slack is None else slack
        steps, slacks, limits = (np.full(n_series, float(x)) for x in (step, slack, 5 * step))
        common = float(step), float(slack), 5.0 * step, -1
        return cls(steps, slacks, limits, np.full(n_series, -1), (), False, NO_RUNS, common)

    @classmethod
    def _of_each(
        cls, timestamps: np.ndarray, first: np.ndarray, sizes: np.ndarray, layout: Layout
    ) -> "Frequency":
        step, slack, limit = np.full((3, len(first)), np.nan)
        timetable = np.full(len(first), -1)
        timetables: dict[tuple, tuple[int, Timetable]] = {}
        for series, (begin, size) in enumerate(zip(first, sizes, strict=True)):
            own = timestamps[begin : begin + size]
            if size > 2:
                step[series], slack[series] = sampling_interval(own, layout)
                limit[series] = 5 * np.quantile(np.diff(own), 0.9)
                hours = _timetable(own, layout)
                if hours is not None:
                    place = timetables.setdefault(hours.key(), (len(timetables), hours))
                    timetable[series] = place[0]
                    step[series], slack[series] = hours.step, THOUSANDTH * hours.step
            elif size == 2:
                limit[series] = own[1] - own[0]
        hours_of_all = tuple(hours for _, hours in timetables.values())
        return cls(step, slack, limit, timetable, hours_of_all, False, NO_RUNS, None)

    def _shared(self, short: np.ndarray, learned: np.ndarray) -> "Frequency":
        """Give series of too few rows the frequency of the others, if these all share one."""
        columns = self.step, self.slack, self.timetable
        if not len(learned) or not all((x[learned] == x[learned[0]]).all() for x in columns):
            return self
        common = tuple(x[learned[0]].item() for x in self[:4])
        for x, value in zip(self[:4], common, strict=True):
            x[short] = value
        return self._replace(common=common)

    def for_series(self, n_series: int) -> "Frequency":
        """Add series not seen in `fit`.

        Parameters
        ----------
        n_series : int
            Number of all series.

        Returns
        -------
        Frequency
            New series get the frequency of the others, if these share one; else it is unknown.
        """
        n_seen = len(self.step)
        if n_series <= n_seen:
            return self
        common = self.common or (np.nan, np.nan, np.nan, -1)
        new = n_series - n_seen
        columns = [np.append(x, [value] * new) for x, value in zip(self[:4], common, strict=True)]
        return self._with(columns, self.timetables)

    def to_plain(self) -> tuple:
        """Convert to arrays and numbers, for files of plain data."""
        return (*self[:4], [tuple(hours) for hours in self.timetables], *self[5:])

    @classmethod
    def from_plain(cls, plain: tuple) -> "Frequency":
        """Restore a frequency from these."""
        hours = tuple(Timetable(*parts) for parts in plain[4])
        step, slack, limit, timetable, _, of_table, runs, common = plain
        return cls(step, slack, limit, timetable, hours, of_table, runs, common)

    def missed(
        self, codes: np.ndarray, earlier: np.ndarray, later: np.ndarray, zone: Any
    ) -> np.ndarray:
        """Count the missing rows between two rows of a series.

        Parameters
        ----------
        codes : ndarray of int, shape (n_pairs,)
            Series of each pair.
        earlier : ndarray of shape (n_pairs,)
            Timestamp of the earlier row.
        later : ndarray of shape (n_pairs,)
            Timestamp of the later row.
        zone : tzinfo or None
            Time zone of the table.

        Returns
        -------
        ndarray of float64, shape (n_pairs,)
            0 if the later row directly follows the earlier one. Fractions and negative numbers
            mean that a row is off the grid of the frequency. NaN where the frequency is unknown.
        """
        missed = (later - earlier) / self.step[codes] - 1
        whole = np.rint(missed)
        on_grid = np.abs(missed - whole) * self.step[codes] <= self.slack[codes]
        missed[on_grid] = whole[on_grid]
        of_pair = self.timetable[codes]
        if len(self.timetables) and (of_pair >= 0).any():
            walls = wall_clock(earlier, zone), wall_clock(later, zone)
            for number, hours in enumerate(self.timetables):
                own = of_pair == number
                missed[own] = hours.missed(walls[0][own], walls[1][own])
        return missed

    def gaps(self, rows: Rows, codes: np.ndarray, layout: Layout) -> "Gaps":
        """Find where rows are missing.

        Parameters
        ----------
        rows : Rows
            The rows, sorted by series and time.
        codes : ndarray of int, shape (n_rows,)
            Code of the series of each row of the table, below the number of series.
        layout : Layout
            Time and clock of the table.

        Returns
        -------
        Gaps
            None of them before the first row of a series; where the frequency is unknown, no rows
            are missing.
        """
        if self.of_table:
            return self._gaps_of_table(rows)
        typical = self.step[0] if len(self.step) and (self.step == self.step[0]).all() else None
        if typical is None:
            differs = rows.steps != self.step[codes[rows.order]]
        elif np.isnan(typical):
            return Gaps.none()
        else:
            differs = rows.steps != (int(typical) if typical == int(typical) else typical)
        differs &= ~rows.is_first
        at = np.flatnonzero(differs)
        if not len(at):
            return Gaps.none()
        owner = codes[rows.order[at]]
        missed = self.missed(owner, rows.timestamps[at - 1], rows.timestamps[at], layout.zone)
        is_gap = ~((missed == 0) | np.isnan(missed))
        at, missed = at[is_gap], missed[is_gap]
        whole = np.rint(missed)
        return Gaps(at, np.maximum(whole, 0).astype(np.int64), (missed != whole) | (missed < 0))

    def _gaps_of_table(self, rows: Rows) -> "Gaps":
        runs = _runs(rows.timestamps, self.runs)
        if len(runs) == 1:
            return Gaps.none()
        run = np.searchsorted(runs[:, 0], rows.timestamps, side="right")
        at = np.flatnonzero((run[1:] != run[:-1]) & ~rows.is_first[1:]) + 1
        return Gaps(at, np.zeros(len(at), dtype=np.int64), np.ones(len(at), dtype=bool))

    def relearned(
        self, rows: Rows, codes: np.ndarray, layout: Layout, series: np.ndarray, n_rows: int
    ) -> "Frequency":
        """Learn the frequency of some series again, from their first rows.

        Parameters
        ----------
        rows : Rows
            All rows at hand, sorted by series and time.
        codes : ndarray of int, shape (n_rows,)
            Code of the series of each row, in the order of the table.
        layout : Layout
            Time and clock of the table.
        series : ndarray of int
            Codes of the series to learn.
        n_rows : int
            Maximum number of their first rows to learn from.

        Returns
        -------
        Frequency
            The others have the same as before. Series of fewer than three rows get that of the
            others, if these share one.
        """
        if self.of_table:
            return self._replace(runs=_runs(rows.timestamps, self.runs))
        if _is_of_periods(layout):
            return self
        first = np.flatnonzero(rows.is_first)
        sizes = np.minimum(np.diff(first, append=len(rows.order)), n_rows)
        whose = np.searchsorted(codes[rows.order[first]], series)
        first, sizes = first[whose], sizes[whose]
        own = self._of_each(rows.timestamps, first, sizes, layout)
        columns, timetables = [x.copy() for x in self[:4]], list(self.timetables)
        for place, one in enumerate(series):
            learned = tuple(x[place] for x in own[:4])
            fits = self.common is not None and (
                sizes[place] < 3 or self._fits(rows, int(first[place]), int(sizes[place]), layout)
            )
            if learned[3] >= 0 and not (fits and _is_short(rows, first[place], sizes[place])):
                hours = own.timetables[learned[3]]
                known = [k for k, other in enumerate(timetables) if other.key() == hours.key()]
                learned = *learned[:3], known[0] if known else len(timetables)
                timetables += [] if known else [hours]
            elif fits:
                learned = self.common or learned
            for x, value in zip(columns, learned, strict=True):
                x[one] = value
        return self._with(columns, tuple(timetables))

    def _with(self, columns: list[np.ndarray], timetables: tuple[Timetable, ...]) -> "Frequency":
        step, slack, limit, timetable = columns
        return self._replace(
            step=step, slack=slack, limit=limit, timetable=timetable, timetables=timetables
        )

    def _fits(self, rows: Rows, begin: int, size: int, layout: Layout) -> bool:
        """Whether rows are on the grid of all others, and often next to each other there."""
        common = self._with([np.array([value]) for value in self.common or ()], self.timetables)
        own = rows.timestamps[begin : begin + size]
        missed = common.missed(np.zeros(size - 1, dtype=int), own[:-1], own[1:], layout.zone)
        return bool((missed == np.floor(missed)).all() and (missed == 0).mean() >= FEWEST)


class Gaps(NamedTuple):
    """Where rows are missing in a table that is sorted by series and time.

    Attributes
    ----------
    places : ndarray of int, shape (n_gaps,)
        Sorted position of the row after each gap.
    missing : ndarray of int64, shape (n_gaps,)
        Number of missing rows.
    is_break : ndarray of bool, shape (n_gaps,)
        Whether the rows after it are on another grid: the phase changes, or two rows are in one
        slot.
    """

    places: np.ndarray
    missing: np.ndarray
    is_break: np.ndarray

    @classmethod
    def none(cls) -> "Gaps":
        """No gaps."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, np.zeros(0, dtype=bool))


def _runs(integers: np.ndarray, known: np.ndarray) -> np.ndarray:
    """First and last of consecutive integers, among these and the known runs of them."""
    integers = np.sort(integers)
    begins = np.flatnonzero(np.diff(integers, prepend=integers[0] - 2) > 1)
    ends = np.append(begins[1:], len(integers)) - 1
    runs = np.vstack([np.column_stack([integers[begins], integers[ends]]), known])
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    reached = np.maximum.accumulate(runs[:, 1])
    is_new = np.append(True, runs[1:, 0] > reached[:-1] + 1)
    last = np.append(np.flatnonzero(is_new)[1:], len(runs)) - 1
    return np.column_stack([runs[is_new, 0], reached[last]])


def _counts_the_table(rows: Rows, timestamps: np.ndarray) -> bool:
    """Whether integers count the rows of a table of many series, apart from some gaps."""
    steps = np.diff(timestamps)
    if (steps <= 0).any():
        steps = np.diff(np.sort(timestamps))
    if not (steps > 0).all() or (steps == 1).mean() < 0.9:
        return False
    return bool((steps == 1).all() or (rows.steps[~rows.is_first] == 1).mean() < 0.9)


def _is_of_periods(layout: Layout) -> bool:
    """Whether the index says its frequency."""
    freq: Any = layout.times.freq if isinstance(layout.times, pd.PeriodIndex) else None
    return freq is not None and freq.base.freqstr not in ("B", "C")


def _is_short(rows: Rows, begin: int, size: int) -> bool:
    """Whether rows span less than two weeks, in which closed days are seen once."""
    return bool(rows.timestamps[begin + size - 1] - rows.timestamps[begin] < 14 * DAY)


def _timetable(timestamps: np.ndarray, layout: Layout) -> Timetable | None:
    return Timetable.learn(wall_clock(timestamps, layout.zone)) if layout.is_dated else None
