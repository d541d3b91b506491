"""Forecasters with a recurrent network."""

import warnings
from importlib import import_module

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from libraries import finite

WINDOW, AHEAD = 24, 12
RNG = np.random.default_rng(0)
HOURS = pd.date_range("2025-01-01", periods=1200, freq="h")
SERIES = pd.Series(np.sin(np.arange(400) / 4) + RNG.normal(0, 0.1, 400), HOURS[:400], name="sold")
GAPS = SERIES.mask(RNG.random(400) < 0.1)
GAPS.iloc[-1] = np.nan  # the newest value, too
WALK = pd.Series(RNG.normal(size=1200).cumsum(), HOURS, name="sold")
PARTS = {f"shop {k}": SERIES.iloc[300 - 100 * k :] for k in range(4)}  # 100 to 400 hours


def long_table(series):
    """One table of several series, with a column for their name."""
    return pd.concat(
        pd.DataFrame({"shop": name, "hour": y.index, "sold": y.to_numpy()})
        for name, y in series.items()
    )


PANEL = long_table(PARTS)
NEW = long_table({"new shop": SERIES.iloc[-8:]})  # shorter than the window

CAPABILITIES = {
    "panel": "a long table of series of differing lengths",
    "new": "a new series, shorter than the window, without a refit",
    "missing": "a tenth of the target NaN",
    "interval": "prediction intervals of each step",
    "paths": "sample paths, for intervals of a sum",
    "search": "search for hyperparameters",
    "backtest": "a backtest with refits",
    "networks": "kinds of networks",
}


def correlated(paths):
    """Check paths of a random walk, (n_paths, steps): errors of neighbouring steps are alike."""
    value = np.corrcoef(np.asarray(paths, dtype=float)[:, -2:], rowvar=False)[0, 1]
    result = f"correlation {value:.2f} of the last two steps of a random walk, which is 0.96"
    if not value > 0.5:
        raise ValueError(result)
    return result


class Sklstm:
    def __init__(self):
        self.package = import_module("sklstm")

    def make(self, missing="error", **settings):
        regressor = self.package.LSTMRegressor(hidden_size=8, max_epochs=1, missing=missing)
        return self.package.SequenceForecaster(regressor, WINDOW, AHEAD, **settings)

    def make_panel(self):
        return self.make(series="shop", time="hour")

    def panel(self):
        return finite(self.make_panel().fit(PANEL).predict()["sold"], 4 * AHEAD)

    def new(self):
        return finite(self.make_panel().fit(PANEL).predict(y=NEW)["sold"], AHEAD)

    def missing(self):
        return finite(self.make(missing="mask").fit(GAPS).predict(), AHEAD)

    def interval(self):
        return finite(self.make().fit(SERIES).predict_interval(0.8), AHEAD)

    def paths(self):
        forecaster = self.make(calibration_fraction=0.4).fit(WALK)
        return correlated(forecaster.sample_paths(500, random_state=0).T)

    def search(self):
        grid = {"window_size": [12, 24]}
        search = GridSearchCV(self.make(), grid, cv=TimeSeriesSplit(2), error_score="raise")
        search.fit(SERIES.to_frame())
        return "scikit-learn's", f"GridSearchCV, {search.best_params_}"

    def backtest(self):
        table = self.package.backtest(self.make(), SERIES, stride=20, refit=2)
        return finite(table["forecast"], len(table))

    def networks(self):
        from sklstm._nn.cells import CELLS

        return str(len(CELLS)), ", ".join(CELLS)


