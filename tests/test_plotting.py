import os

os.environ.setdefault("MPLBACKEND", "agg")

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    Sequences,
    SequenceWindower,
)
from sklstm.plotting import HistoryImportanceDisplay, PredictionDisplay, TrainingCurveDisplay

pytestmark = [  # targets that are simple, and tables that are read row by row
    pytest.mark.filterwarnings("ignore:.*end with y itself"),
    pytest.mark.filterwarnings("ignore:.*rows are in time"),
]

DAYS = pd.date_range("2024-01-01", periods=60, name="day")


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(60, 2)), index=DAYS, columns=["temp", "wind"])


def regressor(**params):
    defaults = {"hidden_size": 4, "max_epochs": 3, "batch_size": 16, "random_state": 0}
    return LSTMRegressor(**defaults | params)


def classifier(**params):
    return LSTMClassifier(hidden_size=4, max_epochs=2, random_state=0, **params)


def windows(**params):
    return SequenceWindower(window_size=3, horizon=1, **params)


@pytest.fixture(scope="module")
def fitted(table):
    return make_pipeline(windows(), regressor(early_stopping=True)).fit(table, table["temp"])


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def pieces(line):
    """The parts of a line, as lists of heights."""
    x, y = line.get_xdata(orig=False), line.get_ydata(orig=False)
    assert len(x) == len(y)
    parts = np.ma.clump_unmasked(np.ma.masked_invalid(y))
    return [y[part].tolist() for part in parts]


def most_important(display):
    mean = display.importances_mean
    return mean.max(axis=1).idxmax(), mean.max(axis=0).idxmax()


class LastStep(RegressorMixin, BaseEstimator):
    """Predicts one feature of the step at some lag, 0 where there is none; reads nothing else."""

    def __init__(self, feature=0, lag=0):
        self.feature = feature
        self.lag = lag

    def fit(self, X, y):
        self.is_fitted_ = True
        self.n_features_in_ = X.shape[-1]
        return self

    def predict(self, X):
        return np.array(
            [step[-1 - self.lag, self.feature] if len(step) > self.lag else 0.0 for step in X]
        )


def test_import_needs_neither_torch_nor_matplotlib():
    heavy = "{'torch', 'skorch', 'matplotlib'}"
    script = f"import sys, sklstm.plotting; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: TrainingCurveDisplay.from_estimator(None),
        lambda: PredictionDisplay.from_predictions([1.0], [1.0]),
        lambda: PredictionDisplay.from_estimator(None, None, None),
        lambda: HistoryImportanceDisplay.from_estimator(None, None, None),
        lambda: PredictionDisplay([1.0], [1.0]).plot(),
    ],
)
def test_without_matplotlib(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"Display\.\w+ requires matplotlib"):
        draw()


# Training


