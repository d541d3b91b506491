"""Darts' BlockRNNModel: column 0 is the series, the other columns are its past covariates.

All windows are predicted by historical forecasts, one row ahead each.
"""

from darts import TimeSeries
from darts.models import BlockRNNModel

from systems import BaseSystem


class System(BaseSystem):
    """A forecasting model without a validation part."""

    def prepare(self, table):
        """Make the series."""
        self.series = TimeSeries.from_values(table[:, :1])
        self.covariates = TimeSeries.from_values(table[:, 1:])

    def fit(self):
        """Train a new network."""
        self.model = BlockRNNModel(
            input_chunk_length=self.size.window,
            output_chunk_length=1,
            model="LSTM",
            hidden_dim=self.size.hidden,
            n_rnn_layers=1,
            batch_size=self.size.batch,
            n_epochs=self.size.epochs,
            optimizer_kwargs={"lr": self.lr},
            random_state=0,
            pl_trainer_kwargs={
                "accelerator": "gpu" if self.device == "cuda" else "cpu",
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "logger": False,
            },
        )
        self.model.fit(self.series, past_covariates=self.covariates)

    def predict(self):
        """Predict all windows."""
        forecasts = self.model.historical_forecasts(
            self.series,
            past_covariates=self.covariates,
            retrain=False,
            predict_kwargs={"batch_size": self.size.prediction_batch},
        )
        return forecasts.values()[:, 0]
