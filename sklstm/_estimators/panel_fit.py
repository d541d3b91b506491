"""Fitting a panel: the unit of its windows, a calibration set, and the model of all rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.warning import DroppedDataWarning, some_names, warn
from sklstm._estimators.calibration import (
    Calibration,
    calibrate,
    calibration_rows,
    held_back_rows,
    require_intervals,
    revised_weight,
)
from sklstm._estimators.window_regression import (
    PanelModel,
    WindowShape,
    takes_nan,
    takes_positive_only,
)
from sklstm._tables.panel import Panel
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.target_transform import TargetTransform
from sklstm._tables.unit_choice import choose_unit
from sklstm._tables.window_units import PanelUnit, Unit

__all__ = ["FittedPanel", "Settings", "fit_panel", "season_of", "window_size_of"]

WINDOW_SIZE = 24
"""Default number of rows of a window, or a third of those of a typical series if that is less: a
ridge with windows of 24 rows errs more on yearly series of M3, which have 20: sMAPE 19.0, and 16.4
with 6."""

SEASONS = (7, 7, 52), (28, 31, 12), (89, 92, 4)
"""Steps, from so many to so many days, and how many of them make a year."""

NANOSECONDS_OF_DAY = 24 * 3600 * 10**9


class Settings(NamedTuple):
    """Parameters of the forecaster, as `fit_panel` reads them."""

    estimator: Any
    window_size: int | str
    steps: int
    season: int | str
    future_covariates: list | tuple
    channel_independent: bool | str
    calibration_fraction: float | str
    transform: Any


class FittedPanel(NamedTuple):
    """What a fit hands over: the panel has transformed targets."""

    panel: Panel
    model: PanelModel
    found: Calibration | None
    transform: TargetTransform


def fit_panel(panel: Panel, settings: Settings, earlier: FittedPanel | None = None) -> FittedPanel:
    """Choose the unit of windows, compare a first model with rows held back, and fit on all rows.

    Parameters
    ----------
    panel : Panel
        Training rows, regular.
    settings : Settings
        The parameters.
    earlier : FittedPanel, default=None
        A fit whose weights training starts from, and whose calibration stays, if the unit does.

    Raises
    ------
    ValueError
        If there is nothing to learn from, or the calibration set is too small for intervals.
    """
    rows = panel.rows
    estimator, steps, tried = settings.estimator, settings.steps, settings.channel_independent
    typical = len(rows.time) // len(rows.sizes)
    shape, season = _shape_of(panel, settings)

    share = settings.calibration_fraction
    n_late = calibration_rows(rows, steps) if share == "auto" else round(float(share) * typical)
    cutoff = _cutoff(rows, n_late) if n_late else np.inf
    positive = takes_positive_only(estimator)
    learned = TargetTransform.learn(settings.transform, rows.until(cutoff), positive)
    transform = earlier.transform if earlier else learned
    panel = transform.applied(panel)
    transform = transform.seen(panel.rows.y)
    rows, early = panel.rows, panel.rows.until(cutoff)
    unit = Unit("none", "none", season)
    if not positive and earlier:  # a refit asks the newest rows too: a level shift is among them
        unit = _chosen_unit(rows, shape, season, np.inf, earlier.model.unit.unit)
    elif not positive:
        unit = _chosen_unit(early, shape, season, cutoff)
    again = earlier and earlier.model.refit(rows, unit, shape)
    if earlier and again:
        again = again._replace(weight=revised_weight(earlier.model, rows))
        return FittedPanel(panel, again, earlier.found, transform)

    both = tried == "auto" and rows.n_targets > 1 and n_late
    alone = [False, True] if both else [tried is True]
    found = None
    if n_late:
        found = calibrate(estimator, rows, unit, shape, cutoff, alone, transform)
        if share != "auto":
            require_intervals(found, n_late, typical, steps)
    chosen = found.channel_independent if found else alone[0]
    model = PanelModel.learn(estimator, rows, unit, shape, chosen)
    if model is None:
        _say_what_lacks(rows, steps)
    assert model is not None
    _say_what_is_left_out(rows, unit, shape, typical)
    weight = found.weight if found else 1.0
    model = model._replace(weight=weight, calibrated=found is not None)
    model = model.as_cheap_as(earlier.model) if earlier else model
    return FittedPanel(panel, model, found, transform)


def _shape_of(panel: Panel, settings: Settings) -> tuple[WindowShape, int]:
    """What windows are made of, and the rows of a season; 1 if there are too few for one."""
    rows = panel.rows
    columns = [*panel.targets, *panel.covariates]
    future = [
        columns.index(name) for name in panel.covariates if name in settings.future_covariates
    ]
    window_size = window_size_of(rows, settings.window_size)
    shape = WindowShape(window_size, settings.steps, future, takes_nan(settings.estimator))
    season = (
        season_of(panel.timestamps[: rows.sizes[0]])
        if settings.season == "auto"
        else int(settings.season)
    )
    return shape, season if 3 * season <= len(rows.time) // len(rows.sizes) else 1


def _chosen_unit(
    rows: SeriesRows, shape: WindowShape, season: int, cutoff: float, kept: Unit | None = None
) -> Unit:
    fit_until = _cutoff(rows, held_back_rows(rows, shape.steps))
    return choose_unit(rows, shape.window_size, shape.steps, season, fit_until, cutoff, kept)


def window_size_of(rows: SeriesRows, size: int | str) -> int:
    """The parameter, or by the rows of a typical series."""
    if not isinstance(size, str):
        return int(size)
    return int(min(WINDOW_SIZE, max(len(rows.time) // len(rows.sizes) // 3, 1)))


def season_of(timestamps: pd.Index) -> int:
    """Rows of a year, of a week of days or of a day, by the usual step; 1 for other steps."""
    dates = timestamps
    if isinstance(timestamps, pd.PeriodIndex):
        dates = timestamps.to_timestamp()
    if not isinstance(dates, pd.DatetimeIndex) or len(dates) < 2:
        return 1
    days = np.median(np.diff(dates.as_unit("ns").asi8)) / NANOSECONDS_OF_DAY
    if days < 1:
        return round(1 / days) if abs(1 / days - round(1 / days)) < 1e-6 else 1
    if days == 1:
        return 5 if (dates.day_of_week < 5).all() else 7
    return next((rows for least, most, rows in SEASONS if least <= days <= most), 1)


def _cutoff(rows: SeriesRows, n_rows: int) -> float:
    """The time before the last rows of a typical series."""
    return rows.cutoff(1 - n_rows * len(rows.sizes) / len(rows.time))


def _say_what_lacks(rows: SeriesRows, steps: int) -> None:
    most = rows.sizes.max()
    if most <= steps + 1:
        of = "y" if len(rows.sizes) == 1 else "The longest series"
        raise ValueError(
            f"{of} has {most} rows, and a window with {steps} steps behind it needs at least "
            f"{steps + 2}: give more rows, or choose fewer steps."
        )
    raise ValueError(
        "Every window, or the steps behind it, has a NaN: impute y and X first, or choose an "
        "estimator that takes NaN, such as LSTMRegressor(missing='mask')."
    )


def _say_what_is_left_out(rows: SeriesRows, unit: Unit, shape: WindowShape, typical: int) -> None:
    """Warn of windows with NaN, and of series that are too short to be forecast by the model."""
    if not np.isfinite(rows.values).all():
        windows = shape._replace(allow_nan=True).windows(rows, PanelUnit.learn(rows, unit))
        windows = windows.followed()
        usable = np.isfinite(windows.actual()).all(axis=(1, 2))
        usable &= windows.whole() | shape.allow_nan
        if not usable.all():
            warn(
                f"{(~usable).sum()} of {len(usable)} windows hold NaN, or a step behind them does: "
                "they are left out. Impute y and X to keep them.",
                DroppedDataWarning,
            )
    short = np.flatnonzero(rows.sizes < shape.shortest)
    if len(short):
        warn(
            f"{len(short)} of {len(rows.sizes)} series have fewer than {shape.shortest} rows: "
            f"their forecast is the {'seasonal ' if unit.anchor == 'season' else ''}naive one: "
            f"{some_names([rows.names[k] for k in short])}.",
            DroppedDataWarning,
        )
