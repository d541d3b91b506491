"""Tables of pandas: features, series and time, and which rows follow each other."""

import re
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = [
    "Layout",
    "Rows",
    "gap_in_timestamps",
    "index_from_plain",
    "index_to_plain",
    "lay_out",
]


DATES = ("datetime", "datetime with time zone")
"""Clocks of dates."""

NANOSECONDS = (*DATES, "duration")
"""Clocks whose timestamps are nanoseconds."""

DATE_AS_TEXT = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d.*)?")


CURE_OF_ORDER = (
    "Sort the table by time and drop duplicates; if it holds several series name them with "
    "series=; if the index is not a time and the rows are in order use reset_index(drop=True)."
)


class Layout(NamedTuple):
    """The parts of a table.

    Attributes
    ----------
    features : DataFrame or array-like of shape (n_rows, n_features)
        The table without series and time.
    keys : pandas.Index of length n_rows, or None
        Name of the series of each row.
    times : pandas.Index of length n_rows, or None
        Time of each row, with the data type of the table.
    timestamps : ndarray of shape (n_rows,), or None
        The same as nanoseconds or numbers: int64 or float64.
    clock : {"datetime", "datetime with time zone", "duration", "number", "counter"} or None
        Kind of the timestamps; a counter is the integer index of the table.
    by_levels : bool
        Whether the levels of the index beside the time name the series, though no one named them.
    """

    features: Any
    keys: Any = None
    times: Any = None
    timestamps: Any = None
    clock: str | None = None
    by_levels: bool = False

    @property
    def is_dated(self) -> bool:
        """Whether the timestamps are nanoseconds of dates."""
        return self.clock in DATES

    @property
    def zone(self) -> Any:
        """Time zone of the dates, a tzinfo, or None."""
        return getattr(self.times, "tz", None)


def lay_out(
    table: Any,
    series: str | list[str] | None = None,
    time: str | None = None,
    role: str = "series",
    by_levels: bool | None = None,
) -> Layout:
    """Separate features, series and time of a table.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        The table.
    series : str or list of str, default=None
        Columns or index levels that name the series of a row.
    time : str, default=None
        Column or index level with the time. `None`: the index, or the last of its levels that is
        not a series, if it holds dates, periods or integers.
    role : str, default="series"
        Name of the parameter `series`, for messages.
    by_levels : bool, default=None
        Without `series`, whether the levels of the index beside the time name the series. `None`:
        if they must, as timestamps repeat or are not in order, such as in what xarray makes.

    Returns
    -------
    Layout
        The parts.

    Raises
    ------
    ValueError
        If a name is unknown, or a series or time is missing or invalid; the message names it.
    """
    names = [] if series is None else [series] if isinstance(series, str) else list(series)
    columns = [_pick(table, name, role) for name in names]
    for name, column in zip(names, columns, strict=True):
        _check_series(name, column, role, in_index=name not in table.columns)
    index, is_split = table.index, False
    if series is None and time is None and isinstance(index, pd.MultiIndex):
        level = _time_level(index)
        if level is not None and by_levels is None:
            by_levels = _needs_series(index.get_level_values(level))
        if level is not None and by_levels:
            columns = [index.get_level_values(k) for k in range(index.nlevels) if k != level]
            index, is_split = index.get_level_values(level), True
    keys = None
    if columns:
        keys = columns[0] if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)
    if time is None:
        times, timestamps, clock = _read_index(index, names)
    else:
        times = _without_arrow(_pick(table, time, "time"))
        timestamps, clock = _read_timestamps(times, f"time={time!r}")
        if clock is None:
            raise ValueError(
                f"time={time!r} has the dtype {times.dtype}; time must be dates "
                "(pandas.to_datetime makes them) or numbers."
            )
    names = names if time is None else [*names, time]
    no_features = [name for name in names if name in table.columns]
    features = table.drop(columns=no_features) if no_features else table
    return Layout(features, keys, times, timestamps, clock, is_split)


def gap_in_timestamps(max_gap: Any, clock: str | None) -> float:
    """Convert `max_gap` to the unit of the timestamps.

    Parameters
    ----------
    max_gap : Timedelta, str or number
        As the user gives it, except "any".
    clock : str or None
        Kind of the timestamps.

    Returns
    -------
    int or float
        Nanoseconds, or the number.

    Raises
    ------
    ValueError
        If a number is given for dates or a duration for numbers, or it is not a duration, or not
        above zero.
    """
    of_dates = clock in NANOSECONDS
    if isinstance(max_gap, Real) == of_dates:
        raise ValueError(
            f"max_gap={max_gap!r} does not fit the time, which consists of "
            + (
                "dates: give a duration such as pandas.Timedelta('2h') or '2h'."
                if of_dates
                else "numbers: give a number."
            )
        )
    gap = _nanoseconds(max_gap) if of_dates else max_gap
    if not gap > 0:
        raise ValueError(f"max_gap={max_gap!r} cuts everywhere: it must be above zero.")
    return gap


