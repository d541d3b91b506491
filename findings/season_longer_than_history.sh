#!/usr/bin/env bash
# Guess: a seasonal naive forecast with a season of 7 over 5 rows of history is refused, or missing in all steps.
# What happens: statsforecast and sktime give NaN, NaN and then a value, gluonts the mean without a word; darts and skforecast refuse.
# Why it matters: new series in a panel: the baseline's score comes from its later steps only, or from another rule than its name says.
# Seen on 2026-11-30: statsforecast 2.1.1, sktime 1.2.0, gluonts 0.17.0, darts 0.48.1, skforecast 0.26.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  statsforecast==2.1.1 sktime==1.2.0 gluonts==0.17.0 darts==0.48.1 skforecast==0.26.0 pandas==2.3.3 numpy==2.3.5 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import NaiveSeasonal
from gluonts.model.seasonal_naive import SeasonalNaivePredictor
from skforecast.recursive import ForecasterEquivalentDate
from sktime.forecasting.naive import NaiveForecaster
from statsforecast import StatsForecast
from statsforecast.models import SeasonalNaive

print(*(f"{name} {version(name)}" for name in ("statsforecast", "sktime", "gluonts", "darts", "skforecast")))
warnings.simplefilter("ignore")

days = pd.date_range("2026-11-01", periods=5, freq="D")
history = pd.Series([0.0, 1.0, 2.0, 3.0, 10.0], index=days, name="y")
table = pd.DataFrame({"unique_id": "a", "ds": days, "y": history.values})
entry = {"start": pd.Period("2026-11-01", freq="D"), "target": history.values}
predictor = SeasonalNaivePredictor(prediction_length=3, season_length=7)
found = {
    "statsforecast": StatsForecast([SeasonalNaive(7)], freq="D").forecast(df=table, h=3).SeasonalNaive,
    "sktime": NaiveForecaster("last", sp=7).fit(history).predict([1, 2, 3]),
    "gluonts": next(iter(predictor.predict([entry]))).samples[0],
}
for name, forecast in found.items():
    print(f"{name}: {np.asarray(forecast)}")
    expected = [3.2, 3.2, 3.2] if name == "gluonts" else [np.nan, np.nan, 0.0]
    np.testing.assert_allclose(np.asarray(forecast), expected)

for name, fit in (
    ("darts", lambda: NaiveSeasonal(K=7).fit(TimeSeries.from_series(history))),
    ("skforecast", lambda: ForecasterEquivalentDate(offset=7).fit(history)),
):
    try:
        fit()
        raise AssertionError("no error")
    except ValueError as error:
        print(f"{name}: ValueError: {str(error)[:100]}")
EOF
