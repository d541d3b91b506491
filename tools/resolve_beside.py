"""Which versions pip installs of sklstm beside each of its neighbours, one environment each.

`python tools/resolve_beside.py` asks pip for a plan only (`--dry-run`) and prints the table of
docs/install.md; `--python 3.14` plans for another Python. A neighbour that cannot be installed
beside sklstm is an error, with pip's words.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEERS = {
    "forecasting": ["skforecast", "mlforecast", "gluonts", "sktime", "darts", "neuralforecast"],
    "time series": ["aeon", "tslearn"],
    "intervals": ["mapie"],
}
SHOWN = ["pandas", "numpy", "scikit-learn", "torch"]


def plan(peer, python):
    """Versions by name that pip would install, or its refusal."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--report", "-", str(ROOT), peer]
    if python:
        command += ["--python-version", python, "--only-binary", ":all:", "--target", "unused"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{peer} cannot be installed beside sklstm:\n{result.stderr}")
    items = json.loads(result.stdout)["install"]
    return {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in items}
