"""Targets and weights of steps, and targets of which some are missing, against plain loops."""

import warnings
from itertools import product

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score

from sklstm import (
    DataWarning,
    DroppedDataWarning,
    LSTMClassifier,
    LSTMRegressor,
    Sequences,
    masked_scoring,
)
from sklstm._data.samples import split_validation
from sklstm._data.steps import histories_of_steps
from sklstm._train.defaults import resolve

RNG = np.random.default_rng(0)
TRAIN = [RNG.normal(size=(length, 2)) for length in RNG.integers(3, 9, size=40)]
VALID = [RNG.normal(size=(length, 2)) for length in RNG.integers(1, 12, size=15)]
LOSSES = {
    "squared_error": lambda error: error**2,
    "absolute_error": np.abs,
    "huber": lambda error: np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5),
}


def numbers(X, n_targets):
    y = [np.column_stack([x.cumsum(axis=0)[:, 0], x[:, 1]])[:, :n_targets] for x in X]
    return [part[:, 0] for part in y] if n_targets == 1 else y


def labels(X, n_classes):
    return [np.digitize(x[:, 0], [-0.5, 0.5][: n_classes - 1]).astype(float) for x in X]


def with_missing(y, share, seed=0):
    rng = np.random.default_rng(seed)
    for part in y:
        part[rng.random(part.shape) < share] = np.nan
        part[0] = 0  # something is left of each
    return y


def weights(X, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.choice([0.3, 1.0, 4.0], size=len(x)) for x in X]


def validated(model, X, y, weight, loss):
    """Outputs of init and network at each labelled step, and the mean loss of factor 0 and 1."""
    fitted, steps = model._fitted, Sequences.from_arrays(X)
    flat = np.concatenate(y).reshape(sum(map(len, X)), -1)
    weight = np.concatenate(weight)[:, None] * ~np.isnan(flat)
    init = np.zeros((len(flat), 1))
    if fitted.init is not None:
        init = fitted.init.predict(histories_of_steps(steps))
    return [
        loss(init, factor * fitted.network_outputs(steps), flat, weight)
        for factor in (1, 1 if fitted.blending_weight is None else fitted.blending_weight)
    ]


def mean_of(losses, weight):
    return np.sum(np.where(weight > 0, losses, 0) * weight) / weight.sum()


@pytest.mark.parametrize("missing", [0.0, 0.6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "n_targets", "init"),
    [("squared_error", 1, "linear"), ("huber", 2, None), ("absolute_error", 2, "linear")],
)
def test_the_validation_loss_is_that_of_init_and_network(loss, n_targets, init, missing, weighted):
    y = with_missing(numbers(TRAIN, n_targets), missing)
    y_val = with_missing(numbers(VALID, n_targets), missing, seed=2)
    weight = (weights(TRAIN), weights(VALID)) if weighted else (None, None)
    model = LSTMRegressor(6, pooling=None, loss=loss, init=init, max_epochs=4, random_state=0)
    model.fit(
        TRAIN, y, sample_weight=weight[0], X_val=VALID, y_val=y_val, sample_weight_val=weight[1]
    )
    head = model._fitted.head

    def by_hand(init, corrections, flat, weight):
        error = (flat - init - head.mean) / head.scale - corrections
        return mean_of(LOSSES[loss](error), weight)

    each = weight[1] or [np.ones(len(x)) for x in VALID]
    whole, blended = validated(model, VALID, y_val, each, by_hand)
    assert model.history_["valid_loss"][model.best_epoch_ - 1] == pytest.approx(whole, rel=1e-5)
    assert model.validation_losses_["loss"].iloc[-1] == pytest.approx(blended, rel=1e-5)


@pytest.mark.parametrize("missing", [0.0, 0.6])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_validation_loss_of_labels_is_that_of_the_network(n_classes, missing, weighted):
    y = with_missing(labels(TRAIN, n_classes), missing)
    y_val = with_missing(labels(VALID, n_classes), missing, seed=2)
    weight = (weights(TRAIN), weights(VALID)) if weighted else (None, None)
    model = LSTMClassifier(6, pooling=None, max_epochs=4, random_state=0)
    model.fit(
        TRAIN, y, sample_weight=weight[0], X_val=VALID, y_val=y_val, sample_weight_val=weight[1]
    )

    def by_hand(init, corrections, flat, weight):
        of_classes = log_softmax(init + corrections, axis=1)
        place = np.nan_to_num(flat).astype(int)
        return mean_of(-np.take_along_axis(of_classes, place, axis=1), weight)

    each = weight[1] or [np.ones(len(x)) for x in VALID]
    whole, _ = validated(model, VALID, y_val, each, by_hand)
    assert model.history_["valid_loss"][model.best_epoch_ - 1] == pytest.approx(whole, rel=1e-5)
    assert model.validation_losses_["loss"].iloc[-1] == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(("ragged", "weighted"), list(product([False, True], repeat=2)))
