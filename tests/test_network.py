import warnings

import numpy as np
import pytest
import torch

from sklstm._nn.cells import CELLS
from sklstm._nn.cells.layers import StackedLayers
from sklstm._nn.network import SequenceNetwork
from sklstm._nn.poolings import POOLINGS

every_cell = pytest.mark.parametrize("cell", CELLS)
every_pooling = pytest.mark.parametrize("pooling", POOLINGS)
every_direction = pytest.mark.parametrize("bidirectional", [False, True])

N_FEATURES, N_OUTPUTS, HIDDEN_SIZE = 2, 2, 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# The equations are those of torch.nn.LSTM, GRU and RNN in
# https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers, gates in the order of the weights.
# `a` is what comes from the step, `b` what comes from the state, both with their bias.


def lstm_step(a, b, h, c):
    i, f, g, o = np.split(a + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(a, b, h, c):
    # The reset gate comes after the recurrent product and its bias, as in version 1 of Cho et al.
    # (arXiv:1406.1078v1) and in cuDNN; version 3 has it before.
    (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3), np.split(b, 3)
    z = sigmoid(a_z + b_z)
    n = np.tanh(a_n + sigmoid(a_r + b_r) * b_n)
    return (1 - z) * n + z * h, c


def rnn_step(a, b, h, c):
    return np.tanh(a + b), c


STEP_EQUATIONS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}


def read_by_numpy(weights, layer, steps, cell):
    w_ih, w_hh, b_ih, b_hh = (
        weights[f"recurrent.{name}_{layer}"]
        for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    )
    h = c = np.zeros(HIDDEN_SIZE)
    outputs = []
    for step in steps:
        h, c = STEP_EQUATIONS[cell](w_ih @ step + b_ih, w_hh @ h + b_hh, h, c)
        outputs.append(h)
    return np.array(outputs)


def pool_by_numpy(weights, outputs, pooling):
    if pooling == "last":
        return np.concatenate([outputs[-1, :HIDDEN_SIZE], outputs[0, HIDDEN_SIZE:]])
    if pooling == "attention":
        importance = np.exp(np.tanh(outputs) @ weights["pooling.score.weight"][0])
        return importance @ outputs / importance.sum()
    return {"mean": np.mean, "max": np.max}[pooling](outputs, axis=0)


def predict_by_numpy(weights, steps, cell, pooling):
    """Output of one sequence (n_steps, n_features)."""
    if not len(steps):
        return weights["head.bias"]
    for layer in ["l0", "l1"]:
        if f"recurrent.weight_ih_{layer}" in weights:
            outputs = read_by_numpy(weights, layer, steps, cell)
            if f"recurrent.weight_ih_{layer}_reverse" in weights:
                backwards = read_by_numpy(weights, f"{layer}_reverse", steps[::-1], cell)[::-1]
                outputs = np.concatenate([outputs, backwards], axis=1)
            steps = outputs
    pooled = pool_by_numpy(weights, steps, pooling)
    return weights["head.weight"] @ pooled + weights["head.bias"]


