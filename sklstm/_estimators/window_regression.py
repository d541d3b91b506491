"""Any regressor of scikit-learn, fitted on windows, and its forecasts behind other windows."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags

from sklstm._data.sklearn_private import BaseSearchCV
from sklstm._estimators.regressor import LSTMRegressor
from sklstm._estimators.window_folds import folds_by_time
from sklstm._tables.flattener import SequenceFlattener
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.window_units import History, PanelUnit, Unit
from sklstm._tables.windows import Windows, make_windows

__all__ = [
    "Forecasts",
    "PanelModel",
    "WindowShape",
    "best_of",
    "predicts_quantiles",
    "takes_nan",
    "takes_positive_only",
]

LEAST_DISTANCE = 0.5
"""Least distance of a forecast to a quantile of counts, which are whole numbers."""

REFIT_EPOCHS = 1 / 4
"""Epochs of a refit from the weights, as a part of those of the first fit. On five tables (ETTh1 OT
and HUFL, daily minima, PM2.5, airline passengers) 12 such refits cost 1.3 to 3.2 first fits and
erred 0.99 to 1.02 as much as 12 new fits; with a third they cost up to 4.0."""


class Forecasts(NamedTuple):
    """Forecasts, and the unit of their residuals, in the units of the user.

    Attributes
    ----------
    point : ndarray of shape (n_windows, steps, n_targets)
        Forecasts.
    below, above : ndarray of that shape
        Unit of residuals on each side: the spread of the series so far; or the distance to the
        outer quantile there, if the estimator predicts quantiles, or the deviation of its counts.
    """

    point: np.ndarray
    below: np.ndarray
    above: np.ndarray

    def scores(self, actual: np.ndarray) -> np.ndarray:
        """Residuals, in units of their side."""
        missed = actual - self.point
        return missed / np.where(missed > 0, self.above, self.below)

    def at(self, scores: np.ndarray) -> np.ndarray:
        """Values with such residuals, (n_windows, ..., steps, n_targets)."""
        above = scores > 0
        parts = [np.expand_dims(part, tuple(range(1, scores.ndim - 2))) for part in self]
        return parts[0] + scores * np.where(above, parts[2], parts[1])

    def sides(self, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of prediction intervals."""
        return self.point - width * self.below, self.point + width * self.above

    def take(self, chosen: np.ndarray) -> Forecasts:
        """Select windows."""
        return Forecasts(*(part[chosen] for part in self))


