"""Classification heads: multiclass and multilabel."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from scipy.special import expit, log_expit, log_softmax, logit, softmax
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sklstm._data.samples import GivenSamples
from sklstm._data.steps import plain_labels
from sklstm._data.warning import DataConversionWarning, warn
from sklstm._nn.heads import Head
from sklstm._nn.losses import CrossEntropy, LabelCrossEntropy

__all__ = ["MulticlassHead", "MultilabelHead", "learn_classification_head"]

SMALLEST_SHARE = 1e-6
"""Share of a label without training samples."""


@dataclass(frozen=True)
class MulticlassHead(Head):
    """One of several labels.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    class_weights : ndarray of shape (n_classes,), or None
        Factors of the sample weights; None for 1 each.
    """

    target_type = "multiclass"
    baseline_name = "class prior"
    blending_penalty = 0.5  # log losses and a standard normal prior: of few rows it stays small

    classes: np.ndarray
    class_weights: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """Number of labels."""
        return len(self.classes)

    @property
    def n_targets(self) -> int:
        """Number of labels a sample has at once."""
        return 1

    @property
    def public_classes(self) -> Any:
        """The classes as in scikit-learn: for several targets a list of arrays."""
        return self.classes

    @property
    def loss(self) -> Callable:
        """Cross-entropy."""
        return CrossEntropy()

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Find the position of each label."""
        y = _labels(y, rows)
        if _is_table(y):
            raise ValueError(
                "y is a table of several labels, which the estimator does not know: it learned one "
                f"label a sample, of the classes {self.classes.tolist()}."
            )
        y = column_or_1d(y)
        self._refuse_unknown(np.unique(y))
        return np.searchsorted(self.classes, y)[:, None].astype(float)

    def _refuse_unknown(self, labels: np.ndarray) -> None:
        unknown = np.setdiff1d(labels, self.classes)
        if len(unknown):
            raise ValueError(
                f"y holds the labels {unknown.tolist()}, which the estimator does not know: its "
                f"classes are {self.classes.tolist()}, those of the first call. partial_fit takes "
                "all that will ever come as classes."
            )

    def refuse_other_classes(self, classes: Any) -> None:
        """Refuse classes that are not those of the first call of `partial_fit`."""
        if not np.array_equal(np.unique(classes), self.classes):
            raise ValueError(
                f"classes={np.unique(classes).tolist()} is not what the first call of partial_fit "
                f"had: {self.classes.tolist()}."
            )

    def accuracy(self, y: Any, predicted: np.ndarray, sample_weight: Any = None) -> float:
        """Compute the share of samples whose labels are all correct."""
        y = y if issparse(y) else plain_labels(np.asarray(y))
        return accuracy_score(y, predicted, sample_weight=sample_weight)

    def weighted_by(self, class_weight: Any, given: GivenSamples) -> "MulticlassHead":
        """Set the weights of the labels.

        Parameters
        ----------
        class_weight : dict, "balanced" or None
            Weight of each label; ``"balanced"`` is the inverse of its share.
        given : GivenSamples
            Training labels.

        Returns
        -------
        MulticlassHead
            With weights for its classes.

        Raises
        ------
        ValueError
            If a label is unknown, or a weight is not a finite number from 0.
        """
        if class_weight is None:
            return replace(self, class_weights=None)
        if class_weight == "balanced":
            y = self.classes[self.encode(given.y, given.rows)[:, 0].astype(int)]
            weights = compute_class_weight(
                "balanced", classes=self.classes, y=y, sample_weight=given.weight
            )
            return replace(self, class_weights=weights)
        unknown = [label for label in class_weight if label not in self.classes]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, which y does not hold: its labels are "
                f"{self.classes.tolist()}."
            )
        weights = np.array([class_weight.get(label, 1.0) for label in self.classes])
        if not ((weights >= 0) & np.isfinite(weights)).all():
            raise ValueError(
                f"class_weight={class_weight} holds a weight below zero, or none: weights are "
                "finite numbers from 0."
            )
        return replace(self, class_weights=weights)

    def weigh(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Multiply weights by those of the labels."""
        if self.class_weights is None:
            return weight
        weight = weight * self.class_weights[target[:, 0].astype(int)]
        if not weight.any():
            raise ValueError(
                "class_weight gives weight zero to all of y: there is nothing to learn from."
            )
        return weight

    def strata(self, target: np.ndarray) -> np.ndarray | None:
        """Stratify by label."""
        return target[:, 0]

    def to_network(self, target: np.ndarray, init: np.ndarray | None) -> np.ndarray:
        """Append the log-odds of the init estimator to the targets, for the loss."""
        return target if init is None else np.hstack([target, init])

    @property
    def init_map(self) -> np.ndarray:
        """Keep log-odds as they are."""
        return np.eye(self.n_outputs)

    def explained(self, columns: np.ndarray) -> np.ndarray:
        """Log-odds of a label against the mean of the others, as only differences matter."""
        others = -np.ones((self.n_outputs, self.n_outputs)) / (self.n_outputs - 1)
        np.fill_diagonal(others, 1.0)
        return others[columns]

    def init_target(self, target: np.ndarray) -> np.ndarray:
        """A column for each class: 1 for the samples that have it."""
        return (target == np.arange(self.n_outputs)).astype(np.float64)

    def baseline(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Take the logarithm of the class prior."""
        counts = np.bincount(target[:, 0].astype(int), weight, minlength=self.n_outputs)
        return np.log(np.maximum(counts / counts.sum(), SMALLEST_SHARE))

    def blended(self) -> list[tuple[list[int], list[int], Any]]:
        """One blending weight for all log-odds, as only their differences matter."""
        return [(list(range(self.n_outputs)), [], slice(None))]

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Choose the label with the largest output."""
        return self.classes[outputs.argmax(axis=1)]

    def predict_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the probability of each label."""
        return softmax(outputs, axis=1)

    def predict_log_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the logarithm of the probability of each label."""
        return log_softmax(outputs, axis=1)

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Choose the label, and compute the probabilities."""
        labels = np.array(self.classes.tolist())
        if labels.dtype.kind not in "biufU":
            raise ValueError(
                f"The labels are of the type {type(self.classes[0]).__name__}; ONNX knows texts "
                "and numbers only."
            )
        labels = labels.astype(object) if labels.dtype.kind == "U" else labels
        op("Softmax", op.cast(outputs, "double"), axis=-1, names=["probabilities"])
        op("Gather", labels, op("ArgMax", outputs, axis=-1, keepdims=0), names=["label"])
        op.output("label", labels.dtype, axes)
        op.output("probabilities", "double", [*axes, len(labels)])


@dataclass(frozen=True)
class MultilabelHead(MulticlassHead):
    """Several labels at once, or none: a table with a column for each label.

    Attributes
    ----------
    classes : ndarray of shape (2,)
        Values in the table: 0 where a sample lacks the label, a number above 0 where it has it.
    n_labels : int
        Number of columns.
    """

    target_type = "multilabel-indicator"

    n_labels: int = 0

    @property
    def n_outputs(self) -> int:
        """Number of labels."""
        return self.n_labels

    @property
    def n_targets(self) -> int:
        """Number of labels a sample may have at once."""
        return self.n_labels

    @property
    def public_classes(self) -> np.ndarray:
        """The two values, for each label: scikit-learn takes them for several labels."""
        return np.tile(self.classes, (self.n_labels, 1))

    @property
    def loss(self) -> Callable:
        """Cross-entropy of each label."""
        return LabelCrossEntropy()

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Mark the labels by 1."""
        y = _labels(y, rows)
        if not _is_table(y):
            raise ValueError(
                "y holds one label a sample, which the estimator does not know: it learned a table "
                f"of {self.n_labels} labels."
            )
        values = np.unique(y)
        if y.shape[1] != self.n_labels or len(np.setdiff1d(values, self.classes)):
            raise ValueError(
                f"y is a table of {y.shape[1]} columns with the values {_some(values)}. The "
                f"estimator learned {self.n_labels} columns with {self.classes.tolist()}."
            )
        return (y != 0).astype(np.float64)

    def accuracy(self, y: Any, predicted: np.ndarray, sample_weight: Any = None) -> float:
        """Compute the share of samples whose labels are all correct, in a table as in training."""
        check_consistent_length(y, predicted)
        rows = np.arange(len(predicted))
        return super().accuracy(self.encode(y, rows), self.encode(predicted, rows), sample_weight)

    def weighted_by(self, class_weight: Any, given: GivenSamples) -> "MulticlassHead":
        """Refuse class weights."""
        if class_weight is not None:
            raise ValueError(
                "class_weight is for one label a sample, and y is a table of several. Use "
                "sample_weight."
            )
        return self

    def explained(self, columns: np.ndarray) -> np.ndarray:
        """Log-odds of a label."""
        return np.eye(self.n_labels)[columns]

    def init_target(self, target: np.ndarray) -> np.ndarray:
        """The marks themselves."""
        return target

    def baseline(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Take the log-odds of the share of each label."""
        shares = np.average(target, axis=0, weights=weight)
        return logit(np.clip(shares, SMALLEST_SHARE, 1 - SMALLEST_SHARE))

    def strata(self, target: np.ndarray) -> None:
        """Do not stratify, as there are too many sets of labels."""
        return

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Choose the labels that are more likely than not."""
        return self.classes[(outputs > 0).astype(int)]

    def predict_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the probability of each label."""
        return expit(outputs)

    def predict_log_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the logarithm of the probability of each label."""
        return log_expit(outputs)

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Choose the labels, and compute their probabilities."""
        outputs = op.cast(outputs, "double")
        op("Sigmoid", outputs, names=["probabilities"])
        chosen = op.cast(op("Greater", outputs, np.float64(0)), "int64")
        op("Gather", self.classes, chosen, names=["label"])
        for name, kind in (("label", self.classes.dtype), ("probabilities", "double")):
            op.output(name, kind, [*axes, self.n_labels])


def learn_classification_head(y: Any, rows: np.ndarray, classes: Any = None) -> MulticlassHead:
    """Learn the labels of a target.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Training labels, or a table that marks the labels of each sample.
    rows : ndarray of int, shape (n,)
        Row of X of each, for messages.
    classes : array-like of shape (n_classes,), default=None
        All labels that will ever come, or the two values of a table. `None`: those of `y`.

    Returns
    -------
    MulticlassHead
        `MultilabelHead` if a sample may have several labels.

    Raises
    ------
    ValueError
        If a label is missing, `y` holds numbers that are not labels, there is only one label, or a
        table does not mark labels by a number above 0 and all others by 0.
    """
    y = _labels(y, rows)
    if _is_table(y):
        return MultilabelHead(_marks(y, classes), n_labels=y.shape[1])
    if y.ndim == 2:
        warn(  # scikit-learn's estimator checks require its own message
            "A column-vector y was passed when a 1d array was expected. Predictions will be 1-D; "
            "y.ravel() is a y without this warning.",
            DataConversionWarning,
        )
    labels = np.unique(column_or_1d(y) if classes is None else classes)
    if len(labels) < 2:
        raise ValueError(
            f"LSTMClassifier needs samples of at least 2 classes, and y holds one class only: "
            f"{labels.tolist()[0]!r}."
        )
    return MulticlassHead(labels)


def _labels(y: Any, rows: np.ndarray) -> np.ndarray:
    """Labels as an array, none of them missing."""
    y = y.toarray() if issparse(y) else np.asarray(y)
    missing = pd.isna(y) if y.dtype.kind != "f" else ~np.isfinite(y)
    missing = missing.reshape(len(rows), -1).any(axis=1)
    if missing.any():
        raise ValueError(
            f"Input y contains NaN or infinity: row {rows[missing.argmax()]} (counted from 0) "
            f"and {missing.sum() - 1} more have no label. Drop such rows, or give them "
            "sample_weight 0 so that they are history only."
        )
    if _is_table(y) and y.dtype.kind == "O":
        y = np.array(y.tolist())  # columns of several dtypes in a DataFrame
    y = plain_labels(y)
    kinds = {isinstance(label, str) for label in y.ravel()} if y.dtype.kind == "O" else set()
    if len(kinds) > 1:
        other = next(label for label in y.ravel() if not isinstance(label, str))
        raise ValueError(
            f"y mixes texts with other labels, such as {other!r}, which have no order in common: "
            "make them all texts, [str(label) for label in y]."
        )
    check_classification_targets(y)
    return y


def _is_table(y: np.ndarray) -> bool:
    return y.ndim == 2 and y.shape[1] > 1


def _marks(table: np.ndarray, classes: Any) -> np.ndarray:
    """The two values of a table of labels: 0, and what marks a label."""
    values = np.unique(table)
    if classes is not None:
        values = np.unique(np.append(values, np.unique(classes)))
    if values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all() and values[0] == 0:
        return np.array([0, 1]).astype(values.dtype)
    what = (
        f"y is a table of {table.shape[1]} columns with the values {_some(values)}. A table of "
        "several labels holds 0 where a sample does not have the label, and 1 or True where it "
        "does: scikit-learn's scores misread other values."
    )
    if len(values) > 2:
        raise ValueError(
            f"{what} If each step has its label, pooling=None learns and predicts them. If each "
            "column holds one of several classes, fit a classifier for each: "
            "sklearn.multioutput.MultiOutputClassifier(LSTMClassifier())."
        )
    if len(values) == 1:
        raise ValueError(
            f"{what} Here nothing is 0, so that there is nothing to tell apart. If that is so in "
            f"the first part only, give partial_fit classes=[0, 1]. At steps, -1 among "
            "whole numbers is no value but a missing label."
        )
    raise ValueError(
        f"{what} Give (y == {values[1].item()!r}).astype(int). If each step has its label, "
        "pooling=None learns and predicts them."
    )


def _some(values: np.ndarray) -> str:
    return str(values[:5].tolist()) + (" and more" if len(values) > 5 else "")
