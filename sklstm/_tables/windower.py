"""SequenceWindower: a lookback window for each row of a table of time series."""

from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.callback import with_callbacks
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklstm._data.frames import index_from_plain, index_to_plain
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import Interval, StrOptions, _check_feature_names_in
from sklstm._tables.arriving_rows import check_within_horizon
from sklstm._tables.buffer import Buffer
from sklstm._tables.frequency import Frequency
from sklstm._tables.histories import Bounds
from sklstm._tables.joined_table import JoinedTable
from sklstm._tables.missing_history import (
    TableEnds,
)
from sklstm._tables.table_reader import TableReader

__all__ = ["SequenceWindower"]


class SequenceWindower(TableReader):
    """Turn each row of a table into its lookback window, the sequence of the rows before it.

    One row in, one sequence out: the history of the row at time ``t`` is the `window_size` rows of
    its series up to ``t - horizon`` sampling intervals. The number and the order of rows never
    change, so that ``y``, ``sample_weight``, cross-validation and scorers work unchanged. Rows near
    the start of a series get shorter sequences; its first `horizon` rows get empty ones.

    Parameters
    ----------
    window_size : int, default=24
        Maximum number of rows of a history, the lookback window.
    horizon : int, default=0
        Lead: how many rows the history of a row ends before it. 0: the history ends with the row
        itself. ``h``: it ends ``h`` rows earlier, so that ``y[t]`` is predicted from what was known
        ``h`` rows before, and ``y`` needs no shift. Each row still gets one prediction, ``h`` rows
        ahead. The number of rows forecast at once, elsewhere often called horizon, is `steps` of
        :class:`SequenceForecaster`, which predicts rows 1 to `steps` ahead.
    series : str or list of str, default=None
        Columns or index levels that identify the series of each row of a panel, such as the
        station. They are not features. Histories never cross series, whose rows may be interleaved.
        `None`: the table is a single series.
    time : str, default=None
        Column or index level with the time, as dates or numbers, which must increase within each
        series. It is not a feature. `None`: the index, if it holds dates, periods or integers.
    max_gap : Timedelta, str or number, default=None
        A history is cut where two neighbouring rows of a series are further apart: a duration for
        dates, a number for numbers. `None` cuts where a row is missing: where the step in time is
        not the sampling interval of the series; closed days and holidays are not missing rows.
        Irregularly sampled rows are all joined, with a warning; ``"any"`` joins all rows without
        one.
    add_time_delta : bool, default=False
        Whether to append a feature ``time_delta``, for irregular sampling: the time since the
        previous row of the series, in units of the median step in `fit`; 1 for the first row of a
        series.
    carry_over : bool or "all", default=True
        Whether to keep a buffer of rows seen in `fit`: of each series the last ``window_size - 1 +
        horizon`` rows, with `add_time_delta` at least one, as many before each of its 8 longest
        gaps, and all of a series of up to 64. In `transform` they are part of the histories of
        later rows; a given row replaces a buffered one with its timestamp. ``"all"`` keeps all
        rows, so that each of them has its history by itself.
    cold_start : {"warn", "ignore", "error"}, default="warn"
        What to do about missing history, when rows that could have had a longer history have a
        shorter one, or none: the table starts later than the row expected next, has no time index,
        is part of what `fit` saw, or holds single rows of a series not seen in `fit`.
    context : DataFrame, default=None
        Rows with the same columns and time, often the whole table, that are part of histories
        though they are neither in `fit` nor in `transform`, as those that the `gap` of a splitter
        leaves out. A row at ``t`` reads only those up to `horizon` rows before ``t``. Their targets
        are not learned.

    categorical_features : "from_dtype" or list of str, default="from_dtype"
        Columns whose values are categories: an LSTM learns a vector for each of them, and
        :class:`SequenceFlattener` makes a column of each. ``"from_dtype"``: columns of texts and of
        pandas' categories. A list may name columns of numbers too, and those of `series`, which
        are features then.

    Attributes
    ----------
    categories_ : dict of str to tuple
        Values of each category in `fit`, in the order of their codes, which count from 1. Code 0 is
        a missing value, one not seen in `fit`, or one in fewer than 10 rows and 1 % of all.
    n_features_in_ : int
        Number of columns seen in `fit`, series and time included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X was a DataFrame with string names.
    series_ : Index or None
        Names of the series seen in `fit`.
    longest_step_ : int, float or None
        Longest time between neighbouring rows of a series seen in `fit`: nanoseconds for dates,
        else a number; None without time, or with single rows only.
    median_step_ : float or None
        Median of the same times; None unless `add_time_delta`.
    n_buffered_rows_ : int
        Number of rows in the buffer.

    See Also
    --------
    SequenceFlattener : Turn the sequences into a table of lags.
    LSTMRegressor : Predict a number from each sequence.
    SequenceForecaster : Forecast several steps ahead at once, with prediction intervals.

    Notes
    -----
    The rows of a series must be in time order. Windows are not copied: the output takes the memory
    of the table and 16 bytes a row, for any window size, and of another table if rows of several
    series are interleaved, if buffered rows precede them, or with `add_time_delta`.

    The frequency of a series is the largest step that its timestamps are multiples of, by the
    calendar for months, by open days and hours for business days and exchanges. The history of a
    row at ``t`` ends at the place `horizon` steps before ``t``, so that a row that is missing
    between costs nothing; one that is missing within cuts it there, the newest place included.
    Where there is no frequency rows are counted.

    An array has no index: it is a single series, without gaps and without a buffer.

    Steps of NaN pass through, since only those within a history matter. To forecast the next
    `horizon` rows, append rows of NaN with the next timestamps.

    With `carry_over` a pickled windower contains training rows, with ``"all"`` or `context` all.

    ``set_output`` has no effect: the output is not a table.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import SequenceWindower
    >>> table = np.arange(4.0).reshape(4, 1)
    >>> np.asarray(SequenceWindower(window_size=2).fit_transform(table))[..., 0]
    array([[nan,  0.],
           [ 0.,  1.],
           [ 1.,  2.],
           [ 2.,  3.]])
    >>> np.asarray(SequenceWindower(window_size=2, horizon=1).fit_transform(table))[..., 0]
    array([[nan, nan],
           [nan,  0.],
           [ 0.,  1.],
           [ 1.,  2.]])

    A panel of two stations:

    >>> stations = pd.DataFrame({"station": ["a", "b", "a", "b"], "temp": [1.0, 10.0, 2.0, 20.0]})
    >>> windower = SequenceWindower(window_size=2, series="station")
    >>> np.asarray(windower.fit_transform(stations))[..., 0]
    array([[nan,  1.],
           [nan, 10.],
           [ 1.,  2.],
           [10., 20.]])

    The next day continues the series seen in `fit`:

    >>> days = pd.DataFrame({"temp": [1.0, 2.0]}, index=pd.date_range("2024-01-01", periods=2))
    >>> next_day = pd.DataFrame({"temp": [3.0]}, index=pd.date_range("2024-01-03", periods=1))
    >>> np.asarray(SequenceWindower(window_size=2).fit(days).transform(next_day))[..., 0]
    array([[2., 3.]])
    """

    _parameter_constraints: dict = {
        "window_size": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "series": [str, list, None],
        "time": [str, None],
        "add_time_delta": ["boolean"],
        "carry_over": ["boolean", StrOptions({"all"})],
        "cold_start": [StrOptions({"warn", "ignore", "error"})],
        "context": "no_validation",
        "categorical_features": [StrOptions({"from_dtype"}), list, tuple],
    }

    def __init__(
        self,
        window_size: int = 24,
        *,
        horizon: int = 0,
        series: str | list[str] | None = None,
        time: str | None = None,
        max_gap: Any = None,
        add_time_delta: bool = False,
        carry_over: bool | str = True,
        cold_start: str = "warn",
        context: Any = None,
        categorical_features: str | list | tuple = "from_dtype",
    ):
        self.window_size = window_size
        self.horizon = horizon
        self.series = series
        self.time = time
        self.max_gap = max_gap
        self.add_time_delta = add_time_delta
        self.carry_over = carry_over
        self.cold_start = cold_start
        self.context = context
        self.categorical_features = categorical_features

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the columns, the frequency of each series, and buffer the last rows of each series.

        This is what `transform` of later rows needs. Nothing is learned from `y`, and no statistics
        of the features.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Table; the rows of each series in time order.
        y : None
            Ignored.

        Returns
        -------
        SequenceWindower
            The fitted windower.

        Raises
        ------
        ValueError
            If a parameter or the table is not valid.

        See Also
        --------
        partial_fit : Update the buffer with rows that have arrived.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm import SequenceWindower
        >>> table = pd.DataFrame({"shop": ["a", "b", "a", "b"], "sold": [1.0, 5.0, 2.0, 6.0]})
        >>> windower = SequenceWindower(window_size=2, series="shop").fit(table)
        >>> windower.series_.tolist(), windower.get_feature_names_out().tolist()
        (['a', 'b'], ['sold'])
        """
        self._fit(X, y)
        return self

    @with_callbacks
    def fit_transform(self, X: Any, y: Any = None) -> Sequences:
        """Fit, and return the history of each row; faster than `fit` and `transform`.

        Histories of training rows start at the first row of each series: no buffered rows precede
        them.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Table; the rows of each series in time order.
        y : None
            Ignored.

        Returns
        -------
        Sequences
            One sequence for each row of X, in the same order.

        Raises
        ------
        ValueError
            If a parameter or the table is not valid.

        See Also
        --------
        transform : Histories of later rows, preceded by buffered rows.

        Examples
        --------
        >>> from sklstm import SequenceWindower
        >>> windows = SequenceWindower(window_size=2).fit_transform([[1.0], [2.0], [3.0]])
        >>> windows[0].ravel(), windows[2].ravel()
        (array([1.]), array([2., 3.]))
        """
        return self._fit(X, y)

    def transform(self, X: Any) -> Sequences:
        """Return the history of each row.

        With `carry_over`, the last rows of `fit` precede rows that directly follow them. The buffer
        does not change: calls do not depend on each other.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Table with the columns seen in `fit`. It may hold series not seen there.

        Returns
        -------
        Sequences
            One sequence for each row of X, in the same order.

        Raises
        ------
        ValueError
            If the columns are not those seen in `fit`, or the time does not increase.

        See Also
        --------
        partial_fit : Add these rows to the buffer.
        sklstm.testing.assert_no_lookahead : Check that no prediction reads later rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm import SequenceWindower
        >>> days = pd.DataFrame({"temp": [1.0, 2.0, 3.0]}, pd.date_range("2024-01-01", periods=3))
        >>> SequenceWindower(window_size=3).fit(days[:2]).transform(days[2:])[0].ravel()
        array([1., 2., 3.])
        """
        check_is_fitted(self)
        joined = self._join(X)
        check_within_horizon(joined, self.horizon)
        bounds = joined.bounds(self.window_size, self.horizon)
        self._check_gaps(joined, self._check_missing_history(joined, bounds))
        return self._cut(joined, bounds, joined.values(self._unit_of_time_delta), X)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Update the buffer with rows that have arrived; nothing else changes.

        For rows that arrive one by one or in batches: predict them, then add them to the buffer, so
        that the next rows have a history. Older rows are dropped: the buffer grows only with new
        series.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns)
            Rows in time order, later than all rows seen before of their series. New series are
            added.
        y : None
            Ignored.

        Returns
        -------
        SequenceWindower
            The windower; if it was not fitted, it is fitted on these rows.

        Raises
        ------
        ValueError
            If a row is not later than the buffered rows of its series, or the table is not valid.

        See Also
        --------
        LSTMRegressor.partial_fit : Train the network for one more epoch.
        SequenceForecaster.update : The same for a forecaster.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm import SequenceWindower
        >>> index = pd.date_range("2024-01-01", periods=4)
        >>> days = pd.DataFrame({"temp": [1.0, 2.0, 3.0, 4.0]}, index)
        >>> windower = SequenceWindower(window_size=2).fit(days[:2])
        >>> windower.partial_fit(days[2:3]).transform(days[3:])[0].ravel()
        array([3., 4.])
        """
        if not hasattr(self, "_is_feature"):
            return self._start(X) if self.context is None else self.fit(X)
        joined = self._join(X)
        if self._buffer is None or joined.frequency is None:
            return self
        self._append(self._buffer, joined)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features of a step.

        They are the columns of each sequence; the names of lags come from the flattener.

        Parameters
        ----------
        input_features : array-like of str, shape (`n_features_in_`,), default=None
            Names of the columns. `None`: ``feature_names_in_``, or x0, x1, ...

        Returns
        -------
        ndarray of str, shape (n_features,)
            The columns without series and time, and ``time_delta`` with `add_time_delta`.

        See Also
        --------
        SequenceFlattener.get_feature_names_out : Names of features with lags.

        Examples
        --------
        >>> from sklstm import SequenceWindower
        >>> SequenceWindower().fit([[1.0, 5.0], [2.0, 6.0]]).get_feature_names_out()
        array(['x0', 'x1'], dtype=object)
        """
        check_is_fitted(self)
        return self._names_of_steps(_check_feature_names_in(self, input_features))

    def _fit(self, X: Any, y: Any) -> Sequences:
        """Fit, and return the histories."""
        self._validate_params()
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._learn_categories(X)
        joined, values = self._learn(X if self.context is None else self.context)
        if self.context is not None:
            joined = self._join(X)
            values = joined.values(self._unit_of_time_delta)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self._cut(joined, joined.bounds(self.window_size, self.horizon), values, X)

    def _cut(self, joined: JoinedTable, bounds: Bounds, values: np.ndarray, X: Any) -> Sequences:
        names = getattr(self, "feature_names_in_", None)
        names = None if names is None else self._names_of_steps(names)
        index = X.index if isinstance(X, pd.DataFrame) else None
        return joined.sequences(bounds, values, names, index, self._categories)

    def _to_plain(self, state: dict[str, Any]) -> dict[str, Any]:
        if state.get("series_") is not None:
            state["series_"] = index_to_plain(state["series_"])
        for name in ("_buffer", "_frequency"):
            if state.get(name) is not None:
                state[name] = state[name].to_plain()
        if state.get("_table_ends") is not None:
            state["_table_ends"] = tuple(state["_table_ends"])
        state.pop("_latest", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if getattr(self, "series_", None) is not None:
            self.series_ = index_from_plain(self.series_)
        if state.get("_table_ends") is not None:
            self._table_ends = TableEnds(*state["_table_ends"])
        for name, kind in (("_buffer", Buffer), ("_frequency", Frequency)):
            if state.get(name) is not None:
                setattr(self, name, kind.from_plain(state[name]))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
