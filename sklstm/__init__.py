"""LSTMs that behave like every other scikit-learn estimator."""

from sklstm._classifier import LSTMClassifier
from sklstm._regressor import LSTMRegressor
from sklstm._sequences import Sequences
from sklstm._splitting import TimestampSplit
from sklstm._windower import SequenceFlattener, SequenceWindower

__all__ = [
    "LSTMClassifier",
    "LSTMRegressor",
    "SequenceFlattener",
    "SequenceWindower",
    "Sequences",
    "TimestampSplit",
]
__version__ = "0.1.0"
