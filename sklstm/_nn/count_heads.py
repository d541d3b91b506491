"""Heads of counts: Poisson and negative binomial distributions."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from scipy.stats import nbinom, poisson
from torch import nn
from torch.nn import functional as F

from sklstm._nn.distributional_heads import LEAST, UNIT, DistributionalHead, inverse_softplus
from sklstm._nn.losses import ElementwiseLoss
from sklstm._nn.scaling import NO_FLOAT64

__all__ = ["NegativeBinomialHead", "NegativeBinomialLoss", "PoissonHead", "PoissonLoss"]

SOFTNESS = 0.25
"""Sums of about so many means of the counts, or less, are bent away from 0, so that no mean is
negative: at the mean by 0.5 %, at half of it by 6 %. On three series of counts whose mean follows
them, around 0.3, 3 and 300, the deviance was 0.745, 1.692 and 61.1; with 0.1 it was 0.761, 1.695
and 61.1."""

DEEP = -15.0
"""Below it the softplus is the exponential function, up to 1e-7 of it."""

LEAST_EXCESS = 0.01
"""Variance above that of a Poisson distribution, in parts of it, that a network starts with at
least. Its logarithm has no lower bound."""


class CountLoss(nn.Module):
    """Negative log-likelihood of counts, whose mean is a softplus of locations.

    Parameters
    ----------
    mean, scale, softness : ndarray of shape (n_targets,)
        The mean of the counts is ``softness * softplus((mean + scale * location) / softness)``.

    Shape
    -----
    - prediction: ``(n, n_outputs)``: locations, then spreads
    - target: ``(n, n_targets + n_outputs)``: counts, and outputs of the init estimator, to which
      the prediction is added
    - output: ``(n, n_targets)``, or a scalar with ``reduction="mean"``
    """

    takes_init = True
    mean: torch.Tensor
    scale: torch.Tensor
    softness: torch.Tensor

    def __init__(self, mean: np.ndarray, scale: np.ndarray, softness: np.ndarray):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("softness", torch.tensor(softness))

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the loss of each count, in double precision where the device has it.

        A million of counts whose variance is their mean differ by a thousandth: its square is what
        the spread learns from.
        """
        dtype = target.dtype if target.device.type in NO_FLOAT64 else torch.float64
        prediction, wide = prediction.to(dtype), target.to(dtype)
        n_targets = len(self.mean)
        counts, outputs = wide[:, :n_targets], prediction + wide[:, n_targets:]
        location = outputs[:, :n_targets] * self.scale.to(wide) + self.mean.to(wide)
        softness = self.softness.to(wide)
        location = location / softness
        mean = F.softplus(location)
        log_mean = torch.where(location < DEEP, location, mean.clamp_min(1e-7).log())
        losses = self.of_means(
            counts, softness * mean, log_mean + softness.log(), outputs[:, n_targets:]
        ).to(target)
        return losses.mean() if reduction == "mean" else losses

    @abstractmethod
    def of_means(
        self,
        counts: torch.Tensor,
        mean: torch.Tensor,
        log_mean: torch.Tensor,
        spread: torch.Tensor,
    ) -> torch.Tensor:
        """The loss of each count, given its mean."""


class PoissonLoss(CountLoss):
    """Half the deviance of a Poisson distribution: ``mean - y + y log(y / mean)``."""

    outputs_a_target = 1

    def of_means(
        self,
        counts: torch.Tensor,
        mean: torch.Tensor,
        log_mean: torch.Tensor,
        spread: torch.Tensor,
    ) -> torch.Tensor:
        """Compute it."""
        return mean - counts + torch.xlogy(counts, counts) - counts * log_mean


