"""Columns of texts and categories: one vocabulary from `fit` on, in windower and forecaster."""

import json
import pickle

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import (
    DataWarning,
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    SequenceForecaster,
    Sequences,
    SequenceWindower,
    backtest,
)
from sklstm.inspection import history_importance

EFFECT = {"swing": -3.0, "flat": 0.0, "grow": 3.0}
"""By how much a promotion changes the sales of a shop of each kind."""


def shops(n_series, n_rows=40, seed=0):
    """Short series of three kinds, in which promotions have different effects."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=n_rows, name="day")
    parts = []
    for number in range(n_series):
        kind, promotion = list(EFFECT)[number % 3], rng.random(n_rows) < 0.15
        sold = rng.normal(10, 3) + EFFECT[kind] * promotion + rng.normal(0, 0.5, n_rows)
        columns = {"shop": f"s{number:03d}", "kind": kind, "sold": sold, "promotion": promotion}
        parts.append(pd.DataFrame(columns, index=days))
    return pd.concat(parts)


def weather(n_rows=300, seed=0):
    """One series: the next temperature depends on the wind."""
    rng = np.random.default_rng(seed)
    wind = rng.choice(["N", "S", "W"], n_rows)
    warms = pd.Series(wind).map({"N": -2.0, "S": 2.0, "W": 0.0}).to_numpy()
    temp = 10 + np.append(0, warms[:-1]) + rng.normal(0, 0.1, n_rows)
    days = pd.date_range("2024-01-01", periods=n_rows, name="day")
    return pd.DataFrame({"wind": wind, "temp": temp}, index=days)


def quick(**params):
    return LSTMRegressor(**{"hidden_size": 8, "max_epochs": 3, "random_state": 0} | params)


def piped(**params):
    return make_pipeline(SequenceWindower(3, horizon=1), quick(**params))


@pytest.mark.parametrize("dtype", [object, "str", "category", "string[pyarrow]"])
def test_texts_of_any_type_have_the_same_codes(dtype):
    table = weather(40)
    typed = table.astype({"wind": dtype})
    windower = SequenceWindower(3).fit(typed)
    assert windower.categories_ == {"wind": ("N", "S", "W")}
    np.testing.assert_array_equal(
        windower.transform(typed).values[-3:, 0], table["wind"][-3:].map({"N": 1, "S": 2, "W": 3})
    )


@pytest.mark.parametrize(
    "convert",
    [
        pl.from_pandas,
        lambda table: pl.from_pandas(table).with_columns(pl.col("wind").cast(pl.Categorical)),
        pa.Table.from_pandas,
        lambda table: pa.table(
            {k: pa.array(table[k]).dictionary_encode() if k == "wind" else table[k] for k in table}
        ),
    ],
)
def test_tables_of_other_libraries(convert):
    table = weather(40).reset_index()
    windower = SequenceWindower(3, time="day")
    windows = windower.fit_transform(convert(table))
    values = ["unknown", *windower.categories_["wind"]]  # Polars' categories have their own order
    assert [values[int(code)] for code in windows.values[:, 0]] == table["wind"].tolist()
    assert sorted(values[1:]) == ["N", "S", "W"]


def test_what_was_not_in_fit_is_unknown():
    table = weather(40)
    later = table[-3:].assign(wind=["N", "E", None])
    codes = SequenceWindower(3).fit(table[:-3]).transform(later).values[-3:, 0]
    np.testing.assert_array_equal(codes, [1, 0, 0])


def test_rare_values_are_unknown():
    table = weather(300)
    table.iloc[:2, 0] = "storm"  # of 300 rows a hundredth are 3
    table.iloc[5:8, 0] = "E"
    assert SequenceWindower(3).fit(table).categories_ == {"wind": ("E", "N", "S", "W")}


def test_the_vocabulary_is_that_of_the_training_rows():
    table = weather(60)
    table.iloc[40:, 0] = "E"
    windower = SequenceWindower(3, context=table).fit(table[:40])
    assert windower.categories_ == {"wind": ("N", "S", "W")}
    lags = make_pipeline(SequenceWindower(1), SequenceFlattener())
    assert lags.fit_transform(table[:40]).shape[1] == 3 + 1
    assert lags.fit_transform(table).shape[1] == 4 + 1


def test_named_columns_of_numbers_and_the_id_of_a_series():
    table = shops(3, 20).assign(region=np.repeat([7, 9, 9], 20))
    asked = ["region", "shop", "kind"]
    windower = SequenceWindower(3, series="shop", categorical_features=asked)
    windows = windower.fit_transform(table)
    assert windows.feature_names.tolist() == ["shop", "kind", "sold", "promotion", "region"]
    assert windower.categories_ == {
        "region": (7, 9),
        "shop": ("s000", "s001", "s002"),
        "kind": ("flat", "grow", "swing"),
    }
    np.testing.assert_array_equal(windows.values[::20, [0, 4]], [[1, 1], [2, 2], [3, 2]])
    other = windower.transform(table[:20].assign(shop="new"))
    np.testing.assert_array_equal(other[-1][:, 0], [0, 0, 0])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["12", "1.5"] * 20, "'wind' of X holds numbers as texts, such as '12'.*to_numeric"),
        (["2024-01-31"] * 40, "'wind' of X holds dates as texts.*to_datetime.*time='wind'"),
        ([None] * 39 + [np.nan], "'wind' of X .*missing in every row"),
    ],
)
def test_texts_that_are_no_categories_are_refused(column, message):
    table = weather(40)
    table["wind"] = pd.Series(column, table.index, dtype="string")
    with pytest.raises(ValueError, match=message):
        SequenceWindower(3).fit(table)
    with pytest.raises(ValueError, match=message.replace("of X", "of .*")):
        SequenceForecaster(Ridge(), 3).fit(table)


def test_identifiers_are_no_categories():
    table = weather(4000)
    table["wind"] = [f"id {row}" for row in range(4000)]
    message = "'wind' of .* has 4,000 different values.*Leave it out.*series='wind'"
    with pytest.raises(ValueError, match=message):
        SequenceWindower(3).fit(table)
    with pytest.raises(ValueError, match=message):
        SequenceForecaster(Ridge(), 3).fit(table)


def test_a_category_that_is_missing_or_of_another_type_later():
    table = weather(40)
    model = piped().fit(table, table["temp"])
    with pytest.raises(ValueError, match="missing.*\n- wind"):
        model.predict(table[["temp"]])
    with pytest.raises(ValueError, match="'wind' of X holds 3 of type int.*such as 'N'"):
        model.predict(table.assign(wind=3))
    with pytest.raises(ValueError, match="'gusts' is not a column of X, which has"):
        SequenceWindower(categorical_features=["gusts"]).fit(table)
    with pytest.raises(ValueError, match="names columns, and X is a ndarray"):
        SequenceWindower(categorical_features=["wind"]).fit(table[["temp"]].to_numpy())
    with pytest.raises(ValueError, match="Column 'wind' of X .*must be numbers"):
        SequenceWindower(categorical_features=["temp"]).fit(table)


def test_codes_of_another_vocabulary_are_refused():
    table = weather(60)
    windower = SequenceWindower(3, horizon=1)
    model = quick().fit(windower.fit_transform(table), table["temp"])
    other = windower.fit_transform(table.replace({"wind": {"N": "North"}}))
    with pytest.raises(ValueError, match="codes of feature 'wind' of X stand for other values"):
        model.predict(other)
    with pytest.raises(ValueError, match="Part 1 holds other categories"):
        Sequences.concat([windower.fit_transform(table), other])


def test_a_category_that_seems_to_name_series():
    table = shops(3, 20).reset_index(drop=True)[["shop", "sold"]]
    with pytest.warns(DataWarning, match="'shop'.*3 values.*one block.*series='shop'"):
        SequenceWindower(3).fit(table)
    SequenceWindower(3, series="shop").fit(table)
    SequenceWindower(3).fit(weather(40).reset_index(drop=True))


def test_containers_keep_categories():
    windows = SequenceWindower(3).fit_transform(weather(40))
    for again in (windows[5:], pickle.loads(pickle.dumps(windows)), windows.compact()):
        assert again.categories == {0: ("N", "S", "W")}
    assert windows.numbers().feature_names.tolist() == ["temp"]
    np.testing.assert_array_equal(windows.numbers()[5], windows[5][:, 1:])


def test_the_network_learns_from_categories():
    table = weather(600)
    model = make_pipeline(SequenceWindower(3, horizon=1), LSTMRegressor(random_state=0))
    model.fit(table[:500], table["temp"][:500])
    with_wind = np.mean((model.predict(table[500:]) - table["temp"][500:]) ** 2)
    assert with_wind < 0.1 * table["temp"].var()
    unknown = model.predict(table[500:].assign(wind="E"))[1:]
    assert abs(np.mean(unknown) - table["temp"].mean()) < 0.5


@pytest.mark.parametrize("n_networks", [1, 2])
def test_the_random_state_decides_which_categories_are_hidden(n_networks):
    table, before = weather(60), torch.get_rng_state()
    models = [
        piped(random_state=0, n_networks=n_networks).fit(table, table["temp"]) for _ in range(2)
    ]
    np.testing.assert_array_equal(*(model.predict(table) for model in models))
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_do_not_depend_on_the_place_of_a_category():
    table = weather(60)
    table["pressure"] = np.random.default_rng(1).normal(size=60)
    orders = ["wind", "temp", "pressure"], ["temp", "pressure", "wind"]
    losses = []
    for columns, place in zip(orders, (1, 0), strict=True):
        model = piped(lagged_target=place).fit(table[columns], table["temp"])
        losses.append(model[-1].validation_losses_["loss"][1])
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match="lagged_target=0 is a category"):
        piped(lagged_target=0).fit(table[orders[0]], table["temp"])


def test_categories_alone():
    table = weather(200)
    model = make_pipeline(SequenceWindower(3, horizon=1), LSTMRegressor(random_state=0))
    model.fit(table[["wind"]], table["temp"])
    assert "3 features" in repr(model[-1].init_)
    assert np.mean((model.predict(table[["wind"]]) - table["temp"]) ** 2) < table["temp"].var() / 2


@pytest.mark.parametrize(
    "model",
    [
        piped(),
        piped(missing="mask"),
        piped(dtype="bfloat16"),
        piped(supervised_steps=2),
        piped(n_networks=2),
        piped(init=Ridge()),
        make_pipeline(
            SequenceWindower(3, horizon=1), SequenceFlattener(), RandomForestRegressor(3)
        ),
    ],
)
def test_models_are_cloned_pickled_and_searched(model):
    table = weather(80)
    later = table[60:].assign(wind="E")
    fitted = clone(model).fit(table[:60], table["temp"][:60])
    expected = fitted.predict(later)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(later), expected)
    grid = {"sequencewindower__window_size": [2, 3]}
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2), error_score="raise")
    search.fit(table, table["temp"])


def test_skops_needs_to_trust_the_estimators_alone():
    table = weather(60)
    model = piped().fit(table, table["temp"])
    dumped = skops.io.dumps(model)
    unknown = skops.io.get_untrusted_types(data=dumped)
    assert all(name.startswith("sklstm.") and "_data" not in name for name in unknown), unknown
    np.testing.assert_array_equal(
        skops.io.loads(dumped, trusted=unknown).predict(table), model.predict(table)
    )


def test_streams():
    table = weather(60)
    windower, model = SequenceWindower(3, horizon=1), quick()
    for first in range(0, 60, 20):
        rows = table[first : first + 20]
        windows = windower.partial_fit(rows).transform(rows)
        model.partial_fit(windows, rows["temp"])
    assert windower.categories_ == {"wind": ("N", "S", "W")}
    later = pd.DataFrame(
        {"wind": "E", "temp": np.nan}, pd.date_range("2024-03-01", periods=1, name="day")
    )
    assert np.isfinite(model.predict(windower.transform(later))).all()


def test_a_classifier_and_its_inspection():
    table = weather(120)
    windows = SequenceWindower(2, horizon=1).fit_transform(table)
    warm = table["temp"] > 11
    model = LSTMClassifier(max_epochs=40, random_state=0).fit(windows, warm)
    assert model.score(windows, warm) > 0.95
    found = history_importance(model, windows, warm, n_repeats=1, random_state=0)
    assert found["importances_mean"].argmax(axis=0)[-1] == 0  # the wind of the day before


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("init", ["linear", None])
def test_onnx_reads_codes(missing, init, tmp_path):
    table = weather(80)
    windower = SequenceWindower(3, horizon=1)
    windows = windower.fit_transform(table)[1:]
    model = quick(missing=missing, init=init).fit(windows, table["temp"][1:])
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["feature_names"]) == ["wind", "temp"]
    assert json.loads(facts["categories"]) == {"0": ["N", "S", "W"]}
    given = windows[windows.lengths == 3]
    steps = given.to_dense()
    inputs = {"steps": steps, "lengths": np.full(len(steps), 3)}
    expected = model.predict(given)
    np.testing.assert_allclose(session.run(None, inputs)[0], expected, rtol=1e-5)
    steps[..., 0] = 99  # a code that was not in fit
    unknown = windower.transform(table.assign(wind="E"))[1:]
    expected = model.predict(unknown[unknown.lengths == 3])
    np.testing.assert_allclose(session.run(None, inputs)[0], expected, rtol=1e-5)


def test_flat_tables_have_a_column_for_each_value():
    table = shops(3, 12).assign(wind=np.resize(["N", "S"], 36)).drop(columns="promotion")
    windows = SequenceWindower(2, series="shop").fit_transform(table)
    flattener = SequenceFlattener().set_output(transform="pandas")
    flat = flattener.fit_transform(windows)
    assert flat.columns.tolist() == [
        *["sold[t-1]", "wind=N[t-1]", "wind=S[t-1]"],
        *["sold[t]", "wind=N[t]", "wind=S[t]"],
        *["kind=flat", "kind=grow", "kind=swing"],
    ]
    last = flat.iloc[13].to_numpy()  # the second row of the second shop, of the kind "flat"
    sold = table["sold"].to_numpy()[12:14]
    np.testing.assert_array_equal(last, [sold[0], 1, 0, sold[1], 0, 1, 1, 0, 0])
    unknown = flattener.transform(
        SequenceWindower(2, series="shop").fit(table).transform(table.assign(kind="new"))
    )
    assert not unknown.filter(like="kind").to_numpy().any()


def squared_errors(forecaster, table, days):
    """Mean squared error on each of the days, one row ahead, by shop."""
    errors = []
    for day in days:
        y = table[table.index < day].drop(columns="promotion")
        X = table.loc[table.index <= day, ["shop", "promotion"]]
        predicted = forecaster.predict(y=y, X=X)["sold"].droplevel("day")
        errors.append((predicted - table[table.index == day].set_index("shop")["sold"]) ** 2)
    return pd.concat(errors, axis=1).mean(axis=1)


def errors_with_and_without_kinds(seed):
    """Squared errors, without and with the column, of series of `fit` and of new ones."""
    table = shops(45, seed=seed)
    days = table.index.unique()
    past = table[table.index < days[-4]]
    level = table["shop"].factorize()[0] % 7
    new = table.assign(shop="new " + table["shop"], sold=table["sold"] + level)
    table = pd.concat([table, new])  # as hard to forecast, so that errors can be compared
    network = LSTMRegressor(hidden_size=8, max_epochs=30, lr=0.01, random_state=seed)
    forecaster = SequenceForecaster(network, 1, series="shop", future_covariates=["promotion"])
    found = []
    for columns in (["shop", "sold"], ["shop", "kind", "sold"]):
        fitted = clone(forecaster).fit(past[columns], X=past[["shop", "promotion"]])
        errors = squared_errors(fitted, table[[*columns, "promotion"]], days[-4:])
        is_new = errors.index.str.startswith("new")
        found.append([errors[~is_new].mean(), errors[is_new].mean()])
    return found


def test_a_category_that_decides_the_law_of_a_series():
    without, with_kind = np.mean([errors_with_and_without_kinds(seed) for seed in range(3)], axis=0)
    assert with_kind[0] < 0.5 * without[0]
    assert with_kind[1] < 1.1 * with_kind[0]


def trends():
    """Series that rise or fall, by their kind."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=20, name="day")
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "shop": number,
                    "kind": ["up", "down"][number % 2],
                    "sold": number + (-1.0) ** number * np.arange(20) + rng.normal(0, 1e-3, 20),
                },
                index=days,
            )
            for number in range(20)
        ]
    )


