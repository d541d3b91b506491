"""The container of the package: many short histories over one flat array of steps."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils._array_api import np_compat

from sklstm._data.frames import Rows, lay_out, numeric_columns

__all__ = ["Sequences", "ranges"]

INDEPENDENT = -1
"""Series code of a sequence that belongs to no series."""


class Sequences:
    """Sequences of steps, of equal or different lengths, kept without copies.

    Sequence ``i`` is ``values[starts[i] : starts[i] + lengths[i]]``. Sequences may share steps,
    as neighbouring windows over a table do, so a million windows cost what the table costs.

    Most users never build one: :class:`~sklstm.SequenceWindower` makes them from tables,
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

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or a sequence reaches outside ``values``.

    See Also
    --------
    SequenceWindower : Turn each row of a table into the sequence that led to it.

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

    def __init__(self, values, starts, lengths, series=None, feature_names=None):
        self.values = np.asarray(values)
        self.starts = np.asarray(starts, dtype=np.int64)
        self.lengths = np.asarray(lengths, dtype=np.int32)
        if series is None:
            series = np.full(len(self.starts), INDEPENDENT)
        self.series = np.asarray(series, dtype=np.int32)
        self.feature_names = None if feature_names is None else np.asarray(feature_names, object)
        self._check()

    def _check(self):
        if self.values.ndim != 2:
            raise ValueError(
                f"values must have the shape (n_steps, n_features), got {self.values.shape}."
            )
        if not self.starts.shape == self.lengths.shape == self.series.shape == (len(self.starts),):
            raise ValueError(
                "starts, lengths and series must be 1-D and of one length, got the shapes "
                f"{self.starts.shape}, {self.lengths.shape} and {self.series.shape}."
            )
        if self.feature_names is not None and len(self.feature_names) != self.values.shape[1]:
            raise ValueError(
                f"{len(self.feature_names)} feature names for {self.values.shape[1]} features."
            )
        outside = self.starts > len(self.values) - self.lengths
        outside |= self.starts < 0
        outside |= self.lengths < 0
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise ValueError(
                f"Sequence {row} starts at step {self.starts[row]} with length "
                f"{self.lengths[row]}, but there are steps 0 to {len(self.values) - 1} only."
            )

    @classmethod
    def from_arrays(cls, arrays, *, padding=None, feature_names=None):
        """Make independent sequences of a 3-D array or a list of 2-D arrays.

        Parameters
        ----------
        arrays : array-like of shape (n_sequences, n_steps, n_features) or list of array-likes \
                of shape (n_steps_i, n_features)
            The sequences. DataFrames in a list give their column names.
        padding : {None, "nan"}, default=None
            `None` keeps every step. ``"nan"`` drops the steps at either end of a sequence in
            which all features are NaN: the form in which aeon and tslearn store sequences of
            different lengths. Such steps between two others are kept.
        feature_names : array-like of str, shape (n_features,), default=None
            Names of the features.

        Returns
        -------
        Sequences
            One sequence for each array, in the same order.

        Raises
        ------
        ValueError
            If an array has not two dimensions, or another number of features than the first.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> padded = np.array([[[1.0], [2.0], [np.nan]], [[3.0], [4.0], [5.0]]])
        >>> Sequences.from_arrays(padded, padding="nan").lengths
        array([2, 3], dtype=int32)
        """
        if padding not in (None, "nan"):
            raise ValueError(f"padding must be None or 'nan', got {padding!r}.")
        if getattr(arrays, "ndim", None) == 3:
            values, lengths = _flatten_block(np.asarray(arrays))
        else:
            arrays = list(arrays)
            if feature_names is None and arrays:
                feature_names = getattr(arrays[0], "columns", None)
            values, lengths = _flatten_list(arrays)
        starts = np.cumsum(lengths) - lengths
        if padding == "nan":
            starts, lengths = _trim_missing_ends(values, starts, lengths)
        return cls(values, starts, lengths, feature_names=feature_names)

    @classmethod
    def from_tokens(cls, tokens):
        """Make independent sequences of tokens: whole numbers that stand for words.

        Parameters
        ----------
        tokens : list of array-likes of int, shape (n_steps_i,), or array-like of int, shape \
                (n_sequences, n_steps)
            The sequences, which may be empty. Tokens are not negative, and 0 means unknown: it is
            a step like any other, not padding, so that sequences of different lengths are best
            given as a list.

        Returns
        -------
        Sequences
            One sequence for each list of tokens, in the same order, of the one feature ``token``:
            int32, or int64 where a token needs it.

        Raises
        ------
        ValueError
            If a sequence has not one dimension, or holds anything but whole numbers from 0; the
            message names it.

        See Also
        --------
        TokenSequencer : Turn texts into such sequences.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> words = Sequences.from_tokens([[3, 1, 2], [], [1, 0]])
        >>> words
        Sequences: 3 independent sequences of 0 to 3 steps, 1 features (token), int32
        >>> words[2][:, 0]
        array([1, 0], dtype=int32)
        """
        values, lengths = _flatten_tokens(tokens)
        return cls(values, np.cumsum(lengths) - lengths, lengths, feature_names=["token"])

    @classmethod
    def from_frame(cls, table, by, target=None):
        """Make one independent sequence of the rows of each id of a long table.

        Parameters
        ----------
        table : DataFrame of shape (n_rows, n_columns)
            One row a step. Rows of different ids may be interleaved; those of one id are in time
            order, which an index of dates, periods or integers has to confirm.
        by : str or list of str
            Columns or index levels that name the sequence a row belongs to.
        target : str, default=None
            Column with the label of a sequence, the same in all its rows.

        Returns
        -------
        sequences : Sequences
            In the order in which the ids appear first. The features are the columns but `by` and
            `target`.
        labels : Series of length n_sequences
            Label of each sequence, indexed by id; only if `target` is given.

        Raises
        ------
        ValueError
            If a name is unknown, an id is missing, a feature is not numeric, time goes back, or
            a sequence has several labels; the message names it.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm import Sequences
        >>> walks = pd.DataFrame(
        ...     {"walk": ["a", "a", "b"], "x": [1.0, 2.0, 3.0], "by": ["Ann", "Ann", "Bo"]}
        ... )
        >>> sequences, labels = Sequences.from_frame(walks, by="walk", target="by")
        >>> sequences
        Sequences: 2 independent sequences of 1 to 2 steps, 1 features (x), float64
        >>> labels.to_dict()
        {'a': 'Ann', 'b': 'Bo'}
        """
        layout = lay_out(table.drop(columns=[] if target is None else target), by, role="by")
        codes, ids = pd.factorize(layout.keys)
        rows = Rows.arrange(codes, layout.stamps)
        rows.check_time(layout.times)
        features = numeric_columns(layout.features)
        lengths = np.bincount(codes, minlength=len(ids))
        sequences = cls(
            features.to_numpy().take(rows.order, axis=0),
            np.cumsum(lengths) - lengths,
            lengths,
            feature_names=features.columns,
        )
        if target is None:
            return sequences
        labels = table[target].to_numpy()
        first = rows.order[rows.is_first]
        label_codes = pd.factorize(labels)[0]
        other = np.flatnonzero(label_codes[first][codes] != label_codes)
        if len(other):
            row = other[0]
            raise ValueError(
                f"Sequence {ids[codes[row]]!r} has several labels in {target!r}: "
                f"{labels[first[codes[row]]]!r} and, in row {row}, {labels[row]!r}."
            )
        return sequences, pd.Series(labels[first], index=ids, name=target)

    @classmethod
    def concat(cls, parts):
        """Put sequences one after another.

        Parameters
        ----------
        parts : sequence of Sequences
            Parts of one container, which share its steps, stay parts of its series. Parts that
            come from different containers are kept apart: their series get new codes.

        Returns
        -------
        Sequences
            The sequences of all parts, in order.

        Raises
        ------
        ValueError
            If `parts` is empty, or the features differ.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> block = Sequences.from_arrays(np.zeros((4, 3, 2)))
        >>> Sequences.concat([block[:2], block[2:]]) == block
        True
        """
        parts = list(parts)
        if not parts:
            raise ValueError("There is nothing to concatenate: parts is empty.")
        for number, part in enumerate(parts):
            if not _equal_names(part.feature_names, parts[0].feature_names):
                raise ValueError(
                    f"Part {number} has the features {part.feature_names}, part 0 has "
                    f"{parts[0].feature_names}."
                )
        containers = list({id(part.values): part.values for part in parts}.values())
        positions = {id(values): number for number, values in enumerate(containers)}
        step_offsets = np.cumsum([0, *map(len, containers)])
        series_offsets = np.zeros(len(containers) + 1, dtype=np.int64)
        for part in parts:
            after = positions[id(part.values)] + 1
            series_offsets[after] = max(series_offsets[after], part.series.max(initial=-1) + 1)
        series_offsets = np.cumsum(series_offsets)
        starts, series = [], []
        for part in parts:
            position = positions[id(part.values)]
            starts.append(part.starts + step_offsets[position])
            series.append(
                np.where(part.series < 0, INDEPENDENT, part.series + series_offsets[position])
            )
        return cls(
            containers[0] if len(containers) == 1 else np.concatenate(containers),
            np.concatenate(starts),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate(series),
            parts[0].feature_names,
        )

    @property
    def ends(self):
        """Row of ``values`` behind the last step of each sequence, shape (n_sequences,)."""
        return self.starts + self.lengths

    @property
    def max_length(self):
        """Number of steps of the longest sequence."""
        return int(self.lengths.max(initial=0))

    @property
    def n_features(self):
        """Number of features of a step."""
        return self.values.shape[1]

    @property
    def shape(self):
        """``(n_sequences, max_length, n_features)``, the shape of the dense array."""
        return len(self), self.max_length, self.n_features

    @property
    def ndim(self):
        """Always 3."""
        return 3

    @property
    def dtype(self):
        """Data type of the steps."""
        return self.values.dtype

    def __len__(self):
        return len(self.starts)

    def __iter__(self):
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key):
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
        return Sequences(
            self.values, self.starts[key], self.lengths[key], self.series[key], self.feature_names
        )

    def __eq__(self, other):
        if not isinstance(other, Sequences):
            return NotImplemented
        return (
            self.n_features == other.n_features
            and np.array_equal(self.lengths, other.lengths)
            and np.array_equal(self.series, other.series)
            and _equal_names(self.feature_names, other.feature_names)
            and np.array_equal(
                self.flat(),
                other.flat(),
                equal_nan=self.dtype.kind == "f" and other.dtype.kind == "f",
            )
        )

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("Sequences are not stored as a dense array: it has to be a copy.")
        dense = self.to_dense()
        return dense if dtype is None else dense.astype(dtype, copy=False)

    def __array_namespace__(self, api_version=None):
        return _NAMESPACE  # scikit-learn asks if its dispatch by the array API is on

    @property
    def device(self):
        """Where the steps are, in words of the array API: always the CPU."""
        return "cpu"

    def __repr__(self):
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

    def __reduce__(self):
        part = self.compact()
        return Sequences, (part.values, part.starts, part.lengths, part.series, part.feature_names)

    def to_dense(self, n_steps=None):
        """Copy the sequences into one dense array.

        Parameters
        ----------
        n_steps : int, default=None
            Number of steps to keep, counted from the end of each sequence. `None`: all steps.

        Returns
        -------
        ndarray of shape (n_sequences, n_steps, n_features)
            Shorter sequences stand at the end of their row with NaN on the left, so that
            ``[:, -1]`` is the last step of each.

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

    def to_frame(self):
        """Copy the sequences into a long table, one row a step.

        Returns
        -------
        pandas.DataFrame
            Indexed by sequence and step (0 is the first step of the sequence), a column a
            feature.

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

    def step_weights(self, weights=None):
        """Add up, for each step, the weights of the sequences that use it.

        Parameters
        ----------
        weights : array-like of shape (n_sequences,), default=None
            Weight of each sequence. `None`: 1 each, so that steps are counted.

        Returns
        -------
        ndarray of shape (n_steps,)
            0 for steps of ``values`` that no sequence uses.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> Sequences([[1.0], [2.0], [3.0]], starts=[0, 0], lengths=[1, 2]).step_weights()
        array([2, 1, 0])
        """
        if weights is None:
            return _cover(self.starts, self.ends, len(self.values))
        # In units of a power of two the sums are exact, and cancel behind the end of a sequence.
        weights = np.asarray(weights, dtype=np.float64)
        unit = np.ldexp(1.0, max(np.frexp(weights.sum())[1] - 52, -1074))
        return unit * _cover(self.starts, self.ends, len(self.values), np.rint(weights / unit))

    def flat(self):
        """Copy the steps of all sequences one after another.

        Returns
        -------
        ndarray of shape (sum of lengths, n_features)
            Steps that several sequences share come several times.
        """
        return self.values[ranges(self.starts, self.lengths)]

    def neighbours(self):
        """Put sequences of a series that overlap one after another.

        Returns
        -------
        order : ndarray of int, shape (n_sequences,)
            The sequences by series and time.
        follows : ndarray of bool, shape (n_sequences,)
            Whether sequence ``order[i]`` goes on where ``order[i - 1]`` ends: both share a step,
            and its start is as many steps later as its end, or fewer. Where a history is cut,
            by a gap or another series, nothing follows.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> windows = Sequences([[1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 3], [1, 2, 2, 1], [0] * 4)
        >>> windows.neighbours()[1]
        array([False,  True,  True, False])
        """
        order, ordered = np.arange(len(self)), self
        if not self._in_order():  # sorting what is sorted takes memory for nothing
            order = np.lexsort((self.starts, self.ends, self.series))
            ordered = self[order]
        series, lengths = ordered.series, ordered.lengths
        follows = np.zeros(len(order), dtype=bool)
        follows[1:] = (series[1:] >= 0) & (np.diff(series) == 0)
        later = np.diff(ordered.starts)
        follows[1:] &= (later >= 0) & (later < lengths[:-1]) & (np.diff(lengths) >= 0)
        return order, follows

    def _in_order(self):
        """Whether each series comes after the one before, and each sequence ends no earlier."""
        goes_on = np.diff(self.series) == 0
        earlier = np.diff(self.ends) < 0
        return not (earlier & goes_on).any() and not (np.diff(self.series) < 0).any()

    def compact(self):
        """Drop the steps that no sequence uses.

        Returns
        -------
        Sequences
            Equal to this one. Where steps are dropped one zero step stays in their place, so
            that sequences that were not neighbours do not become neighbours.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> last = Sequences.from_arrays(np.ones((1000, 5, 1)))[-1:]
        >>> last.values.shape, last.compact().values.shape
        ((5000, 1), (5, 1))
        """
        used = self.step_weights() > 0
        place = np.append(used, False)  # an empty sequence uses no step, but has a place in time
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
        )


