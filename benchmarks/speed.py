"""Windows a second in training and prediction, of sklstm, a PyTorch loop and other libraries.

    python benchmarks/speed.py                      # systems that need no other library
    python benchmarks/speed.py --systems all        # peers too, where they are installed
    python benchmarks/speed.py --device cuda

Each system has its own process; they compute in turn while the others wait: a b c a b c. The first
round is a warm-up and is not counted. A ratio compares with `bare` in the same round; all figures
are medians over the rounds. Writes a table, a picture and the figures of each round.
"""

import argparse
import contextlib
import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from report import RESULTS, machine, markdown
from systems import OWN, PEERS, Size
from worker import N_FEATURES, Failure, Worker, make_table

SIZES = {
    "cpu": {
        "tiny": Size(window=10, hidden=16, batch=32, rows=10_000, epochs=3),
        "small": Size(window=24, hidden=64, batch=128, rows=10_000, epochs=3),
        "medium": Size(window=96, hidden=128, batch=128, rows=5_000, epochs=1),
        "large": Size(window=336, hidden=256, batch=512, rows=1_360, epochs=1),
    },
    "cuda": {
        "tiny": Size(window=10, hidden=16, batch=32, rows=30_000, epochs=1),
        "small": Size(window=24, hidden=64, batch=128, rows=100_000, epochs=1),
        "medium": Size(window=96, hidden=128, batch=128, rows=50_000, epochs=1),
        "large": Size(window=336, hidden=256, batch=512, rows=40_000, epochs=1),
    },
}
TIMES_AS_MANY_ROUNDS = {("cpu", "tiny"): 5}  # quick, and the noisiest
COLORS = {
    "bare": "0.2",
    "dataloader": "0.5",
    "skorch": "0.75",
    "sklstm": "#3b82c4",
    "sklstm_auto": "#0b3c6f",
    "sklstm_bfloat16": "#9cc4e8",
    "keras": "#f2b134",
    "darts": "#e07b39",
    "neuralforecast": "#b5483a",
}


def main():
    options = parse_options()
    sizes = {name: SIZES[options.device][name] for name in options.sizes}
    changes = {"rows": options.rows, "epochs": options.epochs}
    changes = {name: value for name, value in changes.items() if value is not None}
    sizes = {name: size._replace(**changes) for name, size in sizes.items()}

    rounds, failures = measure_time(options, sizes)
    if not len(rounds):
        raise SystemExit("\n".join(failures))
    rounds = with_speeds(rounds, sizes)
    if options.device == "cpu" and not options.no_memory:
        rounds = rounds.merge(measure_memory(options, sizes, rounds), how="left")
    summary = summarise(rounds)

    stem = options.out or RESULTS / f"speed-{options.device}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    text = describe(options, sizes, summary, failures)
    stem.with_suffix(".md").write_text(text)
    rounds.to_csv(stem.with_suffix(".csv"), index=False, float_format="%.6g")
    draw(summary, sizes, stem.with_suffix(".png"), machine(options.device))
    print(text)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", default=list(OWN), help="names, or all")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES["cpu"]), choices=SIZES["cpu"])
    parser.add_argument("--repeats", type=int, default=5, help="rounds; more of tiny on a CPU")
    parser.add_argument("--rows", type=int, help="of the table, for all sizes")
    parser.add_argument("--epochs", type=int, help="of a fit, for all sizes")
    parser.add_argument("--device", default="cpu", choices=list(SIZES))
    parser.add_argument("--threads", type=int, default=1, help="on the CPU, for every system")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--out", type=Path, help="path of the results, without suffix")
    options = parser.parse_args()
    if options.systems == ["all"]:
        options.systems = [*OWN, *PEERS]
    unknown = set(options.systems) - {*OWN, *PEERS}
    if unknown:
        parser.error(f"unknown systems {sorted(unknown)}; there are {[*OWN, *PEERS]}")
    return options