def derivative(function, array, step=1e-5):
    """Central differences of a number with respect to every element of an array."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        original = array[place]
        array[place] = original + step
        above = function()
        array[place] = original - step
        gradient[place] = (above - function()) / (2 * step)
        array[place] = original
    return gradient


def make_network(device="cpu", dtype=torch.float64, **params):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = SequenceNetwork(N_FEATURES, N_OUTPUTS, HIDDEN_SIZE, dtype=dtype, **params)
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=0.7)  # torch's own are too small to tell gates apart
    return network.to(device).eval()


def make_sequences(*lengths):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, N_FEATURES)) for length in lengths]


def pad(sequences, device="cpu", dtype=torch.float64):
    """What `SequenceDataset.batch` makes of sequences: steps, and lengths if they differ."""
    lengths = [len(sequence) for sequence in sequences]
    longest = max(*lengths, 1)
    steps = np.zeros((longest, len(sequences), N_FEATURES))
    for column, sequence in enumerate(sequences):
        steps[: len(sequence), column] = sequence
    ragged = min(lengths) < longest
    steps = torch.tensor(steps, device=device, dtype=dtype)
    return steps, torch.tensor(lengths, dtype=torch.int32, device=device) if ragged else None


def as_arrays(network):
    return {name: weight.numpy(force=True).copy() for name, weight in network.state_dict().items()}


@every_cell
@every_pooling
@every_direction
@pytest.mark.parametrize("num_layers", [1, 2])
def test_outputs_are_those_of_the_equations(cell, pooling, bidirectional, num_layers, device):
    network = make_network(
        device, cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=num_layers
    )
    sequences = make_sequences(3, 0, 7, 1, 7)
    expected = [predict_by_numpy(as_arrays(network), x, cell, pooling) for x in sequences]
    outputs = network(*pad(sequences, device)).numpy(force=True)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-10)


@every_cell
@every_pooling
@every_direction
def test_gradients_are_those_of_the_equations(cell, pooling, bidirectional, device):
    network = make_network(
        device, cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2
    ).train()  # cuDNN has no gradients in eval mode
    sequences = make_sequences(0, 3, 1)
    mix = np.random.default_rng(1).normal(size=(len(sequences), N_OUTPUTS))
    steps, lengths = pad(sequences, device)
    outputs = network(steps.requires_grad_(), lengths)
    (outputs * torch.tensor(mix, device=device)).sum().backward()

    weights = as_arrays(network)

    def mixed():
        outputs = [predict_by_numpy(weights, x, cell, pooling) for x in sequences]
        return np.sum(mix * outputs)

    for name, weight in network.named_parameters():
        np.testing.assert_allclose(
            weight.grad.numpy(force=True), derivative(mixed, weights[name]), atol=1e-8, err_msg=name
        )
    for column, sequence in enumerate(sequences):
        gradient = steps.grad[: len(sequence), column].numpy(force=True)
        np.testing.assert_allclose(gradient, derivative(mixed, sequence), atol=1e-8)


@every_cell
@every_pooling
@every_direction
def test_steps_behind_the_end_get_no_gradient(cell, pooling, bidirectional, device):
    network = make_network(
        device, cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2
    ).train()
    steps, lengths = pad(make_sequences(2, 0, 5, 1), device)
    network(steps.requires_grad_(), lengths).sum().backward()
    reached = (steps.grad != 0).any(2).cpu()
    behind = torch.arange(len(steps), device=device)[:, None] >= lengths
    assert not reached[behind.cpu()].any()
    assert torch.equal(reached[0], lengths.cpu() > 0)


@every_cell
@every_pooling
@every_direction
@pytest.mark.parametrize("lengths", [[4, 0], [0, 0]])
def test_an_empty_sequence_gives_the_bias(cell, pooling, bidirectional, lengths, device):
    network = make_network(device, cell=cell, pooling=pooling, bidirectional=bidirectional)
    outputs = network(*pad(make_sequences(*lengths), device))
    assert torch.equal(outputs[-1], network.head.bias)


@every_cell
@every_pooling
@every_direction
def test_predictions_do_not_depend_on_the_company(cell, pooling, bidirectional, device):
    network = make_network(
        device, torch.float32, cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2
    )

    def predict(sequences):
        with torch.no_grad():
            return network(*pad(sequences, device, torch.float32)).numpy(force=True)

    sequences = make_sequences(7, 0, 30, 1, 30, 2, 0, 12)
    order = np.random.default_rng(0).permutation(len(sequences))
    together = predict(sequences)
    alone = np.concatenate([predict([sequence]) for sequence in sequences])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)
    shuffled = predict([sequences[row] for row in order])
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-5)


@every_cell
@every_pooling
@every_direction
def test_no_lengths_mean_full_length(cell, pooling, bidirectional, device):
    network = make_network(device, cell=cell, pooling=pooling, bidirectional=bidirectional)
    steps, lengths = pad(make_sequences(4, 4, 4), device)
    assert lengths is None
    full = network(steps, torch.full((3,), 4, device=device))
    torch.testing.assert_close(network(steps), full, rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_does_nothing_in_prediction(num_layers, device):
    batch = pad(make_sequences(5, 2), device)
    network = make_network(device, num_layers=num_layers, dropout=0.5)
    without = make_network(device, num_layers=num_layers)
    assert torch.equal(network(*batch), network(*batch))
    assert torch.equal(network(*batch), without(*batch))


@pytest.mark.parametrize("place", ["in front of the head", "between the layers"])
def test_dropout_acts_in_training(place, device):
    network = make_network(device, num_layers=2, dropout=0.5).train()
    if place == "in front of the head":
        network.recurrent.dropout = 0.0
    else:
        network.dropout = 0.0
    batch = pad(make_sequences(*[5] * 20), device)
    assert not torch.equal(network(*batch), network(*batch))


@every_cell
def test_dropout_does_not_depend_on_lengths(cell):
    network = make_network(cell=cell, bidirectional=True, num_layers=3, dropout=0.5).train()
    steps, _ = pad(make_sequences(*[5] * 20))
    outputs = []
    for lengths in (None, torch.full((20,), 5)):
        torch.manual_seed(0)
        outputs.append(network(steps, lengths))
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-12)


def test_dropout_with_one_layer_raises_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_network(num_layers=1, dropout=0.5)


def test_dropout_hides_whole_tokens_in_training_where_a_sequence_has_one_output():
    tokens = torch.full((50, 40, 1), 3)
    lengths = torch.full((40,), 50)
    for pooling, in_training, share in [("max", True, 0.15), ("max", False, 0), (None, True, 0)]:
        network = SequenceNetwork(
            1, 1, 4, n_tokens=5, embedding_dim=2, dropout=0.3, pooling=pooling
        ).train(in_training)
        read = []
        network.embedding.register_forward_pre_hook(lambda _, given, read=read: read.append(given))
        network(tokens, lengths)
        hidden = (read[0][0] == 0).double().mean().item()
        assert abs(hidden - share) < 0.05
        assert set(read[0][0].unique().tolist()) <= {0, 3}


@pytest.mark.parametrize(
    ("pooling", "n_tokens", "deviation"),
    [("max", 1000, 0.1), ("last", 257, 0.1), ("max", 256, 1), (None, 1000, 1), (None, 60, 1)],
)
def test_vectors_of_words_begin_small_where_a_text_has_one_output(pooling, n_tokens, deviation):
    network = SequenceNetwork(1, 1, 4, n_tokens=n_tokens, embedding_dim=200, pooling=pooling)
    assert network.embedding.weight.std().item() == pytest.approx(deviation, rel=0.05)


# Shapes


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", [*POOLINGS, None])
@pytest.mark.parametrize("shape", [(4, 5, 1), (4, 5, 3), (4, 5, 20), (4, 5), (5,), (1, 4, 5, 2)])
def test_steps_of_another_shape_are_refused(cell, bidirectional, pooling, shape):
    network = make_network(cell=cell, bidirectional=bidirectional, pooling=pooling, num_layers=2)
    with pytest.raises(ValueError, match=rf"shape .* and must have \(n_steps, .*, {N_FEATURES}\)"):
        network(torch.zeros(shape, dtype=torch.float64))


def test_tokens_of_another_shape_are_refused():
    network = SequenceNetwork(1, 1, 4, n_tokens=5, embedding_dim=2)
    assert network(torch.zeros(4, 5, 1, dtype=int)).shape == (5, 1)
    with pytest.raises(ValueError, match=r"shape \(4, 5\) and must have \(n_steps, n_seq.*, 1\)"):
        network(torch.zeros(4, 5, dtype=int))


@pytest.mark.parametrize("lengths", [[1], [1, 2], [[1], [1], [1], [1], [1]]])
def test_lengths_of_another_number_are_refused(lengths):
    network = make_network(pooling="mean")
    with pytest.raises(ValueError, match=r"lengths have the shape .* and must have \(5,\)"):
        network(torch.zeros(4, 5, N_FEATURES, dtype=torch.float64), torch.tensor(lengths))


def test_a_cell_without_nodes_of_onnx_is_named():
    class Plain(StackedLayers):
        make_layer = torch.nn.Linear

    with pytest.raises(ValueError, match="to_onnx cannot write layers of the cell Plain"):
        Plain(2, 3).to_onnx(None, "steps", "lengths")
