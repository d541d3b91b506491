"""Read and write sequences and tables as MATLAB files."""

import re

import numpy as np
import pandas as pd
from scipy.io import savemat
from sklearn.utils import Bunch

from sklstm._data.warning import DataWarning, DroppedDataWarning, warn
from sklstm.datasets._mat_fields import Unusable, is_text, is_time, read_fields

__all__ = ["load_mat", "save_mat"]

SEQUENCES_FIELD = "sklstm_sequences"
"""Field of a file whose matrices are sequences, although they look like vectors."""


def load_mat(path, features=None, target=None, *, layout="auto", missing_values=None):
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
    if layout == "table" or (_is_table(columns, y) and SEQUENCES_FIELD not in fields):
        names, data, y = _build_table(names, columns, y, target)
    elif any(isinstance(column, list) for column in columns):
        names, data, y = _build_list(names, columns, y, target)
    else:
        data, y = _build_block(names, columns, y, target)
    if left_out:
        warn(
            f"Left out of {path}: {_listing(left_out)}. Name the features to select other fields, "
            "or to silence this warning.",
            DroppedDataWarning,
        )
    return Bunch(data=data, target=y, feature_names=names)


def save_mat(path, data, target=None, *, feature_names, target_name="target"):
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
        with a letter.
    target_name : str, default="target"
        Name of the field of the target.

    Raises
    ------
    ValueError
        If data or target have other shapes or hold no numbers, or MATLAB does not allow a name.

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
    data = data if isinstance(data, (np.ndarray, pd.DataFrame)) else list(data)
    columns = _split_features(data)
    names = _checked_names(feature_names, len(columns), [] if target is None else [target_name])
    fields = dict(zip(names, columns, strict=True))
    if target is not None:
        fields[target_name] = _split_target(data, target)
    orientation = "column"
    if isinstance(data, np.ndarray) and min(data.shape[:2]) < 2:
        fields[SEQUENCES_FIELD] = "matrices (n_sequences, n_steps), no vectors"
        orientation = "row"  # one value a sequence; a column may be one value a step
    with open(path, "wb") as file:
        savemat(file, fields, oned_as=orientation, do_compression=True)


# Choosing fields.


def _read_named(path, given, target):
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
                f"{path} has no field {name!r}; it has {_listing(read_fields(path))}. Name one of "
                "these; upper and lower case differ."
            )
    return fields


def _inside(fields, name):
    """Fields of a struct or columns of a table."""
    return {field: value for field, value in fields.items() if field.startswith(f"{name}.")}


def _choose_features(fields, given, target, layout):
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
            f"There is no feature; the file has {_listing(fields)}. Expected at least one field of "
            "numbers that is not the target."
        )
    return list(dict.fromkeys(names)), {
        name: field for name, field in seen.items() if name not in names
    }


def _likely_features(group, layout):
    """Fields of numbers, without single numbers beside larger fields; and the times of rows."""
    numbers = [name for name, field in group.items() if _holds_numbers(field)]
    large = [
        name for name in numbers if not (_is_one_value(group[name]) or _are_single(group[name]))
    ]
    chosen = set(large or numbers)
    if layout == "table" or all(_is_vector(group[name]) for name in chosen):
        times = [name for name, field in group.items() if is_time(field) and _is_vector(field)]
        chosen.update(times[:1])
    return [name for name in group if name in chosen]


def _holds_numbers(field):
    if isinstance(field, list):
        return all(map(_holds_numbers, field))
    return isinstance(field, np.ndarray) and field.dtype.kind in "biuf"


def _take(fields, name):
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


def _replace_missing(field, missing_values):
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


def _listing(fields):
    return ", ".join(f"{name}: {_describe(field)}" for name, field in fields.items()) or "no fields"


def _describe(field):
    if isinstance(field, Unusable):
        return field.kind
    if not isinstance(field, list):
        kind = "text " if is_text(field) else "times " if is_time(field) else ""
        return f"{kind}{field.shape}"
    shown = [_describe(part) for part in field[:3]] + ["..."] * (len(field) > 3)
    return f"{len(field)} cells [{', '.join(shown)}]"


# Fields to data and target, one function for each form.


def _is_vector(field):
    return isinstance(field, np.ndarray) and (1 in field.shape or field.shape == (0, 0))


def _is_one_value(field):
    return isinstance(field, np.ndarray) and field.size == 1


def _are_single(cells):
    """Whether each cell holds one value, as fields of a struct array often do."""
    return isinstance(cells, list) and len(cells) > 0 and all(cell.size == 1 for cell in cells)


