"""Inputs of the network: levels, differences, position, and masks of missing values."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sklstm._data.sequences import Sequences
from sklstm._data.statistics import differences, standardization

__all__ = [
    "INPUT_TRANSFORMS",
    "InputReader",
    "InputTransform",
    "check_input_transform",
    "depends_on_length",
    "fill_missing",
]

SPREAD = 3**0.5
"""Standard deviations from the middle to the end of a uniform distribution."""


class InputTransform(ABC):
    """Turns scaled steps into inputs of the network; a new one is a line in `INPUT_TRANSFORMS`."""

    stands_alone = True
    """Whether it may be the only input."""

    depends_on_length = False
    """Whether an input depends on the length of its sequence, so that the sequences of a table
    cannot be read in one run."""

    def learn(
        self, sequences: Sequences, weight: np.ndarray | None, scale: np.ndarray | None
    ) -> np.ndarray | None:
        """Learn from the training steps what the inputs need.

        Parameters
        ----------
        sequences : Sequences
            Training sequences, in the units of users.
        weight : ndarray of shape (n_sequences,), or None
            Their weights.
        scale : ndarray of shape (n_features,), or None
            Standard deviations that steps are divided by, if they are.

        Returns
        -------
        ndarray or None
            Passed to the other methods.
        """
        return None

    def n_inputs(self, n_features: int) -> int:
        """Return the number of inputs at a step."""
        return n_features

    @abstractmethod
    def compute(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, learned: Any
    ) -> torch.Tensor:
        """Compute the inputs of a batch.

        Parameters
        ----------
        steps : Tensor of shape (n_steps, n_sequences, n_features)
            Scaled steps, none missing.
        lengths : Tensor of shape (n_sequences,) or None
            Number of steps of each sequence; None for ``n_steps``.
        learned : Tensor or None
            From `learn`.

        Returns
        -------
        Tensor of shape (n_steps, n_sequences, n_inputs)
            Undefined after the end of a sequence.
        """

    @abstractmethod
    def to_onnx(self, op: Any, steps: str, learned: Any) -> str:
        """Append the same to an ONNX model.

        Parameters
        ----------
        op : sklstm._nn.onnx.Operations
            Gets the nodes.
        steps : str
            Name of the scaled steps, double, ``(n_sequences, n_steps, n_features)``; "lengths" is
            the name of the number of steps of each sequence.
        learned : ndarray or None
            From `learn`.

        Returns
        -------
        str
            Name of the inputs, ``(n_sequences, n_steps, n_inputs)``.
        """


class Levels(InputTransform):
    """The scaled values."""

    def compute(self, steps: torch.Tensor, lengths: Any, learned: Any) -> torch.Tensor:
        """Return the steps."""
        return steps

    def to_onnx(self, op: Any, steps: str, learned: Any) -> str:
        """Return the steps."""
        return steps


class Differences(InputTransform):
    """Differences from the step before, 0 at the first step, in their own standard deviations."""

    def learn(
        self, sequences: Sequences, weight: np.ndarray | None, scale: np.ndarray | None
    ) -> np.ndarray:
        """Learn the factor of differences of scaled steps, one for each feature."""
        if scale is None:
            return np.ones(sequences.n_features)
        return scale / standardization(differences(sequences), weight)[1]

    def compute(self, steps: torch.Tensor, lengths: Any, learned: Any) -> torch.Tensor:
        """Subtract the step before."""
        if steps.requires_grad:
            return nn.functional.pad(steps.diff(dim=0), (0, 0, 0, 0, 1, 0)) * learned
        changes = torch.zeros_like(steps)  # in place, as for training data, it is faster
        torch.sub(steps[1:], steps[:-1], out=changes[1:])
        return changes.mul_(learned)

    def to_onnx(self, op: Any, steps: str, learned: Any) -> str:
        """Subtract the step before, which of the first step is itself."""
        first = op("Slice", steps, np.array([0]), np.array([1]), np.array([1]))
        before = op("Slice", steps, np.array([0]), np.array([-1]), np.array([1]))
        before = op("Concat", first, before, axis=1)
        return op("Mul", op("Sub", steps, before), learned)


class Position(InputTransform):
    """Position of a step in its sequence, from ``-sqrt(3)`` to ``sqrt(3)``, of variance 1."""

    stands_alone = False
    depends_on_length = True

    def n_inputs(self, n_features: int) -> int:
        """One."""
        return 1

    def compute(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, learned: Any
    ) -> torch.Tensor:
        """Compute the position."""
        place = torch.arange(len(steps), device=steps.device, dtype=steps.dtype)[:, None]
        if lengths is None:
            last: Any = max(len(steps) - 1, 1)
        else:
            last = (lengths - 1).clamp(min=1)
        place = (2 * place / last - 1) * SPREAD
        return place.expand(steps.shape[:2])[..., None]

    def to_onnx(self, op: Any, steps: str, learned: Any) -> str:
        """Compute the position."""
        n_steps = op("Squeeze", op("Shape", steps, start=1, end=2))
        place = op("Unsqueeze", op("Range", np.int64(0), n_steps, np.int64(1)), np.array([0]))
        last = op("Max", op("Sub", "lengths", np.int64(1)), np.int64(1))
        last = op.cast(op("Unsqueeze", last, np.array([1])), "float32")
        centred = op("Sub", op("Div", op.cast(place, "float32"), last), np.float32(0.5))
        return op("Unsqueeze", op("Mul", centred, np.float32(2 * SPREAD)), np.array([2]))


INPUT_TRANSFORMS: dict[str, InputTransform] = {
    "levels": Levels(),
    "differences": Differences(),
    "position": Position(),
}
"""Possible inputs of the network at a step, in their order."""


def check_input_transform(names: Any) -> Any:
    """Check the parameter `input_transform`.

    Parameters
    ----------
    names : str or sequence of str
        Names of transforms, or "auto".

    Returns
    -------
    tuple of str, or "auto"
        The names in the order of `INPUT_TRANSFORMS`.

    Raises
    ------
    ValueError
        If a name is unknown, or none of them may be the only input.
    """
    if isinstance(names, str):
        if names == "auto":
            return names
        names = (names,)
    alone = [name for name, transform in INPUT_TRANSFORMS.items() if transform.stands_alone]
    if not set(names) & set(alone) or not set(names) <= set(INPUT_TRANSFORMS):
        raise ValueError(
            f"input_transform={names!r} must hold some of {list(INPUT_TRANSFORMS)}, among them one "
            f"of {alone}."
        )
    return tuple(name for name in INPUT_TRANSFORMS if name in names)


def depends_on_length(names: Sequence[str]) -> bool:
    """Return whether inputs of these names depend on the length of their sequence."""
    return any(INPUT_TRANSFORMS[name].depends_on_length for name in names)


class InputReader(NamedTuple):
    """Turns batches of scaled steps into inputs of the network.

    Attributes
    ----------
    fill : Tensor of shape (n_features,) or None
        Replaces values that are missing since the beginning; None if no value may be missing.
    transforms : list of (InputTransform, Tensor or None)
        What is computed of the filled steps, each with what it learned.
    n_categories : int
        How many of the features, the last ones, are codes of categories.
    """

    fill: torch.Tensor | None
    transforms: list[tuple[InputTransform, torch.Tensor | None]]
    n_categories: int = 0

    def __call__(self, steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Compute the inputs.

        Parameters
        ----------
        steps : Tensor of shape (n_steps, n_sequences, n_features)
            Scaled steps, or tokens.
        lengths : Tensor of shape (n_sequences,) or None
            Number of steps of each sequence; None for ``n_steps``.

        Returns
        -------
        Tensor of shape (n_steps, n_sequences, n_inputs)
            Those of each transform, two channels for each feature that may be missing, and the
            codes of categories.
        """
        codes, masks = [], []
        if self.n_categories:
            steps, *codes = steps.tensor_split([-self.n_categories], 2)
        if self.fill is not None:
            n_features = steps.shape[2]
            steps, *masks = fill_missing(steps, self.fill).split([n_features, 2 * n_features], 2)
        inputs = [one.compute(steps, lengths, learned) for one, learned in self.transforms]
        parts = inputs + masks + codes
        return torch.cat(parts, dim=2) if len(parts) > 1 else inputs[0]


