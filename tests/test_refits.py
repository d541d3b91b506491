"""A fit that fails leaves what was there, and what was fitted no longer follows the parameters."""

import pickle
import warnings
from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    SequenceDummyRegressor,
    SequenceForecaster,
    generate,
)
from sklstm._data.warning import DataWarning

X = np.random.default_rng(0).normal(size=(40, 5, 2))
Y = X[:, -1, 0]
LABELS = np.where(Y > 0, "up", "down")


PLAIN = {"init": None, "early_stopping": False}


def regressor(**params):
    return LSTMRegressor(**PLAIN | {"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params)


def classifier(**params):
    return LSTMClassifier(**{"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params)


def attributes(model):
    return {name: getattr(model, name) for name in dir(model) if name[-1] == "_" != name[-2]}


class Failing(Callback):
    """Fails where it is told to."""

    def __init__(self, place, error=RuntimeError):
        self.place, self.error = place, error

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        if self.place == "on_train_begin":
            raise self.error("on purpose")

    def on_grad_computed(self, net, named_parameters=None, X=None, y=None, **kwargs):
        if self.place == "on_grad_computed":
            raise self.error("on purpose")


REFUSED = {
    "other features": lambda model: model.fit(X[..., :1] * 1000, np.where(Y > 0, Y, np.nan)),
    "no target": lambda model: model.fit(1000 * X, None),
    "missing value": lambda model: model.fit(np.where(X > 2, np.nan, 1000 * X), Y),
    "bad parameter": lambda model: model.set_params(lr=-1).fit(1000 * X, Y),
    "bad device": lambda model: model.set_params(device="nowhere").fit(1000 * X, Y),
    "bad validation": lambda model: model.fit(X * 1000, Y, X_val=X[..., :1], y_val=Y),
    "one row": lambda model: model.set_params(early_stopping=True).fit(1000 * X[:1], Y[:1]),
    "at the beginning": lambda model: model.set_params(
        skorch_params={"callbacks": [Failing("on_train_begin")]}
    ).fit(1000 * X, Y),
    "in the first epoch": lambda model: model.set_params(
        skorch_params={"callbacks": [Failing("on_grad_computed")]}
    ).fit(1000 * X, Y),
    "diverging": lambda model: model.set_params(
        lr=1e38, clip_grad_norm=None, optimizer="sgd", standardize=False, batch_size=5
    ).fit(1e30 * X, 1e30 * Y),
}


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("refuse", REFUSED.values(), ids=REFUSED)
def test_a_refused_refit_leaves_the_estimator_as_it_was(refuse, warm_start):
    model = regressor(warm_start=warm_start).fit(X, Y)
    before, expected = attributes(model), model.predict(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, RuntimeError)):
            refuse(model)
    now = attributes(model)
    assert now.keys() == before.keys()
    for name in ("n_features_in_", "feature_mean_", "target_scale_", "n_iter_", "loss_curve_"):
        np.testing.assert_array_equal(now[name], before[name])
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)


def test_a_refused_refit_leaves_the_labels():
    model = classifier().fit(X, LABELS)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.where(X > 1, np.nan, X), np.where(Y > 0, "left", "right"))
    assert model.classes_.tolist() == ["down", "up"]
    np.testing.assert_array_equal(model.predict(X), expected)


def test_a_refused_first_fit_leaves_nothing():
    model = regressor(skorch_params={"callbacks": [Failing("on_grad_computed")]})
    before = {*vars(model)}
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(X, Y)
    assert {*vars(model)} == before


def test_no_memory_for_the_data_leaves_nothing(monkeypatch):
    def no_memory(*args, **kwargs):
        raise MemoryError("on purpose")

    model = regressor()
    before = {*vars(model)}
    with monkeypatch.context() as patch:
        patch.setattr(torch, "from_numpy", no_memory)
        with pytest.raises(MemoryError):
            model.fit(X, Y)
    assert {*vars(model)} == before
    with pytest.raises(Exception, match="not fitted"):
        model.predict(X)


def test_new_names_replace_old_ones():
    import pandas as pd

    table = pd.DataFrame(X[:, 0], columns=["a", "b"])
    model = regressor().fit(table, Y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    model.fit(X, Y)
    assert not hasattr(model, "feature_names_in_")


# What is fitted, whatever the parameters say


CHANGES = [
    {"pooling": None},
    {"missing": "mask"},
    {"bidirectional": True},
    {"embedding": 3},
    {"dtype": "float64"},
    {"num_layers": 2, "cell": "gru", "hidden_size": 7},
    {"standardize": False},
    {"device": "nowhere"},
    {"skorch_params": {"module": torch.nn.Linear}},
]


@pytest.mark.parametrize("params", CHANGES)
def test_what_is_fitted_does_not_follow_the_parameters(params, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = regressor().fit(X, Y)
    expected, score = model.predict(X), model.score(X, Y)
    model.set_params(**params)
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    assert model.score(X, Y) == score
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    served = session.run(None, {"steps": X, "lengths": np.full(len(X), X.shape[1])})[0]
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_generated_numbers_do_not_follow_the_parameters():
    model = regressor(pooling=None).fit(X, X)
    expected = generate(model, X[0], 5)
    np.testing.assert_array_equal(generate(model.set_params(pooling="last"), X[0], 5), expected)
    model = regressor().fit(X, X[:, 0])
    expected = generate(model, X[0], 5)
    np.testing.assert_array_equal(generate(model.set_params(pooling=None), X[0], 5), expected)


@pytest.mark.parametrize("strategy", ["mean", "naive", "seasonal_naive"])
def test_a_rule_does_not_follow_the_parameters(strategy):
    rule = SequenceDummyRegressor(strategy, period=2).fit(X, X[:, 0, 0])
    expected = rule.predict(X)
    for change in [{"strategy": "naive"}, {"strategy": "mean"}, {"period": 3}, {"horizon": 0}]:
        np.testing.assert_array_equal(rule.set_params(**change).predict(X), expected)


ATTRIBUTES = [
    *(
        "net_",
        "device_",
        "n_iter_",
        "best_epoch_",
        "resolved_params_",
        "init_",
        "blending_weight_",
        "validation_losses_",
    ),
    *("supervised_steps_", "feature_mean_", "feature_scale_", "feature_median_", "n_tokens_"),
    *("n_outputs_", "history_", "loss_curve_"),
]


@pytest.mark.parametrize(
    ("estimator", "names"),
    [
        (LSTMRegressor(), [*ATTRIBUTES, "target_mean_", "target_scale_"]),
        (LSTMClassifier(), [*ATTRIBUTES, "classes_"]),
        (SequenceForecaster(LSTMRegressor()), ["validation_losses_"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_learned_yet_is_named(estimator, names):
    for name in names:
        assert not hasattr(estimator, name)
        with pytest.raises(NotFittedError) as caught:
            getattr(estimator, name)
        told = f"This {type(estimator).__name__} is not fitted yet, so that it has no {name}: "
        assert str(caught.value).startswith(told)
    with pytest.raises(AttributeError, match="object has no attribute 'nothing_'"):
        _ = estimator.nothing_


# Going on


LASTING = {
    "loss": "huber",
    "pooling": "mean",
    "missing": "mask",
    "standardize": False,
    "dropout": 0.5,
    "hidden_size": 5,
    "cell": "gru",
    "dtype": "float64",
}


@pytest.mark.parametrize(("name", "value"), LASTING.items())
def test_a_warm_start_refuses_another_network_by_name(name, value):
    model = regressor(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=f"fitted with another {name} .* training cannot go on"):
        model.set_params(**{name: value}).fit(X, Y)


EFFECTIVE = {
    "optimizer": "sgd",
    "weight_decay": 1.0,
    "clip_grad_norm": 1e-6,
    "lr": 0.1,
    "batch_size": 7,
    "skorch_params": {"optimizer__eps": 1.0},
}


@pytest.mark.parametrize(("name", "value"), EFFECTIVE.items())
def test_other_settings_take_effect_in_a_warm_start(name, value):
    model = regressor(warm_start=True).fit(X, Y)
    other = pickle.loads(pickle.dumps(model))
    same = model.fit(X, Y).predict(X)
    other.set_params(**{name: value}).fit(X, Y)
    assert np.abs(other.predict(X) - same).max() > 1e-5
    if name == "weight_decay":
        assert other.net_.optimizer_.param_groups[0]["weight_decay"] == 1.0


def test_callbacks_of_a_warm_start_take_effect():
    epochs = []

    class Note(Callback):
        def on_epoch_end(self, net, **kwargs):
            epochs.append(len(net.history))

    regressor(warm_start=True).fit(X, Y).set_params(skorch_params={"callbacks": [Note()]}).fit(X, Y)
    assert epochs == [4, 5, 6]


def test_going_on_shuffles_anew():
    """Each fit that goes on sees its rows in an order of its own."""
    order = []

    class Note(Callback):
        def on_batch_end(self, net, batch, training, **kwargs):
            if training:
                order[-1].append(batch[1][0].flatten().tolist())

    model = regressor(warm_start=True, batch_size=8, skorch_params={"callbacks": [Note()]})
    for _ in range(3):
        order.append([])
        model.fit(X, Y)
    assert order[0] != order[1] != order[2]


def test_the_state_of_adam_goes_on():
    whole = regressor(max_epochs=2, batch_size=40).fit(X, Y)
    halves = regressor(max_epochs=1, batch_size=40, warm_start=True).fit(X, Y).fit(X, Y)
    np.testing.assert_allclose(halves.predict(X), whole.predict(X), rtol=1e-4)


def test_what_is_broken_off_leaves_the_state_of_adam():
    class BreakOff(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    model = regressor(max_epochs=2, warm_start=True).fit(X, Y)
    states = [model.net_.optimizer_.state_dict()["state"]]
    states.append(deepcopy(states[0]))
    with pytest.raises(KeyboardInterrupt):
        model.set_params(skorch_params={"callbacks": [BreakOff()]}).fit(X, Y)
    for now, before in zip(*(state.values() for state in states), strict=True):
        assert all(torch.equal(now[name], before[name]) for name in before)


def test_a_clone_of_a_fitted_one_is_new():
    model = regressor(warm_start=True).fit(X, Y)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict(X), model.predict(X))


@pytest.mark.parametrize("changed", [{"n": 30}, {"validation_fraction": 0.5}])
def test_another_split_of_a_warm_start_is_heard(changed):
    n, settings = changed.pop("n", 40), {"early_stopping": True, "validation_fraction": 0.2}
    model = regressor(warm_start=True, **settings).fit(X[:n], Y[:n])
    with pytest.warns(DataWarning, match="rows that it may have been trained on"):
        model.set_params(**changed).fit(X, Y)
    model.fit(X, Y)
