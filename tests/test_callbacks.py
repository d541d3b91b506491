"""Training that is watched, scheduled, broken off and gone on with."""

import contextlib
import os
import signal
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor
from skorch.callbacks import Callback, GradientNormClipping
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping

from sklstm import LSTMClassifier, LSTMRegressor

X = np.random.default_rng(0).normal(size=(60, 4, 2))
Y = X[:, -1, 0]


PLAIN = {"init": None, "early_stopping": False}


def quick(**params):
    return LSTMRegressor(**PLAIN | {"hidden_size": 4, "max_epochs": 6, "random_state": 0} | params)


class At(Callback):
    """Call something at the end of an epoch, or in the middle of one."""

    def __init__(self, epoch, call, within=False):
        self.epoch, self.call, self.within = epoch, call, within

    def on_grad_computed(self, net, *args, **kwargs):
        if self.within and len(net.history) == self.epoch:
            self.call()

    def on_epoch_end(self, net, **kwargs):
        if not self.within and len(net.history) == self.epoch:
            self.call()


def fail(error=RuntimeError):
    raise error("on purpose")


def send_stop():
    raise KeyboardInterrupt  # how callbacks of skorch's ask for it


def send_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def weights_of(model):
    return [weight.clone() for weight in model.net_.module_.state_dict().values()]


def assert_same_weights(model, other):
    for weight, expected in zip(weights_of(model), weights_of(other), strict=True):
        assert torch.equal(weight, expected)


# Watching


def test_a_bar_over_the_epochs(capsys):
    quick(verbose=1, early_stopping=True).fit(X, Y)
    told = capsys.readouterr()
    assert "6/6" in told.err
    assert all(word in told.err for word in ("train_loss=", "valid_loss=", "best_epoch="))
    assert not told.out


def test_a_line_an_epoch(capsys):
    quick(verbose=2).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("epoch 1/6  train_loss ")
    assert lines[-1].endswith("s  best so far")


def test_bars_in_a_search(capsys):
    GridSearchCV(quick(verbose=1), {"hidden_size": [2, 3]}, cv=2).fit(X, Y)
    assert capsys.readouterr().err.count("6/6") >= 5


# Schedules


def rates(**params):
    return quick(lr=0.01, max_epochs=9, **params).fit(X, Y).history_["lr"].to_numpy()


def test_step_takes_a_tenth_after_each_third():
    np.testing.assert_allclose(rates(lr_scheduler="step"), np.repeat([1e-2, 1e-3, 1e-4], 3))


def test_cosine_goes_down_along_a_half_wave():
    expected = 0.01 * (1 + np.cos(np.pi * np.arange(9) / 9)) / 2
    np.testing.assert_allclose(rates(lr_scheduler="cosine"), expected, atol=1e-12)


def test_onecycle_goes_up_and_down():
    lr = rates(lr_scheduler="onecycle")
    assert lr[0] == pytest.approx(0.01 / 25)
    assert 0 < lr.argmax() < 4
    assert lr.max() <= 0.01
    assert lr[-1] < lr[0]


def test_plateau_halves_when_nothing_improves():
    bad = {"X_val": X, "y_val": Y + 100}  # what is learned makes it no better for long
    model = quick(lr=1e-5, max_epochs=9, lr_scheduler="plateau").fit(X, 0 * Y, **bad)
    lr = model.history_["lr"].to_numpy()
    assert lr[0] == 1e-5
    assert lr[-1] == pytest.approx(5e-6)


def test_a_scheduler_of_torch():
    make = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    np.testing.assert_allclose(rates(lr_scheduler=make), 0.01 * 0.5 ** np.arange(9))


@pytest.mark.parametrize("lr_scheduler", ["step", "cosine", "onecycle", "plateau"])
@pytest.mark.parametrize("max_epochs", [1, 2, 3])
def test_schedules_of_few_epochs(lr_scheduler, max_epochs):
    model = quick(lr_scheduler=lr_scheduler, max_epochs=max_epochs, warm_start=True).fit(X, Y)
    assert len(model.fit(X, Y).history_) == 2 * max_epochs


# Breaking off


@pytest.mark.parametrize("within", [True, False])
def test_ctrl_c_raises_and_leaves_the_weights_of_the_last_epoch(within):
    at = 4 if within else 3  # in the middle of epoch 4, or behind epoch 3
    stop = send_ctrl_c if within else partial(fail, RuntimeError)
    model = quick(skorch_params={"callbacks": [At(at, stop, within)]})
    with pytest.raises(KeyboardInterrupt if within else RuntimeError):
        model.fit(X, Y)
    assert_same_weights(model, quick(max_epochs=3).fit(X, Y))
    assert len(model.history_) == len(model.loss_curve_) == model.n_iter_ == model.best_epoch_ == 3


