"""Init estimators of whole sequences: ridges of many fixed columns of each."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from sklstm._data.held_out_ridge import HeldOutRidge
from sklstm._data.samples import Samples
from sklstm._data.sequences import Sequences
from sklstm._nn.filled_steps import FilledSteps, Units
from sklstm._nn.heads import Head
from sklstm._nn.inits import Init, InitTask, LearnedInit, lag_units

__all__ = ["ColumnRidge"]

MOST = 10_000
"""A ridge sees at most so many sequences: what more of them show is left to the network."""

FEWEST_ALONE, FEWEST_OF_CLASS = 50, 10
"""With fewer samples, or of a class, folds of several samples keep the class prior: a single sample
left out makes its own class rarer."""

N_FOLDS = 10

PENALTIES = np.logspace(-4, 3, 15)
"""Of the ridge, per column; the paper has 1e-7 to 0.1. The largest are for columns of noise."""

SLOPES = 0.1, 10.0
"""Bounds of the inverse temperature, for predictions of 1 and -1."""

SLOPE_TOLERANCE = 0.01
"""Of its logarithm."""

SLOPE_PENALTY = 0.01
"""On its square, against the sum of log losses: where few samples are classified without an
error, it would be 10. On 15 archive sets the mean log loss of test samples is 0.2686 without it,
0.2668 with it, and 0.2745 with 0.2."""

LEAST_GAIN = 5.0
"""By how much the log-likelihood of all samples has to rise above that of the class prior: the 99 %
quantile of half a chi-squared variable of two numbers, penalty and temperature. With noise it rose
by more than 3 in 1 of 53 trials of 30 to 300 sequences, never by 4."""


@dataclass(frozen=True, repr=False)
class ColumnRidge(FilledSteps, Init):
    """A ridge of columns that are computed of each sequence.

    Labels are columns of 1 and -1, as in scikit-learn's `RidgeClassifier`. Predictions for training
    samples are out of sample: a ridge of thousands of columns knows its own samples by heart, so
    that nothing would be left to learn. They become log-odds by one factor, the inverse of a
    temperature (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017).

    Attributes
    ----------
    coef : ndarray of float32, shape (n_columns, n_outputs)
        Coefficients of log-odds.
    intercept : ndarray of float64, shape (n_outputs,)
        Log-odds where all columns are 0.
    empty : ndarray of float64, shape (n_outputs,)
        The prediction for an empty sequence, and for all if the columns tell nothing: the
        logarithm of the class prior.
    penalty : float
        Of the ridge, per column.
    slope : float
        Inverse temperature; 0 if out of sample predictions are hardly better than `empty`.
    device : str
        Where columns are computed.
    """

    coef: np.ndarray
    intercept: np.ndarray
    empty: np.ndarray
    penalty: float
    slope: float
    device: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.n_columns} columns of {len(self.mean)} features"

    @classmethod
    @abstractmethod
    def drawn(
        cls, sequences: Sequences, units: Units, random: np.random.RandomState
    ) -> FilledSteps:
        """Draw the columns, of a class that this one inherits from.

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        units : tuple of ndarray
            Mean, scale and median of the features.
        random : RandomState
            Decides which columns.
        """

    @classmethod
    def learn(cls, task: InitTask) -> LearnedInit:
        """Draw columns; select the penalty and the temperature out of sample."""
        if task.train.of_steps:
            raise ValueError(
                f"init={task.estimator!r} reads whole sequences, and with pooling=None there is a "
                "prediction at every step: use init='linear' or None."
            )
        mean, scale, fill = lag_units(task)
        units = mean, scale, None if fill is None else fill * scale + mean
        drawn = cls.drawn(task.train.sequences, units, np.random.RandomState(task.seed))
        nothing = np.zeros(len(task.head.init_map))
        init = cls(
            **vars(drawn),
            coef=np.zeros((drawn.n_columns, len(nothing)), dtype=np.float32),
            intercept=nothing,
            empty=nothing,
            penalty=0.0,
            slope=0.0,
            device=task.device,
        )
        return init._learned(task, PENALTIES)

    def relearn(self, task: InitTask) -> LearnedInit:
        """Fit the ridge to these samples; columns and penalty stay."""
        return self._learned(task, np.array([self.penalty]))

    def predict(self, sequences: Sequences) -> np.ndarray:
        """Predict log-odds by the ridge."""
        predicted = np.tile(self.empty, (len(sequences), 1))
        if not self.slope:
            return predicted
        device = torch.device(self.device)
        coef = torch.tensor(self.coef, device=device)
        for rows, columns in self.blocks(sequences, device):
            predicted[rows] = (columns @ coef).cpu().numpy() + self.intercept
        return predicted

    def compute(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, per_step: bool = False
    ) -> torch.Tensor:
        """Predict log-odds."""
        steps, lengths = self.prepared(steps, lengths)
        columns = self.columns(steps, lengths)
        predicted = (columns @ torch.tensor(self.coef, device=steps.device)).double()
        predicted = predicted + torch.tensor(self.intercept, device=steps.device)
        counts = (lengths > 0)[:, None] if self.slope else torch.tensor(False)
        return torch.where(counts, predicted, torch.tensor(self.empty, device=steps.device))

    @abstractmethod
    def columns_in_onnx(self, op: Any, steps: str) -> str:
        """Append the nodes of the columns, float, of standardised steps, double."""

    def to_onnx(self, op: Any, steps: str, per_step: bool) -> str:
        """Multiply the columns."""
        steps = op("Div", op("Sub", steps, self.mean), self.scale)
        scores = op("MatMul", self.columns_in_onnx(op, steps), self.coef)
        predicted: str = op("Add", op.cast(scores, "double"), self.intercept)
        counts = op("Greater", "lengths", np.int64(0))
        if not self.slope:
            counts = op("Less", "lengths", np.int64(0))
        return op("Where", op("Unsqueeze", counts, np.array([1])), predicted, self.empty)

    def _learned(self, task: InitTask, penalties: np.ndarray) -> LearnedInit:
        """Fit to the training samples, and predict them out of sample."""
        head, train = task.head, task.train
        rows = np.random.RandomState(task.seed).permutation(len(train.sequences))[:MOST]
        seen, fold = train.take(rows), _folds(head, train.target[rows])
        columns = self._columns(seen.sequences)
        ridge = HeldOutRidge(columns, _signs(head, seen.target), seen.weight)
        held_out, found = {}, {}
        for penalty in penalties.tolist():
            held_out[penalty] = ridge.held_out(penalty, fold)
            found[penalty] = _calibrated(head, seen, held_out[penalty])
        penalty = min(reversed(found), key=lambda one: found[one][1])  # of equals the largest
        slope, loss = found[penalty]
        empty = head.baseline(*seen.labelled())
        prior = np.tile(empty, (len(rows), 1))
        if loss >= _loss(head, seen, prior) - LEAST_GAIN / len(rows):
            slope = 0.0
        tuned = replace(self, penalty=penalty, slope=slope)
        init = tuned._with(ridge, empty)
        predicted = init.predict(train.sequences) if len(rows) == MOST else np.empty(prior.shape)
        predicted[rows] = slope * held_out[penalty] if slope else prior
        return LearnedInit(init, predicted, lambda: tuned._again(task, init, seen, columns))

    def _again(self, task: InitTask, init: Self, seen: Samples, columns: np.ndarray) -> Self:
        """Fit to the samples whose columns are known and to the rest."""
        if task.rest is None or not self.slope or len(columns) == MOST:
            return init
        rest = task.rest.take(np.arange(len(task.rest.sequences))[: MOST - len(columns)])
        columns = np.concatenate([columns, self._columns(rest.sequences)])
        parts = zip(seen.labelled(), rest.labelled(), strict=True)
        target, weight = (np.concatenate(pair) for pair in parts)
        ridge = HeldOutRidge(columns, _signs(task.head, target), weight)
        return self._with(ridge, task.head.baseline(target, weight))

    def _columns(self, sequences: Sequences) -> np.ndarray:
        return self.transform(sequences, torch.device(self.device))

    def _with(self, ridge: HeldOutRidge, empty: np.ndarray) -> Self:
        """Take the coefficients of a ridge, in log-odds."""
        coef, intercept = ridge.solution(self.penalty)
        coef, intercept = (self.slope * coef).astype(np.float32), self.slope * intercept
        return replace(self, coef=coef, intercept=intercept, empty=empty)


def _signs(head: Head, target: np.ndarray) -> np.ndarray:
    """A column for each label: 1 for the samples that have it, -1 for others."""
    return 2 * head.init_target(target) - 1


def _loss(head: Head, samples: Samples, logits: np.ndarray) -> float:
    """Mean loss of log-odds."""
    target = head.to_network(samples.target, logits)
    return head.mean_loss(np.zeros(logits.shape), target, samples.weight)


def _calibrated(head: Head, samples: Samples, scores: np.ndarray) -> tuple[float, float]:
    """The slope of scores with the least loss, and this loss."""

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        penalty = SLOPE_PENALTY * slope**2 / len(scores)
        return _loss(head, samples, slope * scores) + penalty

    best = minimize_scalar(
        loss, bounds=np.log(SLOPES), method="bounded", options={"xatol": SLOPE_TOLERANCE}
    )
    return float(np.exp(best.x)), float(best.fun)


def _folds(head: Head, target: np.ndarray) -> np.ndarray:
    """The fold of each sample: one for each, or a few stratified ones."""
    n_samples, strata = len(target), head.strata(target)
    rarest = n_samples if strata is None else np.unique(strata, return_counts=True)[1].min()
    if n_samples >= FEWEST_ALONE and rarest >= FEWEST_OF_CLASS:
        return np.arange(n_samples)
    order = np.arange(n_samples) if strata is None else np.argsort(strata, kind="stable")
    fold = np.empty(n_samples, dtype=int)
    fold[order] = np.arange(n_samples) % N_FOLDS
    return fold
