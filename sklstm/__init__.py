"""LSTMs for time series, texts and other sequences, as scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklstm._data.sequences import Sequences
from sklstm._data.step_scores import masked_scoring
from sklstm._data.warning import (
    CheckpointWarning,
    DataConversionWarning,
    DataWarning,
    DeviceWarning,
    DivergenceWarning,
    DroppedDataWarning,
    GapWarning,
    MissingHistoryWarning,
    SavedVersionWarning,
    SklstmWarning,
)
from sklstm._tables.dummy import SequenceDummyRegressor
from sklstm._tables.flattener import SequenceFlattener
from sklstm._tables.lags import LagSequencer
from sklstm._tables.splitting import TimestampSplit
from sklstm._tables.tokens import TokenSequencer
from sklstm._tables.windower import SequenceWindower
from sklstm._version import __version__ as __version__

if TYPE_CHECKING:
    from sklstm._estimators.backtest import backtest
    from sklstm._estimators.classifier import LSTMClassifier
    from sklstm._estimators.forecast_scores import backtest_scores
    from sklstm._estimators.forecaster import SequenceForecaster
    from sklstm._estimators.generation import generate
    from sklstm._estimators.pruning import PruningCallback
    from sklstm._estimators.regressor import LSTMRegressor

__all__ = [
    "CheckpointWarning",
    "DataConversionWarning",
    "DataWarning",
    "DeviceWarning",
    "DivergenceWarning",
    "DroppedDataWarning",
    "GapWarning",
    "LSTMClassifier",
    "LSTMRegressor",
    "LagSequencer",
    "MissingHistoryWarning",
    "PruningCallback",
    "SavedVersionWarning",
    "SequenceDummyRegressor",
    "SequenceFlattener",
    "SequenceForecaster",
    "SequenceWindower",
    "Sequences",
    "SklstmWarning",
    "TimestampSplit",
    "TokenSequencer",
    "backtest",
    "backtest_scores",
    "generate",
    "masked_scoring",
]

_NETWORKS = {
    "LSTMClassifier": "sklstm._estimators.classifier",
    "LSTMRegressor": "sklstm._estimators.regressor",
    "PruningCallback": "sklstm._estimators.pruning",
    "SequenceForecaster": "sklstm._estimators.forecaster",
    "backtest": "sklstm._estimators.backtest",
    "backtest_scores": "sklstm._estimators.forecast_scores",
    "generate": "sklstm._estimators.generation",
}


def __getattr__(name: str) -> Any:
    """Import the networks when they are first used: tables and windows do not wait for torch."""
    if name not in _NETWORKS:
        raise AttributeError(f"module 'sklstm' has no attribute {name!r}")
    return getattr(import_module(_NETWORKS[name]), name)


def __dir__() -> list[str]:
    """List the networks too, which are imported when they are first used."""
    return [*__all__, "__version__"]
