"""Training data, and the split of a validation part."""

from collections.abc import Callable
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from sklstm._data.arrays import plain
from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import _check_sample_weight, _num_samples, _safe_indexing
from sklstm._data.steps import (
    StepNames,
    flatten_steps,
    flatten_weights,
    has_no_label,
    histories_of_steps,
    plain_labels,
    warn_of_no_label,
)

__all__ = ["GivenSamples", "Samples", "TrainingData", "read_samples", "split_validation"]

SMALLEST_WEIGHT = float(np.finfo(np.float32).tiny)
"""Share of the largest weight below which a row has no influence in any data type."""


class Samples(NamedTuple):
    """Checked training or validation data.

    Attributes
    ----------
    sequences : Sequences
        The inputs.
    target : ndarray of shape (n_sequences, n_outputs), or (sum of lengths, n_outputs)
        Targets, sequence by sequence; one row a step if `of_steps`. NaN where one of several
        targets is missing.
    weight : ndarray of shape (n_sequences,), or (sum of lengths,)
        Weights of the rows of `target`, all positive; of steps 0 or more, 0 for a step without a
        label.
    of_steps : bool, default=False
        Whether there is a target at every step.
    """

    sequences: Sequences
    target: np.ndarray
    weight: np.ndarray
    of_steps: bool = False

    def take(self, rows: np.ndarray) -> "Samples":
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
        places = rows
        if self.of_steps:
            lengths = self.sequences.lengths.astype(np.int64)
            places = ranges((np.cumsum(lengths) - lengths)[rows], lengths[rows])
        sequences = self.sequences[rows]
        return self._replace(
            sequences=sequences, target=self.target[places], weight=self.weight[places]
        )

    def labelled(self) -> tuple[np.ndarray, np.ndarray]:
        """Select the targets of sequences, or of labelled steps.

        Returns
        -------
        target : ndarray of shape (n_labels, n_outputs)
            The targets.
        weight : ndarray of shape (n_labels,)
            Their weights, all positive.
        """
        if not self.of_steps:
            return self.target, self.weight
        labelled = self.weight > 0
        return self.target[labelled], self.weight[labelled]

    def histories(self) -> Sequences:
        """Select the history of each label of `labelled`.

        Returns
        -------
        Sequences
            One for each label: if steps have labels, all steps up to that step.
        """
        return self.all_histories()[self.weight > 0] if self.of_steps else self.sequences

    def all_histories(self) -> Sequences:
        """Select the history of each row of `target`.

        Returns
        -------
        Sequences
            One for each: if steps have labels, all steps up to that step.
        """
        return histories_of_steps(self.sequences) if self.of_steps else self.sequences

    def sequence_weight(self) -> np.ndarray | None:
        """Compute weights of sequences: the mean weight of labelled steps, if steps have labels.

        Returns
        -------
        ndarray of shape (n_sequences,) or None
            Weights, all positive; None if all are equal.
        """
        weight = self.weight
        if self.of_steps:
            row = np.repeat(np.arange(len(self.sequences)), self.sequences.lengths)
            weight = np.bincount(row, weight) / np.bincount(row, weight > 0)
        return None if (weight == weight[0]).all() else weight


class TrainingData(NamedTuple):
    """Training and validation data.

    Attributes
    ----------
    train : Samples
        The training part.
    valid : Samples or None
        The validation part.
    rest : Samples or None
        All that is not in `train`, if `valid` was set aside: `valid` is among it.
    everything : Samples or None
        `train` and `rest` together, in the order they were given.
    """

    train: Samples
    valid: Samples | None = None
    rest: Samples | None = None
    everything: Samples | None = None


class GivenSamples(NamedTuple):
    """Samples with targets as the user gave them.

    Attributes
    ----------
    sequences : Sequences
        The inputs: those that have a label.
    y : array-like of shape (n_labels,) or (n_labels, n_outputs)
        Labels or numbers, one entry a sequence, or a labelled step.
    weight : ndarray of float64, shape (n_labels,)
        Weights, all positive.
    rows : ndarray of int, shape (n_labels,), or StepNames
        Row of X of each label, and its step, if steps have labels; for messages.
    rows_of_sequences : ndarray of int, shape (n_sequences,)
        Row of X of each sequence.
    steps : ndarray of int, shape (n_labels,), or None
        Place of each label among the steps of `sequences`, if steps have labels.
    """

    sequences: Sequences
    y: Any
    weight: np.ndarray
    rows: Any
    rows_of_sequences: np.ndarray
    steps: np.ndarray | None = None

    def encoded(self, target: np.ndarray, weight: np.ndarray) -> Samples:
        """Replace the labels by targets that a head encoded.

        Parameters
        ----------
        target : ndarray of shape (n_labels, n_outputs)
            Targets as the network learns them.
        weight : ndarray of shape (n_labels,)
            Their weights. Only ratios matter, and samples of weight 0 are dropped.

        Returns
        -------
        Samples
            Without sequences whose weights are all 0.
        """
        weight = _comparable(weight)
        if self.steps is None:
            samples = Samples(self.sequences, target, weight)
            return samples if weight.all() else samples.take(np.flatnonzero(weight))
        lengths = self.sequences.lengths
        all_targets, all_weights = (
            np.zeros((lengths.sum(), target.shape[1])),
            np.zeros(lengths.sum()),
        )
        all_targets[self.steps], all_weights[self.steps] = target, weight
        row = np.repeat(np.arange(len(lengths)), lengths)
        samples = Samples(self.sequences, all_targets, all_weights, of_steps=True)
        return samples.take(np.unique(row[all_weights > 0]))


