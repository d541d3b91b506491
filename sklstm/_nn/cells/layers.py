"""What the network needs of a cell, and layers made of one of them for each direction."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["RecurrentLayers", "StackedLayers"]


class RecurrentLayers(nn.Module, ABC):
    """Recurrent layers of one cell, in one or two directions.

    Sequences of different lengths are not packed; for the backward direction each is reversed by
    itself. Packed sequences use slow algorithms of torch, and synchronise with the device at every
    batch.

    Attributes
    ----------
    input_size : int
        Number of inputs of a step.
    num_layers : int
        Number of layers.
    bidirectional : bool
        Whether a second set of layers reads the sequence backwards.
    dropout : float
        Probability of an output between two layers to be zeroed in training.
    """

    trained_in_parts = False
    """Whether parts of a batch are trained one after the other on a CPU, which is faster for cells
    that compute all steps in one call: see `steps_in_part`."""

    input_size: int
    num_layers: int
    bidirectional: bool
    dropout: float

    @abstractmethod
    def run(self, steps: torch.Tensor, layers: range, directions: range) -> torch.Tensor:
        """Run some layers one after the other.

        Parameters
        ----------
        steps : Tensor of shape (n_steps, n_sequences, n_inputs)
            In the data type to compute in: bfloat16 in mixed precision, whatever the weights have.
        layers : range
            Numbers of the layers.
        directions : range
            ``range(1)`` forwards, ``range(1, 2)`` the backward layers on steps that are reversed
            already, ``range(2)`` both on sequences of equal length.

        Returns
        -------
        Tensor of shape (n_steps, n_sequences, n_directions * hidden_size)
            Outputs of every step.
        """

    def to_onnx(self, op: Any, steps: str, lengths: str) -> str:
        """Append the nodes of the layers to an ONNX model.

        Parameters
        ----------
        op : sklstm._nn.onnx.Operations
            Gets the nodes.
        steps : str
            Name of the inputs, ``(n_steps, n_sequences, n_inputs)``.
        lengths : str
            Name of the number of steps of each sequence, int64.

        Returns
        -------
        str
            Name of the outputs of every step; undefined after the end of a sequence.

        Raises
        ------
        ValueError
            If the cell has no nodes of ONNX.
        """
        backwards = _reversal_in_onnx(op, steps, lengths) if self.bidirectional else ""
        for layer in range(self.num_layers):
            outputs = self.layer_in_onnx(op, steps, layer, 0)
            if self.bidirectional:
                back = self.layer_in_onnx(op, _picked_in_onnx(op, steps, backwards), layer, 1)
                outputs = op("Concat", outputs, _picked_in_onnx(op, back, backwards), axis=2)
            steps = outputs
        return steps

    def layer_in_onnx(self, op: Any, steps: str, layer: int, direction: int) -> str:
        """Append the nodes of one layer and direction, which reads sequences from their begin."""
        raise ValueError(
            f"to_onnx cannot write layers of the cell {type(self).__name__}: it has no nodes of "
            "ONNX. Use cell='lstm', 'gru' or 'rnn', or predict with sklstm."
        )

    def read(self, steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Compute the outputs of every step.

        Parameters
        ----------
        steps : Tensor of shape (n_steps, n_sequences, input_size)
            Inputs.
        lengths : Tensor of shape (n_sequences,), or None
            Number of steps of each sequence; None for ``n_steps``.

        Returns
        -------
        Tensor of shape (n_steps, n_sequences, n_directions * hidden_size)
            Undefined after the end of a sequence.
        """
        directions = range(2 if self.bidirectional else 1)
        drops = self.training and self.dropout > 0
        backwards = None
        if lengths is not None and self.bidirectional:
            backwards = _reversal(len(steps), lengths)
        if backwards is None and not drops:
            return self.run(steps, range(self.num_layers), directions)
        for layer in range(self.num_layers):
            this = range(layer, layer + 1)
            if layer > 0 and drops:  # the state of cuDNN's own dropout cannot be stored
                steps = nn.functional.dropout(steps, self.dropout)
            if backwards is None:
                steps = self.run(steps, this, directions)
            else:
                forth = self.run(steps, this, range(1))
                back = self.run(_picked(steps, backwards), this, range(1, 2))
                steps = torch.cat([forth, _picked(back, backwards)], dim=2)
        return steps


