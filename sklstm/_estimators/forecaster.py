"""SequenceForecaster: the next steps of one series or a panel, with prediction intervals."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd

from sklstm._data.sklearn_private import HasMethods, Interval, StrOptions
from sklstm._estimators.argument_checks import refuse_other_order, refuse_table_of_covariates
from sklstm._estimators.future_rows import FIXED_BY_FIT
from sklstm._estimators.intervals import Intervals
from sklstm._estimators.later_rows import LaterRows
from sklstm._estimators.panel_fit import Settings, fit_panel, window_size_of
from sklstm._estimators.refits import earlier_fit
from sklstm._estimators.window_regression import predicts_quantiles
from sklstm._tables.calendar_columns import choose_calendar, with_calendar
from sklstm._tables.panel import Panel
from sklstm._tables.panel_arrivals import updated
from sklstm._tables.target_transform import LOGARITHMS
from sklstm._tables.window_units import History
from sklstm._tables.windows import Windows

__all__ = ["SequenceForecaster"]


class SequenceForecaster(LaterRows):
    """Forecast the next steps of one time series or a panel of many, with prediction intervals.

    All `steps` are forecast at once (direct multi-step) from the window of the last rows, so that
    each step uses the newest data; further steps feed forecasts back (recursive). The default
    estimator is an LSTM on the residuals of a linear init. What it reads and forecasts are changes
    from an anchor, such as the last value, which later rows choose (local scaling).
    Multivariate targets are read together, or each by itself (channel-independent), whichever
    errs less on later rows.

    Parameters
    ----------
    estimator : regressor, default=None
        What is fitted on windows: `None` is :class:`LSTMRegressor`; any regressor of scikit-learn
        reads the flattened window, a copy for each step and target if it can predict only one.
    window_size : int or "auto", default="auto"
        Length of the lookback window: rows that a forecast reads, with the one before them to
        which the first is compared. ``"auto"`` is 24, or a third of the rows of a typical series.
    steps : int, default=1
        How many rows are forecast at once, elsewhere often called horizon. `horizon` of
        :class:`SequenceWindower` is something else: how far ahead of the last row it may read a
        row's prediction lies.
    season : int or "auto", default="auto"
        Rows of a season, whose value a season before may be the anchor. ``"auto"``: those of a
        year, a week or a day, by the frequency; 1, which is none, for integers.
    series : str or list of str, default=None
        Columns or index levels of `y` that name the series of a row, for a panel of many series.
        `None`: the index levels beside the time, if timestamps repeat; else a single series.
    time : str, default=None
        Column or index level with the timestamps, if they are not the index.
    target : str or list of str, default=None
        Columns of `y` that are forecast, where one table holds all: its other columns are then the
        covariates, and no X is passed to `fit` and `update`. `None`: all columns of `y`.
    future_covariates : list of str, default=()
        Names of the columns of `X` (the exogenous table of `fit`) whose future values are known
        when a forecast is made, such as a calendar or a weather forecast. All other columns are
        past covariates, known up to the forecast origin.
    calendar : "auto" or None, default=None
        ``"auto"``: the time of the day, the day of the week and that of the year are future
        covariates, as sines and cosines that X need not have: those that vary at the frequency of
        `y`, and are seen at least twice.
    channel_independent : bool or "auto", default="auto"
        Whether each of several targets is forecast from its own past alone, by one model for all
        of them, which then has more windows to learn from and fewer weights. False: all targets
        from the past of all. ``"auto"`` fits both, and keeps the one with the smaller error on the
        calibration set; without such a set it is False.
    categorical_features : "from_dtype" or list of str, default="from_dtype"
        Columns of `y` and X that are categories, which are covariates: an LSTM learns a vector for
        each value, other estimators read a column for each. ``"from_dtype"``: those of texts and of
        pandas' categories. A list may name columns of numbers too, and those of `series`.
    calibration_fraction : float or "auto", default="auto"
        Part of the time span, at its end, that is the calibration set, with one cutoff for all
        series: a first model is fitted on the earlier rows, and its residuals there make the
        prediction intervals. The estimator is then fitted again on all rows. ``"auto"``: a tenth,
        or more if 90 % intervals need it, up to a third. 0: no intervals (unless the estimator
        predicts quantiles), and one fit less.

    transform : {"log", "log1p"}, transformer or None, default=None
        What is forecast in place of the targets, and turned back with its intervals and paths:
        logarithms, for changes in proportion, or a transformer with `inverse_transform`, such as
        :class:`~sklearn.preprocessing.PowerTransformer`, fitted before the calibration set.
        ``"log"`` needs numbers above 0, ``"log1p"`` those from 0 on; no interval goes below 0.
        A forecast turned back is the median, below the mean.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on windows of all series.
    targets_ : list
        Columns that are forecast.
    calendar_ : list of str
        Waves of the calendar that are future covariates, such as ``"week sin 2"``.
    categories_ : dict of str to tuple
        Values of each category, in the order of their codes, which count from 1. Code 0 is a
        missing value, one not seen in `fit`, or one in fewer than 10 rows and 1 % of all.
    window_size_ : int
        Rows of a window.
    local_scaling_ : dict
        What values are measured against: the ``anchor`` "last", "season" or "mean" is subtracted,
        and the rest is divided by the ``scale``: "none" (one number for all series), "spread" or
        "size" (mean absolute change, or value, of the series so far). ``season`` has its rows. The
        anchor is "none" if the estimator takes no negative targets, such as counts.
    blending_weight_ : float
        Weight in [0, 1] of the model beside its anchor, which the calibration set chose.
    channel_independent_ : bool
        Whether each target is forecast from its own past alone.
    validation_losses_ : DataFrame or None
        Columns ``model`` and ``loss``: mean absolute scaled error (MASE) on the calibration set,
        of the naive forecast and of the first model, or of both if two were fitted. The same
        number as that of :func:`backtest_scores`, for the same forecasts. Lower is better. For the
        choice of hyperparameters, such as the window size: see the notes.
    interval_method_ : {"conformal", "scaled conformal", "quantiles"} or None
        What prediction intervals are made from: residuals; residuals in units of the distance to
        the outer quantiles that the estimator predicts; these quantiles alone, without a
        calibration set.

    See Also
    --------
    backtest : Forecast from many origins of the past, and compare with naive forecasts.
    SequenceWindower : Lookback windows for other tasks, one a row.

    Notes
    -----
    Anchor and scale of a window are those of its series up to its end, so that no window is
    measured by what follows it. They are chosen by ridge regressions on rows before the
    calibration set: the last value without a scale stays, unless another errs less by more than
    one standard error over series and over dates. Forecasts are then moved to the anchor alone as
    far as the calibration set says, with the shrinkage of James and Stein ("Estimation with
    Quadratic Loss", 1961), so that on random walks the last value remains.

    Prediction intervals are split-conformal (Lei et al., "Distribution-Free Predictive Inference
    for Regression", JASA 2018): quantiles of absolute residuals, for each step. Series share
    their residuals, in units of the spread of each, which is shrunk to that of the panel; from
    some 200 forecast origins on a series has its own. As forecasts of s steps overlap, n of them
    count as n / s. If the estimator predicts quantiles, such as ``LSTMRegressor(loss="gaussian")``,
    the width changes with them.

    `update` makes intervals adaptive. Those of 90 % coverage widen by 9 % after an actual value
    beyond one, and narrow by 1 % after one inside, so that in the long run these are 1 to 9; those
    of 80 % by 8 % and 2 %, and others accordingly. Where series share residuals, it is the mean of
    the date that counts. At step s the change is divided by the root of s, as errors are known s
    rows late; each counts against the interval with which its forecast was made (Gibbs and Candès,
    "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 2021; here applied to
    logarithms of widths, as in Angelopoulos et al., "Conformal PID Control for Time Series
    Prediction", NeurIPS 2023). With future covariates or a calendar the errors of a forecast count
    once all its steps have come.

    Searches of scikit-learn take it like any estimator, on the table as a whole, by :meth:`score`:
    ``GridSearchCV(SequenceForecaster(), {"window_size": [16, 32], "estimator__alpha": [1, 10]},
    cv=TimeSeriesSplit(3)).fit(y)``, with ``cv=TimestampSplit(3)`` for a panel. A search of the
    regressor alone can stand inside instead, where it splits windows by time:
    ``SequenceForecaster(GridSearchCV(LSTMRegressor(), grid, cv=TimestampSplit(3)))``.

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
        "window_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "steps": [Interval(Integral, 1, None, closed="left")],
        "season": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "series": [str, list, None],
        "time": [str, None],
        "target": [str, list, None],
        "future_covariates": [list, tuple],
        "calendar": [StrOptions({"auto"}), None],
        "channel_independent": ["boolean", StrOptions({"auto"})],
        "categorical_features": [StrOptions({"from_dtype"}), list, tuple],
        "calibration_fraction": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "transform": [
            StrOptions({*LOGARITHMS}),
            HasMethods(["fit", "transform", "inverse_transform"]),
            None,
        ],
    }

    def __init__(
        self,
        estimator: Any = None,
        window_size: int | str = "auto",
        steps: int = 1,
        *,
        season: int | str = "auto",
        series: str | list[str] | None = None,
        time: str | None = None,
        target: str | list[str] | None = None,
        future_covariates: list | tuple = (),
        calendar: str | None = None,
        channel_independent: bool | str = "auto",
        categorical_features: str | list | tuple = "from_dtype",
        calibration_fraction: float | str = "auto",
        transform: Any = None,
    ):
        self.estimator = estimator
        self.window_size = window_size
        self.steps = steps
        self.season = season
        self.series = series
        self.time = time
        self.target = target
        self.future_covariates = future_covariates
        self.calendar = calendar
        self.channel_independent = channel_independent
        self.categorical_features = categorical_features
        self.calibration_fraction = calibration_fraction
        self.transform = transform

    def fit(self, y: Any, *others: Any, X: Any = None) -> Self:
        """Learn from the past.

        With ``LSTMRegressor(warm_start=True)`` a further `fit` starts from the weights, as refits
        of :func:`backtest` do. With `calibration_fraction` above 0 a first model is fitted on the
        earlier rows, so that it takes two fits, with several targets three. NaN are not filled:
        windows that hold them are left out, unless the estimator takes NaN, such as
        ``LSTMRegressor(missing="mask")``. Short series are learned from the rows they have; of
        those with less than a quarter of a window the forecast is the anchor alone.

        Parameters
        ----------
        y : Series, or DataFrame of targets
            The past, at a regular frequency: indexed by dates, periods or integers. With `series`
            a long table. A warning counts windows that are left out: those that hold NaN, or have
            one in the steps behind them.
        *others
            Refused: covariates are passed by name.
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
            If timestamps are irregular, no series has a window with all steps behind it, the
            calibration set is too small for intervals, X has other rows than y, or
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
        refuse_other_order("fit", y, others, X)
        learned = self._blank()
        learned._fit_panel(self._read(y, X).regular(), self._to_go_on())
        self.__dict__.update(learned.__dict__)  # all at once: a fit that fails leaves all as it was
        return self

    def _fit_panel(self, panel: Panel, earlier: Self | None = None) -> Self:
        refuse_table_of_covariates(self.future_covariates)
        self._validate_params()
        panel = panel.with_learned_categories()
        self._fixed = {name: getattr(self, name) for name in FIXED_BY_FIT}
        missing = [name for name in self.future_covariates if name not in panel.covariates]
        if missing:
            has = panel.covariates
            raise ValueError(f"future_covariates={missing} are no columns of X, which has {has}.")
        if earlier is None:  # a refit goes on with the same inputs
            size = window_size_of(panel.rows, self.window_size)
            self.calendar_ = choose_calendar(panel, size) if self.calendar else []
        else:
            self.calendar_ = earlier.calendar_
        panel = with_calendar(panel, self.calendar_)
        settings = Settings(**{name: getattr(self, name) for name in Settings._fields})
        settings = settings._replace(future_covariates=[*self.future_covariates, *self.calendar_])
        self._naive_errors = panel.rows.naive_errors(1, np.inf)
        fitted = fit_panel(panel, settings, earlier and earlier_fit(earlier, panel))
        panel, model, found, self._transform = fitted
        self.targets_, self._covariates = panel.targets, panel.covariates
        self.categories_ = panel.categories
        self._static = [panel.covariates[k] for k in panel.rows.static()]
        self.estimator_, self.channel_independent_ = model.estimator, model.channel_independent
        self.window_size_ = model.shape.window_size
        self.local_scaling_ = model.unit.unit._asdict()
        self.blending_weight_ = model.weight
        self._losses = found.losses if found else None
        self._model = model
        self._intervals = found.intervals if found else None
        own = predicts_quantiles(self.estimator_)
        self.interval_method_ = "quantiles" if own else None
        if self._intervals:
            self.interval_method_ = "scaled conformal" if own else "conformal"
        self._before = History.none(len(panel.rows.sizes), panel.rows.n_targets)
        self._keep(panel, model.unit.measure(panel.rows))
        return self

    def predict(self, steps: int | None = None, *, X: Any = None, y: Any = None) -> pd.DataFrame:
        """Forecast the rows behind the newest ones.

        The forecast origin is the newest row of `fit` or `update`, or of `y`. Nothing is changed:
        another call gives the same forecast. Series that ended more than `steps` rows before the
        newest date of all are left out, with a warning.

        Parameters
        ----------
        steps : int, default=None
            How many rows to forecast. `None`: as many as the parameter `steps`. Further ones feed
            forecasts back.
        X : DataFrame, default=None
            The columns `future_covariates` of these rows, with `series` and `time` as in `fit`.
        y : as in `fit`, default=None
            Rows of other series, new ones too, which are forecast in place of those of `fit`; X
            then has the covariates of these rows as well.

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
        origins = self._origins(steps, X, y)
        timestamps, coming = self._future(origins.panel, steps, X)
        point = self._transform.inverse(self._forecast(origins, coming, steps).point)
        return self._table(origins.panel, timestamps, point, self.targets_)

    def update(self, y: Any, *others: Any, X: Any = None) -> Self:
        """Append rows that have arrived, without a refit.

        The forecast origin moves to the last of them, and prediction intervals adapt to the
        residuals there; the estimator stays as it is. Fit again when errors grow.

        A value that was NaN may come late: its row is given again, and fills in what is missing.
        About ``window_size_ + steps`` rows of each series are kept for that.

        Parameters
        ----------
        y : as in `fit`
            The rows right behind the newest ones, or late ones.
        *others
            Refused: covariates are passed by name.
        X : DataFrame, default=None
            Covariates of these rows.

        Returns
        -------
        SequenceForecaster
            The forecaster.

        Raises
        ------
        ValueError
            If rows are missing before these, a series is unknown, or a late row had another value
            before or is no longer kept.

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
        refuse_other_order("update", y, others, X)
        self._check_fitted()
        levels, kinds = self._buffer.by_levels, self._buffer.categories
        arrived = self._read(y, X, self.targets_, levels, kinds)
        longer, is_new = updated(self._buffer, self._as_buffered(arrived))
        rows = longer.rows
        turn = rows.place - np.repeat(self._buffer.rows.sizes, rows.sizes)
        windows = self._model.windows(rows, self._before, least=1)
        if self._intervals is not None:
            self._intervals = self._adapted(self._intervals, windows, turn, is_new)
        self._transform = self._transform.seen(rows.y)
        self._keep(longer, windows.local)
        return self

    def _adapted(
        self, intervals: Intervals, windows: Windows, turn: np.ndarray, is_new: np.ndarray
    ) -> Intervals:
        """Adapt to new targets, from windows before them that are held as a whole."""
        n_needed, rows = self._model.n_needed(), windows.rows
        is_held = (turn >= -self.steps) | (rows.place >= n_needed - self.steps - 1)
        is_held |= np.repeat(self._buffer.rows.sizes < n_needed, rows.sizes)
        windows = windows.take(is_held[windows.ends])
        scores = self._model.forecasts(windows).scores(windows.actual())
        judges, together = windows.ahead(is_new) == 1, self._model.judges_together
        if together:  # with the row of the last step
            judges |= windows.ahead((turn >= 0)[:, None])[:, -1:] == 1
        by_row = windows.by_row(np.where(judges, scores, np.nan), together=together)
        arrived = is_new.any(axis=1) | np.isfinite(by_row).any(axis=(1, 2))
        _, when = np.unique(turn[arrived], return_inverse=True)
        ends = judges.any(axis=(1, 2))
        times = rows.time[windows.ends[ends]]
        longer = intervals.with_paths(scores[ends], windows.code[ends], times)
        return longer.adapted(by_row[arrived], rows.code[arrived], when, 0.9, together=together)[0]
