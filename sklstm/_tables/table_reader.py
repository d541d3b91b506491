"""Reader of tables for the windower, which compares them with the buffered rows."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklstm._data.frames import Layout, Rows
from sklstm._data.inputs import feature_values, has_fitted_names, lay_out_any
from sklstm._tables.buffer import Buffer, InputTable
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import factorize
from sklstm._tables.joined import JoinedTable, join
from sklstm._tables.sequence_transformer import SequenceTransformer
from sklstm._tables.table_warnings import check_kind_of_time, check_parameters_fit_table

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
    _latest: tuple[Fingerprint, JoinedTable] | None = None

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
