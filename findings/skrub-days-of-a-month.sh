#!/usr/bin/env bash
# Guess: circular day features tell all days of a month apart: day 31 lies beside day 1, not on it.
# What happens: the period is 30 days, so day 31 and day 1 get the same two numbers, and day 30 is the zero of the circle; month 12 and hour 0 are theirs.
# Why it matters: a network on such features cannot tell the last day of seven months from the first: loads, sales and rents differ there most.
# Seen on: 2026-11-30, skrub 0.11.0, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet skrub==0.11.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd
import skrub
from skrub import DatetimeEncoder

print("skrub", skrub.__version__, "pandas", pd.__version__)
when = pd.Series(pd.date_range("2026-01-01", "2026-01-31", freq="D"), name="when")
out = DatetimeEncoder(resolution="day", periodic_encoding="circular").fit_transform(when)
print("columns:", list(out.columns))
pair = out[["when_day_circular_0", "when_day_circular_1"]].to_numpy()
for day in (1, 2, 15, 30, 31):
    print(f"day {day:2}: sine {pair[day - 1, 0]:+.4f} cosine {pair[day - 1, 1]:+.4f}")
np.testing.assert_allclose(pair[30], pair[0], atol=1e-6)
np.testing.assert_allclose(pair[29], [0, 1], atol=1e-6)
distinct = len(np.unique(pair.round(5), axis=0))
print("different pairs among 31 days:", distinct)
assert distinct == 30
EOF
