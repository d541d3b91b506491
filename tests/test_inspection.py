import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from sklstm import Sequences, SequenceWindower
from sklstm.inspection import history_importance
from sklstm.plotting import HistoryImportanceDisplay

DAYS = pd.date_range("2024-01-01", periods=60)


class WeightedSteps(RegressorMixin, BaseEstimator):
    """Adds the steps of the history, each feature at each lag with a weight of its own."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        weights = self.scale * np.arange(1.0, 41).reshape(20, 2)  # by lag and feature
        return np.array([(step[::-1] * weights[: len(step)]).sum() for step in map(np.array, X)])


class IsWarm(ClassifierMixin, WeightedSteps):
    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        return super().fit(X, y)

    def predict(self, X):
        return super().predict(X) > 0


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(60, 2)), index=DAYS, columns=["temp", "wind"])


@pytest.fixture
def model(table):
    return make_pipeline(SequenceWindower(5, horizon=2), WeightedSteps()).fit(table, table["temp"])


def drops_by_loops(predict, arrays, y, groups, n_repeats, random):
    """Drop of R² by group, feature and repeat; every array is permuted alone, in a copy."""
    n_features = arrays[0].shape[1]
    drops = np.zeros((len(groups), n_features, n_repeats))
    for repeat in range(n_repeats):
        order = random.permutation(len(arrays))
        for group, lags in enumerate(groups):
            for feature in range(n_features):
                permuted = [array.copy() for array in arrays]
                for lag in lags:
                    holders = [row for row in range(len(arrays)) if len(arrays[row]) > lag]
                    donors = [row for row in order if len(arrays[row]) > lag]
                    for row, donor in zip(holders, donors, strict=True):
                        permuted[row][-1 - lag, feature] = arrays[donor][-1 - lag, feature]
                score, lower = r2_score(y, predict(arrays)), r2_score(y, predict(permuted))
                drops[group, feature, repeat] = score - lower
    return drops


@pytest.mark.parametrize(
    ("n_groups", "groups", "names"),
    [
        (None, [[4], [3], [2], [1], [0]], ["t-6", "t-5", "t-4", "t-3", "t-2"]),
        (2, [[4, 3, 2], [1, 0]], ["t-6 to t-4", "t-3 to t-2"]),
        (1, [[4, 3, 2, 1, 0]], ["t-6 to t-2"]),
    ],
)
def test_importance_is_that_of_plain_loops(n_groups, groups, names, model, table):
    y = np.random.default_rng(1).normal(size=60)
    result = history_importance(
        model, table, y, n_repeats=3, n_groups=n_groups, max_samples=None, random_state=7
    )
    values = table.to_numpy()
    arrays = [values[max(0, row - 6) : max(0, row - 1)] for row in range(60)]
    random = np.random.RandomState(7)
    expected = drops_by_loops(model[1].predict, arrays, y, groups, 3, random)
    np.testing.assert_allclose(result.importances, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.importances_mean, expected.mean(axis=2))
    np.testing.assert_allclose(result.importances_std, expected.std(axis=2))
    assert isinstance(result, Bunch)
    assert result.lags == names
    assert result.feature_names == ["temp", "wind"]
    assert result.unit == "drop in R²"


def test_importance_of_sequences_without_names_or_table():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(length, 2)) for length in rng.integers(0, 4, size=30)]
    y = rng.normal(size=30)
    model = WeightedSteps().fit(arrays, y)
    model.n_features_in_ = 2
    result = history_importance(model, Sequences.from_arrays(arrays), y, random_state=0)
    groups = [[2], [1], [0]]
    expected = drops_by_loops(model.predict, arrays, y, groups, 5, np.random.RandomState(0))
    np.testing.assert_allclose(result.importances, expected, rtol=1e-9, atol=1e-9)
    assert (result.lags, result.feature_names) == (["t-2", "t-1", "t"], ["x0", "x1"])


def test_the_display_shows_the_same_numbers(model, table):
    y = table["temp"]
    result = history_importance(model, table, y, n_groups=2, random_state=0)
    display = HistoryImportanceDisplay.from_estimator(model, table, y, n_groups=2, random_state=0)
    expected = pd.DataFrame(result.importances_mean, result.lags, result.feature_names)
    pd.testing.assert_frame_equal(display.importances_mean, expected, check_names=False)
    np.testing.assert_array_equal(display.importances_std, result.importances_std)
    assert display.unit == result.unit


def two_scores(model, X, y):
    predicted = model.predict(X)
    return {"error": -mean_absolute_error(y, predicted), "r2": r2_score(y, predicted)}


@pytest.mark.parametrize(
    ("scoring", "refit", "same_as", "unit"),
    [
        (None, True, "r2", "drop in R²"),
        ("r2", True, "r2", "drop in r2"),
        ("neg_mean_absolute_error", True, "neg_mean_absolute_error", "rise in mean absolute error"),
        (["r2", "neg_mean_absolute_error"], "r2", "r2", "drop in r2"),
        ({"mine": "neg_mean_absolute_error"}, "mine", "neg_mean_absolute_error", "rise in mean "),
        ({"mine": make_scorer(r2_score)}, "mine", "r2", "drop in score"),
        (two_scores, "error", "neg_mean_absolute_error", "drop in error"),
    ],
)
def test_the_metric_is_that_of_the_search(scoring, refit, same_as, unit, model, table):
    y = table["wind"]
    grid = {"weightedsteps__scale": [1.0, 2.0]}
    search = GridSearchCV(model, grid, cv=KFold(2), scoring=scoring, refit=refit).fit(table, y)
    result = history_importance(search, table, y, n_groups=2, random_state=0)
    expected = history_importance(
        search.best_estimator_, table, y, n_groups=2, random_state=0, scoring=same_as
    )
    np.testing.assert_allclose(result.importances, expected.importances)
    assert result.unit.startswith(unit)
    asked = history_importance(search, table, y, n_groups=2, scoring="neg_max_error")
    assert asked.unit == "rise in max error"
    display = HistoryImportanceDisplay.from_estimator(search, table, y, n_groups=2)
    assert display.colorbar_.ax.get_ylabel() == result.unit


def test_a_search_of_labels_without_metric_has_the_accuracy(table):
    y = table["temp"] > 0
    model = make_pipeline(SequenceWindower(3), IsWarm())
    search = GridSearchCV(model, {"iswarm__scale": [1.0]}, cv=KFold(2)).fit(table, y)
    assert history_importance(search, table, y).unit == "drop in accuracy"


def test_a_search_without_one_metric_asks_for_it(model, table):
    y = table["wind"]
    search = GridSearchCV(
        model,
        {"weightedsteps__scale": [1.0]},
        cv=KFold(2),
        scoring=["r2", "neg_max_error"],
        refit=lambda results: 0,
    ).fit(table, y)
    with pytest.raises(ValueError, match="GridSearchCV has several metrics, .* give scoring="):
        history_importance(search, table, y)
    assert history_importance(search, table, y, scoring="r2").unit == "drop in r2"


def test_progress_is_shown_if_asked_for(model, table, capsys):
    history_importance(model, table, table["temp"], n_repeats=2)
    HistoryImportanceDisplay.from_estimator(model, table, table["temp"], n_repeats=2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    history_importance(model, table, table["temp"], n_repeats=2, verbose=1)
    shown = capsys.readouterr().err
    assert "importance: 100%" in shown
    assert "21/21" in shown  # 2 repeats of 5 lags of 2 features, and the histories as they are
    HistoryImportanceDisplay.from_estimator(model, table, table["temp"], n_groups=1, verbose=1)
    assert "11/11" in capsys.readouterr().err


def test_wrong_parameters_are_named(model, table):
    for params in ({"n_repeats": 0}, {"n_groups": 0}, {"max_samples": 0.5}, {"verbose": "loud"}):
        name = next(iter(params))
        with pytest.raises(ValueError, match=f"The '{name}' parameter of history_importance"):
            history_importance(model, table, table["temp"], **params)
