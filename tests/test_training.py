import pickle
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from skorch.history import History

from sklstm import DataWarning, LSTMRegressor, Sequences, SequenceWindower
from sklstm._data.samples import Samples, split_validation
from sklstm._train.callbacks import ClipGradients
from sklstm._train.devices import suitable_threads
from sklstm._train.early_stopping import EarlyStopping, StopTraining
from sklstm._train.seeds import RandomStream, draw_seed

X = np.random.default_rng(0).normal(size=(50, 4, 2))
Y = X[:, -1, 0]


def samples_of(series, window_size=3):
    """Windows over interleaved series; the target is the row number."""
    series = np.asarray(series)
    order = np.argsort(series, kind="stable")
    ends = np.empty(len(series), dtype=int)
    ends[order] = np.arange(len(series)) + 1
    first = np.array([np.flatnonzero(series[order] == code)[0] for code in series])
    starts = np.maximum(ends - window_size, first)
    sequences = Sequences(np.zeros((len(series), 1)), starts, ends - starts, series)
    return Samples(sequences, np.arange(len(series)), np.ones(len(series)))


PLAIN = {"init": None, "early_stopping": False}


def regressor(**params):
    return LSTMRegressor(**PLAIN | {"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params)


# The validation part


@pytest.mark.parametrize("window_size", [1, 3, 10])
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_last_part_of_each_series_is_set_aside(window_size, fraction):
    series = np.random.default_rng(1).integers(0, 4, size=100)
    train, valid, *_ = split_validation(samples_of(series, window_size), fraction, seed=0)
    for code in range(4):
        rows = np.flatnonzero(series == code)
        n_valid = round(fraction * len(rows))
        np.testing.assert_array_equal(
            valid.target[valid.sequences.series == code], rows[len(rows) - n_valid :]
        )
        np.testing.assert_array_equal(
            train.target[train.sequences.series == code], rows[: len(rows) - n_valid]
        )


def test_rows_in_any_order_are_set_aside_by_time():
    samples = samples_of(np.zeros(40, dtype=int))
    shuffled = samples.take(np.random.default_rng(0).permutation(40))
    _, valid, *_ = split_validation(shuffled, 0.25, seed=0)
    assert sorted(valid.target) == list(range(30, 40))


def test_subset_of_a_series_is_set_aside_by_time():
    samples = samples_of(np.zeros(40, dtype=int)).take(np.r_[0:15, 25:40])
    _, valid, *_ = split_validation(samples, 0.1, seed=0)
    assert list(valid.target) == [37, 38, 39]


def test_random_part_of_independent_sequences_is_set_aside():
    samples = Samples(Sequences.from_arrays(X), np.arange(50), np.ones(50))
    train, valid, *_ = split_validation(samples, 0.2, seed=0)
    assert len(valid.target) == 10
    assert sorted([*train.target, *valid.target]) == list(range(50))
    assert sorted(valid.target) != list(range(40, 50))
    assert sorted(valid.target) != sorted(split_validation(samples, 0.2, seed=1)[1].target)


def test_random_part_keeps_the_shares_of_labels():
    labels = np.repeat([0, 1], [40, 10])
    samples = Samples(Sequences.from_arrays(X), labels, np.ones(50))
    _, valid, *_ = split_validation(samples, 0.2, seed=0, stratify=labels)
    assert list(np.bincount(valid.target)) == [8, 2]


# Early stopping


def run(losses, **params):
    """Epochs until EarlyStopping stops, and the epoch whose weights come back."""
    net = SimpleNamespace(module_=torch.nn.Linear(1, 1), history=History())
    stopping = EarlyStopping(**{"n_iter_no_change": 3, "tol": 0.0} | params)
    stopping.on_train_begin(net)
    with suppress(StopTraining):
        for epoch, loss in enumerate(losses, 1):
            torch.nn.init.constant_(net.module_.weight, epoch)
            net.history.new_epoch()
            net.history.record("epoch", epoch)
            net.history.record("valid_loss", loss)
            stopping.on_epoch_end(net)
    stopping.on_train_end(net)
    return len(net.history), int(net.module_.weight.item())


@pytest.mark.parametrize(
    ("losses", "params", "expected"),
    [
        ([5, 4, 3, 2, 1], {}, (5, 5)),
        ([5, 4, 6, 6, 6, 1], {}, (5, 2)),
        ([5, 4, 6, 6, 3, 6, 6, 6], {}, (8, 5)),
        ([5, 4.9, 4.8, 4.7, 1], {"tol": 1}, (4, 4)),
        ([-1, -0.99995, -0.9, -0.9, -3], {"tol": 1e-4}, (4, 1)),
    ],
)
def test_stops_after_epochs_without_improvement_with_the_best_weights(losses, params, expected):
    assert run(losses, **params) == expected


# The loop


class Counter(Callback):
    def __init__(self):
        self.calls = []

    def on_train_begin(self, net, **kwargs):
        self.calls.append("train")

    def on_epoch_end(self, net, **kwargs):
        self.calls.append("epoch")


class BatchCounter(Counter):
    def on_batch_end(self, net, batch, training, **kwargs):
        self.calls.append("batch" if training else "valid")


def test_callbacks_hear_of_epochs_and_of_batches_if_they_listen():
    counter, batches = Counter(), BatchCounter()
    model = regressor(max_epochs=1, batch_size=20, skorch_params={"callbacks": [counter, batches]})
    model.fit(X, Y, X_val=X, y_val=Y)
    assert counter.calls == ["train", "epoch"]
    assert batches.calls == ["train", "batch", "batch", "batch", "valid", "epoch"]


def test_callbacks_may_be_switched_off():
    model = regressor(skorch_params={"callbacks": "disable"}).fit(X, Y)
    assert list(model.history_) == ["epoch", "train_loss"]


def test_a_skorch_callback_may_stop_the_training():
    stopping = SkorchEarlyStopping(patience=2, threshold=10, threshold_mode="abs")
    model = regressor(max_epochs=50, skorch_params={"callbacks": [stopping]}).fit(
        X, Y, X_val=X, y_val=Y
    )
    assert model.n_iter_ == 3


def test_keyboard_interrupt_is_raised_and_leaves_a_usable_estimator():
    class Interrupting(Callback):
        def on_batch_end(self, net, training, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    model = regressor(skorch_params={"callbacks": [Interrupting()]})
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_training_loss_is_the_weighted_mean_over_the_epoch():
    weight = np.random.default_rng(1).uniform(0.1, 2, size=50)
    model = regressor(max_epochs=1, batch_size=7, optimizer="sgd", lr=1e-12)
    model.fit(X, Y, sample_weight=weight)
    error = (model.predict(X) - Y) / model.target_scale_
    expected = np.average(error**2, weights=weight)
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("clip", [1e-3, None])
def test_gradients_are_clipped(clip):
    norms = []

    class Norm(Callback):
        def on_batch_end(self, net, **kwargs):
            gradients = [p.grad.flatten() for p in net.module_.parameters()]
            norms.append(torch.cat(gradients).norm().item())

    regressor(clip_grad_norm=clip, skorch_params={"callbacks": [Norm()]}).fit(X, Y)
    assert (max(norms) <= 1.001e-3) == (clip is not None)


@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e3])
def test_clipping_is_that_of_torch(max_norm):
    model = regressor().fit(X, Y)
    parameters = list(model.net_.module_.parameters())
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    expected = [torch.nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    for copy, parameter in zip(expected, parameters, strict=True):
        copy.grad = parameter.grad.clone()
    clip = ClipGradients(max_norm)
    clip.on_train_begin(model.net_)
    clip.on_grad_computed(model.net_)
    torch.nn.utils.clip_grad_norm_(expected, max_norm)
    for copy, parameter in zip(expected, parameters, strict=True):
        torch.testing.assert_close(parameter.grad, copy.grad, rtol=1e-6, atol=0)


LABELLED_STEPS = np.where(np.arange(4) % 3, X[:, :, 0], np.nan)


@pytest.mark.parametrize(
    ("data", "params"),
    [
        ((X, Y), {}),
        ((X, Y, np.arange(1.0, 51)), {"num_layers": 2}),
        (([x[: i % 5] for i, x in enumerate(X)], Y), {"bidirectional": True}),
        (([x[: i % 5] for i, x in enumerate(X)], Y, np.arange(1.0, 51)), {"pooling": "attention"}),
        ((X, LABELLED_STEPS), {"pooling": None, "early_stopping": False}),
        ((X, np.stack([Y, -Y], axis=1)), {"dtype": "bfloat16"}),
    ],
)
def test_gradients_of_parts_add_up_to_those_of_the_batch(data, params, monkeypatch):
    losses, gradients, sizes = [], [], []

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.register_forward_pre_hook(lambda _, x: sizes[-1].append(x[0].shape[1]))

        def on_grad_computed(self, net, training=True, **kwargs):
            if training:
                gradients[-1].append([p.grad.clone() for p in net.module_.parameters()])

    for outputs_in_part in (2**19, 7 * 4 * 4):
        monkeypatch.setattr("sklstm._nn.batch_sizes.OUTPUTS_IN_PART", outputs_in_part)
        sizes.append([])
        gradients.append([])
        model = regressor(
            batch_size=20, optimizer="sgd", skorch_params={"callbacks": [Watch()]}, **params
        )
        losses.append(model.fit(*data).loss_curve_)
    assert len(sizes[1]) > len(sizes[0]) == 9
    np.testing.assert_allclose(*losses, rtol=1e-5)
    atol = 1e-3 if "dtype" in params else 1e-6
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=atol)


@pytest.mark.parametrize(
    ("params", "n_threads", "size"),
    [
        ({}, 1, 13),
        ({}, 2, 13),
        ({}, 3, 50),  # they share large parts
        ({"bidirectional": True}, 1, 7),
        ({"cell": "gru"}, 1, 50),
        ({"dtype": "float64"}, 1, 50),
    ],
)
def test_parts_are_of_a_size_that_pays(params, n_threads, size, monkeypatch):
    monkeypatch.setattr("sklstm._nn.batch_sizes.OUTPUTS_IN_PART", 15 * 4 * 4)
    sizes = []

    class Sizes(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape[1]))

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    plain = {"batch_size": 64, "pooling": "last", "bidirectional": False}
    model = regressor(max_epochs=1, skorch_params={"callbacks": [Sizes()]}, **plain | params)
    monkeypatch.setattr("sklstm._train.training.suitable_threads", lambda *sizes: nullcontext())
    try:
        model.fit(X, Y)
    finally:
        torch.set_num_threads(before)
    assert sizes[0] == size


