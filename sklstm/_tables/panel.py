"""Panels: regular tables of one or many series, and their future timestamps."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._data.frames import Rows, numeric_columns
from sklstm._data.inputs import kind_of_table, lay_out_any
from sklstm._data.warning import DataWarning, warn
from sklstm._tables.calendar import Calendar
from sklstm._tables.histories import factorize

__all__ = ["Panel", "read_panel", "with_series"]


class Panel(NamedTuple):
    """One table for each series.

    Attributes
    ----------
    tables : dict of DataFrame
        By the name of the series, None for a single series: targets and covariates, indexed by
        time.
    targets, covariates : list
        Names of the columns.
    calendars : dict of Calendar
        Those of regular series, by name.
    """

    tables: dict[Hashable, pd.DataFrame]
    targets: list
    covariates: list
    calendars: dict[Hashable, Calendar]

    @property
    def by_levels(self) -> bool:
        """Whether there are several series, so that index levels name them if nothing else does."""
        return list(self.tables) != [None]

    def tail(self, n_rows: int) -> Panel:
        """Keep the last rows of each series."""
        return self._replace(tables={name: t[-n_rows:] for name, t in self.tables.items()})

    def regular(self) -> Panel:
        """Find the frequency of each series, and put rows of NaN where one is missing.

        Returns
        -------
        Panel
            With a row at each timestamp of the frequency.

        Raises
        ------
        ValueError
            If the sampling of a series is irregular.
        """
        tables, calendars = {}, {}
        known: dict[Any, tuple[Calendar, pd.Index]] = {}  # many series have the same timestamps
        for name, table in sorted(self.tables.items(), key=lambda item: len(item[1]) < 3):
            key = table.index.dtype, table.index.to_numpy().tobytes()
            if len(table) < 3 and known:
                known.setdefault(key, (next(iter(known.values()))[0], table.index))
            elif key not in known:
                calendar = Calendar.learn(table.index)
                known[key] = calendar, _with_frequency(_without_gaps(table.index, calendar))
            calendars[name], index = known[key]
            is_whole = len(index) == len(table)
            tables[name] = table.set_axis(index) if is_whole else table.reindex(index)
        tables = {name: tables[name] for name in self.tables}
        return self._replace(tables=tables, calendars=calendars)

    def only(self, names: Iterable[Hashable]) -> Panel:
        """Keep some of the series."""
        return self._replace(tables={name: self.tables[name] for name in names})

    def coming(self, n_rows: int) -> dict[Hashable, pd.Index]:
        """Make the timestamps of the next rows of each series."""
        coming: dict[Any, pd.Index] = {}
        for name, table in self.tables.items():
            key = id(self.calendars[name]), table.index[-1]
            if key not in coming:
                coming[key] = self.calendars[name].after(table.index, n_rows)
        return {
            name: coming[id(self.calendars[name]), table.index[-1]]
            for name, table in self.tables.items()
        }

    def extended(self, arrived: Panel) -> Panel:
        """Append rows that have arrived.

        Parameters
        ----------
        arrived : Panel
            The new rows.

        Returns
        -------
        Panel
            Old and new rows.

        Raises
        ------
        ValueError
            If a series is unknown, or its rows do not directly follow the old ones.
        """
        tables = dict(self.tables)
        for name, rows in arrived.tables.items():
            if name not in tables:
                raise ValueError(f"The series {name!r} was not seen in fit: {list(tables)}.")
            lacking = [column for column in tables[name] if column not in rows]
            if lacking:
                raise ValueError(f"The new rows lack the columns {lacking}.")
            calendar = self.calendars[name]
            index = tables[name].index[-1:].append(rows.index)
            if not index.is_monotonic_increasing or calendar.missing(index).any():
                expected = calendar.after(tables[name].index, 1)[0]
                of = "" if name is None else f" of series {name!r}"
                raise ValueError(
                    f"The rows{of} begin at {rows.index[0]}, but the row expected next is"
                    f" {expected}; the others must follow at the same frequency."
                )
            freq = getattr(tables[name].index, "freq", None)
            tables[name] = pd.concat([tables[name], rows[tables[name].columns]])
            if freq is not None and isinstance(index, pd.DatetimeIndex):
                index = tables[name].index
                tables[name].index = pd.DatetimeIndex(index, freq=freq)
        return self._replace(tables=tables)


def read_panel(
    y: Any,
    X: Any,
    series: str | list[str] | None,
    time: str | None,
    names: list | None = None,
    by_levels: bool | None = None,
) -> Panel:
    """Read a panel: one table for each series.

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

    Returns
    -------
    Panel
        Rows in time order.

    Raises
    ------
    ValueError
        If the rows of `y` and `X` differ, or a column is missing or holds no numbers.
    """
    targets = None if y is None else _by_series(y, series, time, "y", names, by_levels)
    covariates = None if X is None else _by_series(X, series, time, "X", None, by_levels)
    if targets is None:
        assert covariates is not None
        return Panel(covariates, [], list(next(iter(covariates.values()))), {})
    tables = {}
    for name, table in targets.items():
        if covariates is not None:
            if name not in covariates or not covariates[name].index.equals(table.index):
                raise ValueError("X must have the rows of y, with the same timestamps.")
            twice = table.columns.intersection(covariates[name].columns)
            if len(twice):
                raise ValueError(
                    f"y and X both have the column {twice[0]!r}: drop it from X. The past of y is "
                    "used anyway."
                )
            table = table.join(covariates[name])
        tables[name] = table
    of_targets = list(next(iter(targets.values())))
    of_covariates = [] if covariates is None else list(next(iter(covariates.values())))
    return Panel(tables, of_targets, of_covariates, {})


def _by_series(
    table: Any,
    series: str | list[str] | None,
    time: str | None,
    role: str,
    names: list | None,
    by_levels: bool | None,
) -> dict[Hashable, pd.DataFrame]:
    """The features of each series, indexed by time."""
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
    features = numeric_columns(layout.features, role)
    _warn_of_time_columns(features, layout.clock, role)
    features = features.set_axis(pd.Index(layout.times, name=layout.times.name))
    codes, found = factorize(layout.keys, len(features))
    rows = Rows.arrange(codes, layout.timestamps)
    rows.check_time(layout.times)
    if found is None:
        return {None: features}
    starts = np.flatnonzero(rows.is_first)
    parts = np.split(rows.order, starts[1:])
    return {found[codes[part[0]]]: features.iloc[part] for part in parts}


def _warn_of_time_columns(features: pd.DataFrame, clock: str | None, role: str) -> None:
    """Warn of a column that counts the rows: it looks like a time that no one named."""
    if clock != "counter" or role != "y" or len(features) < 6 or len(features.columns) < 2:
        return
    for name, column in features.items():
        steps = np.diff(column.to_numpy(np.float64, na_value=np.nan))
        if steps[0] > 0 and (steps == steps[0]).all():
            warn(
                f"Column {name!r} of y rises by {steps[0]:g} in each row, like a time, and is "
                f"forecast as a target: name it, time={name!r}, or drop it.",
                DataWarning,
            )


def _without_gaps(index: pd.Index, calendar: Calendar) -> pd.Index:
    """Put a timestamp where one is missing."""
    if len(index) < 2:
        return index
    missing, parts, begin = calendar.missing(index), [], 0
    for row in np.flatnonzero(missing).tolist():
        parts += [index[begin : row + 1], calendar.after(index[: row + 1], missing[row])]
        begin = row + 1
    return parts[0].append([*parts[1:], index[begin:]]) if parts else index


def _with_frequency(index: pd.Index) -> pd.Index:
    """Set the frequency of an index of dates, if pandas has one."""
    if not isinstance(index, pd.DatetimeIndex) or index.freq is not None or len(index) < 3:
        return index
    try:
        return pd.DatetimeIndex(index, freq="infer")
    except ValueError:
        return index


def with_series(
    tables: dict[Hashable, pd.DataFrame], series: str | list[str] | None
) -> pd.DataFrame:
    """Concatenate the tables of all series, with the name of the series as index levels."""
    if list(tables) == [None]:
        return next(iter(tables.values()))
    return pd.concat(tables, names=[series] if isinstance(series, str) else series)
