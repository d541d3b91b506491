"""Sequences to tensors: the steps go to the device once, batches are gathered there by index."""

import numpy as np
import torch
from torch.utils.data import Dataset

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
        `None`: 1 each.
    """

    def __init__(self, sequences, mean, scale, *, device, dtype, target=None, weight=None):
        first = int(sequences.starts.min(initial=len(sequences.values)))
        behind = int(sequences.ends.max(initial=first))
        values = _standardized(sequences.values[first:behind], mean, scale, dtype)
        self.values = torch.from_numpy(values).to(device)
        self.padding = len(values) - 1
        self.starts = torch.from_numpy(sequences.starts - first).to(device)
        self.lengths = torch.from_numpy(np.array(sequences.lengths))
        self.device = device
        self.target = None if target is None else torch.tensor(target, device=device, dtype=dtype)
        if weight is None:
            weight = np.ones(len(sequences))
        self.weight = torch.tensor(weight, device=device, dtype=dtype)

    def __len__(self):
        return len(self.starts)

    def batch(self, rows):
        """Gather some of the sequences.

        Parameters
        ----------
        rows : Tensor of int64, shape (n_rows,), on the CPU
            Which sequences.

        Returns
        -------
        inputs : tuple of Tensor
            Steps ``(n_steps, n_rows, n_features)``, short sequences at the front with zeros
            behind; lengths ``(n_rows,)`` on the CPU, or None if all sequences fill ``n_steps``.
        targets : tuple of Tensor
            Target ``(n_rows, n_outputs)`` or None, and weight ``(n_rows,)``.
        """
        lengths = self.lengths[rows]
        longest = max(int(lengths.max()), 1)
        ragged = int(lengths.min()) < longest
        rows = rows.to(self.device, non_blocking=True)
        steps = torch.arange(longest, device=self.device)[:, None]
        index = steps + self.starts[rows]
        if ragged:
            inside = steps < lengths.to(self.device, non_blocking=True)
            index = torch.where(inside, index, self.padding)
        target = None if self.target is None else self.target[rows]
        return (self.values[index], lengths if ragged else None), (target, self.weight[rows])


class BatchLoader:
    """All sequences of a dataset, batch by batch: skorch's ``iterator_train`` and ``_valid``.

    Parameters
    ----------
    dataset : SequenceDataset
        What to read.
    batch_size : int
        Number of sequences of a batch; the last one may be smaller.
    shuffle : bool, default=False
        Whether to read the sequences in a new random order every time.
    """

    def __init__(self, dataset, batch_size, shuffle=False):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        n_sequences = len(self.dataset)
        rows = torch.randperm(n_sequences) if self.shuffle else torch.arange(n_sequences)
        return map(self.dataset.batch, rows.split(self.batch_size))


def _standardized(values, mean, scale, dtype):
    """Standardised copy of the steps with a row of zeros, the padding, at the end."""
    padded = np.zeros((len(values) + 1, values.shape[1]), dtype=str(dtype).removeprefix("torch."))
    with np.errstate(over="ignore", invalid="ignore"):  # steps that no sequence uses may be odd
        for start in range(0, len(values), BLOCK):  # in float64, without such a copy of the table
            block = slice(start, min(start + BLOCK, len(values)))
            padded[block] = (values[block] - mean) / scale
    return padded
