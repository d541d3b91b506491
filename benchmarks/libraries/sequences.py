"""Regressors and classifiers of windows and other sequences."""

from importlib import import_module

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from libraries import finite, quiet

N, STEPS, FEATURES = 60, 12, 2
RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(N, STEPS, FEATURES)).astype(np.float32)
TARGET = WINDOWS[:, -1, 0].astype(np.float32)
LABELS = (WINDOWS.cumsum(axis=1)[..., 0] > 0).astype(np.int64)  # of each step
WEIGHTS = np.repeat(np.array([1, 0], dtype=np.float32), N // 2)
GAPS = np.where(RNG.random(WINDOWS.shape) < 0.1, np.nan, WINDOWS).astype(np.float32)
LENGTHS = [WINDOWS[i, : 6 + i % 6] for i in range(N)]
TEXTS = RNG.choice(["open", "closed"], size=(N, STEPS))

CAPABILITIES = {
    "search": "`GridSearchCV` of a `Pipeline`, on windows (3-D)",
    "lengths": "sequences of differing lengths",
    "missing": "a tenth of all values NaN",
    "labels_of_steps": "a label at every step",
    "weights": "`sample_weight` in `fit`",
    "categories": "a feature of texts",
    "silent": "a fit prints nothing and leaves no file",
    "networks": "kinds of networks",
}


def searched(regressor, grid, X=WINDOWS, y=TARGET):
    """Search by scikit-learn, with a step of its own before the regressor."""
    pipeline = make_pipeline(FunctionTransformer(np.tanh), regressor)
    grid = {f"{type(regressor).__name__.lower()}__{name}": grid[name] for name in grid}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    return finite(search.cv_results_["mean_test_score"], 2).replace("predictions", "candidates")


def labelled(labels):
    """Check that there is a label for each step."""
    if np.shape(labels) != LABELS.shape or not np.isin(labels, [0, 1]).all():
        raise ValueError(f"labels of shape {np.shape(labels)}")
    return f"{N} times {STEPS} labels"


class Sklstm:
    def __init__(self):
        self.package = import_module("sklstm")

    def make(self, **settings):
        return self.package.LSTMRegressor(hidden_size=8, max_epochs=1, **settings)

    def search(self):
        return searched(self.make(), {"hidden_size": [4, 8]})

    def lengths(self):
        return finite(self.make().fit(LENGTHS, TARGET).predict(LENGTHS), N)

    def missing(self):
        return finite(self.make(missing="mask").fit(GAPS, TARGET).predict(GAPS), N)

    def labels_of_steps(self):
        tagger = self.package.LSTMClassifier(hidden_size=8, max_epochs=1, pooling=None)
        return labelled(tagger.fit(WINDOWS, LABELS).predict(WINDOWS))

    def weights(self):
        return finite(self.make().fit(WINDOWS, TARGET, WEIGHTS).predict(WINDOWS), N)

    def categories(self):
        days = pd.date_range("2025-01-01", periods=N)
        table = pd.DataFrame({"level": TARGET, "state": TEXTS[:, 0]}, days)
        windower = self.package.SequenceWindower(STEPS, horizon=1)
        return finite(make_pipeline(windower, self.make()).fit(table, TARGET).predict(table), N)

    def silent(self):
        return quiet(lambda: self.make().fit(WINDOWS, TARGET))

    def networks(self):
        from sklstm._nn.cells import CELLS

        return str(len(CELLS)), ", ".join(CELLS)


class Skorch:
    def __init__(self):
        import torch
        from skorch import NeuralNetClassifier, NeuralNetRegressor

        class Network(torch.nn.Module):
            def __init__(self, units=8):
                super().__init__()
                self.lstm = torch.nn.LSTM(FEATURES, units, batch_first=True)
                self.out = torch.nn.Linear(units, 1)

            def forward(self, X):
                return self.out(self.lstm(X)[0][:, -1])

        class Tagger(Network):
            def forward(self, X):
                logits = self.out(self.lstm(X)[0])[..., 0]
                return torch.stack([-logits, logits], 1)  # the axis of labels is the second

        self.make = lambda **settings: NeuralNetRegressor(Network, max_epochs=1, **settings)
        loss = torch.nn.CrossEntropyLoss
        self.tagger = lambda: NeuralNetClassifier(
            Tagger, criterion=loss, max_epochs=1, train_split=None
        )
        self.y = TARGET[:, None]

    def fitted(self, X, **arguments):
        return finite(self.make().fit(X, self.y, **arguments).predict(X), N)

    def search(self):
        return searched(self.make(), {"module__units": [4, 8]}, y=self.y)

    def lengths(self):
        return self.fitted(LENGTHS)

    def missing(self):
        return self.fitted(GAPS)

    def labels_of_steps(self):
        return labelled(self.tagger().fit(WINDOWS, LABELS).predict(WINDOWS))

    def weights(self):
        net = self.make(train_split=None)  # which takes no weights
        return finite(net.fit(WINDOWS, self.y, sample_weight=WEIGHTS).predict(WINDOWS), N)

    def categories(self):
        return self.fitted(TEXTS[..., None])

    def silent(self):
        return quiet(lambda: self.make().fit(WINDOWS, self.y))

    def networks(self):
        return "any", "a torch module, such as the one above"


class Keras:
    def __init__(self):
        import keras

        self.keras = keras

    def network(self, *first, units=8, n_features=FEATURES):
        layers = self.keras.layers
        inputs = self.keras.Input((None, n_features))
        return self.compiled([inputs, *first, layers.LSTM(units), layers.Dense(1)])

    def compiled(self, layers, loss="mse"):
        model = self.keras.Sequential(layers)
        model.compile("adam", loss=loss)
        return model

    def fitted(self, network, X, **arguments):
        network.fit(X, TARGET, verbose=0, **arguments)
        return finite(network.predict(X, verbose=0), N)

    def search(self):
        from keras.wrappers import SKLearnRegressor

        regressor = SKLearnRegressor(lambda X, y, units: self.network(units=units))
        return searched(regressor, {"model_kwargs": [{"units": 4}, {"units": 8}]})

    def lengths(self):
        padded = self.keras.utils.pad_sequences(LENGTHS, padding="post", dtype="float32")
        return "padded", self.fitted(self.network(self.keras.layers.Masking()), padded)

    def missing(self):
        return self.fitted(self.network(), GAPS)

    def labels_of_steps(self):
        layers = self.keras.layers
        steps = [layers.LSTM(8, return_sequences=True), layers.Dense(2, activation="softmax")]
        inputs = self.keras.Input((None, FEATURES))
        tagger = self.compiled([inputs, *steps], "sparse_categorical_crossentropy")
        tagger.fit(WINDOWS, LABELS, verbose=0)
        return labelled(tagger.predict(WINDOWS, verbose=0).argmax(axis=-1))

    def weights(self):
        return self.fitted(self.network(), WINDOWS, sample_weight=WEIGHTS)

    def categories(self):
        import tensorflow

        layers = self.keras.layers
        lookup = layers.StringLookup(vocabulary=["open", "closed"])
        inputs = self.keras.Input((STEPS,), dtype="string")
        text = [inputs, lookup, layers.Embedding(3, 2), layers.LSTM(8), layers.Dense(1)]
        return self.fitted(self.compiled(text), tensorflow.constant(TEXTS))

    def silent(self):
        return quiet(lambda: self.network().fit(WINDOWS, TARGET))

    def networks(self):
        return "any", "layers, such as those above"


class Aeon:
    def __init__(self):
        from aeon.regression.deep_learning import RecurrentRegressor

        self.make = lambda: RecurrentRegressor(n_units=8, n_epochs=1)
        self.X = WINDOWS.transpose(0, 2, 1)

    def fitted(self, X, **arguments):
        return finite(self.make().fit(X, TARGET, **arguments).predict(X), N)

    def search(self):
        return searched(self.make(), {"n_units": [4, 8]}, self.X)

    def lengths(self):
        from aeon.transformations.collection.unequal_length import Padder

        X = [x.T.astype(float) for x in LENGTHS]
        return "padded", self.fitted(Padder().fit_transform(X))

    def missing(self):
        from aeon.transformations.collection import SimpleImputer

        return "filled", self.fitted(SimpleImputer().fit_transform(GAPS.transpose(0, 2, 1)))

    def labels_of_steps(self):
        from aeon.classification.deep_learning import InceptionTimeClassifier

        return labelled(InceptionTimeClassifier(n_epochs=1).fit(self.X, LABELS).predict(self.X))

    def weights(self):
        return self.fitted(self.X, sample_weight=WEIGHTS)

    def categories(self):
        return self.fitted(TEXTS[:, None])

    def silent(self):
        return quiet(lambda: self.make().fit(self.X, TARGET))

    def networks(self):
        from aeon.regression.deep_learning import __all__ as found

        found = [name for name in found if not name.startswith("Base")]
        return str(len(found)), ", ".join(found)


LIBRARIES = {"sklstm": Sklstm, "skorch": Skorch, "keras": Keras, "aeon": Aeon}
