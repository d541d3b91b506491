"""What happens after each epoch: keep the best weights, stop, schedule, report, save."""

import os
import tempfile
import warnings
from copy import deepcopy
from hashlib import blake2b
from io import BytesIO
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.history import History
from torch.optim import lr_scheduler
from tqdm.auto import tqdm

__all__ = [
    "SCHEDULES",
    "Checkpoint",
    "ClipGradients",
    "EarlyStopping",
    "KeepWeights",
    "Progress",
    "Schedule",
    "ScikitLearnCallbacks",
    "StopTraining",
    "read_checkpoint",
]

CLIP_EPSILON = 1e-6
DIGEST_SIZE = 32


class StopTraining(Exception):  # noqa: N818 - a signal, not an error
    """Ends the training loop early, with what has been learned so far."""


class KeepWeights(Callback):
    """Keep the weights of the last complete epoch and of the best one.

    The best epoch is that of the lowest validation loss, or training loss if nothing validates.
    """

    def on_train_begin(self, net, **kwargs):
        """Forget earlier runs."""
        self.n_epochs_ = len(net.history)
        self.last_ = _weights(net)
        self.best_ = self.best_epoch_ = None
        self.best_loss_ = np.inf
        self.wants_best_ = False

    def on_epoch_end(self, net, **kwargs):
        """Copy the weights."""
        row = net.history[-1]
        loss = row.get("valid_loss", row.get("train_loss"))
        self.n_epochs_ = len(net.history)
        self.last_ = _weights(net)
        if loss < self.best_loss_:
            self.best_ = self.last_
            self.best_loss_ = loss
            self.best_epoch_ = row["epoch"]

    def undo_epoch(self, net):
        """Go back to the end of the last complete epoch.

        Parameters
        ----------
        net : SequenceNet
            Its weights and history may be those of an epoch that was broken off.
        """
        net.module_.load_state_dict(self.last_)
        del net.history_[self.n_epochs_ :]

    def on_train_end(self, net, **kwargs):
        """Go back to the best weights, if they are wanted."""
        self.kept_epoch_ = self.n_epochs_
        if self.wants_best_ and self.best_ is not None:
            net.module_.load_state_dict(self.best_)
            self.kept_epoch_ = self.best_epoch_

    def state_dict(self):
        """All that has to survive an interruption.

        Returns
        -------
        dict
            Tensors and numbers.
        """
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def load_state_dict(self, state):
        """Go on where another left off.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        vars(self).update(state)


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

    def __init__(self, n_iter_no_change, tol):
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def on_train_begin(self, net, **kwargs):
        """Forget earlier runs."""
        super().on_train_begin(net, **kwargs)
        self.wants_best_ = True
        self.n_no_change_ = 0

    def on_epoch_end(self, net, **kwargs):
        """Compare the validation loss with the best one."""
        improved = net.history[-1, "valid_loss"] <= self.best_loss_ - self.tol
        self.n_no_change_ = 0 if improved else self.n_no_change_ + 1
        super().on_epoch_end(net, **kwargs)
        self._stop_if_due()

    def load_state_dict(self, state):
        """Go on where another left off, or stop where it had stopped."""
        super().load_state_dict(state)
        self._stop_if_due()

    def _stop_if_due(self):
        if self.n_no_change_ >= self.n_iter_no_change:
            raise StopTraining


class ClipGradients(Callback):
    """Scale the gradients of a batch down if their norm is too large (Pascanu et al. 2013).

    What :func:`torch.nn.utils.clip_grad_norm_` does, in half its time, which is a tenth of that of
    a batch of a small network.

    Parameters
    ----------
    max_norm : float
        Largest Euclidean norm of all gradients together.
    """

    def __init__(self, max_norm):
        self.max_norm = max_norm

    def on_train_begin(self, net, **kwargs):
        """Look the parameters up."""
        self.parameters_ = [parameter for _, parameter in net.get_all_learnable_params()]

    def on_grad_computed(self, net, **kwargs):
        """Scale the gradients."""
        gradients = [p.grad for p in self.parameters_ if p.grad is not None]
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        scale = (self.max_norm / (norm + CLIP_EPSILON)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(scale)

    def on_train_end(self, net, **kwargs):
        """Let go of them."""
        del self.parameters_


class Schedule(Callback):
    """Change the learning rate after each epoch, and record it.

    Parameters
    ----------
    make : callable
        ``make(optimizer)``, a scheduler of :mod:`torch.optim.lr_scheduler`.
    """

    def __init__(self, make):
        self.make = make

    def on_train_begin(self, net, **kwargs):
        """Begin the schedule."""
        self.scheduler_ = self.make(net.optimizer_)

    def on_epoch_end(self, net, **kwargs):
        """Take a step."""
        row = net.history[-1]
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        if isinstance(self.scheduler_, lr_scheduler.ReduceLROnPlateau):
            self.scheduler_.step(row.get("valid_loss", row["train_loss"]))
        else:
            self.scheduler_.step()

    def state_dict(self):
        """Where the schedule stands.

        Returns
        -------
        dict
            Numbers.
        """
        return self.scheduler_.state_dict()

    def load_state_dict(self, state):
        """Go on where another left off.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        self.scheduler_.load_state_dict(state)


def _one_cycle(optimizer, n_epochs):
    lr = optimizer.param_groups[0]["lr"]
    return lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=max(n_epochs, 4))