@pytest.mark.parametrize(
    ("n_steps", "bidirectional", "size"),
    [
        (96, False, 256),
        (336, False, 73),
        (336, True, 36),
        (10**5, False, 32),  # no fewer
        (0, False, 1024),  # no more
    ],
)
def test_predictions_take_smaller_batches_of_longer_sequences(n_steps, bidirectional, size):
    model = regressor(hidden_size=64, bidirectional=bidirectional, max_epochs=1, device="cpu")
    assert model.fit(X, Y).net_.batch_sizes.of_prediction(n_steps) == size


def test_data_are_let_go_after_training():
    model = regressor(early_stopping=True).fit(X, Y)
    assert model.net_.train_split is None


# Seeds and threads


def test_seeds():
    assert draw_seed(3) == draw_seed(3) != draw_seed(4)
    assert draw_seed(None) != draw_seed(None)
    generator = np.random.RandomState(0)
    assert draw_seed(generator) != draw_seed(generator)


def test_seeded_repeats_and_restores():
    state = torch.get_rng_state()
    draws = []
    for _ in range(2):
        with RandomStream(1, torch.device("cpu")).as_global():
            draws.append(torch.rand(3))
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("batch_size", "hidden_size", "n_threads", "used"),
    [
        (32, 32, 2, 1),  # too small to share
        (32, 64, 2, 2),
        (32, 64, 16, 2),  # not more than have something to do
        (128, 128, 16, 8),
        (512, 512, 16, 16),
        (512, 512, 1, 1),  # no more than there are, as in the workers of joblib
    ],
)
def test_threads_follow_the_size_of_a_step(batch_size, hidden_size, n_threads, used):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with suitable_threads(batch_size, hidden_size):
            assert torch.get_num_threads() == used
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("supervised_steps", "used"), [(1, 2), (8, 1)])
def test_merged_runs_have_fewer_columns_for_threads(supervised_steps, used):
    seen = []

    class Threads(Callback):
        def on_batch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    X = SequenceWindower(4).fit_transform(np.zeros((80, 1)))
    model = regressor(
        supervised_steps=supervised_steps,
        batch_size=32,
        hidden_size=64,
        skorch_params={"callbacks": [Threads()]},
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model.fit(X, np.zeros(80))
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {used}


def test_validation_may_begin_when_training_goes_on():
    model = regressor(warm_start=True).fit(X, Y)
    for continued in (model, pickle.loads(pickle.dumps(model))):
        with pytest.warns(DataWarning, match="may have been trained on"):
            continued.set_params(early_stopping=True).fit(X, Y)
        assert list(continued.history_["valid_loss"].isna()) == [True] * 3 + [False] * 3
        assert continued.net_.history[3]["valid_loss_best"]
