"""Bands of forecasts: how wide they are, what they hold, and what an estimator says of its own."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores
from sklstm._estimators.intervals import LEVELS, RATE, Intervals

FIRST = np.zeros(1, dtype=int)
NOISE = pd.Series(np.random.default_rng(0).normal(size=400), pd.RangeIndex(400), name="y")


def network(loss="gaussian", **params):
    settings = {"hidden_size": 8, "lr": 0.01, "max_epochs": 20, "random_state": 0}
    return LSTMRegressor(loss=loss, **settings | {"quantiles": (0.05, 0.5, 0.95)} | params)


def linear(**params):
    return SequenceForecaster(LinearRegression(), **{"window_size": 3, "steps": 2} | params)


def quantile_by_hand(values, coverage):
    known = sorted(abs(value) for value in values if np.isfinite(value))
    return known[int(np.ceil((len(known) + 1) * coverage)) - 1]


# Plain loops


def test_widths_are_the_residuals_at_their_rank():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(60, 1, 2))
    scores[:5, 0, 1] = np.nan
    intervals = Intervals.learn(scores, np.zeros(60, dtype=int), 1)
    for coverage in (0.5, 0.8, 0.9):
        width = intervals.width(coverage, FIRST)[0, 0]
        assert width[0] == pytest.approx(quantile_by_hand(scores[:, 0, 0], coverage))
        assert width[1] == pytest.approx(quantile_by_hand(scores[:, 0, 1], coverage), rel=0.05)


@pytest.mark.parametrize(("n_origins", "coverage"), [(9, 0.9), (4, 0.8), (19, 0.95)])
def test_a_rank_beyond_the_residuals_is_no_width(n_origins, coverage):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2 * n_origins, 2, 1))
    width = Intervals.learn(scores, np.zeros(len(scores), dtype=int), 1).width(coverage, FIRST)
    assert width[0, 1, 0] == np.abs(scores[:, 1]).max()
    fewer = Intervals.learn(scores[2:], np.zeros(len(scores) - 2, dtype=int), 1).width(
        coverage, FIRST
    )
    assert np.isfinite(fewer[0, 0, 0])  # those of one step do not overlap
    assert np.isnan(fewer[0, 1, 0])


@pytest.mark.parametrize("coverage", LEVELS)
def test_widths_adapt_as_in_a_loop(coverage):
    """Three series share a pool: each date counts once; the fourth has its own residuals."""
    rng = np.random.default_rng(0)
    scores = [rng.normal(size=(n, 2, 1)) for n in (70, 70, 70, 300)]
    code = np.repeat(np.arange(4), [70, 70, 70, 300])
    intervals = Intervals.learn(np.concatenate(scores), code, 4)
    assert intervals.pool.tolist() == [0, 0, 0, 1]
    arrived = 2 * rng.normal(size=(4, 50, 2, 1))
    arrived[1, 7], arrived[3, 8] = np.nan, np.nan
    series, turn = np.repeat(np.arange(4), 50), np.tile(np.arange(50), 4)
    _, widths = intervals.adapted(arrived.reshape(200, 2, 1), series, turn, coverage)
    limit = intervals.width(coverage, np.arange(4))
    for series, pool in (([0, 1, 2], 0), ([3], 1)):
        for step in range(2):
            path = [limit[series[0], step, 0]]
            for row in range(50):
                assert widths[row, pool, step, 0] == pytest.approx(path[-1])
                missed = np.abs(arrived[series, row, step, 0])
                missed = missed[np.isfinite(missed)]
                change = 0.0
                if len(missed):
                    beyond = missed > path[max(row - step, 0)]  # as it was at the origin
                    change = RATE / np.sqrt(step + 1) * (beyond.mean() - (1 - coverage))
                path.append(path[-1] * np.exp(change))


def test_rows_may_arrive_one_by_one_or_together():
    rng = np.random.default_rng(0)
    scores, arrived = rng.normal(size=(90, 4, 2)), rng.normal(size=(150, 4, 2))
    intervals = Intervals.learn(scores, np.zeros(90, dtype=int), 1)
    code, turn = np.zeros(150, dtype=int), np.arange(150)
    last, together = intervals.adapted(arrived, code, turn, 0.85)
    for row in range(150):
        np.testing.assert_allclose(intervals.width(0.85, FIRST)[0], together[row, 0])
        intervals, _ = intervals.adapted(arrived[row : row + 1], code[:1], turn[:1], 0.85)
    np.testing.assert_allclose(intervals.log_width, last.log_width)


def test_wider_intervals_hold_narrower_ones():
    """Also where errors of one size alone widen the intervals of some coverages, not of others."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 1, 1))
    intervals = Intervals.learn(scores, np.zeros(400, dtype=int), 1)
    limit = intervals.width(0.8, FIRST).item()
    arrived = np.tile(np.linspace(0.5, 1.05, 20) * limit, 20)[:, None, None]
    turn = np.arange(400)
    intervals, _ = intervals.adapted(arrived, 0 * turn, turn, 0.9)
    levels = np.arange(0.02, 0.995, 0.01)
    widths = [intervals.width(level, FIRST).item() for level in levels]
    assert np.diff(widths).min() >= 0


