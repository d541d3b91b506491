"""LagSequencer: a table of lags to sequences."""

import re
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.callback import with_callbacks
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sklstm._data.arrays import plain
from sklstm._data.inputs import FLOATS
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import Interval, StrOptions
from sklstm._tables.sequence_transformer import SequenceTransformer

__all__ = ["LagSequencer"]

UNNAMED = "y"
"""The feature of columns such as ``lag_1``."""

FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?:(?P<feature>.+?)[_ .])?lag[_ ]?(?P<lag>-?\d+)(?P<unit>[a-z]*)",  # lag_1, x_lag_24h
        r"lag[_ ]?(?P<lag>\d+)[_ .](?P<feature>.+)",  # lag1_x
        r"(?P<feature>.*?)_?[(\[]t(?:-(?P<lag>\d+))?[)\]]",  # x(t-1), x[t]
        r"(?:(?P<feature>.+?)[_ ])?t(?:-(?P<lag>\d+))",  # x_t-1, t-1
        r"(?P<feature>.+)\.L(?P<lag>\d+)",  # x.L1
        r"L(?P<lag>\d+)\.(?P<feature>.+)",  # L1.x
    )
]


class LagSequencer(SequenceTransformer):
    """Turn a table with a column for each lag into sequences.

    For tables made by other libraries, which pass a scikit-learn regressor one row for each
    prediction and one column for each lag. For any other table use a :class:`SequenceWindower`.

    The names of the columns define feature and lag, in any order: ``lag_1``, ``lag1``,
    ``x_lag_1``, ``x_lag1``, ``lag_1_x``, ``x(t-1)``, ``x[t-1]``, ``x_t-1``, ``x.L1``. A name that
    is no lag is an error. For an array, the parameters define them.

    Parameters
    ----------
    newest : {"last", "first"} or None, default=None
        Position of the newest value of a feature in an array. `None`: last, as in sktime and
        Darts. Names of columns must not contradict it.
    n_features : int, default=None
        Number of features of an array. `None`: 1. Names of columns must not contradict it.
    order : {"by_feature", "by_lag"}, default="by_feature"
        Order of the columns of an array of several features: all lags of the first feature, then
        those of the second, as in sktime; or all features of one lag, then those of the next, as
        in :class:`SequenceFlattener`. Ignored if the columns have names.

    Attributes
    ----------
    lags_ : ndarray of int, shape (n_steps,), or None
        Lag of each step, the oldest first, from the names of the columns; None without names.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    SequenceFlattener : The inverse: sequences to a table of lags.

    Notes
    -----
    Steps of NaN before the first value of a row are dropped, so rows may have histories of
    different lengths. Each feature needs a column for each lag.

    ``set_output`` has no effect: the output is not a table.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import LagSequencer
    >>> lags = pd.DataFrame([[3.0, 2.0, 1.0], [4.0, 3.0, 2.0]], columns=["lag1", "lag2", "lag3"])
    >>> LagSequencer().fit_transform(lags)[0].ravel()
    array([1., 2., 3.])

    An array with all lags of the first feature, then all lags of the second:

    >>> LagSequencer(n_features=2).fit_transform([[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]])[0]
    array([[ 1., 10.],
           [ 2., 20.],
           [ 3., 30.]])
    """

    _parameter_constraints: dict = {
        "newest": [StrOptions({"last", "first"}), None],
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
        "order": [StrOptions({"by_feature", "by_lag"})],
    }

    def __init__(
        self,
        newest: str | None = None,
        *,
        n_features: int | None = None,
        order: str = "by_feature",
    ):
        self.newest = newest
        self.n_features = n_features
        self.order = order

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the feature and the lag of each column.

        Nothing else is learned. `transform` refuses a table with other columns.

        Parameters
        ----------
        X : table of shape (n_sequences, n_steps * n_features)
            The lags.
        y : None
            Ignored.

        Returns
        -------
        LagSequencer
            The fitted transformer.

        Raises
        ------
        ValueError
            If the name of a column is no lag, a lag of a feature is missing, or names contradict
            parameters; the message names the columns.

        See Also
        --------
        SequenceWindower : For tables with one row for each step.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm import LagSequencer
        >>> table = pd.DataFrame({"x(t-1)": [1.0], "z(t-1)": [5.0], "x(t)": [2.0], "z(t)": [6.0]})
        >>> LagSequencer().fit(table).get_feature_names_out()
        array(['x', 'z'], dtype=object)
        """
        self._validate_params()
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._read(X, reset=True)
        self.lags_, self._names, self._places = None, None, self._places_by_order()
        if hasattr(self, "feature_names_in_"):
            self.lags_, self._names, self._places = self._places_by_name()
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> Sequences:
        """Turn each row into a sequence.

        Missing values before the first observed one are dropped; later ones stay NaN, for
        estimators with ``missing="mask"``.

        Parameters
        ----------
        X : table of shape (n_sequences, n_steps * n_features)
            The lags seen in `fit`.

        Returns
        -------
        Sequences
            One sequence for each row, oldest step first.

        See Also
        --------
        SequenceFlattener.transform : The inverse.

        Examples
        --------
        >>> from sklstm import LagSequencer
        >>> lags = [[3.0, 2.0, 1.0], [2.0, 1.0, float("nan")]]
        >>> sequences = LagSequencer(newest="first").fit_transform(lags)
        >>> sequences[0].ravel(), sequences[1].ravel()
        (array([1., 2., 3.]), array([1., 2.]))
        """
        check_is_fitted(self)
        lags = self._read(X, reset=False)[:, self._places.ravel()]
        n_steps, n_features = self._places.shape
        steps = lags.reshape(-1, n_features)
        is_missing = np.isnan(steps).all(axis=1).reshape(len(lags), n_steps)
        missing = is_missing.cumprod(axis=1).sum(axis=1)  # before the first value
        starts = np.arange(len(lags)) * n_steps + missing
        index = X.index if isinstance(X, pd.DataFrame) else None
        return Sequences(steps, starts, n_steps - missing, None, self._names, index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features of a step, which are the columns of each sequence.

        They come from the names of the columns, without the lags.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        ndarray of str, shape (n_features,)
            ``y`` for columns such as ``lag_1``; x0, x1, ... for an array.

        See Also
        --------
        SequenceFlattener.get_feature_names_out : Names of features with lags.

        Examples
        --------
        >>> from sklstm import LagSequencer
        >>> LagSequencer(n_features=2).fit([[1.0, 2.0, 3.0, 4.0]]).get_feature_names_out()
        array(['x0', 'x1'], dtype=object)
        """
        check_is_fitted(self)
        if self._names is not None:
            return self._names
        return np.array([f"x{feature}" for feature in range(self._places.shape[1])], dtype=object)

    def _read(self, X: Any, *, reset: bool) -> np.ndarray:
        X = plain(X)
        if isinstance(X, pd.DataFrame) and not isinstance(X.columns, pd.RangeIndex):
            numbers = X.columns.inferred_type == "integer"  # {lag: y.shift(lag) for lag in ...}
            X = X.set_axis([f"lag_{lag}" for lag in X.columns], axis=1) if numbers else X
        return validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=reset)

    def _places_by_order(self) -> np.ndarray:
        """Column of each step and feature, (n_steps, n_features), by the parameters."""
        n_features, columns = self.n_features or 1, np.arange(self.n_features_in_)
        if len(columns) % n_features:
            raise ValueError(
                f"X has {len(columns)} columns, which is no multiple of n_features={n_features}: "
                "expected the same number of lags for each feature."
            )
        by_lag = self.order == "by_lag"
        places = columns.reshape(-1, n_features) if by_lag else columns.reshape(n_features, -1).T
        return places[::-1] if self.newest == "first" else places

    def _places_by_name(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lags and features by the names of the columns, and the column of each."""
        names = self.feature_names_in_.tolist()
        columns = _read_names(names)
        features, lags = list(dict.fromkeys(c.feature for c in columns)), {c.lag for c in columns}
        steps = sorted(lags, reverse=True)
        place = {(c.lag, c.feature): number for number, c in enumerate(columns)}
        for feature in features:
            missing_lags = [lag for lag in steps if (lag, feature) not in place]
            if missing_lags:
                raise ValueError(
                    f"The feature {feature!r} has no column of lag {missing_lags[0]} in X, but "
                    f"others do: each feature needs the same lags, here {_in_words(steps)}. Leave "
                    f"out {[names[n] for (_, f), n in place.items() if f == feature][:3]}, or add "
                    "the missing columns."
                )
        if self.n_features not in (None, len(features)):
            raise ValueError(
                f"n_features={self.n_features}, but the columns of X name {len(features)}: "
                f"{features}. Leave n_features None: the names of the columns define it."
            )
        own = [column.lag for column in columns if column.feature == features[0]]
        first, last = ("newest", "oldest") if own[0] < own[-1] else ("oldest", "newest")
        if self.newest not in (None, "first" if first == "newest" else "last") and len(own) > 1:
            raise ValueError(
                f"newest={self.newest!r}, but by their names the first column of X, {names[0]!r}, "
                f"is the {first} and the last the {last}. Leave newest None: the names of the "
                "columns define it."
            )
        places = np.array([[place[lag, feature] for feature in features] for lag in steps])
        return np.array(steps), np.array(features, dtype=object), places

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class _Column(NamedTuple):
    """Feature, lag and unit in the name of a column."""

    feature: str
    lag: int
    unit: str


def _read_names(names: list[str]) -> list[_Column]:
    """Feature and lag of each column; ValueError for names that are no lags."""
    found = [_read_name(name) for name in names]
    others = [name for name, column in zip(names, found, strict=True) if column is None]
    if others:
        raise ValueError(
            f"X has columns whose names are no lags, such as lag_1, x_lag_1 or x(t-1): "
            f"{_in_words(others)}. Leave out other columns, such as a calendar or the id of a "
            "series (a SequenceWindower takes these too, from a table with one row for each step). "
            "Lags of another feature need names such as x_lag_1. If all columns are lags, pass "
            "X.to_numpy(), which newest=, n_features= and order= describe."
        )
    columns = [column for column in found if column is not None]
    signs = {np.sign(column.lag) for column in columns}
    if {-1, 1} <= signs:
        ahead = [name for name, column in zip(names, columns, strict=True) if column.lag > 0]
        raise ValueError(
            f"Some columns of X have negative lags, and {_in_words(ahead)} have positive ones, "
            "which lie ahead in time: they are future values. Leave them out."
        )
    units = {column.unit for column in columns}
    if len(units) > 1:
        raise ValueError(
            f"The columns of X have lags in several units: {sorted(units)}. Pass lags in one unit."
        )
    columns = [column._replace(lag=abs(column.lag)) for column in columns]
    twice = pd.Index([column[:2] for column in columns], tupleize_cols=False).duplicated()
    if twice.any():
        raise ValueError(
            f"The column {names[int(twice.argmax())]!r} of X has the feature and the lag of "
            "another one: leave one of the two out."
        )
    return columns


def _read_name(name: str) -> _Column | None:
    if name == "t":
        return _Column(UNNAMED, 0, "")
    for form in FORMS:
        match = form.fullmatch(name)
        if match is not None:
            parts = {"unit": ""} | match.groupdict()
            return _Column(parts["feature"] or UNNAMED, int(parts["lag"] or 0), parts["unit"])
    return None


def _in_words(items: list) -> str:
    return ", ".join(map(repr, items[:5])) + (f" and {len(items) - 5} more" if items[5:] else "")
