"""Future rows: their timestamps, their covariates, and the window before them."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklstm._data.estimator import SequenceEstimator
from sklstm._data.statistics import weighted_moments
from sklstm._estimators.window_regression import Forecasts, predict_windows
from sklstm._tables.panel import Panel, future_index, read_panel
from sklstm._tables.windows import Windows, make_windows

__all__ = ["FIXED_BY_FIT", "FutureRows", "series_in_words"]

FIXED_BY_FIT = "window_size", "steps", "series", "time", "future_covariates"
"""Parameters that a forecast depends on: they may not change between `fit` and `predict`."""


class FutureRows(SequenceEstimator):
    """Windows, covariates and forecasts of the rows behind the newest ones.

    The subclass has the parameters, learns, and keeps the newest rows.
    """

    window_size: int
    steps: int
    series: str | None
    time: str | None
    future_covariates: list | tuple

    estimator_: Any
    channel_independent_: bool
    targets_: list
    _covariates: list
    _buffer: Any
    _units: dict[Hashable, tuple[np.ndarray, np.ndarray]]
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
        if not isinstance(steps, Integral) or int(steps) < 1:
            raise ValueError(f"steps={steps!r} must be a whole number from 1.")
        unknown = [name for name in self._covariates if name not in self.future_covariates]
        if int(steps) > self.steps and unknown:
            raise ValueError(
                f"steps={steps} needs the columns {unknown} of future rows: fit with "
                f"steps={steps}, or name them in future_covariates."
            )
        return int(steps)

    def _future(self, steps: int, X: Any) -> dict[Hashable, pd.DataFrame]:
        """Covariates of the future rows of each series, without columns if none are known."""
        n_rows = -(-steps // self.steps) * self.steps  # a block is forecast as a whole
        timestamps = {n: future_index(t.index, n_rows) for n, t in self._buffer.tables.items()}
        if not self.future_covariates:
            return {name: pd.DataFrame(index=index) for name, index in timestamps.items()}
        if X is None:
            raise ValueError(
                f"X is missing: give a table with the columns {list(self.future_covariates)} of "
                f"the next {steps} rows."
            )
        given = read_panel(None, X, self.series, self.time)
        future = {}
        for name, index in timestamps.items():
            table = given.tables.get(name, pd.DataFrame(columns=list(self.future_covariates)))
            late = index[:steps].difference(table.index)
            if len(late):
                raise ValueError(f"X lacks the row {late[0]} of {series_in_words(name)}.")
            future[name] = table[list(self.future_covariates)].reindex(index).ffill()
        return future

    def _forecast(self, name: Hashable, steps: int, future: pd.DataFrame) -> pd.DataFrame:
        table, parts = self._buffer.tables[name], []
        for first in range(0, steps, self.steps):
            block = future[first : first + self.steps]
            newest = self._newest(name, table, block)
            values = newest.in_units(self._forecasts(newest).point)[0]
            parts.append(pd.DataFrame(values, block.index, self.targets_))
            table = pd.concat([table, block.join(parts[-1])])
        return pd.concat(parts)[:steps]

    def _newest(self, name: Hashable, table: pd.DataFrame, block: pd.DataFrame) -> Windows:
        """The window of the last rows of a series, with future covariates of the next ones."""
        ahead = pd.concat([table[-self.window_size :], block]).astype(float)
        windows = self._windows(Panel({name: ahead}, self.targets_, self._covariates))
        newest = windows.take(windows.place == self.window_size - 1)
        if not newest.whole().all():
            raise ValueError(
                f"The newest {self.window_size} rows of {series_in_words(name)} hold NaN: impute "
                "them before fit or update."
            )
        return newest

    def _learn_units(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        columns = table[self.targets_].to_numpy(float).T
        finite = [column[np.isfinite(column)] for column in columns]
        units = [weighted_moments(x, np.ones(len(x))) if len(x) else (0.0, 1.0) for x in finite]
        mean, scale = np.array(units).T
        return mean, scale

    def _windows(self, panel: Panel) -> Windows:
        future = [name for name in self._covariates if name in self.future_covariates]
        return make_windows(panel, self._units, future, self.window_size, self.steps)

    def _forecasts(self, windows: Windows) -> Forecasts:
        return predict_windows(self.estimator_, windows, self.channel_independent_)


def series_in_words(name: Hashable) -> str:
    """Name a series in a message."""
    return "y" if name is None else f"series {name!r}"
