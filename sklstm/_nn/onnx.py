"""Fitted networks as ONNX models, which predict without sklstm and without torch."""

import json
import os
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier

from sklstm._nn.network import SequenceNetwork

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise ImportError("to_onnx needs the package onnx: pip install 'sklstm[onnx]'.") from error

__all__ = ["export"]

OPSET, IR_VERSION = 17, 8  # those of ONNX 1.12, so that older runtimes read them too
GATES = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn": [0]}
"""The gates in the order of ONNX, by their places in torch: i, o, f, c; z, r, h."""

LAST_SEEN = """
    last_seen (double[batch, n_features] seen_before, double[batch, n_features] age_before,
               double[batch, n_features] value)
    => (double[batch, n_features] seen, double[batch, n_features] age,
        double[batch, n_features] filled, double[batch, n_features] since)
    {
        missing = IsNaN (value)
        none = Constant <value = double {0.0}> ()
        one = Constant <value = double {1.0}> ()
        older = Add (age_before, one)
        seen = Where (missing, seen_before, value)
        age = Where (missing, older, none)
        filled = Identity (seen)
        since = Identity (age)
    }
"""
"""What `fill_missing` does, from one step to the next."""


def export(estimator, path):
    """Write a fitted estimator as an ONNX model.

    Parameters
    ----------
    estimator : LSTMRegressor or LSTMClassifier
        Fitted; its method `to_onnx` tells the inputs and outputs of the model.
    path : str or path-like
        The file, which is replaced in one step if there is one.

    Raises
    ------
    ValueError
        If the network is not that of sklstm, or the labels are neither texts nor numbers.
    OSError
        If the file cannot be written.
    """
    model = make_model(estimator)
    onnx.checker.check_model(model)
    _write(model.SerializeToString(), Path(path))


def make_model(estimator):
    """Make the ONNX model of a fitted estimator.

    Parameters
    ----------
    estimator : LSTMRegressor or LSTMClassifier
        Fitted.

    Returns
    -------
    onnx.ModelProto
        Standardisation, network, and the way back to units or labels.
    """
    net = estimator.net_
    if net.module is not SequenceNetwork:
        raise ValueError(
            f"The network is a {net.module.__name__}, which skorch_params brought; to_onnx knows "
            "only that of sklstm. torch.onnx.export may be able to write net_.module_."
        )
    params = net.get_params_for("module")
    weights = {
        name.removeprefix("_orig_mod."): w.numpy(force=True).astype(np.float32)
        for name, w in net.module_.state_dict().items()  # the prefix comes from torch.compile
    }
    op = Operations()
    read = _read_tokens if "embedding.weight" in weights else _read_features
    source, steps = read(op, estimator, weights)
    answer = _network(op, weights, params, steps)
    axes = ["batch"] if params["pooling"] else ["batch", "n_steps"]
    results = (_labels if is_classifier(estimator) else _targets)(op, estimator, answer, axes)
    lengths = helper.make_tensor_value_info(
        "lengths", TensorProto.INT64, ["batch"], "Number of steps of each sequence."
    )
    graph = helper.make_graph(
        op.nodes, type(estimator).__name__, [source, lengths], results, op.constants
    )
    model = helper.make_model(
        graph,
        producer_name="sklstm",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, _facts(estimator))
    return model


class Operations:
    """Nodes of a graph: each call appends one and gives the name of its result.

    Arrays among the inputs become constants.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        In the order of the calls.
    constants : list of onnx.TensorProto
        What the nodes need.

    Examples
    --------
    >>> import numpy as np
    >>> op = Operations()
    >>> op("Tanh", op("Add", "x", np.ones(3)))
    'Tanh_1'
    """

    def __init__(self):
        self.nodes, self.constants = [], []

    def __call__(self, kind, *inputs, names=None, **attributes):
        """Append a node and give the name of its result, or the `names` if there are several."""
        names = names or [f"{kind}_{len(self.nodes)}"]
        inputs = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names if len(names) > 1 else names[0]

    def _constant(self, array):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name


