"""The container of sequences: many short histories over one flat array of steps."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.categories import few_values
from sklstm._data.categories import one_hot as of_each
from sklstm._data.ranges import cover, equal_names, ranges
from sklstm._data.readers import SequenceReaders
from sklstm._data.sklearn_private import np_compat

__all__ = ["Sequences"]


class Sequences(SequenceReaders):
    """Sequences of steps, of equal or different lengths, stored without copies.

    Sequence ``i`` is ``values[starts[i] : starts[i] + lengths[i]]``. Sequences may share steps,
    as neighbouring windows over a table do, so a million windows take as much memory as the table.

    Most users never construct one: :class:`~sklstm.SequenceWindower` makes them from tables,
    :meth:`from_arrays` from a 3-D array or a list of arrays, :meth:`from_tokens` from tokens.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
        The steps of all sequences, the steps of one sequence in time order and side by side.
    starts : array-like of int, shape (n_sequences,)
        Row of ``values`` where each sequence begins.
    lengths : array-like of int, shape (n_sequences,)
        Number of steps of each sequence; 0 is an empty sequence.
    series : array-like of int, shape (n_sequences,), default=None
        Code of the series each sequence comes from, -1 for an independent sequence. Within a
        series, time order is the order of ``starts + lengths``. `None`: all independent.
    feature_names : array-like of str, shape (n_features,), default=None
        Names of the columns of ``values``.
    index : pandas.Index of length n_sequences, default=None
        Name of each sequence: the index of the rows of the DataFrame that they were made from. It
        is the index of tables made from them, and is ignored when sequences are compared.
    vocabulary : dict of str to int, default=None
        If steps are tokens, the token of each word. Estimators compare it with that of `fit`.
    categories : dict of int to tuple, default=None
        Columns of ``values`` that hold categories, and the values that the codes 1, 2, ... stand
        for; code 0 is any other value. Estimators compare it with that of `fit`.

    Raises
    ------
    ValueError
        If the shapes do not match, or a sequence reaches outside ``values``.

    See Also
    --------
    SequenceWindower : Turn each row of a table into its lookback window.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import Sequences
    >>> rooms = Sequences.from_arrays([np.ones((3, 2)), np.zeros((5, 2))])
    >>> rooms
    Sequences: 2 independent sequences of 3 to 5 steps, 2 features, float64
    >>> rooms.shape
    (2, 5, 2)
    >>> rooms[0].shape
    (3, 2)
    >>> np.asarray(rooms)[0, :, 0]
    array([nan, nan,  1.,  1.,  1.])
    """

    __hash__ = None  # type: ignore[assignment]  # equal by content, like an array

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(
                    "Sequences are indexed by sequence only; np.asarray(sequences) gives the "
                    "dense array (n_sequences, n_steps, n_features) to index by step and feature."
                )
            key = key[0]
        if isinstance(key, Integral):
            start, length = self.starts[key], self.lengths[key]
            return self.values[start : start + length]
        parts = self.starts[key], self.lengths[key], self.series[key]
        index = self.index
        if index is not None:
            index = index[key] if isinstance(key, slice) else index[np.arange(len(self))[key]]
        names = self.feature_names
        return Sequences(self.values, *parts, names, index, self.vocabulary, self.categories)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequences):
            return NotImplemented
        return (
            self.n_features == other.n_features
            and np.array_equal(self.lengths, other.lengths)
            and np.array_equal(self.series, other.series)
            and equal_names(self.feature_names, other.feature_names)
            and self.vocabulary == other.vocabulary
            and self.categories == other.categories
            and np.array_equal(
                self.flat(),
                other.flat(),
                equal_nan=self.dtype.kind == "f" and other.dtype.kind == "f",
            )
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Sequences are not stored as a dense array: it has to be a copy.")
        dense = self.to_dense()
        return dense if dtype is None else dense.astype(dtype, copy=False)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return _NAMESPACE  # scikit-learn calls it if its array API dispatch is on

    def __repr__(self) -> str:
        n_sequences, longest, n_features = self.shape
        shortest = int(self.lengths.min(initial=longest))
        steps = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
        n_series = len(np.unique(self.series[self.series >= 0]))
        kind = f"sequences from {n_series} series" if n_series else "independent sequences"
        names = ""
        if self.feature_names is not None:
            names = f" ({', '.join(map(str, self.feature_names))})"
        return (
            f"Sequences: {n_sequences} {kind} of {steps} steps, "
            f"{n_features} features{names}, {self.dtype}"
        )

    def __reduce__(self) -> tuple:
        part = self.compact()
        parts = part.values, part.starts, part.lengths, part.series
        kinds = part.vocabulary, part.categories
        return Sequences, (*parts, part.feature_names, part.index, *kinds)

    def to_dense(self, n_steps: int | None = None) -> np.ndarray:
        """Copy the sequences into one dense array.

        For libraries that need an array. It takes memory for every step of every sequence, and each
        shared step once for each sequence; networks of this package do not need it.

        Parameters
        ----------
        n_steps : int, default=None
            Number of steps to keep, counted from the end of each sequence. `None`: all steps.

        Returns
        -------
        ndarray of shape (n_sequences, n_steps, n_features)
            Shorter sequences stand at the end of their row with NaN on the left, so that
            ``[:, -1]`` is the last step of each.

        See Also
        --------
        Sequences.to_frame : A long table instead, without padding.
        Sequences.from_arrays : The inverse; ``padding="nan"`` drops the NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> pair = Sequences.from_arrays([np.ones((1, 1)), np.ones((2, 1))])
        >>> pair.to_dense()[..., 0]
        array([[nan,  1.],
               [ 1.,  1.]])
        """
        if n_steps is None:
            n_steps = self.max_length
        rows = self.ends[:, None] + np.arange(-n_steps, 0)
        present = rows >= self.starts[:, None]
        if present.all():
            return self.values[rows]
        shape = (*rows.shape, self.n_features)
        dense = np.full(shape, np.nan, dtype=np.result_type(self.dtype, np.float32))
        dense[present] = self.values[rows[present]]
        return dense

    def to_frame(self) -> pd.DataFrame:
        """Copy the sequences into a long table, one row a step.

        For inspection, and for pandas. Shared steps are repeated for each sequence; timestamps and
        series are not included.

        Returns
        -------
        pandas.DataFrame
            Indexed by sequence and step (0 is the first step of the sequence), a column a
            feature.

        See Also
        --------
        Sequences.from_frame : The inverse: one sequence from the rows of each id.
        Sequences.to_dense : A 3-D array instead, with NaN in front of shorter sequences.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> Sequences.from_arrays([np.ones((1, 1)), np.zeros((2, 1))]).to_frame()
                         0
        sequence step
        0        0     1.0
        1        0     0.0
                 1     0.0
        """
        rows = ranges(self.starts, self.lengths)
        sequence = np.repeat(np.arange(len(self)), self.lengths)
        step = rows - np.repeat(self.starts, self.lengths)
        index = pd.MultiIndex.from_arrays([sequence, step], names=["sequence", "step"])
        return pd.DataFrame(self.values[rows], index=index, columns=self.feature_names)

    def step_weights(self, weights: Any = None) -> np.ndarray:
        """Sum, for each step, the weights of the sequences that use it.

        For statistics of all histories without a copy: a mean over ``values`` with these
        weights is the mean over all steps of all sequences.

        Parameters
        ----------
        weights : array-like of shape (n_sequences,), default=None
            Weight of each sequence. `None`: 1 each, so that steps are counted.

        Returns
        -------
        ndarray of shape (n_steps,)
            0 for steps of ``values`` that no sequence uses.

        See Also
        --------
        Sequences.compact : Drop the steps whose weight is 0.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> Sequences([[1.0], [2.0], [3.0]], starts=[0, 0], lengths=[1, 2]).step_weights()
        array([2, 1, 0])
        """
        if weights is None:
            return cover(self.starts, self.ends, len(self.values))
        # In units of a power of two the sums are exact, and cancel after the end of a sequence.
        weights = np.asarray(weights, dtype=np.float64)
        unit = np.ldexp(1.0, max(np.frexp(weights.sum())[1] - 52, -1074))
        return unit * cover(self.starts, self.ends, len(self.values), np.rint(weights / unit))

    def flat(self) -> np.ndarray:
        """Concatenate the steps of all sequences.

        For metrics of predictions at every step, and similar functions. Sequence ``i`` has
        ``lengths[i]`` rows.

        Returns
        -------
        ndarray of shape (sum of lengths, n_features)
            Shared steps are repeated.

        See Also
        --------
        Sequences.step_weights : How often each step is used, without a copy.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> windows = Sequences([[1.0], [2.0], [3.0]], starts=[0, 1], lengths=[2, 2])
        >>> windows.flat()[:, 0]
        array([1., 2., 2., 3.])
        """
        return self.values[ranges(self.starts, self.lengths)]

    def neighbours(self) -> tuple[np.ndarray, np.ndarray]:
        """Sort sequences so that overlapping ones of a series follow each other.

        Such as neighbouring windows over a table: their shared steps need to be computed only once.

        Returns
        -------
        order : ndarray of int, shape (n_sequences,)
            The sequences by series and time.
        follows : ndarray of bool, shape (n_sequences,)
            Whether sequence ``order[i]`` continues ``order[i - 1]``: both share a step, and the
            first step moves on by no more steps than the last one. False where a history is cut,
            by a gap or another series.

        See Also
        --------
        SequenceWindower : Makes overlapping sequences from the rows of a table.
        LSTMRegressor : Its `supervised_steps` trains on runs of neighbours.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> windows = Sequences([[1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 3], [1, 2, 2, 1], [0] * 4)
        >>> windows.neighbours()[1]
        array([False,  True,  True, False])
        """
        order, ordered = np.arange(len(self)), self
        if not self._in_order():  # sorting again would only take memory
            order = np.lexsort((self.starts, self.ends, self.series))
            ordered = self[order]
        series, lengths = ordered.series, ordered.lengths
        follows = np.zeros(len(order), dtype=bool)
        follows[1:] = (series[1:] >= 0) & (np.diff(series) == 0)
        later = np.diff(ordered.starts)
        follows[1:] &= (later >= 0) & (later < lengths[:-1]) & (np.diff(lengths) >= 0)
        return order, follows

    def _in_order(self) -> bool:
        """Whether sequences are sorted by series, and by end within a series."""
        same_series = np.diff(self.series) == 0
        earlier = np.diff(self.ends) < 0
        return not (earlier & same_series).any() and not (np.diff(self.series) < 0).any()

    def compact(self) -> Sequences:
        """Drop the steps that no sequence uses.

        A selection such as ``sequences[:10]`` keeps the steps of all. Pickling compacts
        automatically, so that workers and files get only the steps in use.

        Returns
        -------
        Sequences
            Equal to this one. One zero step replaces dropped steps, so that sequences do not become
            neighbours.

        See Also
        --------
        Sequences.step_weights : Which steps are used, and how often.
        Sequences.concat : Join parts again.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> last = Sequences.from_arrays(np.ones((1000, 5, 1)))[-1:]
        >>> last.values.shape, last.compact().values.shape
        ((5000, 1), (5, 1))
        """
        used = self.step_weights() > 0
        place = np.append(used, False)  # an empty sequence uses no step, but has a position in time
        place[self.starts[(self.lengths == 0) & (self.series >= 0)]] = True
        more_to_come = np.logical_or.accumulate(place[::-1])[::-1]
        place[1:] |= place[:-1] & more_to_come[1:]
        kept = place[:-1]
        if kept.all():
            return self
        values = np.where(used[kept, None], self.values[kept], 0)
        position = np.concatenate([[0], np.cumsum(kept)])
        return Sequences(
            values.astype(self.dtype, copy=False),
            position[self.starts],
            self.lengths,
            self.series,
            self.feature_names,
            self.index,
            self.vocabulary,
            self.categories,
        )

    def numbers(self, *, one_hot: bool = False) -> Sequences:
        """Leave out the features that are categories, whose codes are no numbers to compute with.

        Statistics and init estimators read these sequences.

        Parameters
        ----------
        one_hot : bool, default=False
            Whether categories of at most 16 values are not left out: each value becomes a feature
            of 0 and 1, behind all others.

        Returns
        -------
        Sequences
            These sequences, if they have no categories.

        See Also
        --------
        SequenceFlattener : Turns categories into a column for each value.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> sky = {1: ("blue", "grey")}
        >>> Sequences([[20.5, 1], [18.0, 2]], [0], [2], categories=sky).numbers().shape
        (1, 2, 1)
        """
        if not self.categories:
            return self
        kept = [k for k in range(self.n_features) if k not in self.categories]
        few = few_values(self.categories) if one_hot else {}
        values, names = self.values[:, kept], self.feature_names
        if few:
            values = np.hstack([values, *(of_each(self.values[:, k], n) for k, n in few.items())])
        if names is not None:
            named = [f"{names[k]}={value}" for k in few for value in self.categories[k]]
            names = np.array([*names[kept], *named], dtype=object)
        return Sequences(values, self.starts, self.lengths, self.series, names, self.index)


class _Namespace:
    """NumPy's functions, and one that splits sequences without making them dense."""

    __name__ = np_compat.__name__

    def __getattr__(self, name: str) -> Any:
        return getattr(np_compat, name)

    def take(self, sequences: Sequences, rows: Any, axis: int = 0) -> Any:
        return sequences[rows]


_NAMESPACE = _Namespace()
