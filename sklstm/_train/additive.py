"""What is fitted around the network: input scaling, init estimator and blending weight."""

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
from sklstm._data.statistics import differences, standardization
from sklstm._nn.classification_heads import MulticlassHead, MultilabelHead
from sklstm._nn.heads import Head, RegressionHead
from sklstm._nn.inits import PENALTIES, EstimatorInit, Init, LinearInit
from sklstm._nn.scaling import InputScaling
from sklstm._train.fitted import FittedNetwork
from sklstm._train.plan import Plan

__all__ = ["evaluate_and_blend", "fit_scaling_and_init", "refit_init"]

N_PARTS = 5
LARGE_SHARE = 0.5

WHOLE_PER_SHORT = 5
"""Short sequences are rare if there are more than this many times as many sequences of the full
length as of a shorter length, on average over the shorter lengths."""


def fit_scaling_and_init(
    plan: Plan, head: Head, data: TrainingData
) -> tuple[Plan, InputScaling, Head, Init | None]:
    """Fit the input scaling, the head's units and the init estimator.

    Parameters
    ----------
    plan : Plan
        The settings.
    head : Head
        What targets are.
    data : TrainingData
        Training and validation data; only the training part is used.

    Returns
    -------
    plan : Plan
        With another `input_transform` if the init estimator shows that levels are not needed.
    scaling : InputScaling
        Of the training steps.
    head : Head
        In the units of the training targets, or of the residuals of the init estimator.
    init : Init or None
        The init estimator.
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
    init = None if plan["init"] is None else _fit_init(plan, head, scaling, train)
    if _differences_suffice(plan, init, sequences):
        plan = plan.with_differences_only()
        scaling = replace(scaling, input_transform=plan["input_transform"])
    if plan["standardize"]:
        target, weight = train.labelled()
        if init is not None and isinstance(head, RegressionHead):
            target = target - init.predict(train.histories())
        head = head.scaled_to(target, weight)
    return plan, scaling, head, init


def evaluate_and_blend(
    fitted: FittedNetwork, train: Samples, valid: Samples, everything: Samples | None
) -> None:
    """Compute validation losses and the blending weight, and refit the init on all data.

    Parameters
    ----------
    fitted : FittedNetwork
        A trained network, which is changed.
    train, valid : Samples
        Training and validation data.
    everything : Samples or None
        What both are parts of, if the validation part was set aside. The init estimator is
        refitted on it.
    """
    head, init = fitted.head, fitted.init
    actuals, weight = valid.labelled()
    predicted = None if init is None else init.predict(valid.histories())
    target = head.to_network(actuals, predicted)
    outputs = fitted.network_outputs(valid.sequences)
    if valid.of_steps:
        outputs = outputs[valid.weight > 0]
    baseline = head.as_outputs(head.baseline(*train.labelled()), predicted)
    name = "mean" if isinstance(head, RegressionHead) else "class prior"
    models = {name: np.broadcast_to(baseline, outputs.shape)}
    if init is not None:
        fitted.blending_weight = head.blending_weight(outputs, target, weight)
        models["init"] = np.zeros(outputs.shape)
        outputs = fitted.blending_weight * outputs
    models["network" if init is None else "init and network"] = outputs
    losses = {name: head.mean_loss(x, target, weight) for name, x in models.items()}
    fitted.validation_losses = pd.DataFrame({"model": list(losses), "loss": list(losses.values())})
    if init is not None and everything is not None:
        fitted.init = _refitted(init, head, everything)


def refit_init(fitted: FittedNetwork, data: TrainingData) -> None:
    """Refit the init estimator on the training part, before training continues.

    It was last fitted on all data, so that its validation loss would be too low. Without a
    validation part it stays as it is.

    Parameters
    ----------
    fitted : FittedNetwork
        A copy of a trained network, which is changed.
    data : TrainingData
        The data that training continues with.
    """
    if fitted.init is not None and data.valid is not None:
        fitted.init = _refitted(fitted.init, fitted.head, data.train)


def _fit_init(plan: Plan, head: Head, scaling: InputScaling, train: Samples) -> Init:
    """Fit an init estimator to training samples; its hyperparameters are tuned on parts of them."""
    _refuse_init(plan, head)
    sequences = train.sequences
    mean, scale, fill = scaling.mean, scaling.scale, None
    if not plan["standardize"]:
        mean, scale = standardization(sequences, train.sequence_weight())
    if scaling.median is not None:
        fill = (scaling.median - mean) / scale
    target_units = np.zeros(head.n_outputs), np.ones(head.n_outputs)
    if isinstance(head, RegressionHead):
        scaled = head.scaled_to(*train.labelled())
        target_units = scaled.mean, scaled.scale
    in_time = bool((sequences.series >= 0).all())
    n_steps = sequences.max_length if in_time else _common_length(sequences.lengths)
    blank = LinearInit.blank(mean, scale, fill, n_steps, *target_units)
    parts = [train.take(rows) for rows in _parts(sequences)]
    mean_weight = float(train.labelled()[1].mean())
    groups = _output_groups(train, head)

    def sums(outputs: np.ndarray, *, short: bool) -> list[LagMoments]:
        part_of = blank.of_outputs(outputs)
        return [_moments(part_of, head, part, outputs, mean_weight, short=short) for part in parts]

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
            n_steps,
            backcast_in_units(blank.backcast, mean, scale),
            np.zeros(head.n_outputs),
            plan["init"],
            head.classes if isinstance(head, MulticlassHead) else None,
        )
        return _refitted(init, head, train)

    def fitted(outputs: np.ndarray, of_whole: list[LagMoments]) -> LinearInit:
        pairs = zip(of_whole, sums(outputs, short=True), strict=True)
        moments = [one + other for one, other in pairs if one.weight + other.weight > 0]
        if isinstance(head, MulticlassHead):
            first = reduce(add, moments[:-1] or moments)
            tuned = _tuned_discriminant(blank, head, first, parts[-1])
            return _discriminant(tuned, head, reduce(add, moments))
        everything, folds = _folds(moments, in_time=in_time)
        lagged = _lagged_features(plan, sequences.feature_names, len(mean))
        init = blank.of_outputs(outputs).tuned_ridge(everything, folds, lagged)
        return init.fitted_ridge(everything)

    return _joined([fitted(*pair) for pair in zip(groups, whole, strict=True)], groups)


def _common_length(lengths: np.ndarray) -> int:
    """Length that a hundredth of the sequences reach: more steps would be learned from a few."""
    few = max(N_PARTS, len(lengths) // 100)
    return int(np.sort(lengths)[-min(few, len(lengths))])


def _short_are_rare(samples: Samples, n_steps: int) -> bool:
    """Whether independent sequences have one length, so that a shorter one has lost its beginning.

    Sequences that differ in length are complete: nothing is missing before their first step,
    which is repeated.
    """
    lengths = samples.histories().lengths
    n_short = int((lengths < n_steps).sum())
    return WHOLE_PER_SHORT * n_short < n_steps * (len(lengths) - n_short)


def _differences_suffice(plan: Plan, init: Init | None, sequences: Sequences) -> bool:
    """Whether differences alone are enough as inputs of the network.

    They are if most of the init estimator uses differences, or every feature is a lagged target.
    Levels stay if a feature never changes within a history, or if the spread is predicted, which
    depends on levels; and where position is an input, for independent sequences.
    """
    if not isinstance(init, LinearInit) or "position" in plan["input_transform"]:
        return False
    if plan.settings.get("loss") in ("gaussian", "quantile"):
        return False
    n_features = sequences.n_features
    lagged = set(init.lagged_target[init.lagged_target >= 0] % n_features)
    if init.difference_share.mean() <= LARGE_SHARE and len(lagged) < n_features:
        return False
    steps = differences(sequences)
    return bool(steps.values[steps.step_weights() > 0].any(axis=0).all())


def _tuned_discriminant(
    blank: LinearInit, head: MulticlassHead, moments: LagMoments, valid: Samples
) -> LinearInit:
    """The discriminant analysis with the lowest loss on validation samples."""
    several = isinstance(head, MultilabelHead)
    candidates = [blank.fitted_discriminant(moments, one, several=several) for one in PENALTIES]
    histories, (target, weight) = valid.histories(), valid.labelled()

    def loss(init: LinearInit) -> float:
        predicted = init.predict(histories)
        residuals = head.to_network(target, predicted)
        return head.mean_loss(np.zeros(predicted.shape), residuals, weight)

    return min(candidates, key=loss)


def _refitted(init: Init, head: Head, samples: Samples) -> Init:
    """The same kind of init estimator, fitted to these samples."""
    if isinstance(init, EstimatorInit):
        return init.fitted_to(samples.histories(), *samples.labelled())
    assert isinstance(init, LinearInit)
    groups, parts = _output_groups(samples, head), []
    for outputs in groups:
        part = init.of_outputs(outputs)
        moments = _moments(part, head, samples, outputs)
        if isinstance(head, MulticlassHead):
            parts.append(_discriminant(part, head, moments))
        else:
            parts.append(part.fitted_ridge(moments))
    return _joined(parts, groups)


def _discriminant(init: LinearInit, head: MulticlassHead, moments: LagMoments) -> LinearInit:
    several = isinstance(head, MultilabelHead)
    return init.fitted_discriminant(moments, init.penalty[0], several=several)


def _output_groups(samples: Samples, head: Head) -> list[np.ndarray]:
    """Groups of outputs that are missing in the same rows, and so share all sums of lags."""
    missing = np.isnan(samples.labelled()[0])
    if not missing.any():
        return [np.arange(head.n_targets if isinstance(head, RegressionHead) else head.n_outputs)]
    kinds = np.unique(missing, axis=1, return_inverse=True)[1].ravel()
    return [np.flatnonzero(kinds == kind) for kind in range(kinds.max() + 1)]


def _joined(parts: list[LinearInit], groups: list[np.ndarray]) -> LinearInit:
    """The outputs of all groups in their order."""
    return LinearInit.joined(parts).of_outputs(np.argsort(np.concatenate(groups)))


def _parts(sequences: Sequences) -> list[np.ndarray]:
    """Rows of five parts: fifths of each series in time order, each fifth independent sequence.

    Series with too few rows to split by time go whole into one of the parts.
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
    """The sums over all parts, and pairs of training and validation parts.

    In time order an expanding window: the first parts and the one that follows, so that patterns
    that do not last are not selected. Otherwise cross-validation: all other parts and each.
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
    mean_weight: float | None = None,
    *,
    short: bool | None = None,
) -> LagMoments:
    """Sums over the samples that have these outputs, or over their short or full histories."""
    (target, weight), histories = samples.labelled(), samples.histories()
    if isinstance(head, MulticlassHead):  # a sample of mean weight counts as one
        weight = weight / (mean_weight or weight.mean())
    if isinstance(head, MulticlassHead) and not isinstance(head, MultilabelHead):
        target = (target == np.arange(head.n_outputs)).astype(np.float64)
    target = target[:, outputs]
    selected = ~np.isnan(target[:, 0])
    if short is not None:
        selected &= (histories.lengths < init.n_steps) == short
    if not selected.all():
        rows = np.flatnonzero(selected)
        histories, target, weight = histories[rows], target[rows], weight[rows]
    return init.moments(histories, target, np.asarray(weight))


def _lagged_features(plan: Plan, names: np.ndarray | None, n_features: int) -> np.ndarray | None:
    """Features that may be the lagged target: None for any of them."""
    feature = plan["lagged_target"]
    if feature is None:
        return np.zeros(0, dtype=int)
    if isinstance(feature, str) and feature == "auto" and (names is None or "auto" not in names):
        return None
    if names is not None and feature in list(names):
        return np.array([list(names).index(feature)])
    if isinstance(feature, Integral) and 0 <= int(feature) < n_features:
        return np.array([int(feature)])
    expected = f"0 to {n_features - 1}" if names is None else list(names)
    raise ValueError(f"lagged_target={feature!r} is no feature of X; there are {expected}.")


def _refuse_init(plan: Plan, head: Head) -> None:
    """Refuse an init estimator where none is possible."""
    if plan["init"] is None:
        return
    if plan.reads_tokens:
        raise ValueError(f"init={plan['init']!r} reads numbers, and X holds tokens: use init=None.")
    if isinstance(head, MultilabelHead) and plan["init"] != "linear":
        raise ValueError(
            f"init={plan['init']!r} is for one label a sample, and y is a table of several: use "
            "init='linear' or None."
        )
