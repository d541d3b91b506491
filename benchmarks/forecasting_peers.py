"""Forecasts beside those of Darts and NeuralForecast: errors, time and memory on the same rows.

    python benchmarks/forecasting_peers.py FOLDER            # all sets whose files are there
    python benchmarks/forecasting_peers.py FOLDER --sets panel --systems sklstm neuralforecast

Each system has its default settings and the same window size; the networks of the others are
measured once more with their own normalisation of each window. A system is fitted once and
forecasts from every origin of the test part, in its own process with one thread. A panel of 50
series, which one global model learns, is forecast once, from the last origin. Results that are not
measured again are kept.
"""

import argparse
import logging
import multiprocessing
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from forecasting import Series, find_sets
from report import RESULTS, machine, markdown
from worker import _forget_peak, _memory_mb

PANEL = 50, 10_000
QUIET = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "logger": False,
}


class Sklstm:
    """SequenceForecaster."""

    def forecast(self, one, seed):
        """Fit, and forecast from every origin; a panel from the last."""
        from sklstm import LSTMRegressor, SequenceForecaster, backtest

        lstm = LSTMRegressor(random_state=seed)
        if one.name == "panel":
            model = SequenceForecaster(lstm, one.windows[0], one.steps, series="series")
            forecasts = model.fit(_long(one.past, one.past.index)).predict()["y"]
            return forecasts.to_numpy().reshape(1, -1, one.steps).swapaxes(1, 2)
        model = SequenceForecaster(lstm, one.windows[0], one.steps)
        forecasts = backtest(model, one.table, initial_train_size=one.n_train)
        forecasts = forecasts.pivot_table(
            "forecast", "origin", ["step", "target"], sort=False
        ).dropna()
        return forecasts.to_numpy().reshape(len(forecasts), one.steps, -1)


class Darts:
    """BlockRNNModel with its LSTM."""

    params = {}

    def forecast(self, one, seed):
        """Fit, and forecast from every origin; a panel from the last."""
        from darts import TimeSeries
        from darts.models import BlockRNNModel

        model = BlockRNNModel(
            input_chunk_length=one.windows[0],
            output_chunk_length=one.steps,
            model="LSTM",
            random_state=seed,
            pl_trainer_kwargs=QUIET,
            **self.params,
        )
        past, values = one.past.to_numpy(np.float32), one.table.to_numpy(np.float32)
        if one.name == "panel":
            series = [TimeSeries.from_values(column[:, None]) for column in past.T]
            forecasts = model.fit(series).predict(one.steps, series)
            return np.array([part.values()[:, 0] for part in forecasts]).T[None]
        forecasts = model.fit(TimeSeries.from_values(past)).historical_forecasts(
            TimeSeries.from_values(values),
            start=one.n_train,
            start_format="position",
            forecast_horizon=one.steps,
            retrain=False,
            last_points_only=False,
        )
        return np.array([part.values() for part in forecasts])


class DartsNormalised(Darts):
    """The same with reversible instance normalisation."""

    params = {"use_reversible_instance_norm": True}


class NeuralForecast:
    """LSTM; the columns of a table are the series of one global model."""

    params = {}

    def forecast(self, one, seed):
        """Fit, and forecast from every origin; a panel from the last."""
        from neuralforecast import NeuralForecast
        from neuralforecast.models import LSTM

        size = {"h": one.steps, "input_size": one.windows[0]}
        model = NeuralForecast([LSTM(**size, random_seed=seed, **QUIET, **self.params)], freq=1)
        table = one.past if one.name == "panel" else one.table
        table = _long(table.astype(np.float32), np.arange(len(table)))
        names = {"index": "ds", "series": "unique_id"}
        if one.name == "panel":
            model.fit(table.reset_index().rename(columns=names))
            forecasts = model.predict()
        else:
            forecasts = model.cross_validation(
                table.reset_index().rename(columns=names),
                n_windows=None,
                test_size=len(one.table) - one.n_train,
            )
        forecasts = forecasts["LSTM"].to_numpy().reshape(one.table.shape[1], -1, one.steps)
        return np.moveaxis(forecasts, 0, -1)


class NeuralForecastNormalised(NeuralForecast):
    """The same with reversible instance normalisation in place of robust scaling."""

    params = {"scaler_type": "revin"}


