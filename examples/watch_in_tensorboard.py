"""
Watch training in TensorBoard
=============================

Any callback of skorch goes into ``callbacks``; this one writes the losses of each epoch to a folder
that TensorBoard shows. It needs ``pip install tensorboard``, so it is not among the tests::

    python examples/watch_in_tensorboard.py
    tensorboard --logdir examples/runs
"""

from pathlib import Path

from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from skorch.callbacks import TensorBoard
from torch.utils.tensorboard import SummaryWriter

from sklstm import LSTMRegressor, SequenceWindower
from sklstm.datasets import load_weather

weather = load_weather(as_frame=True).data
tomorrow = weather["temp_max"]
is_test = weather.index >= "2015"

board = TensorBoard(SummaryWriter(Path(__file__).parent / "runs" / "weather"))
model = make_pipeline(
    SequenceWindower(window_size=14, horizon=1),
    LSTMRegressor(
        hidden_size=32, early_stopping=True, skorch_params={"callbacks": [board]}, random_state=0
    ),
)
model.fit(weather[~is_test], tomorrow[~is_test])

for name, prediction in {"LSTM": model.predict(weather), "naive": tomorrow.shift(1)}.items():
    error = mean_absolute_error(tomorrow[is_test], prediction[is_test])
    print(f"{name}: mean absolute error in 2015 {error:.2f} °C")
