"""SequenceWindower: each row of a table becomes the sequence of rows that led to it."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_array,
    check_is_fitted,
    validate_data,
)

from sklstm._data.estimator import SequenceEstimator
from sklstm._data.frames import (
    Layout,
    Rows,
    gap_in_stamps,
    index_from_plain,
    index_to_plain,
    lay_out,
    numeric_columns,
)
from sklstm._data.inputs import FLOATS, from_torch
from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._tables.histories import CarriedRows, factorize, history_bounds, longer, scatter

__all__ = ["SequenceWindower"]


class SequenceWindower(
    TransformerMixin,
    SequenceEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Turn each row of a table into the sequence of rows that led to it.

    One row in, one sequence out: row ``t`` becomes rows ``t - horizon - window_size + 1`` to
    ``t - horizon`` of its series. The number and the order of rows never change, so that ``y``,
    ``sample_weight``, cross-validation and scorers need nothing special. Rows near the start of
    a series get shorter sequences, its first `horizon` rows empty ones.

    Parameters
    ----------
    window_size : int, default=24
        Most rows a history may have.
    horizon : int, default=0
        Rows between the end of the history and the row it belongs to. 0: the history ends with
        the row itself. ``h``: it ends ``h`` rows earlier, so that ``y[t]`` is predicted from what
        was known ``h`` rows before, and ``y`` needs no shift.
    series : str or list of str, default=None
        Columns or index levels that name the series a row belongs to, such as the station. They
        are no features. Histories never cross series, whose rows may be interleaved. `None`: the
        table is one series.
    time : str, default=None
        Column or index level with the time, dates or numbers, which must increase within a
        series. It is no feature. `None`: the index, if it holds dates, periods or integers.
    max_gap : Timedelta, str or number, default=None
        A history is cut where two neighbouring rows of a series are further apart: a duration for
        dates, a number for numbers. `None` never cuts.
    elapsed : bool, default=False
        Whether to append a feature ``elapsed``: the time since the previous row of the series, in
        units of the median step in `fit`; 1 for the first row of a series. It tells the network
        of irregular sampling.
    carry_over : bool, default=True
        Whether to keep the last ``window_size - 1 + horizon`` rows of each series seen in `fit`,
        with `elapsed` at least one.
        In `transform` those that are earlier than the first given row of the series stand before
        it, if the step between is not longer than `max_gap` (`None`: than the longest step seen
        in `fit`); on an integer index only the very next integer continues a series.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`, series and time included.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X was a DataFrame with string names.
    series_ : Index or None
        Names of the series seen in `fit`.
    longest_step_ : int, float or None
        Longest step between neighbouring rows of a series seen in `fit`: nanoseconds for dates,
        else a number; None without time or without steps.
    median_step_ : float or None
        Median step likewise, only if `elapsed`.

    See Also
    --------
    SequenceFlattener : Make a table of lags out of the sequences.
    LSTMRegressor : Predict a number from each sequence.

    Notes
    -----
    The rows of a series must be in time order. Windows are not copied: the transformed table
    costs the table and 16 bytes a row, whatever the window size, and another table if rows of
    several series are interleaved or carried over, or with `elapsed`.

    A bare array has no index: it is one series, never cut and never carried over.

    Steps that are NaN pass through, as only those that a history uses matter. Rows of NaN with
    the next stamps therefore ask for the forecast of the next `horizon` rows.

    With `carry_over` a pickled windower contains training rows.

    ``set_output`` has no effect: sequences are no table.

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

    Two stations in one table:

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
        "elapsed": ["boolean"],
        "carry_over": ["boolean"],
    }

    def __init__(
        self,
        window_size=24,
        *,
        horizon=0,
        series=None,
        time=None,
        max_gap=None,
        elapsed=False,
        carry_over=True,
    ):
        self.window_size = window_size
        self.horizon = horizon
        self.series = series
        self.time = time
        self.max_gap = max_gap
        self.elapsed = elapsed
        self.carry_over = carry_over

    @with_callbacks
    def fit(self, X, y=None):
        """Remember the columns, the usual steps in time, and the last rows of each series.

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
        """
        self._fit(X, y)
        return self

    @with_callbacks
    def fit_transform(self, X, y=None):
        """Fit, and give each row its history; quicker than one after the other.

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
        """
        return self._cut(*self._fit(X, y))

    def transform(self, X):
        """Give each row its history.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            Table with the columns seen in `fit`. Its series need not be those seen there.

        Returns
        -------
        Sequences
            One sequence for each row of X, in the same order.

        Raises
        ------
        ValueError
            If the columns are not those seen in `fit`, or the time does not increase.
        """
        check_is_fitted(self)
        values, layout = self._read(X, reset=False)
        if self.elapsed and layout.clock != self._clock:
            raise ValueError(
                f"elapsed=True was fitted on time of the kind {self._clock!r} and now gets "
                f"{layout.clock!r}: give the same kind of time."
            )
        codes, _ = factorize(layout.keys, len(values), self.series_)
        stamps = layout.stamps
        rows = Rows.arrange(codes, stamps)
        rows.check_time(layout.times)
        carried = self._continued(rows, codes, layout)
        n_carried = 0 if carried is None else len(carried.codes)
        if n_carried:
            codes = np.concatenate([carried.codes, codes])
            stamps = np.concatenate([carried.stamps, stamps])
            rows = Rows.arrange(codes, stamps)
        if self.elapsed:
            values = self._append_elapsed(values, rows, n_carried)
        if n_carried:
            values = np.concatenate([carried.values, values])
        is_first = self._stands_alone(rows, layout.clock)
        return self._cut(values, codes, rows.order, is_first, n_carried)

    def get_feature_names_out(self, input_features=None):
        """Name the features of a step.

        Parameters
        ----------
        input_features : array-like of str, shape (n_features_in_,), default=None
            Names of the columns. `None`: ``feature_names_in_``, or x0, x1, ...

        Returns
        -------
        ndarray of str, shape (n_features,)
            The columns without series and time, and ``elapsed`` if there is that feature.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        names = names[self._is_feature]
        return np.append(names, "elapsed").astype(object) if self.elapsed else names

    def set_output(self, *, transform=None):
        """Do nothing: sequences have one form only.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Accepted, so that a Pipeline can set the output of all its steps.

        Returns
        -------
        SequenceWindower
            This windower.
        """
        return self

    def _fit(self, X, y):
        """Do what `fit` does, and hand on what `_cut` wants."""
        self._validate_params()
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        values, layout = self._read(X, reset=True)
        codes, self.series_ = factorize(layout.keys, len(values))
        rows = Rows.arrange(codes, layout.stamps)
        rows.check_time(layout.times)
        self._clock = layout.clock
        self.longest_step_ = self.median_step_ = None
        if rows.steps is not None:
            steps = rows.steps[~rows.is_first]
            if len(steps):
                self.longest_step_ = steps.max()
                self.median_step_ = np.median(steps) if self.elapsed else None
        if self.elapsed:
            values = self._append_elapsed(values, rows)
        self._carried = self._last_rows(rows, codes, layout.stamps, values)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return values, codes, rows.order, self._stands_alone(rows, layout.clock)

    def _read(self, X, *, reset):
        """Feature values (n_rows, n_features), and what else the table tells."""
        X = from_torch(X)
        layout = Layout(X)
        if isinstance(X, pd.DataFrame):
            layout = lay_out(X, self.series, self.time)
        self._check_layout(layout, X)
        table = numeric_columns(layout.features)
        values = check_array(table, dtype=FLOATS, ensure_all_finite=False, estimator=self)
        validate_data(self, X, reset=reset, skip_check_array=True)
        if reset:
            self._is_feature = np.ones(self.n_features_in_, dtype=bool)
            if isinstance(layout.features, pd.DataFrame):
                self._is_feature = X.columns.isin(layout.features.columns)
        return values, layout

    def _check_layout(self, layout, X):
        asked = [
            name
            for name in ("series", "time", "max_gap", "elapsed")
            if getattr(self, name) is not None and getattr(self, name) is not False
        ]
        if asked and not isinstance(X, pd.DataFrame):
            raise ValueError(
                f"{asked[0]}={getattr(self, asked[0])!r} needs a DataFrame, got "
                f"{type(X).__name__}. If a scaler stands in front, it drops the index: move series "
                "and time to index levels and use Pipeline.set_output(transform='pandas'), or "
                "leave the scaler out: the LSTM estimators standardise by themselves."
            )
        if layout.clock is None and set(asked) & {"max_gap", "elapsed"}:
            raise ValueError(
                f"{asked[-1]}={getattr(self, asked[-1])!r} needs the time of each row: name it "
                "with time=, or make the index one of dates, periods or integers."
            )
        if self.max_gap is not None:
            gap_in_stamps(self.max_gap, layout.clock)

    def _append_elapsed(self, values, rows, n_carried=0):
        """Append the time since the previous row of the series to the given rows."""
        elapsed = np.ones(len(rows.order), dtype=values.dtype)
        if self.median_step_ is not None:
            steps = np.where(rows.is_first, self.median_step_, rows.steps)
            elapsed[rows.order] = steps / self.median_step_
        return np.column_stack([values, elapsed[n_carried:]])

    def _last_rows(self, rows, codes, stamps, values):
        """The rows of each series that histories to come may reach back to."""
        size = max(self.window_size - 1 + self.horizon, int(self.elapsed))
        if not self.carry_over or stamps is None or not size:
            return None
        first = np.flatnonzero(rows.is_first)
        n_kept = np.minimum(np.diff(first, append=len(codes)), size)
        last = rows.order[ranges(np.append(first[1:], len(codes)) - n_kept, n_kept)]
        return CarriedRows(codes[last], stamps[last], values[last])

    def _continued(self, rows, codes, layout):
        """The remembered rows that lead to the given ones."""
        carried = self._carried
        if carried is None or layout.clock != self._clock:
            return None
        n_series = max(codes.max(), carried.codes.max()) + 1
        first = rows.order[rows.is_first]
        is_given = np.zeros(n_series, dtype=bool)
        is_given[codes[first]] = True
        first_stamp = np.zeros(n_series, dtype=layout.stamps.dtype)
        first_stamp[codes[first]] = layout.stamps[first]
        earlier = is_given[carried.codes] & (carried.stamps < first_stamp[carried.codes])
        carried = carried.take(np.flatnonzero(earlier))
        last_stamp = np.zeros(n_series, dtype=carried.stamps.dtype)
        last_stamp[carried.codes] = carried.stamps  # they are in time order: the last one stays
        step = first_stamp - last_stamp
        if layout.clock == "counter":
            follows = step == 1
        elif self.max_gap is not None:
            follows = ~longer(step, gap_in_stamps(self.max_gap, layout.clock))
        else:
            follows = ~longer(step, -1 if self.longest_step_ is None else self.longest_step_)
        return carried.take(np.flatnonzero(follows[carried.codes]))

    def _stands_alone(self, rows, clock):
        """Whether a row is the first one of its series, or behind a gap."""
        if self.max_gap is None:
            return rows.is_first
        return rows.is_first | longer(rows.steps, gap_in_stamps(self.max_gap, clock))

    def _cut(self, values, codes, order, is_first, n_carried=0):
        """Cut the histories of the given rows out of all rows."""
        starts, lengths = history_bounds(is_first, self.window_size, self.horizon)
        if not np.array_equal(order, np.arange(len(order))):
            starts = scatter(starts, order)
            lengths = scatter(lengths, order)
            if values.flags.f_contiguous:  # take would copy the table first
                values = values.T.take(order, axis=1).T
            else:
                values = values.take(order, axis=0)
        given = slice(n_carried, None)
        names = self.get_feature_names_out() if hasattr(self, "feature_names_in_") else None
        return Sequences(values, starts[given], lengths[given], codes[given], names)

    def _to_plain(self, state):
        if state.get("series_") is not None:
            state["series_"] = index_to_plain(state["series_"])
        if state.get("_carried") is not None:
            state["_carried"] = tuple(state["_carried"])
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if getattr(self, "series_", None) is not None:
            self.series_ = index_from_plain(self.series_)
        if getattr(self, "_carried", None) is not None:
            self._carried = CarriedRows(*self._carried)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
