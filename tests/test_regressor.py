import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, Sequences, SequenceWindower
from sklstm._nn.network import SequenceNetwork

pytestmark = pytest.mark.filterwarnings("ignore:.*end with y itself")  # targets that are simple

RNG = np.random.default_rng(0)
X3 = RNG.normal(size=(60, 7, 2))
Y = X3[:, :, 0].sum(axis=1) + 3
RAGGED = [RNG.normal(size=(length, 2)) for length in RNG.integers(1, 9, size=30)]


PLAIN = {"init": None, "early_stopping": False}


def quick(**params):
    return LSTMRegressor(**PLAIN | {"hidden_size": 8, "max_epochs": 3, "random_state": 0} | params)


def forecaster(**params):
    return make_pipeline(SequenceWindower(window_size=4, horizon=1), quick(**params))


# One prediction a row


@pytest.mark.parametrize("n_rows", [1, 2, 3, 50])
def test_one_prediction_a_row_for_any_number_of_rows(n_rows, device):
    table = RNG.normal(size=(50, 2))
    model = forecaster(device=device).fit(table, table[:, 0])
    assert model.predict(table[:n_rows]).shape == (n_rows,)


def test_a_prediction_is_made_from_earlier_rows_only():
    table = RNG.normal(size=(50, 2))
    model = forecaster().fit(table, table[:, 0])
    changed = table.copy()
    changed[30:] += 10
    before, after = model.predict(table), model.predict(changed)
    np.testing.assert_array_equal(before[:31], after[:31])  # row 30 ends its history at row 29
    assert (before[31:35] != after[31:35]).all()


def test_rows_of_nan_ask_for_the_forecast():
    table = RNG.normal(size=(50, 2))
    model = make_pipeline(SequenceWindower(window_size=4, horizon=3), quick())
    model.fit(table, table[:, 0])
    future = np.vstack([table, np.full((3, 2), np.nan)])
    any_future = np.vstack([table, np.zeros((3, 2))])
    forecast = model.predict(future)
    assert np.isfinite(forecast).all()
    np.testing.assert_array_equal(forecast, model.predict(any_future))


@pytest.mark.parametrize("y_shape", [(60,), (60, 1), (60, 3)])
def test_predictions_have_the_shape_of_y(y_shape):
    y = RNG.normal(size=y_shape)
    model = quick().fit(X3, y)
    assert model.predict(X3).shape == y_shape
    assert model.n_outputs_ == (1 if len(y_shape) == 1 else y_shape[1])


def test_list_array_and_sequences_are_the_same_data():
    as_array = quick().fit(X3, Y)
    for X in (list(X3), Sequences.from_arrays(X3), X3.tolist(), np.asfortranarray(X3)):
        np.testing.assert_array_equal(quick().fit(X, Y).predict(X3), as_array.predict(X3))


def test_ragged_sequences_are_read_to_their_end():
    y = [recording[-1, 0] for recording in RAGGED]
    model = quick(max_epochs=150, lr=0.01).fit(RAGGED, y)
    assert model.score(RAGGED, y) > 0.8


def test_learns_in_original_units(device):
    model = quick(max_epochs=150, lr=0.01, device=device).fit(X3, 1000 * Y)
    assert model.score(X3, 1000 * Y) > 0.9
    assert model.device_ == device


def test_learns_several_targets_of_different_size():
    y = np.column_stack([Y, -1e4 * X3[:, -1, 1]])
    model = quick(max_epochs=200, lr=0.01).fit(X3, y)
    assert (model.predict(X3) - y).std(axis=0) == pytest.approx([0, 0], abs=0.6 * y.std(axis=0)[1])
    assert model.score(X3, y) > 0.8


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_other_losses_care_less_about_outliers(loss):
    y = np.where(np.arange(60) % 10 == 0, 100.0, 0.0)
    X = np.zeros((60, 2, 1))
    robust, plain = (quick(loss=name, max_epochs=60).fit(X, y) for name in (loss, "squared_error"))
    assert robust.predict(X)[0] < plain.predict(X)[0]


def test_without_standardization_data_pass_as_they_are():
    model = quick(standardize=False).fit(X3 + 100, Y)
    assert (model.feature_mean_ == 0).all()
    assert (model.feature_scale_ == 1).all()
    assert model.target_mean_ == 0
    assert model.target_scale_ == 1


def test_statistics_of_a_subset_ignore_the_other_rows():
    table = RNG.normal(size=(50, 2))
    windows = SequenceWindower(window_size=4).fit_transform(table)
    table_changed = table.copy()
    table_changed[30:] = 1e6
    changed = SequenceWindower(window_size=4).fit_transform(table_changed)
    a, b = (quick().fit(w[:30], table[:30, 0]) for w in (windows, changed))
    np.testing.assert_array_equal(a.predict(windows), b.predict(windows))


