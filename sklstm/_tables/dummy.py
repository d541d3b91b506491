"""SequenceDummyRegressor: naive forecasts, the baselines of every model."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted

from sklstm._data.checks import warn_of_other_rows
from sklstm._data.estimator import SequenceEstimator
from sklstm._data.inputs import as_sequences
from sklstm._data.samples import GivenSamples, read_samples
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import Interval, StrOptions

__all__ = ["SequenceDummyRegressor"]


class SequenceDummyRegressor(RegressorMixin, SequenceEstimator):
    """Naive, seasonal naive or mean forecast: the baselines that a model has to beat.

    It takes the place of the LSTM in a Pipeline, after the same :class:`SequenceWindower`. For
    labels, scikit-learn's :class:`~sklearn.dummy.DummyClassifier` takes `Sequences` as they are.

    Parameters
    ----------
    strategy : {"naive", "seasonal_naive", "mean"}, default="naive"
        ``"naive"`` predicts the last value of the history, ``"seasonal_naive"`` the value `period`
        steps before the predicted row, ``"mean"`` the weighted mean of the training targets.
    period : int, default=1
        Length of the season in rows, for ``"seasonal_naive"``.
    horizon : int, default=1
        The `horizon` of the windower, for ``"seasonal_naive"``: the number of rows from the end of
        a history to the row it belongs to.
    lagged_target : str or int, default="auto"
        The feature whose later value y is. ``"auto"``: for each target, the feature whose values,
        selected by the strategy, have the smallest squared error in training.

    Attributes
    ----------
    lagged_target_ : ndarray of int, shape (n_outputs,)
        Feature used for each target; not with ``"mean"``.
    mean_ : ndarray of float64, shape (n_outputs,)
        Mean of the training targets. It is predicted where a history is too short, or the value
        is NaN.
    n_features_in_ : int
        Number of features of a step.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names.

    See Also
    --------
    sklearn.dummy.DummyRegressor : Baselines that do not use X.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import SequenceDummyRegressor, SequenceWindower
    >>> table = pd.DataFrame({"rain": [9.0, 0.0, 9.0, 0.0], "temp": [1.0, 2.0, 4.0, 7.0]})
    >>> naive = make_pipeline(SequenceWindower(2, horizon=1), SequenceDummyRegressor())
    >>> naive.fit(table, table["temp"]).predict(table)
    array([3.5, 1. , 2. , 4. ])
    """

    _parameter_constraints: dict = {
        "strategy": [StrOptions({"naive", "seasonal_naive", "mean"})],
        "period": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "lagged_target": [str, Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        strategy: str = "naive",
        *,
        period: int = 1,
        horizon: int = 1,
        lagged_target: str | int = "auto",
    ):
        self.strategy = strategy
        self.period = period
        self.horizon = horizon
        self.lagged_target = lagged_target

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Find the feature of each target, and the mean.

        Only the mean is learned and, with ``lagged_target="auto"``, which column holds the past
        values of the target. Rows of weight 0 are ignored.

        Parameters
        ----------
        X : Sequences, 3-D array, list of 2-D arrays, or table
            Training sequences.
        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            Targets. NaN where the weight is 0.
        sample_weight : array-like of shape (n_sequences,), default=None
            Weights.

        Returns
        -------
        SequenceDummyRegressor
            The fitted baseline.

        Raises
        ------
        ValueError
            If `lagged_target` is not in X, `period` is shorter than `horizon`, or no sequence
            reaches a season back.

        See Also
        --------
        LSTMRegressor.fit : Takes the same X, y and weights.

        Examples
        --------
        The target is the second feature, one row later:

        >>> from sklstm import SequenceDummyRegressor, SequenceWindower
        >>> table = [[9.0, 1.0], [0.0, 2.0], [9.0, 3.0], [0.0, 4.0]]
        >>> windows = SequenceWindower(1, horizon=1).fit_transform(table)
        >>> SequenceDummyRegressor().fit(windows, [1.0, 2.0, 3.0, 4.0]).lagged_target_
        array([1])
        """
        self._validate_params()
        if self.strategy == "seasonal_naive" and self.period < self.horizon:
            raise ValueError(
                f"period={self.period} is shorter than horizon={self.horizon}: the value one "
                "season before is not yet observed. Use a multiple of the period that is at least "
                "the horizon."
            )
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        sequences = as_sequences(self, X, reset=True)
        warn_of_other_rows(X, y=y, sample_weight=sample_weight)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        samples = read_samples(sequences, y, sample_weight)
        y = check_array(
            samples.y, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name="y"
        )
        targets = y.reshape(len(y), -1)
        bad = ~np.isfinite(targets).all(axis=1)
        if bad.any():
            raise ValueError(
                f"Input y contains NaN or infinity: in row {samples.rows[bad.argmax()]} (counted "
                f"from 0) and {bad.sum() - 1} more. Drop such rows, or give them sample_weight 0."
            )
        self.mean_ = np.average(targets, axis=0, weights=samples.weight)
        self._n_dimensions = y.ndim
        self._back = 0
        if self.strategy != "mean":
            self._back = 1 if self.strategy == "naive" else self.period - self.horizon + 1
            self._refuse_short_histories(sequences)
            self.lagged_target_ = self._find_features(samples, targets)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict each sequence.

        Where the history is too short, or the value is NaN, the mean of the training targets is
        predicted.

        Parameters
        ----------
        X : Sequences, 3-D array, list of 2-D arrays, or table
            Sequences of the features seen in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,) or (n_sequences, n_outputs)
            Predictions.

        See Also
        --------
        LSTMRegressor.predict : Predictions of the model to compare with.
        backtest : Naive forecasts beside those of a model, from many forecast origins.

        Examples
        --------
        >>> from sklstm import SequenceDummyRegressor
        >>> histories = [[[1.0], [2.0]], [[2.0], [4.0]]]
        >>> naive = SequenceDummyRegressor().fit(histories, [3.0, 5.0])
        >>> naive.predict(histories)
        array([2., 4.])
        """
        check_is_fitted(self)
        sequences = as_sequences(self, X, reset=False)
        predicted = np.tile(self.mean_, (len(sequences), 1))
        if self._back:
            values = self._values(sequences)[:, self.lagged_target_]
            np.copyto(predicted, values, where=np.isfinite(values))
        return predicted[:, 0] if self._n_dimensions == 1 else predicted

    def _refuse_short_histories(self, sequences: Sequences) -> None:
        longest = sequences.lengths.max(initial=0)
        if longest < self._back and self.strategy == "seasonal_naive":
            raise ValueError(
                f"period={self.period} with horizon={self.horizon} reads {self._back} steps back, "
                f"and the longest sequence has {longest} steps: all predictions would be the mean. "
                f"Choose a window_size of at least {self._back}, or strategy='mean'."
            )

    def _values(self, sequences: Sequences) -> np.ndarray:
        """The values that the strategy selects from each sequence, NaN before its first step."""
        values = np.full((len(sequences), sequences.n_features), np.nan)
        reaching = sequences.lengths >= self._back
        values[reaching] = sequences.values[sequences.ends[reaching] - self._back]
        return values

    def _find_features(self, samples: GivenSamples, targets: np.ndarray) -> np.ndarray:
        sequences = samples.sequences
        names = sequences.feature_names
        feature_names = list(range(sequences.n_features) if names is None else names)
        if self.lagged_target == "auto" and "auto" not in feature_names:
            errors = (self._values(sequences)[:, :, None] - targets[:, None]) ** 2
            is_known = np.isfinite(errors)
            weights = samples.weight[:, None, None] * is_known
            sums = (weights * np.where(is_known, errors, 0)).sum(axis=0)
            with np.errstate(invalid="ignore"):
                means = sums / weights.sum(axis=0)
            return np.where(np.isnan(means), np.inf, means).argmin(axis=0)
        if self.lagged_target in feature_names:
            feature = feature_names.index(self.lagged_target)
        elif isinstance(self.lagged_target, Integral) and self.lagged_target < sequences.n_features:
            feature = self.lagged_target
        else:
            raise ValueError(
                f"lagged_target={self.lagged_target!r} is no feature of X: {feature_names}."
            )
        return np.full(targets.shape[1], feature)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True
        return tags
