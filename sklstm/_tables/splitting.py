"""Cross-validation of panels: splits by time, not by row."""

from collections.abc import Iterator
from datetime import timedelta
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator

from sklstm._data.frames import NANOSECONDS, Rows, lay_out
from sklstm._data.inputs import as_frame, kind_of_table
from sklstm._data.sklearn_private import Interval, validate_parameter_constraints
from sklstm._data.warning import SklstmWarning, warn

__all__ = ["TimestampSplit"]


def last_timestamps_of_targets(
    codes: np.ndarray, timestamps: np.ndarray, n_ahead: int, times: pd.Index | None
) -> np.ndarray:
    """Timestamp of the last row that the target of each row depends on.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows,)
        Series of each row.
    timestamps : ndarray of shape (n_rows,)
        Time of each row.
    n_ahead : int
        Number of later rows of its series that a target depends on; fewer at the end of a series.
    times : pandas.Index of length n_rows
        The same times as in the table, for the message.

    Returns
    -------
    ndarray of shape (n_rows,)
        The timestamps.

    Raises
    ------
    ValueError
        If time does not increase within a series.

    Examples
    --------
    >>> import numpy as np
    >>> last_timestamps_of_targets(np.array([0, 1, 0, 1, 0]), np.array([1, 1, 2, 2, 5]), 1, None)
    array([2, 2, 5, 2, 5])
    """
    if not n_ahead:
        return timestamps
    rows = Rows.arrange(codes, timestamps)
    rows.check_time(times)
    first = np.flatnonzero(rows.is_first)
    ends = np.append(first[1:], len(codes))
    last = np.repeat(ends - 1, ends - first)
    reached = np.empty_like(timestamps)
    reached[rows.order] = timestamps[rows.order][np.minimum(np.arange(len(codes)) + n_ahead, last)]
    return reached


