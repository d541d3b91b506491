"""
Predictions joined to the table
===============================

For a notebook: the model predicts one value for each row of a DataFrame, so predictions become a
column of it. Here the wind of each day is predicted from the week of weather before it.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

# %%
# The table, and the training part of it.

weather = load_weather(as_frame=True).data
past = weather[:"2014"]
weather.tail()

# %%
# A model is a Pipeline of two steps.

model = make_pipeline(
    SequenceWindower(window_size=7, horizon=1),
    LSTMRegressor(hidden_size=16, random_state=0),
)
model.fit(past, past["wind"])

# %%
# One prediction a row: ``assign`` adds it as a column beside the measured wind.

joined = weather.assign(predicted=model.predict(weather), naive=weather["wind"].shift(1))
joined["2015-12-28":]

# %%
# Predictions are a column like any other. Here is the error by month, beside those of the naive
# forecast (the wind of the day before) and of gradient boosting on the same seven days.

boosting = make_pipeline(
    SequenceWindower(window_size=7, horizon=1),
    SequenceFlattener(),
    HistGradientBoostingRegressor(random_state=0),
)
joined["boosting"] = boosting.fit(past, past["wind"]).predict(weather)
test = joined["2015":]
names = {"predicted": "LSTM", "boosting": "gradient boosting", "naive": "naive"}
errors = test[list(names)].sub(test["wind"], axis=0).abs().rename(columns=names)
by_month = errors.groupby(errors.index.month).mean()

# %%
# A picture.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
autumn = joined["2015-10":"2015-12"]
left.plot(autumn["wind"], color="0.6", linewidth=3, label="measured")
left.plot(autumn["predicted"], label="LSTM, the day before")
left.set(title="Seattle, autumn 2015 (test)", ylabel="wind (m/s)", ylim=(0, 10))
left.tick_params(axis="x", rotation=30)
left.legend()
by_month.plot(ax=right, marker="o")
right.set(title="Error by month, 2015 (test)", xlabel="month", ylabel="mean absolute error (m/s)")

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_predictions_in_a_frame.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
for column, name in names.items():
    print(f"{name:20s}{mean_absolute_error(test['wind'], test[column]):.2f} m/s")
print(f"Picture: {picture}")
