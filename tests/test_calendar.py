"""The frequency of a table with rows missing, and the timestamps to come."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklstm import GapWarning, SequenceForecaster, SequenceWindower
from sklstm._tables.calendar import Calendar


def exchange(n_days):
    days = pd.bdate_range("2024-01-02", periods=n_days)
    slots = pd.to_timedelta(9.5 + np.arange(13) / 2, unit="h")
    times = [day + slot for day in days for slot in slots]
    return pd.DatetimeIndex(times).tz_localize("America/New_York")


def midnights(start, n, zone):
    local = pd.date_range(start, periods=n)
    first = np.ones(n, dtype=bool)
    return local.tz_localize(zone, nonexistent="shift_forward", ambiguous=first)


def months_on(day):
    return pd.DatetimeIndex(
        [pd.Timestamp(2020, 1, day) + pd.DateOffset(months=k) for k in range(60)]
    )


def twice_a_month(first, second):
    months = pd.date_range("2020-01-01", periods=30, freq="MS")
    days = [(month, min(day, month.days_in_month)) for month in months for day in (first, second)]
    return pd.DatetimeIndex([month.replace(day=day) for month, day in days])


INDEXES = {
    "days": pd.date_range("2024", periods=60),
    "months": pd.date_range("2020-01-31", periods=60, freq="ME"),
    "starts of months": pd.date_range("2020", periods=60, freq="MS"),
    "business month ends": pd.date_range("2020-01-31", periods=60, freq="BME"),
    "business month starts": pd.date_range("2020-01-01", periods=60, freq="BMS"),
    "quarters": pd.date_range("2010", periods=60, freq="QE"),
    "years": pd.date_range("1950", periods=60, freq="YE"),
    "15ths and month ends": pd.date_range("2020", periods=60, freq="SME"),
    "1sts and 15ths": pd.date_range("2020", periods=60, freq="SMS"),
    "1sts and 16ths": twice_a_month(1, 16),
    "5ths and 20ths": twice_a_month(5, 20),
    "14ths and 28ths": twice_a_month(14, 28),
    "15ths and 30ths": twice_a_month(15, 30),
    "third Fridays": pd.date_range("2020-01-01", periods=60, freq="WOM-3FRI"),
    "last Mondays": pd.date_range("2020", periods=60, freq=pd.offsets.LastWeekOfMonth(weekday=0)),
    "15ths": months_on(15),
    "30ths": months_on(30),
    "fortnights": pd.date_range("2024", periods=60, freq="2W-FRI"),
    "business days": pd.bdate_range("2024-01-01", periods=60),
    "exchange": exchange(20),
    "9:00 and 16:30": pd.DatetimeIndex(
        [
            day + pd.Timedelta(hours=h)
            for day in pd.date_range("2024", periods=30)
            for h in (9, 16.5)
        ]
    ),
    "UTC days in local time": pd.date_range("2024-03-01", periods=60, tz="UTC").tz_convert(
        "Europe/Berlin"
    ),
    "Berlin": pd.date_range("2024-03-01", periods=60, tz="Europe/Berlin"),
    "Santiago": midnights("2024-08-20", 60, "America/Santiago"),
    "Cairo": midnights("2024-04-01", 60, "Africa/Cairo"),
    "Havana": midnights("2024-02-20", 60, "America/Havana"),
    "Havana, a midnight twice": midnights("2024-10-20", 60, "America/Havana"),
    "periods": pd.period_range("2020-01", periods=60, freq="M"),
    "periods of 15 minutes": pd.period_range("2024-03-01", periods=60, freq="15min"),
    "periods of 2 months": pd.period_range("2020-01", periods=60, freq="2M"),
    "integers in steps": pd.Index(np.arange(60) * 7),
    "small integers": pd.Index(np.arange(90, 150).astype(np.uint8)),
    "durations": pd.timedelta_range("0s", periods=60, freq="15min"),
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_the_timestamps_to_come_are_those_of_the_second_half(index):
    half = len(index) // 2
    calendar = Calendar.learn(index[:half])
    assert not calendar.missing(index[:half]).any()
    coming = calendar.after(index[:half], len(index) - half)
    assert list(coming) == list(index[half:])


@pytest.mark.parametrize(
    ("start", "freq"),
    [
        ("2017-01-01", "YS"),  # 365 days apart, until 2020
        ("2018-03-31", "YE"),
        ("2018-07-01", "MS"),
        ("2018-04-01", "2MS"),
        ("2020-01-01", "QS"),
    ],
)
@pytest.mark.parametrize("n_rows", [2, 3])
def test_few_months_equally_many_days_apart_are_months(start, freq, n_rows):
    index = pd.date_range(start, periods=12, freq=freq)
    calendar = Calendar.learn(index[:n_rows])
    assert list(calendar.after(index[:n_rows], 12 - n_rows)) == list(index[n_rows:])
    table = pd.DataFrame({"x": np.arange(12.0)}, index)
    lengths = SequenceWindower(3).fit(table[:3]).transform(table[3:]).lengths
    assert (lengths == 3).all()


def test_days_like_those_of_months_are_still_days():
    fortnights = pd.date_range("2021-02-01", periods=9, freq="14D")  # 1st, 15th, 1st, 15th, 29th
    assert list(Calendar.learn(fortnights[:5]).after(fortnights[:5], 4)) == list(fortnights[5:])
    four_weeks = pd.date_range("2020-03-20", periods=6, freq="28D")
    assert list(Calendar.learn(four_weeks[:3]).after(four_weeks[:3], 3)) == list(four_weeks[3:])


def test_months_on_no_common_day_are_refused_with_the_cure():
    days = [3, 4, 2, 3, 3, 4, 2, 3, 2, 3]
    months = pd.date_range("2024", periods=10, freq="MS") + pd.to_timedelta(days, unit="D")
    sold = pd.Series(np.arange(10.0), months, name="sold")
    with pytest.raises(ValueError, match=r"no common day of a month.*index.to_period\('M'\)"):
        SequenceForecaster(LinearRegression(), 3, calibration_fraction=0).fit(sold)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024", periods=400, freq="h", tz="Europe/Berlin"),
        pd.date_range("2020", periods=400),
        pd.bdate_range("2020", periods=400),
        pd.date_range("1990-01-31", periods=400, freq="ME"),
        exchange(60),
        pd.Index(np.arange(400) * 7),
        pd.to_datetime(739252 + np.arange(400) / 24 - 719529, unit="D"),
        pd.DatetimeIndex(np.round(np.arange(400) * 1000 / 30).astype("int64") * 10**6),
    ],
    ids=["hours", "days", "business days", "months", "exchange", "integers", "MATLAB", "30 Hz"],
)
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.3, 0.2])
def test_a_thinned_table_has_the_frequency_of_the_whole(index, kept):
    rng = np.random.default_rng(0)
    whole = Calendar.learn(index).frequency
    for _ in range(5):
        rows = np.flatnonzero(rng.random(len(index)) < kept)
        thinned = Calendar.learn(index[rows])
        assert thinned.frequency.step[0] == pytest.approx(whole.step[0], rel=1e-3)
        missing = np.diff(rows) - 1
        if kept < 0.9:  # else a day that is often missing is taken for a holiday
            assert thinned.missing(index[rows]).tolist() == missing.tolist()


def test_rows_off_the_grid_begin_anew_and_are_named():
    hours = pd.date_range("2024", periods=100, freq="h")
    later = hours.where(np.arange(100) < 60, hours + pd.Timedelta("20min"))
    table = pd.DataFrame({"x": np.arange(100.0)}, later)
    with pytest.warns(GapWarning, match=r"1 rows off the grid .* row 60 \(counted from 0; time"):
        lengths = SequenceWindower(5, horizon=1).fit_transform(table).lengths
    assert lengths[58:64].tolist() == [5, 5, 0, 1, 2, 3]


def test_dates_in_digits_are_refused_with_the_cure():
    days = pd.date_range("2024-01-20", periods=60).strftime("%Y%m%d").astype(int)
    table = pd.DataFrame({"x": np.arange(60.0)}, days)
    with pytest.raises(ValueError, match="such as 20240120, which are dates .*pandas.to_datetime"):
        SequenceWindower().fit(table)
    with pytest.raises(ValueError, match="such as 20240120, which are dates .*pandas.to_datetime"):
        SequenceForecaster().fit(table)


def test_a_column_that_is_a_time_is_not_silently_a_target():
    table = pd.DataFrame({"year": np.arange(1950, 1990), "sold": np.arange(40.0) % 5})
    with pytest.warns(UserWarning, match="Column 'year' of y rises by 1 .* time='year'"):
        SequenceForecaster(window_size=3, calibration_fraction=0).fit(table)
    days = table.assign(day=pd.date_range("2024", periods=40))[["day", "sold"]]
    with pytest.raises(ValueError, match="Column 'day' of y .* time='day'"):
        SequenceForecaster(window_size=3).fit(days)


def test_future_covariates_without_a_value_are_named():
    days = pd.date_range("2024-01-01", periods=304)
    promo = pd.DataFrame({"promo": np.random.default_rng(0).normal(size=304)}, days)
    y = (10 * promo["promo"]).rename("sold")
    model = SequenceForecaster(LinearRegression(), 7, 4, future_covariates=["promo"])
    model.fit(y[:300], X=promo[:300])
    coming = promo[300:].copy()
    coming.iloc[1] = np.nan
    with pytest.raises(ValueError, match="no value of 'promo' at 2024-10-28"):
        model.predict(X=coming)
    with pytest.raises(ValueError, match=r"X lacks the columns \['promo'\]"):
        model.predict(X=promo[300:].rename(columns={"promo": "x"}))


def test_a_year_beside_a_quarter_is_not_silently_a_target():
    quarters = pd.DataFrame(
        {"year": np.repeat(range(2000, 2010), 4)[1:], "gdp": np.arange(39) ** 2}
    )
    with pytest.warns(UserWarning, match="'year' of y rises by 1 every 4 rows.*from_fields"):
        SequenceForecaster(LinearRegression(), 3).fit(quarters.astype(float))
    quarters["year"] = np.random.default_rng(0).integers(2, size=39).cumsum()
    SequenceForecaster(LinearRegression(), 3).fit(quarters.astype(float))


def test_whole_numbers_of_a_named_time_may_be_floats():
    firms = pd.DataFrame({"firm": list("ab") * 20, "year": np.repeat(np.arange(1935.0, 1955), 2)})
    firms["invest"] = np.arange(40.0)
    forecaster = SequenceForecaster(LinearRegression(), 3, series="firm", time="year")
    years = forecaster.fit(firms).update(firms.assign(year=firms["year"] + 20)).predict().index
    assert years.tolist() == [("a", 1975), ("b", 1975)]
    with pytest.raises(ValueError, match=r"time='year' holds fractions such as 1935\.5"):
        forecaster.fit(firms.assign(year=firms["year"] + 0.5))


@pytest.mark.parametrize("freq", ["15min", "4h", "3D", "2W", "2M", "2Q", "2Y", "M"])
def test_periods_of_any_length_are_forecast_updated_and_saved(freq):
    periods = pd.period_range("2020-01-06", periods=40, freq=freq, name="when")
    y = pd.Series(np.arange(40.0), periods, name="sold")
    model = SequenceForecaster(LinearRegression(), 3, 2, calibration_fraction=0).fit(y[:30])
    for row in range(30, 38):
        model = pickle.loads(pickle.dumps(model))
        assert list(model.predict().index) == list(periods[row : row + 2])
        model.update(y[row : row + 1])
    whole = model._read(y.drop(y.index[[7, 20]]), None).regular()
    assert list(whole.timestamps) == list(periods)


def test_periods_that_are_not_one_row_each_are_refused_with_the_cure():
    months = pd.period_range("2020-01", periods=40, freq="M")[::3]
    model = SequenceForecaster(LinearRegression(), 3, calibration_fraction=0)
    with pytest.raises(ValueError, match=r"frequency 'M', .* further apart.*index.asfreq"):
        model.fit(pd.Series(np.arange(14.0), months))


def test_integers_of_few_bits_go_on_behind_their_largest():
    index = pd.Index(np.arange(68, 128).astype(np.int8))
    assert Calendar.learn(index).after(index, 3).tolist() == [128, 129, 130]
