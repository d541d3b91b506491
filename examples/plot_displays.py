"""
Three pictures of a model
=========================

``sklstm.plotting`` draws how a model was trained, what it predicts, and which steps of the history
it needs. The model predicts each day's highest temperature from the 7 days before it; the last
year is the test part. Its score is compared with the naive forecast (the value of the day before)
and gradient boosting on the same days.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather
from sklstm.plotting import HistoryImportanceDisplay, PredictionDisplay, TrainingCurveDisplay

# %%
# The table, with the season as a point on the circle of the year, and the two models.

weather = load_weather(as_frame=True).data
angle = 2 * np.pi * weather.index.day_of_year / 365.25
X = weather.assign(season_sin=np.sin(angle), season_cos=np.cos(angle))
y = weather["temp_max"]
past, test = slice("2014"), slice("2015", None)


def windows():
    """Make the histories that both models read."""
    return SequenceWindower(window_size=7, horizon=1)


models = {
    "LSTM": make_pipeline(windows(), LSTMRegressor(hidden_size=32, random_state=0)),
    "gradient boosting": make_pipeline(
        windows(), SequenceFlattener(), HistGradientBoostingRegressor(random_state=0)
    ),
}
predictions = pd.DataFrame({"naive": y.shift(1)[test]})
for name, model in models.items():
    predictions[name] = model.fit(X[past], y[past]).predict(X[test])

# %%
# Each display takes the fitted Pipeline. The heat map is a permutation importance: how much the
# error of the LSTM rises if the values of a feature at one lag are shuffled among all days. The
# model relies on yesterday's values.

lstm = models["LSTM"]
figure, axes = plt.subplot_mosaic(
    [["predictions", "predictions"], ["training", "importance"]],
    figsize=(12, 7),
    width_ratios=[2, 3],
    layout="constrained",
)
PredictionDisplay.from_estimator(
    lstm, X[test], y[test], target_name="highest temperature (°C)", ax=axes["predictions"]
)
TrainingCurveDisplay.from_estimator(lstm, ax=axes["training"])
importance = HistoryImportanceDisplay.from_estimator(
    lstm, X[test], y[test], scoring="neg_mean_absolute_error", random_state=0, ax=axes["importance"]
)
importance.colorbar_.set_label(f"{importance.unit} (°C)")
axes["predictions"].set_title("Predictions: Seattle, 2015 (test)")
axes["training"].set(title="Training", yscale="log")
axes["importance"].set_title("What the predictions need (test)")

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_displays.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
for name, column in predictions.items():
    print(f"{name:20s}{mean_absolute_error(y[test], column):.2f} °C mean absolute error")
print(f"Picture: {picture}")