@pytest.mark.parametrize("estimator", [LinearRegression(), quick(), quick(missing="mask")])
def test_static_categories_need_no_future_values(estimator):
    table = trends()
    forecaster = SequenceForecaster(estimator, 3, steps=2, series="shop").fit(table)
    forecast = forecaster.predict(5)
    assert np.isfinite(forecast.to_numpy()).all()
    dumped = skops.io.dumps(forecaster)
    loaded = skops.io.loads(dumped, trusted=skops.io.get_untrusted_types(data=dumped))
    for again in (pickle.loads(pickle.dumps(forecaster)), loaded):
        pd.testing.assert_frame_equal(again.predict(5), forecast)
    as_covariate = clone(forecaster).fit(table[["shop", "sold"]], X=table[["shop", "kind"]])
    pd.testing.assert_frame_equal(as_covariate.predict(5), forecast)
    if isinstance(estimator, LinearRegression):
        names = forecaster.estimator_[0].get_feature_names_out().tolist()
        assert names[-2:] == ["x1=down", "x1=up"]
        exact = table[["shop", "sold"]].groupby("shop").last()["sold"].to_numpy()[:, None]
        exact = exact + (-1.0) ** np.arange(20)[:, None] * np.arange(1, 6)
        np.testing.assert_allclose(forecast.to_numpy().reshape(20, 5), exact, atol=0.05)


