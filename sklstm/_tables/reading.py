"""How a windower reads a table, and compares it with what it remembers."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklstm._data.frames import Layout, Rows
from sklstm._data.inputs import feature_values, has_known_names, lay_out_any
from sklstm._tables.cold import Fronts, Mark, Reading, find_holes
from sklstm._tables.histories import factorize
from sklstm._tables.maker import SequenceMaker
from sklstm._tables.memory import Given, Memory
from sklstm._tables.notices import check_kind_of_time, check_what_is_asked
from sklstm._tables.rhythm import Rhythm

__all__ = ["TableReader"]


class TableReader(SequenceMaker):
    """The parameters `series`, `time`, `max_gap`, `elapsed` and `carry_over`, as tables meet them.

    The subclass has them, and keeps what is remembered.
    """

    series: Any
    time: str | None
    max_gap: Any
    elapsed: bool
    carry_over: bool

    series_: Any
    n_features_in_: int
    _clock: str | None
    _memory: Memory | None
    _rhythm: Rhythm | None
    _latest: Reading | None = None

    def _read(self, X: Any, *, reset: bool) -> tuple[np.ndarray, Layout]:
        """Feature values (n_rows, n_features), and what else the table tells."""
        X, layout = lay_out_any(X, self.series, self.time)
        asked = {name: getattr(self, name) for name in ("series", "time", "max_gap", "elapsed")}
        check_what_is_asked(asked, layout, X)
        values = feature_values(self, layout.features)
        if reset or not has_known_names(self, getattr(X, "columns", None)):
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
        rows = Rows.arrange(codes, layout.stamps)
        rows.check_time(layout.times)
        return Given(values, layout, codes, names, rows)

    def _compare(self, X: Any) -> Reading:
        """Read a table and compare it with what is remembered, unless it is the latest one."""
        settings = self.series, self.time, self.max_gap, self.elapsed, self.carry_over
        mark, latest = Mark.of(X, settings), self._latest
        if latest is not None and mark is not None and mark.is_that_of(latest):
            return latest
        given = self._arrange(X, self.series_)
        if mark is not None:  # what is kept must not change with the table
            given = given._replace(values=given.values.copy(order="K"))
        rhythm = self._known_rhythm(given)
        cuts = find_holes(given, rhythm, self.max_gap)
        fronts = Fronts.find(self._memory, given, rhythm, self.max_gap)
        reading = Reading(given, rhythm, cuts, fronts, mark)
        self._latest = None if mark is None else reading
        return reading

    def _known_rhythm(self, given: Given) -> Rhythm | None:
        """The rhythm of the given series, if both tables have a time."""
        clock = given.layout.clock
        if self.carry_over or self.elapsed:
            check_kind_of_time(clock, self._clock)
        if self._rhythm is None or clock != self._clock:
            return None
        return self._rhythm.for_series(int(given.codes.max()) + 1)

    def _names_of_steps(self, names: np.ndarray) -> np.ndarray:
        """Names of the features of a step, of the names of the columns."""
        names = names[self._is_feature]
        return np.append(names, "elapsed").astype(object) if self.elapsed else names
