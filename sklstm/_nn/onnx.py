"""Fitted networks as ONNX models, which predict without sklstm and torch."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sklstm._nn.ensemble import NetworkEnsemble, networks_of
from sklstm._nn.heads import Head
from sklstm._nn.inits import Init
from sklstm._nn.network import SequenceNetwork
from sklstm._nn.scaling import InputScaling

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ImportError("to_onnx needs the package onnx: pip install 'sklstm[onnx]'.") from error

__all__ = ["Operations", "export", "make_model"]

OPSET, IR_VERSION = 17, 8  # those of ONNX 1.12, so that older runtimes read them too


def export(
    network: SequenceNetwork | NetworkEnsemble,
    scaling: InputScaling,
    head: Head,
    init: Init | None,
    blending_weight: np.ndarray | None,
    path: Any,
    facts: dict[str, Any],
) -> None:
    """Write a fitted network as an ONNX model.

    Parameters
    ----------
    network : SequenceNetwork or NetworkEnsemble
        The network, which torch may have compiled.
    scaling : InputScaling
        The input scaling.
    head : Head
        The head, which turns outputs into predictions.
    init : Init or None
        The init estimator, whose predictions the outputs are added to.
    blending_weight : ndarray of shape (n_outputs,), or None
        Factor of the outputs of the network.
    path : str or path-like
        The file; an existing one is replaced atomically.
    facts : dict of str to list
        Metadata such as the names of the features, stored as JSON.

    Raises
    ------
    ValueError
        If the labels are neither texts nor numbers, or the init estimator is one of scikit-learn.
    OSError
        If the file cannot be written.
    """
    model = make_model(network, scaling, head, init, blending_weight)
    helper.set_model_props(
        model, {name: json.dumps(fact, ensure_ascii=False) for name, fact in facts.items()}
    )
    onnx.checker.check_model(model, full_check=True)  # types and shapes too, like runtimes
    _write(model.SerializeToString(), Path(path))


def make_model(
    network: SequenceNetwork | NetworkEnsemble,
    scaling: InputScaling,
    head: Head,
    init: Init | None,
    blending_weight: np.ndarray | None,
) -> onnx.ModelProto:
    """Make the ONNX model of a fitted network.

    Parameters
    ----------
    network : SequenceNetwork or NetworkEnsemble
        The network.
    scaling : InputScaling
        The input scaling.
    head : Head
        The head, which turns outputs into predictions.
    init : Init or None
        The init estimator, whose predictions the outputs are added to.
    blending_weight : ndarray of shape (n_outputs,), or None
        Factor of the outputs of the network.

    Returns
    -------
    onnx.ModelProto
        Scaling, init, network, and the way back to units or labels.
    """
    op = Operations()
    inputs, steps = scaling.to_onnx(op)
    op.input("lengths", "int64", ["batch"], "Number of steps of each sequence.")
    networks: list[Any] = networks_of(network)
    parts = [_network(op, one, inputs) for one in networks]
    if len(parts) > 1:
        shares: Any = network.shares
        parts = [op("Mul", *pair) for pair in zip(parts, shares, strict=True)]
    outputs = op("Sum", *parts)
    per_step = networks[0].pooling is None
    if init is not None:
        predicted = op("MatMul", init.to_onnx(op, steps, per_step), head.init_map)
        outputs = op.cast(outputs, "double")
        if blending_weight is not None:
            outputs = op("Mul", outputs, blending_weight)
        outputs = op("Add", predicted, outputs)
    head.to_onnx(op, outputs, ["batch", "n_steps"] if per_step else ["batch"])
    graph = helper.make_graph(op.nodes, "sklstm", op.inputs, op.outputs, op.constants)
    return helper.make_model(
        graph,
        producer_name="sklstm",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


class Operations:
    """Nodes of a graph: each call appends one and returns the name of its result.

    Arrays among the inputs become constants, and tensors constants in single precision.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        In the order of the calls.
    constants : list of onnx.TensorProto
        Constants of the nodes.
    inputs, outputs : list of onnx.ValueInfoProto
        Inputs and outputs of the model.

    Examples
    --------
    >>> import numpy as np
    >>> op = Operations()
    >>> op("Tanh", op("Add", "x", np.ones(3)))
    'Tanh_1'
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def __call__(
        self, kind: str, *inputs: Any, names: list[str] | None = None, **attributes: Any
    ) -> Any:
        """Append a node and return the name of its result, or the `names` of several."""
        names = names or [f"{kind}_{len(self.nodes)}"]
        sources = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        self.nodes.append(helper.make_node(kind, sources, names, **attributes))
        return names if len(names) > 1 else names[0]

    def input(self, name: str, kind: str, shape: list, doc: str) -> str:
        """Declare an input of the model and return its name."""
        self.inputs.append(helper.make_tensor_value_info(name, _kind(kind), shape, doc))
        return name

    def output(self, name: str, kind: Any, shape: list) -> None:
        """Declare a result of the model: one of the names of its nodes."""
        self.outputs.append(helper.make_tensor_value_info(name, _kind(kind), shape))

    def cast(self, x: str, kind: str) -> str:
        """Append a cast and return the name of its result."""
        return self("Cast", x, to=_kind(kind))

    def scan(
        self,
        body: str,
        init: Sequence[str],
        steps: Sequence[str],
        names: Sequence[str],
    ) -> list[str]:
        """Append a loop over the first axis of `steps`; return its outputs of every step.

        `names` are those of the last states, as many as `init`, and of these outputs.
        """
        results = self.names(*names)
        self(
            "Scan",
            *init,
            *steps,
            names=results,
            body=onnx.parser.parse_graph(body),
            num_scan_inputs=len(steps),
        )
        return results[len(init) :]

    def names(self, *names: str) -> list[str]:
        """Names of the results of the next node, which no other node has."""
        return [f"{name}_{len(self.nodes)}" for name in names]

    def _constant(self, array: Any) -> str:
        name = f"constant_{len(self.constants)}"
        if isinstance(array, torch.Tensor):
            array = array.numpy(force=True).astype(np.float32)
        array = np.asarray(array)
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def _network(op: Operations, network: SequenceNetwork, inputs: str) -> str:
    """The nodes of `SequenceNetwork`; the first axis of the result is the batch, then steps."""
    n_steps = op("Squeeze", op("Shape", inputs, start=1, end=2))
    lengths = _checked_lengths(op, n_steps)
    positions = op("Unsqueeze", op("Range", np.int64(0), n_steps, np.int64(1)), np.array([1]))
    inside = op("Unsqueeze", op("Less", positions, lengths), np.array([2]))
    if network.embedding is not None:
        inputs = op("Gather", network.embedding.weight, inputs)
    if network.categories is not None:
        inputs = network.categories.to_onnx(op, inputs)
    steps = op("Transpose", inputs, perm=[1, 0, 2])
    steps = op("Where", inside, steps, np.float32(0))  # padding may have any values
    outputs = network.recurrent.to_onnx(op, steps, lengths)
    head = network.head.weight.T, network.head.bias
    pooling: Any = network.pooling
    if pooling is None:
        outputs = op("Transpose", outputs, perm=[1, 0, 2])
        return op("Add", op("MatMul", outputs, head[0]), head[1])
    pooled = pooling.to_onnx(op, outputs, inside)
    some = op("Unsqueeze", op("Greater", "lengths", np.int64(0)), np.array([1]))
    pooled = op("Where", some, pooled, np.float32(0))  # an empty sequence has no outputs
    return op("Add", op("MatMul", pooled, head[0]), head[1])


def _checked_lengths(op: Operations, n_steps: str) -> str:
    """The lengths, looked up among those that are possible: others end in an error."""
    beyond = op("Add", n_steps, np.int64(1))
    index = op("Where", op("Less", "lengths", np.int64(0)), beyond, "lengths")
    return op("Gather", op("Range", np.int64(0), beyond, np.int64(1)), index)


def _kind(kind: Any) -> int:
    """ONNX's number of a data type, given by NumPy or by name."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(kind))


def _write(content: bytes, path: Path) -> None:
    """Replace the file atomically: it is never incomplete."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError as error:
        if draft.is_file():
            draft.unlink()
        raise type(error)(f"path={os.fspath(path)!r} cannot be written: {error}") from error
