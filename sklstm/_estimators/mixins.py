"""Methods of fitted estimators: numbers and their quantiles, labels and their probabilities."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._data.step_probabilities import as_step_probabilities
from sklstm._estimators.base import BaseLSTM
from sklstm._nn.head_kinds import regression_head_of

__all__ = ["ClassifierMethods", "RegressorMethods"]


def _predicts_distribution(regressor: Any) -> bool:
    if hasattr(regressor, "_fitted"):
        return hasattr(regressor._fitted.head, "predict_quantiles")
    return hasattr(regression_head_of(regressor.loss), "predict_quantiles")


class RegressorMethods(RegressorMixin, BaseLSTM):
    """Numbers, their standard deviations and quantiles, and how good they are."""

    @property
    def target_mean_(self) -> np.ndarray:
        """What is subtracted from each column of y.

        The mean of the targets; with an init that of its residuals, near 0; 0 if not
        `standardize`. Predictions are in the units of y. Of shape (`n_outputs_`,).

        See Also
        --------
        target_scale_ : What the rest is divided by.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> model = LSTMRegressor(2, init=None, max_epochs=1)
        >>> model.fit([[[1.0]], [[3.0]]], [10.0, 20.0]).target_mean_
        array([15.])
        """
        return self._fitted.head.mean  # type: ignore[attr-defined]

    @property
    def target_scale_(self) -> np.ndarray:
        """What each column of y is divided by.

        The standard deviation of the targets; with an init that of its residuals; 1 if not
        `standardize`. It is the unit of the losses in `history_`, its square that of the squared
        error. Of shape (`n_outputs_`,).

        See Also
        --------
        target_mean_ : What is subtracted before.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> model = LSTMRegressor(2, init=None, max_epochs=1)
        >>> model.fit([[[1.0]], [[3.0]]], [10.0, 20.0]).target_scale_
        array([5.])
        """
        return self._fitted.head.scale  # type: ignore[attr-defined]

    def predict(
        self, X: Any, return_std: bool = False
    ) -> np.ndarray | list[np.ndarray] | tuple[Any, Any]:
        """Predict the targets.

        Each history is computed by itself, from its first step to its last, in batches: no
        prediction depends on the other rows of X.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences. One without a step is predicted, too, though without any input.
        return_std : bool, default=False
            Whether to return the standard deviation of the target, too. Needs a loss of a
            distribution: ``"gaussian"``, ``"student_t"``, ``"poisson"``, ``"negative_binomial"``.

        Returns
        -------
        prediction : ndarray of float64, shape (n_samples,) or (n_samples, n_outputs)
            Predictions in the units of `y`, one for each row of X, in the same order. With
            ``pooling=None`` one for each step: an array if all sequences are of one length, else
            a list of arrays.
        std : ndarray, as `prediction`
            Only with `return_std`.

        Raises
        ------
        ValueError
            If a step that a sequence uses is not finite, or the features are not those of `fit`.

        See Also
        --------
        SequenceForecaster.predict : Future rows, on their timestamps.
        predict_quantiles : Quantiles of the target.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> X = [[[0.0], [1.0]], [[2.0]], [[3.0], [4.0], [5.0]]]
        >>> model = LSTMRegressor(2, loss="gaussian", max_epochs=1, random_state=0)
        >>> prediction, std = model.fit(X, [1.0, 2.0, 5.0]).predict(X, return_std=True)
        >>> prediction.shape, bool((std > 0).all())
        ((3,), True)
        """
        return self._predict_with_std(X) if return_std else self._predict(X, "predict")

    @available_if(_predicts_distribution)
    def predict_quantiles(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Predict the `quantiles` of the target.

        An actual value lies below one with the probability that is its level; quantiles of counts
        are whole numbers, which an actual value exceeds at most so often. Needs
        ``loss="quantile"``, or a loss as for ``return_std``; with another there is no such method.
        The probabilities hold on rows like those of training: check the coverage on new ones.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles)
            As from `predict`, with an axis behind, along which values increase.

        See Also
        --------
        SequenceForecaster.predict_interval : Prediction intervals, calibrated on later rows.
        sklearn.metrics.mean_pinball_loss : The score of a quantile.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> X = [[[0.0], [1.0]], [[2.0]], [[3.0], [4.0], [5.0]]]
        >>> model = LSTMRegressor(2, loss="quantile", quantiles=(0.1, 0.9), max_epochs=1)
        >>> model.fit(X, [1.0, 2.0, 5.0]).predict_quantiles(X).shape
        (3, 2)
        """
        return self._predict(X, "predict_quantiles")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the coefficient of determination R².

        For comparisons of models on the same rows, which should be later than those of `fit` if
        rows are in time order. R² of a slow series is high for any forecast: compare with that of
        the naive one, too.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.
        y : array-like, as in `fit`
            Targets. With one for each step, steps without a target are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            1 for perfect predictions, 0 for those no better than the mean of `y`.

        See Also
        --------
        SequenceDummyRegressor : The naive forecast and other baselines, as an estimator.
        sklearn.metrics.r2_score : R² of predictions that are there.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> X, y = [[[0.0]], [[1.0]], [[2.0]], [[3.0]]], [0.0, 2.0, 4.0, 6.0]
        >>> LSTMRegressor(2, init="linear", max_epochs=1).fit(X, y).score(X, y) > 0.9
        True
        """
        return self._score(r2_score, X, y, sample_weight)

    def _predict_with_std(self, X: Any) -> Any:
        check_is_fitted(self)
        if not hasattr(self._fitted.head, "predict_std"):
            raise ValueError(
                "return_std needs a network that was fitted with loss='gaussian', 'student_t', "
                "'poisson' or 'negative_binomial'."
            )
        return self._predict(X, "predict", "predict_std")


class ClassifierMethods(ClassifierMixin, BaseLSTM):
    """Labels, their probabilities, and their accuracy."""

    @property
    def classes_(self) -> np.ndarray:
        """The labels, in the order of the probabilities.

        Sorted, of the type of y. Multilabel: of shape (n_labels, 2), for each column of y its two
        values.

        See Also
        --------
        predict_proba : The columns of its table are these.

        Examples
        --------
        >>> from sklstm import LSTMClassifier
        >>> LSTMClassifier(2, max_epochs=1).fit([[[1.0]], [[3.0]]], ["wet", "dry"]).classes_
        array(['dry', 'wet'], dtype='<U3')
        """
        return self._fitted.head.public_classes  # type: ignore[attr-defined]

    def predict(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Predict the labels.

        The most probable label of each sequence, or all whose probability is above a half if a
        sample may have several. Where mistakes cost differently, decide by `predict_proba`.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels as `y` had them, one for each row of X, in the same order. With
            ``pooling=None`` one for each step: an array if all sequences are of one length, else
            a list of arrays.

        See Also
        --------
        sklearn.model_selection.TunedThresholdClassifierCV : Choose the threshold by a score.

        Examples
        --------
        A label at every step:

        >>> from sklstm import LSTMClassifier
        >>> X, y = [[[1.0], [2.0]], [[3.0]]], [["low", "low"], ["high"]]
        >>> labels = LSTMClassifier(2, pooling=None, max_epochs=1).fit(X, y).predict(X)
        >>> [len(sequence) for sequence in labels]
        [2, 1]
        """
        return self._predict(X, "predict")

    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Predict the probability of each label.

        The softmax of the network's outputs, or for multilabel targets the sigmoid of each. They
        are not calibrated further; `class_weight` changes them.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``; they sum to 1 unless a sample may have
            several labels. With ``pooling=None`` ``(n_samples, n_steps, n_classes)``, or a list;
            of either ``[..., k]`` is class ``k``, and ``[:, k]`` is refused: it would be step
            ``k``, where scikit-learn's scorers look for a class.

        See Also
        --------
        sklearn.calibration.CalibratedClassifierCV : Calibrate probabilities on other rows.
        masked_scoring : Score probabilities where there is a label at every step.

        Examples
        --------
        >>> from sklstm import LSTMClassifier
        >>> X, y = [[[1.0], [2.0]], [[3.0]], [[4.0]]], ["a", "b", "c"]
        >>> LSTMClassifier(2, max_epochs=1).fit(X, y).predict_proba(X).sum(axis=1)
        array([1., 1., 1.])
        """
        return self._marked(self._predict(X, "predict_proba"))

    def predict_log_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Predict the logarithm of the probability of each label.

        For products of many probabilities, such as that of a whole sequence of labels, which would
        underflow to 0.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes)
            Natural logarithms of `predict_proba`, without its rounding near 0.

        See Also
        --------
        predict_proba : The probabilities, and what they mean.

        Examples
        --------
        >>> from sklstm import LSTMClassifier
        >>> X, y = [[[1.0], [2.0]], [[3.0]], [[4.0]]], ["a", "b", "c"]
        >>> LSTMClassifier(2, max_epochs=1).fit(X, y).predict_log_proba(X).max() < 0
        np.True_
        """
        return self._marked(self._predict(X, "predict_log_proba"))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy: the share of samples whose labels are all right.

        Compare it with the share of the most frequent label, the accuracy of a dummy classifier.
        Where labels are rare, use another metric.

        Parameters
        ----------
        X : same kinds as in `fit`
            Sequences.
        y : array-like, as in `fit`
            Labels. With one for each step, steps without a label are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            If `y` is a table of several labels that holds other values than that of `fit`.

        See Also
        --------
        sklearn.dummy.DummyClassifier : The simplest baseline; it takes `Sequences` as they are.
        masked_scoring : Other metrics, where there is a label at every step.

        Examples
        --------
        >>> from sklstm import LSTMClassifier
        >>> X, y = [[[-1.0]], [[-2.0]], [[1.0]], [[2.0]]], ["below", "below", "above", "above"]
        >>> model = LSTMClassifier(4, lr=0.1, max_epochs=10, random_state=0)
        >>> model.fit(X, y).score(X, y)
        1.0
        """
        check_is_fitted(self)
        head: Any = self._fitted.head
        return self._score(head.accuracy, X, y, sample_weight)

    def _marked(self, probabilities: Any) -> Any:
        return as_step_probabilities(probabilities) if self._fitted.per_step else probabilities
