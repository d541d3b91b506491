"""Fitted estimators are saved as plain data, and predict exactly the same once they are loaded."""

import copy
import io
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

import sklstm
from sklstm import (
    LagSequencer,
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    SequenceWindower,
    TokenSequencer,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*end with y itself")  # targets that are simple

RNG = np.random.default_rng(0)
RAGGED = [RNG.normal(size=(length, 2)) for length in (5, 0, 1, 7, 3, 4)]
BLOCK = RNG.normal(size=(20, 6, 2))
HOLES = np.where(RNG.random(BLOCK.shape) < 0.3, np.nan, BLOCK)
TEXTS = ["the cat sat", "a dog sat there", "", "one cat"] * 5
TABLE = pd.DataFrame(
    RNG.normal(size=(80, 2)), columns=["wind", "rain"], index=pd.date_range("2024", periods=80)
).assign(station=["north", "south", "east"] * 26 + ["north", "west"])


def quick(estimator=LSTMRegressor, **params):
    return estimator(**{"hidden_size": 4, "max_epochs": 2, "random_state": 0} | params)


def on_table(*others, **params):
    """Fitted on the first rows; the others, which it predicts, carry on."""
    params = {"max_gap": "any", "cold_start": "ignore"} | params
    windower = SequenceWindower(window_size=5, horizon=1, series="station", **params)
    model = make_pipeline(windower, *(others or [quick()])).fit(TABLE[:60], TABLE["wind"][:60])
    return model, TABLE[60:]


def on_index_levels():
    table = TABLE.set_index("station", append=True)
    windower = SequenceWindower(5, series="station", max_gap="5D", cold_start="ignore")
    model = make_pipeline(windower, quick()).fit(table[:60], table["wind"][:60])
    return model, table[60:]


def on_array():
    table = TABLE[["wind", "rain"]].to_numpy()
    return make_pipeline(SequenceWindower(5), quick()).fit(table, table[:, 0]), table


def on_vectors(vectors):
    """With word vectors in one of the forms that an estimator takes."""
    classifier = quick(LSTMClassifier, embedding=vectors, freeze_embedding=True)
    return make_pipeline(TokenSequencer(), classifier).fit(TEXTS, list("abca") * 5), TEXTS


VECTORS = {"cat": [1.0, 2.0], "dog": [3.0, 4.0], "sat": np.array([5.0, 6.0])}


def on_texts(**params):
    classifier = quick(LSTMClassifier, embedding=3)
    model = make_pipeline(TokenSequencer(**params), classifier).fit(TEXTS, list("abca") * 5)
    return model, TEXTS


MODELS = {
    "ragged": lambda: (quick().fit(RAGGED, np.arange(6.0)), RAGGED),
    "two outputs": lambda: (
        quick(cell="gru", bidirectional=True, dtype="float64").fit(BLOCK, BLOCK[:, 0]),
        BLOCK,
    ),
    "early stopping": lambda: (
        quick(early_stopping=True, random_state=np.random.RandomState(1)).fit(BLOCK, BLOCK[:, 0]),
        BLOCK,
    ),
    "every step": lambda: (quick(pooling=None).fit(RAGGED, [x[:, 0] for x in RAGGED]), RAGGED),
    "gaps": lambda: (quick(missing="mask").fit(HOLES, np.arange(20.0)), HOLES),
    "labels": lambda: (
        quick(LSTMClassifier, class_weight={"a": 2}).fit(BLOCK, list("abca") * 5),
        BLOCK,
    ),
    "several labels": lambda: (
        quick(LSTMClassifier).fit(BLOCK, RNG.integers(2, size=(20, 3))),
        BLOCK,
    ),
    "table": on_table,
    "add_time_delta": lambda: on_table(add_time_delta=True),
    "forgetful": lambda: on_table(carry_over=False),
    "index levels": on_index_levels,
    "array": on_array,
    "lags": lambda: on_table(SequenceFlattener(), DecisionTreeRegressor(max_depth=2)),
    "texts": on_texts,
    "vectors": lambda: on_vectors(VECTORS),
    "frame of vectors": lambda: on_vectors(pd.DataFrame(VECTORS).T),
    "matrix of vectors": lambda: on_vectors(TokenSequencer().fit(TEXTS).embedding_weights(VECTORS)),
    "words": lambda: on_texts(analyzer=list, max_features=5, max_length=3),
}


def through_skops(model, folder):
    skops.io.dump(model, folder / "model.skops")
    types = skops.io.get_untrusted_types(file=folder / "model.skops")
    return skops.io.load(folder / "model.skops", trusted=types)


def through_joblib(model, folder, *, compress=0, mmap_mode=None):
    joblib.dump(model, folder / "model.joblib", compress=compress)
    return joblib.load(folder / "model.joblib", mmap_mode=mmap_mode)


WAYS = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "old pickle": lambda model, folder: pickle.loads(pickle.dumps(model, protocol=2)),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "joblib": through_joblib,
    "joblib, compressed": lambda model, folder: through_joblib(model, folder, compress=3),
    "joblib, memory-mapped": lambda model, folder: through_joblib(model, folder, mmap_mode="r"),
    "skops": through_skops,
    "skops after pickle": lambda model, folder: through_skops(
        pickle.loads(pickle.dumps(model)), folder
    ),
}


