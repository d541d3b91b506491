"""Reader of tables for the windower, which compares them with the buffered rows."""

from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklstm._data.categories import Categories, encoded, learn_categories
from sklstm._data.frames import Layout, Rows
from sklstm._data.inputs import as_frame, feature_values, has_fitted_names, lay_out_any
from sklstm._data.warning import DataWarning, GapWarning, MissingHistoryWarning, warn
from sklstm._tables.arriving_rows import check_arrived
from sklstm._tables.buffer import Buffer, InputTable
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import Bounds, factorize
from sklstm._tables.joined_table import JoinedTable, join
from sklstm._tables.missing_history import (
    LostRows,
    TableEnds,
    message_of_missing_history,
    message_of_no_time,
)
from sklstm._tables.seen_rows import Seen, rows_before_gaps
from sklstm._tables.sequence_transformer import SequenceTransformer
from sklstm._tables.table_warnings import (
    check_kind_of_time,
    check_parameters_fit_table,
    warning_of_gaps,
    warning_of_joins,
    warning_of_unnamed_series,
)

__all__ = ["TableReader"]

FEW_VALUES = 2**16
"""Maximum number of values of a table that is recognised, so that it is read only once."""


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
        if not isinstance(X, pd.DataFrame) or len(X) * len(X.columns) > FEW_VALUES:
            return None
        values = X.to_numpy()
        if values.dtype.kind != "f":
            return None
        return cls(X.index, X.columns, values.tobytes(), settings)

    def matches(self, latest: "Fingerprint") -> bool:
        """Whether a table that was read before is this one."""
        row_index, columns, *others = latest
        return self.row_index is row_index and self.columns is columns and others == [*self[2:]]


