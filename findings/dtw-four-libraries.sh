#!/usr/bin/env bash
# Guess: the DTW distance of two series is one number in all libraries, NaN where a value is NaN, and a window of 1 allows a shift of one step.
# What happens: three numbers: 2 (aeon, squared), 1.41 (tslearn, dtaidistance: its root), 3 (dtw-python: absolute, diagonal steps twice); tslearn drops trailing NaN (1.0 where others give nan); dtaidistance's window=1 is no shift.
# Why it matters: thresholds, kernels and nearest neighbours do not carry over, and a sequence that ends in a missing value is taken as a shorter one.
# Seen on: 2026-11-30, aeon 1.6.0, tslearn 0.10.0, dtaidistance 2.5.1, dtw-python 1.9.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aeon==1.6.0 tslearn==0.10.0 dtaidistance==2.5.1 dtw-python==1.9.0 scikit-learn==1.9.1 numpy==2.3.5 pandas==3.0.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

import numpy as np

warnings.simplefilter("ignore")
import dtw as dtw_python
from aeon.distances import dtw_distance
from dtaidistance import dtw as dtai
from tslearn.metrics import dtw as tslearn_dtw

print({name: version(name) for name in ("aeon", "tslearn", "dtaidistance", "dtw-python")})
functions = {
    "aeon": dtw_distance,
    "tslearn": tslearn_dtw,
    "dtaidistance": dtai.distance,
    "dtw-python": lambda a, b: float(dtw_python.dtw(a, b).distance),
}
a, b = np.array([0.0, 1, 2, 3]), np.array([0.0, 0, 3, 3])
found = {name: float(function(a, b)) for name, function in functions.items()}
print("[0 1 2 3] and [0 0 3 3]:", found)
np.testing.assert_allclose(list(found.values()), [2, np.sqrt(2), np.sqrt(2), 3])

del functions["dtw-python"]
found = {name: float(function(np.array([1.0, 2, np.nan]), np.array([1.0, 2, 3]))) for name, function in functions.items()}
print("[1 2 nan] and [1 2 3]:", found)
np.testing.assert_allclose(list(found.values()), [np.nan, 1, np.nan])

a, b = np.random.default_rng(0).normal(size=(2, 12))
radius = {r: tslearn_dtw(a, b, global_constraint="sakoe_chiba", sakoe_chiba_radius=r) for r in (0, 1, 2)}
window = {w: dtai.distance(a, b, window=w) for w in (1, 2, 3)}
print("tslearn by radius:", radius, "dtaidistance by window:", window)
np.testing.assert_allclose(list(window.values()), list(radius.values()))
np.testing.assert_allclose(window[1], np.sqrt(((a - b) ** 2).sum()))
EOF
