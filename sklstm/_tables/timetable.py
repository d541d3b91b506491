"""Open hours and days: business days, trading hours, and their holidays."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Timetable", "wall_clock"]

SECOND = 10**9
DAY = 86_400 * SECOND

CHANCE = 0.01
"""Probability below which rows are not missing by chance, where all days and hours are open."""


def wall_clock(timestamps: np.ndarray, zone: Any) -> np.ndarray:
    """Convert timestamps to local time.

    Parameters
    ----------
    timestamps : ndarray of int64, shape (n_rows,)
        Nanoseconds, in UTC.
    zone : tzinfo or None
        Time zone; None leaves the timestamps unchanged.

    Returns
    -------
    ndarray of int64, shape (n_rows,)
        Nanoseconds since 1970-01-01 00:00, local time.
    """
    if zone is None:
        return timestamps
    return pd.DatetimeIndex(timestamps, tz="UTC").tz_convert(zone).tz_localize(None).asi8


class Timetable(NamedTuple):
    """Weekdays and times of day at which a series has rows.

    Attributes
    ----------
    days : ndarray of bool, shape (7,)
        Whether a weekday, Monday first, is open.
    slots : ndarray of bool, shape (n_slots,)
        Whether a part of the day is open; all parts have the same length.
    holidays : int
        Maximum number of rows that may be missing between two days, for holidays.
    """

    days: np.ndarray
    slots: np.ndarray
    holidays: int

    @classmethod
    def learn(cls, wall: np.ndarray) -> "Timetable | None":
        """Find the hours and days that are closed every week.

        Parameters
        ----------
        wall : ndarray of int64, shape (n_rows,)
            Local times of the rows of a series, in nanoseconds.

        Returns
        -------
        Timetable or None
            None if nothing is closed, or if the series is too short to tell.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.bdate_range("2024-01-01", periods=20).as_unit("ns").asi8
        >>> Timetable.learn(days).days
        array([ True,  True,  True,  True,  True, False, False])
        """
        length = _slot_length(np.diff(wall))
        if length is None:
            return None
        days = _open_days(np.unique(wall // DAY))
        slots = _open_slots(wall, length)
        if (days.all() and slots.all()) or days.sum() * slots.sum() < 2:
            return None
        timetable = cls(days, slots, 0)
        missed = timetable.missed(wall[:-1], wall[1:])
        if (missed > 0).any() and not _were_often_possible(days, wall):
            return None  # a fold of a cross-validation may have left out the only weekend
        is_next = (missed <= 0).mean()
        if is_next < 0.1:
            return None
        if is_next < 0.9:  # a gap is more often a missing row than a holiday
            return timetable
        another_day = wall[1:] // DAY > wall[:-1] // DAY
        missing = missed[another_day & (missed > 0) & (missed <= 10 * slots.sum())]
        sizes, counts = np.unique(missing, return_counts=True)
        return timetable._replace(holidays=int(sizes[counts > 1].max(initial=0)))

    @property
    def step(self) -> float:
        """Length of a part of the day, in nanoseconds."""
        return float(DAY // len(self.slots))

    def key(self) -> tuple:
        """A key that identifies the timetable.

        Returns
        -------
        tuple
            Equal for equal timetables.
        """
        return self.days.tobytes(), self.slots.tobytes(), self.holidays

    def missed(self, earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
        """Count the missing rows between two rows.

        Parameters
        ----------
        earlier : ndarray of int64, shape (n_pairs,)
            Local time of the earlier row, in nanoseconds.
        later : ndarray of int64, shape (n_pairs,)
            Local time of the later row, in nanoseconds.

        Returns
        -------
        ndarray of float64, shape (n_pairs,)
            0 if the later row directly follows the earlier one, or only holidays lie between; -1 if
            both are in the same part of a day.
        """
        missed = self._opened(later) - self._opened(earlier) - 1
        missed[(missed < 0) & ~self.is_open(later)] = 0
        holidays = (missed > 0) & (missed <= self.holidays) & (later // DAY > earlier // DAY)
        return np.where(holidays, 0, missed).astype(np.float64)

    def is_open(self, wall: np.ndarray) -> np.ndarray:
        slots = self.slots[wall % DAY // (DAY // len(self.slots))]
        return self.days[(wall // DAY + 3) % 7] & slots

    def _opened(self, wall: np.ndarray) -> np.ndarray:
        """Number of open parts of days, up to and including the given times."""
        days, slots = np.cumsum(self.days), np.cumsum(self.slots)
        week, weekday = np.divmod(wall // DAY + 3, 7)  # 1970 began on a Thursday
        today = slots[wall % DAY // (DAY // len(self.slots))]
        before = week * days[-1] + days[weekday] - self.days[weekday]
        return before * slots[-1] + np.where(self.days[weekday], today, 0)


def _slot_length(steps: np.ndarray) -> int | None:
    """Length of the parts of a day: the largest that all steps are multiples of, or the day."""
    if steps.min() > 0.9 * DAY:
        return DAY
    length = int(np.gcd.reduce(steps))
    return length if DAY % length == 0 and length >= SECOND else None


def _open_days(days: np.ndarray) -> np.ndarray:
    """Weekdays with rows; one is closed if it had no rows twice, a whole weekend if once."""
    span = np.arange(days[0], days[-1] + 1)
    possible = np.bincount((span + 3) % 7, minlength=7)
    found = np.bincount((days + 3) % 7, minlength=7)
    of_weekend = 2 if found[5:].any() else 1
    seen_often = possible >= np.array([2, 2, 2, 2, 2, of_weekend, of_weekend])
    return ~(seen_often & _is_closed(found, possible, np.array([CHANCE] * 5 + [5 * CHANCE] * 2)))


def _were_often_possible(days: np.ndarray, wall: np.ndarray) -> bool:
    """Whether each closed weekday came at least twice."""
    span = np.arange(wall[0] // DAY, wall[-1] // DAY + 1)
    possible = np.bincount((span + 3) % 7, minlength=7)
    return bool((possible[~days] > 1).all())


def _open_slots(wall: np.ndarray, length: int) -> np.ndarray:
    """Parts of the day with rows."""
    slots = wall % DAY // length
    n_slots = DAY // length
    n_days = len(np.unique(wall // DAY))
    if n_slots == 1 or n_days < 5:
        return np.ones(n_slots, dtype=bool)
    return ~_is_closed(
        np.bincount(slots, minlength=n_slots), np.full(n_slots, n_days), CHANCE / n_slots
    )


def _is_closed(found: np.ndarray, possible: np.ndarray, chance: np.ndarray | float) -> np.ndarray:
    """Parts of a week or day with next to no rows, which is no chance at the rate of the others."""
    rate = min(found.sum() / max(possible[found > 0].sum(), 1), 1.0)
    return (found <= 0.1 * rate * possible) & ((1 - rate) ** possible <= chance)
