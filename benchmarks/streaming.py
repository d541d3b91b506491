"""Milliseconds a row: predicting a stream of rows, or predicting a buffer of the last rows.

    python benchmarks/streaming.py

In a stream, each row is predicted and then added to the windower's buffer of past rows (its
`partial_fit`). The other way predicts a whole window of rows for its last prediction.
"""

import time
import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceWindower

WINDOW, HIDDEN, ROWS, ROUNDS = 24, 64, 500, 5


def seconds(run, *tables):
    start = time.perf_counter()
    for table in tables:
        run(table)
    return time.perf_counter() - start


def main():
    torch.set_num_threads(1)
    index = pd.date_range("2024", periods=2000 + (2 * ROUNDS + 1) * ROWS, freq="h")
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(len(index), 4)), index=index)
    table.columns = list("abcd")
    model = make_pipeline(
        SequenceWindower(WINDOW), LSTMRegressor(HIDDEN, max_epochs=1, random_state=0)
    )
    model.fit(table[:2000], table["a"][:2000].shift(-1, fill_value=0.0))
    windower, network = model[0], model[1]
    buffer, predict, update, of_network = [], [], [], []
    first = 2000
    for _ in range(ROUNDS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the rows overlap the windower's buffer
            rows = range(first, first + ROWS)
            buffer.append(seconds(model.predict, *(table[i - 23 : i + 1] for i in rows)))
        spent = np.zeros(2)
        for row in rows:
            now = table[row : row + 1]
            spent += seconds(model.predict, now), seconds(windower.partial_fit, now)
        predict.append(spent[0])
        update.append(spent[1])
        history = windower.transform(table[first + ROWS : first + ROWS + 1])
        of_network.append(seconds(network.predict, *[history] * ROWS))
        first += ROWS
    times = {
        "predict a buffer": buffer,
        "predict a row": predict,
        "of which the network": of_network,
        "update the buffer": update,
    }
    for name, spent in times.items():
        print(f"{name:22s} {1000 * np.median(spent) / ROWS:6.2f} ms")


if __name__ == "__main__":
    main()
