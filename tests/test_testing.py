"""Honest models pass, planted leaks are named."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklstm import LSTMClassifier, LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.testing import _other_values, assert_no_lookahead

pytestmark = pytest.mark.filterwarnings("ignore:.*end with y itself")  # targets that are simple


def days(n_days=60):
    """One series; the count is an integer, some are missing in `wind`."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        rng.normal(size=(n_days, 2)).cumsum(axis=0),
        columns=["temp", "wind"],
        index=pd.date_range("2024-01-01", periods=n_days),
    )
    return table.assign(count=rng.integers(0, 50, n_days))


def stations(n_stations=3):
    """Interleaved series of different lengths, whose time is a column."""
    tables = [
        days(40 + 5 * number).assign(station="abcdefgh"[number]) for number in range(n_stations)
    ]
    table = pd.concat(tables).rename_axis("date").reset_index()
    return table.sort_values(["date", "station"], ignore_index=True)


def network(**params):
    return LSTMRegressor(hidden_size=4, max_epochs=1, random_state=0, **params)


def with_stations(horizon=1, *steps):
    windower = SequenceWindower(4, horizon=horizon, series="station", time="date")
    return make_pipeline(*steps, windower, network())


def found(model, X, **kwargs):
    """Message, row that looked ahead, and last row before the cut."""
    with pytest.raises(AssertionError) as caught:
        assert_no_lookahead(model, X, **kwargs)
    message = str(caught.value)
    row = int(re.search(r"looks ahead: row (\d+)", message)[1])
    cut = re.search(r"rows after row (\d+)", message)
    return message, row, cut and int(cut[1])


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize(
    "params",
    [{}, {"early_stopping": True}, {"bidirectional": True}, {"pooling": "mean"}],
    ids=str,
)
@pytest.mark.parametrize("kind", ["array", "one series"])
def test_our_pipelines_do_not_look_ahead(kind, params, horizon):
    X = days()
    y = X["temp"]
    model = make_pipeline(SequenceWindower(5, horizon=horizon), network(**params))
    X = X.to_numpy() if kind == "array" else X
    assert_no_lookahead(model.fit(X, y), X)


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("order", ["interleaved", "one after the other"])
def test_series_do_not_look_ahead_nor_aside(order, horizon):
    X = stations()
    if order != "interleaved":
        X = X.sort_values(["station", "date"])
    assert_no_lookahead(with_stations(horizon).fit(X, X["temp"]), X)


def test_classifier_with_probabilities():
    X = days()
    y = np.where(X["temp"] > X["temp"].median(), "warm", "cold")
    classifier = LSTMClassifier(hidden_size=4, max_epochs=1, random_state=0)
    assert_no_lookahead(make_pipeline(SequenceWindower(5), classifier).fit(X, y), X)


def test_models_that_take_missing_values():
    X = days()
    X.iloc[3:60:7, 0] = np.nan
    for step in (FunctionTransformer(lambda table: table.ffill().fillna(0)), SimpleImputer()):
        step.set_output(transform="pandas")
        model = make_pipeline(step, SequenceWindower(5, horizon=1), network())
        assert_no_lookahead(model.fit(X, days()["temp"]), X)
    model = make_pipeline(
        SequenceWindower(5, horizon=1), SequenceFlattener(), HistGradientBoostingRegressor()
    )
    assert_no_lookahead(model.fit(X, days()["temp"]), X)


def test_what_is_around_a_pipeline():
    """The windower is found inside a search, and a scaler in front is no leak."""
    X = days()
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, SequenceWindower(5), network())
    grid = {"lstmregressor__hidden_size": [2, 4]}
    assert_no_lookahead(GridSearchCV(model, grid, cv=TimeSeriesSplit(2)).fit(X, X["temp"]), X)
    X = stations(2)
    search = GridSearchCV(with_stations(), grid, cv=TimeSeriesSplit(2)).fit(X, X["temp"])
    assert_no_lookahead(search, X)


def test_sequences_of_an_array_are_rows():
    X = days().to_numpy().reshape(20, 3, 3)
    assert_no_lookahead(network().fit(X, X[:, 0, 0]), X)


def centred(table):
    return table.rolling(5, center=True, min_periods=1).mean()