class TimestampSplit(BaseCrossValidator):
    """Time series cross-validation that splits all series of a panel at the same timestamp.

    Like scikit-learn's ``TimeSeriesSplit``, but it counts distinct timestamps, not rows: the table
    may hold the rows of many series in any order. All rows of a test fold are later than its
    training rows, and rows with the same timestamp are never separated. Each test fold follows the
    one before it; the training rows are all earlier rows (an expanding window).

    Parameters
    ----------
    n_splits : int, default=5
        Number of test folds, at the end of the time span of the table.
    time : str, default=None
        Column or index level with the time, as dates or numbers. `None`: the index, or its last
        level that is not in `series`, if it holds dates, periods or integers.
    series : str or list of str, default=None
        Columns or index levels that name the series of a row. Required only by `purge`.
    test_size : int, Timedelta or str, default=None
        Size of a test fold: a number of distinct timestamps, or a duration such as ``"365D"``.
        `None`: the number of distinct timestamps divided by ``n_splits + 1``.
    gap : int, Timedelta or str, default=0
        What is left out between training rows and test fold: the last `gap` timestamps before the
        fold, or all timestamps within this duration before it.
    purge : int, default=0
        Number of later rows of its series that the target of a row depends on. Training rows whose
        target depends on rows of the test fold or later ones are left out: the last `purge` rows of
        each series, however far apart. 0: the target of a row is known at the time of the row.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : The same for the rows of one series.
    SequenceWindower : Has the same parameters `series` and `time`.

    Notes
    -----
    `gap` and `purge` are not added: a training row must satisfy both.

    ``SequenceWindower(horizon=h)`` needs no `purge`, as ``y[t]`` is a value of row ``t``. But a
    forecast for the first test row is made ``h`` rows earlier, when the last ``h - 1`` values of
    the target were still unknown: ``gap=h - 1`` leaves them out, with the whole table as `context`
    of the windower, or on windows made before. A target that depends on later
    rows, such as the mean of the next 3 or ``groupby("station").shift(-3)``, needs ``purge=3``.

    All test folds have the same number of timestamps or the same duration, but not necessarily the
    same number of rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import TimestampSplit
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"])
    >>> table = pd.DataFrame({"date": days.repeat(2), "station": ["a", "b"] * 4})
    >>> for train, test in TimestampSplit(2, time="date").split(table):
    ...     print(train, test)
    [0 1 2 3] [4 5]
    [0 1 2 3 4 5] [6 7]
    >>> split = TimestampSplit(1, time="date", series="station", test_size="1D", purge=1)
    >>> [(train, test)] = split.split(table)
    >>> print(train, test)
    [0 1 2 3] [6 7]

    In a search inside a :class:`SequenceForecaster` it splits windows by the timestamps of their
    last rows, over all series: `test_size` and `gap` are then numbers, and `time`, `series` and
    `purge` are not needed.

    As ``cv`` of a hyperparameter search or a score:

    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.model_selection import cross_val_score
    >>> len(cross_val_score(DummyRegressor(), table, range(8), cv=TimestampSplit(2, time="date")))
    2
    """

    _parameter_constraints: dict = {
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "time": [str, None],
        "series": [str, list, None],
        "test_size": [Interval(Integral, 1, None, closed="left"), timedelta, str, None],
        "gap": [Interval(Integral, 0, None, closed="left"), timedelta, str],
        "purge": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        time: str | None = None,
        series: str | list[str] | None = None,
        test_size: int | timedelta | str | None = None,
        gap: int | timedelta | str = 0,
        purge: int = 0,
    ):
        self.n_splits = n_splits
        self.time = time
        self.series = series
        self.test_size = test_size
        self.gap = gap
        self.purge = purge

    def split(
        self, X: pd.DataFrame, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the training rows and the test rows of each split.

        Searches and scores with ``cv=TimestampSplit(...)`` call it; iterate over it to look at the
        folds, or to compute scores yourself.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns), or Series
            Table with the time, in any order; for `purge` the rows of each series in time order.
        y : object
            Ignored.
        groups : object
            Ignored, with a warning.

        Returns
        -------
        iterator of (ndarray of int, ndarray of int)
            Positions of the training rows and of the test rows, in the order of the table.

        Raises
        ------
        ValueError
            If a parameter or the table is not valid, or a split would have no training or no test
            rows.

        See Also
        --------
        sklearn.model_selection.cross_val_score : Takes the splitter as `cv`.
        backtest : One fit, then forecasts from many later origins.

        Examples
        --------
        With the day before each test fold left out:

        >>> import pandas as pd
        >>> from sklstm import TimestampSplit
        >>> table = pd.DataFrame({"x": range(6)}, pd.date_range("2024-01-01", periods=6))
        >>> for train, test in TimestampSplit(2, gap="1D").split(table):
        ...     print(train, test)
        [0] [2 3]
        [0 1 2] [4 5]
        """
        if groups is not None:
            warn(f"{type(self).__name__} ignores groups.", SklstmWarning)
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )
        keys, times, timestamps, clock = self._read(X)
        codes = np.zeros(len(X), dtype=int) if keys is None else pd.factorize(keys)[0]
        reached = last_timestamps_of_targets(codes, timestamps, self.purge, times)
        distinct = np.unique(timestamps)
        starts = self._test_starts(distinct, clock)
        ends = self._training_ends(distinct, starts, clock)
        return self._rows(timestamps, reached, distinct[starts], ends)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        scikit-learn calls it before it splits; the table is not needed.

        Parameters
        ----------
        X : object
            Ignored.
        y : object
            Ignored.
        groups : object
            Ignored.

        Returns
        -------
        int
            `n_splits`.

        See Also
        --------
        TimestampSplit.split : The rows of each split.

        Examples
        --------
        >>> from sklstm import TimestampSplit
        >>> TimestampSplit(n_splits=3).get_n_splits()
        3
        """
        return self.n_splits

    def _read(self, X: Any) -> tuple[pd.Index | None, pd.Index | None, np.ndarray, str]:
        """Series, time and timestamp of each row, and the kind of the timestamps."""
        name, X = type(self).__name__, as_frame(X)
        X = X.to_frame() if isinstance(X, pd.Series) else X
        if not isinstance(X, pd.DataFrame):
            raise ValueError(
                f"{name} reads the time of each row from a DataFrame, got {kind_of_table(X)}. Pass "
                "the table itself to the search or the score, with transformers in a Pipeline; for "
                "a single series in time order, use scikit-learn's TimeSeriesSplit."
            )
        _, keys, times, timestamps, clock, _ = lay_out(X, self.series, self.time)
        dates = [column for column in X if pd.api.types.is_datetime64_any_dtype(X[column])]
        if timestamps is None or clock is None or (clock == "counter" and dates):
            raise ValueError(
                f"{name}(time=None) reads the time from the index, which has the dtype "
                f"{X.index.dtype}"
                + (f", but there are dates in the columns {dates}" if dates else "")
                + ". Name the column or index level with the time: time='date'."
            )
        return keys, times, timestamps, clock

    def _test_starts(self, distinct: np.ndarray, clock: str) -> np.ndarray:
        """Positions of the first timestamp of each test fold among the distinct timestamps."""
        back = np.arange(self.n_splits, 0, -1)
        size = len(distinct) // (self.n_splits + 1) if self.test_size is None else self.test_size
        if isinstance(size, (timedelta, str)):
            length = _nanoseconds(size, "test_size", clock)
            latest = distinct.max(initial=0) - length * back
            starts = np.searchsorted(distinct, latest, side="right")
        else:
            starts = len(distinct) - size * back
        sizes = np.diff(starts, append=len(distinct))
        if starts[0] < 1 or not sizes.all():
            raise ValueError(
                f"n_splits={self.n_splits} and test_size={self.test_size!r} do not fit X, which "
                f"has {len(distinct)} distinct timestamps: every split needs at least one for "
                "training and one for testing. Use fewer splits or another test_size."
            )
        return starts

    def _training_ends(self, distinct: np.ndarray, starts: np.ndarray, clock: str) -> np.ndarray:
        """Timestamps before which the training rows of each split lie."""
        if isinstance(self.gap, (timedelta, str)):
            return distinct[starts] - _nanoseconds(self.gap, "gap", clock)
        return distinct[np.maximum(starts - self.gap, 0)]

    def _rows(
        self, timestamps: np.ndarray, reached: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            is_train = (timestamps < end) & (reached < start)
            if not is_train.any():
                raise ValueError(
                    f"Split {number} has no training rows: gap={self.gap!r} and "
                    f"purge={self.purge!r} leave out all of the {(timestamps < start).sum()} rows "
                    "before its test fold. Make them smaller, or use fewer splits."
                )
            is_test = timestamps >= start
            if number + 1 < len(starts):
                is_test &= timestamps < starts[number + 1]
            yield np.flatnonzero(is_train), np.flatnonzero(is_test)


def _nanoseconds(duration: timedelta | str, name: str, clock: str) -> int:
    """Convert a duration to the unit of the timestamps."""
    try:
        length = pd.Timedelta(duration).as_unit("ns").value
    except ValueError:
        length = None
    if length is None or length < (1 if name == "test_size" else 0):
        raise ValueError(
            f"{name}={duration!r} is no valid duration: give one such as '7D' or "
            "pandas.Timedelta(days=7), or a number of distinct timestamps."
        )
    if clock not in NANOSECONDS:
        raise ValueError(
            f"{name}={duration!r} is a duration, but the time of X is made of numbers: give a "
            "number of distinct timestamps."
        )
    return length
