"""Transforms of targets: logarithms, or a transformer of scikit-learn, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from sklstm._tables.panel import Panel
from sklstm._tables.series_rows import SeriesRows

__all__ = ["LOGARITHMS", "TargetTransform"]

LOGARITHMS: dict[str, tuple[Callable, Callable, str]] = {
    "log": (np.log, np.exp, "needs numbers above 0: choose transform='log1p' if they are counts"),
    "log1p": (
        lambda y: np.log1p(np.where(y < 0, np.nan, y)),
        np.expm1,
        "needs numbers that are not negative: choose another transform",
    ),
}
"""Transform, inverse, and what to do about other numbers."""

CLOSE = 0.01
"""Mean absolute error of the way there and back, in standard deviations, of a transformer that
interpolates, such as QuantileTransformer."""


ROUNDING = 1e-6
"""Bounds so near to a count are that count."""


class TargetTransform(NamedTuple):
    """Turns targets into what is forecast, and forecasts back into targets.

    Attributes
    ----------
    fitted : str, transformer or None
        Name in `LOGARITHMS`, or a transformer that is fitted to the columns of the targets.
    fill : ndarray of shape (n_targets,)
        Targets in place of missing ones, which transformers refuse.
    limits : ndarray of shape (2, n_targets)
        Smallest and largest value so far, transformed.
    least : float
        No target is smaller: 0 for counts and amounts.
    whole : bool
        Whether targets are counts: bounds and paths are whole numbers. Errors of small counts have
        few values, and a width a little below one of them would not hold it.
    """

    fitted: Any
    fill: np.ndarray
    limits: np.ndarray
    least: float
    whole: bool

    @classmethod
    def learn(cls, transform: Any, rows: SeriesRows, positive: bool) -> TargetTransform:
        """Fit to training rows.

        Parameters
        ----------
        transform : str, transformer or None
            As `fitted`; a transformer is cloned.
        rows : SeriesRows
            Those of training alone.
        positive : bool
            Whether the estimator takes no negative targets.

        Raises
        ------
        ValueError
            If the transformer does not find the way back.
        """
        n = rows.n_targets
        least = 0.0 if positive or isinstance(transform, str) else -np.inf
        y = rows.y[np.isfinite(rows.y).all(axis=1)]
        whole = positive and len(y) > 0 and bool((y == y.round()).all())
        blank = cls(transform, np.ones(n), np.full((2, n), np.nan), least, whole)
        if transform is None or (isinstance(transform, str) and not len(y)):
            return blank
        if not len(y):
            raise ValueError(
                f"transform={transform!r} has no row to be fitted to: none before the calibration "
                "set has all targets. Give more rows, or choose a smaller calibration_fraction."
            )
        if not isinstance(transform, str):
            blank = blank._replace(fitted=clone(transform).fit(y), fill=y[0])
        there = blank._forward(y)
        blank = blank.seen(there)
        missed = np.nanmean(np.abs(blank.inverse(there) - y), axis=0)
        if (missed > CLOSE * y.std(axis=0) + 1e-9 * np.abs(y).max(axis=0)).any():
            raise ValueError(
                f"transform={transform!r} does not find the way back: its inverse_transform gives "
                f"{blank.inverse(there)[0]} for {y[0]}. A FunctionTransformer needs inverse_func."
            )
        return blank

    def seen(self, values: np.ndarray) -> TargetTransform:
        """Extend the limits to transformed values, (n, n_targets)."""
        both = np.vstack([self.limits, np.where(np.isfinite(values), values, np.nan)])
        return self._replace(limits=np.stack([np.fmin.reduce(both), np.fmax.reduce(both)]))

    def applied(self, panel: Panel) -> Panel:
        """Transform the targets of a panel.

        Raises
        ------
        ValueError
            If a target has no transformed value.
        """
        if self.fitted is None:
            return panel
        y = panel.rows.y
        there = self._forward(y)
        wrong = np.argwhere(np.isfinite(y) & ~np.isfinite(there))
        if len(wrong):
            row, column = wrong[0]
            self._refuse(panel, row, column)
        values = panel.rows.values.copy()
        values[:, : panel.rows.n_targets] = there
        return panel._replace(rows=panel.rows._replace(values=values))

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Turn transformed targets back, (..., n_targets); at least `least`.

        What the inverse has no number for, beyond the end of its range, is that of the nearest
        training value.
        """
        if self.fitted is not None:
            flat = values.reshape(-1, values.shape[-1])
            back = self._back(flat)
            lost = np.isfinite(flat) & ~np.isfinite(back)
            if lost.any():
                back = np.where(lost, self._back(np.clip(flat, *self.limits)), back)
            values = back.reshape(values.shape)
        return np.maximum(values, self.least)

    def paths(self, point: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Turn paths around a forecast back; counts to the nearest whole number."""
        paths = self._around(point, values)
        return paths.round() if self.whole else paths

    def _around(self, point: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Turn back what is around a forecast, no further from it than training values are apart.

        Series share residuals in units of their spread: the largest of a smooth series, in the
        unit of a noisy one, are far beyond it, and an inverse such as exp has no bounds.
        """
        if self.fitted is not None:
            reach = self.limits[1] - self.limits[0]
            values = np.clip(values, point - reach, point + reach)
        return self.inverse(values)

    def interval(
        self, point: np.ndarray, lower: np.ndarray, upper: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Turn both ends back, whose order a falling transform changes."""
        ends = self._around(point, lower), self._around(point, upper)
        lower, upper = np.minimum(*ends), np.maximum(*ends)
        if self.whole:
            lower, upper = np.floor(lower + ROUNDING), np.ceil(upper - ROUNDING)
        return lower, upper

    def original(self, rows: SeriesRows) -> SeriesRows:
        """Turn transformed rows back."""
        others = rows.values[:, rows.n_targets :]
        return rows._replace(values=np.hstack([self.inverse(rows.y), others]))

    def _forward(self, y: np.ndarray) -> np.ndarray:
        named = isinstance(self.fitted, str)
        transform = LOGARITHMS[self.fitted][0] if named else self.fitted.transform
        return _of_known(transform, y, self.fill)

    def _back(self, values: np.ndarray) -> np.ndarray:
        named = isinstance(self.fitted, str)
        inverse = LOGARITHMS[self.fitted][1] if named else self.fitted.inverse_transform
        return _of_known(inverse, values, self.limits[0])

    def _refuse(self, panel: Panel, row: int, column: int) -> None:
        name = panel.rows.names[panel.rows.code[row]]
        of = "" if name is None else f" of series {name!r}"
        cure = "has no number for it: choose another transform"
        if isinstance(self.fitted, str):
            cure = LOGARITHMS[self.fitted][2]
        raise ValueError(
            f"{panel.targets[column]} is {panel.rows.y[row, column]:g} at "
            f"{panel.timestamps[row]}{of}, and transform={self.fitted!r} {cure}."
        )


def _of_known(function: Callable, values: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Apply to a table, with NaN where it has some."""
    missing = np.isnan(values)
    with np.errstate(all="ignore"):
        found = np.asarray(function(np.where(missing, fill, values)), dtype=float)
    return np.where(missing, np.nan, found)
