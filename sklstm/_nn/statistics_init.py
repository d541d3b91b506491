"""An init estimator of whole independent sequences: random features of statistics, and a ridge."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sklstm._data.sequences import Sequences
from sklstm._nn.column_ridge import ColumnRidge
from sklstm._nn.filled_steps import FilledSteps, Units

__all__ = ["StatisticsInit"]

N_RANDOM = 2000
"""Random features. Of four sets with 85 % of values missing half as many change the area under the
curve by -.007 to .006, twice as many by -.004 to .009."""

N_READ = 3
"""Statistics that a random feature reads."""

LEVELS = 0.1, 0.9
"""Between these quantiles of their sums random features begin: those that are above 0 in a few
sequences only would be learned by heart."""

N_POINTS = 64
"""Of the integral of gradients."""


@dataclass(frozen=True, repr=False)
class Statistics(FilledSteps):
    """Last value, mean, minimum and maximum of each feature, and random features of them.

    A random feature is the positive part of a random sum of a few statistics, so that a linear
    model of many of them is a smooth function with interactions (Rahimi and Recht, "Weighted Sums
    of Random Kitchen Sinks", NIPS 2008).

    Attributes
    ----------
    center, spread : ndarray of float32, shape (4 * n_features,)
        Standardise the statistics: all last values, means, minima, maxima.
    picks : ndarray of int64, shape (n_random, n_read)
        Statistics that each random feature reads.
    factors : ndarray of float32, shape (n_random, n_read)
        Their factors.
    offsets : ndarray of float32, shape (n_random,)
        Added to the sums: minus quantiles of those of the training sequences.
    """

    center: np.ndarray
    spread: np.ndarray
    picks: np.ndarray
    factors: np.ndarray
    offsets: np.ndarray

    @classmethod
    def draw(
        cls,
        sequences: Sequences,
        units: Units,
        random: np.random.RandomState,
    ) -> "Statistics":
        """Standardise the statistics of training sequences, and draw random features.

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        units : tuple of ndarray
            Mean, scale and median of the features.
        random : RandomState
            Decides what random features read.

        Returns
        -------
        Statistics
            For sequences of these features.
        """
        n_statistics = 4 * sequences.n_features
        n_read = min(N_READ, n_statistics)
        picks = np.stack([random.permutation(n_statistics)[:n_read] for _ in range(N_RANDOM)])
        factors = random.normal(size=picks.shape).astype(np.float32)
        levels = random.uniform(*LEVELS, size=N_RANDOM)
        center, spread = np.zeros(n_statistics, np.float32), np.ones(n_statistics, np.float32)
        blank = cls(*units, center, spread, picks, factors, np.zeros(N_RANDOM, np.float32))
        some = sequences[np.flatnonzero(sequences.lengths)]
        if not len(some):
            return blank
        found = blank.transform(some, torch.device("cpu"))[:, :n_statistics]
        center, spread = found.mean(axis=0), found.std(axis=0)
        spread = np.where(spread > 0, spread, np.float32(1))
        found = (found - center) / spread
        sums = [found[:, k] @ factor for k, factor in zip(picks, factors, strict=True)]
        offsets = [-np.quantile(one, level) for one, level in zip(sums, levels, strict=True)]
        return replace(blank, center=center, spread=spread, offsets=np.array(offsets, np.float32))

    @property
    def n_columns(self) -> int:
        """Statistics, and random features behind them."""
        return len(self.center) + len(self.offsets)

    def columns(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Standardised statistics, and random features."""
        center, spread, picks, factors, offsets = (
            torch.tensor(x, device=steps.device)
            for x in (self.center, self.spread, self.picks, self.factors, self.offsets)
        )
        inside = torch.arange(steps.shape[2], device=steps.device) < lengths[:, None, None]
        last = (lengths.long() - 1).clamp(min=0)[:, None, None].expand(-1, steps.shape[1], 1)
        statistics = torch.cat(
            [
                steps.gather(2, last)[..., 0],
                steps.sum(2) / lengths.clamp(min=1)[:, None],  # 0 after the end
                steps.masked_fill(~inside, torch.inf).amin(2),
                steps.masked_fill(~inside, -torch.inf).amax(2),
            ],
            dim=1,
        )
        statistics = (statistics - center) / spread
        sums = (statistics[:, picks] * factors).sum(2) + offsets
        return torch.cat([statistics, sums.relu()], dim=1)


@dataclass(frozen=True, repr=False)
class StatisticsInit(Statistics, ColumnRidge):
    """A ridge of statistics and random features of them."""

    @classmethod
    def drawn(cls, sequences: Sequences, units: Units, random: np.random.RandomState) -> Statistics:
        """Draw random features of statistics."""
        return Statistics.draw(sequences, units, random)

    def attribute(
        self,
        steps: torch.Tensor,
        baseline: torch.Tensor,
        lengths: torch.Tensor | None,
        of: torch.Tensor,
    ) -> torch.Tensor:
        """Integrate gradients on the straight way from the baseline."""
        change, gradients = steps.detach() - baseline, torch.zeros_like(steps)
        for share in ((torch.arange(N_POINTS) + 0.5) / N_POINTS).tolist():
            there = (baseline + share * change).requires_grad_()
            total = (self.compute(there, lengths) * of).sum()
            gradients += torch.autograd.grad(total, there)[0] / N_POINTS
        return gradients * change

    def columns_in_onnx(self, op: Any, steps: str) -> str:
        """Gather, sum and compare the steps, then the statistics."""
        n_steps = op("Squeeze", op("Shape", steps, start=1, end=2))
        place = op("Unsqueeze", op("Range", np.int64(0), n_steps, np.int64(1)), np.array([0]))
        lengths = op("Unsqueeze", op("Max", "lengths", np.int64(1)), np.array([1]))
        inside = op("Unsqueeze", op("Less", place, lengths), np.array([2]))
        steps, in_time = op.cast(steps, "float32"), np.array([1])
        last = op("Unsqueeze", op("Sub", lengths, np.int64(1)), np.array([2]))
        at_last = op("Equal", op("Unsqueeze", place, np.array([2])), last)

        def within(positions: str, other: float) -> str:
            inner: str = op("Where", positions, steps, np.float32(other))
            return inner

        total = op("ReduceSum", within(inside, 0), in_time, keepdims=0)
        statistics = op(
            "Concat",
            op("ReduceSum", within(at_last, 0), in_time, keepdims=0),
            op("Div", total, op.cast(lengths, "float32")),
            op("ReduceMin", within(inside, np.inf), axes=[1], keepdims=0),
            op("ReduceMax", within(inside, -np.inf), axes=[1], keepdims=0),
            axis=1,
        )
        statistics = op("Div", op("Sub", statistics, self.center), self.spread)
        read = op("Mul", op("Gather", statistics, self.picks, axis=1), self.factors)
        sums = op("Add", op("ReduceSum", read, np.array([2]), keepdims=0), self.offsets)
        columns: str = op("Concat", statistics, op("Relu", sums), axis=1)
        return columns
