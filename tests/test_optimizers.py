"""Optimizers and schedules against their equations, written out here step by step with other code."""

import copy
import math

import numpy as np
import pytest

from mlp import SGD, Adam, Layer, Network, SquaredError, optimizers, train
from mlp import schedules as s
from mlp.optimizers import BLOCK, clip_gradient, gradient_norm
from mlp.penalties import WeightDecay

ETA = [0.1, 0.1, 0.05, 0.2]  # a schedule at work: the learning rate changes between steps


GRADIENTS = [[1.0, 2.0, 3.0], [-0.5, 0.25, 1.0], [0.0, 4.0, -2.0], [1.5, -1.0, 0.5]]
START = [1.0, -2.0, 0.5]


def steps(optimizer):
    theta = np.array(START)
    for eta, gradient in zip(ETA, GRADIENTS, strict=True):
        optimizer.step(theta, np.array(gradient), eta)
    return theta


def by_hand(update):
    """Follow the three parameters one by one with scalar arithmetic."""
    return [update(start, gradients) for start, gradients in zip(START, zip(*GRADIENTS, strict=True), strict=True)]


def test_plain_descent():
    def update(w, gradients):
        for eta, g in zip(ETA, gradients, strict=True):
            w = w - eta * g
        return w

    np.testing.assert_allclose(steps(SGD()), by_hand(update), rtol=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    def update(w, gradients):
        v = 0.0
        for eta, g in zip(ETA, gradients, strict=True):
            v = 0.9 * v + g
            w = w - eta * (g + 0.9 * v if nesterov else v)
        return w

    np.testing.assert_allclose(steps(SGD(0.1, 0.9, nesterov)), by_hand(update), rtol=1e-14)


def test_nesterov_is_the_gradient_at_the_point_looked_ahead_to():
    """Sutskever et al. 2013, eq. 3-4, on a quadratic: v = mu v - eta grad(w + mu v), w = w + v."""
    eta, mu, curvature = 0.1, 0.9, np.array([1.0, 3.0])
    w, v = np.array([1.0, -2.0]), np.zeros(2)
    theta, optimizer = w.copy(), SGD(eta, mu, nesterov=True)
    for _ in range(5):  # theta is the point looked ahead to, w + mu v
        np.testing.assert_allclose(theta, w + mu * v, rtol=1e-13)
        v = mu * v - eta * curvature * (w + mu * v)
        w = w + v
        optimizer.step(theta, curvature * theta, eta)


def test_adam():
    def update(w, gradients):
        m = s = 0.0
        for t, (eta, g) in enumerate(zip(ETA, gradients, strict=True), 1):
            m = 0.9 * m + 0.1 * g
            s = 0.999 * s + 0.001 * g**2
            m_hat, s_hat = m / (1 - 0.9**t), s / (1 - 0.999**t)
            w = w - eta * m_hat / (math.sqrt(s_hat) + 1e-8)
        return w

    np.testing.assert_allclose(steps(Adam()), by_hand(update), rtol=1e-12)


def test_decoupled_weight_decay_acts_on_weights_alone():
    """AdamW: W <- W - eta (m_hat / (sqrt(s_hat) + epsilon) + lambda W), and biases without the last term."""
    X, Y = np.ones((1, 2)), np.array([[3.0]])
    start = Layer([[1.0, -2.0]], [[0.5]], "identity")
    found = {}
    for decay in (0.0, 0.1):
        layer = copy.deepcopy(start)
        options = {"rng": np.random.default_rng(0), "epochs": 1, "weight_decay": decay}
        list(train(Network([layer]), SquaredError(), Adam(0.01), (X, Y), **options))
        found[decay] = layer
    np.testing.assert_allclose(found[0.1].W, found[0.0].W - 0.01 * 0.1 * start.W, rtol=1e-14)
    assert np.array_equal(found[0.1].b, found[0.0].b)
    with pytest.raises(ValueError, match="weight_decay"):
        WeightDecay(-1)


def test_the_first_step_of_adam_is_the_learning_rate():
    theta, optimizer = np.array([1.0, -2.0, 0.5]), Adam()
    optimizer.step(theta, np.array([1e-3, -1e3, 5.0]), 0.01)
    np.testing.assert_allclose(theta, [1 - 0.01, -2 + 0.01, 0.5 - 0.01], rtol=1e-5)


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: SGD(0.1, 0.9, True), lambda: SGD(0.1), Adam])
@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_blocks_change_nothing(make, size, monkeypatch):
    gradients = np.random.default_rng(0).normal(size=(3, size)).astype(np.float32)

    def thetas(block):
        monkeypatch.setattr(optimizers, "BLOCK", block)
        theta, optimizer = np.ones(size, np.float32), make()
        for theta_bar in gradients:
            optimizer.step(theta, theta_bar, 0.01)
        return theta

    assert np.array_equal(thetas(BLOCK), thetas(10**9))


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9, True), Adam])
def test_state_saved_and_loaded_goes_on_the_same(make):
    whole, first, second = make(), make(), make()
    one, other = np.array(START), np.array(START)
    for i, gradient in enumerate(map(np.array, GRADIENTS)):
        whole.step(one, gradient, 0.1)
        if i == 2:
            second.load_state(first.state(), other)
            first.step(np.array(START), gradient, 0.1)  # what was saved no longer belongs to the first
        (first if i < 2 else second).step(other, gradient, 0.1)
    assert np.array_equal(one, other)


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: SGD(0.1), lambda: Adam(0.1)])
def test_the_state_before_the_first_step_can_be_loaded(make):
    optimizer = make()
    optimizer.load_state(make().state(), np.array(START))
    assert optimizer.state().keys() == make().state().keys()


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: Adam(0.1)])
def test_a_loaded_state_is_left_as_it_was(make):
    first, second = make(), make()
    first.step(np.array(START), np.array(GRADIENTS[0]), 0.1)
    state = first.state()
    before = {name: array.copy() for name, array in state.items()}
    second.load_state(state, np.array(START))
    second.step(np.array(START), np.array(GRADIENTS[1]), 0.1)
    assert all(np.array_equal(state[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": np.array(-1)}, "'steps' is not a whole number >= 0"),
        ({"steps": np.array(1.0)}, "'steps' is not a whole number >= 0"),
        ({"velocity": np.zeros(2)}, r"array 'velocity' is float64 of shape \(2,\), expected float64 of \(3,\)"),
        ({"velocity": np.zeros(3, np.float32)}, "array 'velocity' is float32"),
        ({"velocity": np.array([0, np.nan, 0])}, "array 'velocity' holds values that are not finite"),
        ({"second": np.zeros(3)}, "missing or unknown array 'second'"),
        ({"steps": np.array(0)}, "missing or unknown array 'velocity'"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_by_name(change, message):
    optimizer = SGD(0.1, 0.9)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state({"steps": np.array(2), "velocity": np.zeros(3), **change}, np.array(START))


def test_a_theta_of_another_size_is_refused():
    optimizer = SGD(0.1, 0.9)
    optimizer.step(np.zeros(3), np.ones(3), 0.1)
    with pytest.raises(ValueError, match=r"theta is float64 of shape \(4,\), but velocity is float64 of \(3,\)"):
        optimizer.step(np.zeros(4), np.ones(4), 0.1)


@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: SGD(0.1, 0.9), lambda: SGD(0.1, 0.9, True), Adam])
def test_single_precision_stays_single(make):
    theta, optimizer = np.ones(3, np.float32), make()
    optimizer.step(theta, np.ones(3, np.float32), 0.1)
    arrays = {"theta": theta, **optimizer.state()}
    assert {array.dtype for name, array in arrays.items() if name != "steps"} == {np.dtype(np.float32)}


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: Adam(beta2=0.9)])
def test_the_vectors_of_dead_units_become_zero_and_not_subnormal(make):
    """Without a gradient a velocity halves every few steps and would get stuck at the smallest numbers there are."""
    theta, optimizer = np.ones(3, np.float32), make()
    optimizer.step(theta, np.ones(3, np.float32), 0.1)
    smallest = np.finfo(np.float32).smallest_normal
    for _ in range(1500):
        optimizer.step(theta, np.array([0, 1, 0], np.float32), 0.1)
        for name in optimizer.vectors:
            vector = getattr(optimizer, name)
            assert ((vector == 0) | (abs(vector) >= smallest)).all()
    assert [getattr(optimizer, name)[0] for name in optimizer.vectors] == [0] * len(optimizer.vectors)


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
        (lambda: s.step(0), "every"),
        (lambda: s.exponential(-1), "decay"),
        (lambda: s.cosine(0), "epochs"),
        (lambda: s.cosine(5, 2), "floor"),
        (lambda: s.cycles(0), "epochs"),
        (lambda: s.cycles(5, 0), "count"),
        (lambda: s.one_cycle(5, rise=1.0), "rise"),
        (lambda: s.one_cycle(5, start=1.0), "start"),
        (lambda: s.warm_up(s.constant(), 0), "epochs"),
    ],
)
def test_bad_settings_are_refused_by_name(make, word):
    with pytest.raises(ValueError, match=word):
        make()


