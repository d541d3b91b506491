"""Regular series: which calendar each series of a panel has, and where rows are missing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklstm._tables.calendar import Calendar
from sklstm._tables.sampling_interval import FEWEST

__all__ = ["Series", "find_calendars", "series_in_words", "without_gaps"]

SHORT = 3
"""Series with fewer rows do not show a frequency."""


class Series(NamedTuple):
    """Timestamps of a series.

    Attributes
    ----------
    key : bytes
        Equal for series with equal timestamps.
    rows : Index
        Their timestamps.
    name : object
        Its name; None of a single series.
    """

    key: bytes
    rows: pd.Index
    name: Hashable


def find_calendars(
    series: Sequence[Series], known: Sequence[Calendar] = ()
) -> dict[bytes, Calendar]:
    """Find the calendar of each series.

    Long series have their own. Those of one or two rows have that of another series.

    Parameters
    ----------
    series : sequence of Series
        Those of a panel.
    known : sequence of Calendar, default=()
        Calendars of a fit: all series must then have one of these.

    Returns
    -------
    dict of bytes to Calendar
        By the keys of the series.

    Raises
    ------
    ValueError
        If a series has no calendar, or none of those that are known.
    """
    found: dict[bytes, Calendar] = {}
    models = list({_identity(one): one for one in known}.values())
    for one in sorted(series, key=lambda one: -min(len(one.rows), SHORT)):
        if one.key in found:
            continue
        try:
            if known:
                calendar = _known_calendar(one.rows, models)
            elif len(one.rows) < SHORT and models:
                calendar = _lent_calendar(one.rows, models)
            else:
                calendar = Calendar.learn(one.rows)
        except ValueError as error:
            if one.name is None:
                raise
            raise ValueError(f"In {series_in_words(one.name)}: {error}") from None
        found[one.key] = calendar
        if not known and all(_identity(calendar) != _identity(other) for other in models):
            models.append(calendar)
    return found


def _known_calendar(index: pd.Index, known: list[Calendar]) -> Calendar:
    """The calendar of rows that came after a fit, which must be one of that."""
    if len(index) < SHORT:
        return _lent_calendar(index, known)
    missing = [_missing(one, index) for one in known]
    for one, rows in zip(known, missing, strict=True):
        if rows is not None and not rows.any():
            return one
    for one, rows in zip(known, missing, strict=True):
        if rows is not None and (rows == 0).mean() >= FEWEST:
            return one
    own = Calendar.learn(index)
    if any(_is_like(own, one) for one in known):
        return own
    raise ValueError(
        f"Rows come at another frequency than those of fit: {index[0]} is followed by "
        f"{index[1]}, and there {known[0].after(index[:1], 1)[0]} would be next. Make rows of "
        "that frequency with resample(), or fit a forecaster of their own."
    )


def _lent_calendar(index: pd.Index, others: list[Calendar]) -> Calendar:
    """The calendar of one or two rows: that of other series in which the fewest are missing."""
    missing = [(_missing(one, index), one) for one in others]
    fitting = [(int(rows.sum()), one) for rows, one in missing if rows is not None]
    if not fitting:
        raise ValueError(
            f"The rows are too few to have a frequency, and {' and '.join(map(str, index))} are "
            f"not at the frequency of the other series, where {others[0].after(index[:1], 1)[0]} "
            f"would follow {index[0]}. Leave the series out, or give at least {SHORT} rows of it."
        )
    if len(index) == 1 and len({one.frequency.step[0] for _, one in fitting}) > 1:
        raise ValueError(
            f"A single row, {index[0]}, and the other series have several frequencies: it "
            f"may have each of them. Leave the series out, or give at least {SHORT} rows of it."
        )
    return min(fitting, key=lambda one: one[0])[1]


def _missing(calendar: Calendar, index: pd.Index) -> np.ndarray | None:
    """Rows that are missing before each row but the first; None off the grid of a calendar."""
    if not calendar.holds(index):
        return None
    try:
        return calendar.missing(index)
    except ValueError:
        return None


def _identity(calendar: Calendar) -> tuple:
    frequency = calendar.frequency
    hours = [one.key() for one in frequency.timetables]
    return frequency.step[0], *calendar[1:], *hours


def _is_like(calendar: Calendar, other: Calendar) -> bool:
    """Whether two calendars have the same frequency, perhaps on other days or at other hours."""
    steps = calendar.frequency.step[0], other.frequency.step[0]
    rules = calendar.rule == "hours", other.rule == "hours"
    return bool(np.isclose(*steps, rtol=1e-3)) and rules[0] == rules[1]


def without_gaps(index: pd.Index, calendar: Calendar) -> pd.Index:
    """Put a timestamp where one is missing."""
    if len(index) < 2:
        return index
    missing, parts, begin = calendar.missing(index), [], 0
    for row in np.flatnonzero(missing).tolist():
        parts += [index[begin : row + 1], calendar.after(index[: row + 1], missing[row])]
        begin = row + 1
    return parts[0].append([*parts[1:], index[begin:]]) if parts else index


def series_in_words(name: Hashable) -> str:
    """Name a series in a message."""
    return "y" if name is None else f"series {name!r}"
