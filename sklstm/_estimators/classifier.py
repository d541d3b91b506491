"""LSTMClassifier: a label, or several, of each sequence."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Self

from sklearn.callback import with_callbacks
from sklearn.utils import Tags

from sklstm._data.samples import GivenSamples
from sklstm._data.sklearn_private import StrOptions
from sklstm._data.steps import has_no_label
from sklstm._estimators.base import ONE_EPOCH, BaseLSTM
from sklstm._estimators.mixins import ClassifierMethods
from sklstm._nn.classification_heads import MulticlassHead, learn_classification_head
from sklstm._train.plan import Plan

__all__ = ["LSTMClassifier"]


class LSTMClassifier(ClassifierMethods):
    """Predict a label, or several, of each sequence with an LSTM, a GRU or a simple RNN.

    Behind a :class:`SequenceWindower` each row of a table is labelled from the rows before it.
    Without one, X holds sequences (time series instances): a 3-D array, or a list of arrays of
    different lengths. Features may be multivariate.

    Parameters
    ----------
    hidden_size : int, default=64
        Units of each recurrent layer.
    num_layers : int, default=1
        Number of recurrent layers, each reading the outputs of the one below.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        Kind of recurrent layer: :class:`torch.nn.LSTM`, :class:`torch.nn.GRU` or
        :class:`torch.nn.RNN` (tanh).
    bidirectional : bool or "auto", default="auto"
        Whether each layer reads the sequence backwards too. ``"auto"``: True for independent
        sequences, False for histories of a table and with `pooling=None`.
    dropout : float, default=0.0
        Probability in [0, 1) of an element to be zeroed in training, behind the embedding, between
        the layers and in front of the linear head. With a pooling, whole tokens are zeroed, too,
        with half that probability.
    pooling : {"last", "mean", "max", "attention", "auto"} or None, default="auto"
        How the outputs at all steps become one vector: that of the last step read, their mean,
        their maximum, or a mean with learned weights (Zhou et al. 2016). ``"auto"`` is ``"last"``
        for histories of a table and ``"max"`` for independent sequences. `None`: no pooling, a
        prediction at every step.
    n_networks : int, default=1
        Number of networks that differ in their initial weights; predictions are made from the mean
        of their outputs. The average of 5 is mostly better than a typical one of them, differs less
        from fit to fit, and takes two to four times as long. With `early_stopping` each has its own
        best epoch and blending weight. `estimators_` has each by itself.
    input_transform : {"levels", "differences", "auto"} or list, default="auto"
        What the network reads of the features at a step: their values; their changes since the
        step before; in a list also ``"position"``, where in its sequence the step stands.
        ``"auto"`` is all three for independent sequences, levels and differences with an init or
        with labels of steps, else levels.
    init : {"auto", "convolutions", "linear", "statistics"}, estimator or None, default="auto"
        A simple model, to whose predicted log-odds the network learns an additive correction.
        ``"convolutions"`` is a ridge of random convolutions of whole sequences, MiniRocket
        (Dempster et al. 2021), and the network learns from its predictions out of sample.
        ``"statistics"`` is also a ridge, of the last value, mean, minimum and maximum of each
        feature and of random features of them.
        Of the flattened history ``"linear"`` is a logistic regression whose penalty is chosen on
        later rows; or any classifier of scikit-learn with ``predict_proba``, which gets codes, 0
        for the first label in its training rows. ``"auto"`` is ``"linear"`` for histories of a
        table, ``"convolutions"`` for independent sequences of numbers of 9 or more steps with a
        pooling; if more than half of their values are missing, that or ``"statistics"``, whichever
        has the lower loss out of sample on training sequences; else `None`. With validation data
        the output of the network is multiplied by `blending_weight_`.
    embedding : int, dict of str to array-like, DataFrame, str, path-like, or array-like of shape \
            (n_tokens, n_dimensions), default=None
        For sequences of tokens: the length of the vector that stands for a token, or initial
        vectors. X is then `Sequences` of tokens, as :class:`TokenSequencer` makes them, lists of
        integers, or a 2-D array of them. A token larger than all seen in `fit` is read as token 0.
        With a length, initial vectors are random, with a standard deviation of 0.1 where a text has
        one target and there are more than 256 tokens, most of them rare; else of 1. Word vectors,
        in a form that :meth:`TokenSequencer.embedding_weights` takes, are aligned with the
        vocabulary of X in each fit, so that they work in a Pipeline under cross-validation. A
        matrix has a row for each token; where X knows its vocabulary, this method made it for it.
    freeze_embedding : bool, default=False
        Whether training leaves the vectors of tokens as they are.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``, which multiply `sample_weight`; classes that
        are not in it have weight 1. ``"balanced"``: all classes have the same total weight. Not
        for multilabel targets.
    standardize : bool, default=True
        Whether features are brought to mean 0 and standard deviation 1, learned from the steps of
        the training sequences.
    missing : {"error", "mask"}, default="error"
        What to do about NaN in X. ``"mask"`` imputes the last value of the feature in the
        sequence, before the first one the training median, and gives the network two more channels
        for each feature: whether it is missing, and ``log(1 + steps since it was seen)`` (Che et
        al. 2018).
    optimizer : str or class, default="adam"
        ``"adadelta"``, ``"adagrad"``, ``"adam"``, ``"adamax"``, ``"adamw"``, ``"nadam"``,
        ``"radam"``, ``"rmsprop"``, ``"sgd"``, or a class of :mod:`torch.optim`.
    lr : float, default=3e-3
        Learning rate.
    weight_decay : float, default=0.0
        L2 penalty, as the optimizer applies it.
    lr_scheduler : {"plateau", "cosine", "onecycle", "step", "auto"}, callable or None, \
            default="auto"
        How the learning rate changes after each epoch: halved when the loss (the validation
        loss, if there is one) has not fallen for 5 epochs; along half a cosine down to 0; up from
        lr / 25 and down again (Smith and Topin 2018); to a tenth after each third of
        `max_epochs`. Or a callable that makes a scheduler of an optimizer, such as
        ``partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9)``. ``"auto"`` is
        ``"onecycle"`` if `max_epochs` is ``"auto"``, too, without `early_stopping`, else `None`.
    clip_grad_norm : float or None, default=1.0
        Largest norm of the gradient; longer ones are shortened to it. `None` never clips.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training data, fewer with `early_stopping`. ``"auto"`` is 100
        with it, else as many as make 1,500 optimizer steps, from 10 to 200; with
        ``"convolutions"`` or ``"statistics"`` at most 100 and 750 steps, with labels of steps 750.
    batch_size : int or "auto", default="auto"
        Number of sequences of an optimizer step. ``"auto"`` is a two-hundredth of the histories of
        a table, from 64 to 512, and a fiftieth of independent sequences, from 16 to 64; with labels
        of steps fewer, if 200 steps are in them.
    supervised_steps : int or "auto", default="auto"
        How many neighbouring histories of a series are computed in one run in training: the run
        begins with the first of them, and has a target at the end of each. It costs a fraction,
        and later histories of a run see up to ``supervised_steps - 1`` steps more than their own.
        1 computes each by itself. ``"auto"`` is a quarter of `batch_size`, at most half of the
        longest history, if histories overlap and a batch has enough to compute; else 1. Needs
        ``pooling="last"`` and one direction. Validation and predictions use exact histories.
    skorch_params : dict, default=None
        More settings of the :class:`skorch.NeuralNet`: ``"callbacks"``, a list of
        :class:`skorch.callbacks.Callback` or pairs of name and instance; further arguments of the
        optimizer, such as ``"optimizer__momentum": 0.9``; ``"compile": True``. Those that have no
        effect, or that a parameter of the estimator sets, are refused.
    early_stopping : bool or "auto", default="auto"
        Whether to stop when the loss on validation data no longer falls, and restore the best
        weights. The validation data are `X_val` and `y_val` if `fit` gets them, else the last
        part of each series, or a random part of independent sequences, stratified by class.
        ``"auto"`` is True with `X_val`, from 50 histories of a table or sequences of tokens with
        ``pooling=None`` on, and from 10 sequences on with ``init="convolutions"`` or
        ``"statistics"``; but not for tokens with ``pooling=None`` if `max_epochs` is a number not
        above `n_iter_no_change`, as training could not stop early.
    validation_fraction : float or "auto", default="auto"
        Part of the training data set aside for `early_stopping`. ``"auto"`` is 0.2 with
        ``init="convolutions"`` or ``"statistics"``, else 0.1.
    n_iter_no_change : int, default=10
        Number of epochs in a row without improvement after which `early_stopping` stops.
    tol : float, default=1e-4
        Smallest decrease of the validation loss that counts as an improvement.
    warm_start : bool, default=False
        Whether another `fit` continues to train the fitted network, with the statistics and the
        choice of validation rows of the first fit, instead of a new one. The optimizer's state
        stays too, but not in a file.
    checkpoint : str or path-like, default=None
        Folder where training is saved after each epoch, under a name made of its settings and
        data. A `fit` with the same settings and data resumes where another stopped, also with more
        `max_epochs`, and ends with the same weights. Needs an integer as `random_state`. Functions
        and objects of your own are identified by their code, and all that it refers to. The state
        of your own callbacks is not saved.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar over the epochs, 2 prints a line for each.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, the order of batches, dropout and the random validation part. Global
        random states are neither used nor changed.
    device : str, default="auto"
        A device of torch, such as ``"cuda:1"``. ``"auto"`` is CUDA if there is a GPU, else the CPU.
    dtype : {"float32", "float64", "bfloat16"}, default="float32"
        Data type of the network; ``"bfloat16"`` computes the recurrent layers in it and keeps the
        rest in float32, about twice as fast on processors that have it. Predictions are float64.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module, with `n_networks` the list of its
        modules ``net_.module_.networks``.
    estimators_ : list of LSTMClassifier
        One for each network: the init plus its correction alone. Their spread shows how much
        predictions depend on initial weights.
    history_ : DataFrame
        One row an epoch: ``epoch`` counted from 1, ``train_loss``, ``valid_loss`` if there is
        validation data, ``dur`` in seconds. Losses of several networks are the mean of theirs.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_iter_ : int
        Number of epochs that ran.
    best_epoch_ : int
        Epoch, counted from 1, whose weights are kept: the last one without `early_stopping`. With
        `n_networks` the latest of theirs.
    resolved_params_ : dict
        The value of each parameter that was "auto".
    supervised_steps_ : int
        How many neighbouring histories a training run merged; 1 if none.
    init_ : object or None
        The fitted init, for ``"linear"`` with ``coef`` and ``penalty``, for ``"convolutions"``
        also with ``dilations``, ``biases`` and ``slope``, its inverse temperature.
    blending_weight_ : ndarray of shape (`n_outputs_`,) or None
        Weight in [0, 1] that multiplies the network's output before it is added to that of the
        init. None without an init, or without validation data.
    validation_losses_ : DataFrame or None
        Columns ``model`` and ``loss``, lower is better: baselines, the init, and all together, on
        the validation data that also chose epoch and `blending_weight_`.
    n_features_in_ : int
        Number of features of a step: the last axis of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names.
    n_outputs_ : int
        Number of labels a sample may have: 1, unless `y` is a multilabel table.
    classes_ : ndarray of shape (n_classes,) or (`n_outputs_`, 2)
        The labels, sorted; multilabel: for each column its two values.
    feature_mean_, feature_scale_ : ndarray of shape (`n_features_in_`,)
        What standardises the features; 0 and 1 if not `standardize`.
    feature_median_ : ndarray of shape (`n_features_in_`,)
        Imputed before the first value of a sequence, with ``missing="mask"``.
    n_tokens_ : int
        Number of tokens that have a vector, if X holds tokens.
    device_ : str
        Device of the net.

    See Also
    --------
    SequenceWindower : Give each row of a table its history.
    LSTMRegressor : Numbers instead of labels; its notes and references hold here too.

    Examples
    --------
    Classify rising and falling sequences:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> slope = rng.choice([-0.3, 0.3], size=200)
    >>> X = (slope[:, None] * np.arange(10) + rng.normal(size=(200, 10)))[..., None]
    >>> y = np.where(slope > 0, "up", "down")
    >>> model = LSTMClassifier(hidden_size=16, lr=0.01, max_epochs=10, random_state=0)
    >>> model.fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.9
    True
    >>> model.classes_, model.predict_proba(X[150:]).shape
    (array(['down', 'up'], dtype='<U4'), (50, 2))
    """

    _parameter_constraints: dict = BaseLSTM._parameter_constraints | {
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    _has_no_target = staticmethod(has_no_label)

    def __init__(
        self,
        hidden_size: int = 64,
        *,
        num_layers: int = 1,
        cell: str = "lstm",
        bidirectional: bool | str = "auto",
        dropout: float = 0.0,
        pooling: str | None = "auto",
        n_networks: int = 1,
        input_transform: str | Sequence[str] = "auto",
        init: Any = "auto",
        embedding: Any = None,
        freeze_embedding: bool = False,
        class_weight: dict | str | None = None,
        standardize: bool = True,
        missing: str = "error",
        optimizer: str | type = "adam",
        lr: float = 3e-3,
        weight_decay: float = 0.0,
        lr_scheduler: str | Callable | None = "auto",
        clip_grad_norm: float | None = 1.0,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        supervised_steps: int | str = "auto",
        skorch_params: dict | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float | str = "auto",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        checkpoint: str | PathLike | None = None,
        verbose: int = 0,
        random_state: Any = None,
        device: str = "auto",
        dtype: str = "float32",
    ):
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.cell = cell
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.pooling = pooling
        self.n_networks = n_networks
        self.input_transform = input_transform
        self.init = init
        self.embedding = embedding
        self.freeze_embedding = freeze_embedding
        self.class_weight = class_weight
        self.standardize = standardize
        self.missing = missing
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_scheduler = lr_scheduler
        self.clip_grad_norm = clip_grad_norm
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.supervised_steps = supervised_steps
        self.skorch_params = skorch_params
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state
        self.device = device
        self.dtype = dtype

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        X has histories of a table, or independent sequences of equal or different lengths;
        parameters that are "auto" depend on which of the two. A fit that fails leaves the
        estimator as it was.

        Parameters
        ----------
        X : Sequences, array-like of shape (n_samples, n_steps, n_features), list of array-likes \
                of shape (n_steps_i, n_features), or array-like of shape (n_samples, n_features)
            Training sequences. The last axis is always the features; a 2-D table holds one
            sequence of a single step in each row.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels of any type, one for each sample; or a multilabel table, where a sample may have
            several labels or none: a column for each label, 0 where the sample does not have it,
            and 1 or True where it does. With ``pooling=None`` one label, or
            a row of such a table, for each step: an array ``(n_samples, n_steps)`` or
            ``(n_samples, n_steps, n_labels)``, or a list of arrays for sequences of different
            lengths. Steps whose label, or one of whose labels, is NaN, None, or -1 among integers
            are not learned; a warning counts those of -1, and those with others of their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, or with ``pooling=None`` those of steps, in the form of `y`. A row of weight
            0 is not learned: its label may be missing.
        X_val : same kind as X, default=None
            Validation sequences, in place of a part of X.
        y_val : array-like of shape (n_val_samples,) or (n_val_samples, n_labels), default=None
            Labels of `X_val`, none of them new.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of `X_val`.

        Returns
        -------
        LSTMClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, the weights or the checkpoint are not valid, if there is one
            class only, or the training diverges.
        MemoryError
            If the device has not enough memory.

        See Also
        --------
        partial_fit : Train for one more epoch, possibly on other rows.
        TokenSequencer : Make X of texts.

        Examples
        --------
        A sample may have several labels, or none:

        >>> from sklstm import LSTMClassifier
        >>> X, y = [[[0.0], [1.0]], [[2.0]], [[3.0]]], [[1, 1], [0, 1], [0, 0]]
        >>> LSTMClassifier(2, max_epochs=1).fit(X, y).predict(X).shape
        (3, 2)
        """
        return self._fit((X, y, sample_weight), (X_val, y_val, sample_weight_val))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train the network of earlier calls for one more epoch.

        For data that come in parts. There is no validation part and no early stopping. The first
        call decides the standardisation and the values of parameters that are "auto", so it should
        have typical rows.

        Parameters
        ----------
        X : same kinds as in `fit`
            Training sequences. Those of the first call decide the standardisation.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of this and later calls; multilabel: the two values of the table.
            `None`: those in the `y` of the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        LSTMClassifier
            The estimator.

        Raises
        ------
        ValueError
            If `y` holds a label that is not in `classes`, or `classes` changes between calls.

        See Also
        --------
        fit : Train for many epochs; with ``warm_start=True`` of the fitted network.

        Examples
        --------
        >>> from sklstm import LSTMClassifier
        >>> model = LSTMClassifier(2).partial_fit([[[1.0]]], ["sun"], classes=["rain", "sun"])
        >>> model.partial_fit([[[2.0]]], ["rain"]).n_iter_
        2
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all labels at once, not partial_fit. Give the "
                "weights as a dict: sklearn.utils.class_weight.compute_class_weight computes them."
            )
        return self._fit((X, y, sample_weight), **ONE_EPOCH, classes=classes)

    def _learn_head(
        self, given: GivenSamples, plan: Plan, earlier: MulticlassHead | None, classes: Any = None
    ) -> MulticlassHead:
        """Learn the labels, and their weights in this fit."""
        head = earlier or learn_classification_head(given.y, given.rows, classes)
        if earlier and classes is not None:
            earlier.refuse_other_classes(classes)
        return head.weighted_by(plan.training.class_weight, given)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
