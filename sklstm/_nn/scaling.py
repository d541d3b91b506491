"""Input scaling: from steps in the units of users to inputs of the network."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_array

from sklstm._data.categories import few_values
from sklstm._data.sequences import Sequences
from sklstm._data.statistics import medians, standardization
from sklstm._nn.input_transform import INPUT_TRANSFORMS, InputReader

__all__ = ["InputScaling", "shared_tensor", "to_device"]

BLOCK = 2**14
"""Rows that are scaled at a time on a CPU. A sixteenth takes 1.8 times as long, a fourth or four
times as many 1.1 times: `benchmarks/constants.py`."""

VALUES_IN_BLOCK = 2**21
"""Values that are scaled at a time on a GPU, 16 MB in double precision: estimated, few calls for
a table and little memory for each."""
LARGEST_INPUT = float(np.finfo(np.float32).max) / 1000
"""Standard deviations from the mean up to which differences between inputs, and their products with
weights up to 1000, are finite in single precision."""
NO_FLOAT64 = {"mps", "xpu"}
"""Kinds of devices that do not support float64, or not always."""

LAST_SEEN = """
    last_seen (double[batch, n_features] seen_before, double[batch, n_features] age_before,
               double[batch, n_features] value)
    => (double[batch, n_features] seen, double[batch, n_features] age,
        double[batch, n_features] filled, double[batch, n_features] since)
    {
        missing = IsNaN (value)
        none = Constant <value = double {0.0}> ()
        one = Constant <value = double {1.0}> ()
        older = Add (age_before, one)
        seen = Where (missing, seen_before, value)
        age = Where (missing, older, none)
        filled = Identity (seen)
        since = Identity (age)
    }
