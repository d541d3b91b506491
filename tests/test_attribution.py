"""Parts of predictions: they add up, and find what was planted."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from sklstm import (
    LagSequencer,
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    SequenceWindower,
)
from sklstm.inspection import history_attribution, history_importance
from sklstm.plotting import HistoryAttributionDisplay

RNG = np.random.default_rng(0)
LENGTHS = [12, 15, 1, 20, 12, 13, 14, 18] * 6
X = [RNG.normal([5, -100, 0], [30, 1, 0.1], size=(length, 3)) for length in LENGTHS]
GAPPY = [np.where(RNG.random(x.shape) < 0.2, np.nan, x) for x in X]
Y = np.array([x[-1, 0] * np.tanh(x[-1, 2] * 10) for x in X])
LABELS = np.array(list("abc"))[np.digitize([x[:, 0].mean() for x in X], [0, 10])]


def quick(estimator=LSTMRegressor, **params):
    return estimator(**{"hidden_size": 5, "max_epochs": 3, "lr": 0.05, "random_state": 0} | params)


def padded(sequences):
    steps = np.full((len(sequences), max(map(len, sequences)), 3), 7.0)
    for row, sequence in zip(steps, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.tensor(steps), torch.tensor([len(sequence) for sequence in sequences])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_networks": 2, "cell": "gru"},
        {"loss": "gaussian"},
        {"loss": "poisson"},
        {"loss": "quantile", "init": None, "pooling": "attention"},
        {"missing": "mask"},
        {"pooling": "last", "standardize": False},
    ],
)
def test_the_module_predicts_what_the_regressor_predicts(params):
    given = GAPPY if "missing" in params else X
    y = np.abs(Y).round() if params.get("loss") == "poisson" else Y
    model = quick(**params).fit(given, y)
    found = model.to_torch()(*padded(given))
    np.testing.assert_allclose(found[:, 0].detach(), model.predict(given), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("init", ["convolutions", "linear", None])
def test_the_module_has_the_logits_of_the_classifier(init):
    model = quick(LSTMClassifier, init=init).fit(X, LABELS)
    found = torch.softmax(model.to_torch()(*padded(X)), dim=1)
    np.testing.assert_allclose(found.detach(), model.predict_proba(X), atol=1e-5)


def test_the_module_predicts_at_every_step():
    model = quick(pooling=None, init="linear").fit(X, [x[:, 0] for x in X])
    found = model.to_torch()(*padded(X)).detach().numpy()[..., 0]
    for one, expected in zip(found, model.predict(X), strict=True):
        np.testing.assert_allclose(one[: len(expected)], expected, rtol=1e-5)


def test_the_module_reads_tokens():
    tokens = RNG.integers(9, size=(20, 5))
    model = quick(embedding=3).fit(tokens, tokens[:, 0])
    unknown = torch.tensor(tokens).where(torch.tensor(tokens) > 0, 99)
    found = model.to_torch()(unknown)[:, 0].detach()
    np.testing.assert_allclose(found, model.predict(tokens), rtol=1e-5)


def test_an_estimator_as_init_is_no_function_of_torch():
    model = quick(init=Ridge()).fit(X, Y)
    with pytest.raises(ValueError, match=r"The init estimator Ridge is no function of torch"):
        history_attribution(model, X)


@pytest.mark.parametrize("pooling", ["max", "last", "mean"])
@pytest.mark.parametrize("estimator", [LSTMRegressor, LSTMClassifier])
def test_parts_add_up_without_being_rescaled(estimator, pooling):
    y = Y if estimator is LSTMRegressor else LABELS
    init = "linear" if estimator is LSTMRegressor else None
    params = {"pooling": pooling, "init": init, "max_epochs": 5, "lr": 0.01, "hidden_size": 16}
    model = quick(estimator, **params).fit(X, y)
    found = history_attribution(model, X, np.arange(len(X)))
    total = found.attributions.groupby("row").sum().sum(axis=1)
    error = found.prediction - found.baseline_prediction - total
    np.testing.assert_allclose(error, found.error, atol=1e-9)
    assert 0 < np.abs(found.error).max() < 0.01 * np.std(found.prediction)


def test_jumps_of_convolutions_add_up():
    given = np.random.default_rng(0).normal(size=(60, 30, 2))
    given[::2, 10:20, 0] += 2
    labels = np.arange(60) % 2
    model = quick(LSTMClassifier).fit(given, labels)
    assert model.init_.slope > 0
    found = history_attribution(model, given, np.arange(60), output=0)
    assert 0 < np.abs(found.error).max() < 0.01 * np.std(found.prediction)
    parts = found.attributions.loc[0].abs()
    assert parts.iloc[6:24, 0].to_numpy().sum() > 0.6 * parts.to_numpy().sum()


def test_rows_that_need_them_get_more_points():
    model = quick(init=None, pooling="mean", max_epochs=20).fit(X, Y)
    rough = history_attribution(model, X, np.arange(len(X)), n_points=10)
    found = history_attribution(model, X, np.arange(len(X)))
    more = found.n_points > 10
    assert 0 < more.sum() < len(X)
    assert np.abs(found.error).max() < 0.5 * np.abs(rough.error).max()
    np.testing.assert_array_equal(found.error[~more], rough.error[~more])


def test_they_are_those_of_a_fine_grid():
    """The mean gradient of the module at many points, of a model without jumps in gradients."""
    model = quick(pooling="mean", max_epochs=10).fit(X[:1] * 9, Y[:9])
    module, steps = model.to_torch(), torch.tensor(X[0][None])
    baseline = torch.tensor(model.feature_mean_).expand_as(steps)
    gradients = []
    for place in (np.arange(500) + 0.5) / 500:
        way = (baseline + place * (steps - baseline)).requires_grad_()
        gradients.append(torch.autograd.grad(module(way).sum(), way)[0])
    expected = torch.stack(gradients).mean(0) * (steps - baseline)
    found = history_attribution(model, X, 0)
    np.testing.assert_allclose(found.attributions, expected[0], atol=1e-4)


def test_a_linear_model_has_the_parts_of_its_coefficients():
    given, y = RNG.normal(size=(200, 3, 2)), RNG.normal(size=200)
    model = quick(init="linear", max_epochs=1, early_stopping=True).fit(given, y + given[:, 1, 0])
    model._fitted.blending_weight[:] = 0
    init = model.init_
    scaled = (given[7] - init.mean) / init.scale
    parts = scaled * init.coef.reshape(3, 2) * init.target_scale
    found = history_attribution(model, given, 7)
    np.testing.assert_allclose(found.attributions, parts, atol=1e-9)


def planted(n_rows=1500):
    """Two causes at their lags, and two features without any: what they add is known."""
    table = pd.DataFrame(RNG.normal(size=(n_rows, 4)), columns=list("abcd"))
    causes = pd.DataFrame({"a": 2 * table["a"].shift(2), "c": table["c"].shift(5) ** 2})
    return table, causes.fillna(0.0)


def test_planted_causes_have_their_share():
    table, causes = planted()
    windower = SequenceWindower(window_size=6, horizon=1)
    params = {"hidden_size": 16, "lr": 0.01, "max_epochs": 60, "random_state": 0}
    model = make_pipeline(windower, LSTMRegressor(**params)).fit(table, causes.sum(axis=1))
    rows = np.arange(100, 300)
    found = history_attribution(model, table, rows, n_points=16).attributions
    parts = found.abs().groupby("lag").sum()
    shares = parts / parts.to_numpy().sum()
    truth = causes.iloc[rows].abs().sum() / causes.iloc[rows].abs().to_numpy().sum()
    assert shares.loc["t-2", "a"] == pytest.approx(truth["a"], abs=0.1)
    assert shares.loc["t-5", "c"] == pytest.approx(truth["c"], abs=0.1)
    shuffled = RNG.permutation(causes.sum(axis=1))
    other = history_attribution(model.fit(table, shuffled), table, rows).attributions
    parts = other.abs().groupby("lag").sum()
    assert (parts / found.abs().groupby("lag").sum()).loc["t-2", "a"] < 0.1


def test_categories_have_no_gradients():
    table = pd.DataFrame({"wind": ["N", "S", "W"] * 20, "temp": RNG.normal(size=60)})
    model = make_pipeline(SequenceWindower(3, horizon=1), quick()).fit(table, table["temp"])
    with pytest.raises(ValueError, match=r"The features \[0\] \(counted from 0\) are categories"):
        history_attribution(model, table)


def test_missing_values_have_no_part():
    model = quick(missing="mask").fit(GAPPY, Y)
    found = history_attribution(model, GAPPY, 3)
    assert (found.attributions.to_numpy()[np.isnan(GAPPY[3])] == 0).all()
    assert abs(found.error) < 0.01 * np.std(model.predict(GAPPY))


def test_rows_outputs_and_baselines_are_chosen():
    y = np.column_stack([Y, -Y])
    model = quick(init="linear").fit(X, y)
    found = history_attribution(model, X, [3, -1], output=1)
    np.testing.assert_allclose(found.prediction, model.predict(X)[[3, -1], 1], rtol=1e-5)
    assert found.attributions.index.get_level_values("row").unique().tolist() == [3, len(X) - 1]
    assert found.attributions.loc[3].index[-1] == "t"
    zero = history_attribution(model, X, 3, output=1, baseline=[0, 0, 0])
    expected = model.predict([np.zeros_like(X[3])])[0, 1]
    assert zero.baseline_prediction == pytest.approx(expected, rel=1e-5)
    label = quick(LSTMClassifier, init=None).fit(X, LABELS)
    logits = label.to_torch()(*padded(X)).detach().numpy()[3]
    found = history_attribution(label, X, 3, output="b")
    assert found.prediction == pytest.approx(logits[1] - logits[[0, 2]].mean(), abs=1e-5)


def test_lags_are_those_that_columns_are_named_by():
    """The last steps of a history are not always the nearest rows."""
    lags = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["lag_1", "lag_2", "lag_12"])
    model = make_pipeline(LagSequencer(), quick(init="linear")).fit(lags, 2 * lags["lag_12"])
    parts = history_attribution(model, lags).attributions["y"].abs()
    assert parts.index.tolist() == ["t-12", "t-2", "t-1"]
    assert parts.idxmax() == "t-12"
    found = history_importance(model, lags, 2 * lags["lag_12"], n_groups=None, random_state=0)
    assert dict(zip(found.lags, found.importances_mean[:, 0].round(), strict=True)) == {
        "t-12": 2,
        "t-2": 0,
        "t-1": 0,
    }


def test_values_of_a_baseline_are_found_by_name():
    table = pd.DataFrame(np.concatenate(X), columns=["a", "b", "c"])
    model = quick(init="linear", max_epochs=1).fit([table[:12], table[12:24]] * 10, Y[:20])
    given = table.median()

    def of_baseline(baseline):
        return history_attribution(model, [table[:12]], baseline=baseline).baseline_prediction

    expected = of_baseline(given.to_list())
    for same in (given, given[::-1], pd.concat([pd.Series({"y": 7}), given])):
        assert of_baseline(same) == expected
    assert of_baseline(given.to_numpy()[::-1][::-1]) == expected
    assert of_baseline(given.reset_index(drop=True)) == expected  # numbers are no names
    with pytest.raises(ValueError, match=r"baseline has the names \['a', 'b'\]; expected one"):
        of_baseline(given[["a", "b"]])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"row": 99}, "row=99 is not there: X has 48 rows"),
        ({"row": 0.5}, "'row' parameter"),
        ({"output": 4}, "output=4 must be a column of y, 0 to 1"),
        ({}, "y has 2 columns: give output="),
        ({"output": 0, "baseline": [0.0]}, r"baseline has the shape \(1,\) and must have one"),
    ],
)
def test_errors_name_the_cure(params, message):
    model = quick(init="linear", max_epochs=1).fit(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match=message):
        history_attribution(model, X, **params)


def test_other_models_are_refused():
    flat = make_pipeline(SequenceFlattener(), Ridge()).fit(X[:1] * 3, Y[:3])
    with pytest.raises(ValueError, match=r"need an LSTMRegressor or LSTMClassifier there"):
        history_attribution(flat, X[:1] * 3)
    model = quick(pooling=None).fit(X, [x[:, 0] for x in X])
    with pytest.raises(ValueError, match="predicts at every step"):
        history_attribution(model, X)
    model = quick(LSTMClassifier).fit(X, LABELS)
    with pytest.raises(ValueError, match="output='z' is no label"):
        history_attribution(model, X, output="z")
    with pytest.raises(ValueError, match=r"Row 0 of X has an empty history"):
        history_attribution(model, [np.zeros((0, 3)), *X], 0)


def test_the_picture_shows_all_parts_and_their_sums():
    table, causes = planted(300)
    windower = SequenceWindower(window_size=30, horizon=1)
    model = make_pipeline(windower, quick()).fit(table, causes.sum(axis=1))
    found = history_attribution(model, table, 200)
    display = HistoryAttributionDisplay.from_estimator(model, table, 200)
    np.testing.assert_array_equal(display.image_.get_array(), found.attributions.T)
    low, high = display.image_.get_clim()
    assert -low == high == found.attributions.abs().to_numpy().max()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    sums = found.attributions.sum()
    assert labels == [f"{name} {part:+.3g}" for name, part in sums.items()]
    assert display.ax_.get_title().startswith(f"prediction {found.prediction:.4g}: ")
    assert len(display.ax_.get_xticks()) == 15
    with pytest.raises(ValueError, match="names several rows"):
        HistoryAttributionDisplay.from_estimator(model, table, [1, 2])


@pytest.mark.parametrize("params", [{}, {"n_networks": 3}, {"bidirectional": False}])
def test_the_hidden_state_is_what_the_heads_read(params):
    model = quick(init=None, standardize=False, **params).fit(X, Y)
    state = model.transform(X)
    n_networks = params.get("n_networks", 1)
    width = 5 * (2 if model.net_.module__bidirectional else 1)
    assert state.shape == (len(X), width * n_networks)
    heads = [one.net_.module_.head for one in model.estimators_]
    weight = np.concatenate([head.weight[0].detach() for head in heads]) / n_networks
    bias = np.mean([head.bias.item() for head in heads])
    np.testing.assert_allclose(state @ weight + bias, model.predict(X), rtol=1e-4, atol=1e-5)
    assert len(model.get_feature_names_out()) == state.shape[1]
    table = model.set_output(transform="pandas").transform(X)
    assert list(table) == list(model.get_feature_names_out())
    assert table.columns[0] == "lstmregressor0"


def test_at_every_step_there_is_no_transform():
    model = quick(pooling=None).fit(X, [x[:, 0] for x in X])
    with pytest.raises(ValueError, match="transform makes one row of each sequence"):
        model.transform(X)


def test_hidden_states_align_with_other_features_of_the_same_rows():
    days = pd.date_range("2024-01-01", periods=40)
    table = pd.DataFrame(np.random.default_rng(5).normal(size=(40, 2)), days, ["a", "b"])
    model = LSTMRegressor(hidden_size=3, max_epochs=1, random_state=0)
    union = make_union(make_pipeline(SequenceWindower(4, horizon=0), model), StandardScaler())
    found = union.set_output(transform="pandas").fit_transform(table, np.arange(40) % 7)
    assert found.shape == (40, 5)
    assert found.index.equals(days)
    assert not found.isna().any(axis=None)


@pytest.mark.parametrize("loss", ["poisson", "negative_binomial"])
def test_of_counts_it_is_said_that_the_numbers_are_not_predictions(loss):
    counts = np.array([len(x) for x in X])
    model = quick(loss=loss).fit(X, counts)
    found = history_attribution(model, X, row=0)
    assert found.unit == "prediction before the softplus"
    assert abs(found.prediction - model.predict(X[:1])[0]) > 1e-6
