"""Warnings before a fit of mistakes that make it worthless without an error."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import type_of_target

from sklstm._data.samples import GivenSamples
from sklstm._data.warning import DataWarning, warn

__all__ = [
    "check_target_names",
    "final_estimator",
    "target_names",
    "warn_of_mistakes",
    "warn_of_other_rows",
]

MIN_ROWS = 10
"""Fewer rows may equal their target by chance, and are no training."""

MANY_FEATURES = 8
"""As few steps have series that are classified as a whole."""


def warn_of_mistakes(
    X: Any,
    samples: GivenSamples,
    name: str,
    *,
    is_table: bool,
    is_classifier: bool,
    reads_tokens: bool,
) -> None:
    """Warn of all that looks like a mistake in the data of a first fit.

    Parameters
    ----------
    X : object
        The inputs as the user gave them.
    samples : GivenSamples
        Training samples.
    name : str
        Name of the estimator.
    is_table, is_classifier, reads_tokens : bool
        What X and the estimator are.
    """
    warn_of_leaked_target(samples, name)
    if is_classifier:
        warn_of_step_labels(samples, name)
    if is_table:
        warn_of_rows_in_time(X, name)
        warn_of_flat_sequences(X, name)
    elif not reads_tokens:
        warn_of_one_step(samples, name)


def warn_of_rows_in_time(X: Any, name: str) -> None:
    """Warn that each row of a table in time is read by itself.

    Parameters
    ----------
    X : object
        The table of the user.
    name : str
        Name of the estimator.

    Warns
    -----
    DataWarning
        If the index of the table has dates.
    """
    if not isinstance(X, pd.DataFrame):
        return
    levels = [X.index.get_level_values(level) for level in range(X.index.nlevels)]
    if any(isinstance(level, (pd.DatetimeIndex, pd.PeriodIndex)) for level in levels):
        warn(
            f"{name} gets a table whose rows are in time, and reads each row as a sequence of one "
            "step, without the rows before it. Is a SequenceWindower missing? If rows are "
            "independent of each other, drop the index: reset_index(drop=True).",
            DataWarning,
        )


def warn_of_flat_sequences(X: Any, name: str) -> None:
    """Warn that each array of a list is read as one row of a table.

    Parameters
    ----------
    X : object
        What the user gives as a table.
    name : str
        Name of the estimator.

    Warns
    -----
    DataWarning
        If it is a list of 1-D arrays, which are rather sequences of one feature.
    """
    kinds = set(map(type, X)) if isinstance(X, (list, tuple)) else set()
    if kinds and all(issubclass(kind, (np.ndarray, pd.Series)) for kind in kinds):
        warn(
            f"{name} gets a list of 1-D arrays of one length, and reads each as one step of "
            f"{len(X[0])} features, as a row of a table. Sequences of one feature are "
            "[np.reshape(x, (-1, 1)) for x in X]; rows of a table are np.stack(X).",
            DataWarning,
        )


def warn_of_other_rows(X: Any, **given: Any) -> None:
    """Warn that targets or weights are named like the sequences, in another order.

    Parameters
    ----------
    X : object
        The inputs; only those with an index are compared.
    **given : object
        Targets or weights by name; only those of pandas have an index.

    Warns
    -----
    DataWarning
        If they have the same names in other places: rows are read as they come.
    """
    names: Any = getattr(X, "index", None)
    for what, values in given.items():
        other: Any = getattr(values, "index", None)
        if not _in_another_order(names, other):
            continue
        row = int(np.flatnonzero(np.asarray(names != other))[0])
        warn(
            f"The index of {what} has the names of X in another order: row {row} (counted from 0) "
            f"is {other[row]!r}, and {names[row]!r} in X. Rows are read as they come. If they "
            f"belong together by name, give {what}.loc[X.index]; if by place, {what}.to_numpy().",
            DataWarning,
        )


def target_names(y: Any) -> list[str] | None:
    """Names of the columns of a table of targets; None if there are none."""
    names = list(y.columns) if isinstance(y, pd.DataFrame) else []
    return names if names and all(isinstance(name, str) for name in names) else None


def final_estimator(estimator: Any) -> Any:
    """The estimator that predicts, inside searches and pipelines."""
    while True:
        inner = getattr(estimator, "best_estimator_", None)
        if inner is None and isinstance(estimator, Pipeline):
            inner = estimator.steps[-1][1]
        if inner is None:
            return estimator
        estimator = inner


def check_target_names(y: Any, model: Any) -> None:
    """Refuse targets whose columns are those of `fit` in another order.

    Parameters
    ----------
    y : object
        Targets, of validation data, of a later training or of a score.
    model : estimator
        Fitted, or a search or Pipeline of one that knows the names of its targets. Other names, or
        none, are read in the order of columns.

    Raises
    ------
    ValueError
        If a column would be compared with the predictions of another one.
    """
    names, fitted = target_names(y), getattr(final_estimator(model), "_target_names", None)
    if names is None or fitted is None or names == fitted or sorted(names) != sorted(fitted):
        return
    raise ValueError(
        f"The columns of y are {names}, in fit they were {fitted}: they are read in their order. "
        f"Give y[{fitted}]."
    )


def warn_of_leaked_target(samples: GivenSamples, name: str) -> None:
    """Warn of data leakage: the target is a feature of the last step of each history.

    Parameters
    ----------
    samples : GivenSamples
        Training samples.
    name : str
        Name of the estimator.

    Warns
    -----
    DataWarning
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
            few = slice(MIN_ROWS)  # mostly enough, without a pass over the table
            if _same(value[few], target[few]) and _same(value, target):
                names = sequences.feature_names
                which = feature if names is None else repr(names[feature])
                warn(
                    f"{name} is to predict y from histories that end with y itself: feature "
                    f"{which} in the last step of each history is the target of the row. Any score "
                    "of it means nothing. To predict later values, give the SequenceWindower a "
                    "horizon (horizon=1: from the rows before); else leave the feature out of X.",
                    DataWarning,
                )
                return


