"""HistoryImportanceDisplay: a heat map of the importance of each feature at each lag."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import check_matplotlib_support, validate_parameter_constraints
from sklstm.inspection._importance import PARAMETER_CONSTRAINTS, history_importance
from sklstm.plotting._axes import take_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

__all__ = ["HistoryImportanceDisplay"]


class HistoryImportanceDisplay:
    """How much the score drops without a feature at a lag: permutation importance of histories.

    :meth:`from_estimator` makes it from a fitted model.

    Parameters
    ----------
    importances_mean : DataFrame of shape (n_groups, n_features)
        Mean drop of the score; the lags in the index, the oldest first, features in the columns.
    importances_std : DataFrame of shape (n_groups, n_features), default=None
        Standard deviation of the drop over the repeats.
    unit : str, default="drop in score"
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
    sklstm.inspection.history_importance : The numbers, and how they are computed.

    Examples
    --------
    The target is the second feature of two steps before:

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, SequenceWindower
    >>> from sklstm.plotting import HistoryImportanceDisplay
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> y = np.roll(X[:, 1], 2)
    >>> model = make_pipeline(
    ...     SequenceWindower(window_size=3, horizon=1),
    ...     LSTMRegressor(hidden_size=8, lr=0.03, max_epochs=20, random_state=0),
    ... )
    >>> model = model.fit(X, y)
    >>> display = HistoryImportanceDisplay.from_estimator(model, X, y, random_state=0)
    >>> display.importances_mean.round(0).abs()
    feature   x0   x1
    lag
    t-3      0.0  0.0
    t-2      0.0  2.0
    t-1      0.0  0.0
    """

    ax_: Axes
    figure_: Figure | SubFigure
    image_: AxesImage
    colorbar_: Colorbar

    def __init__(
        self,
        importances_mean: pd.DataFrame,
        *,
        importances_std: pd.DataFrame | None = None,
        unit: str = "drop in score",
    ) -> None:
        self.importances_mean = importances_mean
        self.importances_std = importances_std
        self.unit = unit

    def plot(self, ax: Axes | None = None, *, im_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the heat map: one row for each feature, time from left to right.

        For a display that is made by hand, or drawn again on other axes. Blue is a drop of the
        score, red a gain, in one scale about 0.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        im_kwargs : dict, default=None
            Style of the heat map, for :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        HistoryImportanceDisplay
            This display.

        See Also
        --------
        HistoryImportanceDisplay.from_estimator : Measure and draw.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm.plotting import HistoryImportanceDisplay
        >>> table = pd.DataFrame({"rain": [0.1, 0.5], "wind": [0.0, 0.2]}, index=["t-2", "t-1"])
        >>> HistoryImportanceDisplay(table, unit="drop in R²").plot().colorbar_.ax.get_ylabel()
        'drop in R²'
        """
        table = self.importances_mean.T
        n_features, n_groups = table.shape
        size = np.clip([3 + 0.4 * n_groups, 1.5 + 0.4 * n_features], [5, 3], [14, 10])
        ax = take_axes(self, ax, figsize=size)
        low = min(0.0, float(self.importances_mean.to_numpy().min()))
        high = max(0.0, float(self.importances_mean.to_numpy().max()))
        reach = max(-low, high) or 1
        style: dict[str, Any] = {"cmap": "RdBu", "aspect": "auto", "vmin": -reach, "vmax": reach}
        self.image_ = ax.imshow(table, **style | (im_kwargs or {}))
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label=self.unit, pad=0.02)
        if low < high and not im_kwargs:
            self.colorbar_.ax.set_ylim(low, high)
        slanted: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "ha": "right"}
        ax.set_xticks(range(n_groups), table.columns, **slanted)
        ax.set_yticks(range(n_features), table.index)
        ax.set(xlabel="step of the history")
        return self

    @classmethod
    def from_estimator(
        cls,
        model: BaseEstimator,
        X: ArrayLike | pd.DataFrame | Sequences,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        scoring: str | Callable[..., float] | None = None,
        n_repeats: int = 5,
        n_groups: int | None = 24,
        max_samples: int | None = 1000,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        ax: Axes | None = None,
        im_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Permute, score, and draw how much the score drops.

        It predicts ``n_groups * n_features * n_repeats`` times: begin with ``n_groups=1``, or with
        few rows.

        Parameters
        ----------
        model : estimator
            Fitted Pipeline in which a `SequenceWindower` is a step, on a table; or a model that
            takes sequences; or a search of these, whose best estimator is taken. Any model may
            read the sequences, such as a `SequenceFlattener` and gradient boosting.
        X : DataFrame, array-like of shape (n_rows, n_columns), or sequences
            Rows to score on, better not those of `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights in the score. A row of weight 0 is only part of histories.
        scoring : str or callable, default=None
            Score, as in scikit-learn. `None`: for a search the one by which it has chosen, else
            the `score` of the model, R² or accuracy. It is named beside the colour scale.
        n_repeats : int, default=5
            How often each feature is permuted at each lag.
        n_groups : int or None, default=24
            Longer histories are divided into so many groups of neighbouring lags, which are
            permuted together. 1: one column, a number for each feature, fastest. `None`: each lag
            by itself.
        max_samples : int or None, default=1000
            Most rows to score on, drawn at random if there are more. `None`: all.
        random_state : int, RandomState instance or None, default=None
            Seeds the choice of rows and the permutations.
        verbose : int, default=0
            1 shows a bar over the predictions.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        im_kwargs : dict, default=None
            Style of the heat map, for :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        HistoryImportanceDisplay
            The display, drawn. The lag ``t-2`` is two rows before the predicted one, with
            `horizon=2` the last step of the history; behind a `LagSequencer` the lag that the
            name of the column has; without either ``t`` is the last step.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If a parameter is not valid, X is a table and the model cannot make sequences of it, or
            a search has no single metric.

        See Also
        --------
        sklstm.inspection.history_importance : The numbers, without a picture.

        Examples
        --------
        Any model that reads histories, here a ridge regression of their lags:

        >>> import numpy as np
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklstm import SequenceFlattener
        >>> from sklstm.plotting import HistoryImportanceDisplay
        >>> X = np.random.default_rng(0).normal(size=(50, 2, 1))
        >>> y = X[:, 0, 0]
        >>> model = make_pipeline(SequenceFlattener(), Ridge()).fit(X, y)
        >>> display = HistoryImportanceDisplay.from_estimator(model, X, y)
        >>> display.importances_mean["x0"].idxmax()
        't-1'
        """
        caller = f"{cls.__name__}.from_estimator"
        check_matplotlib_support(caller)
        validate_parameter_constraints(PARAMETER_CONSTRAINTS, locals(), caller)
        result = history_importance(
            model,
            X,
            y,
            sample_weight=sample_weight,
            scoring=scoring,
            n_repeats=n_repeats,
            n_groups=n_groups,
            max_samples=max_samples,
            random_state=random_state,
            verbose=verbose,
        )
        labels = {
            "index": pd.Index(result.lags, name="lag"),
            "columns": pd.Index(result.feature_names, name="feature"),
        }
        display = cls(
            pd.DataFrame(result.importances_mean, **labels),
            importances_std=pd.DataFrame(result.importances_std, **labels),
            unit=result.unit,
        )
        return display.plot(ax, im_kwargs=im_kwargs)
