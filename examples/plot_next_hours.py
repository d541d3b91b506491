"""
The next 24 hours
=================

What will be used in the next hours, hour by hour, and between which values with a probability of
90 %? One ``SequenceForecaster`` reads the last day and foretells all 24 hours at once; hour
and weekday are known ahead. The band comes from what a first model missed on later rows, hour by
hour ahead, so it is narrow at first and wide where the last hours say little.

The demand is made up: a frequency of days and weeks, and disturbances that fade within a day. So it is
known how good a forecast can be at best. Beside the LSTM stand the last hour, the same hour a day
before, and gradient boosting, a model an hour ahead, which reads the same rows.
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
frequency = 60 - 12 * np.cos(of_day) - 5 * np.cos(2 * of_day - 1) - 8 * weekend
shocks, disturbance = rng.normal(size=len(hours)), np.zeros(len(hours))
for hour in range(1, len(hours)):
    disturbance[hour] = 0.9 * disturbance[hour - 1] + shocks[hour]
y = pd.Series(frequency + disturbance, hours, name="demand (MW)")
calendar = pd.DataFrame(
    {"sin": np.sin(of_day), "cos": np.cos(of_day), "weekend": weekend.astype(float)}, hours
)

# %%
# Two models of one kind: what stands inside learns the 24 hours from the 24 before.


def forecaster(regressor):
    """Make a model of the next day."""
    return SequenceForecaster(regressor, window_size=24, steps=24, future_covariates=list(calendar))


models = {
    "LSTM": forecaster(LSTMRegressor(32, random_state=0)),
    "gradient boosting": forecaster(HistGradientBoostingRegressor(max_iter=20, random_state=0)),
}

# %%
# Each learns from the first eight weeks, and foretells the day after each hour of the last two.

n_past = 8 * 7 * 24
tables = {
    name: backtest(model, y, calendar, initial_train_size=n_past, season=24, coverage=0.9)
    for name, model in models.items()
}
rows = {name: backtest_scores(table).loc["forecaster"] for name, table in tables.items()}
rules = backtest_scores(tables["LSTM"])
rows |= {"last hour": rules.loc["naive"], "the day before": rules.loc["seasonal naive"]}
steps = np.arange(1, 25)
at_best = np.sqrt((1 - 0.81**steps) / (1 - 0.81))  # deviation of what no past can tell
scores = pd.DataFrame(rows).T[["RMSE", "coverage", "width"]].sort_values("RMSE")

# %%
# The last day, from the hour before it, with its band; and errors from hour to hour ahead.

day = tables["LSTM"][tables["LSTM"]["origin"] == hours[-25]].set_index("timestamp")
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
ForecastDisplay(y[-72:-24], day[["forecast", "lower", "upper"]], coverage=0.9).plot(left)
left.plot(y[-24:], color="0.4", linestyle=":", label="measured later")
left.set_title("The last day, from the hour before it")
left.legend()
for name, table in tables.items():
    by_step = backtest_scores(table, by="step")["RMSE"]
    right.plot(steps, by_step.xs("forecaster", level="model"), label=name)
    if name == "LSTM":
        rule = by_step.xs("seasonal naive", level="model")
        right.plot(steps, rule, color="C3", linestyle="--", label="the day before")
right.plot(steps, at_best, color="0.4", linestyle=":", label="expected at best")
right.set(title="Last two weeks (test)", xlabel="hours ahead", ylabel="RMSE (MW)", ylim=(0, None))
right.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_next_hours.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("The next 24 hours, from each hour of two weeks (MW); expected at best", end=" ")
print(f"{np.sqrt(np.mean(at_best**2)):.2f}")
print(scores.round(2).to_string(na_rep="-"))
print(f"\nPicture: {picture}")
