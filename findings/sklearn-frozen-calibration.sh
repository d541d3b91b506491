#!/usr/bin/env bash
# Guess: CalibratedClassifierCV(FrozenEstimator(fitted), cv=TimeSeriesSplit(3)) calibrates: nothing is refitted, so the kind of split is free.
# What happens: ValueError "cross_val_predict only works for partitions"; the same splits work with an estimator that is refitted (ensemble=True) or with ensemble=True given.
# Why it matters: time-ordered splits are the right ones for sequences, and freezing a fitted network is the way not to train it again.
# Seen on: 2026-11-30, scikit-learn 1.9.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, TimeSeriesSplit

print("scikit-learn", sklearn.__version__)
random = np.random.default_rng(0)
X = random.normal(size=(80, 2))
y = (X[:, 0] + random.normal(size=80) > 0).astype(int)
fitted = LogisticRegression().fit(X, y)

outcomes = {}
for name, estimator, cv, ensemble in (
    ("refitted, TimeSeriesSplit", LogisticRegression(), TimeSeriesSplit(3), "auto"),
    ("frozen, KFold", FrozenEstimator(fitted), KFold(3), "auto"),
    ("frozen, TimeSeriesSplit", FrozenEstimator(fitted), TimeSeriesSplit(3), "auto"),
    ("frozen, TimeSeriesSplit, ensemble=True", FrozenEstimator(fitted), TimeSeriesSplit(3), True),
):
    try:
        model = CalibratedClassifierCV(estimator, cv=cv, ensemble=ensemble).fit(X, y)
        outcomes[name] = f"{len(model.calibrated_classifiers_)} calibrated classifier(s)"
    except ValueError as error:
        outcomes[name] = f"ValueError: {error}"
    print(f"{name}: {outcomes[name]}")
assert list(outcomes.values()) == [
    "3 calibrated classifier(s)",
    "1 calibrated classifier(s)",
    "ValueError: cross_val_predict only works for partitions",
    "3 calibrated classifier(s)",
]
EOF
