"""One table in many layouts: windower, forecaster, backtest and splitter read the same series."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklstm import SequenceForecaster, SequenceWindower, TimestampSplit, backtest
from sklstm._tables.panel import read_panel

N = 40
SIZE = 3

TIMES = {
    "days": pd.date_range("2024-03-01", periods=N),
    "local days": pd.date_range("2024-03-10", periods=N, tz="Europe/Berlin"),
    "UTC days in local time": pd.date_range("2024-03-10", periods=N, tz="UTC").tz_convert(
        "Europe/Berlin"
    ),
    "hours": pd.date_range("2024-03-30", periods=N, freq="h", tz="Europe/Berlin"),
    "business days": pd.bdate_range("2024-01-01", periods=N),
    "month ends": pd.date_range("2020-01-31", periods=N, freq="ME"),
    "half months": pd.date_range("2020-01-15", periods=N, freq="SME"),
    "periods": pd.period_range("2020-01", periods=N, freq="M"),
    "integers": pd.Index(np.arange(N) * 2 + 7),
    "MATLAB": pd.to_datetime(739252 + np.arange(N) / 24 - 719529, unit="D"),
}
PLACES = ["index", "column", "time and id", "id and time", "two keys", "one series"]
LIBRARIES = ["arrow", "polars", "pyarrow", "xarray", "dask"]


class Layout(NamedTuple):
    table: object
    series: object
    time: object
    rows: pd.DataFrame  # id, time and value of each row, in the order of the table


def long_table(times, n_series=2):
    """Rows of all series, by time."""
    parts = [
        pd.DataFrame({"id": name, "time": times, "x": 100.0 * k + np.arange(N) ** 2 % 17})
        for k, name in enumerate("ab"[:n_series])
    ]
    return pd.concat(parts).sort_values(["time", "id"], ignore_index=True)


def laid_out(kind, place):
    rows = long_table(TIMES[kind], 1 if place == "one series" else 2)
    table, series, time = rows, "id", "time"
    if place in ("index", "one series"):
        table, time = rows.set_index("time"), None
        if place == "one series":
            table, series = table.drop(columns="id"), None
    elif place in ("time and id", "id and time"):
        table, series, time = rows.set_index(place.split(" and ")), None, None
        if place == "id and time":
            table = table.sort_index()
            rows = rows.sort_values(["id", "time"], ignore_index=True)
    elif place == "two keys":
        table = rows.assign(shelf=1).set_index("time")
        series, time = ["id", "shelf"], None
    return Layout(table, series, time, rows)


def of_library(library, kind):
    rows = long_table(TIMES[kind])
    if library == "polars":
        return Layout(pytest.importorskip("polars").from_pandas(rows), "id", "time", rows)
    if library == "pyarrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(rows.set_index("time"))
        return Layout(table, "id", None, rows)
    if library == "arrow":
        pytest.importorskip("pyarrow")
        return Layout(rows.convert_dtypes(dtype_backend="pyarrow"), "id", "time", rows)
    if library == "dask":
        return Layout(Lazy(rows.set_index("time")), "id", None, rows)
    return Layout(Dimensions(rows.set_index(["time", "id"])), None, None, rows)


class Lazy:
    """What the package asks of a dask DataFrame."""

    dask = None

    def __init__(self, table):
        self.table = table

    def compute(self):
        return self.table

    def __len__(self):
        return len(self.table)


class Dimensions:
    """What the package asks of a Dataset of xarray."""

    dims = data_vars = ("time", "id")

    def __init__(self, table):
        self.table = table

    def to_dataframe(self):
        return self.table


LAYOUTS = {f"{kind}, {place}": (laid_out, kind, place) for kind in TIMES for place in PLACES} | {
    f"days, {library}": (of_library, library, "days") for library in LIBRARIES
}


def by_series(rows):
    """A plain loop: the rows of each series in time order, as positions."""
    found = {}
    for row in rows.sort_values("time", kind="stable").index:
        found.setdefault(rows["id"][row], []).append(row)
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_read_the_same_series_and_timestamps(name):
    make, *kind = LAYOUTS[name]
    table, series, time, rows = make(*kind)
    windower = SequenceWindower(SIZE, horizon=1, series=series, time=time)
    sequences = windower.fit_transform(table)
    panel = read_panel(table, None, series, time).regular()
    assert len(panel.rows.names) == len(by_series(rows))
    for code, (own, places) in enumerate(by_series(rows).items()):
        x = rows["x"][places].to_numpy()
        for at, row in enumerate(places):
            history = x[max(at - SIZE, 0) : at].tolist()
            assert sequences[row][:, 0].tolist() == history
        named, mine = panel.rows.names[code], panel.rows.code == code
        assert named is None or own in (named, named[0])
        assert panel.rows.values[mine, 0].tolist() == x.tolist()
        assert list(panel.timestamps[mine]) == list(rows["time"][places])
    if name == "days, dask":
        return
    train, test = next(TimestampSplit(2, series=series, time=time).split(table))
    times = sorted(set(rows["time"]))
    start = times[len(times) // 3 + 1]
    end = times[len(times) // 3 + 1 + len(times) // 3]
    assert sorted(train) == [k for k in rows.index if rows["time"][k] < start]
    assert sorted(test) == [k for k in rows.index if start <= rows["time"][k] < end]


@pytest.mark.parametrize("name", LAYOUTS)
def test_forecaster_and_backtest_make_the_timestamps_to_come(name):
    make, *kind = LAYOUTS[name]
    table, series, time, rows = make(*kind)
    model = SequenceForecaster(
        LinearRegression(), SIZE, 2, series=series, time=time, calibration_fraction=0
    )
    panel = read_panel(table, None, series, time).regular()
    place, sizes = panel.rows.place, panel.rows.sizes[panel.rows.code]
    coming = panel.take(place < sizes - 2).future(2)
    expected = pd.Index(rows["time"].drop_duplicates()[-2:])
    if name.startswith("MATLAB"):
        expected = expected.round("s")
    assert list(coming) == list(expected) * len(panel.rows.names)
    if any(word in name for word in ("days,", "integers", "hours")):
        result = backtest(model, table)
        truth = rows.set_index(["id", "time"])["x"]
        own = result["series"] if "series" in result else ["a"] * len(result)
        names = [one if isinstance(one, str) else one[0] for one in own]
        keys = list(zip(names, result["timestamp"], strict=True))
        assert result["actual"].tolist() == truth.loc[keys].tolist()