def _read_tokens(op, estimator, weights):
    """The input of the model, and the vectors of its tokens; an unknown one is token 0."""
    vectors = weights["embedding.weight"]
    source = helper.make_tensor_value_info(
        "tokens", TensorProto.INT64, ["batch", "n_steps"], "Tokens of each sequence."
    )
    known = op(
        "And",
        op("GreaterOrEqual", "tokens", np.int64(0)),
        op("Less", "tokens", np.int64(len(vectors))),
    )
    return source, op("Gather", vectors, op("Where", known, "tokens", np.int64(0)))


def _read_features(op, estimator, weights):
    """The input of the model, and its standardised steps."""
    n_features = estimator.n_features_in_
    source = helper.make_tensor_value_info(
        "steps",
        TensorProto.DOUBLE,
        ["batch", "n_steps", n_features],
        "Features of each step of each sequence, in their own units.",
    )
    if estimator.missing == "error":
        return source, _standardized(op, estimator, "steps")
    shape = op("Concat", op("Shape", "steps", end=1), np.int64([n_features]), axis=0)
    _, _, filled, since = op(
        "Scan",
        op("Expand", estimator.feature_median_, shape),
        op("Expand", np.float64(0), shape),
        "steps",
        names=["seen", "age", "filled", "since"],
        body=onnx.parser.parse_graph(LAST_SEEN),
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[1, 1],
    )
    channels = [
        _standardized(op, estimator, filled),
        _cast(op, op("IsNaN", "steps"), TensorProto.FLOAT),
        _cast(op, op("Log", op("Add", since, np.float64(1))), TensorProto.FLOAT),
    ]
    return source, op("Concat", *channels, axis=2)


def _standardized(op, estimator, steps):
    centred = op("Sub", steps, estimator.feature_mean_)
    return _cast(op, op("Div", centred, estimator.feature_scale_), TensorProto.FLOAT)


def _network(op, weights, params, steps):
    """What `SequenceNetwork` does, its result first by sequence, then by step."""
    n_steps = op("Squeeze", op("Shape", steps, start=1, end=2))
    positions = op("Unsqueeze", op("Range", np.int64(0), n_steps, np.int64(1)), np.int64([1]))
    inside = op("Unsqueeze", op("Less", positions, "lengths"), np.int64([2]))
    steps = op("Transpose", steps, perm=[1, 0, 2])
    steps = op("Where", inside, steps, np.float32(0))  # whatever stands behind the end
    outputs, last = _recurrent(op, weights, params, steps)
    head = weights["head.weight"].T, weights["head.bias"]
    if params["pooling"] is None:
        outputs = op("Transpose", outputs, perm=[1, 0, 2])
        return op("Add", op("MatMul", outputs, head[0]), head[1])
    pooled = _pooled(op, weights, params["pooling"], outputs, last, inside)
    some = op("Unsqueeze", op("Greater", "lengths", np.int64(0)), np.int64([1]))
    pooled = op("Where", some, pooled, np.float32(0))  # an empty sequence says nothing
    return op("Add", op("MatMul", pooled, head[0]), head[1])


