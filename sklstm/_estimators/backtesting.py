"""Forecasts from many origins of the past, beside what came and beside trivial rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklstm._estimators.forecaster import SequenceForecaster
from sklstm._tables.calendar import Panel, read_panel

__all__ = ["backtest", "backtest_scores"]

RULES = {"forecast": "forecaster", "last": "last value", "seasonal": "a season before"}


def backtest(
    forecaster: SequenceForecaster,
    y: Any,
    X: Any = None,
    *,
    start: float | int = 0.8,
    stride: int = 1,
    season: int | None = None,
    coverage: float | None = None,
) -> pd.DataFrame:
    """Fit on the first rows, then forecast from one origin after another.

    Parameters
    ----------
    forecaster : SequenceForecaster
        A clone of it is fitted, once; later origins only bring newer rows.
    y, X : as in `SequenceForecaster.fit`
        The past.
    start : float or int, default=0.8
        Rows of each series to learn from: a share, or a number.
    stride : int, default=1
        Rows from one origin to the next.
    season : int, default=None
        Rows of a season, for the rule that repeats it.
    coverage : float, default=None
        Share of truths that bands are to hold. `None`: no bands.

    Returns
    -------
    DataFrame
        A row for each series, origin, step and target: ``series``, ``origin``, ``stamp``,
        ``step``, ``target``, ``actual``, ``forecast``, ``last``, ``seasonal``, ``lower`` and
        ``upper``. ``scale`` is the mean absolute change of the rows that were learned, over a
        season if there is one.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import SequenceForecaster, backtest, backtest_scores
    >>> hours = pd.date_range("2024-01-01", periods=400, freq="h")
    >>> y = pd.Series(np.sin(np.arange(400) * 2 * np.pi / 24), hours)
    >>> table = backtest(SequenceForecaster(window_size=24, steps=3), y)
    >>> backtest_scores(table).loc["last value", "MAE"].round(2)
    np.float64(0.34)
    """
    whole = read_panel(y, X, forecaster.series, forecaster.time).regular()
    n_first = {
        name: round(start * len(table)) if isinstance(start, float) else start
        for name, table in whole.tables.items()
    }
    first = whole._replace(tables={n: t[: n_first[n]] for n, t in whole.tables.items()})
    fitted = clone(forecaster)._fit_panel(first)
    windows = fitted._windows(whole)
    begin = np.array([n_first[name] for name in windows.names])[windows.code] - 1
    known = np.isfinite(windows.ahead).any(axis=(1, 2)) & windows.whole()
    windows = windows.take(
        known & (windows.place >= begin) & ((windows.place - begin) % stride == 0)
    )
    said = fitted._answers(fitted.estimator_, windows)
    parts = []
    for code, name in enumerate(windows.names):
        rows = windows.code == code
        band = None if coverage is None else fitted._band(name, coverage)
        parts.append(
            _tidy(name, whole, fitted, windows.place[rows], said[rows], band, season, n_first[name])
        )
    return pd.concat(parts, ignore_index=True)


def _tidy(
    name: Any,
    panel: Panel,
    fitted: SequenceForecaster,
    place: np.ndarray,
    said: np.ndarray,
    band: np.ndarray | None,
    season: int | None,
    n_first: int,
) -> pd.DataFrame:
    """Rows of one series."""
    table = panel.tables[name]
    y = table[fitted.targets_].to_numpy(float)
    n_steps, n_targets = said.shape[1:]
    step = np.arange(1, n_steps + 1)
    ahead = place[:, None] + step
    inside = ahead < len(y)
    ahead = np.where(inside, ahead, 0)
    columns = {
        "actual": np.where(inside[..., None], y[ahead], np.nan),
        "forecast": said,
        "last": np.broadcast_to(y[place][:, None], said.shape),
    }
    if season is not None:
        back = season * -(-step // season)
        columns["seasonal"] = y[place[:, None] + step - back]
    if band is not None:
        columns |= {"lower": said - band, "upper": said + band}
    lag = season or 1
    scale = np.nanmean(np.abs(y[lag:n_first] - y[: n_first - lag]), axis=0)
    shape = said.shape
    rows = {
        "series": np.full(said.size, name, dtype=object),
        "origin": table.index[np.repeat(place, n_steps * n_targets)],
        "stamp": table.index[np.repeat(ahead, n_targets)],
        "step": np.broadcast_to(step[None, :, None], shape).ravel(),
        "target": np.tile(np.array(fitted.targets_, dtype=object), len(place) * n_steps),
    }
    rows |= {key: values.ravel() for key, values in columns.items()}
    rows["scale"] = np.broadcast_to(scale, shape).ravel()
    result = pd.DataFrame(rows).dropna(subset="actual", ignore_index=True)
    return result.drop(columns="series") if name is None else result


def backtest_scores(table: pd.DataFrame, by: str | list[str] | None = None) -> pd.DataFrame:
    """Sum a backtest up.

    Parameters
    ----------
    table : DataFrame
        From `backtest`.
    by : str or list of str, default=None
        Columns whose values are told apart, such as ``"step"`` or ``"series"``.

    Returns
    -------
    DataFrame
        A row for the forecaster and each rule: mean absolute error, root mean squared error, mean
        absolute scaled error (Hyndman and Koehler, "Another look at measures of forecast
        accuracy", 2006), and with bands their coverage and mean width.
    """
    groups = [((), table)] if by is None else table.groupby(by, sort=True)
    rows = []
    for key, part in groups:
        for column, rule in RULES.items():
            if column not in part:
                continue
            missed = part["actual"] - part[column]
            scores = {
                "MAE": missed.abs().mean(),
                "RMSE": np.sqrt((missed**2).mean()),
                "MASE": (missed.abs() / part["scale"]).mean(),
            }
            if "lower" in part and column == "forecast":
                inside = part["actual"].between(part["lower"], part["upper"])
                scores |= {
                    "coverage": inside.mean(),
                    "width": (part["upper"] - part["lower"]).mean(),
                }
            keys = key if isinstance(key, tuple) else (key,)
            rows.append((*keys, rule, scores))
    names = [*([] if by is None else [by] if isinstance(by, str) else by), "rule"]
    index: pd.Index = pd.MultiIndex.from_tuples([row[:-1] for row in rows], names=names)
    index = index.get_level_values(0) if by is None else index
    return pd.DataFrame([row[-1] for row in rows], index=index)
