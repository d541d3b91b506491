"""Losses: a number for each target, averaged with the weights of the sequences."""

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["REGRESSION_LOSSES", "WeightedLoss", "cross_entropy", "label_cross_entropy"]

REGRESSION_LOSSES = {
    "squared_error": F.mse_loss,
    "absolute_error": F.l1_loss,
    "huber": F.huber_loss,
}


def cross_entropy(prediction, target, reduction):
    """Cross-entropy of one class a sample.

    Parameters
    ----------
    prediction : Tensor of shape (n_sequences, n_classes)
        Logits.
    target : Tensor of shape (n_sequences, 1)
        Position of the class.
    reduction : {"none", "mean"}
        One number for each, or their mean.

    Returns
    -------
    Tensor of shape (n_sequences, 1) or ()
        ``-log softmax(prediction)[target]``.
    """
    losses = F.cross_entropy(prediction, target[:, 0].long(), reduction=reduction)
    return losses[:, None] if reduction == "none" else losses


label_cross_entropy = F.binary_cross_entropy_with_logits
"""Cross-entropy of each label of a sample that may have several."""


class WeightedLoss(nn.Module):
    """Weighted mean of an element-wise loss.

    ``sum_i w_i mean_k loss(prediction_ik, target_ik) / sum_i w_i``, so that a weight of 2 is the
    same as the sequence standing there twice.

    Parameters
    ----------
    elementwise : callable
        ``elementwise(prediction, target, reduction)``, as in :mod:`torch.nn.functional`.

    Shape
    -----
    - prediction: ``(n_sequences, n_outputs)``, or ``(n_steps, n_sequences, n_outputs)``
    - target: likewise, or with 1 in place of ``n_outputs`` for classes
    - weight: ``(n_sequences,)``, or ``(n_steps, n_sequences)``; None for 1 each
    - output: a scalar

    Examples
    --------
    >>> import torch
    >>> loss = WeightedLoss(REGRESSION_LOSSES["squared_error"])
    >>> loss(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]), torch.tensor([3.0, 1.0]))
    tensor(3.)
    """

    def __init__(self, elementwise):
        super().__init__()
        self.elementwise = elementwise

    def forward(self, prediction, target, weight=None):
        """Compute the mean."""
        if prediction.ndim == 3:
            prediction, target, weight = (x.flatten(0, 1) for x in (prediction, target, weight))
        if weight is None:
            return self.elementwise(prediction, target, reduction="mean")
        losses = self.elementwise(prediction, target, reduction="none").mean(1)
        return torch.dot(losses, weight) / weight.sum()
