"""Displays of training, predictions, forecasts and the importance of histories."""

from sklstm.plotting._forecast import ForecastDisplay
from sklstm.plotting._forecast_error import ForecastErrorDisplay
from sklstm.plotting._history_attribution import HistoryAttributionDisplay
from sklstm.plotting._history_importance import HistoryImportanceDisplay
from sklstm.plotting._prediction import PredictionDisplay
from sklstm.plotting._training_curve import TrainingCurveDisplay

__all__ = [
    "ForecastDisplay",
    "ForecastErrorDisplay",
    "HistoryAttributionDisplay",
    "HistoryImportanceDisplay",
    "PredictionDisplay",
    "TrainingCurveDisplay",
]
