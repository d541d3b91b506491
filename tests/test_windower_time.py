"""Series, time, gaps and carry-over of the windower against plain loops."""

import os
import pickle
import re
import statistics
import subprocess
import sys
from contextlib import nullcontext
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, SequenceWindower
from sklstm._data.samples import Samples, split_validation

examples = settings(
    max_examples=int(os.environ.get("SKLSTM_EXAMPLES", 300)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


# The oracle


class Row(NamedTuple):
    series: object
    time: object
    number: int  # which timestamp of the regular grid
    features: list


class Oracle:
    """What the windower has to find, row by row."""

    def __init__(self, window_size, horizon, max_gap, add_time_delta, carry_over):
        self.window_size = window_size
        self.horizon = horizon
        self.max_gap = max_gap
        self.add_time_delta = add_time_delta
        self.carry_over = carry_over

    def fit(self, rows, kind):
        self.kind = self.kind_now = kind
        self.longest = self.median = None
        self.remembered = {}
        steps = []
        if kind is not None:
            for line in by_series(rows).values():
                for before, row in pairwise(line):
                    steps.append(row.time - before.time)
        if steps:
            self.longest, self.median = max(steps), statistics.median(steps)
        self.seen = self.with_time_delta(rows, {})
        if self.carry_over and kind is not None:
            size = max(self.window_size - 1 + self.horizon, int(self.add_time_delta))
            for series, line in by_series(self.seen).items():
                gaps = [k for k in range(1, len(line)) if self.n_missing(line[k - 1], line[k])]
                gaps.sort(key=lambda k: (self.n_missing(line[k - 1], line[k]), -k), reverse=True)
                held = [row for k in gaps[:8] for row in line[max(k - size, 0) : k]]
                end = line if len(line) <= 64 else line[len(line) - min(size, len(line)) :]
                self.remembered[series] = [row for row in line if row in held or row in end]
        return self.histories(self.seen, {})

    def transform(self, rows, kind):
        """Windows of the given rows and the remembered ones, of which the given ones count."""
        before, self.kind_now = {}, kind if kind == self.kind else None
        for series, line in by_series(rows).items():
            known = self.remembered.get(series, []) if kind == self.kind else []
            numbers = [row.number for row in line]
            before[series] = [row for row in known if row.number not in numbers]
        return self.histories(self.with_time_delta(rows, before), before)

    def n_missing(self, last, row):
        return row.number - last.number - 1

    def goes_on(self, last, row):
        """Whether no row is missing between two, or whether they are near enough."""
        if self.max_gap is None:
            return self.kind_now is None or not self.n_missing(last, row)
        return self.max_gap == "any" or row.time - last.time <= self.max_gap

    def with_time_delta(self, rows, before):
        if not self.add_time_delta:
            return rows
        found = []
        for row in rows:
            line = [*before.get(row.series, []), *(x for x in rows if x.series == row.series)]
            earlier = [x.time for x in line if x.number < row.number]
            time_delta = 1.0
            if earlier and self.median is not None:
                time_delta = (row.time - max(earlier)) / self.median
            found.append(row._replace(features=[*row.features, time_delta]))
        return found

    def histories(self, rows, before):
        found = []
        for row in rows:
            line = [*before.get(row.series, []), *(x for x in rows if x.series == row.series)]
            line = sorted((x for x in line if x.number <= row.number), key=lambda x: x.number)
            if self.kind_now is None:
                line = [x for x in rows if x.series == row.series]
                line = line[: line.index(row) + 1]
                line = line[: max(len(line) - self.horizon, 0)]
            else:
                later = [x for x in line if x.number > row.number - self.horizon]
                line = line[: len(line) - len(later)]
                if line and not self.reaches(line[-1], (later or [row])[0], row):
                    line = []
            connected = line[-1:]
            for earlier in reversed(line[:-1]):
                if not self.goes_on(earlier, connected[0]):
                    break
                connected.insert(0, earlier)
            found.append([step.features for step in connected[-self.window_size :]])
        return found

    def reaches(self, newest, after, row):
        """Whether the newest place of the history is there, or near enough to the last row."""
        ahead = row.number - newest.number - self.horizon
        if not ahead or self.max_gap == "any":
            return True
        if self.max_gap is None:
            return False
        per_row = (after.time - newest.time) / (after.number - newest.number)
        return (ahead + 1) * per_row <= self.max_gap * (1 + 1e-6)


def by_series(rows):
    lines = {}
    for row in rows:
        lines.setdefault(row.series, []).append(row)
    return lines


def hours(numbers, zone=None):
    start = pd.Timestamp("2024-03-30 12:00", tz=zone)  # the night after, clocks change in Berlin
    return pd.DatetimeIndex([start + pd.Timedelta(hours=number) for number in numbers])


def periods(freq):
    return lambda numbers: pd.PeriodIndex([pd.Period("2024-01", freq) + n for n in numbers])


class Clock(NamedTuple):
    kind: str | None
    place: str
    make: object
    unit: object


CLOCKS = {
    "none": Clock(None, "index", lambda numbers: pd.Index([f"row {n}" for n in numbers]), None),
    "array": Clock(None, "array", pd.Index, None),
    "dates": Clock("date", "index", hours, pd.Timedelta(hours=1)),
    "Berlin": Clock("zoned", "index", lambda n: hours(n, "Europe/Berlin"), pd.Timedelta("1h")),
    "hours": Clock("date", "index", periods("h"), pd.Timedelta(hours=1)),
    "months": Clock("date", "index", periods("M"), pd.Timedelta(days=31)),
    "integers": Clock("counter", "index", lambda numbers: pd.Index(numbers, dtype=int), 1),
    "date column": Clock("date", "column", hours, pd.Timedelta(hours=1)),
    "date level": Clock("date", "level", hours, pd.Timedelta(hours=1)),
    "integer column": Clock("number", "column", lambda n: pd.Index(n, dtype=int), 1),
    "integer level": Clock("number", "level", lambda n: pd.Index(n, dtype=int), 1),
    "float column": Clock("number", "column", lambda n: pd.Index(np.asarray(n) / 4), 0.25),
}
OTHER_CLOCK = {"dates": "Berlin", "Berlin": "dates", "integers": "none", "hours": "integers"}


def make_table(cells, clock, series):
    """A table of cells (number of the series, number of the timestamp, features), and its rows."""
    numbers = [number for number, _, _ in cells]
    times = clock.make([timestamp for _, timestamp, _ in cells])
    station = pd.Index(["abcdef"[number] for number in numbers])
    table = pd.DataFrame([features for *_, features in cells], columns=["temp", "rain"])
    levels = {"time": times} if clock.place == "index" else {}
    if clock.place == "level":
        levels = {"when": times, "label": pd.Index([f"row {n}" for n in range(len(times))])}
    if clock.place == "column":
        table.insert(1, "when", times)
        levels = {"label": pd.Index([7] * len(times))}
    if series == ["room", "floor"]:
        table["floor"] = [number // 2 for number in numbers]
        table.insert(0, "room", pd.Categorical(["xy"[number % 2] for number in numbers]))
    elif series == "station column":
        table.insert(0, "station column", station)
    elif series == "station first":
        levels = {"station first": station} | levels
    elif series == "station last":
        levels = levels | {"station last": station}
    if len(levels) == 1:
        table.index = next(iter(levels.values()))
    elif levels:
        table.index = pd.MultiIndex.from_arrays(list(levels.values()), names=list(levels))
    times = [time.start_time if isinstance(time, pd.Period) else time for time in times]
    rows = [
        Row(number, time, timestamp, features)
        for (number, timestamp, features), time in zip(cells, times, strict=True)
    ]
    return (table.to_numpy() if clock.place == "array" else table), rows


@st.composite
def cases(draw):
    """A windower, its oracle, and two tables for them: one to fit, one to transform."""
    name = draw(st.sampled_from(sorted(CLOCKS)))
    clock = CLOCKS[name]
    all_series = [None, "station column", "station first", "station last", ["room", "floor"]]
    series = None if clock.place == "array" else draw(st.sampled_from(all_series))
    n_series = 1 if series is None else draw(st.integers(1, 4))
    value = iter(range(10_000))
    to_fit, to_transform = [], []
    for number in range(n_series):
        steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 6]), min_size=5, max_size=14))
        for place in range(
            len(steps)
        ):  # most steps from the start are 1: the table has a frequency
            if 2 * steps[: place + 1].count(1) <= place + 2:
                steps[place] = 1
        timestamps = np.cumsum([draw(st.integers(0, 3)), *steps]).tolist()
        cut = draw(
            st.integers(0 if number else 5, len(timestamps))
        )  # 0: fit has not seen the series
        overlap = draw(st.sampled_from([0, 0, 0, 1, 2, cut, -1]))
        to_fit.append([(number, timestamp) for timestamp in timestamps[:cut]])
        to_transform.append(
            [(number, timestamp) for timestamp in timestamps[max(cut - overlap, 0) :]]
        )
    tables = []
    for lines in (to_fit, to_transform):
        if not any(lines):
            lines[0] = [(0, 50)]
        turns = [number for number, line in enumerate(lines) for _ in line]
        turns = draw(st.permutations(turns) if n_series > 1 else st.just(turns))
        remaining = [iter(line) for line in lines]
        cells = [(*next(remaining[number]), [float(next(value)), 0.5]) for number in turns]
        for row in draw(st.lists(st.integers(0, len(cells) - 1), max_size=2)):
            cells[row][2][1] = np.nan
        tables.append(cells)
    params = {
        "window_size": draw(st.integers(1, 5)),
        "horizon": draw(st.integers(0, 3)),
        "max_gap": None,
        "add_time_delta": clock.kind is not None and draw(st.booleans()),
        "carry_over": draw(st.sampled_from([True, True, False])),
    }
    if clock.kind is not None and draw(st.booleans()):
        gap = draw(st.sampled_from([1, 2, 3, "any"]))
        params["max_gap"] = gap if gap == "any" else gap * clock.unit
    time = "when" if clock.place in ("column", "level") else None
    windower = SequenceWindower(series=series, time=time, **params)
    if isinstance(params["max_gap"], pd.Timedelta):
        form = draw(st.sampled_from([pd.Timedelta, str, pd.Timedelta.to_pytimedelta]))
        windower.set_params(max_gap=form(params["max_gap"]))
    other = clock
    if name in OTHER_CLOCK and not params["add_time_delta"] and params["max_gap"] is None:
        other = CLOCKS[draw(st.sampled_from([name, name, OTHER_CLOCK[name]]))]
    return (
        windower,
        Oracle(**params),
        (*make_table(tables[0], clock, series), clock.kind),
        (*make_table(tables[1], other, series), other.kind),
    )


