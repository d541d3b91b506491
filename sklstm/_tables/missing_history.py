"""Rows that could have had a history and have none."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, gap_in_timestamps
from sklstm._data.ranges import ranges
from sklstm._tables.buffer import Buffer, Given
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import longer
from sklstm._tables.table_warnings import write_step, write_timestamp

__all__ = ["Fronts", "Mark", "Reading", "find_gaps", "warning_of_missing_history"]

FEW = 2**16
"""Values of a table that is marked, so that it need not be read twice."""


class Fronts(NamedTuple):
    """Where the given rows of each series begin, and what is remembered before them.

    Attributes
    ----------
    codes : ndarray of int, shape (n_series,)
        The series.
    rows : ndarray of int, shape (n_series,)
        First row of each in the table.
    first : ndarray of shape (n_series,)
        Its timestamp.
    last : ndarray of shape (n_series,)
        Stamp of the last row remembered; meaningless where `is_known` is False.
    is_known : ndarray of bool, shape (n_series,)
        Whether anything is remembered of the series.
    goes_on : ndarray of bool, shape (n_series,)
        Whether no row is missing between the remembered rows and the given ones.
    places : ndarray of int, shape (n_carried,)
        Places in the memory of the rows that are earlier than the given ones.
    """

    codes: np.ndarray
    rows: np.ndarray
    first: np.ndarray
    last: np.ndarray
    is_known: np.ndarray
    goes_on: np.ndarray
    places: np.ndarray

    @classmethod
    def find(
        cls, memory: Buffer | None, given: Given, frequency: Frequency | None, max_gap: Any
    ) -> "Fronts | None":
        """Compare the first given row of each series with the last one remembered before it.

        Parameters
        ----------
        memory : Buffer or None
            What is remembered.
        given : Given
            The table.
        frequency : Frequency or None
            The usual steps; None if the times of both tables cannot be compared.
        max_gap : Timedelta, str, number or None
            How far apart rows may be, as the user says; None for what the frequency says.

        Returns
        -------
        Fronts or None
            Of all series that are given.
        """
        if memory is None or frequency is None:
            return None
        rows = given.rows.order[given.rows.is_first]
        codes, first = given.codes[rows], given.layout.timestamps[rows]
        starts, ends = memory.bounds(codes)
        n_before = memory.count_before(starts, ends, first)
        is_known = starts < ends
        last = memory.timestamps[
            np.maximum(starts + np.maximum(n_before, 1) - 1, 0) % len(memory.timestamps)
        ]
        if max_gap is not None:
            gap = np.inf if max_gap == "any" else gap_in_timestamps(max_gap, given.layout.clock)
            goes_on = ~longer(first - last, gap)
        elif frequency.of_table:
            goes_on = np.full(len(codes), first.min() - memory.timestamps.max() == 1)
        else:
            goes_on = frequency.follows(codes, last, first, given.layout.zone)
        goes_on &= is_known & (n_before > 0)
        places = ranges(starts, n_before)
        return cls(codes, rows, first, last, is_known, goes_on, places)

    def is_ahead(self) -> np.ndarray:
        """Tell which series begin later than what is remembered of them, if anything is."""
        return ~self.is_known | (self.first > self.last)


class Reading(NamedTuple):
    """A table, read and compared with what is remembered.

    Attributes
    ----------
    given : Given
        The table.
    frequency : Frequency or None
        The usual steps; None if the times of both tables cannot be compared.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before the row at each place.
    fronts : Fronts or None
        Where each series begins, if that can be compared.
    mark : Mark or None
        Tells the table again.
    """

    given: Given
    frequency: Frequency | None
    cuts: np.ndarray
    fronts: Fronts | None
    mark: "Mark | None"


class Mark(NamedTuple):
    """What tells a small table again: a row that is predicted is remembered next.

    Attributes
    ----------
    row_index, columns : pandas.Index
        Those of the table, which never change.
    values : bytes
        A copy of its values, which may.
    settings : tuple
        What else decides how it is read.
    """

    row_index: pd.Index
    columns: pd.Index
    values: bytes
    settings: tuple

    @classmethod
    def of(cls, X: Any, settings: tuple) -> "Mark | None":
        """Mark a table.

        Parameters
        ----------
        X : object
            The table.
        settings : tuple
            Parameters of the windower.

        Returns
        -------
        Mark or None
            None for what has no index, is large, or is not made of floating-point numbers alone.
        """
        if not isinstance(X, pd.DataFrame) or len(X) * len(X.columns) > FEW:
            return None
        values = X.to_numpy()
        if values.dtype.kind != "f":
            return None
        return cls(X.index, X.columns, values.tobytes(), settings)

    def is_that_of(self, reading: Reading | None) -> bool:
        """Tell whether a table that was read is this one."""
        if reading is None or reading.mark is None:
            return False
        row_index, columns, *others = reading.mark
        return self.row_index is row_index and self.columns is columns and others == [*self[2:]]


def find_gaps(given: Given, frequency: Frequency | None, max_gap: Any) -> np.ndarray:
    """Find where histories are to be cut within a table.

    Parameters
    ----------
    given : Given
        The table.
    frequency : Frequency or None
        The usual steps, if they are known.
    max_gap : Timedelta, str, number or None
        How far apart rows may be, as the user says; None for what the frequency says.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Whether rows are missing before the row at each place; never at a first row.
    """
    rows, layout = given.rows, given.layout
    if rows.steps is None or max_gap == "any" or (frequency is None and max_gap is None):
        return np.zeros(len(rows.order), dtype=bool)
    if max_gap is None and frequency is not None:
        return frequency.cuts(rows, given.codes, layout)
    return longer(rows.steps, gap_in_timestamps(max_gap, layout.clock)) & ~rows.is_first


def warning_of_missing_history(
    reading: Reading, lengths: np.ndarray, horizon: int, *, has_max_gap: bool
) -> str | None:
    """Say that rows have no history that could have one, and why.

    Parameters
    ----------
    reading : Reading
        The table. It has no fronts if it has no time, while that of `fit` had one.
    lengths : ndarray of int, shape (n_rows,)
        Length of the history of each row.
    horizon : int
        Rows between the end of a history and the row it belongs to: as many may be left out.
    has_max_gap : bool
        Whether the user has said what is too far apart.

    Returns
    -------
    str or None
        None if nothing is lost.
    """
    given, frequency, _, fronts, _ = reading
    layout = given.layout
    if fronts is None or frequency is None:
        return _of_no_index(layout)
    if fronts.goes_on.all():
        return None
    starved = _starved(given, lengths, horizon)
    names = None if given.names is None else given.names.take(fronts.codes)
    later = fronts.is_known & ~fronts.goes_on & (fronts.first > fronts.last)
    missed = frequency.missed(fronts.codes, fronts.last, fronts.first, layout.zone)
    tells = ~np.isnan(missed) | ~np.isnan(frequency.limit[fronts.codes])
    off_grid = missed != np.floor(missed)
    too_late = later & tells & (np.isnan(missed) | (missed > horizon) | off_grid)
    late = later & starved if has_max_gap else too_late | (later & tells & starved)
    unseen = ~fronts.is_known & starved
    cold = late | unseen
    if not cold.any():
        return None
    place = int(cold.argmax())
    begins = "X begins" if names is None else f"Series {names[place]!r} begins"
    if late[place]:
        why = _of_late_rows(fronts, place, frequency, layout, begins)
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


def _of_late_rows(
    fronts: Fronts, place: int, frequency: Frequency, layout: Layout, begins: str
) -> str:
    """What is missing between the last row remembered and the first one given."""
    code, last, first = fronts.codes[place], fronts.last[place], fronts.first[place]
    step = frequency.step[code]
    if np.isnan(step):
        limit = frequency.limit[code]
        expected = f"{write_step(first - last, layout)} after the last row remembered" + (
            f", where steps of up to {write_step(limit, layout)} are usual" if limit > 0 else ""
        )
    else:
        expected = f"the row expected next is {write_timestamp(_next(frequency, code, last, layout), layout)}"
    return (
        f"{begins} at {write_timestamp(first, layout)} (row {fronts.rows[place]}, counted from 0), and "
        f"{expected}, right behind the last one remembered, {write_timestamp(last, layout)}. Give the "
        "rows between as well, or let partial_fit remember them; max_gap=... says how far apart "
        "rows may be."
    )


def _next(frequency: Frequency, code: int, last: float, layout: Layout) -> float:
    """Stamp of the row expected behind the last one."""
    step = frequency.step[code]
    if frequency.timetable[code] < 0:
        return last + (int(step) if step == int(step) else step)
    ahead = last + int(step) * np.arange(
        1, 8 * len(frequency.timetables[frequency.timetable[code]].slots)
    )
    codes = np.full(len(ahead), code)
    missed = frequency._replace(
        timetables=tuple(hours._replace(holidays=0) for hours in frequency.timetables)
    ).missed(codes, np.full(len(ahead), last), ahead, layout.zone)
    later = np.flatnonzero(missed == 0)
    opened = np.flatnonzero(np.diff(missed, append=missed[-1]) > 0)
    return ahead[opened[0] if len(opened) else later[-1]]


def _starved(given: Given, lengths: np.ndarray, horizon: int) -> np.ndarray:
    """Whether no row of a series has a history, or there is but one row."""
    places = np.flatnonzero(given.rows.is_first)
    sizes = np.diff(places, append=len(lengths))
    longest = np.maximum.reduceat(lengths[given.rows.order], places)
    alone = 1 if horizon == 0 else 0  # a row itself is no history
    return (longest <= alone) | (sizes == 1)


def _of_no_index(layout: Layout) -> str:
    """Nothing tells whether rows follow those of `fit`."""
    return (
        f"Rows of X have no history before the first one: X, of the type "
        f"{type(layout.features).__name__}, has no time, while the table of fit had one, so that "
        "nothing tells whether its rows follow those seen there. Give a DataFrame with the index "
        "going on (a scaler in front drops it: Pipeline.set_output(transform='pandas')). "
        "cold_start='ignore' is silent about it, cold_start='error' refuses such tables."
    )
