"""Optimizers, learning-rate schedules, and what skorch's own parameters may set."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import lr_scheduler

from sklstm._nn.network import SequenceNetwork
from sklstm._train.settings import TrainingSettings

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "make_scheduler",
    "optimizer_arguments",
    "refuse_what_has_no_effect",
    "try_optimizer",
]

OPTIMIZERS = {
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
FUSED_OPTIMIZERS = {"adam", "adamw", "sgd"}


def _one_cycle(optimizer: torch.optim.Optimizer, n_epochs: int) -> lr_scheduler.OneCycleLR:
    lr = optimizer.param_groups[0]["lr"]
    return lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=max(n_epochs, 4))


SCHEDULES = {
    "cosine": lambda optimizer, n_epochs: lr_scheduler.CosineAnnealingLR(optimizer, n_epochs),
    "onecycle": _one_cycle,
    "plateau": lambda optimizer, n_epochs: lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=5
    ),
    "step": lambda optimizer, n_epochs: lr_scheduler.StepLR(optimizer, -(-n_epochs // 3)),
}
"""Schedulers by name: ``make(optimizer, n_epochs)``."""

OF_SKORCH = {
    *("module", "compile", "torch_load_kwargs", "callbacks"),
    *("iterator_valid__batch_size", "optimizer__param_groups"),
}
"""Parameters of skorch's net that no parameter of the estimators replaces."""

IN_PLACE_OF = {
    "criterion": "use the parameter loss",
    "criterion__elementwise": "use the parameter loss",
    "iterator_train__batch_size": "use the parameter batch_size",
    "train_split": "use early_stopping and validation_fraction, or X_val and y_val of fit",
    "optimizer__lr": "use the parameter lr",
    "optimizer__weight_decay": "use the parameter weight_decay",
    "module__n_features": "it comes from X",
    "module__n_outputs": "it comes from y",
    "module__n_tokens": "it comes from X",
    "module__embedding_dim": "use the parameter embedding",
    "module__mixed_precision": "use the parameter dtype",
}


def optimizer_arguments(training: TrainingSettings) -> tuple[Any, dict[str, Any]]:
    """Choose the class and arguments of the optimizer, except the learning rate.

    Parameters
    ----------
    training : TrainingSettings
        Has the optimizer, and arguments of it in `skorch_params`.

    Returns
    -------
    optimizer : type
        The class.
    arguments : dict
        Its arguments.
    """
    arguments: dict[str, Any] = {"weight_decay": training.weight_decay}
    if training.optimizer in FUSED_OPTIMIZERS:
        arguments["fused"] = True
    for name, value in (training.skorch_params or {}).items():
        if name.startswith("optimizer__"):
            arguments[name.removeprefix("optimizer__")] = value
    optimizer = training.optimizer
    return OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer, arguments


def make_scheduler(training: TrainingSettings, optimizer: torch.optim.Optimizer) -> Any:
    """Make the scheduler of an optimizer.

    Parameters
    ----------
    training : TrainingSettings
        Has the schedule.
    optimizer : torch.optim.Optimizer
        Whose learning rate it changes.

    Returns
    -------
    object
        Of :mod:`torch.optim.lr_scheduler`.
    """
    if callable(training.lr_scheduler):
        return training.lr_scheduler(optimizer)
    n_epochs = training.max_epochs
    return SCHEDULES[training.lr_scheduler](optimizer, n_epochs if n_epochs != "auto" else 1)


def try_optimizer(training: TrainingSettings) -> None:
    """Raise an error before training if the optimizer does not accept its arguments.

    Parameters
    ----------
    training : TrainingSettings
        Has the optimizer and the schedule.

    Raises
    ------
    ValueError
        If one of them cannot be made.
    """
    optimizer, arguments = optimizer_arguments(training)
    arguments.pop("param_groups", None)  # of skorch: they name weights of the network
    try:
        made = optimizer([torch.zeros(1, requires_grad=True)], lr=training.lr, **arguments)
        if training.lr_scheduler not in (None, "auto"):
            make_scheduler(training, made)
    except Exception as error:
        given = [f"{name}={value!r}" for name, value in arguments.items() if name != "fused"]
        raise ValueError(
            f"optimizer={training.optimizer!r} cannot be made with lr={training.lr}, "
            f"{', '.join(given)} and lr_scheduler={training.lr_scheduler!r}: {error}"
        ) from error


def refuse_what_has_no_effect(params: Mapping[str, Any]) -> None:
    """Refuse parameters of skorch that are ignored, or that parameters of the estimator replace.

    Parameters
    ----------
    params : mapping of str to object
        Parameters of an estimator.

    Raises
    ------
    ValueError
        If `skorch_params` holds one; the message names it, and its replacement.
    """
    of_network = set(inspect.signature(SequenceNetwork).parameters)
    for name in params["skorch_params"] or {}:
        first, _, rest = name.partition("__")
        of_ours = name in params or (first == "module" and rest in of_network)
        of_others = first in ("module", "compile", "callbacks", "optimizer") and rest
        of_others = of_others and not of_ours and name not in IN_PLACE_OF
        if name in OF_SKORCH or of_others:
            continue
        cure = "it has no effect here, leave it out"
        if name in IN_PLACE_OF:
            cure = IN_PLACE_OF[name]
        elif of_ours:
            cure = f"use the parameter {name.removeprefix('module__')}"
        raise ValueError(f"skorch_params holds {name!r}: {cure}.")