class Darts:
    def __init__(self):
        from darts import TimeSeries, models

        self.TimeSeries, self.models = TimeSeries, models

    def make(self, **settings):
        settings = {"model": "LSTM", "hidden_dim": 8, "n_epochs": 1} | settings
        return self.models.BlockRNNModel(WINDOW, AHEAD, **settings)

    def read(self, y):
        return self.TimeSeries.from_series(y.astype(np.float32))

    def read_panel(self, table):
        return self.TimeSeries.from_group_dataframe(table, "shop", "hour", "sold")

    def panel(self):
        series = self.read_panel(PANEL)  # the names are static covariates, if the model reads them
        predicted = self.make(use_static_covariates=False).fit(series).predict(AHEAD, series)
        return finite(np.concatenate([one.values() for one in predicted]), 4 * AHEAD)

    def new(self):
        model = self.make(use_static_covariates=False).fit(self.read_panel(PANEL))
        return finite(model.predict(AHEAD, self.read_panel(NEW))[0].values(), AHEAD)

    def missing(self):
        from darts.utils.missing_values import fill_missing_values

        filled = fill_missing_values(self.read(GAPS))
        return "filled", finite(self.make().fit(filled).predict(AHEAD).values(), AHEAD)

    def interval(self):
        from darts.utils.likelihood_models.torch import QuantileRegression

        model = self.make(likelihood=QuantileRegression([0.1, 0.5, 0.9])).fit(self.read(SERIES))
        return finite(model.predict(AHEAD, predict_likelihood_parameters=True).values(), AHEAD)

    def paths(self):
        from darts.dataprocessing.transformers import Scaler
        from darts.utils.likelihood_models.torch import GaussianLikelihood

        model = self.models.RNNModel(  # whose samples are fed back, if it has learned to read them
            WINDOW,
            model="LSTM",
            hidden_dim=8,
            training_length=WINDOW + AHEAD,
            n_epochs=20,
            optimizer_kwargs={"lr": 0.01},
            random_state=0,
            likelihood=GaussianLikelihood(),
        )
        model.fit(Scaler().fit_transform(self.read(WALK)))
        drawn = model.predict(AHEAD, num_samples=500, random_state=0)
        return f"RNNModel, {correlated(drawn.all_values()[:, 0].T)}"

    def search(self):
        grid = {"input_chunk_length": [12, 24], "output_chunk_length": [AHEAD], "n_epochs": [1]}
        series = self.read(SERIES)
        best = self.models.BlockRNNModel.gridsearch(grid, series[:-50], val_series=series[-50:])
        return "its own", f"gridsearch, {best[1]}"

    def backtest(self):
        found = self.make().historical_forecasts(
            self.read(SERIES), start=320, forecast_horizon=AHEAD, stride=20, retrain=2
        )
        return finite(found.values(), len(found))

    def networks(self):
        from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel as Base

        found = [getattr(self.models, name) for name in self.models.__all__]
        found = [kind for kind in found if isinstance(kind, type) and issubclass(kind, Base)]
        found = [kind.__name__ for kind in found if not kind.__name__.startswith("GlobalNaive")]
        return str(len(found)), ", ".join(found)


