"""
Weeks from a MATLAB file
========================

Matrices of MATLAB, with a sequence in each row and a step in each column, are read as the 3-D array
that the estimators take. Here the weather table is cut into weeks of seven days and saved as such a
file; the mean temperature of the next week is predicted from each week. The LSTM is compared with
the naive forecast (the mean of this week) and gradient boosting on the same seven days.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.io import whosmat
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceFlattener
from sklstm.datasets import load_mat, load_weather, save_mat

# %%
# The table as weeks of seven days, and the mean of highest and lowest temperature of each week.

names = ["temp_max", "temp_min", "wind", "precipitation"]
weather = load_weather(as_frame=True).data[names]
n_weeks = len(weather) // 7
weeks = weather[: 7 * n_weeks].to_numpy().reshape(n_weeks, 7, len(names))
temperature = weeks[:, :, :2].mean(axis=(1, 2))

# %%
# The file: a matrix ``(n_sequences, n_steps)`` for each feature, a vector for the target. The last
# week has no next one.

with TemporaryDirectory() as folder:
    path = Path(folder) / "weeks.mat"
    save_mat(path, weeks[:-1], temperature[1:], feature_names=names, target_name="next_week")
    contents = whosmat(path)
    loaded = load_mat(path, features=names, target="next_week")

X, y = loaded.data, loaded.target

# %%
# The test part: all weeks whose next week lies in 2015. The other 156 are too few to set some aside
# for early stopping.

next_start = weather.index[7 : 7 * n_weeks : 7]
is_test = next_start >= "2015"
models = {
    "LSTM": LSTMRegressor(hidden_size=16, random_state=0),
    "gradient boosting on lags": make_pipeline(
        SequenceFlattener(), HistGradientBoostingRegressor(random_state=0)
    ),
}
predictions = pd.DataFrame({"naive": temperature[:-1]}, index=next_start)
for name, model in models.items():
    predictions[name] = model.fit(X[~is_test], y[~is_test]).predict(X)

# %%
# The scores, on the weeks of 2015.

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
# A picture of the test year.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4), width_ratios=[2, 1], layout="constrained"
)
test = predictions[is_test]
left.plot(test.index, y[is_test], color="0.6", linewidth=3, label="measured")
left.plot(test["LSTM"], color="C0", label="LSTM, the week before")
left.plot(test["naive"], color="C1", linestyle=":", label="naive")
left.set(title="Seattle, weeks of 2015 (test)", ylabel="mean temperature (°C)")
left.legend()

right.scatter(y[is_test], test["naive"], s=14, color="C1", label="naive")
right.scatter(y[is_test], test["LSTM"], s=14, color="C0", label="LSTM")
right.axline((10, 10), slope=1, color="0.6", label="exact")
right.set(title="The same weeks", xlabel="measured (°C)", ylabel="predicted (°C)", aspect="equal")
right.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_weather_mat.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("In the file:", *(f"{name} {shape}" for name, shape, _ in contents))
print(f"Loaded: {X.shape}, {np.sum(is_test)} of the sequences are the test part\n")
print(scores.round(2).to_string())
print(f"\nPicture: {picture}")
