"""Sequences as a table of lags, without a copy of it: its rows, products and sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from sklstm._data.lag_moments import LagMoments
from sklstm._data.sequences import Sequences

__all__ = ["LagTable"]

Sums: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Sums of columns, of their products, and of their products with targets; or ends of runs."""

# Processor times from `benchmarks/constants.py`, and with 1 to 24 features and 24 to 96 lags.

BLOCK = 2**14
"""Rows of values, or a 64th of the elements, that are copied at a time. A fourth of it takes 0.7 to
1 times as long for single rows, and up to 1.5 times for predictions; twice as much 0.9 to 1.4."""
GROUP = 8
"""Neighbouring rows of one matrix product: 4 take 0.96 to 1.1 times as long, 16 take 1 to 1.4."""
SHORTEST_RUN = 4
"""Shorter runs are not worthwhile: the ends of a run cost as much as two single rows. Runs of four
rows take 1.8 times as long as single rows."""


@dataclass(frozen=True)
class LagTable:
    """Sequences as a table with one column for each step and feature, without a copy.

    Columns are standardised. A missing value is replaced by the last observation of the history, or
    `fill` if there is none. The backcast precedes a shorter history. An empty history has the mean
    of each feature.

    Parameters
    ----------
    sequences : Sequences
        The histories; of longer ones the last `n_steps` steps.
    mean, scale : ndarray of float64, shape (n_features,)
        Mean and standard deviation of the features; scales are positive.
    n_steps : int
        Number of steps, and so of columns by feature.
    fill : ndarray of float64, shape (n_features,), or None
        Replaces values that are missing since the beginning, in standardised units; None if no
        value is missing.
    backcast : ndarray of float64, shape (n_features + 1, n_steps_before * n_features), or None
        Coefficients and intercepts of earlier steps, given the first step of a shorter history.
        Even earlier ones equal the earliest. None: all equal the first step.

    Examples
    --------
    >>> import numpy as np
    >>> windows = Sequences(np.array([[1.0], [2.0], [4.0]]), starts=[0, 1, 0], lengths=[2, 2, 1])
    >>> table = LagTable(windows, mean=np.zeros(1), scale=np.ones(1), n_steps=2)
    >>> table.rows(slice(None))
    array([[1., 2.],
           [2., 4.],
           [1., 1.]])
    >>> table.moments(np.array([[1.0], [2.0], [3.0]]), weight=np.ones(3)).xx
    array([[ 6., 11.],
           [11., 21.]])
    """

    sequences: Sequences
    mean: np.ndarray
    scale: np.ndarray
    n_steps: int
    fill: np.ndarray | None = None
    backcast: np.ndarray | None = None

    def rows(self, rows: np.ndarray | slice) -> np.ndarray:
        """Copy some rows of the table.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,), or slice
            Which rows.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_steps * n_features)
            All features of the first step, then of the second.
        """
        return self._lags(self.sequences[rows], self.n_steps)

    def product(self, coef: np.ndarray) -> np.ndarray:
        """Multiply the table with coefficients.

        Where whole histories begin at consecutive rows of values, each value is multiplied by the
        coefficients of all lags at once, and the products are summed along diagonals: no lag is
        copied.

        Parameters
        ----------
        coef : ndarray of shape (n_steps * n_features, n_outputs)
            Coefficients of each column.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_outputs)
            The products.
        """
        products = np.empty((len(self.sequences), coef.shape[1]))
        for block in self.blocks():
            ends = self.sequences.ends[block]
            whole = self.sequences.lengths[block].min() >= self.n_steps
            in_a_row = whole and len(ends) > self.n_steps and bool((np.diff(ends) == 1).all())
            if in_a_row:
                values = self.sequences.values[ends[0] - self.n_steps : ends[-1]]
                products[block] = self._along_diagonals(self._standardised(values), coef)
            if not in_a_row or not np.isfinite(products[block]).all():
                products[block] = self.rows(block) @ coef
        return products

    def _along_diagonals(self, values: np.ndarray, coef: np.ndarray) -> np.ndarray:
        n_steps, n_outputs = self.n_steps, coef.shape[1]
        by_feature = coef.reshape(n_steps, -1, n_outputs).transpose(1, 0, 2)
        products = values @ by_feature.reshape(values.shape[1], -1)
        products = products.reshape(len(values), n_steps, n_outputs)
        row, step, output = products.strides
        shape = len(values) - n_steps + 1, n_steps, n_outputs
        return as_strided(products, shape, (row, row + step, output), writeable=False).sum(axis=1)

    def blocks(self) -> list[slice]:
        """Divide the rows into blocks that are small enough to copy.

        Returns
        -------
        list of slice
            All rows in order.
        """
        n_rows = max(1, 64 * BLOCK // max(1, self.n_steps * self.sequences.n_features))
        return [slice(at, at + n_rows) for at in range(0, len(self.sequences), n_rows)]

    def moments(self, target: np.ndarray, weight: np.ndarray) -> LagMoments:
        """Sum the products of the columns and the targets.

        Whole histories of equal weight that begin at consecutive rows of values share all but one
        step with the next: sums of products of the values with themselves, a lag apart, are enough.
        Other rows are copied in blocks.

        Parameters
        ----------
        target : ndarray of float64, shape (n_rows, n_outputs)
            Targets.
        weight : ndarray of float64, shape (n_rows,)
            Weights, all positive.

        Returns
        -------
        LagMoments
            The sums.
        """
        weighed = weight[:, None] * target
        whole = self._whole()
        parts = [self._of_rows(np.flatnonzero(~whole), weight, weighed)]
        if whole.any():
            starts = self.sequences.ends[whole] - self.n_steps
            parts += self._of_starts(starts, weight[whole], weighed[whole])
        x, xx, xy = (reduce(np.add, sums) for sums in zip(*parts, strict=True))
        yy = np.einsum("ij,ij->j", weighed, target)
        return LagMoments(float(weight.sum()), x, xx, weighed.sum(axis=0), yy, xy)

    def _whole(self) -> np.ndarray:
        """Whether a history has all steps, without missing values."""
        sequences = self.sequences
        whole = sequences.lengths >= self.n_steps
        if sequences.dtype.kind == "f":
            missing = np.isnan(sequences.values).any(axis=1)
            if missing.any():
                before = np.concatenate([[0], np.cumsum(missing)])
                first = np.maximum(sequences.ends - self.n_steps, sequences.starts)
                whole &= before[sequences.ends] == before[first]
        return whole

    def _of_rows(self, rows: np.ndarray, weight: np.ndarray, weighed: np.ndarray) -> Sums:
        """Sums over single rows."""
        x, xx, xy = self._zeros(weighed.shape[1])
        if not len(rows):
            return x, xx, xy
        part = replace(self, sequences=self.sequences[rows])
        for block in part.blocks():
            lags = part.rows(block)
            x += weight[rows[block]] @ lags
            xy += lags.T @ weighed[rows[block]]
            lags *= np.sqrt(weight[rows[block]])[:, None]
            xx += lags.T @ lags
        return x, xx, xy

    def _of_starts(
        self, starts: np.ndarray, weight: np.ndarray, weighed: np.ndarray
    ) -> Iterator[Sums]:
        """Sums over whole histories: those in runs, and single ones."""
        starts, row = np.unique(starts, return_inverse=True)
        weight = np.bincount(row, weight)
        weighed = np.stack([np.bincount(row, column) for column in weighed.T], axis=1)
        joined = (np.diff(starts) == 1) & (np.diff(weight) == 0)
        first = np.flatnonzero(np.concatenate([[True], ~joined]))
        sizes = np.diff(first, append=len(starts))
        in_run = np.repeat(sizes >= SHORTEST_RUN, sizes)
        windows = Sequences(
            self.sequences.values, starts, np.full(len(starts), self.n_steps, dtype=np.int32)
        )
        table = replace(self, sequences=windows)
        yield table._of_rows(np.flatnonzero(~in_run), weight, weighed)
        if in_run.any():
            long = sizes >= SHORTEST_RUN
            first, last = first[long], (first + sizes)[long] - 1
            ends = starts[first], starts[last] + 1, weight[first]
            yield self._of_runs(starts[in_run], weight[in_run], weighed[in_run], ends)

    def _of_runs(
        self, starts: np.ndarray, weight: np.ndarray, weighed: np.ndarray, ends: Sums
    ) -> Sums:
        """Sums over whole histories of equal weight that begin at consecutive rows."""
        n_features, n_steps = self.sequences.n_features, self.n_steps
        products = np.zeros((n_features + 1 + weighed.shape[1], n_steps, n_features))
        for chunk in np.split(np.arange(len(starts)), _chunk_bounds(starts)):
            products += self._lag_products(starts[chunk], weight[chunk], weighed[chunk])
        edges = self._edges(*ends)
        xx = np.zeros((n_steps, n_features, n_steps, n_features))
        xx[0] = products[:n_features]
        for step in range(1, n_steps):  # from the steps i, j to i + 1, j + 1
            xx[step, :, step:] = xx[step - 1, :, step - 1 : -1] + edges[step - 1, :, step - 1 :]
        xx = np.triu(xx.reshape(2 * (n_steps * n_features,)))
        xx += np.triu(xx, 1).T
        x, *xy = products[n_features:].reshape(-1, n_steps * n_features)
        return x, xx, np.stack(xy, axis=1)

    def _lag_products(
        self, starts: np.ndarray, weight: np.ndarray, weighed: np.ndarray
    ) -> np.ndarray:
        """Products of the first steps, the weights and the targets with later steps."""
        begin, end = starts[0], starts[-1] + 1
        ahead = self._standardised(self.sequences.values[begin : end + self.n_steps - 1])
        ahead[~np.isfinite(ahead)] = 0  # of no history: runs have no missing values
        first = np.zeros((end - begin, self.sequences.n_features + 1 + weighed.shape[1]))
        at = starts - begin
        first[at, : self.sequences.n_features] = weight[:, None] * ahead[at]
        first[at, self.sequences.n_features] = weight
        first[at, self.sequences.n_features + 1 :] = weighed
        return lag_products(first, ahead, self.n_steps)

    def _edges(self, starts: np.ndarray, ends: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Differences of the products one step later: last rows of runs enter, first rows leave."""
        shorter = self.n_steps - 1, self.sequences.n_features
        edges = np.zeros(2 * shorter)
        if self.n_steps == 1:
            return edges
        for sign, begins in ((1, ends), (-1, starts)):
            lengths = np.full(len(begins), self.n_steps - 1, dtype=np.int32)
            windows = Sequences(self.sequences.values, begins, lengths)
            table = replace(self, sequences=windows, n_steps=self.n_steps - 1)
            nothing = np.empty((len(begins), 0))
            _, xx, _ = table._of_rows(np.arange(len(begins)), weight, nothing)
            edges += sign * xx.reshape(edges.shape)
        return edges

    def _lags(self, sequences: Sequences, n_steps: int) -> np.ndarray:
        """Standardised values of the last steps, none of them missing."""
        if not len(sequences.values):
            return np.zeros((len(sequences), n_steps * sequences.n_features))
        steps = sequences.ends[:, None] + np.arange(-n_steps, 0)
        steps = np.maximum(steps, sequences.starts[:, None])
        np.minimum(steps, len(sequences.values) - 1, out=steps)
        lags = self._standardised(sequences.values[steps])
        lags[sequences.lengths == 0] = 0
        if self.fill is not None:
            self._fill_missing(lags, steps, sequences.starts, self.fill)
        short = (sequences.lengths < n_steps) & (sequences.lengths > 0)
        if self.backcast is not None and short.any():
            lags[short] = _in_front(self.backcast, lags[short], sequences.lengths[short])
        return lags.reshape(len(lags), -1)

    def _fill_missing(
        self, lags: np.ndarray, steps: np.ndarray, starts: np.ndarray, fill: np.ndarray
    ) -> None:
        """Replace missing values by the last observation of the history."""
        row, step, feature = np.isnan(lags).nonzero()
        if not len(row):
            return
        seen = self._last_seen[steps[row, step], feature]
        values = self.sequences.values[np.maximum(seen, 0), feature]
        values = (values - self.mean[feature]) / self.scale[feature]
        lags[row, step, feature] = np.where(seen >= starts[row], values, fill[feature])

    @cached_property
    def _last_seen(self) -> np.ndarray:
        """Row of the last observation of each feature; -1 if there is none."""
        rows = np.arange(len(self.sequences.values))[:, None]
        seen = np.where(np.isnan(self.sequences.values), -1, rows)
        return np.maximum.accumulate(seen, axis=0)

    def _standardised(self, values: np.ndarray) -> np.ndarray:
        values = values - self.mean
        values /= self.scale
        return values

    def _zeros(self, n_outputs: int) -> list[np.ndarray]:
        n_columns = self.n_steps * self.sequences.n_features
        shapes = (n_columns,), (n_columns, n_columns), (n_columns, n_outputs)
        return [np.zeros(shape) for shape in shapes]


def lag_products(first: np.ndarray, ahead: np.ndarray, n_lags: int) -> np.ndarray:
    """Sum the products of rows with the rows 0, 1, ... after them.

    Rows are joined in groups of `GROUP`, for a few large matrix products: that of a group with the
    one `d` groups later holds lags around ``d * GROUP``.

    Parameters
    ----------
    first : ndarray of shape (n_rows, n_left)
        Left factors.
    ahead : ndarray of shape (n_rows + n_lags - 1, n_right)
        Right factors; that of lag `j` of row `i` is row ``i + j``.
    n_lags : int
        Number of lags.

    Returns
    -------
    ndarray of shape (n_left, n_lags, n_right)
        Sums over the rows.

    Examples
    --------
    >>> lag_products(np.array([[1.0], [2.0]]), np.array([[1.0], [10.0], [100.0]]), n_lags=2)
    array([[[ 21.],
            [210.]]])
    """
    n_groups = -(-len(first) // GROUP)
    n_ahead = -(-(n_lags + GROUP - 1) // GROUP)
    left = _in_groups(first, n_groups)
    right = _in_groups(ahead, n_groups + n_ahead - 1)
    products = np.stack([left.T @ right[d : d + n_groups] for d in range(n_ahead)])
    products = products.reshape(n_ahead, GROUP, first.shape[1], GROUP, ahead.shape[1])
    products = products.transpose(1, 2, 0, 3, 4)
    products = products.reshape(GROUP, first.shape[1], -1, ahead.shape[1])
    return reduce(np.add, (products[row, :, row : row + n_lags] for row in range(GROUP)))


def _in_groups(rows: np.ndarray, n_groups: int) -> np.ndarray:
    """Join neighbouring rows; the last group is padded with zeros."""
    padded = np.zeros((n_groups * GROUP, rows.shape[1]))
    padded[: len(rows)] = rows
    return padded.reshape(n_groups, -1)


def _chunk_bounds(starts: np.ndarray) -> np.ndarray:
    """Positions that divide sorted starts so that no part spans more than a block of rows."""
    return np.flatnonzero(np.diff(starts // BLOCK)) + 1


def _in_front(backcast: np.ndarray, lags: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Replace the repeated first step of short histories by the backcast."""
    before = lags[:, 0] @ backcast[:-1] + backcast[-1]
    before = before.reshape(len(lags), -1, lags.shape[2])
    n_before, lag = before.shape[1], np.arange(lags.shape[1])
    from_first = lag - (len(lag) - lengths[:, None])
    place = np.maximum(n_before + np.minimum(from_first, 0), 0)
    place = np.where(from_first < 0, place, n_before + lag)
    both = np.concatenate([before, lags], axis=1)
    return np.take_along_axis(both, place[..., None], axis=1)