def fill_missing(steps: torch.Tensor, fill: torch.Tensor) -> torch.Tensor:
    """Fill missing values with the last observation, and add inputs that mark them.

    The three inputs of GRU-simple in Che et al., "Recurrent Neural Networks for Multivariate Time
    Series with Missing Values", Scientific Reports 8, 2018: values, masking and time since the
    last observation, here in steps, as a logarithm.

    Parameters
    ----------
    steps : Tensor of shape (n_steps, n_sequences, n_features)
        NaN where a value is missing.
    fill : Tensor of shape (n_features,)
        Replaces values before the first observation.

    Returns
    -------
    Tensor of shape (n_steps, n_sequences, 3 * n_features)
        For each feature the last observed value; whether it is missing now, 1 or 0; and
        ``log(1 + d)`` with ``d`` the number of steps since the last observation, or since before
        the first step.

    Examples
    --------
    >>> import torch
    >>> fill_missing(torch.tensor([torch.nan, 7.0, torch.nan]).reshape(3, 1, 1), torch.zeros(1))
    tensor([[[0.0000, 1.0000, 0.6931]],
            [[7.0000, 0.0000, 0.0000]],
            [[7.0000, 1.0000, 0.6931]]])
    """
    missing = steps.isnan()
    now = torch.arange(len(steps), device=steps.device)[:, None, None]
    last_seen = torch.where(missing, -1, now).cummax(0).values
    filled = torch.where(last_seen < 0, fill, steps.gather(0, last_seen.clamp(min=0)))
    since = torch.log1p((now - last_seen).to(steps.dtype))
    return torch.cat([filled, missing.to(steps.dtype), since], dim=2)