def _is_table(columns, y):
    """Whether these are the columns of a table, and not a single sequence with one target."""
    if not all(map(_is_vector, columns)):
        return False
    return not _is_one_value(y) or columns[0].size <= 1


def _build_table(names, columns, y, target):
    if not any(map(_holds_numbers, columns)):
        _check_numbers(names, columns)
    columns = [np.vstack(column) if _are_single(column) else column for column in columns]
    for name, column in zip(names, columns, strict=True):
        if isinstance(column, list):
            raise ValueError(
                f"Field {name!r} is {_describe(column)}; expected a vector or a matrix with a "
                "row for each row of the table. For sequences in cells leave layout at 'auto'."
            )
    _check_alike(names, columns, lambda column: column.size if _is_vector(column) else len(column))
    split = [pair for pair in zip(names, columns, strict=True) for pair in _split_matrix(*pair)]
    times = {name: values for name, values in split if is_time(values)}
    if len(times) > 1:
        raise ValueError(
            f"Fields {', '.join(map(repr, times))} hold times; expected one of them, which becomes "
            "the index. Name the features without the others."
        )
    index = next((pd.Index(values, name=name) for name, values in times.items()), None)
    values = {
        name: pd.array(values, dtype="str") if is_text(values) else values.astype(np.float64)
        for name, values in split
        if name not in times
    }
    data = pd.DataFrame(values, index=index)
    if y is not None:
        y = pd.Series(_one_a_row(y, len(data), target), name=target, index=data.index)
    return list(values), data, y


def _split_matrix(name, values):
    """Pairs of name and column."""
    if _is_vector(values):
        return [(name, values.ravel())]
    return [(f"{name}_{k}", values[:, k]) for k in range(values.shape[1])]


def _build_block(names, columns, y, target):
    _check_numbers(names, columns)
    if all(map(_is_vector, columns)) and _is_one_value(y):
        columns = [column.reshape(1, -1) for column in columns]
    _check_alike(names, columns, np.shape)
    data = np.stack(columns, axis=-1).astype(np.float64)
    is_one_a_step = isinstance(y, np.ndarray) and y.shape == data.shape[:2]
    if y is not None and not (is_one_a_step and y.dtype.kind in "biuf"):
        y = _one_a_row(y, len(data), target, f" or a matrix {data.shape[:2]}")
    return data, y


def _build_list(names, columns, y, target):
    _check_numbers(names, columns)
    _check_alike(names, columns, type)
    steps_are_single = all(map(_are_single, columns))
    split = [pair for pair in zip(names, columns, strict=True) for pair in _split_cells(*pair)]
    names, columns = map(list, zip(*split, strict=True))
    for name, column in zip(names, columns, strict=True):
        _check_lengths(name, column, names[0], columns[0])
    data = [np.column_stack(parts).astype(np.float64) for parts in zip(*columns, strict=True)]
    if isinstance(y, list) and (steps_are_single or not _are_single(y)):
        y = _vectors(target, y)
        _check_lengths(target, y, names[0], columns[0])
    elif y is not None:
        y = _one_a_row(y, len(data), target, " or a cell array of vectors")
    return names, data, y


def _check_numbers(names, columns):
    """Refuse texts and times, which only tables may hold, beside numbers."""
    for name, column in zip(names, columns, strict=True):
        if not _holds_numbers(column):
            raise ValueError(
                f"Field {name!r} is {_describe(column)}; expected numbers. Only tables have texts "
                "and times, beside numbers. Name the features without it; in MATLAB, save texts as "
                "numbers: x = findgroups(x)."
            )


def _check_alike(names, columns, layout):
    """Refuse columns that differ from the first in their layout."""
    for name, column in zip(names, columns, strict=True):
        if layout(column) != layout(columns[0]):
            raise ValueError(
                f"Field {names[0]!r} is {_describe(columns[0])}, field {name!r} is "
                f"{_describe(column)}; expected features of one shape. Name those that belong "
                "together in features; if the rows of matrices are steps, set layout='table'."
            )


def _one_a_row(y, n_rows, target, other=""):
    values = np.vstack(y) if _are_single(y) else y
    if not _is_vector(values) or values.size != n_rows or is_time(values):
        raise ValueError(
            f"Target {target!r} is {_describe(y)}; expected a vector of {n_rows} values, one "
            f"for each row or sequence of the features{other}."
        )
    return _labels(values.ravel())


