"""The tools of scikit-learn and its neighbours, on a table and on sequences."""

import copy
import pickle

import joblib
import matplotlib as mpl
import numpy as np
import optuna
import pandas as pd
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.regression import SplitConformalRegressor
from optuna_integration.sklearn import OptunaSearchCV
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingRegressor,
    HistGradientBoostingRegressor,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - allows the next import
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import RidgeCV
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr
from skorch.callbacks import Callback

from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    SequenceFlattener,
    Sequences,
    SequenceWindower,
)

mpl.use("Agg")

TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["noise", "signal"])
LAST, BEFORE = (TABLE["signal"].shift(lag, fill_value=0.0) for lag in (1, 2))
Y = (9 + LAST + BEFORE).rename("target")
LABELS = pd.Series(np.where(Y > 9, "up", "down"))
WEIGHT = np.random.default_rng(1).uniform(0.1, 2, size=80)
SETTINGS = {"hidden_size": 4, "max_epochs": 10, "lr": 0.05, "batch_size": 16, "random_state": 0}
HALVES = KFold(2)  # one after the other: KFold does not shuffle

table_or_sequences = pytest.mark.parametrize("kind", ["table", "sequences"])
same = np.testing.assert_array_equal


def regressor(**params):
    return LSTMRegressor(**SETTINGS | params)


def classifier(**params):
    return LSTMClassifier(**SETTINGS | params)


def windower(window_size=3):
    return SequenceWindower(window_size, horizon=1, cold_start="ignore")


def behind_windower(final):
    return make_pipeline(windower(), final)


SEQUENCES = windower().fit_transform(TABLE)


def given(kind, final):
    """The estimator and its X: a Pipeline and a table, or the estimator alone and sequences."""
    return (behind_windower(final), TABLE) if kind == "table" else (final, SEQUENCES)


# Searches


