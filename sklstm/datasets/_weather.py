"""Daily weather of one station, with a label."""

from importlib.resources import files
from typing import Any

import pandas as pd
from sklearn.utils import Bunch

__all__ = ["load_weather"]


def load_weather(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the daily weather in Seattle, 2012 to 2015 (regression and classification).

    A multivariate time series without gaps.

    ================ =======================================
    Days             1461, none missing
    Features         4 numbers
    Target           drizzle, fog, rain, snow, sun
    ================ =======================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data and target are pandas objects, indexed by day, as most uses of this package
        need them.

    Returns
    -------
    Bunch
        With the attributes

        data : {ndarray, DataFrame} of shape (1461, 4)
            precipitation (mm), temp_max and temp_min (degrees Celsius), wind (m/s).
        target : {ndarray, Series} of shape (1461,)
            Weather of the day, a label.
        feature_names : list of str
            Names of the features.
        target_names : list of str
            The labels, sorted.
        frame : DataFrame of shape (1461, 5)
            Features and target ``weather``, only if `as_frame`.
        DESCR : str
            Description, source and licence.

        With `return_X_y` the tuple ``(data, target)``.

    See Also
    --------
    load_mat : Sequences and tables from MATLAB files.

    Notes
    -----
    Source: U.S. National Oceanic and Atmospheric Administration (NOAA), public domain, as
    collected in the vega-datasets project.

    Examples
    --------
    >>> from sklstm.datasets import load_weather
    >>> weather = load_weather(as_frame=True)
    >>> weather.frame.head(2)
                precipitation  temp_max  temp_min  wind  weather
    date
    2012-01-01            0.0      12.8       5.0   4.7  drizzle
    2012-01-02           10.9      10.6       2.8   4.5     rain
    """
    folder = files("sklstm.datasets") / "data"
    with (folder / "seattle_weather.csv").open() as file:
        frame = pd.read_csv(file, index_col="date", parse_dates=["date"], date_format="%Y/%m/%d")
    frame = frame.asfreq("D")
    data: Any = frame.drop(columns="weather")
    target: Any = frame["weather"]
    if not as_frame:
        data, target = data.to_numpy(), target.to_numpy(dtype=str)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=[name for name in frame if name != "weather"],
        target_names=sorted(frame["weather"].unique()),
        frame=frame if as_frame else None,
        DESCR=(folder / "seattle_weather.rst").read_text(),
    )
