"""Ridge regression with predictions for samples that it was not fitted to."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sklstm._data.held_out_ridge import HeldOutRidge

RNG = np.random.default_rng(0)


def samples(n_samples=30, n_columns=8):
    columns = RNG.normal(3, size=(n_samples, n_columns))
    target = np.column_stack([columns[:, 0] + RNG.normal(size=n_samples), columns[:, 1] ** 2])
    return columns, target, RNG.uniform(0.5, 2, n_samples)


def units(columns, weight):
    mean = np.average(columns, axis=0, weights=weight)
    return mean, np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))


@pytest.mark.parametrize("n_columns", [8, 60])
@pytest.mark.parametrize("size", [1, 4])
def test_predictions_for_a_fold_are_those_of_a_model_of_the_others(n_columns, size):
    columns, target, weight = samples(n_columns=n_columns)
    fold = np.arange(len(columns)) // size
    held_out = HeldOutRidge(columns, target, weight).held_out(0.5, fold)
    mean, scale = units(columns, weight)
    scaled, weight = (columns - mean) / scale, weight / weight.mean()
    expected = np.empty(target.shape)
    for one in np.unique(fold):
        others = fold != one
        ridge = Ridge(0.5 * n_columns).fit(scaled[others], target[others], weight[others])
        mean_of_others = np.average(target[others], axis=0, weights=weight[others])
        expected[~others] = ridge.predict(scaled[~others]) - mean_of_others
    expected += np.average(target, axis=0, weights=weight)
    np.testing.assert_allclose(held_out, expected, rtol=1e-8)


@pytest.mark.parametrize("n_columns", [8, 60])
def test_the_solution_is_that_of_scikit_learn(n_columns):
    columns, target, weight = samples(n_columns=n_columns)
    coef, intercept = HeldOutRidge(columns, target, weight).solution(0.1)
    mean, scale = units(columns, weight)
    ridge = Ridge(0.1 * n_columns)
    ridge.fit((columns - mean) / scale, target, weight / weight.mean())
    expected = ridge.predict((columns - mean) / scale)
    np.testing.assert_allclose(columns @ coef + intercept, expected, rtol=1e-8)


def test_constant_columns_have_no_influence():
    columns, target, weight = samples()
    constant = np.hstack([columns, np.full((30, 8), 0.1)])
    with_them = HeldOutRidge(constant, target, weight)
    without = HeldOutRidge(columns, target, weight)
    fold = np.arange(30)
    np.testing.assert_allclose(with_them.held_out(0.5, fold), without.held_out(1.0, fold))
    np.testing.assert_allclose(with_them.solution(0.5)[0][:8], without.solution(1.0)[0])


def test_noise_does_not_predict_the_opposite_of_a_target():
    target = np.tile([1.0, -1.0], 20)[:, None]
    noise = RNG.normal(size=(40, 5)) * 1e-3
    held_out = HeldOutRidge(noise, target, np.ones(40)).held_out(1e9, np.arange(40))
    np.testing.assert_allclose(held_out, 0, atol=1e-6)


def test_a_sample_that_alone_determines_its_prediction_is_finite():
    columns, target, weight = np.eye(12), RNG.normal(size=(12, 1)), np.ones(12)
    held_out = HeldOutRidge(columns, target, weight).held_out(1e-12, np.arange(12))
    assert np.isfinite(held_out).all()