"""
"""One step of `fill_missing` in ONNX."""


@dataclass(frozen=True)
class InputScaling:
    """How steps become inputs of the network, as learned from the training steps.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_numbers,)
        A step is scaled to ``(step - mean) / scale``: the features that are no categories.
    median : ndarray of float64, shape (n_numbers,), or None
        Replaces values that are missing since the beginning. None: NaN is an error.
    n_tokens : int or None
        Number of tokens, if steps are tokens: they are not scaled, and unknown ones are token 0.
    input_transform : tuple of str
        Some of `INPUT_TRANSFORMS`, in their order.
    learned : dict of str to ndarray of float64, or None
        What each of them learned.
    n_codes : dict of int to int
        Features that are categories, and the number of their codes; code 0 is unknown.
    """

    mean: np.ndarray
    scale: np.ndarray
    median: np.ndarray | None = None
    n_tokens: int | None = None
    input_transform: tuple[str, ...] = ("levels",)
    learned: Mapping[str, np.ndarray | None] = field(default_factory=dict)
    n_codes: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def learn(
        cls,
        sequences: Sequences,
        weight: np.ndarray | None,
        *,
        standardize: bool,
        missing: str,
        input_transform: Sequence[str] = ("levels",),
    ) -> "InputScaling":
        """Learn location and scale of each feature from the steps that the sequences use.

        Parameters
        ----------
        sequences : Sequences
            Training sequences.
        weight : ndarray of shape (n_sequences,), or None
            Their weights.
        standardize : bool
            Whether to scale to mean 0 and standard deviation 1.
        missing : {"error", "mask"}
            Whether NaN is an error, or masked: inputs of the network mark missing values.
        input_transform : sequence of str
            Some of `INPUT_TRANSFORMS`.

        Returns
        -------
        InputScaling
            For steps of these features.

        Raises
        ------
        ValueError
            If a feature is missing in every step.
        """
        n_codes = {k: len(values) + 1 for k, values in sorted(sequences.categories.items())}
        sequences = sequences.numbers()
        mean, scale = np.zeros(sequences.n_features), np.ones(sequences.n_features)
        median = None
        if missing == "mask":
            _refuse_missing_features(sequences)
            median = medians(sequences, weight)
        if standardize:
            mean, scale = standardization(sequences, weight)
        of_steps = scale if standardize else None
        learned = {
            name: INPUT_TRANSFORMS[name].learn(sequences, weight, of_steps)
            for name in input_transform
        }
        return cls(mean, scale, median, None, tuple(input_transform), learned, n_codes)

    @classmethod
    def of_tokens(cls, sequences: Sequences, vectors: Any) -> "InputScaling":
        """Count the tokens, and compare their vectors with them.

        Parameters
        ----------
        sequences : Sequences
            Training sequences of tokens.
        vectors : array-like of shape (n_tokens, n_dimensions), or None
            Vectors of the user, whose number then is that of the tokens.

        Returns
        -------
        InputScaling
            For tokens.

        Raises
        ------
        ValueError
            If a token has no vector.
        """
        used = sequences.step_weights() > 0
        n_tokens = int(sequences.values[used].max(initial=0)) + 1
        if vectors is not None:
            weights = check_array(vectors, input_name="embedding")
            if len(weights) < n_tokens:
                raise ValueError(
                    f"embedding has the shape {weights.shape}; expected a row for each of the "
                    f"tokens 0 to {n_tokens - 1} in X."
                )
            n_tokens = len(weights)
        return cls(np.zeros(1), np.ones(1), n_tokens=n_tokens)

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the network at a step, without the codes of categories."""
        n_features = len(self.mean)
        n_masks = 0 if self.median is None else 2 * n_features
        return n_masks + sum(
            INPUT_TRANSFORMS[name].n_inputs(n_features) for name in self.input_transform
        )

    def in_range(self, values: np.ndarray) -> np.ndarray:
        """Find the numbers that the network can compute with.

        Parameters
        ----------
        values : ndarray of shape (n_steps, n_features)
            Steps in the units of users.

        Returns
        -------
        ndarray of bool, shape (n_steps, n_features)
            False for NaN and infinity, and for what is infinite in single precision once it is
            scaled, such as a fill value of 1e38.
        """
        largest = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            reach = LARGEST_INPUT * self.scale
            low = np.maximum(self.mean - reach, -largest)
            high = np.minimum(self.mean + reach, largest)
        if not self.n_codes:
            return (values >= low) & (values <= high)
        inside, numbers = np.isfinite(values), self._numbers(values.shape[1])
        inside[:, numbers] = (values[:, numbers] >= low) & (values[:, numbers] <= high)
        return inside

    def to_tensor(
        self, values: np.ndarray, dtype: torch.dtype, device: torch.device
    ) -> torch.Tensor:
        """Scale steps; missing values stay NaN.

        Parameters
        ----------
        values : ndarray of shape (n_steps, n_features)
            Steps.
        dtype : torch.dtype
            Data type of the network.
        device : torch.device
            Target device, where they are scaled if it supports float64.

        Returns
        -------
        Tensor of shape (n_steps + 1, n_features)
            On the device, with a row of zeros, the padding, at the end; tokens as int32, and codes
            of categories behind all other features.
        """
        if self.n_tokens is not None:
            is_known = (values >= 0) & (values < self.n_tokens)
            tokens = np.zeros((len(values) + 1, 1), dtype=np.int32)
            tokens[:-1] = np.where(is_known, values, 0)
            return to_device(torch.from_numpy(tokens), device)
        codes = self._codes(values)
        if self.n_codes:
            values = values[:, self._numbers(values.shape[1])]
        scaled_there = device.type not in {"cpu", *NO_FLOAT64}
        there = device if scaled_there else torch.device("cpu")
        mean, scale = shared_tensor(self.mean).to(there), shared_tensor(self.scale).to(there)
        n_numbers, width = values.shape[1], values.shape[1] + codes.shape[1]
        padded = torch.zeros((len(values) + 1, width), dtype=dtype, device=device)
        if codes.shape[1]:
            padded[:-1, n_numbers:] = to_device(shared_tensor(codes), device)
        size = max(VALUES_IN_BLOCK // max(n_numbers, 1), 1) if scaled_there else BLOCK
        for start in range(0, len(values), size):  # in float64, without such a copy of the table
            part = values[start : start + size]
            if scaled_there and part.dtype == np.float32:  # half as much to carry
                block = to_device(shared_tensor(part), device).double()
            else:
                block = to_device(torch.from_numpy(part.astype(np.float64)), there)
            padded[start : start + len(block), :n_numbers] = block.sub_(mean).div_(scale)
        return padded

    def _numbers(self, n_features: int) -> list[int]:
        """The features that are no categories."""
        return [k for k in range(n_features) if k not in self.n_codes]

    def _codes(self, values: np.ndarray) -> np.ndarray:
        """Codes of the categories, (n_steps, n_categories); 0 for any that was not seen."""
        codes = values[:, list(self.n_codes)].astype(np.float32)
        codes[~((codes >= 0) & (codes < list(self.n_codes.values())))] = 0
        return codes

    def reader(self, device: torch.device, dtype: torch.dtype) -> "InputReader":
        """Make the reader that turns scaled steps into inputs of the network.

        Parameters
        ----------
        device : torch.device
            Where batches are made.
        dtype : torch.dtype
            Data type of the network.

        Returns
        -------
        InputReader
            For batches of steps.
        """

        def tensor(array: np.ndarray | None) -> torch.Tensor | None:
            return None if array is None else torch.tensor(array, device=device, dtype=dtype)

        fill = None if self.median is None else (self.median - self.mean) / self.scale
        return InputReader(
            tensor(fill),
            [
                (INPUT_TRANSFORMS[name], tensor(self.learned.get(name)))
                for name in self.input_transform
            ],
            len(self.n_codes),
        )

    def to_onnx(self, op: Any) -> tuple[str, str]:
        """Declare the input of an ONNX model, and append the nodes that scale it.

        Parameters
        ----------
        op : sklstm._nn.onnx.Operations
            Gets the nodes.

        Returns
        -------
        inputs : str
            Name of the inputs of the network, float, or of the tokens, int64.
        steps : str
            Name of the steps that an init reads, in the units of the user and none of them missing,
            or of the tokens.
        """
        if self.n_tokens is not None:
            tokens = op.input("tokens", "int64", ["batch", "n_steps"], "Tokens of each sequence.")
            is_known = op(
                "And",
                op("GreaterOrEqual", tokens, np.int64(0)),
                op("Less", tokens, np.int64(self.n_tokens)),
            )
            tokens = op("Where", is_known, tokens, np.int64(0))
            return tokens, tokens
        n_numbers = len(self.mean)
        steps = op.input(
            "steps",
            "double",
            ["batch", "n_steps", n_numbers + len(self.n_codes)],
            "Features of each step of each sequence, in their own units; codes of categories.",
        )
        codes: list[str] = []
        one_hot: list[str] = []
        masks: list[str] = []
        if self.n_codes:
            steps, codes, one_hot = self._codes_to_onnx(op, steps)
        if self.median is not None:
            shape = op("Concat", op("Shape", steps, end=1), np.array([n_numbers]), axis=0)
            start = op("Expand", np.asarray(self.median), shape), op("Expand", np.float64(0), shape)
            names = ["seen", "age", "filled", "since"]
            in_time = op("Transpose", steps, perm=[1, 0, 2])
            found = op.scan(LAST_SEEN, start, [in_time], names)
            filled, since = (op("Transpose", one, perm=[1, 0, 2]) for one in found)
            masks = [
                op.cast(op("IsNaN", steps), "float32"),
                op.cast(op("Log", op("Add", since, np.float64(1))), "float32"),
            ]
            steps = filled
        centred = op("Sub", steps, np.asarray(self.mean))
        scaled = op("Div", centred, np.asarray(self.scale))
        inputs = [
            op.cast(INPUT_TRANSFORMS[name].to_onnx(op, scaled, self.learned.get(name)), "float32")
            for name in self.input_transform
        ]
        if one_hot:
            steps = op("Concat", steps, *one_hot, axis=2)
        return op("Concat", *inputs, *masks, *codes, axis=2), steps

    def _codes_to_onnx(self, op: Any, steps: str) -> tuple[str, list[str], list[str]]:
        """The numbers among the features; codes of the categories; their few values, 0 and 1."""
        n_codes = np.array(list(self.n_codes.values()), dtype=np.float64)
        given = op("Gather", steps, np.array(list(self.n_codes)), axis=2)
        known = op("And", op("GreaterOrEqual", given, np.float64(0)), op("Less", given, n_codes))
        given = op("Where", known, given, np.float64(0))
        one_hot = []
        for k, n in few_values({k: range(1, n) for k, n in self.n_codes.items()}).items():
            code = op("Gather", given, np.array([list(self.n_codes).index(k)]), axis=2)
            one_hot.append(op.cast(op("Equal", code, np.arange(1.0, n + 1)), "double"))
        numbers = np.array(self._numbers(len(self.mean) + len(n_codes)), dtype=np.int64)
        return op("Gather", steps, numbers, axis=2), [op.cast(given, "float32")], one_hot


def shared_tensor(array: np.ndarray) -> torch.Tensor:
    """Make a tensor that shares memory with the array if possible.

    Parameters
    ----------
    array : ndarray
        Copied if it is read-only, as pandas' and memory-mapped arrays are, or not contiguous.

    Returns
    -------
    Tensor
        On the CPU.
    """
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device asynchronously.

    Parameters
    ----------
    tensor : Tensor
        On the CPU.
    device : torch.device
        A CUDA one copies in the background from pinned memory only.

    Returns
    -------
    Tensor
        The same tensor if the device is the CPU.
    """
    if device.type == "cuda":
        with suppress(RuntimeError):  # there may be no more pinned memory: then the copy is slower
            tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _refuse_missing_features(sequences: Sequences) -> None:
    used = sequences.values[sequences.step_weights() > 0]
    gone = np.flatnonzero(np.isnan(used).all(axis=0))
    if len(gone):
        names = sequences.feature_names
        raise ValueError(
            f"Feature {gone[0] if names is None else repr(names[gone[0]])} is missing in every "
            "training step: there is nothing to learn from it. Leave it out."
        )
