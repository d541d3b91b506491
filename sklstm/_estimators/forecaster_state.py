"""The state of a forecaster as arrays, numbers and texts, for files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.frames import index_from_plain, index_to_plain
from sklstm._estimators.intervals import Intervals
from sklstm._estimators.residual_paths import ResidualPaths
from sklstm._estimators.window_regression import PanelModel, WindowShape
from sklstm._tables.calendar import Calendar, periods_of
from sklstm._tables.frequency import Frequency
from sklstm._tables.panel import Panel
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.target_transform import TargetTransform
from sklstm._tables.window_units import History, PanelUnit, Spreads, Unit

__all__ = ["state_from_plain", "state_to_plain"]


def state_to_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Convert the attributes of a fitted forecaster; others are returned as they are."""
    if "_model" not in state:
        return state
    model, intervals = state["_model"], state["_intervals"]
    unit = (tuple(model.unit.unit), tuple(model.unit.spreads), *model.unit[2:])
    return (
        state
        | {
            "_model": [unit, tuple(model.shape), *model[3:]],  # the estimator is an attribute, too
            "_intervals": None if intervals is None else (*intervals[:-1], tuple(intervals.paths)),
            "_transform": tuple(state["_transform"]),
            "_before": tuple(state["_before"]),
            "_buffer": _panel_to_plain(state["_buffer"]),
        }
    )


def state_from_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Restore what `state_to_plain` has made."""
    if "_model" not in state:
        return state
    (unit, spreads, *numbers), shape, *rest = state["_model"]
    of_panel = PanelUnit(Unit(*unit), Spreads(*spreads), *numbers)
    intervals = state["_intervals"]
    if intervals is not None:
        intervals = Intervals._make([*intervals[:-1], ResidualPaths(*intervals[-1])])
    return state | {
        "_model": PanelModel(state["estimator_"], of_panel, WindowShape(*shape), *rest),
        "_intervals": intervals,
        "_transform": TargetTransform(*state["_transform"]),
        "_before": History(*state["_before"]),
        "_buffer": _panel_from_plain(state["_buffer"]),
    }


def _panel_to_plain(panel: Panel) -> list:
    rows, calendars = panel.rows, {id(one): one for one in panel.calendars}
    position = {key: k for k, key in enumerate(calendars)}
    plain = [(one.frequency.to_plain(), *one[1:]) for one in calendars.values()]
    names = None if rows.names == [None] else index_to_plain(pd.Index(rows.names))
    parts = rows.values, rows.n_targets, rows.sizes, rows.time, names, rows.categories
    of_series = [position[id(one)] for one in panel.calendars]
    timestamps = _index_to_plain(panel.timestamps)
    return [parts, timestamps, panel.targets, panel.covariates, plain, of_series]


def _panel_from_plain(plain: list) -> Panel:
    (values, n_targets, sizes, time, names, kinds), timestamps, targets, covariates, *rest = plain
    calendars, of_series = rest
    found = [Calendar(Frequency.from_plain(of), *rule) for of, *rule in calendars]
    names = [None] if names is None else list(index_from_plain(names))
    rows = SeriesRows(values, n_targets, sizes, time, names, kinds)
    index = _index_from_plain(*timestamps)
    return Panel(rows, index, targets, covariates, [found[k] for k in of_series])


def _index_to_plain(index: pd.Index) -> tuple:
    if isinstance(index, pd.PeriodIndex):
        return "periods", index.freqstr, index.asi8, index.name
    [(dtype, values)] = index_to_plain(index)
    return "index", dtype, values, index.name


def _index_from_plain(kind: str, dtype: str, values: np.ndarray, name: Any) -> pd.Index:
    if kind == "periods":
        return periods_of(np.asarray(values), dtype, name)
    return index_from_plain([(dtype, values)]).rename(name)
