"""Time and memory of windowing and of an epoch, for ten thousand to ten million rows.

    python benchmarks/growth.py [--device cuda]

Each table has its own process. Memory is the peak of resident memory above that of the imports and
a tiny fit, so it includes the table.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from report import RESULTS, machine, markdown

ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
N_FEATURES, WINDOW_SIZE = 4, 96


def measure(n_rows, device):
    """Return the figures of one table; the process must have done nothing else."""
    from sklstm import LSTMRegressor, SequenceWindower

    plain = {"input_transform": "levels", "init": None, "early_stopping": False}
    model = LSTMRegressor(16, batch_size=256, max_epochs=1, random_state=0, device=device, **plain)
    windower = SequenceWindower(WINDOW_SIZE, horizon=1)
    tiny = make_table(2000)
    model.fit(windower.fit_transform(tiny), tiny[:, 0])  # torch sets up its own buffers
    before = peak_mb()
    table = make_table(n_rows)
    begin = time.perf_counter()
    windows = windower.fit_transform(table)
    windowed = time.perf_counter()
    model.fit(windows, table[:, 0])
    fitted = time.perf_counter()
    return {
        "rows": n_rows,
        "windowing_s": windowed - begin,
        "fit_s": fitted - windowed,
        "table_mb": table.nbytes / 2**20,
        "peak_mb": peak_mb() - before,
    }


def make_table(n_rows):
    return np.random.default_rng(0).standard_normal((n_rows, N_FEATURES))


def peak_mb():
    status = Path("/proc/self/status").read_text()  # ru_maxrss would start with the parent's
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def describe(figures, device):
    """Write the table."""
    rows = [
        {
            "rows": f"{row['rows']:,}",
            "windowing, s": f"{row['windowing_s']:.4f}",
            "an epoch, s": f"{row['fit_s']:.2f}",
            "rows/s": f"{row['rows'] / row['fit_s']:,.0f}",
            "table, MB": f"{row['table_mb']:.1f}",
            "peak, MB": f"{row['peak_mb']:.0f}",
            "peak / table": f"{row['peak_mb'] / row['table_mb']:.1f}",
            "copied windows, MB": f"{row['table_mb'] * WINDOW_SIZE:,.0f}",
        }
        for row in figures
    ]
    return (
        f"# Growth\n\n{machine(device)}.\n\n{N_FEATURES} float64 features, windows of "
        f"{WINDOW_SIZE} steps, hidden 16, batch 256, one epoch, the default `supervised_steps`. "
        "Peak memory is that above imports and a tiny fit. The last column is the size of copied "
        f"windows.\n\n{markdown(rows)}\n"
    )


def draw(figures, path):
    """Plot seconds and memory over rows, with a line proportional to the rows."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    rows, windowing, fit, table, peak = np.array([list(row.values()) for row in figures]).T
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    left.loglog(rows, fit, "o-", color="#0b3c6f", label="an epoch")
    left.loglog(rows, windowing, "o-", color="#e07b39", label="windowing")
    left.loglog(rows, fit[-1] * rows / rows[-1], ":", color="0.5", label="in proportion to rows")
    left.set(title="Time", xlabel="rows", ylabel="seconds")
    right.loglog(rows, peak, "o-", color="#0b3c6f", label="peak, above imports")
    right.loglog(rows, table, "o-", color="#e07b39", label="the table alone")
    right.loglog(rows, table * WINDOW_SIZE, ":", color="0.5", label="copied windows would take")
    right.set(title="Memory", xlabel="rows", ylabel="MB")
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="path of the results, without suffix")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.device)))
        return
    figures = []
    for n_rows in options.rows:
        command = [sys.executable, __file__, "--one", str(n_rows), "--device", options.device]
        figures.append(json.loads(subprocess.check_output(command)))
        print(f"{n_rows:,} rows: {figures[-1]['fit_s']:.2f} s", flush=True)
    text = describe(figures, options.device)
    stem = options.out or RESULTS / f"growth-{options.device}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text(text)
    draw(figures, stem.with_suffix(".png"))
    print(text)


if __name__ == "__main__":
    main()
