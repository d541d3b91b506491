"""The network: recurrent layers, pooling over time, linear head. Time is the first axis."""

from collections.abc import Sequence

import torch
from torch import nn

from sklstm._nn.category_embeddings import CategoryEmbeddings
from sklstm._nn.cells import CELLS
from sklstm._nn.poolings import POOLINGS, outputs_at

__all__ = ["CELLS", "POOLINGS", "SequenceNetwork"]

SMALL = 0.1
"""Initial standard deviation of word vectors, where a text has one output. On the sentences of
`benchmarks/skill.py` (seed 0) 23.2 % of labels are wrong, 24.2 % with 0.01 and 27.3 % with 1."""

ALPHABET = 256
"""Largest number of tokens of an alphabet, such as characters; more are a vocabulary of words."""


class SequenceNetwork(nn.Module):
    """Recurrent layers that read a sequence, a pooling over its steps, a linear head.

    Dropout acts behind the embedding, between the layers and in front of the head; with a pooling
    it also makes whole tokens unknown, token 0, half as often (Iyyer et al., "Deep Unordered
    Composition Rivals Syntactic Methods for Text Classification", ACL 2015).

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
    cell : str
        Kind of recurrent layer, a name in `CELLS`.
    bidirectional : bool
        Whether a second set of layers reads the sequence backwards.
    dropout : float
        Probability of an element to be zeroed in training.
    pooling : str or None
        Pooling of the outputs of all steps to one vector, a name in `POOLINGS`; None for an output
        at every step.
    n_tokens : int, default=None
        Number of tokens, if steps are tokens that go through an embedding.
    embedding_dim : int, default=1
        Length of the vector of a token.
    freeze_embedding : bool, default=False
        Whether these vectors are fixed.
    n_codes : sequence of int, default=()
        Number of codes of each feature that is a category. Each has an embedding; code 0 is
        unknown.
    mixed_precision : bool, default=False
        Whether the recurrent layers compute in bfloat16.
    dtype : torch.dtype
        Data type of the weights.

    Shape
    -----
    - steps: ``(n_steps, n_sequences, n_features)``, zero after the end of a sequence, and behind
      the features the codes of each category; tokens ``(n_steps, n_sequences, 1)``
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
        n_codes: Sequence[int] = (),
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
        self.categories = CategoryEmbeddings(n_codes) if len(n_codes) else None
        n_inputs = n_features if n_tokens is None else embedding_dim
        self.recurrent = CELLS[cell](
            n_inputs if self.categories is None else n_inputs + self.categories.width,
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
        self.check_shapes(steps, lengths, columns)
        if self.embedding is not None:
            steps = self.dropped(self.embedding(self._with_unknown(steps[..., 0])))
        if self.categories is not None:
            steps = self.categories(steps)
        outputs = self.recurrent.read(self.in_precision(steps), lengths)
        pooled = self.pooled(outputs.to(steps.dtype), lengths, columns)
        return self.head(self.dropped(pooled))

    def in_precision(self, steps: torch.Tensor) -> torch.Tensor:
        """Steps in the data type that the recurrent layers compute in."""
        if self.mixed_precision:  # autocast would use float16 for torch's recurrent layers on CUDA
            return steps.bfloat16()
        return steps

    def pooled(
        self,
        outputs: torch.Tensor,
        lengths: torch.Tensor | None = None,
        columns: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Pool the outputs of the recurrent layers to one vector a sequence, or keep all."""
        if self.pooling is None:
            pooled = outputs
        elif lengths is None:
            pooled = self.pooling(outputs)
        else:
            some = lengths.clamp(min=1)
            if columns is None:
                pooled = self.pooling(outputs, some)
            else:
                pooled = outputs_at(outputs, some, columns)
            pooled = pooled * (lengths > 0)[:, None]  # an empty sequence has no outputs
        return pooled

    def check_shapes(
        self, steps: torch.Tensor, lengths: torch.Tensor | None, columns: torch.Tensor | None
    ) -> None:
        """Raise an error for wrong shapes, which torch's recurrent functions do not check."""
        width = self.recurrent.input_size if self.embedding is None else 1
        if self.categories is not None:
            width += len(self.categories.embeddings) - self.categories.width
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

    def dropped(self, values: torch.Tensor) -> torch.Tensor:
        """Values with dropout, in training."""
        if not self.dropout:
            return values
        return nn.functional.dropout(values, self.dropout, self.training)

    def _with_unknown(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens, some of them made unknown in training unless each has its own output."""
        if not self.training or not self.dropout or self.pooling is None:
            return tokens
        return tokens * (torch.rand(tokens.shape, device=tokens.device) >= self.dropout / 2)
