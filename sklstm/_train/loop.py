"""The training loop: skorch's, with our batches."""

import dis
import signal
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from torch import nn

from sklstm._data.warning import DivergenceWarning, warn
from sklstm._nn.batch_parts import (
    by_sequence,
    join_batches,
    parts_of,
    repeated,
    side_by_side,
    split_batch,
    total_weight,
)
from sklstm._nn.batch_sizes import SMALLEST_PART, BatchSizes, steps_in_part
from sklstm._nn.batches import STEP_COST, BatchLoader
from sklstm._nn.cells import CELLS
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.ensemble import NetworkEnsemble, networks_of
from sklstm._nn.network import SequenceNetwork
from sklstm._train.early_stopping import KeepWeights, StopTraining
from sklstm._train.mean_loss import MeanLoss
from sklstm._train.seeds import RandomStream

__all__ = ["SequenceNet"]


class _Run(NamedTuple):
    """What stays the same in one call of `train`: random numbers, batches, callbacks, parts.

    Looking these up at each batch would take some percent of the time of a tiny network.
    """

    random: RandomStream
    supervised_steps: int
    of_net: list
    steps_in_part: int | None = None


class Diverged(StopTraining):
    """Ends the training loop because the loss is no longer a finite number."""


class SequenceNet(NeuralNet):
    """A skorch net that reads the batches of a `BatchLoader` and reports once an epoch.

    Losses are added up on the device and read once an epoch, and batch callbacks are called only
    if one of them overrides the method: waiting for the device at every batch would take most of
    the time of a small network on a GPU.
    """

    callbacks: Any
    callbacks_: list[tuple[str, Callback]]
    in_training: list[int]
    losses_of_networks: np.ndarray

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer())]

    def of_each_network(self) -> list["SequenceNet"]:
        """Nets of one network each, which share its weights and this history; without optimizer."""
        if self.n_networks == 1:
            return [self]
        networks = networks_of(self.module_)
        return [self._with(network, self.kind_of_network) for network in networks]

    def without_head(self) -> "SequenceNet":
        """A net of the same weights whose outputs are what the linear head reads."""
        network = deepcopy(self.module_)
        network.head = nn.Identity()
        return self._with(network, self.module)

    def _with(self, network: nn.Module, kind: type) -> "SequenceNet":
        """A net of another module, without an optimizer."""
        left_out = {"module__network", "module__n_networks", "optimizer_"}
        shared = {name: value for name, value in vars(self).items() if name not in left_out}
        net = type(self).__new__(type(self))
        net.__dict__.update(shared | {"module": kind, "module_": network})
        return net

    def build(self, random: RandomStream) -> "SequenceNet":
        """Make the network and its optimizer.

        Parameters
        ----------
        random : RandomStream
            For the initial weights. Callbacks are initialised afterwards, as torch's global
            generators hold this stream meanwhile.

        Returns
        -------
        SequenceNet
            This net.
        """
        callbacks, self.callbacks = self.callbacks, "disable"
        with random.as_global():
            self.initialize()
        self.callbacks = callbacks
        if callbacks != "disable":
            self.initialize_callbacks()
        return self

    def infer(self, x: tuple, **of: Any) -> torch.Tensor:
        """Outputs of a batch; random numbers come from the stream of the training."""
        if not (self.module_.training and self._draws()):
            return self.module_(*x, **of)
        with self._run.random.as_global():
            return self.module_(*x, **of)

    def _draws(self) -> bool:
        """Whether the network may draw random numbers in training: dropout, hidden categories."""
        if self.kind_of_network is not SequenceNetwork:
            return True
        return self.module__dropout > 0 or hasattr(self, "module__n_codes")

    @property
    def kind_of_network(self) -> type:
        """The class of the network, or of each of an ensemble."""
        return self.module__network if self.module is NetworkEnsemble else self.module

    @property
    def n_networks(self) -> int:
        """Number of networks whose outputs are averaged."""
        return self.module__n_networks if self.module is NetworkEnsemble else 1

    def get_loss(
        self, y_pred: torch.Tensor, y_true: tuple, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """Loss of a batch: target and weight."""
        return self.criterion_(y_pred, *y_true)

    def train(
        self,
        dataset: SequenceDataset,
        validation: SequenceDataset | None = None,
        *,
        epochs: int,
        random: RandomStream,
        weights: KeepWeights,
        callbacks: Iterable[Callback] = (),
        supervised_steps: int = 1,
    ) -> None:
        """Run epochs. However they end, the weights are those of a complete epoch.

        Parameters
        ----------
        dataset : SequenceDataset
            Training data.
        validation : SequenceDataset or None
            Validation data, whose loss is computed after each epoch.
        epochs : int
            Number of epochs, including those that a callback restores in `on_train_begin`.
        random : RandomStream
            For the order of the rows, and dropout.
        weights : KeepWeights
            Has the weights to restore.
        callbacks : iterable of skorch.callbacks.Callback
            Callbacks of this call, in addition to those of the net.
        supervised_steps : int, default=1
            Number of neighbouring histories that are read in one run.

        Raises
        ------
        ValueError
            If the training diverges in its first epoch.

        Warns
        -----
        DivergenceWarning
            If it diverges later.
        """
        of_net = self.callbacks_
        of_call = [("", callback) for callback in callbacks]
        self.callbacks_ = [("", weights), *of_net, *of_call]  # weights are kept before all others
        self.in_training = list(range(self.n_networks))
        self._run = _Run(random, supervised_steps, of_net, self._steps_in_part())
        try:
            done = len(self.history)
            self.notify("on_train_begin", X=dataset, y=None)
            epochs -= len(self.history) - done
            try:
                if not weights.should_stop():
                    self._run_epochs(dataset, validation, epochs, weights)
            finally:
                self.notify("on_train_end", X=dataset, y=None)
        finally:
            self.module_.eval()
            self.callbacks_ = of_net
            del self._run

    def _run_epochs(
        self,
        dataset: SequenceDataset,
        validation: SequenceDataset | None,
        epochs: int,
        weights: KeepWeights,
    ) -> None:
        try:
            self.fit_loop((dataset, validation), epochs=epochs)
        except Diverged as diverged:
            weights.undo_epoch(self)
            if weights.best_ is None:
                raise ValueError(str(diverged)) from None
            weights.wants_best_ = True
            warn(
                f"{diverged} The weights are those of epoch {weights.best_epoch_}, the best one.",
                DivergenceWarning,
            )
        except StopTraining:
            pass
        except BaseException:
            weights.undo_epoch(self)
            raise

    def get_split_datasets(self, X: tuple, y: None = None, **fit_params: Any) -> tuple:
        """Training and validation data, as `train` has them."""
        return X

    def outputs(self, dataset: SequenceDataset) -> torch.Tensor:
        """Outputs of all sequences.

        Parameters
        ----------
        dataset : SequenceDataset
            The sequences.

        Returns
        -------
        Tensor of shape (n_sequences, n_outputs), or (sum of lengths, n_outputs)
            On the CPU; one row a step, sequence by sequence, if the network has no pooling.
        """
        self._set_training(False)
        loader = self.get_iterator(dataset)
        with torch.inference_mode():
            outputs = [
                by_sequence(self.infer(inputs), inputs[1], n_steps)
                for (inputs, _), n_steps in zip(loader, loader.n_steps(), strict=True)
            ]
            return torch.cat(outputs).cpu()

    def get_iterator(self, dataset: SequenceDataset, training: bool = False) -> BatchLoader:
        """Batches for training, or larger ones for predictions."""
        step_cost = STEP_COST[self._kind_of_device()]
        if training:
            return BatchLoader(
                dataset,
                self.batch_size,
                shuffle=True,
                supervised_steps=self._run.supervised_steps,
                generator=self._run.random.generator,
                step_cost=step_cost,
            )
        return BatchLoader(dataset, self.batch_sizes.of_prediction, step_cost=step_cost)

    @property
    def batch_sizes(self) -> BatchSizes:
        """Sizes of batches to predict, independent of those of training."""
        width, given = (
            self.width * self.n_networks,
            getattr(self, "iterator_valid__batch_size", None),
        )
        return BatchSizes(width, self._kind_of_device(), given)

    def train_step_single(self, batch: tuple | list[tuple], **fit_params: Any) -> dict[str, Any]:
        """Gradients of a batch, part by part where that is faster."""
        parts = [small for part in parts_of(batch) for small in self._small_parts(part)]
        if len(parts) == 1 and self.n_networks == 1:
            return super().train_step_single(parts[0], **fit_params)
        self._set_training(True)
        total, losses, outputs = total_weight(parts), [], []
        for inputs, targets in parts:
            share = total_weight([(inputs, targets)]) / total if len(parts) > 1 else 1
            loss, output = self._gradients(inputs, targets, share)
            losses.append(loss)
            outputs.append(output)
        return {"loss": sum(losses), "y_pred": side_by_side(outputs)}

    def _gradients(self, inputs: tuple, targets: tuple, share: Any) -> tuple[Any, torch.Tensor]:
        """Gradients of a part of a batch; each network of an ensemble gets those of its own loss.

        Returns the mean loss of the networks and the mean of their outputs.
        """
        if self.n_networks == 1:
            output = self.infer(inputs)
            loss = self.get_loss(output, targets) * share
            loss.backward()
            return loss.detach(), output.detach()
        losses, outputs = [], []
        for of in self.module_.trained_together(inputs[0], self.in_training):
            each = self.infer(inputs, of=of)
            loss = self.get_loss(each.flatten(0, 1), repeated(targets, len(each)))
            loss = loss * (len(each) * share)
            loss.backward()
            losses.append(loss.detach())
            outputs.append(each.detach())
        return sum(losses) / len(self.in_training), torch.cat(outputs).mean(0)

    def validation_step(self, batch: tuple, **fit_params: Any) -> dict[str, Any]:
        """Loss of a batch; of an ensemble that of each network, by which each of them stops."""
        if self.n_networks == 1:
            return super().validation_step(batch, **fit_params)
        inputs, targets = batch
        self._set_training(False)
        with torch.no_grad():
            each = self.infer(inputs, of=list(range(self.n_networks)))
            losses = torch.stack([self.get_loss(one, targets) for one in each])
        return {"loss": losses, "y_pred": each.mean(0)}

    def _small_parts(self, part: tuple) -> list[tuple]:
        """A batch, or one of its parts, divided where that is faster; merged runs stay together."""
        (steps, *_), n_merged = part[0], len(part[0]) - 2
        if n_merged or self._run.steps_in_part is None:
            return [part]
        n_steps, n_sequences = steps.shape[:2]
        n_parts = -(-n_sequences // max(self._run.steps_in_part // n_steps, SMALLEST_PART))
        return split_batch(part, n_parts) if n_parts > 1 else [part]

    def _steps_in_part(self) -> int | None:
        """Steps of all sequences of a part; `None` if batches are trained whole.

        Other cells, and float64, are computed without oneDNN, step by step in small blocks.
        """
        in_parts = CELLS[self.module__cell].trained_in_parts
        in_parts = in_parts and self.module__dtype is torch.float32
        if not in_parts or self._kind_of_device() != "cpu":
            return None
        return steps_in_part(self.width, self.module__num_layers, torch.get_num_threads())

    def _kind_of_device(self) -> str:
        return "cpu" if torch.device(self.device).type == "cpu" else "gpu"

    @property
    def width(self) -> int:
        """Outputs of a step: those of both directions."""
        return self.module__hidden_size * (2 if self.module__bidirectional else 1)

    def _set_training(self, training: bool = True) -> None:
        if self.module_.training is not training:  # a walk through all modules takes time
            super()._set_training(training)

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; at the end of an epoch all of them, even if one stops training."""
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        stop = False
        for name, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **cb_kwargs)
            except StopTraining:
                stop = True
            except KeyboardInterrupt as error:  # skorch's callbacks stop training by it too
                if (name, callback) not in self._run.of_net or not _was_raised(error):
                    raise
                stop = True
        if stop:
            raise StopTraining

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run one epoch of training or validation."""
        if iterator is None:
            return
        per_batch = any(_has_batch_methods(callback) for _, callback in self.callbacks_)
        mean = MeanLoss()
        for batch in iterator:
            whole = join_batches(batch) if per_batch and isinstance(batch, list) else batch
            if per_batch:
                self.notify("on_batch_begin", batch=whole, training=training)
            step = step_fn(batch, **fit_params)
            mean.add(step["loss"].detach(), total_weight(parts_of(batch)))
            if per_batch:
                self.notify("on_batch_end", batch=whole, training=training, **step)
        loss = mean.result()
        if np.ndim(loss):
            self.losses_of_networks, loss = loss, float(loss.mean())
        finite = torch.stack([w.isfinite().all() for w in self.module_.parameters()])
        if not (np.isfinite(loss) and finite.all()):
            raise Diverged(
                f"The training diverged in epoch {len(self.history)}, with a {prefix} loss of "
                f"{loss:.4g}. Lower lr (it is {self.lr}) or clip_grad_norm, or set "
                "standardize=True if it is not."
            )
        name = f"{prefix}_loss"
        best = min((row[name] for row in self.history if name in row), default=np.inf)
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < best)

    def epochs(self) -> pd.DataFrame:
        """Return the history as a table.

        Returns
        -------
        pandas.DataFrame
            One row an epoch: ``epoch`` counted from 1, ``train_loss``, ``valid_loss`` if there
            are validation data, ``dur`` in seconds, and what callbacks recorded.
        """
        table = pd.DataFrame(self.rows())
        return table[[name for name in table if not str(name).endswith("_loss_best")]]

    def rows(self) -> list[dict[str, Any]]:
        """Return the history as plain data without batches.

        Returns
        -------
        list of dict
            One row an epoch.
        """
        return [{k: v for k, v in row.items() if k != "batches"} for row in self.history]


def _was_raised(error: BaseException) -> bool:
    """Whether a raise statement raised it, not the signal of a Ctrl-C, which may come anywhere."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code
    of_handler = getattr(signal.getsignal(signal.SIGINT), "__code__", None) is code
    return code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"] and not of_handler


def _has_batch_methods(callback: Callback) -> bool:
    return any(
        getattr(type(callback), name) is not getattr(Callback, name)
        for name in ("on_batch_begin", "on_batch_end")
    )
