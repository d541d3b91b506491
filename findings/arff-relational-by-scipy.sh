#!/usr/bin/env bash
# Guess: scipy's loadarff refuses multivariate time series (relational attributes), as it refuses text attributes.
# What happens: it reads them: each row holds an array of one record a channel, one named field a time step, labels as bytes; aeon gives (series, channel, step) and str labels.
# Why it matters: the common multivariate archives come in this form; time is in the field names, so np.array(row) is of records and no number array, and b'walk' is not 'walk'.
# Seen on: 2026-11-30, scipy 1.17.1, aeon 1.6.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1 aeon==1.6.0 scikit-learn==1.9.1 pandas==3.0.6 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from pathlib import Path

import aeon
import numpy as np
import scipy
from aeon.datasets import load_from_arff_file
from scipy.io import arff

print("scipy", scipy.__version__, "aeon", aeon.__version__)
steps = "\n".join(f"  @attribute t{i} numeric" for i in range(4))
Path("moves.arff").write_text(
    f"@relation moves\n@attribute x relational\n{steps}\n@end x\n@attribute target {{walk,run}}\n@data\n"
    "'1,2,3,4\\n5,6,7,8',walk\n'9,10,11,12\\n13,14,15,16',run\n"
)
data, meta = arff.loadarff("moves.arff")
first = data["x"][0]
print("types:", meta.types(), "| first row:", first.shape, first.dtype.names, "| labels:", data["target"].tolist())
assert meta.types() == ["relational", "nominal"]
assert data["x"].dtype == object and first.shape == (2,) and first.dtype.names == ("t0", "t1", "t2", "t3")
assert data["target"].tolist() == [b"walk", b"run"] and not (data["target"] == "walk").any()
try:
    np.stack(data["x"]).astype(float)
except (TypeError, ValueError) as error:
    print("as numbers at once:", type(error).__name__)
else:
    raise AssertionError("records become numbers now")
series = np.stack([np.array(row.tolist()) for row in data["x"]])
X, y = load_from_arff_file("moves.arff")
print("through lists:", series.shape, "| aeon:", X.shape, y.tolist())
assert series.shape == X.shape == (2, 2, 4) and (series == X).all() and y.tolist() == ["walk", "run"]
EOF
