"""Means with standard deviations, quantiles, and losses of the user's."""

import pickle
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from torch.nn import functional as F

from sklstm import LSTMRegressor, SequenceWindower
from sklstm._nn.distributional_heads import GaussianHead, GaussianLoss, PinballLoss, QuantileHead
from sklstm._nn.losses import WeightedLoss

LEVELS = (0.05, 0.3, 0.5, 0.9)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5, 2))
Y = X[:, -1, 0] + 0.1 * RNG.normal(size=60)
TWO = np.column_stack([Y, 100 * Y + 5])
SPREADS = ["gaussian", "quantile"]

every_spread = pytest.mark.parametrize("loss", SPREADS)
levels_of_quantiles = st.lists(
    st.floats(1e-3, 1 - 1e-3), min_size=1, max_size=6, unique_by=lambda q: round(q, 3)
).map(sorted)


PLAIN = {"init": None, "early_stopping": False}


def regressor(**params):
    return LSTMRegressor(**PLAIN | {"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params)


def head(kind, levels, n_targets=2):
    mean, scale = np.arange(n_targets) + 5.0, np.arange(n_targets) + 2.0
    return kind("any", 2, mean, scale, np.array(levels))


# Losses


def test_gaussian_loss_is_the_likelihood_of_scipy():
    outputs, target = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 2))
    deviation = np.log1p(np.exp(outputs[:, 2:])) / np.log(2)
    expected = -norm.logpdf(target, outputs[:, :2], deviation) - np.log(2 * np.pi) / 2
    found = GaussianLoss()(torch.tensor(outputs), torch.tensor(target), "none")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [GaussianHead, QuantileHead])
@pytest.mark.parametrize("levels", [LEVELS, (0.9,), (0.1, 0.2), (0.8, 0.95, 0.99)])
def test_outputs_of_zero_are_the_normal_distribution(kind, levels):
    nothing = head(kind, levels)
    found = nothing.predict_quantiles(np.zeros((3, nothing.n_outputs)))
    expected = norm.ppf(levels, nothing.mean[:, None], nothing.scale[:, None])
    np.testing.assert_allclose(found, np.broadcast_to(expected, (3, 2, len(levels))), rtol=1e-9)


@given(levels_of_quantiles, st.integers(0, 2**32 - 1), st.sampled_from([1e-2, 1, 100, 1e4]))
def test_quantiles_never_cross_and_lose_as_scikit_learn_says(levels, seed, size):
    rng, some = np.random.default_rng(seed), head(QuantileHead, levels)
    outputs, target = size * rng.normal(size=(7, some.n_outputs)), rng.normal(size=(7, 2))
    quantiles = some.predict_quantiles(outputs)
    assert (np.diff(quantiles, axis=-1) > 0).all()
    scaled = (quantiles - some.mean[:, None]) / some.scale[:, None]
    expected = np.mean(
        [
            mean_pinball_loss(target, scaled[..., k], alpha=q, multioutput="raw_values")
            for k, q in enumerate(levels)
        ],
        axis=0,
    )
    found = PinballLoss(np.array(levels))(torch.tensor(outputs), torch.tensor(target), "none")
    np.testing.assert_allclose(found.mean(dim=0).numpy(), expected, rtol=1e-9)


def test_steps_of_two_quantiles_by_hand():
    low, high = norm.ppf([0.4, 0.9])
    some = head(QuantileHead, [0.4, 0.9], n_targets=1)
    quantiles = some.predict_quantiles(np.array([[3.0, 1.0]]))[0, 0]
    step = (high - low) * np.log1p(np.exp(1.0)) / np.log(2)
    np.testing.assert_allclose(quantiles, 5 + 2 * np.array([3 + low, 3 + low + step]))


@pytest.mark.parametrize("loss", [GaussianLoss(), PinballLoss(np.array(LEVELS))])
def test_weight_2_is_the_sequence_twice(loss, device):
    outputs, target = RNG.normal(size=(4, 2 * loss.outputs_a_target)), RNG.normal(size=(4, 2))
    weight = np.array([2.0, 1.0, 3.0, 1.0])
    rows = np.repeat(np.arange(4), weight.astype(int))
    criterion = WeightedLoss(loss).to(device)
    parts = (outputs, target, weight), (outputs[rows], target[rows], np.ones(len(rows)))
    found = [criterion(*(torch.tensor(x, device=device) for x in part)).item() for part in parts]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


