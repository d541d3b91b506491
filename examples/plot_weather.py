"""
Tomorrow's temperature
======================

One prediction for each row of a table of daily weather. Each day's highest temperature is
predicted from the 14 days before it; the last year is the test part. The LSTM is compared with the
naive forecast (the value of the day before) and two scikit-learn models that read the same
histories as a table of lags.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

# %%
# The table: four measurements of the day, and the season as a point on the circle of the year.

weather = load_weather(as_frame=True).data
angle = 2 * np.pi * weather.index.day_of_year / 365.25
X = weather.assign(season_sin=np.sin(angle), season_cos=np.cos(angle))
y = weather["temp_max"]
is_test = X.index >= "2015"

# %%
# ``horizon=1``: the history of a day ends the day before, so ``y`` needs no shift. All rows are
# predicted, so that the histories of the first test days reach back into the training years.


def windows():
    """Make the histories that all models read."""
    return SequenceWindower(window_size=14, horizon=1)


models = {
    "LSTM": make_pipeline(windows(), LSTMRegressor(random_state=0)),
    "gradient boosting on lags": make_pipeline(
        windows(), SequenceFlattener(), HistGradientBoostingRegressor(random_state=0)
    ),
    "ridge on lags": make_pipeline(
        windows(), SequenceFlattener(), SimpleImputer(), RidgeCV(np.logspace(-2, 4, 13))
    ),
}
predictions = pd.DataFrame({"naive": y.shift(1)})
for name, model in models.items():
    predictions[name] = model.fit(X[~is_test], y[~is_test]).predict(X)

# %%
# The scores, on the days of 2015.

scores = pd.DataFrame(
    {
        name: {
            "mean absolute error (°C)": mean_absolute_error(y[is_test], column),
            "root mean squared error (°C)": root_mean_squared_error(y[is_test], column),
        }
        for name, column in predictions[is_test].items()
    }
).T.sort_values("mean absolute error (°C)")

# %%
# A picture of the test summer, and of the training.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4), width_ratios=[2, 1], layout="constrained"
)
summer = slice("2015-06-01", "2015-08-31")
left.plot(y[summer], color="0.6", linewidth=3, label="measured")
left.plot(predictions.loc[summer, "LSTM"], color="C0", label="LSTM, the day before")
left.plot(predictions.loc[summer, "naive"], color="C1", linestyle=":", label="naive")
left.set(title="Seattle, summer 2015 (test)", ylabel="highest temperature (°C)")
left.tick_params(axis="x", rotation=30)
left.legend()

network = models["LSTM"][-1]
network.history_.plot(x="epoch", y=["train_loss", "valid_loss"], ax=right)
right.axvline(network.best_epoch_, color="0.6", linestyle="--", label="best epoch")
right.set(title="Training", ylabel="squared error (standardised)", yscale="log")
right.legend(["training", "validation", "best epoch"])

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_weather.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(scores.round(2).to_string())
print(f"\nPicture: {picture}")
