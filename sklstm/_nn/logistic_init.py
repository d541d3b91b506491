"""The linear init estimator of labels: a logistic regression."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

from sklstm._data.samples import Samples
from sklstm._nn.inits import InitTask, LearnedInit
from sklstm._nn.linear_init import LinearInit

__all__ = ["LogisticInit"]

PENALTIES = np.logspace(1, -5, 13)
"""Per sample, for standardised lags; the largest leaves little but the class prior."""

PATIENCE = 2
"""Number of smaller penalties in a row without a lower validation loss, after which no others are
tried."""

MOST = 20_000
"""A regression sees at most so many samples, drawn at random: what more of them show is left to the
network."""

RAREST = 0.5
"""Number of samples that is assumed for a label without any."""

SOLVER = {"gtol": 1e-4, "ftol": 0.0, "maxiter": 100}


class LagRows(NamedTuple):
    """Samples as a table.

    Attributes
    ----------
    lags : ndarray of float64, shape (n_samples, n_columns)
        Standardised.
    target : ndarray of float64, shape (n_samples, n_outputs)
        1 for the label of a sample, else 0.
    weight : ndarray of float64, shape (n_samples,)
        Weights, in any unit.
    """

    lags: np.ndarray
    target: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, repr=False)
class LogisticInit(LinearInit):
    """A multinomial logistic regression of standardised lags, shrunk to the class prior.

    Attributes
    ----------
    several : bool
        Whether a sample may have several labels: each has a logistic regression of its own.
    """

    several: bool = False

    @classmethod
    def learn(cls, task: InitTask) -> LearnedInit:
        """Fit with the penalty whose loss on the last part is least."""
        blank, parts = cls.prepared(task)[:2]
        several = task.head.target_type == "multilabel-indicator"
        blank = replace(blank, several=several)
        rows = [blank._rows(task, part, MOST // len(parts)) for part in parts]
        last, losses = rows[-1], []
        for fitted in blank._path(_joined(rows[:-1] or rows), PENALTIES):
            losses.append(fitted._loss(last))
            if len(losses) > int(np.argmin(losses)) + PATIENCE:
                break
        penalty = PENALTIES[np.argmin(losses)]
        tuned = replace(blank, penalty=np.full(len(blank.penalty), penalty))
        return tuned._learned(task, _joined(rows))

    def relearn(self, task: InitTask) -> LearnedInit:
        """Fit to these samples; the penalty stays."""
        return self._learned(task, self._rows(task, task.train, MOST))

    def _learned(self, task: InitTask, seen: LagRows) -> LearnedInit:
        init = self._fitted(seen)

        def learn_again() -> "LogisticInit":
            if task.everything is None:
                return init
            return self._fitted(self._rows(task, task.everything, MOST))

        return LearnedInit(init, init.predict(task.train.all_histories()), learn_again)

    def _rows(self, task: InitTask, samples: Samples, most: int) -> LagRows:
        """Samples, or some of them, as a table."""
        (target, weight), histories = samples.labelled(), samples.histories()
        if len(weight) > most:
            drawn = np.random.RandomState(task.seed).permutation(len(weight))[:most]
            drawn.sort()  # neighbouring histories share their values
            target, weight, histories = target[drawn], weight[drawn], histories[drawn]
        table = self._table(histories)
        lags = np.concatenate([table.rows(block) for block in table.blocks()])
        return LagRows(lags, task.head.init_target(target), np.asarray(weight))

    def _fitted(self, rows: LagRows) -> Self:
        """Fit with the penalty that was selected."""
        return next(self._path(rows, self.penalty[:1]))

    def _loss(self, rows: LagRows) -> float:
        """Mean loss of predictions."""
        scores = rows.lags @ self.coef + self.intercept
        return float(np.average(_losses(scores, rows.target, self.several), weights=rows.weight))

    def _path(self, rows: LagRows, penalties: np.ndarray) -> Iterator[Self]:
        """Fit with one penalty after another, each from the coefficients of the one before.

        The second derivatives are at most a half of the mean products of columns, of a label by
        itself a quarter (Böhning, "Multinomial logistic regression algorithm", Annals of the
        Institute of Statistical Mathematics 44, 1992). In coordinates where this bound is the
        identity a few steps suffice, though neighbouring lags are almost the same.

        Parameters
        ----------
        rows : LagRows
            Samples.
        penalties : ndarray of shape (n_penalties,)
            On half the squared coefficients, and on half the squared difference of the intercept
            from the class prior; against the mean loss.

        Yields
        ------
        LogisticInit
            Fitted.
        """
        share = rows.weight / rows.weight.sum()
        columns = np.hstack([rows.lags, np.ones((len(rows.lags), 1))])
        bound = (columns.T * share) @ columns * (0.25 if self.several else 0.5)
        prior = _class_prior(rows, self.several)
        coef = np.zeros((columns.shape[1], len(prior)))
        for penalty in penalties:
            root = cholesky(bound + penalty * np.eye(len(bound)), lower=True)
            penalised_loss = _penalised_loss(
                columns, rows.target, share, prior, penalty, self.several
            )
            coef = _minimised(penalised_loss, root, coef)
            yield replace(self, coef=coef[:-1], intercept=coef[-1] + prior, empty=prior)


def _penalised_loss(
    columns: np.ndarray,
    target: np.ndarray,
    share: np.ndarray,
    prior: np.ndarray,
    penalty: float,
    several: bool,
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Mean loss and penalty of coefficients, and their gradient."""

    def penalised_loss(coef: np.ndarray) -> tuple[float, np.ndarray]:
        scores = columns @ coef + prior
        probabilities = expit(scores) if several else softmax(scores, axis=1)
        gradient = columns.T @ (share[:, None] * (probabilities - target)) + penalty * coef
        loss = share @ _losses(scores, target, several)
        return float(loss + penalty * (coef**2).sum() / 2), gradient

    return penalised_loss


def _minimised(
    penalised_loss: Callable[[np.ndarray], tuple[float, np.ndarray]],
    root: np.ndarray,
    begin: np.ndarray,
) -> np.ndarray:
    """Minimise in coordinates ``root.T @ coef``."""

    def coef_at(place: np.ndarray) -> np.ndarray:
        return solve_triangular(root, place.reshape(begin.shape), trans="T", lower=True)

    def turned(place: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = penalised_loss(coef_at(place))
        return value, solve_triangular(root, gradient, lower=True).ravel()

    start = (root.T @ begin).ravel()
    return coef_at(minimize(turned, start, jac=True, method="L-BFGS-B", options=SOLVER).x)


def _losses(scores: np.ndarray, target: np.ndarray, several: bool) -> np.ndarray:
    """The loss of each sample, as that of the network."""
    if several:
        return -(target * log_expit(scores) + (1 - target) * log_expit(-scores)).sum(axis=1)
    return -(target * log_softmax(scores, axis=1)).sum(axis=1)


def _class_prior(rows: LagRows, several: bool) -> np.ndarray:
    """Logarithms of the class prior, or log-odds if a sample may have several labels."""
    shares = np.average(rows.target, axis=0, weights=rows.weight)
    fewest = RAREST / len(rows.target)
    others = np.maximum(1 - shares, fewest)
    shares = np.maximum(shares, fewest)
    return np.log(shares / (others if several else shares.sum()))


def _joined(parts: list[LagRows]) -> LagRows:
    return LagRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
