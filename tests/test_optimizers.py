"""Optimizers and schedules against their equations, written out here step by step with other code."""

import math

import numpy as np
import pytest

from mlp import SGD, Adam, Layer, Network
from mlp import schedules as s
from mlp.layers.dense import LayerBars
from mlp.optimizers import clip_gradient, gradient_norm

ETA = [0.1, 0.1, 0.05, 0.2]  # a schedule at work: the learning rate changes between steps


def a_network():
    return Network([Layer([[1.0, -2.0]], [[0.5]], "identity")])


def bars_of(W_bar, b_bar):
    return [LayerBars(None, np.array([[b_bar]]), np.array([W_bar]), None)]


GRADIENTS = [([1.0, 2.0], 3.0), ([-0.5, 0.25], 1.0), ([0.0, 4.0], -2.0), ([1.5, -1.0], 0.5)]


def steps(optimizer):
    network = a_network()
    for eta, gradient in zip(ETA, GRADIENTS, strict=True):
        optimizer.learning_rate = eta
        optimizer.step(network, bars_of(*gradient))
    layer = network.layers[0]
    return [*layer.W[0], layer.b[0, 0]]


def by_hand(update):
    """Follow the three parameters one by one with scalar arithmetic."""
    found = []
    for start, gradients in zip(
        [1.0, -2.0, 0.5],
        zip(*[[*W_bar, b_bar] for W_bar, b_bar in GRADIENTS], strict=True),
        strict=True,
    ):
        found.append(update(start, gradients, penalized=len(found) < 2))
    return found


def test_plain_descent():
    def update(w, gradients, penalized):
        for eta, g in zip(ETA, gradients, strict=True):
            w = w - eta * g
        return w

    np.testing.assert_allclose(steps(SGD()), by_hand(update), rtol=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    def update(w, gradients, penalized):
        v = 0.0
        for eta, g in zip(ETA, gradients, strict=True):
            v = 0.9 * v + g
            w = w - eta * (g + 0.9 * v if nesterov else v)
        return w

    np.testing.assert_allclose(steps(SGD(0.1, 0.9, nesterov)), by_hand(update), rtol=1e-14)


def test_nesterov_is_the_gradient_at_the_point_looked_ahead_to():
    """Sutskever et al. 2013, eq. 3-4, on a quadratic: v = mu v - eta grad(w + mu v), w = w + v."""
    eta, mu, curvature = 0.1, 0.9, np.array([[1.0, 3.0]])
    w, v = np.array([[1.0, -2.0]]), np.zeros((1, 2))
    network, optimizer = a_network(), SGD(eta, mu, nesterov=True)
    for _ in range(5):
        W = network.layers[0].W  # this is the point looked ahead to, w + mu v
        np.testing.assert_allclose(W, w + mu * v, rtol=1e-13)
        v = mu * v - eta * curvature * (w + mu * v)
        w = w + v
        optimizer.step(network, bars_of((curvature * W)[0], 0.0))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam(decay):
    def update(w, gradients, penalized):
        m = s = 0.0
        for t, (eta, g) in enumerate(zip(ETA, gradients, strict=True), 1):
            m = 0.9 * m + 0.1 * g
            s = 0.999 * s + 0.001 * g**2
            m_hat, s_hat = m / (1 - 0.9**t), s / (1 - 0.999**t)
            w = w - eta * (m_hat / (math.sqrt(s_hat) + 1e-8) + (decay * w if penalized else 0))
        return w

    np.testing.assert_allclose(steps(Adam(weight_decay=decay)), by_hand(update), rtol=1e-12)


def test_the_first_step_of_adam_is_the_learning_rate():
    network, optimizer = a_network(), Adam(0.01)
    optimizer.step(network, bars_of([1e-3, -1e3], 5.0))
    np.testing.assert_allclose(network.layers[0].W, [[1 - 0.01, -2 + 0.01]], rtol=1e-5)


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9, True), lambda: Adam(0.1, weight_decay=0.01)])
def test_state_saved_and_loaded_goes_on_the_same(make):
    whole, first, second = make(), make(), make()
    networks = [a_network(), a_network()]
    for i, gradient in enumerate(GRADIENTS):
        whole.step(networks[0], bars_of(*gradient))
        if i == 2:
            second.load_state(first.state(), networks[1])
            first.step(a_network(), bars_of(*gradient))  # what was saved no longer belongs to the first
        (first if i < 2 else second).step(networks[1], bars_of(*gradient))
    for one, other in zip(*(n.parameters().values() for n in networks), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: SGD(0.1), lambda: Adam(0.1)])
