#!/usr/bin/env bash
# Guess: xarray's differentiate and integrate along time count in nanoseconds, as its polyfit does, whatever made the time axis.
# What happens: they count in the axis' own unit: microseconds for times from pandas 3, nanoseconds for the same times after a file; polyfit stays with nanoseconds.
# Why it matters: the same series gives rates of change that differ by a factor of 1000 before and after it was saved.
# Seen on 2026-11-30: xarray 2026.9.0, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  xarray==2026.9.0 netCDF4==1.7.5.1.post1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd
import xarray as xr

print("xarray", xr.__version__, "pandas", pd.__version__)

times = pd.date_range("2026-11-30", periods=3, freq="h")
made = xr.Dataset({"level": ("time", [0.0, 1.0, 2.0])}, {"time": times})
made.to_netcdf("level.nc", engine="netcdf4")
with xr.open_dataset("level.nc", engine="netcdf4") as file:
    read = file.load()
assert (made.time.values == read.time.values).all()

rates = {}
for name, level in (("made in memory", made.level), ("read from file", read.level)):
    rate = level.differentiate("time").values[0]
    slope = level.polyfit("time", 1).polyfit_coefficients.values[0]
    area = float(xr.ones_like(level).integrate("time"))
    hourly = level.differentiate("time", datetime_unit="h").values[0]
    print(f"{name}: {level.time.dtype}, differentiate {rate:.3g}, polyfit {slope:.3g},",
          f"integral of 1 {area:.3g}, differentiate by hour {hourly:.3g}")
    rates[name] = rate, slope, area
    assert np.isclose(hourly, 1.0)

microseconds, nanoseconds = rates.values()
hour = 3600.0
assert np.isclose(microseconds[0], 1 / (hour * 1e6)) and np.isclose(nanoseconds[0], 1 / (hour * 1e9))
assert np.isclose(microseconds[1], 1 / (hour * 1e9)) and np.isclose(nanoseconds[1], 1 / (hour * 1e9))
assert np.isclose(microseconds[2], 2 * hour * 1e6) and np.isclose(nanoseconds[2], 2 * hour * 1e9)
print("The cure: pass datetime_unit.")
EOF
