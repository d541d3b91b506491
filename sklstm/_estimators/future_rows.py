"""Future rows: their timestamps, their covariates, and the window before them."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklstm._data.estimator import SequenceEstimator
from sklstm._estimators.window_regression import Forecasts, PanelModel
from sklstm._tables.panel import Panel, read_panel
from sklstm._tables.series_rows import SeriesRows, stack
from sklstm._tables.window_units import History
from sklstm._tables.windows import Windows

__all__ = ["FIXED_BY_FIT", "FutureRows", "series_in_words"]

FIXED_BY_FIT = "window_size", "steps", "series", "time", "future_covariates"
"""Parameters that a forecast depends on: they may not change between `fit` and `predict`."""


class FutureRows(SequenceEstimator):
    """Windows, covariates and forecasts of the rows behind the newest ones.

    The subclass has the parameters, learns, and keeps the newest rows.
    """

    window_size: int | str
    steps: int
    series: str | list[str] | None
    time: str | None
    future_covariates: list | tuple

    targets_: list
    _covariates: list
    _buffer: Panel
    _before: History
    _model: PanelModel
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
        timestamps = self._buffer.coming(n_rows)
        if not self.future_covariates:
            return {name: pd.DataFrame(index=index) for name, index in timestamps.items()}
        if X is None:
            raise ValueError(
                f"X is missing: give a table with the columns {list(self.future_covariates)} of "
                f"the next {steps} rows."
            )
        given = read_panel(None, X, self.series, self.time, None, self._buffer.by_levels)
        future: dict[Hashable, pd.DataFrame] = {}
        lacking = [name for name in self.future_covariates if name not in given.covariates]
        if lacking:
            raise ValueError(f"X lacks the columns {lacking}: it has {given.covariates}.")
        for name, index in timestamps.items():
            table = given.tables.get(name, pd.DataFrame(columns=list(self.future_covariates)))
            late = index[:steps].difference(table.index)
            if len(late):
                raise ValueError(f"X lacks the row {late[0]} of {series_in_words(name)}.")
            known = table[list(self.future_covariates)].reindex(index)
            rows, columns = np.nonzero(known[:steps].isna())
            if len(rows):
                raise ValueError(
                    f"X has no value of {known.columns[columns[0]]!r} at {index[rows[0]]} of "
                    f"{series_in_words(name)}: impute it."
                )
            future[name] = known.ffill()
        return future

    def _forecast(self, steps: int, future: dict[Hashable, pd.DataFrame]) -> Forecasts:
        """Forecast rows of all series; those beyond the parameter `steps` feed forecasts back."""
        rows, blocks = stack(self._buffer), []
        columns = [*self.targets_, *self._covariates]
        tables = [table.reindex(columns=columns).to_numpy(float) for table in future.values()]
        coming = np.array(tables).reshape(len(tables), -1, len(columns))
        for first in range(0, steps, self.steps):
            block = coming[:, first : first + self.steps]
            windows = self._newest(rows.followed_by(block), rows)
            blocks.append(self._model.forecasts(windows))
            block[:, :, : rows.n_targets] = blocks[-1].point
            rows = rows.followed_by(block)
        return Forecasts(*(np.hstack(parts)[:, :steps] for parts in zip(*blocks, strict=True)))

    def _newest(self, longer: SeriesRows, rows: SeriesRows) -> Windows:
        """The windows of the last rows, which hold future covariates of the next ones."""
        windows = self._model.windows(longer, self._before, least=1)
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


def series_in_words(name: Hashable) -> str:
    """Name a series in a message."""
    return "y" if name is None else f"series {name!r}"