def test_static_numbers_need_no_future_values():
    table = trends()
    size = table[["shop"]].assign(size=np.where(table["kind"] == "up", 3.0, -1.0))
    forecaster = SequenceForecaster(LinearRegression(), 3, series="shop")
    forecaster.fit(table[["shop", "sold"]], X=size)
    np.testing.assert_allclose(forecaster.predict(3)["sold"][:3], [20, 21, 22], atol=0.05)
    same = size.assign(size=1.0)  # which a promotion may be that has not been yet
    forecaster.fit(table[["shop", "sold"]], X=same)
    with pytest.raises(ValueError, match="needs the columns \\['size'\\] of future rows"):
        forecaster.predict(3)


def test_forecasts_of_series_that_were_not_in_fit():
    table = trends()
    forecaster = SequenceForecaster(LinearRegression(), 3, series="shop").fit(table)
    new = table[table["shop"] < 3].assign(shop=lambda rows: rows["shop"] + 100)
    new.loc[new["shop"] == 102, "kind"] = "sideways"
    forecast = forecaster.predict(y=new)["sold"]
    np.testing.assert_allclose(forecast[:2], [20, 1 - 20], atol=0.05)
    assert -20 < forecast.iloc[2] < 30
    missing = forecaster.predict(y=new.assign(kind=None))["sold"]
    assert missing.iloc[2] == forecast.iloc[2]
    with pytest.raises(ValueError, match="X is missing: y needs the columns \\['kind'\\]"):
        forecaster.predict(y=new[["shop", "sold"]])
    with pytest.raises(ValueError, match="y and X lack the columns \\['kind'\\]"):
        forecaster.predict(y=new[["shop", "sold"]], X=new[["shop"]].assign(price=1))
    given = forecaster.predict(y=new[["shop", "sold"]], X=new[["shop", "kind"]])["sold"]
    pd.testing.assert_series_equal(given, forecast)


