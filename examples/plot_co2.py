"""
Ten years of CO2
================

The carbon dioxide in the air at Mauna Loa, month by month since 1958, comes with statsmodels. Where
will it be in ten years? A level that only ever rises lies outside of all that was learned, so the
growth over twelve months is foretold in its place: that has neither trend nor season. A year is
foretold at once from the five before it, and nine more from years that are foretold themselves;
each is added to the year before.

Two decades are foretold, each from what was known before it. Beside the LSTM stand the last month,
gradient boosting on the same rows, and the last year, rising as it did in the mean of five years.
That rule is hard to beat: so far ahead, the mean growth is nearly all that can be known.
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
# Weeks become months; five months of 1958 and 1964 have no value and are filled.

y = co2.load_pandas().data["co2"].resample("MS").mean().interpolate().rename("CO2 (ppm)")
regressors = {
    "LSTM": LSTMRegressor(random_state=0),
    "gradient boosting": HistGradientBoostingRegressor(max_iter=50, random_state=0),
}


def ten_years(regressor, past):
    """Foretell the growth over each next year, and add it up."""
    growth = past.diff(12).dropna()
    forecaster = SequenceForecaster(regressor, window_size=60, steps=12, calibration_fraction=0)
    growth = forecaster.fit(growth).predict(120).to_numpy().reshape(10, 12)
    return (past.to_numpy()[-12:] + growth.cumsum(axis=0)).ravel()


# %%
# Forecasts of both decades, and their root mean squared errors.

forecasts, errors = {}, {}
for last_year in (1981, 1991):
    past, later = y[: f"{last_year}"], y[f"{last_year + 1}" :][:120]
    said = {name: ten_years(regressor, past) for name, regressor in regressors.items()}
    year, rise = past.to_numpy()[-12:], (past.iloc[-1] - past.iloc[-61]) / 5
    said["last year, and the mean rise"] = (year + rise * np.arange(1, 11)[:, None]).ravel()
    said["last value"] = np.full(120, past.iloc[-1])
    forecasts[last_year] = pd.DataFrame(said, later.index)
    decade = f"{last_year + 1} to {last_year + 10}"
    errors[decade] = np.sqrt(forecasts[last_year].sub(later, axis=0).pow(2).mean())
scores = pd.DataFrame(errors)

# %%
# The second decade as it was foretold, and as it came.

told = forecasts[1991]
figure, ax = plt.subplots(figsize=(10, 5), layout="constrained")
ForecastDisplay(y["1980":"1991"], told[["LSTM"]].set_axis(["forecast"], axis=1)).plot(ax)
ax.plot(told["last year, and the mean rise"], color="C3", linestyle="--", label="the mean rise")
ax.plot(y["1992":], color="0.4", linestyle=":", label="measured later")
ax.set_title("Ten years, foretold at the end of 1991")
ax.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_co2.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print("Root mean squared error (ppm)")
print(scores.round(2).to_string())
print(f"\nPicture: {picture}")