def assert_histories(sequences, expected):
    assert len(sequences) == len(expected)
    for sequence, history in zip(sequences, expected, strict=True):
        assert len(sequence) == len(history)
        if history:
            np.testing.assert_allclose(sequence, history, rtol=1e-12, equal_nan=True)


def of_series(windower):
    """Whether the index numbers rows of a series, not those of the table; both are a frequency."""
    return windower._frequency is None or not windower._frequency.of_table


@examples
@given(cases())
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_histories_are_those_of_a_plain_loop(case):
    windower, oracle, (table, rows, kind), (new_table, new_rows, new_kind) = case
    expected = oracle.fit(rows, kind)
    found = windower.fit_transform(table)
    assume(of_series(windower))
    assert_histories(found, expected)
    assert_histories(clone(windower).fit(table).transform(table), expected)
    if windower.carry_over and None not in (kind, new_kind) and kind != new_kind:
        with pytest.raises(ValueError, match="The time of X is made of"):
            windower.transform(new_table)
        return
    new_expected = oracle.transform(new_rows, new_kind)
    for _ in range(2):
        assert_histories(windower.transform(new_table), new_expected)


@examples
@given(cases(), st.integers(1, 3))
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_rows_as_they_come_have_the_histories_of_the_whole_table(case, size):
    windower, oracle, (table, rows, kind), _ = case
    assume(kind is not None and windower.carry_over and len(rows) > 6)
    middle = len(rows) - 3
    seen, arriving = by_series(rows[:middle]), by_series(rows[middle:])
    assume(all(len(seen.get(one, [])) != 2 for one in arriving))  # see the test below
    windower.fit(table[:middle])
    oracle.fit(rows[:middle], kind)
    assume(of_series(windower) and len(by_series(rows[:middle])) == len(by_series(rows)))
    whole = oracle.histories(oracle.with_time_delta(rows, {}), {})
    for start in range(middle, len(rows), size):
        arrived = table[start : start + size]
        assert_histories(windower.transform(arrived), whole[start : start + size])
        windower.partial_fit(arrived if start % 2 else arrived.copy())


