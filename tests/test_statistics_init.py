"""The init estimator of sequences whose values are mostly missing: statistics of each feature."""

import pickle

import numpy as np
import pytest
import torch

from sklstm import LSTMClassifier, Sequences
from sklstm._nn.convolution_init import ConvolutionInit
from sklstm._nn.init_kinds import learn_better_init
from sklstm._nn.statistics_init import Statistics, StatisticsInit
from sklstm.inspection import history_attribution

CPU = torch.device("cpu")


def sparse(n_sequences, n_steps=12, n_features=3, seed=0):
    """Noise around levels, most of it missing; the label depends on two levels together."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(size=(n_sequences, 1, n_features))
    X = levels + rng.normal(scale=0.3, size=(n_sequences, n_steps, n_features))
    X[rng.random(X.shape) < 0.7] = np.nan
    return X, (levels[:, 0, 0] * levels[:, 0, 1] > 0).astype(int)


def classifier(**params):
    settings = {"hidden_size": 4, "missing": "mask", "max_epochs": 1, "random_state": 0}
    return LSTMClassifier(**settings | {"early_stopping": False} | params)


def test_columns_are_statistics_and_positive_parts_of_their_sums():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, 2)) for n in (5, 1, 9)]
    arrays[0][2:4, 0] = np.nan
    arrays[2][:3, 1] = np.nan  # nothing was seen before: the median
    units = np.array([0.5, 0.0]), np.array([2.0, 1.0]), np.array([0.1, 0.2])
    sequences = Sequences.from_arrays(arrays)
    drawn = Statistics.draw(sequences, units, np.random.RandomState(0))
    found = drawn.transform(sequences, CPU)
    statistics = []
    for steps in arrays:
        last, filled = units[2], []
        for step in steps:
            last = np.where(np.isnan(step), last, step)
            filled.append((last - units[0]) / units[1])
        of = filled[-1], np.mean(filled, axis=0), np.min(filled, axis=0), np.max(filled, axis=0)
        statistics.append(np.concatenate(of))
    statistics = (statistics - np.mean(statistics, axis=0)) / np.std(statistics, axis=0)
    np.testing.assert_allclose(found[:, :8], statistics, atol=1e-5)
    sums = (statistics[:, drawn.picks] * drawn.factors).sum(axis=2) + drawn.offsets
    np.testing.assert_allclose(found[:, 8:], np.maximum(sums, 0), atol=1e-4)


def test_random_features_are_no_marks_of_single_sequences():
    sequences = Sequences.from_arrays(np.random.default_rng(0).standard_t(2, size=(200, 9, 3)))
    drawn = Statistics.draw(sequences, (np.zeros(3), np.ones(3), None), np.random.RandomState(0))
    share = (drawn.transform(sequences, CPU)[:, 12:] > 0).mean(axis=0)
    assert 0.05 < share.min() < 0.15
    assert 0.85 < share.max() < 0.95


def test_statistics_know_interactions_of_levels():
    X, y = sparse(300)
    X_test, y_test = sparse(300, seed=1)
    model = classifier(init="statistics").fit(X, y)
    assert isinstance(model.init_, StatisticsInit)
    assert model.score(X_test, y_test) > 0.78
    assert classifier(init="convolutions").fit(X, y).score(X_test, y_test) < 0.75


def test_convolutions_are_taken_where_they_predict_better_out_of_sample():
    rng = np.random.default_rng(0)
    y, phase = np.arange(120) % 2, rng.uniform(0, 6, (120, 1))
    X = np.sin(np.where(y, 0.9, 0.4)[:, None] * np.arange(40) + phase)[..., None]
    X[rng.random(X.shape) < 0.55] = np.nan
    model = classifier().fit(X, y)
    assert model.resolved_params_["init"] == "convolutions"
    assert isinstance(model.init_, ConvolutionInit)
    assert isinstance(classifier(init="statistics").fit(X, y).init_, StatisticsInit)


def test_statistics_are_taken_where_they_predict_better_out_of_sample(tmp_path):
    X, y = sparse(300)
    model = classifier(checkpoint=tmp_path).fit(X, y)
    assert model.resolved_params_["init"] == "statistics"
    same = classifier(**model.resolved_params_).fit(X, y)
    np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))
    again = classifier(checkpoint=tmp_path).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("share", "n_compared"), [(0.4, 0), (0.6, 2)])
def test_the_share_of_missing_values_decides_whether_they_are_compared(
    share, n_compared, monkeypatch
):
    X = np.zeros((40, 10, 1))
    X.flat[: int(share * X.size)] = np.nan
    X[:, -1] = np.arange(40)[:, None]
    compared = []

    def better(task, names):
        compared.extend(names)
        return learn_better_init(task, names)

    monkeypatch.setattr("sklstm._train.training.learn_better_init", better)
    classifier().fit(X, np.arange(40) % 2)
    assert len(compared) == n_compared


def test_sequences_of_any_length_are_predicted_alike_alone_and_in_onnx(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    X, y = sparse(90)
    lengths = np.array([12, 5, 1, 0, 12, 7] * 15)
    given = Sequences.from_arrays([steps[:n] for steps, n in zip(X, lengths, strict=True)])
    model = classifier(init="statistics").fit(given, y)
    assert isinstance(model.init_, StatisticsInit)
    assert model.init_.slope
    expected = model.predict_proba(given)
    np.testing.assert_allclose(model.predict_proba(given[[1]]), expected[[1]], atol=1e-6)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(given), expected)
    model.to_onnx(tmp_path / "model.onnx")
    steps = np.where(np.arange(12)[:, None] < lengths[:, None, None], X, 9.0)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(None, {"steps": steps, "lengths": lengths.astype(np.int64)})[1]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    logits = model.to_torch()(torch.tensor(steps), torch.tensor(lengths))
    np.testing.assert_allclose(torch.softmax(logits, dim=1).detach(), expected, atol=1e-5)


def test_attributions_of_statistics_add_up():
    X, y = sparse(120)
    model = classifier(init="statistics").fit(X, y)
    assert isinstance(model.init_, StatisticsInit)
    found = history_attribution(model, X, np.arange(120), output=0)
    assert np.abs(found.error).max() < 0.02 * np.std(found.prediction)


def test_training_continues_with_the_same_random_features():
    X, y = sparse(120)
    model = classifier(init="statistics", warm_start=True, early_stopping=True).fit(X, y)
    picks = model.init_.picks
    np.testing.assert_array_equal(model.fit(X, y).init_.picks, picks)
    coef = model.init_.coef
    np.testing.assert_array_equal(model.partial_fit(X[:10], y[:10]).init_.coef, coef)


def test_labels_of_steps_are_refused():
    X, _ = sparse(20)
    with pytest.raises(ValueError, match="init='statistics' reads whole sequences"):
        classifier(init="statistics", pooling=None).fit(X, np.zeros(X.shape[:2]) + np.eye(20, 12))
