"""Recurrent layers of several networks as wide layers, computed in one call."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from math import prod

import torch

from sklstm._nn.cells.layers import RecurrentLayers
from sklstm._nn.cells.of_torch import TorchLayers

__all__ = ["JoinedLayers", "can_join"]


class JoinedLayers(RecurrentLayers):
    """Equal layers of several networks side by side, whose weights between networks are zero.

    The time of a small layer is that of its calls, not of its operations, so that the zeros cost
    little. Made for each batch, from the weights as they are.

    Parameters
    ----------
    parts : sequence of TorchLayers
        Of each network.
    """

    def __init__(self, parts: Sequence[TorchLayers]):
        super().__init__()
        self.first = parts[0]
        self.num_layers, self.bidirectional = self.first.num_layers, self.first.bidirectional
        self.dropout, self.training = self.first.dropout, self.first.training
        n_directions = 2 if self.bidirectional else 1
        self.weights = [
            _join(weights, 0 if place < n_directions else n_directions)
            for place, weights in enumerate(zip(*(part.all_weights for part in parts), strict=True))
        ]

    def run(self, steps: torch.Tensor, layers: range, directions: range) -> torch.Tensor:
        """Run some layers in one call; outputs are those of each direction, network by network."""
        return self.first.run_with(self.weights, steps, layers, directions)


def can_join(parts: Sequence[RecurrentLayers], steps: torch.Tensor) -> bool:
    """Whether the layers are those of torch, and compute on a CPU."""
    return steps.device.type == "cpu" and isinstance(parts[0], TorchLayers)


def _join(parts: Sequence[list[torch.Tensor]], n_directions: int) -> list[torch.Tensor]:
    """Weights of a layer and direction of all networks as those of a wide one.

    In the first layer, without `n_directions`, all networks read the same inputs.
    """
    zero = parts[0][0].new_zeros(1)
    flat = torch.cat([zero, *(weight.flatten() for weight in chain(*parts))])
    shapes = tuple(tuple(weight.shape) for weight in parts[0])
    places, wide = _places(shapes, len(parts), n_directions)
    joined = flat.index_select(0, places).split([prod(shape) for shape in wide])
    return [weight.view(shape) for weight, shape in zip(joined, wide, strict=True)]


@lru_cache(maxsize=64)
def _places(
    shapes: tuple[tuple[int, ...], ...], n_parts: int, n_directions: int
) -> tuple[torch.Tensor, list[torch.Size]]:
    """Where in the weights of all networks, behind a zero, those of a wide layer stand."""
    sizes = [prod(shape) for shape in shapes]
    counted = torch.arange(1, n_parts * sum(sizes) + 1).view(n_parts, -1).split(sizes, dim=1)
    stacked = [one.reshape(-1, *shape) for one, shape in zip(counted, shapes, strict=True)]
    n_gates = shapes[1][0] // shapes[1][1]
    inputs, states, *biases = (one.unflatten(1, (n_gates, -1)) for one in stacked)
    inputs = _block_diagonal(inputs, n_directions) if n_directions else _by_gate(inputs)
    wide = [inputs, _block_diagonal(states, 1), *map(_by_gate, biases)]
    return torch.cat([one.flatten() for one in wide]), [one.shape for one in wide]


def _by_gate(stacked: torch.Tensor) -> torch.Tensor:
    """Rows of (n_networks, n_gates, hidden_size, ...), all networks of a gate together."""
    return stacked.transpose(0, 1).flatten(0, 2)


def _block_diagonal(stacked: torch.Tensor, n_directions: int) -> torch.Tensor:
    """Likewise, and each network reads its own part of the inputs, in each direction."""
    apart = stacked.unflatten(3, (n_directions, -1))
    wide = torch.diag_embed(apart.permute(1, 2, 3, 4, 0))  # the last two axes are the networks
    return wide.permute(0, 4, 1, 2, 5, 3).flatten(3).flatten(0, 2)
