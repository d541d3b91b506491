"""Time of a fit that is not training: a default fit of 600 histories, less its one epoch.

    python benchmarks/fit_overhead.py             # this build
    python benchmarks/fit_overhead.py ../another  # and that of another folder, in turn

Milliseconds of processor time, the median of the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import time

import numpy as np
from skorch import NeuralNet

from sklstm import LSTMRegressor, SequenceWindower

fit_loop, epochs = NeuralNet.fit_loop, []


def timed(*args, **kwargs):
    begin = time.process_time()
    result = fit_loop(*args, **kwargs)
    epochs.append(time.process_time() - begin)
    return result


NeuralNet.fit_loop = timed
table = np.random.default_rng(0).normal(size=(600, 8)).cumsum(axis=0)
X = SequenceWindower(24, horizon=1).fit_transform(table)
model = LSTMRegressor(max_epochs=1, random_state=0)
for _ in range(3):
    model.fit(X, table[:, 0])
for _ in sys.stdin:
    begin = time.process_time()
    model.fit(X, table[:, 0])
    took = time.process_time() - begin
    print(1000 * (took - epochs[-1]), flush=True)
"""


def start(folder):
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # -P: the current folder, which may be another build, is not searched first.
    return subprocess.Popen([sys.executable, "-P", "-c", CODE], env=environment, **pipes)


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("others", nargs="*", type=Path, help="folders of other builds")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    folders = [Path(__file__).parent.parent, *options.others]
    processes = [start(folder.resolve()) for folder in folders]
    rounds = [[ask(process) for process in processes] for _ in range(options.rounds)]
    for process in processes:
        process.stdin.close()
        process.wait()
    for folder, times in zip(folders, zip(*rounds, strict=True), strict=True):
        print(f"{folder.resolve().name}: {statistics.median(times):.1f} ms")
    for folder, times in list(zip(folders, zip(*rounds, strict=True), strict=True))[1:]:
        ratios = [first / other for (first, *_), other in zip(rounds, times, strict=True)]
        print(f"this build / {folder.resolve().name}: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
