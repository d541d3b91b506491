"""The attributes of a container of sequences, and its size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.arrays import plain_array
from sklstm._data.categories import Categories

__all__ = ["INDEPENDENT", "SequenceParts"]

INDEPENDENT = -1
"""Series code of a sequence that belongs to no series."""


def _whole(given: Any, name: str, dtype: type) -> np.ndarray:
    """An array of rows, numbers of steps or codes, none of which would be rounded or wrapped."""
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold whole numbers, got {array.dtype}.")
    with np.errstate(invalid="ignore"):
        whole: np.ndarray = array.astype(dtype, copy=False)
    if whole is not array and not np.array_equal(whole, array):
        wrong = array[whole != array][0]
        raise ValueError(f"{name} must hold whole numbers of {np.dtype(dtype)}, got {wrong}.")
    return whole


class SequenceParts:
    """The attributes of `Sequences`, and its shape and data type as an array."""

    def __init__(
        self,
        values: Any,
        starts: Any,
        lengths: Any,
        series: Any = None,
        feature_names: Any = None,
        index: Any = None,
        vocabulary: dict[str, int] | None = None,
        categories: Categories | None = None,
    ):
        self.values = plain_array(values)
        self.starts = _whole(starts, "starts", np.int64)
        self.lengths = _whole(lengths, "lengths", np.int32)
        if series is None:
            series = np.full(len(self.starts), INDEPENDENT)
        self.series = _whole(series, "series", np.int32)
        self.feature_names = None if feature_names is None else np.asarray(feature_names, object)
        is_index = index is None or isinstance(index, pd.Index)
        self.index = index if is_index else pd.Index(index)  # of several levels it makes tuples
        self.vocabulary = vocabulary
        self.categories = dict(categories or {})
        self._check()

    def _check(self) -> None:
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
        unknown = [place for place in self.categories if place not in range(self.values.shape[1])]
        if unknown:
            raise ValueError(
                f"categories={self.categories} names the column {unknown[0]!r}; expected places of "
                f"columns of values, 0 to {self.values.shape[1] - 1}."
            )
        if self.index is not None and len(self.index) != len(self):
            raise ValueError(f"index has {len(self.index)} entries for {len(self)} sequences.")
        outside = self.starts > len(self.values) - self.lengths
        outside |= self.starts < 0
        outside |= self.lengths < 0
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise ValueError(
                f"Sequence {row} starts at step {self.starts[row]} with length "
                f"{self.lengths[row]}, but there are steps 0 to {len(self.values) - 1} only."
            )

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def ends(self) -> np.ndarray:
        """Row of ``values`` after the last step of each sequence, shape (n_sequences,).

        The last step is at ``ends - 1``, unless the sequence is empty. Computed at each access.

        See Also
        --------
        Sequences.to_dense : The last steps of all sequences, as an array.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> windows = Sequences([[10.0], [20.0], [30.0]], starts=[0, 1], lengths=[2, 2])
        >>> windows.values[windows.ends - 1, 0]
        array([20., 30.])
        """
        return self.starts + self.lengths

    @property
    def max_length(self) -> int:
        """Number of steps of the longest sequence.

        The length of a dense copy; 0 if all are empty, or there are none.

        See Also
        --------
        Sequences.to_dense : Its `n_steps` selects fewer steps.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> Sequences.from_tokens([[3, 1, 2], [], [1]]).max_length
        3
        """
        return int(self.lengths.max(initial=0))

    @property
    def n_features(self) -> int:
        """Number of features of a step.

        The same for all sequences. Their names, if there are any, are in ``feature_names``.

        See Also
        --------
        Sequences.shape : It is the last number of the shape.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> Sequences.from_arrays(np.zeros((2, 7, 3))).n_features
        3
        """
        return self.values.shape[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n_sequences, max_length, n_features)``, the shape of the dense array.

        The stored array is smaller where sequences share steps or differ in length: its shape is
        ``values.shape``.

        See Also
        --------
        Sequences.to_dense : Make the array of this shape.

        Examples
        --------
        >>> from sklstm import SequenceWindower
        >>> windows = SequenceWindower(window_size=24).fit_transform([[0.0]] * 1000)
        >>> windows.shape, windows.values.shape
        ((1000, 24, 1), (1000, 1))
        """
        return len(self), self.max_length, self.n_features

    @property
    def ndim(self) -> int:
        """Always 3.

        Functions that require a 3-D array accept sequences by it.

        See Also
        --------
        Sequences.shape : The three numbers.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> Sequences.from_tokens([[3, 1, 2], [1]]).ndim
        3
        """
        return 3

    @property
    def dtype(self) -> np.dtype:
        """Data type of the steps.

        That of the arrays they were made of; networks convert steps to theirs batch by batch.

        See Also
        --------
        LSTMRegressor : Its `dtype` is that of the network.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> Sequences.from_arrays(np.zeros((2, 7, 3), dtype=np.float32)).dtype
        dtype('float32')
        """
        return self.values.dtype

    @property
    def device(self) -> str:
        """Device of the steps, as in the array API: always the CPU.

        scikit-learn reads it. A network on a GPU copies the steps itself.

        See Also
        --------
        LSTMRegressor : Its `device` is that of the computation.

        Examples
        --------
        >>> from sklstm import Sequences
        >>> Sequences.from_tokens([[3, 1, 2], [1]]).device
        'cpu'
        """
        return "cpu"
