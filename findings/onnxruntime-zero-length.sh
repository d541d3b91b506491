#!/usr/bin/env bash
# Guess: a sequence of length 0 leaves the state as it was: Y_h is initial_h, Y_c is initial_c.
# What happens: LSTM, GRU and RNN return zeros for that row, whatever initial state it was given; rows with steps do start from theirs.
# Why it matters: a stream that gets no new rows in a batch loses its state; who carries states by sequence_lens must keep those rows' states aside.
# Seen on: 2026-11-30, onnx 1.23.2, onnxruntime 1.31.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
random = np.random.default_rng(0)
gates = {"LSTM": 4, "GRU": 3, "RNN": 1}


def session(kind, features=3, hidden=4):
    shapes = {"W": (1, gates[kind] * hidden, features), "R": (1, gates[kind] * hidden, hidden)}
    weights = [numpy_helper.from_array(random.normal(size=shape).astype("float32"), name) for name, shape in shapes.items()]
    states = ["h0", "c0"] if kind == "LSTM" else ["h0"]
    outputs = ["Y", "Y_h", "Y_c"] if kind == "LSTM" else ["Y", "Y_h"]
    node = helper.make_node(kind, ["X", "W", "R", "", "lengths", *states], outputs, hidden_size=hidden)
    inputs = [
        helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, None, features]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, [None]),
        *[helper.make_tensor_value_info(state, TensorProto.FLOAT, [1, None, hidden]) for state in states],
    ]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info(o, TensorProto.FLOAT, [None] * (4 if o == "Y" else 3)) for o in outputs], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString())


x = random.normal(size=(5, 2, 3)).astype("float32")
for kind in gates:
    run = session(kind)
    feed = {"X": x, "lengths": np.array([0, 3], "int32")}
    half = {i.name: np.full((1, 2, 4), 0.5, "float32") for i in run.get_inputs() if i.name in ("h0", "c0")}
    zero = {name: np.zeros_like(value) for name, value in half.items()}
    from_half, from_zero = run.run(None, feed | half), run.run(None, feed | zero)
    for name, state in zip(("Y_h", "Y_c"), from_half[1:], strict=False):
        print(kind, name, "of the row of length 0, initial state 0.5:", state[0, 0])
        assert (state[0, 0] == 0).all()
    assert abs(from_half[1][0, 1] - from_zero[1][0, 1]).max() > 1e-3  # the other row uses its initial state
EOF
