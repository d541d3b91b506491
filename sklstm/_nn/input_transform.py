"""Inputs of the network: levels, differences, position, and masks of missing values."""

from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["INPUT_TRANSFORMS", "SPREAD", "InputReader", "fill_missing"]

INPUT_TRANSFORMS = ("levels", "differences", "position")
"""Possible inputs of the network at a step, in their order."""

SPREAD = 3**0.5
"""Standard deviations from the middle to the end of a uniform distribution."""


@dataclass(frozen=True)
class InputReader:
    """Turns batches of scaled steps into inputs of the network.

    Attributes
    ----------
    fill : Tensor of shape (n_features,) or None
        Replaces values that are missing since the beginning; None if no value may be missing.
    input_transform : tuple of str
        Some of `INPUT_TRANSFORMS`.
    per_difference : Tensor of shape (n_features,) or None
        Factor of differences of scaled steps.
    """

    fill: torch.Tensor | None
    input_transform: tuple[str, ...]
    per_difference: torch.Tensor | None

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
            Levels, differences, position, and two channels for each feature that may be missing.
        """
        masks = []
        if self.fill is not None:
            n_features = steps.shape[2]
            steps, *masks = fill_missing(steps, self.fill).split([n_features, 2 * n_features], 2)
        if self.input_transform == ("levels",) and not masks:
            return steps
        inputs = [steps] if "levels" in self.input_transform else []
        if self.per_difference is not None:
            changes = torch.zeros_like(steps)
            torch.sub(steps[1:], steps[:-1], out=changes[1:])
            inputs.append(changes.mul_(self.per_difference))
        if "position" in self.input_transform:
            inputs.append(_position(steps, lengths))
        return torch.cat(inputs + masks, dim=2)


def _position(steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """Position of each step in its sequence, (n_steps, n_sequences, 1)."""
    place = torch.arange(len(steps), device=steps.device, dtype=steps.dtype)[:, None]
    if lengths is None:
        last: Any = max(len(steps) - 1, 1)
    else:
        last = (lengths - 1).clamp(min=1)
    place = (2 * place / last - 1) * SPREAD
    return place.expand(steps.shape[:2])[..., None]


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
