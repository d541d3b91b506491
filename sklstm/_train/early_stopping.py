"""Callbacks that keep weights: of the last epoch, of the best one, and early stopping."""

from copy import deepcopy
from typing import Any

import numpy as np
import skorch.callbacks
import torch
from skorch.callbacks import Callback

__all__ = [
    "EarlyStopping",
    "EarlyStoppingState",
    "EnsembleStopping",
    "KeepWeights",
    "StopTraining",
]


class StopTraining(Exception):  # noqa: N818 - a signal, not an error
    """Ends the training loop early and keeps the weights."""


class KeepWeights(Callback):
    """Keep the weights of the last complete epoch and of the best one.

    The best epoch has the lowest validation loss, or training loss if there is no validation data.
    """

    restored_epoch_ = 0
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
        """Restore the weights of the last complete epoch.

        Parameters
        ----------
        net : SequenceNet
            Its weights and history may be those of an interrupted epoch.
        """
        self.has_undone = True
        net.module_.load_state_dict(self.last_)
        del net.history_[self.n_epochs_ :]

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the best weights, if they are wanted."""
        self.restored_epoch_ = self.n_epochs_
        if self.wants_best_ and self.best_ is not None:
            net.module_.load_state_dict(self.best_)
            self.restored_epoch_ = self.best_epoch_

    def should_stop(self) -> bool:
        """Return whether training should stop before its last epoch: never."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores.

        Returns
        -------
        dict
            Tensors and numbers.
        """
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a stored state.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        self.__dict__.update(state)


class EarlyStopping(KeepWeights):
    """Stop when the validation loss no longer falls, and restore the best weights.

    As in scikit-learn's MLPRegressor: an epoch counts as no improvement if its loss is not at
    least `tol` below the best one; the weights kept are those of the lowest loss.

    Parameters
    ----------
    n_iter_no_change : int
        Number of epochs in a row without improvement after which training stops.
    tol : float
        Least improvement, in units of the loss.
    """

    # skorch's EarlyStopping keeps the weights of the last loss that fell by the threshold, not of
    # the lowest, stops before later callbacks hear of the epoch, and has no state to save.

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
        if self.should_stop():
            raise StopTraining

    def should_stop(self) -> bool:
        """Return whether there was no improvement for `n_iter_no_change` epochs."""
        return self.n_no_change_ >= self.n_iter_no_change


class EnsembleStopping(EarlyStopping):
    """Stop each network of an ensemble by its own validation loss, and keep its best weights.

    One that has stopped is left out of the batches. The best epoch is the latest of those of the
    networks. With one epoch for all, on daily temperatures, the average was worse than most single
    networks: by the mean of their losses it is too early for each of them, and by the loss of their
    mean training takes twice as many epochs.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier runs."""
        super().on_train_begin(net, **kwargs)
        n_networks = net.n_networks
        self.best_ = None
        self.best_losses_ = [np.inf] * n_networks
        self.best_epochs_ = [0] * n_networks
        self.n_no_changes_ = [0] * n_networks

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Leave out the networks that have stopped."""
        net.in_training = self._unstopped()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Compare each validation loss with the best one of its network."""
        self.n_epochs_, self.last_ = len(net.history), _weights(net)
        self.best_ = self.best_ or dict(self.last_)
        for k in self._unstopped():
            loss = float(net.losses_of_networks[k])
            improved = loss <= self.best_losses_[k] - self.tol
            self.n_no_changes_[k] = 0 if improved else self.n_no_changes_[k] + 1
            if loss < self.best_losses_[k]:
                self.best_losses_[k], self.best_epochs_[k] = loss, net.history[-1, "epoch"]
                own = f"networks.{k}."
                self.best_.update({n: w for n, w in self.last_.items() if own in n})
        self.best_epoch_ = max(self.best_epochs_)
        if self.should_stop():
            raise StopTraining

    def should_stop(self) -> bool:
        """Return whether all networks have stopped."""
        return not self._unstopped()

    def _unstopped(self) -> list[int]:
        counts = enumerate(self.n_no_changes_)
        return [k for k, n_no_change in counts if n_no_change < self.n_iter_no_change]


class EarlyStoppingState:
    """State of skorch's early stopping, which checkpoints store like that of `EarlyStopping`.

    Parameters
    ----------
    callback : skorch.callbacks.EarlyStopping
        One of the user's callbacks.
    """

    def __init__(self, callback: skorch.callbacks.EarlyStopping):
        self.callback = callback

    def state_dict(self) -> dict[str, Any]:
        """Return its attributes set since training began.

        Returns
        -------
        dict
            Tensors and numbers.
        """
        return {k: value for k, value in vars(self.callback).items() if k.endswith("_")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a stored state.

        Parameters
        ----------
        state : dict
            From `state_dict`.
        """
        vars(self.callback).update(state)

    def loaded_best(self, net: Any) -> bool:
        """Return whether it restored its own best weights, after ours were restored.

        Parameters
        ----------
        net : SequenceNet
            At the end of its training.

        Returns
        -------
        bool
            By the rule of skorch.
        """
        has_best = self.callback.load_best and self.callback.best_model_weights_ is not None
        return bool(has_best and self.callback.best_epoch_ != net.history[-1, "epoch"])


def _weights(net: Any) -> dict[str, torch.Tensor]:
    return deepcopy(net.module_.state_dict())