def measure_time(options, sizes):
    """Return a row for each system, size and round, and the failures."""
    failures, workers, rows = [], {}, []
    for system in options.systems:
        try:
            workers[system] = Worker(system, options.device, options.threads)
        except Failure as failure:
            failures.append(f"{system}: {failure}")
    has_smi = shutil.which("nvidia-smi")
    watch = GpuWatch() if options.device == "cuda" and has_smi else None
    for size_name, size in sizes.items():
        failed = set()
        n_rounds = n_rounds_of(size_name, options)
        for turn in range(n_rounds + 1):
            for system in [name for name in workers if name not in failed]:
                begin = time.perf_counter()
                try:
                    figures = workers[system].ask("time", size)
                except Failure as failure:
                    failures.append(f"{system}, {size_name}: {failure}")
                    failed.add(system)
                    continue
                busy = watch.mean_since(begin) if watch else None
                if turn:
                    names = {"system": system, "size": size_name, "round": turn}
                    rows.append(names | figures | {"gpu_busy": busy})
            print(f"{size_name}: round {turn} of {n_rounds}", flush=True)
    for worker in workers.values():
        worker.stop()
    if watch:
        watch.stop()
    return pd.DataFrame(rows).dropna(axis=1, how="all"), failures


def n_rounds_of(size_name, options):
    return options.repeats * TIMES_AS_MANY_ROUNDS.get((options.device, size_name), 1)


def with_speeds(rounds, sizes):
    """Add windows a second, and the ratio of times to those of `bare` in the same round."""
    n_windows = rounds["size"].map({name: size.n_windows for name, size in sizes.items()})
    n_epochs = rounds["size"].map({name: size.epochs for name, size in sizes.items()})
    bare = rounds[rounds["system"] == "bare"].set_index(["size", "round"])
    of_round = pd.MultiIndex.from_frame(rounds[["size", "round"]])
    return rounds.assign(
        fit_per_s=n_windows * n_epochs / rounds["fit_s"],
        fit_ratio=rounds["fit_s"] / bare["fit_s"].reindex(of_round).to_numpy(),
        predict_per_s=n_windows / rounds["predict_s"],
        predict_ratio=rounds["predict_s"] / bare["predict_s"].reindex(of_round).to_numpy(),
    )


def measure_memory(options, sizes, rounds):
    """Peak memory of each system that runs, at each size, in a fresh process."""
    rows = []
    for size_name, system in rounds[["size", "system"]].drop_duplicates().itertuples(index=False):
        worker = Worker(system, options.device, options.threads)
        with contextlib.suppress(Failure):  # its cell stays empty
            rows.append({"system": system, "size": size_name})
            rows[-1] |= worker.ask("peak_memory", sizes[size_name])
        worker.stop()
    return pd.DataFrame(rows)


def summarise(rounds):
    """Medians over the rounds; sizes and systems in the given order."""
    medians = rounds.drop(columns="round").groupby(["size", "system"], sort=False).median()
    return medians.reset_index()


COLUMNS = {
    "fit_per_s": ("fit, windows/s", "{:,.0f}"),
    "fit_ratio": ("fit time / bare", "{:.2f}"),
    "predict_per_s": ("predict, windows/s", "{:,.0f}"),
    "predict_ratio": ("predict time / bare", "{:.2f}"),
    "error": ("error", "{:.3f}"),
    "memory_mb": ("peak memory, MB", "{:,.0f}"),
    "gpu_mb": ("peak GPU memory, MB", "{:,.0f}"),
    "gpu_busy": ("GPU busy, %", "{:.0f}"),
}


