"""Seconds of training to a validation error, on real tables: sklstm and a PyTorch loop.

    python benchmarks/convergence.py                     # the weather table
    python benchmarks/convergence.py --ett ETTh1.csv     # and ETTh1

ETTh1 is https://github.com/zhouhaoyi/ETDataset, cut as its authors do: 8640 hours to train, 2880 to
validate, 2880 to test.

The bare loop trains until its validation error no longer falls, sklstm for 1.5 times as long. The
clock is stopped while the validation rows are predicted after each epoch. All use one thread, the
same network, rows, batch size and learning rate. Errors are in standard deviations of the training
part.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from report import RESULTS, machine, markdown
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from systems.bare import Loop

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

LR = 1e-3
PATIENCE = 8  # epochs without improvement after which the bare loop stops
NEARLY = 1.05  # times the bare loop's best error: less random than the time to the best itself
SKLSTM = {"sklstm": 1, "sklstm_auto": "auto"}
BASELINES = {
    "ridge on lags": Ridge(),
    "gradient boosting on lags": HistGradientBoostingRegressor(random_state=0),
}
COLORS = {"bare": "0.2", "sklstm": "#3b82c4", "sklstm_auto": "#e07b39"}


class Problem(NamedTuple):
    """A table, in three parts by time, and what to predict.

    Attributes
    ----------
    name : str
        What is predicted from what.
    table : ndarray of float32, shape (n_rows, n_features)
        Standardised by the training part.
    target : ndarray of float32, shape (n_rows,)
        Standardised likewise.
    cuts : tuple of int
        Where the training, validation and test rows end. Windows may reach back over a cut.
    window, horizon, hidden, batch : int
        As in `systems.bare.Loop`.
    epochs : int
        Most epochs of the bare loop.
    """

    name: str
    table: np.ndarray
    target: np.ndarray
    cuts: tuple
    window: int
    horizon: int
    hidden: int
    batch: int
    epochs: int

    @classmethod
    def make(cls, name, frame, target, cuts, **sizes):
        """Standardise a frame by its training part."""
        train = frame.iloc[: cuts[0]]
        table = ((frame - train.mean()) / train.std(ddof=0)).astype(np.float32)
        values = table.to_numpy(copy=True), table[target].to_numpy(copy=True)
        return cls(name, *values, cuts, **sizes)

    def part(self, name):
        """Rows of a part, those of training from the first full window on."""
        first = self.window + self.horizon - 1
        starts = dict(zip(("train", "valid", "test"), (first, *self.cuts), strict=False))
        ends = dict(zip(("train", "valid", "test"), self.cuts, strict=True))
        return np.arange(starts[name], ends[name])

    def errors(self, part, predictions):
        """Mean squared and mean absolute error on a part."""
        residuals = predictions - self.target[self.part(part)]
        return float(np.mean(residuals**2)), float(np.mean(np.abs(residuals)))


def weather():
    frame = load_weather(as_frame=True).data
    cuts = tuple(int((frame.index < f"{year}-01-01").sum()) for year in (2014, 2015, 2016))
    name = "Seattle weather: tomorrow's highest temperature from 14 days"
    sizes = {"window": 14, "horizon": 1, "hidden": 32, "batch": 32, "epochs": 100}
    return Problem.make(name, frame, "temp_max", cuts, **sizes)


def ett(path):
    frame = pd.read_csv(path, index_col="date")
    cuts = (8640, 8640 + 2880, 8640 + 2 * 2880)
    sizes = {"window": 96, "horizon": 24, "hidden": 64, "batch": 64, "epochs": 20}
    oil, load = ("ETTh1: oil temperature in 24 hours", "ETTh1: high useful load in 24 hours")
    return [
        Problem.make(f"{oil} from the last 96 of all columns", frame, "OT", cuts, **sizes),
        Problem.make(f"{oil} from its last 96", frame[["OT"]], "OT", cuts, **sizes),
        Problem.make(f"{load} from the last 96 of all columns", frame, "HUFL", cuts, **sizes),
    ]


class Curve(Callback):
    """Validation error over seconds of training, and the test errors where it is lowest.

    Parameters
    ----------
    problem : Problem
        The table and target.
    device : str
        Where to compute.
    budget : float
        Seconds after which training stops.
    """

    def __init__(self, problem, device, budget=np.inf):
        self.problem = problem
        self.device = device
        self.budget = budget

    def start(self, predict):
        """Start the clock; `predict` predicts given rows."""
        self.predict = predict
        self.points = []
        self.seconds = 0.0
        self.begin = time.perf_counter()

    def epoch_done(self):
        """Stop the clock, measure the validation error, and start it again."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - self.begin
        error, _ = self.problem.errors("valid", self.predict(self.problem.part("valid")))
        if not self.points or error < self.best()[1]:
            self.test = self.problem.errors("test", self.predict(self.problem.part("test")))
        self.points.append((self.seconds, error))
        self.begin = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        """Measure, and stop training after the budget (called by skorch)."""
        self.epoch_done()
        if self.seconds >= self.budget:
            raise KeyboardInterrupt

    def best(self):
        """Seconds and validation error where the latter is lowest."""
        return min(self.points, key=lambda point: point[1])

    def epochs_since_best(self):
        """Epochs without improvement."""
        return len(self.points) - 1 - self.points.index(self.best())

    def reaches(self, error):
        """Seconds until the validation error is first as low as this; infinite if never."""
        return next((seconds for seconds, now in self.points if now <= error), np.inf)


