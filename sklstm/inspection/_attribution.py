"""Integrated gradients of one prediction: the part of each feature at each lag."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.validation import check_array, check_is_fitted

from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import Interval, StrOptions, validate_parameter_constraints
from sklstm.inspection._histories import lags_of, name_lags, names_of, sequences_of

__all__ = ["PARAMETER_CONSTRAINTS", "history_attribution"]

PARAMETER_CONSTRAINTS = {
    "row": [Interval(Integral, None, None, closed="neither"), "array-like"],
    "baseline": ["array-like", None],
    "n_points": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
}

POINTS = 10, 40, 160, 640
"""Points of the quadrature. With 10 the error was below 0.7 % of the deviation of predictions of
networks of 64 units on 96 steps; of networks trained on few rows at a high learning rate, which
nearly jump on the way, some rows need 640."""

TOLERANCE = 0.005
"""Error of a row, by its change from the baseline, from which it gets more points."""

CANCELLED = 0.1
"""The change counts as at least so much of the sum of absolute parts, which may cancel out."""


def history_attribution(
    model: BaseEstimator,
    X: ArrayLike | pd.DataFrame | Sequences,
    row: int | Sequence[int] = -1,
    *,
    output: Any = None,
    baseline: ArrayLike | None = None,
    n_points: int | str = "auto",
) -> Bunch:
    """Attribute a prediction to each feature at each lag: integrated gradients.

    The parts add up to the prediction less that for a baseline, a history in which nothing happens:
    each feature has its training mean at all steps. Those of the init are exact, those of the
    network integrals over the way from the baseline.

    Parameters
    ----------
    model : estimator
        Fitted `LSTMRegressor` or `LSTMClassifier`, on sequences; or a Pipeline that ends with it,
        on a table; or a search of these, whose best estimator is taken.
    X : DataFrame, array-like of shape (n_rows, n_columns), or sequences
        As for `predict`.
    row : int or sequence of int, default=-1
        Which rows of X to explain, counted from 0, or from the end if negative.
    output : int or label, default=None
        Column of y, counted from 0, or label, to explain. `None`: the only column, or the
        predicted label.
    baseline : array-like of shape (n_features,), default=None
        Value of each feature at all steps of the history to compare with; those of a Series, such
        as ``table.median()``, are found by the names of the features. `None`: the mean of the
        training steps, or 0 with ``standardize=False``.
    n_points : int or "auto", default="auto"
        Number of points of the quadrature, Gauss-Legendre's, or equidistant ones for
        ``pooling="max"``. ``"auto"``: 10, and 40, 160 or 640 for rows whose `error` is more than
        0.5 % of their change from the baseline.

    Returns
    -------
    Bunch
        With the attributes

        attributions : DataFrame of shape (n_lags, n_features)
            Parts in the unit of `prediction`; lags in the index, the oldest first, features in the
            columns. Of several rows one below the other, with an index of row and lag.
        prediction : float, or ndarray of shape (n_rows,)
            What is explained: the prediction of a regressor, of counts before the softplus that
            makes them positive; of a classifier the log-odds of the label against the others, of
            three or more labels against the mean of their logits.
        baseline_prediction : float, or ndarray of shape (n_rows,)
            The same for the baseline.
        error : float, or ndarray of shape (n_rows,)
            Error of the integration, `prediction` less `baseline_prediction` and the sum of all
            parts, which are not rescaled.
        n_points : int, or ndarray of shape (n_rows,)
            Number of points that was used.
        output : int or label, or list of them
            What was explained.
        unit : str
            Label of the numbers.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If a parameter is not valid, the model is no such estimator, its `init` is an estimator of
        scikit-learn, it reads tokens or predicts at every step, or a row is not there.

    See Also
    --------
    sklstm.plotting.HistoryAttributionDisplay : The same as a picture.
    history_importance : What counts for the score of many rows.
    LSTMRegressor.to_torch : The model as a module of torch, for captum and SHAP.

    Notes
    -----
    A part is what the model computes from a value, not what caused y. It depends on the baseline:
    a feature that has its mean has no part. A missing value has none either. Networks of
    ``init="convolutions"`` jump where a kernel crosses a bias; each jump is divided among the
    values that move the kernel.

    References
    ----------
    .. [1] Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.

    Examples
    --------
    The target is the second feature of two steps before:

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, SequenceWindower
    >>> from sklstm.inspection import history_attribution
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> y = np.roll(X[:, 1], 2)
    >>> model = make_pipeline(
    ...     SequenceWindower(window_size=3, horizon=1),
    ...     LSTMRegressor(hidden_size=8, max_epochs=20, random_state=0),
    ... )
    >>> found = history_attribution(model.fit(X, y), X, row=300)
    >>> found.attributions["x1"].abs().idxmax(), abs(found.error) < 0.01
    ('t-2', True)
    """
    validate_parameter_constraints(PARAMETER_CONSTRAINTS, locals(), "history_attribution")
    check_is_fitted(model)
    model = getattr(model, "best_estimator_", model)
    sequences, reader = sequences_of(model, X)
    estimator = _lstm_of(reader)
    rows = _rows(row, sequences)
    some, lags = sequences[rows], lags_of(model, sequences.max_length)
    output, columns = _output(estimator, some, output)
    given = _baseline(estimator, baseline)
    n_each = np.full(len(rows), POINTS[0] if n_points == "auto" else n_points)
    found = estimator._fitted.attributions(some, given, columns, int(n_each[0]))
    for n_more in POINTS[1:] if n_points == "auto" else ():
        coarse = np.flatnonzero([_is_coarse(one) for one in found])
        if len(coarse):
            finer = estimator._fitted.attributions(some[coarse], given, columns[coarse], n_more)
            n_each[coarse] = n_more
            for place, one in zip(coarse, finer, strict=True):
                found[place] = one
    tables = [_table(one.parts, sequences, lags) for one in found]
    result = Bunch(
        attributions=pd.concat(tables, keys=rows.tolist(), names=["row"]),
        prediction=np.array([one.predicted for one in found]),
        baseline_prediction=np.array([one.of_baseline for one in found]),
        error=np.array([_error(one) for one in found]),
        n_points=n_each,
        output=output,
        unit=_unit(estimator),
    )
    return _first(result) if np.ndim(row) == 0 else result


def _unit(estimator: Any) -> str:
    """What the numbers are."""
    if is_classifier(estimator):
        return "log-odds"
    of_counts = estimator._fitted.head.positive_only
    return "prediction before the softplus" if of_counts else "prediction"


def _first(result: Bunch) -> Bunch:
    """The result for a single row."""
    numbers = ("prediction", "baseline_prediction", "error", "n_points")
    single: dict[str, Any] = {name: result[name][0].item() for name in numbers}
    single["attributions"] = result.attributions.droplevel("row")
    single["output"] = result.output[0]
    return Bunch(**result | single)


def _error(found: Any) -> float:
    """What the parts do not add up to."""
    return found.predicted - found.of_baseline - found.parts.sum()


def _is_coarse(found: Any) -> bool:
    """Whether the quadrature needs more points."""
    change = max(abs(found.predicted - found.of_baseline), CANCELLED * np.abs(found.parts).sum())
    return abs(_error(found)) > TOLERANCE * change


def _lstm_of(reader: BaseEstimator) -> Any:
    """The estimator that has gradients."""
    if isinstance(reader, Pipeline) and len(reader.steps) == 1:
        reader = reader[0]
    fitted: Any = getattr(reader, "_fitted", None)
    if not hasattr(fitted, "attributions"):
        raise ValueError(
            f"{type(reader).__name__} reads the sequences, and integrated gradients need an "
            "LSTMRegressor or LSTMClassifier there. history_importance takes any model."
        )
    if fitted.scaling.n_tokens is not None or fitted.per_step:
        what = "predicts at every step" if fitted.per_step else "reads tokens"
        raise ValueError(
            f"The {type(reader).__name__} {what}, and history_attribution explains one prediction "
            "from numbers: to_torch() is a module that captum explains."
        )
    return reader


def _rows(row: Any, sequences: Sequences) -> np.ndarray:
    """Places of the rows, from 0 on."""
    rows = np.atleast_1d(np.asarray(row))
    n_rows = len(sequences)
    if rows.dtype.kind not in "iu" or rows.ndim > 1:
        raise ValueError(f"row={row!r} must be whole numbers: places of rows, counted from 0.")
    missing = rows[(rows < -n_rows) | (rows >= n_rows)]
    if len(missing):
        raise ValueError(f"row={missing[0]} is not there: X has {n_rows} rows, counted from 0.")
    rows = rows % n_rows
    empty = rows[sequences.lengths[rows] == 0]
    if len(empty):
        raise ValueError(
            f"Row {empty[0]} of X has an empty history, so that there is nothing to attribute its "
            "prediction to."
        )
    return rows


def _output(estimator: Any, sequences: Sequences, output: Any) -> tuple[list, np.ndarray]:
    """What is explained in each row, and its column among the outputs."""
    n_rows, labels = len(sequences), getattr(estimator, "classes_", None)
    if labels is not None and np.ndim(labels) == 1:
        chosen = estimator.predict(sequences) if output is None else [output] * n_rows
        unknown = [label for label in chosen if label not in labels]
        if unknown:
            raise ValueError(f"output={unknown[0]!r} is no label: they are {labels.tolist()}.")
        return list(chosen), np.searchsorted(labels, chosen)
    n_columns = estimator.n_outputs_
    if output is None and n_columns > 1:
        raise ValueError(f"y has {n_columns} columns: give output=, one of 0 to {n_columns - 1}.")
    output = 0 if output is None else output
    if output not in range(n_columns):
        raise ValueError(f"output={output!r} must be a column of y, 0 to {n_columns - 1}.")
    return [output] * n_rows, np.full(n_rows, output)


def _baseline(estimator: Any, baseline: ArrayLike | None) -> np.ndarray:
    if baseline is None:
        return estimator.feature_mean_
    names = getattr(estimator, "feature_names_in_", None)
    if isinstance(baseline, pd.Series) and names is not None and set(names) & set(baseline.index):
        unknown = [name for name in names if name not in baseline.index]
        if unknown or not baseline.index.is_unique:
            raise ValueError(
                f"baseline has the names {list(baseline.index)}; expected one value for each of "
                f"{list(names)}. Without names, as baseline.to_numpy(), they are read in order."
            )
        baseline = baseline[names]
    values = check_array(
        baseline, ensure_2d=False, dtype=np.float64, order="C", copy=True, input_name="baseline"
    )
    if values.shape != estimator.feature_mean_.shape:
        raise ValueError(
            f"baseline has the shape {values.shape} and must have one value for each of the "
            f"{len(estimator.feature_mean_)} features: {estimator.feature_mean_.shape}."
        )
    return values


def _table(parts: np.ndarray, sequences: Sequences, lags: np.ndarray) -> pd.DataFrame:
    """Parts with lags in the index and features in the columns."""
    names = [name_lags(lag[None]) for lag in lags[: len(parts)][::-1]]
    index = pd.Index(names, name="lag")
    return pd.DataFrame(parts, index, pd.Index(names_of(sequences), name="feature"))
