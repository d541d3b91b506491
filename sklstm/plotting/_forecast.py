"""ForecastDisplay: the past, the forecast and its prediction interval, on real timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklstm._data.sklearn_private import check_matplotlib_support
from sklstm.plotting._axes import draw_line, take_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["ForecastDisplay"]


class ForecastDisplay:
    """The past of a time series, its forecast, and the prediction interval.

    :meth:`from_estimator` makes it from a fitted :class:`~sklstm.SequenceForecaster`.

    Parameters
    ----------
    past : Series
        The last values known, on their timestamps.
    forecast : DataFrame of shape (n_steps, 1) or (n_steps, 3)
        ``forecast`` and, if there is a prediction interval, ``lower`` and ``upper``, on future
        timestamps.
    coverage : float, default=None
        Nominal coverage of the prediction interval, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    past_line_ : matplotlib Line2D
        The past.
    forecast_line_ : matplotlib Line2D
        The forecast.
    interval_ : matplotlib PolyCollection or None
        The prediction interval, if there is one.

    See Also
    --------
    PredictionDisplay : Predictions of rows whose actual values are known.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklstm import SequenceForecaster
    >>> from sklstm.plotting import ForecastDisplay
    >>> hours = pd.date_range("2024-01-01", periods=200, freq="h")
    >>> tide = pd.Series(np.sin(np.arange(200) / 4), hours, name="tide")
    >>> forecaster = SequenceForecaster(LinearRegression(), steps=6).fit(tide)
    >>> ForecastDisplay.from_estimator(forecaster, coverage=0.9).ax_.get_ylabel()
    'tide'
    """

    ax_: Axes
    figure_: Figure | SubFigure
    past_line_: Line2D
    forecast_line_: Line2D
    interval_: PolyCollection | None

    def __init__(
        self, past: pd.Series, forecast: pd.DataFrame, *, coverage: float | None = None
    ) -> None:
        self.past = past
        self.forecast = forecast
        self.coverage = coverage

    def plot(self, ax: Axes | None = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw past, forecast and prediction interval.

        For a display that is made by hand, or drawn again on other axes; :meth:`from_estimator` has
        drawn it already.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        line_kwargs : dict, default=None
            Style of both lines, for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ForecastDisplay
            This display.

        See Also
        --------
        matplotlib.figure.Figure.savefig : Keep the picture: ``display.figure_.savefig(...)``.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm.plotting import ForecastDisplay
        >>> days = pd.date_range("2024-01-01", periods=5)
        >>> past = pd.Series([3.0, 4.0, 5.0], days[:3], name="sold")
        >>> future = pd.DataFrame({"forecast": 6.0, "lower": 5.0, "upper": 7.0}, days[3:])
        >>> ForecastDisplay(past, future).plot().ax_.get_ylabel()
        'sold'
        """
        ax = take_axes(self, ax, figsize=(9, 4))
        style = {"color": "0.4", "label": "measured"}
        self.past_line_ = draw_line(ax, _places(self.past.index), self.past, style, line_kwargs)
        timestamps = _places(self.forecast.index)
        style = {"color": "C0", "label": "forecast"}
        middle = self.forecast["forecast"]
        self.forecast_line_ = draw_line(ax, timestamps, middle, style, line_kwargs)
        self.interval_ = None
        if "lower" in self.forecast:
            share = "" if self.coverage is None else f"{self.coverage:.0%} "
            label = f"{share}prediction interval"
            sides = self.forecast["lower"], self.forecast["upper"]
            self.interval_ = ax.fill_between(timestamps, *sides, color="C0", alpha=0.2, label=label)
        ax.set(xlabel=self.past.index.name or "", ylabel=self.past.name)
        if isinstance(timestamps, pd.DatetimeIndex):
            ax.tick_params(axis="x", rotation=30)
        ax.legend()
        return self

    @classmethod
    def from_estimator(
        cls,
        forecaster: Any,
        *,
        steps: int | None = None,
        X: Any = None,
        coverage: float | None = None,
        target: Any = None,
        series: Any = None,
        ax: Axes | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Forecast, and draw.

        It calls `predict`, or with a coverage `predict_interval`. In front of the forecast are the
        last rows, which the forecaster keeps.

        Parameters
        ----------
        forecaster : SequenceForecaster
            Fitted. The last rows that it keeps are the past.
        steps : int, default=None
            How many steps to forecast. `None`: `steps` of the forecaster.
        X : DataFrame, default=None
            Future covariates of these steps.
        coverage : float, default=None
            Nominal coverage of the prediction interval. `None`: no interval.
        target : str, default=None
            Which target. `None`: the first.
        series : object, default=None
            Name of the series, if there are several. `None`: the first.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        line_kwargs : dict, default=None
            Style of both lines, for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ForecastDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no such target or series.

        See Also
        --------
        sklstm.SequenceForecaster.predict_interval : The ends of the interval.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> from sklstm.plotting import ForecastDisplay
        >>> days = pd.date_range("2024-01-01", periods=40)
        >>> sold = pd.Series(range(40), days, dtype=float, name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5, 3).fit(sold)
        >>> len(ForecastDisplay.from_estimator(forecaster).forecast)
        3
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(forecaster)
        buffer, targets = forecaster._buffer, forecaster.targets_
        series = buffer.rows.names[0] if series is None else series
        target = targets[0] if target is None else target
        for name, names in ((series, buffer.rows.names), (target, targets)):
            if name not in names:
                raise ValueError(f"{name!r} is not among {names}: choose one of these.")
        if coverage is None:
            forecast = forecaster.predict(steps, X=X)[[target]].set_axis(["forecast"], axis=1)
        else:
            forecast = forecaster.predict_interval(coverage, steps, X=X)
            forecast = forecast[target] if len(targets) > 1 else forecast
        forecast = forecast if forecaster.series is None else forecast.loc[series]
        mine = buffer.rows.code == buffer.rows.names.index(series)
        values = buffer.rows.y[mine, targets.index(target)]
        past = pd.Series(values, buffer.timestamps[mine], name=target)
        return cls(past, forecast, coverage=coverage).plot(ax, line_kwargs=line_kwargs)


def _places(index: pd.Index) -> pd.Index:
    """Positions of timestamps on an axis: a period is at its start."""
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
