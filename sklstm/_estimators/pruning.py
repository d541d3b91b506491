"""Trials of Optuna that are given up early."""

from typing import Any

import numpy as np
from sklearn.callback import FitCallback

from sklstm._train.fitted import FittedNetwork

__all__ = ["PruningCallback"]

POWERS = {"squared_error": 2, "absolute_error": 1, "quantile": 1}


class PruningCallback(FitCallback):
    """Give up a trial of Optuna whose losses are worse than those of others, after any epoch.

    It is one of scikit-learn's callbacks: clones share it, so it works within
    :func:`~sklearn.model_selection.cross_val_score`, where each fold goes on counting epochs.

    Parameters
    ----------
    trial : optuna.trial.Trial
        It is told the loss after each epoch, the validation loss if there is one, and decides; if
        the study maximises, with a minus. Losses are in units of y (``"squared_error"``: of y
        squared), as settings decide what they are standardised by; ``"huber"`` and losses of your
        own are told as they are.

    Raises
    ------
    optuna.TrialPruned
        In `fit`, as Optuna wants it. In a cross-validation ``error_score="raise"`` lets it pass.

    See Also
    --------
    LSTMRegressor : Takes it by ``set_callbacks``.

    Notes
    -----
    Folds are counted in one process. For many cores run several trials at once, ``n_jobs`` of
    :meth:`optuna.study.Study.optimize`, not several folds.

    Examples
    --------
    >>> import numpy as np
    >>> import optuna
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklstm import LSTMRegressor, PruningCallback
    >>> X = np.random.default_rng(0).normal(size=(60, 5, 1))
    >>> def objective(trial):
    ...     lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    ...     model = LSTMRegressor(4, lr=lr, max_epochs=3, random_state=0)
    ...     model.set_callbacks(PruningCallback(trial))
    ...     return cross_val_score(model, X, X[:, -1, 0], cv=2, error_score="raise").mean()
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner())
    """

    def __init__(self, trial: Any):
        self.trial = trial
        self._n_folds = 0

    def setup(self, estimator: Any, context: Any) -> None:
        """Count a fold.

        scikit-learn calls it when a fit begins; you need not. Folds go on counting epochs.

        Parameters
        ----------
        estimator : BaseEstimator
            What is fitted.
        context : sklearn.callback.CallbackContext
            Where it is in what is fitted.

        See Also
        --------
        PruningCallback.on_fit_task_end : What is done after each epoch.

        Examples
        --------
        Two folds of one epoch each:

        >>> import optuna
        >>> from sklstm import LSTMRegressor, PruningCallback
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> trial = optuna.create_study().ask()
        >>> model = LSTMRegressor(2, max_epochs=1).set_callbacks(PruningCallback(trial))
        >>> model = model.fit([[[1.0]]], [1.0]).fit([[[2.0]]], [2.0])
        >>> len(trial.study.trials[0].intermediate_values)
        2
        """
        self._n_folds += 1

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> None:
        """Tell the loss after an epoch, and stop if the trial is hopeless.

        scikit-learn calls it after each epoch and after the whole fit; you need not. Steps of the
        trial are epochs, in a cross-validation those of all folds one after another.

        Parameters
        ----------
        estimator : BaseEstimator
            What is fitted.
        context : sklearn.callback.CallbackContext
            That of an epoch, or of the whole fit.
        fitted_estimator : BaseEstimator
            With the weights of now.

        Raises
        ------
        optuna.TrialPruned
            If the pruner says so.

        See Also
        --------
        optuna.trial.Trial.report : What the trial is told.

        Examples
        --------
        Two epochs of a trial that nothing prunes:

        >>> import optuna
        >>> from sklstm import LSTMRegressor, PruningCallback
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(direction="minimize")
        >>> trial = study.ask()
        >>> model = LSTMRegressor(2, max_epochs=2).set_callbacks(PruningCallback(trial))
        >>> model = model.fit([[[1.0]], [[2.0]]], [1.0, 2.0])
        >>> study.tell(trial, model.loss_curve_[-1]).last_step
        2
        """
        if context.task_name != "epoch":
            return
        import optuna  # optional

        sign = -1 if self.trial.study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
        fitted = fitted_estimator._fitted
        step = (self._n_folds - 1) * fitted.net.max_epochs + fitted.n_epochs
        self.trial.report(sign * _comparable_loss(fitted), step)
        if self.trial.should_prune():
            raise optuna.TrialPruned(f"after epoch {fitted.n_epochs} of fold {self._n_folds}")

    def __deepcopy__(self, memo: dict) -> "PruningCallback":
        return self

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError(
            "A PruningCallback belongs to a trial in this process. For many cores set n_jobs of "
            "study.optimize, not of the cross-validation; to keep the estimator, call its "
            "set_callbacks() without any."
        )


def _comparable_loss(fitted: FittedNetwork) -> float:
    """The loss in units that are the same whatever the network reads and starts from."""
    row = fitted.net.history[-1]
    loss, head = float(row.get("valid_loss", row["train_loss"])), fitted.head
    scale, loss_of = getattr(head, "scale", None), str(fitted.settings.get("loss"))
    if scale is None:
        return loss
    if loss_of == "gaussian":
        return loss + float(np.log(scale).mean())
    return loss * float((scale ** POWERS.get(loss_of, 0)).mean())
