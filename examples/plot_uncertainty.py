"""
How sure it is
==============

Tomorrow's highest temperature with a band in which it will lie on eight days of ten. One LSTM
learns the band's edges as quantiles, another a mean and a standard deviation. Beside them stand
gradient boosting, a model for each quantile, and "as today" with the quantiles of its own errors
in the training years.

A band has to hold the share it promises, and of those that do the narrow one is better. The mean
pinball loss weighs both.
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
# The histories that all models see, and the days of 2015 as the test part.

weather = load_weather(as_frame=True).data
angle = 2 * np.pi * weather.index.day_of_year / 365.25
table = weather.assign(season_sin=np.sin(angle), season_cos=np.cos(angle))
X = SequenceWindower(window_size=14, horizon=1).fit_transform(table)
y = weather["temp_max"].to_numpy()
is_test = weather.index >= "2015"
levels = [0.1, 0.5, 0.9]

# %%
# Two networks: ``predict_quantiles`` gives a column a level, which never cross.

networks = {
    "LSTM, quantiles": LSTMRegressor(loss="quantile", quantiles=levels, random_state=0),
    "LSTM, mean and deviation": LSTMRegressor(loss="gaussian", quantiles=levels, random_state=0),
}
quantiles = {
    name: model.fit(X[~is_test], y[~is_test]).predict_quantiles(X[is_test])
    for name, model in networks.items()
}

# %%
# Gradient boosting learns each level by itself; "as today" adds quantiles of how days differ.

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
quantiles["as today"] = today[is_test, None] + changes

# %%
# What each band promises and holds.

true = y[is_test]
scores = pd.DataFrame(
    {
        name: {
            "days inside (%)": 100 * np.mean((found[:, 0] <= true) & (true <= found[:, 2])),
            "width (°C)": np.mean(found[:, 2] - found[:, 0]),
            "pinball loss (°C)": np.mean(
                [mean_pinball_loss(true, found[:, k], alpha=q) for k, q in enumerate(levels)]
            ),
        }
        for name, found in quantiles.items()
    }
).T.sort_values("pinball loss (°C)")

# %%
# A picture of two test months.

figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained", sharey=True)
days = weather.index[is_test]
for ax, name in zip(axes, ["LSTM, quantiles", "gradient boosting"], strict=True):
    low, middle, high = quantiles[name].T
    ax.fill_between(days, low, high, alpha=0.25, label="8 days of 10")
    ax.plot(days, middle, label="median, the day before")
    ax.plot(days, true, color="0.4", marker=".", linestyle="", label="measured")
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
