"""Features of whole sequences by random convolutions: MiniRocket."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch.nn import functional as F

from sklstm._data.sequences import Sequences
from sklstm._nn.batches import SequenceDataset
from sklstm._nn.scaling import InputScaling

__all__ = ["KERNELS", "Convolutions"]

KERNEL_SIZE = 9
REACH = KERNEL_SIZE // 2


def _kernels() -> np.ndarray:
    """The kernels, those with an even number first: in these the ends of a sequence count."""
    kernels = np.full((84, KERNEL_SIZE), -1.0, dtype=np.float32)
    for kernel, large in zip(kernels, combinations(range(KERNEL_SIZE), 3), strict=True):
        kernel[list(large)] = 2
    return np.concatenate([kernels[::2], kernels[1::2]])


KERNELS = _kernels()
"""All kernels with three weights of 2 and six of -1, shape (84, 9): their sum is 0, so that a
kernel inside a sequence does not depend on its level."""

MOST_DILATIONS = 32
MOST_CHANNELS = 9
"""Largest numbers of dilations, and of features that a kernel reads, as in the paper."""

N_COLUMNS = 84 * 119
"""Number of columns, about the 10,000 of the paper."""

GOLDEN = (np.sqrt(5) + 1) / 2
"""Multiples of it, modulo 1, are spread evenly: the quantiles that biases are taken from."""

VALUES_AT_ONCE = {"cpu": 2**19, "gpu": 2**26}
"""Outputs of convolutions in memory at once: on the CPU those that its cache holds."""


@dataclass(frozen=True, repr=False)
class Convolutions:
    """Shares of a sequence where random convolutions are larger than a bias.

    The transform of Dempster, Schmidt and Webb, "MiniRocket: A Very Fast (Almost) Deterministic
    Transform for Time Series Classification", KDD 2021 (arXiv 2012.08791). Each of 84 fixed kernels
    is applied with several dilations, and with several biases, quantiles of its outputs for a
    random training sequence. A column is the share of positions with an output above the bias
    ("PPV"), over the whole sequence with zeros around it, or inside of it, for one half of kernels
    and dilations each. With several features a kernel reads the sum of a random selection, at most
    9, of them. Sequences may differ in length: only positions of the sequence itself count.

    Attributes
    ----------
    scaling : InputScaling
        Standardises steps, and fills missing values.
    dilations : ndarray of int, shape (n_dilations,)
        Distance between the steps that a kernel reads.
    reads : ndarray of float32, shape (n_dilations, 84, n_features)
        1 for the features that a kernel reads, else 0.
    dilation_of : ndarray of int, shape (n_biases,)
        Which of the dilations each row of biases belongs to, ascending.
    biases : ndarray of float32, shape (n_biases, 84)
        Of each kernel.
    """

    scaling: InputScaling
    dilations: np.ndarray
    reads: np.ndarray
    dilation_of: np.ndarray
    biases: np.ndarray

    @classmethod
    def learn(
        cls,
        sequences: Sequences,
        scaling: InputScaling,
        random: np.random.RandomState,
        n_columns: int = N_COLUMNS,
    ) -> "Convolutions":
        """Draw features and biases.

        Parameters
        ----------
        sequences : Sequences
            Training sequences, at least one of them not empty.
        scaling : InputScaling
            Of their steps; only levels are read.
        random : RandomState
            Decides which features kernels read, and which sequences biases are quantiles of.
        n_columns : int, default=9996
            Number of columns to make: a multiple of 84.

        Returns
        -------
        Convolutions
            For sequences of these features.
        """
        sequences = sequences[np.flatnonzero(sequences.lengths)]
        n_biases = max(n_columns // len(KERNELS), 1)
        dilations, dilation_of = _dilations(int(np.median(sequences.lengths)), n_biases)
        reads = np.stack([_selections(sequences.n_features, random) for _ in dilations])
        quantiles = np.arange(1, n_biases * len(KERNELS) + 1) * GOLDEN % 1
        blank = cls(scaling, dilations, reads, dilation_of, quantiles.reshape(n_biases, -1))
        rows = random.randint(len(sequences), size=(len(dilations), len(KERNELS)))
        return blank._with_biases(sequences, rows)

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.biases.size

    def transform(self, sequences: Sequences, device: torch.device) -> np.ndarray:
        """Compute the columns.

        Parameters
        ----------
        sequences : Sequences
            Of the features seen in training.
        device : torch.device
            Where to compute.

        Returns
        -------
        ndarray of float32, shape (n_sequences, n_columns)
            Shares in [0, 1]; 0 for an empty sequence.
        """
        shares = np.zeros((len(sequences), self.n_columns), dtype=np.float32)
        dataset = self._dataset(sequences, device)
        biases = torch.tensor(self.biases, device=device)[..., None]
        kernels = [self._weights(d, device) for d in range(len(self.dilations))]
        for rows in _blocks(sequences.lengths, device):
            steps, lengths = self._steps(dataset, rows)
            columns = [
                self._shares(F.conv1d(steps, kernels[d], dilation=dilation, padding="same"),
                             lengths, d, biases)
                for d, dilation in enumerate(self.dilations.tolist())
            ]
            shares[rows] = torch.cat(columns, dim=1).flatten(1).cpu().numpy()
        return shares

    def _shares(
        self, outputs: torch.Tensor, lengths: torch.Tensor, d: int, biases: torch.Tensor
    ) -> torch.Tensor:
        """Shares of positions above each bias of a dilation, (n_sequences, n_biases, 84)."""
        n_sequences, n_kernels, n_steps = outputs.shape
        weights = _position_weights(lengths, n_steps, REACH * int(self.dilations[d]))
        weights = weights.flip(1) if d % 2 else weights
        above = torch.empty_like(outputs)
        shares = []
        for j in np.flatnonzero(self.dilation_of == d):
            torch.gt(outputs, biases[j], out=above)
            by_half = above.view(n_sequences, 2, n_kernels // 2, n_steps)
            shares.append((by_half @ weights[..., None]).view(n_sequences, n_kernels))
        return torch.stack(shares, dim=1)

    def _with_biases(self, sequences: Sequences, rows: np.ndarray) -> "Convolutions":
        """Replace quantiles by those of the outputs for these sequences, (n_dilations, 84)."""
        cpu = torch.device("cpu")
        biases = np.empty(self.biases.shape, dtype=np.float32)
        for d, dilation in enumerate(self.dilations.tolist()):
            weights, mine = self._weights(d, cpu), self.dilation_of == d
            for k, row in enumerate(rows[d]):
                steps, _ = self._steps(self._dataset(sequences[[row]], cpu), np.array([0]))
                outputs = F.conv1d(steps, weights[[k]], dilation=dilation, padding="same")
                biases[mine, k] = np.quantile(outputs.numpy(), self.biases[mine, k])
        return Convolutions(self.scaling, self.dilations, self.reads, self.dilation_of, biases)

    def _dataset(self, sequences: Sequences, device: torch.device) -> SequenceDataset:
        return SequenceDataset(sequences, self.scaling, device=device, dtype=torch.float32)

    def _steps(
        self, dataset: SequenceDataset, rows: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Steps (n_rows, n_features, n_steps) with zeros after the end of each, and lengths."""
        (steps, lengths), _ = dataset.batch(rows)
        if lengths is None:
            lengths = torch.full((len(rows),), len(steps), device=steps.device)
        steps = steps[..., : self.reads.shape[2]]  # without the masks of missing values
        return steps.permute(1, 2, 0).contiguous(), lengths

    def _weights(self, d: int, device: torch.device) -> torch.Tensor:
        """Weights of all kernels, (84, n_features, 9)."""
        return torch.tensor(self.reads[d][..., None] * KERNELS[:, None], device=device)


