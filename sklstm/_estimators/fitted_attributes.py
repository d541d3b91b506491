"""Fitted attributes: each reads the one object that `fit` keeps."""

from typing import Any, Self

import numpy as np
import pandas as pd

from sklstm._data.estimator import SequenceEstimator
from sklstm._train.additive import AdditiveModel
from sklstm._train.loop import SequenceNet

__all__ = ["FittedAttributes"]


class FittedAttributes(SequenceEstimator):
    """Fitted attributes of both estimators; before `fit` there are none."""

    _fitted: AdditiveModel

    @property
    def net_(self) -> SequenceNet:
        """The skorch net, with its history and the module of torch.

        For inspection, such as ``net_.module_.state_dict()``. It has neither the standardisation
        nor the init: predictions come from the estimator, not from the net.

        See Also
        --------
        skorch.NeuralNet : Its methods and attributes.
        LSTMRegressor.to_onnx : Write a model that predicts without torch.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> model = LSTMRegressor(8, cell="gru", max_epochs=1)
        >>> model.fit([[[1.0], [2.0]], [[3.0]]], [1.0, 2.0]).net_.module_.recurrent
        GRU(3, 8, bidirectional=True)
        """
        return self._fitted.net

    @property
    def estimators_(self) -> list[Self]:
        """One fitted estimator for each network: the init plus the correction of this network.

        The standard deviation of their predictions shows how much these depend on initial weights.
        It is no interval for the target: it leaves out the noise.

        See Also
        --------
        LSTMRegressor : The parameter `n_networks`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMRegressor
        >>> X, y = [[[1.0], [2.0]], [[3.0]]], [1.0, 2.0]
        >>> model = LSTMRegressor(2, n_networks=5, max_epochs=1, random_state=0).fit(X, y)
        >>> each = [estimator.predict(X) for estimator in model.estimators_]
        >>> np.allclose(np.mean(each, axis=0), model.predict(X)), np.std(each, axis=0).shape
        (True, (2,))
        """
        return [self._with_network(fitted) for fitted in self._fitted.of_each_network()]

    def _with_network(self, fitted: AdditiveModel) -> Self:
        """A copy with one network, which shares its weights."""
        one = self._blank()
        one.__dict__.update(vars(self) | {"_fitted": fitted, "n_networks": 1})
        return one

    @property
    def device_(self) -> str:
        """Device of the network.

        The one that ``device="auto"`` was resolved to. A model that was trained on a GPU and loaded
        where there is none is on the CPU.

        See Also
        --------
        LSTMRegressor : The parameter `device`.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> LSTMRegressor(2, max_epochs=1, device="cpu").fit([[[1.0]], [[3.0]]], [1, 2]).device_
        'cpu'
        """
        return self._fitted.net.device

    @property
    def n_iter_(self) -> int:
        """Number of complete epochs.

        Fewer than `max_epochs` if training stopped early, or was interrupted; `partial_fit` and
        `warm_start` add to it.

        See Also
        --------
        best_epoch_ : The epoch whose weights are kept.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> model = LSTMRegressor(2, max_epochs=3).fit([[[1.0]], [[3.0]]], [1.0, 2.0])
        >>> model.partial_fit([[[2.0]]], [1.5]).n_iter_
        4
        """
        return self._fitted.n_epochs

    @property
    def best_epoch_(self) -> int:
        """Epoch whose weights the network has, counted from 1.

        With `early_stopping` that of the lowest validation loss; else the last one.

        See Also
        --------
        history_ : The losses of all epochs.
        sklstm.plotting.TrainingCurveDisplay : Marks the epoch among the losses.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> model = LSTMRegressor(2, max_epochs=3, early_stopping=False)
        >>> model.fit([[[1.0]], [[3.0]]], [1.0, 2.0]).best_epoch_
        3
        """
        return self._fitted.report.best_epoch

    @property
    def resolved_params_(self) -> dict[str, Any]:
        """Values of the parameters that were "auto".

        Histories of a table get other settings than independent sequences. Parameters that had a
        value are not in it.

        See Also
        --------
        sklearn.base.BaseEstimator.get_params : The parameters as they were given.
        supervised_steps_ : The value of `supervised_steps` in training.

        Examples
        --------
        >>> from sklstm import LSTMRegressor, SequenceWindower
        >>> X, y = [[[1.0], [2.0]], [[3.0]], [[4.0]]], [1.0, 2.0, 4.0]
        >>> LSTMRegressor(2, max_epochs=1).fit(X, y).resolved_params_["pooling"]
        'max'
        >>> X = SequenceWindower(2).fit_transform([[1.0], [2.0], [3.0]])
        >>> LSTMRegressor(2, max_epochs=1).fit(X, y).resolved_params_["pooling"]
        'last'
        """
        return self._fitted.report.resolved

    @property
    def init_(self) -> Any:
        """The fitted init, to whose predictions the network adds a correction, or None.

        With ``init="linear"`` it has ``coef``, a weight for each feature of each step, oldest step
        first, between standardised numbers, and ``penalty``; with an estimator it has its fitted
        clone.

        See Also
        --------
        blending_weight_ : The weight of the correction.
        validation_losses_ : The loss of the init alone.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(60, 3, 1))
        >>> model = LSTMRegressor(2, init="linear", max_epochs=1).fit(X, X[:, 1, 0])
        >>> int(np.abs(model.init_.coef).argmax())
        1
        """
        return self._fitted.init

    @property
    def blending_weight_(self) -> np.ndarray | None:
        """Weight that multiplies the network's output, or None.

        In [0, 1] for each output, chosen on the validation data: near 0 the network does not
        improve on the init. None without an init, or without validation data.

        See Also
        --------
        init_ : The init.
        validation_losses_ : Validation losses without and with the network.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(60, 3, 1))
        >>> model = LSTMRegressor(2, init="linear", max_epochs=1, early_stopping=True)
        >>> model.fit(X, X[:, 1, 0]).blending_weight_.shape
        (1,)
        """
        return self._fitted.blending_weight

    @property
    def validation_losses_(self) -> pd.DataFrame | None:
        """Validation losses of baselines, of the init, and of the estimator.

        A table with the columns ``model`` and ``loss``, lower is better: it shows whether the
        network improves on simpler models. The same validation data chose epoch and
        `blending_weight_`, so these losses are optimistic; a test on later rows is not. None
        without validation data.

        See Also
        --------
        SequenceDummyRegressor : A baseline to score on any rows.
        backtest : Forecasts from many origins, beside naive forecasts.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(60, 3, 1))
        >>> model = LSTMRegressor(2, init="linear", max_epochs=1, early_stopping=True)
        >>> model.fit(X, X[:, 1, 0]).validation_losses_["model"].tolist()
        ['mean', 'init', 'init and network']
        """
        return self._fitted.report.validation_losses

    @property
    def supervised_steps_(self) -> int:
        """How many neighbouring histories were computed in one training run.

        1: each history was computed by itself, as always in validation and predictions.

        See Also
        --------
        LSTMRegressor : The parameter `supervised_steps`, and what it costs.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import LSTMRegressor, SequenceWindower
        >>> windows = SequenceWindower(24).fit_transform(np.arange(100.0)[:, None])
        >>> model = LSTMRegressor(2, supervised_steps=4, max_epochs=1)
        >>> model.fit(windows, np.sin(np.arange(100.0))).supervised_steps_
        4
        """
        return self._fitted.report.supervised_steps

    @property
    def feature_mean_(self) -> np.ndarray:
        """Mean that standardisation subtracts from each feature.

        The mean over the steps of the training sequences, with their weights; 0 if not
        `standardize`. Of shape (`n_features_in_`,).

        See Also
        --------
        feature_scale_ : The divisor of standardisation.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> LSTMRegressor(2, max_epochs=1).fit([[[1.0], [2.0]], [[3.0]]], [0, 1]).feature_mean_
        array([2.])
        """
        return self._fitted.scaling.mean

    @property
    def feature_scale_(self) -> np.ndarray:
        """Scale that standardisation divides each feature by.

        The standard deviation over the steps of the training sequences; 1 for a feature that does
        not change, and if not `standardize`. Of shape (`n_features_in_`,).

        See Also
        --------
        feature_mean_ : The mean, which is subtracted first.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> LSTMRegressor(2, max_epochs=1).fit([[[1.0], [3.0]], [[2.0]]], [0, 1]).feature_scale_
        array([0.81649658])
        """
        return self._fitted.scaling.scale

    @property
    def feature_median_(self) -> np.ndarray | None:
        """Median imputed before the first value of a sequence, or None.

        With ``missing="mask"`` a missing value is replaced by the last one of its sequence; where
        there is none so far, by the median of the training steps. Of shape (`n_features_in_`,).

        See Also
        --------
        LSTMRegressor : The parameter `missing`.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> gappy = [[[float("nan")], [1.0]], [[5.0]], [[3.0]]]
        >>> LSTMRegressor(2, missing="mask", max_epochs=1).fit(gappy, [1, 2, 3]).feature_median_
        array([3.])
        """
        return self._fitted.scaling.median

    @property
    def n_tokens_(self) -> int | None:
        """Number of tokens, or None.

        The number of vectors of the embedding: one more than the largest token of `fit`, as token 0
        is the unknown one, or the rows of `embedding`. None if X holds numbers.

        See Also
        --------
        TokenSequencer : Turn texts into tokens.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> LSTMRegressor(2, embedding=4, max_epochs=1).fit([[1, 2], [3]], [0.0, 1.0]).n_tokens_
        4
        """
        return self._fitted.scaling.n_tokens

    @property
    def n_outputs_(self) -> int:
        """Number of targets, or of labels that a sample may have at once.

        The columns of y; 1 where each sample has one label, of any number of classes.

        See Also
        --------
        LSTMClassifier.classes_ : The labels.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> y = [[0.0, 1.0], [2.0, 3.0]]
        >>> LSTMRegressor(2, max_epochs=1).fit([[[1.0]], [[2.0]]], y).n_outputs_
        2
        """
        return self._fitted.head.n_targets

    @property
    def history_(self) -> pd.DataFrame:
        """Losses and duration of each epoch, one a row, from the history of the net.

        ``epoch``, ``train_loss``, ``valid_loss`` if there is validation data, ``dur`` in seconds,
        and columns of skorch's callbacks. A regressor's losses are those of standardised targets.

        See Also
        --------
        loss_curve_ : The training losses alone.
        sklstm.plotting.TrainingCurveDisplay : The losses as a picture.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> model = LSTMRegressor(2, max_epochs=2).fit([[[1.0]], [[2.0]]], [1.0, 2.0])
        >>> model.history_[["epoch", "train_loss"]].shape
        (2, 2)
        """
        return self._fitted.history

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss after each epoch.

        The attribute that :class:`~sklearn.neural_network.MLPRegressor` has too. It is the mean
        over the batches of an epoch, while the weights change.

        See Also
        --------
        history_ : Validation losses and durations as well.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> len(LSTMRegressor(2, max_epochs=2).fit([[[1.0]], [[2.0]]], [1.0, 2.0]).loss_curve_)
        2
        """
        return self._fitted.loss_curve
