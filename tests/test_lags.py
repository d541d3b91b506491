"""Tables of lags become sequences."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from sklstm import LagSequencer, LSTMRegressor

LAGS = np.array([[np.nan, np.nan, 1.0], [np.nan, 1.0, 2.0], [1.0, 2.0, 3.0]])


def test_oldest_step_comes_first():
    sequences = LagSequencer().fit_transform(LAGS)
    assert [sequence.ravel().tolist() for sequence in sequences] == [[1], [1, 2], [1, 2, 3]]


def test_newest_first_is_turned_around():
    skforecast = pd.DataFrame(LAGS[:, ::-1], columns=["lag_1", "lag_2", "lag_3"])
    sequences = LagSequencer(newest="first").fit_transform(skforecast)
    assert [sequence.ravel().tolist() for sequence in sequences] == [[1], [1, 2], [1, 2, 3]]


def test_a_hole_behind_the_first_value_is_a_step():
    sequences = LagSequencer().fit_transform([[1.0, np.nan, 2.0]])
    assert sequences.lengths.tolist() == [3]


def test_predicts_what_the_same_sequences_give():
    rng = np.random.default_rng(0)
    lags, y = rng.normal(size=(40, 5)), rng.normal(size=40)
    network = LSTMRegressor(hidden_size=4, max_epochs=2, random_state=0)
    pipeline = make_pipeline(LagSequencer(newest="first"), network).fit(lags, y)
    expected = network.fit(lags[:, ::-1, None], y).predict(lags[:, ::-1, None])
    np.testing.assert_allclose(pipeline.predict(lags), expected, rtol=1e-6)


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="is expecting 3 features"):
        LagSequencer().fit(LAGS).transform(LAGS[:, :2])
