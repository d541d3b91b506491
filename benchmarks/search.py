"""Hyperparameter search on two cores, on Dask and by halving: time, data sent and memory.

    python benchmarks/search.py

24 candidates with 3 folds, on one core, on two, and on a Dask cluster of two processes. Dask is
installed by `pip install 'sklstm[dask]'`. Workers are started before the clock, and the searches
are timed in turn. Scores have to be equal.
"""

import argparse
import os
import shutil
import tempfile
import time

import joblib
import numpy as np
import pandas as pd
from joblib.externals.loky.backend import queues
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklstm import LSTMRegressor, SequenceWindower

GRID = {
    "lstmregressor__lr": [1e-3, 3e-3, 1e-2],
    "lstmregressor__hidden_size": [8, 16],
    "lstmregressor__clip_grad_norm": [0.1, 0.3, 1.0, 3.0],
}


class Count(Callback):
    """Count epochs."""

    n_epochs = 0

    def on_epoch_begin(self, net, **kwargs):
        """Count one."""
        Count.n_epochs += 1


def table(n_rows, n_features=4):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_rows, n_features))
    values[:, 0] = np.sin(np.arange(n_rows) / 10) + 0.1 * values[:, 0]
    return pd.DataFrame(values, columns=[f"sensor {k}" for k in range(n_features)])


def model(**params):
    settings = {"hidden_size": 8, "max_epochs": 10, "early_stopping": False, "random_state": 0}
    return make_pipeline(SequenceWindower(24, horizon=1), LSTMRegressor(**settings | params))


def scores(search):
    return np.array([search.cv_results_[f"split{k}_test_score"] for k in range(3)])


def run(grid, X, backend, n_jobs, **params):
    with joblib.parallel_backend(backend, **params):
        search = GridSearchCV(model(), grid, cv=TimeSeriesSplit(3), n_jobs=n_jobs, refit=False)
        begin = time.perf_counter()
        search.fit(X, X["sensor 0"])
        return time.perf_counter() - begin, scores(search)


def many_cores(n_rows, n_rounds):
    X = table(n_rows)
    warm = {"lstmregressor__lr": [1e-3, 3e-3]}
    ways = {"one core": ("loky", 1), "two cores": ("loky", 2)}
    params = {}
    try:
        import dask
        import distributed
    except ImportError:
        print("Dask: not installed")
    else:
        # Dask's own setting returns freed memory to the system at once: training would take 1.6
        # times as long, also in joblib's workers, as Dask leaves the setting in the environment.
        dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None})
        cluster = distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None)
        client = distributed.Client(cluster)
        ways["Dask"], params["Dask"] = ("dask", 2), {"scatter": [X, X["sensor 0"]]}
    for name, (backend, n_jobs) in ways.items():
        run(warm, X, backend, n_jobs, **params.get(name, {}))
    times = {name: [] for name in ways}
    for _ in range(n_rounds):
        found = {}
        for name, (backend, n_jobs) in ways.items():
            seconds, found[name] = run(GRID, X, backend, n_jobs, **params.get(name, {}))
            times[name].append(seconds)
        assert all(np.array_equal(found["one core"], other) for other in found.values())
    one = np.array(times["one core"])
    for name, seconds in times.items():
        ratio = np.median(np.array(seconds) / one)
        print(f"{name}: {np.median(seconds):.1f} s, {ratio:.2f} of one core")
    if "Dask" in ways:
        ratio = np.median(np.array(times["Dask"]) / np.array(times["two cores"]))
        print(f"Dask: {ratio:.2f} of two cores")
        client.close()
        cluster.close()


def data_sent():
    X, sizes, dumps = table(20_000, 16), [], queues.dumps

    def record(obj, *args, **kwargs):
        sizes.append(len(data := dumps(obj, *args, **kwargs)))
        return data

    queues.dumps = record
    try:
        for n_features in (16, 64):
            X = table(20_000, n_features)
            sizes.clear()
            search = GridSearchCV(
                model(max_epochs=1, batch_size=512, supervised_steps=4, init=None),
                {"lstmregressor__lr": [1e-3, 1e-2]},
                cv=TimeSeriesSplit(3),
                n_jobs=2,
                refit=False,
            )
            with joblib.parallel_config(max_nbytes=1000):
                search.fit(X, X["sensor 0"])
            print(
                f"sent a task: {np.median(sizes) / 1e3:.0f} kB at the median, at most "
                f"{max(sizes) / 1e3:.0f}, of a table of {X.to_numpy().nbytes / 1e3:.0f}"
            )
    finally:
        queues.dumps = dumps


def halving():
    X = table(1500)
    grid = {"lstmregressor__lr": [3e-4, 1e-3, 3e-3, 1e-2], "lstmregressor__hidden_size": [4, 8]}
    found, folder = {}, tempfile.mkdtemp()
    for checkpoint in (None, folder):
        Count.n_epochs = 0
        search = HalvingGridSearchCV(
            model(checkpoint=checkpoint, skorch_params={"callbacks": [Count()]}),
            grid,
            resource="lstmregressor__max_epochs",
            min_resources=4,
            max_resources=16,
            factor=2,
            cv=TimeSeriesSplit(3),
            refit=False,
        )
        begin = time.perf_counter()
        search.fit(X, X["sensor 0"])
        found[checkpoint] = Count.n_epochs, time.perf_counter() - begin, search.best_params_
        assert np.array_equal(first := scores(search), found.setdefault("scores", first))
    (n_new, seconds_new, best), (n_resumed, seconds_resumed, same) = found[None], found[folder]
    assert best == same
    n_bytes = sum(os.path.getsize(os.path.join(at, f)) for at, _, fs in os.walk(folder) for f in fs)
    n_files = sum(len(fs) for _, _, fs in os.walk(folder))
    shutil.rmtree(folder)
    print(
        f"halving: {n_resumed} epochs with checkpoints, {n_new} without "
        f"({n_resumed / n_new:.2f}), in "
        f"{seconds_resumed / seconds_new:.2f} of the time; same scores and winner; "
        f"{n_bytes / 1e6:.1f} MB in {n_files} files"
    )


def memory_growth():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    X = table(1000)
    sizes = []
    for n_candidates in (20, 100, 100):
        grid = {"lstmregressor__lr": list(np.geomspace(1e-3, 1e-2, n_candidates))}
        search = GridSearchCV(model(max_epochs=2), grid, cv=TimeSeriesSplit(3), refit=False)
        search.fit(X, X["sensor 0"])
        sizes.append(resident())
    print(
        f"memory of the process after 20 candidates: {sizes[0]:.0f} MB; after 100 more "
        f"{sizes[1] - sizes[0]:+.1f}, after 100 more {sizes[2] - sizes[1]:+.1f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    memory_growth()
    halving()
    data_sent()
    many_cores(args.rows, args.rounds)


if __name__ == "__main__":
    main()
