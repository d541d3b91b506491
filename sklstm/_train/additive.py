"""Where a training begins, units and a simple model, and what is settled at its end."""

from dataclasses import replace
from functools import reduce
from itertools import accumulate
from numbers import Integral
from operator import add

import numpy as np
import pandas as pd

from sklstm._data.backcast import backcast_in_units, learn_backcast
from sklstm._data.lag_moments import LagMoments
from sklstm._data.ranges import ranges
from sklstm._data.samples import Samples, TrainingData
from sklstm._data.sequences import Sequences
from sklstm._data.statistics import standardization
from sklstm._nn.classification_heads import MulticlassHead, MultilabelHead
from sklstm._nn.heads import Head, RegressionHead
from sklstm._nn.inits import PENALTIES, EstimatorInit, Init, LinearInit
from sklstm._nn.scaling import InputScaling, differences
from sklstm._train.fitted import FittedNetwork
from sklstm._train.plan import Plan

__all__ = ["begin", "finish", "relearn_init"]

N_PARTS = 5
MOST = 0.5

OFTEN = 5
"""Short sequences are rare if whole ones are more than so many times as many as those of a short
length on average."""


def begin(
    plan: Plan, head: Head, data: TrainingData
) -> tuple[Plan, InputScaling, Head, Init | None]:
    """Learn what stands around the network.

    Parameters
    ----------
    plan : Plan
        The settings.
    head : Head
        What targets are.
    data : TrainingData
        To learn from.

    Returns
    -------
    plan : Plan
        With what the init says about what to read.
    scaling : InputScaling
        Of the training steps.
    head : Head
        In the units of the training targets, or of what the init leaves of them.
    init : Init or None
        FittedAttributes from the training data alone.
    """
    train, sequences = data.train, data.train.sequences
    if plan.reads_tokens:
        _refuse_init(plan, head)
        vectors = plan["embedding_dim"], plan["embedding_weights"]
        scaling = InputScaling.of_tokens(sequences, *vectors)
    else:
        scaling = InputScaling.learn(
            sequences,
            train.sequence_weight(),
            standardize=plan["standardize"],
            missing=plan["missing"],
            input_transform=plan["input_transform"],
        )
    init = None if plan["init"] is None else _start(plan, head, scaling, train)
    if _changes_suffice(plan, init, sequences):
        plan = plan.transforming_differences()
        scaling = replace(scaling, input_transform=plan["input_transform"])
    if plan["standardize"]:
        target, weight = train.labelled()
        if init is not None and isinstance(head, RegressionHead):
            target = target - init.predict(train.histories())
        head = head.scaled_to(target, weight)
    return plan, scaling, head, init


def finish(
    fitted: FittedNetwork, train: Samples, valid: Samples, everything: Samples | None
) -> None:
    """Say how far to trust the network, and learn the init again from all that there is.

    Parameters
    ----------
    fitted : FittedNetwork
        A trained network, which is changed.
    train, valid : Samples
        Training and validation data.
    everything : Samples or None
        What both were parts of, if they were.
    """
    head, init = fitted.head, fitted.init
    learned, weight = valid.labelled()
    said = None if init is None else init.predict(valid.histories())
    wanted = head.to_network(learned, said)
    outputs = fitted.corrections(valid.sequences)
    if valid.of_steps:
        outputs = outputs[valid.weight > 0]
    usual = head.as_outputs(head.baseline(*train.labelled()), said)
    rules = {
        "mean" if isinstance(head, RegressionHead) else "class prior": np.broadcast_to(
            usual, outputs.shape
        )
    }
    if init is not None:
        fitted.blending_weight = head.blending_weight(outputs, wanted, weight)
        rules["init"] = np.zeros(outputs.shape)
        outputs = fitted.blending_weight * outputs
    rules["network" if init is None else "init and network"] = outputs
    losses = {name: head.mean_loss(rule, wanted, weight) for name, rule in rules.items()}
    fitted.validation_losses = pd.DataFrame({"model": list(losses), "loss": list(losses.values())})
    if init is not None and everything is not None:
        fitted.init = _learned(init, head, everything)


def relearn_init(fitted: FittedNetwork, data: TrainingData) -> None:
    """Learn the init of a network that goes on from the training part alone.

    Its own was learned from all there was: validation would see what it knows already. Without a
    validation part it stays as it is.

    Parameters
    ----------
    fitted : FittedNetwork
        A copy of a trained network, which is changed.
    data : TrainingData
        What it goes on with.
    """
    if fitted.init is not None and data.valid is not None:
        fitted.init = _learned(fitted.init, fitted.head, data.train)


