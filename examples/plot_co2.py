"""
Ten years of CO2
================

The carbon dioxide in the air at Mauna Loa, a monthly time series since 1958, comes with
statsmodels. What will it be in ten years? The series has a trend: later levels lie outside the
range of the training data. So the growth over twelve months is forecast instead, which has neither
trend nor season. One forecast covers a year and reads the five years before it; nine more years are
forecast recursively, from earlier forecasts. Each year of growth is added to the year before.

Two decades are forecast, each from the data before it. The LSTM is compared with the naive forecast
(the last month), gradient boosting on the same rows, and the seasonal naive forecast with drift:
the last year, rising by the mean growth of five years. That baseline is hard to beat: so far
ahead, little but the mean growth can be predicted.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from statsmodels.datasets import co2

from sklstm import LSTMRegressor, SequenceForecaster
from sklstm.plotting import ForecastDisplay

# %%
# Weekly values become monthly means; five missing months of 1958 and 1964 are interpolated.

y = co2.load_pandas().data["co2"].resample("MS").mean().interpolate().rename("CO2 (ppm)")
regressors = {
    "LSTM": LSTMRegressor(random_state=0),
    "gradient boosting": HistGradientBoostingRegressor(max_iter=50, random_state=0),
}


def ten_years(regressor, past):
    """Forecast the growth over each of ten years, and add it to the last year."""
    growth = past.diff(12).dropna()
    forecaster = SequenceForecaster(regressor, window_size=60, steps=12, calibration_fraction=0)
    growth = forecaster.fit(growth).predict(120).to_numpy().reshape(10, 12)
    return (past.to_numpy()[-12:] + growth.cumsum(axis=0)).ravel()


# %%
# Forecasts of both decades, and their root mean squared errors.

forecasts, errors = {}, {}
for last_year in (1981, 1991):
    past, later = y[: f"{last_year}"], y[f"{last_year + 1}" :][:120]
    predicted = {name: ten_years(regressor, past) for name, regressor in regressors.items()}
    year, rise = past.to_numpy()[-12:], (past.iloc[-1] - past.iloc[-61]) / 5
    predicted["seasonal naive with drift"] = (year + rise * np.arange(1, 11)[:, None]).ravel()
    predicted["naive"] = np.full(120, past.iloc[-1])
    forecasts[last_year] = pd.DataFrame(predicted, later.index)
    decade = f"{last_year + 1} to {last_year + 10}"
    errors[decade] = np.sqrt(forecasts[last_year].sub(later, axis=0).pow(2).mean())
scores = pd.DataFrame(errors)

# %%
# The forecast of the second decade, and the actual values.

second = forecasts[1991]
figure, ax = plt.subplots(figsize=(10, 5), layout="constrained")
ForecastDisplay(y["1980":"1991"], second[["LSTM"]].set_axis(["forecast"], axis=1)).plot(ax)
drift = "seasonal naive with drift"
ax.plot(second[drift], color="C3", linestyle="--", label=drift)
ax.plot(y["1992":], color="0.4", linestyle=":", label="actual")
ax.set_title("Ten years, forecast at the end of 1991")
ax.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_co2.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("Root mean squared error (ppm)")
print(scores.round(2).to_string())
print(f"\nPicture: {picture}")
