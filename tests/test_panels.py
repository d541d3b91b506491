"""Forecasts of many series: what a window is measured against, and one cutoff for all series."""

import copy
import pickle
import pickletools
import re

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sklstm import (
    DroppedDataWarning,
    LSTMRegressor,
    SequenceForecaster,
    backtest,
    backtest_scores,
)
from sklstm._tables.series_rows import SeriesRows
from sklstm._tables.window_units import History, PanelUnit, Unit
from sklstm._tables.windows import make_windows

UNITS = [Unit(a, s, 4) for a in ("last", "season", "mean") for s in ("none", "spread", "size")]


def table(paths, n_rows=None, first=None):
    """One long table of series of the same length, or of the last rows of each."""
    days = pd.date_range("2024-01-01", periods=paths.shape[1])
    parts = [
        pd.DataFrame({"id": k, "y": path[:n_rows]}, days[:n_rows])[first[k] if first else 0 :]
        for k, path in enumerate(paths)
    ]
    return pd.concat(parts)


def walks(n_series, n_rows, seed=0):
    return np.random.default_rng(seed).normal(size=(n_series, n_rows)).cumsum(axis=1)


def rows_of(paths):
    n_series, n_rows = paths.shape
    time = np.tile(np.arange(n_rows), n_series)
    sizes = np.full(n_series, n_rows)
    return SeriesRows(paths.reshape(-1, 1), 1, sizes, time, list(range(n_series)))


