"""The frequency of a table: which row stands right behind which."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, Rows
from sklstm._tables.timetable import Timetable, wall_clock

__all__ = ["Frequency"]

THOUSANDTH = 1e-3
"""How exact a step has to be, in steps: clocks and fractions round."""

DAY = 86_400 * 10**9
HOUR = 3_600 * 10**9


class Frequency(NamedTuple):
    """The usual step of each series, as `fit` saw it.

    Attributes
    ----------
    step : ndarray of float64, shape (n_series,)
        Usual step: nanoseconds for dates, else numbers; NaN where steps are uneven or unknown.
    slack : ndarray of float64, shape (n_series,)
        By how much a step may differ from the usual one.
    limit : ndarray of float64, shape (n_series,)
        Where steps are uneven: the longest step after which a table goes on; NaN if there is none.
    timetable : ndarray of int, shape (n_series,)
        Position in `timetables`, -1 for a series that knows no closed hours or days.
    timetables : tuple of Timetable
        The open hours and days of series such as those of business days.
    of_table : bool
        Whether the integers of the index number the rows of the table, not those of each series.
    """

    step: np.ndarray
    slack: np.ndarray
    limit: np.ndarray
    timetable: np.ndarray
    timetables: tuple[Timetable, ...]
    of_table: bool

    @classmethod
    def learn(cls, rows: Rows, layout: Layout) -> "Frequency":
        """Find the usual step of each series.

        Parameters
        ----------
        rows : Rows
            The rows side by side, with steps.
        layout : Layout
            Time and clock of the table.

        Returns
        -------
        Frequency
            Series of less than three rows have the frequency of the others, if that is one.
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
        uneven = np.isnan(frequency.step)
        if layout.clock == "counter":
            if len(first) > 1 and uneven.any() and _numbers_rows(layout.timestamps, 0.9):
                return cls._same(len(first), 1.0, layout, of_table=True)
            frequency.step[uneven & (sizes == 1)] = 1.0
            frequency.slack[uneven & (sizes == 1)] = THOUSANDTH
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
                step[series], slack[series] = _usual_step(np.diff(own), layout)
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

    def _shared(self, short: np.ndarray, known: np.ndarray) -> "Frequency":
        """Let series of too few rows have the frequency of the others, if they all have one."""
        same = len(known) and all(
            (x[known] == x[known[0]]).all() for x in (self.step, self.slack, self.timetable)
        )
        if same:
            for x in (self.step, self.slack, self.limit, self.timetable):
                x[short] = x[known[0]]
        return self

    def for_series(self, n_series: int) -> "Frequency":
        """Add series that `fit` has not seen.

        Parameters
        ----------
        n_series : int
            Number of series there are now.

        Returns
        -------
        Frequency
            The new ones have the frequency of the others, if that is one; else none is known.
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
        """Take the frequency apart: arrays and numbers."""
        return (*self[:4], [tuple(hours) for hours in self.timetables], self.of_table)

    @classmethod
    def from_plain(cls, plain: tuple) -> "Frequency":
        """Put it together again."""
        step, slack, limit, timetable, timetables, of_table = plain
        hours = tuple(Timetable(*parts) for parts in timetables)
        return cls(step, slack, limit, timetable, hours, of_table)

    def missed(
        self, codes: np.ndarray, earlier: np.ndarray, later: np.ndarray, zone: Any
    ) -> np.ndarray:
        """Count the rows that are missing between two rows of a series.

        Parameters
        ----------
        codes : ndarray of int, shape (n_pairs,)
            Series of each pair.
        earlier : ndarray of shape (n_pairs,)
            Stamp of the earlier row.
        later : ndarray of shape (n_pairs,)
            Stamp of the later row.
        zone : tzinfo or None
            Time zone of the table.

        Returns
        -------
        ndarray of float64, shape (n_pairs,)
            0: the later row stands right behind the earlier one. Fractions, and numbers below
            zero, are rows that do not lie on the grid. NaN where no frequency is known.
        """
        steps = later - earlier
        usual = self.step[codes]
        missed = steps / usual - 1
        missed[np.abs(steps - usual) <= self.slack[codes]] = 0
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
        """Tell whether a row stands right behind the last one remembered.

        Parameters
        ----------
        codes : ndarray of int, shape (n_pairs,)
            Series of each pair.
        earlier : ndarray of shape (n_pairs,)
            Stamp of the earlier row.
        later : ndarray of shape (n_pairs,)
            Stamp of the later row.
        zone : tzinfo or None
            Time zone of the table.

        Returns
        -------
        ndarray of bool, shape (n_pairs,)
            Exact where there is a frequency; else whether the step is one of the usual ones.
        """
        uneven = np.isnan(self.step[codes])
        return np.where(
            uneven,
            (later - earlier) <= self.limit[codes],
            self.missed(codes, earlier, later, zone) == 0,
        )

    def cuts(self, rows: Rows, codes: np.ndarray, layout: Layout) -> np.ndarray:
        """Find the gaps in a table.

        Parameters
        ----------
        rows : Rows
            The rows side by side.
        codes : ndarray of int, shape (n_rows,)
            Series of each row of the table, all below the number of series.
        layout : Layout
            Time and clock of the table.

        Returns
        -------
        ndarray of bool, shape (n_rows,)
            Whether something is missing before the row at each place; not at the first ones.
        """
        if self.of_table:
            return _behind_gaps(rows, layout.timestamps)
        usual = self.step[0] if len(self.step) == 1 or (self.step == self.step[0]).all() else None
        if usual is None:
            cuts = rows.steps != self.step[codes[rows.order]]
        elif np.isnan(usual):
            return np.zeros(len(rows.order), dtype=bool)
        else:
            cuts = rows.steps != (int(usual) if usual == int(usual) else usual)
        cuts &= ~rows.is_first
        places = np.flatnonzero(cuts)
        if len(places):
            owner = codes[rows.order[places]]
            later = rows.timestamps[places]
            missed = self.missed(owner, rows.timestamps[places - 1], later, layout.zone)
            cuts[places] = ~((missed == 0) | np.isnan(missed))
        return cuts


def _numbers_rows(timestamps: np.ndarray, share: float) -> bool:
    """Whether whole numbers count the rows of a table, but for some gaps."""
    steps = np.diff(timestamps)
    if (steps <= 0).any():
        steps = np.diff(np.sort(timestamps))
    return bool((steps > 0).all() and (steps == 1).mean() >= share)


def _behind_gaps(rows: Rows, timestamps: np.ndarray) -> np.ndarray:
    """Whether a number is missing somewhere between a row and the one before of its series."""
    order = np.argsort(timestamps, kind="stable")
    part = np.empty(len(timestamps), dtype=np.int64)
    part[order] = np.cumsum(np.diff(timestamps[order], prepend=timestamps[order[:1]]) > 1)
    part = part[rows.order]
    cuts = np.zeros(len(part), dtype=bool)
    cuts[1:] = part[1:] != part[:-1]
    return cuts & ~rows.is_first


def _usual_step(steps: np.ndarray, layout: Layout) -> tuple[float, float]:
    """Usual step and slack; NaN if steps are uneven."""
    middle = np.median(steps)
    values, counts = np.unique(np.rint(steps / middle / THOUSANDTH), return_counts=True)
    often = values[counts.argmax()] * THOUSANDTH * middle
    usual = float(np.median(steps[np.abs(steps - often) <= THOUSANDTH * middle]))
    away = np.abs(steps - usual)
    exact = away <= max(THOUSANDTH * usual, _slack(usual, layout))
    wavering = (away <= 0.3 * middle) & ~exact
    if exact.mean() > 0.5 and not wavering.any():
        return usual, _slack(usual, layout)
    away = np.abs(steps - middle)
    between = (away > 0.3 * middle) & (away < 0.7 * middle)
    if (away <= 0.3 * middle).mean() > 0.75 and between.sum() <= max(1, 0.02 * len(steps)):
        return float(middle), 0.499 * middle
    return (usual, _slack(usual, layout)) if exact.mean() > 0.5 else (np.nan, np.nan)


def _slack(step: float, layout: Layout) -> float:
    """By how much steps of a frequency differ: clocks change by an hour, months by three days."""
    slack = THOUSANDTH * step
    if layout.zone is not None and step >= 3 * HOUR:
        slack = max(slack, HOUR)
    if layout.is_dated and step >= 28 * DAY:
        slack = max(slack, 3 * DAY)
    return slack


def _timetable(timestamps: np.ndarray, layout: Layout) -> Timetable | None:
    return Timetable.learn(wall_clock(timestamps, layout.zone)) if layout.is_dated else None
