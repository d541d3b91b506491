"""`calendar="auto"`: the forecaster reads the time of day, week and year by itself."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge

from sklstm import LSTMRegressor, SequenceForecaster, backtest

WEEK = ["week sin 1", "week cos 1", "week sin 2", "week cos 2", "week sin 3", "week cos 3"]
DAY = ["day sin 1", "day cos 1", "day sin 2", "day cos 2"]
YEAR = ["year sin 1", "year cos 1"]


def noise(index, seed=0):
    return pd.Series(np.random.default_rng(seed).normal(size=len(index)), index, name="sold")


def sales(n_rows=300, **dates):
    """More on Fridays and Saturdays, less on Sundays, around a random walk."""
    days = pd.date_range("2024-01-01", periods=n_rows, **{"freq": "D"} | dates)
    by_day = np.array([0, 0, 0, 0, 10, 12, -20])[days.day_of_week]
    return by_day + 0.3 * noise(days).cumsum() + noise(days, 1)


def fitted(y, estimator=None, window_size=3, **params):
    return SequenceForecaster(estimator or Ridge(), window_size, calendar="auto", **params).fit(y)


@pytest.mark.parametrize(
    ("n_rows", "freq", "expected"),
    [
        (400, "h", [*DAY, *WEEK]),
        (150, "h", DAY),
        (300, "D", WEEK),
        (800, "D", [*WEEK, *YEAR]),
        (300, "B", WEEK),
        (120, "W", YEAR),
        (60, "12h", ["day cos 1", *WEEK]),
        (60, "MS", YEAR),
        (30, "YS", []),
    ],
)
def test_what_varies_at_the_frequency_and_in_the_span_is_read(n_rows, freq, expected):
    y = noise(pd.date_range("2020-01-01", periods=n_rows, freq=freq))
    assert fitted(y).calendar_ == expected
    if freq not in ("12h", "B", "h"):
        assert fitted(y.to_period({"MS": "M", "YS": "Y"}.get(freq, freq))).calendar_ == expected


def test_a_year_that_windows_hold_is_read_where_there_are_many():
    y = noise(pd.date_range("1990-01-01", periods=130, freq="MS"))
    assert fitted(y[:100], window_size=12).calendar_ == []
    assert fitted(y, window_size=12).calendar_ == YEAR


@pytest.mark.parametrize("estimator", [Ridge(), LSTMRegressor(hidden_size=8, random_state=0)])
def test_a_weekly_pattern_is_forecast_from_short_windows(estimator):
    y, errors = sales(), []
    for calendar in (None, "auto"):
        forecaster = SequenceForecaster(estimator, 3, 7, season=1, calendar=calendar)
        found = backtest(forecaster, y, initial_train_size=200)
        errors.append((found["actual"] - found["forecast"]).abs().mean())
    assert errors[1] < errors[0] / 2


def test_future_timestamps_are_read_without_a_table():
    y = sales()
    forecaster = fitted(y[:280], LinearRegression(), steps=2, season=1)
    forecast = forecaster.predict(9)["sold"]  # more than `steps`, so that forecasts are fed back
    assert np.abs(forecast - y[280:289]).mean() < 3
    again = pickle.loads(pickle.dumps(forecaster))
    pd.testing.assert_frame_equal(again.predict(9), forecaster.predict(9))
    dumped = skops.io.dumps(forecaster)
    loaded = skops.io.loads(dumped, trusted=skops.io.get_untrusted_types(data=dumped))
    pd.testing.assert_frame_equal(loaded.predict(9), forecaster.predict(9))
    given = forecaster.predict(9, y=y[:280])
    pd.testing.assert_frame_equal(given, forecaster.predict(9), atol=1e-6)
    updated = forecaster.update(y[280:290]).predict_interval(0.8)
    assert (updated["upper"] > updated["lower"]).all()


def test_it_is_the_same_as_covariates_of_the_user():
    y = sales()
    own = clone(fitted(y)).set_params(season=1).fit(y)
    days = pd.date_range(y.index[0], periods=len(y) + 1)
    waves = {
        f"{wave.__name__} {k}": wave(2 * np.pi * k * days.day_of_week / 7)
        for k in (1, 2, 3)
        for wave in (np.sin, np.cos)
    }
    X = pd.DataFrame(waves, days)
    theirs = SequenceForecaster(Ridge(), 3, season=1, future_covariates=list(waves))
    theirs.fit(y, X=X[:-1])
    np.testing.assert_allclose(theirs.predict(X=X[-1:]), own.predict(), rtol=1e-9)


def test_local_clocks_decide():
    y = noise(pd.date_range("2024-01-01", periods=400, freq="h", tz="Europe/Paris"))
    there = fitted(y, LinearRegression())
    here = fitted(y.tz_localize(None), LinearRegression())
    np.testing.assert_allclose(there.predict(), here.predict(), rtol=1e-9)


def test_series_that_end_on_different_days():
    y = sales()
    long = pd.concat({"a": y, "b": y[:-5] + 50}, names=["shop", "day"])
    forecaster = fitted(long, LinearRegression(), steps=7, series="shop", season=1)
    forecast = forecaster.predict()["sold"]
    for shop, end in (("a", 300), ("b", 295)):
        found = forecast.loc[shop]
        assert found.index[0] == y.index[0] + pd.Timedelta(days=end)
        assert found.idxmin().day_of_week == 6


def test_numbers_are_no_dates():
    with pytest.raises(ValueError, match="calendar='auto' needs dates.*int64.*to_datetime"):
        fitted(noise(pd.RangeIndex(100)))


def test_columns_of_the_user_do_not_hide_waves():
    days = pd.date_range("2024-01-01", periods=60)
    y, X = pd.Series(range(60), days, name="y"), pd.DataFrame({"week sin 1": 0.0}, days)
    model = SequenceForecaster(Ridge(), 4, calendar="auto", future_covariates=["week sin 1"])
    with pytest.raises(ValueError, match="'week sin 1'. are named like waves of calendar"):
        model.fit(y, X=X)
