"""Batches of a dataset: which sequences are computed together, and in what order."""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch

from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._nn.dataset import SequenceDataset

__all__ = ["BatchLoader", "cut_by_length", "differ_in_length"]

BATCHES_AT_ONCE = 256
"""Number of batches whose row numbers are copied to the device together: of 64 rows, 128 kB, and a
copy costs nothing beside so many batches."""

BATCHES_IN_POOL = 32
"""Of lengths from 1 to 100, batches of 64 are padding by 49 % if their order is random, by 18 % in
pools of 8 batches, by 5 % in pools of 32 and by 2 % in pools of 128, whose batches are less random:
`benchmarks/constants.py`."""

MIN_FILLED = 0.95
"""Share of steps that are no padding from which no batches of similar lengths are made: they save a
twentieth of the steps at most."""

STEP_COST = {"cpu": 8, "gpu": 512}
"""Fixed cost of a step, in sequences. On a CPU 5 with 8 units and 1 with 32 units, forwards and
backwards (`benchmarks/constants.py`), and more where less of it is computed; on a GPU estimated."""

STEPS_OF_CALL = 64
"""Fixed cost of a call of the network, in steps: cautious. `benchmarks/constants.py` has 200 to
500, as a step of few sequences is cheap."""


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


def _smaller(numbers: np.ndarray) -> np.ndarray:
    """As int32 if the numbers fit."""
    fits = numbers.max(initial=0) <= np.iinfo(np.int32).max
    return numbers.astype(np.int32) if fits else numbers
