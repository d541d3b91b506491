"""The fitted model in other forms: a file of ONNX, a module of torch."""

import os

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sklstm._estimators.fitted_attributes import FittedAttributes
from sklstm._nn.network import SequenceNetwork

__all__ = ["Exports"]


class Exports(FittedAttributes):
    """A fitted estimator that is used without scikit-learn."""

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the fitted estimator as an ONNX model, which predicts without sklstm and torch.

        The model takes any number of sequences of any length, in their own units: standardisation
        is part of it. Steps in front of the estimator in a Pipeline are not.

        Parameters
        ----------
        path : str or path-like
            The file, such as ``"model.onnx"``. An existing file is replaced atomically.

        Raises
        ------
        ImportError
            If the package onnx is missing: ``pip install 'sklstm[onnx]'``.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `skorch_params` has another network, `init` is an estimator, or labels are neither
            texts nor numbers.
        OSError
            If the file cannot be written.

        See Also
        --------
        net_ : The torch module, for other ways to export it.

        Notes
        -----
        Inputs of the model:

        * ``steps``, double, ``(batch, n_steps, n_features)``, at least one step: each sequence from
          its first step on, padded at its end with any values. NaN are not checked for; only with
          ``missing="mask"`` are they missing values.
        * ``tokens``, int64, ``(batch, n_steps)``: instead, if X holds tokens.
        * ``lengths``, int64, ``(batch,)``: number of steps of each sequence, 0 to ``n_steps``;
          ``Sequences.lengths.astype("int64")``.

        Outputs, with an axis ``n_steps`` behind ``batch`` if ``pooling=None``, whose values behind
        the end of a sequence have no meaning:

        * ``prediction``, double, ``(batch,)`` or ``(batch, n_outputs)``, of a regressor.
        * ``quantiles``, double, with a last axis of the levels, if its loss has them (not counts).
        * ``label``, of the type of `classes_`, ``(batch,)``; multilabel: a table like `y`,
          ``(batch, n_labels)``.
        * ``probabilities``, double, ``(batch, n_classes)``.

        The network computes in float32: a prediction differs from that of `predict` in about the
        sixth digit, with ``dtype="bfloat16"`` in the third. The metadata of the model hold
        ``feature_names``, ``classes`` and ``categories`` as JSON: of each feature that is a
        category, by its position among the features, the values that the codes 1, 2, ... stand for
        in ``steps``. Any other code is an unknown value, like 0.

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

        fitted = self._fitted
        kind = fitted.net.kind_of_network
        if kind is not SequenceNetwork:
            raise ValueError(
                f"The network is a {kind.__name__} from skorch_params, and to_onnx knows only "
                "that of sklstm. torch.onnx.export may be able to write net_.module_."
            )
        names = {"feature_names": "feature_names_in_", "classes": "classes_"}
        facts = {
            k: np.asarray(getattr(self, v)).tolist() for k, v in names.items() if hasattr(self, v)
        }
        if self._categories:
            facts["categories"] = {k: list(values) for k, values in self._categories.items()}
        init = fitted.init, fitted.blending_weight
        export(fitted.net.module_, fitted.scaling, fitted.head, *init, path, facts)

    def to_torch(self) -> torch.nn.Module:
        """Make one torch module of the fitted estimator, for libraries that explain such modules.

        Standardisation, init, network and the way back to units are part of it, so that captum,
        SHAP and others explain features as they are. It shares the weights of the network.

        Returns
        -------
        torch.nn.Module
            In evaluation mode, on `device_`. It takes ``steps``, ``(n_samples, n_steps,
            n_features)``, or tokens ``(n_samples, n_steps)``, and optionally ``lengths``,
            ``(n_samples,)``: steps after the end of a sequence have no effect. It returns
            predictions ``(n_samples, n_outputs)``, of a classifier one logit for each label, whose
            softmax are the probabilities (the sigmoid, where a sample has several labels). With
            ``pooling=None`` there is an axis of steps behind that of samples.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        See Also
        --------
        sklstm.inspection.history_attribution : Integrated gradients, without another library.
        to_onnx : A file that predicts without torch.

        Notes
        -----
        Calling it raises a `ValueError` if `init` is an estimator of scikit-learn. The gradients of
        ``init="convolutions"`` are zero, as it counts steps above a bias: `history_attribution`
        attributes its jumps.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from sklstm import LSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 10, 2))
        >>> model = LSTMRegressor(max_epochs=2).fit(X, X[:, -1, 0])
        >>> found = model.to_torch()(torch.tensor(X))
        >>> np.allclose(found[:, 0].detach(), model.predict(X))
        True
        """
        check_is_fitted(self)
        return self._fitted.torch_model()