def test_parallel_grid_search_finds_the_window():
    grid = {"sequencewindower__window_size": [1, 3], "lstmregressor__hidden_size": [2, 4]}
    search = GridSearchCV(
        behind_windower(regressor()), grid, cv=TimeSeriesSplit(2), n_jobs=2, error_score="raise"
    )
    search.fit(TABLE, Y)
    assert search.best_params_["sequencewindower__window_size"] == 3
    assert search.predict(TABLE).shape == Y.shape
    alone = clone(search).set_params(n_jobs=None).fit(TABLE, Y)
    same(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_parallel_randomized_search_finds_the_window():
    space = {"sequencewindower__window_size": [1, 2, 3], "lstmregressor__hidden_size": [4]}
    search = RandomizedSearchCV(
        behind_windower(regressor()), space, n_iter=3, cv=TimeSeriesSplit(2), n_jobs=2
    )
    search.fit(TABLE, Y)
    assert search.best_params_["sequencewindower__window_size"] > 1
    assert search.best_score_ > 0.5


def test_parallel_grid_search_on_sequences():
    search = GridSearchCV(
        regressor(), {"hidden_size": [1, 4]}, cv=TimeSeriesSplit(2), n_jobs=2, error_score="raise"
    )
    search.fit(SEQUENCES, Y)
    alone = clone(search).set_params(n_jobs=None).fit(SEQUENCES, Y)
    same(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


@table_or_sequences
def test_halving_search_spends_epochs(kind):
    model, X = given(kind, regressor())
    prefix = "lstmregressor__" if kind == "table" else ""
    search = HalvingGridSearchCV(
        model,
        {f"{prefix}hidden_size": [1, 4]},
        resource=f"{prefix}max_epochs",
        min_resources=3,
        max_resources=6,
        factor=2,
        cv=HALVES,
    )
    search.fit(X, Y)
    assert search.n_resources_ == [3, 6]
    best = search.best_estimator_
    assert (best[-1] if kind == "table" else best).n_iter_ == 6


@pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning",  # OptunaSearchCV is, since 0.17
    "ignore:`optuna.terminator` module has been deprecated:FutureWarning",  # which it calls
)
def test_optuna_searches():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {"sequencewindower__window_size": optuna.distributions.IntDistribution(2, 3)}
    search = OptunaSearchCV(
        behind_windower(regressor()),
        space,
        cv=TimeSeriesSplit(2),
        n_trials=2,
        error_score="raise",
        random_state=0,
    )
    search.fit(TABLE, Y)
    assert len(search.trials_) == 2
    assert search.best_params_["sequencewindower__window_size"] in (2, 3)
    assert search.best_score_ > 0.5


# Cross-validation


@table_or_sequences
def test_cross_validate_with_several_scorers(kind):
    scoring = ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"]
    scores = cross_validate(
        *given(kind, regressor()), Y, cv=TimeSeriesSplit(2), scoring=scoring, error_score="raise"
    )
    assert (scores["test_r2"] > 0.3).all()
    assert (
        scores["test_neg_root_mean_squared_error"] <= scores["test_neg_mean_absolute_error"]
    ).all()


@table_or_sequences
def test_cross_validated_predictions_are_those_of_the_folds(kind):
    model, X = given(kind, regressor())
    predicted = cross_val_predict(model, X, Y, cv=HALVES)
    same(predicted[40:], clone(model).fit(X[:40], Y[:40]).predict(X[40:]))
    same(predicted[:40], clone(model).fit(X[40:], Y[40:]).predict(X[:40]))


def test_cross_validated_predictions_need_a_partition():
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(regressor(), SEQUENCES, Y, cv=TimeSeriesSplit(2))


@table_or_sequences
def test_more_rows_help(kind):
    sizes, _, test = learning_curve(
        *given(kind, regressor()), Y, cv=HALVES, train_sizes=[8, 40], error_score="raise"
    )
    assert list(sizes) == [8, 40]
    assert test[1].mean() > test[0].mean()


def test_longer_windows_help():
    _, test = validation_curve(
        *given("table", regressor()),
        Y,
        param_name="sequencewindower__window_size",
        param_range=[1, 3],
        cv=HALVES,
        error_score="raise",
    )
    assert test[1].mean() > test[0].mean() + 0.2


def test_the_feature_that_matters_is_the_important_one():
    model = behind_windower(regressor()).fit(TABLE, Y)
    importance = permutation_importance(model, TABLE, Y, n_repeats=2, random_state=0)
    assert importance.importances_mean[1] > 5 * abs(importance.importances_mean[0])


# Estimators around ours


@table_or_sequences
def test_transformed_target(kind):
    final, X = given(kind, regressor())
    model = TransformedTargetRegressor(final, func=np.log, inverse_func=np.exp).fit(X, Y)
    same(model.predict(X), np.exp(clone(final).fit(X, np.log(Y)).predict(X)))


@table_or_sequences
def test_stacking_beside_lags(kind):
    lstm, X = given(kind, regressor())
    lags = make_pipeline(SequenceFlattener(), HistGradientBoostingRegressor())
    if kind == "table":
        lags = make_pipeline(windower(), lags)
    model = StackingRegressor([("lstm", lstm), ("lags", lags)], RidgeCV(), cv=HALVES).fit(X, Y)
    same(model.transform(X)[:, 0], clone(lstm).fit(X, Y).predict(X))
    assert model.final_estimator_.coef_[0] > 0.5
    assert model.score(X, Y) > 0.5


@table_or_sequences
def test_voting_regressor_is_the_mean(kind):
    members = [given(kind, regressor(random_state=seed))[0] for seed in (0, 1)]
    X = given(kind, None)[1]
    model = VotingRegressor([("a", members[0]), ("b", members[1])]).fit(X, Y)
    np.testing.assert_allclose(
        model.predict(X), np.mean([m.fit(X, Y).predict(X) for m in members], axis=0)
    )


@table_or_sequences
def test_soft_voting_is_the_mean_probability(kind):
    members = [given(kind, classifier(random_state=seed))[0] for seed in (0, 1)]
    X = given(kind, None)[1]
    model = VotingClassifier([("a", members[0]), ("b", members[1])], voting="soft").fit(X, LABELS)
    probabilities = [m.fit(X, LABELS).predict_proba(X) for m in members]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(probabilities, axis=0))
    assert set(model.predict(X)) == {"up", "down"}


@table_or_sequences
def test_an_estimator_for_each_target(kind):
    one, X = given(kind, regressor())
    model = MultiOutputRegressor(one).fit(X, np.column_stack([Y, -Y]))
    same(model.predict(X)[:, 1], clone(one).fit(X, -Y).predict(X))


@table_or_sequences
def test_one_class_against_the_rest(kind):
    binary, X = given(kind, classifier())
    y = np.digitize(Y, [8.5, 9.5])
    model = OneVsRestClassifier(binary).fit(X, y)
    assert model.score(X, y) > 0.7
    positive = clone(binary).fit(X, (y == 2).astype(int)).predict_proba(X)[:, 1]
    same(model.estimators_[2].predict_proba(X)[:, 1], positive)


