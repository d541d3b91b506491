"""Splits by time against a plain loop over timestamps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, check_cv, cross_val_score
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, SequenceWindower, TimestampSplit

examples = settings(max_examples=60, deadline=None)


@st.composite
def tables(draw):
    """Rows of some series in any order of the series, time in order within each."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 25), st.sampled_from("abc")),
            min_size=1,
            max_size=40,
            unique=True,
        )
    )
    if draw(st.booleans()):
        rows.sort()
    else:  # series after series
        rows.sort(key=lambda row: (row[1], row[0]))
    return pd.DataFrame(rows, columns=["day", "station"])


splits = st.fixed_dictionaries(
    {
        "n_splits": st.integers(1, 4),
        "test_size": st.none() | st.integers(1, 5),
        "gap": st.integers(0, 3),
        "purge": st.integers(0, 3),
    }
)


def looped(table, n_splits, test_size, gap, purge):
    """What the splitter has to find, row by row; None if a part would be empty."""
    days = sorted(set(table["day"]))
    size = test_size or len(days) // (n_splits + 1)
    found = []
    for split in range(n_splits):
        first = len(days) - (n_splits - split) * size
        if size == 0 or first < 1:
            return None
        test_days, left_out = days[first : first + size], days[max(first - gap, 0) : first]
        train, test = [], []
        for row, (day, station) in enumerate(table.itertuples(index=False)):
            if day in test_days:
                test.append(row)
            of_series = sorted(table.loc[table["station"] == station, "day"])
            later = [other for other in of_series if other > day][:purge]
            if max([day, *later]) < test_days[0] and day not in left_out:
                train.append(row)
        if not train:
            return None
        found.append((train, test))
    return found


@examples
@given(table=tables(), params=splits)
def test_split_is_the_loop(table, params):
    split = TimestampSplit(**params, time="day", series="station")
    expected = looped(table, **params)
    if expected is None:
        with pytest.raises(ValueError, match="distinct timestamps|no training rows"):
            list(split.split(table))
        return
    found = [(train.tolist(), test.tolist()) for train, test in split.split(table)]
    assert found == expected
    assert split.get_n_splits() == len(found)


@examples
@given(table=tables(), days=st.integers(1, 6), gap=st.integers(0, 4))
def test_durations_are_numbers_of_days(table, days, gap):
    full = pd.DataFrame({"day": range(26), "station": "d"})  # so that no day is missing
    table = pd.concat([table, full], ignore_index=True)
    by_count = TimestampSplit(3, time="day", test_size=days, gap=gap).split(table)
    dated = table.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(table["day"], "D"))
    length = pd.Timedelta(days=days)
    by_length = TimestampSplit(3, time="day", test_size=length, gap=f"{gap}D").split(dated)
    for counted, measured in zip(by_count, by_length, strict=True):
        np.testing.assert_array_equal(counted[0], measured[0])
        np.testing.assert_array_equal(counted[1], measured[1])


@pytest.mark.parametrize("params", [{}, {"gap": 2}, {"test_size": 3}, {"n_splits": 2}])
def test_one_series_is_split_as_by_scikit_learn(params):
    table = pd.DataFrame({"temp": range(20)}, index=pd.date_range("2024-01-01", periods=20))
    ours, theirs = TimestampSplit(**params).split(table), TimeSeriesSplit(**params).split(table)
    for (train, test), (their_train, their_test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_product([pd.date_range("2024", periods=6), list("ab")]),
        pd.date_range("2024-01-01", periods=6, tz="Europe/Berlin").repeat(2),
        pd.period_range("2024-01", periods=6, freq="M").repeat(2),
        pd.Index(range(6)).repeat(2),
    ],
    ids=["level", "zone", "period", "integer"],
)
def test_time_comes_from_the_index(index):
    if isinstance(index, pd.MultiIndex):
        index = index.set_names(["date", "station"])
    table = pd.DataFrame({"temp": range(12)}, index=index)
    series = "station" if isinstance(index, pd.MultiIndex) else None
    [(train, test)] = TimestampSplit(1, series=series).split(table)
    np.testing.assert_array_equal(train, range(6))
    np.testing.assert_array_equal(test, range(6, 12))


