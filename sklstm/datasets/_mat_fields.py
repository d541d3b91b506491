"""The variables of a MATLAB file as arrays of numbers, texts and times."""

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.sparse import issparse

from sklstm._data.warning import DataConversionWarning, warn

__all__ = [
    "SEQUENCES_FIELD",
    "Unusable",
    "are_single",
    "describe",
    "holds_numbers",
    "is_one_value",
    "is_text",
    "is_time",
    "is_vector",
    "listing",
    "read_fields",
]

SEQUENCES_FIELD = "sklstm_sequences"
"""Field of a file whose matrices are sequences, although they look like vectors."""

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512
"""Bytes that MATLAB 7.3 writes before the HDF5 file begins."""
BYTE_ORDERS = {b"\x00\x01IM": "little", b"\x01\x00MI": "big"}
"""By bytes 124 to 128 of the header, which identify versions 5, 6 and 7."""
OCTAVE_STARTS = b"# Created by Octave", b"# name: ", b"Octave-1-"


class Unusable(NamedTuple):
    """A field that is no array of numbers, texts or times."""

    kind: str
    cure: str


class _OctaveError(ValueError):
    """The file is in a format of Octave's own."""


OBJECT = Unusable(
    "an object of MATLAB",
    "save its numbers as matrices; tables, timetables, strings, datetimes and categorical arrays "
    "are read as they are where mat-io is installed (pip install 'sklstm[mat]')",
)
SPARSE = Unusable("a sparse matrix", "save it with all its zeros: x = full(x)")
COMPLEX = Unusable("complex numbers", "save real(x) and imag(x), or abs(x)")
GRID = Unusable("a cell array of several rows and columns", "save a column of cells: x = x(:, 1)")
NESTED = Unusable("a cell array of cell arrays", "save one matrix or vector a cell")
MIXED = Unusable("a cell array of different things", "save cells of one kind")


def read_fields(path: Any, names: Collection[str] | None = None) -> dict[str, Any]:
    """Read the variables of a MATLAB file, of any version.

    Parameters
    ----------
    path : str or path-like
        The file.
    names : collection of str, default=None
        Variables to read, if the file has them. `None`: all.

    Returns
    -------
    dict
        By name, ``"s.x"`` for a field of a struct or column of a table; each is an array, of
        numbers, datetime64 or timedelta64, or (n, 1) of texts with None where one is missing; or a
        list of such arrays (a cell array, a field of a struct array); or `Unusable`.

    Raises
    ------
    ValueError
        If the file cannot be read.
    ImportError
        If it needs h5py or mat-io and these are missing.
    """
    with open(path, "rb") as file:
        start = file.read(USER_BLOCK + len(HDF5_SIGNATURE))
    try:
        if start.startswith(OCTAVE_STARTS):
            raise _OctaveError
        return _flatten(_read_variables(path, start, names))
    except _OctaveError:
        raise ValueError(
            f"{path} is in a format of Octave's own (text, binary or HDF5), not a MATLAB file. In "
            "Octave, save it with save('-v7', ...)."
        ) from None
    except ImportError:
        raise
    except Exception as error:  # garbled bytes make the readers fail in many ways
        raise ValueError(
            f"{path} cannot be read as a MATLAB file ({type(error).__name__}: {error}). It may be "
            "incomplete, damaged or of another kind: copy it again, or save it again in MATLAB, or "
            "with save('-v7', ...) in Octave."
        ) from error


def is_text(field: Any) -> bool:
    """Whether a field is an array of texts."""
    return isinstance(field, np.ndarray) and field.dtype == object


def is_time(field: Any) -> bool:
    """Whether a field is an array of dates or durations."""
    return isinstance(field, np.ndarray) and field.dtype.kind in "Mm"


def holds_numbers(field: Any) -> bool:
    """Whether a field, or each of its cells, holds numbers."""
    if isinstance(field, list):
        return all(map(holds_numbers, field))
    return isinstance(field, np.ndarray) and field.dtype.kind in "biuf"


def is_vector(field: Any) -> bool:
    """Whether a field is a row or a column."""
    return isinstance(field, np.ndarray) and (1 in field.shape or field.shape == (0, 0))


def is_one_value(field: Any) -> bool:
    """Whether a field is a single value."""
    return isinstance(field, np.ndarray) and field.size == 1


def are_single(cells: Any) -> bool:
    """Whether each cell holds one value, as fields of a struct array often do."""
    return isinstance(cells, list) and len(cells) > 0 and all(cell.size == 1 for cell in cells)


def listing(fields: Mapping[str, Any]) -> str:
    """Describe fields by name, for messages."""
    return ", ".join(f"{name}: {describe(field)}" for name, field in fields.items()) or "no fields"


