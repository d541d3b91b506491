"""Rules that have to be beaten, beside a loop over the rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline

from sklstm import SequenceDummyRegressor, SequenceWindower

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(RNG.normal(size=(60, 2)).cumsum(axis=0), columns=["rain", "temp"])


def rule(*args, horizon=3, window=10, **params):
    windower = SequenceWindower(window, horizon=horizon)
    return make_pipeline(windower, SequenceDummyRegressor(*args, horizon=horizon, **params))


def test_naive_is_the_last_value_known():
    model = rule().fit(TABLE, TABLE["temp"])
    assert model[-1].lagged_target_.tolist() == [1]
    expected = TABLE["temp"].shift(3).fillna(TABLE["temp"].mean())
    np.testing.assert_allclose(model.predict(TABLE), expected)


def test_seasonal_is_the_value_a_period_before():
    model = rule("seasonal_naive", period=7, lagged_target="temp").fit(TABLE, TABLE["temp"])
    expected = TABLE["temp"].shift(7).fillna(TABLE["temp"].mean())
    np.testing.assert_allclose(model.predict(TABLE), expected)


def test_several_targets_have_a_feature_each():
    model = rule(horizon=1).fit(TABLE, TABLE[["temp", "rain"]])
    assert model[-1].lagged_target_.tolist() == [1, 0]
    np.testing.assert_allclose(model.predict(TABLE)[1:], TABLE[["temp", "rain"]][:-1])


def test_the_mean_is_weighted_and_rows_of_weight_zero_need_no_target():
    y, weight = np.array([1.0, 3.0, np.nan]), np.array([3.0, 1.0, 0.0])
    model = SequenceDummyRegressor("mean").fit(np.zeros((3, 2, 1)), y, sample_weight=weight)
    assert model.predict(np.zeros((1, 2, 1))).tolist() == [1.5]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lagged_target": "wind"}, "lagged_target='wind' is no feature of X"),
        ({"strategy": "seasonal_naive", "period": 2}, "period=2 is shorter than horizon=3"),
    ],
)
def test_bad_settings_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        rule(**params).fit(TABLE, TABLE["temp"])


def test_labels_have_the_dummy_of_scikit_learn():
    model = make_pipeline(SequenceWindower(5), DummyClassifier(strategy="most_frequent"))
    assert model.fit(TABLE, TABLE["temp"] > 100).predict(TABLE).tolist() == [False] * 60


def test_a_season_longer_than_the_window_is_refused_with_the_cure():
    table = pd.DataFrame({"temp": np.arange(60.0)})
    model = make_pipeline(SequenceWindower(7, horizon=2), SequenceDummyRegressor("seasonal_naive"))
    model.set_params(sequencedummyregressor__period=12, sequencedummyregressor__horizon=2)
    message = "reads 11 steps back, and the longest sequence has 7 .* window_size of at least 11"
    with pytest.raises(ValueError, match=message):
        model.fit(table, table["temp"])
    predicted = model.set_params(sequencewindower__window_size=11).fit(table, table["temp"])
    assert predicted.predict(table)[-1] == 59 - 12
