"""Neighbouring histories computed in one run, against a loop over the rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower
from sklstm._nn.batches import BatchLoader
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.losses import REGRESSION_LOSSES, WeightedLoss
from sklstm._nn.network import SequenceNetwork
from sklstm._nn.scaling import InputScaling

N_FEATURES = 2


@st.composite
def windows(draw):
    """Histories of an interleaved table with gaps, some of them taken, some taken twice."""
    n_rows = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    table = pd.DataFrame(rng.normal(size=(n_rows, N_FEATURES)), columns=["a", "b"])
    table["series"] = rng.integers(draw(st.integers(1, 3)), size=n_rows)
    table["time"] = np.cumsum(rng.choice([1, 1, 1, 1, 9], size=n_rows))
    windower = SequenceWindower(
        draw(st.integers(1, 9)),
        horizon=draw(st.integers(0, 2)),
        series="series",
        time="time",
        max_gap=draw(st.sampled_from(["any", 12])),
    )
    sequences = windower.fit_transform(table)
    return sequences[np.sort(rng.choice(n_rows, size=draw(st.integers(1, n_rows))))]


def make_dataset(sequences, weighted=False):
    rng = np.random.default_rng(0)
    n_rows = len(sequences)
    return SequenceDataset(
        sequences,
        InputScaling(np.zeros(N_FEATURES), np.ones(N_FEATURES)),
        device=torch.device("cpu"),
        dtype=torch.float64,
        target=np.column_stack([np.arange(n_rows), rng.normal(size=n_rows)]),
        weight=rng.uniform(0.1, 2, size=n_rows) if weighted else None,
    )


def runs_of(loader):
    """Rows of each run, in order, and all of a batch in the order of its targets."""
    runs = []
    for (_, lengths, columns), (target, _) in loader:
        rows = target[:, 0].long().numpy()
        assert len(rows) == len(lengths) == len(columns)
        runs += [rows[columns.numpy() == column] for column in range(int(columns.max()) + 1)]
    return runs


@settings(max_examples=200, deadline=None)
@given(windows(), st.integers(2, 7), st.integers(1, 9), st.booleans())
def test_every_row_is_in_one_run_and_a_run_is_one_piece_of_a_series(sequences, k, size, shuffle):
    runs = runs_of(BatchLoader(make_dataset(sequences), size, shuffle, supervised_steps=k))
    assert sorted(np.concatenate(runs)) == list(range(len(sequences)))
    for run in runs:
        starts, ends, series = sequences.starts[run], sequences.ends[run], sequences.series[run]
        assert len(set(series)) == 1
        assert (np.diff(ends) >= 0).all()
        assert ends[-1] - ends[0] < k
        own_steps = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
        if len(run) > 1:  # nothing is read that no history of the run holds: no gap is crossed
            assert set(own_steps) == set(range(starts[0], ends[-1]))
            assert (starts[1:] < ends[:-1]).all()
            assert (np.diff(starts) <= np.diff(ends)).all()


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(2, 7), st.booleans(), st.sampled_from(["lstm", "gru"]))
def test_loss_and_gradients_are_those_of_a_loop_over_the_rows(sequences, k, weighted, cell):
    dataset = make_dataset(sequences, weighted)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = SequenceNetwork(N_FEATURES, 2, 5, 2, cell, dtype=torch.float64)
    criterion = WeightedLoss(REGRESSION_LOSSES["squared_error"])
    for inputs, (target, weight) in BatchLoader(dataset, 8, supervised_steps=k):
        network.zero_grad()
        loss = criterion(network(*inputs), target, weight)
        loss.backward()
        gradients = [parameter.grad.clone() for parameter in network.parameters()]

        rows = target[:, 0].long().numpy()
        columns = inputs[2].numpy()
        weights = torch.ones(len(rows)) if weight is None else weight
        network.zero_grad()
        total = 0
        for row, column, row_weight in zip(rows, columns, weights, strict=True):
            first = rows[columns == column][0]
            history = sequences.values[sequences.starts[first] : sequences.ends[row]]
            steps = torch.tensor(history if len(history) else np.zeros((1, N_FEATURES)))
            output = network(steps[:, None], torch.tensor([len(history)]))[0]
            total = total + row_weight * ((output - dataset.target[row]) ** 2).mean()
        mean = total / weights.sum()
        mean.backward()
        assert loss.item() == pytest.approx(mean.item(), rel=1e-12)
        for merged, parameter in zip(gradients, network.parameters(), strict=True):
            np.testing.assert_allclose(merged, parameter.grad, rtol=1e-9, atol=1e-10)


def test_one_run_starts_where_its_first_history_starts():
    sequences = SequenceWindower(3).fit_transform(np.arange(8.0)[:, None])[2:]
    dataset = SequenceDataset(
        sequences,
        InputScaling(np.zeros(1), np.ones(1)),
        device=torch.device("cpu"),
        dtype=torch.float64,
        target=np.ones((6, 1)),
    )
    batches = list(BatchLoader(dataset, 4, supervised_steps=4))
    (steps, lengths, columns), _ = batches[0]
    assert steps[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert lengths.tolist() == [3, 4, 5, 6]
    assert columns.tolist() == [0, 0, 0, 0]
    assert batches[1][0][0][:, 0, 0].tolist() == [4, 5, 6, 7]


def test_runs_are_cut_elsewhere_every_epoch():
    sequences = SequenceWindower(8).fit_transform(np.zeros((50, N_FEATURES)))
    loader = BatchLoader(make_dataset(sequences), 8, shuffle=True, supervised_steps=4)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        first_rows = {tuple(sorted(run[0] for run in runs_of(loader))) for _ in range(20)}
    assert len(first_rows) > 2


def make_table(n_rows=150):
    """Two interleaved stations with a gap in their time."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2024-01-01", periods=n_rows, freq="D")
    time = time[:60].append(time[60:] + pd.Timedelta("30D"))
    tables = [
        pd.DataFrame({"x": rng.normal(size=n_rows), "station": name}, index=time)
        for name in ("north", "south")
    ]
    table = pd.concat(tables).sort_index(kind="stable")
    previous = table.groupby("station")["x"].shift(1, fill_value=0.0)
    return table, table["x"] + previous


