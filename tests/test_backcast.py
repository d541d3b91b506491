"""What stands in front of a short history, and how well it is predicted."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, SequenceWindower
from sklstm._data.backcast import (
    PENALTIES,
    backcast_in_units,
    learn_backcast,
    repeated_first_step,
)
from sklstm._data.lag_table import LagTable

WINDOW = 7
N_TRAIN, N_TEST = 210, 288
PLACES = "beginning", "gap", "new series"


def calendar_table(kind, seed):
    """Days whose columns are of one kind, and what is to be predicted of them."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=N_TRAIN + N_TEST)
    n_days = len(days)
    weekdays = pd.get_dummies(days.day_name(), dtype=float).set_axis(days)
    months = pd.get_dummies(days.month_name(), dtype=float).set_axis(days)
    visitors = pd.DataFrame({"visitors": rng.poisson(100.0, n_days).astype(float)}, days)
    noise = pd.DataFrame(rng.normal(size=(n_days, 6)), days).add_prefix("noise")
    level = pd.DataFrame({"level": rng.normal(size=n_days).cumsum()}, days)
    by_day = 50 * weekdays["Saturday"] + 20 * weekdays["Sunday"]

    def ago(column, n_steps):
        return column.shift(n_steps, fill_value=column.mean())

    of_kind = {
        "one-hot": ([weekdays], by_day),
        "one-hot of two": ([weekdays, months], by_day + 9 * months["March"]),
        "numeric": ([noise], ago(noise["noise0"], 1) + ago(noise["noise1"], WINDOW)),
        "numeric, far": ([noise], ago(noise["noise0"], WINDOW) - ago(noise["noise1"], WINDOW - 1)),
        "numeric, sums": ([noise], noise["noise0"].rolling(WINDOW, min_periods=1).sum().shift(1)),
        "numeric, a walk": ([level, noise], level["level"] + ago(noise["noise0"], 3)),
        "mixed": ([weekdays, visitors], by_day + 2 * ago(visitors["visitors"], 1)),
        "mixed, far": ([weekdays, visitors], by_day / 9 + 2 * ago(visitors["visitors"], 6)),
    }
    columns, y = of_kind[kind]
    y = y.bfill() + 0.1 * y.std() * rng.normal(size=n_days)
    return pd.concat(columns, axis=1), y.to_numpy()


KINDS = (
    "one-hot",
    "one-hot of two",
    "numeric",
    "numeric, far",
    "numeric, sums",
    "numeric, a walk",
    "mixed",
    "mixed, far",
)


def short_histories(table, place):
    """Histories of 0 to `WINDOW` steps, again and again; which rows they are of."""
    part = np.arange(len(table)) // (WINDOW + 1)
    if place == "new series":
        windower = SequenceWindower(WINDOW, horizon=1, series="shop")
        return windower.fit_transform(table.assign(shop=part)), np.arange(len(table))
    if place == "gap":
        kept = np.flatnonzero(np.arange(len(table)) % (WINDOW + 2))
        windower = SequenceWindower(WINDOW, horizon=1).fit(table)
        with pytest.warns(UserWarning, match="X has .* gaps|have no history"):
            return windower.transform(table.iloc[kept]), kept
    windower = SequenceWindower(WINDOW, horizon=1)
    each = [windower.fit_transform(rows) for _, rows in table.groupby(part)]
    return Sequences.concat(each), np.arange(len(table))


def relative_errors(predict, X, y, mean):
    """Mean absolute error of each length of history, beside that of the training mean."""
    error, of_mean = np.abs(predict(X) - y), np.abs(mean - y)
    assert np.unique(X.lengths).tolist() == list(range(WINDOW + 1))
    by_length = np.bincount(X.lengths, error), np.bincount(X.lengths, of_mean)
    return by_length[0] / by_length[1]


@pytest.mark.parametrize("kind", KINDS)
def test_no_length_of_history_is_predicted_worse_than_by_the_mean(kind):
    errors = {place: [] for place in PLACES}
    for seed in range(5):
        table, y = calendar_table(kind, seed)
        model = LSTMRegressor(2, max_epochs=1, random_state=0)
        windows = SequenceWindower(WINDOW, horizon=1).fit_transform(table[:N_TRAIN])
        start = model.fit(windows, y[:N_TRAIN]).init_
        for place in PLACES:
            X, rows = short_histories(table[N_TRAIN:], place)
            y_place, mean = y[N_TRAIN:][rows], y[:N_TRAIN].mean()
            errors[place].append(
                relative_errors(lambda X, start=start: start.predict(X)[:, 0], X, y_place, mean)
            )
    for place in PLACES:
        mean_errors = np.mean(errors[place], axis=0)
        assert mean_errors.max() <= 1.02, (place, mean_errors.round(3))


@pytest.mark.parametrize("kind", ["one-hot", "numeric, far", "mixed"])
def test_the_whole_model_is_no_worse_than_the_mean(kind):
    errors = []
    for seed in range(2):
        table, y = calendar_table(kind, seed)
        model = make_pipeline(
            SequenceWindower(WINDOW, horizon=1, series="shop"),
            LSTMRegressor(8, max_epochs=10, random_state=0),
        )
        model.fit(table[:N_TRAIN].assign(shop="a"), y[:N_TRAIN])
        X, rows = short_histories(table[N_TRAIN:], "new series")
        mean = y[:N_TRAIN].mean()
        errors.append(relative_errors(model[-1].predict, X, y[N_TRAIN:][rows], mean))
    assert np.mean(errors, axis=0).max() <= 1.02, np.round(errors, 3)


