"""Reader of tables for the windower, which compares them with the buffered rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklstm._data.frames import Layout, Rows
from sklstm._data.inputs import feature_values, has_fitted_names, lay_out_any
from sklstm._tables.buffer import Buffer, InputTable
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import factorize
from sklstm._tables.missing_history import ComparedTable, Continuations, Fingerprint, find_gaps
from sklstm._tables.sequence_transformer import SequenceTransformer
from sklstm._tables.table_warnings import check_kind_of_time, check_parameters_fit_table

__all__ = ["TableReader"]


class TableReader(SequenceTransformer):
    """Read tables by `series`, `time`, `max_gap`, `add_time_delta` and `carry_over`.

    The subclass has these parameters, and keeps the buffer.
    """

    series: Any
    time: str | None
    max_gap: Any
    add_time_delta: bool
    carry_over: bool

    series_: Any
    n_features_in_: int
    _clock: str | None
    _buffer: Buffer | None
    _frequency: Frequency | None
    _latest: ComparedTable | None = None

    def _read(self, X: Any, *, reset: bool) -> tuple[np.ndarray, Layout]:
        """Feature values (n_rows, n_features), and the layout of the table."""
        X, layout = lay_out_any(X, self.series, self.time)
        params = {
            name: getattr(self, name) for name in ("series", "time", "max_gap", "add_time_delta")
        }
        check_parameters_fit_table(params, layout, X)
        values = feature_values(self, layout.features)
        if reset or not has_fitted_names(self, getattr(X, "columns", None)):
            validate_data(self, X, reset=reset, skip_check_array=True)
        if reset:
            self._is_feature = np.ones(self.n_features_in_, dtype=bool)
            if isinstance(layout.features, pd.DataFrame):
                self._is_feature = X.columns.isin(layout.features.columns)
        return values, layout

    def _arrange(self, X: Any, seen: Any = None, *, reset: bool = False) -> InputTable:
        """Read a table, and sort its rows by series and time."""
        values, layout = self._read(X, reset=reset)
        codes, names = factorize(layout.keys, len(values), seen)
        rows = Rows.arrange(codes, layout.timestamps)
        rows.check_time(layout.times)
        return InputTable(values, layout, codes, names, rows)

    def _compare(self, X: Any) -> ComparedTable:
        """Read a table and compare it with the buffered rows, unless it is the latest one."""
        settings = self.series, self.time, self.max_gap, self.add_time_delta, self.carry_over
        fingerprint, latest = Fingerprint.of(X, settings), self._latest
        if latest is not None and fingerprint is not None and fingerprint.matches(latest):
            return latest
        given = self._arrange(X, self.series_)
        if fingerprint is not None:  # a later change of the table must not change what is kept
            given = given._replace(values=given.values.copy(order="K"))
        frequency = self._known_frequency(given)
        cuts = find_gaps(given, frequency, self.max_gap)
        continuations = Continuations.find(self._buffer, given, frequency, self.max_gap)
        compared = ComparedTable(given, frequency, cuts, continuations, fingerprint)
        self._latest = None if fingerprint is None else compared
        return compared

    def _known_frequency(self, given: InputTable) -> Frequency | None:
        """The frequency of the given series, if both tables have times of the same kind."""
        clock = given.layout.clock
        if self.carry_over or self.add_time_delta:
            check_kind_of_time(clock, self._clock)
        if self._frequency is None or clock != self._clock:
            return None
        return self._frequency.for_series(int(given.codes.max()) + 1)

    def _names_of_steps(self, names: np.ndarray) -> np.ndarray:
        """Names of the features of a step, from the names of the columns."""
        names = names[self._is_feature]
        return np.append(names, "time_delta").astype(object) if self.add_time_delta else names