@table_or_sequences
def test_calibration_fits_and_calibrates(kind):
    model, X = given(kind, classifier())
    calibrated = CalibratedClassifierCV(model, cv=HALVES).fit(X, LABELS)
    assert len(calibrated.calibrated_classifiers_) == 2
    assert list(calibrated.classes_) == ["down", "up"]
    assert calibrated.score(X, LABELS) > 0.8


@table_or_sequences
@pytest.mark.filterwarnings("ignore:X has .* gaps")  # its folds are stratified
def test_calibration_of_a_frozen_estimator(kind):
    model, X = given(kind, classifier())
    model.fit(X[:40], LABELS[:40])
    calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(X[40:], LABELS[40:])
    before, after = (m.predict_proba(X)[:, 1] for m in (model, calibrated))
    same(np.argsort(before, stable=True), np.argsort(after, stable=True))  # a rising function
    assert (before != after).any()


@table_or_sequences
def test_threshold_is_tuned(kind):
    model, X = given(kind, classifier())
    tuned = TunedThresholdClassifierCV(model, cv=HALVES, scoring="balanced_accuracy").fit(X, LABELS)
    above = tuned.estimator_.predict_proba(X)[:, 1] >= tuned.best_threshold_
    same(tuned.predict(X), np.where(above, "up", "down"))
    assert tuned.best_score_ > 0.8


@table_or_sequences
def test_frozen_estimator_stays_as_it_is(kind):
    model, X = given(kind, regressor())
    expected = model.fit(X, Y).predict(X)
    same(FrozenEstimator(model).fit(X, -Y).predict(X), expected)


# Transformers and outputs


def cube_root(sequences):
    return Sequences(
        np.cbrt(sequences.values), sequences.starts, sequences.lengths, sequences.series
    )


def test_function_behind_the_windower_gets_sequences():
    model = make_pipeline(windower(), FunctionTransformer(cube_root), regressor())
    rooted = behind_windower(regressor()).fit(np.cbrt(TABLE.to_numpy()), Y)
    same(model.fit(TABLE, Y).predict(TABLE), rooted.predict(np.cbrt(TABLE.to_numpy())))


def test_frames_go_through_the_pipeline_if_asked_for():
    model = make_pipeline(StandardScaler(), windower(), regressor())
    expected = clone(model).fit(TABLE, Y).predict(TABLE)
    framed = clone(model).set_output(transform="pandas").fit(TABLE, Y)
    same(framed.predict(TABLE), expected)
    with config_context(transform_output="pandas"):
        everywhere = clone(model).fit(TABLE, Y)
        same(everywhere.predict(TABLE), expected)
    for fitted in (framed, everywhere):
        assert list(fitted[-1].feature_names_in_) == ["noise", "signal"]


def test_feature_names_go_through_the_pipeline():
    model = make_pipeline(StandardScaler(), windower(), regressor()).fit(TABLE, Y)
    assert list(model[:-1].get_feature_names_out()) == ["noise", "signal"]


# Metadata routing


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def weighted_pipeline():
    final = regressor(init=None).set_fit_request(sample_weight=True)
    final.set_score_request(sample_weight=True)
    return make_pipeline(StandardScaler().set_fit_request(sample_weight=True), windower(), final)


def weighted_by_hand(rows):
    """Predictions for the table of a model fitted on some of its rows."""
    scaler = StandardScaler().fit(TABLE.iloc[rows], sample_weight=WEIGHT[rows])
    sequences = [windower().fit_transform(scaler.transform(X)) for X in (TABLE.iloc[rows], TABLE)]
    model = regressor(init=None).fit(sequences[0], Y.iloc[rows], sample_weight=WEIGHT[rows])
    return model.predict(sequences[1])


@pytest.mark.usefixtures("routing")
def test_weights_reach_each_step_of_a_pipeline():
    model = weighted_pipeline().fit(TABLE, Y, sample_weight=WEIGHT)
    same(model.predict(TABLE), weighted_by_hand(range(80)))


@pytest.mark.usefixtures("routing")
def test_weights_reach_each_step_in_a_search():
    search = GridSearchCV(weighted_pipeline(), {"lstmregressor__hidden_size": [2, 4]}, cv=HALVES)
    search.fit(TABLE, Y, sample_weight=WEIGHT)
    assert search.best_params_ == {"lstmregressor__hidden_size": 4}
    same(search.predict(TABLE), weighted_by_hand(range(80)))


