"""Network: layers in order; what it refuses, leaves out, and asks of layers that are not ours."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from mlp import SGD, L2Penalty, Layer, Network, SquaredError, train


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
    assert network.parameters()["W2"] is network.layers[1].W
    assert network.penalized == {"W1", "W2"}


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
    penalty.add_to(network, bars)
    for layer, before, after in zip(network.layers, plain, bars, strict=True):
        np.testing.assert_allclose(after.W_bar, before.W_bar + 0.25 * layer.W, rtol=1e-15)
        assert np.array_equal(after.b_bar, before.b_bar)
    with pytest.raises(ValueError, match=">= 0"):
        L2Penalty(-1)
