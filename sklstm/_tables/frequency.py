"""The frequency of each series of a table: which row directly follows which."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, Rows
from sklstm._tables.timetable import Timetable, wall_clock

__all__ = ["Frequency"]

THOUSANDTH = 1e-3
"""Tolerance of a sampling interval, as a share of it: clocks and fractions are rounded."""

DAY = 86_400 * 10**9
HOUR = 3_600 * 10**9


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
    """

    step: np.ndarray
    slack: np.ndarray
    limit: np.ndarray
    timetable: np.ndarray
    timetables: tuple[Timetable, ...]
    of_table: bool

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
        if layout.clock == "counter" and len(first) > 1 and _numbers_rows(layout.timestamps, 1.0):
            return cls._same(len(first), 1.0, layout, of_table=True)
        if isinstance(layout.times, pd.PeriodIndex) and layout.times.freqstr not in ("B", "C"):
            start = layout.times[:1]
            step = (start + 1).to_timestamp()[0] - start.to_timestamp()[0]
            return cls._same(len(first), step.as_unit("ns").value, layout)
        common = rows.common_step()
        if common is not None and (sizes.max() > 2 or layout.clock == "counter"):
            return cls._same(len(first), common, layout)
        frequency = cls._of_each(rows.timestamps, first, sizes, layout)
        irregular = np.isnan(frequency.step)
        if layout.clock == "counter":
            if len(first) > 1 and irregular.any() and _numbers_rows(layout.timestamps, 0.9):
                return cls._same(len(first), 1.0, layout, of_table=True)
            frequency.step[irregular & (sizes == 1)] = 1.0
            frequency.slack[irregular & (sizes == 1)] = THOUSANDTH
        return frequency

    @classmethod
    def _same(
        cls, n_series: int, step: float, layout: Layout, *, of_table: bool = False
    ) -> "Frequency":
        slack = _slack(step, layout)
        steps, slacks, limits = (np.full(n_series, float(x)) for x in (step, slack, 5 * step))
        return cls(steps, slacks, limits, np.full(n_series, -1), (), of_table)

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
                step[series], slack[series] = _typical_step(np.diff(own), layout)
                limit[series] = 5 * np.quantile(np.diff(own), 0.9)
                hours = _timetable(own, layout)
                if hours is not None:
                    place = timetables.setdefault(hours.key(), (len(timetables), hours))
                    timetable[series] = place[0]
                    step[series], slack[series] = hours.step, THOUSANDTH * hours.step
            elif size == 2:
                limit[series] = own[1] - own[0]
        frequency = cls(
            step, slack, limit, timetable, tuple(hours for _, hours in timetables.values()), False
        )
        return frequency._shared(np.flatnonzero(sizes < 3), np.flatnonzero(sizes > 2))

    def _shared(self, short: np.ndarray, learned: np.ndarray) -> "Frequency":
        """Give series of too few rows the frequency of the others, if these all share one."""
        same = len(learned) and all(
            (x[learned] == x[learned[0]]).all() for x in (self.step, self.slack, self.timetable)
        )
        if same:
            for x in (self.step, self.slack, self.limit, self.timetable):
                x[short] = x[learned[0]]
        return self

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
        new = n_series - n_seen
        numbers = [np.append(x, np.full(new, np.nan)) for x in (self.step, self.slack, self.limit)]
        longer = self._replace(
            step=numbers[0],
            slack=numbers[1],
            limit=numbers[2],
            timetable=np.append(self.timetable, np.full(new, -1)),
        )
        return longer._shared(np.arange(n_seen, n_series), np.arange(n_seen))

    def to_plain(self) -> tuple:
        """Convert to arrays and numbers, for files of plain data."""
        return (*self[:4], [tuple(hours) for hours in self.timetables], self.of_table)

    @classmethod
    def from_plain(cls, plain: tuple) -> "Frequency":
        """Restore a frequency from these."""
        step, slack, limit, timetable, timetables, of_table = plain
        hours = tuple(Timetable(*parts) for parts in timetables)
        return cls(step, slack, limit, timetable, hours, of_table)

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
        steps = later - earlier
        typical = self.step[codes]
        missed = steps / typical - 1
        missed[np.abs(steps - typical) <= self.slack[codes]] = 0
        of_pair = self.timetable[codes]
        if len(self.timetables) and (of_pair >= 0).any():
            walls = wall_clock(earlier, zone), wall_clock(later, zone)
            for number, hours in enumerate(self.timetables):
                own = of_pair == number
                missed[own] = hours.missed(walls[0][own], walls[1][own])
        return missed

    def follows(
        self, codes: np.ndarray, earlier: np.ndarray, later: np.ndarray, zone: Any
    ) -> np.ndarray:
        """Check whether a row directly follows the last buffered one.

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
        ndarray of bool, shape (n_pairs,)
            Exact where there is a frequency; for irregular sampling, whether the time between the
            two rows is within the limit learned in `fit`.
        """
        irregular = np.isnan(self.step[codes])
        return np.where(
            irregular,
            (later - earlier) <= self.limit[codes],
            self.missed(codes, earlier, later, zone) == 0,
        )

    def cuts(self, rows: Rows, codes: np.ndarray, layout: Layout) -> np.ndarray:
        """Find the gaps in a table.

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
        ndarray of bool, shape (n_rows,)
            Whether rows are missing before the row at each sorted position; never before the
            first row of a series.
        """
        if self.of_table:
            return _after_gaps(rows, layout.timestamps)
        typical = self.step[0] if len(self.step) == 1 or (self.step == self.step[0]).all() else None
        if typical is None:
            cuts = rows.steps != self.step[codes[rows.order]]
        elif np.isnan(typical):
            return np.zeros(len(rows.order), dtype=bool)
        else:
            cuts = rows.steps != (int(typical) if typical == int(typical) else typical)
        cuts &= ~rows.is_first
        places = np.flatnonzero(cuts)
        if len(places):
            owner = codes[rows.order[places]]
            later = rows.timestamps[places]
            missed = self.missed(owner, rows.timestamps[places - 1], later, layout.zone)
            cuts[places] = ~((missed == 0) | np.isnan(missed))
        return cuts


