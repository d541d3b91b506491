"""Init estimators: simple models, on whose residuals the network is trained."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from sklstm._data.backcast import repeated_first_step
from sklstm._data.lag_moments import LagMoments
from sklstm._data.lag_table import LagTable
from sklstm._data.ridge import Ridge
from sklstm._data.sequences import Sequences

__all__ = ["EstimatorInit", "Init", "LinearInit", "init_from_plain"]

MOST_COLUMNS = 1024
"""Largest number of lags of a linear init estimator: their products are a matrix of this size."""

PENALTIES = np.logspace(4, -6, 21)
"""Per sample, for standardised lags; the largest shrink predictions almost to the lagged target, or
to the mean."""

FARTHEST = 4
"""A lag whose mean squared difference from a target is larger than this many times the variance of
the target is not its lagged target."""

LEAST_PROBABLE = 1e-3
"""Least probability that an init estimator predicts, so that the network can correct it."""

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

RAREST = 0.5
"""Number of samples that is assumed for a label without any."""


@dataclass(frozen=True, repr=False)
class Init(ABC):
    """A simple model of the lags. Frozen: fitted once, to training samples.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_features,)
        Mean and standard deviation of the features, to standardise them.
    fill : ndarray of float64, shape (n_features,), or None
        Replaces values that are missing since the beginning, in standardised units.
    n_steps : int
        Number of steps it uses: the last ones of longer sequences.
    backcast : ndarray of float64, shape (n_features + 1, n_steps_before * n_features)
        Predicts the missing steps before shorter sequences, as `learn_backcast` returns it, in
        the same units.
    empty : ndarray of float64, shape (n_outputs,)
        The prediction for an empty sequence: the mean of the targets, or the logarithm of the
        class prior.
    """

    mean: np.ndarray
    scale: np.ndarray
    fill: np.ndarray | None
    n_steps: int
    backcast: np.ndarray
    empty: np.ndarray

    @abstractmethod
    def predict(self, sequences: Sequences) -> np.ndarray:
        """Predict by the simple model alone.

        Parameters
        ----------
        sequences : Sequences
            Of the features seen in training.

        Returns
        -------
        ndarray of float64, shape (n_sequences, n_outputs)
            Numbers in the units of the user; for labels logarithms of probabilities, up to a
            constant for each row.
        """

    @abstractmethod
    def to_onnx(self, op: Any, steps: str, per_step: bool) -> str:
        """Append the nodes that predict.

        Parameters
        ----------
        op : sklstm._nn.onnx.Operations
            Gets the nodes.
        steps : str
            Name of the steps, none of them missing, in the units of the user.
        per_step : bool
            Whether there is a prediction at every step.

        Returns
        -------
        str
            Name of the predictions, double.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}: reads {self.n_steps} steps of {len(self.mean)} features"

    def to_plain(self) -> dict[str, Any]:
        """Convert to arrays, numbers and texts, and the estimator if there is one."""
        return {"kind": type(self).__name__} | vars(self)

    def _table(self, sequences: Sequences) -> LagTable:
        features = self.mean, self.scale, self.n_steps, self.fill, self.backcast
        return LagTable(sequences, *features)


