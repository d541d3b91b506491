"""Parts of training samples, on which hyperparameters of an init estimator are tuned."""

from functools import reduce
from itertools import accumulate
from operator import add

import numpy as np

from sklstm._data.lag_moments import LagMoments
from sklstm._data.ranges import ranges
from sklstm._data.samples import Samples
from sklstm._data.sequences import Sequences
from sklstm._nn.inits import InitTask

__all__ = ["common_length", "folds_of", "output_groups", "parts_of", "short_are_rare"]

N_PARTS = 5
"""Of which an expanding window validates on the last ones, and five-fold cross-validation, as in
scikit-learn, on each."""

N_LATE = 2
"""Last parts that validate. With three the errors on six tables of `benchmarks/skill.py` are the
same within seeds, and a fit takes a tenth longer."""

WHOLE_PER_SHORT = 5
"""Short sequences are rare if there are more than this many times as many sequences of the full
length as of a shorter length, on average over the shorter lengths."""


def parts_of(samples: Samples) -> list[Samples]:
    """Split samples: fifths of each series in time order, each fifth independent sequence.

    Series with too few rows to split by time go whole into one of the parts.

    Parameters
    ----------
    samples : Samples
        Of any series.

    Returns
    -------
    list of Samples
        At most five, none of them empty.
    """
    sequences = samples.sequences
    order = np.lexsort((sequences.ends, sequences.series))
    sizes = np.unique(sequences.series[order], return_counts=True)[1]
    of_series = np.repeat(np.arange(len(sizes)), sizes)
    place = ranges(np.zeros(len(sizes), dtype=np.int64), sizes)
    in_time, whole = place * N_PARTS // sizes[of_series], of_series % N_PARTS
    part = np.where(sizes[of_series] < N_PARTS, whole, in_time)
    part = np.where(sequences.series[order] < 0, place % N_PARTS, part)
    return [samples.take(order[part == k]) for k in range(N_PARTS) if (part == k).any()]


def folds_of(
    parts: list[LagMoments], *, in_time: bool
) -> tuple[LagMoments, list[tuple[LagMoments, LagMoments]]]:
    """Pair the sums of parts as training and validation samples.

    In time order an expanding window: the first parts and the one that follows, so that patterns
    that do not last are not selected. Otherwise cross-validation: all other parts and each.

    Parameters
    ----------
    parts : list of LagMoments
        Of `parts_of`.
    in_time : bool
        Whether they are in time order.

    Returns
    -------
    everything : LagMoments
        The sums over all parts.
    folds : list of pairs of LagMoments
        Sums over training and over validation samples.
    """
    sums = list(accumulate(parts, add))
    if in_time:
        return sums[-1], list(zip(sums[1:], parts[2:], strict=False))[-N_LATE:]
    others = [parts[:k] + parts[k + 1 :] for k in range(len(parts))]
    folds = [(reduce(add, rest), part) for rest, part in zip(others, parts, strict=True) if rest]
    return sums[-1], folds


def output_groups(task: InitTask) -> list[np.ndarray]:
    """Group outputs that are missing in the same rows, and so share all sums of lags.

    Parameters
    ----------
    task : InitTask
        The samples and the head.

    Returns
    -------
    list of ndarray of int
        Numbers of outputs.
    """
    missing = np.isnan((task.everything or task.train).labelled()[0])
    if not missing.any():
        return [np.arange(len(task.head.init_map))]
    kinds = np.unique(missing, axis=1, return_inverse=True)[1].ravel()
    return [np.flatnonzero(kinds == kind) for kind in range(kinds.max() + 1)]


def common_length(sequences: Sequences) -> int:
    """Length that a hundredth of the sequences reach: more steps would be learned from a few."""
    few = max(N_PARTS, len(sequences) // 100)
    return int(np.sort(sequences.lengths)[-min(few, len(sequences))])


def short_are_rare(samples: Samples, n_steps: int) -> bool:
    """Whether independent sequences have one length, so that a shorter one has lost its beginning.

    Sequences that differ in length are complete: nothing is missing before their first step,
    which is repeated.
    """
    lengths = samples.histories().lengths
    n_short = int((lengths < n_steps).sum())
    return WHOLE_PER_SHORT * n_short < n_steps * (len(lengths) - n_short)
