"""The result of `fit`: everything that predictions need."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.history import History

from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._data.steps import histories_of_steps
from sklstm._nn.batches import differ_in_length
from sklstm._nn.classification_heads import MulticlassHead, MultilabelHead
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.distributional_heads import GaussianHead, QuantileHead
from sklstm._nn.heads import Head, RegressionHead
from sklstm._nn.inits import Init, init_from_plain
from sklstm._nn.losses import WeightedLoss
from sklstm._nn.network import SequenceNetwork
from sklstm._nn.scaling import InputScaling
from sklstm._train.callbacks import ClipGradients, refuse_scorers
from sklstm._train.devices import (
    device_here,
    explain_large_batches,
    explain_out_of_memory,
    suitable_threads,
)
from sklstm._train.loop import SequenceNet
from sklstm._train.plan import DTYPES, Plan
from sklstm._train.seeds import RandomStream

__all__ = ["FittedNetwork"]

KINDS = RegressionHead, GaussianHead, QuantileHead, MulticlassHead, MultilabelHead
HEADS = {head.__name__: head for head in KINDS}
"""Heads that can be saved, by name."""

VALUES_AT_ONCE = 2**25
"""Numbers of a table on the device at once, for predictions: estimated, 128 MB in float32."""


@dataclass
class FittedNetwork:
    """A network with its input scaling, init estimator and head.

    Attributes
    ----------
    net : SequenceNet
        The network, its optimizer and history.
    scaling : InputScaling
        From steps to inputs of the network.
    head : Head
        From its outputs to labels or numbers.
    settings : dict
        The plan of the training, from `Plan.describe`.
    reads_table : bool
        Whether it was trained on a table, each row a sequence of one step.
    skorch_params : dict or None
        Parameters of skorch that the user gave, which change the net.
    best_epoch : int
        The epoch whose weights the network has, counted from 1.
    supervised_steps : int
        How many neighbouring histories a training run merged.
    resolved : dict
        Values of the parameters that were "auto".
    init : Init or None
        The init estimator, on whose residuals the network is trained.
    blending_weight : ndarray of shape (n_outputs,), or None
        Factor of the outputs of the network, if validation data are there to compute it.
    validation_losses : DataFrame or None
        Validation losses of the baseline, the init estimator and the model.
    split_seed : int
        Decides which rows validate: in each call the same ones, so that they are never trained on.
    """

    net: SequenceNet
    scaling: InputScaling
    head: Head
    settings: dict[str, Any]
    reads_table: bool = False
    skorch_params: dict[str, Any] | None = field(default=None, repr=False)
    best_epoch: int = 0
    supervised_steps: int = 1
    resolved: dict[str, Any] = field(default_factory=dict)
    init: Init | None = None
    blending_weight: np.ndarray | None = None
    validation_losses: pd.DataFrame | None = None
    split_seed: int = 0

    @classmethod
    def build(
        cls,
        plan: Plan,
        scaling: InputScaling,
        head: Head,
        init: Init | None,
        random: RandomStream,
        reads_table: bool,
    ) -> "FittedNetwork":
        """Make a network, not trained yet.

        Parameters
        ----------
        plan : Plan
            The settings.
        scaling : InputScaling
            The input scaling.
        head : Head
            The head.
        init : Init or None
            The init estimator.
        random : RandomStream
            For the initial weights.
        reads_table : bool
            Whether the training data are a table.

        Returns
        -------
        FittedNetwork
            With the embedding vectors that the user gave.
        """
        module = plan.network(scaling.n_inputs, head.n_outputs, scaling.n_tokens)
        net = _make_net(module, head, plan.device, _loop_settings(plan)).build(random)
        if plan["embedding_weights"] is not None:
            with torch.no_grad():
                weights = torch.tensor(np.asarray(plan["embedding_weights"]))
                net.module_.embedding.weight.copy_(weights)
        return cls(
            net,
            scaling,
            head,
            plan.describe(),
            reads_table,
            plan["skorch_params"],
            resolved=dict(plan.resolved),
            init=init,
            split_seed=plan.seed,
        )

    def continued(self, plan: Plan, head: Head) -> "FittedNetwork":
        """Copy the network, to continue training by another plan.

        Parameters
        ----------
        plan : Plan
            The settings; lasting ones have to be unchanged.
        head : Head
            The same head, perhaps with other class weights.

        Returns
        -------
        FittedNetwork
            With the weights, the history, and the optimizer state if the optimizer is the same.

        Raises
        ------
        ValueError
            If a lasting setting has changed.
        """
        plan.refuse_changes(self.settings)
        random = RandomStream(plan.seed, plan.device)
        copy = FittedNetwork.build(plan, self.scaling, head, self.init, random, self.reads_table)
        copy.blending_weight, copy.split_seed = self.blending_weight, self.split_seed
        copy.net.module_.load_state_dict(self.net.module_.state_dict())
        copy.net.history_ = History(self.net.rows())
        same_optimizer = copy.settings["optimizer"] == self.settings["optimizer"]
        if same_optimizer and hasattr(self.net, "optimizer_"):
            new = copy.net.optimizer_.state_dict()
            state = deepcopy(self.net.optimizer_.state_dict()["state"])  # loading shares tensors
            copy.net.optimizer_.load_state_dict(new | {"state": state})
        return copy

    @property
    def n_epochs(self) -> int:
        """Number of complete epochs."""
        return len(self.net.history)

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch."""
        return self.net.epochs()

    @property
    def loss_curve(self) -> list[float]:
        """Training loss after each epoch."""
        return self.history["train_loss"].tolist()

    @property
    def per_step(self) -> bool:
        """Whether there is a prediction at every step."""
        return self.net.module__pooling is None

    def dataset(
        self,
        sequences: Sequences,
        target: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        of_steps: bool = False,
    ) -> SequenceDataset:
        """Put samples on the device, in the units of the network.

        Parameters
        ----------
        sequences : Sequences
            The inputs.
        target, weight : ndarray, default=None
            As `Samples` has them. `None`: to predict.
        of_steps : bool, default=False
            Whether there is a target at every step.

        Returns
        -------
        SequenceDataset
            For the net.
        """
        if target is not None:
            target = self.head.to_network(target, self._init_outputs(sequences))
        dtype = self.net.module_.head.weight.dtype
        size = sequences.values.size * dtype.itemsize / 2**20
        with explain_out_of_memory(
            self.net.device,
            f"the data on it, {size:,.0f} MB of steps",
            "Give fewer rows or features, or use device='cpu'.",
        ):
            return SequenceDataset(
                sequences,
                self.scaling,
                device=torch.device(self.net.device),
                dtype=dtype,
                target=target,
                weight=weight,
                of_steps=of_steps,
            )

    def _init_outputs(self, sequences: Sequences) -> np.ndarray | None:
        if self.init is None:
            return None
        return self.init.predict(histories_of_steps(sequences) if self.per_step else sequences)

    def outputs(self, sequences: Sequences) -> np.ndarray:
        """Compute the outputs of init estimator and network together.

        Parameters
        ----------
        sequences : Sequences
            At least one.

        Returns
        -------
        ndarray of float64, shape (n_sequences, n_outputs) or (sum of lengths, n_outputs)
            In the order of the sequences; one row a step if there is a prediction at every step.
        """
        outputs = self.network_outputs(sequences)
        init = self._init_outputs(sequences)
        if init is None:
            return outputs
        return self.head.corrected(
            init, outputs if self.blending_weight is None else self.blending_weight * outputs
        )

    def network_outputs(self, sequences: Sequences) -> np.ndarray:
        """Compute the outputs of the network alone.

        Parameters
        ----------
        sequences : Sequences
            At least one.

        Returns
        -------
        ndarray of float64, shape (n_sequences, n_outputs) or (sum of lengths, n_outputs)
            As `outputs`.
        """
        of_slice = sequences.starts // max(VALUES_AT_ONCE // sequences.n_features, 1)
        differ = differ_in_length(sequences)
        if not differ and of_slice.min() == of_slice.max():
            return self._outputs(sequences)
        lengths = sequences.lengths if differ else np.zeros(len(sequences))
        order = np.lexsort((lengths, of_slice))  # slice by slice, similar lengths together
        slices = np.split(order, np.flatnonzero(np.diff(of_slice[order])) + 1)
        outputs = np.concatenate([self._outputs(sequences[rows]) for rows in slices])
        sizes: np.ndarray = sequences.lengths if self.per_step else np.ones(len(order), int)
        starts = np.empty(len(order), dtype=np.int64)
        starts[order] = np.cumsum(sizes[order]) - sizes[order]
        return outputs[ranges(starts, sizes)]

    def _outputs(self, sequences: Sequences) -> np.ndarray:
        batch_size = min(len(sequences), self.net.prediction_batch_size(sequences.max_length))
        setting = "iterator_valid__batch_size in skorch_params"
        with (
            suitable_threads(batch_size, self.net.module__hidden_size),
            explain_large_batches(self.net.device, batch_size, setting),
        ):
            outputs = self.net.outputs(self.dataset(sequences))
        return outputs.numpy().astype(np.float64)

    def to_plain(self) -> dict[str, Any]:
        """Convert to arrays, numbers and texts, without the state of the optimizer."""
        module = self.net.get_params_for("module")
        return {
            "device": str(self.net.device),
            "module": module | {"dtype": str(module["dtype"]).removeprefix("torch.")},
            "weights": {
                name: weight.numpy(force=True).copy()
                for name, weight in self.net.module_.state_dict().items()
            },
            "history": self.net.rows(),
            "scaling": dict(vars(self.scaling)),
            "head": self.head.to_plain(),
            "settings": self.settings,
            "reads_table": self.reads_table,
            "skorch_params": self.skorch_params,
            "best_epoch": self.best_epoch,
            "supervised_steps": self.supervised_steps,
            "resolved": self.resolved,
            "init": None if self.init is None else self.init.to_plain(),
            "blending_weight": self.blending_weight,
            "validation_losses": None
            if self.validation_losses is None
            else self.validation_losses.to_dict("list"),
            "split_seed": self.split_seed,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "FittedNetwork":
        """Restore from `to_plain`, on the CPU if the device of the training is not available.

        Parameters
        ----------
        plain : dict
            From `to_plain`.

        Returns
        -------
        FittedNetwork
            With the same predictions.
        """
        module, device = plain["module"], device_here(plain["device"])
        module = module | {"dtype": DTYPES[module["dtype"]]}
        parts = dict(plain["head"])
        head = HEADS[parts.pop("kind")](**parts)
        skorch_params = plain["skorch_params"]
        net = _make_net(module, head, device, {"callbacks": None} | (skorch_params or {}))
        net.build(RandomStream(0, device))  # its initial weights are replaced
        net.module_.load_state_dict({n: torch.tensor(w) for n, w in plain["weights"].items()})
        net.module_.eval()
        net.history_ = History(plain["history"])
        del net.optimizer_
        return cls(
            net,
            InputScaling(**plain["scaling"]),
            head,
            plain["settings"],
            plain["reads_table"],
            skorch_params,
            plain["best_epoch"],
            plain["supervised_steps"],
            plain["resolved"],
            None if plain["init"] is None else init_from_plain(plain["init"]),
            plain["blending_weight"],
            None
            if plain["validation_losses"] is None
            else pd.DataFrame(plain["validation_losses"]),
            plain["split_seed"],
        )


def _make_net(
    module: dict[str, Any], head: Head, device: torch.device, settings: dict[str, Any]
) -> SequenceNet:
    """Make the skorch net."""
    fixed = {
        "module": SequenceNetwork,
        "criterion": WeightedLoss,
        "criterion__elementwise": head.loss,
        "train_split": None,
        "verbose": 0,
        "device": str(device),
    }
    fixed |= {f"module__{name}": value for name, value in module.items()}
    return SequenceNet(**fixed | settings)


def _loop_settings(plan: Plan) -> dict[str, Any]:
    """Arguments of skorch's net that come from a plan."""
    callbacks = list(plan["callbacks"] or [])
    refuse_scorers(callbacks)
    if plan["clip_grad_norm"] is not None:
        callbacks.append(ClipGradients(plan["clip_grad_norm"]))
    optimizer, arguments = plan.optimizer()
    settings = {
        "optimizer": optimizer,
        "lr": plan["lr"],
        "max_epochs": plan["max_epochs"],
        "batch_size": plan["batch_size"],
        "callbacks": callbacks,
    }
    settings |= {f"optimizer__{name}": value for name, value in arguments.items()}
    more = dict(plan["skorch_params"] or {})
    if more.pop("callbacks", None) == "disable":  # skorch's own ones, not gradient clipping
        more["callbacks__epoch_timer"] = None
    return settings | more
