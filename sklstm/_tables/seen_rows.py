"""Which rows were seen: it distinguishes a lost history from a missing row."""

from typing import NamedTuple

import numpy as np

from sklstm._data.frames import Rows
from sklstm._data.ranges import ranges

__all__ = ["N_GAPS", "Seen", "rows_before_gaps"]

N_GAPS = 8
"""Number of gaps of a series that are remembered: a fold of a cross-validation makes one."""


class Seen(NamedTuple):
    """Which rows of each series were seen.

    Attributes
    ----------
    first, last : ndarray of shape (n_series,)
        Timestamps of the first and of the last row.
    n_rows : ndarray of int64, shape (n_series,)
        Number of rows; 0 for a series not seen.
    gap_from, gap_to : ndarray of shape (n_series, n_gaps)
        Timestamps of the rows before and after the longest gaps; both are equal for no gap.
    longest_other : ndarray of shape (n_series,)
        Time between the rows around the longest of all other gaps; 0 if there are none.
    """

    first: np.ndarray
    last: np.ndarray
    n_rows: np.ndarray
    gap_from: np.ndarray
    gap_to: np.ndarray
    longest_other: np.ndarray

    @classmethod
    def of(cls, rows: Rows, gaps: np.ndarray) -> "tuple[Seen, np.ndarray]":
        """Summarise the rows of a table.

        Parameters
        ----------
        rows : Rows
            The rows, sorted by series and time; series in the order of their codes.
        gaps : ndarray of int, shape (n_gaps,)
            Sorted positions of the rows that follow a gap.

        Returns
        -------
        seen : Seen
            For each series.
        longest : ndarray of int
            Sorted positions of the rows that follow the longest gaps of each series.
        """
        first = np.flatnonzero(rows.is_first)
        sizes = np.diff(first, append=len(rows.order))
        last = first + sizes - 1
        owner = np.searchsorted(first, gaps, side="right") - 1
        longest = np.lexsort((-rows.steps[gaps], owner))
        gaps, owner = gaps[longest], owner[longest]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        width = min(int(rank.max(initial=-1)) + 1, N_GAPS)
        gap_from = np.repeat(rows.timestamps[first, None], width, axis=1)
        gap_to = gap_from.copy()
        among = rank < width
        gap_from[owner[among], rank[among]] = rows.timestamps[gaps[among] - 1]
        gap_to[owner[among], rank[among]] = rows.timestamps[gaps[among]]
        other = np.zeros(len(first), dtype=rows.timestamps.dtype)
        other[owner[rank == width]] = rows.steps[gaps[rank == width]]
        timestamps = rows.timestamps
        seen = cls(timestamps[first], timestamps[last], sizes, gap_from, gap_to, other)
        return seen, gaps[among]

    def extended(self, rows: Rows, codes: np.ndarray, n_series: int) -> "Seen":
        """Add rows that have arrived.

        Parameters
        ----------
        rows : Rows
            The rows, sorted by series and time.
        codes : ndarray of int, shape (n_rows,)
            Series of each row, in the order of the table.
        n_series : int
            Number of all series.

        Returns
        -------
        Seen
            Of all rows. The gaps stay those of `fit`.
        """
        first, last, n_rows, gap_from, gap_to, other = self
        new = n_series - len(n_rows)
        first, last, n_rows = first.copy(), last.copy(), n_rows.copy()
        if new:
            first, last, n_rows, other = (
                np.append(x, np.zeros(new, dtype=x.dtype)) for x in (first, last, n_rows, other)
            )
            no_gap = np.zeros((new, gap_from.shape[1]), dtype=gap_from.dtype)
            gap_from, gap_to = np.vstack([gap_from, no_gap]), np.vstack([gap_to, no_gap])
        begin = np.flatnonzero(rows.is_first)
        end = np.append(begin[1:], len(codes))
        arrived = codes[rows.order[begin]]
        is_new = n_rows[arrived] == 0
        first[arrived[is_new]] = rows.timestamps[begin[is_new]]
        latest = rows.timestamps[end - 1]
        last[arrived] = np.where(is_new, latest, np.maximum(last[arrived], latest))
        n_rows[arrived] += end - begin
        return Seen(first, last, n_rows, gap_from, gap_to, other)

    def knows(self, codes: np.ndarray) -> np.ndarray:
        """Check which series were seen.

        Parameters
        ----------
        codes : ndarray of int, shape (n,)
            Codes, also of new series.

        Returns
        -------
        ndarray of bool, shape (n,)
            Whether a row of each series was seen.
        """
        n_series = len(self.n_rows)
        if not n_series:
            return np.zeros(len(codes), dtype=bool)
        return (codes < n_series) & (self.n_rows[np.minimum(codes, n_series - 1)] > 0)

    def saw_between(
        self, codes: np.ndarray, earlier: np.ndarray, later: np.ndarray, *, both_given: np.ndarray
    ) -> np.ndarray:
        """Check whether rows were seen between two rows, as far as that is known.

        Parameters
        ----------
        codes : ndarray of int, shape (n_pairs,)
            Series of each pair, which were seen.
        earlier, later : ndarray of shape (n_pairs,)
            Timestamps of the two rows.
        both_given : ndarray of bool, shape (n_pairs,)
            Whether neither row is from the buffer: between these there may have been one of the
            gaps that are not remembered.

        Returns
        -------
        ndarray of bool, shape (n_pairs,)
            False where the two are within a gap, or before or after all rows seen.
        """
        is_within = (earlier < self.last[codes]) & (later > self.first[codes])
        begin, end = self.gap_from[codes], self.gap_to[codes]
        in_gap = ((begin <= earlier[:, None]) & (later[:, None] <= end)).any(axis=1)
        in_other = both_given & (later - earlier <= self.longest_other[codes])
        return is_within & ~in_gap & ~in_other


def rows_before_gaps(rows: Rows, gaps: np.ndarray, size: int) -> np.ndarray:
    """Find the rows before some gaps.

    Parameters
    ----------
    rows : Rows
        The rows, sorted by series and time.
    gaps : ndarray of int, shape (n_gaps,)
        Sorted positions of the rows that follow a gap.
    size : int
        Number of rows before each.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        By sorted position.
    """
    is_before = np.zeros(len(rows.order), dtype=bool)
    if len(gaps):
        first = np.flatnonzero(rows.is_first)
        begin = np.maximum(first[np.searchsorted(first, gaps, side="right") - 1], gaps - size)
        is_before[ranges(begin, gaps - begin)] = True
    return is_before