@pytest.mark.parametrize("wrap", ["bare", "pipeline", "search", "target", "inside"])
def test_training_of_whatever_holds_the_network(wrap, table):
    lstm = regressor(early_stopping=False)
    pipeline = make_pipeline(windows(), lstm)
    model = {
        "bare": lstm,
        "pipeline": pipeline,
        "search": GridSearchCV(pipeline, {"lstmregressor__hidden_size": [4]}, cv=KFold(2)),
        "target": TransformedTargetRegressor(pipeline, func=np.exp, inverse_func=np.log),
        "inside": make_pipeline(windows(), TransformedTargetRegressor(lstm)),
    }[wrap]
    model.fit(table, table["temp"])
    display = TrainingCurveDisplay.from_estimator(model)
    network = {
        "bare": lambda: model,
        "pipeline": lambda: model[-1],
        "search": lambda: model.best_estimator_[-1],
        "target": lambda: model.regressor_[-1],
        "inside": lambda: model[-1].regressor_,
    }[wrap]()
    np.testing.assert_array_equal(display.train_line_.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(display.train_line_.get_ydata(), network.loss_curve_)
    assert display.valid_line_ is None
    assert display.best_line_ is None
    assert legend(display) == ["training"]


def test_training_marks_the_best_epoch(fitted):
    network = fitted[-1]
    display = TrainingCurveDisplay.from_estimator(fitted, log_scale=True)
    np.testing.assert_array_equal(display.valid_line_.get_ydata(), network.history_["valid_loss"])
    assert set(display.best_line_.get_xdata()) == {network.best_epoch_}
    losses = network.validation_losses_["loss"][:2].tolist()
    rules = [f"mean, validation: {losses[0]:.3g}", f"init, validation: {losses[1]:.3g}"]
    best = f"best epoch: {network.best_epoch_}"
    assert legend(display) == ["training", "validation", best, *rules]
    drawn = [line.get_ydata()[0] for line in display.baseline_lines_]
    assert drawn == losses
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_yscale() == "log"
    assert all(tick == round(tick) for tick in display.ax_.get_xticks())


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (regressor(), "squared error (standardised)"),
        (regressor(loss="absolute_error", standardize=False), "absolute error"),
        (regressor(loss="huber"), "huber loss (standardised)"),
        (classifier(), "cross-entropy"),
    ],
)
def test_name_of_the_loss(model, name, table):
    model.fit(table, table["temp"] if isinstance(model, LSTMRegressor) else table["temp"] > 0)
    assert TrainingCurveDisplay.from_estimator(model).ax_.get_ylabel() == name


def test_baselines_leave_the_axes_to_the_curves():
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [0.3, 0.2, 0.1]})
    losses = pd.DataFrame({"model": ["mean", "network"], "loss": [50.0, 0.1]})
    without, given = TrainingCurveDisplay(history), {"validation_losses": losses}
    display = TrainingCurveDisplay(history, **given).plot()
    assert display.ax_.get_ylim() == without.plot().ax_.get_ylim()
    assert legend(display) == ["training", "mean, validation: 50"]
    again = TrainingCurveDisplay(history * 2, **given).plot(display.ax_)
    assert 0.6 < again.ax_.get_ylim()[1] < 1  # both curves


def test_training_of_one_epoch_can_be_seen():
    display = TrainingCurveDisplay(pd.DataFrame({"epoch": [1], "train_loss": [0.5]})).plot()
    assert display.train_line_.get_marker() == "o"
    assert display.ax_.get_ylabel() == "loss"


def test_training_of_what_is_not_fitted_or_no_network(table):
    for model in (
        regressor(),
        make_pipeline(windows(), regressor()),
        GridSearchCV(regressor(), {"hidden_size": [4]}),
    ):
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            TrainingCurveDisplay.from_estimator(model)
    with pytest.raises(ValueError, match="LinearRegression has no history of epochs: expected"):
        TrainingCurveDisplay.from_estimator(LinearRegression().fit(table, table["temp"]))


# Predictions


@pytest.mark.parametrize(
    ("index", "times", "name"),
    [
        (DAYS, DAYS, "day"),
        (DAYS.tz_localize("Europe/Berlin"), DAYS.tz_localize("Europe/Berlin"), "day"),
        (DAYS.to_period("D"), DAYS, "day"),
        (pd.RangeIndex(5, 65), np.arange(5, 65), "time"),
        (pd.Index(range(0, 120, 2), name="hour"), np.arange(0, 120, 2), "hour"),
        (pd.timedelta_range(0, periods=60, freq="h"), 3600 * np.arange(60), "time (s)"),
        (pd.MultiIndex.from_product([["north"], DAYS]), DAYS, "day"),
        (pd.Index([f"row {row}" for row in range(60)]), np.arange(60), "row"),
    ],
    ids=["dates", "zone", "periods", "range", "integers", "durations", "levels", "texts"],
)
def test_predictions_over_the_time_of_the_index(index, times, name, table):
    y = pd.Series(table["temp"].to_numpy(), index=index, name="temp (°C)")
    display = PredictionDisplay.from_predictions(y, y.to_numpy() + 1)
    display.figure_.draw_without_rendering()
    for line, heights in ((display.true_line_, y), (display.pred_line_, y + 1)):
        assert list(line.get_xdata()) == list(times)
        np.testing.assert_array_equal(line.get_ydata(), heights)
    assert display.ax_.get_xlabel() == name
    assert display.ax_.get_ylabel() == "temp (°C)"
    assert legend(display) == ["true", "predicted"]


