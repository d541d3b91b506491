"""The training loop: skorch's, with our batches, seeds, validation part and early stopping."""

from contextlib import contextmanager
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from skorch.helper import predefined_split
from skorch.history import History

from sklstm._sequences import Sequences, ranges

__all__ = [
    "OPTIMIZERS",
    "EarlyStopping",
    "Samples",
    "ScikitLearnCallbacks",
    "SequenceNet",
    "draw_seed",
    "explain_out_of_memory",
    "prediction_batch_size",
    "resolve_device",
    "seeded",
    "split_validation",
    "suitable_threads",
]

OPTIMIZERS = {
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

MIN_PARALLEL_FLOPS = 5e7


class Samples(NamedTuple):
    """Checked training or validation data.

    Attributes
    ----------
    sequences : Sequences
        The inputs.
    target : ndarray of shape (n_sequences, n_outputs), or Sequences
        What to predict; `Sequences` of targets if there is one for every step.
    weight : ndarray of shape (n_sequences,), or Sequences
        Weights, all positive; of steps 0 or more, 0 for a step without a label.
    """

    sequences: Sequences
    target: np.ndarray | Sequences
    weight: np.ndarray | Sequences

    def take(self, rows):
        """Select samples.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Which samples.

        Returns
        -------
        Samples
            In the order of `rows`.
        """
        return Samples(self.sequences[rows], self.target[rows], self.weight[rows])

    def labelled(self):
        """Select what is learned, be it a target for each sequence or for each step.

        Returns
        -------
        target : ndarray of shape (n_labels, n_outputs)
            The targets.
        weight : ndarray of shape (n_labels,)
            Their weights, all positive.
        """
        if isinstance(self.target, np.ndarray):
            return self.target, self.weight
        weight = self.weight.flat()[:, 0]
        return self.target.flat()[weight > 0], weight[weight > 0]

    def reweighted(self, weight):
        """Change the weights of what is learned.

        Parameters
        ----------
        weight : ndarray of shape (n_labels,)
            As `labelled` gives them; 0 is no longer learned.

        Returns
        -------
        Samples
            Without the sequences of which nothing is left to learn.
        """
        if isinstance(self.weight, np.ndarray):
            return self._replace(weight=weight).take(np.flatnonzero(weight))
        starts, lengths = self.weight.starts, self.weight.lengths
        values = self.weight.values.copy()
        steps = ranges(starts, lengths)
        steps = steps[values[steps, 0] > 0]
        values[steps, 0] = weight
        samples = self._replace(weight=Sequences(values, starts, lengths))
        left = [sequence.any() for sequence in samples.weight]
        return samples.take(np.flatnonzero(left))

    def sequence_weight(self):
        """Weigh the sequences: by the mean weight of their labelled steps, if steps have labels.

        Returns
        -------
        ndarray of shape (n_sequences,)
            Weights, all positive.
        """
        if isinstance(self.weight, np.ndarray):
            return self.weight
        weight = self.weight.flat()[:, 0]
        row = np.repeat(np.arange(len(self.weight)), self.weight.lengths)
        return np.bincount(row, weight) / np.bincount(row, weight > 0)


class StopTraining(Exception):  # noqa: N818 - a signal, not an error
    """Ends the training loop early, with what has been learned so far."""


class EarlyStopping(Callback):
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
        self.best_loss_ = np.inf
        self.best_epoch_ = None
        self.n_no_change_ = 0

    def on_epoch_end(self, net, **kwargs):
        """Compare the validation loss with the best one."""
        loss = net.history[-1, "valid_loss"]
        improved = loss <= self.best_loss_ - self.tol
        self.n_no_change_ = 0 if improved else self.n_no_change_ + 1
        if loss < self.best_loss_:
            self.best_loss_ = loss
            self.best_epoch_ = net.history[-1, "epoch"]
            self.best_weights_ = deepcopy(net.module_.state_dict())
        if self.n_no_change_ >= self.n_iter_no_change:
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        """Go back to the best weights."""
        if self.best_epoch_ is not None:
            net.module_.load_state_dict(self.best_weights_)
            del self.best_weights_


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


class SequenceNet(NeuralNet):
    """A skorch net that reads the batches of a `BatchLoader` and reports once an epoch.

    Losses are added up on the device and read once an epoch, and callbacks hear of single
    batches only if one of them listens: waiting for the device at every batch would be most of
    the time of a small network on a GPU.
    """

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def infer(self, x, **fit_params):
        """Outputs of a batch."""
        return self.module_(*x)

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        """Loss of a batch: target and weight."""
        return self.criterion_(y_pred, *y_true)

    def train(self, dataset, validation=None, *, epochs, callbacks=()):
        """Run epochs; whatever ends them, callbacks get to tidy up.

        Parameters
        ----------
        dataset : SequenceDataset
            Training data.
        validation : SequenceDataset or None
            Validation data, whose loss is computed after each epoch.
        epochs : int
            Number of epochs.
        callbacks : iterable of skorch.callbacks.Callback
            Callbacks of this call, beside those of the net.

        Returns
        -------
        SequenceNet
            This net.
        """
        if not self.callbacks_ and self.callbacks != "disable":  # a restored net goes on training
            self.initialize_callbacks()
        lasting_callbacks = self.callbacks_
        self.callbacks_ = [*lasting_callbacks, *(("", callback) for callback in callbacks)]
        self.train_split = None if validation is None else predefined_split(validation)
        self.notify("on_train_begin", X=dataset, y=None)
        try:
            self.fit_loop(dataset, epochs=epochs)
        except StopTraining:
            pass
        finally:
            self.notify("on_train_end", X=dataset, y=None)
            self.module_.eval()
            self.callbacks_ = lasting_callbacks
            self.train_split = None  # let go of the data
        return self

    def outputs(self, dataset):
        """Outputs of all sequences.

        Parameters
        ----------
        dataset : SequenceDataset
            The sequences.

        Returns
        -------
        Tensor of shape (n_sequences, n_outputs), or (sum of lengths, n_outputs)
            On the CPU; one row a step, sequence by sequence, if the network has no pooling.
        """
        self._set_training(False)
        with torch.inference_mode():
            batches = [_by_sequence(self.infer(x), x[1]) for x, _ in self.get_iterator(dataset)]
            return torch.cat(batches).cpu()

    def _set_training(self, training=True):
        if self.module_.training is not training:  # walking through the modules takes its time
            super()._set_training(training)

    def restore(self, weights, history):
        """Become a trained net again; callbacks stay as they are until training goes on.

        Parameters
        ----------
        weights : dict of str to ndarray
            State of the module.
        history : list of dict
            A row an epoch.

        Returns
        -------
        SequenceNet
            This net.
        """
        callbacks, self.callbacks = self.callbacks, "disable"
        self.initialize()
        self.callbacks = callbacks
        self.module_.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        self.module_.eval()
        self.history_ = History(history)
        return self

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; at the end of an epoch all of them, even if one asks to stop."""
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        stop = False
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **cb_kwargs)
            except (StopTraining, KeyboardInterrupt):  # the latter is how skorch's own ask
                stop = True
        if stop:
            raise StopTraining

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run one epoch of training or validation."""
        if iterator is None:
            return
        per_batch = any(_listens_to_batches(callback) for _, callback in self.callbacks_)
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        total_weight = torch.zeros_like(total)
        for batch in iterator:
            if per_batch:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            target, weight = batch[1]
            weight = len(target) if weight is None else weight.sum()
            total += step["loss"].detach() * weight
            total_weight += weight
            if per_batch:
                self.notify("on_batch_end", batch=batch, training=training, **step)
        loss = (total / total_weight).item()
        if not np.isfinite(loss):
            raise ValueError(
                f"The {prefix} loss is {loss} after epoch {len(self.history)}: the training "
                f"diverged. Lower lr (it is {self.lr}) or clip_grad_norm, or set "
                "standardize=True if it is not."
            )
        name = f"{prefix}_loss"
        best = min((row[name] for row in self.history if name in row), default=np.inf)
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < best)

    def epochs(self):
        """Tell what happened, as a table.

        Returns
        -------
        pandas.DataFrame
            One row an epoch: ``epoch`` counted from 1, ``train_loss``, ``valid_loss`` if there
            was validation data, ``dur`` in seconds, and what callbacks recorded.
        """
        table = pd.DataFrame(self.rows())
        return table[[name for name in table if not name.endswith("_loss_best")]]

    def rows(self):
        """Tell what happened, as plain data without batches.

        Returns
        -------
        list of dict
            One row an epoch.
        """
        return [{k: v for k, v in row.items() if k != "batches"} for row in self.history]


