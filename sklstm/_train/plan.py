"""What a training will do: settings that are checked and do not change any more."""

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
from sklstm._nn.input_transform import INPUT_TRANSFORMS
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
"""What a network is, and what its inputs and outputs are: settings that training does not change.

All others may change from one call to the next, and take effect.
"""

OF_NO_MATTER = {"callbacks", "checkpoint", "device", "random_state", "verbose", "warm_start"}
"""Settings that do not make another training."""

OF_SKORCH = {
    *("module", "compile", "torch_load_kwargs", "callbacks"),
    *("iterator_valid__batch_size", "optimizer__param_groups"),
}
"""Parameters of skorch's net that stand for nothing else here."""

IN_PLACE_OF = {
    "criterion": "the parameter loss says it",
    "criterion__elementwise": "the parameter loss says it",
    "iterator_train__batch_size": "the parameter batch_size says it",
    "train_split": "early_stopping and validation_fraction, or X_val and y_val of fit, say it",
    "optimizer__lr": "the parameter lr says it",
    "optimizer__weight_decay": "the parameter weight_decay says it",
    "module__n_features": "X says it",
    "module__n_outputs": "y says it",
    "module__n_tokens": "X says it",
    "module__mixed_precision": "the parameter dtype says it",
}

MIN_RUNS_IN_BATCH = 4
MERGE_FROM_FLOPS = 1e7
"""Operations of a batch from which merging pays on a CPU: measured."""

FLOPS_TO_FILL_GPU = 2e8
"""Operations of a step that a GPU does in the time it takes to begin one: reasoned, not measured.

A step of some 10 microseconds, at 20 of 10^12 operations a second.
"""