def last_step(model):
    return model[-1] if hasattr(model, "steps") else model


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
        return
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_loaded_model_predicts_exactly_the_same(make, way, tmp_path):
    model, X = make()
    loaded = WAYS[way](model, tmp_path)
    assert_same(loaded.predict(X), model.predict(X))
    if hasattr(model, "predict_proba"):
        assert_same(loaded.predict_proba(X), model.predict_proba(X))
    estimator, other = last_step(model), last_step(loaded)
    if hasattr(estimator, "history_"):
        pd.testing.assert_frame_equal(other.history_, estimator.history_)
        assert {*vars(other)} == {*vars(estimator)}
    (tmp_path / "again").mkdir()  # writing over a file that is mapped into memory kills a process
    again = WAYS[way](loaded, tmp_path / "again")
    assert_same(again.predict(X), model.predict(X))


@pytest.mark.parametrize("way", ["pickle", "joblib, memory-mapped", "skops"])
def test_training_goes_on_where_it_was(way, tmp_path):
    model = quick(optimizer="sgd").fit(BLOCK, BLOCK[:, 0, 0])
    loaded = WAYS[way](model, tmp_path)
    for continued in (model, loaded):
        continued.partial_fit(BLOCK, BLOCK[:, 0, 0])
    assert_same(loaded.predict(BLOCK), model.predict(BLOCK))
    assert loaded.n_iter_ == len(loaded.history_) == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_search_keeps_its_best_model(way, tmp_path):
    model, X = on_array()
    search = GridSearchCV(model, {"lstmregressor__lr": [0.01, 0.1]}, cv=TimeSeriesSplit(2))
    X = pd.DataFrame(X)
    search.fit(X, X[0])
    assert_same(WAYS[way](search, tmp_path).predict(X), search.predict(X))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "names",
    [
        pd.Index(["b", "a"]),
        pd.Index(["b", "a"], dtype=object),
        pd.Index(["b", "a"], dtype="string"),
        pd.Index([7, 3]),
        pd.Index([7, 3], dtype="Int64"),
        pd.Index([7.0, 3.0]),
        pd.Index([True, False]),
        pd.CategoricalIndex(["b", "a"]),
        pd.date_range("2024", periods=2),
        pd.date_range("2024", periods=2, tz="Europe/Berlin"),
        pd.to_timedelta([1, 2]),
    ],
    ids=lambda names: str(names.dtype),
)
def test_series_keep_their_names(names, way, tmp_path):
    table = TABLE.iloc[:40, :2].assign(station=names.repeat(20), place=np.arange(40) % 3)
    for series in ("station", ["station", "place"]):
        columns = table if isinstance(series, list) else table.drop(columns="place")
        windower = SequenceWindower(3, series=series).fit(columns[:38])
        loaded = WAYS[way](windower, tmp_path)
        pd.testing.assert_index_equal(loaded.series_, windower.series_, exact="equiv")
        assert loaded.transform(columns[38:]) == windower.transform(columns[38:])
        assert loaded.transform(columns[38:]).lengths.tolist() == [3, 3]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "model",
    [
        quick(skorch_params={"optimizer__betas": (0.8, 0.9)}),
        quick(LSTMClassifier, class_weight={0: 1.0, 1: 2.5}),
        SequenceWindower(series=["a", "b"], max_gap="2h"),
        SequenceFlattener(),
        LagSequencer(),
        TokenSequencer(vocabulary={"a": 1, "b": 2}, analyzer=list),
    ],
    ids=lambda model: type(model).__name__,
)
def test_unfitted_ones_keep_their_parameters(model, way, tmp_path):
    assert WAYS[way](model, tmp_path).get_params() == model.get_params()


# What is in a file


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_skops_is_asked_to_trust_our_estimators_only(make):
    model, _ = make()
    types = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    ours = {
        f"{type(step).__module__}.{type(step).__name__}"
        for step in (model[:] if hasattr(model, "steps") else [model])
        if type(step).__module__.startswith("sklstm")
    }
    assert {name for name in types if not name.startswith("sklearn.")} == ours


def things_in(state):
    """All that can be reached through containers and what objects hold."""
    yield state
    if isinstance(state, dict):
        state = [*state, *state.values()]
    if isinstance(state, np.ndarray) and state.dtype == object:
        state = state.tolist()
    if isinstance(state, (list, tuple, set)):
        for item in state:
            yield from things_in(item)
    elif hasattr(state, "__dict__") and not isinstance(state, type):
        yield from things_in(state.__getstate__())


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_state_is_plain(make):
    model, _ = make()
    others = {
        type(thing).__module__.partition(".")[0]
        for thing in things_in(model.__getstate__())
        if not type(thing).__module__.startswith("sklearn")
    }
    assert others <= {"builtins", "numpy", "sklstm"}


