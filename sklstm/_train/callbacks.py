"""What happens after each epoch: keep the best weights, stop, schedule, report."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import skorch.callbacks
import torch
from skorch.callbacks import Callback
from torch.optim import lr_scheduler

__all__ = [
    "ClipGradients",
    "EarlyStopping",
    "KeepWeights",
    "Progress",
    "Schedule",
    "ScikitLearnCallbacks",
    "StateOfStopping",
    "StopTraining",
    "refuse_scorers",
]

CLIP_EPSILON = 1e-6


class StopTraining(Exception):  # noqa: N818 - a signal, not an error
    """Ends the training loop early, with what has been learned so far."""


class KeepWeights(Callback):
    """Keep the weights of the last complete epoch and of the best one.

    The best epoch is that of the lowest validation loss, or training loss if nothing validates.
    """

    kept_epoch_ = 0
    has_undone = False

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier runs."""
        self.n_epochs_ = len(net.history)
        self.last_ = _weights(net)
        self.best_: dict[str, torch.Tensor] | None = None
        self.best_epoch_ = 0
        self.best_loss_ = np.inf
        self.wants_best_ = False

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Copy the weights."""
        row = net.history[-1]
        loss = row.get("valid_loss", row.get("train_loss"))
        self.n_epochs_ = len(net.history)
        self.last_ = _weights(net)
        if loss < self.best_loss_:
            self.best_ = self.last_
            self.best_loss_ = loss
            self.best_epoch_ = row["epoch"]

    def undo_epoch(self, net: Any) -> None:
        """Go back to the end of the last complete epoch.

        Parameters
        ----------
        net : SequenceNet
            Its weights and history may be those of an epoch that was broken off.
        """
        self.has_undone = True
        net.module_.load_state_dict(self.last_)
        del net.history_[self.n_epochs_ :]

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best weights, if they are wanted."""
        self.kept_epoch_ = self.n_epochs_
        if self.wants_best_ and self.best_ is not None:
            net.module_.load_state_dict(self.best_)
            self.kept_epoch_ = self.best_epoch_

    def is_due(self) -> bool:
        """Tell whether training should stop before its last epoch: never."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """All that has to survive an interruption.

        Returns
        -------
        dict
            Tensors and numbers.
        """
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another left off.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        self.__dict__.update(state)


class EarlyStopping(KeepWeights):
    """Stop when the validation loss no longer falls, and go back to the best weights.

    As in scikit-learn's MLPRegressor: an epoch counts as no improvement if its loss is not at
    least `tol` below the best one; the weights kept are those of the lowest loss.

    Parameters
    ----------
    n_iter_no_change : int
        Number of epochs in a row without improvement after which training stops.
    tol : float
        Least improvement, in units of the loss.
    """

    def __init__(self, n_iter_no_change: int, tol: float):
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier runs."""
        super().on_train_begin(net, **kwargs)
        self.wants_best_ = True
        self.n_no_change_ = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Compare the validation loss with the best one."""
        improved = net.history[-1, "valid_loss"] <= self.best_loss_ - self.tol
        self.n_no_change_ = 0 if improved else self.n_no_change_ + 1
        super().on_epoch_end(net, **kwargs)
        if self.is_due():
            raise StopTraining

    def is_due(self) -> bool:
        """Tell whether there was no improvement for long enough."""
        return self.n_no_change_ >= self.n_iter_no_change


class StateOfStopping:
    """What skorch's early stopping has seen, to survive an interruption as that of ours does.

    Parameters
    ----------
    callback : skorch.callbacks.EarlyStopping
        Among the user's.
    """

    def __init__(self, callback: skorch.callbacks.EarlyStopping):
        self.callback = callback

    def state_dict(self) -> dict[str, Any]:
        """All that it has learned since training began.

        Returns
        -------
        dict
            Tensors and numbers.
        """
        return {k: value for k, value in vars(self.callback).items() if k.endswith("_")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another left off.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        vars(self.callback).update(state)

    def loaded_best(self, net: Any) -> bool:
        """Tell whether it has gone back to its best weights, after ours had theirs.

        Parameters
        ----------
        net : SequenceNet
            At the end of its training.

        Returns
        -------
        bool
            By skorch's own rule.
        """
        has_best = self.callback.load_best and self.callback.best_model_weights_ is not None
        return bool(has_best and self.callback.best_epoch_ != net.history[-1, "epoch"])


class ClipGradients(Callback):
    """Scale the gradients of a batch down if their norm is too large (Pascanu et al. 2013).

    What :func:`torch.nn.utils.clip_grad_norm_` does, in half its time, which is a tenth of that of
    a batch of a small network.

    Parameters
    ----------
    max_norm : float
        Largest Euclidean norm of all gradients together.
    """

    def __init__(self, max_norm: float):
        self.max_norm = max_norm

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Look the parameters up."""
        self.parameters_ = [parameter for _, parameter in net.get_all_learnable_params()]

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        """Scale the gradients."""
        gradients = [p.grad for p in self.parameters_ if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients]))
        scale = norm.add_(CLIP_EPSILON).reciprocal_().mul_(self.max_norm).clamp_(max=1)
        torch._foreach_mul_(gradients, scale)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of them."""
        del self.parameters_


class Schedule(Callback):
    """Change the learning rate after each epoch, and record it.

    Parameters
    ----------
    make : callable
        ``make(optimizer)``, a scheduler of :mod:`torch.optim.lr_scheduler`.
    """

    def __init__(self, make: Callable):
        self.make = make

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin the schedule."""
        self.scheduler_ = self.make(net.optimizer_)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Take a step."""
        row = net.history[-1]
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        if isinstance(self.scheduler_, lr_scheduler.ReduceLROnPlateau):
            self.scheduler_.step(row.get("valid_loss", row["train_loss"]))
        else:
            self.scheduler_.step()

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands.

        Returns
        -------
        dict
            Numbers.
        """
        return self.scheduler_.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another left off.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        self.scheduler_.load_state_dict(state)


