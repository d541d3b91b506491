"""
Many stations in one table
==========================

Panel data: one global model for several series, whose rows are interleaved in one table, day by
day. Each station's highest temperature of tomorrow is predicted from the last 14 days of the same
station. ``TimestampSplit`` cuts all stations at the same day, and ``assert_no_lookahead`` checks
that no prediction reads later rows, or those of another station. Then ``SequenceForecaster``
forecasts the next seven days of all stations, with a prediction interval for each.

Only "Seattle" is measured. The other two stations are synthetic, derived from it: shifted by some
days, warmer or colder, and with noise on each day. They are more alike than real neighbours, and
the shift makes one station's past another one's future: ``gap`` leaves out as many days between
training and test as the copies are shifted against each other.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import DateFormatter
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline

from sklstm import (
    LSTMRegressor,
    SequenceFlattener,
    SequenceForecaster,
    SequenceWindower,
    TimestampSplit,
    backtest,
    backtest_scores,
)
from sklstm.datasets import load_weather
from sklstm.testing import assert_no_lookahead

# %%
# Seattle and two synthetic stations, with some days missing, sorted by date.

seattle = load_weather(as_frame=True).data
rng = np.random.default_rng(0)


def synthetic(days_later, warmer, noise):
    """Derive a station from Seattle's weather."""
    station = seattle.shift(days_later).dropna()
    days = len(station)
    station[["temp_max", "temp_min"]] += warmer + rng.normal(scale=noise, size=(days, 1))
    return station[rng.random(days) > 0.03]


stations = {
    "Seattle": seattle,
    "synthetic: valley": synthetic(days_later=2, warmer=6, noise=1),
    "synthetic: mountain": synthetic(days_later=-3, warmer=-8, noise=2),
}
X = pd.concat(stations, names=["station"]).reset_index()
X = X.sort_values(["date", "station"], ignore_index=True)
angle = 2 * np.pi * X["date"].dt.day_of_year / 365.25
X = X.assign(season_sin=np.sin(angle), season_cos=np.cos(angle))
y = X["temp_max"]

# %%
# One model of all stations. Its baselines are the naive forecast (the value of the day before) and
# gradient boosting on the same windows.


def windows():
    """Make the histories, each of one station."""
    return SequenceWindower(14, horizon=1, series="station", time="date", max_gap="any")


models = {
    "LSTM": make_pipeline(windows(), LSTMRegressor(hidden_size=32, random_state=0)),
    "gradient boosting": make_pipeline(
        windows(), SequenceFlattener(), HistGradientBoostingRegressor(random_state=0)
    ),
}

# %%
# Two splits: the days of 2014 from models trained on all before, then those of 2015. All rows are
# predicted, so that the histories of the first test days reach back into the training years.

cv = TimestampSplit(n_splits=2, time="date", test_size="365D", gap="5D")
predictions = pd.DataFrame({"naive": y.groupby(X["station"]).shift(1)})
is_test = np.zeros(len(X), dtype=bool)
for train, test in cv.split(X):
    for name, model in models.items():
        model.fit(X.iloc[train], y.iloc[train])
        predictions.loc[test, name] = model.predict(X)[test]
    is_test[test] = True
for model in models.values():
    assert_no_lookahead(model, X[-600:])

# %%
# The mean absolute error of each station, over both test years.

errors = predictions.sub(y, axis=0).abs()[is_test]
scores = errors.groupby(X["station"]).mean().reindex(list(stations)).T
scores["all"] = errors.mean()
scores = scores.sort_values("all")

# %%
# The next seven days of all stations, by one forecaster that scales each station by itself. The
# season is a future covariate. A forecaster needs every day: gaps are filled with the day before.

daily = X.set_index("date").groupby("station")[["temp_max"]].resample("D").ffill()
angle = 2 * np.pi * daily.index.get_level_values("date").day_of_year / 365.25
season = pd.DataFrame({"sin": np.sin(angle), "cos": np.cos(angle)}, daily.index)


def week_ahead(regressor):
    """Forecast a week of each station from the two weeks before it."""
    return SequenceForecaster(regressor, 14, 7, series="station", future_covariates=["sin", "cos"])


forecasters = {
    "LSTM": week_ahead(LSTMRegressor(32, random_state=0)),
    "gradient boosting": week_ahead(HistGradientBoostingRegressor(max_iter=50, random_state=0)),
}
weeks = {}
for name, model in forecasters.items():
    table = backtest(model, daily, season, initial_train_size=0.75, coverage=0.9)
    by_station = backtest_scores(table, by="series")
    weeks[name] = by_station.xs("forecaster", level="model")["MAE"]
    weeks["naive"] = by_station.xs("naive", level="model")["MAE"]
    if name == "LSTM":
        coverage = by_station.xs("forecaster", level="model")["coverage"]
weeks = pd.DataFrame(weeks).T.sort_values("Seattle")

# %%
# A picture of the last test summer, and of the scores.

figure, axes = plt.subplot_mosaic(
    [[station, "scores"] for station in stations],
    figsize=(13, 6),
    width_ratios=[3, 2],
    layout="constrained",
)
summer = X["date"].between("2015-06-01", "2015-08-31")
for station in stations:
    ax, rows = axes[station], summer & (X["station"] == station)
    days = X.loc[rows, "date"]
    ax.plot(days, y[rows], color="0.6", linewidth=3, label="measured or synthetic")
    ax.plot(days, predictions.loc[rows, "LSTM"], color="C0", label="LSTM, the day before")
    ax.plot(days, predictions.loc[rows, "naive"], color="C1", linestyle=":", label="naive")
    ax.set_title(f"{station}, summer 2015 (test)")
    ax.xaxis.set_major_formatter(DateFormatter("%d %b"))
figure.supylabel("highest temperature (°C)", fontsize="medium")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=3)
colors = {"LSTM": "C0", "gradient boosting": "C2", "naive": "C1"}
scores.T.plot.bar(ax=axes["scores"], rot=15, width=0.75, color=colors)
axes["scores"].set(
    title="All test days, 2014 and 2015",
    xlabel="",
    ylabel="mean absolute error (°C)",
    ylim=(0, 1.2 * scores.to_numpy().max()),
)
axes["scores"].legend(loc="upper center", ncols=3)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_stations.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("Mean absolute error of the next day (°C)")
print(scores.round(2).to_string())
print("\nOf the next seven days, in the last quarter of all days (°C)")
print(weeks.round(2).to_string())
print("Coverage of the LSTM's 90 % prediction intervals (%):", coverage.mul(100).round().to_dict())
print(f"\nPicture: {picture}")
