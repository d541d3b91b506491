import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_prints_baselines(example):
    env = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    output = subprocess.check_output([sys.executable, "-W", "error", example], env=env, text=True)
    assert "as today" in output or "as this week" in output
    assert "gradient boosting" in output
    assert (example.parent / "pictures" / f"{example.stem}.png").exists()
