"""Checks for tests of models."""

import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from sklstm._data.arrays import plain_array
from sklstm._data.frames import lay_out
from sklstm._data.warning import MissingHistoryWarning, some_names
from sklstm._tables.windower import SequenceWindower
from sklstm.inspection._histories import windowers_in

__all__ = ["assert_no_lookahead"]


def assert_no_lookahead(
    model: Any,
    X: Any,
    *,
    n_cuts: int = 3,
    series: str | list | None = None,
    horizon: int | None = None,
    random_state: Any = 0,
) -> None:
    """Assert that no prediction depends on rows that come later.

    It changes the rows after a cut and compares the predictions of the rows up to it, and of
    `horizon` more. Each series is cut by its own rows; in turn some series are changed and the
    others are not, whose predictions must then all stay. Numbers are replaced by others of the
    same column, moved beyond its range; index, series, time and everything that is not a number
    stay. The comparison is repeated with the last row before each cut and some after it missing,
    if the model takes missing values.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted, with `predict`, and perhaps `predict_proba`: one prediction a row of X.
    X : DataFrame or array-like of shape (n_rows, n_columns) or (n_rows, n_steps, n_features)
        Input of the model, rows in time order. A few hundred are enough.
    n_cuts : int, default=3
        Cuts, spread over the rows of each series.
    series : str or list of str, default=None
        Columns or index levels that name the series of a row. `None`: those of the
        `SequenceWindower` inside the model, or else the rows are one series.
    horizon : int, default=None
        Rows between a row and the last one that its prediction may read; 0: it may read its own.
        `None`: that of the `SequenceWindower` that is a step of the Pipeline, or else 0. Give 0 if
        a step before it shifts future covariates, such as a weather forecast.
    random_state : int, RandomState instance or None, default=0
        Seeds the cuts and the other values.

    Raises
    ------
    AssertionError
        If a prediction depends on later rows; the message names the first one, and the cut.
    ValueError
        If X or a parameter is not valid, or predictions for the same X differ from call to call.

    See Also
    --------
    sklstm.TimestampSplit : Cross-validation without future rows in the training part.

    Notes
    -----
    It checks how the model predicts. It does not find

    * the target, or what is measured with it, among the features at ``horizon=0``, where a row
      may depend on itself;
    * leaks in X itself, such as a centred rolling mean: put that into the Pipeline;
    * what was learned from the future in `fit`: cross-validate by time for that;
    * leaks through texts and dates, which are not changed.

    There are `n_cuts` pairs of predictions for one series, and for ``k`` of them about
    ``2 * log2(k)`` times as many.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sklstm import LSTMRegressor, SequenceWindower
    >>> from sklstm.datasets import load_weather
    >>> from sklstm.testing import assert_no_lookahead
    >>> weather = load_weather(as_frame=True).data[:60]
    >>> network = LSTMRegressor(hidden_size=4, max_epochs=1, random_state=0)
    >>> model = make_pipeline(SequenceWindower(7, horizon=1), network)
    >>> assert_no_lookahead(model.fit(weather, weather["temp_max"]), weather)

    A mean over days before and after each day looks ahead:

    >>> def smooth(days):
    ...     return days.rolling(5, center=True, min_periods=1).mean()
    >>> model = make_pipeline(FunctionTransformer(smooth), SequenceWindower(7, horizon=1), network)
    >>> assert_no_lookahead(model.fit(weather, weather["temp_max"]), weather)
    Traceback (most recent call last):
    ...
    AssertionError: Pipeline.predict looks ahead: row 10 (counted from 0; index
    Timestamp('2012-01-11 00:00:00')) changed from ... to ... when only rows after row 10 (...) ...
    """
    horizon = _horizon_of(model) if horizon is None else horizon
    for name, value, least in (("n_cuts", n_cuts, 1), ("horizon", horizon, 0)):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer, at least {least}, got {value!r}.")
    random = check_random_state(random_state)
    table = _Table.read(model, X, series)
    outputs = table.outputs(model, table.frame)
    again = table.outputs(model, table.frame)
    if any(_differing_rows(outputs[name], again[name]).any() for name in outputs):
        raise ValueError(
            f"Predictions of {type(model).__name__} for the same X differ from call to call, so "
            "lookahead cannot be found. Fix its random_state."
        )
    for is_changed in _choices(len(table.lengths)):
        for number in range(n_cuts):
            cut = table.draw_cut(is_changed, (number + random.uniform()) / n_cuts, horizon)
            changed = table.change_future(cut, random)
            cut.compare(model, table, outputs, _outputs_of_changed(model, table, changed))
            _compare_with_missing(model, table, cut, changed)


