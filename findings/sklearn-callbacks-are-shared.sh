#!/usr/bin/env bash
# Guess: callbacks are no parameters, so clone() leaves them out, as it leaves out all that is fitted.
# What happens: clone() keeps them, and every clone holds the same callback object; get_params() does not show them; a cross-validation of clones writes into the one callback.
# Why it matters: a callback that counts epochs or keeps a history mixes the folds of a search; equal parameters no longer mean equal behaviour.
# Seen on: 2026-11-30, scikit-learn 1.9.1 (sklearn.callback is new in 1.9).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

print("scikit-learn", sklearn.__version__)


class Counter(ScoringMonitor):
    fits = 0

    def setup(self, *args, **kwargs):
        Counter.fits += 1
        Counter.seen.add(id(self))
        return super().setup(*args, **kwargs)


Counter.seen = set()
random = np.random.default_rng(0)
X = random.normal(size=(60, 2))
y = (X[:, 0] > 0).astype(int)
callback = Counter(scoring="accuracy")
model = LogisticRegression(max_iter=200).set_callbacks(callback)
copy = clone(model)
held = [value for value in vars(copy).values() if isinstance(value, list) and value and value[0] is callback]
print("clone holds the same callback object:", bool(held), "| among the parameters:", any("callback" in name for name in model.get_params()))
assert held and not any("callback" in name for name in model.get_params())
cross_val_score(model, X, y, cv=4)
print("fits that reached the one callback in 4 folds:", Counter.fits, "| callback objects:", len(Counter.seen))
assert Counter.fits == 4 and len(Counter.seen) == 1
inner = clone(make_pipeline(StandardScaler(), model))[-1]
assert any(isinstance(value, list) and value and value[0] is callback for value in vars(inner).values())
print("also inside a cloned pipeline: yes")
EOF
