"""Errors of backtests, by a plain loop, and where they differ from those of other libraries."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklstm import DroppedDataWarning, SequenceForecaster, backtest, backtest_scores


def table_of(seed=0, n_series=3, n_rows=40):
    """Random forecasts of a panel, as `backtest` lays them out."""
    rng = np.random.default_rng(seed)
    n = n_series * n_rows
    actual = 10 + rng.normal(size=n)
    low, high = np.sort(actual + rng.normal(size=(2, n)), axis=0)
    return pd.DataFrame(
        {
            "series": np.repeat([f"s{k}" for k in range(n_series)], n_rows),
            "step": np.tile([1, 2], n // 2),
            "actual": actual,
            "forecast": actual + rng.normal(size=n),
            "naive": actual + rng.normal(size=n),
            "seasonal_naive": actual + rng.normal(size=n),
            "lower": low,
            "upper": high,
            "nominal": 0.8,
            "scale": np.repeat(rng.uniform(0.5, 2, n_series), n_rows),
        }
    )


def pinball(actual, forecast, level):
    return max(level * (actual - forecast), (level - 1) * (actual - forecast))


def by_hand(table, column="forecast"):
    sums = dict.fromkeys(("MAE", "MSE", "MASE", "sMAPE", "coverage", "width", "MSIS", "CRPS"), 0.0)
    for row in table.to_dict("records"):
        y, f, low, high = row["actual"], row[column], row["lower"], row["upper"]
        sums["MAE"] += abs(y - f)
        sums["MSE"] += (y - f) ** 2
        sums["MASE"] += abs(y - f) / row["scale"]
        sums["sMAPE"] += 2 * abs(y - f) / (abs(y) + abs(f))
        sums["coverage"] += low <= y <= high
        sums["width"] += high - low
        penalty = max(low - y, 0) + max(y - high, 0)
        sums["MSIS"] += (high - low + 2 / 0.2 * penalty) / row["scale"]
        sums["CRPS"] += 2 / 3 * sum(pinball(y, *q) for q in ((low, 0.1), (f, 0.5), (high, 0.9)))
    means = {name: total / len(table) for name, total in sums.items()}
    return means | {"RMSE": math.sqrt(means.pop("MSE"))}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scores_are_those_of_a_plain_loop(seed):
    table = table_of(seed)
    scores = backtest_scores(table)
    for name, expected in by_hand(table).items():
        assert scores.loc["forecaster", name] == pytest.approx(expected, rel=1e-12), name
    rule = by_hand(table, "seasonal_naive")
    own = scores.loc["forecaster"]
    expected = (own["sMAPE"] / rule["sMAPE"] + own["MASE"] / rule["MASE"]) / 2
    assert own["OWA"] == pytest.approx(expected, rel=1e-12)
    assert scores.loc["seasonal naive", "OWA"] == 1
    assert scores[["rows", "left_out"]].to_numpy().tolist() == [[120, 0]] * 3


SMALL = pd.DataFrame(
    {
        "actual": [112.0, 118.0, 132.0, 129.0],
        "forecast": [110.0, 121.0, 128.0, 131.0],
        "naive": [104.0] * 4,
        "lower": [105.0, 119.0, 120.0, 120.0],
        "upper": [115.0, 130.0, 136.0, 128.0],
        "nominal": 0.8,
        "scale": 4.0,  # of the training part 100, 106, 103, 109, 105, 104
    }
)


def test_scores_are_those_of_utilsforecast_and_sktime():
    """Where they define them alike: utilsforecast 0.2.17, sktime 1.2.0 on these rows."""
    scores = backtest_scores(SMALL).loc["forecaster"]
    expected = {
        "MAE": 2.75,
        "RMSE": 2.8722813232690143,
        "MASE": 0.6875,
        "sMAPE": 0.022319116670581104,  # twice that of utilsforecast
        "coverage": 0.5,
        "width": 11.25,
        "pinball": 0.8125,
        "CRPS": 2.0,  # twice mqloss of three quantiles
        "MSIS": 16.25 / 4,  # winkler_score, scaled like the errors of MASE
    }
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, rel=1e-9), name


# Each row of the table of differences in docs/guide/forecast.md


def test_smape_is_twice_that_of_utilsforecast_and_a_hundredth_of_darts():
    table = SMALL.assign(forecast=-SMALL["actual"])
    assert backtest_scores(table).loc["forecaster", "sMAPE"] == 2


def test_smape_of_zero_forecast_as_zero_is_zero():
    table = SMALL.assign(actual=[0.0, 1, 1, 1], forecast=[0.0, 1, 1, 1])
    assert backtest_scores(table).loc["forecaster", "sMAPE"] == 0


def test_owa_is_relative_to_the_seasonal_naive_forecast_else_to_the_naive_one():
    table = SMALL.assign(seasonal_naive=SMALL["forecast"])
    assert backtest_scores(table).loc["forecaster", "OWA"] == 1
    assert backtest_scores(SMALL).loc["naive", "OWA"] == 1
    exact = backtest_scores(SMALL.assign(naive=SMALL["actual"]))
    assert np.isnan(exact.loc["forecaster", "OWA"])


def test_rows_count_alike_and_not_series():
    table = table_of().iloc[10:]
    pooled = backtest_scores(table).loc["forecaster", "RMSE"]
    errors = table["actual"] - table["forecast"]
    assert pooled == pytest.approx(np.sqrt((errors**2).mean()))
    each = backtest_scores(table, by="series").xs("forecaster", level="model")["RMSE"]
    assert each.mean() != pytest.approx(pooled)


def test_crps_of_a_forecast_without_quantiles_is_its_absolute_error():
    scores = backtest_scores(table_of())
    np.testing.assert_allclose(scores["CRPS"].iloc[1:], scores["MAE"].iloc[1:], rtol=1e-12)


def test_crps_of_quantiles():
    table = table_of().drop(columns=["lower", "upper", "nominal"])
    levels = (0.25, 0.5, 0.75)
    for level in levels:
        table[f"quantile {level}"] = table["forecast"] + level - 0.5
    expected = np.mean(
        [
            2 * pinball(y, f + level - 0.5, level)
            for y, f in zip(table["actual"], table["forecast"], strict=True)
            for level in levels
        ]
    )
    assert backtest_scores(table).loc["forecaster", "CRPS"] == pytest.approx(expected, rel=1e-12)


def test_a_missing_actual_is_outside_the_scores_and_not_outside_the_interval():
    table = SMALL.copy()
    table.loc[1, "actual"] = np.nan
    scores = backtest_scores(table)
    assert scores["rows"].tolist() == [3, 3]
    assert scores["left_out"].tolist() == [1, 1]
    assert scores.loc["forecaster", "coverage"] == pytest.approx(2 / 3)
    whole = backtest_scores(table.dropna())
    pd.testing.assert_frame_equal(scores.drop(columns="left_out"), whole.drop(columns="left_out"))


def test_an_interval_that_is_missing_is_not_missed():
    table = SMALL.copy()
    table.loc[0, ["lower", "upper"]] = np.nan
    assert backtest_scores(table).loc["forecaster", "coverage"] == pytest.approx(1 / 3)


def test_rows_without_a_seasonal_naive_forecast_are_left_out_for_all_models():
    table = table_of()
    table.loc[:9, "seasonal_naive"] = np.nan
    scores = backtest_scores(table)
    assert scores["rows"].tolist() == [110] * 3
    assert scores["left_out"].tolist() == [10] * 3
    assert scores.loc["naive", "MAE"] == backtest_scores(table[10:]).loc["naive", "MAE"]
    table["seasonal_naive"] = np.nan
    scores = backtest_scores(table)
    assert scores["rows"].tolist() == [120] * 3
    assert np.isnan(scores.loc["seasonal naive", "MAE"])


def days(values):
    return pd.Series(values, pd.date_range("2024-01-01", periods=len(values)), dtype=float)


@pytest.mark.parametrize(
    ("y", "season"),
    [
        (days(np.full(60, 0.1)), None),
        (days(np.sin(np.arange(60) * 2 * np.pi / 6)), 6),
        (days(np.cumsum(np.full(60, 0.0)) + 1e9), None),
    ],
    ids=["constant", "periodic", "large and constant"],
)
def test_without_a_scale_mase_is_nan_for_all_models_and_said_once(y, season):
    model = SequenceForecaster(LinearRegression(), 4, 2, calibration_fraction=0)
    table = backtest(model, y, season=season)
    with pytest.warns(DroppedDataWarning, match="of 'y': they have no scale") as warned:
        scores = backtest_scores(table, by="step")
    assert len(warned) == 1
    assert scores["MASE"].isna().all()
    assert np.isfinite(scores[["MAE", "RMSE", "sMAPE"]]).all(axis=None)


def test_a_series_without_a_scale_is_left_out_for_all_models():
    table = table_of()
    table.loc[table["series"] == "s1", "scale"] = np.nan
    with pytest.warns(DroppedDataWarning, match="leave out 40 of 120 rows, of 's1'"):
        scores = backtest_scores(table)
    rest = backtest_scores(table[table["series"] != "s1"])
    np.testing.assert_allclose(scores[["MASE", "MSIS"]], rest[["MASE", "MSIS"]])
    assert np.isfinite(scores["MASE"]).all()


def test_a_series_shorter_than_a_season_has_the_scale_of_its_steps():
    table = pd.concat(
        [
            days(np.arange(40.0) ** 1.5).to_frame("sold").assign(shop="long"),
            days([0.0, 3, 0, 3, 0, 3]).shift(30, freq="D").to_frame("sold").assign(shop="short"),
        ]
    )
    model = SequenceForecaster(LinearRegression(), 3, series="shop", calibration_fraction=0)
    found = backtest(model, table, initial_train_size="2024-02-04", season=7)
    assert found.loc[found["series"] == "short", "scale"].unique().tolist() == [3.0]


def test_scores_group_by_the_own_column_of_the_series():
    parts = [days(np.arange(40.0) * slope).to_frame("sold").assign(shop=name) for name, slope in
             (("a", 1), ("b", 2))]  # fmt: skip
    model = SequenceForecaster(LinearRegression(), 3, series="shop")
    table = backtest(model, pd.concat(parts))
    own = backtest_scores(table, by="shop")
    assert own.index.names == ["shop", "model"]
    assert own.loc[("b", "naive"), "MAE"] == 2
    np.testing.assert_array_equal(own, backtest_scores(table, by="series"))
    with pytest.raises(
        ValueError, match="by='region' is no column of the table: .'series', 'shop'"
    ):
        backtest_scores(table, by="region")


def test_rows_without_actual_values_stay_in_the_table_and_are_counted():
    y = days(np.arange(60.0))
    y.iloc[55] = np.nan
    model = SequenceForecaster(LinearRegression(), 3, calibration_fraction=0)
    table = backtest(model, y, initial_train_size=50)
    assert table["actual"].isna().sum() == 1
    assert len(table) == 10 - 3  # windows that hold the missing value make no forecast
    assert backtest_scores(table)["left_out"].tolist() == [1, 1]