def _numbers_rows(timestamps: np.ndarray, share: float) -> bool:
    """Whether integers count the rows of a table, apart from some gaps."""
    steps = np.diff(timestamps)
    if (steps <= 0).any():
        steps = np.diff(np.sort(timestamps))
    return bool((steps > 0).all() and (steps == 1).mean() >= share)


def _after_gaps(rows: Rows, timestamps: np.ndarray) -> np.ndarray:
    """Whether an integer is missing between a row and the previous row of its series."""
    order = np.argsort(timestamps, kind="stable")
    part = np.empty(len(timestamps), dtype=np.int64)
    part[order] = np.cumsum(np.diff(timestamps[order], prepend=timestamps[order[:1]]) > 1)
    part = part[rows.order]
    cuts = np.zeros(len(part), dtype=bool)
    cuts[1:] = part[1:] != part[:-1]
    return cuts & ~rows.is_first


def _typical_step(steps: np.ndarray, layout: Layout) -> tuple[float, float]:
    """Typical time between two rows, and its slack; NaN if sampling is irregular."""
    middle = np.median(steps)
    values, counts = np.unique(np.rint(steps / middle / THOUSANDTH), return_counts=True)
    mode = values[counts.argmax()] * THOUSANDTH * middle
    typical = float(np.median(steps[np.abs(steps - mode) <= THOUSANDTH * middle]))
    away = np.abs(steps - typical)
    is_exact = away <= max(THOUSANDTH * typical, _slack(typical, layout))
    is_jittered = (away <= 0.3 * middle) & ~is_exact
    if is_exact.mean() > 0.5 and not is_jittered.any():
        return typical, _slack(typical, layout)
    away = np.abs(steps - middle)
    between = (away > 0.3 * middle) & (away < 0.7 * middle)
    if (away <= 0.3 * middle).mean() > 0.75 and between.sum() <= max(1, 0.02 * len(steps)):
        return float(middle), 0.499 * middle
    return (typical, _slack(typical, layout)) if is_exact.mean() > 0.5 else (np.nan, np.nan)


def _slack(step: float, layout: Layout) -> float:
    """By how much the steps of a frequency vary: an hour at clock changes, three days in months."""
    slack = THOUSANDTH * step
    if layout.zone is not None and step >= 3 * HOUR:
        slack = max(slack, HOUR)
    if layout.is_dated and step >= 28 * DAY:
        slack = max(slack, 3 * DAY)
    return slack


def _timetable(timestamps: np.ndarray, layout: Layout) -> Timetable | None:
    return Timetable.learn(wall_clock(timestamps, layout.zone)) if layout.is_dated else None
