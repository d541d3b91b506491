"""The data sets: files of a folder, as their authors publish them, and sets that libraries include.

A table is cut in time order. Its windows are those of `SequenceWindower`: those of test rows may
reach back into the rows before, whose targets are observed by then. The mean and standard
deviation of a table are those of its training rows.
"""

import gzip
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skills import DataSet, Split
from sklstm import SequenceWindower
from sklstm.datasets import load_mat, load_weather, save_mat

REPORTED_SEQUENCES = {
    "BasicMotions",
    "CBF",
    "Handwriting",
    "Libras",
    "Plane",
    "RacketSports",
    "SwedishLeaf",
    "Trace",
}
"""Sets of independent sequences, by name in turn, so that each kind of them is in both halves.

The others are for choosing: ArrowHead, ERing, ItalyPowerDemand, MedicalImages, PowerCons,
SmoothSubspace, SyntheticControl, TwoLeadECG. Tables alternate in the order of the alphabet.
"""


ETT = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
AIR = ["month", "hour", "pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"]


class Forecast(NamedTuple):
    """A table and its target.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        The features in time order, without missing values.
    target : str
        The feature to forecast.
    train, test : slice
        Training rows, and rows to forecast.
    window, horizon, season : int
        Rows of a history; rows from its end to the forecast; rows of a season.
    is_observed : ndarray of bool, shape (n_rows,), default=None
        Where the target was measured, not imputed; by default everywhere.
    """

    frame: pd.DataFrame
    target: str
    train: slice
    test: slice
    window: int
    horizon: int
    season: int
    is_observed: np.ndarray | None = None

    def split(self):
        """Standardise, window, cut."""
        train = self.frame.iloc[self.train]
        scaled = (self.frame - train.mean()) / train.std(ddof=0).replace(0, 1)
        y = scaled[self.target].to_numpy(copy=True)
        windower = SequenceWindower(self.window, horizon=self.horizon, max_gap="any")
        X = windower.fit_transform(scaled)
        rows = np.arange(len(y))
        observed = np.full(len(y), True) if self.is_observed is None else self.is_observed
        train, test = (part[observed[part]] for part in (rows[self.train], rows[self.test]))
        train = train[train >= self.window + self.horizon - 1]  # the first full history
        return Split(
            X[train],
            y[train],
            X[test],
            y[test],
            last=y[test - self.horizon],
            season=y[test - self.season],
            target=self.frame.columns.get_loc(self.target),
            is_number=True,
        )


def ett(target, path, seed):
    frame = pd.read_csv(path, index_col="date", parse_dates=True)
    hours = 24 * 30  # of a month, as the authors of the table cut it
    train, test = slice(12 * hours), slice(16 * hours, 20 * hours)
    return Forecast(frame, target, train, test, window=96, horizon=24, season=168).split()


def pm25(path, seed):
    table = pd.read_csv(path)
    table.index = pd.to_datetime(table[["year", "month", "day", "hour"]])
    table = table.drop(columns=["No", "year", "month", "day", "hour"])
    frame = pd.get_dummies(table, columns=["cbwd"], dtype=float)
    first = frame["pm2.5"].first_valid_index()
    frame = frame[first:]
    is_observed = frame["pm2.5"].notna().to_numpy()
    train, test = slice(int(0.6 * len(frame))), slice(int(0.8 * len(frame)), None)
    sizes = {"window": 48, "horizon": 6, "season": 24}
    return Forecast(frame.ffill(), "pm2.5", train, test, **sizes, is_observed=is_observed).split()


def daily_minima(path, seed):
    frame = pd.read_csv(path, index_col="Date", parse_dates=True)
    n_train = int((frame.index < "1989-01-01").sum())
    train, test = slice(n_train), slice(n_train, None)
    return Forecast(frame, "Temp", train, test, window=28, horizon=1, season=365).split()


def airline(path, seed):
    frame = pd.read_csv(path, index_col="Month", parse_dates=True)
    n_train = int(0.67 * len(frame))
    train, test = slice(n_train), slice(n_train, None)
    return Forecast(frame, "Passengers", train, test, window=13, horizon=1, season=12).split()


