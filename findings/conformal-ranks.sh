#!/usr/bin/env bash
# Guess: on the same residuals two libraries of split conformal give the same width: the residual of rank ceil((n + 1) * level).
# What happens: MAPIE does, but refuses n = 9 at 90 %, where the rank (9) exists; crepes is one rank too high where (n + 1) * (1 - level) is whole, since 1 - 0.9 is a bit under 0.1, and infinite at n = 9.
# Why it matters: calibration sets of sequences are short (one residual a week or a day): 9, 19, 99 rows are usual, and widths of two libraries then differ by a rank or are infinite.
# Seen on: 2026-11-30, mapie 1.6.0, crepes 0.9.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mapie==1.6.0 crepes==0.9.1 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math
import warnings
from importlib.metadata import version

import numpy as np
from crepes import ConformalRegressor
from mapie.regression import SplitConformalRegressor
from sklearn.dummy import DummyRegressor

warnings.simplefilter("ignore")
print("mapie", version("mapie"), "crepes", version("crepes"))


def by_mapie(n, level):
    X, y = np.arange(float(n))[:, None], np.arange(1.0, n + 1)
    zero = DummyRegressor(strategy="constant", constant=0.0).fit(X, y)
    try:
        model = SplitConformalRegressor(zero, confidence_level=level, prefit=True).conformalize(X, y)
        return float(model.predict_interval(X[:1])[1].ravel()[1])
    except ValueError as error:
        return str(error).split(",")[0]


def by_crepes(n, level):
    model = ConformalRegressor().fit(residuals=np.arange(1.0, n + 1))
    return float(model.predict_int(y_hat=np.zeros(1), confidence=level)[0, 1])


found = {}
for n, level, rank in ((8, 0.9, None), (9, 0.9, 9), (10, 0.9, 10), (19, 0.9, 18), (19, 0.8, 16), (99, 0.9, 90), (98, 0.9, 90)):
    found[n, level] = by_mapie(n, level), by_crepes(n, level)
    print(f"residuals 1..{n}, level {level}: rank {rank}, MAPIE {found[n, level][0]}, crepes {found[n, level][1]}")
refused = "Number of samples of the score is too low"
assert found == {
    (8, 0.9): (refused, math.inf),
    (9, 0.9): (refused, math.inf),
    (10, 0.9): (10, 10),
    (19, 0.9): (18, 19),
    (19, 0.8): (16, 17),
    (99, 0.9): (90, 91),
    (98, 0.9): (90, 90),
}
EOF