def test_predictions_of_a_model(fitted, table):
    sequences = fitted[:1].transform(table)
    for model, X, y in (
        (fitted, table, table["temp"].to_numpy()),
        (fitted[1], sequences, table["temp"]),
    ):
        display = PredictionDisplay.from_estimator(model, X, y, target_name="temp (°C)")
        assert list(display.true_line_.get_xdata()) == list(DAYS)
        np.testing.assert_array_equal(display.pred_line_.get_ydata(), fitted.predict(table))
        assert display.ax_.get_ylabel() == "temp (°C)"


def test_an_index_of_texts_is_no_time(table):
    X = table.set_axis([f"row {row}" for row in range(60)])
    model = make_pipeline(windows(), regressor()).fit(X, X["temp"])
    display = PredictionDisplay.from_estimator(model, X, X["temp"])
    assert list(display.true_line_.get_xdata()) == list(range(60))


def test_predictions_of_arrays_are_counted():
    display = PredictionDisplay.from_predictions([1.0, 2.0], [2.0, 1.0])
    assert list(display.true_line_.get_xdata()) == [0, 1]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("row", "target")
    given = PredictionDisplay.from_predictions([1.0, 2.0], [2.0, 1.0], time=[0.5, 0.7])
    assert list(given.true_line_.get_xdata()) == [0.5, 0.7]


def test_lines_are_broken_at_gaps_and_missing_values():
    y = pd.Series([1.0, 2, 3, 4, 5, 6, np.nan, 8], index=DAYS[[0, 1, 2, 7, 8, 20, 21, 22]])
    display = PredictionDisplay.from_predictions(y, np.arange(8.0))
    assert pieces(display.true_line_) == [[1, 2, 3, 4, 5], [6], [8]]  # five days are not too many
    assert pieces(display.pred_line_) == [[0, 1, 2, 3, 4], [5, 6, 7]]
    is_dot = display.true_line_.get_markevery()
    assert display.true_line_.get_ydata()[is_dot].tolist() == [6, 8]
    assert display.pred_line_.get_marker() == "None"


def test_labels_are_steps():
    sky = pd.Series(["sun", "rain", None, "fog"], index=DAYS[:4], name="sky")
    display = PredictionDisplay.from_predictions(sky, np.array(["rain", "rain", "sun", "sun"]))
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["fog", "rain", "sun"]
    np.testing.assert_array_equal(display.true_line_.get_ydata(), [2, 1, np.nan, 0])
    np.testing.assert_array_equal(display.pred_line_.get_ydata(), [1, 1, 2, 2])
    assert display.true_line_.get_drawstyle() == "steps-mid"
    ordered = PredictionDisplay.from_predictions(sky, sky, classes=["sun", "fog", "rain"])
    np.testing.assert_array_equal(ordered.true_line_.get_ydata(), [0, 2, np.nan, 1])


def test_a_step_ends_where_the_gap_begins():
    y = pd.Series(["a", "b", "a", "a"], index=[0, 1, 2, 12])
    line = PredictionDisplay.from_predictions(y, y).true_line_
    is_drawn = np.isfinite(line.get_ydata())
    np.testing.assert_array_equal(line.get_xdata()[~is_drawn], [2, 12])


@pytest.mark.parametrize("labels", [[0, 1], [False, True], ["cold", "warm"]], ids=str)
def test_labels_of_a_classifier(labels, table):
    y = pd.Series(np.array(labels)[(table["temp"] > 0).astype(int)], index=DAYS, name="label")
    model = make_pipeline(windows(), classifier()).fit(table, y)
    display = PredictionDisplay.from_estimator(model, table, y)
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == list(map(str, labels))


