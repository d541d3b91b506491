"""
From pandas to a forecast
=========================

The input is a messy table: days in any order, some twice, some missing, a text column among the
numbers. The result is a forecast of the next seven days with an 80 % prediction interval, from a
model that was tuned, saved and loaded again. It is compared with the naive forecast (the last
observed value) and a ridge regression that reads the same days.
"""

from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import RidgeCV

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores
from sklstm.datasets import load_weather
from sklstm.plotting import ForecastDisplay

folder = Path("pictures")
folder.mkdir(exist_ok=True)

# %%
# A messy file
# ------------
#
# The weather of Seattle, with the faults of real files: shuffled rows, duplicate days, missing days
# and missing values.

rng = np.random.default_rng(0)
messy = load_weather(as_frame=True).frame.reset_index()
messy.loc[rng.random(len(messy)) < 0.03, "temp_max"] = np.nan
messy = pd.concat([messy[rng.random(len(messy)) > 0.02], messy[:10]])
messy = messy.sample(frac=1, random_state=0)
messy.to_csv(folder / "messy.csv", index=False, date_format="%d.%m.%Y")

table = pd.read_csv(folder / "messy.csv")
print(table.head(3))

# %%
# A regular table
# ---------------
#
# A forecaster needs a time index with a fixed frequency: each date once, and in order. pandas does
# that. A gap is filled with the day before, never with the day after, which would leak the value
# to be forecast. The text column is one-hot encoded.

table["date"] = pd.to_datetime(table["date"], format="%d.%m.%Y")
days = table.drop_duplicates("date").set_index("date").sort_index().asfreq("D")
print(days.isna().sum().to_dict(), "missing values in", len(days), "days")

sky = pd.get_dummies(days.pop("weather"), dtype=float)
days = days.ffill()
temperature = days.pop("temp_max")

# %%
# The covariates of a day: past covariates (its weather, known up to now), and future covariates
# (the season, known for all days).


def season(dates):
    """Encode the day of the year as a point on a circle."""
    angle = 2 * np.pi * dates.day_of_year / 365.25
    return pd.DataFrame({"season_sin": np.sin(angle), "season_cos": np.cos(angle)}, index=dates)


X = days.join(sky).join(season(days.index))
print(list(X.columns))

# %%
# A first forecast, and how good it is
# ------------------------------------
#
# The last year is not used for training. Both the LSTM and the ridge regression forecast the seven
# days after each of its days. A score means little without baselines beside it.


def forecaster(estimator, window_size=24):
    """Make a forecaster of the next seven days."""
    return SequenceForecaster(
        estimator,
        window_size=window_size,
        steps=7,
        future_covariates=["season_sin", "season_cos"],
    )


n_past = int((days.index < "2015").sum())


def test(model):
    """Backtest on the last year, with 80 % prediction intervals."""
    return backtest(model, temperature, X, initial_train_size=n_past, coverage=0.8)


lstm = LSTMRegressor(hidden_size=32, random_state=0)
ridge = RidgeCV(np.logspace(-2, 4, 13))
tests = {"LSTM": test(forecaster(lstm)), "ridge": test(forecaster(ridge))}
backtest_scores(tests["LSTM"]).round(2)

# %%
# Tuned
# -----
#
# The lookback window is a hyperparameter, chosen in the same way on the year before the test year.
# It takes a whole year, as the best window in winter need not be the best in summer. No prediction
# intervals are needed for the choice, which saves a fit. Where all are as close as here, take the
# simpler model, or look for covariates that explain more: no other window will help.


def error(model):
    """Return the mean absolute error of a backtest on 2014."""
    model = clone(model).set_params(calibration_fraction=0)
    table = backtest(model, temperature[:n_past], X[:n_past], initial_train_size=n_past - 365)
    return backtest_scores(table).loc["forecaster", "MAE"]


def tuned(estimator):
    """Choose the lookback window with the lowest error."""
    return min([forecaster(estimator, size) for size in [3, 7, 24]], key=error)


best = tuned(lstm)
tests |= {"LSTM, tuned": test(best), "ridge, tuned": test(tuned(ridge))}

scores = pd.DataFrame(
    {"naive": backtest_scores(tests["LSTM"]).loc["naive"]}
    | {name: backtest_scores(one).loc["forecaster"] for name, one in tests.items()}
)
scores = scores.T[["MAE", "RMSE", "coverage", "width"]].round(2)
print(f"Lookback window: {best.window_size} days")
print(scores.to_string())

# %%
# Saved, loaded, and the next days
# --------------------------------
#
# The final model is trained on all days. Its forecast gets the future covariates of the next days.

joblib.dump(best.fit(temperature, X=X), folder / "temperature.joblib")

loaded = joblib.load(folder / "temperature.joblib")
next_days = pd.date_range(days.index[-1], periods=8, freq="D")[1:]
forecast = loaded.predict_interval(0.8, X=season(next_days))
print(forecast.round(1))

# %%
# A picture of the forecast after its history, and of the error by days ahead, is kept in the folder
# ``pictures``.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4), width_ratios=[3, 2], layout="constrained"
)
ForecastDisplay.from_estimator(loaded, X=season(next_days), coverage=0.8, ax=left)
left.set(title="Seattle, the first week of 2016", ylabel="highest temperature (°C)", xlabel="")
left.tick_params(axis="x", rotation=30)

for name in ["LSTM, tuned", "ridge, tuned"]:
    by_step = backtest_scores(tests[name], by="step")["MAE"]
    right.plot(by_step.xs("forecaster", level="model"), marker="o", label=name)
right.plot(by_step.xs("naive", level="model"), color="0.6", linestyle=":", label="naive")
right.set(title="All days of 2015", xlabel="days ahead", ylabel="mean absolute error (°C)")
right.legend()

picture = folder / "plot_pandas_to_forecast.png"
figure.savefig(picture, dpi=120)
print(f"Picture: {picture}")
