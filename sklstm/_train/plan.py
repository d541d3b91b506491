"""The plan of a training: its checked and frozen settings."""

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch.optim import lr_scheduler

from sklstm._data.sequences import Sequences
from sklstm._nn.input_transform import check_input_transform, depends_on_length
from sklstm._nn.network import SequenceNetwork
from sklstm._tables.vectors import vectors_of_tokens
from sklstm._train.defaults import LASTING_CHOICES, resolve
from sklstm._train.devices import flops_of_step, resolve_device
from sklstm._train.identity import Describer
from sklstm._train.seeds import draw_seed

__all__ = ["DTYPES", "OPTIMIZERS", "SCHEDULES", "Plan"]

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}

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

LASTING = [
    *("hidden_size", "num_layers", "cell", "bidirectional", "dropout", "pooling"),
    *("embedding_dim", "embedding_weights", "freeze_embedding", "dtype"),
    *("loss", "quantiles", "standardize", "missing", "input_transform", "init"),
]
"""Settings of the network, its inputs and outputs, which have to stay for training to continue.

All others may change from one call to the next.
"""

WITHOUT_EFFECT = {"callbacks", "checkpoint", "device", "random_state", "verbose", "warm_start"}
"""Settings that do not change the result of a training."""

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
    "module__mixed_precision": "use the parameter dtype",
}

MIN_RUNS_IN_BATCH = 4
MERGE_FROM_FLOPS = 1e7
"""Operations of a batch from which merging is faster on a CPU: measured."""

FLOPS_TO_FILL_GPU = 2e8
"""Operations that a GPU computes in the time it takes to launch a step: estimated, not measured.

A step takes some 10 microseconds, at 20 * 10^12 operations a second.
"""


