"""Rows that could have had a history and have none."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout
from sklstm._data.ranges import ranges
from sklstm._tables.histories import longer
from sklstm._tables.memory import Given, Memory
from sklstm._tables.notices import write_stamp, write_step
from sklstm._tables.rhythm import Rhythm

__all__ = ["Fronts", "notice_of_cold_start"]


class Fronts(NamedTuple):
    """Where the given rows of each series begin, and what is remembered before them.

    Attributes
    ----------
    codes : ndarray of int, shape (n_series,)
        The series.
    rows : ndarray of int, shape (n_series,)
        First row of each in the table.
    first : ndarray of shape (n_series,)
        Its stamp.
    last : ndarray of shape (n_series,)
        Stamp of the last row remembered; meaningless where `is_known` is False.
    is_known : ndarray of bool, shape (n_series,)
        Whether anything is remembered of the series.
    goes_on : ndarray of bool, shape (n_series,)
        Whether no row is missing between the remembered rows and the given ones.
    places : ndarray of int, shape (n_carried,)
        Places in the memory of the rows that are earlier than the given ones.
    starved : ndarray of bool, shape (n_series,), or None
        Whether no row has a history, or there is but one row.
    """

    codes: np.ndarray
    rows: np.ndarray
    first: np.ndarray
    last: np.ndarray
    is_known: np.ndarray
    goes_on: np.ndarray
    places: np.ndarray
    starved: np.ndarray | None = None

    @classmethod
    def find(cls, memory: Memory, given: Given, rhythm: Rhythm, gap: float | None) -> "Fronts":
        """Compare the first given row of each series with the last one remembered before it.

        Parameters
        ----------
        memory : Memory
            What is remembered.
        given : Given
            The table.
        rhythm : Rhythm
            The usual steps.
        gap : int or float or None
            How far apart rows may be; None for what the rhythm says.

        Returns
        -------
        Fronts
            Of all series that are given.
        """
        rows = given.rows.order[given.rows.is_first]
        codes, first = given.codes[rows], given.layout.stamps[rows]
        starts, n_before = memory.before(codes, first)
        is_known = memory.is_known(codes)
        last = memory.stamps[
            np.maximum(starts + np.maximum(n_before, 1) - 1, 0) % len(memory.stamps)
        ]
        if gap is not None:
            goes_on = ~longer(first - last, gap)
        elif rhythm.of_table:
            goes_on = np.full(len(codes), first.min() - memory.stamps.max() == 1)
        else:
            goes_on = rhythm.follows(codes, last, first, given.layout.zone)
        goes_on &= is_known & (n_before > 0)
        places = ranges(starts, n_before)
        return cls(codes, rows, first, last, is_known, goes_on, places)

    def is_ahead(self) -> np.ndarray:
        """Tell which series begin later than what is remembered of them, if anything is."""
        return ~self.is_known | (self.first > self.last)

    def with_lengths(self, given: Given, lengths: np.ndarray, horizon: int) -> "Fronts":
        """Tell which series have no history.

        Parameters
        ----------
        given : Given
            The table.
        lengths : ndarray of int, shape (n_rows,)
            Length of the history of each row.
        horizon : int
            Rows between the end of a history and the row it belongs to.

        Returns
        -------
        Fronts
            With `starved`.
        """
        places = np.flatnonzero(given.rows.is_first)
        sizes = np.diff(places, append=len(lengths))
        longest = np.maximum.reduceat(lengths[given.rows.order], places)
        alone = 1 if horizon == 0 else 0  # a row itself is no history
        return self._replace(starved=(longest <= alone) | (sizes == 1))


def notice_of_no_index(layout: Layout) -> str:
    """Say that nothing tells whether rows follow those of `fit`.

    Parameters
    ----------
    layout : Layout
        Of a table without time.

    Returns
    -------
    str
        Cause and cure.
    """
    return (
        f"Rows of X have no history before the first one: X, of the type "
        f"{type(layout.features).__name__}, has no time, while the table of fit had one, so that "
        "nothing tells whether its rows follow those seen there. Give a DataFrame with the index "
        "going on (a scaler in front drops it: Pipeline.set_output(transform='pandas')). "
        "cold_start='ignore' is silent about it, cold_start='error' refuses such tables."
    )


def notice_of_cold_start(
    fronts: Fronts,
    rhythm: Rhythm,
    layout: Layout,
    horizon: int,
    names: pd.Index | None,
    *,
    has_max_gap: bool,
) -> str | None:
    """Say that rows have no history that could have one, and why.

    Parameters
    ----------
    fronts : Fronts
        Where each series begins.
    rhythm : Rhythm
        The usual steps, of all series that are given.
    layout : Layout
        Time and clock of the given table.
    horizon : int
        Rows between the end of a history and the row it belongs to: as many may be left out.
    names : pandas.Index or None
        Names of the given series, in the order of `fronts`.
    has_max_gap : bool
        Whether the user has said what is too far apart.

    Returns
    -------
    str or None
        None if nothing is lost.
    """
    later = fronts.is_known & ~fronts.goes_on & (fronts.first > fronts.last)
    missed = rhythm.missed(fronts.codes, fronts.last, fronts.first, layout.zone)
    tells = ~np.isnan(missed) | ~np.isnan(rhythm.limit[fronts.codes])
    off_grid = missed != np.floor(missed)
    too_late = later & tells & (np.isnan(missed) | (missed > horizon) | off_grid)
    late = later & fronts.starved if has_max_gap else too_late | (later & tells & fronts.starved)
    unseen = ~fronts.is_known & fronts.starved
    cold = late | unseen
    if not cold.any():
        return None
    place = int(cold.argmax())
    begins = "X begins" if names is None else f"Series {names[place]!r} begins"
    if late[place]:
        why = _of_late_rows(fronts, place, rhythm, layout, begins)
    else:
        why = (
            f"Series {names[place]!r} was not seen in fit, and X has too few rows of it: "
            "give the rows before as well, or let partial_fit remember them. Names must be those "
            "of fit, texts or numbers as there."
            if names is not None
            else "Nothing is remembered: give the rows before as well."
        )
    more = int(cold.sum()) - 1
    return (
        f"Rows of X have no history: {why}"
        + (f" The same or the like holds for {more} more series." if more else "")
        + " cold_start='ignore' is silent about it, cold_start='error' refuses such tables."
    )


def _of_late_rows(fronts: Fronts, place: int, rhythm: Rhythm, layout: Layout, begins: str) -> str:
    """What is missing between the last row remembered and the first one given."""
    code, last, first = fronts.codes[place], fronts.last[place], fronts.first[place]
    step = rhythm.step[code]
    if np.isnan(step):
        limit = rhythm.limit[code]
        expected = f"{write_step(first - last, layout)} after the last row remembered" + (
            f", where steps of up to {write_step(limit, layout)} are usual" if limit > 0 else ""
        )
    else:
        expected = (
            f"the row expected next is {write_stamp(_next(rhythm, code, last, layout), layout)}"
        )
    return (
        f"{begins} at {write_stamp(first, layout)} (row {fronts.rows[place]}, counted from 0), and "
        f"{expected}, right behind the last one remembered, {write_stamp(last, layout)}. Give the "
        "rows between as well, or let partial_fit remember them; max_gap=... says how far apart "
        "rows may be."
    )


def _next(rhythm: Rhythm, code: int, last: float, layout: Layout) -> float:
    """Stamp of the row expected behind the last one."""
    step = rhythm.step[code]
    if rhythm.timetable[code] < 0:
        return last + (int(step) if step == int(step) else step)
    ahead = last + int(step) * np.arange(
        1, 8 * len(rhythm.timetables[rhythm.timetable[code]].slots)
    )
    codes = np.full(len(ahead), code)
    missed = rhythm._replace(
        timetables=tuple(hours._replace(holidays=0) for hours in rhythm.timetables)
    ).missed(codes, np.full(len(ahead), last), ahead, layout.zone)
    later = np.flatnonzero(missed == 0)
    opened = np.flatnonzero(np.diff(missed, append=missed[-1]) > 0)
    return ahead[opened[0] if len(opened) else later[-1]]
