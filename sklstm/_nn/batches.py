"""Sequences to tensors: the steps go to the device once, batches are gathered there by index."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise, repeat
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._nn.scaling import InputScaling, shared_tensor

__all__ = ["BatchLoader", "SequenceDataset", "differ_in_length", "split_batch"]

BATCHES_IN_POOL = 32
MIN_FILLED = 0.95


class SequenceDataset(Dataset):
    """Scaled sequences on a device, with targets and weights.

    Parameters
    ----------
    sequences : Sequences
        The sequences.
    scaling : InputScaling
        What is learned of the features: scaled steps go to the device, and a batch has the
        inputs that its reader makes of them.
    device : torch.device
        Where everything that batches are made of is kept.
    dtype : torch.dtype
        Data type of the steps, targets and weights.
    target : ndarray of shape (n_sequences, n_outputs), or Sequences, default=None
        Not needed to predict. `Sequences` have a target for every step.
    weight : ndarray of shape (n_sequences,), or Sequences, default=None
        As `target`. `None`, or one number for all sequences: no weights are kept.
    """

    def __init__(
        self,
        sequences: Sequences,
        scaling: InputScaling,
        *,
        device: torch.device,
        dtype: torch.dtype,
        target: np.ndarray | Sequences | None = None,
        weight: np.ndarray | Sequences | None = None,
    ):
        first = int(sequences.starts.min(initial=len(sequences.values)))
        behind = int(sequences.ends.max(initial=first))
        self.sequences = sequences
        self.device = device
        starts, self._lengths = sequences.starts, shared_tensor(sequences.lengths)
        self._starts = shared_tensor(starts - first if first else starts).to(device)
        longest = max(sequences.max_length, 1)
        self._steps = torch.arange(longest, device=device)[:, None]
        self._all_full = sequences.lengths.min(initial=longest) == longest
        # Each sequence begins and ends a step behind the one before: batches in this order, those
        # of predictions, are views of the table, which `batch` copies in large blocks.
        self._slides = (
            self._all_full
            and not isinstance(target, Sequences)
            and bool((starts[1:] - starts[:-1] == 1).all())
        )
        self.values = scaling.to_tensor(sequences.values[first:behind], dtype).to(device)
        self._read = scaling.reader(device, dtype)
        self.target = self.weight = self._of_steps = None
        to_tensor = partial(torch.tensor, device=device, dtype=dtype)
        if isinstance(target, Sequences) and isinstance(weight, Sequences):
            self._of_steps = (
                shared_tensor(target.starts).to(device),
                to_tensor(_padded(target.values)),
                to_tensor(_padded(weight.values)),
            )
        elif target is not None:
            self.target = to_tensor(target)
            if weight is not None and (weight != weight[0]).any():
                self.weight = to_tensor(weight)

    def __len__(self) -> int:
        return len(self.sequences)

    def batch(self, rows: Any) -> tuple:
        """Gather some of the sequences.

        Parameters
        ----------
        rows : ndarray or Tensor of int, shape (n_rows,), or slice
            Which sequences.

        Returns
        -------
        inputs : tuple of Tensor
            Steps ``(n_steps, n_rows, n_features)``, short sequences at the front with zeros
            behind; lengths ``(n_rows,)`` on the CPU, or None if all sequences fill ``n_steps``.
        targets : tuple of Tensor
            Target ``(n_rows, n_outputs)`` and weight ``(n_rows,)``; None for what there is not.
            With a target for every step ``(n_steps, n_rows, n_outputs)`` and
            ``(n_steps, n_rows)``, zero behind the end.
        """
        if isinstance(rows, slice):
            if self._slides:  # a copy in large blocks takes half as long as picking the steps
                windows = self.values[:-1].unfold(0, len(self._steps), 1)[rows]
                steps = windows.permute(2, 0, 1).contiguous()
                return (self._read(steps, None), None), self._targets(rows)
            rows = np.arange(len(self))[rows]
        rows = torch.as_tensor(rows)
        lengths = None if self._all_full else self._lengths[rows]
        rows = rows.to(self.device, non_blocking=True)
        steps = self._gather(self.values, self._starts[rows], lengths)
        if self._of_steps is None:
            targets = self._targets(rows)
        else:
            starts, target, weight = self._of_steps
            target = self._gather(target, starts[rows], lengths)
            targets = target, self._gather(weight, starts[rows], lengths)[..., 0]
        if lengths is not None and int(lengths.min()) == len(steps):
            lengths = None
        return (self._read(steps, lengths), lengths), targets

    def merged_batch(self, rows: np.ndarray, columns: np.ndarray) -> tuple:
        """Gather overlapping sequences together: those of a column are read in one run.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Which sequences; those of a column one after another, each a neighbour of the next.
        columns : ndarray of int, shape (n_rows,)
            Column of each, counted from 0 without a gap.

        Returns
        -------
        inputs : tuple of Tensor
            Steps ``(n_steps, n_columns, n_features)`` from the start of the first sequence of a
            column to the end of the last; lengths ``(n_rows,)`` on the CPU, from the start of the
            column to the end of the sequence; columns ``(n_rows,)``.
        targets : tuple of Tensor
            As in `batch`.
        """
        there = torch.from_numpy(rows).to(self.device, non_blocking=True)
        starts, lengths = self.sequences.starts[rows], self.sequences.lengths[rows]
        is_first = np.diff(columns, prepend=-1) > 0
        is_last = np.append(is_first[1:], True)
        lengths = starts + lengths - starts[is_first][columns]
        first = torch.from_numpy(rows[is_first]).to(self.device, non_blocking=True)
        steps = self._gather(self.values, self._starts[first], torch.from_numpy(lengths[is_last]))
        of_rows = torch.from_numpy(columns).to(self.device, non_blocking=True)
        inputs = self._read(steps, None), torch.from_numpy(lengths), of_rows
        return inputs, self._targets(there)

    def _gather(
        self, values: torch.Tensor, starts: torch.Tensor, lengths: torch.Tensor | None
    ) -> torch.Tensor:
        """Rows of values in time-major order; behind the end of a sequence their last one."""
        if lengths is None:
            index = starts + self._steps
        else:
            longest = max(int(lengths.max()), 1)
            steps = torch.arange(longest, device=self.device)[:, None]
            index = starts + steps
            if int(lengths.min()) < longest:
                inside = steps < lengths.to(self.device, non_blocking=True)
                index = torch.where(inside, index, len(values) - 1)
        rows = values.index_select(0, index.flatten())  # indexing by two axes takes far longer
        return rows.view(*index.shape, -1)

    def _targets(self, rows: Any) -> tuple:
        if self.target is None:
            return None, None
        return self.target[rows], None if self.weight is None else self.weight[rows]


def split_batch(batch: tuple, n_parts: int) -> list[tuple]:
    """Split a batch into smaller ones.

    Parameters
    ----------
    batch : tuple
        From `SequenceDataset.batch`.
    n_parts : int
        Most parts; a batch of few sequences may give less.

    Returns
    -------
    list of tuple
        Batches of about the same size, views of the tensors.

    Examples
    --------
    >>> import torch
    >>> batch = (torch.zeros(5, 8, 3), None), (torch.zeros(8, 1), torch.ones(8))
    >>> [tuple(steps.shape) for (steps, _), _ in split_batch(batch, 3)]
    [(5, 3, 3), (5, 3, 3), (5, 2, 3)]
    """

    def chunks(tensor: torch.Tensor | None, axis: int) -> Iterable[torch.Tensor | None]:
        return repeat(None) if tensor is None else tensor.chunk(n_parts, axis)

    (steps, lengths), (target, weight) = batch
    inputs = zip(chunks(steps, 1), chunks(lengths, 0), strict=False)  # what is None has no end
    targets = zip(chunks(target, -2), chunks(weight, -1), strict=False)
    return list(zip(inputs, targets, strict=True))


def differ_in_length(sequences: Sequences) -> bool:
    """Tell whether lengths differ so much that batches of similar ones save time.

    Parameters
    ----------
    sequences : Sequences
        At least one.

    Returns
    -------
    bool
        False for the histories of a table, of which few are short.
    """
    return sequences.lengths.mean() < MIN_FILLED * sequences.max_length


class BatchLoader:
    """All sequences of a dataset, batch by batch: skorch's ``iterator_train`` and ``_valid``.

    Shuffled sequences of different lengths go into batches of similar ones: in a random order,
    each pool of some batches is sorted by length, and the batches come in a random order again.

    Parameters
    ----------
    dataset : SequenceDataset
        What to read.
    batch_size : int
        Number of sequences of a batch; the last one may be smaller. Batches of merged runs hold
        about so many.
    shuffle : bool, default=False
        Whether to read the sequences in a new random order every time.
    supervised_steps : int, default=1
        Neighbouring sequences whose ends are less than so many steps apart are read in one run.
        Where runs are cut is random if `shuffle`.
    generator : torch.Generator, default=None
        Decides what is random. `None`: torch's global one.
    """

    def __init__(
        self,
        dataset: SequenceDataset,
        batch_size: int,
        shuffle: bool = False,
        supervised_steps: int = 1,
        generator: torch.Generator | None = None,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.supervised_steps = supervised_steps
        self.generator = generator
        self._buckets = shuffle and differ_in_length(dataset.sequences)
        if supervised_steps > 1:
            self._order, follows = dataset.sequences.neighbours()
            self._follows = follows
            place = dataset.sequences.ends[self._order]
            first = np.flatnonzero(~follows)
            place -= np.repeat(place[first], np.diff(first, append=len(place)))
            self._order = _smaller(self._order)
            self._place = _smaller(place)  # steps from the end of the first of its chain to its end

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple]:
        if self.supervised_steps > 1:
            return self._merged_batches()
        n_rows, size = len(self.dataset), self.batch_size
        if not self.shuffle:
            return (self.dataset.batch(slice(i, i + size)) for i in range(0, n_rows, size))
        rows = self._permutation(n_rows)
        batches: Sequence[int] = range(len(self))
        if self._buckets:
            pool = np.arange(n_rows) // (BATCHES_IN_POOL * size)
            rows = rows[np.lexsort((self.dataset.sequences.lengths[rows], pool))]
            batches = self._permutation(len(self)).tolist()
        parts = rows.split(size)
        return (self.dataset.batch(parts[i]) for i in batches)

    def _permutation(self, n: int) -> torch.Tensor:
        return torch.randperm(n, generator=self.generator)

    def _merged_batches(self) -> Iterator[tuple]:
        """Cut the chain of neighbours into runs, and put whole runs together to batches.

        A run is a piece of a chain whose ends lie within `supervised_steps` steps; where the
        pieces are cut moves from epoch to epoch, so that no row is always the last of its run.
        """
        phase = 0
        if self.shuffle:
            phase = int(torch.randint(self.supervised_steps, (), generator=self.generator))
        run = (self._place + phase) // self.supervised_steps
        is_first = ~self._follows
        is_first[1:] |= run[1:] != run[:-1]
        first = np.flatnonzero(is_first)
        sizes = np.diff(first, append=len(self._order))
        if self.shuffle:
            runs = self._permutation(len(first)).numpy()
            first, sizes = first[runs], sizes[runs]
        batches = (np.cumsum(sizes) - 1) // self.batch_size
        cuts = np.flatnonzero(np.diff(batches)) + 1
        for start, stop in pairwise([0, *cuts, len(first)]):
            batch = slice(start, stop)
            rows = self._order[ranges(first[batch], sizes[batch])]
            columns = np.repeat(np.arange(stop - start), sizes[batch])
            yield self.dataset.merged_batch(rows, columns)


def _padded(values: np.ndarray) -> np.ndarray:
    """With a row of zeros, the padding, at the end."""
    return np.append(values, np.zeros((1, values.shape[1])), axis=0)


def _smaller(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers in half the memory, if they fit."""
    fits = numbers.max(initial=0) <= np.iinfo(np.int32).max
    return numbers.astype(np.int32) if fits else numbers
