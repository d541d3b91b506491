"""Missing history (cold start): rows that could have had a history and have none."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Layout, gap_in_timestamps
from sklstm._data.ranges import ranges
from sklstm._tables.buffer import Buffer, InputTable
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import longer
from sklstm._tables.table_warnings import write_step, write_timestamp

__all__ = [
    "ComparedTable",
    "Continuations",
    "Fingerprint",
    "find_gaps",
    "warning_of_missing_history",
]

FEW = 2**16
"""Maximum number of values of a table that is recognised, so that it is read only once."""


class Continuations(NamedTuple):
    """Whether the given rows of each series continue its buffered rows.

    Attributes
    ----------
    codes : ndarray of int, shape (n_series,)
        The series.
    rows : ndarray of int, shape (n_series,)
        First given row of each series, a position in the table.
    first : ndarray of shape (n_series,)
        Timestamp of that row.
    last : ndarray of shape (n_series,)
        Timestamp of the last buffered row; meaningless where `is_known` is False.
    is_known : ndarray of bool, shape (n_series,)
        Whether the buffer has rows of the series.
    is_continued : ndarray of bool, shape (n_series,)
        Whether no row is missing between the buffered rows and the given ones.
    places : ndarray of int, shape (n_carried,)
        Positions of the buffered rows that are earlier than the given ones.
    """

    codes: np.ndarray
    rows: np.ndarray
    first: np.ndarray
    last: np.ndarray
    is_known: np.ndarray
    is_continued: np.ndarray
    places: np.ndarray

    @classmethod
    def find(
        cls, buffer: Buffer | None, given: InputTable, frequency: Frequency | None, max_gap: Any
    ) -> "Continuations | None":
        """Compare the first given row of each series with the last buffered row before it.

        Parameters
        ----------
        buffer : Buffer or None
            Rows seen before.
        given : InputTable
            The table.
        frequency : Frequency or None
            The sampling intervals; None if the times of the two tables cannot be compared.
        max_gap : Timedelta, str, number or None
            The parameter of the windower: how far apart rows may be. None: the frequency decides.

        Returns
        -------
        Continuations or None
            For all given series.
        """
        if buffer is None or frequency is None:
            return None
        rows = given.rows.order[given.rows.is_first]
        codes, first = given.codes[rows], given.layout.timestamps[rows]
        starts, ends = buffer.bounds(codes)
        n_before = buffer.count_before(starts, ends, first)
        is_known = starts < ends
        last = buffer.timestamps[
            np.maximum(starts + np.maximum(n_before, 1) - 1, 0) % len(buffer.timestamps)
        ]
        if max_gap is not None:
            gap = np.inf if max_gap == "any" else gap_in_timestamps(max_gap, given.layout.clock)
            is_continued = ~longer(first - last, gap)
        elif frequency.of_table:
            is_continued = np.full(len(codes), first.min() - buffer.timestamps.max() == 1)
        else:
            is_continued = frequency.follows(codes, last, first, given.layout.zone)
        is_continued &= is_known & (n_before > 0)
        places = ranges(starts, n_before)
        return cls(codes, rows, first, last, is_known, is_continued, places)

    def is_ahead(self) -> np.ndarray:
        """Check which series start after their buffered rows, or have none."""
        return ~self.is_known | (self.first > self.last)


class ComparedTable(NamedTuple):
    """A table that is read and compared with the buffered rows.

    Attributes
    ----------
    given : InputTable
        The table.
    frequency : Frequency or None
        The sampling intervals; None if the times of the two tables cannot be compared.
    cuts : ndarray of bool, shape (n_rows,)
        Whether rows are missing before the row at each sorted position.
    continuations : Continuations or None
        Whether each series continues its buffered rows, if the times can be compared.
    fingerprint : Fingerprint or None
        Recognises the table if it comes again.
    """

    given: InputTable
    frequency: Frequency | None
    cuts: np.ndarray
    continuations: Continuations | None
    fingerprint: "Fingerprint | None"


class Fingerprint(NamedTuple):
    """Recognises a small table: a row is often predicted first and buffered next.

    Attributes
    ----------
    row_index, columns : pandas.Index
        Those of the table; they are immutable.
    values : bytes
        A copy of its values, which may change in place.
    settings : tuple
        Parameters that decide how the table is read.
    """

    row_index: pd.Index
    columns: pd.Index
    values: bytes
    settings: tuple

    @classmethod
    def of(cls, X: Any, settings: tuple) -> "Fingerprint | None":
        """Make the fingerprint of a table.

        Parameters
        ----------
        X : object
            The table.
        settings : tuple
            Parameters of the windower.

        Returns
        -------
        Fingerprint or None
            None for input that is no DataFrame, is large, or has other dtypes than floats.
        """
        if not isinstance(X, pd.DataFrame) or len(X) * len(X.columns) > FEW:
            return None
        values = X.to_numpy()
        if values.dtype.kind != "f":
            return None
        return cls(X.index, X.columns, values.tobytes(), settings)

    def matches(self, compared: ComparedTable | None) -> bool:
        """Whether a table that was read before is this one."""
        if compared is None or compared.fingerprint is None:
            return False
        row_index, columns, *others = compared.fingerprint
        return self.row_index is row_index and self.columns is columns and others == [*self[2:]]


def find_gaps(given: InputTable, frequency: Frequency | None, max_gap: Any) -> np.ndarray:
    """Find the gaps within a table, where histories are cut.

    Parameters
    ----------
    given : InputTable
        The table.
    frequency : Frequency or None
        The sampling intervals, if they are known.
    max_gap : Timedelta, str, number or None
        The parameter of the windower: how far apart rows may be. None: the frequency decides.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Whether rows are missing before the row at each sorted position; never before the first
        row of a series.
    """
    rows, layout = given.rows, given.layout
    if rows.steps is None or max_gap == "any" or (frequency is None and max_gap is None):
        return np.zeros(len(rows.order), dtype=bool)
    if max_gap is None and frequency is not None:
        return frequency.cuts(rows, given.codes, layout)
    return longer(rows.steps, gap_in_timestamps(max_gap, layout.clock)) & ~rows.is_first


def warning_of_missing_history(
    compared: ComparedTable, lengths: np.ndarray, horizon: int, *, has_max_gap: bool
) -> str | None:
    """Warn of rows without a history that could have one, with the reason.

    Parameters
    ----------
    compared : ComparedTable
        The table. Its `continuations` are None if it has no time, while the table of `fit` had one.
    lengths : ndarray of int, shape (n_rows,)
        Length of the history of each row.
    horizon : int
        Number of rows from the end of a history to the row it belongs to: as many rows may be
        missing.
    has_max_gap : bool
        Whether the user has set `max_gap`.

    Returns
    -------
    str or None
        None if no history is lost.
    """
    given, frequency, _, continuations, _ = compared
    layout = given.layout
    if continuations is None or frequency is None:
        return _message_of_no_time(layout)
    if continuations.is_continued.all():
        return None
    lacks_history = _lacks_history(given, lengths, horizon)
    names = None if given.names is None else given.names.take(continuations.codes)
    later = (
        continuations.is_known
        & ~continuations.is_continued
        & (continuations.first > continuations.last)
    )
    missed = frequency.missed(
        continuations.codes, continuations.last, continuations.first, layout.zone
    )
    is_comparable = ~np.isnan(missed) | ~np.isnan(frequency.limit[continuations.codes])
    off_grid = missed != np.floor(missed)
    too_late = later & is_comparable & (np.isnan(missed) | (missed > horizon) | off_grid)
    late = (
        later & lacks_history if has_max_gap else too_late | (later & is_comparable & lacks_history)
    )
    unseen = ~continuations.is_known & lacks_history
    is_affected = late | unseen
    if not is_affected.any():
        return None
    place = int(is_affected.argmax())
    begins = "X begins" if names is None else f"Series {names[place]!r} begins"
    if late[place]:
        why = _reason_of_late_rows(continuations, place, frequency, layout, begins)
    else:
        why = (
            f"Series {names[place]!r} was not seen in fit, and X has too few rows of it: "
            "give the earlier rows as well, or let partial_fit remember them. Names must be those "
            "of fit, texts or numbers as there."
            if names is not None
            else "No rows are buffered: give the earlier rows as well."
        )
    more = int(is_affected.sum()) - 1
    return (
        f"Rows of X have no history: {why}"
        + (f" {more} more series have no history either." if more else "")
        + " cold_start='ignore' silences this warning, cold_start='error' refuses such tables."
    )


def _reason_of_late_rows(
    continuations: Continuations, place: int, frequency: Frequency, layout: Layout, begins: str
) -> str:
    """Describe the gap between the last buffered row and the first given one."""
    code, last, first = (
        continuations.codes[place],
        continuations.last[place],
        continuations.first[place],
    )
    begin, end = (write_timestamp(timestamp, layout) for timestamp in (first, last))
    if np.isnan(frequency.step[code]):
        limit = frequency.limit[code]
        where = f"{write_step(first - last, layout)} after the last row seen before, {end}" + (
            f"; steps of up to {write_step(limit, layout)} are typical" if limit > 0 else ""
        )
    else:
        expected = write_timestamp(_expected_next(frequency, code, last, layout), layout)
        where = f"the row expected next is {expected}, after the last row seen before, {end}"
    return (
        f"{begins} at {begin} (row {continuations.rows[place]}, counted from 0), but {where}. Give "
        "the rows between as well, or let partial_fit remember them; max_gap=... sets how far "
        "apart rows may be."
    )


def _expected_next(frequency: Frequency, code: int, last: float, layout: Layout) -> float:
    """Timestamp of the row expected after the last one."""
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


def _lacks_history(given: InputTable, lengths: np.ndarray, horizon: int) -> np.ndarray:
    """Whether no row of a series has a history, or there is only one row."""
    places = np.flatnonzero(given.rows.is_first)
    sizes = np.diff(places, append=len(lengths))
    longest = np.maximum.reduceat(lengths[given.rows.order], places)
    alone = 1 if horizon == 0 else 0  # a row itself is no history
    return (longest <= alone) | (sizes == 1)


def _message_of_no_time(layout: Layout) -> str:
    """Message for a table whose rows cannot be compared in time with those of `fit`."""
    return (
        f"Rows of X have no history before the first one: X, of the type "
        f"{type(layout.features).__name__}, has no time, while the table of fit had one, so it "
        "is unknown whether its rows follow those of fit. Give a DataFrame whose index continues "
        "that of fit (a scaler before the windower drops it: "
        "Pipeline.set_output(transform='pandas')). cold_start='ignore' silences this warning, "
        "cold_start='error' refuses such tables."
    )
