"""A training: init estimator, network on what it leaves, blending weight, init of all samples."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from skorch.history import History

from sklstm._data.samples import Samples, TrainingData
from sklstm._data.sequences import Sequences
from sklstm._data.statistics import differences
from sklstm._nn.batches import differ_in_length
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.ensemble import blend, networks_of
from sklstm._nn.finite_steps import check_finite_steps
from sklstm._nn.heads import Head
from sklstm._nn.init_kinds import learn_better_init, learn_init
from sklstm._nn.inits import InitTask, LearnedInit
from sklstm._nn.input_transform import depends_on_length
from sklstm._nn.scaling import InputScaling
from sklstm._train.additive import AdditiveModel, Report, dataset_of
from sklstm._train.callbacks import Progress, Schedule
from sklstm._train.checkpoint import Checkpoint, TrainingFolder
from sklstm._train.defaults import OF_WHOLE
from sklstm._train.devices import explain_large_batches, suitable_threads
from sklstm._train.early_stopping import (
    EarlyStopping,
    EarlyStoppingState,
    EnsembleStopping,
    KeepWeights,
)
from sklstm._train.loop import SequenceNet
from sklstm._train.net import make_net, net_settings
from sklstm._train.optimizers import make_scheduler
from sklstm._train.plan import Plan
from sklstm._train.seeds import RandomStream

__all__ = ["Training", "split_of"]


class Training:
    """A network in training; what it has learned so far is a frozen `model`.

    Parameters
    ----------
    plan : Plan
        The settings.
    scaling : InputScaling
        From steps to inputs of the network.
    head : Head
        In the units of what the init estimator leaves.
    init : LearnedInit or None
        The init estimator of the training part.
    net : SequenceNet
        The network.
    data : TrainingData
        Training and validation data.
    random : RandomStream
        Random numbers.
    reads_table : bool
        Whether the data are a table.
    earlier : AdditiveModel, default=None
        The model that training continues with.
    """

    def __init__(
        self,
        plan: Plan,
        scaling: InputScaling,
        head: Head,
        init: LearnedInit | None,
        net: SequenceNet,
        data: TrainingData,
        random: RandomStream,
        reads_table: bool,
        earlier: AdditiveModel | None = None,
    ):
        self.plan, self.scaling, self.head, self.net = plan, scaling, head, net
        self.data, self.random, self.reads_table = data, random, reads_table
        self.learned_init = init
        self.init = None if init is None else init.init
        self.blending_weight = earlier.blending_weight if earlier else None
        self.split_seed = earlier.split_seed if earlier else plan.seed
        self.n_split = split_of(plan, data)
        self.n_epochs_before = len(net.history)
        self.validation_losses: pd.DataFrame | None = None
        self.best_epoch = 0

    @classmethod
    def begin(cls, plan: Plan, head: Head, data: TrainingData, reads_table: bool) -> "Training":
        """Learn scaling and init estimator from the training part, and make a network.

        Parameters
        ----------
        plan : Plan
            The settings.
        head : Head
            In the units of the user.
        data : TrainingData
            Training and validation data.
        reads_table : bool
            Whether the data are a table.

        Returns
        -------
        Training
            To run.
        """
        train, random = data.train, RandomStream(plan.seed, plan.device)
        scaling = _learn_scaling(plan, train)
        if data.valid is not None:
            _refuse_unscalable(scaling, data.valid)
        init = None
        if plan.inputs.init is not None:
            task = _task(plan, head, scaling, data)
            if plan.init_is_open:
                name, init = learn_better_init(task, OF_WHOLE)
                plan = plan.with_init(name)
            else:
                init = learn_init(task)
            init = _finite(init, plan)
        if init is not None and _differences_suffice(plan, head, init, train):
            plan = plan.with_differences_only()
            scaling = replace(scaling, input_transform=plan.inputs.input_transform)
        if plan.inputs.standardize:
            predicted = None if init is None else _of_labels(train, init.predicted)
            head = head.scaled_to(*train.labelled(), predicted)
        net = _make_net(plan, scaling, head).build(random)
        if plan.network.vectors is not None:
            with torch.no_grad():
                vectors = torch.tensor(np.ascontiguousarray(plan.network.vectors))
                for network in networks_of(net.module_):
                    network.embedding.weight.copy_(vectors)
        return cls(plan, scaling, head, init, net, data, random, reads_table)

    @classmethod
    def go_on(
        cls, earlier: AdditiveModel, plan: Plan, head: Head, data: TrainingData
    ) -> "Training":
        """Continue with a copy of a network, and with an init estimator of this training part.

        The init estimator of the model has seen all data, so that its validation loss would be too
        low. Without a validation part it stays as it is.

        Parameters
        ----------
        earlier : AdditiveModel
            The model, which stays as it is.
        plan : Plan
            The settings; lasting ones have to be unchanged.
        head : Head
            The same head, perhaps with other class weights.
        data : TrainingData
            Training and validation data.

        Returns
        -------
        Training
            With the weights, the history, and the optimizer state if the optimizer is the same.

        Raises
        ------
        ValueError
            If a lasting setting has changed.
        """
        plan.refuse_changes(earlier.settings)
        init, scaling = None, earlier.scaling
        if earlier.init is not None:
            learn = earlier.init.kept if data.valid is None else earlier.init.relearn
            init = _finite(learn(_task(plan, head, scaling, data)), plan)
        net = _make_net(plan, scaling, head).build(RandomStream(plan.seed, plan.device))
        same = plan.describe()["optimizer"] == earlier.settings["optimizer"]
        _copy_state(earlier, net, same_optimizer=same)
        random = RandomStream(plan.seed + earlier.n_epochs, plan.device)
        return cls(plan, scaling, head, init, net, data, random, earlier.reads_table, earlier)

    @property
    def has_new_epochs(self) -> bool:
        """Whether an epoch is complete, so that there is something to keep."""
        return len(self.net.history) > self.n_epochs_before

    def model(self) -> AdditiveModel:
        """What is learned so far."""
        given = self.plan.training.skorch_params or {}
        return AdditiveModel(
            self.net,
            self.scaling,
            self.head,
            self.init,
            self.blending_weight,
            self.plan.describe(),
            self.reads_table,
            self.split_seed,
            self.n_split,
            {name: value for name, value in given.items() if name != "callbacks"},
            Report(
                self.best_epoch,
                self.plan.supervised_steps,
                dict(self.plan.resolved),
                self.validation_losses,
            ),
        )

    def run(self, callbacks: Iterable[Callback] = ()) -> None:
        """Train the network, choose its weight, and learn the init estimator of all samples.

        However training ends, the weights are those of a complete epoch.

        Parameters
        ----------
        callbacks : iterable of skorch.callbacks.Callback
            Further callbacks, which are called last.
        """
        valid = self.data.valid
        if valid is not None and differ_in_length(valid.sequences):
            valid = valid.take(np.argsort(valid.sequences.lengths, kind="stable"))
        predicted = None
        if valid is not None and self.init is not None:
            predicted = self.init.predict(valid.all_histories().numbers(one_hot=True))
        learned = None if self.learned_init is None else self.learned_init.predicted
        training = self.plan.training
        n_columns = -(-training.batch_size // self.plan.supervised_steps)
        with (
            suitable_threads(n_columns, self.plan.network.hidden_size),
            explain_large_batches(self.plan.device, training.batch_size, "batch_size"),
        ):
            validation, target = None, self.head.to_network(self.data.train.target, learned)
            if valid is not None:
                validation = self._dataset(valid, self.head.to_network(valid.target, predicted))
            self._train(self._dataset(self.data.train, target), validation, callbacks)
            if valid is not None and validation is not None:
                self._blend(valid, validation, predicted)
        if self.learned_init is not None:
            self.init = self.learned_init.learn_again()

    def _dataset(self, samples: Samples, target: np.ndarray) -> SequenceDataset:
        steps = samples.sequences, target, samples.weight, samples.of_steps
        return dataset_of(self.net, self.scaling, *steps)

    def _train(
        self,
        dataset: SequenceDataset,
        validation: SequenceDataset | None,
        callbacks: Iterable[Callback],
    ) -> None:
        """Run the epochs, or those that a checkpoint leaves."""
        training, run = self.plan.training, self.plan.run
        weights = KeepWeights()
        if training.early_stopping:
            kind = EnsembleStopping if self.net.n_networks > 1 else EarlyStopping
            weights = kind(training.n_iter_no_change, training.tol)
        ours: list[Callback] = []
        if training.lr_scheduler is not None:
            ours.append(Schedule(lambda optimizer: make_scheduler(training, optimizer)))
        of_user = [callback for _, callback in self.net.callbacks_]
        stopping = [EarlyStoppingState(x) for x in of_user if isinstance(x, SkorchEarlyStopping)]
        checkpoint, n_epochs = None, training.max_epochs
        if run.checkpoint is not None:
            folder = TrainingFolder(self.plan, self.data.train, self.data.valid)
            checkpoint = Checkpoint(folder, self.random, [weights, *ours, *stopping])
            n_epochs = checkpoint.n_epochs
            ours.append(checkpoint)
        if run.verbose:
            in_all = self.n_epochs_before + n_epochs
            ours.append(Progress(run.verbose, in_all, weights, run.title))
        try:
            self.net.train(
                dataset,
                validation,
                epochs=n_epochs,
                random=self.random,
                weights=weights,
                callbacks=[*ours, *callbacks],
                supervised_steps=self.plan.supervised_steps,
            )
        finally:
            self.best_epoch = weights.restored_epoch_
            for one in stopping:
                if one.loaded_best(self.net):
                    self.best_epoch = one.callback.best_epoch_
        if checkpoint is not None and not weights.has_undone:
            checkpoint.finish()

    def _blend(
        self, valid: Samples, dataset: SequenceDataset, predicted: np.ndarray | None
    ) -> None:
        """Choose the blending weight, of each network by itself, and compare validation losses."""
        head, (actuals, weight) = self.head, valid.labelled()
        nets = self.net.of_each_network()
        found = [net.outputs(dataset).numpy().astype(np.float64) for net in nets]
        each = np.stack([_of_labels(valid, one) for one in found])
        outputs = each.mean(axis=0)
        baseline: np.ndarray = head.baseline(*self.data.train.labelled())
        models = {}
        if predicted is not None:
            predicted = _of_labels(valid, predicted)
            baseline = baseline - predicted @ head.init_map
        models[head.baseline_name] = np.broadcast_to(baseline, outputs.shape)
        target = head.to_network(actuals, predicted)
        if predicted is not None:
            weights = np.stack([head.blending_weight(one, target, weight) for one in each])
            self.blending_weight = (
                weights[0] if len(nets) == 1 else blend(self.net.module_, weights)
            )
            models["init"] = np.zeros(outputs.shape)
            outputs = (weights[:, None] * each).mean(axis=0)
        models["network" if predicted is None else "init and network"] = outputs
        losses = {name: head.mean_loss(one, target, weight) for name, one in models.items()}
        table = {"model": list(losses), "loss": list(losses.values())}
        self.validation_losses = pd.DataFrame(table)


def split_of(plan: Plan, data: TrainingData) -> tuple[int, float] | None:
    """Number of independent sequences that are split at random, and the part that validates."""
    if data.everything is None:
        return None
    n_independent = int((data.everything.sequences.series < 0).sum())
    return (n_independent, plan.training.validation_fraction) if n_independent else None


def _refuse_unscalable(scaling: InputScaling, valid: Samples) -> None:
    """Raise an error for numbers of the validation data that are infinite once they are scaled."""
    allow_nan = scaling.median is not None
    try:
        check_finite_steps(valid.sequences, "The network", allow_nan=allow_nan, scaling=scaling)
    except ValueError as error:
        raise ValueError(f"The validation data, counted by themselves: {error}") from error


def _learn_scaling(plan: Plan, train: Samples) -> InputScaling:
    """The input scaling of the training part."""
    if plan.network.reads_tokens:
        if plan.inputs.init is not None:
            raise ValueError(
                f"init={plan.inputs.init!r} reads numbers, and X holds tokens: use init=None."
            )
        return InputScaling.of_tokens(train.sequences, plan.network.vectors)
    return InputScaling.learn(
        train.sequences,
        train.sequence_weight(),
        standardize=plan.inputs.standardize,
        missing=plan.inputs.missing,
        input_transform=plan.inputs.input_transform,
    )


def _task(plan: Plan, head: Head, scaling: InputScaling, data: TrainingData) -> InitTask:
    inputs = plan.inputs
    lagged = _among_numbers(inputs.lagged_target, data.train.sequences)
    settings = inputs.standardize, inputs.init, lagged, plan.seed, str(plan.device)
    rest, everything = (None if x is None else _numbers(x) for x in (data.rest, data.everything))
    return InitTask(_numbers(data.train), rest, everything, head, scaling, *settings)


def _numbers(samples: Samples) -> Samples:
    """Samples with a feature for each value of a category, as an init reads them."""
    return samples._replace(sequences=samples.sequences.numbers(one_hot=True))


def _among_numbers(feature: Any, sequences: Sequences) -> Any:
    """Position of a feature among those that are no categories; a name stays."""
    if not isinstance(feature, Integral):
        return feature
    if feature in sequences.categories:
        raise ValueError(f"lagged_target={feature} is a category, and y has numbers.")
    return int(feature) - sum(k < feature for k in sequences.categories)


def _finite(init: LearnedInit, plan: Plan) -> LearnedInit:
    """Refuse an init that predicts no number, of which nothing could be learned."""
    wrong = np.flatnonzero(~np.isfinite(init.predicted).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"init={plan.inputs.init!r} predicts NaN or infinity for {len(wrong)} of "
            f"{len(init.predicted)} training samples, the first of them sample {wrong[0]}. With "
            "missing='mask' it gets sequences with NaN."
        )
    return init


def _differences_suffice(plan: Plan, head: Head, init: LearnedInit, train: Samples) -> bool:
    """Whether differences alone are enough as inputs of the network, as the init shows.

    Levels stay if a feature never changes within a history, or if the spread is predicted, which
    depends on levels; and where position is an input, for independent sequences.
    """
    if not init.init.differences_suffice or head.spread_is_learned:
        return False
    if depends_on_length(plan.inputs.input_transform):
        return False
    steps = differences(train.sequences.numbers())
    return bool(steps.values[steps.step_weights() > 0].any(axis=0).all())


def _make_net(plan: Plan, scaling: InputScaling, head: Head) -> SequenceNet:
    n_codes = list(scaling.n_codes.values())
    module = plan.network_arguments(scaling.n_inputs, head.n_outputs, scaling.n_tokens, n_codes)
    return make_net(module, head, plan.device, net_settings(plan.training))


def _copy_state(earlier: AdditiveModel, net: SequenceNet, *, same_optimizer: bool) -> None:
    """Copy weights, history, and the state of the optimizer."""
    net.module_.load_state_dict(earlier.net.module_.state_dict())
    net.history_ = History(earlier.net.rows())
    if same_optimizer and hasattr(earlier.net, "optimizer_"):
        new = net.optimizer_.state_dict()
        state = deepcopy(earlier.net.optimizer_.state_dict()["state"])  # loading shares tensors
        net.optimizer_.load_state_dict(new | {"state": state})


def _of_labels(samples: Samples, rows: np.ndarray) -> np.ndarray:
    """The rows that have a label, where there is a row for each step."""
    return rows[samples.weight > 0] if samples.of_steps else rows
