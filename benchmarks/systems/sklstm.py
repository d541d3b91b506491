"""sklstm window by window: the same computations as the other systems, and standardising."""

from sklstm import LSTMRegressor, SequenceWindower
from systems import BaseSystem


class System(BaseSystem):
    """Reads the table: windowing is timed too."""

    supervised_steps = 1
    dtype = "float32"

    def fit(self):
        """Train a new network."""
        self.windower = SequenceWindower(self.size.window, horizon=1)
        windows = self.windower.fit_transform(self.table)[self.size.window :]  # the full ones
        self.model = LSTMRegressor(
            self.size.hidden,
            lr=self.lr,
            clip_grad_norm=None,
            max_epochs=self.size.epochs,
            batch_size=self.size.batch,
            supervised_steps=self.supervised_steps,
            input_transform="levels",
            init=None,
            early_stopping=False,
            random_state=0,
            device=self.device,
            dtype=self.dtype,
        )
        self.model.fit(windows, self.table[self.size.window :, 0])

    def predict(self):
        """Predict all windows."""
        return self.model.predict(self.windower.transform(self.table)[self.size.window :])
