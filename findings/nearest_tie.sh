#!/usr/bin/env bash
# Guess: 'nearest' means the same row everywhere; at a tie the earlier one.
# What happens: pandas merge_asof and xarray interp take the past, polars join_asof, pandas reindex and xarray sel the future.
# Why it matters: half-hourly readings joined to hourly ones tie on every second row: one tool reads the future, the other does not.
# Seen on 2026-11-30: pandas 3.1.1, polars 2.1.0, xarray 2026.9.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  pandas==3.1.1 polars==2.1.0 xarray==2026.9.0 numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import datetime as dt

import pandas as pd
import polars as pl
import xarray as xr

print("pandas", pd.__version__, "polars", pl.__version__, "xarray", xr.__version__)

asked = [dt.datetime(2026, 11, 30, 10)]
known = [dt.datetime(2026, 11, 30, 9), dt.datetime(2026, 11, 30, 11)]
series = pd.Series([9, 11], index=pd.DatetimeIndex(known), name="hour")
array = xr.DataArray([9.0, 11.0], dims="time", coords={"time": series.index})
left, right = {"t": asked}, {"t": known, "hour": [9, 11]}

found = {
    "pandas merge_asof": pd.merge_asof(
        pd.DataFrame(left), pd.DataFrame(right), on="t", direction="nearest"
    ).hour[0],
    "polars join_asof": pl.DataFrame(left).join_asof(
        pl.DataFrame(right), on="t", strategy="nearest"
    )["hour"][0],
    "pandas reindex": series.reindex(asked, method="nearest").iloc[0],
    "xarray sel": array.sel(time=asked[0], method="nearest").item(),
    "xarray interp": array.interp(time=asked, method="nearest").item(),
}
for name, hour in found.items():
    print(f"{name}: 10:00 gets the row of {int(hour)}:00")
assert found["pandas merge_asof"] == found["xarray interp"] == 9
assert found["polars join_asof"] == found["pandas reindex"] == found["xarray sel"] == 11
EOF
