"""Versions that pip would install of sklstm and each of its neighbours: `make beside`.

Every neighbour gets an environment of its own, in which pip plans and installs nothing. Prints the
table of docs/install.md; one that cannot be installed beside sklstm is an error, in pip's words.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NEIGHBOURS = [
    "skforecast",
    "mlforecast",
    "gluonts",
    "sktime",
    "aeon",
    "darts",
    "neuralforecast",
    "tslearn",
    "mapie",
    "deeptab",
]
SHOWN = ["pandas", "numpy", "scikit-learn", "torch"]


def plan(neighbour):
    """The versions, by name."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--report", "-", str(ROOT), neighbour]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{neighbour} cannot be installed beside sklstm:\n{result.stderr}")
    items = [item["metadata"] for item in json.loads(result.stdout)["install"]]
    return {item["name"].lower(): item["version"] for item in items}


def main():
    """Print one row for each neighbour."""
    print("|", " | ".join(["beside", *SHOWN]), "|")
    print("|", " | ".join(["---"] * (1 + len(SHOWN))), "|")
    for neighbour in NEIGHBOURS:
        versions = plan(neighbour)
        cells = [f"{neighbour} {versions[neighbour]}", *(versions[name] for name in SHOWN)]
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
