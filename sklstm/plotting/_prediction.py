"""PredictionDisplay: actual and predicted values over time."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklstm._data.checks import check_target_names, warn_of_other_rows
from sklstm._data.frames import Layout, lay_out
from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import _safe_indexing, check_matplotlib_support
from sklstm.inspection._histories import windowers_in
from sklstm.plotting._axes import draw_legend_above, draw_line, label_times, take_axes, with_gaps
from sklstm.plotting._drawn_rows import pick_output, read_time, rows_of_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["PredictionDisplay"]

OF_ONE_SEQUENCE = (
    "A display has one prediction a row: for sequence i use "
    "PredictionDisplay.from_predictions(y[i], model.predict(X)[i])."
)


class PredictionDisplay:
    """Actual and predicted values over time: numbers or labels.

    :meth:`from_estimator` makes it from a fitted model, :meth:`from_predictions` from predictions.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Actual values. A missing one leaves a gap.
    y_pred : array-like of shape (n_rows,)
        Predictions.
    time : Index or array-like of shape (n_rows,), default=None
        Dates, periods or numbers that increase. `None`: the rows are counted from 0.
    target_name : str, default="target"
        Name of the target, with its unit.
    classes : list of length n_classes, default=None
        Labels from the bottom to the top of the axis; others are not drawn. `None`: `y_true` and
        `y_pred` are numbers.
    interval : array-like of shape (n_rows, 2), default=None
        Lower and upper ends of the prediction interval of each row.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    true_line_, pred_line_ : matplotlib Line2D
        The two lines.
    interval_ : matplotlib PolyCollection or None
        The prediction intervals, if there are any.

    See Also
    --------
    sklearn.metrics.PredictionErrorDisplay : Predicted against true values, without time.

    Notes
    -----
    The lines are broken where rows are more than five times as far apart as in the median.

    Examples
    --------
    >>> from sklstm.datasets import load_weather
    >>> from sklstm.plotting import PredictionDisplay
    >>> weather = load_weather(as_frame=True)
    >>> sky = weather.target[:60]
    >>> display = PredictionDisplay.from_predictions(sky, sky.shift(1))  # naive forecast
    >>> display.ax_.get_ylabel(), display.ax_.get_xlabel()
    ('weather', 'date')
    """

    ax_: Axes
    figure_: Figure | SubFigure
    true_line_: Line2D
    pred_line_: Line2D
    interval_: PolyCollection | None

    def __init__(
        self,
        y_true: Any,
        y_pred: Any,
        *,
        time: Any = None,
        target_name: str = "target",
        classes: list | None = None,
        interval: Any = None,
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.time = time
        self.target_name = target_name
        self.classes = classes
        self.interval = interval

    def plot(
        self,
        ax: Axes | None = None,
        *,
        true_kwargs: dict[str, Any] | None = None,
        pred_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the two lines, and the prediction intervals.

        For a display that is made by hand, or drawn again on other axes or in other styles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        true_kwargs : dict, default=None
            Style of the true line, for :meth:`matplotlib.axes.Axes.plot`.
        pred_kwargs : dict, default=None
            Style of the predicted line.

        Returns
        -------
        PredictionDisplay
            This display.

        Raises
        ------
        ValueError
            If the time does not increase, or is no time.

        See Also
        --------
        PredictionDisplay.from_predictions : Reads time and names from pandas objects, and draws.

        Examples
        --------
        >>> from sklstm.plotting import PredictionDisplay
        >>> display = PredictionDisplay([1.0, 2.0, 3.0], [1.5, 2.0, 2.5], target_name="load (MW)")
        >>> display.plot(pred_kwargs={"linestyle": "--"}).pred_line_.get_linestyle()
        '--'
        """
        ax = take_axes(self, ax, figsize=(10, 4))
        times, timestamps, name = read_time(self.time, len(self.y_true))
        rows, is_gap = with_gaps(timestamps)
        times = times[rows]
        steps = {} if self.classes is None else {"drawstyle": "steps-mid"}
        true, predicted = (self._heights(y)[rows] for y in (self.y_true, self.y_pred))
        true[is_gap] = predicted[is_gap] = np.nan
        style: dict[str, Any] = {"color": "0.5", "linewidth": 3, "label": "true"} | steps
        self.true_line_ = draw_line(ax, times, true, style, true_kwargs)
        style = {"color": "C0", "label": "predicted"} | steps
        self.pred_line_ = draw_line(ax, times, predicted, style, pred_kwargs)
        self.interval_ = None
        if self.interval is not None:
            sides = np.where(is_gap, np.nan, np.asarray(self.interval, dtype=float)[rows].T)
            style = {"color": "C0", "alpha": 0.2, "label": "prediction interval"}
            self.interval_ = ax.fill_between(times, *sides, **style)
        if self.classes is not None:
            ax.set_yticks(range(len(self.classes)), self.classes)
        label_times(ax, times, name)
        ax.set_ylabel(self.target_name)
        draw_legend_above(ax)
        return self

    def _heights(self, y: Any) -> np.ndarray:
        """Position of each row on the vertical axis."""
        if self.classes is None:
            return pd.Series(y).to_numpy(float, na_value=np.nan)
        codes = pd.Index(self.classes).get_indexer(pd.Index(y))
        return np.where(codes < 0, np.nan, codes)

    @classmethod
    def from_estimator(
        cls,
        model: BaseEstimator,
        X: Any,
        y: Any,
        *,
        series_name: Hashable | None = None,
        output: str | int | None = None,
        target_name: str | None = None,
        classes: list | None = None,
        ax: Axes | None = None,
        true_kwargs: dict[str, Any] | None = None,
        pred_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Predict, and draw the predictions over time.

        For a regressor that predicts quantiles (``loss="quantile"``), or a Pipeline that ends with
        one, prediction intervals between its outer quantiles are drawn. All rows of X are
        predicted, so that those drawn have their histories.

        Parameters
        ----------
        model : estimator
            Fitted, with `predict`: one prediction a row.
        X : DataFrame, or any input of the model
            The time is that of the `SequenceWindower` in the model, or the index of X, or else
            that of `y`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Actual values.
        series_name : label or tuple of labels, default=None
            Series to draw, if X is a panel of several for the `SequenceWindower` in the model.
        output : str or int, default=None
            Name or position of the target to draw, if there are several.
        target_name : str, default=None
            Name of the target, with its unit. `None`: the name of `y` or of its column.
        classes : list of length n_classes, default=None
            Labels from the bottom to the top of the axis. `None`: all that occur, sorted, if the
            model is a classifier.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        true_kwargs : dict, default=None
            Style of the true line, for :meth:`matplotlib.axes.Axes.plot`.
        pred_kwargs : dict, default=None
            Style of the predicted line.

        Returns
        -------
        PredictionDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there are several series or outputs and none is chosen, or the time does not
            increase.

        See Also
        --------
        ForecastDisplay : Forecasts of future rows, with prediction intervals.

        Examples
        --------
        >>> from sklearn.dummy import DummyRegressor
        >>> from sklstm.datasets import load_weather
        >>> from sklstm.plotting import PredictionDisplay
        >>> days = load_weather(as_frame=True).data[:60]
        >>> model = DummyRegressor().fit(days, days["temp_max"])
        >>> PredictionDisplay.from_estimator(model, days, days["temp_max"]).ax_.get_ylabel()
        'temp_max'
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(model)
        last = getattr(model, "best_estimator_", model)
        last = last[-1] if isinstance(last, Pipeline) else last
        if getattr(last, "pooling", "last") is None:
            raise ValueError(f"The model predicts at every step. {OF_ONE_SEQUENCE}")
        check_consistent_length(X, y)
        warn_of_other_rows(X, y=y)
        check_target_names(y, model)
        times, keys = _read_rows(model, X)
        rows = rows_of_series(keys, series_name, len(y))
        y_true, y_pred = _safe_indexing(y, rows), model.predict(X)[rows]
        interval = _outer_quantiles(model, X)
        if classes is None and is_classifier(model):
            true, predicted, *_ = pick_output(y_true, y_pred, output)
            classes = _labels(true, predicted)
        return cls.from_predictions(
            y_true,
            y_pred,
            time=None if times is None else times[rows],
            output=output,
            target_name=target_name,
            classes=classes,
            interval=None if interval is None else interval[rows],
            ax=ax,
            true_kwargs=true_kwargs,
            pred_kwargs=pred_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        time: Any = None,
        output: str | int | None = None,
        target_name: str | None = None,
        classes: list | None = None,
        interval: Any = None,
        ax: Axes | None = None,
        true_kwargs: dict[str, Any] | None = None,
        pred_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw predictions over time.

        For predictions from any source, such as a cross-validation, or of a part of the rows.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Actual values: the rows of one series, in time order.
        y_pred : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Predictions.
        time : Index or array-like of shape (n_rows,), default=None
            Dates, periods or numbers. `None`: the index of `y_true`, or of its last level, or else
            that of `y_pred`, if it is of dates, periods or integers; or else the number of the row.
        output : str or int, default=None
            Name or position of the target to draw, if there are several.
        target_name : str, default=None
            Name of the target, with its unit. `None`: the name of `y_true` or of its column.
        classes : list of length n_classes, default=None
            Labels from the bottom to the top of the axis. `None`: all that occur, sorted, unless
            they are numbers.
        interval : array-like of shape (n_rows, 2) or (n_rows, n_outputs, 2), default=None
            Lower and upper ends of the prediction intervals.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        true_kwargs : dict, default=None
            Style of the true line, for :meth:`matplotlib.axes.Axes.plot`.
        pred_kwargs : dict, default=None
            Style of the predicted line.

        Returns
        -------
        PredictionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the shapes differ, there are several outputs and none is chosen, or the time does
            not increase.

        See Also
        --------
        sklearn.model_selection.cross_val_predict : Predictions of rows that were not learned.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm.plotting import PredictionDisplay
        >>> load = pd.Series([5.0, 6.0, 7.0], pd.date_range("2024-01-01", periods=3), name="load")
        >>> display = PredictionDisplay.from_predictions(load, load.shift(1))
        >>> display.target_name, len(display.time)
        ('load', 3)
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        for role, y in (("y_true", y_true), ("y_pred", y_pred)):
            if _has_steps(y):
                raise ValueError(f"{role} has values of every step. {OF_ONE_SEQUENCE}")
        for y in (y_true, y_pred):
            if time is None and isinstance(y, (pd.Series, pd.DataFrame)):
                time = _times_in(lay_out(pd.DataFrame(index=y.index)))
        true, predicted, name, place = pick_output(y_true, y_pred, output)
        if classes is None and not all(map(_is_number, (true, predicted))):
            classes = _labels(true, predicted)
        if target_name is None:
            target_name = name if isinstance(name, str) else "target"
        if interval is not None:
            interval = np.reshape(np.asarray(interval, dtype=float), (len(true), -1, 2))[:, place]
        facts = {"time": time, "target_name": target_name, "classes": classes, "interval": interval}
        display = cls(true.to_numpy(), predicted.to_numpy(), **facts)
        return display.plot(ax, true_kwargs=true_kwargs, pred_kwargs=pred_kwargs)


def _has_steps(y: Any) -> bool:
    """Whether there are several sequences, each with its steps."""
    if isinstance(y, Sequences) or getattr(y, "ndim", 0) > 2:
        return True
    return isinstance(y, (list, tuple)) and len({np.shape(part) for part in y}) > 1


def _read_rows(model: BaseEstimator, X: Any) -> tuple[pd.Index | None, pd.Index | None]:
    """Time and series of each row of X, as the model reads them; None if there is none."""
    if not isinstance(X, pd.DataFrame):
        return None, None
    windowers = windowers_in(model)
    layout = lay_out(X, windowers[0].series, windowers[0].time) if windowers else lay_out(X)
    return _times_in(layout), layout.keys


def _outer_quantiles(model: BaseEstimator, X: Any) -> np.ndarray | None:
    """Outer quantiles of each row, (n_rows, 2) or (n_rows, n_outputs, 2), or None."""
    model = getattr(model, "best_estimator_", model)
    if isinstance(model, Pipeline) and hasattr(model[-1], "predict_quantiles"):
        model, X = model[-1], model[:-1].transform(X) if len(model) > 1 else X
    if not hasattr(model, "predict_quantiles"):
        return None
    return np.asarray(model.predict_quantiles(X))[..., [0, -1]]


def _times_in(layout: Layout) -> pd.Index | None:
    return None if layout.clock is None else layout.times


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _labels(true: pd.Series, predicted: pd.Series) -> list:
    """All labels that occur, sorted."""
    return sorted({*predicted.dropna(), *true.dropna()})
