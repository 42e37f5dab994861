"""Reversible layers (the note's footnote 3): the same bars from inputs that are rebuilt, and nothing stored."""

import copy
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from numerical import complex_step, relative_error
from shift_layer import Shift

from mlp import SGD, Adam, L2Penalty, Layer, Network, SquaredError, train
from mlp.checking.copies import stored
from mlp.layers import Coupling, Reversible


def peak_arrays(network, X):
    """The most memory of a forward and backward sweep, in units of X."""
    tracemalloc.start()
    values = network.forward(X)
    network.backward(values, values[-1].H)
    peak = tracemalloc.get_traced_memory()[1] / X.nbytes
    tracemalloc.stop()
    return peak


def couplings(depth, K, rng, hidden=5, dtype=np.float64):
    """Couplings that take turns; every other m is a network with a hidden layer, the others are single layers."""

    def layer(n_in, n_out, activation):
        new = Layer.initialize(n_in, n_out, activation, rng=rng, dtype=dtype)
        new.b += rng.normal(size=new.b.shape)
        return new

    def m(number):
        if number % 2:
            return layer(K // 2, K // 2, "tanh")
        return Network([layer(K // 2, hidden, "tanh"), layer(hidden, K // 2, "identity")])

    return [Coupling(m(number), swap=number % 2 == 1) for number in range(depth)]


def test_a_coupling_by_hand():
    m = Layer([[2.0]], [[1.0]], "identity")  # m(h) = 2 h + 1
    H = np.array([[1.0, 10.0], [5.0, 50.0]])
    assert np.array_equal(Coupling(m).forward(H).H, [[1, 10], [8, 71]])
    assert np.array_equal(Coupling(m, swap=True).forward(H).H, [[12, 111], [5, 50]])
    bars = Coupling(m, swap=True).backward(Coupling(m, swap=True).forward(H), np.array([[1.0, 0.0], [0.0, 3.0]]))
    assert np.array_equal(bars.H_in_bar, [[1, 0], [2, 3]])
    assert np.array_equal(bars.m1_W_bar, [[5]])
    assert np.array_equal(bars.m1_b_bar, [[1]])


@pytest.mark.parametrize("depth", [1, 2, 64])
def test_the_inverse_is_the_inverse(depth):
    rng = np.random.default_rng(0)
    stack, X = Reversible(couplings(depth, 6, rng)), rng.normal(size=(6, 4))
    H = stack.forward(X).H
    assert relative_error(stack.inverse(H), X) < 1e-12
    assert relative_error(stack.forward(stack.inverse(H)).H, H) < 1e-12
    assert all(np.abs(H - X).min(axis=1) > 0) == (depth > 1)  # both halves change


def bars_of(network, X, F_bar):
    bars = network.backward(network.forward(X), F_bar, input_bar=True)
    return [bars[0].H_in_bar, *network.named(bars.theta_bar).values()]


@pytest.mark.parametrize("depth", [1, 2, 7, 64])
def test_bars_are_those_of_stored_values(depth):
    """The error of the rebuilt inputs grows with depth: about 1e-15 at 8 couplings, 1e-13 at 128 (measured)."""
    rng = np.random.default_rng(depth)
    layers = couplings(depth, 6, rng)
    X, F_bar = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    plain, reversible = bars_of(Network(layers), X, F_bar), bars_of(Network([Reversible(layers)]), X, F_bar)
    for network in (Network(layers), Network([Reversible(layers)])):
        assert network.backward(network.forward(X), F_bar)[0].H_in_bar is None  # not asked for, not computed
    for found, wanted in zip(reversible, plain, strict=True):
        assert found.shape == wanted.shape
        assert relative_error(found, wanted) < 1e-10


def framed(stack, rng):
    """A network with the stack between a layer from 3 units and a layer to 2."""
    first = Layer.initialize(3, 6, "tanh", rng=rng, dtype=np.float64)
    return Network([first, *stack, Layer.initialize(6, 2, "identity", rng=rng, dtype=np.float64)])


@pytest.mark.parametrize("batch", [7, 1, 6, 3])
@pytest.mark.parametrize("rebuilt", [False, True])
def test_bars_against_the_complex_step(rebuilt, batch):
    rng = np.random.default_rng(batch)
    layers = couplings(3, 6, rng)
    network = framed([Reversible(layers)] if rebuilt else layers, rng)
    X, Y, loss = rng.normal(size=(3, batch)), rng.normal(size=(2, batch)), SquaredError()
    penalty = L2Penalty(0.3)
    values = network.forward(X)
    bars = network.backward(values, loss.seed(values[-1].H, Y), input_bar=True)
    penalty.add_to(network, bars.theta_bar)
    found = network.named(bars.theta_bar) | {"X": bars[0].H_in_bar}

    for layer in (network.layers[0], *(inner for c in layers for inner in c.inner.layers), network.layers[-1]):
        layer.W, layer.b = layer.W.astype(complex), layer.b.astype(complex)
    Xc = X.astype(complex)
    arrays = network.parameters() | {"X": Xc}
    assert found.keys() == arrays.keys()
    for name, bar in found.items():
        wanted = complex_step(lambda: loss.cost(network(Xc), Y) + penalty.cost(network), arrays[name])
        assert relative_error(bar, wanted) < 1e-12, name


def test_parameters_have_names_of_their_own():
    rng = np.random.default_rng(0)
    stack = Reversible(couplings(12, 6, rng))
    network = framed([stack, *couplings(11, 6, rng)], rng)
    parameters = network.parameters()
    assert list(parameters)[:8] == [
        "W1", "b1", "c1_m1_W2", "c1_m1_b2", "c1_m2_W2", "c1_m2_b2", "c2_m1_W2", "c2_m1_b2"
    ]  # fmt: skip
    assert {"c12_m1_W2", "m1_W3", "m2_b3", "m1_W4", "m2_b13", "W14"} <= set(parameters)
    assert len({id(array) for array in parameters.values()}) == len(parameters)
    assert np.shares_memory(parameters["c2_m1_W2"], stack.couplings[1].inner.layers[0].W)
    assert network.n_weights == sum(W.size for name, W in parameters.items() if "W" in name)
    with pytest.raises(AttributeError, match="Reversible has no attribute 'c13_m1_W'"):
        _ = stack.c13_m1_W
    copied = copy.deepcopy(network)
    copied.parameters()["c2_m1_W2"][...] = 0
    assert not copied.layers[1].couplings[1].inner.layers[0].W.any()
    assert stack.couplings[1].inner.layers[0].W.any()


@pytest.mark.parametrize("optimizer", [lambda: SGD(0.05, momentum=0.9), lambda: Adam(0.01)], ids=["SGD", "Adam"])
def test_training_a_reversible_stack_is_training_the_plain_one(optimizer):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    data, outcomes = (X, np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)), []
    for wrap in (list, lambda layers: [Reversible(layers)]):
        rng = np.random.default_rng(1)
        network = framed(wrap(couplings(4, 6, rng)), rng)
        records = list(train(network, SquaredError(), optimizer(), data, rng=rng, epochs=20, batch_size=16, l2=1e-3))
        assert records[-1].train_loss < 0.5 * records[0].train_loss
        outcomes.append(list(network.parameters().values()))
    for found, wanted in zip(*outcomes, strict=True):
        assert relative_error(found, wanted) < 1e-10


def test_what_a_reversible_stack_stores_and_needs_does_not_grow_with_depth():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 20_000))
    plain, rebuilt, peaks = [], [], []
    for depth in (4, 8, 16, 32):
        layers = couplings(depth, 6, rng)
        plain.append(stored(Network(layers).forward(X)).arrays)
        network = Network([Reversible(layers)])
        rebuilt.append(stored(network.forward(X)))
        peaks.append(peak_arrays(network, X))
    # Plain: X, and by turns H of a coupling with A and H of a tanh layer and A = H of a linear one, or A and H of one.
    assert plain == [1 + depth // 2 * (4 + 3) for depth in (4, 8, 16, 32)]
    assert rebuilt == [(1, X.nbytes)] * 4
    assert max(peaks) < min(peaks) + 0.1  # bars of parameters only


def test_a_frame_adds_its_own_arrays_and_no_more():
    rng = np.random.default_rng(0)
    counts = [stored(framed([Reversible(couplings(depth, 6, rng))], rng).forward(np.ones((3, 4)))) for depth in (2, 20)]
    assert counts[0] == counts[1]
    assert counts[0].arrays == 5  # X, A and H of the first layer, H of the stack, A = H of the last, which is linear


def test_couplings_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="m has 3 inputs and 2 outputs"):
        Coupling(Layer.initialize(3, 2, "tanh", rng=rng))
    with pytest.raises(ValueError, match="layer 2 takes 6 inputs, but layer 1 below it has 4 outputs"):
        Reversible([*couplings(1, 4, rng), *couplings(1, 6, rng)])
    with pytest.raises(ValueError, match="at least one layer"):
        Reversible([])
    (coupling,) = couplings(1, 6, rng)
    with pytest.raises(ValueError, match=r"got shape \(7, 2\), expected \(K, B\) with an even K"):
        coupling.forward(np.ones((7, 2)))
    with pytest.raises(ValueError, match=r"needs \(3, B\)"):
        coupling.forward(np.ones((8, 2)))
    with pytest.raises(ValueError, match=r"H_bar has shape \(6, 1\), but H has shape \(6, 2\)"):
        coupling.backward(coupling.forward(np.ones((6, 2))), np.ones((6, 1)))

    class Mean(Shift):
        def forward(self, H_in):
            return SimpleNamespace(H=H_in.mean(axis=0, keepdims=True))

    with pytest.raises(ValueError, match=r"m made shape \(1, 2\) from shape \(3, 2\)"):
        Coupling(Mean(3)).forward(np.ones((6, 2)))


def test_a_coupling_that_stands_twice_sums_its_bars():
    rng = np.random.default_rng(0)
    one, other = couplings(2, 6, rng)
    X, F_bar = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    stack, plain = Network([Reversible([one, other, one])]), Network([one, other, one])
    found = stack.backward(stack.forward(X), F_bar).theta_bar
    wanted = plain.backward(plain.forward(X), F_bar).theta_bar
    assert found.shape == wanted.shape
    assert relative_error(found, wanted) < 1e-12