@pytest.mark.parametrize("horizon", [0, 1])
@pytest.mark.parametrize("as_array", [False, True])
def test_centred_mean_is_found(as_array, horizon):
    """A window of 5 reaches 2 rows ahead, so row ``cut + horizon - 1`` is the first to look."""
    smooth = FunctionTransformer(lambda table: centred(pd.DataFrame(table)))
    model = make_pipeline(smooth, SequenceWindower(5, horizon=horizon), network())
    X = days()
    X = X.to_numpy() if as_array else X
    model.fit(X, days()["temp"])
    for random_state in range(5):
        message, row, cut = found(model, X, n_cuts=1, random_state=random_state)
        assert row == cut + horizon - 1
        assert as_array or repr(X.index[row]) in message


@pytest.mark.parametrize("leak", [lambda table: table.shift(-1).ffill(), pd.DataFrame.bfill])
def test_at_horizon_1_a_row_may_not_read_itself(leak):
    """Reading one row ahead gives the target of the row away, though no later row."""
    model = make_pipeline(FunctionTransformer(leak), SequenceWindower(5, horizon=1), network())
    X = days()
    model.fit(X, X["temp"])
    other = clone(model).set_params(sequencewindower__horizon=0)
    search = GridSearchCV(other, {"sequencewindower__horizon": [1]}, cv=TimeSeriesSplit(2))
    search.fit(X, X["temp"])
    for fitted in (model, search):
        message, row, cut = found(fitted, X)
        assert row == cut + 1
        assert "at horizon=1 it may not read the row itself" in message
        assert_no_lookahead(fitted, X, horizon=0)


def test_centred_mean_within_each_series_is_found():
    def smooth(table):
        means = table.groupby("station")[["temp", "wind", "count"]].transform(
            lambda column: column.rolling(5, center=True, min_periods=1).mean()
        )
        return table.assign(**means)

    X = stations()
    model = with_stations(0, FunctionTransformer(smooth)).fit(X, X["temp"])
    message, row, cut = found(model, X)
    station = X.loc[cut, "station"]
    rows = X.index[X["station"] == station]
    assert row == rows[rows.get_loc(cut) - 1]
    assert f"of series {station!r} " in message


@pytest.mark.parametrize("fill", [lambda table: table.bfill(), lambda table: table.interpolate()])
def test_backward_fill_is_found_though_nothing_is_missing(fill):
    model = make_pipeline(FunctionTransformer(fill), SequenceWindower(5), network())
    X = days()
    _, row, cut = found(model.fit(X, X["temp"]), X)
    assert row == cut


def test_backward_fill_is_found_where_values_are_missing():
    fill = FunctionTransformer(lambda table: table.bfill())
    lstm = network(init=None, input_transform="levels")
    model = make_pipeline(fill, SequenceWindower(5), lstm)
    X = days()
    X.iloc[:-1, 0] = np.nan  # all are filled from the last row
    assert found(model.fit(X, X["wind"]), X)[1] == 0


def test_backward_fill_within_each_series_is_found():
    def fill(table):
        names = ["temp", "wind", "count"]
        return table.assign(**table.groupby("station")[names].bfill())

    X = stations()
    model = with_stations(0, FunctionTransformer(fill)).fit(X, X["temp"])
    _, row, cut = found(model, X)
    assert X.loc[row, "station"] == X.loc[cut, "station"] or row < cut


def test_statistics_of_the_whole_table_are_found():
    def encode(table):
        return table.assign(temp=table.groupby(table.index.day_of_week)["temp"].transform("mean"))

    X = days()
    model = make_pipeline(FunctionTransformer(encode), SequenceWindower(5, horizon=1), network())
    message, row, _ = found(model.fit(X, X["temp"]), X)
    assert row == 1  # the first one with a history
    assert "index Timestamp('2024-01-02 00:00:00')" in message


def test_statistics_of_other_series_are_found():
    """The mean over stations, day by day, does not look ahead in time, but aside."""

    def encode(table):
        return table.assign(temp=table.groupby("date")["temp"].transform("mean"))

    X = stations(2)
    model = with_stations(0, FunctionTransformer(encode)).fit(X, X["temp"])
    message, row, cut = found(model, X)
    assert cut is None
    assert X.loc[row, "station"] == "a"
    assert "no row of series 'a', only later rows of 'b' were changed" in message
    X = stations(5)
    message = found(model.fit(X, X["temp"]), X)[0]
    assert "no row of series" in message or "later rows of other series" in message


