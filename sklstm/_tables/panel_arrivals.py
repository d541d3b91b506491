"""Rows of a panel that arrive after a fit: behind the buffered ones, or late."""

from __future__ import annotations

import numpy as np

from sklstm._tables.calendar import check_kind
from sklstm._tables.panel import Panel, places_of

__all__ = ["appended", "as_columns_of", "updated"]


def as_columns_of(buffer: Panel, arrived: Panel) -> Panel:
    """Arrange the columns of rows that have arrived like those of the buffer.

    Parameters
    ----------
    buffer : Panel
        The rows at hand.
    arrived : Panel
        The new rows.

    Returns
    -------
    Panel
        The new rows, with the targets and covariates of the buffer.

    Raises
    ------
    ValueError
        If a series is unknown, a column is missing, or timestamps are of another kind.
    """
    known = buffer.rows.find(arrived.rows.names)
    if (known < 0).any():
        name = arrived.rows.names[int(known.argmin())]
        raise ValueError(f"The series {name!r} was not seen in fit: {buffer.rows.names}.")
    check_kind(arrived.timestamps, buffer.timestamps)
    columns = [*arrived.targets, *arrived.covariates]
    wanted = [*buffer.targets, *buffer.covariates]
    lacking = [column for column in wanted if column not in columns]
    if lacking:
        raise ValueError(f"The new rows lack the columns {lacking}.")
    values = arrived.rows.values[:, [columns.index(name) for name in wanted]]
    kinds, n_targets = buffer.rows.categories, len(buffer.targets)
    rows = arrived.rows._replace(values=values, n_targets=n_targets, categories=kinds)
    return arrived._replace(rows=rows, targets=buffer.targets, covariates=buffer.covariates)


def appended(buffer: Panel, arrived: Panel) -> Panel:
    """Append later rows; those missing before and among them are rows of NaN.

    Parameters
    ----------
    buffer, arrived : Panel
        The rows at hand, and later ones with the same columns.

    Raises
    ------
    ValueError
        If rows are not later than the last buffered ones of their series.
    """
    known = buffer.rows.find(arrived.rows.names)
    newest, first = buffer.rows.ends[known] - 1, arrived.rows.starts
    early = np.flatnonzero(arrived.rows.time[first] <= buffer.rows.time[newest])
    if len(early):
        k = early[0]
        raise ValueError(
            f"The rows{_of_series(arrived, k)} begin at {arrived.timestamps[first[k]]}, which is "
            f"not behind the last row of fit, {buffer.timestamps[newest[k]]}: a forecast is judged "
            "by later rows. In a search choose cv=TimeSeriesSplit() or, for many series, "
            "cv=TimestampSplit()."
        )
    return _with_rows(buffer, arrived).regular()


def updated(buffer: Panel, arrived: Panel) -> tuple[Panel, np.ndarray]:
    """Append the rows that follow, and fill missing values of the buffer with those that are late.

    Parameters
    ----------
    buffer, arrived : Panel
        The rows at hand, and rows that have arrived, with the same columns.

    Returns
    -------
    rows : Panel
        Old and new ones.
    is_new : ndarray of bool, shape (n_rows, n_targets)
        Which targets were not known before.

    Raises
    ------
    ValueError
        If rows are missing between old and new ones, a late row is not in the buffer, or has
        another value than before.
    """
    newest = buffer.rows.time[buffer.rows.ends - 1]
    is_late = arrived.rows.time <= newest[buffer.rows.find(arrived.rows.names)][arrived.rows.code]
    filled = _filled(buffer, arrived.take(is_late)) if is_late.any() else buffer
    following = arrived.take(~is_late)
    _check_they_follow(buffer, following)
    longer = _with_rows(filled, following)
    before = _with_rows(buffer, following).rows
    is_old = before.place < np.repeat(buffer.rows.sizes, before.sizes)
    return longer, ~is_old[:, None] | (np.isnan(before.y) & ~np.isnan(longer.rows.y))


def _with_rows(buffer: Panel, arrived: Panel) -> Panel:
    known = buffer.rows.find(arrived.rows.names)
    counts = np.zeros(len(buffer.rows.sizes), dtype=int)
    counts[known] = arrived.rows.sizes
    order = np.argsort(known[arrived.rows.code], kind="stable")
    rows, place = buffer.rows.with_rows(
        arrived.rows.values[order], arrived.rows.time[order], counts
    )
    timestamps = buffer.timestamps.append(arrived.timestamps[order]).take(place)
    return buffer._replace(rows=rows, timestamps=timestamps)


def _filled(buffer: Panel, late: Panel) -> Panel:
    """Put late values in place of NaN."""
    rows = buffer.rows
    code = rows.find(late.rows.names)[late.rows.code]
    place = places_of(rows.code, rows.time, code, late.rows.time)
    if (place < 0).any():
        _refuse_slot(buffer, late, place < 0, rows.starts[code])
    held, given = rows.values[place], late.rows.values
    both = ~np.isnan(held) & ~np.isnan(given)
    others = np.argwhere(both & ~np.isclose(held, given, rtol=1e-9, atol=1e-12))  # logs round
    if len(others):
        row, column = others[0]
        name = [*buffer.targets, *buffer.covariates][column]
        raise ValueError(
            f"{name!r} had another value at {late.timestamps[row]}"
            f"{_of_series(late, late.rows.code[row])} before, as had {len(others) - 1} more "
            "values: update takes late values in place of missing ones only. Leave these out, or "
            "fit again if they were corrected."
        )
    values = rows.values.copy()
    values[place] = np.where(np.isnan(held), given, held)
    return buffer._replace(rows=rows._replace(values=values))


def _refuse_slot(buffer: Panel, late: Panel, lost: np.ndarray, first: np.ndarray) -> None:
    """Raise an error for late rows that the buffer has no row for."""
    row = int(np.flatnonzero(lost)[0])
    of, at, begin = _of_series(late, late.rows.code[row]), late.timestamps[row], first[row]
    if late.rows.time[row] > buffer.rows.time[begin]:
        raise ValueError(
            f"The row {at}{of} lies between two rows of the frequency: correct its timestamp, or "
            "leave it out."
        )
    raise ValueError(
        f"The row {at}{of} is too late, as are {lost.sum() - 1} more rows: the rows that a "
        f"forecast needs are kept, from {buffer.timestamps[begin]} on. Leave out earlier ones, or "
        "fit again with them."
    )


def _check_they_follow(buffer: Panel, arrived: Panel) -> None:
    checked = set()
    for k, code in enumerate(buffer.rows.find(arrived.rows.names)):
        begin, end = arrived.rows.starts[k], arrived.rows.ends[k]
        last, calendar = buffer.rows.ends[code] - 1, buffer.calendars[code]
        key = buffer.rows.time[last], id(calendar), arrived.rows.time[begin:end].tobytes()
        if key in checked or begin == end:
            continue
        checked.add(key)
        index = buffer.timestamps[last : last + 1].append(arrived.timestamps[begin:end])
        gaps = np.flatnonzero(calendar.missing(index))
        if len(gaps):
            row = gaps[0]
            expected = calendar.after(index[row : row + 1], 1)[0]
            verb = f"go on from {index[row]} to" if row else "begin at"
            raise ValueError(
                f"The rows{_of_series(arrived, k)} {verb} {index[row + 1]}, but the row expected "
                f"next is {expected}; the others must follow at the same frequency."
            )


def _of_series(panel: Panel, k: int) -> str:
    return f" of series {panel.rows.names[k]!r}" if panel.by_levels else ""
