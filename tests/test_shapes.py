"""Sequences of every shape: ragged, labelled at every step, with gaps, of tokens."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    Sequences,
    SequenceWindower,
    TokenSequencer,
    masked_scoring,
)
from sklstm._data.statistics import medians
from sklstm._nn.batches import BatchLoader, cut_by_length
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.input_transform import fill_missing
from sklstm._nn.losses import REGRESSION_LOSSES, WeightedLoss
from sklstm._nn.network import SequenceNetwork
from sklstm._nn.scaling import InputScaling

RNG = np.random.default_rng(0)
LENGTHS = [3, 7, 1, 5, 4, 7, 2, 6] * 5
RAGGED = [RNG.normal(size=(length, 2)) for length in LENGTHS]
SUMS = [x.cumsum(axis=0)[:, 0] - x[:, 1] for x in RAGGED]
SIGNS = [(y > 0).astype(int) for y in SUMS]


def regressor(**params):
    return LSTMRegressor(**{"hidden_size": 8, "max_epochs": 3, "random_state": 0} | params)


def classifier(**params):
    settings = {"hidden_size": 8, "max_epochs": 3, "init": None, "random_state": 0}
    return LSTMClassifier(**settings | params)


def weights_of(model):
    return [weight.numpy(force=True) for weight in model.net_.module_.state_dict().values()]


def assert_same_weights(model, other, **tolerance):
    for given_weight, expected in zip(weights_of(model), weights_of(other), strict=True):
        np.testing.assert_allclose(given_weight, expected, **{"rtol": 0, "atol": 0} | tolerance)


def with_holes(y, gap, share=0.4):
    """Some steps, never the first, without a label."""
    rng = np.random.default_rng(1)
    parts = [part.copy() for part in y]
    for part in parts:
        part[1:][rng.random(len(part) - 1) < share] = gap
    return parts


# Targets at every step


@pytest.mark.parametrize("bidirectional", [False, True])
def test_loss_and_gradients_are_those_of_a_loop_over_samples_and_steps(bidirectional, device):
    sequences = Sequences.from_arrays(RAGGED)
    target = with_holes([np.column_stack([y, -2 * y]) for y in SUMS], np.nan)
    flat = np.concatenate(target)
    weight = RNG.uniform(0.5, 2, size=len(flat)) * ~np.isnan(flat[:, 0])
    dataset = SequenceDataset(
        sequences,
        InputScaling(np.zeros(2), np.ones(2)),
        device=torch.device(device),
        dtype=torch.float64,
        target=np.nan_to_num(flat),
        weight=weight,
        of_steps=True,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = SequenceNetwork(
            2, 2, 5, bidirectional=bidirectional, pooling=None, dtype=torch.float64
        ).to(device)
    criterion = WeightedLoss(REGRESSION_LOSSES["squared_error"])
    rows = np.array([5, 2, 0, 7])
    inputs, (given_target, given_weight) = dataset.batch(rows)
    inputs[0].requires_grad_()
    loss = criterion(network(*inputs), given_target, given_weight)
    loss.backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters()]

    network.zero_grad()
    total, total_weight = 0.0, 0.0
    for row in rows:
        outputs = network(torch.tensor(RAGGED[row], device=device)[:, None])[:, 0]
        for step, output in enumerate(outputs):
            step_weight = weight[sequences.starts[row] + step]
            if step_weight:
                wanted = torch.tensor(target[row][step], device=device)
                total = total + step_weight * ((output - wanted) ** 2).mean()
                total_weight += step_weight
    mean = total / total_weight
    mean.backward()
    assert loss.item() == pytest.approx(mean.item(), rel=1e-10)
    for gradient, parameter in zip(gradients, network.parameters(), strict=True):
        np.testing.assert_allclose(
            gradient.numpy(force=True), parameter.grad.numpy(force=True), rtol=1e-8, atol=1e-10
        )
    for column, row in enumerate(rows):  # nothing comes from behind the end of a sequence
        assert not inputs[0].grad[len(RAGGED[row]) :, column].any()


def test_predictions_have_the_form_of_the_targets(device):
    model = regressor(pooling=None, device=device).fit(RAGGED, SUMS)
    assert [len(y) for y in model.predict(RAGGED)] == LENGTHS
    block = RNG.normal(size=(10, 4, 2))
    assert regressor(pooling=None).fit(block, block[..., 0]).predict(block).shape == (10, 4)
    assert regressor(pooling=None).fit(block, block).predict(block).shape == (10, 4, 2)
    labels = np.where(block[..., 0] > 0, "up", "down")
    model = classifier(pooling=None).fit(block, labels)
    assert model.predict(block).shape == labels.shape
    assert model.predict_proba(block).shape == (10, 4, 2)
    np.testing.assert_allclose(model.predict_proba(block).sum(axis=2), 1)
    assert [p.shape for p in model.predict_proba(RAGGED)] == [(length, 2) for length in LENGTHS]


def test_a_prediction_sees_what_stands_before_it_and_no_more():
    model = regressor(pooling=None).fit(RAGGED, SUMS)
    cut = [x[: len(x) // 2 + 1] for x in RAGGED]
    for whole, part in zip(model.predict(RAGGED), model.predict(cut), strict=True):
        np.testing.assert_allclose(whole[: len(part)], part, atol=1e-5)


@pytest.mark.parametrize(("y", "gap"), [(SUMS, np.nan), (SIGNS, -1)])
def test_steps_without_a_label_are_as_steps_of_weight_zero(y, gap):
    make = regressor if gap is np.nan else classifier
    gaps = with_holes(y, gap)
    labelled = [~np.isnan(part) if gap is np.nan else part != gap for part in gaps]
    weight = [part.astype(float) for part in labelled]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that steps labelled -1 are left out
        model = make(pooling=None).fit(RAGGED, gaps)
    assert_same_weights(model, make(pooling=None).fit(RAGGED, y, sample_weight=weight))
    metric = r2_score if gap is np.nan else accuracy_score
    flat = [np.concatenate(part)[np.concatenate(labelled)] for part in (y, model.predict(RAGGED))]
    assert model.score(RAGGED, gaps) == pytest.approx(metric(*flat))
    assert model.score(RAGGED, y, sample_weight=weight) == pytest.approx(metric(*flat))


def test_texts_as_labels_and_none_for_no_label():
    texts = [np.where(y > 0, "up", "down").astype(object) for y in SUMS]
    texts[1][:3] = None
    model = classifier(pooling=None, class_weight="balanced", max_epochs=20, lr=0.02)
    assert model.fit(RAGGED, texts).score(RAGGED, texts) > 0.8
    assert model.classes_.tolist() == ["down", "up"]


def test_weights_of_sequences_are_repeats():
    weight = RNG.integers(1, 4, size=len(RAGGED))
    rows = np.repeat(np.arange(len(RAGGED)), weight)
    params = {"pooling": None, "dtype": "float64", "batch_size": 1000, "early_stopping": False}
    params |= {"init": None}  # its folds differ
    model = regressor(**params).fit(RAGGED, SUMS, sample_weight=weight)
    repeated = regressor(**params).fit([RAGGED[i] for i in rows], [SUMS[i] for i in rows])
    assert_same_weights(model, repeated, atol=1e-9)


def test_both_features_are_used():
    model = regressor(pooling=None, max_epochs=40, lr=0.02).fit(RAGGED, SUMS)
    score = model.score(RAGGED, SUMS)
    assert score > 0.8
    flat = np.concatenate(RAGGED)
    for feature in range(2):
        changed = flat.copy()
        changed[:, feature] = np.random.default_rng(0).permutation(changed[:, feature])
        parts = np.split(changed, np.cumsum(LENGTHS)[:-1])
        assert model.score(parts, SUMS) < score - 0.2


def test_metrics_and_searches():
    padded = np.full((len(SIGNS), 9), -1)
    for row, labels in zip(padded, SIGNS, strict=True):
        row[: len(labels)] = labels
    scoring = make_scorer(masked_scoring(f1_score), average="macro")
    search = GridSearchCV(
        classifier(pooling=None), {"hidden_size": [4, 8]}, cv=3, scoring=scoring
    ).fit(RAGGED, padded)
    flat = [np.concatenate(part) for part in (SIGNS, search.predict(RAGGED))]
    assert scoring(search, RAGGED, padded) == pytest.approx(f1_score(*flat, average="macro"))
    assert np.isfinite(cross_val_score(regressor(pooling=None), RAGGED, SUMS, cv=3)).all()
    model = regressor(pooling=None, early_stopping=True).fit(RAGGED, SUMS)
    loaded = pickle.loads(pickle.dumps(model))
    for given_y, expected in zip(loaded.predict(RAGGED), model.predict(RAGGED), strict=True):
        np.testing.assert_array_equal(given_y, expected)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([*SUMS[:3], SUMS[3][:-2], *SUMS[4:]], r"Sequence 3 .* has 5 steps, .* has 3 entries"),
        ([*SUMS[:3], [0.0] * 9, *SUMS[4:]], r"Sequence 3 .* has 5 steps, .* behind them: 9"),
        ([y[0] for y in SUMS], "one entry a sequence, and pooling=None needs one for each step"),
        ([y * np.nan for y in SUMS], "No step has a label"),
        (SUMS[:-1], "X has 40 rows and y has 39"),
    ],
)
def test_targets_that_do_not_fit(y, message):
    with pytest.raises(ValueError, match=message):
        regressor(pooling=None).fit(RAGGED, y)


# Different lengths


@pytest.mark.parametrize("pooling", ["last", "mean", None])
def test_all_forms_of_ragged_sequences_train_alike(pooling):
    padded = np.full((len(RAGGED), max(LENGTHS), 2), np.nan)
    for row, x in zip(padded, RAGGED, strict=True):
        row[: len(x)] = x
    y = SUMS if pooling is None else [y[-1] for y in SUMS]
    forms = [
        RAGGED,
        Sequences.from_arrays(RAGGED),
        Sequences.from_arrays(padded, padding="nan"),
    ]
    models = [regressor(pooling=pooling).fit(form, y) for form in forms]
    for model in models[1:]:
        assert_same_weights(model, models[0])


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", None])
@pytest.mark.parametrize(
    "params", [{}, {"bidirectional": True}, {"num_layers": 2, "cell": "gru", "bidirectional": True}]
)
def test_predictions_do_not_depend_on_other_sequences(pooling, params, device):
    y = SUMS if pooling is None else [y[-1] for y in SUMS]
    model = regressor(pooling=pooling, device=device, **params).fit(RAGGED, y)
    together = model.predict(RAGGED)
    order = RNG.permutation(len(RAGGED))
    for rows in (order, order[:7], order[:1]):
        part = model.predict([RAGGED[row] for row in rows])
        for given_y, row in zip(part, rows, strict=True):
            np.testing.assert_allclose(given_y, together[row], atol=1e-5)


class Lengths:
    """Dataset whose batches are rows."""

    def __init__(self, lengths):
        starts = np.cumsum(lengths) - lengths
        self.sequences = Sequences(np.zeros((sum(lengths), 1)), starts, lengths)

    def __len__(self):
        return len(self.sequences)

    def batches(self, parts):
        return iter(parts)


def whole(loader):
    """Rows of each batch."""
    return [np.concatenate(x) if isinstance(x, list) else np.asarray(x) for x in loader]


def padded_share(batches, lengths):
    return 1 - sum(lengths) / sum(max(lengths[rows]) * len(rows) for rows in batches)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 20))
def test_buckets_give_every_sequence_once(lengths, batch_size):
    loader = BatchLoader(Lengths(np.array(lengths)), batch_size, shuffle=True)
    assert sorted(np.concatenate(whole(loader))) == list(range(len(lengths)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.integers(1, 600))
def test_parts_take_no_more_time_than_a_whole(lengths, step_cost):
    lengths = np.sort(lengths)
    sizes = cut_by_length(lengths, step_cost)
    assert sum(sizes) == len(lengths)
    longest = [part[-1] for part in np.split(lengths, np.cumsum(sizes)[:-1])]
    assert np.dot(longest, np.add(sizes, step_cost)) <= lengths[-1] * (len(lengths) + step_cost)


def test_buckets_pad_little_and_differ_every_time():
    lengths = np.minimum(np.random.default_rng(0).lognormal(3, 1, size=3000).astype(int) + 1, 300)
    loader = BatchLoader(Lengths(lengths), 32, shuffle=True)
    first, second = whole(loader), whole(loader)
    rows = np.random.default_rng(0).permutation(3000)
    plain = [rows[start : start + 32] for start in range(0, 3000, 32)]
    assert padded_share(first, lengths) < 0.25 * padded_share(plain, lengths)
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))
    sizes = [lengths[batch].mean() for batch in first]
    assert abs(np.corrcoef(sizes, np.arange(len(sizes)))[0, 1]) < 0.4  # long ones not last


OUTLIERS = {
    "one": [10_000 // 50] + [3] * 300,
    "some": [400, 900, 500, 1000, 700] + [5] * 200,
    "few": [2000, 10, 10],
    "one short": [1] + [300] * 5,
    "empty": [500] + [0] * 20 + [2] * 100,
    "two kinds": [300] * 10 + [5] * 90,
}


@pytest.fixture
def cells(monkeypatch):
    """Steps of all sequences of each call of the network, with what is behind their ends."""
    counted, forward = [], SequenceNetwork.forward

    def counting(self, steps, *args):
        counted.append(steps.shape[0] * steps.shape[1])
        return forward(self, steps, *args)

    monkeypatch.setattr(SequenceNetwork, "forward", counting)
    return counted


@pytest.mark.parametrize("pooling", ["max", None])
@pytest.mark.parametrize("lengths", OUTLIERS.values(), ids=OUTLIERS)
def test_long_sequences_do_not_lengthen_others(lengths, pooling, cells):
    rng = np.random.default_rng(0)
    lengths = rng.permutation(lengths)
    data = [rng.normal(size=(length, 1)) for length in lengths]
    y = [x[:, 0] for x in data] if pooling is None else rng.normal(size=len(data))
    model = regressor(
        hidden_size=2, pooling=pooling, max_epochs=2, init=None, batch_size=16, early_stopping=False
    )
    some = [0, *range(1, len(data), 3)]
    y_val = [y[i] for i in some]
    model.fit(data, y, X_val=[data[i] for i in some], y_val=y_val)
    n_steps = 2 * lengths.sum() + 3 * lengths[some].sum()  # the last one compares
    assert sum(cells) <= 1.5 * n_steps
    cells.clear()
    predicted = model.predict(data)
    assert sum(cells) <= 1.5 * lengths.sum()
    for i in (0, 1, int(lengths.argmax())):
        np.testing.assert_allclose(predicted[i], model.predict(data[i : i + 1])[0], atol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("estimator", [regressor, classifier])
def test_parts_learn_what_a_whole_batch_does(pooling, weighted, estimator, monkeypatch):
    rng = np.random.default_rng(0)
    lengths = rng.permutation([300, 200, 100] + [1, 2, 3] * 12)
    data = [rng.normal(size=(length, 1)) for length in lengths]
    y = [x[:, 0] > 0 for x in data] if pooling is None else rng.random(len(data)) > 0.5
    if estimator is regressor:
        y = [1.0 * part for part in y]
    weight = None
    if weighted:
        weight = rng.uniform(0.5, 2, size=len(data))

    class Seen(Callback):
        def on_train_begin(self, net, **kwargs):
            self.batches = []

        def on_batch_end(self, net, batch, y_pred, **kwargs):
            (steps, own), (target, _) = batch
            assert target.shape[:-1] == y_pred.shape[:-1]
            own = torch.full((steps.shape[1],), len(steps)) if own is None else own
            inside = torch.arange(len(steps))[:, None] < own
            self.batches.append((steps[inside].abs().sum().item(), own.tolist()))

    models, batches = [], []
    for cut in (cut_by_length, lambda lengths, step_cost: [len(lengths)]):
        monkeypatch.setattr("sklstm._nn.batches.cut_by_length", cut)
        model = estimator(
            pooling=pooling,
            dtype="float64",
            init=None,
            batch_size=8,
            early_stopping=False,
            skorch_params={"callbacks": [Seen()]},
        )
        models.append(model.fit(data, y, sample_weight=weight))
        batches += [x.batches for _, x in model.net_.callbacks_ if isinstance(x, Seen)]
    assert_same_weights(*models, atol=1e-9)
    assert [lengths for _, lengths in batches[0]] == [lengths for _, lengths in batches[1]]
    np.testing.assert_allclose(*([total for total, _ in of_model] for of_model in batches))
    assert models[0].loss_curve_ == pytest.approx(models[1].loss_curve_)


def test_a_training_in_parts_goes_on_where_it_stopped(tmp_path):
    data = [RNG.normal(size=(length, 1)) for length in [300] + [2, 3] * 20]
    y = RNG.normal(size=len(data))
    params = {"init": None, "batch_size": 8, "dropout": 0.2, "lr_scheduler": None}
    regressor(max_epochs=2, checkpoint=tmp_path, **params).fit(data, y)
    resumed = regressor(max_epochs=4, checkpoint=tmp_path, **params).fit(data, y)
    assert_same_weights(resumed, regressor(max_epochs=4, **params).fit(data, y))


# Missing values


def channels_by_loop(sequence, fill):
    """What the network sees of one sequence."""
    seen_last, since = list(fill), [0] * len(fill)
    rows = []
    for step in sequence:
        values, missing, times = [], [], []
        for j, value in enumerate(step):
            since[j] += 1
            if not np.isnan(value):
                seen_last[j], since[j] = value, 0
            values.append(seen_last[j])
            missing.append(float(np.isnan(value)))
            times.append(np.log1p(since[j]))
        rows.append([*values, *missing, *times])
    return np.array(rows).reshape(len(sequence), 3 * len(fill))


def test_the_network_sees_what_a_loop_fills_in(device):
    table = RNG.normal(size=(60, 2))
    table[RNG.random(table.shape) < 0.4] = np.nan
    windows = SequenceWindower(6, horizon=1).fit_transform(table)
    fill = np.array([0.5, -0.5])
    dataset = SequenceDataset(
        windows,
        InputScaling(np.zeros(2), np.ones(2), median=fill),
        device=torch.device(device),
        dtype=torch.float64,
    )
    (steps, _), _ = dataset.batch(np.arange(60))
    steps = steps.numpy(force=True)
    for row, window in enumerate(windows):
        np.testing.assert_allclose(steps[: len(window), row], channels_by_loop(window, fill))
        assert not steps[len(window) :, row].any()


def test_medians_are_those_of_repeated_rows():
    x = RNG.normal(size=(9, 2))
    x[2, 0] = np.nan
    sequences = Sequences.from_arrays(x[:, None])
    weight = RNG.integers(0, 4, size=9)
    repeated = np.repeat(x, weight, axis=0)
    expected = [
        np.quantile(column[~np.isnan(column)], 0.5, method="inverted_cdf") for column in repeated.T
    ]
    np.testing.assert_allclose(medians(sequences, weight.astype(float)), expected)


def test_a_median_of_what_has_no_weight_is_of_that_feature_alone():
    x = np.array([[np.nan, 1.0]] * 3 + [[5.0, 100.0]] * 4)
    weight = np.array([1.0] * 3 + [0.0] * 4)
    for columns in ([0, 1], [1, 0]):
        found = medians(Sequences.from_arrays(x[:, None, columns]), weight)
        assert found.tolist() == [[5.0, 1.0][column] for column in columns]


def gaps(X, share=0.3):
    return np.where(np.random.default_rng(2).random(X.shape) < share, np.nan, X)


def test_missing_values_are_learned_around(device):
    X = RNG.normal(size=(600, 8, 2)).cumsum(axis=1)
    y = X[:, -1, 0]
    model = regressor(missing="mask", max_epochs=20, lr=0.02, hidden_size=16, device=device)
    model.fit(gaps(X)[:400], y[:400])
    assert model.score(gaps(X)[400:], y[400:]) > 0.85
    part = model.predict(gaps(X)[450:460])
    np.testing.assert_allclose(part, model.predict(gaps(X))[450:460], atol=1e-4)
    assert np.isfinite(model.predict(np.full((1, 8, 2), np.nan))).all()


def test_weights_are_repeats_with_missing_values():
    X = gaps(RNG.normal(size=(40, 5, 2)))
    y, weight = RNG.normal(size=40), RNG.integers(0, 3, size=40)
    params = {"missing": "mask", "dtype": "float64", "batch_size": 1000}
    params |= {"init": None, "early_stopping": False}  # both set whole sequences apart
    model = regressor(**params).fit(X, y, sample_weight=weight)
    rows = np.repeat(np.arange(40), weight)
    assert_same_weights(model, regressor(**params).fit(X[rows], y[rows]), atol=1e-9)


def test_missing_values_that_cannot_be_filled():
    X, y = RNG.normal(size=(20, 4, 2)), np.arange(20.0)
    X[:, :, 1] = np.nan
    with pytest.raises(ValueError, match="Feature 1 is missing in every training step"):
        regressor(missing="mask").fit(X, y)
    with pytest.raises(ValueError, match="let missing='mask' tell the network, or fill them"):
        regressor().fit(X, y)
    X[:, :, 1] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        regressor(missing="mask").fit(X, y)


def test_fill_missing_keeps_padding_zero():
    assert not fill_missing(torch.zeros(3, 2, 2), torch.ones(2)).any()


# Tokens

TEXTS = ["not bad at all", "not good at all", "good not bad", "bad not good", ""] * 8
PLEASED = np.array(["yes", "no", "yes", "no", "no"] * 8)


def tokens_pipeline(**params):
    settings = {"embedding": 4, "max_epochs": 30, "lr": 0.03} | params
    return make_pipeline(TokenSequencer(), classifier(**settings))


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_texts_whose_order_matters(pooling, device):
    params = {"bidirectional": True, "num_layers": 2, "dropout": 0.1, "device": device}
    model = tokens_pipeline(pooling=pooling, **params).fit(TEXTS, PLEASED)
    assert model.score(TEXTS, PLEASED) > 0.95
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_the_network_reads_the_vectors_of_tokens():
    tokens = TokenSequencer().fit_transform(TEXTS)
    model = classifier(embedding=3, pooling="last", bidirectional=False)
    model.fit(tokens, PLEASED)
    vectors = model.net_.module_.embedding.weight.numpy(force=True)
    read = model.net_.module_
    plain = SequenceNetwork(3, 2, 8)
    plain.load_state_dict({k: v for k, v in read.state_dict().items() if "embedding" not in k})
    for sequence, expected in zip(tokens[:4], model.predict_proba(tokens[:4]), strict=True):
        outputs = plain(torch.tensor(vectors[sequence[:, 0]])[:, None])
        np.testing.assert_allclose(torch.softmax(outputs, 1)[0].detach(), expected, atol=1e-6)


def test_forms_of_tokens():
    block = RNG.integers(0, 5, size=(20, 6))
    forms = [block, block.tolist(), Sequences.from_tokens(block)]
    models = [classifier(embedding=3).fit(form, PLEASED[:20]) for form in forms]
    for model in models[1:]:
        assert_same_weights(model, models[0])
    codes = np.arange(60.0) % 5  # the windows of a table hold floats
    windows = SequenceWindower(4, horizon=1).fit_transform(codes[:, None])
    model = classifier(embedding=3, max_epochs=30, lr=0.03).fit(windows, codes)
    assert model.score(windows[4:], codes[4:]) == 1


def test_no_token_is_missing():
    model = classifier(embedding=3, missing="mask").fit([[1, 2], [2, 1]], [0, 1])
    assert_same_weights(model, classifier(embedding=3).fit([[1, 2], [2, 1]], [0, 1]))


def test_unknown_tokens_are_token_0():
    model = classifier(embedding=3).fit([[1, 2], [2, 1, 0]] * 10, [0, 1] * 10)
    np.testing.assert_array_equal(model.predict_proba([[1, 77]]), model.predict_proba([[1, 0]]))
    assert model.n_tokens_ == 3


def test_a_language_model_of_few_epochs_learns_from_all_of_its_text():
    X = RNG.integers(1, 5, size=(60, 8))
    settings = {"pooling": None, "embedding": 2, "random_state": 0, "hidden_size": 2}
    for params, stops in [
        ({"max_epochs": 6}, False),
        ({"max_epochs": 10}, False),
        ({"max_epochs": 11}, True),
        ({"max_epochs": 6, "n_iter_no_change": 2}, True),
        ({"max_epochs": 2, "early_stopping": True}, True),
    ]:
        model = LSTMClassifier(**settings | params).fit(X[:, :-1], X[:, 1:])
        assert ("valid_loss" in model.history_) == stops
    model = LSTMClassifier(**settings, max_epochs=2)
    model.fit(X[:50, :-1], X[:50, 1:], X_val=X[50:, :-1], y_val=X[50:, 1:])
    assert "valid_loss" in model.history_


def test_vectors_to_start_with():
    sequencer = TokenSequencer().fit(TEXTS)
    vectors = sequencer.embedding_weights({"good": [1.0, 0.2], "bad": [-1.0, 0.1]})
    tokens = sequencer.transform(TEXTS)
    model = classifier(embedding=vectors, freeze_embedding=True).fit(tokens, PLEASED)
    np.testing.assert_array_equal(model.net_.module_.embedding.weight.numpy(force=True), vectors)
    model = classifier(embedding=vectors).fit(tokens, PLEASED)
    changed = model.net_.module_.embedding.weight.numpy(force=True) != vectors
    assert changed[1:].all()
    assert not changed[0].any()  # no text holds an unknown word


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({"embedding": 3}, [[1, -2], [1]], r"Sequence 0 holds the token -2"),
        ({"embedding": 3}, Sequences([[0.5]], [0, 0], [1, 1]), "0.5, which is no token"),
        ({"embedding": 3}, Sequences(np.ones((2, 2)), [0, 1], [1, 1]), "has 2 features"),
        ({"embedding": np.ones((2, 3))}, [[1, 2], [1]], r"shape \(2, 3\).* tokens 0 to 2"),
        ({"embedding": np.ones(3)}, [[1], [2]], "Expected 2D array"),
        ({}, Sequences.from_tokens([[1], [2]]), "needs embedding"),
    ],
)
def test_tokens_that_do_not_fit(params, X, message):
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(X, [0, 1])


def test_a_search_over_texts():
    grid = {"tokensequencer__min_df": [1, 2], "lstmclassifier__embedding": [2, 4]}
    search = GridSearchCV(tokens_pipeline(max_epochs=2), grid, cv=2).fit(TEXTS, PLEASED)
    assert set(search.best_params_) == set(grid)
    assert len(search.predict(["", "never seen words", "good"])) == 3


def test_the_alphabet_goes_on():
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz " * 8))
    codes = np.unique(letters, return_inverse=True)[1]
    windows = SequenceWindower(5, horizon=1, carry_over=False)
    model = classifier(hidden_size=32, embedding=8, max_epochs=40, lr=0.02)
    model.fit(windows.fit_transform(codes[:, None])[1:], letters[1:])
    code_of = dict(zip(letters, codes, strict=True))
    text = "a"
    for _ in range(50):
        text += model.predict([[code_of[letter] for letter in text[-5:]]])[0]
    assert text == ("abcdefghijklmnopqrstuvwxyz " * 3)[:51]


def test_padding_of_tokens_is_dropped_at_both_ends():
    tokens = Sequences.from_tokens([[1, 0, 2, 0], [0, 0, 5]], padding=0)
    assert [sequence[:, 0].tolist() for sequence in tokens] == [[1, 0, 2], [5]]
    tokens = Sequences.from_tokens(np.array([[1, 2, -1], [-1, -1, 4]]), padding=-1)
    assert tokens.lengths.tolist() == [2, 1]
