"""Seconds to import sklstm, and its dependencies alone, in fresh interpreters.

    python benchmarks/imports.py

Medians of seven rounds, in turn.
"""

import statistics
import subprocess
import sys

from report import RESULTS, machine

STATEMENTS = {
    "its dependencies": "import torch, sklearn, pandas, skorch",
    "a network": "from sklstm import LSTMRegressor",
    "the windower alone": "from sklstm import SequenceWindower",
}
N_ROUNDS = 7
CLOCK = "import time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"


def run(code):
    return subprocess.check_output([sys.executable, "-c", code], text=True)


def main():
    for statement in STATEMENTS.values():
        run(statement)  # compiles the files, and fills the cache of the disk
    seconds = {name: [] for name in STATEMENTS}
    for _ in range(N_ROUNDS):
        for name, statement in STATEMENTS.items():
            seconds[name].append(float(run(CLOCK.format(statement))))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    reference = medians["its dependencies"]
    loaded = run(f"import sys; {STATEMENTS['the windower alone']}; print('torch' in sys.modules)")
    assert loaded.strip() == "False", "the windower alone imports torch"

    lines = [f"python benchmarks/imports.py: {machine()}", ""]
    for name, statement in STATEMENTS.items():
        median = medians[name]
        lines.append(f"{name:20s} {median:5.2f} s, ratio {median / reference:.2f}   {statement}")
    lines.append("the windower alone leaves torch out: yes")
    text = "\n".join(lines) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "imports.txt").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
