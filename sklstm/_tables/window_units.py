"""The unit of a window: an anchor and a scale that never saw what follows the window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._tables.series_rows import SeriesRows

__all__ = ["History", "LocalUnits", "PanelUnit", "Unit", "inner_range"]

OUTLIER = 2.0
"""Values in units of their own series are clipped so many half ranges, from the tenth to the
ninetieth percentile, away from the median: 2.6 standard deviations of normal ones. A series that
changed little so far would else outweigh all others: yearly series of M3, ridge, sMAPE 17.1
without, 16.7, 16.4, 16.2 with 3, 2, 1.5; quarterly 9.7, and 9.6, 9.5, 9.6; yearly ones of the
Tourism set, MASE 3.07, and 2.78, 2.72, 2.68."""

LEAST_SPREAD = 1e-3
"""Spread of a series which has never changed, as a part of the panel's."""


class Unit(NamedTuple):
    """What values are measured against.

    Attributes
    ----------
    anchor : {"last", "season", "mean", "none"}
        What is subtracted: the last known value, that of a season before, the mean of the series
        so far, or nothing, for estimators that take no negative targets.
    scale : {"none", "spread", "size"}
        What the rest is divided by: one number for the whole panel; or one of each series so far:
        its mean absolute change from the anchor, or its mean absolute value.
    season : int
        Rows of a season.
    """

    anchor: str = "last"
    scale: str = "none"
    season: int = 1

    def __str__(self) -> str:
        return self.anchor if self.scale == "none" else f"{self.anchor}, {self.scale}"


