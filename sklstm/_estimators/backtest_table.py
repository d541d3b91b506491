"""The table of a backtest: forecasts beside actual values and naive forecasts."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._estimators.forecast_scores import COLUMNS
from sklstm._tables.series_rows import SeriesRows

__all__ = ["Forecasted", "History", "joined"]


class Forecasted(NamedTuple):
    """Forecasts from origins of the past.

    Attributes
    ----------
    ends : ndarray of int, shape (n_origins,)
        Row of each forecast origin.
    step : ndarray of int, shape (n_steps,)
        Steps that are forecast, from 1.
    point : ndarray of shape (n_origins, n_steps, n_targets)
        Forecasts.
    ranges : dict of ndarrays of that shape
        Sides of prediction intervals, by column of the table.
    """

    ends: np.ndarray
    step: np.ndarray
    point: np.ndarray
    ranges: dict[str, np.ndarray]


def joined(parts: list[Forecasted]) -> Forecasted:
    """Forecasts of several models, from origins of their own, in the order of the rows."""
    ends = np.concatenate([part.ends for part in parts])
    order = np.argsort(ends, kind="stable")
    point = np.concatenate([part.point for part in parts])[order]
    ranges = {
        name: np.concatenate([part.ranges[name] for part in parts])[order]
        for name in parts[0].ranges
    }
    return Forecasted(ends[order], parts[0].step, point, ranges)


def _count_before(timestamps: pd.Index, date: Any) -> int:
    try:
        return int((timestamps < date).sum())
    except TypeError:
        zone = getattr(timestamps, "tz", None)
        of = f" in the time zone {zone}" if zone else ""
        raise ValueError(
            f"initial_train_size={date!r} is compared with timestamps of the dtype "
            f"{timestamps.dtype}, such as {timestamps[0]}: give a time of that kind{of}, a share "
            "of the rows, or a number of timestamps."
        ) from None


class History(NamedTuple):
    """The rows of a backtest.

    Attributes
    ----------
    rows : SeriesRows
        Actual values of all series, and covariates.
    timestamps : Index of length n_rows
        Timestamps of the rows.
    targets : list
        Names of the targets.
    keys : list
        Names of the columns that name the series.
    cutoff : float
        Time at which the first training part ends.
    """

    rows: SeriesRows
    timestamps: pd.Index
    targets: list
    keys: list
    cutoff: float

    @classmethod
    def before(
        cls,
        initial_train_size: Any,
        rows: SeriesRows,
        timestamps: pd.Index,
        targets: list,
        keys: list,
    ) -> History:
        """With the cutoff of a first training part: the same in all series."""
        dates = np.sort(rows.time)
        if isinstance(initial_train_size, Integral):
            dates, place = np.unique(dates), int(initial_train_size)
        elif isinstance(initial_train_size, Real):
            place = round(float(initial_train_size) * len(dates))
        else:
            place = _count_before(timestamps, initial_train_size)
        if not 0 < place < len(dates):
            lack = "forecast" if place else "train on"
            raise ValueError(
                f"initial_train_size={initial_train_size} leaves no row to {lack}, of {len(dates)}."
            )
        return cls(rows, timestamps, targets, keys, dates[place].item())

    def origins(self) -> np.ndarray:
        """Position of each row among the forecast origins of its series, from 0; before, below."""
        rows = self.rows
        n_first = np.bincount(rows.code[rows.time < self.cutoff], minlength=len(rows.sizes))
        return rows.place - (n_first[rows.code] - 1)

    def tidy(self, forecasts: Forecasted, season: int | None) -> pd.DataFrame:
        """Make a row of each forecast of a row that is there, with or without an actual value."""
        rows, point = self.rows, forecasts.point
        ahead = forecasts.ends[:, None] + forecasts.step
        code = rows.code[forecasts.ends]
        inside = ahead < rows.ends[code, None]
        ahead = np.where(inside, ahead, 0)
        scale = rows.naive_errors(season or 1, self.cutoff)[code]
        columns = {"actual": rows.y[ahead], "forecast": point}
        columns |= self._naive_forecasts(forecasts, season) | forecasts.ranges
        columns["scale"] = scale[:, None]
        n_each = point.shape[1] * point.shape[2]
        table: dict = self._names(np.repeat(code, n_each))
        table["origin"] = self.timestamps[np.repeat(forecasts.ends, n_each)]
        table["timestamp"] = self.timestamps[np.repeat(ahead, point.shape[2])]
        table["step"] = np.broadcast_to(forecasts.step[None, :, None], point.shape).ravel()
        table["target"] = np.tile(np.array(self.targets, dtype=object), ahead.size)
        table |= {key: np.broadcast_to(one, point.shape).ravel() for key, one in columns.items()}
        result = pd.DataFrame(table)
        return result[np.repeat(inside, point.shape[2])].reset_index(drop=True)

    def _names(self, code: np.ndarray) -> dict[str, np.ndarray]:
        """The series of each row, also under the names of its own columns."""
        if self.rows.names == [None]:
            return {}
        names = np.empty(len(self.rows.names), dtype=object)
        names[:] = self.rows.names
        found = {"series": names[code]}
        for place, key in enumerate(self.keys):
            if key not in COLUMNS:
                own = names if len(self.keys) == 1 else np.array([one[place] for one in names])
                found[key] = own[code]
        return found

    def _naive_forecasts(self, forecasts: Forecasted, season: int | None) -> dict[str, np.ndarray]:
        rows, step = self.rows, forecasts.step
        ends = forecasts.ends[:, None]
        found = {"naive": rows.y[ends]}
        if season is not None:
            before = ends + step - season * -(-step // season)
            known = before >= rows.starts[rows.code[ends]]
            found["seasonal_naive"] = np.where(
                known[..., None], rows.y[np.maximum(before, 0)], np.nan
            )
        return found

    def check_season(self, season: int | None) -> None:
        """Refuse a season that no training part has."""
        n_trained = np.bincount(self.rows.code[self.rows.time < self.cutoff]).max(initial=0)
        if season is not None and season >= n_trained:
            raise ValueError(
                f"season={season} is not shorter than the training part, {n_trained} rows: "
                "choose a larger initial_train_size."
            )
