"""One network derived twice: as a graph of operations, and by the trainer's layers and losses, with the same bars."""

from itertools import pairwise

import numpy as np
import pytest

from mlp import Layer, LogisticCrossEntropy, Network, SoftmaxCrossEntropy, SquaredError
from mlp import autodiff as ad
from mlp.autodiff import Graph, reverse_mode
from mlp.losses import LOSSES


def squared_error(F, Y, B):
    R = F - Y
    return ad.sum(R * R) / (2 * B)


def logistic_cross_entropy(F, Y, B):
    return ad.sum(ad.softplus(F) - Y * F) / B


def softmax_cross_entropy(F, Y, B):
    Z = F - np.max(F.value, axis=0)
    log_P = Z - ad.log(ad.sum(ad.exp(Z), axis=0, keepdims=True))
    return -ad.sum(Y * log_P) / B


@pytest.mark.parametrize("batch", [7, 1, 3])  # other than all sizes, one example, and B == K of the output
@pytest.mark.parametrize(
    ("cost", "loss"),
    [
        (squared_error, SquaredError()),
        (logistic_cross_entropy, LogisticCrossEntropy()),
        (softmax_cross_entropy, SoftmaxCrossEntropy()),
    ],
    ids=["squared_error", "logistic", "softmax"],
)
@pytest.mark.parametrize("activations", [("tanh", "logistic"), ("relu", "softplus")], ids="-".join)
def test_a_network_of_operations_has_the_bars_of_the_layers(activations, cost, loss, batch):
    rng = np.random.default_rng(batch)
    sizes = [4, 6, 5, 3]
    parameters = [(rng.normal(size=(k, j)) / np.sqrt(j), rng.normal(size=(k, 1))) for j, k in pairwise(sizes)]
    X, Y = rng.normal(size=(4, batch)), np.eye(3)[:, rng.integers(3, size=batch)]

    graph = Graph()
    H = graph.input(X, "X")
    nodes = [{"H": H}]
    for (W, b), name in zip(parameters, (*activations, None), strict=True):
        W, b = graph.input(W, "W"), graph.input(b, "b")
        ones = np.ones((1, batch))
        A = W @ H + b @ ones  # A = W H + b 1^T, as the note has it
        H = getattr(ad, name)(A) if name else A
        nodes.append({"W": W, "b": b, "A": A, "H": H})
    c = cost(H, Y, batch)
    bars = reverse_mode(c)

    network = Network([Layer(W, b, g) for (W, b), g in zip(parameters, (*activations, "identity"), strict=True)])
    values = network.forward(X)
    layer_bars = network.backward(values, loss.seed(values[-1].H, Y), input_bar=True)
    pairs = [(c.value, loss.cost(values[-1].H, Y)), (bars[nodes[0]["H"]], layer_bars[0].H_in_bar)]
    for at, node in enumerate(nodes[1:]):
        of_layer, value = layer_bars[at], values[at]
        pairs += [(node["A"].value, value.A), (node["H"].value, value.H)]
        pairs += [
            (bars[node["A"]], of_layer.A_bar),
            (bars[node["b"]], of_layer.b_bar),
            (bars[node["W"]], of_layer.W_bar),
        ]
        pairs += [(bars[nodes[at]["H"]], of_layer.H_in_bar)]
    for found, wanted in pairs:
        assert np.shape(found) == np.shape(wanted)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)


GRAPHS = {
    "absolute_error": lambda F, Y: ad.absolute(F - Y),
    "log_cosh": lambda F, Y: ad.log(ad.cosh(F - Y)),
    "huber": lambda F, Y: 0.5 * ad.square(R := F - Y) - 0.5 * ad.square(ad.relu(ad.absolute(R) - 1)),
    "poisson": lambda F, Y: ad.exp(F) - Y * F,
    "quantile": lambda F, Y: (1 - LEVELS) * ad.relu(F - Y) + LEVELS * ad.relu(Y - F),
}
LEVELS = np.array([[0.1], [0.5], [0.9]])


def likelihood(F, Y):
    v = ad.exp(F[1::2]) + 1e-6
    return 0.5 * (ad.log(v) + ad.square(F[::2] - Y[::2]) / v)


GRAPHS["gaussian"] = likelihood


def squared_probabilities(F, Y):
    E = ad.exp(F)
    return 0.5 * ad.square(E / ad.sum(E, axis=0, keepdims=True) - Y)


GRAPHS["brier"] = squared_probabilities


@pytest.mark.parametrize("batch", [7, 1, 3])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_seed_of_a_loss_is_that_of_a_graph(name, batch):
    """Up to a term of the cost that is the same for all F."""
    rng, loss = np.random.default_rng(batch), LOSSES[name]
    K = 4 if name == "gaussian" else 3
    F, Y = 2 * rng.normal(size=(K, batch)), rng.poisson(2.0, size=(K, batch)).astype(float)
    graph = Graph()
    node = graph.input(F, "F")
    bars = reverse_mode(ad.sum(GRAPHS[name](node, Y)) / batch)
    np.testing.assert_allclose(loss.seed(F, Y), bars[node], rtol=1e-12, atol=1e-15)
