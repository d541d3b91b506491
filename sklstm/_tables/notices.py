"""What is said of histories that are joined, cut, lost, or too far ahead."""

import numpy as np
import pandas as pd

from sklstm._data.frames import NANOSECONDS, Layout, Rows
from sklstm._tables.histories import count_shortened
from sklstm._tables.rhythm import Rhythm

__all__ = [
    "FEW",
    "check_kind_of_time",
    "check_within_horizon",
    "notice_of_holes",
    "notice_of_joins",
    "write_stamp",
    "write_step",
]

FEW = 0.05
"""Share of the rows whose histories holes may cut short without a word."""

KINDS = {
    "datetime": "dates without time zone",
    "datetime with time zone": "dates with time zone",
    "duration": "durations",
    "number": "numbers",
    "counter": "whole numbers",
}

WHO_DROPS_ROWS = (
    "Cross-validation that shuffles or stratifies drops rows in between (a classifier's default; "
    "KFold and TimeSeriesSplit do not; or window once and cross-validate the Sequences), and so "
    "do resampling and dropna."
)


def notice_of_joins(rows: Rows, rhythm: Rhythm, layout: Layout) -> str | None:
    """Say that rows of uneven steps have been joined.

    Parameters
    ----------
    rows : Rows
        The rows side by side.
    rhythm : Rhythm
        What `fit` has learned from them.
    layout : Layout
        Time and clock of the table.

    Returns
    -------
    str or None
        None if every series has a rhythm, or too few rows for one.
    """
    if not np.isnan(rhythm.step).any():
        return None
    sizes = np.diff(np.flatnonzero(rows.is_first), append=len(rows.order))
    uneven = np.repeat(np.isnan(rhythm.step) & (sizes > 2), sizes) & ~rows.is_first
    steps = rows.steps[uneven]
    if not len(steps):
        return None
    usual = np.median(steps)
    longer = int((steps > usual).sum())
    return (
        f"Steps in time are uneven: {longer} of {len(steps)} are longer than the usual "
        f"{write_step(usual, layout)}, the longest is {write_step(steps.max(), layout)}, and rows "
        "are joined across all of them. max_gap=... cuts histories where a step is longer, "
        "elapsed=True tells the network of the steps, max_gap='any' joins all rows without this "
        f"warning. {WHO_DROPS_ROWS}"
    )


def notice_of_holes(rows: Rows, cuts: np.ndarray, reach: int, layout: Layout) -> str | None:
    """Say that holes have cut more than a few histories.

    Parameters
    ----------
    rows : Rows
        The rows side by side.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before the row at each place.
    reach : int
        Number of rows behind a hole whose histories reach into it.
    layout : Layout
        Time and clock of the table.

    Returns
    -------
    str or None
        None if there is at most one hole a series, or few histories are cut.
    """
    if not cuts.any():
        return None
    n_holes, n_shortened = count_shortened(rows.is_first, cuts, reach)
    if n_shortened <= FEW * len(cuts):
        return None
    usual = np.median(rows.steps[~rows.is_first & ~cuts]) if (~rows.is_first & ~cuts).any() else None
    return (
        f"X has {n_holes} holes, where the step in time is not "
        + (f"the usual {write_step(usual, layout)}" if usual is not None else "that of fit")
        + f" but up to {write_step(rows.steps[cuts].max(), layout)}. Histories are cut there: "
        f"{n_shortened} of {len(cuts)} rows have a shorter one. {WHO_DROPS_ROWS} Where rows may "
        "be missing, max_gap=... joins rows up to a longer step, max_gap='any' all of them, and "
        "elapsed=True tells the network of the steps."
    )


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
        If both have a time, of different kinds.
    """
    if clock is None or fitted is None or clock == fitted:
        return
    cure = "Give the table with the index it had in fit (reset_index drops it)"
    if {clock, fitted} == {"datetime", "datetime with time zone"}:
        cure = "Give the same to both, with tz_localize or tz_convert"
    raise ValueError(
        f"The time of X is made of {KINDS[clock]}, but that of fit of {KINDS[fitted]}: its rows "
        f"have no place behind those seen in fit. {cure}, or let carry_over=False forget those."
    )


def check_within_horizon(
    values: np.ndarray, rows: Rows, horizon: int, ahead: np.ndarray, remembered: list[np.ndarray]
) -> None:
    """Refuse rows without values that no history reaches.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features of the given rows.
    rows : Rows
        The given rows side by side.
    horizon : int
        Rows between the end of a history and the row it belongs to.
    ahead : ndarray of bool, shape (n_rows,)
        Whether the row at a place is later than what is remembered of its series.
    remembered : list of ndarray of shape (n_remembered, n_features)
        What stands before the rows of each series.

    Raises
    ------
    ValueError
        If a series ends with more rows of NaN, or of the same made-up values, than `horizon`.
    """
    first = np.flatnonzero(rows.is_first)
    behind = np.append(first[1:], len(rows.order))
    last = rows.order[behind - 1]
    suspect = np.isnan(values[last]).all(axis=1)
    if horizon:
        size = behind - first
        before = rows.order[np.maximum(behind - 2, 0)]
        suspect |= (size > 1) & _same(values[last], values[before])
    for series in np.flatnonzero(suspect):
        own = rows.order[first[series] : behind[series]]
        n_rows = _rows_ahead(values[own], horizon, remembered[series])
        begin = len(own) - n_rows
        if n_rows and ahead[first[series] + begin]:
            row = own[begin + horizon]
            holds = "NaN" if np.isnan(values[row]).all() else "the same values (of an imputer?)"
            raise ValueError(
                f"horizon={horizon} reaches {horizon} rows ahead of the last row with values, but "
                f"X ends with {n_rows} rows of {holds}, from row {own[begin]} (counted from 0): "
                f"row {row} is {horizon + 1} ahead. Ask for {horizon} rows at most, or fit with a "
                "longer horizon."
            )


def write_stamp(stamp: float, layout: Layout) -> str:
    """Write a stamp as the table has it.

    Parameters
    ----------
    stamp : int or float
        Nanoseconds or a number.
    layout : Layout
        Clock and zone of the table.

    Returns
    -------
    str
        A date, a duration or a number.
    """
    if layout.is_dated:
        moment = pd.Timestamp(int(stamp), tz="UTC")
        return str(moment.tz_convert(layout.zone) if layout.zone else moment.tz_localize(None))
    return write_step(stamp, layout)


def write_step(step: float, layout: Layout) -> str:
    """Write a step in time.

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


def _same(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    return ((rows == others) | (np.isnan(rows) & np.isnan(others))).all(axis=1)


def _rows_ahead(own: np.ndarray, horizon: int, remembered: np.ndarray) -> int:
    """Number of rows without values at the end of a series, 0 if they are within the horizon."""
    n_missing = _run_at_end(np.isnan(own).all(axis=1))
    if horizon == 0:  # the row itself is read, and may be one that a sensor has missed
        return n_missing if n_missing == len(own) > 1 else 0
    if n_missing:
        return n_missing if n_missing > horizon else 0
    n_equal = _run_at_end(_same(own, own[-1:]))
    known = np.concatenate([remembered, own[: len(own) - n_equal]])
    if n_equal <= max(horizon, 2) or len(known) < 10 or _same(known[1:], known[:-1]).any():
        return 0
    return n_equal


def _run_at_end(flags: np.ndarray) -> int:
    return len(flags) if flags.all() else int(flags[::-1].argmin())