class Spreads(NamedTuple):
    """How spreads differ between series, so that those of short ones are shrunk to the panel's.

    Attributes
    ----------
    mean, variance : ndarray of shape (n_targets,)
        Of the logarithms of the spreads of all series; the variance without that of estimation.
    power : ndarray of shape (n_targets,)
        1 if spreads are compared as parts of the mean absolute value of their series, else 0:
        what differs less.
    """

    mean: np.ndarray
    variance: np.ndarray
    power: np.ndarray

    @classmethod
    def learn(cls, spread: np.ndarray, size: np.ndarray, count: np.ndarray) -> Spreads:
        """From the spread and size of each series, (n_series, n_targets), of so many changes."""
        known = (spread > 0) & (size > 0) & (count > 0)
        n = np.maximum(known.sum(axis=0), 1)
        noise = np.where(known, 1 / np.maximum(count, 1), 0).sum(axis=0) / n
        means, variances = [], []
        for power in (0, 1):
            logs = np.log(np.where(known, spread / np.where(known, size, 1) ** power, 1))
            means.append(logs.sum(axis=0) / n)
            spent = (np.where(known, logs - means[-1], 0) ** 2).sum(axis=0) / n
            variances.append(np.maximum(spent - noise, 0))
        best = np.argmin(variances, axis=0)
        column = np.arange(len(n))
        return cls(np.array(means)[best, column], np.array(variances)[best, column], best)

    def shrunk(self, spread: np.ndarray, size: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Shrink spreads of so many changes to the mean of the panel, on a logarithmic scale.

        The squared error of the logarithm of the mean of n absolute changes is about 1 / n: 0.57 /
        n for independent normal ones, more for heavier tails.
        """
        own = self.variance / (self.variance + 1 / np.maximum(count, 0.5))
        of_panel = np.exp(self.mean) * np.where(size > 0, size, 1) ** self.power
        ratio = np.maximum(spread / of_panel, LEAST_SPREAD)
        return of_panel * ratio**own


class History(NamedTuple):
    """What is known of the rows of a series up to one of them: arrays (n, n_targets).

    Attributes
    ----------
    last : ndarray
        Last known value; NaN if there is none.
    n_known, total, size : ndarray
        Number of known values, their sum, and that of their absolute values.
    n_changes, change : ndarray
        Number of known differences from the anchor, and the sum of their absolute values.
    """

    last: np.ndarray
    n_known: np.ndarray
    total: np.ndarray
    size: np.ndarray
    n_changes: np.ndarray
    change: np.ndarray

    @classmethod
    def none(cls, n_series: int, n_targets: int) -> History:
        """Before the first row of each series."""
        empty = np.zeros((n_series, n_targets))
        return cls(np.full_like(empty, np.nan), *[empty] * 5)

    def take(self, rows: np.ndarray) -> History:
        """Select rows."""
        return History(*(part[rows] for part in self))

    def mean(self, sums: np.ndarray) -> np.ndarray:
        """Divide sums by the number of values; NaN if there is none."""
        return np.where(self.n_known > 0, sums / np.maximum(self.n_known, 1), np.nan)


class PanelUnit(NamedTuple):
    """A unit, and the numbers of the whole panel that it needs: (n_targets,) each.

    Attributes
    ----------
    unit : Unit
        Anchor and scale.
    spreads : Spreads
        Those of all series.
    common : ndarray
        Root mean square of all anchored values, in units of their local scale.
    limits : ndarray of shape (2, n_targets)
        Anchored values beyond are clipped.
    """

    unit: Unit
    spreads: Spreads
    common: np.ndarray
    limits: np.ndarray

    @classmethod
    def learn(cls, rows: SeriesRows, unit: Unit) -> PanelUnit:
        """From the training rows."""
        known = np.isfinite(rows.y)
        nothing = np.zeros(rows.n_targets)
        limits = np.stack([nothing - np.inf, nothing + np.inf])
        panel = cls(unit, Spreads(nothing, nothing, nothing), nothing + 1, limits)
        ends = panel.measure(rows).seen.take(rows.starts + rows.sizes - 1)
        change = ends.change / np.maximum(ends.n_changes, 1)
        spreads = Spreads.learn(change, ends.mean(ends.size), ends.n_changes)
        panel = panel._replace(spreads=spreads)
        anchored = panel.measure(rows).anchored
        if unit.scale != "none":
            limits = inner_range(anchored)
            anchored = np.clip(anchored, *limits)
        square = np.nansum(anchored**2, axis=0) / np.maximum(known.sum(axis=0), 1)
        common = np.where((square > 0) & (unit.anchor != "none"), np.sqrt(square), 1.0)
        return panel._replace(common=common, limits=limits / common)

    def measure(self, rows: SeriesRows, before: History | None = None) -> LocalUnits:
        """Find anchor and scale at every row of a panel, from the rows up to it.

        Parameters
        ----------
        rows : SeriesRows
            Of the targets of the training rows.
        before : History of n_series rows, default=None
            What was before the first row of each series. `None`: nothing.

        Returns
        -------
        LocalUnits
            At every row.
        """
        y, code, season = rows.y, rows.code, self.unit.season
        before = before or History.none(len(rows.sizes), rows.n_targets)

        def so_far(values: np.ndarray, start: np.ndarray) -> np.ndarray:
            """Sums within a series: they do not lose the digits of small series to large ones."""
            return pd.DataFrame(values).groupby(code).cumsum().to_numpy() + start[code]

        last = pd.DataFrame(y).groupby(code).ffill().to_numpy()
        last = np.where(np.isnan(last), before.last[code], last)
        known = np.isfinite(y)
        value = np.where(known, y, 0)
        n_known, total = so_far(known * 1.0, before.n_known), so_far(value, before.total)
        size = so_far(np.abs(value), before.size)
        seen = History(last, n_known, total, size, n_known, size)
        first = np.repeat(rows.starts, rows.sizes)
        local = LocalUnits(self, first, seen, y, y, y)
        at = np.arange(len(y))
        anchor = local.anchor(at - 1, 1)
        opening = at == first
        start = LocalUnits(self, np.arange(len(rows.sizes)), before, y, y, y)
        anchor[opening] = start.anchor(code[opening], 0)
        change = y - np.where(np.isnan(anchor), y, anchor)
        counts = np.isfinite(y - anchor)
        if self.unit.anchor == "season":  # the first rows have no season before them
            counts &= (rows.place >= season)[:, None]
        n_changes = so_far(counts * 1.0, before.n_changes)
        sums = so_far(np.where(counts, np.abs(change), 0), before.change)
        seen = seen._replace(n_changes=n_changes, change=sums)
        spread = sums / np.maximum(n_changes, 1)
        spread = self.spreads.shrunk(spread, seen.mean(size), n_changes)
        scales = {"none": np.ones_like(y), "spread": spread, "size": seen.mean(size)}
        scale = self.common * scales[self.unit.scale]
        scale = np.where(scale > 0, scale, 1.0)
        anchored = np.clip(change / scale, *self.limits)
        return LocalUnits(self, first, seen, spread, scale, anchored)


class LocalUnits(NamedTuple):
    """Anchor and scale at every row of a panel, as known there: arrays (n_rows, n_targets).

    Attributes
    ----------
    panel : PanelUnit
        The unit.
    first : ndarray of int, shape (n_rows,)
        First row of the series of each row.
    seen : History
        Of the rows up to each one.
    spread : ndarray
        Mean absolute change of the series so far, shrunk to that of the panel.
    scale : ndarray
        What values behind the row are divided by.
    anchored : ndarray
        Every value, less the anchor as known a row before, in units of the scale.
    """

    panel: PanelUnit
    first: np.ndarray
    seen: History
    spread: np.ndarray
    scale: np.ndarray
    anchored: np.ndarray

    def anchor(self, rows: np.ndarray, step: int) -> np.ndarray:
        """Anchors of the values so many steps behind the rows, as known there."""
        kind, season = self.panel.unit.anchor, self.panel.unit.season
        if kind == "none":
            return np.zeros_like(self.seen.last[rows])
        if kind == "mean":
            return self.seen.mean(self.seen.total)[rows]
        if kind == "season":
            seasons_back = season * -(-step // season)
            rows = np.maximum(rows + step - seasons_back, self.first[rows])
        return self.seen.last[rows].copy()

    def before_tail(self, rows: SeriesRows, n_rows: int, before: History) -> History:
        """What is known before the last rows of each series, to measure them alone.

        Parameters
        ----------
        rows : SeriesRows
            The rows of these units.
        n_rows : int
            How many rows of each series are kept.
        before : History of n_series rows
            What was known before all rows.
        """
        first = rows.ends - n_rows
        whole, row = first <= rows.starts, np.maximum(first - 1, 0)
        skipped = self.panel.unit.season if self.panel.unit.anchor == "season" else 0
        seen = self.seen.take(row)
        counted = self.seen.take(np.minimum(row + skipped, len(rows.time) - 1))
        seen = seen._replace(n_changes=counted.n_changes, change=counted.change)
        parts = zip(before, seen, strict=True)
        return History(*(np.where(whole[:, None], old, new) for old, new in parts))

    def anchors(self, rows: np.ndarray, steps: int) -> np.ndarray:
        """Of all steps, (n, steps, n_targets)."""
        return np.stack([self.anchor(rows, step) for step in range(1, steps + 1)], axis=1)


def inner_range(values: np.ndarray) -> np.ndarray:
    """Lowest and highest value of each column that is no outlier, (2, n_columns)."""
    known = np.isfinite(values).any(axis=0)
    values = np.where(known, values, 0)
    low, middle, high = np.nanquantile(values, [0.1, 0.5, 0.9], axis=0)
    reach = OUTLIER * (high - low) / 2
    return np.stack([middle - reach, middle + reach])
