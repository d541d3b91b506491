"""Init estimators by the parameter `init`, and by what targets are."""

from sklstm._nn.convolution_init import ConvolutionInit
from sklstm._nn.estimator_init import EstimatorInit
from sklstm._nn.inits import Init, InitTask, LearnedInit
from sklstm._nn.logistic_init import LogisticInit
from sklstm._nn.ridge_init import RidgeInit
from sklstm._nn.statistics_init import StatisticsInit

__all__ = ["INITS", "learn_init"]

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
