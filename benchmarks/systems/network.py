"""The network, for those systems that leave it to their users."""

from torch import nn


class Network(nn.Module):
    """An LSTM layer, its last output, a linear layer.

    Parameters
    ----------
    n_features : int
        Features of a step.
    hidden : int
        Units of the LSTM layer.
    batch_first : bool
        Whether the steps are the second axis of the input, not the first.
    """

    def __init__(self, n_features, hidden, batch_first):
        super().__init__()
        self.recurrent = nn.LSTM(n_features, hidden, batch_first=batch_first)
        self.head = nn.Linear(hidden, 1)

    def forward(self, steps):
        """Outputs ``(n_windows, 1)``."""
        _, (hidden, _) = self.recurrent(steps)
        return self.head(hidden[-1])
