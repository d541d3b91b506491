#!/usr/bin/env bash
# Guess: an array of structs (one struct a recording) comes as a list of dicts, whatever reader is used and however many recordings there are.
# What happens: pymatreader gives one dict of lists, scipy's simplify_cells a list of dicts; with one recording both give a dict of arrays, and singleton axes go: (1, 50, 3) becomes (50, 3).
# Why it matters: a loop over recordings runs over field names, or over the time steps of the only recording; a batch of one loses its batch axis.
# Seen on: 2026-11-30, pymatreader 1.3.2, scipy 1.17.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1 pymatreader==1.3.2 numpy==2.4.6 h5py==3.16.0
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import numpy as np
from pymatreader import read_mat
from scipy.io import loadmat, savemat

print("pymatreader", version("pymatreader"), "scipy", version("scipy"))


def write(recordings):
    structs = np.zeros((1, recordings), dtype=[("x", object), ("label", object)])
    for i in range(recordings):
        structs[0, i] = (np.full((50 + i, 3), float(i)), float(i))
    savemat("recordings.mat", {"recordings": structs, "batch": np.zeros((1, 50, 3))})
    return read_mat("recordings.mat"), loadmat("recordings.mat", simplify_cells=True)


def form(value):
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, (list, np.ndarray)) and len(value) and isinstance(value[0], (dict, np.ndarray)) and np.ndim(value[0]) != 1:
        return [form(item) for item in value]
    return np.shape(value)


for recordings in (3, 1):
    by_pymatreader, by_scipy = (read["recordings"] for read in write(recordings))
    print(recordings, "recording(s), pymatreader:", form(by_pymatreader), "scipy:", form(by_scipy))
    assert isinstance(by_pymatreader, dict)
    if recordings == 3:
        assert [x.shape for x in by_pymatreader["x"]] == [(50, 3), (51, 3), (52, 3)]
        assert isinstance(by_scipy, list) and [item["x"].shape for item in by_scipy] == [(50, 3), (51, 3), (52, 3)]
    else:
        assert by_pymatreader["x"].shape == by_scipy["x"].shape == (50, 3) and isinstance(by_scipy, dict)
        assert len(by_pymatreader["x"]) == 50  # a loop runs over time steps
read, plain = read_mat("recordings.mat")["batch"].shape, loadmat("recordings.mat")["batch"].shape
print("batch of one, (1, 50, 3): pymatreader", read, "loadmat", plain)
assert read == (50, 3) and plain == (1, 50, 3)
EOF
