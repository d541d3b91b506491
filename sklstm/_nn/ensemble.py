"""A deep ensemble: networks of different initial weights, whose outputs are averaged."""

from typing import Any

import numpy as np
import torch
from torch import nn

from sklstm._nn.cells.joined import JoinedLayers, can_join
from sklstm._nn.network import SequenceNetwork

__all__ = ["NetworkEnsemble", "blend", "networks_of"]

JOINED_UNITS = 100
"""Most units of all networks together that are computed as one wide layer. Five networks take as
long to fit as 2.0 of 8 units on 12 steps, 2.5 of 16 and 4.6 of 32; layer by layer 2.9, 2.9 and 3.5.
"""

OUTPUTS_AT_ONCE = 2**19
"""Most outputs of the recurrent layers of all networks whose gradients are computed at once: as
`OUTPUTS_IN_PART` of one network, so that a batch needs no more memory."""


class NetworkEnsemble(nn.Module):
    """Networks that differ in their initial weights; the output is the mean of theirs.

    Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles", NeurIPS 2017. Each network is trained on its own loss, and all of them on
    the same batches, so that steps are gathered once. On a CPU small networks are computed as one
    wide recurrent layer, in one call.

    Parameters
    ----------
    n_networks : int
        Number of networks.
    network : type
        Class of a network.
    **arguments : object
        Its arguments.

    Attributes
    ----------
    shares : Tensor of shape (n_networks, n_outputs)
        Of each network in the mean; equal unless networks have blending weights of their own.

    Shape
    -----
    - steps, lengths, columns: as `SequenceNetwork` takes them
    - output: as its output, the mean; with `of`, places of networks, the outputs of each of them,
      ``(n_networks, ...)``

    Examples
    --------
    >>> import torch
    >>> ensemble = NetworkEnsemble(3, n_features=3, n_outputs=2, hidden_size=8)
    >>> ensemble(torch.zeros(5, 4, 3)).shape
    torch.Size([4, 2])
    """

    shares: torch.Tensor

    def __init__(self, n_networks: int, network: type = SequenceNetwork, **arguments: Any):
        super().__init__()
        self.networks = nn.ModuleList(network(**arguments) for _ in range(n_networks))
        shares = torch.full((n_networks, arguments["n_outputs"]), 1 / n_networks)
        self.register_buffer("shares", shares.to(next(self.networks.parameters()).dtype))
        self.pool_alike = _pool_alike(self.networks[0])

    def forward(
        self,
        steps: torch.Tensor,
        lengths: torch.Tensor | None = None,
        columns: torch.Tensor | None = None,
        of: list[int] | None = None,
    ) -> torch.Tensor:
        """Compute the weighted mean of the outputs, or those of each of some networks."""
        networks = [self.networks[k] for k in (range(len(self.networks)) if of is None else of)]
        if self.pool_alike and len(networks) > 1:
            outputs = _outputs_together(networks, steps, lengths, columns)
        else:
            outputs = torch.stack([network(steps, lengths, columns) for network in networks])
        if of is not None:
            return outputs
        return torch.einsum("n...k,nk->...k", outputs, self.shares)

    def trained_together(self, steps: torch.Tensor, of: list[int]) -> list[list[int]]:
        """Networks whose gradients are computed at once: all, or one by one to need less memory."""
        if not self.pool_alike:
            return [[k] for k in of]
        n_outputs = len(of) * _width(self.networks[0]) * steps.shape[0] * steps.shape[1]
        return [of] if n_outputs <= OUTPUTS_AT_ONCE else [[k] for k in of]


def _pool_alike(network: nn.Module) -> bool:
    """Whether the networks read the same steps, and their pooling has no weights."""
    if not isinstance(network, SequenceNetwork):
        return False
    if network.embedding is not None or network.categories is not None:  # each has its own vectors
        return False
    return network.pooling is None or not list(network.pooling.parameters())


def _width(network: Any) -> int:
    """Outputs of a step."""
    return network.head.in_features


def _outputs_together(
    networks: list[Any],
    steps: torch.Tensor,
    lengths: torch.Tensor | None,
    columns: torch.Tensor | None,
) -> torch.Tensor:
    """Outputs of each network, (n_networks, ...): pooling and heads take one call for all."""
    first = networks[0]
    first.check_shapes(steps, lengths, columns)
    layers = [network.recurrent for network in networks]
    n_directions = 2 if first.recurrent.bidirectional else 1
    read = first.in_precision(steps)
    if can_join(layers, read) and _width(first) // n_directions * len(layers) <= JOINED_UNITS:
        outputs = JoinedLayers(layers).read(read, lengths)
    else:
        each = [one.read(read, lengths).unflatten(2, (n_directions, -1)) for one in layers]
        outputs = torch.stack(each, dim=3).flatten(2)
    pooled = first.pooled(outputs.to(steps.dtype), lengths, columns)
    apart = pooled.flatten(0, -2).unflatten(1, (n_directions, len(networks), -1))
    apart = first.dropped(apart.movedim(2, 0).flatten(2))
    weight = torch.stack([network.head.weight.T for network in networks])
    bias = torch.stack([network.head.bias for network in networks])
    return torch.baddbmm(bias[:, None], apart, weight).unflatten(1, pooled.shape[:-1])


def blend(module: Any, weights: np.ndarray) -> np.ndarray:
    """Give each network its blending weight, (n_networks, n_outputs), and return their mean.

    The average is that of the sums, so that with a convex loss it is at most the mean of theirs. A
    weight chosen for the average of the networks was near 1 where theirs were near 0.6, and on
    later rows worse.
    """
    mean = weights.mean(axis=0)
    if len(weights) == 1:
        return mean
    shares = np.where(mean > 0, weights / np.where(mean > 0, mean, 1), 1) / len(weights)
    module.shares.copy_(torch.tensor(shares))
    return mean


def networks_of(module: Any) -> list[Any]:
    """The networks of an ensemble, or the module itself, which torch may have compiled."""
    return list(getattr(module, "networks", [module]))
