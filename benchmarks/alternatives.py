"""What each library supports, by trying it: the README's table.

    python benchmarks/alternatives.py sklstm skorch keras darts neuralforecast
    path/to/another/.venv/bin/python benchmarks/alternatives.py aeon   # what installs with no other

Every result is a call with the library's own classes and defaults, except for a small network, one
epoch, and parameters for the capability, such as `missing="mask"`. If the call raises or predicts
NaN, the capability is not supported, and the message is the reason. A capability that a library has
no call for is not tried. Results of libraries that are not tried again are kept.
"""

import os
import sys
import tempfile
import traceback
from importlib import import_module
from importlib.metadata import version

import numpy as np
import pandas as pd
from report import RESULTS, markdown
from sklearn.model_selection import cross_val_score

N, STEPS, FEATURES = 60, 12, 2
RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(N, STEPS, FEATURES)).astype(np.float32)
TARGET = WINDOWS[:, -1, 0].astype(np.float32)
GAPS = np.where(RNG.random(WINDOWS.shape) < 0.1, np.nan, WINDOWS)
LENGTHS = [WINDOWS[i, : 6 + i % 6] for i in range(N)]
HOURS = pd.date_range("2025-01-01", periods=400, freq="h")
SERIES = pd.Series(np.sin(np.arange(400) / 4) + RNG.normal(scale=0.1, size=400), HOURS, name="y")


def main():
    path = RESULTS.resolve() / "alternatives.csv"
    with tempfile.TemporaryDirectory() as folder:  # for files that libraries leave
        os.chdir(folder)
        try_libraries(path)


def try_libraries(path):
    """Try the libraries that are named, and write the table."""
    table = pd.read_csv(path) if path.exists() else pd.DataFrame()
    for name in sys.argv[1:]:
        library = LIBRARIES[name]()
        new = pd.DataFrame(
            [
                {"library": name, "version": version(name)} | attempt(library, capability)
                for capability in CAPABILITIES
                if hasattr(library, capability)
            ]
        )
        table = pd.concat([table[table["library"] != name] if len(table) else table, new])
    table = table.sort_values(
        "library", key=lambda names: names.map(list(LIBRARIES).index), kind="stable"
    )
    table.to_csv(path, index=False)
    path.with_suffix(".md").write_text(describe(table))


def attempt(library, capability):
    """Call the method of a capability, and return its result or error as a row."""
    try:
        result = getattr(library, capability)()
        supported = result if capability == "networks" else "yes"
    except Exception as error:
        traceback.print_exc(limit=-2)
        result, supported = f"{type(error).__name__}: {error}".split("\n")[0][:160], "no"
    print(library.__class__.__name__, capability, supported, result, flush=True)
    return {"capability": capability, "supported": supported, "result": result}


def describe(table):
    """Write the table, a line for each library, and the results below it."""
    lines = [
        "# What each library supports",
        "",
        "`python benchmarks/alternatives.py LIBRARY ...`",
        "",
    ]
    lines += [f"* **{name}**: {meaning}" for name, meaning in CAPABILITIES.items()]
    rows = [
        {"": f"{name} {part['version'].iloc[0]}"}
        | {
            c: dict(zip(part["capability"], part["supported"], strict=True)).get(c, "-")
            for c in CAPABILITIES
        }
        for name, part in table.groupby("library", sort=False)
    ]
    lines += ["", markdown(rows), "", "-: not tried, as there is no call for it.", ""]
    for name, part in table.groupby("library", sort=False):
        lines += [
            f"* {name}, {one.capability}, {one.supported}: {one.result}"
            for one in part.itertuples()
        ]
    return "\n".join(lines) + "\n"


CAPABILITIES = {
    "cross_validates": "its regressor runs in scikit-learn's `cross_val_score`, on windows (3-D)",
    "differing_lengths": "is fitted on sequences of 6 to 11 steps, without padding",
    "missing_values": "is fitted on values of which a tenth is NaN, and predicts no NaN",
    "prediction_interval": "forecasts 12 hours with a prediction interval",
    "silent": "a fit prints nothing and leaves no file",
    "networks": "number of kinds of networks",
}


