"""Sequences in any form of pandas, Polars, pyarrow and NumPy are read alike, or refused by name."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.lib.recfunctions import unstructured_to_structured
from sklearn.model_selection import cross_val_score

from sklstm import (
    DataWarning,
    LSTMClassifier,
    LSTMRegressor,
    SequenceDummyRegressor,
    SequenceFlattener,
    Sequences,
    SequenceWindower,
    masked_scoring,
)
from sklstm.inspection import history_importance
from sklstm.plotting import PredictionDisplay

RNG = np.random.default_rng(0)
LENGTHS = [3, 5, 4, 2] * 5
NAMES = ["speed", "is_on"]
RECORDINGS = [
    np.column_stack([RNG.normal(size=length), RNG.integers(2, size=length)]) for length in LENGTHS
]
GAPS = [np.where(recording == recording.max(), np.nan, recording) for recording in RECORDINGS]
Y = np.array([recording[-1, 0] for recording in RECORDINGS])
DAYS = np.arange(20 * 3 * 2).reshape(20, 3, 2).astype("datetime64[D]")


def regressor(**params):
    return LSTMRegressor(**{"hidden_size": 4, "max_epochs": 1, "random_state": 0} | params)


def nullable(recording):
    table = pd.DataFrame(recording, columns=NAMES)
    return table.astype({"speed": "Float64", "is_on": "boolean"})


def with_na(recording):
    return np.where(np.isnan(recording), pd.NA, recording.astype(object))


FORMS = {
    "nullable": (nullable, GAPS),
    "pandas.NA": (with_na, GAPS),
    "truth values": (lambda x: pd.DataFrame(x, columns=NAMES).astype({"is_on": bool}), RECORDINGS),
    "arrow in pandas": (
        lambda x: pd.DataFrame(x, columns=NAMES).astype({"speed": "double[pyarrow]"}),
        RECORDINGS,
    ),
    "polars": (lambda x: pl.DataFrame(dict(zip(NAMES, x.T, strict=True))), RECORDINGS),
    "pyarrow": (lambda x: pa.table(dict(zip(NAMES, x.T, strict=True))), RECORDINGS),
}


@pytest.mark.parametrize("form", FORMS)
def test_lists_of_tables_in_any_form_are_read_alike(form):
    convert, plain = FORMS[form]
    given = [convert(recording) for recording in plain]
    model = regressor(missing="mask").fit(given, Y)
    expected = regressor(missing="mask").fit(plain, Y).predict(plain)
    np.testing.assert_array_equal(model.predict(given), expected)
    if form != "pandas.NA":
        assert model.feature_names_in_.tolist() == NAMES
        np.testing.assert_array_equal(Sequences.from_arrays(given).flat(), np.vstack(plain))


@pytest.mark.parametrize("types", [{"is_on": bool}, {"speed": "Float64"}, {"is_on": "boolean"}])
def test_long_tables_of_any_type_are_read_alike(types):
    plain = GAPS if "boolean" in types.values() or "Float64" in types.values() else RECORDINGS
    table = pd.DataFrame(np.vstack(plain), columns=NAMES)
    walks = np.repeat(np.arange(20), LENGTHS)
    given = Sequences.from_frame(table.astype(types).assign(walk=walks), by="walk")
    assert given.dtype == np.float64
    np.testing.assert_array_equal(given.flat(), np.vstack(plain))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "float16", ">f8", "longdouble"])
@pytest.mark.parametrize("in_a_row", [False, True])
def test_sequences_of_any_type_of_numbers_are_read_alike(dtype, in_a_row):
    """Differences of unsigned integers would wrap around."""
    values = np.abs(np.random.default_rng(1).normal(scale=40, size=(64, 2))).astype(dtype)
    model = regressor(early_stopping=False, init=None, input_transform=["levels", "differences"])
    if in_a_row:
        parts = np.arange(60), np.full(60, 5), np.zeros(60, dtype=int)
        given, expected = (Sequences(x, *parts) for x in (values, values.astype(np.float64)))
    else:
        blocks = values[np.arange(60)[:, None] + np.arange(5)]
        given, expected = map(Sequences.from_arrays, (blocks, blocks.astype(np.float64)))
    y = np.random.default_rng(2).normal(size=60)
    same = model.fit(expected, y).predict(expected)
    np.testing.assert_array_equal(model.fit(given, y).predict(given), same)
    labels = LSTMClassifier(4, max_epochs=1, random_state=0)
    same = labels.fit(expected, y > 0).predict_proba(expected)
    np.testing.assert_array_equal(labels.fit(given, y > 0).predict_proba(given), same)


def test_a_list_of_texts_names_the_column():
    with pytest.raises(ValueError, match=r"Column 'sky' of X .* holds 'grey'"):
        regressor().fit([pd.DataFrame({"sky": ["grey", "blue"]})] * 20, Y)
    kinds = pd.DataFrame({"kind": pd.Categorical([1, 2])})
    with pytest.raises(ValueError, match="Column 'kind' of X has the dtype category and holds 1"):
        regressor().fit([kinds] * 20, Y)


def test_lists_of_named_fields_are_refused_with_the_cure():
    dtype = np.dtype([("speed", float), ("is_on", float)])
    records = [unstructured_to_structured(recording, dtype) for recording in RECORDINGS]
    for given in (records, records[::4]):  # of different lengths, and of one
        with pytest.raises(TypeError, match=r"fields \(speed, is_on\).*structured_to_unstruct"):
            regressor().fit(given, Y[: len(given)])


@pytest.mark.parametrize("kind", ["datetime64[D]", "datetime64[ns]", "timedelta64[s]"])
@pytest.mark.parametrize("form", [np.asarray, list, lambda x: x[:, 0]])
def test_dates_are_no_numbers_whose_unit_may_change(kind, form):
    """1,000 seconds would have been predicted as another duration than 1,000,000 ms."""
    X = form(DAYS.astype(kind))
    for estimator in (regressor(), LSTMClassifier(4, max_epochs=1)):
        with pytest.raises(ValueError, match=r"X holds (datetime|timedelta)64.*np.timedelta64"):
            estimator.fit(X, Y > 0)
    with pytest.raises(ValueError, match="X holds"):
        regressor().fit(form(np.zeros(DAYS.shape)), Y).predict(X)


def test_dates_in_arrays_for_a_windower():
    with pytest.raises(ValueError, match="X holds datetime64"):
        SequenceWindower(2).fit(DAYS[:, 0])


@pytest.mark.parametrize(
    "y",
    [
        DAYS[:, 0, 0],
        pd.Series(DAYS[:, 0, 0]),
        pl.Series(DAYS[:, 0, 0]),
        DAYS[:, 0, 0] - DAYS[0, 0, 0],
    ],
)
def test_dates_are_no_targets(y):
    with pytest.raises(ValueError, match="y holds .*targets must be numbers"):
        regressor().fit(RECORDINGS, y)


def test_no_sequence_and_no_feature_are_named():
    model = regressor().fit(RECORDINGS, Y)
    with pytest.raises(ValueError, match="There are no sequences: the list is empty"):
        model.predict([])
    with pytest.raises(ValueError, match=r"0 features in X of the shape \(20, 3, 0\)"):
        regressor().fit(np.zeros((20, 3, 0)), Y)


def test_a_list_of_flat_arrays_may_hold_sequences():
    flat = [np.arange(5.0) + k for k in range(20)]
    for given in (flat, list(map(pd.Series, flat))):
        with pytest.warns(DataWarning, match=r"one step of 5 features.*np.reshape"):
            regressor().fit(given, Y)
    for given in (np.stack(flat), np.stack(flat).tolist(), [x[:, None] for x in flat]):
        regressor().fit(given, Y)


# Names of columns


def test_columns_do_not_get_the_names_of_each_other():
    tables = [pd.DataFrame(recording, columns=NAMES) for recording in RECORDINGS]
    with pytest.raises(ValueError, match=r"calls the column 'speed' 'is_on', .* in the order of"):
        Sequences.from_arrays(tables, feature_names=NAMES[::-1])
    renamed = Sequences.from_arrays(tables, feature_names=["v", "is_on"])
    assert renamed.feature_names.tolist() == ["v", "is_on"]


TARGETS = pd.DataFrame({"last": Y, "first": [recording[0, 0] for recording in RECORDINGS]})
SWAPPED = TARGETS[["first", "last"]]


@pytest.mark.parametrize(
    "use",
    [
        lambda model, X: model.fit(X, TARGETS, X_val=X, y_val=SWAPPED),
        lambda model, X: model.fit(X, TARGETS).score(X, SWAPPED),
        lambda model, X: model.set_params(warm_start=True).fit(X, TARGETS).fit(X, SWAPPED),
        lambda model, X: model.partial_fit(X, TARGETS).partial_fit(X, SWAPPED),
        lambda model, X: masked_scoring("r2")(model.fit(X, TARGETS), X, SWAPPED),
        lambda model, X: history_importance(model.fit(X, TARGETS), X, SWAPPED),
        lambda model, X: PredictionDisplay.from_estimator(
            model.fit(X, TARGETS), X, SWAPPED, output="last"
        ),
        lambda model, X: pickle.loads(pickle.dumps(model.fit(X, TARGETS))).score(X, SWAPPED),
    ],
    ids=[
        "validation",
        "score",
        "warm start",
        "partial_fit",
        "scorer",
        "importance",
        "display",
        "copy",
    ],
)
def test_targets_in_another_order_of_columns_are_refused(use):
    with pytest.raises(ValueError, match=r"columns of y are \['first', 'last'\], in fit .*Give y"):
        use(regressor(), RECORDINGS)


def test_targets_of_other_names_or_none_are_read_in_their_order():
    model = regressor().fit(RECORDINGS, TARGETS)
    renamed = TARGETS.set_axis(["a", "b"], axis=1)
    scores = {model.score(RECORDINGS, y) for y in (TARGETS, renamed, TARGETS.to_numpy())}
    assert len(scores) == 1
    model.fit(RECORDINGS, SWAPPED).score(RECORDINGS, SWAPPED)  # a new fit has names of its own


# Names of rows


IDS = [f"walk {k}" for k in RNG.permutation(20)]
NAMED = Sequences.from_frame(
    pd.DataFrame(np.vstack(RECORDINGS), columns=NAMES).assign(walk=np.repeat(IDS, LENGTHS)),
    by="walk",
)
BY_NAME = pd.Series(Y, index=IDS)
SORTED = BY_NAME.sort_index()  # as groupby gives them
STEPS_BY_NAME = pd.Series([sequence[:2, 0] for sequence in NAMED], index=IDS)
SHORT = Sequences(NAMED.values, NAMED.starts, NAMED.lengths * 0 + 2, index=NAMED.index)
IN_ANOTHER_ORDER = r"index of {} has the names of X in another order: row \d .* {}.loc\[X.index\]"


def numbered(values):
    """Named by numbers, in the order in which they come."""
    return Sequences(NAMED.values, NAMED.starts, NAMED.lengths, index=values)


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda: regressor().fit(NAMED, SORTED), "y"),
        (lambda: regressor().fit(NAMED, SORTED.to_frame()), "y"),
        (lambda: LSTMClassifier(4, max_epochs=1).fit(NAMED, SORTED > 0), "y"),
        (lambda: regressor().fit(NAMED, BY_NAME, sample_weight=SORTED.abs()), "sample_weight"),
        (lambda: regressor().fit(NAMED, Y, X_val=NAMED, y_val=SORTED), "y_val"),
        (lambda: regressor().fit(NAMED, Y).score(NAMED, SORTED), "y"),
        (lambda: regressor().fit(NAMED, Y).score(NAMED, Y, SORTED.abs()), "sample_weight"),
        (lambda: regressor(pooling=None).fit(SHORT, STEPS_BY_NAME.sort_index()), "y"),
        (lambda: masked_scoring("r2")(regressor().fit(NAMED, Y), NAMED, SORTED), "y"),
        (lambda: history_importance(regressor().fit(NAMED, Y), NAMED, SORTED), "y"),
        (lambda: PredictionDisplay.from_estimator(regressor().fit(NAMED, Y), NAMED, SORTED), "y"),
        (lambda: SequenceDummyRegressor().fit(NAMED, SORTED), "y"),
        (lambda: regressor().partial_fit(NAMED, SORTED), "y"),
        (lambda: cross_val_score(regressor(), NAMED, SORTED, cv=2), "y"),
        (lambda: regressor().fit(numbered(np.arange(20)), Y_BY_NUMBER[::-1]), "y"),
        (lambda: regressor().fit(pd.DataFrame(RNG.normal(size=(20, 2)), IDS), SORTED), "y"),
    ],
)
def test_targets_in_another_order_than_the_sequences_are_heard(use, what):
    with pytest.warns(DataWarning, match=IN_ANOTHER_ORDER.format(what, what)):
        use()


Y_BY_NUMBER = pd.Series(Y)


@pytest.mark.parametrize("way", ["from_frame", "windower"])
def test_names_of_two_levels_stay_levels(way):
    """As tuples they would align with no other table, and the order of y would not be checked."""
    names = pd.MultiIndex.from_product([["b", "a"], range(10)], names=["walker", "walk"])
    table = pd.DataFrame({"x": np.arange(20.0)}, index=names)
    if way == "from_frame":
        X = Sequences.from_frame(table, by=["walker", "walk"])
    else:
        X = SequenceWindower(2, series="walker").fit_transform(table)
    assert X.index.equals(names)
    assert X[::-1].index.equals(names[::-1])
    lags = SequenceFlattener().set_output(transform="pandas").fit_transform(X)
    assert table.join(lags).iloc[:, -1].tolist() == table["x"].tolist()
    regressor().fit(X, pd.Series(Y, names))
    with pytest.warns(DataWarning, match=IN_ANOTHER_ORDER.format("y", "y")):
        regressor().fit(X, pd.Series(Y, names).sort_index())


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (NAMED, BY_NAME),
        (NAMED, Y),
        (NAMED, BY_NAME.reset_index(drop=True)),
        (NAMED, SORTED.loc[NAMED.index]),
        (NAMED[::-1], BY_NAME[::-1]),
        (NAMED, SORTED.to_numpy()),
        (NAMED[[0, 0, 1, 2]], BY_NAME.iloc[[0, 0, 1, 2]]),  # a bootstrap sample
        (numbered(np.arange(20)), Y_BY_NUMBER.set_axis(np.arange(20) + 5)),
        (numbered(pd.date_range("2025", periods=20)), pd.Series(Y, DAYS[:, 0, 0])),
        (
            numbered(pd.date_range("2025-01-01", periods=20)),
            pd.Series(Y, pd.date_range("2025-01-02", periods=20)),  # shifted by hand
        ),
    ],
)
def test_targets_in_order_or_without_names_are_silent(X, y):
    regressor().fit(X, y, sample_weight=pd.Series(1.0, X.index)).score(X, y)


# Tables of tokens and of steps


TABLES = {
    "pandas": pd.DataFrame,
    "Polars": pl.DataFrame,
    "pyarrow": lambda rows: pa.Table.from_pandas(pd.DataFrame(rows)),
}


def nullable_rows(rows):
    return pd.DataFrame(rows).convert_dtypes()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_row_of_a_table_of_tokens_is_a_sequence(table):
    tokens = np.arange(12).reshape(4, 3)
    expected = Sequences.from_tokens(tokens)
    assert Sequences.from_tokens(table(tokens)) == expected
    reader = LSTMClassifier(4, embedding=2, max_epochs=1, random_state=0)
    reader.fit(table(tokens), [0, 1, 0, 1])
    np.testing.assert_array_equal(
        reader.predict_proba(table(tokens)), reader.predict_proba(expected)
    )


@pytest.mark.parametrize("table", [*TABLES.values(), nullable_rows], ids=[*TABLES, "nullable"])
def test_a_row_of_a_table_of_steps_is_a_sequence(table):
    """A square one was read by columns, each step for another sequence."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(6, 6, 1))
    y, weight = X.cumsum(axis=1)[..., 0], rng.random((6, 6))
    y[2, 3] = np.nan
    expected = regressor(pooling=None).fit(X, y, weight)
    model = regressor(pooling=None).fit(X, table(y), table(weight))
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    for score in (model.score, partial(masked_scoring("r2"), model)):
        found = score(X, table(y), sample_weight=table(weight))
        assert found == pytest.approx(score(X, y, sample_weight=weight))
    labels = np.where(X[..., 0] > 0, "up", "down")
    tagger = LSTMClassifier(4, pooling=None, max_epochs=1, random_state=0)
    np.testing.assert_array_equal(
        tagger.fit(X, table(labels)).predict_proba(X), tagger.fit(X, labels).predict_proba(X)
    )
