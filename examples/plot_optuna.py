"""
Pruning trials with Optuna
==========================

Optuna suggests hyperparameters trial by trial. A ``PruningCallback`` reports the validation loss
after each epoch, inside ``cross_val_score``: a trial that is worse than the median of the earlier
ones is pruned. The target is tomorrow's highest temperature in Seattle. The best trial is scored
on the last year, which the search does not read, and compared with the naive forecast (the value
of the day before) and gradient boosting on the same windows.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import optuna
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, PruningCallback, SequenceFlattener, SequenceWindower
from sklstm.datasets import load_weather

X = load_weather(as_frame=True).frame.drop(columns="weather")
y = X["temp_max"]
is_test = X.index >= "2015"

# %%
# A trial: hyperparameters, and the mean score of three folds. ``error_score="raise"`` lets the
# exception by which Optuna prunes pass.


def forecaster(params):
    """Make a Pipeline with these hyperparameters."""
    params = dict(params)
    windows = SequenceWindower(params.pop("window_size"), horizon=1)
    return make_pipeline(windows, LSTMRegressor(max_epochs=12, random_state=0, **params))


def error(trial):
    """Return the mean absolute error of a trial, over the folds."""
    params = {
        "window_size": trial.suggest_int("window_size", 2, 30, log=True),
        "hidden_size": trial.suggest_int("hidden_size", 4, 64, log=True),
        "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
    }
    model = forecaster(params)
    model[-1].set_callbacks(PruningCallback(trial))
    scores = cross_val_score(
        model,
        X[~is_test],
        y[~is_test],
        cv=TimeSeriesSplit(3),
        scoring="neg_mean_absolute_error",
        error_score="raise",
    )
    return -scores.mean()


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
)
study.optimize(error, n_trials=16)
n_epochs = [len(trial.intermediate_values) for trial in study.trials]
states = [trial.state.name for trial in study.trials]
print(f"{states.count('PRUNED')} of {len(states)} trials pruned, {sum(n_epochs)} epochs in all")
print(f"best: {study.best_params}, error in the folds {study.best_value:.2f} degrees")

# %%
# The scores on the last year.

best = forecaster(study.best_params).fit(X[~is_test], y[~is_test])
windows = clone(best[0])
boosting = make_pipeline(windows, SequenceFlattener(), HistGradientBoostingRegressor())
boosting.fit(X[~is_test], y[~is_test])
errors = {
    "naive": mean_absolute_error(y[is_test], y.shift(1)[is_test]),
    "gradient boosting": mean_absolute_error(y[is_test], boosting.predict(X[is_test])),
    "LSTM": mean_absolute_error(y[is_test], best.predict(X[is_test])),
}
for name, value in errors.items():
    print(f"{name:20s} {value:.2f} degrees")

# %%
# The trials: each line ends where its trial was pruned or its last fold was complete.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for trial in study.trials:
    steps, losses = zip(*sorted(trial.intermediate_values.items()), strict=True)
    color = "tab:gray" if trial.state.name == "PRUNED" else "tab:blue"
    axes[0].plot(steps, losses, ".-", color=color, linewidth=1, markersize=3)
axes[0].set(xlabel="epoch, fold after fold", ylabel="validation loss [degrees²]", yscale="log")
axes[0].set_title("finished (blue) and pruned (gray) trials")
axes[1].bar(list(errors), list(errors.values()), color=["tab:gray", "tab:orange", "tab:blue"])
axes[1].set(ylabel="mean absolute error [degrees]", title="the last year")

picture = Path("pictures/plot_optuna.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=100)
