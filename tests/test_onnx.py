"""What onnxruntime computes from the file is what the estimator predicts."""

import json
import subprocess
import sys
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower
from sklstm.datasets import load_weather

LENGTHS = np.array([7, 0, 1, 4, 9, 2, 3, 5, 0, 6])
RNG = np.random.default_rng(0)
X = [RNG.normal([5, -100, 0], [30, 1, 0.1], size=(length, 3)) for length in LENGTHS]
Y = RNG.normal(100, 10, size=len(X))
LABELS = list("abcabcabca")
TOKENS = [RNG.integers(9, size=length) for length in LENGTHS]


def quick(estimator=LSTMRegressor, **params):
    defaults = {"hidden_size": 5, "max_epochs": 5, "lr": 0.05, "random_state": 0}
    return estimator(**defaults | params)


def padded(sequences, padding):
    """Short sequences at the front, and something that must not matter behind."""
    n_steps = max(map(len, sequences))
    block = np.full((len(sequences), n_steps, *np.shape(sequences[0])[1:]), padding)
    for row, sequence in zip(block, sequences, strict=True):
        row[: len(sequence)] = sequence
    return block


@pytest.fixture
def serve(tmp_path):
    """All outputs by name, computed by onnxruntime."""

    def outputs(model, sequences):
        path = tmp_path / "model.onnx"
        model.to_onnx(path)
        onnx.checker.check_model(path, full_check=True)
        session = onnxruntime.InferenceSession(path)
        name = session.get_inputs()[0].name
        inputs = {
            name: padded(sequences, -99 if name == "tokens" else np.nan),
            "lengths": np.array([len(sequence) for sequence in sequences]),
        }
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(names, inputs), strict=True))
        for output in session.get_outputs():  # the shapes that the file promises
            assert len(output.shape) == found[output.name].ndim
            for promised, size in zip(output.shape, found[output.name].shape, strict=True):
                assert isinstance(promised, str) or promised == size
        return found

    return outputs


def assert_close(served, predicted, atol=1e-4):
    """Both agree; of every step, behind the end of a sequence too, if there are steps."""
    if isinstance(predicted, list):
        for of_sequence, expected in zip(served, predicted, strict=True):
            assert_close(of_sequence[: len(expected)], expected, atol)
        return
    assert served.dtype == predicted.dtype
    assert served.shape == predicted.shape
    np.testing.assert_allclose(served, predicted, rtol=0, atol=atol)


# The network


@pytest.mark.parametrize(("num_layers", "dtype"), [(1, "float32"), (2, "float64")])
@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional"),
    list(product(["lstm", "gru", "rnn"], ["last", "mean", "max", "attention"], [False, True])),
)
def test_every_network_predicts_the_same(cell, pooling, bidirectional, num_layers, dtype, serve):
    model = quick(
        cell=cell,
        pooling=pooling,
        bidirectional=bidirectional,
        num_layers=num_layers,
        dropout=0.1,
        dtype=dtype,
    ).fit(X, Y)
    for rows in (slice(None), slice(0, 1), slice(1, 3), slice(2, 3)):
        assert_close(serve(model, X[rows])["prediction"], model.predict(X[rows]))


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_no_runtime_needs_to_stop_at_the_end_of_a_sequence(
    cell, bidirectional, pooling, missing, tmp_path
):
    """The reference implementation reads all steps, as OpenVINO does where shapes are dynamic."""
    if missing == "mask" and parse_version(onnx.__version__) < parse_version("1.18"):
        pytest.skip("the reference implementation of onnx 1.17 does not find inputs of a Scan")
    y = [x[:, 0] for x in X] if pooling is None else Y
    params = {"cell": cell, "bidirectional": bidirectional, "pooling": pooling}
    model = quick(missing=missing, num_layers=2, max_epochs=1, **params).fit(X, y)
    model.to_onnx(tmp_path / "model.onnx")
    file = onnx.load(tmp_path / "model.onnx")
    assert not any(node.op_type == cell.upper() and len(node.input) > 4 for node in file.graph.node)
    sequences = [x for x in X if len(x) or pooling != "mean"]  # of no steps: 0 / 0, with a warning
    lengths = np.array([len(sequence) for sequence in sequences])
    inputs = {"steps": padded(sequences, 7.0), "lengths": lengths}
    found = ReferenceEvaluator(file).run(None, inputs)[0]
    assert_close(found, model.predict(sequences))


