"""Forecasts from many origins of the past, beside actual values and naive forecasts."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_consistent_length

from sklstm._data.arrays import plain
from sklstm._data.frames import lay_out
from sklstm._data.sklearn_private import (
    Interval,
    RealNotInt,
    _safe_indexing,
    validate_parameter_constraints,
)
from sklstm._estimators.forecaster import SequenceForecaster
from sklstm._estimators.window_regression import Forecasts
from sklstm._tables.panel import read_panel
from sklstm._tables.windower import SequenceWindower

__all__ = ["backtest", "backtest_scores"]

CONSTRAINTS: dict = {
    "initial_train_size": [
        Interval(RealNotInt, 0, 1, closed="neither"),
        Interval(Integral, 1, None, closed="left"),
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
    initial_train_size: float | int = 0.8,
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
    initial_train_size : float or int, default=0.8
        Rows of each series to train on: a share, or a number.
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
        parts = _of_forecaster(clone(model), y, X, initial_train_size, stride, coverage)
    else:
        if coverage is not None:
            raise ValueError(
                f"{type(model).__name__} has no prediction intervals: use a "
                "SequenceForecaster, or coverage=None."
            )
        parts = _of_pipeline(clone(model), y, X, initial_train_size, stride)
    tables = [part.tidy(season, coverage) for part in parts]
    result = pd.concat(tables, ignore_index=True)
    if not len(result):
        raise ValueError(
            f"initial_train_size={initial_train_size} leaves no row to forecast of {len(y)}."
        )
    return result


class _SeriesForecasts(NamedTuple):
    """Forecasts of one series, and its actual values.

    Attributes
    ----------
    name : hashable
        Name of the series; None if there is only one.
    timestamps : Index of length n_rows
        Its timestamps.
    y : ndarray of shape (n_rows, n_targets)
        Actual values.
    targets : list
        Names of the targets.
    n_first : int
        Rows of the training part.
    place : ndarray of int, shape (n_origins,)
        Last known row of each forecast origin.
    step : ndarray of int, shape (n_steps,)
        Steps that are forecast, from 1.
    point : ndarray of shape (n_origins, n_steps, n_targets)
        Forecasts.
    sides : tuple of two ndarray of that shape, or None
        Lower and upper ends of the prediction intervals.
    """

    name: Hashable
    timestamps: pd.Index
    y: np.ndarray
    targets: list
    n_first: int
    place: np.ndarray
    step: np.ndarray
    point: np.ndarray
    sides: tuple[np.ndarray, np.ndarray] | None = None

    def tidy(self, season: int | None, coverage: float | None) -> pd.DataFrame:
        """Make a row of each forecast whose actual value is known."""
        place, step, y, shape = self.place, self.step, self.y, self.point.shape
        ahead = place[:, None] + step
        inside = ahead < len(y)
        ahead = np.where(inside, ahead, 0)
        columns = {
            "actual": np.where(inside[..., None], y[ahead], np.nan),
            "forecast": self.point,
            "naive": np.broadcast_to(y[place][:, None], shape),
        }
        if season is not None:
            back = season * -(-step // season)
            columns["seasonal_naive"] = y[place[:, None] + step - back]
        if self.sides is not None:
            columns |= dict(zip(("lower", "upper"), self.sides, strict=True))
        lag = season or 1
        if lag >= self.n_first:
            raise ValueError(
                f"season={season} is not shorter than the training part, {self.n_first} rows: "
                "choose a larger initial_train_size."
            )
        changes = np.abs(y[lag : self.n_first] - y[: self.n_first - lag])
        rows = {
            "series": np.full(self.point.size, self.name, dtype=object),
            "origin": self.timestamps[np.repeat(place, shape[1] * shape[2])],
            "timestamp": self.timestamps[np.repeat(ahead, shape[2])],
            "step": np.broadcast_to(step[None, :, None], shape).ravel(),
            "target": np.tile(np.array(self.targets, dtype=object), len(place) * len(step)),
        }
        rows |= {key: values.ravel() for key, values in columns.items()}
        rows["scale"] = np.broadcast_to(np.nanmean(changes, axis=0), shape).ravel()
        if self.sides is not None:
            rows["nominal"] = np.full(self.point.size, coverage)
        result = pd.DataFrame(rows).dropna(subset="actual", ignore_index=True)
        return result.drop(columns="series") if self.name is None else result


def _of_forecaster(
    model: SequenceForecaster,
    y: Any,
    X: Any,
    initial_train_size: float | int,
    stride: int,
    coverage: float | None,
) -> Iterator[_SeriesForecasts]:
    whole = read_panel(y, X, model.series, model.time).regular()
    n_first = {
        name: _n_first(initial_train_size, len(table)) for name, table in whole.tables.items()
    }
    first = whole._replace(tables={n: t[: n_first[n]] for n, t in whole.tables.items()})
    fitted = model._fit_panel(first)
    windows = fitted._windows(whole)
    begin = np.array([n_first[name] for name in windows.names])[windows.code] - 1
    reach = 0 if coverage is None else fitted.steps - 1  # earlier origins, not yet observed
    windows = windows.take(windows.whole() & (windows.place >= begin - reach))
    predicted = fitted._forecasts(windows)
    scores = predicted.scores(windows.ahead)
    for code, name in enumerate(windows.names):
        first_place = n_first[name] - 1
        shown = (windows.code == code) & (windows.place >= first_place)
        shown &= (windows.place - first_place) % stride == 0
        mine = windows.take(shown)
        forecasts, sides = Forecasts(*(part[shown] for part in predicted)), None
        if coverage is not None:
            width = fitted._width(name, coverage, fitted.steps)[None]
            if name in fitted._intervals:
                arrived = windows.by_row(scores, code, n_first[name])
                widths = fitted._intervals[name].update(arrived, coverage)[1]
                width = widths[mine.place - first_place]
            lower, upper = forecasts.sides(width)
            sides = mine.in_units(lower), mine.in_units(upper)
        table, step = whole.tables[name], np.arange(1, fitted.steps + 1)
        values = table[fitted.targets_].to_numpy(float)
        actual = name, table.index, values, fitted.targets_, n_first[name]
        yield _SeriesForecasts(*actual, mine.place, step, mine.in_units(forecasts.point), sides)


def _of_pipeline(
    model: Any, y: Any, X: Any, initial_train_size: float | int, stride: int
) -> Iterator[_SeriesForecasts]:
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
    layout = None
    if isinstance(X, pd.DataFrame):
        layout = lay_out(X, windowers[0].series, windowers[0].time)
    keys = np.zeros(len(y)) if layout is None or layout.keys is None else layout.keys
    codes, names = pd.factorize(keys)
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    n_first = np.array([_n_first(initial_train_size, size) for size in np.bincount(codes)])
    rows = np.flatnonzero(place < n_first[codes])
    model.fit(_safe_indexing(X, rows), _safe_indexing(y, rows))
    predicted = np.asarray(model.predict(X), dtype=float).reshape(len(y), -1)
    values = np.asarray(y, dtype=float).reshape(len(y), -1)
    targets = list(y.columns) if isinstance(y, pd.DataFrame) else [getattr(y, "name", None) or "y"]
    times = None if layout is None else layout.times
    timestamps = pd.RangeIndex(len(y)) if times is None else pd.Index(times)
    for code, name in enumerate(names):
        of_series = codes == code
        origins = np.arange(n_first[code] - 1, of_series.sum() - horizon, stride)
        yield _SeriesForecasts(
            None if len(names) == 1 else name,
            timestamps[of_series],
            values[of_series],
            targets,
            n_first[code],
            origins,
            np.array([horizon]),
            predicted[of_series][origins + horizon][:, None],
        )


def _n_first(initial_train_size: float | int, n_rows: int) -> int:
    n_first = (
        round(initial_train_size * n_rows)
        if isinstance(initial_train_size, float)
        else initial_train_size
    )
    if not 0 < n_first < n_rows:
        lack = "forecast" if n_first else "train on"
        raise ValueError(
            f"initial_train_size={initial_train_size} leaves no row to {lack}, of {n_rows}."
        )
    return n_first


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
