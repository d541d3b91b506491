"""SequenceForecaster: the next steps of one series or many, on their dates, with a band."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._data.estimator import SequenceEstimator
from sklstm._estimators.regressor import LSTMRegressor
from sklstm._tables.calendar import Panel, future_index, read_panel, with_series
from sklstm._tables.flattener import SequenceFlattener
from sklstm._tables.windows import Windows, make_windows

__all__ = ["SequenceForecaster"]

ENOUGH_RESIDUALS = 50
"""Of a series, to have quantiles of its own; with fewer all series share theirs."""


class SequenceForecaster(SequenceEstimator):
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
        Column with the stamps, if they are not the index.
    known : list of str, default=()
        Columns of `X` that are known ahead, such as a calendar or a weather forecast. All others
        are known up to now.
    per_target : bool or "auto", default="auto"
        Whether each of several targets is foretold from its own past alone, by one model for all
        of them, so that there is more to learn from and less to learn. False: all from the past
        of all. ``"auto"`` tries both, and keeps what errs less on the calibration rows; without
        these it is False.
    calibration : float, default=0.1
        Part of each series, at its end, whose residuals of a first model say how wide a band must
        be. The estimator is then fitted again on everything. 0: no band, and one fit less.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on windows of all series.
    targets_ : list
        Columns that are foretold.
    per_target_ : bool
        Whether each target is foretold from its own past alone.
    comparison_ : DataFrame or None
        Mean squared error on the calibration rows, in variances of each series: of the last value,
        and of the first model, of both if two were tried. To compare settings by, such as the
        window size: see the notes.
    residuals_ : dict of ndarray of shape (n_origins, steps, n_targets)
        What a first model missed, by series; newer ones come with `update`.

    See Also
    --------
    backtest : Forecast from many origins of the past, and compare.
    SequenceWindower : Histories for tasks that are no forecasts.

    Notes
    -----
    The band is split-conformal (Lei et al., "Distribution-Free Predictive Inference for
    Regression", JASA 2018): quantiles of absolute residuals, step by step. As errors change with
    the season, `update` keeps the newest residuals, as many as there were.

    `fit(y, X)` is not that of a scikit-learn search. A search of its regressor goes inside:
    ``SequenceForecaster(GridSearchCV(LSTMRegressor(), grid, cv=TimeSeriesSplit(3, gap=steps)))``.
    Settings of the forecaster itself are compared by `comparison_`, or by :func:`backtest`:
    ``min([16, 32], key=lambda size: SequenceForecaster(window_size=size).fit(y).comparison_["MSE"]
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
        "known": [list, tuple],
        "per_target": ["boolean", StrOptions({"auto"})],
        "calibration": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        estimator: Any = None,
        window_size: int = 24,
        steps: int = 1,
        *,
        series: str | None = None,
        time: str | None = None,
        known: list | tuple = (),
        per_target: bool | str = "auto",
        calibration: float = 0.1,
    ):
        self.estimator = estimator
        self.window_size = window_size
        self.steps = steps
        self.series = series
        self.time = time
        self.known = known
        self.per_target = per_target
        self.calibration = calibration

    def fit(self, y: Any, X: Any = None) -> Self:
        """Learn from the past.

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
        """
        return self._fit_panel(read_panel(y, X, self.series, self.time).regular())

    def _fit_panel(self, panel: Panel) -> Self:
        self._validate_params()
        missing = [name for name in self.known if name not in panel.covariates]
        if missing:
            raise ValueError(f"known={missing} are no columns of X: {panel.covariates}.")
        for name, table in panel.tables.items():
            if len(table) < self.window_size + self.steps:
                raise ValueError(
                    f"{_told(name)} has {len(table)} rows, and a window of {self.window_size} rows "
                    f"with {self.steps} steps behind it needs {self.window_size + self.steps}."
                )
        self.targets_, self._covariates = panel.targets, panel.covariates
        self._units = {name: self._learn_units(table) for name, table in panel.tables.items()}
        windows = self._windows(panel)
        usable = windows.usable()
        if not usable.any():
            raise ValueError("No window without NaN has known steps behind it: fill y first.")
        n_lost = (windows.complete() & ~usable).sum()
        if n_lost:
            warnings.warn(
                f"{n_lost} of {len(usable)} windows hold NaN, or a step behind them does: they are "
                "left out.",
                UserWarning,
                stacklevel=3,
            )
        self._calibrate(windows, usable)
        self.estimator_ = self._fitted(windows.take(usable), self.per_target_)
        self._memory = panel.tail(self.window_size + self.steps)
        return self

    def _calibrate(self, windows: Windows, usable: np.ndarray) -> None:
        """Try first models on later rows: which is better, and what it missed."""
        nothing = np.empty((0, self.steps, len(self.targets_)))
        self.residuals_ = dict.fromkeys(windows.names, nothing)
        self.per_target_, self.comparison_ = self.per_target is True, None
        early, late = (half & usable for half in windows.halves(1 - self.calibration))
        if not (self.calibration and early.any() and late.any()):
            return
        tried = [self.per_target_]
        if self.per_target == "auto" and len(self.targets_) > 1:
            tried = [False, True]
        late_windows = windows.take(late)
        last = late_windows.last()
        errors = {"last value": np.mean((late_windows.ahead - last) ** 2)}
        missed = {}
        for per_target in tried:
            first = self._fitted(windows.take(early), per_target)
            missed[per_target] = late_windows.ahead - self._said(first, late_windows, per_target)
            rule = "each target alone" if per_target else "targets together"
            errors[rule if len(self.targets_) > 1 else "forecaster"] = np.mean(
                missed[per_target] ** 2
            )
        self.per_target_ = min(missed, key=lambda one: np.mean(missed[one] ** 2))
        self.comparison_ = pd.DataFrame({"rule": list(errors), "MSE": list(errors.values())})
        self._keep_residuals(late_windows, missed[self.per_target_])

    def predict(self, steps: int | None = None, X: Any = None) -> pd.DataFrame:
        """Foretell the rows behind the newest ones.

        Parameters
        ----------
        steps : int, default=None
            How many. `None`: as many as the parameter `steps`. More feed forecasts back.
        X : DataFrame, default=None
            The known columns of these rows, with `series` and `time` as in `fit`.

        Returns
        -------
        DataFrame
            One row a future stamp, of each series; one column a target.
        """
        check_is_fitted(self)
        steps = self._checked_steps(steps)
        future = self._future(steps, X)
        return with_series(
            {name: self._forecast(name, steps, future[name]) for name in self._memory.tables},
            self.series,
        )

    def predict_interval(
        self, coverage: float = 0.9, steps: int | None = None, X: Any = None
    ) -> pd.DataFrame:
        """Foretell, and say between which values the truth will lie.

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
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage={coverage} must lie between 0 and 1.")
        steps = self.steps if steps is None else steps
        forecast = self.predict(steps, X)
        if steps > self.steps:
            raise ValueError(
                f"Residuals are known up to {self.steps} steps ahead: fit with steps={steps}."
            )
        parts = {name: self._band(name, coverage)[:steps] for name in self._memory.tables}
        width = np.concatenate(list(parts.values()))
        bands = {"lower": forecast - width, "forecast": forecast, "upper": forecast + width}
        result = pd.concat(bands, axis=1).swaplevel(axis=1)[forecast.columns]
        return result[self.targets_[0]] if len(self.targets_) == 1 else result

    def update(self, y: Any, X: Any = None) -> Self:
        """Move on by rows that have arrived, without training.

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
        """
        check_is_fitted(self)
        arrived = read_panel(y, X, self.series, self.time, names=self.targets_)
        longer = self._memory.extended(arrived)
        if self.calibration:
            counts = {name: len(table) for name, table in arrived.tables.items()}
            windows = self._windows(longer.only(counts))
            newest = windows.usable() & windows.among_last(counts)
            if newest.any():
                newest_windows = windows.take(newest)
                self._keep_residuals(newest_windows, self._missed(newest_windows))
        self._memory = longer.tail(self.window_size + self.steps)
        return self

    def _fitted(self, windows: Windows, per_target: bool) -> Any:
        windows = windows.one_by_one() if per_target else windows
        estimator = LSTMRegressor() if self.estimator is None else clone(self.estimator)
        tags, n_outputs = get_tags(estimator), windows.ahead.shape[1] * windows.ahead.shape[2]
        if not _reads_sequences(estimator):
            if n_outputs > 1 and not tags.target_tags.multi_output:
                estimator = MultiOutputRegressor(estimator)
            estimator = make_pipeline(SequenceFlattener(), estimator)
        ahead = windows.ahead.reshape(len(windows.ahead), -1)
        return estimator.fit(windows.sequences, ahead[:, 0] if n_outputs == 1 else ahead)

    def _said(self, estimator: Any, windows: Windows, per_target: bool) -> np.ndarray:
        """Forecasts in units of the series, (n_windows, steps, n_targets)."""
        if per_target:
            said = np.asarray(estimator.predict(windows.one_by_one().sequences))
            return said.reshape(len(self.targets_), -1, self.steps).transpose(1, 2, 0)
        said = np.asarray(estimator.predict(windows.sequences))
        return said.reshape(len(windows.ahead), self.steps, -1)

    def _answers(self, windows: Windows) -> np.ndarray:
        """Forecasts in the units of the user, (n_windows, steps, n_targets)."""
        return windows.in_units(self._said(self.estimator_, windows, self.per_target_))

    def _missed(self, windows: Windows) -> np.ndarray:
        """Residuals in units of the series, (n_windows, steps, n_targets)."""
        return windows.ahead - self._said(self.estimator_, windows, self.per_target_)

    def _keep_residuals(self, windows: Windows, missed: np.ndarray) -> None:
        missed = missed * windows.scale[:, None]
        for code, name in enumerate(windows.names):
            new = missed[windows.code == code]
            old = self.residuals_[name]
            kept = len(old) or len(new)  # as many as before: the newest
            self.residuals_[name] = np.concatenate([old, new])[-kept:]

    def _band(self, name: Hashable, coverage: float) -> np.ndarray:
        """Half the width of the band, (steps, n_targets)."""
        missed = self.residuals_[name]
        if len(missed) < ENOUGH_RESIDUALS:
            units = {key: self._units[key][1] for key in self.residuals_}
            missed = (
                np.concatenate([m / units[k] for k, m in self.residuals_.items()]) * units[name]
            )
        if not len(missed):
            raise ValueError(
                "There are no residuals to tell a band from: fit with more rows, or calibration "
                "above 0."
            )
        level = conformal_level(len(missed), coverage)
        return np.quantile(np.abs(missed), level, axis=0, method="higher")

    def _checked_steps(self, steps: Any) -> int:
        steps = self.steps if steps is None else steps
        if not isinstance(steps, Integral) or int(steps) < 1:
            raise ValueError(f"steps={steps!r} must be a whole number from 1.")
        unknown = [name for name in self._covariates if name not in self.known]
        if int(steps) > self.steps and unknown:
            raise ValueError(
                f"steps={steps} needs the columns {unknown} of rows that are still to come: fit "
                f"with steps={steps}, or name them in known."
            )
        return int(steps)

    def _future(self, steps: int, X: Any) -> dict[Hashable, pd.DataFrame]:
        """Known columns of the rows to come, and of none if there are none."""
        n_rows = -(-steps // self.steps) * self.steps  # a block is foretold as a whole
        stamps = {n: future_index(t.index, n_rows) for n, t in self._memory.tables.items()}
        if not self.known:
            return {name: pd.DataFrame(index=index) for name, index in stamps.items()}
        if X is None:
            raise ValueError(
                f"X with the columns {list(self.known)} of the next {steps} rows is missing."
            )
        given = read_panel(None, X, self.series, self.time)
        future = {}
        for name, index in stamps.items():
            table = given.tables.get(name, pd.DataFrame(columns=list(self.known)))
            late = index[:steps].difference(table.index)
            if len(late):
                raise ValueError(f"X lacks the row {late[0]} of {_told(name)}.")
            future[name] = table[list(self.known)].reindex(index).ffill()
        return future

    def _forecast(self, name: Hashable, steps: int, future: pd.DataFrame) -> pd.DataFrame:
        table, said = self._memory.tables[name], []
        for first in range(0, steps, self.steps):
            block = future[first : first + self.steps]
            ahead = pd.concat([table[-self.window_size :], block]).astype(float)
            windows = self._windows(Panel({name: ahead}, self.targets_, self._covariates))
            newest = windows.take(windows.place == self.window_size - 1)
            if not newest.whole().all():
                raise ValueError(
                    f"The newest {self.window_size} rows of {_told(name)} hold NaN: fill them "
                    "before update or fit."
                )
            values = self._answers(newest)[0]
            said.append(pd.DataFrame(values, block.index, self.targets_))
            table = pd.concat([table, block.join(said[-1])])
        return pd.concat(said)[:steps]

    def _learn_units(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        values = table[self.targets_].to_numpy(float)
        spread = np.nanstd(values, axis=0)
        return np.nanmean(values, axis=0), np.where(spread > 0, spread, 1.0)

    def _windows(self, panel: Panel) -> Windows:
        known = [name for name in self._covariates if name in self.known]
        return make_windows(panel, self._units, known, self.window_size, self.steps)


def conformal_level(n_residuals: int, coverage: float) -> float:
    """Which quantile of so many residuals the next one stays below with a probability."""
    return min(np.ceil((n_residuals + 1) * coverage) / n_residuals, 1.0)


def _reads_sequences(estimator: Any) -> bool:
    """Whether it, or what a search of it fits, takes windows as they are."""
    if isinstance(estimator, BaseSearchCV):
        return _reads_sequences(estimator.estimator)
    return get_tags(estimator).input_tags.three_d_array


def _told(name: Hashable) -> str:
    return "y" if name is None else f"series {name!r}"