def read_samples(
    sequences: Sequences,
    y: Any,
    sample_weight: Any,
    is_unlabelled: Callable[[np.ndarray], np.ndarray] | None = None,
) -> GivenSamples:
    """Check inputs, targets and weights, and drop samples without weight or label.

    Parameters
    ----------
    sequences : Sequences
        The inputs.
    y : array-like of shape (n_sequences,) or (n_sequences, n_outputs), or one entry a step
        Labels or numbers.
    sample_weight : array-like of shape (n_sequences,), or one entry a step, or None
        Weights; rows of weight 0 are only history of other rows, and need no target.
    is_unlabelled : callable, default=None
        Returns which steps have no label, if steps have labels. `None`: sequences have.

    Returns
    -------
    GivenSamples
        The samples to learn from.

    Raises
    ------
    ValueError
        If lengths do not match, or there is no label.
    """
    y, sample_weight = plain(y), plain(sample_weight)
    if isinstance(y, (dict, set, str)):
        raise ValueError(
            f"y is a {type(y).__name__}; expected an array or a list, a target for each sequence."
        )
    if _num_samples(y) != len(sequences):
        raise ValueError(
            f"X has {len(sequences)} rows and y has {_num_samples(y)}: each row of X, one "
            "sequence, needs its target. A SequenceWindower keeps the number of rows."
        )
    if is_unlabelled is not None:
        return _read_steps(sequences, y, sample_weight, is_unlabelled)
    _refuse_targets_of_steps(y)
    rows, weight = np.arange(len(sequences)), np.broadcast_to(1.0, len(sequences))
    if sample_weight is not None:
        if isinstance(sample_weight, (Number, str, dict, set)):
            raise ValueError(f"sample_weight is {sample_weight!r}; expected a number a sequence.")
        weight = _checked_weight(sample_weight, len(sequences))
        rows = np.flatnonzero(weight)
    if len(rows) < len(sequences):
        sequences, y, weight = sequences[rows], _safe_indexing(y, rows), weight[rows]
    return GivenSamples(sequences, y, weight, rows, rows)


def _refuse_targets_of_steps(y: Any) -> None:
    """Raise an error for targets of steps, which need pooling=None."""
    shape = y.shape if getattr(y, "ndim", 0) > 2 else None
    if isinstance(y, (list, tuple)) and any(
        issubclass(kind, (list, tuple, np.ndarray)) for kind in set(map(type, y))
    ):
        parts = [np.asarray(part, dtype=object) for part in y]
        if len({part.shape for part in parts}) > 1 or parts[0].ndim > 1:
            shape = f"{parts[0].shape} and so on in a list"
    if shape is not None:
        raise ValueError(
            f"y has the shape {shape}: one entry a step, it seems, and one target a sequence is "
            "expected: (n_sequences,) or (n_sequences, n_outputs). With pooling=None LSTMRegressor "
            "and LSTMClassifier learn and predict at every step."
        )


def _read_steps(
    sequences: Sequences,
    y: Any,
    sample_weight: Any,
    is_unlabelled: Callable[[np.ndarray], np.ndarray],
) -> GivenSamples:
    """Samples with labels of steps, some of which may have none."""
    lengths = sequences.lengths
    flat = flatten_steps(y, lengths, is_unlabelled=is_unlabelled)
    weight = np.ones(len(flat))
    if sample_weight is not None:
        weight = flatten_weights(sample_weight, lengths, y)
    weight = _checked_weight(weight, len(flat))
    if is_unlabelled is has_no_label:
        warn_of_no_label(flat[weight > 0])
    weight[is_unlabelled(flat)] = 0
    labels = np.flatnonzero(weight)
    if not len(labels):
        raise ValueError("No step has a label: y holds nothing but NaN, or -1 for labels.")
    row = np.repeat(np.arange(len(lengths)), lengths)
    with_label = np.unique(row[labels])
    of_kept = np.zeros(len(lengths), dtype=bool)
    of_kept[with_label] = True
    place = np.cumsum(of_kept[row]) - 1
    return GivenSamples(
        sequences[with_label],
        plain_labels(flat[labels]),
        weight[labels],
        StepNames(labels, lengths),
        with_label,
        place[labels],
    )


