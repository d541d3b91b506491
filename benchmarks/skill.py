"""Errors of sklstm with default settings, beside naive forecasts and models of scikit-learn.

    python benchmarks/skill.py                              # data sets that libraries include
    python benchmarks/skill.py FOLDER                       # and the files of a folder
    python benchmarks/skill.py FOLDER --half choose         # what defaults may be chosen on
    python benchmarks/skill.py FOLDER --kinds numbers --models sklstm "random forest"

A set whose files are not in the folder is left out. Defaults are chosen on one half of the sets,
named in `skills/sets.py`, and reported on the other. No model sees a test row before it predicts.
Writes a table, a picture and the figures of each seed.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from report import RESULTS, machine, markdown
from skills import SQUARED, error, log_loss
from skills.models import MODELS
from skills.sets import find_sets

COLORS = {
    "sklstm": "#0b3c6f",
    "plain LSTM": "#9cc4e8",
    "naive": "0.75",
    "seasonal naive": "0.55",
    "most frequent": "0.75",
    "mean": "0.75",
    "ridge": "#f2b134",
    "ridge on differences": "#e07b39",
    "logistic regression": "#f2b134",
    "boosting": "#b5483a",
    "random forest": "#6a9a3b",
    "MiniRocket": "#7d3c98",
    "bag of words": "#f2b134",
    "bag of words and pairs": "#e07b39",
}
IN_VARIANCES = "mean squared error, in variances of the training rows"


def main():
    options = parse_options()
    torch.set_num_threads(1)
    stem = options.out or RESULTS / f"skill-{options.half}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in find_sets(options.folder) if is_chosen(one, options)]
    models = [model for model in MODELS if model.name in (options.models or [model.name])]
    if not chosen or not models:
        raise SystemExit(
            "No set with files in the folder has this name, half and kind: see --help."
        )
    rows = []
    for one in chosen:
        rows += measure(one, models, options.seeds)
        figures = pd.DataFrame(rows)
        figures.to_csv(stem.with_suffix(".csv"), index=False, float_format="%.6g")
        stem.with_suffix(".md").write_text(describe(figures, options))
    draw(figures, stem.with_suffix(".png"), machine())
    print(stem.with_suffix(".md").read_text())


def parse_options():
    names = [model.name for model in MODELS]
    kinds = list(dict.fromkeys(kind for model in MODELS for kind in model.kinds))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="where the files are")
    parser.add_argument("--half", default="all", choices=["choose", "report", "all"])
    parser.add_argument("--kinds", nargs="+", choices=kinds, help="kinds of sets")
    parser.add_argument("--sets", nargs="+", help="names of sets")
    parser.add_argument("--models", nargs="+", choices=names, metavar="MODEL", help=str(names))
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds of random models")
    parser.add_argument("--out", type=Path, help="path of the results, without suffix")
    return parser.parse_args()


def is_chosen(one, options):
    return (
        options.half in (one.half, "all")
        and (options.kinds is None or one.kind in options.kinds)
        and (options.sets is None or one.name in options.sets)
    )


def measure(one, models, n_seeds):
    """A row for each model and seed: the error, and the seconds to fit and to predict."""
    rows = []
    for seed in range(n_seeds):
        split = one.read(seed)
        for model in [model for model in models if one.kind in model.kinds]:
            if seed and not model.is_random and one.kind != "texts":
                continue
            begin = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of scikit-learn: no convergence
                predictions = model.predict(split, seed)
            seconds = time.perf_counter() - begin
            names = {"kind": one.kind, "set": one.name, "half": one.half, "model": model.name}
            loss = error(one.kind, split.y_test, predictions)
            measured = {"seed": seed, "error": loss, "seconds": seconds}
            if one.kind not in SQUARED:
                measured["log loss"] = log_loss(split.y_test, predictions)
            rows.append(names | measured)
            print(f"{one.name}: {model.name}, seed {seed}: {loss:.4f}, {seconds:.1f} s", flush=True)
    return rows


def describe(figures, options):
    """Write the tables: one for each kind, with a line for each set."""
    lines = ["# Skill with default settings", "", f"{machine()}.", ""]
    lines += [
        f"Means over {options.seeds} seeds, one thread. In brackets the seconds of a fit, with the "
        "choice of its hyperparameters, and of predicting the test rows. `sklstm` has its "
        "defaults, `plain LSTM` the settings of a tutorial. *Rank*: 1 is the best of a line. Sets "
        "are marked by their half: c, to choose defaults on; r, to report."
    ]
    for kind, of_kind in figures.groupby("kind", sort=False):
        metric = IN_VARIANCES if kind in SQUARED else "accuracy"
        lines += ["", f"## {kind.capitalize()}: {metric}", ""]
        lines.append(markdown(lay_out(kind, of_kind)))
    return "\n".join(lines) + "\n"


def lay_out(kind, figures):
    """Return the rows of the table of a kind, and below them means and mean ranks."""
    errors, seconds = (pivot(figures, what) for what in ("error", "seconds"))
    halves = figures.groupby("set")["half"].first()
    shown = errors if kind in SQUARED else 1 - errors
    rows = [
        {"": f"{name} ({halves[name][0]})"}
        | {
            model: f"{shown.loc[name, model]:.3f} ({_short(seconds.loc[name, model])})"
            if np.isfinite(shown.loc[name, model])
            else "-"
            for model in errors
        }
        for name in errors.index
    ]
    summaries = {"mean rank": errors.rank(axis=1).mean()}
    if kind not in SQUARED:
        log_losses = figures.groupby("model")["log loss"].mean()
        summaries = {"mean": shown.mean()} | summaries | {"mean log loss": log_losses}
    for name, values in summaries.items():
        shown_values = {model: values[model] for model in errors}
        rows.append(
            {"": name}
            | {model: f"{x:.3f}" if np.isfinite(x) else "-" for model, x in shown_values.items()}
        )
    return rows


def pivot(figures, what):
    """Means over seeds: a line for each set, a column for each model, in the order measured."""
    means = figures.pivot_table(what, "set", "model")
    return means.loc[figures["set"].unique(), figures["model"].unique()]


def _short(seconds):
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def draw(figures, path, subtitle):
    """Plot errors as dots: a panel for each kind, a line for each set, a colour for each model."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    kinds = list(figures["kind"].unique())
    tables = [pivot(figures[figures["kind"] == kind], "error") for kind in kinds]
    heights = [len(table) + 1 for table in tables]
    figure, axes = plt.subplots(
        len(kinds),
        figsize=(9, 1.5 + 0.4 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for ax, kind, table in zip(axes[:, 0], kinds, tables, strict=True):
        lines = np.arange(len(table))
        for model in reversed(list(table)):
            is_ours = model == "sklstm"
            size, order = (80, 3) if is_ours else (40, 2)
            ax.scatter(table[model], lines, size, COLORS[model], zorder=order, label=model)
        ax.set_yticks(lines, table.index)
        ax.set_ylim(len(table) - 0.5, -0.5)
        metric = IN_VARIANCES if kind in SQUARED else "share of wrong labels"
        ax.set(title=kind, xlabel=metric)
        ax.set_xscale("log" if kind in SQUARED else "linear")
        ax.grid(alpha=0.3)
    labels = {}
    for ax in axes[:, 0]:
        labels |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    names = [name for name in COLORS if name in labels]
    figure.legend([labels[name] for name in names], names, loc="outside right upper")
    figure.suptitle(subtitle, fontsize=8)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
