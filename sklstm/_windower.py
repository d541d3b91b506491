"""Transformers between tables and sequences."""

from numbers import Integral

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklstm._estimator import DocumentedEstimator
from sklstm._frames import numeric_columns
from sklstm._inputs import FLOATS, as_sequences
from sklstm._sequences import Sequences

__all__ = ["SequenceFlattener", "SequenceWindower"]


def window_bounds(n_rows, window_size, horizon):
    """Start and length of the history of each row of one series.

    Parameters
    ----------
    n_rows : int
        Number of rows of the series.
    window_size : int
        Most rows a history may have.
    horizon : int
        Rows between the last row of a history and the row it belongs to.

    Returns
    -------
    starts : ndarray of int64, shape (n_rows,)
        First row of each history.
    lengths : ndarray of int32, shape (n_rows,)
        Number of rows of each history.

    Examples
    --------
    >>> starts, lengths = window_bounds(5, window_size=2, horizon=1)
    >>> starts, lengths
    (array([0, 0, 0, 1, 2]), array([0, 1, 2, 2, 2], dtype=int32))
    """
    ends = np.maximum(np.arange(1, n_rows + 1) - horizon, 0)
    starts = np.maximum(ends - window_size, 0)
    return starts, (ends - starts).astype(np.int32)


class SequenceWindower(
    OneToOneFeatureMixin,
    TransformerMixin,
    DocumentedEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Turn each row of a table into the sequence of rows that led to it.

    One row in, one sequence out: row ``t`` becomes rows ``t - horizon - window_size + 1`` to
    ``t - horizon``. The number and the order of rows never change, so that ``y``,
    ``sample_weight``, cross-validation and scorers need nothing special. Rows near the start of
    the table get shorter sequences, the first `horizon` rows empty ones.

    Parameters
    ----------
    window_size : int, default=24
        Most rows a history may have.
    horizon : int, default=0
        Rows between the end of the history and the row it belongs to. 0: the history ends with
        the row itself. ``h``: it ends ``h`` rows earlier, so that ``y[t]`` is predicted from what
        was known ``h`` rows before, and ``y`` needs no shift.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X was a DataFrame with string names.

    See Also
    --------
    SequenceFlattener : Make a table of lags out of the sequences.
    LSTMRegressor : Predict a number from each sequence.

    Notes
    -----
    The rows must be in time order. Windows are not copied: the transformed table costs the table
    and 16 bytes a row, whatever the window size.

    Steps that are NaN pass through, as only those that a history uses matter. Rows of NaN
    appended to a table therefore ask for the forecast of the next `horizon` rows.

    ``set_output`` has no effect: sequences are no table.

    Examples
    --------
    >>> import numpy as np
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
    """

    _parameter_constraints: dict = {
        "window_size": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, window_size=24, *, horizon=0):
        self.window_size = window_size
        self.horizon = horizon

    def fit(self, X, y=None):
        """Remember the columns.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Table in time order.
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
        self._validate_params()
        self._check_table(X, reset=True)
        return self

    def transform(self, X):
        """Give each row its history.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Table in time order.

        Returns
        -------
        Sequences
            One sequence for each row of X, in the same order.

        Raises
        ------
        ValueError
            If the columns are not those seen in `fit`.
        """
        check_is_fitted(self)
        values = self._check_table(X, reset=False)
        starts, lengths = window_bounds(len(values), self.window_size, self.horizon)
        names = getattr(self, "feature_names_in_", None)
        return Sequences(values, starts, lengths, np.zeros(len(values), np.int32), names)

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

    def _check_table(self, X, *, reset):
        X = numeric_columns(X)
        return validate_data(self, X, dtype=FLOATS, ensure_all_finite=False, reset=reset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class SequenceFlattener(TransformerMixin, DocumentedEstimator):
    """Turn sequences into a table with one column for each feature and lag.

    The way from a :class:`SequenceWindower` to any other scikit-learn estimator, and so to a
    baseline that sees exactly what the LSTM sees.

    Attributes
    ----------
    n_steps_ : int
        Length of the longest sequence seen in `fit`: the number of lags.
    n_features_in_ : int
        Number of features of a step.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if the sequences have names.

    See Also
    --------
    SequenceWindower : Make the sequences out of a table.

    Notes
    -----
    A missing step, before the start of a shorter sequence, is NaN. Gradient boosting takes that
    as it is; other estimators need an imputer behind the flattener. Of longer sequences than
    those seen in `fit` the last `n_steps_` steps are kept. Sequences have no index, so that a
    DataFrame by ``set_output`` counts its rows from 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import SequenceFlattener, SequenceWindower
    >>> table = pd.DataFrame({"temp": [1.0, 2.0, 3.0]})
    >>> lags = make_pipeline(SequenceWindower(window_size=2), SequenceFlattener())
    >>> lags.set_output(transform="pandas").fit_transform(table)
       temp[t-1]  temp[t]
    0        NaN      1.0
    1        1.0      2.0
    2        2.0      3.0
    """

    def fit(self, X, y=None):
        """Remember the features and the length of the longest sequence.

        Parameters
        ----------
        X : Sequences, 3-D array, list of 2-D arrays, or table
            Sequences; a table is one of sequences of a single step.
        y : None
            Ignored.

        Returns
        -------
        SequenceFlattener
            The fitted flattener.
        """
        self.n_steps_ = as_sequences(self, X, reset=True).max_length
        return self

    def transform(self, X):
        """Copy the sequences into a table.

        Parameters
        ----------
        X : Sequences, 3-D array, list of 2-D arrays, or table
            Sequences of the features seen in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_steps_ * n_features_in_)
            All features of the first step, then of the second; a DataFrame if `set_output` says
            so.
        """
        check_is_fitted(self)
        dense = as_sequences(self, X, reset=False).to_dense(self.n_steps_)
        return dense.reshape(len(dense), -1)

    def get_feature_names_out(self, input_features=None):
        """Name the columns: feature and lag, ``t`` being the last step of the sequence.

        Parameters
        ----------
        input_features : array-like of str, shape (n_features_in_,), default=None
            Names of the features of a step. `None`: ``feature_names_in_``, or x0, x1, ...

        Returns
        -------
        ndarray of str, shape (n_steps_ * n_features_in_,)
            Names such as ``temp[t-2]``.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        lags = [f"[t-{lag}]" if lag else "[t]" for lag in range(self.n_steps_ - 1, -1, -1)]
        return np.array([f"{name}{lag}" for lag in lags for name in names], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
