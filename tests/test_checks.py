"""Mistakes that make a fit worthless are said."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower, masked_scoring

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
    regressor().fit(recordings, recordings[:, -1, 0])  # no table: nothing is forecast


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


LENGTHS = RNG.integers(6, 21, size=60)
SIGNALS = RNG.normal(size=(60, 20, 2))
WORDS = RNG.integers(1, 9, size=(60, 20))
INSIDE = np.arange(20) < LENGTHS[:, None]


def filled(value, side="end"):
    """Numbers and tokens of different lengths, filled up at one side."""
    inside = INSIDE if side == "end" else INSIDE[:, ::-1]
    return np.where(inside[..., None], SIGNALS, value), np.where(inside, WORDS, value)


@pytest.mark.parametrize("side", ["end", "begin"])
@pytest.mark.parametrize("value", [0, -1, 99])
def test_padding_by_a_number_is_heard_and_cut_off(value, side):
    numbers, tokens = filled(value, side)
    for X in (numbers, list(numbers), numbers[..., :1].astype(np.float32), numbers[:10]):
        with pytest.warns(UserWarning, match=rf"sequences {side} in .*from_arrays\(X, padding="):
            Sequences.from_arrays(X)
    if value >= 0:
        for X in (tokens, tokens.tolist(), pd.DataFrame(tokens)):
            with pytest.warns(UserWarning, match=rf"{side} in .*from_tokens\(X, padding={value}\)"):
                Sequences.from_tokens(X)
    cut = Sequences.from_arrays(numbers, padding=value)
    assert cut.lengths.tolist() == LENGTHS.tolist()
    np.testing.assert_array_equal(cut.flat(), numbers[(numbers != value).all(axis=2)])
    cut = Sequences.from_tokens(tokens, padding=value)
    assert cut.lengths.tolist() == LENGTHS.tolist()
    np.testing.assert_array_equal(cut.flat()[:, 0], tokens[tokens != value])
    kept = Sequences.from_arrays(numbers, padding="keep")
    assert (kept.lengths == 20).all()


def test_padding_is_heard_in_fit_and_predict():
    numbers, tokens = filled(0)
    y = np.arange(60) % 2
    cut = Sequences.from_arrays(numbers, padding=0)
    model = LSTMClassifier(2, max_epochs=1).fit(cut, y)
    for call in (lambda: model.predict(numbers), lambda: model.fit(numbers, y)):
        with pytest.warns(UserWarning, match="filled up to one length") as caught:
            call()
        assert len(caught) == 1
    model = LSTMClassifier(2, max_epochs=1, embedding=2)
    model.fit(Sequences.from_tokens(tokens, padding=0), y)
    for call in (lambda: model.score(tokens, y), lambda: model.fit(tokens.tolist(), y)):
        with pytest.warns(UserWarning, match="filled up to one length") as caught:
            call()
        assert len(caught) == 1


@pytest.mark.parametrize("side", ["end", "begin"])
def test_padding_by_nan_is_heard_where_values_may_be_missing(side):
    numbers, tokens = filled(np.nan, side)
    model = regressor(missing="mask", init=None)
    cut = Sequences.from_arrays(numbers, padding="nan")
    for given in (numbers, list(numbers), Sequences.from_arrays(numbers)):
        with pytest.warns(UserWarning, match=rf"{side} in steps that are NaN .*padding='nan'\)"):
            model.fit(given, np.arange(60.0))
        with pytest.raises(ValueError, match="looks like padding"):
            regressor().fit(given, np.arange(60.0))
    model.fit(cut, np.arange(60.0)).predict(cut)
    with pytest.warns(UserWarning, match="that are NaN") as caught:
        model.predict(numbers)
    assert len(caught) == 1
    cut = Sequences.from_tokens(tokens, padding="nan")
    np.testing.assert_array_equal(cut.flat()[:, 0], tokens[~np.isnan(tokens)])
    assert cut.dtype == np.int32
    with pytest.raises(ValueError, match="Sequence 0 holds float64; .*padding='nan'"):
        Sequences.from_tokens(tokens)


DIGITS = load_digits().images


def usual_data():
    """What ends in one and the same step in most sequences, and is no padding."""
    yield DIGITS
    yield DIGITS.transpose(0, 2, 1)
    yield DIGITS.reshape(-1, 64, 1)
    yield DIGITS > 8
    yield np.pad(DIGITS, ((0, 0), (3, 3), (3, 3)))
    yield np.pad(DIGITS[load_digits().target == 1], ((0, 0), (0, 0), (9, 9))).transpose(0, 2, 1)
    for share in (0.05, 0.3, 0.6, 0.9):
        yield np.where(RNG.random((200, 24, 1)) < share, 0, RNG.exponential(size=(200, 24, 1)))
        yield RNG.poisson(1 - share, size=(200, 24, 2))
    hours = np.sin((np.arange(24) - 6) / 12 * np.pi) + RNG.normal(0, 0.2, size=(200, 1))
    yield np.clip(hours, 0, None)[..., None]  # the sun
    occupied = np.cumsum(RNG.random((300, 30)) < 0.03, axis=1) % 2
    yield occupied[..., None]
    yield (occupied * RNG.normal(size=(300, 30)))[..., None]  # a lamp
    yield np.eye(4)[RNG.integers(4, size=(200, 20))]
    yield np.eye(4)[np.sort(RNG.integers(4, size=(200, 20)), axis=1)]
    yield np.zeros((50, 20, 2))
    yield np.repeat(RNG.normal(size=(50, 1, 2)), 20, axis=1)
    yield np.where(RNG.random((100, 1, 1)) < 0.7, 0, RNG.normal(size=(100, 20, 1)))  # dead sensors
    yield np.where(np.arange(20)[:, None] < 15, SIGNALS, 0)  # all filled up alike
    some = np.where(np.arange(60)[:, None] < 20, INSIDE, 1)
    yield np.where(some[..., None], SIGNALS, 0)  # few are
    yield np.where(RNG.random((200, 20, 1)) < 0.6, np.nan, RNG.normal(size=(200, 20, 1)))
    yield filled(0)[0][:5]  # too few to tell


def test_usual_data_are_not_called_padding():
    for X in usual_data():
        Sequences.from_arrays(X)
    Sequences.from_tokens(np.where(RNG.random((200, 20)) < 0.6, 0, WORDS[0]))
    Sequences.from_tokens(RNG.integers(3, size=(200, 20)))
    Sequences.from_tokens([row[:length] for row, length in zip(WORDS, LENGTHS, strict=True)])


def test_windows_and_tables_have_no_padding():
    light = pd.DataFrame({"light": np.where(np.arange(300) % 100 < 70, 0.0, 1.0)})
    SequenceWindower(24).fit_transform(light)
    regressor(init=None).fit(np.repeat([[0.0]], 40, axis=0), RNG.normal(size=40))


@pytest.mark.parametrize("padding", [True, "zeros", np.inf, [0]])
def test_other_padding_is_refused(padding):
    for read, X in [(Sequences.from_arrays, SIGNALS), (Sequences.from_tokens, WORDS)]:
        with pytest.raises(ValueError, match="padding must be a number, 'keep', None or 'nan'"):
            read(X, padding=padding)


# Features first


def test_one_step_of_many_features_is_said():
    X, y = RNG.normal(size=(40, 1, 30)), np.arange(40) % 2
    for given in (X, list(X), Sequences.from_arrays(X)):
        with pytest.warns(UserWarning, match=r"one step of 30 features.*channels_first=True"):
            LSTMClassifier(2, max_epochs=1).fit(given, y)
    model = LSTMClassifier(2, max_epochs=1)
    model.fit(Sequences.from_arrays(X, channels_first=True), y)
    model.fit(X[:, 0], y)  # a table
    model.fit(X[:, :, :3], y)
    names = [f"x{k}" for k in range(30)]
    model.fit(Sequences.from_arrays(X, feature_names=names), y)
    model.fit(SequenceWindower(1).fit_transform(X[:, 0]), y)
    model.fit(RNG.normal(size=(40, 5, 30)), y).predict(X)  # the first step is there


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
    scoring = make_scorer(masked_scoring(mean_absolute_error), greater_is_better=False)
    search = GridSearchCV(
        piped(), {"lstmregressor__lr": [0.001, 0.01]}, cv=TimeSeriesSplit(3), scoring=scoring
    )
    search.fit(TABLE, MISSING, lstmregressor__sample_weight=WEIGHT.to_numpy())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    rows = np.flatnonzero(WEIGHT)
    expected = -mean_absolute_error(MISSING.iloc[rows], search.predict(TABLE)[rows])
    assert search.score(TABLE, MISSING) == pytest.approx(expected)


def test_per_step_of_flat_arrays():
    metric = masked_scoring(mean_absolute_error)
    y = np.array([1.0, np.nan, 3.0, -1.0])
    assert metric(y, [2.0, 2.0, 2.0, 2.0]) == pytest.approx((1 + 1 + 3) / 3)
    weighted = metric(y, np.full(4, 2.0), sample_weight=[1, 5, 0, 1])
    assert weighted == pytest.approx((1 + 3) / 2)


def test_padding_is_cut_where_there_is_more_of_it_in_the_precision_of_the_array():
    X = np.full((4, 6, 1), -99.9, dtype=np.float32)
    for row, length in enumerate((2, 3, 4, 5)):
        X[row, :length] = 1.0
    assert Sequences.from_arrays(X, padding=-99.9).lengths.tolist() == [2, 3, 4, 5]
    first_is_zero = np.where(X < 0, 0, np.arange(6)[:, None]).astype(float)
    assert Sequences.from_arrays(first_is_zero, padding=0).lengths.tolist() == [2, 3, 4, 5]
    turned = first_is_zero[:, ::-1]
    assert Sequences.from_arrays(turned, padding=0).lengths.tolist() == [2, 3, 4, 5]