SCHEDULES = {
    "cosine": lambda optimizer, n_epochs: lr_scheduler.CosineAnnealingLR(optimizer, n_epochs),
    "onecycle": _one_cycle,
    "plateau": lambda optimizer, n_epochs: lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=5
    ),
    "step": lambda optimizer, n_epochs: lr_scheduler.StepLR(optimizer, -(-n_epochs // 3)),
}
"""Schedulers by name: ``make(optimizer, n_epochs)``."""


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
    """

    def __init__(self, estimator, context, fit_data):
        self.estimator = estimator
        self.context = context
        self.fit_data = fit_data

    def on_epoch_begin(self, net, **kwargs):
        """Begin a task."""
        self.epoch_ = self.context.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(estimator=self.estimator, **self.fit_data)

    def on_epoch_end(self, net, **kwargs):
        """End the task; a copy of the estimator can predict with the weights of now."""
        stop = self.epoch_.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes={}, **self.fit_data
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
        Number of epochs there will be at most.
    weights : KeepWeights
        Knows the best epoch.
    """

    def __init__(self, verbose, n_epochs, weights):
        self.verbose = verbose
        self.n_epochs = n_epochs
        self.weights = weights

    def on_epoch_begin(self, net, **kwargs):
        """Draw the bar, at the first epoch: then it is known where a resumed run goes on."""
        if self.verbose == 1 and not hasattr(self, "bar_"):
            done = len(net.history) - 1
            self.bar_ = tqdm(total=self.n_epochs, initial=done, unit="epoch", desc="fit")

    def on_epoch_end(self, net, **kwargs):
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

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        if hasattr(self, "bar_"):
            self.bar_.close()


class Checkpoint(Callback):
    """Save the state of training after each epoch, and go on from a saved one.

    Parameters
    ----------
    folder : path-like
        Where the file is.
    state : dict or None
        What `read_checkpoint` found there.
    run : dict
        What tells this training from another: kept in the file.
    companions : list of Callback
        Callbacks with `state_dict` and `load_state_dict`.
    """

    def __init__(self, folder, state, run, companions):
        self.folder = folder
        self.state = state
        self.run = run
        self.companions = companions

    def on_train_begin(self, net, **kwargs):
        """Bring back the saved state."""
        if self.state is None:
            return
        net.module_.load_state_dict(self.state["weights"])
        net.optimizer_.load_state_dict(self.state["optimizer"])
        net.history_ = History(self.state["history"])
        _set_random_state(net.device, self.state["random"])
        for companion, state in zip(self.companions, self.state["companions"], strict=True):
            companion.load_state_dict(state)

    def on_epoch_end(self, net, **kwargs):
        """Save; if that fails, the file of before stays and training goes on."""
        state = {
            "run": self.run,
            "weights": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "history": [_plain(row) for row in net.rows()],
            "random": _random_state(net.device),
            "companions": [companion.state_dict() for companion in self.companions],
        }
        try:
            _write_checkpoint(self.folder, state)
        except OSError as error:
            warnings.warn(
                f"The checkpoint of epoch {len(net.history)} could not be written to "
                f"{self.folder}: {error}. The one before is kept, and training goes on.",
                UserWarning,
                stacklevel=2,
            )


def checkpoint_path(folder):
    """Tell where the file of a checkpoint is.

    Parameters
    ----------
    folder : str or path-like
        The folder that the user named.

    Returns
    -------
    pathlib.Path
        A file in it.
    """
    return Path(folder) / "checkpoint.sklstm"


def read_checkpoint(folder):
    """Read the state of a training that was broken off, and make sure that a new one can be saved.

    Parameters
    ----------
    folder : str or path-like
        The folder; it is made if it is not there.

    Returns
    -------
    dict or None
        None if nothing was saved.

    Raises
    ------
    ValueError
        If the file is damaged.
    OSError
        If nothing can be written to the folder.
    """
    path = checkpoint_path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise type(error)(
            f"checkpoint={os.fspath(folder)!r} has to be a folder that can be written to: {error}"
        ) from error
    if not path.exists():
        return None
    content = path.read_bytes()
    digest, content = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    if digest != _digest(content):
        raise ValueError(
            f"The checkpoint {path} is damaged: it is truncated, or has been changed. Delete it to "
            "start anew."
        )
    return torch.load(BytesIO(content), map_location="cpu", weights_only=True)


def _write_checkpoint(folder, state):
    """Replace the file in one step: whenever the process dies, one of both is whole."""
    buffer = BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    path = checkpoint_path(folder)
    draft = path.with_suffix(".draft")
    try:
        with open(draft, "wb") as file:
            file.write(_digest(content) + content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the name has to reach the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _digest(content):
    return blake2b(content, digest_size=DIGEST_SIZE).digest()


def _weights(net):
    return deepcopy(net.module_.state_dict())


def _plain(row):
    """A row of the history in numbers that can be read back without trust."""
    return {
        name: value if isinstance(value, (bool, int, str)) else float(value)
        for name, value in row.items()
        if isinstance(value, (bool, int, str, Real))
    }


def _random_state(device):
    on_cuda = torch.device(device).type == "cuda"
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if on_cuda else [])]


def _set_random_state(device, states):
    torch.set_rng_state(states[0])
    if len(states) > 1 and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