def _start(plan: Plan, head: Head, scaling: InputScaling, train: Samples) -> Init:
    """Learn a init from training samples; what it leaves open is chosen on later ones of them."""
    _refuse_init(plan, head)
    sequences = train.sequences
    mean, scale, fill = scaling.mean, scaling.scale, None
    if not plan["standardize"]:
        mean, scale = standardization(sequences, train.sequence_weight())
    if scaling.median is not None:
        fill = (scaling.median - mean) / scale
    of_target = np.zeros(head.n_outputs), np.ones(head.n_outputs)
    if isinstance(head, RegressionHead):
        scaled = head.scaled_to(*train.labelled())
        of_target = scaled.mean, scaled.scale
    blank = LinearInit.blank(mean, scale, fill, sequences.max_length, *of_target)
    parts = [train.take(rows) for rows in _parts(sequences)]
    usual = float(train.labelled()[1].mean())
    in_time = bool((sequences.series >= 0).all())
    groups = _alike(train, head)

    def sums(outputs: np.ndarray, *, short: bool) -> list[LagMoments]:
        part_of = blank.of_outputs(outputs)
        return [_moments(part_of, head, part, outputs, usual, short=short) for part in parts]

    whole = [sums(outputs, short=False) for outputs in groups]
    some = [moments for moments in whole[0] if moments.weight > 0]
    if some and (in_time or _short_are_rare(train, blank.n_steps)):
        everything, folds = _folds(some, in_time=in_time and len(some) > 2)
        backcast = learn_backcast(everything, folds or [(everything, everything)], len(mean))
        blank = replace(blank, backcast=backcast)
    if plan["init"] != "linear":
        init = EstimatorInit(
            np.zeros_like(mean),
            np.ones_like(scale),
            scaling.median,
            sequences.max_length,
            backcast_in_units(blank.backcast, mean, scale),
            np.zeros(head.n_outputs),
            plan["init"],
            head.classes if isinstance(head, MulticlassHead) else None,
        )
        return _learned(init, head, train)

    def fitted(outputs: np.ndarray, of_whole: list[LagMoments]) -> LinearInit:
        pairs = zip(of_whole, sums(outputs, short=True), strict=True)
        moments = [one + other for one, other in pairs if one.weight + other.weight > 0]
        if isinstance(head, MulticlassHead):
            first = reduce(add, moments[:-1] or moments)
            chosen = _chosen_for_labels(blank, head, first, parts[-1])
            return _fitted_to_labels(chosen, head, reduce(add, moments))
        everything, folds = _folds(moments, in_time=in_time)
        continued = _continued(plan, sequences.feature_names, len(mean))
        init = blank.of_outputs(outputs).chosen_for_numbers(everything, folds, continued)
        return init.fitted_to_numbers(everything)

    return _joined([fitted(*pair) for pair in zip(groups, whole, strict=True)], groups)


def _short_are_rare(samples: Samples, n_steps: int) -> bool:
    """Whether independent sequences have one length, so that a shorter one has lost its beginning.

    Where they differ in length they have none: their first step is what it is, and repeated.
    """
    lengths = samples.histories().lengths
    n_short = int((lengths < n_steps).sum())
    return OFTEN * n_short < n_steps * (len(lengths) - n_short)


def _changes_suffice(plan: Plan, init: Init | None, sequences: Sequences) -> bool:
    """Whether to read no levels: most of the init does without, or it continues every feature.

    Not if a feature never changes in a history, or the spread is learned: that is a matter of
    levels. Recordings are read in every way.
    """
    if not isinstance(init, LinearInit) or "position" in plan["input_transform"]:
        return False
    if plan.settings.get("loss") in ("gaussian", "quantile"):
        return False
    n_features = sequences.n_features
    continued = set(init.lagged_target[init.lagged_target >= 0] % n_features)
    if init.difference_share.mean() <= MOST and len(continued) < n_features:
        return False
    changes = differences(sequences)
    return bool(changes.values[changes.step_weights() > 0].any(axis=0).all())


def _chosen_for_labels(
    blank: LinearInit, head: MulticlassHead, moments: LagMoments, valid: Samples
) -> LinearInit:
    """The discriminant analysis whose probabilities are best on validation samples."""
    several = isinstance(head, MultilabelHead)
    starts = [blank.fitted_to_labels(moments, one, several=several) for one in PENALTIES]
    histories, (target, weight) = valid.histories(), valid.labelled()

    def loss(init: LinearInit) -> float:
        said = init.predict(histories)
        return head.mean_loss(np.zeros(said.shape), head.to_network(target, said), weight)

    return min(starts, key=loss)


def _learned(init: Init, head: Head, samples: Samples) -> Init:
    """The same kind of init, learned from these samples."""
    if isinstance(init, EstimatorInit):
        return init.fitted_to(samples.histories(), *samples.labelled())
    assert isinstance(init, LinearInit)
    groups, parts = _alike(samples, head), []
    for outputs in groups:
        part = init.of_outputs(outputs)
        moments = _moments(part, head, samples, outputs)
        if isinstance(head, MulticlassHead):
            parts.append(_fitted_to_labels(part, head, moments))
        else:
            parts.append(part.fitted_to_numbers(moments))
    return _joined(parts, groups)


