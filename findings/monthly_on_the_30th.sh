#!/usr/bin/env bash
# Guess: a monthly series stamped on the 30th is forecast on the 30th.
# What happens: with a polars table StatsForecast moves to the 31st for good once a 30th is a month's last day (30 November); with pandas it stays on the 30th.
# Why it matters: forecasts do not join the actuals that come next, or only those of some months.
# Seen on 2026-11-30: statsforecast 2.1.1, utilsforecast 0.2.17, polars 2.1.0, pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  statsforecast==2.1.1 utilsforecast==0.2.17 polars==2.1.0 pandas==2.3.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import datetime as dt
from importlib.metadata import version

import pandas as pd
import polars as pl
from statsforecast import StatsForecast
from statsforecast.models import Naive

print(*(f"{name} {version(name)}" for name in ("statsforecast", "utilsforecast", "polars", "pandas")))


def forecast_dates(last_month, tool):
    dates = [dt.date(2026, month, 30) for month in range(3, last_month + 1)]
    table = {"unique_id": ["a"] * len(dates), "ds": dates, "y": [float(i) for i in range(len(dates))]}
    if tool == "polars":
        result = StatsForecast([Naive()], freq="1mo").forecast(df=pl.DataFrame(table), h=2)
        return [str(date) for date in result["ds"]]
    table = pd.DataFrame(table).astype({"ds": "datetime64[ns]"})
    result = StatsForecast([Naive()], freq=pd.DateOffset(months=1)).forecast(df=table, h=2)
    return [str(date.date()) for date in result["ds"]]


for last_month in (11, 10):
    for tool in ("polars", "pandas"):
        print(f"dates up to 2026-{last_month}-30, {tool}:", forecast_dates(last_month, tool))
assert forecast_dates(11, "polars") == ["2026-12-31", "2027-01-31"]
assert forecast_dates(11, "pandas") == ["2026-12-30", "2027-01-30"]
assert forecast_dates(10, "polars") == ["2026-11-30", "2026-12-31"]
assert forecast_dates(10, "pandas") == ["2026-11-30", "2026-12-30"]
EOF
