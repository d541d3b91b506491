"""The sampling interval of a series: the largest step that its timestamps are multiples of."""

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout
from sklstm._tables.months import WEEKDAY, days_of_half_months, rule_of_months
from sklstm._tables.timetable import wall_clock

__all__ = [
    *("DAY", "HOUR", "MONTH"),
    *("FEWEST", "SLACK_OF_MONTHS", "SLACK_OF_WEEKDAYS", "THOUSANDTH"),
    *("sampling_interval", "slack_of"),
]

THOUSANDTH = 1e-3
"""Tolerance of a sampling interval, as a share of it: clocks and fractions are rounded."""

FEWEST = 0.1
"""Share of the steps in time that must be one sampling interval: a table of which 80 % of the rows
are missing at random has 20 % of such steps."""

HOUR = 3_600 * 10**9
DAY = 24 * HOUR

MONTH = 365.2425 / 12 * DAY
"""Mean length of a month. Calendar dates stay within `SLACK_OF_MONTHS` of its multiples, over any
number of years."""

SLACK_OF_MONTHS = 4.0 * DAY

SLACK_OF_WEEKDAYS = 9.0 * DAY
"""The same for a weekday of a month, such as its third Friday: from the 15th to the 21st."""


def sampling_interval(timestamps: np.ndarray, layout: Layout) -> tuple[float, float]:
    """Sampling interval and its slack; NaN if sampling is irregular.

    It is the largest step that all timestamps are multiples of, also where most rows are missing.
    """
    steps = np.diff(timestamps)
    dates, rule = None, None
    if layout.is_dated and np.median(steps) > 13 * DAY:
        dates = pd.DatetimeIndex(wall_clock(timestamps, layout.zone))
        rule = rule_of_months(dates) if np.median(steps) > 27 * DAY else None
    if dates is not None and rule is not None and rule[0] != WEEKDAY:  # 1 July, 1 August, ...
        months = _months(dates, MONTH, SLACK_OF_MONTHS)
        if months is not None:
            return months, SLACK_OF_MONTHS
    if steps.dtype.kind == "i":
        largest = int(np.gcd.reduce(steps))
        if (steps == largest).mean() >= FEWEST:
            return float(largest), slack_of(largest, layout)
    if dates is not None:
        found = _months_of(dates, rule)
        if found is not None:
            return found
    return _rounded_interval(steps, layout)


def _rounded_interval(steps: np.ndarray, layout: Layout) -> tuple[float, float]:
    """Sampling interval of timestamps that are rounded, jittered, or change their phase."""
    short = np.quantile(steps, FEWEST, method="lower")
    interval = np.median(steps[steps < 1.5 * short])
    for _ in range(2):
        n_steps = np.maximum(np.rint(steps / interval), 1)
        near = np.abs(steps - n_steps * interval) <= 0.2 * interval
        interval = np.median(steps[near] / n_steps[near])
        mean = steps[near].sum() / n_steps[near].sum()
        changes = layout.zone is not None and interval >= 3 * HOUR  # the clock, twice a year
        if abs(mean - interval) > 2 * THOUSANDTH * interval and not changes:
            interval = mean  # of rounded times, whose median is rounded too
    interval = _snapped(float(interval))
    n_steps, slack = np.maximum(np.rint(steps / interval), 1), slack_of(interval, layout)
    away = np.abs(steps - n_steps * interval)
    is_exact = away <= slack
    is_jittered = (away <= 0.3 * interval) & ~is_exact
    is_often_next = (n_steps == 1).mean() >= FEWEST
    if is_exact.mean() > 0.5 and not is_jittered.any() and is_often_next:
        return interval, slack
    if len(steps) >= 20 and (away <= 0.25 * interval).mean() > 0.95 and is_often_next:
        return interval, 0.499 * interval  # of irregular times half are so near
    middle = np.median(steps)
    away_from_middle = np.abs(steps - middle)
    between = (away_from_middle > 0.3 * middle) & (away_from_middle < 0.7 * middle)
    if (away_from_middle <= 0.3 * middle).mean() > 0.75 and between.sum() <= max(
        1, 0.02 * len(steps)
    ):
        return float(middle), 0.499 * middle
    return (interval, slack) if is_exact.mean() > 0.5 and is_often_next else (np.nan, np.nan)


def _snapped(interval: float) -> float:
    """The nearest whole millisecond, if it is so near that only rounding can be between."""
    whole = np.rint(interval / 1e6) * 1e6
    return float(whole) if abs(interval - whole) < 1e-6 * interval else interval


def _months_of(dates: pd.DatetimeIndex, rule: tuple[str, int] | None) -> tuple[float, float] | None:
    """Months, or halves of months, that dates are apart, and their slack."""
    slack = SLACK_OF_WEEKDAYS if rule is not None and rule[0] == WEEKDAY else SLACK_OF_MONTHS
    months = _months(dates, MONTH, slack)
    if months is None and days_of_half_months(dates):
        months, slack = _months(dates, MONTH / 2, SLACK_OF_MONTHS), SLACK_OF_MONTHS
    return None if months is None else (months, slack)


def _months(dates: pd.DatetimeIndex, unit: float, slack: float) -> float | None:
    """Mean length of the months, or halves of months, that all local dates are apart."""
    steps = np.diff(dates.as_unit("ns").asi8)
    apart = np.rint(steps / unit)
    if not ((np.abs(steps - apart * unit) <= slack) & (apart > 0)).all():
        return None
    together = int(np.gcd.reduce(apart.astype(np.int64)))
    return together * unit if (apart == together).mean() >= FEWEST else None


def slack_of(step: float, layout: Layout) -> float:
    """By how much the steps of a frequency vary: an hour at changes of local clocks."""
    slack = THOUSANDTH * step
    return max(slack, HOUR + 1e9) if layout.zone is not None and step >= 3 * HOUR else slack