@dataclass(frozen=True)
class Plan:
    """Settings of one training.

    Attributes
    ----------
    settings : mapping of str to object
        The parameters of the estimator as they were when `fit` began: ``plan["lr"]``.
    device : torch.device
        One that is there.
    seed : int
        Decides everything random.
    title : str
        What a progress bar is called.
    resolved : mapping of str to object
        The settings that were "auto".
    """

    settings: Mapping[str, Any]
    device: torch.device
    seed: int
    title: str = "fit"
    resolved: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, settings: Mapping[str, Any], title: str = "fit") -> "Plan":
        """Settle what parameters leave open, and try what torch is to make of them.

        Parameters
        ----------
        settings : mapping of str to object
            Parameters of an estimator, each valid by itself.
        title : str, default="fit"
            What a progress bar is called.

        Returns
        -------
        Plan
            Frozen.

        Raises
        ------
        ValueError
            If the device is not there, optimizer and scheduler cannot be made, or something in
            `skorch_params` would have no effect.
        """
        _refuse_what_has_no_effect(settings)
        if settings["checkpoint"] is not None:
            _refuse_what_cannot_resume(settings)
        device, seed = resolve_device(settings["device"]), draw_seed(settings["random_state"])
        settings = {**settings, "input_transform": _read(settings["input_transform"])}
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
        """Choose what is still "auto".

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        earlier : mapping of str to object
            What was chosen for a network that is to go on: what lasts is not chosen again.
        is_regressor : bool
            Whether targets are numbers.
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
        settings = {**self.settings, **lasting}
        chosen = resolve(
            settings, sequences, is_regressor=is_regressor, has_validation=has_validation
        )
        settled = types.MappingProxyType(settings | chosen)
        return replace(self, settings=settled, resolved={**lasting, **chosen})

    def with_vectors(self, sequences: Sequences) -> "Plan":
        """Line up the vectors that the user gave with the tokens.

        Parameters
        ----------
        sequences : Sequences
            Training sequences, which know their vocabulary if a `TokenSequencer` made them.

        Returns
        -------
        Plan
            With a row of `embedding_weights` for each token.

        Raises
        ------
        ValueError
            If vectors and tokens do not belong together.
        """
        if self["embedding_weights"] is None:
            return self
        rows = vectors_of_tokens(self["embedding_weights"], sequences.vocabulary)
        settings = {**self.settings, "embedding_weights": rows}
        return replace(self, settings=types.MappingProxyType(settings))

    def transforming_differences(self) -> "Plan":
        """Leave the levels out of what the network reads, if that was not for the user to say."""
        if "input_transform" not in self.resolved:
            return self
        reads = {"input_transform": ("differences",)}
        settings = types.MappingProxyType({**self.settings, **reads})
        return replace(self, settings=settings, resolved={**self.resolved, **reads})

    @property
    def reads_tokens(self) -> bool:
        """Whether steps are tokens."""
        return self["embedding_dim"] is not None or self["embedding_weights"] is not None

    @property
    def per_step(self) -> bool:
        """Whether there is a target at every step."""
        return self["pooling"] is None

    def refuse_changes(self, earlier: Mapping[str, Any]) -> None:
        """Refuse to go on with another network, or with other inputs and outputs.

        Parameters
        ----------
        earlier : dict
            What `describe` said when the network was made.

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
        """Describe the training, so that another process can tell it from others.

        Parameters
        ----------
        describer : Describer, default=None
            Describes each setting. `None`: one that is not strict.

        Returns
        -------
        dict of str to object
            Numbers and texts, without what does not matter to the result.

        Raises
        ------
        ValueError
            If the describer is strict, and there is something that it cannot describe.
        """
        describer = describer or Describer(strict=False)
        settings = {k: x for k, x in self.settings.items() if k not in OF_NO_MATTER}
        if hasattr(settings["init"], "get_params"):
            settings["init"] = clone(settings["init"])  # what is fitted: whatever it knew is gone
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
        """Class and arguments of the optimizer, but for the learning rate."""
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
        """Whether the learning rate of an epoch depends on how many there will be."""
        return self["lr_scheduler"] in ("cosine", "onecycle", "step")

    def supervised_steps(self, sequences: Sequences) -> int:
        """Decide how many neighbours a training run merges.

        Parameters
        ----------
        sequences : Sequences
            Training sequences.

        Returns
        -------
        int
            1 for window by window.

        Raises
        ------
        ValueError
            If the network cannot be read in the middle of a run.
        """
        asked = self["supervised_steps"]
        can_merge = self["pooling"] == "last" and not self["bidirectional"]
        can_merge &= (
            "position" not in self["input_transform"]
        )  # in a run it is not that in a history
        if asked != "auto":
            if asked > 1 and not can_merge:
                raise ValueError(
                    f"supervised_steps={asked} reads several histories off one "
                    "run, which needs pooling='last', bidirectional=False and no position among "
                    "reads. Use supervised_steps='auto' or 1."
                )
            return asked
        if not can_merge or (sequences.series < 0).all():
            return 1
        return self._worth_merging(sequences.max_length)

    def _worth_merging(self, n_steps: int) -> int:
        """How many neighbours share a run, 1 if that is no clear gain.

        A run is longer than a history, and a batch has fewer of them. On a CPU the time of a step
        is that of its operations. On a GPU it is always the same for few sequences: merging more
        than fill it would add steps and save nothing.
        """
        flops = flops_of_step(self["batch_size"], self["hidden_size"])
        most = max(min(self["batch_size"] // MIN_RUNS_IN_BATCH, n_steps // 2), 1)
        if self.device.type == "cpu":
            return most if n_steps * flops >= MERGE_FROM_FLOPS else 1
        return max(min(most, int(flops // FLOPS_TO_FILL_GPU)), 1)

    def _try_optimizer(self) -> None:
        """Find settings that the optimizer does not take before training begins."""
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
    """Refuse parameters of skorch that are ignored, or stand for some of the estimator."""
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
            cure = f"optimizer_params={{{rest!r}: {value!r}}} says it"
        elif of_ours:
            cure = f"the parameter {name.removeprefix('module__')} says it"
        raise ValueError(f"skorch_params holds {name!r}: {cure}.")


def _refuse_what_cannot_resume(settings: Mapping[str, Any]) -> None:
    """Refuse settings with which no training is the same as one before."""
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


def _read(reads: Any) -> Any:
    """What the network reads, as a tuple; "auto" stays."""
    if isinstance(reads, str):
        return reads if reads == "auto" else (reads,)
    if not reads or not set(reads) <= set(INPUT_TRANSFORMS) or set(reads) == {"position"}:
        raise ValueError(
            f"input_transform={reads!r} must hold some of {list(INPUT_TRANSFORMS)}, not the last alone."
        )
    return tuple(reads)
