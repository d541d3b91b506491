"""HistoryAttributionDisplay: a heat map of the part of each feature at each lag in a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import check_matplotlib_support
from sklstm.inspection._attribution import history_attribution
from sklstm.plotting._axes import take_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

__all__ = ["HistoryAttributionDisplay"]

MOST_TICKS = 24
"""Lags that are named on an axis: more would overlap."""


class HistoryAttributionDisplay:
    """The part of each feature at each lag in one prediction: integrated gradients.

    :meth:`from_estimator` makes it from a fitted model.

    Parameters
    ----------
    attributions : DataFrame of shape (n_lags, n_features)
        Parts; the lags in the index, the oldest first, features in the columns.
    prediction : float
        What is explained.
    baseline_prediction : float
        The same without any history: the prediction less the sum of all parts.
    unit : str, default="prediction"
        Label of the numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    image_ : matplotlib AxesImage
        The heat map.
    colorbar_ : matplotlib Colorbar
        Its scale.

    See Also
    --------
    sklstm.inspection.history_attribution : The numbers, and how they are computed.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import LSTMRegressor
    >>> from sklstm.plotting import HistoryAttributionDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 4, 2))
    >>> model = LSTMRegressor(4, max_epochs=2, random_state=0).fit(X, X[:, 1, 0])
    >>> display = HistoryAttributionDisplay.from_estimator(model, X, row=3)
    >>> display.attributions["x0"].abs().idxmax()
    't-2'
    """

    ax_: Axes
    figure_: Figure | SubFigure
    image_: AxesImage
    colorbar_: Colorbar

    def __init__(
        self,
        attributions: pd.DataFrame,
        *,
        prediction: float,
        baseline_prediction: float,
        unit: str = "prediction",
    ) -> None:
        self.attributions = attributions
        self.prediction = prediction
        self.baseline_prediction = baseline_prediction
        self.unit = unit

    def plot(self, ax: Axes | None = None, *, im_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the heat map: one row for each feature and its sum, time from left to right.

        Blue raises the prediction, red lowers it, in one scale about 0.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        im_kwargs : dict, default=None
            Style of the heat map, for :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        HistoryAttributionDisplay
            This display.

        See Also
        --------
        HistoryAttributionDisplay.from_estimator : Compute and draw.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm.plotting import HistoryAttributionDisplay
        >>> parts = pd.DataFrame({"rain": [0.5, -1.0], "wind": [0.0, 0.25]}, index=["t-2", "t-1"])
        >>> display = HistoryAttributionDisplay(parts, prediction=9.75, baseline_prediction=10.0)
        >>> [label.get_text() for label in display.plot().ax_.get_yticklabels()]
        ['rain -0.5', 'wind +0.25']
        """
        table = self.attributions.T
        n_features, n_lags = table.shape
        size = np.clip([4 + 0.4 * n_lags, 2 + 0.4 * n_features], [6, 3], [14, 10])
        ax = take_axes(self, ax, figsize=size)
        reach = float(np.abs(table.to_numpy()).max()) or 1.0
        style: dict[str, Any] = {"cmap": "RdBu", "aspect": "auto", "vmin": -reach, "vmax": reach}
        self.image_ = ax.imshow(table, **style | (im_kwargs or {}))
        label = f"part in the {self.unit}"
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label=label, pad=0.02)
        named = range(0, n_lags, -(-n_lags // MOST_TICKS))
        slanted: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "ha": "right"}
        ax.set_xticks(named, table.columns[list(named)], **slanted)
        sums = table.sum(axis=1)
        ax.set_yticks(range(n_features), [f"{name} {part:+.3g}" for name, part in sums.items()])
        change = self.prediction - self.baseline_prediction
        title = (
            f"{self.unit} {self.prediction:.4g}: {self.baseline_prediction:.4g} for the baseline, "
            f"{change:+.3g} for the history"
        )
        ax.set(xlabel="step of the history", title=title)
        return self

    @classmethod
    def from_estimator(
        cls,
        model: BaseEstimator,
        X: ArrayLike | pd.DataFrame | Sequences,
        row: int = -1,
        *,
        output: Any = None,
        baseline: ArrayLike | None = None,
        n_points: int | str = "auto",
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Attribute a prediction of a model, and draw the parts.

        The numbers are those of `history_attribution`; a display has them as `attributions`.

        Parameters
        ----------
        model : estimator
            Fitted `LSTMRegressor` or `LSTMClassifier`, or a Pipeline or search that ends with it.
        X : DataFrame, array-like of shape (n_rows, n_columns), or sequences
            As for `predict`.
        row : int, default=-1
            Which row of X to explain, counted from 0, or from the end if negative.
        output : int or label, default=None
            Column of y, counted from 0, or label. `None`: the only column, or the predicted label.
        baseline : array-like of shape (n_features,), default=None
            What each step is compared with. `None`: the mean of the training steps.
        n_points : int or "auto", default="auto"
            Number of points of the quadrature.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        im_kwargs : dict, default=None
            Style of the heat map, for :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        HistoryAttributionDisplay
            The display, with the attributions.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            As `history_attribution`, and if `row` names several rows.

        See Also
        --------
        sklstm.inspection.history_attribution : The numbers, without a picture.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMClassifier
        >>> from sklstm.plotting import HistoryAttributionDisplay
        >>> X = np.random.default_rng(0).normal(size=(60, 4, 2))
        >>> model = LSTMClassifier(4, max_epochs=2, random_state=0).fit(X, X[:, 1, 0] > 0)
        >>> display = HistoryAttributionDisplay.from_estimator(model, X, row=3, output=True)
        >>> display.unit
        'log-odds of True'
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if np.ndim(row):
            raise ValueError(f"row={row!r} names several rows, and a picture shows one: give one.")
        found = history_attribution(
            model, X, row, output=output, baseline=baseline, n_points=n_points
        )
        of_label = found.unit == "log-odds"
        display = cls(
            found.attributions,
            prediction=found.prediction,
            baseline_prediction=found.baseline_prediction,
            unit=f"{found.unit} of {found.output}" if of_label else found.unit,
        )
        return display.plot(ax, im_kwargs=im_kwargs)
