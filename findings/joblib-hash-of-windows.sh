#!/usr/bin/env bash
# Guess: joblib.hash is the same for equal data, so a Memory finds a window that it has seen.
# What happens: rows cut from a longer table hash unlike the equal table read on its own (a copy mends it), and equal torch tensors never hash alike: not a clone, not two networks of the same weights.
# Why it matters: caching (joblib.Memory, memory= of a pipeline) of windows, folds and tensors computes all anew, and unequal hashes are no proof of unequal models.
# Seen on: 2026-11-30, joblib 1.6.0, pandas 3.1.1, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet joblib==1.6.0 pandas==3.1.1 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import joblib
import numpy as np
import pandas as pd
import torch

print("joblib", joblib.__version__, "pandas", pd.__version__, "torch", torch.__version__)
table = pd.DataFrame({"load": np.arange(7.0), "wind": np.arange(7.0) ** 2})
window = table.iloc[2:5].reset_index(drop=True)
alone = pd.DataFrame({"load": [2.0, 3.0, 4.0], "wind": [4.0, 9.0, 16.0]})
tensor = torch.arange(3.0)
network, twin = torch.nn.LSTM(2, 3), torch.nn.LSTM(2, 3)
twin.load_state_dict(network.state_dict())
array = np.arange(7.0)
same = {
    "window and an equal table": joblib.hash(window) == joblib.hash(alone),
    "copy of the window and an equal table": joblib.hash(window.copy()) == joblib.hash(alone),
    "array slice and an equal array": joblib.hash(array[2:5]) == joblib.hash(np.array([2.0, 3.0, 4.0])),
    "tensor and itself": joblib.hash(tensor) == joblib.hash(tensor),
    "tensor and its clone": joblib.hash(tensor) == joblib.hash(tensor.clone()),
    "tensors as arrays": joblib.hash(tensor.numpy()) == joblib.hash(tensor.clone().numpy()),
    "networks of the same weights": joblib.hash(network) == joblib.hash(twin),
}
assert window.equals(alone) and torch.equal(tensor, tensor.clone())
for pair, equal in same.items():
    print(f"{pair}: {'same hash' if equal else 'other hash'}")
assert list(same.values()) == [False, True, True, True, False, True, False]
memory = joblib.Memory("cache", verbose=0)
total = memory.cache(lambda data: float(data.to_numpy().sum()))
total(alone)
assert total.check_call_in_cache(alone) and not total.check_call_in_cache(window)
EOF
