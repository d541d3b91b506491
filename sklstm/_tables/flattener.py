"""SequenceFlattener: sequences to a table of lags."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklstm._data.estimator import SequenceEstimator
from sklstm._data.inputs import as_sequences
from sklstm._data.sklearn_private import _check_feature_names_in, _get_output_config
from sklstm._tables.lag_columns import LagColumns
from sklstm._tables.sequence_transformer import check_output

__all__ = ["SequenceFlattener"]


class SequenceFlattener(TransformerMixin, SequenceEstimator):
    """Turn sequences into a table with one column for each feature and lag.

    It connects a :class:`SequenceWindower` to any other scikit-learn estimator, and so gives
    baselines the same lookback window as the LSTM.

    Attributes
    ----------
    n_steps_ : int
        Length of the longest sequence seen in `fit`: the number of lags.
    n_features_in_ : int
        Number of features of a step.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the sequences have names.

    See Also
    --------
    SequenceWindower : Make sequences from a table.

    Notes
    -----
    A category becomes a column of 0 and 1 for each value, all 0 where it is unknown. One that never
    changes within a sequence of `fit`, such as the kind of a shop, is there once, not at each lag.

    Steps before the first one of a shorter sequence are NaN. Histogram gradient boosting accepts
    NaN; other estimators need an imputer (``SimpleImputer``) after the flattener. Of sequences
    longer than those seen in `fit`, the last `n_steps_` steps are kept. A DataFrame, requested by
    ``set_output``, has the index of the rows that the sequences were made from, so that it aligns
    with other columns.

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

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the features and the length of the longest sequence.

        That length is the number of lags, so fit on histories of full length.

        Parameters
        ----------
        X : Sequences, 3-D array, list of 2-D arrays, or table
            Sequences; each row of a table is a sequence of a single step.
        y : None
            Ignored.

        Returns
        -------
        SequenceFlattener
            The fitted flattener.

        See Also
        --------
        SequenceWindower : Its `window_size` is the length of the longest history.

        Examples
        --------
        >>> from sklstm import SequenceFlattener, SequenceWindower
        >>> windows = SequenceWindower(window_size=24).fit_transform([[0.0]] * 100)
        >>> SequenceFlattener().fit(windows).n_steps_
        24
        """
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        sequences = as_sequences(self, X, reset=True)
        self.n_steps_ = sequences.max_length
        self._columns = LagColumns.learn(sequences)._asdict()
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> Any:
        """Copy the sequences into a table.

        This copies the windows: the table has a value for each row, lag and feature. For long
        windows of many features, consider an estimator that takes `Sequences`.

        Parameters
        ----------
        X : Sequences, 3-D array, list of 2-D arrays, or table
            Sequences of the features seen in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, `n_steps_ * n_features_in_`)
            All features of the first step, then of the second, and so on, and at the end those that
            are the same at every step; a DataFrame if `set_output` asks for one. A category has a
            column for each value.

        See Also
        --------
        LagSequencer : The inverse: a table of lags to sequences.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import SequenceFlattener
        >>> sequences = [np.array([[1.0, 10.0], [2.0, 20.0]]), np.array([[3.0, 30.0]])]
        >>> SequenceFlattener().fit_transform(sequences)
        array([[ 1., 10.,  2., 20.],
               [nan, nan,  3., 30.]])
        """
        check_is_fitted(self)
        sequences = as_sequences(self, X, reset=False)
        table = LagColumns(**self._columns).table(sequences.to_dense(self.n_steps_))
        if sequences.index is None or _get_output_config("transform", self)["dense"] != "pandas":
            return table
        return pd.DataFrame(table, index=sequences.index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns by feature and lag; ``t`` is the last step of the sequence.

        These names identify the coefficients and importances of an estimator after the flattener.
        After a windower with a horizon, ``t`` is the last row of the history, which is earlier than
        the predicted row.

        Parameters
        ----------
        input_features : array-like of str, shape (`n_features_in_`,), default=None
            Names of the features of a step. `None`: ``feature_names_in_``, or x0, x1, ...

        Returns
        -------
        ndarray of str, shape (`n_steps_ * n_features_in_`,)
            Names such as ``temp[t-2]``, and ``wind=NW[t-2]`` of a category.

        See Also
        --------
        sklstm.inspection.history_importance : Importance of each feature at each lag, of any model.

        Examples
        --------
        >>> from sklstm import SequenceFlattener
        >>> flattener = SequenceFlattener().fit([[[1.0], [2.0]]])
        >>> flattener.get_feature_names_out(["temp"])
        array(['temp[t-1]', 'temp[t]'], dtype=object)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return LagColumns(**self._columns).names(names, self.n_steps_)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the output container of `transform` and `fit_transform`.

        A DataFrame keeps the names of the columns for the next pipeline steps.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            ``"default"`` is an array; `None` leaves the configuration unchanged.

        Returns
        -------
        SequenceFlattener
            This flattener.

        Raises
        ------
        ValueError
            If `transform` is none of these.

        See Also
        --------
        get_feature_names_out : The names of the columns.

        Examples
        --------
        >>> from sklstm import SequenceFlattener
        >>> flattener = SequenceFlattener().set_output(transform="pandas")
        >>> flattener.fit_transform([[[1.0], [2.0]]]).columns.tolist()
        ['x0[t-1]', 'x0[t]']
        """
        check_output(transform)
        return super().set_output(transform=transform)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
