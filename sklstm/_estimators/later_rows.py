"""How good a fitted forecaster is, by later rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from sklstm._data.warning import DroppedDataWarning, some_names, warn
from sklstm._estimators.argument_checks import refuse_other_order
from sklstm._estimators.calibration import scaled_error
from sklstm._estimators.predictive_distribution import PredictiveDistribution
from sklstm._tables.calendar_columns import with_calendar
from sklstm._tables.panel import Panel
from sklstm._tables.panel_arrivals import appended, as_columns_of

__all__ = ["LaterRows"]


class LaterRows(PredictiveDistribution):
    """Errors on rows behind those of the fit."""

    estimator: Any
    _naive_errors: np.ndarray

    def score(self, y: Any, *others: Any, X: Any = None) -> float:
        """Score forecasts of later rows: the mean absolute scaled error (MASE), negative.

        Higher is better; 0 is best, and below -1 errors are larger than those of the naive forecast
        one step ahead on the rows of `fit`. All `steps` are forecast from the last row of `fit` and
        from each of the given rows, as :func:`backtest` does without a refit, and as in use, where
        each new row is known when it has arrived. (A single forecast of all rows, from the end of
        `fit`, would judge steps that are never asked for, by one origin alone.) The forecaster
        stays as it is: nothing is updated.

        Searches and scores of scikit-learn call it:
        ``GridSearchCV(forecaster, grid, cv=TimeSeriesSplit(3)).fit(y)``, or for a panel
        ``cv=TimestampSplit(3)``; covariates are then columns of y, beside those that the parameter
        `target` names.

        Parameters
        ----------
        y : as in `fit`
            Rows behind those of `fit`. Where some are missing in front of them or among them,
            windows that would hold these are left out, unless the estimator takes NaN.
        *others
            Refused: covariates are passed by name.
        X : DataFrame, default=None
            Covariates of these rows.

        Returns
        -------
        float
            The score; NaN if no series of `fit` has a scale, as all are constant.

        Raises
        ------
        ValueError
            If rows are not behind those of `fit`, or none of them can be forecast.

        Warns
        -----
        DroppedDataWarning
            If series were not seen in `fit`: they are left out.

        See Also
        --------
        backtest_scores : Other errors; as ``scoring`` in a search, a function of a fitted
            forecaster and the rows to score.
        TimestampSplit : Folds of a panel.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
        >>> from sklstm import SequenceForecaster
        >>> hours = pd.date_range("2024-01-01", periods=400, freq="h")
        >>> y = pd.Series(np.sin(np.arange(400) / 4), hours, name="tide")
        >>> grid = {"window_size": [2, 12], "estimator__alpha": [1e-3, 1e3]}
        >>> search = GridSearchCV(SequenceForecaster(Ridge()), grid, cv=TimeSeriesSplit(2))
        >>> search.fit(y).best_params_
        {'estimator__alpha': 0.001, 'window_size': 12}
        >>> search.best_estimator_.predict(2).shape
        (2, 1)
        """
        refuse_other_order("score", y, others, X)
        self._check_fitted()
        newest = self._buffer
        arrived = self._of_known_series(
            self._read(y, X, self.targets_, newest.by_levels, newest.categories)
        )
        if not len(arrived.timestamps):
            raise ValueError("The table has no rows to score.")
        rows = appended(newest, self._as_buffered(arrived)).rows
        last = newest.rows.time[newest.rows.ends - 1][rows.code]
        windows = self._model.windows(rows, self._before, least=1)
        windows = windows.take((rows.time >= last)[windows.ends])
        back = self._transform.inverse
        missed = back(windows.actual()) - back(self._model.forecasts(windows).point)
        if not np.isfinite(missed).any():
            raise ValueError(
                f"None of the {len(arrived.rows.time)} rows can be scored: their values are "
                "missing, or those of the windows before them."
            )
        return -scaled_error(missed, self._naive_errors[windows.code][:, None])

    def _as_buffered(self, arrived: Panel) -> Panel:
        """Rows with the columns of the buffered ones, transformed like them."""
        arrived = as_columns_of(self._buffer, with_calendar(arrived, self.calendar_))
        return self._transform.applied(arrived)

    def _to_go_on(self) -> Self | None:
        """Itself, if a fit is to start from the weights of the last one."""
        warm = getattr(self.estimator, "warm_start", False) and hasattr(self, "_model")
        return self if warm and self._model.refit_epochs is not None else None

    def _of_known_series(self, arrived: Panel) -> Panel:
        found = self._buffer.rows.find(arrived.rows.names)
        new = [arrived.rows.names[k] for k in np.flatnonzero(found < 0)]
        if not new or len(new) == len(found):
            return arrived
        warn(
            f"{len(new)} of {len(found)} series were not seen in fit, and are left out of the "
            f"score: {some_names(new)}.",
            DroppedDataWarning,
        )
        return arrived.take((found >= 0)[arrived.rows.code])
