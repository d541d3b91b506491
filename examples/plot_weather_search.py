"""
Grid search over window and network
===================================

Tomorrow's weather label and highest temperature. ``GridSearchCV`` searches the window size and the
hidden size, two hyperparameters, on the first three years with ``TimeSeriesSplit``. The best model
is scored on the fourth year, which the search does not read, and compared with the naive forecast
(the value of the day before) and gradient boosting on the same windows.

The label shows why to look at the data first. In this table rain all but disappears after 2013
(191 days in 2012, 60 in 2013, then 3 and 5) and fog takes its place (5, 82, 151, 173): the station
changed how it records. What a model learned about rain in 2012 is wrong later, while the naive
forecast adapts to any change within a day. It is hard to beat here, and balanced accuracy, the
mean over classes, gives the few rainy days of 2015 the same weight as all its sunny ones.
"""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, balanced_accuracy_score, mean_absolute_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline

from sklstm import LSTMClassifier, LSTMRegressor, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

# Some months have no day of some label; balanced accuracy then is the mean over those they have.
warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")

# %%
# The features: the measurements, the season, and the label of the day. Windows end the day before.

frame = load_weather(as_frame=True).frame
angle = 2 * np.pi * frame.index.day_of_year / 365.25
X = frame.drop(columns="weather").assign(season_sin=np.sin(angle), season_cos=np.cos(angle))
X = X.join(pd.get_dummies(frame["weather"], dtype=float))
is_test = X.index >= "2015"

# %%
# One search over the steps of a Pipeline: the window and the network.


def search(network, scoring):
    """Prepare a search for the window and the size of a network."""
    return GridSearchCV(
        Pipeline([("windows", SequenceWindower(horizon=1)), ("lstm", network)]),
        {"windows__window_size": [1, 7, 14], "lstm__hidden_size": [8, 32]},
        scoring=scoring,
        cv=TimeSeriesSplit(3),
    )


def boosting(model, windows):
    """Make gradient boosting on the windows that the search chose."""
    return Pipeline([("windows", windows), ("lags", SequenceFlattener()), ("model", model)])


def both(y, network, model, scoring):
    """Fit the search and the baseline on the training years, predict all days."""
    lstm = search(network, scoring).fit(X[~is_test], y[~is_test])
    windows = lstm.best_estimator_["windows"]
    baseline = boosting(model, SequenceWindower(**windows.get_params()))
    baseline.fit(X[~is_test], y[~is_test])
    return lstm, pd.DataFrame(
        {
            "naive": y.shift(1),
            "gradient boosting": baseline.predict(X),
            "LSTM": lstm.predict(X),
        }
    )


temperature = frame["temp_max"]
regression, temperatures = both(
    temperature,
    LSTMRegressor(max_epochs=20, random_state=0),
    HistGradientBoostingRegressor(random_state=0),
    "neg_mean_absolute_error",
)
label = frame["weather"]
classification, labels = both(
    label,
    LSTMClassifier(max_epochs=20, class_weight="balanced", random_state=0),
    HistGradientBoostingClassifier(class_weight="balanced", random_state=0),
    "balanced_accuracy",
)

# %%
# The scores on the fourth year.

scores = pd.DataFrame(
    {
        name: {
            "temperature: mean absolute error (°C)": mean_absolute_error(
                temperature[is_test], temperatures.loc[is_test, name]
            ),
            "label: balanced accuracy": balanced_accuracy_score(
                label[is_test], labels.loc[is_test, name]
            ),
            "label: accuracy": accuracy_score(label[is_test], labels.loc[is_test, name]),
        }
        for name in temperatures
    }
).T

# %%
# A picture of both searches.


def show(ax, fitted, title, sign=1):
    """Draw the mean score of each window and size."""
    table = pd.DataFrame(fitted.cv_results_).pivot_table(
        index="param_lstm__hidden_size",
        columns="param_windows__window_size",
        values="mean_test_score",
    )
    image = ax.imshow(
        sign * table, cmap="viridis_r" if sign < 0 else "viridis", aspect="auto", alpha=0.6
    )
    for row, column in np.ndindex(table.shape):
        ax.text(column, row, f"{sign * table.iloc[row, column]:.2f}", ha="center", va="center")
    ax.set(title=title, xlabel="window_size (days)", ylabel="hidden_size")
    ax.set_xticks(range(table.shape[1]), table.columns)
    ax.set_yticks(range(table.shape[0]), table.index)
    ax.figure.colorbar(image, ax=ax)


figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
show(left, regression, "Temperature: mean absolute error (°C)", sign=-1)
show(right, classification, "Label: balanced accuracy")

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_weather_search.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(scores.round(3).to_string())
print("\nBest hyperparameters:", regression.best_params_, classification.best_params_)
print(f"Picture: {picture}")