def test_several_outputs(table):
    model = make_pipeline(windows(), regressor()).fit(table, table)
    predicted = model.predict(table)
    for output in ("wind", 1):
        display = PredictionDisplay.from_estimator(model, table, table, output=output)
        np.testing.assert_array_equal(display.true_line_.get_ydata(), table["wind"])
        np.testing.assert_array_equal(display.pred_line_.get_ydata(), predicted[:, 1])
        assert display.ax_.get_ylabel() == "wind"
    for output in (None, 2, "sun"):
        with pytest.raises(ValueError, match=r"output=.* does not choose one of the 2 targets"):
            PredictionDisplay.from_estimator(model, table, table, output=output)
    one = PredictionDisplay.from_predictions(table[["wind"]], predicted[:, 1])
    np.testing.assert_array_equal(one.true_line_.get_ydata(), table["wind"])


@pytest.mark.parametrize("wrap", ["pipeline", "search"])
def test_an_interval_between_the_outer_quantiles(wrap, table):
    network = LSTMRegressor(4, loss="quantile", max_epochs=1, random_state=0)
    model = make_pipeline(SequenceWindower(3, horizon=1), network)
    if wrap == "search":
        model = GridSearchCV(model, {"lstmregressor__hidden_size": [4]}, cv=TimeSeriesSplit(2))
    y = table + 1  # not the features themselves
    model = model.fit(table, y)
    display = PredictionDisplay.from_estimator(model, table[50:], y[50:], output="wind")
    best = getattr(model, "best_estimator_", model)
    predicted = best[-1].predict_quantiles(best[:-1].transform(table[50:]))[:, 1]
    np.testing.assert_allclose(display.interval, predicted[:, [0, 2]])
    heights = display.interval_.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(predicted[:, 0].min())
    assert heights.max() == pytest.approx(predicted[:, 2].max())


def test_an_interval_has_the_gaps_of_the_lines():
    days = np.array([0, 1, 2, 30, 31, 32])
    display = PredictionDisplay(
        days, days, time=days, interval=np.column_stack([days - 1, days + 1])
    )
    assert len(display.plot().interval_.get_paths()) == 2
    assert PredictionDisplay(days, days).plot().interval_ is None


def test_several_labels_a_sample(table):
    y = (table > 0).astype(int)
    model = make_pipeline(windows(), classifier()).fit(table, y)
    display = PredictionDisplay.from_estimator(model, table, y, output="wind")
    np.testing.assert_array_equal(display.true_line_.get_ydata(), y["wind"])


@pytest.mark.parametrize("place", ["columns", "levels"])
def test_one_of_several_series(place, table):
    stations = pd.concat({"north": table, "south": table + 5}, names=["station"]).swaplevel()
    X, time = stations.sort_index(), None
    y = X["temp"]
    if place == "columns":
        X, time = X.reset_index(), "day"
    model = make_pipeline(windows(series="station", time=time), regressor()).fit(X, y)
    display = PredictionDisplay.from_estimator(model, X, y, series_name="south")
    is_south = y.index.get_level_values("station") == "south"
    assert list(display.true_line_.get_xdata()) == list(DAYS)
    np.testing.assert_array_equal(display.true_line_.get_ydata(), y[is_south])
    np.testing.assert_array_equal(display.pred_line_.get_ydata(), model.predict(X)[is_south])
    search = GridSearchCV(model, {"lstmregressor__hidden_size": [4]}, cv=KFold(2)).fit(X, y)
    for chosen in (None, "west"):
        with pytest.raises(ValueError, match="choose one of the series .* are 'north', 'south'"):
            PredictionDisplay.from_estimator(search, X, y, series_name=chosen)
    with pytest.raises(ValueError, match=r"Time must increase, but row 1 .* choose the rows"):
        PredictionDisplay.from_predictions(y, y, time=y.index.get_level_values("day"))


