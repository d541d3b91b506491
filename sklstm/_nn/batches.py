"""Sequences to tensors: the steps go to the device once, batches are gathered there by index."""

from functools import partial
from itertools import pairwise, repeat

import numpy as np
import torch
from torch.utils.data import Dataset

from sklstm._data.sequences import Sequences, ranges

__all__ = [
    "BatchLoader",
    "SequenceDataset",
    "differ_in_length",
    "fill_missing",
    "medians",
    "split_batch",
    "standardization",
    "weighted_moments",
]

BATCHES_IN_POOL = 32
BLOCK = 2**14
LARGEST_SQUARABLE = 1e150
MIN_FILLED = 0.95


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
        Of the steps that are not missing; 0 if there is none.
    scale : ndarray of float64, shape (n_features,)
        Standard deviation; 1 for a feature that does not vary.

    Examples
    --------
    >>> from sklstm import Sequences
    >>> standardization(Sequences([[0.0], [2.0], [100.0]], starts=[0], lengths=[2]))
    (array([1.]), array([1.]))
    """
    step_weights = sequences.step_weights(weight)
    used = step_weights > 0
    mean, scale = np.zeros(sequences.n_features), np.ones(sequences.n_features)
    for j, column in enumerate(sequences.values.T):  # column by column: no copy of the table
        seen = used & ~np.isnan(column)
        if seen.all():
            mean[j], scale[j] = weighted_moments(column, step_weights)
        elif seen.any():
            mean[j], scale[j] = weighted_moments(column[seen], step_weights[seen])
    return mean, scale


def medians(sequences, weight=None):
    """Weighted median of each feature over the steps that the sequences use.

    Parameters
    ----------
    sequences : Sequences
        Every feature must be there in some step in use.
    weight : ndarray of shape (n_sequences,), default=None
        Weight of each sequence. `None`: 1 each.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        The lower median if two numbers are in the middle; of what is not missing.

    Examples
    --------
    >>> from sklstm import Sequences
    >>> medians(Sequences([[0.0], [2.0], [7.0], [100.0]], starts=[0], lengths=[3]))
    array([2.])
    """
    step_weights = sequences.step_weights(weight)
    found = np.zeros(sequences.n_features)
    for j, column in enumerate(sequences.values.T):
        seen = np.flatnonzero((step_weights > 0) & ~np.isnan(column))
        seen = seen[np.argsort(column[seen])]
        below = np.cumsum(step_weights[seen])
        found[j] = column[seen[np.searchsorted(below, below[-1] / 2)]]
    return found


def weighted_moments(x, weight):
    """Weighted mean and standard deviation; the latter is 1 if it is no more than rounding.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Numbers.
    weight : ndarray of shape (n,)
        Weights, not all of them 0.

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
    largest = max(float(x.max()), -float(x.min()))
    if largest > LARGEST_SQUARABLE:
        mean, scale = weighted_moments(x / largest, weight)
        return mean * largest, scale * largest
    first = float(x[0])  # differences from it are exact where a sum over many rows would round
    blocks = [slice(start, start + BLOCK) for start in range(0, len(x), BLOCK)]
    total = sum(float(weight[block].sum()) for block in blocks)
    mean = sum(float((weight[block] * (x[block] - first)).sum()) for block in blocks) / total
    squares = sum(float((weight[block] * (x[block] - first - mean) ** 2).sum()) for block in blocks)
    scale = float(np.sqrt(squares / total))
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
    n_tokens : int, default=None
        Number of tokens, if steps are tokens: they are not standardised, and those that are
        unknown become token 0.
    fill : ndarray of shape (n_features,), default=None
        What stands for values not seen yet, in standardised units, if values may be missing: a
        batch then has three channels for each feature, see `fill_missing`.
    target : ndarray of shape (n_sequences, n_outputs), or Sequences, default=None
        Not needed to predict. `Sequences` have a target for every step.
    weight : ndarray of shape (n_sequences,), or Sequences, default=None
        As `target`. `None`, or one number for all sequences: no weights are kept.
    """

    def __init__(
        self,
        sequences,
        mean,
        scale,
        *,
        device,
        dtype,
        n_tokens=None,
        fill=None,
        target=None,
        weight=None,
    ):
        first = int(sequences.starts.min(initial=len(sequences.values)))
        behind = int(sequences.ends.max(initial=first))
        used = sequences.values[first:behind]
        if n_tokens is None:
            steps = _standardized(used, mean, scale, dtype)
        else:
            steps = _known_tokens(used, n_tokens)
        self.sequences = sequences
        self.device = device
        starts, self._lengths = sequences.starts, _tensor(sequences.lengths)
        self._starts = _tensor(starts - first if first else starts).to(device)
        longest = max(sequences.max_length, 1)
        self._steps = torch.arange(longest, device=device)[:, None]
        self._all_full = sequences.lengths.min(initial=longest) == longest
        self._slides = (  # each sequence begins and ends a step behind the one before
            self._all_full
            and not isinstance(target, Sequences)
            and bool((starts[1:] - starts[:-1] == 1).all())
        )
        self.values = steps.to(device)
        to_tensor = partial(torch.tensor, device=device, dtype=dtype)
        self.fill = None if fill is None else to_tensor(fill)
        self.target = self.weight = self._target_starts = None
        if isinstance(target, Sequences):
            self._target_starts = _tensor(target.starts).to(device)
            self.target, self.weight = (
                to_tensor(np.append(x.values, np.zeros((1, x.n_features)), axis=0))
                for x in (target, weight)
            )
        elif target is not None:
            self.target = to_tensor(target)
            if weight is not None and (weight != weight[0]).any():
                self.weight = to_tensor(weight)

    def __len__(self):
        return len(self.sequences)

    def batch(self, rows):
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
                return (self._filled(steps), None), self._targets(rows)
            rows = np.arange(len(self))[rows]
        rows = torch.as_tensor(rows)
        lengths = None if self._all_full else self._lengths[rows]
        rows = rows.to(self.device, non_blocking=True)
        steps = self._gather(self.values, self._starts[rows], lengths)
        if self._target_starts is None:
            targets = self._targets(rows)
        else:
            starts = self._target_starts[rows]
            targets = tuple(self._gather(x, starts, lengths) for x in (self.target, self.weight))
            targets = targets[0], targets[1][..., 0]
        if lengths is not None and int(lengths.min()) == len(steps):
            lengths = None
        return (self._filled(steps), lengths), targets

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
        there = torch.from_numpy(rows).to(self.device, non_blocking=True)
        starts, lengths = self.sequences.starts[rows], self.sequences.lengths[rows]
        is_first = np.diff(columns, prepend=-1) > 0
        is_last = np.append(is_first[1:], True)
        lengths = starts + lengths - starts[is_first][columns]
        first = torch.from_numpy(rows[is_first]).to(self.device, non_blocking=True)
        steps = self._gather(self.values, self._starts[first], torch.from_numpy(lengths[is_last]))
        columns = torch.from_numpy(columns).to(self.device, non_blocking=True)
        inputs = self._filled(steps), torch.from_numpy(lengths), columns
        return inputs, self._targets(there)

    def _gather(self, values, starts, lengths):
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

    def _filled(self, steps):
        return steps if self.fill is None else fill_missing(steps, self.fill)

    def _targets(self, rows):
        if self.target is None:
            return None, None
        return self.target[rows], None if self.weight is None else self.weight[rows]


def split_batch(batch, n_parts):
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

    def chunks(tensor, axis):
        return repeat(None) if tensor is None else tensor.chunk(n_parts, axis)

    (steps, lengths), (target, weight) = batch
    inputs = zip(chunks(steps, 1), chunks(lengths, 0), strict=False)  # what is None has no end
    targets = zip(chunks(target, -2), chunks(weight, -1), strict=False)
    return list(zip(inputs, targets, strict=True))


def fill_missing(steps, fill):
    """Fill what is missing with what was seen last, and tell the network so.

    The three inputs of GRU-simple in Che et al., "Recurrent Neural Networks for Multivariate Time
    Series with Missing Values", Scientific Reports 8, 2018: values, masking and time since the
    last observation, here in steps, as a logarithm.

    Parameters
    ----------
    steps : Tensor of shape (n_steps, n_sequences, n_features)
        NaN where a value is missing.
    fill : Tensor of shape (n_features,)
        What stands for a value as long as none was seen.

    Returns
    -------
    Tensor of shape (n_steps, n_sequences, 3 * n_features)
        For each feature the value seen last; whether it is missing now, 1 or 0; and ``log(1 + d)``
        with ``d`` the number of steps since it was seen, or since before the first step.

    Examples
    --------
    >>> import torch
    >>> fill_missing(torch.tensor([torch.nan, 7.0, torch.nan]).reshape(3, 1, 1), torch.zeros(1))
    tensor([[[0.0000, 1.0000, 0.6931]],
            [[7.0000, 0.0000, 0.0000]],
            [[7.0000, 1.0000, 0.6931]]])
    """
    missing = steps.isnan()
    now = torch.arange(len(steps), device=steps.device)[:, None, None]
    last_seen = torch.where(missing, -1, now).cummax(0).values
    filled = torch.where(last_seen < 0, fill, steps.gather(0, last_seen.clamp(min=0)))
    since = torch.log1p((now - last_seen).to(steps.dtype))
    return torch.cat([filled, missing.to(steps.dtype), since], dim=2)


def differ_in_length(sequences):
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
    """

    def __init__(self, dataset, batch_size, shuffle=False, supervised_steps=1):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.supervised_steps = supervised_steps
        self._buckets = shuffle and differ_in_length(dataset.sequences)
        if supervised_steps > 1:
            self._order, follows = dataset.sequences.neighbours()
            self._follows = follows
            place = dataset.sequences.ends[self._order]
            first = np.flatnonzero(~follows)
            place -= np.repeat(place[first], np.diff(first, append=len(place)))
            self._order = _smaller(self._order)
            self._place = _smaller(place)  # steps from the end of the first of its chain to its end

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        if self.supervised_steps > 1:
            return self._merged_batches()
        n_rows, size = len(self.dataset), self.batch_size
        if not self.shuffle:
            return (self.dataset.batch(slice(i, i + size)) for i in range(0, n_rows, size))
        rows = torch.randperm(n_rows)
        batches = range(len(self))
        if self._buckets:
            pool = np.arange(n_rows) // (BATCHES_IN_POOL * size)
            rows = rows[np.lexsort((self.dataset.sequences.lengths[rows], pool))]
            batches = torch.randperm(len(self)).tolist()
        parts = rows.split(size)
        return (self.dataset.batch(parts[i]) for i in batches)

    def _merged_batches(self):
        phase = int(torch.randint(self.supervised_steps, ())) if self.shuffle else 0
        run = (self._place + phase) // self.supervised_steps
        is_first = ~self._follows
        is_first[1:] |= run[1:] != run[:-1]
        first = np.flatnonzero(is_first)
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


def _tensor(array):
    """Tensor on the CPU that shares the memory of the array, if torch can."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _smaller(numbers):
    """Whole numbers in half the memory, if they fit."""
    fits = numbers.max(initial=0) <= np.iinfo(np.int32).max
    return numbers.astype(np.int32) if fits else numbers


def _known_tokens(values, n_tokens):
    """Tokens with 0 for the unknown ones, and a row of zeros, the padding, at the end."""
    known = (values >= 0) & (values < n_tokens)
    tokens = np.zeros((len(values) + 1, 1), dtype=np.int32)
    tokens[:-1] = np.where(known, values, 0)
    return torch.from_numpy(tokens)


def _standardized(values, mean, scale, dtype):
    """Standardised copy of the steps with a row of zeros, the padding, at the end."""
    mean, scale = torch.from_numpy(mean), torch.from_numpy(scale)
    padded = torch.zeros((len(values) + 1, values.shape[1]), dtype=dtype)
    for start in range(0, len(values), BLOCK):  # in float64, without such a copy of the table
        block = torch.from_numpy(values[start : start + BLOCK].astype(np.float64))
        padded[start : start + len(block)] = block.sub_(mean).div_(scale)
    return padded
