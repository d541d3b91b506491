"""Several networks in one estimator: their mean, trained as each would be by itself."""

import pickle
from itertools import product

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback

from sklstm import LSTMClassifier, LSTMRegressor, SequenceForecaster, SequenceWindower
from sklstm._nn import ensemble
from sklstm._nn.ensemble import NetworkEnsemble

LENGTHS = 6, 3, 1, 5, 6, 2, 4, 6
RNG = np.random.default_rng(0)
X = [RNG.normal(size=(length, 2)) for length in LENGTHS]
Y = RNG.normal(10, 3, size=len(X))
LABELS = list("abcabcab")
TOKENS = [RNG.integers(9, size=length) for length in LENGTHS]


def quick(estimator=LSTMRegressor, **params):
    defaults = {"hidden_size": 4, "n_networks": 3, "max_epochs": 3, "lr": 0.05, "random_state": 0}
    return estimator(**defaults | params)


def weights_of(model):
    return [weight.numpy(force=True).copy() for weight in model.net_.module_.state_dict().values()]


def assert_same(weights, others, **tolerance):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("pooling", ["last", "max", "attention", None])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_together_networks_compute_what_each_computes(cell, bidirectional, pooling, monkeypatch):
    torch.manual_seed(0)
    params = {"cell": cell, "bidirectional": bidirectional, "pooling": pooling, "num_layers": 2}
    both = NetworkEnsemble(
        3, n_features=2, n_outputs=2, hidden_size=4, dtype=torch.float64, **params
    )
    steps, some = torch.randn(6, 5, 2, dtype=torch.float64), torch.tensor([6, 3, 0, 1, 6])
    for lengths, most in product([None, some], [64, 0]):
        monkeypatch.setattr(ensemble, "JOINED_UNITS", most)
        each = torch.stack([network(steps, lengths) for network in both.networks])
        found = both(steps, lengths)
        if pooling is None:  # behind the end of a sequence outputs have no meaning
            each, found = each[:, :1], found[:1]
        torch.testing.assert_close(found, each.mean(0))
        gradients = [
            torch.autograd.grad(outputs.square().sum(), list(both.parameters()))
            for outputs in (found, each.mean(0))
        ]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"init": None, "loss": "gaussian"},
        {"init": None, "loss": "quantile", "batch_size": 3},
        {"cell": "gru", "dropout": 0.3, "num_layers": 2},
        {"pooling": "attention"},
        {"pooling": None},
    ],
)
def test_predictions_come_from_the_mean_of_the_outputs(params):
    y = [np.arange(len(x)) / 3.0 for x in X] if "pooling" in params and not params["pooling"] else Y
    model = quick(**params).fit(X, y)
    each = [estimator.predict(X) for estimator in model.estimators_]
    assert len(each) == 3
    if isinstance(y, list):
        each, found = [np.concatenate(one) for one in each], np.concatenate(model.predict(X))
    else:
        found = model.predict(X)
    assert np.std(each, axis=0).min() > 0
    np.testing.assert_allclose(np.mean(each, axis=0), found, rtol=1e-5)


def test_each_network_has_its_own_blending_weight():
    rng = np.random.default_rng(1)
    given = rng.normal(size=(120, 5, 1))
    y = np.tanh(3 * given[:, -1, 0]) + rng.normal(size=120)
    model = quick(early_stopping=True, max_epochs=20).fit(given, y)
    weights = [one.blending_weight_[0] for one in model.estimators_]
    assert len(set(np.round(weights, 6))) > 1
    assert model.blending_weight_[0] == pytest.approx(np.mean(weights), rel=1e-5)
    each = [one.predict(given) for one in model.estimators_]
    np.testing.assert_allclose(np.mean(each, axis=0), model.predict(given), atol=1e-5)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(given), model.predict(given))


