"""Peak memory of windowing a large table, and of an epoch on it, above that of the imports.

    python benchmarks/peak_memory.py [n_rows]

Peak resident memory only grows, so the figures are taken one after another in one process.
"""

import resource
import sys

import numpy as np

from sklstm import LSTMRegressor, SequenceWindower

N_FEATURES, WINDOW_SIZE = 8, 96


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(n_rows):
    plain = {"input_transform": "levels", "init": None, "early_stopping": False}
    small = {"hidden_size": 8, "cell": "rnn", "max_epochs": 1, "batch_size": 1024}
    model = LSTMRegressor(**small, **plain, device="cpu")
    tiny = np.random.default_rng(0).normal(size=(2000, N_FEATURES)).astype(np.float32)
    windows = SequenceWindower(WINDOW_SIZE, horizon=1).fit_transform(tiny)
    model.fit(windows, tiny[:, 0]).predict(windows)  # torch sets up its own buffers
    imports = peak_mb()

    table = np.random.default_rng(0).standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    with_table = peak_mb()
    windows = SequenceWindower(WINDOW_SIZE, horizon=1).fit_transform(table)
    with_windows = peak_mb()
    model.fit(windows, table[:, 0])
    with_epoch = peak_mb()

    print(f"{n_rows} rows x {N_FEATURES} float32 features, windows of {WINDOW_SIZE} steps")
    print(f"copied windows would take    {n_rows * WINDOW_SIZE * N_FEATURES * 4 / 2**20:8.0f} MB")
    print(f"imports and a tiny fit       {imports:8.0f} MB")
    print(f"the table                    {with_table - imports:+8.0f} MB")
    print(f"windowing adds               {with_windows - with_table:+8.0f} MB")
    print(f"an epoch of training adds    {with_epoch - with_windows:+8.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
