"""Sums of products of lags and targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LagMoments", "differences_from_last"]


@dataclass(frozen=True)
class LagMoments:
    """Weighted sums over histories, from which every linear model of the lags is computed.

    Sums of two sets of rows can be added.

    Parameters
    ----------
    weight : float
        Sum of the weights.
    x : ndarray of shape (n_columns,)
        Sums of the columns of the table of lags: all features of the first step, then of the
        second.
    xx : ndarray of shape (n_columns, n_columns)
        Sums of their products.
    y : ndarray of shape (n_outputs,)
        Sums of the targets.
    yy : ndarray of shape (n_outputs,)
        Sums of their squares.
    xy : ndarray of shape (n_columns, n_outputs)
        Sums of the products of columns and targets.
    """

    weight: float
    x: np.ndarray
    xx: np.ndarray
    y: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    def __add__(self, other: LagMoments) -> LagMoments:
        if not other.weight:  # often no history of a part is short
            return self
        sums = zip(vars(self).values(), vars(other).values(), strict=True)
        return LagMoments(*(one + another for one, another in sums))

    def of_differences(self, n_features: int) -> LagMoments:
        """Sums of the differences of all earlier steps from the last step, by feature.

        Parameters
        ----------
        n_features : int
            Columns of a step.

        Returns
        -------
        LagMoments
            Of histories without levels.
        """
        x, xy = (differences_from_last(sums, n_features) for sums in (self.x, self.xy))
        xx = differences_from_last(self.xx, n_features)
        xx = differences_from_last(xx.T, n_features)
        return LagMoments(self.weight, x, xx, self.y, self.yy, xy)

    def covariances(self) -> np.ndarray:
        """Covariances of the columns, (n_columns, n_columns)."""
        mean = self.x / self.weight
        return self.xx / self.weight - np.outer(mean, mean)

    def covariances_with_targets(self) -> np.ndarray:
        """Covariances of the columns and the targets, (n_columns, n_outputs)."""
        return self.xy / self.weight - np.outer(self.x / self.weight, self.y / self.weight)

    def of_earlier_steps(self, n_features: int) -> LagMoments:
        """Sums with the last step as columns, and all earlier steps as targets.

        Parameters
        ----------
        n_features : int
            Columns of a step.

        Returns
        -------
        LagMoments
            For regressions backwards in time.
        """
        last, earlier = slice(-n_features, None), slice(-n_features)
        x, xx = self.x[last], self.xx[last, last]
        yy = np.diag(self.xx)[earlier]
        return LagMoments(self.weight, x, xx, self.x[earlier], yy, self.xx[last, earlier])

    def of_remainder(self, coef: np.ndarray) -> LagMoments:
        """Sums with the residuals of a linear model as targets.

        Parameters
        ----------
        coef : ndarray of shape (n_columns, n_outputs)
            Coefficients of the model: the residuals are ``y - x @ coef``.

        Returns
        -------
        LagMoments
            Of the same columns.
        """
        explained = self.xx @ coef
        y = self.y - self.x @ coef
        yy = self.yy - 2 * (coef * self.xy).sum(axis=0) + (coef * explained).sum(axis=0)
        return LagMoments(self.weight, self.x, self.xx, y, yy, self.xy - explained)

    def intercept(self, coef: np.ndarray) -> np.ndarray:
        """Intercept of a linear model whose mean error is 0.

        Parameters
        ----------
        coef : ndarray of shape (n_columns, n_outputs)
            Coefficients.

        Returns
        -------
        ndarray of shape (n_outputs,)
            The prediction where all columns are 0.
        """
        return (self.y - self.x @ coef) / self.weight

    def squared_error(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Sum of the squared errors of a linear model.

        Parameters
        ----------
        coef : ndarray of shape (n_columns, n_outputs)
            Coefficients.
        intercept : ndarray of shape (n_outputs,)
            The prediction where all columns are 0.

        Returns
        -------
        ndarray of shape (n_outputs,)
            Weighted sums, as accurate as differences of the sums of squares.
        """
        rest = self.of_remainder(coef)
        return rest.yy - 2 * intercept * rest.y + self.weight * intercept**2

    def squared_errors(self, coefs: np.ndarray, train: LagMoments) -> np.ndarray:
        """Sum the squared errors of several linear models.

        Parameters
        ----------
        coefs : ndarray of shape (n_columns, n_models, n_outputs)
            Their coefficients.
        train : LagMoments
            Sums over the samples that they were fitted to.

        Returns
        -------
        ndarray of shape (n_models, n_outputs)
            As `squared_error`.
        """
        n_models = coefs.shape[1]
        flat = coefs.reshape(len(coefs), -1)
        errors = self.repeated(n_models).squared_error(
            flat, train.repeated(n_models).intercept(flat)
        )
        return errors.reshape(coefs.shape[1:])

    def repeated(self, n: int) -> LagMoments:
        """Sums with all targets several times, one after another."""
        y, yy, xy = (np.tile(sums, n) for sums in (self.y, self.yy, self.xy))
        return LagMoments(self.weight, self.x, self.xx, y, yy, xy)


def differences_from_last(columns: np.ndarray, n_features: int) -> np.ndarray:
    """Subtract the columns of the last step from those of all earlier steps, by feature.

    Parameters
    ----------
    columns : ndarray of shape (n_columns, ...)
        Sums, or covariances, of each column.
    n_features : int
        Columns of a step.

    Returns
    -------
    ndarray of shape (n_columns - n_features, ...)
        Of the differences.
    """
    by_step = columns.reshape(len(columns) // n_features, n_features, *columns.shape[1:])
    return (by_step[:-1] - by_step[-1]).reshape(len(columns) - n_features, *columns.shape[1:])
