"""The models: each reads a `Split` and a seed, and predicts the test rows.

Hyperparameters of scikit-learn's models are chosen on the last fifth of the training rows of a
table; then the model is fitted on all.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skills import Probabilities
from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    SequenceWindower,
    TokenSequencer,
)

PLAIN = {
    "hidden_size": 64,
    "num_layers": 1,
    "cell": "lstm",
    "bidirectional": False,
    "input_transform": "levels",
    "init": None,
    "dropout": 0.0,
    "optimizer": "adam",
    "lr": 1e-3,
    "weight_decay": 0.0,
    "lr_scheduler": None,
    "clip_grad_norm": 1.0,
    "max_epochs": 100,
    "batch_size": 64,
    "early_stopping": False,
}
"""The settings of an LSTM as in a tutorial."""

EMBEDDING_DIM = 32
LAGS_OF_STEP = 14
WORDS = r"\S+"

PENALTIES = {"alpha": np.logspace(-1, 5, 13)}
LEAVES = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 31]}


class Model(NamedTuple):
    """A model: a column of the tables.

    Attributes
    ----------
    name : str
        Of the model.
    kinds : tuple of str
        Kinds of data sets that it is for.
    predict : callable
        From a `Split` and a seed to the predictions of its test rows.
    is_random : bool, default=False
        Whether seeds matter.
    """

    name: str
    kinds: tuple
    predict: Callable
    is_random: bool = False


def with_defaults(split, seed):
    """Our estimators with their defaults, and only what the data require."""
    return _lstm(split, seed, {}, pooling={})


def plain_lstm(split, seed):
    """The same estimator with the settings of a tutorial."""
    return _lstm(split, seed, PLAIN, pooling={"pooling": "last"})


def _lstm(split, seed, params, pooling):
    X, X_test = split.X, split.X_test
    params = {"random_state": seed} | params
    if split.is_number:
        return LSTMRegressor(**params, **pooling).fit(X, split.y).predict(X_test)
    if isinstance(X[0], str):
        sequencer = TokenSequencer(token_pattern=WORDS)
        X, X_test = sequencer.fit_transform(X), sequencer.transform(X_test)
        params = {"dropout": 0.5} | params | {"embedding": EMBEDDING_DIM}
        if split.vectors is not None:
            vectors = sequencer.embedding_weights(split.vectors)
            params["embedding"] = vectors
    if split.y.ndim == 2:
        model = LSTMClassifier(**params, pooling=None)
        return model.fit(X, split.y).predict(X_test)
    model = LSTMClassifier(**params, **pooling).fit(X, split.y)
    return Probabilities(model.classes_, model.predict_proba(X_test))


def naive(split, seed):
    return split.last


def seasonal_naive(split, seed):
    return split.season


def mean(split, seed):
    return np.full(split.y_test.shape, split.y.mean())


def most_frequent(split, seed):
    labels, counts = np.unique(split.y, return_counts=True)
    return np.full(split.y_test.shape, labels[counts.argmax()])


def ridge(split, seed):
    lags, lags_test = _lags(split)
    return _search(Ridge(), PENALTIES, lags, split.y).predict(lags_test)


def ridge_on_differences(split, seed):
    """Ridge on differences to the last value of a window, which is added to its prediction."""
    n_features = np.shape(split.X[0])[1]
    lags, lags_test = (
        (table.reshape(len(table), -1, n_features) - table[:, None, -n_features:])
        for table in _lags(split)
    )
    lags, lags_test = (table.reshape(len(table), -1) for table in (lags, lags_test))
    last = np.array([steps[-1, split.target] for steps in split.X])
    return split.last + _search(Ridge(), PENALTIES, lags, split.y - last).predict(lags_test)


def boosting(split, seed):
    if not split.is_number:
        return _fit(HistGradientBoostingClassifier(early_stopping=False, random_state=0), split)
    model = HistGradientBoostingRegressor(early_stopping=False, random_state=0)
    lags, lags_test = _lags(split)
    return _search(model, LEAVES, lags, split.y).predict(lags_test)


def logistic_regression(split, seed):
    parts = SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)
    return _fit(make_pipeline(*parts), split)


def random_forest(split, seed):
    forest = RandomForestRegressor if split.is_number else RandomForestClassifier
    return _fit(forest(300, random_state=seed), split)


def minirocket(split, seed):
    """MiniRocket as aeon has it, whose kernels have 9 weights: shorter series end in zeros."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    padding = (0, 0), (0, max(9 - split.X.shape[1], 0)), (0, 0)
    X, X_test = (np.pad(x, padding).transpose(0, 2, 1) for x in (split.X, split.X_test))
    return MiniRocketClassifier(random_state=seed).fit(X, split.y).predict(X_test)