class WindowShape(NamedTuple):
    """What windows are made of.

    Attributes
    ----------
    window_size, steps : int
        Number of rows of a window, and of steps behind it.
    future : list of int
        Columns of the rows whose future values are known.
    allow_nan : bool
        Whether windows with NaN are used.
    """

    window_size: int
    steps: int
    future: list[int]
    allow_nan: bool

    def windows(
        self,
        rows: SeriesRows,
        unit: PanelUnit,
        before: History | None = None,
        least: int | None = None,
    ) -> Windows:
        """Windows of all rows, or of those without NaN."""
        windows = make_windows(
            rows, unit.measure(rows, before), self.future, self.window_size, self.steps, least
        )
        return windows if self.allow_nan else windows.take(windows.whole())

    @property
    def shortest(self) -> int:
        """Fewer rows are no window: the forecast behind them is the anchor."""
        return max(2, self.window_size // 4)


class PanelModel(NamedTuple):
    """An estimator that is fitted on windows, and what its forecasts are measured in.

    Attributes
    ----------
    estimator : estimator
        Fitted on windows in their unit: as they are, or flat.
    unit : PanelUnit
        Unit of the windows.
    shape : WindowShape
        What they are made of.
    channel_independent : bool
        Whether each target is forecast from its own past alone.
    weight : float
        Forecasts are moved to those of the anchor alone: 1 leaves them, at 0 they are the anchor.
    calibrated : bool
        Whether residuals say how wide intervals are, and not the quantiles alone.
    refit_epochs : int or None
        Epochs of a refit from the weights; None if the estimator has none to start from.
    until : float
        Time of the last training row.
    """

    estimator: Any
    unit: PanelUnit
    shape: WindowShape
    channel_independent: bool
    weight: float = 1.0
    calibrated: bool = True
    refit_epochs: int | None = None
    until: float = -np.inf

    @classmethod
    def learn(
        cls,
        estimator: Any,
        rows: SeriesRows,
        unit: Unit,
        shape: WindowShape,
        channel_independent: bool,
        copy: Callable[[Any], Any] = clone,
    ) -> PanelModel | None:
        """Fit a copy on all windows of the rows, in time order; None if there are none.

        Parameters
        ----------
        estimator : regressor or None
            None is `LSTMRegressor`.
        rows : SeriesRows
            Training rows.
        unit : Unit
            Unit of the windows.
        shape : WindowShape
            What windows are made of.
        channel_independent : bool
            Whether each target is forecast from its own past alone.
        copy : callable, default=clone
            Copies the estimator: `deepcopy` keeps what it has learned.
        """
        of_panel = PanelUnit.learn(rows, unit)
        windows = shape.windows(rows, of_panel).followed()
        if unit.anchor == "season":  # shorter ones have no season to be measured against
            enough = rows.place[windows.ends] >= unit.season
            windows = windows.take(enough) if enough.any() else windows
        targets = windows.targets()
        known = np.isfinite(targets).all(axis=(1, 2))
        if not known.any():
            return None
        order = np.flatnonzero(known)
        order = order[np.argsort(rows.time[windows.ends[order]], kind="stable")]
        estimator = LSTMRegressor() if estimator is None else copy(estimator)
        fitted = _fit(estimator, windows.take(order), targets[order], channel_independent)
        until = float(rows.time.max())
        made = cls(fitted, of_panel, shape, channel_independent)
        return made._replace(refit_epochs=_epochs(fitted), until=until)

    def refit(self, rows: SeriesRows, unit: Unit, shape: WindowShape) -> PanelModel | None:
        """Fit again, from the weights; None if they are not those of such windows.

        Parameters
        ----------
        rows : SeriesRows
            Training rows.
        unit : Unit
            Unit of the windows, as these rows choose it.
        shape : WindowShape
            What they are made of.
        """
        if self.refit_epochs is None or (unit, shape) != (self.unit.unit, self.shape):
            return None
        settings = {"warm_start": True, "checkpoint": None, "max_epochs": self.refit_epochs}
        estimator = deepcopy(self.estimator).set_params(**settings)
        again = PanelModel.learn(estimator, rows, unit, shape, self.channel_independent, deepcopy)
        return again and again._replace(
            weight=self.weight, calibrated=self.calibrated, refit_epochs=self.refit_epochs
        )

    def as_cheap_as(self, other: PanelModel) -> PanelModel:
        """With refits that take no more epochs than those of another fit."""
        if self.refit_epochs is None or other.refit_epochs is None:
            return self
        return self._replace(refit_epochs=min(self.refit_epochs, other.refit_epochs))

    def n_needed(self) -> int:
        """How many rows before the next one a forecast, and those still to be judged, read."""
        unit = self.unit.unit
        season = unit.season if unit.anchor == "season" else 1
        return self.shape.window_size + self.shape.steps + season

    @property
    def judges_together(self) -> bool:
        """Whether a window holds covariates of its last step, and so is only made with that row."""
        return bool(self.shape.future)

    def windows(
        self, rows: SeriesRows, before: History | None = None, least: int | None = None
    ) -> Windows:
        """Windows that the estimator can read."""
        return self.shape.windows(rows, self.unit, before, least)

    def forecasts(self, windows: Windows) -> Forecasts:
        """Forecast the steps behind windows.

        Raises
        ------
        ValueError
            If the quantiles of the estimator do not lie on both sides of its forecasts.
        """
        anchor, scale = windows.anchors(), windows.scales()
        if not len(anchor):
            return Forecasts(anchor, anchor, anchor)
        sequences = windows.one_by_one() if self.channel_independent else windows.sequences
        n_windows, steps, n_targets = anchor.shape

        def arranged(values: Any) -> np.ndarray:
            if self.channel_independent:
                return np.reshape(values, (n_targets, n_windows, steps)).transpose(1, 2, 0)
            return np.reshape(values, (n_windows, steps, n_targets))

        change = arranged(self.estimator.predict(sequences)) * scale
        enough = windows.local.seen.n_known[windows.ends].max(axis=1) >= self.shape.shortest
        enough |= self.unit.unit.anchor == "none"  # there is no forecast of the anchor alone
        point = anchor + np.where(enough[:, None, None], self.weight, 0) * change
        if not predicts_quantiles(self.estimator):
            spread = np.broadcast_to(windows.spreads(), point.shape)
            return Forecasts(point, spread, spread)
        of_counts = self.unit.unit.anchor == "none"
        if of_counts and self.calibrated:  # quantiles of small counts jump from one to the next
            _, deviation = best_of(self.estimator).predict(sequences, return_std=True)
            return Forecasts(point, arranged(deviation), arranged(deviation))
        quantiles = np.asarray(best_of(self.estimator).predict_quantiles(sequences))
        below = change - arranged(quantiles[..., 0]) * scale
        above = arranged(quantiles[..., -1]) * scale - change
        if of_counts:
            sides = (np.maximum(side, LEAST_DISTANCE) for side in (below, above))
            return Forecasts(point, *sides)
        if not ((below > 0).all() and (above > 0).all()):
            raise ValueError(
                "The estimator predicts no quantiles on both sides of its forecast: give levels "
                "such as quantiles=(0.05, 0.5, 0.95)."
            )
        return Forecasts(point, below, above)


def _fit(estimator: Any, windows: Windows, targets: np.ndarray, channel_independent: bool) -> Any:
    sequences, times = windows.sequences, windows.rows.time[windows.ends]
    if channel_independent:
        sequences, targets = windows.one_by_one(), np.concatenate(np.moveaxis(targets, -1, 0))
        times = np.tile(times, windows.rows.n_targets)
    if isinstance(estimator, BaseSearchCV):  # whatever splits the windows finds them in time order
        order = np.argsort(times, kind="stable")
        sequences, targets, times = sequences[order], targets[order], times[order]
        estimator = folds_by_time(estimator, times, windows.steps)
    targets = targets.reshape(len(targets), -1)
    n_outputs = targets.shape[1]
    if n_outputs > 1 and not _learns_several(estimator):
        estimator = MultiOutputRegressor(estimator)
    if not _reads_sequences(estimator):
        _refuse_flattened_network(estimator)
        estimator = make_pipeline(SequenceFlattener(), estimator)
    return estimator.fit(sequences, targets[:, 0] if n_outputs == 1 else targets)


def _epochs(estimator: Any) -> int | None:
    """Epochs of a refit of a network, if its init estimator is learned again with it."""
    if not isinstance(estimator, LSTMRegressor):
        return None
    if estimator.init_ is not None and estimator.validation_losses_ is None:
        return None
    return max(1, round(REFIT_EPOCHS * len(estimator.net_.history)))


def takes_nan(estimator: Any) -> bool:
    """Whether windows with NaN are no obstacle."""
    if estimator is None:
        return False
    return get_tags(estimator).input_tags.allow_nan or getattr(estimator, "missing", "") == "mask"


def predicts_quantiles(estimator: Any) -> bool:
    """Whether it predicts quantiles beside a number."""
    return hasattr(best_of(estimator), "predict_quantiles")


def takes_positive_only(estimator: Any) -> bool:
    """Whether it refuses negative targets, such as changes from an anchor."""
    if isinstance(estimator, BaseSearchCV):
        return takes_positive_only(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return takes_positive_only(estimator.steps[-1][1])
    if estimator is None:
        return False
    by_loss = getattr(estimator, "loss", None) in ("poisson", "gamma")  # boosting has no such tag
    return by_loss or get_tags(estimator).target_tags.positive_only


def best_of(estimator: Any) -> Any:
    """The best estimator of a search, or the estimator itself."""
    return getattr(estimator, "best_estimator_", estimator)


def _learns_several(estimator: Any) -> bool:
    """Whether the estimator, or the one that a search fits, takes several targets."""
    if isinstance(estimator, BaseSearchCV):
        return _learns_several(estimator.estimator)
    return get_tags(estimator).target_tags.multi_output


def _reads_sequences(estimator: Any) -> bool:
    """Whether it takes windows as they are, or passes them on to an estimator that does."""
    if isinstance(estimator, Pipeline):
        return _reads_sequences(estimator.steps[0][1])
    return get_tags(estimator).input_tags.three_d_array or any(
        _reads_sequences(part) for part in _parts(estimator)
    )


def _refuse_flattened_network(estimator: Any) -> None:
    """Refuse a network behind a step that reads flat windows: each would be one step to it."""
    flat = [part for part in _parts(estimator) if _reads_sequences(part)]
    if flat:
        raise ValueError(
            f"{type(flat[0]).__name__} reads windows, and the first step of the Pipeline in front "
            "of it reads flat ones: leave that step out. The forecaster standardises already."
        )


def _parts(estimator: Any) -> list:
    """Estimators among its parameters, nested ones too."""
    parameters = estimator.get_params().values() if hasattr(estimator, "get_params") else []
    return [value for value in parameters if isinstance(value, BaseEstimator)]
