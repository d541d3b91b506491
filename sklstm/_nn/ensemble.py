"""A deep ensemble: networks of different initial weights, whose outputs are averaged."""

from typing import Any

import torch
from torch import nn

from sklstm._nn.cells.joined import JoinedLayers, can_join
from sklstm._nn.network import SequenceNetwork

__all__ = ["NetworkEnsemble", "networks_of"]

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

    Shape
    -----
    - steps, lengths, columns: as `SequenceNetwork` takes them
    - output: as its output, the mean; with `of`, a slice of networks, the outputs of each of them,
      ``(n_networks, ...)``

    Examples
    --------
    >>> import torch
    >>> ensemble = NetworkEnsemble(3, n_features=3, n_outputs=2, hidden_size=8)
    >>> ensemble(torch.zeros(5, 4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(self, n_networks: int, network: type = SequenceNetwork, **arguments: Any):
        super().__init__()
        self.networks = nn.ModuleList(network(**arguments) for _ in range(n_networks))
        self.pool_alike = _pool_alike(self.networks[0])

    def forward(
        self,
        steps: torch.Tensor,
        lengths: torch.Tensor | None = None,
        columns: torch.Tensor | None = None,
        of: slice | None = None,
    ) -> torch.Tensor:
        """Compute the mean of the outputs, or those of each of some networks."""
        networks = list(self.networks)[slice(None) if of is None else of]
        if self.pool_alike and len(networks) > 1:
            outputs = _outputs_together(networks, steps, lengths, columns)
        else:
            outputs = torch.stack([network(steps, lengths, columns) for network in networks])
        return outputs.mean(0) if of is None else outputs

    def trained_together(self, steps: torch.Tensor) -> list[slice]:
        """Networks whose gradients are computed at once: all, or one by one to need less memory."""
        n_networks, first = len(self.networks), self.networks[0]
        if (
            self.pool_alike
            and steps[..., 0].numel() * n_networks * _width(first) <= OUTPUTS_AT_ONCE
        ):
            return [slice(None)]
        return [slice(k, k + 1) for k in range(n_networks)]


def _pool_alike(network: nn.Module) -> bool:
    """Whether the networks read the same steps, and their pooling has no weights."""
    if not isinstance(network, SequenceNetwork):
        return False
    if network.embedding is not None or network.categories is not None:  # each has its own vectors
        return False
    return network.pooling is None or not list(network.pooling.parameters())


def _width(network: Any) -> int:
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


def networks_of(module: Any) -> list[Any]:
    """The networks of an ensemble, or the module itself, which torch may have compiled."""
    return list(getattr(module, "networks", [module]))
