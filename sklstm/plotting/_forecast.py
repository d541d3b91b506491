"""ForecastDisplay: the past, the forecast and its prediction interval, on real timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklstm._data.sklearn_private import check_matplotlib_support
from sklstm.plotting._axes import (
    draw_legend_above,
    draw_line,
    label_times,
    places_of_times,
    take_axes,
)
from sklstm.plotting._drawn_rows import pick_name, rows_of_backtest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["ForecastDisplay"]


class ForecastDisplay:
    """The past of a time series, its forecast, and the prediction interval.

    :meth:`from_estimator` makes it from a fitted :class:`~sklstm.SequenceForecaster`,
    :meth:`from_backtest` from a backtest: forecasts from several origins over the actual values.

    Parameters
    ----------
    past : Series
        Measured values, on their timestamps.
    forecast : DataFrame of n_steps rows
        ``forecast`` and, if there is a prediction interval, ``lower`` and ``upper``, on future
        timestamps. With a column ``origin`` the forecasts from each origin are a line of their own.
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
    ForecastErrorDisplay : Errors of a backtest over time.
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
        style = {"color": "0.5", "label": "measured"}
        self.past_line_ = draw_line(
            ax, places_of_times(self.past.index), self.past, style, line_kwargs
        )
        forecast = _broken(self.forecast)
        timestamps = places_of_times(forecast.index)
        style = {"color": "C0", "label": "forecast"}
        self.forecast_line_ = draw_line(ax, timestamps, forecast["forecast"], style, line_kwargs)
        self.interval_ = None
        if "lower" in forecast:
            share = "" if self.coverage is None else f"{self.coverage:.0%} "
            label = f"{share}prediction interval"
            sides = forecast["lower"], forecast["upper"]
            self.interval_ = ax.fill_between(timestamps, *sides, color="C0", alpha=0.2, label=label)
        label_times(ax, timestamps, self.past.index.name)
        ax.set_ylabel(str(self.past.name))
        draw_legend_above(ax)
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
            pick_name(name, names)
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

    @classmethod
    def from_backtest(
        cls,
        table: pd.DataFrame,
        *,
        origins: int | list = 5,
        target: Any = None,
        series: Any = None,
        ax: Axes | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw forecasts from several origins over the actual values.

        Each forecast is a line of its own, with its prediction interval.

        Parameters
        ----------
        table : DataFrame
            From :func:`~sklstm.backtest`; with prediction intervals, if it has a `coverage`.
        origins : int or list of timestamps, default=5
            Which forecast origins: so many of the newest whose forecasts do not overlap, or these.
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
            If the table has no such origin, target or series.

        See Also
        --------
        ForecastErrorDisplay.from_backtest : The errors of all origins.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> from sklstm import SequenceForecaster, backtest
        >>> from sklstm.datasets import load_weather
        >>> from sklstm.plotting import ForecastDisplay
        >>> warmth = load_weather(as_frame=True).data["temp_max"]
        >>> table = backtest(SequenceForecaster(Ridge(), 14, steps=7), warmth, coverage=0.8)
        >>> display = ForecastDisplay.from_backtest(table, origins=3)
        >>> display.forecast["origin"].nunique(), len(display.forecast)
        (3, 21)
        """
        check_matplotlib_support(f"{cls.__name__}.from_backtest")
        target = table["target"].iloc[0] if target is None else target
        if series is None and "series" in table:
            series = table["series"].iloc[0]
        table = rows_of_backtest(table, target=target, series=series)
        known, n_steps = list(table["origin"].unique()), int(table["step"].max())
        if isinstance(origins, int):
            chosen = _apart(table)[:origins]
        else:
            chosen = [pick_name(origin, known) for origin in origins]
        forecast = table[table["origin"].isin(chosen)].set_index("timestamp")
        actual = table.drop_duplicates("timestamp").set_index("timestamp")["actual"].sort_index()
        first = max(actual.index.searchsorted(forecast.index.min()) - n_steps, 0)
        past = actual.iloc[first : actual.index.searchsorted(forecast.index.max(), "right")]
        sides = ["lower", "upper"] if "lower" in table else []
        coverage = table["nominal"].iloc[0] if sides else None
        shown = cls(
            past.rename(target), forecast[["forecast", *sides, "origin"]], coverage=coverage
        )
        return shown.plot(ax, line_kwargs=line_kwargs)


def _apart(table: pd.DataFrame) -> list:
    """Origins of whole forecasts that do not overlap, the newest first."""
    n_steps = table["step"].nunique()
    whole = table.groupby("origin").filter(lambda part: len(part) == n_steps)
    chosen: list = []
    first = None
    for origin, timestamps in reversed(list(whole.groupby("origin")["timestamp"])):
        if first is None or timestamps.max() < first:
            chosen.append(origin)
            first = timestamps.min()
    return chosen


def _broken(forecast: pd.DataFrame) -> pd.DataFrame:
    """The values of forecasts, with a row of NaN where those from another origin begin."""
    if "origin" not in forecast:
        return forecast
    origin, values = forecast["origin"], forecast.drop(columns="origin")
    begins = np.flatnonzero((origin != origin.shift())[1:]) + 1
    rows = np.insert(np.arange(len(values)), begins, begins)
    broken = values.iloc[rows].copy()
    broken.iloc[begins + np.arange(len(begins))] = np.nan
    return broken