def bag_of_words(split, seed):
    return _bag(split, 1)


def bag_of_pairs(split, seed):
    return _bag(split, 2)


def _bag(split, n):
    counter = CountVectorizer(token_pattern=WORDS, ngram_range=(1, n))
    model = make_pipeline(counter, LogisticRegression(max_iter=1000))
    return model.fit(split.X, split.y).predict(split.X_test)


def _search(model, grid, lags, y):
    """Choose hyperparameters on the last fifth of the rows, then fit on all."""
    rows = np.arange(len(y))
    n_first = int(0.8 * len(y))
    cv = [(rows[:n_first], rows[n_first:])]
    return GridSearchCV(model, grid, cv=cv, scoring="neg_mean_squared_error").fit(lags, y)


def _fit(model, split):
    lags, lags_test = _lags(split)
    model.fit(lags, split.y.ravel())
    if split.is_number or split.y.ndim == 2:
        return model.predict(lags_test)
    return Probabilities(model.classes_, model.predict_proba(lags_test))


def _lags(split):
    """Flatten the sequences to tables of lags; with labels at steps, of the steps up to each."""
    X, X_test = split.X, split.X_test
    if split.y.ndim == 2:
        X, X_test = _histories(X), _histories(X_test)
    flattener = SequenceFlattener()
    return flattener.fit_transform(X), flattener.transform(X_test)


def _histories(X):
    n_sequences, n_steps, n_features = X.shape
    table = pd.DataFrame(X.reshape(-1, n_features)).add_prefix("x")
    table["sequence"] = np.repeat(np.arange(n_sequences), n_steps)
    return SequenceWindower(LAGS_OF_STEP, series="sequence").fit_transform(table)


HAS_AEON = find_spec("aeon") is not None
ROWS, STEPS = "labels of rows", "labels of steps"
LABELS = ("independent sequences", ROWS, STEPS)
NUMBERS = ("forecasts", "numbers")

MODELS = [
    Model("sklstm", (*NUMBERS, *LABELS, "texts"), with_defaults, is_random=True),
    Model("plain LSTM", (*NUMBERS, *LABELS, "texts"), plain_lstm, is_random=True),
    Model("naive", ("forecasts",), naive),
    Model("seasonal naive", ("forecasts",), seasonal_naive),
    Model("mean", ("numbers",), mean),
    Model("most frequent", (*LABELS, "texts"), most_frequent),
    Model("ridge", NUMBERS, ridge),
    Model("ridge on differences", ("forecasts",), ridge_on_differences),
    Model("logistic regression", LABELS, logistic_regression),
    Model("boosting", (*NUMBERS, ROWS, STEPS), boosting),
    Model("random forest", ("numbers", *LABELS), random_forest, is_random=True),
    *(
        [Model("MiniRocket", ("independent sequences",), minirocket, is_random=True)]
        if HAS_AEON
        else []
    ),
    Model("bag of words", ("texts",), bag_of_words),
    Model("bag of words and pairs", ("texts",), bag_of_pairs),
]
"""All models, ours first; MiniRocket where aeon is installed."""
