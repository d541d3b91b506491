"""Errors of forecasts beside those of naive ones, and scores of prediction intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from sklstm._data.warning import DroppedDataWarning, some_names, warn

__all__ = ["COLUMNS", "MODELS", "OTHER", "QUANTILE", "backtest_scores"]

MODELS = {"forecast": "forecaster", "naive": "naive", "seasonal_naive": "seasonal naive"}
"""Columns of a backtest that hold forecasts, and what the rows of scores are called."""

COLUMNS = (
    *("series", "origin", "timestamp", "step", "target", "actual", *MODELS),
    *("lower", "upper", "nominal", "scale"),
)
"""Columns of a backtest. Others hold the keys of series, quantiles, or further forecasts."""

OTHER = "forecast "
"""Columns of further forecasters begin with it; their name follows."""

QUANTILE = "quantile "
"""Columns of quantiles begin with it; their level follows."""


def backtest_scores(table: pd.DataFrame, by: str | list[str] | None = None) -> pd.DataFrame:
    """Compute errors of a backtest, and scores of its prediction intervals.

    Lower errors are better. A model is of use if its errors are below those of the naive and the
    seasonal naive forecast. A MASE below 1 means smaller errors than those of the naive forecast,
    one step ahead (the seasonal naive one with `season`), on the training part; an OWA below 1,
    smaller ones than those of the seasonal naive forecast on the same rows.

    Parameters
    ----------
    table : DataFrame
        From `backtest`. Rows can be selected, and columns of your own be added to group by.
    by : str or list of str, default=None
        Columns to group by, such as ``"step"``, ``"series"`` or the series' own column.

    Returns
    -------
    DataFrame
        A row for the forecaster and each naive forecast:

        * ``MAE``, ``RMSE``: mean absolute and root mean squared error, in units of the target.
        * ``MASE``: mean absolute scaled error [1]_.
        * ``sMAPE``: mean of ``2 |actual - forecast| / (|actual| + |forecast|)``, from 0 to 2.
        * ``OWA``: mean of sMAPE and MASE, each divided by that of the seasonal naive forecast, or
          of the naive one without a season [2]_.
        * With prediction intervals ``coverage`` and ``width``, their mean ``pinball`` loss at both
          sides [3]_, and ``MSIS``, the mean scaled interval score [2]_.
        * With intervals or quantiles ``CRPS``, the continuous ranked probability score: twice the
          mean pinball loss of all quantiles, of which an interval has three, its sides and the
          forecast. Sample paths are not read: a finer distribution has columns such as
          ``"quantile 0.1"``, which are read in place of the interval. That of a forecast without
          quantiles is its absolute error.
        * ``rows``, on which all of these are computed, and ``left_out``: rows without an actual
          value, or without a forecast of one of the models, are left out for all models alike.

    Raises
    ------
    ValueError
        If `by` is no column of the table.

    Warns
    -----
    DroppedDataWarning
        If a series has no scale, as its values are constant, or repeat exactly from season to
        season: MASE and MSIS leave out its rows, for all models alike.

    See Also
    --------
    backtest : Makes the table.

    Notes
    -----
    Rows count alike, so that a series with more rows has more weight; ``by="series"`` and a mean
    weighs series alike. Weights of your own are a weighted mean of the groups.

    References
    ----------
    .. [1] Hyndman and Koehler, "Another look at measures of forecast accuracy", International
       Journal of Forecasting 2006.
    .. [2] Makridakis, Spiliotis and Assimakopoulos, "The M4 Competition: 100,000 time series and
       61 forecasting methods", International Journal of Forecasting 2020.
    .. [3] Koenker and Bassett, "Regression Quantiles", Econometrica 1978.

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
    keys = [] if by is None else [by] if isinstance(by, str) else list(by)
    unknown = [key for key in keys if key not in table]
    if unknown:
        raise ValueError(f"by={unknown[0]!r} is no column of the table: {list(table)}.")
    _warn_of_scales(table)
    groups = table.groupby(keys, sort=True, dropna=False) if keys else [((), table)]
    found = [((*key, model), scores) for key, part in groups for model, scores in _scores_of(part)]
    index: pd.Index = pd.MultiIndex.from_tuples([key for key, _ in found], names=[*keys, "model"])
    index = index if keys else index.get_level_values(0)
    return pd.DataFrame([scores for _, scores in found], index=index)


