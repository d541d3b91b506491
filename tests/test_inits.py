"""Init estimators, and the inputs of the network beside them."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from sklstm import LSTMClassifier, LSTMRegressor, SequenceFlattener, Sequences, SequenceWindower
from sklstm._data.warning import DataWarning
from sklstm._nn.classification_heads import MulticlassHead
from sklstm._nn.ridge_init import RidgeInit
from sklstm._train.additive import dataset_of
from sklstm._train.defaults import resolve

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(RNG.normal(size=(300, 3)).cumsum(axis=0), columns=["a", "b", "c"])
WINDOWS = SequenceWindower(5, horizon=2).fit_transform(TABLE)[7:]
RISES = (TABLE["b"].shift(-1) > TABLE["b"]).to_numpy().astype(int)


STATE = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    """What a test draws must not depend on the tests before it in its process."""
    RNG.bit_generator.state = STATE


def regressor(**params):
    settings = {"hidden_size": 4, "max_epochs": 3, "batch_size": 32, "random_state": 0}
    return LSTMRegressor(**settings | params)


def classifier(**params):
    settings = {"hidden_size": 4, "max_epochs": 3, "batch_size": 32, "random_state": 0}
    return LSTMClassifier(**settings | params)


def targets(n_columns=1):
    y = TABLE[["b", "a"]].to_numpy()[7:] + RNG.normal(size=(293, 2))
    return y[:, 0] if n_columns == 1 else y


# Predictions of an init estimator


def test_the_linear_init_is_a_ridge_of_standardised_lags():
    y = targets()
    model = regressor(init="linear", lagged_target=None, early_stopping=False).fit(WINDOWS, y)
    lags = SequenceFlattener().fit_transform(WINDOWS)
    mean, scale = np.tile(model.feature_mean_, 5), np.tile(model.feature_scale_, 5)
    penalty = model.init_.penalty[0] * len(y)
    ridge = Ridge(penalty).fit((lags - mean) / scale, y)
    init = model.init_.predict(WINDOWS)[:, 0]
    np.testing.assert_allclose(init, ridge.predict((lags - mean) / scale), rtol=1e-6)


def test_a_feature_that_y_continues_is_found():
    walk = RNG.normal(size=2000).cumsum()
    table = pd.DataFrame({"noise": RNG.normal(size=2000), "walk": walk})
    windower = SequenceWindower(4, horizon=3)
    model = regressor().fit(windower.fit_transform(table)[3:], walk[3:])
    assert model.init_.lagged_target.tolist() == [7]  # the second feature of the last of four steps
    predicted = model.init_.predict(windower.transform(table)[100:])[:, 0]
    assert np.mean((predicted - walk[100:]) ** 2) < 1.05 * np.mean((walk[97:-3] - walk[100:]) ** 2)


@pytest.mark.parametrize("named", ["b", 1])
def test_a_feature_is_named_that_y_continues(named):
    model = regressor(lagged_target=named).fit(WINDOWS, targets())
    assert model.init_.lagged_target.tolist() == [13]


def test_an_unknown_feature_is_named():
    with pytest.raises(
        ValueError, match=r"lagged_target='d' is no feature of X; there are \['a', 'b'"
    ):
        regressor(lagged_target="d").fit(WINDOWS, targets())


def blank(n_outputs):
    return RidgeInit.blank(
        np.zeros(3), np.ones(3), None, 5, np.zeros(n_outputs), np.ones(n_outputs)
    )


def test_a_heavy_penalty_leaves_the_last_value_and_its_usual_change():
    init = blank(1)
    y = targets()[:, None]
    moments = init.moments(WINDOWS, y, np.ones(len(y)))
    init = replace(init, penalty=np.array([1e12]), lagged_target=np.array([13]))
    init = init.fitted(moments)
    last = np.array([history[-1, 1] for history in WINDOWS])
    expected = last + (y[:, 0] - last).mean()
    np.testing.assert_allclose(init.predict(WINDOWS)[:, 0], expected, rtol=1e-6)


def test_a_difference_share_of_1_is_a_ridge_of_differences():
    y = targets()
    init = blank(1)
    init = replace(init, penalty=np.array([1e-2]), lagged_target=np.array([13]))
    init = replace(init, difference_share=np.ones(1))
    init = init.fitted(init.moments(WINDOWS, y[:, None], np.ones(len(y))))
    histories = np.stack([np.asarray(history) for history in WINDOWS])
    changes = (histories[:, :-1] - histories[:, -1:]).reshape(len(y), -1)
    last = histories[:, -1, 1]
    expected = last + Ridge(1e-2 * len(y)).fit(changes, y - last).predict(changes)
    np.testing.assert_allclose(init.predict(WINDOWS)[:, 0], expected, rtol=1e-6)
    for feature, change in enumerate([0.0, 7.0, 0.0]):
        moved = [history + 7.0 * (np.arange(3) == feature) for history in histories]
        predicted = init.predict(Sequences.from_arrays(moved))[:, 0]
        np.testing.assert_allclose(predicted, expected + change, rtol=1e-6)


def test_a_series_that_leaves_its_range_uses_differences():
    rng = np.random.default_rng(0)
    slopes = np.repeat(rng.normal(size=40), 10)
    series = 100 + (1 + slopes).cumsum() + rng.normal(size=400) / 10
    windower = SequenceWindower(8, horizon=1)
    model = regressor().fit(windower.fit_transform(series[:300, None])[8:], series[8:300])
    assert model.init_.difference_share > 0.9
    predicted = model.predict(windower.transform(series[:, None])[300:])
    assert np.mean((predicted - series[300:]) ** 2) < np.mean((series[299:-1] - series[300:]) ** 2)


def test_the_difference_share_has_the_least_validation_error():
    init = blank(1)
    last = np.array([history[-1, 1] for history in WINDOWS])
    y = (0.9 * last + np.random.default_rng(6).normal(size=293))[:, None]
    first, second, third = (
        init.moments(WINDOWS[rows], y[rows], np.ones(len(y[rows])))
        for rows in (slice(150), slice(150, 200), slice(200, None))
    )
    folds = [(first, second), (first + second, third)]
    chosen = init.selected(first + second + third, folds, features=np.array([1]))

    def error(share):
        init = replace(chosen, difference_share=np.full(1, share))
        parts = [(init.fitted(train), valid) for train, valid in folds]
        return sum(valid.squared_error(one.coef, one.intercept)[0] for one, valid in parts)

    shares = np.linspace(0, 1, 101)
    best = shares[np.argmin([error(share) for share in shares])]
    assert 0 < best < 1
    assert chosen.difference_share == pytest.approx(best, abs=0.01)


def columns_of(init, windows):
    """Standardised lags and the intercept, which has no offset if labels are equally frequent."""
    lags = SequenceFlattener().fit_transform(windows)
    lags = (lags - np.tile(init.mean, 5)) / np.tile(init.scale, 5)
    return np.hstack([lags, np.ones((len(lags), 1))])


def test_the_init_of_labels_is_a_logistic_regression():
    rng = np.random.default_rng(0)
    windows = WINDOWS[:291]
    last = np.array([history[-1, 1] for history in windows]) + rng.normal(size=291)
    labels = last.argsort().argsort() * 3 // 291  # as many of each, three in all
    model = classifier(init="linear", early_stopping=False).fit(windows, labels)
    init, columns = model.init_, columns_of(model.init_, windows)
    settings = {"fit_intercept": False, "tol": 1e-10, "max_iter": 10_000}
    C = 1 / (291 * init.penalty[0])
    reference = LogisticRegression(C=C, **settings).fit(columns, labels)
    expected = reference.decision_function(columns)
    odds = init.predict(windows)
    np.testing.assert_allclose(odds - odds.mean(axis=1, keepdims=True), expected, atol=5e-3)


def test_several_labels_have_a_logistic_regression_each():
    windows = WINDOWS[:292]
    noise = np.random.default_rng(0).normal(scale=3, size=(292, 2))
    values = np.array([history[-1, :2] for history in windows]) + noise
    table = (values > np.median(values, axis=0)).astype(int)
    init = classifier(init="linear", early_stopping=False).fit(windows, table).init_
    columns = columns_of(init, windows)
    for k in (0, 1):
        settings = {"C": 1 / (292 * init.penalty[k]), "tol": 1e-10, "max_iter": 10_000}
        reference = LogisticRegression(fit_intercept=False, **settings).fit(columns, table[:, k])
        odds = init.predict(windows)[:, k]
        np.testing.assert_allclose(odds, reference.decision_function(columns), atol=5e-3)


def test_the_init_of_labels_without_a_pattern_is_no_worse_than_the_class_prior():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(1000, 4)))
    windows, labels = SequenceWindower(5).fit_transform(table), rng.integers(0, 3, 1000)
    init = classifier(init="linear", early_stopping=False).fit(windows[:500], labels[:500]).init_
    np.testing.assert_allclose(np.exp(init.empty), np.bincount(labels[:500]) / 500)
    losses = [
        log_loss(labels[500:], softmax(odds, axis=1))
        for odds in (init.predict(windows[500:]), np.tile(init.empty, (500, 1)))
    ]
    assert losses[0] < losses[1] + 0.01


def test_a_part_of_a_long_table_is_enough_for_a_logistic_regression(monkeypatch):
    monkeypatch.setattr("sklstm._nn.logistic_init.MOST", 150)
    x = np.tile([1.0, -1.0], 300)  # evenly spaced rows would have one label
    windows = SequenceWindower(1).fit_transform(pd.DataFrame({"x": x}))
    model = classifier().fit(windows, x > 0)
    assert (
        (model.init_.predict(windows)[:, 1] > model.init_.predict(windows)[:, 0]) == (x > 0)
    ).all()


def test_only_ratios_of_weights_count_for_a_logistic_regression():
    weight = np.where(RISES[7:], 1e-3, 1.0)
    inits = [
        classifier(init="linear", early_stopping=False).fit(WINDOWS, RISES[7:], weight * scale)
        for scale in (1, 700)
    ]
    one, other = (init.init_.coef for init in inits)
    np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("n_labelled", [1, 2, 7])
def test_an_init_is_chosen_where_each_series_has_few_labels(n_labelled):
    rng = np.random.default_rng(0)
    x, series = rng.normal(size=1200), np.repeat(np.arange(120), 10)
    table = pd.DataFrame({"series": series, "x": x})
    windows = SequenceWindower(3, series="series").fit_transform(table)
    y = 3 * x + np.roll(x, 1)
    weight = (np.arange(1200) % 10 >= 10 - n_labelled).astype(float)
    model = regressor().fit(windows, y, weight)
    assert model.init_.penalty < 1e-2
    error = (model.predict(windows) - y)[weight > 0]
    assert np.mean(error**2) < 0.1 * y.var()
    model = classifier(init="linear").fit(windows, (y > 0).astype(int), weight)
    assert model.score(windows, (y > 0).astype(int), weight) > 0.9


def test_any_estimator_may_be_the_start():
    y = targets()
    model = regressor(init=DecisionTreeRegressor(max_depth=3), early_stopping=False)
    predicted = model.fit(WINDOWS, y).init_.predict(WINDOWS)[:, 0]
    lags = SequenceFlattener().fit_transform(WINDOWS)
    expected = DecisionTreeRegressor(max_depth=3).fit(lags, y).predict(lags)
    np.testing.assert_allclose(predicted, expected)
    assert model.score(WINDOWS, y) > 0.5
    forest = RandomForestClassifier(5, random_state=0)
    labels = np.where(RISES, "up", "down")[7:]
    assert classifier(init=forest).fit(WINDOWS, labels).score(WINDOWS, labels) > 0.8


class OfCodes(RandomForestClassifier):
    """Takes 0, 1, ... only, as XGBoost does."""

    def fit(self, X, y, sample_weight=None):
        n_classes = len(np.unique(y))
        if y.dtype.kind not in "iu" or not np.array_equal(np.unique(y), np.arange(n_classes)):
            raise ValueError(f"Invalid classes: expected 0 to {n_classes - 1}, got {np.unique(y)}")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize(
    "names",
    [["down", "up"], [-1, 1], [False, True], [2.0, 1.0], ["up", "down"], ["x", "y", "z"]],
    ids=str,
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_classifier_gets_codes_and_its_answers_are_in_the_order_of_the_labels(
    names, early_stopping
):
    codes = RISES[7:] + (TABLE["a"][7:].to_numpy() > 0) * (len(names) - 2)
    model = classifier(init=OfCodes(20, random_state=0), early_stopping=early_stopping, lr=1e-9)
    labels = np.array(names)[codes]
    model.fit(WINDOWS, labels)
    assert model.score(WINDOWS, labels) > 0.9
    assert (model.predict(WINDOWS) == labels).mean() > 0.9
    forest = RandomForestClassifier(20, random_state=0)
    lags = SequenceFlattener().fit_transform(WINDOWS)
    expected = forest.fit(lags, labels).predict_proba(lags)
    answers = np.exp(model.init_.predict(WINDOWS))
    np.testing.assert_allclose(answers, np.maximum(expected, 1e-3), rtol=1e-6)


def test_a_classifier_that_has_not_seen_a_label_gets_codes_without_a_gap():
    labels = np.where(RISES[7:], "up", "down")
    model = classifier(init=OfCodes(5, random_state=0)).partial_fit(
        WINDOWS, labels, classes=["down", "level", "up"]
    )
    answers = np.exp(model.init_.predict(WINDOWS))
    assert answers[:, 1].max() == pytest.approx(1e-3)
    assert (answers[:, [0, 2]].sum(axis=1) > 0.99).all()


@pytest.mark.parametrize("names", [["no", "yes"], [1, 2], [0, 1]])
@pytest.mark.parametrize("inside", [False, True])
def test_weights_of_labels_stay_with_them(names, inside):
    labels = np.array(names)[RISES[7:]]
    weights = {names[0]: 1.0, names[1]: 50.0}
    init = LogisticRegression(class_weight=weights)
    expected = clone(init)
    if inside:
        init = make_pipeline(FunctionTransformer(), init)
    model = classifier(init=init, early_stopping=False).fit(WINDOWS, labels)
    lags = SequenceFlattener().fit_transform(WINDOWS)
    predicted = expected.fit(lags, labels).predict_proba(lags)
    np.testing.assert_allclose(
        np.exp(model.init_.predict(WINDOWS)), np.maximum(predicted, 1e-3), rtol=1e-6
    )
    assert expected.class_weight == weights


def test_a_label_that_no_row_has_is_possible():
    model = classifier(init="linear").partial_fit(WINDOWS, RISES[7:], classes=[0, 1, 2])
    assert (model.predict_proba(WINDOWS)[:, 2] > 0).all()


def test_tokens_and_several_labels_have_no_such_start():
    with pytest.raises(ValueError, match="X holds tokens: use init=None"):
        classifier(embedding=2, init="linear").fit([[1, 2], [2]] * 10, [0, 1] * 10)
    several = np.stack([RISES, 1 - RISES], axis=1)[7:]
    with pytest.raises(ValueError, match="y is a table of several"):
        classifier(init=RandomForestClassifier()).fit(WINDOWS, several)


# What becomes of it


def test_the_init_learns_from_all_rows_at_the_end():
    y = targets()
    model = regressor().fit(WINDOWS, y)
    init = model.init_
    moments = init.moments(WINDOWS, y[:, None], np.ones(len(y)))
    expected = init.fitted(moments)
    np.testing.assert_allclose(init.coef, expected.coef)


def test_validation_data_of_the_user_are_not_learned():
    y = targets()
    with_all = regressor(init="linear").fit(
        WINDOWS[:250], y[:250], X_val=WINDOWS[250:], y_val=y[250:]
    )
    alone = regressor(init="linear", early_stopping=False).fit(WINDOWS[:250], y[:250])
    np.testing.assert_allclose(with_all.init_.coef, alone.init_.coef)


def test_a_network_that_is_wrong_is_not_trusted():
    y = targets(2)
    train, valid = WINDOWS[:250], WINDOWS[250:]
    wrong = y[250:].copy()
    right = regressor(init="linear", early_stopping=False).fit(train, y[:250])
    predicted, init = right.predict(valid), right.init_.predict(valid)
    wrong[:, 0] = init[:, 0] - 5 * (predicted - init)[:, 0]  # the opposite of the network's outputs
    model = regressor(init="linear", max_epochs=3, n_iter_no_change=100)
    model.fit(train, y[:250], X_val=valid, y_val=wrong)
    assert ((model.blending_weight_ >= 0) & (model.blending_weight_ <= 1)).all()
    assert model.blending_weight_[0] == 0
    np.testing.assert_allclose(model.predict(valid)[:, 0], model.init_.predict(valid)[:, 0])


def test_simple_rules_stand_beside_the_network():
    y = targets()
    model = regressor().fit(WINDOWS, y)
    losses = model.validation_losses_.set_index("model")["loss"]
    assert losses.index.tolist() == ["mean", "init", "init and network"]
    assert losses["init and network"] <= losses["init"] + 1e-12
    labels = classifier(init=None).fit(WINDOWS, RISES[7:]).validation_losses_
    assert labels["model"].tolist() == ["class prior", "network"]
    labels = classifier().fit(WINDOWS, RISES[7:]).validation_losses_
    assert labels["model"].tolist() == ["class prior", "init", "init and network"]


def test_the_init_stays_when_training_goes_on():
    y = targets()
    model = regressor(warm_start=True).fit(WINDOWS[:200], y[:200])
    coef = model.init_.coef
    model.set_params(early_stopping=False).fit(WINDOWS, y).partial_fit(WINDOWS, y)
    assert model.init_.coef is coef
    assert model.n_iter_ > 3


CASES = {
    "numbers": (regressor(), WINDOWS, targets()),
    "several numbers": (regressor(), WINDOWS, targets(2)),
    "absolute error": (regressor(loss="absolute_error"), WINDOWS, targets()),
    "labels": (classifier(init="linear"), WINDOWS, RISES[7:]),
    "both ways": (regressor(init="linear", pooling="max", bidirectional=True), WINDOWS, targets()),
    "unscaled": (regressor(standardize=False), WINDOWS, targets()),
    "merged": (regressor(supervised_steps=3), WINDOWS, targets()),
}


def missing_values():
    values = TABLE.to_numpy().copy()
    values[RNG.random(values.shape) < 0.2] = np.nan
    return SequenceWindower(5, horizon=2).fit_transform(values)[3:]


CASES["short and missing"] = (regressor(missing="mask"), missing_values(), TABLE["a"][3:])


def per_step_case(make, y):
    X = Sequences.from_arrays(list(TABLE.to_numpy()[:280].reshape(14, 20, 3)))
    return make(init="linear", pooling=None), X, y[:280].reshape(14, 20)


CASES["numbers at each step"] = per_step_case(regressor, TABLE["a"].to_numpy())
CASES["labels at each step"] = per_step_case(classifier, RISES)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_kind_is_saved_and_written(case, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, X, y = clone(case[0]), *case[1:]
    model.fit(X, y)
    method = "predict" if isinstance(model, LSTMRegressor) else "predict_proba"
    expected = np.asarray(getattr(model, method)(X))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(np.asarray(getattr(loaded, method)(X)), expected)
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    lengths = X.lengths.astype(np.int64)
    steps = np.zeros(X.shape)
    for row, history in enumerate(X):
        steps[row, : len(history)] = history
    name = "prediction" if method == "predict" else "probabilities"
    (predicted,) = session.run([name], {"steps": steps, "lengths": lengths})
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)


def test_an_estimator_cannot_be_written(tmp_path):
    model = regressor(init=LinearRegression()).fit(WINDOWS, targets())
    with pytest.raises(
        ValueError, match="to_onnx cannot write the init estimator LinearRegression"
    ):
        model.to_onnx(tmp_path / "model.onnx")


def contradicted(y):
    """Fit two outputs; the validation targets are far on the other side of the first one's init."""
    train, valid = WINDOWS[:250], WINDOWS[250:]
    network = regressor(init="linear", early_stopping=False).fit(train, y[:250])
    init = network.init_.predict(valid)
    y_val = init + [-9, 9] * (network.predict(valid) - init)
    return regressor(init="linear", n_iter_no_change=9).fit(
        train, y[:250], X_val=valid, y_val=y_val
    )


