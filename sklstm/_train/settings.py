"""Settings of a training: the parameters of an estimator, by what they are for.

Where a parameter stands decides two things: those of `NetworkSettings` and `InputSettings` last, so
that training can continue with the same ones only; those of `RunSettings` do not change the result,
so that a checkpoint is found again without them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Self

import numpy as np

__all__ = ["InputSettings", "NetworkSettings", "RunSettings", "TrainingSettings"]


class _Settings:
    """Frozen settings, named like the parameters of an estimator."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Select from the parameters of an estimator; "auto" stays until it is resolved."""
        names = [one.name for one in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: params[name] for name in names if name in params})


@dataclass(frozen=True)
class NetworkSettings(_Settings):
    """The network; they last."""

    hidden_size: int
    num_layers: int
    cell: str
    bidirectional: bool
    dropout: float
    pooling: str | None
    embedding: Any
    freeze_embedding: bool
    dtype: str
    n_networks: int = 1

    @property
    def reads_tokens(self) -> bool:
        """Whether steps are tokens."""
        return self.embedding is not None

    @property
    def per_step(self) -> bool:
        """Whether there is a target at every step."""
        return self.pooling is None

    @property
    def vectors(self) -> Any:
        """Initial vectors of tokens, or None."""
        return None if isinstance(self.embedding, Integral) else self.embedding

    @property
    def embedding_dim(self) -> int | None:
        """Length of the vector of a token; None if steps are numbers."""
        if self.embedding is None:
            return None
        return int(self.embedding) if self.vectors is None else np.shape(self.vectors)[1]


@dataclass(frozen=True)
class InputSettings(_Settings):
    """The inputs of the network, what it is added to, and the loss; they last."""

    standardize: bool
    missing: str
    input_transform: tuple[str, ...]
    init: Any
    lagged_target: str | int | None = None
    loss: Any = None
    quantiles: Any = None


@dataclass(frozen=True)
class TrainingSettings(_Settings):
    """What may change from one call to the next."""

    optimizer: str | type
    lr: float
    weight_decay: float
    lr_scheduler: Any
    clip_grad_norm: float | None
    max_epochs: int
    batch_size: int
    supervised_steps: int | str
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    skorch_params: Mapping[str, Any] | None = None
    class_weight: Any = None

    @property
    def schedule_has_an_end(self) -> bool:
        """Whether the learning rate of an epoch depends on the total number of epochs."""
        return self.lr_scheduler in ("cosine", "onecycle", "step")


@dataclass(frozen=True)
class RunSettings(_Settings):
    """What changes neither weights nor predictions."""

    verbose: int
    checkpoint: Any
    warm_start: bool
    title: str = field(default="fit")