def _fitted_to_labels(init: LinearInit, head: MulticlassHead, moments: LagMoments) -> LinearInit:
    several = isinstance(head, MultilabelHead)
    return init.fitted_to_labels(moments, init.penalty[0], several=several)


def _alike(samples: Samples, head: Head) -> list[np.ndarray]:
    """Outputs that are missing in the same rows: they share all sums of lags."""
    missing = np.isnan(samples.labelled()[0])
    if not missing.any():
        return [np.arange(head.n_targets if isinstance(head, RegressionHead) else head.n_outputs)]
    kinds = np.unique(missing, axis=1, return_inverse=True)[1].ravel()
    return [np.flatnonzero(kinds == kind) for kind in range(kinds.max() + 1)]


def _joined(parts: list[LinearInit], groups: list[np.ndarray]) -> LinearInit:
    """The outputs of all groups in their order."""
    return LinearInit.joined(parts).of_outputs(np.argsort(np.concatenate(groups)))


def _parts(sequences: Sequences) -> list[np.ndarray]:
    """Rows of fifths: of every series in time order, of independent sequences each fifth one.

    Series that have too few to be parted by time are dealt out whole.
    """
    order = np.lexsort((sequences.ends, sequences.series))
    sizes = np.unique(sequences.series[order], return_counts=True)[1]
    of_series = np.repeat(np.arange(len(sizes)), sizes)
    place = ranges(np.zeros(len(sizes), dtype=np.int64), sizes)
    in_time, whole = place * N_PARTS // sizes[of_series], of_series % N_PARTS
    part = np.where(sizes[of_series] < N_PARTS, whole, in_time)
    part = np.where(sequences.series[order] < 0, place % N_PARTS, part)
    return [order[part == k] for k in range(N_PARTS) if (part == k).any()]


def _folds(
    parts: list[LagMoments], *, in_time: bool
) -> tuple[LagMoments, list[tuple[LagMoments, LagMoments]]]:
    """All parts, and what to learn from beside what to judge by.

    In time order by forward chaining, so that what does not last is not chosen: the first parts
    and the one that follows. Else all others and each.
    """
    sums = list(accumulate(parts, add))
    if in_time:
        return sums[-1], list(zip(sums[1:], parts[2:], strict=False))
    others = [parts[:k] + parts[k + 1 :] for k in range(len(parts))]
    folds = [(reduce(add, rest), part) for rest, part in zip(others, parts, strict=True) if rest]
    return sums[-1], folds


def _moments(
    init: LinearInit,
    head: Head,
    samples: Samples,
    outputs: np.ndarray,
    usual: float | None = None,
    *,
    short: bool | None = None,
) -> LagMoments:
    """Sums over the samples that have these outputs, or over the short or whole ones of them."""
    (target, weight), histories = samples.labelled(), samples.histories()
    if isinstance(head, MulticlassHead):  # a sample of the usual weight counts as one
        weight = weight / (usual or weight.mean())
    if isinstance(head, MulticlassHead) and not isinstance(head, MultilabelHead):
        target = (target == np.arange(head.n_outputs)).astype(np.float64)
    target = target[:, outputs]
    wanted = ~np.isnan(target[:, 0])
    if short is not None:
        wanted &= (histories.lengths < init.n_steps) == short
    if not wanted.all():
        rows = np.flatnonzero(wanted)
        histories, target, weight = histories[rows], target[rows], weight[rows]
    return init.moments(histories, target, np.asarray(weight))


def _continued(plan: Plan, names: np.ndarray | None, n_features: int) -> np.ndarray | None:
    """Features that a target may continue: None for any of them."""
    wanted = plan["lagged_target"]
    if wanted is None:
        return np.zeros(0, dtype=int)
    if isinstance(wanted, str) and wanted == "auto" and (names is None or "auto" not in names):
        return None
    if names is not None and wanted in list(names):
        return np.array([list(names).index(wanted)])
    if isinstance(wanted, Integral) and 0 <= int(wanted) < n_features:
        return np.array([int(wanted)])
    known = f"0 to {n_features - 1}" if names is None else list(names)
    raise ValueError(f"lagged_target={wanted!r} is no feature of X; there are {known}.")


def _refuse_init(plan: Plan, head: Head) -> None:
    """Refuse a init where there can be none."""
    if plan["init"] is None:
        return
    if plan.reads_tokens:
        raise ValueError(f"init={plan['init']!r} reads numbers, and X holds tokens: use init=None.")
    if isinstance(head, MultilabelHead) and plan["init"] != "linear":
        raise ValueError(
            f"init={plan['init']!r} is for one label a sample, and y is a table of several: use "
            "init='linear' or None."
        )
