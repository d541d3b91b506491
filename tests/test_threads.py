"""Fits in threads and forked processes give what they give alone."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import Ridge
from skorch.callbacks import Callback

from sklstm import LSTMRegressor

X = np.random.default_rng(0).normal(size=(120, 6, 2))
Y = X[:, -1, 0]
SETTINGS = [
    {"random_state": 0},
    {"random_state": 1, "dropout": 0.3, "num_layers": 2},
    {"random_state": 2, "batch_size": 16},
    {"random_state": 3, "dropout": 0.5, "pooling": "mean", "bidirectional": True},
]


def predicted(params):
    return LSTMRegressor(8, max_epochs=6, **params).fit(X, Y).predict(X)


def in_time(function, *args, seconds=120):
    """What a function returns, or a failure if it hangs."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*args)), daemon=True)
    thread.start()
    thread.join(seconds)
    assert result, "it hangs, or has failed"
    return result[0]


def test_fits_in_threads_are_those_of_one_after_another():
    alone = [predicted(params) for params in SETTINGS]
    torch.manual_seed(7)
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(predicted, SETTINGS))
        for given, expected in zip(together, alone, strict=True):
            np.testing.assert_array_equal(given, expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads
    assert in_time(torch.get_num_threads) == n_threads


def test_fits_that_overlap_give_back_the_number_of_threads_before_both():
    first_began, second_began, first_ended = (threading.Event() for _ in range(3))

    class First(Callback):
        def on_train_begin(self, net, **kwargs):
            first_began.set()
            assert second_began.wait(60)

    class Second(Callback):
        def on_train_begin(self, net, **kwargs):
            second_began.set()
            assert first_ended.wait(60)

    def fit(callback):
        LSTMRegressor(2, max_epochs=1, skorch_params={"callbacks": [callback]}).fit(X, Y)

    torch.set_num_threads(2)  # more than these small networks need
    try:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(fit, First())
            assert first_began.wait(60)
            second = pool.submit(fit, Second())
            first.result(60)
            first_ended.set()
            second.result(60)
        assert in_time(torch.get_num_threads) == 2
    finally:
        torch.set_num_threads(1)


def test_loading_in_threads_leaves_the_global_state():
    model = LSTMRegressor(4, max_epochs=2, random_state=0).fit(X, Y)
    expected = model.predict(X)
    content = joblib.hash(model), model.__getstate__()

    def load(_):
        new = LSTMRegressor()
        new.__setstate__(dict(content[1]))
        return new.predict(X)

    state = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        for given in pool.map(load, range(12)):
            np.testing.assert_array_equal(given, expected)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_stacking_in_parallel_is_stacking(backend):
    def stacked(n_jobs):
        members = [(str(i), LSTMRegressor(4, max_epochs=3, **p)) for i, p in enumerate(SETTINGS)]
        with joblib.parallel_config(backend):
            model = StackingRegressor(members, Ridge(), cv=2, n_jobs=n_jobs).fit(X, Y)
        return model.predict(X)

    np.testing.assert_allclose(in_time(stacked, 2), stacked(1), rtol=1e-5)


def test_a_fit_inside_the_callback_of_a_fit():
    """In threads of its own, while another fit waits for them: no lock is held meanwhile."""
    inner = []

    class Nested(Callback):
        def on_epoch_end(self, net, **kwargs):
            with joblib.parallel_config("threading"):
                inner.extend(joblib.Parallel(2)(joblib.delayed(predicted)(p) for p in SETTINGS[:2]))

    def fit():
        model = LSTMRegressor(
            8, max_epochs=2, skorch_params={"callbacks": [Nested()]}, **SETTINGS[1]
        )
        return model.fit(X, Y).predict(X)

    given = in_time(fit)
    expected = LSTMRegressor(8, max_epochs=2, **SETTINGS[1]).fit(X, Y).predict(X)
    np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(inner[0], predicted(SETTINGS[0]))
    np.testing.assert_array_equal(inner[3], predicted(SETTINGS[1]))


FORK = """
import os, threading, time, warnings
import numpy as np
import torch
from sklstm import LSTMRegressor
from sklstm._train.seeds import RandomStream
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(120, 6, 2))
def fit():
    return LSTMRegressor(8, max_epochs=3, dropout=0.5, random_state=0).fit(X, X[:, -1, 0])
expected, begun = fit().predict(X), threading.Event()
def draw():
    with RandomStream(1, torch.device("cpu")).as_global():
        begun.set()
        time.sleep(0.5)
for _ in range(3):
    begun.clear()
    drawing = threading.Thread(target=draw)
    drawing.start()
    begun.wait()
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(fit().predict(X), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    drawing.join()
assert np.array_equal(fit().predict(X), expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_forked_while_a_thread_draws():
    """What is not ours to lock, such as the memory of a library, a fork may still find locked."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=120, env=environment)
