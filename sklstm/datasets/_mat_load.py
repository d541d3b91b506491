"""Read sequences and tables from MATLAB files."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sklstm._data.warning import DroppedDataWarning, warn
from sklstm.datasets._mat_fields import (
    SEQUENCES_FIELD,
    Unusable,
    are_single,
    holds_numbers,
    is_one_value,
    is_time,
    is_vector,
    listing,
    read_fields,
)
from sklstm.datasets._mat_forms import build_block, build_list, build_table, is_table

__all__ = ["load_mat"]


def load_mat(
    path: str | os.PathLike,
    features: str | Sequence[str] | None = None,
    target: str | None = None,
    *,
    layout: str = "auto",
    missing_values: float | Sequence[float] | None = None,
) -> Bunch:
    """Load sequences or a table from a MATLAB file.

    One field of the file is one feature: a variable, a field of a struct (``"s.x"``), or a column
    of a MATLAB table or timetable (``"T.x"``). The content of the fields decides the type of
    ``data``:

    ===================================== ==========================================
    Fields                                ``data``
    ===================================== ==========================================
    matrices (n_sequences, n_steps)       one array (n_sequences, n_steps, n_features)
    vectors, row or column                DataFrame, a column a feature
    cell arrays of vectors                list of arrays (n_steps_i, n_features)
    cell arrays of matrices (n_steps_i,   the same; field ``x`` gives the features
    k)                                    ``x_0`` to ``x_{k-1}``
    fields of a struct array, or of a     as a cell array: one struct is one sequence
    cell array of structs
    ===================================== ==========================================

    Parameters
    ----------
    path : str or path-like
        The file, of any MATLAB version; from Octave, saved with ``save -v7``. Version 7.3
        (``save -v7.3``) needs h5py, and MATLAB's tables, timetables, strings, datetimes and
        categorical arrays need mat-io: ``pip install 'sklstm[mat]'`` brings both.
    features : str or list of str, default=None
        Fields to use as features; the name of a struct or table selects all of its fields. Only
        the named fields are read. `None`: every field except the target, in the order of the file;
        in files of version 7.3 that is mostly alphabetical. Fields that are not named individually
        are used if they hold numbers; single numbers beside larger fields are left out. A warning
        lists the fields left out.
    target : str, default=None
        Field to use as target: numbers or labels (a cell array, char matrix, string or categorical
        array). `None`: there is no target.
    layout : {"auto", "table"}, default="auto"
        "auto": by the content of the fields, see above. "table": one DataFrame, whose rows are
        steps, also from matrices (n_rows, k), whose columns ``x_0`` to ``x_{k-1}`` are features,
        and from a struct array of single numbers.
    missing_values : number or list of numbers, default=None
        Numbers that encode a missing value, such as -9999: they become NaN, in features and
        target.

    Returns
    -------
    Bunch
        With the attributes

        data : ndarray of shape (n_sequences, n_steps, n_features), DataFrame of shape \
                (n_rows, n_features) or list of ndarrays of shape (n_steps_i, n_features)
            The features, as float64. A vector of datetimes or durations is the index of the
            DataFrame; a vector of texts is a column of it if it is named in `features`.
        target : ndarray, Series, list of ndarrays or None
            Beside an array: of shape (n_sequences,) or (n_sequences, n_steps). Beside a
            DataFrame: Series of shape (n_rows,). Beside a list: array of shape (n_sequences,) or
            a list of arrays of shape (n_steps_i,). It keeps its type; logical becomes bool, labels
            become str, with None where a label is empty or undefined.
        feature_names : list of str
            Names of the features.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the file cannot be read, a field is missing or not usable (text among sequences, complex
        numbers, a sparse matrix), or the shapes of the fields do not match.
    ImportError
        If the file needs h5py or mat-io, see `path`, and it is not installed.

    Warns
    -----
    UserWarning
        If fields that were not named are left out, or if dates have a time zone; they are
        converted to UTC.

    See Also
    --------
    save_mat : Write such files.

    Notes
    -----
    A single sequence of matrices ``(1, n_steps)`` looks like vectors, and becomes a DataFrame
    whose rows are the steps. It becomes one sequence if the target is a single value, or if
    :func:`save_mat` wrote the file.

    If the file has several copies of a variable, the last one is used.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from scipy.io import savemat
    >>> from sklstm.datasets import load_mat
    >>> weeks = {"temperature": np.ones((20, 7)), "wind": np.ones((20, 7)), "rain": np.zeros(20)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "weeks.mat"
    ...     savemat(path, weeks)
    ...     loaded = load_mat(path, features=["temperature", "wind"], target="rain")
    >>> loaded.data.shape, loaded.target.shape
    ((20, 7, 2), (20,))
    """
    if layout not in ("auto", "table"):
        raise ValueError(f"layout is {layout!r}; expected 'auto' or 'table'.")
    features = [features] if isinstance(features, str) else features
    given = None if features is None else list(features)
    fields = _read_named(path, given, target)
    names, left_out = _choose_features(fields, given, target, layout)
    columns = [_replace_missing(_take(fields, name), missing_values) for name in names]
    y = None if target is None else _replace_missing(_take(fields, target), missing_values)
    data: Any
    if layout == "table" or (is_table(columns, y) and SEQUENCES_FIELD not in fields):
        names, data, y = build_table(names, columns, y, target)
    elif any(isinstance(column, list) for column in columns):
        names, data, y = build_list(names, columns, y, target)
    else:
        data, y = build_block(names, columns, y, target)
    if left_out:
        warn(
            f"Left out of {path}: {listing(left_out)}. Name the features to select other fields, "
            "or to silence this warning.",
            DroppedDataWarning,
        )
    return Bunch(data=data, target=y, feature_names=names)


def _read_named(path: Any, given: list[str] | None, target: str | None) -> dict[str, Any]:
    """Read the named fields of the file, or all."""
    named = [*(given or ()), *([] if target is None else [target])]
    for name in named:
        if not isinstance(name, str):
            raise ValueError(f"There is no field {name!r}; expected names of fields, as str.")
    roots = {SEQUENCES_FIELD, *(name.partition(".")[0] for name in named)}
    fields = read_fields(path, roots if given else None)
    for name in named:
        if name not in fields and (name == target or not _inside(fields, name)):
            raise ValueError(
                f"{path} has no field {name!r}; it has {listing(read_fields(path))}. Name one of "
                "these; upper and lower case differ."
            )
    return fields


def _inside(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Fields of a struct or columns of a table."""
    return {field: value for field, value in fields.items() if field.startswith(f"{name}.")}


def _choose_features(
    fields: Mapping[str, Any], given: list[str] | None, target: str | None, layout: str
) -> tuple[list[str], dict[str, Any]]:
    """Names of the features, and the fields left out that were not named."""
    others = {
        name: field for name, field in fields.items() if name not in (target, SEQUENCES_FIELD)
    }
    names: list[str] = []
    seen: dict[str, object] = {}
    for name in [""] if given is None else given:
        if name in fields:
            names.append(name)
        else:
            group = _inside(others, name) if name else others
            names += _likely_features(group, layout)
            seen |= group
    if not names:
        raise ValueError(
            f"There is no feature; the file has {listing(fields)}. Expected at least one field of "
            "numbers that is not the target."
        )
    return list(dict.fromkeys(names)), {
        name: field for name, field in seen.items() if name not in names
    }


def _likely_features(group: Mapping[str, Any], layout: str) -> list[str]:
    """Fields of numbers, without single numbers beside larger fields; and the times of rows."""
    numbers = [name for name, field in group.items() if holds_numbers(field)]
    large = [name for name in numbers if not (is_one_value(group[name]) or are_single(group[name]))]
    chosen = set(large or numbers)
    if layout == "table" or all(is_vector(group[name]) for name in chosen):
        times = [name for name, field in group.items() if is_time(field) and is_vector(field)]
        chosen.update(times[:1])
    return [name for name in group if name in chosen]


def _take(fields: Mapping[str, Any], name: str) -> Any:
    field = fields[name]
    if isinstance(field, Unusable):
        raise ValueError(
            f"Field {name!r} is {field.kind}; expected a matrix or vector of numbers, or a cell "
            f"array of them. In MATLAB, {field.cure}."
        )
    for part in field if isinstance(field, list) else [field]:
        if part.ndim > 2:
            raise ValueError(
                f"Field {name!r} holds an array of the shape {part.shape}; expected a matrix or a "
                "vector. In MATLAB, save one matrix a feature: first = x(:, :, 1)."
            )
    return field


def _replace_missing(field: Any, missing_values: Any) -> Any:
    """Replace the numbers that encode missing values by NaN."""
    codes = np.atleast_1d([] if missing_values is None else missing_values)
    if codes.dtype.kind not in "iuf" or codes.ndim > 1:
        raise ValueError(
            f"missing_values is {missing_values!r}; expected a number or a list of numbers."
        )
    if isinstance(field, list):
        return [_replace_missing(part, missing_values) for part in field]
    if field.dtype.kind not in "iuf":
        return field
    if field.dtype.kind == "f":
        codes = codes.astype(field.dtype)  # -9999.9 in single precision is another number
    is_missing = np.isin(field, codes)
    return np.where(is_missing, np.nan, field) if is_missing.any() else field
