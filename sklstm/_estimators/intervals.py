"""Widths of prediction intervals: from residuals of each step ahead, adapted as rows arrive."""

from __future__ import annotations

from bisect import bisect_left, insort
from math import ceil
from typing import NamedTuple, Self

import numpy as np

__all__ = ["AdaptiveInterval", "first_intervals"]

ENOUGH_RESIDUALS = 50
"""A series with fewer residuals in the calibration set begins with those of all series."""

LEAST_KEPT = 100
"""So many residuals are kept as rows arrive, or as many as the calibration set had, if more."""

RATE, REFERENCE = 0.03, 0.9
"""Learning rate of the width, and the coverage whose errors move it."""


class AdaptiveInterval(NamedTuple):
    """Adaptive conformal intervals of one series: its residuals, and a factor of their quantiles.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, steps, n_targets)
        Residuals of each row, newest last; NaN where there was no forecast.
    size : int
        How many rows are kept.
    log_width : ndarray of shape (steps, n_targets)
        Logarithm of the factor of the width.
    issued : ndarray of shape (steps, steps, n_targets)
        Half widths with `REFERENCE` coverage at the newest origins, whose actual values are not
        all known yet.
    """

    rows: np.ndarray
    size: int
    log_width: np.ndarray
    issued: np.ndarray

    @classmethod
    def begin(cls, rows: np.ndarray) -> Self:
        """Begin with the residuals of a first model."""
        width = conformal_quantile(rows, REFERENCE)
        issued = np.broadcast_to(width, (len(width), *width.shape))
        return cls(rows, max(len(rows), LEAST_KEPT), np.zeros(width.shape), issued)

    def width(self, coverage: float) -> np.ndarray:
        """Half widths of the next steps, (steps, n_targets)."""
        return conformal_quantile(self.rows, coverage) * np.exp(self.log_width)

    def update(
        self, arrived: np.ndarray, coverage: float = REFERENCE
    ) -> tuple[AdaptiveInterval, np.ndarray]:
        """Adapt to the residuals of rows that have arrived.

        Parameters
        ----------
        arrived : ndarray of shape (n_arrived, steps, n_targets)
            Their residuals.
        coverage : float, default=REFERENCE
            Nominal coverage of the widths that are returned.

        Returns
        -------
        interval : AdaptiveInterval
            With the newest rows.
        widths : ndarray of shape (n_arrived + 1, steps, n_targets)
            Half widths before each row, and behind the last.
        """
        rows = np.concatenate([self.rows, arrived])
        reference = self._newest_quantiles(rows, REFERENCE)
        issued = np.concatenate([self.issued, reference[1:]])
        log_width = np.repeat(self.log_width[None], len(reference), axis=0)
        step = np.arange(rows.shape[1])
        for row, missed in enumerate(np.abs(arrived)):
            width = issued[len(step) - 1 + row - step, step]
            change = (missed > width) - (1 - REFERENCE)
            is_known = np.isfinite(missed) & np.isfinite(width)
            log_width[row + 1] = log_width[row] + np.where(is_known, RATE * change, 0)
            issued[len(step) + row] *= np.exp(log_width[row + 1])
        wanted = self._newest_quantiles(rows, coverage)
        newest = rows[-self.size :], self.size, log_width[-1], issued[-len(step) :]
        return AdaptiveInterval(*newest), wanted * np.exp(log_width)

    def _newest_quantiles(self, rows: np.ndarray, coverage: float) -> np.ndarray:
        """Of the kept rows before each arrival, and behind the last."""
        columns = np.abs(rows).reshape(len(rows), -1).T
        found = [newest_quantiles(column.tolist(), self.size, coverage) for column in columns]
        return np.transpose(found)[len(self.rows) - 1 :].reshape(-1, *rows.shape[1:])


def first_intervals(scores: dict) -> dict:
    """Begin with the residuals of each series, and with those of all where they are few."""
    intervals = {}
    for name, mine in scores.items():
        few = len(mine) < ENOUGH_RESIDUALS
        others = [rows for other, rows in scores.items() if few and other != name]
        intervals[name] = AdaptiveInterval.begin(np.concatenate([*others, mine]))
    return intervals


def conformal_quantile(rows: np.ndarray, coverage: float) -> np.ndarray:
    """Of absolute residuals, (steps, n_targets), as `newest_quantiles`; NaN if there are none."""
    ordered = np.sort(np.abs(rows), axis=0)  # NaN is last
    n = np.isfinite(ordered).sum(axis=0)
    rank = np.minimum(np.ceil((n + 1) * coverage), n).astype(int)
    return np.take_along_axis(ordered, rank[None] - 1, axis=0)[0]


def newest_quantiles(values: list[float], size: int, coverage: float) -> list[float]:
    """Conformal quantile of the newest values, after each one.

    Parameters
    ----------
    values : list of float
        Not negative; NaN is passed over.
    size : int
        How many values count.
    coverage : float
        Probability of the next value to lie below.

    Returns
    -------
    list of float
        The ``ceil((n + 1) * coverage)``-th smallest of n, or the largest; NaN if there is none.

    Examples
    --------
    >>> newest_quantiles([1.0, 4.0, 2.0, 3.0], 3, 0.5)
    [1.0, 4.0, 2.0, 3.0]
    """
    newest: list[float] = []
    found = []
    for row, value in enumerate(values):
        if value == value:
            insort(newest, value)
        if row >= size and values[row - size] == values[row - size]:
            del newest[bisect_left(newest, values[row - size])]
        rank = min(ceil((len(newest) + 1) * coverage), len(newest))
        found.append(newest[rank - 1] if newest else np.nan)
    return found