def test_arriving_rows_have_categories():
    table = trends()
    first = table[table.index < table.index.unique()[-3]]
    later = table[table.index >= table.index.unique()[-3]]
    forecaster = SequenceForecaster(LinearRegression(), 3, series="shop").fit(first)
    with pytest.raises(ValueError, match="lack the columns \\['kind'\\]"):
        forecaster.update(later[["shop", "sold"]])
    updated = forecaster.update(later).predict()
    np.testing.assert_allclose(updated["sold"][:2], [20, 1 - 20], atol=0.05)


def test_future_values_of_a_category():
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=203, name="day")
    promotion = pd.Series(rng.choice(["none", "half", "gift"], 203), days, name="promotion")
    sold = promotion.map({"none": 0.0, "half": 5.0, "gift": 2.0}).rename("sold")
    sold += 0.01 * rng.normal(size=203)
    forecaster = SequenceForecaster(
        LinearRegression(), 3, steps=3, future_covariates=["promotion"]
    ).fit(sold[:200], X=promotion[:200].to_frame())
    forecast = forecaster.predict(X=promotion[200:].to_frame())["sold"]
    np.testing.assert_allclose(forecast, sold[200:], atol=0.1)
    assert "x2=none[t]" in forecaster.estimator_[0].get_feature_names_out()


