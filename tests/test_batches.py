import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from sklstm._data.sequences import Sequences
from sklstm._data.statistics import standardization
from sklstm._nn.batches import BatchLoader
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.scaling import InputScaling

LENGTHS = [4, 0, 1, 4, 2, 4, 0]
SOME_ROWS = [[0, 1, 2], [0, 3, 5], [2], [1], [1, 6], [6, 5, 4, 3, 2, 1, 0], [4, 4, 2]]
MEAN, SCALE = np.array([5.0, -1.0]), np.array([2.0, 0.5])


def make_sequences(lengths=LENGTHS):
    """Overlapping windows, with steps before, between and behind them that none uses."""
    starts = 3 + np.cumsum([length // 2 + 1 for length in lengths])
    values = np.random.default_rng(0).normal(size=(starts[-1] + lengths[-1] + 5, 2))
    sequences = Sequences(values, starts, lengths)
    sequences.values[sequences.step_weights() == 0] = [np.nan, -np.inf]
    return sequences


def make_windows(values, window_size=3):
    """One window a row, shorter at the start."""
    ends = np.arange(len(values)) + 1
    starts = np.maximum(ends - window_size, 0)
    return Sequences(values, starts, ends - starts)


def make_dataset(sequences, mean=MEAN, scale=SCALE, *, device="cpu", dtype=torch.float64, **kwargs):
    device = torch.device(device)
    scaling = InputScaling(mean, scale)
    return SequenceDataset(sequences, scaling, device=device, dtype=dtype, **kwargs)


def numbered(n_sequences, device="cpu"):
    """Dataset in which the target of each row is its number."""
    sequences = Sequences(np.ones((1, 2)), np.zeros(n_sequences), np.ones(n_sequences))
    return make_dataset(sequences, device=device, target=np.arange(n_sequences)[:, None])


def rows_of(batch):
    return batch[1][0][:, 0].int().tolist()


def rows_in(loader):
    return [row for batch in loader for row in rows_of(batch)]


def standardization_by_loop(sequences, weight):
    steps, weights = [], []
    for sequence, sequence_weight in zip(sequences, weight, strict=True):
        for step in sequence:
            steps.append(step)
            weights.append(sequence_weight)
    mean = np.average(steps, axis=0, weights=weights)
    return mean, np.sqrt(np.average((steps - mean) ** 2, axis=0, weights=weights))


def assert_standardization(sequences, weight, expected, rtol=1e-12):
    for given, wanted in zip(standardization(sequences, weight), expected, strict=True):
        np.testing.assert_allclose(given, wanted, rtol=rtol)


def assert_standardised_float32(values):
    sequences = Sequences(values, starts=[0], lengths=[500])
    dataset = make_dataset(sequences, *standardization(sequences), dtype=torch.float32)
    (steps, _), _ = dataset.batch(np.array([0]))
    mean, scale = standardization_by_loop(sequences, [1.0])
    np.testing.assert_allclose(steps[:, 0], (values - mean) / scale, rtol=0, atol=2e-6)


@pytest.mark.parametrize("rows", SOME_ROWS)
def test_batch_is_that_of_a_loop(rows, device):
    sequences = make_sequences()
    (steps, _), _ = make_dataset(sequences, device=device).batch(np.array(rows))
    expected = np.zeros((max(*(LENGTHS[row] for row in rows), 1), len(rows), 2))
    for column, row in enumerate(rows):
        for number, step in enumerate(sequences[row]):
            expected[number, column] = (step - MEAN) / SCALE
    assert steps.device.type == device
    np.testing.assert_allclose(steps.numpy(force=True), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "key", [slice(2, None), slice(None), slice(None, 1, -1), slice(5, None, 2)]
)
@pytest.mark.parametrize("rows", [slice(0, 4), slice(3, 5), slice(6, 100)])
def test_a_slice_is_what_its_rows_are(key, rows, device):
    values = np.random.default_rng(0).normal(size=(18, 2))
    windows = make_windows(values)[key]
    target, weight = np.arange(len(windows))[:, None], np.arange(1.0, len(windows) + 1)
    dataset = make_dataset(windows, target=target, weight=weight, device=device)
    (steps, lengths), targets = dataset.batch(rows)
    (wanted_steps, wanted_lengths), wanted_targets = dataset.batch(np.arange(len(windows))[rows])
    assert torch.equal(steps, wanted_steps)
    assert lengths is wanted_lengths or torch.equal(lengths, wanted_lengths)
    for given, wanted in zip(targets, wanted_targets, strict=True):
        assert torch.equal(given, wanted)


def test_a_slice_has_the_targets_of_all_its_steps(device):
    windows = make_windows(np.random.default_rng(0).normal(size=(18, 2)))[2:]
    target, weight = np.arange(48.0)[:, None], np.arange(1.0, 49)
    dataset = make_dataset(windows, target=target, weight=weight, of_steps=True, device=device)
    _, targets = dataset.batch(slice(4, 9))
    _, wanted = dataset.batch(np.arange(4, 9))
    assert targets[0].shape == (3, 5, 1)
    assert torch.equal(targets[0], wanted[0])
    assert torch.equal(targets[1], wanted[1])


@pytest.mark.parametrize("rows", SOME_ROWS)
def test_lengths_are_given_exactly_if_they_are_needed(rows, device):
    (steps, lengths), _ = make_dataset(make_sequences(), device=device).batch(np.array(rows))
    expected = [LENGTHS[row] for row in rows]
    if all(length == len(steps) for length in expected):
        assert lengths is None
    else:
        assert lengths.device.type == device
        assert lengths.tolist() == expected


def test_targets_and_weights_come_with_their_rows(device):
    target, weight = np.random.default_rng(0).normal(size=(7, 3)), np.arange(7.0)
    dataset = make_dataset(make_sequences(), device=device, target=target, weight=weight)
    _, given = dataset.batch(np.array([5, 0, 0]))
    assert all(part.device.type == device for part in given)
    np.testing.assert_array_equal(given[0].numpy(force=True), target[[5, 0, 0]])
    np.testing.assert_array_equal(given[1].numpy(force=True), [5, 0, 0])


def test_without_target(device):
    _, targets = make_dataset(make_sequences(), device=device).batch(np.array([5, 0]))
    assert targets == (None, None)


@pytest.mark.parametrize("weight", [None, np.full(7, 3.0)])
def test_equal_weights_are_no_weights(weight, device):
    dataset = make_dataset(make_sequences(), device=device, target=np.ones((7, 1)), weight=weight)
    _, (_, given) = dataset.batch(np.array([5, 0]))
    assert given is None


@pytest.mark.parametrize("unused", [np.nan, np.inf, 1e300])
def test_unused_steps_never_reach_a_batch(unused, device):
    sequences = make_sequences()
    sequences.values[sequences.step_weights() == 0] = unused
    dataset = make_dataset(sequences, device=device, dtype=torch.float32)
    for rows in SOME_ROWS:
        (steps, _), _ = dataset.batch(np.array(rows))
        assert steps.abs().max() < 100


def test_only_the_range_in_use_goes_to_the_device(device):
    sequences = Sequences(np.zeros((1000, 2)), starts=[503, 500], lengths=[4, 2])
    dataset = make_dataset(sequences, device=device)
    padding = 1
    assert dataset.values.shape == (7 + padding, 2)
    assert dataset.values.device.type == device


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_have_the_dtype_asked_for(dtype):
    dataset = make_dataset(
        make_sequences(), dtype=dtype, target=np.ones((7, 1)), weight=np.arange(7)
    )
    (steps, _), (target, weight) = dataset.batch(np.array([0, 1]))
    assert steps.dtype == target.dtype == weight.dtype == dtype


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", ">f8"])
def test_tables_of_any_dtype(dtype):
    values = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype)
    dataset = make_dataset(Sequences(values, starts=[0], lengths=[3]), dtype=torch.float32)
    (steps, _), _ = dataset.batch(np.array([0]))
    np.testing.assert_allclose(steps[:, 0], (values.astype(float) - MEAN) / SCALE, rtol=1e-6)


@pytest.mark.parametrize("key", [slice(None, None, -1), [4, 2, 5], slice(2, 5)])
def test_a_selection_is_a_dataset_of_its_own(key):
    sequences = make_sequences()
    rows = np.arange(len(sequences))[key].copy()  # torch takes no negative strides
    (steps, _), _ = make_dataset(sequences[key]).batch(np.arange(len(rows)))
    (expected, _), _ = make_dataset(sequences).batch(rows)
    assert torch.equal(steps, expected)


@pytest.fixture
def warn_always():
    """Let torch repeat warnings that it gives only once in a process."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


def from_memmap(array, folder):
    np.save(folder / "array.npy", array)
    return np.load(folder / "array.npy", mmap_mode="r")


def read_only(array, folder=None):
    array = array.copy()
    array.flags.writeable = False
    return array


def from_pandas(array, folder):
    values = pd.DataFrame(array).to_numpy()
    values.flags.writeable = False  # pandas before 3 leaves it writeable
    return values


@pytest.mark.usefixtures("warn_always")
@pytest.mark.parametrize("make", [from_memmap, read_only, from_pandas])
def test_read_only_arrays_raise_no_warning(make, tmp_path):
    table = make(np.arange(12.0).reshape(6, 2), tmp_path)
    starts, lengths = read_only(np.arange(4)), read_only(np.full(4, 3, np.int32))
    target, weight = read_only(np.ones((4, 1))), read_only(np.ones(4))
    sequences = Sequences(table, starts, lengths)
    assert not sequences.values.flags.writeable
    assert not sequences.lengths.flags.writeable
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, scale = standardization(sequences, weight)
        dataset = make_dataset(sequences, mean, scale, target=target, weight=weight)
        assert len(list(BatchLoader(dataset, 3))) == 2


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("n_sequences", [1, 5, 6, 7])
def test_loader_gives_every_row_once(n_sequences, shuffle, device):
    loader = BatchLoader(numbered(n_sequences, device), 3, shuffle=shuffle)
    assert sorted(rows_in(loader)) == list(range(n_sequences))


@pytest.mark.parametrize("n_sequences", [1, 5, 6, 7])
def test_loader_fills_all_batches_but_the_last(n_sequences):
    loader = BatchLoader(numbered(n_sequences), 3)
    sizes = [len(rows_of(batch)) for batch in loader]
    assert len(loader) == len(sizes)
    assert sizes[:-1] == [3] * (len(sizes) - 1)


def test_loader_keeps_the_order_without_shuffle():
    assert rows_in(BatchLoader(numbered(50), 7)) == list(range(50))


def test_loader_shuffles_anew_every_time():
    loader = BatchLoader(numbered(50), 7, shuffle=True)
    first = rows_in(loader)
    assert first != list(range(50))
    assert first != rows_in(loader)


def test_loader_shuffles_by_the_seed_of_torch():
    loader = BatchLoader(numbered(50), 7, shuffle=True)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        first = rows_in(loader)
        torch.manual_seed(0)
        assert first == rows_in(loader)
        torch.manual_seed(1)
        assert first != rows_in(loader)


def test_loader_without_shuffle_draws_nothing():
    before = torch.random.get_rng_state()
    rows_in(BatchLoader(numbered(50), 7))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weighted", [False, True])
def test_standardization_is_that_of_a_loop(seed, weighted):
    rng = np.random.default_rng(seed)
    sequences = make_sequences(rng.integers(0, 9, size=20))
    weight = rng.random(20) + 0.1 if weighted else None
    expected = standardization_by_loop(sequences, weight if weighted else np.ones(20))
    assert_standardization(sequences, weight, expected)


@pytest.mark.parametrize("seed", range(5))
def test_integer_weights_equal_repeats(seed):
    rng = np.random.default_rng(seed)
    windows, weight = make_windows(rng.normal(size=(40, 2))), rng.integers(0, 4, size=40)
    repeated = windows[np.repeat(np.arange(40), weight)]
    assert_standardization(windows, weight, standardization(repeated))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("small", [0.0, 1e-30])  # recency weights like 0.5**age get that small
def test_sequences_of_no_weight_do_not_count(seed, small):
    # Fractions that are added and taken away again leave a rest, of either sign.
    weight = np.random.default_rng(seed).random(20)
    weight[10:] = small
    windows = make_windows(np.repeat([[7.0], [9.0]], 10, axis=0))
    assert_standardization(windows, weight, ([7.0], [1.0]))


def test_selections_ignore_the_steps_of_others():
    values = np.random.default_rng(0).normal(size=(40, 2))
    given = make_windows(values)[:20]
    alone = make_windows(values[:20])
    assert_standardization(given, None, standardization(alone))


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, -273.15, 1e9 + 0.1, 1e-300])
@pytest.mark.parametrize("n_steps", [1, 10, 100_000])
def test_constant_features_have_scale_1(constant, n_steps):
    sequences = Sequences(np.full((n_steps, 1), constant), starts=[0], lengths=[n_steps])
    mean, scale = standardization(sequences)
    np.testing.assert_allclose(mean, constant, rtol=1e-12)
    assert scale == 1


@pytest.mark.parametrize("n_sequences", [0, 2])
def test_nothing_used_changes_nothing(n_sequences):
    empty = np.zeros(n_sequences)
    mean, scale = standardization(Sequences(np.full((3, 2), np.nan), empty, empty))
    assert mean.tolist() == [0, 0]
    assert scale.tolist() == [1, 1]


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (1e4, 1e-3), (1e6, 1), (-1e9, 1), (1e9, 1e3)])
def test_standardised_float32_is_precise_far_from_zero(offset, size):
    values = offset + size * np.random.default_rng(0).normal(size=(500, 2))
    assert_standardised_float32(values)


@pytest.mark.parametrize("size", [1e-50, 1e-40, 1e40, 1e45])
def test_standardised_float32_is_precise_outside_the_range_of_float32(size):
    assert_standardised_float32(size * np.random.default_rng(0).normal(size=(500, 2)))
