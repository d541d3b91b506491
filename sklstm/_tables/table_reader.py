"""How a windower reads a table, and compares it with what it remembers."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklstm._data.frames import Layout, Rows
from sklstm._data.inputs import feature_values, has_fitted_names, lay_out_any
from sklstm._tables.buffer import Buffer, Given
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import factorize
from sklstm._tables.missing_history import Fronts, Mark, Reading, find_gaps
from sklstm._tables.sequence_transformer import SequenceMaker
from sklstm._tables.table_warnings import check_kind_of_time, check_what_is_asked

__all__ = ["TableReader"]


class TableReader(SequenceMaker):
    """The parameters `series`, `time`, `max_gap`, `add_time_delta` and `carry_over`, as tables meet them.

    The subclass has them, and keeps what is remembered.
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
    _latest: Reading | None = None

    def _read(self, X: Any, *, reset: bool) -> tuple[np.ndarray, Layout]:
        """Feature values (n_rows, n_features), and what else the table tells."""
        X, layout = lay_out_any(X, self.series, self.time)
        asked = {
            name: getattr(self, name) for name in ("series", "time", "max_gap", "add_time_delta")
        }
        check_what_is_asked(asked, layout, X)
        values = feature_values(self, layout.features)
        if reset or not has_fitted_names(self, getattr(X, "columns", None)):
            validate_data(self, X, reset=reset, skip_check_array=True)
        if reset:
            self._is_feature = np.ones(self.n_features_in_, dtype=bool)
            if isinstance(layout.features, pd.DataFrame):
                self._is_feature = X.columns.isin(layout.features.columns)
        return values, layout

    def _arrange(self, X: Any, known: Any = None, *, reset: bool = False) -> Given:
        """Read a table, and put rows of a series side by side."""
        values, layout = self._read(X, reset=reset)
        codes, names = factorize(layout.keys, len(values), known)
        rows = Rows.arrange(codes, layout.timestamps)
        rows.check_time(layout.times)
        return Given(values, layout, codes, names, rows)

    def _compare(self, X: Any) -> Reading:
        """Read a table and compare it with what is remembered, unless it is the latest one."""
        settings = self.series, self.time, self.max_gap, self.add_time_delta, self.carry_over
        mark, latest = Mark.of(X, settings), self._latest
        if latest is not None and mark is not None and mark.is_that_of(latest):
            return latest
        given = self._arrange(X, self.series_)
        if mark is not None:  # what is kept must not change with the table
            given = given._replace(values=given.values.copy(order="K"))
        frequency = self._known_frequency(given)
        cuts = find_gaps(given, frequency, self.max_gap)
        fronts = Fronts.find(self._buffer, given, frequency, self.max_gap)
        reading = Reading(given, frequency, cuts, fronts, mark)
        self._latest = None if mark is None else reading
        return reading

    def _known_frequency(self, given: Given) -> Frequency | None:
        """The frequency of the given series, if both tables have a time."""
        clock = given.layout.clock
        if self.carry_over or self.add_time_delta:
            check_kind_of_time(clock, self._clock)
        if self._frequency is None or clock != self._clock:
            return None
        return self._frequency.for_series(int(given.codes.max()) + 1)

    def _names_of_steps(self, names: np.ndarray) -> np.ndarray:
        """Names of the features of a step, of the names of the columns."""
        names = names[self._is_feature]
        return np.append(names, "add_time_delta").astype(object) if self.add_time_delta else names
