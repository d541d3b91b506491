"""Any parameters with any data: a fit with finite predictions, or an error that is ours.

``make fuzz`` tries more cases than the tests do.
"""

import os
import traceback
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.pipeline import make_pipeline

from sklstm import (
    DataWarning,
    LSTMClassifier,
    LSTMRegressor,
    Sequences,
    SequenceWindower,
    TokenSequencer,
)

N_CASES = int(os.environ.get("SKLSTM_EXAMPLES", "300"))

ODD = st.sampled_from([None, 0, -1, 1.5, np.nan, np.inf, "last", "", [], {}, object(), True])


def mostly(*usual):
    """One of the usual values, seldom an odd one."""
    return st.integers(0, 29).flatmap(lambda i: ODD if i == 7 else st.sampled_from(usual))


SMALL = mostly(1, 2, 5)
PARAMS = {
    "num_layers": mostly(1, 2, 3),
    "cell": mostly("lstm", "gru", "rnn"),
    "bidirectional": mostly(True, False),
    "dropout": mostly(0.0, 0.5, 0.99),
    "pooling": mostly("last", "mean", "max", "attention", None),
    "embedding": mostly(None, None, None, 3),
    "standardize": mostly(True, False),
    "missing": mostly("error", "mask"),
    "optimizer": mostly("adam", "sgd", "rmsprop", torch.optim.Adam, "adagrad"),
    "skorch_params": mostly(
        None, {"optimizer__eps": 1e-6}, {"optimizer__momentum": 0.9}, {"optimizer__nothing": 1}
    ),
    "lr": mostly(1e-3, 1.0, 1e6, 1e-30),
    "lr_scheduler": mostly(None, "cosine", "onecycle", "step", "plateau"),
    "weight_decay": mostly(0.0, 0.1),
    "clip_grad_norm": mostly(1.0, None, 1e-9),
    "batch_size": mostly(1, 3, 64),
    "supervised_steps": mostly("auto", 1, 4),
    "early_stopping": mostly(True, False),
    "validation_fraction": mostly(0.1, 0.5, 0.99),
    "n_iter_no_change": mostly(1, 3),
    "tol": mostly(0.0, 1e-4),
    "dtype": mostly("float32", "float64", "bfloat16"),
    "random_state": mostly(None, 0),
    "device": mostly("cpu", "auto"),
}


@st.composite
def parameters(draw):
    names = draw(st.lists(st.sampled_from(sorted(PARAMS)), max_size=5, unique=True))
    params = {name: draw(PARAMS[name]) for name in names}
    return params | {"hidden_size": draw(SMALL), "max_epochs": draw(mostly(1, 2))}


@st.composite
def arrays(draw, shape):
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    size = draw(st.sampled_from([1.0] * 9 + [1e-30, 1e6, 1e30, 1e300]))
    x = rng.normal(size=shape) * size
    kind = draw(st.sampled_from(["plain"] * 9 + ["constant", "gaps", "infinite", "whole"]))
    if kind == "constant":
        x[...] = size
    elif kind == "gaps":
        x[rng.random(shape) < 0.3] = np.nan
    elif kind == "infinite" and x.size:
        x.flat[0] = np.inf
    elif kind == "whole":
        x = rng.integers(-1, 5, size=shape)
    if kind == "plain" and size < 1e30:
        x = x.astype(draw(st.sampled_from(["float64", "float32", "object"])))
    return x


@st.composite
def inputs(draw):
    """X of any kind, and what is needed to make a y for it."""
    n = draw(st.sampled_from([7, 7, 7, 20, 20, 20, 2, 1, 0]))
    n_features = draw(st.sampled_from([1, 1, 1, 1, 2, 2, 2, 2, 0]))
    kind = draw(
        st.sampled_from(
            ["block", "list", "sequences", "windows", "table", "frame", "flat", "tokens"]
        )
    )
    if kind == "block":
        return draw(arrays((n, draw(st.sampled_from([1, 4, 4, 4, 0])), n_features)))
    lengths = draw(st.lists(st.sampled_from([0, 1, 2, 5]), min_size=n, max_size=n))
    if kind in ("list", "sequences"):
        X = [draw(arrays((length, n_features))) for length in lengths]
        if kind == "sequences" and n:
            return Sequences.from_arrays([x.astype(float) for x in X])
        return X
    if kind == "tokens":
        return [[step % 4 for step in range(length)] for length in lengths]
    if kind == "flat":
        return draw(arrays((n,)))
    X = draw(arrays((n, n_features)))
    if kind == "frame":
        return pd.DataFrame(X).rename(columns=str)
    if kind == "windows" and n and n_features and X.dtype != object:
        return SequenceWindower(draw(st.sampled_from([1, 3, 8])), horizon=1).fit_transform(X)
    return X


