"""The histories of rows: where each begins, and what is carried over to the next table."""

from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["CarriedRows", "factorize", "history_bounds", "longer", "scatter"]


def history_bounds(
    is_first: np.ndarray, window_size: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of the history of each row.

    Parameters
    ----------
    is_first : ndarray of bool, shape (n_rows,)
        Whether a row is the first one of its series, or of a part of it that stands alone.
    window_size : int
        Most rows a history may have.
    horizon : int
        Rows between the last row of a history and the row it belongs to.

    Returns
    -------
    starts : ndarray of int64, shape (n_rows,)
        First row of each history.
    lengths : ndarray of int32, shape (n_rows,)
        Number of rows of each history.

    Examples
    --------
    >>> import numpy as np
    >>> history_bounds(np.array([True, False, False, True]), window_size=2, horizon=1)
    (array([0, 0, 0, 3]), array([0, 1, 2, 0], dtype=int32))
    """
    first = np.flatnonzero(is_first)
    starts = np.repeat(first, np.diff(first, append=len(is_first)))
    ends = np.maximum(np.arange(1 - horizon, len(is_first) + 1 - horizon), starts)
    np.maximum(starts, ends - window_size, out=starts)
    return starts, (ends - starts).astype(np.int32)


class CarriedRows(NamedTuple):
    """Rows kept from `fit`, each series in time order.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Position of the series in ``series_``.
    stamps : ndarray of shape (n_rows,)
        Their times.
    values : ndarray of shape (n_rows, n_features)
        Their features.
    """

    codes: np.ndarray
    stamps: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> "CarriedRows":
        """Select rows.

        Parameters
        ----------
        rows : ndarray of int, shape (n_selected,)
            Which rows.

        Returns
        -------
        CarriedRows
            In the order of `rows`.
        """
        return CarriedRows(self.codes[rows], self.stamps[rows], self.values[rows])


def longer(steps: np.ndarray, limit: float) -> np.ndarray:
    """Compare steps in time with a limit; fractions round, so that they get some slack."""
    return steps > (limit * (1 + 1e-4) if steps.dtype.kind == "f" else limit)


def scatter(x: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put what belongs to row ``order[i]`` of the table from place i there."""
    scattered = np.empty_like(x)
    scattered[order] = x
    return scattered


def factorize(
    keys: pd.Index | None, n_rows: int, known: pd.Index | None = None
) -> tuple[np.ndarray, pd.Index | None]:
    """Code of the series of each row, and the names behind the codes.

    Known series keep their codes, new ones get higher codes.
    """
    if keys is None:
        return np.zeros(n_rows, dtype=np.int32), None
    codes, found = pd.factorize(keys)
    if known is None:
        return codes.astype(np.int32), found
    position = known.get_indexer(found)
    new = position < 0
    position[new] = len(known) + np.arange(new.sum())
    return position[codes].astype(np.int32), known
