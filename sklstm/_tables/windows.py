"""Windows of a regular table, and the steps behind each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklstm._data.sequences import Sequences

__all__ = ["Windows", "rows_ahead"]


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

    def halves(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Windows whose steps lie in the first part of their series, and those of the rest."""
        first = np.round(self.sizes[self.code] * share)
        return self.place + self.ahead.shape[1] < first, self.place >= first - 1

    def among_last(self, counts: dict) -> np.ndarray:
        """Windows whose last step has come with the last rows of a series."""
        n_new = np.array([counts[name] for name in self.names])[self.code]
        steps = self.ahead.shape[1]
        return self.place + steps >= self.sizes[self.code] - n_new


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
