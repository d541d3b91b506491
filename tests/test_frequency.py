"""Which row directly follows which: each rule of the frequency, on both sides of its limit."""

import numpy as np
import pandas as pd
import pytest

from sklstm import SequenceWindower

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklstm._data.warning.GapWarning"
)  # of gaps made here

RNG = np.random.default_rng(0)
REGULAR = np.full(200, 1.0)
WITH_A_GAP = np.where(np.arange(200) == 20, 4.0, REGULAR)
WITH_A_SHIFT = np.where(np.arange(200) == 20, 4.4, REGULAR)
HALF = np.flatnonzero(RNG.random(400) < 0.5)
FEW_NEIGHBOURS = np.where(np.arange(200) % 20 == 0, 1, RNG.integers(2, 40, size=200))
JITTERED = RNG.uniform(0.9, 1.1, size=200)
TENTH = np.arange(200) % 10 == 5
IRREGULAR = np.array([1, 2, 5, 3, 7, 4, 9, 6, 8, 10] * 20) + RNG.uniform(0, 0.5, size=200)
LONG = 5 * np.quantile(IRREGULAR, 0.9)
BERLIN = "Europe/Berlin"
DAYS = pd.date_range("2023-09-15", periods=230, tz=BERLIN)  # the clock changes on 31 March
MONTHS = pd.date_range("2020-01-01", periods=240, freq="MS")


def windower():
    return SequenceWindower(3, horizon=1, time="t", cold_start="ignore")


def clock(steps):
    return np.concatenate([[0.0], np.cumsum(steps)])


def table(times):
    return pd.DataFrame({"t": times, "x": np.arange(float(len(times)))})


def follows(times, later):
    """Whether a row at `later` continues the histories of a windower fitted on `times`."""
    (length,) = windower().fit(table(times)).transform(table([later])).lengths
    return length == 3


def are_cut(times):
    """Whether some row in the middle of a table begins a history of its own."""
    return (windower().fit_transform(table(times)).lengths[3:] < 3).any()


@pytest.mark.parametrize(
    ("steps", "step", "expected"),
    [
        (REGULAR, 1.0005, True),  # clocks are rounded
        (REGULAR, 1.005, False),
        (WITH_A_GAP, 1.0, True),
        (WITH_A_GAP, 1.3, False),  # a gap is no jitter
        (WITH_A_SHIFT, 1.0, True),
        (WITH_A_SHIFT, 1.3, False),  # nor is a clock that was set
        (JITTERED, 1.4, True),
        (JITTERED, 2.0, False),  # a row is missing
        (IRREGULAR, 0.98 * LONG, True),
        (IRREGULAR, 1.02 * LONG, False),
    ],
)
def test_a_new_row_follows_within_the_slack_of_its_series(steps, step, expected):
    times = clock(steps)
    assert follows(times, times[-1] + step) == expected


@pytest.mark.parametrize(
    ("times", "later", "expected"),
    [
        (DAYS[:198], DAYS[198], True),  # 31 March: the day before has 24 hours, itself 23
        (DAYS[:199], DAYS[199], True),
        (DAYS[:199], DAYS[199] + pd.Timedelta(hours=5), False),
        (MONTHS[:-1], MONTHS[-1], True),  # from 28 to 31 days
        (MONTHS[:-1], MONTHS[-1] + pd.Timedelta(days=10), False),
    ],
)
def test_a_day_or_month_later_follows(times, later, expected):
    assert follows(times, later) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (DAYS, False),  # a day of 23 hours is a day
        (DAYS[np.arange(230) != 45], True),
        (MONTHS, False),
        (HALF, True),  # half of the rows are missing at random
        (clock(FEW_NEIGHBOURS).astype(int), False),  # irregular
        (clock(np.where(TENTH, 3.0, JITTERED)), True),  # jitter, and rows are missing
        (clock(np.where(TENTH, 1.6, JITTERED)), False),  # no jitter: more than half a step
        (clock(np.where(np.arange(200) % 5 < 2, 2.5, JITTERED)), False),  # too many longer steps
        (clock(np.where(np.arange(200) % 10 < 3, 1.0, 3 + IRREGULAR)), False),  # too few equal ones
    ],
)
def test_rows_are_missing_where_there_is_a_frequency(times, expected):
    assert are_cut(times) == expected


def test_integers_number_the_rows_of_a_table_of_which_few_are_missing():
    series = np.where(RNG.random(200) < 0.5, "a", "b")
    rows = pd.DataFrame({"x": 0.0, "series": series}).drop([50, 120, 121])
    lengths = SequenceWindower(2, series="series").fit_transform(rows).lengths
    assert 3 < (lengths == 1).sum() <= 6  # the first rows of both series, and those after two gaps


def lengths_as_rows_arrive(fitted, arriving, **params):
    """Lengths of the histories of new rows of a second series, one by one."""
    windower = SequenceWindower(9, horizon=1, series="id", **params).fit(fitted)
    found = []
    for row in range(len(arriving)):
        found.append(int(windower.transform(arriving[row : row + 1]).lengths[0]))
        windower.partial_fit(arriving[row : row + 1])
    return found


def test_days_missing_once_in_a_new_series_are_missing_where_all_others_are_daily():
    days = pd.date_range("2024-01-01", periods=60)
    fitted = pd.DataFrame({"id": "old", "x": np.arange(60.0)}, days)
    rows = days[[3, 4, 7, 8, 9]]  # Thursday, Friday, Monday, ...
    new = pd.DataFrame({"id": "new", "x": np.arange(5.0)}, rows)
    ignored = {"cold_start": "ignore"}
    assert lengths_as_rows_arrive(fitted, new, **ignored) == [0, 1, 0, 1, 2]
    of_periods = [table.set_axis(table.index.to_period("D")) for table in (fitted, new)]
    assert lengths_as_rows_arrive(*of_periods, **ignored) == [0, 1, 0, 1, 2]


def test_a_single_sunday_without_a_row_is_a_gap():
    days = pd.date_range("2024-01-02", periods=10)
    table = pd.DataFrame({"x": np.arange(10.0)}, days)[days.day_of_week != 6]
    lengths = SequenceWindower(20, horizon=1).fit_transform(table).lengths
    assert lengths.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_periods_have_their_frequency_as_rows_arrive():
    days = pd.period_range("2024-01-01", periods=60, freq="D")
    fitted = pd.DataFrame({"id": "old", "x": np.arange(60.0)}, days)
    rows = days[np.flatnonzero(days.day_of_week != 6)[:20]]
    new = pd.DataFrame({"id": "new", "x": np.arange(20.0)}, rows)
    found = lengths_as_rows_arrive(fitted, new, cold_start="ignore")
    assert found == [0, 1, 2, 3, 4, 5, *([0, 1, 2, 3, 4, 5] * 2), 0, 1]
