"""The choice of the unit of windows: by ridge regressions, on rows that they have not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sklstm._data.categories import one_hot
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.window_units import PanelUnit, Unit, inner_range
from sklstm._tables.windows import Windows, make_windows

__all__ = ["choose_unit", "clustered_error"]

MOST_WINDOWS = 20_000
"""So many windows learn, and so many judge, at most: a ridge of 24 lags needs no more."""

PENALTY = 1e-3
"""Of the ridge that judges, in mean squares of the lags."""

STRICT = 2.0
"""Standard errors by which a single series has to lead. On 50 random walks of 500 rows, forecasts
of one step had 1.07 of the squared error of the last value with 1, and 1.01 with 2, the worst 1.47
and 1.25."""

UNLIKE = 0.25
"""Variance of the logarithms of spreads from which on each series has its own scale by default: the
largest series decide else what all of them learn. Yearly series of M3 have 0.43, and the choice is
within one standard error: MASE 3.19 without a scale, 2.75 with. Random walks have 0.02 or less."""

MOST_LAGS = 256
"""So many lags of all values of a category at most; of more values each has an intercept alone. On
48 series of 50 rows of three kinds with the laws ``0.9``, ``-0.9`` and ``0`` of the last value, the
squared error of a network with a noise of 1 was 1.5 and 3.5 with intercepts alone, 1.2 and 1.3 with
lags (seeds 0 and 1)."""

UNTENABLE = 0.5
"""A refit changes the unit for one with less than so much of the error, as after a level shift.
Many refits look for a lead many times: with the leads that a first fit asks for, hourly loads
(ETTh1, HUFL) changed once in 12 refits, erred no less, and the network had to learn anew."""

LEAST_CLUSTERS = 30
"""Fewer series, or blocks of dates, give no standard error to go by."""


def choose_unit(
    rows: SeriesRows,
    window_size: int,
    steps: int,
    season: int,
    fit_until: float,
    cutoff: float,
    earlier: Unit | None = None,
) -> Unit:
    """Choose anchor and scale: the last value, or what is clearly better.

    The default is without a scale, if changes of all series are of about the same size. In a refit
    it is the earlier choice.

    Parameters
    ----------
    rows : SeriesRows
        Training rows.
    window_size, steps, season : int
        Number of rows of a window, of steps behind it, and of a season.
    fit_until : float
        Time before which the ridge regressions learn, if series are long enough.
    cutoff : float
        Time before which they are judged: a single series by squared errors, which they minimise;
        several by absolute errors in mean absolute changes of the series so far, over a season if
        there is one, and outliers count as the largest of the others.
    earlier : Unit, default=None
        That of an earlier fit, which stays unless another has less than half of its error too.

    Returns
    -------
    Unit
        A candidate only if its mean error is lower than that of those before it, by more than one
        standard error over series and over dates, or two of a single series.
    """
    reference = Unit("season" if season > 1 else "last", "none", season)
    whole = PanelUnit.learn(rows, reference)
    common = whole.common  # of each target
    variance = np.log(whole.measure(rows).spread[rows.ends - 1]).var(axis=0).mean()
    kinds = rows.categories
    codes = rows.values[:, [rows.n_targets + k for k in kinds]]
    rows = rows._replace(
        values=np.hstack([rows.y / common, codes]), categories=dict(enumerate(kinds.values()))
    ).one_by_one()
    early = rows.until(fit_until)
    spread = PanelUnit.learn(early, reference).measure(rows).spread[:, 0]
    n_series = len(rows.sizes) // len(common)
    candidates = list(_candidates(season, n_series, variance))
    candidates.sort(key=lambda unit: unit != earlier)
    best, least = candidates[0], np.zeros(0)
    by_series = len(early.time) < len(early.sizes) * (window_size + steps)
    for unit in candidates:
        panel = PanelUnit.learn(early if len(early.time) else rows, unit)
        windows = make_windows(rows, panel.measure(rows), [], window_size, steps)
        judged = _judged(windows.before(cutoff), fit_until, by_series)
        if judged is None:
            continue
        missed, judges = judged
        errors = (missed / spread[judges.ends, None]) ** (2 if n_series == 1 else 1)
        errors = errors.mean(axis=1)
        lead = least - errors if len(least) else 0 * errors
        if n_series > 1:
            lead = np.clip(lead, *inner_range(lead[:, None])[:, 0])
        error = clustered_error(lead, judges.code, judges.dates())
        leads = lead.mean() > error * (STRICT if n_series == 1 else 1)
        if earlier is not None:
            leads = leads and errors.mean() < UNTENABLE * least.mean()
        if unit == best or leads:
            best, least = unit, errors
    return best


def _judged(
    windows: Windows, fit_until: float, by_series: bool
) -> tuple[np.ndarray, Windows] | None:
    """Absolute errors of the forecasts behind late windows, and these windows.

    The ridge regressions learn from windows before them; where series are too short for that, from
    all windows of other series, each half of the series judging the other.
    """
    unit = windows.local.panel.unit
    learners, late = windows.before(fit_until), windows.behind(fit_until)
    folds = [(learners, late)]
    if by_series:
        folds = [
            (windows.take(windows.code % 2 != half), late.take(late.code % 2 == half))
            for half in (0, 1)
        ]
    missed, judges = [], []
    for learners, late in folds:
        if unit.anchor == "season":
            learners = learners.take(learners.rows.place[learners.ends] >= unit.season)
        learners, late = _thinned(learners), _thinned(late)
        if not len(learners.ends) or not len(late.ends):
            return None
        errors = np.abs(late.actual() - _Ridge.fit(learners).predict(late))
        missed.append(errors[..., 0])
        judges.append(late.ends)
    return np.concatenate(missed), windows._replace(ends=np.concatenate(judges))


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
        Clusters that are too few, such as one block of dates, add their part: 1 / n of variance.
    """
    errors, unseen = [], 1.0
    for code in clusters:
        _, code = np.unique(code, return_inverse=True)
        sums = np.bincount(code, values - values.mean())
        n = len(sums)
        if n >= LEAST_CLUSTERS:
            errors.append(np.sqrt((sums**2).sum() * n / (n - 1)) / len(values))
        else:
            unseen += 1 / n
    return np.sqrt(unseen) * max(errors, default=np.inf)


def _candidates(season: int, n_series: int, variance: float) -> Iterator[Unit]:
    """The default first. The scale of a single series changes nothing."""
    scales = ["none", "spread", "size"] if variance < UNLIKE else ["spread", "none", "size"]
    for anchor in ["last", "season", "mean"] if season > 1 else ["last", "mean"]:
        yield from (Unit(anchor, scale, season) for scale in scales[: 3 if n_series > 1 else 1])


def _thinned(windows: Windows) -> Windows:
    """At most `MOST_WINDOWS` windows, evenly spread, of those whose steps are known."""
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
    """The lags of the target, and for each category that the last row may have lags of its own."""
    dense = windows.sequences.to_dense()
    lags = np.nan_to_num(dense[..., 0])
    parts = [lags]
    for k, values in windows.sequences.categories.items():
        which = one_hot(dense[:, -1, k], len(values))
        parts.append(which)
        if lags.shape[1] * len(values) <= MOST_LAGS:
            parts.append((which[:, :, None] * lags[:, None]).reshape(len(lags), -1))
    return np.hstack(parts)
