import numpy as np
import pytest
import torch

from sklstm import LSTMRegressor
from sklstm._nn.losses import REGRESSION_LOSSES, WeightedLoss

EQUATIONS = {
    "squared_error": lambda error: error**2,
    "absolute_error": abs,
    "huber": lambda error: error**2 / 2 if abs(error) < 1 else abs(error) - 1 / 2,
}

every_loss = pytest.mark.parametrize("loss", REGRESSION_LOSSES)


def make_batch(n_sequences=9, n_outputs=3):
    rng = np.random.default_rng(0)
    shape = n_sequences, n_outputs
    return 2 * rng.normal(size=shape), 2 * rng.normal(size=shape), rng.random(n_sequences) + 0.1


def loss_by_loop(loss, prediction, target, weight):
    total = 0.0
    for row, row_weight in enumerate(weight):
        errors = [p - t for p, t in zip(prediction[row], target[row], strict=True)]
        total += row_weight * sum(map(EQUATIONS[loss], errors)) / len(errors)
    return total / sum(weight)


def loss_by_torch(loss, *batch, device="cpu"):
    criterion = WeightedLoss(REGRESSION_LOSSES[loss])
    return criterion(*(torch.tensor(part, device=device) for part in batch)).item()


@every_loss
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_loss_is_that_of_a_loop(loss, n_outputs, device):
    batch = make_batch(n_outputs=n_outputs)
    expected = pytest.approx(loss_by_loop(loss, *batch), rel=1e-12)
    assert loss_by_torch(loss, *batch, device=device) == expected


@every_loss
def test_weight_2_is_the_sequence_twice(loss, device):
    prediction, target, _ = make_batch()
    weight = np.array([2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 2.0, 1.0, 1.0])
    rows = np.repeat(np.arange(len(weight)), weight.astype(int))
    repeated = prediction[rows], target[rows], np.ones(len(rows))
    expected = pytest.approx(loss_by_torch(loss, *repeated, device=device), rel=1e-12)
    assert loss_by_torch(loss, prediction, target, weight, device=device) == expected


@every_loss
def test_only_the_ratio_of_weights_counts(loss):
    prediction, target, weight = make_batch()
    expected = pytest.approx(loss_by_torch(loss, prediction, target, weight), rel=1e-12)
    assert loss_by_torch(loss, prediction, target, 1000 * weight) == expected


@every_loss
def test_gradient_is_that_of_finite_differences(loss, device):
    prediction, target, weight = make_batch()
    tensor = torch.tensor(prediction, device=device, requires_grad=True)
    criterion = WeightedLoss(REGRESSION_LOSSES[loss])
    criterion(
        tensor, torch.tensor(target, device=device), torch.tensor(weight, device=device)
    ).backward()
    expected = np.zeros_like(prediction)
    for place in np.ndindex(prediction.shape):
        step = np.zeros_like(prediction)
        step[place] = 1e-6
        above = loss_by_loop(loss, prediction + step, target, weight)
        below = loss_by_loop(loss, prediction - step, target, weight)
        expected[place] = (above - below) / 2e-6
    np.testing.assert_allclose(tensor.grad.numpy(force=True), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda p, t: ((p - t) ** 2).detach(), "a Tensor without a gradient"),
        (lambda p, t: ((p - t) ** 2).numpy(force=True), "a ndarray without a gradient"),
        (torch.nn.L1Loss, r"the class L1Loss: give an object of it, such as L1Loss\(reduction"),
    ],
)
def test_a_loss_that_teaches_nothing_is_named(loss, message):
    X = np.random.default_rng(0).normal(size=(20, 3, 1))
    with pytest.raises(ValueError, match=message):
        LSTMRegressor(2, loss=loss, max_epochs=1).fit(X, X[:, -1, 0])
