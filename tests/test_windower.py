"""Windows and lag tables against plain loops."""

import subprocess
import sys
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from sklstm import SequenceFlattener, Sequences, SequenceWindower, TokenSequencer

examples = settings(max_examples=100, deadline=None)
table_kinds = st.sampled_from(["float64", "float32", "int64", "DataFrame", "DataFrame of float32"])


@st.composite
def tables(draw, kinds=table_kinds):
    """A table in which all numbers differ, some of them NaN where the kind allows it."""
    n_rows, n_features = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    values = np.arange(n_rows * n_features, dtype=float).reshape(n_rows, n_features)
    kind = draw(kinds)
    if kind == "int64":
        return values.astype(int)
    for row in draw(st.lists(st.integers(0, n_rows - 1), max_size=3)):
        values[row, -1] = np.nan
    values = values.astype("float32" if "float32" in kind else "float64")
    if "DataFrame" in kind:
        return pd.DataFrame(values, columns=["temp", "rain", "wind"][:n_features])
    return values


@st.composite
def ragged_lists(draw):
    """Sequences of different lengths, all steps different."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=6))
    n_features = draw(st.integers(1, 3))
    numbers = iter(range(1000))
    return [
        np.array(
            [[next(numbers) for _ in range(n_features)] for _ in range(length)], float
        ).reshape(length, n_features)
        for length in lengths
    ]


windowers = st.builds(
    SequenceWindower, window_size=st.integers(1, 45), horizon=st.integers(0, 45) | st.just(0)
)


def histories(table, window_size, horizon):
    """What a windower has to find, as lists of rows."""
    rows = np.asarray(table).tolist()
    found = []
    for t in range(len(rows)):
        history = []
        for s in range(t - horizon - window_size + 1, t - horizon + 1):
            if s >= 0:
                history.append(rows[s])
        found.append(history)
    return found


def padded(history, n_steps, n_features):
    """A history as long as others, NaN on the left."""
    missing = [[np.nan] * n_features] * (n_steps - len(history))
    return np.array(missing + list(history), float).reshape(n_steps, n_features)


def frame(n_rows=6):
    return pd.DataFrame({"temp": np.arange(n_rows) + 0.5, "rain": np.arange(n_rows) * 10.0})


@examples
@given(tables(), windowers)
def test_each_row_gets_its_history(table, windower):
    sequences = windower.fit_transform(table)
    expected = histories(table, windower.window_size, windower.horizon)
    longest = max(map(len, expected))
    dense = np.asarray(sequences)
    assert len(sequences) == len(dense) == len(table)
    assert dense.shape == (len(table), longest, table.shape[1])
    for row, history in enumerate(expected):
        assert len(sequences[row]) == len(history)
        np.testing.assert_array_equal(dense[row], padded(history, longest, table.shape[1]))
    assert (sequences.series == 0).all()


@pytest.mark.parametrize(
    ("given_dtype", "dtype"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float64"),
        ("int32", "float64"),
        ("bool", "float64"),
    ],
)
@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame], ids=["array", "DataFrame"])
def test_single_precision_stays_and_all_else_becomes_double(make, given_dtype, dtype):
    table = make(np.array([[0], [1], [1]], dtype=given_dtype))
    sequences = SequenceWindower(window_size=2).fit_transform(table)
    assert sequences.dtype == np.asarray(sequences).dtype == dtype
    assert sequences[2].tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("n_rows", "window_size", "horizon", "lengths"),
    [
        (1, 24, 0, [1]),
        (1, 1, 1, [0]),
        (3, 24, 0, [1, 2, 3]),
        (3, 2, 1, [0, 1, 2]),
        (3, 2, 3, [0, 0, 0]),
        (3, 2, 1000, [0, 0, 0]),
    ],
)
def test_number_of_rows_never_changes(n_rows, window_size, horizon, lengths):
    windower = SequenceWindower(window_size, horizon=horizon)
    assert windower.fit_transform(np.ones((n_rows, 2))).lengths.tolist() == lengths


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame], ids=["array", "DataFrame"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_table_is_not_copied(make, dtype):
    table = make(np.ones((50, 3), dtype))
    sequences = SequenceWindower().fit_transform(table)
    assert np.shares_memory(sequences.values, np.asarray(table))


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ([4, 0], [4, 0]),
        (np.array([5, 1]), [5, 1]),
        ([True, False, True, False, False, False], [0, 2]),
        (np.array([False, True] * 3), [1, 3, 5]),
        (slice(1, 4), [1, 2, 3]),
    ],
)
def test_scikit_learn_takes_rows(key, rows):
    sequences = SequenceWindower(window_size=3).fit_transform(frame())
    part = _safe_indexing(sequences, key)
    assert isinstance(part, Sequences)
    assert part.values is sequences.values
    assert [sequence.tolist() for sequence in part] == [sequences[row].tolist() for row in rows]


def test_feature_names_arrive():
    windower = SequenceWindower().fit(frame())
    assert windower.transform(frame()).feature_names.tolist() == ["temp", "rain"]
    assert windower.get_feature_names_out().tolist() == ["temp", "rain"]


def test_arrays_have_no_feature_names():
    windower = SequenceWindower().fit(np.ones((3, 2)))
    assert windower.transform(np.ones((3, 2))).feature_names is None
    assert windower.get_feature_names_out().tolist() == ["x0", "x1"]


@pytest.mark.parametrize("where", ["pipeline", "global"])
@pytest.mark.parametrize("form", ["default", "pandas"])
def test_output_settings_leave_sequences_alone(where, form):
    pipeline = make_pipeline(StandardScaler(), SequenceWindower(window_size=2))
    if where == "pipeline":
        pipeline.set_output(transform=form)
        sequences = pipeline.fit_transform(frame())
    else:
        with sklearn.config_context(transform_output=form):
            sequences = pipeline.fit_transform(frame())
    assert isinstance(sequences, Sequences)
    names = None if form == "default" else ["temp", "rain"]
    assert np.array_equal(sequences.feature_names, names)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window_size": 0}, r"'window_size'.*SequenceWindower.*\[1, inf\). Got 0"),
        ({"window_size": 2.5}, r"'window_size'.* must be an int .* Got 2.5"),
        ({"window_size": None}, r"'window_size'.* Got None"),
        ({"horizon": -1}, r"'horizon'.*\[0, inf\). Got -1"),
        ({"horizon": 1.0}, r"'horizon'.* Got 1.0"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        SequenceWindower(**params).fit(frame())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.empty((0, 2)), r"0 sample\(s\) \(shape=\(0, 2\)\).*SequenceWindower"),
        (frame(0), r"0 sample\(s\) \(shape=\(0, 2\)\)"),
        (np.empty((2, 0)), r"0 feature\(s\) \(shape=\(2, 0\)\)"),
        (np.ones(3), "Expected 2D array, got 1D array"),
        (np.ones((2, 2, 2)), "Found array with dim 3"),
    ],
)
def test_tables_of_the_wrong_shape_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        SequenceWindower().fit(table)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.Series([1.5, "n/a"], dtype=object), "holds 'n/a'"),
        (pd.Series([["a"], ["b"]]), r"object and holds \['a'\].*Encode it"),
        (pd.Series([datetime(2020, 1, 2)] * 2), "datetime64.*2020-01-02.*move times"),
        (pd.Series([pd.Timedelta(days=3)] * 2), "timedelta64.*3 days.*move times"),
    ],
)
def test_columns_that_are_no_numbers_are_named(column, message):
    table = pd.DataFrame({"temp": [1.0, 2.0], "sky": column})
    with pytest.raises(ValueError, match=f"(?s)Column 'sky' of X .*{message}"):
        SequenceWindower().fit(table)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2.5], dtype=object),
        pd.Series([1, 2], dtype=object),
        pd.Series([True, False], dtype=object),
        pd.Series([Decimal("1.5"), Decimal(2)], dtype=object),
        pd.Series([1, None], dtype=object),
        pd.Series([1, pd.NA], dtype=object),
        pd.Series([None, None], dtype=object),
        pd.Series([1, pd.NA], dtype="Int64"),
        pd.Series([1, pd.NA], dtype="Float32"),
        pd.Series([True, pd.NA], dtype="boolean"),
    ],
    ids=lambda column: f"{column.dtype} {column.tolist()}",
)
def test_columns_that_hold_numbers_are_numbers(column):
    table = pd.DataFrame({"temp": [1.0, 2.0], "count": column})
    steps = SequenceWindower(window_size=2).fit_transform(table)[1]
    expected = [np.nan if pd.isna(value) else float(value) for value in column]
    np.testing.assert_array_equal(steps, np.column_stack([[1.0, 2.0], expected]))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (frame()[["temp"]], "(?s)feature names should match.*now missing.*rain"),
        (frame().rename(columns={"rain": "snow"}), "(?s)unseen at fit time.*snow"),
        (frame()[["rain", "temp"]], "same order"),
    ],
)
def test_other_columns_than_in_fit_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        SequenceWindower().fit(frame()).transform(table)


@pytest.mark.parametrize("estimator", [SequenceWindower(), SequenceFlattener()])
def test_another_number_of_features_than_in_fit_is_refused(estimator):
    message = f"X has 3 features, but {type(estimator).__name__} is expecting 2 features"
    with pytest.raises(ValueError, match=message):
        estimator.fit(np.ones((4, 2))).transform(np.ones((4, 3)))


def test_rows_of_nan_behind_a_table_ask_for_a_forecast():
    future = pd.DataFrame(np.nan, index=range(2), columns=["temp", "rain"])
    table = pd.concat([frame(), future], ignore_index=True)
    sequences = SequenceWindower(window_size=3, horizon=2).fit(frame()).transform(table)
    assert sequences[-1].tolist() == frame().iloc[3:].to_numpy().tolist()


def test_a_million_windows_cost_what_the_table_costs():
    code = """
