"""
A label at every step
=====================

With ``pooling=None`` the networks give an answer at every step of a sequence, not one at its end.
Here the weather is cut into calendar months and saved as a MATLAB file, cell arrays of months of
28 to 31 days; at each day the highest temperature of the next day is predicted from the days of
the month so far. Early stopping watches months that `fit` gets as ``X_val`` and ``y_val``, the
test part are the months after them. Beside the LSTM stand the forecast "as today", gradient
boosting and ridge regression on the same days.

The last table says how much the predictions need each feature: by how much the error on the test
days rises if the values of the feature change places among them.
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
# target. The very last day has no next one: NaN, a step that is neither learned nor scored.

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
# 80 % of the months to learn from, 10 % to stop by and the last 10 % to test, in the order of time.

n_past, n_known = int(0.8 * len(X)), int(0.9 * len(X))
past, valid, test = slice(n_past), slice(n_past, n_known), slice(n_known, None)
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
# The other models see the same: a table of all days, where the history of a day ends with it and
# does not reach back into the month before.

days = weather[names].assign(month=np.repeat(range(len(X)), [len(month) for month in X]))
is_past, is_test = days["month"] < n_past, days["month"] >= n_known
predictions = pd.DataFrame({"as today": weather["temp_max"]})[is_test]
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
# The scores on the test days. ``masked_scoring`` makes a metric of scikit-learn one of targets at every
# step; ``lstm.score(X[test], y[test])`` is R² in the same way.

ends = np.cumsum([len(month) for month in X[test]])[:-1]
metrics = {
    "mean absolute error (°C)": masked_scoring(mean_absolute_error),
    "root mean squared error (°C)": masked_scoring(root_mean_squared_error),
}
scores = pd.DataFrame(
    {
        name: {title: metric(y[test], np.split(column, ends)) for title, metric in metrics.items()}
        for name, column in predictions.items()
    }
).T.sort_values("mean absolute error (°C)")

# %%
# What the predictions need: the mean absolute error with one feature shuffled, 20 times.

rng = np.random.default_rng(0)
error = masked_scoring(mean_absolute_error)
needs = pd.DataFrame(index=range(20), columns=names, dtype=float)
for k, name in enumerate(names):
    for repeat in needs.index:
        shuffled = np.concatenate(X[test])
        rng.shuffle(shuffled[:, k])
        worse = error(y[test], lstm.predict(np.split(shuffled, ends)))
        needs.loc[repeat, name] = worse - scores.loc["LSTM", "mean absolute error (°C)"]

# %%
# A picture of two test months, and of the needs.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4), width_ratios=[2, 1], layout="constrained"
)
tomorrow = predictions.shift(1, freq="D")["2015-10":"2015-11"]
left.plot(weather.loc[tomorrow.index, "temp_max"], color="0.6", linewidth=3, label="measured")
left.plot(tomorrow["LSTM"], color="C0", label="LSTM, the day before")
left.plot(tomorrow["as today"], color="C1", linestyle=":", label="as today")
left.set(title="Seattle, autumn 2015 (test)", ylabel="highest temperature (°C)")
left.tick_params(axis="x", rotation=30)
left.legend()

bars = right.barh(names[::-1], needs.mean()[::-1], color="C0")
right.bar_label(bars, fmt="%.2f", padding=3)
right.set(
    title="What the predictions need (test)",
    xlabel="rise of the mean absolute error (°C)",
    xlim=(0, 1.2 * needs.mean().max()),
)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_steps.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"{len(X)} months: {n_past} to learn from, {n_known - n_past} to stop by,", end=" ")
print(f"{len(X) - n_known} to test, {is_test.sum() - 1} days of them labelled\n")
print(scores.round(2).to_string())
print("\nRise of the LSTM's mean absolute error (°C) if shuffled:")
print(needs.mean().round(2).to_string())
print(f"\nPicture: {picture}")
