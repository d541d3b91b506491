"""SequenceForecaster: the next steps of one series or many, on their dates, with a band."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from sklstm._data.estimator import SequenceEstimator
from sklstm._data.sequences import Sequences
from sklstm._estimators.regressor import LSTMRegressor
from sklstm._tables.calendar import Panel, future_index, read_panel, with_series
from sklstm._tables.flattener import SequenceFlattener
from sklstm._tables.windows import Windows, rows_ahead

__all__ = ["SequenceForecaster"]

ENOUGH_RESIDUALS = 50
"""Of a series, to have quantiles of its own; with fewer all series share theirs."""


class SequenceForecaster(SequenceEstimator):
    """Forecast the next steps of one series or many, each from the newest data.

    A window of the last rows is read once and foretells all `steps` at once, so that no step
    rests on older data than it must; further steps feed forecasts back. The default estimator
    starts from a linear model relative to the last value, or to the step that repeats best.

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
    calibration : float, default=0.1
        Part of each series, at its end, whose residuals of a first model say how wide a band must
        be. The estimator is then fitted again on everything. 0: no band, and one fit less.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on windows of all series.
    targets_ : list
        Columns that are foretold.
    residuals_ : dict of ndarray of shape (n_origins, steps, n_targets)
        What a first model missed, by series; newer ones come with `update`.

    See Also
    --------
    backtest : Forecast from many origins of the past, and compare.
    SequenceWindower : Histories for tasks that are no forecasts.

    Notes
    -----
    The band is split-conformal (Lei et al., "Distribution-Free Predictive Inference for
    Regression", JASA 2018): quantiles of absolute residuals, step by step.

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
        calibration: float = 0.1,
    ):
        self.estimator = estimator
        self.window_size = window_size
        self.steps = steps
        self.series = series
        self.time = time
        self.known = known
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
        self.residuals_ = {
            name: np.empty((0, self.steps, len(self.targets_))) for name in panel.tables
        }
        if self.calibration:
            early, late = windows.halves(1 - self.calibration)
            early, late = early & usable, late & usable
            if late.any() and early.any():
                first = self._fitted(windows.take(early))
                self._keep_residuals(first, windows.take(late))
        self.estimator_ = self._fitted(windows.take(usable))
        self._memory = panel.tail(self.window_size + self.steps)
        return self

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
                self._keep_residuals(self.estimator_, windows.take(newest))
        self._memory = longer.tail(self.window_size + self.steps)
        return self

    def _fitted(self, windows: Windows) -> Any:
        estimator = LSTMRegressor() if self.estimator is None else clone(self.estimator)
        tags, n_outputs = get_tags(estimator), windows.ahead.shape[1] * windows.ahead.shape[2]
        if not tags.input_tags.three_d_array:
            if n_outputs > 1 and not tags.target_tags.multi_output:
                estimator = MultiOutputRegressor(estimator)
            estimator = make_pipeline(SequenceFlattener(), estimator)
        ahead = windows.ahead.reshape(len(windows.ahead), -1)
        return estimator.fit(windows.sequences, ahead[:, 0] if n_outputs == 1 else ahead)

    def _answers(self, estimator: Any, windows: Windows) -> np.ndarray:
        """Forecasts in the units of the user, (n_windows, steps, n_targets)."""
        said = np.asarray(estimator.predict(windows.sequences))
        said = said.reshape(len(windows.ahead), self.steps, -1)
        return said * windows.scale[:, None] + windows.mean[:, None]

    def _keep_residuals(self, estimator: Any, windows: Windows) -> None:
        truth = windows.ahead * windows.scale[:, None] + windows.mean[:, None]
        missed = truth - self._answers(estimator, windows)
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
        level = min(np.ceil((len(missed) + 1) * coverage) / len(missed), 1.0)
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
            values = self._answers(self.estimator_, newest)[0]
            said.append(pd.DataFrame(values, block.index, self.targets_))
            table = pd.concat([table, block.join(said[-1])])
        return pd.concat(said)[:steps]

    def _learn_units(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        values = table[self.targets_].to_numpy(float)
        spread = np.nanstd(values, axis=0)
        return np.nanmean(values, axis=0), np.where(spread > 0, spread, 1.0)

    def _windows(self, panel: Panel) -> Windows:
        """A window that ends with each row that has a full one."""
        parts = []
        known = [name for name in self._covariates if name in self.known]
        for code, (name, table) in enumerate(panel.tables.items()):
            mean, scale = self._units[name]
            y = (table[self.targets_].to_numpy(float) - mean) / scale
            others = table.reindex(columns=self._covariates).to_numpy(float)
            ahead = rows_ahead(y, self.steps)
            coming = rows_ahead(table[known].to_numpy(float), self.steps).reshape(len(table), -1)
            place = np.arange(self.window_size - 1, len(table))
            parts.append(
                (np.hstack([y, others, coming]), place, ahead[place], np.full(len(place), code))
            )
        values, place, ahead, codes = zip(*parts, strict=True)
        offset = np.cumsum([0, *map(len, values[:-1])])
        starts = np.concatenate(
            [o + p - self.window_size + 1 for o, p in zip(offset, place, strict=True)]
        )
        of_series = np.concatenate(codes)
        lengths = np.full(len(starts), self.window_size)
        units = [self._units[name] for name in panel.tables]
        return Windows(
            Sequences(np.concatenate(values), starts, lengths, of_series),
            np.concatenate(ahead),
            of_series,
            np.concatenate(place),
            np.array([len(table) for table in panel.tables.values()]),
            list(panel.tables),
            np.array([mean for mean, _ in units])[of_series],
            np.array([scale for _, scale in units])[of_series],
        )


def _told(name: Hashable) -> str:
    return "y" if name is None else f"series {name!r}"
