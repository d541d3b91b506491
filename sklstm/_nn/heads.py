"""Heads: what a target is, how it is learned from labels or numbers, and told in them again."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from sklstm._data.samples import GivenSamples, Samples
from sklstm._data.statistics import weighted_moments
from sklstm._nn.losses import REGRESSION_LOSSES

__all__ = ["Head", "NumberHead"]


@dataclass(frozen=True)
class Head(ABC):
    """What the outputs of a network mean. Frozen: learned once, from the labels of training.

    A new kind of target is a new subclass, and a name in `HEADS` of `_train/fitted.py`.
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
        """Take the head apart: arrays, numbers and texts."""
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
        op("Reshape", scaled, np.array([0] * len(axes) + columns), names=["prediction"])
        op.output("prediction", "double", axes + columns)


def _numbers(y: Any) -> np.ndarray:
    return check_array(
        y,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite=False,
        input_name="y",
        estimator="LSTMRegressor",
    )
