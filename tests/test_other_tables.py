"""Tables and arrays as other libraries keep them."""

import numpy as np
import pandas as pd
import pytest

from sklstm import LSTMRegressor, Sequences, SequenceWindower

HOURS = pd.date_range("2024-01-01", periods=30, freq="h")
TABLE = pd.DataFrame(
    {
        "station": list("ab") * 30,
        "date": HOURS.repeat(2),
        "temp": np.random.default_rng(0).normal(size=60),
    }
)


def as_polars(table):
    return pytest.importorskip("polars").from_pandas(table)


def as_pyarrow(table):
    return pytest.importorskip("pyarrow").Table.from_pandas(table)


def as_arrow_columns(table):
    pytest.importorskip("pyarrow")
    return table.convert_dtypes(dtype_backend="pyarrow")


KINDS = pytest.mark.parametrize("kind", [as_polars, as_pyarrow, as_arrow_columns])


@KINDS
def test_series_and_time_are_read_as_from_pandas(kind):
    windower = SequenceWindower(4, horizon=1, series="station", time="date")
    expected = windower.fit(TABLE[:40]).transform(TABLE[40:])
    sequences = windower.fit(kind(TABLE[:40])).transform(kind(TABLE[40:]))
    np.testing.assert_array_equal(np.asarray(sequences), np.asarray(expected))


@pytest.mark.parametrize("kind", [as_polars, as_pyarrow])
def test_dates_without_a_time_of_day_are_times(kind):
    days = TABLE.assign(date=pd.date_range("2024", periods=len(TABLE)).date)
    expected = SequenceWindower(4).fit_transform(days[["temp"]]).lengths
    windower = SequenceWindower(4, time="date", series=None)
    assert (
        windower.fit_transform(kind(days[["date", "temp"]])).lengths.tolist() == expected.tolist()
    )


@KINDS
def test_a_column_of_dates_is_no_feature(kind):
    one = kind(TABLE[TABLE["station"] == "a"].drop(columns="station").reset_index(drop=True))
    with pytest.raises(ValueError, match="date"):
        SequenceWindower(4).fit(one)


@KINDS
def test_numbers_reach_the_network(kind):
    numbers = kind(TABLE[["temp"]])
    model = LSTMRegressor(hidden_size=4, max_epochs=1, random_state=0)
    expected = model.fit(TABLE[["temp"]], TABLE["temp"]).predict(TABLE[["temp"]])
    np.testing.assert_array_equal(model.fit(numbers, TABLE["temp"]).predict(numbers), expected)


def test_channels_first_is_turned_around():
    steps = np.arange(24.0).reshape(2, 4, 3)
    turned = Sequences.from_arrays(steps.transpose(0, 2, 1), channels_first=True)
    np.testing.assert_array_equal(turned.to_dense(), steps)
    listed = Sequences.from_arrays([steps[0].T, steps[1, :2].T], channels_first=True)
    np.testing.assert_array_equal(listed[1], steps[1, :2])


def test_padding_of_channels_first_is_dropped():
    padded = np.full((1, 2, 5), np.nan)
    padded[0, :, :3] = 1
    sequences = Sequences.from_arrays(padded, padding="nan", channels_first=True)
    assert sequences.shape == (1, 3, 2)


def test_an_object_array_of_recordings_is_a_list_of_them():
    arrays = [np.ones((3, 2)), np.zeros((5, 2))]
    boxed = np.empty(2, dtype=object)
    boxed[:] = arrays
    model = LSTMRegressor(hidden_size=4, max_epochs=1, random_state=0)
    expected = model.fit(arrays, [1.0, 0.0]).predict(arrays)
    np.testing.assert_array_equal(model.fit(boxed, [1.0, 0.0]).predict(boxed), expected)
