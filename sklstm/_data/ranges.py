"""Ranges of integers, as the steps of sequences."""

import numpy as np

__all__ = ["cover", "equal_names", "ranges"]


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate ranges of integers.

    Parameters
    ----------
    starts : ndarray of int, shape (n_ranges,)
        First number of each range.
    lengths : ndarray of int, shape (n_ranges,)
        Number of integers of each range.

    Returns
    -------
    ndarray of int64, shape (sum of lengths,)
        ``starts[0], starts[0] + 1, ...``, then those of the next range.

    Examples
    --------
    >>> import numpy as np
    >>> ranges(np.array([5, 0]), np.array([3, 2]))
    array([5, 6, 7, 0, 1])
    """
    first = np.cumsum(lengths, dtype=np.int64) - lengths
    return np.repeat(starts - first, lengths) + np.arange(lengths.sum())


def cover(
    starts: np.ndarray, ends: np.ndarray, n_steps: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Sum of the weights of the intervals that cover each step (difference array)."""
    changes = np.bincount(starts, weights, n_steps + 1)
    changes -= np.bincount(ends, weights, n_steps + 1)
    return np.cumsum(changes, out=changes)[:-1]


def equal_names(names: np.ndarray | None, other: np.ndarray | None) -> bool:
    if names is None or other is None:
        return names is other
    return np.array_equal(names, other)
