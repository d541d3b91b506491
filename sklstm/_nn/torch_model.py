"""A fitted model as one module of torch: from steps in the units of users to predictions."""

from typing import Any

import numpy as np
import torch
from torch import nn

from sklstm._nn.ensemble import networks_of
from sklstm._nn.heads import Head
from sklstm._nn.inits import Init
from sklstm._nn.scaling import InputScaling

__all__ = ["TorchModel"]


class TorchModel(nn.Module):
    """Scaling, init estimator, network and head, in evaluation mode.

    Parameters
    ----------
    network : Module
        The network, which is not copied.
    scaling : InputScaling
        The input scaling.
    head : Head
        The head.
    init : Init or None
        The init estimator, to whose predictions outputs are added.
    blending_weight : ndarray of shape (n_outputs,), or None
        Factor of the outputs of the network.

    Shape
    -----
    - steps: ``(n_sequences, n_steps, n_features)``, or tokens ``(n_sequences, n_steps)``; after the
      end of a sequence any values
    - lengths: ``(n_sequences,)``, or None if every sequence has ``n_steps`` steps
    - output: ``(n_sequences, n_columns)``; ``(n_sequences, n_steps, n_columns)`` if there is a
      prediction at every step
    """

    def __init__(
        self,
        network: nn.Module,
        scaling: InputScaling,
        head: Head,
        init: Init | None,
        blending_weight: np.ndarray | None,
    ):
        super().__init__()
        self.network, self.scaling, self.head, self.init = network, scaling, head, init
        self.blending_weight = blending_weight
        self.eval()

    def forward(self, steps: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Compute predictions in the units of y, or log-odds of the labels."""
        dtype = steps.dtype if steps.is_floating_point() else torch.float64
        return self.head.bent(self.locations(steps, lengths)).to(dtype)

    def locations(self, steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """The sum of init and network in public units, which a head of counts bends."""
        outputs = self.of_network(steps, lengths)
        if self.init is not None:
            outputs = outputs + self.of_init(self.init.compute(steps, lengths, self.per_step))
        return outputs + self._tensor(self.head.public_units[1], steps)

    @property
    def per_step(self) -> bool:
        """Whether there is a prediction at every step."""
        return getattr(networks_of(self.network)[0], "pooling", "last") is None

    def of_network(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, network: nn.Module | None = None
    ) -> torch.Tensor:
        """The part of the network, or of another one in its place, in the predictions."""
        network = self.network if network is None else network
        outputs = network(self._inputs(steps, lengths), lengths).double()
        if self.per_step:
            outputs = outputs.transpose(0, 1)
        if self.blending_weight is not None:
            outputs = outputs * self._tensor(self.blending_weight, steps)
        return self._in_units(outputs)

    def of_init(self, predicted: torch.Tensor) -> torch.Tensor:
        """The part of the init estimator in the predictions, from what it predicts."""
        return self._in_units(predicted @ self._tensor(self.head.init_map, predicted))

    def _in_units(self, outputs: torch.Tensor) -> torch.Tensor:
        """Outputs in the units of the user, of which a distribution has a location."""
        scale = self._tensor(self.head.public_units[0], outputs)
        return outputs[..., : len(scale)] * scale

    def _inputs(self, steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Inputs of the network, time first."""
        device, dtype = steps.device, next(self.network.parameters()).dtype
        if self.scaling.n_tokens is not None:
            known = (steps >= 0) & (steps < self.scaling.n_tokens)
            return torch.where(known, steps, 0).transpose(0, 1)[..., None]
        mean, scale = (self._tensor(x, steps) for x in (self.scaling.mean, self.scaling.scale))
        scaled = ((steps.double() - mean) / scale).to(dtype).transpose(0, 1)
        if lengths is not None:
            inside = torch.arange(len(scaled), device=device)[:, None] < lengths
            scaled = torch.where(inside[..., None], scaled, 0.0)
        return self.scaling.reader(device, dtype)(scaled, lengths)

    @staticmethod
    def _tensor(array: Any, like: torch.Tensor) -> torch.Tensor:
        return torch.tensor(np.asarray(array), dtype=torch.float64, device=like.device)
