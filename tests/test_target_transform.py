"""Transformed targets of a forecaster, and targets that are never negative."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, PoissonRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores

N_ROWS = 300


def forecaster(transform=None, steps=2, **params):
    return SequenceForecaster(
        LinearRegression(), 5, steps, transform=transform, calibration_fraction=0.3, **params
    )


def growing(n_rows=N_ROWS, seed=0):
    """Grows in proportion."""
    noise = np.random.default_rng(seed).normal(size=n_rows)
    return pd.Series(np.exp(0.02 * np.arange(n_rows) + 0.1 * noise), name="y")


def network(loss):
    return LSTMRegressor(4, loss=loss, max_epochs=5, random_state=0)


def counts(n_rows=N_ROWS, mean=0.8, seed=0):
    return pd.Series(np.random.default_rng(seed).poisson(mean, n_rows), name="y", dtype=float)


def shops(y):
    """A long table of two series."""
    return pd.concat([pd.DataFrame({"shop": name, "y": k * y}) for k, name in ((1, "a"), (9, "b"))])


def square_root():
    return FunctionTransformer(np.sqrt, np.square)


# Forecasts by hand


@pytest.mark.parametrize(
    ("transform", "there", "back"),
    [
        ("log", np.log, np.exp),
        ("log1p", np.log1p, np.expm1),
        (square_root(), np.sqrt, np.square),
    ],
    ids=["log", "log1p", "sqrt"],
)
def test_all_is_that_of_the_transformed_series(transform, there, back):
    y = growing()
    changed, plain = forecaster(transform).fit(y[:280]), forecaster().fit(there(y[:280]))
    for arrived in (y[280:290], y[290:]):
        for call in (
            lambda model: model.predict(5),
            lambda model: model.predict_interval(0.8),
            lambda model: model.predict_interval(0.8, simultaneous=True),
            lambda model: model.sample_paths(9, random_state=0),
        ):
            pd.testing.assert_frame_equal(call(changed), back(call(plain)))
        changed.update(arrived)
        plain.update(there(arrived))
    new = growing(40, seed=1)
    pd.testing.assert_frame_equal(changed.predict(y=new), back(plain.predict(y=there(new))))


def test_a_backtest_is_that_of_the_transformed_series():
    y = growing()
    found = backtest(forecaster("log"), y, coverage=0.8)
    expected = backtest(forecaster(), np.log(y), coverage=0.8)
    for column in ("actual", "forecast", "lower", "upper", "naive"):
        np.testing.assert_allclose(found[column], np.exp(expected[column]))
    assert backtest_scores(found).loc["forecaster", "coverage"] == pytest.approx(0.8, abs=0.1)


def test_losses_are_those_of_the_values_themselves():
    y = growing()
    model = forecaster("log", steps=1).fit(y)
    table = backtest(
        forecaster("log", steps=1).set_params(calibration_fraction=0), y, initial_train_size=210
    )
    losses = model.validation_losses_.set_index("model")["loss"]
    expected = backtest_scores(table)["MASE"]
    assert losses["naive"] == pytest.approx(expected["naive"])
    assert losses["forecaster"] == pytest.approx(expected["forecaster"], rel=0.05)


def test_a_falling_transform_changes_nothing():
    y = growing()
    falling = FunctionTransformer(np.negative, np.negative)
    expected = forecaster().fit(y).predict_interval(0.8)
    found = forecaster(falling).fit(y).predict_interval(0.8)
    pd.testing.assert_frame_equal(found, expected)
    assert (found["lower"] < found["upper"]).all()


def test_a_transformer_is_fitted_before_the_calibration_set():
    y = growing()
    seen = []

    class Recording(PowerTransformer):
        def fit(self, X, y=None):
            seen.append(len(X))
            return super().fit(X)

    forecaster(Recording()).fit(y)
    assert seen == [210]


def test_several_targets_with_missing_values():
    y = pd.DataFrame({"a": growing(), "b": 5 + growing(seed=1)})
    y.iloc[50, 0] = y.iloc[60, 1] = np.nan
    y = y.drop(index=100)
    with pytest.warns(UserWarning, match="hold NaN"):
        model = forecaster(PowerTransformer("box-cox")).fit(y)
    interval = model.predict_interval(0.8)
    assert np.isfinite(interval.to_numpy()).all()
    for name in y:
        assert (interval[name]["lower"] < interval[name]["forecast"]).all()


def test_values_beyond_the_range_of_an_inverse_are_the_nearest_that_were_seen():
    y = counts(mean=3) + 0.1
    model = forecaster(PowerTransformer("box-cox")).fit(y)
    paths = model.sample_paths(500, random_state=0)
    assert np.isfinite(paths.to_numpy()).all()
    assert paths.min().min() > 0


# Targets that are never negative

COUNTED = {
    "log1p": lambda: forecaster("log1p"),
    "poisson": lambda: SequenceForecaster(PoissonRegressor(), 5, 2, calibration_fraction=0.3),
    "boosting": lambda: SequenceForecaster(
        HistGradientBoostingRegressor(loss="poisson", max_iter=20), 5, 2, calibration_fraction=0.3
    ),
    "pipeline": lambda: SequenceForecaster(
        make_pipeline(StandardScaler(), PoissonRegressor()), 5, 2, calibration_fraction=0.3
    ),
    "search": lambda: SequenceForecaster(
        GridSearchCV(PoissonRegressor(), {"alpha": [0.1, 1.0]}, cv=TimeSeriesSplit(2)),
        5,
        1,
        calibration_fraction=0.3,
    ),
    "network": lambda: SequenceForecaster(network("poisson"), 5, 2, calibration_fraction=0.3),
    "negative binomial": lambda: SequenceForecaster(
        network("negative_binomial"), 5, 2, calibration_fraction=0.3
    ),
}


@pytest.mark.parametrize("make", COUNTED.values(), ids=COUNTED)
def test_no_forecast_of_counts_is_negative(make):
    y = counts()
    model = make()
    model.fit(y)
    interval = model.predict_interval(0.9)
    assert (interval["lower"] >= 0).all()
    assert (model.predict_interval(0.8, simultaneous=True)["lower"] >= 0).all()
    assert model.sample_paths(300, random_state=0).min().min() >= 0
    assert model.predict(7).min().min() >= 0
    assert model.predict().to_numpy() == pytest.approx(0.7, abs=0.6)
    table = backtest(make(), y, coverage=0.8)
    assert (table["lower"] >= 0).all()
    assert table.eval("lower <= actual <= upper").mean() > 0.75


@pytest.mark.parametrize("calibration_fraction", [0, 0.3])
def test_intervals_of_counts_hold_what_they_say(calibration_fraction):
    """Or more, as their bounds are whole numbers: by quantiles, or by residuals."""
    estimator = network("poisson").set_params(quantiles=(0.1, 0.5, 0.9), max_epochs=10)
    model = SequenceForecaster(estimator, 5, 1, calibration_fraction=calibration_fraction)
    y = counts(1200, mean=4)
    table = backtest(model, y, coverage=0.8)
    assert 0.78 < table.eval("lower <= actual <= upper").mean() < 0.95
    for bound in ("lower", "upper"):
        assert (table[bound] == table[bound].round()).all()
    if calibration_fraction:
        paths = model.fit(y).sample_paths(200, random_state=0)
        assert (paths == paths.round()).all(axis=None)
        assert paths.mean(axis=1)[1200] == pytest.approx(4, abs=1)


def test_without_a_transform_bounds_are_symmetric():
    assert forecaster().fit(counts()).predict_interval(0.9)["lower"].min() < 0


def test_counts_of_series_of_different_size_are_forecast_at_their_size():
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=120)
    sold = pd.concat(
        [
            pd.DataFrame({"shop": k, "y": rng.poisson(mean, 120)}, days)
            for k, mean in enumerate((1, 20))
        ]
    )
    model = SequenceForecaster(PoissonRegressor(alpha=0), 7, 2, series="shop").fit(sold)
    assert model.local_scaling_["anchor"] == "none"
    assert model.blending_weight_ == 1
    forecast = model.predict()["y"].groupby("shop").mean()
    assert forecast[1] == pytest.approx(20, rel=0.3)
    assert forecast[0] < 5


# Files, and what is refused


@pytest.mark.parametrize("transform", [None, "log1p", PowerTransformer()])
def test_files_hold_the_transform(transform, tmp_path):
    model = forecaster(transform).fit(growing())
    skops.io.dump(model, tmp_path / "model.skops")
    types = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    public = {"sklstm._estimators.forecaster", "sklstm._tables.flattener"}
    assert {name.rpartition(".")[0] for name in types} == public
    for again in (
        pickle.loads(pickle.dumps(model)),
        skops.io.load(tmp_path / "model.skops", trusted=types),
    ):
        pd.testing.assert_frame_equal(again.predict_interval(0.8), model.predict_interval(0.8))


@pytest.mark.parametrize(
    ("transform", "value", "message"),
    [
        ("log", 0.0, "y is 0 at 7 of series 'a', and transform='log' needs .*='log1p'"),
        ("log1p", -2.0, "y is -2 at 7 of series 'a', and transform='log1p' needs .* not negative"),
        (square_root(), -2.0, "y is -2 at 7 of series 'a', and transform=Func.* has no number"),
    ],
)
def test_values_without_a_transform_are_named(transform, value, message):
    y = shops(growing())
    wrong = y.copy()
    wrong.loc[(wrong["shop"] == "a") & (wrong.index == 7), "y"] = value
    with pytest.raises(ValueError, match=message):
        forecaster(transform, series="shop").fit(wrong)


def test_rows_that_arrive_are_checked_too():
    y = growing()
    model = forecaster("log").fit(y[:290])
    with pytest.raises(ValueError, match="y is 0 at 295, and transform='log'"):
        model.update(y[290:].where(y[290:].index != 295, 0.0))
    pd.testing.assert_frame_equal(model.predict(), forecaster("log").fit(y[:290]).predict())


def test_a_transformer_without_a_way_back_is_refused():
    with pytest.raises(ValueError, match="does not find the way back.* needs inverse_func"):
        forecaster(FunctionTransformer(np.sqrt)).fit(growing())
    with pytest.raises(ValueError, match="transform"):
        forecaster("sqrt").fit(growing())
    y = pd.DataFrame({"a": growing(), "b": growing().where(np.arange(N_ROWS) > 250)})
    with pytest.raises(ValueError, match="has no row to be fitted to"):
        forecaster(PowerTransformer()).fit(y)


def test_no_path_leaves_for_where_no_value_was():
    """Residuals of smooth series that go on, in the unit of one of noise: exp has no bounds."""
    rng = np.random.default_rng(0)
    walks = np.cumsum(0.001 * rng.normal(size=(60, 60)).cumsum(axis=1), axis=1)
    logs = np.vstack([walks, rng.normal(scale=1.5, size=(1, 60))])
    days = pd.date_range("2024-01-01", periods=60)
    y = pd.concat([pd.DataFrame({"id": k, "y": np.exp(one)}, days) for k, one in enumerate(logs)])
    model = forecaster("log", steps=10, series="id").set_params(calibration_fraction=0.2).fit(y)
    reach = np.exp(np.ptp(logs))
    paths = model.sample_paths(300, random_state=0).div(model.predict()["y"], axis=0)
    assert paths.max().max() <= reach * (1 + 1e-9)
    assert paths.min().min() >= 1 / reach * (1 - 1e-9)
