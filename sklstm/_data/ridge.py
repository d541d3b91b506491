"""Ridge regression from sums of products."""

from collections.abc import Iterator

import numpy as np

from sklstm._data.lag_moments import LagMoments

__all__ = ["Ridge"]


class Ridge:
    """Ridge regression with an intercept, of many penalties by one decomposition.

    Parameters
    ----------
    moments : LagMoments
        Sums over the samples; targets are not used.
    """

    def __init__(self, moments: LagMoments):
        values, self.vectors = np.linalg.eigh(_centred(moments)[0])
        self.values = np.maximum(values, 0)[:, None]

    def coefs(self, moments: LagMoments, penalties: np.ndarray) -> Iterator[np.ndarray]:
        """Solve for each of the penalties.

        Parameters
        ----------
        moments : LagMoments
            Any targets of the same columns.
        penalties : ndarray of shape (n_penalties,) or (n_penalties, n_outputs)
            Per sample, on squared coefficients.

        Yields
        ------
        ndarray of shape (n_columns, n_outputs)
            Coefficients.
        """
        turned = self.vectors.T @ _centred(moments)[1]
        return (self.vectors @ (turned / (self.values + penalty)) for penalty in penalties)


def _centred(moments: LagMoments) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of the columns, and of columns and targets."""
    products = moments.xx - np.outer(moments.x, moments.x) / moments.weight
    sums = moments.xy - np.outer(moments.x, moments.y) / moments.weight
    return products / moments.weight, sums / moments.weight