def finite(predicted, n=N):
    """Check the number of predictions, and that none is NaN."""
    predicted = np.asarray(predicted, dtype=float)
    if len(predicted) != n or not np.isfinite(predicted).all():
        raise ValueError(f"{np.isnan(predicted).sum()} of {predicted.size} predictions are NaN.")
    return f"{n} predictions"


def scores_of(regressor, X=WINDOWS, y=TARGET):
    """Cross-validate."""
    scores = cross_val_score(regressor, X, y, cv=2, error_score="raise")
    if not np.isfinite(scores).all():
        raise ValueError(f"The scores are {scores}.")
    return f"{len(scores)} scores"


def quiet(fit):
    """Call `fit` in an empty folder; raise an error if it prints or leaves files."""
    before, folder = os.getcwd(), tempfile.mkdtemp(dir=os.getcwd())
    with tempfile.TemporaryFile() as printed:
        sys.stdout.flush()
        sys.stderr.flush()
        originals = [os.dup(1), os.dup(2)]
        os.chdir(folder)
        try:
            for descriptor in (1, 2):
                os.dup2(printed.fileno(), descriptor)
            fit()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            for descriptor, original in zip((1, 2), originals, strict=True):
                os.dup2(original, descriptor)
            os.chdir(before)
        n_bytes = printed.tell()
    left = [name for _, _, files in os.walk(folder) for name in files]
    if n_bytes or left:
        raise RuntimeError(f"{n_bytes} bytes printed, {len(left)} files left {sorted(left)[:3]}")
    return "nothing printed, no file"


class Sklstm:
    def __init__(self):
        self.package = import_module("sklstm")

    def make(self, **settings):
        return self.package.LSTMRegressor(hidden_size=8, max_epochs=1, **settings)

    def networks(self):
        from sklstm._nn.cells import CELLS

        return str(len(CELLS))

    def cross_validates(self):
        return scores_of(self.make())

    def differing_lengths(self):
        return finite(self.make().fit(LENGTHS, TARGET).predict(LENGTHS))

    def missing_values(self):
        return finite(self.make(missing="mask").fit(GAPS, TARGET).predict(GAPS))

    def prediction_interval(self):
        forecaster = self.package.SequenceForecaster(self.make(), window_size=24, steps=12)
        return finite(forecaster.fit(SERIES).predict_interval(0.8), 12)

    def silent(self):
        return quiet(lambda: self.make().fit(WINDOWS, TARGET))


class Skorch:
    def __init__(self):
        import torch
        from skorch import NeuralNetRegressor

        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = torch.nn.LSTM(FEATURES, 8, batch_first=True)
                self.out = torch.nn.Linear(8, 1)

            def forward(self, X):
                return self.out(self.lstm(X)[0][:, -1])

        self.make = lambda: NeuralNetRegressor(Network, max_epochs=1)

    def networks(self):
        return "your own"  # as the one above

    def cross_validates(self):
        return scores_of(self.make(), y=TARGET[:, None])

    def differing_lengths(self):
        return finite(self.make().fit(LENGTHS, TARGET[:, None]).predict(LENGTHS))

    def missing_values(self):
        gaps = GAPS.astype(np.float32)
        return finite(self.make().fit(gaps, TARGET[:, None]).predict(gaps))

    def silent(self):
        return quiet(lambda: self.make().fit(WINDOWS, TARGET[:, None]))


class Keras:
    def __init__(self):
        import keras
        from keras.wrappers import SKLearnRegressor

        def network(X, y):
            layers = [keras.Input((None, FEATURES)), keras.layers.LSTM(8), keras.layers.Dense(1)]
            model = keras.Sequential(layers)
            model.compile("adam", loss="mse")
            return model

        self.network = lambda: network(None, None)
        self.make = lambda: SKLearnRegressor(network)

    def networks(self):
        return "your own"  # as the one above

    def cross_validates(self):
        return scores_of(self.make())

    def differing_lengths(self):
        network = self.network()
        network.fit(LENGTHS, TARGET, verbose=0)
        return finite(network.predict(LENGTHS, verbose=0))

    def missing_values(self):
        network = self.network()
        network.fit(GAPS, TARGET, verbose=0)
        return finite(network.predict(GAPS, verbose=0))

    def silent(self):
        return quiet(lambda: self.network().fit(WINDOWS, TARGET))


