#!/usr/bin/env bash
# Guess: a table with timestamps written to .rds by pyreadr holds POSIXct times and reads back as datetimes.
# What happens: timestamps and dates are written as text, time zones are dropped without a word, integers beyond 32 bits and those with gaps become floats, booleans with gaps objects; rdata reads text as well.
# Why it matters: a panel handed to an R colleague and back has no time index, and local times without their zone shift by hours.
# Seen on: 2026-11-30, pyreadr 0.5.8, rdata 1.1.0, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyreadr==0.5.8 rdata==1.1.0 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import datetime
import warnings
from importlib.metadata import version

import pandas as pd
import pyreadr
import rdata

warnings.simplefilter("ignore")
print({name: version(name) for name in ("pyreadr", "rdata", "pandas")})
table = pd.DataFrame(
    {
        "time": pd.date_range("2026-01-01", periods=3, freq="h"),
        "local": pd.date_range("2026-01-01", periods=3, freq="h", tz="Europe/Vienna"),
        "day": [datetime.date(2026, 1, 1)] * 3,
        "count": pd.array([1, None, 3], "Int64"),
        "open": pd.array([True, None, False], "boolean"),
    }
)
pyreadr.write_rds("table.rds", table)
back = pyreadr.read_r("table.rds")[None]
other = rdata.read_rds("table.rds")
for column in table:
    print(f"{column:6} {table[column].dtype!s:28} pyreadr {back[column].dtype!s:8} rdata {other[column].dtype!s:8} first value {back[column].iloc[0]!r}")
for column in ("time", "local", "day"):
    assert pd.api.types.is_string_dtype(back[column]) and pd.api.types.is_string_dtype(other[column])
assert back["time"].tolist() == back["local"].tolist() == ["2026-01-01 00:00:00", "2026-01-01 01:00:00", "2026-01-01 02:00:00"]
assert back["count"].dtype == "float64" and back["open"].dtype == object
EOF