class NegativeBinomialLoss(CountLoss):
    """Negative log-likelihood of a negative binomial distribution.

    Its variance is ``mean + d mean**2`` with the dispersion ``d = dispersion * softplus(spread) /
    log(2)``.

    Parameters
    ----------
    mean, scale, softness : as for `CountLoss`
        Of the mean.
    dispersion : ndarray of shape (n_targets,)
        Where spreads are 0.
    """

    outputs_a_target = 2
    dispersion: torch.Tensor

    def __init__(
        self, mean: np.ndarray, scale: np.ndarray, softness: np.ndarray, dispersion: np.ndarray
    ):
        super().__init__(mean, scale, softness)
        self.register_buffer("dispersion", torch.tensor(dispersion))

    def of_means(
        self,
        counts: torch.Tensor,
        mean: torch.Tensor,
        log_mean: torch.Tensor,
        spread: torch.Tensor,
    ) -> torch.Tensor:
        """Compute it: with ``n = 1 / d``, of n and the mean."""
        softplus = F.softplus(spread).clamp_min(LEAST) / UNIT
        n = 1 / (softplus * self.dispersion.to(mean))
        rest = torch.log1p(mean / n)
        ways = _log_rising(n, counts)
        rest = (n + counts) * rest - counts * (log_mean - n.log())
        return rest - ways + torch.lgamma(counts + 1)


