"""Any regressor of scikit-learn, fitted on windows, and its forecasts behind other windows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags

from sklstm._data.sklearn_private import BaseSearchCV
from sklstm._estimators.regressor import LSTMRegressor
from sklstm._tables.flattener import SequenceFlattener
from sklstm._tables.windows import Windows

__all__ = ["Forecasts", "best_of", "learn", "predict_windows", "predicts_quantiles"]


class Forecasts(NamedTuple):
    """Forecasts, and the unit of their residuals, both in units of the series.

    Attributes
    ----------
    point : ndarray of shape (n_windows, steps, n_targets)
        Forecasts.
    below, above : ndarray of that shape
        Unit of residuals on each side: 1, or the distance to the outer quantile there, if the
        estimator predicts quantiles.
    """

    point: np.ndarray
    below: np.ndarray
    above: np.ndarray

    def scores(self, actual: np.ndarray) -> np.ndarray:
        """Residuals, in units of their side."""
        missed = actual - self.point
        return missed / np.where(missed > 0, self.above, self.below)

    def sides(self, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of prediction intervals."""
        return self.point - width * self.below, self.point + width * self.above


def learn(estimator: Any, windows: Windows, channel_independent: bool) -> Any:
    """Fit a clone on windows and the steps behind them.

    Parameters
    ----------
    estimator : regressor or None
        None is `LSTMRegressor`.
    windows : Windows
        Without NaN, all steps known.
    channel_independent : bool
        Whether each target is forecast from its own past alone.

    Returns
    -------
    estimator
        Fitted on the windows: as they are, or flat.
    """
    windows = windows.one_by_one() if channel_independent else windows
    estimator = LSTMRegressor() if estimator is None else clone(estimator)
    n_outputs = windows.ahead.shape[1] * windows.ahead.shape[2]
    if n_outputs > 1 and not _learns_several(estimator):
        estimator = MultiOutputRegressor(estimator)
    if not _reads_sequences(estimator):
        _refuse_flattened_network(estimator)
        estimator = make_pipeline(SequenceFlattener(), estimator)
    ahead = windows.ahead.reshape(len(windows.ahead), -1)
    return estimator.fit(windows.sequences, ahead[:, 0] if n_outputs == 1 else ahead)


def predict_windows(estimator: Any, windows: Windows, channel_independent: bool) -> Forecasts:
    """Forecast the steps behind windows by a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        From `learn`.
    windows : Windows
        Without NaN.
    channel_independent : bool
        As in `learn`.

    Returns
    -------
    Forecasts
        In units of the series.

    Raises
    ------
    ValueError
        If its quantiles do not lie on both sides of its forecasts.
    """
    sequences = windows.one_by_one().sequences if channel_independent else windows.sequences
    n_windows, steps, n_targets = windows.ahead.shape
    if not n_windows:
        return Forecasts(windows.ahead, windows.ahead, windows.ahead)

    def arranged(values: Any) -> np.ndarray:
        if channel_independent:
            return np.reshape(values, (n_targets, n_windows, steps)).transpose(1, 2, 0)
        return np.reshape(values, (n_windows, steps, n_targets))

    point = arranged(estimator.predict(sequences))
    if not predicts_quantiles(estimator):
        return Forecasts(point, np.ones_like(point), np.ones_like(point))
    quantiles = np.asarray(best_of(estimator).predict_quantiles(sequences))
    below, above = point - arranged(quantiles[..., 0]), arranged(quantiles[..., -1]) - point
    if not ((below > 0).all() and (above > 0).all()):
        raise ValueError(
            "The estimator predicts no quantiles on both sides of its forecast: give levels such "
            "as quantiles=(0.05, 0.5, 0.95)."
        )
    return Forecasts(point, below, above)


def predicts_quantiles(estimator: Any) -> bool:
    """Whether it predicts quantiles beside a number."""
    return hasattr(best_of(estimator), "predict_quantiles")


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
