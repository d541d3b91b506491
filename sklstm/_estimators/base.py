"""What both LSTM estimators share: parameters, fit, predict, state."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, Self, TypeAlias

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklstm._data.arrays import plain
from sklstm._data.checks import (
    check_target_names,
    target_names,
    warn_of_mistakes,
    warn_of_other_rows,
)
from sklstm._data.inputs import as_sequences, is_table
from sklstm._data.padding import warn_of_missing_ends
from sklstm._data.samples import GivenSamples, TrainingData, read_samples, split_validation
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import HasMethods, Interval, StrOptions, _safe_indexing
from sklstm._data.steps import has_no_number, score_steps, score_targets, unflatten_steps
from sklstm._data.warning import DataWarning, warn
from sklstm._estimators.exports import Exports
from sklstm._estimators.hidden_state import HiddenState
from sklstm._nn.finite_steps import check_finite_steps
from sklstm._nn.heads import Head
from sklstm._nn.init_kinds import INITS
from sklstm._nn.network import CELLS, POOLINGS
from sklstm._tables.vectors import vectors_from_plain, vectors_to_plain
from sklstm._train.additive import AdditiveModel
from sklstm._train.callbacks import ScikitLearnCallbacks
from sklstm._train.optimizers import OPTIMIZERS, SCHEDULES
from sklstm._train.plan import DTYPES, Plan
from sklstm._train.training import Training, split_of

__all__ = ["ONE_EPOCH", "BaseLSTM"]

Given: TypeAlias = tuple[Any, Any, Any]
"""X, y and sample_weight."""

AUTO = StrOptions({"auto"})

TRAINING_NAMES, VALIDATION_NAMES = ("y", "sample_weight"), ("y_val", "sample_weight_val")

NO_VALIDATION: Given = (None, None, None)

OF_THE_COLUMNS = (
    "n_features_in_",
    "feature_names_in_",
    "_vocabulary",
    "_categories",
    "_target_names",
)

ONE_EPOCH: dict[str, Any] = {
    "max_epochs": 1,
    "warm_start": True,
    "early_stopping": False,
    "lr_scheduler": None,
    "checkpoint": None,
    "verbose": 0,
}
"""Parameters that `partial_fit` replaces."""


class BaseLSTM(HiddenState, Exports):
    """Fit and predict for networks that read sequences.

    `fit` builds everything in local variables and keeps one object at the end, `_fitted`. What
    comes after reads that object, never the parameters.

    A subclass has `_learn_head(given, plan, earlier)`, which learns what the target is, and the
    public methods.
    """

    _parameter_constraints: dict = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "num_layers": [Interval(Integral, 1, None, closed="left")],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean", AUTO],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "pooling": [StrOptions({*POOLINGS, "auto"}), None],
        "input_transform": [StrOptions({"levels", "differences", "auto"}), list, tuple],
        "init": [StrOptions({"auto", *INITS}), HasMethods(["fit", "predict"]), None],
        "n_networks": [Interval(Integral, 1, None, closed="left")],
        "embedding": [
            Interval(Integral, 1, None, closed="left"),
            *("array-like", Mapping, str, os.PathLike, None),
        ],
        "freeze_embedding": ["boolean"],
        "standardize": ["boolean"],
        "missing": [StrOptions({"error", "mask"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), type],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_scheduler": [StrOptions({*SCHEDULES, "auto"}), callable, None],
        "clip_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), AUTO],
        "batch_size": [Interval(Integral, 1, None, closed="left"), AUTO],
        "supervised_steps": [Interval(Integral, 1, None, closed="left"), AUTO],
        "skorch_params": [dict, None],
        "early_stopping": ["boolean", AUTO],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), AUTO],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "verbose": [Interval(Integral, 0, 2, closed="both"), "boolean"],
        "random_state": ["random_state"],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
    }

    _has_no_target: Callable[[np.ndarray], np.ndarray]

    def _fit(self, given: Given, validation: Given = NO_VALIDATION, **changes: Any) -> Self:
        """Train a new network, or a copy of an earlier one, and keep it after its first epoch.

        With changes of the parameters it is a call of `partial_fit`, for which scikit-learn's
        callbacks are not called.
        """
        _check_validation(*validation)
        plan = self._plan(**changes)
        _warn_of_other_rows(given, validation)
        given, validation = _plain(*given), _plain(*validation)
        earlier = getattr(self, "_fitted", None) if plan.run.warm_start else None
        reader = self if earlier else self._blank()
        of_table = _is_table(plan, given[0])
        samples = self._read_samples(reader, plan, *given, of_table, reset=earlier is None)
        plan = plan.with_resolved(
            samples.sequences,
            earlier.report.resolved if earlier else {},
            is_regressor=is_regressor(self),
            has_validation=validation[0] is not None,
        ).with_vectors(samples.sequences)
        head = self._learn_head(
            samples, plan, earlier.head if earlier else None, changes.get("classes")
        )
        seed = earlier.split_seed if earlier else plan.seed
        data = self._split(reader, plan, head, samples, given[0], validation, seed, of_table)
        if earlier:
            if data.everything is not None:
                _warn_of_trained_rows(type(self).__name__, earlier, split_of(plan, data))
            training = Training.go_on(earlier, plan, head, data)
        else:
            training = Training.begin(plan, head, data, of_table)

        def learned() -> dict[str, Any]:
            return _columns_of(reader) | {"_fitted": training.model()}

        try:
            with _scikit_learn_callbacks(self, changes, plan, given, learned) as callbacks:
                training.run(callbacks)
        finally:
            if training.has_new_epochs:  # an interrupted fit keeps its complete epochs
                self._keep(learned())
        return self

    def _plan(self, **changes: Any) -> Plan:
        """Make a plan of the parameters as they are now."""
        self._validate_params()
        params = self.get_params(deep=False) | changes
        return Plan.make(params, self._title() if params["verbose"] else "fit")

    def _title(self) -> str:
        """Title of a progress bar, without word vectors: to write a dict of them takes seconds."""
        shown = self._blank()
        if isinstance(shown.embedding, Mapping):
            shown.embedding = None
        return " ".join(super(BaseLSTM, shown).__repr__(N_CHAR_MAX=60).split())

    def _keep(self, learned: dict[str, Any]) -> None:
        """Become fitted: all at once."""
        for name in set(OF_THE_COLUMNS) - learned.keys():
            self.__dict__.pop(name, None)
        self.__dict__.update(learned)

    def _as_sequences(self, X: Any, *, tokens: bool, reset: bool) -> Sequences:
        return as_sequences(self, X, reset=reset, tokens=tokens)

    def _read_samples(
        self,
        reader: "BaseLSTM",
        plan: Plan,
        X: Any,
        y: Any,
        sample_weight: Any,
        of_table: bool,
        *,
        reset: bool,
    ) -> GivenSamples:
        """Read X, y and weights; the reader gets or checks the features and names of targets."""
        sequences = reader._as_sequences(X, tokens=plan.network.reads_tokens, reset=reset)
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        without_target = type(self)._has_no_target if plan.network.per_step else None
        samples = read_samples(sequences, y, sample_weight, without_target)
        rows, allow_nan = samples.rows_of_sequences, plan.inputs.missing == "mask"
        scaling = reader._fitted.scaling if hasattr(reader, "_fitted") else None
        check_finite_steps(samples.sequences, name, rows, allow_nan=allow_nan, scaling=scaling)
        _warn_of_missing_ends(sequences)
        if not reset:
            check_target_names(y, reader)
        else:
            reader._target_names = target_names(y)
            kinds = {"is_classifier": is_classifier(self), "is_table": of_table}
            warn_of_mistakes(X, samples, name, reads_tokens=plan.network.reads_tokens, **kinds)
        return samples

    def _split(
        self,
        reader: "BaseLSTM",
        plan: Plan,
        head: Head,
        samples: GivenSamples,
        X: Any,
        validation: Given,
        seed: int,
        of_table: bool,
    ) -> TrainingData:
        """Training data, and validation data: given, set aside, or none."""
        train = head.encoded(samples)
        X_val = validation[0]
        if X_val is not None:
            if _is_table(plan, X_val) != of_table:
                raise ValueError(
                    f"X_val is a {type(X_val).__name__} and X is a {type(X).__name__}: one is a "
                    "table, the other holds sequences. Put X_val through the same steps as X; in "
                    "a Pipeline, transform_input=['X_val'] does."
                )
            try:
                given = self._read_samples(reader, plan, *validation, of_table, reset=False)
                return TrainingData(train, head.encoded(given))
            except ValueError as error:
                raise ValueError(f"X_val and y_val, read as X and y: {error}") from error
        if not plan.training.early_stopping:
            return TrainingData(train)
        strata = None if train.of_steps else head.strata(train.target)
        return split_validation(train, plan.training.validation_fraction, seed, strata)

    def _to_predict(self, X: Any) -> Sequences:
        """Read and check the sequences of X."""
        fitted, name = self._fitted, type(self).__name__
        tokens, X = fitted.scaling.n_tokens is not None, plain(X)
        if not tokens and is_table(X) and not fitted.reads_table:
            warn(
                f"{name} was fitted on sequences and now gets a table, and reads each row of it as "
                "a sequence of one step. Is a SequenceWindower missing?",
                DataWarning,
            )
        sequences = self._as_sequences(X, tokens=tokens, reset=False)
        scaling, allow_nan = fitted.scaling, fitted.scaling.median is not None
        check_finite_steps(sequences, name, allow_nan=allow_nan, scaling=scaling)
        _warn_of_missing_ends(sequences)
        return sequences

    def _predict(self, X: Any, *methods: str) -> Any:
        """Apply methods of the head to the outputs of the network, for each row of X or step."""
        check_is_fitted(self)
        fitted, sequences = self._fitted, self._to_predict(X)
        outputs = fitted.outputs(sequences)
        predictions = tuple(getattr(fitted.head, method)(outputs) for method in methods)
        if fitted.per_step:
            predictions = tuple(unflatten_steps(one, sequences.lengths) for one in predictions)
        return predictions if len(predictions) > 1 else predictions[0]

    def _score(self, metric: Callable, X: Any, y: Any, sample_weight: Any) -> float:
        """Score predictions by a metric of flat arrays."""
        check_is_fitted(self)
        warn_of_other_rows(X, y=y, sample_weight=sample_weight)
        check_target_names(y, self)
        predicted, y, sample_weight = self.predict(X), plain(y), plain(sample_weight)
        if self._fitted.per_step:
            left_out = type(self)._has_no_target
            return score_steps(metric, y, predicted, sample_weight, is_unlabelled=left_out)
        if sample_weight is not None and not np.all(sample_weight):
            rows = np.flatnonzero(sample_weight)  # as in `fit`, a row of weight 0 needs no target
            y, predicted = _safe_indexing(y, rows), predicted[rows]
            sample_weight = np.asarray(sample_weight)[rows]
        missing = np.zeros(1) if issparse(y) else has_no_number(np.asarray(y))
        if missing.any():
            raise ValueError(
                f"y has no value in {missing.sum()} of the rows that count in the score, the first "
                f"of them row {missing.argmax()} (counted from 0): give such rows sample_weight 0, "
                "or leave them out, as metrics made by sklstm.masked_scoring do."
            )
        if not is_regressor(self):
            return metric(y, predicted, sample_weight=sample_weight)
        return score_targets(metric, np.asarray(y), predicted, sample_weight=sample_weight)

    def _to_plain(self, state: dict[str, Any]) -> dict[str, Any]:
        state["embedding"] = vectors_to_plain(state["embedding"])
        if "_fitted" in state:
            state["_fitted"] = state["_fitted"].to_plain()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again, on the CPU if the device it was trained on is not here."""
        super().__setstate__(state)
        self.embedding = vectors_from_plain(state["embedding"])
        if "_fitted" in state:
            self._fitted = AdditiveModel.from_plain(state["_fitted"])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "mask"
        return tags


