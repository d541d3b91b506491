"""LagSequencer: a table of lags becomes sequences."""

from typing import Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklstm._data.arrays import plain
from sklstm._data.estimator import SequenceEstimator
from sklstm._data.inputs import FLOATS
from sklstm._data.sequences import Sequences

__all__ = ["LagSequencer"]


class LagSequencer(TransformerMixin, SequenceEstimator):
    """Turn a table with a column for each lag into sequences of one feature.

    For tables that other libraries made, which pass one row a prediction and one value a lag to a
    scikit-learn regressor. Anything else starts with a :class:`SequenceWindower`.

    Parameters
    ----------
    newest : {"last", "first"}, default="last"
        The column of the newest value. sktime and Darts put it last; skforecast, whose columns are
        ``lag_1``, ``lag_2`` and so on, puts it first.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns, the steps of a sequence.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are texts.

    See Also
    --------
    SequenceFlattener : The way back.

    Notes
    -----
    Steps of NaN before the first value of a row are left out, so that a row may be a shorter
    history. Columns that are no lags, such as those of a calendar, would be read as lags: leave
    them out.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LagSequencer, LSTMRegressor
    >>> lags = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [3.0, 4.0, 5.0]]
    >>> LagSequencer().fit_transform(lags)
    Sequences: 3 independent sequences of 3 steps, 1 features, float64
    >>> model = make_pipeline(LagSequencer(newest="first"), LSTMRegressor(max_epochs=1))
    """

    _parameter_constraints = {"newest": [StrOptions({"last", "first"})]}

    def __init__(self, newest: str = "last"):
        self.newest = newest

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the columns.

        There is nothing to learn; `transform` then refuses a table with other columns.

        Parameters
        ----------
        X : table of shape (n_sequences, n_steps)
            The lags.
        y : None
            Ignored.

        Returns
        -------
        LagSequencer
            The fitted transformer.

        See Also
        --------
        SequenceWindower : For tables whose columns are no lags.

        Examples
        --------
        >>> from sklstm import LagSequencer
        >>> LagSequencer().fit([[1.0, 2.0, 3.0]]).n_features_in_
        3
        """
        self._validate_params()
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._read(X, reset=True)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> Sequences:
        """Read each row as a sequence.

        Values missing before the first known one are left out; those behind it stay NaN, which is
        for a network with ``missing="mask"``.

        Parameters
        ----------
        X : table of shape (n_sequences, n_steps)
            The lags seen in `fit`.

        Returns
        -------
        Sequences
            One sequence for each row, oldest step first.

        See Also
        --------
        SequenceFlattener.transform : The way back.

        Examples
        --------
        >>> from sklstm import LagSequencer
        >>> lags = [[3.0, 2.0, 1.0], [2.0, 1.0, float("nan")]]
        >>> sequences = LagSequencer(newest="first").fit_transform(lags)
        >>> sequences[0].ravel(), sequences[1].ravel()
        (array([1., 2., 3.]), array([1., 2.]))
        """
        check_is_fitted(self)
        lags = self._read(X, reset=False)
        if self.newest == "first":
            lags = lags[:, ::-1]
        missing = np.isnan(lags).cumprod(axis=1).sum(axis=1)  # before the first value
        n_rows, n_steps = lags.shape
        starts = np.arange(n_rows) * n_steps + missing
        return Sequences(lags.reshape(-1, 1), starts, n_steps - missing)

    def _read(self, X: Any, *, reset: bool) -> np.ndarray:
        return validate_data(
            self, plain(X), dtype=FLOATS, ensure_all_finite="allow-nan", reset=reset
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
