"""
A sine wave
===========

The first exercise of every network that remembers: the next value of a wave from the ten before.
Then the network goes on by itself, each value from ten of which more and more are its own. A linear
model can do this exactly, as each value of a sine is a fixed sum of the two before it; the default
LSTM begins with one and needs to learn nothing. The network alone has to find out by itself.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from sklstm import LSTMRegressor, SequenceForecaster, backtest, backtest_scores

# %%
# Forty-eight turns of 25 steps; the last eight are the test part.

y = pd.Series(np.sin(2 * np.pi * np.arange(1200) / 25), name="wave")
past, later = y[:1000], y[1000:]
models = {
    "LSTM": LSTMRegressor(random_state=0),
    "LSTM without a linear start": LSTMRegressor(32, init=None, lr=0.01, random_state=0),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
}

# %%
# One step ahead from each row of the test part, and a hundred steps from its first. Errors are mean
# squares in variances of the wave: 1 is what its mean would miss.

scores, waves = {}, {}
for name, regressor in models.items():
    forecaster = SequenceForecaster(regressor, window_size=10)
    one_step = backtest_scores(backtest(forecaster, y, start=len(past)))["RMSE"] ** 2
    waves[name] = forecaster.fit(past).predict(100)["wave"]
    missed = np.mean((waves[name] - later[:100]) ** 2)
    scores[name] = one_step["forecaster"] / y.var(), missed / y.var()
missed = np.mean((past.iloc[-1] - later[:100]) ** 2)
scores["naive"] = one_step["naive"] / y.var(), missed / y.var()
scores = pd.DataFrame(scores, ["next step", "100 steps, read back"]).T

# %%
# The wave, and what goes on from the first hundred values of the test part on.

figure, ax = plt.subplots(figsize=(10, 4), layout="constrained")
ax.plot(y[970:1100], color="0.7", linewidth=4, label="the wave")
for name, color in zip(models, ("C0", "C1", "C2"), strict=True):
    ax.plot(waves[name], color=color, label=name)
ax.axvline(999.5, color="0.5", linestyle=":")
ax.set(title="From the dotted line on, each reads its own values", xlabel="step")
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4, frameon=False)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_sine.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("Mean squared error, in variances of the wave")
print(scores.to_string(float_format="{:.1e}".format))
print(f"\nPicture: {picture}")