def seattle(seed):
    frame = load_weather(as_frame=True).data
    n_train = int((frame.index < "2015-01-01").sum())
    train, test = slice(n_train), slice(n_train, None)
    return Forecast(frame, "temp_max", train, test, window=14, horizon=1, season=365).split()


def seattle_steps(seed):
    """69 sequences of 100 days in a `.mat` file, at each step a number for tomorrow's sky.

    Each begins 20 days after the one before. Those that end before 2015 are the training part,
    those that begin in it the test part; the others are left out.
    """
    weather = load_weather(as_frame=True)
    tomorrow = weather.target.astype("category").cat.codes.shift(-1)
    starts = np.arange(0, len(tomorrow) - 100, 20)
    days = starts[:, None] + np.arange(100)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sky.mat"
        values, labels = weather.data.to_numpy()[days], tomorrow.to_numpy()[days]
        save_mat(path, values, labels, feature_names=weather.feature_names, target_name="sky")
        sky = load_mat(path, target="sky")
    year = weather.data.index.year.to_numpy()[np.minimum(days + 1, len(tomorrow) - 1)]
    is_train, is_test = (year < 2015).all(axis=1), (year == 2015).all(axis=1)
    y = sky.target.astype(int)
    return Split(sky.data[is_train], y[is_train], sky.data[is_test], y[is_test])


def next_block(size, target, columns, path, seed):
    """Blocks of rows as independent sequences; the target is a column's mean in the next block."""
    frame = load_weather(as_frame=True).data if path is None else pd.read_csv(path)
    frame = frame.apply(pd.to_numeric, errors="coerce")[columns or list(frame)].ffill().bfill()
    n_blocks = len(frame) // size
    X = frame.to_numpy()[: n_blocks * size].reshape(n_blocks, size, -1)
    y = X[1:, :, frame.columns.get_loc(target)].mean(axis=1)
    return _of_numbers(X[:-1], y)


def from_others(n_rows, target, columns, path, seed):
    """A column from the others, in its row and the 23 before it; the last rows of the table."""
    frame = pd.read_csv(path)[columns]
    y = frame.pop(target)
    frame, y = frame.ffill().bfill()[-n_rows:], y[-n_rows:]
    X = SequenceWindower(24).fit_transform(frame.reset_index(drop=True))
    rows = np.flatnonzero(y.notna())
    return _of_numbers(X[rows], y.to_numpy()[rows])


def frequency(seed):
    """Waves with noise and random phases; the target is the frequency of each."""
    rng = np.random.default_rng(0)
    speed, phase = rng.uniform(0.5, 3, (400, 1)), rng.uniform(0, 2 * np.pi, (400, 1))
    waves = np.sin(speed * np.linspace(0, 2 * np.pi, 50) + phase)
    return _of_numbers((waves + rng.normal(scale=0.1, size=waves.shape))[..., None], speed[:, 0])


def largest_product(seed):
    """The largest product of two features at one step."""
    X = np.random.default_rng(0).normal(size=(400, 20, 2))
    return _of_numbers(X, X.prod(axis=2).max(axis=1))


def _of_numbers(X, y):
    n_train = int(0.75 * len(X))
    y = (y - y[:n_train].mean()) / y[:n_train].std()
    return Split(X[:n_train], y[:n_train], X[n_train:], y[n_train:], is_number=True)


def occupancy(paths, seed):
    parts = []
    for path in paths:
        frame = pd.read_csv(path, parse_dates=["date"]).set_index("date")
        y = frame.pop("Occupancy").to_numpy()
        parts += [SequenceWindower(30).fit_transform(frame), y]
    return Split(*parts)


def digits(seed):
    images, y = load_digits(return_X_y=True)
    X = images.reshape(-1, 8, 8)  # from the top row to the bottom row
    n_train = 1297  # the writers of the last 500 are others, in the order of the file
    return Split(X[:n_train], y[:n_train], X[n_train:], y[n_train:])


def sequences(train, test, seed):
    return Split(*read_ts(train), *read_ts(test))


