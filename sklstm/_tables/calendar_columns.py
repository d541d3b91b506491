"""Columns of the calendar: the time of the day, the day of the week and of the year, as waves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._tables.panel import Panel

__all__ = ["calendar_values", "choose_calendar", "with_calendar"]


class Cycle(NamedTuple):
    """A cycle of the calendar.

    Attributes
    ----------
    days : float
        Its length.
    harmonics : int
        Number of waves, each a sine and a cosine.
    """

    days: float
    harmonics: int


CYCLES = {"day": Cycle(1.0, 2), "week": Cycle(7.0, 3), "year": Cycle(365.2425, 1)}
"""Waves need fewer columns than one for each hour, weekday or month. Mean absolute errors of the
last fifth of training rows with waves, columns and none: ETTh1 OT 1.67, 1.67, 1.76; PM2.5 station's
temperature 2.00, 1.99, 2.07; daily minima 2.27, 2.40, 2.29; 900 days of sales with a weekly pattern
2.78, 3.30, 3.19 (ridge, windows of 14 to 24 rows). Three waves are any pattern of a week; two of a
day and one of a year were best or as good there."""

LEAST_CYCLES = 2
"""A cycle that is seen less often looks like a trend."""

MANY_YEARS = 10
"""Windows of 12 months hold the season, and the wave of a year is fitted to few of them: on 7 years
of airline passengers the error rises from 8.9 to 14.3; with windows of 6 months it falls from 42 to
34, and on 33 years of the temperature of the Pacific (El Nino) from 0.76 to 0.63 with windows of 12
months."""

NANOSECONDS_OF_DAY = 24 * 3600 * 10**9


def choose_calendar(panel: Panel, window_size: int) -> list[str]:
    """Choose the waves that vary at the frequency and in the span of a panel.

    A year of which windows hold all rows, such as 12 months, is left out if there are few of them.

    Parameters
    ----------
    panel : Panel
        Training rows.
    window_size : int
        Rows of a window.

    Returns
    -------
    list of str
        Names of columns, such as "week sin 2".

    Raises
    ------
    ValueError
        If timestamps are no dates.
    """
    dates = _dates(panel.timestamps)
    days = dates.as_unit("ns").asi8 / NANOSECONDS_OF_DAY
    first = np.repeat(days[panel.rows.starts], panel.rows.sizes)
    steps = np.diff(days)[np.diff(first) == 0]
    step = float(np.median(steps)) if len(steps) else np.inf
    span = days.max() - days.min() + step
    names = [
        f"{name} {wave} {k}"
        for name, cycle in CYCLES.items()
        if step < cycle.days and span >= LEAST_CYCLES * cycle.days
        if name != "year" or span >= MANY_YEARS * cycle.days or window_size * step < cycle.days
        for k in range(1, cycle.harmonics + 1)
        for wave in ("sin", "cos")
    ]
    values = calendar_values(dates, names)
    return [name for name, column in zip(names, values.T, strict=True) if np.ptp(column) > 1e-6]


def calendar_values(timestamps: pd.Index, names: list[str]) -> np.ndarray:
    """Compute the waves at timestamps, by their own clocks.

    Parameters
    ----------
    timestamps : Index of length n_rows
        Dates or periods.
    names : list of str
        From `choose_calendar`.

    Returns
    -------
    ndarray of shape (n_rows, n_names)
        Between -1 and 1.
    """
    if not names:
        return np.zeros((len(timestamps), 0))
    dates = _dates(timestamps)
    hours = dates.hour + dates.minute / 60 + dates.second / 3600
    leap = dates.is_leap_year
    phases = {
        "day": hours / 24,
        "week": dates.day_of_week / 7,
        "year": (dates.day_of_year - 1) / (365 + leap),
    }
    columns = []
    for name in names:
        cycle, wave, k = name.split()
        angle = 2 * np.pi * int(k) * phases[cycle].to_numpy(np.float64)
        columns.append(np.sin(angle) if wave == "sin" else np.cos(angle))
    return np.stack(columns, axis=1)


def with_calendar(panel: Panel, names: list[str]) -> Panel:
    """Append the waves to the covariates of a panel, which has no columns of their names."""
    twice = [name for name in names if name in [*panel.targets, *panel.covariates]]
    if twice:
        raise ValueError(
            f"The columns {twice} are named like waves of calendar='auto': rename them, or leave "
            "calendar out."
        )
    values = np.hstack([panel.rows.values, calendar_values(panel.timestamps, names)])
    rows = panel.rows._replace(values=values)
    return panel._replace(rows=rows, covariates=[*panel.covariates, *names])


def _dates(timestamps: pd.Index) -> pd.DatetimeIndex:
    if isinstance(timestamps, pd.PeriodIndex):
        return timestamps.to_timestamp()
    if not isinstance(timestamps, pd.DatetimeIndex):
        raise ValueError(
            f"calendar='auto' needs dates, and the timestamps are of the dtype {timestamps.dtype}: "
            "pandas.to_datetime makes dates of them, or leave calendar out."
        )
    return timestamps