@dataclass(frozen=True)
class Plan:
    """Settings of one training.

    Attributes
    ----------
    settings : mapping of str to object
        The parameters of the estimator as they were when `fit` began: ``plan["lr"]``.
    device : torch.device
        One that is available.
    seed : int
        Seed of all random numbers.
    title : str
        Title of the progress bar.
    resolved : mapping of str to object
        Values of the settings that were "auto".
    """

    settings: Mapping[str, Any]
    device: torch.device
    seed: int
    title: str = "fit"
    resolved: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, settings: Mapping[str, Any], title: str = "fit") -> "Plan":
        """Resolve device and seed, and try to make the optimizer and scheduler.

        Parameters
        ----------
        settings : mapping of str to object
            Parameters of an estimator, each valid by itself.
        title : str, default="fit"
            Title of the progress bar.

        Returns
        -------
        Plan
            Frozen.

        Raises
        ------
        ValueError
            If the device is not available, optimizer and scheduler cannot be made, or something in
            `skorch_params` would have no effect.
        """
        _refuse_what_has_no_effect(settings)
        if settings["checkpoint"] is not None:
            _refuse_what_cannot_resume(settings)
        device, seed = resolve_device(settings["device"]), draw_seed(settings["random_state"])
        in_order = check_input_transform(settings["input_transform"])
        settings = {**settings, "input_transform": in_order}
        plan = cls(types.MappingProxyType(settings), device, seed, title)
        plan._try_optimizer()
        return plan

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def with_resolved(
        self,
        sequences: Sequences,
        earlier: Mapping[str, Any],
        *,
        is_regressor: bool,
        has_validation: bool,
    ) -> "Plan":
        """Resolve the settings that are "auto".

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        earlier : mapping of str to object
            Resolved settings of a network whose training continues: lasting ones are not resolved
            again.
        is_regressor : bool
            Whether the targets are numbers.
        has_validation : bool
            Whether validation data are given.

        Returns
        -------
        Plan
            With a value for each setting.
        """
        lasting = {
            name: value
            for name, value in earlier.items()
            if name in LASTING_CHOICES and isinstance(self[name], str) and self[name] == "auto"
        }
        settings: dict[str, Any] = {**self.settings, **lasting}
        resolved = resolve(
            settings, sequences, is_regressor=is_regressor, has_validation=has_validation
        )
        frozen = types.MappingProxyType(settings | resolved)
        return replace(self, settings=frozen, resolved={**lasting, **resolved})

    def with_vectors(self, sequences: Sequences) -> "Plan":
        """Match the vectors that the user gave with the tokens.

        Parameters
        ----------
        sequences : Sequences
            Training sequences, which have a vocabulary if a `TokenSequencer` made them.

        Returns
        -------
        Plan
            With a row of `embedding_weights` for each token.

        Raises
        ------
        ValueError
            If vectors and tokens do not match.
        """
        if self["embedding_weights"] is None:
            return self
        rows = vectors_of_tokens(self["embedding_weights"], sequences.vocabulary)
        settings = {**self.settings, "embedding_weights": rows}
        return replace(self, settings=types.MappingProxyType(settings))

    def with_differences_only(self) -> "Plan":
        """Use differences alone as inputs of the network, unless the user set `input_transform`."""
        if "input_transform" not in self.resolved:
            return self
        resolved = {"input_transform": ("differences",)}
        settings = types.MappingProxyType({**self.settings, **resolved})
        return replace(self, settings=settings, resolved={**self.resolved, **resolved})

    @property
    def reads_tokens(self) -> bool:
        """Whether steps are tokens."""
        return self["embedding_dim"] is not None or self["embedding_weights"] is not None

    @property
    def per_step(self) -> bool:
        """Whether there is a target at every step."""
        return self["pooling"] is None

    def refuse_changes(self, earlier: Mapping[str, Any]) -> None:
        """Refuse to continue with another network, or with other inputs and outputs.

        Parameters
        ----------
        earlier : dict
            From `describe`, when the network was made.

        Raises
        ------
        ValueError
            If a setting that lasts has changed; the message names it.
        """
        now = self.describe()
        changed = [name for name in LASTING if name in now and now[name] != earlier[name]]
        if changed:
            raise ValueError(
                f"The network was fitted with another {' and '.join(changed)} "
                f"({', '.join(str(earlier[name]) for name in changed)}), so training cannot go "
                "on. Set it back, or fit a clone."
            )

    def describe(self, describer: Describer | None = None) -> dict[str, Any]:
        """Describe the training, so that another process recognises it.

        Parameters
        ----------
        describer : Describer, default=None
            Describes each setting. `None`: one that is not strict.

        Returns
        -------
        dict of str to object
            Numbers and texts, without settings that do not change the result.

        Raises
        ------
        ValueError
            If the describer is strict and cannot describe a setting.
        """
        describer = describer or Describer(strict=False)
        settings = {k: x for k, x in self.settings.items() if k not in WITHOUT_EFFECT}
        if hasattr(settings["init"], "get_params"):
            settings["init"] = clone(settings["init"])  # an unfitted copy: fit makes one too
        described = {name: describer.describe(value, name) for name, value in settings.items()}
        return described | {"seed": self.seed}

    def network(self, n_inputs: int, n_outputs: int, n_tokens: int | None) -> dict[str, Any]:
        """Arguments of the network.

        Parameters
        ----------
        n_inputs : int
            Inputs at a step.
        n_outputs : int
            Outputs of a sequence.
        n_tokens : int or None
            Number of tokens, if steps are tokens.

        Returns
        -------
        dict
            For `SequenceNetwork`.
        """
        arguments = {
            name: self[name]
            for name in (
                "hidden_size",
                "num_layers",
                "cell",
                "bidirectional",
                "dropout",
                "pooling",
            )
        }
        if n_tokens is not None:
            arguments |= {
                "n_tokens": n_tokens,
                "embedding_dim": self["embedding_dim"] or np.shape(self["embedding_weights"])[1],
                "freeze_embedding": self["freeze_embedding"],
            }
        return arguments | {
            "n_features": n_inputs,
            "n_outputs": n_outputs,
            "mixed_precision": self["dtype"] == "bfloat16",
            "dtype": DTYPES[self["dtype"]],
        }

    def optimizer(self) -> tuple[type, dict[str, Any]]:
        """Class and arguments of the optimizer, except the learning rate."""
        settings = {"weight_decay": self["weight_decay"]}
        if self["optimizer"] in FUSED_OPTIMIZERS:
            settings["fused"] = True
        optimizer = OPTIMIZERS.get(self["optimizer"], self["optimizer"])
        return optimizer, settings | (self["optimizer_params"] or {})

    def scheduler(self, optimizer: torch.optim.Optimizer) -> Any:
        """Make the scheduler of an optimizer."""
        if callable(self["lr_scheduler"]):
            return self["lr_scheduler"](optimizer)
        n_epochs = self["max_epochs"]
        return SCHEDULES[self["lr_scheduler"]](optimizer, 1 if n_epochs == "auto" else n_epochs)

    @property
    def schedule_has_an_end(self) -> bool:
        """Whether the learning rate of an epoch depends on the total number of epochs."""
        return self["lr_scheduler"] in ("cosine", "onecycle", "step")

    def supervised_steps(self, sequences: Sequences) -> int:
        """Return how many neighbouring histories a training run merges.

        Parameters
        ----------
        sequences : Sequences
            Training sequences.

        Returns
        -------
        int
            1 if each history is read by itself.

        Raises
        ------
        ValueError
            If the network has no outputs in the middle of a run.
        """
        asked = self["supervised_steps"]
        can_merge = self["pooling"] == "last" and not self["bidirectional"]
        # The position in a run is not the position in a history.
        can_merge &= not depends_on_length(self["input_transform"])
        if asked != "auto":
            if asked > 1 and not can_merge:
                raise ValueError(
                    f"supervised_steps={asked} reads several histories in one "
                    "run, which needs pooling='last', bidirectional=False and no position in "
                    "input_transform. Use supervised_steps='auto' or 1."
                )
            return asked
        if not can_merge or (sequences.series < 0).all():
            return 1
        return self._worth_merging(sequences.max_length)

    def _worth_merging(self, n_steps: int) -> int:
        """How many neighbours share a run, 1 if that is not clearly faster.

        A run is longer than a history, and a batch has fewer of them. On a CPU the time of a step
        is proportional to its operations. On a GPU it is constant for few sequences: merging more
        than fill the GPU would add steps and save nothing.
        """
        flops = flops_of_step(self["batch_size"], self["hidden_size"])
        most = max(min(self["batch_size"] // MIN_RUNS_IN_BATCH, n_steps // 2), 1)
        if self.device.type == "cpu":
            return most if n_steps * flops >= MERGE_FROM_FLOPS else 1
        return max(min(most, int(flops // FLOPS_TO_FILL_GPU)), 1)

    def _try_optimizer(self) -> None:
        """Raise an error before training if the optimizer does not accept its settings."""
        optimizer, settings = self.optimizer()
        try:
            made = optimizer([torch.zeros(1, requires_grad=True)], lr=self["lr"], **settings)
            if self["lr_scheduler"] not in (None, "auto"):
                self.scheduler(made)
        except Exception as error:
            raise ValueError(
                f"optimizer={self['optimizer']!r} cannot be made with lr={self['lr']}, "
                f"optimizer_params={self['optimizer_params']} and "
                f"lr_scheduler={self['lr_scheduler']!r}: {error}"
            ) from error


def _refuse_what_has_no_effect(settings: Mapping[str, Any]) -> None:
    """Refuse parameters of skorch that are ignored, or that parameters of the estimator replace."""
    given = settings["skorch_params"] or {}
    of_network = set(inspect.signature(SequenceNetwork).parameters)
    for name, value in given.items():
        first, _, rest = name.partition("__")
        of_ours = name in settings or (first == "module" and rest in of_network)
        of_others = first in ("module", "compile", "callbacks") and rest and not of_ours
        if name in OF_SKORCH - {"callbacks"} or of_others:
            continue
        if name == "callbacks" and value == "disable" and not settings["callbacks"]:
            continue
        cure = "it has no effect here, leave it out"
        if name in IN_PLACE_OF:
            cure = IN_PLACE_OF[name]
        elif first == "optimizer" and rest:
            cure = f"optimizer_params={{{rest!r}: {value!r}}} sets it"
        elif of_ours:
            cure = f"use the parameter {name.removeprefix('module__')}"
        raise ValueError(f"skorch_params holds {name!r}: {cure}.")


def _refuse_what_cannot_resume(settings: Mapping[str, Any]) -> None:
    """Refuse settings with which no training is equal to an earlier one."""
    if settings["warm_start"]:
        raise ValueError("checkpoint resumes a training by itself: set warm_start=False.")
    params = settings["init"].get_params() if hasattr(settings["init"], "get_params") else {}
    names = [f"init {name}" for name in params if name.split("__")[-1] == "random_state"]
    drawn = [name for name in names if params[name.removeprefix("init ")] is None]
    if settings["random_state"] is None:
        drawn = ["random_state"]
    if drawn:
        raise ValueError(
            f"checkpoint needs a number as {drawn[0]}: a training with another seed is another "
            "one, and would never be found again."
        )
