"""Tables of lags become sequences."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn import config_context
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import (
    LagSequencer,
    LSTMRegressor,
    SequenceFlattener,
    Sequences,
    SequenceWindower,
    TokenSequencer,
)

LAGS = np.array([[np.nan, np.nan, 1.0], [np.nan, 1.0, 2.0], [1.0, 2.0, 3.0]])


def test_oldest_step_comes_first():
    sequences = LagSequencer().fit_transform(LAGS)
    assert [sequence.ravel().tolist() for sequence in sequences] == [[1], [1, 2], [1, 2, 3]]


def test_newest_first_is_turned_around():
    skforecast = pd.DataFrame(LAGS[:, ::-1], columns=["lag_1", "lag_2", "lag_3"])
    sequences = LagSequencer(newest="first").fit_transform(skforecast)
    assert [sequence.ravel().tolist() for sequence in sequences] == [[1], [1, 2], [1, 2, 3]]


def test_a_gap_after_the_first_value_is_a_step():
    sequences = LagSequencer().fit_transform([[1.0, np.nan, 2.0]])
    assert sequences.lengths.tolist() == [3]


def test_predicts_what_the_same_sequences_give():
    rng = np.random.default_rng(0)
    lags, y = rng.normal(size=(40, 5)), rng.normal(size=40)
    network = LSTMRegressor(hidden_size=4, max_epochs=2, random_state=0)
    pipeline = make_pipeline(LagSequencer(newest="first"), network).fit(lags, y)
    expected = network.fit(lags[:, ::-1, None], y).predict(lags[:, ::-1, None])
    np.testing.assert_allclose(pipeline.predict(lags), expected, rtol=1e-6)


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="is expecting 3 features"):
        LagSequencer().fit(LAGS).transform(LAGS[:, :2])


def row(names, **params):
    """Sequence of a row 1, 2, ... of columns of these names, as a list."""
    table = pd.DataFrame([np.arange(1.0, len(names) + 1)], columns=names)
    return LagSequencer(**params).fit_transform(table)[0].tolist()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["lag_1", "lag_2", "lag_3"], [[3], [2], [1]]),
        (["lag_3", "lag_2", "lag_1"], [[1], [2], [3]]),
        (["lag_2", "lag_10", "lag_1"], [[2], [1], [3]]),
        (["lag1", "lag2"], [[2], [1]]),
        (["Lag 1", "Lag 2"], [[2], [1]]),
        (["x_lag_1", "x_lag_2"], [[2], [1]]),
        (["x_lag1", "z_lag1", "x_lag2", "z_lag2"], [[3, 4], [1, 2]]),
        (["x_lag_1", "x_lag_2", "z_lag_1", "z_lag_2"], [[2, 4], [1, 3]]),
        (["lag_1_x", "lag_2_x"], [[2], [1]]),
        (["x_lag_1h", "x_lag_2h"], [[2], [1]]),
        (["x(t-2)", "x(t-1)", "x(t)"], [[1], [2], [3]]),
        (["x[t-1]", "z[t-1]", "x[t]", "z[t]"], [[1, 2], [3, 4]]),
        (["t-1", "t"], [[1], [2]]),
        (["x_t-2", "x_t-1"], [[1], [2]]),
        (["x.L1", "x.L2"], [[2], [1]]),
        (["L1.x", "L2.x"], [[2], [1]]),
        (["x_target_lag-2", "x_target_lag-1"], [[1], [2]]),
        (["lag_1", "lag_7", "lag_28"], [[3], [2], [1]]),
    ],
)
def test_names_say_feature_and_lag(names, expected):
    assert row(names) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["lag_1", "lag_2", "weekend"], "no lags.*: 'weekend'. Leave out.* SequenceWindower"),
        (["lag_1", "_level_skforecast"], "no lags.*: '_level_skforecast'"),
        (["lag_1", "roll_mean_3", "exog"], "no lags.*: 'roll_mean_3', 'exog'"),
        (["lag1", "rolling_mean_lag1_window_size7"], "no lags.*: 'rolling_mean_lag1_window_size7'"),
        (["lag1", "lag2", "expanding_mean_lag1"], "'expanding_mean' has no column of lag 2"),
        (["x(t-1)", "x(t)", "x(t+1)"], r"no lags.*: 'x\(t\+1\)'"),
        (["temp", "rain"], r"no lags.*: 'temp', 'rain'.*X.to_numpy\(\)"),
        (["flag_1", "flag_2"], "no lags"),
        (["start", "art"], "no lags"),
        (["x_target_lag-1", "x_target_lag0", "z_futcov_lag1"], "'z_futcov_lag1' .* ahead"),
        (["lag_1", "y_lag_1"], "'y_lag_1' .* of another one"),
        (["lag_1h", "lag_1d"], r"several units: \['d', 'h'\]"),
    ],
)
def test_what_is_no_lag_is_refused_by_name(names, message):
    with pytest.raises(ValueError, match=message):
        row(names)


@pytest.mark.parametrize(
    ("names", "params", "message"),
    [
        (["lag_1", "lag_2"], {"newest": "last"}, "newest='last'.* 'lag_1', is the newest"),
        (["lag_2", "lag_1"], {"newest": "first"}, "newest='first'.* 'lag_2', is the oldest"),
        (["lag_2", "lag_1"], {"n_features": 2}, "n_features=2.* name 1"),
    ],
)
def test_names_must_not_contradict_parameters(names, params, message):
    with pytest.raises(ValueError, match=message):
        row(names, **params)


@pytest.mark.parametrize("newest", ["first", "last"])
@pytest.mark.parametrize("order", ["by_feature", "by_lag"])
def test_arrays_of_several_features(newest, order):
    steps = np.random.default_rng(0).normal(size=(7, 4, 3))  # oldest first
    ordered = steps[:, ::-1] if newest == "first" else steps
    table = (ordered.transpose(0, 2, 1) if order == "by_feature" else ordered).reshape(7, 12)
    sequencer = LagSequencer(newest, n_features=3, order=order).fit(table)
    np.testing.assert_array_equal(np.asarray(sequencer.transform(table)), steps)
    assert sequencer.get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    with pytest.raises(ValueError, match="12 columns.* n_features=5"):
        LagSequencer(n_features=5).fit(table)


def test_lags_of_the_flattener_come_back():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["temp", "rain"])
    windows = SequenceWindower(3).fit_transform(table)
    lags = SequenceFlattener().set_output(transform="pandas").fit_transform(windows)
    back = LagSequencer().fit(lags)
    assert back.transform(lags).feature_names.tolist() == ["temp", "rain"]
    np.testing.assert_array_equal(back.transform(lags).flat(), windows.flat())
    assert back.lags_.tolist() == [2, 1, 0]


def test_a_step_that_lacks_one_feature_is_kept():
    lags = pd.DataFrame(
        [[np.nan, 1.0, np.nan, np.nan]], columns=["x_lag2", "x_lag1", "z_lag2", "z_lag1"]
    )
    sequences = LagSequencer().fit_transform(lags)
    np.testing.assert_array_equal(sequences[0], [[1.0, np.nan]])


def test_pandas_output_leaves_sequences_alone():
    lags = pd.DataFrame(np.ones((4, 2)), list("abcd"), ["lag_1", "lag_2"])
    for sequencer in (LagSequencer(), LagSequencer().set_output(transform="pandas")):
        assert isinstance(sequencer.fit_transform(lags), Sequences)
    with config_context(transform_output="pandas"):
        model = make_pipeline(StandardScaler(), LagSequencer(), LSTMRegressor(2, max_epochs=1))
        assert model.fit(lags, [1.0, 2.0, 3.0, 4.0]).predict(lags).shape == (4,)
        assert model[:-1].get_feature_names_out().tolist() == ["y"]
        flat = make_pipeline(LagSequencer(), SequenceFlattener()).fit_transform(lags)
    assert flat.columns.tolist() == ["y[t-1]", "y[t]"]
    assert flat.index.tolist() == list("abcd")


@pytest.mark.parametrize("way", ["pickle", "skops"])
def test_fitted_ones_are_saved(way):
    lags = pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=["lag_1", "lag_2", "lag_3"])
    sequencer = LagSequencer().fit(lags)
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(sequencer))
    else:
        trusted = ["sklstm._tables.lags.LagSequencer"]
        loaded = skops.io.loads(skops.io.dumps(sequencer), trusted=trusted)
    assert loaded.transform(lags) == sequencer.transform(lags)


# The index of the rows


HOURS = pd.date_range("2024-01-01", periods=30, freq="h", name="hour")
TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), HOURS, ["temp", "rain"])


def lags():
    return make_pipeline(SequenceWindower(3, horizon=1), SequenceFlattener())


@pytest.mark.parametrize(
    "union",
    [
        lambda: make_union(lags(), FunctionTransformer()),
        lambda: make_union(FunctionTransformer(), lags(), lags()),
        lambda: make_pipeline(StandardScaler(), make_union(lags(), FunctionTransformer())),
        lambda: make_column_transformer(
            (lags(), ["temp"]), ("passthrough", ["rain"]), verbose_feature_names_out=False
        ),
    ],
)
def test_lags_stand_beside_their_rows(union):
    union = union().set_output(transform="pandas")
    for seen in (union.fit_transform(TABLE), union.transform(TABLE)):
        assert seen.index.equals(TABLE.index)
    late = union.transform(TABLE[20:])
    assert late.index.equals(TABLE.index[20:])


def test_several_series_keep_the_order_of_rows():
    table = TABLE.assign(station=list("ba") * 15).sample(frac=1, random_state=0).sort_index()
    flat = make_pipeline(SequenceWindower(2, series="station"), SequenceFlattener())
    seen = flat.set_output(transform="pandas").fit_transform(table)
    assert seen.index.equals(table.index)
    np.testing.assert_array_equal(seen["temp[t]"], table["temp"])
    levels = table.set_index("station", append=True).swaplevel()
    flat = make_pipeline(SequenceWindower(2, series="station"), SequenceFlattener())
    seen = flat.set_output(transform="pandas").fit_transform(levels)
    assert seen.index.equals(levels.index)


@pytest.mark.parametrize(
    "rows",
    [slice(3, 9), slice(None, None, -1), [5, 2, 2], np.arange(30) % 2 == 0, np.array([], int)],
)
def test_selections_keep_the_index(rows):
    windows = SequenceWindower(2).fit_transform(TABLE)
    flattener = SequenceFlattener().set_output(transform="pandas").fit(windows)
    part = windows[rows]
    assert part.index.equals(TABLE.index[rows])
    for same in (part, part.compact(), pickle.loads(pickle.dumps(part))):
        if len(part):
            assert flattener.transform(same).index.equals(TABLE.index[rows])
    if len(part):
        whole = Sequences.concat([part, windows[:4]])
        assert whole.index.equals(TABLE.index[rows].append(TABLE.index[:4]))


def test_arrays_have_no_index():
    windows = SequenceWindower(2).fit_transform(TABLE.to_numpy())
    assert windows.index is None
    seen = SequenceFlattener().set_output(transform="pandas").fit_transform(windows)
    assert seen.index.equals(pd.RangeIndex(30))
    named = SequenceWindower(2).fit_transform(TABLE.set_axis(["x0", "x1"], axis=1))
    assert Sequences.concat([windows, windows]).index is None
    assert named == Sequences(named.values, named.starts, named.lengths, named.series, ["x0", "x1"])
    with pytest.raises(ValueError, match="index has 3 entries for 2 sequences"):
        Sequences(np.zeros((2, 1)), [0, 1], [1, 1], index=[1, 2, 3])


def test_texts_and_ids_are_an_index_too():
    texts = pd.Series(["a cat", "the dog"], ["x", "y"])
    assert TokenSequencer().fit_transform(texts).index.tolist() == ["x", "y"]
    walks = pd.DataFrame({"walk": ["b", "a", "b"], "x": [1.0, 2.0, 3.0]})
    assert Sequences.from_frame(walks, by="walk").index.tolist() == ["b", "a"]


def test_an_estimator_behind_a_union_reads_all_rows():
    union = make_union(lags(), FunctionTransformer()).set_output(transform="pandas")
    model = make_pipeline(union, HistGradientBoostingRegressor(max_iter=2)).fit(
        TABLE, TABLE["temp"]
    )
    assert model.predict(TABLE).shape == (30,)


def test_numbers_as_names_are_lags():
    y = pd.Series(np.arange(10.0))
    lags = pd.concat({lag: y.shift(lag) for lag in (1, 2, 3)}, axis=1).dropna()
    assert LagSequencer().fit_transform(lags)[0].ravel().tolist() == [0.0, 1.0, 2.0]
    unnamed = pd.DataFrame(lags.to_numpy())  # newest last, as in an array
    assert LagSequencer().fit_transform(unnamed)[0].ravel().tolist() == [2.0, 1.0, 0.0]