def test_probabilities_come_from_the_mean_of_the_logits():
    model = quick(LSTMClassifier, init=None).fit(X, LABELS)
    logits = np.mean([one.predict_log_proba(X) for one in model.estimators_], axis=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize("clip", [None, 0.01])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_network_is_trained_as_if_it_were_alone(clip, weighted):
    """One step of plain gradient descent on the whole of the data shows each gradient."""
    weight = np.arange(1.0, 9) if weighted else None
    params = {"optimizer": "sgd", "lr": 0.1, "clip_grad_norm": clip, "batch_size": 100}
    params |= {"init": None, "early_stopping": False, "max_epochs": 1, "lr_scheduler": None}
    model = quick(**params, warm_start=True).fit(X, Y)
    alone = pickle.loads(pickle.dumps(model.estimators_))
    model.fit(X, Y, weight)
    for one, after in zip(alone, model.estimators_, strict=True):
        assert_same(weights_of(one.fit(X, Y, weight)), weights_of(after), atol=1e-6)
    losses = [one.history_["train_loss"].iloc[-1] for one in alone]
    assert model.history_["train_loss"].iloc[-1] == pytest.approx(np.mean(losses), rel=1e-5)


def test_one_by_one_networks_are_trained_the_same(monkeypatch):
    expected = quick(batch_size=3).fit(X, Y)
    monkeypatch.setattr(ensemble, "OUTPUTS_AT_ONCE", 0)
    assert_same(weights_of(quick(batch_size=3).fit(X, Y)), weights_of(expected), atol=1e-5)


def test_merged_runs_of_a_table_are_trained_together(monkeypatch):
    windows = SequenceWindower(12).fit_transform(RNG.normal(size=(60, 2)))
    y = RNG.normal(size=60)
    expected = quick(supervised_steps=4).fit(windows, y)
    monkeypatch.setattr(ensemble, "JOINED_UNITS", 0)
    found = quick(supervised_steps=4).fit(windows, y)
    assert found.supervised_steps_ == 4
    np.testing.assert_allclose(found.predict(windows), expected.predict(windows), atol=1e-4)


def test_a_seed_decides_all_networks():
    first, second, other = (quick(random_state=seed).fit(X, Y) for seed in (0, 0, 1))
    assert_same(weights_of(first), weights_of(second))
    assert not np.allclose(first.predict(X), other.predict(X))


def test_one_network_is_no_ensemble():
    model = quick(n_networks=1).fit(X, Y)
    np.testing.assert_array_equal(model.estimators_[0].predict(X), model.predict(X))
    assert not hasattr(model.net_.module_, "networks")


@pytest.mark.parametrize("network", [{}, {"embedding": 3}, {"pooling": "attention"}])
def test_a_file_holds_all_networks(network):
    given = TOKENS if network.get("embedding") else X
    model = quick(**network).fit(given, Y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(given), model.predict(given))
    assert len(loaded.estimators_) == 3
    one = pickle.loads(pickle.dumps(model.estimators_[1]))
    np.testing.assert_array_equal(one.predict(given), model.estimators_[1].predict(given))


def test_onnx_averages_them(tmp_path):
    model = quick(LSTMClassifier).fit(X, LABELS)
    model.to_onnx(tmp_path / "model.onnx")
    steps = np.zeros((len(X), max(LENGTHS), 2))
    for row, sequence in zip(steps, X, strict=True):
        row[: len(sequence)] = sequence
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    served = session.run(["probabilities"], {"steps": steps, "lengths": np.array(LENGTHS)})
    np.testing.assert_allclose(served[0], model.predict_proba(X), atol=1e-5)


def test_training_goes_on_with_all_networks(tmp_path):
    model = quick(warm_start=True).fit(X, Y)
    before = [weight.detach().clone() for weight in model.net_.module_.parameters()]
    model.fit(X, Y).partial_fit(X, Y)
    assert model.n_iter_ == 7
    after = list(model.net_.module_.parameters())
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    with pytest.raises(ValueError, match="another n_networks"):
        model.set_params(n_networks=2).fit(X, Y)
    one = model.estimators_[0]
    assert one.partial_fit(X, Y).n_iter_ == 8


def test_a_checkpoint_resumes_all_networks(tmp_path):
    whole = quick(max_epochs=4, lr_scheduler=None).fit(X, Y)
    quick(max_epochs=2, lr_scheduler=None, checkpoint=tmp_path).fit(X, Y)
    resumed = quick(max_epochs=4, lr_scheduler=None, checkpoint=tmp_path).fit(X, Y)
    assert_same(weights_of(resumed), weights_of(whole))


def test_word_vectors_begin_all_networks():
    vectors = RNG.normal(size=(9, 3))
    model = quick(embedding=vectors, freeze_embedding=True).fit(TOKENS, Y)
    for network in model.net_.module_.networks:
        np.testing.assert_allclose(network.embedding.weight.numpy(force=True), vectors, rtol=1e-6)


def test_missing_targets_are_left_out():
    y = np.column_stack([Y, -Y])
    y[::2, 1] = np.nan
    assert np.isfinite(quick().fit(X, y).predict(X)).all()


def test_parameters_of_skorch_are_those_of_each_network():
    groups = [("recurrent.*", {"lr": 0.0})]
    model = quick(skorch_params={"optimizer__param_groups": groups, "compile": False}).fit(X, Y)
    frozen, rest = model.net_.optimizer_.param_groups
    assert len(frozen["params"]) == 3 * 8  # both directions have four arrays
    assert len(rest["params"]) == 3 * 2


def test_a_forecaster_trains_an_ensemble_once():
    series = np.sin(np.arange(120) / 5)
    forecaster = SequenceForecaster(quick(), steps=6, window_size=8).fit(series)
    assert len(forecaster.estimator_.net_.module_.networks) == 3
    assert len(forecaster.predict()) == 6


def test_the_validation_loss_is_the_mean_of_the_networks():
    model = quick(init=None, early_stopping=True, max_epochs=1).fit(X, Y, X_val=X, y_val=Y)
    errors = [np.square(one.predict(X) - Y).mean() for one in model.estimators_]
    expected = np.mean(errors) / model.target_scale_[0] ** 2
    assert model.history_["valid_loss"].iloc[0] == pytest.approx(expected, rel=1e-5)


def test_each_network_stops_at_its_own_best_epoch(tmp_path):
    """As a watcher of all losses would have kept it; a resumed training does the same."""
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            weights = [network.head.weight.clone() for network in net.module_.networks]
            seen.append((net.losses_of_networks.copy(), weights, net.in_training))

    params = {"early_stopping": True, "n_iter_no_change": 2, "lr": 0.3, "checkpoint": tmp_path}
    params |= {"lr_scheduler": None, "max_epochs": 40}
    model = quick(**params, skorch_params={"callbacks": [Watch()]}).fit(X * 4, np.tile(Y, 4))
    losses = np.array([loss for loss, _, _ in seen])
    best = losses.argmin(axis=0)
    assert len(set(best)) > 1
    assert model.best_epoch_ == best.max() + 1
    for k, epoch in enumerate(best):
        assert torch.equal(model.net_.module_.networks[k].head.weight, seen[epoch][1][k])
        trained = [k in in_training for _, _, in_training in seen]
        assert sum(trained) == min(epoch + 3, len(seen))
    quick(**params | {"max_epochs": 3}).fit(X * 4, np.tile(Y, 4))
    again = quick(**params).fit(X * 4, np.tile(Y, 4))
    assert_same(weights_of(again), weights_of(model))


def test_each_network_has_its_own_vectors_of_a_category(tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"wind": rng.choice(["N", "S"], 60), "temp": rng.normal(size=60)})
    windows = SequenceWindower(3).fit_transform(table)[2:]
    model = quick(max_epochs=2).fit(windows, (table["wind"] == "N")[2:].astype(float))
    vectors = [one.categories.embeddings[0].weight for one in model.net_.module_.networks]
    assert not torch.equal(vectors[0], vectors[1])
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = {"steps": windows.to_dense(), "lengths": windows.lengths.astype("int64")}
    found = session.run(None, inputs)[0]
    np.testing.assert_allclose(found, model.predict(windows), rtol=1e-5)
