"""The choice of the unit of windows: by ridge regressions, on rows that they have not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.window_units import PanelUnit, Unit
from sklstm._tables.windows import Windows, make_windows

__all__ = ["choose_unit", "clustered_error"]

MOST_WINDOWS = 20_000
"""So many windows learn, and so many judge, at most: a ridge of 24 lags needs no more."""

PENALTY = 1e-3
"""Of the ridge that judges, in mean squares of the lags."""

LEAST_CLUSTERS = 30
"""Fewer series, or blocks of dates, give no standard error to go by."""


def choose_unit(
    rows: SeriesRows, window_size: int, steps: int, season: int, learnt: int, cutoff: float
) -> Unit:
    """Choose anchor and scale: the last value without a scale, or what is clearly better.

    Parameters
    ----------
    rows : SeriesRows
        Training rows.
    window_size, steps, season : int
        Number of rows of a window, of steps behind it, and of a season.
    learnt : int
        Time before which the ridge regressions learn.
    cutoff : float
        Time before which they are judged, by absolute errors in mean absolute changes of the
        series, over a season if there is one.

    Returns
    -------
    Unit
        A candidate only if its mean error is lower than that of those before it, by more than one
        standard error over series and over dates.
    """
    rows = rows.one_by_one()
    rows = rows._replace(values=rows.y)
    in_scale = rows.naive_errors(season, learnt)[:, 0]
    best, least = Unit(season=season), np.zeros(0)
    for unit in _candidates(season, len(rows.sizes)):
        panel = PanelUnit.learn(rows.until(learnt), unit)
        windows = make_windows(rows, panel.measure(rows), [], window_size, steps)
        learners, judges = windows.before(learnt), windows.behind(learnt).before(cutoff)
        if unit.anchor == "season":
            learners = learners.take(rows.place[learners.ends] >= season)
        learners = _thinned(learners)
        judges = _thinned(judges.take(np.isfinite(in_scale[judges.code])))
        if not len(learners.ends) or not len(judges.ends):
            continue
        missed = np.abs(judges.actual() - _Ridge.fit(learners).predict(judges))[..., 0]
        errors = missed.mean(axis=1) / in_scale[judges.code]
        lead = least - errors if len(least) else 0 * errors
        if unit == best or lead.mean() > clustered_error(lead, judges.code, judges.dates()):
            best, least = unit, errors
    return best


def clustered_error(values: np.ndarray, *clusters: np.ndarray) -> float:
    """Standard error of a mean of values that depend on each other within clusters.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Values.
    *clusters : ndarrays of int, shape (n,)
        The cluster of each value, in one or more ways.

    Returns
    -------
    float
        The largest of the standard errors over these clusters; inf if none has enough of them.
    """
    errors = []
    for code in clusters:
        _, code = np.unique(code, return_inverse=True)
        sums = np.bincount(code, values - values.mean())
        if len(sums) >= LEAST_CLUSTERS:
            errors.append(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(values))
    return max(errors, default=np.inf)


def _candidates(season: int, n_series: int) -> Iterator[Unit]:
    """The default first. The scale of a single series changes nothing."""
    scales = ["none", "spread", "size"] if n_series > 1 else ["none"]
    for anchor in ["last", "season", "mean"] if season > 1 else ["last", "mean"]:
        yield from (Unit(anchor, scale, season) for scale in scales)


def _thinned(windows: Windows) -> Windows:
    """Every so manieth window, at most `MOST_WINDOWS`, if its steps are known."""
    windows = windows.take(
        np.arange(len(windows.ends))[:: -(-len(windows.ends) // MOST_WINDOWS) or 1]
    )
    return windows.take(np.isfinite(windows.actual()).all(axis=(1, 2)))


class _Ridge(NamedTuple):
    """A ridge regression of all steps on the lags of a single target."""

    mean: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray

    @classmethod
    def fit(cls, windows: Windows) -> _Ridge:
        lags, targets = _lags(windows), windows.targets()[..., 0]
        mean, intercept = lags.mean(axis=0), targets.mean(axis=0)
        products = (lags - mean).T @ (lags - mean)
        penalty = PENALTY * max(np.trace(products) / len(products), 1e-300)
        coef = np.linalg.solve(
            products + penalty * np.eye(len(products)), (lags - mean).T @ (targets - intercept)
        )
        return cls(mean, coef, intercept)

    def predict(self, windows: Windows) -> np.ndarray:
        """In the units of the user."""
        predicted = (_lags(windows) - self.mean) @ self.coef + self.intercept
        return predicted[..., None] * windows.scales() + windows.anchors()


def _lags(windows: Windows) -> np.ndarray:
    return np.nan_to_num(windows.sequences.to_dense()[..., 0])
