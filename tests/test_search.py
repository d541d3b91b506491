"""Searches that are killed, resumed, and shared among processes."""

import os
import pickle
import subprocess
import sys
import threading
import time
import types
import warnings

import joblib
import numpy as np
import optuna
import pandas as pd
import pytest
from joblib.externals.loky.backend import queues
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklstm import LSTMRegressor, PruningCallback, SequenceWindower

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4, 2))
Y = X[:, -1, 0]
TABLE = pd.DataFrame(RNG.normal(size=(120, 2)), columns=["wind", "rain"])
TARGET = TABLE["wind"].cumsum()
LRS = [1e-3, 3e-3, 1e-2, 3e-2]


class Count(Callback):
    """Count the epochs of all trainings of this process."""

    begun = 0

    def on_epoch_begin(self, net, **kwargs):
        Count.begun += 1


@pytest.fixture(autouse=True)
def from_zero():
    Count.begun = 0


def quick(**params):
    defaults = {"hidden_size": 4, "max_epochs": 3, "random_state": 0}
    defaults["skorch_params"] = {"callbacks": [Count()]}
    return LSTMRegressor(**defaults | params)


def on_table(**params):
    return make_pipeline(SequenceWindower(6, horizon=1), quick(**params))


def scores(search):
    names = [name for name in search.cv_results_ if name.startswith("split")]
    return np.array([search.cv_results_[name] for name in names])


# A search that goes on


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"init": None, "early_stopping": False, "dropout": 0.3},
        {"lr_scheduler": "plateau"},
        {"lr_scheduler": "onecycle"},
        {"max_epochs": 30, "early_stopping": True, "n_iter_no_change": 2},
    ],
    ids=str,
)
def test_a_search_that_is_run_again_reads_what_it_finished(params, tmp_path):
    grid, cv = {"lstmregressor__lr": LRS[:2]}, TimeSeriesSplit(2)
    kept = GridSearchCV(on_table(checkpoint=tmp_path, **params), grid, cv=cv).fit(TABLE, TARGET)
    trained = Count.begun
    assert trained > 0
    again = GridSearchCV(on_table(checkpoint=tmp_path, **params), grid, cv=cv).fit(TABLE, TARGET)
    assert Count.begun == trained
    without = GridSearchCV(on_table(**params), grid, cv=cv).fit(TABLE, TARGET)
    assert Count.begun == 2 * trained
    for search in (kept, again):
        np.testing.assert_array_equal(scores(search), scores(without))
        np.testing.assert_array_equal(search.predict(TABLE), without.predict(TABLE))


def test_one_folder_for_each_training_tells_what_it_is(tmp_path):
    GridSearchCV(quick(checkpoint=tmp_path), {"lr": LRS[:2]}, cv=2).fit(X, Y)
    folders = list(tmp_path.iterdir())
    assert len(folders) == 5  # the last learns from all rows
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == [
            "finished-3.sklstm",
            "training.json",
        ]
    assert sum('"lr": "0.001"' in (f / "training.json").read_text() for f in folders) >= 2


