import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))

# The trivial rule and the plain scikit-learn baseline that stand beside each score.
BESIDE = {
    "plot_co2": ("last value", "gradient boosting"),
    "plot_digits": ("most frequent digit", "logistic regression"),
    "plot_next_character": ("most frequent character", "logistic regression"),
    "plot_next_hours": ("the day before", "gradient boosting"),
    "plot_sentences": ("most frequent label", "bag of words"),
    "plot_sine": ("last value", "gradient boosting"),
    "plot_weather_mat": ("as this week", "gradient boosting"),
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_prints_baselines(example, tmp_path):
    if example.stem == "plot_co2":
        pytest.importorskip("statsmodels", reason="the measurements come with statsmodels")
    env = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", example]
    output = subprocess.check_output(command, cwd=tmp_path, env=env, text=True)
    rule, baseline = BESIDE.get(example.stem, ("as today", "gradient boosting"))
    assert rule in output
    assert baseline in output
    assert (tmp_path / "pictures" / f"{example.stem}.png").exists()


def test_two_processes_train_what_one_does():
    example = EXAMPLES[0].parent / "train_in_two_processes.py"
    output = subprocess.check_output([sys.executable, "-W", "error", example], text=True)
    between, to_one = (float(line.split(": ")[1]) for line in output.splitlines()[:2])
    assert between == 0
    assert to_one < 1e-9
