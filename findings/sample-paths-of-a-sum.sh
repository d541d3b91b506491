#!/usr/bin/env bash
# Guess: sample paths of a probabilistic recurrent network hold together: on a random walk the draws of steps 11 and 12 have a correlation near 0.96, so that quantiles of a sum over the steps can be read from them.
# What happens: Darts' BlockRNNModel draws each step by itself, correlation about 0; NeuralForecast's `simulate` does so too by default, and gets the order of the draws right with method="schaake_shuffle".
# Why it matters: the spread of a sum of 12 independent draws is a third of that of a walk; stocks and budgets of a week planned from such paths are far too narrow. No warning.
# Seen on: 2026-11-30, darts 0.48.1, neuralforecast 3.3.0, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet darts==0.48.1 neuralforecast==3.3.0 torch==2.13.0 pytorch-lightning==2.6.6
cd "$folder"
CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" -W ignore - <<'EOF_PYTHON'
import logging
from importlib.metadata import version

import numpy as np
import pandas as pd

logging.disable(logging.INFO)
print(*(f"{name} {version(name)}" for name in ("darts", "neuralforecast", "torch")))
hours = pd.date_range("2026-01-01", periods=1000, freq="h")
walk = pd.Series(np.random.default_rng(0).normal(size=1000).cumsum(), hours, name="y")
quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}


def neighbours(paths):
    """Correlation of the last two steps, over paths (n_paths, 12)."""
    return np.corrcoef(np.asarray(paths, dtype=float)[:, -2:], rowvar=False)[0, 1]


def by_darts():
    from darts import TimeSeries
    from darts.models import BlockRNNModel
    from darts.utils.likelihood_models.torch import GaussianLikelihood

    model = BlockRNNModel(
        24, 12, model="LSTM", n_epochs=3, random_state=0, likelihood=GaussianLikelihood(),
        pl_trainer_kwargs={"accelerator": "cpu", **quiet},
    )
    model.fit(TimeSeries.from_series(walk.astype("float32")))
    return model.predict(12, num_samples=500).all_values()[:, 0].T


def by_neuralforecast(**method):
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import DistributionLoss
    from neuralforecast.models import LSTM

    network = LSTM(h=12, input_size=24, loss=DistributionLoss("Normal"), max_steps=30, accelerator="cpu", **quiet)
    model = NeuralForecast([network], freq="h")
    model.fit(pd.DataFrame({"unique_id": "walk", "ds": hours, "y": walk.to_numpy()}))
    return model.simulate(n_paths=500, seed=0, **method).pivot_table("LSTM", "sample_id", "ds")


found = {
    "a random walk itself": (11 / 12) ** 0.5,
    "BlockRNNModel": neighbours(by_darts()),
    "simulate()": neighbours(by_neuralforecast()),
    'simulate(method="schaake_shuffle")': neighbours(by_neuralforecast(method="schaake_shuffle")),
}
for name, value in found.items():
    print(f"{name}: {value:.2f}")
walk_itself, block, default, shuffled = found.values()
assert abs(block) < 0.3
assert abs(default) < 0.3
assert shuffled > 0.9
EOF_PYTHON
