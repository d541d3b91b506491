"""Panels: regular tables of one or many series, and their future timestamps."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Panel", "future_index", "read_panel", "with_series"]


class Panel(NamedTuple):
    """One table for each series.

    Attributes
    ----------
    tables : dict of DataFrame
        By the name of the series, None for a single series: targets and covariates, indexed by
        time.
    targets, covariates : list
        Names of the columns.
    """

    tables: dict[Hashable, pd.DataFrame]
    targets: list
    covariates: list

    def tail(self, n_rows: int) -> Panel:
        """Keep the last rows of each series."""
        return self._replace(tables={name: t[-n_rows:] for name, t in self.tables.items()})

    def regular(self) -> Panel:
        """Find the frequency of each series, or raise ValueError if its sampling is irregular."""
        tables = {
            name: _with_frequency(t, getattr(future_index(t.index, 1), "freq", None))
            for name, t in self.tables.items()
        }
        return self._replace(tables=tables)

    def only(self, names: Iterable[Hashable]) -> Panel:
        """Keep some of the series."""
        return self._replace(tables={name: self.tables[name] for name in names})

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
            expected = future_index(tables[name].index, len(rows))
            if not rows.index.equals(expected):
                of = "" if name is None else f" of series {name!r}"
                raise ValueError(
                    f"The rows{of} begin at {rows.index[0]}, but the row expected next is"
                    f" {expected[0]}; the others must follow at the same frequency."
                )
            longer = pd.concat([tables[name], rows[tables[name].columns]])
            tables[name] = longer.set_axis(tables[name].index.append(expected))
            tables[name] = _with_frequency(tables[name], getattr(expected, "freq", None))
        return self._replace(tables=tables)


def read_panel(
    y: Any, X: Any, series: str | None, time: str | None, names: list | None = None
) -> Panel:
    """Read a panel: one table for each series.

    Parameters
    ----------
    y : Series, DataFrame or None
        Targets.
    X : DataFrame or None
        Covariates of the same rows.
    series, time : str or None
        Columns or index levels of `y` and `X` that name the series and hold the time.
    names : list, default=None
        Names of the targets, used for a Series without a name.

    Returns
    -------
    Panel
        Rows in time order.

    Raises
    ------
    ValueError
        If the rows of `y` and `X` differ, or a column is missing.
    """
    targets = None if y is None else _by_series(y, series, time, "y", names)
    covariates = None if X is None else _by_series(X, series, time, "X", None)
    if targets is None:
        assert covariates is not None
        return Panel(covariates, [], list(next(iter(covariates.values()))))
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
    return Panel(tables, of_targets, of_covariates)


def _by_series(
    table: Any, series: str | None, time: str | None, role: str, names: list | None
) -> dict[Hashable, pd.DataFrame]:
    if isinstance(table, pd.Series):
        table = table.to_frame(table.name if table.name is not None else (names or ["y"])[0])
    if not isinstance(table, pd.DataFrame):
        raise ValueError(
            f"{role} is a {type(table).__name__}: a forecast needs timestamps. Give a pandas "
            "Series or DataFrame."
        )
    levels = [name for name in (series, time) if name is not None and name in table.index.names]
    table = table.reset_index(levels) if levels else table
    lacking = [name for name in (series, time) if name is not None and name not in table]
    if lacking:
        raise ValueError(f"{role} has no column or index level {lacking[0]!r}.")
    if time is not None:
        table = table.set_index(time)
    if series is None:
        return {None: table}
    if table[series].isna().any():
        row = int(np.flatnonzero(table[series].isna())[0])
        raise ValueError(
            f"{role} has no {series!r} in row {row}: name the series, or drop the row."
        )
    return {name: rows.drop(columns=series) for name, rows in table.groupby(series, sort=False)}


def future_index(index: pd.Index, steps: int) -> pd.Index:
    """Continue an index.

    Parameters
    ----------
    index : pandas.Index
        Dates, periods or integers at a regular frequency.
    steps : int
        Number of future timestamps.

    Returns
    -------
    pandas.Index
        The next timestamps, of the same kind, frequency and time zone.

    Raises
    ------
    ValueError
        If sampling is irregular; the message names the first timestamp that is missing or late.

    Examples
    --------
    >>> import pandas as pd
    >>> future_index(pd.date_range("2024-01-31", periods=3, freq="ME"), 2).strftime("%d %b")
    Index(['30 Apr', '31 May'], dtype='str')
    """
    if len(index) > 1 and index[-1] < index[0]:
        raise ValueError(
            f"The rows run backwards, from {index[0]} to {index[-1]}: sort_index() puts them in "
            "time order."
        )
    if isinstance(index, pd.PeriodIndex):
        expected: pd.Index = pd.period_range(index[0], periods=len(index), freq=index.freq)
        _refuse_gaps(index, expected)
        return pd.period_range(index[-1] + 1, periods=steps, freq=index.freq)
    if isinstance(index, pd.DatetimeIndex):
        freq = index.freq or _frequency(index)
        expected = pd.date_range(index[0], periods=len(index), freq=freq)
        _refuse_gaps(index, expected)
        return pd.date_range(index[-1], periods=steps + 1, freq=freq, name=index.name)[1:]
    if index.dtype.kind not in "iu":
        raise ValueError(
            f"The index has the dtype {index.dtype}: a forecast needs dates, periods or integers."
        )
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    expected = pd.Index(index[0] + step * np.arange(len(index)))
    _refuse_gaps(index, expected)
    return pd.Index(index[-1] + step * np.arange(1, steps + 1), name=index.name)


def _with_frequency(table: pd.DataFrame, freq: Any) -> pd.DataFrame:
    """Set the frequency of an index of dates."""
    if not isinstance(table.index, pd.DatetimeIndex):
        return table
    return table.set_axis(pd.DatetimeIndex(table.index, freq=freq))


def _frequency(index: pd.DatetimeIndex) -> Any:
    """The frequency of all rows, or of the first rows that have one."""
    for n_rows in (len(index), 50, 10, 3):
        if 3 <= n_rows <= len(index):
            freq = pd.DatetimeIndex(index[:n_rows], freq="infer").freq
            if freq is not None:
                return freq
    if len(index) < 3:
        if len(index) == 2:
            return index[1] - index[0]
        raise ValueError(
            "A single row has no frequency: give at least three, or an index with one."
        )
    raise ValueError(
        f"The steps between {index[0]}, {index[1]} and {index[2]} are irregular: a forecast needs "
        "a frequency. Set one with resample() or asfreq()."
    )


def _refuse_gaps(index: pd.Index, expected: pd.Index) -> None:
    if not index.equals(expected):
        wrong = int(np.flatnonzero(index != expected)[0])
        raise ValueError(
            f"The steps are irregular: {expected[wrong]} is missing, {index[wrong - 1]} is "
            f"followed by {index[wrong]}. asfreq() puts rows of NaN into gaps, which fillna() or "
            "interpolate() fill (imputation)."
        )


def with_series(tables: dict[Hashable, pd.DataFrame], series: str | None) -> pd.DataFrame:
    """Concatenate the tables of all series, with the name of the series as an index level."""
    if series is None:
        return next(iter(tables.values()))
    return pd.concat(tables, names=[series])
