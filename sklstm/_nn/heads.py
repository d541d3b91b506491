"""Heads: what a target is, how it is learned from labels or numbers, and told in them again."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d
from torch import nn
from torch.nn import functional as F

from sklstm._data.samples import GivenSamples, Samples
from sklstm._nn.scaling import weighted_moments

__all__ = [
    "REGRESSION_LOSSES",
    "Head",
    "LabelHead",
    "LabelsHead",
    "NumberHead",
    "WeightedLoss",
    "head_from_plain",
    "learn_labels",
]

REGRESSION_LOSSES = {
    "squared_error": F.mse_loss,
    "absolute_error": F.l1_loss,
    "huber": F.huber_loss,
}

SEVERAL = "multilabel-indicator"


class WeightedLoss(nn.Module):
    """Weighted mean of an element-wise loss.

    ``sum_i w_i mean_k loss(prediction_ik, target_ik) / sum_i w_i``, so that a weight of 2 is the
    same as the sequence standing there twice.

    Parameters
    ----------
    elementwise : callable
        ``elementwise(prediction, target, reduction)``, as in :mod:`torch.nn.functional`.

    Shape
    -----
    - prediction: ``(n_sequences, n_outputs)``, or ``(n_steps, n_sequences, n_outputs)``
    - target: likewise, or with 1 in place of ``n_outputs`` for classes
    - weight: ``(n_sequences,)``, or ``(n_steps, n_sequences)``; None for 1 each
    - output: a scalar

    Raises
    ------
    ValueError
        If there is not one target for each output: torch would compare each with each.

    Examples
    --------
    >>> import torch
    >>> loss = WeightedLoss(REGRESSION_LOSSES["squared_error"])
    >>> loss(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]), torch.tensor([3.0, 1.0]))
    tensor(3.)
    """

    def __init__(self, elementwise: Callable):
        super().__init__()
        self.elementwise = elementwise

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the mean."""
        if prediction.ndim == 3:
            prediction, target = prediction.flatten(0, 1), target.flatten(0, 1)
            weight = None if weight is None else weight.flatten(0, 1)
        n_targets = 1 if self.elementwise is cross_entropy else prediction.shape[1]
        if target.shape != (len(prediction), n_targets):
            raise ValueError(
                f"The network gives outputs of the shape {tuple(prediction.shape)}, and the "
                f"targets have the shape {tuple(target.shape)}: each output needs a target."
            )
        if weight is None:
            return self.elementwise(prediction, target, reduction="mean")
        losses = self.elementwise(prediction, target, reduction="none").mean(1)
        return torch.dot(losses, weight) / weight.sum()


@dataclass(frozen=True)
class Head(ABC):
    """What the outputs of a network mean. Frozen: learned once, from the labels of training.

    A new kind of target is a new subclass, and a line in `HEADS`.
    """

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of the network."""

    @property
    @abstractmethod
    def loss(self) -> Callable:
        """Loss of each output, ``loss(prediction, target, reduction)``."""

    @abstractmethod
    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Turn labels or numbers into targets.

        Parameters
        ----------
        y : array-like of shape (n_labels,) or (n_labels, n_columns)
            What the user gave.
        rows : ndarray of int, shape (n_labels,)
            Row of X of each, for messages.

        Returns
        -------
        ndarray of float64, shape (n_labels, n_targets)
            In the units of the user.

        Raises
        ------
        ValueError
            If something is missing, or is not of the kind that was learned.
        """

    @abstractmethod
    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Say what the outputs mean, in the labels or units of the user.

        Parameters
        ----------
        outputs : ndarray of float64, shape (n, n_outputs)
            Of the network.

        Returns
        -------
        ndarray of shape (n,) or (n, n_columns)
            As `y` was.
        """

    @abstractmethod
    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Append the nodes that say what the outputs mean, and declare the results of the model.

        Parameters
        ----------
        op : sklstm._nn.onnx.Operations
            Gets the nodes.
        outputs : str
            Name of the outputs of the network, float.
        axes : list of str
            Axes of a prediction: ``["batch"]``, or ``["batch", "n_steps"]``.
        """

    def encoded(self, given: GivenSamples) -> Samples:
        """Encode the labels of samples, and weigh them by what they are."""
        target = self.encode(given.y, given.rows)
        return given.encoded(target, self.weigh(target, given.weight))

    def weigh(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Weigh targets by what they are: not at all, if a kind has no weights of its own."""
        return weight

    def strata(self, target: np.ndarray) -> np.ndarray | None:
        """Tell which shares a random validation part keeps: none, if a kind has no labels."""
        return None

    def scaled_to(self, target: np.ndarray, weight: np.ndarray) -> "Head":
        """Learn the units of the training targets, if a kind has any."""
        return self

    def to_network(self, target: np.ndarray) -> np.ndarray:
        """Turn targets into the units that the network learns."""
        return target

    def to_plain(self) -> dict[str, Any]:
        """Take the head apart: arrays, numbers and texts, for `head_from_plain`."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": type(self).__name__} | parts


