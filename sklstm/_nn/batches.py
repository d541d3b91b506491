"""Batches: steps are copied to the device once, and gathered there by index."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._nn.losses import mask_missing
from sklstm._nn.scaling import InputScaling, shared_tensor, to_device

__all__ = [
    "BatchLoader",
    "SequenceDataset",
    "cut_by_length",
    "differ_in_length",
    "join_batches",
    "side_by_side",
    "split_batch",
]

BATCHES_AT_ONCE = 256
"""Number of batches whose row numbers are copied to the device together."""

BATCHES_IN_POOL = 32
MIN_FILLED = 0.95

STEP_COST = {"cpu": 8, "gpu": 512}
"""Fixed cost of a step, in sequences: measured for the CPU, estimated for the GPU."""

STEPS_OF_CALL = 64
"""Fixed cost of a call of the network, in steps: measured."""


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


def split_batch(batch: tuple, n_parts: int) -> list[tuple]:
    """Split a batch into smaller ones.

    Parameters
    ----------
    batch : tuple
        From `SequenceDataset.batch`.
    n_parts : int
        Largest number of parts; a batch of few sequences may have fewer.

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
    inputs = zip(chunks(steps, 1), chunks(lengths, 0), strict=False)  # repeat(None) has no end
    of_weight = -1 if weight is None or weight.ndim < target.ndim else -2
    targets = zip(chunks(target, -2), chunks(weight, of_weight), strict=False)
    return list(zip(inputs, targets, strict=True))


def join_batches(parts: Sequence[tuple]) -> tuple:
    """Put the parts of a batch side by side.

    Parameters
    ----------
    parts : sequence of tuple
        Batches from `SequenceDataset.batches`.

    Returns
    -------
    tuple
        One batch of all their sequences, with zeros after the end of shorter ones.

    Examples
    --------
    >>> import torch
    >>> parts = [((torch.ones(n, 2, 3), None), (torch.ones(2, 1), None)) for n in (1, 5)]
    >>> (steps, lengths), (target, weight) = join_batches(parts)
    >>> tuple(steps.shape), lengths.tolist(), len(target)
    ((5, 4, 3), [1, 1, 5, 5], 4)
    """
    inputs, targets = zip(*parts, strict=True)
    steps = [of_part[0] for of_part in inputs]
    lengths = [
        torch.full(x.shape[1:2], len(x), device=x.device) if own is None else own
        for x, own in inputs
    ]
    target, weight = zip(*targets, strict=True)
    return (side_by_side(steps), torch.cat(lengths)), (
        side_by_side(target),
        None if weight[0] is None else side_by_side([w[..., None] for w in weight])[..., 0],
    )