def test_each_output_has_its_own_blending_weight():
    assert contradicted(targets(2)).blending_weight_.tolist() == [0, 1]


def test_training_that_continues_without_validation_keeps_the_blending_weight():
    y = targets(2)
    model = contradicted(y).set_params(warm_start=True, early_stopping=False).fit(WINDOWS, y)
    assert model.blending_weight_.tolist() == [0, 1]
    init = model.init_.predict(WINDOWS)
    np.testing.assert_allclose(model.predict(WINDOWS)[:, 0], init[:, 0])


def test_penalties_are_chosen_on_later_parts_of_a_series():
    """Later rows show that what earlier ones taught does not last; other folds would not."""
    x = np.random.default_rng(0).normal(size=1000)
    slope = np.repeat([-0.45, -0.45, -0.45, 1, 1], 200)
    windows = SequenceWindower(1).fit_transform(x[:, None])
    model = regressor(
        hidden_size=1,
        max_epochs=1,
        batch_size=1000,
        early_stopping=False,
        lagged_target=None,
    ).fit(windows, slope * x)
    assert model.init_.predict(windows).std() < 0.01


def test_a_lag_far_from_the_target_is_not_its_lagged_target():
    """It fits later parts of the series, but differs from the target by far over all of them."""
    x = np.random.default_rng(0).normal(size=500)
    x[:200] *= 10
    y = x.copy()
    y[:200] = 0
    windows = SequenceWindower(1).fit_transform(x[:, None])
    near = regressor(max_epochs=1, early_stopping=False).fit(windows, 1.01 * x)
    far = clone(near).fit(windows, y)
    assert near.init_.lagged_target == 0
    assert far.init_.lagged_target == -1


