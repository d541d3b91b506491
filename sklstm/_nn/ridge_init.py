"""The linear init estimator of numbers: a mixture of two ridges."""

from dataclasses import dataclass, replace
from functools import reduce
from numbers import Integral
from operator import add
from typing import Any, Self

import numpy as np

from sklstm._data.lag_moments import LagMoments, differences_from_last
from sklstm._data.ridge import Ridge, ridge_coef
from sklstm._data.sequences import Sequences
from sklstm._nn.inits import InitTask, LearnedInit
from sklstm._nn.lag_parts import folds_of
from sklstm._nn.linear_init import LinearInit

__all__ = ["RidgeInit"]

PENALTIES = np.logspace(4, -6, 21)
"""Per sample, for standardised lags; the largest shrink predictions almost to the lagged target, or
to the mean."""

FARTHEST = 4
"""A lag whose mean squared difference from a target is larger than this many times the variance of
the target is not its lagged target."""

ROUNDING = 1e-6
"""Rounding error of that mean, in variances of the target, above which it is not known."""

LARGE_SHARE = 0.5


@dataclass(frozen=True, repr=False)
class RidgeInit(LinearInit):
    """A ridge of levels and one of differences, mixed."""

    @property
    def differences_suffice(self) -> bool:
        """Whether differences are most of it, or every feature is a lagged target."""
        lagged = set(self.lagged_target[self.lagged_target >= 0] % len(self.mean))
        return bool(self.difference_share.mean() > LARGE_SHARE) or len(lagged) == len(self.mean)

    @classmethod
    def learn(cls, task: InitTask) -> LearnedInit:
        """Sum the products of lags part by part: all that tuning and fitting need."""
        blank, parts, groups, whole = cls.prepared(task)
        tuned, sums = [], []
        for outputs, of_whole in zip(groups, whole, strict=True):
            of_short = [blank.sums(task, part, outputs, short=True) for part in parts]
            both = [one + other for one, other in zip(of_whole, of_short, strict=True)]
            both = [moments for moments in both if moments.weight > 0]
            tuned.append(blank.of_outputs(outputs).tuned(both, task))
            sums.append(reduce(add, both))
        back = np.argsort(np.concatenate(groups))

        def fitted(of_groups: list[LagMoments]) -> RidgeInit:
            parts = [one.fitted(total) for one, total in zip(tuned, of_groups, strict=True)]
            return cls.joined(parts).of_outputs(back)

        def learn_again() -> RidgeInit:
            if task.rest is None:
                return init
            rest = [init.sums(task, task.rest, outputs) for outputs in groups]
            return fitted([seen + unseen for seen, unseen in zip(sums, rest, strict=True)])

        init = fitted(sums)
        return LearnedInit(init, init.predict(task.train.all_histories()), learn_again)

    def fitted(self, moments: LagMoments) -> Self:
        """Fit the mixture of two ridges of each output, with the hyperparameters of `tuned`.

        Parameters
        ----------
        moments : LagMoments
            Sums over the training samples.

        Returns
        -------
        RidgeInit
            With coefficients.
        """
        around, n_features = self._priors(self.lagged_target), len(self.mean)
        rest = moments.of_remainder(around)
        coef = around + ridge_coef(rest, self.penalty)
        if self.difference_share.any():
            changes = ridge_coef(rest.of_differences(n_features), self.penalty)
            differences = around + self._of_levels(changes)
            coef = coef + self.difference_share * (differences - coef)
        empty = moments.y / moments.weight * self.target_scale + self.target_mean
        return replace(self, coef=coef, intercept=moments.intercept(coef), empty=empty)

    def relearn(self, task: InitTask) -> LearnedInit:
        """Select the hyperparameters again: later samples may want others.

        Twelve refits of hourly loads (ETTh1, HUFL) from the weights erred 5 % more with those of
        the first fit.
        """
        return type(self).learn(task)

    def tuned(self, sums: list[LagMoments], task: InitTask) -> Self:
        """Select hyperparameters on later parts of series, or by cross-validation."""
        sequences = task.train.sequences
        in_time = bool((sequences.series >= 0).all())
        features = lagged_features(task.lagged_target, sequences)
        return self.selected(*folds_of(sums, in_time=in_time), features)

    def selected(
        self,
        everything: LagMoments,
        folds: list[tuple[LagMoments, LagMoments]],
        features: np.ndarray | None,
    ) -> Self:
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
        RidgeInit
            With these hyperparameters, without coefficients.
        """
        candidates = self._candidates(everything, features)
        lagged = np.repeat(candidates, len(PENALTIES), axis=0)
        errors = np.zeros((3, *lagged.shape))
        for train, valid in folds:
            levels, differences = self._ridges(train, candidates)
            for k, coefs in enumerate((levels, differences, (levels + differences) / 2)):
                errors[k] += valid.squared_errors(coefs, train)
        of_levels, of_differences, of_middle = errors
        apart = 2 * (of_levels + of_differences) - 4 * of_middle
        rounding = np.finfo(float).eps * (np.abs(of_levels) + np.abs(of_differences))
        apart = np.maximum(apart, rounding + np.finfo(float).tiny)
        share = np.clip((1 + (of_levels - of_differences) / apart) / 2, 0, 1)
        share[lagged < 0] = 0
        of_mixed = of_levels + share * (of_differences - of_levels) - share * (1 - share) * apart
        best = of_mixed.argmin(axis=0), np.arange(lagged.shape[1])
        penalty = PENALTIES[best[0] % len(PENALTIES)]
        return replace(
            self, penalty=penalty, lagged_target=lagged[best], difference_share=share[best]
        )

    def _ridges(
        self, moments: LagMoments, candidates: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of both ridges, for each candidate of lagged targets and each penalty."""
        n_features = len(self.mean)
        ridges = Ridge(moments), Ridge(moments.of_differences(n_features))
        levels, differences = [], []
        for lagged in candidates:
            around = self._priors(lagged)
            rest = moments.of_remainder(around).covariances_with_targets()
            levels.append(around[:, None] + ridges[0].coefs(rest, PENALTIES))
            changes = ridges[1].coefs(differences_from_last(rest, n_features), PENALTIES)
            differences.append(around[:, None] + self._of_levels(changes))
        return np.concatenate(levels, axis=1), np.concatenate(differences, axis=1)

    def _candidates(self, moments: LagMoments, features: np.ndarray | None) -> list[np.ndarray]:
        """Candidate lagged targets: none, the nearest lag at the last step, the nearest of all."""
        n_outputs, n_features = len(moments.y), len(self.mean)
        last = (self.n_steps - 1) * n_features
        nothing = np.full(n_outputs, -1)
        if features is not None and not len(features):
            return [nothing]
        if features is not None and len(features) == 1:
            return [nothing + 1 + last + features[0]]
        errors = self._errors_of_lags(moments)
        errors = np.where(errors <= FARTHEST * moments.weight, errors, np.inf)

        def nearest(first: int) -> np.ndarray:
            found = first + errors[first:].argmin(axis=0)
            return np.where(np.isfinite(errors[first:]).any(axis=0), found, -1)

        return [nothing, nearest(last), nearest(0)]

    def _errors_of_lags(self, moments: LagMoments) -> np.ndarray:
        """Squared differences of outputs from each lag in the same units, around their mean.

        Infinite where rounding hides them, as with the fill value 1e20 among the values of a lag.
        """
        scale = np.tile(self.scale, self.n_steps)
        with np.errstate(over="ignore", invalid="ignore"):  # features of very different scales
            slope = scale[:, None] / self.target_scale
            y = moments.y - slope * moments.x[:, None]
            xx = np.diag(moments.xx)[:, None]
            explained = slope**2 * xx
            yy = moments.yy - 2 * slope * moments.xy + explained
            is_exact = np.finfo(float).eps * explained <= ROUNDING * moments.weight
            return np.where(is_exact, yy - y**2 / moments.weight, np.inf)

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
        by_step = coef.reshape(self.n_steps - 1, len(self.mean), *coef.shape[1:])
        by_step = np.concatenate([by_step, -by_step.sum(axis=0, keepdims=True)])
        return by_step.reshape(len(self.coef), *coef.shape[1:])


def lagged_features(lagged_target: Any, sequences: Sequences) -> np.ndarray | None:
    """Find the features that may be the lagged target.

    Parameters
    ----------
    lagged_target : str, int or None
        The parameter of the estimator.
    sequences : Sequences
        Has the names of the features.

    Returns
    -------
    ndarray of int, or None
        Positions of features: empty for none, None for any of them.

    Raises
    ------
    ValueError
        If it is no feature.
    """
    n_features = sequences.n_features
    names = None if sequences.feature_names is None else list(sequences.feature_names)
    if lagged_target is None:
        return np.zeros(0, dtype=int)
    if isinstance(lagged_target, str) and lagged_target == "auto" and "auto" not in (names or []):
        return None
    if names is not None and lagged_target in names:
        return np.array([names.index(lagged_target)])
    if isinstance(lagged_target, Integral) and 0 <= int(lagged_target) < n_features:
        return np.array([int(lagged_target)])
    expected = f"0 to {n_features - 1}" if names is None else names
    raise ValueError(f"lagged_target={lagged_target!r} is no feature of X; there are {expected}.")
