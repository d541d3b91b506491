"""Init estimators by the parameter `init`, and by what targets are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sklstm._nn.convolution_init import ConvolutionInit
from sklstm._nn.estimator_init import EstimatorInit
from sklstm._nn.inits import Init, InitTask, LearnedInit
from sklstm._nn.logistic_init import LogisticInit
from sklstm._nn.ridge_init import RidgeInit
from sklstm._nn.statistics_init import StatisticsInit

__all__ = ["INITS", "learn_better_init", "learn_init"]

INITS: dict[str, dict[str, type[Init]]] = {
    "linear": {
        "continuous": RidgeInit,
        "multiclass": LogisticInit,
        "multilabel-indicator": LogisticInit,
    },
    "convolutions": {
        "multiclass": ConvolutionInit,
        "multilabel-indicator": ConvolutionInit,
    },
    "statistics": {
        "multiclass": StatisticsInit,
        "multilabel-indicator": StatisticsInit,
    },
}
"""Kinds by name and by the `target_type` of a head."""


def learn_init(task: InitTask) -> LearnedInit:
    """Learn the init estimator that the user named or gave.

    Parameters
    ----------
    task : InitTask
        Has the parameter `init`, and the training samples.

    Returns
    -------
    LearnedInit
        Of the training samples.

    Raises
    ------
    ValueError
        If it is not for such targets.
    """
    if not isinstance(task.estimator, str):
        return EstimatorInit.learn(task)
    kinds, kind = INITS[task.estimator], task.head.target_type
    if kind not in kinds:
        raise ValueError(
            f"init={task.estimator!r} is for {' and '.join(kinds)} targets, and y is {kind}."
        )
    return kinds[kind].learn(task)


def learn_better_init(task: InitTask, names: Sequence[str]) -> tuple[str, LearnedInit]:
    """Learn several init estimators, and select one by its loss out of sample.

    Parameters
    ----------
    task : InitTask
        The training samples.
    names : sequence of str
        Kinds whose predictions for training samples are out of sample.

    Returns
    -------
    name : str
        Of the one with the lowest loss.
    learned : LearnedInit
        That one.
    """
    target, weight = task.train.labelled()

    def loss(learned: LearnedInit) -> float:
        residuals = task.head.to_network(target, learned.predicted)
        return task.head.mean_loss(np.zeros(learned.predicted.shape), residuals, weight)

    every = {name: learn_init(replace(task, estimator=name)) for name in names}
    best = min(every, key=lambda name: loss(every[name]))
    return best, every[best]