@pytest.mark.parametrize("shape", [(), (2,)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_prediction_at_every_step(bidirectional, shape, serve):
    y = [RNG.normal(100, 10, size=(length, *shape)) for length in LENGTHS]
    model = quick(pooling=None, bidirectional=bidirectional).fit(X, y)
    assert_close(serve(model, X)["prediction"], model.predict(X))
    assert_close(serve(model, X[:1])["prediction"], model.predict(X[:1]))


@pytest.mark.parametrize(
    "y", [Y[:, None], np.column_stack([Y, 1e6 * Y])], ids=["a column", "two outputs"]
)
def test_targets_keep_their_shape_and_units(y, serve):
    model = quick().fit(X, y)
    assert_close(serve(model, X)["prediction"] / y.mean(0), model.predict(X) / y.mean(0))


@pytest.mark.parametrize("standardize", [True, False])
def test_large_numbers_with_small_changes(standardize, serve):
    offset = 1e8 if standardize else 0
    sequences = [x + offset for x in X]
    model = quick(standardize=standardize).fit(sequences, Y + offset)
    assert_close(serve(model, sequences)["prediction"], model.predict(sequences))


@pytest.mark.parametrize("params", [{}, {"bidirectional": True, "pooling": "mean"}])
def test_missing_values(params, serve):
    sequences = [np.where(RNG.random(x.shape) < 0.4, np.nan, x) for x in X]
    model = quick(missing="mask", **params).fit(sequences, Y)
    assert_close(serve(model, sequences)["prediction"], model.predict(sequences))
    nothing = [np.full((3, 3), np.nan)]
    assert_close(serve(model, nothing)["prediction"], model.predict(nothing))


@pytest.mark.parametrize("params", [{"embedding": 4}, {"embedding": RNG.normal(size=(12, 3))}])
def test_tokens_known_and_unknown(params, serve):
    model = quick(LSTMClassifier, pooling="max", bidirectional=True, **params).fit(TOKENS, LABELS)
    assert "steps" not in serve(model, TOKENS)
    unknown = [np.where(tokens == 3, 99, tokens) for tokens in TOKENS]
    for tokens in (TOKENS, unknown):
        assert_close(serve(model, tokens)["probabilities"], model.predict_proba(tokens))


def test_mixed_precision_is_served_in_single_precision(serve):
    model = quick(dtype="bfloat16").fit(X, Y)
    assert_close(serve(model, X)["prediction"], model.predict(X), atol=0.03 * Y.std())


def test_compiled_network(serve):
    model = quick().fit(X, Y)
    expected = model.predict(X)
    model.net_.module_ = torch.compile(model.net_.module_, backend="eager")
    assert_close(serve(model, X)["prediction"], expected)


@pytest.mark.cuda
def test_network_on_a_gpu(serve):
    model = quick(device="cuda", cell="gru").fit(X, Y)
    assert_close(serve(model, X)["prediction"], model.predict(X), atol=1e-3)


def test_histories_of_a_table(serve):
    weather = load_weather(as_frame=True).data[:200]
    model = make_pipeline(SequenceWindower(window_size=7, horizon=1), quick(max_epochs=1))
    model.fit(weather[:-1], weather["temp_max"][:-1])
    latest = weather.to_numpy()[-8:-1]
    served = serve(model[-1], [latest])["prediction"]
    assert_close(served, model.predict(weather[-1:]))


# Beside a start


def gappy(sequences, share, rng):
    """The sequences with missing values: some here and there, and everything after a while."""
    gappy = [np.where(rng.random(x.shape) < share, np.nan, x) for x in sequences]
    for x in gappy[::3] if share else []:
        x[rng.integers(1, 4) :, rng.integers(3)] = np.nan
    return gappy


@pytest.mark.parametrize("most_columns", [1024, 12])
@pytest.mark.parametrize("share", [0, 0.5], ids=["all there", "missing"])
@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (LSTMRegressor, {}),
        (LSTMRegressor, {"bidirectional": True, "pooling": "max"}),
        (LSTMRegressor, {"pooling": None}),
        (LSTMRegressor, {"pooling": None, "bidirectional": True, "loss": "quantile"}),
        (LSTMRegressor, {"loss": "gaussian", "standardize": False}),
        (LSTMClassifier, {"input_transform": ["levels", "differences"]}),
        (LSTMClassifier, {"pooling": None}),
    ],
    ids=str,
)
def test_sequences_of_other_lengths_than_in_training(
    estimator, params, share, most_columns, serve, monkeypatch
):
    monkeypatch.setattr("sklstm._nn.linear_init.MOST_COLUMNS", most_columns)
    rng = np.random.default_rng(1)
    train = [rng.normal(size=(length, 3)).cumsum(axis=0) for length in [6] * 40 + [1, 3, 0, 5]]
    y = [x[:, 0] + rng.normal(size=len(x)) for x in train]
    if params.get("pooling", "last") is not None:
        y = [float(of_steps[-1]) if len(of_steps) else 0.0 for of_steps in y]
    if estimator is LSTMClassifier:
        y = [np.where(np.asarray(of_steps) > 0, "up", "down") for of_steps in y]
        y = np.array(y) if params.get("pooling", "last") is not None else y
    missing = "mask" if share else "error"
    model = quick(estimator, init="linear", missing=missing, max_epochs=1, **params)
    model.fit(gappy(train, share, rng), y)
    others = [rng.normal(size=(n, 3)).cumsum(axis=0) for n in (40, 0, 1, 2, 3, 5, 6, 7, 11, 23)]
    others = gappy(others, share, rng)
    found = serve(model, others)
    if estimator is LSTMClassifier:
        assert_close(found["probabilities"], model.predict_proba(others))
    else:
        assert_close(found["prediction"], model.predict(others))


