"""
From pandas to a forecast
=========================

A table as people keep it goes in: days in any order, some twice, some missing, a text among the
numbers. Out comes a forecast of the next seven days with a band that four truths of five should lie
in, from a model that was tuned, saved and loaded again. Beside it stand the trivial rule "as today"
and a ridge regression that reads the same days.
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
# The weather of Seattle, spoilt as files are: shuffled, with days that come twice, days that are
# gone and values that nobody wrote down.

rng = np.random.default_rng(0)
spoilt = load_weather(as_frame=True).frame.reset_index()
spoilt.loc[rng.random(len(spoilt)) < 0.03, "temp_max"] = np.nan
spoilt = pd.concat([spoilt[rng.random(len(spoilt)) > 0.02], spoilt[:10]])
spoilt = spoilt.sample(frac=1, random_state=0)
spoilt.to_csv(folder / "spoilt.csv", index=False, date_format="%d.%m.%Y")

table = pd.read_csv(folder / "spoilt.csv")
print(table.head(3))

# %%
# A regular table
# ---------------
#
# A forecast stands on dates, so it wants each of them once and in order: pandas does that. A gap
# is filled with the day before, never with the day behind: it would tell what is to be foretold.
# The text becomes a column of numbers for each word.

table["date"] = pd.to_datetime(table["date"], format="%d.%m.%Y")
days = table.drop_duplicates("date").set_index("date").sort_index().asfreq("D")
print(days.isna().sum().to_dict(), "missing values in", len(days), "days")

sky = pd.get_dummies(days.pop("weather"), dtype=float)
days = days.ffill()
temperature = days.pop("temp_max")

# %%
# What is known of a day: its weather, up to now; and the season, ahead for ever.


def season(dates):
    """Put each date on the circle of the year."""
    angle = 2 * np.pi * dates.day_of_year / 365.25
    return pd.DataFrame({"season_sin": np.sin(angle), "season_cos": np.cos(angle)}, index=dates)


X = days.join(sky).join(season(days.index))
print(list(X.columns))

# %%
# A first forecast, and how good it is
# ------------------------------------
#
# The last year has no part in the training. From each of its days the next seven are foretold, and
# so does the ridge regression. Without these lines beside it, no score says anything.


def forecaster(estimator, window_size=24):
    """Make a forecaster of the next seven days."""
    known = ["season_sin", "season_cos"]
    return SequenceForecaster(estimator, window_size=window_size, steps=7, future_covariates=known)


n_past = int((days.index < "2015").sum())


def test(model):
    """Forecast all days of the last year, with bands."""
    return backtest(model, temperature, X, initial_train_size=n_past, coverage=0.8)


lstm = LSTMRegressor(hidden_size=32, random_state=0)
ridge = RidgeCV(np.logspace(-2, 4, 13))
tests = {"LSTM": test(forecaster(lstm)), "ridge": test(forecaster(ridge))}
backtest_scores(tests["LSTM"]).round(2)

# %%
# Tuned
# -----
#
# How many days to read is chosen in the same way, on the year before the year of the test, which
# has no say. A whole year, as what is good in winter need not be in summer. No bands are needed for
# it, which saves a fit. Where all are as close as here, take the simpler one, or look for columns
# that know more: no window will.


def error(model):
    """Forecast all days of 2014 from what was known before."""
    model = clone(model).set_params(calibration_fraction=0)
    table = backtest(model, temperature[:n_past], X[:n_past], initial_train_size=n_past - 365)
    return backtest_scores(table).loc["forecaster", "MAE"]


def tuned(estimator):
    """Choose the window that errs least."""
    return min([forecaster(estimator, size) for size in [3, 7, 24]], key=error)


best = tuned(lstm)
tests |= {"LSTM, tuned": test(best), "ridge, tuned": test(tuned(ridge))}

scores = pd.DataFrame(
    {"as today": backtest_scores(tests["LSTM"]).loc["naive"]}
    | {name: backtest_scores(one).loc["forecaster"] for name, one in tests.items()}
)
scores = scores.T[["MAE", "RMSE", "coverage", "width"]].round(2)
print(f"Days to read: {best.window_size}")
print(scores.to_string())

# %%
# Saved, loaded, and the days to come
# -----------------------------------
#
# The model for use learns from all days. What is known ahead is handed over for the days to come.

joblib.dump(best.fit(temperature, X), folder / "temperature.joblib")

loaded = joblib.load(folder / "temperature.joblib")
ahead = pd.date_range(days.index[-1], periods=8, freq="D")[1:]
forecast = loaded.predict_interval(0.8, X=season(ahead))
print(forecast.round(1))

# %%
# A picture of the forecast behind its past, and of the error by how far it looks, is kept in the
# folder ``pictures``.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4), width_ratios=[3, 2], layout="constrained"
)
ForecastDisplay.from_estimator(loaded, X=season(ahead), coverage=0.8, ax=left)
left.set(title="Seattle, the first week of 2016", ylabel="highest temperature (°C)", xlabel="")
left.tick_params(axis="x", rotation=30)

for name in ["LSTM, tuned", "ridge, tuned"]:
    by_step = backtest_scores(tests[name], by="step")["MAE"]
    right.plot(by_step.xs("forecaster", level="model"), marker="o", label=name)
right.plot(by_step.xs("naive", level="model"), color="0.6", linestyle=":", label="as today")
right.set(title="All days of 2015", xlabel="days ahead", ylabel="mean absolute error (°C)")
right.legend()

picture = folder / "plot_pandas_to_forecast.png"
figure.savefig(picture, dpi=120)
print(f"Picture: {picture}")
