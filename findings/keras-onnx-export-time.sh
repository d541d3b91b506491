#!/usr/bin/env bash
# Guess: a Keras LSTM whose time axis is None exports to an ONNX file that is right for every number of time steps.
# What happens: the file declares a dynamic time axis and takes any length, but holds a single time step; every longer sequence gets another answer, without an error (one TracerWarning at export).
# Why it matters: who serves a Keras sequence model by ONNX (torch as its backend) gets wrong predictions; a recipe that carries weights over must compare outputs.
# Seen on: 2026-11-30, keras 3.15.1 with torch 2.13.0, onnx 1.23.2, onnxruntime 1.31.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 torch==2.13.0 onnx==1.23.2 onnxruntime==1.31.1 onnxscript==0.7.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import onnx
import onnxruntime
import torch

print("keras", keras.__version__, "torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)])
try:
    model.export("model.onnx", format="onnx", verbose=False)
except ValueError as error:
    print("before the first call:", str(error).strip())
else:
    raise AssertionError("a model that was never called exports now")
model(np.zeros((2, 5, 3), "float32"))  # the length of this first call does not matter
model.export("model.onnx", format="onnx", verbose=False)

graph = onnx.load("model.onnx").graph
time_axis = graph.input[0].type.tensor_type.shape.dim[1]
kinds = {node.op_type for node in graph.node}
print("time axis of the file:", time_axis.dim_param or time_axis.dim_value, "| has a loop or LSTM node:", bool(kinds & {"Loop", "Scan", "LSTM"}))
assert time_axis.dim_param and not kinds & {"Loop", "Scan", "LSTM"}

session = onnxruntime.InferenceSession("model.onnx")
name = session.get_inputs()[0].name
random = np.random.default_rng(0)
for steps in (1, 2, 5, 7):
    x = random.normal(size=(2, steps, 3)).astype("float32")
    from_file = session.run(None, {name: x})[0]
    error = abs(from_file - model.predict(x, verbose=0)).max()
    print(f"{steps} steps: largest difference between the file and Keras {error:.6f}")
    assert from_file.shape == (2, 4)
    assert error < 1e-5 if steps == 1 else error > 1e-2
EOF
