"""Sequences that go on by themselves: texts, tokens, labels and waves."""

from string import ascii_lowercase

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    SequenceForecaster,
    Sequences,
    SequenceWindower,
    TokenSequencer,
    backtest,
    backtest_scores,
    generate,
)

LABELS = np.array(["x", "y", "z"])
ALPHABET = ascii_lowercase + " "
SPELLED = 40 * ALPHABET
WINDOWS = [SPELLED[i : i + 50] for i in range(0, 1000, 50)]
NEXT = [list(SPELLED[i + 1 : i + 51]) for i in range(0, 1000, 50)]
RNG = np.random.default_rng(0)
WAVE = np.sin(np.arange(1200) * 2 * np.pi / 25)


def characters(**params):
    settings = {"embedding": 16, "pooling": None, "lr": 0.01, "batch_size": 8}
    settings |= {"random_state": 0} | params
    return make_pipeline(TokenSequencer(analyzer="char"), LSTMClassifier(32, **settings))


@pytest.fixture(scope="module")
def unsure():
    """A model of characters that has learned little."""
    return characters(max_epochs=3).fit(WINDOWS, NEXT)


def tokens_classifier(pooling="last"):
    tokens = [[k, k + 1, k + 2] for k in range(5)]
    y = [3 + k for k in range(5)] if pooling else [[k + 1, k + 2, k + 3] for k in range(5)]
    model = LSTMClassifier(8, embedding=4, pooling=pooling, max_epochs=5, random_state=0)
    return model.fit(tokens, y)


def windows_of(values, size):
    return np.lib.stride_tricks.sliding_window_view(values, size, axis=0)


# What LSTMs are known for


def test_the_alphabet_goes_on():
    model = characters(max_epochs=30).fit(WINDOWS, NEXT)
    assert "".join(generate(model, "a", 50)) == (2 * ALPHABET)[1:51]


@pytest.mark.parametrize("init", ["auto", None], ids=["default start", "network alone"])
def test_a_sine_wave_goes_on(init):
    """The next value from ten, and a hundred that are read back, in variances of the wave."""
    y = pd.Series(WAVE, pd.RangeIndex(1200))
    network = LSTMRegressor(32, init=init, lr=0.01, max_epochs=60, random_state=0)
    model = SequenceForecaster(network, window_size=10)
    scores = backtest_scores(backtest(model, y, initial_train_size=1000))
    assert scores.loc["forecaster", "RMSE"] ** 2 < 1e-3 * y.var()
    assert scores.loc["naive", "RMSE"] ** 2 > 0.05 * y.var()
    said = model.fit(y[:1000]).predict(100)["y"]
    assert np.mean((said - y[1000:1100]) ** 2) < 1e-2 * y.var()


# What is generated


def test_texts_go_on_as_in_a_loop(unsure):
    text = "ab"
    for _ in range(20):
        text += unsure.predict([text])[0][-1]
    assert "".join(generate(unsure, "ab", 20)) == text[2:]
    text = "abcdefgh"
    for _ in range(20):
        text += unsure.predict([text[-5:]])[0][-1]
    assert "".join(generate(unsure, "abcdefgh", 20, window_size=5)) == text[8:]


def test_labels_are_drawn_as_in_a_loop(unsure):
    random, text = np.random.RandomState(3), "ab"
    for _ in range(20):
        probability = unsure.predict_proba([text])[0][-1] ** (1 / 0.8)
        text += random.choice(unsure.classes_, p=probability / probability.sum())
    drawn = generate(unsure, "ab", 20, temperature=0.8, random_state=3)
    assert "".join(drawn) == text[2:]
    assert "".join(drawn) != "".join(generate(unsure, "ab", 20))
    cold = generate(unsure, "ab", 20, temperature=1e-6, random_state=3)
    assert cold.tolist() == generate(unsure, "ab", 20).tolist()


def test_labels_are_drawn_by_their_probabilities(unsure):
    drawn = [generate(unsure, "ab", 1, temperature=2, random_state=k)[0] for k in range(500)]
    likely = softmax(np.log(unsure.predict_proba(["ab"])[0][-1]) / 2)
    found = np.array([drawn.count(label) for label in unsure.classes_]) / 500
    np.testing.assert_allclose(found, likely, atol=4 * np.sqrt(0.25 / 500))


def test_words_go_on():
    texts = 10 * ["the cat sat on the mat", "the dog sat by the cat"]
    model = make_pipeline(
        TokenSequencer(), LSTMClassifier(8, embedding=4, pooling=None, max_epochs=5)
    )
    model.fit(texts, [[*text.split()[1:], "the"] for text in texts])
    assert set(generate(model, "The cat", 5)) <= set(" ".join(texts).split())


@pytest.mark.parametrize("pooling", ["last", None])
def test_tokens_go_on(pooling):
    model = tokens_classifier(pooling)
    tokens = [1, 2]
    for _ in range(6):
        said = model.predict(Sequences.from_tokens([tokens[-3:]]))[0]
        tokens.append(int(np.ravel(said)[-1]))
    assert generate(model, [1, 2], 6, window_size=3).tolist() == tokens[2:]


@pytest.mark.parametrize(
    "model",
    [
        LSTMClassifier(8, max_epochs=10, lr=0.03, random_state=0),
        make_pipeline(SequenceFlattener(), ExtraTreesClassifier(5, random_state=0)),
    ],
    ids=["LSTM", "trees"],
)
def test_columns_of_labels_go_on(model):
    codes = np.arange(60) % 3
    X = np.eye(3)[windows_of(codes, 4)[:-1]]
    model = clone(model).fit(X, np.array(["x", "y", "z"])[codes[4:]])
    assert generate(model, np.eye(3)[[0, 1, 2, 0]], 5, window_size=4).tolist() == list("yzxyz")


