"""Where a network is computed, and in what portions the data go there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import sklstm._train.additive
import sklstm._train.devices
from sklstm import LSTMRegressor, SequenceWindower
from sklstm._nn.cells.of_torch import LSTM, _in_one_block
from sklstm._nn.dataset import SequenceDataset
from sklstm._train.devices import explain_out_of_memory, resolve_device
from sklstm._train.plan import Plan

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 7, 2)), RNG.normal(size=60)
RAGGED = [RNG.normal(size=(n, 2)) for n in RNG.integers(0, 9, size=60)]


def quick(**params):
    settings = {"hidden_size": 4, "max_epochs": 2, "batch_size": 16, "random_state": 0}
    return LSTMRegressor(**settings | params)


def test_auto_believes_in_a_gpu_that_computes(monkeypatch):
    def too_old(name):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(sklstm._train.devices, "_tried", too_old)
    with pytest.warns(UserWarning, match=r"does not compute: CUDA error: no kernel image.* CPU"):
        assert resolve_device("auto") == torch.device("cpu")


def test_the_cpu_by_its_number():
    expected = quick(device="cpu").fit(X, Y)
    model = quick(device="cpu:0").fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.net_.batch_sizes.of_prediction(7) == expected.net_.batch_sizes.of_prediction(7)


@pytest.mark.cuda
def test_a_warm_start_moves_to_another_device():
    model = quick(device="cpu", warm_start=True).fit(X, Y)
    for device in ("cuda", "cpu"):
        model.set_params(device=device).fit(X, Y)
        places = {parameter.device.type for parameter in model.net_.module_.parameters()}
        assert places == {model.device_.split(":")[0]} == {device}
    assert model.n_iter_ == 6
    assert np.isfinite(model.predict(X)).all()


# Buffer


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.07 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_whoever_has_no_memory_is_understood(error):
    with (
        pytest.raises(MemoryError, match="Out of memory on cuda with much. Less."),
        explain_out_of_memory("cuda", "much", "Less."),
    ):
        raise error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), explain_out_of_memory("cuda", "", ""):
        raise RuntimeError("wrong shape")


def test_data_that_do_not_fit_are_named(monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SequenceDataset, "__init__", full)
    with pytest.raises(
        MemoryError, match=r"the data on it, 0 MB of steps. Give fewer rows"
    ) as told:
        quick().fit(X, Y)
    assert "batch_size" not in str(told.value)


# Slices


def series_in_turn(n_rows=90):
    index = pd.MultiIndex.from_arrays([np.repeat(np.arange(n_rows // 3), 3), list("abc") * 30])
    return pd.DataFrame(RNG.normal(size=(n_rows, 2)), index=index.set_names(["time", "series"]))


@pytest.mark.parametrize(
    ("sequences", "y", "params"),
    [
        (SequenceWindower(5).fit_transform(RNG.normal(size=(90, 2))), RNG.normal(size=90), {}),
        (
            SequenceWindower(5, series="series", time="time").fit_transform(series_in_turn()),
            RNG.normal(size=90),
            {},
        ),
        (RAGGED, RNG.normal(size=60), {}),
        (RAGGED, [RNG.normal(size=len(r)) for r in RAGGED], {"pooling": None}),
    ],
    ids=["table", "series", "recordings", "every step"],
)
def test_predictions_do_not_depend_on_slices(sequences, y, params, monkeypatch):
    model = quick(**params).fit(sequences, y)
    expected = model.predict(sequences)
    sizes = []
    init = SequenceDataset.__init__

    def counted(self, *args, **kwargs):
        init(self, *args, **kwargs)
        sizes.append(len(self.values))

    monkeypatch.setattr(sklstm._train.additive, "VALUES_AT_ONCE", 40)  # 20 steps of 2 features
    monkeypatch.setattr(SequenceDataset, "__init__", counted)
    given = model.predict(sequences)
    assert len(sizes) > 3
    assert max(sizes) <= 20 + 9 + 1  # the longest sequence reaches beyond, and padding
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


# What the recurrent layers are given


@pytest.mark.parametrize("bidirectional", [False, True])
def test_bfloat16_is_not_left_to_autocast(bidirectional, monkeypatch):
    """On CUDA autocast would make float16 of it."""
    run, seen = LSTM.function, set()

    def watched(steps, state, weights, *args):
        seen.update(tensor.dtype for tensor in (steps, *state, *weights))
        assert not torch.is_autocast_enabled("cpu")
        return run(steps, state, weights, *args)

    monkeypatch.setattr(LSTM, "function", watched)
    model = quick(dtype="bfloat16", bidirectional=bidirectional).fit(RAGGED, RNG.normal(size=60))
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in model.net_.module_.parameters()} == {torch.float32}


def test_weights_in_one_block_are_matrices_then_biases():
    lstm = torch.nn.LSTM(3, 4, 2, bidirectional=True)
    found = _in_one_block(lstm.all_weights, torch.float32)
    for views, weights in zip(found, lstm.all_weights, strict=True):
        for view, weight in zip(views, weights, strict=True):
            assert torch.equal(view, weight)
    in_order = [w for one in found for w in one[:2]] + [w for one in found for w in one[2:]]
    offsets = np.cumsum([0, *(w.numel() for w in in_order)])
    assert [w.storage_offset() for w in in_order] == offsets[:-1].tolist()
    assert len({w.untyped_storage().data_ptr() for w in in_order}) == 1


@pytest.mark.parametrize(
    ("batch_size", "hidden_size", "n_steps", "expected"),
    [
        (64, 64, 24, 1),  # a step is over before the next can begin, however few the columns
        (512, 256, 336, 1),
        (512, 512, 336, 5),
        (512, 2048, 96, 48),  # half a history
        (64, 4096, 336, 16),  # a quarter of a batch
    ],
)
def test_a_gpu_merges_no_more_than_fills_it(batch_size, hidden_size, n_steps, expected):
    settings = {"batch_size": batch_size, "hidden_size": hidden_size}
    plan = Plan.make(LSTMRegressor(device="cpu", **settings).get_params())
    plan = replace(plan, device=torch.device("cuda"))
    assert plan._worth_merging(n_steps) == expected