def test_ctrl_c_with_early_stopping_leaves_the_best_weights():
    model = quick(
        early_stopping=True, skorch_params={"callbacks": [At(4, send_ctrl_c, within=True)]}
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    expected = quick(early_stopping=True, max_epochs=3).fit(X, Y)
    assert_same_weights(model, expected)
    assert model.best_epoch_ == expected.best_epoch_


def test_ctrl_c_in_the_first_epoch_leaves_an_unfitted_estimator():
    model = quick(skorch_params={"callbacks": [At(1, send_ctrl_c, within=True)]})
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_ctrl_c_in_a_second_fit_leaves_what_the_first_learned():
    model = quick(warm_start=True).fit(X, Y)
    expected = model.predict(X)
    model.set_params(skorch_params={"callbacks": [At(7, send_ctrl_c, within=True)]})
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), expected)
    assert len(model.history_) == 6


def test_ctrl_c_ends_a_search():
    search = GridSearchCV(
        quick(skorch_params={"callbacks": [At(2, send_ctrl_c, within=True)]}),
        {"hidden_size": [2, 3]},
        cv=2,
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)


# Diverging


def poison(model, epoch):
    """Make the weights infinite within an epoch."""

    class Poison(Callback):
        def on_grad_computed(self, net, **kwargs):
            if len(net.history) == epoch:
                with torch.no_grad():
                    net.module_.head.weight.mul_(torch.inf)

    return model.set_params(skorch_params={"callbacks": [Poison()]})


def test_diverging_stops_with_the_best_weights_and_says_what_to_lower():
    model = poison(quick(), 4)
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch 4.* Lower lr .* of epoch 3"):
        model.fit(X, Y)
    assert model.best_epoch_ == 3
    assert len(model.history_) == 3
    assert np.isfinite(model.predict(X)).all()


def test_diverging_at_once_is_an_error():
    model = poison(quick(), 1)
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        model.fit(X, Y)
    with pytest.raises(NotFittedError):
        model.predict(X)


# Going on


def params_of(kind):
    return {
        "plain": {},
        "dropout": {"num_layers": 2, "dropout": 0.3},
        "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "lr": 0.05},
        "schedule": {"lr_scheduler": "onecycle"},
        "plateau": {"lr_scheduler": "plateau", "optimizer": "sgd"},
    }[kind]


@pytest.mark.parametrize("kind", ["plain", "dropout", "early stopping", "schedule", "plateau"])
@pytest.mark.parametrize("epoch", [1, 4, 9])
def test_a_broken_off_fit_goes_on_and_ends_with_the_same_weights(kind, epoch, tmp_path, device):
    params = {"max_epochs": 10, "device": device} | params_of(kind)
    broken = quick(
        checkpoint=tmp_path,
        skorch_params={"callbacks": [At(epoch, send_ctrl_c, within=True)]},
        **params,
    )
    with contextlib.suppress(KeyboardInterrupt):
        broken.fit(X, Y)
    resumed = quick(checkpoint=tmp_path, **params).fit(X, Y)
    whole = quick(**params).fit(X, Y)
    assert_same_weights(resumed, whole)
    assert resumed.loss_curve_ == whole.loss_curve_
    assert resumed.best_epoch_ == whole.best_epoch_


def test_a_complete_fit_is_not_trained_again(tmp_path):
    model = quick(checkpoint=tmp_path).fit(X, Y)
    again = quick(checkpoint=tmp_path, skorch_params={"callbacks": [At(1, fail), At(6, fail)]}).fit(
        X, Y
    )
    assert_same_weights(again, model)


def test_more_epochs_go_on_from_a_complete_fit(tmp_path):
    quick(checkpoint=tmp_path).fit(X, Y)
    more = quick(checkpoint=tmp_path, max_epochs=9).fit(X, Y)
    assert_same_weights(more, quick(max_epochs=9).fit(X, Y))


