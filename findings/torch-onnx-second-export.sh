#!/usr/bin/env bash
# Guess: exporting the same LSTM twice by the same call gives the same file twice.
# What happens: with a dynamic time axis the first export of a process succeeds, the second fails ("specialized" to the example's length); Dim.AUTO works each time and is right.
# Why it matters: a notebook, a test suite or a service that exports several sequence models fails at the second one, and the message blames the model.
# Seen on: 2026-11-30, torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.31.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxruntime==1.31.1 onnxscript==0.7.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import warnings

warnings.simplefilter("ignore")
import numpy as np
import onnxruntime
import torch
from torch.export import Dim

print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
torch.manual_seed(0)
network = torch.nn.LSTM(3, 4, batch_first=True).eval()
example, longer = torch.randn(2, 5, 3), torch.randn(2, 9, 3)


def export(time_axis):
    return torch.onnx.export(network, (example,), dynamic_shapes=({1: time_axis},), verbose=False)


def difference(program):
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    output = session.run(None, {session.get_inputs()[0].name: longer.numpy()})[0]
    return float(np.abs(output - network(longer)[0].detach().numpy()).max())


first = difference(export(Dim.DYNAMIC))
print(f"first export: right at 9 steps, traced at 5: largest difference {first:.1e}")
assert first < 1e-5
try:
    export(Dim.DYNAMIC)
except torch.onnx.errors.OnnxExporterError as error:
    print("second export, same network, same call:", type(error).__name__, "|", str(error.__cause__).strip().splitlines()[-1])
    assert "static shape of 5" in str(error.__cause__)
else:
    raise AssertionError("the second export succeeds now")
for attempt in (1, 2):
    again = difference(export(Dim.AUTO))
    print(f"Dim.AUTO, attempt {attempt}: largest difference at 9 steps {again:.1e}")
    assert again < 1e-5
EOF
