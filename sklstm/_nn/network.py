"""The network: recurrent layers, pooling over time, linear head. Time is the first axis."""

from collections.abc import Callable, Sequence
from itertools import chain

import torch
from torch import nn

__all__ = ["CELLS", "POOLINGS", "SequenceNetwork"]

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
RUNS: dict[str, Callable] = {"LSTM": torch.lstm, "GRU": torch.gru, "RNN_TANH": torch.rnn_tanh}


SMALL = 0.1
"""Initial standard deviation of word vectors, where a text has one output."""

ALPHABET = 256
"""Largest number of tokens of an alphabet, such as characters; more are a vocabulary of words."""


class SequenceNetwork(nn.Module):
    """Recurrent layers that read a sequence, a pooling over its steps, a linear head.

    The recurrent layers are those of :class:`torch.nn.LSTM` (Hochreiter and Schmidhuber 1997, with
    the forget gate of Gers et al. 2000), :class:`torch.nn.GRU` (Cho et al. 2014) or
    :class:`torch.nn.RNN` with tanh (Elman 1990). Dropout acts behind the embedding, between the
    layers and in front of the head; with a pooling it also makes whole tokens unknown, token 0,
    half as often (Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for Text
    Classification", ACL 2015).

    Initial vectors of tokens have a standard deviation of 1 if there is an output at every step or
    the tokens are an alphabet, so that the network distinguishes tokens from the first batch on:
    small vectors would take epochs to grow. Where a text of words has one output they are small:
    most words are rare, and those that training hardly changes should have little effect.

    Parameters
    ----------
    n_features : int
        Number of features of a step.
    n_outputs : int
        Number of outputs of a sequence.
    hidden_size : int
        Units of a layer and direction.
    num_layers : int
        Number of recurrent layers.
    cell : {"lstm", "gru", "rnn"}
        Kind of recurrent layer.
    bidirectional : bool
        Whether a second set of layers reads the sequence backwards.
    dropout : float
        Probability of an element to be zeroed in training.
    pooling : {"last", "mean", "max", "attention"} or None
        Pooling of the outputs of all steps to one vector; None for an output at every step.
    n_tokens : int, default=None
        Number of tokens, if steps are tokens that go through an embedding.
    embedding_dim : int, default=1
        Length of the vector of a token.
    freeze_embedding : bool, default=False
        Whether these vectors are fixed.
    mixed_precision : bool, default=False
        Whether the recurrent layers compute in bfloat16.
    dtype : torch.dtype
        Data type of the weights.

    Shape
    -----
    - steps: ``(n_steps, n_sequences, n_features)``, zero after the end of a sequence; tokens
      ``(n_steps, n_sequences, 1)``
    - lengths: ``(n_sequences,)``, or None if every sequence has ``n_steps`` steps
    - output: ``(n_sequences, n_outputs)``; ``(n_steps, n_sequences, n_outputs)`` if `pooling` is
      None, undefined after the end of a sequence

    With ``columns`` of shape ``(n_rows,)``, for one-directional networks with ``pooling="last"``,
    row ``i`` is the first ``lengths[i]`` steps of column ``columns[i]``, and there is an output for
    each row: several sequences that begin together are computed as one.

    Examples
    --------
    >>> import torch
    >>> network = SequenceNetwork(n_features=3, n_outputs=2, hidden_size=8)
    >>> network(torch.zeros(5, 4, 3), torch.tensor([5, 2, 0, 1])).shape
    torch.Size([4, 2])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_size: int,
        num_layers: int = 1,
        cell: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        pooling: str | None = "last",
        n_tokens: int | None = None,
        embedding_dim: int = 1,
        freeze_embedding: bool = False,
        mixed_precision: bool = False,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.mixed_precision = mixed_precision
        self.embedding = None
        if n_tokens is not None:
            self.embedding = nn.Embedding(n_tokens, embedding_dim)
            if pooling is not None and n_tokens > ALPHABET:
                nn.init.normal_(self.embedding.weight, std=SMALL)
            self.embedding.requires_grad_(not freeze_embedding)
        self.recurrent = CELLS[cell](
            n_features if n_tokens is None else embedding_dim,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        width = hidden_size * (2 if bidirectional else 1)
        self.pooling = None if pooling is None else POOLINGS[pooling](width, bidirectional)
        self.dropout = dropout
        self.head = nn.Linear(width, n_outputs)
        self.to(dtype)

    def forward(
        self,
        steps: torch.Tensor,
        lengths: torch.Tensor | None = None,
        columns: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute the outputs of each sequence, or row that reads a column of steps."""
        self._check_shapes(steps, lengths, columns)
        if self.embedding is not None:
            steps = self._dropped(self.embedding(self._with_unknown(steps[..., 0])))
        outputs = self._read(steps, lengths)
        if self.pooling is None:
            pooled = outputs
        elif lengths is None:
            pooled = self.pooling(outputs)
        else:
            some = lengths.clamp(min=1)
            if columns is None:
                pooled = self.pooling(outputs, some)
            else:
                pooled = _outputs_at(outputs, some, columns)
            pooled = pooled * (lengths > 0)[:, None]  # an empty sequence has no outputs
        return self.head(self._dropped(pooled))

    def _check_shapes(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, columns: torch.Tensor | None
    ) -> None:
        """Raise an error for wrong shapes, which torch's recurrent functions do not check."""
        width = self.recurrent.input_size if self.embedding is None else 1
        if steps.ndim != 3 or steps.shape[2] != width:
            raise ValueError(
                f"steps have the shape {tuple(steps.shape)} and must have (n_steps, n_sequences, "
                f"{width}): time first, and as many inputs as in training. Those of an estimator "
                "are scaled, and may be more than its features: its predict makes them."
            )
        if lengths is not None and columns is None and lengths.shape != steps.shape[1:2]:
            raise ValueError(
                f"lengths have the shape {tuple(lengths.shape)} and must have "
                f"({steps.shape[1]},): one for each sequence of steps."
            )

    def _dropped(self, values: torch.Tensor) -> torch.Tensor:
        """Values with dropout, in training."""
        if not self.dropout:
            return values
        return nn.functional.dropout(values, self.dropout, self.training)

    def _with_unknown(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens, some of them made unknown in training unless each has its own output."""
        if not self.training or not self.dropout or self.pooling is None:
            return tokens
        return tokens * (torch.rand(tokens.shape, device=tokens.device) >= self.dropout / 2)

    def _read(self, steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Outputs of every step, (n_steps, n_sequences, width).

        Sequences of different lengths are not packed; for the backward direction each is reversed
        by itself. Packed sequences use slow algorithms of torch, and synchronise with the device at
        every batch.
        """
        layers, weights = self.recurrent, self.recurrent.all_weights
        n_directions = 2 if layers.bidirectional else 1
        dtype, drops = steps.dtype, layers.training and layers.dropout > 0
        if self.mixed_precision:  # autocast would use float16 on CUDA
            steps = steps.bfloat16()
        backwards = None
        if lengths is not None and layers.bidirectional:
            backwards = _reversal(len(steps), lengths)
        if backwards is None and not drops:
            return self._run(steps, weights, n_directions).to(dtype)
        for layer in range(layers.num_layers):
            if layer > 0 and drops:  # the state of cuDNN's own dropout cannot be stored
                steps = nn.functional.dropout(steps, layers.dropout)
            of_layer = weights[layer * n_directions : (layer + 1) * n_directions]
            if backwards is None:
                steps = self._run(steps, of_layer, n_directions)
            else:
                forth = self._run(steps, of_layer[:1])
                back = self._run(_picked(steps, backwards), of_layer[1:])
                steps = torch.cat([forth, _picked(back, backwards)], dim=2)
        return steps.to(dtype)

    def _run(
        self, steps: torch.Tensor, weights: Sequence[Sequence[torch.Tensor]], n_directions: int = 1
    ) -> torch.Tensor:
        """Outputs of the layers whose weights are given, for each layer and direction."""
        layers = self.recurrent
        some = len(weights) < layers.num_layers * (2 if layers.bidirectional else 1)
        if self.mixed_precision or (some and steps.device.type != "cpu"):
            weights = _in_one_block(weights, steps.dtype)
        zeros = steps.new_zeros(len(weights), steps.shape[1], layers.hidden_size)
        return RUNS[layers.mode](
            steps,
            (zeros, zeros) if layers.mode == "LSTM" else zeros,
            list(chain.from_iterable(weights)),
            True,
            len(weights) // n_directions,
            0.0,
            layers.training,
            n_directions == 2,
            False,
        )[0]


class LastPooling(nn.Module):
    """The output after the last step; of the backward direction that after the first step.

    Shape
    -----
    - outputs: ``(n_steps, n_sequences, width)``
    - lengths: ``(n_sequences,)``, at least 1, or None for ``n_steps``
    - output: ``(n_sequences, width)``
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()
        self.forward_width = width // 2 if bidirectional else width

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Pick the outputs."""
        if lengths is None:
            last = outputs[-1]
        else:
            columns = torch.arange(outputs.shape[1], device=outputs.device)
            last = _outputs_at(outputs, lengths, columns)
        if self.forward_width == outputs.shape[2]:
            return last
        first = outputs[0, :, self.forward_width :]
        return torch.cat([last[:, : self.forward_width], first], dim=1)


class MeanPooling(nn.Module):
    """The mean over the steps of each sequence.

    Shape
    -----
    As :class:`LastPooling`.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Average over the steps."""
        if lengths is None:
            return outputs.mean(0)
        return (outputs * _inside(outputs, lengths)).sum(0) / lengths[:, None]


class MaxPooling(nn.Module):
    """The maximum over the steps of each sequence, unit by unit.

    Shape
    -----
    As :class:`LastPooling`.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Take the maximum over the steps."""
        if lengths is None:
            return outputs.amax(0)
        return outputs.masked_fill(~_inside(outputs, lengths), -torch.inf).amax(0)


class AttentionPooling(nn.Module):
    """A learned weighted mean: weights ``softmax(w . tanh(h_t))`` over the steps.

    From equations 9 to 11 of Zhou et al., "Attention-Based Bidirectional Long Short-Term Memory
    Networks for Relation Classification", ACL 2016.

    Shape
    -----
    As :class:`LastPooling`.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, outputs: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Average over the steps with learned weights."""
        scores = self.score(torch.tanh(outputs))
        if lengths is not None:
            scores = scores.masked_fill(~_inside(outputs, lengths), -torch.inf)
        return (torch.softmax(scores, 0) * outputs).sum(0)


def _outputs_at(
    outputs: torch.Tensor, lengths: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """Outputs of columns after the steps of `lengths`, for each pair: (n_rows, width)."""
    return outputs.flatten(0, 1).index_select(0, (lengths - 1) * outputs.shape[1] + columns)


def _reversal(n_steps: int, lengths: torch.Tensor) -> torch.Tensor:
    """Index that reverses each sequence; steps after its end are moved too."""
    steps = torch.arange(n_steps, device=lengths.device)[:, None]
    columns = torch.arange(len(lengths), device=lengths.device)
    return ((lengths - 1 - steps) % n_steps * len(lengths) + columns).flatten()


def _picked(outputs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Steps in another order; `rows` count the steps of all sequences."""
    return outputs.flatten(0, 1).index_select(0, rows).view_as(outputs)


def _in_one_block(
    weights: Sequence[Sequence[torch.Tensor]], dtype: torch.dtype
) -> list[list[torch.Tensor]]:
    """The weights as views of one tensor, in the layout of cuDNN: all matrices, then all biases.

    torch copies weights in any other layout at every call, with a warning.
    """
    in_order = [w for one in weights for w in one[:2]] + [w for one in weights for w in one[2:]]
    block = torch.cat([weight.flatten() for weight in in_order]).to(dtype)
    parts = block.split([weight.numel() for weight in in_order])
    views = [part.view_as(weight) for part, weight in zip(parts, in_order, strict=True)]
    n = 2 * len(weights)
    return [[*views[i : i + 2], *views[n + i : n + i + 2]] for i in range(0, n, 2)]


def _inside(outputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """True at the steps of a sequence, False after its end: (n_steps, n_sequences, 1)."""
    steps = torch.arange(len(outputs), device=outputs.device)
    return (steps[:, None] < lengths)[..., None]


POOLINGS = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "attention": AttentionPooling,
}