@dataclass(frozen=True, repr=False)
class LinearInit(Init):
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

    @classmethod
    def blank(
        cls,
        mean: np.ndarray,
        scale: np.ndarray,
        fill: np.ndarray | None,
        n_steps: int,
        target_mean: np.ndarray,
        target_scale: np.ndarray,
    ) -> "LinearInit":
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

    def of_outputs(self, outputs: np.ndarray) -> "LinearInit":
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
    def joined(cls, parts: "list[LinearInit]") -> "LinearInit":
        """Join the outputs of several init estimators of the same lags."""
        sides = {name: [getattr(part, name) for part in parts] for name in OF_OUTPUTS}
        joined: dict[str, Any] = {k: np.concatenate(v, axis=-1) for k, v in sides.items()}
        return replace(parts[0], **joined)

    def fitted_ridge(self, moments: LagMoments) -> "LinearInit":
        """Fit the mixture of two ridges of each output, with the hyperparameters of `tuned_ridge`.

        Parameters
        ----------
        moments : LagMoments
            Sums over the training samples.

        Returns
        -------
        LinearInit
            With coefficients.
        """
        ((levels, differences),) = self._ridges(moments, [self.lagged_target], self.penalty[None])
        coef = levels + self.difference_share * (differences - levels)
        empty = moments.y / moments.weight * self.target_scale + self.target_mean
        return replace(self, coef=coef, intercept=moments.intercept(coef), empty=empty)

    def tuned_ridge(
        self,
        everything: LagMoments,
        folds: list[tuple[LagMoments, LagMoments]],
        features: np.ndarray | None,
    ) -> "LinearInit":
        """Select the penalty, the lagged target and the difference share of each output.

        The two ridges are mixed with the share whose validation error is least (Breiman, "Stacked
        Regressions", Machine Learning 24, 1996). The error is quadratic in the share, so that three
        errors determine its minimum.

        Parameters
        ----------
        everything : LagMoments
            Sums over all training samples.
        folds : list of pairs of LagMoments
            Sums over training and over validation samples.
        features : ndarray of int or None
            Features that may be the lagged target: None for any, empty for none. A single one is
            that of all outputs.

        Returns
        -------
        LinearInit
            With these hyperparameters, without coefficients.
        """
        candidates = self._candidates(everything, features)
        lagged = np.repeat(candidates, len(PENALTIES), axis=0)
        errors = np.zeros((3, *lagged.shape))
        for train, valid in folds:
            for i, (levels, differences) in enumerate(self._ridges(train, candidates, PENALTIES)):
                for k, coef in enumerate((levels, differences, (levels + differences) / 2)):
                    errors[k, i] += valid.squared_error(coef, train.intercept(coef))
        of_levels, of_differences, of_middle = errors
        apart = np.maximum(2 * (of_levels + of_differences) - 4 * of_middle, np.finfo(float).tiny)
        share = np.clip((1 + (of_levels - of_differences) / apart) / 2, 0, 1)
        share[lagged < 0] = 0
        of_mixed = of_levels + share * (of_differences - of_levels) - share * (1 - share) * apart
        best = of_mixed.argmin(axis=0), np.arange(lagged.shape[1])
        penalty = PENALTIES[best[0] % len(PENALTIES)]
        return replace(
            self, penalty=penalty, lagged_target=lagged[best], difference_share=share[best]
        )

    def _ridges(
        self, moments: LagMoments, candidates: list[np.ndarray], penalties: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Coefficients of both ridges, for each candidate of lagged targets and each penalty."""
        n_features = len(self.mean)
        of_levels, of_differences = Ridge(moments), Ridge(moments.of_differences(n_features))
        for lagged in candidates:
            around = self._priors(lagged)
            rest = moments.of_remainder(around)
            levels = of_levels.coefs(rest, penalties)
            differences = of_differences.coefs(rest.of_differences(n_features), penalties)
            for one, other in zip(levels, differences, strict=True):
                yield around + one, around + self._of_levels(other)

    def _candidates(self, moments: LagMoments, features: np.ndarray | None) -> list[np.ndarray]:
        """Candidate lagged targets: none, the nearest lag at the last step, the nearest of all."""
        n_outputs, n_features = len(moments.y), len(self.mean)
        last = (self.n_steps - 1) * n_features
        nothing = np.full(n_outputs, -1)
        if features is not None and not len(features):
            return [nothing]
        if features is not None and len(features) == 1:
            return [nothing + 1 + last + features[0]]
        with np.errstate(over="ignore", invalid="ignore"):  # features of very different scales
            lags = range(len(moments.x))
            errors = np.stack([self._error_of_lag(moments, lag) for lag in lags])
        errors = np.where(errors <= FARTHEST * moments.weight, errors, np.inf)

        def nearest(first: int) -> np.ndarray:
            found = first + errors[first:].argmin(axis=0)
            return np.where(np.isfinite(errors[first:]).any(axis=0), found, -1)

        return [nothing, nearest(last), nearest(0)]

    def _error_of_lag(self, moments: LagMoments, lag: int) -> np.ndarray:
        """Squared differences of each output from a lag in the same units, around their mean."""
        slope = self.scale[lag % len(self.mean)] / self.target_scale
        y = moments.y - slope * moments.x[lag]
        yy = moments.yy - 2 * slope * moments.xy[lag] + slope**2 * moments.xx[lag, lag]
        return yy - y**2 / moments.weight

    def _priors(self, lagged_target: np.ndarray) -> np.ndarray:
        """Coefficients that the penalty shrinks to."""
        around = np.zeros((self.n_steps * len(self.mean), len(lagged_target)))
        outputs = np.flatnonzero(lagged_target >= 0)
        lags = lagged_target[outputs]
        slopes = self.scale[lags % len(self.mean)] / self.target_scale[outputs]
        around[lags, outputs] = slopes
        return around

    def _of_levels(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of lags from those of their differences from the last step."""
        by_step = coef.reshape(self.n_steps - 1, len(self.mean), coef.shape[1])
        by_step = np.concatenate([by_step, -by_step.sum(axis=0, keepdims=True)])
        return by_step.reshape(len(self.coef), coef.shape[1])

    def fitted_discriminant(
        self, moments: LagMoments, penalty: float, *, several: bool
    ) -> "LinearInit":
        """Fit a linear discriminant analysis of standardised lags.

        The log-odds of normal distributions with one covariance (Hastie, Tibshirani and Friedman,
        "The Elements of Statistical Learning", 2009, eq. 4.10), to whose diagonal the penalty is
        added (ibid., eq. 4.14, with the identity in place of the covariance).

        Parameters
        ----------
        moments : LagMoments
            Sums over the training samples, whose target is 1 for the label of a sample, else 0.
        penalty : float
            Added to the variances.
        several : bool
            Whether a sample may have several labels: each is a class against its absence.

        Returns
        -------
        LinearInit
            With coefficients for each label.
        """
        n_labels = len(moments.y)
        if several:
            parts = [
                _discriminants(moments, moments.xy[:, [k]], moments.y[[k]], penalty)
                for k in range(n_labels)
            ]
            coef, intercept = (np.concatenate(x, axis=-1) for x in zip(*parts, strict=True))
        else:
            coef, intercept = _discriminants(moments, moments.xy, moments.y, penalty)
        return replace(
            self,
            coef=coef,
            intercept=intercept,
            penalty=np.full(n_labels, penalty),
            lagged_target=np.full(n_labels, -1),
            difference_share=np.zeros(n_labels, dtype=bool),
            empty=_logits(moments.y, moments.weight, several),
        )

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


@dataclass(frozen=True, repr=False)
class EstimatorInit(Init):
    """Any scikit-learn estimator of lags in the units of the user.

    Attributes
    ----------
    estimator : BaseEstimator
        Fitted. A classifier is fitted to codes of the labels, counted from 0, as some accept
        nothing else.
    classes : ndarray or None
        Labels in the order of the outputs; None for numbers.
    seen : ndarray of int or None
        Positions of the labels in its training data.
    """

    estimator: BaseEstimator
    classes: np.ndarray | None
    seen: np.ndarray | None = None

    def fitted_to(
        self, sequences: Sequences, target: np.ndarray, weight: np.ndarray
    ) -> "EstimatorInit":
        """Fit a clone.

        Parameters
        ----------
        sequences : Sequences
            Training samples.
        target : ndarray of shape (n_sequences, n_targets)
            Numbers, or positions of labels.
        weight : ndarray of shape (n_sequences,)
            Their weights, passed to the estimator if they differ and it supports them.

        Returns
        -------
        EstimatorInit
            Fitted.
        """
        if np.isnan(target).any():
            raise ValueError(
                f"init={self.estimator!r} learns from whole rows of y, and in some rows some of "
                "the targets are NaN: use init='linear' or None, or drop such rows."
            )
        if self.classes is None:
            empty = np.average(target, axis=0, weights=weight)
        else:
            counts = np.bincount(target[:, 0].astype(int), weight, len(self.classes))
            empty = np.log(np.maximum(counts / counts.sum(), LEAST_PROBABLE))
        some = sequences.lengths > 0
        if some.any():
            sequences, target, weight = sequences[some], target[some], weight[some]
        table = self._table(sequences)
        lags = np.concatenate([table.rows(block) for block in table.blocks()])
        y = target[:, 0] if target.shape[1] == 1 else target
        estimator, seen = clone(self.estimator), None
        if self.classes is not None:
            seen, y = np.unique(y.astype(int), return_inverse=True)
            _weigh_codes(estimator, self.classes[seen].tolist())
        weighs = (weight != weight[0]).any() and has_fit_parameter(estimator, "sample_weight")
        estimator.fit(lags, y, **({"sample_weight": weight} if weighs else {}))
        return replace(self, estimator=estimator, seen=seen, empty=empty)

    def to_onnx(self, op: Any, steps: str, per_step: bool) -> str:
        """Raise an error: ONNX has no such nodes."""
        raise ValueError(
            f"to_onnx cannot write the init estimator {type(self.estimator).__name__}: "
            "init='linear' or None can be written."
        )

    def predict(self, sequences: Sequences) -> np.ndarray:
        """Predict by the estimator."""
        table = self._table(sequences)
        predicted = np.concatenate(
            [self._predict_lags(table.rows(block)) for block in table.blocks()]
        )
        predicted[sequences.lengths == 0] = self.empty
        return predicted

    def _predict_lags(self, lags: np.ndarray) -> np.ndarray:
        if self.classes is None:
            return np.asarray(self.estimator.predict(lags), dtype=np.float64).reshape(len(lags), -1)
        outputs = np.full((len(lags), len(self.classes)), np.log(LEAST_PROBABLE))
        shares = np.maximum(self.estimator.predict_proba(lags), LEAST_PROBABLE)
        outputs[:, self.seen] = np.log(shares)
        return outputs


def _weigh_codes(estimator: BaseEstimator, labels: list[Any]) -> None:
    """Turn weights of labels into weights of codes, also those of nested estimators."""
    for name, value in estimator.get_params().items():
        if name.split("__")[-1] == "class_weight" and isinstance(value, dict):
            codes = {labels.index(k): weight for k, weight in value.items() if k in labels}
            estimator.set_params(**{name: codes})


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


def init_from_plain(plain: dict[str, Any]) -> Init:
    """Restore an init estimator.

    Parameters
    ----------
    plain : dict
        From `Init.to_plain`.

    Returns
    -------
    Init
        With the same predictions.
    """
    parts = dict(plain)
    kinds = {kind.__name__: kind for kind in (LinearInit, EstimatorInit)}
    return kinds[parts.pop("kind")](**parts)
