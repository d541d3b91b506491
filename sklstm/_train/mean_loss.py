"""The mean loss of an epoch, without waiting for the device at each batch."""

from typing import Any

import torch

__all__ = ["MeanLoss"]

LOSSES_AT_ONCE = 2**10
"""Losses kept on the device before they are added up: one copy an epoch of so many batches."""


class MeanLoss:
    """Weighted mean of batch losses, which stay on the device until there are many."""

    def __init__(self) -> None:
        self.total: Any = 0.0
        self.total_weight = 0.0
        self.losses: list[torch.Tensor] = []
        self.weights: list[Any] = []

    def add(self, loss: torch.Tensor, weight: Any) -> None:
        """Add a batch."""
        self.losses.append(loss)
        self.weights.append(weight)
        if len(self.losses) == LOSSES_AT_ONCE:
            self._read()

    def result(self) -> Any:
        """The mean, of each network if batches have several losses."""
        self._read()
        return self.total / self.total_weight

    def _read(self) -> None:
        """Add up on the CPU, as some devices have no float64."""
        if not self.losses:
            return
        losses, weights = torch.stack(self.losses).cpu().double(), self.weights
        if isinstance(weights[0], torch.Tensor):
            weight = torch.stack(weights).cpu().double()
        else:
            weight = torch.tensor(weights, dtype=torch.float64)
        total = weight @ losses
        self.total += total.numpy() if total.ndim else float(total)
        self.total_weight += float(weight.sum())
        self.losses, self.weights = [], []