def _warn_of_trained_rows(
    name: str, earlier: AdditiveModel, split: tuple[int, float] | None
) -> None:
    """Warn if rows that validate now may have been trained on before."""
    if earlier.report.validation_losses is None:
        what = "whose last training set no rows aside"
    elif earlier.n_split != split:
        what = "whose last training set other rows aside, of another number of sequences"
    else:
        return
    warn(
        f"{name} goes on with a network {what}, and early_stopping now validates on rows that it "
        "may have been trained on: the validation loss is too low. Give X_val and y_val, "
        "early_stopping=False, or fit a clone.",
        DataWarning,
    )


def _check_validation(X_val: Any, y_val: Any, sample_weight_val: Any) -> None:
    """Refuse X_val without y_val, and the reverse."""
    if X_val is not None and y_val is None:
        raise ValueError("X_val came without y_val: give both, to validate on them, or neither.")
    if X_val is None and not (y_val is None and sample_weight_val is None):
        came = "y_val" if y_val is not None else "sample_weight_val"
        raise ValueError(f"{came} came without X_val: give X_val and y_val, or none of them.")


def _warn_of_other_rows(given: Given, validation: Given) -> None:
    for names, (X, *others) in ((TRAINING_NAMES, given), (VALIDATION_NAMES, validation)):
        warn_of_other_rows(X, **dict(zip(names, others, strict=True)))


