"""Rows that are still to come: their timestamps, what is known of them, the window before them."""

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

__all__ = ["FIXED_BY_FIT", "RowsAhead", "series_in_words"]

FIXED_BY_FIT = "window_size", "steps", "series", "time", "future_covariates"
"""Parameters that a forecast follows, and that hold from one fit to the next."""


class RowsAhead(SequenceEstimator):
    """What a forecaster reads for a forecast, and foretells of it.

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
                f"steps={steps} needs the columns {unknown} of rows that are still to come: fit "
                f"with steps={steps}, or name them in future_covariates."
            )
        return int(steps)

    def _future(self, steps: int, X: Any) -> dict[Hashable, pd.DataFrame]:
        """Known columns of the rows to come, and of none if there are none."""
        n_rows = -(-steps // self.steps) * self.steps  # a block is foretold as a whole
        timestamps = {n: future_index(t.index, n_rows) for n, t in self._buffer.tables.items()}
        if not self.future_covariates:
            return {name: pd.DataFrame(index=index) for name, index in timestamps.items()}
        if X is None:
            raise ValueError(
                f"X with the columns {list(self.future_covariates)} of the next {steps} rows is missing."
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
        table, said = self._buffer.tables[name], []
        for first in range(0, steps, self.steps):
            block = future[first : first + self.steps]
            newest = self._newest(name, table, block)
            foretold = self._forecasts(newest)
            values = newest.in_units(foretold.point)[0]
            said.append(pd.DataFrame(values, block.index, self.targets_))
            table = pd.concat([table, block.join(said[-1])])
        return pd.concat(said)[:steps]

    def _newest(self, name: Hashable, table: pd.DataFrame, block: pd.DataFrame) -> Windows:
        """The window of the last rows of a series, with what is known of the next ones."""
        ahead = pd.concat([table[-self.window_size :], block]).astype(float)
        windows = self._windows(Panel({name: ahead}, self.targets_, self._covariates))
        newest = windows.take(windows.place == self.window_size - 1)
        if not newest.whole().all():
            raise ValueError(
                f"The newest {self.window_size} rows of {series_in_words(name)} hold NaN: fill "
                "them before update or fit."
            )
        return newest

    def _learn_units(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        columns = table[self.targets_].to_numpy(float).T
        known = [column[np.isfinite(column)] for column in columns]
        units = [weighted_moments(x, np.ones(len(x))) if len(x) else (0.0, 1.0) for x in known]
        mean, scale = np.array(units).T
        return mean, scale

    def _windows(self, panel: Panel) -> Windows:
        known = [name for name in self._covariates if name in self.future_covariates]
        return make_windows(panel, self._units, known, self.window_size, self.steps)

    def _forecasts(self, windows: Windows) -> Forecasts:
        return predict_windows(self.estimator_, windows, self.channel_independent_)


def series_in_words(name: Hashable) -> str:
    """Name a series in a message."""
    return "y" if name is None else f"series {name!r}"
