"""Network: layers in order; what it refuses, leaves out, and asks of layers that are not ours."""

import copy
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from numerical import complex_step, relative_error

from mlp import SGD, Adam, L2Penalty, Layer, Network, SquaredError, train
from mlp.layers import Recompute


def make(*sizes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return Network([Layer.initialize(n_in, n_out, "tanh", rng=rng, dtype=dtype) for n_in, n_out in pairwise(sizes)])


def test_no_layers_and_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        Network([])
    with pytest.raises(ValueError, match="layer 2 takes 4 inputs, but layer 1 below it has 3 outputs"):
        Network([make(2, 3).layers[0], make(4, 5).layers[0]])


def test_forward_backward_and_call_agree():
    network = make(4, 5, 3)
    X = np.random.default_rng(1).normal(size=(4, 7))
    values = network.forward(X)
    assert [v.H.shape for v in values] == [(5, 7), (3, 7)]
    assert np.array_equal(network(X), values[-1].H)
    bars = network.backward(values, np.ones((3, 7)))
    assert bars[0].H_in_bar is None
    assert network.backward(values, np.ones((3, 7)), input_bar=True)[0].H_in_bar.shape == (4, 7)
    with pytest.raises(ValueError, match="values of 1 layers for a network of 2"):
        network.backward(values[:1], np.ones((3, 7)))


def test_parameters_have_the_names_of_the_note():
    network = make(4, 5, 3)
    assert list(network.parameters()) == ["W1", "b1", "W2", "b2"]
    assert np.shares_memory(network.parameters()["W2"], network.layers[1].W)
    assert network.n_weights == 20 + 15


class GainValues(NamedTuple):
    H_in: np.ndarray
    H: np.ndarray


class GainBars(NamedTuple):
    gain_bar: np.ndarray
    H_in_bar: np.ndarray


class Gain:
    """H = gain * H_in, one gain for each unit: a layer that is not ours."""

    parameters = ("gain",)
    penalized = ()

    def __init__(self, size):
        self.gain = np.ones((size, 1))

    def forward(self, H_in):
        return GainValues(H_in, self.gain * H_in)

    def backward(self, values, H_bar, *, input_bar=True):
        return GainBars((H_bar * values.H_in).sum(axis=1, keepdims=True), self.gain * H_bar)


def test_a_layer_of_ones_own_trains_among_ours():
    rng = np.random.default_rng(0)
    network = Network([make(2, 3).layers[0], Gain(3), make(3, 1).layers[0]])
    assert list(network.parameters()) == ["W1", "b1", "gain2", "W3", "b3"]
    X = rng.normal(size=(40, 2))
    Y = 0.5 * np.tanh(X[:, :1])
    losses = [r.train_loss for r in train(network, SquaredError(), SGD(0.1), (X, Y), rng=rng, epochs=30)]
    assert losses[-1] < 0.1 * losses[0]
    assert not np.array_equal(network.layers[1].gain, np.ones((3, 1)))


def test_the_penalty_acts_on_weights_and_never_on_biases():
    network = make(4, 5, 3)
    for layer in network.layers:
        layer.b += 1
    penalty = L2Penalty(0.25)
    wanted = 0.125 * sum((layer.W**2).sum() for layer in network.layers)
    np.testing.assert_allclose(penalty.cost(network), wanted, rtol=1e-15)
    values = network.forward(np.ones((4, 2)))
    plain, bars = (network.backward(values, np.ones((3, 2))) for _ in range(2))
    penalty.add_to(network, bars.theta_bar)
    for layer, before, after in zip(network.layers, plain, bars, strict=True):
        np.testing.assert_allclose(after.W_bar, before.W_bar + 0.25 * layer.W, rtol=1e-15)
        assert np.array_equal(after.b_bar, before.b_bar)
    with pytest.raises(ValueError, match=">= 0"):
        L2Penalty(-1)


# All parameters are one vector


def some_data(network, B=7):
    rng = np.random.default_rng(1)
    return rng.normal(size=(B, network.layers[0].n_in)), rng.normal(size=(B, network.layers[-1].n_out))


def test_theta_has_the_weights_first_and_layers_have_views_of_it():
    network = make(4, 5, 3)
    one, two = network.layers
    assert network.n_weights == 20 + 15
    wanted = [array.flatten() for array in (one.W, two.W, one.b, two.b)]
    assert np.array_equal(network.theta, np.concatenate(wanted))
    network.theta += 1
    assert np.array_equal(two.W.ravel(), wanted[1] + 1)
    two.b *= 0
    assert np.array_equal(network.theta[-3:], np.zeros(3))
    assert all(np.shares_memory(array, network.theta) for array in network.parameters().values())
    network.theta = np.arange(43.0)
    assert one.W[0, 1] == 1


def test_bars_by_hand_are_fresh_and_views_of_a_theta_bar():
    network = make(4, 5, 3)
    X, F_bar = np.ones((4, 7)), np.ones((3, 7))
    first = network.backward(network.forward(X), F_bar)
    kept = first.theta_bar.copy()
    second = network.backward(network.forward(2 * X), F_bar)
    assert np.array_equal(first.theta_bar, kept)
    assert not np.shares_memory(first.theta_bar, second.theta_bar)
    assert np.shares_memory(first[1].W_bar, first.theta_bar)
    named = network.named(first.theta_bar)
    assert list(named) == ["W1", "b1", "W2", "b2"]
    assert np.array_equal(named["b1"], first[0].b_bar)


def test_bars_are_written_into_a_given_vector():
    network = make(4, 5, 3)
    views = network.views(np.full(network.theta.shape, np.nan))
    values = network.forward(np.ones((4, 7)))
    bars = network.backward(values, np.ones((3, 7)), out=views)
    assert bars.theta_bar is views.vector
    assert np.array_equal(views.vector, network.backward(values, np.ones((3, 7))).theta_bar)


@pytest.mark.parametrize("how", ["another array", "another precision", "whole numbers", "exchanged"])
def test_a_parameter_that_was_replaced_is_noticed_and_trained(how):
    network = make(4, 4, 4)
    one, two = network.layers
    arrays = {
        "another array": one.W + 1,
        "another precision": one.W.astype(np.float32),
        "whole numbers": np.eye(4, dtype=int),
    }
    if how == "exchanged":
        W1, W2 = one.W.copy(), two.W.copy()
        one.W, two.W = two.W, one.W
    else:
        W1, W2 = two.W.copy(), arrays[how]
        two.W = W2
        W1, W2 = W2, one.W.copy()
    theta = network.theta
    assert np.array_equal(network.parameters()["W1"], W2)
    assert np.array_equal(network.parameters()["W2"], W1)
    assert np.shares_memory(two.W, theta)
    assert theta.dtype == np.float64
    data = some_data(network)
    before = two.W.copy()
    list(train(network, SquaredError(), SGD(0.1), data, rng=np.random.default_rng(0), epochs=1))
    assert not np.array_equal(two.W, before)


def test_a_parameter_of_another_shape_or_kind_makes_a_new_theta():
    network = make(4, 5, 3)
    one, two = network.layers
    one.W, one.b, two.W = np.ones((6, 4)), np.ones((6, 1)), np.ones((3, 6))
    assert network.theta.shape == (24 + 18 + 6 + 3,)
    one.W = one.W.astype(complex)
    assert network.theta.dtype == complex
    assert two.b.dtype == complex
    assert np.shares_memory(two.b, network.theta)


def test_training_goes_on_after_a_parameter_was_replaced_between_two_minibatches():
    network = make(4, 5, 3)
    options = {"rng": np.random.default_rng(0), "epochs": 1, "batch_size": 3}
    records = train(network, SquaredError(), SGD(0.1, momentum=0.9), some_data(network), **options).minibatches()
    next(records)
    network.layers[1].W = W = np.zeros((3, 5))
    next(records)
    assert network.layers[1].W.any()
    assert not W.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, complex])
