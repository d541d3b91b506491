"""TrainingCurveDisplay: the losses by epoch, beside those of baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._data.sklearn_private import check_matplotlib_support
from sklstm.plotting._axes import draw_line, take_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["TrainingCurveDisplay"]

FITTED_PARTS = ("best_estimator_", "regressor_", "estimator_")
"""Attributes in which searches, target transformers and the like keep the fitted model."""


class TrainingCurveDisplay:
    """Losses by epoch, the epoch whose weights are kept, and the losses of baselines.

    :meth:`from_estimator` makes it from a fitted model.

    Parameters
    ----------
    history : DataFrame of shape (n_epochs, n_columns)
        One row an epoch: ``epoch``, ``train_loss`` and, if there is validation data,
        ``valid_loss``.
    best_epoch : int, default=None
        Epoch to mark. `None`: none.
    loss_name : str, default="loss"
        Name of the loss, with its unit.
    validation_losses : DataFrame of shape (n_models, 2), default=None
        ``model`` and ``loss`` of each, the network last: those before it are drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    train_line_ : matplotlib Line2D
        Training loss.
    valid_line_ : matplotlib Line2D or None
        Validation loss, if there is one.
    best_line_ : matplotlib Line2D or None
        Mark of the best epoch, if there is one.
    baseline_lines_ : list of matplotlib Line2D
        Validation losses of baselines and of the init, if there are any. The limits of the axes are
        those of the curves: a line outside is in the legend alone, with its loss.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of training rows.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, SequenceWindower
    >>> from sklstm.datasets import load_weather
    >>> from sklstm.plotting import TrainingCurveDisplay
    >>> weather = load_weather(as_frame=True).data[:200]
    >>> model = make_pipeline(
    ...     SequenceWindower(window_size=7, horizon=1),
    ...     LSTMRegressor(max_epochs=5, early_stopping=True, random_state=0),
    ... )
    >>> display = TrainingCurveDisplay.from_estimator(model.fit(weather, weather["temp_max"]))
    >>> display.ax_.get_ylabel()
    'squared error (standardised)'
    """

    ax_: Axes
    figure_: Figure | SubFigure
    train_line_: Line2D
    valid_line_: Line2D | None
    best_line_: Line2D | None
    baseline_lines_: list[Line2D]

    def __init__(
        self,
        history: pd.DataFrame,
        *,
        best_epoch: int | None = None,
        loss_name: str = "loss",
        validation_losses: pd.DataFrame | None = None,
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.loss_name = loss_name
        self.validation_losses = validation_losses

    def plot(
        self,
        ax: Axes | None = None,
        *,
        log_scale: bool = False,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the losses.

        For a display that is made by hand, or drawn again on other axes, such as the curves of two
        models side by side.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        log_scale : bool, default=False
            Whether the axis of the loss is logarithmic.
        line_kwargs : dict, default=None
            Style of both lines, for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            This display.

        See Also
        --------
        TrainingCurveDisplay.from_estimator : Reads the losses of a model, and draws.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklstm.plotting import TrainingCurveDisplay
        >>> history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.1]})
        >>> TrainingCurveDisplay(history, best_epoch=3).plot(log_scale=True).ax_.get_yscale()
        'log'
        """
        ax = take_axes(self, ax)
        epoch = self.history["epoch"]
        style = {"label": "training"}
        self.train_line_ = draw_line(ax, epoch, self.history["train_loss"], style, line_kwargs)
        self.valid_line_ = self.best_line_ = None
        if "valid_loss" in self.history:
            style = {"label": "validation"}
            self.valid_line_ = draw_line(ax, epoch, self.history["valid_loss"], style, line_kwargs)
        if self.best_epoch is not None:
            label = f"best epoch: {self.best_epoch}"
            self.best_line_ = ax.axvline(self.best_epoch, color="0.5", ls="--", label=label)
        self.baseline_lines_ = []
        if self.validation_losses is not None:
            others = self.validation_losses[:-1]  # the last one is the network
            for color, (model, loss) in enumerate(
                zip(others["model"], others["loss"], strict=True)
            ):
                label = f"{model}, validation: {loss:.3g}"
                self.baseline_lines_.append(_reference_line(ax, loss, f"C{color + 2}", label))
        ax.set(xlabel="epoch", ylabel=self.loss_name, yscale="log" if log_scale else "linear")
        ax.locator_params(axis="x", integer=True)
        ax.legend()
        return self

    @classmethod
    def from_estimator(
        cls,
        model: BaseEstimator,
        *,
        log_scale: bool = False,
        ax: Axes | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the losses of a fitted model.

        With validation data the losses of baselines are drawn, too; with `early_stopping` the best
        epoch is marked.

        Parameters
        ----------
        model : estimator
            Fitted LSTM estimator, or a Pipeline that ends in one, or a search of these, whose best
            estimator is shown.
        log_scale : bool, default=False
            Whether the axis of the loss is logarithmic.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        line_kwargs : dict, default=None
            Style of both lines, for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If the model is not an LSTM estimator, and does not end in one.

        See Also
        --------
        sklstm.LSTMRegressor.history_ : The losses as a table.
        sklstm.LSTMRegressor.validation_losses_ : The losses of baselines.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> from sklstm.plotting import TrainingCurveDisplay
        >>> model = LSTMRegressor(2, max_epochs=2).fit([[[1.0]], [[2.0]]], [1.0, 2.0])
        >>> TrainingCurveDisplay.from_estimator(model).train_line_.get_xdata().tolist()
        [1, 2]
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        network = _network_of(model)
        stops = network.resolved_params_.get("early_stopping", network.early_stopping)
        display = cls(
            network.history_,
            best_epoch=network.best_epoch_ if stops else None,
            loss_name=_loss_name(network),
            validation_losses=network.validation_losses_,
        )
        return display.plot(ax, log_scale=log_scale, line_kwargs=line_kwargs)


def _reference_line(ax: Axes, height: float, color: str, label: str) -> Line2D:
    """Draw a line across the axes, which leaves their limits to the curves."""
    from matplotlib.lines import Line2D

    across = ax.get_yaxis_transform()
    line = Line2D([0, 1], [height] * 2, color=color, ls=":", label=label, transform=across)
    ax.add_artist(line)  # add_line would extend the limits
    return line


def _network_of(model: BaseEstimator) -> BaseEstimator:
    """The fitted LSTM estimator at the end of a model."""
    network = model
    while True:
        check_is_fitted(network)
        part = next((name for name in FITTED_PARTS if hasattr(network, name)), None)
        if part is not None:
            network = getattr(network, part)
        elif isinstance(network, Pipeline):
            network = network[-1]
        else:
            break
    if not hasattr(network, "best_epoch_"):
        raise ValueError(
            f"{type(network).__name__} has no history of epochs: expected a fitted LSTMRegressor "
            "or LSTMClassifier, a Pipeline that ends in one, or a search of these with refit=True."
        )
    return network


def _loss_name(network: BaseEstimator) -> str:
    if is_classifier(network):
        return "cross-entropy"
    name = network.loss.replace("_", " ")
    name = name if name.endswith("error") else f"{name} loss"
    return f"{name} (standardised)" if network.standardize else name
