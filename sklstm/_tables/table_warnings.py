"""Warnings and errors about histories that are joined, cut, missing, or beyond the horizon."""

from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.frames import NANOSECONDS, Layout, Rows, gap_in_timestamps
from sklstm._data.inputs import kind_of_table
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import count_shortened

__all__ = [
    "FEW",
    "check_kind_of_time",
    "check_parameters_fit_table",
    "check_within_horizon",
    "warning_of_gaps",
    "warning_of_joins",
    "write_step",
    "write_timestamp",
]

FEW = 0.05
"""Share of the rows whose histories gaps may shorten without a warning."""

KINDS = {
    "datetime": "dates without time zone",
    "datetime with time zone": "dates with time zone",
    "duration": "durations",
    "number": "numbers",
    "counter": "whole numbers",
}

CAUSES_OF_GAPS = (
    "Cross-validation that shuffles or stratifies drops rows in between (the default for "
    "classifiers; KFold and TimeSeriesSplit do not; or window once and cross-validate the "
    "Sequences), and so do resampling and dropna."
)


def warning_of_joins(rows: Rows, frequency: Frequency, layout: Layout) -> str | None:
    """Warn that irregularly sampled rows have been joined.

    Parameters
    ----------
    rows : Rows
        The rows, sorted by series and time.
    frequency : Frequency
        The sampling intervals learned from them.
    layout : Layout
        Time and clock of the table.

    Returns
    -------
    str or None
        None if every series has a frequency, or too few rows to learn one.
    """
    if not np.isnan(frequency.step).any():
        return None
    sizes = np.diff(np.flatnonzero(rows.is_first), append=len(rows.order))
    irregular = np.repeat(np.isnan(frequency.step) & (sizes > 2), sizes) & ~rows.is_first
    steps = rows.steps[irregular]
    if not len(steps):
        return None
    typical = np.median(steps)
    longer = int((steps > typical).sum())
    return (
        f"Sampling is irregular: {longer} of {len(steps)} steps in time are longer than the "
        f"typical {write_step(typical, layout)}, the longest is {write_step(steps.max(), layout)}, "
        "and rows are joined across all of them. max_gap=... cuts histories at longer steps, "
        "add_time_delta=True makes the steps a feature, max_gap='any' joins all rows without this "
        f"warning. {CAUSES_OF_GAPS}"
    )


def warning_of_gaps(rows: Rows, cuts: np.ndarray, reach: int, layout: Layout) -> str | None:
    """Warn that gaps have shortened more than a few histories.

    Parameters
    ----------
    rows : Rows
        The rows, sorted by series and time.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before the row at each sorted position.
    reach : int
        Number of rows after a gap whose histories would reach across it.
    layout : Layout
        Time and clock of the table.

    Returns
    -------
    str or None
        None if each series has at most one gap, or few histories are shortened.
    """
    if not cuts.any():
        return None
    n_gaps, n_shortened = count_shortened(rows.is_first, cuts, reach)
    if n_shortened <= FEW * len(cuts):
        return None
    typical = (
        np.median(rows.steps[~rows.is_first & ~cuts]) if (~rows.is_first & ~cuts).any() else None
    )
    return (
        f"X has {n_gaps} gaps, where the step in time is not "
        + (f"the typical {write_step(typical, layout)}" if typical is not None else "that of fit")
        + f" but up to {write_step(rows.steps[cuts].max(), layout)}. Histories are cut there: "
        f"{n_shortened} of {len(cuts)} rows have shorter ones. {CAUSES_OF_GAPS} Where rows may "
        "be missing, max_gap=... joins rows up to a longer step, max_gap='any' all of them, and "
        "add_time_delta=True makes the steps a feature."
    )


