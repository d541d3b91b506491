"""Axes of the displays, and lines that show single points and gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklstm._data.sklearn_private import _validate_style_kwargs, check_matplotlib_support

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = [
    "draw_legend_above",
    "draw_line",
    "label_times",
    "places_of_times",
    "take_axes",
    "with_gaps",
]

LONG_STEP = 5
"""A line is broken where rows are further apart than so many median sampling intervals."""


TICKS_AN_INCH, TICKS = 1.8, (5, 10)
"""So many dates have room beside each other; matplotlib finds none for fewer than five."""


def take_axes(display: Any, ax: Axes | None, **figure_kwargs: Any) -> Axes:
    """The axes to draw on, which become attributes of the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained", **figure_kwargs)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def draw_line(
    ax: Axes, x: Any, y: ArrayLike, style: dict[str, Any], user_style: dict[str, Any] | None
) -> Line2D:
    """Draw a line, with a dot where a single point has no neighbour to be joined to."""
    is_known = np.pad(np.isfinite(y), 1)
    is_alone = is_known[1:-1] & ~is_known[:-2] & ~is_known[2:]
    if is_alone.any():
        style = {"marker": "o", "markersize": 3, "markevery": is_alone} | style
    return ax.plot(x, y, **_validate_style_kwargs(style, user_style or {}))[0]


def draw_legend_above(ax: Axes, *, most_columns: int = 3) -> None:
    """Draw the legend above the axes, where it hides no data, in as many columns as have room."""
    for n_columns in range(most_columns, 0, -1):
        legend = ax.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=n_columns,
            frameon=False,
            borderaxespad=0,
        )
        if legend.get_window_extent().width <= _width(ax):
            break


def _width(ax: Axes) -> float:
    return ax.get_window_extent().width


def with_gaps(timestamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a line, and which of them are not drawn: two in each gap, at its ends.

    Parameters
    ----------
    timestamps : ndarray of shape (n_rows,)
        Time of each row as a number, increasing.

    Returns
    -------
    rows : ndarray of int, shape (n_points,)
        Which row each point belongs to.
    is_gap : ndarray of bool, shape (n_points,)
        Whether the point breaks the line.

    Examples
    --------
    >>> import numpy as np
    >>> with_gaps(np.array([0, 1, 2, 9]))
    (array([0, 1, 2, 2, 3, 3]), array([False, False, False,  True,  True, False]))
    """
    steps = np.diff(timestamps)
    before = np.flatnonzero(steps > LONG_STEP * np.median(steps)) if len(steps) else steps[:0]
    after = np.repeat(before + 1, 2)
    ends = np.column_stack([before, before + 1]).ravel()
    rows = np.arange(len(timestamps))
    return np.insert(rows, after, ends), np.insert(np.zeros(len(rows), bool), after, True)


def places_of_times(index: pd.Index) -> pd.Index:
    """Where timestamps are on an axis: a period is at its start."""
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index


def label_times(ax: Axes, times: pd.Index, name: Any) -> None:
    """Name an axis of time, and write on one of dates only what changes from one to the next."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    ax.set_xlabel(name or "")
    if isinstance(times, pd.DatetimeIndex):
        most = int(np.clip(TICKS_AN_INCH * _width(ax) / ax.figure.dpi, *TICKS))
        locator = AutoDateLocator(tz=times.tz, minticks=2, maxticks=most)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=times.tz))
