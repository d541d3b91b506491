"""A table of targets and covariates, divided by the names of the targets."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sklstm._data.inputs import as_frame, kind_of_table

__all__ = ["names_of", "targets_and_covariates"]


def names_of(given: str | list[str] | None) -> list[str]:
    """One name, several or none, as a list."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def targets_and_covariates(
    y: Any, X: Any, target: str | list[str] | None, keys: list[str]
) -> tuple[Any, Any]:
    """Divide one table into that of the targets and that of its other columns.

    Parameters
    ----------
    y : table
        Targets and, if `target` names some of its columns, covariates.
    X : table or None
        Covariates; None if they are columns of y.
    target : str, list of str or None
        Columns that are forecast. None: all of y.
    keys : list of str
        Columns of both tables: they name the series and hold the time.

    Returns
    -------
    y, X : tables
        Of targets and of covariates, None if there are none.

    Raises
    ------
    ValueError
        If y has no names or lacks a target, or covariates come twice.
    """
    if target is None or y is None:
        return y, X
    table = as_frame(y)
    table = table.to_frame() if isinstance(table, pd.Series) else table
    targets = names_of(target)
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"target={target!r} names columns, and y is a {kind_of_table(y)}.")
    lacking = [name for name in targets if name not in table]
    if lacking:
        raise ValueError(f"target={lacking[0]!r} is no column of y: {list(table)}.")
    if X is not None:
        raise ValueError(
            f"target={target!r} means that covariates are columns of y, and X came too: give "
            "one table, or target=None."
        )
    others = [name for name in table if name not in [*targets, *keys]]
    return table.drop(columns=others), table.drop(columns=targets) if others else None
