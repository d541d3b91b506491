"""Time and memory of windowing 1,000,000 rows in 1,000 interleaved series.

    python benchmarks/windowing.py

The time is that of pandas' ``groupby().shift(1)`` on the same table, taken in turn, medians of
nine runs; the memory is what NumPy and pandas allocate, beside the table.
"""

import time
import tracemalloc

import numpy as np
import pandas as pd

from sklstm import SequenceWindower

N_SERIES, N_ROWS_EACH, N_FEATURES, WINDOW_SIZE = 1000, 1000, 8, 96


def make_table(name_of):
    n_rows = N_SERIES * N_ROWS_EACH
    values = np.random.default_rng(0).standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    table = pd.DataFrame(values, columns=list("abcdefgh"))
    names = pd.Index([name_of(code) for code in range(N_SERIES)])
    return table.assign(
        station=np.tile(names, N_ROWS_EACH), hour=np.repeat(np.arange(N_ROWS_EACH), N_SERIES)
    )


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main():
    for kind, name_of in (("whole numbers", int), ("texts", "station {}".format)):
        table = make_table(name_of)
        windower = SequenceWindower(WINDOW_SIZE, horizon=1, series="station", time="hour")
        runs = [
            (
                seconds(lambda table=table: table.groupby("station").shift(1)),
                seconds(lambda table=table, windower=windower: windower.fit_transform(table)),
            )
            for _ in range(9)
        ]
        shift, windowing = np.array(runs).T
        tracemalloc.start()
        sequences = windower.fit_transform(table)
        kept, peak = (size / 2**20 for size in tracemalloc.get_traced_memory())
        tracemalloc.stop()
        print(
            f"series named by {kind}: {len(sequences)} histories in {np.median(windowing):.3f} s, "
            f"shift {np.median(shift):.3f} s, ratio {np.median(windowing / shift):.2f}; kept "
            f"{kept:.0f} MB, peak {peak:.0f} MB, table {table.memory_usage().sum() / 2**20:.0f} MB"
        )


if __name__ == "__main__":
    main()
