"""
Prediction intervals
====================

Tomorrow's highest temperature with an 80 % prediction interval. One LSTM learns the bounds of the
interval by quantile regression, another predicts a mean and a standard deviation. They are compared
with gradient boosting, a model for each quantile, and the naive forecast (the value of the day
before) with the quantiles of its errors in the training years.

The coverage of an interval should be the nominal one, and of those with the same coverage the
narrower is better. The mean pinball loss measures both.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

# %%
# The histories that all models read, and the days of 2015 as the test part.

weather = load_weather(as_frame=True).data
angle = 2 * np.pi * weather.index.day_of_year / 365.25
table = weather.assign(season_sin=np.sin(angle), season_cos=np.cos(angle))
X = SequenceWindower(window_size=14, horizon=1).fit_transform(table)
y = weather["temp_max"].to_numpy()
is_test = weather.index >= "2015"
levels = [0.1, 0.5, 0.9]

# %%
# Two networks: ``predict_quantiles`` returns a column for each level; quantiles never cross.

networks = {
    "LSTM, quantiles": LSTMRegressor(loss="quantile", quantiles=levels, random_state=0),
    "LSTM, mean and deviation": LSTMRegressor(loss="gaussian", quantiles=levels, random_state=0),
}
quantiles = {
    name: model.fit(X[~is_test], y[~is_test]).predict_quantiles(X[is_test])
    for name, model in networks.items()
}

# %%
# Gradient boosting has a model for each level; the naive forecast adds quantiles of daily changes.

lags = SequenceFlattener().fit_transform(X)
boosting = [
    HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0)
    .fit(lags[~is_test], y[~is_test])
    .predict(lags[is_test])
    for level in levels
]
quantiles["gradient boosting"] = np.column_stack(boosting)
today = np.append(np.nan, y[:-1])
changes = np.nanquantile((y - today)[~is_test], levels)
quantiles["naive"] = today[is_test, None] + changes

# %%
# Coverage and width of the intervals.

actuals = y[is_test]
scores = pd.DataFrame(
    {
        name: {
            "coverage (%)": 100
            * np.mean((predicted[:, 0] <= actuals) & (actuals <= predicted[:, 2])),
            "width (°C)": np.mean(predicted[:, 2] - predicted[:, 0]),
            "pinball loss (°C)": np.mean(
                [mean_pinball_loss(actuals, predicted[:, k], alpha=q) for k, q in enumerate(levels)]
            ),
        }
        for name, predicted in quantiles.items()
    }
).T.sort_values("pinball loss (°C)")

# %%
# A picture of two test months.

figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained", sharey=True)
days = weather.index[is_test]
for ax, name in zip(axes, ["LSTM, quantiles", "gradient boosting"], strict=True):
    low, middle, high = quantiles[name].T
    ax.fill_between(days, low, high, alpha=0.25, label="80 % interval")
    ax.plot(days, middle, label="median, the day before")
    ax.plot(days, actuals, color="0.4", marker=".", linestyle="", label="measured")
    ax.set(title=f"{name}: Seattle, 2015 (test)", xlim=(days[151], days[212]))
    ax.tick_params(axis="x", rotation=30)
axes[0].set_ylabel("highest temperature (°C)")
axes[0].legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_uncertainty.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(scores.round(2).to_string())
print(f"\nPicture: {picture}")
