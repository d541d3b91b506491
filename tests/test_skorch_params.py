"""Parameters of skorch's net: those of no effect, or that a parameter of ours says, are refused."""

import inspect

import numpy as np
import pytest
import torch
from skorch import NeuralNet

from sklstm import LSTMClassifier, LSTMRegressor
from sklstm._nn.network import SequenceNetwork

X = np.random.default_rng(0).normal(size=(40, 5, 2))
Y = X[:, -1, 0] + 3


def quick(**params):
    settings = {"hidden_size": 4, "max_epochs": 2, "init": None, "random_state": 0}
    return LSTMRegressor(**settings | params)


@pytest.mark.parametrize(
    ("params", "cure"),
    [
        ({"max_epochs": 1}, "'max_epochs': use the parameter max_epochs"),
        ({"lr": 1.0}, "'lr': use the parameter lr"),
        ({"batch_size": 1}, "the parameter batch_size"),
        ({"iterator_train__batch_size": 1}, "the parameter batch_size"),
        ({"optimizer": torch.optim.SGD}, "the parameter optimizer"),
        ({"optimizer__lr": 1.0}, "the parameter lr"),
        ({"criterion": torch.nn.MSELoss}, "the parameter loss"),
        ({"criterion__elementwise": abs}, "the parameter loss"),
        ({"device": "cpu"}, "the parameter device"),
        ({"verbose": 1}, "the parameter verbose"),
        ({"warm_start": True}, "the parameter warm_start"),
        ({"module__hidden_size": 3}, "the parameter hidden_size"),
        ({"module__dropout": 0.5}, "the parameter dropout"),
        ({"module__dtype": torch.float64}, "the parameter dtype"),
        ({"module__n_features": 3}, "'module__n_features': it comes from X"),
        ({"train_split": None}, "early_stopping and validation_fraction, or X_val"),
        ({"iterator_train": torch.utils.data.DataLoader}, "it has no effect here, leave it out"),
        ({"iterator_train__shuffle": False}, "it has no effect here"),
        ({"iterator_train__drop_last": True}, "it has no effect here"),
        ({"iterator_valid": torch.utils.data.DataLoader}, "it has no effect here"),
        ({"iterator_valid__num_workers": 2}, "it has no effect here"),
        ({"dataset": torch.utils.data.Dataset}, "it has no effect here"),
        ({"dataset__length": 3}, "it has no effect here"),
        ({"predict_nonlinearity": abs}, "it has no effect here"),
        ({"use_caching": True}, "it has no effect here"),
        ({"max_epoch": 3}, "'max_epoch': it has no effect here"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("estimator", [LSTMRegressor, LSTMClassifier])
def test_skorch_params_of_no_effect_are_refused_by_name(estimator, params, cure):
    with pytest.raises(ValueError, match=f"skorch_params holds .*{cure}"):
        estimator(skorch_params=params).fit(X, (Y > 0).astype(int))


def test_all_parameters_of_skorch_are_refused_or_have_an_effect():
    known = set(inspect.signature(NeuralNet).parameters) - {"kwargs"}
    effective = {"module", "compile", "torch_load_kwargs", "callbacks"}
    for name in known - effective:
        with pytest.raises(ValueError, match=f"skorch_params holds '{name}'"):
            quick(skorch_params={name: None}).fit(X, Y)


def test_skorch_params_that_nothing_else_says_have_an_effect():
    groups = [("recurrent.*", {"lr": 0.0})]
    model = quick(skorch_params={"optimizer__param_groups": groups}).fit(X, Y)
    assert [group["lr"] for group in model.net_.optimizer_.param_groups] == [0.0, model.lr]


class Doubling(SequenceNetwork):
    def __init__(self, *args, factor, **kwargs):
        super().__init__(*args, **kwargs)
        self.factor = factor

    def forward(self, *args):
        return self.factor * super().forward(*args)


def test_a_module_of_ones_own_has_arguments():
    params = {"module": Doubling, "module__factor": 0.0}
    model = quick(skorch_params=params).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), Y.mean(), rtol=1e-5)


def test_callbacks_that_are_disabled_leave_the_clipping():
    norms = []

    class Norm(torch.optim.SGD):
        def step(self, closure=None):
            loss = super().step(closure)
            gradients = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
            norms.append(torch.cat(gradients).norm().item())
            return loss

    disabled = {"callbacks": "disable"}
    quick(optimizer=Norm, clip_grad_norm=1e-3, skorch_params=disabled).fit(X, Y)
    assert max(norms) <= 1.001e-3