def train_bare(problem, device, seed):
    curve = Curve(problem, device)
    curve.start(lambda rows: loop.predict(torch.from_numpy(rows).to(device)))
    loop = Loop(
        problem.table,
        problem.target,
        window=problem.window,
        horizon=problem.horizon,
        hidden=problem.hidden,
        batch=problem.batch,
        lr=LR,
        device=device,
        seed=seed,
    )
    rows = torch.from_numpy(problem.part("train")).to(device)
    for _ in range(problem.epochs):
        loop.epoch(rows)
        curve.epoch_done()
        if curve.epochs_since_best() >= PATIENCE:
            break
    return curve


def train_sklstm(problem, device, seed, budget, supervised_steps):
    curve = Curve(problem, device, budget)
    model = LSTMRegressor(
        problem.hidden,
        lr=LR,
        clip_grad_norm=None,
        max_epochs=1_000_000,
        batch_size=problem.batch,
        supervised_steps=supervised_steps,
        input_transform="levels",
        init=None,
        early_stopping=False,
        skorch_params={"callbacks": [curve]},
        random_state=seed,
        device=device,
    )
    curve.start(lambda rows: model.predict(windows[rows]))
    windows = SequenceWindower(problem.window, horizon=problem.horizon).fit_transform(problem.table)
    train = problem.part("train")
    model.fit(windows[train], problem.target[train])
    return curve


def measure(problem, device, n_seeds):
    """Return a list of curves for each system, one for each seed."""
    curves = {name: [] for name in ("bare", *SKLSTM)}
    train_bare(problem._replace(epochs=1), device, seed=0)  # warm-up
    for seed in range(n_seeds):
        curves["bare"].append(train_bare(problem, device, seed))
        budget = 1.5 * curves["bare"][-1].seconds
        for name, supervised_steps in SKLSTM.items():
            curve = train_sklstm(problem, device, seed, budget, supervised_steps)
            curves[name].append(curve)
        print(f"{problem.name}: seed {seed}", flush=True)
    return curves


def describe_curves(curves):
    """Return rows of the table: medians over seeds, ratios within a seed."""
    rows = []
    for name, of_seeds in curves.items():
        seconds, errors = np.median([curve.best() for curve in of_seeds], axis=0)
        row = {"": name, "best validation MSE": f"{errors:.4f}", "s to it": f"{seconds:.2f}"}
        for goal, factor in (("bare's best", 1.0), ("5 % above it", NEARLY)):
            errors = [factor * curve.best()[1] for curve in curves["bare"]]
            seconds_to_goal = [c.reaches(error) for c, error in zip(of_seeds, errors, strict=True)]
            of_bare = [c.reaches(error) for c, error in zip(curves["bare"], errors, strict=True)]
            row[f"s to {goal}"] = _seconds(np.median(seconds_to_goal))
            row[f"time / bare, {goal}"] = _ratio(np.median(np.divide(seconds_to_goal, of_bare)))
        test_mse, test_mae = np.median([curve.test for curve in of_seeds], axis=0)
        rows.append(row | {"test MSE": f"{test_mse:.4f}", "test MAE": f"{test_mae:.4f}"})
    return rows


