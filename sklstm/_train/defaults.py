"""Values of "auto" by the training data; `benchmarks/skill.py` compares them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklstm._data.sequences import Sequences

__all__ = ["resolve"]

# Losses and times of other values are those of `benchmarks/defaults.py`, one seed.

BATCH_SIZES = 16, 64
"""Fewest and most independent sequences of a batch. Half as many have 1.03 of the loss on ten sets
and take 1.1 times as long, twice as many 1.15."""

BATCHES_IN_EPOCH = 50
"""Half as many have 1.03 of the loss on two sets; twice as many .86 on one, the only one on which
they differ."""

BATCH_SIZES_OF_TABLE = 64, 512
"""Fewest and most histories of a batch. Half as many have 1.02 of the loss on two tables, twice as
many 1.03 on three."""

BATCHES_IN_EPOCH_OF_TABLE = 200
"""Half as many have 1.01 of the loss on two tables; twice as many .95 on one, in 1.5 times as
long."""

EPOCHS = 10, 200
"""Fewest and most without early stopping, by judgement: on no set are half or twice as many another
model."""

UPDATES = 1500, 750
"""Optimizer steps of the network alone, and at most as many beside convolutions or of labels of
steps. On four sets of 60 sequences of 100 steps (of air, a room and a transformer) 750 classify .41
of the steps correctly with a log loss of 1.39, 1500 .42 with 1.59, early stopping in batches of 16
sequences .36 with 1.42, and boosting on lags .41 with 2.00."""

STEPS_IN_BATCH = 200
"""With labels of steps, fewest steps of a batch: a few long sequences show as much as many short
ones."""

MOST_EPOCHS = 100
"""With early stopping: on no set are 50 or 200 another model."""

FEWEST_TO_STOP = 50
"""Sequences from which on some are set aside to stop early. With 200, two sets have 1.22 of the
loss and take twice as long."""

WIDTH = 9
"""Convolutions read nine steps: of digits of eight rows they classify 0.976 correctly, the network
alone 0.985."""

MOSTLY_MISSING = 0.5
"""Share of missing values above which convolutions, which read changes from step to step, give way
to statistics of the sequence."""

OF_WHOLE = "convolutions", "statistics"
"""Init estimators of labels of whole sequences."""

FEWEST_TO_BLEND = 10
"""With as many independent sequences some are set aside to blend the network with convolutions: the
penalty on the weight keeps it small where they are few."""

VALIDATION_FRACTIONS = 0.1, 0.2
"""Of all rows; and of independent sequences beside convolutions, which are few as a rule."""


def resolve(
    settings: Mapping[str, Any], sequences: Sequences, *, is_regressor: bool, has_validation: bool
) -> dict[str, Any]:
    """Resolve the parameters that are "auto".

    Histories of a table are read forwards up to the row to predict, so that they can be merged;
    the batch size grows with the table, so that an epoch has some hundred optimizer steps.
    Independent sequences are read whole and in both directions, in small batches: the number of
    optimizer steps matters, not that of epochs; so it does for labels of steps. Regression and
    labels of a table use a linear init estimator, labels of whole independent sequences one of
    convolutions, or of statistics where most values are missing. Early stopping
    is used for numbers, tables and convolutions, where there are enough rows to validate on. A
    language model whose epochs are too few to stop early is trained on all of its text.

    Parameters
    ----------
    settings : mapping of str to object
        Parameters of an estimator.
    sequences : Sequences
        Training sequences.
    is_regressor : bool
        Whether targets are numbers.
    has_validation : bool
        Whether validation data are given.

    Returns
    -------
    dict
        Values of the parameters that were "auto".
    """
    n_sequences = len(sequences)
    of_table = bool((sequences.series >= 0).all())
    per_step = settings["pooling"] is None
    has_tokens = settings["embedding"] is not None
    labels_of_steps = per_step and not (is_regressor or has_tokens)
    whole = not of_table and not per_step and sequences.max_length > 1
    init = settings["init"]
    if _is_auto(init):
        init = _init(
            has_linear=is_regressor or (of_table and not per_step),
            of_whole=whole and sequences.max_length >= WIDTH,
            sequences=sequences,
        )
        if has_tokens or not sequences.numbers(one_hot=True).n_features:
            init = None
    with_whole = isinstance(init, str) and init in OF_WHOLE
    stops = (of_table or per_step or is_regressor) and n_sequences >= FEWEST_TO_STOP
    stops = stops and not labels_of_steps
    stops = stops or (with_whole and n_sequences >= FEWEST_TO_BLEND)
    if per_step and has_tokens and not _is_auto(settings["max_epochs"]):
        stops = stops and settings["max_epochs"] > settings["n_iter_no_change"]
    stops = has_validation or stops
    resolved: dict[str, Any] = {
        "pooling": "max" if whole else "last",
        "bidirectional": whole,
        "init": init,
        "batch_size": _batch_size(sequences, of_table, labels_of_steps),
        "early_stopping": stops,
        "validation_fraction": VALIDATION_FRACTIONS[with_whole],
    }
    values = dict(settings) | {k: resolved.get(k, x) for k, x in settings.items() if _is_auto(x)}
    resolved["input_transform"] = ("levels",)
    if whole and not has_tokens:
        resolved["input_transform"] = ("levels", "differences", "position")
    elif values.get("init") is not None or labels_of_steps:
        resolved["input_transform"] = ("levels", "differences")
    stops, auto_epochs = values["early_stopping"], _is_auto(settings["max_epochs"])
    resolved["lr_scheduler"] = "onecycle" if auto_epochs and not stops else None
    n_updates = -(-n_sequences // values["batch_size"])
    epochs = int(np.clip(-(-UPDATES[with_whole or labels_of_steps] // n_updates), *EPOCHS))
    if stops:
        epochs = min(epochs, MOST_EPOCHS) if with_whole else MOST_EPOCHS
    resolved["max_epochs"] = epochs
    return {name: resolved[name] for name in resolved if _is_auto(settings.get(name))}


def _init(*, has_linear: bool, of_whole: bool, sequences: Sequences) -> str | None:
    """The init estimator of numbers and of labels of a table, and that of labels of sequences."""
    if has_linear:
        return "linear"
    if not of_whole:
        return None
    values = sequences.numbers().values
    is_sparse = values.size and np.isnan(values).mean() > MOSTLY_MISSING
    return "statistics" if is_sparse else "convolutions"


def _batch_size(sequences: Sequences, of_table: bool, labels_of_steps: bool) -> int:
    """Sequences of an optimizer step; long ones with labels of steps are fewer."""
    n_batches, (fewest, most) = BATCHES_IN_EPOCH, BATCH_SIZES
    if of_table:
        n_batches, (fewest, most) = BATCHES_IN_EPOCH_OF_TABLE, BATCH_SIZES_OF_TABLE
    elif labels_of_steps:
        fewest = min(-(-STEPS_IN_BATCH // max(int(sequences.lengths.mean()), 1)), fewest)
    return int(np.clip(len(sequences) // n_batches, fewest, most))


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
