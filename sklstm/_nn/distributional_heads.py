"""Heads that predict distributions: normal, Student's t, or quantiles."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from scipy.stats import norm
from scipy.stats import t as student_t
from torch import nn
from torch.nn import functional as F

from sklstm._nn.heads import RegressionHead
from sklstm._nn.losses import ElementwiseLoss

__all__ = [
    "DistributionalHead",
    "GaussianHead",
    "GaussianLoss",
    "PinballLoss",
    "QuantileHead",
    "StudentTHead",
    "StudentTLoss",
    "inverse_softplus",
]

UNIT = float(np.log(2))
"""The softplus of 0."""

DEGREES = 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 100.0
"""Degrees of freedom of Student's t distribution, from heavy tails to nearly normal ones; with 2 or
fewer it has no standard deviation."""

LEAST = 1e-4
"""Least spread, in the units of the network: the loss of its logarithm has no lower bound."""


class GaussianLoss(nn.Module):
    """Negative log-likelihood of a normal distribution, up to a constant.

    ``log(scale) + ((target - location) / scale)**2 / 2`` (Nix and Weigend, "Estimating the mean
    and variance of the target probability distribution", ICNN 1994), with the scale
    ``softplus(spread) / log(2)``.

    Shape
    -----
    - prediction: ``(n, 2 * n_targets)``: locations, then spreads
    - target: ``(n, n_targets)``
    - output: as `target`, or a scalar with ``reduction="mean"``
    """

    outputs_a_target = 2

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the loss of each target."""
        location, spread = prediction.chunk(2, dim=1)
        scale = F.softplus(spread).clamp_min(LEAST) / UNIT
        losses = scale.log() + ((target - location) / scale).square() / 2
        return losses.mean() if reduction == "mean" else losses


class StudentTLoss(nn.Module):
    """Negative log-likelihood of Student's t distribution, up to a constant.

    ``log(scale) + (n + 1) / 2 * log(1 + ((target - location) / scale)**2 / (n - 2))`` with n
    degrees of freedom: the scale is the standard deviation, as in `GaussianLoss`.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, above 2.

    Shape
    -----
    As `GaussianLoss`.
    """

    outputs_a_target = 2

    def __init__(self, degrees: float):
        super().__init__()
        self.degrees = degrees

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the loss of each target."""
        location, spread = prediction.chunk(2, dim=1)
        scale = F.softplus(spread).clamp_min(LEAST) / UNIT
        square = ((target - location) / scale).square() / (self.degrees - 2)
        losses = scale.log() + (self.degrees + 1) / 2 * square.log1p()
        return losses.mean() if reduction == "mean" else losses


class PinballLoss(nn.Module):
    """Mean pinball loss of quantiles that cannot cross.

    ``max(q * e, (q - 1) * e)`` of the error ``e = target - quantile`` (Koenker and Bassett,
    "Regression Quantiles", Econometrica 46(1), 1978), averaged over the levels ``q``.

    Parameters
    ----------
    levels : ndarray of float64, shape (n_levels,)
        Increasing, between 0 and 1.

    Shape
    -----
    - prediction: ``(n, n_levels * n_targets)``: locations, then the spreads of each target
    - target: ``(n, n_targets)``
    - output: as `target`, or a scalar with ``reduction="mean"``
    """

    levels: torch.Tensor
    steps: torch.Tensor

    def __init__(self, levels: np.ndarray):
        super().__init__()
        self.outputs_a_target = len(levels)
        self.middle, steps = quantile_steps(levels)
        self.register_buffer("levels", torch.tensor(levels))
        self.register_buffer("steps", torch.tensor(steps))

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the loss of each target."""
        n_targets = target.shape[1]
        location, spread = prediction[:, :n_targets, None], prediction[:, n_targets:]
        spread = spread.reshape(*target.shape, self.outputs_a_target - 1)
        spread = F.softplus(spread).clamp_min(LEAST)
        error = target[..., None] - (location + self.middle + spread @ self.steps.to(spread))
        levels = self.levels.to(error)
        losses = torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
        return losses.mean() if reduction == "mean" else losses


def quantile_steps(levels: np.ndarray) -> tuple[float, np.ndarray]:
    """Return how quantiles are computed from a location and a positive number between each two.

    The quantile of the level nearest to 0.5 is the location, the others are sums of steps from it,
    so that quantiles cannot cross. Spreads of 0 give those of the normal distribution.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        Increasing.

    Returns
    -------
    middle : float
        Added to the location for the level nearest to 0.5.
    steps : ndarray of shape (n_levels - 1, n_levels)
        ``location + middle + softplus(spreads) @ steps`` are the quantiles.
    """
    normal = norm.ppf(levels)
    middle = int(np.abs(levels - 0.5).argmin())
    between, level = np.mgrid[: len(levels) - 1, : len(levels)]
    above, below = (between >= middle) & (level > between), (between < middle) & (level <= between)
    return float(normal[middle]), (above * 1.0 - below) * np.diff(normal)[:, None] / UNIT


@dataclass(frozen=True)
class DistributionalHead(RegressionHead):
    """One number or several, each with outputs for the spread of actual values around it.

    The first outputs of the network are locations, which the init estimator and the blending weight
    refer to; the spreads of each target follow.

    Attributes
    ----------
    quantiles : ndarray of shape (n_levels,)
        Levels of `predict_quantiles`.
    """

    spread_is_learned = True

    quantiles: np.ndarray = field(default_factory=lambda: np.array([0.5]))

    @classmethod
    def learn(cls, y: Any, loss: Any, quantiles: Any = ()) -> Self:
        """Learn the shape of the targets, and check the levels."""
        levels = np.asarray(quantiles, dtype=np.float64).reshape(-1)
        inside = len(levels) and levels[0] > 0 and levels[-1] < 1
        if not (inside and (np.diff(levels) > 0).all()):
            raise ValueError(f"quantiles={quantiles} must be increasing levels between 0 and 1.")
        return replace(super().learn(y, loss), quantiles=levels)

    @property
    @abstractmethod
    def loss(self) -> ElementwiseLoss:
        """Loss of each target."""

    @property
    @abstractmethod
    def n_spreads(self) -> int:
        """Number of spreads of a target."""

    @property
    def n_outputs(self) -> int:
        """Locations and spreads."""
        return self.n_targets * (1 + self.n_spreads)

    def blended(self) -> list[tuple[list[int], list[int], Any]]:
        """A blending weight for each location; spreads correct nothing and have none."""
        spreads = np.arange(self.n_targets, self.n_outputs).reshape(self.n_targets, -1)
        return [([k], spreads[k].tolist(), [k]) for k in range(self.n_targets)]

    @abstractmethod
    def predict_quantiles(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the value below which the actual value lies with the probability of each level.

        Parameters
        ----------
        outputs : ndarray of float64, shape (n, n_outputs)
            Of the network.

        Returns
        -------
        ndarray of shape (n, n_levels) or (n, n_columns, n_levels)
            In the units of the user, increasing along the last axis.
        """

    def _spread(self, outputs: np.ndarray) -> np.ndarray:
        """Spreads of each target, (n, n_targets, n_spreads)."""
        spread = outputs[:, self.n_targets :].reshape(len(outputs), self.n_targets, -1)
        return np.maximum(np.logaddexp(0, spread), LEAST)


@dataclass(frozen=True)
class SteppedHead(DistributionalHead):
    """Quantiles that are a location, and a sum of steps from it that grow with the spreads.

    If all outputs are 0, they stand for the distribution of the training targets, or of the
    residuals of the init estimator: the normal one with their mean and standard deviation.
    """

    @property
    @abstractmethod
    def steps(self) -> tuple[float, np.ndarray]:
        """Offset and steps of the quantiles, as from `quantile_steps`."""

    @property
    def n_spreads(self) -> int:
        """One for each step."""
        return len(self.steps[1])

    def baseline(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Take the mean, with spreads that amount to the standard deviation."""
        deviation = self.scaled_to(target, weight).scale
        softplus = np.maximum(deviation / self.scale * UNIT, LEAST)
        spread = np.repeat(inverse_softplus(softplus), self.n_spreads)
        location = (self._mean(target, weight) - self.mean) / self.scale
        return np.concatenate([location, spread])

    @property
    def public_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and mean of the locations."""
        return self.scale, self.mean + self.steps[0] * self.scale

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Scale the locations back."""
        return super().predict(outputs[:, : self.n_targets] + self.steps[0])

    def predict_quantiles(self, outputs: np.ndarray) -> np.ndarray:
        """Add the steps to the locations, and scale back."""
        middle, steps = self.steps
        quantiles = outputs[:, : self.n_targets, None] + middle + self._spread(outputs) @ steps
        quantiles = quantiles * self.scale[:, None] + self.mean[:, None]
        return quantiles[:, 0] if self.n_dimensions == 1 else quantiles

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """Scale the locations back, and compute the quantiles."""
        middle, steps = self.steps
        outputs, last = op.cast(outputs, "double"), np.array([-1])
        parts = np.array([self.n_targets, self.n_outputs - self.n_targets])
        location, spread = op("Split", outputs, parts, axis=-1, names=["location", "spread"])
        location = op("Add", location, np.float64(middle))
        super().to_onnx(op, location, axes)
        shape = np.array([0] * len(axes) + [self.n_targets, len(steps)])
        spread = op("Softplus", op.cast(op("Reshape", spread, shape), "float32"))
        spread = op("Max", op.cast(spread, "double"), np.float64(LEAST))
        spread = op("MatMul", spread, steps)
        quantiles = op("Add", op("Unsqueeze", location, last), spread)
        quantiles = op("Mul", quantiles, self.scale[:, None])
        quantiles = op("Add", quantiles, self.mean[:, None])
        columns = [self.n_targets] * (self.n_dimensions > 1) + [len(self.quantiles)]
        op("Reshape", quantiles, np.array([0] * len(axes) + columns), names=["quantiles"])
        op.output("quantiles", "double", axes + columns)


@dataclass(frozen=True)
class GaussianHead(SteppedHead):
    """A mean and a standard deviation."""

    @property
    def loss(self) -> ElementwiseLoss:
        """Negative log-likelihood."""
        return GaussianLoss()

    @property
    def steps(self) -> tuple[float, np.ndarray]:
        """Steps of the normal distribution."""
        return 0.0, norm.ppf(self.quantiles)[None] / UNIT

    def predict_std(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the standard deviation of actual values around the mean, in units of the user."""
        deviation = self._spread(outputs)[..., 0] / UNIT * self.scale
        return deviation[:, 0] if self.n_dimensions == 1 else deviation


@dataclass(frozen=True)
class StudentTHead(GaussianHead):
    """A mean and a standard deviation, with the tails of Student's t distribution.

    Attributes
    ----------
    degrees : float
        Degrees of freedom, of all targets: those with the largest likelihood for the training
        targets, or for the residuals of the init estimator.
    """

    degrees: float = DEGREES[-1]

    def scaled_to(
        self, target: np.ndarray, weight: np.ndarray, init: np.ndarray | None = None
    ) -> Self:
        """Learn mean and standard deviation of each column, and the degrees of freedom."""
        head = super().scaled_to(target, weight, init)
        residuals = (target if init is None else target - init) - head.mean
        return replace(head, degrees=degrees_of_freedom(residuals / head.scale, weight))

    @property
    def loss(self) -> ElementwiseLoss:
        """Negative log-likelihood."""
        return StudentTLoss(self.degrees)

    @property
    def steps(self) -> tuple[float, np.ndarray]:
        """Steps of the distribution whose standard deviation is 1."""
        shrink = np.sqrt((self.degrees - 2) / self.degrees)
        return 0.0, shrink * student_t.ppf(self.quantiles, self.degrees)[None] / UNIT


def degrees_of_freedom(residuals: np.ndarray, weight: np.ndarray) -> float:
    """The degrees of freedom, of `DEGREES`, with the largest likelihood; the scale is free.

    Parameters
    ----------
    residuals : ndarray of shape (n, n_targets)
        Less their mean; NaN where a target is missing.
    weight : ndarray of shape (n,)
        Of the rows.
    """
    known = np.isfinite(residuals)
    weights = np.broadcast_to(weight[:, None], known.shape)[known]
    squares = residuals[known] ** 2
    likelihoods = []
    for degrees in DEGREES:
        scale = 1.0  # its square, by expectation maximisation
        for _ in range(20):
            shares = (degrees + 1) / (degrees + squares / scale)
            scale = max(np.average(shares * squares, weights=weights), 1e-12)
        found = student_t.logpdf(np.sqrt(squares / scale), degrees) - np.log(scale) / 2
        likelihoods.append(np.average(found, weights=weights))
    return DEGREES[int(np.argmax(likelihoods))]


def inverse_softplus(values: np.ndarray) -> np.ndarray:
    """The numbers whose softplus are these."""
    return values + np.log(-np.expm1(-values))


@dataclass(frozen=True)
class QuantileHead(SteppedHead):
    """Quantiles."""

    @property
    def loss(self) -> ElementwiseLoss:
        """Pinball loss."""
        return PinballLoss(self.quantiles)

    @property
    def steps(self) -> tuple[float, np.ndarray]:
        """Positive numbers between two levels each."""
        return quantile_steps(self.quantiles)
