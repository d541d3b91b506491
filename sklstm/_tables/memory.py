"""The rows carried over: what a windower remembers of each series."""

from typing import NamedTuple

import numpy as np

from sklstm._data.frames import Rows
from sklstm._data.sequences import ranges

__all__ = ["Beginning", "Memory"]


class Memory(NamedTuple):
    """The last rows of each series, one series after another, each in time order.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Position of the series in ``series_``.
    stamps : ndarray of shape (n_rows,)
        Their times.
    values : ndarray of shape (n_rows, n_features)
        Their features.
    cuts : ndarray of bool, shape (n_rows,)
        Whether something is missing before a row.
    """

    codes: np.ndarray
    stamps: np.ndarray
    values: np.ndarray
    cuts: np.ndarray

    @classmethod
    def keep(
        cls, rows: Rows, codes: np.ndarray, values: np.ndarray, cuts: np.ndarray, size: int
    ) -> "Memory":
        """Keep the last rows of each series.

        Parameters
        ----------
        rows : Rows
            The rows side by side.
        codes : ndarray of int, shape (n_rows,)
            Series of each row of the table.
        values : ndarray of shape (n_rows, n_features)
            Features of each row of the table.
        cuts : ndarray of bool, shape (n_rows,)
            Whether something is missing before the row at each place.
        size : int
            Most rows of a series.

        Returns
        -------
        Memory
            A copy of those rows.
        """
        first = np.flatnonzero(rows.is_first)
        behind = np.append(first[1:], len(codes))
        n_kept = np.minimum(behind - first, size)
        places = ranges(behind - n_kept, n_kept)
        last = rows.order[places]
        return cls(codes[last], rows.stamps[places], values[last], cuts[places])

    def take(self, places: np.ndarray) -> "Memory":
        """Select rows.

        Parameters
        ----------
        places : ndarray of int, shape (n_selected,)
            Which rows.

        Returns
        -------
        Memory
            In the order of `places`.
        """
        return Memory(*(x[places] for x in self))

    def before(self, codes: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the rows that are earlier than the first given row of their series.

        Parameters
        ----------
        codes : ndarray of int, shape (n_series,)
            The series that are given.
        first : ndarray of shape (n_series,)
            Stamp of the first given row of each.

        Returns
        -------
        starts : ndarray of int, shape (n_series,)
            Place of the first remembered row of each series.
        lengths : ndarray of int, shape (n_series,)
            Number of earlier rows, which may be 0.
        """
        starts = self.codes.searchsorted(codes)
        n_rows = self.codes.searchsorted(codes, side="right") - starts
        places = ranges(starts, n_rows)
        owner = np.repeat(np.arange(len(codes)), n_rows)
        earlier = self.stamps[places] < first[owner]
        return starts, np.bincount(owner, earlier, len(codes)).astype(np.int64)

    def last_stamps(self, codes: np.ndarray) -> np.ndarray:
        """Give the last stamp of each series that is remembered.

        Parameters
        ----------
        codes : ndarray of int, shape (n_series,)
            Series that are remembered.

        Returns
        -------
        ndarray of shape (n_series,)
            The stamps.
        """
        return self.stamps[self.codes.searchsorted(codes, side="right") - 1]

    def is_known(self, codes: np.ndarray) -> np.ndarray:
        """Tell which series are remembered.

        Parameters
        ----------
        codes : ndarray of int, shape (n_series,)
            Any series.

        Returns
        -------
        ndarray of bool, shape (n_series,)
            Whether there are rows of it.
        """
        return self.codes.searchsorted(codes) < self.codes.searchsorted(codes, side="right")

    def move_on(
        self, rows: Rows, codes: np.ndarray, values: np.ndarray, cuts: np.ndarray, size: int
    ) -> "Memory":
        """Forget the oldest rows for those that have arrived.

        Parameters
        ----------
        rows : Rows
            The new rows side by side, later than those remembered.
        codes : ndarray of int, shape (n_rows,)
            Series of each new row.
        values : ndarray of shape (n_rows, n_features)
            Features of each new row.
        cuts : ndarray of bool, shape (n_rows,)
            Whether something is missing before the new row at each place, also at the first ones.
        size : int
            Most rows of a series.

        Returns
        -------
        Memory
            A new memory.
        """
        new = Memory.keep(rows, codes, values, cuts, size)
        both = Memory(*(np.concatenate(pair) for pair in zip(self, new, strict=True)))
        if self.codes[-1] > new.codes[0]:
            both = both.take(np.argsort(both.codes, kind="stable"))
        starts = np.flatnonzero(np.diff(both.codes, prepend=-1))
        ends = np.append(starts[1:], len(both.codes))
        n_kept = np.minimum(ends - starts, size)
        if len(starts) == 1:
            return Memory(*(x[ends[0] - n_kept[0] :].copy() for x in both))
        return both.take(ranges(ends - n_kept, n_kept))


class Beginning(NamedTuple):
    """The first row of each series in `fit`, to know again a counter that was set back.

    Attributes
    ----------
    stamps : ndarray of int, shape (n_series,)
        Their numbers.
    values : ndarray of shape (n_series, n_features)
        Their features.
    """

    stamps: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, rows: Rows, values: np.ndarray) -> "Beginning":
        """Take the first row of each series.

        Parameters
        ----------
        rows : Rows
            The rows side by side.
        values : ndarray of shape (n_rows, n_features)
            Features of each row of the table.

        Returns
        -------
        Beginning
            A copy of those rows.
        """
        return cls(rows.stamps[rows.is_first], values[rows.order[rows.is_first]])

    def is_set_back(self, rows: Rows, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Tell which series count from the same number as in `fit`, but are other rows.

        Parameters
        ----------
        rows : Rows
            The given rows side by side.
        codes : ndarray of int, shape (n_series,)
            Series of each first row.
        values : ndarray of shape (n_rows, n_features)
            Features of each given row.

        Returns
        -------
        ndarray of bool, shape (n_series,)
            False for series that `fit` has not seen.
        """
        found = np.zeros(len(codes), dtype=bool)
        seen = np.flatnonzero(codes < len(self.stamps))
        known = codes[seen]
        now, then = values[rows.order[rows.is_first]][seen], self.values[known]
        same = ((now == then) | (np.isnan(now) & np.isnan(then))).mean(axis=1)
        found[seen] = (rows.stamps[rows.is_first][seen] == self.stamps[known]) & (same < 0.5)
        return found
