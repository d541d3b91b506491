"""Columns of a table of lags: numbers at each lag, categories as a column for each value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklstm._data.categories import Categories, one_hot
from sklstm._data.sequences import Sequences

__all__ = ["LagColumns"]


class LagColumns(NamedTuple):
    """Which columns a table of lags has.

    Attributes
    ----------
    n_features : int
        Number of features of a step.
    categories : dict of int to tuple
        Those that are categories, and their values.
    static : list of int
        Categories that never change within a sequence: they are there once.
    """

    n_features: int
    categories: Categories
    static: list[int]

    @classmethod
    def learn(cls, sequences: Sequences) -> LagColumns:
        """Find the categories that never change within a sequence.

        Parameters
        ----------
        sequences : Sequences
            Those of `fit`.
        """
        static = [k for k in sequences.categories if is_constant(sequences, k)]
        return cls(sequences.n_features, sequences.categories, static)

    def table(self, dense: np.ndarray) -> np.ndarray:
        """Make the columns.

        Parameters
        ----------
        dense : ndarray of shape (n_sequences, n_steps, n_features)
            The last steps, NaN before the first one of a shorter sequence.

        Returns
        -------
        ndarray of shape (n_sequences, n_columns)
            Step by step, then the static ones.
        """
        n_sequences = len(dense)
        if not self.categories:
            return dense.reshape(n_sequences, -1)
        steps = [self._columns(dense[..., k], k) for k in self._changing()]
        last = [self._columns(dense[:, -1, k], k) for k in self.static]
        flat = [np.concatenate(steps, axis=2).reshape(n_sequences, -1)] if steps else []
        return np.concatenate([*flat, *last], axis=1)

    def names(self, names: np.ndarray, n_steps: int) -> np.ndarray:
        """Names of the columns, from those of the features."""
        lags = [f"[t-{lag}]" if lag else "[t]" for lag in range(n_steps - 1, -1, -1)]
        steps = [one for k in self._changing() for one in self._named(names[k], k)]
        last = [one for k in self.static for one in self._named(names[k], k)]
        return np.array([f"{name}{lag}" for lag in lags for name in steps] + last, dtype=object)

    def _changing(self) -> list[int]:
        return [k for k in range(self.n_features) if k not in self.static]

    def _columns(self, values: np.ndarray, k: int) -> np.ndarray:
        """The column of a number, or those of a category, as a last axis."""
        if k not in self.categories:
            return values[..., None]
        return one_hot(values, len(self.categories[k]))

    def _named(self, name: str, k: int) -> list[str]:
        return (
            [f"{name}={value}" for value in self.categories[k]] if k in self.categories else [name]
        )


def is_constant(sequences: Sequences, feature: int) -> bool:
    """Whether a feature never changes within a sequence."""
    values, some = sequences.values[:, feature], sequences[sequences.lengths > 0]
    n_changes = np.append(0, np.cumsum(values[1:] != values[:-1]))
    return bool((n_changes[some.ends - 1] == n_changes[some.starts]).all())