class _Namespace:
    """NumPy's functions, and one that splits sequences without making them dense."""

    __name__ = np_compat.__name__

    def __getattr__(self, name):
        return getattr(np_compat, name)

    def take(self, sequences, rows, axis=0):
        return sequences[rows]


_NAMESPACE = _Namespace()


def ranges(starts, lengths):
    """Lay ranges of whole numbers one after another.

    Parameters
    ----------
    starts : ndarray of int, shape (n_ranges,)
        First number of each range.
    lengths : ndarray of int, shape (n_ranges,)
        How many numbers each range has.

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


def _cover(starts, ends, n_steps, weights=None):
    """Sum of the weights of the intervals that cover each step (difference array)."""
    changes = np.bincount(starts, weights, n_steps + 1)
    changes -= np.bincount(ends, weights, n_steps + 1)
    return np.cumsum(changes, out=changes)[:-1]


def _equal_names(names, other):
    if names is None or other is None:
        return names is other
    return np.array_equal(names, other)


def _flatten_block(block):
    """Steps and lengths of a 3-D array, without a copy."""
    n_sequences, n_steps, n_features = block.shape
    return block.reshape(-1, n_features), np.full(n_sequences, n_steps)


def _flatten_list(arrays):
    """Steps and lengths of a list of 2-D arrays."""
    if not arrays:
        raise ValueError("There are no sequences: the list is empty.")
    names = getattr(arrays[0], "columns", None)
    for number, array in enumerate(arrays):
        if not _equal_names(getattr(array, "columns", names), names):
            raise ValueError(
                f"Sequence {number} has the columns {list(array.columns)}, sequence 0 has "
                f"{None if names is None else list(names)}."
            )
    arrays = [np.asarray(array) for array in arrays]
    for number, array in enumerate(arrays):
        if array.ndim != 2:
            raise ValueError(
                f"Sequence {number} has the shape {array.shape}; expected (n_steps, n_features). "
                "A sequence of one feature is array[:, None]."
            )
        if array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"Sequence {number} has {array.shape[1]} features, sequence 0 has "
                f"{arrays[0].shape[1]}: every sequence needs the same features in its columns."
            )
    return np.concatenate(arrays), np.array([len(array) for array in arrays])


def _flatten_tokens(tokens):
    """Steps and lengths of a list of 1-D arrays of tokens."""
    rows = tokens.to_numpy() if isinstance(tokens, pd.DataFrame) else tokens
    arrays = [np.asarray(row) for row in rows]
    for number, array in enumerate(arrays):
        if array.ndim == 0:
            raise ValueError(
                f"Sequence {number} is the single value {array.item()!r}; expected a list of "
                "sequences of tokens. One sequence is [tokens]; TokenSequencer splits texts."
            )
        if array.ndim != 1:
            raise ValueError(
                f"Sequence {number} has the shape {array.shape}; expected (n_steps,), one token a "
                "step. Sequences of several features are made by Sequences.from_arrays."
            )
        if array.size and array.dtype.kind not in "iu":
            raise ValueError(
                f"Sequence {number} holds {array.dtype}; tokens are integers. TokenSequencer "
                "numbers words; whole numbers stored as another type need astype(int), without "
                "the NaN of a padding."
            )
    lengths = np.array([len(array) for array in arrays], dtype=np.int32)
    values = np.concatenate([[], *arrays], dtype=np.int64, casting="unsafe")
    negative = np.flatnonzero(values < 0)
    if len(negative):
        number = np.searchsorted(np.cumsum(lengths), negative[0], side="right")
        raise ValueError(
            f"Sequence {number} holds the token {values[negative[0]]}; tokens are integers from 0, "
            "which means unknown. Leave padding out: sequences may differ in length."
        )
    if values.max(initial=0) <= np.iinfo(np.int32).max:
        values = values.astype(np.int32)
    return values[:, None], lengths


def _trim_missing_ends(values, starts, lengths):
    """Starts and lengths without the all-NaN steps at either end of each sequence."""
    present = ~np.isnan(values).all(axis=1)
    present_before = np.concatenate([[0], np.cumsum(present)])
    first, last = present_before[starts], present_before[starts + lengths]
    steps = np.flatnonzero(present)
    empty = first == last
    if not len(steps):
        return starts, np.zeros_like(lengths)
    trimmed = np.where(empty, starts, steps[np.minimum(first, len(steps) - 1)])
    ends = np.where(empty, starts, steps[last - 1] + 1)
    return trimmed, ends - trimmed
