"""Callbacks, bars and checkpoints: what they are told, and what is refused."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import skorch.callbacks
import torch
from sklearn.model_selection import GridSearchCV

from sklstm import LSTMRegressor

X = np.random.default_rng(0).normal(size=(60, 4, 2))
Y = X[:, -1, 0]


def quick(**params):
    return LSTMRegressor(**{"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params)


@pytest.mark.parametrize(
    "callback",
    [
        skorch.callbacks.EpochScoring("r2"),
        skorch.callbacks.BatchScoring("r2"),
        ("score", skorch.callbacks.EpochScoring("r2")),
        skorch.callbacks.Checkpoint,
        skorch.callbacks.TrainEndCheckpoint(),
    ],
)
def test_callbacks_that_cannot_work_are_refused_by_name(callback):
    name = getattr(callback, "__name__", type(callback).__name__)
    name = "EpochScoring" if name == "tuple" else name
    cure = "parameter checkpoint" if "Checkpoint" in name else "ScoringMonitor"
    with pytest.raises(ValueError, match=f"skorch's {name} among the callbacks .*{cure}"):
        quick(skorch_params={"callbacks": [callback]}).fit(X, Y)


@pytest.mark.parametrize(
    "callback",
    [
        skorch.callbacks.EarlyStopping(monitor="train_loss"),
        skorch.callbacks.LRScheduler("StepLR", step_size=1),
        skorch.callbacks.GradientNormClipping(1.0),
        skorch.callbacks.ParamMapper("recurrent.*"),
        skorch.callbacks.PassthroughScoring("train_loss"),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_other_callbacks_of_skorch_work(callback):
    assert quick(skorch_params={"callbacks": [callback]}).fit(X, Y).n_iter_ == 3


@pytest.mark.parametrize("verbose", [0, 1, 2])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_callback_that_fails_at_the_beginning_is_what_is_raised(verbose, early_stopping):
    class Failing(skorch.callbacks.Callback):
        def on_train_begin(self, net, **kwargs):
            raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        quick(
            skorch_params={"callbacks": [Failing()]}, verbose=verbose, early_stopping=early_stopping
        ).fit(X, Y)


def test_lines_of_a_warm_start_count_on(capsys):
    model = quick(verbose=2, warm_start=True).fit(X, Y).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3", "4/6", "5/6", "6/6"]
    assert model.n_iter_ == 6


def test_bars_of_a_search_say_whose_they_are(capsys):
    GridSearchCV(quick(verbose=1, max_epochs=2), {"hidden_size": [2, 3]}, cv=2).fit(X, Y)
    told = capsys.readouterr().err
    assert "LSTMRegressor(hidden_size=2" in told
    assert "LSTMRegressor(hidden_size=3" in told


# Checkpoints


def n_trainings(folder):
    return len(list(folder.iterdir()))


def test_a_longer_training_is_not_cut_short(tmp_path):
    quick(checkpoint=tmp_path, max_epochs=6).fit(X, Y)
    assert quick(checkpoint=tmp_path, max_epochs=2).fit(X, Y).n_iter_ == 2
    assert n_trainings(tmp_path) == 1


def test_another_lambda_is_another_training(tmp_path):
    def scheduled(factor):
        return quick(
            checkpoint=tmp_path,
            lr_scheduler=lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(
                optimizer, factor
            ),
        )

    scheduled(0.5).fit(X, Y)
    scheduled(0.5).fit(X, Y)
    assert n_trainings(tmp_path) == 1
    scheduled(0.9).fit(X, Y)
    assert n_trainings(tmp_path) == 2


def test_another_partial_is_another_training(tmp_path):
    make = torch.optim.lr_scheduler.ExponentialLR
    for gamma in (0.5, 0.9):
        quick(checkpoint=tmp_path, lr_scheduler=partial(make, gamma=gamma)).fit(X, Y)
    assert n_trainings(tmp_path) == 2


SCRIPT = """
import sys
from functools import partial
import numpy as np
import torch
from sklstm import LSTMRegressor

def decay(factor, epoch):
    return factor ** epoch

X = np.random.default_rng(0).normal(size=(60, 4, 2))
model = LSTMRegressor(
    4,
    max_epochs=int(sys.argv[2]),
    random_state=0,
    checkpoint=sys.argv[1],
    lr_scheduler=partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=partial(decay, 0.5)),
)
class Break(Exception):
    pass
from skorch.callbacks import Callback
class Breaking(Callback):
    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise Break
if sys.argv[3] == "break":
    model.set_params(skorch_params={"callbacks": [Breaking()]})
try:
    model.fit(X, X[:, -1, 0])
except Break:
    pass
print(model.n_iter_, float(model.history_["lr"].iloc[-1]))
"""


def test_a_scheduler_of_a_function_goes_on_in_another_process(tmp_path):
    def run(end):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), "5", end]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert run("break")[0] == "2"
    n_epochs, lr = run("end")
    assert n_epochs == "5"
    assert float(lr) == pytest.approx(3e-3 * 0.5**4)