@pytest.mark.parametrize("share", [0, 0.3])
def test_windows_of_merged_runs_short_ones_too(share, serve):
    rng = np.random.default_rng(2)
    (values,) = gappy([rng.normal(size=(120, 3)).cumsum(axis=0)], share, rng)
    y = np.nan_to_num(values[:, 0]) + rng.normal(size=120)
    windows = SequenceWindower(8).fit_transform(values)
    missing = "mask" if share else "error"
    model = quick(missing=missing, supervised_steps=4, init="linear").fit(windows, y)
    assert_close(serve(model, list(windows))["prediction"], model.predict(windows))


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("most_columns", [1024, 4])
def test_the_last_value_seen_counts_however_long_ago(per_step, most_columns, serve, monkeypatch):
    monkeypatch.setattr("sklstm._nn.linear_init.MOST_COLUMNS", most_columns)
    rng = np.random.default_rng(0)
    train = rng.normal(size=(200, 5, 2))
    train[rng.random(train.shape) < 0.3] = np.nan
    seen = np.zeros(200)
    y = np.empty((200, 5))
    for step in range(5):
        seen = y[:, step] = np.where(np.isnan(train[:, step, 0]), seen, train[:, step, 0])
    pooling = None if per_step else "last"
    y = y if per_step else y[:, -1]
    model = quick(missing="mask", init="linear", pooling=pooling, max_epochs=1).fit(train, y)
    long = np.full((1, 40, 2), np.nan)
    long[0, 1] = 3.0
    start = model.init_.predict(Sequences.from_arrays(long))
    np.testing.assert_allclose(start, 3.0, atol=0.1)
    predicted = model.predict(long)
    last = predicted[0][-1] if per_step else predicted[0]
    assert last == pytest.approx(3.0, abs=0.3)
    assert_close(serve(model, list(long))["prediction"], predicted)


