"""Dates of months: which day of a month a series has, and that day in other months."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = [
    "HALF_MONTHS",
    "WEEKDAY",
    "days_of_half_months",
    "half_months",
    "nth_dates",
    "rule_of_months",
]

HALF_MONTHS, WEEKDAY = "half months", "weekday"

LAST = 31
"""The last day of every month: days of a month are cut to its length."""

LAST_WEEK = 9
"""Stands for the last week of a month, among those that are counted from 1."""


def rule_of_months(dates: pd.DatetimeIndex) -> tuple[str, int] | None:
    """Find which day of their months all dates have.

    Parameters
    ----------
    dates : pandas.DatetimeIndex
        Local times; the time of the day does not count.

    Returns
    -------
    tuple of (str, int) or None
        "month end", "business month end" or "business month start"; "day of month" and the day,
        which is the last one in shorter months; "weekday" and 10 times the week of the month, from
        1 on or 9 for the last, plus the weekday, 0 for Monday. None if they have no day in common.

    Examples
    --------
    >>> import pandas as pd
    >>> rule_of_months(pd.DatetimeIndex(["2023-01-30", "2023-02-28", "2023-03-30"]))
    ('day of month', 30)
    """
    whole = dates.normalize()
    if dates.is_month_end.all():
        return "month end", 0
    if (dates.day == dates.day[0]).all():
        return "day of month", int(dates.day[0])
    if all(map(pd.offsets.BMonthEnd().is_on_offset, whole)):
        return "business month end", 0
    if dates.day.max() > 1 and all(map(pd.offsets.BMonthBegin().is_on_offset, whole)):
        return "business month start", 0
    day = int(dates.day.max())
    if _are_on(dates, day).all():
        return "day of month", day
    weekday = int(dates.day_of_week[0])
    for week in (*np.unique((dates.day - 1) // 7 + 1).tolist(), LAST_WEEK):
        months = dates.year.to_numpy() * 12 + dates.month.to_numpy() - 1
        if (nth_dates(months, WEEKDAY, 10 * week + weekday) == whole.to_numpy()).all():
            return WEEKDAY, 10 * week + weekday
    cut = np.minimum(dates.day[:-1], dates.days_in_month[1:])
    if (dates.day[1:] == cut).all():  # pandas' DateOffset(months=1) does so from the 30th on
        return "day of month", int(dates.day[-1])
    return None


def days_of_half_months(dates: pd.DatetimeIndex) -> tuple[int, int] | None:
    """Find the two days of a month that all dates have, such as 1 and 15, or 15 and 31, its last.

    Parameters
    ----------
    dates : pandas.DatetimeIndex
        Local times.

    Returns
    -------
    tuple of (int, int) or None
        The earlier and the later day; None if there are others.
    """
    first = int(dates.day.min())
    late = dates[dates.day != first]
    second = LAST if late.is_month_end.all() else int(late.day.max())
    both = _are_on(dates, first) | _are_on(dates, second)
    return (first, second) if len(late) and both.all() else None


def _are_on(dates: pd.DatetimeIndex, day: int) -> np.ndarray:
    return np.asarray(dates.day == np.minimum(day, dates.days_in_month))


def nth_dates(months: np.ndarray, rule: str, day: int) -> np.ndarray:
    """Make the dates of a rule in months, which are counted from year 0."""
    return np.array([_date(int(month), rule, day) for month in months])


def _date(month: int, rule: str, day: int) -> np.datetime64:
    first = np.datetime64(f"{month // 12:04d}-{month % 12 + 1:02d}", "M")
    last = (first + 1).astype("datetime64[D]") - 1
    if rule == "month end":
        return last
    if rule == "business month end":
        return np.busday_offset(last, 0, roll="backward")
    if rule == "business month start":
        return np.busday_offset(first.astype("datetime64[D]"), 0, roll="forward")
    if rule == WEEKDAY:
        week, weekday = divmod(day, 10)
        if week == LAST_WEEK:
            return np.busday_offset(last, 0, roll="backward", weekmask=_only(weekday))
        return np.busday_offset(first, week - 1, roll="forward", weekmask=_only(weekday))
    return min(first.astype("datetime64[D]") + (day - 1), last)


def _only(weekday: int) -> list[bool]:
    return [day == weekday for day in range(7)]


def half_months(date: pd.Timestamp, ahead: np.ndarray, days: tuple[int, int]) -> np.ndarray:
    """Make the dates so many halves of months after one."""
    is_late = date.day != days[0]
    halves = 2 * (date.year * 12 + date.month - 1) + ahead + int(is_late)
    return np.array([_date(int(half) // 2, "day of month", days[int(half) % 2]) for half in halves])