# What the network reads


def steps_read(model, arrays):
    fitted = model._fitted
    sequences = Sequences.from_arrays(arrays)
    return dataset_of(fitted.net, fitted.scaling, sequences).batch(slice(None))[0][0].numpy()


def test_levels_differences_and_position():
    arrays = [np.array([[1.0], [3.0], [6.0]]), np.array([[5.0], [4.0]])]
    reads = ["position", "differences", "levels"]
    model = regressor(input_transform=reads, max_epochs=1).fit(arrays, [0.0, 1.0])
    inputs = steps_read(model, arrays)
    values = np.concatenate(arrays)[:, 0]
    levels = [(array[:, 0] - values.mean()) / values.std() for array in arrays]
    changes = [2.0, 3.0, -1.0]
    spread = np.std(changes)
    np.testing.assert_allclose(inputs[:, 0, 0], levels[0], rtol=1e-5)
    np.testing.assert_allclose(inputs[:2, 1, 0], levels[1], rtol=1e-5)
    np.testing.assert_allclose(inputs[:, 0, 1], [0, 2 / spread, 3 / spread], rtol=1e-5)
    np.testing.assert_allclose(inputs[:2, 1, 1], [0, -1 / spread], rtol=1e-5)
    np.testing.assert_allclose(inputs[:, 0, 2], [-(3**0.5), 0, 3**0.5], atol=1e-6)
    np.testing.assert_allclose(inputs[:2, 1, 2], [-(3**0.5), 3**0.5], atol=1e-6)


