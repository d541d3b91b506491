"""NeuralForecast's LSTM: column 0 is the target, the other columns are historic exogenous ones.

It counts training steps, not epochs, and draws the windows of each step anew: here as many steps
as the epochs of the other systems have. The layers of its decoder are one linear layer.
"""

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MSE
from neuralforecast.models import LSTM

from systems import BaseSystem


class System(BaseSystem):
    """A forecasting model of one series, without a validation part."""

    def prepare(self, table):
        """Make the long table."""
        self.others = [f"x{j}" for j in range(1, table.shape[1])]
        self.frame = pd.DataFrame(table, columns=["y", *self.others])
        self.frame.insert(0, "unique_id", "series")
        self.frame.insert(1, "ds", np.arange(len(table)))

    def fit(self):
        """Train a new network."""
        model = LSTM(
            h=1,
            input_size=self.size.window,
            encoder_n_layers=1,
            encoder_hidden_size=self.size.hidden,
            decoder_layers=1,
            hist_exog_list=self.others,
            loss=MSE(),
            max_steps=self.size.epochs * -(-self.size.n_windows // self.size.batch),
            learning_rate=self.lr,
            windows_batch_size=self.size.batch,
            inference_windows_batch_size=self.size.prediction_batch,
            scaler_type="identity",
            random_seed=0,
            accelerator="gpu" if self.device == "cuda" else "cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
        )
        self.forecaster = NeuralForecast([model], freq=1)
        self.forecaster.fit(self.frame)

    def predict(self):
        """Predict all windows."""
        forecasts = self.forecaster.predict_insample(step_size=1)
        return forecasts["LSTM"].to_numpy()[-self.size.n_windows :]