SCRIPT = """
import os, signal, sys, time
import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from sklstm import LSTMRegressor

folder, n_kills = sys.argv[1], int(sys.argv[2])
X = np.random.default_rng(0).normal(size=(60, 4, 2))
told, tell = os.pipe()

class Tell(Callback):
    def on_epoch_begin(self, net, **kwargs):
        os.write(tell, b"e")

def search():
    model = LSTMRegressor(4, max_epochs=12, dropout=0.1, early_stopping=False, random_state=0)
    model.set_params(checkpoint=folder + "/checkpoints", skorch_params={"callbacks": [Tell()]})
    with joblib.parallel_backend("threading", n_jobs=2):
        search = GridSearchCV(model, {"lr": [0.001, 0.01], "hidden_size": [2, 3]}, cv=3)
        search.fit(X, X[:, -1, 0])
    names = [f"split{k}_test_score" for k in range(3)]
    np.save(folder + "/scores.npy", [search.cv_results_[name] for name in names])

rng = np.random.default_rng(int(sys.argv[3]))
begun, died = 0, 0
for kill in range(n_kills + 1):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        search()
        os._exit(0)
    os.close(tell)
    if kill < n_kills:
        begun += sum(len(os.read(told, 1)) for _ in range(rng.integers(2, 14)))
        time.sleep(rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
    while some := os.read(told, 4096):
        begun += len(some)
    died += os.waitpid(child, 0)[1] == signal.SIGKILL
    os.close(told)
print(begun, died)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks, to die sooner")
def test_a_search_killed_ten_times_repeats_an_epoch_of_each_worker(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "10", "1"]
    begun, died = map(int, subprocess.check_output(command, text=True).split())
    model = quick(max_epochs=12, dropout=0.1, early_stopping=False)
    grid = {"lr": [0.001, 0.01], "hidden_size": [2, 3]}
    whole = GridSearchCV(model, grid, cv=3).fit(X, Y)
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), scores(whole))
    assert Count.begun == (4 * 3 + 1) * 12
    assert died == 10
    assert Count.begun <= begun <= Count.begun + 10 * 2  # two workers


def halving(**params):
    model = quick(hidden_size=8, early_stopping=False, **params)
    grid = {"lr": [1e-4, 1e-3, 1e-2, 5e-2], "hidden_size": [3, 8]}
    search = HalvingGridSearchCV(
        model,
        grid,
        cv=2,
        resource="max_epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        refit=False,
    )
    return search.fit(X, Y)


def test_halving_over_epochs_trains_candidates_on(tmp_path):
    anew = halving()
    assert Count.begun == 2 * (8 * 2 + 4 * 4 + 2 * 8)
    Count.begun = 0
    on = halving(checkpoint=tmp_path)
    assert Count.begun == 2 * (8 * 2 + 4 * 2 + 2 * 4)
    assert on.best_params_ == anew.best_params_
    np.testing.assert_array_equal(scores(on), scores(anew))


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "step"])
def test_a_schedule_with_an_end_trains_anew_and_says_so(schedule, tmp_path):
    quick(checkpoint=tmp_path, max_epochs=2, lr_scheduler=schedule).fit(X, Y)
    longer = quick(checkpoint=tmp_path, max_epochs=4, lr_scheduler=schedule)
    with pytest.warns(UserWarning, match="of 2 epochs cannot go on to 4.* 'plateau' goes on"):
        longer.fit(X, Y)
    assert Count.begun == 6
    np.testing.assert_array_equal(
        longer.predict(X), quick(max_epochs=4, lr_scheduler=schedule).fit(X, Y).predict(X)
    )


def test_equal_trainings_at_one_time_do_no_harm(tmp_path):
    model = quick(checkpoint=tmp_path, max_epochs=8)
    grid = {"lr": [1e-3] * 3, "max_epochs": [8, 5]}
    with joblib.parallel_backend("threading", n_jobs=4):
        search = GridSearchCV(model, grid, cv=2, refit=False).fit(X, Y)
    np.testing.assert_array_equal(
        scores(search),
        scores(GridSearchCV(quick(), grid, cv=2, refit=False).fit(X, Y)),
    )
    assert len(list(tmp_path.iterdir())) == 2
    assert len(list(tmp_path.glob("*/*"))) == 6


# Many cores


def on_many_cores(backend, X, y, grid, scatter=None, **params):
    more = {"scatter": scatter} if scatter else {"max_nbytes": 1000}
    with joblib.parallel_config(backend, **more):
        model = make_pipeline(SequenceWindower(6, horizon=1), quick(skorch_params=None, **params))
        return GridSearchCV(model, grid, cv=TimeSeriesSplit(2), n_jobs=2).fit(X, y)


@pytest.fixture
def sent(monkeypatch):
    """Sizes of what this process sends to its workers."""
    sizes = []

    def noting(obj, *args, **kwargs):
        sizes.append(len(made := dumps(obj, *args, **kwargs)))
        return made

    dumps = queues.dumps
    monkeypatch.setattr(queues, "dumps", noting)
    return sizes


def test_processes_get_the_table_once_and_give_the_same_scores(sent, tmp_path):
    rows = np.random.default_rng(0).normal(size=(20_000, 16))  # 2.5 MB
    table = pd.DataFrame(rows, columns=[f"sensor {k}" for k in range(16)])
    y = table["sensor 0"]
    grid = {"lstmregressor__lr": LRS, "lstmregressor__max_epochs": [1]}
    params = {"supervised_steps": 4, "batch_size": 512, "checkpoint": tmp_path, "init": None}
    processes = on_many_cores("loky", table, y, grid, **params)
    assert len(sent) >= 8
    assert max(sent) < 20_000  # bytes, of a table of 2.5 million
    n_folders = len(list(tmp_path.iterdir()))
    threads = on_many_cores("threading", table, y, grid, **params | {"checkpoint": None})
    np.testing.assert_array_equal(scores(processes), scores(threads))
    on_many_cores("threading", table, y, grid, **params)  # hashes of memory-mapped and other arrays
    assert len(list(tmp_path.iterdir())) == n_folders == 4 * 2 + 1


def test_dask_gives_the_same_scores_also_when_a_worker_dies(tmp_path):
    distributed = pytest.importorskip("distributed", reason="pip install 'sklstm[dask]'")
    grid = {"lstmregressor__lr": LRS}
    params = {"max_epochs": 20, "early_stopping": False}
    alone = on_many_cores("threading", TABLE, TARGET, grid, **params)

    def kill(pid):
        while len(list(tmp_path.glob("*/finished-*"))) < 2:
            time.sleep(0.01)
        os.kill(pid, 9)

    with (
        warnings.catch_warnings(action="ignore"),  # of the worker that is lost
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pid = min(client.run(os.getpid).values())
        killing = threading.Thread(target=kill, args=[pid], daemon=True)
        killing.start()
        params |= {"checkpoint": tmp_path, "scatter": [TABLE, TARGET]}
        shared = on_many_cores("dask", TABLE, TARGET, grid, **params)
        killing.join()
        assert pid not in client.run(os.getpid).values()
    np.testing.assert_array_equal(scores(shared), scores(alone))


# One bar


def test_a_search_shows_one_bar(capsys):
    pytest.importorskip("rich", reason="scikit-learn's bar is drawn by rich")
    search = GridSearchCV(quick(), {"lr": LRS}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=0)).fit(X, Y)
    told = capsys.readouterr().out
    assert "GridSearchCV - search" in told
    assert "LSTMRegressor" not in told


# Trials that are given up


def study_of(losses_of, direction, n_trials=3, **params):
    """A study of given learning rates, in which a trial must be better than the one before."""

    def objective(trial):
        model = on_table(lr=losses_of[trial.number], early_stopping=False, **params)
        model[-1].set_callbacks(PruningCallback(trial))
        cv = TimeSeriesSplit(2)
        score = cross_val_score(model, TABLE, TARGET, cv=cv, error_score="raise").mean()
        return score if direction == "maximize" else -score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1)
    study = optuna.create_study(direction=direction, pruner=pruner)
    study.optimize(objective, n_trials=n_trials)
    return study


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_hopeless_trials_are_pruned_inside_a_cross_validation(direction):
    study = study_of([1e-2, 1e-9, 2e-2], direction, init=None, max_epochs=6)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert sorted(study.trials[0].intermediate_values) == [*range(1, 13)]  # two folds of 6 epochs
    assert Count.begun == 12 + 2 + 12
    sign = -1 if direction == "maximize" else 1
    assert all(sign * value > 0 for value in study.trials[0].intermediate_values.values())


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile", "gaussian"])
def test_losses_are_told_in_units_of_the_target(loss):
    def told(factor):
        values = []
        trial = types.SimpleNamespace(
            study=types.SimpleNamespace(direction=None),
            report=lambda value, step: values.append(value),
            should_prune=lambda: False,
        )
        model = quick(loss=loss, init=None).set_callbacks(PruningCallback(trial))
        model.fit(X, factor * Y)
        return np.array(values)

    if loss == "gaussian":
        np.testing.assert_allclose(told(100), told(1) + np.log(100), rtol=1e-5)
    else:
        factor = 100 ** (2 if loss == "squared_error" else 1)
        np.testing.assert_allclose(told(100), factor * told(1), rtol=1e-4)


def test_a_trial_stays_in_its_process():
    model = quick().set_callbacks(PruningCallback(None))
    with pytest.raises(TypeError, match="set n_jobs of study.optimize"):
        pickle.dumps(model._skl_callbacks)
    assert clone(model)._skl_callbacks[0] is model._skl_callbacks[0]