# What is learned


@pytest.fixture(scope="module")
def waves():
    """Noise of standard deviation 0.1 and 0.4 in turns, known from a feature."""
    t = np.arange(2000)
    loud = t % 40 < 20
    wave, deviation = np.sin(t / 10), np.where(loud, 0.4, 0.1)
    y = wave + deviation * np.random.default_rng(1).normal(size=len(t))
    return np.column_stack([wave, loud]), y, deviation


@pytest.mark.parametrize("init", ["linear", None])
@every_spread
def test_spread_follows_the_noise(waves, loss, init):
    X, y, deviation = waves
    model = make_pipeline(
        SequenceWindower(window_size=8, cold_start="ignore"),
        LSTMRegressor(loss=loss, max_epochs=20, init=init, random_state=0),
    ).fit(X[:1500], y[:1500])
    quantiles = model[-1].predict_quantiles(model[0].transform(X[1500:]))
    covered = (y[1500:, None] < quantiles).mean(axis=0)
    noise = (y - X[:, 0]) / deviation  # the law of the training rows, on the same test rows
    law = norm.ppf([0.1, 0.5, 0.9], noise[:1500].mean(), noise[:1500].std())
    np.testing.assert_allclose(covered, (noise[1500:, None] < law).mean(axis=0), atol=0.12)
    widths = (quantiles[:, 2] - quantiles[:, 0]) / (2 * norm.ppf(0.9) * deviation[1500:])
    for loud in (True, False):
        assert np.median(widths[(deviation[1500:] > 0.2) == loud]) == pytest.approx(1, abs=0.3)
    if loss == "gaussian":
        mean, std = model.predict(X[1500:], return_std=True)
        assert np.median(std / deviation[1500:]) == pytest.approx(1, abs=0.2)
        np.testing.assert_array_equal(mean, model.predict(X[1500:]))


def test_std_is_in_the_units_of_each_column():
    model = regressor(loss="gaussian", max_epochs=20).fit(X, TWO)
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == TWO.shape
    assert 30 < np.median(std[:, 1] / std[:, 0]) < 300
    quantiles = model.predict_quantiles(X)
    np.testing.assert_allclose(
        quantiles, norm.ppf([0.1, 0.5, 0.9], mean[..., None], std[..., None]), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("quantiles", "place"), [((0.1, 0.5, 0.9), 1), ((0.8, 0.9), 0), ((0.2, 0.45, 0.6, 0.7), 1)]
)
def test_prediction_is_the_quantile_nearest_to_the_median(quantiles, place):
    model = regressor(loss="quantile", quantiles=quantiles).fit(X, TWO)
    np.testing.assert_allclose(model.predict(X), model.predict_quantiles(X)[..., place])
    assert model.n_outputs_ == 2


@every_spread
def test_at_every_step(loss):
    lengths = RNG.integers(1, 9, size=20)
    X = [RNG.normal(size=(n, 2)) for n in lengths]
    model = regressor(loss=loss, pooling=None).fit(X, [x[:, 0] for x in X])
    found = model.predict_quantiles(X)
    assert [len(part) for part in found] == lengths.tolist()
    assert all(part.shape[1] == 3 for part in found)