def test_global_norm_and_clipping():
    theta_bar = np.array([3.0, 0.0, 4.0])
    assert gradient_norm(theta_bar) == 5
    clip_gradient(theta_bar, 10, 5)
    assert gradient_norm(theta_bar) == 5
    clip_gradient(theta_bar, 2.5, 5)
    np.testing.assert_allclose(theta_bar, [1.5, 0, 2.0])


def test_schedules():
    assert [s.constant()(t) for t in (0, 7.5)] == [1, 1]
    assert [s.step(10, 0.5)(t) for t in (0, 9.99, 10, 19.99, 20)] == [1, 1, 0.5, 0.5, 0.25]
    np.testing.assert_allclose([s.exponential(0.9)(t) for t in (0, 1, 2.5)], [1, 0.9, 0.9**2.5])
    np.testing.assert_allclose([s.cosine(10)(t) for t in (0, 2.5, 5, 10, 11)], [1, 0.5 + math.sqrt(0.125), 0.5, 0, 0])
    # log2(1 + 15 t / 30) is 1/2, 1, 3/2, ..., 4 at peaks and valleys, each twice as far apart as those before
    peaks, valleys = [(2 ** (k - 0.5) - 1) * 2 for k in (1, 2, 3, 4)], [(2**k - 1) * 2 for k in (0, 1, 2, 3, 4)]
    np.testing.assert_allclose([s.cycles(30)(t) for t in peaks], 1)
    np.testing.assert_allclose([s.cycles(30)(t) for t in (*valleys, 31, 99)], 0, atol=1e-15)
    np.testing.assert_allclose([s.cycles(8, 1)(t) for t in (0, 8 * (math.sqrt(2) - 1), 8)], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(
        [s.one_cycle(10)(t) for t in (0, 1.5, 3, 6.5, 10, 11)], [0.04, 0.52, 1, 0.5, 0, 0], atol=1e-15
    )
    np.testing.assert_allclose([s.cosine(10, 0.2)(t) for t in (0, 5, 10, 99)], [1, 0.6, 0.2, 0.2])
    warm = s.warm_up(s.step(10, 0.5), 4)
    np.testing.assert_allclose([warm(t) for t in (0, 1, 4, 9, 10)], [0, 0.25, 1, 1, 0.5])