def describe_baselines(problem, columns):
    """Return rows of the table for baselines, which are not trained by epochs."""
    windows = SequenceWindower(problem.window, horizon=problem.horizon).fit_transform(problem.table)
    train = problem.part("train")
    predictions = {}
    for name, estimator in BASELINES.items():
        model = make_pipeline(SequenceFlattener(), estimator)
        model.fit(windows[train], problem.target[train])
        predictions[name] = {part: model.predict(windows[problem.part(part)]) for part in PARTS}
    predictions["naive"] = {
        part: problem.target[problem.part(part) - problem.horizon] for part in PARTS
    }
    rows = []
    for name, of_parts in predictions.items():
        valid_mse, _ = problem.errors("valid", of_parts["valid"])
        test_mse, test_mae = problem.errors("test", of_parts["test"])
        figures = {"best validation MSE": valid_mse, "test MSE": test_mse, "test MAE": test_mae}
        texts = {column: f"{value:.4f}" for column, value in figures.items()}
        rows.append(dict.fromkeys(columns, "-") | {"": name} | texts)
    return rows


PARTS = ("valid", "test")


def _seconds(seconds):
    return f"{seconds:.2f}" if np.isfinite(seconds) else "never"


def _ratio(ratio):
    return f"{ratio:.2f}" if np.isfinite(ratio) else "-"


def draw(measured, path):
    """Plot validation error over time: a panel for each problem, a line for each seed."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    size = (6 * len(measured), 4.5)
    figure, axes = plt.subplots(1, len(measured), figsize=size, layout="constrained", squeeze=False)
    for ax, (problem, curves) in zip(axes[0], measured, strict=True):
        for name, of_seeds in curves.items():
            for seed, curve in enumerate(of_seeds):
                label = name if seed == 0 else None
                ax.plot(*zip(*curve.points, strict=True), color=COLORS[name], lw=1, label=label)
        ax.set(xscale="log", yscale="log", xlabel="seconds of training (log scale)")
        ax.set_title(problem.name.replace(": ", ":\n"), fontsize=10)
        ax.grid(alpha=0.3, which="both")
    axes[0, 0].set_ylabel("validation MSE (log scale)")
    axes[0, 0].legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ett", type=Path, help="path of ETTh1.csv")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of the bare loop, for all tables")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="path of the results, without suffix")
    options = parser.parse_args()

    torch.set_num_threads(1)
    problems = [weather()]
    problems += ett(options.ett) if options.ett else []
    if options.epochs:
        problems = [problem._replace(epochs=options.epochs) for problem in problems]
    measured = [(problem, measure(problem, options.device, options.seeds)) for problem in problems]

    lines = ["# Time to an error", "", f"{machine(options.device)}.", ""]
    lines += [
        f"Medians over {options.seeds} seeds; one thread. `bare` trains until {PATIENCE} epochs in "
        "a row did not lower its validation error, sklstm for 1.5 times as long. Validation is "
        "not timed, windowing is. Test errors are those of the epoch with the lowest "
        "validation error; all are in standard deviations of the training part."
    ]
    for problem, curves in measured:
        rows = describe_curves(curves)
        rows += describe_baselines(problem, rows[0])
        n_rows = ", ".join(f"{part} {len(problem.part(part)):,}" for part in ("train", *PARTS))
        sizes = f"Window {problem.window}, hidden {problem.hidden}, batch {problem.batch}"
        lines += [
            "",
            f"## {problem.name}",
            "",
            f"{sizes}; at most {problem.epochs} epochs; rows: {n_rows}.",
            "",
            markdown(rows),
        ]
    text = "\n".join(lines) + "\n"

    stem = options.out or RESULTS / f"convergence-{options.device}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text(text)
    draw(measured, stem.with_suffix(".png"))
    print(text)


if __name__ == "__main__":
    main()
