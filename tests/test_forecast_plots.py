"""Displays of forecasts and of their errors."""

import os

os.environ.setdefault("MPLBACKEND", "agg")

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import ConciseDateFormatter
from sklearn.linear_model import Ridge

from sklstm import SequenceForecaster, backtest
from sklstm.plotting import ForecastDisplay, ForecastErrorDisplay, PredictionDisplay

N_ROWS, STEPS = 240, 6


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


def load(index, seed=0):
    rng = np.random.default_rng(seed)
    wave = 100 + 30 * np.sin(np.arange(N_ROWS) * 2 * np.pi / 24)
    return pd.Series(wave + 5 * rng.normal(size=N_ROWS), index, name="load (MW)")


INDICES = {
    "hours": pd.date_range("2024-03-25", periods=N_ROWS, freq="h", tz="Europe/Berlin"),
    "days": pd.date_range("2024-01-01", periods=N_ROWS),
    "months": pd.period_range("2000-01", periods=N_ROWS, freq="M"),
    "numbers": pd.RangeIndex(N_ROWS),
}


def model(**params):
    return SequenceForecaster(Ridge(), 24, STEPS, **params)


@pytest.fixture(scope="module")
def table():
    y = load(INDICES["hours"])
    mean = {"mean": lambda past, steps: [past.mean()] * steps}
    return backtest(model(), y, season=24, coverage=0.8, others=mean)


@pytest.fixture(scope="module")
def of_two():
    parts = [load(INDICES["days"], seed).to_frame("y").assign(id=seed) for seed in range(2)]
    return backtest(model(series="id"), pd.concat(parts))


def segments(line):
    heights = line.get_ydata(orig=False)
    return [heights[part].tolist() for part in np.ma.clump_unmasked(np.ma.masked_invalid(heights))]


# Forecasts over actual values


def test_forecasts_of_the_newest_origins_do_not_overlap(table):
    display = ForecastDisplay.from_backtest(table, origins=3)
    shown = segments(display.forecast_line_)
    newest = INDICES["hours"][-1 - STEPS]
    for k, heights in enumerate(reversed(shown)):
        own = table[table["origin"] == newest - k * pd.Timedelta(hours=STEPS)]
        assert heights == own["forecast"].tolist()
    assert len(shown) == 3
    actual = load(INDICES["hours"])[-4 * STEPS :]
    assert display.past_line_.get_ydata().tolist() == actual.tolist()
    assert display.interval_.get_label() == "80% prediction interval"
    assert display.ax_.get_ylabel() == "load (MW)"


def test_chosen_origins_and_series_are_drawn(of_two):
    origins = [INDICES["days"][200], INDICES["days"][203]]
    display = ForecastDisplay.from_backtest(of_two, origins=origins, series=1)
    chosen = of_two["origin"].isin(origins) & (of_two["series"] == 1)
    shown = segments(display.forecast_line_)
    assert [*itertools.chain(*shown)] == of_two["forecast"][chosen].tolist()
    assert display.interval_ is None
    with pytest.raises(ValueError, match="'2024' is not among"):
        ForecastDisplay.from_backtest(of_two, origins=["2024"])
    with pytest.raises(ValueError, match="9 is not among 0, 1: choose one of these"):
        ForecastDisplay.from_backtest(of_two, series=9)


# Errors over time


def test_errors_over_time_are_those_of_a_loop(table):
    display = ForecastErrorDisplay.from_backtest(table, n_points=10)
    assert [line.get_label() for line in display.lines_] == [
        *("forecaster", "naive", "seasonal naive", "mean")
    ]
    origins = sorted(table["origin"].unique())
    n_each = -(-len(origins) // 10)
    columns = ["forecast", "naive", "seasonal_naive", "forecast mean"]
    for line, column in zip(display.lines_, columns, strict=True):
        expected = []
        for first in range(0, len(origins), n_each):
            part = table[table["origin"].isin(origins[first : first + n_each])]
            expected.append(np.mean(np.abs(part["actual"] - part[column])))
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert list(line.get_xdata()) == origins[::n_each]


def test_errors_of_one_step_of_one_series(of_two):
    part = of_two[(of_two["step"] == 3) & (of_two["series"] == 1)]
    display = ForecastErrorDisplay.from_backtest(of_two, step=3, series=1, n_points=1000)
    missed = (part["actual"] - part["naive"]).abs()
    np.testing.assert_allclose(display.lines_[1].get_ydata(), missed)
    assert display.ax_.get_ylabel() == "MAE of y\n3 steps ahead"
    whole = ForecastErrorDisplay.from_backtest(of_two, score="MASE")
    assert (whole.scores > 0).all(axis=None)


def test_a_score_of_the_forecaster_alone_is_one_line(table):
    display = ForecastErrorDisplay.from_backtest(table, score="coverage")
    assert [line.get_label() for line in display.lines_] == ["forecaster"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step": 7}, "7 is not among 1, 2"),
        ({"score": "R2"}, "'R2' is not among 'MAE', 'RMSE'"),
        ({"target": "wind"}, r"'wind' is not among 'load \(MW\)'"),
        ({"series": "a"}, "series='a', and the table has no column 'series'"),
    ],
    ids=["step", "score", "target", "series"],
)
def test_what_a_backtest_does_not_have_is_named(wrong, message, table):
    with pytest.raises(ValueError, match=message):
        ForecastErrorDisplay.from_backtest(table, **wrong)


# All


def draw_forecast(y, ax):
    return ForecastDisplay.from_estimator(model().fit(y), coverage=0.8, ax=ax)


def draw_backtest(y, ax):
    return ForecastDisplay.from_backtest(backtest(model(), y, coverage=0.8), ax=ax)


def draw_errors(y, ax):
    return ForecastErrorDisplay.from_backtest(backtest(model(), y, season=24), ax=ax)


def draw_predictions(y, ax):
    return PredictionDisplay.from_predictions(y, y + 1, ax=ax)


@pytest.mark.parametrize("width", [3.6, 9], ids=["phone", "desktop"])
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("draw", [draw_forecast, draw_backtest, draw_errors, draw_predictions])
def test_nothing_overlaps(draw, index, width):
    figure, ax = plt.subplots(figsize=(width, 2.7), dpi=100, layout="constrained")
    draw(load(INDICES[index]), ax)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    labels = [tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text()]
    assert len(labels) >= 2
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(labels))
    legend, whole = ax.get_legend().get_window_extent(), figure.bbox
    assert legend.y0 >= ax.get_window_extent().y1 - 1e-6
    assert whole.x0 <= legend.x0 < legend.x1 <= whole.x1 + 1
    is_dates = isinstance(ax.xaxis.get_major_formatter(), ConciseDateFormatter)
    assert is_dates == (index != "numbers")
