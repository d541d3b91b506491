"""Inspection of fitted models: which features and lags they use, and why they predict a number."""

from sklstm.inspection._attribution import history_attribution
from sklstm.inspection._importance import history_importance

__all__ = ["history_attribution", "history_importance"]
