"""The recipe of the docs for weights from Keras and back, on files that Keras 3.15.1 wrote."""

import re
from pathlib import Path

import numpy as np
import pytest

from sklstm import LSTMRegressor

ROOT = Path(__file__).parent
PREDICTED = {
    "LSTM1": [0.0531027, 0.11046398, 0.09177338, 0.04041116, 0.06944528],
    "GRU0": [0.7928123, 0.34092504, 0.41368186, 0.8234706, 0.13804355],
    "SimpleRNN0": [0.48824137, -0.30750185, 0.18061171, 0.31174684, 1.108862],
}
"""What `predict` of Keras returned for standard normal steps of NumPy's generator with seed 0."""


@pytest.fixture(scope="module")
def recipe():
    page = (ROOT.parent / "docs" / "coming_from.md").read_text()
    blocks = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    functions = {}
    exec(next(block for block in blocks if "def from_keras" in block), functions)
    return functions


@pytest.mark.parametrize("file", PREDICTED)
def test_weights_come_from_keras_and_go_back(file, recipe):
    X = np.random.default_rng(0).normal(size=(5, 6, 3)).astype("float32")
    kind, bidirectional = file[:-1], file.endswith("1")
    cell = {"SimpleRNN": "rnn"}.get(kind, kind.lower())
    settings = {"standardize": False, "init": None, "input_transform": "levels", "pooling": "last"}
    model = LSTMRegressor(
        4, cell=cell, bidirectional=bidirectional, max_epochs=1, early_stopping=False, **settings
    ).fit(X, X[:, 0, 0])
    weights = recipe["read_keras"](ROOT / "data" / f"{file}.keras")
    recipe["from_keras"](model, weights)
    np.testing.assert_allclose(model.predict(X), PREDICTED[file], atol=1e-6)
    for given, back in zip(weights, recipe["to_keras"](model), strict=True):
        np.testing.assert_array_equal(given, back)
