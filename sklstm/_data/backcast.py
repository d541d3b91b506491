"""Backcasts: predictions of the steps before the first one of a short history."""

import numpy as np

from sklstm._data.lag_moments import LagMoments
from sklstm._data.ridge import Ridge

__all__ = ["backcast_in_units", "learn_backcast", "repeated_first_step"]

PENALTIES = np.logspace(4, -6, 6)
"""Per sample, for standardised features: from the mean to no penalty, as in `ridge_init`, of which
every fourth is enough for steps that count little."""

LEAST_GAIN = 0.05
"""Relative reduction of the squared error that a regression has to reach; otherwise the backcast is
the mean. Some of many features without information seem to predict."""


def repeated_first_step(n_features: int, n_steps: int) -> np.ndarray:
    """Make the backcast that repeats the first step.

    Parameters
    ----------
    n_features : int
        Features of a step.
    n_steps : int
        Steps of a whole history.

    Returns
    -------
    ndarray of float64, shape (n_features + 1, (n_steps - 1) * n_features)
        Coefficients of the features of the first step, and in the last row the intercept, for all
        features of the earliest step, then of the next one.
    """
    columns = (n_steps - 1) * n_features
    return np.eye(n_features + 1, n_features)[:, np.arange(columns) % n_features]


def learn_backcast(
    everything: LagMoments, folds: list[tuple[LagMoments, LagMoments]], n_features: int
) -> np.ndarray:
    """Regress every step of whole histories on the last one.

    A short history then resembles whole ones: features that determine each other, such as one-hot
    days of the week, still do before its first step. Coefficients that cancel out in whole
    histories do so there too.

    Each column has its own ridge, shrunk to a repeated step or to the mean, with the penalty whose
    validation error is least.

    Parameters
    ----------
    everything : LagMoments
        Sums over whole histories.
    folds : list of pairs of LagMoments
        Sums over training and over validation samples.
    n_features : int
        Features of a step.

    Returns
    -------
    ndarray of float64, shape (n_features + 1, (n_steps - 1) * n_features)
        As `repeated_first_step`.
    """
    repeated = repeated_first_step(n_features, len(everything.x) // n_features)
    if not repeated.size:
        return repeated
    errors = np.zeros((2 * len(PENALTIES), repeated.shape[1]))
    for fold in folds:
        train, valid = (moments.of_earlier_steps(n_features) for moments in fold)
        errors += valid.squared_errors(_ridges(train, repeated[:-1]), train)
    errors[0] *= 1 - LEAST_GAIN
    best = np.argmin(errors, axis=0)
    everything = everything.of_earlier_steps(n_features)
    chosen = _ridges(everything, repeated[:-1])[:, best, np.arange(len(best))]
    return np.vstack([chosen, everything.intercept(chosen)])


def _ridges(moments: LagMoments, repeated: np.ndarray) -> np.ndarray:
    """Coefficients shrunk to the mean with each penalty, and to a repeated step."""
    ridge = Ridge(moments)
    arounds = np.zeros_like(repeated), repeated
    rests = [moments.of_remainder(around).covariances_with_targets() for around in arounds]
    coefs = [ridge.coefs(rest, PENALTIES) for rest in rests]
    return np.concatenate(
        [around[:, None] + c for around, c in zip(arounds, coefs, strict=True)], 1
    )


def backcast_in_units(backcast: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Turn a backcast of standardised features into one of features as they are.

    Parameters
    ----------
    backcast : ndarray of shape (n_features + 1, n_columns)
        As `learn_backcast` returns it.
    mean, scale : ndarray of shape (n_features,)
        Mean and standard deviation of the features.

    Returns
    -------
    ndarray of shape (n_features + 1, n_columns)
        In the units of the features.
    """
    column = np.arange(backcast.shape[1]) % len(mean)
    coef = backcast[:-1] / scale[:, None] * scale[column]
    return np.vstack([coef, backcast[-1] * scale[column] + mean[column] - mean @ coef])