def test_a_coverage_without_a_quantile_adapts_like_the_one_below():
    rng = np.random.default_rng(0)
    intervals = Intervals.learn(rng.normal(size=(8, 1, 1)), np.zeros(8, dtype=int), 1)
    assert np.isnan(intervals.width(0.9, FIRST))
    turn = np.arange(30)
    wide, _ = intervals.adapted(np.full((30, 1, 1), 50.0), 0 * turn, turn, 0.9)
    ratio = [wide.width(level, FIRST) / intervals.width(level, FIRST) for level in (0.8, 0.85)]
    np.testing.assert_allclose(*ratio)


# What they hold


def test_intervals_keep_their_coverage_where_errors_grow():
    """Noise grows a hundredfold behind the calibration rows: old residuals are too small."""
    rng = np.random.default_rng(0)
    y = pd.Series(rng.normal(size=1500) * np.exp(np.arange(1500) / 250), pd.RangeIndex(1500))
    table = backtest(linear(), y, initial_train_size=400, coverage=0.9)
    held = backtest_scores(table, by="step")["coverage"].dropna()
    behind = [1 / 250 / (RATE / np.sqrt(step)) for step in (1, 2)]  # growth by rate
    np.testing.assert_allclose(held, 0.9 - np.array(behind), atol=0.02)
    width = linear().fit(y[:400]).predict_interval(0.9).eval("upper - forecast")
    assert ((table["actual"] - table["forecast"]).abs() < width.mean()).mean() < 0.5


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_every_coverage_holds_at_every_step_where_wild_times_follow_calm_ones(coverage):
    rng = np.random.default_rng(0)
    size = np.exp(np.sin(np.arange(3000) / 40) + 0.5 * rng.normal(size=3000))
    y = pd.Series((size * rng.standard_t(4, size=3000)).cumsum(), pd.RangeIndex(3000))
    forecaster = SequenceForecaster(LinearRegression(), 4, 8, calibration_fraction=0.2)
    table = backtest(forecaster, y, initial_train_size=1000, coverage=coverage)
    held = backtest_scores(table, by="step")["coverage"].dropna()
    assert held.between(coverage - 0.02, coverage + 0.02).all()


def test_series_with_few_residuals_share_them_in_their_own_scale():
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    loud = np.array([1.0] * 20 + [100.0])
    rng = np.random.default_rng(0)
    noise = loud[:, None] * rng.normal(size=(21, 60)).cumsum(axis=1)
    y = pd.concat([pd.DataFrame({"shop": k, "y": one}, days) for k, one in enumerate(noise)])
    interval = linear(series="shop").fit(y).predict_interval(0.8)
    widths = (interval["upper"] - interval["lower"]).groupby("shop").mean()
    assert widths[20] == pytest.approx(100 * widths[:20].mean(), rel=0.4)


# Estimators that predict quantiles


