#!/usr/bin/env bash
# Guess: skforecast's ForecasterRecursive refuses a y with missing values.
# What happens: it warns and leaves rows without a target out, lags stay NaN: a linear model fails with an error about X, trees fit, and forecast from a missing last value.
# Why it matters: which estimator is inside decides between an error that names no date and a forecast from no last value.
# Seen on 2026-11-30: skforecast 0.26.0, scikit-learn 1.9.1, pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  skforecast==0.26.0 scikit-learn==1.9.1 pandas==2.3.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from skforecast.recursive import ForecasterRecursive
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

print(*(f"{name} {version(name)}" for name in ("skforecast", "scikit-learn", "pandas")))

y = pd.Series(np.arange(20.0), index=pd.date_range("2026-11-01", periods=20, freq="D"), name="y")
inside, at_end = y.copy(), y.copy()
inside.iloc[9] = np.nan
at_end.iloc[-1] = np.nan


def forecaster(estimator):
    return ForecasterRecursive(estimator=estimator, lags=2)


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    X, target = forecaster(HistGradientBoostingRegressor()).create_train_X_y(inside)
kinds = {w.category.__name__ for w in caught}
print(f"20 days, one missing inside: {len(X)} rows, missing lags {X.isna().sum().to_dict()}, warnings {kinds}")
assert len(X) == 17 and X.isna().sum().to_dict() == {"lag_1": 1, "lag_2": 1}
assert "MissingValuesWarning" in kinds

warnings.simplefilter("ignore")
try:
    forecaster(LinearRegression()).fit(inside)
    raise AssertionError("no error")
except ValueError as error:
    print("linear regression: ValueError:", str(error).splitlines()[0])
    assert "Input X contains NaN" in str(error)

trees = forecaster(HistGradientBoostingRegressor())
trees.fit(at_end)
forecast = trees.predict(1)
print("trees, the last day missing:", forecast.to_dict())
assert np.isfinite(forecast.iloc[0]) and str(forecast.index[0].date()) == "2026-11-21"
EOF
