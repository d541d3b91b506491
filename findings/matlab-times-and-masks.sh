#!/usr/bin/env bash
# Guess: savemat refuses datetime64 (MATLAB has no such type), and a sparse mask of bools comes back as bools.
# What happens: timestamps are written as plain doubles, counted in the array's own unit (the same instant as s and as ns differs by 1e9; NaT is -9.2e18); the mask comes back as uint8, so it picks rows 0 and 1.
# Why it matters: time axes and validity masks of recordings pass between MATLAB and Python this way; both mistakes give numbers, not errors.
# Seen on: 2026-11-30, scipy 1.17.1, numpy 2.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import scipy
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

print("scipy", scipy.__version__, "numpy", np.__version__)
when = np.array(["2026-01-01", "NaT"], "datetime64[s]")
rows = np.array([False, True, True, False])
savemat("day.mat", {"s": when, "ns": when.astype("datetime64[ns]"), "rows": csc_array(rows[None]), "dense": rows})
read = loadmat("day.mat")
for name in ("s", "ns"):
    print(f"timestamps in {name}:", read[name].dtype, read[name].ravel())
    assert read[name].dtype == np.float64 and read[name][0, 1] < -9e18
assert read["ns"][0, 0] / read["s"][0, 0] == 1e9
mask = read["rows"].toarray().ravel()
print("sparse mask:", type(read["rows"]).__name__, mask.dtype, mask, "| dense mask:", read["dense"].dtype, read["dense"].ravel())
assert mask.dtype == np.uint8 and mask.tolist() == [0, 1, 1, 0]
values = np.array([10.0, 20.0, 30.0, 40.0])
print("values[rows] before:", values[rows], "after reading:", values[mask])
assert values[mask].tolist() == [10, 20, 20, 10] and values[mask.astype(bool)].tolist() == [20, 30]
assert read["dense"].dtype == np.uint8 and read["dense"].ravel().tolist() == [0, 1, 1, 0]
EOF
