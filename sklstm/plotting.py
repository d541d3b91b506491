"""Displays: pictures of training, predictions, and what the histories contribute."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils._plotting import _validate_style_kwargs
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from sklstm._data.frames import lay_out
from sklstm._data.inputs import as_sequences, is_table
from sklstm._data.sequences import Sequences, ranges
from sklstm._tables.windower import SequenceWindower

__all__ = ["HistoryImportanceDisplay", "PredictionDisplay", "TrainingCurveDisplay"]

LONG_STEP = 5
"""A line is broken where rows are further apart than so many usual (median) steps."""

FITTED_PARTS = ("best_estimator_", "regressor_", "estimator_")
"""Where searches, target transformers and the like keep the model that they have fitted."""


class TrainingCurveDisplay:
    """Training and validation loss by epoch, and the epoch whose weights are kept.

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

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    train_line_ : matplotlib Line2D
        Training loss.
    valid_line_ : matplotlib Line2D or None
        Validation loss, if there is.
    best_line_ : matplotlib Line2D or None
        Mark of the best epoch, if there is.

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

    def __init__(self, history, *, best_epoch=None, loss_name="loss"):
        self.history = history
        self.best_epoch = best_epoch
        self.loss_name = loss_name

    def plot(self, ax=None, *, log_scale=False, line_kwargs=None):
        """Draw the losses.

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
        """
        ax = _axes(self, ax)
        epoch = self.history["epoch"]
        style = {"label": "training"}
        self.train_line_ = _draw(ax, epoch, self.history["train_loss"], style, line_kwargs)
        self.valid_line_ = self.best_line_ = None
        if "valid_loss" in self.history:
            style = {"label": "validation"}
            self.valid_line_ = _draw(ax, epoch, self.history["valid_loss"], style, line_kwargs)
        if self.best_epoch is not None:
            label = f"best epoch: {self.best_epoch}"
            self.best_line_ = ax.axvline(self.best_epoch, color="0.6", ls="--", label=label)
        ax.set(xlabel="epoch", ylabel=self.loss_name, yscale="log" if log_scale else "linear")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        return self

    @classmethod
    def from_estimator(cls, model, *, log_scale=False, ax=None, line_kwargs=None):
        """Draw the losses of a fitted model.

        The best epoch is marked if the model was fitted with `early_stopping`.

        Parameters
        ----------
        model : estimator
            Fitted LSTM estimator, or a Pipeline that ends in one, or a search of these, of which
            the best estimator is shown.
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
            If the model is or ends in something else than an LSTM estimator.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        network = _network_of(model)
        best_epoch = network.best_epoch_ if network.early_stopping else None
        display = cls(network.history_, best_epoch=best_epoch, loss_name=_loss_name(network))
        return display.plot(ax, log_scale=log_scale, line_kwargs=line_kwargs)


def _network_of(model):
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


def _loss_name(network):
    if is_classifier(network):
        return "cross-entropy"
    name = network.loss.replace("_", " ")
    name = name if name.endswith("error") else f"{name} loss"
    return f"{name} (standardised)" if network.standardize else name


class PredictionDisplay:
    """What was and what was predicted, over time: numbers or labels.

    :meth:`from_estimator` makes it from a fitted model, :meth:`from_predictions` from predictions.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        What was. A missing value leaves a gap.
    y_pred : array-like of shape (n_rows,)
        What was predicted.
    time : Index or array-like of shape (n_rows,), default=None
        Dates, periods or numbers that increase. `None`: the rows are counted from 0.
    target_name : str, default="target"
        Name of the target, with its unit.
    classes : list of length n_classes, default=None
        Labels from the bottom to the top of the axis; others are not drawn. `None`: `y_true` and
        `y_pred` are numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    true_line_, pred_line_ : matplotlib Line2D
        The two lines.

    See Also
    --------
    sklearn.metrics.PredictionErrorDisplay : Predicted against true values, without time.

    Notes
    -----
    The lines are broken where rows are more than five times as far apart as usual (the median).

    Examples
    --------
    >>> from sklstm.datasets import load_weather
    >>> from sklstm.plotting import PredictionDisplay
    >>> weather = load_weather(as_frame=True)
    >>> sky = weather.target[:60]
    >>> display = PredictionDisplay.from_predictions(sky, sky.shift(1))  # as the day before
    >>> display.ax_.get_ylabel(), display.ax_.get_xlabel()
    ('weather', 'date')
    """

    def __init__(self, y_true, y_pred, *, time=None, target_name="target", classes=None):
        self.y_true = y_true
        self.y_pred = y_pred
        self.time = time
        self.target_name = target_name
        self.classes = classes

    def plot(self, ax=None, *, true_kwargs=None, pred_kwargs=None):
        """Draw the two lines.

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
        """
        ax = _axes(self, ax, figsize=(10, 4))
        times, stamps, name = _read_time(self.time, len(self.y_true))
        rows, is_gap = _with_gaps(stamps)
        times = times[rows]
        steps = {} if self.classes is None else {"drawstyle": "steps-mid"}
        true, predicted = (self._heights(y)[rows] for y in (self.y_true, self.y_pred))
        true[is_gap] = predicted[is_gap] = np.nan
        style = {"color": "0.6", "linewidth": 3, "label": "true"} | steps
        self.true_line_ = _draw(ax, times, true, style, true_kwargs)
        style = {"color": "C0", "label": "predicted"} | steps
        self.pred_line_ = _draw(ax, times, predicted, style, pred_kwargs)
        if self.classes is not None:
            ax.set_yticks(range(len(self.classes)), self.classes)
        if isinstance(times, pd.DatetimeIndex):
            _shorten_dates(ax, times.tz)
        ax.set(xlabel=name, ylabel=self.target_name)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderaxespad=0)
        return self

    def _heights(self, y):
        """Place of each row on the vertical axis."""
        if self.classes is None:
            return pd.Series(y).to_numpy(float, na_value=np.nan)
        codes = pd.Index(self.classes).get_indexer(pd.Index(y))
        return np.where(codes < 0, np.nan, codes)

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y,
        *,
        series_name=None,
        output=None,
        target_name=None,
        classes=None,
        ax=None,
        true_kwargs=None,
        pred_kwargs=None,
    ):
        """Predict, and draw the predictions over time.

        Parameters
        ----------
        model : estimator
            Fitted, with `predict`: one prediction a row.
        X : DataFrame, or whatever the model predicts from
            The time is that of the `SequenceWindower` in the model, or the index of X, or else
            that of `y`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            What was.
        series_name : label or tuple of labels, default=None
            Series to draw, if the `SequenceWindower` in the model tells several apart in X.
        output : str or int, default=None
            Name or position of the target to draw, if there are several.
        target_name : str, default=None
            Name of the target, with its unit. `None`: the name of `y` or of its column.
        classes : list of length n_classes, default=None
            Labels from the bottom to the top of the axis. `None`: those there are, sorted, if the
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
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(model)
        check_consistent_length(X, y)
        times, keys = _read_rows(model, X)
        rows = _rows_of_series(keys, series_name, len(y))
        y_true, y_pred = _safe_indexing(y, rows), model.predict(X)[rows]
        if classes is None and is_classifier(model):
            true, predicted, _ = _pick_output(y_true, y_pred, output)
            classes = _labels(true, predicted)
        return cls.from_predictions(
            y_true,
            y_pred,
            time=None if times is None else times[rows],
            output=output,
            target_name=target_name,
            classes=classes,
            ax=ax,
            true_kwargs=true_kwargs,
            pred_kwargs=pred_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        *,
        time=None,
        output=None,
        target_name=None,
        classes=None,
        ax=None,
        true_kwargs=None,
        pred_kwargs=None,
    ):
        """Draw predictions over time.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,) or (n_rows, n_outputs)
            What was: the rows of one series, in time order.
        y_pred : array-like of shape (n_rows,) or (n_rows, n_outputs)
            What was predicted.
        time : Index or array-like of shape (n_rows,), default=None
            Dates, periods or numbers. `None`: the index of `y_true`, or of its last level, or else
            that of `y_pred`, if it is of dates, periods or integers; or else the number of the row.
        output : str or int, default=None
            Name or position of the target to draw, if there are several.
        target_name : str, default=None
            Name of the target, with its unit. `None`: the name of `y_true` or of its column.
        classes : list of length n_classes, default=None
            Labels from the bottom to the top of the axis. `None`: those there are, sorted, unless
            they are numbers.
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
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        for y in (y_true, y_pred):
            if time is None and isinstance(y, (pd.Series, pd.DataFrame)):
                time = _times_in(lay_out(pd.DataFrame(index=y.index)))
        true, predicted, name = _pick_output(y_true, y_pred, output)
        if classes is None and not all(map(_is_number, (true, predicted))):
            classes = _labels(true, predicted)
        if target_name is None:
            target_name = name if isinstance(name, str) else "target"
        facts = {"time": time, "target_name": target_name, "classes": classes}
        display = cls(true.to_numpy(), predicted.to_numpy(), **facts)
        return display.plot(ax, true_kwargs=true_kwargs, pred_kwargs=pred_kwargs)


def _read_rows(model, X):
    """Time and series of each row of X, as the model reads them; None if there is none."""
    if not isinstance(X, pd.DataFrame):
        return None, None
    windower = _windower_of(model)
    layout = lay_out(X) if windower is None else lay_out(X, windower.series, windower.time)
    return _times_in(layout), layout.keys


def _times_in(layout):
    return None if layout.clock is None else layout.times


def _rows_of_series(keys, series_name, n_rows):
    """Rows of the series to draw."""
    codes, names = (np.zeros(n_rows, int), []) if keys is None else pd.factorize(keys)
    names = list(names)
    if series_name in names:
        return np.flatnonzero(codes == names.index(series_name))
    if series_name is None and len(names) < 2:
        return np.arange(n_rows)
    known = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    raise ValueError(
        f"series_name={series_name!r} does not choose one of the series in X. "
        + (f"They are {known}." if names else "The model has no SequenceWindower with series=.")
    )


def _pick_output(y_true, y_pred, output):
    """One column of both, and its name."""
    true, predicted = pd.DataFrame(y_true), pd.DataFrame(y_pred)
    if true.shape != predicted.shape:
        raise ValueError(
            f"y_true has the shape {np.shape(y_true)} and y_pred {np.shape(y_pred)}: there must be "
            "one prediction for each true value."
        )
    names = list(true.columns)
    if output is None and len(names) == 1:
        place = 0
    elif output in names:
        place = names.index(output)
    elif isinstance(output, Integral) and 0 <= output < len(names):
        place = output
    else:
        raise ValueError(
            f"output={output!r} does not choose one of the {len(names)} targets: give a name or "
            f"position among {names}."
        )
    return true.iloc[:, place], predicted.iloc[:, place], names[place]


def _is_number(column):
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _labels(true, predicted):
    """All labels there are, sorted."""
    return sorted({*predicted.dropna(), *true.dropna()})


def _read_time(time, n_rows):
    """Times of the rows, the same as numbers, and what they are called."""
    if time is None:
        time = pd.RangeIndex(n_rows, name="row")
    layout = lay_out(pd.DataFrame({"time": time}), time="time")
    check_consistent_length(layout.times, np.empty(n_rows))
    wrong = np.flatnonzero(np.diff(layout.stamps) <= 0)
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"Time must increase, but row {row + 1} (counted from 0; time {layout.times[row + 1]}) "
            f"follows row {row} ({layout.times[row]}), as do {len(wrong) - 1} more. Sort the rows "
            "by time; of several series choose the rows of one: a line through all would mean "
            "nothing."
        )
    times = layout.times
    name = getattr(time, "name", None) or "time"
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    elif isinstance(times, pd.TimedeltaIndex):
        times, name = times.total_seconds(), f"{name} (s)"
    return times, layout.stamps, name


def _with_gaps(stamps):
    """Rows of a line, and which of them are not drawn: two in each gap, at its ends.

    Parameters
    ----------
    stamps : ndarray of shape (n_rows,)
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
    >>> _with_gaps(np.array([0, 1, 2, 9]))
    (array([0, 1, 2, 2, 3, 3]), array([False, False, False,  True,  True, False]))
    """
    steps = np.diff(stamps)
    before = np.flatnonzero(steps > LONG_STEP * np.median(steps)) if len(steps) else steps[:0]
    after = np.repeat(before + 1, 2)
    ends = np.column_stack([before, before + 1]).ravel()
    rows = np.arange(len(stamps))
    return np.insert(rows, after, ends), np.insert(np.zeros(len(rows), bool), after, True)


def _shorten_dates(ax, zone):
    """Write on an axis of dates only what changes from one to the next."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=zone)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))


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
        What the numbers are.

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
    sklearn.inspection.permutation_importance : Importance of whole columns of a table.

    Notes
    -----
    For each feature and lag the values at that lag change places among all sequences that reach
    back so far, and nothing else changes: not even the same row in other histories. What a
    feature says twice, such as today's temperature and yesterday's, or the highest of a day and
    the lowest, counts little at each of the two places.

    There are ``n_groups * n_features * n_repeats`` predictions of `max_samples` sequences.

    References
    ----------
    .. [1] Breiman, "Random Forests", Machine Learning 45(1), 2001.

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

    _parameter_constraints: dict = {
        "scoring": [str, callable, None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "n_groups": [Interval(Integral, 1, None, closed="left"), None],
        "max_samples": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(self, importances_mean, *, importances_std=None, unit="drop in score"):
        self.importances_mean = importances_mean
        self.importances_std = importances_std
        self.unit = unit

    def plot(self, ax=None, *, im_kwargs=None):
        """Draw the heat map: a line a feature, time from left to right.

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
        """
        table = self.importances_mean.T
        n_features, n_groups = table.shape
        size = np.clip([3 + 0.4 * n_groups, 1.5 + 0.4 * n_features], [5, 3], [14, 10])
        ax = _axes(self, ax, figsize=size)
        low, high = min(0, table.min(axis=None)), max(0, table.max(axis=None))
        reach = max(-low, high) or 1
        style = {"cmap": "RdBu", "aspect": "auto", "vmin": -reach, "vmax": reach}
        self.image_ = ax.imshow(table, **style | (im_kwargs or {}))
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label=self.unit, pad=0.02)
        if low < high and not im_kwargs:
            self.colorbar_.ax.set_ylim(low, high)
        slanted = {"rotation": 45, "rotation_mode": "anchor", "ha": "right"}
        ax.set_xticks(range(n_groups), table.columns, **slanted)
        ax.set_yticks(range(n_features), table.index)
        ax.set(xlabel="step of the history")
        return self

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y,
        *,
        sample_weight=None,
        scoring=None,
        n_repeats=5,
        n_groups=24,
        max_samples=1000,
        random_state=None,
        ax=None,
        im_kwargs=None,
    ):
        """Permute, score, and draw how much the score drops.

        Parameters
        ----------
        model : estimator
            Fitted Pipeline in which a `SequenceWindower` is a step, on a table; or a model that
            takes sequences; or a search of these, whose best estimator is taken. What reads the
            sequences may be anything, also a `SequenceFlattener` and gradient boosting.
        X : DataFrame, array-like of shape (n_rows, n_columns), or sequences
            Rows to score on, better not those of `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights in the score. A row of weight 0 is history only.
        scoring : str or callable, default=None
            Score, as everywhere in scikit-learn. `None`: the `score` of the model, R² or accuracy.
        n_repeats : int, default=5
            How often each feature is permuted at each lag.
        n_groups : int or None, default=24
            Longer histories than that are divided into so many groups of neighbouring lags, which
            change places together. `None`: each lag for itself.
        max_samples : int or None, default=1000
            Most rows to score on, drawn at random if there are more. `None`: all.
        random_state : int, RandomState instance or None, default=None
            Draws rows and permutations.
        ax : matplotlib Axes, default=None
            Where to draw. `None`: in a new figure.
        im_kwargs : dict, default=None
            Style of the heat map, for :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        HistoryImportanceDisplay
            The display, drawn. The lag ``t-2`` is the row two before the one that is predicted, so
            that with `horizon=2` it is the last step of the history; without a
            `SequenceWindower`, ``t`` is the last step.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If a parameter is not valid, or X is a table and the model cannot make sequences of it.
        """
        caller = f"{cls.__name__}.from_estimator"
        check_matplotlib_support(caller)
        validate_parameter_constraints(cls._parameter_constraints, locals(), caller)
        check_is_fitted(model)
        model = getattr(model, "best_estimator_", model)
        random = check_random_state(random_state)
        sequences, reader = _sequences_of(model, X)
        sequences, y, weights = _draw_samples(sequences, y, sample_weight, max_samples, random)
        groups = _group_lags(sequences.max_length, n_groups)
        scorer = check_scoring(reader, scoring=scoring)

        def score(permuted):
            return scorer(reader, permuted, y, **weights)

        drops = _score_drops(score, sequences, groups, n_repeats, random)
        windower = _windower_of(model)
        horizon = 0 if windower is None else windower.horizon
        labels = {
            "index": pd.Index([_name_lags(lags + horizon) for lags in groups], name="lag"),
            "columns": pd.Index(_feature_names(sequences), name="feature"),
        }
        display = cls(
            pd.DataFrame(drops.mean(axis=0), **labels),
            importances_std=pd.DataFrame(drops.std(axis=0), **labels),
            unit=_unit(reader, scoring),
        )
        return display.plot(ax, im_kwargs=im_kwargs)