def test_networks_keep_their_precision(dtype):
    network = make(4, 5, 3, dtype=dtype)
    assert network.theta.dtype == dtype
    bars = network.backward(network.forward(np.ones((4, 2), dtype)), np.ones((3, 2), dtype))
    assert bars.theta_bar.dtype == bars[0].W_bar.dtype == dtype


@pytest.mark.parametrize("B", [7, 1, 4])
def test_a_layer_that_stands_twice_sums_its_bars(B):
    """Against the complex step: dc/dW counts both places."""
    rng = np.random.default_rng(0)
    twice, last = Layer.initialize(4, 4, "tanh", rng=rng, dtype=np.float64), make(4, 3).layers[0]
    network = Network([twice, twice, last])
    assert list(network.parameters()) == ["W1", "b1", "W3", "b3"]
    X, Y, loss = rng.normal(size=(4, B)), rng.normal(size=(3, B)), SquaredError()
    values = network.forward(X)
    bars = network.backward(values, loss.seed(values[-1].H, Y))
    np.testing.assert_allclose(network.named(bars.theta_bar)["W1"], bars[0].W_bar + bars[1].W_bar, rtol=1e-13)
    for layer in (twice, last):
        layer.W, layer.b = layer.W.astype(complex), layer.b.astype(complex)
    wanted = complex_step(lambda: loss.cost(network(X), Y), network.theta)
    assert relative_error(bars.theta_bar, wanted) < 1e-13


@pytest.mark.parametrize("optimizer", [lambda: SGD(0.1, momentum=0.9), lambda: Adam(0.01)])
def test_a_layer_of_two_networks_is_shared(optimizer):
    """What one network makes of it the other goes on with, as if both were one; neither loses the layer."""
    shared, one, other = make(4, 4).layers[0], make(4, 3).layers[0], make(4, 3).layers[0]
    first, second = Network([shared, one]), Network([shared, other])
    data = some_data(first)
    by_turns = [(first, optimizer()), (second, optimizer())]
    for _ in range(3):
        for network, each in by_turns:
            before = shared.W.copy()
            list(train(network, SquaredError(), each, data, rng=np.random.default_rng(0), epochs=1))
            assert not np.array_equal(shared.W, before)
            assert np.array_equal(network.parameters()["W1"], shared.W)
    assert np.array_equal(first.parameters()["W1"], shared.W)  # the last one was trained in the second