def test_pickle_needs_no_torch_but_ours(monkeypatch):
    asked = set()

    class Watching(pickle.Unpickler):
        def find_class(self, module, name):
            asked.add(module.partition(".")[0])
            return super().find_class(module, name)

    model, X = on_table()
    loaded = Watching(io.BytesIO(pickle.dumps(model))).load()
    assert_same(loaded.predict(X), model.predict(X))
    assert asked <= {"numpy", "sklearn", "sklstm"}


def test_torch_loads_nothing_but_weights():
    """`torch.load` can run what it loads, unless it is told not to."""
    for path in Path(sklstm.__file__).parent.rglob("*.py"):
        for call in re.finditer(r"torch\.load\((?:[^()]|\([^()]*\))*\)", path.read_text()):
            assert "weights_only=True" in call[0], f"{path.name}: {call[0]}"
        assert not re.search(r"from torch import .*\bload\b|torch\.(jit|package)", path.read_text())


# Devices


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib", "skops"])
def test_a_model_from_a_gpu_predicts_without_one(way, tmp_path):
    model, X = on_table()
    expected = model.predict(X)
    model[-1].net_.device = "cuda:99"
    with pytest.warns(
        UserWarning, match="fitted on cuda:99, which is not here: it predicts on the"
    ):
        loaded = WAYS[way](model, tmp_path)
    assert loaded[-1].device_ == "cpu"
    assert_same(loaded.predict(X), expected)


@pytest.mark.cuda
@pytest.mark.parametrize("way", WAYS)
def test_a_model_on_a_gpu_stays_there(way, tmp_path):
    model = quick(device="cuda").fit(BLOCK, BLOCK[:, 0, 0])
    loaded = WAYS[way](model, tmp_path)
    assert next(loaded.net_.module_.parameters()).is_cuda
    assert_same(loaded.predict(BLOCK), model.predict(BLOCK))


@pytest.mark.cuda
def test_a_model_from_a_gpu_predicts_in_a_process_without_one(tmp_path, monkeypatch):
    model = quick(device="cuda").fit(BLOCK, BLOCK[:, 0, 0])
    joblib.dump((model, BLOCK), tmp_path / "model.joblib")
    script = """
import warnings, joblib, numpy
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model, X = joblib.load("model.joblib")
assert any("which is not here" in str(warning.message) for warning in caught)
assert model.device_ == "cpu"
numpy.save("predicted.npy", model.predict(X))
"""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PYTHONPATH", str(Path(sklstm.__file__).parent.parent))
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    predicted = np.load(tmp_path / "predicted.npy")
    np.testing.assert_allclose(predicted, model.predict(BLOCK), atol=1e-4)


# Damage


def saved(way, model):
    if way == "skops":
        return skops.io.dumps(model)
    file = io.BytesIO()
    (pickle.dump if way == "pickle" else joblib.dump)(model, file)
    return file.getvalue()


def load(way, content):
    if way == "pickle":
        return pickle.loads(content)
    if way == "joblib":
        return joblib.load(io.BytesIO(content))
    types = [
        "sklstm._estimators.regressor.LSTMRegressor",
        "sklstm._tables.windower.SequenceWindower",
    ]
    return skops.io.loads(content, trusted=types)


@pytest.mark.parametrize("way", ["pickle", "joblib", "skops"])
def test_a_truncated_file_is_refused(way):
    content = saved(way, on_table()[0])
    for size in np.linspace(0, len(content) - 1, 40).astype(int):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the reader finds missing
            load(way, content[:size])


@pytest.mark.parametrize("way", ["pickle", "joblib", "skops"])
def test_another_version_is_said(way, monkeypatch):
    model, X = on_table()
    monkeypatch.setattr("sklstm._data.estimator.__version__", "0.0.1")
    content = saved(way, model)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"saved by sklstm 0\.0\.1 and is loaded by sklstm \d"):
        loaded = load(way, content)
    assert_same(loaded.predict(X), model.predict(X))


def test_an_altered_file_of_skops_is_refused():
    content = saved("skops", on_table()[0])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        places = [info.header_offset + 200 for info in archive.infolist() if info.file_size > 300]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1
        with pytest.raises((zipfile.BadZipFile, ValueError)):
            load("skops", bytes(damaged))


def test_a_subclass_may_keep_more_or_less():
    class Noted(LSTMRegressor):
        def __getstate__(self):
            state = super().__getstate__() | {"note": "mine"}
            del state["_sklstm_version"]
            return state

    model = quick(Noted).fit(BLOCK, BLOCK[:, 0, 0])
    loaded = copy.deepcopy(model)
    assert loaded.note == "mine"
    assert_same(loaded.predict(BLOCK), model.predict(BLOCK))
