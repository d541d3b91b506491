"""Whole sequences as rows of columns: their steps, standardised and without missing values."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from sklstm._data.sequences import Sequences
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.scaling import InputScaling

__all__ = ["FilledSteps", "Units"]

Units: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Mean, scale and median of the features; no median if no value is missing."""

OUTPUTS_AT_ONCE = {"cpu": 2**19, "gpu": 2**26}
"""Outputs of fixed features in memory at once: on the CPU those that its cache holds."""

N_OUTPUTS = 84
"""Of a step: those of the kernels of convolutions."""


@dataclass(frozen=True, repr=False)
class FilledSteps(ABC):
    """Columns of sequences; the scaling of steps, and what replaces missing values.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_features,)
        Standardise steps.
    median : ndarray of float64, shape (n_features,), or None
        Replaces values that are missing since the beginning; later ones are the last observation.
    """

    mean: np.ndarray
    scale: np.ndarray
    median: np.ndarray | None

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """Number of columns."""

    @abstractmethod
    def columns(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Compute the columns of each sequence.

        Parameters
        ----------
        steps : Tensor of float32, shape (n_sequences, n_features, n_steps)
            As from `prepared`.
        lengths : Tensor of int64, shape (n_sequences,)
            Number of steps of each sequence.

        Returns
        -------
        Tensor of float32, shape (n_sequences, n_columns)
            On the device of the steps; of empty sequences any numbers.
        """

    def blocks(
        self, sequences: Sequences, device: torch.device
    ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Compute the columns of sequences of similar length together.

        Parameters
        ----------
        sequences : Sequences
            Of the features seen in training.
        device : torch.device
            Where to compute.

        Yields
        ------
        rows : ndarray of int, shape (n_rows,)
            Which sequences; none of them is empty.
        columns : Tensor of float32, shape (n_rows, n_columns)
            On the device.
        """
        dataset = self.dataset(sequences, device)
        for rows in _blocks(sequences.lengths, device):
            yield rows, self.columns(*self.steps_of(dataset, rows))

    def transform(self, sequences: Sequences, device: torch.device) -> np.ndarray:
        """Compute all columns.

        Parameters
        ----------
        sequences : Sequences
            Of the features seen in training.
        device : torch.device
            Where to compute.

        Returns
        -------
        ndarray of float32, shape (n_sequences, n_columns)
            0 for an empty sequence.
        """
        columns = np.zeros((len(sequences), self.n_columns), dtype=np.float32)
        for rows, block in self.blocks(sequences, device):
            columns[rows] = block.cpu().numpy()
        return columns

    def prepared(
        self, steps: torch.Tensor, lengths: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale steps of shape (n_sequences, n_steps, n_features), and put time last."""
        device = steps.device
        mean, scale = (torch.tensor(x, device=device) for x in (self.mean, self.scale))
        scaled = ((steps.double() - mean) / scale).transpose(0, 1).float()
        scaling = InputScaling(self.mean, self.scale, self.median)
        scaled = scaling.reader(device, torch.float32)(scaled, None)[..., : len(mean)]
        if lengths is None:
            lengths = torch.full((len(steps),), steps.shape[1], device=device)
        return _zero_after_end(scaled, lengths), lengths

    def dataset(self, sequences: Sequences, device: torch.device) -> SequenceDataset:
        """Put sequences on a device."""
        scaling = InputScaling(self.mean, self.scale, self.median)
        return SequenceDataset(sequences, scaling, device=device, dtype=torch.float32)

    def steps_of(
        self, dataset: SequenceDataset, rows: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Steps (n_rows, n_features, n_steps) with zeros after the end of each, and lengths."""
        (steps, lengths), _ = dataset.batch(rows)
        if lengths is None:
            lengths = torch.full((len(rows),), len(steps), device=steps.device)
        steps = steps[..., : len(self.mean)]  # without masks of missing values
        return _zero_after_end(steps, lengths), lengths


def _blocks(lengths: np.ndarray, device: torch.device) -> Iterator[np.ndarray]:
    """Rows of sequences that are not empty, similar lengths together, the shortest first."""
    at_once = OUTPUTS_AT_ONCE["cpu" if device.type == "cpu" else "gpu"] // N_OUTPUTS
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    while len(order):
        padded = np.arange(1, len(order) + 1) * lengths[order]
        size = max(int(np.searchsorted(padded, at_once, side="right")), 1)
        yield order[:size]
        order = order[size:]


def _zero_after_end(steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Steps of shape (n_sequences, n_features, n_steps), from those with time first."""
    steps = steps.permute(1, 2, 0)
    inside = torch.arange(steps.shape[2], device=steps.device) < lengths[:, None, None]
    return torch.where(inside, steps, 0.0)
