"""Write sequences and tables as MATLAB files."""

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.io import savemat

from sklstm._data.flattening import column_names
from sklstm._data.sequences import Sequences
from sklstm.datasets._mat_fields import SEQUENCES_FIELD

__all__ = ["save_mat"]

KEYWORDS = r"break|case|catch|classdef|continue|else|elseif|end|for|function|global|if|otherwise|"
KEYWORDS += r"parfor|persistent|return|spmd|switch|try|while"
"""Names that no variable of MATLAB may have."""


def save_mat(
    path: str | os.PathLike,
    data: Any,
    target: Any = None,
    *,
    feature_names: Sequence[str],
    target_name: str = "target",
) -> None:
    """Save sequences or a table as a MATLAB file, one field a feature.

    :func:`load_mat` reads the file back. It has version 7 (compressed, readable without h5py).

    Parameters
    ----------
    path : str or path-like
        The file to write; an existing one is replaced. MATLAB expects the extension ``.mat``.
    data : ndarray of shape (n_sequences, n_steps, n_features), DataFrame of shape \
            (n_rows, n_features) or list of array-likes of shape (n_steps_i, n_features)
        The features, saved as matrices, column vectors or cell arrays of column vectors, in double
        precision. The index of a DataFrame is not saved. `Sequences` are saved as a list.
    target : array-like, default=None
        One number for each sequence or row; or for each step: of shape (n_sequences, n_steps) with
        an array, a list of arrays of shape (n_steps_i,) with a list.
    feature_names : list of str, shape (n_features,)
        Names of the fields of the features: letters, digits and underscores, at most 63, starting
        with a letter. In the order of the features, also where the columns of data have names.
    target_name : str, default="target"
        Name of the field of the target.

    Raises
    ------
    ValueError
        If data or target have other shapes or hold no numbers, a column has the name of another
        one in `feature_names`, or MATLAB does not allow a name.

    See Also
    --------
    load_mat : Read such files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklstm.datasets import load_mat, save_mat
    >>> recordings = [np.ones((length, 2)) for length in (3, 5)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "recordings.mat"
    ...     save_mat(path, recordings, [0.5, 1.5], feature_names=["speed", "force"])
    ...     loaded = load_mat(path, target="target")
    >>> [recording.shape for recording in loaded.data], loaded.target, loaded.feature_names
    ([(3, 2), (5, 2)], array([0.5, 1.5]), ['speed', 'force'])
    """
    data = data.to_pandas() if hasattr(data, "to_pandas") else data
    data = data if isinstance(data, (np.ndarray, pd.DataFrame, Sequences)) else list(data)
    column_names(data if isinstance(data, list) else [data], feature_names)
    data = _without_categories(data) if isinstance(data, Sequences) else data
    columns = _split_features(data)
    names = _checked_names(feature_names, len(columns), [] if target is None else [target_name])
    fields: dict[str, Any] = dict(zip(names, columns, strict=True))
    if target is not None:
        fields[target_name] = _split_target(data, target)
    orientation = "column"
    if isinstance(data, np.ndarray) and min(data.shape[:2]) < 2:
        fields[SEQUENCES_FIELD] = "matrices (n_sequences, n_steps), no vectors"
        orientation = "row"  # one value a sequence; a column may be one value a step
    with open(path, "wb") as file:
        savemat(file, fields, oned_as=orientation, do_compression=True)


def _without_categories(sequences: Sequences) -> list[np.ndarray]:
    """The arrays of the sequences, all of numbers."""
    if sequences.categories:
        raise ValueError(
            f"data holds categories, {sequences.categories}, whose codes would become numbers in "
            "the file. Encode them first (OneHotEncoder before the windower)."
        )
    return list(sequences)


def _split_features(data: Any) -> list[np.ndarray]:
    """One array or cell array a feature."""
    if isinstance(data, pd.DataFrame):
        items = data.items()
        return [_as_numbers(column, f"Column {name!r}", np.float64) for name, column in items]
    if isinstance(data, np.ndarray):
        if data.ndim != 3:
            raise ValueError(
                f"data has the shape {data.shape}; expected (n_sequences, n_steps, n_features). A "
                "table goes in as pd.DataFrame(data)."
            )
        return list(np.moveaxis(_as_numbers(data, "data", np.float64), -1, 0))
    arrays = [_as_numbers(part, f"Sequence {row}", np.float64) for row, part in enumerate(data)]
    for row, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != arrays[0].shape[-1]:
            raise ValueError(
                f"Sequence {row} has the shape {array.shape}, sequence 0 has {arrays[0].shape}; "
                "expected (n_steps, n_features) with the same features in all. A sequence of one "
                "feature is array[:, None]."
            )
    return [_as_cells([array[:, k] for array in arrays]) for k in range(arrays[0].shape[1])]


def _split_target(data: Any, target: Any) -> np.ndarray:
    if isinstance(data, list) and any(map(np.ndim, target)):
        return _split_step_targets(data, list(target))
    y = _as_numbers(target, "target")
    allowed = [(len(data),)]
    if isinstance(data, np.ndarray):
        allowed.append(data.shape[:2])
    if y.shape not in allowed:
        raise ValueError(
            f"target has the shape {y.shape}; expected {' or '.join(map(str, allowed))}: one "
            "value for each sequence, row or step of data."
        )
    return y


def _split_step_targets(data: Sequence[Any], target: Sequence[Any]) -> np.ndarray:
    if len(target) != len(data):
        raise ValueError(f"target has {len(target)} vectors; expected {len(data)}, one a sequence.")
    parts = [_as_numbers(part, f"Target {row}") for row, part in enumerate(target)]
    for row, (part, sequence) in enumerate(zip(parts, data, strict=True)):
        if part.shape != (len(sequence),):
            raise ValueError(
                f"Target {row} has the shape {part.shape}; expected ({len(sequence)},), one value "
                "for each step of the sequence."
            )
    return _as_cells(parts)


def _as_numbers(values: Any, what: str, dtype: Any = None) -> np.ndarray:
    nullable = isinstance(getattr(values, "dtype", None), pd.api.extensions.ExtensionDtype)
    if nullable and pd.api.types.is_numeric_dtype(values.dtype) and pd.isna(values).any():
        values = values.to_numpy(dtype=np.float64, na_value=np.nan)
    elif np.ma.is_masked(values):
        values = values.astype(np.float64).filled(np.nan)
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"{what} has the type {values.dtype}; expected numbers. Encode labels first "
            "(LabelEncoder); a missing value is NaN."
        )
    return values.astype(dtype or values.dtype)


def _as_cells(parts: Sequence[np.ndarray]) -> np.ndarray:
    cells = np.empty(len(parts), dtype=object)
    for row, part in enumerate(parts):
        cells[row] = part
    return cells


def _checked_names(
    feature_names: Sequence[str], n_features: int, others: Sequence[str]
) -> list[str]:
    names = list(feature_names)
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names, data has {n_features} features.")
    fields = [*names, *others, SEQUENCES_FIELD]
    for name in fields:
        is_valid = re.fullmatch(r"[A-Za-z]\w{0,62}", str(name), re.ASCII)
        if not is_valid or re.fullmatch(KEYWORDS, name):
            raise ValueError(
                f"MATLAB allows no field {name!r}; expected letters, digits and underscores, at "
                f"most 63, a letter first, as in 'temp_max', and no keyword such as 'end'."
            )
        if fields.count(name) > 1:
            raise ValueError(f"{name!r} names two fields; expected names that differ.")
    return names