def warn_of_one_step(samples: GivenSamples, name: str) -> None:
    """Warn that each sequence has only one step.

    Parameters
    ----------
    samples : GivenSamples
        Training samples that are not a table.
    name : str
        Name of the estimator.

    Warns
    -----
    DataWarning
        If independent sequences are all of one step of many features without names: often the
        steps of one feature, in the layout of aeon and sktime.
    """
    sequences = samples.sequences
    if sequences.n_features < MANY_FEATURES or sequences.feature_names is not None:
        return
    if (sequences.lengths != 1).any() or (sequences.series >= 0).any():
        return
    warn(
        f"{name} gets sequences of one step of {sequences.n_features} features, so that there is "
        f"nothing to remember. If they are {sequences.n_features} steps of one feature, as aeon "
        "and sktime keep them, Sequences.from_arrays(X, channels_first=True) reads them; if each "
        "sequence is one step, give the table X[:, 0].",
        DataWarning,
    )


def warn_of_step_labels(samples: GivenSamples, name: str) -> None:
    """Warn that labels of steps are read as several labels of a sequence.

    Parameters
    ----------
    samples : GivenSamples
        Training samples of a classifier.
    name : str
        Name of the estimator.

    Warns
    -----
    DataWarning
        If `y` has a column for each step of independent sequences of one length.
    """
    sequences, y = samples.sequences, np.asarray(samples.y)
    shape = y.shape
    n_columns = shape[1] if len(shape) == 2 and samples.steps is None else 0
    if n_columns < 2 or (sequences.lengths != n_columns).any() or (sequences.series >= 0).any():
        return
    if type_of_target(y, input_name="y") != "multilabel-indicator":
        return
    warn(
        f"{name} reads y of the shape {shape} as {n_columns} labels that a sequence may have or "
        f"not, and each sequence has {n_columns} steps. If y has a label for each step, "
        "pooling=None learns and predicts them.",
        DataWarning,
    )


def _in_another_order(names: Any, other: Any) -> bool:
    """Whether both are indexes of unique names, which stand at other places."""
    if not (isinstance(names, pd.Index) and isinstance(other, pd.Index)):
        return False
    if len(names) != len(other) or names.nlevels != other.nlevels or names.equals(other):
        return False
    known = other.isin(names)
    if names.inferred_type != "string" and not known.all():
        return False  # dates may be shifted and numbers may count; a fold has some of the texts
    return bool(known.any() and names.is_unique and other.is_unique)


def _same(value: np.ndarray, target: np.ndarray) -> bool:
    """Whether two columns are equal, up to the rounding of a data type."""
    return bool(np.allclose(value, target, rtol=1e-6, atol=0))
