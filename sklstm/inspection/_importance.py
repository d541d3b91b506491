"""Permutation importance of histories: of each feature at each lag."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from sklstm._data.arrays import plain
from sklstm._data.checks import check_target_names, warn_of_other_rows
from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import (
    Interval,
    _check_sample_weight,
    _safe_indexing,
    validate_parameter_constraints,
)
from sklstm._tables.tokens import TokenSequencer
from sklstm.inspection._histories import lags_of, name_lags, names_of, sequences_of

__all__ = ["PARAMETER_CONSTRAINTS", "history_importance"]

PARAMETER_CONSTRAINTS = {
    "scoring": [str, callable, None],
    "n_repeats": [Interval(Integral, 1, None, closed="left")],
    "n_groups": [Interval(Integral, 1, None, closed="left"), None],
    "max_samples": [Interval(Integral, 1, None, closed="left"), None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def history_importance(
    model: BaseEstimator,
    X: ArrayLike | pd.DataFrame | Sequences,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    scoring: str | Callable[..., float] | None = None,
    n_repeats: int = 5,
    n_groups: int | None = 24,
    max_samples: int | None = 1000,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Bunch:
    """Permutation importance of histories: how much the score drops without a feature at a lag.

    It shows which features, and how far back, this model uses, not what another model could use.
    It works with any model that reads histories, on any rows with their targets.

    Parameters
    ----------
    model : estimator
        Fitted Pipeline in which a `SequenceWindower` is a step, on a table; or a model that
        takes sequences; or a search of these, whose best estimator is taken. Any model may read
        the sequences, such as a `SequenceFlattener` and gradient boosting.
    X : DataFrame, array-like of shape (n_rows, n_columns), or sequences
        Rows to score on, better not those of `fit`.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights in the score. A row of weight 0 is only part of histories.
    scoring : str or callable, default=None
        Score, as in scikit-learn. `None`: for a search the one by which it has chosen, else the
        `score` of the model, R² or accuracy.
    n_repeats : int, default=5
        How often each feature is permuted at each lag.
    n_groups : int or None, default=24
        Longer histories are divided into so many groups of neighbouring lags, which are permuted
        together. 1: a number for each feature, fastest. `None`: each lag by itself.
    max_samples : int or None, default=1000
        Most rows to score on, drawn at random if there are more. `None`: all.
    random_state : int, RandomState instance or None, default=None
        Seeds the choice of rows and the permutations.
    verbose : int, default=0
        1 shows a bar over the predictions.

    Returns
    -------
    Bunch
        With the attributes

        importances : ndarray of shape (n_groups, n_features, n_repeats)
            Drop of the score: that of the histories as they are, minus that of permuted ones.
        importances_mean : ndarray of shape (n_groups, n_features)
            Mean over the repeats.
        importances_std : ndarray of shape (n_groups, n_features)
            Standard deviation over the repeats.
        lags : list of str, length n_groups
            Names of the groups, the oldest first. ``t-2`` is two rows before the predicted one,
            with `horizon=2` the last step of the history; behind a `LagSequencer` the lag that the
            name of the column has; without either ``t`` is the last step.
        feature_names : list of str, length n_features
            Names of the features.
        unit : str
            Label of the numbers, such as "drop in R²".

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If a parameter is not valid, the model reads tokens, X is a table and the model cannot make
        sequences of it, or a search has no single metric.

    See Also
    --------
    sklstm.plotting.HistoryImportanceDisplay : The same as a picture.
    sklearn.inspection.permutation_importance : Importance of whole columns of a table.

    Notes
    -----
    For each feature and lag the values at that lag are permuted among all sequences that reach
    back so far. Nothing else changes, not even the same row in other histories. Of correlated
    values, such as the temperatures of two days in a row, or the highest and the lowest one of a
    day, each has little importance.

    There are ``n_groups * n_features * n_repeats`` predictions of `max_samples` sequences.

    References
    ----------
    .. [1] Breiman, "Random Forests", Machine Learning 45(1), 2001.

    Examples
    --------
    The target is the second feature of two steps before:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, SequenceWindower
    >>> from sklstm.inspection import history_importance
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> y = np.roll(X[:, 1], 2)
    >>> model = make_pipeline(
    ...     SequenceWindower(window_size=3, horizon=1),
    ...     LSTMRegressor(hidden_size=8, lr=0.03, max_epochs=20, random_state=0),
    ... )
    >>> model = model.fit(X, y)
    >>> result = history_importance(model, X, y, random_state=0)
    >>> pd.DataFrame(result.importances_mean, result.lags, result.feature_names).round(0).abs()
          x0   x1
    t-3  0.0  0.0
    t-2  0.0  2.0
    t-1  0.0  0.0

    One group of all lags shows the importance of features, in a third of the time:

    >>> result = history_importance(model, X, y, n_groups=1, random_state=0)
    >>> result.lags, np.abs(result.importances_mean).round(1)
    (['t-3 to t-1'], array([[0., 2.]]))
    """
    validate_parameter_constraints(PARAMETER_CONSTRAINTS, locals(), "history_importance")
    check_is_fitted(model)
    scoring = _scoring_of(model) if scoring is None else scoring
    model = getattr(model, "best_estimator_", model)
    random = check_random_state(random_state)
    _refuse_tokens(model, X)
    warn_of_other_rows(X, y=y, sample_weight=sample_weight)
    sequences, reader = sequences_of(model, X)
    check_target_names(y, model)
    sequences, y, weights = _draw_samples(sequences, y, sample_weight, max_samples, random)
    groups = _group_lags(sequences.max_length, n_groups)
    scorer = check_scoring(reader, scoring=scoring)
    n_scores = 1 + n_repeats * len(groups) * sequences.n_features
    with _progress_bar(n_scores, verbose) as bar:

        def score(permuted: Sequences) -> float:
            bar.update()
            return scorer(reader, permuted, y, **weights)

        drops = _score_drops(score, sequences, groups, n_repeats, random)
    lags = lags_of(model, sequences.max_length)
    return Bunch(
        importances=drops,
        importances_mean=drops.mean(axis=-1),
        importances_std=drops.std(axis=-1),
        lags=[name_lags(lags[group]) for group in groups],
        feature_names=names_of(sequences),
        unit=_unit(reader, scoring),
    )


def _progress_bar(n_scores: int, verbose: Any) -> tqdm:
    if not verbose:
        return tqdm(disable=True)
    from tqdm.auto import tqdm as bar  # here, as it warns in a notebook without widgets

    return bar(total=n_scores, desc="importance", unit="score")


def _scoring_of(model: BaseEstimator) -> str | Callable[..., float] | None:
    """The metric by which a search has chosen; None if that is the `score` of the model."""
    if not hasattr(model, "best_estimator_"):
        return None
    scoring = getattr(model, "scoring", None)
    if not getattr(model, "multimetric_", False):
        return scoring
    metric = model.refit
    if callable(metric):
        raise ValueError(
            f"{type(model).__name__} has several metrics, and its refit is a function, so that "
            "none is the one that counts: give scoring=, such as 'r2'."
        )
    if not callable(scoring):
        return scoring[metric] if isinstance(scoring, dict) else metric

    def one_metric(*args: Any, **kwargs: Any) -> float:
        return scoring(*args, **kwargs)[metric]

    one_metric.__name__ = metric
    return one_metric


def _refuse_tokens(model: BaseEstimator, X: Any) -> None:
    """Refuse tokens, and name another way to find important words."""
    parts = [model, *model.get_params().values()] if hasattr(model, "get_params") else [model]
    reads_tokens = any(getattr(part, "embedding", None) is not None for part in parts)
    names = X.feature_names if isinstance(X, Sequences) else None
    if (
        reads_tokens
        or any(isinstance(part, TokenSequencer) for part in parts)
        or (names is not None and "token" in names)
    ):
        raise ValueError(
            "history_importance permutes the values of features at a lag, and tokens have none: a "
            "text with single words of other texts is no text. To see which words are important, "
            "compare the predictions for a text with a word and without it, such as "
            "model.predict_proba([text, text.replace(word, '')])."
        )


def _draw_samples(
    sequences: Sequences,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    max_samples: int | None,
    random: np.random.RandomState,
) -> tuple[Sequences, ArrayLike, dict[str, np.ndarray]]:
    """Some of the sequences, copied so that they share no step, their targets and weights."""
    y, sample_weight = plain(y), plain(sample_weight)
    check_consistent_length(sequences, y, sample_weight)
    rows = np.arange(len(sequences))
    weights = None
    if sample_weight is not None:
        weights = _check_sample_weight(sample_weight, rows, ensure_non_negative=True)
        rows = np.flatnonzero(weights)
    if max_samples is not None and len(rows) > max_samples:
        rows = np.sort(random.choice(rows, max_samples, replace=False))
    lengths = sequences.lengths[rows]
    unshared = Sequences(
        sequences.values[ranges(sequences.starts[rows], lengths)],
        np.cumsum(lengths) - lengths,
        lengths,
        feature_names=sequences.feature_names,
        vocabulary=sequences.vocabulary,
        categories=sequences.categories,
    )
    keywords = {} if weights is None else {"sample_weight": weights[rows]}
    return unshared, _safe_indexing(y, rows), keywords


def _group_lags(n_lags: int, n_groups: int | None) -> list[np.ndarray]:
    """Lags, the oldest first, in groups of neighbours.

    Parameters
    ----------
    n_lags : int
        Length of the longest sequence.
    n_groups : int or None
        Most groups; `None`: each lag is one.

    Returns
    -------
    list of ndarray of int
        Lags, counted from the end of a sequence.

    Examples
    --------
    >>> [lags.tolist() for lags in _group_lags(5, 2)]
    [[4, 3, 2], [1, 0]]
    """
    if not n_lags:
        raise ValueError(
            "There is nothing to permute: all sequences of X are without a step. Give longer ones."
        )
    return np.array_split(np.arange(n_lags)[::-1], min(n_groups or n_lags, n_lags))


def _score_drops(
    score: Callable[[Sequences], float],
    sequences: Sequences,
    groups: list[np.ndarray],
    n_repeats: int,
    random: np.random.RandomState,
) -> np.ndarray:
    """Drop of the score by permutation of each feature in each group of lags.

    Parameters
    ----------
    score : callable
        Number for the sequences.
    sequences : Sequences
        They share no step. Their values are changed, and restored.
    groups : list of ndarray of int
        Lags, counted from the end of a sequence.
    n_repeats : int
        Number of permutations.
    random : RandomState
        Draws the permutations, which are the same for all features and groups.

    Returns
    -------
    ndarray of shape (n_groups, n_features, n_repeats)
        Score of the sequences as they are, minus that of the permuted ones.
    """
    values = sequences.values
    drops = np.full((len(groups), sequences.n_features, n_repeats), score(sequences))
    for repeat in range(n_repeats):
        order = random.permutation(len(sequences))
        for group, lags in enumerate(groups):
            steps = _steps_at(lags, sequences, np.arange(len(order)))
            donors = _steps_at(lags, sequences, order)
            for feature in range(sequences.n_features):
                kept = values[steps, feature]
                values[steps, feature] = values[donors, feature]
                drops[group, feature, repeat] -= score(sequences)
                values[steps, feature] = kept
    return drops


def _steps_at(lags: np.ndarray, sequences: Sequences, order: np.ndarray) -> np.ndarray:
    """Steps at one lag after another of all sequences that reach back so far, in some order."""
    ends, lengths = sequences.ends[order], sequences.lengths[order]
    return np.concatenate([ends[lengths > lag] - 1 - lag for lag in lags])


def _unit(reader: BaseEstimator, scoring: str | Callable[..., float] | None) -> str:
    """Label of the numbers: the score, and whether it drops or rises."""
    if scoring is None:
        name = "R²" if is_regressor(reader) else "accuracy" if is_classifier(reader) else "score"
        return f"drop in {name}"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    if name.startswith("neg_"):
        return f"rise in {name.removeprefix('neg_').replace('_', ' ')}"
    return f"drop in {name.replace('_', ' ')}"
