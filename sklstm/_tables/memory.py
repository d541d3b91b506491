"""The rows carried over: what a windower remembers of each series."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, Rows
from sklstm._data.ranges import ranges
from sklstm._tables.notices import write_stamp

__all__ = ["Given", "Memory", "check_arrival"]


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

    def to_plain(self) -> tuple:
        """Take the memory apart: arrays."""
        return tuple(self)

    @classmethod
    def from_plain(cls, plain: tuple) -> "Memory":
        """Put it together again."""
        return cls(*plain)


class Given(NamedTuple):
    """A table as the windower has read it.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features of each row.
    layout : Layout
        What else the table tells.
    codes : ndarray of int, shape (n_rows,)
        Series of each row.
    names : pandas.Index or None
        Name of the series behind each code.
    rows : Rows
        The rows side by side.
    """

    values: np.ndarray
    layout: Layout
    codes: np.ndarray
    names: pd.Index | None
    rows: Rows


def check_arrival(memory: Memory, given: Given) -> None:
    """Refuse rows that are not later than what is remembered of their series.

    Parameters
    ----------
    memory : Memory
        What is remembered.
    given : Given
        The rows that have arrived.

    Raises
    ------
    ValueError
        If a row was seen before, or is late; the message names it.
    """
    rows = given.rows.order[given.rows.is_first]
    codes = given.codes[rows]
    known = memory.is_known(codes)
    last = memory.last_stamps(codes)
    late = known & (given.layout.stamps[rows] <= last)
    if not late.any():
        return
    place = int(late.argmax())
    row = rows[place]
    what = "was seen before" if given.layout.stamps[row] == last[place] else "is late"
    of_series = "" if given.names is None else f" of series {given.names[codes[place]]!r}"
    raise ValueError(
        f"Row {row} (counted from 0; time {given.layout.times[row]}){of_series} {what}: "
        f"partial_fit takes rows later than {write_stamp(last[place], given.layout)}, the last one "
        "it remembers. Leave out what it has seen; rows that came late need fit, with all rows in "
        "their order."
    )