def test_a_part_set_aside_validates_like_the_same_part_given(ragged, weighted):
    X = TRAIN if ragged else [RNG.normal(size=(7, 2)) for _ in range(40)]
    y, weight = with_missing(labels(X, 3), 0.5), weights(X) if weighted else None
    model = LSTMClassifier(
        6, pooling=None, init=None, max_epochs=3, early_stopping=True, random_state=0
    )
    apart = model.fit(X, y, sample_weight=weight).history_
    head, plan = model._fitted.head, model._plan()
    samples = model._read_samples(model._blank(), plan, X, y, weight, False, reset=True)
    all_rows = head.encoded(samples)
    rows = np.arange(len(all_rows.sequences))
    marked = all_rows._replace(target=np.repeat(rows, all_rows.sequences.lengths)[:, None])
    parts = split_validation(marked, 0.1, plan.seed)[:2]
    train, valid = (sorted(set(part.target[:, 0])) for part in parts)

    def of(part):
        return None if weight is None else [weight[row] for row in part]

    given = model.fit(
        [X[row] for row in train],
        [y[row] for row in train],
        sample_weight=of(train),
        X_val=[X[row] for row in valid],
        y_val=[y[row] for row in valid],
        sample_weight_val=of(valid),
    ).history_
    np.testing.assert_allclose(given["valid_loss"], apart["valid_loss"], rtol=0.02)


def test_few_labels_a_sequence_are_learned_from_also_where_a_part_validates():
    X = RNG.normal(size=(100, 20, 1))
    right = np.where(X[:, :, 0] > 0, "up", "down").astype(object)
    y = right.copy()
    y[RNG.random(y.shape) < 0.8] = None
    model = LSTMClassifier(16, pooling=None, lr=0.02, max_epochs=30, random_state=0)
    assert model.fit(X, y).score(X, right) > 0.97
    numbers = 3 * X[:, :, 0] + 10
    some = np.where(RNG.random(numbers.shape) < 0.8, np.nan, numbers)
    model = LSTMRegressor(16, pooling=None, lr=0.02, max_epochs=30, random_state=0)
    assert model.fit(X, some).score(X, numbers) > 0.99
    rare = np.where(X[:, :, 0] + RNG.normal(size=y.shape) > 2.2, "rare", "usual")
    model = LSTMClassifier(
        16, pooling=None, lr=0.02, max_epochs=30, class_weight="balanced", random_state=0
    )
    assert (model.fit(X, rare).predict(X)[rare == "rare"] == "rare").mean() > 0.7


# Some of several targets


@pytest.mark.parametrize("init", ["linear", None])
def test_a_row_with_one_target_of_two_is_learned_from_by_that_one(init):
    X = RNG.normal(size=(120, 5, 2))
    complete = np.column_stack([X[:, -1, 0] * 2 + 1, X[:, :, 1].sum(axis=1)])
    y = complete.copy()
    y[:40, 0] = np.nan
    y[80:, 1] = np.nan
    model = LSTMRegressor(8, init=init, max_epochs=30, lr=0.02, random_state=0).fit(X, y)
    assert model.score(X, complete) > 0.9
    scores = [r2_score(y[40:, 0], model.predict(X)[40:, 0])]
    scores.append(r2_score(y[:80, 1], model.predict(X)[:80, 1]))
    assert model.score(X, y) == pytest.approx(np.mean(scores))
    other = y.copy()  # nothing of a row is lost
    other[0, 1] += 5
    assert not np.allclose(model.predict(X), model.fit(X, other).predict(X))


def test_the_linear_init_of_a_target_is_that_of_its_rows():
    X = RNG.normal(size=(90, 4, 2))
    y = np.column_stack([X[:, -1, 0], X[:, 0, 1], X[:, -1, 1] ** 2])
    y[RNG.random(90) < 0.3, 0] = np.nan
    y[RNG.random(90) < 0.3, 2] = np.nan
    y[0] = 1
    settings = {"max_epochs": 1, "early_stopping": False, "standardize": False, "random_state": 0}
    together = LSTMRegressor(4, init="linear", **settings).fit(X, y).init_
    for k in range(3):
        rows = ~np.isnan(y[:, k])
        weight = np.where(rows, 1.0, 0.0)
        alone = LSTMRegressor(4, init="linear", **settings)
        alone = alone.fit(X, np.nan_to_num(y[:, k]), sample_weight=weight).init_
        assert together.penalty[k] > 0
        if together.penalty[k] == alone.penalty[0]:
            np.testing.assert_allclose(together.coef[:, k], alone.coef[:, 0], rtol=1e-3, atol=1e-4)


