"""A model that is a sum: its parts are made once, in order, and nothing changes them afterwards."""

import pickle

import numpy as np
import pytest

from sklstm import LSTMClassifier, LSTMRegressor, SequenceWindower
from sklstm._data.lag_table import LagTable
from sklstm._nn.scaling import InputScaling

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(200, 3)).cumsum(axis=0)
X = SequenceWindower(6, horizon=1).fit_transform(TABLE)
Y = TABLE[:, 0]


def quick(estimator=LSTMRegressor, **params):
    settings = {"init": "linear", "early_stopping": True, "max_epochs": 2, "random_state": 0}
    return estimator(4, **settings | params)


def content(model):
    """All arrays and numbers of a fitted model."""

    def flat(value):
        if isinstance(value, dict):
            return {name: flat(part) for name, part in value.items()}
        return value.tobytes() if isinstance(value, np.ndarray) else repr(value)

    return flat(model._fitted.to_plain())


@pytest.mark.parametrize("kind", ["numbers", "labels", "spreads"])
def test_nothing_changes_after_it_is_made(kind, tmp_path):
    y = (np.median(Y) < Y).astype(int) if kind == "labels" else Y
    model = quick(
        LSTMClassifier if kind == "labels" else LSTMRegressor,
        **({"loss": "gaussian"} if kind == "spreads" else {}),
    ).fit(X, y)
    before = content(model)
    model.predict(X)
    model.score(X, y)
    model.to_onnx(tmp_path / "model.onnx")
    copy = pickle.loads(pickle.dumps(model))
    assert content(copy) == before
    copy.partial_fit(X, y)
    assert content(copy) != before
    assert content(model) == before
    earlier = model._fitted
    model.set_params(warm_start=True).fit(X, y)
    assert model._fitted is not earlier
    model._fitted = earlier
    assert content(model) == before


def test_validation_meets_an_init_that_did_not_see_it():
    shifted = Y + np.where(np.arange(200) < 180, 0, 50)  # the validation part is another world
    model = quick().fit(X, shifted)
    losses = model.validation_losses_.set_index("model")["loss"]
    of_train = quick(early_stopping=False).fit(X[:180], shifted[:180])
    head = model._fitted.head
    error = (shifted[180:] - of_train.init_.predict(X[180:])[:, 0] - head.mean) / head.scale
    assert losses["init"] == pytest.approx(np.mean(error**2), rel=1e-6)
    errors = [np.mean(shifted - one.init_.predict(X)[:, 0]) for one in (of_train, model)]
    assert errors[0] > 1  # the init for predictions has seen all rows, and its mean error is 0
    assert abs(errors[1]) < 0.1


def test_lags_are_summed_and_predicted_once_and_steps_scaled_once(monkeypatch):
    summed, predicted, scaled = [], [], []

    def counted(of, method, counts):
        original = getattr(of, method)

        def spy(self, *args):
            counts.append(len(self.sequences) if of is LagTable else len(args[0]))
            return original(self, *args)

        monkeypatch.setattr(of, method, spy)

    counted(LagTable, "moments", summed)
    counted(LagTable, "product", predicted)
    counted(InputScaling, "to_tensor", scaled)
    quick().fit(X, Y)
    assert sum(summed) == len(X)  # each training row in its part, each other one at the end
    assert sorted(predicted) == [20, 180]
    assert len(scaled) == 2
