#!/usr/bin/env bash
# Guess: a mean absolute error over actuals with a NaN is NaN, or an error.
# What happens: darts, sktime and utilsforecast with pandas leave the row out in silence; utilsforecast with polars gives NaN, scikit-learn an error.
# Why it matters: a forecast is scored on the hours when the sensor worked, nobody says on how many; the same call on another table type fails.
# Seen on 2026-11-30: darts 0.48.1, sktime 1.2.0, utilsforecast 0.2.17, polars 2.1.0, scikit-learn 1.9.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  utilsforecast==0.2.17 sktime==1.2.0 darts==0.48.1 polars==2.1.0 pandas==2.3.3 numpy==2.3.5 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
import polars as pl
from darts import TimeSeries
from darts.metrics import mae as darts_mae
from sklearn.metrics import mean_absolute_error
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from utilsforecast.losses import mae

print(*(f"{name} {version(name)}" for name in ("darts", "sktime", "utilsforecast", "polars", "scikit-learn")))

actual, forecast = np.array([1.0, np.nan, 3.0]), np.array([2.0, 2.0, 2.0])
days = pd.date_range("2026-11-01", periods=3, freq="D")
table = {"unique_id": ["a"] * 3, "ds": [1, 2, 3], "y": actual, "model": forecast}
with warnings.catch_warnings():
    warnings.simplefilter("error", UserWarning)
    warnings.simplefilter("error", RuntimeWarning)
    errors = {
        "darts": darts_mae(*(TimeSeries.from_times_and_values(days, x) for x in (actual, forecast))),
        "sktime": MeanAbsoluteError()(actual, forecast),
        "utilsforecast, pandas": mae(pd.DataFrame(table), ["model"])["model"][0],
        "utilsforecast, polars": mae(pl.DataFrame(table), ["model"])["model"][0],
    }
for name, error in errors.items():
    print(f"{name}: {error}")
assert errors["darts"] == errors["sktime"] == errors["utilsforecast, pandas"] == 1.0
assert np.isnan(errors["utilsforecast, polars"])
try:
    mean_absolute_error(actual, forecast)
    raise AssertionError("no error")
except ValueError as error:
    print("scikit-learn: ValueError:", str(error).splitlines()[0])
EOF