def test_differences_do_not_see_the_level():
    model = regressor(input_transform="differences", init=None, max_epochs=2).fit(
        WINDOWS, targets()
    )
    higher = Sequences(WINDOWS.values + 1000, WINDOWS.starts, WINDOWS.lengths, None, list("abc"))
    np.testing.assert_allclose(model.predict(higher), model.predict(WINDOWS), rtol=1e-4, atol=1e-4)


def test_what_cannot_be_read_is_named():
    with pytest.raises(ValueError, match="input_transform=.*'slopes'"):
        regressor(input_transform=["levels", "slopes"]).fit(WINDOWS, targets())
    with pytest.raises(ValueError, match="no position in input_transform"):
        regressor(input_transform=["levels", "position"], supervised_steps=3).fit(
            WINDOWS, targets()
        )


# What "auto" stands for


def test_histories_and_recordings_have_other_defaults():
    y = np.random.default_rng(0).normal(size=293)  # not a later value of any feature
    table = LSTMRegressor(max_epochs=1).fit(WINDOWS, y)
    assert table.resolved_params_ == {
        "pooling": "last",
        "bidirectional": False,
        "input_transform": ("levels", "differences"),
        "init": "linear",
        "batch_size": 64,
        "early_stopping": True,
        "validation_fraction": 0.1,
        "lr_scheduler": None,
    }
    labels = LSTMClassifier(max_epochs=1).fit(WINDOWS, y > 0)
    assert labels.resolved_params_ == table.resolved_params_
    recordings = RNG.normal(size=(40, 12, 2))
    whole = LSTMClassifier(hidden_size=4).fit(recordings, [0, 1] * 20)
    assert whole.resolved_params_ == {
        "pooling": "max",
        "bidirectional": True,
        "input_transform": ("levels", "differences", "position"),
        "init": "convolutions",
        "batch_size": 16,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "lr_scheduler": None,
        "max_epochs": 100,
    }
    assert whole.n_iter_ < 100
    alone = LSTMClassifier(hidden_size=4, init=None).fit(recordings[:20], [0, 1] * 10)
    assert alone.resolved_params_["lr_scheduler"] == "onecycle"
    assert alone.n_iter_ == 200