def _long(table, index):
    """Put the columns of a table below each other."""
    parts = [
        pd.DataFrame({"series": name, "y": table[column].to_numpy()}, index)
        for name, column in enumerate(table)
    ]
    return pd.concat(parts).rename_axis(index="index")


SYSTEMS = {
    "sklstm": Sklstm,
    "darts": Darts,
    "darts, normalised": DartsNormalised,
    "neuralforecast": NeuralForecast,
    "neuralforecast, normalised": NeuralForecastNormalised,
}


def main():
    options = parse_options()
    for one in [*find_sets(options.folder), make_panel()]:
        if options.sets and one.name not in options.sets:
            continue
        for system in options.systems:
            for seed in range(options.seeds):
                keep(measure(one, system, seed))
    figures = pd.read_csv(RESULTS / "forecasting-peers.csv")
    text = describe(figures)
    (RESULTS / "forecasting-peers.md").write_text(text)
    print(text)


def make_panel():
    """Make series that differ in level and scale, with daily and weekly seasons and noise."""
    n_series, n_rows = PANEL
    rng = np.random.default_rng(0)
    hours = np.arange(n_rows)[:, None] + rng.integers(0, 24, n_series)
    values = np.sin(2 * np.pi * hours / 24) + 0.5 * np.sin(2 * np.pi * hours / 168)
    noise = rng.normal(size=values.shape)
    for row in range(1, n_rows):
        noise[row] = 0.9 * noise[row - 1] + 0.2 * noise[row]
    level, size = rng.uniform(-100, 100, n_series), 10 ** rng.uniform(-1, 2, n_series)
    index = pd.date_range("2024-01-01", periods=n_rows, freq="h")
    table = pd.DataFrame(level + size * (values + noise), index, range(n_series))
    return Series("panel", table, n_rows - 24, 24, 24, (96,))


def measure(one, system, seed):
    """Fit and forecast in an own process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        row = pool.submit(run, one, system, seed).result()
    print(row, flush=True)
    return row


def run(one, system, seed):
    """Time both, and compare forecasts with actual values."""
    import torch

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    __import__(system.split(",")[0])
    before = _memory_mb("VmRSS")
    _forget_peak()
    start = time.perf_counter()
    forecasts = SYSTEMS[system]().forecast(one, seed)
    seconds = time.perf_counter() - start
    windows = np.lib.stride_tricks.sliding_window_view(one.table.to_numpy(), one.steps, axis=0)
    actuals = windows[one.n_train :].swapaxes(1, 2)
    assert forecasts.shape == actuals.shape, (forecasts.shape, actuals.shape)
    scale = one.past.to_numpy().std(axis=0)
    return {
        "set": one.name,
        "system": system,
        "seed": seed,
        "MSE": np.mean(((forecasts - actuals) / scale) ** 2),
        "seconds": seconds,
        "memory": _memory_mb("VmHWM") - before,
        "machine": machine(),
    }


def keep(row):
    """Save a row of figures, in place of an older one."""
    path, new = RESULTS / "forecasting-peers.csv", pd.DataFrame([row])
    key = ["set", "system", "seed"]
    if path.exists():
        old = pd.read_csv(path)
        new = pd.concat([old, new]).drop_duplicates(key, keep="last")
    new.to_csv(path, index=False, float_format="%.5g")


def describe(figures):
    """Write the tables of errors, seconds and memory."""
    lines = ["# Forecasts beside other libraries", ""]
    lines += [f"{figures['machine'].iloc[-1]}. One thread.", ""]
    lines += ["## Mean squared error, in variances of the training rows", ""]
    lines.append(markdown(_pivot(figures, lambda part: f"{part['MSE'].mean():.4f}")))
    lines += ["", "## Seconds to fit and to forecast from every origin", ""]
    lines.append(markdown(_pivot(figures, lambda part: f"{part['seconds'].mean():.0f}")))
    lines += ["", "## Peak memory above that of the imports, MB", ""]
    lines.append(markdown(_pivot(figures, lambda part: f"{part['memory'].max():.0f}")))
    return "\n".join(lines) + "\n"


def _pivot(figures, cell):
    rows = []
    for name, part in figures.groupby("set", sort=False):
        row = {"": name}
        for system in SYSTEMS:
            of_system = part[part["system"] == system]
            row[system] = cell(of_system) if len(of_system) else "-"
        rows.append(row)
    return rows


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