def _sequences_of(model, X):
    """Sequences that a model makes of X, and the part of it that reads them."""
    if not is_table(X):
        return as_sequences(model, X, reset=False), model
    steps = model.steps[:-1] if isinstance(model, Pipeline) else []
    for place, (_, step) in enumerate(steps, start=1):
        if step not in (None, "passthrough"):
            X = step.transform(X)
        if isinstance(X, Sequences):
            return X, model[place:]
    raise ValueError(
        f"X is a table, and {type(model).__name__} has no step that makes sequences of it, so that "
        "there is no history: give a Pipeline with a SequenceWindower, or sequences. "
        "sklearn.inspection.permutation_importance takes any model of a table."
    )


def _draw_samples(sequences, y, sample_weight, max_samples, random):
    """Some of the sequences, which now share no step, their targets, and weights if there are."""
    check_consistent_length(sequences, y, sample_weight)
    rows = np.arange(len(sequences))
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, rows, ensure_non_negative=True)
        rows = np.flatnonzero(sample_weight)
    if max_samples is not None and len(rows) > max_samples:
        rows = np.sort(random.choice(rows, max_samples, replace=False))
    lengths = sequences.lengths[rows]
    unshared = Sequences(
        sequences.values[ranges(sequences.starts[rows], lengths)],
        np.cumsum(lengths) - lengths,
        lengths,
        feature_names=sequences.feature_names,
    )
    weights = {} if sample_weight is None else {"sample_weight": sample_weight[rows]}
    return unshared, _safe_indexing(y, rows), weights


