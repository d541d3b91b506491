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
        values, self.vectors = np.linalg.eigh(moments.covariances())
        self.values = np.maximum(values, 0)

    def coefs(self, with_targets: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Solve for each of the penalties.

        Parameters
        ----------
        with_targets : ndarray of shape (n_columns, n_outputs)
            Covariances of the columns with any targets: `LagMoments.covariances_with_targets`.
        penalties : ndarray of shape (n_penalties,)
            Per sample, on squared coefficients.

        Returns
        -------
        ndarray of shape (n_columns, n_penalties, n_outputs)
            Coefficients.
        """
        turned = self.vectors.T @ with_targets
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
    with_targets = moments.covariances_with_targets()
    if len(penalties) > FEW:
        coefs = Ridge(moments).coefs(with_targets, penalties)
        return coefs[:, which, np.arange(len(which))]
    covariances, coef = moments.covariances(), np.empty_like(with_targets)
    for k, one in enumerate(penalties):
        penalised = covariances + one * np.eye(len(covariances))
        coef[:, which == k] = solve(penalised, with_targets[:, which == k], assume_a="pos")
    return coef
