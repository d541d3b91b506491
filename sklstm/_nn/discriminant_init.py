"""The linear init estimator of labels: a discriminant analysis."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Self

import numpy as np

from sklstm._data.lag_moments import LagMoments
from sklstm._data.samples import Samples
from sklstm._nn.inits import InitTask
from sklstm._nn.linear_init import LinearInit
from sklstm._nn.ridge_init import PENALTIES

__all__ = ["DiscriminantInit"]

RAREST = 0.5
"""Number of samples that is assumed for a label without any."""


@dataclass(frozen=True, repr=False)
class DiscriminantInit(LinearInit):
    """A linear discriminant analysis of standardised lags.

    Attributes
    ----------
    several : bool
        Whether a sample may have several labels: each is a class against its absence.
    """

    several: bool = False

    def tuned(self, sums: list[LagMoments], task: InitTask, last: Samples) -> "DiscriminantInit":
        """Select the penalty whose loss on the last part is least."""
        several = task.head.target_type == "multilabel-indicator"
        first = reduce(add, sums[:-1] or sums)
        histories, (target, weight) = last.histories(), last.labelled()

        def with_penalty(penalty: float) -> "DiscriminantInit":
            penalties = np.full(len(first.y), penalty)
            return replace(self, penalty=penalties, several=several)

        def loss(penalty: float) -> float:
            predicted = with_penalty(penalty).fitted(first).predict(histories)
            residuals = task.head.to_network(target, predicted)
            return task.head.mean_loss(np.zeros(predicted.shape), residuals, weight)

        return with_penalty(min(PENALTIES, key=loss))

    def fitted(self, moments: LagMoments) -> Self:
        """Fit a linear discriminant analysis of standardised lags.

        The log-odds of normal distributions with one covariance (Hastie, Tibshirani and Friedman,
        "The Elements of Statistical Learning", 2009, eq. 4.10), to whose diagonal the penalty is
        added (ibid., eq. 4.14, with the identity in place of the covariance).

        Parameters
        ----------
        moments : LagMoments
            Sums over the training samples, whose target is 1 for the label of a sample, else 0.

        Returns
        -------
        DiscriminantInit
            With coefficients for each label.
        """
        groups = [[k] for k in range(len(moments.y))] if self.several else [slice(None)]
        parts = [
            _discriminants(moments, moments.xy[:, k], moments.y[k], self.penalty[0]) for k in groups
        ]
        coef, intercept = (np.concatenate(x, axis=-1) for x in zip(*parts, strict=True))
        empty = _logits(moments.y, moments.weight, self.several)
        return replace(self, coef=coef, intercept=intercept, empty=empty)


def _discriminants(
    moments: LagMoments, sums: np.ndarray, counts: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and intercepts of the classes whose columns have these sums.

    With a single class those of the class against all other samples.
    """
    against_rest = len(counts) == 1
    if against_rest:
        sums = np.column_stack([sums, moments.x - sums[:, 0]])
        counts = np.append(counts, moments.weight - counts)
    means = sums / np.where(counts > 0, counts, 1)
    within = moments.xx / moments.weight - (means * counts / moments.weight) @ means.T
    within[np.diag_indices_from(within)] += penalty
    coef = np.linalg.solve(within, means)
    counts = np.maximum(counts, RAREST)
    intercept = np.log(counts / counts.sum()) - (means * coef).sum(axis=0) / 2
    if against_rest:
        return coef[:, :1] - coef[:, 1:], intercept[:1] - intercept[1:]
    return coef, intercept


def _logits(counts: np.ndarray, total: float, several: bool) -> np.ndarray:
    """Logarithms of the class prior, or log-odds if a sample may have several labels."""
    others = np.maximum(total - counts, RAREST)
    counts = np.maximum(counts, RAREST)
    return np.log(counts / (others if several else counts.sum()))