def test_series_of_two_names():
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2], range(5)], names=["x", "y", "time"])
    X = pd.DataFrame({"value": np.arange(20.0)}, index=index)
    model = make_pipeline(windows(series=["x", "y"]), regressor()).fit(X, X["value"])
    display = PredictionDisplay.from_estimator(model, X, X["value"], series_name=("b", 1))
    np.testing.assert_array_equal(display.true_line_.get_ydata(), [10, 11, 12, 13, 14])


def test_wrong_predictions(fitted, table):
    y = table["temp"]
    with pytest.raises(ValueError, match=r"y_true has the shape \(60,\) and y_pred \(59,\)"):
        PredictionDisplay.from_predictions(y, y[1:].to_numpy())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PredictionDisplay.from_estimator(fitted, table, y[1:])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PredictionDisplay.from_predictions(y, y, time=range(59))
    with pytest.raises(ValueError, match="time must be dates"):
        PredictionDisplay.from_predictions(y, y, time=list(map(str, range(60))))
    with pytest.raises(ValueError, match="has no SequenceWindower with series="):
        PredictionDisplay.from_estimator(fitted, table, y, series_name="north")
    with pytest.raises(NotFittedError):
        PredictionDisplay.from_estimator(regressor(), table, y)


# Importance


def importance_by_loops(model, sequences, y, n_repeats, random):
    """Means of the drops of R², with lists and a loop for everything."""
    names, arrays = sequences.feature_names, [np.array(sequence) for sequence in sequences]

    def score(arrays):
        return r2_score(y, model.predict(Sequences.from_arrays(arrays, feature_names=names)))

    n_lags, n_features = max(map(len, arrays)), arrays[0].shape[1]
    drops = np.zeros((n_lags, n_features))
    for _ in range(n_repeats):
        order = random.permutation(len(arrays))
        for lag in range(n_lags):
            holders = [row for row in range(len(arrays)) if len(arrays[row]) > lag]
            donors = [row for row in order if len(arrays[row]) > lag]
            for feature in range(n_features):
                permuted = [array.copy() for array in arrays]
                for row, donor in zip(holders, donors, strict=True):
                    permuted[row][-1 - lag, feature] = arrays[donor][-1 - lag, feature]
                drops[n_lags - 1 - lag, feature] += score(arrays) - score(permuted)
    return drops / n_repeats


def test_importance_is_that_of_plain_loops(fitted, table):
    y = table["temp"]
    display = HistoryImportanceDisplay.from_estimator(fitted, table, y, n_repeats=2, random_state=3)
    expected = importance_by_loops(
        fitted[1], fitted[:1].transform(table), y, 2, np.random.RandomState(3)
    )
    np.testing.assert_allclose(display.importances_mean, expected, atol=1e-6)
    assert display.importances_mean.index.tolist() == ["t-3", "t-2", "t-1"]
    assert display.importances_mean.columns.tolist() == ["temp", "wind"]
    assert (display.importances_std >= 0).all(axis=None)


@pytest.mark.parametrize("horizon", [0, 1, 2])
@pytest.mark.parametrize(("feature", "lag"), [(0, 0), (1, 2)])
def test_importance_is_where_the_model_reads(feature, lag, horizon, table):
    windower = SequenceWindower(window_size=4, horizon=horizon)
    model = make_pipeline(windower, LastStep(feature, lag))
    y = model.fit(table, table["temp"]).predict(table)
    display = HistoryImportanceDisplay.from_estimator(model, table, y, random_state=0)
    days_before = f"t-{lag + horizon}" if lag + horizon else "t"
    mean = display.importances_mean
    assert mean.loc[days_before, table.columns[feature]] > 1
    mean.loc[days_before, table.columns[feature]] = 0
    assert (mean == 0).all(axis=None)


