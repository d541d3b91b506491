"""ForecastErrorDisplay: errors of a backtest over time, beside those of the naive forecasts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from sklstm._data.sklearn_private import check_matplotlib_support
from sklstm._estimators.forecast_scores import backtest_scores
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
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["ForecastErrorDisplay"]


class ForecastErrorDisplay:
    """Errors of a backtest over time: when forecasts were good, and when a naive one was better.

    :meth:`from_backtest` makes it from the table of :func:`~sklstm.backtest`.

    Parameters
    ----------
    scores : DataFrame of shape (n_points, n_models)
        A score for each model, by forecast origin. The first column is the forecaster.
    name : str, default="error"
        Name of the score, with its unit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        One for each model.

    See Also
    --------
    ForecastDisplay.from_backtest : The forecasts themselves.
    sklstm.backtest_scores : The scores as a table, over all origins or by step.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from sklstm import SequenceForecaster, backtest
    >>> from sklstm.datasets import load_weather
    >>> from sklstm.plotting import ForecastErrorDisplay
    >>> warmth = load_weather(as_frame=True).data["temp_max"]
    >>> table = backtest(SequenceForecaster(Ridge(), 14, steps=7), warmth)
    >>> display = ForecastErrorDisplay.from_backtest(table, step=7)
    >>> [line.get_label() for line in display.lines_]
    ['forecaster', 'naive']
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(self, scores: pd.DataFrame, *, name: str = "error") -> None:
        self.scores = scores
        self.name = name

    def plot(self, ax: Axes | None = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw a line for each model.

        For a display that is made by hand, or drawn again on other axes; :meth:`from_backtest` has
        drawn it already.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        line_kwargs : dict, default=None
            Style of all lines, for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ForecastErrorDisplay
            This display.

        See Also
        --------
        ForecastErrorDisplay.from_backtest : Computes the scores, and draws.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm.plotting import ForecastErrorDisplay
        >>> days = pd.date_range("2024-01-01", periods=3)
        >>> scores = pd.DataFrame({"mine": [1.0, 2.0, 1.0], "naive": [3.0, 3.0, 4.0]}, days)
        >>> ForecastErrorDisplay(scores, name="MAE").plot().ax_.get_ylabel()
        'MAE'
        """
        ax = take_axes(self, ax, figsize=(9, 4))
        times, self.lines_ = places_of_times(self.scores.index), []
        for place, (model, score) in enumerate(self.scores.items()):
            style = {"color": f"C{place}", "label": model, "zorder": 3 if place == 0 else 2}
            self.lines_.append(draw_line(ax, times, score, style, line_kwargs))
        label_times(ax, times, self.scores.index.name)
        ax.set_ylabel(self.name)
        draw_legend_above(ax)
        return self

    @classmethod
    def from_backtest(
        cls,
        table: pd.DataFrame,
        *,
        score: str = "MAE",
        step: int | None = None,
        target: Hashable | None = None,
        series: Hashable | None = None,
        n_points: int = 50,
        ax: Axes | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Compute scores over time, and draw.

        The rows are those that all models share, as in :func:`~sklstm.backtest_scores`.

        Parameters
        ----------
        table : DataFrame
            From :func:`~sklstm.backtest`.
        score : str, default="MAE"
            A column of :func:`~sklstm.backtest_scores`, such as ``"MASE"`` for a panel of series of
            different size, or ``"coverage"``.
        step : int, default=None
            Steps ahead. `None`: all steps of an origin together.
        target : str, default=None
            Which target. `None`: all together.
        series : object, default=None
            Which series, if there are several. `None`: all together.
        n_points : int, default=50
            Points of a line. If there are more forecast origins, each point is the score of
            several neighbouring ones, and is drawn at the first of them.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        line_kwargs : dict, default=None
            Style of all lines, for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ForecastErrorDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the table has no such score, step, target or series.

        See Also
        --------
        sklstm.backtest_scores : What each score is, and which rows are left out.

        Examples
        --------
        Errors of the first and of the last step, one above the other:

        >>> import matplotlib.pyplot as plt
        >>> from sklearn.linear_model import Ridge
        >>> from sklstm import SequenceForecaster, backtest
        >>> from sklstm.datasets import load_weather
        >>> from sklstm.plotting import ForecastErrorDisplay
        >>> warmth = load_weather(as_frame=True).data["temp_max"]
        >>> table = backtest(SequenceForecaster(Ridge(), 14, steps=7), warmth)
        >>> _, axes = plt.subplots(2, sharex=True, sharey=True)
        >>> for step, ax in zip([1, 7], axes):
        ...     display = ForecastErrorDisplay.from_backtest(table, step=step, ax=ax)
        >>> display.ax_.get_ylabel().splitlines()
        ['MAE of temp_max', '7 steps ahead']
        """
        check_matplotlib_support(f"{cls.__name__}.from_backtest")
        part = rows_of_backtest(table, target=target, series=series, step=step)
        place, origins = pd.factorize(part["origin"], sort=True)
        n_each = -(-len(origins) // n_points)
        found = backtest_scores(part.assign(_place=place // n_each), by="_place")
        column = found[pick_name(score, list(found))]
        of_models = {name: column.xs(name, level="model") for name in found.index.unique("model")}
        scores = pd.DataFrame(of_models).dropna(axis=1, how="all")
        names = part["target"].unique()
        of = f" of {names[0]}" if len(names) == 1 else ""
        name = f"{score}{of}" + ("" if step is None else f"\n{step} steps ahead")
        scores = scores.set_axis(origins[::n_each].rename("origin"))
        return cls(scores, name=name).plot(ax, line_kwargs=line_kwargs)