import tracemalloc
import numpy as np
from sklstm import SequenceWindower
table = np.ones((1_000_000, 8), np.float32)
windower = SequenceWindower(window_size=96)
tracemalloc.start()
sequences = windower.fit_transform(table)
print(len(sequences), tracemalloc.get_traced_memory()[1])
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True
    ).stdout
    n_sequences, peak = map(int, printed.split())
    assert n_sequences == 1_000_000
    assert peak < 64e6


@examples
@given(tables(), windowers)
def test_lag_table_has_a_column_for_each_feature_and_lag(table, windower):
    lags = make_pipeline(windower, SequenceFlattener()).fit(table)
    flat = lags.transform(table)
    n_features, n_steps = table.shape[1], lags[-1].n_steps_
    expected = histories(table, windower.window_size, windower.horizon)
    assert n_steps == max(map(len, expected))
    assert flat.shape == (len(table), n_steps * n_features)
    names = list(table.columns) if hasattr(table, "columns") else ["x0", "x1", "x2"][:n_features]
    columns = iter(zip(lags.get_feature_names_out(), flat.T, strict=True))
    for lag in range(n_steps - 1, -1, -1):
        for feature, name in enumerate(names):
            title, column = next(columns)
            assert title == (f"{name}[t-{lag}]" if lag else f"{name}[t]")
            for row, history in enumerate(expected):
                value = history[-1 - lag][feature] if lag < len(history) else np.nan
                np.testing.assert_equal(float(column[row]), value)


