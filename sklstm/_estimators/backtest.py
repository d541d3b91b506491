"""Forecasts from many origins of the past, beside actual values and naive forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import pandas as pd
from sklearn.base import BaseEstimator, clone

from sklstm._data.sklearn_private import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklstm._estimators.backtest_table import History
from sklstm._estimators.forecast_scores import MODELS, OTHER
from sklstm._estimators.forecaster import SequenceForecaster
from sklstm._estimators.other_forecasters import forecasts_of_function, forecasts_of_pipeline
from sklstm._estimators.refits import Refits, rolling_forecasts
from sklstm._tables.panel import Panel, read_panel
from sklstm._tables.target_columns import names_of

__all__ = ["backtest"]

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
    "refit": [Interval(Integral, 1, None, closed="left"), None],
    "window": [StrOptions({"expanding", "rolling"})],
    "warm": ["boolean"],
    "steps": [Interval(Integral, 1, None, closed="left"), None],
    "others": [dict, None],
}


def backtest(
    model: SequenceForecaster | BaseEstimator | Callable,
    y: Any,
    X: Any = None,
    *,
    initial_train_size: Any = 0.8,
    stride: int = 1,
    season: int | None = None,
    coverage: float | None = None,
    refit: int | None = None,
    window: str = "expanding",
    warm: bool = True,
    steps: int | None = None,
    others: Mapping[str, SequenceForecaster | Callable] | None = None,
) -> pd.DataFrame:
    """Fit on the first rows, then forecast from one origin after another.

    As if the model had been in use from then on: each forecast reads what was known at its origin.
    The table has actual values and naive forecasts beside it.

    Parameters
    ----------
    model : SequenceForecaster, Pipeline or function
        A clone of it is fitted; later origins only bring newer rows, until a refit. A Pipeline has
        a :class:`SequenceWindower` whose `horizon` is the step that is forecast. A function
        ``(past, steps)`` is any other forecaster: at each origin it gets the rows of one series up
        to there, a Series, or with several targets or with X a DataFrame, and returns the next
        `steps` values of the target, or rows of the targets.
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
        row. `None`: no intervals. Pipelines and functions have none.
    refit : int, default=None
        Fit again after so many origins, on the rows up to there. `None`: never.
    window : {"expanding", "rolling"}, default="expanding"
        Whether a refit trains on all rows so far, or on as many timestamps as the first fit. A
        function gets the same rows, without `refit` too.
    warm : bool, default=True
        Whether an :class:`LSTMRegressor` inside a forecaster starts a refit from its weights, for a
        quarter of the epochs of the first fit and without a new calibration, so that it costs about
        a quarter. Where another `local_scaling_` now has less than half of the error, as after a
        level shift, the refit is a new fit; other regressors are always fitted anew. Of a Pipeline
        those steps go on that have ``warm_start=True``.
    steps : int, default=None
        Rows that a function forecasts; a forecaster has its own.
    others : dict of SequenceForecaster or function, default=None
        More forecasters by name, which forecast as many steps of the same rows: each has a column
        ``"forecast NAME"``, and a row in `backtest_scores`.

    Returns
    -------
    DataFrame
        A row for each series, origin, step and target: ``series``, and the own columns of its name,
        ``origin``, ``timestamp``, ``step``, ``target``, ``actual`` (NaN where it is missing),
        ``forecast``, ``naive``, ``seasonal_naive``, ``lower``, ``upper`` and their ``nominal``
        coverage. ``scale`` is the mean absolute change of the rows of the first training part, over
        a season if there is one; NaN if they are constant, or repeat exactly.

    Raises
    ------
    ValueError
        If no row is left to forecast, a Pipeline does not forecast, a function returns another
        number of values, or a name in `others` is that of another row of the scores.

    See Also
    --------
    backtest_scores : Errors and coverage from the table.
    SequenceForecaster.score : One number, for searches.

    Notes
    -----
    There are no weights of rows: a row is an input of many windows, and a target of others at each
    step. To weigh rows in the scores, group by columns of your own in `backtest_scores`.

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

    A function, and a ridge regression that is fitted again every 20 origins:

    >>> from sklearn.linear_model import Ridge
    >>> def mean_of_a_day(past, steps):
    ...     return [past.iloc[-24:].mean()] * steps
    >>> ridge = SequenceForecaster(Ridge(), window_size=24, steps=3)
    >>> table = backtest(ridge, y, refit=20, others={"mean": mean_of_a_day})
    >>> backtest_scores(table).index.tolist()
    ['forecaster', 'naive', 'mean']
    """
    settings = {name: value for name, value in locals().items() if name in CONSTRAINTS}
    validate_parameter_constraints(CONSTRAINTS, settings, caller_name="backtest")
    _check_names(others or {})
    _check_is_rolled(window, refit, [model, *(others or {}).values()])
    refits = Refits(refit, window == "rolling", warm)
    if _is_function(model) or isinstance(model, SequenceForecaster):
        source = _Source.read(model, y, X, initial_train_size)
        source.history.check_season(season)
        steps = _steps_of(model, steps)
        table = source.table(model, refits, stride, steps, season, coverage)
        for name, other in (others or {}).items():
            found = source.table(other, refits, stride, _steps_of(other, steps), season)
            keys = [key for key in ("series", "origin", "step", "target") if key in table]
            found = found[[*keys, "forecast"]].rename(columns={"forecast": OTHER + name})
            table = table.merge(found, "left", keys)
    else:
        _refuse(model, coverage, others)
        history, forecasts = forecasts_of_pipeline(
            clone(model), y, X, initial_train_size, refits, stride
        )
        if steps is not None and [steps] != forecasts.step.tolist():
            raise ValueError(
                f"steps={steps}, and a Pipeline forecasts one step, the horizon of its windower, "
                f"{forecasts.step[0]}: leave steps out, or use a SequenceForecaster."
            )
        history.check_season(season)
        table = history.tidy(forecasts, season)
    if not table["actual"].notna().any():
        raise ValueError(
            f"initial_train_size={initial_train_size} leaves no row to forecast of {len(y)}."
        )
    return table


class _Source(NamedTuple):
    """Rows that forecasters read.

    Attributes
    ----------
    panel : Panel
        All rows, regular.
    history : History
        The same rows.
    """

    panel: Panel
    history: History

    @classmethod
    def read(cls, model: Any, y: Any, X: Any, initial_train_size: Any) -> _Source:
        """Read rows as the model would; of a function the index names series and time."""
        if isinstance(model, SequenceForecaster):
            panel, keys = model._read(y, X).regular(), names_of(model.series)
        else:
            panel, keys = read_panel(y, X, None, None).regular(), []
        about = panel.rows, panel.timestamps, panel.targets, keys
        return cls(panel, History.before(initial_train_size, *about))

    def table(
        self,
        model: SequenceForecaster | Callable,
        refits: Refits,
        stride: int,
        steps: int,
        season: int | None,
        coverage: float | None = None,
    ) -> pd.DataFrame:
        """Forecasts of a model beside the naive ones."""
        if isinstance(model, SequenceForecaster):
            plan = refits, stride, coverage
            found = rolling_forecasts(clone(model), self.panel, self.history, *plan)
        else:
            _refuse(model, coverage, None)
            call = steps, stride, refits.rolling
            found = forecasts_of_function(model, self.panel, self.history, *call)
        return self.history.tidy(found, season)


def _is_function(model: Any) -> bool:
    return callable(model) and not hasattr(model, "fit")


def _steps_of(model: Any, steps: int | None) -> int:
    """How many steps it forecasts, if they are those that are asked for."""
    own = model.steps if isinstance(model, SequenceForecaster) else steps
    if own is None:
        raise ValueError("A function forecasts as many rows as steps says: give steps=1 or more.")
    if steps is not None and own != steps:
        raise ValueError(
            f"A forecaster has steps={own}, and steps={steps} are asked for: compare forecasters "
            "of the same steps."
        )
    return int(own)


def _check_names(others: Mapping) -> None:
    """Refuse names that would stand twice in the scores."""
    for name in others:
        if not isinstance(name, str) or name in MODELS.values():
            raise ValueError(
                f"others has the name {name!r}: a text is expected, and {list(MODELS.values())} "
                "are taken. Choose another name."
            )


def _check_is_rolled(window: str, refit: int | None, models: list) -> None:
    """Refuse a rolling window that no model reads again."""
    if window == "rolling" and refit is None and not any(map(_is_function, models)):
        raise ValueError(
            "window='rolling' says which rows a refit trains on, and refit=None fits once: give "
            "refit=1 or more origins."
        )


def _refuse(model: Any, coverage: float | None, others: Mapping | None) -> None:
    """Refuse what only a SequenceForecaster can."""
    name = getattr(model, "__name__", type(model).__name__)
    if coverage is not None:
        raise ValueError(
            f"{name} has no prediction intervals: use a SequenceForecaster, or coverage=None."
        )
    if others:
        raise ValueError(
            f"others={list(others)} stand beside a SequenceForecaster or a function, and the model "
            f"is a {name}: give that one a backtest of its own."
        )
