#!/usr/bin/env bash
# Guess: buckets of two weeks that start on Mondays are the same fortnights in every tool.
# What happens: 2026-11-30 opens a fortnight in DuckDB and pyarrow, lies in the middle of one in polars, and in pandas it depends on the first row.
# Why it matters: fortnightly totals made by two tools are shifted by a week against each other; joined, half their keys match none.
# Seen on 2026-11-30: polars 2.1.0, DuckDB 2.0.1, pyarrow 26.0.1, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6 pytz==2026.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import datetime as dt

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

print("polars", pl.__version__, "duckdb", duckdb.__version__, "pyarrow", pa.__version__, "pandas", pd.__version__)

monday = dt.datetime(2026, 11, 30)


def by_pandas(first):
    days = pd.Series(1, index=pd.date_range(first, "2026-12-20", freq="D"))
    labels = days.resample("2W-MON", closed="left", label="left").sum().index
    return labels[labels <= monday][-1].to_pydatetime()


starts = {
    "polars": pl.Series([monday]).dt.truncate("2w")[0],
    "duckdb": duckdb.sql("SELECT time_bucket(INTERVAL '14 days', TIMESTAMP '2026-11-30')").fetchall()[0][0],
    "pyarrow": pc.floor_temporal(pa.scalar(monday), 2, "week").as_py(),
    "pandas, rows from 2026-11-02": by_pandas("2026-11-02"),
    "pandas, rows from 2026-11-09": by_pandas("2026-11-09"),
}
for name, start in starts.items():
    print(f"{name}: the fortnight of {monday:%F} starts on {start:%F}")
assert starts["polars"] == dt.datetime(2026, 11, 23)
assert starts["duckdb"] == starts["pyarrow"] == monday
assert starts["pandas, rows from 2026-11-02"] == monday
assert starts["pandas, rows from 2026-11-09"] == dt.datetime(2026, 11, 23)
EOF
