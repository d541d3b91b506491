"""What a regressor tells beside a number, if its loss learns how far truths spread."""

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._estimators.base import BaseLSTM
from sklstm._nn.spread import SPREAD_HEADS, GaussianHead, SpreadHead

__all__ = ["SpreadMixin"]


def _tells_spread(regressor: Any) -> bool:
    if hasattr(regressor, "_fitted"):
        return isinstance(regressor._fitted.head, SpreadHead)
    return isinstance(regressor.loss, str) and regressor.loss in SPREAD_HEADS


class SpreadMixin(BaseLSTM):
    """Standard deviations and quantiles."""

    @available_if(_tells_spread)
    def predict_quantiles(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Predict below which values truths lie with the probabilities `quantiles`.

        Needs ``loss="quantile"`` or ``loss="gaussian"``.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles)
            As from `predict`, with an axis behind, along which values increase.
        """
        return self._predict(X, "predict_quantiles")

    def _predict_with_std(self, X: Any) -> Any:
        check_is_fitted(self)
        if not isinstance(self._fitted.head, GaussianHead):
            raise ValueError("return_std needs a network that was fitted with loss='gaussian'.")
        return self._predict(X, "predict", "predict_std")
