"""Panels: the rows of one or many series, read from tables, and their future timestamps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.categories import Categories, encoded, frequent, vocabularies
from sklstm._data.frames import Layout, Rows, lay_out
from sklstm._data.inputs import kind_of_table, lay_out_any
from sklstm._data.numeric import numeric_columns, refuse_infinity
from sklstm._data.warning import DataWarning, warn
from sklstm._tables.calendar import Calendar
from sklstm._tables.histories import factorize
from sklstm._tables.regular_rows import Series, find_calendars, without_gaps
from sklstm._tables.series_rows import SeriesRows

__all__ = ["Panel", "places_of", "read_panel", "time_numbers"]


class Panel(NamedTuple):
    """Rows of all series, with their timestamps.

    Attributes
    ----------
    rows : SeriesRows
        Targets and covariates; the name of a single series is None.
    timestamps : Index of length n_rows
        Of each row.
    targets, covariates : list
        Names of the columns.
    calendars : list of Calendar
        Those of all series, once `regular` has found them.
    """

    rows: SeriesRows
    timestamps: pd.Index
    targets: list
    covariates: list
    calendars: list

    @property
    def categories(self) -> Categories:
        """Covariates that are categories, and their values."""
        return {self.covariates[k]: values for k, values in self.rows.categories.items()}

    def with_learned_categories(self) -> Panel:
        """Count rare values as unknown, for a fit on these rows.

        Raises
        ------
        ValueError
            If a category has too many values, or none.
        """
        rows, found = self.rows, {}
        for k, values in rows.categories.items():
            column = rows.values[:, rows.n_targets + k]
            found[k] = frequent(column[~np.isnan(column)], values, self.covariates[k], "the table")
        return self._replace(rows=rows.recoded(found))

    @property
    def by_levels(self) -> bool:
        """Whether there are several series, so that index levels name them if nothing else does."""
        return self.rows.names != [None]

    def regular(self, known: list[Calendar] | tuple = ()) -> Panel:
        """Find the frequency of each series, and put rows of NaN where one is missing.

        Parameters
        ----------
        known : list of Calendar, default=()
            Calendars of a fit: the series must have one of these.

        Returns
        -------
        Panel
            With a row at each timestamp of the frequency.

        Raises
        ------
        ValueError
            If the sampling of a series is irregular, or at another frequency than known ones.
        """
        if not len(self.timestamps):
            raise ValueError("The table has no rows: a forecast needs some.")
        bounds = list(zip(self.rows.starts, self.rows.ends, strict=True))
        keys = [self.rows.time[start:end].tobytes() for start, end in bounds]
        indexes = {  # many series have the same timestamps
            key: Series(key, self.timestamps[slice(*bound)], name)
            for key, bound, name in zip(keys, bounds, self.rows.names, strict=True)
        }
        calendars = dict(zip(keys, self.calendars, strict=False))
        calendars = calendars or find_calendars([*indexes.values()], known)
        whole_of = {key: without_gaps(one.rows, calendars[key]) for key, one in indexes.items()}
        panel = self._replace(calendars=[calendars[key] for key in keys])
        counts = np.array([len(whole_of[key]) for key in keys])
        if (counts == self.rows.sizes).all():
            return panel
        whole = [whole_of[key] for key in keys]
        timestamps = whole[0].append(whole[1:])
        time = time_numbers(timestamps)
        code = np.repeat(np.arange(len(counts)), counts)
        place = places_of(code, time, self.rows.code, self.rows.time)
        values = np.full((len(time), self.rows.values.shape[1]), np.nan)
        values[place] = self.rows.values
        rows = self.rows._replace(values=values, sizes=counts, time=time)
        return panel._replace(rows=rows, timestamps=timestamps)

    def take(self, kept: np.ndarray) -> Panel:
        """Select rows by a boolean mask, and the series that have some."""
        left = np.bincount(self.rows.code[kept], minlength=len(self.rows.sizes)) > 0
        known = zip(self.calendars, left, strict=False)  # none before `regular` has found them
        calendars = [one for one, is_left in known if is_left]
        return self._replace(
            rows=self.rows.take(kept), timestamps=self.timestamps[kept], calendars=calendars
        )

    def tail(self, n_rows: int) -> Panel:
        """Keep the last rows of each series."""
        return self.take(self.rows.place >= np.repeat(self.rows.sizes - n_rows, self.rows.sizes))

    def future(self, n_rows: int) -> pd.Index:
        """So many timestamps behind the rows of each series, one series after the other."""
        found: dict[tuple, int] = {}
        parts: list[pd.Index] = []
        keys = []
        for end, calendar in zip(self.rows.ends - 1, self.calendars, strict=True):
            keys.append((self.rows.time[end], id(calendar)))
            if keys[-1] not in found:
                found[keys[-1]] = len(parts)
                parts.append(calendar.after(self.timestamps[end : end + 1], n_rows))
        if len(keys) == 1:
            return parts[0]
        first = np.array([found[key] for key in keys]) * n_rows
        return parts[0].append(parts[1:]).take((first[:, None] + np.arange(n_rows)).ravel())


def read_panel(
    y: Any,
    X: Any,
    series: str | list[str] | None,
    time: str | None,
    names: list | None = None,
    by_levels: bool | None = None,
    categories: Any = "from_dtype",
) -> Panel:
    """Read a panel.

    Parameters
    ----------
    y : Series, DataFrame or None
        Targets; also a table of another library.
    X : DataFrame or None
        Covariates of the same rows.
    series, time : str, list of str or None
        Columns or index levels of `y` and `X` that name the series and hold the time.
    names : list, default=None
        Names of the targets, used for a Series or an array without a name.
    by_levels : bool, default=None
        As in `lay_out`.
    categories : "from_dtype", list or dict
        Columns that are categories: those of texts and of pandas' categories, those that are named,
        or, once they are learned, those with these values. In `y` they are no targets.

    Returns
    -------
    Panel
        Rows in time order.

    Raises
    ------
    ValueError
        If the rows of `y` and `X` differ, or a column is missing or holds no numbers.
    """
    if y is None:
        return _as_covariates(_read(X, series, time, "X", None, by_levels, categories))
    targets = _read(y, series, time, "y", names, by_levels, categories)
    if X is None:
        _check_named(categories, [*targets.targets, *targets.covariates])
        return targets
    others = _as_covariates(_read(X, series, time, "X", None, by_levels, categories))
    _check_named(categories, [*targets.targets, *targets.covariates, *others.covariates])
    code = targets.rows.find(others.rows.names)[others.rows.code]
    order = np.argsort(code, kind="stable")
    if not (
        np.array_equal(code[order], targets.rows.code)
        and others.timestamps[order].equals(targets.timestamps)
    ):
        raise ValueError("X must have the rows of y, with the same timestamps.")
    mine = targets.covariates
    twice = [name for name in [*targets.targets, *mine] if name in others.covariates]
    if twice:
        raise ValueError(
            f"y and X both have the column {twice[0]!r}: drop it from X. The past of y is "
            "used anyway."
        )
    kinds = {len(mine) + k: values for k, values in others.rows.categories.items()}
    rows = targets.rows._replace(
        values=np.hstack([targets.rows.values, others.rows.values[order]]),
        categories=targets.rows.categories | kinds,
    )
    return targets._replace(rows=rows, covariates=[*mine, *others.covariates])


def _read(
    table: Any,
    series: str | list[str] | None,
    time: str | None,
    role: str,
    names: list | None,
    by_levels: bool | None,
    categories: Any,
) -> Panel:
    """Read one table: numbers as targets, categories as covariates."""
    if isinstance(table, pd.Series):
        table = table.to_frame(table.name if table.name is not None else (names or ["y"])[0])
    elif isinstance(table, np.ndarray) and table.ndim < 3:
        columns = names or (["y"] if table.ndim == 1 or table.shape[1] == 1 else None)
        table = pd.DataFrame(table, columns=columns)
    table, layout = lay_out_any(table, series, time, by_levels)
    if not isinstance(table, pd.DataFrame) or layout.timestamps is None:
        raise ValueError(
            f"{role} is a {kind_of_table(table)} without time: a forecast needs timestamps. Give a "
            "pandas Series or DataFrame indexed by dates, periods or integers, or name the column "
            "of the time: time='date'."
        )
    layout = _with_whole_times(layout, time)
    features, kinds = _encoded(layout, series, categories, role)
    features = numeric_columns(features, role)
    numbers = [name for name in features.columns if name not in kinds]
    if kinds:
        features = features[[*numbers, *kinds]]
    if not numbers and role == "y":
        raise ValueError(f"y has no column of numbers to forecast, only {list(features.columns)}.")
    _warn_of_time_columns(features, layout.clock, role)
    codes, found = factorize(layout.keys, len(features))
    order = Rows.arrange(codes, layout.timestamps)
    order.check_time(layout.times)
    index = pd.Index(layout.times, name=layout.times.name)
    values = features.to_numpy(np.float64, na_value=np.nan)
    refuse_infinity(values, features.columns, index, role)
    rows = SeriesRows(
        values[order.order],
        len(numbers),
        np.bincount(codes, minlength=1 if found is None else len(found)),
        order.timestamps,
        [None] if found is None else list(found),
        dict(enumerate(kinds.values())),
    )
    index = index if found is None else index[order.order]
    return Panel(rows, index, numbers, list(kinds), [])


def _encoded(
    layout: Layout, series: str | list[str] | None, categories: Any, role: str
) -> tuple[pd.DataFrame, Categories]:
    """The features with codes in place of categories, among them ids of series that are named."""
    table, names = layout.features, [series] if isinstance(series, str) else list(series or [])
    wanted = [] if isinstance(categories, str) else list(categories)
    ids = [name for name in names if name in wanted and role == "y"]
    if ids:
        keys = (
            [layout.keys]
            if len(names) == 1
            else [layout.keys.get_level_values(k) for k in range(len(names))]
        )
        table = table.assign(**{name: keys[names.index(name)].to_numpy() for name in ids})
    if isinstance(categories, dict):
        kinds = {name: values for name, values in categories.items() if name in table.columns}
    else:
        asked = (
            categories if isinstance(categories, str) else [k for k in wanted if k in table.columns]
        )
        kinds = vocabularies(table, asked, role=role)
    return encoded(table, kinds, role), kinds


def _as_covariates(panel: Panel) -> Panel:
    """All columns as covariates."""
    rows = panel.rows
    kinds = {rows.n_targets + k: values for k, values in rows.categories.items()}
    rows = rows._replace(n_targets=0, categories=kinds)
    return panel._replace(rows=rows, targets=[], covariates=[*panel.targets, *panel.covariates])


def _check_named(categories: Any, columns: list) -> None:
    """Raise an error for a category that is not a column of y or X."""
    named = categories if isinstance(categories, list | tuple) else []
    lacking = [name for name in named if name not in columns]
    if lacking:
        raise ValueError(
            f"The category {lacking[0]!r} is a column of neither y nor X, which have {columns}."
        )


def _warn_of_time_columns(features: pd.DataFrame, clock: str | None, role: str) -> None:
    """Warn of a column that counts the rows: it looks like a time that no one named."""
    if clock != "counter" or role != "y" or len(features) < 6 or len(features.columns) < 2:
        return
    for name, column in features.items():
        step, n_rows = _regular_rise(column.to_numpy(np.float64, na_value=np.nan))
        if n_rows == 1:
            warn(
                f"Column {name!r} of y rises by {step:g} in each row, like a time, and is forecast "
                f"as a target: name it, time={name!r}, or drop it.",
                DataWarning,
            )
        elif n_rows:
            warn(
                f"Column {name!r} of y rises by {step:g} every {n_rows} rows, like a year, and is "
                "forecast as a target: make an index of dates or periods of it and the columns "
                "that go with it, such as by pandas.PeriodIndex.from_fields, or drop it.",
                DataWarning,
            )


def _regular_rise(values: np.ndarray) -> tuple[float, int]:
    """By how much a column rises, every how many rows; (0, 0) if not always so."""
    rises = np.diff(values)
    at = np.flatnonzero(rises)
    if len(at) < 3 or not rises[at[0]] > 0 or (rises[at] != rises[at[0]]).any():
        return 0.0, 0
    n_rows = int(at[1] - at[0])
    is_regular = (np.diff(at) == n_rows).all() and at[0] < n_rows >= len(values) - 1 - at[-1]
    return (float(rises[at[0]]), n_rows) if is_regular else (0.0, 0)


def _with_whole_times(layout: Layout, time: str | None) -> Layout:
    """Numbers of a named time as integers."""
    times = layout.times
    if times.dtype.kind != "f":
        return layout
    fractions = times[times != np.floor(times)]
    if len(fractions):
        raise ValueError(
            f"time={time!r} holds fractions such as {fractions[0]}, and a forecast needs dates, "
            "periods or integers: pandas.to_timedelta(table[...], unit='s') makes durations of "
            "seconds."
        )
    whole = times.astype(np.int64)
    return layout._replace(times=whole, timestamps=whole.to_numpy())


def time_numbers(index: pd.Index) -> np.ndarray:
    """Timestamps, periods or numbers as numbers."""
    return lay_out(pd.DataFrame(index=index)).timestamps


def places_of(
    code: np.ndarray, time: np.ndarray, of_code: np.ndarray, of_time: np.ndarray
) -> np.ndarray:
    """Positions of series and times among others, sorted by series and time; -1 for those missing.

    Parameters
    ----------
    code, time : ndarray of shape (n,)
        Where to look.
    of_code, of_time : ndarray of shape (m,)
        What to look for.
    """
    index = pd.MultiIndex.from_arrays([code, time])
    return index.get_indexer(pd.MultiIndex.from_arrays([of_code, of_time]))