def test_ids_of_series_as_a_category():
    table = trends().drop(columns="kind")
    forecaster = SequenceForecaster(
        LinearRegression(), 3, series="shop", categorical_features=["shop"]
    ).fit(table)
    assert forecaster.categories_ == {"shop": tuple(range(20))}
    np.testing.assert_allclose(forecaster.predict()["sold"][:2], [20, 1 - 20], atol=0.05)
    new = table[table["shop"] < 1].assign(shop=100)
    assert np.isfinite(forecaster.predict(y=new)["sold"]).all()
    with pytest.raises(ValueError, match="'size' is a column of neither y nor X"):
        clone(forecaster).set_params(categorical_features=["size"]).fit(table)


def test_several_targets_by_themselves():
    table = trends().assign(back=lambda rows: rows["sold"][::-1].to_numpy())
    forecaster = SequenceForecaster(
        LinearRegression(), 3, series="shop", channel_independent=True
    ).fit(table)
    assert forecaster.estimator_[0].get_feature_names_out()[-2:].tolist() == ["x1=down", "x1=up"]
    np.testing.assert_allclose(forecaster.predict()["sold"][:1], [20], atol=0.05)


def test_a_backtest_has_the_vocabulary_of_its_training_rows():
    table = trends()
    table.loc[table.index >= table.index.unique()[-4], "kind"] = "late"
    forecaster = SequenceForecaster(LinearRegression(), 3, series="shop", calibration_fraction=0)
    found = backtest(forecaster, table, initial_train_size=15)
    unknown = table.replace({"kind": {"late": None}})
    pd.testing.assert_frame_equal(found, backtest(forecaster, unknown, initial_train_size=15))


def test_texts_alone_cannot_be_forecast():
    with pytest.raises(ValueError, match="y has no column of numbers"):
        SequenceForecaster(Ridge(), 3).fit(weather(40)[["wind"]])
