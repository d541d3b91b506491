"""Keras with its default backend, TensorFlow, on an array of copied windows.

The model is compiled once, before the first fit, and gets its first weights back for each
fit: tracing the graph anew takes seconds, and would be most of the time of a short fit.
"""

import keras

from systems import BaseSystem, copied_windows


class System(BaseSystem):
    """A sequential model."""

    def prepare(self, table):
        """Copy the windows and compile the model."""
        self.windows, self.target = copied_windows(table, self.size.window)
        keras.utils.set_random_seed(0)
        self.model = keras.Sequential(
            [
                keras.Input(self.windows.shape[1:]),
                keras.layers.LSTM(self.size.hidden),
                keras.layers.Dense(1),
            ]
        )
        self.model.compile(keras.optimizers.Adam(self.lr), loss="mse")
        self.model.optimizer.build(self.model.trainable_variables)
        variables = self.model.variables + self.model.optimizer.variables
        self.first = [(variable, variable.numpy()) for variable in variables]

    def fit(self):
        """Train from the first weights."""
        for variable, value in self.first:
            variable.assign(value)
        self.model.fit(
            self.windows,
            self.target,
            batch_size=self.size.batch,
            epochs=self.size.epochs,
            verbose=0,
        )

    def predict(self):
        """Predict all windows."""
        return self.model.predict(self.windows, self.size.prediction_batch, verbose=0)[:, 0]
