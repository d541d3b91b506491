#!/usr/bin/env bash
# Guess: an empty series (0x3) in a v7.3 file reads as an array of shape (0, 3), a logical mask as bool, a batch of one as (1, 5, 3), whatever the reader.
# What happens: mat73 gives None for the empty series, pymatreader shape (0,), h5py the two numbers [0, 3] as if they were data; the mask is bool in mat73 and uint8 in pymatreader, which also drops the batch axis.
# Why it matters: recordings without rows are usual in a cell array of series; one reader's code fails on another's output, and [0, 3] looks like a series of two values.
# Seen on: 2026-11-30, mat73 0.65, pymatreader 1.3.2, h5py 3.16.0 (file written by hdf5storage 0.2.2).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mat73==0.65 pymatreader==1.3.2 hdf5storage==0.2.2 h5py==3.16.0 scipy==1.17.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
import h5py
import hdf5storage
import mat73
import numpy as np
from pymatreader import read_mat

print({name: version(name) for name in ("mat73", "pymatreader", "h5py", "hdf5storage")})
series = np.empty(3, dtype=object)
series[0], series[1], series[2] = np.ones((4, 3)), np.zeros((0, 3)), np.full((2, 3), 2.0)
content = {"series": series, "empty": np.zeros((0, 3)), "mask": np.array([True, False, True]), "batch": np.arange(15.0).reshape(1, 5, 3)}
hdf5storage.savemat("recordings.mat", content, format="7.3", oned_as="row", store_python_metadata=False)


def form(value):
    if isinstance(value, list):
        return [form(item) for item in value]
    return None if value is None else (value.shape, value.dtype.name)


found = {}
for name, read in (("mat73", mat73.loadmat), ("pymatreader", read_mat)):
    file = read("recordings.mat")
    found[name] = {key: form(file[key]) for key in content}
    print(name, found[name])
with h5py.File("recordings.mat") as file:
    raw = file["empty"][()]
    print("h5py:", raw, dict(file["empty"].attrs), "| batch:", file["batch"].shape)
    assert raw.tolist() == [0, 3] and file["batch"].shape == (3, 5, 1)
full, short = ((4, 3), "float64"), ((2, 3), "float64")
assert found["mat73"] == {"series": [full, None, short], "empty": None, "mask": ((3,), "bool"), "batch": ((1, 5, 3), "float64")}
gone = ((0,), "float64")
assert found["pymatreader"] == {"series": [full, gone, short], "empty": gone, "mask": ((3,), "uint8"), "batch": ((5, 3), "float64")}
EOF
