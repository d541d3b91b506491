"""The device of a network, the number of threads, and errors when memory runs out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch

from sklstm._data.warning import DeviceWarning, warn

__all__ = [
    "device_here",
    "explain_large_batches",
    "explain_out_of_memory",
    "flops_of_step",
    "resolve_device",
    "suitable_threads",
]

TWO_THREADS_FROM_FLOPS = 1e6  # measured on two cores
FLOPS_OF_THREAD = 2e6  # where there are more: cautious, not measured
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED")
"""Messages of the CPU, accelerators, cuBLAS and cuDNN, which raise no error class of their own."""


class _ThreadUsers:
    """How many trainings have set torch's number of threads, and what it was before the first.

    A new thread takes the number that any thread set last. While others train, that is their
    number, not the one of the process.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count no trainings: a forked process has none of those of its parent."""
        self.lock, self.n_users, self.n_threads = Lock(), 0, 0

    def enter(self) -> int:
        """Register a training, and return the number of threads of the process without any."""
        with self.lock:
            if not self.n_users:
                self.n_threads = torch.get_num_threads()
            self.n_users += 1
            return self.n_threads

    def leave(self) -> None:
        """Unregister a training."""
        with self.lock:
            self.n_users -= 1


_users = _ThreadUsers()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_users.reset)


def resolve_device(name: str) -> torch.device:
    """Turn the name of a device into one that is there.

    Parameters
    ----------
    name : str
        ``"auto"`` for CUDA if there is a GPU that computes, else the CPU; or a name torch knows.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If torch does not know the device, or nothing can be computed on it here.

    Warns
    -----
    DeviceWarning
        If ``"auto"`` finds a GPU that does not compute.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        try:
            return _tried("cuda")
        except (RuntimeError, AssertionError) as error:  # too old for this torch, or taken
            warn(
                f"There is a GPU, which does not compute: {str(error).splitlines()[0]} The CPU is "
                "used. device='cpu' uses it without this warning.",
                DeviceWarning,
            )
            return torch.device("cpu")
    try:
        return _tried(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={name!r} cannot be used here: {str(error).splitlines()[0]} "
            "Use device='auto' for a GPU if there is one and the CPU if not, or 'cpu'."
        ) from error


def _tried(name: str) -> torch.device:
    """The device, on which something small was computed and read back."""
    device = torch.device(name)
    torch.ones(2, device=device).sum().item()
    return device


def device_here(name: str) -> torch.device:
    """Turn the name of the device that something was trained on into one that is there.

    Parameters
    ----------
    name : str
        A name torch knows.

    Returns
    -------
    torch.device
        The CPU if the device is not here.

    Warns
    -----
    DeviceWarning
        If the device is not here.
    """
    try:
        return resolve_device(name)
    except ValueError:
        warn(
            f"The estimator was fitted on {name}, which is not here: it predicts on the CPU.",
            DeviceWarning,
        )
        return torch.device("cpu")


def flops_of_step(batch_size: int, hidden_size: int) -> int:
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
def suitable_threads(batch_size: int, hidden_size: int) -> Iterator[None]:
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
    flops = flops_of_step(batch_size, hidden_size)
    useful = 1 if flops < TWO_THREADS_FROM_FLOPS else max(2, int(flops // FLOPS_OF_THREAD))
    n_threads = _users.enter()
    torch.set_num_threads(min(useful, n_threads))
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
        _users.leave()


@contextmanager
def explain_out_of_memory(device: Any, what: str, cure: str) -> Iterator[None]:
    """Raise an error that names what to lower when the device runs out of memory.

    Parameters
    ----------
    device : torch.device or str
        Named in the message.
    what : str
        What needed the memory, for the message.
    cure : str
        What to do.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    MemoryError
        In place of torch's own error.

    Examples
    --------
    >>> with explain_out_of_memory("cpu", "batches of 64", "Lower batch_size."):
    ...     raise RuntimeError("CUDNN_STATUS_ALLOC_FAILED")
    Traceback (most recent call last):
    MemoryError: Out of memory on cpu with batches of 64. Lower batch_size.
    """
    try:
        yield
    except RuntimeError as error:
        out_of_memory = isinstance(error, torch.OutOfMemoryError)
        if not out_of_memory and not any(text in str(error) for text in OUT_OF_MEMORY):
            raise
        raise MemoryError(f"Out of memory on {device} with {what}. {cure}") from error


def explain_large_batches(device: Any, batch_size: int, setting: str) -> Any:
    """`explain_out_of_memory` for what is computed in batches.

    Parameters
    ----------
    device : torch.device or str
        Named in the message.
    batch_size : int
        Named in the message.
    setting : str
        What the user sets to change it.

    Returns
    -------
    context manager
        For the computation.
    """
    return explain_out_of_memory(
        device,
        f"batches of {batch_size} sequences",
        f"Lower {setting}, then hidden_size, num_layers or the length of the sequences "
        "(window_size), or use device='cpu'.",
    )
