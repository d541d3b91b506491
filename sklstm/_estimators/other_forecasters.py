"""Forecasts of a backtest by other means: pipelines of a windower, and functions of past rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_consistent_length

from sklstm._data.arrays import plain
from sklstm._data.frames import Layout, Rows
from sklstm._data.inputs import lay_out_any
from sklstm._data.sklearn_private import _safe_indexing
from sklstm._estimators.backtest_table import Forecasted, History, joined
from sklstm._estimators.refits import Refits, spans_of_fits
from sklstm._tables.frequency import Frequency
from sklstm._tables.panel import Panel, places_of, time_numbers
from sklstm._tables.regular_rows import series_in_words
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.target_columns import names_of
from sklstm._tables.windower import SequenceWindower

__all__ = ["forecasts_of_function", "forecasts_of_pipeline"]


def forecasts_of_function(
    function: Callable, panel: Panel, history: History, steps: int, stride: int, rolling: bool
) -> Forecasted:
    """Call a function at each origin with the rows of one series up to it."""
    rows, origin = history.rows, history.origins()
    n_first = len(np.unique(rows.time[rows.time < history.cutoff]))
    followed = rows.place + 1 < rows.sizes[rows.code]
    ends = np.flatnonzero((origin >= 0) & (origin % stride == 0) & followed)
    columns = [*panel.targets, *panel.covariates]
    table = pd.DataFrame(rows.values, panel.timestamps, columns)
    past_of = table if len(columns) > 1 else table[columns[0]]
    point = np.empty((len(ends), steps, rows.n_targets))
    for k, end in enumerate(ends.tolist()):
        begin = rows.starts[rows.code[end]]
        begin = max(begin, end + 1 - n_first) if rolling else begin
        past = past_of.iloc[begin : end + 1]
        forecast = np.asarray(plain(function(past, steps)), dtype=float)
        if forecast.size != point[k].size:
            raise ValueError(
                f"The function returns a forecast of the shape {forecast.shape} from the origin "
                f"{past.index[-1]} of {series_in_words(rows.names[rows.code[end]])}, and {steps} "
                f"steps of {rows.n_targets} targets were expected."
            )
        point[k] = forecast.reshape(point[k].shape)
    return Forecasted(ends, np.arange(1, steps + 1), point, {})


def forecasts_of_pipeline(
    model: Any, y: Any, X: Any, initial_train_size: Any, refits: Refits, stride: int
) -> tuple[History, Forecasted]:
    """Forecasts of a pipeline at its horizon, whose windower reads the whole table."""
    windower, horizon = _windower_of(model)
    X = (y.to_frame() if isinstance(y, pd.Series) else y) if X is None else X
    y = plain(y)
    check_consistent_length(X, y)
    X, history, at = _read(X, y, windower, initial_train_size)
    rows, origin = history.rows, history.origins()
    shown = (origin >= 0) & (origin % stride == 0)
    shown &= rows.place + horizon < rows.sizes[rows.code]
    predicted = np.full(rows.y.shape, np.nan)
    parts: list[Forecasted] = []
    for span in spans_of_fits(history, refits, stride):
        mine = np.flatnonzero(shown & span.origins(rows.time))
        known = np.flatnonzero(span.training(rows.time[at]))
        model = model if refits.warm else clone(model)
        model.fit(_safe_indexing(X, known), _safe_indexing(y, known))
        predicted[at] = np.asarray(model.predict(X), dtype=float).reshape(len(y), -1)
        parts.append(Forecasted(mine, np.array([horizon]), predicted[mine + horizon][:, None], {}))
    return history, joined(parts)


def _windower_of(model: Any) -> tuple[SequenceWindower, int]:
    """The windower of a pipeline that forecasts, and how far ahead."""
    steps = [step for _, step in getattr(model, "steps", [])]
    windowers = [step for step in steps if isinstance(step, SequenceWindower)]
    horizon = sum(step.horizon for step in windowers)
    if not horizon:
        raise ValueError(
            f"{type(model).__name__} does not forecast: give a SequenceForecaster, a function of "
            "past rows and steps, or a Pipeline with a SequenceWindower whose horizon is at least "
            "1 (of a search its best_estimator_)."
        )
    return windowers[0], horizon


def _read(
    X: Any, y: Any, windower: SequenceWindower, initial_train_size: Any
) -> tuple[Any, History, np.ndarray]:
    """The table, its rows series after series, and which of these each row of the table is."""
    X, layout = lay_out_any(X, windower.series, windower.time)
    keys = np.zeros(len(y)) if layout.keys is None else layout.keys
    codes, names = pd.factorize(keys)
    order = np.argsort(codes, kind="stable")
    times = layout.times
    timestamps = pd.RangeIndex(len(y)) if times is None else pd.Index(times)
    if times is None and len(names) > 1:
        timestamps = pd.Index(pd.Series(codes).groupby(codes).cumcount().to_numpy())
    values = np.asarray(y, dtype=float).reshape(len(y), -1)
    rows = SeriesRows(
        values[order],
        values.shape[1],
        np.bincount(codes),
        time_numbers(timestamps)[order],
        [None] if len(names) == 1 else list(names),
    )
    targets = list(y.columns) if isinstance(y, pd.DataFrame) else [getattr(y, "name", None) or "y"]
    given = Panel(rows, timestamps[order], targets, [], [])
    panel = given.regular() if _counts_time(codes, layout) else given
    about = panel.rows, panel.timestamps, targets, names_of(windower.series)
    at = np.empty(len(y), dtype=int)
    at[order] = places_of(panel.rows.code, panel.rows.time, rows.code, rows.time)
    return X, History.before(initial_train_size, *about), at


def _counts_time(codes: np.ndarray, layout: Layout) -> bool:
    """Whether a windower counts its horizon in time, so that missing rows count; else in rows."""
    if layout.timestamps is None:
        return False
    frequency = Frequency.learn(Rows.arrange(codes, layout.timestamps), layout)
    return not frequency.of_table and not np.isnan(frequency.step).any()