def test_the_state_before_the_first_step_can_be_loaded(make):
    optimizer = make()
    optimizer.load_state(make().state(), a_network())
    assert optimizer.state().keys() == make().state().keys()


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: Adam(0.1)])
def test_a_loaded_state_is_left_as_it_was(make):
    first, second = make(), make()
    first.step(a_network(), bars_of(*GRADIENTS[0]))
    state = first.state()
    before = {name: array.copy() for name, array in state.items()}
    second.load_state(state, a_network())
    second.step(a_network(), bars_of(*GRADIENTS[1]))
    assert all(np.array_equal(state[name], before[name]) for name in before)


@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: SGD(0.1, 0.9), lambda: SGD(0.1, 0.9, True), Adam])
def test_single_precision_stays_single(make):
    network = Network([Layer(np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32), "tanh")])
    bars = network.backward(network.forward(np.ones((3, 4), np.float32)), np.ones((2, 4), np.float32))
    optimizer = make()
    optimizer.step(network, bars)
    arrays = {**network.parameters(), **optimizer.state()}
    assert {array.dtype for name, array in arrays.items() if name != "steps"} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: SGD(0), "learning_rate"),
        (lambda: SGD(float("nan")), "learning_rate"),
        (lambda: SGD(0.1, 1.0), "momentum"),
        (lambda: SGD(0.1, -0.1), "momentum"),
        (lambda: SGD(0.1, 0, True), "nesterov"),
        (lambda: Adam(-1), "learning_rate"),
        (lambda: Adam(beta1=1), "beta1"),
        (lambda: Adam(beta2=1.5), "beta2"),
        (lambda: Adam(epsilon=0), "epsilon"),
        (lambda: Adam(weight_decay=-1), "weight_decay"),
        (lambda: s.step(0), "every"),
        (lambda: s.exponential(-1), "decay"),
        (lambda: s.cosine(0), "epochs"),
        (lambda: s.cosine(5, 2), "floor"),
        (lambda: s.warm_up(s.constant(), 0), "epochs"),
    ],
)
def test_bad_settings_are_refused_by_name(make, word):
    with pytest.raises(ValueError, match=word):
        make()


def test_global_norm_and_clipping():
    network = a_network()
    bars = bars_of([3.0, 0.0], 4.0)
    assert gradient_norm(network, bars) == 5
    clip_gradient(network, bars, 10, 5)
    assert gradient_norm(network, bars) == 5
    clip_gradient(network, bars, 2.5, 5)
    np.testing.assert_allclose(bars[0].W_bar, [[1.5, 0]])
    np.testing.assert_allclose(bars[0].b_bar, [[2.0]])


def test_schedules():
    assert [s.constant()(t) for t in (0, 7.5)] == [1, 1]
    assert [s.step(10, 0.5)(t) for t in (0, 9.99, 10, 19.99, 20)] == [1, 1, 0.5, 0.5, 0.25]
    np.testing.assert_allclose([s.exponential(0.9)(t) for t in (0, 1, 2.5)], [1, 0.9, 0.9**2.5])
    np.testing.assert_allclose([s.cosine(10)(t) for t in (0, 2.5, 5, 10, 11)], [1, 0.5 + math.sqrt(0.125), 0.5, 0, 0])
    np.testing.assert_allclose([s.cosine(10, 0.2)(t) for t in (0, 5, 10, 99)], [1, 0.6, 0.2, 0.2])
    warm = s.warm_up(s.step(10, 0.5), 4)
    np.testing.assert_allclose([warm(t) for t in (0, 1, 4, 9, 10)], [0, 0.25, 1, 1, 0.5])