def _recurrent(op, weights, params, steps):
    """Outputs of every step, and those that are the last ones in each direction."""
    cell = params["cell"]
    directions = ["", "_reverse"] if params["bidirectional"] else [""]
    settings = {
        "hidden_size": params["hidden_size"],
        "direction": "bidirectional" if params["bidirectional"] else "forward",
    }
    if cell == "gru":
        settings["linear_before_reset"] = 1
    width = len(directions) * params["hidden_size"]
    lengths = _cast(op, "lengths", TensorProto.INT32)
    for layer in range(params["num_layers"]):
        kernels = [
            np.stack([_gates(weights[f"recurrent.{kind}_l{layer}{d}"], cell) for d in directions])
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        outputs, last = op(
            cell.upper(),
            steps,
            *kernels[:2],
            np.concatenate(kernels[2:], axis=1),
            lengths,
            names=[f"outputs_{layer}", f"last_{layer}"],
            **settings,
        )
        outputs = op("Transpose", outputs, perm=[0, 2, 1, 3])
        steps = op("Reshape", outputs, np.int64([0, 0, width]))
    last = op("Transpose", last, perm=[1, 0, 2])
    return steps, op("Reshape", last, np.int64([0, width]))


def _gates(weight, cell):
    """Weights of a direction with the gates in the order of ONNX."""
    gates = np.split(weight, len(GATES[cell]))
    return np.concatenate([gates[place] for place in GATES[cell]])


def _pooled(op, weights, pooling, outputs, last, inside):
    """One vector for each sequence; anything for an empty one."""
    if pooling == "last":
        return last
    if pooling == "max":
        outside = np.float32(-np.inf)
        return op("ReduceMax", op("Where", inside, outputs, outside), axes=[0], keepdims=0)
    if pooling == "mean":
        inside = _cast(op, inside, TensorProto.FLOAT)
        share = op("Div", inside, op("ReduceSum", inside, np.int64([0])))
    else:
        scores = op("MatMul", op("Tanh", outputs), weights["pooling.score.weight"].T)
        share = op("Softmax", op("Where", inside, scores, np.float32(-np.inf)), axis=0)
    return op("ReduceSum", op("Mul", share, outputs), np.int64([0]), keepdims=0)


def _targets(op, regressor, answer, axes):
    """The prediction, in the units of y and in its shape."""
    columns = [regressor.n_outputs_] if regressor._target_ndim > 1 else []
    answer = op("Mul", _cast(op, answer, TensorProto.DOUBLE), regressor.target_scale_)
    answer = op("Add", answer, regressor.target_mean_)
    op("Reshape", answer, np.int64([0] * len(axes) + columns), names=["prediction"])
    return [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, axes + columns)]


def _labels(op, classifier, answer, axes):
    """The label, as y had it, and the probabilities of all labels."""
    labels = np.array(classifier.classes_.tolist())
    if labels.dtype.kind not in "biufU":
        raise ValueError(
            f"The labels are of the type {type(classifier.classes_[0]).__name__}; ONNX knows texts "
            "and numbers only."
        )
    exact = _cast(op, answer, TensorProto.DOUBLE)
    if classifier._several_labels:
        op("Sigmoid", exact, names=["probabilities"])
        op("Cast", op("Greater", answer, np.float32(0)), names=["label"], to=TensorProto.INT64)
        label = helper.make_tensor_value_info("label", TensorProto.INT64, [*axes, len(labels)])
    else:
        op("Softmax", exact, axis=-1, names=["probabilities"])
        labels = labels.astype(object) if labels.dtype.kind == "U" else labels
        op("Gather", labels, op("ArgMax", answer, axis=-1, keepdims=0), names=["label"])
        kind = helper.np_dtype_to_tensor_dtype(labels.dtype)
        label = helper.make_tensor_value_info("label", kind, axes)
    probabilities = [*axes, len(labels)]
    return [
        label,
        helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, probabilities),
    ]


def _cast(op, x, kind):
    return op("Cast", x, to=kind)


def _facts(estimator):
    """What the numbers mean, as texts of JSON."""
    facts = {
        "feature_names": getattr(estimator, "feature_names_in_", None),
        "classes": getattr(estimator, "classes_", None),
    }
    return {
        name: json.dumps(value.tolist(), ensure_ascii=False)
        for name, value in facts.items()
        if value is not None
    }


def _write(content, path):
    """Replace the file in one step: at any time it is a whole one, or none."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError as error:
        if draft.is_file():
            draft.unlink()
        raise type(error)(f"path={os.fspath(path)!r} cannot be written: {error}") from error