class StackedLayers(RecurrentLayers):
    """Layers of a cell that is no function of torch: a subclass says what one layer computes.

    A subclass sets `make_layer`. In mixed precision the layers run under autocast.

    Parameters
    ----------
    input_size : int
        Number of inputs of a step.
    hidden_size : int
        Units of a layer and direction.
    num_layers : int, default=1
        Number of layers.
    bidirectional : bool, default=False
        Whether a second set of layers reads the sequence backwards.
    dropout : float, default=0.0
        Probability of an output between two layers to be zeroed in training.
    """

    make_layer: type[nn.Module]
    """``make_layer(n_inputs, n_units)``: a module that turns steps of the shape ``(n_steps,
    n_sequences, n_inputs)`` into outputs ``(n_steps, n_sequences, n_units)``, each of which depends
    on no later step. Its ``to_onnx(op, steps)``, if it has one, does the same in ONNX."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.input_size = input_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.n_directions = 2 if bidirectional else 1
        self.layers = nn.ModuleList(
            self.make_layer(hidden_size * self.n_directions if layer else input_size, hidden_size)
            for layer in range(num_layers)
            for _ in range(self.n_directions)
        )

    def run(self, steps: torch.Tensor, layers: range, directions: range) -> torch.Tensor:
        """Run some layers, one direction after the other."""
        mixed = steps.dtype != next(self.parameters()).dtype
        with torch.autocast(steps.device.type, torch.bfloat16, enabled=mixed):
            for layer in layers:
                of_layer = [self.layers[layer * self.n_directions + way] for way in directions]
                outputs = [of_layer[0](steps)]
                if len(directions) == 2:
                    outputs.append(of_layer[1](steps.flip(0)).flip(0))
                steps = torch.cat(outputs, dim=2)
        return steps

    def layer_in_onnx(self, op: Any, steps: str, layer: int, direction: int) -> str:
        """Append the nodes of one layer, by its own `to_onnx`."""
        if not hasattr(self.make_layer, "to_onnx"):
            return super().layer_in_onnx(op, steps, layer, direction)
        one: Any = self.layers[layer * self.n_directions + direction]
        outputs: str = one.to_onnx(op, steps)
        return outputs


def _reversal(n_steps: int, lengths: torch.Tensor) -> torch.Tensor:
    """Index that reverses each sequence; steps after its end are moved too."""
    steps = torch.arange(n_steps, device=lengths.device)[:, None]
    columns = torch.arange(len(lengths), device=lengths.device)
    return ((lengths - 1 - steps) % n_steps * len(lengths) + columns).flatten()


def _picked(outputs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Steps in another order; `rows` count the steps of all sequences."""
    return outputs.flatten(0, 1).index_select(0, rows).view_as(outputs)


def _reversal_in_onnx(op: Any, steps: str, lengths: str) -> str:
    """The same as an index of ``(n_steps, n_sequences, 1)``, within each sequence.

    ONNX's own reverse direction needs `sequence_lens`, which some runtimes do not read.
    """
    n_steps = op("Squeeze", op("Shape", steps, start=0, end=1))
    place = op("Unsqueeze", op("Range", np.int64(0), n_steps, np.int64(1)), np.array([1]))
    back = op("Sub", op("Sub", lengths, np.int64(1)), place)
    return op("Unsqueeze", op("Mod", back, n_steps), np.array([2]))


def _picked_in_onnx(op: Any, steps: str, places: str) -> str:
    return op("GatherElements", steps, op("Expand", places, op("Shape", steps)), axis=0)