def test_a_day_of_the_week_says_which_days_came_before():
    table, y = calendar_table("mixed", 0)
    windows = SequenceWindower(WINDOW, horizon=1).fit_transform(table)
    start = LSTMRegressor(2, max_epochs=1).fit(windows, y).init_
    X, _ = short_histories(table, "gap")
    X = X[X.lengths == 1]
    lags = start._table(X).rows(slice(None)).reshape(len(X), WINDOW, -1)
    days = (lags * start.scale + start.mean)[..., :7]
    today = days[:, -1].argmax(axis=1)
    order = [
        list(table)[:7].index(day) for day in pd.date_range("2024-01-01", periods=7).day_name()
    ]
    place = np.argsort(order)  # of each column in the week
    for back in range(WINDOW):
        expected = (place[today] - back) % 7
        np.testing.assert_allclose(days[:, -1 - back], np.eye(7)[expected][:, place], atol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_walk_goes_on_backwards_from_where_it_is(offset):
    rng = np.random.default_rng(0)
    walk = offset + rng.normal(size=600).cumsum()
    windows = SequenceWindower(12, horizon=1).fit_transform(walk[:500, None])
    start = LSTMRegressor(2, max_epochs=1).fit(windows, walk[:500]).init_
    ends = np.arange(500, 599)
    short = Sequences(walk[:, None], ends - 1, np.ones(99, dtype=int))
    error = np.abs(start.predict(short)[:, 0] - walk[ends]).mean()
    assert error < 1.2 * np.abs(walk[ends] - walk[ends - 1]).mean()


@pytest.mark.parametrize("init", ["linear", LinearRegression()])
def test_an_empty_history_is_predicted_by_the_mean_of_what_was_learned(init):
    table, y = calendar_table("numeric, a walk", 1)
    X, y = SequenceWindower(WINDOW, horizon=1).fit_transform(table + 300)[WINDOW:], y[WINDOW:]
    weight = np.linspace(1, 3, len(y))
    model = LSTMRegressor(2, max_epochs=1, init=init).fit(X, y, weight)
    empty = Sequences(X.values, [0], [0])
    np.testing.assert_allclose(model.init_.predict(empty), np.average(y, weights=weight))
    labels = y > np.quantile(y, 0.8)
    if init == "linear":
        model = LSTMClassifier(2, max_epochs=1, init=init).fit(X, labels, weight)
        odds = np.diff(model.init_.predict(empty))[0, 0]
        share = np.average(labels, weights=weight)
        assert odds == pytest.approx(np.log(share / (1 - share)))


@pytest.mark.parametrize("per_step", [False, True])
def test_where_short_recordings_are_common_their_first_step_is_repeated(per_step):
    rng = np.random.default_rng(0)
    recordings = [rng.normal(size=(length, 2)) for length in rng.integers(1, 9, size=100)]
    y = [x[:, 0] - x[0, 0] for x in recordings]
    if not per_step:
        y = [of_steps[-1] for of_steps in y]
    model = LSTMRegressor(2, max_epochs=1, init="linear", pooling=None if per_step else "last")
    start = model.fit(recordings, y).init_
    np.testing.assert_array_equal(start.backcast, repeated_first_step(2, 8))
    last = np.array([x[-1, 0] - x[0, 0] for x in recordings])
    error = start.predict(Sequences.from_arrays(recordings))[:, 0] - last
    assert np.mean(error**2) < (0.6 if per_step else 0.01) * np.var(last)


# Its parts


def lag_moments(seed=0, n_rows=400, n_steps=4):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_rows + n_steps, 3))
    values[:, 1] = values[:, 1].cumsum() / 10
    values[1:, 2] = values[:-1, 0] + 0.1 * values[1:, 2]
    windows = Sequences(values, np.arange(n_rows), np.full(n_rows, n_steps))
    table = LagTable(windows, np.zeros(3), np.ones(3), n_steps)
    return table.moments(np.zeros((n_rows, 1)), np.ones(n_rows)), table.rows(slice(None))


def test_each_column_has_the_ridge_that_predicts_others_best():
    (train, lags), (valid, others) = lag_moments(0), lag_moments(1)
    backcast = learn_backcast(train + valid, [(train, valid)], 3)
    both = np.concatenate([lags, others])
    for column in range(9):
        errors, fits = [], []
        for slope in (0, 1):
            y, y_others = (x[:, column] - slope * x[:, 9 + column % 3] for x in (lags, others))
            y_both = np.concatenate([y, y_others])
            for penalty in PENALTIES:
                ridge = Ridge(penalty * len(lags)).fit(lags[:, 9:], y)
                errors.append(np.sum((ridge.predict(others[:, 9:]) - y_others) ** 2))
                ridge = Ridge(penalty * len(both)).fit(both[:, 9:], y_both)
                fits.append((ridge.coef_ + slope * np.eye(3)[column % 3], ridge.intercept_))
        errors[0] *= 0.95
        coef, intercept = fits[np.argmin(errors)]
        np.testing.assert_allclose(backcast[:-1, column], coef, atol=1e-6)
        np.testing.assert_allclose(backcast[-1, column], intercept, atol=1e-6)
    assert np.abs(backcast[:-1, 0]).max() < 0.05  # the first feature comes from nowhere
    assert np.abs(backcast[2, 6] - 1) < 0.05  # and is what the third one was


def test_units_of_a_backcast():
    rng = np.random.default_rng(0)
    mean, scale, backcast = rng.normal(size=2), rng.uniform(1, 2, 2), rng.normal(size=(3, 6))
    x = rng.normal(size=2)
    expected = ((x - mean) / scale @ backcast[:-1] + backcast[-1]).reshape(3, 2) * scale + mean
    in_units = backcast_in_units(backcast, mean, scale)
    np.testing.assert_allclose((x @ in_units[:-1] + in_units[-1]).reshape(3, 2), expected)
