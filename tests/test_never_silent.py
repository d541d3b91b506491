"""What would make a prediction worthless is heard; correct use is silent."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import (
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample

from sklstm import (
    LSTMClassifier,
    LSTMRegressor,
    MissingHistoryWarning,
    Sequences,
    SequenceWindower,
)

RNG = np.random.default_rng(0)


def frame(index, seed=0):
    values = np.random.default_rng(seed).normal(size=(len(index), 2))
    return pd.DataFrame(values, index=index, columns=["temp", "rain"])


HOURS = frame(pd.date_range("2024-12-01", periods=240, freq="h"))
PANEL = frame(pd.date_range("2024-12-01", periods=80, freq="h").repeat(3)).assign(
    station=list("abc") * 80
)


def windower(**params):
    return SequenceWindower(**{"window_size": 6, "horizon": 2} | params)


def fitted(table=HOURS[:200], **params):
    return windower(**params).fit(table)


def regressor(**params):
    return LSTMRegressor(**{"hidden_size": 4, "max_epochs": 1, "random_state": 0} | params)


def nan_rows(n_rows, after=HOURS.index[199]):
    index = pd.date_range(after, periods=n_rows + 1, freq="h")[1:]
    return pd.DataFrame(np.nan, index=index, columns=["temp", "rain"])


# What is heard, and in which words


WARNED = {
    "a row too late": (
        lambda: fitted(horizon=0).transform(HOURS[201:202]),
        r"row 0 .*09:00:00.* comes later than expected.* expected next is 2024-12-09 08:00:00",
    ),
    "a row at a time": (
        lambda: [fitted(horizon=0).transform(HOURS[i : i + 1]) for i in (200, 201)],
        r"expected next is 2024-12-09 08:00:00.* let partial_fit remember them",
    ),
    "an outage": (
        lambda: fitted().transform(HOURS[220:]),
        "expected next is 2024-12-09 08:00:00",
    ),
    "no index any more": (
        lambda: fitted().transform(HOURS[200:].set_axis([f"row {n}" for n in range(40)])),
        "has no time, while the table of fit had one",
    ),
    "an array that continues nothing": (
        lambda: fitted(HOURS[:200].to_numpy()).transform(HOURS[200:].to_numpy()),
        "has no time, like the table of fit",
    ),
    "rows that a splitter leaves out": (
        lambda: fitted(horizon=3).transform(HOURS[202:]),
        "2 and 5 of 38, because row 0 .* comes later than expected",
    ),
    "rows of fit by themselves": (
        lambda: fitted().transform(HOURS[100:110]),
        "2 and 5 of 10, because row 0 .* is among the rows that fit saw.*carry_over='all'",
    ),
    "a series never seen, by single rows": (
        lambda: fitted(PANEL, series="station").transform(
            PANEL[:1].assign(station="d").set_axis(PANEL.index[-1:] + pd.Timedelta("1h"))
        ),
        "series 'd' was not seen in fit, and X has too few rows of it",
    ),
    "series of another type": (
        lambda: fitted(
            PANEL.assign(station=PANEL["station"].map({"a": 1, "b": 2, "c": 3})), series="station"
        ).transform(PANEL[:3].assign(station=["1", "2", "3"])),
        "names must be those of fit, texts or numbers as there",
    ),
    "stratified folds": (
        lambda: [
            fitted(HOURS.iloc[train])
            for train, _ in StratifiedKFold(3).split(
                HOURS, np.random.default_rng(6).integers(2, size=240)
            )
        ],
        r"X has \d+ gaps.*Folds that shuffle rows make gaps",
    ),
    "shuffled folds": (
        lambda: fitted(HOURS.iloc[next(KFold(4, shuffle=True, random_state=0).split(HOURS))[0]]),
        r"X has \d+ gaps",
    ),
    "rows of NaN dropped": (
        lambda: fitted(HOURS[RNG.random(240) > 0.3]),
        r"X has \d+ gaps, .* max_gap=\.\.\. joins rows up to a longer step",
    ),
    "resampling": (
        lambda: fitted(resample(HOURS, replace=False, n_samples=120, random_state=0).sort_index()),
        r"X has \d+ gaps",
    ),
    "a random test part": (
        lambda: fitted(train_test_split(HOURS, random_state=0)[0].sort_index()),
        r"X has \d+ gaps",
    ),
    "uneven steps": (
        lambda: fitted(frame(pd.to_datetime(np.cumsum(RNG.exponential(3600, 100)), unit="s"))),
        r"Sampling is irregular: .* the longest is .*max_gap='any' joins all",
    ),
}


@pytest.mark.parametrize(("use", "words"), WARNED.values(), ids=WARNED)
def test_a_warning_names_it(use, words):
    with pytest.warns(UserWarning, match=words):
        use()


def test_a_table_gives_one_warning():
    with pytest.warns(UserWarning, match="gaps") as caught:
        fitted(HOURS[RNG.random(240) > 0.3])
    assert len(caught) == 1


REFUSED = {
    "another time zone": (
        lambda: fitted().transform(HOURS[200:].tz_localize("UTC")),
        r"dates with time zone, but that of fit of dates without.*tz_localize or tz_convert",
    ),
    "reset_index": (
        lambda: fitted().transform(HOURS[200:].reset_index(drop=True)),
        r"made of whole numbers, but that of fit of dates.*reset_index drops it",
    ),
    "beyond the horizon": (
        lambda: fitted(horizon=6).transform(nan_rows(8)),
        "horizon=6 reaches 6 rows ahead of the last row .* 8 rows of NaN, .* row 6 is 7 ahead",
    ),
    "beyond the horizon, in a pipeline": (
        lambda: (
            make_pipeline(windower(), regressor(missing="mask"))
            .fit(HOURS[:200], HOURS["temp"][:200])
            .predict(nan_rows(3))
        ),
        "horizon=2 reaches 2 rows ahead",
    ),
    "a row too late, if errors are wanted": (
        lambda: fitted(cold_start="error").transform(HOURS[210:]),
        "Rows of X have no history.* row 0 .* comes later than expected",
    ),
    "dates as texts": (
        lambda: fitted(HOURS.set_axis(HOURS.index.astype(str))),
        r"holds '2024-12-01 00:00:00', which looks like a date .*pandas\.to_datetime",
    ),
    "dates as objects": (
        lambda: fitted(HOURS.set_axis(HOURS.index.astype(object))),
        r"has the dtype object and holds Timestamp.*pandas\.to_datetime",
    ),
    "a gap that is none": (
        lambda: fitted(max_gap="2 parsecs"),
        r"max_gap='2 parsecs' is not a duration .* '2h'",
    ),
    "a time column among the features": (
        lambda: fitted(HOURS.reset_index(names="date")),
        "Column 'date' of X has the dtype datetime64.*leave it out",
    ),
    "a row twice": (
        lambda: fitted().partial_fit(HOURS[199:201]),
        r"Row 0 .* was seen before: partial_fit takes rows later than 2024-12-09 07:00:00",
    ),
    "a late row": (
        lambda: fitted(PANEL, series="station").partial_fit(PANEL[30:31]),
        r"Row 0 .*of series 'a' is late",
    ),
}


@pytest.mark.parametrize(("use", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_an_error(use, words):
    with pytest.raises(ValueError, match=words):
        use()


# What is right, and silent


def sensor(n_rows=200):
    return frame(pd.to_datetime(np.cumsum(RNG.exponential(60, n_rows)), unit="s"))


def holidays(n_rows=300):
    days = pd.bdate_range("2023-01-02", periods=n_rows)
    closed = pd.to_datetime(["2023-04-07", "2023-05-29", "2023-07-04", "2023-09-04", "2023-11-23"])
    return frame(days.difference(closed))


SILENT = {
    "business days": (frame(pd.bdate_range("2024-01-01", periods=120)), {}, 6),
    "business days with holidays": (holidays(), {}, 6),
    "months": (frame(pd.date_range("2010-01-31", periods=60, freq="ME")), {}, 6),
    "starts of months": (frame(pd.date_range("2010-01-01", periods=60, freq="MS")), {}, 6),
    "years": (frame(pd.date_range("1960-12-31", periods=50, freq="YE")), {}, 6),
    "periods": (frame(pd.period_range("2010-01", periods=60, freq="M")), {}, 6),
    "clocks that change": (
        frame(pd.date_range("2024-03-20", periods=400, freq="h", tz="Europe/Berlin")),
        {},
        6,
    ),
    "days where clocks change": (
        frame(pd.date_range("2024-01-01", periods=200, freq="D", tz="Europe/Berlin")),
        {},
        6,
    ),
    "30 Hz": (frame(pd.date_range("2024", periods=300, freq=pd.Timedelta(seconds=1 / 30))), {}, 6),
    "one hour missing": (HOURS.drop(HOURS.index[50]), {}, 6),
    "irregular, with time_delta": (sensor(), {"add_time_delta": True, "max_gap": "any"}, 6),
    "integers": (frame(pd.RangeIndex(100)), {}, 6),
    "integers from 7": (frame(pd.RangeIndex(7, 107)), {}, 6),
    "a panel": (PANEL, {"series": "station"}, 6),
}


@pytest.mark.parametrize(("table", "params", "length"), SILENT.values(), ids=SILENT)
def test_correct_use_is_silent(table, params, length):
    """Fit on the first part, predict the second, which goes on: full histories, no word."""
    part = table[: 2 * len(table) // 3], table[2 * len(table) // 3 :]
    model = windower(**params)
    model.fit(part[0])
    model.transform(part[0])
    lengths = model.transform(part[1]).lengths
    assert lengths.max() == 6
    assert lengths[0] == length


def test_a_panel_with_unseen_series_is_silent():
    model = fitted(PANEL[PANEL["station"] != "b"][:150], series="station")
    new = PANEL[PANEL["station"] == "b"]
    assert model.transform(new).lengths.tolist()[:4] == [0, 0, 1, 2]


@pytest.mark.parametrize("cv", [KFold(5), TimeSeriesSplit(4)], ids=str)
@pytest.mark.parametrize("table", [HOURS, HOURS.reset_index(drop=True)], ids=["dates", "integers"])
def test_folds_that_keep_time_are_silent(cv, table):
    model = make_pipeline(windower(), regressor())
    scores = cross_val_score(model, table, table["temp"], cv=cv, error_score="raise")
    assert np.isfinite(scores).all()


def test_the_next_rows_may_be_asked_for():
    assert fitted(horizon=6).transform(nan_rows(6)).lengths.tolist() == [6] * 6
    model = make_pipeline(windower(horizon=3), regressor()).fit(HOURS[:200], HOURS["temp"][:200])
    assert np.isfinite(model.predict(nan_rows(3))).all()


def test_switched_off_it_is_silent():
    fitted(cold_start="ignore").transform(HOURS[220:])
    fitted(carry_over=False).transform(HOURS[220:])
    fitted(window_size=1, horizon=0).transform(HOURS[220:])


def test_a_gap_in_training_does_not_widen_what_follows():
    february = HOURS.drop(HOURS.index[40:120])
    model = fitted(february[:100])
    with pytest.warns(UserWarning, match="expected next is"):
        lengths = model.transform(HOURS[200:]).lengths
    assert lengths[:3].tolist() == [0, 0, 1]


def test_gaps_cut_histories_and_holidays_do_not():
    missing = HOURS.drop(HOURS.index[50])
    lengths = fitted(missing, horizon=0).transform(missing).lengths
    assert lengths[48:54].tolist() == [6, 6, 1, 2, 3, 4]
    assert fitted(holidays(), horizon=0).transform(holidays()).lengths[6:].min() == 6


# The default folds of a classifier


def test_default_folds_of_a_classifier_warn_and_the_remedy_scores_as_kfold():
    table = frame(pd.date_range("2024", periods=600, freq="h"))
    sums = table["temp"].rolling(3).sum().fillna(0)
    labels = np.where(sums > 0, "up", "down")
    model = make_pipeline(
        SequenceWindower(3),
        LSTMClassifier(8, max_epochs=25, lr=0.02, random_state=0),
    )
    with pytest.warns(MissingHistoryWarning, match="is among the rows that fit saw"):
        cross_val_score(model, table, labels)
    kept = cross_val_score(model, table, labels, cv=KFold(5)).mean()
    once = SequenceWindower(3).fit_transform(table)  # window once, then cross-validate
    cured = cross_val_score(model[-1], once, labels).mean()
    assert cured == pytest.approx(kept, abs=0.02)


# Rows as they come


def test_rows_as_they_come_are_predicted_as_in_the_whole_table():
    index = pd.date_range("2024", periods=700, freq="h")
    hours = index.delete([310, 311, 480]).repeat(2)  # an outage of two hours, and one row
    table = frame(hours).assign(station=["a", "b"] * (len(hours) // 2))
    model = make_pipeline(
        SequenceWindower(24, series="station", cold_start="ignore"), regressor(hidden_size=8)
    )
    model.fit(table[:394], table["temp"][:394].shift(-2, fill_value=0.0))
    whole = model.predict(table)
    running = model["sequencewindower"]
    for row in range(394, len(table)):
        now = table[row : row + 1]
        assert model.predict(now)[0] == pytest.approx(whole[row], abs=1e-6)
        running.partial_fit(now)


def test_a_windower_behind_a_scaler_moves_on():
    model = make_pipeline(StandardScaler(), windower(), regressor()).set_output(transform="pandas")
    model.fit(HOURS[:200], HOURS["rain"][:200])
    whole = model.predict(HOURS)
    model["sequencewindower"].partial_fit(model[:1].transform(HOURS[200:220]))
    np.testing.assert_allclose(model.predict(HOURS[220:]), whole[220:], atol=1e-6)


def test_what_was_learned_stays():
    model = fitted(add_time_delta=True)
    before = model.median_step_, model.longest_step_
    model.partial_fit(HOURS[200:205])
    assert (model.median_step_, model.longest_step_) == before
    new = PANEL[-3:].assign(station=["d", "e", "a"])
    new.index = new.index + pd.Timedelta("1h")
    panel = fitted(PANEL, series="station").partial_fit(new)
    assert panel.series_.tolist() == ["a", "b", "c", "d", "e"]
    assert SequenceWindower(3).partial_fit(HOURS).transform(HOURS).lengths.max() == 3


def test_imputers_and_other_steps_leave_rows_where_they_are():
    model = make_pipeline(SimpleImputer(), windower(), regressor()).set_output(transform="pandas")
    assert len(model.fit(HOURS[:200], HOURS["rain"][:200]).predict(HOURS[200:])) == 40


def test_independent_recordings_are_not_concerned():
    recordings = Sequences.from_arrays(RNG.normal(size=(20, 5, 2)))
    regressor().fit(recordings, np.arange(20.0)).predict(recordings)
