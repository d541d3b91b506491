"""Random convolutions of whole sequences, and the init estimator made of them."""

import json
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import log_loss

from sklstm import LSTMClassifier, LSTMRegressor, Sequences
from sklstm._nn.convolutions import KERNELS, TIE, Convolutions

CPU = torch.device("cpu")
UNITS = np.zeros(3), np.ones(3), None


def noise(lengths, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    return Sequences.from_arrays([rng.normal(size=(n, n_features)) for n in lengths])


def waves(n_sequences, seed=0, n_steps=40):
    """Waves of two frequencies, in noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_sequences) % 2
    phase = rng.uniform(0, 6, (n_sequences, 1))
    values = np.sin(np.where(y, 0.9, 0.6)[:, None] * np.arange(n_steps) + phase)
    return (values + rng.normal(scale=0.3, size=values.shape))[..., None], y


def classifier(**params):
    settings = {"hidden_size": 4, "init": "convolutions", "max_epochs": 1, "random_state": 0}
    return LSTMClassifier(**settings | params)


# The transform


def share_above(steps, kernel, dilation, bias, *, padded):
    """The share of positions of one sequence, by plain loops."""
    n_steps, outputs = len(steps), []
    for place in range(n_steps):
        reads = place + (np.arange(9) - 4) * dilation
        inside = (reads >= 0) & (reads < n_steps)
        outputs.append(steps[reads[inside]] @ kernel[inside])
    if not padded and n_steps > 8 * dilation:
        outputs = outputs[4 * dilation : n_steps - 4 * dilation]
    return np.mean(np.array(outputs) > bias)


def test_there_is_a_kernel_for_each_three_of_nine_weights():
    assert np.unique(KERNELS, axis=0).shape == (84, 9)
    assert set(KERNELS.ravel()) == {-1, 2}
    assert not KERNELS.sum(axis=1).any()


def test_columns_are_shares_of_positions_above_biases():
    sequences = noise([40, 25, 9, 3, 40])
    drawn = Convolutions.draw(sequences, UNITS, 84 * 12, np.random.RandomState(0))
    columns = drawn.transform(sequences, CPU).reshape(5, 12, 84)
    for i, steps in enumerate(sequences):
        for k in range(0, 84, 11):
            for b, d in enumerate(drawn.dilation_of):
                padded = (k < 42) == (d % 2 == 0)
                summed = steps[:, drawn.is_read[d, k]].sum(axis=1)
                dilation, bias = drawn.dilations[d], drawn.biases[b, k]
                share = share_above(summed, KERNELS[k], dilation, bias, padded=padded)
                assert columns[i, b, k] == pytest.approx(share, abs=1e-6)


def test_biases_are_quantiles_of_the_outputs_for_a_training_sequence():
    sequences = noise([30], n_features=1)
    units = np.zeros(1), np.ones(1), None
    drawn = Convolutions.draw(sequences, units, 84 * 6, np.random.RandomState(0))
    quantiles = (np.arange(1, 84 * 6 + 1) * (np.sqrt(5) + 1) / 2 % 1).reshape(6, 84)
    for b, d in enumerate(drawn.dilation_of):
        padded = np.pad(sequences[0][:, 0], 4 * drawn.dilations[d])
        places = np.arange(30)[:, None] + np.arange(9) * drawn.dilations[d]
        outputs = padded[places] @ KERNELS[5]
        expected = np.quantile(outputs, quantiles[b, 5]) + TIE * np.abs(outputs).max()
        assert drawn.biases[b, 5] == pytest.approx(expected, abs=1e-5)


def test_dilations_reach_from_neighbours_to_the_whole_sequence():
    drawn = Convolutions.draw(noise([81]), UNITS, 84 * 119, np.random.RandomState(0))
    assert drawn.dilations.tolist() == list(range(1, 11))  # a kernel reads 8 * 10 steps and one
    assert drawn.biases.shape == (119, 84)


def test_a_kernel_reads_one_to_nine_features():
    sequences = noise([20] * 3, n_features=40)
    units = np.zeros(40), np.ones(40), None
    drawn = Convolutions.draw(sequences, units, 84 * 4, np.random.RandomState(0))
    n_read = drawn.is_read.sum(axis=2)
    assert n_read.min() == 1
    assert n_read.max() == 9


def test_columns_of_many_features_are_those_of_their_sums():
    sequences = noise([20] * 3, n_features=50)
    units = np.zeros(50), np.ones(50), None
    drawn = Convolutions.draw(sequences, units, 84 * 4, np.random.RandomState(0))
    columns = drawn.transform(sequences, CPU).reshape(3, 4, 84)
    for k in range(0, 84, 7):
        summed = sequences[1][:, drawn.is_read[0, k]].sum(axis=1)
        share = share_above(summed, KERNELS[k], 1, drawn.biases[0, k], padded=k < 42)
        assert columns[1, 0, k] == pytest.approx(share, abs=1e-6)


def test_a_sequence_has_the_same_columns_beside_longer_ones():
    sequences = noise([50, 7, 1, 20])
    drawn = Convolutions.draw(sequences, UNITS, 84 * 20, np.random.RandomState(0))
    together = drawn.transform(sequences, CPU)
    for row in range(4):
        alone = drawn.transform(sequences[[row]], CPU)[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-6)


def test_the_seed_decides_the_columns():
    sequences = noise([30] * 5)

    def columns(seed):
        drawn = Convolutions.draw(sequences, UNITS, 84 * 4, np.random.RandomState(seed))
        return drawn.transform(sequences, CPU)

    np.testing.assert_array_equal(columns(0), columns(0))
    assert not np.array_equal(columns(0), columns(1))


# The init estimator


def test_it_predicts_frequencies_that_a_short_training_does_not():
    (X, y), (X_test, y_test) = waves(60), waves(60, seed=1)
    assert classifier().fit(X, y).score(X_test, y_test) > 0.95
    assert classifier(init=None).fit(X, y).score(X_test, y_test) < 0.8


def test_the_network_learns_from_predictions_out_of_sample():
    X, y = waves(40)
    y = np.where(np.random.default_rng(1).random(40) < 0.1, 1 - y, y)
    model = classifier(early_stopping=False, lr=1e-6).fit(X, y)  # the network adds nothing yet
    odds = torch.tensor(model.init_.predict(Sequences.from_arrays(X)))
    in_sample = log_loss(y, torch.softmax(odds, dim=1).numpy())
    assert model.history_["train_loss"].iloc[0] > in_sample + 0.05


@pytest.mark.parametrize("n_samples", [30, 120])
def test_noise_is_predicted_by_the_class_prior(n_samples):
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(4):
        X, X_test = rng.normal(size=(2, n_samples, 12, 1))
        y, y_test = rng.integers(0, 2, (2, n_samples))
        init = classifier().fit(X, y).init_
        odds = init.predict(Sequences.from_arrays(X_test))
        losses.append(log_loss(y_test, torch.softmax(torch.tensor(odds), dim=1).numpy()))
    assert np.mean(losses) < np.log(2) + 0.05


def test_log_odds_are_calibrated():
    rng = np.random.default_rng(1)
    X, y = waves(300)
    wrong = rng.random(300) < 0.2
    init = classifier().fit(X[:150], np.where(wrong, 1 - y, y)[:150]).init_
    odds = torch.tensor(init.predict(Sequences.from_arrays(X[150:])))
    confidence = torch.softmax(odds, dim=1).amax(dim=1).mean().item()
    assert confidence == pytest.approx(0.8, abs=0.08)


def test_sequences_of_any_length_and_empty_ones_are_predicted():
    lengths = [30, 12, 5, 1] * 15
    X, y = noise(lengths, n_features=2), np.arange(60) % 3
    model = classifier().fit(X, y)
    empty = Sequences.from_arrays([np.zeros((0, 2)), np.ones((3, 2))])
    prior = np.log(np.full(3, 1 / 3))
    np.testing.assert_allclose(model.init_.predict(empty)[0], prior, atol=1e-6)
    assert model.predict_proba(empty).shape == (2, 3)


def test_missing_values_are_filled_as_for_the_network():
    X, y = waves(40)
    X[::3, 5] = np.nan
    model = classifier(missing="mask").fit(X, y)
    filled = X.copy()
    filled[::3, 5] = filled[::3, 4]
    predicted = [model.init_.predict(Sequences.from_arrays(x)) for x in (X, filled)]
    np.testing.assert_allclose(*predicted, rtol=1e-5, atol=1e-5)


def test_several_labels():
    (X, y), (X_test, y_test) = waves(60), waves(60, seed=1)
    model = classifier().fit(X, np.column_stack([y, 1 - y, np.arange(60) % 3 == 0]))
    assert (model.predict(X_test)[:, 0] == y_test).mean() > 0.9


def test_it_comes_back_from_pickle_and_skops():
    sio = pytest.importorskip("skops.io")
    X, y = waves(40)
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    dumped = sio.dumps(model)
    assert sio.get_untrusted_types(data=dumped) == ["sklstm._estimators.classifier.LSTMClassifier"]
    loaded = sio.loads(dumped, trusted=sio.get_untrusted_types(data=dumped))
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


def test_onnx_predicts_the_same(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    lengths = np.array([30, 12, 5, 1, 0, 40] * 10)
    X, y = noise(lengths, n_features=2), np.arange(60) % 3
    y[lengths == 12] = 0  # something to learn
    model = classifier().fit(X, y)
    assert model.init_.slope
    model.to_onnx(tmp_path / "model.onnx")
    steps = np.full((60, 40, 2), 9.0)  # padding may have any values
    for row, part in zip(steps, X, strict=True):
        row[: len(part)] = part
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    inputs = {"steps": steps, "lengths": lengths.astype(np.int64)}
    label, probabilities = session.run(None, inputs)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == [0, 1, 2]
    np.testing.assert_array_equal(label, model.predict(X))


def test_training_continues_with_the_same_convolutions():
    X, y = waves(60)
    model = classifier(warm_start=True, early_stopping=True).fit(X, y)
    biases, slope = model.init_.biases, model.init_.slope
    model.fit(X, y)
    np.testing.assert_array_equal(model.init_.biases, biases)
    assert model.init_.slope == pytest.approx(slope, rel=0.5)
    before = model.init_.coef
    model.partial_fit(X[:10], y[:10])
    np.testing.assert_array_equal(model.init_.coef, before)


def test_after_validation_the_init_knows_all_samples():
    X, y = waves(60)
    model = classifier(early_stopping=True).fit(X, y)
    steps = Sequences.from_arrays(X)
    wrong = y.copy()
    wrong[10:20] = 1 - y[10:20]
    other = clone(model).fit(X, wrong)
    apart = np.abs(model.init_.predict(steps) - other.init_.predict(steps)).max(axis=1)
    assert (apart > 0.1).sum() > 20


def test_targets_of_steps_and_numbers_are_refused():
    X, y = waves(20)
    steps = np.tile(y[:, None], 40)
    with pytest.raises(ValueError, match="pooling=None there is a prediction at every step"):
        classifier(pooling=None).fit(X, steps)
    with pytest.raises(ValueError, match="is for multiclass and multilabel-indicator targets"):
        LSTMRegressor(init="convolutions").fit(X, y.astype(float))


def test_signals_of_few_values_have_the_same_prediction_in_any_batch():
    rng, y = np.random.default_rng(1), np.arange(120) % 2
    held = [np.repeat(rng.integers(0, 3, (8, 3)), 4 + 2 * hold, axis=0)[:30] for hold in y]
    X = np.stack(held).astype(float)
    model = classifier().fit(X[:90], y[:90])
    assert model.init_.slope > 0
    alone = np.concatenate([model.predict_proba(x[None]) for x in X])
    np.testing.assert_allclose(model.predict_proba(X), alone, atol=1e-3)
