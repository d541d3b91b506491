"""Constructors of sequences from arrays, lists, tokens, long tables and other sequences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd

from sklstm._data.arrays import plain
from sklstm._data.flattening import column_names, flatten_block, flatten_list, flatten_tokens
from sklstm._data.frames import Rows, lay_out
from sklstm._data.numeric import numbers_of, numeric_columns
from sklstm._data.padding import check_padding, cut_padding, warn_of_padding
from sklstm._data.parts import INDEPENDENT, SequenceParts
from sklstm._data.ranges import equal_names
from sklstm._data.warning import DataWarning, warn

__all__ = ["SequenceReaders"]


CURE_OF_FRAME = (
    "table.sort_values() by the time puts rows in order; drop duplicates. If the index is not a "
    "time and the rows are in order use reset_index(drop=True)."
)

FEWEST_STEPS = 4
"""Least number of steps after the first ones for a column to look like a counter of steps."""


class SequenceReaders(SequenceParts):
    """Constructors of `Sequences`, the class that inherits this one."""

    @classmethod
    def from_arrays(
        cls,
        arrays: Any,
        *,
        padding: str | float | None = None,
        channels_first: bool = False,
        feature_names: Any = None,
    ) -> Self:
        """Make independent sequences from a 3-D array or a list of 2-D arrays.

        For data that are sequences already, such as recordings or multivariate time series of aeon,
        sktime and tslearn. A 3-D array is not copied, and estimators also accept it directly.

        Parameters
        ----------
        arrays : array-like of shape (n_sequences, n_steps, n_features) or list of array-likes \
                of shape (n_steps_i, n_features)
            The sequences. DataFrames in a list give their column names.
        padding : {"nan", "keep"} or float, default=None
            Value with which sequences of different lengths were padded. Steps behind a sequence, or
            in front of it if there are more of these, in which all features have this number are
            dropped; such steps between two others are kept. aeon and tslearn pad with ``"nan"``,
            which is dropped at both ends. ``"keep"`` keeps every step, and so does `None`, with a
            warning if steps look like padding.
        channels_first : bool, default=False
            Whether features come before steps, ``(n_sequences, n_features, n_steps)``, as aeon and
            sktime store them.
        feature_names : array-like of str, shape (n_features,), default=None
            Names of the features, in their order. `None`: those of the columns.

        Returns
        -------
        Sequences
            One sequence for each array, in the same order.

        Raises
        ------
        ValueError
            If an array does not have two dimensions, other features than the first, or a column
            that has the name of another one in `feature_names`.

        Warns
        -----
        UserWarning
            If most sequences of an array begin or end with the same repeated step.

        See Also
        --------
        Sequences.from_frame : Sequences from a long table, one row a step.
        SequenceWindower : Histories of the rows of a table.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import Sequences
        >>> padded = np.array([[[1.0], [2.0], [np.nan]], [[3.0], [4.0], [5.0]]])
        >>> Sequences.from_arrays(padded, padding="nan").lengths
        array([2, 3], dtype=int32)
        >>> Sequences.from_arrays(np.nan_to_num(padded), padding=0).lengths
        array([2, 3], dtype=int32)
        """
        filler = check_padding(padding)
        arrays = plain(arrays)
        if channels_first:
            arrays = [np.asarray(array).T for array in arrays]
        if getattr(arrays, "ndim", None) == 3:
            values, lengths = flatten_block(np.asarray(arrays))
        else:
            arrays = list(arrays)
            feature_names = column_names(arrays, feature_names)
            values, lengths = flatten_list(arrays)
        starts = np.cumsum(lengths) - lengths
        if filler is None:
            warn_of_padding(values, starts, lengths, "from_arrays")
        elif filler != "keep":
            starts, lengths = cut_padding(values, starts, lengths, filler)
        return cls(values, starts, lengths, feature_names=feature_names)

    @classmethod
    def from_tokens(
        cls,
        tokens: Any,
        *,
        padding: str | float | None = None,
        vocabulary: dict[str, int] | None = None,
    ) -> Self:
        """Make independent sequences of tokens: integers that stand for words.

        For tokens from any tokenizer. A network with an `embedding` learns a
        vector for each token.

        Parameters
        ----------
        tokens : list of array-likes of int, shape (n_steps_i,), or array-like of int, shape \
                (n_sequences, n_steps)
            The sequences, which may be empty. Tokens are not negative, and 0 means unknown: it is
            a step like any other, not padding, so that sequences of different lengths are best
            passed as a list.
        padding : {"nan", "keep"} or int, default=None
            Value with which sequences of different lengths were padded. It is dropped at both ends
            of each, and may be negative. ``"nan"`` is for tables of floating-point numbers.
            ``"keep"`` keeps every token, and so does `None`, with a warning if tokens look like
            padding.
        vocabulary : dict of str to int, default=None
            Token of each word. Estimators match word vectors by it, and refuse tokens of another
            vocabulary.

        Returns
        -------
        Sequences
            One sequence for each list of tokens, in the same order, of the one feature ``token``:
            int32, or int64 where a token needs it.

        Raises
        ------
        ValueError
            If a sequence does not have one dimension, or holds anything but integers from 0; the
            message names it.

        Warns
        -----
        UserWarning
            If most sequences of one length begin or end with the same repeated token.

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
        >>> Sequences.from_tokens([[3, 1, 2], [1, 0, 0]], padding=0).lengths
        array([3, 1], dtype=int32)
        """
        filler = check_padding(padding)
        values, lengths = flatten_tokens(tokens, filler)
        starts = np.cumsum(lengths) - lengths
        if filler is None:
            warn_of_padding(values, starts, lengths, "from_tokens")
        return cls(values, starts, lengths, feature_names=["token"], vocabulary=vocabulary)

    @classmethod
    def from_frame(
        cls,
        table: Any,
        by: str | list[str],
        target: str | None = None,
        *,
        time: str | None = None,
        per_step: bool = False,
    ) -> Any:
        """Make one independent sequence from the rows of each id of a long table.

        For recordings and other time series instances in one table with an id column. A row is a
        step of one sequence only; use a :class:`SequenceWindower` for a lookback window of each
        row.

        Parameters
        ----------
        table : DataFrame of pandas, Polars or pyarrow, shape (n_rows, n_columns)
            One row a step. Rows of different ids may be interleaved; those of one id have to be in
            time order, which is checked if there is a `time`.
        by : str or list of str
            Columns or index levels that name the sequence a row belongs to.
        target : str, default=None
            Column with the label of a sequence, the same in all its rows; or with `per_step` that
            of each step. It is not a feature.
        time : str, default=None
            Column or index level with the time of a step, dates or numbers. It is not a
            feature.
            `None`: the index, if it holds dates, periods or integers.
        per_step : bool, default=False
            Whether `target` has a label, number or weight for each step, for ``pooling=None``.

        Returns
        -------
        sequences : Sequences
            In the order in which the ids appear first, which are their index. The features are the
            columns except `by`, `time` and `target`.
        labels : Series of length n_sequences, or ndarray or list of ndarray
            Only with `target`: label of each sequence, indexed by id. With `per_step` an array
            (n_sequences, n_steps), or a list of arrays (n_steps_i,) if lengths differ.

        Raises
        ------
        ValueError
            If a name is unknown, an id is missing, a feature is not numeric, time does not
            increase, or a sequence has several labels; the message names it.

        Warns
        -----
        DataWarning
            If a column numbers the steps of each sequence in another order than that of the rows.

        See Also
        --------
        Sequences.to_frame : The inverse.
        Sequences.from_arrays : Sequences from arrays, one for each.

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
        table = table.to_pandas() if hasattr(table, "to_pandas") else table
        _check_frame(table, target, per_step=per_step)
        no_feature = [] if target is None else [target]
        layout = lay_out(table.drop(columns=no_feature), by, time, role="by")
        codes, ids = pd.factorize(layout.keys)[0], layout.keys.unique()  # which keeps their names
        rows = Rows.arrange(codes, layout.timestamps)
        rows.check_time(layout.times, CURE_OF_FRAME)
        _check_dates(layout.features)
        features = numeric_columns(layout.features)
        _warn_of_other_order(features, codes, rows)
        lengths = np.bincount(codes, minlength=len(ids))
        sequences = cls(
            numbers_of(features).take(rows.order, axis=0),
            np.cumsum(lengths) - lengths,
            lengths,
            feature_names=features.columns,
            index=ids,
        )
        if target is None:
            return sequences
        labels = table[target].to_numpy()
        if per_step:
            parts = np.split(labels[rows.order], np.cumsum(lengths)[:-1])
            return sequences, np.stack(parts) if (lengths == lengths[0]).all() else parts
        first = rows.order[rows.is_first]
        label_codes = pd.factorize(labels)[0]
        other = np.flatnonzero(label_codes[first][codes] != label_codes)
        if len(other):
            row = other[0]
            raise ValueError(
                f"Sequence {ids[codes[row]]!r} has several labels in {target!r}: "
                f"{labels[first[codes[row]]]!r} and, in row {row}, {labels[row]!r}. If each step "
                "has its own, per_step=True returns them for pooling=None."
            )
        return sequences, pd.Series(labels[first], index=ids, name=target)

    @classmethod
    def concat(cls, parts: Iterable[Any]) -> Self:
        """Concatenate sequences.

        Parts of one container are joined without a copy of its steps; others are copied once.

        Parameters
        ----------
        parts : sequence of Sequences
            Parts of one container, which share its steps, keep its series. Series of parts of
            different containers get different codes.

        Returns
        -------
        Sequences
            The sequences of all parts, in order.

        Raises
        ------
        ValueError
            If `parts` is empty, or the features or vocabularies differ.

        See Also
        --------
        Sequences.compact : Drop the steps that no sequence uses.

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
            if not equal_names(part.feature_names, parts[0].feature_names):
                raise ValueError(
                    f"Part {number} has the features {part.feature_names}, part 0 has "
                    f"{parts[0].feature_names}."
                )
            if part.vocabulary != parts[0].vocabulary:
                raise ValueError(
                    f"Part {number} holds tokens of another vocabulary than part 0: the same "
                    "number stands for different words. Make both by one TokenSequencer."
                )
            if part.categories != parts[0].categories:
                raise ValueError(
                    f"Part {number} holds other categories than part 0: the same number stands "
                    "for different values. Make both by one SequenceWindower."
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
        indexes = [part.index for part in parts if part.index is not None]
        return cls(
            containers[0] if len(containers) == 1 else np.concatenate(containers),
            np.concatenate(starts),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate(series),
            parts[0].feature_names,
            indexes[0].append(indexes[1:]) if len(indexes) == len(parts) else None,
            parts[0].vocabulary,
            parts[0].categories,
        )


def _check_frame(table: Any, target: str | None, *, per_step: bool) -> None:
    """Raise an error for anything but a DataFrame, or a target that it does not have."""
    if not isinstance(table, pd.DataFrame):
        raise ValueError(
            f"from_frame reads a DataFrame, got {type(table).__name__}: from_arrays reads arrays "
            "and lists of them."
        )
    if target is None and per_step:
        raise ValueError("per_step=True needs target=: the column with the labels of the steps.")
    if target is not None and target not in table.columns:
        raise ValueError(f"target={target!r} is not a column of the table: {list(table.columns)}.")


def _check_dates(features: pd.DataFrame) -> None:
    """Raise an error for a column of dates, which may be the time of the steps."""
    for name, column in features.items():
        if isinstance(pd.Index(column[:0]), (pd.DatetimeIndex, pd.PeriodIndex)):
            raise ValueError(
                f"Column {name!r} holds dates, which are not numbers: time={name!r} makes them "
                "the time of the steps and checks their order; else leave the column out."
            )


def _warn_of_other_order(features: pd.DataFrame, codes: np.ndarray, rows: Rows) -> None:
    """Warn that a column numbers the steps of each sequence, and rows have another order."""
    follows = ~rows.is_first[1:]
    if follows.sum() < FEWEST_STEPS:
        return
    for name, column in features.items():
        values = column.to_numpy(np.float64, na_value=np.nan)[rows.order]
        ordered = values[np.lexsort((values, codes[rows.order]))]
        step, in_rows = (np.diff(x)[follows] for x in (ordered, values))
        if step[0] > 0 and np.allclose(step, step[0], rtol=1e-6, atol=0) and (in_rows < 0).any():
            warn(
                f"Column {name!r} numbers the steps of each sequence, and rows are in another "
                f"order, in which they are read. table.sort_values({name!r}) puts them in order, "
                f"and time={name!r} checks it.",
                DataWarning,
            )
