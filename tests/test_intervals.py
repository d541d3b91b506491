"""Bands of forecasts: how wide they are, what they hold, and what an estimator says of its own."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores
from sklstm._estimators.intervals import RATE, AdaptiveInterval, newest_quantiles

RNG = np.random.default_rng(0)
NOISE = pd.Series(RNG.normal(size=400), pd.RangeIndex(400), name="y")


def network(loss="gaussian", **params):
    settings = {"hidden_size": 8, "lr": 0.01, "max_epochs": 20, "random_state": 0}
    return LSTMRegressor(loss=loss, **settings | {"quantiles": (0.05, 0.5, 0.95)} | params)


def linear(**params):
    return SequenceForecaster(LinearRegression(), **{"window_size": 3, "steps": 2} | params)


def quantile_by_hand(values, coverage):
    known = sorted(abs(value) for value in values if np.isfinite(value))
    return known[min(int(np.ceil((len(known) + 1) * coverage)), len(known)) - 1]


# Plain loops


@pytest.mark.parametrize("size", [1, 7, 100])
def test_newest_quantiles_are_those_of_sorted_values(size):
    values = np.where(RNG.random(60) < 0.2, np.nan, RNG.random(60).round(1))
    values[0] = 0.5
    found = newest_quantiles(values.tolist(), size, 0.8)
    for row in range(60):
        newest = values[max(0, row + 1 - size) : row + 1]
        if np.isfinite(newest).any():
            assert found[row] == quantile_by_hand(newest, 0.8)
        else:
            assert np.isnan(found[row])


def test_widths_adapt_as_in_a_loop():
    """For each step ahead: was the actual value in the interval that was issued so long before?"""
    first, arrived = RNG.normal(size=(30, 3, 1)), 2 * RNG.normal(size=(200, 3, 1))
    arrived[5, 1], first[:2, 2] = np.nan, np.nan
    _, widths = AdaptiveInterval.begin(first).update(arrived, 0.8)
    for step in range(3):
        known, log_width = first[:, step, 0].tolist(), 0.0
        told = dict.fromkeys(range(-3, 1), quantile_by_hand(known, 0.9))  # by origin
        for row in range(200):
            expected = quantile_by_hand(known[-100:], 0.8) * np.exp(log_width)
            np.testing.assert_allclose(widths[row, step, 0], expected)
            actual = arrived[row, step, 0]
            known.append(actual)
            if np.isfinite(actual):
                log_width += RATE * ((abs(actual) > told[row - step]) - 0.1)
            told[row + 1] = quantile_by_hand(known[-100:], 0.9) * np.exp(log_width)


def test_rows_may_arrive_one_by_one_or_together():
    first, arrived = RNG.normal(size=(20, 4, 2)), RNG.normal(size=(150, 4, 2))
    together, widths = AdaptiveInterval.begin(first).update(arrived)
    interval = AdaptiveInterval.begin(first)
    for row in range(150):
        np.testing.assert_allclose(interval.width(0.9), widths[row])
        interval, _ = interval.update(arrived[row : row + 1])
    for one, other in zip(interval, together, strict=True):
        np.testing.assert_allclose(one, other)


# What they hold


def test_intervals_keep_their_coverage_where_errors_grow():
    """Noise grows a hundredfold behind the calibration rows: old residuals are too small."""
    y = pd.Series(RNG.normal(size=1500) * np.exp(np.arange(1500) / 250), pd.RangeIndex(1500))
    table = backtest(linear(), y, initial_train_size=400, coverage=0.9)
    held = backtest_scores(table, by="step")["coverage"].dropna()
    assert held.between(0.85, 0.95).all()
    width = linear().fit(y[:400]).predict_interval(0.9).eval("upper - forecast")
    assert ((table["actual"] - table["forecast"]).abs() < width.mean()).mean() < 0.5


def test_a_series_with_few_residuals_begins_with_those_of_all():
    days = pd.date_range("2024-01-01", periods=600, freq="D")
    long = pd.DataFrame({"shop": "a", "y": RNG.normal(size=600)}, days)
    short = pd.DataFrame({"shop": "b", "y": 100 * RNG.normal(size=60)}, days[:60])
    model = linear(series="shop").fit(pd.concat([long, short]))
    assert [len(rows) for rows in model.residuals_.values()] == [60, 66]
    interval = model.predict_interval(0.8)
    widths = (interval["upper"] - interval["lower"]).groupby("shop").mean()
    assert widths["b"] == pytest.approx(100 * widths["a"], rel=0.3)


# Estimators that predict_windows quantiles


@pytest.fixture(scope="module", params=["gaussian", "quantile"])
def of_wind(request):
    """Noise that is five times as large on windy days, which are known ahead."""
    days = pd.RangeIndex(800)
    windy = pd.DataFrame({"windy": RNG.integers(0, 2, 800)}, days)
    y = pd.Series(RNG.normal(size=800) * (1 + 4 * windy["windy"]), days, name="y")
    model = SequenceForecaster(
        network(request.param), 2, 1, future_covariates=["windy"], calibration_fraction=0.2
    )
    return model, y, windy


def test_intervals_are_wide_where_quantiles_are(of_wind):
    model, y, windy = of_wind
    model = model.fit(y[:600], windy[:600])
    assert model.interval_method_ == "scaled conformal"
    coming = pd.DataFrame({"windy": [0]}, [600]), pd.DataFrame({"windy": [1]}, [600])
    calm, stormy = (model.predict_interval(0.8, X=X).iloc[0] for X in coming)
    assert stormy["upper"] - stormy["lower"] > 3 * (calm["upper"] - calm["lower"])
    assert calm["forecast"] == model.predict(X=coming[0]).iloc[0, 0]
    told = backtest(model, y, windy, initial_train_size=600, coverage=0.8)
    told = told.assign(windy=windy["windy"].to_numpy()[600:])
    held = backtest_scores(told, by="windy").xs("forecaster", level="model")["coverage"]
    assert held.between(0.65, 0.95).all()


class Lopsided(RegressorMixin, BaseEstimator):
    """Always 0, between -1 and 2."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def predict_quantiles(self, X):
        return np.tile([-1.0, 0.0, 2.0], (len(X), 1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def test_residuals_are_in_units_of_the_quantiles():
    model = SequenceForecaster(Lopsided(), 5).fit(NOISE)
    z = ((NOISE - NOISE.mean()) / NOISE.std(ddof=0)).to_numpy()[360:]
    scores = np.where(z > 0, z / 2, z)
    np.testing.assert_allclose(model.residuals_[None][:, 0, 0], scores)
    lower, forecast, upper = model.predict_interval(0.8).iloc[0]
    below = quantile_by_hand(scores, 0.8) * NOISE.std(ddof=0)
    assert forecast == pytest.approx(NOISE.mean())
    assert forecast - lower == pytest.approx(below)
    assert upper - forecast == pytest.approx(2 * below)


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_without_calibration_quantiles_are_the_interval(loss):
    y = pd.DataFrame({"a": NOISE, "b": 10 * NOISE.shift(1, fill_value=0)})
    model = SequenceForecaster(network(loss), 5, 2, calibration_fraction=0).fit(y)
    assert model.interval_method_ == "quantiles"
    interval = model.predict_interval(0.9)
    z = ((y - y.mean()) / y.std(ddof=0)).to_numpy()[-5:]
    predicted = model.estimator_.predict_quantiles(z[None])[0].reshape(2, 2, 3)
    for k, name in enumerate(y):
        by_hand = predicted[:, k] * y[name].std(ddof=0) + y[name].mean()
        np.testing.assert_allclose(interval[name], by_hand, rtol=1e-4)
    told = backtest(model, y, coverage=0.9)
    assert (told["lower"] < told["upper"]).all()
    with pytest.raises(ValueError, match="with coverage=0.9, and coverage=0.8 was asked for"):
        model.predict_interval(0.8)
    pd.testing.assert_frame_equal(model.update(y[:0]).predict_interval(0.9), interval)


def test_each_target_alone_has_its_quantiles():
    y = pd.DataFrame({"a": NOISE, "b": 10 * NOISE})
    model = SequenceForecaster(
        network("quantile"), 5, 2, channel_independent=True, calibration_fraction=0
    ).fit(y)
    interval = model.predict_interval(0.9)
    np.testing.assert_allclose(interval["b"], 10 * interval["a"], rtol=1e-4)


def test_the_best_of_a_search_predicts_quantiles():
    cv = TimeSeriesSplit(2, gap=1)
    search = GridSearchCV(network(), {"hidden_size": [2, 4]}, cv=cv)
    model = SequenceForecaster(search, 3, calibration_fraction=0).fit(NOISE)
    assert model.interval_method_ == "quantiles"
    assert model.predict_interval(0.9)["lower"].notna().all()


def test_the_method_is_stated():
    assert linear().fit(NOISE).interval_method_ == "conformal"
    assert linear(calibration_fraction=0).fit(NOISE).interval_method_ is None


def test_quantiles_on_one_side_are_no_interval():
    one_sided = network("quantile", quantiles=(0.1, 0.9))
    with pytest.raises(ValueError, match="no quantiles on both sides"):
        SequenceForecaster(one_sided, 3).fit(NOISE)


def test_steps_without_residuals_have_no_interval():
    model = linear(steps=30).fit(NOISE[:290])  # 29 rows to calibrate
    with pytest.raises(ValueError, match="no residuals to make prediction intervals of"):
        model.predict_interval(0.9)