@pytest.mark.filterwarnings("ignore")
def test_two_rows_are_followed_by_the_same_histories_in_parts_of_any_size():
    table = pd.DataFrame({"a": np.arange(6.0)}, index=hours([0, 1, 2, 3, 4, 6]))
    found = {}
    for size in (1, 4):
        windower = SequenceWindower(3).fit(table[:2])
        found[size] = []
        for start in range(2, 6, size):
            found[size] += list(windower.transform(table[start : start + size]))
            windower.partial_fit(table[start : start + size])
    for one, other in zip(found[1], found[4], strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_that_change_after_they_were_predicted_are_read_again():
    table = pd.DataFrame({"a": np.arange(8.0)}, index=hours(range(8)))
    windower = SequenceWindower(3, cold_start="ignore").fit(table[:4])
    changes = {
        "a value": lambda now: now.isetitem(0, [50.0]),
        "a value in place": lambda now: now.__setitem__("a", 50.0),
        "the index": lambda now: setattr(now, "index", hours([4])),
        "a column": lambda now: setattr(now, "columns", ["b"]),
        "a parameter": lambda now: one.set_params(max_gap="any"),
    }
    for what, change in changes.items():
        one, other, now = clone_fitted(windower), clone_fitted(windower), table[5:6].copy()
        one.transform(now)  # a row is missing before it
        change(now)
        if what == "a column":
            with pytest.raises(ValueError, match="feature names"):
                one.partial_fit(now)
            continue
        other.set_params(**one.get_params())
        one.partial_fit(now)
        other.partial_fit(now.copy())
        following = table[6:7].set_axis(now.index + pd.Timedelta("1h"))
        assert one.transform(following) == other.transform(following), what


def clone_fitted(windower):
    return pickle.loads(pickle.dumps(windower))


@examples
@given(cases())
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_codes_and_order_tell_the_series(case):
    windower, _, (table, rows, kind), (new_table, new_rows, new_kind) = case
    windower.fit(table)
    codes = {}
    parts = [(table, rows), (new_table, new_rows)]
    if windower.carry_over and None not in (kind, new_kind) and kind != new_kind:
        parts = parts[:1]
    for part, part_rows in parts:
        sequences = windower.transform(part)
        for row, code in zip(part_rows, sequences.series.tolist(), strict=True):
            assert codes.setdefault(row.series, code) == code
        for code in set(sequences.series.tolist()):
            assert (np.diff(sequences.ends[sequences.series == code]) >= 0).all()
        names = windower.get_feature_names_out()
        assert len(names) == sequences.n_features
    seen = {row.series for row in rows}
    assert {codes[series] for series in seen} == set(range(len(seen)))
    assert len(set(codes.values())) == len(codes)
    assert windower.series is None or len(windower.series_) == len(seen)


# Carry-over


def frame(index, seed=0):
    values = np.random.default_rng(seed).normal(size=(len(index), 2))
    return pd.DataFrame(values, index=index, columns=["temp", "rain"])


def days(n_rows, start="2024-01-01"):
    return pd.date_range(start, periods=n_rows, name="date")


def stations(n_rows=40):
    """Three stations, interleaved, each with some days missing; index levels station and date."""
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([days(n_rows), list("abc")], names=["date", "station"])
    return frame(index.swaplevel()[np.sort(rng.permutation(len(index))[: 9 * len(index) // 10])])


def target(table):
    return table["temp"].to_numpy() * 2 + 1


def small_model(**params):
    return make_pipeline(
        SequenceWindower(**{"window_size": 4, "horizon": 1} | params),
        LSTMRegressor(hidden_size=4, max_epochs=1, random_state=0),
    )


def fold_starts(table, **params):
    """Length of the history of the first test row of each fold."""
    windower = SequenceWindower(**{"window_size": 5, "horizon": 2} | params)
    return [
        int(windower.fit(table.iloc[train]).transform(table.iloc[test]).lengths[0])
        for train, test in TimeSeriesSplit(4).split(table)
    ]


def some_missing(index):
    return index[np.random.default_rng(0).random(len(index)) > 0.1]


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(100),
        pd.RangeIndex(1000, 1100),
        days(100),
        days(100).tz_localize("Europe/Berlin"),
        pd.period_range("2024-01", periods=100, freq="M"),
        pd.timedelta_range("0s", periods=100, freq="15min"),
        pd.bdate_range("2024-01-01", periods=100),
        pd.date_range("2020-01-31", periods=60, freq="ME"),
        pd.date_range("2020-01-31", periods=40, freq="QE"),
    ],
    ids=[
        "integers",
        "integers from 1000",
        "dates",
        "time zone",
        "periods",
        "durations",
        "business days",
        "month ends",
        "quarter ends",
    ],
)
def test_first_row_of_a_test_fold_has_a_full_history(index):
    assert fold_starts(frame(index)) == [5] * 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_floating_point_clock_carries_over_in_spite_of_rounding(dtype):
    table = frame(range(60)).assign(seconds=(np.arange(60) * 0.1).astype(dtype))
    windower = SequenceWindower(window_size=2, time="seconds")
    lengths = [windower.fit(table[:n]).transform(table[n:]).lengths[0] for n in range(2, 60)]
    assert [n for n, length in enumerate(lengths, 2) if length < 2] == []


def test_floating_point_clock_is_not_cut_by_rounding():
    table = frame(range(20)).assign(seconds=np.arange(20) * 0.1)
    windower = SequenceWindower(window_size=20, time="seconds", max_gap=0.1)
    assert windower.fit_transform(table).lengths.tolist() == list(range(1, 21))


@pytest.mark.parametrize(
    "index",
    [some_missing(pd.date_range("2024-01-01", periods=300, freq="h")), some_missing(days(300))],
    ids=["hours", "days"],
)
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_test_folds_go_on_unless_the_row_before_is_missing(index):
    lengths = fold_starts(frame(index))
    assert lengths == fold_starts(frame(index), max_gap=pd.Series(index).diff().min())
    assert fold_starts(frame(index), max_gap="any") == [5] * 4


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (days(10), days(10, "2024-01-12"), "expected next is 2024-01-11 00:00:00"),
        (pd.RangeIndex(10), pd.RangeIndex(11, 15), "expected next is 10"),
        (pd.RangeIndex(10), pd.RangeIndex(5), None),
        (pd.Index(list("abcdef")), pd.Index(list("ghij")), "has no time, like the table of fit"),
    ],
    ids=["longer step", "integer left out", "reset index", "no time"],
)
def test_rows_that_may_not_follow_have_no_history(train, test, message):
    windower = SequenceWindower(window_size=5).fit(frame(train))
    with nullcontext() if message is None else pytest.warns(UserWarning, match=message):
        sequences = windower.transform(frame(test, seed=1))
    assert sequences.lengths.tolist()[:4] == [1, 2, 3, 4]


def test_rows_that_arrive_tell_the_frequency_of_a_single_row_of_fit():
    windower = SequenceWindower(window_size=5).fit(frame(days(1)))
    assert windower.transform(frame(days(10, "2024-01-02"))).lengths.tolist()[:3] == [2, 3, 4]


def test_integers_in_steps_of_two_go_on_in_steps_of_two():
    windower = SequenceWindower(window_size=5).fit(frame(pd.RangeIndex(0, 20, 2)))
    assert windower.transform(frame(pd.RangeIndex(20, 30, 2))).lengths.tolist() == [5] * 5


@pytest.mark.parametrize(
    ("train", "test", "kinds"),
    [
        (days(10), days(10, "2024-01-11").tz_localize("UTC"), "dates with time zone.*tz_localize"),
        (pd.RangeIndex(10), days(10), "dates without time zone.* whole numbers"),
    ],
    ids=["time zone", "other kind"],
)
def test_another_kind_of_time_is_an_error(train, test, kinds):
    windower = SequenceWindower(window_size=5).fit(frame(train))
    with pytest.raises(ValueError, match=kinds):
        windower.transform(frame(test))
    forgetful = SequenceWindower(window_size=5, carry_over=False).fit(frame(train))
    assert forgetful.transform(frame(test)).lengths.tolist()[:4] == [1, 2, 3, 4]


def test_bare_array_has_no_buffer():
    windower = SequenceWindower(window_size=5).fit(np.ones((10, 2)))
    assert windower.transform(np.ones((4, 2))).lengths.tolist() == [1, 2, 3, 4]


def test_switched_off_carry_over_has_no_buffer():
    assert fold_starts(frame(days(100)), carry_over=False) == [0] * 4


@pytest.mark.parametrize(("max_gap", "length"), [("3D", 5), (timedelta(days=2), 5), ("47h", 1)])
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_max_gap_decides_instead_of_the_longest_step(max_gap, length):
    windower = SequenceWindower(window_size=5, max_gap=max_gap).fit(frame(days(10)))
    later = frame(days(3, "2024-01-12"))
    assert windower.transform(later).lengths[0] == length


@pytest.mark.parametrize(
    "index",
    [days(20), pd.RangeIndex(20), pd.period_range("2024", periods=20, freq="Y")],
    ids=["dates", "integers", "periods"],
)
def test_shuffled_rows_are_refused(index):
    table = frame(index)
    shuffled = table.iloc[[0, 1, 7, 3, 2, *range(8, 20)]]
    row, before = (re.escape(str(shuffled.index[place])) for place in (3, 2))
    message = rf"row 3 \(counted from 0; time {row}\) follows row 2 \({before}\), as do 1 more"
    with pytest.raises(ValueError, match=message):
        SequenceWindower().fit(shuffled)
    with pytest.raises(ValueError, match=message):
        SequenceWindower().fit(table).transform(shuffled)


TABLES = {
    "dates": (frame(days(60)), {}),
    "integers": (frame(pd.RangeIndex(60)), {}),
    "missing days": (frame(some_missing(days(60))), {"max_gap": "1D"}),
    "stations": (stations(), {"series": "station"}),
    "add_time_delta": (stations(), {"series": "station", "add_time_delta": True, "max_gap": "2D"}),
    "columns": (
        stations().reset_index(),
        {"series": "station", "time": "date", "add_time_delta": True},
    ),
}


def tables(test):
    silent = pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
    return pytest.mark.parametrize(("table", "params"), TABLES.values(), ids=TABLES)(silent(test))


@tables
def test_new_rows_are_predicted_as_in_the_whole_table(table, params):
    n_train = 2 * len(table) // 3
    model = small_model(**params).fit(table[:n_train], target(table[:n_train]))
    whole = model.predict(table)[n_train:]
    np.testing.assert_allclose(model.predict(table[n_train:]), whole, rtol=1e-6)


@tables
def test_training_rows_are_predicted_as_in_training(table, params):
    model = small_model(**params)
    sequences = model[0].fit_transform(table)
    in_training = clone(model[1]).fit(sequences, target(table)).predict(sequences)
    model.fit(table, target(table))
    np.testing.assert_allclose(model.predict(table), in_training, rtol=1e-6)


@tables
def test_transform_changes_nothing(table, params):
    middle = len(table) // 2
    windower = SequenceWindower(window_size=4, **params).fit(table[:middle])
    before = pickle.dumps(windower)
    first = windower.transform(table[middle:])
    assert windower.transform(table) != first
    assert windower.transform(table[middle:]) == first
    assert pickle.dumps(windower) == before


@tables
def test_carry_over_survives_pickling(table, params):
    middle = len(table) // 2
    windower = SequenceWindower(window_size=4, horizon=2, **params).fit(table[:middle])
    copied = pickle.loads(pickle.dumps(windower))
    assert copied.transform(table[middle:]) == windower.transform(table[middle:])


def test_table_may_change_after_fit():
    table = frame(days(20))
    windower = SequenceWindower(window_size=4).fit(table[:10])
    new = table[10:].copy()
    expected = windower.transform(new)[0].tolist()
    table.iloc[:, :] = 0.0
    assert windower.transform(new)[0].tolist() == expected


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
@pytest.mark.filterwarnings("ignore:X has .* gaps", "ignore:Rows of X have no history")
def test_series_is_known_again_whatever_its_dtype(dtype):
    table = stations().reset_index("station")
    train, test = table[:60], table[60:].copy()
    test["station"] = test["station"].astype(dtype)
    windower = SequenceWindower(window_size=4, series="station").fit(train)
    assert windower.transform(test) == windower.transform(table[60:])
    assert windower.transform(test).lengths.max() == 4


@pytest.mark.parametrize("dtype", ["int8", "float64", "Int64", "object"])
def test_numbered_series_is_known_again_whatever_its_dtype(dtype):
    table = frame(days(20).repeat(2)).assign(site=[7, 8] * 20)
    new = table[30:].astype({"site": dtype})
    windower = SequenceWindower(window_size=4, series="site").fit(table[:30])
    assert (windower.transform(new).lengths == 4).all()


def test_series_unseen_in_fit_has_no_buffer_beside_known_ones():
    table = stations()
    known = table.index.get_level_values("station") != "b"
    windower = SequenceWindower(window_size=4, series="station", max_gap="any")
    windower.fit(table[:60][known[:60]])
    sequences = windower.transform(table[60:])
    unseen = ~known[60:]
    assert sequences.lengths[unseen][:4].tolist() == [1, 2, 3, 4]
    assert (sequences.lengths[~unseen] == 4).all()
    assert windower.series_.tolist() == ["a", "c"]
    assert set(sequences.series[unseen]) == {2}


def test_rows_before_a_gap_of_fit_are_held_too():
    index = days(10).union(days(10, "2024-06-01"))
    windower = SequenceWindower(window_size=5, max_gap="1D", cold_start="ignore").fit(frame(index))
    assert windower.transform(frame(days(3, "2024-06-11"))).lengths[0] == 5
    assert windower.transform(frame(days(3, "2024-01-11"))).lengths[0] == 5  # held for the gap


def test_last_level_of_the_index_that_names_no_series_is_the_time():
    table = frame(pd.MultiIndex.from_arrays([range(20), days(20), ["a"] * 20], names=list("xts")))
    windower = SequenceWindower(window_size=4, series="s", max_gap="1D", cold_start="ignore")
    windower.fit(table[:10])
    assert windower.transform(table[12:]).lengths.tolist()[:4] == [1, 2, 3, 4]
    assert windower.transform(table[10:]).lengths.tolist() == [4] * 10


# Elapsed


def test_time_delta_counts_in_median_steps():
    index = days(1).append([days(3, "2024-01-03"), days(2, "2024-01-11")])
    windower = SequenceWindower(window_size=1, add_time_delta=True).fit(frame(index))
    time_delta = np.asarray(windower.transform(frame(index)))[:, -1, -1]
    assert time_delta.tolist() == [1, 2, 1, 1, 6, 1]
    assert windower.get_feature_names_out().tolist() == ["temp", "rain", "time_delta"]
    assert windower.median_step_ == pd.Timedelta(days=1).value
    assert windower.longest_step_ == pd.Timedelta(days=6).value


@pytest.mark.parametrize("window_size", [1, 2])
def test_time_delta_of_the_first_new_row_counts_from_the_last_buffered_one(window_size):
    index = some_missing(days(60))
    table = frame(index)
    windower = SequenceWindower(window_size, add_time_delta=True, max_gap="any")
    for middle in range(30, 50):
        windower.fit(table[:middle])
        new, whole = windower.transform(table[middle:]), windower.transform(table)[middle:]
        assert new[0].tolist() == whole[0].tolist()


def test_time_delta_keeps_single_precision():
    table = frame(days(10)).astype(np.float32)
    windower = SequenceWindower(window_size=2, add_time_delta=True)
    assert windower.fit_transform(table).dtype == np.float32
    assert windower.transform(table).dtype == np.float32


def test_time_delta_needs_the_kind_of_time_seen_in_fit():
    windower = SequenceWindower(add_time_delta=True).fit(frame(range(5)))
    with pytest.raises(ValueError, match="The time of X is made of dates .* of whole numbers"):
        windower.transform(frame(days(5)))


# Numbers as time


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint64", "float32", "Int64"])
def test_time_of_any_number_type(dtype):
    table = frame(range(10))
    table["minute"] = pd.Series(np.arange(10) * 12, dtype=dtype)
    windower = SequenceWindower(window_size=3, time="minute").fit(table[:8])
    assert windower.longest_step_ == 12
    assert windower.transform(table[8:]).lengths.tolist() == [3, 3]
    with pytest.raises(ValueError, match="Time must increase.*row 1 .*follows row 0"):
        windower.fit(table[::-1])


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_small_integers_as_time_do_not_overflow(dtype):
    limits = np.iinfo(dtype)
    table = frame(range(3)).assign(time=np.array([limits.min, limits.min + 1, limits.max], dtype))
    windower = SequenceWindower(window_size=3, time="time", max_gap=2).fit(table)
    assert windower.longest_step_ == 254
    windower.fit(table[:2])
    with pytest.warns(UserWarning, match="have no history"):
        assert windower.transform(table[2:]).lengths.tolist() == [1]


def test_integers_may_follow_fractions():
    table = frame(range(3)).assign(time=[0.0, 0.9, 1.8])
    new = frame(range(1)).assign(time=[2])
    windower = SequenceWindower(window_size=3, time="time", max_gap=1).fit(table)
    assert windower.transform(new).lengths.tolist() == [3]


# Validation part of early stopping


def interleaved(n_rows=90):
    rng = np.random.default_rng(2)
    return frame(pd.RangeIndex(n_rows)).assign(
        station=rng.choice(list("abc"), size=n_rows, p=[0.6, 0.3, 0.1])
    )


def samples_of(table, rows, **params):
    """Windows of the given rows; the target is the row number."""
    sequences = SequenceWindower(series="station", **params).fit_transform(table)[rows]
    return Samples(sequences, np.asarray(rows), np.ones(len(rows)))


SUBSETS = {
    "all": np.arange(90),
    "first fold": np.arange(50),
    "all but the middle": np.r_[0:30, 60:90],
    "random rows": np.sort(np.random.default_rng(0).permutation(90)[:60]),
}


@pytest.mark.parametrize("rows", SUBSETS.values(), ids=SUBSETS)
@pytest.mark.parametrize(
    "params",
    [
        {"window_size": 1},
        {"window_size": 1, "horizon": 3},
        {"window_size": 4},
        {"window_size": 4, "horizon": 2, "max_gap": 3},
        {"window_size": 1, "max_gap": 1, "add_time_delta": True},
    ],
    ids=str,
)
def test_validation_part_is_the_last_of_each_series(rows, params):
    table = interleaved()
    train, valid, *_ = split_validation(samples_of(table, rows, **params), 0.25, seed=0)
    expected = []
    for station in "abc":
        of_station = [row for row in rows if table["station"][row] == station]
        expected += of_station[len(of_station) - round(0.25 * len(of_station)) :]
    assert sorted(valid.target) == sorted(expected)
    assert sorted([*train.target, *valid.target]) == rows.tolist()


def test_series_of_few_rows_give_their_share_of_validation_rows_together():
    table = pd.DataFrame({"series": np.repeat(np.arange(40), 2), "x": np.arange(80.0)})
    sequences = SequenceWindower(1, series="series").fit_transform(table)
    samples = Samples(sequences, table["x"].to_numpy(), np.ones(80))
    valid = split_validation(samples, 0.1, seed=0)[1]
    assert len(valid.target) == 8
    assert (valid.target.ravel() % 2 == 1).all()  # the last of their series


@pytest.mark.parametrize("window_size", [1, 4])
def test_validation_part_is_the_last_of_shuffled_rows_too(window_size):
    rows = np.random.default_rng(0).permutation(90)
    table = interleaved()
    _, valid, *_ = split_validation(samples_of(table, rows, window_size=window_size), 0.25, seed=0)
    _, expected, *_ = split_validation(
        samples_of(table, np.arange(90), window_size=window_size), 0.25, seed=0
    )
    assert sorted(valid.target) == sorted(expected.target)


def test_early_stopping_works_through_a_search():
    table = interleaved()
    model = small_model(series="station").set_params(
        lstmregressor__early_stopping=True, lstmregressor__validation_fraction=0.25
    )
    scores = cross_val_score(
        model, table, target(table), cv=TimeSeriesSplit(2), error_score="raise"
    )
    assert np.isfinite(scores).all()


# A scaler in front


def test_scaler_leaves_series_and_time_in_index_levels_alone():
    table = stations()
    model = small_model(series="station", add_time_delta=True, max_gap="2D")
    model.steps.insert(0, ("scaler", StandardScaler()))
    model.set_output(transform="pandas")
    model.fit(table[:80], target(table[:80]))
    whole = model.predict(table)[80:]
    np.testing.assert_allclose(model.predict(table[80:]), whole, rtol=1e-6)
    alone = SequenceWindower(4, horizon=1, series="station", add_time_delta=True, max_gap="2D")
    lengths = alone.fit(table[:80]).transform(table).lengths
    assert model[:2].transform(table).lengths.tolist() == lengths.tolist()


@pytest.mark.parametrize(
    "params",
    [{"series": "station"}, {"time": "date"}, {"max_gap": "2D"}, {"add_time_delta": True}],
    ids=str,
)
def test_scaler_that_drops_the_index_is_named(params):
    model = make_pipeline(StandardScaler(), SequenceWindower(**params))
    name = next(iter(params))
    message = rf"{name}=.* needs a DataFrame, got ndarray.*set_output\(transform='pandas'\)"
    with pytest.raises(ValueError, match=message):
        model.fit(stations())


def test_table_that_was_a_frame_in_fit_stays_one():
    windower = SequenceWindower(series="station", max_gap="any").fit(stations())
    with pytest.raises(ValueError, match="series='station' needs a DataFrame, got ndarray"):
        windower.transform(stations().to_numpy())


def test_scaled_series_column_is_named():
    table = interleaved().assign(station=interleaved()["station"].map({"a": 1, "b": 2, "c": 3}))
    model = make_pipeline(StandardScaler(), SequenceWindower(series="station"))
    with pytest.raises(ValueError, match=r"'station' holds fractions such as .*scaler.*set_index"):
        model.set_output(transform="pandas").fit(table)


# Bad input


def with_columns(**columns):
    return frame(days(3)).assign(**columns)


@pytest.mark.parametrize(
    ("params", "table", "message"),
    [
        (
            {"series": "site"},
            stations(),
            r"series='site' is neither a column nor an index level.*Columns: \['temp', 'rain'\]; "
            r"index levels: \['station', 'date'\]",
        ),
        ({"series": ["station", "site"]}, stations(), "series='site' is neither"),
        ({"time": "when"}, stations(), "time='when' is neither"),
        (
            {"series": "site"},
            with_columns(site=["a", None, None]),
            r"series='site' is missing in row 1 \(counted from 0\) and 1 more",
        ),
        ({"series": "site"}, with_columns(site=[1, np.nan, 2]), "'site' is missing in row 1 "),
        ({"series": ["temp", "site"]}, with_columns(temp=1, site=[1, 2, np.nan]), "in row 2 "),
        ({"series": "site"}, with_columns(site=[1, 2.5, 2]), "'site' holds fractions such as 2.5"),
        (
            {"time": "when"},
            with_columns(when=[1, np.nan, 2]),
            r"time='when' is missing in row 1 \(counted from 0\) and 0 more",
        ),
        ({"time": "when"}, with_columns(when=[*days(2), pd.NaT]), "'when' is missing in row 2"),
        (
            {"time": "when"},
            with_columns(when=pd.array([1, 2, None], dtype="Int64")),
            "'when' is missing in row 2",
        ),
        ({"time": "when"}, with_columns(when=[0, 1, np.inf]), "time='when'.*row 2"),
        ({}, frame(pd.DatetimeIndex([*days(2), pd.NaT])), "time in the index is missing in row 2"),
        (
            {},
            frame(pd.PeriodIndex(["2024-01", None, "2024-03"], freq="M")),
            "time in the index is missing in row 1",
        ),
        (
            {"time": "when"},
            with_columns(when=["2024-01-01", "2024-01-02", "2024-01-03"]),
            r"time='when' has the dtype (str|object); time must be dates \(pandas.to_datetime",
        ),
        ({"time": "when"}, with_columns(when=True), "time='when' has the dtype bool"),
        ({"max_gap": 2}, frame(days(3)), r"max_gap=2 does not fit.*dates.*duration such as"),
        ({"max_gap": 2.5}, frame(days(3)), r"max_gap=2.5 does not fit.*dates"),
        ({"max_gap": "2h"}, frame(range(3)), r"max_gap='2h' does not fit.*give a number"),
        (
            {"max_gap": pd.Timedelta("2h"), "time": "temp"},
            frame(days(3)),
            r"max_gap=Timedelta.* does not fit.*give a number",
        ),
        ({"max_gap": "2h"}, frame(list("abc")), "max_gap='2h' needs the time of each row"),
        ({"max_gap": 2}, frame([0.5, 1.5, 2.5]), "max_gap=2 needs the time.*time="),
        (
            {"add_time_delta": True},
            frame(list("abc")),
            "add_time_delta=True needs the time of each row",
        ),
        ({"max_gap": 2}, np.ones((3, 2)), "max_gap=2 needs a DataFrame, got ndarray"),
        ({"max_gap": 0}, np.ones((3, 2)), "max_gap=0"),
        (
            {"add_time_delta": True},
            np.ones((3, 2)),
            "add_time_delta=True needs a DataFrame, got ndarray",
        ),
        (
            {"add_time_delta": "yes"},
            frame(days(3)),
            "'add_time_delta' parameter of SequenceWindower",
        ),
        ({"carry_over": None}, frame(days(3)), "'carry_over' parameter of SequenceWindower"),
        ({"series": 3}, frame(days(3)), "'series' parameter of SequenceWindower"),
        ({"time": ["date"]}, frame(days(3)), "'time' parameter of SequenceWindower"),
    ],
)
def test_bad_input_is_named(params, table, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        SequenceWindower(**params).fit(table)


@pytest.mark.parametrize("where", ["index", "column"])
@pytest.mark.parametrize(
    ("rows", "later", "earlier"), [([0, 2, 1, 3], 2, 1), ([0, 1, 1, 3], 1, 1)], ids=str
)
def test_time_that_does_not_increase_is_named(where, rows, later, earlier):
    table = frame(days(4)).iloc[rows]
    params = {}
    if where == "column":
        table, params = table.reset_index(), {"time": "date"}
    timestamps = [days(4)[row].strftime("%Y-%m-%d") for row in (earlier, later)]
    message = rf"(?s)row 2 .*{timestamps[0]}.* follows row 1 .*{timestamps[1]}.*, as do 0 more"
    with pytest.raises(ValueError, match=message):
        SequenceWindower(**params).fit(table)


def test_time_need_not_increase_across_series():
    table = stations().sort_index()
    windower = SequenceWindower(window_size=3, series="station", max_gap="any")
    lengths = windower.fit_transform(table).lengths
    assert lengths[table.index.get_level_values("station") == "b"][:3].tolist() == [1, 2, 3]
    by_levels = SequenceWindower(window_size=3, max_gap="any").fit(table)
    assert by_levels.transform(table).lengths.tolist() == lengths.tolist()
    with pytest.raises(ValueError, match="several series name them with series="):
        SequenceWindower().fit(table.reset_index("station", drop=True))


def test_unsorted_rows_of_one_of_several_series_are_named():
    table = stations()
    first, second = np.flatnonzero(table.index.get_level_values("station") == "b")[[4, 5]]
    order = np.arange(len(table))
    order[[first, second]] = second, first
    message = rf"row {second} .*time 2024-01-05.* follows row {first} \(2024-01-06"
    with pytest.raises(ValueError, match=message):
        SequenceWindower(series="station").fit(table.iloc[order])


# Buffer


def test_time_costs_at_most_twice_the_table():
    code = """
import tracemalloc
import numpy as np
import pandas as pd
from sklstm import SequenceWindower
index = pd.date_range("2000-01-01", periods=1_000_000, freq="min")
table = pd.DataFrame(np.ones((1_000_000, 8), np.float32), index, list("abcdefgh"))
windower = SequenceWindower(window_size=96, max_gap="1h")
tracemalloc.start()
windower.fit_transform(table)
print(tracemalloc.get_traced_memory()[1])
tracemalloc.reset_peak()
windower.transform(table)
print(tracemalloc.get_traced_memory()[1])
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True
    ).stdout
    assert [int(peak) <= 64e6 for peak in printed.split()] == [True, True]
