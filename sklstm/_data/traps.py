"""Mistakes that make a fit worthless without an error: said before it begins."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.samples import GivenSamples
from sklstm._data.sequences import Sequences

__all__ = ["warn_of_known_target", "warn_of_one_step", "warn_of_rows_in_time"]

MIN_ROWS = 10
MANY_FEATURES = 8


def warn_of_rows_in_time(X: Any, name: str) -> None:
    """Say that each row of a table in time is read by itself.

    Parameters
    ----------
    X : object
        What the user gave as a table.
    name : str
        Name of the estimator.

    Warns
    -----
    UserWarning
        If the index of the table has dates.
    """
    if not isinstance(X, pd.DataFrame):
        return
    levels = [X.index.get_level_values(level) for level in range(X.index.nlevels)]
    if any(isinstance(level, (pd.DatetimeIndex, pd.PeriodIndex)) for level in levels):
        warnings.warn(
            f"{name} gets a table whose rows are in time, and reads each row as a sequence of one "
            "step, without the rows before it. Is a SequenceWindower missing? If rows have nothing "
            "to do with each other, reset_index(drop=True) says so.",
            UserWarning,
            stacklevel=5,
        )


def warn_of_one_step(sequences: Sequences, name: str) -> None:
    """Say that every sequence is one step of many features.

    Parameters
    ----------
    sequences : Sequences
        Training sequences, not those of a table.
    name : str
        Name of the estimator.

    Warns
    -----
    UserWarning
        If they look like series whose steps stand where the features belong.
    """
    in_series, n_features = sequences.series >= 0, sequences.n_features
    if in_series.any() or (sequences.lengths != 1).any() or sequences.feature_names is not None:
        return
    if n_features >= MANY_FEATURES:
        warnings.warn(
            f"{name} gets sequences of one step with {n_features} features each, so that there is "
            f"no order to learn from. If they are {n_features} steps of one feature, features come "
            "first, as in aeon and sktime: Sequences.from_arrays(X, channels_first=True). If they "
            "are rows of a table, give the table: X[:, 0].",
            UserWarning,
            stacklevel=5,
        )


def warn_of_known_target(samples: GivenSamples, name: str) -> None:
    """Say that the target stands in the last step of each history.

    Parameters
    ----------
    samples : GivenSamples
        Training samples.
    name : str
        Name of the estimator.

    Warns
    -----
    UserWarning
        If a column of the target is, in every row of a table, the last value of a feature.
    """
    sequences, y = samples.sequences, np.asarray(samples.y)
    rows = np.flatnonzero((sequences.series >= 0) & (sequences.lengths > 0))
    if samples.steps is not None or y.dtype.kind not in "biuf" or len(rows) < MIN_ROWS:
        return
    last = sequences.values[sequences.ends[rows] - 1]
    for target in y[rows].reshape(len(rows), -1).T:
        if (target == target[0]).all():
            continue
        for feature, value in enumerate(last.T):
            few = slice(MIN_ROWS)  # mostly enough to tell, without a pass over the table
            if _same(value[few], target[few]) and _same(value, target):
                names = sequences.feature_names
                which = feature if names is None else repr(names[feature])
                warnings.warn(
                    f"{name} is to predict y from histories that end with y itself: feature "
                    f"{which} in the last step of each history is the target of the row. Any score "
                    "of it means nothing. To predict what comes, give the SequenceWindower a "
                    "horizon (horizon=1: from the rows before); else leave the feature out of X.",
                    UserWarning,
                    stacklevel=5,
                )
                return


def _same(value: np.ndarray, target: np.ndarray) -> bool:
    """Whether two columns are one, but for the rounding of a data type."""
    return bool(np.allclose(value, target, rtol=1e-6, atol=0))