@examples
@given(ragged_lists(), st.integers(1, 6), st.sampled_from([list, Sequences.from_arrays]))
def test_lag_table_keeps_the_last_steps_that_fit_saw(arrays, n_steps, make):
    n_features = arrays[0].shape[1]
    flattener = SequenceFlattener().fit(np.zeros((2, n_steps, n_features)))
    flat = flattener.transform(make(arrays))
    for row, sequence in enumerate(arrays):
        expected = padded(sequence[-n_steps:], n_steps, n_features).ravel()
        np.testing.assert_array_equal(flat[row], expected)


@pytest.mark.parametrize(
    "X",
    [
        np.arange(12).reshape(2, 3, 2),
        np.arange(12.0).reshape(2, 3, 2),
        list(np.arange(12.0).reshape(2, 3, 2)),
        np.arange(12).reshape(2, 3, 2).tolist(),
        tuple(pd.DataFrame(x) for x in np.arange(12.0).reshape(2, 3, 2)),
        Sequences.from_arrays(np.arange(12.0).reshape(2, 3, 2)),
    ],
    ids=["integers", "3-D", "list", "nested list", "tuple of frames", "Sequences"],
)
def test_lag_table_of_any_kind_of_sequences(X):
    flat = SequenceFlattener().fit_transform(X)
    np.testing.assert_array_equal(flat, np.arange(12.0).reshape(2, 6), strict=True)