def test_a_step_with_one_target_of_two_is_scored_by_that_one():
    y_true = [np.array([[1.0, np.nan], [2.0, 5.0]]), np.array([[np.nan, np.nan]])]
    y_pred = [np.array([[1.5, 9.0], [2.0, 6.0]]), np.array([[0.0, 0.0]])]
    assert masked_scoring(mean_absolute_error)(y_true, y_pred) == pytest.approx((0.25 + 1) / 2)


def test_a_target_that_is_nowhere_is_refused():
    X, y = RNG.normal(size=(20, 3, 1)), np.ones((20, 2))
    y[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"Column 1 of y .* nothing but NaN"):
        LSTMRegressor(max_epochs=1).fit(X, y)
    y[:5] = np.nan
    with pytest.raises(ValueError, match=r"NaN: in row 0 .* and 4 more"):
        LSTMRegressor(max_epochs=1).fit(X, y)


def test_what_cannot_leave_a_target_out_says_so():
    X, y = RNG.normal(size=(20, 3, 1)), RNG.normal(size=(20, 2))
    y[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"init=LinearRegression\(\) learns from whole rows"):
        LSTMRegressor(max_epochs=1, init=LinearRegression()).fit(X, y)

    def of_rows(prediction, target):
        return ((prediction - target) ** 2).mean(1)

    with pytest.raises(ValueError, match="one number a row"):
        LSTMRegressor(max_epochs=1, loss=of_rows, init=None).fit(X, y)


# Steps labelled -1, or with some of several labels


def test_steps_with_some_of_their_labels_are_counted():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 6, 2))
    y = (X > 0).astype(float)
    y[:, 2, 1] = np.nan
    y[:, 4] = np.nan  # all of them: a step without labels
    model = LSTMClassifier(4, pooling=None, max_epochs=1, random_state=0)
    with pytest.warns(DroppedDataWarning, match=r"misses some of the labels at 30 of 180 steps"):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        left_out = np.ones((30, 6))
        left_out[:, 2] = 0
        model.fit(X, y, sample_weight=left_out)
        y[:, 2] = np.nan
        model.fit(X, y)


def test_steps_labelled_minus_one_are_counted():
    X = RNG.normal(size=(30, 6, 1))
    y = np.digitize(X[:, :, 0], [-0.4, 0.4]) - 1
    model = LSTMClassifier(4, pooling=None, max_epochs=1, random_state=0)
    with pytest.warns(UserWarning, match=rf"-1 at {(y == -1).sum()} of 180 steps"):
        model.fit(X, y)
    with pytest.warns(UserWarning, match=r"y is -1\.0 at .* learned as a label"):
        assert -1 in model.fit(X, y.astype(float)).classes_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y + 1)
        model.fit(X, np.where(y == -1, np.nan, y))
        model.fit(X, np.array(["down", "same", "up"])[y + 1])
        ragged = [x[: 3 + k % 3] for k, x in enumerate(X)]
        behind = [
            np.append(labels[: len(x)], [-1] * 3) for x, labels in zip(ragged, y + 1, strict=True)
        ]
        model.fit(ragged, behind)  # behind the end there is no step


# Training that goes on


@pytest.mark.parametrize("per_step", [False, True])
def test_a_warm_start_is_validated_beside_an_init_that_has_not_seen_its_rows(per_step):
    X = RNG.normal(size=(60, 8, 3))
    y = RNG.normal(size=(60, 8)) if per_step else RNG.normal(size=60)
    model = LSTMRegressor(
        4,
        init="linear",
        pooling=None if per_step else "last",
        early_stopping=True,
        validation_fraction=0.3,
        max_epochs=2,
        warm_start=True,
        random_state=0,
    )
    first = model.fit(X, y).validation_losses_.set_index("model")["loss"]
    weight = model.blending_weight_
    again = model.fit(X, y).validation_losses_.set_index("model")["loss"]
    assert again["init"] == pytest.approx(first["init"], rel=1e-9)
    model.set_params(early_stopping=False).fit(X, y)
    assert model.blending_weight_ is not None
    assert model.partial_fit(X, y).blending_weight_.shape == np.shape(weight)


def test_without_a_validation_part_the_weight_and_the_init_stay():
    X = RNG.normal(size=(60, 8, 3))
    y = X[:, -1, 0] + RNG.normal(size=60)
    model = LSTMRegressor(4, max_epochs=3, early_stopping=True, warm_start=True, random_state=0)
    model.fit(X, y)
    weight, init = model.blending_weight_, model.init_
    model.set_params(early_stopping=False).fit(X[:20], y[:20])
    np.testing.assert_array_equal(model.blending_weight_, weight)
    np.testing.assert_array_equal(model.init_.coef, init.coef)


