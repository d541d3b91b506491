"""Fields of a MATLAB file as a table, an array or a list of sequences."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.warning import DataWarning, warn
from sklstm.datasets._mat_fields import (
    are_single,
    describe,
    holds_numbers,
    is_one_value,
    is_text,
    is_time,
    is_vector,
)

__all__ = ["build_block", "build_list", "build_table", "is_table"]


def is_table(columns: Sequence[Any], y: Any) -> bool:
    """Whether these are the columns of a table, and not a single sequence with one target."""
    if not all(map(is_vector, columns)):
        return False
    return not is_one_value(y) or columns[0].size <= 1


def build_table(
    names: Sequence[str], columns: Sequence[Any], y: Any, target: str | None
) -> tuple[list[str], pd.DataFrame, pd.Series | None]:
    """Make a table: names of the features, a column each, and the target of each row."""
    if not any(map(holds_numbers, columns)):
        _check_numbers(names, columns)
    columns = [np.vstack(column) if are_single(column) else column for column in columns]
    for name, column in zip(names, columns, strict=True):
        if isinstance(column, list):
            raise ValueError(
                f"Field {name!r} is {describe(column)}; expected a vector or a matrix with a "
                "row for each row of the table. For sequences in cells leave layout at 'auto'."
            )
    _check_alike(names, columns, lambda column: column.size if is_vector(column) else len(column))
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


def _split_matrix(name: str, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Pairs of name and column."""
    if is_vector(values):
        return [(name, values.ravel())]
    return [(f"{name}_{k}", values[:, k]) for k in range(values.shape[1])]


def build_block(
    names: Sequence[str], columns: Sequence[Any], y: Any, target: str | None
) -> tuple[np.ndarray, Any]:
    """Make an array of sequences of one length, and the target of each sequence or step."""
    _check_numbers(names, columns)
    if all(map(is_vector, columns)) and is_one_value(y):
        columns = [column.reshape(1, -1) for column in columns]
    _check_alike(names, columns, np.shape)
    data = np.stack(columns, axis=-1).astype(np.float64)
    is_one_a_step = isinstance(y, np.ndarray) and y.shape == data.shape[:2]
    if y is not None and not (is_one_a_step and y.dtype.kind in "biuf"):
        y = _one_a_row(y, len(data), target, f" or a matrix {data.shape[:2]}")
    return data, y


def build_list(
    names: Sequence[str], columns: Sequence[Any], y: Any, target: str | None
) -> tuple[list[str], list[np.ndarray], Any]:
    """Make a list of sequences: names of the features, sequences, targets."""
    _check_numbers(names, columns)
    _check_alike(names, columns, type)
    steps_are_single = all(map(are_single, columns))
    split = [pair for pair in zip(names, columns, strict=True) for pair in _split_cells(*pair)]
    names, columns = map(list, zip(*split, strict=True))
    for name, column in zip(names, columns, strict=True):
        _check_lengths(name, column, names[0], columns[0])
    data = [np.column_stack(parts).astype(np.float64) for parts in zip(*columns, strict=True)]
    if isinstance(y, list) and (steps_are_single or not are_single(y)):
        y = _vectors(target, y)
        _check_lengths(target, y, names[0], columns[0])
    elif y is not None:
        y = _one_a_row(y, len(data), target, " or a cell array of vectors")
    return names, data, y


def _check_numbers(names: Sequence[str], columns: Sequence[Any]) -> None:
    """Refuse texts and times, which only tables may hold, beside numbers."""
    for name, column in zip(names, columns, strict=True):
        if not holds_numbers(column):
            raise ValueError(
                f"Field {name!r} is {describe(column)}; expected numbers. Only tables have texts "
                "and times, beside numbers. Name the features without it; in MATLAB, save texts as "
                "numbers: x = findgroups(x)."
            )


def _check_alike(
    names: Sequence[str], columns: Sequence[Any], layout: Callable[[Any], Any]
) -> None:
    """Refuse columns that differ from the first in their layout."""
    for name, column in zip(names, columns, strict=True):
        if layout(column) != layout(columns[0]):
            raise ValueError(
                f"Field {names[0]!r} is {describe(columns[0])}, field {name!r} is "
                f"{describe(column)}; expected features of one shape. Name those that belong "
                "together in features; if the rows of matrices are steps, set layout='table'."
            )


def _one_a_row(y: Any, n_rows: int, target: str | None, other: str = "") -> np.ndarray:
    values = np.vstack(y) if are_single(y) else y
    if not is_vector(values) or values.size != n_rows or is_time(values):
        raise ValueError(
            f"Target {target!r} is {describe(y)}; expected a vector of {n_rows} values, one "
            f"for each row or sequence of the features{other}."
        )
    return _labels(values.ravel())


def _labels(values: np.ndarray) -> np.ndarray:
    """Texts as an array of str; of objects if some are missing."""
    return values.astype(str) if is_text(values) and None not in values.tolist() else values


def _split_cells(name: str, cells: Sequence[np.ndarray]) -> list[tuple[str, list[np.ndarray]]]:
    """Pairs of name and cells of vectors, one for each column of the matrices in the cells."""
    if all(map(is_vector, cells)):
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


def _transposed(name: str) -> str:
    return (
        f"transpose them in MATLAB: {name} = cellfun(@transpose, {name}, 'UniformOutput', false)."
    )


def _seem_transposed(cells: Sequence[np.ndarray]) -> bool:
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


def _vectors(name: str | None, cells: Sequence[np.ndarray]) -> list[np.ndarray]:
    for number, cell in enumerate(cells):
        if not is_vector(cell):
            raise ValueError(
                f"Target {name!r} holds a matrix {cell.shape} (sequence {number}); expected a "
                "vector, one value a step."
            )
    return [_labels(cell.ravel()) for cell in cells]


def _check_lengths(
    name: str | None, cells: Sequence[Any], other: str, other_cells: Sequence[Any]
) -> None:
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