def check_parameters_fit_table(params: dict[str, Any], layout: Layout, X: Any) -> None:
    """Refuse parameters that need what the table does not have.

    Parameters
    ----------
    params : dict
        Parameters of the windower by name; None, False and ``max_gap="any"`` need nothing.
    layout : Layout
        Time, clock and series of the table.
    X : object
        The table.

    Raises
    ------
    ValueError
        If the table has no column names or no time, or if `max_gap` has another unit than the time.
    """
    nothing = (None, False, "any")
    names = [name for name, value in params.items() if not any(value is no for no in nothing)]
    names = [name for name in names if params[name] != "any"]
    if names and not isinstance(X, pd.DataFrame):
        raise ValueError(
            f"{names[0]}={params[names[0]]!r} needs a DataFrame, got {kind_of_table(X)}. A scaler "
            "before the windower drops the index: move series and time to index levels and use "
            "Pipeline.set_output(transform='pandas'), or leave the scaler out: the LSTM estimators "
            "standardise their inputs."
        )
    if layout.clock is None and set(names) & {"max_gap", "add_time_delta"}:
        raise ValueError(
            f"{names[-1]}={params[names[-1]]!r} needs the time of each row: name it "
            "with time=, or make the index one of dates, periods or integers."
        )
    if "max_gap" in names:
        gap_in_timestamps(params["max_gap"], layout.clock)


def check_kind_of_time(clock: str | None, fitted: str | None) -> None:
    """Refuse an index that cannot be compared with that of `fit`.

    Parameters
    ----------
    clock : str or None
        Kind of time of the given table.
    fitted : str or None
        Kind of time in `fit`.

    Raises
    ------
    ValueError
        If both have a time, but of different kinds.
    """
    if clock is None or fitted is None or clock == fitted:
        return
    cure = "Pass the table with the index it had in fit (reset_index drops it)"
    if {clock, fitted} == {"datetime", "datetime with time zone"}:
        cure = "Use the same for both, with tz_localize or tz_convert"
    raise ValueError(
        f"The time of X is made of {KINDS[clock]}, but that of fit of {KINDS[fitted]}: its rows "
        f"cannot be ordered after those of fit. {cure}, or set carry_over=False to ignore those."
    )


def check_within_horizon(values: np.ndarray, rows: Rows, horizon: int, ahead: np.ndarray) -> None:
    """Refuse rows of NaN beyond the horizon of the last row with values.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features of the given rows.
    rows : Rows
        The given rows, sorted by series and time.
    horizon : int
        Number of rows from the end of a history to the row it belongs to.
    ahead : ndarray of bool, shape (n_series,)
        Whether the rows of a series are later than its buffered rows.

    Raises
    ------
    ValueError
        If a series ends with more rows of NaN than `horizon`.
    """
    first = np.flatnonzero(rows.is_first)
    ends = np.append(first[1:], len(rows.order))
    last = rows.order[ends - 1]
    for series in np.flatnonzero(np.isnan(values[last]).all(axis=1) & ahead):
        own = rows.order[first[series] : ends[series]]
        n_rows = _run_at_end(np.isnan(values[own]).all(axis=1))
        if n_rows <= horizon or (horizon == 0 and n_rows < max(len(own), 2)):
            continue
        begin = len(own) - n_rows
        row = own[begin + horizon]
        raise ValueError(
            f"horizon={horizon} reaches {horizon} rows ahead of the last row with values, but "
            f"X ends with {n_rows} rows of NaN, from row {own[begin]} (counted from 0): row {row} "
            f"is {horizon + 1} ahead. Pass {horizon} such rows at most, or fit with a longer "
            "horizon."
        )


def write_timestamp(timestamp: float, layout: Layout) -> str:
    """Format a timestamp as in the table.

    Parameters
    ----------
    timestamp : int or float
        Nanoseconds or a number.
    layout : Layout
        Clock and zone of the table.

    Returns
    -------
    str
        A date, a duration or a number.
    """
    if layout.is_dated:
        moment = pd.Timestamp(int(timestamp), tz="UTC")
        return str(moment.tz_convert(layout.zone) if layout.zone else moment.tz_localize(None))
    return write_step(timestamp, layout)


def write_step(step: float, layout: Layout) -> str:
    """Format a step in time.

    Parameters
    ----------
    step : int or float
        Nanoseconds or a number.
    layout : Layout
        Clock of the table.

    Returns
    -------
    str
        A duration or a number.
    """
    return str(pd.Timedelta(int(step))) if layout.clock in NANOSECONDS else f"{step:.12g}"


def _run_at_end(flags: np.ndarray) -> int:
    return len(flags) if flags.all() else int(flags[::-1].argmin())