def _dilations(n_steps: int, n_biases: int) -> tuple[np.ndarray, np.ndarray]:
    """Dilations so that a kernel fits into n_steps, and the dilation of each bias, in order."""
    n_dilations = min(n_biases, MOST_DILATIONS)
    largest = np.log2(max((n_steps - 1) / (KERNEL_SIZE - 1), 1))
    each = np.logspace(0, largest, n_dilations, base=2).astype(int)
    dilations, counts = np.unique(each, return_counts=True)
    counts = counts * n_biases // n_dilations
    counts += np.arange(len(counts)) < n_biases - counts.sum()
    return dilations, np.repeat(np.arange(len(dilations)), counts)


def _selections(n_features: int, random: np.random.RandomState) -> np.ndarray:
    """Which features each kernel reads: a few more often than many."""
    reads = np.zeros((len(KERNELS), n_features), dtype=np.float32)
    most = np.log2(min(n_features, MOST_CHANNELS) + 1)
    for row, size in zip(reads, 2 ** random.uniform(0, most, len(KERNELS)), strict=True):
        row[random.choice(n_features, int(size), replace=False)] = 1
    return reads


def _position_weights(lengths: torch.Tensor, n_steps: int, margin: int) -> torch.Tensor:
    """Weights of positions in a mean over a sequence, and inside of its margins.

    A sequence without an inside counts as a whole.

    Returns
    -------
    Tensor of float32, shape (n_sequences, 2, n_steps)
        0 after the end of a sequence.
    """
    place, lengths = torch.arange(n_steps, device=lengths.device), lengths[:, None]
    whole = place < lengths
    inside = (place >= margin) & (place < lengths - margin)
    inside = torch.where(lengths > 2 * margin, inside, whole)
    counted = torch.stack([whole, inside], dim=1).float()
    return counted / counted.sum(dim=2, keepdim=True).clamp(min=1)


def _blocks(lengths: np.ndarray, device: torch.device) -> Iterator[np.ndarray]:
    """Rows of sequences that are not empty, similar lengths together."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    at_once = VALUES_AT_ONCE["cpu" if device.type == "cpu" else "gpu"] // len(KERNELS)
    while len(order):
        size = max(at_once // lengths[order[0]], 1)
        size = max(int((np.arange(1, len(order[:size]) + 1) * lengths[order[:size]] <= at_once).sum()), 1)
        yield order[:size]
        order = order[size:]
