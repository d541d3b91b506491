#!/usr/bin/env bash
# Guess: what skops dumps, it loads; timestamps and dicts of fitted state come back as they were, once their types are trusted.
# What happens: a Timestamp, Timedelta or RangeIndex is dumped and listed, then cannot be loaded; a DatetimeIndex and a dict with tuple keys cannot be dumped (TypeError); a dict with a None key is dumped only.
# Why it matters: forecasters keep last timestamps, frequencies and per-series dicts; such a file is found unreadable only when it is needed. numpy's datetime64 and str keys come back.
# Seen on: 2026-11-30, skops 0.16.0, scikit-learn 1.9.1, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 skops==0.16.0 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd
import skops
import skops.io
from sklearn.preprocessing import StandardScaler

print("skops", skops.__version__, "pandas", pd.__version__)


def outcome(value):
    scaler = StandardScaler().fit(np.arange(3.0)[:, None])
    scaler.state_ = value
    try:
        file = skops.io.dumps(scaler)
    except TypeError as error:
        return f"dump fails: {error}"
    try:
        return skops.io.loads(file, trusted=skops.io.get_untrusted_types(data=file)).state_
    except (TypeError, ValueError, AttributeError) as error:
        return f"load fails: {type(error).__name__}"


values = {
    "Timestamp": pd.Timestamp("2026-01-01"),
    "Timedelta": pd.Timedelta("1h"),
    "RangeIndex": pd.RangeIndex(3),
    "DatetimeIndex": pd.date_range("2026-01-01", periods=3, freq="h"),
    "tuple keys": {("north", 1): 0.5},
    "None key": {None: 0.5},
    "datetime64": np.array(["2026-01-01T00", "2026-01-01T01"], "datetime64[h]"),
    "offset": pd.tseries.frequencies.to_offset("h"),
    "int keys": {1: 0.5},
}
found = {name: outcome(value) for name, value in values.items()}
for name, result in found.items():
    print(f"{name:13} {result}")
for name in ("Timestamp", "Timedelta", "RangeIndex", "None key"):
    assert str(found[name]).startswith("load fails")
for name in ("DatetimeIndex", "tuple keys"):
    assert str(found[name]).startswith("dump fails")
assert (found["datetime64"] == values["datetime64"]).all() and found["offset"] == values["offset"] and found["int keys"] == {1: 0.5}
EOF
