"""Scores of forecasters, and scikit-learn's searches over their parameters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from sklstm import (
    DroppedDataWarning,
    LSTMRegressor,
    SequenceForecaster,
    TimestampSplit,
    backtest,
    backtest_scores,
)

RNG = np.random.default_rng(0)
HOURS = pd.date_range("2024-03-01", periods=300, freq="h", name="hour")
TIDE = pd.Series(np.sin(np.arange(300) / 4) + 0.1 * RNG.normal(size=300), HOURS, name="tide")


def ridge(**params):
    return SequenceForecaster(Ridge(), **{"window_size": 12, "steps": 3} | params)


def shops(n_rows=120):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"shop": ["a", "b"] * n_rows})
    table["day"] = pd.date_range("2024-01-01", periods=n_rows).repeat(2)
    table["promo"] = rng.integers(0, 2, 2 * n_rows).astype(float)
    table["rain"] = rng.normal(size=2 * n_rows)
    table["sold"] = 5 * table["promo"] + 10 * (table["shop"] == "b") + rng.normal(size=2 * n_rows)
    return table


def of_shops(**params):
    names = {"series": "shop", "time": "day", "target": "sold", "future_covariates": ["promo"]}
    return ridge(window_size=4, steps=2, **names | params)


def backtest_score(model, y, n_first, **params):
    table = backtest(model, y, initial_train_size=n_first, **params)
    return -backtest_scores(table).loc["forecaster", "MASE"]


def test_a_score_is_that_of_a_backtest():
    score = ridge().fit(TIDE[:200]).score(TIDE[200:])
    assert score == pytest.approx(backtest_score(ridge(), TIDE, 200), rel=1e-9)


def test_a_score_of_a_panel_is_that_of_a_backtest():
    table = shops()
    first = table["day"] < "2024-04-01"
    score = of_shops().fit(table[first]).score(table[~first])
    assert score == pytest.approx(backtest_score(of_shops(), table, "2024-04-01"), rel=1e-9)


def test_a_score_is_in_the_units_of_the_user():
    y = np.exp(TIDE)
    model = ridge(transform="log").fit(y[:200])
    expected = backtest_score(ridge(transform="log"), y, 200)
    assert model.score(y[200:]) == pytest.approx(expected, rel=1e-9)


def test_a_score_leaves_the_forecaster_as_it_is():
    model = ridge().fit(TIDE[:200])
    before = model.predict_interval(0.8)
    assert model.score(TIDE[200:]) == model.score(TIDE[200:])
    pd.testing.assert_frame_equal(model.predict_interval(0.8), before)


def test_rows_that_are_missing_are_no_obstacle_of_a_score():
    model = ridge().fit(TIDE[:200])
    whole = model.score(TIDE[220:])  # 20 rows after the fit are missing
    assert whole < 0
    y = TIDE.copy()
    y[200:220] = np.nan
    assert whole == pytest.approx(model.score(y[200:]))
    assert model.score(TIDE[200:].drop(HOURS[[260]])) < 0


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (TIDE[:100], r"begin at 2024-03-01 00:00:00, which is not behind the last row of fit, 202"),
        (TIDE[:100], r"choose cv=TimeSeriesSplit\(\) or"),
        (TIDE[200:] * np.nan, "None of the 100 rows can be scored"),
    ],
)
def test_no_score(y, message):
    with pytest.raises(ValueError, match=message):
        ridge().fit(TIDE[:200]).score(y)


def test_a_series_that_begins_later_is_left_out_of_the_score():
    table = shops()
    first = table["day"] < "2024-04-01"
    model = of_shops().fit(table[first & (table["shop"] == "a")])
    with pytest.warns(DroppedDataWarning, match="1 of 2 series were not seen in fit, .* 'b'"):
        score = model.score(table[~first])
    assert score == model.score(table[~first & (table["shop"] == "a")])


def test_a_constant_series_has_no_scale_and_no_score():
    assert np.isnan(ridge().fit(0 * TIDE[:200] + 3).score(0 * TIDE[200:] + 3))


# Searches


@pytest.mark.parametrize("cv", [TimeSeriesSplit(3), TimestampSplit(3)])
def test_a_search_over_parameters_of_both(cv):
    grid = {"window_size": [1, 12], "estimator__alpha": [1e-3, 1e4]}
    search = GridSearchCV(ridge(), grid, cv=cv, error_score="raise").fit(TIDE)
    assert search.best_params_ == {"estimator__alpha": 1e-3, "window_size": 12}
    by_hand = [
        ridge().set_params(estimator__alpha=1e-3).fit(TIDE.iloc[train]).score(TIDE.iloc[test])
        for train, test in cv.split(TIDE)
    ]
    found = search.cv_results_["mean_test_score"][search.best_index_]
    assert found == pytest.approx(np.mean(by_hand))
    expected = ridge().set_params(estimator__alpha=1e-3).fit(TIDE).predict()
    pd.testing.assert_frame_equal(search.best_estimator_.predict(), expected)
    assert search.score(pd.Series(TIDE[:20].to_numpy(), HOURS[:20] + (HOURS[-1] - HOURS[0]) +
                                  pd.Timedelta("1h"), name="tide")) < 0  # fmt: skip


def test_a_search_of_a_panel_with_covariates_in_its_table():
    search = GridSearchCV(
        of_shops(),
        {"future_covariates": [[], ["promo"]]},
        cv=TimestampSplit(2, time="day"),
        error_score="raise",
    ).fit(shops())
    assert search.best_params_ == {"future_covariates": ["promo"]}
    assert search.best_estimator_.targets_ == ["sold"]


def test_cross_val_score():
    scores = cross_val_score(ridge(), TIDE, cv=TimeSeriesSplit(3), error_score="raise")
    assert scores.shape == (3,)
    assert (scores < 0).all()


def test_other_errors_are_a_function_of_a_fitted_forecaster_and_rows():
    def negative_bias(model, y):
        return -abs(model.predict().iloc[0, 0] - y.iloc[0])

    search = GridSearchCV(ridge(), {"window_size": [2, 12]}, cv=TimeSeriesSplit(2),
                          scoring=negative_bias).fit(TIDE)  # fmt: skip
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class StoppedError(Exception):
    pass


def test_a_search_that_was_stopped_resumes(tmp_path, monkeypatch):
    """Trainings are found again by their data and settings, and train no more if complete."""
    network = LSTMRegressor(2, max_epochs=2, early_stopping=False, random_state=0,
                            checkpoint=tmp_path / "trainings")  # fmt: skip
    model = SequenceForecaster(network, steps=2, calibration_fraction=0)
    grid = {"window_size": [4, 6], "estimator__hidden_size": [2, 3]}
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2), error_score="raise")
    fit, n_fits = LSTMRegressor.fit, 0

    def stopping(self, *args, **kwargs):
        nonlocal n_fits
        n_fits += 1
        if n_fits > 3:
            raise StoppedError
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LSTMRegressor, "fit", stopping)
    with pytest.raises(StoppedError):
        search.fit(TIDE)
    monkeypatch.setattr(LSTMRegressor, "fit", fit)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert len(list((tmp_path / "trainings").iterdir())) == 3
    resumed = search.fit(TIDE).cv_results_["mean_test_score"]
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    search.set_params(estimator__estimator__checkpoint=None).fit(TIDE)
    np.testing.assert_allclose(resumed, search.cv_results_["mean_test_score"], rtol=1e-6)


# A search inside


class Spy(Ridge):
    seen: list = []

    def fit(self, X, y):
        Spy.seen.append(np.asarray(X))
        return super().fit(X, y)


@pytest.mark.parametrize("cv", [TimestampSplit(2, time="day"), TimeSeriesSplit(2)])
def test_a_search_inside_splits_windows_of_all_series_by_time(cv):
    """A panel whose values are dates: the last value of a window says when it ends."""
    n_rows = 60
    days = pd.date_range("2024-01-01", periods=n_rows)
    parts = [pd.DataFrame({"shop": name, "day": days, "sold": np.arange(n_rows) ** 2.0}) for name in
             "abc"]  # fmt: skip
    Spy.seen = []
    search = GridSearchCV(Spy(), {"alpha": [1.0]}, cv=cv)
    model = SequenceForecaster(search, 4, 2, series="shop", time="day", calibration_fraction=0)
    model.fit(pd.concat(parts))
    for X in Spy.seen[:2]:
        times = X[:, -1]
        _, counts = np.unique(times, return_counts=True)
        assert (counts[:-1] == 3).all()  # all series, as far as the fold reaches
        assert counts[-1] in ({3} if isinstance(cv, TimestampSplit) else {1, 2, 3})
    assert len(Spy.seen[0]) < len(Spy.seen[1])


def test_folds_of_windows_leave_out_steps_of_the_test_fold():
    y = pd.Series(np.arange(40.0) ** 2, pd.RangeIndex(40))
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=TimestampSplit(1, test_size=10))
    model = SequenceForecaster(search, 4, 3, calibration_fraction=0).fit(y)
    [(train, test)] = model.estimator_[-1].cv
    assert test[0] - train[-1] == 3


def test_a_search_inside_splits_targets_by_themselves_by_time():
    Spy.seen = []
    y = pd.DataFrame({"a": np.arange(60.0) ** 2, "b": np.arange(60.0) ** 2}, HOURS[:60])
    search = GridSearchCV(Spy(), {"alpha": [1.0]}, cv=TimeSeriesSplit(2))
    SequenceForecaster(search, 4, channel_independent=True, calibration_fraction=0).fit(y)
    for X in Spy.seen[:2]:
        assert (np.diff(X[:, -1]) >= 0).all()


# Target columns of one table


def test_one_table_is_that_of_targets_and_covariates():
    table = shops()
    both = of_shops().fit(table)
    names = ["shop", "day"]
    two = of_shops(target=None).fit(table[[*names, "sold"]], X=table[[*names, "promo", "rain"]])
    future = shops(122).iloc[240:][[*names, "promo"]]
    pd.testing.assert_frame_equal(both.predict(X=future), two.predict(X=future))
    later = shops(122).iloc[240:]
    after = later.assign(day=later["day"] + pd.Timedelta("2D"))
    updated = both.update(later).predict(X=after)
    two.update(later[[*names, "sold"]], X=later[[*names, "promo", "rain"]])
    pd.testing.assert_frame_equal(updated, two.predict(X=after))
    given = both.predict(y=table, X=future)
    assert given.shape == (4, 1)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: of_shops(target="sales").fit(shops()), "target='sales' is no column of y"),
        (lambda: of_shops().fit(shops(), X=shops()), "covariates are columns of y, and X came too"),
        (lambda: ridge(target="y").fit(TIDE.to_numpy()), "names columns, and y is a ndarray"),
    ],
)
def test_targets_are_columns_of_the_table(fit, message):
    with pytest.raises(ValueError, match=message):
        fit()


def test_rows_beside_the_timestamps_of_fit_are_not_scored():
    model, later = ridge().fit(TIDE[:200]), TIDE[200:]
    shifted = later.set_axis(later.index + pd.Timedelta("20min"))
    with pytest.raises(ValueError, match="the row expected next is 2024-03-09 08:00:00"):
        model.score(shifted)
