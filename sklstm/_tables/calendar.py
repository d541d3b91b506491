"""The calendar of a regular series: which rows are missing, and the timestamps to come."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Rows, lay_out
from sklstm._tables.frequency import Frequency
from sklstm._tables.months import (
    HALF_MONTHS,
    days_of_half_months,
    half_months,
    nth_dates,
    rule_of_months,
)
from sklstm._tables.sampling_interval import (
    DAY,
    HOUR,
    MONTH,
    SLACK_OF_MONTHS,
    SLACK_OF_WEEKDAYS,
    sampling_interval,
)
from sklstm._tables.timetable import Timetable, wall_clock

__all__ = ["Calendar", "check_kind", "periods_of"]

MILLISECOND = 10**6


class Calendar(NamedTuple):
    """How the timestamps of a series go on.

    Attributes
    ----------
    frequency : Frequency
        Its sampling interval.
    rule : str
        What the timestamps have in common: "step" (one of UTC or of numbers), "local" (one of local
        clocks), "hours" (open days and hours), "periods", "half months", or one of
        `rule_of_months`.
    day : int
        Day of the month; in the others the local time of day, in nanoseconds.
    second : int
        The later day of half months.
    """

    frequency: Frequency
    rule: str
    day: int
    second: int = 0

    @classmethod
    def learn(cls, index: pd.Index) -> Calendar:
        """Find the frequency of a series, and its rule.

        Parameters
        ----------
        index : pandas.Index
            Dates, periods or numbers that increase; rows may be missing.

        Returns
        -------
        Calendar
            Its calendar.

        Raises
        ------
        ValueError
            If sampling is irregular, or a single row has no frequency.

        Examples
        --------
        >>> import pandas as pd
        >>> ends = pd.date_range("2024-01-31", periods=3, freq="ME")
        >>> Calendar.learn(ends).after(ends, 2).strftime("%d %b").tolist()
        ['30 Apr', '31 May']
        """
        layout = lay_out(pd.DataFrame(index=index))
        if layout.timestamps is None:
            raise ValueError(
                f"The index has the dtype {index.dtype}: a forecast needs dates, periods or "
                "integers."
            )
        rows = Rows.arrange(np.zeros(len(index), dtype=int), layout.timestamps)
        rows.check_time(layout.times)
        frequency = Frequency.learn(rows, layout)
        offset = getattr(index, "freq", None)
        if len(index) == 2 and np.isnan(frequency.step[0]):
            step, slack = sampling_interval(layout.timestamps, layout)
            frequency = frequency._replace(step=np.array([step]), slack=np.array([slack]))
        if len(index) == 1 and isinstance(index, pd.DatetimeIndex) and offset is not None:
            further = pd.date_range(index[0], periods=3, freq=offset)
            return cls.learn(further)
        if np.isnan(frequency.step[0]):
            raise ValueError(_why_irregular(index))
        return cls(frequency, *_rule(index, frequency, layout.timestamps))

    def holds(self, index: pd.Index) -> bool:
        """Whether all timestamps are on days and at hours of the calendar."""
        if self.rule in ("step", "local", "periods"):
            return True
        wall = wall_clock(lay_out(pd.DataFrame(index=index)).timestamps, getattr(index, "tz", None))
        if self.rule == "hours":
            return bool(self.frequency.timetables[0].is_open(wall).all())
        dates = pd.DatetimeIndex(wall).normalize()
        months = dates.year.to_numpy() * 12 + dates.month.to_numpy() - 1
        if self.rule == HALF_MONTHS:
            days = [nth_dates(months, "day of month", day) for day in (self.day, self.second)]
        else:
            days = [nth_dates(months, self.rule, self.day)]
        return bool(np.any([dates.to_numpy() == of_rule for of_rule in days], axis=0).all())

    def missing(self, index: pd.Index) -> np.ndarray:
        """Count the rows that are missing before each row but the first.

        Parameters
        ----------
        index : pandas.Index of length n_rows
            Timestamps of the series.

        Returns
        -------
        ndarray of int, shape (n_rows - 1,)
            Their numbers.

        Raises
        ------
        ValueError
            If a row is off the grid of the frequency.
        """
        layout = lay_out(pd.DataFrame(index=index))
        timestamps = layout.timestamps
        codes = np.zeros(len(index) - 1, dtype=int)
        missed = self.frequency.missed(codes, timestamps[:-1], timestamps[1:], layout.zone)
        off = np.flatnonzero((missed != np.rint(missed)) | (missed < 0))
        if len(off):
            row = off[0] + 1
            expected = self.after(index[:row], 1)[0]
            raise ValueError(
                f"The steps are irregular: {index[row - 1]} is followed by {index[row]}, and the "
                f"row expected next is {expected}. resample() makes one row of each interval."
            )
        return missed.astype(int)

    def after(self, index: pd.Index, n_rows: int) -> pd.Index:
        """Make the timestamps that follow.

        Parameters
        ----------
        index : pandas.Index
            Timestamps of the series; the last one counts.
        n_rows : int
            How many.

        Returns
        -------
        pandas.Index of length n_rows
            Of the same kind, time zone and name.
        """
        ahead, last, name = np.arange(1, n_rows + 1), index[-1:], index.name
        step = self.frequency.step[0]
        if self.rule == "periods":
            newest = pd.PeriodIndex(last)
            ordinals = newest.asi8[-1] + self.day * ahead  # newest + 1 is 2 months later for "2M"
            return periods_of(ordinals, newest.freqstr, name)
        if not isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
            values = last.to_numpy(np.int64) + (ahead * step).astype(np.int64)  # an int8 would wrap
            return pd.Index(values, name=name)
        zone = getattr(index, "tz", None)
        now = int(index[-1:].as_unit("ns").asi8[0])
        if self.rule == "step":
            later = now + np.rint(ahead * step).astype(np.int64)
            if later[0] % MILLISECOND and abs(now - _rounded(now)) < 1e-4 * step:
                later = _rounded(later)
        else:
            later = _from_wall(self._local(now, ahead, zone), zone)
        if isinstance(index, pd.TimedeltaIndex):
            return pd.TimedeltaIndex(later).rename(name).as_unit(index.unit)
        dates = pd.DatetimeIndex(later, tz=None if zone is None else "UTC", name=name)
        dates = dates if zone is None else dates.tz_convert(zone)
        return dates.as_unit(index.unit) if (later % _NS[index.unit] == 0).all() else dates

    def _local(self, now: int, ahead: np.ndarray, zone: Any) -> np.ndarray:
        """Local times after one, in nanoseconds."""
        wall = int(wall_clock(np.array([now]), zone)[0])
        step = self.frequency.step[0]
        if self.rule == "hours":
            return _open_slots_after(self.frequency.timetables[0], wall, len(ahead))
        if self.rule == "local":
            days = step >= DAY
            begin = wall // DAY * DAY + self.day if days else wall
            return begin + np.rint(ahead * step).astype(np.int64)
        time_of_day, date = wall % DAY, pd.Timestamp(wall)
        n_months = step / MONTH
        months = date.year * 12 + date.month - 1 + np.rint(ahead * n_months).astype(int)
        if self.rule == HALF_MONTHS:
            later = half_months(date, ahead, (self.day, self.second))
        else:
            later = nth_dates(months, self.rule, self.day)
        return later.astype("datetime64[ns]").astype(np.int64) + time_of_day


def periods_of(ordinals: np.ndarray, freq: str, name: Any) -> pd.PeriodIndex:
    """Periods by their numbers since 1970, in the unit of a frequency: months, of "2M"."""
    index: Any = pd.PeriodIndex
    return index.from_ordinals(ordinals, freq=freq, name=name)


def check_kind(index: pd.Index, known: pd.Index, what: str = "new rows") -> None:
    """Refuse timestamps of another kind or time zone than known ones."""
    if len(index) and _kind(index) != _kind(known):
        raise ValueError(
            f"The {what} are indexed by {_kind(index)}, such as {index[0]}, and those of fit by "
            f"{_kind(known)}, such as {known[0]}: {_cure(index, known)}."
        )


def _kind(index: pd.Index) -> str:
    if isinstance(index, pd.PeriodIndex):
        return f"periods ({index.dtype})"
    if isinstance(index, pd.DatetimeIndex):
        return f"dates {'without a time zone' if index.tz is None else f'in {index.tz}'}"
    return "durations" if isinstance(index, pd.TimedeltaIndex) else "numbers"


def _cure(index: pd.Index, known: pd.Index) -> str:
    if not isinstance(index, pd.DatetimeIndex) or not isinstance(known, pd.DatetimeIndex):
        return "give them timestamps of that kind"
    to_zone = known.tz is not None and index.tz is not None
    zone = None if known.tz is None else str(known.tz)
    return f"{'tz_convert' if to_zone else 'tz_localize'}({zone!r}) makes these of them"


def _rounded(nanoseconds: Any) -> Any:
    """The nearest whole millisecond: clocks of MATLAB and Excel are rounded."""
    return (nanoseconds + MILLISECOND // 2) // MILLISECOND * MILLISECOND


_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}


def _rule(index: pd.Index, frequency: Frequency, timestamps: np.ndarray) -> tuple:
    """What the timestamps have in common, and the day of the month or time of the day."""
    step = frequency.step[0]
    if isinstance(index, pd.PeriodIndex):
        return "periods", _length_of_periods(index)
    if not isinstance(index, pd.DatetimeIndex):
        return "step", 0
    if frequency.timetable[0] >= 0:
        return "hours", 0
    wall = wall_clock(timestamps, index.tz)
    if frequency.slack[0] in (SLACK_OF_MONTHS, SLACK_OF_WEEKDAYS):
        dates = pd.DatetimeIndex(wall)
        if round(2 * step / MONTH) == 1:
            return HALF_MONTHS, *(days_of_half_months(dates) or ())
        found = rule_of_months(dates)
        if found is None:
            raise ValueError(
                f"The dates are months apart, such as {index[0]}, {index[1]} and {index[2]}, on "
                "no common day of a month: a forecast needs the dates that follow. "
                "index.to_period('M') makes months of them."
            )
        return found
    if index.tz is None or step < 3 * HOUR:
        return "step", 0
    return _rule_of_clocks(wall, timestamps, index.tz, step)


def _length_of_periods(index: pd.PeriodIndex) -> int:
    """Months of periods of "2M", for example."""
    freq: Any = index.freq
    apart = int(np.gcd.reduce(np.diff(index.asi8))) if len(index) > 2 else freq.n
    if apart > freq.n or (freq.n > 1 and freq.base.freqstr == "B"):
        raise ValueError(
            f"The periods have the frequency {index.freqstr!r}, and the rows are further apart, "
            f"such as {index[0]} and {index[1]}: a forecast needs one row a period. "
            "index.to_timestamp() makes dates of them, and index.asfreq(...) other periods."
        )
    return freq.n


def _rule_of_clocks(wall: np.ndarray, utc: np.ndarray, zone: Any, step: float) -> tuple[str, int]:
    """Whether steps are those of local clocks, which change, or of UTC."""
    times, counts = np.unique(wall % DAY, return_counts=True)
    typical = int(times[counts.argmax()])
    if step % DAY == 0:
        is_local = (_from_wall(wall // DAY * DAY + typical, zone) == utc).all()
        prefers = typical == 0 or (utc % DAY != 0).any()
    else:
        is_local, prefers = (np.diff(wall) % int(step) == 0).all(), False
    is_utc = (np.diff(utc) % int(step) == 0).all()
    return ("local", typical) if is_local and (prefers or not is_utc) else ("step", 0)


def _open_slots_after(hours: Timetable, wall: int, n_rows: int) -> np.ndarray:
    """The next open parts of days, at the same offset in them."""
    length = DAY // len(hours.slots)
    per_week = hours.days.sum() * hours.slots.sum()
    n_slots = (n_rows // per_week + 2) * 7 * len(hours.slots)
    later = wall + length * np.arange(1, n_slots + 1)
    is_open = hours.days[(later // DAY + 3) % 7] & hours.slots[later % DAY // length]
    return later[is_open][:n_rows]


def _from_wall(wall: np.ndarray, zone: Any) -> np.ndarray:
    """Local times as nanoseconds in UTC; where clocks skip a time, the first one after it."""
    if zone is None:
        return wall
    first = np.ones(len(wall), dtype=bool)
    local = pd.DatetimeIndex(wall).tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return local.as_unit("ns").asi8


def _why_irregular(index: pd.Index) -> str:
    if len(index) < 3:
        return "A single row has no frequency: give at least three, or an index with one."
    return (
        f"The steps between {index[0]}, {index[1]} and {index[2]} are irregular: a forecast needs "
        "a frequency. Make one row of each interval with resample()."
    )
