"""Backtests that fit again, and forecasts of other means in the same table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from sklstm import (
    LSTMRegressor,
    SequenceDummyRegressor,
    SequenceFlattener,
    SequenceForecaster,
    SequenceWindower,
    backtest,
    backtest_scores,
)

RNG = np.random.default_rng(0)
HOURS = pd.date_range("2024-03-01", periods=300, freq="h")
TIDE = pd.Series(np.sin(np.arange(300) / 4) + 0.1 * RNG.normal(size=300), HOURS, name="tide")


def ridge(**params):
    return SequenceForecaster(Ridge(), **{"window_size": 6, "steps": 3} | params)


@pytest.mark.parametrize("window", ["expanding", "rolling"])
def test_a_refit_is_a_fit_at_its_origin_and_updates_until_the_next(window):
    table = backtest(
        ridge(), TIDE, initial_train_size=200, refit=5, stride=4, window=window, coverage=0.8
    ).set_index(["origin", "step"])
    fits = {200: 200, 204: 200, 216: 200, 220: 220, 228: 220, 240: 240}  # rows known, and fitted
    for n_known, n_fitted in fits.items():
        model = ridge().fit(TIDE[n_fitted - 200 if window == "rolling" else 0 : n_fitted])
        for row in range(n_fitted, n_known):
            model.update(TIDE[row : row + 1])
        found = table.loc[HOURS[n_known - 1]][["lower", "forecast", "upper"]]
        np.testing.assert_allclose(found, model.predict_interval(0.8), rtol=1e-9)


def test_a_refit_of_a_panel_is_by_date_and_knows_series_that_began_since():
    days = pd.date_range("2024-01-01", periods=100)
    rng = np.random.default_rng(2)
    long = pd.DataFrame({"shop": "old", "sold": rng.normal(size=100)}, days)
    young = pd.DataFrame({"shop": "new", "sold": 100 + rng.normal(size=40)}, days[60:])
    table = pd.concat([long, young])
    model = ridge(series="shop", calibration_fraction=0)
    found = backtest(model, table, initial_train_size=50 / 140, refit=30)
    fits = found[found["origin"] == days[79]].set_index("series")["forecast"]
    expected = model.fit(table[table.index <= days[79]]).predict()["sold"]
    np.testing.assert_allclose(fits["old"], expected.loc["old"], rtol=1e-9)
    np.testing.assert_allclose(fits["new"], expected.loc["new"], rtol=1e-9)


def test_no_refit_looks_ahead():
    other = TIDE.copy()
    other[250:] += 100
    one, two = (
        backtest(ridge(), y, initial_train_size=200, refit=7, coverage=0.8) for y in (TIDE, other)
    )
    known = one["origin"] < HOURS[250]
    columns = ["forecast", "lower", "upper"]
    pd.testing.assert_frame_equal(one.loc[known, columns], two.loc[known, columns])
    assert not np.allclose(one.loc[~known, "forecast"], two.loc[~known, "forecast"])


def lstm(**params):
    return LSTMRegressor(4, **{"max_epochs": 8, "random_state": 0} | params)


def test_a_warm_refit_starts_from_the_weights():
    epochs = []

    class Spy(LSTMRegressor):
        def fit(self, X, y):
            super().fit(X, y)
            epochs.append(len(self.net_.history))
            return self

    network = Spy(4, max_epochs=8, early_stopping=True, random_state=0)
    walk = pd.Series(np.random.default_rng(0).normal(size=300).cumsum(), HOURS)
    for warm in (True, False):
        model = SequenceForecaster(network, 6, 2, calibration_fraction=0)
        backtest(model, walk, initial_train_size=200, refit=40, warm=warm)
    assert epochs == [8, 10, 12, 8, 8, 8]


def test_a_warm_refit_keeps_the_calibration():
    model = SequenceForecaster(lstm(warm_start=True), 6, 2).fit(TIDE[:200])
    losses, weights = model.validation_losses_, model.estimator_.net_.module_.state_dict()
    before = model.estimator_
    model.update(TIDE[200:220]).fit(TIDE[:220])
    pd.testing.assert_frame_equal(model.validation_losses_, losses)
    assert model.predict_interval(0.8).index[0] == HOURS[220]
    assert before.net_.module_.state_dict().keys() == weights.keys()
    assert len(model.estimator_.net_.history) > len(before.net_.history)


def test_a_warm_refit_with_other_windows_is_a_new_fit():
    model = SequenceForecaster(lstm(warm_start=True), 6, 2).fit(TIDE[:200])
    model.set_params(window_size=8).fit(TIDE[:220])
    assert len(model.estimator_.net_.history) == 8


def test_after_a_level_shift_a_refit_chooses_another_anchor():
    """A series around its mean, which moves: the mean of all rows is then far away."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=1100)
    values[920:] += 30
    y = pd.Series(values, pd.RangeIndex(1100), name="y")
    model = SequenceForecaster(lstm(), 6, 3)
    errors = {}
    for name, params in {"once": {}, "warm": {"refit": 30}}.items():
        table = backtest(model, y, initial_train_size=900, **params)
        late = table[table["origin"] > 1000]
        errors[name] = backtest_scores(late)["MAE"]
    assert errors["once"]["forecaster"] > 5 * errors["once"]["naive"]
    assert errors["warm"]["forecaster"] < 1.3 * errors["warm"]["naive"]