def describe(field: Any) -> str:
    """Describe a field, for messages."""
    if isinstance(field, Unusable):
        return field.kind
    if not isinstance(field, list):
        kind = "text " if is_text(field) else "times " if is_time(field) else ""
        return f"{kind}{field.shape}"
    shown = [describe(part) for part in field[:3]] + ["..."] * (len(field) > 3)
    return f"{len(field)} cells [{', '.join(shown)}]"


def _read_variables(path: Any, start: bytes, names: Collection[str] | None) -> dict[str, Any]:
    if HDF5_SIGNATURE in (start[: len(HDF5_SIGNATURE)], start[USER_BLOCK:]):
        h5py = _import_h5py(path)
        with h5py.File(path, "r") as file:
            matio = _import_matio() if "#subsystem#" in file else None
            if matio is None:
                return _read_hdf5(h5py, file, names)
        return _read_objects(matio, path, names)
    if _holds_objects(path, start):
        matio = _import_matio()
        if matio is not None:
            return _read_objects(matio, path, names)
        if names is None:
            raise ImportError(
                f"{path} holds objects of MATLAB, as tables, strings and datetimes are, which need "
                "mat-io: pip install 'sklstm[mat]'; or name features of numbers alone."
            )
    is_version_4 = 0 in start[:4]  # scipy does not warn of several copies in it
    return _read_mat5(path, None if is_version_4 else names)


def _holds_objects(path: Any, start: bytes) -> bool:
    """Whether the header of version 7 has the offset of objects; old writers have text there."""
    order: Any = BYTE_ORDERS.get(start[124:128])
    return order is not None and 0 < int.from_bytes(start[116:124], order) < os.path.getsize(path)


def _import_h5py(path: Any) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"{path} is a MATLAB file of version 7.3, which needs h5py: pip install 'sklstm[mat]', "
            "or save it with save(..., '-v7') in MATLAB."
        ) from error
    return h5py


def _import_matio() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it sets an option of pandas that is deprecated
            import matio
    except ImportError:
        return None
    return matio


def _read_objects(matio: Any, path: Any, names: Collection[str] | None) -> dict[str, Any]:
    variables, caught = _newest_copies(matio.load_from_mat, path, names)
    for entry in caught:
        if "saved with timezone" in str(entry.message):
            warn(
                f"Dates in {path} have a time zone; they are converted to UTC, without a zone.",
                DataConversionWarning,
            )
    return {name: _from_mat(value) for name, value in variables.items()}


def _read_mat5(path: Any, names: Collection[str] | None) -> dict[str, Any]:
    def load(path: Any, **options: Any) -> dict[str, Any]:
        with open(path, "rb") as file:  # scipy tries other names if it gets a name
            return loadmat(file, **options)

    variables, caught = _newest_copies(load, path, names, mat_dtype=True)
    fields = {name: _from_mat(value) for name, value in variables.items()}
    if any(entry.category is np.exceptions.ComplexWarning for entry in caught):
        plain, _ = _newest_copies(load, path, names)
        fields = {name: _without_complex(fields[name], _from_mat(plain[name])) for name in fields}
    return fields


def _newest_copies(
    load: Callable[..., dict[str, Any]], path: Any, names: Collection[str] | None, **options: Any
) -> tuple[dict[str, Any], list[warnings.WarningMessage]]:
    """Variables by name, and the warnings of the reader."""
    # The readers stop after the last name, but newer copies may follow: "" is never found.
    asked = None if names is None else [*names, ""]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        variables = load(path, variable_names=asked, **options)
    has_copies = any("Duplicate variable name" in str(entry.message) for entry in caught)
    if asked is not None and has_copies:
        return _newest_copies(load, path, None, **options)
    return {name: value for name, value in variables.items() if name[:2] != "__"}, caught


def _without_complex(field: Any, plain: Any) -> Any:
    """Take complex fields from a second read; the first one kept the types, but real parts only."""
    if isinstance(field, dict) and isinstance(plain, dict):
        return {name: _without_complex(field[name], plain[name]) for name in field}
    return plain if isinstance(plain, Unusable) else field


def _from_mat(value: Any) -> Any:
    """Convert the values that scipy and mat-io return."""
    if issparse(value):
        return SPARSE
    if isinstance(value, pd.DataFrame):
        return _from_frame(value)
    if isinstance(value, pd.Categorical):
        return _texts(np.asarray(value, dtype=object))
    if type(value) is not np.ndarray:
        return OBJECT
    if value.dtype.names:
        records = [
            {name: _from_mat(record[name]) for name in value.dtype.names}
            for record in value.ravel(order="F")
        ]
        return records[0] if len(records) == 1 else _cell(value.shape, records)
    if value.dtype == object:
        return _cell(value.shape, [_from_mat(part) for part in value.ravel(order="F")])
    return _texts(value) if value.dtype.kind in "UT" else _numbers(value)