# Weights


def test_rows_of_weight_zero_are_history_only():
    weight = (np.arange(60) % 3 > 0).astype(float)
    y = np.where(weight > 0, Y, np.nan)
    weighted = quick().fit(X3, y, sample_weight=weight)
    left_out = quick().fit(X3[weight > 0], Y[weight > 0])
    np.testing.assert_array_equal(weighted.predict(X3), left_out.predict(X3))


def test_weights_are_repeats(device):
    weight = RNG.integers(0, 4, size=60)
    settings = {"dtype": "float64", "batch_size": 1000, "device": device}
    weighted = quick(**settings).fit(X3, Y, sample_weight=weight)
    repeated = quick(**settings).fit(X3.repeat(weight, axis=0), Y.repeat(weight))
    np.testing.assert_allclose(weighted.predict(X3), repeated.predict(X3), rtol=1e-9)


# Randomness and side effects


def test_same_seed_same_predictions(device):
    first, second = (quick(dropout=0.3, device=device).fit(X3, Y).predict(X3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_another_seed_other_predictions():
    assert (quick().fit(X3, Y).predict(X3) != quick(random_state=1).fit(X3, Y).predict(X3)).any()
    assert (
        quick(random_state=None).fit(X3, Y).predict(X3)
        != quick(random_state=None).fit(X3, Y).predict(X3)
    ).any()


def test_same_seed_same_predictions_in_another_process():
    script = (
        "import numpy as np; from sklstm import LSTMRegressor;"
        "X = np.random.default_rng(1).normal(size=(40, 5, 2));"
        "model = LSTMRegressor(hidden_size=8, max_epochs=3, dropout=0.2, random_state=7);"
        "print(model.fit(X, X[:, 0, 0]).predict(X).tobytes().hex())"
    )
    runs = [subprocess.check_output([sys.executable, "-c", script]) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("random_state", [0, None])
def test_fit_leaves_global_state_and_the_terminal_alone(random_state, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is tested
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    threads, filters = torch.get_num_threads(), list(warnings.filters)
    quick(random_state=random_state, dropout=0.1, early_stopping=True).fit(X3, Y).predict(X3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002
    assert torch.get_num_threads() == threads
    assert warnings.filters == filters
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


# History and early stopping


def test_history_has_a_row_an_epoch():
    model = quick().fit(X3, Y)
    assert list(model.history_["epoch"]) == [1, 2, 3]
    assert list(model.history_) == ["epoch", "train_loss", "dur"]
    assert model.loss_curve_ == list(model.history_["train_loss"])
    assert model.n_iter_ == model.best_epoch_ == 3


def test_explicit_validation_data_are_recorded():
    model = quick().fit(X3[:40], Y[:40], X_val=X3[40:], y_val=Y[40:])
    error = (model.predict(X3[40:]) - Y[40:]) / model.target_scale_
    assert model.history_["valid_loss"].iloc[-1] == pytest.approx((error**2).mean(), rel=1e-5)
    alone = quick().fit(X3[:40], Y[:40])
    np.testing.assert_array_equal(model.predict(X3), alone.predict(X3))


def test_validation_weights_count():
    weight = np.array([0.0, 1, 3, 0, 2])
    model = quick().fit(X3, Y, X_val=X3[:5], y_val=Y[:5], sample_weight_val=weight)
    error = (model.predict(X3[:5]) - Y[:5]) / model.target_scale_
    expected = np.average(error**2, weights=weight)
    assert model.history_["valid_loss"].iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_early_stopping_keeps_the_best_weights():
    noise = np.random.default_rng(3).normal(size=60)  # nothing to learn: the loss soon rises
    model = quick(early_stopping=True, max_epochs=200, lr=0.02, n_iter_no_change=5)
    model.fit(X3[:40], noise[:40], X_val=X3[40:], y_val=noise[40:])
    losses = model.history_["valid_loss"]
    assert model.n_iter_ < 200
    assert model.best_epoch_ == losses.idxmin() + 1 < model.n_iter_
    error = (model.predict(X3[40:]) - noise[40:]) / model.target_scale_
    assert (error**2).mean() == pytest.approx(losses.min(), rel=1e-5)


def test_early_stopping_does_not_learn_from_its_validation_part():
    table = RNG.normal(size=(100, 2))
    windows = SequenceWindower(window_size=3).fit_transform(table)
    y = table[:, 0].copy()
    model = quick(early_stopping=True, init=None).fit(windows, y)
    y[90:] = 1e6
    other = quick(early_stopping=True, init=None).fit(windows, y)
    assert other.target_mean_ == model.target_mean_ == pytest.approx(y[:90].mean())


# Keeping


@pytest.mark.parametrize("early_stopping", [False, True])
def test_pickled_estimator_predicts_the_same(early_stopping, device):
    model = quick(device=device, cell="gru", bidirectional=True, early_stopping=early_stopping)
    model.fit(X3, Y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X3), model.predict(X3))
    pd.testing.assert_frame_equal(loaded.history_, model.history_)


def test_parameters_set_after_fit_do_not_reach_the_fitted_network():
    model = quick().fit(X3, Y)
    expected = model.predict(X3)
    model.set_params(hidden_size=99, dtype="float64", cell="gru")
    np.testing.assert_array_equal(model.predict(X3), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X3), expected)


def test_pickle_from_a_gpu_loads_without_one(monkeypatch):
    model = quick().fit(X3, Y)
    model.net_.device = "cuda:99"
    with pytest.warns(UserWarning, match="fitted on cuda:99, which is not here"):
        loaded = pickle.loads(pickle.dumps(model))
    assert loaded.device_ == "cpu"
    model.net_.device = "cpu"
    np.testing.assert_array_equal(loaded.predict(X3), model.predict(X3))


def test_unfitted_estimator_pickles_and_clones():
    model = quick(optimizer=torch.optim.SGD)
    assert clone(pickle.loads(pickle.dumps(model))).get_params() == model.get_params()


def test_optimizer_by_class_with_parameters():
    model = quick(optimizer=torch.optim.SGD, skorch_params={"optimizer__momentum": 0.5}).fit(X3, Y)
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.5


def test_the_module_refuses_the_features_of_the_user():
    """It reads them scaled, and with their differences."""
    module = quick(input_transform=["levels", "differences"]).fit(X3, Y).net_.module_
    assert module.recurrent.input_size == 2 * X3.shape[2]
    steps = torch.tensor(X3[:5].swapaxes(0, 1), dtype=torch.float32)
    with pytest.raises(ValueError, match="as many inputs as in training"):
        module(steps)


def test_skorch_params_have_the_last_word():
    model = quick(skorch_params={"iterator_valid__batch_size": 7}).fit(X3, Y)
    np.testing.assert_allclose(model.predict(X3), quick().fit(X3, Y).predict(X3), atol=1e-5)
    sizes = []
    model.net_.module_.register_forward_hook(lambda _, x, outputs: sizes.append(len(outputs)))
    model.predict(X3[:20])
    assert sizes == [7, 7, 6]


# Feature names


def test_feature_names_come_through_the_windower():
    table = pd.DataFrame(RNG.normal(size=(30, 2)), columns=["temp", "wind"])
    model = forecaster().fit(table, table["temp"])
    assert list(model[-1].feature_names_in_) == ["temp", "wind"]
    renamed = SequenceWindower(window_size=4).fit_transform(table.rename(columns={"wind": "rain"}))
    with pytest.raises(ValueError, match=r"feature names should match[^-]*- rain"):
        model[-1].predict(renamed)


# Bad input


def with_value(value, *place):
    X = X3.copy()
    X[place] = value
    return X


BAD_DATA = {
    "NaN in a step": (with_value(np.nan, 4, 2, 1), Y, r"NaN: feature 1 at step 2 of sequence 4 "),
    "infinity in a step": (with_value(np.inf, 9, 0, 0), Y, r"infinity: feature 0 at step 0 .* 9 "),
    "NaN in a table": (X3[:, 0].copy() * np.nan, Y, "NaN: feature 0 at step 0 of sequence 0 "),
    "NaN in y": (X3, np.where(np.arange(60) == 5, np.nan, Y), r"y contains NaN: in row 5 "),
    "infinity in y": (X3, np.where(np.arange(60) > 7, np.inf, Y), "y contains infinity: in row 8 "),
    "y of another length": (X3, Y[:50], "X has 60 rows and y has 50"),
    "no y": (X3, None, "requires y to be passed"),
    "texts in y": (X3, ["warm"] * 60, "could not convert string to float"),
    "empty array": (X3[:0], Y[:0], "0 sequences in X|Found array with 0 sample"),
    "empty list": ([], [], "There are no sequences"),
    "ragged features": ([X3[0], X3[1, :, :1]], Y[:2], "Sequence 1 has 1 features, .* 2"),
    "ragged 1-D": ([np.ones(3), np.ones(4)], Y[:2], r"reshape\(x, \(-1, 1\)\)"),
    "4-D": (X3[None], Y[:1], "dim 4|ndim|dimension"),
    "texts in a table": (
        pd.DataFrame({"sky": ["grey"] * 60}),
        Y,
        "Column 'sky' of X .* 'grey'.*OneHotEncoder",
    ),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_named_before_training(name, monkeypatch):
    monkeypatch.setattr(SequenceNetwork, "forward", None)  # nothing may be computed
    X, y, message = BAD_DATA[name]
    with pytest.raises(ValueError, match=message):
        quick().fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cell": "transformer"}, "'cell' parameter .*'lstm'"),
        ({"pooling": "sum"}, "'pooling' parameter .*'attention'"),
        ({"optimizer": "adm"}, "'optimizer' parameter .*'adam'"),
        ({"loss": "mse"}, "'loss' parameter .*'squared_error'"),
        ({"hidden_size": 0}, "'hidden_size' parameter"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"device": "gpu"}, "device='gpu' cannot be used here"),
        ({"dtype": "float16"}, "'dtype' parameter .*'float32'"),
    ],
)
def test_bad_parameters_are_named_with_the_choices(params, message):
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(X3, Y)


@pytest.mark.parametrize("device", ["cuda:99", "meta"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=f"device={device!r} cannot be used here.*'auto'"):
        quick(device=device).fit(X3, Y)


def test_another_number_of_features_in_predict():
    with pytest.raises(ValueError, match=r"X has 3 features, .* expecting 2 .* \(4, 7, 3\)"):
        quick().fit(X3, Y).predict(np.ones((4, 7, 3)))


def test_a_table_for_a_network_of_sequences_warns():
    model = quick().fit(X3, Y)
    with pytest.warns(UserWarning, match="fitted on sequences.*SequenceWindower"):
        assert model.predict(X3[:, 0]).shape == (60,)


def test_validation_data_of_another_kind():
    with pytest.raises(ValueError, match="transform_input"):
        quick().fit(X3, Y, X_val=X3[:, 0], y_val=Y)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"y_val": Y}, "without X_val"), ({"X_val": X3}, "y_val|requires y")],
)
def test_incomplete_validation_data(given, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X3, Y, **given)