@st.composite
def targets(draw, X):
    n = len(X) + draw(st.sampled_from([0] * 18 + [1, -1]))
    shape = draw(st.sampled_from([(max(n, 0),)] * 4 + [(max(n, 0), 2), (max(n, 0), 5)]))
    kind = draw(
        st.sampled_from(["numbers", "numbers", "whole", "whole", "texts", "steps", "mixed"])
    )
    if kind == "numbers":
        return draw(arrays(shape))
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    if kind == "whole":
        return rng.integers(3, size=shape)
    if kind == "texts":
        return rng.choice(["a", "b"], size=shape)
    if kind == "steps":
        return [rng.integers(2, size=len(np.atleast_1d(x))) for x in X]
    return [None, "a", 1.5, *range(len(X))][: len(X)]


def result_of(call):
    """What a call returns, or None if it raises an error of ours.

    An error is not ours if it comes from within torch or skorch.
    """
    try:
        return call()
    except (ValueError, TypeError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        theirs = any(f"{os.sep}{package}{os.sep}" in last for package in ("torch", "skorch"))
        assert not theirs, "".join(traceback.format_exception(error))  # noqa: PT017
        return None


fuzz = settings(
    deadline=20_000, suppress_health_check=list(HealthCheck), derandomize=N_CASES == 300
)


@settings(fuzz, max_examples=N_CASES)
@given(st.data(), st.sampled_from([LSTMRegressor, LSTMClassifier]), parameters(), inputs())
def test_a_fit_or_an_error_of_ours(data, estimator, params, X):
    y = data.draw(targets(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DataConversionWarning)
        warnings.simplefilter("ignore", DataWarning)
        warnings.filterwarnings("ignore", "invalid value encountered in cast")  # scikit-learn's
        model = result_of(lambda: estimator(**params).fit(X, y))
        if model is None:
            return
        event("fitted")
        predicted = model.predict(X)
    assert len(predicted) == len(X)
    if isinstance(model, LSTMRegressor):
        assert all(np.isfinite(one).all() for one in predicted)


@settings(fuzz, max_examples=max(N_CASES // 5, 1))
@given(
    st.data(),
    SMALL,
    SMALL,
    st.sampled_from([None, "a", "b", "nothing", ["a", "b"]]),
    st.sampled_from([None, 1, "2h", -1]),
    st.booleans(),
)
def test_pipelines_from_tables(data, window_size, horizon, series, max_gap, add_time_delta):
    n = data.draw(st.sampled_from([1, 6, 30]))
    table = pd.DataFrame(data.draw(arrays((n, 2))), columns=["a", "b"])
    if data.draw(st.booleans()):
        table.index = pd.date_range("2024", periods=n, freq="h")
    windower = SequenceWindower(
        window_size, horizon=horizon, series=series, max_gap=max_gap, add_time_delta=add_time_delta
    )
    model = make_pipeline(windower, LSTMRegressor(2, max_epochs=1, missing="mask"))
    predicted = result_of(lambda: model.fit(table, np.arange(n)).predict(table))
    if predicted is not None:
        assert np.isfinite(predicted).all()
        assert predicted.shape == (n,)


@pytest.mark.parametrize("texts", [[], [""], ["a b", ""], ["ab cd", None], "text", [1, 2]])
def test_pipelines_from_texts(texts):
    model = make_pipeline(
        TokenSequencer(), LSTMClassifier(2, max_epochs=1, embedding=2, bidirectional=True)
    )
    model.fit(["ab cd", "cd", "ab ab"], [0, 1, 0])
    predicted = result_of(lambda: model.predict(texts))
    assert predicted is None or len(predicted) == len(texts)
