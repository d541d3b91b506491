"""Targets at every step: flat for networks and metrics, by sequence for users."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.arrays import plain_rows
from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._data.warning import DataWarning, DroppedDataWarning, warn

__all__ = [
    "StepNames",
    "flatten_steps",
    "flatten_weights",
    "has_no_label",
    "has_no_number",
    "histories_of_steps",
    "plain_labels",
    "score_rows",
    "score_steps",
    "score_targets",
    "unflatten_steps",
    "warn_of_no_label",
]


def has_no_label(flat: np.ndarray) -> np.ndarray:
    """Return which steps have no label.

    Parameters
    ----------
    flat : ndarray of shape (n_steps,) or (n_steps, n_outputs)
        Labels.

    Returns
    -------
    ndarray of bool, shape (n_steps,)
        True for NaN and None, and for -1 among whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> has_no_label(np.array([0, -1, 2]))
    array([False,  True, False])
    """
    missing = flat == -1 if flat.dtype.kind == "i" else pd.isna(flat)
    return np.any(missing.reshape(len(flat), -1), axis=1)


def has_no_number(flat: np.ndarray) -> np.ndarray:
    """Return which steps have no number to predict.

    Parameters
    ----------
    flat : ndarray of shape (n_steps,) or (n_steps, n_outputs)
        Numbers; -1 is one like any other.

    Returns
    -------
    ndarray of bool, shape (n_steps,)
        True where all numbers are NaN or None: some of several may be missing.

    Examples
    --------
    >>> import numpy as np
    >>> has_no_number(np.array([-1.0, np.nan]))
    array([False,  True])
    """
    return np.all(pd.isna(flat).reshape(len(flat), -1), axis=1)


def warn_of_no_label(flat: np.ndarray) -> None:
    """Warn where -1 may be meant as a label, or as none, and where some of several are missing."""
    left_out = has_no_label(flat).sum() if flat.dtype.kind == "i" else 0
    if left_out:
        warn(
            f"y is -1 at {left_out} of {len(flat)} steps: they have no label, and are left out. If "
            "-1 is a label like the others, rename it: y + 1, or texts. If not, use NaN or None to "
            "avoid this warning.",
            DroppedDataWarning,
        )
    elif flat.ndim == 2 and (in_part := has_no_label(flat) & ~pd.isna(flat).all(axis=1)).any():
        warn(
            f"y misses some of the labels at {in_part.sum()} of {len(flat)} steps, which are left "
            "out with all of them. A model for each label learns the steps that have it; NaN for "
            "all labels of these steps avoids this warning.",
            DroppedDataWarning,
        )
    if flat.ndim == 1 and flat.dtype.kind == "f" and (flat == -1).any():
        warn(
            f"y is -1.0 at {(flat == -1).sum()} of {len(flat)} steps, and that is learned as a "
            "label. If such steps have none, put NaN in its place (load_mat has missing_values=-1 "
            "for it); if they have, texts as labels say so without this warning.",
            DataWarning,
        )


class StepNames:
    """Row and step of labels in a message, such as "3, step 2".

    Parameters
    ----------
    labels : ndarray of int, shape (n_labels,)
        Steps with a label, counted through all sequences.
    lengths : ndarray of int, shape (n_sequences,)
        Number of steps of each sequence.
    """

    def __init__(self, labels: np.ndarray, lengths: np.ndarray) -> None:
        self.labels, self.ends, self.lengths = labels, np.cumsum(lengths), lengths

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, label: int) -> str:
        step = self.labels[label]
        row = np.searchsorted(self.ends, step, side="right")
        return f"{row}, step {step - self.ends[row] + self.lengths[row]}"


def plain_labels(labels: np.ndarray) -> np.ndarray:
    """Make numbers of numbers in an array of objects, and plain texts of NumPy's new ones.

    Parameters
    ----------
    labels : ndarray of any shape
        Without missing values.

    Returns
    -------
    ndarray of the same shape
        Texts and mixtures of types stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> plain_labels(np.array([1, 0], dtype=object))
    array([1, 0])
    """
    if labels.dtype.kind == "T":
        return np.array(labels.tolist(), dtype=str).reshape(labels.shape)
    if labels.dtype.kind != "O":
        return labels
    inferred = pd.Series(labels.ravel(), dtype=object).infer_objects().to_numpy()
    return inferred.reshape(labels.shape) if inferred.dtype.kind in "biuf" else labels


def flatten_steps(
    y: Any,
    lengths: np.ndarray,
    name: str = "y",
    is_unlabelled: Callable[[np.ndarray], np.ndarray] = has_no_label,
) -> np.ndarray:
    """Concatenate the entries of the steps of all sequences.

    Parameters
    ----------
    y : array-like of shape (n_sequences, n_steps) or (n_sequences, n_steps, n_outputs), list of \
            array-likes of shape (n_steps_i,) or (n_steps_i, n_outputs), or Sequences
        One entry a step. Entries after the end of a sequence have to be unlabelled.
    lengths : ndarray of int, shape (n_sequences,)
        Number of steps of each sequence.
    name : str, default="y"
        Name of `y` in messages.
    is_unlabelled : callable, default=has_no_label
        Returns which entries have no label: `has_no_label` or `has_no_number`.

    Returns
    -------
    ndarray of shape (sum of lengths,) or (sum of lengths, n_outputs)
        Without entries after the end of a sequence.

    Raises
    ------
    ValueError
        If the entry of a step is missing, or there are labels after the end; the message names the
        sequence and both lengths.

    Examples
    --------
    >>> import numpy as np
    >>> flatten_steps([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]], lengths=np.array([2, 3]))
    array([1., 2., 3., 4., 5.])
    """
    y = plain_rows(y)
    if isinstance(y, Sequences):
        given, flat = y.lengths.astype(np.int64), y.flat()
        flat = flat[:, 0] if y.n_features == 1 else flat
    else:
        parts = [np.asarray(part) for part in y]
        given = np.array([len(part) if part.ndim else -1 for part in parts])
        if (given < 0).any():
            raise ValueError(
                f"{name} holds one entry a sequence, and pooling=None needs one for each step: an "
                "array of shape (n_sequences, n_steps), or a list of arrays. Choose a pooling to "
                "predict one value a sequence."
            )
        flat = np.concatenate(parts)
    short = np.flatnonzero(given < lengths)
    if len(short):
        row = short[0]
        raise ValueError(
            f"Sequence {row} (counted from 0) has {lengths[row]} steps, and its {name} has "
            f"{given[row]} entries: every step needs one. NaN, or -1 among labels that are whole "
            "numbers, leaves a step out."
        )
    starts = np.cumsum(given) - given
    behind = ranges(starts + lengths, given - lengths)
    if len(behind):
        labelled = ~is_unlabelled(flat)[behind]
        if name == "y" and labelled.any():
            row = int(np.searchsorted(starts + given, behind[labelled.argmax()], side="right"))
            raise ValueError(
                f"Sequence {row} (counted from 0) has {lengths[row]} steps, and its {name} has "
                f"labels behind them: {given[row]} entries. Fill it with NaN there (-1 for labels "
                "that are whole numbers), or cut it off; in front, if X was padded in front."
            )
        flat = flat[ranges(starts, lengths)]
    return flat


def unflatten_steps(flat: np.ndarray, lengths: np.ndarray) -> np.ndarray | list[np.ndarray]:
    """Split flat entries by sequence.

    Parameters
    ----------
    flat : ndarray of shape (sum of lengths, ...)
        One entry a step.
    lengths : ndarray of int, shape (n_sequences,)
        Number of steps of each sequence.

    Returns
    -------
    ndarray of shape (n_sequences, n_steps, ...) or list of ndarray of shape (n_steps_i, ...)
        An array if all sequences are of one length.

    Examples
    --------
    >>> import numpy as np
    >>> unflatten_steps(np.arange(4), lengths=np.array([2, 2]))
    array([[0, 1],
           [2, 3]])
    """
    if (lengths == lengths[0]).all():
        return flat.reshape(len(lengths), lengths[0], *flat.shape[1:])
    return np.split(flat, np.cumsum(lengths)[:-1])


def histories_of_steps(sequences: Sequences) -> Sequences:
    """Make a sequence for each step, of all steps up to it.

    Parameters
    ----------
    sequences : Sequences
        Of any lengths.

    Returns
    -------
    Sequences
        One for each step, sequence by sequence.

    Examples
    --------
    >>> import numpy as np
    >>> histories_of_steps(Sequences(np.zeros((3, 1)), starts=[0, 1], lengths=[1, 2])).lengths
    array([1, 1, 2], dtype=int32)
    """
    starts = np.repeat(sequences.starts, sequences.lengths)
    lengths = ranges(np.ones(len(sequences), dtype=np.int64), sequences.lengths)
    names, categories = sequences.feature_names, sequences.categories
    return Sequences(sequences.values, starts, lengths, feature_names=names, categories=categories)


def score_steps(
    metric: Callable,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any = None,
    *,
    is_unlabelled: Callable[[np.ndarray], np.ndarray] | None = None,
    **params: Any,
) -> float:
    """Compute a metric over all labelled steps of all sequences, or over all labelled rows.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, sample_weight=None, **params)`` of flat arrays.
    y_true : array-like of shape (n_sequences, n_steps, ...), list of arrays, or Sequences
        Labels or numbers; steps without one are left out: NaN, None, or -1 among whole numbers
        unless the predictions are floating-point numbers, one a step, as a regressor's are. An
        array ``(n_rows,)`` has one for each row; those that are NaN or None are left out. Of
        several numbers a step some may be missing: the result is the mean over the targets.
    y_pred : array-like of shape (n_sequences, n_steps, ...) or list of arrays
        Predictions of all steps; ``(n_rows,)`` if there is one for each row.
    sample_weight : array-like of shape (n_sequences,), or as `y_true`, default=None
        Weights of sequences, or of steps.
    is_unlabelled : callable, default=None
        Returns which steps are left out. `None`: those described for `y_true`.
    **params : dict
        More arguments of the metric.

    Returns
    -------
    float
        The value of the metric.
    """
    y_true, y_pred, sample_weight = map(plain_rows, (y_true, y_pred, sample_weight))
    if np.ndim(y_pred[0]) == 0 or (np.ndim(y_pred[0]) == 1 and "multioutput" in params):
        return score_rows(metric, y_true, y_pred, sample_weight, **params)
    lengths = np.array([len(part) for part in y_pred])
    predicted = np.concatenate(list(y_pred))
    if is_unlabelled is None:
        n_axes = np.ndim(y_true[0])
        if isinstance(y_true, Sequences) and y_true.n_features == 1:
            n_axes = 1
        # Probabilities have one axis more than labels.
        of_numbers = predicted.dtype.kind == "f" and predicted.ndim == n_axes
        is_unlabelled = has_no_number if of_numbers else has_no_label
    flat = flatten_steps(y_true, lengths, is_unlabelled=is_unlabelled)
    labelled = ~is_unlabelled(flat)
    if sample_weight is not None:
        params["sample_weight"] = flatten_weights(sample_weight, lengths, y_true)[labelled]
    return score_targets(metric, plain_labels(flat[labelled]), predicted[labelled], **params)


def score_targets(metric: Callable, y_true: np.ndarray, y_pred: np.ndarray, **params: Any) -> Any:
    """Compute a metric of several targets, of which some may be missing in some rows.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, sample_weight=None, **params)``.
    y_true : ndarray of shape (n,) or (n, n_outputs)
        Labels or numbers, NaN for a missing one; some of each row are not missing.
    y_pred : ndarray of the same shape
        Predictions.
    **params : dict
        More arguments of the metric.

    Returns
    -------
    float
        If some are missing, the mean of the metrics of each target over the rows that have it, or
        what `multioutput` asks for.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import mean_absolute_error
    >>> y = np.array([[1.0, np.nan], [2.0, 5.0]])
    >>> score_targets(mean_absolute_error, y, np.array([[1.0, 7.0], [3.0, 6.0]]))
    0.75
    """
    is_known = ~pd.isna(y_true)
    if y_true.ndim == 1 or is_known.all():
        return metric(y_true, y_pred, **params)
    weight, average = params.pop("sample_weight", None), params.pop("multioutput", None)
    if isinstance(average, str) and average == "variance_weighted":
        raise ValueError("multioutput='variance_weighted' needs all targets of all rows.")
    scores = []
    for true, predicted, there in zip(y_true.T, y_pred.T, is_known.T, strict=True):
        if weight is not None:
            params["sample_weight"] = weight[there]
        scores.append(metric(true[there], predicted[there], **params))
    if isinstance(average, str) and average == "raw_values":
        return np.array(scores)
    return float(np.average(scores, weights=None if isinstance(average, str) else average))


def score_rows(
    metric: Callable, y_true: Any, y_pred: Any, sample_weight: Any = None, **params: Any
) -> float:
    """Compute a metric over the rows that have a label.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, sample_weight=None, **params)``.
    y_true : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Labels or numbers, NaN or None for one that is missing.
    y_pred : array-like of shape (n_rows, ...)
        Predictions.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights.
    **params : dict
        More arguments of the metric.

    Returns
    -------
    float
        The value of the metric.
    """
    y_true, y_pred = np.asarray(plain_rows(y_true)), np.asarray(y_pred)
    labelled = ~has_no_number(y_true)
    if sample_weight is not None:
        params["sample_weight"] = np.asarray(sample_weight)[labelled]
    return score_targets(metric, plain_labels(y_true[labelled]), y_pred[labelled], **params)


def flatten_weights(sample_weight: Any, lengths: np.ndarray, y: Any) -> np.ndarray:
    """Weight of each step, from weights of sequences or of steps.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), or one entry a step
        As `fit` takes them.
    lengths : ndarray of int, shape (n_sequences,)
        Number of steps of each sequence.
    y : array-like or Sequences
        Targets of the steps: weights of steps have as many entries.

    Returns
    -------
    ndarray of float64, shape (sum of lengths,)
        A step has the weight of its sequence, if it has none of its own.

    Raises
    ------
    ValueError
        If a sequence has neither as many weights as steps nor as many as entries of `y`.
    """
    sample_weight, y = plain_rows(sample_weight), plain_rows(y)
    of_sequences = all(np.ndim(weight) == 0 for weight in sample_weight)
    if of_sequences:
        return np.repeat(np.asarray(sample_weight, dtype=np.float64), lengths)
    flat = flatten_steps(sample_weight, lengths, "sample_weight").astype(np.float64)
    given, of_y = _n_entries(sample_weight), _n_entries(y)
    wrong = np.flatnonzero((given != lengths) & (given != of_y))
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"Sequence {row} (counted from 0) has {lengths[row]} steps and {of_y[row]} entries of "
            f"y, and its sample_weight has {given[row]}: give one weight for each step, in the "
            "form of y."
        )
    return flat


def _n_entries(y: Any) -> np.ndarray:
    """Number of entries of each sequence."""
    return y.lengths if isinstance(y, Sequences) else np.array([len(part) for part in y])
