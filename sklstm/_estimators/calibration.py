"""What rows teach that a model has not seen: how far to trust it, its losses, its intervals."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklstm._estimators.intervals import Intervals
from sklstm._estimators.window_regression import Forecasts, PanelModel, WindowShape
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.target_transform import TargetTransform
from sklstm._tables.window_units import Unit
from sklstm._tables.windows import Windows

__all__ = [
    "Calibration",
    "calibrate",
    "calibration_rows",
    "held_back_rows",
    "require_intervals",
    "revised_weight",
    "scaled_error",
]

LEAST_INDEPENDENT = 9
"""So many forecasts that do not overlap have a residual at the rank of 90 % coverage."""

LEAST_FOR_80 = 4
"""So many have one at the rank of 80 % coverage."""

CAUTION = 3.0
"""Variances of the weight of a model by which its square is reduced. On 50 random walks of 300
rows, forecasts of 6 steps had 1.011, 1.007 and 1.004 of the squared error of the last value with
2, 3 and 4, the worst 1.16, 1.13 and 1.09."""

CLEAR = 3.0
"""A weight so many standard errors above 0, and less than one below 1, is 1: daily minima, ridge on
windows of 28 days, had a squared error of 0.460 with it and 0.466 with 0.90."""

LEAST_CLUSTERS = 8
"""Fewer series, or blocks of dates, say little about the variance of the weight."""


class Calibration(NamedTuple):
    """What the calibration set says.

    Attributes
    ----------
    channel_independent : bool
        Whether forecasting each target alone errs less.
    weight : float
        That of the model beside its anchor.
    losses : dict of float
        Mean absolute scaled error of each model.
    intervals : Intervals
        From the residuals.
    """

    channel_independent: bool
    weight: float
    losses: dict[str, float]
    intervals: Intervals


def calibration_rows(rows: SeriesRows, steps: int) -> int:
    """How many rows of a typical series calibrate: enough for 90 % intervals, or a third.

    Parameters
    ----------
    rows : SeriesRows
        Training rows.
    steps : int
        Number of steps.

    Returns
    -------
    int
        0 if a third of the rows, or half of them in a panel, is less than one forecast.
    """
    typical, n_series = len(rows.time) // len(rows.sizes), len(rows.sizes)
    wanted = max(round(0.1 * typical), steps - 1 + -(-LEAST_INDEPENDENT * steps // n_series))
    n_rows = min(wanted, typical // 3)
    if n_rows < steps <= typical // 2 and n_series >= LEAST_INDEPENDENT:
        n_rows = steps
    return n_rows if n_rows >= steps else 0


def held_back_rows(rows: SeriesRows, steps: int) -> int:
    """How many rows of a typical series choose the unit of windows."""
    return max(steps, len(rows.time) // len(rows.sizes) // 4)


def calibrate(
    estimator: Any,
    rows: SeriesRows,
    unit: Unit,
    shape: WindowShape,
    cutoff: float,
    channel_independent: list[bool],
    transform: TargetTransform,
) -> Calibration | None:
    """Fit first models on the rows before the cutoff, and compare their forecasts with the others.

    Parameters
    ----------
    estimator, unit, shape : as in `PanelModel.learn`
        What is fitted.
    rows : SeriesRows
        Training rows.
    cutoff : float
        Time at which the calibration set begins, in all series.
    channel_independent : list of bool
        What to try.
    transform : TargetTransform
        Of the rows; losses are those of the values before it.

    Returns
    -------
    Calibration or None
        None if there is nothing to learn from, or to compare with.
    """
    early, in_scale = rows.until(cutoff), transform.original(rows).naive_errors(1, cutoff)
    losses, best = {}, None
    for tried in channel_independent:
        model = PanelModel.learn(estimator, early, unit, shape, tried)
        late = None if model is None else model.windows(rows).behind(cutoff)
        if model is None or late is None or not np.isfinite(late.actual()).any():
            return None
        forecasts, weight = _blended(model.forecasts(late), late)
        actual, scale = late.actual(), in_scale[late.code][:, None]
        original = transform.inverse(actual)
        losses["naive"] = scaled_error(original - transform.inverse(late.last()), scale)
        name = "channel-independent" if tried else "targets together"
        name = name if rows.n_targets > 1 else "forecaster"
        losses[name] = scaled_error(original - transform.inverse(forecasts.point), scale)
        if best is None or losses[name] < best[0]:  # NaN is not less
            intervals = Intervals.learn(forecasts.scores(actual), late.code, len(rows.sizes))
            best = losses[name], tried, weight, intervals
    assert best is not None
    return Calibration(best[1], best[2], losses, best[3])


def scaled_error(missed: np.ndarray, scale: np.ndarray) -> float:
    """Mean absolute scaled error; NaN if no series has a scale."""
    scaled = np.abs(missed) / scale
    known = np.isfinite(scaled)
    return float(scaled[known].mean()) if known.any() else np.nan


def _blended(forecasts: Forecasts, windows: Windows) -> tuple[Forecasts, float]:
    """Move forecasts towards their anchors, each half as far as the other half says.

    Returns
    -------
    forecasts : Forecasts
        As good, or bad, as those of other rows.
    weight : float
        What both halves say together.
    """
    if windows.local.panel.unit.anchor == "none":
        return forecasts, 1.0
    anchors, spread = windows.anchors(), windows.spreads()
    change = (forecasts.point - anchors) / spread
    actual = (windows.actual() - anchors) / spread
    clusters = windows.code, windows.dates()
    n_dates, n_series = (len(np.unique(code)) for code in clusters[::-1])
    half = clusters[0] % 2 == 0
    if n_series == 1 or n_dates >= LEAST_CLUSTERS:
        half = clusters[1] < np.median(clusters[1])
    weights = np.zeros(len(half))
    for one in (half, ~half):
        other = ~one if (~one).any() else one
        weights[one] = _weight(change[other], actual[other], *(c[other] for c in clusters))
    point = anchors + weights[:, None, None] * (forecasts.point - anchors)
    return forecasts._replace(point=point), _weight(change, actual, *clusters)


def revised_weight(model: PanelModel, rows: SeriesRows) -> float:
    """Weight of a model, as the rows that it has not seen say if they clearly contradict it.

    Parameters
    ----------
    model : PanelModel
        Fitted on the rows up to its `until`.
    rows : SeriesRows
        These and later rows.
    """
    windows = model.windows(rows).followed()
    windows = windows.take(rows.time[windows.ends] >= model.until)
    if model.unit.unit.anchor == "none" or not len(windows.ends):
        return model.weight
    anchors, spread = windows.anchors(), windows.spreads()
    change = (model._replace(weight=1.0).forecasts(windows).point - anchors) / spread
    actual = (windows.actual() - anchors) / spread
    slope, variance = _slope(change, actual, windows.code, windows.dates())
    if not abs(slope - model.weight) > CLEAR * np.sqrt(variance):
        return model.weight
    return _cautious(slope, variance)


def _weight(change: np.ndarray, actual: np.ndarray, *clusters: np.ndarray) -> float:
    """Weight in [0, 1] of forecast changes with the least squared error, cautiously.

    The positive part of the estimator of James and Stein for one number: nothing is left of a
    weight that is not clear of 0, and nearly all of one that is.

    Parameters
    ----------
    change, actual : ndarray of shape (n_windows, steps, n_targets)
        Forecast and actual change from the anchor; NaN where unknown.
    *clusters : ndarrays of int, shape (n_windows,)
        Within these, errors depend on each other.
    """
    slope, variance = _slope(change, actual, *clusters)
    return _cautious(slope, 0.0 if np.isinf(variance) else variance)


def _cautious(slope: float, variance: float) -> float:
    error = np.sqrt(variance)
    if variance and slope > max(CLEAR * error, 1 - error):
        return 1.0
    return float(np.clip(slope - CAUTION * variance / max(slope, 1e-9), 0, 1))


def _slope(change: np.ndarray, actual: np.ndarray, *clusters: np.ndarray) -> tuple[float, float]:
    """Weight with the least squared error, and its variance; inf if a single cluster has it all."""
    change = np.where(np.isfinite(actual), change, 0)
    square = (change**2).sum()
    if not square:
        return 1.0, np.inf
    slope = (change * np.nan_to_num(actual)).sum() / square
    rest = (change * (np.nan_to_num(actual) - slope * change)).sum(axis=(1, 2))
    sums = [np.bincount(np.unique(code, return_inverse=True)[1], rest) for code in clusters]
    sums = [one for one in sums if len(one) >= LEAST_CLUSTERS] or [max(sums, key=len)]
    n = [len(one) for one in sums]
    if max(n) < 2:
        return slope, np.inf
    variance = max((s**2).sum() * k / max(k - 3, 1) for s, k in zip(sums, n, strict=True))
    return slope, variance / square**2


def require_intervals(found: Calibration | None, n_rows: int, typical: int, steps: int) -> None:
    """Refuse a calibration set that is too small for intervals with a coverage of 80 %."""
    if found is None or found.intervals.n_independent[0, -1].min() < LEAST_FOR_80:
        needed = LEAST_FOR_80 * steps + steps - 1
        raise ValueError(
            f"The calibration set has {n_rows} of {typical} rows of a series, too few for "
            f"prediction intervals of {steps} steps: with a coverage of 80 % they need "
            f"{LEAST_FOR_80} forecasts that do not overlap, {needed} rows of a single series. "
            "Choose a larger calibration_fraction or fewer steps, or calibration_fraction=0 for "
            "no intervals."
        )
