"""Lookback windows of a panel, and the steps that follow each of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklstm._data.sequences import Sequences
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.window_units import LocalUnits, inner_range

__all__ = ["Windows", "make_windows"]


class Windows(NamedTuple):
    """Lookback windows of several series, in units that are known at their ends.

    Attributes
    ----------
    rows : SeriesRows
        Of all series.
    local : LocalUnits
        Anchor and scale at every row.
    sequences : Sequences
        The windows: the anchored targets, then covariates.
    ends : ndarray of int, shape (n_windows,)
        Last row of each window: the forecast origin.
    steps : int
        How many rows behind each window are forecast.
    """

    rows: SeriesRows
    local: LocalUnits
    sequences: Sequences
    ends: np.ndarray
    steps: int

    def take(self, chosen: np.ndarray) -> Windows:
        """Select windows, by a boolean mask or by their positions."""
        chosen = np.arange(len(self.ends))[chosen]
        return self._replace(sequences=self.sequences[chosen], ends=self.ends[chosen])

    @property
    def code(self) -> np.ndarray:
        """The series of each window."""
        return self.rows.code[self.ends]

    def dates(self) -> np.ndarray:
        """Number of the block of `steps` timestamps in which each forecast origin lies."""
        _, rank = np.unique(self.rows.time[self.ends], return_inverse=True)
        return rank // self.steps

    def actual(self) -> np.ndarray:
        """The steps behind each window, (n_windows, steps, n_targets); NaN where unknown."""
        return self.ahead(self.rows.y)

    def ahead(self, values: np.ndarray) -> np.ndarray:
        """Values of rows, (n_rows, n), at the steps behind each window, (n_windows, steps, n)."""
        rows = self.rows._replace(values=values)
        return np.stack([rows.ahead(self.ends, step + 1) for step in range(self.steps)], axis=1)

    def last(self) -> np.ndarray:
        """The naive forecast: the last known value, (n_windows, 1, n_targets)."""
        return self.local.seen.last[self.ends, None]

    def anchors(self) -> np.ndarray:
        """The forecast of the anchor alone, (n_windows, steps, n_targets)."""
        return self.local.anchors(self.ends, self.steps)

    def scales(self) -> np.ndarray:
        """Of each window, (n_windows, 1, n_targets)."""
        return self.local.scale[self.ends, None]

    def spreads(self) -> np.ndarray:
        """Mean absolute change of the series so far, (n_windows, 1, n_targets)."""
        return self.local.spread[self.ends, None]

    def targets(self) -> np.ndarray:
        """What a model learns: the steps behind each window in its unit, outliers clipped."""
        targets = (self.actual() - self.anchors()) / self.scales()
        if self.local.panel.unit.scale == "none":
            return targets
        flat = targets.reshape(len(targets), -1)
        return np.clip(flat, *inner_range(flat)).reshape(targets.shape)

    def whole(self) -> np.ndarray:
        """Windows without NaN."""
        gaps = np.append(0, np.cumsum(~np.isfinite(self.sequences.values).all(axis=1)))
        return gaps[self.sequences.ends] == gaps[self.sequences.starts]

    def followed(self) -> Windows:
        """Those that are followed by all steps, with or without NaN."""
        return self.take(self.rows.place[self.ends] + self.steps < self.rows.sizes[self.code])

    def before(self, cutoff: float) -> Windows:
        """Those that are followed by all steps before a time."""
        windows = self.followed()
        return windows.take(self.rows.time[windows.ends + self.steps] < cutoff)

    def behind(self, cutoff: float) -> Windows:
        """Those that are followed by all steps, from a time on."""
        windows = self.followed()
        return windows.take(self.rows.time[windows.ends + 1] >= cutoff)

    def by_row(self, values: np.ndarray, *, together: bool) -> np.ndarray:
        """Arrange values of the steps behind each window by the row with which they are known.

        Parameters
        ----------
        values : ndarray of shape (n_windows, steps, n_targets)
            Values of the steps behind each window.
        together : bool
            Whether all of them are known with the last step, as those of windows which hold
            covariates of all steps; else each with its own.

        Returns
        -------
        ndarray of shape (n_rows, steps, n_targets)
            For each row, the value of each step ahead; NaN where no window has one.
        """
        result = np.full((len(self.rows.time), *values.shape[1:]), np.nan)
        left = self.rows.sizes[self.code] - self.rows.place[self.ends]
        for step in range(self.steps):
            known = self.steps if together else step + 1
            inside = known < left
            result[self.ends[inside] + known, step] = values[inside, step]
        return result

    def one_by_one(self) -> Sequences:
        """The windows of each target by itself: all of the first target, then of the second."""
        given, n_targets = self.sequences, self.rows.n_targets
        others = given.values[:, n_targets:]
        categories = {k - n_targets + 1: values for k, values in given.categories.items()}
        values = [np.hstack([given.values[:, [k]], others]) for k in range(n_targets)]
        which = np.repeat(np.arange(n_targets), len(self.ends))
        return Sequences(
            np.concatenate(values),
            np.tile(given.starts, n_targets) + which * len(given.values),
            np.tile(given.lengths, n_targets),
            np.tile(given.series, n_targets) + which * len(self.rows.sizes),
            categories=categories,
        )


def make_windows(
    rows: SeriesRows,
    local: LocalUnits,
    future: list[int],
    window_size: int,
    steps: int,
    least: int | None = None,
) -> Windows:
    """Make the lookback windows of a panel, as views of its rows.

    Parameters
    ----------
    rows : SeriesRows
        Targets and covariates.
    local : LocalUnits
        Units of the targets.
    future : list of int
        Covariates whose future values are known: columns of `rows`. A window holds their values of
        the steps behind it.
    window_size : int
        Number of rows. Missing rows in front of a series are 0: as their anchor.
    steps : int
        Number of steps behind each window.
    least : int, default=None
        Number of rows of the shortest windows. `None`: full ones; in a series of fewer than three
        full windows a third of its rows.

    Returns
    -------
    Windows
        Of each row which has enough rows before it.
    """
    shortest = np.clip(rows.sizes // 3 if least is None else least, 1, window_size)
    padding = np.broadcast_to(window_size - shortest, rows.sizes.shape)
    code, place = rows.code, rows.place
    position = np.arange(len(code)) + np.cumsum(padding)[code]
    coming = [
        rows.ahead(np.arange(len(code)), step + 1)[:, future]
        for step in range(steps - 1, -1, -window_size)
        if future
    ]
    others = np.hstack([rows.values[:, rows.n_targets :], *coming])
    table = np.zeros((len(code) + padding.sum(), rows.n_targets + others.shape[1]))
    table[position] = np.hstack([local.anchored, others])
    before = np.repeat(rows.starts, padding)  # covariates of padding: those of the first row
    is_padding = np.ones(len(table), dtype=bool)
    is_padding[position] = False
    table[is_padding, rows.n_targets :] = others[before]
    ends = np.flatnonzero(place + 1 + padding[code] >= window_size)
    starts = position[ends] - window_size + 1
    columns = [*range(rows.n_targets, rows.values.shape[1]), *future * len(coming)]
    kinds = {
        rows.n_targets + place: rows.categories[column - rows.n_targets]
        for place, column in enumerate(columns)
        if column - rows.n_targets in rows.categories
    }
    lengths = np.full(len(ends), window_size)
    sequences = Sequences(table, starts, lengths, code[ends], categories=kinds)
    return Windows(rows, local, sequences, ends, steps)