def test_too_few_rows_to_validate():
    with pytest.raises(ValueError, match="validation_fraction=0.1 .* 3 of 3 rows to train and 0"):
        quick(early_stopping=True).fit(X3[:3], Y[:3])


def test_diverging_training_says_what_to_lower():
    model = quick(optimizer="sgd", lr=1e30, clip_grad_norm=None, standardize=False)
    model.set_params(pooling="last", bidirectional=False, input_transform="levels", batch_size=64)
    with pytest.warns(ConvergenceWarning, match=r"diverged .* Lower lr \(it is 1e\+30\)"):
        model.fit(1e3 * X3, Y)
    assert np.isfinite(model.predict(X3)).all()


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_out_of_memory_says_what_to_lower(method, monkeypatch):
    def forward(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    model = quick(batch_size=50).fit(X3, Y)
    monkeypatch.setattr(SequenceNetwork, "forward", forward)
    advice = {
        "fit": "batches of 50 sequences. Lower batch_size",
        "predict": "batches of 60 sequences. Lower iterator_valid__batch_size in skorch_params",
    }
    with pytest.raises(MemoryError, match=advice[method]):
        getattr(model, method)(*(X3, Y)[: 2 if method == "fit" else 1])


# Buffer


def test_an_epoch_never_holds_the_copied_windows():
    script = """
import resource, sys
import numpy as np
from sklearn.pipeline import make_pipeline
from sklstm import LSTMRegressor, SequenceWindower
table = np.ones((100_000, 8), dtype=np.float32)
y = np.arange(100_000.0)
model = make_pipeline(
    SequenceWindower(window_size=96),
    LSTMRegressor(hidden_size=1, cell="rnn", max_epochs=1, batch_size=2000),
)
model.fit(table[:2000], y[:2000]).predict(table[:2000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.fit(table, y).predict(table)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    copied = 100_000 * 96 * 8 * 4 / 2**20
    grown = float(subprocess.check_output([sys.executable, "-c", script], env=os.environ))
    assert grown < copied / 4


def test_steps_of_several_numbers_count_whatever_their_type():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6, 2)), rng.integers(-2, 3, (40, 6, 2))  # among them -1
    model = LSTMRegressor(4, pooling=None, max_epochs=2, random_state=0).fit(X, y)
    weight = torch.ones(40)
    assert model.score(X, y) == model.score(X, y.astype(float)) == model.score(X, y, weight)
