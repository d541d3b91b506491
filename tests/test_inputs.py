"""Arrays of other kinds come in through one door; what cannot be read is named with its cure."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

from sklstm import (
    DataWarning,
    LagSequencer,
    LSTMClassifier,
    LSTMRegressor,
    SequenceDummyRegressor,
    SequenceFlattener,
    SequenceForecaster,
    Sequences,
    SequenceWindower,
    TokenSequencer,
    backtest,
    generate,
    masked_scoring,
)
from sklstm.inspection import history_importance
from sklstm.plotting import HistoryImportanceDisplay, PredictionDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 5, 2))
Y = RNG.normal(size=30)
LABELS = np.arange(30) % 2
FILL = -9999
HIDDEN = np.zeros(X.shape, dtype=bool)
HIDDEN[:, 2] = True
WITH_NAN = np.where(HIDDEN, np.nan, X)
MASKED = np.ma.masked_array(np.where(HIDDEN, FILL, X), HIDDEN)
ROWS = LABELS == 1


def regressor(**params):
    return LSTMRegressor(2, **{"max_epochs": 1, "random_state": 0} | params)


def classifier(**params):
    return LSTMClassifier(2, **{"max_epochs": 1, "random_state": 0} | params)


def hide(y, fill=FILL):
    """The same with every other entry masked, and a number under the mask."""
    return np.ma.masked_array(np.where(ROWS, fill, y), ROWS)


# Masked arrays


READERS = {
    "from_arrays": (lambda M: Sequences.from_arrays(M).flat(), WITH_NAN.reshape(-1, 2)),
    "a list": (lambda M: Sequences.from_arrays(list(M)).flat(), WITH_NAN.reshape(-1, 2)),
    "a tuple": (lambda M: Sequences.from_arrays(tuple(M)).flat(), WITH_NAN.reshape(-1, 2)),
    "lists of rows": (
        lambda M: Sequences.from_arrays([list(part) for part in M]).flat(),
        WITH_NAN.reshape(-1, 2),
    ),
    "channels first": (
        lambda M: Sequences.from_arrays(M.transpose(0, 2, 1), channels_first=True).flat(),
        WITH_NAN.reshape(-1, 2),
    ),
    "padding": (
        lambda M: Sequences.from_arrays(M[:, 2:], padding="nan").lengths,
        np.full(30, 2),
    ),
    "Sequences": (
        lambda M: Sequences(M[0], starts=[0], lengths=[5]).flat(),
        WITH_NAN[0],
    ),
    "a table": (lambda M: SequenceWindower(1).fit_transform(M[0]).flat(), WITH_NAN[0]),
    "later rows": (
        lambda M: SequenceWindower(1).fit(X[0]).transform(M[0]).flat(),
        WITH_NAN[0],
    ),
    "lags": (
        lambda M: LagSequencer().fit_transform(M[..., 0]).flat()[:, 0],
        WITH_NAN[..., 0].ravel(),
    ),
    "flattener": (
        lambda M: SequenceFlattener().fit_transform(list(M)),
        WITH_NAN.reshape(30, -1),
    ),
    "mask": (
        lambda M: regressor(missing="mask").fit(M, Y).predict(list(M)),
        regressor(missing="mask").fit(WITH_NAN, Y).predict(WITH_NAN),
    ),
}


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_masked_is_missing(reader, dtype):
    read, expected = READERS[reader]
    np.testing.assert_allclose(read(MASKED.astype(dtype)), expected, rtol=1e-3)


def test_masked_whole_numbers_are_missing_too():
    M = np.ma.masked_equal(np.array([[[1], [FILL], [3]]]), FILL)
    np.testing.assert_array_equal(Sequences.from_arrays(M)[0].ravel(), [1, np.nan, 3])
    M = np.ma.masked_array([[[2**60], [0]]], [[[False], [True]]])
    with pytest.raises(ValueError, match="holds 1152921504606846976.* rounded"):
        Sequences.from_arrays(M)


def test_an_array_without_masked_entries_keeps_its_type_and_is_not_copied():
    M = np.ma.masked_array(np.zeros((3, 2, 1), dtype=np.float32))
    assert np.shares_memory(Sequences.from_arrays(M).values, M.data)


@pytest.mark.parametrize(
    "fit",
    [
        lambda: regressor().fit(MASKED, Y),
        lambda: regressor().fit(list(MASKED), Y),
        lambda: regressor().fit(MASKED[:, 2], Y),
        lambda: regressor().fit(X, Y).predict(MASKED),
        lambda: regressor().fit(X, Y, X_val=MASKED, y_val=Y),
        lambda: generate(regressor().fit(X[..., :1], Y), MASKED[0, :, 0], 2),
    ],
)
def test_masked_steps_are_no_numbers(fit):
    with pytest.raises(ValueError, match="Input X contains NaN: feature 0 at step"):
        fit()


@pytest.mark.parametrize(
    ("fit", "named"),
    [
        (lambda: regressor().fit(X, hide(Y)), "in row 1"),
        (lambda: regressor().fit(X, hide(np.arange(30))), "in row 1"),
        (lambda: regressor().fit(X, hide(Y > 0, fill=True)), "in row 1"),
        (lambda: regressor(loss="gaussian").fit(X, hide(Y)), "in row 1"),
        (lambda: regressor().fit(X, Y, X_val=X, y_val=hide(Y)), "y_val.* in row 1"),
        (lambda: regressor().fit(X, Y).score(X, hide(Y)), "row 1 "),
        (lambda: classifier().fit(X, hide(LABELS)), "row 1 "),
        (lambda: classifier().fit(X, hide(np.where(Y > 0, "a", "b"), fill="?")), "row 1 "),
        (lambda: classifier().fit(X, LABELS).score(X, hide(LABELS)), "row 1 "),
        (lambda: SequenceDummyRegressor().fit(X, hide(Y)), "in row 1"),
        (lambda: regressor().fit(X, Y, hide(np.ones(30))), "sample_weight contains NaN"),
    ],
)
def test_masked_targets_are_missing_and_named(fit, named):
    with pytest.raises(ValueError, match=named):
        fit()


def test_masked_targets_of_weight_0_are_history_only():
    weight = (~ROWS).astype(float)
    model = regressor().fit(X, hide(Y), weight)
    expected = regressor().fit(X, np.where(ROWS, 0, Y), weight)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(X, hide(Y), weight) == expected.score(X, np.where(ROWS, 0, Y), weight)


STEPS = (X[..., 0] > 0).astype(int)


@pytest.mark.parametrize("of", [np.asarray, lambda y: np.where(y == 7, "?", np.where(y, "a", "b"))])
@pytest.mark.parametrize("form", [lambda y: y, list, lambda y: [list(part) for part in y]])
def test_masked_steps_have_no_label(of, form):
    y = np.ma.masked_array(of(np.where(HIDDEN[..., 0], 7, STEPS)), HIDDEN[..., 0])
    model = classifier(pooling=None).fit(X, form(y))
    assert len(model.classes_) == 2
    predicted = model.predict(X)
    seen = ~HIDDEN[..., 0]
    expected = (np.asarray(predicted)[seen] == of(STEPS)[seen]).mean()
    assert model.score(X, form(y)) == pytest.approx(expected)
    assert masked_scoring(accuracy_score)(form(y), predicted) == pytest.approx(expected)


def test_masked_steps_have_no_number():
    y = np.ma.masked_array(np.where(HIDDEN[..., 0], FILL, X[..., 0]), HIDDEN[..., 0])
    model = regressor(pooling=None).fit(X, y)
    expected = regressor(pooling=None).fit(X, y.filled(np.nan))
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_masked_series_of_the_forecaster():
    values = np.ma.masked_equal(np.where(np.arange(60) == 20, FILL, np.arange(60)), FILL)
    series = pd.Series(values, pd.date_range("2024-01-01", periods=60), name="sold")
    with pytest.warns(UserWarning, match="hold NaN"):
        model = SequenceForecaster(LinearRegression(), 3, calibration_fraction=0).fit(series)
    assert model.predict()["sold"].tolist() == pytest.approx([60])


def test_masked_tokens_and_texts_are_errors():
    with pytest.raises(ValueError, match="tokens are integers.* NaN of a padding"):
        Sequences.from_tokens(np.ma.masked_equal([[1, 2, 0], [1, 0, 0]], 0))
    texts = np.ma.masked_array(np.array(["a cat", "?"], dtype=object), [False, True])
    with pytest.raises(ValueError, match="text of row 1 .* missing"):
        TokenSequencer().fit(texts)


def test_masked_arrays_elsewhere():
    model = regressor(missing="mask").fit(MASKED, Y)
    drops = [
        history_importance(model, data, Y, n_repeats=1, random_state=0).importances
        for data in (MASKED, WITH_NAN)
    ]
    np.testing.assert_array_equal(*drops)
    with pytest.raises(ValueError, match="in row|row 1"):
        history_importance(model, MASKED, hide(Y))
    days = pd.DataFrame(X[:, 0], pd.date_range("2024-01-01", periods=30))
    model = make_pipeline(SequenceWindower(2, horizon=1), SequenceDummyRegressor())
    with pytest.raises(ValueError, match="y contains NaN .* row 1 "):
        backtest(model, hide(Y), days)


# Tensors


def test_tensors_in_numbers_that_numpy_has_not():
    half = torch.tensor(X).bfloat16()
    model = regressor().fit(half, torch.tensor(Y).bfloat16())
    expected = regressor().fit(half.float().numpy(), torch.tensor(Y).bfloat16().float().numpy())
    np.testing.assert_array_equal(model.predict(half), expected.predict(half.float().numpy()))
    list_of_them = [part.bfloat16() for part in torch.tensor(X)]
    np.testing.assert_array_equal(model.predict(list_of_them), model.predict(half))
    eight = torch.tensor(X).to(torch.float8_e4m3fn)
    np.testing.assert_array_equal(Sequences.from_arrays(eight).values[0], eight.float()[0, 0])
    assert Sequences.from_arrays(torch.tensor(X).half()).dtype == np.float16


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_are_lists(layout):
    parts = [torch.tensor(part[:length]) for part, length in zip(X, [3, 5] * 15, strict=True)]
    nested = torch.nested.nested_tensor(parts, layout=layout)
    assert Sequences.from_arrays(nested).lengths.tolist() == [3, 5] * 15
    labels = torch.nested.nested_tensor([part[:, 0] for part in parts], layout=layout)
    model = regressor(pooling=None).fit(nested, labels)
    expected = regressor(pooling=None).fit(parts, [part[:, 0] for part in parts])
    np.testing.assert_array_equal(model.predict(nested)[1], expected.predict(parts)[1])


def test_sparse_tensors_are_read():
    assert Sequences.from_arrays(torch.tensor(X).to_sparse()) == Sequences.from_arrays(X)


# Messages


@pytest.mark.parametrize("params", [{}, {"embedding": 3}])
@pytest.mark.parametrize(
    "texts",
    [
        ["a good film", "bad"] * 15,
        ("a good film", "bad") * 15,
        np.array(["a good film", "bad"] * 15),
        np.array(["a good film", "bad"] * 15, dtype=object),
        pd.Series(["a good film", "bad"] * 15),
        pd.Series(["a good film", "bad"] * 15, dtype=object),
    ],
)
def test_texts_need_a_tokeniser(texts, params):
    with pytest.raises(ValueError, match="texts such as 'a good film'.* TokenSequencer in front"):
        classifier(**params).fit(texts, LABELS)


@pytest.mark.parametrize(
    "words",
    [
        [["good", "film"], ["bad"]] * 15,
        [["good", "film"], ["bad", "one"]] * 15,
        np.array([["good", "film"], ["bad", "one"]] * 15),
        pd.Series([["good", "film"], ["bad"]] * 15),
    ],
)
def test_lists_of_words_need_one_too(words):
    for model in (classifier(), classifier(embedding=3), SequenceFlattener()):
        with pytest.raises(
            ValueError, match=r"words such as 'good'.*TokenSequencer\(analyzer=list"
        ):
            model.fit(words, LABELS)


def test_texts_in_tables():
    with pytest.raises(ValueError, match="texts such as 'a b'"):
        SequenceWindower().fit(["a b", "c"])
    with pytest.raises(ValueError, match=r"word by word go through a TokenSequencer: X\['text'\]"):
        classifier().fit(pd.DataFrame({"text": ["a b", "c"] * 15}), LABELS)


def test_lists_of_different_lengths():
    with pytest.raises(ValueError, match=r"1-D arrays or lists of different.*reshape\(x, \(-1, 1"):
        regressor().fit([[1.0, 2.0, 3.0], [1.0, 2.0]] * 15, Y)
    with pytest.raises(ValueError, match="Sequence 0 has steps of different numbers of features"):
        regressor().fit([[[1.0, 2.0], [3.0]], [[4.0, 5.0]]] * 15, Y)
    ragged = [[[1.0], [2.0]], [[3.0]]] * 15
    assert regressor().fit(ragged, Y).predict(ragged).shape == (30,)
    some_empty = [np.empty((0, 1)), [[1.0], [2.0]], [[3.0]]] * 10
    assert regressor().fit(some_empty, Y).predict(ragged).shape == (30,)


def test_lists_with_features_first():
    aeon = [RNG.normal(size=(3, n_steps)) for n_steps in (20, 15)] * 15
    with pytest.raises(ValueError, match="channels_first=True"):
        regressor().fit(aeon, Y)
    sequences = Sequences.from_arrays(aeon, channels_first=True)
    assert regressor().fit(sequences, Y).n_features_in_ == 3
    with pytest.raises(ValueError, match="in its columns.$"):
        regressor().fit([np.ones((3, 2)), np.ones((4, 1))] * 15, Y)


def test_nan_in_arrays_has_a_cure_that_reads_them():
    with pytest.raises(ValueError, match=r"missing='mask'.*isfinite.*imputers read tables only"):
        regressor().fit(WITH_NAN, Y)
    with pytest.raises(ValueError, match="SimpleImputer in front"):
        regressor().fit(WITH_NAN[:, 2], Y)
    with pytest.raises(ValueError, match="SimpleImputer in front"):
        regressor().fit(SequenceWindower(2).fit_transform(WITH_NAN[:, 2]), Y)
    cured = WITH_NAN.copy()
    cured[~np.isfinite(cured)] = 0
    regressor().fit(cured, Y)
    regressor(missing="mask").fit(WITH_NAN, Y)


@pytest.mark.parametrize("model", [regressor(), classifier()])
@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"X_val": X}, "X_val came without y_val"),
        ({"X_val": X, "sample_weight_val": Y}, "X_val came without y_val"),
        ({"y_val": LABELS}, "y_val came without X_val"),
        ({"sample_weight_val": Y}, "sample_weight_val came without X_val"),
        ({"X_val": X, "y_val": LABELS[:9]}, "X_val and y_val, .*30 rows and y has 9"),
        ({"X_val": X[..., :1], "y_val": LABELS}, "X_val and y_val, .*has 1 features"),
    ],
)
def test_validation_data_are_named(model, validation, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, LABELS, **validation)
    assert not hasattr(model, "n_features_in_")


def test_correct_use_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regressor().fit(X, Y, X_val=X, y_val=Y).score(X, Y)


OF_STEPS = {
    "an array": STEPS[..., None],
    "Sequences": Sequences.from_arrays(STEPS[..., None]),
    "a list": [part[:length] for part, length in zip(STEPS, [3, 5] * 15, strict=True)],
    "lists": [part[:length].tolist() for part, length in zip(STEPS, [3, 5] * 15, strict=True)],
    "2-D parts": list(STEPS[..., None]),
    "masked": list(np.ma.masked_array(STEPS[..., None], HIDDEN[..., :1])),
}


@pytest.mark.parametrize("model", [regressor(), classifier(), SequenceDummyRegressor()])
@pytest.mark.parametrize("form", OF_STEPS)
def test_targets_of_steps_need_a_network_without_pooling(model, form):
    with pytest.raises(ValueError, match="one entry a step, .* With pooling=None"):
        model.fit(X, OF_STEPS[form])


def test_labels_of_steps_in_a_table():
    with pytest.raises(ValueError, match=r"table of 5 columns .* pooling=None"):
        classifier().fit(X, STEPS + 2 * HIDDEN[..., 0])
    with pytest.raises(ValueError, match=r"table of 5 columns .* pooling=None"):
        classifier().fit(X, np.where(STEPS, "a", "b"))
    with pytest.warns(DataWarning, match="as 5 labels .* 5 steps.* pooling=None"):
        classifier().fit(X, STEPS)
    classifier().fit(X, STEPS[:, :3])
    classifier().fit([part[:3] for part in X], STEPS)
    classifier().fit(SequenceWindower(5).fit_transform(X[:, 0]), STEPS)
    regressor().fit(X, X[..., 0])  # as many steps ahead as there are steps is a forecast


@pytest.mark.parametrize("form", [lambda X: X, list, Sequences.from_arrays])
def test_sequences_of_one_step_are_heard(form):
    univariate = form(RNG.normal(size=(30, 1, 24)))
    for model, y in ((classifier(), LABELS), (regressor(), Y)):
        with pytest.warns(DataWarning, match="one step of 24 features.*channels_first=True"):
            model.fit(univariate, y)
        model.predict(univariate)


def test_sequences_of_one_step_may_be_meant():
    flat = RNG.normal(size=(30, 1, 24))
    regressor().fit(flat[:, 0], Y).predict(flat[:, 0])
    regressor().fit(Sequences.from_arrays(flat, channels_first=True), Y)
    regressor().fit(flat[..., :1], Y)
    regressor().fit(SequenceWindower(1).fit_transform(flat[:, 0]), Y)
    regressor().fit(X, Y).predict(X[:, :1])  # a short history


@pytest.mark.parametrize("in_pipeline", [True, False])
def test_importance_of_tokens(in_pipeline):
    texts = ["a good film", "what a bad one"] * 15
    model = make_pipeline(TokenSequencer(), classifier(embedding=2)).fit(texts, LABELS)
    model, data = (model, texts) if in_pipeline else (model[-1], model[0].transform(texts))
    for function in (history_importance, HistoryImportanceDisplay.from_estimator):
        with pytest.raises(ValueError, match="tokens have none.* with a word and without it"):
            function(model, data, LABELS)


def test_displays_of_predictions_at_every_step():
    model = regressor(pooling=None).fit(X, X[..., 0])
    for part in (model, make_pipeline(model)):
        with pytest.raises(ValueError, match=r"every step.*\.from_predictions\(y\[i\]"):
            PredictionDisplay.from_estimator(part, X, X[..., 0])
    predicted = model.predict(X)
    for y in (list(predicted[:, :3]) + list(predicted), predicted[..., None]):
        with pytest.raises(ValueError, match="y_true has values of every step"):
            PredictionDisplay.from_predictions(y, y)
    with pytest.raises(ValueError, match=r"one of the 5 targets.* y_true\[i\]"):
        PredictionDisplay.from_predictions(X[..., 0], predicted)
    display = PredictionDisplay.from_predictions(X[3, :, 0], predicted[3])
    np.testing.assert_allclose(display.y_pred, predicted[3])
    plt.close("all")


# Long tables


WALKS = pd.DataFrame(
    {
        "walk": ["b"] * 3 + ["a"] * 4,
        "second": [0, 1, 2, 0, 1, 2, 3],
        "x": [0.5, 0.1, 0.7, 0.3, 0.9, 0.2, 0.8],
        "gait": ["run", "run", "go", "go", "go", "run", "go"],
    }
)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_long_tables_of_any_library(library):
    table = {
        "pandas": lambda: WALKS,
        "polars": lambda: pl.from_pandas(WALKS),
        "pyarrow": lambda: pa.Table.from_pandas(WALKS),
    }[library]()
    sequences, gaits = Sequences.from_frame(
        table, by="walk", target="gait", time="second", per_step=True
    )
    assert sequences.feature_names.tolist() == ["x"]
    assert sequences.lengths.tolist() == [3, 4]
    assert [part.tolist() for part in gaits] == [["run", "run", "go"], ["go", "go", "run", "go"]]
    assert classifier(pooling=None).fit(sequences, gaits).classes_.tolist() == ["go", "run"]


def test_labels_of_steps_of_one_length_are_an_array():
    table = WALKS[:6].assign(weight=1.0)
    _, gaits = Sequences.from_frame(
        table.drop(columns="weight"), by="walk", target="gait", per_step=True
    )
    assert gaits.tolist() == [["run", "run", "go"], ["go", "go", "run"]]


def test_interleaved_rows_keep_their_labels():
    table = WALKS.sort_values(["second", "walk"])
    sequences, gaits = Sequences.from_frame(
        table, by="walk", target="gait", time="second", per_step=True
    )
    assert sequences.index.tolist() == ["a", "b"]
    assert gaits[1].tolist() == ["run", "run", "go"]


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda t: {"table": t, "time": "minute"}, "time='minute' is neither a column"),
        (
            lambda t: {"table": t[::-1], "target": "gait", "time": "second"},
            r"row 1 .*sort_values\(\)",
        ),
        (lambda t: {"table": t.iloc[[0, 2, 1]]}, r"Time must increase.*sort_values\(\)"),
        (lambda t: {"table": t.assign(date=pd.Timestamp("2024"))}, "time='date' makes them"),
        (lambda t: {"table": t, "target": "gait"}, "several labels.* per_step=True"),
        (lambda t: {"table": t, "target": "style"}, "target='style' is not a column"),
        (lambda t: {"table": t, "per_step": True}, "needs target="),
        (lambda t: {"table": t.to_numpy()}, "reads a DataFrame, got ndarray"),
    ],
)
def test_long_tables_that_are_wrong(read, message):
    with pytest.raises(ValueError, match=message):
        Sequences.from_frame(by="walk", **read(WALKS))


@pytest.mark.parametrize("time", [np.int64, float])
def test_rows_in_another_order_than_a_column_that_counts(time):
    table = WALKS.drop(columns="gait").astype({"second": time})
    shuffled = table.sample(frac=1, random_state=1).reset_index(drop=True)
    with pytest.warns(DataWarning, match="'second' numbers the steps.*sort_values"):
        Sequences.from_frame(shuffled, by="walk")
    Sequences.from_frame(table, by="walk")
    ordered = Sequences.from_frame(shuffled.sort_values("second"), by="walk", time="second")
    assert ordered.lengths.sum() == 7
    Sequences.from_frame(table.assign(x=[0, 1, 0, 1, 1, 0, 1], y=1), by="walk")


def test_named_fields_and_dicts_are_refused_with_the_cure():
    """As scipy's readers of ARFF and MATLAB files give them."""
    rows = np.zeros((20, 2), dtype=[("t0", float), ("t1", float)])  # series, channels; named steps
    with pytest.raises(TypeError, match=r"named fields \(t0, t1\).*structured_to_unstructured"):
        LSTMRegressor().fit(rows, np.arange(20.0))
    records = [{"data": np.zeros((3, 2)), "label": 1}] * 20
    with pytest.raises(TypeError, match=r"list of dicts with 'data', 'label'.*record\[name\]"):
        LSTMRegressor().fit(records, np.arange(20.0))
    with pytest.raises(TypeError, match="X is a dict with 'data'"):
        LSTMRegressor().fit({"data": [np.zeros((3, 2))] * 20}, np.arange(20.0))
