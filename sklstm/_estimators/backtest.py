"""Forecasts from many origins of the past, beside actual values and naive forecasts."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_consistent_length

from sklstm._data.arrays import plain
from sklstm._data.inputs import lay_out_any
from sklstm._data.sklearn_private import (
    HasMethods,
    Interval,
    RealNotInt,
    _safe_indexing,
    validate_parameter_constraints,
)
from sklstm._estimators.forecaster import SequenceForecaster
from sklstm._tables.calendar_columns import with_calendar
from sklstm._tables.panel import read_panel, time_numbers
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.windower import SequenceWindower

__all__ = ["backtest", "backtest_scores"]

CONSTRAINTS: dict = {
    "initial_train_size": [
        Interval(RealNotInt, 0, 1, closed="neither"),
        Interval(Integral, 1, None, closed="left"),
        str,
        HasMethods(["strftime"]),
    ],
    "stride": [Interval(Integral, 1, None, closed="left")],
    "season": [Interval(Integral, 1, None, closed="left"), None],
    "coverage": [Interval(Real, 0, 1, closed="neither"), None],
}
MODELS = {"forecast": "forecaster", "naive": "naive", "seasonal_naive": "seasonal naive"}


def backtest(
    model: SequenceForecaster | BaseEstimator,
    y: Any,
    X: Any = None,
    *,
    initial_train_size: Any = 0.8,
    stride: int = 1,
    season: int | None = None,
    coverage: float | None = None,
) -> pd.DataFrame:
    """Fit on the first rows, then forecast from one origin after another.

    As if the model had been in use from then on: each forecast reads what was known at its origin.
    The table has actual values and naive forecasts beside it.

    Parameters
    ----------
    model : SequenceForecaster or Pipeline
        A clone of it is fitted once, without refits; later origins only bring newer rows. A
        Pipeline has a :class:`SequenceWindower` whose `horizon` is the step that is forecast.
    y, X : as in `SequenceForecaster.fit`
        The past. For a Pipeline what its `fit` takes, rows in time order.
    initial_train_size : float, int, date or str, default=0.8
        The rows to train on: a share of them, a number of timestamps, or the date of the first
        forecast. A panel has one cutoff: all rows before it, of all series.
    stride : int, default=1
        Rows from one origin to the next.
    season : int, default=None
        Rows of a season, for the seasonal naive forecast, which repeats the last one.
    coverage : float, default=None
        Nominal coverage of prediction intervals: those of `predict_interval`, with an `update` a
        row. `None`: no intervals. A Pipeline has none.

    Returns
    -------
    DataFrame
        A row for each series, origin, step and target: ``series``, ``origin``, ``timestamp``,
        ``step``, ``target``, ``actual``, ``forecast``, ``naive``, ``seasonal_naive``, ``lower``,
        ``upper`` and their ``nominal`` coverage. ``scale`` is the mean absolute change of the rows
        of the training part, over a season if there is one.

    Raises
    ------
    ValueError
        If no row is left to forecast, or a Pipeline does not forecast.

    See Also
    --------
    backtest_scores : Errors and coverage from the table.
    TimestampSplit : Refit for each fold, in a cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import SequenceForecaster, backtest, backtest_scores
    >>> hours = pd.date_range("2024-01-01", periods=400, freq="h")
    >>> y = pd.Series(np.sin(np.arange(400) * 2 * np.pi / 24), hours)
    >>> table = backtest(SequenceForecaster(window_size=24, steps=3), y)
    >>> backtest_scores(table).loc["naive", "MAE"].round(2)
    np.float64(0.34)
    """
    settings = {
        "initial_train_size": initial_train_size,
        "stride": stride,
        "season": season,
        "coverage": coverage,
    }
    validate_parameter_constraints(CONSTRAINTS, settings, caller_name="backtest")
    if isinstance(model, SequenceForecaster):
        forecasts = _of_forecaster(clone(model), y, X, initial_train_size, stride, coverage)
    else:
        if coverage is not None:
            raise ValueError(
                f"{type(model).__name__} has no prediction intervals: use a "
                "SequenceForecaster, or coverage=None."
            )
        forecasts = _of_pipeline(clone(model), y, X, initial_train_size, stride)
    result = forecasts.tidy(season, coverage)
    if not len(result):
        raise ValueError(
            f"initial_train_size={initial_train_size} leaves no row to forecast of {len(y)}."
        )
    return result


class _Backtest(NamedTuple):
    """Forecasts of all series from origins of the past.

    Attributes
    ----------
    rows : SeriesRows
        Actual values.
    timestamps : Index of length n_rows
        Timestamps of the rows.
    targets : list
        Names of the targets.
    cutoff : float
        Time at which the training part ends.
    ends : ndarray of int, shape (n_origins,)
        Row of each forecast origin.
    step : ndarray of int, shape (n_steps,)
        Steps that are forecast, from 1.
    point : ndarray of shape (n_origins, n_steps, n_targets)
        Forecasts.
    sides : tuple of two ndarray of that shape, or None
        Lower and upper ends of the prediction intervals.
    """

    rows: SeriesRows
    timestamps: pd.Index
    targets: list
    cutoff: float
    ends: np.ndarray
    step: np.ndarray
    point: np.ndarray
    sides: tuple[np.ndarray, np.ndarray] | None = None

    def tidy(self, season: int | None, coverage: float | None) -> pd.DataFrame:
        """Make a row of each forecast whose actual value is known."""
        rows, ends, step, shape = self.rows, self.ends, self.step, self.point.shape
        n_trained = np.bincount(rows.code[rows.time < self.cutoff]).max(initial=0)
        if season is not None and season >= n_trained:
            raise ValueError(
                f"season={season} is not shorter than the training part, {n_trained} rows: "
                "choose a larger initial_train_size."
            )
        ahead = ends[:, None] + step
        first, last = (part[rows.code[ends], None] for part in (rows.starts, rows.ends - 1))
        inside = ahead <= last
        ahead = np.where(inside, ahead, 0)
        columns = {
            "actual": np.where(inside[..., None], rows.y[ahead], np.nan),
            "forecast": self.point,
            "naive": np.broadcast_to(rows.y[ends][:, None], shape),
        }
        if season is not None:
            before = ends[:, None] + step - season * -(-step // season)
            known = np.where((before >= first)[..., None], rows.y[np.maximum(before, 0)], np.nan)
            columns["seasonal_naive"] = known
        if self.sides is not None:
            columns |= dict(zip(("lower", "upper"), self.sides, strict=True))
        names = np.empty(len(rows.names), dtype=object)
        names[:] = rows.names
        each = shape[1] * shape[2]
        scale = rows.naive_errors(season or 1, self.cutoff)[rows.code[ends]]
        table = {
            "series": np.repeat(names[rows.code[ends]], each),
            "origin": self.timestamps[np.repeat(ends, each)],
            "timestamp": self.timestamps[np.repeat(ahead, shape[2])],
            "step": np.broadcast_to(step[None, :, None], shape).ravel(),
            "target": np.tile(np.array(self.targets, dtype=object), len(ends) * len(step)),
        }
        table |= {key: values.ravel() for key, values in columns.items()}
        table["scale"] = np.broadcast_to(scale[:, None], shape).ravel()
        if self.sides is not None:
            table["nominal"] = np.full(self.point.size, coverage)
        result = pd.DataFrame(table).dropna(subset="actual", ignore_index=True)
        return result.drop(columns="series") if rows.names == [None] else result


def _of_forecaster(
    model: SequenceForecaster,
    y: Any,
    X: Any,
    initial_train_size: Any,
    stride: int,
    coverage: float | None,
) -> _Backtest:
    kinds = model.categorical_features
    whole = read_panel(y, X, model.series, model.time, categories=kinds).regular()
    given, timestamps = whole.rows, whole.timestamps
    cutoff = _cutoff(initial_train_size, given, timestamps)
    fitted = model._fit_panel(whole.take(given.time < cutoff))
    transform = fitted._transform
    rows = transform.applied(with_calendar(whole, fitted.calendar_)).rows
    rows = rows.recoded(fitted._buffer.rows.categories)
    n_first = np.bincount(rows.code[rows.time < cutoff], minlength=len(rows.sizes))
    windows = fitted._model.windows(rows)
    origin = rows.place[windows.ends] - (n_first[windows.code] - 1)
    reach = 0 if coverage is None else fitted.steps - 1  # earlier origins, not yet observed
    windows, origin = windows.take(origin >= -reach), origin[origin >= -reach]
    predicted = fitted._model.forecasts(windows)
    shown = (origin >= 0) & (origin % stride == 0)
    forecasts, ends, sides = predicted.take(shown), windows.ends[shown], None
    if coverage is not None:
        width = fitted._width(coverage, np.zeros(1, dtype=int))
        if fitted._intervals is not None:
            scores = windows.by_row(predicted.scores(windows.actual()))
            width = _widths(fitted, rows, scores, cutoff, ends, coverage)
        sides = transform.interval(forecasts.point, *forecasts.sides(width))
    step, point = np.arange(1, fitted.steps + 1), transform.inverse(forecasts.point)
    return _Backtest(given, timestamps, fitted.targets_, cutoff, ends, step, point, sides)


def _widths(
    fitted: SequenceForecaster,
    rows: SeriesRows,
    scores: np.ndarray,
    cutoff: float,
    ends: np.ndarray,
    coverage: float,
) -> np.ndarray:
    """Half widths at each origin, as if an `update` had brought each row."""
    intervals = fitted._intervals
    assert intervals is not None
    code = fitted._buffer.rows.find(rows.names)[rows.code]
    later = np.flatnonzero(rows.time >= cutoff)
    turns = np.unique(rows.time[later])
    turn = np.searchsorted(turns, rows.time)
    path = intervals.adapted(scores[later], code[later], turn[later])
    n_arrived = np.where(rows.time[ends] >= cutoff, turn[ends] + 1, 0)
    return intervals.width_after(path, coverage, code[ends], n_arrived)


def _of_pipeline(model: Any, y: Any, X: Any, initial_train_size: Any, stride: int) -> _Backtest:
    steps = [step for _, step in getattr(model, "steps", [])]
    windowers = [step for step in steps if isinstance(step, SequenceWindower)]
    horizon = sum(step.horizon for step in windowers)
    if not horizon:
        raise ValueError(
            f"{type(model).__name__} does not forecast: give a SequenceForecaster, or a Pipeline "
            "with a SequenceWindower whose horizon is at least 1 (of a search its best_estimator_)."
        )
    X = (y.to_frame() if isinstance(y, pd.Series) else y) if X is None else X
    y = plain(y)
    check_consistent_length(X, y)
    X, layout = lay_out_any(X, windowers[0].series, windowers[0].time)
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
    cutoff = _cutoff(initial_train_size, rows, timestamps[order])
    first = np.sort(order[rows.time < cutoff])
    model.fit(_safe_indexing(X, first), _safe_indexing(y, first))
    predicted = np.asarray(model.predict(X), dtype=float).reshape(len(y), -1)[order]
    targets = list(y.columns) if isinstance(y, pd.DataFrame) else [getattr(y, "name", None) or "y"]
    n_first = np.bincount(rows.code[rows.time < cutoff], minlength=len(rows.sizes))
    origin = rows.place - (n_first[rows.code] - 1)
    ends = (origin >= 0) & (origin % stride == 0) & (rows.place + horizon < rows.sizes[rows.code])
    ends = np.flatnonzero(ends)
    point = predicted[ends + horizon][:, None]
    return _Backtest(rows, timestamps[order], targets, cutoff, ends, np.array([horizon]), point)


def _cutoff(initial_train_size: Any, rows: SeriesRows, timestamps: pd.Index) -> float:
    """Time of the first row to forecast, the same in all series."""
    if isinstance(initial_train_size, Real):
        dates = np.sort(rows.time)
        if isinstance(initial_train_size, Integral):
            dates, place = np.unique(dates), int(initial_train_size)
        else:
            place = round(float(initial_train_size) * len(dates))
    else:
        dates = np.sort(rows.time)
        place = int((timestamps < initial_train_size).sum())
    if not 0 < place < len(dates):
        lack = "forecast" if place else "train on"
        raise ValueError(
            f"initial_train_size={initial_train_size} leaves no row to {lack}, of {len(dates)}."
        )
    return dates[place].item()


def backtest_scores(table: pd.DataFrame, by: str | list[str] | None = None) -> pd.DataFrame:
    """Compute errors of a backtest, and the coverage of prediction intervals.

    Lower errors are better. A model is of use if its errors are below those of the naive and the
    seasonal naive forecast. A MASE below 1 means smaller errors than those of the naive forecast,
    one step ahead (the seasonal naive one with `season`), on the training part.

    Parameters
    ----------
    table : DataFrame
        From `backtest`.
    by : str or list of str, default=None
        Columns to group by, such as ``"step"`` or ``"series"``.

    Returns
    -------
    DataFrame
        A row for the forecaster and each naive forecast: mean absolute error, root mean squared
        error, mean absolute scaled error (Hyndman and Koehler, "Another look at measures of
        forecast accuracy", 2006). With prediction intervals also their coverage, mean width and
        mean pinball loss at both sides (Koenker and Bassett, "Regression Quantiles", 1978).

    See Also
    --------
    backtest : Makes the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklstm import SequenceForecaster, backtest, backtest_scores
    >>> sold = pd.Series(range(60), pd.date_range("2024-01-01", periods=60), name="sold")
    >>> table = backtest(SequenceForecaster(LinearRegression(), 5, steps=2), sold)
    >>> backtest_scores(table, by="step").loc[(2, "naive"), "MAE"]
    np.float64(2.0)
    """
    groups = [((), table)] if by is None else table.groupby(by, sort=True)
    rows = []
    for key, part in groups:
        for column, model in MODELS.items():
            if column not in part:
                continue
            missed = part["actual"] - part[column]
            scores = {
                "MAE": missed.abs().mean(),
                "RMSE": np.sqrt((missed**2).mean()),
                "MASE": (missed.abs() / part["scale"]).mean(),
            }
            if "lower" in part and column == "forecast":
                scores |= _interval_scores(part)
            keys = key if isinstance(key, tuple) else (key,)
            rows.append((*keys, model, scores))
    names = [*([] if by is None else [by] if isinstance(by, str) else by), "model"]
    index: pd.Index = pd.MultiIndex.from_tuples([row[:-1] for row in rows], names=names)
    index = index.get_level_values(0) if by is None else index
    return pd.DataFrame([row[-1] for row in rows], index=index)


def _interval_scores(part: pd.DataFrame) -> dict[str, float]:
    tail = (1 - part["nominal"]) / 2
    pinball = [
        np.maximum(level * missed, (level - 1) * missed).mean()
        for level, missed in (
            (tail, part["actual"] - part["lower"]),
            (1 - tail, part["actual"] - part["upper"]),
        )
    ]
    return {
        "coverage": part["actual"].between(part["lower"], part["upper"]).mean(),
        "width": (part["upper"] - part["lower"]).mean(),
        "pinball": float(np.mean(pinball)),
    }
