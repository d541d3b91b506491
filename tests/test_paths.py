"""Sample paths and simultaneous intervals: what whole paths of a forecast do."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from sklstm import LSTMRegressor, SequenceForecaster
from sklstm._estimators.intervals import Intervals
from sklstm._estimators.residual_paths import LEAST_DATES, MOST_PATHS

FIRST = np.zeros(1, dtype=int)
COVERAGE, STEPS, PHI = 0.8, 7, 0.8


def table(values, first=0):
    """A long table of series, days from a first one on."""
    n_series, n_rows = values.shape
    days = pd.date_range("2024-01-01", periods=first + n_rows)[first:]
    rows = {"id": np.repeat(np.arange(n_series), n_rows), "y": values.ravel()}
    return pd.DataFrame(rows, np.tile(days, n_series))


def ar1(n_series, n_rows, phi=PHI, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n_series, n_rows))
    y[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, n_rows):
        y[:, t] += phi * y[:, t - 1]
    return y


def noise(n_rows=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.Series(rng.normal(size=n_rows), pd.RangeIndex(n_rows), name="y")


def linear(steps=STEPS, **params):
    return SequenceForecaster(LinearRegression(), 5, steps, **params)


def residuals(n_windows, steps, seed=0, n_targets=1):
    return np.random.default_rng(seed).normal(size=(n_windows, steps, n_targets)).cumsum(axis=1)


# By hand


def test_simultaneous_widths_are_those_of_a_loop():
    scores = residuals(300, 4)
    intervals = Intervals.learn(scores, np.zeros(300, dtype=int), 1)
    for steps, n in ((1, 300), (4, 75)):
        step = intervals.width(COVERAGE, FIRST)[0, :steps, 0]
        largest = sorted(max(abs(path[s, 0]) / step[s] for s in range(steps)) for path in scores)
        rank = np.ceil((n + 1) * COVERAGE)
        factor = np.interp((rank - 1) / (n - 1), np.linspace(0, 1, 300), largest)
        found = intervals.path_width(COVERAGE, FIRST, steps)[0, :, 0]
        np.testing.assert_allclose(found, factor * step)


def test_steps_of_paths_have_the_coverage_of_intervals():
    """Of few forecasts as of many; and as `update` has stretched them."""
    for n_windows in (210, 2000):
        scores = residuals(n_windows, STEPS)
        intervals = Intervals.learn(scores, np.zeros(n_windows, dtype=int), 1)
        intervals = intervals._replace(log_width=intervals.log_width + np.log(3))
        paths = intervals.sample(1000, FIRST, np.random.RandomState(0))[0]
        for coverage in (0.5, 0.8):
            inside = np.abs(paths) <= intervals.width(coverage, FIRST)[0] * (1 + 1e-9)
            np.testing.assert_allclose(inside.mean(axis=0), coverage, atol=0.03)


def test_paths_are_drawn_once_before_any_is_drawn_again():
    intervals = Intervals.learn(residuals(50, 1), np.zeros(50, dtype=int), 1)
    drawn = intervals.sample(120, FIRST, np.random.RandomState(0))[0, :, 0, 0]
    assert set(np.unique(drawn, return_counts=True)[1]) == {2, 3}
    assert len(np.unique(drawn[:50])) == 50


def test_paths_that_arrive_replace_the_oldest_and_no_date_counts_for_many():
    n_series, steps = 200, 2
    intervals = Intervals.learn(residuals(n_series, steps), np.arange(n_series), n_series)
    assert len(intervals.paths.shared) == n_series
    code, most = np.arange(n_series), MOST_PATHS[1]
    for date in range(60):
        arrived = residuals(n_series, steps, seed=date) + 1000 * (date + 1)
        arrived[0, 1] = np.nan
        intervals = intervals.with_paths(arrived, code, np.full(n_series, date))
    shared = intervals.paths.shared
    assert shared.shape == (most, steps, 1)
    dates = np.unique((shared[:, 0, 0] / 1000).round(), return_counts=True)[1]
    assert dates.max() == most // LEAST_DATES
    assert np.isfinite(shared).all()


# What they hold


@pytest.fixture(scope="module")
def panel():
    """1,000 series, and a path of each behind them."""
    y = ar1(1000, 67)
    model = linear(series="id").fit(table(y[:, :60]))
    return model, y[:, 60:]


def test_whole_paths_lie_inside_simultaneous_intervals(panel):
    model, actual = panel
    inside = {}
    for simultaneous in (False, True):
        found = model.predict_interval(COVERAGE, simultaneous=simultaneous)
        lower, upper = (found[side].to_numpy().reshape(-1, STEPS) for side in ("lower", "upper"))
        inside[simultaneous] = (lower <= actual) & (actual <= upper)
    assert inside[False].all(axis=1).mean() < 0.5
    assert inside[True].all(axis=1).mean() == pytest.approx(COVERAGE, abs=0.03)
    np.testing.assert_allclose(inside[False].mean(axis=0), COVERAGE, atol=0.04)


def test_sums_of_paths_are_as_uncertain_as_those_to_come(panel):
    model, actual = panel
    sums = model.sample_paths(500, random_state=0).groupby("id").sum().to_numpy()
    low, high = np.quantile(sums, [0.1, 0.9], axis=1)
    inside = (low <= actual.sum(axis=1)) & (actual.sum(axis=1) <= high)
    assert inside.mean() == pytest.approx(COVERAGE, abs=0.03)
    reach = (1 - PHI ** np.arange(1, STEPS + 1)) / (1 - PHI)
    ideal = 2 * norm.ppf(0.9) * np.sqrt((reach**2).sum())
    assert (high - low).mean() < 1.1 * ideal


@pytest.mark.parametrize(("n_windows", "alike"), [(210, False), (209, True)])
def test_a_series_with_30_paths_that_do_not_overlap_has_its_own(n_windows, alike):
    """Errors that go on in one series, and come and go in the other."""
    lasting = np.repeat(residuals(n_windows, 1), STEPS, axis=1)
    passing = np.random.default_rng(1).normal(size=(n_windows, STEPS, 1))
    code = np.repeat([0, 1], n_windows)
    intervals = Intervals.learn(np.concatenate([lasting, passing]), code, 2)
    paths = intervals.sample(500, np.arange(2), np.random.RandomState(0))[..., 0]
    spread = paths.sum(axis=2).std(axis=1) / paths.std(axis=(1, 2))
    if alike:
        assert spread[0] == pytest.approx(spread[1], rel=0.1)
    else:
        np.testing.assert_allclose(spread, [STEPS, np.sqrt(STEPS)], rtol=0.1)


def test_paths_are_joint_over_targets():
    both, rng = noise(600, seed=2), np.random.default_rng(3)
    y = pd.DataFrame({"a": both, "b": 10 * both + rng.normal(size=600)})
    paths = linear(2, calibration_fraction=0.2).fit(y).sample_paths(200, random_state=0)
    assert paths.columns.names == [None, "path"]
    for step in range(2):
        a, b = (paths[name].iloc[step] for name in ("a", "b"))
        assert np.corrcoef(a, b)[0, 1] > 0.95


# The interface


def test_paths_are_around_the_forecast_and_repeatable():
    model = linear(3, calibration_fraction=0.4).fit(noise())
    paths = model.sample_paths(50, random_state=1)
    assert paths.index.equals(model.predict().index)
    assert paths.columns.tolist() == list(range(50))
    pd.testing.assert_frame_equal(paths, model.sample_paths(50, random_state=1))
    assert not paths.equals(model.sample_paths(50, random_state=2))
    missed = paths.mean(axis=1) - model.predict()["y"]
    assert missed.abs().max() < 0.5
    pd.testing.assert_frame_equal(model.sample_paths(50, 2, random_state=1), paths[:2])
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(paths, again.sample_paths(50, random_state=1))


def test_an_update_moves_paths_to_the_new_rows_and_remembers_theirs():
    y = noise()
    model = linear(3, calibration_fraction=0.4).fit(y[:300])
    before = model._intervals.paths.shared
    one_by_one = pickle.loads(pickle.dumps(model))
    model.update(y[300:])
    after = model._intervals.paths.shared
    assert len(after) == len(before) + 100
    for row in range(300, 400):
        one_by_one.update(y[row : row + 1])
    assert len(one_by_one._intervals.paths.shared) == len(after)
    assert model.sample_paths(10, random_state=0).index.tolist() == [400, 401, 402]


def test_new_series_have_paths():
    y = ar1(60, 60)
    model = linear(2, series="id").fit(table(y[:50]))
    paths = model.sample_paths(30, y=table(y[50:]).assign(id=lambda new: new["id"] + 50))
    assert paths.shape == (20, 30)


@pytest.mark.parametrize(
    ("model", "call", "message"),
    [
        (linear(7), {}, "has 9 residual paths of 7 steps .* need 30, 216 rows"),
        (linear(2, calibration_fraction=0), {}, "with calibration_fraction above 0"),
        (linear(2), {"steps": 3}, "Sample paths reach 2 steps ahead, and 3 were asked for"),
        (linear(1), {"n_paths": 0}, "n_paths=0 must be a whole number from 1"),
    ],
)
def test_no_paths(model, call, message):
    with pytest.raises(ValueError, match=message):
        model.fit(noise()).sample_paths(**call)


def test_quantiles_alone_say_nothing_of_whole_paths():
    estimator = LSTMRegressor(2, loss="quantile", max_epochs=1, random_state=0)
    model = SequenceForecaster(estimator, 3, 2, calibration_fraction=0).fit(noise(60))
    with pytest.raises(ValueError, match="Whole paths need residuals of a calibration set"):
        model.predict_interval(COVERAGE, simultaneous=True)


def test_too_few_residuals_for_whole_paths():
    model = linear(7, calibration_fraction=0.2).fit(noise())
    with pytest.raises(ValueError, match="too few residuals for prediction intervals"):
        model.predict_interval(0.95, simultaneous=True)
