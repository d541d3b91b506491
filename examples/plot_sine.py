"""
A sine wave
===========

A first exercise for recurrent networks: forecast the next value of a wave from the ten before it.
Then a forecast of 100 steps is made recursively, which reads more and more of its own forecasts. A
linear model can do this exactly, as each value of a sine is a fixed linear combination of the two
before it. The default LSTM has a linear init estimator, whose residuals leave nothing to learn; a
network without one has to learn the wave from the data.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores

# %%
# Forty-eight periods of 25 steps; the last eight are the test part.

y = pd.Series(np.sin(2 * np.pi * np.arange(1200) / 25), name="wave")
past, later = y[:1000], y[1000:]
models = {
    "LSTM": LSTMRegressor(random_state=0),
    "LSTM without init estimator": LSTMRegressor(32, init=None, lr=0.01, random_state=0),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
}

# %%
# One step ahead from each row of the test part, and a hundred steps from its first. Errors are mean
# squared errors in variances of the wave: forecasting the mean has an error of 1.

scores, waves = {}, {}
for name, regressor in models.items():
    forecaster = SequenceForecaster(regressor, window_size=10)
    one_step = backtest_scores(backtest(forecaster, y, initial_train_size=len(past)))["RMSE"] ** 2
    waves[name] = forecaster.fit(past).predict(100)["wave"]
    error = np.mean((waves[name] - later[:100]) ** 2)
    scores[name] = one_step["forecaster"] / y.var(), error / y.var()
error = np.mean((past.iloc[-1] - later[:100]) ** 2)
scores["naive"] = one_step["naive"] / y.var(), error / y.var()
scores = pd.DataFrame(scores, ["next step", "100 steps, recursive"]).T

# %%
# The wave, and the forecasts of the first hundred values of the test part.

figure, ax = plt.subplots(figsize=(10, 4), layout="constrained")
ax.plot(y[970:1100], color="0.7", linewidth=4, label="the wave")
for name, color in zip(models, ("C0", "C1", "C2"), strict=True):
    ax.plot(waves[name], color=color, label=name)
ax.axvline(999.5, color="0.5", linestyle=":")
ax.set(title="Recursive forecasts from the dotted line on", xlabel="step")
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4, frameon=False)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_sine.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("Mean squared error, in variances of the wave")
print(scores.to_string(float_format="{:.1e}".format))
print(f"\nPicture: {picture}")
