"""Sequences to tensors: the steps go to the device once, batches are gathered there by index."""

from itertools import pairwise

import numpy as np
import torch
from torch.utils.data import Dataset

from sklstm._sequences import ranges

__all__ = ["BatchLoader", "SequenceDataset", "standardization", "weighted_moments"]

BLOCK = 4096


def standardization(sequences, weight=None):
    """Mean and standard deviation of each feature over the steps that the sequences use.

    A step counts as often as sequences use it, with their weights: what no given sequence uses
    (the test rows of a cross-validation, which share the table) has no influence.

    Parameters
    ----------
    sequences : Sequences
        Steps in use must be finite.
    weight : ndarray of shape (n_sequences,), default=None
        Weight of each sequence. `None`: 1 each.

    Returns
    -------
    mean : ndarray of float64, shape (n_features,)
        0 if no step is used.
    scale : ndarray of float64, shape (n_features,)
        Standard deviation; 1 for a feature that does not vary.

    Examples
    --------
    >>> from sklstm import Sequences
    >>> standardization(Sequences([[0.0], [2.0], [100.0]], starts=[0], lengths=[2]))
    (array([1.]), array([1.]))
    """
    step_weights = sequences.step_weights(weight)
    used = np.flatnonzero(step_weights)
    mean, scale = np.zeros(sequences.n_features), np.ones(sequences.n_features)
    if not len(used):
        return mean, scale
    share = step_weights[used] / step_weights[used].sum()
    all_used = len(used) == len(step_weights)
    for j, column in enumerate(sequences.values.T):  # column by column: no copy of the table
        column = (column if all_used else column[used]).astype(np.float64, copy=False)
        mean[j], scale[j] = weighted_moments(column, share)
    return mean, scale


def weighted_moments(x, share):
    """Weighted mean and standard deviation; the latter is 1 if it is no more than rounding.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Numbers.
    share : ndarray of shape (n,)
        Weights that sum to 1.

    Returns
    -------
    mean, scale : float
        In units of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> weighted_moments(np.array([7.0, 7.0]), np.array([0.5, 0.5]))
    (7.0, 1.0)
    """
    first = float(x[0])  # differences from it are exact where a sum over many rows would round
    x = x - first
    mean = float(share @ x)
    scale = float(np.sqrt(share @ (x - mean) ** 2))
    mean += first
    rounding = 10 * np.finfo(np.float64).eps * abs(mean)
    return mean, scale if scale > rounding else 1.0


