"""
Train one network in several processes
======================================

Distributed data-parallel training: where one GPU is not enough for one network, each process reads
its share of every batch on its own GPU, and a callback averages the gradients, so that all take
the same optimizer step. Here two processes on the CPU show that the result is that of one process
with batches twice as large::

    python examples/train_in_two_processes.py

With GPUs set ``device=f"cuda:{rank}"`` and the backend ``"nccl"``. Statistics
that are learned from the data would differ between the shares, so values are standardised
beforehand; each share must have the same number of sequences, and all classes. The script starts
processes, so it is not a notebook.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from skorch.callbacks import Callback
from torch import distributed, multiprocessing

from sklstm import LSTMClassifier

N_PROCESSES, BATCH_SIZE = 2, 1296
SETTINGS = {"hidden_size": 32, "lr": 0.05, "max_epochs": 20, "dtype": "float64"}


class AverageGradients(Callback):
    """Take the mean of the gradients of all processes, before each optimizer step."""

    def on_grad_computed(self, net, named_parameters=(), **kwargs):
        """Average; shares of different sizes would need a weighted mean."""
        for _, weights in named_parameters:
            distributed.all_reduce(weights.grad)
            weights.grad /= distributed.get_world_size()


def train(rank, folder):
    """Train on a share, and save the predicted probabilities of the test images."""
    distributed.init_process_group(
        "gloo", f"file://{folder}/meeting", rank=rank, world_size=N_PROCESSES
    )
    torch.set_num_threads(1)
    X, y, X_test, _ = read()
    model = LSTMClassifier(
        **SETTINGS,
        standardize=False,
        batch_size=BATCH_SIZE // N_PROCESSES,
        skorch_params={"callbacks": [AverageGradients()]},
        random_state=0,
    )
    model.fit(X[rank::N_PROCESSES], y[rank::N_PROCESSES])
    np.save(Path(folder) / f"{rank}.npy", model.predict_proba(X_test))
    distributed.destroy_process_group()


def read():
    """Images as sequences of rows, from top to bottom; the last 500 are the test part."""
    images, y = load_digits(return_X_y=True)
    X = images.reshape(-1, 8, 8) / 8 - 1
    return X[:BATCH_SIZE], y[:BATCH_SIZE], X[-500:], y[-500:]


def main():
    """Train in two processes, then in one, and compare."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with TemporaryDirectory() as folder:
        multiprocessing.spawn(train, (folder,), nprocs=N_PROCESSES)
        several = [np.load(Path(folder) / f"{rank}.npy") for rank in range(N_PROCESSES)]
    X, y, X_test, y_test = read()
    one = LSTMClassifier(**SETTINGS, standardize=False, batch_size=BATCH_SIZE, random_state=0)
    alone = one.fit(X, y).predict_proba(X_test)
    forest = RandomForestClassifier(random_state=0).fit(X.reshape(len(X), -1), y)

    print(f"largest difference between the processes: {np.abs(several[0] - several[1]).max():.0e}")
    print(f"largest difference to one process: {np.abs(several[0] - alone).max():.0e}")
    print(f"LSTM: accuracy {np.mean(several[0].argmax(1) == y_test):.3f}")
    print(f"random forest: accuracy {forest.score(X_test.reshape(500, -1), y_test):.3f}")
    print(f"most frequent digit: accuracy {np.bincount(y_test).max() / 500:.3f}")


if __name__ == "__main__":
    main()
