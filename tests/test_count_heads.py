"""Counts, Poisson and negative binomial, and residuals with the tails of Student's t."""

import pickle

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from scipy.stats import nbinom, poisson
from scipy.stats import t as student_t

from sklstm import LSTMRegressor
from sklstm._nn.count_heads import NegativeBinomialHead, PoissonHead
from sklstm._nn.distributional_heads import StudentTLoss, degrees_of_freedom

COUNTS = ["poisson", "negative_binomial"]
HEADS = {"poisson": PoissonHead, "negative_binomial": NegativeBinomialHead}
LEVELS = (0.05, 0.5, 0.95)

every_count = pytest.mark.parametrize("loss", COUNTS)


def regressor(loss, **params):
    settings = {"early_stopping": False, "max_epochs": 3, "random_state": 0}
    return LSTMRegressor(4, loss=loss, **settings | params)


@pytest.fixture(scope="module")
def data():
    """Counts whose mean is known from the last step, two columns of different size."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 2, size=(300, 4, 1))
    mean = np.column_stack([0.2 + 2 * X[:, -1, 0], 200 * (1 + X[:, -1, 0])])
    return X, rng.poisson(mean).astype(float), mean


def learned(loss, target, init=None):
    return HEADS[loss].learn(target, loss, LEVELS).scaled_to(target, np.ones(len(target)), init)


# Losses


@pytest.mark.parametrize("with_init", [False, True])
@every_count
def test_losses_are_those_of_scipy(loss, with_init, data):
    target, rng = data[1], np.random.default_rng(1)
    init = data[2] + rng.normal(size=data[2].shape) if with_init else None
    head = learned(loss, target, init)
    outputs = rng.normal(size=(300, head.n_outputs))
    found = head.mean_loss(outputs, head.to_network(target, init), np.ones(300))
    if with_init:
        outputs = outputs + init @ head.init_map
    mean, std = head.predict(outputs), head.predict_std(outputs)
    assert (mean > 0).all()
    if loss == "poisson":
        np.testing.assert_allclose(std, np.sqrt(mean))
        expected = poisson.logpmf(target, target) - poisson.logpmf(target, mean)
    else:
        n = mean**2 / (std**2 - mean)
        expected = -nbinom.logpmf(target, n, n / (n + mean))
    assert found == pytest.approx(expected.mean(), rel=1e-6)


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e3, 1e6])
def test_the_dispersion_is_learned_at_any_size_in_single_precision(size):
    """The gradient by the spread, beside that of double precision."""
    rng = np.random.default_rng(0)
    target = rng.poisson(size, size=(50, 1)).astype(float)
    loss, outputs = learned("negative_binomial", target).loss, rng.normal(size=(50, 2))
    gradients = []
    for dtype in (torch.float64, torch.float32):
        given = torch.tensor(outputs, dtype=dtype, requires_grad=True)
        both = torch.tensor(np.hstack([target, 0 * outputs]), dtype=dtype)
        loss(given, both, "mean").backward()
        gradients.append(given.grad.double().numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-2, atol=1e-5)


def test_student_loss_is_the_likelihood_of_scipy():
    rng, degrees = np.random.default_rng(0), 4.0
    outputs, target = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    deviation = np.log1p(np.exp(outputs[:, 2:])) / np.log(2)
    scale = deviation * np.sqrt((degrees - 2) / degrees)
    expected = -student_t.logpdf(target, degrees, outputs[:, :2], scale)
    found = StudentTLoss(degrees)(torch.tensor(outputs), torch.tensor(target), "none").numpy()
    np.testing.assert_allclose(found - expected, (found - expected)[0, 0], rtol=1e-12)


@pytest.mark.parametrize(("degrees", "expected"), [(3.0, {2.5, 3.0, 4.0}), (1e6, {20.0, 100.0})])
def test_tails_are_as_heavy_as_those_of_the_residuals(degrees, expected):
    rng = np.random.default_rng(0)
    residuals = 5 * rng.standard_t(degrees, size=(4000, 2))
    residuals[:9, 1] = np.nan
    assert degrees_of_freedom(residuals, np.ones(4000)) in expected


# What is learned


@every_count
def test_the_mean_alone_is_that_of_the_counts(loss, data):
    target = data[1]
    head = learned(loss, target)
    outputs = head.baseline(target, np.ones(300))[None]
    np.testing.assert_allclose(head.predict(outputs)[0], target.mean(axis=0))
    if loss == "negative_binomial":
        np.testing.assert_allclose(head.predict_std(outputs)[0, 1], target[:, 1].std(), rtol=1e-6)


@pytest.mark.parametrize("init", ["linear", None])
@every_count
def test_counts_are_predicted_with_their_quantiles(loss, init, data):
    X, y, mean = data
    model = regressor(
        loss, quantiles=LEVELS, init=init, max_epochs=20, lr=0.02, early_stopping=True
    ).fit(X, y)
    assert np.median(np.abs(model.predict(X) / mean - 1)) < 0.1
    quantiles = model.predict_quantiles(X)
    assert (quantiles >= 0).all()
    assert (quantiles == quantiles.round()).all()
    inside = (quantiles[..., 0] <= y) & (y <= quantiles[..., 2])
    assert (inside.mean(axis=0) > 0.85).all()
    losses = model.validation_losses_.set_index("model")["loss"]
    assert losses.iloc[-1] < losses["mean"]
    predicted, std = model.predict(X, return_std=True)
    assert std.shape == predicted.shape
    assert (std > 0).all()


def test_a_linear_init_of_counts_stays_what_it_is(data):
    """A sum of counts: with outputs of 0 the mean is that of the init, far from 0 and near it."""
    head = learned("poisson", data[1], init=data[2])
    mean = head.predict((data[2] - head.mean) @ head.init_map)
    level = data[1].mean(axis=0)
    missed = np.abs(mean - data[2]) / level
    assert missed.max() < 0.15
    assert missed[data[2] > level].max() < 0.005


def test_heavy_tails_are_learned():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3, 1))
    y = X[:, -1, 0] + 0.1 * rng.standard_t(3, size=600)
    settings = {"quantiles": (0.005, 0.5, 0.995), "max_epochs": 15, "lr": 0.02}
    found = {
        loss: np.diff(regressor(loss, **settings).fit(X, y).predict_quantiles(X)[:, [0, 2]])
        for loss in ("gaussian", "student_t")
    }
    exact = 2 * 0.1 * student_t.ppf(0.995, 3)
    assert np.median(found["student_t"]) == pytest.approx(exact, rel=0.25)
    assert np.median(found["gaussian"]) < 0.85 * exact


@every_count
def test_weight_2_is_the_row_twice(loss, data):
    X, y, _ = data
    twice = np.repeat(np.arange(60), 1 + np.arange(60) % 2)
    settings = {"init": None, "max_epochs": 20, "batch_size": 200, "lr": 0.01}
    weighted = regressor(loss, **settings).fit(X[:60], y[:60], 1.0 + np.arange(60) % 2)
    repeated = regressor(loss, **settings).fit(X[twice], y[twice])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-3)


@every_count
def test_a_count_may_be_missing_beside_another(loss, data):
    X, y, _ = data
    with_nan = y.copy()
    with_nan[::3, 0] = np.nan
    model = regressor(loss, early_stopping=True).fit(X, with_nan)
    assert np.isfinite(model.predict(X)).all()


def test_zeros_alone_are_predicted_as_such():
    X = np.random.default_rng(0).normal(size=(60, 3, 1))
    for loss in COUNTS:
        assert regressor(loss, early_stopping=True).fit(X, np.zeros(60)).predict(X).max() < 0.05


@every_count
def test_counts_at_every_step(loss):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, size=20)]
    model = regressor(loss, pooling=None).fit(X, [rng.poisson(2.0, len(x)) for x in X])
    assert [part.shape for part in model.predict_quantiles(X)] == [(len(x), 3) for x in X]


# Files, and what is refused


@pytest.mark.parametrize("init", ["linear", None])
@pytest.mark.parametrize("loss", [*COUNTS, "student_t"])
def test_files_hold_the_same_model(loss, init, data, tmp_path):
    X, y, _ = data
    model = regressor(loss, init=init, early_stopping=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_quantiles(X), model.predict_quantiles(X))
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = {"steps": X, "lengths": np.full(len(X), 4)}
    np.testing.assert_allclose(session.run(["prediction"], inputs)[0], model.predict(X), rtol=1e-4)
    names = [output.name for output in session.get_outputs()]
    assert names == ["prediction", "quantiles"][: 2 if loss == "student_t" else 1]


@every_count
def test_negative_numbers_are_no_counts(loss, data):
    X, y, _ = data
    wrong = pd.Series(y[:, 0]).where(np.arange(300) != 7, -2.5)
    message = rf"loss='{loss}' is for counts, and y is -2.5 in row 7 \(counted from 0\)"
    with pytest.raises(ValueError, match=message):
        regressor(loss).fit(X, wrong)
    model = regressor(loss).partial_fit(X, y[:, 0])
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, wrong)
