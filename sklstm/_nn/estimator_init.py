"""Init estimators of scikit-learn."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from sklstm._data.backcast import backcast_in_units
from sklstm._data.samples import Samples
from sklstm._data.sequences import Sequences
from sklstm._nn.inits import InitTask, LagInit, LearnedInit
from sklstm._nn.ridge_init import RidgeInit

__all__ = ["EstimatorInit"]

LEAST_PROBABLE = 1e-3
"""Least probability that an init estimator predicts, so that the network can correct it."""


@dataclass(frozen=True, repr=False)
class EstimatorInit(LagInit):
    """Any scikit-learn estimator of lags in the units of the user.

    Attributes
    ----------
    estimator : BaseEstimator
        Fitted. A classifier is fitted to codes of the labels, counted from 0, as some accept
        nothing else.
    classes : ndarray or None
        Labels in the order of the outputs; None for numbers.
    seen : ndarray of int or None
        Positions of the labels in its training data.
    """

    estimator: BaseEstimator
    classes: np.ndarray | None
    seen: np.ndarray | None = None

    @classmethod
    def learn(cls, task: InitTask) -> LearnedInit:
        """Fit a clone to lags in the units of the user."""
        if task.head.target_type == "multilabel-indicator":
            raise ValueError(
                f"init={task.estimator!r} is for one label a sample, and y is a table of several: "
                "use init='linear' or None."
            )
        lags = RidgeInit.prepared(task)[0]
        mean, scale = np.zeros_like(lags.mean), np.ones_like(lags.scale)
        backcast = backcast_in_units(lags.backcast, lags.mean, lags.scale)
        classes = getattr(task.head, "classes", None)
        empty = np.zeros(len(task.head.init_map))
        fill = None if lags.fill is None else lags.fill * lags.scale + lags.mean
        features = mean, scale, fill, lags.n_steps, backcast, empty
        return cls(*features, task.estimator, classes).relearn(task)

    def relearn(self, task: InitTask) -> LearnedInit:
        """Fit a clone to these samples."""
        init = self.fitted(task.train)

        def learn_again() -> "EstimatorInit":
            return init if task.everything is None else self.fitted(task.everything)

        return LearnedInit(init, init.predict(task.train.all_histories()), learn_again)

    def fitted(self, samples: Samples) -> "EstimatorInit":
        """Fit a clone; weights are passed if they differ and it supports them."""
        sequences, (target, weight) = samples.histories(), samples.labelled()
        self._refuse_missing(target)
        empty = self._empty(target, weight)
        some = sequences.lengths > 0
        if some.any():
            sequences, target, weight = sequences[some], target[some], weight[some]
        table = self._table(sequences)
        lags = np.concatenate([table.rows(block) for block in table.blocks()])
        y = target[:, 0] if target.shape[1] == 1 else target
        estimator, seen = clone(self.estimator), None
        if self.classes is not None:
            seen, y = np.unique(y.astype(int), return_inverse=True)
            _weigh_codes(estimator, self.classes[seen].tolist())
        weighs = (weight != weight[0]).any() and has_fit_parameter(estimator, "sample_weight")
        estimator.fit(lags, y, **({"sample_weight": weight} if weighs else {}))
        return replace(self, estimator=estimator, seen=seen, empty=empty)

    def _refuse_missing(self, target: np.ndarray) -> None:
        if np.isnan(target).any():
            raise ValueError(
                f"init={self.estimator!r} learns from whole rows of y, and in some rows some of "
                "the targets are NaN: use init='linear' or None, or drop such rows."
            )

    def _empty(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The mean, or the class prior."""
        if self.classes is None:
            return np.average(target, axis=0, weights=weight)
        counts = np.bincount(target[:, 0].astype(int), weight, len(self.classes))
        return np.log(np.maximum(counts / counts.sum(), LEAST_PROBABLE))

    def to_onnx(self, op: Any, steps: str, per_step: bool) -> str:
        """Raise an error: ONNX has no such nodes."""
        raise ValueError(
            f"to_onnx cannot write the init estimator {type(self.estimator).__name__}: "
            "init='linear' or None can be written."
        )

    def predict(self, sequences: Sequences) -> np.ndarray:
        """Predict by the estimator."""
        table = self._table(sequences)
        predicted = np.concatenate(
            [self._predict_lags(table.rows(block)) for block in table.blocks()]
        )
        predicted[sequences.lengths == 0] = self.empty
        return predicted

    def _predict_lags(self, lags: np.ndarray) -> np.ndarray:
        if self.classes is None:
            return np.asarray(self.estimator.predict(lags), dtype=np.float64).reshape(len(lags), -1)
        outputs = np.full((len(lags), len(self.classes)), np.log(LEAST_PROBABLE))
        shares = np.maximum(self.estimator.predict_proba(lags), LEAST_PROBABLE)
        outputs[:, self.seen] = np.log(shares)
        return outputs


def _weigh_codes(estimator: BaseEstimator, labels: list[Any]) -> None:
    """Turn weights of labels into weights of codes, also those of nested estimators."""
    for name, value in estimator.get_params().items():
        if name.split("__")[-1] == "class_weight" and isinstance(value, dict):
            codes = {labels.index(k): weight for k, weight in value.items() if k in labels}
            estimator.set_params(**{name: codes})
