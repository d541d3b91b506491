"""Data sets and models that `skill.py` compares, each defined once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Split(NamedTuple):
    """A data set, cut into a training and a test part.

    Attributes
    ----------
    X, X_test : Sequences, ndarray of shape (n, n_steps, n_features), or list of str
        What the LSTM reads.
    y, y_test : ndarray of shape (n,) or (n, n_steps)
        Numbers in standard deviations of the training rows, or labels.
    last, season : ndarray of shape (n_test,), default=None
        Of a forecast: the last observed value, and the one of the last season (naive and seasonal
        naive forecasts).
    target : int, default=None
        Of a forecast: the feature that is forecast.
    is_number : bool, default=False
        Whether the target is a number, not a label.
    vectors : str, default=None
        Of texts: the file of word vectors.
    """

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    last: np.ndarray | None = None
    season: np.ndarray | None = None
    target: int | None = None
    is_number: bool = False
    vectors: str | None = None


class DataSet(NamedTuple):
    """A data set: a line of the table.

    Attributes
    ----------
    name : str
        Of the set.
    kind : {"forecasts", "numbers", "independent sequences", "labels of rows", "labels of steps", \
            "texts"}
        The task, by which models are chosen.
    half : {"choose", "report"}
        Whether defaults may be chosen on it, or are reported on it.
    read : callable
        From a seed, which matters if the split is random, to a `Split`.
    """

    name: str
    kind: str
    half: str
    read: Callable[[int], Split]


class Probabilities(NamedTuple):
    """Predicted probabilities of labels.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    shares : ndarray of shape (n, n_classes)
        Probability of each label.
    """

    classes: np.ndarray
    shares: np.ndarray


SQUARED = "forecasts", "numbers"
"""Kinds whose errors are squared."""

LEAST_SHARE = 1e-15
"""A probability below it counts as much: a forest may say 0."""


def error(kind, y, predictions):
    """Return the mean squared error of numbers, or the share of wrong labels."""
    if kind in SQUARED:
        return float(np.mean((y - predictions) ** 2))
    if isinstance(predictions, Probabilities):
        predictions = predictions.classes[predictions.shares.argmax(axis=1)]
    return float(np.mean(np.ravel(y) != np.ravel(predictions)))


def log_loss(y, predictions):
    """Return the mean negative logarithm of the probability of the actual label, or NaN."""
    if not isinstance(predictions, Probabilities):
        return np.nan
    shares = predictions.shares[np.arange(len(y)), np.searchsorted(predictions.classes, y)]
    return float(-np.log(np.maximum(shares, LEAST_SHARE)).mean())
