"""Losses of each target, averaged with the weights of the sequences."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

__all__ = [
    "REGRESSION_LOSSES",
    "CrossEntropy",
    "ElementwiseLoss",
    "LabelCrossEntropy",
    "UserLoss",
    "WeightedLoss",
    "mask_missing",
]

ElementwiseLoss = Callable[..., torch.Tensor]
"""``loss(prediction, target, reduction)``. Attributes that differ from these defaults:
``outputs_a_target = 1``; ``one_target = False``, whether all outputs have one target together;
``takes_init = False``, whether predictions of an init estimator may stand behind the targets."""

REGRESSION_LOSSES: dict[str, ElementwiseLoss] = {
    "squared_error": F.mse_loss,
    "absolute_error": F.l1_loss,
    "huber": F.huber_loss,
}


class CrossEntropy(nn.Module):
    """Cross-entropy of one class a sample, ``-log softmax(prediction)[target]``.

    Shape
    -----
    - prediction: ``(n, n_classes)``, logits
    - target: ``(n, 1)`` or ``(n, 1 + n_classes)``: the position of the class, and logits of an
      init estimator, to which the prediction is added
    - output: ``(n, 1)``, or a scalar with ``reduction="mean"``
    """

    one_target = takes_init = True

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the loss of each sample."""
        if target.shape[1] > 1:
            prediction = prediction + target[:, 1:]
        losses = F.cross_entropy(prediction, target[:, 0].long(), reduction=reduction)
        return losses[:, None] if reduction == "none" else losses


class LabelCrossEntropy(nn.Module):
    """Cross-entropy of each label of a sample that may have several.

    ``-log p`` with ``p = sigmoid(prediction)`` for labels of the sample, else ``-log(1 - p)``.

    Shape
    -----
    - prediction: ``(n, n_labels)``, logits
    - target: ``(n, n_labels)`` or ``(n, 2 * n_labels)``: 1 for each label of the sample, and
      logits of an init estimator, to which the prediction is added
    - output: ``(n, n_labels)``, or a scalar with ``reduction="mean"``
    """

    takes_init = True

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the loss of each label."""
        n_labels = prediction.shape[1]
        if target.shape[1] > n_labels:
            prediction, target = prediction + target[:, n_labels:], target[:, :n_labels]
        return F.binary_cross_entropy_with_logits(prediction, target, reduction=reduction)


def mask_missing(target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give weight 0 to targets that are missing in rows that have others.

    Parameters
    ----------
    target : ndarray of shape (n, n_targets)
        NaN where one of several targets is missing.
    weight : ndarray of shape (n,)
        Weights of the rows.

    Returns
    -------
    target : ndarray of shape (n, n_targets)
        0 in place of NaN.
    weight : ndarray of shape (n,), or (n, n_targets) if some targets are missing
        As `WeightedLoss` takes it.
    """
    missing = np.isnan(target)
    if not missing.any():
        return target, weight
    return np.where(missing, 0, target), weight[:, None] * ~missing


class UserLoss(nn.Module):
    """A loss of the user, of which `WeightedLoss` takes the mean.

    Parameters
    ----------
    function : callable
        ``function(prediction, target)`` of tensors of shape ``(n, n_outputs)`` returns the loss of
        each element, or of each row.

    Raises
    ------
    ValueError
        If it returns anything else, such as a mean.
    """

    def __init__(self, function: Callable):
        super().__init__()
        if isinstance(function, type):
            raise ValueError(
                f"loss is the class {function.__name__}: give an object of it, such as "
                f"{function.__name__}(reduction='none')."
            )
        # skorch switches a module to evaluation; that of the user stays as it is
        self.function = deepcopy(function) if isinstance(function, nn.Module) else function

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        """Compute the losses."""
        losses = self.function(prediction, target)
        is_computed = isinstance(losses, torch.Tensor) and losses.requires_grad
        if prediction.requires_grad and not is_computed and np.ndim(losses):
            raise ValueError(
                f"loss gave a {type(losses).__name__} without a gradient, so that nothing can be "
                "learned from it: compute it with functions of torch only, and without detach()."
            )
        shape = tuple(getattr(losses, "shape", ()))
        if shape not in (tuple(target.shape), tuple(target.shape[:1])):
            raise ValueError(
                f"loss gave a result of the shape {shape} for {tuple(target.shape)} targets. It "
                "has to give the loss of each element or each row, without a mean: torch's own do "
                "with reduction='none'."
            )
        losses = losses.reshape(len(target), -1)
        return losses.mean() if reduction == "mean" else losses


class WeightedLoss(nn.Module):
    """Weighted mean of an element-wise loss.

    ``sum_i w_i mean_k loss(prediction_ik, target_ik) / sum_i w_i``, so that a weight of 2 is the
    same as repeating the sequence.

    Parameters
    ----------
    elementwise : callable
        ``elementwise(prediction, target, reduction)``, as in :mod:`torch.nn.functional`. It may
        use several outputs for each target: `outputs_a_target`.

    Shape
    -----
    - prediction: ``(n_sequences, n_outputs)``, or ``(n_steps, n_sequences, n_outputs)``
    - target: likewise, or with 1 in place of ``n_outputs`` for classes; predictions of an
      init estimator may follow, if the loss takes them
    - weight: ``(n_sequences,)``, or ``(n_steps, n_sequences)``; None for 1 each. Of the
      shape of the targets if some of several are missing: 0 for those
    - output: a scalar

    Raises
    ------
    ValueError
        If shapes of outputs and targets differ: torch would broadcast them.

    Examples
    --------
    >>> import torch
    >>> loss = WeightedLoss(REGRESSION_LOSSES["squared_error"])
    >>> loss(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]), torch.tensor([3.0, 1.0]))
    tensor(3.)
    """

    def __init__(self, elementwise: ElementwiseLoss):
        super().__init__()
        self.elementwise = elementwise
        self._one_target = getattr(elementwise, "one_target", False)
        self._outputs_a_target = getattr(elementwise, "outputs_a_target", 1)
        self._takes_init = getattr(elementwise, "takes_init", False)

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the mean."""
        if prediction.ndim == 3:
            prediction, target = prediction.flatten(0, 1), target.flatten(0, 1)
            weight = None if weight is None else weight.flatten(0, 1)
        n_outputs = prediction.shape[1]
        n_targets = 1 if self._one_target else n_outputs // self._outputs_a_target
        n_of_init = n_outputs if self._takes_init else 0
        right_width = target.shape[1] in (n_targets, n_targets + n_of_init)
        if len(target) != len(prediction) or not right_width:
            raise ValueError(
                f"The network gives outputs of the shape {tuple(prediction.shape)}, and the "
                f"targets have the shape {tuple(target.shape)}: each output needs a target."
            )
        if weight is None:
            return self.elementwise(prediction, target, reduction="mean")
        losses = self.elementwise(prediction, target, reduction="none")
        if weight.ndim == 1:
            return torch.dot(losses.mean(1), weight) / weight.sum()
        if self._takes_init:
            weight = weight[:, : losses.shape[1]]  # behind them those of the init's predictions
        if losses.shape != weight.shape:
            raise ValueError(
                "loss gives one number a row, and in some rows some of the targets are missing: it "
                "has to give one for each element, or each row of y has all targets or none."
            )
        return (losses * weight).sum() / weight.sum()
