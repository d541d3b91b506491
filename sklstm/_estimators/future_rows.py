"""Future rows: their timestamps, their covariates, and the window before them."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklstm._data.warning import DroppedDataWarning, some_names, warn
from sklstm._estimators.forecaster_attributes import ForecasterAttributes
from sklstm._estimators.forecaster_state import state_from_plain, state_to_plain
from sklstm._estimators.intervals import Intervals
from sklstm._estimators.window_regression import Forecasts, PanelModel
from sklstm._tables.calendar import check_kind
from sklstm._tables.calendar_columns import calendar_values
from sklstm._tables.panel import Panel, places_of, read_panel, time_numbers
from sklstm._tables.regular_rows import series_in_words
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.target_columns import names_of, targets_and_covariates
from sklstm._tables.target_transform import TargetTransform
from sklstm._tables.window_units import History, LocalUnits
from sklstm._tables.windows import Windows

__all__ = ["FIXED_BY_FIT", "FutureRows", "Origins"]

FIXED_BY_FIT = "window_size", "steps", "series", "time", "target", "future_covariates"
"""Parameters that a forecast depends on: they may not change between `fit` and `predict`."""


class Origins(NamedTuple):
    """Rows behind which there are forecasts.

    Attributes
    ----------
    panel : Panel
        The newest rows of each series.
    before : History
        What was before them.
    series : ndarray of int, shape (n_series,)
        Position of each series among those of `fit`; -1 for new ones.
    """

    panel: Panel
    before: History
    series: np.ndarray


class FutureRows(ForecasterAttributes):
    """Windows, covariates and forecasts of the rows behind the newest ones.

    The subclass has the parameters, learns, and keeps the newest rows.
    """

    window_size: int | str
    steps: int
    series: str | list[str] | None
    time: str | None
    target: str | list[str] | None
    categorical_features: str | list | tuple
    future_covariates: list | tuple

    targets_: list
    _covariates: list
    _static: list
    calendar_: list[str]
    _buffer: Panel
    _before: History
    _model: PanelModel
    _transform: TargetTransform
    _intervals: Intervals | None
    estimator_: Any
    interval_method_: str | None
    _fixed: dict[str, Any]

    def _check_fitted(self) -> None:
        check_is_fitted(self)
        for name, value in self._fixed.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"{name} was {value!r} in fit and is {getattr(self, name)!r} now: fit again, "
                    "or set it back."
                )

    def _checked_steps(self, steps: Any) -> int:
        steps = self.steps if steps is None else steps
        if isinstance(steps, pd.DataFrame | pd.Series):
            raise TypeError(
                f"steps is a {type(steps).__name__}: pass the table of future covariates by name, "
                "X=future."
            )
        if not isinstance(steps, Integral) or int(steps) < 1:
            raise ValueError(f"steps={steps!r} must be a whole number from 1.")
        known = [*self.future_covariates, *self._static, *self.calendar_]
        unknown = [name for name in self._covariates if name not in known]
        if int(steps) > self.steps and unknown:
            raise ValueError(
                f"steps={steps} needs the columns {unknown} of future rows: fit with "
                f"steps={steps}, or name them in future_covariates."
            )
        return int(steps)

    def _read(
        self,
        y: Any,
        X: Any,
        names: list | None = None,
        by_levels: bool | None = None,
        categories: Any = None,
    ) -> Panel:
        """Read targets and covariates, of one table or of two."""
        y, X = self._divided(y, X)
        categories = self.categorical_features if categories is None else categories
        return read_panel(y, X, self.series, self.time, names, by_levels, categories)

    def _divided(self, y: Any, X: Any) -> tuple[Any, Any]:
        keys = [*names_of(self.series), *names_of(self.time)]
        return targets_and_covariates(y, X, self.target, keys)

    def _future(self, panel: Panel, steps: int, X: Any) -> tuple[pd.Index, np.ndarray]:
        """Timestamps of the future rows, and their columns, (n_series, n_rows, n_columns)."""
        rows = panel.rows
        n_rows = -(-steps // self.steps) * self.steps  # a block is forecast as a whole
        timestamps = panel.future(n_rows)
        values = np.full((len(rows.sizes), n_rows, rows.values.shape[1]), np.nan)
        if self.calendar_:
            columns = [len(panel.targets) + panel.covariates.index(name) for name in self.calendar_]
            waves = calendar_values(timestamps, self.calendar_)
            values[:, :, columns] = waves.reshape(len(rows.sizes), n_rows, -1)
        for name in self._static:
            column = len(panel.targets) + panel.covariates.index(name)
            values[:, :, column] = rows.values[rows.ends - 1, None, column]
        if self.future_covariates:
            if X is None:
                raise ValueError(
                    f"X is missing: give a table with the columns {list(self.future_covariates)} "
                    f"of the next {steps} rows."
                )
            kinds = panel.categories
            given = read_panel(None, X, self.series, self.time, None, panel.by_levels, kinds)
            check_kind(given.timestamps, timestamps, "rows of X")
            lacking = [name for name in self.future_covariates if name not in given.covariates]
            if lacking:
                raise ValueError(f"X lacks the columns {lacking}: it has {given.covariates}.")
            columns = [*panel.targets, *panel.covariates]
            known = self._known(given, rows.names, timestamps, steps)
            for name in self.future_covariates:
                found = given.rows.values[known, given.covariates.index(name)]
                missing = np.argwhere(np.isnan(found[:, :steps]))
                if len(missing) and not self._model.shape.allow_nan:
                    series, step = missing[0]
                    raise ValueError(
                        f"X has no value of {name!r} at {timestamps[series * n_rows + step]} of "
                        f"{series_in_words(rows.names[series])}: impute it, or choose an estimator "
                        "that takes NaN, such as LSTMRegressor(missing='mask')."
                    )
                values[:, :, columns.index(name)] = found
        first = np.arange(len(timestamps)) % n_rows < steps
        return timestamps if n_rows == steps else timestamps[first], values

    def _known(self, given: Panel, names: list, timestamps: pd.Index, steps: int) -> np.ndarray:
        """Rows of X at future timestamps, (n_series, n_rows); behind `steps` the last of them."""
        wanted = time_numbers(timestamps).reshape(len(names), -1)
        each = np.repeat(given.rows.find(names), wanted.shape[1])
        rows = places_of(given.rows.code, given.rows.time, each, wanted.ravel())
        rows = rows.reshape(wanted.shape)
        late = rows[:, :steps] < 0
        if late.any():
            k, step = np.argwhere(late)[0]
            row = timestamps[k * wanted.shape[1] + step]
            raise ValueError(f"X lacks the row {row} of {series_in_words(names[k])}.")
        rows[:, steps:] = np.where(rows[:, steps:] < 0, rows[:, [steps - 1]], rows[:, steps:])
        return rows

    def _forecast(self, origins: Origins, coming: np.ndarray, steps: int) -> Forecasts:
        """Forecast rows of all series; those beyond the parameter `steps` feed forecasts back."""
        rows, blocks = origins.panel.rows, []
        for first in range(0, steps, self.steps):
            block = coming[:, first : first + self.steps]
            windows = self._newest(rows.followed_by(block), rows, origins.before)
            blocks.append(self._model.forecasts(windows))
            block[:, :, : rows.n_targets] = blocks[-1].point
            rows = rows.followed_by(block)
        return Forecasts(*(np.hstack(parts)[:, :steps] for parts in zip(*blocks, strict=True)))

    def _origins(self, steps: int, X: Any, y: Any) -> Origins:
        """The newest rows of all series that have not ended, or those of other series."""
        if X is not None and y is None and not self.future_covariates:
            raise ValueError(
                "X has rows of the future, and the forecaster reads none of them: name their "
                "columns in future_covariates and fit again, or leave X out."
            )
        if y is not None:
            given, known = self._given(y, X), self._buffer
            panel = self._transform.applied(given.regular(known.calendars))
            before = History.none(len(panel.rows.sizes), len(self.targets_))
            return Origins(panel, before, self._buffer.rows.find(panel.rows.names))
        panel, before, rows = self._buffer, self._before, self._buffer.rows
        series = np.arange(len(rows.sizes))
        if isinstance(panel.timestamps, pd.DatetimeIndex | pd.PeriodIndex) and len(series) > 1:
            last = time_numbers(panel.future(steps)).reshape(len(series), -1)[:, -1]
            going_on = last > rows.time.max()
            if not going_on.all():
                ended = [rows.names[k] for k in np.flatnonzero(~going_on)]
                warn(
                    f"{len(ended)} of {len(series)} series ended more than {steps} rows before the "
                    f"newest date of all, and have no forecast: {some_names(ended)}. "
                    "predict(y=their rows) makes one.",
                    DroppedDataWarning,
                )
                panel, before = panel.take(going_on[rows.code]), before.take(going_on)
                series = series[going_on]
        return Origins(panel, before, series)

    def _given(self, y: Any, X: Any) -> Panel:
        """Rows of series, with their covariates, which X has beside those of future rows."""
        levels, kinds = self._buffer.by_levels, self._buffer.categories
        if self.target is not None:
            y, X = self._divided(y, None)
        given = read_panel(y, None, self.series, self.time, self.targets_, levels, kinds)
        check_kind(given.timestamps, self._buffer.timestamps, "rows of y")
        lacking = [name for name in self.targets_ if name not in given.targets]
        if lacking:
            raise ValueError(f"y lacks the columns {lacking}.")
        columns = dict(zip([*given.targets, *given.covariates], given.rows.values.T, strict=True))
        waves = calendar_values(given.timestamps, self.calendar_)
        columns |= zip(self.calendar_, waves.T, strict=True)
        others = [name for name in self._covariates if name not in columns]
        if others and X is None:
            raise ValueError(f"X is missing: y needs the columns {others}.")
        if others:
            of_x = read_panel(None, X, self.series, self.time, None, levels, kinds)
            check_kind(of_x.timestamps, given.timestamps, "rows of X")
            absent = [name for name in others if name not in of_x.covariates]
            if absent:
                raise ValueError(f"y and X lack the columns {absent}, which fit had.")
            code = of_x.rows.find(given.rows.names)[given.rows.code]
            place = places_of(of_x.rows.code, of_x.rows.time, code, given.rows.time)
            found = of_x.rows.values[place][:, [of_x.covariates.index(name) for name in others]]
            columns |= zip(others, np.where(place < 0, np.nan, found.T), strict=True)
        values = np.stack([columns[name] for name in [*self.targets_, *self._covariates]], axis=1)
        kinds = self._buffer.rows.categories
        rows = given.rows._replace(values=values, n_targets=len(self.targets_), categories=kinds)
        return given._replace(rows=rows, targets=self.targets_, covariates=self._covariates)

    def _newest(self, longer: SeriesRows, rows: SeriesRows, before: History) -> Windows:
        """The windows of the last rows, which hold future covariates of the next ones."""
        windows = self._model.windows(longer, before, least=1)
        ends = longer.starts + rows.sizes - 1
        newest = windows.take(np.isin(windows.ends, ends))
        unread = np.setdiff1d(np.arange(len(ends)), newest.code)
        if len(unread):
            raise ValueError(
                f"The newest {self._model.shape.window_size} rows of "
                f"{series_in_words(rows.names[unread[0]])} hold NaN: impute them before fit or "
                "update, or choose an estimator that takes NaN, such as "
                "LSTMRegressor(missing='mask')."
            )
        return newest

    def _keep(self, panel: Panel, local: LocalUnits) -> None:
        """Keep the newest rows, and what is known before them."""
        n_rows = self._model.n_needed()
        self._before = local.before_tail(panel.rows, n_rows, self._before)
        self._buffer = panel.tail(n_rows)

    def _table(
        self, panel: Panel, timestamps: pd.Index, values: np.ndarray, columns: Any
    ) -> pd.DataFrame:
        """A row for each step of each series."""
        index, names = timestamps, panel.rows.names
        if panel.by_levels:
            each = pd.Index(names).repeat(len(index) // len(names))
            keys = [each.get_level_values(level) for level in range(each.nlevels)]
            levels = self.series if isinstance(self.series, list) else [self.series] * len(keys)
            index = pd.MultiIndex.from_arrays([*keys, index], names=[*levels, index.name])
        return pd.DataFrame(values.reshape(len(index), -1), index, columns)

    def _to_plain(self, state: dict[str, Any]) -> dict[str, Any]:
        return state_to_plain(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state_from_plain(state))
