"""Scores over all labelled steps, by the metrics and scorers of scikit-learn."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import get_scorer

from sklstm._data.checks import check_target_names, final_estimator, warn_of_other_rows
from sklstm._data.sklearn_private import _BaseScorer, _cached_call, _check_response_method, _Scorer
from sklstm._data.step_probabilities import StepProbabilities, StepProbabilitiesList
from sklstm._data.steps import has_no_label, has_no_number, score_rows, score_steps

__all__ = ["StepScorer", "masked_scoring"]


def masked_scoring(metric: str | Callable) -> Callable:
    """Make a metric or scorer that leaves out missing labels, at every step or row by row.

    Metrics of scikit-learn accept flat arrays without missing values. This adapts them to labels at
    every step, sequences of different lengths, and missing labels.

    Parameters
    ----------
    metric : str or callable
        Name of a scorer of scikit-learn, such as ``"roc_auc"``; a scorer from
        :func:`sklearn.metrics.make_scorer`; or a metric ``metric(y_true, y_pred, **params)``, such
        as those of :mod:`sklearn.metrics`.

    Returns
    -------
    callable
        The same over all labelled steps of all sequences, or all labelled rows: for a name or
        scorer a scorer ``scorer(estimator, X, y, sample_weight=None)``, the ``scoring`` of searches
        and cross-validations; for a metric a metric.

    Raises
    ------
    ValueError
        If scikit-learn has no scorer of the name.

    See Also
    --------
    LSTMClassifier.score : Leaves out steps without a label.
    sklearn.metrics.get_scorer_names : The names.

    Notes
    -----
    Metrics of probabilities need the scorer: it takes the column of the positive class as
    scikit-learn does, of the flat table of all labelled steps. For metrics of what `predict`
    returns ``make_scorer(masked_scoring(metric))`` is enough, for one target.

    A metric reads a table as a row for each sequence and a column for each step. If columns are
    targets, give `multioutput`, such as ``multioutput="uniform_average"``, or use the scorer, which
    asks the model.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklstm import LSTMClassifier, masked_scoring
    >>> X = np.random.default_rng(0).normal(size=(30, 5, 1))
    >>> y = (X[..., 0] > 0).astype(int)
    >>> tagger = LSTMClassifier(4, pooling=None, max_epochs=5, random_state=0)
    >>> cross_val_score(tagger, X, y, cv=3, scoring=masked_scoring("roc_auc")).shape
    (3,)

    A metric stays a metric:

    >>> from sklearn.metrics import f1_score
    >>> masked_scoring(f1_score)([[0, 1, -1], [1, 1, 0]], [[0, 1, 0], [1, 1, 1]])
    0.857...

    Rows whose target is missing, which `fit` takes with weight 0:

    >>> from sklearn.metrics import mean_absolute_error
    >>> masked_scoring(mean_absolute_error)([1.0, float("nan"), 3.0], [1.5, 2.0, 2.5])
    0.5
    """
    scorer = get_scorer(metric) if isinstance(metric, str) else metric
    if not isinstance(scorer, _BaseScorer):
        return partial(score_steps, scorer)
    return StepScorer(scorer._score_func, scorer._sign, scorer._kwargs, scorer._response_method)


class StepScorer(_Scorer):
    """A scorer of scikit-learn that gets all labelled steps, one after another.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, y_pred, **kwargs)`` of flat arrays.
    sign : {1, -1}
        -1 for a loss.
    kwargs : dict
        More arguments of `score_func`.
    response_method : str or sequence of str
        Method of the estimator; the first one that it has of several.
    """

    def __repr__(self) -> str:
        return f"masked_scoring({super().__repr__()})"

    def _score(
        self, method_caller: Callable, estimator: Any, X: Any, y_true: Any, **kwargs: Any
    ) -> float:
        method = _check_response_method(estimator, self._response_method)
        score = super()._score

        def score_flat(y: np.ndarray, predicted: np.ndarray, **weights: Any) -> float:
            predictor = _Predicted(estimator, method.__name__, predicted)
            return score(partial(_cached_call, None), predictor, X, y, **kwargs, **weights)

        weight, predicted = kwargs.pop("sample_weight", None), method(X)
        warn_of_other_rows(X, y=y_true, sample_weight=weight)
        check_target_names(y_true, estimator)
        if not _of_steps(estimator, method.__name__, predicted):
            return score_rows(score_flat, y_true, predicted, weight)
        left_out = has_no_number if is_regressor(estimator) else has_no_label
        return score_steps(score_flat, y_true, predicted, weight, is_unlabelled=left_out)


def _of_steps(estimator: Any, method: str, predicted: Any) -> bool:
    """Whether there is a prediction at every step, or one for each row."""
    fitted = getattr(final_estimator(estimator), "_fitted", None)
    if fitted is not None:
        return fitted.per_step
    if method != "predict":
        return isinstance(predicted, StepProbabilities | StepProbabilitiesList)
    has_table = np.ndim(getattr(estimator, "classes_", ())) == 2
    return np.ndim(predicted[0]) > has_table


class _Predicted:
    """An estimator with a prediction that is computed already."""

    def __init__(self, estimator: Any, method: str, prediction: np.ndarray):
        def predict(X: Any) -> np.ndarray:
            return prediction

        predict.__name__ = method
        self._estimator = estimator
        setattr(self, method, predict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)
