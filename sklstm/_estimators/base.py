"""What the estimators share: parameters, fit, predict, state."""

import os
import warnings
from numbers import Integral, Real

import joblib
import numpy as np
import torch
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_array,
    check_is_fitted,
)

from sklstm._data.estimator import SequenceEstimator
from sklstm._data.inputs import as_sequences, check_finite_steps, is_table
from sklstm._data.samples import Samples, split_validation
from sklstm._data.sequences import Sequences, ranges
from sklstm._data.steps import (
    flatten_steps,
    flatten_weights,
    is_unlabelled,
    per_step,
    unflatten_steps,
)
from sklstm._nn.batches import (
    BatchLoader,
    SequenceDataset,
    differ_in_length,
    medians,
    standardization,
)
from sklstm._nn.losses import WeightedLoss
from sklstm._nn.network import CELLS, POOLINGS, SequenceNetwork
from sklstm._train.callbacks import (
    SCHEDULES,
    Checkpoint,
    ClipGradients,
    EarlyStopping,
    KeepWeights,
    Progress,
    Schedule,
    ScikitLearnCallbacks,
    read_checkpoint,
)
from sklstm._train.loop import (
    OPTIMIZERS,
    SequenceNet,
    draw_seed,
    explain_out_of_memory,
    flops_of_step,
    resolve_device,
    seeded,
    suitable_threads,
)

__all__ = ["BaseLSTM"]

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}
FUSED_OPTIMIZERS = {"adam", "adamw", "sgd"}
N_MISSING_CHANNELS = 3
MIN_RUNS_IN_BATCH = 4
MERGE_FROM_FLOPS = {"cpu": 1e7, "cuda": 5e10}  # the former measured, the latter estimated