def _labels(values):
    """Texts as an array of str; of objects if some are missing."""
    return values.astype(str) if is_text(values) and None not in values.tolist() else values


def _split_cells(name, cells):
    """Pairs of name and cells of vectors, one for each column of the matrices in the cells."""
    if all(map(_is_vector, cells)):
        return [(name, [cell.ravel() for cell in cells])]
    n_columns = max(cell.shape[1] for cell in cells)
    if _seem_transposed(cells):
        warn(
            f"Field {name!r} holds {len(cells)} matrices {cells[0].shape}, which are read as "
            f"{len(cells[0])} steps of {n_columns} features; but values change less from column to "
            f"column than from row to row. If columns are steps, {_transposed(name)}",
            DataWarning,
        )
    for number, cell in enumerate(cells):
        if cell.size and cell.shape[1] != n_columns:
            raise ValueError(
                f"Field {name!r} holds matrices {cell.shape} (sequence {number}) and others of "
                f"{n_columns} columns; expected (n_steps, n_features), with the same features in "
                f"all. If the features are the rows, {_transposed(name)}"
            )
    cells = [cell.reshape(-1, n_columns) for cell in cells]
    return [(f"{name}_{k}", [cell[:, k] for cell in cells]) for k in range(n_columns)]


def _transposed(name):
    return (
        f"transpose them in MATLAB: {name} = cellfun(@transpose, {name}, 'UniformOutput', false)."
    )


def _seem_transposed(cells):
    """Whether matrices of one shape have few rows, and columns that resemble their neighbours."""
    n_rows, n_columns = cells[0].shape
    same = len(cells) > 1 and len({cell.shape for cell in cells}) == 1
    if (
        not same
        or not 1 < n_rows <= n_columns / 2
        or any(cell.dtype.kind not in "fiu" for cell in cells)
    ):
        return False
    values = np.asarray(cells, dtype=np.float64)
    along, across = (np.nan_to_num(np.abs(np.diff(values, axis=axis))).mean() for axis in (2, 1))
    return bool(along < across / 2)


def _vectors(name, cells):
    for number, cell in enumerate(cells):
        if not _is_vector(cell):
            raise ValueError(
                f"Target {name!r} holds a matrix {cell.shape} (sequence {number}); expected a "
                "vector, one value a step."
            )
    return [_labels(cell.ravel()) for cell in cells]


def _check_lengths(name, cells, other, other_cells):
    if len(cells) != len(other_cells):
        raise ValueError(
            f"Field {name!r} has {len(cells)} cells, field {other!r} has {len(other_cells)}; "
            "expected one cell a sequence in each."
        )
    for number, (cell, other_cell) in enumerate(zip(cells, other_cells, strict=True)):
        if len(cell) != len(other_cell):
            raise ValueError(
                f"Sequence {number} has {len(cell)} steps in field {name!r} and "
                f"{len(other_cell)} in field {other!r}; expected the same steps in each."
            )


# Writing.


def _split_features(data):
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
    if not arrays:
        raise ValueError("data is an empty list; expected at least one sequence.")
    for row, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != arrays[0].shape[-1]:
            raise ValueError(
                f"Sequence {row} has the shape {array.shape}, sequence 0 has {arrays[0].shape}; "
                "expected (n_steps, n_features) with the same features in all. A sequence of one "
                "feature is array[:, None]."
            )
    return [_as_cells([array[:, k] for array in arrays]) for k in range(arrays[0].shape[1])]


def _split_target(data, target):
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


def _split_step_targets(data, target):
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


def _as_numbers(values, what, dtype=None):
    if np.ma.is_masked(values):
        values = values.astype(np.float64).filled(np.nan)
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"{what} has the type {values.dtype}; expected numbers. Encode labels first "
            "(LabelEncoder); a missing value is NaN."
        )
    return values.astype(dtype or values.dtype)


def _as_cells(parts):
    cells = np.empty(len(parts), dtype=object)
    for row, part in enumerate(parts):
        cells[row] = part
    return cells


def _checked_names(feature_names, n_features, others):
    names = list(feature_names)
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names, data has {n_features} features.")
    fields = [*names, *others, SEQUENCES_FIELD]
    for name in fields:
        if not re.fullmatch(r"[A-Za-z]\w{0,62}", str(name), re.ASCII):
            raise ValueError(
                f"MATLAB allows no field {name!r}; expected letters, digits and underscores, at "
                f"most 63, a letter first, as in 'temp_max'."
            )
        if fields.count(name) > 1:
            raise ValueError(f"{name!r} names two fields; expected names that differ.")
    return names
