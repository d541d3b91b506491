"""Statistics of each feature over the steps that sequences use."""

import numpy as np

from sklstm._data.sequences import Sequences

__all__ = ["differences", "medians", "standardization", "weighted_moments"]

BLOCK = 2**17
"""Rows in double precision at a time, 1 MB: `benchmarks/constants.py`. An eighth takes 1.4 times as
long, and eight times as many 1.1 times."""

LARGEST_SQUARABLE = 1e150
"""The square of a larger number may be infinite in double precision, that of its inverse 0."""


def standardization(
    sequences: Sequences, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over the steps that the sequences use.

    A step counts as often as sequences use it, with their weights: steps that no given sequence
    uses, such as test rows of a cross-validation that share the table, have no influence.

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
        if len(seen) and seen.all():
            mean[j], scale[j] = weighted_moments(column, step_weights)
        elif seen.any():
            mean[j], scale[j] = weighted_moments(column[seen], step_weights[seen])
    return mean, scale


def medians(sequences: Sequences, weight: np.ndarray | None = None) -> np.ndarray:
    """Weighted median of each feature over the steps that the sequences use.

    Parameters
    ----------
    sequences : Sequences
        Every feature must have a value in some step in use.
    weight : ndarray of shape (n_sequences,), default=None
        Weight of each sequence. `None`: 1 each.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        Of the values that are not missing; the lower median if two numbers are in the middle.

    Examples
    --------
    >>> from sklstm import Sequences
    >>> medians(Sequences([[0.0], [2.0], [7.0], [100.0]], starts=[0], lengths=[3]))
    array([2.])
    """
    step_weights, uses = sequences.step_weights(weight), sequences.step_weights()
    found = np.zeros(sequences.n_features)
    for j, column in enumerate(sequences.values.T):
        seen = np.flatnonzero((step_weights > 0) & ~np.isnan(column))
        counts = step_weights if len(seen) else uses
        if not len(seen):  # all values have a weight that is rounded to 0
            seen = np.flatnonzero((uses > 0) & ~np.isnan(column))
        seen = seen[np.argsort(column[seen])]
        below = np.cumsum(counts[seen])
        found[j] = column[seen[np.searchsorted(below, below[-1] / 2)]]
    return found


def weighted_moments(x: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Weighted mean and standard deviation; the latter is 1 if it is only rounding.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Numbers of any type; computed in float64.
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
    low, high = float(x.min()), float(x.max())
    if low == high:
        return low, 1.0
    largest = max(high, -low)
    if largest > LARGEST_SQUARABLE or 0 < largest < 1 / LARGEST_SQUARABLE:
        mean, scale = weighted_moments(x / largest, weight)
        return mean * largest, scale * largest
    first = float(x[0])  # differences from it are exact where a sum over many rows would round
    blocks = [slice(start, start + BLOCK) for start in range(0, len(x), BLOCK)]

    def distances(block: slice, centre: float) -> np.ndarray:
        return x[block].astype(np.float64) - centre

    total = sum(float(weight[block].sum()) for block in blocks)
    mean = sum(float((weight[block] * distances(block, first)).sum()) for block in blocks) / total
    squares = sum(
        float((weight[block] * (distances(block, first) - mean) ** 2).sum()) for block in blocks
    )
    scale = float(np.sqrt(squares / total))
    mean += first
    rounding = 10 * np.finfo(np.float64).eps * abs(mean)
    return mean, scale if scale > rounding else 1.0


def differences(sequences: Sequences) -> Sequences:
    """Compute the differences between neighbouring steps.

    Parameters
    ----------
    sequences : Sequences
        Of at least one step in all.

    Returns
    -------
    Sequences
        As many sequences, each shorter by one step.
    """
    changes = np.diff(sequences.values, axis=0)
    starts = np.minimum(sequences.starts, len(changes))
    return Sequences(changes, starts, np.maximum(sequences.lengths - 1, 0))
