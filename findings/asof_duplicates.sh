#!/usr/bin/env bash
# Guess: an as-of join takes the last of several right rows with the same time, in DuckDB as in pandas and polars.
# What happens: DuckDB takes the first, the second or the last, differently within one result; pandas and polars always the last.
# Why it matters: corrected readings (same time, later row) win in one tool and lose at random rows in the other.
# Seen on 2026-11-30: DuckDB 2.0.1, pandas 3.1.1, polars 2.1.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.4.6 pytz==2026.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import polars as pl

print("duckdb", duckdb.__version__, "pandas", pd.__version__, "polars", pl.__version__)

rows = 500
sensor, time = np.arange(rows) % 7, np.arange(rows) * 10
left = pd.DataFrame({"sensor": sensor, "t": time})
# Each reading comes three times: first, second, third and final version.
right = pd.DataFrame({"sensor": sensor.repeat(3), "t": time.repeat(3), "version": np.tile([1, 2, 3], rows)})

connection = duckdb.connect()
connection.sql("SET threads = 1")
connection.register("asked", left)
connection.register("known", right)
picked = connection.sql(
    "SELECT k.version FROM asked a ASOF JOIN known k ON a.sensor = k.sensor AND a.t >= k.t"
).fetchall()
by_duckdb = Counter(version for (version,) in picked)
by_pandas = Counter(pd.merge_asof(left, right, on="t", by="sensor").version)
by_polars = Counter(
    pl.from_pandas(left).join_asof(pl.from_pandas(right), on="t", by="sensor", check_sortedness=False)["version"]
)
print("versions picked by duckdb:", dict(by_duckdb))
print("by pandas:", dict(by_pandas), "by polars:", dict(by_polars))
assert by_pandas == by_polars == Counter({3: rows})
assert sum(by_duckdb.values()) == rows and len(by_duckdb) > 1

# The cure: leave one row a time before the join.
once = connection.sql(
    "SELECT k.version FROM asked a ASOF JOIN"
    " (SELECT sensor, t, max(version) AS version FROM known GROUP BY sensor, t) k"
    " ON a.sensor = k.sensor AND a.t >= k.t"
).fetchall()
assert {version for (version,) in once} == {3}
EOF