def test_importance_leaves_the_other_histories_alone():
    # The last step of a history is in the middle of the next one, where nothing may change.
    X = np.arange(50.0)[:, None]
    model = make_pipeline(SequenceWindower(window_size=3), LastStep(lag=1)).fit(X, X[:, 0])
    display = HistoryImportanceDisplay.from_estimator(model, X, model.predict(X), random_state=0)
    assert display.importances_mean["x0"].ne(0).tolist() == [False, True, False]


def test_groups_of_lags_change_places_together(table):
    model = make_pipeline(SequenceWindower(window_size=5), LastStep(lag=3))
    y = model.fit(table, table["temp"]).predict(table)
    display = HistoryImportanceDisplay.from_estimator(model, table, y, n_groups=2, random_state=0)
    assert display.importances_mean.index.tolist() == ["t-4 to t-2", "t-1 to t"]
    assert display.importances_mean.ne(0).to_numpy().tolist() == [[True, False], [False, False]]

    class Difference(LastStep):
        def predict(self, X):
            dense = np.asarray(X)[..., 0]
            return dense[:, -1] - dense[:, -2]

    X = np.arange(300).reshape(100, 3, 1)  # all differences are 1, as long as neighbours stay so
    model = Difference().fit(X, X[:, 0, 0])
    display = HistoryImportanceDisplay.from_estimator(
        model, X, model.predict(X), n_groups=1, scoring="neg_mean_absolute_error"
    )
    assert display.importances_mean.loc["t-2 to t", "x0"] == 0


@pytest.mark.parametrize("kind", ["block", "list", "Sequences"])
def test_importance_on_sequences(kind):
    rng = np.random.default_rng(0)
    X = list(rng.normal(size=(40, 3, 2)))
    if kind == "list":
        X = [x[: 1 + row % 3] for row, x in enumerate(X)]
    X = np.array(X) if kind == "block" else Sequences.from_arrays(X) if kind == "Sequences" else X
    y = [x[-1, 1] for x in X]
    model = regressor(max_epochs=20, lr=0.05).fit(X, y)
    display = HistoryImportanceDisplay.from_estimator(model, X, y, random_state=0)
    assert display.importances_mean.index.tolist() == ["t-2", "t-1", "t"]
    assert most_important(display) == ("t", "x1")
    assert display.unit == "drop in R²"


def test_importance_of_gradient_boosting_on_the_same_histories(table):
    y = table["wind"].shift(1).fillna(0)
    boosting = HistGradientBoostingRegressor(min_samples_leaf=3, random_state=0)
    model = make_pipeline(
        FunctionTransformer(), "passthrough", windows(), SequenceFlattener(), boosting
    )
    search = GridSearchCV(model, {"sequencewindower__window_size": [2]}, cv=KFold(2)).fit(table, y)
    display = HistoryImportanceDisplay.from_estimator(search, table, y, random_state=0)
    assert display.importances_mean.index.tolist() == ["t-2", "t-1"]
    assert most_important(display) == ("t-1", "wind")


@pytest.mark.parametrize(
    ("scoring", "unit"),
    [
        (None, "drop in accuracy"),
        ("balanced_accuracy", "drop in balanced accuracy"),
        ("neg_log_loss", "rise in log loss"),
        (make_scorer(mean_absolute_error), "drop in score"),
        (lambda model, X, y: float(len(X)), "drop in <lambda>"),
    ],
)
def test_unit_of_the_importance(scoring, unit, table):
    y = (table["temp"] > 0).astype(int)
    model = make_pipeline(windows(), classifier()).fit(table, y)
    display = HistoryImportanceDisplay.from_estimator(
        model, table, y, scoring=scoring, n_repeats=1, random_state=0
    )
    assert display.colorbar_.ax.get_ylabel() == unit
    ticks = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert ticks == ["t-3", "t-2", "t-1"]
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["temp", "wind"]
    np.testing.assert_array_equal(display.image_.get_array(), display.importances_mean.T)


