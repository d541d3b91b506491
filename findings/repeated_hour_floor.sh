#!/usr/bin/env bash
# Guess: rounding tz-aware times down to the hour keeps the two hours 02:00 of an autumn night apart, in every tool.
# What happens: only polars does: DuckDB's date_trunc puts both into the second one, pandas and pyarrow refuse.
# Why it matters: hourly sums of one night a year: DuckDB has one hour with twice the load and one that is missing.
# Seen on 2026-11-30: pandas 3.1.1, polars 2.1.0, DuckDB 2.0.1, pyarrow 26.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6 pytz==2026.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

print("pandas", pd.__version__, "polars", pl.__version__, "duckdb", duckdb.__version__, "pyarrow", pa.__version__)

zone = "Europe/Berlin"
# 02:30 summer time and, an hour later, 02:30 winter time.
utc = pd.to_datetime(["2026-10-25 00:30", "2026-10-25 01:30"], utc=True)
local = utc.tz_convert(zone)

by_polars = (
    pl.from_arrow(pa.array(utc)).dt.convert_time_zone(zone).dt.truncate("1h").dt.convert_time_zone("UTC")
)
connection = duckdb.connect()
connection.sql(f"SET TimeZone = '{zone}'")
by_duckdb = connection.sql(
    "SELECT date_trunc('hour', t)::VARCHAR AS hour, count(*) FROM"
    " (VALUES (TIMESTAMPTZ '2026-10-25 00:30+00'), (TIMESTAMPTZ '2026-10-25 01:30+00')) rows(t) GROUP BY 1"
).fetchall()
refusals = {}
for name, floor in (
    ("pandas", lambda: local.floor("h")),
    ("pyarrow", lambda: pc.floor_temporal(pa.array(local), 1, "hour")),
):
    try:
        floor()
    except (ValueError, pa.ArrowInvalid) as error:
        refusals[name] = str(error).splitlines()[0]

print("polars:", [f"{hour:%H:%M}Z" for hour in by_polars])
print("duckdb:", by_duckdb)
print(refusals)
assert [hour.hour for hour in by_polars] == [0, 1]
assert by_duckdb == [("2026-10-25 02:00:00+01", 2)]
assert "dst" in refusals["pandas"] and "ambiguous" in refusals["pyarrow"]

# The cure: round in UTC where the zone's offset is whole hours.
in_utc = connection.sql(
    "SELECT count(DISTINCT time_bucket(INTERVAL '1 hour', t)) FROM"
    " (VALUES (TIMESTAMPTZ '2026-10-25 00:30+00'), (TIMESTAMPTZ '2026-10-25 01:30+00')) rows(t)"
).fetchall()
assert in_utc == [(2,)] and local.tz_convert("UTC").floor("h").nunique() == 2
EOF
