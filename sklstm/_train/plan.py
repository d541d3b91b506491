"""The plan of a training: its checked and frozen settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from sklearn.base import clone

from sklstm._data.sequences import Sequences
from sklstm._nn.input_transform import check_input_transform, depends_on_length
from sklstm._tables.vectors import vectors_of_tokens
from sklstm._train.defaults import resolve
from sklstm._train.devices import flops_of_step, resolve_device
from sklstm._train.identity import Describer
from sklstm._train.optimizers import refuse_what_has_no_effect, try_optimizer
from sklstm._train.seeds import draw_seed
from sklstm._train.settings import (
    InputSettings,
    NetworkSettings,
    RunSettings,
    TrainingSettings,
)

__all__ = ["DTYPES", "Plan"]

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}

PARTS = ("network", "inputs", "training", "run")

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
    network : NetworkSettings
        The network.
    inputs : InputSettings
        Its inputs, the init estimator and the loss.
    training : TrainingSettings
        The training.
    run : RunSettings
        What does not change the result.
    device : torch.device
        One that is available.
    seed : int
        Seed of all random numbers.
    resolved : mapping of str to object
        Values of the parameters that were "auto".
    supervised_steps : int
        How many neighbouring histories a training run merges; 1 if each is read by itself.
    """

    network: NetworkSettings
    inputs: InputSettings
    training: TrainingSettings
    run: RunSettings
    device: torch.device
    seed: int
    resolved: Mapping[str, Any] = field(default_factory=dict)
    supervised_steps: int = 1

    @classmethod
    def make(cls, params: Mapping[str, Any], title: str = "fit") -> "Plan":
        """Resolve device and seed, and try to make the optimizer and scheduler.

        Parameters
        ----------
        params : mapping of str to object
            Parameters of an estimator, each valid by itself.
        title : str, default="fit"
            Title of the progress bar.

        Returns
        -------
        Plan
            Frozen. Parameters that are "auto" are not resolved yet.

        Raises
        ------
        ValueError
            If the device is not available, optimizer and scheduler cannot be made, or something in
            `skorch_params` would have no effect.
        """
        refuse_what_has_no_effect(params)
        if params["checkpoint"] is not None:
            _refuse_what_cannot_resume(params)
        params = {
            **params,
            "input_transform": check_input_transform(params["input_transform"]),
            "title": title,
        }
        plan = cls(
            NetworkSettings.of(params),
            InputSettings.of(params),
            TrainingSettings.of(params),
            RunSettings.of(params),
            resolve_device(params["device"]),
            draw_seed(params["random_state"]),
        )
        try_optimizer(plan.training)
        return plan

    def with_resolved(
        self,
        sequences: Sequences,
        earlier: Mapping[str, Any],
        *,
        is_regressor: bool,
        has_validation: bool,
    ) -> "Plan":
        """Resolve the parameters that are "auto".

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        earlier : mapping of str to object
            Resolved parameters of a network whose training continues: lasting ones are not resolved
            again.
        is_regressor : bool
            Whether the targets are numbers.
        has_validation : bool
            Whether validation data are given.

        Returns
        -------
        Plan
            With a value for each parameter.

        Raises
        ------
        ValueError
            If several histories are to be read in one run, and the network has no outputs in the
            middle of a run.
        """
        lasts = {name for name, value in self._lasting() if isinstance(value, str)}
        lasting = {
            name: value
            for name, value in earlier.items()
            if name in lasts and getattr(self._part(name), name) == "auto"
        }
        plan = self._with(lasting)
        resolved = resolve(
            dict(plan._settings()),
            sequences,
            is_regressor=is_regressor,
            has_validation=has_validation,
        )
        plan = replace(plan._with(resolved), resolved={**lasting, **resolved})
        return replace(plan, supervised_steps=plan._merged_neighbours(sequences))

    def with_vectors(self, sequences: Sequences) -> "Plan":
        """Match the vectors that the user gave with the tokens.

        Parameters
        ----------
        sequences : Sequences
            Training sequences, which have a vocabulary if a `TokenSequencer` made them.

        Returns
        -------
        Plan
            With a row of vectors for each token.

        Raises
        ------
        ValueError
            If vectors and tokens do not match.
        """
        if self.network.vectors is None:
            return self
        rows = vectors_of_tokens(self.network.vectors, sequences.vocabulary)
        return self._with({"embedding": rows})

    def with_differences_only(self) -> "Plan":
        """Use differences alone as inputs of the network, unless the user set `input_transform`."""
        if "input_transform" not in self.resolved:
            return self
        return self._resolved_as({"input_transform": ("differences",)})

    @property
    def init_is_open(self) -> bool:
        """Whether statistics and convolutions are compared on the training part."""
        return self.resolved.get("init") == "statistics"

    def with_init(self, name: str) -> "Plan":
        """Use this init estimator."""
        return self._resolved_as({"init": name})

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
        names = [name for name, _ in self._lasting() if name != "lagged_target"]  # init has it
        changed = [name for name in names if now[name] != earlier[name]]
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
        settings = {k: x for k, x in self._settings() if self._part(k) is not self.run}
        if hasattr(settings["init"], "get_params"):
            settings["init"] = clone(settings["init"])  # an unfitted copy: fit makes one too
        given = settings["skorch_params"] or {}
        settings["skorch_params"] = {k: x for k, x in given.items() if k != "callbacks"}
        described = {name: describer.describe(value, name) for name, value in settings.items()}
        return described | {"seed": self.seed}

    def network_arguments(
        self, n_inputs: int, n_outputs: int, n_tokens: int | None, n_codes: Sequence[int] = ()
    ) -> dict:
        """Arguments of the network.

        Parameters
        ----------
        n_inputs : int
            Inputs at a step.
        n_outputs : int
            Outputs of a sequence.
        n_tokens : int or None
            Number of tokens, if steps are tokens.
        n_codes : sequence of int, default=()
            Number of codes of each feature that is a category.

        Returns
        -------
        dict
            For `make_net`.
        """
        network = self.network
        arguments = {
            "hidden_size": network.hidden_size,
            "num_layers": network.num_layers,
            "cell": network.cell,
            "bidirectional": network.bidirectional,
            "dropout": network.dropout,
            "pooling": network.pooling,
            "n_networks": network.n_networks,
        }
        if n_tokens is not None:
            arguments |= {
                "n_tokens": n_tokens,
                "embedding_dim": network.embedding_dim,
                "freeze_embedding": network.freeze_embedding,
            }
        if n_codes:
            arguments["n_codes"] = list(n_codes)
        return arguments | {
            "n_features": n_inputs,
            "n_outputs": n_outputs,
            "mixed_precision": network.dtype == "bfloat16",
            "dtype": DTYPES[network.dtype],
        }

    def _merged_neighbours(self, sequences: Sequences) -> int:
        """How many neighbouring histories a training run merges."""
        asked = self.training.supervised_steps
        can_merge = self.network.pooling == "last" and not self.network.bidirectional
        # The position in a run is not the position in a history.
        can_merge &= not depends_on_length(self.inputs.input_transform)
        if not isinstance(asked, str):
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
        batch_size = self.training.batch_size
        flops = flops_of_step(batch_size, self.network.hidden_size)
        most = max(min(batch_size // MIN_RUNS_IN_BATCH, n_steps // 2), 1)
        if self.device.type == "cpu":
            return most if n_steps * flops >= MERGE_FROM_FLOPS else 1
        return max(min(most, int(flops // FLOPS_TO_FILL_GPU)), 1)

    def _settings(self) -> Iterator[tuple[str, Any]]:
        """Names and values of all settings."""
        for part in PARTS:
            yield from vars(getattr(self, part)).items()

    def _lasting(self) -> Iterator[tuple[str, Any]]:
        """Names and values of the settings that last."""
        yield from vars(self.network).items()
        yield from vars(self.inputs).items()

    def _part(self, name: str) -> Any:
        """The part that a setting is in."""
        return next(part for k in PARTS if name in vars(part := getattr(self, k)))

    def _resolved_as(self, values: Mapping[str, Any]) -> "Plan":
        """The plan with other values of parameters that are "auto"."""
        return replace(self._with(values), resolved={**self.resolved, **values})

    def _with(self, values: Mapping[str, Any]) -> "Plan":
        """The plan with other values of some settings."""
        changed: dict[str, Any] = {}
        for name in PARTS:
            part = getattr(self, name)
            here = {one.name for one in fields(part)} & values.keys()
            changed[name] = replace(part, **{k: values[k] for k in here})
        return replace(self, **changed)


def _refuse_what_cannot_resume(params: Mapping[str, Any]) -> None:
    """Refuse settings with which no training is equal to an earlier one."""
    if params["warm_start"]:
        raise ValueError("checkpoint resumes a training by itself: set warm_start=False.")
    of_init = params["init"].get_params() if hasattr(params["init"], "get_params") else {}
    names = [f"init {name}" for name in of_init if name.split("__")[-1] == "random_state"]
    drawn = [name for name in names if of_init[name.removeprefix("init ")] is None]
    if params["random_state"] is None:
        drawn = ["random_state"]
    if drawn:
        raise ValueError(
            f"checkpoint needs a number as {drawn[0]}: a training with another seed is another "
            "one, and would never be found again."
        )
