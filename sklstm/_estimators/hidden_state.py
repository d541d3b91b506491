"""The hidden state of the network as features for other estimators."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklstm._data.sklearn_private import _get_output_config
from sklstm._estimators.fitted_attributes import FittedAttributes

__all__ = ["HiddenState"]


class HiddenState(ClassNamePrefixFeaturesOutMixin, TransformerMixin, FittedAttributes):
    """The transformer of an estimator: each sequence as a row of numbers."""

    def transform(self, X: Any) -> np.ndarray | pd.DataFrame:
        """Compute the hidden state of the network for each sequence.

        Features for other estimators, such as a clustering or nearest neighbours: what the linear
        head reads, the pooled outputs of the recurrent layers. With an init they say what it leaves
        over. With `n_networks` those of all networks, one after the other.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_units)
            `hidden_size` for each direction and network. A DataFrame, with the index of the rows
            that the sequences were made from, if `set_output` asks for one.

        Raises
        ------
        ValueError
            If ``pooling=None``, or as in `predict`.

        See Also
        --------
        get_feature_names_out : Names of the columns.
        predict : The predictions.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> X = [[[0.0], [1.0]], [[2.0]], [[3.0], [4.0], [5.0]]]
        >>> LSTMRegressor(2, max_epochs=1).fit(X, [1.0, 2.0, 5.0]).transform(X).shape
        (3, 4)
        """
        check_is_fitted(self)
        if self._fitted.per_step:
            raise ValueError(
                "transform makes one row of each sequence, and with pooling=None the network has "
                "none: use pooling='mean' or another."
            )
        sequences = self._to_predict(X)
        table = self._fitted.hidden_state(sequences)
        if sequences.index is None or _get_output_config("transform", self)["dense"] != "pandas":
            return table
        return pd.DataFrame(table, index=sequences.index)

    @property
    def _n_features_out(self) -> int:
        """Number of columns of `transform`."""
        net = self._fitted.net
        return net.width * net.n_networks