class BaseLSTM(SequenceEstimator):
    """Fit and predict for networks that read sequences.

    A subclass has `_encode_target(y, rows, reset)`, which gives ``(n_samples, n_outputs)`` floats;
    `_n_network_outputs()`; `_elementwise_loss()`; and the public methods.
    """

    _parameter_constraints: dict = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "num_layers": [Interval(Integral, 1, None, closed="left")],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "pooling": [StrOptions(set(POOLINGS)), None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_weights": ["array-like", None],
        "freeze_embedding": ["boolean"],
        "standardize": ["boolean"],
        "missing": [StrOptions({"error", "mask"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), type],
        "optimizer_params": [dict, None],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_scheduler": [StrOptions(set(SCHEDULES)), callable, None],
        "clip_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "supervised_steps": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "callbacks": [list, None],
        "skorch_params": [dict, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "verbose": [Interval(Integral, 0, 2, closed="both"), "boolean"],
        "random_state": ["random_state"],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
    }

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        self._validate_params()
        continues = self.warm_start and hasattr(self, "net_")
        saved = self._read_checkpoint()
        self._start(X, continues)
        if saved is not None and not isinstance(self.random_state, Integral):
            self._seed = saved["run"]["seed"]
        samples = self._check_samples(X, y, sample_weight, reset=not continues)
        validation = self._check_validation(X, X_val, y_val, sample_weight_val)
        if validation is None and self.early_stopping:
            samples, validation = split_validation(
                samples, self.validation_fraction, self._seed, self._stratify(samples)
            )
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        fit_data = _rows_with_weight(X, y, sample_weight, of_steps=self.pooling is None)
        context.call_on_fit_task_begin(estimator=self, **fit_data)
        weights, callbacks = KeepWeights(), []
        if self.early_stopping:
            weights = EarlyStopping(self.n_iter_no_change, self.tol)
        if self.lr_scheduler is not None:
            callbacks.append(Schedule(self._make_scheduler))
        if self.checkpoint is not None:
            run = self._describe_run(samples, validation)
            self._check_same_run(saved, run)
            callbacks.append(Checkpoint(self.checkpoint, saved, run, [weights, *callbacks]))
        if self.verbose:
            callbacks.append(Progress(self.verbose, self.max_epochs, weights))
        if hasattr(self, "_skl_callbacks"):
            callbacks.append(ScikitLearnCallbacks(self, context, fit_data))
        self._train(samples, validation, continues, self.max_epochs, weights, callbacks)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **fit_data)
        return self

    def _partial_fit(self, X, y, sample_weight, *, knows_target=False):
        self._validate_params()
        continues = hasattr(self, "net_")
        self._start(X, continues)
        samples = self._check_samples(
            X, y, sample_weight, reset=not continues, knows_target=knows_target
        )
        self._train(samples, None, continues, 1, KeepWeights())
        return self

    def _start(self, X, continues):
        """Settle what lasts over several calls."""
        self._try_optimizer()
        if not continues:
            self._seed = draw_seed(self.random_state)
            self.device_ = str(resolve_device(self.device))
            self._fitted_on_table = self._is_table(X)
            return
        fitted = self.net_.get_params_for("module")
        changed = [name for name, value in self._network_params().items() if fitted[name] != value]
        if changed:
            raise ValueError(
                f"The network was fitted with another {' and '.join(changed)} "
                f"({', '.join(str(fitted[name]) for name in changed)}), so training cannot go on. "
                "Set it back, or fit a clone."
            )

    def _train(self, samples, validation, continues, epochs, weights, callbacks=()):
        device = torch.device(self.device_)
        seed = self._seed
        if continues:
            seed += self.n_iter_  # not the same batches again
            self.net_.set_params(lr=self.lr, batch_size=self.batch_size)
        else:
            self._learn_scales(samples)
        supervised_steps = self._supervised_steps(samples.sequences)
        if validation is not None and differ_in_length(validation.sequences):
            validation = validation.take(np.argsort(validation.sequences.lengths, kind="stable"))
        with (
            seeded(seed, device),
            suitable_threads(-(-self.batch_size // supervised_steps), self.hidden_size),
            explain_out_of_memory(device, self.batch_size, "batch_size"),
        ):
            if not continues:
                self.net_ = self._make_net(self._network_params()).initialize()
                self._load_embedding()
            self.net_.iterator_train__supervised_steps = supervised_steps
            dataset = self._dataset(*samples)
            validation = None if validation is None else self._dataset(*validation)
            try:
                self.net_.train(
                    dataset, validation, epochs=epochs, weights=weights, callbacks=callbacks
                )
            finally:
                self._tell_history(weights)

    def _tell_history(self, weights):
        """Public attributes of a training, complete or not."""
        if not self.net_.history:
            del self.net_  # broken off before the first epoch was complete: not fitted
            return
        self.loss_curve_ = self.history_["train_loss"].tolist()
        self.n_iter_ = len(self.loss_curve_)
        self.best_epoch_ = weights.kept_epoch_

    @property
    def history_(self):
        """One row an epoch, made of the history of the net."""
        return self.net_.epochs()

    def to_onnx(self, path):
        """Write the fitted estimator as an ONNX model, which predicts without sklstm and torch.

        It takes any number of sequences of any length, in their own units: standardisation is part
        of the model. What stands in front of the estimator in a Pipeline is not.

        Parameters
        ----------
        path : str or path-like
            The file, such as ``"model.onnx"``. One that is there is replaced in one step.

        Raises
        ------
        ImportError
            If the package onnx is missing, which ``pip install 'sklstm[onnx]'`` brings.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `skorch_params` brought another network, or the labels are no texts or numbers.
        OSError
            If the file cannot be written.

        Notes
        -----
        Inputs of the model:

        * ``steps``, double, ``(batch, n_steps, n_features)``, at least one step: each sequence from
          its beginning, with anything behind its end. Nothing checks for NaN, which only
          ``missing="mask"`` understands.
        * ``tokens``, int64, ``(batch, n_steps)``: instead, if X holds tokens.
        * ``lengths``, int64, ``(batch,)``: number of steps of each sequence, 0 to ``n_steps``.

        Outputs, with an axis ``n_steps`` behind ``batch`` if ``pooling=None``, where what stands
        behind the end of a sequence means nothing:

        * ``prediction``, double, ``(batch,)`` or ``(batch, n_outputs)``, of a regressor.
        * ``label``, of the type of `classes_`, ``(batch,)``; if a sample may have several labels
          int64 zeros and ones, ``(batch, n_classes)``.
        * ``probabilities``, double, ``(batch, n_classes)``.

        The network computes in float32: a prediction differs from that of `predict` in about the
        sixth digit, with ``dtype="bfloat16"`` in the third. The metadata of the model hold
        ``feature_names`` and ``classes`` as JSON.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 10, 2))
        >>> model = LSTMRegressor(max_epochs=2).fit(X, X[:, -1, 0])
        >>> model.to_onnx("model.onnx")  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession("model.onnx")  # doctest: +SKIP
        >>> session.run(None, {"steps": X, "lengths": np.full(50, 10)})  # doctest: +SKIP
        """
        check_is_fitted(self)
        from sklstm._nn.onnx import export  # the package onnx is optional

        export(self, path)

    def _predict(self, X, answer):
        """Answer for each row of X, or each step if there is no pooling.

        `answer` turns outputs of the network, (n, n_network_outputs) float64, into n answers.
        """
        check_is_fitted(self)
        if self._is_table(X) and not self._fitted_on_table:
            warnings.warn(
                f"{type(self).__name__} was fitted on sequences and now gets a table, of which it "
                "reads each row as a sequence of one step. Is a SequenceWindower missing?",
                UserWarning,
                stacklevel=3,
            )
        sequences = self._as_sequences(X, reset=False)
        check_finite_steps(sequences, self, allow_nan=self.missing == "mask")
        if differ_in_length(sequences):
            order = np.argsort(sequences.lengths, kind="stable")  # similar lengths together
            outputs = self._outputs(sequences[order])
            sizes = sequences.lengths if self.pooling is None else np.ones_like(order)
            starts = np.empty_like(order)
            starts[order] = np.cumsum(sizes[order]) - sizes[order]
            outputs = outputs[ranges(starts, sizes)]
        else:
            outputs = self._outputs(sequences)
        answers = answer(outputs.astype(np.float64))
        return answers if self.pooling else unflatten_steps(answers, sequences.lengths)

    def _outputs(self, sequences):
        """What the network says of the sequences, one after another."""
        batch_size = min(len(sequences), self.net_.prediction_batch_size(sequences.max_length))
        with (
            suitable_threads(batch_size, self.net_.module__hidden_size),
            explain_out_of_memory(
                self.device_, batch_size, "iterator_valid__batch_size in skorch_params"
            ),
        ):
            return self.net_.outputs(self._dataset(sequences)).numpy()

    def _score(self, metric, X, y, sample_weight):
        """Score what is predicted by a metric of flat arrays."""
        if self.pooling is None:
            metric = per_step(metric)
        return metric(y, self.predict(X), sample_weight=sample_weight)

    def _is_table(self, X):
        return not self._reads_tokens() and is_table(X)

    def _reads_tokens(self):
        return self.embedding_dim is not None or self.embedding_weights is not None

    def _as_sequences(self, X, *, reset):
        return as_sequences(self, X, reset=reset, tokens=self._reads_tokens())

    def _check_samples(self, X, y, sample_weight, *, reset, knows_target=False):
        sequences = self._as_sequences(X, reset=reset)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        if _num_samples(y) != len(sequences):
            raise ValueError(
                f"X has {len(sequences)} rows and y has {_num_samples(y)}: each row of X, one "
                "sequence, needs its target. A SequenceWindower keeps the number of rows."
            )
        if self.pooling is None:
            return self._check_steps(sequences, y, sample_weight, reset=reset and not knows_target)
        rows, weight = range(len(sequences)), np.broadcast_to(1.0, len(sequences))
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, np.empty(len(sequences)), dtype=np.float64, ensure_non_negative=True
            )
            rows = np.flatnonzero(weight)  # a row of weight 0 is history of other rows, no more
        if len(rows) < len(sequences):
            sequences, y, weight = sequences[rows], _safe_indexing(y, rows), weight[rows]
        check_finite_steps(sequences, self, rows, allow_nan=self.missing == "mask")
        target = self._encode_target(y, rows, reset=reset and not knows_target)
        return Samples(sequences, target, weight)

    def _check_steps(self, sequences, y, sample_weight, *, reset):
        """Samples with a target at every step that has a label."""
        lengths = sequences.lengths
        flat = flatten_steps(y, lengths)
        weight = np.ones(len(flat))
        if sample_weight is not None:
            weight = flatten_weights(sample_weight, lengths)
        weight = _check_sample_weight(weight, flat, dtype=np.float64, ensure_non_negative=True)
        weight[is_unlabelled(flat)] = 0
        labelled = np.flatnonzero(weight)
        if not len(labelled):
            raise ValueError("No step has a label: y holds nothing but NaN, or -1 for labels.")
        encoded = self._encode_target(flat[labelled], labelled, reset=reset)
        target = np.zeros((len(flat), encoded.shape[1]))
        target[labelled] = encoded
        starts = np.cumsum(lengths) - lengths
        rows = np.unique(np.repeat(np.arange(len(lengths)), lengths)[labelled])
        check_finite_steps(sequences[rows], self, rows, allow_nan=self.missing == "mask")
        samples = Samples(
            sequences,
            Sequences(target, starts, lengths),
            Sequences(weight[:, None], starts, lengths),
        )
        return samples.take(rows)

    def _stratify(self, samples):
        """Labels whose shares a random validation part keeps, or None."""
        return

    def _check_validation(self, X, X_val, y_val, sample_weight_val):
        if X_val is None:
            if y_val is not None or sample_weight_val is not None:
                raise ValueError("y_val and sample_weight_val need X_val.")
            return None
        if self._is_table(X_val) != self._is_table(X):
            raise ValueError(
                f"X_val is a {type(X_val).__name__} and X is a {type(X).__name__}: one is a "
                "table, the other holds sequences. Put X_val through the same steps as X; in a "
                "Pipeline, transform_input=['X_val'] does."
            )
        return self._check_samples(X_val, y_val, sample_weight_val, reset=False)

    def _learn_scales(self, samples):
        sequences, weight = samples.sequences, samples.sequence_weight()
        n_features = sequences.n_features
        self.feature_mean_, self.feature_scale_ = np.zeros(n_features), np.ones(n_features)
        if self._reads_tokens():
            self.n_tokens_ = self._count_tokens(sequences)
            return
        if self.missing == "mask":
            self._refuse_missing_features(sequences)
            self.feature_median_ = medians(sequences, weight)
        if self.standardize:
            self.feature_mean_, self.feature_scale_ = standardization(sequences, weight)

    def _refuse_missing_features(self, sequences):
        used = sequences.values[sequences.step_weights() > 0]
        gone = np.flatnonzero(np.isnan(used).all(axis=0))
        if len(gone):
            names = sequences.feature_names
            raise ValueError(
                f"Feature {gone[0] if names is None else repr(names[gone[0]])} is missing in every "
                "training step: there is nothing to learn from it. Leave it out."
            )

    def _count_tokens(self, sequences):
        """Number of rows of the embedding."""
        used = sequences.step_weights() > 0
        n_tokens = int(sequences.values[used].max(initial=0)) + 1
        if self.embedding_weights is None:
            return n_tokens
        weights = check_array(self.embedding_weights, input_name="embedding_weights")
        if len(weights) < n_tokens or weights.shape[1] != (self.embedding_dim or weights.shape[1]):
            raise ValueError(
                f"embedding_weights has the shape {weights.shape}; expected a row for each of the "
                f"tokens 0 to {n_tokens - 1} in X, and "
                f"{self.embedding_dim or 'any number of'} columns."
            )
        return len(weights)

    def _load_embedding(self):
        if self.embedding_weights is not None:
            with torch.no_grad():
                weights = torch.tensor(np.asarray(self.embedding_weights))
                self.net_.module_.embedding.weight.copy_(weights)

    def _scale_target(self, target):
        """Target in the units that the network learns."""
        return target

    def _dataset(self, sequences, target=None, weight=None):
        if isinstance(target, Sequences):
            scaled = self._scale_target(target.values)
            target = Sequences(scaled, target.starts, target.lengths)
        elif target is not None:
            target = self._scale_target(target)
        return SequenceDataset(
            sequences,
            self.feature_mean_,
            self.feature_scale_,
            device=torch.device(self.device_),
            dtype=self.net_.module_.head.weight.dtype,
            n_tokens=self.n_tokens_ if self._reads_tokens() else None,
            fill=self._scaled_median(),
            target=target,
            weight=weight,
        )

    def _scaled_median(self):
        if self.missing == "error" or self._reads_tokens():  # no token is missing
            return None
        return (self.feature_median_ - self.feature_mean_) / self.feature_scale_

    def _optimizer_settings(self):
        """Class and arguments, but for the learning rate."""
        settings = {"weight_decay": self.weight_decay}
        if self.optimizer in FUSED_OPTIMIZERS:
            settings["fused"] = True
        optimizer = OPTIMIZERS.get(self.optimizer, self.optimizer)
        return optimizer, settings | (self.optimizer_params or {})

    def _try_optimizer(self):
        """Find settings that the optimizer does not take before training begins."""
        optimizer, settings = self._optimizer_settings()
        try:
            made = optimizer([torch.zeros(1, requires_grad=True)], lr=self.lr, **settings)
            if self.lr_scheduler is not None:
                self._make_scheduler(made)
        except Exception as error:
            raise ValueError(
                f"optimizer={self.optimizer!r} cannot be made with lr={self.lr}, "
                f"optimizer_params={self.optimizer_params} and lr_scheduler={self.lr_scheduler!r}: "
                f"{error}"
            ) from error

    def _make_scheduler(self, optimizer):
        if callable(self.lr_scheduler):
            return self.lr_scheduler(optimizer)
        return SCHEDULES[self.lr_scheduler](optimizer, self.max_epochs)

    def _read_checkpoint(self):
        if self.checkpoint is None:
            return None
        if self.warm_start:
            raise ValueError("checkpoint resumes a training by itself: set warm_start=False.")
        return read_checkpoint(self.checkpoint)

    def _describe_run(self, samples, validation):
        """What makes two trainings the same: settings, seed, features, data."""
        left_out = {"callbacks", "checkpoint", "device", "random_state", "verbose", "warm_start"}
        if self.lr_scheduler is None:
            left_out.add("max_epochs")  # more epochs are more of the same
        settings = {
            name: _describe(value)
            for name, value in self.get_params().items()
            if name not in left_out
        }
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return settings | {
            "seed": self._seed,
            "features": ", ".join(map(str, names)),
            "data": joblib.hash((samples, validation)),
        }

    def _check_same_run(self, saved, run):
        if saved is None or saved["run"] == run:
            return
        then = saved["run"]
        changed = [
            f"{name} was {then.get(name)} and is {run.get(name)}"
            for name in sorted(then | run)
            if then.get(name) != run.get(name)
        ]
        raise ValueError(
            f"checkpoint={os.fspath(self.checkpoint)!r} holds another training: "
            f"{'; '.join(changed)}. Give each training a folder of its own, or empty this one."
        )

    def _supervised_steps(self, sequences):
        """How many neighbours a training run merges."""
        can_merge = self.pooling == "last" and not self.bidirectional
        if self.supervised_steps != "auto":
            if self.supervised_steps > 1 and not can_merge:
                raise ValueError(
                    f"supervised_steps={self.supervised_steps} reads several histories off one "
                    "run, which needs pooling='last' and bidirectional=False. Use "
                    "supervised_steps='auto' or 1."
                )
            return self.supervised_steps
        longest = sequences.max_length
        if not can_merge or (sequences.series < 0).all() or not self._merging_pays(longest):
            return 1
        return max(min(self.batch_size // MIN_RUNS_IN_BATCH, longest // 2), 1)

    def _merging_pays(self, n_steps):
        """Whether a batch has so much to compute that a part of it is clearly quicker."""
        flops = n_steps * flops_of_step(self.batch_size, self.hidden_size)
        return flops >= MERGE_FROM_FLOPS["cpu" if self.device_ == "cpu" else "cuda"]

    def _network_params(self):
        n_channels = N_MISSING_CHANNELS if self.missing == "mask" else 1
        tokens = {}
        if self._reads_tokens():
            tokens = {
                "n_tokens": self.n_tokens_,
                "embedding_dim": self.embedding_dim or np.shape(self.embedding_weights)[1],
                "freeze_embedding": self.freeze_embedding,
            }
        return tokens | {
            "n_features": n_channels * self.n_features_in_,
            "n_outputs": self._n_network_outputs(),
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "pooling": self.pooling,
            "mixed_precision": self.dtype == "bfloat16",
            "dtype": DTYPES[self.dtype],
        }

    def _make_net(self, network_params):
        """Build the skorch net; `skorch_params` have the last word."""
        callbacks = list(self.callbacks or [])
        if self.clip_grad_norm is not None:
            callbacks.append(ClipGradients(self.clip_grad_norm))
        optimizer, optimizer_settings = self._optimizer_settings()
        settings = {
            "module": SequenceNetwork,
            "criterion": WeightedLoss,
            "criterion__elementwise": self._elementwise_loss(),
            "optimizer": optimizer,
            "lr": self.lr,
            "max_epochs": self.max_epochs,
            "batch_size": self.batch_size,
            "iterator_train": BatchLoader,
            "iterator_train__shuffle": True,
            "iterator_valid": BatchLoader,
            "train_split": None,
            "callbacks": callbacks,
            "verbose": 0,
            "device": self.device_,
        }
        settings |= {f"module__{name}": value for name, value in network_params.items()}
        settings |= {f"optimizer__{name}": value for name, value in optimizer_settings.items()}
        return SequenceNet(**settings | (self.skorch_params or {}))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")

    def _to_plain(self, state):
        """Keep the network as its sizes and plain arrays: the optimizer's state stays behind."""
        if "net_" in state:
            net = state.pop("net_")
            params = net.get_params_for("module")
            state["_net_history_"] = net.rows()
            state["_network_params_"] = params | {"dtype": str(params["dtype"]).split(".")[1]}
            state["_network_weights_"] = {
                name: weight.numpy(force=True).copy()
                for name, weight in net.module_.state_dict().items()
            }
        return state

    def __setstate__(self, state):
        """Build the network again, on the CPU if the device it was trained on is not here."""
        super().__setstate__(state)
        params = vars(self).pop("_network_params_", None)
        weights = vars(self).pop("_network_weights_", None)
        history = vars(self).pop("_net_history_", None)
        if params is None:
            return
        self.device_ = str(_device_here(self.device_))
        with torch.random.fork_rng([]):  # initial weights are drawn, then replaced
            self.net_ = self._make_net(params | {"dtype": DTYPES[params["dtype"]]})
            self.net_.restore(weights, history)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "mask"
        return tags


def _rows_with_weight(X, y, sample_weight, of_steps):
    """What scikit-learn's callbacks may score on: rows of weight 0 need not have a target."""
    if sample_weight is not None and not of_steps:
        sample_weight = np.asarray(sample_weight)
        rows = np.flatnonzero(sample_weight)
        if len(rows) < len(sample_weight):
            X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
            sample_weight = sample_weight[rows]
    return {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}


def _describe(setting):
    """A setting as text that is the same in another process."""
    if isinstance(setting, dict):
        return str({name: _describe(value) for name, value in setting.items()})
    if isinstance(setting, (np.ndarray, list)):
        return joblib.hash(np.asarray(setting))
    return getattr(setting, "__qualname__", repr(setting))


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
