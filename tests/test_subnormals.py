"""A relu or elu network that becomes certain has no subnormal numbers, for which many processors take very long.

Well separated classes with a few extreme rows: softmax gives the other classes probabilities below 1e-38.
"""

import numpy as np
import pytest

from mlp import SGD, Layer, Network, SoftmaxCrossEntropy, activations, train
from mlp.losses import cross_entropies
from mlp.minibatches import minibatch

SIZES = (16, 64, 64, 64, 5)
TYPE = np.dtype(np.float32)
LOSS = SoftmaxCrossEntropy()


def certain_network(activation):
    rng = np.random.default_rng(0)
    classes = rng.integers(5, size=1500)
    X = 10 * rng.standard_normal((5, 16))[classes] + rng.standard_normal((1500, 16))
    X[:10] *= 10
    data = X.astype(np.float32), np.eye(5, dtype=np.float32)[classes]
    kinds = [activation] * 3 + ["identity"]
    layers = [
        Layer.initialize(n_in, n_out, g, rng=rng) for n_in, n_out, g in zip(SIZES, SIZES[1:], kinds, strict=False)
    ]
    network, optimizer = Network(layers), SGD(1e-3, momentum=0.9)
    *_, last = train(network, LOSS, optimizer, data, rng=rng, epochs=30, batch_size=100)
    assert last.train_loss < 1e-4
    return network, optimizer, data


def subnormals(network, optimizer, data):
    """How many there are in the seeds, the bars of all minibatches, and the velocity."""
    arrays = [optimizer.velocity, network.theta]
    for start in range(0, 1500, 100):
        X, Y, _ = minibatch(data, slice(start, start + 100), TYPE)
        values = network.forward(X)
        _, F_bar = LOSS.cost_and_seed(values[-1].H, Y)
        bars = network.backward(values, F_bar)
        arrays += [F_bar, bars.theta_bar, *(layer.A_bar for layer in bars)]
    return sum(int(((A != 0) & (abs(A) < np.finfo(TYPE).smallest_normal)).sum()) for A in arrays)


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_a_certain_network_has_none(activation):
    assert subnormals(*certain_network(activation)) == 0


def test_without_the_limit_it_has_many(monkeypatch):
    for module in (activations, cross_entropies):
        monkeypatch.setattr(module, "TINY", 0.0)
    assert subnormals(*certain_network("elu")) > 1000
