"""The first day of a user: from a CSV to a forecast, only with lines that stand in the pages."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "quickstart.md", *(ROOT / "docs/guide").glob("*.md")]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)

READ = """
import pandas as pd
table = pd.read_csv("weather.csv", index_col="date", parse_dates=True)
weather = table.drop(columns="weather")
past, recent = weather[:"2014"], weather["2015":]
"""
TUNE = """
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklstm import LSTMRegressor, SequenceWindower
model = make_pipeline(
    SequenceWindower(window_size=7, horizon=1),
    LSTMRegressor(hidden_size=16, max_epochs=5, random_state=0),
)
search = GridSearchCV(
    model,
    {"sequencewindower__window_size": [7, 14], "lstmregressor__hidden_size": [8, 16]},
    cv=TimeSeriesSplit(2),
    scoring="neg_mean_absolute_error",
)
search.fit(past, past["temp_max"])
model = search.best_estimator_
predicted = recent.assign(predicted=model.predict(recent))
"""
SAVE = """
import joblib
joblib.dump(model, "model.joblib")
"""
LABEL = """
from sklstm import LSTMClassifier
labeller = make_pipeline(
    SequenceWindower(window_size=7, horizon=1),
    LSTMClassifier(hidden_size=16, max_epochs=5, random_state=0),
)
labeller.fit(past, table["weather"][:"2014"]).predict_proba(recent)
"""
LOAD = """
import joblib
model = joblib.load("model.joblib")
"""
FORECAST = """
from sklstm import SequenceForecaster
forecaster = SequenceForecaster(
    LSTMRegressor(max_epochs=5, random_state=0), window_size=28, steps=7
)
forecaster.fit(weather[["temp_max", "wind"]])
interval = forecaster.predict_interval(0.8)["temp_max"]
"""


def lines_of(code):
    """Strip the lines of indents and comments."""
    return {re.sub(r"\s+#.*", "", line).strip() for line in code.splitlines()} - {""}


def write_csv(path):
    """Two years of days: two numbers, and a label that follows from one of them."""
    days = pd.date_range("2013-07-01", "2015-03-31", name="date")
    season = np.sin(2 * np.pi * np.arange(len(days)) / 365.25)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"temp_max": 15 + 10 * season, "wind": 3 + season}, index=days)
    table += rng.normal(size=table.shape)
    table["weather"] = np.where(table["wind"] > 3, "sun", "rain")
    table.to_csv(path)
    return table


def test_every_line_stands_in_a_page():
    shown = set()
    for page in PAGES:
        shown |= lines_of("\n".join(BLOCK.findall(page.read_text())))
    used = lines_of(READ + TUNE + SAVE + LABEL + LOAD + FORECAST)
    assert used - shown == set()


def test_from_a_file_to_a_forecast(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = write_csv("weather.csv")
    day = {}
    for part in (READ, TUNE, SAVE, LABEL):
        exec(part, day)
    assert day["search"].best_params_.keys() == {
        "sequencewindower__window_size",
        "lstmregressor__hidden_size",
    }
    predicted = day["predicted"]
    as_today = written["temp_max"].shift(1)["2015":]
    actual = written["temp_max"]["2015":]
    assert (predicted["predicted"] - actual).abs().mean() < (as_today - actual).abs().mean()
    right = day["labeller"].predict(day["recent"]) == written["weather"]["2015":]
    most_frequent = written["weather"]["2015":] == written["weather"][:"2014"].mode()[0]
    assert right.mean() > most_frequent.mean()

    later = {}  # another process: nothing is there but the files
    for part in (READ, LOAD):
        exec(part, later)
    again = later["model"].predict(later["recent"])
    np.testing.assert_array_equal(again, predicted["predicted"])

    exec(FORECAST, day)
    interval = day["interval"]
    assert list(interval.columns) == ["lower", "forecast", "upper"]
    assert list(interval.index) == list(pd.date_range("2015-04-01", periods=7))
    assert (interval["lower"] < interval["forecast"]).all()
    assert (interval["forecast"] < interval["upper"]).all()
    assert (interval["forecast"] - actual.iloc[-1]).abs().max() < 5  # °C from the last day