class Neuralforecast:
    names = {"id_col": "shop", "time_col": "hour", "target_col": "sold"}

    def make(self, loss=None, **settings):
        from neuralforecast import NeuralForecast
        from neuralforecast.losses.pytorch import MAE
        from neuralforecast.models import LSTM

        settings = {"encoder_hidden_size": 8, "max_steps": 1} | settings
        network = LSTM(h=AHEAD, input_size=WINDOW, loss=loss or MAE(), **settings)
        return NeuralForecast([network], freq="h")

    def fitted(self, table, **settings):
        model = self.make(**settings)
        model.fit(table, **self.names)
        return model

    def values(self, predicted):
        return predicted.drop(columns=["shop", "hour"])

    def panel(self):
        return finite(self.values(self.fitted(PANEL).predict()), 4 * AHEAD)

    def new(self):
        model = self.fitted(PANEL, start_padding_enabled=True)
        return finite(self.values(model.predict(NEW)), AHEAD)

    def missing(self):
        table = long_table({"shop": GAPS})
        masked = table.assign(sold=table["sold"].fillna(0), available_mask=table["sold"].notna())
        return "masked", finite(self.values(self.fitted(masked).predict()), AHEAD)

    def interval(self):
        from neuralforecast.losses.pytorch import MQLoss

        model = self.fitted(long_table({"shop": SERIES}), loss=MQLoss(level=[80]))
        return finite(self.values(model.predict()), AHEAD)

    def paths(self):
        from neuralforecast.losses.pytorch import DistributionLoss

        model = self.fitted(long_table({"shop": WALK}), loss=DistributionLoss("Normal"))
        drawn = model.simulate(n_paths=500, seed=0, method="schaake_shuffle")
        return correlated(drawn.pivot_table("LSTM", "sample_id", "hour"))

    def search(self):
        import optuna
        from neuralforecast import NeuralForecast
        from neuralforecast.auto import AutoLSTM

        def config(trial):
            size = trial.suggest_categorical("input_size", [12, 24])
            return {"input_size": size, "encoder_hidden_size": 8, "max_steps": 1}

        sampler = optuna.samplers.RandomSampler(seed=0)
        network = AutoLSTM(
            AHEAD, config=config, backend="optuna", num_samples=2, search_alg=sampler
        )
        model = NeuralForecast([network], freq="h")
        model.fit(long_table({"shop": SERIES}), val_size=50, **self.names)
        return "its own", f"AutoLSTM, {len(model.models[0].results.trials)} trials"

    def backtest(self):
        found = self.make().cross_validation(
            long_table({"shop": SERIES}), n_windows=4, step_size=20, refit=2, **self.names
        )
        return finite(found["LSTM"], len(found))

    def networks(self):
        from neuralforecast.models import __all__ as found

        return str(len(found)), ", ".join(found)


class Skforecast:
    def __init__(self):
        from skforecast import model_selection

        self.model_selection = model_selection

    def make(self, series):
        from skforecast.deep_learning import ForecasterRnn, create_and_compile_model

        names, size = list(series.columns), {"recurrent_units": 8, "dense_units": None}
        network = create_and_compile_model(series, WINDOW, AHEAD, names, **size)
        return ForecasterRnn(network, names, WINDOW, fit_kwargs={"epochs": 1, "verbose": 0})

    def fitted(self, series, **arguments):
        forecaster = self.make(series)
        forecaster.fit(series, **arguments)
        return forecaster

    def folds(self):
        size = {"initial_train_size": 320, "fold_stride": 20}
        return self.model_selection.TimeSeriesFold(AHEAD, refit=2, verbose=False, **size)

    def panel(self):
        series = PANEL.pivot_table("sold", "hour", "shop").asfreq("h")
        return finite(self.fitted(series).predict()["pred"], 4 * AHEAD)

    def new(self):
        last = SERIES.iloc[-8:].to_frame()
        return finite(self.fitted(SERIES.to_frame()).predict(last_window=last)["pred"], AHEAD)

    def missing(self):
        return finite(self.fitted(GAPS.to_frame()).predict()["pred"], AHEAD)

    def interval(self):
        forecaster = self.fitted(SERIES.to_frame(), store_in_sample_residuals=True)
        found = forecaster.predict_interval(interval=[0.1, 0.9], use_binned_residuals=False)
        return finite(found.drop(columns="level"), AHEAD)

    def search(self):
        series = SERIES.to_frame()
        grid = {"optimizer": ["adam", "sgd"], "loss": ["mse"]}
        with warnings.catch_warnings(action="error", category=RuntimeWarning):  # of skipped ones
            found = self.model_selection.grid_search_forecaster_multiseries(
                self.make(series), series, self.folds(), grid, "mean_absolute_error"
            )
        return "its own", f"grid_search_forecaster_multiseries, {len(found)} candidates"

    def backtest(self):
        series = SERIES.to_frame()
        _, found = self.model_selection.backtesting_forecaster_multiseries(
            self.make(series), series, self.folds(), "mean_absolute_error"
        )
        return finite(found["pred"], len(found))

    def networks(self):
        return "any", "a network of Keras, such as those of create_and_compile_model"


LIBRARIES = {
    "sklstm": Sklstm,
    "darts": Darts,
    "neuralforecast": Neuralforecast,
    "skforecast": Skforecast,
}
