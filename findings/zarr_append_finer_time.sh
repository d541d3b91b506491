#!/usr/bin/env bash
# Guess: hourly rows appended to a daily Zarr store keep their times, lose their hours, or are refused.
# What happens: a warning, then wrong dates: the new times are written in hours under the store's unit of days, 24 times too far ahead.
# Why it matters: a store that grows by appending ends with timestamps in another year; values and counts look right.
# Seen on 2026-11-30: xarray 2026.9.0, zarr 3.1.6, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  xarray==2026.9.0 zarr==3.1.6 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import pandas as pd
import xarray as xr
import zarr

print("xarray", xr.__version__, "zarr", zarr.__version__, "pandas", pd.__version__)


def table(values, times):
    return xr.Dataset({"power": ("time", values)}, {"time": times})


daily = table([1.0, 2.0, 3.0], pd.date_range("2026-11-01", periods=3, freq="D"))
finer = table([4.0, 5.0, 6.0, 7.0], pd.date_range("2026-11-04", periods=4, freq="6h"))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    daily.to_zarr("store.zarr")
    finer.to_zarr("store.zarr", append_dim="time")
print([str(w.message)[:120] for w in caught if "serialized" in str(w.message)])

read = xr.open_zarr("store.zarr").load()
print("appended:", finer.time.values)
print("read:    ", read.time.values[3:])
assert (read.power.values == [1, 2, 3, 4, 5, 6, 7]).all()
first = pd.Timestamp("2026-11-01")
for true, got in zip(finer.time.values, read.time.values[3:]):
    assert got - np.datetime64(first) == 24 * (true - np.datetime64(first))
assert str(read.time.values[-1])[:10] == "2027-01-30"

# The cure: give the time axis a unit that is fine enough when the store is made.
daily.to_zarr("fine.zarr", encoding={"time": {"units": "seconds since 2026-11-01"}})
finer.to_zarr("fine.zarr", append_dim="time")
assert (xr.open_zarr("fine.zarr").time.values[3:] == finer.time.values).all()
print("with units in seconds from the start: the times are right")
EOF