def test_a_layer_that_is_also_inside_another_layer_is_refused():
    layer = make(4, 4).layers[0]
    with pytest.raises(ValueError, match="W1 is a parameter of two layers"):
        Network([layer, Recompute([layer])])


def test_a_copy_has_a_theta_of_its_own():
    network = make(4, 5, 3)
    other = copy.deepcopy(network)
    assert np.array_equal(other.theta, network.theta)
    other.theta *= 0
    assert not other.layers[0].W.any()
    assert network.layers[0].W.any()
    assert np.shares_memory(other.layers[0].W, other.theta)


def test_a_network_without_parameters():
    class Double:
        parameters = penalized = ()

        def forward(self, H_in):
            return GainValues(H_in, 2 * H_in)

        def backward(self, values, H_bar, *, input_bar=True):
            return GainBars(None, 2 * H_bar)

    network = Network([Double()])
    bars = network.backward(network.forward(np.ones((3, 2))), np.ones((3, 2)), input_bar=True)
    assert network.theta.shape == bars.theta_bar.shape == (0,)
    assert bars[0].H_in_bar[0, 0] == 2


# Networks of one's own


class WithSkip(Network):
    """F = W2 tanh(W1 X) + W2 X: the second layer is used twice."""

    def forward(self, X):
        one = self.layers[0].forward(X)
        return [one, self.layers[1].forward(one.H + X)]


def test_a_network_of_ones_own_is_evaluated_as_it_is_trained():
    network = WithSkip(make(3, 3, 2).layers)
    X, Y = some_data(network)
    (record,) = train(
        network, SquaredError(), SGD(1e-9), (X, Y), rng=np.random.default_rng(0), epochs=1, valid=(X, Y), batch_size=7
    )
    assert record.valid_loss == pytest.approx(record.train_loss, rel=1e-6)
    assert np.array_equal(network(X.T), network.forward(X.T)[-1].H)


def test_the_layers_of_a_network_cannot_be_exchanged_unnoticed():
    network = make(4, 5, 3)
    with pytest.raises(TypeError):
        network.layers[0] = make(4, 5).layers[0]


def test_theta_is_set_as_a_whole():
    with pytest.raises(ValueError, match=r"theta has shape \(43,\), got \(\)"):
        make(4, 5, 3).theta = 0.5


def test_whole_numbers_become_floats():
    class Shift:
        parameters, penalized = ("shift",), ()

        def __init__(self):
            self.shift = np.array([[1], [2], [3]])

        def forward(self, H_in):
            return GainValues(H_in, H_in + self.shift)

        def backward(self, values, H_bar, *, input_bar=True):
            return type("Bars", (), {"shift_bar": H_bar.sum(axis=1, keepdims=True), "H_in_bar": H_bar})

    network = Network([Shift()])
    assert network.theta.dtype == np.float64
    data = np.ones((5, 3)), np.zeros((5, 3))
    list(train(network, SquaredError(), SGD(0.5), data, rng=np.random.default_rng(0), epochs=1))
    assert network.layers[0].shift[0, 0] < 1


@pytest.mark.parametrize("bar", [np.ones((1, 1)), np.float64(1), None])
def test_a_bar_of_another_shape_is_refused_by_name(bar):
    class Wrong(Gain):
        def backward(self, values, H_bar, *, input_bar=True):
            return GainBars(bar, H_bar)

    network = Network([Wrong(3)])
    with pytest.raises(ValueError, match=r"gain_bar has shape .*, but gain has shape \(3, 1\)"):
        network.backward(network.forward(np.ones((3, 2))), np.ones((3, 2)))


def test_a_network_of_dense_layers_from_their_sizes():
    network = Network.dense([4, 6, 5, 3], "relu", rng=np.random.default_rng(0), dtype=np.float64)
    rng = np.random.default_rng(0)
    by_hand = [(4, 6, "relu"), (6, 5, "relu"), (5, 3, "identity")]
    layers = [Layer.initialize(a, b, g, rng=rng, dtype=np.float64) for a, b, g in by_hand]
    assert repr(network) == repr(Network(layers))
    assert np.array_equal(network.theta, Network(layers).theta)
    assert Network.dense([2, 1], "tanh", rng=rng).theta.dtype == np.float32
    with pytest.raises(ValueError, match="at least two"):
        Network.dense([3], "tanh", rng=rng)
    with pytest.raises(TypeError, match="sizes must be a list of whole numbers"):
        Network.dense(3, "tanh", rng=rng)
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
        Network.dense([3, 2], "tanh", rng=0)
    with pytest.raises(ValueError, match="activation must be one of"):
        Network.dense([3, 4, 2], "tahn", rng=rng)
