"""The container against a plain Python model: a list of 2-D arrays."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm import Sequences, SequenceWindower

examples = settings(max_examples=60, deadline=None)
many_examples = settings(max_examples=200, deadline=None)


@st.composite
def containers(draw, min_length=0, min_size=0):
    """A container and its model. All steps differ, so that a wrong one is seen."""
    n_steps, n_features = draw(st.integers(min_length, 12)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([np.float64, np.float32, np.int64]))
    values = np.arange(n_steps * n_features, dtype=dtype).reshape(n_steps, n_features)
    bounds = st.integers(0, n_steps - min_length).flatmap(
        lambda start: st.tuples(st.just(start), st.integers(min_length, n_steps - start))
    )
    bounds = draw(st.lists(bounds, min_size=min_size, max_size=8))
    series = [draw(st.integers(-1, 1)) for _ in bounds]
    names = draw(st.sampled_from([None, ["temp", "rain", "wind"][:n_features]]))
    starts, lengths = [start for start, _ in bounds], [length for _, length in bounds]
    sequences = Sequences(values, starts, lengths, series, names)
    return sequences, [values[start : start + length] for start, length in bounds]


@st.composite
def keys(draw, n_sequences):
    """A key of many rows, and the rows as plain Python finds them."""
    rows = list(range(n_sequences))
    kind = draw(st.sampled_from(["slice", "integers", "mask"]))
    if kind == "slice":
        key = draw(st.slices(n_sequences))
        return key, rows[key]
    if kind == "mask":
        key = draw(st.lists(st.booleans(), min_size=n_sequences, max_size=n_sequences))
        chosen = [row for row in rows if key[row]]
    else:
        row = st.integers(-n_sequences, n_sequences - 1)
        key = draw(st.lists(row, max_size=8)) if rows else []
        chosen = [rows[row] for row in key]
    if draw(st.booleans()):
        key = np.array(key, dtype=bool if kind == "mask" else np.int32)
    return key, chosen


def windows(n_rows, window_size, horizon=0):
    table = np.arange(1.0, n_rows + 1)[:, None]
    return SequenceWindower(window_size, horizon=horizon).fit_transform(table)


def padded(model, n_steps, n_features):
    """The dense array, step by step."""
    dense = np.full((len(model), n_steps, n_features), np.nan)
    for row, sequence in enumerate(model):
        for lag in range(1, min(n_steps, len(sequence)) + 1):
            dense[row, -lag] = sequence[-lag]
    return dense


def relaid(sequences, model, **changes):
    """The same sequences in another layout: in reverse, with a step of NaN before each."""
    nothing = np.full((1, sequences.n_features), np.nan)
    starts, at, pieces = [], 0, [nothing]
    for sequence in reversed(model):
        starts.insert(0, at + 1)
        pieces += [sequence, nothing]
        at += len(sequence) + 1
    parts = {
        "values": np.concatenate(pieces),
        "starts": starts,
        "lengths": [len(sequence) for sequence in model],
        "series": sequences.series,
        "feature_names": sequences.feature_names,
    }
    return Sequences(**parts | changes)


def neighbours(sequences):
    """Pairs of rows that may be merged into one run."""
    starts, ends, series = sequences.starts, sequences.ends, sequences.series
    return {
        (i, j)
        for i in range(len(sequences))
        for j in range(len(sequences))
        if series[i] == series[j] >= 0
        and ends[j] - ends[i] == 1
        and starts[j] - starts[i] in (0, 1)
    }


def earlier(sequences):
    """Pairs of rows of one series in time order."""
    ends, series = sequences.ends, sequences.series
    return {
        (i, j)
        for i in range(len(sequences))
        for j in range(len(sequences))
        if series[i] == series[j] >= 0 and ends[i] < ends[j]
    }


def assert_holds(sequences, model):
    assert isinstance(sequences, Sequences)
    assert len(sequences) == len(model)
    for sequence, expected in zip(sequences, model, strict=True):
        np.testing.assert_array_equal(sequence, expected, strict=True)


@examples
@given(containers())
def test_container_looks_like_a_3d_array(container):
    sequences, model = container
    longest = max(map(len, model), default=0)
    assert sequences.shape == (len(model), longest, sequences.values.shape[1])
    assert sequences.max_length == longest
    assert sequences.ndim == 3
    assert sequences.dtype == sequences.values.dtype
    assert_holds(sequences, model)


@examples
@given(containers(), st.sampled_from([int, np.int32, np.int64, np.uint8]))
def test_one_integer_gives_an_array(container, integer):
    sequences, model = container
    first = 0 if integer is np.uint8 else -len(model)
    for row in range(first, len(model)):
        np.testing.assert_array_equal(sequences[integer(row)], model[row], strict=True)
        assert np.shares_memory(sequences[row], sequences.values) == (len(model[row]) > 0)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (3, "index 3 is out of bounds"),
        (-4, "index -4 is out of bounds"),
        ([0, 3], "index 3 is out of bounds"),
        (np.array([-4]), "index -4 is out of bounds"),
        ([True], "boolean axis is 1"),
        (np.array([True] * 4), "boolean axis is 4"),
    ],
)
def test_rows_past_the_end_are_an_error(key, message):
    with pytest.raises(IndexError, match=message):
        windows(3, 2)[key]


@many_examples
@given(st.data())
def test_rows_are_selected_as_from_a_list(data):
    sequences, model = data.draw(containers())
    key, rows = data.draw(keys(len(model)))
    for part in (sequences[key], sequences[key, ...]):
        assert_holds(part, [model[row] for row in rows])
        assert part.series.tolist() == [sequences.series[row] for row in rows]
        assert np.array_equal(part.feature_names, sequences.feature_names)
        assert part.values is sequences.values


@pytest.mark.parametrize("key", [(0, 1), (0, 0, 0), (slice(None), slice(None)), (0,)])
def test_steps_and_features_are_no_key(key):
    with pytest.raises(IndexError, match="indexed by sequence only; np.asarray"):
        windows(3, 2)[key]


@examples
@given(containers())
def test_dense_array_is_padded_on_the_left(container):
    sequences, model = container
    dense = np.asarray(sequences)
    np.testing.assert_array_equal(dense, padded(model, *sequences.shape[1:]))
    assert dense.shape == sequences.shape
    if sequences.dtype.kind == "f":
        assert dense.dtype == sequences.dtype


@examples
@given(containers(), st.integers(0, 15))
def test_dense_array_keeps_the_last_steps(container, n_steps):
    sequences, model = container
    expected = padded(model, n_steps, sequences.n_features)
    np.testing.assert_array_equal(sequences.to_dense(n_steps), expected)


@pytest.mark.parametrize(("lengths", "dtype"), [([2, 2], np.int16), ([2, 1], np.float32)])
def test_integers_become_floats_only_where_steps_are_missing(lengths, dtype):
    sequences = Sequences(np.ones((2, 1), np.int16), [0, 0], lengths)
    assert np.asarray(sequences).dtype == dtype


def test_dense_array_has_the_data_type_asked_for():
    dense = np.asarray(windows(3, 2), dtype=np.float32)
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense[..., 0], [[np.nan, 1], [1, 2], [2, 3]])


def test_dense_array_is_always_a_copy():
    block = np.zeros((2, 2, 1))
    sequences = Sequences.from_arrays(block)
    assert not np.shares_memory(np.array(sequences, copy=True), block)
    with pytest.raises(ValueError, match="has to be a copy"):
        np.asarray(sequences, copy=False)


@examples
@given(containers())
def test_frame_has_a_row_for_each_step(container):
    sequences, model = container
    frame = sequences.to_frame()
    steps = [(i, j) for i, sequence in enumerate(model) for j in range(len(sequence))]
    assert frame.index.tolist() == steps
    assert frame.index.names == ["sequence", "step"]
    assert frame.to_numpy().tolist() == [model[i][j].tolist() for i, j in steps]
    names = range(sequences.n_features)
    if sequences.feature_names is not None:
        names = sequences.feature_names
    assert list(frame.columns) == list(names)


@examples
@given(containers())
def test_equality_is_one_of_content_not_of_layout(container):
    sequences, model = container
    other = relaid(sequences, model)
    assert sequences == other
    assert other == sequences


@pytest.mark.parametrize(
    "changes",
    [
        {"values": np.array([[1.0], [2.0], [np.nan], [4.5]])},
        {"values": np.array([[1.0], [2.0], [3.0], [4.0]])},
        {"starts": [1, 0]},
        {"lengths": [2, 1]},
        {"starts": [0, 1], "lengths": [1, 3]},
        {"starts": [0], "lengths": [2], "series": [0]},
        {"series": [0, -1]},
        {"series": None},
        {"feature_names": ["b"]},
        {"feature_names": None},
    ],
)
def test_any_other_content_is_unequal(changes):
    parts = {
        "values": np.array([[1.0], [2.0], [np.nan], [4.0]]),
        "starts": [0, 2],
        "lengths": [2, 2],
        "series": [0, 0],
        "feature_names": ["a"],
    }
    assert Sequences(**parts) == Sequences(**parts)
    assert Sequences(**parts) != Sequences(**parts | changes)


def test_another_number_of_features_is_unequal_without_steps_too():
    assert Sequences(np.zeros((0, 1)), [0], [0]) != Sequences(np.zeros((0, 2)), [0], [0])


@pytest.mark.parametrize("other", [None, 1, "abc", [[[1.0]]]])
def test_nothing_else_is_equal(other):
    assert Sequences([[1.0]], [0], [1]) != other


def test_container_is_not_hashable():
    with pytest.raises(TypeError, match="unhashable"):
        hash(windows(3, 2))


@examples
@given(containers(), st.lists(st.integers(0, 8), max_size=3))
def test_concatenated_parts_of_one_container_stay_in_it(container, cuts):
    sequences, _ = container
    cuts = [0, *sorted(cuts), len(sequences)]
    parts = [sequences[first:behind] for first, behind in pairwise(cuts)]
    whole = Sequences.concat(iter(parts))
    assert whole == sequences
    assert whole.values is sequences.values
    assert whole.starts.tolist() == sequences.starts.tolist()


@examples
@given(st.lists(containers(), min_size=1, max_size=3), st.data())
def test_concatenation_keeps_containers_apart(drawn, data):
    nameless = [Sequences(s.values[:, :1], s.starts, s.lengths, s.series) for s, _ in drawn]
    places = [(p, row) for p in range(len(drawn)) for row in range(len(drawn[p][1]))]
    places = data.draw(st.permutations(places)) if places else []
    parts = [nameless[p][row : row + 1] for p, row in places] or nameless
    whole = Sequences.concat(parts)
    dtype = np.result_type(*(part.dtype for part in parts))
    assert_holds(whole, [drawn[p][1][row][:, :1].astype(dtype) for p, row in places])
    codes = [(p, nameless[p].series[row]) for p, row in places]
    for i, (_, series) in enumerate(codes):
        assert (whole.series[i] == -1) == (series == -1)
        for j in range(i):
            if series >= 0:
                assert (whole.series[i] == whole.series[j]) == (codes[i] == codes[j])


@examples
@given(containers())
def test_step_weights_count_the_sequences_that_use_a_step(container):
    sequences, _ = container
    counts = [0] * len(sequences.values)
    for start, end in zip(sequences.starts, sequences.ends, strict=True):
        for step in range(start, end):
            counts[step] += 1
    assert sequences.step_weights().tolist() == counts


@examples
@given(containers(), st.data())
def test_step_weights_add_up_the_weights_of_sequences(container, data):
    sequences, _ = container
    size = len(sequences)
    positive = st.floats(0, 10, allow_subnormal=False)
    weights = data.draw(st.lists(positive, min_size=size, max_size=size))
    expected = np.zeros(len(sequences.values))
    for start, end, weight in zip(sequences.starts, sequences.ends, weights, strict=True):
        expected[start:end] += weight
    found = sequences.step_weights(weights)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert not found[sequences.step_weights() == 0].any()


@pytest.mark.parametrize("weight", [0.0, 5e-324, 1e-300, 0.1, 1e300])
def test_step_weights_may_have_any_size(weight):
    sequences = Sequences([[1.0], [2.0], [3.0]], starts=[1], lengths=[1])
    expected = [0, pytest.approx(weight, rel=1e-12, abs=0), 0]
    assert sequences.step_weights([weight]).tolist() == expected


@many_examples
@given(containers())
def test_compact_and_pickle_are_equal_to_the_original(container):
    sequences, model = container
    for other in (sequences.compact(), pickle.loads(pickle.dumps(sequences))):
        assert other == sequences
        assert_holds(other, model)
        assert len(other.values) <= len(sequences.values)


def test_compact_keeps_what_is_compact():
    sequences = windows(5, 2)
    assert sequences.compact() is sequences


def test_compact_keeps_one_zero_step_for_each_gap():
    sequences = windows(10, 1)[[1, 2, 6, 8]].compact()
    assert sequences.values[:, 0].tolist() == [2, 3, 0, 7, 0, 9]


def test_a_slice_ships_only_its_own_steps():
    sequences = windows(100_000, 100)
    for part in (sequences[500:501], sequences[[7, 500, 90_000]], sequences[:0]):
        assert len(pickle.dumps(part)) < 4_000
    assert len(pickle.dumps(sequences[500:1500])) < 40_000


@many_examples
@given(containers(min_length=1, min_size=2))
def test_compact_neither_makes_nor_parts_neighbours(container):
    compact = container[0].compact()
    assert neighbours(compact) == neighbours(container[0])
    assert earlier(compact) == earlier(container[0])


@pytest.mark.parametrize("horizon", [0, 2])
@pytest.mark.parametrize("window_size", [1, 2, 3])
@examples
@given(st.lists(st.integers(0, 11), min_size=2, max_size=8, unique=True))
def test_windows_that_were_not_neighbours_do_not_become_so(window_size, horizon, rows):
    part = windows(12, window_size, horizon)[rows]
    assert neighbours(part.compact()) == neighbours(part)


@many_examples
@given(containers(min_size=2))
def test_compact_keeps_the_place_of_empty_sequences(container):
    compact = container[0].compact()
    assert neighbours(compact) <= neighbours(container[0])
    assert earlier(compact) == earlier(container[0])


@examples
@given(containers())
def test_deepcopy_is_equal_and_apart(container):
    sequences, _ = container
    other = copy.deepcopy(sequences)
    assert other == sequences
    assert not np.shares_memory(other.values, sequences.values)
    assert not np.shares_memory(other.starts, sequences.starts)


@examples
@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3))
def test_3d_array_is_not_copied(n_sequences, n_steps, n_features):
    block = np.random.default_rng(0).normal(size=(n_sequences, n_steps, n_features))
    sequences = Sequences.from_arrays(block)
    assert_holds(sequences, list(block))
    assert np.shares_memory(sequences.values, block) == (block.size > 0)
    assert (sequences.series == -1).all()


@examples
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.booleans())
def test_list_of_arrays(lengths, nested):
    model = [np.full((length, 2), float(number)) for number, length in enumerate(lengths)]
    if nested:  # the shape of an empty list is not known
        model = [array for array in model if len(array)] or [np.ones((1, 2))]
    sequences = Sequences.from_arrays([array.tolist() for array in model] if nested else model)
    assert_holds(sequences, model)
    assert (sequences.series == -1).all()
    assert sequences.feature_names is None


def test_dataframes_of_a_list_give_the_names():
    frames = [pd.DataFrame({"temp": [1.0, 2.0], "rain": [3.0, 4.0]}) for _ in range(2)]
    assert Sequences.from_arrays(frames).feature_names.tolist() == ["temp", "rain"]
    named = Sequences.from_arrays(frames, feature_names=["a", "b"])
    assert named.feature_names.tolist() == ["a", "b"]


def test_dataframes_of_a_list_agree_about_their_columns():
    frame = pd.DataFrame({"temp": [1.0], "rain": [2.0]})
    with pytest.raises(ValueError, match="rain"):
        Sequences.from_arrays([frame, frame[["rain", "temp"]]])


@pytest.mark.parametrize("as_block", [True, False])
@many_examples
@given(st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=6))
def test_nan_padding_is_cut_off_at_the_ends_only(as_block, present):
    """0: no feature of the step is there; 1: one feature is; 2: both are."""
    block = np.full((len(present), 5, 2), np.nan)
    model = []
    for i, counts in enumerate(present):
        for j, count in enumerate(counts):
            block[i, j, :count] = 10 * i + j
        kept = [j for j in range(5) if counts[j]]
        model.append(block[i, kept[0] : kept[-1] + 1] if kept else np.empty((0, 2)))
    arrays = block if as_block else list(block)
    assert_holds(Sequences.from_arrays(arrays, padding="nan"), model)
    assert_holds(Sequences.from_arrays(arrays), list(block))


def test_integers_have_no_nan_padding():
    block = np.zeros((2, 3, 1), dtype=int)
    assert_holds(Sequences.from_arrays(block, padding="nan"), list(block))


@pytest.mark.parametrize(
    ("sequences", "text"),
    [
        (
            Sequences(np.zeros((3, 2)), [0, 1], [3, 1], feature_names=["temp", "rain"]),
            "Sequences: 2 independent sequences of 1 to 3 steps, 2 features (temp, rain), float64",
        ),
        (
            Sequences(np.zeros((3, 1), np.int32), [0, 1, 2], [1, 1, 1], [0, 4, -1]),
            "Sequences: 3 sequences from 2 series of 1 steps, 1 features, int32",
        ),
        (
            Sequences(np.zeros((0, 1)), [], []),
            "Sequences: 0 independent sequences of 0 steps, 1 features, float64",
        ),
    ],
)
def test_repr_says_what_it_is(sequences, text):
    assert repr(sequences) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [0], [1]), r"\(n_steps, n_features\), got \(1,\)"),
        ((np.zeros((1, 1, 1)), [0], [1]), r"got \(1, 1, 1\)"),
        (([[1.0]], [0, 0], [1]), r"shapes \(2,\), \(1,\) and \(2,\)"),
        (([[1.0]], [0], [1], [0, 0]), r"shapes \(1,\), \(1,\) and \(2,\)"),
        (([[1.0]], [[0]], [[1]], [[0]]), r"1-D .* \(1, 1\), \(1, 1\) and \(1, 1\)"),
        (([[1.0]], [0], [1], None, ["a", "b"]), "2 feature names for 1 features"),
        (([[1.0]], [0, -1], [1, 1]), "Sequence 1 starts at step -1 with length 1.* 0 to 0 only"),
        (([[1.0]], [0, 0], [1, -1]), "Sequence 1 starts at step 0 with length -1"),
        (([[1.0]], [1], [1]), "Sequence 0 starts at step 1 with length 1"),
        (([[1.0]], [0], [2]), "Sequence 0 starts at step 0 with length 2"),
        (([[1.0]], [0.5], [1]), "starts must hold whole numbers of int64, got 0.5"),
        (([[1.0]], [0], [0.5]), "lengths must hold whole numbers of int32, got 0.5"),
        (([[1.0]], [0], [2**32 + 1]), "lengths must hold whole numbers of int32, got 4294967297"),
        (([[1.0]], [0], [1], [0.5]), "series must hold whole numbers of int32, got 0.5"),
        (
            ([[1.0]], [0], [1], None, None, None, None, {"a": ("x",)}),
            "the column 'a'; expected",
        ),
        (([[1.0]], [0], [1], None, None, None, None, {1: ("x",)}), "names the column 1; .* 0 to 0"),
        (([[1.0]], ["0"], [1]), "starts must hold whole numbers, got <U1"),
    ],
)
def test_parts_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sequences(*arguments)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ([], {}, "the list is empty"),
        ([np.ones((2, 1)), np.ones(2)], {}, r"Sequence 1 has the shape \(2,\).*array\[:, None\]"),
        ([np.ones((2, 2, 2))], {}, r"Sequence 0 has the shape \(2, 2, 2\)"),
        ([np.ones((2, 1)), np.ones((2, 3))], {}, "Sequence 1 has 3 features, sequence 0 has 1"),
        (np.ones((2, 2, 1)), {"padding": "zeros"}, "None or 'nan', got 'zeros'"),
        (np.ones((2, 2, 1)), {"padding": np.nan}, "None or 'nan', got nan"),
        (np.ones((2, 2, 1)), {"feature_names": ["a", "b"]}, "2 feature names for 1 features"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        Sequences.from_arrays(arrays, **options)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "parts is empty"),
        (
            [Sequences([[1.0]], [0], [1]), Sequences([[1.0]], [0], [1], feature_names=["a"])],
            r"Part 1 has the features \['a'\], part 0 has None",
        ),
        (
            [Sequences([[1.0]], [0], [1]), Sequences([[1.0, 2.0]], [0], [1])],
            "has size 1 and the array at index 1 has size 2",
        ),
    ],
)
def test_parts_of_different_features_are_not_concatenated(parts, message):
    with pytest.raises(ValueError, match=message):
        Sequences.concat(parts)


# From a long table


def long_table():
    return pd.DataFrame(
        {
            "id": ["b", "a", "b", "c", "a", "b"],
            "temp": [1.0, 2, 3, 4, 5, 6],
            "rain": [1, 0, 0, 1, 1, 0],
            "label": ["wet", "dry", "wet", "wet", "dry", "wet"],
        }
    )


def test_from_frame_makes_a_sequence_of_each_id_in_order_of_appearance():
    sequences, labels = Sequences.from_frame(long_table(), by="id", target="label")
    assert [sequence.tolist() for sequence in sequences] == [
        [[1, 1], [3, 0], [6, 0]],
        [[2, 0], [5, 1]],
        [[4, 1]],
    ]
    assert (sequences.series == -1).all()
    assert list(sequences.feature_names) == ["temp", "rain"]
    assert labels.to_dict() == {"b": "wet", "a": "dry", "c": "wet"}


@pytest.mark.parametrize("by", ["id", ["id"], ["id", "label"]])
def test_from_frame_takes_index_levels_and_several_columns(by):
    expected = Sequences.from_frame(long_table().drop(columns="label"), by="id")
    table = long_table() if "label" in by else long_table().drop(columns="label")
    assert Sequences.from_frame(table, by=by) == expected
    assert Sequences.from_frame(table.set_index(by), by=by) == expected


def test_from_frame_names_what_is_wrong():
    table = long_table()
    with pytest.raises(ValueError, match="by='walk' is neither a column nor an index level"):
        Sequences.from_frame(table, by="walk")
    with pytest.raises(ValueError, match="Column 'label' of X .* 'wet'"):
        Sequences.from_frame(table, by="id")
    table.loc[4, "label"] = "wet"
    with pytest.raises(ValueError, match="'a' has several labels in 'label': 'dry' .* row 4"):
        Sequences.from_frame(table, by="id", target="label")
    with pytest.raises(ValueError, match="Time must increase"):
        Sequences.from_frame(long_table()[::-1], by="id", target="label")
