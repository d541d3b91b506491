"""Random numbers of a training, independent of those of other threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

__all__ = ["RandomStream", "draw_seed"]

_lock = RLock()
"""Held while torch's global generators have the state of a training."""


def _renew_lock() -> None:
    """Give a forked process a lock of its own."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    # The lock keeps others from torch's generators during a fork: else their locks would stay
    # locked in the child, and their states would be those of a training that is not there.
    os.register_at_fork(
        before=lambda: _lock.acquire(),
        after_in_parent=lambda: _lock.release(),
        after_in_child=_renew_lock,
    )


class RandomStream:
    """A training's own random numbers, on the CPU and on its device.

    torch draws initial weights and dropout from global generators only. `as_global` sets their
    state to that of this stream and restores theirs afterwards, under a lock that all trainings of
    the process share: it is meant for a few lines of torch, never for callbacks.

    Parameters
    ----------
    seed : int
        Seed of all numbers.
    device : torch.device
        Where the network is.

    Attributes
    ----------
    generator : torch.Generator
        On the CPU, for the order of the rows.

    Examples
    --------
    >>> import torch
    >>> stream = RandomStream(0, torch.device("cpu"))
    >>> with stream.as_global():
    ...     first = torch.rand(2)
    >>> torch.equal(first, torch.rand(2, generator=torch.Generator().manual_seed(0)))
    True
    """

    def __init__(self, seed: int, device: torch.device):
        self.generator = torch.Generator().manual_seed(seed)
        self._seed = seed
        self._device = device
        self._device_state: Any = None

    @contextmanager
    def as_global(self) -> Iterator[None]:
        """Let torch's global generators continue this stream.

        Yields
        ------
        None
            Nothing; the global state is restored at the end.
        """
        with _lock:
            before = torch.get_rng_state()
            torch.set_rng_state(self.generator.get_state())
            try:
                with self._on_device():
                    yield
            finally:
                self.generator.set_state(torch.get_rng_state())
                torch.set_rng_state(before)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        if self._device.type == "cpu":
            yield
            return
        there = torch.get_device_module(self._device)
        only_one = self._device.type == "mps"
        which = () if only_one else (self._device,)
        before = there.get_rng_state(*which)
        if self._device_state is None:
            with nullcontext() if only_one else there.device(self._device):
                there.manual_seed(self._seed)
        else:
            there.set_rng_state(self._device_state, *which)
        try:
            yield
        finally:
            self._device_state = there.get_rng_state(*which)
            there.set_rng_state(before, *which)

    def state(self) -> list[torch.Tensor]:
        """Return the state of the stream.

        Returns
        -------
        list of Tensor
            States of the generators, for `go_to`.
        """
        states = [self.generator.get_state()]
        return states if self._device_state is None else [*states, self._device_state]

    def go_to(self, state: list[torch.Tensor]) -> None:
        """Restore the state of a stream on a device of this kind.

        Parameters
        ----------
        state : list of Tensor
            From `state`.
        """
        self.generator.set_state(state[0])
        if len(state) > 1 and self._device.type != "cpu":
            self._device_state = state[1]


def draw_seed(random_state: Any) -> int:
    """Draw the seed of all random numbers of a fit.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None takes fresh entropy, not NumPy's global state, which a fit does not change.

    Returns
    -------
    int
        A seed below 2**31.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))
