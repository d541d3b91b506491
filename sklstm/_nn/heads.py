"""Heads: from labels or numbers to targets of the network, and from its outputs to predictions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.utils.validation import check_array

from sklstm._data.samples import GivenSamples, Samples
from sklstm._data.statistics import weighted_moments
from sklstm._nn.losses import (
    REGRESSION_LOSSES,
    ElementwiseLoss,
    UserLoss,
    WeightedLoss,
    mask_missing,
)

__all__ = ["Head", "RegressionHead"]

WEIGHT_TOLERANCE = 1e-3
"""To which blending weights are found: near the minimum the loss changes by the square of it."""


@dataclass(frozen=True)
class Head(ABC):
    """The meaning of the outputs of a network. Frozen: learned once, from the training labels.

    Outputs are a sum: what the init estimator predicts, in units of the outputs (`init_map`), and
    the outputs of the network times a blending weight.
    """

    target_type = "continuous"  # as scikit-learn's type_of_target: by it an init is chosen
    baseline_name = "mean"
    blending_penalty = 0.0  # on squared blending weights, against the sum of losses
    spread_is_learned = False  # spreads depend on levels, also where the location does not

    _kinds: ClassVar[dict[str, type["Head"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Head._kinds[cls.__name__] = cls

    @property
    @abstractmethod
    def n_targets(self) -> int:
        """Number of targets of a sample: columns of `y`, or labels it may have at once."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of the network."""

    @property
    @abstractmethod
    def loss(self) -> ElementwiseLoss:
        """Loss of each target, ``loss(prediction, target, reduction)``."""

    @abstractmethod
    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Turn labels or numbers into targets.

        Parameters
        ----------
        y : array-like of shape (n_labels,) or (n_labels, n_columns)
            As the user gave it.
        rows : ndarray of int, shape (n_labels,)
            Row of X of each, for messages.

        Returns
        -------
        ndarray of float64, shape (n_labels, n_targets)
            In the units of the user.

        Raises
        ------
        ValueError
            If labels are missing, or not of the kind of the training labels.
        """

    @abstractmethod
    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into predictions, in the labels or units of the user.

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
        """Append the nodes that turn outputs into predictions, and declare the model's outputs.

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
        """Encode the labels of samples, and weight them by class."""
        target = self.encode(given.y, given.rows)
        return given.encoded(target, self.weigh(target, given.weight))

    def weigh(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Multiply weights by those of the classes; unchanged without class weights."""
        return weight

    def strata(self, target: np.ndarray) -> np.ndarray | None:
        """Return labels to stratify a random validation part by; None without labels."""
        return None

    def scaled_to(
        self, target: np.ndarray, weight: np.ndarray, init: np.ndarray | None = None
    ) -> "Head":
        """Learn mean and scale of training targets, or of what an init estimator leaves of them.

        Parameters
        ----------
        target : ndarray of shape (n, n_targets)
            Targets.
        weight : ndarray of shape (n,)
            Their weights.
        init : ndarray of shape (n, n_init_outputs), default=None
            Predictions of the init estimator.

        Returns
        -------
        Head
            Unchanged if targets are labels.
        """
        return self

    @property
    def public_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Factor and offset that bring outputs into the units of the user; labels have log-odds."""
        return np.ones(self.n_outputs), np.zeros(self.n_outputs)

    def bent(self, locations: torch.Tensor) -> torch.Tensor:
        """Turn outputs in public units into predictions: the same, except for counts."""
        return locations

    def explained(self, columns: np.ndarray) -> np.ndarray:
        """Weights of the outputs in the number that explains a prediction.

        Parameters
        ----------
        columns : ndarray of int, shape (n,)
            Place of the target or label of each row.

        Returns
        -------
        ndarray of shape (n, n_columns)
            For outputs in public units.
        """
        return np.eye(len(self.public_units[0]))[columns]

    @property
    @abstractmethod
    def init_map(self) -> np.ndarray:
        """From predictions of an init estimator to outputs: (n_init_outputs, n_outputs)."""

    @abstractmethod
    def init_target(self, target: np.ndarray) -> np.ndarray:
        """Turn targets into columns that a linear model is fitted to: (n, n_init_outputs)."""

    def init_units(self, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and scale of the columns of `init_target`; 0 and 1 if targets are labels."""
        return np.zeros(len(self.init_map)), np.ones(len(self.init_map))

    @abstractmethod
    def to_network(self, target: np.ndarray, init: np.ndarray | None) -> np.ndarray:
        """Turn targets into those of the loss, which account for the init estimator.

        Parameters
        ----------
        target : ndarray of shape (n, n_targets)
            Targets.
        init : ndarray of shape (n, n_init_outputs), or None
            Predictions of the init estimator.

        Returns
        -------
        ndarray of shape (n, n_columns)
            For the loss.
        """

    def blending_weight(
        self, outputs: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Fit the factor of the outputs of the network beside an init estimator.

        Parameters
        ----------
        outputs : ndarray of shape (n, n_outputs)
            Of the network, for validation samples.
        target : ndarray of shape (n, n_columns)
            Their targets, from `to_network`.
        weight : ndarray of shape (n,)
            Their weights.

        Returns
        -------
        ndarray of shape (n_outputs,)
            Factors in [0, 1] that minimise the loss.
        """
        result = np.ones(outputs.shape[1])
        for columns, others, targets in self.blended():
            scaled, rest, part = outputs[:, columns], outputs[:, others], target[:, targets]
            if np.isnan(part).all():
                continue

            def cost(
                factor: float,
                scaled: np.ndarray = scaled,
                rest: np.ndarray = rest,
                part: np.ndarray = part,
            ) -> float:
                loss = self.mean_loss(np.hstack([factor * scaled, rest]), part, weight)
                return loss + self.blending_penalty * factor**2 / len(part)

            options = {"xatol": WEIGHT_TOLERANCE}
            best = minimize_scalar(cost, bounds=(0, 1), method="bounded", options=options).x
            result[columns] = min((0.0, float(best), 1.0), key=cost)
        return result

    def mean_loss(self, outputs: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        """Compute the mean loss of outputs, as training does.

        Parameters
        ----------
        outputs : ndarray of shape (n, n_outputs)
            Of the network.
        target : ndarray of shape (n, n_columns)
            From `to_network`.
        weight : ndarray of shape (n,)
            Weights.

        Returns
        -------
        float
            The weighted mean.
        """
        target, weight = mask_missing(target, weight)
        tensors = (torch.tensor(np.asarray(x, np.float64)) for x in (outputs, target, weight))
        return float(WeightedLoss(self.loss)(*tensors))

    @abstractmethod
    def baseline(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Compute the outputs that do not depend on X, (n_outputs,), from training targets."""

    @abstractmethod
    def blended(self) -> list[tuple[list[int], list[int], Any]]:
        """Outputs that share a blending weight, others of the same loss, and its target columns."""

    def to_plain(self) -> dict[str, Any]:
        """Convert to arrays, numbers and texts."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": type(self).__name__} | parts

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> "Head":
        """Restore a head from `to_plain`."""
        parts = dict(plain)
        return Head._kinds[parts.pop("kind")](**parts)


@dataclass(frozen=True)
class RegressionHead(Head):
    """One number, or several.

    `positive_only` says whether negative targets are refused.

    Attributes
    ----------
    loss_of : str or callable
        Name in `REGRESSION_LOSSES`, or a loss of the user.
    n_dimensions : int
        1 if `y` was ``(n,)``, 2 if it was ``(n, n_columns)``.
    mean, scale : ndarray of shape (n_columns,)
        The network learns ``(y - mean) / scale``.
    """

    positive_only = False

    loss_of: Any
    n_dimensions: int
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, y: Any, loss: Any, quantiles: Any = ()) -> Self:
        """Learn the shape of the targets.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_columns)
            Training targets.
        loss : str or callable
            Name in `REGRESSION_LOSSES`, or a loss of the user.
        quantiles : array-like of shape (n_levels,), default=()
            Levels of quantiles, for heads that predict them.

        Returns
        -------
        RegressionHead
            In the units of `y`.
        """
        y = _numbers(y)
        n_columns = y.reshape(len(y), -1).shape[1]
        return cls(loss, y.ndim, np.zeros(n_columns), np.ones(n_columns))

    @property
    def n_targets(self) -> int:
        """Number of columns of `y`."""
        return len(self.mean)

    @property
    def n_outputs(self) -> int:
        """One for each column of `y`."""
        return self.n_targets

    @property
    def loss(self) -> ElementwiseLoss:
        """Loss of each output."""
        if callable(self.loss_of):
            return UserLoss(self.loss_of)
        return REGRESSION_LOSSES[self.loss_of]

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Check the numbers and put them in columns."""
        y = _numbers(y)
        target = y.reshape(len(y), -1)
        missing = np.isnan(target)
        bad = np.flatnonzero(missing.all(axis=1) | np.isinf(target).any(axis=1))
        if len(bad):
            what = "NaN" if missing[bad[0]].all() else "infinity"
            raise ValueError(
                f"Input y contains {what}: in row {rows[bad[0]]} (counted from 0) and "
                f"{len(bad) - 1} more. Drop such rows, or give them sample_weight 0 so that they "
                "are history only."
            )
        if target.shape[1] != self.n_targets:
            raise ValueError(
                f"y has {target.shape[1]} columns here and had {self.n_targets} at first."
            )
        return target

    def scaled_to(
        self, target: np.ndarray, weight: np.ndarray, init: np.ndarray | None = None
    ) -> Self:
        """Learn mean and standard deviation of each column."""
        mean, scale = _column_moments(target if init is None else target - init, weight)
        return replace(self, mean=mean, scale=scale)

    def to_network(self, target: np.ndarray, init: np.ndarray | None) -> np.ndarray:
        """Scale the residuals of the init estimator."""
        return (target - self.mean if init is None else target - init - self.mean) / self.scale

    @property
    def public_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and mean."""
        return self.scale, self.mean

    @property
    def init_map(self) -> np.ndarray:
        """Divide by the scale."""
        return np.eye(self.n_targets, self.n_outputs) / self.scale[:, None]

    def init_target(self, target: np.ndarray) -> np.ndarray:
        """The numbers themselves."""
        return target

    def init_units(self, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each column."""
        return _column_moments(self.init_target(target), weight)

    def baseline(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Take the mean."""
        return (self._mean(target, weight) - self.mean) / self.scale

    def _mean(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        is_known = ~np.isnan(target)
        return np.average(np.where(is_known, target, 0), axis=0, weights=weight[:, None] * is_known)

    def blended(self) -> list[tuple[list[int], list[int], Any]]:
        """A blending weight for each column, or one for all with a loss of the user."""
        if callable(self.loss_of):
            columns = list(range(self.n_targets))
            return [(columns, [], columns)]
        return [([k], [], [k]) for k in range(self.n_targets)]

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Scale back."""
        outputs = outputs * self.scale + self.mean
        return outputs[:, 0] if self.n_dimensions == 1 else outputs

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Scale back."""
        columns = [self.n_targets] if self.n_dimensions > 1 else []
        scaled = op("Mul", op.cast(outputs, "double"), np.asarray(self.scale))
        scaled = op("Add", scaled, np.asarray(self.mean))
        op("Reshape", scaled, np.array([0] * len(axes) + columns), names=["prediction"])
        op.output("prediction", "double", axes + columns)


def _numbers(y: Any) -> np.ndarray:
    dtype = y.dtype if hasattr(getattr(y, "dtype", None), "kind") else np.asarray(y).dtype
    if dtype.kind in "mM":
        raise ValueError(
            f"y holds {dtype}, and targets must be numbers: a duration in seconds is "
            "y / np.timedelta64(1, 's'); of dates subtract one first."
        )
    return check_array(
        y,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite=False,
        input_name="y",
        estimator="LSTMRegressor",
    )


def _column_moments(target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of each column, of the values that are there."""
    is_known = ~np.isnan(target)
    empty = np.flatnonzero(~is_known.any(axis=0))
    if len(empty):
        raise ValueError(
            f"Column {empty[0]} of y (counted from 0) holds nothing but NaN in the rows "
            "to learn from. Leave it out, or give more rows."
        )
    mean, scale = np.array(
        [weighted_moments(y[k], weight[k]) for y, k in zip(target.T, is_known.T, strict=True)]
    ).T
    return mean, scale
