"""ForecastDisplay: the past, the forecast, and its band, on real dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from sklstm.plotting._axes import draw_line, take_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["ForecastDisplay"]


class ForecastDisplay:
    """What was, what is foretold, and between which values it will lie.

    :meth:`from_estimator` makes it from a fitted :class:`~sklstm.SequenceForecaster`.

    Parameters
    ----------
    past : Series
        The last values known, on their timestamps.
    forecast : DataFrame of shape (n_steps, 1) or (n_steps, 3)
        ``forecast`` and, if there is a band, ``lower`` and ``upper``, on the timestamps to come.
    coverage : float, default=None
        Share of truths that the band is to hold, for the legend.

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
    band_ : matplotlib PolyCollection or None
        The band, if there is one.

    See Also
    --------
    PredictionDisplay : Predictions of rows whose truth is known.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklstm import SequenceForecaster
    >>> from sklstm.plotting import ForecastDisplay
    >>> hours = pd.date_range("2024-01-01", periods=200, freq="h")
    >>> tide = pd.Series(np.sin(np.arange(200) / 4), hours, name="tide")
    >>> forecaster = SequenceForecaster(LinearRegression(), steps=12).fit(tide)
    >>> ForecastDisplay.from_estimator(forecaster, coverage=0.9).ax_.get_ylabel()
    'tide'
    """

    ax_: Axes
    figure_: Figure | SubFigure
    past_line_: Line2D
    forecast_line_: Line2D
    band_: PolyCollection | None

    def __init__(
        self, past: pd.Series, forecast: pd.DataFrame, *, coverage: float | None = None
    ) -> None:
        self.past = past
        self.forecast = forecast
        self.coverage = coverage

    def plot(self, ax: Axes | None = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw past, forecast and band.

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
        >>> told = pd.DataFrame({"forecast": 6.0, "lower": 5.0, "upper": 7.0}, days[3:])
        >>> ForecastDisplay(past, told).plot().ax_.get_ylabel()
        'sold'
        """
        ax = take_axes(self, ax, figsize=(9, 4))
        style = {"color": "0.4", "label": "measured"}
        self.past_line_ = draw_line(ax, _places(self.past.index), self.past, style, line_kwargs)
        timestamps = _places(self.forecast.index)
        style = {"color": "C0", "label": "forecast"}
        middle = self.forecast["forecast"]
        self.forecast_line_ = draw_line(ax, timestamps, middle, style, line_kwargs)
        self.band_ = None
        if "lower" in self.forecast:
            label = "band" if self.coverage is None else f"{self.coverage:.0%} of truths"
            sides = self.forecast["lower"], self.forecast["upper"]
            self.band_ = ax.fill_between(timestamps, *sides, color="C0", alpha=0.2, label=label)
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

        It calls `predict`, or `predict_interval` if there is a coverage; the rows the forecaster
        remembers stand before it.

        Parameters
        ----------
        forecaster : SequenceForecaster
            Fitted. The rows it remembers are the past.
        steps : int, default=None
            How many steps. `None`: those of the forecaster.
        X : DataFrame, default=None
            Known columns of these steps.
        coverage : float, default=None
            Share of truths in the band. `None`: no band.
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
        sklstm.SequenceForecaster.predict_interval : The numbers of the band.

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
        tables, targets = forecaster._buffer.tables, forecaster.targets_
        series = next(iter(tables)) if series is None else series
        target = targets[0] if target is None else target
        for name, known in ((series, list(tables)), (target, targets)):
            if name not in known:
                raise ValueError(f"{name!r} is not among {known}.")
        if coverage is None:
            told = forecaster.predict(steps, X)[[target]].set_axis(["forecast"], axis=1)
        else:
            told = forecaster.predict_interval(coverage, steps, X)
            told = told[target] if len(targets) > 1 else told
        told = told if forecaster.series is None else told.loc[series]
        return cls(tables[series][target], told, coverage=coverage).plot(
            ax, line_kwargs=line_kwargs
        )


def _places(index: pd.Index) -> pd.Index:
    """Where timestamps are on an axis: a period where it starts."""
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