SCRIPT = """
import io, os, signal, sys, time
from pathlib import Path
import numpy as np
import torch
from skorch.callbacks import Callback
from sklstm import LSTMRegressor

folder, n_kills = Path(sys.argv[1]), int(sys.argv[2])
X = np.random.default_rng(0).normal(size=(60, 4, 2))

class Tell(Callback):
    def on_epoch_begin(self, net, **kwargs):
        os.write(tell, b"e")

def train():
    params = {"max_epochs": 70, "num_layers": 2, "dropout": 0.1, "early_stopping": False}
    model = LSTMRegressor(4, random_state=0, checkpoint=folder, **params)
    model.set_params(skorch_params={"callbacks": [Tell()]}).fit(X, X[:, -1, 0])
    np.save(folder / "predicted.npy", model.predict(X))

rng = np.random.default_rng(1)
for kill in range(n_kills + 1):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        train()
        os._exit(0)
    os.close(tell)
    if kill < n_kills:
        for _ in range(rng.integers(2 if kill == 0 else 1, 12)):
            os.read(told, 1)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
    while os.read(told, 4096):
        pass
    os.waitpid(child, 0)
    os.close(told)
    (path,) = folder.glob("*/*finished-*.sklstm")
    print(len(torch.load(io.BytesIO(path.read_bytes()[32:]), weights_only=True)["history"]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks, to die sooner")
def test_a_killed_fit_goes_on(tmp_path):
    """Killed again and again, at any moment, also while it saves; KILLS says how often.

    Each process trains some epochs, however long they take, and dies at a random moment of one.
    """
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), os.environ.get("KILLS", "5")]
    *n_epochs, in_the_end = map(int, subprocess.check_output(command, text=True).split())
    assert n_epochs == sorted(n_epochs)
    assert min(n_epochs) > 0
    assert max(n_epochs) < in_the_end == 70
    params = {"max_epochs": 70, "num_layers": 2, "dropout": 0.1, "early_stopping": False}
    whole = LSTMRegressor(4, random_state=0, **params).fit(X, Y)
    np.testing.assert_array_equal(np.load(tmp_path / "predicted.npy"), whole.predict(X))


@pytest.mark.parametrize(
    ("params", "data"),
    [
        ({"hidden_size": 5}, {}),
        ({"random_state": 1}, {}),
        ({}, {"y": Y + 1}),
        ({}, {"X": X[:, :3]}),
        ({}, {"X": X[..., :1]}),
        ({"lr_scheduler": "step"}, {}),
        ({"skorch_params": {"callbacks": [GradientNormClipping(1e-3)]}}, {}),
    ],
)
def test_another_training_has_a_folder_of_its_own(params, data, tmp_path):
    data = {"X": X, "y": Y} | data
    quick(checkpoint=tmp_path, max_epochs=2).fit(X, Y)
    model = quick(checkpoint=tmp_path, max_epochs=2, **params).fit(**data)
    assert_same_weights(model, quick(max_epochs=2, **params).fit(**data))
    assert len(list(tmp_path.iterdir())) == 2
    assert model.n_iter_ == 2


def flip(content):
    return content[:500] + bytes([content[500] ^ 1]) + content[501:]


@pytest.mark.parametrize(
    "change", [lambda content: content[:-1], lambda content: content[:10], lambda _: b"", flip]
)
def test_a_damaged_checkpoint(change, tmp_path):
    quick(checkpoint=tmp_path, max_epochs=2).fit(X, Y)
    (path,) = tmp_path.glob("*/finished-2.sklstm")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match="is damaged.* Delete it to start anew"):
        quick(checkpoint=tmp_path).fit(X, Y)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="has to be a folder that can be written to"):
        quick(checkpoint=tmp_path / "file").fit(X, Y)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    quick(checkpoint=tmp_path, max_epochs=2).fit(X, Y)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.warns(UserWarning, match="No space left on device.* The one before is kept"):
        model = quick(checkpoint=tmp_path, max_epochs=4).fit(X, Y)
    assert model.n_iter_ == 4
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"random_state": None}, "random_state"),
        ({"init": DecisionTreeRegressor()}, "init random_state"),
    ],
)
def test_a_training_that_is_never_the_same_has_no_checkpoint(params, name, tmp_path):
    with pytest.raises(ValueError, match=f"checkpoint needs a number as {name}"):
        quick(checkpoint=tmp_path, **params).fit(X, Y)


def test_a_training_that_a_callback_stopped_is_not_trained_on(tmp_path):
    stopped = quick(checkpoint=tmp_path, skorch_params={"callbacks": [At(3, send_stop)]}).fit(X, Y)
    again = quick(checkpoint=tmp_path).fit(X, Y)
    assert stopped.n_iter_ == again.n_iter_ == 3


def of_the_user(number, frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize("handler", [signal.default_int_handler, of_the_user])
@pytest.mark.parametrize("n_epochs", [6, 3])
def test_a_training_whose_callback_heard_ctrl_c_goes_on(handler, n_epochs, tmp_path):
    before = signal.signal(signal.SIGINT, handler)
    try:
        broken = quick(
            checkpoint=tmp_path,
            max_epochs=n_epochs,
            skorch_params={"callbacks": [At(3, send_ctrl_c)]},
        )
        with pytest.raises(KeyboardInterrupt):
            broken.fit(X, Y)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not list(tmp_path.glob("*/finished-*"))
    resumed = quick(checkpoint=tmp_path, max_epochs=n_epochs).fit(X, Y)
    assert resumed.n_iter_ == n_epochs
    assert_same_weights(resumed, quick(max_epochs=n_epochs).fit(X, Y))


# Stopping by skorch


GOOD_THEN_BAD = [5.0, 3.0, 4.0, 4.5, 6.0, 7.0, 8.0]


class Say(Callback):
    """Write what skorch's early stopping watches."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("watched", GOOD_THEN_BAD[len(net.history) - 1])