class Aeon:
    def __init__(self):
        from aeon.regression.deep_learning import RecurrentRegressor

        self.make = lambda: RecurrentRegressor(n_units=8, n_epochs=1)
        self.X, self.gaps = WINDOWS.transpose(0, 2, 1), GAPS.transpose(0, 2, 1)

    def networks(self):
        from aeon.regression.deep_learning import __all__ as found

        return str(len([name for name in found if not name.startswith("Base")]))

    def cross_validates(self):
        return scores_of(self.make(), self.X)

    def differing_lengths(self):
        X = [x.T for x in LENGTHS]
        return finite(self.make().fit(X, TARGET).predict(X))

    def missing_values(self):
        return finite(self.make().fit(self.gaps, TARGET).predict(self.gaps))

    def silent(self):
        return quiet(lambda: self.make().fit(self.X, TARGET))


class Darts:
    def __init__(self):
        from darts import TimeSeries
        from darts.models import BlockRNNModel

        self.series = TimeSeries.from_series(SERIES.astype(np.float32))
        self.make = lambda **settings: BlockRNNModel(
            input_chunk_length=24,
            output_chunk_length=12,
            model="LSTM",
            hidden_dim=8,
            n_epochs=1,
            **settings,
        )

    def networks(self):
        from darts import models
        from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel as Base

        found = [getattr(models, name) for name in models.__all__]
        found = [kind for kind in found if isinstance(kind, type) and issubclass(kind, Base)]
        return str(len([kind for kind in found if not kind.__name__.startswith("GlobalNaive")]))

    def cross_validates(self):
        return scores_of(self.make())

    def differing_lengths(self):
        series = [self.series[: 100 + 50 * i] for i in range(4)]
        return finite(self.make().fit(series).predict(12, series)[0].values(), 12)

    def missing_values(self):
        from darts import TimeSeries

        gaps = SERIES.mask(RNG.random(len(SERIES)) < 0.1).astype(np.float32)
        return finite(self.make().fit(TimeSeries.from_series(gaps)).predict(12).values(), 12)

    def prediction_interval(self):
        from darts.utils.likelihood_models import QuantileRegression

        model = self.make(likelihood=QuantileRegression([0.1, 0.5, 0.9])).fit(self.series)
        return finite(model.predict(12, predict_likelihood_parameters=True).values(), 12)

    def silent(self):
        return quiet(lambda: self.make().fit(self.series))


class Neuralforecast:
    def __init__(self):
        from neuralforecast import NeuralForecast
        from neuralforecast.losses.pytorch import MAE, MQLoss
        from neuralforecast.models import LSTM

        self.frame = pd.DataFrame({"unique_id": "y", "ds": HOURS, "y": SERIES.to_numpy()})
        self.MQLoss = MQLoss

        def network(loss=None):
            return LSTM(h=12, input_size=24, encoder_hidden_size=8, max_steps=1, loss=loss or MAE())

        self.network = network
        self.make = lambda loss=None: NeuralForecast([network(loss)], freq="h")

    def forecast(self, frame, loss=None):
        forecaster = self.make(loss)
        forecaster.fit(frame)
        return forecaster.predict().drop(columns=["unique_id", "ds"])

    def networks(self):
        from neuralforecast.models import __all__ as found

        return str(len(found))

    def cross_validates(self):
        return scores_of(self.network())

    def differing_lengths(self):
        parts = [self.frame[: 100 + 50 * i].assign(unique_id=f"{i}") for i in range(4)]
        return finite(self.forecast(pd.concat(parts)), 48)

    def missing_values(self):
        gaps = self.frame.assign(y=self.frame["y"].mask(RNG.random(len(self.frame)) < 0.1))
        return finite(self.forecast(gaps), 12)

    def prediction_interval(self):
        return finite(self.forecast(self.frame, self.MQLoss(level=[80])), 12)

    def silent(self):
        return quiet(lambda: self.make().fit(self.frame))


LIBRARIES = {
    "sklstm": Sklstm,
    "skorch": Skorch,
    "keras": Keras,
    "aeon": Aeon,
    "darts": Darts,
    "neuralforecast": Neuralforecast,
}

if __name__ == "__main__":
    main()
