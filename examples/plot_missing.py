"""
Predict with missing values
===========================

Sensors fail. Part of the weather table is removed at random, more and more of it, and tomorrow's
highest temperature in Seattle is predicted from what is left. With ``missing="mask"`` the network
reads the last observed value and a mask that marks it as missing; imputation with the mean gives it
a value that was never measured. Gradient boosting accepts missing values.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

weather = load_weather(as_frame=True).data
tomorrow = weather["temp_max"]
train, test = weather.index < "2015", weather.index >= "2015"

# %%
# Three models of the same histories; the imputer returns DataFrames, which keep the dates.

windower = SequenceWindower(window_size=14, horizon=1)
lstm = LSTMRegressor(hidden_size=32, random_state=0)
imputer = SimpleImputer().set_output(transform="pandas")
boosting = HistGradientBoostingRegressor(random_state=0)
models = {
    "LSTM, missing='mask'": make_pipeline(windower, clone(lstm).set_params(missing="mask")),
    "LSTM, imputed with the mean": make_pipeline(imputer, windower, lstm),
    "gradient boosting on lags": make_pipeline(windower, SequenceFlattener(), boosting),
}

# %%
# Train on 2012 to 2014 and predict 2015, each with part of the values removed.

errors = {}
for percent in (0, 10, 30, 50):
    removed = np.random.default_rng(0).random(weather.shape) < percent / 100
    left = weather.mask(removed)
    predictions = {
        name: model.fit(left[train], tomorrow[train]).predict(left[test])
        for name, model in models.items()
    }
    predictions["naive (last observed value)"] = left["temp_max"].ffill().shift(1)[test]
    errors[percent] = {
        name: mean_absolute_error(tomorrow[test], predicted)
        for name, predicted in predictions.items()
    }
table = pd.DataFrame(errors).round(2)

# %%
# A picture: the error grows with the share of missing values, slowest with the mask.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, row in table.iterrows():
    ax.plot(row.index, row, marker="o", label=name)
ax.set(xlabel="values removed (%)", ylabel="mean absolute error in 2015 (°C)")
ax.grid(alpha=0.3)
ax.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_missing.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("Mean absolute error (°C) in 2015, by the share of values removed (%)")
print(table.to_string())
print(f"\nPicture: {picture}")
