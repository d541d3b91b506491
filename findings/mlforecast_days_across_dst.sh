#!/usr/bin/env bash
# Guess: daily midnights of a zone with summer time have no gap, and the next forecast lies on a midnight.
# What happens: MLForecast refuses them as missing timestamps, its error names a parameter fill_gaps that no method has; with 'D' forecasts across the change lie on 01:00.
# Why it matters: local days with a time zone are what stores, grids and shops keep; from March on the fit fails, before it dates are wrong.
# Seen on 2026-11-30: mlforecast 1.1.0, utilsforecast 0.2.17, pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  mlforecast==1.1.0 utilsforecast==0.2.17 pandas==2.3.3 numpy==2.4.6 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import inspect
from importlib.metadata import version

import pandas as pd
from mlforecast import MLForecast
from sklearn.linear_model import LinearRegression

print(*(f"{name} {version(name)}" for name in ("mlforecast", "utilsforecast", "pandas")))


def forecast(first, last, **options):
    days = pd.date_range(first, last, freq="D", tz="Europe/Berlin")
    assert (days.hour == 0).all() and (days.normalize().tz_localize(None).diff()[1:].days == 1).all()
    table = pd.DataFrame({"unique_id": "a", "ds": days, "y": range(len(days))}).astype({"y": float})
    model = MLForecast(LinearRegression(), freq="D", lags=[1])
    return [str(day) for day in model.fit(table, **options).predict(2).ds]


before = forecast("2026-03-10", "2026-03-28")
print("history to 28 March:", before)
assert before == ["2026-03-29 00:00:00+01:00", "2026-03-30 01:00:00+02:00"]

try:
    forecast("2026-03-20", "2026-04-05")
    raise AssertionError("no error")
except ValueError as error:
    print("history across 29 March: ValueError:", error)
    assert "missing or duplicate timestamps" in str(error) and "fill_gaps" in str(error)
for method in (MLForecast.__init__, MLForecast.fit, MLForecast.preprocess, MLForecast.predict):
    assert "fill_gaps" not in inspect.signature(method).parameters

unchecked = forecast("2026-03-20", "2026-04-05", validate_data=False)
print("the same with validate_data=False:", unchecked)
assert unchecked == ["2026-04-06 00:00:00+02:00", "2026-04-07 00:00:00+02:00"]
EOF