@pytest.mark.parametrize("params", [{}, {"init": "linear"}, {"standardize": False}])
@every_spread
def test_onnx_and_pickles_tell_the_same(loss, params, tmp_path):
    model = regressor(loss=loss, quantiles=LEVELS, early_stopping=True, **params).fit(X, TWO)
    expected = model.predict(X), model.predict_quantiles(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_quantiles(X), expected[1])
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = {"steps": X, "lengths": np.full(len(X), 5)}
    for found, wanted in zip(
        session.run(["prediction", "quantiles"], inputs), expected, strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@every_spread
def test_simple_rules_are_told_in_the_same_loss(loss):
    model = regressor(loss=loss, init="linear", early_stopping=True, max_epochs=15).fit(X, Y)
    rules = model.validation_losses_.set_index("model")["loss"]
    assert rules["init"] < rules["mean"]
    assert model.blending_weight_.shape == ((2,) if loss == "gaussian" else (3,))
    assert (model.blending_weight_[1:] == 1).all()


@every_spread
def test_the_mean_is_told_by_its_own_deviation(loss):
    learned = head(GaussianHead if loss == "gaussian" else QuantileHead, LEVELS)
    target = RNG.normal(3, 7, size=(50, 2))
    outputs = learned.baseline(target, np.ones(50))
    found = learned.predict_quantiles(outputs[None])[0]
    expected = norm.ppf(LEVELS, target.mean(axis=0)[:, None], target.std(axis=0)[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_search_over_quantile_losses():
    def pinball(model, X, y):
        return -mean_pinball_loss(y, model.predict_quantiles(X)[:, 0], alpha=0.9)

    model = regressor(loss="quantile", quantiles=[0.9])
    search = GridSearchCV(model, {"lr": [1e-5, 0.05]}, scoring=pinball, cv=KFold(2)).fit(X, Y)
    assert search.best_params_ == {"lr": 0.05}


# Wrong input


@pytest.mark.parametrize("quantiles", [(), (0.0, 0.5), (0.5, 1.0), (0.9, 0.1), (0.5, 0.5)])
def test_levels_that_are_none(quantiles):
    with pytest.raises(ValueError, match=r"increasing levels between 0 and 1"):
        regressor(loss="quantile", quantiles=quantiles).fit(X, Y)


def test_what_a_loss_does_not_tell():
    model = regressor().fit(X, Y)
    assert not hasattr(model, "predict_quantiles")
    with pytest.raises(ValueError, match="loss='gaussian'"):
        model.predict(X, return_std=True)
    assert hasattr(regressor(loss="quantile"), "predict_quantiles")
    model.set_params(loss="gaussian")  # the network is what it was
    assert not hasattr(model, "predict_quantiles")


def test_other_quantiles_are_another_network():
    model = regressor(loss="quantile", warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="another quantiles"):
        model.set_params(quantiles=(0.2, 0.8)).fit(X, Y)


# Losses of one's own


def squared(prediction, target):
    return (prediction - target) ** 2


@pytest.mark.parametrize(
    ("own", "named"),
    [
        (squared, "squared_error"),
        (torch.nn.HuberLoss(reduction="none"), "huber"),
        (partial(F.l1_loss, reduction="none"), "absolute_error"),
    ],
)
@pytest.mark.parametrize("y", [Y, TWO])
def test_own_loss_is_the_named_one(own, named, y):
    weight = np.linspace(0, 1, len(y))
    model = regressor(loss=own).fit(X, y, weight)
    expected = regressor(loss=named).fit(X, y, weight)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.loss_curve_ == expected.loss_curve_


def test_own_loss_of_a_row():
    model = regressor(loss=lambda p, t: squared(p, t).mean(1), init="linear", early_stopping=True)
    expected = regressor(loss="squared_error").fit(X, TWO)
    found = clone(model).set_params(init=None, early_stopping=False).fit(X, TWO)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-5)
    assert (
        model.fit(X, TWO).blending_weight_ == model.blending_weight_[0]
    ).all()  # one factor: columns share a loss


def test_asymmetric_loss_moves_predictions():
    def dear_shortage(prediction, target):
        error = target - prediction
        return torch.where(error > 0, 9 * error, -error)

    noise = np.random.default_rng(3).normal(size=400)
    X = np.random.default_rng(4).normal(size=(400, 3, 1))
    model = regressor(loss=dear_shortage, max_epochs=60, lr=0.02).fit(X, noise)
    assert (noise < model.predict(X)).mean() == pytest.approx(expit(np.log(9)), abs=0.05)


@pytest.mark.parametrize("wrong", [torch.nn.MSELoss(), lambda p, t: 0.0, lambda p, t: p[:1]])
def test_own_loss_without_single_losses(wrong):
    model = regressor(loss=wrong)
    with pytest.raises(ValueError, match=r"loss gave a result of the shape .* reduction='none'"):
        model.fit(X, TWO)
    assert not hasattr(model, "net_")


def test_own_loss_travels_with_the_estimator():
    model = regressor(loss=squared).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