class ScikitLearnCallbacks(Callback):
    """Tell scikit-learn's callbacks of each epoch.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator whose `fit` runs.
    context : sklearn.callback.CallbackContext
        Its context.
    fit_data : dict
        X, y and metadata of `fit`, which callbacks may ask for.
    learned : dict
        The attributes that make a copy of the estimator predict with the weights of now.
    """

    def __init__(
        self, estimator: Any, context: Any, fit_data: dict[str, Any], learned: dict[str, Any]
    ):
        self.estimator = estimator
        self.context = context
        self.fit_data = fit_data
        self.learned = learned

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a task."""
        self.epoch_ = self.context.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(estimator=self.estimator, **self.fit_data)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End the task."""
        stop = self.epoch_.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=self.learned, **self.fit_data
        )
        if stop:
            raise StopTraining


class Progress(Callback):
    """Show one bar over the epochs, or print a line for each.

    Parameters
    ----------
    verbose : int
        1 for the bar, 2 for the lines.
    n_epochs : int
        Number of epochs there will be at most, earlier ones included.
    weights : KeepWeights
        Knows the best epoch.
    title : str
        What the bar is called.
    """

    def __init__(self, verbose: int, n_epochs: int, weights: KeepWeights, title: str):
        self.verbose = verbose
        self.n_epochs = n_epochs
        self.weights = weights
        self.title = title

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Draw the bar, at the first epoch: then it is known where a resumed run goes on."""
        if self.verbose == 1 and not hasattr(self, "bar_"):
            from tqdm.auto import (
                tqdm,
            )  # warns in a notebook without widgets: if there is a bar only

            done = len(net.history) - 1
            self.bar_ = tqdm(total=self.n_epochs, initial=done, unit="epoch", desc=self.title)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Tell the losses and the best epoch."""
        row = net.history[-1]
        losses = {name: row[name] for name in ("train_loss", "valid_loss") if name in row}
        if self.verbose == 1:
            self.bar_.set_postfix(losses | {"best_epoch": self.weights.best_epoch_}, refresh=False)
            self.bar_.update()
            return
        told = "  ".join(f"{name} {loss:.4g}" for name, loss in losses.items())
        best = "  best so far" if self.weights.best_epoch_ == row["epoch"] else ""
        print(f"epoch {row['epoch']}/{self.n_epochs}  {told}  {row.get('dur', 0):.2f} s{best}")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        if hasattr(self, "bar_"):
            self.bar_.close()


CURES = {
    "EpochScoring": "a sklearn.callback.ScoringMonitor scores after each epoch",
    "BatchScoring": "a sklearn.callback.ScoringMonitor scores after each epoch",
    "Checkpoint": "the parameter checkpoint saves after each epoch, and resumes",
    "TrainEndCheckpoint": "the parameter checkpoint saves after each epoch, and resumes",
}


def refuse_scorers(callbacks: list[Any]) -> None:
    """Refuse skorch's callbacks that want data, or files, as only skorch's own nets have them.

    Parameters
    ----------
    callbacks : list
        Callbacks of the user, by themselves or as pairs of name and callback.

    Raises
    ------
    ValueError
        If one is of no use here; the message says what is instead.
    """
    for callback in callbacks:
        callback = callback[1] if isinstance(callback, tuple) else callback
        name = getattr(callback, "__name__", type(callback).__name__)
        module = getattr(callback, "__module__", type(callback).__module__)
        if name in CURES and module.startswith("skorch."):
            raise ValueError(
                f"skorch's {name} among the callbacks reads batches and files as skorch's own nets "
                f"have them, and cannot work here: {CURES[name]}."
            )


def _weights(net: Any) -> dict[str, torch.Tensor]:
    return deepcopy(net.module_.state_dict())