@pytest.mark.parametrize("n_features", [1, 2])
def test_numbers_go_on_as_in_a_loop(n_features):
    values = np.column_stack([WAVE, np.roll(WAVE, 3)])[:200, :n_features]
    X = windows_of(values, 8)[:-1].swapaxes(1, 2)
    model = LSTMRegressor(4, max_epochs=3, random_state=0).fit(X, values[8:])
    known = values[:8]
    for _ in range(10):
        known = np.vstack([known, model.predict(known[None, -8:]).reshape(1, n_features)])
    np.testing.assert_allclose(generate(model, values[:8], 10, window_size=8), known[8:])
    if n_features == 1:
        flat = generate(model, values[:8, 0], 10, window_size=8)
        np.testing.assert_allclose(flat, known[8:, 0])


def test_numbers_at_every_step_go_on():
    X = WAVE[:1000].reshape(20, 50, 1)
    model = LSTMRegressor(4, pooling=None, max_epochs=3, random_state=0)
    model.fit(X[:, :-1], X[:, 1:, 0])
    known = X[0, :5]
    for _ in range(10):
        known = np.append(known, model.predict(known[None])[0][-1:, None], axis=0)
    np.testing.assert_allclose(generate(model, X[0, :5], 10), known[5:], rtol=1e-6)


def test_the_best_of_a_search_goes_on():
    search = GridSearchCV(characters(), {"lstmclassifier__max_epochs": [1, 2]}, cv=2)
    search.fit(WINDOWS, NEXT)
    best = search.best_estimator_
    assert generate(search, "ab", 5).tolist() == generate(best, "ab", 5).tolist()


# What is refused


def linear(n_outputs=1):
    lags = windows_of(WAVE[:50], 3)[:, :, None]
    y = WAVE[3 : 51 - n_outputs + 1][: len(lags)]
    model = make_pipeline(SequenceFlattener(), LinearRegression())
    return model.fit(lags[: len(y)], np.column_stack(n_outputs * [y]))


def of_a_table():
    network = LSTMClassifier(4, max_epochs=1)
    model = make_pipeline(SequenceWindower(3, horizon=1), network)
    return model.fit(WAVE[:50, None], WAVE[:50] > 0)


@pytest.mark.parametrize(
    ("model", "start", "params", "message"),
    [
        (linear, [1.0, 2.0, 3.0], {"n_steps": 0}, "'n_steps' parameter"),
        (linear, [1.0, 2.0, 3.0], {"temperature": 1.0}, "this is a regressor"),
        (linear, [], {}, r"shape \(0, 1\): give one sequence of at least one step"),
        (linear, np.zeros((1, 3, 1)), {}, r"shape \(1, 3, 1\)"),
        (lambda: linear(2), [1.0, 2.0, 3.0], {}, "predicts 2 numbers, and a step has 1 features"),
        (tokens_classifier, [1, 2], {"temperature": 0}, "'temperature' parameter"),
        (tokens_classifier, [1.5, 2], {}, "give tokens, if labels are tokens"),
        (tokens_classifier, np.zeros((2, 3)), {}, "rows with a column for each label"),
        (of_a_table, [1, 2, 3], {}, "there are 2 labels such as"),
    ],
)
def test_bad_input_is_named(model, start, params, message):
    with pytest.raises(ValueError, match=message):
        generate(model(), start, **{"n_steps": 1} | params)


def test_words_that_cannot_be_read_are_named():
    model = characters(max_epochs=1).fit(["abab"] * 4, [["b", "a", "b", "END"]] * 4)
    with pytest.raises(ValueError, match="may predict 'END', which is not"):
        generate(model, "a", 3)
    with pytest.raises(ValueError, match="at least one step"):
        generate(characters(max_epochs=1).fit(["abab"] * 4, [list("baba")] * 4), "", 3)


def test_names_of_a_prompt_are_compared():
    X = RNG.normal(size=(30, 5, 2))
    tables = [pd.DataFrame(x, columns=["x", "y"]) for x in X]
    model = LSTMRegressor(4, max_epochs=1, random_state=0).fit(tables, X[:, -1])
    expected = generate(clone(model).fit(X, X[:, -1]), X[0], 3)
    np.testing.assert_array_equal(generate(model, tables[0], 3), expected)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        generate(model, tables[0][["y", "x"]], 3)


@pytest.mark.parametrize("order", ["xyz", "zxy"])
def test_one_hot_columns_are_found_by_the_names_of_the_labels(order):
    cycles = [LABELS[(np.arange(6) + k) % 3] for k in range(3)] * 20
    one_hot = [pd.DataFrame({label: (cycle == label) * 1.0 for label in order}) for cycle in cycles]
    model = LSTMClassifier(8, init=None, max_epochs=30, lr=0.05, random_state=0)
    model.fit([steps[:5] for steps in one_hot], [cycle[5] for cycle in cycles])
    found = generate(model, one_hot[0][:5], 7, window_size=5)
    assert found.tolist() == LABELS[np.arange(5, 12) % 3].tolist()


def test_predictions_in_another_order_than_the_features_are_no_steps():
    rng = np.random.default_rng(0)
    steps = [pd.DataFrame(rng.normal(size=(4, 2)), columns=["u", "v"]) for _ in range(10)]
    y = pd.DataFrame([table.iloc[-1] for table in steps]).reset_index(drop=True)
    model = LSTMRegressor(4, max_epochs=1, random_state=0)
    assert generate(model.fit(steps, y), steps[0], 2).shape == (2, 2)
    with pytest.raises(ValueError, match=r"predicts \['v', 'u'\], .* Fit the model to y"):
        generate(model.fit(steps, y[["v", "u"]]), steps[0], 2)
