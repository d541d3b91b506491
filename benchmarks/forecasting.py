"""Errors and prediction intervals of forecasts with default settings, beside baselines.

Baselines are naive forecasts and models of scikit-learn; the time series are real.

    python benchmarks/forecasting.py FOLDER                       # all sets whose files are there
    python benchmarks/forecasting.py FOLDER --sets co2 --seeds 1

Sets and their parts are described in README.md. Every model is fitted once on the same rows and
forecasts from every origin of the test part. Of several window sizes, the one with the lowest error
on the calibration rows, a part of the training rows, is used. Results of sets that are not measured
again are kept.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from report import RESULTS, machine, markdown
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores

STEPS_OF_QUANTILES = 1, 6, 12, 24
"""Steps at which boosted quantiles are compared: they need a model for each step and bound."""
COVERAGES = 0.8, 0.9


class Series(NamedTuple):
    """Columns to forecast.

    Attributes
    ----------
    name : str
        Of the set.
    table : DataFrame
        Training and test rows, all columns targets; standardised by the first `n_unit` rows.
    n_train : int
        Training rows.
    steps, season : int
        Steps to forecast; period of the seasonal naive forecast.
    windows : tuple of int
        Window sizes to choose from.
    calibration_fraction : float or "auto", default="auto"
        Part of the training rows that calibrates intervals and chooses the window size.
    """

    name: str
    table: pd.DataFrame
    n_train: int
    steps: int
    season: int
    windows: tuple
    calibration_fraction: float | str = "auto"

    @property
    def past(self):
        """The training rows."""
        return self.table[: self.n_train]


class Naive(RegressorMixin, BaseEstimator):
    """Naive forecast: the last value of a window, at every step."""

    def fit(self, X, y):
        """Count the steps."""
        self.n_steps_ = y.shape[1] if y.ndim > 1 else 1
        return self

    def predict(self, X):
        """Repeat the last column."""
        last = np.asarray(X)[:, -1:]
        return last[:, 0] if self.n_steps_ == 1 else np.repeat(last, self.n_steps_, axis=1)


def main():
    options = parse_options()
    torch.set_num_threads(1)
    files = RESULTS / "forecasting.csv", RESULTS / "forecasting-steps.csv"
    for one in find_sets(options.folder):
        if options.sets and one.name not in options.sets:
            continue
        for path, rows in zip(files, measure(one, options.seeds), strict=True):
            new = pd.DataFrame(rows)
            if path.exists():
                old = pd.read_csv(path)
                new = pd.concat([old[old["set"] != one.name], new])
            new.to_csv(path, index=False, float_format="%.5g")
    text = describe(*map(pd.read_csv, files))
    (RESULTS / "forecasting.md").write_text(text)
    print(text)


def find_sets(folder):
    """Read the sets whose files are there."""
    ett, pm = folder / "ETTh1.csv", folder / "beijing_pm25_2010_2014.csv"
    minima, airline = folder / "daily-min-temperatures.csv", folder / "airline-passengers.csv"
    if ett.exists():
        table = pd.read_csv(ett, index_col="date", parse_dates=True).asfreq("h")[:14400]
        table = (table - table[:8640].mean()) / table[:8640].std(ddof=0)
        yield Series("ETTh1 oil", table[["OT"]], 11520, 24, 24, (96, 168, 336))
        validation = 2880 / 11520  # the authors' validation part
        yield Series("ETTh1 all columns", table, 11520, 24, 24, (96,), validation)
    if pm.exists():
        table = pd.read_csv(pm)
        table.index = pd.to_datetime(table[["year", "month", "day", "hour"]]).to_list()
        table = table[["pm2.5"]].asfreq("h").ffill().dropna()
        yield _scaled("PM2.5", table, int(0.8 * len(table)), 24, 24, (96,))
    if minima.exists():
        table = pd.read_csv(minima, index_col=0, parse_dates=True).asfreq("D").ffill()
        yield _scaled("daily minima", table, len(table) - 730, 14, 7, (28, 91))
    if airline.exists():
        table = pd.read_csv(airline, index_col=0, parse_dates=True).asfreq("MS")
        yield _scaled("airline", table, int(0.67 * len(table)), 1, 12, (12, 24))
    try:
        from statsmodels.datasets import co2
    except ImportError:
        return
    table = co2.load_pandas().data.resample("MS").mean().interpolate()
    yield _scaled("CO2", table, int(0.75 * len(table)), 24, 12, (12, 36))


def _scaled(name, table, n_train, *rest):
    scaler = StandardScaler().fit(table[:n_train].to_numpy())
    values = scaler.transform(table.to_numpy())
    return Series(name, pd.DataFrame(values, table.index, table.columns), n_train, *rest)


def measure(one, seeds):
    """Return rows of errors of every model, and of each step."""
    rows, by_step = [], []

    def keep(model, seed, coverage, table, seconds, window):
        scores = backtest_scores(table)
        for target, part in table.groupby("target"):
            own = backtest_scores(part).loc["forecaster"]
            rows.append(
                {"set": one.name, "model": model, "seed": seed, "target": target}
                | {"window": window, "seconds": seconds, "nominal": coverage}
                | {"MSE": own["RMSE"] ** 2, "MAE": own["MAE"]}
                | {key: own.get(key) for key in ("coverage", "width", "pinball")}
            )
        print(one.name, model, seed, window, round(seconds), scores.round(4), sep="\n", flush=True)
        if model == "sklstm" and seed == 0 and coverage == COVERAGES[-1]:
            steps = backtest_scores(table, by="step")["RMSE"] ** 2
            steps = steps.rename({"forecaster": model}).rename("MSE").reset_index()
            by_step.extend(steps.assign(set=one.name).to_dict("records"))

    def run(model, seed, estimator, windows, coverage):
        start = time.perf_counter()
        window = choose_window(one, estimator, windows) if len(windows) > 1 else windows[0]
        forecaster = SequenceForecaster(
            estimator, window, one.steps, calibration_fraction=one.calibration_fraction
        )
        of = {"initial_train_size": one.n_train, "season": one.season}
        try:
            table = backtest(forecaster, one.table, coverage=coverage, **of)
        except ValueError as error:
            if "too few residuals" not in str(error):
                raise
            table = backtest(forecaster, one.table, **of)  # a short series has no such interval
        keep(model, seed, coverage, table, time.perf_counter() - start, window)
        return window

    window = one.windows
    for seed in range(seeds):
        lstm = LSTMRegressor(random_state=seed)
        window = (run("sklstm", seed, lstm, window, COVERAGES[-1]),)
    if one.table.shape[1] == 1:  # several columns take too long
        run("sklstm", 0, LSTMRegressor(random_state=0), window, COVERAGES[0])
    baselines = {"ridge": RidgeCV(np.logspace(-3, 3, 7))}
    if one.table.shape[1] == 1:
        baselines |= {
            "boosting": HistGradientBoostingRegressor(random_state=0),
            "naive": Naive(),
        }
    for name, estimator in baselines.items():
        for coverage in COVERAGES:
            run(name, 0, estimator, window, coverage)
    if one.table.shape[1] == 1:
        rows += boosted_quantiles(one, window[0])
    return rows, by_step


def choose_window(one, estimator, windows):
    """Return the window size with the lowest error on the calibration rows."""

    def error(size):
        model = SequenceForecaster(
            estimator, size, one.steps, calibration_fraction=one.calibration_fraction
        )
        fitted = model.fit(one.past)
        return fitted.validation_losses_["loss"].iloc[1:].min()

    return min(windows, key=error)


def boosted_quantiles(one, window):
    """Coverage and width of intervals between two boosted quantiles, not calibrated."""
    y = one.table.iloc[:, 0].to_numpy()
    lags = np.lib.stride_tricks.sliding_window_view(y, window)
    rows = []
    for coverage in COVERAGES:
        start, scores = time.perf_counter(), []
        for step in (s for s in STEPS_OF_QUANTILES if s <= one.steps):
            X, actuals = lags[:-step], y[window - 1 + step :]
            is_train = np.arange(len(actuals)) + window - 1 + step < one.n_train
            is_test = np.arange(len(actuals)) + window >= one.n_train
            bounds = []
            for level in ((1 - coverage) / 2, (1 + coverage) / 2):
                model = HistGradientBoostingRegressor(
                    loss="quantile", quantile=level, random_state=0
                )
                bounds.append(model.fit(X[is_train], actuals[is_train]).predict(X[is_test]))
            inside = (bounds[0] <= actuals[is_test]) & (actuals[is_test] <= bounds[1])
            scores.append((inside.mean(), np.mean(bounds[1] - bounds[0])))
        covered, width = np.mean(scores, axis=0)
        rows.append(
            {"set": one.name, "model": "boosted quantiles", "seed": 0, "nominal": coverage}
            | {"target": one.table.columns[0], "window": window}
            | {"seconds": time.perf_counter() - start, "coverage": covered, "width": width}
        )
    return rows


def describe(figures, by_step):
    """Write the tables of errors, of prediction intervals and of steps."""
    lines = ["# Forecasts with default settings", "", f"{machine()}. One thread.", ""]
    lines += ["## Mean squared error", ""]
    lines += [
        "In variances of the training rows, mean over seeds. In brackets the seconds of choosing"
    ]
    lines += [
        "the window size, both fits and all forecasts.",
        "",
        markdown(_errors(figures, by_step)),
    ]
    lines += [
        "",
        "## Prediction intervals",
        "",
        "Coverage of actual values, in brackets the mean width.",
        "",
    ]
    lines.append(markdown(_intervals(figures)))
    lines += ["", "## All columns of ETTh1, one by one", ""]
    lines.append(markdown(_columns(figures)))
    lines += [
        "",
        "## Step by step",
        "",
        "Mean squared error of `sklstm` and of the naive forecast.",
    ]
    lines += ["", markdown(_steps(by_step))]
    return "\n".join(lines) + "\n"


def _errors(figures, by_step):
    figures = figures.dropna(subset="MSE")
    figures = figures[figures["nominal"] == COVERAGES[-1]]
    rows = []
    for name, part in figures.groupby("set", sort=False):
        row = {"": name, "window": f"{part['window'].iloc[0]}"}
        for model in ("sklstm", "ridge", "boosting"):
            of_model = part[part["model"] == model]
            row[model] = f"{of_model['MSE'].mean():.4f} ({of_model['seconds'].mean():.0f} s)"
            row[model] = "-" if of_model.empty else row[model]
        for model in ("naive", "seasonal naive"):
            of_model = by_step[(by_step["set"] == name) & (by_step["model"] == model)]
            row[model] = f"{of_model['MSE'].mean():.4f}"
        rows.append(row)
    return rows


def _intervals(figures):
    rows = []
    for (name, nominal), part in figures.groupby(["set", "nominal"], sort=False):
        row = {"": name, "nominal": f"{nominal:.0%}"}
        for model in ("sklstm", "ridge", "boosting", "boosted quantiles", "naive"):
            of_model = part[part["model"] == model]
            row[model] = f"{of_model['coverage'].mean():.1%} ({of_model['width'].mean():.2f})"
            row[model] = "-" if of_model.empty else row[model]
        rows.append(row)
    return rows


def _columns(figures):
    of_model = figures[(figures["set"] == "ETTh1 all columns") & (figures["model"] == "sklstm")]
    of_model = of_model[of_model["nominal"] == COVERAGES[-1]]
    rows = []
    for target, part in of_model.groupby("target", sort=False):
        interval = f"{part['coverage'].mean():.1%} ({part['width'].mean():.2f})"
        rows.append(
            {
                "": target,
                "MSE": f"{part['MSE'].mean():.3f}",
                f"{COVERAGES[-1]:.0%} interval": interval,
            }
        )
    return rows or [{"": "-"}]


def _steps(by_step):
    wide = by_step[by_step["model"].isin(["sklstm", "naive"])]
    wide = wide.pivot_table("MSE", "step", ["set", "model"], sort=False)
    rows = []
    for step, values in wide.iterrows():
        row = {"step": f"{step:.0f}"}
        for name in dict.fromkeys(wide.columns.get_level_values(0)):
            ours, naive = values[name, "sklstm"], values[name, "naive"]
            row[name] = f"{ours:.4f} / {naive:.4f}" if np.isfinite(ours) else "-"
        rows.append(row)
    return rows


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
