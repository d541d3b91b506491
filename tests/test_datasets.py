import numpy as np
import pandas as pd

from sklstm.datasets import load_weather


def test_weather_is_a_bunch_of_arrays():
    weather = load_weather()
    assert weather.data.shape == (1461, 4)
    assert weather.data.dtype == np.float64
    assert np.isfinite(weather.data).all()
    assert weather.target.shape == (1461,)
    assert weather.target_names == ["drizzle", "fog", "rain", "snow", "sun"]
    assert weather.frame is None
    assert "public domain" in weather.DESCR


def test_weather_as_frame_is_indexed_by_day():
    weather = load_weather(as_frame=True)
    days = pd.date_range("2012-01-01", "2015-12-31", freq="D", name="date")
    pd.testing.assert_index_equal(weather.frame.index, days, exact="equiv")
    assert list(weather.frame) == [*weather.feature_names, "weather"]
    assert list(weather.data) == weather.feature_names
    assert weather.target.name == "weather"
    np.testing.assert_array_equal(weather.data, load_weather().data)


def test_weather_return_x_y():
    X, y = load_weather(return_X_y=True)
    np.testing.assert_array_equal(X, load_weather().data)
    np.testing.assert_array_equal(y, load_weather().target)
    X, y = load_weather(return_X_y=True, as_frame=True)
    assert isinstance(X, pd.DataFrame)
    assert isinstance(y, pd.Series)


def test_description_counts_the_labels():
    weather = load_weather()
    for label, count in zip(*np.unique(weather.target, return_counts=True), strict=True):
        assert f"{label} ({count}" in weather.DESCR
