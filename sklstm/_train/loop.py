"""The training loop: skorch's, with our batches; seeds, device, threads."""

import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from skorch.helper import predefined_split
from skorch.history import History

from sklstm._nn.batches import split_batch
from sklstm._train.callbacks import StopTraining

__all__ = [
    "OPTIMIZERS",
    "SequenceNet",
    "draw_seed",
    "explain_out_of_memory",
    "flops_of_step",
    "resolve_device",
    "seeded",
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

TWO_THREADS_FROM_FLOPS = 1e6  # measured on two cores
FLOPS_OF_THREAD = 2e6  # where there are more: cautious, not measured

OUTPUTS_IN_BATCH = {"cpu": 3 * 2**19, "cuda": 2**26}
"""Numbers that a recurrent layer puts out for a batch to predict: measured, and estimated."""

OUTPUTS_IN_PART = 2**19
"""Numbers that the recurrent layers put out for a part of a batch to train: measured."""

LARGEST_BATCH = {"cpu": 2**10, "cuda": 2**13}
SMALLEST_BATCH = 32
SMALLEST_PART = 4


class Diverged(StopTraining):
    """Ends the training loop as the loss is no longer a finite number."""


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

    def train(self, dataset, validation=None, *, epochs, weights, callbacks=()):
        """Run epochs; whatever ends them, the weights are those of a complete epoch.

        Parameters
        ----------
        dataset : SequenceDataset
            Training data.
        validation : SequenceDataset or None
            Validation data, whose loss is computed after each epoch.
        epochs : int
            Number of epochs, among them those that a callback brings back as it begins.
        weights : KeepWeights
            Knows the weights to go back to.
        callbacks : iterable of skorch.callbacks.Callback
            Callbacks of this call, beside those of the net.

        Raises
        ------
        ValueError
            If the training diverges in its first epoch.

        Warns
        -----
        ConvergenceWarning
            If it diverges later.
        """
        if not self.callbacks_ and self.callbacks != "disable":  # a restored net goes on training
            self.initialize_callbacks()
        lasting_callbacks = self.callbacks_
        ours = [("", callback) for callback in (weights, *callbacks)]
        self.callbacks_ = [ours[0], *lasting_callbacks, *ours[1:]]  # first keep, then tell others
        self._lasting_callbacks = lasting_callbacks
        self.train_split = None if validation is None else predefined_split(validation)
        done = len(self.history)
        try:
            self.notify("on_train_begin", X=dataset, y=None)
            done = len(self.history) - done
            self.fit_loop(dataset, epochs=epochs - done)
        except Diverged as diverged:
            weights.undo_epoch(self)
            if weights.best_ is None:
                raise ValueError(str(diverged)) from None
            weights.wants_best_ = True
            warnings.warn(
                f"{diverged} The weights are those of epoch {weights.best_epoch_}, the best one.",
                ConvergenceWarning,
                stacklevel=2,
            )
        except StopTraining:
            pass
        except BaseException:
            weights.undo_epoch(self)
            raise
        finally:
            self.notify("on_train_end", X=dataset, y=None)
            self.module_.eval()
            self.callbacks_ = lasting_callbacks
            self.train_split = None  # let go of the data

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

    def get_iterator(self, dataset, training=False):
        """Batches to train on; or larger ones to predict."""
        if training:
            return super().get_iterator(dataset, training=True)
        batch_size = self.prediction_batch_size(dataset.sequences.max_length)
        return self.iterator_valid(dataset, batch_size)

    def prediction_batch_size(self, n_steps):
        """Choose how many sequences to predict at once, whatever the batches of training.

        On a CPU a batch stays so small that the C library keeps its memory for the next one.

        Parameters
        ----------
        n_steps : int
            Length of the longest sequence.

        Returns
        -------
        int
            What skorch's ``iterator_valid__batch_size`` says, if it is given.
        """
        if hasattr(self, "iterator_valid__batch_size"):
            return self.iterator_valid__batch_size
        kind = "cpu" if self.device == "cpu" else "cuda"
        fitting = OUTPUTS_IN_BATCH[kind] // (max(n_steps, 1) * self._width())
        return min(max(fitting, SMALLEST_BATCH), LARGEST_BATCH[kind])

    def train_step_single(self, batch, **fit_params):
        """Gradients of a batch, part by part where that is quicker."""
        n_parts = self._n_parts(*batch[0])
        if n_parts == 1:
            return super().train_step_single(batch, **fit_params)
        self._set_training(True)
        total, losses, outputs = _total_weight(*batch[1]), [], []
        for inputs, targets in split_batch(batch, n_parts):
            output = self.infer(inputs, **fit_params)
            loss = self.get_loss(output, targets) * (_total_weight(*targets) / total)
            loss.backward()
            losses.append(loss.detach())
            outputs.append(output.detach())
        return {"loss": sum(losses), "y_pred": torch.cat(outputs, dim=-2)}

    def _n_parts(self, steps, lengths, columns=None):
        """In how many parts to train a batch: those whose memory oneDNN's LSTM gets again.

        A larger part takes up to 1.6 times as long for each sequence: its blocks are larger than
        what glibc keeps, so that the system clears new pages for them at each batch. Other cells,
        and numbers in float64, are computed without oneDNN, step by step in small blocks. More
        than two threads want large parts.
        """
        by_onednn = (
            self.device == "cpu"
            and self.module__cell == "lstm"
            and self.module__dtype is torch.float32
        )
        if columns is not None or not by_onednn or torch.get_num_threads() > 2:
            return 1
        n_steps, n_sequences = steps.shape[:2]
        fitting = OUTPUTS_IN_PART // (n_steps * self._width() * self.module__num_layers)
        return -(-n_sequences // max(fitting, SMALLEST_PART))

    def _width(self):
        """Outputs of a step: those of both directions."""
        return self.module__hidden_size * (2 if self.module__bidirectional else 1)

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
        self.module_.load_state_dict({name: torch.tensor(w) for name, w in weights.items()})
        self.module_.eval()
        self.history_ = History(history)
        return self

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; at the end of an epoch all of them, even if one asks to stop."""
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        stop = False
        for name, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **cb_kwargs)
            except StopTraining:
                stop = True
            except KeyboardInterrupt:  # how skorch's own ask for it
                if (name, callback) not in self._lasting_callbacks:
                    raise
                stop = True
        if stop:
            raise StopTraining

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run one epoch of training or validation."""
        if iterator is None:
            return
        per_batch = any(_listens_to_batches(callback) for _, callback in self.callbacks_)
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        total_weight = 0
        for batch in iterator:
            if per_batch:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            target, weight = batch[1]
            weight = _total_weight(target, weight)
            total += step["loss"].detach() * weight
            total_weight += weight
            if per_batch:
                self.notify("on_batch_end", batch=batch, training=training, **step)
        loss = (total / total_weight).item()
        finite = np.isfinite(loss) and all(w.isfinite().all() for w in self.module_.parameters())
        if not finite:
            raise Diverged(
                f"The training diverged in epoch {len(self.history)}, with a {prefix} loss of "
                f"{loss:.4g}. Lower lr (it is {self.lr}) or clip_grad_norm, or set "
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


def _total_weight(target, weight):
    """Weight of a batch: the number of its sequences, if they have no weights."""
    return len(target) if weight is None else weight.sum(dtype=torch.float64)


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


def flops_of_step(batch_size, hidden_size):
    """Count the operations of one step of a recurrent layer.

    Parameters
    ----------
    batch_size : int
        Number of sequences computed together.
    hidden_size : int
        Units of the layer.

    Returns
    -------
    int
        Of the matrix product ``batch_size x hidden_size`` by ``hidden_size x 4 hidden_size``.
    """
    return 8 * batch_size * hidden_size**2


@contextmanager
def suitable_threads(batch_size, hidden_size):
    """Use no more threads than have something to do.

    On small matrix products threads wait for each other, and two are slower than one. A rule by
    size, not a trial by time, as results must not depend on how busy the machine is.

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
    flops = flops_of_step(batch_size, hidden_size)
    useful = 1 if flops < TWO_THREADS_FROM_FLOPS else max(2, int(flops // FLOPS_OF_THREAD))
    torch.set_num_threads(min(useful, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
    except RuntimeError as error:
        on_cpu = "can't allocate memory" in str(error)
        if not on_cpu and not isinstance(error, torch.OutOfMemoryError):
            raise
        raise MemoryError(
            f"Out of memory on {device} with batches of {batch_size} sequences. Lower {setting}, "
            "then hidden_size, num_layers or the length of the sequences (window_size), or use "
            "device='cpu'."
        ) from error