def _group_lags(n_lags, n_groups):
    """Lags, the oldest first, in groups of neighbours.

    Parameters
    ----------
    n_lags : int
        Length of the longest sequence.
    n_groups : int or None
        Most groups; `None`: each lag is one.

    Returns
    -------
    list of ndarray of int
        Lags, counted from the end of a sequence.

    Examples
    --------
    >>> [lags.tolist() for lags in _group_lags(5, 2)]
    [[4, 3, 2], [1, 0]]
    """
    if not n_lags:
        raise ValueError("There is nothing to permute: all sequences of X are without a step.")
    return np.array_split(np.arange(n_lags)[::-1], min(n_groups or n_lags, n_lags))


def _score_drops(score, sequences, groups, n_repeats, random):
    """Drop of the score by permutation of each feature in each group of lags.

    Parameters
    ----------
    score : callable
        Number for the sequences.
    sequences : Sequences
        They share no step, and are changed for a while.
    groups : list of ndarray of int
        Lags, counted from the end of a sequence.
    n_repeats : int
        Number of permutations.
    random : RandomState
        Draws them: the same for all features and groups.

    Returns
    -------
    ndarray of shape (n_repeats, n_groups, n_features)
        Score of the sequences as they are, less that of the permuted ones.
    """
    values = sequences.values
    drops = np.full((n_repeats, len(groups), sequences.n_features), score(sequences))
    for repeat in range(n_repeats):
        order = random.permutation(len(sequences))
        for group, lags in enumerate(groups):
            steps = _steps_at(lags, sequences, np.arange(len(order)))
            donors = _steps_at(lags, sequences, order)
            for feature in range(sequences.n_features):
                kept = values[steps, feature]
                values[steps, feature] = values[donors, feature]
                drops[repeat, group, feature] -= score(sequences)
                values[steps, feature] = kept
    return drops


