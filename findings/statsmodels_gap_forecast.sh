#!/usr/bin/env bash
# Guess: statsmodels fits a daily series with a missing date with a warning and labels the forecast by position.
# What happens: AutoReg, ARIMA and ExponentialSmoothing fit it (a warning) and then refuse to forecast: 'No supported index is available', no date named.
# Why it matters: trading days and logs with outages: the fit costs its time, then fails at the last line; a fitted model in store cannot forecast.
# Seen on 2026-11-30: statsmodels 0.15.0, pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile --disable-pip-version-check \
  statsmodels==0.15.0 pandas==2.3.3 numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import pandas as pd
import statsmodels
from statsmodels.tsa.api import ARIMA, AutoReg, ExponentialSmoothing

print("statsmodels", statsmodels.__version__, "pandas", pd.__version__)

full = pd.Series(np.arange(11.0) % 4, index=pd.date_range("2026-11-01", periods=11, freq="D"))
gap = full.drop(full.index[5])
models = {
    "AutoReg": lambda y: AutoReg(y, lags=1),
    "ARIMA": lambda y: ARIMA(y, order=(0, 1, 0)),
    "ExponentialSmoothing": ExponentialSmoothing,
}
for name, model in models.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = model(gap).fit()
    assert any("no associated frequency" in str(w.message) for w in caught)
    try:
        fitted.forecast(1)
        raise AssertionError("no error")
    except ValueError as error:
        print(f"{name}, one date missing: fitted, then ValueError: {error}")
        assert "No supported index" in str(error)

    # The cures: positions for an index, or the missing date as NaN where the model allows it.
    by_position = model(gap.reset_index(drop=True)).fit().forecast(1)
    assert by_position.index[0] == 10
dated = ARIMA(gap.asfreq("D"), order=(0, 1, 0)).fit().forecast(1)
print("ARIMA with the missing date as NaN:", dated.to_dict())
assert str(dated.index[0].date()) == "2026-11-12"
EOF
