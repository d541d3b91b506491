"""Mistakes that make a fit worthless are said."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower, per_step

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    RNG.normal(size=(80, 2)), columns=["temp", "wind"], index=pd.date_range("2024", periods=80)
)


def regressor(**params):
    return LSTMRegressor(**{"hidden_size": 4, "max_epochs": 2, "random_state": 0} | params)


def piped(estimator=None, **params):
    return make_pipeline(SequenceWindower(5, **params), estimator or regressor())


# The target among the inputs


@pytest.mark.parametrize(
    ("y", "which"),
    [
        (TABLE["temp"], "'temp'"),
        (TABLE["wind"], "'wind'"),
        (TABLE[["temp", "wind"]], "'temp'"),
        (TABLE["temp"].astype("float32"), "'temp'"),
        (pd.concat([TABLE["temp"].shift(-1).fillna(0), TABLE["wind"]], axis=1), "'wind'"),
    ],
)
def test_a_target_that_is_the_last_step_is_said(y, which):
    expected = f"histories that end with y itself: feature {which} .*horizon=1"
    with pytest.warns(UserWarning, match=expected):
        piped().fit(TABLE, y)


def test_a_label_that_is_the_last_step_is_said():
    table = TABLE.assign(rains=(TABLE["wind"] > 0).astype(int))
    with pytest.warns(UserWarning, match="feature 'rains' in the last step"):
        piped(LSTMClassifier(4, max_epochs=2)).fit(table, table["rains"])


def test_other_targets_are_not_said():
    piped(horizon=1).fit(TABLE, TABLE["temp"])
    piped().fit(TABLE, TABLE["temp"] + 0.01)
    piped().fit(TABLE, TABLE["temp"].shift(-1).fillna(0))
    piped().fit(TABLE * 0, TABLE["temp"] * 0)
    piped(LSTMClassifier(4, max_epochs=2)).fit(TABLE, np.where(TABLE["temp"] > 0, "up", "down"))
    recordings = RNG.normal(size=(20, 4, 1))
    regressor().fit(recordings, recordings[:, -1, 0])  # no table: nothing is to be foretold


# A windower that is missing


@pytest.mark.parametrize(
    "index",
    [
        TABLE.index,
        TABLE.index.tz_localize("Europe/Berlin"),
        pd.period_range("2024", periods=80, freq="D"),
        pd.MultiIndex.from_product([["a", "b"], TABLE.index[:40]]),
    ],
    ids=lambda index: type(index).__name__,
)
def test_a_table_in_time_wants_a_windower(index):
    with pytest.warns(UserWarning, match="rows are in time.* Is a SequenceWindower missing"):
        regressor().fit(TABLE.set_axis(index), RNG.normal(size=80))
    regressor().fit(TABLE.reset_index(drop=True), RNG.normal(size=80))


# Padding


@pytest.mark.parametrize("at_the_end", [True, False])
def test_padding_that_is_not_said_is_named(at_the_end):
    padded = RNG.normal(size=(10, 6, 2))
    padded[3, 4:] = np.nan
    X = padded if at_the_end else padded[:, ::-1]
    with pytest.raises(ValueError, match=r"sequence 3 .*from_arrays\(X, padding='nan'\)"):
        regressor().fit(X, np.arange(10.0))
    regressor().fit(Sequences.from_arrays(X, padding="nan"), np.arange(10.0))


def test_other_missing_values_are_not_called_padding():
    X = RNG.normal(size=(10, 6, 2))
    X[3, 4:, 0] = np.nan
    with pytest.raises(ValueError, match=r"feature 0 at step 4 of sequence 3") as caught:
        regressor().fit(X, np.arange(10.0))
    assert not re.search("padding", str(caught.value))


# Targets that are missing


MISSING = TABLE["temp"].shift(1).where(np.arange(80) % 7 > 0)
WEIGHT = MISSING.notna().astype(float)


def test_score_takes_what_fit_takes():
    model = piped().fit(TABLE, MISSING, lstmregressor__sample_weight=WEIGHT)
    rows = np.flatnonzero(WEIGHT)
    expected = r2_score(MISSING.iloc[rows], model.predict(TABLE)[rows])
    assert model.score(TABLE, MISSING, sample_weight=WEIGHT) == pytest.approx(expected)
    weight = WEIGHT * RNG.uniform(0.5, 2, size=80)
    expected = r2_score(
        MISSING.iloc[rows], model.predict(TABLE)[rows], sample_weight=weight.iloc[rows]
    )
    assert model.score(TABLE, MISSING, sample_weight=weight) == pytest.approx(expected)


def test_a_classifier_scores_what_has_a_label():
    y = np.where(TABLE["temp"] > 0, "up", "down").astype(object)
    y[::5] = None
    weight = np.array([label is not None for label in y], dtype=float)
    model = piped(LSTMClassifier(4, max_epochs=2)).fit(
        TABLE, y, lstmclassifier__sample_weight=weight
    )
    rows = np.flatnonzero(weight)
    expected = np.mean(model.predict(TABLE)[rows] == y[rows])
    assert model.score(TABLE, y, sample_weight=weight) == pytest.approx(expected)


def test_a_search_with_missing_targets():
    scoring = make_scorer(per_step(mean_absolute_error), greater_is_better=False)
    search = GridSearchCV(
        piped(), {"lstmregressor__lr": [0.001, 0.01]}, cv=TimeSeriesSplit(3), scoring=scoring
    )
    search.fit(TABLE, MISSING, lstmregressor__sample_weight=WEIGHT.to_numpy())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    rows = np.flatnonzero(WEIGHT)
    expected = -mean_absolute_error(MISSING.iloc[rows], search.predict(TABLE)[rows])
    assert search.score(TABLE, MISSING) == pytest.approx(expected)


def test_per_step_of_flat_arrays():
    metric = per_step(mean_absolute_error)
    y = np.array([1.0, np.nan, 3.0, -1.0])
    assert metric(y, [2.0, 2.0, 2.0, 2.0]) == pytest.approx((1 + 1 + 3) / 3)
    weighted = metric(y, np.full(4, 2.0), sample_weight=[1, 5, 0, 1])
    assert weighted == pytest.approx((1 + 3) / 2)
