#!/usr/bin/env bash
# Guess: historical_forecasts(start=0.5) over 20 days forecasts the last ten, day 11 to day 20.
# What happens: it forecasts 11 days, from day 10 on; split_after(0.5) gives 10 and 10 rows, split_before(0.5) 9 and 11.
# Why it matters: the first forecast lies in the training part of split_after(0.5): a model tuned on that part is scored on a row it has seen.
# Seen on 2026-11-30: darts 0.48.1, pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  darts==0.48.1 pandas==2.3.3 numpy==2.3.5 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import LinearRegressionModel

print(*(f"{name} {version(name)}" for name in ("darts", "pandas")))

days = pd.date_range("2026-11-01", periods=20, freq="D")
series = TimeSeries.from_times_and_values(days, np.arange(20.0))
forecasts = LinearRegressionModel(lags=3).historical_forecasts(series, start=0.5, verbose=False)
after = [len(part) for part in series.split_after(0.5)]
before = [len(part) for part in series.split_before(0.5)]
print("first forecast of start=0.5:", forecasts.start_time().date(), "number:", len(forecasts))
print("split_after(0.5):", after, "split_before(0.5):", before)
assert str(forecasts.start_time().date()) == "2026-11-10" and len(forecasts) == 11
assert after == [10, 10] and before == [9, 11]
EOF
