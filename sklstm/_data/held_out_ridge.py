"""Ridge regression of many columns, with predictions for samples that it was not fitted to."""

import numpy as np

__all__ = ["HeldOutRidge"]

LEAST_REMAINDER = 1e-10
"""Smallest eigenvalue of what the hat matrix leaves of a fold: smaller ones are rounding errors, of
samples that alone determine their own prediction."""

RANK_TOLERANCE = 1e-10
"""Eigenvalues below this share of the largest one are rounding errors."""

BLOCK = 1024

CONSTANT = 1e-6
"""A column whose standard deviation is below this share of its mean is constant."""


class HeldOutRidge:
    """Ridge regression with an intercept, of many penalties by one decomposition.

    Predictions for a fold by a model of all other folds need no other fits (Rifkin and Lippert,
    "Notes on Regularized Least Squares", MIT-CSAIL-TR-2007-025, for folds of one sample): with the
    hat matrix H of all samples the residuals of fold B are ``(I - H_BB)^-1 r_B``. Columns are
    standardised by all samples, without the targets.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_columns)
        Columns of any scale.
    target : ndarray of shape (n_samples, n_targets)
        Numbers.
    weight : ndarray of shape (n_samples,)
        Weights, all positive.
    """

    def __init__(self, columns: np.ndarray, target: np.ndarray, weight: np.ndarray):
        self.target, self.root = target, np.sqrt(weight / weight.mean())[:, None]
        share = (weight / weight.sum()).astype(columns.dtype)
        self.mean = share @ columns
        self.scaled = columns - self.mean  # in the data type of the columns: it is large
        self.scale = np.sqrt(np.einsum("ij,ij,i->j", self.scaled, self.scaled, share))
        self.scale[self.scale <= CONSTANT * np.abs(self.mean)] = np.inf
        self.scaled /= self.scale
        self.scaled *= self.root.astype(columns.dtype)
        self.target_mean = np.average(target, axis=0, weights=weight)
        self.centred = (target - self.target_mean) * self.root
        self.values, self.left = _left_vectors(self.scaled)
        self.turned = self.left.T @ self.centred

    def solution(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """Fit the model to all samples.

        Parameters
        ----------
        penalty : float
            On squared coefficients of standardised columns, per column.

        Returns
        -------
        coef : ndarray of float64, shape (n_columns, n_targets)
            Coefficients of the columns as they were given.
        intercept : ndarray of float64, shape (n_targets,)
            Predictions where all columns are 0.
        """
        turned = self.turned / (self.values + penalty * len(self.mean))[:, None]
        turned = (self.left @ turned).astype(self.scaled.dtype)
        coef = self.scaled.T @ turned / self.scale[:, None]
        return coef, self.target_mean - self.mean @ coef

    def held_out(self, penalty: float, fold: np.ndarray) -> np.ndarray:
        """Predict each fold by a model of the others.

        What a model without columns would predict for the fold is replaced by the mean of all
        samples: the mean of the others is low where a target is high, and a second model would
        learn that.

        Parameters
        ----------
        penalty : float
            As in `solution`.
        fold : ndarray of int, shape (n_samples,)
            Which samples are left out together: at least two folds.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_targets)
            Predictions.
        """
        folds = _folds(fold)
        left = self._left_of_folds(self.values / (self.values + penalty * len(self.mean)), folds)
        without_columns = self._left_of_folds(np.zeros(len(self.values)), folds)
        return self.target - (left + self.centred - without_columns) / self.root

    def _left_of_folds(self, shrink: np.ndarray, folds: list[np.ndarray]) -> np.ndarray:
        """What models of the other folds leave of each, times the root of the weight."""
        residual = self.centred - self.left @ (shrink[:, None] * self.turned)
        basis = np.hstack([self.root / np.sqrt(len(self.root)), self.left])  # the intercept first
        shrink = np.append(1.0, shrink)
        left = np.empty(residual.shape)
        for rows in folds:
            if rows.shape[1] == 1:
                remainder = np.maximum(1 - basis[rows[:, 0]] ** 2 @ shrink, LEAST_REMAINDER)
                left[rows[:, 0]] = residual[rows[:, 0]] / remainder[:, None]
                continue
            for one in rows:
                remainder = np.eye(len(one)) - (basis[one] * shrink) @ basis[one].T
                values, vectors = np.linalg.eigh(remainder)
                inverse = vectors / np.maximum(values, LEAST_REMAINDER)
                left[one] = inverse @ (vectors.T @ residual[one])
        return left


def _left_vectors(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above 0 of products of samples, and eigenvectors, by the smaller product."""
    if len(columns) <= columns.shape[1]:
        values, left = np.linalg.eigh(_products(columns))
        kept = values > RANK_TOLERANCE * max(values[-1], 1)
        return values[kept], left[:, kept]
    values, right = np.linalg.eigh(_products(columns.T))
    kept = values > RANK_TOLERANCE * max(values[-1], 1)
    return values[kept], columns @ right[:, kept] / np.sqrt(values[kept])


def _products(rows: np.ndarray) -> np.ndarray:
    """Products of rows in float64, which takes memory for a block of their columns."""
    products = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], BLOCK):
        block = rows[:, start : start + BLOCK].astype(np.float64)
        products += block @ block.T
    return products


def _folds(fold: np.ndarray) -> list[np.ndarray]:
    """Samples of each fold, (n_folds, size), folds of one size together."""
    order = np.argsort(fold, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(fold[order])) + 1)
    sizes = np.array([len(part) for part in parts])
    return [np.stack([parts[k] for k in np.flatnonzero(sizes == n)]) for n in np.unique(sizes)]
