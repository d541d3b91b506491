"""Coverage of whole paths, of sums over steps and of each step, on paths that do not overlap.

    python benchmarks/paths.py                                # series made here: AR(1), counts
    python benchmarks/paths.py --minima daily-min-temperatures.csv

Forecasts of seven days, from origins seven days apart; rows that have passed are brought by
`update`, without a refit. Printed are the coverage of 80 % intervals (simultaneous ones of whole
paths, those of the sum of a path, those of each step), the width of those of sums in parts of the
ideal one, and the mean CRPS of steps and sums. The ideal width is that of the known law of the
AR(1); of other sets the distance between the 10th and the 90th percentile of the errors of the sums
themselves, in hindsight. The least of all bounds and paths shows whether counts are ever negative.
"""

import argparse

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm
from sklearn.linear_model import Ridge

from sklstm import LSTMRegressor, SequenceForecaster

STEPS, COVERAGE, N_PATHS = 7, 0.8, 500
MODELS = {
    "ridge": lambda: Ridge(),
    "network": lambda: LSTMRegressor(16, max_epochs=10, random_state=0),
}


def ar1(n_series, n_rows, phi, seed):
    """A panel whose changes are no larger in one series than in another."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n_series, n_rows))
    noise = rng.normal(size=y.shape)
    y[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, n_rows):
        y[:, t] = phi * y[:, t - 1] + noise[:, t]
    return y + 10


def counts(n_series, n_rows, seed):
    """A panel of counts, whose mean follows them."""
    rng = np.random.default_rng(seed)
    y, mean = np.zeros((n_series, n_rows)), np.full(n_series, 2.0)
    for t in range(n_rows):
        y[:, t] = rng.poisson(mean)
        mean = 0.4 + 0.4 * y[:, t] + 0.4 * mean
    return y


def crps(draws, actual):
    """Mean of |x - y| less half of the mean of |x - x'|, over the last axis, by sorting."""
    draws = np.sort(draws, axis=-1)
    n = draws.shape[-1]
    weight = 2 * np.arange(1, n + 1) - n - 1
    return np.abs(draws - actual[..., None]).mean(-1) - (draws * weight).sum(-1) / n**2


def walk(model, y, n_first):
    """Forecast block after block: (n_blocks, n_series, STEPS) each, and paths of each."""
    days = pd.date_range("2000-01-01", periods=y.shape[1])
    n_series = len(y)

    def table(first, last):
        rows = pd.DataFrame({"id": np.repeat(np.arange(n_series), last - first)})
        rows["y"] = y[:, first:last].ravel()
        return rows.set_index(np.tile(days[first:last], n_series))

    model.fit(table(0, n_first))
    found = []
    for first in range(n_first, y.shape[1] - STEPS + 1, STEPS):
        shape = n_series, STEPS, -1
        steps = model.predict_interval(COVERAGE).to_numpy().reshape(shape)
        whole = model.predict_interval(COVERAGE, simultaneous=True).to_numpy().reshape(shape)
        draws = model.sample_paths(N_PATHS, random_state=first).to_numpy().reshape(shape)
        found.append((y[:, first : first + STEPS], steps, whole, draws))
        model.update(table(first, first + STEPS))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def scores(actual, steps, whole, draws, ideal=None):
    """Coverage and widths."""
    sums, drawn = actual.sum(1), draws.sum(1)
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=-1)
    inside = (steps[..., 0] <= actual) & (actual <= steps[..., 2])
    if ideal is None:
        ideal = np.diff(np.quantile(sums - steps[..., 1].sum(1), [0.1, 0.9]))[0]
    of_draws = np.quantile(draws, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=-1)
    return {
        "paths": len(actual),
        "all steps of 80 % each": inside.all(1).mean(),
        "simultaneous": ((whole[..., 0] <= actual) & (actual <= whole[..., 2])).all(1).mean(),
        "sums": ((low <= sums) & (sums <= high)).mean(),
        "width of sums": (high - low).mean() / ideal,
        "least step": inside.mean(0).min(),
        "most step": inside.mean(0).max(),
        "step of paths": ((of_draws[0] <= actual) & (actual <= of_draws[1])).mean(),
        "least": min(steps.min(), whole.min(), draws.min()),
        "CRPS step": crps(draws, actual).mean(),
        "CRPS sum": crps(drawn, sums).mean(),
    }


def ideal_of_sums(phi):
    """Width of the 80 % interval of a sum of an AR(1) with unit noise, given its last value."""
    reach = (1 - phi ** np.arange(1, STEPS + 1)) / (1 - phi)
    return 2 * norm.ppf((1 + COVERAGE) / 2) * np.sqrt((reach**2).sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minima")
    parser.add_argument("--models", nargs="+", default=["ridge"])
    parser.add_argument("--calibration-fraction", type=float)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.models:
        fraction = options.calibration_fraction or "auto"
        for phi in (0.3, 0.8, 0.95):
            model = SequenceForecaster(
                MODELS[name](), 14, STEPS, series="id", calibration_fraction=fraction
            )
            found = walk(model, ar1(40, 600, phi, seed=1), 400)
            rows.append({"set": f"AR(1) {phi}", "model": name} | scores(*found, ideal_of_sums(phi)))
        of_counts = {
            "ridge": {"estimator": Ridge(), "transform": "log1p"},
            "network": {"estimator": MODELS["network"]().set_params(loss="poisson")},
        }
        model = SequenceForecaster(
            window_size=14,
            steps=STEPS,
            series="id",
            calibration_fraction=fraction,
            **of_counts[name],
        )
        found = walk(model, counts(40, 600, seed=1), 400)
        rows.append({"set": "counts", "model": name} | scores(*found))
        if options.minima:
            y = pd.read_csv(options.minima)["Temp"].to_numpy(float)[None]
            model = SequenceForecaster(
                MODELS[name](), 28, STEPS, series="id", calibration_fraction=0.3
            )
            found = walk(model, y, 1460)
            rows.append({"set": "minima", "model": name} | scores(*found))
    print(pd.DataFrame(rows).round(3).T.to_string())


if __name__ == "__main__":
    main()
