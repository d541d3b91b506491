#!/usr/bin/env bash
# Guess: sequence_lens of ONNX's LSTM, GRU and RNN stops each sequence of a padded batch at its length, in every runtime.
# What happens: onnxruntime stops; OpenVINO stops too if shapes are fixed, and reads the padding as steps if they are dynamic; onnx.reference always reads it. No error, no warning.
# Why it matters: a recurrent model that was right in one runtime is off in another as soon as sequences of a batch differ in length.
# Seen on: 2026-11-30, openvino 2026.4.1, onnxruntime 1.31.1, onnx 1.23.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.31.1 openvino==2026.4.1 "numpy<2.5"
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
random = np.random.default_rng(0)
gates = {"LSTM": 4, "GRU": 3, "RNN": 1}
x, lengths = random.normal(size=(6, 2, 3)).astype("float32"), np.array([6, 2], "int32")


def model(kind, shape):
    sizes = {"W": (1, gates[kind] * 4, 3), "R": (1, gates[kind] * 4, 4)}
    weights = [numpy_helper.from_array(random.normal(size=s).astype("float32"), n) for n, s in sizes.items()]
    node = helper.make_node(kind, ["X", "W", "R", "", "lengths"], ["", "last"], hidden_size=4)
    inputs = [
        helper.make_tensor_value_info("X", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, shape[1:2]),
    ]
    outputs = [helper.make_tensor_value_info("last", TensorProto.FLOAT, [None] * 3)]
    made = helper.make_model(
        helper.make_graph([node], "g", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", 14)],
        ir_version=8,
    )
    onnx.checker.check_model(made)
    return made


def by_onnxruntime(made, feed):
    return onnxruntime.InferenceSession(made.SerializeToString()).run(None, feed)[0]


def by_openvino(made, feed):
    with open("model.onnx", "wb") as file:
        file.write(made.SerializeToString())
    compiled = openvino.Core().compile_model("model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(feed)[0]


def by_reference(made, feed):
    return ReferenceEvaluator(made).run(None, feed)[0]


def off(kind, shape, runtime):
    """How far the short sequence of the batch is from the same sequence alone, without padding."""
    state = random.bit_generator.state
    padded, alone = model(kind, shape), None
    random.bit_generator.state = state
    alone = by_onnxruntime(model(kind, ["steps", "batch", 3]), {"X": x[:2, 1:], "lengths": lengths[1:]})
    return float(abs(runtime(padded, {"X": x, "lengths": lengths})[0, 1] - alone[0, 0]).max())


for kind in gates:
    for shape in (["steps", "batch", 3], [6, 2, 3]):
        found = {f.__name__: off(kind, shape, f) for f in (by_onnxruntime, by_openvino, by_reference)}
        print(kind, "dynamic" if shape[0] == "steps" else "fixed  ", {k: round(v, 4) for k, v in found.items()})
        assert found["by_onnxruntime"] < 1e-5
        assert found["by_reference"] > 0.05
        assert (found["by_openvino"] > 0.05) == (shape[0] == "steps")
EOF