def _log_rising(n: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """``log(gamma(n + counts) / gamma(n))``, without the difference of two large numbers.

    Stirling's series of both, from 8 on, where its fourth term is below 1e-9: both numbers are
    brought there by ``gamma(x) = gamma(x + 8) / (x (x + 1) ... (x + 7))``.
    """
    upper, lower = n + counts + 8, n + 8
    ratio = counts / lower
    main = (lower - 0.5) * torch.log1p(ratio) + counts * upper.log() - counts
    series = _stirling(upper) - _stirling(lower)
    shift = sum(torch.log1p(counts / (n + k)) for k in range(8))
    return main + series - shift


def _stirling(x: torch.Tensor) -> torch.Tensor:
    square = x * x
    return (1 / 12 - (1 / 360 - 1 / (1260 * square)) / square) / x


@dataclass(frozen=True)
class CountHead(DistributionalHead):
    """Counts. Init estimator and network are added as counts, and a softplus makes them a mean.

    Attributes
    ----------
    level : ndarray of shape (n_columns,)
        Mean of the training counts.
    """

    positive_only = True

    level: np.ndarray = field(default_factory=lambda: np.ones(1))

    def encode(self, y: Any, rows: np.ndarray) -> np.ndarray:
        """Refuse negative numbers."""
        target = super().encode(y, rows)
        negative = np.flatnonzero((target < 0).any(axis=1))
        if len(negative):
            first = target[negative[0]]
            raise ValueError(
                f"loss={self.loss_of!r} is for counts, and y is {first[first < 0][0]:g} in row "
                f"{rows[negative[0]]} (counted from 0) and negative in {len(negative) - 1} more: "
                "choose loss='gaussian' or 'student_t', or correct these rows."
            )
        return target

    def scaled_to(
        self, target: np.ndarray, weight: np.ndarray, init: np.ndarray | None = None
    ) -> Self:
        """Learn mean and standard deviation of each column, and the mean of the counts."""
        head = super().scaled_to(target, weight, init)
        return replace(head, level=np.maximum(self._mean(target, weight), 1e-3))

    def to_network(self, target: np.ndarray, init: np.ndarray | None) -> np.ndarray:
        """The counts, and beside them outputs that are there without the network."""
        outputs = np.zeros((len(target), self.n_outputs))
        return np.hstack([target, outputs if init is None else init @ self.init_map])

    def baseline(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The location of the mean; spreads follow."""
        softness = SOFTNESS * self.level
        mean = np.maximum(self._mean(target, weight), 1e-3)
        location = softness * inverse_softplus(mean / softness)
        return np.concatenate(
            [(location - self.mean) / self.scale, self._no_spread(target, weight)]
        )

    def blended(self) -> list[tuple[list[int], list[int], Any]]:
        """That of a single target: the loss knows its mean."""
        return [([0], list(range(1, self.n_outputs)), slice(None))]

    def blending_weight(
        self, outputs: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """One for each location, by a head of this target alone."""
        if self.n_targets == 1:
            return super().blending_weight(outputs, target, weight)
        result = np.ones(self.n_outputs)
        for k in range(self.n_targets):
            own = np.arange(k, self.n_outputs, self.n_targets)
            columns = np.append(k, self.n_targets + own)
            alone = self._of_target(k)
            result[own] = alone.blending_weight(outputs[:, own], target[:, columns], weight)
        return result

    def bent(self, locations: torch.Tensor) -> torch.Tensor:
        """The mean, from the location."""
        softness = torch.tensor(SOFTNESS * self.level, device=locations.device)
        return softness * F.softplus(locations / softness)

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """The mean."""
        mean = self._means(outputs)
        return mean[:, 0] if self.n_dimensions == 1 else mean

    def predict_std(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the standard deviation of counts around the mean."""
        deviation = self._distribution(outputs).std()[..., 0]
        return deviation[:, 0] if self.n_dimensions == 1 else deviation

    def predict_quantiles(self, outputs: np.ndarray) -> np.ndarray:
        """The smallest count that is not exceeded with the probability of each level."""
        quantiles = self._distribution(outputs).ppf(self.quantiles)
        return quantiles[:, 0] if self.n_dimensions == 1 else quantiles

    def to_onnx(self, op: Any, outputs: str, axes: list) -> None:
        """The mean alone: quantiles of counts are no formula."""
        parts = np.array([self.n_targets, self.n_outputs - self.n_targets])
        outputs = op.cast(outputs, "double")
        if parts[1]:
            outputs, _ = op("Split", outputs, parts, axis=-1, names=["location", "spread"])
        softness = SOFTNESS * self.level
        location = op("Add", op("Mul", outputs, self.scale / softness), self.mean / softness)
        mean = op.cast(op("Softplus", op.cast(location, "float32")), "double")
        columns = [self.n_targets] if self.n_dimensions > 1 else []
        shape = np.array([0] * len(axes) + columns)
        op("Reshape", op("Mul", mean, softness), shape, names=["prediction"])
        op.output("prediction", "double", axes + columns)

    def _means(self, outputs: np.ndarray) -> np.ndarray:
        softness = SOFTNESS * self.level
        location = outputs[:, : self.n_targets] * self.scale + self.mean
        return softness * np.logaddexp(0, location / softness)

    @abstractmethod
    def _distribution(self, outputs: np.ndarray) -> Any:
        """SciPy's, of shape (n, n_targets, 1)."""

    @abstractmethod
    def _no_spread(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Spreads that do not depend on X."""

    def _of_target(self, k: int) -> Self:
        """The head of one target."""
        one = slice(k, k + 1)
        return replace(self, mean=self.mean[one], scale=self.scale[one], level=self.level[one])


@dataclass(frozen=True)
class PoissonHead(CountHead):
    """Counts whose variance is their mean."""

    n_spreads = 0

    @property
    def loss(self) -> ElementwiseLoss:
        """Half the deviance."""
        return PoissonLoss(self.mean, self.scale, SOFTNESS * self.level)

    def _distribution(self, outputs: np.ndarray) -> Any:
        return poisson(self._means(outputs)[..., None])

    def _no_spread(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return np.zeros(0)


@dataclass(frozen=True)
class NegativeBinomialHead(CountHead):
    """Counts that vary more than those of a Poisson distribution.

    Attributes
    ----------
    dispersion : ndarray of shape (n_columns,)
        ``(variance - mean) / mean**2`` of the training counts, or of what an init estimator leaves.
    """

    n_spreads = 1

    dispersion: np.ndarray = field(default_factory=lambda: np.ones(1))

    def scaled_to(
        self, target: np.ndarray, weight: np.ndarray, init: np.ndarray | None = None
    ) -> Self:
        """Learn the dispersion, too."""
        head = super().scaled_to(target, weight, init)
        return replace(head, dispersion=_dispersion(head.scale, head.level))

    @property
    def loss(self) -> ElementwiseLoss:
        """Negative log-likelihood."""
        softness = SOFTNESS * self.level
        return NegativeBinomialLoss(self.mean, self.scale, softness, self.dispersion)

    def _distribution(self, outputs: np.ndarray) -> Any:
        mean = self._means(outputs)[..., None]
        n = UNIT / (self._spread(outputs) * self.dispersion[:, None])
        return nbinom(n, n / (n + mean))

    def _no_spread(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        alone = self.scaled_to(target, weight)
        return inverse_softplus(np.maximum(alone.dispersion / self.dispersion * UNIT, LEAST))

    def _of_target(self, k: int) -> Self:
        return replace(super()._of_target(k), dispersion=self.dispersion[k : k + 1])


def _dispersion(deviation: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """By moments."""
    return np.maximum(deviation**2 - mean, LEAST_EXCESS * mean) / mean**2