class SequenceDataset(Dataset):
    """Standardised sequences on a device, with targets and weights.

    Parameters
    ----------
    sequences : Sequences
        The sequences.
    mean, scale : ndarray of shape (n_features,)
        ``(values - mean) / scale`` goes to the device.
    device : torch.device
        Where everything that batches are made of is kept.
    dtype : torch.dtype
        Data type of the steps, targets and weights.
    target : ndarray of shape (n_sequences, n_outputs), default=None
        Not needed to predict.
    weight : ndarray of shape (n_sequences,), default=None
        `None`, or one number for all: no weights are kept.
    """

    def __init__(self, sequences, mean, scale, *, device, dtype, target=None, weight=None):
        first = int(sequences.starts.min(initial=len(sequences.values)))
        behind = int(sequences.ends.max(initial=first))
        values = _standardized(sequences.values[first:behind], mean, scale, dtype)
        self.sequences = sequences
        self.first = first
        self.values = torch.from_numpy(values).to(device)
        self.padding = len(values) - 1
        self.device = device
        if weight is not None and (weight == weight[:1]).all():
            weight = None
        self.target, self.weight = (
            None if x is None else torch.tensor(x, device=device, dtype=dtype)
            for x in (target, weight)
        )

    def __len__(self):
        return len(self.sequences)

    def batch(self, rows):
        """Gather some of the sequences.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Which sequences.

        Returns
        -------
        inputs : tuple of Tensor
            Steps ``(n_steps, n_rows, n_features)``, short sequences at the front with zeros
            behind; lengths ``(n_rows,)`` on the CPU, or None if all sequences fill ``n_steps``.
        targets : tuple of Tensor
            Target ``(n_rows, n_outputs)`` and weight ``(n_rows,)``; None for what there is not.
        """
        sequences = self.sequences
        steps, lengths = self._gather(sequences.starts[rows], sequences.lengths[rows])
        return (steps, lengths), self._targets(rows)

    def merged_batch(self, rows, columns):
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
        ends = self.sequences.ends[rows]
        is_first = np.diff(columns, prepend=-1) > 0
        is_last = np.append(is_first[1:], True)
        starts = self.sequences.starts[rows[is_first]]
        steps, _ = self._gather(starts, ends[is_last] - starts)
        lengths = torch.from_numpy(ends - starts[columns])
        columns = torch.from_numpy(columns).to(self.device, non_blocking=True)
        return (steps, lengths, columns), self._targets(rows)

    def _gather(self, starts, lengths):
        """Steps in time-major order, and lengths if they differ."""
        longest = max(int(lengths.max()), 1)
        starts = torch.from_numpy(starts - self.first).to(self.device, non_blocking=True)
        steps = torch.arange(longest, device=self.device)[:, None]
        index = steps + starts
        if int(lengths.min()) == longest:
            return self.values[index], None
        lengths = torch.from_numpy(lengths)
        inside = steps < lengths.to(self.device, non_blocking=True)
        return self.values[torch.where(inside, index, self.padding)], lengths

    def _targets(self, rows):
        if self.target is None:
            return None, None
        rows = torch.from_numpy(rows).to(self.device, non_blocking=True)
        return self.target[rows], None if self.weight is None else self.weight[rows]


class BatchLoader:
    """All sequences of a dataset, batch by batch: skorch's ``iterator_train`` and ``_valid``.

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
    """

    def __init__(self, dataset, batch_size, shuffle=False, supervised_steps=1):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.supervised_steps = supervised_steps
        if supervised_steps > 1:
            self._order, follows = dataset.sequences.neighbours()
            ends = dataset.sequences.ends[self._order]
            chain = np.maximum.accumulate(np.where(follows, 0, np.arange(len(ends))))
            self._follows, self._place = follows, ends - ends[chain]

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        if self.supervised_steps > 1:
            return self._merged_batches()
        n_rows = len(self.dataset)
        rows = (torch.randperm(n_rows) if self.shuffle else torch.arange(n_rows)).numpy()
        starts = range(0, n_rows, self.batch_size)
        return (self.dataset.batch(rows[start : start + self.batch_size]) for start in starts)

    def _merged_batches(self):
        phase = int(torch.randint(self.supervised_steps, ())) if self.shuffle else 0
        block = (self._place + phase) // self.supervised_steps
        first = np.flatnonzero(~self._follows | (np.diff(block, prepend=-1) != 0))
        sizes = np.diff(first, append=len(self._order))
        if self.shuffle:
            runs = torch.randperm(len(first)).numpy()
            first, sizes = first[runs], sizes[runs]
        batches = (np.cumsum(sizes) - 1) // self.batch_size
        cuts = np.flatnonzero(np.diff(batches)) + 1
        for start, stop in pairwise([0, *cuts, len(first)]):
            batch = slice(start, stop)
            rows = self._order[ranges(first[batch], sizes[batch])]
            columns = np.repeat(np.arange(stop - start), sizes[batch])
            yield self.dataset.merged_batch(rows, columns)


def _standardized(values, mean, scale, dtype):
    """Standardised copy of the steps with a row of zeros, the padding, at the end."""
    padded = np.zeros((len(values) + 1, values.shape[1]), dtype=str(dtype).removeprefix("torch."))
    with np.errstate(over="ignore", invalid="ignore"):  # steps that no sequence uses may be odd
        for start in range(0, len(values), BLOCK):  # in float64, without such a copy of the table
            block = slice(start, min(start + BLOCK, len(values)))
            padded[block] = (values[block] - mean) / scale
    return padded
