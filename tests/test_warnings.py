"""Warnings point at the line of the user that called, and have categories to filter by."""

import ast
import contextlib
import copy
import inspect
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions
import torch
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

import sklstm
from sklstm import (
    DataConversionWarning,
    DataWarning,
    DivergenceWarning,
    DroppedDataWarning,
    GapWarning,
    LSTMClassifier,
    LSTMRegressor,
    MissingHistoryWarning,
    SavedVersionWarning,
    SequenceForecaster,
    SequenceWindower,
    SklstmWarning,
    TimestampSplit,
)

RNG = np.random.default_rng(0)
HOURS = pd.date_range("2024-01-01", periods=60, freq="h")
TABLE = pd.DataFrame(RNG.normal(size=(60, 2)), HOURS, ["temp", "rain"])
Y = RNG.normal(size=60)
HOLES = TABLE.drop(HOURS[::5])
PACKAGE = Path(sklstm.__file__).parent


def regressor(**params):
    return LSTMRegressor(**{"hidden_size": 2, "max_epochs": 1, "random_state": 0} | params)


def recorded(call):
    """What is warned of while `call` runs, and the lines of its source."""
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        call()
    source, first = inspect.getsourcelines(call)
    return records, range(first, first + len(source))


def forecaster():
    sales = pd.Series(np.arange(40.0), pd.date_range("2024-01-01", periods=40), name="sold")
    sales.iloc[20] = np.nan
    return sales, SequenceForecaster(regressor(), window_size=3, calibration_fraction=0)


class Poison(Callback):
    def on_grad_computed(self, net, **kwargs):
        if len(net.history) == 2:
            with torch.no_grad():
                net.module_.head.weight.mul_(torch.inf)


class SavedBefore:
    """What pickle reads as an estimator of an older version."""

    def __reduce__(self):
        return LSTMRegressor, (), LSTMRegressor().__getstate__() | {"_sklstm_version": "0.0.1"}


@contextlib.contextmanager
def fitted_inside():
    regressor().fit(TABLE, Y)
    yield


DIRECT = {
    "table in time": (lambda: regressor().fit(TABLE, Y), DataWarning),
    "partial_fit": (lambda: regressor().partial_fit(TABLE, Y), DataWarning),
    "target in X": (
        lambda: regressor().fit(SequenceWindower(3).fit_transform(TABLE), TABLE["rain"]),
        DataWarning,
    ),
    "gaps in fit": (lambda: SequenceWindower(9).fit(HOLES), GapWarning),
    "gaps in fit_transform": (lambda: SequenceWindower(9).fit_transform(HOLES), GapWarning),
    "cold start": (
        lambda: SequenceWindower(9).fit(TABLE[:30]).transform(TABLE[40:]),
        MissingHistoryWarning,
    ),
    "groups": (
        lambda: list(TimestampSplit(2).split(TABLE, groups=np.zeros(60))),
        SklstmWarning,
    ),
    "column": (
        lambda: LSTMClassifier(2, max_epochs=1).fit(RNG.normal(size=(20, 3, 1)), [[0], [1]] * 10),
        DataConversionWarning,
    ),
    "NaN": (lambda: forecaster()[1].fit(forecaster()[0]), DroppedDataWarning),
    "unpickled": (lambda: pickle.loads(pickle.dumps(SavedBefore())), SavedVersionWarning),
    "copied": (lambda: copy.deepcopy(SavedBefore()), SavedVersionWarning),
    "diverged": (
        lambda: regressor(max_epochs=3, skorch_params={"callbacks": [Poison()]}).fit(
            RNG.normal(size=(80, 3, 1)), RNG.normal(size=80)
        ),
        DivergenceWarning,
    ),
}


@pytest.mark.parametrize("case", DIRECT)
def test_the_line_that_called(case):
    call, category = DIRECT[case]
    records, lines = recorded(call)
    assert records
    for record in records:
        assert (record.filename, record.category) == (__file__, category)
        assert record.lineno in lines


