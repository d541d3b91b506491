"""Sums over lagged histories, beside those of the table of lags."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm import Sequences
from sklstm._data.lag_table import LagTable


def reference(sequences, mean, scale, n_steps, fill, backcast=None):
    """The table of lags, history by history."""
    n_features = sequences.n_features
    table = np.zeros((len(sequences), n_steps, n_features))
    for row, history in enumerate(sequences):
        if not len(history):
            continue
        steps = (history - mean) / scale
        for j in range(n_features):
            last = fill[j]
            for i in range(len(steps)):
                last = steps[i, j] = last if np.isnan(steps[i, j]) else steps[i, j]
        before = steps[:1]
        if backcast is not None and backcast.size:
            before = (steps[0] @ backcast[:-1] + backcast[-1]).reshape(-1, n_features)
        repeated = np.repeat(before[:1], n_steps, axis=0)
        if backcast is None or not backcast.size:
            before = before[:0]
        table[row] = np.concatenate([repeated, before, steps])[-n_steps:]
    return table.reshape(len(table), -1)


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_values, n_features = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    values = rng.normal(size=(n_values, n_features))
    if draw(st.booleans()):
        values[rng.random(values.shape) < 0.1] = np.nan
    n_steps = draw(st.integers(1, 8))
    ends = np.arange(1, n_values + 1)
    if draw(st.booleans()):
        ends = ends[(rng.random(n_values) < 0.9) | (ends == n_values)]
    if draw(st.booleans()):
        ends = rng.permutation(np.append(ends, ends[:3]))
    lengths = np.minimum(ends, n_steps if draw(st.booleans()) else rng.integers(0, 12, len(ends)))
    weight = rng.integers(1, 3, len(ends)).astype(float) if draw(st.booleans()) else None
    sequences = Sequences(values, ends - lengths, lengths)
    return sequences, n_steps, np.ones(len(ends)) if weight is None else weight, rng


@given(cases())
@settings(max_examples=300, deadline=None)
def test_sums_are_those_of_the_table(case):
    sequences, n_steps, weight, rng = case
    mean, scale, fill = (rng.random((3, sequences.n_features)) + 0.5).tolist()
    mean, scale, fill = map(np.array, (mean, scale, fill))
    target = rng.normal(size=(len(sequences), 2))
    n_before = rng.choice([0, n_steps // 2, n_steps - 1])
    backcast = rng.normal(size=(sequences.n_features + 1, n_before * sequences.n_features))
    backcast = [None, backcast][rng.integers(2)]
    table = LagTable(sequences, mean, scale, n_steps, fill, backcast)
    lags = reference(sequences, mean, scale, n_steps, fill, backcast)
    np.testing.assert_allclose(table.rows(slice(None)), lags, atol=1e-12)
    coef = rng.normal(size=(lags.shape[1], 2))
    np.testing.assert_allclose(table.product(coef), lags @ coef, atol=1e-9)
    sums = table.moments(target, weight)
    weighed = weight[:, None] * lags
    np.testing.assert_allclose(sums.x, weighed.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(sums.xx, weighed.T @ lags, atol=1e-9)
    np.testing.assert_allclose(sums.xy, weighed.T @ target, atol=1e-9)
    np.testing.assert_allclose(sums.yy, weight @ target**2, atol=1e-9)
    assert sums.weight == pytest.approx(weight.sum())


def test_errors_follow_from_the_sums():
    rng = np.random.default_rng(0)
    windows = Sequences(rng.normal(size=(50, 2)), np.arange(46), np.full(46, 5))
    table = LagTable(windows, np.zeros(2), np.ones(2), 5)
    target, coef, intercept = rng.normal(size=(46, 1)), rng.normal(size=(10, 1)), np.array([0.3])
    sums = table.moments(target, np.ones(46))
    errors = target - table.rows(slice(None)) @ coef - intercept
    np.testing.assert_allclose(sums.squared_error(coef, intercept), (errors**2).sum(axis=0))


def test_a_missing_value_is_the_last_one_seen_however_long_ago():
    nan = np.nan
    values = np.array([[9.0, 9.0], [3.0, nan], *[[nan, nan]] * 20, [1.0, 2.0]])
    histories = Sequences(values, starts=[1, 0, 2], lengths=[21, 22, 3])
    table = LagTable(histories, np.zeros(2), np.ones(2), n_steps=2, fill=np.array([5.0, 7.0]))
    np.testing.assert_array_equal(
        table.rows(slice(None)), [[3, 7, 3, 7], [3, 9, 3, 9], [5, 7, 5, 7]]
    )
