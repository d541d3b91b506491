"""Panels: the rows of one or many series, read from tables, and their future timestamps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sklstm._tables.series_rows import SeriesRows

__all__ = ["Panel", "read_panel", "time_numbers"]


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
    freqs : list
        Sampling interval of each series, once `regular` has found it: an offset, or an integer.
    """

    rows: SeriesRows
    timestamps: pd.Index
    targets: list
    covariates: list
    freqs: list

    def regular(self) -> Panel:
        """Find the frequency of each series, or raise ValueError if its sampling is irregular."""
        found: dict[bytes, Any] = {}
        freqs = []
        for start, end in zip(self.rows.starts, self.rows.ends, strict=True):
            key = self.rows.time[start:end].tobytes()  # many series have the same timestamps
            if key not in found:
                found[key] = _frequency(self.timestamps[start:end])
            freqs.append(found[key])
        return self._replace(freqs=freqs)

    def take(self, kept: np.ndarray) -> Panel:
        """Select rows by a boolean mask, and the series that have some."""
        left = np.bincount(self.rows.code[kept], minlength=len(self.rows.sizes)) > 0
        freqs = [freq for freq, is_left in zip(self.freqs, left, strict=True) if is_left]
        return self._replace(
            rows=self.rows.take(kept), timestamps=self.timestamps[kept], freqs=freqs
        )

    def tail(self, n_rows: int) -> Panel:
        """Keep the last rows of each series."""
        return self.take(self.rows.place >= np.repeat(self.rows.sizes - n_rows, self.rows.sizes))

    def future(self, counts: np.ndarray) -> pd.Index:
        """So many timestamps behind the rows of each series, one series after the other."""
        ends = self.rows.ends - 1
        found: dict[tuple, tuple] = {}
        parts: list[pd.Index] = []
        for end, freq, count in zip(ends, self.freqs, counts, strict=True):
            key = self.rows.time[end], freq, count
            if key not in found:
                found[key] = len(parts), _future(self.timestamps[end : end + 1], freq, count)
                parts.append(found[key][1])
        if len(self.freqs) == 1:
            return parts[0]
        offsets = np.cumsum([0, *map(len, parts)])
        keys = zip(self.rows.time[ends], self.freqs, counts, strict=True)
        places = [offsets[found[key][0]] + np.arange(key[2]) for key in keys]
        return parts[0].append(parts[1:]).take(np.concatenate(places))

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
        known = self.rows.find(arrived.rows.names)
        if (known < 0).any():
            name = arrived.rows.names[int(known.argmin())]
            raise ValueError(f"The series {name!r} was not seen in fit: {self.rows.names}.")
        columns = [*arrived.targets, *arrived.covariates]
        wanted = [*self.targets, *self.covariates]
        lacking = [column for column in wanted if column not in columns]
        if lacking:
            raise ValueError(f"The new rows lack the columns {lacking}.")
        counts = np.zeros(len(self.rows.sizes), dtype=int)
        counts[known] = arrived.rows.sizes
        order = np.argsort(known[arrived.rows.code], kind="stable")
        given, expected = arrived.timestamps[order], self.future(counts)
        if not given.equals(expected):
            self._refuse_other_rows(given, expected, counts)
        values = arrived.rows.values[:, [columns.index(name) for name in wanted]][order]
        rows, place = self.rows.with_rows(values, time_numbers(expected), counts)
        return self._replace(rows=rows, timestamps=self.timestamps.append(expected).take(place))

    def _refuse_other_rows(self, given: pd.Index, expected: pd.Index, counts: np.ndarray) -> None:
        wrong = int(np.flatnonzero(np.asarray(given != expected))[0])
        code = int(np.repeat(np.arange(len(counts)), counts)[wrong])
        first = int(counts[:code].sum())
        of = "" if self.rows.names == [None] else f" of series {self.rows.names[code]!r}"
        raise ValueError(
            f"The rows{of} begin at {given[first]}, but the row expected next is"
            f" {expected[first]}; the others must follow at the same frequency."
        )


