"""Forecasts of the next steps, on their timestamps, and backtests."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    DroppedDataWarning,
    LSTMRegressor,
    SequenceFlattener,
    SequenceForecaster,
    SequenceWindower,
    backtest,
    backtest_scores,
)
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.window_units import PanelUnit, Unit
from sklstm._tables.windows import make_windows

RNG = np.random.default_rng(0)
HOURS = pd.date_range("2024-03-01", periods=300, freq="h", tz="Europe/Berlin")
WAVE = np.sin(np.arange(300) * 2 * np.pi / 24)
TIDE = pd.Series(WAVE + 0.05 * RNG.normal(size=300), HOURS, name="tide")


def lstm(**params):
    settings = {"hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return LSTMRegressor(**settings | params)


def forecaster(estimator=None, **params):
    settings = {"window_size": 24, "steps": 6}
    return SequenceForecaster(estimator or LinearRegression(), **settings | params)


def panel(n_rows=120):
    parts = []
    for name, level in (("a", 0.0), ("b", 1000.0)):
        days = pd.date_range("2024-01-01", periods=n_rows, freq="D")
        y = level + 10 * np.sin(np.arange(n_rows) / 3) + RNG.normal(size=n_rows)
        parts.append(pd.DataFrame({"shop": name, "day": days, "sales": y}))
    return pd.concat(parts, ignore_index=True)


# Forecasts


def test_a_linear_model_is_that_of_lags():
    """Of the changes from row to row, for the change since the last row."""
    model = forecaster(calibration_fraction=0).fit(TIDE)
    y = TIDE.to_numpy()
    lags = np.lib.stride_tricks.sliding_window_view(np.diff(y, prepend=y[0]), 24)
    ahead = np.lib.stride_tricks.sliding_window_view(y[24:], 6) - y[23:-6, None]
    by_hand = LinearRegression().fit(lags[: len(ahead)], ahead).predict(lags[-1:])[0] + y[-1]
    np.testing.assert_allclose(model.predict()["tide"], by_hand, rtol=1e-6)


@pytest.mark.parametrize("estimator", [None, lstm(), HistGradientBoostingRegressor(max_iter=20)])
def test_any_regressor_beats_the_last_value(estimator):
    model = SequenceForecaster(estimator, window_size=24, steps=6)
    scores = backtest_scores(backtest(model, TIDE, initial_train_size=0.7, season=24))
    assert scores.loc["forecaster", "RMSE"] < 0.5 * scores.loc["naive", "RMSE"]


def test_more_steps_feed_forecasts_back():
    model = forecaster().fit(TIDE)
    predicted = model.predict(48)
    assert len(predicted) == 48
    again = model.update(predicted["tide"][:6]).predict(6)
    np.testing.assert_allclose(again["tide"], predicted["tide"][6:12], rtol=1e-6)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2020-01-31", periods=100, freq="ME"),
        pd.date_range("2020-01-01", periods=100, freq="B"),
        pd.period_range("2020-01", periods=100, freq="M"),
        pd.date_range("2024-10-25", periods=100, freq="h", tz="Europe/Berlin"),
        pd.RangeIndex(10, 210, 2),
    ],
)
def test_timestamps_continue(index):
    whole = index.append(index[:0])
    model = forecaster(steps=3).fit(pd.Series(np.arange(90.0), whole[:90]))
    predicted = model.predict(10)
    assert predicted.index.equals(pd.Index(whole[90:]))
    assert predicted.columns.tolist() == ["y"]
    np.testing.assert_allclose(predicted["y"], np.arange(90.0, 100), rtol=1e-6)


def test_each_series_has_its_level():
    model = SequenceForecaster(lstm(), 14, 7, series="shop", time="day").fit(panel())
    predicted = model.predict()
    assert predicted.index.names == ["shop", "day"]
    assert abs(predicted.loc["a", "sales"].mean()) < 30
    assert abs(predicted.loc["b", "sales"].mean() - 1000) < 30
    assert predicted.loc["b"].index[0] == pd.Timestamp("2024-04-30")


def test_known_columns_are_the_only_future_it_sees():
    promotion = pd.DataFrame(
        {"promo": RNG.integers(0, 2, 300), "noise": RNG.normal(size=300)}, HOURS
    )
    y = pd.Series(5.0 * promotion["promo"], HOURS, name="sales")
    model = forecaster(future_covariates=["promo"]).fit(y[:290], X=promotion[:290])
    future = promotion[290:296]
    np.testing.assert_allclose(model.predict(X=future)["sales"], y[290:296], atol=1e-6)
    changed = future.assign(noise=1e6)
    pd.testing.assert_frame_equal(model.predict(X=changed), model.predict(X=future))
    with pytest.raises(ValueError, match=r"X lacks the row 2024-03-13 04:00:00\+01:00 of y"):
        model.predict(X=future[:2])
    with pytest.raises(ValueError, match="X is missing: .* columns .'promo'. of the next 6 rows"):
        model.predict()
    with pytest.raises(ValueError, match="needs the columns .'noise'. of future rows"):
        model.predict(7, X=promotion[290:])


@pytest.mark.parametrize(("window_size", "n_columns"), [(6, 3), (10, 3), (5, 4), (2, 5)])
def test_a_window_holds_what_is_known_of_all_steps(window_size, n_columns):
    numbers = np.arange(40.0)
    values = np.column_stack([0 * numbers, numbers])
    rows = SeriesRows(values, 1, np.array([40]), np.arange(40), [None])
    local = PanelUnit.learn(rows, Unit()).measure(rows)
    windows = make_windows(rows, local, [1], window_size, 6)
    assert windows.sequences.n_features == n_columns
    windows = windows.take(windows.whole())
    for window, end in zip(windows.sequences, windows.ends, strict=True):
        assert set(end + np.arange(1.0, 7)) <= set(window[:, 2:].ravel())
        assert window[:, 1].tolist() == numbers[end - window_size + 1 : end + 1].tolist()


def test_update_is_a_longer_buffer():
    model = forecaster().fit(TIDE[:200])
    for row in range(200, 260):
        model.update(TIDE[row : row + 1])
    later = forecaster().fit(TIDE[:200]).update(TIDE[200:260])
    pd.testing.assert_frame_equal(model.predict(), later.predict())
    pd.testing.assert_frame_equal(model.predict_interval(), later.predict_interval())


def test_backtests_are_forecasts_from_every_origin():
    table = backtest(forecaster(), TIDE, initial_train_size=200, stride=10, coverage=0.9)
    model = forecaster().fit(TIDE[:200])
    predicted = model.predict()["tide"]
    first = table[table["origin"] == HOURS[199]]
    np.testing.assert_allclose(first["forecast"], predicted)
    np.testing.assert_allclose(first["actual"], TIDE[200:206])
    assert (first["naive"] == TIDE.iloc[199]).all()
    second = model.update(TIDE[200:210]).predict()["tide"]
    np.testing.assert_allclose(table[table["origin"] == HOURS[209]]["forecast"], second)
    by_step = backtest_scores(table, by="step")
    assert by_step.index.names == ["step", "model"]
    assert len(by_step) == 12


def lags_pipeline(horizon=6, **params):
    windower = SequenceWindower(24, horizon=horizon, **params)
    return make_pipeline(windower, SequenceFlattener(), HistGradientBoostingRegressor(max_iter=5))


def test_a_pipeline_is_backtested_at_its_horizon():
    table = backtest(lags_pipeline(), TIDE, initial_train_size=200, stride=10, season=24)
    model = lags_pipeline().fit(TIDE[:200].to_frame(), TIDE[:200])
    by_hand = model.predict(TIDE.to_frame())[205::10]
    np.testing.assert_allclose(table["forecast"], by_hand)
    assert table["timestamp"].tolist() == HOURS[205::10].tolist()
    assert table["origin"].tolist() == HOURS[199:294:10].tolist()
    np.testing.assert_allclose(table["actual"], TIDE[205::10])
    np.testing.assert_allclose(table["naive"], TIDE[199:294:10])
    np.testing.assert_allclose(table["seasonal_naive"], TIDE[181:276:10])
    assert set(table["step"]) == {6}


def test_a_pipeline_is_backtested_series_by_series():
    table = panel()
    y = table.pop("sales")
    X = table.assign(past=y)
    table = backtest(lags_pipeline(1, series="shop", time="day"), y, X, initial_train_size=0.5)
    assert table.groupby("series").size().tolist() == [60, 60]
    assert table[table["series"] == "b"]["actual"].tolist() == y[180:].tolist()
    assert table["timestamp"].min() == pd.Timestamp("2024-03-01")


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        (lags_pipeline(horizon=0), {}, "a SequenceWindower whose horizon"),
        (HistGradientBoostingRegressor(), {}, "does not forecast"),
        (lags_pipeline(), {"coverage": 0.9}, "Pipeline has no prediction intervals"),
        (forecaster(), {"initial_train_size": 300}, "leaves no row to forecast, of 300"),
        (forecaster(), {"initial_train_size": 1e-4}, "leaves no row to train on, of 300"),
        (forecaster(), {"initial_train_size": -5}, "'initial_train_size' parameter of backtest"),
        (forecaster(), {"stride": 0}, "'stride' parameter of backtest"),
        (forecaster(), {"coverage": 2}, "'coverage' parameter of backtest"),
        (forecaster(), {"season": 250}, "season=250 is not shorter than the training part, 240"),
    ],
)
def test_no_backtest(model, params, message):
    with pytest.raises(ValueError, match=message):
        backtest(model, TIDE, **params)


# Several targets


def independent_walks(n_rows=400, n_targets=8):
    days = pd.date_range("2024-01-01", periods=n_rows, freq="D")
    noise = np.random.default_rng(3).normal(size=(n_rows, n_targets))
    y = np.zeros_like(noise)
    for row in range(1, n_rows):
        y[row] = 0.9 * y[row - 1] + noise[row]
    return pd.DataFrame(y, days, [f"y{k}" for k in range(n_targets)])


def test_each_target_alone_is_a_model_of_all_of_them():
    y = independent_walks().cumsum()
    model = SequenceForecaster(
        LinearRegression(), 7, 2, channel_independent=True, calibration_fraction=0
    ).fit(y)
    changes = y.diff().fillna(0).to_numpy()
    scale = np.sqrt((changes[1:] ** 2).mean(axis=0))
    z = np.lib.stride_tricks.sliding_window_view(changes / scale, 9, axis=0).reshape(-1, 9)
    by_hand = LinearRegression().fit(z[:, :7], z[:, 7:].cumsum(axis=1))
    change = by_hand.predict((changes / scale)[-7:].T).T * scale
    np.testing.assert_allclose(model.predict(), y.iloc[-1:].to_numpy() + change, rtol=1e-3)


def test_the_first_model_does_not_see_the_calibration_set():
    noise = pd.Series(RNG.normal(size=120), HOURS[:120])
    one_nearest = KNeighborsRegressor(1)  # knows each row that it was fitted on
    model = forecaster(one_nearest, window_size=5, steps=2, calibration_fraction=0.25).fit(noise)
    losses = model.validation_losses_.set_index("model")["loss"]
    assert losses["forecaster"] > 0.5
    interval = model.predict_interval(0.8)
    assert (interval["upper"] - interval["lower"]).min() > 1


def test_what_errs_less_on_later_rows_is_kept():
    y = independent_walks()
    model = SequenceForecaster(LinearRegression(), 14, 3).fit(y)
    errors = model.validation_losses_.set_index("model")["loss"]
    assert errors.index.tolist() == ["naive", "targets together", "channel-independent"]
    assert model.channel_independent_
    assert errors.idxmin() == "channel-independent"
    led = pd.DataFrame({"led": y["y0"].shift(1, fill_value=0), "leading": y["y0"]})
    model = SequenceForecaster(LinearRegression(), 3, 1).fit(led)
    assert not model.channel_independent_
    assert SequenceForecaster(LinearRegression(), 3).fit(y["y0"]).validation_losses_.shape == (2, 2)


# The future


@pytest.mark.parametrize("channel_independent", [False, True])
def test_no_forecast_looks_ahead(channel_independent):
    """Rows behind an origin are changed: what was foretold from it stays."""
    model = forecaster(channel_independent=channel_independent)
    y = pd.DataFrame({"a": TIDE, "b": TIDE[::-1].to_numpy()})
    X = pd.DataFrame({"x": RNG.normal(size=300)}, HOURS)
    other_y, other_X = y.copy(), X.copy()
    other_y[250:] += 1e3
    other_X[250:] += 1e3
    one, other = (
        backtest(model, *tables, initial_train_size=200, coverage=0.9)
        for tables in ((y, X), (other_y, other_X))
    )
    columns = ["forecast", "lower", "upper"]
    known = one["origin"] < HOURS[250]
    pd.testing.assert_frame_equal(one[known][columns], other[known][columns])
    assert not np.allclose(one[~known]["forecast"], other[~known]["forecast"])


def test_intervals_of_a_backtest_are_those_of_updates():
    y = pd.Series(RNG.normal(size=1500), pd.RangeIndex(1500), name="y")
    y[600:] *= 3
    model = forecaster(steps=3, calibration_fraction=0.5)
    table = backtest(model, y, initial_train_size=500, coverage=0.8).set_index(["origin", "step"])
    model.fit(y[:500])
    for row in range(500, 800):
        model.update(y[row : row + 1])
        if row % 50 == 0:
            interval = model.predict_interval(0.8)
            pd.testing.assert_frame_equal(
                table.loc[row][["lower", "forecast", "upper"]].reset_index(drop=True),
                interval.reset_index(drop=True),
            )
    scores = backtest_scores(table.reset_index())
    assert scores.loc["forecaster", "coverage"] == pytest.approx(0.8, abs=0.05)


def test_pinball_loss_is_that_of_scikit_learn():
    table = backtest(forecaster(), TIDE, coverage=0.8)
    sides = [
        mean_pinball_loss(table["actual"], table[side], alpha=alpha)
        for side, alpha in (("lower", 0.1), ("upper", 0.9))
    ]
    score = backtest_scores(table).loc["forecaster", "pinball"]
    assert score == pytest.approx(np.mean(sides))


def test_a_search_of_the_regressor_goes_inside():
    search = GridSearchCV(lstm(), {"hidden_size": [2, 4]}, cv=TimeSeriesSplit(2, gap=6))
    model = SequenceForecaster(search, window_size=24, steps=6, calibration_fraction=0).fit(TIDE)
    assert model.estimator_.best_params_["hidden_size"] in (2, 4)
    assert len(model.predict()) == 6


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: VotingRegressor([("a", inner), ("b", lstm(random_state=1))]),
        lambda inner: TransformedTargetRegressor(inner, transformer=StandardScaler()),
        lambda inner: make_pipeline(inner),
        lambda inner: GridSearchCV(inner, {"hidden_size": [2]}, cv=TimeSeriesSplit(2)),
    ],
)
def test_what_passes_windows_on_gets_windows(wrap, steps):
    seen = []

    class Spy(LSTMRegressor):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    inner = Spy(hidden_size=2, max_epochs=1, random_state=0)
    model = forecaster(wrap(inner), steps=steps, calibration_fraction=0).fit(TIDE)
    assert len(model.predict()) == steps
    assert all(X.n_features == 1 and X.max_length == 24 for X in seen)
    assert all((X.series == 0).all() for X in seen)


def test_a_network_behind_what_reads_flat_rows_is_refused():
    with pytest.raises(ValueError, match="LSTMRegressor reads windows, and the first step"):
        forecaster(make_pipeline(StandardScaler(), lstm())).fit(TIDE)
    forecaster(make_pipeline(StandardScaler(), LinearRegression())).fit(TIDE)


# What a fit leaves


class Broken(LinearRegression):
    def fit(self, X, y):
        raise RuntimeError("broken")


def test_a_failed_fit_leaves_the_forecaster_as_it_was():
    model = forecaster().fit(TIDE)
    before = model.predict_interval()
    model.set_params(estimator=Broken())
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(1000 + 100 * TIDE)
    pd.testing.assert_frame_equal(model.predict_interval(), before)
    model = forecaster(Broken())
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(TIDE)
    with pytest.raises(NotFittedError):
        model.predict()


def test_a_forecast_refuses_other_settings_than_those_of_the_fit():
    model = forecaster().fit(TIDE).set_params(window_size=12)
    for ask in (model.predict, model.predict_interval, lambda: model.update(TIDE)):
        with pytest.raises(ValueError, match="window_size was 24 in fit and is 12 now"):
            ask()
    assert len(model.set_params(window_size=24).predict()) == 6


def test_a_constant_series_stays_what_it_is():
    for constant in (0.1, 0.3, 0.0):
        model = forecaster().fit(0 * TIDE + constant)
        np.testing.assert_allclose(model.predict()["tide"], constant)


# Bands


def test_intervals_have_their_nominal_coverage():
    noise = pd.Series(RNG.normal(size=2000), pd.RangeIndex(2000))
    model = forecaster(window_size=3, steps=2, calibration_fraction=0.3)
    scores = backtest_scores(backtest(model, noise, initial_train_size=0.7, coverage=0.8))
    assert scores.loc["forecaster", "coverage"] == pytest.approx(0.8, abs=0.05)
    interval = model.fit(noise).predict_interval(0.8)
    assert interval.columns.tolist() == ["lower", "forecast", "upper"]
    assert (interval["lower"] < interval["forecast"]).all()
    assert (interval["forecast"] < interval["upper"]).all()


def test_several_targets_have_an_interval_each():
    y = pd.DataFrame({"a": TIDE, "b": 10 * TIDE})
    interval = forecaster().fit(y).predict_interval(0.9, steps=2)
    assert interval.columns.tolist() == [
        (target, side) for target in "ab" for side in ("lower", "forecast", "upper")
    ]
    widths = interval.xs("upper", axis=1, level=1) - interval.xs("lower", axis=1, level=1)
    np.testing.assert_allclose(widths["b"], 10 * widths["a"], rtol=1e-6)


@pytest.mark.parametrize("shop", [None, "b"])
def test_a_forecast_is_drawn_on_its_dates(shop):
    display_of = pytest.importorskip("sklstm.plotting").ForecastDisplay
    model = forecaster(window_size=14, steps=7, series="shop").fit(panel().set_index("day"))
    display = display_of.from_estimator(model, coverage=0.8, series=shop)
    predicted = model.predict_interval(0.8).loc[shop or "a"]
    np.testing.assert_allclose(display.forecast_line_.get_ydata(), predicted["forecast"])
    assert display.forecast_line_.get_xdata()[0] == predicted.index[0]
    assert display.interval_.get_label() == "80% prediction interval"
    assert display.ax_.get_ylabel() == "sales"
    assert display_of.from_estimator(model, steps=20).interval_ is None
    with pytest.raises(ValueError, match="'wind' is not among 'sales'"):
        display_of.from_estimator(model, target="wind")


# What is refused


def test_a_missing_row_is_one_of_nan_and_windows_that_hold_it_are_counted():
    missing = TIDE.drop(HOURS[50])
    with pytest.warns(DroppedDataWarning, match="30 of 271 windows hold NaN"):
        model = forecaster().fit(missing)
    imputed = pd.concat([missing, pd.Series(np.nan, HOURS[50:51])]).sort_index().rename("tide")
    with pytest.warns(DroppedDataWarning, match="30 of 271 windows hold NaN"):
        expected = forecaster().fit(imputed)
    pd.testing.assert_frame_equal(model.predict(), expected.predict())


def test_an_array_is_one_series_counted_by_its_rows():
    model = forecaster().fit(TIDE.to_numpy())
    assert model.predict().index.tolist() == list(range(300, 306))
    named = forecaster().fit(TIDE.reset_index(drop=True))
    np.testing.assert_array_equal(model.predict(), named.predict())


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: forecaster().fit(TIDE.iloc[[0, 2, 5, 12, 40, 71]]), "are irregular: a forecast"),
        (
            lambda: forecaster().fit(TIDE[:7]),
            "y has 7 rows, and a window with 6 steps behind it needs",
        ),
        (lambda: forecaster().fit([1.0, 2.0]), "y is a list without time: a forecast needs"),
        (lambda: forecaster(steps=0).fit(TIDE), "'steps' parameter"),
        (lambda: forecaster().fit(TIDE).predict(0), "steps=0 must be"),
        (lambda: forecaster(future_covariates=["x"]).fit(TIDE), "=.'x'. are no columns of X"),
        (lambda: forecaster().fit(TIDE, X=TIDE[1:].to_frame("x")), "X must have the rows of y"),
        (
            lambda: forecaster().fit(TIDE[:200]).update(TIDE[201:]),
            "row expected next is 2024-03-09",
        ),
        (lambda: forecaster().fit(TIDE[::-1]), "Time must increase .* row 1 "),
        (lambda: forecaster().fit(TIDE, X=TIDE.to_frame()), "y and X both have the column 'tide'"),
        (
            lambda: forecaster(series="shop").fit(
                panel().replace({"shop": {"b": None}}).set_index("day")
            ),
            "series='shop' is missing in row 120",
        ),
        (lambda: forecaster().fit(TIDE).predict_interval(1.5), "coverage=1.5"),
        (lambda: forecaster().fit(TIDE).predict_interval(steps=9), "fit with steps=9"),
        (
            lambda: forecaster(calibration_fraction=0).fit(TIDE).predict_interval(),
            "too few residuals",
        ),
        (
            lambda: (
                forecaster(series="shop")
                .fit(panel().set_index("day"))
                .update(panel().drop_duplicates("day").assign(shop="c").set_index("day"))
            ),
            "The series 'c' was not seen in fit",
        ),
        (
            lambda: forecaster().fit(TIDE[:-6]).update(TIDE[-6:].drop(TIDE.index[-3])),
            "The rows go on from .* to .*, but the row expected next is",
        ),
        (lambda: forecaster().fit(TIDE[:0]), "The table has no rows"),
        (
            lambda: (
                forecaster().fit(TIDE, X=TIDE.to_frame("wind")).predict(X=TIDE.to_frame("wind"))
            ),
            "reads none of them: name their columns in future_covariates",
        ),
        (lambda: forecaster().fit(TIDE).predict(y=TIDE[:0]), "The table has no rows"),
        (lambda: forecaster().fit(TIDE).score(TIDE[:0]), "no rows to score"),
        (
            lambda: backtest(forecaster(calibration_fraction=0), TIDE, coverage=0.8),
            "too few residuals for prediction intervals with coverage=0.8",
        ),
        (
            lambda: backtest(forecaster(), TIDE, initial_train_size=pd.Timestamp("2024-06-01")),
            "initial_train_size=.* timestamps of the dtype datetime64",
        ),
        (
            lambda: backtest(forecaster(), TIDE.reset_index(drop=True), initial_train_size="2024"),
            "initial_train_size='2024' is compared with timestamps of the dtype int64",
        ),
    ],
)
def test_bad_input_is_named(fit, message):
    with pytest.raises(ValueError, match=message):
        fit()


@pytest.mark.parametrize("fit", [lambda model, y: model.fit(y), backtest])
@pytest.mark.parametrize(
    "table",
    [
        TIDE.to_frame("wind"),
        TIDE.rename("wind"),
        TIDE.to_frame("wind").to_numpy(),
        {"wind": TIDE},
        [TIDE.to_frame("wind")],
        (TIDE.rename("wind"),),
    ],
    ids=["DataFrame", "Series", "array", "dict", "list of tables", "tuple of Series"],
)
def test_a_table_of_future_covariates_is_refused_with_the_cure(table, fit):
    with pytest.raises(ValueError, match="pass the table as X to fit and predict, and name those"):
        fit(forecaster(future_covariates=table), TIDE)


def test_an_array_of_names_is_no_table():
    with pytest.raises(ValueError, match="must be an instance of 'list' or an instance of 'tuple'"):
        forecaster(future_covariates=np.array(["wind"])).fit(TIDE, X=TIDE.to_frame("wind"))


X = pd.DataFrame({"wind": WAVE, "rain": WAVE}, HOURS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: forecaster().fit(X, TIDE), r"\(DataFrame, Series\): the series come first"),
        (lambda: forecaster().fit(TIDE, X), r"by name: fit\(y, X=covariates\)"),
        (lambda: forecaster().fit(y=X, X=TIDE), "y is a table of 2 columns, and X a Series"),
        (lambda: forecaster().fit(TIDE).update(X, TIDE), r"update\(y, X=covariates\)"),
        (lambda: forecaster().fit(TIDE).predict(X), "steps is a DataFrame: pass .* X=future"),
        (
            lambda: GridSearchCV(
                forecaster(), {"window_size": [4]}, scoring="r2", error_score="raise"
            ).fit(X, TIDE),
            r"a search takes one table: search.fit\(y\)",
        ),
    ],
)
def test_another_order_is_refused_by_what_comes(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_missing_values_are_left_out_and_said():
    y = TIDE.copy()
    y.iloc[100] = np.nan
    with pytest.warns(UserWarning, match="30 of 271 windows hold NaN"):
        model = forecaster().fit(y)
    assert np.isfinite(model.predict()).all(axis=None)
    with pytest.raises(ValueError, match="newest 24 rows of y hold NaN"):
        model.update(pd.Series([np.nan], HOURS[-1:] + pd.Timedelta("1h"))).predict()


def test_an_update_passes_a_value_that_is_missing_in_all_windows():
    y = TIDE.copy()
    y.iloc[-12] = np.nan
    with pytest.warns(UserWarning, match="hold NaN"):
        model = forecaster(steps=2).fit(y)
    later = pd.date_range(HOURS[-1], periods=26, freq="h")[1:]
    model.update(pd.Series(0.1, later[:1])).update(pd.Series(WAVE[:24], later[1:]))
    assert np.isfinite(model.predict_interval()).all(axis=None)
