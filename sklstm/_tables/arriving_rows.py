"""Rows that arrive: which may be remembered, and which may be asked for."""

import numpy as np

from sklstm._tables.joined_table import JoinedTable
from sklstm._tables.seen_rows import Seen
from sklstm._tables.table_warnings import write_timestamp

__all__ = ["check_arrived", "check_within_horizon"]


def check_within_horizon(joined: JoinedTable, horizon: int) -> None:
    """Refuse rows of NaN beyond the horizon of the last row with values.

    Parameters
    ----------
    joined : JoinedTable
        The given rows among the buffered ones.
    horizon : int
        Number of places from the end of a history to the row it belongs to.

    Raises
    ------
    ValueError
        If a series ends with rows of NaN further than `horizon` after its last row with values.
    """
    if not horizon:
        return
    table, rows = joined.table, joined.table.rows
    for begin, end in _requests(joined):
        first = int(np.flatnonzero(rows.is_first[: begin + 1])[-1])
        if begin == first:  # no row with values is known
            begin += 1
        place = np.arange(begin, end) - begin + 1
        for at, missing in zip(joined.gaps.places, joined.gaps.missing, strict=True):
            place[max(at - begin, 0) :] += missing if begin <= at < end else 0
        beyond = np.flatnonzero(place > horizon)
        if len(beyond):
            row, start = rows.order[[begin + beyond[0], begin]] - len(table.buffered)
            raise ValueError(
                f"horizon={horizon} reaches {horizon} rows ahead of the last row with values, but "
                f"X ends with {end - begin} rows of NaN, from row {start} (counted from 0): row "
                f"{row} is {place[beyond[0]]} ahead. Pass rows up to {horizon} ahead, or fit with "
                "a longer horizon."
            )


def check_arrived(joined: JoinedTable, seen: Seen) -> None:
    """Refuse rows without values, and rows that were seen before or come too late.

    Parameters
    ----------
    joined : JoinedTable
        The rows that have arrived, among the buffered ones.
    seen : Seen
        Which rows were seen before.

    Raises
    ------
    ValueError
        The message names the row.
    """
    table, rows, given = joined.table, joined.table.rows, joined.given
    n_buffered, names = len(table.buffered), given.names
    for begin, _ in _requests(joined):
        row = rows.order[begin] - n_buffered
        raise ValueError(
            f"Row {row} (counted from 0; time {given.layout.times[row]}) has no values: rows of "
            "NaN ask for a forecast, and partial_fit does not remember them. Leave them out."
        )
    given_at = np.flatnonzero(joined.is_given)
    codes = table.codes[rows.order[given_at]]
    known = seen.knows(codes)
    if not known.any():
        return
    last = seen.last[np.where(known, codes, 0)]
    for place in np.flatnonzero(known & (rows.timestamps[given_at] <= last)):
        at, code = given_at[place], codes[place]
        if not table.was_buffered[at] and _is_between_buffered(joined, at):
            continue
        row = rows.order[at] - n_buffered
        was_seen = table.was_buffered[at] or rows.timestamps[at] == last[place]
        of_series = "" if names is None else f" of series {names[code]!r}"
        raise ValueError(
            f"Row {row} (counted from 0; time {given.layout.times[row]}){of_series} "
            f"{'was seen before' if was_seen else 'is late'}: partial_fit takes rows later than "
            f"{write_timestamp(last[place], given.layout)}, the last timestamp in its buffer, or "
            "between two rows that it still holds. Leave out the rows it has seen; for rows that "
            "arrive late, call fit with all rows in time order."
        )


def _is_between_buffered(joined: JoinedTable, at: int) -> bool:
    """Whether the rows before and after the slot of a late row are held."""
    table, first = joined.table, joined.table.rows.is_first
    buffered = np.flatnonzero(~joined.is_given)
    before, after = buffered[buffered < at], buffered[buffered > at]
    if not len(before) or not len(after):
        return False
    return not first[before[-1] + 1 : after[0] + 1].any() and not table.is_dropped[after[0]]


def _requests(joined: JoinedTable) -> list[tuple[int, int]]:
    """Begin and end of the rows of NaN at the end of each series, by sorted position."""
    rows, values = joined.table.rows, joined.given.values
    if not np.isnan(values[:, 0]).any():
        return []
    first = np.flatnonzero(rows.is_first)
    ends = np.append(first[1:], len(rows.order))
    n_buffered = len(joined.table.buffered)
    last = rows.order[ends - 1] - n_buffered
    ask = (last >= 0) & np.isnan(values[np.maximum(last, 0)]).all(axis=1)
    found = []
    for begin, end in zip(first[ask], ends[ask], strict=True):
        own = rows.order[begin:end] - n_buffered
        has_values = (own < 0) | ~np.isnan(values[np.maximum(own, 0)]).all(axis=1)
        found.append((begin + len(own) - int(has_values[::-1].argmax()), end))
        if not has_values.any():
            found[-1] = begin, end
    return found
