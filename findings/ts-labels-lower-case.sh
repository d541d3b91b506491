#!/usr/bin/env bash
# Guess: the class labels of a .ts file come back as they are written: 'Walking', 'Running', 'RUN'.
# What happens: aeon and sktime read labels in lower case; labels that differ by case only become one class: 'A' and 'a' are two in the file, one in y.
# Why it matters: predictions no longer match the labels of the same data read from ARFF or kept in a database, and a class can vanish without an error.
# Seen on: 2026-11-30, aeon 1.6.0, sktime 1.2.0; aeon's writer keeps the case.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aeon==1.6.0 sktime==1.2.0 scikit-learn==1.9.1 pandas==3.0.6 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from pathlib import Path

import aeon
import numpy as np
import sktime
from aeon.datasets import load_from_arff_file, load_from_ts_file, save_to_ts_file
from sktime.datasets import load_from_tsfile

print("aeon", aeon.__version__, "sktime", sktime.__version__)
X = np.arange(16.0).reshape(4, 1, 4)
y = np.array(["Walking", "A", "a", "Running"])
save_to_ts_file(X, y, label_type="classification", path=".", problem_name="moves")
print("in the file:", [line.rsplit(":", 1)[-1] for line in Path("moves.ts").read_text().splitlines()[-4:]])
assert Path("moves.ts").read_text().splitlines()[-4].endswith(":Walking")
by_aeon = load_from_ts_file("moves.ts")[1]
by_sktime = load_from_tsfile("moves.ts")[1]
print("by aeon:", by_aeon.tolist(), "by sktime:", by_sktime.tolist())
assert by_aeon.tolist() == by_sktime.tolist() == ["walking", "a", "a", "running"]

rows = "\n".join(",".join(map(str, series[0])) + "," + label for series, label in zip(X, y, strict=True))
names = "\n".join(f"@attribute t{i} numeric" for i in range(4))
Path("moves.arff").write_text(f"@relation moves\n{names}\n@attribute target {{{','.join(y)}}}\n@data\n{rows}\n")
by_arff = load_from_arff_file("moves.arff")[1]
print("the same data from ARFF by aeon:", by_arff.tolist())
assert by_arff.tolist() == y.tolist()
EOF
