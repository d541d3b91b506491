"""Cells by name: a new one is a module of this folder and a line here."""

from sklstm._nn.cells.layers import RecurrentLayers
from sklstm._nn.cells.of_torch import GRU, LSTM, RNN

__all__ = ["CELLS"]

CELLS: dict[str, type[RecurrentLayers]] = {
    "lstm": LSTM,
    "gru": GRU,
    "rnn": RNN,
}
