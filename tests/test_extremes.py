"""Numbers at the edges of their types, labels that look like none, targets that reach ahead."""

import warnings

import joblib
import numpy as np
import pytest
import sklearn
import torch
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from skorch.callbacks import Callback

from sklstm import DroppedDataWarning, LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4, 2))
Y = X[:, -1, 0]


def regressor(**params):
    return LSTMRegressor(**{"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params)


# Integer targets


def test_minus_one_is_a_number_to_predict():
    y = RNG.integers(-2, 2, size=(60, 4))
    params = {"pooling": None, "early_stopping": False, "init": None}
    whole = regressor(**params).fit(X, y)
    expected = regressor(**params).fit(X, y.astype(float))
    np.testing.assert_array_equal(whole.predict(X), expected.predict(X))
    assert whole.score(X, y) == expected.score(X, y.astype(float))
    assert whole.target_mean_ == pytest.approx(y.mean())


def test_minus_one_is_still_no_label():
    y = RNG.integers(-1, 2, size=(60, 4))
    model = LSTMClassifier(4, max_epochs=2, pooling=None)
    with pytest.warns(DroppedDataWarning, match="y is -1"):
        model.fit(X, y)
    assert model.classes_.tolist() == [0, 1]


# Read-only, narrow and huge numbers


@pytest.fixture
def torch_warns_always():
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.usefixtures("torch_warns_always")
@pytest.mark.parametrize("params", [{}, {"missing": "mask"}, {"dtype": "float64"}])
def test_a_memory_mapped_model_predicts_without_a_warning(params, tmp_path):
    model = regressor(**params).fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    loaded.partial_fit(X, Y)


@pytest.mark.parametrize(
    ("dtype", "factor"), [("float16", 3e4), ("float32", 1e38), ("float32", 1e-30), ("int8", 100)]
)
def test_steps_of_any_size_are_scaled(dtype, factor):
    values = np.clip(X / np.abs(X).max(), -1, 1) * factor
    narrow = values.astype(dtype)
    model = regressor(early_stopping=False).fit(narrow, Y)
    flat = narrow.reshape(-1, 2).astype(np.float64)
    np.testing.assert_allclose(model.feature_mean_, flat.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(model.feature_scale_, flat.std(axis=0), rtol=1e-6)
    assert np.isfinite(model.predict(narrow)).all()


def test_what_varies_by_rounding_alone_is_not_scaled_up():
    steps = X.copy()
    steps[..., 0] = np.where(steps[..., 0] > 0, 0.1 + 0.2, 0.3)  # 0.1 + 0.2 is another double
    steps[..., 1] = 0.3 * (1 + 1e-13 * np.sign(steps[..., 1]))  # small, but more than rounding
    scale = regressor().fit(steps, Y).feature_scale_
    assert scale[0] == 1
    assert scale[1] == pytest.approx(steps[..., 1].std(), rel=0.1)


@pytest.mark.parametrize("factor", [1e-300, 1e-170, 1e200, 1e300])
def test_steps_and_targets_of_any_size_are_learned_alike(factor):
    params = {"early_stopping": False, "max_epochs": 3}
    expected = regressor(**params).fit(X, Y).predict(X)
    for_steps = regressor(**params).fit(factor * X, Y).predict(factor * X)
    np.testing.assert_allclose(for_steps, expected, rtol=1e-3)
    for_targets = regressor(**params).fit(X, factor * Y).predict(X)
    np.testing.assert_allclose(for_targets / factor, expected, rtol=1e-3)


FILL = X.copy()
FILL[7, 2, 1] = -np.finfo(np.float32).max  # "no data" of many rasters
TOO_LARGE = r"contains -3.40282e\+38, too large: feature 1 at step 2 of sequence 7 .*missing='mask'"


@pytest.mark.parametrize(
    "use",
    [
        lambda: regressor().fit(X, Y).predict(FILL),
        lambda: regressor(dtype="float64").fit(X, Y).predict(FILL),
        lambda: regressor(missing="mask").fit(X, Y).score(FILL, Y),
        lambda: LSTMClassifier(4, max_epochs=1).fit(X, Y > 0).predict_proba(FILL),
        lambda: regressor().fit(X, Y, X_val=FILL, y_val=Y),
        lambda: regressor().partial_fit(X, Y).partial_fit(FILL, Y),
        lambda: regressor(warm_start=True).fit(X, Y).fit(FILL, Y),
    ],
)
def test_what_is_infinite_once_it_is_scaled_is_refused(use):
    with pytest.raises(ValueError, match=TOO_LARGE):
        use()


def test_a_step_that_no_sequence_uses_may_have_any_size():
    model = regressor().fit(X, Y)
    sequences = Sequences(FILL.reshape(-1, 2), np.arange(7) * 4, np.full(7, 4))
    np.testing.assert_array_equal(model.predict(sequences), model.predict(X[:7]))


@pytest.mark.parametrize("factor", [1e-46, 1e-300, 1e39, 1e300])
@pytest.mark.parametrize("per_step", [False, True])
def test_weights_of_any_size_have_the_same_effect(factor, per_step):
    weight = RNG.uniform(0.5, 2, size=(60, 4) if per_step else 60)
    y, pooling = (X[..., 0], None) if per_step else (Y, "last")
    expected = regressor(pooling=pooling).fit(X, y, sample_weight=weight).predict(X)
    given = regressor(pooling=pooling).fit(X, y, sample_weight=factor * weight).predict(X)
    np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("spread", [1e20, 1e40, 1e300])
def test_weights_of_any_spread(missing, spread):
    weight = np.where(np.arange(60) % 2, 1.0, spread)
    gaps = X.copy()
    if missing == "mask":
        gaps[np.arange(60) % 2 == 0, :, 1] = np.nan  # there only where the weight is small
    if missing == "mask" and spread > 1e38:
        with pytest.raises(ValueError, match="Feature 1 is missing in every training step"):
            regressor(missing=missing).fit(gaps, Y, sample_weight=weight)
        return
    model = regressor(missing=missing).fit(gaps, Y, sample_weight=weight)
    assert np.isfinite(model.predict(gaps)).all()


# Fill values


@pytest.mark.parametrize("fill_value", [1e12, 1e20, 9.96921e36])
def test_a_fill_value_of_another_feature_costs_nothing(fill_value):
    """Rounding made its lags look like earlier values of y, which the init then continued."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6, 2))
    y = X[:, :, 0].sum(axis=1)
    filled = X.copy()
    filled[0, 2, 1] = fill_value
    model = LSTMRegressor(4, max_epochs=2, random_state=0).fit(filled, y)
    assert model.score(X, y) > 0.99


# Early stopping


class Sizes(Callback):
    """Notes the data of training and validation."""

    def __init__(self):
        self.n_train = self.n_valid = 0

    def on_batch_end(self, net, batch, training, **kwargs):
        n_rows = len(batch[1][0])
        if training:
            self.n_train += n_rows
        else:
            self.n_valid += n_rows


def sizes(sequences, y, **params):
    counted = Sizes()
    regressor(
        early_stopping=True, max_epochs=1, skorch_params={"callbacks": [counted]}, **params
    ).fit(sequences, y)
    return counted.n_train, counted.n_valid


@pytest.mark.parametrize(("n_ahead", "n_quantities"), [(1, 1), (5, 1), (4, 3), (1, 3)])
@pytest.mark.parametrize("window_size", [1, 6])
def test_targets_do_not_reach_into_the_validation_part(n_ahead, n_quantities, window_size):
    table = RNG.normal(size=(200 + n_ahead, n_quantities))
    y = np.hstack([table[1 + k : 201 + k] if k < n_ahead else [] for k in range(n_ahead)])
    sequences = SequenceWindower(window_size).fit_transform(table[:200])
    assert sizes(sequences, y) == (180 - (n_ahead - 1), 20)


def test_each_series_keeps_its_distance():
    n_rows, n_ahead = 100, 4
    noise = RNG.normal(size=(2, n_rows + n_ahead))
    y = np.concatenate([np.column_stack([s[k : n_rows + k] for k in range(4)]) for s in noise])
    starts = np.arange(2 * n_rows)
    steps = RNG.normal(size=(2 * n_rows, 1))
    sequences = Sequences(steps, starts, np.ones(2 * n_rows), np.repeat([0, 1], n_rows))
    assert sizes(sequences, y) == (2 * (90 - 3), 20)


def test_many_short_series_have_something_to_validate():
    sequences = Sequences(
        RNG.normal(size=(1200, 1)), np.arange(1200), np.ones(1200), np.repeat(np.arange(300), 4)
    )
    n_train, n_valid = sizes(sequences, RNG.normal(size=1200))
    assert n_valid == 120
    assert n_train == 1080


# Arrays of other libraries


def test_splits_work_where_arrays_are_dispatched():
    sequences = SequenceWindower(3).fit_transform(X[:, 0])
    model = regressor()
    search = GridSearchCV(model, {"lr": [0.01, 0.1]}, cv=2)
    plain = cross_val_score(model, sequences, Y, cv=3), search.fit(sequences, Y).best_score_
    with sklearn.config_context(array_api_dispatch=True):
        dispatched = cross_val_score(model, sequences, Y, cv=3)
        np.testing.assert_array_equal(dispatched, plain[0])
        assert search.fit(sequences, Y).best_score_ == plain[1]
        for ensemble in (VotingRegressor, StackingRegressor):
            members = [("a", model), ("b", regressor(random_state=1))]
            assert np.isfinite(ensemble(members).fit(sequences, Y).predict(sequences)).all()


@pytest.mark.parametrize("dispatch", [False, True])
def test_tensors_are_read_as_arrays(dispatch):
    expected = regressor().fit(X, Y).predict(X)
    tensor, target = torch.tensor(X), torch.tensor(Y)
    with sklearn.config_context(array_api_dispatch=dispatch):
        model = regressor().fit(tensor, target, sample_weight=torch.ones(60))
        np.testing.assert_array_equal(model.predict(tensor), expected)
        windows = SequenceWindower(3).fit_transform(tensor[:, 0])
    assert windows == SequenceWindower(3).fit_transform(X[:, 0])


def test_outputs_and_targets_are_never_broadcast():
    from sklstm._nn.losses import REGRESSION_LOSSES, WeightedLoss

    loss = WeightedLoss(REGRESSION_LOSSES["squared_error"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"shape \(5, 2\), and the targets .* \(5, 1\)"):
            loss(torch.zeros(5, 2), torch.zeros(5, 1))