class TableReader(SequenceTransformer):
    """Read tables and keep some of their rows, by the parameters of the subclass."""

    window_size: int
    horizon: int
    context: Any

    series: Any
    time: str | None
    max_gap: Any
    add_time_delta: bool
    carry_over: bool | str
    cold_start: str

    categorical_features: Any

    series_: Any
    categories_: Categories
    n_features_in_: int
    _by_levels: bool
    _clock: str | None
    _buffer: Buffer | None
    _frequency: Frequency | None
    _table_ends: TableEnds
    longest_step_: float | None
    median_step_: float | None
    _latest: tuple[Fingerprint, JoinedTable] | None = None

    def _read(self, X: Any, *, reset: bool) -> tuple[np.ndarray, Layout]:
        """Feature values (n_rows, n_features), and the layout of the table."""
        by_levels = None if reset else self._by_levels
        X, layout = lay_out_any(X, self.series, self.time, by_levels)
        params = {
            name: getattr(self, name) for name in ("series", "time", "max_gap", "add_time_delta")
        }
        check_parameters_fit_table(params, layout, X)
        features = self._encoded(layout.features, X)
        values = feature_values(self, features)
        if reset or not has_fitted_names(self, getattr(X, "columns", None)):
            validate_data(self, X, reset=reset, skip_check_array=True)
        if by_levels and not layout.by_levels:
            raise ValueError(
                "The index of X lacks the levels that named the series in fit. Give X the index "
                "levels of fit, or name the series by series=..."
            )
        if reset:
            self._by_levels = layout.by_levels
            self._is_feature = np.ones(self.n_features_in_, dtype=bool)
            self._categories: Categories = {}
            if isinstance(features, pd.DataFrame):
                self._is_feature = X.columns.isin(features.columns)
                columns = features.columns
                self._categories = {columns.get_loc(k): v for k, v in self.categories_.items()}
        return values, layout

    def _learn_categories(self, X: Any) -> None:
        """Learn the values of categories from the rows of `fit`, not from those of `context`."""
        series = [self.series] if isinstance(self.series, str) else (self.series or [])
        no_features = [*series, self.time]
        self.categories_ = learn_categories(as_frame(X), self.categorical_features, no_features)

    def _encoded(self, features: Any, table: Any) -> Any:
        """The features with codes in place of categories, and ids of series if they are some."""
        if not self.categories_:
            return features
        kept = table.columns.isin([*features.columns, *self.categories_])
        return encoded(table.loc[:, kept], self.categories_)

    def _arrange(self, X: Any, seen: Any = None, *, reset: bool = False) -> InputTable:
        """Read a table, and sort its rows by series and time."""
        values, layout = self._read(X, reset=reset)
        codes, names = factorize(layout.keys, len(values), seen)
        rows = Rows.arrange(codes, layout.timestamps)
        rows.check_time(layout.times)
        return InputTable(values, layout, codes, names, rows)

    def _join(self, X: Any) -> JoinedTable:
        """Read a table and put it among the buffered rows, unless it is the latest one."""
        settings = self.series, self.time, self.max_gap, self.add_time_delta, self.carry_over
        fingerprint = Fingerprint.of(X, settings)
        latest = self._latest
        if latest is not None and fingerprint is not None and fingerprint.matches(latest[0]):
            return latest[1]
        given = self._arrange(X, self.series_)
        if fingerprint is not None:  # a later change of the table must not change what is kept
            given = given._replace(values=given.values.copy(order="K"))
        joined = join(self._buffer, given, self._known_frequency(given), self.max_gap)
        self._latest = None if fingerprint is None else (fingerprint, joined)
        return joined

    def _known_frequency(self, given: InputTable) -> Frequency | None:
        """The frequency of the given series, if both tables have times of the same kind."""
        clock = given.layout.clock
        if self.carry_over or self.add_time_delta:
            check_kind_of_time(clock, self._clock)
        if self._frequency is None or clock != self._clock:
            return None
        return self._frequency

    def _names_of_steps(self, names: np.ndarray) -> np.ndarray:
        """Names of the features of a step, from the names of the columns."""
        names = names[self._is_feature]
        return np.append(names, "time_delta").astype(object) if self.add_time_delta else names

    def _append(self, buffer: Buffer, joined: JoinedTable) -> None:
        """Keep rows that have arrived."""
        check_arrived(joined, buffer.seen)
        given, frequency = joined.given, joined.frequency
        assert frequency is not None
        self.series_, self._frequency, self._latest = given.names, frequency, None
        is_before_gap = np.zeros(len(joined.cuts), dtype=bool)
        is_before_gap[~joined.is_given] = buffer.is_before_gap[joined.table.buffered]
        seen = buffer.seen.extended(given.rows, given.codes, len(frequency.step))
        values = joined.values(self._unit_of_time_delta)
        kept = Buffer.keep(joined.table, values, is_before_gap, seen, self._n_last)
        self._buffer = kept.with_others(buffer)

    def _start(self, X: Any) -> Self:
        """Begin with the first rows of a stream, in parts of any size."""
        self._validate_params()
        self._learn_categories(X)
        given = self._read_first(X)
        if given.rows.steps is None or not self.carry_over or not self._n_kept:
            return self
        self._frequency = Frequency.nothing()
        nothing = Buffer.empty(given.values, given.layout.timestamps)
        self._append(nothing, join(nothing, given, self._frequency, self.max_gap))
        return self

    def _read_first(self, X: Any) -> InputTable:
        """Read the first table, and forget all others."""
        given = self._arrange(X, reset=True)
        rows = given.rows
        self.series_, self._clock = given.names, given.layout.clock
        self.longest_step_ = self.median_step_ = self._frequency = self._latest = None
        self._buffer, self._table_ends = None, TableEnds.of(given.values)
        if rows.steps is not None and not rows.is_first.all():
            self.longest_step_ = rows.steps[~rows.is_first].max()
            if self.add_time_delta:
                self.median_step_ = np.median(rows.steps[~rows.is_first])
        return given

    def _keep(self, joined: JoinedTable, values: np.ndarray) -> None:
        """Keep the last rows of each series, and those before its longest gaps."""
        rows = joined.table.rows
        gaps = joined.gaps.places
        frequency = joined.frequency
        assert frequency is not None
        is_irregular = np.isnan(frequency.step)
        if is_irregular.any():
            codes = joined.table.codes[rows.order]
            jumps = ~rows.is_first & is_irregular[codes]
            jumps &= rows.steps > frequency.limit[codes]
            gaps = np.union1d(gaps, np.flatnonzero(jumps))
        seen, longest = Seen.of(rows, gaps)
        is_before_gap = rows_before_gaps(rows, longest, self._n_kept)
        self._buffer = Buffer.keep(joined.table, values, is_before_gap, seen, self._n_last)

    @property
    def n_buffered_rows_(self) -> int:
        """Number of rows in the buffer.

        The rows of `fit` and `partial_fit` that later rows continue, and those before the longest
        gaps of each series; with ``carry_over="all"`` all of them.

        See Also
        --------
        SequenceWindower.partial_fit : Remember more rows.

        Examples
        --------
        >>> from sklstm import SequenceWindower
        >>> from sklstm.datasets import load_weather
        >>> SequenceWindower(7, horizon=1).fit(load_weather(as_frame=True).data).n_buffered_rows_
        7
        """
        return 0 if self._buffer is None else len(self._buffer.codes)

    @property
    def _n_last(self) -> float:
        """Number of rows to keep at the end of each series."""
        is_all = self.carry_over == "all" or self.context is not None
        return np.inf if is_all else self._n_kept

    @property
    def _reach(self) -> int:
        """Number of rows after a gap whose histories would reach across it."""
        return self.window_size - 1 + self.horizon

    @property
    def _n_kept(self) -> int:
        """Number of rows that are kept at the end of a series, or before a gap."""
        return max(self._reach, int(self.add_time_delta))

    @property
    def _unit_of_time_delta(self) -> float | None:
        return (self.median_step_ or 0) if self.add_time_delta else None

    def _learn(self, X: Any) -> tuple[JoinedTable, np.ndarray]:
        """Learn from a table, and keep some of its rows."""
        given = self._read_first(X)
        rows = given.rows
        if self._categories:
            names = list(given.layout.features.columns)
            parts = given.values, self._categories, names, given.layout
            self._warn(warning_of_unnamed_series(*parts), DataWarning)
        if rows.steps is not None:
            self._frequency = Frequency.learn(rows, given.layout)
        joined = join(None, given, self._frequency, self.max_gap)
        values = joined.values(self._unit_of_time_delta)
        if self.max_gap is None and self._frequency is not None:
            message = warning_of_joins(rows, self._frequency, given.layout)
            if message is None:
                self._check_gaps(joined)
            self._warn(message, GapWarning)
        if self.carry_over and rows.steps is not None and self._n_kept:
            self._keep(joined, values)
        return joined, values

    def _warn(self, message: str | None, category: type[Warning]) -> None:
        if message is not None:
            warn(message, category)

    def _check_gaps(self, joined: JoinedTable, lost: np.ndarray | None = None) -> None:
        """Warn of rows that are missing among the given ones."""
        if joined.frequency is not None and self.max_gap is None:
            self._warn(warning_of_gaps(joined, self._reach, lost), GapWarning)

    def _check_missing_history(self, joined: JoinedTable, bounds: Bounds) -> np.ndarray | None:
        """Warn, or raise, if rows could have a longer history; return where they lost it."""
        if self.cold_start == "ignore" or not self._reach or not self.carry_over:
            return None
        lost, message = None, None
        if joined.frequency is None:
            if not self._table_ends.resemble(joined.given.values):
                message = message_of_no_time(joined.given.layout, self._clock)
        elif self._buffer is not None:
            seen = self._buffer.seen
            lost = LostRows.find(joined, bounds, self.window_size, self.horizon, seen)
            message = message_of_missing_history(joined, lost, seen)
        if message is not None and self.cold_start == "error":
            raise ValueError(message)
        self._warn(message, MissingHistoryWarning)
        return None if lost is None else lost.begin