def _plain(X: Any, y: Any, sample_weight: Any) -> Given:
    return plain(X), plain(y), plain(sample_weight)


def _warn_of_missing_ends(sequences: Sequences) -> None:
    """Warn of NaN padding, read as missing values; windows of a table have no padding."""
    if (sequences.series < 0).all():
        warn_of_missing_ends(sequences.values, sequences.starts, sequences.lengths)


def _is_table(plan: Plan, X: Any) -> bool:
    return not plan.network.reads_tokens and is_table(X)


def _columns_of(reader: BaseLSTM) -> dict[str, Any]:
    """Attributes of the features and targets that a reader has learned."""
    return {name: getattr(reader, name) for name in OF_THE_COLUMNS if hasattr(reader, name)}


@contextmanager
def _scikit_learn_callbacks(
    estimator: BaseLSTM,
    changes: dict,
    plan: Plan,
    given: Given,
    learned: Callable[[], dict[str, Any]],
) -> Iterator[list[ScikitLearnCallbacks]]:
    """Call scikit-learn's callbacks where training begins and ends, and after each epoch."""
    if changes:
        yield []
        return
    context = estimator._init_callback_context(max_subtasks=plan.training.max_epochs)
    fit_data = _rows_with_weight(*given, of_steps=plan.network.per_step)
    context.call_on_fit_task_begin(estimator=estimator, **fit_data)
    has_callbacks = hasattr(estimator, "_skl_callbacks")
    callbacks = ScikitLearnCallbacks(estimator, context, fit_data, learned)
    yield [callbacks] if has_callbacks else []
    context.call_on_fit_task_end(
        estimator=estimator, reconstruction_attributes=learned(), **fit_data
    )


def _rows_with_weight(X: Any, y: Any, sample_weight: Any, of_steps: bool) -> dict[str, Any]:
    """Rows for scikit-learn's callbacks to score on: those of weight 0 may have no target."""
    if sample_weight is not None and not of_steps:
        sample_weight = np.asarray(sample_weight)
        rows = np.flatnonzero(sample_weight)
        if len(rows) < len(sample_weight):
            X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
            sample_weight = sample_weight[rows]
    return {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