def test_pipelines_are_fitted_again():
    model = make_pipeline(
        SequenceWindower(6, horizon=2),
        SequenceFlattener(),
        HistGradientBoostingRegressor(max_iter=5),
    )
    for window, begin in (("expanding", 0), ("rolling", 40)):
        table = backtest(model, TIDE, initial_train_size=200, refit=40, window=window)
        model.fit(TIDE.iloc[begin:240].to_frame(), TIDE[begin:240])
        expected = model.predict(TIDE.to_frame())[241:281]
        mine = (table["origin"] >= HOURS[239]) & (table["origin"] < HOURS[279])
        np.testing.assert_allclose(table.loc[mine, "forecast"], expected)


# Functions and other forecasters


def ets(past, steps):
    return ETSModel(past, trend="add").fit(disp=False).forecast(steps)


def test_any_function_is_a_forecaster_in_the_same_table():
    y = (TIDE + 5)[:60]
    table = backtest(
        ridge(), y, initial_train_size=50, others={"ETS": ets, "short": ridge(window_size=2)}
    )
    first = table[table["origin"] == HOURS[49]]
    np.testing.assert_allclose(first["forecast ETS"], ets(y[:50], 3))
    short = backtest(ridge(window_size=2), y, initial_train_size=50)
    np.testing.assert_allclose(table["forecast short"], short["forecast"])
    scores = backtest_scores(table)
    assert scores.index.tolist() == ["forecaster", "naive", "ETS", "short"]
    alone = backtest(ets, y, initial_train_size=50, steps=3)
    np.testing.assert_allclose(alone["forecast"], table["forecast ETS"])
    assert backtest_scores(alone).loc["forecaster", "MAE"] == scores.loc["ETS", "MAE"]


def test_a_function_gets_the_rows_of_one_series_up_to_the_origin():
    days = pd.date_range("2024-01-01", periods=30)
    table = pd.concat(
        [pd.DataFrame({"shop": name, "sold": np.arange(30.0) + k}, days) for k, name in
         enumerate("ab")]
    )  # fmt: skip
    calls = []

    def last(past, steps):
        calls.append(past)
        return [past.iloc[-1]] * steps

    found = backtest(
        ridge(series="shop", window_size=2), table, initial_train_size="2024-01-21",
        others={"last": last}, window="rolling", stride=4,
    )  # fmt: skip
    np.testing.assert_array_equal(found["forecast last"], found["naive"])
    assert {len(past) for past in calls} == {20}
    assert calls[0].index[-1] == days[19]
    assert calls[1].index[0] == days[4]
    assert calls[0].name == "sold"


def test_a_function_gets_covariates_of_the_past():
    X = pd.DataFrame({"x": np.arange(60.0)}, HOURS[:60])
    seen = []

    def last(past, steps):
        seen.append(past)
        return past["tide"].iloc[-1:].to_numpy().repeat(steps)

    backtest(last, TIDE[:60], X, initial_train_size=50, steps=1)
    assert seen[0].columns.tolist() == ["tide", "x"]
    assert len(seen[0]) == 50


