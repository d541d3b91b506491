#!/usr/bin/env bash
# Guess: MLForecast and StatsForecast take the same table, so both take a daily series with a missing day, or both refuse it.
# What happens: MLForecast refuses; StatsForecast counts rows, so 'a week ago' is eight days ago, and daily data with freq='h' is forecast an hour later.
# Why it matters: a seasonal baseline beside a model is worse than it should be, since its week is off by the number of missing rows.
# Seen on 2026-11-30: mlforecast 1.1.0, statsforecast 2.1.1, pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  mlforecast==1.1.0 statsforecast==2.1.1 pandas==2.3.3 numpy==2.4.6 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

import pandas as pd
from mlforecast import MLForecast
from sklearn.linear_model import LinearRegression
from statsforecast import StatsForecast
from statsforecast.models import SeasonalNaive

print(*(f"{name} {version(name)}" for name in ("mlforecast", "statsforecast", "pandas")))

days = pd.date_range("2026-11-01", periods=20, freq="D")
full = pd.DataFrame({"unique_id": "a", "ds": days, "y": [float(day) for day in days.day]})
gap = full[full.ds != "2026-11-17"]

with warnings.catch_warnings():
    warnings.simplefilter("error")
    week_ago = {
        name: StatsForecast([SeasonalNaive(7)], freq="D").forecast(df=table, h=1)
        for name, table in (("full", full), ("gap", gap))
    }
    hourly = StatsForecast([SeasonalNaive(7)], freq="h").forecast(df=full, h=1)
for name, result in week_ago.items():
    print(f"StatsForecast, {name}: forecast of {result.ds[0]:%F} is the value of day {result.SeasonalNaive[0]:.0f}")
print("StatsForecast, daily rows with freq='h':", hourly.ds[0])
assert str(week_ago["gap"].ds[0].date()) == "2026-11-21"
assert week_ago["full"].SeasonalNaive[0] == 14 and week_ago["gap"].SeasonalNaive[0] == 13
assert str(hourly.ds[0]) == "2026-11-20 01:00:00"

try:
    MLForecast(LinearRegression(), freq="D", lags=[1]).fit(gap)
    raise AssertionError("no error")
except ValueError as error:
    print("MLForecast, gap: ValueError:", str(error).splitlines()[0])
    assert "missing or duplicate timestamps" in str(error)
EOF
