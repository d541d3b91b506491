"""Early pruning of Optuna's trials."""

from typing import Any

import numpy as np
from sklearn.callback import FitCallback

from sklstm._train.additive import AdditiveModel

__all__ = ["PruningCallback"]

POWERS = {"squared_error": 2, "absolute_error": 1, "quantile": 1}


class PruningCallback(FitCallback):
    """Prune a trial of Optuna, after any epoch, if its losses are worse than those of others.

    For the search of hyperparameters. It is one of scikit-learn's callbacks: clones share it, so
    it works within :func:`~sklearn.model_selection.cross_val_score`, where epochs are counted
    across folds.

    Parameters
    ----------
    trial : optuna.trial.Trial
        It gets the loss after each epoch, the validation loss if there is one, negated if the
        study maximises, and decides. Losses are in units of y (``"squared_error"``: of y squared),
        so that trials with different standardisation can be compared; ``"huber"`` and your own
        losses are reported in standardised units.

    Raises
    ------
    optuna.TrialPruned
        In `fit`, for Optuna to catch. A cross-validation needs ``error_score="raise"``.

    See Also
    --------
    LSTMRegressor : Takes the callback by ``set_callbacks``.

    Notes
    -----
    Folds are counted in one process. To use many cores, run several trials at once, with `n_jobs`
    of :meth:`optuna.study.Study.optimize`, not several folds.

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

        Called by scikit-learn when a fit begins. Epochs are counted across folds.

        Parameters
        ----------
        estimator : BaseEstimator
            The estimator in training.
        context : sklearn.callback.CallbackContext
            Its context.

        See Also
        --------
        PruningCallback.on_fit_task_end : Called after each epoch.

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
        """Report the loss of an epoch, and raise if the trial is to be pruned.

        Called by scikit-learn after each epoch and after the whole fit. Steps of the trial are
        epochs, in a cross-validation those of all folds one after another.

        Parameters
        ----------
        estimator : BaseEstimator
            The estimator in training.
        context : sklearn.callback.CallbackContext
            That of an epoch, or of the whole fit.
        fitted_estimator : BaseEstimator
            The estimator with its current weights.

        Raises
        ------
        optuna.TrialPruned
            If the pruner decides so.

        See Also
        --------
        optuna.trial.Trial.report : Gets the loss.

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


def _comparable_loss(fitted: AdditiveModel) -> float:
    """The loss in units that depend neither on the init nor on `standardize`."""
    row = fitted.net.history[-1]
    loss, head = float(row.get("valid_loss", row["train_loss"])), fitted.head
    scale, loss_of = getattr(head, "scale", None), str(getattr(head, "loss_of", None))
    if scale is None:
        return loss
    if loss_of in ("gaussian", "student_t"):
        return loss + float(np.log(scale).mean())
    return loss * float((scale ** POWERS.get(loss_of, 0)).mean())