@pytest.mark.usefixtures("routing")
def test_weights_reach_each_step_in_cross_validation():
    result = cross_validate(
        weighted_pipeline(),
        TABLE,
        Y,
        cv=HALVES,
        params={"sample_weight": WEIGHT},
        return_estimator=True,
        error_score="raise",
    )
    same(result["estimator"][1].predict(TABLE), weighted_by_hand(range(40)))


@pytest.mark.usefixtures("routing")
def test_validation_table_goes_through_the_steps_in_front():
    final = regressor(early_stopping=True, init=None).set_fit_request(X_val=True, y_val=True)
    model = make_pipeline(StandardScaler(), windower(), final, transform_input=["X_val"])
    train, valid = TABLE[:60], TABLE[60:]
    model.fit(train, Y[:60], X_val=valid, y_val=Y[60:])
    error = (model.predict(valid) - Y[60:]) / model[-1].target_scale_
    assert (error**2).mean() == pytest.approx(model[-1].history_["valid_loss"].min(), rel=1e-5)


# Copies


@pytest.mark.parametrize("fitted", [False, True])
def test_clone_is_unfitted_and_has_the_parameters(fitted):
    model = behind_windower(regressor(hidden_size=3))
    if fitted:
        model.fit(TABLE, Y)
    copied = clone(model)
    assert copied[-1].get_params() == model[-1].get_params()
    assert not hasattr(copied[-1], "net_")
    with pytest.raises(NotFittedError):
        copied.predict(TABLE)


def through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, folder: pickle.loads(pickle.dumps(model)),
        lambda model, folder: copy.deepcopy(model),
        through_joblib,
    ],
    ids=["pickle", "deepcopy", "joblib"],
)
@pytest.mark.parametrize(("final", "y"), [(regressor(), Y), (classifier(), LABELS)])
def test_copy_of_a_fitted_pipeline_predicts_the_same(copied, final, y, tmp_path):
    model = behind_windower(clone(final)).fit(TABLE, y)
    again = copied(model, tmp_path)
    same(again.predict(TABLE), model.predict(TABLE))
    same(again.fit(TABLE, y).predict(TABLE), model.predict(TABLE))


# Callbacks


class StopAtEpoch:
    """A callback that asks to stop."""

    def __init__(self, number):
        self.number = number

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id == self.number - 1


class EpochCounter(Callback):
    """A callback of skorch that `initialize` resets, as scoring ones do."""

    def initialize(self):
        self.n_epochs_ = 0
        return self

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1


def test_progress_bar_of_an_estimator(capsys):
    regressor().set_callbacks(ProgressBar()).fit(SEQUENCES, Y)
    shown = capsys.readouterr().out
    assert "LSTMRegressor - fit" in shown
    assert "100%" in shown


def test_progress_bar_of_a_pipeline(capsys):
    behind_windower(regressor()).set_callbacks(ProgressBar()).fit(TABLE, Y)
    shown = capsys.readouterr().out
    assert "LSTMRegressor - fit" in shown
    assert "100%" in shown


@pytest.mark.parametrize(("depth", "epochs_shown"), [(1, False), (2, True), (None, True)])
def test_progress_bar_of_a_search(depth, epochs_shown, capsys):
    search = GridSearchCV(
        behind_windower(regressor()), {"lstmregressor__hidden_size": [2, 3]}, cv=HALVES
    )
    search.set_callbacks(ProgressBar(max_propagation_depth=depth)).fit(TABLE, Y)
    shown = capsys.readouterr().out
    assert ("LSTMRegressor - fit" in shown) == epochs_shown
    assert "GridSearchCV - fit" in shown


def epochs_of(monitor):
    log = monitor.get_logs().data_as_pandas
    return log[log["task_name"] == "epoch"]


@pytest.mark.parametrize(
    ("make", "y", "score"), [(regressor, Y, "r2"), (classifier, LABELS, "accuracy")]
)
def test_scores_are_monitored_each_epoch(make, y, score):
    monitor = ScoringMonitor(scoring=score)
    model = (
        make(max_epochs=6, early_stopping=False, init=None).set_callbacks(monitor).fit(SEQUENCES, y)
    )
    scores = epochs_of(monitor)[score]
    assert len(scores) == 6
    assert scores.iloc[-1] == model.score(SEQUENCES, y)
    assert scores.iloc[0] < scores.iloc[-1]