def test_convolutions_need_nine_steps_and_halve_the_training():
    def resolved(n_sequences, n_steps):
        names = ["pooling", "bidirectional", "init", "batch_size", "early_stopping"]
        names += ["validation_fraction", "max_epochs", "input_transform", "lr_scheduler"]
        settings = dict.fromkeys(names, "auto") | {"embedding": None}
        sequences = Sequences.from_arrays(np.zeros((n_sequences, n_steps, 1)))
        return resolve(settings, sequences, is_regressor=False, has_validation=False)

    assert resolved(400, 8)["init"] is None
    assert resolved(400, 9)["init"] == "convolutions"
    assert resolved(400, 8)["max_epochs"] == 60  # 1,500 steps, 25 of them in an epoch
    assert resolved(400, 9)["max_epochs"] == 30
    assert resolved(9, 9)["early_stopping"] is False
    assert resolved(10, 9)["early_stopping"] is True


def test_few_validation_rows_keep_the_weight_of_a_classifier_small():
    head, outputs = MulticlassHead(np.arange(2)), np.tile([1.0, -1.0], (200, 1))
    target = head.to_network(np.zeros((200, 1)), np.zeros((200, 2)))

    def weight(n_rows):
        return head.blending_weight(outputs[:n_rows], target[:n_rows], np.ones(n_rows))[0]

    assert weight(200) == 1
    assert 0.5 < weight(2) < 0.8


