"""Residual paths: what forecasts of the calibration set missed, all steps and targets together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["LEAST_PATHS", "ResidualPaths", "pick"]

LEAST_PATHS = 30
"""So many forecasts that do not overlap say how the errors of their steps belong together. 80 %
intervals of sums of 7 steps of a random walk held 78 % with 10 (standard deviation 9 %), 80 % with
20 (6 %), 30 (5 %) and 60 (4 %)."""

MOST_PATHS = 500, 2000
"""Paths that series share: so many for each, the newest, and at most so many. Daily minima, with
an `update` a week: 80 % intervals of the sums of 7 days held 79 % of 312 with the newest 500, 77 %
with 1,000 and 2,000. Of 2,000 the standard error of a coverage of 80 % is 0.9 %."""

OWN_PATHS = 100
"""Paths of a series that has its own: at least 30 of them do not overlap."""

LEAST_DATES = 50
"""Paths of one date err together: those that arrive are at most so many parts of all."""


class ResidualPaths(NamedTuple):
    """Whole residual paths, of each pool of `Intervals`.

    Attributes
    ----------
    shared : ndarray of shape (n_paths, steps, n_targets)
        Those of the first pool, evenly spread over series and time.
    own : ndarray of shape (n_pools - 1, n_paths, steps, n_targets)
        Those of the others.
    """

    shared: np.ndarray
    own: np.ndarray

    @classmethod
    def learn(
        cls, scores: np.ndarray, code: np.ndarray, with_own: np.ndarray, n_series: int
    ) -> ResidualPaths:
        """Keep a bounded number of the paths that are known as a whole.

        Parameters
        ----------
        scores, code, n_series : as in `Intervals.learn`
            Residuals, by series and time.
        with_own : ndarray of int
            The series that are a pool of their own.
        """
        whole = np.isfinite(scores).all(axis=(1, 2))
        own = [_evenly(scores[whole & (code == series)], OWN_PATHS) for series in with_own]
        own_paths = np.array(own).reshape(len(own), OWN_PATHS, *scores.shape[1:])
        turn = np.arange(len(code)) - np.searchsorted(code, code)
        paths = scores[np.argsort(turn, kind="stable")]  # the oldest first, those that go first
        paths = paths[np.isfinite(paths).all(axis=(1, 2))]
        most = _most(n_series, scores.shape[1])
        return cls(_evenly(paths, min(len(paths), most)), own_paths)

    def followed_by(self, scores: np.ndarray, time: np.ndarray, n_series: int) -> ResidualPaths:
        """Add paths that have arrived to the first pool, in place of its oldest ones.

        Parameters
        ----------
        scores : ndarray of shape (n, steps, n_targets)
            Residuals, in units of the widths that were due; NaN where they are not known yet.
        time : ndarray of shape (n,)
            Of their forecast origins.
        n_series : int
            Number of series that share paths.
        """
        whole = np.isfinite(scores).all(axis=(1, 2))
        order, most = np.argsort(time[whole], kind="stable"), _most(n_series, scores.shape[1])
        n_dates = len(np.unique(time[whole]))
        new = _evenly(scores[whole][order], min(len(order), n_dates * most // LEAST_DATES))
        return self._replace(shared=np.concatenate([self.shared, new])[-most:])

    def of(self, pool: int) -> np.ndarray:
        """The paths of a pool, (n_paths, steps, n_targets)."""
        return self.own[pool - 1] if pool else self.shared


def pick(paths: np.ndarray, n_paths: int, random_state: np.random.RandomState) -> np.ndarray:
    """Choose some at random, none twice before all of them were chosen once."""
    return paths[np.resize(random_state.permutation(len(paths)), n_paths)]


def _most(n_series: int, steps: int) -> int:
    """Size of the first pool: enough for paths that do not overlap."""
    of_each, of_all = MOST_PATHS
    return max(min(of_each * n_series, of_all), LEAST_PATHS * steps)


def _evenly(paths: np.ndarray, n_paths: int) -> np.ndarray:
    return paths[np.linspace(0, len(paths) - 1, n_paths).round().astype(int)]
