"""
The next 24 hours
=================

What is the demand in each of the next 24 hours, and which 90 % prediction interval covers it? One
``SequenceForecaster`` reads the last day and forecasts all 24 hours at once; hour and weekday are
future covariates. The prediction interval is calibrated on the errors of a first model on held-out
rows, a width for each step: it is narrow for the first hours and wide for later ones.

The demand is synthetic: a daily and a weekly season, and disturbances that fade within a day. So
the lowest error that a forecast can have is known. The LSTM is compared with the naive forecast
(the last hour), the seasonal naive one (the same hour of the day before), and gradient boosting on
the same rows, with a model for each hour ahead.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores
from sklstm.plotting import ForecastDisplay

# %%
# Ten weeks of a town's demand. A disturbance keeps 90 % of its size from hour to hour.

rng = np.random.default_rng(0)
hours = pd.date_range("2024-01-01", periods=10 * 7 * 24, freq="h", name="hour")
of_day = 2 * np.pi * hours.hour / 24
weekend = hours.day_of_week >= 5
seasonal = 60 - 12 * np.cos(of_day) - 5 * np.cos(2 * of_day - 1) - 8 * weekend
shocks, disturbance = rng.normal(size=len(hours)), np.zeros(len(hours))
for hour in range(1, len(hours)):
    disturbance[hour] = 0.9 * disturbance[hour - 1] + shocks[hour]
y = pd.Series(seasonal + disturbance, hours, name="demand (MW)")
calendar = pd.DataFrame(
    {"sin": np.sin(of_day), "cos": np.cos(of_day), "weekend": weekend.astype(float)}, hours
)

# %%
# Two forecasters that differ in the regressor, which learns 24 hours from the 24 before them.


def forecaster(regressor):
    """Make a model of the next day."""
    return SequenceForecaster(regressor, window_size=24, steps=24, future_covariates=list(calendar))


models = {
    "LSTM": forecaster(LSTMRegressor(32, random_state=0)),
    "gradient boosting": forecaster(HistGradientBoostingRegressor(max_iter=20, random_state=0)),
}

# %%
# Each is trained on the first eight weeks, and forecasts the 24 hours after each hour of the last
# two weeks.

n_past = 8 * 7 * 24
tables = {
    name: backtest(model, y, calendar, initial_train_size=n_past, season=24, coverage=0.9)
    for name, model in models.items()
}
rows = {name: backtest_scores(table).loc["forecaster"] for name, table in tables.items()}
baselines = backtest_scores(tables["LSTM"])
rows |= {name: baselines.loc[name] for name in ("naive", "seasonal naive")}
steps = np.arange(1, 25)
lowest = np.sqrt((1 - 0.81**steps) / (1 - 0.81))  # deviation of what can't be predicted
scores = pd.DataFrame(rows).T[["RMSE", "coverage", "width"]].sort_values("RMSE")

# %%
# The forecast of the last day with its prediction interval, and the errors by hours ahead.

day = tables["LSTM"][tables["LSTM"]["origin"] == hours[-25]].set_index("timestamp")
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
ForecastDisplay(y[-72:-24], day[["forecast", "lower", "upper"]], coverage=0.9).plot(left)
left.plot(y[-24:], color="0.4", linestyle=":", label="actual")
left.set_title("The last day, forecast from the hour before it")
left.legend()
for name, table in tables.items():
    by_step = backtest_scores(table, by="step")["RMSE"]
    right.plot(steps, by_step.xs("forecaster", level="model"), label=name)
    if name == "LSTM":
        seasonal_naive = by_step.xs("seasonal naive", level="model")
        right.plot(steps, seasonal_naive, color="C3", linestyle="--", label="seasonal naive")
right.plot(steps, lowest, color="0.4", linestyle=":", label="lowest expected")
right.set(title="Last two weeks (test)", xlabel="hours ahead", ylabel="RMSE (MW)", ylim=(0, None))
right.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_next_hours.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("The next 24 hours, from each hour of two weeks (MW)")
print(f"Lowest expected RMSE: {np.sqrt(np.mean(lowest**2)):.2f}")
print(scores.round(2).to_string(na_rep="-"))
print(f"\nPicture: {picture}")
