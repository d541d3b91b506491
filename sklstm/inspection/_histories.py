"""The histories that a model reads: its sequences, and the names of their lags and features."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sklstm._data.inputs import as_sequences, is_table
from sklstm._data.sequences import Sequences
from sklstm._tables.lags import LagSequencer
from sklstm._tables.windower import SequenceWindower

__all__ = ["lags_of", "name_lags", "names_of", "sequences_of", "windowers_in"]


def windowers_in(model: BaseEstimator) -> list[SequenceWindower]:
    """Windowers at any depth of a model or of the best estimator of a search, the outer first."""
    return [part for part in _parts_of(model) if isinstance(part, SequenceWindower)]


def lags_of(model: BaseEstimator, n_steps: int) -> np.ndarray:
    """Lags of the last steps of a history, the newest first.

    Those that a `LagSequencer` has read from names of columns need not be neighbours; the newest
    one behind a windower is its horizon.
    """
    for part in _parts_of(model):
        lags = getattr(part, "lags_", None) if isinstance(part, LagSequencer) else None
        if lags is not None:
            return lags[::-1]
    horizon = next((windower.horizon for windower in windowers_in(model)), 0)
    return np.arange(n_steps) + horizon


def _parts_of(model: BaseEstimator) -> list[Any]:
    model = getattr(model, "best_estimator_", model)
    return [model, *(model.get_params().values() if hasattr(model, "get_params") else [])]


def sequences_of(model: BaseEstimator, X: Any) -> tuple[Sequences, BaseEstimator]:
    """Sequences that a model makes of X, and the part of the model that reads them."""
    if not is_table(X):
        return as_sequences(model, X, reset=False), model
    steps = model.steps[:-1] if isinstance(model, Pipeline) else []
    for place, (_, step) in enumerate(steps, start=1):
        if step not in (None, "passthrough"):
            X = step.transform(X)
        if isinstance(X, Sequences):
            return X, model[place:]
    raise ValueError(
        f"X is a table, and {type(model).__name__} has no step that makes sequences of it, so that "
        "there is no history: give a Pipeline with a SequenceWindower, or sequences. "
        "sklearn.inspection.permutation_importance takes any model of a table."
    )


def name_lags(lags: np.ndarray) -> str:
    """Name of a group of lags, the oldest first."""
    first, last = (f"t-{lag}" if lag else "t" for lag in (lags[0], lags[-1]))
    return first if first == last else f"{first} to {last}"


def names_of(sequences: Sequences) -> list[str]:
    """Names of the features, or their places."""
    names = sequences.feature_names
    return [f"x{place}" for place in range(sequences.n_features)] if names is None else list(names)