def read_panel(
    y: Any, X: Any, series: str | None, time: str | None, names: list | None = None
) -> Panel:
    """Read a panel.

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
    if y is None:
        covariates = _read(X, series, time, "X", None)
        return covariates._replace(targets=[], covariates=covariates.targets)
    targets = _read(y, series, time, "y", names)
    if X is None:
        return targets
    others = _read(X, series, time, "X", None)
    twice = [name for name in targets.targets if name in others.targets]
    code = targets.rows.find(others.rows.names)[others.rows.code]
    order = np.argsort(code, kind="stable")
    if not (
        np.array_equal(code[order], targets.rows.code)
        and others.timestamps[order].equals(targets.timestamps)
    ):
        raise ValueError("X must have the rows of y, with the same timestamps.")
    if twice:
        raise ValueError(
            f"y and X both have the column {twice[0]!r}: drop it from X. The past of y is "
            "used anyway."
        )
    values = np.hstack([targets.rows.values, others.rows.values[order]])
    return targets._replace(rows=targets.rows._replace(values=values), covariates=others.targets)


def _read(table: Any, series: str | None, time: str | None, role: str, names: list | None) -> Panel:
    """Read one table, all columns as targets."""
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
    codes, found = np.zeros(len(table), dtype=int), [None]
    if series is not None:
        codes, of_series = pd.factorize(table[series])
        if (codes < 0).any():
            row = int(codes.argmin())
            raise ValueError(
                f"{role} has no {series!r} in row {row}: name the series, or drop the row."
            )
        table, found = table.drop(columns=series), list(of_series)
    order = np.argsort(codes, kind="stable")
    index = table.index if series is None else table.index[order]
    rows = SeriesRows(
        table.to_numpy(float)[order],
        table.shape[1],
        np.bincount(codes, minlength=len(found)),
        time_numbers(index),
        found,
    )
    return Panel(rows, index, list(table.columns), [], [])


def time_numbers(index: pd.Index) -> np.ndarray:
    """Timestamps, periods or integers as integers."""
    if isinstance(index, pd.PeriodIndex):
        return index.asi8
    if isinstance(index, pd.DatetimeIndex):
        return index.as_unit("ns").asi8
    if index.dtype.kind not in "iu":
        raise ValueError(
            f"The index has the dtype {index.dtype}: a forecast needs dates, periods or integers."
        )
    return index.to_numpy(np.int64)


def _future(last: pd.Index, freq: Any, steps: int) -> pd.Index:
    """Continue an index of one timestamp: of the same kind, frequency and time zone."""
    if isinstance(last, pd.PeriodIndex):
        return pd.period_range(last[0] + 1, periods=steps, freq=last.freq, name=last.name)
    if isinstance(last, pd.DatetimeIndex):
        return pd.date_range(last[0], periods=steps + 1, freq=freq, name=last.name)[1:]
    return pd.Index(last[0] + freq * np.arange(1, steps + 1), name=last.name)


def _frequency(index: pd.Index) -> Any:
    """Find the sampling interval of an index, which may not have gaps."""
    if len(index) > 1 and index[-1] < index[0]:
        raise ValueError(
            f"The rows run backwards, from {index[0]} to {index[-1]}: sort_index() puts them in "
            "time order."
        )
    if isinstance(index, pd.PeriodIndex):
        _refuse_gaps(index, pd.period_range(index[0], periods=len(index), freq=index.freq))
        return index.freq
    if isinstance(index, pd.DatetimeIndex):
        freq = index.freq or _frequency_of_dates(index)
        _refuse_gaps(index, pd.date_range(index[0], periods=len(index), freq=freq))
        return freq
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    _refuse_gaps(index, pd.Index(index[0] + step * np.arange(len(index))))
    return step


def _frequency_of_dates(index: pd.DatetimeIndex) -> Any:
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
