"""Linear init estimators: what ridges and logistic regressions share."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch

from sklstm._data.backcast import learn_backcast, repeated_first_step
from sklstm._data.lag_moments import LagMoments
from sklstm._data.samples import Samples
from sklstm._data.sequences import Sequences
from sklstm._nn.inits import InitTask, LagInit, lag_units
from sklstm._nn.input_transform import fill_missing
from sklstm._nn.lag_parts import (
    common_length,
    folds_of,
    output_groups,
    parts_of,
    short_are_rare,
)

__all__ = ["LinearInit"]

MOST_COLUMNS = 1024
"""Largest number of lags of a linear init estimator: their products are a matrix of this size."""

OF_OUTPUTS = (
    "target_mean",
    "target_scale",
    "coef",
    "intercept",
    "penalty",
    "lagged_target",
    "difference_share",
    "empty",
)
"""Arrays of a linear init estimator whose last axis is that of the outputs."""


@dataclass(frozen=True, repr=False)
class LinearInit(LagInit):
    """A linear model of the lags.

    Attributes
    ----------
    target_mean, target_scale : ndarray of float64, shape (n_outputs,)
        Mean and standard deviation of numeric targets; 0 and 1 for labels.
    coef : ndarray of float64, shape (n_steps * n_features, n_outputs)
        Of standardised lags for standardised targets: all features of the first step, then of the
        second.
    intercept : ndarray of float64, shape (n_outputs,)
        The prediction where all features have their mean, in standardised units.
    penalty : ndarray of float64, shape (n_outputs,)
        Penalty per sample on squared coefficients.
    lagged_target : ndarray of int, shape (n_outputs,)
        Column of the lag whose later value is the target: its coefficient is shrunk to a slope of
        1 and all others to 0. -1: all are shrunk to 0.
    difference_share : ndarray of float64, shape (n_outputs,)
        Weight in [0, 1] of a second ridge, on the differences of each step from the last one, for
        outputs with a lagged target; the first ridge is on levels. With a share of 1 a prediction
        rises by 1 if all steps of its lagged feature do, so that a series that leaves its range is
        predicted as before. That holds for histories of full length.
    """

    target_mean: np.ndarray
    target_scale: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    penalty: np.ndarray
    lagged_target: np.ndarray
    difference_share: np.ndarray

    @classmethod
    def prepared(
        cls, task: InitTask
    ) -> tuple[Self, list[Samples], list[np.ndarray], list[list[LagMoments]]]:
        """Learn which lags there are, and what stands before the first step of short histories.

        Parameters
        ----------
        task : InitTask
            The training samples.

        Returns
        -------
        blank : LinearInit
            Without coefficients.
        parts : list of Samples
            Parts of the training samples.
        groups : list of ndarray of int
            Outputs that are missing in the same rows.
        whole : list of list of LagMoments
            For each group and part, sums over the histories of full length.
        """
        sequences = task.train.sequences
        in_time = bool((sequences.series >= 0).all())
        n_steps = sequences.max_length if in_time else common_length(sequences)
        blank = cls.blank(*lag_units(task), n_steps, *task.head.init_units(*task.train.labelled()))
        parts, groups = parts_of(task.train), output_groups(task)
        whole = [
            [blank.sums(task, part, outputs, short=False) for part in parts] for outputs in groups
        ]
        some = [moments for moments in whole[0] if moments.weight > 0]
        if some and (in_time or short_are_rare(task.train, blank.n_steps)):
            everything, folds = folds_of(some, in_time=in_time and len(some) > 2)
            folds = folds or [(everything, everything)]
            backcast = learn_backcast(everything, folds, len(blank.mean))
            blank = replace(blank, backcast=backcast)
        return blank, parts, groups, whole

    def predict(self, sequences: Sequences) -> np.ndarray:
        """Predict by the linear model alone."""
        predicted = self._table(sequences).product(self.coef) + self.intercept
        predicted = predicted * self.target_scale + self.target_mean
        predicted[sequences.lengths == 0] = self.empty
        return predicted

    def moments(self, sequences: Sequences, target: np.ndarray, weight: np.ndarray) -> LagMoments:
        """Sum the products of samples: a linear model needs no more."""
        target = (target - self.target_mean) / self.target_scale
        return self._table(sequences).moments(target, weight)

    def sums(
        self, task: InitTask, samples: Samples, outputs: np.ndarray, *, short: bool | None = None
    ) -> LagMoments:
        """Sum the products of the samples that have some of the outputs.

        Parameters
        ----------
        task : InitTask
            Has the head.
        samples : Samples
            The samples.
        outputs : ndarray of int
            Outputs, all or none of which a row has.
        short : bool, default=None
            Whether to sum over short histories, or over those of full length. `None`: over all.

        Returns
        -------
        LagMoments
            With the targets of these outputs.
        """
        (target, weight), histories = samples.labelled(), samples.histories()
        target = task.head.init_target(target)[:, outputs]
        selected = ~np.isnan(target[:, 0])
        if short is not None:
            selected &= (histories.lengths < self.n_steps) == short
        if not selected.all():
            rows = np.flatnonzero(selected)
            histories, target, weight = histories[rows], target[rows], weight[rows]
        return self.of_outputs(outputs).moments(histories, target, np.asarray(weight))

    @classmethod
    def blank(
        cls,
        mean: np.ndarray,
        scale: np.ndarray,
        fill: np.ndarray | None,
        n_steps: int,
        target_mean: np.ndarray,
        target_scale: np.ndarray,
    ) -> Self:
        """Make an unfitted one, of as many steps as it can use."""
        n_steps = max(min(n_steps, MOST_COLUMNS // len(mean)), 1)
        n_outputs = len(target_mean)
        return cls(
            mean,
            scale,
            fill,
            n_steps,
            repeated_first_step(len(mean), n_steps),
            target_mean,
            target_mean,
            target_scale,
            coef=np.zeros((n_steps * len(mean), n_outputs)),
            intercept=np.zeros(n_outputs),
            penalty=np.zeros(n_outputs),
            lagged_target=np.full(n_outputs, -1),
            difference_share=np.zeros(n_outputs),
        )

    def of_outputs(self, outputs: np.ndarray) -> Self:
        """Select some of the outputs.

        Parameters
        ----------
        outputs : ndarray of int, shape (n,)
            Which ones, in any order.

        Returns
        -------
        LinearInit
            With these outputs, unchanged.
        """
        picked: dict[str, Any] = {name: getattr(self, name)[..., outputs] for name in OF_OUTPUTS}
        return replace(self, **picked)

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Join the outputs of several init estimators of the same lags."""
        sides = {name: [getattr(part, name) for part in parts] for name in OF_OUTPUTS}
        joined: dict[str, Any] = {k: np.concatenate(v, axis=-1) for k, v in sides.items()}
        return replace(parts[0], **joined)

    def compute(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, per_step: bool = False
    ) -> torch.Tensor:
        """Prepend the backcast, and multiply the lags."""
        tensor = partial(torch.tensor, dtype=torch.float64, device=steps.device)
        n_sequences, _, n_features = steps.shape
        scaled = ((steps.double() - tensor(self.mean)) / tensor(self.scale)).transpose(0, 1)
        if self.fill is not None:
            scaled = fill_missing(scaled, tensor(self.fill))[..., :n_features]
        backcast = tensor(self.backcast)
        before = (scaled[0] @ backcast[:-1] + backcast[-1]).view(
            n_sequences, self.n_steps - 1, n_features
        )
        lags = torch.cat([before, scaled.transpose(0, 1)], dim=1).unfold(1, self.n_steps, 1)
        by_step = tensor(self.coef).view(self.n_steps, n_features, -1)
        predicted = torch.einsum("itfl,lfk->itk", lags, by_step) + tensor(self.intercept)
        predicted = predicted * tensor(self.target_scale) + tensor(self.target_mean)
        if per_step:
            return predicted
        if lengths is None:
            return predicted[:, -1]
        last = predicted[torch.arange(n_sequences), (lengths - 1).clamp(min=0)]
        return torch.where((lengths > 0)[:, None], last, tensor(self.empty))

    def to_onnx(self, op: Any, steps: str, per_step: bool) -> str:
        """Prepend the backcast, gather the lags and multiply them."""
        steps = op("Div", op("Sub", steps, np.asarray(self.mean)), np.asarray(self.scale))
        if self.n_steps > 1:
            first = op("Slice", steps, np.array([0]), np.array([1]), np.array([1]))
            before = op("Add", op("MatMul", first, self.backcast[:-1]), self.backcast[-1])
            shape = np.array([0, self.n_steps - 1, len(self.mean)])
            steps = op("Concat", op("Reshape", before, shape), steps, axis=1)
        reach = np.arange(self.n_steps)
        if per_step:
            n_ends = op("Sub", op("Shape", steps, start=1, end=2), np.array([self.n_steps - 1]))
            ends = op("Range", np.int64(0), op("Squeeze", n_ends), np.int64(1))
            places = op("Add", op("Unsqueeze", ends, np.array([1])), reach)
            lags = op("Gather", steps, places, axis=1)
            lags = op("Reshape", lags, np.array([0, 0, len(self.coef)]))
        else:
            ends = op("Max", op("Sub", "lengths", np.int64(1)), np.int64(0))
            places = op("Add", op("Unsqueeze", ends, np.array([1])), reach)
            places = op("Unsqueeze", places, np.array([2]))
            lags = op("GatherND", steps, places, batch_dims=1)
            lags = op("Reshape", lags, np.array([0, len(self.coef)]))
        predicted = op("Add", op("MatMul", lags, np.asarray(self.coef)), np.asarray(self.intercept))
        predicted = op("Add", op("Mul", predicted, self.target_scale), self.target_mean)
        if per_step:
            return predicted
        some = op("Unsqueeze", op("Greater", "lengths", np.int64(0)), np.array([1]))
        return op("Where", some, predicted, np.asarray(self.empty))
