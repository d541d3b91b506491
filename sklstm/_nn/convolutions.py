"""Features of whole sequences by random convolutions: MiniRocket."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from torch.nn import functional as F

from sklstm._data.sequences import Sequences
from sklstm._nn.filled_steps import FilledSteps, Units

__all__ = ["KERNELS", "REACH", "Convolutions"]

KERNEL_SIZE = 9
REACH = KERNEL_SIZE // 2


def _kernels() -> np.ndarray:
    kernels = np.full((84, KERNEL_SIZE), -1.0, dtype=np.float32)
    for kernel, large in zip(kernels, combinations(range(KERNEL_SIZE), 3), strict=True):
        kernel[list(large)] = 2
    return np.concatenate([kernels[::2], kernels[1::2]])


KERNELS = _kernels()
"""All kernels with three weights of 2 and six of -1, shape (84, 9), every second one first. Their
sum is 0, so that inside a sequence the outputs do not depend on its level."""

MOST_DILATIONS, MOST_READ = 32, 9
"""Largest numbers of dilations, and of features that a kernel reads, as in the paper."""

TIE = 1e-4
"""Biases stand so far above the quantiles, in units of the largest output: where signals have few
values, outputs equal a quantile, and rounding, which depends on the batch, would compare them."""

MANY_FEATURES = 40
"""With more, sums of features are convolved: with 400 that takes a fifth of the time, with 6 three
times as long."""

GOLDEN = (np.sqrt(5) + 1) / 2
"""Its multiples modulo 1 are spread evenly: biases are these quantiles, as in the paper."""


@dataclass(frozen=True, repr=False)
class Convolutions(FilledSteps):
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
    dilations : ndarray of int, shape (n_dilations,)
        Distance between the steps that a kernel reads.
    is_read : ndarray of bool, shape (n_dilations, 84, n_features)
        Which features a kernel reads.
    dilation_of : ndarray of int, shape (n_biases,)
        Place of the dilation of each row of biases, ascending.
    biases : ndarray of float32, shape (n_biases, 84)
        Of each kernel.
    """

    dilations: np.ndarray
    is_read: np.ndarray
    dilation_of: np.ndarray
    biases: np.ndarray

    @classmethod
    def draw(
        cls,
        sequences: Sequences,
        units: Units,
        n_columns: int,
        random: np.random.RandomState,
    ) -> "Convolutions":
        """Draw features and biases.

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        units : tuple of ndarray
            Mean, scale and median of the features.
        n_columns : int
            Number of columns to make, rounded down to a multiple of 84.
        random : RandomState
            Decides which features kernels read, and which sequences biases are quantiles of.

        Returns
        -------
        Convolutions
            For sequences of these features.
        """
        sequences = sequences[np.flatnonzero(sequences.lengths)]
        n_steps = int(np.median(sequences.lengths)) if len(sequences) else 1
        n_biases = max(n_columns // len(KERNELS), 1)
        dilations, dilation_of = _dilations(n_steps, n_biases)
        is_read = np.stack([_selections(sequences.n_features, random) for _ in dilations])
        quantiles = np.arange(1, n_biases * len(KERNELS) + 1) * GOLDEN % 1
        quantiles = quantiles.reshape(n_biases, len(KERNELS)).astype(np.float32)
        blank = cls(*units, dilations, is_read, dilation_of, quantiles)
        rows = random.randint(max(len(sequences), 1), size=(len(dilations), len(KERNELS)))
        return blank._with_biases(sequences, rows) if len(sequences) else blank

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.biases.size

    def columns(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Shares in [0, 1] of each kernel and bias."""
        biases = torch.tensor(self.biases, device=steps.device)[..., None]
        shares = [
            self._shares(self._outputs(steps, d), lengths, d, biases)
            for d in range(len(self.dilations))
        ]
        return torch.cat(shares, dim=1).flatten(1)

    def weights(self, d: int) -> np.ndarray:
        """Weights of all kernels with a dilation, (84, n_features, 9)."""
        return self.is_read[d][..., None] * KERNELS[:, None]

    def _outputs(self, steps: torch.Tensor, d: int) -> torch.Tensor:
        """Outputs of all kernels with a dilation, (n_sequences, 84, n_steps)."""
        kernels, n_groups = self.weights(d), 1
        if steps.shape[1] > MANY_FEATURES:
            is_read = torch.tensor(self.is_read[d], dtype=steps.dtype, device=steps.device)
            steps, kernels, n_groups = is_read @ steps, KERNELS[:, None], len(KERNELS)
        weights = torch.tensor(kernels, device=steps.device)
        dilation = int(self.dilations[d])
        return F.conv1d(steps, weights, dilation=dilation, padding="same", groups=n_groups)

    def _shares(
        self, outputs: torch.Tensor, lengths: torch.Tensor, d: int, biases: torch.Tensor
    ) -> torch.Tensor:
        """Shares of positions above each bias of a dilation, (n_sequences, n_biases, 84)."""
        n_sequences, n_kernels, n_steps = outputs.shape
        weights = self._weights_of_halves(lengths, n_steps, d)
        above, shares = torch.empty_like(outputs), []
        for k in np.flatnonzero(self.dilation_of == d):
            torch.gt(
                outputs, biases[k], out=above
            )  # into numbers: sums of bool take ten times as long
            by_half = above.view(n_sequences, 2, n_kernels // 2, n_steps)
            shares.append((by_half @ weights[..., None]).view(n_sequences, n_kernels))
        return torch.stack(shares, dim=1)

    def _weights_of_halves(self, lengths: torch.Tensor, n_steps: int, d: int) -> torch.Tensor:
        """Weights of positions for each half of the kernels, (n_sequences, 2, n_steps)."""
        weights = _position_weights(lengths, n_steps, REACH * int(self.dilations[d]))
        return weights.flip(1) if d % 2 else weights

    def _with_biases(self, sequences: Sequences, rows: np.ndarray) -> "Convolutions":
        """Replace quantiles by those of the outputs for these sequences, (n_dilations, 84)."""
        biases, cpu = np.empty_like(self.biases), torch.device("cpu")
        for d, dilation in enumerate(self.dilations.tolist()):
            mine, chosen = self.dilation_of == d, sequences[rows[d]]
            steps, lengths = self.steps_of(self.dataset(chosen, cpu), np.arange(len(chosen)))
            weights = torch.tensor(self.weights(d)).flatten(0, 1)[:, None]
            outputs = F.conv1d(
                steps.reshape(1, -1, steps.shape[2]),
                weights,
                dilation=dilation,
                padding="same",
                groups=len(weights),
            )
            outputs = outputs.view(len(chosen), -1, steps.shape[2]).sum(1)  # over features
            for k, (output, length) in enumerate(
                zip(outputs.numpy(), lengths.tolist(), strict=True)
            ):
                biases[mine, k] = np.quantile(output[:length], self.biases[mine, k])
                biases[mine, k] += TIE * np.abs(output[:length]).max(initial=0)
        return replace(self, biases=biases)


def _dilations(n_steps: int, n_biases: int) -> tuple[np.ndarray, np.ndarray]:
    """Dilations with which a kernel fits into n_steps, and the place of that of each bias."""
    n_dilations = min(n_biases, MOST_DILATIONS)
    largest = np.log2(max((n_steps - 1) / (KERNEL_SIZE - 1), 1))
    each = (np.logspace(0, largest, n_dilations, base=2) + 1e-9).astype(int)
    dilations, counts = np.unique(each, return_counts=True)
    counts = counts * n_biases // n_dilations
    counts += np.arange(len(counts)) < n_biases - counts.sum()
    return dilations, np.repeat(np.arange(len(dilations)), counts)


def _selections(n_features: int, random: np.random.RandomState) -> np.ndarray:
    """Which features each kernel reads: a few more often than many."""
    is_read = np.zeros((len(KERNELS), n_features), dtype=bool)
    most = np.log2(min(n_features, MOST_READ) + 1)
    for row, size in zip(is_read, 2 ** random.uniform(0, most, len(KERNELS)), strict=True):
        row[random.choice(n_features, int(size), replace=False)] = True
    return is_read


def _position_weights(lengths: torch.Tensor, n_steps: int, margin: int) -> torch.Tensor:
    """Weights of positions in the mean over a sequence, and in that inside of its margins.

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
    return counted / counted.sum(dim=2, keepdim=True)
