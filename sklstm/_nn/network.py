"""The network: recurrent layers, a pooling over time, a linear head. Time is the first axis."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

__all__ = ["CELLS", "POOLINGS", "SequenceNetwork"]

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
RUNS: dict[str, Callable] = {"LSTM": torch.lstm, "GRU": torch.gru, "RNN_TANH": torch.rnn_tanh}


SMALL = 0.1
"""Standard deviation of the vectors of tokens at the beginning."""


class SequenceNetwork(nn.Module):
    """Recurrent layers that read a sequence, a pooling over its steps, a linear head.

    The recurrent layers are those of :class:`torch.nn.LSTM` (Hochreiter and Schmidhuber 1997, with
    the forget gate of Gers et al. 2000), :class:`torch.nn.GRU` (Cho et al. 2014) or
    :class:`torch.nn.RNN` with tanh (Elman 1990). Dropout acts behind the embedding, between the
    layers and in front of the head; with a pooling it also makes
    whole tokens unknown, token 0 (Iyyer et al., "Deep Unordered Composition Rivals Syntactic
    Methods for Text Classification", ACL 2015). Vectors of tokens begin small, so that a token
    which was rarely seen says little.

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
        How the outputs of all steps become one vector; None for an output at every step.
    n_tokens : int, default=None
        Number of tokens, if steps are tokens that go through an embedding.
    embedding_dim : int, default=1
        Length of the vector of a token.
    freeze_embedding : bool, default=False
        Whether these vectors are not trained.
    mixed_precision : bool, default=False
        Whether the recurrent layers compute in bfloat16.
    dtype : torch.dtype
        Data type of the weights.

    Shape
    -----
    - steps: ``(n_steps, n_sequences, n_features)``, zero behind the end of a sequence; tokens
      ``(n_steps, n_sequences, 1)``
    - lengths: ``(n_sequences,)`` on the CPU, or None if every sequence has ``n_steps`` steps
    - output: ``(n_sequences, n_outputs)``; ``(n_steps, n_sequences, n_outputs)`` if `pooling` is
      None, with anything behind the end of a sequence

    With ``columns`` of shape ``(n_rows,)``, for one-directional networks with ``pooling="last"``,
    row ``i`` reads ``lengths[i]`` steps of column ``columns[i]``, and there is an output for each
    row: several sequences that begin together are computed as one.

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
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_outputs)
        self.to(dtype)

    def forward(
        self,
        steps: torch.Tensor,
        lengths: torch.Tensor | None = None,
        columns: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute the outputs of each sequence, or row that reads a column of steps."""
        if self.embedding is not None:
            steps = self.dropout(self.embedding(self._with_unknown(steps[..., 0])))
        if self.mixed_precision:
            with torch.autocast(steps.device.type, torch.bfloat16):
                outputs = self._read(steps, lengths).float()
        else:
            outputs = self._read(steps, lengths)
        if self.pooling is None:
            pooled = outputs
        elif lengths is None:
            pooled = self.pooling(outputs)
        else:
            lengths = lengths.to(outputs.device, non_blocking=True)
            some = lengths.clamp(min=1)
            if columns is None:
                pooled = self.pooling(outputs, some)
            else:
                pooled = _outputs_at(outputs, some, columns)
            pooled = pooled * (lengths > 0)[:, None]  # an empty sequence says nothing
        return self.head(self.dropout(pooled))

    def _with_unknown(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens, in training some of them unknown, unless each has an output of its own."""
        if not self.training or not self.dropout.p or self.pooling is None:
            return tokens
        return tokens * (torch.rand(tokens.shape, device=tokens.device) >= self.dropout.p)

    def _read(self, steps: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Outputs of every step, (n_steps, n_sequences, width)."""
        if lengths is None or not self.recurrent.bidirectional:
            return self.recurrent(steps)[0]  # what stands behind the end cannot reach back
        if steps.device.type == "cpu":
            return self._read_both_ways(steps, lengths)
        packed = pack_padded_sequence(steps, lengths.clamp(min=1), enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], total_length=len(steps))[0]

    def _read_both_ways(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Outputs of a bidirectional network, each direction a run of its own.

        torch reads packed sequences without oneDNN, which takes up to eight times as long.
        """
        layers = self.recurrent
        run = RUNS[layers.mode]
        zeros = steps.new_zeros(1, steps.shape[1], layers.hidden_size)
        state = (zeros, zeros) if layers.mode == "LSTM" else zeros

        def read(steps: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
            return run(steps, state, weights, True, 1, 0.0, layers.training, False, False)[0]

        for layer in range(layers.num_layers):
            if layer > 0:
                steps = nn.functional.dropout(steps, layers.dropout, layers.training)
            forth, back = layers.all_weights[2 * layer : 2 * layer + 2]
            backwards = _reversed(read(_reversed(steps, lengths), back), lengths)
            steps = torch.cat([read(steps, forth), backwards], dim=2)
        return steps


class LastPooling(nn.Module):
    """The output of the last step read: of the last one, and backwards of the first one.

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
    """Output of a column after so many steps, for each pair of both: (n_rows, width)."""
    return outputs.flatten(0, 1).index_select(0, (lengths - 1) * outputs.shape[1] + columns)


def _reversed(outputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Each sequence from its end to its start, and so what stands behind the end."""
    n_steps, n_sequences = outputs.shape[:2]
    places = (lengths - 1 - torch.arange(n_steps)[:, None]) % n_steps
    rows = (places * n_sequences + torch.arange(n_sequences)).flatten()
    return outputs.flatten(0, 1).index_select(0, rows).view_as(outputs)


def _inside(outputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """True at the steps of a sequence, False behind its end: (n_steps, n_sequences, 1)."""
    steps = torch.arange(len(outputs), device=outputs.device)
    return (steps[:, None] < lengths)[..., None]


POOLINGS = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "attention": AttentionPooling,
}
