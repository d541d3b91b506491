import re
import sys
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from sklstm import LSTMRegressor, Sequences
from sklstm.datasets import load_mat, save_mat

WEEKS, DAYS = 5, 7
MATLAB_CLASSES = {"f": b"double", "i": b"int16", "u": b"uint8", "b": b"logical"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weather.mat"


@pytest.fixture
def weeks():
    """Two matrices of a station, n_sequences by n_steps."""
    rng = np.random.default_rng(0)
    return {
        "temperature": rng.normal(size=(WEEKS, DAYS)),
        "humidity": rng.normal(size=(WEEKS, DAYS)),
    }


def save_v5(path, fields):
    savemat(path, {name: cells(v) if isinstance(v, list) else v for name, v in fields.items()})


def save_v73(path, fields):
    """Write what MATLAB 7.3 writes: transposed arrays, cells as references, a user block."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in fields.items():
            write_v73(file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_v73(file, name, value):
    if isinstance(value, list):
        references = file.require_group("#refs#")
        parts = [f"{name}_{k}" for k in range(len(value))]
        for part, cell in zip(parts, value, strict=True):
            write_v73(references, part, cell)
        item = file.create_dataset(name, (1, len(value)), h5py.ref_dtype)
        item[0] = [references[part].ref for part in parts]
        matlab_class = b"cell"
    else:
        value = np.atleast_2d(value)
        matlab_class = MATLAB_CLASSES[value.dtype.kind]
        stored = np.array(value.shape, dtype=np.uint64) if value.size == 0 else value.T
        item = file.create_dataset(
            name, data=stored.astype("u1") if value.dtype == bool else stored
        )
        if value.size == 0:
            item.attrs["MATLAB_empty"] = np.uint8(1)
    item.attrs["MATLAB_class"] = np.bytes_(matlab_class)


def cells(parts):
    column = np.empty((len(parts), 1), dtype=object)
    for row, part in enumerate(parts):
        column[row, 0] = part
    return column


both_versions = pytest.mark.parametrize("save", [save_v5, save_v73])


# What a file of MATLAB becomes.


@both_versions
def test_matrices_become_one_array(path, weeks, save):
    rain = np.arange(WEEKS * DAYS, dtype=float).reshape(WEEKS, DAYS)
    save(path, weeks | {"rain": rain})
    loaded = load_mat(path, features=["temperature", "humidity"], target="rain")
    assert loaded.data.shape == (WEEKS, DAYS, 2)
    for week in range(WEEKS):
        for day in range(DAYS):
            expected = [weeks["temperature"][week, day], weeks["humidity"][week, day]]
            assert loaded.data[week, day].tolist() == expected
    np.testing.assert_array_equal(loaded.target, rain)
    assert loaded.feature_names == ["temperature", "humidity"]


@both_versions
@pytest.mark.parametrize("shape", [(WEEKS, 1), (1, WEEKS)], ids=["column", "row"])
def test_a_vector_is_one_target_a_sequence(path, weeks, save, shape):
    save(path, weeks | {"rain": np.arange(WEEKS).reshape(shape)})
    target = load_mat(path, features=list(weeks), target="rain").target
    np.testing.assert_array_equal(target, np.arange(WEEKS), strict=False)
    assert target.shape == (WEEKS,)


@both_versions
def test_vectors_become_a_table(path, save):
    hours = np.arange(20.0)
    save(path, {"temperature": hours[:, None], "humidity": -hours[None], "rain": hours[None] > 5})
    loaded = load_mat(path, features=["temperature", "humidity"], target="rain")
    expected = pd.DataFrame({"temperature": hours, "humidity": -hours})
    pd.testing.assert_frame_equal(loaded.data, expected)
    pd.testing.assert_series_equal(loaded.target, pd.Series(hours > 5, name="rain"))


@both_versions
def test_cells_of_vectors_become_a_list(path, save):
    speed = [np.arange(length, dtype=float) for length in (3, 5, 1, 0)]
    columns = [part[:, None] for part in speed]
    rows = [part[None] for part in speed]
    fields = {"speed": columns, "force": rows, "label": rows, "total": np.arange(4)}
    save(path, fields)
    loaded = load_mat(path, ["force", "speed"], "label")
    for k, part in enumerate(speed):
        np.testing.assert_array_equal(loaded.data[k], np.column_stack([part, part]), strict=True)
        np.testing.assert_array_equal(loaded.target[k], part, strict=True)
    total = load_mat(path, ["force", "speed"], "total").target
    np.testing.assert_array_equal(total, np.arange(4))


@both_versions
def test_cells_of_matrices_have_a_feature_a_column(path, save):
    recordings = [np.arange(3.0 * steps).reshape(steps, 3) for steps in (4, 1, 2)]
    save(path, {"sensor": [*recordings, np.zeros((0, 0))]})
    loaded = load_mat(path)
    assert loaded.feature_names == ["sensor_0", "sensor_1", "sensor_2"]
    for sequence, expected in zip(loaded.data, [*recordings, np.zeros((0, 3))], strict=True):
        np.testing.assert_array_equal(sequence, expected, strict=True)


@both_versions
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16])
def test_features_become_floats_and_a_target_keeps_its_type(path, save, dtype):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    save(path, {"x": values, "y": values})
    loaded = load_mat(path, "x", "y")
    np.testing.assert_array_equal(loaded.data[..., 0], values.astype(float), strict=True)
    np.testing.assert_array_equal(loaded.target, values, strict=True)


@both_versions
def test_a_single_sequence_is_one_if_its_target_is(path, save):
    save(path, {"a": np.ones((1, 9)), "b": np.ones((9, 1)), "y": 3.0, "steps": np.ones((1, 9))})
    one = load_mat(path, ["a", "b"], "y")
    assert one.data.shape == (1, 9, 2)
    assert one.target == [3.0]
    table = load_mat(path, ["a", "b"], "steps")
    assert table.data.shape == (9, 2)
    assert table.target.shape == (9,)


def test_all_numbers_but_the_target_are_features(path, weeks):
    text = {"station": "Seattle", "source": {"name": "NOAA"}}
    save_v5(path, text | weeks | {"rain": np.zeros(WEEKS)})
    assert load_mat(path, target="rain").feature_names == ["temperature", "humidity"]
    loaded = load_mat(path, features="humidity")
    assert loaded.data.shape == (WEEKS, DAYS, 1)
    assert loaded.target is None


def test_a_model_fits_what_was_loaded(path, weeks):
    save_v5(path, weeks | {"rain": np.arange(WEEKS)})
    loaded = load_mat(path, target="rain")
    predicted = LSTMRegressor(max_epochs=1).fit(loaded.data, loaded.target).predict(loaded.data)
    assert predicted.shape == (WEEKS,)


def test_big_endian_files_give_native_numbers(path):
    with path.open("wb") as file:  # version 4, of a big-endian machine: a row vector of doubles
        file.write(np.array([1000, 1, 3, 0, 2], dtype=">i4").tobytes() + b"x\0")
        file.write(np.array([1, 2, 3], dtype=">f8").tobytes())
    for loaded in (load_mat(path).data["x"], load_mat(path, "x", "x").target):
        assert loaded.dtype.isnative
        assert loaded.tolist() == [1, 2, 3]


# The way back.


def round_trip(data, target, **names):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "round.mat"
        save_mat(path, data, target, **names)
        name = names.get("target_name", "target")
        return load_mat(path, target=None if target is None else name)


@settings(max_examples=25)
@given(st.tuples(*[st.integers(1, 4)] * 3), st.sampled_from([None, 1, 2]), st.booleans())
def test_arrays_come_back(shape, target_ndim, is_logical):
    rng = np.random.default_rng(0)
    data = rng.normal(size=shape)
    target = None if target_ndim is None else rng.integers(2, size=shape[:target_ndim])
    if is_logical and target is not None:
        target = target.astype(bool)
    loaded = round_trip(data, target, feature_names=[f"x{k}" for k in range(shape[2])])
    np.testing.assert_array_equal(loaded.data, data, strict=True)
    if target is None:
        assert loaded.target is None
    elif shape[:2] == (1, 1):  # one value a sequence or one a step: MATLAB has one form for both
        assert loaded.target == target
    else:
        np.testing.assert_array_equal(loaded.target, target, strict=True)


@settings(max_examples=15)
@given(st.integers(0, 4), st.integers(1, 3), st.booleans())
def test_tables_come_back(n_rows, n_features, has_target):
    names = [f"x{k}" for k in range(n_features)]
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(n_rows, n_features)), columns=names)
    target = pd.Series(np.arange(n_rows), name="rain") if has_target else None
    loaded = round_trip(data, target, feature_names=names, target_name="rain")
    pd.testing.assert_frame_equal(loaded.data, data)
    if has_target:
        pd.testing.assert_series_equal(loaded.target, target)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(1, 3),
    st.sampled_from(["none", "sequence", "step"]),
)
def test_lists_come_back(lengths, n_features, target_of):
    data = [np.random.default_rng(k).normal(size=(n, n_features)) for k, n in enumerate(lengths)]
    targets = {
        "none": None,
        "sequence": np.arange(len(data)),
        "step": [np.arange(n) for n in lengths],
    }
    target = targets[target_of]
    loaded = round_trip(data, target, feature_names=[f"x{k}" for k in range(n_features)])
    for sequence, expected in zip(loaded.data, data, strict=True):
        np.testing.assert_array_equal(sequence, expected, strict=True)
    if target_of == "step":
        for sequence, expected in zip(loaded.target, target, strict=True):
            np.testing.assert_array_equal(sequence, expected, strict=True)
    elif target_of == "sequence":
        np.testing.assert_array_equal(loaded.target, target, strict=True)


def test_sequences_are_saved_as_a_list():
    data = Sequences.from_arrays([np.ones((2, 1)), np.zeros((3, 1))])
    loaded = round_trip(data, None, feature_names=["x"])
    assert Sequences.from_arrays(loaded.data) == data


def test_missing_values_come_back():
    data = np.array([[[1.0], [np.nan]], [[np.inf], [4.0]]])
    np.testing.assert_array_equal(round_trip(data, None, feature_names=["x"]).data, data)


def test_the_file_is_what_matlab_users_expect(path):
    save_mat(path, np.ones((WEEKS, DAYS, 1), dtype=np.int8), np.arange(WEEKS), feature_names=["t"])
    fields = loadmat(path)
    assert [name for name in fields if name[0] != "_"] == ["t", "target"]
    assert fields["t"].dtype == np.float64
    assert fields["target"].shape == (WEEKS, 1)


# Errors.


def refused(path, *parts, **choice):
    with pytest.raises(ValueError, match=".*".join(map(re.escape, parts))):
        load_mat(path, **choice)


@both_versions
def test_a_wrong_name_lists_the_fields(path, weeks, save):
    save(path, {"speed": [np.ones((k, 1)) for k in range(5)]} | weeks)
    there = "speed: 5 cells [(0, 1), (1, 1), (2, 1), ...]", "temperature: (5, 7)"
    refused(path, "no field 'Temperature'", *there, features=["Temperature"])
    refused(path, "weather.mat has no field 'rain'", *there, target="rain")


def test_a_file_without_numbers_has_no_features(path):
    save_v5(path, {"station": "Seattle"})
    refused(path, "no feature", "station: text")
    save_v5(path, {})
    refused(path, "no feature", "no fields")
    save_v5(path, {"x": np.ones(3)})
    refused(path, "no feature", "x: (1, 3)", target="x")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Seattle", "text"),
        ({"x": 1.0}, "a struct"),
        (np.ones(3) * 1j, "complex numbers"),
        (cells([np.ones(3) * 1j]), "a cell array that holds complex numbers"),
        (csc_array(np.eye(3)), "a sparse matrix"),
        (cells(["sun", "rain"]), "a cell array that holds text"),
        (cells([cells([1.0])]), "a cell array of cell arrays"),
        (np.array([[{}, {}], [{}, {}]]), "a cell array of several rows and columns"),
    ],
)
def test_a_field_without_numbers_is_named(path, value, kind):
    savemat(path, {"x": np.ones(3), "other": value, "y": np.array([True, False, True])})
    refused(path, f"Field 'other' is {kind}", "In MATLAB", features=["x", "other"])
    loaded = load_mat(path, target="y")
    assert loaded.feature_names == ["x"]
    assert loaded.target.dtype == bool


def test_a_field_without_numbers_is_named_in_a_new_file(path):
    save_v73(path, {"x": np.ones(3), "label": np.ones((1, 3), np.uint8)})
    with h5py.File(path, "r+") as file:
        file["label"].attrs["MATLAB_class"] = np.bytes_("char")
        file.create_group("struct").attrs["MATLAB_class"] = np.bytes_("struct")
        file.create_group("sparse").attrs["MATLAB_sparse"] = np.uint64(3)
        file["table"] = np.ones(3)
        file["table"].attrs["MATLAB_object_decode"] = np.int32(3)
        file["complex"] = np.ones((3, 1), dtype=[("real", "f8"), ("imag", "f8")])
        file["words"] = "words of another program"
    kinds = {
        "label": "text",
        "struct": "a struct",
        "sparse": "a sparse matrix",
        "table": "an object",
        "complex": "complex numbers",
        "words": "text",
    }
    for name, kind in kinds.items():
        refused(path, f"Field '{name}' is {kind}", "In MATLAB", features=name)
    assert load_mat(path).feature_names == ["x"]


@both_versions
def test_fields_of_different_shapes_are_named(path, weeks, save):
    save(path, weeks | {"rate": 2.0})
    refused(path, "'temperature' is (5, 7)", "'rate' is (1, 1)", features=["temperature", "rate"])
    save(path, {"a": np.ones((1, 8)), "b": np.ones((9, 1))})
    refused(path, "'a' is (1, 8)", "'b' is (9, 1)", features=["a", "b"])
    save(path, {"a": [np.ones((1, 8))], "b": np.ones((9, 1))})
    refused(path, "'a' is 1 cells [(1, 8)]", "'b' is (9, 1)")


def test_cells_that_do_not_fit_are_named(path):
    fives = [np.ones((5, 1))] * 3
    fours = [*fives[:2], np.ones((4, 1))]
    save_v5(path, {"a": fives, "b": fours})
    refused(path, "Sequence 2 has 4 steps in field 'b' and 5 in field 'a'")
    refused(path, "Sequence 2 has 4 steps in field 'b'", features="a", target="b")
    save_v5(path, {"a": fives, "b": fives[:2]})
    refused(path, "'b' has 2 cells", "'a' has 3")
    save_v5(path, {"a": [np.ones((12, 20)), np.ones((12, 18))]})
    refused(path, "'a' holds matrices (12, 18) (sequence 1)", "20 columns", "@transpose")
    save_v5(path, {"a": fives, "b": [np.ones((5, 2))] * 3})
    refused(path, "Target 'b' holds a matrix (5, 2)", features="a", target="b")


@pytest.mark.parametrize("features", ["matrix", "vector", "cells"])
@pytest.mark.parametrize("target", [np.ones((2, 3)), np.ones(4)], ids=["matrix", "vector"])
def test_a_target_that_does_not_fit_is_named(path, features, target):
    values = {"matrix": np.ones((5, 7)), "vector": np.ones(9), "cells": [np.ones(2), np.ones(3)]}
    save_v5(path, {"x": values[features], "y": target})
    shape = np.atleast_2d(target).shape
    refused(path, f"Target 'y' is {shape}", "expected a vector of", target="y")


def test_cells_are_no_target_of_matrices(path, weeks):
    save_v5(path, weeks | {"y": [np.ones((1, 2)), np.ones((1, 3))]})
    refused(path, "Target 'y' is 2 cells", "or a matrix (5, 7)", features=list(weeks), target="y")


def test_three_dimensions_are_refused(path):
    save_v5(path, {"x": np.ones((2, 3, 4))})
    refused(path, "Field 'x'", "(2, 3, 4)", "x(:, :, 1)")


@both_versions
def test_a_damaged_file_is_named(path, weeks, save):
    save(path, weeks)
    whole = path.read_bytes()
    lengths = [0, 3, 100, 126, len(whole) // 3, len(whole) - 1]
    assert all(a < b for a, b in pairwise(lengths))
    for length in lengths:
        path.write_bytes(whole[:length])
        refused(path, "weather.mat cannot be read as a MATLAB file", "incomplete")


def test_another_kind_of_file_is_named(path):
    path.write_text("date,temperature\n2012-01-01,12.8\n" * 20)
    refused(path, "weather.mat cannot be read as a MATLAB file", "another kind")


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError, match="weather.mat"):
        load_mat(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save_mat(path.parent / "nowhere" / "x.mat", np.ones((2, 2, 1)), feature_names=["x"])


def test_new_files_ask_for_h5py(path, weeks, monkeypatch):
    save_v73(path, weeks)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'sklstm[mat]'")):
        load_mat(path)
    save_v5(path, weeks)
    assert load_mat(path).data.shape == (WEEKS, DAYS, 2)


BLOCK = np.ones((2, 3, 1))
TABLE = pd.DataFrame({"x": [1.0, 2.0]})
LIST = [np.ones((2, 1)), np.ones((3, 1))]


@pytest.mark.parametrize(
    ("data", "target", "message"),
    [
        (np.ones((2, 3)), None, r"data has the shape \(2, 3\); expected .* pd.DataFrame"),
        ([], None, "empty list"),
        ([np.ones(3)], None, r"Sequence 0 has the shape \(3,\)"),
        ([*LIST, np.ones((3, 2))], None, r"Sequence 2 has the shape \(3, 2\), sequence 0"),
        (BLOCK.astype(str), None, "data has the type <U"),
        (TABLE.astype(str), None, "Column 'x' has the type"),
        (BLOCK, [1, 2, 3], r"target has the shape \(3,\); expected \(2,\) or \(2, 3\)"),
        (TABLE, BLOCK[0], r"target has the shape \(3, 1\); expected \(2,\):"),
        (TABLE, ["sun", "rain"], "target has the type <U4; expected numbers.*LabelEncoder"),
        (LIST, [1], r"target has the shape \(1,\); expected \(2,\):"),
        (LIST, [[1, 2]], "target has 1 vectors; expected 2"),
        (LIST, [[1, 2], [1, 2]], r"Target 1 has the shape \(2,\); expected \(3,\)"),
    ],
)
def test_what_cannot_be_saved_is_refused(path, data, target, message):
    with pytest.raises(ValueError, match=message):
        save_mat(path, data, target, feature_names=["x"])
    assert not path.exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x", "y"], "feature_names has 2 names, data has 1 features"),
        (["temp max"], "no field 'temp max'; expected letters"),
        (["_x"], "no field '_x'"),
        (["x" * 64], "at most 63"),
        (["rain"], "'rain' names two fields"),
    ],
)
def test_names_that_matlab_refuses(path, names, message):
    with pytest.raises(ValueError, match=message):
        save_mat(path, BLOCK, [1, 2], feature_names=names, target_name="rain")
