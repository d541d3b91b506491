"""Folds of windows, for a search inside a forecaster."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklstm._data.sklearn_private import BaseSearchCV
from sklstm._tables.splitting import TimestampSplit

__all__ = ["folds_by_time"]


def folds_by_time(estimator: Any, times: np.ndarray, steps: int) -> Any:
    """Give a search whose `cv` is a `TimestampSplit` the folds of windows.

    Parameters
    ----------
    estimator : estimator
        Any; others than such a search are returned as they are.
    times : ndarray of shape (n_windows,)
        Time of the last row of each window, its forecast origin.
    steps : int
        Steps behind each window. Training windows whose steps reach the forecasts of the test fold
        are left out.

    Returns
    -------
    estimator
        With folds of windows in this order.
    """
    if not (isinstance(estimator, BaseSearchCV) and isinstance(estimator.cv, TimestampSplit)):
        return estimator
    cv = estimator.cv
    gap = max(int(cv.gap), steps - 1) if isinstance(cv.gap, Integral) else cv.gap
    folds = TimestampSplit(cv.n_splits, test_size=cv.test_size, gap=gap)
    index = pd.DataFrame(index=pd.Index(times))
    return clone(estimator).set_params(cv=list(folds.split(index)))
