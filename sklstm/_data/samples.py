"""Training data, checked, and the part of them that validates."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from sklstm._data.sequences import Sequences, ranges

__all__ = ["Samples", "split_validation"]


class Samples(NamedTuple):
    """Checked training or validation data.

    Attributes
    ----------
    sequences : Sequences
        The inputs.
    target : ndarray of shape (n_sequences, n_outputs), or Sequences
        What to predict; `Sequences` of targets if there is one for every step.
    weight : ndarray of shape (n_sequences,), or Sequences
        Weights, all positive; of steps 0 or more, 0 for a step without a label.
    """

    sequences: Sequences
    target: np.ndarray | Sequences
    weight: np.ndarray | Sequences

    def take(self, rows):
        """Select samples.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Which samples.

        Returns
        -------
        Samples
            In the order of `rows`.
        """
        return Samples(self.sequences[rows], self.target[rows], self.weight[rows])

    def labelled(self):
        """Select what is learned, be it a target for each sequence or for each step.

        Returns
        -------
        target : ndarray of shape (n_labels, n_outputs)
            The targets.
        weight : ndarray of shape (n_labels,)
            Their weights, all positive.
        """
        if isinstance(self.target, np.ndarray):
            return self.target, self.weight
        weight = self.weight.flat()[:, 0]
        return self.target.flat()[weight > 0], weight[weight > 0]

    def reweighted(self, weight):
        """Change the weights of what is learned.

        Parameters
        ----------
        weight : ndarray of shape (n_labels,)
            As `labelled` gives them; 0 is no longer learned.

        Returns
        -------
        Samples
            Without the sequences of which nothing is left to learn.
        """
        if isinstance(self.weight, np.ndarray):
            return self._replace(weight=weight).take(np.flatnonzero(weight))
        starts, lengths = self.weight.starts, self.weight.lengths
        values = self.weight.values.copy()
        steps = ranges(starts, lengths)
        steps = steps[values[steps, 0] > 0]
        values[steps, 0] = weight
        samples = self._replace(weight=Sequences(values, starts, lengths))
        left = [sequence.any() for sequence in samples.weight]
        return samples.take(np.flatnonzero(left))

    def sequence_weight(self):
        """Weigh the sequences: by the mean weight of their labelled steps, if steps have labels.

        Returns
        -------
        ndarray of shape (n_sequences,) or None
            Weights, all positive; None if they are one number.
        """
        if isinstance(self.weight, np.ndarray):
            return None if (self.weight == self.weight[0]).all() else self.weight
        weight = self.weight.flat()[:, 0]
        row = np.repeat(np.arange(len(self.weight)), self.weight.lengths)
        return np.bincount(row, weight) / np.bincount(row, weight > 0)


def split_validation(samples, fraction, seed, stratify=None):
    """Set the validation part aside.

    Of each series its last rows, in time order: neighbouring windows are almost the same row, so
    that a random part would be known from training. Of independent sequences a random part.

    Parameters
    ----------
    samples : Samples
        All samples.
    fraction : float
        Part of each series, and of the independent sequences, to set aside.
    seed : int
        Decides the random part.
    stratify : ndarray of shape (n_samples,), default=None
        Labels whose shares the random part keeps, if it has room for each label.

    Returns
    -------
    train, valid : Samples
        The two parts.

    Raises
    ------
    ValueError
        If one part would be empty.
    """
    sequences = samples.sequences
    valid = np.zeros(len(sequences), dtype=bool)
    in_series = np.flatnonzero(sequences.series >= 0)
    valid[in_series] = _last_of_each(
        sequences.series[in_series], sequences.ends[in_series], fraction
    )
    independent = np.flatnonzero(sequences.series < 0)
    valid[_random_part(independent, fraction, seed, stratify)] = True
    if valid.all() or not valid.any():
        raise ValueError(
            f"early_stopping sets validation_fraction={fraction} of the rows aside, which leaves "
            f"{(~valid).sum()} of {len(valid)} rows to train and {valid.sum()} to validate. Give "
            "more rows, another validation_fraction, or X_val and y_val."
        )
    return samples.take(np.flatnonzero(~valid)), samples.take(np.flatnonzero(valid))


def _random_part(rows, fraction, seed, stratify):
    """Draw some of the rows."""
    size = round(fraction * len(rows))
    if not size:
        return rows[:0]
    if stratify is not None:
        stratify = stratify[rows]
        counts = np.unique_counts(stratify).counts
        if counts.min() < 2 or len(counts) > min(size, len(rows) - size):
            stratify = None
    return train_test_split(rows, test_size=size, random_state=seed, stratify=stratify)[1]


def _last_of_each(series, time, fraction):
    """Mark the last rows, by time, of each series."""
    order = np.lexsort((time, series))
    sizes = np.bincount(series)[series[order]]
    first = np.concatenate([[True], np.diff(series[order]) > 0])
    rank = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    last = np.empty(len(order), dtype=bool)
    last[order] = rank >= sizes - np.round(fraction * sizes)
    return last
