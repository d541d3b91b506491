"""skorch's NeuralNetRegressor on an array of copied windows."""

import torch
from skorch import NeuralNetRegressor

from systems import BaseSystem, copied_windows
from systems.network import Network


class System(BaseSystem):
    """A scikit-learn estimator with one's own module."""

    def prepare(self, table):
        """Copy the windows."""
        self.windows, self.target = copied_windows(table, self.size.window)

    def fit(self):
        """Train a new network."""
        torch.manual_seed(0)
        self.net = NeuralNetRegressor(
            Network,
            module__n_features=self.windows.shape[2],
            module__hidden=self.size.hidden,
            module__batch_first=True,
            optimizer=torch.optim.Adam,
            lr=self.lr,
            max_epochs=self.size.epochs,
            batch_size=self.size.batch,
            iterator_train__shuffle=True,
            iterator_valid__batch_size=self.size.prediction_batch,
            train_split=None,
            verbose=0,
            device=self.device,
        )
        self.net.fit(self.windows, self.target)

    def predict(self):
        """Predict all windows."""
        return self.net.predict(self.windows)[:, 0]
