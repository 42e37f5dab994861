"""Check networks with their losses: from the top down, layers that stand twice, and networks that are no chain."""

import numpy as np
import pytest
from checks import dense, only, passed, scaled

from mlp import SGD, Adam, Layer, Network, SoftmaxCrossEntropy, SquaredError, train
from mlp.autodiff import OPERATIONS
from mlp.checking import (
    INCONCLUSIVE,
    PASS,
    check_layer,
    check_loop,
    check_loss,
    check_network,
    check_operation,
    check_optimizer,
    failures,
)
from mlp.checking.selftest import NO_SLOPE
from mlp.layers.recompute import Recompute
from mlp.layers.reversible import Coupling, Reversible
from mlp.losses import LOSSES


@pytest.mark.parametrize("B", [5, 1, 3])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_networks_with_shipped_losses_pass(loss, B, rng):
    Y = rng.normal(size=(6, B)) if loss.target == "regression" else np.eye(6)[:, rng.integers(6, size=B)]
    passed(check_loss(loss, rng.normal(size=(6, B)), Y))
    network = Network([dense(rng, 4, 3, "gelu"), dense(rng, 3, 5, "elu"), dense(rng, 5, 6, "identity")])
    results = passed(check_network(network, loss, rng.normal(size=(4, B)), Y, l2=0.3))
    names = [result.what for result in results]
    assert names[:10] == ["F", "W3", "b3", "H2", "W2", "b2", "H1", "W1", "b1", "X"]  # as the reverse sweep goes


def test_guesses_stay_with_the_highest_wrong_bar(rng):
    network = Network([dense(rng, 3, 4), dense(rng, 4, 5, NO_SLOPE), dense(rng, 5, 2)])
    results = check_network(network, SquaredError(), rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
    assert {result.what for result in results if result.verdict == PASS} >= {"F", "W3", "b3", "H2"}
    for name in ("W2", "b2", "H1"):
        assert "slope g'(A) is forgotten" in only(results, name).guess
    for name in ("W1", "b1", "X"):
        assert "follows from H1" in only(results, name).guess


def test_zero_weights_above_leave_nothing_to_compare(rng):
    network = Network([dense(rng, 3, 4), Layer(np.zeros((2, 4)), np.zeros((2, 1)), "identity")])
    results = check_network(network, SquaredError(), rng.normal(size=(3, 5)), rng.normal(size=(2, 5)))
    assert not failures(results)
    assert "zero weights" in only(results, "W1", INCONCLUSIVE).reason
    assert only(results, "W2", PASS)


def test_a_layer_that_stands_twice_has_the_sum_of_both_bars(rng):
    """Its parameters have the names of its first place."""
    X, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    once = dense(rng, 3, 3)
    network = Network([once, dense(rng, 3, 3), once])
    results = passed(check_network(network, SquaredError(), X, Y, l2=0.1))
    assert [result.what for result in results][:8] == ["F", "H2", "W2", "b2", "H1", "W1", "b1", "X"]
    passed(check_loop(train, network, SquaredError(), (X.T, Y.T), l2=0.1, weight_decay=0.1))
    passed(check_optimizer(SGD(momentum=0.9), network))
    wrong = dense(rng, 3, 3, kind=scaled(2.0))
    results = check_network(Network([wrong, wrong]), SquaredError(), X, Y)
    assert {"W1", "b1", "H1"} <= {result.what for result in failures(results)}


def test_an_array_that_two_layers_had_in_common_is_one_of_each(rng):
    network = Network([dense(rng, 3, 3), dense(rng, 3, 3)])
    network.layers[1].W = network.layers[0].W
    results = check_network(network, SquaredError(), rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    assert {"W1", "b1", "W2", "b2"} < {result.what for result in passed(results)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_with_layers_around_layers_pass(dtype, rng):
    def layer(n_in, n_out):
        return Layer.initialize(n_in, n_out, "tanh", rng=rng, dtype=dtype)

    couplings = Reversible([Coupling(layer(2, 2)), Coupling(layer(2, 2), swap=True)])
    network = Network([layer(3, 4), couplings, Recompute([layer(4, 5), layer(5, 3)]), layer(3, 2)])
    X, Y = rng.normal(size=(3, 6)), rng.normal(size=(2, 6))
    for checked in (network, Network([layer(3, 4), couplings, couplings, layer(4, 2)])):
        results = passed(check_network(checked, SquaredError(), X, Y, l2=0.1))
        assert {"W1", "c2_m1_W2"} < {result.what for result in results}
    passed(check_loop(train, network, SquaredError(), (X.T, Y.T), l2=0.1, weight_decay=0.1))
    passed(check_optimizer(Adam(), network))
    assert network.theta.dtype == dtype


class WithSkip(Network):
    """F = layers(X) + X: not a chain."""

    skip = 1.0

    def forward(self, X, **options):
        values = super().forward(X)
        return [*values[:-1], values[-1]._replace(H=values[-1].H + X)]

    def backward(self, values, F_bar, *, input_bar=False, **options):
        inner = values[-1]._replace(H=self.layers[-1].g(values[-1].A))
        bars = super().backward([*values[:-1], inner], F_bar, input_bar=True)
        bars[0] = bars[0]._replace(H_in_bar=bars[0].H_in_bar + self.skip * F_bar)
        return bars


def test_a_network_of_ones_own_that_is_no_chain(rng):
    network = WithSkip([dense(rng, 3, 4), dense(rng, 4, 3)])
    X, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    results = passed(check_network(network, SquaredError(), X, Y))
    assert {"W1", "b2", "X"} < {result.what for result in results}
    network.skip = 0.0
    assert only(check_network(network, SquaredError(), X, Y), "X")


def test_everything_is_left_bitwise_as_it_was(rng):
    network = Network([Layer.initialize(3, 4, "relu", rng=rng), Layer.initialize(4, 2, "identity", rng=rng)])
    X, Y = rng.normal(size=(3, 5)).astype(np.float32), np.eye(2)[:, [0, 1, 1, 0, 1]]
    A, optimizer, arrays = X.astype(np.float64), Adam(), network.parameters()
    before = [array.tobytes() for array in (*arrays.values(), X, Y, A)]
    layers = [dict(vars(layer)) for layer in network.layers]
    check_layer(network.layers[0], X)
    check_network(network, SoftmaxCrossEntropy(), X, Y, l2=0.1)
    check_loss(SoftmaxCrossEntropy(), Y, Y)
    check_loop(train, network, SoftmaxCrossEntropy(), (X.T, Y.T), weight_decay=0.1)
    check_optimizer(optimizer, network)
    check_operation(OPERATIONS["matmul"], [A, A.T])
    assert [array.tobytes() for array in (*arrays.values(), X, Y, A)] == before
    assert all(np.shares_memory(array, arrays[name]) for name, array in network.parameters().items())
    assert arrays["W1"].dtype == np.float32
    assert [dict(vars(layer)) for layer in network.layers] == layers
    assert optimizer.steps == 0