@pytest.mark.parametrize(
    ("backtested", "message"),
    [
        (lambda: backtest(ets, TIDE), "A function forecasts as many rows as steps says"),
        (lambda: backtest(ridge(), TIDE, steps=4), "steps=3, and steps=4 are asked for"),
        (
            lambda: backtest(
                make_pipeline(SequenceWindower(2, horizon=1), SequenceDummyRegressor()),
                TIDE,
                steps=3,
            ),
            "steps=3, and a Pipeline forecasts one step",
        ),
        (lambda: backtest(ridge(), TIDE, window="rolling"), "window='rolling' .* refit=None fits"),
        (lambda: backtest(ets, TIDE, steps=2, coverage=0.8), "ets has no prediction intervals"),
        (
            lambda: backtest(lambda past, steps: [1.0], TIDE, steps=2),
            r"shape \(1,\) from the origin 2024-03-10 23:00:00 of y, and 2 steps of 1 targets",
        ),
        (lambda: backtest(ridge(), TIDE, refit=0), "'refit' parameter of backtest"),
        (lambda: backtest(ridge(), TIDE, window="all"), "'window' parameter of backtest"),
        (
            lambda: backtest(make_pipeline(SequenceWindower(3, horizon=1), SequenceFlattener(),
                             LinearRegression()), TIDE, others={"ETS": ets}),
            r"others=\['ETS'\] stand beside a SequenceForecaster or a function",
        ),
    ],
)  # fmt: skip
def test_no_backtest(backtested, message):
    with pytest.raises(ValueError, match=message):
        backtested()


@pytest.mark.parametrize("name", ["naive", "seasonal naive", "forecaster", 1])
def test_each_model_of_a_backtest_has_a_name_of_its_own(name):
    with pytest.raises(ValueError, match=f"others has the name {name!r}"):
        backtest(ridge(), TIDE, others={name: ridge()})


class Newest(RegressorMixin, BaseEstimator):
    """Predicts the newest value of a history."""

    def fit(self, X, y):
        self.n_rows_ = len(y)
        return self

    def predict(self, X):
        return np.array([steps[-1, 0] if len(steps) else -1 for steps in X])


@pytest.mark.filterwarnings("ignore:X has .* gaps")
@pytest.mark.parametrize("refit", [None, 2])
@pytest.mark.parametrize("stations", [1, 2])
def test_no_forecast_of_a_pipeline_reads_behind_its_origin_where_rows_are_missing(stations, refit):
    days = pd.date_range("2024-01-01", periods=60)
    parts = [
        pd.DataFrame({"id": k, "day": np.arange(60.0)}, days).drop(days[[30, 41 + k, 47, 52]])
        for k in range(stations)
    ]
    table = pd.concat(parts).sort_index()
    windower = SequenceWindower(4, horizon=3, series="id", cold_start="ignore")
    found = backtest(make_pipeline(windower, Newest()), table["day"], table, refit=refit)
    lead = (found["timestamp"] - found["origin"]) / pd.Timedelta("1D")
    assert (lead == 3).all()
    found = found.dropna(subset=["actual", "naive"])
    assert len(found) > 4 * stations
    np.testing.assert_array_equal(found["naive"], found["actual"] - 3)
    np.testing.assert_array_equal(found["forecast"], found["naive"])


def test_what_cannot_start_from_weights_is_fitted_anew_with_its_transform():
    growing = np.exp(TIDE + np.arange(300) / 60)
    model = ridge(transform=PowerTransformer(), calibration_fraction=0)
    found, anew = (
        backtest(model, growing, initial_train_size=200, refit=40, warm=warm)["forecast"]
        for warm in (True, False)
    )
    np.testing.assert_array_equal(found, anew)
    origin = backtest(model, growing, initial_train_size=200, refit=40).set_index("origin")
    expected = model.fit(growing[:240]).predict()["tide"]
    np.testing.assert_allclose(origin.loc[HOURS[239], "forecast"], expected, rtol=1e-9)
