"""Parts of a batch: split one, or join several."""

from collections.abc import Iterable, Sequence
from itertools import repeat

import torch
from torch.nn import functional as F

__all__ = ["join_batches", "side_by_side", "split_batch"]


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