def _nanoseconds(max_gap: Any) -> int:
    try:
        return pd.Timedelta(max_gap).as_unit("ns").value
    except ValueError as error:
        raise ValueError(
            f"max_gap={max_gap!r} is not a duration that pandas.Timedelta reads, such as '2h', "
            "'30min' or '1D'; 'any' joins all rows of a series."
        ) from error


class Rows(NamedTuple):
    """Rows sorted by series, each series in the order of the table.

    Attributes
    ----------
    order : ndarray of int, shape (n_rows,)
        Row of the table at each place.
    is_first : ndarray of bool, shape (n_rows,)
        Whether the row at a place is the first one of its series.
    steps : ndarray of shape (n_rows,), or None
        Time since the row at the place before; meaningless for a first row.
    timestamps : ndarray of shape (n_rows,), or None
        Time of the row at each place.
    """

    order: np.ndarray
    is_first: np.ndarray
    steps: Any
    timestamps: Any

    @classmethod
    def arrange(cls, codes: np.ndarray, timestamps: np.ndarray | None) -> "Rows":
        """Sort the rows by series.

        Parameters
        ----------
        codes : ndarray of int, shape (n_rows,)
            Series of each row.
        timestamps : ndarray of shape (n_rows,), or None
            Time of each row.

        Returns
        -------
        Rows
            The rows in their new order.
        """
        if len(codes) and (codes[1:] >= codes[:-1]).all():
            order = np.arange(len(codes))
        else:  # few codes fit into 16 bits, which NumPy sorts in linear time
            small = codes.max(initial=0) < 2**16
            order = np.argsort(codes.astype(np.uint16) if small else codes, kind="stable")
            codes, timestamps = codes[order], None if timestamps is None else timestamps[order]
        is_first = np.ones(len(codes), dtype=bool)
        is_first[1:] = codes[1:] != codes[:-1]
        steps = None
        if timestamps is not None:
            steps = np.zeros_like(timestamps)
            np.subtract(timestamps[1:], timestamps[:-1], out=steps[1:])
        return cls(order, is_first, steps, timestamps)

    def common_step(self) -> int | float | None:
        """Return the step that all neighbours have in common.

        Returns
        -------
        int or float or None
            None if steps differ, or if there are none.
        """
        place = int(self.is_first.argmin())
        if self.is_first[place]:
            return None
        step = self.steps[place]
        return step.item() if ((self.steps == step) | self.is_first).all() else None

    def check_time(self, times: Any, cure: str = CURE_OF_ORDER) -> None:
        """Raise an error if time does not increase within a series.

        Parameters
        ----------
        times : pandas.Index of length n_rows, or None
            Time of the rows in the order of the table, for the message.
        cure : str
            Remedy, for the message.

        Raises
        ------
        ValueError
            If a row is not later than the row before it in its series.
        """
        if self.steps is None:
            return
        wrong = np.flatnonzero((self.steps <= 0) & ~self.is_first)
        if not len(wrong):
            return
        row, before = self.order[wrong[0]], self.order[wrong[0] - 1]
        raise ValueError(
            f"Time must increase within a series, but row {row} (counted from 0; time "
            f"{times[row]}) follows row {before} ({times[before]}), as do {len(wrong) - 1} more. "
            f"{cure}"
        )


def index_to_plain(index: pd.Index) -> list[tuple[str, np.ndarray]]:
    """Convert an index to arrays, so that it can be saved without pandas.

    Parameters
    ----------
    index : pandas.Index of length n
        An index without names, of one or more levels.

    Returns
    -------
    list of tuple of (str, ndarray of shape (n,))
        Data type and values of each level.

    Examples
    --------
    >>> import pandas as pd
    >>> index_to_plain(pd.Index([1, 2]))
    [('int64', array([1, 2]))]
    """
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    return [
        (str(x.dtype), x.asi8 if isinstance(x, pd.DatetimeIndex) else x.to_numpy()) for x in levels
    ]


def index_from_plain(plain: list[tuple[str, np.ndarray]]) -> pd.Index:
    """Restore an index from `index_to_plain`.

    Parameters
    ----------
    plain : list of tuple of (str, ndarray of shape (n,))
        From `index_to_plain`.

    Returns
    -------
    pandas.Index of length n
        Equal to the converted one.
    """
    levels = [pd.Index(values, dtype=dtype) for dtype, values in plain]
    return levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)


def _pick(table: pd.DataFrame, name: Any, role: str) -> pd.Index:
    """A column or index level, as an Index."""
    if name in table.columns:
        column = table[name]
        return pd.Index(column, dtype=column.dtype)
    if name in table.index.names:
        return table.index.get_level_values(name)
    raise ValueError(
        f"{role}={name!r} is neither a column nor an index level of X. Columns: "
        f"{list(table.columns)}; index levels: {list(table.index.names)}."
    )


