"""An init estimator of whole independent sequences: random convolutions and a ridge."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sklstm._data.sequences import Sequences
from sklstm._nn.column_ridge import ColumnRidge
from sklstm._nn.convolutions import REACH, Convolutions
from sklstm._nn.filled_steps import Units

__all__ = ["ConvolutionInit"]

MANY_COLUMNS, FEW_COLUMNS = 84 * 119, 84 * 29
"""Columns for up to `FEW` training sequences, about the 10,000 of the paper, and for more: the
smaller one of the numbers of columns and sequences is the size of an eigendecomposition."""

FEW = 2_500


@dataclass(frozen=True, repr=False)
class ConvolutionInit(Convolutions, ColumnRidge):
    """A ridge of random convolutions of whole sequences."""

    @classmethod
    def drawn(
        cls, sequences: Sequences, units: Units, random: np.random.RandomState
    ) -> Convolutions:
        """Draw convolutions."""
        n_columns = MANY_COLUMNS if len(sequences) <= FEW else FEW_COLUMNS
        return Convolutions.draw(sequences, units, n_columns, random)

    def compute(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, per_step: bool = False
    ) -> torch.Tensor:
        """Predict log-odds; they have no gradient, as shares of positions change in jumps."""
        return super().compute(steps.detach(), lengths)

    def attribute(
        self,
        steps: torch.Tensor,
        baseline: torch.Tensor,
        lengths: torch.Tensor | None,
        of: torch.Tensor,
    ) -> torch.Tensor:
        """Attribute each jump to the values that move its output across the bias.

        On the straight way from the baseline an output of a kernel is linear, so that it crosses a
        bias at most once: the integrated gradients of a jump are shares of the change of this
        output (the rescale rule of Shrikumar, Greenside and Kundaje, "Learning Important Features
        Through Propagating Activation Differences", ICML 2017).
        """
        if not self.slope:
            return torch.zeros_like(steps)
        steps = steps.detach().requires_grad_()
        here, sizes = self.prepared(steps, lengths)
        there = self.prepared(baseline, lengths)[0]
        coef = torch.tensor(self.coef, device=steps.device) @ of.float().T
        coef = coef.view(*self.biases.shape, len(steps)).permute(0, 2, 1)[..., None]
        total = torch.zeros((), device=steps.device)
        for d in range(len(self.dilations)):
            outputs = self._outputs(here, d)
            with torch.no_grad():
                slopes = self._slopes(outputs, self._outputs(there, d), d, coef)
                weights = self._weights_of_halves(sizes, outputs.shape[2], d)
                weights = weights.repeat_interleave(outputs.shape[1] // 2, dim=1)
            total = total + (outputs * slopes * weights).sum()
        return torch.autograd.grad(total, steps)[0] * (steps.detach() - baseline)

    def _slopes(
        self, outputs: torch.Tensor, before: torch.Tensor, d: int, coef: torch.Tensor
    ) -> torch.Tensor:
        """Change of the weighted shares above all biases of a dilation, by change of the output."""
        jumps = torch.zeros_like(outputs)
        for k in np.flatnonzero(self.dilation_of == d):
            bias = torch.tensor(self.biases[k], device=outputs.device)[:, None]
            jumps += ((outputs > bias).float() - (before > bias).float()) * coef[k]
        return torch.where(jumps == 0, 0.0, jumps / (outputs - before))

    def columns_in_onnx(self, op: Any, steps: str) -> str:
        """Convolve, and count positions above biases."""
        n_steps = op("Squeeze", op("Shape", steps, start=1, end=2))
        place = op("Unsqueeze", op("Range", np.int64(0), n_steps, np.int64(1)), np.array([0]))
        lengths = op("Unsqueeze", "lengths", np.array([1]))
        whole = op("Less", place, lengths)
        steps = op.cast(steps, "float32")
        steps = op("Where", op("Unsqueeze", whole, np.array([2])), steps, np.float32(0))
        steps = op("Transpose", steps, perm=[0, 2, 1])
        shares = []
        for d, dilation in enumerate(self.dilations.tolist()):
            margin = REACH * dilation
            outputs = op(
                "Conv", steps, self.weights(d), dilations=[dilation], pads=[margin, margin]
            )
            above = op(
                "Greater",
                op("Unsqueeze", outputs, np.array([1])),
                self.biases[self.dilation_of == d][..., None],
            )
            above = op.cast(above, "float32")
            inside = _inside_in_onnx(op, place, lengths, whole, margin)
            halves = [inside, whole] if d % 2 else [whole, inside]
            shares.append(_shares_in_onnx(op, above, halves))
        columns = op("Concat", *shares, axis=1) if len(shares) > 1 else shares[0]
        flat: str = op("Reshape", columns, np.array([0, self.n_columns]))
        return flat


def _inside_in_onnx(op: Any, place: str, lengths: str, whole: str, margin: int) -> str:
    """Positions inside of the margins, or all of a sequence that has no inside."""
    last = op("Sub", lengths, np.int64(margin))
    inside = op("And", op("GreaterOrEqual", place, np.int64(margin)), op("Less", place, last))
    is_short = op("LessOrEqual", lengths, np.int64(2 * margin))
    return op("Or", inside, op("And", is_short, whole))


def _shares_in_onnx(op: Any, above: str, halves: list[str]) -> str:
    """Means of (batch, n_biases, 84, n_steps) over the positions of each half of the kernels."""
    shares = []
    for half, positions in zip(
        op("Split", above, axis=2, names=[f"{above}_{k}" for k in (0, 1)]), halves, strict=True
    ):
        weights = op.cast(positions, "float32")
        total = op("Max", op("ReduceSum", weights, np.array([1])), np.float32(1))
        weights = op("Unsqueeze", op("Div", weights, total), np.array([1, 3]))
        shares.append(op("Squeeze", op("MatMul", half, weights), np.array([3])))
    return op("Concat", *shares, axis=2)
