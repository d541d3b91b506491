"""Conversion of any supported X to checked `Sequences`."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from sklstm._data.arrays import plain
from sklstm._data.frames import Layout, lay_out
from sklstm._data.numeric import numeric_columns
from sklstm._data.sequences import Sequences

__all__ = [
    "FLOATS",
    "as_frame",
    "as_sequences",
    "feature_values",
    "has_fitted_names",
    "is_table",
    "kind_of_table",
    "lay_out_any",
]

FLOATS = [np.float64, np.float32]


def as_sequences(
    estimator: BaseEstimator, X: Any, *, reset: bool, tokens: bool = False
) -> Sequences:
    """Turn X into `Sequences` and check its features against those of `fit`.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_``, ``feature_names_in_`` and, for tokens, the vocabulary if `reset`;
        otherwise X is compared with them.
    X : Sequences, 3-D array, list of 2-D arrays, or table
        A table ``(n_rows, n_features)`` gives one sequence of a single step for each row.
    reset : bool
        Whether this is the X of `fit`.
    tokens : bool, default=False
        Whether steps are tokens: X may then be lists of whole numbers, or a 2-D array of them.

    Returns
    -------
    Sequences
        Numeric steps, which may be NaN; floating-point numbers are not copied.

    Raises
    ------
    TypeError
        If sequences are dicts, or their steps named fields.
    ValueError
        If X is empty, not numeric, or has other features or another vocabulary than the X of `fit`.
    """
    _refuse_records(X)
    X = plain(X)
    _refuse_texts(estimator, X)
    if tokens and not isinstance(X, Sequences):
        X = Sequences.from_tokens(X)
    elif is_table(X):
        _refuse_times(X)
        X = numeric_columns(X)
        X = validate_data(estimator, X, dtype=FLOATS, ensure_all_finite=False, reset=reset)
        names = getattr(estimator, "feature_names_in_", None)
        return Sequences.from_arrays(X[:, None], padding="keep", feature_names=names)
    if not isinstance(X, Sequences):
        _refuse_flat_lists(X)
        X = _read_arrays(X)
    if not len(X):
        raise ValueError(f"Found 0 sequences in X; {_name(estimator)} needs at least one.")
    if not X.n_features:
        raise ValueError(
            f"Found 0 features in X of the shape {X.shape}: sequences, steps, features."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X holds {X.dtype}; {_name(estimator)} needs numbers.")
    if tokens:  # there is one feature, of any name
        parts = X.values, X.starts, X.lengths, X.series
        X = Sequences(*parts, index=X.index, vocabulary=X.vocabulary)
    _check_features(estimator, X, reset=reset)
    _check_categories(estimator, X, reset=reset)
    if tokens:
        _check_tokens(X)
        _check_vocabulary(estimator, X, reset=reset)
    elif X.dtype.kind in "iu" and X.feature_names is not None and "token" in X.feature_names:
        raise ValueError(
            f"X holds tokens, whose numbers mean nothing by themselves: {_name(estimator)} needs "
            "embedding, such as embedding=32, to read them."
        )
    return X if tokens or X.dtype in FLOATS else _in_float64(X)


def lay_out_any(
    X: Any, series: str | list[str] | None, time: str | None, by_levels: bool | None = None
) -> tuple[Any, Layout]:
    """Separate features, series and time of any supported table.

    Parameters
    ----------
    X : DataFrame of pandas, Polars, pyarrow or dask, Dataset of xarray, tensor, or array-like
        The table.
    series, time, by_levels : str, list of str, bool or None
        As in `lay_out`.

    Returns
    -------
    X : DataFrame or array-like
        The table as a DataFrame of pandas, if it has names.
    layout : Layout
        Its parts. A table without an index, such as that of Polars, has no time but a named one.
    """
    table = as_frame(X)
    if not isinstance(table, pd.DataFrame):
        return table, Layout(table)
    layout = lay_out(table, series, time, by_levels=by_levels)
    if layout.clock == "counter" and table is not X and hasattr(X, "to_pandas"):
        layout = layout._replace(times=None, timestamps=None, clock=None)
    return table, layout


def as_frame(X: Any) -> Any:
    """Make a DataFrame of pandas from a table of another library.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    DataFrame or object
        Of a Dataset or DataArray of xarray a row for each point, by `to_dataframe`; of dask the
        computed table. All else that is no table is what `plain` makes of it.
    """
    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "dask") and hasattr(X, "compute"):
        X = X.compute()
    if hasattr(X, "to_dataframe") and hasattr(X, "dims"):
        X = X.to_dataframe() if hasattr(X, "data_vars") else X.to_dataframe(X.name or "value")
    if hasattr(X, "to_pandas") and not isinstance(X, (pd.DataFrame, pd.Series)):
        is_arrow = type(X).__module__.startswith("pyarrow")  # whose dates would be objects
        return X.to_pandas(date_as_object=False) if is_arrow else X.to_pandas()
    return X if isinstance(X, pd.DataFrame) else plain(X)


def kind_of_table(X: Any) -> str:
    """Name the type of X, with its library for DataFrames.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    str
        Such as ``"ndarray"`` or ``"dask DataFrame"``.
    """
    name, library = type(X).__name__, type(X).__module__.partition(".")[0]
    return f"{library} {name}" if name == "DataFrame" else name


def feature_values(estimator: BaseEstimator, table: Any) -> np.ndarray:
    """Check the features of a table and convert them to one array.

    Parameters
    ----------
    estimator : BaseEstimator
        Named in messages.
    table : DataFrame or array-like of shape (n_rows, n_features)
        Numbers, which may be NaN.

    Returns
    -------
    ndarray of floating-point numbers, shape (n_rows, n_features)
        Not copied if it is one block of such numbers already.

    Raises
    ------
    ValueError
        If a column is not numeric, or there are no columns.
    """
    if isinstance(table, pd.DataFrame) and table.size:
        first = table if len(table) == 1 else table[:1]
        if first.to_numpy().dtype in FLOATS:  # the dtype of each column takes as long as a row
            values = table.to_numpy()
            if values.dtype in FLOATS:
                return values
    table = numeric_columns(table)
    _refuse_times(table)
    _refuse_texts(estimator, table)
    return check_array(table, dtype=FLOATS, ensure_all_finite=False, estimator=estimator)


def has_fitted_names(estimator: Any, names: Any) -> bool:
    """Return whether features have the names of `fit`, so that scikit-learn need not compare them.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted.
    names : array-like of str, or None
        Current names of the features.

    Returns
    -------
    bool
        False if names are missing or differ. The check of scikit-learn takes as long as predicting
        a row.
    """
    fitted = getattr(estimator, "feature_names_in_", None)
    return fitted is not None and names is not None and list(fitted) == list(names)


def is_table(X: Any) -> bool:
    """Return whether X is a table: each row is a sequence of a single step.

    Parameters
    ----------
    X : object
        Anything; scikit-learn's checks of tables handle all but sequences.

    Returns
    -------
    bool
        False for `Sequences`, 3-D arrays, and lists of anything but rows of one length.
    """
    if isinstance(X, Sequences) or getattr(X, "ndim", None) == 3:
        return False
    if isinstance(X, (list, tuple)):
        return bool(X) and not _differ_in_length(X) and max(map(_ndim, X)) != 2
    return not (hasattr(X, "__array__") and np.asarray(X).ndim == 3)


def _differ_in_length(X: Any) -> bool:
    """Whether X is a list of 1-D arrays or lists that are no rows of one table."""
    is_flat = isinstance(X, (list, tuple)) and all(_ndim(x) == 1 for x in X)
    return is_flat and len({len(x) for x in X}) > 1


def _refuse_flat_lists(X: Any) -> None:
    """Raise an error for lists that are neither sequences nor rows of one table."""
    if _differ_in_length(X):
        raise ValueError(
            "X is a list of 1-D arrays or lists of different lengths. A sequence has the shape "
            "(n_steps, n_features): for sequences of one feature pass "
            "[np.reshape(x, (-1, 1)) for x in X]; for tokens give the estimator an embedding."
        )


def _ndim(x: Any) -> int:
    """Number of dimensions; of lists by their first entries, as lengths may differ."""
    if isinstance(x, (list, tuple)):
        return 1 + (_ndim(x[0]) if len(x) else 0)
    return getattr(x, "ndim", 0)


def _refuse_records(X: Any) -> None:
    """Raise an error where values have names, as readers of ARFF and MATLAB files give them."""
    if isinstance(X, np.ndarray) and X.dtype.names:
        raise TypeError(
            f"X has named fields ({', '.join(X.dtype.names[:3])}): "
            "numpy.lib.recfunctions.structured_to_unstructured(X) makes them the last axis."
        )
    first = X if isinstance(X, dict) else X[0] if isinstance(X, list) and X else None
    if isinstance(first, np.ndarray) and first.dtype.names:
        raise TypeError(
            f"X is a list of arrays with named fields ({', '.join(first.dtype.names[:3])}): give "
            "[numpy.lib.recfunctions.structured_to_unstructured(x) for x in X]."
        )
    if isinstance(first, dict):
        names = ", ".join(map(repr, list(first)[:3]))
        what = "X is a dict" if first is X else "X is a list of dicts"
        raise TypeError(
            f"{what} with {names}: give a list of arrays, such as [record[name] for record in X]."
        )


def _refuse_texts(estimator: BaseEstimator, X: Any) -> None:
    """Raise an error for texts or lists of words, which a TokenSequencer reads."""
    first = X[0] if isinstance(X, (list, tuple)) and len(X) else None
    if isinstance(X, (np.ndarray, pd.Series)) and X.ndim == 1 and X.dtype.kind in "OSU":
        first = next(iter(X), None)
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OSU" and X.size:
        first = X[0].tolist()
    of_words = isinstance(first, (list, tuple)) and len(first) and isinstance(first[0], str)
    text: Any = first[0] if of_words and first is not None else first
    if not isinstance(text, str) or (of_words and _is_number(text)):
        return
    raise ValueError(
        f"X holds {'lists of words' if of_words else 'texts'} such as {text[:40]!r}, and "
        f"{_name(estimator)} reads numbers: put a TokenSequencer{'(analyzer=list)' * of_words} in "
        "front, and give the LSTM estimator an embedding."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_tokens(sequences: Sequences) -> None:
    """Raise an error for steps in use that are not whole numbers from 0."""
    if sequences.n_features != 1:
        raise ValueError(
            f"With an embedding a step is one token, and X has {sequences.n_features} features."
        )
    with np.errstate(invalid="ignore"):
        bad = (sequences.values[:, 0] < 0) | (sequences.values[:, 0] % 1 != 0)
    if not bad.any():
        return
    bad &= sequences.step_weights() > 0
    if bad.any():
        step = int(bad.argmax())
        user = int(np.flatnonzero((sequences.starts <= step) & (step < sequences.ends))[0])
        raise ValueError(
            f"Sequence {user} (counted from 0) holds {sequences.values[step, 0]}, which is no "
            "token: tokens are whole numbers from 0, and 0 means unknown."
        )


def _check_vocabulary(estimator: BaseEstimator, sequences: Sequences, *, reset: bool) -> None:
    """Raise an error if tokens stand for other words than in `fit`; lists have no vocabulary."""
    vocabulary = sequences.vocabulary
    if reset:
        estimator._vocabulary = vocabulary
        return
    fitted = estimator._vocabulary
    if vocabulary is fitted or vocabulary is None or fitted is None or vocabulary == fitted:
        return
    raise ValueError(
        f"X holds tokens of a vocabulary of {len(vocabulary)} words, and {_name(estimator)} was "
        f"fitted on one of {len(fitted)}, in which the same numbers stand for other words. Put X "
        "through the TokenSequencer of the training data, as a Pipeline does."
    )


def _refuse_times(X: Any) -> None:
    """Raise an error for an array of dates or durations, whose numbers depend on their unit."""
    if getattr(getattr(X, "dtype", None), "kind", None) in ("m", "M"):
        raise ValueError(
            f"X holds {X.dtype}, and features must be numbers, whose unit does not change from "
            "array to array. A duration in seconds is X / np.timedelta64(1, 's'); of dates "
            "subtract one first."
        )


def _check_categories(estimator: BaseEstimator, sequences: Sequences, *, reset: bool) -> None:
    """Raise an error if codes stand for other values than in `fit`; arrays have no categories."""
    categories = sequences.categories
    if reset:
        estimator._categories = categories
        return
    fitted = getattr(estimator, "_categories", {})
    if not categories or categories == fitted:
        return
    other = next(k for k in {**categories, **fitted} if categories.get(k) != fitted.get(k))
    names = sequences.feature_names
    raise ValueError(
        f"The codes of feature {other if names is None else repr(names[other])} of X stand for "
        f"other values than those {_name(estimator)} was fitted on: put X through the "
        "SequenceWindower of the training data, as a Pipeline does."
    )


def _read_arrays(X: Any) -> Sequences:
    if getattr(X, "ndim", None) == 3 or not isinstance(X, (list, tuple)):
        _refuse_times(X)
        X = _without_na(X)
        X = check_array(X, dtype=FLOATS, allow_nd=True, ensure_2d=False, ensure_all_finite=False)
        return Sequences.from_arrays(X)
    sequences = Sequences.from_arrays(X)
    _refuse_times(sequences.values)
    values = check_array(
        _without_na(sequences.values), dtype=FLOATS, ensure_all_finite=False, ensure_min_samples=0
    )
    names = sequences.feature_names
    return Sequences(values, sequences.starts, sequences.lengths, feature_names=names)


def _without_na(X: Any) -> Any:
    """The same array with NaN in place of pandas.NA, which is no number."""
    if not isinstance(X, np.ndarray) or X.dtype != object:
        return X
    return np.where(pd.isna(X), np.nan, X)


def _in_float64(X: Sequences) -> Sequences:
    """The same sequences of floating-point numbers, whose differences do not wrap around."""
    parts = X.values.astype(np.float64), X.starts, X.lengths, X.series
    return Sequences(*parts, X.feature_names, X.index, categories=X.categories)


def _check_features(estimator: BaseEstimator, sequences: Sequences, *, reset: bool) -> None:
    """Compare the features by scikit-learn, as columns of an empty table."""
    if not reset and sequences.n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {sequences.n_features} features, but {_name(estimator)} is expecting "
            f"{estimator.n_features_in_} features as input. X has the shape {sequences.shape}: "
            "sequences, steps, features, in this order."
        )
    names = sequences.feature_names
    if not reset and has_fitted_names(estimator, names):
        return
    no_rows = np.empty((0, sequences.n_features))
    columns = no_rows if names is None else pd.DataFrame(no_rows, columns=names)
    validate_data(estimator, columns, reset=reset, skip_check_array=True)


def _name(estimator: BaseEstimator) -> str:
    return type(estimator).__name__
