"""The rows of a panel in arrays: all series at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.categories import Categories

__all__ = ["SeriesRows"]

ROUNDING = 1e-15, 1e-9
"""Mean changes up to these parts of the mean value, and over a season of the mean change from row
to row, are rounding: a sine of 24 hours repeats itself to 1e-12."""


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
    time : ndarray of shape (n_rows,)
        Timestamps as nanoseconds or numbers.
    names : list
        Names of the series.
    categories : dict of int to tuple
        Covariates that are categories, counted from 0 behind the targets, and the values that their
        codes stand for.
    """

    values: np.ndarray
    n_targets: int
    sizes: np.ndarray
    time: np.ndarray
    names: list
    categories: Categories = {}  # never changed in place

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
        return SeriesRows(np.concatenate(parts), 1, *again, self.categories)

    def recoded(self, categories: Categories) -> SeriesRows:
        """Use the codes of other vocabularies of the same covariates."""
        values = self.values.copy() if categories else self.values
        for k, known in categories.items():
            code_of = pd.Index(known, dtype=object).get_indexer(list(self.categories[k])) + 1
            column = values[:, self.n_targets + k]
            some = ~np.isnan(column)
            column[some] = np.append(0, code_of)[column[some].astype(int)]
        return self._replace(values=values, categories=categories)

    def static(self) -> list[int]:
        """Covariates that are the same in all rows of a series; numbers, if series differ."""
        found = []
        for k, column in enumerate(self.values[:, self.n_targets :].T):
            first = column[self.starts]
            is_static = ((column == np.repeat(first, self.sizes)) | np.isnan(column)).all()
            if is_static and (k in self.categories or (first != first[0]).any()):
                found.append(k)
        return found

    def cutoff(self, share: float) -> float:
        """The time before which this share of all rows lies, one for all series."""
        ordered = np.sort(self.time)
        return ordered[min(round(share * len(ordered)), len(ordered) - 1)].item()

    def take(self, kept: np.ndarray) -> SeriesRows:
        """Select rows by a boolean mask, and the series that have some."""
        sizes = np.bincount(self.code[kept], minlength=len(self.sizes))
        names = [name for name, size in zip(self.names, sizes, strict=True) if size]
        return self._replace(
            values=self.values[kept], sizes=sizes[sizes > 0], time=self.time[kept], names=names
        )

    def until(self, cutoff: float) -> SeriesRows:
        """Keep the rows before a time."""
        return self.take(self.time < cutoff)

    def find(self, names: list) -> np.ndarray:
        """Positions of series; -1 for those that are not among them."""
        return pd.Index(self.names, dtype=object).get_indexer(pd.Index(names, dtype=object))

    def with_rows(
        self, values: np.ndarray, time: np.ndarray, counts: np.ndarray
    ) -> tuple[SeriesRows, np.ndarray]:
        """Append so many rows to each series.

        Returns
        -------
        rows : SeriesRows
            Old and new rows.
        place : ndarray of int, shape (n_rows,)
            Of each row among the old ones and the new ones behind them.
        """
        code = np.concatenate([self.code, np.repeat(np.arange(len(counts)), counts)])
        place = np.argsort(code, kind="stable")
        values, time = np.concatenate([self.values, values]), np.concatenate([self.time, time])
        rows = self._replace(values=values[place], time=time[place], sizes=self.sizes + counts)
        return rows, place

    def followed_by(self, block: np.ndarray) -> SeriesRows:
        """Append rows to each series, (n_series, n_new, n_columns)."""
        n_series, n_new = block.shape[:2]
        later = self.time[self.ends - 1][:, None] + np.arange(1, n_new + 1)
        counts = np.full(n_series, n_new)
        return self.with_rows(block.reshape(-1, block.shape[2]), later.ravel(), counts)[0]

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
            The unit of scaled errors; NaN where there is no change to measure, or only rounding.
        """
        code, place, known = self.code, self.place, self.time < cutoff
        sizes = np.bincount(code[known], minlength=len(self.sizes))
        lags = np.where(sizes > lag, lag, 1)[code]
        changes = np.abs(self.y - self.y[np.arange(len(code)) - lags])
        changes[(place < lags) | ~known] = np.nan
        mean = self._means(changes)
        least = ROUNDING[0] * self._means(np.where(known[:, None], np.abs(self.y), np.nan))
        if lag > 1:
            least = np.fmax(least, ROUNDING[1] * self.naive_errors(1, cutoff))
        return np.where(mean > least, mean, np.nan)

    def _means(self, values: np.ndarray) -> np.ndarray:
        """Of each series, (n_series, n_targets), without NaN; 0 if there is nothing else."""
        sums = np.zeros((len(self.sizes), self.n_targets))
        counts = sums.copy()
        np.add.at(sums, self.code, np.nan_to_num(values))
        np.add.at(counts, self.code, np.isfinite(values))
        return sums / np.maximum(counts, 1)
