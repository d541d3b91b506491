"""Warnings and errors about histories that are joined, cut, missing, or beyond the horizon."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.categories import Categories
from sklstm._data.frames import NANOSECONDS, Layout, Rows, gap_in_timestamps
from sklstm._data.inputs import kind_of_table
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import count_shortened
from sklstm._tables.joined_table import JoinedTable

__all__ = [
    "FEW",
    "check_kind_of_time",
    "check_parameters_fit_table",
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
    "Folds that shuffle rows make gaps: window once, then cross-validate the Sequences."
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


def warning_of_gaps(joined: JoinedTable, reach: int, lost: np.ndarray | None = None) -> str | None:
    """Warn that gaps have shortened more than a few histories, or that the clock has changed.

    Parameters
    ----------
    joined : JoinedTable
        The given rows, among buffered ones.
    reach : int
        Number of rows after a gap whose histories would reach across it.
    lost : ndarray of int, default=None
        Sorted positions of rows that are warned of anyway, as they lost their history.

    Returns
    -------
    str or None
        None if each series has at most one gap, or few histories are shortened.
    """
    if not len(joined.gaps.places):
        return None
    table, layout = joined.table, joined.given.layout
    is_given = joined.is_given
    codes = table.codes[table.rows.order[is_given]]
    is_first = np.append(True, codes[1:] != codes[:-1])
    between = is_given & np.append(False, is_given[:-1]) & ~table.rows.is_first
    if lost is not None:
        between[lost] = False
    cuts = (joined.cuts & between)[is_given]
    breaks = joined.gaps.places[joined.gaps.is_break]
    breaks = breaks[between[breaks]]
    steps = table.rows.steps[is_given]
    n_gaps, n_shortened = count_shortened(is_first, cuts, reach)
    if len(breaks) and joined.frequency is not None and not joined.frequency.of_table:
        row = table.rows.order[breaks[0]] - len(table.buffered)
        return (
            f"X has {len(breaks)} rows off the grid of its frequency, the first of them row {row} "
            f"(counted from 0; time {layout.times[row]}): histories start anew there. max_gap=... "
            "joins rows up to a longer step in time, max_gap='any' all of them."
        )
    if n_shortened <= FEW * len(cuts):
        return None
    inner = ~is_first & ~cuts
    typical = (
        f"the typical {write_step(np.median(steps[inner]), layout)}"
        if inner.any()
        else "one of fit"
    )
    return (
        f"X has {n_gaps} gaps, where the step in time is not {typical} but up to "
        f"{write_step(steps[cuts].max(), layout)}: histories are cut there, and {n_shortened} of "
        f"{len(cuts)} rows have shorter ones. max_gap=... joins rows up to a longer step, "
        f"max_gap='any' all of them. {CAUSES_OF_GAPS}"
    )


def warning_of_unnamed_series(
    values: np.ndarray, categories: Categories, names: Sequence, layout: Layout
) -> str | None:
    """Word the warning of a category that names the series of a panel without dates.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        The features.
    categories : dict of int to tuple
        Which of them are categories.
    names : sequence of length n_features
        Their names.
    layout : Layout
        Of the table. Dates that begin again with each series are an error, in another place.

    Returns
    -------
    str or None
        None if series are named, or each category comes back after others.
    """
    if layout.keys is not None or layout.is_dated:
        return None
    for k in categories:
        column = values[:, k]
        n_blocks = 1 + np.count_nonzero(np.diff(column))
        if 1 < n_blocks == len(np.unique(column)) and n_blocks < len(column):
            return (
                f"Column {names[k]!r} is a category whose {n_blocks} values are in one block of "
                "rows each, and histories go on from block to block. If it names the series of a "
                f"row, say so: series={names[k]!r}."
            )
    return None


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
