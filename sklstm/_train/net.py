"""The skorch net of a plan."""

from typing import Any

import torch

from sklstm._nn.ensemble import NetworkEnsemble
from sklstm._nn.heads import Head
from sklstm._nn.losses import WeightedLoss
from sklstm._nn.network import SequenceNetwork
from sklstm._train.callbacks import ClipGradients, refuse_scorers
from sklstm._train.loop import SequenceNet
from sklstm._train.optimizers import optimizer_arguments
from sklstm._train.settings import TrainingSettings

__all__ = ["make_net", "net_settings"]


def make_net(
    module: dict[str, Any], head: Head, device: torch.device, settings: dict[str, Any]
) -> SequenceNet:
    """Make a skorch net, not initialized yet.

    Parameters
    ----------
    module : dict
        Arguments of `SequenceNetwork`, and with ``n_networks`` of `NetworkEnsemble`.
    head : Head
        Has the loss.
    device : torch.device
        Where it computes.
    settings : dict
        Further arguments of the net.

    Returns
    -------
    SequenceNet
        For `SequenceNet.build`.
    """
    settings = dict(settings)
    network = settings.pop("module", SequenceNetwork)
    if module.get("n_networks", 1) == 1:
        module = {name: value for name, value in module.items() if name != "n_networks"}
    else:
        module, network = module | {"network": network}, NetworkEnsemble
        groups = settings.get("optimizer__param_groups")
        if groups:
            groups = [(f"networks.*.{pattern}", options) for pattern, options in groups]
            settings["optimizer__param_groups"] = groups
    fixed = {
        "module": network,
        "criterion": WeightedLoss,
        "criterion__elementwise": head.loss,
        "train_split": None,
        "verbose": 0,
        "device": str(device),
    }
    fixed |= {f"module__{name}": value for name, value in module.items()}
    return SequenceNet(**fixed | settings)


def net_settings(training: TrainingSettings) -> dict[str, Any]:
    """Turn settings of a training into arguments of a skorch net.

    Parameters
    ----------
    training : TrainingSettings
        The settings.

    Returns
    -------
    dict
        Optimizer, epochs, batches and callbacks, and what `skorch_params` holds besides.
    """
    given = dict(training.skorch_params or {})
    callbacks = given.pop("callbacks", None)
    if callbacks == "disable":  # skorch's own ones, not gradient clipping
        callbacks, given["callbacks__epoch_timer"] = [], None
    callbacks = list(callbacks or [])
    refuse_scorers(callbacks)
    if training.clip_grad_norm is not None:
        callbacks.append(ClipGradients(training.clip_grad_norm))
    optimizer, arguments = optimizer_arguments(training)
    settings = {
        "optimizer": optimizer,
        "lr": training.lr,
        "max_epochs": training.max_epochs,
        "batch_size": training.batch_size,
        "callbacks": callbacks,
    }
    return settings | {f"optimizer__{k}": value for k, value in arguments.items()} | given
