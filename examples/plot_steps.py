"""
A label at every step
=====================

With ``pooling=None`` a network predicts at every step of a sequence, not once at its end
(sequence-to-sequence learning). Here the weather is cut into calendar months and saved as a MATLAB
file with a cell array of months of 28 to 31 days. At each day the highest temperature of the next
day is predicted from the days of the month so far. Early stopping uses the validation months that
`fit` gets as ``X_val`` and ``y_val``; the months after them are the test part. The LSTM is compared
with the naive forecast (the value of the day before), gradient boosting and ridge regression on the
same days.

The last table is the permutation importance of each feature: how much the error on the test days
rises if the values of the feature are shuffled among them.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower, masked_scoring
from sklstm.datasets import load_mat, load_weather, save_mat

# %%
# The file: for each feature a cell array with a vector for each month, and the same for the
# target. The last day has no next one: its target is NaN, and is neither learned nor scored.

names = ["temp_max", "temp_min", "wind", "precipitation"]
weather = load_weather(as_frame=True).data[names]
weather["tomorrow"] = weather["temp_max"].shift(-1)
months = [month for _, month in weather.groupby(weather.index.to_period("M"))]

with TemporaryDirectory() as folder:
    path = Path(folder) / "months.mat"
    save_mat(
        path,
        [month[names] for month in months],
        [month["tomorrow"] for month in months],
        feature_names=names,
        target_name="tomorrow",
    )
    loaded = load_mat(path, features=names, target="tomorrow")

X, y = loaded.data, loaded.target  # two lists of arrays, (n_days, 4) and (n_days,)

# %%
# The first 80 % of the months are for training, 10 % for validation, the last 10 % for the test.

n_past, n_before_test = int(0.8 * len(X)), int(0.9 * len(X))
past, valid, test = slice(n_past), slice(n_past, n_before_test), slice(n_before_test, None)
lstm = LSTMRegressor(
    hidden_size=32,
    pooling=None,
    lr=3e-3,
    batch_size=8,
    early_stopping=True,
    random_state=0,
)
lstm.fit(X[past], y[past], X_val=X[valid], y_val=y[valid])

# %%
# The other models read the same days, as a table: the history of a day ends with it and does not
# reach back into the month before.

days = weather[names].assign(month=np.repeat(range(len(X)), [len(month) for month in X]))
is_past, is_test = days["month"] < n_past, days["month"] >= n_before_test
predictions = pd.DataFrame({"naive": weather["temp_max"]})[is_test]
others = {
    "gradient boosting on lags": HistGradientBoostingRegressor(random_state=0),
    "ridge on lags": make_pipeline(SimpleImputer(), RidgeCV(np.logspace(-2, 4, 13))),
}
for name, model in others.items():
    table_model = make_pipeline(
        SequenceWindower(window_size=7, series="month"), SequenceFlattener(), model
    )
    table_model.fit(days[is_past], weather.loc[is_past, "tomorrow"])
    predictions[name] = table_model.predict(days[is_test])
predictions["LSTM"] = np.concatenate(lstm.predict(X[test]))

# %%
# The scores on the test days. ``masked_scoring`` applies a metric of scikit-learn to targets at
# every step; ``lstm.score(X[test], y[test])`` is R², computed in the same way.

ends = np.cumsum([len(month) for month in X[test]])[:-1]
metrics = {
    "mean absolute error (°C)": masked_scoring(mean_absolute_error),
    "root mean squared error (°C)": masked_scoring(root_mean_squared_error),
}
scores = pd.DataFrame(
    {
        name: {
            title: metric(y[test], np.split(column.to_numpy(), ends))
            for title, metric in metrics.items()
        }
        for name, column in predictions.items()
    }
).T.sort_values("mean absolute error (°C)")

# %%
# Permutation importance: the mean absolute error with one feature shuffled, 20 times.

rng = np.random.default_rng(0)
error = masked_scoring(mean_absolute_error)
importances = pd.DataFrame(index=range(20), columns=names, dtype=float)
for k, name in enumerate(names):
    for repeat in importances.index:
        shuffled = np.concatenate(X[test])
        rng.shuffle(shuffled[:, k])
        shuffled_error = error(y[test], lstm.predict(np.split(shuffled, ends)))
        importances.loc[repeat, name] = (
            shuffled_error - scores.loc["LSTM", "mean absolute error (°C)"]
        )

# %%
# A picture of two test months, and of the importances.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4), width_ratios=[2, 1], layout="constrained"
)
tomorrow = predictions.shift(1, freq="D")["2015-10":"2015-11"]
left.plot(weather.loc[tomorrow.index, "temp_max"], color="0.6", linewidth=3, label="measured")
left.plot(tomorrow["LSTM"], color="C0", label="LSTM, the day before")
left.plot(tomorrow["naive"], color="C1", linestyle=":", label="naive")
left.set(title="Seattle, autumn 2015 (test)", ylabel="highest temperature (°C)")
left.tick_params(axis="x", rotation=30)
left.legend()

bars = right.barh(names[::-1], importances.mean()[::-1], color="C0")
right.bar_label(bars, fmt="%.2f", padding=3)
right.set(
    title="Permutation importance (test)",
    xlabel="rise of the mean absolute error (°C)",
    xlim=(0, 1.2 * importances.mean().max()),
)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_steps.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"{len(X)} months: {n_past} training, {n_before_test - n_past} validation,", end=" ")
print(f"{len(X) - n_before_test} test, with targets on {is_test.sum() - 1} days\n")
print(scores.round(2).to_string())
print("\nRise of the LSTM's mean absolute error (°C) if shuffled:")
print(importances.mean().round(2).to_string())
print(f"\nPicture: {picture}")
