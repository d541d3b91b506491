"""The rows of a panel in arrays: all series at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._tables.panel import Panel

__all__ = ["SeriesRows", "stack", "time_numbers"]


class SeriesRows(NamedTuple):
    """Rows of all series, one series after the other, each in time order.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Targets, then covariates, in the units of the user; NaN where they are missing.
    n_targets : int
        How many of the columns are targets.
    sizes : ndarray of int, shape (n_series,)
        Number of rows of each series.
    time : ndarray of int64, shape (n_rows,)
        Timestamps as numbers, which rise with time in all series.
    names : list
        Names of the series.
    """

    values: np.ndarray
    n_targets: int
    sizes: np.ndarray
    time: np.ndarray
    names: list

    @property
    def y(self) -> np.ndarray:
        """The targets, (n_rows, n_targets)."""
        return self.values[:, : self.n_targets]

    @property
    def starts(self) -> np.ndarray:
        """First row of each series."""
        return np.cumsum(self.sizes) - self.sizes

    @property
    def ends(self) -> np.ndarray:
        """The row behind the last one of each series."""
        return np.cumsum(self.sizes)

    @property
    def code(self) -> np.ndarray:
        """The series of each row, a position in `names`."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def place(self) -> np.ndarray:
        """Position of each row in its series."""
        return np.arange(len(self.values)) - np.repeat(self.starts, self.sizes)

    def ahead(self, rows: np.ndarray, step: int) -> np.ndarray:
        """All columns of the row so many steps after each row; NaN after the end of a series."""
        later = np.minimum(rows + step, len(self.values) - 1)
        inside = self.code[rows] == self.code[later]
        return np.where((inside & (later == rows + step))[:, None], self.values[later], np.nan)

    def one_by_one(self) -> SeriesRows:
        """Make every target a series of its own: all of the first target, then of the second."""
        others = self.values[:, self.n_targets :]
        parts = [np.hstack([self.values[:, [k]], others]) for k in range(self.n_targets)]
        n = self.n_targets
        again = np.tile(self.sizes, n), np.tile(self.time, n), self.names * n
        return SeriesRows(np.concatenate(parts), 1, *again)

    def cutoff(self, share: float) -> int:
        """The time before which this share of all rows lies, one for all series."""
        ordered = np.sort(self.time)
        return int(ordered[min(round(share * len(ordered)), len(ordered) - 1)])

    def until(self, cutoff: float) -> SeriesRows:
        """Keep the rows before a time, and the series that have some."""
        early = self.time < cutoff
        sizes = np.bincount(self.code[early], minlength=len(self.sizes))
        names = [name for name, size in zip(self.names, sizes, strict=True) if size]
        return self._replace(
            values=self.values[early], sizes=sizes[sizes > 0], time=self.time[early], names=names
        )

    def followed_by(self, block: np.ndarray) -> SeriesRows:
        """Append rows to each series, (n_series, n_new, n_columns)."""
        n_series, n_new = block.shape[:2]
        code = np.concatenate([self.code, np.repeat(np.arange(n_series), n_new)])
        order = np.argsort(code, kind="stable")
        values = np.concatenate([self.values, block.reshape(-1, block.shape[2])])[order]
        later = self.time[self.starts + self.sizes - 1][:, None] + np.arange(1, n_new + 1)
        time = np.concatenate([self.time, later.ravel()])[order]
        return self._replace(values=values, sizes=self.sizes + n_new, time=time)

    def tail(self, n_rows: int) -> SeriesRows:
        """Keep the last rows of each series."""
        kept = self.place >= np.repeat(self.sizes - n_rows, self.sizes)
        return self._replace(
            values=self.values[kept], time=self.time[kept], sizes=np.minimum(self.sizes, n_rows)
        )

    def naive_errors(self, lag: int, cutoff: float) -> np.ndarray:
        """Mean absolute change of each series over so many rows, before a time.

        Parameters
        ----------
        lag : int
            Rows of a season. A shorter series is measured by its changes from row to row.
        cutoff : float
            Only rows before it count.

        Returns
        -------
        ndarray of shape (n_series, n_targets)
            The unit of scaled errors; NaN where there is no change to measure.
        """
        code, place, known = self.code, self.place, self.time < cutoff
        sizes = np.bincount(code[known], minlength=len(self.sizes))
        lags = np.where(sizes > lag, lag, 1)[code]
        changes = np.abs(self.y - self.y[np.arange(len(code)) - lags])
        changes[(place < lags) | ~known] = np.nan
        sums = np.zeros((len(self.sizes), self.n_targets))
        counts = sums.copy()
        np.add.at(sums, code, np.nan_to_num(changes))
        np.add.at(counts, code, np.isfinite(changes))
        return np.where(sums > 0, sums / np.maximum(counts, 1), np.nan)


def stack(panel: Panel) -> SeriesRows:
    """Put the tables of all series into arrays."""
    tables = list(panel.tables.values())
    columns = [*panel.targets, *panel.covariates]
    values = [table.reindex(columns=columns).to_numpy(float) for table in tables]
    return SeriesRows(
        np.concatenate(values),
        len(panel.targets),
        np.array([len(table) for table in tables]),
        np.concatenate([time_numbers(table.index) for table in tables]),
        list(panel.tables),
    )


def time_numbers(index: pd.Index) -> np.ndarray:
    """Timestamps, periods or integers as integers."""
    if isinstance(index, pd.PeriodIndex):
        return index.asi8
    if isinstance(index, pd.DatetimeIndex):
        return index.as_unit("ns").asi8
    return index.to_numpy(np.int64)