def _by_sequence(outputs, lengths):
    """Outputs of every step, (n_steps, n_sequences, n_outputs), one sequence after another."""
    if outputs.ndim == 2:
        return outputs
    outputs = outputs.transpose(0, 1)
    if lengths is None:
        return outputs.flatten(0, 1)
    steps = torch.arange(outputs.shape[1], device=outputs.device)
    return outputs[steps < lengths.to(outputs.device)[:, None]]


def _listens_to_batches(callback):
    return any(
        getattr(type(callback), name) is not getattr(Callback, name)
        for name in ("on_batch_begin", "on_batch_end")
    )


def resolve_device(name):
    """Turn the name of a device into one that is there.

    Parameters
    ----------
    name : str
        ``"auto"`` for CUDA if there is a GPU, else the CPU; or a name torch knows.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine has none of the kind.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={name!r} cannot be used here: {str(error).splitlines()[0]} "
            "Use device='auto' for a GPU if there is one and the CPU if not, or 'cpu'."
        ) from error
    return device


def draw_seed(random_state):
    """Draw the one number that decides everything random in a fit.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None takes fresh entropy, not NumPy's global state, which a fit leaves alone.

    Returns
    -------
    int
        A seed below 2**31.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def seeded(seed, device):
    """Seed torch's random numbers inside, leave its global state as found outside.

    Parameters
    ----------
    seed : int
        The seed.
    device : torch.device
        Its generator is seeded beside that of the CPU.

    Yields
    ------
    None
        Nothing.
    """
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def suitable_threads(batch_size, hidden_size):
    """Use one thread where more would wait for each other.

    One step of a recurrent layer is a matrix product of ``batch_size x hidden_size`` by
    ``hidden_size x 4 hidden_size``; on small ones two threads are slower than one. A rule by size,
    not a trial by time, as results must not depend on how busy the machine is.

    Parameters
    ----------
    batch_size : int
        Number of sequences computed together.
    hidden_size : int
        Units of a layer.

    Yields
    ------
    None
        Nothing; torch's number of threads is restored at the end.
    """
    before = torch.get_num_threads()
    if 8 * batch_size * hidden_size**2 < MIN_PARALLEL_FLOPS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prediction_batch_size(hidden_size, device):
    """Choose how many sequences to predict at once, whatever the batches of training.

    On a CPU the outputs of a step should stay in the fast caches; a GPU wants to be filled.

    Parameters
    ----------
    hidden_size : int
        Units of a layer.
    device : str
        Name of the device.

    Returns
    -------
    int
        At least 32.
    """
    units, limit = (2**13, 2**10) if device == "cpu" else (2**18, 2**13)
    return min(max(units // hidden_size, 32), limit)


@contextmanager
def explain_out_of_memory(device, batch_size, setting):
    """Say what to lower when the device has no memory left.

    Parameters
    ----------
    device : torch.device
        Named in the message.
    batch_size : int
        Named in the message.
    setting : str
        What the user sets to change it.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    MemoryError
        In place of torch's own error.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(
            f"Out of memory on {device} with batches of {batch_size} sequences. Lower {setting}, "
            "then hidden_size, num_layers or the length of the sequences (window_size), or use "
            "device='cpu'."
        ) from error


def split_validation(samples, fraction, seed, stratify=None):
    """Set the validation part aside.

    Of each series its last rows, in time order: neighbouring windows are almost the same row, so
    that a random part would be known from training. Of independent sequences a random part.

    Parameters
    ----------
    samples : Samples
        All samples.
    fraction : float
        Part of each series, and of the independent sequences, to set aside.
    seed : int
        Decides the random part.
    stratify : ndarray of shape (n_samples,), default=None
        Labels whose shares the random part keeps, if it has room for each label.

    Returns
    -------
    train, valid : Samples
        The two parts.

    Raises
    ------
    ValueError
        If one part would be empty.
    """
    sequences = samples.sequences
    valid = np.zeros(len(sequences), dtype=bool)
    in_series = np.flatnonzero(sequences.series >= 0)
    valid[in_series] = _last_of_each(
        sequences.series[in_series], sequences.ends[in_series], fraction
    )
    independent = np.flatnonzero(sequences.series < 0)
    valid[_random_part(independent, fraction, seed, stratify)] = True
    if valid.all() or not valid.any():
        raise ValueError(
            f"early_stopping sets validation_fraction={fraction} of the rows aside, which leaves "
            f"{(~valid).sum()} of {len(valid)} rows to train and {valid.sum()} to validate. Give "
            "more rows, another validation_fraction, or X_val and y_val."
        )
    return samples.take(np.flatnonzero(~valid)), samples.take(np.flatnonzero(valid))


def _random_part(rows, fraction, seed, stratify):
    """Draw some of the rows."""
    size = round(fraction * len(rows))
    if not size:
        return rows[:0]
    if stratify is not None:
        stratify = stratify[rows]
        counts = np.unique_counts(stratify).counts
        if counts.min() < 2 or len(counts) > min(size, len(rows) - size):
            stratify = None
    return train_test_split(rows, test_size=size, random_state=seed, stratify=stratify)[1]


def _last_of_each(series, time, fraction):
    """Mark the last rows, by time, of each series."""
    order = np.lexsort((time, series))
    sizes = np.bincount(series)[series[order]]
    first = np.concatenate([[True], np.diff(series[order]) > 0])
    rank = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    last = np.empty(len(order), dtype=bool)
    last[order] = rank >= sizes - np.round(fraction * sizes)
    return last