def _scores_of(table: pd.DataFrame) -> Iterator[tuple[str, dict[str, float]]]:
    """Scores of each model, on the rows that all of them share."""
    columns = [column for column in MODELS if column in table]
    columns += [column for column in map(str, table) if column.startswith(OTHER)]
    needed = [column for column in columns if table[column].notna().any()]
    part = table[table[["actual", *needed]].notna().all(axis=1)]
    rule = "seasonal_naive" if "seasonal_naive" in needed else "naive"
    reference = _errors(part, part[rule])
    for column in columns:
        scores = _errors(part, part[column])
        ratios = [_ratio(scores[name], reference[name]) for name in ("sMAPE", "MASE")]
        scores["OWA"] = float(np.mean(ratios))
        if "lower" in part and column == "forecast":
            scores |= _interval_scores(part)
        levels = _quantile_columns(part)
        if levels:
            scores["CRPS"] = _crps(part, levels, column)
        counts = {"rows": len(part), "left_out": len(table) - len(part)}
        yield MODELS.get(column, column.removeprefix(OTHER)), scores | counts


def _errors(part: pd.DataFrame, forecast: pd.Series) -> dict[str, float]:
    actual = part["actual"]
    missed, size = (actual - forecast).abs(), actual.abs() + forecast.abs()
    return {
        "MAE": missed.mean(),
        "RMSE": np.sqrt((missed**2).mean()),
        "MASE": (missed / part["scale"]).mean(),
        "sMAPE": (2 * missed / size.where(size > 0, 1) + 0 * forecast).mean(),
    }


def _ratio(error: float, reference: float) -> float:
    """Of two errors; NaN where the reference is without an error."""
    return error / reference if reference > 0 else np.nan


def _interval_scores(part: pd.DataFrame) -> dict[str, float]:
    part = part[part[["lower", "upper"]].notna().all(axis=1)]
    actual, tail = part["actual"], (1 - part["nominal"]) / 2
    width = part["upper"] - part["lower"]
    outside = (part["lower"] - actual).clip(lower=0) + (actual - part["upper"]).clip(lower=0)
    sides = _pinball(actual - part["lower"], tail), _pinball(actual - part["upper"], 1 - tail)
    return {
        "coverage": actual.between(part["lower"], part["upper"]).mean() if len(part) else np.nan,
        "width": width.mean(),
        "pinball": float(np.mean([side.mean() for side in sides])),
        "MSIS": ((width + outside / tail) / part["scale"]).mean(),
    }


def _quantile_columns(part: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns that hold quantiles, with their levels; without any, those of the interval."""
    given = [column for column in map(str, part) if column.startswith(QUANTILE)]
    if given:
        return {
            column: pd.Series(float(column.removeprefix(QUANTILE)), part.index) for column in given
        }
    if "lower" not in part:
        return {}
    tail = (1 - part["nominal"]) / 2
    return {"lower": tail, "forecast": 0 * tail + 0.5, "upper": 1 - tail}


def _crps(part: pd.DataFrame, levels: dict[str, pd.Series], column: str) -> float:
    """Twice the mean pinball loss; a forecast without quantiles has the same one at all levels."""
    own = column == "forecast"
    losses = [
        _pinball(part["actual"] - part[name if own else column], level)
        for name, level in levels.items()
    ]
    return float(2 * np.mean([loss.mean() for loss in losses])) if len(part) else np.nan


def _pinball(missed: pd.Series, level: pd.Series) -> pd.Series:
    return (level * missed).where(missed > 0, (level - 1) * missed)


def _warn_of_scales(table: pd.DataFrame) -> None:
    """Warn once of series whose scaled errors are undefined."""
    without = table["scale"].isna() & table["actual"].notna()
    if not without.any():
        return
    names = table.loc[without, "series"].unique() if "series" in table else ["y"]
    warn(
        f"MASE and MSIS leave out {without.sum()} of {len(table)} rows, of {some_names([*names])}: "
        "they have no scale, as the training part there is constant, repeats from season to "
        "season, or has a single value.",
        DroppedDataWarning,
    )