def test_lag_table_is_a_frame_if_asked_for():
    lags = make_pipeline(SequenceWindower(window_size=2, horizon=1), SequenceFlattener())
    lags.set_output(transform="pandas")
    expected = pd.DataFrame(
        {
            "temp[t-1]": [np.nan, np.nan, 0.5],
            "rain[t-1]": [np.nan, np.nan, 0.0],
            "temp[t]": [np.nan, 0.5, 1.5],
            "rain[t]": [np.nan, 0.0, 10.0],
        }
    )
    pd.testing.assert_frame_equal(lags.fit_transform(frame(3)), expected)
    with sklearn.config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(lags.fit_transform(frame(3)), expected)


def test_lag_table_keeps_single_precision():
    lags = make_pipeline(SequenceWindower(window_size=2), SequenceFlattener())
    assert lags.fit_transform(np.ones((3, 1), np.float32)).dtype == np.float32


def test_lags_take_other_names():
    flattener = SequenceFlattener().fit(np.zeros((1, 2, 1)))
    assert flattener.get_feature_names_out(["a"]).tolist() == ["a[t-1]", "a[t]"]
    with pytest.raises(ValueError, match="input_features should have length equal"):
        flattener.get_feature_names_out(["a", "b"])


def test_gradient_boosting_learns_from_a_lag():
    x = pd.DataFrame({"x": np.random.default_rng(0).normal(size=300)})
    y = x["x"].shift(2, fill_value=0)
    model = make_pipeline(
        SequenceWindower(window_size=3), SequenceFlattener(), HistGradientBoostingRegressor()
    )
    assert model.fit(x[:200], y[:200]).score(x[200:], y[200:]) > 0.8
    assert model.predict(x[:1]).shape == (1,)


def test_a_table_that_is_changed_in_place_is_read_as_it_was_given():
    values, days = np.arange(12.0)[:, None], pd.date_range("2024", periods=12)
    windower = SequenceWindower(2).fit(pd.DataFrame(values[:9], days[:9], ["a"]))
    index, columns = days[9:], pd.Index(["a"])
    first = pd.DataFrame(values[9:].copy(), index, columns)
    windower.transform(first)
    first.iloc[0, 0] = 555.0
    again = pd.DataFrame(values[9:].copy(), index, columns)
    assert windower.transform(again)[0].ravel().tolist() == [8.0, 9.0]


@pytest.mark.parametrize("transform", ["bogus", "numpy", 3, ["pandas"]])
@pytest.mark.parametrize(
    "transformer", [SequenceWindower(), TokenSequencer(), SequenceFlattener()], ids=str
)
def test_an_output_that_there_is_not_is_refused(transformer, transform):
    message = r"must be one of \['default', 'pandas', 'polars'\]"
    for one in (transformer, make_pipeline(transformer)):
        with pytest.raises(ValueError, match=message):
            one.set_output(transform=transform)
    for known in ("default", "pandas", "polars", None):
        assert clone(transformer).set_output(transform=known) is not None
