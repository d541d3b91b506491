#!/usr/bin/env bash
# Guess: a column of pandas periods (months) is text, or a date, for other readers of the Parquet file.
# What happens: DuckDB reads a bare 682 (months since 1970), polars a type pandas.period over 682; pandas alone reads 2026-11.
# Why it matters: monthly and weekly series travel as counts in an unsaid unit: 682 for a month, 2971 for a week, 227 for a quarter, all BIGINT.
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
import pyarrow.parquet as pq

print("pandas", pd.__version__, "polars", pl.__version__, "duckdb", duckdb.__version__, "pyarrow", pa.__version__)

pd.DataFrame(
    {
        "month": pd.PeriodIndex(["2026-11"], freq="M"),
        "week": pd.PeriodIndex(["2026-11-30"], freq="W"),
        "quarter": pd.PeriodIndex(["2026-11"], freq="Q"),
    }
).to_parquet("periods.parquet")

by_duckdb = duckdb.sql("SELECT month, typeof(month), week, quarter FROM 'periods.parquet'").fetchall()
by_polars = pl.read_parquet("periods.parquet")
by_pandas = pd.read_parquet("periods.parquet")
print("duckdb:", by_duckdb)
print("polars:", by_polars.schema)
print("pyarrow without pandas' type:", pq.read_table("periods.parquet")["month"].combine_chunks().storage)
print("pandas:", by_pandas.iloc[0].to_dict())
months, weeks = (2026 - 1970) * 12 + 10, by_pandas.week[0].ordinal
assert by_duckdb == [(months, "BIGINT", weeks, (2026 - 1970) * 4 + 3)] and (months, weeks) == (682, 2971)
assert pq.read_table("periods.parquet")["month"].combine_chunks().storage.to_pylist() == [682]
assert "pandas.period" in str(by_polars.schema["month"])
assert str(by_pandas.month[0]) == "2026-11"
EOF
