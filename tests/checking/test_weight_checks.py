"""Check the weights of rows in a training loop, and the costs that a loss tells of single examples."""

from types import SimpleNamespace

import numpy as np
import pytest
from checks import dense, only, passed

from mlp import Network, SquaredError, train
from mlp.checking import INCONCLUSIVE, check_loss, check_weights
from mlp.losses import LOSSES


def own_loop(network, loss, optimizer, data, *, rng, batch_size, mistake="", **options):
    """One's own loop, right or with a mistake."""
    X, Y, *w = data
    w = w[0] if w and mistake != "left out" else np.ones(len(X))
    if mistake == "zeros and ones":
        w = (w > 0) * 1.0
    order, total = rng.permutation(len(X)), 0.0
    for start in range(0, len(X), batch_size):
        rows = order[start : start + batch_size]
        own = np.arange(len(rows)) if mistake == "of other rows" else rows
        values = network.forward(X[rows].T)
        F, Y_b, w_b = values[-1].H, Y[rows].T, w[own]
        if mistake == "their sum":
            w_b = w_b / w_b.mean()
        total += (loss.costs(F, Y_b) * (1 if mistake == "the cost alone" else w_b)).sum()
        bars = network.backward(values, loss.seed(F, Y_b) * w_b)
        optimizer.step(network.theta, bars.theta_bar, optimizer.learning_rate)
    yield SimpleNamespace(train_loss=total / len(X))


def check(loop, rng, N=11, loss=None):
    network = Network([dense(rng, 3, 4), dense(rng, 4, 2, "identity")])
    before = network.theta.copy()
    results = check_weights(loop, network, loss or SquaredError(), (rng.normal(size=(N, 3)), rng.normal(size=(N, 2))))
    assert np.array_equal(network.theta, before)
    return results


@pytest.mark.parametrize("loop", [train, own_loop])
@pytest.mark.parametrize("N", [1, 2, 11])
def test_loops_that_weigh_rows_pass(loop, N, rng):
    (result,) = passed(check(loop, rng, N))
    assert (result.check, result.reason) == ("weights", "a row of weight 2 equals the row twice")


@pytest.mark.parametrize(
    ("mistake", "arrays", "words"),
    [
        ("left out", ("W1", "b2", "c"), "the weights are left out"),
        ("their sum", ("W1", "b2", "c"), "divided by the sum of the weights"),
        ("of other rows", ("W1", "b2", "c"), ""),
        ("the cost alone", ("c",), "the weights are left out"),
    ],
)
def test_mistakes_with_weights_are_caught(mistake, arrays, words, rng):
    results = check(lambda *arguments, **options: own_loop(*arguments, **options, mistake=mistake), rng)
    for array in arrays:
        assert words in only(results, array).guess


def test_what_takes_no_weights_cannot_be_judged(rng):
    class Own(SquaredError):
        def cost(self, F, Y):
            return 1 + super().cost(F, Y)

    assert "no costs" in only(check(train, rng, loss=Own()), "c", INCONCLUSIVE).reason
    assert "one step" in only(check(lambda *arguments, **options: [], rng), "c", INCONCLUSIVE).reason


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_costs_of_examples_that_are_not_those_of_the_cost_are_caught(loss, rng):
    F, Y = rng.normal(size=(6, 5)), np.eye(6)[:, rng.integers(6, size=5)]
    passed(check_loss(loss, F, Y))
    for wrong in (lambda costs: costs / 5, lambda costs: costs[::-1], lambda costs: costs[None]):
        kind = type("Wrong", (type(loss),), {"costs": lambda self, F, Y, wrong=wrong: wrong(loss.costs(F, Y))})
        assert only(check_loss(kind(), F, Y), "costs").check == "minibatch"