def test_purge_counts_rows_of_the_series_not_timestamps():
    """Station b reports every third day: its row before the test fold is purged, days away."""
    days = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 3, 6, 9]
    table = pd.DataFrame({"day": days, "station": ["a"] * 10 + ["b"] * 4})
    split = TimestampSplit(1, time="day", series="station", test_size=2, purge=1)
    [(train, test)] = split.split(table)
    assert table.loc[train, "day"].tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 3]
    assert table.loc[test, "day"].tolist() == [8, 9, 9]


def test_a_series_that_ended_keeps_its_last_rows():
    table = pd.DataFrame({"day": [0, 1, 2, 3, 0, 1], "station": list("aaaabb")})
    split = TimestampSplit(1, time="day", series="station", test_size=1, purge=1)
    [(train, _)] = split.split(table)
    assert train.tolist() == [0, 1, 4, 5]


def stations():
    """Three stations, interleaved, with gaps."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"date": pd.date_range("2024-01-01", periods=40).repeat(3), "station": list("abc") * 40}
    )
    table["temp"] = rng.normal(size=len(table))
    table = table[rng.random(len(table)) > 0.1]
    return table, table["temp"]


def model():
    return make_pipeline(
        SequenceWindower(3, horizon=1, series="station", time="date", max_gap="any"),
        LSTMRegressor(hidden_size=4, max_epochs=1, random_state=0),
    )


def test_scores_and_searches_take_it():
    X, y = stations()
    cv = TimestampSplit(3, time="date", series="station", gap="1D", purge=1)
    scores = cross_val_score(model(), X, y, cv=cv)
    assert np.isfinite(scores).all()
    assert len(scores) == 3
    search = GridSearchCV(model(), {"lstmregressor__hidden_size": [2, 4]}, cv=cv).fit(X, y)
    assert search.n_splits_ == 3
    by_hand = [
        model().fit(X.iloc[train], y.iloc[train]).score(X.iloc[test], y.iloc[test])
        for train, test in cv.split(X)
    ]
    np.testing.assert_allclose(scores, by_hand)
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(by_hand))


def test_it_is_a_splitter_of_scikit_learn():
    cv = TimestampSplit(2, time="date", gap=1)
    assert check_cv(cv) is cv
    assert repr(cv) == repr(clone(cv, safe=False))
    assert "gap=1" in repr(cv)
    with pytest.warns(UserWarning, match="ignores groups"):
        cv.split(stations()[0], groups=[1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_splits": 0}, "'n_splits' parameter of TimestampSplit must be an int"),
        ({"gap": -1}, "'gap' parameter of TimestampSplit"),
        ({"purge": 1.5}, "'purge' parameter of TimestampSplit"),
        ({"test_size": 0}, "'test_size' parameter of TimestampSplit"),
        ({"gap": "soon"}, "gap='soon' is no valid duration: give one such as '7D'"),
        ({"gap": "-1D"}, "gap='-1D' is no valid duration"),
        ({"test_size": "0D"}, "test_size='0D' is no valid duration"),
        ({"time": "day"}, "time='day' is neither a column nor an index level"),
        ({"time": None}, r"dates in the columns \['date'\].*time='date'"),
        ({"n_splits": 40}, "which has 40 distinct timestamps: every split"),
        ({"test_size": "60D"}, "another test_size"),
        ({"n_splits": 1, "test_size": 1, "gap": 39}, "Split 0 has no training rows: gap=39"),
        ({"purge": 1}, "name them with series="),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        list(TimestampSplit(**{"time": "date"} | params).split(stations()[0]))


def test_duration_for_numbers():
    table = pd.DataFrame({"day": range(10)})
    with pytest.raises(ValueError, match="gap='1D' is a duration, but the time of X is made of"):
        TimestampSplit(2, time="day", gap="1D").split(table)


@pytest.mark.parametrize("X", [np.zeros((10, 2)), [[1], [2]]])
def test_array_has_no_time(X):
    with pytest.raises(ValueError, match="DataFrame, got (ndarray|list).*TimeSeriesSplit"):
        TimestampSplit(2).split(X)


@pytest.mark.parametrize("index", [list("abcd"), [0.5, 1.5, 2.5, 3.5]])
def test_index_that_is_no_time(index):
    with pytest.raises(ValueError, match="reads the time from the index, which has the dtype"):
        TimestampSplit(2).split(pd.DataFrame({"temp": range(4)}, index=index))


def test_empty_table():
    table = pd.DataFrame({"date": pd.to_datetime([])})
    for test_size in (None, "1D"):
        with pytest.raises(ValueError, match="0 distinct timestamps"):
            TimestampSplit(2, time="date", test_size=test_size).split(table)
