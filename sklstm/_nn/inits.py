"""Init estimators: simple models, on whose residuals the network is trained."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from sklstm._data.lag_table import LagTable
from sklstm._data.samples import Samples
from sklstm._data.sequences import Sequences
from sklstm._data.statistics import standardization
from sklstm._nn.heads import Head
from sklstm._nn.scaling import InputScaling

__all__ = ["Init", "InitTask", "LagInit", "LearnedInit", "lag_units"]


@dataclass(frozen=True)
class InitTask:
    """What an init estimator is learned for.

    Attributes
    ----------
    train : Samples
        Training samples: all that may be looked at before validation.
    rest : Samples or None
        Samples that were set aside from them, most of them to validate.
    everything : Samples or None
        Both together, in their order.
    head : Head
        The meaning of the targets.
    scaling : InputScaling
        Of the training steps.
    standardize : bool
        Whether it standardises the features.
    estimator : str or estimator
        The parameter `init`.
    lagged_target : str, int or None
        The parameter `lagged_target`.
    seed : int
        Of random numbers.
    device : str
        Where a large model computes.
    """

    train: Samples
    rest: Samples | None
    everything: Samples | None
    head: Head
    scaling: InputScaling
    standardize: bool = True
    estimator: Any = "linear"
    lagged_target: Any = None
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class LearnedInit:
    """An init estimator of the training samples.

    Attributes
    ----------
    init : Init
        Has seen the training samples alone, so that it may be validated.
    predicted : ndarray of float64, shape (n_targets, n_init_outputs)
        Its predictions for the training samples, which the network corrects. A model that could
        learn single samples by heart gives out-of-sample predictions.
    learn_again : callable
        Returns the init estimator of the same hyperparameters that has seen all samples.
    """

    init: "Init"
    predicted: np.ndarray
    learn_again: Callable[[], "Init"]


@dataclass(frozen=True, repr=False)
class Init(ABC):
    """A simple model. Frozen: fitted once, to training samples."""

    _kinds: ClassVar[dict[str, type["Init"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Init._kinds[cls.__name__] = cls

    @classmethod
    @abstractmethod
    def learn(cls, task: InitTask) -> LearnedInit:
        """Learn from training samples; hyperparameters are tuned on parts of them.

        Parameters
        ----------
        task : InitTask
            The samples, and what targets are.

        Returns
        -------
        LearnedInit
            With predictions for the training samples.
        """

    @abstractmethod
    def relearn(self, task: InitTask) -> LearnedInit:
        """Learn from other samples with these hyperparameters, when training continues.

        Parameters
        ----------
        task : InitTask
            The samples that training continues with.

        Returns
        -------
        LearnedInit
            With predictions for the training samples.
        """

    @abstractmethod
    def predict(self, sequences: Sequences) -> np.ndarray:
        """Predict by the simple model alone.

        Parameters
        ----------
        sequences : Sequences
            Of the features seen in training.

        Returns
        -------
        ndarray of float64, shape (n_sequences, n_init_outputs)
            Numbers in the units of the user; for labels logarithms of probabilities, up to a
            constant for each row.
        """

    def compute(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, per_step: bool = False
    ) -> torch.Tensor:
        """Predict in torch, so that a model that contains it is one module.

        Parameters
        ----------
        steps : Tensor of shape (n_sequences, n_steps, n_features)
            In the units of the user; after the end of a sequence any values.
        lengths : Tensor of shape (n_sequences,), or None
            Number of steps of each sequence; None for ``n_steps``.
        per_step : bool, default=False
            Whether there is a prediction at every step.

        Returns
        -------
        Tensor of float64, shape (n_sequences, n_init_outputs) or (n_sequences, n_steps, ...)
            As from `predict`.

        Raises
        ------
        ValueError
            If torch cannot compute it.
        """
        name = type(getattr(self, "estimator", self)).__name__
        raise ValueError(
            f"The init estimator {name} is no function of torch: init='linear', 'convolutions', "
            "'statistics' or None are. shap.KernelExplainer explains the predictions of any model."
        )

    def attribute(
        self,
        steps: torch.Tensor,
        baseline: torch.Tensor,
        lengths: torch.Tensor | None,
        of: torch.Tensor,
    ) -> torch.Tensor:
        """Attribute the change of predictions from a baseline to single values.

        Integrated gradients, which of an affine function are its gradient times the change.

        Parameters
        ----------
        steps, baseline : Tensor of float64, shape (n_sequences, n_steps, n_features)
            As for `compute`.
        lengths : Tensor of shape (n_sequences,), or None
            As for `compute`.
        of : Tensor of float64, shape (n_sequences, n_init_outputs)
            Weights of the outputs in the number that changes.

        Returns
        -------
        Tensor of float64, shape (n_sequences, n_steps, n_features)
            Attributions.
        """
        steps = steps.detach().requires_grad_()
        total = (self.compute(steps, lengths) * of).sum()
        return torch.autograd.grad(total, steps)[0] * (steps.detach() - baseline)

    @abstractmethod
    def to_onnx(self, op: Any, steps: str, per_step: bool) -> str:
        """Append the nodes that predict.

        Parameters
        ----------
        op : sklstm._nn.onnx.Operations
            Gets the nodes.
        steps : str
            Name of the steps, none of them missing, in the units of the user.
        per_step : bool
            Whether there is a prediction at every step.

        Returns
        -------
        str
            Name of the predictions, double.
        """

    @property
    def differences_suffice(self) -> bool:
        """Whether it shows that a network beside it needs no levels, only their changes."""
        return False

    def kept(self, task: InitTask) -> LearnedInit:
        """Stay as it is, where training continues without validation."""
        return LearnedInit(self, self.predict(task.train.all_histories()), lambda: self)

    def to_plain(self) -> dict[str, Any]:
        """Convert to arrays, numbers and texts, and the estimator if there is one."""
        return {"kind": type(self).__name__} | vars(self)

    @staticmethod
    def from_plain(plain: dict[str, Any], device: str) -> "Init":
        """Restore an init estimator from `to_plain`, on a device if it computes on one."""
        parts = dict(plain)
        if "device" in parts:
            parts["device"] = device
        return Init._kinds[parts.pop("kind")](**parts)


@dataclass(frozen=True, repr=False)
class LagInit(Init):
    """A model of the last steps of each sequence as one row of lags.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_features,)
        Mean and standard deviation of the features, to standardise them.
    fill : ndarray of float64, shape (n_features,), or None
        Replaces values that are missing since the beginning, in standardised units.
    n_steps : int
        Number of steps it uses: the last ones of longer sequences.
    backcast : ndarray of float64, shape (n_features + 1, n_steps_before * n_features)
        Predicts the missing steps before shorter sequences, as `learn_backcast` returns it, in
        the same units.
    empty : ndarray of float64, shape (n_outputs,)
        The prediction for an empty sequence: the mean of the targets, or the logarithm of the
        class prior.
    """

    mean: np.ndarray
    scale: np.ndarray
    fill: np.ndarray | None
    n_steps: int
    backcast: np.ndarray
    empty: np.ndarray

    def __repr__(self) -> str:
        return f"{type(self).__name__}: reads {self.n_steps} steps of {len(self.mean)} features"

    def _table(self, sequences: Sequences) -> LagTable:
        features = self.mean, self.scale, self.n_steps, self.fill, self.backcast
        return LagTable(sequences, *features)


def lag_units(task: InitTask) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Mean, scale and fill value of the lags, standardised even if the network's inputs are not."""
    scaling, sequences = task.scaling, task.train.sequences
    mean, scale = scaling.mean, scaling.scale
    n_values = sequences.n_features - len(mean)  # of categories, as features of 0 and 1
    if not task.standardize or n_values:
        mean, scale = standardization(sequences, task.train.sequence_weight())
    if scaling.median is None:
        return mean, scale, None
    return mean, scale, (np.append(scaling.median, np.zeros(n_values)) - mean) / scale
