"""The result of a fit: a sum of an init estimator and a network, and a report of the training."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.history import History

from sklstm._data.ranges import ranges
from sklstm._data.sequences import Sequences
from sklstm._data.steps import histories_of_steps
from sklstm._nn.attributions import Attributions, attribute
from sklstm._nn.batches import differ_in_length
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.heads import Head
from sklstm._nn.inits import Init
from sklstm._nn.scaling import InputScaling
from sklstm._nn.torch_model import TorchModel
from sklstm._train.devices import (
    device_here,
    explain_large_batches,
    explain_out_of_memory,
    suitable_threads,
)
from sklstm._train.loop import SequenceNet
from sklstm._train.net import make_net
from sklstm._train.plan import DTYPES
from sklstm._train.seeds import RandomStream

__all__ = ["AdditiveModel", "Report", "dataset_of"]

VALUES_AT_ONCE = 2**25
"""Numbers of a table on the device at once, for predictions: estimated, 128 MB in float32."""


@dataclass(frozen=True)
class Report:
    """How a training went.

    Attributes
    ----------
    best_epoch : int
        The epoch whose weights the network has, counted from 1.
    supervised_steps : int
        How many neighbouring histories a training run merged.
    resolved : dict
        Values of the parameters that were "auto".
    validation_losses : DataFrame or None
        Validation losses of the baseline, the init estimator and the model.
    """

    best_epoch: int
    supervised_steps: int
    resolved: dict[str, Any]
    validation_losses: pd.DataFrame | None = None

    def to_plain(self) -> dict[str, Any]:
        """Convert to numbers and texts."""
        losses = self.validation_losses
        plain = None if losses is None else losses.to_dict("list")
        return vars(self) | {"validation_losses": plain}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Report":
        """Restore from `to_plain`."""
        losses = plain["validation_losses"]
        losses = None if losses is None else pd.DataFrame(losses)
        return cls(**plain | {"validation_losses": losses})


@dataclass(frozen=True)
class AdditiveModel:
    """Init estimator plus weighted network: everything that predictions need.

    Attributes
    ----------
    net : SequenceNet
        The network, its optimizer and history.
    scaling : InputScaling
        From steps to inputs of the network.
    head : Head
        From its outputs to labels or numbers.
    init : Init or None
        The init estimator of all samples, on whose residuals the network is trained.
    blending_weight : ndarray of shape (n_outputs,), or None
        Factor of the outputs of the network, if validation data were there to compute it.
    settings : dict
        The plan of the training, from `Plan.describe`.
    reads_table : bool
        Whether it was trained on a table, each row a sequence of one step.
    split_seed : int
        Decides which rows validate: in each call of as many rows the same ones, so that they are
        never trained on.
    n_split : tuple of (int, float) or None
        Number of independent sequences that were split, and the part that validated.
    skorch_params : dict or None
        Parameters of skorch that the user gave, which change the net.
    report : Report
        How its last training went.
    """

    net: SequenceNet
    scaling: InputScaling
    head: Head
    init: Init | None
    blending_weight: np.ndarray | None
    settings: dict[str, Any]
    reads_table: bool
    split_seed: int
    n_split: tuple[int, float] | None
    skorch_params: dict[str, Any] | None = field(repr=False)
    report: Report

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

    def of_each_network(self) -> list["AdditiveModel"]:
        """The sums with one of the networks each, which share everything else."""
        settings = self.settings | {"n_networks": 1}
        nets = self.net.of_each_network()
        weights: Any = [self.blending_weight] * len(nets)
        if len(nets) > 1 and self.blending_weight is not None:
            shares = self.net.module_.shares.numpy(force=True).astype(np.float64)
            weights = self.blending_weight * shares * len(nets)
        return [
            replace(self, net=net, settings=settings, blending_weight=weight)
            for net, weight in zip(nets, weights, strict=True)
        ]

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
        if self.blending_weight is not None:
            outputs = self.blending_weight * outputs
        if self.init is None:
            return outputs
        histories = histories_of_steps(sequences) if self.per_step else sequences
        return self.init.predict(histories.numbers(one_hot=True)) @ self.head.init_map + outputs

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
        batch_size = min(len(sequences), self.net.batch_sizes.of_prediction(sequences.max_length))
        setting = "iterator_valid__batch_size in skorch_params"
        with (
            suitable_threads(batch_size, self.net.module__hidden_size),
            explain_large_batches(self.net.device, batch_size, setting),
        ):
            outputs = self.net.outputs(dataset_of(self.net, self.scaling, sequences))
        return outputs.numpy().astype(np.float64)

    def hidden_state(self, sequences: Sequences) -> np.ndarray:
        """Compute what the linear heads read, of one network after another.

        Parameters
        ----------
        sequences : Sequences
            At least one.

        Returns
        -------
        ndarray of float64, shape (n_sequences, n_units)
            The pooled outputs of the recurrent layers.
        """
        models = [replace(one, net=one.net.without_head()) for one in self.of_each_network()]
        return np.hstack([one.network_outputs(sequences) for one in models])

    def torch_model(self) -> TorchModel:
        """Make one module of all parts, which shares the weights of the network.

        Raises
        ------
        ValueError
            If features are categories: there is nothing between two of their codes.
        """
        if self.scaling.n_codes:
            raise ValueError(
                f"The features {list(self.scaling.n_codes)} (counted from 0) are categories, which "
                "have no gradients: encode them as numbers before the fit, such as by a "
                "OneHotEncoder. history_importance takes them."
            )
        parts = self.scaling, self.head, self.init, self.blending_weight
        return TorchModel(self.net.module_, *parts)

    def attributions(
        self, sequences: Sequences, baseline: np.ndarray, columns: np.ndarray, n_points: int
    ) -> list[Attributions]:
        """Attribute predictions to the values of each sequence.

        Parameters
        ----------
        sequences : Sequences
            At least one, none of them empty.
        baseline : ndarray of shape (n_features,)
            What each step is compared with.
        columns : ndarray of int, shape (n_sequences,)
            Target or label to explain.
        n_points : int
            Number of points of the quadrature.

        Returns
        -------
        list of Attributions
            Of each sequence, with its own number of steps.
        """
        model, device = self.torch_model(), torch.device(self.net.device)
        n_rows = max(self.net.batch_sizes.of_attribution(sequences.max_length) // n_points, 1)
        found = []
        for start in range(0, len(sequences), n_rows):
            some = sequences[start : start + n_rows]
            steps = np.zeros((len(some), some.max_length, some.n_features))
            for place, length in enumerate(some.lengths):
                steps[place, :length] = some[place]
            lengths = torch.tensor(some.lengths, device=device)
            parts, *numbers = attribute(
                model,
                torch.tensor(steps, device=device),
                torch.tensor(baseline, device=device),
                None if (lengths == some.max_length).all() else lengths,
                columns[start : start + n_rows],
                n_points,
            )
            rows = zip(parts, some.lengths, *numbers, strict=True)
            found += [Attributions(one[:length], *rest) for one, length, *rest in rows]
        return found

    def to_plain(self) -> dict[str, Any]:
        """Convert to arrays, numbers and texts, without the state of the optimizer."""
        module = self.net.get_params_for("module")
        module.pop("network", None)  # a class, which skorch_params has if it is the user's
        weights = self.net.module_.state_dict()
        return {
            "device": str(self.net.device),
            "module": module | {"dtype": str(module["dtype"]).removeprefix("torch.")},
            "weights": {name: w.numpy(force=True).copy() for name, w in weights.items()},
            "history": self.net.rows(),
            "scaling": dict(vars(self.scaling)),
            "head": self.head.to_plain(),
            "init": None if self.init is None else self.init.to_plain(),
            "blending_weight": self.blending_weight,
            "settings": self.settings,
            "reads_table": self.reads_table,
            "split_seed": self.split_seed,
            "n_split": self.n_split,
            "skorch_params": self.skorch_params,
            "report": self.report.to_plain(),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "AdditiveModel":
        """Restore from `to_plain`, on the CPU if the device of the training is not available.

        Parameters
        ----------
        plain : dict
            From `to_plain`.

        Returns
        -------
        AdditiveModel
            With the same predictions.
        """
        module, device = plain["module"], device_here(plain["device"])
        module = module | {"dtype": DTYPES[module["dtype"]]}
        head, skorch_params = Head.from_plain(plain["head"]), plain["skorch_params"]
        net = make_net(module, head, device, {"callbacks": None} | (skorch_params or {}))
        net.build(RandomStream(0, device))  # its initial weights are replaced
        net.module_.load_state_dict({n: torch.tensor(w) for n, w in plain["weights"].items()})
        net.module_.eval()
        net.history_ = History(plain["history"])
        del net.optimizer_
        return cls(
            net,
            InputScaling(**plain["scaling"]),
            head,
            None if plain["init"] is None else Init.from_plain(plain["init"], str(device)),
            plain["blending_weight"],
            plain["settings"],
            plain["reads_table"],
            plain["split_seed"],
            plain["n_split"],
            skorch_params,
            Report.from_plain(plain["report"]),
        )


def dataset_of(
    net: SequenceNet,
    scaling: InputScaling,
    sequences: Sequences,
    target: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    of_steps: bool = False,
) -> SequenceDataset:
    """Put samples on the device of a net, in its units.

    Parameters
    ----------
    net : SequenceNet
        The net.
    scaling : InputScaling
        From steps to its inputs.
    sequences : Sequences
        The inputs.
    target : ndarray, default=None
        From `Head.to_network`. `None`: to predict.
    weight : ndarray, default=None
        As `Samples` has it.
    of_steps : bool, default=False
        Whether there is a target at every step.

    Returns
    -------
    SequenceDataset
        For the net.
    """
    dtype = net.module__dtype
    size = sequences.values.size * dtype.itemsize / 2**20
    with explain_out_of_memory(
        net.device,
        f"the data on it, {size:,.0f} MB of steps",
        "Give fewer rows or features, or use device='cpu'.",
    ):
        return SequenceDataset(
            sequences,
            scaling,
            device=torch.device(net.device),
            dtype=dtype,
            target=target,
            weight=weight,
            of_steps=of_steps,
        )
