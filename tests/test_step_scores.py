"""Scores of taggers: over all labelled steps, by scikit-learn's scorers."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    get_scorer,
    get_scorer_names,
    log_loss,
    make_scorer,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm import LSTMClassifier, LSTMRegressor, masked_scoring

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6, 2))
LENGTHS = [3, 6, 1, 5, 4, 6, 2, 6] * 5
RAGGED = [x[:length] for x, length in zip(X, LENGTHS, strict=True)]
Y = {
    "two": (X[..., 0] > 0.3).astype(int),
    "texts": np.where(X[..., 0] > 0.3, "yes", "no"),
    "three": np.digitize(X[..., 0], [-0.4, 0.4]),
    "table": (X > 0.3).astype(int),
    "table of three": np.stack([X[..., 0] > 0, X[..., 1] > 0, X.sum(axis=2) > 1], axis=2),
}
OF_PROBABILITIES = [
    name for name in get_scorer_names() if get_scorer(name)._response_method != "predict"
]

same = np.testing.assert_array_equal


def cut(y, gap=None):
    """Labels of the steps that there are, perhaps the first of each second one missing."""
    parts = [part[:length].copy() for part, length in zip(y, LENGTHS, strict=True)]
    if gap is not None:
        parts = [part.astype(np.result_type(part, type(gap))) for part in parts]
        for part in parts[1::2]:
            part[0] = gap
    return parts


def tagger(**params):
    defaults = {"hidden_size": 6, "pooling": None, "max_epochs": 3, "lr": 0.02, "random_state": 0}
    return LSTMClassifier(**defaults | params)


@pytest.fixture(scope="module")
def fitted():
    return {name: tagger().fit(X, y) for name, y in Y.items()}


# Scorers that know nothing of steps


@pytest.mark.parametrize("name", OF_PROBABILITIES)
@pytest.mark.parametrize("kind", ["two", "texts"])
def test_scorers_of_two_classes_give_the_cure(name, kind, fitted):
    cure = r"scoring=sklstm\.masked_scoring"
    if (name, kind) == ("average_precision", "texts"):
        cure = "pos_label=1 is not a valid label"  # as for any classifier of texts
    for data, y in [
        (X, Y[kind]),
        (RAGGED, cut(Y[kind])),
        (X[:, :2], Y[kind][:, :2]),
    ]:
        with pytest.raises((ValueError, IndexError), match=cure):
            get_scorer(name)(fitted[kind], data, y)
    with pytest.raises(ValueError, match=f"need classifier with two classes|{cure}"):
        get_scorer(name)(fitted[kind], X[:, :1], Y[kind][:, :1])


@pytest.mark.parametrize("name", OF_PROBABILITIES)
@pytest.mark.parametrize("kind", ["three", "table", "table of three"])
def test_no_scorer_takes_steps_for_classes(name, kind, fitted):
    for n_steps in (6, 3, 2, 1):
        with pytest.raises((ValueError, IndexError)):
            get_scorer(name)(fitted[kind], X[:, :n_steps], Y[kind][:, :n_steps])
    with pytest.raises((ValueError, IndexError)):
        get_scorer(name)(fitted[kind], RAGGED, cut(Y[kind]))


@pytest.mark.parametrize("metric", [roc_auc_score, log_loss, average_precision_score])
def test_a_metric_of_probabilities_in_make_scorer_gives_the_cure(metric, fitted):
    scorer = make_scorer(masked_scoring(metric), response_method="predict_proba")
    with pytest.raises(IndexError, match=r"scoring=sklstm\.masked_scoring"):
        scorer(fitted["two"], X, Y["two"])


# Scorers over the steps


def flat(probabilities):
    """The column of the positive class, or all."""
    table = np.concatenate([np.asarray(part) for part in probabilities])
    return table[:, 1] if table.shape[1] == 2 else table


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("roc_auc", roc_auc_score),
        ("average_precision", average_precision_score),
        ("neg_log_loss", lambda *args, **kwargs: -log_loss(*args, **kwargs)),
        ("neg_brier_score", lambda *args, **kwargs: -brier_score_loss(*args, **kwargs)),
    ],
)
@pytest.mark.parametrize("gap", [None, -1, np.nan])
@pytest.mark.parametrize("weighted", [None, "sequences", "steps"])
def test_probabilities_of_two_classes(name, metric, gap, weighted, fitted):
    y = cut(Y["two"], gap)
    truth = np.concatenate(y)
    labelled = ~np.isnan(truth) if gap is None or np.isnan(gap) else truth != gap
    weight, flat_weight = None, None
    if weighted == "sequences":
        weight = RNG.uniform(0.5, 2, size=40)
        flat_weight = np.repeat(weight, LENGTHS)[labelled]
    elif weighted == "steps":
        weight = [RNG.uniform(0.5, 2, size=length) for length in LENGTHS]
        flat_weight = np.concatenate(weight)[labelled]
    model = fitted["two"]
    score = masked_scoring(name)(model, RAGGED, y, sample_weight=weight)
    right = flat(model.predict_proba(RAGGED))[labelled]
    assert score == pytest.approx(metric(truth[labelled], right, sample_weight=flat_weight))


def test_the_positive_class_is_that_of_scikit_learn(fitted):
    model, y = fitted["texts"], Y["texts"]
    proba = np.asarray(model.predict_proba(X)).reshape(-1, 2)
    assert masked_scoring("roc_auc")(model, X, y) == roc_auc_score(y.ravel() == "yes", proba[:, 1])
    for label, column in (("no", 0), ("yes", 1)):
        scorer = make_scorer(
            average_precision_score, response_method="predict_proba", pos_label=label
        )
        right = average_precision_score(y.ravel() == label, proba[:, column])
        assert masked_scoring(scorer)(model, X, y) == pytest.approx(right)


@pytest.mark.parametrize("name", ["roc_auc_ovr", "roc_auc_ovo_weighted", "neg_log_loss"])
def test_three_classes(name, fitted):
    model, y = fitted["three"], Y["three"]
    proba = np.concatenate(model.predict_proba(RAGGED))
    scorer = get_scorer(name)
    right = scorer._sign * scorer._score_func(np.concatenate(cut(y)), proba, **scorer._kwargs)
    assert masked_scoring(name)(model, RAGGED, cut(y)) == pytest.approx(right)


@pytest.mark.parametrize("kind", ["table", "table of three"])
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_several_labels_at_a_step(name, kind, fitted):
    model, y = fitted[kind], Y[kind].astype(int)
    proba = np.concatenate(model.predict_proba(RAGGED))
    right = get_scorer(name)._score_func(np.concatenate(cut(y)), proba)
    assert masked_scoring(name)(model, RAGGED, cut(y)) == pytest.approx(right)
    right = f1_score(np.concatenate(Y[kind]), np.concatenate(model.predict(X)), average="macro")
    assert masked_scoring("f1_macro")(model, X, Y[kind]) == pytest.approx(right)


@pytest.mark.parametrize("name", [n for n in OF_PROBABILITIES if "_ov" not in n])
def test_every_name(name, fitted):
    for kind in ("two", "three"):
        if (name, kind) not in [("roc_auc", "three"), ("top_k_accuracy", "two")]:  # mean nothing
            assert np.isfinite(masked_scoring(name)(fitted[kind], X, Y[kind]))


def test_searches_and_cross_validation():
    y = Y["two"]
    model = tagger(early_stopping=False, max_epochs=6)
    scores = cross_validate(
        make_pipeline(FunctionTransformer(), model),
        X,
        y,
        cv=KFold(2),
        scoring={
            "auc": masked_scoring("roc_auc"),
            "f1": masked_scoring("f1"),
            "own": masked_scoring("accuracy"),
        },
        error_score="raise",
        return_estimator=True,
    )
    for i, (_, test) in enumerate(KFold(2).split(X)):
        proba = scores["estimator"][i].predict_proba(X[test])
        right = roc_auc_score(y[test].ravel(), proba[..., 1].ravel())
        assert scores["test_auc"][i] == pytest.approx(right)
        assert scores["test_own"][i] == scores["estimator"][i].score(X[test], y[test])
    search = GridSearchCV(model, {"lr": [0.01, 0.02]}, cv=2, scoring=masked_scoring("neg_log_loss"))
    assert -np.log(2) < search.fit(X, y).best_score_ < 0
    weight = np.arange(40) < 20.0
    with config_context(enable_metadata_routing=True):
        scorer = masked_scoring("roc_auc").set_score_request(sample_weight=True)
        routed = cross_val_score(
            tagger().set_fit_request(sample_weight=False),
            X,
            y,
            cv=KFold(2, shuffle=True, random_state=0),
            scoring=scorer,
            params={"sample_weight": weight.astype(float)},
        )
    plain = cross_val_score(
        tagger(), X, y, cv=KFold(2, shuffle=True, random_state=0), scoring=masked_scoring("roc_auc")
    )
    assert (routed != plain).all()


def test_a_search_gives_scores_of_its_best_model(fitted):
    search = GridSearchCV(tagger(), {"lr": [0.02]}, cv=2, scoring=masked_scoring("roc_auc"))
    search.fit(X, Y["two"])
    proba = search.predict_proba(X)
    assert search.score(X, Y["two"]) == roc_auc_score(Y["two"].ravel(), proba[..., 1].ravel())


def test_numbers_at_every_step():
    model = LSTMRegressor(4, pooling=None, max_epochs=2, random_state=0).fit(RAGGED, cut(X))
    y = [np.round(part) for part in cut(X)]  # -1 is a number here
    right = r2_score(np.concatenate(y), np.concatenate(model.predict(RAGGED)))
    assert masked_scoring("r2")(model, RAGGED, [part.astype(int) for part in y]) == pytest.approx(
        right
    )


@pytest.mark.parametrize("kind", ["two", "table"])
def test_one_label_a_row(kind):
    y = Y[kind][:, -1].astype(float)
    weight = np.ones(40)
    y[3], weight[3] = np.nan, 0
    model = tagger(pooling="last").fit(X, y, sample_weight=weight)
    rest = np.arange(40) != 3
    for name in ("roc_auc", "f1_macro"):
        right = get_scorer(name)(model, X[rest], y[rest])
        assert masked_scoring(name)(model, X, y) == pytest.approx(right)


def test_a_name_that_does_not_exist():
    with pytest.raises(ValueError, match="'roc' is not a valid scoring value"):
        masked_scoring("roc")
    assert "roc_auc" in repr(masked_scoring("roc_auc"))


# What predict_proba gives


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("kind", Y)
def test_probabilities_behave_as_an_array(kind, method, fitted):
    p = getattr(fitted[kind], method)(X)
    plain = np.asarray(p)
    assert type(plain) is np.ndarray
    assert p.shape == plain.shape == (40, 6, plain.shape[2])
    for result, right in [
        (p[3], plain[3]),
        (p[3, 2], plain[3, 2]),
        (p[..., 1], plain[..., 1]),
        (p[:, 1, :], plain[:, 1]),
        (p[:, 1, 0], plain[:, 1, 0]),
        (p[3][:, 1], plain[3][:, 1]),
        (p[[1, 2], [3, 4]], plain[[1, 2], [3, 4]]),
        (p[plain > 0.5], plain[plain > 0.5]),
        (p.sum(axis=2), plain.sum(axis=2)),
        (p.argmax(axis=-1), plain.argmax(axis=-1)),
        (1 - p, 1 - plain),
        (p > 0.5, plain > 0.5),
        (p.reshape(-1, plain.shape[2])[:, 1], plain[..., 1].ravel()),
        (np.concatenate(list(p)), plain.reshape(-1, plain.shape[2])),
    ]:
        same(result, right)
    assert [type(part) for part in p] == [np.ndarray] * 40
    assert type(p[..., 1]) is type(1 - p) is type(p.sum(axis=2)) is np.ndarray
    assert p.max() == plain.max()
    loaded = pickle.loads(pickle.dumps(p))
    same(loaded, p)
    for own in (p, p[:5], p.copy(), loaded):
        for key in [(slice(None), 1), (slice(None), -1), (slice(2), 0), ([1, 2], 0)]:
            with pytest.raises(IndexError, match=r"p\[\.\.\., 1\]"):
                own[key]
        with pytest.raises(IndexError, match="not of the classes"):
            own[:, [0, 1]]


def test_probabilities_of_different_lengths_behave_as_a_list(fitted):
    p = fitted["two"].predict_proba(RAGGED)
    assert isinstance(p, list)
    assert [part.shape for part in p] == [(length, 2) for length in LENGTHS]
    assert [part.shape for part in p[2:5]] == [(length, 2) for length in LENGTHS[2:5]]
    for result, right in zip(p[..., 1], p, strict=True):
        same(result, right[:, 1])
    same(p[1, 2], p[1][2])
    same(p[1, 2, 0], p[1][2, 0])
    same(np.concatenate(p), np.concatenate(list(p)))
    for loaded, right in zip(pickle.loads(pickle.dumps(p)), p, strict=True):
        same(loaded, right)
    for own in (p, p[:5], pickle.loads(pickle.dumps(p))):
        with pytest.raises(IndexError, match=r"p\[\.\.\., 1\]"):
            own[:, 1]
        with pytest.raises(ValueError, match="Sequences of different lengths are no array"):
            np.asarray(own)


def test_a_second_stage_reads_probabilities(fitted):
    p = fitted["two"].predict_proba(X)
    second = tagger().fit(p, Y["two"])
    same(second.predict(p), tagger().fit(np.asarray(p), Y["two"]).predict(np.asarray(p)))
    ragged = fitted["two"].predict_proba(RAGGED)
    assert len(tagger().fit(ragged, cut(Y["two"])).predict(ragged)) == 40


def test_several_targets_of_a_row_are_no_steps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5, 2))
    Y = pd.DataFrame({"a": 1000 + X[:, -1, 0], "b": rng.normal(size=60)}, index=range(5, 65))
    Y.iloc[::5, 0] = np.nan
    model = LSTMRegressor(4, max_epochs=2, random_state=0).fit(X, Y)
    assert masked_scoring("r2")(model, X, Y) == pytest.approx(model.score(X, Y))
    assert masked_scoring("r2")(make_pipeline(model), X, Y) == pytest.approx(model.score(X, Y))


def test_tables_of_pandas_are_read_by_position():
    y = pd.Series([1.0, 2.0, np.nan], index=[7, 5, 6])
    predicted = pd.Series([2.0, 2.0, 2.0], index=[0, 1, 2])
    assert masked_scoring(mean_absolute_error)(y, predicted) == 0.5


def test_labels_of_several_are_predicted_out_of_sample():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4, 1)), rng.integers(0, 2, size=(30, 2))
    model = LSTMClassifier(4, max_epochs=1, random_state=0)
    assert cross_val_predict(model, X, y, cv=3, method="predict_proba").shape == (30, 2)


@pytest.mark.parametrize(
    "multioutput", ["uniform_average", "raw_values", [0.9, 0.1]], ids=["mean", "raw", "weights"]
)
def test_with_multioutput_columns_are_targets(multioutput):
    """Without it they are steps: the table alone does not say which."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=(50, 2)) * [1, 10]
    predicted = y + rng.normal(size=(50, 2))
    found = masked_scoring(r2_score)(y, predicted, multioutput=multioutput)
    np.testing.assert_allclose(found, r2_score(y, predicted, multioutput=multioutput))
    y[:10, 0] = np.nan
    found = masked_scoring(r2_score)(y, predicted, multioutput=multioutput)
    each = [r2_score(y[10:, 0], predicted[10:, 0]), r2_score(y[:, 1], predicted[:, 1])]
    expected = {"uniform_average": np.mean(each), "raw_values": each}.get(str(multioutput))
    if expected is None:
        expected = np.average(each, weights=multioutput)
    np.testing.assert_allclose(found, expected)
    with pytest.raises(ValueError, match="'variance_weighted' needs all targets"):
        masked_scoring(r2_score)(y, predicted, multioutput="variance_weighted")
    steps, of_steps = np.stack([y, y], axis=1), np.stack([predicted, predicted], axis=1)
    assert masked_scoring(r2_score)(steps, of_steps, multioutput=multioutput) == pytest.approx(
        found
    )
