"""The variables of a MATLAB file as arrays of numbers."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.io import loadmat
from scipy.sparse import issparse

__all__ = ["Unusable", "read_fields"]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512
"""Bytes that MATLAB 7.3 writes before the HDF5 file begins."""


class Unusable(NamedTuple):
    """A field that is no array of numbers."""

    kind: str
    cure: str


STRUCT = Unusable("a struct", "save its fields as variables of their own: x = s.x")
OBJECT = Unusable("an object or table of MATLAB", "save its numbers as matrices")
TEXT = Unusable("text", "save numbers that stand for the labels: y = findgroups(labels)")
SPARSE = Unusable("a sparse matrix", "save it with all its zeros: x = full(x)")
COMPLEX = Unusable("complex numbers", "save real(x) and imag(x), or abs(x)")
GRID = Unusable("a cell array of several rows and columns", "save a column of cells: x = x(:, 1)")


def read_fields(path: Any) -> dict[str, Any]:
    """Read the variables of a MATLAB file, of any version.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    dict
        By name; each is an array of numbers, a list of them (a cell array), or `Unusable`.

    Raises
    ------
    ValueError
        If the file cannot be read.
    ImportError
        If it is of version 7.3 and h5py is missing.
    """
    with open(path, "rb") as file:
        start = file.read(USER_BLOCK + len(HDF5_SIGNATURE))
    is_hdf5 = HDF5_SIGNATURE in (start[: len(HDF5_SIGNATURE)], start[USER_BLOCK:])
    h5py = _import_h5py(path) if is_hdf5 else None
    try:
        return _read_hdf5(h5py, path) if is_hdf5 else _read_mat5(path)
    except Exception as error:  # garbled bytes make the readers fail in many ways
        raise ValueError(
            f"{path} cannot be read as a MATLAB file ({type(error).__name__}: {error}). It may be "
            "incomplete, damaged or of another kind: copy it again, or save it again in MATLAB."
        ) from error


def _import_h5py(path: Any) -> Any:
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError(
            f"{path} is a MATLAB file of version 7.3, which needs h5py: pip install 'sklstm[mat]', "
            "or save it with save(..., '-v7') in MATLAB."
        ) from error
    return h5py


def _read_mat5(path: Any) -> Any:
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.filterwarnings("error", category=np.exceptions.ComplexWarning)
        try:
            fields = loadmat(file, mat_dtype=True)
        except np.exceptions.ComplexWarning:  # scipy is about to drop the imaginary parts
            fields = loadmat(file)
            usable = [name for name in fields if not isinstance(_from_mat5(fields[name]), Unusable)]
            fields |= loadmat(file, mat_dtype=True, variable_names=usable)
    return {name: _from_mat5(value) for name, value in fields.items() if name[:2] != "__"}


def _from_mat5(value: Any) -> Any:
    if issparse(value):
        return SPARSE
    if type(value) is not np.ndarray:
        return OBJECT
    if value.dtype.names:
        return STRUCT
    if value.dtype == object:
        return _cell(value.shape, [_from_mat5(part) for part in value.ravel(order="F")])
    return _numbers(value)


def _read_hdf5(h5py: Any, path: Any) -> Any:
    with h5py.File(path, "r") as file:
        return {name: _from_hdf5(file, file[name]) for name in file if name[0] != "#"}


def _from_hdf5(file: Any, item: Any) -> Any:
    matlab_class = np.asarray(item.attrs.get("MATLAB_class", "")).astype(str)
    if "MATLAB_sparse" in item.attrs:
        return SPARSE
    if "MATLAB_object_decode" in item.attrs:
        return OBJECT
    if matlab_class == "struct" or not hasattr(item, "shape"):
        return STRUCT
    if matlab_class == "char":
        return TEXT
    if item.attrs.get("MATLAB_empty"):
        return [] if matlab_class == "cell" else np.zeros(item[()].astype(int))  # holds its shape
    if matlab_class == "cell":
        parts = item[()].ravel()  # stored transposed: these rows are MATLAB's columns
        return _cell(item.shape, [_from_hdf5(file, file[part]) for part in parts])
    values = np.atleast_2d(np.transpose(item[()]))
    return _numbers(values.astype(bool) if matlab_class == "logical" else values)


def _cell(shape: Any, parts: Any) -> Any:
    if len(parts) > max(shape):
        return GRID
    for part in parts:
        if isinstance(part, list):
            return Unusable("a cell array of cell arrays", "save one matrix or vector a cell")
        if isinstance(part, Unusable):
            return Unusable(f"a cell array that holds {part.kind}", part.cure)
    return parts


def _numbers(values: Any) -> Any:
    if values.dtype.kind == "c" or values.dtype.names:  # HDF5 has pairs of real and imag
        return COMPLEX
    if values.dtype.kind not in "biuf":
        return TEXT
    return values.astype(values.dtype.newbyteorder("="))