def _time_level(index: pd.MultiIndex) -> int | None:
    """The level of an index that holds dates; if there is none, the last one of integers."""
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    dated = [k for k, x in enumerate(levels) if _is_dated(x)]
    if dated:
        return dated[0] if len(dated) == 1 else None
    whole = [k for k, x in enumerate(levels) if x.dtype.kind in "iu"]
    return whole[-1] if whole else None


def _is_dated(times: Any) -> bool:
    return times.dtype.kind in "mM" or isinstance(times.dtype, pd.PeriodDtype)


def _needs_series(times: pd.Index) -> bool:
    """Whether timestamps are not those of one series: some repeat, or they are not in order."""
    return len(times) > 1 and not (times.is_monotonic_increasing and times.is_unique)


def _check_series(name: Any, column: Any, role: str, in_index: bool) -> None:
    missing = column.isna()
    if missing.any():
        raise ValueError(
            f"{role}={name!r} is missing in row {missing.argmax()} (counted from 0) and "
            f"{missing.sum() - 1} more: every row must name its series."
        )
    if not in_index and column.dtype.kind == "f" and (column != np.floor(column)).any():
        fraction = column[column != np.floor(column)][0]
        raise ValueError(
            f"{role}={name!r} holds fractions such as {fraction}: has a scaler scaled it? Move it "
            "to the index (set_index(..., append=True)), where scalers leave it alone."
        )


def _read_index(index: pd.Index, series_names: list) -> tuple[Any, Any, str | None]:
    """Times, timestamps and clock of the last level that is not a series."""
    levels = [level for level, name in enumerate(index.names) if name not in series_names]
    if not levels:
        return None, None, None
    if len(levels) > 1:
        dated = [level for level in levels if _is_dated(index.get_level_values(level))]
        levels = dated if len(dated) == 1 else levels
    times = _without_arrow(index.get_level_values(levels[-1]))
    if times.dtype.kind == "f":  # values such as those of a column, not a time index
        return None, None, None
    timestamps, clock = _read_timestamps(times, "the index")
    if clock is None:
        _refuse_disguised_dates(times)
    return times, timestamps, "counter" if clock == "number" else clock


def _without_arrow(times: pd.Index) -> pd.Index:
    """The same times as types of pandas, if they are of Arrow."""
    if isinstance(times.dtype, pd.ArrowDtype) and times.dtype.kind == "M":
        return pd.DatetimeIndex(times)
    if isinstance(times.dtype, pd.ArrowDtype) and times.dtype.kind == "m":
        return pd.TimedeltaIndex(times)
    return times


def _refuse_disguised_dates(index: pd.Index) -> None:
    """Raise an error for dates that are stored as texts or objects: pandas does not know them."""
    if not len(index):
        return
    value = index[0]
    is_text = isinstance(value, str) and DATE_AS_TEXT.fullmatch(value)
    if is_text or (index.dtype == object and hasattr(value, "isoformat")):
        raise ValueError(
            f"The index has the dtype {index.dtype} and holds {value!r}, which looks like a date "
            "but is not one to pandas: convert it by pandas.to_datetime(table.index). If it is not "
            "a time use reset_index(drop=True)."
        )


def _refuse_dates_in_digits(numbers: np.ndarray, name: Any) -> None:
    """Raise an error for integers such as 20240131: their steps are not those of the dates."""
    if not len(numbers) or numbers.min() < 1500_01_01 or numbers.max() > 2999_12_31:
        return
    days, months = numbers % 100, numbers // 100 % 100
    is_date = (days >= 1) & (days <= 31) & (months >= 1) & (months <= 12)
    if is_date.all() and len(np.unique(numbers // 100)) > 1:
        raise ValueError(
            f"The time in {name} holds integers such as {numbers[0]}, which are dates written in "
            "digits: pandas.to_datetime(times.astype(str)) makes dates of them."
        )


def _read_timestamps(times: Any, name: Any) -> tuple[Any, str | None]:
    """Timestamps and clock of an Index; None if it is not a time."""
    is_date = isinstance(times, (pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex))
    is_number = pd.api.types.is_numeric_dtype(times.dtype)
    if not is_date and (not is_number or pd.api.types.is_bool_dtype(times.dtype)):
        return None, None
    missing = np.asarray(times.isna())
    if times.dtype.kind == "f":
        missing |= ~np.isfinite(times.to_numpy(np.float64, na_value=np.nan))
    if missing.any():
        raise ValueError(
            f"The time in {name} is missing in row {missing.argmax()} (counted from 0) and "
            f"{missing.sum() - 1} more, or infinite."
        )
    if not is_date:
        is_whole = pd.api.types.is_integer_dtype(times.dtype)
        if is_whole:
            _refuse_dates_in_digits(times.to_numpy(np.int64), name)
        return times.to_numpy(np.int64 if is_whole else np.float64), "number"
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    clock = "datetime" if getattr(times, "tz", None) is None else "datetime with time zone"
    if isinstance(times, pd.TimedeltaIndex):
        clock = "duration"
    return times.as_unit("ns").asi8, clock
