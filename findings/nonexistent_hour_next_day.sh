#!/usr/bin/env bash
# Guess: 02:30 plus one day, where the next day has no 02:30 (clocks go forward): an error, or 03:30, in every tool.
# What happens: polars gives 01:30, DuckDB 03:30, pandas' DateOffset a time that does not exist (02:30+01:00), pandas' Day an error.
# Why it matters: the same hour yesterday, a lag of a day, a daily schedule: tools disagree by up to two hours on one day a year.
# Seen on 2026-11-30: pandas 3.1.1, polars 2.1.0, DuckDB 2.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 numpy==2.4.6 pytz==2026.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import datetime as dt

import duckdb
import pandas as pd
import polars as pl

print("pandas", pd.__version__, "polars", pl.__version__, "duckdb", duckdb.__version__)

zone = "Europe/Berlin"
start = pd.Timestamp("2026-03-28 02:30", tz=zone)

by_polars = pl.Series([dt.datetime(2026, 3, 28, 2, 30)]).dt.replace_time_zone(zone).dt.offset_by("1d")[0]
connection = duckdb.connect()
connection.sql(f"SET TimeZone = '{zone}'")
by_duckdb = connection.sql(
    "SELECT (TIMESTAMPTZ '2026-03-28 02:30+01' + INTERVAL 1 DAY)::VARCHAR"
).fetchall()[0][0]
by_offset = start + pd.DateOffset(days=1)
try:
    by_day = str(start + pd.offsets.Day(1))
except ValueError as error:
    by_day = f"ValueError: {error}"

print("polars offset_by('1d'):   ", by_polars)
print("duckdb + INTERVAL 1 DAY:  ", by_duckdb)
print("pandas + DateOffset(days=1):", by_offset, "which is in UTC", by_offset.tz_convert("UTC"))
print("pandas + offsets.Day(1):  ", by_day)
assert (by_polars.day, by_polars.hour, by_polars.minute) == (29, 1, 30)
assert by_duckdb == "2026-03-29 03:30:00+02"
assert str(by_offset) == "2026-03-29 02:30:00+01:00"
assert str(by_offset.tz_convert("UTC").tz_convert(zone)) == "2026-03-29 03:30:00+02:00"
assert "nonexistent" in by_day
EOF
