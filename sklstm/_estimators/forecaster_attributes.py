"""Attributes of a fitted forecaster that are made of others."""

from __future__ import annotations

import pandas as pd

from sklstm._data.estimator import SequenceEstimator

__all__ = ["ForecasterAttributes"]


class ForecasterAttributes(SequenceEstimator):
    """What a fitted forecaster says of itself."""

    _losses: dict[str, float] | None

    @property
    def validation_losses_(self) -> pd.DataFrame | None:
        """Mean absolute scaled errors on the calibration set, of the naive forecast and the model.

        Columns ``model`` and ``loss``; None without a calibration set.

        See Also
        --------
        backtest_scores : The same errors, of later rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5).fit(sold)
        >>> forecaster.validation_losses_.round(2)["loss"].tolist()
        [1.0, 0.0]
        """
        if self._losses is None:
            return None
        return pd.DataFrame(list(self._losses.items()), columns=["model", "loss"])
