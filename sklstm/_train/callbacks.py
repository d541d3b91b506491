"""Callbacks: learning-rate schedule, gradient clipping, scikit-learn's callbacks, progress."""

from collections.abc import Callable
from typing import Any

import torch
from skorch.callbacks import Callback
from torch.optim import lr_scheduler

from sklstm._nn.ensemble import networks_of
from sklstm._train.early_stopping import KeepWeights, StopTraining

__all__ = [
    "ClipGradients",
    "Progress",
    "Schedule",
    "ScikitLearnCallbacks",
    "refuse_scorers",
]

CLIP_EPSILON = 1e-6


class ClipGradients(Callback):
    """Scale the gradients of a batch down if their norm is too large (Pascanu et al. 2013).

    The same as :func:`torch.nn.utils.clip_grad_norm_`.

    Parameters
    ----------
    max_norm : float
        Largest Euclidean norm of all gradients together.
    """

    # skorch's GradientNormClipping lists the parameters anew for each batch, and clips them one by
    # one: 13 % of the time of a fit of 8 units on 12 steps. This takes less than 1 %.

    def __init__(self, max_norm: float):
        self.max_norm = max_norm

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Collect the parameters, of each network of an ensemble by itself."""
        self.parameters_ = [list(network.parameters()) for network in networks_of(net.module_)]
        self.parameters_[0] += list(net.criterion_.parameters())

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        """Scale the gradients."""
        for parameters in self.parameters_:
            gradients = [p.grad for p in parameters if p.grad is not None]
            if not gradients:  # of a network that has stopped
                continue
            norm = torch.linalg.vector_norm(torch.cat([one.flatten() for one in gradients]))
            scale = norm.add_(CLIP_EPSILON).reciprocal_().mul_(self.max_norm).clamp_(max=1)
            torch._foreach_mul_(gradients, scale)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Release the parameters."""
        del self.parameters_


class Schedule(Callback):
    """Change the learning rate after each epoch, and record it.

    Parameters
    ----------
    make : callable
        ``make(optimizer)``, a scheduler of :mod:`torch.optim.lr_scheduler`.
    """

    # skorch's LRScheduler resumes at the last epoch of the history, which a new optimizer refuses
    # on a warm start (KeyError: 'initial_lr'), and has no state to save.

    def __init__(self, make: Callable):
        self.make = make

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Make the scheduler."""
        self.scheduler_ = self.make(net.optimizer_)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the learning rate and advance the schedule."""
        row = net.history[-1]
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        if isinstance(self.scheduler_, lr_scheduler.ReduceLROnPlateau):
            self.scheduler_.step(row.get("valid_loss", row["train_loss"]))
        else:
            self.scheduler_.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule.

        Returns
        -------
        dict
            Numbers.
        """
        return self.scheduler_.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a stored state.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        self.scheduler_.load_state_dict(state)


class ScikitLearnCallbacks(Callback):
    """Call scikit-learn's callbacks at each epoch.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator whose `fit` runs.
    context : sklearn.callback.CallbackContext
        Its context.
    fit_data : dict
        X, y and metadata of `fit`, for callbacks that use them.
    learned : callable
        Returns attributes with which a copy of the estimator predicts by the current weights.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        fit_data: dict[str, Any],
        learned: Callable[[], dict[str, Any]],
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
            estimator=self.estimator, reconstruction_attributes=self.learned(), **self.fit_data
        )
        if stop:
            raise StopTraining


class Progress(Callback):
    """Show one progress bar over the epochs, or print a line for each.

    Parameters
    ----------
    verbose : int
        1 for the bar, 2 for the lines.
    n_epochs : int
        Largest number of epochs, including earlier ones.
    weights : KeepWeights
        Has the best epoch.
    title : str
        Title of the bar.
    """

    # skorch's ProgressBar has a bar for each epoch, and hears of each batch: 9 % of the time of a
    # fit of 8 units on 12 steps.

    def __init__(self, verbose: int, n_epochs: int, weights: KeepWeights, title: str):
        self.verbose = verbose
        self.n_epochs = n_epochs
        self.weights = weights
        self.title = title

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Draw the bar at the first epoch, when the first epoch of a resumed run is known."""
        if self.verbose == 1 and not hasattr(self, "bar_"):
            # It warns in a notebook without widgets: imported only if there is a bar.
            from tqdm.auto import tqdm

            done = len(net.history) - 1
            self.bar_ = tqdm(total=self.n_epochs, initial=done, unit="epoch", desc=self.title)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Show the losses and the best epoch."""
        row = net.history[-1]
        losses = {name: row[name] for name in ("train_loss", "valid_loss") if name in row}
        if self.verbose == 1:
            self.bar_.set_postfix(losses | {"best_epoch": self.weights.best_epoch_}, refresh=False)
            self.bar_.update()
            return
        text = "  ".join(f"{name} {loss:.4g}" for name, loss in losses.items())
        best = "  best so far" if self.weights.best_epoch_ == row["epoch"] else ""
        print(f"epoch {row['epoch']}/{self.n_epochs}  {text}  {row.get('dur', 0):.2f} s{best}")

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
    """Refuse callbacks that need the data or files of skorch's own nets.

    Parameters
    ----------
    callbacks : list
        Callbacks of the user, by themselves or as pairs of name and callback.

    Raises
    ------
    ValueError
        If one of them cannot work; the message names the replacement.
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
