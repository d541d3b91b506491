"""Ridge regression from sums of products."""

import numpy as np
from scipy.linalg import solve

from sklstm._data.lag_moments import LagMoments

__all__ = ["Ridge", "ridge_coef"]


FEW = 4
"""Numbers of penalties up to which solving for each is quicker than one decomposition: measured
with 24 to 1024 columns."""


class Ridge:
    """Ridge regression with an intercept, of many penalties by one decomposition.

    Parameters
    ----------
    moments : LagMoments
        Sums over the samples; targets are not used.
    """

    def __init__(self, moments: LagMoments):
        values, self.vectors = np.linalg.eigh(_centred(moments)[0])
        self.values = np.maximum(values, 0)

    def coefs(self, moments: LagMoments, penalties: np.ndarray) -> np.ndarray:
        """Solve for each of the penalties.

        Parameters
        ----------
        moments : LagMoments
            Any targets of the same columns.
        penalties : ndarray of shape (n_penalties,)
            Per sample, on squared coefficients.

        Returns
        -------
        ndarray of shape (n_columns, n_penalties, n_outputs)
            Coefficients.
        """
        turned = self.vectors.T @ _centred(moments)[1]
        shrunk = turned[:, None] / (self.values[:, None] + penalties)[..., None]
        return np.tensordot(self.vectors, shrunk, axes=1)


def ridge_coef(moments: LagMoments, penalty: np.ndarray) -> np.ndarray:
    """Solve a ridge regression with an intercept.

    Parameters
    ----------
    moments : LagMoments
        Sums over the samples.
    penalty : ndarray of shape (n_outputs,)
        Per sample, on squared coefficients, for each output.

    Returns
    -------
    ndarray of shape (n_columns, n_outputs)
        Coefficients.
    """
    penalties, which = np.unique(penalty, return_inverse=True)
    if len(penalties) > FEW:
        return Ridge(moments).coefs(moments, penalties)[:, which, np.arange(len(which))]
    products, sums = _centred(moments)
    coef = np.empty_like(sums)
    for k, one in enumerate(penalties):
        penalised = products + one * np.eye(len(products))
        coef[:, which == k] = solve(penalised, sums[:, which == k], assume_a="pos")
    return coef


def _centred(moments: LagMoments) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of the columns, and of columns and targets."""
    products = moments.xx - np.outer(moments.x, moments.x) / moments.weight
    sums = moments.xy - np.outer(moments.x, moments.y) / moments.weight
    return products / moments.weight, sums / moments.weight
