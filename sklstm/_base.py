"""What the estimators share: parameters, fit, predict, state."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from skorch.callbacks import GradientNormClipping

from sklstm._batches import BatchLoader, SequenceDataset, standardization
from sklstm._inputs import as_sequences, check_finite_steps, is_table
from sklstm._losses import WeightedLoss
from sklstm._network import CELLS, POOLINGS, SequenceNetwork
from sklstm._training import (
    OPTIMIZERS,
    EarlyStopping,
    Samples,
    SequenceNet,
    draw_seed,
    explain_out_of_memory,
    resolve_device,
    seeded,
    split_validation,
    suitable_threads,
)

__all__ = ["BaseLSTM"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}
MIN_PREDICTION_BATCH = 1024


class BaseLSTM(BaseEstimator):
    """Fit and predict for networks that read sequences.

    A subclass has `_encode_target(y, reset)`, which gives an array with a row a sample;
    `_n_network_outputs()`; `_elementwise_loss()`; and the public `fit` and `predict`.
    """

    _parameter_constraints: dict = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "num_layers": [Interval(Integral, 1, None, closed="left")],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "pooling": [StrOptions(set(POOLINGS))],
        "standardize": ["boolean"],
        "optimizer": [StrOptions(set(OPTIMIZERS)), type],
        "optimizer_params": [dict, None],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "clip_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, None],
        "skorch_params": [dict, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
    }

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        self._validate_params()
        device = resolve_device(self.device)
        seed = draw_seed(self.random_state)
        self._fitted_on_table = is_table(X)
        samples = self._check_samples(X, y, sample_weight, reset=True)
        validation = self._check_validation(X, X_val, y_val, sample_weight_val)
        if validation is None and self.early_stopping:
            samples, validation = split_validation(samples, self.validation_fraction, seed)
        self._learn_scales(samples)
        self.device_ = str(device)
        with (
            seeded(seed, device),
            suitable_threads(self.batch_size, self.hidden_size),
            explain_out_of_memory(device, self.batch_size),
        ):
            self.net_ = self._make_net(self._network_params(), validation is not None)
            self.net_.initialize()
            self.net_.train(
                self._dataset(*samples),
                None if validation is None else self._dataset(*validation),
            )
        self._record_history()
        return self

    def _predict(self, X):
        """Outputs of the network, (n_sequences, n_network_outputs), float64."""
        check_is_fitted(self)
        if is_table(X) and not self._fitted_on_table:
            warnings.warn(
                f"{type(self).__name__} was fitted on sequences and now gets a table, of which it "
                "reads each row as a sequence of one step. Is a SequenceWindower missing?",
                UserWarning,
                stacklevel=3,
            )
        sequences = self._as_sequences(X, reset=False)
        check_finite_steps(sequences, self)
        batch_size = min(len(sequences), self.net_.iterator_valid__batch_size)
        hidden_size = self.net_.module_.recurrent.hidden_size
        with (
            suitable_threads(batch_size, hidden_size),
            explain_out_of_memory(self.device_, batch_size),
        ):
            outputs = self.net_.forward(self._dataset(sequences))
        return outputs.numpy().astype(np.float64)

    def _as_sequences(self, X, *, reset):
        return as_sequences(self, X, reset=reset)

    def _check_samples(self, X, y, sample_weight, *, reset):
        sequences = self._as_sequences(X, reset=reset)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        target = self._encode_target(y, reset=reset)
        if len(target) != len(sequences):
            raise ValueError(
                f"X has {len(sequences)} rows and y has {len(target)}: each row of X, one "
                "sequence, needs its target. A SequenceWindower keeps the number of rows."
            )
        weight = _check_sample_weight(
            sample_weight, target, dtype=np.float64, ensure_non_negative=True
        )
        rows = np.flatnonzero(weight)  # a row of weight 0 is history of other rows, no more
        samples = Samples(sequences, target, weight).take(rows)
        check_finite_steps(samples.sequences, self, rows)
        self._check_finite_target(samples.target, rows)
        return samples

    def _check_finite_target(self, target, rows):
        bad = np.flatnonzero(~np.isfinite(target).reshape(len(target), -1).all(axis=1))
        if len(bad):
            what = "NaN" if np.isnan(target[bad[0]]).any() else "infinity"
            raise ValueError(
                f"Input y contains {what}: in row {rows[bad[0]]} (counted from 0) and "
                f"{len(bad) - 1} more. Drop such rows, or give them sample_weight 0 so that they "
                "are history only."
            )

    def _check_validation(self, X, X_val, y_val, sample_weight_val):
        if X_val is None:
            if y_val is not None or sample_weight_val is not None:
                raise ValueError("y_val and sample_weight_val need X_val.")
            return None
        if is_table(X_val) != is_table(X):
            raise ValueError(
                f"X_val is a {type(X_val).__name__} and X is a {type(X).__name__}: one is a "
                "table, the other holds sequences. Put X_val through the same steps as X; in a "
                "Pipeline, transform_input=['X_val'] does."
            )
        return self._check_samples(X_val, y_val, sample_weight_val, reset=False)

    def _learn_scales(self, samples):
        n_features = samples.sequences.n_features
        self.feature_mean_, self.feature_scale_ = np.zeros(n_features), np.ones(n_features)
        if self.standardize:
            self.feature_mean_, self.feature_scale_ = standardization(
                samples.sequences, samples.weight
            )

    def _scale_target(self, target):
        """Target in the units that the network learns."""
        return target

    def _dataset(self, sequences, target=None, weight=None):
        return SequenceDataset(
            sequences,
            self.feature_mean_,
            self.feature_scale_,
            device=torch.device(self.device_),
            dtype=self.net_.module_.head.weight.dtype,
            target=None if target is None else self._scale_target(target),
            weight=weight,
        )

    def _network_params(self):
        return {
            "n_features": self.n_features_in_,
            "n_outputs": self._n_network_outputs(),
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "pooling": self.pooling,
            "dtype": DTYPES[self.dtype],
        }

    def _make_net(self, network_params, validated=False):
        """Build the skorch net; `skorch_params` have the last word."""
        callbacks = list(self.callbacks or [])
        if self.clip_grad_norm is not None:
            callbacks.append(GradientNormClipping(self.clip_grad_norm))
        if self.early_stopping and validated:
            callbacks.append(EarlyStopping(self.n_iter_no_change, self.tol))
        settings = {
            "module": SequenceNetwork,
            "criterion": WeightedLoss,
            "criterion__elementwise": self._elementwise_loss(),
            "optimizer": OPTIMIZERS.get(self.optimizer, self.optimizer),
            "optimizer__weight_decay": self.weight_decay,
            "lr": self.lr,
            "max_epochs": self.max_epochs,
            "batch_size": self.batch_size,
            "iterator_train": BatchLoader,
            "iterator_train__shuffle": True,
            "iterator_valid": BatchLoader,
            "iterator_valid__batch_size": max(self.batch_size, MIN_PREDICTION_BATCH),
            "train_split": None,
            "callbacks": callbacks,
            "verbose": 0,
            "device": self.device_,
        }
        settings |= {f"module__{name}": value for name, value in network_params.items()}
        settings |= {
            f"optimizer__{name}": value for name, value in (self.optimizer_params or {}).items()
        }
        return SequenceNet(**settings | (self.skorch_params or {}))

    def _record_history(self):
        self.history_ = self.net_.epochs()
        self.n_iter_ = len(self.history_)
        self.loss_curve_ = self.history_["train_loss"].tolist()
        self.best_epoch_ = self.n_iter_
        for _, callback in self.net_.callbacks_:
            if isinstance(callback, EarlyStopping):
                self.best_epoch_ = callback.best_epoch_

    def __getstate__(self):
        """Keep the network as its sizes and plain arrays: the optimizer's state stays behind."""
        state = dict(super().__getstate__())
        if "net_" in state:
            net = state.pop("net_")
            params = net.get_params_for("module")
            state["_network_params_"] = params | {"dtype": str(params["dtype"]).split(".")[1]}
            state["_network_weights_"] = {
                name: weight.numpy(force=True).copy()
                for name, weight in net.module_.state_dict().items()
            }
        return state

    def __setstate__(self, state):
        """Build the network again, on the CPU if the device it was trained on is not here."""
        state = dict(state)
        params = state.pop("_network_params_", None)
        weights = state.pop("_network_weights_", None)
        super().__setstate__(state)
        if params is None:
            return
        self.device_ = str(_device_here(self.device_))
        with torch.random.fork_rng([]):  # initial weights are drawn, then replaced
            self.net_ = self._make_net(params | {"dtype": DTYPES[params["dtype"]]}).initialize()
        self.net_.module_.load_state_dict(
            {name: torch.from_numpy(weight) for name, weight in weights.items()}
        )
        self.net_.module_.eval()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _device_here(name):
    try:
        return resolve_device(name)
    except ValueError:
        warnings.warn(
            f"The estimator was fitted on {name}, which is not here: it predicts on the CPU.",
            UserWarning,
            stacklevel=2,
        )
        return torch.device("cpu")