# Units


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_no_window_is_measured_by_what_follows_it(unit):
    """Other values behind a window change nothing in it."""
    paths = walks(6, 40)
    panel = PanelUnit.learn(rows_of(paths), unit)
    other = paths.copy()
    other[:, 25:] = 1e6
    one, changed = (
        make_windows(rows, panel.measure(rows), [], 8, 3) for rows in map(rows_of, (paths, other))
    )
    early = one.rows.place[one.ends] < 25
    for read in (lambda w: w.sequences.to_dense(), lambda w: w.anchors(), lambda w: w.scales()):
        np.testing.assert_array_equal(read(one)[early], read(changed)[early])
    assert not np.array_equal(one.anchors()[~early], changed.anchors()[~early])


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_units_are_those_of_a_loop(unit):
    paths = walks(3, 30) + 20
    paths[1, 5] = np.nan
    rows = rows_of(paths)
    local = PanelUnit.learn(rows, unit).measure(rows)
    for row in range(90):
        path, place = paths[row // 30], row % 30
        so_far = path[: place + 1]
        filled = pd.Series(path).ffill().to_numpy()
        by_hand = {
            "last": [filled[place]] * 6,
            "mean": [np.nanmean(so_far)] * 6,
            "season": [filled[max(place + s - 4 * -(-s // 4), 0)] for s in range(1, 7)],
        }
        found = local.anchors(np.array([row]), 6)[0, :, 0]
        np.testing.assert_allclose(found, by_hand[unit.anchor])
        if unit.scale == "size":
            size = local.panel.common[0] * np.nanmean(np.abs(so_far))
            assert local.scale[row, 0] == pytest.approx(size)
        if unit.scale == "none":
            assert local.scale[row, 0] == local.panel.common[0]


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_the_last_rows_are_measured_as_in_the_whole(unit):
    rows = rows_of(walks(5, 60) + 30)
    panel = PanelUnit.learn(rows, unit)
    whole = panel.measure(rows)
    tail = rows.take(rows.place >= 60 - 16)
    before = whole.before_tail(rows, 16, History.none(5, 1))
    local = panel.measure(tail, before)
    last = rows.place >= 60 - 12
    kept = tail.place >= 16 - 12
    np.testing.assert_allclose(local.anchored[kept], whole.anchored[last])
    np.testing.assert_allclose(local.scale[kept], whole.scale[last])
    for rows_ahead in (1, 5):
        np.testing.assert_allclose(
            local.anchor(np.flatnonzero(kept), rows_ahead),
            whole.anchor(np.flatnonzero(last), rows_ahead),
        )


# Random walks: nothing beats the last value


@pytest.mark.parametrize(
    ("estimator", "n_rows", "n_series", "window_size", "steps"),
    [
        (Ridge(), 30, 300, 6, 6),
        (Ridge(), 60, 100, 12, 12),
        (Ridge(), 200, 5, 12, 6),
        (LSTMRegressor(8, max_epochs=3, random_state=0), 30, 100, 6, 6),
    ],
)
def test_random_walks_stay_at_their_last_value(estimator, n_rows, n_series, window_size, steps):
    paths = walks(n_series, n_rows + steps)
    model = SequenceForecaster(estimator, window_size, steps, series="id")
    model.fit(table(paths, n_rows))
    missed = model.predict()["y"].to_numpy().reshape(n_series, steps) - paths[:, n_rows:]
    naive = paths[:, [n_rows - 1]] - paths[:, n_rows:]
    assert (missed**2).mean() < 1.02 * (naive**2).mean()
    losses = model.validation_losses_["loss"]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_what_returns_to_its_mean_is_forecast_to_do_so():
    noise = np.random.default_rng(0).normal(size=(60, 60))
    paths = noise + 50 * np.arange(60)[:, None]
    model = SequenceForecaster(Ridge(), 6, 4, series="id").fit(table(paths, 56))
    missed = model.predict()["y"].to_numpy().reshape(60, 4) - paths[:, 56:]
    assert (missed**2).mean() < 1.15
    assert model.blending_weight_ > 0.5 or model.local_scaling_["anchor"] == "mean"


def test_series_of_different_sizes_have_a_scale_of_their_own():
    rng = np.random.default_rng(0)
    growth = np.exp(0.05 * np.arange(46) + 0.02 * rng.normal(size=(80, 46)).cumsum(axis=1))
    paths = 10 ** rng.uniform(0, 6, size=(80, 1)) * growth
    model = SequenceForecaster(Ridge(), 6, 6, series="id").fit(table(paths, 40))
    assert model.local_scaling_["scale"] != "none"
    predicted = model.predict()["y"].to_numpy().reshape(80, 6)
    naive = np.abs(paths[:, [39]] - paths[:, 40:]) / paths[:, 40:]
    assert (np.abs(predicted - paths[:, 40:]) / paths[:, 40:]).mean() < 0.5 * naive.mean()


# One cutoff


class Recorder(RegressorMixin, BaseEstimator):
    """Forecasts no change; keeps what each fit got."""

    fits: list = []

    def fit(self, X, y):
        self.fits.append(X)
        self.n_steps_ = y.shape[1]
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_steps_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def test_no_model_reads_rows_behind_the_cutoff_of_other_series():
    """A pulse on one date, in all series: none of them is learned before it is forecast."""
    rng = np.random.default_rng(0)
    first = list(rng.integers(0, 40, size=30))
    common = rng.normal(size=60).cumsum()
    paths = common + 0.1 * rng.normal(size=(30, 60))
    model = SequenceForecaster(Ridge(), 4, 2, series="id", calibration_fraction=0)
    found = backtest(model, table(paths, first=first), initial_train_size="2024-02-10")
    assert found["origin"].min() == pd.Timestamp("2024-02-09")
    error = backtest_scores(found)["MASE"]
    assert error["forecaster"] > 0.9 * error["naive"]


def test_windows_are_learned_in_time_order():
    paths = np.arange(60.0) * np.ones((4, 1))
    Recorder.fits.clear()
    SequenceForecaster(Recorder(), 3, 2, series="id", calibration_fraction=0).fit(table(paths))
    [lags] = Recorder.fits
    model = SequenceForecaster(Ridge(), 3, 2, series="id", calibration_fraction=0)
    assert len(lags) == 4 * (60 - 3 - 2 + 1)
    assert model.fit(table(paths)).predict().shape == (8, 1)


def test_the_loss_is_that_of_a_backtest():
    paths = walks(12, 50)
    model = SequenceForecaster(Recorder(), 5, 3, series="id", calibration_fraction=0.3)
    losses = model.fit(table(paths)).validation_losses_.set_index("model")["loss"]
    found = backtest(model.set_params(calibration_fraction=0), table(paths), initial_train_size=35)
    whole = found.groupby(["series", "origin"])["step"].transform("size") == 3
    scores = backtest_scores(found[whole])["MASE"]
    assert losses["forecaster"] == pytest.approx(scores["forecaster"], rel=1e-9)
    assert losses["naive"] == pytest.approx(scores["naive"], rel=1e-9)


@pytest.mark.parametrize("size", [0.8, 48, "2024-02-18", pd.Timestamp("2024-02-18")])
def test_a_backtest_has_one_cutoff(size):
    first = [0, 20, 30]
    y = table(walks(3, 60), first=first)
    size = 0.7 if size == 0.8 else size
    found = backtest(SequenceForecaster(Ridge(), 4, 2, series="id"), y, initial_train_size=size)
    starts = found.groupby("series")["timestamp"].min()
    assert (starts == starts.iloc[0]).all()
    if not isinstance(size, float):
        assert starts.iloc[0] == pd.Timestamp("2024-02-18")


# Thousands of series


def test_what_is_kept_does_not_grow_with_the_square_of_the_series():
    kept = []
    for n_series in (50, 200):
        y = table(walks(n_series, 30))
        model = SequenceForecaster(Ridge(), 5, 2, series="id").fit(y)
        kept.append(len(pickle.dumps(model)))
    assert kept[1] < 4 * kept[0]
    assert kept[1] < 5 * y["y"].nbytes


def test_series_may_differ_in_their_timestamps():
    """Each goes on at its own frequency, whatever the order of the rows."""
    rng = np.random.default_rng(0)
    index = {
        "month": pd.date_range("2020-01-31", periods=50, freq="ME"),
        "day": pd.date_range("2024-01-01", periods=70, freq="D"),
        "late": pd.date_range("2024-01-02", periods=70, freq="D"),
    }
    parts = [pd.DataFrame({"id": k, "y": rng.normal(size=len(i))}, i) for k, i in index.items()]
    whole = pd.concat(parts)
    mixed = whole.iloc[np.argsort(rng.random(len(whole)))].sort_index(kind="stable")
    model = SequenceForecaster(Ridge(), 4, 2, series="id", calibration_fraction=0).fit(mixed)
    predicted = model.predict()
    assert predicted.index.names == ["id", None]
    for name, timestamps in index.items():
        later = pd.date_range(timestamps[-1], periods=3, freq=timestamps.freq)[1:]
        assert predicted.loc[name].index.tolist() == later.tolist()
    again = model.fit(whole).predict()
    pd.testing.assert_frame_equal(again.loc[["day"]], predicted.loc[["day"]])


def test_a_part_of_the_series_may_be_updated():
    paths = walks(6, 44)
    model = SequenceForecaster(Ridge(), 4, 2, series="id").fit(table(paths, 40))
    before = model.predict(5)
    new = table(paths)[lambda t: (t["id"] % 2 == 0) & (t.index >= "2024-02-10")]
    after = model.update(new.sort_index()).predict(5)
    pd.testing.assert_frame_equal(after.loc[[1, 3, 5]], before.loc[[1, 3, 5]])
    assert after.loc[2].index[0] == pd.Timestamp("2024-02-14")
    np.testing.assert_allclose(after.loc[2]["y"], paths[2, 43], atol=1)


# Series as they are


def test_new_series_are_forecast_from_their_rows():
    growth = 1.1 ** np.arange(40) * np.array([[1.0], [3.0], [10.0], [500.0]])
    model = SequenceForecaster(Ridge(1e-6), 4, 2, series="id", calibration_fraction=0.2)
    model.fit(table(growth[:3]))
    new = table(growth[3:] * 2).assign(id="new")
    predicted = model.predict(y=new)
    assert predicted.index.get_level_values("id").tolist() == ["new"] * 2
    naive = abs(growth[3, -1] * 2 - growth[3, -1] * 2.2)
    assert abs(predicted["y"].iloc[0] - growth[3, -1] * 2.2) < 0.5 * naive
    again = model.predict(y=table(growth[:3]))
    pd.testing.assert_frame_equal(again, model.predict())
    interval = model.predict_interval(0.8, y=new)
    assert (interval["lower"] < interval["upper"]).all()


def test_new_series_come_with_their_covariates():
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=63)
    X = pd.concat([pd.DataFrame({"id": k, "x": rng.normal(size=63)}, days) for k in range(4)])
    y = X.assign(y=5 * X["x"]).drop(columns="x")
    past = (X.index < days[60]) & (X["id"] < 3)
    settings = {"series": "id", "future_covariates": ["x"], "calibration_fraction": 0}
    model = SequenceForecaster(Ridge(1e-6), 4, 3, **settings).fit(y[past], X=X[past])
    mine = y["id"] == 3
    predicted = model.predict(y=y[mine & (y.index < days[60])], X=X[mine])
    actual = y[mine & (y.index >= days[60])]
    np.testing.assert_allclose(predicted["y"], actual["y"], atol=0.1)
    with pytest.raises(ValueError, match="X is missing: y needs the columns"):
        model.predict(y=y[mine & (y.index < days[60])])


def test_ended_series_are_not_forecast_into_the_past():
    y = table(walks(4, 60))
    y = y[(y["id"] != 2) | (y.index < "2024-02-10")]
    model = SequenceForecaster(Ridge(), 4, 3, series="id").fit(y)
    with pytest.warns(DroppedDataWarning, match="1 of 4 series ended more than 3 rows .*: 2. pred"):
        predicted = model.predict()
    assert predicted.index.get_level_values("id").unique().tolist() == [0, 1, 3]
    with pytest.warns(DroppedDataWarning, match="1 of 4 series ended"):
        assert len(model.predict_interval(0.8)) == 9
    assert model.predict(y=y[y["id"] == 2]).index[0][1] == pd.Timestamp("2024-02-10")


def test_short_series_are_learned_from_what_they_have():
    paths = walks(30, 60)
    y = table(paths, first=[0] * 10 + [50] * 19 + [59])
    with pytest.warns(DroppedDataWarning, match="1 of 30 series have fewer than 3 rows: .*: 29."):
        model = SequenceForecaster(Ridge(), 12, 3, series="id", calibration_fraction=0).fit(y)
    assert len(model.predict()) == 90
    np.testing.assert_allclose(model.predict().loc[29]["y"], paths[29, -1])


@pytest.mark.parametrize(
    "estimator",
    [
        LSTMRegressor(4, missing="mask", max_epochs=2, random_state=0),
        HistGradientBoostingRegressor(),
    ],
)
def test_estimators_that_take_nan_read_all_windows(estimator):
    paths = walks(8, 60)
    paths[::2, 20], paths[3, 59] = np.nan, np.nan
    model = SequenceForecaster(estimator, 4, 2, series="id", calibration_fraction=0)
    with pytest.warns(DroppedDataWarning, match="windows hold NaN, or a step behind"):
        model.fit(table(paths))
    predicted = model.predict()["y"].to_numpy().reshape(8, 2)
    assert np.isfinite(predicted).all()
    assert abs(predicted[3, 0] - paths[3, 58]) < 4
    with pytest.raises(ValueError, match="newest 4 rows of series 3 hold NaN"), pytest.warns():
        model.set_params(estimator=Ridge()).fit(table(paths)).predict()


# Intervals


def unlike(n_series, seed):
    rng = np.random.default_rng(seed)
    return 10 ** rng.uniform(-1, 2, size=(n_series, 1)) * rng.normal(size=(n_series, 44)).cumsum(1)


def growing(n_series, seed):
    rng = np.random.default_rng(seed)
    change = 0.02 + 0.05 * rng.normal(size=(n_series, 44))
    return np.exp(change.cumsum(axis=1)) * 10 ** rng.uniform(0, 3, size=(n_series, 1))


@pytest.mark.parametrize("law", [lambda n, seed: walks(n, 44, seed), unlike, growing])
def test_short_series_have_intervals_that_hold(law):
    """Of 500 other series, at every step; each series has a single forecast to calibrate."""
    model = SequenceForecaster(Ridge(), 6, 4, series="id").fit(table(law(300, 0), 40))
    other = law(500, 1)
    for coverage in (0.8, 0.9):
        interval = model.predict_interval(coverage, y=table(other, 40))
        lower, upper = (interval[side].to_numpy().reshape(500, 4) for side in ("lower", "upper"))
        held = ((lower <= other[:, 40:]) & (other[:, 40:] <= upper)).mean(axis=0)
        assert np.abs(held - coverage).max() < 0.06


# Files


@pytest.mark.parametrize(
    "timestamps",
    [
        pd.date_range("2024-01-01", periods=40, freq="B"),
        pd.date_range("2024-10-20", periods=40, freq="h", tz="Europe/Berlin", name="hour"),
        pd.period_range("2020-01", periods=40, freq="M"),
        pd.RangeIndex(40),
    ],
    ids=["days", "hours", "months", "numbers"],
)
def test_files_hold_public_classes_and_plain_data(timestamps, tmp_path):
    paths = walks(9, 40)
    parts = [pd.DataFrame({"id": f"s{k}", "y": p}, timestamps) for k, p in enumerate(paths)]
    y = pd.concat([part[:38] for part in parts])
    model = SequenceForecaster(Ridge(), 4, 2, series="id").fit(y)
    private = {
        text
        for code, text, _ in pickletools.genops(pickle.dumps(model, protocol=5))
        if code.name == "SHORT_BINUNICODE" and text.startswith("sklstm.")
    }
    public = {"sklstm._estimators.forecaster", "sklstm._tables.flattener"}
    assert private == public
    skops.io.dump(model, tmp_path / "model.skops")
    types = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert {name.rpartition(".")[0] for name in types} == public
    for loaded in (
        pickle.loads(pickle.dumps(model)),
        skops.io.load(tmp_path / "model.skops", trusted=types),
    ):
        pd.testing.assert_frame_equal(loaded.predict_interval(0.8), model.predict_interval(0.8))
        later = pd.concat([part[38:] for part in parts])
        updated = copy.deepcopy(model).update(later).predict()
        pd.testing.assert_frame_equal(loaded.update(later).predict(), updated)


def test_a_new_series_of_one_row_has_the_frequency_of_fit():
    known = table(walks(3, 60))
    model = SequenceForecaster(Ridge(), 4, 2, series="id").fit(known)
    first = known[known["id"] == 0][:1].assign(id=9)
    found = model.predict(y=first)
    assert [date.day for _, date in found.index] == [2, 3]
    np.testing.assert_allclose(found["y"], first["y"].iloc[0])


@pytest.mark.parametrize(
    ("zone", "changed", "cure"),
    [
        (None, lambda index: index.tz_localize("UTC"), "tz_localize(None)"),
        ("UTC", lambda index: index.tz_localize(None), "tz_localize('UTC')"),
        ("UTC", lambda index: index.tz_convert("Asia/Tokyo"), "tz_convert('UTC')"),
        (None, lambda index: range(len(index)), "numbers, such as 0"),
        (None, lambda index: index.to_period("D"), "periods (period[D])"),
    ],
)
def test_new_rows_have_timestamps_of_the_same_kind(zone, changed, cure):
    days = pd.date_range("2024-01-01", periods=60, tz=zone)
    y = pd.Series(walks(1, 60)[0], days, name="y")
    model, later = SequenceForecaster(Ridge(), 4).fit(y[:50]), y[50:]
    for arrive in (model.update, model.score):
        with pytest.raises(ValueError, match=re.escape(cure)):
            arrive(later.set_axis(changed(later.index)))


def test_infinite_values_are_named_before_they_are_read():
    days = pd.date_range("2024-01-01", periods=60)
    y = pd.Series(walks(1, 60)[0], days, name="y")
    model = SequenceForecaster(Ridge(), 4).fit(y[:50])
    y.iloc[55] = np.inf
    words = "Column 'y' of y is infinite at 2024-02-25 00:00:00, as are 0 more values"
    for read in (model.update, model.score, lambda later: model.predict(y=later), clone(model).fit):
        with pytest.raises(ValueError, match=words):
            read(y[50:])


def sold_in(shop, index, seed=5):
    values = np.random.default_rng(seed).normal(size=len(index))
    return pd.DataFrame({"shop": shop, "sold": values}, index)


def few_rows_model(**params):
    return SequenceForecaster(Ridge(), 4, 2, **{"calibration_fraction": 0} | params)


@pytest.mark.parametrize(
    ("rows", "coming"),
    [
        (["2024-02-01", "2024-02-05"], "2024-02-06"),
        (["2024-02-01", "2024-02-02"], "2024-02-03"),
        (["2024-02-05"], "2024-02-06"),
    ],
)
def test_rows_missing_in_a_series_of_two_rows_are_missing(rows, coming):
    long = sold_in("long", pd.date_range("2024-01-01", "2024-02-05"))
    short = sold_in("short", pd.DatetimeIndex(rows))
    model = few_rows_model(series="shop")
    panel = model._read(pd.concat([long, short]), None).regular()
    n_days = (pd.Timestamp(rows[-1]) - pd.Timestamp(rows[0])).days + 1
    assert panel.rows.sizes.tolist() == [36, n_days]
    assert np.isnan(panel.rows.y).sum() == n_days - len(rows)
    model.fit(long)
    given = model._read(short, None).regular(model._buffer.calendars)
    assert given.rows.sizes.tolist() == [n_days]
    assert given.future(1)[0] == pd.Timestamp(coming)


def test_few_rows_have_the_frequency_of_a_series_that_they_fit():
    days = sold_in("days", pd.date_range("2024-01-01", periods=40))
    months = sold_in("months", pd.date_range("2021-01-01", periods=40, freq="MS"))
    two = sold_in("two", pd.DatetimeIndex(["2024-03-01", "2024-04-01"]))
    model = few_rows_model(series="shop")
    panel = model._read(pd.concat([days, months, two]), None).regular()
    assert panel.rows.sizes.tolist() == [40, 40, 2]
    assert panel.future(1)[-1] == pd.Timestamp("2024-05-01")
    with pytest.raises(ValueError, match="series 'two': A single row, 2024-03-01.*several"):
        model.fit(pd.concat([days, months, two[:1]]))
    with pytest.raises(ValueError, match=r"series 'two': The rows are too few .* where 2024-04-01"):
        model.fit(pd.concat([months, two.set_axis(two.index + pd.Timedelta("14D"))]))


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        (pd.date_range("2024", periods=40), pd.date_range("2024", periods=40, freq="h")),
        (pd.date_range("2024", periods=40), pd.date_range("2024", periods=40, freq="W")),
        (pd.date_range("2020", periods=40, freq="MS"), pd.date_range("2024", periods=40)),
        (pd.date_range("2024", periods=40, freq="h"), pd.date_range("2024", periods=40)),
        (pd.bdate_range("2024", periods=40), pd.date_range("2024", periods=40)),
        (pd.RangeIndex(40), pd.RangeIndex(0, 80, 2)),
    ],
    ids=["hours", "weeks", "days for months", "days for hours", "weekends", "integers"],
)
def test_rows_at_another_frequency_than_that_of_fit_are_refused(fitted, given):
    model = few_rows_model(series="shop").fit(sold_in("a", fitted))
    with pytest.raises(ValueError, match="series 'b': Rows come at another frequency .* fit"):
        model.predict(y=sold_in("b", given))
    alone = few_rows_model().fit(sold_in("a", fitted)["sold"])
    with pytest.raises(ValueError, match=r"^Rows come at another frequency .*resample\(\)"):
        alone.predict(y=sold_in("b", given)["sold"])


@pytest.mark.parametrize(
    ("fitted", "given", "coming"),
    [
        (
            pd.bdate_range("2024-01-01", periods=40),
            pd.bdate_range("2024-06-03", periods=5),
            "06-10",
        ),
        (
            pd.date_range("2024", periods=40),
            pd.date_range("2024-06-03", "2024-06-09")[[0, 1, 4, 6]],
            "06-10",
        ),
        (
            pd.date_range("2020", periods=40, freq="MS"),
            pd.date_range("2024-01-31", periods=4, freq="ME"),
            "05-31",
        ),
    ],
    ids=["a week of business days", "missing days", "month ends"],
)
def test_rows_at_the_frequency_of_fit_are_read_by_it(fitted, given, coming):
    model = few_rows_model().fit(sold_in("a", fitted)["sold"])
    panel = model._read(sold_in("b", given)["sold"], None).regular(model._buffer.calendars)
    assert panel.future(1)[0] == pd.Timestamp("2024-" + coming)


@pytest.mark.parametrize(("of_fit", "later"), [(None, "UTC"), ("UTC", None), ("UTC", "Asia/Tokyo")])
def test_covariates_in_another_time_zone_are_refused(of_fit, later):
    hours = pd.date_range("2024", periods=60, freq="h", tz=of_fit)
    y = sold_in("a", hours)["sold"]
    X = pd.DataFrame({"promo": np.arange(60.0) % 5}, hours)
    other = X.tz_localize(None).tz_localize(later)
    model = few_rows_model(future_covariates=["promo"]).fit(y[:40], X=X[:40])
    with pytest.raises(ValueError, match="rows of X are indexed by dates .*: tz_"):
        model.predict(X=other)
    with pytest.raises(ValueError, match="rows of X are indexed by dates .*: tz_"):
        model.predict(X=other, y=y[:45])
    with pytest.raises(ValueError, match="rows of y are indexed by dates .*: tz_"):
        model.predict(X=X, y=y[:45].tz_localize(None).tz_localize(later))
    with pytest.raises(ValueError, match="X must have the rows of y"):
        model.fit(y, X=other)
