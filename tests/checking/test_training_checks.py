"""Check optimizers, training loops and the coding of labels."""

from types import SimpleNamespace

import numpy as np
import pytest
from checks import dense, only, passed

from mlp import SGD, Adam, Layer, Network, SquaredError, train
from mlp.checking import INCONCLUSIVE, check_labels, check_loop, check_optimizer


def test_the_shipped_loop_and_optimizers_pass(rng):
    network = Network([dense(rng, 3, 4), dense(rng, 4, 2, "identity")])
    data = rng.normal(size=(11, 3)), rng.normal(size=(11, 2))
    for options in ({}, {"batch_size": 4, "l2": 0.1}, {"batch_size": 11}, {"batch_size": 1}):
        passed(check_loop(train, network, SquaredError(), data, **options))
    assert "in minibatches of 4, 4, 3" in check_loop(train, network, SquaredError(), data)[0].reason
    decayed = passed(check_loop(train, network, SquaredError(), data, weight_decay=0.1))
    assert "on W1, W2 alone" in next(result.reason for result in decayed if result.check == "weight decay")
    for optimizer in (SGD(), SGD(momentum=0.9, nesterov=True), Adam(), OwnOptimizer(decayed=network.n_weights)):
        results = passed(check_optimizer(optimizer, network))
    assert "on W1, W2 alone" in results[-1].reason


def own_loop(
    network,
    loss,
    optimizer,
    data,
    *,
    rng,
    epochs,
    batch_size,
    l2,
    mistake="",
    Record=lambda c: SimpleNamespace(train_loss=c),
):
    """One's own loop, right or with a mistake."""
    X, Y = data
    if mistake == "shifted":
        Y = np.roll(Y, 1, axis=0)
    order, costs = rng.permutation(len(X)), []
    for start in range(0, len(X), batch_size):
        rows = order[start : start + batch_size]
        if mistake == "dropped" and len(rows) < batch_size:
            break
        values = network.forward(X[rows].T)
        F = values[-1].H
        costs.append(loss.cost(F, Y[rows].T))
        bars = network.backward(values, loss.seed(F, Y[rows].T) * (-1 if mistake == "sign" else 1))
        n = {"decay on b": None, "no penalty": 0}.get(mistake, network.n_weights)
        bars.theta_bar[:n] += l2 * network.theta[:n]
        optimizer.step(network.theta, bars.theta_bar, optimizer.learning_rate)
    sizes = [batch_size] * (len(X) // batch_size) + [len(X) % batch_size] * (len(X) % batch_size > 0)
    yield Record(np.mean(costs) if mistake in ("mean of means", "dropped") else np.average(costs, weights=sizes))


@pytest.mark.parametrize(
    ("mistake", "what", "words"),
    [
        ("shifted", "rows", "targets of other rows"),
        ("dropped", "rows", "left out"),
        ("decay on b", "b1", "weight decay on b"),
        ("no penalty", "W1", "penalty"),
        ("mean of means", "c", "without weighing"),
        ("sign", "b1", "the sign"),
    ],
)
def test_mistakes_of_a_loop_are_caught(mistake, what, words, rng):
    network = Network([Layer(rng.normal(size=(2, 3)), np.zeros((2, 1)), "tanh")])
    data = rng.normal(size=(11, 3)), rng.normal(size=(11, 2))
    passed(check_loop(own_loop, network, SquaredError(), data, l2=0.1))

    def wrong(*arguments, **options):
        return own_loop(*arguments, **options, mistake=mistake)

    found = only(check_loop(wrong, network, SquaredError(), data, l2=0.1), what)
    assert words in found.guess


def test_a_loop_that_never_steps_or_augments_cannot_be_judged(rng):
    network, data = Network([dense(rng, 3, 2)]), (rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    results = check_loop(lambda *arguments, **options: [], network, SquaredError(), data)
    assert "never called" in only(results, "steps", INCONCLUSIVE).reason

    def augmenting(network, loss, optimizer, data, **options):
        return own_loop(network, loss, optimizer, (data[0] + 0.1, data[1]), **options, Record=lambda c: None)

    assert "augmented" in only(check_loop(augmenting, network, SquaredError(), data), "rows", INCONCLUSIVE).reason


class OwnOptimizer:
    """Plain steps downhill, and of the first elements of theta as many as `decayed` shrink."""

    learning_rate = 0.1

    def __init__(self, mistake="", decayed=0):
        self.mistake, self.decayed = mistake, decayed

    def step(self, theta, theta_bar, eta):
        theta[: self.decayed] *= 1 - 0.01
        used = slice(0, -2) if self.mistake == "left out" else slice(None)
        theta[used] -= eta * theta_bar[used] * (-1 if self.mistake == "uphill" else 1)


@pytest.mark.parametrize(
    ("mistake", "what", "words"),
    [("uphill", "W1", "the sign"), ("decay on b", "b1", "weight decay on b"), ("left out", "b2", "left out")],
)
def test_mistakes_of_an_optimizer_are_caught(mistake, what, words, rng):
    network = Network([Layer(rng.normal(size=(4, 3)), np.zeros((4, 1)), "tanh"), dense(rng, 4, 2)])
    passed(check_optimizer(OwnOptimizer(decayed=network.n_weights), network))
    wrong = OwnOptimizer(mistake, decayed=network.theta.size if mistake == "decay on b" else 0)
    assert words in only(check_optimizer(wrong, network), what).guess


def test_a_loop_whose_weight_decay_acts_on_biases_is_caught(rng):
    def decaying(network, loss, optimizer, data, *, weight_decay=0.0, **options):
        yield from own_loop(network, loss, optimizer, data, **options)
        network.theta *= 1 - weight_decay

    network, data = Network([dense(rng, 3, 2)]), (rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    found = only(check_loop(decaying, network, SquaredError(), data, weight_decay=0.1), "b1")
    assert "weight decay on b" in found.guess
    assert "takes 0.1 of it away" in found.reason


def test_labels(rng):
    labels = ["a", "b", "c", "d"]
    codes = np.array([2, 0, 3, 1, 1, 0])
    written, Y = [labels[k] for k in codes], np.eye(4)[codes]
    passed(check_labels(Y, written, labels))
    assert "off by one" in only(check_labels(np.eye(4)[(codes - 1) % 4], written, labels), "Y").guess
    assert "row next to it" in only(check_labels(np.roll(Y, 1, axis=0), written, labels), "Y").guess
    swapped = only(check_labels(Y[:, [1, 0, 2, 3]], written, labels), "Y")
    assert swapped.guess == ""
    assert "row 1: 'a' is written, Y marks 'b'; 4 of 6 rows" in swapped.reason
    assert only(check_labels(Y / 2, written, labels), "Y").check == "one-hot"
    assert "shape" in only(check_labels(Y[:, :3], written, labels), "Y").reason
    two = ["no", "yes"]
    passed(check_labels(np.array([[0.0], [1], [1]]), ["no", "yes", "yes"], two))
    assert only(check_labels(np.array([[1.0], [0], [0]]), ["no", "yes", "yes"], two), "Y")
