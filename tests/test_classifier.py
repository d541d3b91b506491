"""Labels of all kinds, and training that goes on from call to call."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight
from skorch.callbacks import Callback

from sklstm import LSTMClassifier, LSTMRegressor, SequenceWindower

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5, 2))
TOTAL = X[:, :, 0].sum(axis=1)
UP = TOTAL > -1
LABELS = np.where(UP, "up", "down")
THREE = np.array(["low", "mid", "top"])[np.digitize(TOTAL, [-1, 1])]
SEVERAL = np.column_stack([UP, TOTAL > 1, X[:, -1, 1] > 0]).astype(int)
RARE = RNG.permutation(np.where(np.arange(80) % 8, "up", "down"))
WEIGHT = RNG.uniform(0.5, 2, size=80)
RAGGED = [RNG.normal(size=(length, 2)) for length in RNG.integers(0, 9, size=80)]
SETTINGS = {"hidden_size": 8, "max_epochs": 10, "lr": 0.03, "batch_size": 16, "random_state": 0}

same = np.testing.assert_array_equal


def classifier(**params):
    return LSTMClassifier(**SETTINGS | {"init": None} | params)


def regressor(**params):
    return LSTMRegressor(**SETTINGS | params)


regressor_and_classifier = pytest.mark.parametrize(
    ("make", "y"), [(regressor, TOTAL), (classifier, LABELS)], ids=["regressor", "classifier"]
)


# Labels


@pytest.mark.parametrize("y", [LABELS, THREE, SEVERAL], ids=["binary", "multiclass", "multilabel"])
def test_learns(y, device):
    model = classifier(max_epochs=30, device=device).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.95
    assert model.predict(X).shape == y.shape
    assert model.device_ == device


@pytest.mark.parametrize(
    "y",
    [
        UP.astype(int),
        np.where(UP, 5, -3),
        UP,
        LABELS,
        LABELS.astype(object),
        list(LABELS),
        pd.Series(LABELS, dtype="str", index=range(7, 87)),
        pd.Series(LABELS, dtype="string"),
        pd.Series(pd.Categorical(LABELS, categories=["up", "down", "never"])),
        UP.astype(float),
        pd.Series(UP.astype(int), dtype="Int64"),
        pd.Series(UP, dtype="boolean"),
    ],
    ids=[
        "int",
        "negative int",
        "bool",
        "str",
        "object",
        "list",
        "pandas str",
        "pandas string",
        "categorical",
        "float",
        "pandas Int64",
        "pandas boolean",
    ],
)
def test_labels_come_back_as_they_came(y):
    model = classifier().fit(X, y)
    predicted, expected = model.predict(X), np.asarray(y)
    assert (predicted == expected).mean() > 0.9
    assert predicted.dtype == expected.dtype
    same(model.classes_, np.unique(expected))


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        model = classifier(max_epochs=1).fit(X, LABELS[:, None])
    assert model.predict(X).shape == (80,)


def test_attributes_count_labels():
    one, several = classifier(max_epochs=1).fit(X, THREE), classifier(max_epochs=1).fit(X, SEVERAL)
    assert (one.n_outputs_, list(one.classes_)) == (1, ["low", "mid", "top"])
    assert several.n_outputs_ == 3
    same(several.classes_, [[0, 1]] * 3)


def test_several_labels_may_come_as_a_frame_or_a_list():
    expected = classifier().fit(X, SEVERAL).predict_proba(X)
    for y in (pd.DataFrame(SEVERAL, columns=["a", "b", "c"]), SEVERAL.tolist(), SEVERAL == 1):
        same(classifier().fit(X, y).predict_proba(X), expected)


# Tables of several labels

TABLES = {
    "int": SEVERAL,
    "int8": SEVERAL.astype(np.int8),
    "bool": SEVERAL == 1,
    "float": SEVERAL.astype(float),
    "float32": SEVERAL.astype(np.float32),
}


@pytest.mark.parametrize("init", [None, "linear"])
@pytest.mark.parametrize("y", TABLES.values(), ids=TABLES)
def test_a_table_of_labels_comes_back_as_it_came(y, init):
    plain = classifier(init=init, max_epochs=20).fit(X, SEVERAL)
    model = classifier(init=init, max_epochs=20).fit(X, y, X_val=X[:20], y_val=y[:20])
    predicted = model.predict(X)
    assert predicted.dtype == y.dtype
    same(np.unique(predicted), np.unique(y))
    assert model.score(X, y) == (predicted == y).all(axis=1).mean() > 0.8
    same(model.classes_, [np.unique(y)] * 3)
    assert 0 < model.history_["valid_loss"].iloc[-1] < model.history_["valid_loss"].iloc[0]
    assert plain.classes_[0].dtype == SEVERAL.dtype
    for _ in range(2):
        model.partial_fit(X, y)
    same(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@pytest.mark.parametrize(
    "y",
    [
        SEVERAL.astype(object),
        pd.DataFrame({"a": SEVERAL[:, 0] == 1, "b": SEVERAL[:, 1], "c": SEVERAL[:, 2] * 1.0}),
        pd.DataFrame(SEVERAL, columns=["a", "b", "c"], index=range(7, 87), dtype="Int64"),
        pd.DataFrame(SEVERAL, columns=["a", "b", "c"], dtype="boolean"),
        csr_array(SEVERAL),
    ],
    ids=["object", "frame of three dtypes", "Int64", "boolean", "sparse"],
)
def test_tables_of_all_kinds(y):
    model, expected = classifier().fit(X, y), classifier().fit(X, SEVERAL)
    same(model.predict_proba(X), expected.predict_proba(X))
    same(model.predict(X), expected.predict(X))
    assert model.predict(X).dtype.kind in "bif"
    assert model.score(X, y) == expected.score(X, SEVERAL)


def test_a_table_at_every_step():
    table = [np.column_stack([x[:, 0] > 0, x.sum(axis=1) > 0]).astype(int) for x in X]
    model = classifier(pooling=None, max_epochs=30).fit(X, table)
    assert model.predict(X).shape == (80, 5, 2)
    assert model.predict_proba(X).shape == (80, 5, 2)
    same(model.classes_, [[0, 1]] * 2)
    assert model.score(X, table) > 0.8
    ragged = [x[: 1 + i % 5] for i, x in enumerate(X)]
    cut = [part[: len(x)] for part, x in zip(table, ragged, strict=True)]
    assert [part.shape for part in model.predict(ragged)] == [part.shape for part in cut]
    assert model.score(ragged, cut) > 0.8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([-1, 1], r"the values \[-1, 1\]\. .* Give \(y == 1\)\.astype\(int\)"),
        ([0, 255], r"the values \[0, 255\]\. .* Give \(y == 255\)\.astype\(int\)"),
        ([0.0, 2.0], r"Give \(y == 2\.0\)"),
        ([-1.0, 1.0], r"Give \(y == 1\.0\)"),
        ([1, 2], r"the values \[1, 2\]\. .* Give \(y == 2\)"),
        ([-1, 0], r"Give \(y == 0\)"),
        (["no", "yes"], r"the values \['no', 'yes'\]\. .* Give \(y == 'yes'\)"),
        ([1, 1], r"Here nothing is 0.*classes=\[0, 1\]"),
    ],
)
@pytest.mark.parametrize("at_steps", [False, True])
@pytest.mark.parametrize("dtype", [None, object])
@pytest.mark.filterwarnings("ignore:y is -1 at")
def test_a_table_of_other_values_is_refused_with_the_cure(values, message, at_steps, dtype):
    y = np.array(values, dtype)[SEVERAL]
    params = {}
    if at_steps:
        y, params = np.repeat(y[:, None], 5, axis=1), {"pooling": None}
        if values[0] == -1 and np.asarray(values).dtype.kind == "i" and dtype is None:
            if values == [-1, 0]:
                return  # steps of which some labels are missing
            message = "nothing is 0, .* -1 among whole numbers|No step has a label"
    for call in (classifier(**params).fit, classifier(**params).partial_fit):
        with pytest.raises(ValueError, match=message):
            call(X, y)


def test_columns_of_several_classes_go_to_a_classifier_each():
    y = np.column_stack([np.digitize(TOTAL, [-1, 1]), UP])
    with pytest.raises(ValueError, match=r"values \[0, 1, 2\].*MultiOutputClassifier"):
        classifier().fit(X, y)
    assert MultiOutputClassifier(classifier(max_epochs=30)).fit(X, y).score(X, y) > 0.8


OTHER_TABLES = [255 * SEVERAL, SEVERAL - 1, SEVERAL[:, :2], np.column_stack([SEVERAL, SEVERAL])]


@pytest.mark.parametrize("y", OTHER_TABLES)
def test_a_table_that_is_not_that_of_fit_is_refused(y):
    model = classifier(max_epochs=1).fit(X, SEVERAL)
    message = r"The estimator learned 3 columns with \[0, 1\]"
    with pytest.raises(ValueError, match=message):
        model.score(X, y)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, SEVERAL, X_val=X, y_val=y)


def test_two_labels_are_scored_as_such():
    y = SEVERAL[:, :2]
    model = classifier(max_epochs=2).fit(X, y)
    assert get_scorer("roc_auc")(model, X, y) == roc_auc_score(y, model.predict_proba(X))


def test_classes_of_a_table_are_its_values():
    model = classifier().partial_fit(X[:1], [[0, 0, 0]], classes=[0, 1])
    same(model.classes_, [[0, 1]] * 3)
    model.partial_fit(X, SEVERAL, classes=model.classes_)
    with pytest.raises(ValueError, match=r"classes=\[0, 2\] .* first call .* \[0, 1\]"):
        model.partial_fit(X, SEVERAL, classes=[0, 2])
    with pytest.raises(ValueError, match=r"the values \[0, 1, 2\]"):
        classifier().partial_fit(X, SEVERAL, classes=[0, 1, 2])


# Probabilities


@pytest.mark.parametrize("y", [LABELS, THREE], ids=["binary", "multiclass"])
def test_probabilities_sum_to_one_and_decide(y):
    model = classifier().fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (80, len(np.unique(y)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    same(model.classes_[probabilities.argmax(axis=1)], model.predict(X))


def test_several_labels_have_probabilities_of_their_own():
    model = classifier(max_epochs=30).fit(X, SEVERAL)
    probabilities = model.predict_proba(X)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert (abs(probabilities.sum(axis=1) - 1) > 0.5).any()
    same(probabilities > 0.5, model.predict(X))


@pytest.mark.parametrize("y", [LABELS, THREE, SEVERAL], ids=["binary", "multiclass", "multilabel"])
def test_logarithms_are_those_of_the_probabilities(y):
    model = classifier().fit(X, y)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


def test_logarithms_do_not_vanish_with_the_probability():
    model = classifier(max_epochs=1, standardize=False).fit(X, LABELS)
    model.net_.module_.head.weight.data *= 1e4
    assert (model.predict_proba(X) == 0).any()
    assert np.isfinite(model.predict_log_proba(X)).all()


# Weights

IN_ONE_BATCH = {"dtype": "float64", "batch_size": 1000}  # so that only rounding can differ


@pytest.mark.parametrize("class_weight", ["balanced", {"low": 3.0, "top": 0.5}])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alone", "times"])
def test_class_weights_are_sample_weights(class_weight, weight):
    weighted = classifier(class_weight=class_weight, **IN_ONE_BATCH).fit(X, THREE, weight)
    own = np.ones(80) if weight is None else weight
    if class_weight == "balanced":
        share = {label: own[label == THREE].sum() for label in weighted.classes_}
        by_hand = own / [share[label] for label in THREE]
    else:
        by_hand = own * compute_sample_weight(class_weight | {"mid": 1.0}, THREE)
    expected = classifier(**IN_ONE_BATCH).fit(X, THREE, by_hand)
    np.testing.assert_allclose(weighted.predict_proba(X), expected.predict_proba(X), rtol=1e-9)


def test_class_weights_count_in_validation():
    model = classifier(class_weight={"up": 5.0}, max_epochs=2, early_stopping=False)
    model.fit(X[:60], LABELS[:60], X_val=X[60:], y_val=LABELS[60:])
    right = model.predict_proba(X[60:])[np.arange(20), UP[60:].astype(int)]
    expected = np.average(-np.log(right), weights=np.where(UP[60:], 5, 1))
    assert model.history_["valid_loss"].iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_class_weight_moves_the_decision():
    nothing = np.zeros((80, 2, 1))
    plain, weighted = (
        classifier(class_weight=class_weight).fit(nothing, RARE).predict(nothing)
        for class_weight in (None, {"down": 100.0})
    )
    assert (plain == "up").all()
    assert (weighted == "down").all()


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"left": 2}, r"class_weight names \['left'\], .* \['down', 'up'\]"),
        ({1: 2}, r"class_weight names \[1\]"),
        ({"up": -1}, "class_weight"),
        ({"up": 0, "down": 0}, "class_weight"),
        ("heavy", "'class_weight' parameter .*'balanced'"),
    ],
)
def test_bad_class_weights_are_named(class_weight, message):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(X, LABELS)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}])
def test_several_labels_take_no_class_weight(class_weight):
    with pytest.raises(ValueError, match="class_weight is for one label a sample"):
        classifier(class_weight=class_weight).fit(X, SEVERAL)


@pytest.mark.parametrize(
    ("y", "missing"),
    [
        (UP.astype(float), np.nan),
        (LABELS.astype(object), None),
        (LABELS.astype(object), np.nan),
        (pd.Series(LABELS, dtype="string"), pd.NA),
        (SEVERAL.astype(float), np.nan),
    ],
)
def test_rows_of_weight_zero_need_no_label(y, missing):
    weight = (np.arange(80) % 3 > 0).astype(float)
    labelled = y.copy()
    labelled[weight == 0] = missing
    weighted = classifier().fit(X, labelled, sample_weight=weight)
    left_out = classifier().fit(X[weight > 0], y[weight > 0])
    same(weighted.predict_proba(X), left_out.predict_proba(X))


# The validation part


class ValidationLabels(Callback):
    """Collects the codes of the labels that the last epoch was validated on."""

    def on_epoch_begin(self, net, **kwargs):
        self.codes = []

    def on_batch_end(self, net, batch, training, **kwargs):
        if not training:
            self.codes += batch[1][0][:, 0].int().tolist()


def validated(data, y, **params):
    labels = ValidationLabels()
    settings = {"max_epochs": 1, "early_stopping": True}
    settings["skorch_params"] = {"callbacks": [labels]}
    classifier(**settings | params).fit(data, y)
    return labels.codes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_validation_part_of_independent_sequences_keeps_the_shares(seed):
    rare = np.arange(80) % 8 == 0
    codes = validated(X, rare, validation_fraction=0.2, random_state=seed)
    assert sorted(codes) == [0] * 14 + [1] * 2


def test_validation_part_of_windows_is_the_end():
    windows = SequenceWindower(window_size=4).fit_transform(X[:, 0])
    assert validated(windows, LABELS) == UP[-8:].astype(int).tolist()


def test_early_stopping_with_several_labels():
    assert len(validated(X, SEVERAL)) == 8


# Input


def test_ragged_sequences():
    y = np.array([len(recording) > 4 for recording in RAGGED])
    model = classifier(max_epochs=20).fit(RAGGED, y)
    assert model.score(RAGGED, y) > 0.95


def test_a_row_is_labelled_from_the_rows_before_it():
    table = pd.DataFrame(X[:, 0], columns=["a", "b"])
    y = np.where(table["a"].shift(1, fill_value=0.0) > 0, "rose", "fell")
    model = make_pipeline(SequenceWindower(2, horizon=1), classifier(max_epochs=20))
    assert model.fit(table, y).score(table, y) > 0.95


@pytest.mark.parametrize(
    ("y", "missing"),
    [
        (UP.astype(float), np.nan),
        (UP.astype(float), np.inf),
        (LABELS.astype(object), None),
        (pd.Series(LABELS, dtype="string"), pd.NA),
        (pd.Series(pd.Categorical(LABELS)), np.nan),
        (SEVERAL.astype(float), np.nan),
    ],
)
def test_a_row_without_label_is_named(y, missing):
    y = y.copy()
    y[[7, 9]] = missing
    weight = (np.arange(80) > 2).astype(float)  # rows are counted in the X that was given
    with pytest.raises(ValueError, match=r"row 7 .* and 1 more have no label.*sample_weight 0"):
        classifier().fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(80, "up"), "at least 2 classes, and y holds one class only: .*up"),
        (TOTAL, "Unknown label type: continuous"),
        (np.column_stack([THREE, THREE]), "a table of 2 columns .*'low', 'mid', 'top'"),
        (SEVERAL * 0.5, "Unknown label type: continuous-multioutput"),
        (LABELS[:70], "X has 80 rows and y has 70"),
        (None, "requires y to be passed"),
    ],
)
def test_bad_labels_are_named(y, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y)


def test_a_label_that_only_the_validation_data_hold():
    y_val = np.where(UP, "up", "left")
    with pytest.raises(ValueError, match=r"the labels \['left'\], .* \['down', 'up'\]"):
        classifier().fit(X, LABELS, X_val=X, y_val=y_val)


def test_a_score_that_cannot_take_the_target_says_so():
    with pytest.raises(ValueError, match="multi_class must be in"):
        cross_val_score(classifier(max_epochs=1), X, THREE, scoring="roc_auc", error_score="raise")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_unfitted_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(classifier(), method)(X)


@pytest.mark.parametrize("y", [LABELS, SEVERAL], ids=["one label", "several"])
def test_pickled_classifier_predicts_the_same(y):
    model = classifier(early_stopping=True).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    same(loaded.predict_proba(X), model.predict_proba(X))
    same(loaded.predict(X), model.predict(X))
    same(loaded.classes_, model.classes_)


# warm_start


@regressor_and_classifier
def test_a_warm_start_goes_on(make, y):
    model = make(warm_start=True).fit(X, y)
    first = model.loss_curve_.copy()
    model.fit(X, y)
    assert model.n_iter_ == len(model.history_) == 20
    assert model.loss_curve_[:10] == first
    assert model.loss_curve_[-1] < first[-1]
    assert make().fit(X, y).fit(X, y).loss_curve_ == first  # a cold start does not


@regressor_and_classifier
def test_a_warm_start_keeps_the_statistics_of_the_first_fit(make, y):
    model = make(warm_start=True).fit(X, y)
    mean = model.feature_mean_
    model.fit(X + 100, y)
    same(model.feature_mean_, mean)


@regressor_and_classifier
def test_a_warm_start_needs_the_same_network(make, y):
    model = make(warm_start=True).fit(X, y).set_params(hidden_size=3, lr=0.1)
    with pytest.raises(ValueError, match=r"another hidden_size \(8\).*fit a clone"):
        model.fit(X, y)
    model.set_params(hidden_size=8).fit(X, y)
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.1


@regressor_and_classifier
def test_a_warm_start_stops_early_too(make, y):
    model = make(warm_start=True, early_stopping=True, n_iter_no_change=2, tol=10).fit(X, y)
    once = model.n_iter_
    model.fit(X, y)
    assert model.n_iter_ == 2 * once < 20
    assert once < model.best_epoch_ <= model.n_iter_


@pytest.mark.parametrize(
    ("method", "class_weight"),
    [("fit", "balanced"), ("fit", {"down": 10.0}), ("partial_fit", {"down": 10.0})],
)
def test_class_weight_may_change_before_training_goes_on(method, class_weight):
    model = classifier(warm_start=True).fit(X, RARE)
    before = model.predict_proba(X)[:, 0].mean()
    getattr(model.set_params(class_weight=class_weight), method)(X, RARE)
    assert model.predict_proba(X)[:, 0].mean() > before


# partial_fit


@regressor_and_classifier
def test_partial_fits_are_epochs(make, y):
    model = make()
    for _ in range(10):
        assert model.partial_fit(X, y) is model
    assert model.n_iter_ == len(model.loss_curve_) == 10
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert model.score(X, y) > 0.7


@regressor_and_classifier
def test_partial_fit_goes_on_after_fit_and_after_a_pickle(make, y):
    model = pickle.loads(pickle.dumps(make().fit(X, y))).partial_fit(X, y)
    assert model.n_iter_ == 11
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@regressor_and_classifier
def test_partial_fit_takes_weights(make, y):
    weight = (np.arange(80) < 40).astype(float)
    weighted = make().partial_fit(X, y, sample_weight=weight)
    same(weighted.predict(X), make().partial_fit(X[:40], y[:40]).predict(X))


def test_batches_of_a_partial_fit_may_lack_a_class():
    model = classifier()
    batches = [np.flatnonzero(label != THREE) for label in ("top", "mid", "low")]
    for rows in batches * 10:
        model.partial_fit(X[rows], THREE[rows], classes=["top", "mid", "low"])
    assert model.n_iter_ == 30
    assert list(model.classes_) == ["low", "mid", "top"]
    assert model.score(X, THREE) > 0.9


def test_a_batch_of_a_partial_fit_may_be_one_sample():
    model = classifier().partial_fit(X[:1], LABELS[:1], classes=["up", "down"])
    assert model.predict_proba(X).shape == (80, 2)


def test_partial_fit_of_several_labels():
    model = classifier().partial_fit(X[:1], [[0, 0, 0]])
    for _ in range(30):
        model.partial_fit(X, SEVERAL)
    assert (model.predict(X) == SEVERAL).mean() > 0.9


def test_partial_fit_takes_a_dict_of_class_weights():
    weighted = classifier(class_weight={"low": 5.0}).partial_fit(X, THREE)
    weight = np.where(THREE == "low", 5.0, 1.0)
    by_hand = classifier().partial_fit(X, THREE, sample_weight=weight)
    same(weighted.predict_proba(X), by_hand.predict_proba(X))


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (np.where(UP, "up", "left"), None, r"the labels \['left'\], .* \['down', 'up'\]"),
        (LABELS, ["up", "left"], r"classes=\['left', 'up'\] .* first call .* \['down', 'up'\]"),
        (SEVERAL, None, "does not know"),
    ],
)
def test_partial_fit_refuses_other_labels_later(y, classes, message):
    model = classifier().partial_fit(X, LABELS)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y, classes=classes)


def test_partial_fit_refuses_labels_that_classes_do_not_hold():
    with pytest.raises(ValueError, match=r"the labels \['down'\].* \['left', 'up'\]"):
        classifier().partial_fit(X, LABELS, classes=["up", "left"])


def test_partial_fit_cannot_balance():
    with pytest.raises(ValueError, match="class_weight='balanced' needs all labels at once"):
        classifier(class_weight="balanced").partial_fit(X, LABELS)


def test_fit_after_partial_fit_starts_afresh():
    model = classifier().partial_fit(X, LABELS).fit(X, THREE)
    assert model.n_iter_ == 10
    same(model.predict_proba(X), classifier().fit(X, THREE).predict_proba(X))


@pytest.mark.parametrize(
    "y",
    [
        UP.astype(int).astype(object),
        UP.astype(object),
        pd.Series(UP.astype(int), dtype=object),
        LABELS.astype(np.dtypes.StringDType()),
        SEVERAL.astype(object),
    ],
)
def test_labels_of_any_type_of_array_are_scored(y):
    model = classifier().fit(X, y)
    expected = np.array(np.asarray(y).tolist())
    same(model.predict(X).dtype.kind, expected.dtype.kind)
    right = (model.predict(X) == expected).reshape(80, -1).all(axis=1)
    assert model.score(X, y) == right.mean()


def test_labels_without_an_order_are_named():
    with pytest.raises(
        ValueError, match=r"y mixes texts with other labels, such as 1,.*str\(label"
    ):
        classifier().fit(X, np.array([1, "a"] * 40, dtype=object))


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf])
def test_weights_of_classes_are_numbers_from_0(weight):
    with pytest.raises(ValueError, match="a weight below zero, or none: .* finite numbers from 0"):
        classifier(class_weight={"up": weight}).fit(X, LABELS)


@pytest.mark.parametrize("weight", [2.0, "balanced", {"up": 2.0}])
def test_one_weight_for_all_is_named(weight):
    with pytest.raises(ValueError, match="sample_weight is .*; expected a number a sequence"):
        classifier().fit(X, LABELS, sample_weight=weight)


@pytest.mark.parametrize("y", [dict(enumerate(LABELS)), set(range(80)), "ab" * 40])
def test_labels_without_an_order_of_rows_are_named(y):
    with pytest.raises(ValueError, match="y is a .*; expected an array or a list"):
        classifier().fit(X, y)