def drifting(n_rows):
    """A walk whose next change follows the last one: levels say nothing."""
    changes = RNG.normal(size=n_rows)
    changes[1:] += changes[:-1]
    return 100 + changes.cumsum()


def test_what_is_continued_is_read_by_its_changes():
    x = np.random.default_rng(0).normal(size=(500, 2))
    for n_features, reads in ((1, ("differences",)), (2, ("levels", "differences"))):
        windows = SequenceWindower(8, horizon=1).fit_transform(x[:, :n_features])
        model = regressor(lagged_target=0).fit(windows[8:], x[8:, 0])
        assert model.init_.difference_share < 0.5
        assert model.resolved_params_["input_transform"] == reads


def test_recordings_are_read_in_every_way():
    recordings = RNG.normal(size=(60, 8, 1)).cumsum(axis=1)
    model = regressor().fit(recordings, recordings[:, -1, 0])
    assert model.init_.lagged_target >= 0
    assert model.resolved_params_["input_transform"] == ("levels", "differences", "position")


def test_what_drifts_is_read_by_its_changes_if_all_features_have_some():
    walk = drifting(500)
    tables = {
        "walk": pd.DataFrame({"walk": walk}),
        "beside a constant": pd.DataFrame({"walk": walk, "site": np.repeat([0.0, 1.0], 250)}),
        "of one step": pd.DataFrame({"walk": walk}),
    }
    for name, table in tables.items():
        series = np.repeat([0, 1], 250)
        windower = SequenceWindower(1 if name == "of one step" else 8, horizon=1, series="series")
        windows = windower.fit_transform(table.assign(series=series))
        model = regressor().fit(windows[8:], walk[8:])
        alone = ("differences",) if name == "walk" else ("levels", "differences")
        assert model.resolved_params_["input_transform"] == alone, name
        spread = regressor(loss="gaussian").fit(windows[8:], walk[8:])
        assert spread.resolved_params_["input_transform"] == ("levels", "differences")
    model.set_params(warm_start=True).fit(windows[8:], walk[8:])
    asked = regressor(input_transform="levels").fit(windows[8:], walk[8:])
    assert "input_transform" not in asked.resolved_params_