def _checked_weight(weight: Any, n_rows: int) -> np.ndarray:
    """Weights as float64; those that round to 0 beside the largest in any data type are 0."""
    weight = _check_sample_weight(
        weight, np.empty(n_rows), dtype=np.float64, ensure_non_negative=True
    )
    return np.where(weight < SMALLEST_WEIGHT * weight.max(), 0, weight)


def _comparable(weight: np.ndarray) -> np.ndarray:
    """The same ratios with the largest weight between 1 and 2, for any data type."""
    return np.ldexp(weight, 1 - int(np.frexp(weight.max())[1]))


def split_validation(
    samples: Samples, fraction: float, seed: int, stratify: np.ndarray | None = None
) -> TrainingData:
    """Set the validation part aside.

    The last rows of each series, in time order: neighbouring windows are almost equal, so that a
    random part would leak from training. A random part of independent sequences. Training rows
    whose targets of several steps overlap with the validation part are left out.

    Parameters
    ----------
    samples : Samples
        All samples.
    fraction : float
        Part of each series, and of the independent sequences, to set aside.
    seed : int
        Seed of the random part.
    stratify : ndarray of shape (n_samples,), default=None
        Labels to stratify the random part by, if it is large enough for each label.

    Returns
    -------
    TrainingData
        The parts, and all samples.

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    sequences = samples.sequences
    valid = np.zeros(len(sequences), dtype=bool)
    in_series = np.flatnonzero(sequences.series >= 0)
    valid[in_series] = _last_of_each(
        sequences.series[in_series], sequences.ends[in_series], fraction
    )
    independent = np.flatnonzero(sequences.series < 0)
    valid[_random_part(independent, fraction, seed, stratify)] = True
    train = ~valid & ~_reaches_into(samples, valid)
    if not train.any() or not valid.any():
        raise ValueError(
            f"early_stopping sets validation_fraction={fraction} of the rows aside, which leaves "
            f"{train.sum()} of {len(valid)} rows to train and {valid.sum()} to validate "
            f"(n_samples={len(valid)}). Give more rows, another validation_fraction, or X_val and "
            "y_val."
        )
    of_train, of_valid, rest = (
        samples.take(np.flatnonzero(part)) for part in (train, valid, ~train)
    )
    return TrainingData(of_train, of_valid, rest, samples)


def _random_part(
    rows: np.ndarray, fraction: float, seed: int, stratify: np.ndarray | None
) -> np.ndarray:
    """Draw a random part of the rows."""
    size = round(fraction * len(rows))
    if not size:
        return rows[:0]
    if stratify is not None:
        stratify = stratify[rows]
        counts = np.unique_counts(stratify).counts
        if counts.min() < 2 or len(counts) > min(size, len(rows) - size):
            stratify = None
    return train_test_split(rows, test_size=size, random_state=seed, stratify=stratify)[1]


def _last_of_each(series: np.ndarray, time: np.ndarray, fraction: float) -> np.ndarray:
    """Mark the last rows, by time, of each series."""
    order = np.lexsort((time, series))
    sizes = np.bincount(series)
    wanted = np.round(fraction * sizes)
    short = wanted == 0  # together they give their share, each at most a row
    wanted[short] = np.diff(np.round(np.cumsum(fraction * sizes[short])), prepend=0)
    last = np.empty(len(order), dtype=bool)
    from_end = (np.cumsum(sizes)[series[order]] - 1) - np.arange(len(order))
    last[order] = from_end < wanted[series[order]]
    return last


def _reaches_into(samples: Samples, valid: np.ndarray) -> np.ndarray:
    """Mark rows whose targets overlap with those of a later validation row."""
    n_ahead = _steps_ahead(samples)
    series, ends = samples.sequences.series, samples.sequences.ends
    reaches = np.zeros(len(series), dtype=bool)
    if n_ahead > 1 and valid.any():
        first = np.full(series.max(initial=0) + 1, np.iinfo(np.int64).max)
        of_series = valid & (series >= 0)
        np.minimum.at(first, series[of_series], ends[of_series])
        reaches = (series >= 0) & (ends > first[series] - n_ahead)
    return reaches


def _steps_ahead(samples: Samples) -> int:
    """Number of forecast steps of a target, detected by the overlap of neighbouring targets.

    The columns of a target of several steps are those of the row before, shifted by a step: by
    one column, or by the number of quantities.
    """
    target = samples.target
    if samples.of_steps or target.ndim < 2 or target.shape[1] < 2:
        return 1
    series, ends = samples.sequences.series, samples.sequences.ends
    order = np.lexsort((ends, series))
    next_step = (series[order[1:]] >= 0) & (np.diff(series[order]) == 0)
    next_step &= np.diff(ends[order]) == 1
    later, earlier = target[order[1:][next_step]], target[order[:-1][next_step]]
    n_columns = target.shape[1]
    for n_quantities in range(1, n_columns // 2 + 1):
        if n_columns % n_quantities == 0 and len(later):
            moved, from_before = later[:, :-n_quantities], earlier[:, n_quantities:]
            if np.array_equal(moved, from_before, equal_nan=True):
                return n_columns // n_quantities
    return 1