def describe(options, sizes, summary, failures):
    """Write the table."""
    on = "on the GPU" if options.device == "cuda" else f"threads of each: {options.threads}"
    lines = ["# Speed", "", f"{machine(options.device)}.", ""]
    lines += [
        f"Medians over rounds, {on}. Ratios are of times, below 1 is quicker than `bare`. The "
        "error is the root mean squared error in standard deviations of the target: similar errors "
        "show that all systems learn the same."
    ]
    if "memory_mb" in summary:
        lines[-1] += " Peak memory is that above imports and the table."
    for name, size in sizes.items():
        target = make_table(size.rows)[:, 0]
        naive_error = np.sqrt(np.mean(np.diff(target[size.window - 1 :]) ** 2))
        lines += [
            "",
            f"## {name}: window {size.window}, hidden {size.hidden}, batch {size.batch}",
            "",
            f"{size.n_windows:,} windows of {N_FEATURES} features, epochs: {size.epochs}, rounds: "
            f"{n_rounds_of(name, options)}. The naive forecast has error "
            f"{naive_error:.3f}.",
            "",
        ]
        lines.append(markdown([_texts(row) for row in of_size(summary, name)]))
    if failures:
        lines += ["", "## Not measured", "", *(f"* {failure}" for failure in failures)]
    return "\n".join(lines) + "\n"


def of_size(summary, name):
    return summary[summary["size"] == name].to_dict("records")


def _texts(row):
    columns = {name: column for name, column in COLUMNS.items() if name in row}
    texts = {title: form.format(row[name]) for name, (title, form) in columns.items()}
    return {"system": row["system"]} | {k: "-" if v == "nan" else v for k, v in texts.items()}


def draw(summary, sizes, path, subtitle):
    """Plot windows a second as bars: a group for each size, a bar for each system."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    systems = list(dict.fromkeys(summary["system"]))
    height = 1 + 0.25 * len(sizes) * (len(systems) + 1)
    figure, axes = plt.subplots(1, 2, figsize=(12, height), layout="constrained", sharey=True)
    groups = np.arange(len(sizes)) * (len(systems) + 1)
    for ax, what, title in zip(axes, ("fit", "predict"), ("Training", "Prediction"), strict=True):
        for j, system in enumerate(systems):
            speeds = summary[summary["system"] == system].set_index("size")[f"{what}_per_s"]
            speeds = speeds.reindex(list(sizes))
            bars = ax.barh(groups + j, speeds, color=COLORS[system], label=system)
            ax.bar_label(bars, [_short(speed) for speed in speeds], padding=3, fontsize=8)
        slowest, fastest = summary[f"{what}_per_s"].agg(["min", "max"])
        left = 10 ** np.floor(np.log10(slowest / 1.5))
        ax.set(xscale="log", title=title, xlabel="windows a second (log scale)")
        ax.set_xlim(left, fastest * (fastest / left) ** 0.12)  # space for the labels
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
    labels = [
        f"{name}\nwindow {size.window}\nhidden {size.hidden}\nbatch {size.batch}"
        for name, size in sizes.items()
    ]
    axes[0].set_yticks(groups + (len(systems) - 1) / 2, labels)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.suptitle(subtitle, fontsize=9)
    figure.savefig(path, dpi=120)


def _short(speed):
    if np.isnan(speed):
        return ""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if speed >= unit:
            return f"{speed / unit:.3g}{name}"
    return f"{speed:.3g}"


class GpuWatch:
    """Utilisation of the GPU in percent, from nvidia-smi, ten times a second."""

    def __init__(self):
        query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
        self.process = subprocess.Popen(["nvidia-smi", *query], stdout=subprocess.PIPE, text=True)
        self.samples = []
        threading.Thread(target=self._collect, daemon=True).start()

    def mean_since(self, begin):
        """Mean since a time of the performance counter; None without a sample."""
        busy = [percent for moment, percent in list(self.samples) if moment >= begin]
        return float(np.mean(busy)) if busy else None

    def stop(self):
        """Stop watching."""
        self.process.terminate()
        self.process.wait()

    def _collect(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.samples.append((time.perf_counter(), int(line)))


if __name__ == "__main__":
    main()