@pytest.mark.parametrize("window_size", [1, 6])
def test_a_curve_of_what_is_there_now_is_learned_as_it_comes(window_size):
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (800, 2))
    y = x[:, 0] * x[:, 1]
    windows = SequenceWindower(window_size).fit_transform(x)
    model = LSTMRegressor(16, random_state=0).fit(windows[:600], y[:600])
    assert model.score(windows[600:], y[600:]) > 0.9


def test_defaults_of_an_earlier_fit_are_kept():
    model = LSTMClassifier(hidden_size=4, max_epochs=2, warm_start=True)
    model.fit(RNG.normal(size=(40, 12, 2)), [0, 1] * 20)
    with pytest.warns(DataWarning, match="set other rows aside"):
        model.fit(WINDOWS.to_dense()[..., :2], RISES[7:])
    assert model.resolved_params_["pooling"] == "max"
    assert model.n_iter_ == 4


def test_a_forecast_in_a_pipeline_is_no_worse_than_its_start():
    season = np.sin(np.arange(600) / 4) + RNG.normal(scale=0.1, size=600)
    table = pd.DataFrame({"x": season}, index=pd.date_range("2024", periods=600, freq="h"))
    model = make_pipeline(SequenceWindower(12, horizon=1), LSTMRegressor(16, random_state=0))
    model.fit(table[:500], season[:500])
    test = table[500:]
    error = np.mean((model.predict(test) - season[500:]) ** 2)
    init = model[-1].init_.predict(model[0].transform(test))[:, 0]
    assert error < 1.05 * np.mean((init - season[500:]) ** 2) < 0.05


