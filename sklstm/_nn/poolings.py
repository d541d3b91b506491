"""Poolings over the steps of each sequence, of any outputs of recurrent layers."""

from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["POOLINGS", "MaxPooling", "inside", "outputs_at"]


class LastPooling(nn.Module):
    """The output after the last step; of the backward direction that after the first step.

    Shape
    -----
    - outputs: ``(n_steps, n_sequences, width)``
    - lengths: ``(n_sequences,)``, at least 1, or None for ``n_steps``
    - output: ``(n_sequences, width)``
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()
        self.bidirectional = bidirectional

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Pick the outputs."""
        if lengths is None:
            last = outputs[-1]
        else:
            columns = torch.arange(outputs.shape[1], device=outputs.device)
            last = outputs_at(outputs, lengths, columns)
        if not self.bidirectional:
            return last
        half = outputs.shape[2] // 2
        return torch.cat([last[:, :half], outputs[0, :, half:]], dim=1)

    def to_onnx(self, op: Any, outputs: str, inside: str) -> str:
        """Append nodes of ONNX; `inside` names which steps belong to a sequence."""
        last = op("Sub", op("ReduceSum", op.cast(inside, "int64"), np.array([0])), np.int64(1))
        place = op("Max", last, np.int64(0))  # an empty sequence has no last step
        by_sequence = op("Transpose", outputs, perm=[1, 0, 2])
        last = op("GatherND", by_sequence, op("Squeeze", place, np.array([0])), batch_dims=1)
        if not self.bidirectional:
            return last
        forth, _ = op("Split", last, axis=1, names=op.names("forth", "unused"))
        first = op("Gather", outputs, np.int64(0), axis=0)
        _, back = op("Split", first, axis=1, names=op.names("unused", "back"))
        return op("Concat", forth, back, axis=1)


class MeanPooling(nn.Module):
    """The mean over the steps of each sequence.

    Shape
    -----
    As :class:`LastPooling`.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Average over the steps."""
        if lengths is None:
            return outputs.mean(0)
        return (outputs * inside(outputs, lengths)).sum(0) / lengths[:, None]

    def to_onnx(self, op: Any, outputs: str, inside: str) -> str:
        """Append nodes of ONNX; `inside` names which steps belong to a sequence."""
        inside = op.cast(inside, "float32")
        share = op("Div", inside, op("ReduceSum", inside, np.array([0])))
        return op("ReduceSum", op("Mul", share, outputs), np.array([0]), keepdims=0)


class MaxPooling(nn.Module):
    """The maximum over the steps of each sequence, unit by unit.

    Shape
    -----
    As :class:`LastPooling`.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Take the maximum over the steps."""
        if lengths is None:
            return outputs.amax(0)
        return outputs.masked_fill(~inside(outputs, lengths), -torch.inf).amax(0)

    def to_onnx(self, op: Any, outputs: str, inside: str) -> str:
        """Append nodes of ONNX; `inside` names which steps belong to a sequence."""
        outputs = op("Where", inside, outputs, np.float32(-np.inf))
        return op("ReduceMax", outputs, axes=[0], keepdims=0)


class AttentionPooling(nn.Module):
    """A learned weighted mean: weights ``softmax(w . tanh(h_t))`` over the steps.

    From equations 9 to 11 of Zhou et al., "Attention-Based Bidirectional Long Short-Term Memory
    Networks for Relation Classification", ACL 2016.

    Shape
    -----
    As :class:`LastPooling`.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Average over the steps with learned weights."""
        scores = self.score(torch.tanh(outputs))
        if lengths is not None:
            scores = scores.masked_fill(~inside(outputs, lengths), -torch.inf)
        return (torch.softmax(scores, 0) * outputs).sum(0)

    def to_onnx(self, op: Any, outputs: str, inside: str) -> str:
        """Append nodes of ONNX; `inside` names which steps belong to a sequence."""
        scores = op("MatMul", op("Tanh", outputs), self.score.weight.T)
        share = op("Softmax", op("Where", inside, scores, np.float32(-np.inf)), axis=0)
        return op("ReduceSum", op("Mul", share, outputs), np.array([0]), keepdims=0)


def outputs_at(outputs: torch.Tensor, lengths: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Pick outputs after the steps of `lengths`, each in its own column.

    Parameters
    ----------
    outputs : Tensor of shape (n_steps, n_columns, width)
        Outputs of every step.
    lengths, columns : Tensor of shape (n_rows,)
        Number of steps, at least 1, and column of each row.

    Returns
    -------
    Tensor of shape (n_rows, width)
        For each row.
    """
    return outputs.flatten(0, 1).index_select(0, (lengths - 1) * outputs.shape[1] + columns)


def inside(outputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """True at the steps of a sequence, False after its end: (n_steps, n_sequences, 1)."""
    steps = torch.arange(len(outputs), device=outputs.device)
    return (steps[:, None] < lengths)[..., None]


POOLINGS = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "attention": AttentionPooling,
}
