"""Training data on a device: steps are copied there once, and gathered by index."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sklstm._data.sequences import Sequences
from sklstm._nn.losses import mask_missing
from sklstm._nn.scaling import InputScaling, shared_tensor, to_device

__all__ = ["SequenceDataset"]


class SequenceDataset(Dataset):
    """Scaled sequences on a device, with targets and weights.

    Parameters
    ----------
    sequences : Sequences
        The sequences.
    scaling : InputScaling
        The input scaling: scaled steps are copied to the device, and its reader turns them into
        the inputs of a batch.
    device : torch.device
        Where steps, targets and weights are stored.
    dtype : torch.dtype
        Data type of the steps, targets and weights.
    target : ndarray of shape (n_sequences, n_outputs), or (sum of lengths, n_outputs), default=None
        Not needed for predictions. NaN where one of several targets is missing.
    weight : ndarray of shape (n_sequences,), or (sum of lengths,), default=None
        As `target`. `None`, or equal for all sequences: no weights are stored.
    of_steps : bool, default=False
        Whether there is a target at every step, sequence by sequence.
    """

    def __init__(
        self,
        sequences: Sequences,
        scaling: InputScaling,
        *,
        device: torch.device,
        dtype: torch.dtype,
        target: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        of_steps: bool = False,
    ):
        first = int(sequences.starts.min(initial=len(sequences.values)))
        behind = int(sequences.ends.max(initial=first))
        self.sequences = sequences
        self.device = device
        starts = sequences.starts
        self._first = first
        self._starts = shared_tensor(starts - first if first else starts).to(device)
        longest = max(sequences.max_length, 1)
        self._steps = torch.arange(longest, device=device)[:, None]
        self._lengths = None
        if sequences.lengths.min(initial=longest) < longest:
            self._lengths = shared_tensor(sequences.lengths).to(device)
        # Each sequence begins and ends a step after the one before: batches in this order, as for
        # predictions, are views of the table, which `batch` copies in large blocks.
        self._slides = (
            self._lengths is None and not of_steps and bool((starts[1:] - starts[:-1] == 1).all())
        )
        self.values = scaling.to_tensor(sequences.values[first:behind], dtype, device)
        self._read = scaling.reader(device, dtype)
        self.target = self.weight = self._of_steps = None
        to_tensor = partial(torch.tensor, device=device, dtype=dtype)
        if target is None:
            return
        weight = np.ones(len(target)) if weight is None else weight
        target, weight = mask_missing(target, weight)
        if of_steps:
            lengths = sequences.lengths.astype(np.int64)
            self._of_steps = (
                shared_tensor(np.cumsum(lengths) - lengths).to(device),
                to_tensor(_padded(target)),
                to_tensor(_padded(weight.reshape(len(target), -1))),
            )
        else:
            self.target = to_tensor(target)
            if weight.ndim > 1 or (weight != weight[0]).any():
                self.weight = to_tensor(weight)

    def __len__(self) -> int:
        return len(self.sequences)

    def batch(self, rows: Any) -> tuple:
        """Gather some of the sequences.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,), or slice
            Which sequences. A slice copies no row numbers to the device.

        Returns
        -------
        inputs : tuple of Tensor
            Steps ``(n_steps, n_rows, n_features)``, with zeros after the end of short sequences;
            lengths ``(n_rows,)``, or None if all sequences have ``n_steps`` steps.
        targets : tuple of Tensor
            Target ``(n_rows, n_outputs)`` and weight ``(n_rows,)``; None if there are none.
            With a target at every step ``(n_steps, n_rows, n_outputs)`` and
            ``(n_steps, n_rows)``, zero after the end. Where some of several targets are missing
            the weight has the shape of the target.
        """
        if isinstance(rows, slice):
            if self._slides:  # a copy in large blocks takes half as long as gathering steps
                windows = self.values[:-1].unfold(0, len(self._steps), 1)[rows]
                steps = windows.permute(2, 0, 1).contiguous()
                return (self._read(steps, None), None), self._targets(rows)
            return next(self._gathered(rows, [len(range(len(self))[rows])]))
        return next(self.batches([torch.as_tensor(rows)]))

    def batches(self, parts: Sequence[torch.Tensor]) -> Iterator[tuple]:
        """Gather batch after batch; row numbers of all are copied to the device together.

        Parameters
        ----------
        parts : sequence of Tensor of int
            Rows of each batch, on the CPU.

        Yields
        ------
        tuple
            As from `batch`.
        """
        return self._gathered(torch.cat(list(parts)).numpy(), [len(part) for part in parts])

    def _gathered(self, rows: Any, sizes: list[int]) -> Iterator[tuple]:
        """Batches with the given numbers of rows."""
        spans: Iterable = repeat((len(self._steps), len(self._steps)))
        if self._lengths is not None:
            spans = _spans(self.sequences.lengths[rows], sizes)
        if not isinstance(rows, slice):
            rows = to_device(torch.from_numpy(rows), self.device)
        lengths = repeat(None) if self._lengths is None else self._lengths[rows].split(sizes)
        targets = self._cut_targets(rows, sizes)
        of_targets: Iterable = repeat(None)
        if self._of_steps is not None:
            of_targets = self._of_steps[0][rows].split(sizes)
        for starts, own, span, of_target, target in zip(
            self._starts[rows].split(sizes), lengths, spans, of_targets, targets, strict=False
        ):
            if span[0] == span[1]:
                own = None
            steps = self._gather(self.values, starts, own, span)
            if of_target is not None:
                target = self._targets_of_steps(of_target, own, span)
            yield (self._read(steps, own), own), target

    def merged_batches(
        self, rows: np.ndarray, sizes: np.ndarray, counts: np.ndarray
    ) -> Iterator[tuple]:
        """Gather overlapping sequences together: a run of them is one column.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Sequences of run after run, each a neighbour of the next.
        sizes : ndarray of int, shape (n_runs,)
            Number of sequences of each run.
        counts : ndarray of int, shape (n_batches,)
            Number of runs of each batch.

        Yields
        ------
        inputs : tuple of Tensor
            Steps ``(n_steps, n_columns, n_features)`` from the start of the first sequence of a
            column to the end of the last; lengths ``(n_rows,)``, from the start of the column to
            the end of the sequence; columns ``(n_rows,)``.
        targets : tuple of Tensor
            As in `batch`.
        """
        last = np.cumsum(sizes) - 1
        begin = self.sequences.starts[rows[last - sizes + 1]]
        lengths = self.sequences.starts[rows] + self.sequences.lengths[rows]
        lengths -= np.repeat(begin, sizes)
        run = np.cumsum(counts) - counts  # the first of each batch
        columns = np.repeat(np.arange(len(sizes)) - np.repeat(run, counts), sizes)
        n_rows, n_columns = np.add.reduceat(sizes, run).tolist(), counts.tolist()
        there = [
            to_device(torch.from_numpy(of_all), self.device).split(cuts)
            for of_all, cuts in (
                (begin - self._first, n_columns),
                (lengths[last], n_columns),
                (lengths, n_rows),
                (columns, n_rows),
            )
        ]
        targets = self._cut_targets(to_device(torch.from_numpy(rows), self.device), n_rows)
        spans = _spans(lengths[last], n_columns)
        for starts, of_column, of_row, column, span, target in zip(
            *there, spans, targets, strict=False
        ):
            steps = self._gather(self.values, starts, of_column, span)
            yield (self._read(steps, None), of_row, column), target

    def _gather(
        self,
        values: torch.Tensor,
        starts: torch.Tensor,
        lengths: torch.Tensor | None,
        span: tuple[int, int],
    ) -> torch.Tensor:
        """Rows of values in time-major order; after the end of a sequence the last row, padding.

        `span` has the smallest and largest length: reading them from the device would wait for it.
        """
        shortest, longest = span
        if longest > len(self._steps):
            self._steps = torch.arange(longest, device=self.device)[:, None]
        steps = self._steps if longest == len(self._steps) else self._steps[:longest]
        index = starts + steps
        if lengths is not None and shortest < longest:
            index = torch.where(steps < lengths, index, len(values) - 1)
        rows = values.index_select(0, index.flatten())  # indexing by two axes is much slower
        return rows.view(*index.shape, -1)

    def _targets(self, rows: Any) -> tuple:
        if self.target is None:
            return None, None
        return self.target[rows], None if self.weight is None else self.weight[rows]

    def _cut_targets(self, rows: Any, sizes: list[int]) -> Iterable[tuple]:
        """Targets and weights of each of the batches."""
        cut = (
            repeat(None) if tensor is None else tensor.split(sizes)
            for tensor in self._targets(rows)
        )
        return zip(*cut, strict=False)

    def _targets_of_steps(
        self, starts: torch.Tensor, lengths: torch.Tensor | None, span: tuple[int, int]
    ) -> tuple:
        assert self._of_steps is not None
        target, weight = (
            self._gather(values, starts, lengths, span) for values in self._of_steps[1:]
        )
        return target, weight[..., 0] if weight.shape[-1] == 1 else weight


def _spans(lengths: np.ndarray, sizes: Sequence[int]) -> Iterable[tuple[int, int]]:
    """The shortest and the longest of each batch, at least one step."""
    first = np.cumsum([0, *sizes[:-1]])
    longest = np.maximum(np.maximum.reduceat(lengths, first), 1)
    return zip(np.minimum.reduceat(lengths, first).tolist(), longest.tolist(), strict=True)


def _padded(values: np.ndarray) -> np.ndarray:
    """Append a row of zeros, the padding."""
    return np.append(values, np.zeros((1, values.shape[1])), axis=0)