# Labels


@pytest.mark.parametrize(
    "y",
    [
        LABELS,
        np.array(LABELS, dtype=object),
        [5, 7, 9, 5, 7, 9, 5, 7, 9, 5],
        [-1.0, 1.0] * 5,
        [False, True] * 5,
    ],
    ids=["texts", "objects", "whole numbers", "numbers", "truth values"],
)
def test_labels_come_back_as_they_came(y, serve):
    model = quick(LSTMClassifier).fit(X, y)
    found = serve(model, X)
    assert list(found) == ["label", "probabilities"]
    assert_close(found["probabilities"], model.predict_proba(X))
    np.testing.assert_array_equal(found["label"], model.predict(X))
    assert type(found["label"].tolist()[0]) is type(np.asarray(y).tolist()[0])


def test_several_labels(serve):
    y = RNG.integers(2, size=(len(X), 3))
    model = quick(LSTMClassifier).fit(X, y)
    found = serve(model, X)
    assert_close(found["probabilities"], model.predict_proba(X))
    np.testing.assert_array_equal(found["label"], model.predict(X))


def test_a_label_at_every_step(serve):
    y = [RNG.choice(["a", "b", "c"], size=length) for length in LENGTHS]
    model = quick(LSTMClassifier, pooling=None).fit(X, y)
    found = serve(model, X)
    assert_close(found["probabilities"], model.predict_proba(X))
    for label, expected in zip(found["label"], model.predict(X), strict=True):
        np.testing.assert_array_equal(label[: len(expected)], expected)


def test_dates_are_no_labels_of_onnx(tmp_path):
    y = np.array(["2024-01-01", "2024-01-02"] * 5, dtype="datetime64[D]")
    with pytest.raises(ValueError, match="type datetime64; ONNX knows texts and numbers only"):
        quick(LSTMClassifier).fit(X, y).to_onnx(tmp_path / "model.onnx")


# Every kind of target, beside every kind of input

RANDOM = np.random.default_rng(1)
LOSSES = {
    "number": (LSTMRegressor, {}, RANDOM.normal(size=LENGTHS.sum())),
    "numbers": (LSTMRegressor, {}, RANDOM.normal(size=(LENGTHS.sum(), 2))),
    "gaussian": (LSTMRegressor, {"loss": "gaussian"}, RANDOM.normal(size=LENGTHS.sum())),
    "quantiles": (LSTMRegressor, {"loss": "quantile"}, RANDOM.normal(size=LENGTHS.sum())),
    "label": (LSTMClassifier, {}, RANDOM.choice(["a", "b", "c"], size=LENGTHS.sum())),
    "labels": (LSTMClassifier, {}, RANDOM.integers(2, size=(LENGTHS.sum(), 3))),
    "labels in uint8": (LSTMClassifier, {}, np.uint8(1) * RANDOM.choice(2, (LENGTHS.sum(), 2))),
    "labels of truth": (LSTMClassifier, {}, RANDOM.random((LENGTHS.sum(), 2)) > 0.5),
    "labels as floats": (LSTMClassifier, {}, RANDOM.choice([0.0, 1.0], (LENGTHS.sum(), 2))),
}
INPUTS = {
    "numbers": (X, {"init": None}),
    "init": (X, {"init": "linear"}),
    "validated init": (X, {"init": "linear", "early_stopping": True, "validation_fraction": 0.3}),
    "missing": ([np.where(RANDOM.random(x.shape) < 0.4, np.nan, x) for x in X], {"init": None}),
    "tokens": (TOKENS, {"init": None, "embedding": 3}),
}
INPUTS["missing and init"] = INPUTS["missing"][0], {"init": "linear"}


