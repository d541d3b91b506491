"""Widths of prediction intervals: from residuals of each step, adapted as rows arrive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sklstm._estimators.residual_paths import LEAST_PATHS, ResidualPaths, pick

__all__ = ["Intervals", "independent"]

LEAST_ORIGINS = 200
"""A series has intervals of its own residuals from so many forecast origins on. On a random walk,
90 % intervals of step 12 of 12 held 89 % with 200, and 86 % with 60."""

KNOTS = 1001, 32
"""Quantiles of absolute residuals that are kept of a panel, and of a series that has its own."""

LEVELS = 0.5, 0.8, 0.9, 0.95, 0.99
"""Coverages whose widths adapt, each to its own errors; others are between them. A single factor
for all held the coverage that moved it alone, as errors in calm times and in wild ones are not
distributed alike: 90 % and 80 % intervals of PM2.5, one hour ahead, held 90 % and 78 %."""

RATE = 0.1
"""Learning rate of the width of the first step. That of step s is divided by the root of s, as
errors are known s rows late (Joulani, György and Szepesvári, "Online Learning under Delayed
Feedback", ICML 2013). Where errors grow threefold at once, widths of the first step have followed
after some 30 rows; where nothing changes, they vary by a tenth."""

CHUNK = 200
"""Turns whose widths are computed at once."""


class Intervals(NamedTuple):
    """Adaptive conformal intervals: quantiles of absolute residuals, and a factor of them.

    A pool is a set of residuals: the first is that of all series, which those use that have too
    few of their own.

    Attributes
    ----------
    shared : ndarray of shape (n_knots, steps, n_targets)
        Evenly spaced quantiles of the first pool.
    own : ndarray of shape (n_pools - 1, n_knots, steps, n_targets)
        Those of the others.
    n_independent : ndarray of shape (n_pools, steps, n_targets)
        How many residuals are worth as much as those of overlapping forecasts.
    pool : ndarray of int, shape (n_series,)
        The pool of each series.
    log_width : ndarray of shape (steps, n_levels, n_pools, steps, n_targets)
        Logarithm of the factor of the width of each coverage in `LEVELS`, after each of the last
        `steps` turns: those with which forecasts were made that are still to be judged.
    paths : ResidualPaths
        Residuals of all steps together, of each pool.
    """

    shared: np.ndarray
    own: np.ndarray
    n_independent: np.ndarray
    pool: np.ndarray
    log_width: np.ndarray
    paths: ResidualPaths

    @classmethod
    def learn(cls, scores: np.ndarray, code: np.ndarray, n_series: int) -> Intervals:
        """From residuals of a first model.

        Parameters
        ----------
        scores : ndarray of shape (n_windows, steps, n_targets)
            Residuals in units that are comparable between series; NaN where one is unknown.
        code : ndarray of int, shape (n_windows,)
            Series of each.
        n_series : int
            Number of series.
        """
        sizes = np.abs(scores)
        whole = np.isfinite(scores).all(axis=(1, 2))
        origins = np.bincount(code[whole], minlength=n_series)
        least = max(LEAST_ORIGINS, LEAST_PATHS * scores.shape[1])
        with_own = np.flatnonzero(origins >= least)
        with_own = with_own if n_series > 1 else with_own[:0]
        known = np.zeros((n_series, *scores.shape[1:]))
        np.add.at(known, code, np.isfinite(scores))
        alone = independent(known)
        pool = np.zeros(n_series, dtype=int)
        pool[with_own] = 1 + np.arange(len(with_own))
        own = [_quantiles(sizes[code == series], KNOTS[1]) for series in with_own]
        count = np.concatenate([alone.sum(axis=0)[None], alone[with_own]])
        return cls(
            _quantiles(sizes, min(len(sizes), KNOTS[0])),
            np.array(own).reshape(len(own), KNOTS[1], *scores.shape[1:]),
            count,
            pool,
            np.zeros((scores.shape[1], len(LEVELS), *count.shape)),
            ResidualPaths.learn(scores, code, with_own, n_series),
        )

    def width(self, coverage: float, series: np.ndarray) -> np.ndarray:
        """Half widths of the next steps; NaN if there are too few residuals.

        Parameters
        ----------
        coverage : float
            Nominal coverage.
        series : ndarray of int, shape (n,)
            Which series; -1 for one that was not seen.

        Returns
        -------
        ndarray of shape (n, steps, n_targets)
            In units of the sides.
        """
        return self._width(coverage, self.log_width[-1][:, None])[0, self.pool_of(series)]

    def path_width(self, coverage: float, series: np.ndarray, steps: int) -> np.ndarray:
        """Half widths between which whole paths of so many steps lie; NaN if there are too few.

        Those of each step, times the quantile of the largest residual of a path in units of them.

        Parameters
        ----------
        coverage : float
            Share of the paths of a target, of which all steps lie inside.
        series : ndarray of int, shape (n,)
            As in `width`.
        steps : int
            Length of the paths.

        Returns
        -------
        ndarray of shape (n, steps, n_targets)
            In units of the sides.
        """
        pool, width = self.pool_of(series), self._quantile(coverage)[:, :steps]
        level = _level(self.n_independent[:, steps - 1], coverage)
        factor = np.full((len(width), 1, width.shape[2]), np.nan)
        for one in np.unique(pool):
            sizes = np.abs(self.paths.of(one)[:, :steps])
            if len(sizes):
                largest = (sizes / np.maximum(width[one], np.finfo(float).tiny)).max(axis=1)
                factor[one] = _at(np.sort(largest, axis=0), level[one, None])
        adapted = self._width(coverage, self.log_width[-1][:, None])[0, :, :steps]
        return (adapted * factor)[pool]

    def sample(
        self, n_paths: int, series: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Draw residuals of all steps and targets together, each path of a pool about as often.

        Parameters
        ----------
        n_paths : int
            Paths of each series.
        series : ndarray of int, shape (n,)
            As in `width`.
        random_state : RandomState
            Decides which paths, for each series by itself.

        Returns
        -------
        ndarray of shape (n, n_paths, steps, n_targets)
            In units of the sides, negative below the forecast.
        """
        pool = self.pool_of(series)
        paths = {one: self._widened_paths(one) for one in np.unique(pool)}
        return np.stack([pick(paths[one], n_paths, random_state) for one in pool])

    def with_paths(self, scores: np.ndarray, code: np.ndarray, time: np.ndarray) -> Intervals:
        """Add whole paths that have arrived: residuals of windows, as in `learn`, and when."""
        due = np.exp(self.log_width[-1, LEVELS.index(0.9)])[self.pool_of(code)]
        return self._replace(paths=self.paths.followed_by(scores / due, time, len(self.pool)))

    def pool_of(self, series: np.ndarray) -> np.ndarray:
        """The pool of series; the first one for those that were not seen, -1."""
        return np.append(self.pool, 0)[series]

    def _widened_paths(self, pool: int) -> np.ndarray:
        """Paths of a pool, each step at the width whose coverage is the rank of its residual.

        So each step of a path is inside an interval of `width` as often as its coverage says.
        """
        paths, n = self.paths.of(pool), self.n_independent[pool]
        share = (np.abs(paths).argsort(axis=0).argsort(axis=0) + 0.5) / len(paths)
        level = np.clip(0.5 + (share - 0.5) * (n + 1) / np.maximum(n - 1, 1), 0, 1)
        sizes = _at(self.shared if pool == 0 else self.own[pool - 1], level)
        limits, adapted = self._adapted_limits(self.log_width[-1][:, None])
        return np.sign(paths) * _widened(sizes, limits[:, :, pool], adapted[:, :, pool])

    def adapted(
        self,
        scores: np.ndarray,
        code: np.ndarray,
        turn: np.ndarray,
        coverage: float,
        *,
        together: bool = False,
    ) -> tuple[Intervals, np.ndarray]:
        """Adapt to the residuals of rows that arrive one after the other.

        Each is judged by the width that its forecast was made with, so that in the long run the
        coverage holds, however late the row arrives.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, steps, n_targets)
            For each row, its residual from each step before; NaN where there is none.
        code, turn : ndarray of int, shape (n_rows,)
            Series of each row, and when it arrives: 0 is the first.
        coverage : float
            Nominal coverage of the widths that are returned.
        together : bool, default=False
            Whether residuals of all steps of a forecast are known with its last step.

        Returns
        -------
        intervals : Intervals
            Behind the last turn.
        widths : ndarray of shape (n_turns + 1, n_pools, steps, n_targets)
            Half widths before each turn, and behind the last.
        """
        steps = scores.shape[1]
        delay = np.full(steps, steps) if together else np.arange(1, steps + 1)
        states = self._log_widths(np.abs(scores), self.pool_of(code), turn, delay)
        newest, widths = list(self.log_width[:-1]), []
        while chunk := list(itertools.islice(states, CHUNK)):
            widths.append(self._width(coverage, np.stack(chunk, axis=1)))
            newest = [*newest, *chunk][-len(self.log_width) :]
        return self._replace(log_width=np.array(newest)), np.concatenate(widths)

    def _log_widths(
        self, missed: np.ndarray, pool: np.ndarray, turn: np.ndarray, delay: np.ndarray
    ) -> Iterator[np.ndarray]:
        """`log_width` before each turn, and behind the last.

        Pool and turn are those of each row, the delay of each step is that of its residuals.
        """
        order = np.argsort(turn, kind="stable")
        ends = np.searchsorted(turn[order], np.arange(int(turn.max(initial=-1)) + 2))
        limits, newest = self._limits(), list(self.log_width)
        allowed = 1 - np.array(LEVELS)[:, None, None, None]
        rate = RATE / np.sqrt(delay)[:, None]
        yield newest[-1]
        for begin, end in itertools.pairwise(ends):
            rows = order[begin:end]
            made = [newest[-late][:, :, step] for step, late in enumerate(delay)]
            width = (limits * np.exp(np.stack(made, axis=2)))[:, pool[rows]]
            is_known = np.isfinite(missed[rows]) & np.isfinite(width)
            change = np.where(is_known, (missed[rows] > width) - allowed, 0)
            sums, counts = np.zeros((2, limits.shape[1], *change[:, 0].shape))
            np.add.at(sums, pool[rows], np.swapaxes(change, 0, 1))
            np.add.at(counts, pool[rows], np.swapaxes(is_known, 0, 1))
            change = rate * sums / np.maximum(counts, 1)
            newest = [*newest[1:], newest[-1] + np.swapaxes(change, 0, 1)]
            yield newest[-1]

    def _limits(self) -> np.ndarray:
        """Quantiles at `LEVELS`, (n_levels, n_pools, steps, n_targets)."""
        return np.stack([self._quantile(level) for level in LEVELS])

    def _width(self, coverage: float, log_width: np.ndarray) -> np.ndarray:
        """Half widths of all pools, never less than those of a smaller coverage.

        Parameters
        ----------
        coverage : float
            Nominal coverage.
        log_width : ndarray of shape (n_levels, n_turns, n_pools, steps, n_targets)
            After some turns.

        Returns
        -------
        ndarray of shape (n_turns, n_pools, steps, n_targets)
            In units of the sides.
        """
        return _widened(self._quantile(coverage), *self._adapted_limits(log_width))

    def _adapted_limits(self, log_width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles at `LEVELS` before and after some turns, (n_levels, n_turns, n_pools, ...)."""
        limits = self._limits()[:, None]
        return limits, np.maximum.accumulate(limits * np.exp(log_width), axis=0)

    def _quantile(self, coverage: float) -> np.ndarray:
        """Of all pools, (n_pools, steps, n_targets)."""
        level = _level(self.n_independent, coverage)[:, None]
        found = [_at(self.shared, level[0])]
        found += [_at(knots, part) for knots, part in zip(self.own, level[1:], strict=True)]
        return np.concatenate(found)


def independent(count: np.ndarray) -> np.ndarray:
    """How many independent forecasts are worth as much as overlapping ones.

    Parameters
    ----------
    count : ndarray of shape (n_series, steps, n_targets)
        Number of residuals of each step: those of step s share s - 1 of s rows with the next.

    Returns
    -------
    ndarray of that shape
        At least one, if there is one.
    """
    step = np.arange(1, count.shape[1] + 1)[:, None]
    return np.where(count > 0, np.maximum(count / step, 1), 0)


def _quantiles(sizes: np.ndarray, n_knots: int) -> np.ndarray:
    known = np.isfinite(sizes).any(axis=0)
    found = np.nanquantile(np.where(known, sizes, 0), np.linspace(0, 1, n_knots), axis=0)
    return np.where(known, found, np.nan)


def _level(n_independent: np.ndarray, coverage: float) -> np.ndarray:
    """Level of the residual at the rank of a coverage; NaN if there are too few."""
    rank = (n_independent + 1) * coverage
    enough = rank <= n_independent + 1e-9
    rank = np.minimum(np.ceil(rank - 1e-9), n_independent)
    return np.where(enough, (rank - 1) / np.maximum(n_independent - 1, 1e-9), np.nan)


def _at(knots: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Quantiles along the first axis, between evenly spaced ones; NaN where the level is."""
    place = np.nan_to_num(level) * (len(knots) - 1)
    below = np.minimum(place.astype(int), max(len(knots) - 2, 0))
    lower = np.take_along_axis(knots, below, axis=0)
    upper = np.take_along_axis(knots, np.minimum(below + 1, len(knots) - 1), axis=0)
    return np.where(np.isnan(level), np.nan, lower + (place - below) * (upper - lower))


def _widened(size: np.ndarray, limits: np.ndarray, adapted: np.ndarray) -> np.ndarray:
    """Widths of residuals of some size, in proportion to those of the limits around it.

    Parameters
    ----------
    size : ndarray of shape (...)
        Sizes of residuals.
    limits, adapted : ndarrays of shape (n_levels, ...)
        Sizes whose widths are known, in rising order, and these widths; NaN if there is none.
    """
    tiny = np.finfo(float).tiny
    found = size * adapted[0] / np.maximum(limits[0], tiny)
    for k, low in enumerate(limits):
        slope = adapted[k] / np.maximum(low, tiny)
        if k + 1 < len(limits):
            gap = limits[k + 1] - low
            slope = np.where(gap > 0, (adapted[k + 1] - adapted[k]) / np.maximum(gap, tiny), slope)
        found = np.where(size > low, adapted[k] + (size - low) * slope, found)
    return found
