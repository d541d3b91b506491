"""SequenceForecaster: the next steps of one series or many, on their dates, with a band."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sklstm._data.warning import DroppedDataWarning, warn
from sklstm._estimators.future_rows import FIXED_BY_FIT, RowsAhead, series_in_words
from sklstm._estimators.intervals import AdaptiveInterval, first_intervals
from sklstm._estimators.window_regression import best_of, learn, predict_windows, predicts_quantiles
from sklstm._tables.panel import Panel, read_panel, with_series
from sklstm._tables.windows import Windows

__all__ = ["SequenceForecaster"]


class SequenceForecaster(RowsAhead):
    """Forecast the next steps of one series or many, each from the newest data.

    A window of the last rows is read once and foretells all `steps` at once, so that no step
    rests on older data than it must; further steps feed forecasts back. The default estimator
    starts from a linear model relative to the last value, or to the step that repeats best.
    Several targets are read together, or each by itself: what was better on later rows.

    Parameters
    ----------
    estimator : regressor, default=None
        What learns: `None` is :class:`LSTMRegressor`; any regressor of scikit-learn reads the
        flattened window, a copy for each target if it can do only one.
    window_size : int, default=24
        Rows that are read.
    steps : int, default=1
        Rows that are foretold at once.
    series : str, default=None
        Column or index level of `y` that names the series of a row, of a table with many.
    time : str, default=None
        Column with the timestamps, if they are not the index.
    future_covariates : list of str, default=()
        Columns of `X` that are known ahead, such as a calendar or a weather forecast. All others
        are known up to now.
    channel_independent : bool or "auto", default="auto"
        Whether each of several targets is foretold from its own past alone, by one model for all
        of them, so that there is more to learn from and less to learn. False: all from the past
        of all. ``"auto"`` tries both, and keeps what errs less on the calibration rows; without
        these it is False.
    calibration_fraction : float, default=0.1
        Part of each series, at its end, whose residuals of a first model say how wide a band must
        be. The estimator is then fitted again on everything. 0: no band, and one fit less.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on windows of all series.
    targets_ : list
        Columns that are foretold.
    channel_independent_ : bool
        Whether each target is foretold from its own past alone.
    validation_losses_ : DataFrame or None
        Mean squared error on the calibration rows, in variances of each series: of the last value,
        and of the first model, of both if two were tried. To compare settings by, such as the
        window size: see the notes.
    interval_method_ : {"conformal", "scaled conformal", "quantiles"} or None
        Where bands come from: from residuals; from residuals in units of the distance to the outer
        quantiles that the estimator foretells; from these as they are, without calibration rows.
    residuals_ : dict of ndarray of shape (n_rows, steps, n_targets)
        What forecasts, so many steps before, missed of the newest rows of each series, in its
        standard deviations, or in units of the quantiles. At first those of a first model.

    See Also
    --------
    backtest : Forecast from many origins of the past, and compare.
    SequenceWindower : Histories for tasks that are no forecasts.

    Notes
    -----
    Bands are split-conformal (Lei et al., "Distribution-Free Predictive Inference for Regression",
    JASA 2018): quantiles of absolute residuals, step by step. An estimator with
    ``loss="quantile"`` or ``"gaussian"`` says where they are to be wide. As errors change, `update`
    keeps the newest residuals, as many as there were, at least 100. It widens a band by 2.7 % after
    a truth outside of one with 90 % coverage, and narrows it by 0.3 % after one inside, so that in
    the long run they are 1 to 9 (Gibbs and Candès, "Adaptive Conformal Inference Under Distribution
    Shift", NeurIPS 2021; here of logarithms of widths, as in Angelopoulos et al., "Conformal PID
    Control for Time Series Prediction", NeurIPS 2023).

    `fit(y, X)` is not that of a scikit-learn search. A search of its regressor goes inside:
    ``SequenceForecaster(GridSearchCV(LSTMRegressor(), grid, cv=TimeSeriesSplit(3, gap=steps)))``.
    Settings of the forecaster itself are compared by `validation_losses_`, or by :func:`backtest`:
    ``min([16, 32], key=lambda size: SequenceForecaster(window_size=size).fit(y).validation_losses_["MSE"]
    .min())``.

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

        With `calibration_fraction` a first model is fitted on the earlier rows, so that it costs two fits,
        with several targets three. NaN are not filled: do that before, if they are many.

        Parameters
        ----------
        y : Series, or DataFrame of targets
            The past, in regular steps: of dates, periods or integers. With `series` a long table.
            Windows that hold NaN, and rows before one, are left out, which is said.
        X : DataFrame, default=None
            More columns, of the same rows.

        Returns
        -------
        SequenceForecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If steps are irregular, a series is too short, or X does not fit to y.

        See Also
        --------
        backtest : How good such a fit would have been, from many origins.

        Examples
        --------
        Two shops in one long table, learned by one model:

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
        self._validate_params()
        self._fixed = {name: getattr(self, name) for name in FIXED_BY_FIT}
        missing = [name for name in self.future_covariates if name not in panel.covariates]
        if missing:
            raise ValueError(
                f"future_covariates={missing} are no columns of X: {panel.covariates}."
            )
        for name, table in panel.tables.items():
            if len(table) < self.window_size + self.steps:
                raise ValueError(
                    f"{series_in_words(name)} has {len(table)} rows, and a window of "
                    f"{self.window_size} rows with {self.steps} steps behind it needs "
                    f"{self.window_size + self.steps}."
                )
        self.targets_, self._covariates = panel.targets, panel.covariates
        self._units = {name: self._learn_units(table) for name, table in panel.tables.items()}
        windows = self._windows(panel)
        usable = windows.usable()
        if not usable.any():
            raise ValueError("No window without NaN has known steps behind it: fill y first.")
        n_lost = (windows.complete() & ~usable).sum()
        if n_lost:
            warn(
                f"{n_lost} of {len(usable)} windows hold NaN, or a step behind them does: they are "
                "left out.",
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
        """Try first models on later rows: which is better, and what it missed."""
        self._intervals: dict[Hashable, AdaptiveInterval] = {}
        self.channel_independent_, self.validation_losses_ = self.channel_independent is True, None
        early, late = windows.parted(1 - self.calibration_fraction)
        if not (self.calibration_fraction and (early & usable).any() and (late & usable).any()):
            return
        tried = [self.channel_independent_]
        if self.channel_independent == "auto" and len(self.targets_) > 1:
            tried = [False, True]
        late &= windows.whole()
        known, later = usable[late], windows.take(late)
        errors = {"naive": np.mean((later.ahead - later.last())[known] ** 2)}
        first, mse = {}, {}
        for channel_independent in tried:
            model = learn(self.estimator, windows.take(early & usable), channel_independent)
            first[channel_independent] = predict_windows(model, later, channel_independent)
            mse[channel_independent] = np.mean(
                (later.ahead - first[channel_independent].point)[known] ** 2
            )
            rule = "each target alone" if channel_independent else "targets together"
            errors[rule if len(self.targets_) > 1 else "forecaster"] = mse[channel_independent]
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
        """What forecasts missed of the newest rows.

        By series, of shape (n_rows, steps, n_targets), in standard deviations of the series or in
        units of its quantiles; those of `update` come behind those of `fit`. Empty without
        calibration rows.

        See Also
        --------
        SequenceForecaster.predict_interval : The bands that are made of them.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5, calibration_fraction=0.2).fit(sold)
        >>> {name: missed.shape for name, missed in forecaster.residuals_.items()}
        {None: (6, 1, 1)}
        """
        return {name: band.rows for name, band in self._intervals.items()}

    def predict(self, steps: int | None = None, X: Any = None) -> pd.DataFrame:
        """Foretell the rows behind the newest ones.

        It goes on from the newest rows that it has, those of `fit` or of `update`, and changes
        nothing.

        Parameters
        ----------
        steps : int, default=None
            How many. `None`: as many as the parameter `steps`. More feed forecasts back.
        X : DataFrame, default=None
            The known columns of these rows, with `series` and `time` as in `fit`.

        Returns
        -------
        DataFrame
            One row a future timestamp, of each series; one column a target.

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
        """Foretell, and say between which values the truth will lie.

        The band holds its share of truths step by step, not of whole paths, as far as errors are
        what they were on the calibration rows and in each `update`.

        Parameters
        ----------
        coverage : float, default=0.9
            Share of truths inside, between 0 and 1.
        steps : int, default=None
            How many, at most the parameter `steps`.
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
        LSTMRegressor.predict_quantiles : Bands that differ from row to row.

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
                f"Residuals are known up to {self.steps} steps ahead: fit with steps={steps}."
            )
        future, parts = self._future(steps, X), {}
        for name, table in self._buffer.tables.items():
            width = self._width(name, coverage, steps)
            newest = self._newest(name, table, future[name])
            foretold = self._forecasts(newest)
            lower, upper = foretold.sides(width)
            values = np.stack(
                [newest.in_units(part) for part in (lower, foretold.point, upper)], -1
            )
            columns = pd.MultiIndex.from_product([self.targets_, ["lower", "forecast", "upper"]])
            flat = values[0].reshape(self.steps, -1)[:steps]
            parts[name] = pd.DataFrame(flat, future[name].index[:steps], columns)
        result = with_series(parts, self.series)
        return result[self.targets_[0]] if len(self.targets_) == 1 else result

    def update(self, y: Any, X: Any = None) -> Self:
        """Move on by rows that have arrived, without training.

        Windows move on, and bands follow what was missed; what the estimator learned stays. Fit
        anew when errors grow.

        Parameters
        ----------
        y : as in `fit`
            The rows right behind the newest ones.
        X : DataFrame, default=None
            Their other columns.

        Returns
        -------
        SequenceForecaster
            The forecaster, whose bands know how good it was on these rows.

        Raises
        ------
        ValueError
            If rows are missing before these, or a series is unknown.

        See Also
        --------
        predict : What comes behind the new rows.

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
            foretold = self._forecasts(windows)
            scores = foretold.scores(windows.ahead)
            for code, name in enumerate(windows.names):
                missed = windows.by_row(scores, code, windows.sizes[code] - counts[name])
                self._intervals[name], _ = self._intervals[name].follow(missed)
        self._buffer = longer.tail(self.window_size + self.steps)
        return self

    def _width(self, name: Hashable, coverage: float, steps: int) -> np.ndarray:
        """Half the width of the band in units of its sides, (steps, n_targets)."""
        if self.interval_method_ == "quantiles":
            levels = best_of(self.estimator_).quantiles
            if not np.isclose(coverage, levels[-1] - levels[0]):
                raise ValueError(
                    f"Between the outer quantiles {list(levels)} lie {levels[-1] - levels[0]:.0%} "
                    "of truths: ask for that coverage, or fit with calibration_fraction above 0."
                )
            return np.ones((self.steps, len(self.targets_)))
        nothing = np.full((self.steps, len(self.targets_)), np.nan)
        width = self._intervals[name].width(coverage) if self._intervals else nothing
        if np.isnan(width[:steps]).any():
            raise ValueError(
                "There are no residuals to tell a band from: fit with more rows, or calibration "
                "above 0."
            )
        return width
