"""Which rows and which target a display draws, and their time."""

from collections.abc import Hashable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklstm._data.frames import lay_out
from sklstm._data.warning import some_names

__all__ = ["pick_name", "pick_output", "read_time", "rows_of_backtest", "rows_of_series"]


def rows_of_series(keys: pd.Index | None, series_name: Hashable | None, n_rows: int) -> np.ndarray:
    """Rows of the series to draw."""
    codes, names = np.zeros(n_rows, int), []
    if keys is not None:
        codes, found = pd.factorize(keys)
        names = list(found)
    if series_name in names:
        return np.flatnonzero(codes == names.index(series_name))
    if series_name is None and len(names) < 2:
        return np.arange(n_rows)
    raise ValueError(
        f"series_name={series_name!r} does not choose one of the series in X. "
        + (
            f"They are {some_names(names)}."
            if names
            else "The model has no SequenceWindower with series=."
        )
    )


def pick_name(name: Hashable, names: list) -> Hashable:
    """The name, if it is one of them."""
    if name not in names:
        raise ValueError(f"{name!r} is not among {some_names(names)}: choose one of these.")
    return name


def rows_of_backtest(table: pd.DataFrame, **chosen: Hashable | None) -> pd.DataFrame:
    """Rows of a backtest with these values of columns, such as of one target; of all, if None."""
    for column, value in chosen.items():
        if value is None:
            continue
        if column not in table:
            raise ValueError(f"{column}={value!r}, and the table has no column {column!r}.")
        table = table[table[column] == pick_name(value, table[column].unique().tolist())]
    return table


def pick_output(
    y_true: Any, y_pred: Any, output: str | int | None
) -> tuple[pd.Series, pd.Series, Hashable, int]:
    """One column of both, its name and place."""
    true, predicted = pd.DataFrame(y_true), pd.DataFrame(y_pred)
    if true.shape != predicted.shape:
        raise ValueError(
            f"y_true has the shape {np.shape(y_true)} and y_pred {np.shape(y_pred)}: there must be "
            "one prediction for each true value."
        )
    names = list(true.columns)
    if output is None and len(names) == 1:
        place = 0
    elif output in names:
        place = names.index(output)
    elif isinstance(output, Integral) and 0 <= output < len(names):
        place = output
    else:
        raise ValueError(
            f"output={output!r} does not choose one of the {len(names)} targets: give a name or "
            f"position among {names}. If the columns are steps, draw one sequence: y_true[i] and "
            "y_pred[i]."
        )
    return true.iloc[:, place], predicted.iloc[:, place], names[place], place


def read_time(time: Any, n_rows: int) -> tuple[pd.Index, np.ndarray, str]:
    """Times of the rows, the same as numbers, and their name."""
    if time is None:
        time = pd.RangeIndex(n_rows, name="row")
    layout = lay_out(pd.DataFrame({"time": time}), time="time")
    check_consistent_length(layout.times, np.empty(n_rows))
    wrong = np.flatnonzero(np.diff(layout.timestamps) <= 0)
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"Time must increase, but row {row + 1} (counted from 0; time {layout.times[row + 1]}) "
            f"follows row {row} ({layout.times[row]}), as do {len(wrong) - 1} more. Sort the rows "
            "by time; of several series choose the rows of one, as a line through all would "
            "have no meaning."
        )
    times = layout.times
    name = getattr(time, "name", None) or "time"
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    elif isinstance(times, pd.TimedeltaIndex):
        times, name = times.total_seconds(), f"{name} (s)"
    return times, layout.timestamps, name
