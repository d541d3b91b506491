"""Lookback windows of a panel, and the steps that follow each of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from sklstm._data.sequences import Sequences
from sklstm._tables.panel import Panel

__all__ = ["Windows", "make_windows", "rows_ahead"]


class Windows(NamedTuple):
    """Lookback windows of several series, and the steps that follow each of them.

    Attributes
    ----------
    sequences : Sequences
        The windows.
    ahead : ndarray of shape (n_windows, steps, n_targets)
        Targets of the steps after each window, standardised by series; NaN after its end.
    code : ndarray of int, shape (n_windows,)
        Code of the series of each window.
    place : ndarray of int, shape (n_windows,)
        Last row of each window, a position in its series.
    sizes : ndarray of int, shape (n_series,)
        Number of rows of each series.
    names : list
        Names of the series.
    mean, scale : ndarray of shape (n_windows, n_targets)
        Local scaling: mean and standard deviation of the targets of the series of each window.
    """

    sequences: Sequences
    ahead: np.ndarray
    code: np.ndarray
    place: np.ndarray
    sizes: np.ndarray
    names: list
    mean: np.ndarray
    scale: np.ndarray

    def take(self, rows: np.ndarray) -> Windows:
        """Select windows by a boolean mask."""
        rows = np.flatnonzero(rows)
        return self._replace(
            sequences=self.sequences[rows],
            ahead=self.ahead[rows],
            code=self.code[rows],
            place=self.place[rows],
            mean=self.mean[rows],
            scale=self.scale[rows],
        )

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """Undo the standardisation of values such as those of `ahead`."""
        return values * self.scale[:, None] + self.mean[:, None]

    def last(self) -> np.ndarray:
        """The naive forecast: the last value of each target, (n_windows, 1, n_targets)."""
        return self.sequences.values[self.sequences.ends - 1, None, : self.ahead.shape[2]]

    def one_by_one(self) -> Windows:
        """Make every target a series of its own: windows for a channel-independent model.

        Returns
        -------
        Windows
            All windows of the first target, then of the second.
        """
        given, n_targets = self.sequences, self.ahead.shape[2]
        others = given.values[:, n_targets:]
        values = [np.hstack([given.values[:, [k]], others]) for k in range(n_targets)]
        which = np.repeat(np.arange(n_targets), len(self.code))

        def repeated(rows: np.ndarray) -> np.ndarray:
            return np.tile(rows, n_targets)

        def below(columns: np.ndarray) -> np.ndarray:
            return np.concatenate(np.split(columns, n_targets, axis=-1))

        return Windows(
            Sequences(
                np.concatenate(values),
                repeated(given.starts) + which * len(given.values),
                repeated(given.lengths),
                repeated(given.series) + which * len(self.sizes),
            ),
            below(self.ahead),
            repeated(self.code) + which * len(self.sizes),
            repeated(self.place),
            repeated(self.sizes),
            self.names * n_targets,
            below(self.mean),
            below(self.scale),
        )

    def usable(self) -> np.ndarray:
        """Windows without NaN that are followed by all steps, without NaN."""
        return self.whole() & np.isfinite(self.ahead).all(axis=(1, 2))

    def complete(self) -> np.ndarray:
        """Windows that are followed by all steps, with or without NaN."""
        return self.place + self.ahead.shape[1] < self.sizes[self.code]

    def whole(self) -> np.ndarray:
        """Windows without NaN."""
        gaps = np.append(0, np.cumsum(~np.isfinite(self.sequences.values).all(axis=1)))
        return gaps[self.sequences.ends] == gaps[self.sequences.starts]

    def parted(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Windows whose steps lie in the first part of their series, and those in the rest."""
        first = self.first_of_rest(share)[self.code]
        return self.place + self.ahead.shape[1] < first, self.place >= first - 1

    def first_of_rest(self, share: float) -> np.ndarray:
        """The row of each series at which the rest starts."""
        return np.round(self.sizes * share).astype(int)

    def by_row(self, values: np.ndarray, code: int, first: int) -> np.ndarray:
        """Arrange values of the steps after each window by the row of each step.

        Parameters
        ----------
        values : ndarray of shape (n_windows, steps, n_targets)
            Values of the steps after each window.
        code : int
            Code of the series.
        first : int
            First row of the series to return.

        Returns
        -------
        ndarray of shape (n_rows - first, steps, n_targets)
            For each row, the value of each step ahead; NaN where no window has one.
        """
        mine, steps = self.code == code, values.shape[1]
        result = np.full((self.sizes[code] - first, *values.shape[1:]), np.nan)
        for step in range(steps):
            row = self.place[mine] + 1 + step - first
            inside = (row >= 0) & (row < len(result))
            result[row[inside], step] = values[mine][inside, step]
        return result


def make_windows(
    panel: Panel,
    units: dict[Hashable, tuple[np.ndarray, np.ndarray]],
    future_covariates: list,
    window_size: int,
    steps: int,
) -> Windows:
    """Make the lookback window that ends at each row, where it is complete.

    Parameters
    ----------
    panel : Panel
        Rows of each series.
    units : dict of (mean, scale)
        Local scaling: mean and standard deviation of the targets of each series.
    future_covariates : list
        Names of the future covariates. Each row of a window also holds their values `steps` rows
        later, and further ones if the window is shorter than `steps`, so that a window holds their
        values for all steps after it.
    window_size, steps : int
        Number of rows of a window, and of steps after it.

    Returns
    -------
    Windows
        Columns: the targets, then all covariates, then the future covariates of later steps.
    """
    parts = []
    for code, (name, table) in enumerate(panel.tables.items()):
        mean, scale = units[name]
        y = (table[panel.targets].to_numpy(float) - mean) / scale
        others = table.reindex(columns=panel.covariates).to_numpy(float)
        ahead = rows_ahead(y, steps)
        coming = rows_ahead(table[future_covariates].to_numpy(float), steps)
        coming = coming[:, range(steps - 1, -1, -window_size)].reshape(len(table), -1)
        place = np.arange(window_size - 1, len(table))
        parts.append(
            (np.hstack([y, others, coming]), place, ahead[place], np.full(len(place), code))
        )
    values, place, ahead, codes = zip(*parts, strict=True)
    offset = np.cumsum([0, *map(len, values[:-1])])
    starts = np.concatenate([o + p - window_size + 1 for o, p in zip(offset, place, strict=True)])
    of_series = np.concatenate(codes)
    means, scales = (np.array(unit) for unit in zip(*(units[n] for n in panel.tables), strict=True))
    return Windows(
        Sequences(np.concatenate(values), starts, np.full(len(starts), window_size), of_series),
        np.concatenate(ahead),
        of_series,
        np.concatenate(place),
        np.array([len(table) for table in panel.tables.values()]),
        list(panel.tables),
        means[of_series],
        scales[of_series],
    )


def rows_ahead(values: np.ndarray, steps: int) -> np.ndarray:
    """Collect the rows that follow each row.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Rows in time order.
    steps : int
        Number of following rows.

    Returns
    -------
    ndarray of shape (n_rows, steps, n_columns)
        NaN after the last row.
    """
    padded = np.concatenate([values, np.full((steps, values.shape[1]), np.nan)])
    rows = np.arange(len(values))[:, None] + np.arange(1, steps + 1)
    return padded[rows]
