#!/usr/bin/env bash
# Guess: the default search of Optuna 5 is that of Optuna 4: the same seed draws the same values.
# What happens: the default TPE now draws parameters jointly (multivariate=None means True for one objective) and counts running trials (constant_liar=True); trials after the first 10 differ, and giving the old settings does not bring the old values back.
# Why it matters: a search for a network's settings that is to be repeated, or compared with last year's, draws other values under the same seed: the release has to be pinned.
# Seen on: 2026-11-30, optuna 5.0.0 beside 4.6.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/before" optuna==4.6.0
cd "$folder"
cat > search.py <<'EOF'
import inspect
import json
import sys

import optuna
from optuna.samplers import TPESampler

optuna.logging.set_verbosity(optuna.logging.ERROR)
names = ("multivariate", "constant_liar")
defaults = {name: inspect.signature(TPESampler.__init__).parameters[name].default for name in names}


def rates(**settings):
    def loss(trial):
        rate, hidden = trial.suggest_float("rate", 1e-4, 1e-1, log=True), trial.suggest_int("hidden", 4, 64)
        return (rate - 0.01) ** 2 + hidden / 64

    study = optuna.create_study(sampler=TPESampler(seed=0, **settings))
    study.optimize(loss, n_trials=14)
    return [round(trial.params["rate"], 6) for trial in study.trials]


searches = {"default": rates(), "joint": rates(multivariate=True), "apart": rates(multivariate=False, constant_liar=False)}
json.dump({"version": optuna.__version__, "defaults": defaults, **searches}, sys.stdout)
EOF
PYTHONWARNINGS=ignore PYTHONPATH="$folder/before" "$folder/venv/bin/python" search.py > old.json
PYTHONWARNINGS=ignore "$folder/venv/bin/python" search.py > new.json
"$folder/venv/bin/python" - <<'EOF'
import json

old, new = (json.load(open(name)) for name in ("old.json", "new.json"))
for search in (old, new):
    print("optuna", search["version"], "defaults", search["defaults"], "| trials 11 to 14:", search["default"][10:], "| multivariate=False, constant_liar=False:", search["apart"][10:])
assert (old["version"], new["version"]) == ("4.6.0", "5.0.0")
assert old["defaults"] == {"multivariate": False, "constant_liar": False}
assert new["defaults"] == {"multivariate": None, "constant_liar": True}
assert new["default"] == new["joint"] and old["default"] == old["apart"]
assert new["default"][:10] == old["default"][:10]
assert new["default"][10:] != old["default"][10:] and new["apart"] != old["default"]
EOF