def side_by_side(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Join tensors of the parts of a batch, of sequences or with steps as the first axis.

    Parameters
    ----------
    parts : sequence of Tensor of shape (n_i, n_columns) or (n_steps_i, n_i, n_columns)
        One for each part.

    Returns
    -------
    Tensor of shape (n, n_columns) or (n_steps, n, n_columns)
        Zero after the end of shorter parts.
    """
    if parts[0].ndim == 2:
        return torch.cat(list(parts))
    longest = max(map(len, parts))
    return torch.cat([F.pad(x, (0, 0, 0, 0, 0, longest - len(x))) for x in parts], dim=1)


def cut_by_length(lengths: np.ndarray, step_cost: int) -> list[int]:
    """Divide sequences into parts of similar length, where that saves time.

    Parameters
    ----------
    lengths : ndarray of int, shape (n_sequences,)
        In ascending order.
    step_cost : int
        Fixed cost of a step, in sequences.

    Returns
    -------
    list of int
        Sizes of the parts.

    Examples
    --------
    >>> import numpy as np
    >>> cut_by_length(np.array([10, 10, 11, 12, 10_000]), step_cost=8)
    [4, 1]
    """
    n_shorter, others = np.arange(1, len(lengths)), lengths[:-1].astype(np.int64)
    saved = n_shorter * (lengths[-1] - others) - step_cost * (others + STEPS_OF_CALL)
    if saved.max(initial=0) <= 0:
        return [len(lengths)]
    cut = int(saved.argmax()) + 1
    return [*cut_by_length(lengths[:cut], step_cost), *cut_by_length(lengths[cut:], step_cost)]


def differ_in_length(sequences: Sequences) -> bool:
    """Return whether lengths differ so much that batches of similar lengths save time.

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
    each pool of some batches is sorted by length, and the batches are shuffled again. If lengths
    within a batch still differ so much that it is faster to compute it in parts, it is a list of
    these parts, each a batch. Sequences that are not shuffled are in batches of similar lengths if
    they are sorted by length.

    Parameters
    ----------
    dataset : SequenceDataset
        The sequences.
    batch_size : int or callable
        Number of sequences of a batch; the last batch of similar lengths may be smaller, and
        batches of merged runs have about this number. Without `shuffle` it may be a function of
        the number of steps.
    shuffle : bool, default=False
        Whether to read the sequences in a new random order in each epoch.
    supervised_steps : int, default=1
        Neighbouring sequences whose ends are fewer than this number of steps apart are read in one
        run. Runs are cut at random places if `shuffle`.
    generator : torch.Generator, default=None
        Generator of random numbers. `None`: torch's global one.
    step_cost : int, default=8
        Fixed cost of a step, in sequences.
    """

    def __init__(
        self,
        dataset: SequenceDataset,
        batch_size: Any,
        shuffle: bool = False,
        supervised_steps: int = 1,
        generator: torch.Generator | None = None,
        step_cost: int = STEP_COST["cpu"],
    ):
        self.step_cost = step_cost
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.supervised_steps = supervised_steps
        self.generator = generator
        self._differ = differ_in_length(dataset.sequences)
        self._sizes = [] if shuffle else self._sizes_in_order()
        if supervised_steps > 1:
            self._order, follows = dataset.sequences.neighbours()
            self._follows = follows
            place = dataset.sequences.ends[self._order]
            first = np.flatnonzero(~follows)
            place -= np.repeat(place[first], np.diff(first, append=len(place)))
            self._order = _smaller(self._order)
            self._place = _smaller(place)  # steps from the end of the first of its chain to its end

    def __len__(self) -> int:
        if not self.shuffle:
            return len(self._sizes)
        return -(-len(self.dataset) // self.batch_size)

    def n_steps(self) -> list[int]:
        """Number of steps of the sequences of each batch, if they are not shuffled."""
        first = np.cumsum([0, *self._sizes[:-1]])
        return np.add.reduceat(self.dataset.sequences.lengths, first).tolist()

    def __iter__(self) -> Iterator[tuple | list[tuple]]:
        if self.supervised_steps > 1:
            return self._merged_batches()
        if not self.shuffle:
            ends = np.cumsum(self._sizes).tolist()
            return (self.dataset.batch(slice(*ends)) for ends in pairwise([0, *ends]))
        n_rows, size = len(self.dataset), self.batch_size
        rows = self._permutation(n_rows)
        parts = rows.split(size)
        if self._differ:
            pool = np.arange(n_rows) // (BATCHES_IN_POOL * size)
            rows = rows[np.lexsort((self.dataset.sequences.lengths[rows], pool))]
            parts = rows.split(size)
            parts = [parts[i] for i in self._permutation(len(self)).tolist()]
        some = range(0, len(parts), BATCHES_AT_ONCE)
        return chain.from_iterable(self._in_parts(parts[i : i + BATCHES_AT_ONCE]) for i in some)

    def _in_parts(self, batches: Sequence[torch.Tensor]) -> Iterator[tuple | list[tuple]]:
        """Batches of these rows, each perhaps in parts."""
        if not self._differ:
            yield from self.dataset.batches(batches)
            return
        lengths = self.dataset.sequences.lengths
        sizes = [cut_by_length(lengths[rows.numpy()], self.step_cost) for rows in batches]
        parts = (rows.split(cuts) for rows, cuts in zip(batches, sizes, strict=True))
        gathered = self.dataset.batches(list(chain.from_iterable(parts)))
        for cuts in sizes:
            of_batch = [next(gathered) for _ in cuts]
            yield of_batch if len(of_batch) > 1 else of_batch[0]

    def _sizes_in_order(self) -> list[int]:
        """Number of sequences of each batch, if they are not shuffled."""
        lengths, parts = self.dataset.sequences.lengths, [len(self.dataset)]
        if self._differ and (np.diff(lengths) >= 0).all():
            parts = cut_by_length(lengths, self.step_cost)
        sizes, end = [], 0
        for n_rows in parts:
            end += n_rows
            size = self.batch_size
            if callable(size):
                size = size(int(lengths[end - n_rows : end].max()))
            sizes += [size] * (n_rows // size) + [n_rows % size] * (n_rows % size > 0)
        return sizes

    def _permutation(self, n: int) -> torch.Tensor:
        return torch.randperm(n, generator=self.generator)

    def _merged_batches(self) -> Iterator[tuple]:
        """Cut the chain of neighbours into runs, and join whole runs to batches.

        A run is a piece of a chain whose ends lie within `supervised_steps` steps; where the
        pieces are cut varies from epoch to epoch, so that no row is always the last of its run.
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
        cuts = np.append(np.flatnonzero(np.diff(batches, prepend=-1)), len(first))
        some = [*range(0, len(cuts) - 1, BATCHES_AT_ONCE), len(cuts) - 1]
        for begin, end in pairwise(some):
            of_runs = slice(cuts[begin], cuts[end])
            rows = self._order[ranges(first[of_runs], sizes[of_runs])]
            counts = np.diff(cuts[begin : end + 1])
            yield from self.dataset.merged_batches(rows, sizes[of_runs], counts)


def _padded(values: np.ndarray) -> np.ndarray:
    """Append a row of zeros, the padding."""
    return np.append(values, np.zeros((1, values.shape[1])), axis=0)


def _smaller(numbers: np.ndarray) -> np.ndarray:
    """As int32 if the numbers fit."""
    fits = numbers.max(initial=0) <= np.iinfo(np.int32).max
    return numbers.astype(np.int32) if fits else numbers
