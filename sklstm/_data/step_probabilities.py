"""Probabilities at every step, whose second axis cannot be mistaken for the classes."""

from numbers import Integral
from typing import Any, SupportsIndex

import numpy as np

__all__ = ["StepProbabilities", "StepProbabilitiesList", "as_step_probabilities"]

CURE = (
    "The second axis of probabilities at every step is that of the steps, not of the classes. "
    "p[..., 1] has the probabilities of class 1 at all steps, p[:, 1, :] those of all classes at "
    "step 1, numpy.asarray(p) is a plain array. A score over all labelled steps is "
    "scoring=sklstm.masked_scoring('roc_auc'), with the name of any scorer of scikit-learn or one "
    "from make_scorer."
)


class StepProbabilities(np.ndarray):
    """Probabilities at every step, of sequences of one length.

    An array of shape ``(n_sequences, n_steps, n_classes)``. scikit-learn's scorers take
    ``[:, k]`` of probabilities for class ``k``, which would be step ``k`` here: that is refused.

    Examples
    --------
    >>> import numpy as np
    >>> p = as_step_probabilities(np.full((2, 3, 2), 0.5))
    >>> p[..., 1].shape, p[:, 1, :].shape
    ((2, 3), (2, 2))
    """

    def __getitem__(self, key: Any) -> Any:
        if self.ndim == 3 and _takes_steps_for_classes(key):
            raise IndexError(CURE)
        part = super().__getitem__(key)
        whole = isinstance(part, np.ndarray) and part.ndim == 3
        return part if whole else np.asarray(part)[()]

    def __array_wrap__(
        self, array: np.ndarray, context: Any = None, return_scalar: bool = False
    ) -> Any:
        """Return plain arrays as results of computations."""
        return array[()] if return_scalar else np.asarray(array)


class StepProbabilitiesList(list):
    """Probabilities at every step, of sequences of different lengths.

    A list of arrays of shape ``(n_steps_i, n_classes)``.

    Examples
    --------
    >>> import numpy as np
    >>> p = as_step_probabilities([np.full((3, 2), 0.5), np.full((1, 2), 0.5)])
    >>> [len(of_class) for of_class in p[..., 1]]
    [3, 1]
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Raise an error: scikit-learn's scorers read it first."""
        raise ValueError(CURE)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise ValueError(f"Sequences of different lengths are no array. {CURE}")

    def __getitem__(self, key: SupportsIndex | slice | tuple) -> Any:
        if isinstance(key, tuple):
            if _takes_steps_for_classes(key) or not key:
                raise IndexError(CURE)
            if key[0] is Ellipsis:
                return [part[key] for part in self]
            return self[key[0]][key[1:]]
        part = super().__getitem__(key)
        return StepProbabilitiesList(part) if isinstance(key, slice) else part


def as_step_probabilities(
    probabilities: np.ndarray | list[np.ndarray],
) -> StepProbabilities | StepProbabilitiesList:
    """Mark probabilities as those of steps.

    Parameters
    ----------
    probabilities : ndarray of shape (n_sequences, n_steps, n_classes) or list of ndarray of shape \
            (n_steps_i, n_classes)
        The probabilities, or their logarithms.

    Returns
    -------
    StepProbabilities or StepProbabilitiesList
        The same numbers.
    """
    if isinstance(probabilities, list):
        return StepProbabilitiesList(probabilities)
    return probabilities.view(StepProbabilities)


def _takes_steps_for_classes(key: Any) -> bool:
    """Whether a key of two places has one place, or some, on the second axis of all sequences."""
    if not isinstance(key, tuple) or len(key) != 2 or key[0] is Ellipsis or key[0] is None:
        return False
    rows, column = key
    if isinstance(rows, Integral):
        return False
    return isinstance(column, Integral) or (isinstance(rows, slice) and np.ndim(column) == 1)