def make_model(estimator=LSTMRegressor, **params):
    settings = {"hidden_size": 8, "max_epochs": 8, "lr": 0.02, "random_state": 0} | params
    return make_pipeline(SequenceWindower(6, series="station", max_gap="2D"), estimator(**settings))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"num_layers": 2, "dropout": 0.2, "cell": "gru"},
        {"loss": "huber", "weight_decay": 1e-3, "optimizer": "sgd"},
    ],
)
def test_the_same_seed_gives_the_same_predictions(params, device):
    table, y = make_table()
    model = make_model(supervised_steps=4, device=device, **params)
    first = model.fit(table, y).predict(table)
    np.testing.assert_allclose(clone(model).fit(table, y).predict(table), first, atol=1e-6)


def test_learns_as_well_as_window_by_window(device):
    table, y = make_table(400)
    scores = {
        k: make_model(supervised_steps=k, max_epochs=25, device=device)
        .fit(table[:600], y[:600])
        .score(table[600:], y[600:])
        for k in (1, 3, "auto")
    }
    assert scores[1] > 0.9
    assert scores[3] > scores[1] - 0.03
    assert scores["auto"] > scores[1] - 0.03


def test_several_outputs_weights_and_classes():
    table, y = make_table()
    weight = np.tile([0.0, 1.0, 2.0], len(y))[: len(y)]
    both = np.column_stack([y, -y])
    both[weight == 0] = np.nan  # history only
    model = make_model(supervised_steps=4, max_epochs=25)
    model.fit(table, both, lstmregressor__sample_weight=weight)
    used = weight > 0
    assert model[-1].score(model[:-1].transform(table)[used], both[used]) > 0.8
    classifier = make_model(LSTMClassifier, supervised_steps=4, max_epochs=25)
    assert classifier.fit(table, y > 0).score(table, y > 0) > 0.8


def test_in_cross_validation():
    table, y = make_table()
    scores = cross_val_score(make_model(supervised_steps=3), table, y, cv=TimeSeriesSplit(3))
    assert np.isfinite(scores).all()


def supervised_steps_of(X, **params):
    model = LSTMRegressor(**{"hidden_size": 64, "max_epochs": 1} | params).fit(X, np.zeros(len(X)))
    return model.supervised_steps_


@pytest.mark.parametrize(
    ("window_size", "params", "expected"),
    [
        (24, {}, 12),
        (96, {}, 16),
        (96, {"batch_size": 128}, 32),
        (1, {}, 1),
        (24, {"batch_size": 3}, 1),
        (24, {"hidden_size": 8}, 1),
        (14, {"hidden_size": 32, "batch_size": 32}, 1),
        (24, {"pooling": "mean"}, 1),
        (24, {"bidirectional": True}, 1),
        (24, {"supervised_steps": 7}, 7),
    ],
)
def test_auto_is_a_quarter_of_a_batch_and_half_a_window(window_size, params, expected):
    X = SequenceWindower(window_size).fit_transform(np.zeros((120, 1)))
    assert supervised_steps_of(X, **params) == expected


def test_independent_sequences_have_no_neighbours():
    X = Sequences.from_arrays(np.zeros((30, 24, 1)))
    assert supervised_steps_of(X) == 1


@pytest.mark.parametrize("params", [{"pooling": "max"}, {"bidirectional": True}])
def test_networks_that_cannot_be_read_off_say_so(params):
    X = SequenceWindower(4).fit_transform(np.zeros((20, 1)))
    with pytest.raises(ValueError, match=r"supervised_steps=3 .* needs pooling='last'"):
        supervised_steps_of(X, supervised_steps=3, **params)


@pytest.mark.parametrize("dtype", ["float64"])
def test_one_step_is_the_loop_that_everyone_writes(dtype):
    """Window by window: the weights are those of a plain torch loop with the same draws."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, N_FEATURES))
    y = values.sum(axis=1)
    sequences = SequenceWindower(5).fit_transform(values)[4:]
    settings = {"hidden_size": 4, "batch_size": 16, "max_epochs": 3, "lr": 0.01, "dtype": dtype}
    model = LSTMRegressor(
        **settings,
        **{"input_transform": "levels", "init": None, "early_stopping": False},
        supervised_steps=1,
        standardize=False,
        clip_grad_norm=None,
        random_state=3,
    ).fit(sequences, y[4:])

    with torch.random.fork_rng([]):
        torch.manual_seed(model._fitted.settings["seed"])
        lstm, head = torch.nn.LSTM(N_FEATURES, 4), torch.nn.Linear(4, 1)
        lstm.double(), head.double()
        optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.01)
        dense, target = torch.tensor(np.asarray(sequences)), torch.tensor(y[4:, None])
        for _ in range(3):
            for rows in torch.randperm(len(dense)).split(16):
                output = head(lstm(dense[rows].transpose(0, 1))[0][-1])
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(output, target[rows]).backward()
                optimizer.step()
    weights = [parameter.detach() for parameter in model.net_.module_.parameters()]
    expected = [*lstm.parameters(), *head.parameters()]
    for given_weight, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(given_weight, wanted.detach(), rtol=1e-9, atol=1e-12)