def _from_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """Columns of a MATLAB table; times or names of its rows become a column."""
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=str(frame.index.name or "Row"))
    fields = {}
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
            fields[str(name)] = _texts(column.to_numpy(dtype=object))
        elif column.dtype == object:
            fields[str(name)] = _cell(column.shape, [_from_mat(part) for part in column])
        else:
            fields[str(name)] = _numbers(column.to_numpy()[:, None])
    return fields


def _read_hdf5(h5py: Any, file: Any, names: Collection[str] | None) -> dict[str, Any]:
    if any("OCTAVE_NEW_FORMAT" in file[name].attrs for name in file):
        raise _OctaveError
    if len(file) and not any("MATLAB_class" in file[name].attrs for name in file):
        raise ValueError("it is plain HDF5, whose rows MATLAB would read as columns: use h5py")
    asked = [name for name in file if name[0] != "#" and (names is None or name in names)]
    return {name: _from_hdf5(h5py, file[name]) for name in asked}


def _from_hdf5(h5py: Any, item: Any) -> Any:
    matlab_class = np.asarray(item.attrs.get("MATLAB_class", "")).astype(str)
    if "MATLAB_sparse" in item.attrs:
        return SPARSE
    if "MATLAB_object_decode" in item.attrs:
        return OBJECT
    if isinstance(item, h5py.Group):
        order = [
            "".join(np.asarray(name).astype(str)) for name in item.attrs.get("MATLAB_fields", ())
        ]
        return {name: _from_hdf5(h5py, item[name]) for name in order or item}
    if item.attrs.get("MATLAB_empty"):  # holds its shape
        if matlab_class == "char":
            return _texts(np.empty(0, dtype=object))
        return [] if matlab_class in ("cell", "struct") else np.zeros(item[()].astype(int))
    if h5py.check_ref_dtype(item.dtype):  # a cell array, or a field of a struct array
        parts = item[()].ravel()  # stored transposed: these rows are MATLAB's columns
        return _cell(item.shape, [_from_hdf5(h5py, item.file[part]) for part in parts])
    if h5py.check_string_dtype(item.dtype):
        return _texts(np.asarray(item.asstr()[()], dtype=object))
    values = np.atleast_2d(np.transpose(item[()]))
    if matlab_class == "char":
        rows = values.astype("<u2").reshape(-1, values.shape[-1])
        return _texts(np.array([row.tobytes().decode("utf-16-le") for row in rows], dtype=object))
    return _numbers(values.astype(bool) if matlab_class == "logical" else values)


def _cell(shape: Any, parts: Any) -> Any:
    if len(parts) > max(shape):
        return GRID
    if parts and all(isinstance(part, dict) and part.keys() == parts[0].keys() for part in parts):
        return {name: _cell(shape, [part[name] for part in parts]) for name in parts[0]}
    for part in parts:
        if isinstance(part, list):
            return NESTED
        if isinstance(part, Unusable):
            return Unusable(f"a cell array that holds {part.kind}", part.cure)
        if isinstance(part, dict):
            return MIXED
    if not any(map(is_text, parts)):
        return parts
    if all(part.size == 0 or (is_text(part) and part.size == 1) for part in parts):
        return _texts(
            np.array([part.item() if part.size else None for part in parts], dtype=object)
        )
    return parts if all(map(is_text, parts)) else MIXED


def _texts(values: Any) -> Any:
    """Make one column of texts; empty ones are missing, as in MATLAB."""
    texts = [text.rstrip(" ") if isinstance(text, str) else None for text in values.ravel("F")]
    column = np.empty((len(texts), 1), dtype=object)
    column[:, 0] = [text or None for text in texts]
    return column


def _numbers(values: Any) -> Any:
    if values.dtype.kind == "c" or values.dtype.names:  # HDF5 has pairs of real and imag
        return COMPLEX
    if values.dtype.kind not in "biufmM":
        return OBJECT
    return values.astype(values.dtype.newbyteorder("="))


def _flatten(fields: dict[str, Any]) -> dict[str, Any]:
    """Name the fields of structs and the columns of tables as MATLAB does, ``s.x``."""
    flat: dict[str, Any] = {}
    for name, field in fields.items():
        inner = _flatten(field) if isinstance(field, dict) else {"": field}
        flat |= {f"{name}.{part}" if part else name: value for part, value in inner.items()}
    return flat
