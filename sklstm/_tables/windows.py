"""Windows of a regular table, and the steps behind each."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from sklstm._data.sequences import Sequences
from sklstm._tables.panel import Panel

__all__ = ["Windows", "make_windows", "rows_ahead"]


class Windows(NamedTuple):
    """Windows of several series, and the steps behind each.

    Attributes
    ----------
    sequences : Sequences
        The windows.
    ahead : ndarray of shape (n_windows, steps, n_targets)
        The targets behind each, in units of its series; NaN behind its end.
    code : ndarray of int, shape (n_windows,)
        Series of each.
    place : ndarray of int, shape (n_windows,)
        Row of its series that a window ends with.
    sizes : ndarray of int, shape (n_series,)
        Rows of each series.
    names : list
        Names of the series.
    mean, scale : ndarray of shape (n_windows, n_targets)
        Units of the series of each window.
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
        """Keep the windows that are marked."""
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
        """Bring values like those of `ahead` to the units of the user."""
        return values * self.scale[:, None] + self.mean[:, None]

    def last(self) -> np.ndarray:
        """The last value of each target, (n_windows, 1, n_targets)."""
        return self.sequences.values[self.sequences.ends - 1, None, : self.ahead.shape[2]]

    def one_by_one(self) -> Windows:
        """Make every target a series of its own, which does not see the others.

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
        """Windows without NaN, of which all steps are known."""
        return self.whole() & np.isfinite(self.ahead).all(axis=(1, 2))

    def complete(self) -> np.ndarray:
        """Windows behind which the series has all steps, NaN or not."""
        return self.place + self.ahead.shape[1] < self.sizes[self.code]

    def whole(self) -> np.ndarray:
        """Windows without NaN."""
        gaps = np.append(0, np.cumsum(~np.isfinite(self.sequences.values).all(axis=1)))
        return gaps[self.sequences.ends] == gaps[self.sequences.starts]

    def parted(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Windows whose steps lie in the first part of their series, and those of the rest."""
        first = self.first_of_rest(share)[self.code]
        return self.place + self.ahead.shape[1] < first, self.place >= first - 1

    def first_of_rest(self, share: float) -> np.ndarray:
        """The row of each series that the rest begins with."""
        return np.round(self.sizes * share).astype(int)

    def by_row(self, values: np.ndarray, code: int, first: int) -> np.ndarray:
        """Put what belongs to the steps behind each window beside the row of that step.

        Parameters
        ----------
        values : ndarray of shape (n_windows, steps, n_targets)
            Of the steps behind each window.
        code : int
            Series.
        first : int
            Row of the series to begin with.

        Returns
        -------
        ndarray of shape (n_rows - first, steps, n_targets)
            What each step says of each row; NaN where no window does.
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
    known: list,
    window_size: int,
    steps: int,
) -> Windows:
    """Make a window that ends with each row that has a full one.

    Parameters
    ----------
    panel : Panel
        Rows of each series.
    units : dict of (mean, scale)
        What standardises the targets of each series.
    known : list
        Covariates that are known ahead. Each row of a window holds those of `steps` rows later too,
        so that a window holds them of all steps behind it; of more rows, if it is shorter.
    window_size, steps : int
        Rows of a window, and behind it.

    Returns
    -------
    Windows
        Of the targets, then the covariates, then what is known of the steps behind.
    """
    parts = []
    for code, (name, table) in enumerate(panel.tables.items()):
        mean, scale = units[name]
        y = (table[panel.targets].to_numpy(float) - mean) / scale
        others = table.reindex(columns=panel.covariates).to_numpy(float)
        ahead = rows_ahead(y, steps)
        coming = rows_ahead(table[known].to_numpy(float), steps)
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
    """Put the next rows beside each row.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Rows in time order.
    steps : int
        How many.

    Returns
    -------
    ndarray of shape (n_rows, steps, n_columns)
        NaN behind the last row.
    """
    padded = np.concatenate([values, np.full((steps, values.shape[1]), np.nan)])
    rows = np.arange(len(values))[:, None] + np.arange(1, steps + 1)
    return padded[rows]