def _outputs_of_changed(
    model: Any, table: "_Table", changed: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Predictions for a changed table; an error gets a note of what was changed."""
    try:
        return table.outputs(model, changed)
    except Exception as error:
        error.add_note(
            "assert_no_lookahead had moved the numbers of later rows beyond the range of their "
            "columns. Columns whose numbers are categories are left alone if X holds them as texts "
            "or as dtype 'category'."
        )
        raise


def _compare_with_missing(model: Any, table: "_Table", cut: "_Cut", changed: pd.DataFrame) -> None:
    """Compare once more, with the last row before each cut and some after it missing."""
    has_next = table.place + 1 < table.lengths[table.codes]
    distance = table.place - cut.last[table.codes]
    is_last = (distance == 0) & has_next
    is_gone = (distance > 0) & (distance % 2 == 0) & has_next
    try:
        before = table.outputs(model, table.without(table.frame, is_last))
        after = table.outputs(model, table.without(changed, is_last | is_gone))
    except ValueError:  # most models take no missing values
        return
    cut.compare(model, table, before, after)


def _choices(n_series: int) -> Iterator[np.ndarray]:
    """Choose series to change: so that each is once changed while any other is not, and all.

    Parameters
    ----------
    n_series : int
        Number of series.

    Yields
    ------
    ndarray of bool, shape (n_series,)
        Whether a series is changed.

    Examples
    --------
    >>> [choice.tolist() for choice in _choices(2)]
    [[False, True], [True, False], [True, True]]
    """
    for bit in range((n_series - 1).bit_length()):
        is_set = np.arange(n_series) >> bit & 1 == 1
        yield is_set
        yield ~is_set
    yield np.ones(n_series, dtype=bool)


class _Table(NamedTuple):
    """Input of the model, and which parts of it may be changed."""

    frame: pd.DataFrame
    shape: tuple | None  # of the array that the frame stands for
    columns: list  # places of the columns that are changed
    codes: np.ndarray  # series of each row
    place: np.ndarray  # of each row in its series
    lengths: np.ndarray  # of each series
    names: pd.Index | None  # of the series

    @classmethod
    def read(cls, model: Any, X: Any, series: str | list | None) -> "_Table":
        """Find the columns of numbers, series and time."""
        windowers = windowers_in(model)
        shape = None
        if not isinstance(X, pd.DataFrame):
            X = plain_array(X)
            shape = X.shape
            X = pd.DataFrame(X.reshape(len(X), -1) if X.ndim > 1 else X)
        elif series is None and windowers:
            series = windowers[0].series
        codes, names = np.zeros(len(X), dtype=int), None
        if series is not None:
            codes, names = pd.factorize(lay_out(X, series).keys)
        lengths = np.bincount(codes)
        kept = {name for part in windowers for name in [*_listed(part.series), part.time]}
        columns = _columns_to_change(X, kept.union(_listed(series)))
        if not columns or lengths.max(initial=0) < 2:
            raise ValueError(
                f"There is nothing to change in X, which has {len(X)} rows and {len(columns)} "
                "columns of numbers: give at least two rows of a series, and a column of numbers "
                "that is neither series nor time."
            )
        place = pd.Series(codes).groupby(codes).cumcount().to_numpy()
        return cls(X, shape, columns, codes, place, lengths, names)

    def outputs(self, model: Any, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Predictions and probabilities of each row.

        A part of the rows of `fit` has short histories, which are the same in all comparisons.
        """
        X = frame if self.shape is None else frame.to_numpy().reshape(self.shape)
        outputs = {}
        for method in ("predict", "predict_proba"):
            if method == "predict" or hasattr(model, method):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", MissingHistoryWarning)
                    output = getattr(model, method)(X)
                outputs[method] = np.hstack(output) if isinstance(output, list) else output
                outputs[method] = np.asarray(outputs[method])
                if len(outputs[method]) != len(frame):
                    raise ValueError(
                        f"{type(model).__name__}.{method} gave {len(outputs[method])} predictions "
                        f"for {len(frame)} rows; one for each row is needed."
                    )
        return outputs

    def draw_cut(self, is_changed: np.ndarray, fraction: float, horizon: int) -> "_Cut":
        """Cut the series that are changed; the last row of the others is their last one."""
        last = np.floor(fraction * np.maximum(self.lengths - 1, 1)).astype(int)
        last[~is_changed] = self.lengths[~is_changed] - 1
        distance = self.place - last[self.codes]
        return _Cut(last, is_changed, distance > 0, distance > horizon, horizon)

    def change_future(self, cut: "_Cut", random: np.random.RandomState) -> pd.DataFrame:
        """Replace numbers in the rows after a cut."""
        frame = self.frame.copy()
        for column in self.columns:
            values = _other_values(frame.iloc[:, column], cut.is_future, random)
            frame.isetitem(column, values.array)
        return frame

    def without(self, frame: pd.DataFrame, is_missing: np.ndarray) -> pd.DataFrame:
        """Make all numbers in some rows missing, in columns whose dtype has a missing value."""
        frame = frame.copy()
        for column in self.columns:
            values = frame.iloc[:, column]
            if values.dtype.kind == "f" or pd.api.types.is_extension_array_dtype(values.dtype):
                frame.isetitem(column, values.mask(is_missing).array)
        return frame

    def describe(self, row: int) -> str:
        """Name a row."""
        text = f"row {row}"
        return text if self.shape else f"{text} (counted from 0; index {self.frame.index[row]!r})"


class _Cut(NamedTuple):
    """The cut of each series."""

    last: np.ndarray  # place of the last row of each series that is left as it is
    is_changed: np.ndarray  # whether a series has rows to change
    is_future: np.ndarray  # whether a row is changed
    may_differ: np.ndarray  # whether its prediction may change
    horizon: int

    def compare(
        self,
        model: Any,
        table: _Table,
        before: dict[str, np.ndarray],
        after: dict[str, np.ndarray],
    ) -> None:
        """Raise AssertionError if a prediction changed that must stay."""
        for method in before:
            differs = _differing_rows(before[method], after[method]) & ~self.may_differ
            if differs.any():
                row = int(np.argmax(differs))
                raise AssertionError(
                    f"{type(model).__name__}.{method} looks ahead: {table.describe(row)} changed "
                    f"from {before[method][row]} to {after[method][row]} when "
                    f"{self._what_changed(table, row)}. So did {differs.sum() - 1} more rows that "
                    "had to stay. A step of the model reads rows that come later (a centred or "
                    "backward window, a backward fill, statistics of the whole table) or rows of "
                    "another series."
                )

    def _what_changed(self, table: _Table, row: int) -> str:
        code = table.codes[row]
        of_series = "" if table.names is None else f" of series {table.names[code]!r}"
        if not self.is_changed[code]:
            assert table.names is not None  # there are other series
            changed = table.names[self.is_changed].tolist()
            return f"no row{of_series}, only later rows of {some_names(changed)} were changed"
        last = np.flatnonzero((table.codes == code) & (table.place == self.last[code]))[0]
        others = ", and later rows of other series," if self.is_changed.sum() > 1 else ""
        limit = (
            f" (at horizon={self.horizon} it may not read the row itself)" if self.horizon else ""
        )
        return f"only rows after {table.describe(last)}{of_series}{others} were changed{limit}"


def _other_values(
    column: pd.Series, is_changed: np.ndarray, random: np.random.RandomState
) -> pd.Series:
    """Replace some values of a column by others of it, moved beyond its range.

    Parameters
    ----------
    column : Series
        Numbers; missing and infinite ones are replaced, but not drawn.
    is_changed : ndarray of bool
        Which of them to replace.
    random : RandomState
        Draws them.

    Returns
    -------
    Series
        A new column of the same dtype. If the column had no negative number, it has none.
    """
    if column.dtype.kind == "b":
        return column.where(~is_changed, ~column)
    present = column[np.isfinite(column.to_numpy(float, na_value=np.nan))]
    if not len(present):
        return column
    number = float if column.dtype.kind == "f" else int
    low, high = number(present.min()), number(present.max())
    offset = number(((high - low) or 1) * random.uniform(1.1, 2))
    if low < 0 and random.randint(2):
        offset = -offset
    if number is int:
        limits = np.iinfo(getattr(column.dtype, "numpy_dtype", column.dtype))
        offset = max(limits.min - low, min(offset, limits.max - high))
    other = present.take(random.randint(len(present), size=len(column)))
    other.index = column.index
    return column.where(~is_changed, (other + offset).astype(column.dtype))


def _differing_rows(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Find the rows in which two predictions differ by more than rounding.

    Parameters
    ----------
    before, after : ndarray of shape (n_rows, ...)
        The predictions.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Whether they differ.

    Examples
    --------
    >>> import numpy as np
    >>> _differing_rows(np.array([1.0, 2.0, np.nan]), np.array([1.0000001, 2.1, np.nan]))
    array([False,  True, False])
    >>> _differing_rows(np.array(["sun", "rain"]), np.array(["sun", "fog"]))
    array([False,  True])
    """
    if before.dtype.kind == "f":
        size = np.abs(before[np.isfinite(before)]).max(initial=0)
        same = np.isclose(after, before, rtol=1e-5, atol=1e-7 * size, equal_nan=True)
    else:
        same = before == after
    return ~same.reshape(len(before), -1).all(axis=1)


def _columns_to_change(frame: pd.DataFrame, kept: set) -> list[int]:
    """Positions of the columns of numbers, without those to be kept."""
    return [
        place
        for place, (name, column) in enumerate(frame.items())
        if name not in kept and pd.api.types.is_numeric_dtype(column)
    ]


def _listed(names: Any) -> list:
    """Make a list of one name, several or none."""
    return [] if names is None else [names] if isinstance(names, str) else names


def _horizon_of(model: Any) -> int:
    """Horizon of a Pipeline: that of all windowers among its steps."""
    model = getattr(model, "best_estimator_", model)
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else []
    return sum(step.horizon for step in steps if isinstance(step, SequenceWindower))
