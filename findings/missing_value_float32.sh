#!/usr/bin/env bash
# Guess: a float32 variable with missing_value = -999.9 reads its -999.9 as missing.
# What happens: neither xarray nor netCDF4 masks it where the attribute is float64: float32(-999.9) is another number. netCDF4 warns, xarray does not.
# Why it matters: sensor gaps enter as values of -999.9; NaN checks find nothing, means and scaling are ruined.
# Seen on 2026-11-30: xarray 2026.9.0, netCDF4 1.7.5.1.post1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  xarray==2026.9.0 netCDF4==1.7.5.1.post1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings

import netCDF4
import numpy as np
import xarray as xr

print("xarray", xr.__version__, "netCDF4", netCDF4.__version__)


def written(name, missing):
    with warnings.catch_warnings(), netCDF4.Dataset(name, "w") as file:
        warnings.simplefilter("ignore")
        file.createDimension("time", 3)
        variable = file.createVariable("wind", "f4", ("time",))
        variable.missing_value = missing
        variable[:] = np.array([2.5, -999.9, 3.5], dtype="f4")
    return name


def read(name):
    with xr.open_dataset(name, engine="netcdf4") as data:
        by_xarray = data.wind.values.copy()
    with warnings.catch_warnings(record=True) as caught, netCDF4.Dataset(name) as file:
        warnings.simplefilter("always")
        by_netcdf4 = file["wind"][:]
    return by_xarray, by_netcdf4, [str(w.message).replace("\n", " ") for w in caught]


double = read(written("double.nc", np.float64(-999.9)))
single = read(written("single.nc", np.float32(-999.9)))
print("attribute float64:", *double)
print("attribute float32:", *single)

assert not np.isnan(double[0]).any() and double[0].min() < -999
assert not np.ma.is_masked(double[1]) and "safely cast" in double[2][0]
assert np.isnan(single[0]).tolist() == [False, True, False]
assert np.ma.getmaskarray(single[1]).tolist() == [False, True, False]
EOF