def test_the_same_rows_validate_in_each_call():
    X, y = RNG.normal(size=(60, 5, 2)), RNG.normal(size=60)
    model = LSTMRegressor(4, early_stopping=True, warm_start=True, max_epochs=2)  # no random_state
    losses = [model.fit(X, y).validation_losses_["loss"].iloc[0] for _ in range(3)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-9)  # of the mean, which stays
    model = LSTMRegressor(4, early_stopping=False, warm_start=True, max_epochs=2).fit(X, y)
    with pytest.warns(DataWarning, match="rows that it may have been trained on"):
        model.set_params(early_stopping=True).fit(X, y)


@pytest.mark.parametrize("labels", [[0, 1], [False, True], [0.0, 1.0]])
def test_none_stands_between_labels_of_any_type(labels):
    X = RNG.normal(size=(40, 5, 1))
    complete = np.array(labels)[(X[..., 0] > 0).astype(int)]
    y = complete.astype(object)
    y[:, 2] = None
    model = LSTMClassifier(4, pooling=None, lr=0.05, max_epochs=20, random_state=0).fit(X, y)
    assert model.classes_.dtype == complete.dtype
    assert model.score(X, y) > 0.9
    last = complete[:, -1].astype(object)
    last[:3] = None
    weight = (np.arange(40) > 2).astype(float)
    model = LSTMClassifier(4, max_epochs=1, random_state=0).fit(X, last, sample_weight=weight)
    assert model.classes_.dtype == complete.dtype


def test_one_long_sequence_among_short_ones_does_not_lengthen_the_init():
    X = [RNG.normal(size=(length, 2)) for length in [5000, *RNG.integers(2, 9, 100)]]
    model = LSTMRegressor(4, max_epochs=1, random_state=0).fit(X, [x[-1, 0] for x in X])
    assert model.init_.n_steps < 10


@pytest.mark.parametrize("at", [0, None])
def test_weights_of_more_steps_than_there_are_are_refused(at):
    y, weight = numbers(TRAIN, 1), weights(TRAIN)
    longer = [np.insert(one, len(one) if at is None else at, 9.0) for one in weight]
    model = LSTMRegressor(4, pooling=None, init=None, max_epochs=1, random_state=0)
    with pytest.raises(ValueError, match="its sample_weight has .* in the form of y"):
        model.fit(TRAIN, y, sample_weight=longer)


def test_numbers_of_steps_begin_with_a_linear_model():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 30, 2))
    y = X[:, :, 0].cumsum(axis=1)
    y[:, 1:] -= 3 * X[:, :-1, 1]
    y[:, 5:] -= y[:, :-5].copy()  # a sum of the last five steps, and of one before
    model = LSTMRegressor(4, pooling=None, max_epochs=1, random_state=0).fit(X, y)
    assert model.resolved_params_["init"] == "linear"
    losses = model.validation_losses_.set_index("model")["loss"]
    assert losses["init"] < 0.15 * losses["mean"]


@pytest.mark.parametrize(
    ("n_sequences", "n_steps", "batch_size", "max_epochs"),
    [(60, 100, 2, 25), (60, 10_000, 1, 13), (60, 5, 16, 188), (1000, 10, 20, 15)],
)
def test_labels_of_steps_are_learned_in_a_number_of_updates(
    n_sequences, n_steps, batch_size, max_epochs
):
    rng = np.random.default_rng(0)
    X = Sequences.from_arrays(list(rng.normal(size=(n_sequences, n_steps, 1))))
    settings = LSTMClassifier(pooling=None).get_params()
    found = resolve(settings, X, is_regressor=False, has_validation=False)
    assert (found["batch_size"], found["max_epochs"]) == (batch_size, max_epochs)
    assert not found["early_stopping"]
    assert found["lr_scheduler"] == "onecycle"
    assert found["input_transform"] == ("levels", "differences")


@pytest.mark.parametrize(("loss", "value"), [("poisson", -1.0), ("squared_error", np.inf)])
def test_a_bad_target_is_named_by_its_sequence_and_step(loss, value):
    rng = np.random.default_rng(8)
    X = [rng.normal(size=(length, 2)) for length in (4, 2, 5, 3)]
    y = [np.ones(len(x)) for x in X]
    y[0][1] = np.nan
    y[2][3] = value
    with pytest.raises(ValueError, match=r"row 2, step 3 \(counted from 0\)"):
        LSTMRegressor(4, loss=loss, pooling=None, max_epochs=1).fit(X, y)
