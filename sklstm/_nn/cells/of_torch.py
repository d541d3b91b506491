"""The cells of torch: a batch of sequences is one call of its recurrent functions."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

from sklstm._nn.cells.layers import RecurrentLayers

__all__ = ["GRU", "LSTM", "RNN", "TorchLayers"]


class TorchLayers(RecurrentLayers, nn.RNNBase):
    """Layers of one of torch's recurrent modules, without its checks of each batch."""

    function: Callable
    """What the module calls, such as `torch.lstm`."""

    onnx_gates: Sequence[int]
    """Positions in torch of the gates in the order of ONNX."""

    onnx_settings: dict[str, Any] = {}
    """Attributes of the node of ONNX."""

    def run(self, steps: torch.Tensor, layers: range, directions: range) -> torch.Tensor:
        """Run some layers in one call."""
        return self.run_with(self.all_weights, steps, layers, directions)

    def run_with(
        self, every: list[list[Any]], steps: torch.Tensor, layers: range, directions: range
    ) -> torch.Tensor:
        """Run some layers with the weights of all, which may be wider than these layers."""
        n_directions = 2 if self.bidirectional else 1
        weights = [every[layer * n_directions + way] for layer in layers for way in directions]
        some = len(weights) < len(every)
        if steps.dtype != weights[0][0].dtype or (some and steps.device.type != "cpu"):
            weights = _in_one_block(weights, steps.dtype)
        zeros = steps.new_zeros(len(weights), steps.shape[1], weights[0][1].shape[1])
        return type(self).function(
            steps,
            self.initial_state(zeros),
            list(chain.from_iterable(weights)),
            True,
            len(layers),
            0.0,
            torch.is_grad_enabled(),  # whether to keep what gradients need; there is no dropout
            len(directions) == 2,
            False,
        )[0]

    def initial_state(self, zeros: torch.Tensor) -> Any:
        """The state before the first step, of zeros."""
        return zeros

    def layer_in_onnx(self, op: Any, steps: str, layer: int, direction: int) -> str:
        """Append the node of a layer; without `sequence_lens`, which not all runtimes read."""
        suffix = f"l{layer}" + ("_reverse" if direction else "")
        kernels = [
            self._gates(f"{kind}_{suffix}")[None]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        bias = torch.cat(kernels[2:], dim=1)
        settings = {"hidden_size": self.hidden_size, **self.onnx_settings}
        outputs = op(type(self).__name__, steps, *kernels[:2], bias, **settings)
        return op("Squeeze", outputs, np.array([1]))

    def _gates(self, name: str) -> torch.Tensor:
        """Weights of a direction with the gates in the order of ONNX."""
        gates = getattr(self, name).chunk(len(self.onnx_gates))
        return torch.cat([gates[place] for place in self.onnx_gates])


class LSTM(TorchLayers, nn.LSTM):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000)."""

    trained_in_parts = True
    function = torch.lstm
    onnx_gates = 0, 3, 1, 2  # i, o, f, c

    def initial_state(self, zeros: torch.Tensor) -> Any:
        """Output and cell state."""
        return zeros, zeros


class GRU(TorchLayers, nn.GRU):
    """Gated recurrent unit (Cho et al. 2014)."""

    function = torch.gru
    onnx_gates = 1, 0, 2  # z, r, h
    onnx_settings = {"linear_before_reset": 1}


class RNN(TorchLayers, nn.RNN):
    """Simple recurrent network with tanh (Elman 1990)."""

    function = torch.rnn_tanh
    onnx_gates = (0,)


def _in_one_block(
    weights: Sequence[Sequence[torch.Tensor]], dtype: torch.dtype
) -> list[list[torch.Tensor]]:
    """The weights as views of one tensor, in the layout of cuDNN: all matrices, then all biases.

    torch copies weights in any other layout at every call, with a warning.
    """
    in_order = [w for one in weights for w in one[:2]] + [w for one in weights for w in one[2:]]
    block = torch.cat([weight.flatten() for weight in in_order]).to(dtype)
    parts = block.split([weight.numel() for weight in in_order])
    views = [part.view_as(weight) for part, weight in zip(parts, in_order, strict=True)]
    n = 2 * len(weights)
    return [[*views[i : i + 2], *views[n + i : n + i + 2]] for i in range(0, n, 2)]
