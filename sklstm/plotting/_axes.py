"""What the displays share: axes to draw on, and lines in which nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._plotting import _validate_style_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["draw_line", "take_axes"]


def take_axes(display: Any, ax: Axes | None, **figure_kwargs: Any) -> Axes:
    """The axes to draw on, which the display remembers."""
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