@dataclass(frozen=True)
class NumberHead(Head):
    """One number, or several.

    Attributes
    ----------
    loss_name : str
        Name in `REGRESSION_LOSSES`.
    n_dimensions : int
        1 if `y` was ``(n,)``, 2 if it was ``(n, n_columns)``.
    mean, scale : ndarray of shape (n_columns,)
        The network learns ``(y - mean) / scale``.
    """

    loss_name: str
    n_dimensions: int
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, y: Any, loss_name: str) -> "NumberHead":
        """Learn the shape of the targets.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_columns)
            Training targets.
        loss_name : str
            Name in `REGRESSION_LOSSES`.

        Returns
        -------
        NumberHead
            In the units of `y`.
        """
        y = _numbers(y)
        n_columns = y.reshape(len(y), -1).shape[1]
        return cls(loss_name, y.ndim, np.zeros(n_columns), np.ones(n_columns))

    @property
    def n_outputs(self) -> int:
        """Number of columns of `y`."""
        return len(self.mean)

    @property
    def loss(self) -> Callable:
        """Loss of each output."""
        return REGRESSION_LOSSES[self.loss_name]

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Check the numbers and put them in columns."""
        y = _numbers(y)
        target = y.reshape(len(y), -1)
        bad = np.flatnonzero(~np.isfinite(target).all(axis=1))
        if len(bad):
            what = "NaN" if np.isnan(target[bad[0]]).any() else "infinity"
            raise ValueError(
                f"Input y contains {what}: in row {rows[bad[0]]} (counted from 0) and "
                f"{len(bad) - 1} more. Drop such rows, or give them sample_weight 0 so that they "
                "are history only."
            )
        if target.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {target.shape[1]} columns here and had {self.n_outputs} at first."
            )
        return target

    def scaled_to(self, target: np.ndarray, weight: np.ndarray) -> "NumberHead":
        """Learn mean and standard deviation of each column."""
        mean, scale = np.array([weighted_moments(column, weight) for column in target.T]).T
        return replace(self, mean=mean, scale=scale)

    def to_network(self, target: np.ndarray) -> np.ndarray:
        """Scale."""
        return (target - self.mean) / self.scale

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Scale back."""
        outputs = outputs * self.scale + self.mean
        return outputs[:, 0] if self.n_dimensions == 1 else outputs

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Scale back."""
        columns = [self.n_outputs] if self.n_dimensions > 1 else []
        scaled = op("Mul", op.cast(outputs, "double"), np.asarray(self.scale))
        scaled = op("Add", scaled, np.asarray(self.mean))
        op("Reshape", scaled, np.int64([0] * len(axes) + columns), names=["prediction"])
        op.output("prediction", "double", axes + columns)


@dataclass(frozen=True)
class LabelHead(Head):
    """One of several labels.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    class_weights : ndarray of shape (n_classes,), or None
        What the weight of a sample is multiplied by; None for 1 each.
    """

    classes: np.ndarray
    class_weights: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """Number of labels."""
        return len(self.classes)

    @property
    def loss(self) -> Callable:
        """Cross-entropy."""
        return cross_entropy

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Find the position of each label."""
        y = _labels(y, rows)
        if type_of_target(y, input_name="y") == SEVERAL:
            raise ValueError(
                "y is a table of several labels, which the estimator does not know: it learned one "
                f"label a sample, of the classes {self.classes.tolist()}."
            )
        y = column_or_1d(y)
        self._refuse_unknown(np.unique(y))
        return np.searchsorted(self.classes, y)[:, None].astype(float)

    def _refuse_unknown(self, labels):
        unknown = np.setdiff1d(labels, self.classes)
        if len(unknown):
            raise ValueError(
                f"y holds the labels {unknown.tolist()}, which the estimator does not know: its "
                f"classes are {self.classes.tolist()}, those of the first call. partial_fit takes "
                "all that will ever come as classes."
            )

    def weighted_by(self, class_weight: Any, given: GivenSamples) -> "LabelHead":
        """Weigh the labels.

        Parameters
        ----------
        class_weight : dict, "balanced" or None
            Weight of each label; ``"balanced"`` is the inverse of its share.
        given : GivenSamples
            Training labels.

        Returns
        -------
        LabelHead
            With weights for its classes.

        Raises
        ------
        ValueError
            If a label is unknown or a weight below zero.
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
        if not (weights >= 0).all():
            raise ValueError(f"class_weight={class_weight} holds a weight below zero.")
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
        """Keep the shares of the labels."""
        return target[:, 0]

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Choose the label with the largest output."""
        return self.classes[outputs.argmax(axis=1)]

    def predict_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Give the probability of each label."""
        return softmax(outputs, axis=1)

    def predict_log_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Give the logarithm of the probability of each label."""
        return log_softmax(outputs, axis=1)

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Choose the label, and give the probabilities."""
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
class LabelsHead(LabelHead):
    """Several labels at once, or none: a table of zeros and ones, a column a label."""

    @property
    def loss(self) -> Callable:
        """Cross-entropy of each label."""
        return F.binary_cross_entropy_with_logits

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Check the table."""
        y = _labels(y, rows)
        if type_of_target(y, input_name="y") != SEVERAL:
            raise ValueError(
                "y holds one label a sample, which the estimator does not know: it learned a table "
                f"of {self.n_outputs} labels."
            )
        target = check_array(y, dtype=np.float64, input_name="y")
        self._refuse_unknown(np.arange(target.shape[1]))
        return target

    def weighted_by(self, class_weight: Any, given: GivenSamples) -> "LabelHead":
        """Refuse weights of labels."""
        if class_weight is not None:
            raise ValueError(
                "class_weight is for one label a sample, and y is a table of several. Use "
                "sample_weight."
            )
        return self

    def strata(self, target: np.ndarray) -> None:
        """Keep no shares: there are too many sets of labels."""
        return

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Choose the labels that are more likely than not."""
        return (outputs > 0).astype(int)

    def predict_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Give the probability of each label."""
        return expit(outputs)

    def predict_log_proba(self, outputs: np.ndarray) -> np.ndarray:
        """Give the logarithm of the probability of each label."""
        return log_expit(outputs)

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Choose the labels, and give their probabilities."""
        op("Sigmoid", op.cast(outputs, "double"), names=["probabilities"])
        chosen = op("Greater", outputs, np.float32(0))
        op("Identity", op.cast(chosen, "int64"), names=["label"])
        for name, kind in (("label", "int64"), ("probabilities", "double")):
            op.output(name, kind, [*axes, len(self.classes)])


HEADS = {head.__name__: head for head in (NumberHead, LabelHead, LabelsHead)}


def head_from_plain(plain: dict[str, Any]) -> Head:
    """Put a head together again.

    Parameters
    ----------
    plain : dict
        From `Head.to_plain`.

    Returns
    -------
    Head
        Equal to the one taken apart.
    """
    parts = dict(plain)
    return HEADS[parts.pop("kind")](**parts)


def learn_labels(y: Any, rows: np.ndarray, classes: Any = None) -> LabelHead:
    """Learn the labels of a target.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Training labels, or a table of zeros and ones.
    rows : ndarray of int, shape (n,)
        Row of X of each, for messages.
    classes : array-like of shape (n_classes,), default=None
        All labels that will ever come. `None`: those of `y`.

    Returns
    -------
    LabelHead
        `LabelsHead` if a sample may have several labels.

    Raises
    ------
    ValueError
        If a label is missing, `y` holds numbers that are no labels, or there is one label only.
    """
    y = _labels(y, rows)
    if type_of_target(y, input_name="y") == SEVERAL:
        table = check_array(y, dtype=np.float64, input_name="y")
        return LabelsHead(np.arange(table.shape[1]) if classes is None else np.unique(classes))
    labels = np.unique(column_or_1d(y, warn=True) if classes is None else classes)
    if len(labels) < 2:
        raise ValueError(
            f"LSTMClassifier needs samples of at least 2 classes, and y holds one class only: "
            f"{labels.tolist()[0]!r}."
        )
    return LabelHead(labels)


def cross_entropy(prediction: torch.Tensor, target: torch.Tensor, reduction: str) -> torch.Tensor:
    """Cross-entropy of one class a sample.

    Parameters
    ----------
    prediction : Tensor of shape (n_sequences, n_classes)
        Logits.
    target : Tensor of shape (n_sequences, 1)
        Position of the class.
    reduction : {"none", "mean"}
        One number for each, or their mean.

    Returns
    -------
    Tensor of shape (n_sequences, 1) or ()
        ``-log softmax(prediction)[target]``.
    """
    losses = F.cross_entropy(prediction, target[:, 0].long(), reduction=reduction)
    return losses[:, None] if reduction == "none" else losses


def _numbers(y: Any) -> np.ndarray:
    return check_array(
        y,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite=False,
        input_name="y",
        estimator="LSTMRegressor",
    )


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
    check_classification_targets(y)
    return y