def test_monitored_training_is_the_same_training():
    monitored = regressor(dropout=0.2).set_callbacks(ScoringMonitor(scoring="r2"))
    alone = regressor(dropout=0.2).fit(SEQUENCES, Y)
    same(monitored.fit(SEQUENCES, Y).predict(SEQUENCES), alone.predict(SEQUENCES))


def test_scores_are_monitored_inside_a_pipeline():
    monitor = ScoringMonitor(scoring=["r2", "neg_mean_absolute_error"])
    final = regressor(max_epochs=4, early_stopping=False).set_callbacks(monitor)
    model = behind_windower(final).fit(TABLE, Y)
    scores = epochs_of(monitor)
    assert len(scores) == 4
    assert scores["r2"].iloc[-1] == model.score(TABLE, Y)


def test_scores_are_monitored_inside_a_search():
    monitor = ScoringMonitor(scoring="r2")
    final = regressor(max_epochs=3).set_callbacks(monitor)
    grid = {"sequencewindower__window_size": [2, 3]}
    GridSearchCV(behind_windower(final), grid, cv=HALVES).fit(TABLE, Y)
    runs = epochs_of(monitor).groupby("parent_task_id_path").size()
    assert list(runs) == [3] * 5  # two windows on two folds, and the refit


def test_scores_are_monitored_of_the_epochs_that_early_stopping_runs():
    monitor = ScoringMonitor(scoring="r2")
    model = regressor(max_epochs=50, early_stopping=True, n_iter_no_change=2, tol=0.1)
    model.set_callbacks(monitor).fit(SEQUENCES, Y)
    assert len(epochs_of(monitor)) == model.n_iter_ < 50


def test_rows_that_are_history_only_are_not_monitored():
    monitor = ScoringMonitor(scoring="r2")
    weight = (np.arange(80) >= 5).astype(float)
    model = regressor(max_epochs=2, early_stopping=False).set_callbacks(monitor)
    model.fit(SEQUENCES, Y.where(weight > 0), sample_weight=weight)
    assert epochs_of(monitor)["r2"].iloc[-1] == model.score(SEQUENCES[5:], Y[5:])


def test_monitoring_leaves_callbacks_of_skorch_alone():
    counter = EpochCounter()
    model = regressor(max_epochs=3, skorch_params={"callbacks": [counter]})
    model.set_callbacks(ScoringMonitor(scoring="r2")).fit(SEQUENCES, Y)
    assert counter.n_epochs_ == 3


@table_or_sequences
def test_a_callback_may_stop_the_training(kind):
    final = regressor().set_callbacks(StopAtEpoch(3))
    model, X = given(kind, final)
    model.fit(X, Y)
    assert final.n_iter_ == len(final.loss_curve_) == 3
    same(model.predict(X), given(kind, regressor(max_epochs=3))[0].fit(X, Y).predict(X))


# Looks


@pytest.mark.parametrize(
    ("estimator", "text"),
    [
        (regressor(), "Units of each recurrent layer."),
        (classifier(), "Weights of the classes"),
        (windower(), "Maximum number of rows of a history"),
    ],
)
def test_html_shows_our_descriptions_of_the_parameters(estimator, text, monkeypatch):
    monkeypatch.setattr("sklstm._data.estimator.SITE", "https://example.org")  # they are its links
    assert text in estimator_html_repr(estimator)
    assert text in estimator_html_repr(make_pipeline(StandardScaler(), estimator))


@pytest.mark.parametrize(
    "estimator", [regressor(), classifier(), windower(), SequenceFlattener()], ids=type
)
def test_html_links_to_our_documentation_where_there_is_one(estimator, monkeypatch):
    monkeypatch.setattr("sklstm._data.estimator.SITE", "https://example.org/sklstm")
    link = f"https://example.org/sklstm/api/sklstm.{type(estimator).__name__}.html"
    assert estimator._get_doc_link() == link
    assert link in estimator_html_repr(estimator)
    monkeypatch.setattr("sklstm._data.estimator.SITE", "")
    assert "<a " not in estimator_html_repr(estimator)
    assert "Documentation for" not in estimator_html_repr(estimator)


@table_or_sequences
def test_errors_are_drawn(kind):
    model, X = given(kind, regressor())
    model.fit(X, Y)
    display = PredictionErrorDisplay.from_estimator(model, X, Y, kind="actual_vs_predicted")
    same(display.y_pred, model.predict(X))
    mpl.pyplot.close(display.figure_)