def test_importance_of_some_samples(table):
    seen = []

    def count(model, X, y):
        seen.append(len(X))
        assert len(y) == len(X)
        return 0.0

    model = make_pipeline(windows(), LastStep()).fit(table, table["temp"])
    for max_samples in (10, None, 1000):
        HistoryImportanceDisplay.from_estimator(
            model, table, table["temp"], scoring=count, max_samples=max_samples
        )
    n_scores = 1 + 5 * 3 * 2
    assert seen == n_scores * [10] + 2 * n_scores * [60]


def test_rows_of_weight_zero_are_history_only(fitted, table):
    y = table["temp"].copy()
    weight = np.ones(60)
    weight[:20] = 0
    y[:20] = np.nan
    weighted = HistoryImportanceDisplay.from_estimator(
        fitted, table, y, sample_weight=weight, random_state=0
    )
    display = HistoryImportanceDisplay.from_estimator(
        fitted[1], fitted[:1].transform(table)[20:], y[20:], random_state=0
    )
    np.testing.assert_allclose(weighted.importances_mean, display.importances_mean)


def test_importance_is_repeated_with_the_random_state_and_changes_nothing(fitted, table):
    X = fitted[:1].transform(table)
    before = X.values.copy()
    first, second = (
        HistoryImportanceDisplay.from_estimator(
            fitted[1], X, table["temp"], max_samples=30, random_state=0
        )
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(first.importances_mean, second.importances_mean)
    np.testing.assert_array_equal(X.values, before)


def test_importance_of_what_is_no_history(fitted, table):
    y = table["temp"]
    draw = HistoryImportanceDisplay.from_estimator
    with pytest.raises(NotFittedError):
        draw(make_pipeline(windows(), regressor()), table, y)
    with pytest.raises(ValueError, match="LSTMRegressor has no step that makes sequences"):
        draw(fitted[1], table, y)
    with pytest.raises(ValueError, match="LinearRegression has no step that makes sequences"):
        draw(LinearRegression().fit(table, y), table, y)
    with pytest.raises(ValueError, match="all sequences of X are without a step"):
        draw(make_pipeline(windows(carry_over=False), LastStep()).fit(table, y), table[:1], y[:1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(fitted, table, y[1:])
    for params in ({"n_repeats": 0}, {"n_groups": 0}, {"max_samples": 0.5}, {"scoring": ["r2"]}):
        name = next(iter(params))
        with pytest.raises(ValueError, match=f"The '{name}' parameter of HistoryImportanceDisplay"):
            draw(fitted, table, y, **params)


@pytest.mark.parametrize("size", [1, -1, 0])
def test_no_importance_is_white(size):
    table = pd.DataFrame({"temp": [0.0, size]}, index=["t-1", "t"])
    display = HistoryImportanceDisplay(table).plot()
    display.figure_.draw_without_rendering()
    assert display.image_.norm(0) == 0.5
    if size:
        assert display.colorbar_.ax.get_ylim() == tuple(sorted([0, size]))


# All


def test_given_axes_and_styles_are_used(fitted, table):
    figure, axes = plt.subplots(1, 3)
    y = table["temp"]
    displays = [
        TrainingCurveDisplay.from_estimator(fitted, ax=axes[0], line_kwargs={"lw": 5}),
        PredictionDisplay.from_estimator(
            fitted, table, y, ax=axes[1], true_kwargs={"c": "red", "label": "measured"}
        ),
        HistoryImportanceDisplay.from_estimator(
            fitted, table, y, ax=axes[2], n_repeats=1, im_kwargs={"cmap": "Greys", "vmin": 0}
        ),
    ]
    for display, ax in zip(displays, axes, strict=True):
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert display.plot().ax_ is not ax  # again, in a new figure
    assert axes[0].lines[0].get_linewidth() == 5
    assert axes[1].lines[0].get_color() == "red"
    assert axes[1].get_legend().get_texts()[0].get_text() == "measured"
    assert axes[2].images[0].get_cmap().name == "Greys"
    assert len(plt.get_fignums()) == 4