def model():
    return make_pipeline(StandardScaler().set_output(transform="pandas"), regressor())


THROUGH = {
    "Pipeline": lambda: model().fit(TABLE, Y),
    "GridSearchCV": lambda: GridSearchCV(
        model(), {"lstmregressor__lr": [0.1]}, cv=KFold(2), n_jobs=1
    ).fit(TABLE, Y),
    "cross_val_score": lambda: cross_val_score(model(), TABLE, Y, cv=KFold(2), n_jobs=1),
    "cross_validate": lambda: cross_validate(model(), TABLE, Y, cv=KFold(2)),
    "cross_val_predict": lambda: cross_val_predict(model(), TABLE, Y, cv=KFold(2)),
    "MultiOutputRegressor": lambda: MultiOutputRegressor(model()).fit(TABLE, TABLE[::-1] + 1),
    "joblib": lambda: joblib.Parallel(1)([joblib.delayed(model().fit)(TABLE, Y)]),
    "pandas": lambda: pd.Series([1.0]).apply(lambda _: model().fit(TABLE, Y).score(TABLE, Y)),
    "NumPy": lambda: np.vectorize(lambda _: model().fit(TABLE, Y).score(TABLE, Y))([1.0]),
    "a context": lambda: contextlib.ExitStack().enter_context(fitted_inside()),
}


@pytest.mark.parametrize("case", THROUGH)
def test_through_libraries(case):
    records, _ = recorded(THROUGH[case])
    records = [record for record in records if issubclass(record.category, SklstmWarning)]
    assert records
    assert {record.filename for record in records} == {__file__}


def test_in_a_thread_without_lines_of_the_user_it_is_the_library_that_called():
    fit = joblib.delayed(regressor().fit)
    records, _ = recorded(lambda: joblib.Parallel(2, backend="threading")([fit(TABLE, Y)] * 2))
    assert records
    assert not any(Path(record.filename).is_relative_to(PACKAGE) for record in records)


def test_each_line_speaks_once():
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("default")
        for _ in range(3):
            SequenceWindower(9).fit(HOLES)
        SequenceWindower(9).fit(HOLES)
    assert len(records) == 2


def test_filters_by_category_and_by_module():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", GapWarning)
        SequenceWindower(9).fit(HOLES)
        with pytest.raises(MissingHistoryWarning):
            SequenceWindower(9).fit(TABLE[:30]).transform(TABLE[40:])
        warnings.filterwarnings("ignore", module=__name__)
        SequenceWindower(9).fit(TABLE[:30]).transform(TABLE[40:])


def test_categories_of_scikit_learn_are_kept():
    assert issubclass(DivergenceWarning, sklearn.exceptions.ConvergenceWarning)
    assert issubclass(DataConversionWarning, sklearn.exceptions.DataConversionWarning)
    categories = [getattr(sklstm, name) for name in sklstm.__all__ if name.endswith("Warning")]
    assert all(issubclass(category, (SklstmWarning, UserWarning)) for category in categories)


def test_every_warning_goes_through_the_helper():
    ways = {"warn", "warn_explicit", "showwarning"}
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            by_attribute = (
                isinstance(node, ast.Attribute)
                and node.attr in ways
                and isinstance(node.value, ast.Name)
                and node.value.id == "warnings"
            )
            by_name = isinstance(node, ast.ImportFrom) and node.module == "warnings"
            renamed = isinstance(node, ast.Import) and any(
                name.name == "warnings" and name.asname for name in node.names
            )
            if by_attribute or by_name or renamed:
                found.append(path.relative_to(PACKAGE).as_posix())
    assert found == ["_data/warning.py"]


def test_every_category_is_one_of_the_package():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "warn":
                category = node.args[1].id
                assert category == "category" or issubclass(getattr(sklstm, category), UserWarning)
