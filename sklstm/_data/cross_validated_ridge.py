"""Ridge regression of many columns, with predictions for samples that it was not fitted to."""

from dataclasses import dataclass
from collections.abc import Callable

import numpy as np

__all__ = ["CrossValidatedRidge"]

PENALTIES = np.logspace(-4, 3, 15)
"""Per column, on squared coefficients of standardised columns."""

LEAST_REMAINDER = 1e-10
"""Smallest eigenvalue of what the hat matrix leaves of a fold: smaller ones are rounding errors."""

RANK_TOLERANCE = 1e-10
"""Eigenvalues below this share of the largest one are rounding errors."""


@dataclass(frozen=True)
class CrossValidatedRidge:
    """Ridge regression with an intercept, and the penalty whose cross-validation error is least.

    Predictions for a fold by a model of all other folds need no other fits (Rifkin and Lippert,
    "Notes on Regularized Least Squares", MIT-CSAIL-TR-2007-025, for folds of one sample): with the
    hat matrix H of all samples the residuals of fold B are ``(I - H_BB)^-1 r_B``. Columns are
    standardised by all samples, without the targets.

    Attributes
    ----------
    coef : ndarray of float64, shape (n_columns, n_targets)
        Coefficients.
    intercept : ndarray of float64, shape (n_targets,)
        Predictions where all columns are 0.
    penalty : float
        On squared coefficients of standardised columns.
    held_out : ndarray of float64, shape (n_samples, n_targets)
        Predictions for each fold by a model of the others with this penalty. What a model without
        any columns would predict for the fold is replaced by what it predicts from all samples:
        the mean of others is low where a target is high, which a second model would learn.
    """

    coef: np.ndarray
    intercept: np.ndarray
    penalty: float
    held_out: np.ndarray

    @classmethod
    def fit(
        cls,
        columns: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        fold: np.ndarray,
        loss: Callable[[np.ndarray], float],
    ) -> "CrossValidatedRidge":
        """Fit the model with each penalty, and keep the best.

        Parameters
        ----------
        columns : ndarray of shape (n_samples, n_columns)
            Columns of any scale.
        target : ndarray of shape (n_samples, n_targets)
            Numbers, of similar scale.
        weight : ndarray of shape (n_samples,)
            Weights, all positive.
        fold : ndarray of int, shape (n_samples,)
            Which samples are left out together, at least two folds.
        loss : callable
            Of predictions for the folds: a smaller number is better.

        Returns
        -------
        CrossValidatedRidge
            Fitted to all samples.
        """
        root = np.sqrt(weight / weight.mean())[:, None]
        mean, scale = _units(columns, root)
        scaled = ((columns - mean) / scale * root).astype(np.float64)
        target_mean = np.average(target, axis=0, weights=weight)
        centred = (target - target_mean) * root
        values, left = _left_vectors(scaled)
        turned = left.T @ centred
        basis = np.hstack([root / np.sqrt(len(root)), left])  # the first one is the intercept
        folds = _folds(fold)

        def residuals(shrink: np.ndarray) -> np.ndarray:
            """What models of the other folds leave, times the root of the weight."""
            rest = centred - left @ (shrink[:, None] * turned)
            return _held_out(rest, basis, np.append(1.0, shrink), folds)

        level = centred - residuals(np.zeros(len(values)))
        penalties = PENALTIES[::-1] * columns.shape[1]
        held = [target - (residuals(values / (values + one)) + level) / root for one in penalties]
        best = int(np.argmin([loss(one) for one in held]))
        penalty = penalties[best]
        coef = scaled.T @ (left @ (turned / (values + penalty)[:, None])) / scale[:, None]
        return cls(coef, target_mean - mean @ coef, penalty, held[best])


def _units(columns: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of columns; infinite where a column is constant."""
    weight = root[:, 0] ** 2
    mean = np.average(columns, axis=0, weights=weight)
    scale = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))
    scale[scale <= 1e-6 * np.abs(mean)] = np.inf
    return mean, scale


def _left_vectors(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above 0 of products of samples, and eigenvectors, by the smaller product."""
    if len(columns) <= columns.shape[1]:
        values, left = np.linalg.eigh(columns @ columns.T)
        kept = values > RANK_TOLERANCE * max(values[-1], 1)
        return values[kept], left[:, kept]
    values, right = np.linalg.eigh(columns.T @ columns)
    kept = values > RANK_TOLERANCE * max(values[-1], 1)
    return values[kept], columns @ right[:, kept] / np.sqrt(values[kept])


def _folds(fold: np.ndarray) -> list[np.ndarray]:
    """Samples of each fold, (n_folds, size), folds of one size together."""
    order = np.argsort(fold, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(fold[order])) + 1)
    sizes = np.array([len(part) for part in parts])
    return [np.stack([parts[k] for k in np.flatnonzero(sizes == n)]) for n in np.unique(sizes)]


def _held_out(
    residual: np.ndarray, basis: np.ndarray, shrink: np.ndarray, folds: list[np.ndarray]
) -> np.ndarray:
    """Residuals of each fold by models of the others, from those of a model of all samples."""
    held = np.empty(residual.shape)
    for rows in folds:
        if rows.shape[1] == 1:
            left = 1 - basis[rows[:, 0]] ** 2 @ shrink
            held[rows[:, 0]] = residual[rows[:, 0]] / np.maximum(left, LEAST_REMAINDER)[:, None]
            continue
        for one in rows:
            left = np.eye(len(one)) - (basis[one] * shrink) @ basis[one].T
            values, vectors = np.linalg.eigh(left)
            inverse = vectors / np.maximum(values, LEAST_REMAINDER)
            held[one] = inverse @ (vectors.T @ residual[one])
    return held
