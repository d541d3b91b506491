"""Generate sequences: each step is predicted from those before it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklstm._data.arrays import plain, plain_array
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import Interval, validate_parameter_constraints
from sklstm._estimators.base import BaseLSTM
from sklstm._tables.tokens import TokenSequencer

__all__ = ["generate"]

PARAMETER_CONSTRAINTS = {
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    "window_size": [Interval(Integral, 1, None, closed="left"), None],
    "temperature": [Interval(Real, 0, None, closed="neither"), None],
    "random_state": ["random_state"],
}


def generate(
    model: Any,
    prompt: Any,
    n_steps: int,
    *,
    window_size: int | None = None,
    temperature: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    """Continue a sequence: predict the next step, append it, and predict again (autoregressive).

    Texts, tokens, labels and numbers are continued, by any fitted model that predicts the next
    step of a sequence. Of a model with ``pooling=None`` the prediction at the last step is used.

    Parameters
    ----------
    model : classifier, regressor or Pipeline
        Fitted. A classifier predicts the token, the word or the label of the next step, a
        regressor all its features. A Pipeline may begin with a :class:`TokenSequencer`.
    prompt : str, list of words, or array-like of shape (n_steps,) or (n_steps, n_features)
        The sequence to continue: with a `TokenSequencer` a text, as in its `fit`; else tokens,
        numbers of one feature, or rows of features. If labels are not tokens, rows are one-hot:
        a column for each class, in the order of ``classes_``, or named like the classes.
    n_steps : int
        How many steps to generate.
    window_size : int, default=None
        Most steps of the context that is read: better no more than the sequences of `fit` had.
        `None`: all steps, from the first one of the prompt.
    temperature : float, default=None
        Sample the next label from the probabilities to the power of ``1 / temperature``: 1 are the
        probabilities themselves, lower favours likely labels, higher is more random. `None`:
        always the most likely label.
    random_state : int, RandomState instance or None, default=None
        Seeds the sampling.

    Returns
    -------
    ndarray of shape (n_steps,) or (n_steps, n_features)
        Labels; numbers in the shape of `prompt`. The prompt is not included.

    Raises
    ------
    ValueError
        If a parameter is not valid, `prompt` has no step, or predictions are not of the form of a
        step.

    See Also
    --------
    SequenceForecaster : Forecast a table on its timestamps, with prediction intervals.
    TokenSequencer : Turn texts into tokens.

    Notes
    -----
    The sequence is read again for each step, so time grows with ``n_steps * window_size``. Errors
    accumulate, as each step is predicted from earlier predictions.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMClassifier, TokenSequencer, generate
    >>> model = make_pipeline(
    ...     TokenSequencer(analyzer="char"),
    ...     LSTMClassifier(16, embedding=4, pooling=None, lr=0.03, random_state=0),
    ... )
    >>> model = model.fit(20 * ["abcabcab"], 20 * [list("bcabcabc")])
    >>> "".join(generate(model, "a", 7))
    'bcabcab'

    A regressor continues numbers, here a linear one on windows of the last two:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklstm import SequenceFlattener
    >>> model = make_pipeline(SequenceFlattener(), LinearRegression())
    >>> model = model.fit(np.array([[1, 2], [2, 3], [3, 5]])[..., None], [3, 5, 8])
    >>> generate(model, [3, 5], 4, window_size=2).round()
    array([ 8., 13., 21., 34.])
    """
    validate_parameter_constraints(PARAMETER_CONSTRAINTS, locals(), "generate")
    check_is_fitted(model)
    model = getattr(model, "best_estimator_", model)
    columns = getattr(model, "feature_names_in_", None)
    names = prompt.columns if isinstance(prompt, pd.DataFrame) and columns is not None else None
    if not is_classifier(model):
        if temperature is not None:
            raise ValueError(
                "temperature is for sampling from the probabilities of a classifier, and this is a "
                "regressor: leave it None."
            )
        numbers = np.asarray(plain(prompt), dtype=float)
        steps = numbers[:, None] if numbers.ndim == 1 else numbers
        generated = _generate(steps, n_steps, window_size, _regressor_step(model, columns), names)
        return generated[:, 0] if numbers.ndim == 1 else generated
    first = model[0] if isinstance(model, Pipeline) else None
    if isinstance(first, TokenSequencer):
        model, steps = model[1:], first.transform([prompt])[0][:, 0]
        steps_of = _tokens_of_words(first.vocabulary_, model.classes_)
    else:
        steps = plain_array(prompt)
        steps_of = _steps_of_labels(model.classes_, steps, columns)
    random = check_random_state(random_state)
    next_step = _classifier_step(model, steps_of, temperature, random)
    return _generate(steps, n_steps, window_size, next_step, names)


def _generate(
    steps: np.ndarray,
    n_steps: int,
    window_size: int | None,
    next_step: Callable[[Any], tuple[Any, Any]],
    names: Any = None,
) -> np.ndarray:
    """Predict one step after another, each appended to the sequence."""
    if steps.ndim not in (1, 2) or not len(steps):
        raise ValueError(
            f"prompt has the shape {steps.shape}: give one sequence of at least one step, "
            "(n_steps,) or (n_steps, n_features)."
        )
    outputs = []
    for _ in range(n_steps):
        seen = steps if window_size is None else steps[-window_size:]
        X = Sequences.from_tokens([seen]) if seen.ndim == 1 else seen[None]
        if names is not None:
            X = Sequences.from_arrays(X, padding="keep", feature_names=names)
        step, output = next_step(X)
        steps = np.concatenate([steps, [step]])
        outputs.append(output)
    return np.array(outputs)


def _classifier_step(
    model: Any, steps_of: np.ndarray, temperature: float | None, random: np.random.RandomState
) -> Callable[[Any], tuple[Any, Any]]:
    labels = model.classes_

    def next_step(X: Any) -> tuple[Any, Any]:
        likely = np.reshape(model.predict_proba(X)[0], (-1, len(labels)))[-1]
        k = int(np.argmax(likely))
        if temperature is not None:
            with np.errstate(divide="ignore"):  # a probability of 0 stays 0
                k = random.choice(len(labels), p=softmax(np.log(likely) / temperature))
        return steps_of[k], labels[k]

    return next_step


def _regressor_step(model: Any, columns: Any) -> Callable[[Any], tuple[Any, Any]]:
    last = model[-1] if isinstance(model, Pipeline) else model
    at_each_step = isinstance(last, BaseLSTM) and last._fitted.per_step
    targets = getattr(last, "_target_names", None)
    features = None if columns is None else list(columns)
    if targets and features and targets != features and sorted(targets) == sorted(features):
        raise ValueError(
            f"The model predicts {targets}, and steps have the features {features}: a prediction "
            f"is no step. Fit the model to y[{features}]."
        )

    def next_step(X: Any) -> tuple[Any, Any]:
        predicted = np.asarray(model.predict(X)[0], dtype=float)
        predicted = np.ravel(predicted[-1] if at_each_step else predicted)
        if len(predicted) != X.shape[2]:
            raise ValueError(
                f"The model predicts {len(predicted)} numbers, and a step has {X.shape[2]} "
                "features: it must predict each of them one step ahead. For several steps at once "
                "use a SequenceForecaster."
            )
        return predicted, predicted

    return next_step


def _tokens_of_words(vocabulary: dict[str, int], words: np.ndarray) -> np.ndarray:
    unknown = [word for word in words.tolist() if word not in vocabulary]
    if unknown:
        raise ValueError(
            f"The model may predict {unknown[0]!r}, which is not in the vocabulary of the "
            "TokenSequencer: y must have words of its vocabulary_."
        )
    return np.array([vocabulary[word] for word in words.tolist()])


def _steps_of_labels(labels: np.ndarray, prompt: np.ndarray, columns: Any) -> np.ndarray:
    """The step that stands for each label, in the form of the prompt."""
    if prompt.ndim == 1 and prompt.dtype.kind in "iu" and labels.dtype.kind in "iu":
        return labels
    if prompt.ndim == 2 and prompt.shape[1] == len(labels):
        names = [str(label) for label in labels.tolist()]
        by_name = columns is not None and sorted(columns) == sorted(names)
        return np.equal.outer(names, list(columns) if by_name else names).astype(float)
    raise ValueError(
        f"prompt has the shape {prompt.shape} and the type {prompt.dtype}, and there are "
        f"{len(labels)} labels such as {labels.tolist()[0]!r}: give tokens, if labels are tokens, "
        "or one-hot rows with a column for each label."
    )
