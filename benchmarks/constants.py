"""Constants of the package that save time: what a larger or smaller one costs.

    python benchmarks/constants.py                # all
    python benchmarks/constants.py GROUP          # one

Prints processor time as a ratio of that with the constant as it is, the median of rounds in which
all values take turns; or the figure that the constant bounds.
"""

import argparse
import statistics
import time

import numpy as np
import torch

import sklstm._data.lag_table as lag_table
import sklstm._data.statistics as of_statistics
import sklstm._nn.scaling as scaling
from sklstm import SequenceWindower
from sklstm._nn.network import SequenceNetwork

ROUNDS = 7
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(20_000, 8))


def ratios(module, name, values, work):
    """Processor time of the work with each value of a constant, as a ratio of its own."""
    own, seconds = getattr(module, name), {value: [] for value in values}
    for _ in range(ROUNDS):
        for value in values:
            setattr(module, name, value)
            begin = time.process_time()
            work()
            seconds[value].append(time.process_time() - begin)
    setattr(module, name, own)
    medians = {value: statistics.median(of_value) for value, of_value in seconds.items()}
    return {value: round(median / medians[own], 2) for value, median in medians.items()}


def sums_of_lags(sequences):
    """The sums of a linear init estimator of 24 lags."""
    table = lag_table.LagTable(sequences, np.zeros(8), np.ones(8), n_steps=24)
    target, weight = np.ones((len(sequences), 1)), np.ones(len(sequences))
    return lambda: table.moments(target, weight)


def group():
    windows = SequenceWindower(24).fit_transform(TABLE)[24:]
    values = [4, 8, 16, 32]
    return ratios(lag_table, "GROUP", values, sums_of_lags(windows))


def block_of_lags():
    rows = np.sort(RNG.permutation(len(TABLE) - 24)[:5000]) + 24  # single rows, which are copied
    windows = SequenceWindower(24).fit_transform(TABLE)[rows]
    values = [2**10, 2**12, 2**14, 2**16, 2**18]
    return ratios(lag_table, "BLOCK", values, sums_of_lags(windows))


def shortest_run():
    rows = np.flatnonzero(np.arange(len(TABLE) - 24) % 5 < 4) + 24  # runs of four rows
    windows = SequenceWindower(24).fit_transform(TABLE)[rows]
    return ratios(lag_table, "SHORTEST_RUN", [1, 4, 5], sums_of_lags(windows))


def block_of_statistics():
    column, weight = RNG.normal(size=10**6).astype(np.float32), np.ones(10**6)

    def work():
        return of_statistics.weighted_moments(column, weight)

    return ratios(of_statistics, "BLOCK", [2**10, 2**12, 2**14, 2**17, 2**20], work)


def block_of_scaling():
    values = RNG.normal(size=(200_000, 8)).astype(np.float32)
    of_values = scaling.InputScaling(np.zeros(8), np.ones(8))

    def work():
        return of_values.to_tensor(values, torch.float32, torch.device("cpu"))

    return ratios(scaling, "BLOCK", [2**10, 2**12, 2**14, 2**16, 2**18], work)


def batches_in_pool():
    """Share of padding in batches of 64, of 20,000 lengths from 1 to 100."""
    lengths = RNG.integers(1, 101, size=20_000)
    shares = {}
    for n_batches in (1, 8, 32, 128):
        pool = np.arange(len(lengths)) // (64 * n_batches)
        of_batches = np.array_split(lengths[np.lexsort((lengths, pool))], len(lengths) // 64)
        steps = sum(batch.max() * len(batch) for batch in of_batches)
        shares[n_batches] = round(1 - lengths.sum() / steps, 3)
    return shares


def step_cost():
    """Fixed cost of a step, in sequences, and of a call, in steps; by least squares."""
    costs = {}
    for hidden_size in (8, 32):
        network = SequenceNetwork(8, 1, hidden_size)
        sizes = [(n_steps, n) for n_steps in (8, 32, 96) for n in (4, 16, 64)]
        seconds = []
        for n_steps, n in sizes:
            steps, taken = torch.zeros(n_steps, n, 8), []
            for _ in range(15 * ROUNDS):
                begin = time.process_time()
                network(steps).sum().backward()
                taken.append(time.process_time() - begin)
            seconds.append(statistics.median(taken))
        terms = np.array([(1, n_steps, n_steps * n) for n_steps, n in sizes], dtype=float)
        weight = 1 / np.array(seconds)[:, None]
        call, step, sequence = np.linalg.lstsq(terms * weight, np.ones(len(sizes)), rcond=None)[0]
        costs[hidden_size] = round(step / sequence, 1), round(call / step, 1)
    return costs


MEASURED = {
    "GROUP": group,
    "BLOCK of lags": block_of_lags,
    "SHORTEST_RUN": shortest_run,
    "BLOCK of statistics": block_of_statistics,
    "BLOCK of scaling": block_of_scaling,
    "BATCHES_IN_POOL": batches_in_pool,
    "STEP_COST, STEPS_OF_CALL": step_cost,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=str(list(MEASURED)))
    torch.set_num_threads(1)
    for name in parser.parse_args().names or MEASURED:
        print(f"{name}: {MEASURED[name]()}", flush=True)


if __name__ == "__main__":
    main()
