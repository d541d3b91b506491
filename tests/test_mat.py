import re
import sys
import warnings
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower
from sklstm._data.warning import DataWarning
from sklstm.datasets import load_mat, save_mat

WEEKS, DAYS = 5, 7
PARTS = count()
MATLAB_CLASSES = {"f": b"double", "c": b"double", "i": b"int16", "u": b"uint8", "b": b"logical"}


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


class Structs(list):
    """A struct array, given as dicts of the same fields."""


def save_v5(path, fields):
    savemat(path, {name: as_v5(value) for name, value in fields.items()})


def as_v5(value):
    if isinstance(value, Structs):
        array = np.zeros((1, len(value)), dtype=[(name, object) for name in value[0]])
        for k, record in enumerate(value):
            array[0, k] = tuple(map(as_v5, record.values()))
        return array
    if isinstance(value, dict):
        return {name: as_v5(part) for name, part in value.items()}
    return cells(map(as_v5, value)) if isinstance(value, list) else value


def save_v73(path, fields):
    """Write what MATLAB 7.3 writes: transposed arrays, cells as references, a user block."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in fields.items():
            write_v73(file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_v73(folder, name, value):
    if isinstance(value, Structs):
        item = folder.create_group(name)
        for field in value[0]:
            item[field] = references(folder, [record[field] for record in value])
        item.attrs["MATLAB_fields"] = fields_v73(value[0])
        matlab_class = b"struct"
    elif isinstance(value, dict):
        item = folder.create_group(name)
        for field, part in value.items():
            write_v73(item, field, part)
        item.attrs["MATLAB_fields"] = fields_v73(value)
        matlab_class = b"struct"
    elif isinstance(value, list):
        item = folder.create_dataset(name, data=references(folder, value))
        matlab_class = b"cell"
    elif isinstance(value, str):
        item = write_array(folder, name, np.frombuffer(value.encode("utf-16-le"), "<u2"))
        matlab_class = b"char"
    else:
        item = write_array(folder, name, np.asarray(value))
        matlab_class = MATLAB_CLASSES[np.asarray(value).dtype.kind]
    item.attrs["MATLAB_class"] = np.bytes_(matlab_class)


def write_array(folder, name, value):
    value = np.atleast_2d(value)
    if value.dtype.kind == "c":
        value = value.view([("real", "f8"), ("imag", "f8")])
    stored = np.array(value.shape, dtype=np.uint64) if value.size == 0 else value.T
    item = folder.create_dataset(name, data=stored.astype("u1") if value.dtype == bool else stored)
    if value.size == 0:
        item.attrs["MATLAB_empty"] = np.uint8(1)
    return item


def references(folder, parts):
    place = folder.file.require_group("#refs#")
    row = np.empty((1, len(parts)), dtype=h5py.ref_dtype)
    for k, part in enumerate(parts):
        name = f"part{next(PARTS)}"
        write_v73(place, name, part)
        row[0, k] = place[name].ref
    return row


def fields_v73(names):
    letters = np.empty(len(names), dtype=object)
    for k, name in enumerate(names):
        letters[k] = np.array(list(name), dtype="S1")
    return letters.astype(h5py.vlen_dtype(np.dtype("S1")))


def cells(parts):
    parts = list(parts)
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
    others = {"station": "Seattle", "source": {"name": "NOAA"}, "rate": 2.0}
    save_v5(path, others | weeks | {"rain": np.zeros(WEEKS)})
    left_out = r"weather.mat: station: text.*, source.name: text.*, rate: \(1, 1\)\. Name"
    with pytest.warns(UserWarning, match=left_out) as caught:
        assert load_mat(path, target="rain").feature_names == ["temperature", "humidity"]
    assert [warning.filename for warning in caught] == [__file__]
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


def test_only_what_is_asked_for_is_read(path):
    noise = np.random.default_rng(0).normal(size=(50, 4000))
    savemat(path, {"x": noise[:, :3], "broken": noise, "y": noise[:, 0]}, do_compression=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2  # within the large variable
    content[middle : middle + 8] = b"damaged!"
    path.write_bytes(content)
    assert load_mat(path, features="x", target="y").data.shape == (50, 3, 1)
    refused(path, "cannot be read", target="y")


def test_only_what_is_asked_for_is_read_from_a_new_file(path):
    save_v73(path, {"x": np.ones((5, 3)), "y": np.arange(5)})
    noise = np.random.default_rng(0).normal(size=(50, 40))
    with h5py.File(path, "r+") as file:
        broken = file.create_dataset("broken", data=noise, compression="gzip", chunks=noise.shape)
        start = broken.id.get_chunk_info(0).byte_offset + 512
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"damaged!")
    assert load_mat(path, features="x", target="y").data.shape == (5, 3, 1)
    refused(path, "cannot be read", target="y")


@pytest.mark.parametrize("n_copies", [2, 3])
@pytest.mark.parametrize("other", [np.ones(3), np.ones(3) * 1j], ids=["real", "complex"])
@pytest.mark.parametrize("version", ["4", "5"])
def test_the_newest_copy_of_a_variable_counts(path, version, other, n_copies):
    with path.open("wb") as file:
        for copy in range(n_copies):
            fields = {"x": np.full(3, copy + 1.0), "z": other, "y": np.full(3, -copy - 1.0)}
            savemat(file, fields, format=version, appendmat=False)
    content = path.read_bytes()
    if version == "5":  # as files that variables were appended to, with one header
        copies = content.split(content[:128])[1:]
        path.write_bytes(content[:128] + b"".join(copies))
    loaded = load_mat(path, features="x", target="y")
    assert loaded.data["x"].tolist() == [n_copies] * 3
    assert loaded.target.tolist() == [-n_copies] * 3
    if np.iscomplexobj(other):
        with pytest.warns(UserWarning, match="z: complex numbers"):
            everything = load_mat(path, target="y")
        pd.testing.assert_frame_equal(everything.data, loaded.data)
        pd.testing.assert_series_equal(everything.target, loaded.target)


def test_types_survive_beside_complex_numbers(path):
    record = {"x": np.ones((4, 1)), "y": np.array([[1.0], [2], [2], [1]]), "z": np.ones(4) * 1j}
    save_v5(path, {"s": record})
    loaded = load_mat(path, "s.x", "s.y")
    assert loaded.target.dtype == np.float64  # stored as bytes
    assert loaded.target.tolist() == [1, 2, 2, 1]


# Tables.


@both_versions
def test_rows_of_matrices_are_steps_of_a_table(path, save):
    values = np.arange(24.0).reshape(8, 3)
    fields = {
        "data": values,
        "speed": np.arange(8),
        "force": np.arange(8)[:, None],
        "y": values[:, :1],
    }
    save(path, fields)
    loaded = load_mat(path, ["speed", "data", "force"], "y", layout="table")
    names = ["speed", "data_0", "data_1", "data_2", "force"]
    hours = np.arange(8.0)[:, None]
    expected = pd.DataFrame(np.hstack([hours, values, hours]), columns=names)
    pd.testing.assert_frame_equal(loaded.data, expected)
    assert loaded.feature_names == names
    assert loaded.target.tolist() == values[:, 0].tolist()
    refused(path, "'speed' is (1, 8)", "layout='table'", features=["speed", "data"])
    save(path, {"a": values, "b": values[:5]})
    refused(path, "'a' is (8, 3)", "'b' is (5, 3)", layout="table")
    save(path, {"a": [values, values]})
    refused(path, "'a' is 2 cells", "expected a vector or a matrix", layout="table")
    refused(path, "layout is 'rows'; expected 'auto' or 'table'", layout="rows")


@both_versions
def test_single_values_of_a_struct_array_are_rows(path, save):
    rows = Structs({"speed": float(k), "force": -1.0 * k, "site": "ab"[k % 2]} for k in range(4))
    save(path, {"log": rows})
    loaded = load_mat(path, ["log.speed", "log.site"], "log.force", layout="table")
    expected = pd.DataFrame({"log.speed": [0.0, 1, 2, 3], "log.site": ["a", "b", "a", "b"]})
    pd.testing.assert_frame_equal(loaded.data, expected)
    assert loaded.target.tolist() == [0, -1, -2, -3]
    windows = SequenceWindower(2, series="log.site").fit_transform(loaded.data)
    assert windows[3].ravel().tolist() == [1, 3]


# Structs and labels.


@both_versions
def test_fields_of_a_struct_are_features(path, weeks, save):
    station = weeks | {"place": {"height": weeks["humidity"] + 1}, "rain": np.arange(WEEKS)}
    save(path, {"station": station, "rain": np.zeros(WEEKS)})
    loaded = load_mat(path, features="station", target="station.rain")
    names = ["station.temperature", "station.humidity", "station.place.height"]
    assert loaded.feature_names == names
    np.testing.assert_array_equal(loaded.data[..., 2], weeks["humidity"] + 1)
    assert loaded.target.tolist() == [0, 1, 2, 3, 4]
    both = load_mat(path, features=["station.humidity", "station"], target="station.rain")
    assert both.feature_names == [names[1], names[0], names[2]]
    refused(
        path, "no field 'station'", "station.humidity: (5, 7)", features="rain", target="station"
    )
    save(path, {"station": {"rain": np.arange(WEEKS)}})
    refused(path, "no feature", "station.rain: (1, 5)", features="station", target="station.rain")


@both_versions
@pytest.mark.parametrize("container", [Structs, list], ids=["struct array", "cells of structs"])
def test_each_struct_is_a_sequence(path, save, container):
    rng = np.random.default_rng(0)
    walks = [rng.normal(size=(length, 2)) for length in (3, 5, 2)]
    records = [
        {"sensor": walk, "speed": walk[:, 0], "walker": walker, "age": age, "steps": walk[:, 1:]}
        for walk, walker, age in zip(walks, ["Ann", "Bo", ""], [30.0, 41.0, 52.0], strict=True)
    ]
    save(path, {"walks": container(records)})
    names = ["walks.sensor", "walks.speed"]
    loaded = load_mat(path, names, "walks.walker")
    assert loaded.feature_names == ["walks.sensor_0", "walks.sensor_1", "walks.speed"]
    for sequence, walk in zip(loaded.data, walks, strict=True):
        np.testing.assert_array_equal(sequence, np.column_stack([walk, walk[:, 0]]), strict=True)
    assert loaded.target.tolist() == ["Ann", "Bo", None]
    assert load_mat(path, names, "walks.age").target.tolist() == [30, 41, 52]
    with pytest.warns(UserWarning, match="Left out of .*: walks.age: 3 cells"):
        everything = load_mat(path, "walks", "walks.walker")
    assert everything.feature_names == [*loaded.feature_names, "walks.steps"]
    per_step = load_mat(path, names, "walks.steps").target
    for target, walk in zip(per_step, walks, strict=True):
        np.testing.assert_array_equal(target, walk[:, 1], strict=True)


def test_structs_of_different_fields_are_named(path):
    save_v5(path, {"x": [{"a": np.ones(3)}, {"b": np.ones(3)}]})
    refused(path, "'x' is a cell array of different things", features="x")


@both_versions
def test_labels_of_cells_and_chars(path, weeks, save):
    sky = ["sun", "rain", "sun", "fog", "rain"]
    save(path, weeks | {"cells": sky, "numbers": [1.0, 2.0, 1.0, 0.0, 2.0]})
    loaded = load_mat(path, features=list(weeks), target="cells")
    assert loaded.target.dtype.kind == "U"
    assert loaded.target.tolist() == sky
    LSTMClassifier(max_epochs=1).fit(loaded.data, loaded.target)
    assert load_mat(path, list(weeks), "numbers").target.tolist() == [1, 2, 1, 0, 2]


def test_rows_of_a_char_matrix_are_labels(path, weeks):
    sky = np.array(["sun", "rain", "sun", "fog", "rain"])
    savemat(path, weeks | {"y": sky})
    assert load_mat(path, list(weeks), "y").target.tolist() == sky.tolist()
    with h5py.File(path, "w") as file:
        for name, values in weeks.items():
            file[name] = values.T
        letters = np.array([list(label.ljust(4)) for label in sky]).view("<u4").astype("u2")
        file["y"] = letters.T
        file["y"].attrs["MATLAB_class"] = np.bytes_("char")
    assert load_mat(path, list(weeks), "y").target.tolist() == sky.tolist()


@both_versions
def test_labels_of_rows_and_steps(path, save):
    save(path, {"x": np.arange(3.0), "y": ["sun", "", "fog"], "short": ["sun", "fog"]})
    table = load_mat(path, "x", "y")
    assert table.target.isna().tolist() == [False, True, False]
    assert table.target.dropna().tolist() == ["sun", "fog"]
    refused(path, "Target 'short' is text (2, 1)", "3 values", features="x", target="short")
    steps = {"x": [np.ones((2, 1)), np.ones((3, 1))], "y": [["wake", "sleep"], ["wake", "", "rem"]]}
    save(path, steps)
    loaded = load_mat(path, target="y")
    assert [target.tolist() for target in loaded.target] == [
        ["wake", "sleep"],
        ["wake", None, "rem"],
    ]
    assert loaded.target[0].dtype.kind == "U"
    save(path, steps | {"y": [["wake", "sleep"], ["wake", "rem"]]})
    refused(path, "Sequence 1 has 2 steps in field 'y' and 3", target="y")


# Missing values.


@both_versions
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_numbers_stand_for_missing_values(path, save, dtype):
    marks = [-9999, -1] if dtype == np.int16 else [-9999.9, -1]
    values = np.array([[1, marks[0], 3], [marks[1], 5, 6]], dtype=dtype)
    save(path, {"x": values, "y": values[:, 0], "cells": [values.T, values.T[:2]]})
    loaded = load_mat(path, "x", "y", missing_values=marks)
    expected = [[1, np.nan, 3], [np.nan, 5, 6]]
    np.testing.assert_array_equal(loaded.data[..., 0], expected)
    np.testing.assert_array_equal(loaded.target, [1, np.nan])
    cell = load_mat(path, "cells", missing_values=marks).data[1]
    np.testing.assert_array_equal(cell, np.transpose(expected)[:2])
    one = load_mat(path, "x", "y", missing_values=marks[0])
    np.testing.assert_array_equal(np.isnan(one.data[..., 0]), [[0, 1, 0], [0, 0, 0]])
    assert one.target.dtype == dtype
    for wrong in ("NA", [[1]], None == 0):
        refused(path, f"missing_values is {wrong!r}", features="x", missing_values=wrong)


@pytest.mark.parametrize("form", ["array", "list", "target", "steps"])
def test_masked_values_are_saved_as_missing(form):
    values = np.array([[1.0, -9999], [3, 4], [-9999, 6]])
    masked = np.ma.masked_equal(values, -9999)
    expected = masked.filled(np.nan)
    if form == "array":
        data = round_trip(masked[:, :, None], None, feature_names=["x"]).data[..., 0]
        np.testing.assert_array_equal(data, expected)
    elif form == "list":
        data = round_trip([masked], None, feature_names=["x", "y"]).data[0]
        np.testing.assert_array_equal(data, expected)
    elif form == "target":
        labels = np.ma.masked_equal([1, 2, -9999], -9999)
        target = round_trip(np.ones((3, 2, 1)), labels, feature_names=["x"]).target
        np.testing.assert_array_equal(target, [1, 2, np.nan])
    else:
        target = round_trip([values], [masked[:, 0]], feature_names=["x", "y"]).target[0]
        np.testing.assert_array_equal(target, expected[:, 0])


# Objects of MATLAB.


def save_objects(path, fields, version):
    import_matio().save_to_mat(path, fields, version=version)


def import_matio():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it sets an option of pandas that is deprecated
        import matio
    return matio


both_objects = pytest.mark.parametrize("version", ["v7", "v7.3"])


@both_objects
def test_a_table_of_matlab(path, version):
    table = pd.DataFrame(
        {
            "speed": [1.0, 2, -9999],
            "site": pd.array(["a", "b", "a"], dtype="str"),
            "sky": pd.Categorical(["sun", None, "fog"]),
            "count": np.array([4, 5, 6], dtype=np.int32),
        }
    )
    save_objects(path, {"log": table, "other": np.ones((5, 5))}, version)
    with pytest.warns(UserWarning, match=r"Left out of .*: log.site: text \(3, 1\)\. Name"):
        loaded = load_mat(path, features="log", target="log.sky", missing_values=-9999)
    expected = pd.DataFrame({"log.speed": [1, 2, np.nan], "log.count": [4.0, 5, 6]})
    pd.testing.assert_frame_equal(loaded.data, expected)
    assert loaded.target.isna().tolist() == [False, True, False]
    assert loaded.target.dropna().tolist() == ["sun", "fog"]
    named = load_mat(path, features=["log.speed", "log.site"])
    assert named.data["log.site"].tolist() == ["a", "b", "a"]
    both = load_mat(path, features=["log", "log.site"], target="log.sky")
    assert both.feature_names == ["log.speed", "log.count", "log.site"]


@both_objects
@pytest.mark.parametrize("kind", ["datetime", "duration"])
def test_times_of_rows_are_the_index(path, version, kind):
    times = pd.date_range("2024-02-28", periods=3, freq="D", name="Time")
    if kind == "duration":
        times = pd.to_timedelta(np.arange(3), unit="s").as_unit("s").rename("Time")
    table = pd.DataFrame({"speed": [1.0, 2, 3]}, index=times)
    vectors = {"t": times.to_numpy()[:, None], "speed": np.array([[1.0], [2], [3]])}
    save_objects(path, {"log": table, **vectors}, version)
    for features, names in {
        "log": ["log.Time", "log.speed"],
        ("t", "speed"): ["t", "speed"],
    }.items():
        features = features if isinstance(features, str) else list(features)
        loaded = load_mat(path, features)
        assert loaded.feature_names == names[1:]
        assert loaded.data.index.name == names[0]
        assert (loaded.data.index == times).all()
        assert loaded.data[names[1]].tolist() == [1, 2, 3]
    refused(path, "Fields 'log.Time', 't' hold times", features=["log", "t"])
    refused(path, "Field 't' is times (3, 1)", features="t")
    refused(path, "Target 't' is times", features="speed", target="t")


def test_the_newest_copy_counts_beside_objects(path):
    savemat(path, {"x": np.ones((3, 1))})
    older = path.read_bytes()[128:]
    fields = {"log": pd.DataFrame({"speed": [1.0, 2, 3]}), "x": np.full((3, 1), 2.0)}
    save_objects(path, fields, "v7")
    content = path.read_bytes()
    end = int.from_bytes(content[116:124], "little") + len(older)  # where the objects begin
    start = content[:116] + end.to_bytes(8, "little") + content[124:128]
    path.write_bytes(start + older + content[128:])
    for features in ("x", ["x", "log"], ["log", "x"]):
        assert load_mat(path, features).data["x"].tolist() == [2, 2, 2]


@both_objects
def test_strings_and_categories_are_labels(path, weeks, version):
    sky = ["sun", "rain", "sun", "fog", "rain"]
    strings = np.array(sky, dtype=np.dtypes.StringDType())[:, None]
    labels = {"strings": strings, "sky": pd.Categorical(sky), "record": {"strings": strings}}
    save_objects(path, weeks | labels, version)
    for target in ("strings", "sky", "record.strings"):
        loaded = load_mat(path, list(weeks), target)
        assert loaded.target.tolist() == sky
        np.testing.assert_array_equal(loaded.data[..., 1], weeks["humidity"])


@both_objects
def test_a_time_zone_is_no_secret(path, version):
    matio = import_matio()
    zoned = {"data": np.array([[0.0], [3.6e6]]), "tz": np.array(["Europe/Berlin"])}
    zone = matio.utils.matclass.MatlabOpaque(zoned, "datetime")
    save_objects(path, {"t": zone, "x": np.ones((2, 1))}, version)
    with pytest.warns(UserWarning, match="have a time zone; they are converted to UTC") as caught:
        loaded = load_mat(path, features=["t", "x"])
    assert [warning.filename for warning in caught] == [__file__]
    assert loaded.data.index.tolist() == [
        pd.Timestamp("1970-01-01"),
        pd.Timestamp("1970-01-01 01:00"),
    ]


def test_objects_ask_for_mat_io(path, monkeypatch):
    fields = {"log": pd.DataFrame({"speed": [1.0, 2]}), "x": np.ones((4, 3))}
    save_objects(path, fields, "v7")
    newer = path.with_name("new.mat")
    save_objects(newer, fields, "v7.3")
    monkeypatch.setitem(sys.modules, "matio", None)
    for choice in ({}, {"features": "log"}):
        with pytest.raises(ImportError, match="mat-io: pip install 'sklstm\\[mat]'"):
            load_mat(path, **choice)
    refused(newer, "'log' is an object of MATLAB", "mat-io", features="log")
    for file in (path, newer):
        assert load_mat(file, "x").data.shape == (4, 3, 1)


def test_text_in_the_whole_header_is_harmless(path):
    save_v5(path, {"x": np.ones((4, 3))})
    content = path.read_bytes()
    path.write_bytes(content[:116] + b"by tools" + content[124:])  # where objects would be named
    assert load_mat(path).data.shape == (4, 3, 1)


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
    refused(path, "no feature", "x: (1, 3)", features=[])
    refused(path, "no field 1; expected names", features=[1])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"x": np.ones(3) * 1j}, "complex numbers"),
        (np.ones(3) * 1j, "complex numbers"),
        (cells([np.ones(3) * 1j]), "a cell array that holds complex numbers"),
        (csc_array(np.eye(3)), "a sparse matrix"),
        (cells(["sun", np.ones(3)]), "a cell array of different things"),
        (cells([cells([1.0])]), "a cell array of cell arrays"),
        (np.array([[{}, {}], [{}, {}]]), "a cell array of several rows and columns"),
    ],
)
def test_a_field_without_numbers_is_named(path, value, kind):
    savemat(path, {"x": np.ones(3), "other": value, "y": np.array([True, False, True])})
    name = "other.x" if isinstance(value, dict) else "other"
    refused(path, f"Field '{name}' is {kind}", "In MATLAB", features=["x", name])
    with pytest.warns(UserWarning, match=f"Left out of .*weather.mat: {name}: {kind}. Name the"):
        loaded = load_mat(path, target="y")
    assert loaded.feature_names == ["x"]
    assert loaded.target.dtype == bool


def test_a_field_without_numbers_is_named_in_a_new_file(path):
    save_v73(path, {"x": np.ones(3), "complex": np.ones(3) * 1j})
    with h5py.File(path, "r+") as file:
        file.create_group("sparse").attrs["MATLAB_sparse"] = np.uint64(3)
        file["table"] = np.ones(3)
        file["table"].attrs["MATLAB_object_decode"] = np.int32(3)
    kinds = {"sparse": "a sparse matrix", "table": "an object", "complex": "complex numbers"}
    for name, kind in kinds.items():
        refused(path, f"Field '{name}' is {kind}", "In MATLAB", features=name)
    with pytest.warns(UserWarning, match="complex: .*, sparse: .*, table: "):
        assert load_mat(path).feature_names == ["x"]


@both_versions
def test_texts_are_no_sequences(path, weeks, save):
    texts = {"station": "Seattle", "labels": ["sun"] * WEEKS, "words": [["a", "b"], ["c"]]}
    save(path, weeks | texts)
    refused(path, "'station' is text (1, 1)", "findgroups", features="station")
    refused(path, "'labels' is text (5, 1)", features=["temperature", "labels"])
    refused(path, "'words' is 2 cells [text (2, 1), text (1, 1)]", features="words")


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


@pytest.mark.parametrize(
    "content",
    [
        b"# Created by Octave 7.3.0, Tue Jan 02 2024 <a@b>\n# name: x\n# type: scalar\n1\n",
        b"# name: x\n# type: scalar\n1\n\n\n",
        b"Octave-1-L\x00\x01\x00\x00\x00b",
        None,
    ],
    ids=["text", "text without a header", "binary", "HDF5"],
)
def test_formats_of_octave_get_the_cure(path, content):
    if content is None:
        with h5py.File(path, "w") as file:
            file.create_group("x").attrs["OCTAVE_NEW_FORMAT"] = np.uint8(1)
            file["x/type"] = b"scalar"
            file["x/value"] = 1.0
    else:
        path.write_bytes(content)
    for features in (None, "x"):
        refused(path, "weather.mat is in a format of Octave's own", "save('-v7'", features=features)


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
        ([], None, "list is empty"),
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
        (["end"], "no field 'end'.*keyword"),
        (["x" * 64], "at most 63"),
        (["rain"], "'rain' names two fields"),
    ],
)
def test_names_that_matlab_refuses(path, names, message):
    with pytest.raises(ValueError, match=message):
        save_mat(path, BLOCK, [1, 2], feature_names=names, target_name="rain")


SPEEDS = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})


@pytest.mark.parametrize(
    "data",
    [SPEEDS, [SPEEDS, SPEEDS], Sequences.from_arrays([SPEEDS, SPEEDS])],
    ids=["table", "list of tables", "Sequences"],
)
def test_columns_do_not_get_the_names_of_each_other(path, data):
    with pytest.raises(ValueError, match=r"calls the column 'x' 'y', .* in the order of the col"):
        save_mat(path, data, feature_names=["y", "x"])
    save_mat(path, data, feature_names=["speed_x", "y"])  # a name of its own is fine
    assert load_mat(path).feature_names == ["speed_x", "y"]


def test_tables_of_polars_are_tables(path):
    save_mat(path, pl.from_pandas(SPEEDS), feature_names=["x", "y"])
    pd.testing.assert_frame_equal(load_mat(path).data, SPEEDS, check_column_type=False)


def test_tables_of_a_list_have_the_same_columns(path):
    with pytest.raises(ValueError, match=r"Sequence 1 has the columns \['y', 'x'\], sequence 0"):
        save_mat(path, [SPEEDS, SPEEDS[["y", "x"]]], feature_names=["x", "y"])


def test_codes_of_categories_do_not_become_numbers(path):
    skies = Sequences([[1.0], [2.0]], [0], [2], categories={0: ("blue", "grey")})
    with pytest.raises(ValueError, match="holds categories, .*grey"):
        save_mat(path, skies, feature_names=["sky"])


def test_channels_by_steps_are_heard(path):
    rng = np.random.default_rng(0)
    walks = [rng.normal([[0], [9], [40]], size=(3, 60)).cumsum(axis=1) for _ in range(5)]
    save_v5(path, {"ecg": walks, "label": np.arange(5) % 2})
    with pytest.warns(DataWarning, match=r"5 matrices \(3, 60\).* ecg = cellfun\(@transpose"):
        load_mat(path, target="label")
    noise = [rng.normal(size=(3, 60)) for _ in range(5)]
    for right in ([walk.T for walk in walks], noise):
        save_v5(path, {"ecg": right, "label": np.arange(5) % 2})
        load_mat(path, target="label")


def test_missing_numbers_of_pandas_are_saved(path):
    target = pd.array([1, None, 3], dtype="Int64")
    save_mat(path, np.ones((3, 2, 1)), target, feature_names=["x"])
    np.testing.assert_array_equal(load_mat(path, target="target").target, [1, np.nan, 3])
    table = pd.DataFrame({"x": target, "on": pd.array([True, None, False], dtype="boolean")})
    save_mat(path, table, feature_names=["x", "on"])
    expected = [[1, 1], [np.nan, np.nan], [3, 0]]
    np.testing.assert_array_equal(load_mat(path, ["x", "on"]).data, expected)


def test_plain_hdf5_is_refused(path):
    """Of the shape (20, 5) it would be read as 5 sequences of 20 steps."""
    with h5py.File(path, "w") as file:
        file["x"] = np.ones((20, 5))
    refused(path, "plain HDF5, whose rows MATLAB would read as columns: use h5py")