def stopping(load_best, **params):
    return [Say(), SkorchEarlyStopping("watched", patience=3, load_best=load_best, **params)]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(("load_best", "best"), [(True, 2), (False, 5)])
def test_the_best_epoch_is_that_whose_weights_the_network_has(load_best, best, early_stopping):
    params = {"early_stopping": early_stopping, "X_val": X, "y_val": Y} if early_stopping else {}
    model = quick(early_stopping=early_stopping, skorch_params={"callbacks": stopping(load_best)})
    model.fit(X, Y, **{k: x for k, x in params.items() if k != "early_stopping"})
    assert model.n_iter_ == 5
    expected = best if load_best or not early_stopping else model.history_.valid_loss.argmin() + 1
    assert model.best_epoch_ == expected
    shorter = quick(max_epochs=int(expected)).fit(X, Y)
    assert_same_weights(model, shorter)


def test_the_last_epoch_may_be_the_best_of_skorch():
    callbacks = [SkorchEarlyStopping("train_loss", patience=3, load_best=True)]
    model = quick(lr=0.01, skorch_params={"callbacks": callbacks}).fit(X, Y)
    assert model.best_epoch_ == model.n_iter_ == 6


@pytest.mark.parametrize("load_best", [True, False])
@pytest.mark.parametrize("broken", [None, 1, 3, 4])
def test_what_skorch_stopped_is_read_and_resumed_as_it_was(broken, load_best, tmp_path):
    whole = quick(skorch_params={"callbacks": stopping(load_best)}).fit(X, Y)
    callbacks = stopping(load_best) + ([] if broken is None else [At(broken, fail, within=True)])
    with contextlib.suppress(RuntimeError, IndexError):
        quick(checkpoint=tmp_path, skorch_params={"callbacks": callbacks}).fit(X, Y)
    for _ in range(2):
        again = quick(checkpoint=tmp_path, skorch_params={"callbacks": stopping(load_best)}).fit(
            X, Y
        )
        assert again.n_iter_ == whole.n_iter_ == 5
        assert again.best_epoch_ == whole.best_epoch_
        assert_same_weights(again, whole)


def test_a_training_that_diverged_says_so_again(tmp_path):
    models = []
    for _ in range(2):
        with pytest.warns(ConvergenceWarning, match="diverged in epoch 4"):
            models.append(poison(quick(checkpoint=tmp_path), 4).fit(X, Y))
    assert_same_weights(*models)


def test_checkpoint_and_warm_start_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="set warm_start=False"):
        quick(checkpoint=tmp_path, warm_start=True).fit(X, Y)


# Nothing unasked


def test_a_default_fit_is_silent_writes_nothing_and_changes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    np.random.seed(3)  # noqa: NPY002 - the global state that a fit leaves alone
    torch.manual_seed(3)

    def state():
        return (
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_float32_matmul_precision(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
            torch.are_deterministic_algorithms_enabled(),
            list(warnings.filters),
            dict(os.environ),
        )

    LSTMRegressor(max_epochs=1).fit(X, Y)  # torch imports sympy, which adds a warning filter
    before = state()
    LSTMRegressor(max_epochs=2).fit(X, Y).predict(X)
    LSTMClassifier(max_epochs=2, early_stopping=True).fit(X, Y > 0).predict_proba(X)
    assert state() == before
    told = capfd.readouterr()
    assert not told.out
    assert not told.err
    assert not list(tmp_path.iterdir())


def test_clone_knows_all_parameters(tmp_path):
    model = quick(checkpoint=tmp_path, verbose=2, lr_scheduler="step")
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_bfloat16_learns_as_float32_does(bidirectional, device):
    settings = {"max_epochs": 40, "lr": 0.02, "hidden_size": 16, "device": device}
    scores = [
        quick(dtype=dtype, bidirectional=bidirectional, **settings).fit(X, Y).score(X, Y)
        for dtype in ("float32", "bfloat16")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.02)
    ragged = [x[: 1 + i % 4] for i, x in enumerate(X)]
    model = quick(dtype="bfloat16", bidirectional=bidirectional, device=device).fit(ragged, Y)
    assert model.predict(ragged).dtype == np.float64