# Independent sequences


def test_rows_in_any_order_have_the_same_init():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 6, 2))
    y = X[:, -1, 0] - X[:, 2, 1] + 0.1 * rng.normal(size=200)
    model = LSTMRegressor(max_epochs=2, random_state=0)
    for order in (np.arange(200), np.argsort(y)):
        init = model.fit(X[order], y[order]).init_
        assert model.resolved_params_["init"] == "linear"
        assert np.mean((init.predict(Sequences.from_arrays(X))[:, 0] - y) ** 2) < 0.012


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_targets_far_from_zero_have_the_same_init(offset):
    y = targets()
    expected = regressor().fit(WINDOWS, y).init_.predict(WINDOWS)
    found = regressor().fit(WINDOWS, y + offset).init_.predict(WINDOWS)
    np.testing.assert_allclose(found - offset, expected, atol=offset * 1e-9)


def test_features_of_quite_other_units_are_not_continued():
    X = [1e200 * x for x in np.random.default_rng(0).normal(size=(20, 3, 1))]
    init = LSTMRegressor(init="linear", max_epochs=1).fit(X, np.arange(20.0)).init_
    assert init.lagged_target.tolist() == [-1]


def test_the_init_without_lags_is_the_mean():
    X = [np.empty((0, 2))] * 10
    model = LSTMRegressor(init="linear", max_epochs=1).fit(X, np.arange(10.0))
    np.testing.assert_allclose(model.init_.predict(Sequences.from_arrays(X)), 4.5)