@table_or_sequences
def test_confusion_is_drawn(kind):
    model, X = given(kind, classifier())
    display = ConfusionMatrixDisplay.from_estimator(model.fit(X, LABELS), X, LABELS)
    assert list(display.display_labels) == ["down", "up"]
    assert display.confusion_matrix.trace() == round(80 * model.score(X, LABELS))
    mpl.pyplot.close(display.figure_)


# Conformal prediction


# To see whether a Pipeline is fitted, MAPIE asks its last step about an array of one row.
asked_by_mapie = pytest.mark.filterwarnings(
    "ignore:LSTM.* was fitted on sequences:UserWarning",
    "ignore:X does not have valid feature names:UserWarning",
)


def noisy(n_rows):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(n_rows, 2)), columns=TABLE.columns)
    return table, table["signal"].shift(1, fill_value=0.0) + rng.normal(scale=0.5, size=n_rows)


def parts(X, y):
    """To train, to calibrate and to test on."""
    return [(X[rows], y[rows]) for rows in (slice(100), slice(100, 300), slice(300, 500))]


@asked_by_mapie
@table_or_sequences
def test_conformal_intervals_cover(kind):
    model = given(kind, regressor())[0]
    table, y = noisy(500)
    X = table if kind == "table" else windower().fit_transform(table)
    train, calibration, test = parts(X, y)
    intervals = SplitConformalRegressor(model.fit(*train), confidence_level=0.8, prefit=True)
    intervals.conformalize(*calibration)
    points, bounds = intervals.predict_interval(test[0])
    same(points, model.predict(test[0]))
    covered = (bounds[:, 0, 0] <= test[1]) & (test[1] <= bounds[:, 1, 0])
    assert 0.7 < covered.mean() < 0.9
    assert (bounds[:, 1] - bounds[:, 0]).mean() < 0.8 * 2 * 1.28 * y.std()  # better than no model


def conformal_sets(final, X, y):
    train, calibration, test = parts(X, (y > 0).to_numpy())
    sets = SplitConformalClassifier(final.fit(*train), confidence_level=0.9, prefit=True)
    return sets.conformalize(*calibration), test


@asked_by_mapie
def test_conformal_sets_cover():
    model = behind_windower(classifier())
    sets, test = conformal_sets(model, *noisy(500))
    labels, members = sets.predict_set(test[0])
    same(labels, model.predict(test[0]))
    assert 0.8 < members[np.arange(200), test[1].astype(int), 0].mean() < 0.98


@asked_by_mapie
def test_conformal_sets_refuse_sequences():
    table, y = noisy(500)
    with pytest.raises(ValueError, match=r"mismatch between .*X.shape and .*n_features_in_"):
        conformal_sets(classifier(), windower().fit_transform(table), y)


# Tools for tables only say so


def tables_only(name):
    tools = {
        "bagging": lambda: BaggingRegressor(regressor()).fit(SEQUENCES, Y),
        "chain": lambda: RegressorChain(regressor()).fit(SEQUENCES, np.column_stack([Y, Y])),
        "columns": lambda: make_column_transformer(("passthrough", [0])).fit(SEQUENCES),
        "union": lambda: make_union(windower(2), windower(3)).fit_transform(TABLE),
        "scaler": lambda: make_pipeline(windower(), StandardScaler(), regressor()).fit(TABLE, Y),
        "permutation": lambda: permutation_importance(
            regressor(max_epochs=1).fit(SEQUENCES, Y), SEQUENCES, Y
        ),
        "passthrough": lambda: StackingRegressor(
            [("lstm", regressor(max_epochs=1))], RidgeCV(), cv=HALVES, passthrough=True
        ).fit(SEQUENCES, Y),
    }
    return tools[name]()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bagging", "dim 3, while dim <= 2 is required by BaggingRegressor"),
        ("chain", "dim 3, while dim <= 2 is required by RegressorChain"),
        ("columns", r"should be a 2D .* Got <class 'sklstm._data.sequences.Sequences'>"),
        ("union", "'sequencewindower-1' returned an array or dataframe with 3 dimensions"),
        ("scaler", "dim 3, while dim <= 2 is required by StandardScaler"),
        ("permutation", "dim 3, while dim <= 2 is required"),
        ("passthrough", "index 0 has 2 dimension.* index 1 has 3 dimension"),
    ],
)
def test_tools_for_tables_refuse_sequences(name, message):
    with pytest.raises(ValueError, match=message):
        tables_only(name)
