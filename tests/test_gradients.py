"""Every loss x activation x depth x minibatch: all bars against derivatives that know nothing of backpropagation."""

import numpy as np
import pytest
from numerical import central_differences, complex_step, relative_error

from mlp import ACTIVATIONS, L2Penalty, Layer, Network
from mlp.losses import LOSSES

PIECEWISE = ("relu", "leaky_relu", "elu", "selu", "softsign")
SIZES = {1: [4, 3], 2: [4, 5, 3], 3: [4, 6, 5, 3]}  # K_0, ..., K_L: all different
BATCHES = [7, 1, 3, 4, 5]  # all different from the sizes; one example; B == K_out, K_in, a hidden K
PAIRED = ("gaussian",)  # has two outputs for each target


def targets(loss, K, B, rng):
    if loss.target == "multiclass":
        return np.eye(K)[:, rng.integers(K, size=B)]
    if loss.name == "logistic_cross_entropy":
        return rng.integers(2, size=(K, B)).astype(float)
    if loss.name == "poisson":
        return rng.poisson(2.0, size=(K, B)).astype(float)
    return rng.normal(size=(K, B))


def random_network(sizes, activation, rng):
    """Hidden layers with the activation and a linear one on top; with depth 1, the activation is on top itself."""
    names = [activation] * (len(sizes) - 2) + ["identity" if len(sizes) > 2 else activation]
    layers = [
        Layer(rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), rng.normal(size=(n_out, 1)), name)
        for n_in, n_out, name in zip(sizes, sizes[1:], names, strict=False)
    ]
    return Network(layers)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("depth", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_all_bars(loss, activation, depth, batch):
    sizes = SIZES[depth] if loss.name not in PAIRED else [*SIZES[depth][:-1], 2]
    rng = np.random.default_rng([depth, batch])
    Y = targets(loss, sizes[-1], batch, rng)
    X = rng.normal(size=(sizes[0], batch))
    network = random_network(sizes, activation, rng)
    penalty = L2Penalty(0.3)

    values = network.forward(X)
    bars = network.backward(values, loss.seed(values[-1].H, Y), input_bar=True)
    penalty.add_to(network, bars.theta_bar)
    found = network.named(bars.theta_bar) | {"X": bars[0].H_in_bar}

    def check(array_of, cost, differentiate, tolerance):
        for name, bar in found.items():
            wanted = differentiate(cost, array_of[name])
            assert bar.shape == wanted.shape
            assert relative_error(bar, wanted) < tolerance, name

    for layer in network.layers:
        layer.W, layer.b = layer.W.astype(complex), layer.b.astype(complex)
    Xc = X.astype(complex)
    check(
        network.parameters() | {"X": Xc},
        lambda: loss.cost(network(Xc), Y) + penalty.cost(network),
        complex_step,
        1e-12,
    )
    if activation in PIECEWISE:  # here the complex step takes the piece that the code takes, so look from outside too
        for layer in network.layers:
            layer.W, layer.b = layer.W.real.copy(), layer.b.real.copy()
        check(
            network.parameters() | {"X": X},
            lambda: loss.cost(network(X), Y) + penalty.cost(network),
            central_differences,
            1e-9,
        )


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_minibatch_bar_is_the_mean_of_its_examples_bars(loss):
    rng = np.random.default_rng(1)
    network = random_network([4, 5, 6], "tanh", rng)
    X, Y = rng.normal(size=(4, 7)), targets(loss, 6, 7, rng)

    def bars_of(X, Y):
        values = network.forward(X)
        return network.named(network.backward(values, loss.seed(values[-1].H, Y)).theta_bar)

    whole = bars_of(X, Y)
    single = [bars_of(X[:, [b]], Y[:, [b]]) for b in range(7)]
    for name, bar in whole.items():
        np.testing.assert_allclose(bar, np.mean([s[name] for s in single], axis=0), rtol=1e-13, atol=1e-15)


def test_soft_targets_that_do_not_sum_to_one_still_get_the_derivative_of_their_cost():
    rng = np.random.default_rng(2)
    loss = LOSSES["softmax_cross_entropy"]
    F, Y = rng.normal(size=(3, 5)), rng.uniform(size=(3, 5))
    Fc = F.astype(complex)
    assert relative_error(loss.seed(F, Y), complex_step(lambda: loss.cost(Fc, Y), Fc)) < 1e-13
