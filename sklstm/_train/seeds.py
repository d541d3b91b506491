"""Random numbers of a training: its own, whatever other threads draw."""

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
"""Held while torch's global generators are lent to a training."""


def _renew_lock() -> None:
    """A child of a fork begins with a lock of its own."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    # Nobody uses torch's generators during a fork: their locks would be locked for ever in the
    # child, and their states those of a training that is not there.
    os.register_at_fork(
        before=lambda: _lock.acquire(),
        after_in_parent=lambda: _lock.release(),
        after_in_child=_renew_lock,
    )


class RandomStream:
    """A training's own random numbers, on the CPU and on its device.

    torch draws initial weights and dropout from global generators only. `as_global` puts the
    state of this stream in their place and theirs back afterwards, under a lock that every
    training of the process shares: it is meant for a few lines of torch, never for callbacks.

    Parameters
    ----------
    seed : int
        Decides all numbers.
    device : torch.device
        Where the network is.

    Attributes
    ----------
    generator : torch.Generator
        On the CPU: decides the order of the rows.

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
        """Let torch's global generators go on with this stream, inside.

        Yields
        ------
        None
            Nothing; outside the global state is as it was found.
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
        """Tell where the stream is.

        Returns
        -------
        list of Tensor
            States of the generators, for `go_to`.
        """
        states = [self.generator.get_state()]
        return states if self._device_state is None else [*states, self._device_state]

    def go_to(self, state: list[torch.Tensor]) -> None:
        """Go to a place where a stream on a device of this kind was.

        Parameters
        ----------
        state : list of Tensor
            From `state`.
        """
        self.generator.set_state(state[0])
        if len(state) > 1 and self._device.type != "cpu":
            self._device_state = state[1]


def draw_seed(random_state: Any) -> int:
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