@pytest.mark.parametrize("pooling", ["last", "max", None])
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_target_beside_every_input(loss, inputs, pooling, serve):
    estimator, params, y = LOSSES[loss]
    data, more = INPUTS[inputs]
    if "missing" in inputs:
        more = more | {"missing": "mask"}
    y = y[: len(LENGTHS)] if pooling else np.split(y, LENGTHS.cumsum()[:-1])
    model = quick(estimator, hidden_size=3, max_epochs=1, pooling=pooling, **params | more)
    model.fit(data, y)
    found, predicted = serve(model, data), model.predict(data)
    if estimator is LSTMRegressor:
        assert_close(found["prediction"], predicted)
        return
    assert_close(found["probabilities"], model.predict_proba(data))
    for served, expected, n_steps in zip(found["label"], predicted, LENGTHS, strict=True):
        np.testing.assert_array_equal(served if pooling else served[:n_steps], expected)
        if "labels" in loss:
            assert served.dtype == expected.dtype


# The file


def test_the_model_tells_features_and_classes(tmp_path):
    table = load_weather(as_frame=True).data[:50]
    model = make_pipeline(SequenceWindower(), quick(LSTMClassifier)).fit(table, ["é", "b"] * 25)
    model[-1].to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["feature_names"]) == list(table)
    assert json.loads(facts["classes"]) == ["b", "é"]
    assert session.get_modelmeta().producer_name == "sklstm"


def test_predicts_without_sklstm_and_torch(tmp_path):
    model = quick().fit(X, Y)
    model.to_onnx(tmp_path / "model.onnx")
    script = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
steps, lengths = numpy.ones((1, 4, 3)), numpy.array([4])
print(*session.run(None, {"steps": steps, "lengths": lengths})[0])
assert not {"sklearn", "sklstm", "torch"} & set(sys.modules)
"""
    served = subprocess.check_output([sys.executable, "-c", script], cwd=tmp_path)
    assert float(served) == pytest.approx(model.predict(np.ones((1, 4, 3)))[0], abs=1e-4)


@pytest.mark.parametrize("length", [3, -1])
def test_a_length_beyond_the_steps_is_refused(length, tmp_path):
    quick().fit(X, Y).to_onnx(tmp_path / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", options)
    with pytest.raises(Exception, match="indices element out of data bounds"):
        session.run(None, {"steps": np.zeros((1, 2, 3)), "lengths": np.array([length])})


def test_the_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    model = quick().fit(X, Y)
    model.to_onnx(str(path))
    before = path.read_bytes()
    model.partial_fit(X, Y)

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full_disk)
        with pytest.raises(OSError, match="cannot be written: .*No space left"):
            model.to_onnx(path)
    assert path.read_bytes() == before
    model.to_onnx(path)
    assert path.read_bytes() != before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("place", "error"), [("nowhere/model.onnx", FileNotFoundError), ("", OSError)]
)
def test_a_path_that_cannot_be_written_is_named(place, error, tmp_path):
    with pytest.raises(error, match=f"path='{tmp_path / place}' cannot be written"):
        quick().fit(X, Y).to_onnx(tmp_path / place)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("estimator", [LSTMRegressor, LSTMClassifier])
def test_unfitted(estimator, tmp_path):
    with pytest.raises(NotFittedError):
        estimator().to_onnx(tmp_path / "model.onnx")


def test_a_network_of_others_is_refused(tmp_path):
    model = quick().fit(X, Y)
    model.net_.module = torch.nn.LSTM
    with pytest.raises(ValueError, match="The network is a LSTM from skorch_params"):
        model.to_onnx(tmp_path / "model.onnx")


def test_without_onnx_the_error_says_what_to_install(tmp_path, monkeypatch):
    model = quick().fit(X, Y)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "sklstm._nn.onnx", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'sklstm\[onnx\]'"):
        model.to_onnx(tmp_path / "model.onnx")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    quick().fit(X, Y).to_onnx(path)
    content = path.read_bytes()
    for size in np.linspace(0, len(content) - 1, 50).astype(int):
        path.write_bytes(content[:size])
        with pytest.raises(Exception, match="(?i)model|protobuf|graph"):
            onnxruntime.InferenceSession(path)