def test_a_leak_between_two_of_many_series_is_found():
    """Only station h gets the values of station a, and only at the end."""

    def leak(table):
        table = table.copy()
        last = table.index[table["station"] == "h"][-3:]
        table.loc[last, "temp"] = table.loc[table["station"] == "a", "temp"].iloc[-1]
        return table

    X = stations(8)
    model = with_stations(0, FunctionTransformer(leak)).fit(X, X["temp"])
    message, row, cut = found(model, X)
    assert cut is None
    assert X.loc[row, "station"] == "h"
    assert "no row of series 'h'" in message


def test_leak_in_probabilities_alone_is_found():
    X = days()
    y = np.where(np.arange(60) < 55, "often", "rare")
    classifier = LSTMClassifier(hidden_size=4, max_epochs=1, random_state=0)
    model = make_pipeline(FunctionTransformer(centred), SequenceWindower(5), classifier).fit(X, y)
    assert "predict_proba looks ahead" in found(model, X)[0]


def test_series_can_be_named_for_a_model_without_windower():
    X = stations(2).set_index(["date", "station"])
    model = make_pipeline(
        FunctionTransformer(lambda table: table.groupby("station").cummax()), LinearRegression()
    ).fit(X, X["temp"])
    assert_no_lookahead(model, X, series="station")
    across = make_pipeline(FunctionTransformer(lambda table: table.cummax()), LinearRegression())
    across.fit(X, X["temp"])
    assert_no_lookahead(across, X)
    assert "no row of series" in found(across, X, series="station", n_cuts=1)[0]


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "int8", "uint8", "int64", "bool", "Int64", "Float64", "boolean"]
)
def test_other_values_keep_the_dtype_and_differ(dtype):
    column = pd.Series(np.arange(100) % 2 if "bool" in dtype else np.arange(100)).astype(dtype)
    is_changed = np.arange(100) >= 60
    before = column.copy()
    for seed in range(10):
        other = _other_values(column, is_changed, np.random.RandomState(seed))
        assert other.dtype == column.dtype
        assert (other[:60] == column[:60]).all()
        assert (other[60:] != column[60:]).mean() > (0.9 if "int8" in dtype else 0.999)
    pd.testing.assert_series_equal(column, before)


def test_other_values_of_what_cannot_be_drawn():
    random = np.random.RandomState(0)
    nothing = pd.Series([np.nan, np.nan])
    everything = np.array([True, True])
    pd.testing.assert_series_equal(_other_values(nothing, everything, random), nothing)
    infinite = _other_values(pd.Series([1.0, np.inf]), everything, random)
    assert np.isfinite(infinite).all()
    assert (_other_values(pd.Series([0.0, 5.0]), everything, random) > 5).all()


def test_table_stays_as_it_is():
    X = stations(2)
    before = X.copy()
    assert_no_lookahead(with_stations().fit(X, X["temp"]), X)
    pd.testing.assert_frame_equal(X, before)


class Mood:
    """A model that says something else each time."""

    def __init__(self):
        self.random = np.random.default_rng(0)

    def predict(self, X):
        return self.random.normal(size=len(X))


class Few:
    def predict(self, X):
        return np.zeros(3)


@pytest.mark.parametrize(
    ("model", "X", "kwargs", "message"),
    [
        (Mood(), days(), {}, "Predictions of Mood for the same X differ from call to call"),
        (Few(), days(), {}, "Few.predict gave 3 predictions for 60 rows"),
        (Few(), days()[:1], {}, "nothing to change in X, which has 1 rows and 3 columns"),
        (Few(), days().astype(str), {}, "nothing to change in X, which has 60 rows and 0 columns"),
        (Few(), days(), {"series": "station"}, "series='station' is neither a column nor"),
        (Few(), days(), {"n_cuts": 0}, "n_cuts must be an integer, at least 1, got 0"),
        (Few(), days(), {"horizon": -1}, "horizon must be an integer, at least 0, got -1"),
    ],
)
def test_bad_parameters(model, X, kwargs, message):
    with pytest.raises(ValueError, match=message):
        assert_no_lookahead(model, X, **kwargs)


def test_categories_that_are_numbers_are_explained():
    X = days()[["count"]]
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, X["count"])
    with pytest.raises(ValueError, match="unknown categories") as caught:
        assert_no_lookahead(model, X)
    assert "as texts or as dtype 'category'" in caught.value.__notes__[0]
    X = X.astype("category")
    with pytest.raises(ValueError, match="nothing to change"):
        assert_no_lookahead(model, X)
