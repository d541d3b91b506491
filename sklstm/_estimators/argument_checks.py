"""Arguments of a forecaster that mean something else: refused by what they are, with the cure."""

from __future__ import annotations

from typing import Any

import pandas as pd

__all__ = ["refuse_other_order", "refuse_table_of_covariates"]


def refuse_other_order(method: str, y: Any, others: tuple, X: Any) -> None:
    """Refuse scikit-learn's order: the targets come first, the covariates by name."""
    cure = f"the series come first, and covariates by name: {method}(y, X=covariates)"
    others = tuple(one for one in others if one is not None)  # a search scores (X, None)
    if others:
        kinds = ", ".join(type(table).__name__ for table in (y, *others))
        raise TypeError(
            f"{method} got {1 + len(others)} arguments by position ({kinds}): {cure}. That is not "
            "the order (X, y) of scikit-learn, where a search takes one table: search.fit(y), with "
            "covariates as columns of y beside those of the forecaster's target=."
        )
    if isinstance(y, pd.DataFrame) and y.shape[1] > 1 and isinstance(X, pd.Series):
        raise TypeError(
            f"y is a table of {y.shape[1]} columns, and X a Series: {cure}. If y are targets and X "
            "is one covariate, pass X.to_frame()."
        )


def refuse_table_of_covariates(future_covariates: Any) -> None:
    """The parameter takes names; in other libraries the argument of that name is the table."""
    names = (
        future_covariates if isinstance(future_covariates, list | tuple) else [future_covariates]
    )
    for one in names:
        if isinstance(one, pd.Series | dict) or len(getattr(one, "shape", ())) > 1:
            raise ValueError(
                f"future_covariates has a {type(one).__name__}, and takes the names of columns: "
                "pass the table as X to fit and predict, and name those of its columns whose "
                "future values are known, such as future_covariates=['holiday']."
            )