@pytest.fixture(scope="module", params=["gaussian", "quantile"])
def of_wind(request):
    """Noise that is five times as large on windy days, which are known ahead."""
    days = pd.RangeIndex(800)
    rng = np.random.default_rng(2)
    windy = pd.DataFrame({"windy": rng.integers(0, 2, 800)}, days)
    y = pd.Series(rng.normal(size=800) * (1 + 4 * windy["windy"]), days, name="y")
    model = SequenceForecaster(
        network(request.param), 2, 1, future_covariates=["windy"], calibration_fraction=0.2
    )
    return model, y, windy


def test_intervals_are_wide_where_quantiles_are(of_wind):
    model, y, windy = of_wind
    model = model.fit(y[:600], X=windy[:600])
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


def test_the_sides_are_those_of_the_quantiles():
    y = NOISE.cumsum()
    lower, forecast, upper = SequenceForecaster(Lopsided(), 5).fit(y).predict_interval(0.8).iloc[0]
    assert forecast == y.iloc[-1]
    assert upper - forecast == pytest.approx(2 * (forecast - lower))


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_without_calibration_quantiles_are_the_interval(loss):
    y = pd.DataFrame({"a": NOISE, "b": 10 * NOISE.shift(1, fill_value=0)}).cumsum()
    model = SequenceForecaster(network(loss), 5, 2, calibration_fraction=0).fit(y)
    assert model.interval_method_ == "quantiles"
    interval = model.predict_interval(0.9)
    changes = y.diff().to_numpy()[1:]
    scale = np.sqrt((changes**2).sum(axis=0) / 400)
    predicted = model.estimator_.predict_quantiles((changes / scale)[None, -5:])[0]
    for k, name in enumerate(y):
        by_hand = predicted.reshape(2, 2, 3)[:, k] * scale[k] + y[name].iloc[-1]
        np.testing.assert_allclose(interval[name], by_hand, rtol=1e-3)
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
    model = linear(steps=30).fit(NOISE[:290])
    assert np.isfinite(model.predict_interval(0.9, steps=2)).all(axis=None)
    with pytest.raises(ValueError, match="too few residuals .* coverage of 0.9 30 steps ahead"):
        model.predict_interval(0.9)
    with pytest.raises(ValueError, match="has 29 of 290 rows .* need 4 forecasts that do not"):
        linear(steps=30, calibration_fraction=0.1).fit(NOISE[:290])


@pytest.mark.parametrize(
    "estimator",
    [LinearRegression(), HistGradientBoostingRegressor(max_iter=5)],
    ids=["linear", "takes NaN"],
)
@pytest.mark.parametrize(
    "params",
    [{"future_covariates": ["promo"]}, {"calendar": "auto"}, {}],
    ids=["covariate", "calendar", "alone"],
)
def test_intervals_adapt_alike_however_many_rows_an_update_brings(estimator, params):
    rng = np.random.default_rng(8)
    hours = pd.date_range("2024", periods=215, freq="h")
    promo = rng.integers(0, 2, size=215).astype(float)
    noise = rng.normal(scale=np.where(np.arange(215) < 202, 0.1, 3))
    table = pd.DataFrame({"sold": promo + noise, "promo": promo}, hours)
    model = SequenceForecaster(estimator, 4, 3, target="sold", calibration_fraction=0.3, **params)
    coming = {"X": table[["promo"]]} if "future_covariates" in params else {}
    together, single = clone(model).fit(table[:200]), clone(model).fit(table[:200])
    before = together.predict_interval(0.8, **coming)
    together.update(table[200:210])
    for row in range(200, 210):
        single.update(table[row : row + 1])
    found = single.predict_interval(0.8, **coming)
    np.testing.assert_allclose(found, together.predict_interval(0.8, **coming), rtol=1e-9)
    wider = (found["upper"] - found["lower"]).to_numpy() > 1.05 * (
        before["upper"] - before["lower"]
    ).to_numpy()
    assert wider.all()  # at each step
    past = backtest(model, table[:214], initial_train_size=200, coverage=0.8)
    there = past[past["origin"] == hours[209]].set_index("timestamp")
    np.testing.assert_allclose(
        there[["lower", "forecast", "upper"]],
        found,
        rtol=1e-9,
    )
