"""One training, from its plan to its end."""

from collections.abc import Iterable

import numpy as np
from skorch.callbacks import Callback

from sklstm._data.samples import Samples, TrainingData
from sklstm._nn.batches import differ_in_length
from sklstm._train.beginning import finish
from sklstm._train.callbacks import EarlyStopping, KeepWeights, Progress, Schedule
from sklstm._train.checkpoint import Checkpoint, describe_run, refuse_another_run
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
    saved: dict | None = None,
    callbacks: Iterable[Callback] = (),
) -> None:
    """Train a network.

    Parameters
    ----------
    plan : Plan
        The settings.
    fitted : FittedNetwork
        The network, which is changed; whatever ends the training, to that of a complete epoch.
    data : TrainingData
        To learn from, and to validate on.
    random : RandomStream
        Random numbers.
    saved : dict or None
        Checkpoint to go on from.
    callbacks : iterable of skorch.callbacks.Callback
        More callbacks, which hear last.
    """
    train, valid = data.train, data.valid
    is_new, weights = not fitted.n_epochs, KeepWeights()
    if plan["early_stopping"]:
        weights = EarlyStopping(plan["n_iter_no_change"], plan["tol"])
    told = _callbacks(plan, fitted.n_epochs, weights, random, saved, train, valid)
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
                epochs=plan["max_epochs"],
                random=random,
                weights=weights,
                callbacks=[*told, *callbacks],
                supervised_steps=fitted.supervised_steps,
            )
        finally:
            fitted.best_epoch = weights.kept_epoch_
    if valid is not None:
        finish(fitted, train, valid, data.everything if is_new else None)


def _callbacks(
    plan: Plan,
    done: int,
    weights: KeepWeights,
    random: RandomStream,
    saved: dict | None,
    train: Samples,
    valid: Samples | None,
) -> list[Callback]:
    """What a plan wants to happen after each epoch, in this order."""
    callbacks: list[Callback] = []
    if plan["lr_scheduler"] is not None:
        callbacks.append(Schedule(plan.scheduler))
    if plan["checkpoint"] is not None:
        run = describe_run(plan, train, valid)
        refuse_another_run(plan, saved, run)
        companions = [weights, *callbacks]
        callbacks.append(Checkpoint(plan["checkpoint"], saved, run, random, companions))
    if plan["verbose"]:
        callbacks.append(Progress(plan["verbose"], done + plan["max_epochs"], weights, plan.title))
    return callbacks
