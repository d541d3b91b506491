"""SequenceForecaster: the next steps of one series or a panel, with prediction intervals."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd

from sklstm._data.sklearn_private import HasMethods, Interval, StrOptions
from sklstm._data.warning import DroppedDataWarning, warn
from sklstm._estimators.future_rows import FIXED_BY_FIT, FutureRows, series_in_words
from sklstm._estimators.intervals import AdaptiveInterval, first_intervals
from sklstm._estimators.window_regression import best_of, learn, predict_windows, predicts_quantiles
from sklstm._tables.panel import Panel, read_panel, with_series
from sklstm._tables.windows import Windows

__all__ = ["SequenceForecaster"]


class SequenceForecaster(FutureRows):
    """Forecast the next steps of one time series or a panel of many, with prediction intervals.

    All `steps` are forecast at once (direct multi-step) from the window of the last rows, so that
    each step uses the newest data; further steps feed forecasts back (recursive). The default
    estimator is an LSTM on the residuals of a linear init, which forecasts the change since the
    last value, or since the lag that fits best, such as that of a season before.
    Multivariate targets are read together, or each by itself (channel-independent), whichever
    errs less on later rows.

    Parameters
    ----------
    estimator : regressor, default=None
        What is fitted on windows: `None` is :class:`LSTMRegressor`; any regressor of scikit-learn
        reads the flattened window, a copy for each step and target if it can predict only one.
    window_size : int, default=24
        Length of the lookback window: rows that a forecast reads.
    steps : int, default=1
        How many rows are forecast at once, elsewhere often called horizon. `horizon` of
        :class:`SequenceWindower` is something else: how far ahead of the last row it may read a
        row's prediction lies.
    series : str, default=None
        Column or index level of `y` that names the series of a row, for a panel of many series.
    time : str, default=None
        Column with the timestamps, if they are not the index.
    future_covariates : list of str, default=()
        Names of the columns of `X` (the exogenous table of `fit`) whose future values are known
        when a forecast is made, such as a calendar or a weather forecast. All other columns are
        past covariates, known up to the forecast origin.
    channel_independent : bool or "auto", default="auto"
        Whether each of several targets is forecast from its own past alone, by one model for all
        of them, which then has more windows to learn from and fewer weights. False: all targets
        from the past of all. ``"auto"`` fits both, and keeps the one with the smaller error on the
        calibration set; without such a set it is False.
    calibration_fraction : float, default=0.1
        Part of each series, at its end, that is the calibration set of the prediction intervals:
        their width follows from the residuals there of a first model, fitted on the earlier rows.
        The estimator is then fitted again on all rows. 0: no intervals (unless the estimator
        predicts quantiles), and one fit less.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on windows of all series.
    targets_ : list
        Columns that are forecast.
    channel_independent_ : bool
        Whether each target is forecast from its own past alone.
    validation_losses_ : DataFrame or None
        Columns ``model`` and ``loss``: mean squared error on the calibration set, in variances of
        each series, of the naive forecast and of the first model, or of both if two were fitted.
        Lower is better. For the choice of hyperparameters, such as the window size: see the notes.
    interval_method_ : {"conformal", "scaled conformal", "quantiles"} or None
        What prediction intervals are made from: residuals; residuals in units of the distance to
        the outer quantiles that the estimator predicts; these quantiles alone, without a
        calibration set.
    residuals_ : dict of ndarray of shape (n_rows, steps, n_targets)
        Actual minus forecast, made so many steps before, of the newest rows of each series: in its
        standard deviations, or in units of the quantiles. After `fit` those of the first model.

    See Also
    --------
    backtest : Forecast from many origins of the past, and compare with naive forecasts.
    SequenceWindower : Lookback windows for other tasks, one a row.

    Notes
    -----
    Prediction intervals are split-conformal (Lei et al., "Distribution-Free Predictive Inference
    for Regression", JASA 2018): quantiles of absolute residuals, for each step. With
    ``loss="quantile"`` or ``"gaussian"`` of the estimator their width changes with its quantiles.

    `update` makes them adaptive. It keeps the newest residuals, as many as there were, at least
    100. It widens intervals by 2.7 % after an actual value outside of one with 90 % coverage, and
    narrows them by 0.3 % after one inside, so that in the long run these are 1 to 9 (Gibbs and
    Candès, "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 2021; here applied to
    logarithms of widths, as in Angelopoulos et al., "Conformal PID Control for Time Series
    Prediction", NeurIPS 2023).

    `fit(y, X)` does not fit into a search of scikit-learn, which calls `fit(X, y)`. A search of
    the regressor's hyperparameters goes inside:
    ``SequenceForecaster(GridSearchCV(LSTMRegressor(), grid, cv=TimeSeriesSplit(3, gap=steps)))``.
    Hyperparameters of the forecaster itself are compared by `validation_losses_`, or by
    :func:`backtest`. With ``def loss(size): return SequenceForecaster(window_size=size).fit(y)
    .validation_losses_["loss"].min()`` it is ``min([16, 32], key=loss)``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import SequenceForecaster
    >>> hours = pd.date_range("2024-01-01", periods=400, freq="h")
    >>> y = pd.Series(np.sin(np.arange(400) * 2 * np.pi / 24), hours, name="tide")
    >>> forecaster = SequenceForecaster(window_size=24, steps=3).fit(y)
    >>> forecaster.predict().round(1)
                         tide
    2024-01-17 16:00:00  -0.9
    2024-01-17 17:00:00  -1.0
    2024-01-17 18:00:00  -1.0
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "window_size": [Interval(Integral, 1, None, closed="left")],
        "steps": [Interval(Integral, 1, None, closed="left")],
        "series": [str, None],
        "time": [str, None],
        "future_covariates": [list, tuple],
        "channel_independent": ["boolean", StrOptions({"auto"})],
        "calibration_fraction": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        estimator: Any = None,
        window_size: int = 24,
        steps: int = 1,
        *,
        series: str | None = None,
        time: str | None = None,
        future_covariates: list | tuple = (),
        channel_independent: bool | str = "auto",
        calibration_fraction: float = 0.1,
    ):
        self.estimator = estimator
        self.window_size = window_size
        self.steps = steps
        self.series = series
        self.time = time
        self.future_covariates = future_covariates
        self.channel_independent = channel_independent
        self.calibration_fraction = calibration_fraction

    def fit(self, y: Any, X: Any = None) -> Self:
        """Learn from the past.

        With `calibration_fraction` above 0 a first model is fitted on the earlier rows, so that it
        takes two fits, with several targets three. NaN are not filled: windows that hold them are
        left out, so if they are many, impute first.

        Parameters
        ----------
        y : Series, or DataFrame of targets
            The past, at a regular frequency: indexed by dates, periods or integers. With `series`
            a long table. A warning counts windows that are left out: those that hold NaN, or have
            one in the steps behind them.
        X : DataFrame, default=None
            Covariates (exogenous variables): more columns, of the same rows. Those whose future
            values are known are named in `future_covariates`.

        Returns
        -------
        SequenceForecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If timestamps are irregular, a series is too short, X has other rows than y, or
            `future_covariates` is a table or names columns that X does not have.

        See Also
        --------
        backtest : How good such a fit would have been, from many origins.

        Examples
        --------
        A panel of two shops in one long table, learned by one model:

        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> days = pd.date_range("2024-01-01", periods=30).repeat(2)
        >>> sold = pd.DataFrame({"shop": ["a", "b"] * 30, "sold": range(60)}, days)
        >>> SequenceForecaster(LinearRegression(), 5, series="shop").fit(sold).predict().shape
        (2, 1)
        """
        learned = self._blank()
        learned._fit_panel(read_panel(y, X, self.series, self.time).regular())
        self.__dict__.update(learned.__dict__)  # all at once: a fit that fails leaves all as it was
        return self

    def _fit_panel(self, panel: Panel) -> Self:
        _refuse_table_of_covariates(self.future_covariates)
        self._validate_params()
        self._fixed = {name: getattr(self, name) for name in FIXED_BY_FIT}
        missing = [name for name in self.future_covariates if name not in panel.covariates]
        if missing:
            raise ValueError(
                f"future_covariates={missing} are no columns of X, which has {panel.covariates}."
            )
        for name, table in panel.tables.items():
            if len(table) < self.window_size + self.steps:
                raise ValueError(
                    f"{series_in_words(name)} has {len(table)} rows, and a window of "
                    f"{self.window_size} rows with {self.steps} steps behind it needs "
                    f"{self.window_size + self.steps}: give more rows, or choose a smaller "
                    "window_size or steps."
                )
        self.targets_, self._covariates = panel.targets, panel.covariates
        self._units = {name: self._learn_units(table) for name, table in panel.tables.items()}
        windows = self._windows(panel)
        usable = windows.usable()
        if not usable.any():
            raise ValueError(
                "Every window, or the steps behind it, has a NaN: impute y and X first."
            )
        n_lost = (windows.complete() & ~usable).sum()
        if n_lost:
            warn(
                f"{n_lost} of {len(usable)} windows hold NaN, or a step behind them does: they are "
                "left out. Impute y and X to keep them.",
                DroppedDataWarning,
            )
        self._calibrate(windows, usable)
        self.estimator_ = learn(self.estimator, windows.take(usable), self.channel_independent_)
        own = predicts_quantiles(self.estimator_)
        self.interval_method_ = "quantiles" if own else None
        if self._intervals:
            self.interval_method_ = "scaled conformal" if own else "conformal"
        self._buffer = panel.tail(self.window_size + self.steps)
        return self

    def _calibrate(self, windows: Windows, usable: np.ndarray) -> None:
        """Fit first models on earlier rows; the residuals of the better one make the intervals."""
        self._intervals: dict[Hashable, AdaptiveInterval] = {}
        self.channel_independent_, self.validation_losses_ = self.channel_independent is True, None
        early, late = windows.parted(1 - self.calibration_fraction)
        if not (self.calibration_fraction and (early & usable).any() and (late & usable).any()):
            return
        tried = [self.channel_independent_]
        if self.channel_independent == "auto" and len(self.targets_) > 1:
            tried = [False, True]
        late &= windows.whole()
        is_known, later = usable[late], windows.take(late)
        errors = {"naive": np.mean((later.ahead - later.last())[is_known] ** 2)}
        first, mse = {}, {}
        for channel_independent in tried:
            model = learn(self.estimator, windows.take(early & usable), channel_independent)
            first[channel_independent] = predict_windows(model, later, channel_independent)
            missed = later.ahead - first[channel_independent].point
            mse[channel_independent] = np.mean(missed[is_known] ** 2)
            kind = "channel-independent" if channel_independent else "targets together"
            errors[kind if len(self.targets_) > 1 else "forecaster"] = mse[channel_independent]
        self.channel_independent_ = min(mse, key=lambda one: mse[one])
        self.validation_losses_ = pd.DataFrame(
            {"model": list(errors), "loss": list(errors.values())}
        )
        scores = first[self.channel_independent_].scores(later.ahead)
        begin = windows.first_of_rest(1 - self.calibration_fraction)
        self._intervals = first_intervals(
            {name: later.by_row(scores, k, begin[k]) for k, name in enumerate(windows.names)}
        )

    @property
    def residuals_(self) -> dict[Hashable, np.ndarray]:
        """Residuals of the newest rows, actual minus forecast.

        By series, of shape (n_rows, steps, n_targets), in standard deviations of the series or in
        units of its quantiles; those of `update` come behind those of `fit`. Empty without a
        calibration set.

        See Also
        --------
        SequenceForecaster.predict_interval : The prediction intervals that are made of them.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5, calibration_fraction=0.2)
        >>> forecaster = forecaster.fit(sold)
        >>> {name: missed.shape for name, missed in forecaster.residuals_.items()}
        {None: (6, 1, 1)}
        """
        return {name: interval.rows for name, interval in self._intervals.items()}

    def predict(self, steps: int | None = None, X: Any = None) -> pd.DataFrame:
        """Forecast the rows behind the newest ones.

        The forecast origin is the newest row of `fit` or `update`. Nothing is changed: another
        call gives the same forecast.

        Parameters
        ----------
        steps : int, default=None
            How many rows to forecast. `None`: as many as the parameter `steps`. Further ones feed
            forecasts back.
        X : DataFrame, default=None
            The columns `future_covariates` of these rows, with `series` and `time` as in `fit`.

        Returns
        -------
        DataFrame
            One row for each future timestamp of each series; one column for each target.

        See Also
        --------
        update : Bring newer rows first.
        sklstm.plotting.ForecastDisplay : The forecast as a picture.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> SequenceForecaster(LinearRegression(), 5, steps=2).fit(sold).predict().round()
                    sold
        2024-01-31  30.0
        2024-02-01  31.0
        """
        self._check_fitted()
        steps = self._checked_steps(steps)
        future = self._future(steps, X)
        return with_series(
            {name: self._forecast(name, steps, future[name]) for name in self._buffer.tables},
            self.series,
        )

    def predict_interval(
        self, coverage: float = 0.9, steps: int | None = None, X: Any = None
    ) -> pd.DataFrame:
        """Forecast with prediction intervals, which cover a share of actual values.

        The coverage holds for each step, not for whole paths, as long as errors are like those on
        the calibration set and in each `update`.

        Parameters
        ----------
        coverage : float, default=0.9
            Nominal coverage: share of actual values inside, between 0 and 1.
        steps : int, default=None
            How many rows to forecast, at most the parameter `steps`, which is the default.
        X : DataFrame, default=None
            As in `predict`.

        Returns
        -------
        DataFrame
            As from `predict`, with ``lower``, ``forecast`` and ``upper`` in place of a target, or
            below each if there are several.

        Raises
        ------
        ValueError
            If there are no residuals of so many steps.

        See Also
        --------
        backtest : Measure the coverage, by ``coverage=``.
        LSTMRegressor.predict_quantiles : Quantiles that differ from row to row.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5).fit(sold)
        >>> forecaster.predict_interval(0.8).columns.tolist()
        ['lower', 'forecast', 'upper']
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage={coverage} must lie between 0 and 1.")
        self._check_fitted()
        steps = self._checked_steps(steps)
        if steps > self.steps:
            raise ValueError(
                f"Prediction intervals reach {self.steps} steps ahead, and {steps} were asked for: "
                f"fit with steps={steps}."
            )
        future, parts = self._future(steps, X), {}
        for name, table in self._buffer.tables.items():
            width = self._width(name, coverage, steps)
            newest = self._newest(name, table, future[name])
            forecasts = self._forecasts(newest)
            lower, upper = forecasts.sides(width)
            parts_of_all = lower, forecasts.point, upper
            values = np.stack([newest.in_units(part) for part in parts_of_all], -1)
            columns = pd.MultiIndex.from_product([self.targets_, ["lower", "forecast", "upper"]])
            flat = values[0].reshape(self.steps, -1)[:steps]
            parts[name] = pd.DataFrame(flat, future[name].index[:steps], columns)
        result = with_series(parts, self.series)
        return result[self.targets_[0]] if len(self.targets_) == 1 else result

    def update(self, y: Any, X: Any = None) -> Self:
        """Append rows that have arrived, without a refit.

        The forecast origin moves to the last of them, and prediction intervals adapt to the
        residuals there; the estimator stays as it is. Fit again when errors grow.

        Parameters
        ----------
        y : as in `fit`
            The rows right behind the newest ones.
        X : DataFrame, default=None
            Covariates of these rows.

        Returns
        -------
        SequenceForecaster
            The forecaster.

        Raises
        ------
        ValueError
            If rows are missing before these, or a series is unknown.

        See Also
        --------
        predict : Forecast the rows behind the new ones.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5).fit(sold[:25])
        >>> forecaster.update(sold[25:]).predict().index[0]
        Timestamp('2024-01-31 00:00:00')
        """
        self._check_fitted()
        arrived = read_panel(y, X, self.series, self.time, names=self.targets_)
        longer = self._buffer.extended(arrived)
        counts = {name: len(table) for name, table in arrived.tables.items()}
        if self._intervals:
            windows = self._windows(longer.only(counts))
            windows = windows.take(windows.whole())
            scores = self._forecasts(windows).scores(windows.ahead)
            for code, name in enumerate(windows.names):
                missed = windows.by_row(scores, code, windows.sizes[code] - counts[name])
                self._intervals[name], _ = self._intervals[name].update(missed)
        self._buffer = longer.tail(self.window_size + self.steps)
        return self

    def _width(self, name: Hashable, coverage: float, steps: int) -> np.ndarray:
        """Half the width of intervals in units of their sides, (steps, n_targets)."""
        if self.interval_method_ == "quantiles":
            levels = best_of(self.estimator_).quantiles
            if not np.isclose(coverage, levels[-1] - levels[0]):
                raise ValueError(
                    f"The outer quantiles {list(levels)} are a prediction interval with coverage="
                    f"{levels[-1] - levels[0]:.2g}, and coverage={coverage} was asked for: ask for "
                    "that of the quantiles, or fit with calibration_fraction above 0."
                )
            return np.ones((self.steps, len(self.targets_)))
        nothing = np.full((self.steps, len(self.targets_)), np.nan)
        width = self._intervals[name].width(coverage) if self._intervals else nothing
        if np.isnan(width[:steps]).any():
            raise ValueError(
                "There are no residuals to make prediction intervals of: fit with more rows, or "
                "with calibration_fraction above 0."
            )
        return width


def _refuse_table_of_covariates(future_covariates: Any) -> None:
    """The parameter takes names; in other libraries the argument of that name is the table."""
    names = (
        future_covariates if isinstance(future_covariates, list | tuple) else [future_covariates]
    )
    for one in names:
        if isinstance(one, pd.Series | dict) or len(getattr(one, "shape", ())) > 1:
            raise ValueError(
                f"future_covariates has a {type(one).__name__}, and takes the names of columns: "
                "pass the table as X to fit and predict, and name those of its columns whose "
                "future values are known, such as future_covariates=['holiday']."
            )
