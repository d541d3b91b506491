"""One training, from its plan to its end."""

from collections.abc import Iterable

import numpy as np
from skorch.callbacks import Callback
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping

from sklstm._data.samples import TrainingData
from sklstm._nn.batches import differ_in_length
from sklstm._train.additive import evaluate_and_blend
from sklstm._train.callbacks import (
    EarlyStopping,
    EarlyStoppingState,
    KeepWeights,
    Progress,
    Schedule,
)
from sklstm._train.checkpoint import Checkpoint, TrainingFolder
from sklstm._train.devices import explain_large_batches, suitable_threads
from sklstm._train.fitted import FittedNetwork
from sklstm._train.plan import Plan
from sklstm._train.seeds import RandomStream

__all__ = ["run"]


def run(
    plan: Plan,
    fitted: FittedNetwork,
    data: TrainingData,
    random: RandomStream,
    callbacks: Iterable[Callback] = (),
) -> None:
    """Train a network.

    Parameters
    ----------
    plan : Plan
        The settings.
    fitted : FittedNetwork
        The network, which is changed. However training ends, its weights are those of a complete
        epoch.
    data : TrainingData
        Training and validation data.
    random : RandomStream
        Random numbers.
    callbacks : iterable of skorch.callbacks.Callback
        Further callbacks, which are called last.
    """
    train, valid = data.train, data.valid
    weights = KeepWeights()
    if plan["early_stopping"]:
        weights = EarlyStopping(plan["n_iter_no_change"], plan["tol"])
    ours: list[Callback] = []
    if plan["lr_scheduler"] is not None:
        ours.append(Schedule(plan.scheduler))
    user_callbacks = [callback for _, callback in fitted.net.callbacks_]
    stopping = [EarlyStoppingState(x) for x in user_callbacks if isinstance(x, SkorchEarlyStopping)]
    checkpoint, n_epochs = None, plan["max_epochs"]
    if plan["checkpoint"] is not None:
        folder = TrainingFolder(plan, train, valid)
        checkpoint = Checkpoint(folder, random, [weights, *ours, *stopping])
        n_epochs = checkpoint.n_epochs
        ours.append(checkpoint)
    if plan["verbose"]:
        ours.append(Progress(plan["verbose"], fitted.n_epochs + n_epochs, weights, plan.title))
    fitted.supervised_steps = plan.supervised_steps(train.sequences)
    if valid is not None and differ_in_length(valid.sequences):
        valid = valid.take(np.argsort(valid.sequences.lengths, kind="stable"))
    n_columns = -(-plan["batch_size"] // fitted.supervised_steps)
    with (
        suitable_threads(n_columns, plan["hidden_size"]),
        explain_large_batches(plan.device, plan["batch_size"], "batch_size"),
    ):
        try:
            fitted.net.train(
                fitted.dataset(*train),
                None if valid is None else fitted.dataset(*valid),
                epochs=n_epochs,
                random=random,
                weights=weights,
                callbacks=[*ours, *callbacks],
                supervised_steps=fitted.supervised_steps,
            )
        finally:
            fitted.best_epoch = weights.restored_epoch_
            for one in stopping:
                if one.loaded_best(fitted.net):
                    fitted.best_epoch = one.callback.best_epoch_
    if checkpoint is not None and not weights.has_undone:
        checkpoint.finish()
    if valid is not None:
        evaluate_and_blend(fitted, train, valid, data.everything)
