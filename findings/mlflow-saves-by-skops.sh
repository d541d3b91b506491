#!/usr/bin/env bash
# Guess: mlflow.sklearn.save_model pickles (cloudpickle), so any estimator can be saved.
# What happens: the default is skops; an estimator of one's own is refused with MlflowException until skops_trusted_types names its type (or serialization_format="cloudpickle").
# Why it matters: estimators around networks are such types; a training job that ran with earlier releases stops at its last line, after the training.
# Seen on: 2026-11-30, mlflow-skinny 3.17.2, skops 0.16.0, scikit-learn 1.9.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 scikit-learn==1.9.1 skops==0.16.0 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import logging
import sys
from pathlib import Path

import mlflow
import mlflow.sklearn
import numpy as np
import yaml
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

logging.disable(logging.WARNING)
print("mlflow", mlflow.__version__)
Path("naive.py").write_text(
    "from sklearn.base import BaseEstimator, RegressorMixin\n"
    "class Naive(RegressorMixin, BaseEstimator):\n"
    "    def fit(self, X, y):\n        self.last_ = y[-1]\n        return self\n"
    "    def predict(self, X):\n        return [self.last_] * len(X)\n"
)
sys.path.insert(0, ".")
from naive import Naive

X, y = np.arange(8.0)[:, None], np.arange(8.0)
mlflow.sklearn.save_model(LinearRegression().fit(X, y), "linear")
flavour = yaml.safe_load(Path("linear/MLmodel").read_text())["flavors"]["sklearn"]
print("default format:", flavour["serialization_format"], "file:", flavour["pickled_model"])
assert flavour["serialization_format"] == "skops"

model = Naive().fit(X, y)
try:
    mlflow.sklearn.save_model(model, "refused")
except mlflow.exceptions.MlflowException as error:
    print("own estimator:", str(error)[:72], "...")
    assert "skops_trusted_types" in str(error) and "naive.Naive" in str(error)
else:
    raise AssertionError("own estimators are saved now")
mlflow.sklearn.save_model(model, "trusted", skops_trusted_types=["naive.Naive"])
loaded = mlflow.sklearn.load_model("trusted")
print("with skops_trusted_types:", type(loaded).__name__, loaded.predict(X[:2]))
assert loaded.predict(X[:2]) == [7.0, 7.0]
EOF
