"""Values that were missing when their row was given to a forecaster, and come later."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sklstm import SequenceForecaster
from sklstm._estimators.intervals import LEVELS, RATE

DAYS = pd.date_range("2024-01-01", periods=120)


def series(n_targets=1, seed=0):
    rng = np.random.default_rng(seed)
    wave = 20 + 5 * np.sin(np.arange(120) * 2 * np.pi / 7)[:, None]
    values = wave + rng.normal(size=(120, n_targets))
    return pd.DataFrame(values, DAYS, [f"y{k}" for k in range(n_targets)])


def panel():
    parts = [series(seed=k).assign(id=name) for k, name in enumerate("abc")]
    return pd.concat(parts).sort_index(kind="stable")


def without(y, rows, columns=slice(None)):
    y = y.copy()
    y.loc[rows, y.columns[columns]] = np.nan
    return y


def assert_same_forecasts(one, other):
    pd.testing.assert_frame_equal(one.predict(), other.predict())
    intervals = (model.predict_interval(0.8) for model in (one, other))
    pd.testing.assert_frame_equal(*intervals)
    for mine, theirs in zip(one._intervals.paths, other._intervals.paths, strict=True):
        # In units of widths: with a calendar, those that other steps have moved meanwhile.
        np.testing.assert_allclose(mine, theirs, rtol=0.01)


SETTINGS = {
    "last value": {},
    "season": {"season": 7},
    "logarithms": {"transform": "log"},
    "calendar": {"calendar": "auto"},
    "takes NaN": {"estimator": HistGradientBoostingRegressor(max_iter=5)},
}


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_a_value_that_comes_late_is_as_one_in_time(params):
    y = series(2)
    model = SequenceForecaster(**{"estimator": Ridge(), "window_size": 10, "steps": 3} | params)
    in_time = model.fit(y[:100])
    late = copy.deepcopy(in_time)
    in_time.update(y[100:101])
    late.update(without(y[100:101], DAYS[100])).update(y[100:101])
    assert_same_forecasts(late, in_time)
    in_time.update(y[101:104])
    late.update(without(y[101:104], DAYS[102], [1])).update(y[102:103])
    pd.testing.assert_frame_equal(late.predict(), in_time.predict())


def test_late_values_and_new_rows_of_a_panel_come_in_one_table():
    y = panel()
    fitted = SequenceForecaster(Ridge(), 10, 3, series="id").fit(y[:300])
    in_time = copy.deepcopy(fitted).update(y[300:315])
    gaps = y[300:309].copy()
    is_lost = (gaps["id"] == "b") & (gaps.index >= DAYS[101])
    gaps.loc[is_lost, "y0"] = np.nan
    late = fitted.update(gaps)
    with pytest.raises(ValueError, match="series 'b' hold NaN"):
        late.predict()
    late.update(pd.concat([y[300:309][is_lost], y[309:315]]))
    pd.testing.assert_frame_equal(late.predict(), in_time.predict())


def test_a_gap_of_fit_is_filled():
    y = series()
    with pytest.warns(UserWarning, match="hold NaN"):
        model = SequenceForecaster(Ridge(), 10, 3).fit(y[:100].drop(DAYS[96]))
    with pytest.raises(ValueError, match="hold NaN"):
        model.predict()
    assert np.isfinite(model.update(y[96:97]).predict()).all(axis=None)


@pytest.mark.parametrize(("missed", "change"), [(100, 0.8), (0, -0.2)], ids=["far", "near"])
def test_widths_adapt_to_late_values(missed, change):
    y = series()
    model = SequenceForecaster(Ridge(), 10, 3).fit(y[:100])
    before = model.update(without(y[100:104], DAYS[103]))._intervals.log_width
    after = model.update(y[103:104] + missed)._intervals.log_width
    of_80 = LEVELS.index(0.8)
    found = (after[-1] - before[-1])[of_80, 0, :, 0]
    np.testing.assert_allclose(found, RATE * change / np.sqrt([1, 2, 3]))


def test_a_row_that_comes_again_changes_nothing():
    y = series()
    model = SequenceForecaster(Ridge(), 10, 3).fit(y[:100])
    once = copy.deepcopy(model).update(y[100:105])
    again = model.update(y[100:105]).update(without(y[100:105], DAYS[102]))
    assert_same_forecasts(again.update(y[98:105]), once)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda y: y[99:102] + 1,
            "'y0' had another value at 2024-04-09 .* of series 'a' before, as had 2 more values",
        ),
        (
            lambda y: y[80:82],
            "row 2024-03-21 .* of series 'a' is too late, as are 1 more rows: .* from 2024-03-29",
        ),
        (
            lambda y: y[100:101].set_axis(y.index[100:101] + pd.Timedelta("1h")),
            "row 2024-04-10 01:00:00 of series 'a' lies between two rows of the frequency",
        ),
    ],
    ids=["another value", "too late", "between two rows"],
)
def test_a_late_row_without_a_place_is_named(change, message):
    y = panel()
    model = SequenceForecaster(Ridge(), 10, 3, series="id").fit(y[: 3 * 102])
    before = model.predict()
    one = y[y["id"] == "a"]
    with pytest.raises(ValueError, match=message):
        model.update(change(one[["y0"]]).assign(id="a"))
    pd.testing.assert_frame_equal(model.predict(), before)