def read_ts(path):
    """Read a `.ts` file of sequences of equal length: channels are separated by colons."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        lines = [line.strip().split(":") for line in file if line[:1].strip(" #@\n")]
    X = np.array([[channel.split(",") for channel in channels] for *channels, _ in lines], float)
    return X.transpose(0, 2, 1), np.array([label for *_, label in lines])


def texts(path, vectors, seed):
    lines = path.read_text(encoding="latin-1").strip("\n").split("\n")
    labels, sentences = zip(*(line.split(" ", 1) for line in lines), strict=True)
    parts = train_test_split(
        sentences, np.array(labels), test_size=0.1, stratify=labels, random_state=seed
    )
    return Split(parts[0], parts[2], parts[1], parts[3], vectors=vectors)


def find_sets(folder):
    """List the data sets that libraries include and those whose files are in a folder.

    Parameters
    ----------
    folder : Path or None
        Where the files are; archive sets may lie in a folder ``archive`` of it.

    Returns
    -------
    list of DataSet
        Tables first.
    """
    sets = [
        DataSet("Seattle's weather", "forecasts", "report", seattle),
        DataSet("digits", "independent sequences", "choose", digits),
        DataSet("frequency", "numbers", "choose", frequency),
        DataSet("largest product", "numbers", "report", largest_product),
        DataSet(
            "weeks of Seattle", "numbers", "report", partial(next_block, 7, "temp_max", None, None)
        ),
        DataSet("sky by steps", "labels of steps", "choose", seattle_steps),
    ]
    if folder is not None:
        sets += [*_tables(folder), *_sequences(folder), *_texts(folder)]
    kinds = [
        *("forecasts", "numbers", "independent sequences"),
        *("labels of rows", "labels of steps", "texts"),
    ]
    return sorted(sets, key=lambda one: (kinds.index(one.kind), one.name.lower()))


def _tables(folder):
    ett_path = folder / "ETTh1.csv"
    rows = [folder / f"occupancy_data{part}.txt" for part in ("training", "test")]
    found = [
        (folder / "airline-passengers.csv", "airline passengers", "choose", airline),
        (folder / "daily-min-temperatures.csv", "daily minima", "report", daily_minima),
        (ett_path, "ETTh1 load", "choose", partial(ett, "HUFL")),
        (ett_path, "ETTh1 oil", "report", partial(ett, "OT")),
        (folder / "beijing_pm25_2010_2014.csv", "PM2.5", "choose", pm25),
    ]
    sets = [
        DataSet(name, "forecasts", half, partial(read, path))
        for path, name, half, read in found
        if path.exists()
    ]
    sets += _blocks(folder)
    if all(path.exists() for path in rows):
        read = partial(occupancy, rows)
        sets.append(DataSet("occupancy", "labels of rows", "report", read))
    return sets


def _blocks(folder):
    found = [
        ("daily-min-temperatures.csv", "fortnights of minima", "choose", 14, "Temp", ["Temp"]),
        ("ETTh1.csv", "days of load", "choose", 24, "HUFL", ETT),
        ("ETTh1.csv", "days of oil", "report", 24, "OT", ETT),
        ("beijing_pm25_2010_2014.csv", "days of PM2.5", "report", 24, "pm2.5", AIR),
    ]
    others = [
        ("beijing_pm25_2010_2014.csv", "PM2.5 of weather", "choose", 12_000, "pm2.5", AIR),
        ("ETTh1.csv", "load of others", "report", 12_000, "HUFL", ETT),
    ]
    return [
        DataSet(name, "numbers", half, partial(read, size, target, columns, folder / file))
        for read, sets in ((next_block, found), (from_others, others))
        for file, name, half, size, target, columns in sets
        if (folder / file).exists()
    ]


def _sequences(folder):
    sets = []
    for train in sorted([*folder.glob("**/*_TRAIN.ts"), *folder.glob("**/*_TRAIN.ts.gz")]):
        name = train.name.split("_TRAIN")[0]
        half = "report" if name in REPORTED_SEQUENCES else "choose"
        test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
        sets.append(DataSet(name, "independent sequences", half, partial(sequences, train, test)))
    return sets


def _texts(folder):
    path, vectors = folder / "rt-polarity.all", sorted(folder.glob("glove*.txt*"))
    if not path.exists():
        return []
    sets = [DataSet("sentences", "texts", "choose", partial(texts, path, None))]
    if vectors:
        read = partial(texts, path, str(vectors[0]))
        sets.append(DataSet("sentences, word vectors", "texts", "report", read))
    return sets
