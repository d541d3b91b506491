"""The systems that the benchmarks compare: a module each, written as a user of that library would.

All train one network: an LSTM layer, its output at the last step, a linear layer to one number.
It predicts column 0 of a standardised float32 table one row ahead, from the `window` rows before,
trained by the mean squared error and Adam. There is one prediction for each row from ``window`` on.
"""

from importlib import import_module
from typing import NamedTuple

import numpy as np

OWN = ("bare", "dataloader", "skorch", "sklstm", "sklstm_auto", "sklstm_bfloat16")
PEERS = ("keras", "darts", "neuralforecast")


class Size(NamedTuple):
    """Sizes of the network and the table.

    Attributes
    ----------
    window : int
        Rows before the predicted one that the network reads.
    hidden : int
        Units of the LSTM layer.
    batch : int
        Windows of a training step.
    rows : int
        Rows of the table.
    epochs : int
        Passes over all windows in a fit.
    """

    window: int
    hidden: int
    batch: int
    rows: int
    epochs: int

    @property
    def n_windows(self):
        """Windows with a next row to predict."""
        return self.rows - self.window

    @property
    def prediction_batch(self):
        """Windows predicted together, by all systems but sklstm that let one choose."""
        return max(self.batch, 1024)


class BaseSystem:
    """Base class of the systems.

    Parameters
    ----------
    size : Size
        The network and the work.
    device : {"cpu", "cuda"}
        Where to compute.
    """

    lr = 1e-3

    def __init__(self, size, device):
        self.size = size
        self.device = device

    def prepare(self, table):
        """Bring the table into the form that the library takes; not timed."""
        self.table = table

    def fit(self):
        """Train a new network."""
        raise NotImplementedError

    def predict(self):
        """Predict all windows: ndarray of shape (n_windows,)."""
        raise NotImplementedError


def load(name):
    """Import the system of that name, and its library; an ImportError names what is missing."""
    return import_module(f"{__name__}.{name}").System


def copied_windows(table, window):
    """Windows ``(n_windows, window, n_features)`` as an array of its own, and their targets."""
    windows = np.lib.stride_tricks.sliding_window_view(table[:-1], window, axis=0)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)), table[window:, :1]
