"""What goes between the CPU and a device in each batch, on a pretend device: torch's "meta".

It has shapes and no numbers, so nothing can be read from it: whatever would make the CPU wait for
a GPU is an error. What is copied to it is counted. It says nothing of speed, nor of cuDNN.
"""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklstm import LSTMClassifier, LSTMRegressor, SequenceWindower
from sklstm._nn.batch_parts import by_sequence
from sklstm._nn.batches import BATCHES_AT_ONCE
from sklstm._train.additive import dataset_of
from sklstm._train.callbacks import ClipGradients
from sklstm._train.loop import _Run
from sklstm._train.seeds import RandomStream

RNG = np.random.default_rng(0)
N_ROWS, BATCH_SIZE = 400, 16
TABLE = RNG.normal(size=(N_ROWS, 3))
HISTORIES = SequenceWindower(5, horizon=1).fit_transform(TABLE)
RAGGED = [RNG.normal(size=(n, 3)) for n in RNG.integers(1, 9, size=200)]
TOKENS = [RNG.integers(0, 30, size=n) for n in RNG.integers(1, 9, size=200)]

KINDS = {
    "histories": (LSTMRegressor, HISTORIES, TABLE[:, 0], {"supervised_steps": 1}),
    "merged histories": (LSTMRegressor, HISTORIES, TABLE[:, 0], {"supervised_steps": 4}),
    "full histories": (LSTMRegressor, HISTORIES[5:], TABLE[5:, 0], {"supervised_steps": 1}),
    "lengths differ": (LSTMRegressor, RAGGED, RNG.normal(size=200), {"pooling": "attention"}),
    "two layers": (LSTMRegressor, RAGGED, RNG.normal(size=200), {"num_layers": 2, "cell": "gru"}),
    "bfloat16": (LSTMRegressor, RAGGED, RNG.normal(size=200), {"dtype": "bfloat16"}),
    "every step": (LSTMRegressor, RAGGED, [r[:, 0] for r in RAGGED], {"pooling": None}),
    "tokens": (LSTMClassifier, TOKENS, RNG.integers(0, 3, 200), {"embedding": 4}),
    "labels": (LSTMClassifier, HISTORIES, RNG.integers(0, 2, (N_ROWS, 3)), {}),
}


class Uploads(TorchDispatchMode):
    """Counts copies from the CPU to the device; those back cannot be made at all."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            places = {x.device.type for x in tree_leaves((args, result)) if torch.is_tensor(x)}
            self.n += places == {"cpu", "meta"}
        return result


def on_pretend_gpu(kind, monkeypatch):
    """A network that was fitted, on the device, and its training data there."""
    estimator, X, y, params = KINDS[kind]
    settings = {"hidden_size": 4, "batch_size": BATCH_SIZE, "max_epochs": 1, "init": None}
    settings |= {"early_stopping": False, "random_state": 0, "device": "cpu"}
    settings |= {"skorch_params": {"optimizer__fused": False}}  # torch has no fused one there
    given = []
    with monkeypatch.context() as patch:
        spy = lambda *a: given.append(a) or dataset_of(*a)  # noqa: E731
        patch.setattr("sklstm._train.training.dataset_of", spy)
        fitted = estimator(**settings | params).fit(X, y)._fitted
    net = fitted.net
    net.module_.to("meta")
    net.device = "meta"
    net.initialize_optimizer()
    net._run = _Run(RandomStream(0, torch.device("cpu")), fitted.report.supervised_steps, [])
    for _, callback in net.callbacks_:
        if isinstance(callback, ClipGradients):
            callback.on_train_begin(net)
    return net, dataset_of(*given[0]), dataset_of(*given[0][:3])


@pytest.mark.parametrize("kind", KINDS)
def test_training_never_waits_for_the_device(kind, monkeypatch):
    net, data, _ = on_pretend_gpu(kind, monkeypatch)
    n_batches, losses = 0, []
    with Uploads() as uploads:
        for batch in net.get_iterator(data, training=True):
            losses.append(net.train_step(batch)["loss"])
            n_batches += 1
    assert n_batches > 10
    assert {loss.device.type for loss in losses} == {"meta"}
    assert uploads.n <= 5 * -(-n_batches // BATCHES_AT_ONCE)  # where rows are; of runs more


@pytest.mark.parametrize("kind", KINDS)
def test_prediction_never_waits_for_the_device(kind, monkeypatch):
    net, _, data = on_pretend_gpu(kind, monkeypatch)
    net.module_.eval()
    loader = net.get_iterator(data)
    with Uploads() as uploads, torch.inference_mode():
        outputs = [
            by_sequence(net.infer(inputs), inputs[1], n_steps)
            for (inputs, _), n_steps in zip(loader, loader.n_steps(), strict=True)
        ]
    assert uploads.n == 0
    rows = data.sequences.lengths.sum() if kind == "every step" else len(data)
    assert sum(map(len, outputs)) == rows


def test_what_would_wait_is_found():
    numbers = torch.ones(3, device="meta")
    for wait in (torch.Tensor.item, torch.Tensor.cpu, torch.Tensor.nonzero, torch.Tensor.tolist):
        with pytest.raises((RuntimeError, NotImplementedError)):
            wait(numbers[:1])
    with Uploads() as uploads:
        torch.ones(3).to("meta")
        numbers.copy_(torch.ones(3))
    assert uploads.n == 2
