#!/usr/bin/env bash
# Guess: MASE over a constant history (scale 0) is NaN, and 0 / 0 is treated alike by all.
# What happens: utilsforecast and skforecast give inf, sktime 4.5e15, darts NaN; of a perfect forecast NaN, NaN, 0 and (darts) 1.
# Why it matters: one idle sensor or item that does not sell decides the mean over a panel, or drops out, or counts as no better than naive.
# Seen on 2026-11-30: utilsforecast 0.2.17, skforecast 0.26.0, sktime 1.2.0, darts 0.48.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  utilsforecast==0.2.17 skforecast==0.26.0 sktime==1.2.0 darts==0.48.1 pandas==2.3.3 numpy==2.3.5 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.metrics import mase as darts_mase
from skforecast.metrics import mean_absolute_scaled_error
from sktime.performance_metrics.forecasting import MeanAbsoluteScaledError
from utilsforecast.losses import mase

print(*(f"{name} {version(name)}" for name in ("utilsforecast", "skforecast", "sktime", "darts")))
warnings.simplefilter("ignore")

history = np.full(6, 5.0)
days = pd.date_range("2026-11-01", periods=7, freq="D")


def values(forecast):
    actual, forecast = np.array([5.0]), np.array([forecast])
    train = pd.DataFrame({"unique_id": "a", "ds": days[:6], "y": history})
    result = pd.DataFrame({"unique_id": "a", "ds": days[6:], "y": actual, "model": forecast})
    series = [TimeSeries.from_times_and_values(days[6:], x) for x in (actual, forecast)]
    return {
        "utilsforecast": mase(result, ["model"], 1, train)["model"][0],
        "skforecast": mean_absolute_scaled_error(actual, forecast, y_train=history),
        "sktime": MeanAbsoluteScaledError()(actual, forecast, y_train=history),
        "darts": darts_mase(*series, TimeSeries.from_times_and_values(days[:6], history)),
    }


off, perfect = values(6.0), values(5.0)
for name in off:
    print(f"{name}: off by 1 {off[name]:.3g}, perfect {perfect[name]:.3g}")
assert off["utilsforecast"] == off["skforecast"] == np.inf
assert off["sktime"] == 1 / np.finfo(float).eps
assert np.isnan(off["darts"])
assert np.isnan(perfect["utilsforecast"]) and np.isnan(perfect["skforecast"])
assert perfect["sktime"] == 0 and perfect["darts"] == 1
EOF
