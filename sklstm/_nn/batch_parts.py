"""Parts of a batch: split one, join several, and what they weigh."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import torch
from torch.nn import functional as F

__all__ = [
    "by_sequence",
    "join_batches",
    "parts_of",
    "repeated",
    "side_by_side",
    "split_batch",
    "total_weight",
]


def split_batch(batch: tuple, n_parts: int) -> list[tuple]:
    """Split a batch into smaller ones.

    Parameters
    ----------
    batch : tuple
        From `SequenceDataset.batch`.
    n_parts : int
        Largest number of parts; a batch of few sequences may have fewer.

    Returns
    -------
    list of tuple
        Batches of about the same size, views of the tensors.

    Examples
    --------
    >>> import torch
    >>> batch = (torch.zeros(5, 8, 3), None), (torch.zeros(8, 1), torch.ones(8))
    >>> [tuple(steps.shape) for (steps, _), _ in split_batch(batch, 3)]
    [(5, 3, 3), (5, 3, 3), (5, 2, 3)]
    """

    def chunks(tensor: torch.Tensor | None, axis: int) -> Iterable[torch.Tensor | None]:
        return repeat(None) if tensor is None else tensor.chunk(n_parts, axis)

    (steps, lengths), (target, weight) = batch
    inputs = zip(chunks(steps, 1), chunks(lengths, 0), strict=False)  # repeat(None) has no end
    of_weight = -1 if weight is None or weight.ndim < target.ndim else -2
    targets = zip(chunks(target, -2), chunks(weight, of_weight), strict=False)
    return list(zip(inputs, targets, strict=True))


def join_batches(parts: Sequence[tuple]) -> tuple:
    """Put the parts of a batch side by side.

    Parameters
    ----------
    parts : sequence of tuple
        Batches from `SequenceDataset.batches`.

    Returns
    -------
    tuple
        One batch of all their sequences, with zeros after the end of shorter ones.

    Examples
    --------
    >>> import torch
    >>> parts = [((torch.ones(n, 2, 3), None), (torch.ones(2, 1), None)) for n in (1, 5)]
    >>> (steps, lengths), (target, weight) = join_batches(parts)
    >>> tuple(steps.shape), lengths.tolist(), len(target)
    ((5, 4, 3), [1, 1, 5, 5], 4)
    """
    inputs, targets = zip(*parts, strict=True)
    steps = [of_part[0] for of_part in inputs]
    lengths = [
        torch.full(x.shape[1:2], len(x), device=x.device) if own is None else own
        for x, own in inputs
    ]
    target, weight = zip(*targets, strict=True)
    return (side_by_side(steps), torch.cat(lengths)), (
        side_by_side(target),
        None if weight[0] is None else side_by_side([w[..., None] for w in weight])[..., 0],
    )


def side_by_side(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Join tensors of the parts of a batch, of sequences or with steps as the first axis.

    Parameters
    ----------
    parts : sequence of Tensor of shape (n_i, n_columns) or (n_steps_i, n_i, n_columns)
        One for each part.

    Returns
    -------
    Tensor of shape (n, n_columns) or (n_steps, n, n_columns)
        Zero after the end of shorter parts.
    """
    if parts[0].ndim == 2:
        return torch.cat(list(parts))
    longest = max(map(len, parts))
    return torch.cat([F.pad(x, (0, 0, 0, 0, 0, longest - len(x))) for x in parts], dim=1)


def parts_of(batch: tuple | list[tuple]) -> list[tuple]:
    """The parts of a batch, which may be one."""
    return batch if isinstance(batch, list) else [batch]


def total_weight(parts: list[tuple]) -> Any:
    """Weight of a batch: the number of its sequences if they have no weights."""
    return sum(len(target) if weight is None else weight.sum() for _, (target, weight) in parts)


def repeated(targets: tuple, n_networks: int) -> tuple:
    """Target and weight, again for each network."""
    if n_networks == 1:
        return targets
    return tuple(
        None if one is None else one.repeat(n_networks, *[1] * (one.ndim - 1)) for one in targets
    )


def by_sequence(outputs: torch.Tensor, lengths: torch.Tensor | None, n_steps: int) -> torch.Tensor:
    """Outputs of every step, (n_steps, n_sequences, n_outputs), one sequence after another.

    `n_steps` is the sum of the lengths: reading it from the device would wait for the device.
    """
    if outputs.ndim == 2:
        return outputs
    outputs = outputs.transpose(0, 1)
    if lengths is None:
        return outputs.flatten(0, 1)
    ends, places = lengths.cumsum(0), torch.arange(n_steps, device=lengths.device)
    sequence = torch.searchsorted(ends, places, right=True)
    return outputs[sequence, places - (ends - lengths)[sequence]]