def _steps_at(lags, sequences, order):
    """Steps at one lag after another of all sequences that reach back so far, in some order."""
    ends, lengths = sequences.ends[order], sequences.lengths[order]
    return np.concatenate([ends[lengths > lag] - 1 - lag for lag in lags])


def _name_lags(lags):
    """Name of a group of lags, the oldest first."""
    first, last = (f"t-{lag}" if lag else "t" for lag in (lags[0], lags[-1]))
    return first if first == last else f"{first} to {last}"


def _feature_names(sequences):
    names = sequences.feature_names
    return [f"x{place}" for place in range(sequences.n_features)] if names is None else names


def _unit(reader, scoring):
    """What the drop is a drop of."""
    if scoring is None:
        name = "R²" if is_regressor(reader) else "accuracy" if is_classifier(reader) else "score"
        return f"drop in {name}"
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    if name.startswith("neg_"):
        return f"rise in {name.removeprefix('neg_').replace('_', ' ')}"
    return f"drop in {name.replace('_', ' ')}"


def _windower_of(model):
    """The first `SequenceWindower` in a model, or None."""
    parts = getattr(model, "best_estimator_", model).get_params().values()
    return next((part for part in parts if isinstance(part, SequenceWindower)), None)


def _axes(display, ax, **figure_kwargs):
    """The axes to draw on, which the display remembers."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained", **figure_kwargs)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def _draw(ax, x, y, style, user_style):
    """Draw a line, with a dot where a single point has no neighbour to be joined to."""
    is_known = np.pad(np.isfinite(y), 1)
    is_alone = is_known[1:-1] & ~is_known[:-2] & ~is_known[2:]
    if is_alone.any():
        style = {"marker": "o", "markersize": 3, "markevery": is_alone} | style
    return ax.plot(x, y, **_validate_style_kwargs(style, user_style or {}))[0]
