"""Histories of folds, chunks and changed rows are those of windows made once, by a plain loop."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline

from sklstm import (
    MissingHistoryWarning,
    SequenceFlattener,
    SequenceWindower,
    TimestampSplit,
)

examples = settings(
    max_examples=int(os.environ.get("SKLSTM_EXAMPLES", 60)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

GRIDS = {
    "hours": lambda n: pd.date_range("2024-03-20", periods=n, freq="h", tz="Europe/Berlin"),
    "days": lambda n: pd.date_range("2024-03-01", periods=n, tz="Europe/Berlin"),
    "business days": lambda n: pd.bdate_range("2024-01-01", periods=n),
    "month ends": lambda n: pd.date_range("2000-01-31", periods=n, freq="ME"),
    "integers": lambda n: pd.Index(np.arange(n) * 5),
    "jitter": lambda n: (
        pd.date_range("2024", periods=n, freq="h")
        + pd.to_timedelta(np.random.default_rng(0).uniform(-300, 300, n), unit="s")
    ),
}

MOST_MISSING = {"business days": 1}  # a day that is missing twice is a holiday


class Case(NamedTuple):
    table: pd.DataFrame
    place: np.ndarray
    window_size: int
    horizon: int


@st.composite
def cases(draw):
    """One or two series with some rows missing, interleaved in time."""
    n = draw(st.integers(90, 130))
    kind = draw(st.sampled_from(sorted(GRIDS)))
    grid = GRIDS[kind](n)
    parts = []
    for name in "ab"[: draw(st.integers(1, 2))]:
        missing = draw(
            st.lists(st.integers(70, n - 10), max_size=MOST_MISSING.get(kind, 3), unique=True)
        )
        kept = np.setdiff1d(np.arange(n), missing)
        parts.append(pd.DataFrame({"id": name, "place": kept}, grid[kept]))
    table = pd.concat(parts).sort_index(kind="stable")
    place = table.pop("place").to_numpy()
    table["x"] = np.arange(float(len(table)))
    return Case(table, place, draw(st.integers(1, 6)), draw(st.integers(0, 5)))


def once(case, x=None, rows=None):
    """The history of each row, by a loop over places."""
    x = case.table["x"].to_numpy() if x is None else x
    rows = range(len(x)) if rows is None else rows
    ids = case.table["id"].to_numpy()
    values = {(ids[row], case.place[row]): x[row] for row in rows}
    found = []
    for name, place in zip(ids, case.place, strict=True):
        history = []
        for at in range(place - case.horizon, place - case.horizon - case.window_size, -1):
            if (name, at) not in values:
                break
            history.insert(0, values[name, at])
        found.append(history)
    return found


def windower(case, **params):
    params = {"series": "id", "horizon": case.horizon, "cold_start": "ignore"} | params
    return SequenceWindower(case.window_size, **params)


def assert_equal(sequences, expected):
    assert [part.ravel().tolist() for part in sequences] == expected


SPLITTERS = {
    "KFold": lambda case: KFold(4).split(case.table),
    "TimeSeriesSplit": lambda case: TimeSeriesSplit(3, test_size=15).split(case.table),
    "TimestampSplit": lambda case: TimestampSplit(3, test_size=15).split(case.table),
    "GroupKFold": lambda case: GroupKFold(2).split(case.table, groups=case.place // 60),
}


@examples
@given(cases(), st.sampled_from(sorted(SPLITTERS)))
@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_a_test_fold_has_the_histories_of_the_whole_table(case, name):
    whole = once(case)
    for train, test in SPLITTERS[name](case):
        fitted = windower(case).fit(case.table.iloc[train])
        assert_equal(fitted.transform(case.table.iloc[test]), [whole[row] for row in test])
        assert fitted.n_buffered_rows_ <= 2 * max(64, 9 * (case.window_size + case.horizon))


@examples
@given(cases(), st.integers(0, 5))
@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_shuffled_folds_have_them_if_all_rows_are_kept(case, seed):
    whole = once(case)
    for train, test in KFold(3, shuffle=True, random_state=seed).split(case.table):
        kept = windower(case, carry_over="all").fit(case.table.iloc[train])
        assert_equal(kept.transform(case.table.iloc[test]), [whole[row] for row in test])


@examples
@given(cases())
@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_training_rows_have_those_of_the_table_without_the_fold(case):
    for train, test in KFold(3).split(case.table):
        part = case.table.iloc[train]
        fitted = windower(case).fit(part)
        without = once(case, rows=set(train))
        assert_equal(fitted.transform(part), [without[row] for row in train])
        changed = case.table.assign(x=np.where(case.table["x"] > test.max(), -1.0, case.table["x"]))
        later = windower(case).fit(changed.iloc[train])  # values behind the fold change nothing
        rows = case.table.iloc[test]
        assert later.transform(rows) == fitted.transform(rows)


@examples
@given(cases(), st.integers(1, 30))
@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_a_table_in_chunks_has_them_if_all_rows_are_kept(case, size):
    kept, whole = windower(case, carry_over="all").fit(case.table), once(case)
    for start in range(0, len(case.table), size):
        chunk = slice(start, start + size)
        assert_equal(kept.transform(case.table[chunk]), whole[chunk])


@examples
@given(cases(), st.integers(0, 5))
@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_a_permuted_feature_counts_in_all_histories(case, seed):
    x = np.random.default_rng(seed).permutation(case.table["x"])
    for carry_over in (True, "all"):
        fitted = windower(case, carry_over=carry_over).fit(case.table)
        assert_equal(fitted.transform(case.table.assign(x=x)), once(case, x))


@examples
@given(cases(), st.sampled_from(["0", "h - 1", "h + 6"]))
@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_context_reads_the_rows_that_a_splitter_leaves_out(case, gap):
    gap = {"0": 0, "h - 1": max(case.horizon - 1, 0), "h + 6": case.horizon + 6}[gap]
    whole = once(case)
    for train, test in TimeSeriesSplit(2, gap=gap, test_size=15).split(case.table):
        road = windower(case, context=case.table)
        assert_equal(road.fit_transform(case.table.iloc[train]), [whole[row] for row in train])
        assert_equal(road.transform(case.table.iloc[test]), [whole[row] for row in test])


def lags(**params):
    return make_pipeline(SequenceWindower(12, horizon=6, **params), SequenceFlattener(), Ridge())


def test_the_gap_of_a_splitter_is_heard_with_the_number_of_rows_and_context_cures_it():
    hours = pd.date_range("2024", periods=300, freq="h")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": np.sin(np.arange(300) / 4) + 0.1 * rng.normal(size=300)}, hours)
    X[:18] = 0.0  # the first histories are as long as all others
    cv = TimeSeriesSplit(3, gap=5, test_size=40)
    train, test = next(cv.split(X))
    with pytest.warns(MissingHistoryWarning, match="5 and 11 of 40, .*context=... reads rows"):
        SequenceWindower(12, horizon=6).fit(X.iloc[train]).transform(X.iloc[test])
    model, windows = lags(context=X), SequenceWindower(12, horizon=6).fit_transform(X)
    rows = [(train[18:], test) for train, test in cv.split(X)]
    scores = cross_val_score(model, X, X["x"], cv=rows, error_score="raise")
    expected = cross_val_score(model[1:], windows, X["x"], cv=rows, error_score="raise")
    np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize("sizes", [[147], [1] * 147, [2, 5, 60, 30, 50], [64, 83], [65, 82]])
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_rows_in_parts_of_any_size_give_the_same_buffer(sizes):
    hours = pd.date_range("2024", periods=150, freq="h").delete([70, 71, 100])
    table = pd.DataFrame({"x": np.arange(147.0)}, hours)
    stream, start = SequenceWindower(5, horizon=2, cold_start="ignore"), 0
    for size in sizes:
        stream.partial_fit(table[start : start + size])
        start += size
    assert stream._buffer.values.ravel().tolist() == [141, 142, 143, 144, 145, 146]
    assert stream._frequency.step.tolist() == [3600e9]
    assert stream._buffer.seen.n_rows.tolist() == [147]


@pytest.mark.filterwarnings("ignore:X has .* gaps")
def test_the_buffer_of_a_table_with_many_gaps_is_small():
    hours = pd.date_range("2024", periods=5000, freq="h")
    table = pd.DataFrame({"x": 1.0}, hours[np.random.default_rng(0).random(5000) > 0.01])
    fitted = SequenceWindower(24, horizon=1).fit(table)
    assert fitted.n_buffered_rows_ <= 9 * 24
    assert SequenceWindower(24, horizon=1, carry_over="all").fit(table).n_buffered_rows_ == len(
        table
    )
    held = fitted.n_buffered_rows_
    later = pd.date_range(hours[-1], periods=101, freq="h")[1:]
    assert fitted.partial_fit(pd.DataFrame({"x": 1.0}, later)).n_buffered_rows_ <= held


def test_a_late_row_is_taken_where_the_rows_around_it_are_held():
    hours = pd.date_range("2024", periods=200, freq="h")
    table = pd.DataFrame({"x": np.arange(200.0)}, hours)
    fitted = SequenceWindower(8).fit(table.drop(hours[[50, 197]]))
    fitted.partial_fit(table[197:198])
    assert fitted.transform(table[199:200])[0].ravel().tolist() == list(range(192, 200))
    with pytest.raises(ValueError, match=r"Row 0 .* is late: .* between two rows that it still"):
        fitted.partial_fit(table[150:151] + 0.5)


def test_rows_of_nan_are_not_remembered():
    hours = pd.date_range("2024", periods=101, freq="h")
    table = pd.DataFrame({"x": np.arange(101.0)}, hours)
    table.iloc[-1] = np.nan
    fitted = SequenceWindower(3, horizon=1).fit(table[:100])
    assert fitted.transform(table[100:])[0].ravel().tolist() == [97, 98, 99]
    with pytest.raises(ValueError, match="Row 0 .* has no values: rows of NaN ask for a forecast"):
        fitted.partial_fit(table[100:])


def test_a_row_missing_inside_the_horizon_costs_nothing():
    hours = pd.date_range("2024", periods=300, freq="h")
    table = pd.DataFrame({"x": np.arange(300.0)}, hours)
    fitted = SequenceWindower(5, horizon=24).fit(table[:200])
    rest = table[200:].drop(hours[210])
    lengths = pd.Series(fitted.transform(rest).lengths, rest.index)
    short = lengths[lengths < 5]
    assert short.index.tolist() == list(hours[234:239])  # whose windows hold the missing row
    assert short.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore:Rows of X have no history")
def test_a_new_series_of_a_mixed_table_has_a_history_from_its_second_row():
    days = pd.date_range("2024-01-01", periods=200)
    always = pd.DataFrame({"shop": "always", "v": 1.0}, days)
    closed = pd.DataFrame({"shop": "closed on Sundays", "v": 1.0}, days[days.day_of_week < 6])
    new = pd.DataFrame({"shop": "new", "v": np.arange(40.0)}, days[-1:].append(days[-40:])[1:])
    fitted = SequenceWindower(7, horizon=1, series="shop").fit(pd.concat([always, closed]))
    found = []
    for row in range(len(new)):
        found.append(int(fitted.transform(new[row : row + 1]).lengths[0]))
        fitted.partial_fit(new[row : row + 1])
    assert found == [0, 1, 2, 3, 4, 5, 6, *[7] * 33]


def test_an_arrow_table_of_pandas_keeps_its_index():
    arrow = pytest.importorskip("pyarrow").Table.from_pandas
    hours = pd.date_range("2024", periods=60, freq="h")
    table = pd.DataFrame({"x": np.arange(60.0)}, hours)
    fitted = SequenceWindower(6, horizon=1, cold_start="error").fit(arrow(table[:40]))
    assert fitted.transform(arrow(table[40:])).lengths.tolist() == [6] * 20


def test_an_array_given_again_is_silent_and_another_is_heard():
    x = np.random.default_rng(0).normal(size=(60, 2))
    fitted = SequenceWindower(6, horizon=1).fit(x[:40])
    fitted.transform(x[:40])
    fitted.transform(x[:10])
    with pytest.warns(MissingHistoryWarning, match="has no time, like the table of fit"):
        fitted.transform(x[40:])
