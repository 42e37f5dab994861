"""Weights of rows: c = 1/B sum_b w_b c_b, its derivative, and that each weight stays with its row."""

import dataclasses
import itertools

import numpy as np
import pytest
from numerical import central_differences, complex_step, relative_error

from mlp import SGD, Adam, DivergedError, Layer, Network, Progress, SoftmaxCrossEntropy, SquaredError, evaluate, train
from mlp.losses import LOSSES, cost_and_seed, mean_cost
from mlp.metrics import accuracy

K = 6
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def targets(loss, B, rng):
    return rng.normal(size=(K, B)) if loss.name == "squared_error" else np.eye(K)[:, rng.integers(K, size=B)]


def a_network(dtype=np.float64):
    rng = np.random.default_rng(0)
    return Network(
        [Layer.initialize(a, b, g, rng=rng, dtype=dtype) for a, b, g in ((4, 5, "tanh"), (5, K, "identity"))]
    )


def some_data(N=23, seed=1):
    """Rows whose weights, from 0 to 9, are no function of their place alone."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 4))
    return X, np.eye(K)[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)], rng.integers(10, size=N) + 0.5 * (X[:, 2] > 0)


LOSS = SoftmaxCrossEntropy()


@each_loss
@pytest.mark.parametrize("B", [7, 1, K, 4, 5])  # others than the network's sizes; one example; B == K, and the others
def test_the_bars_are_the_derivative_of_the_weighted_cost(loss, B):
    rng = np.random.default_rng(B)
    X, Y, w = rng.normal(size=(4, B)), targets(loss, B, rng), rng.uniform(0.1, 5, size=B)
    network = a_network()
    values = network.forward(X)
    F = values[-1].H
    c, F_bar = cost_and_seed(loss, F, Y, w)
    singly = [w[b] * loss.cost(F[:, [b]], Y[:, [b]]) for b in range(B)]
    np.testing.assert_allclose(c, sum(singly) / B, rtol=1e-13)

    def by_hand(F):
        return sum(w[b] * loss.cost(F[:, [b]], Y[:, [b]]) for b in range(B)) / B

    assert relative_error(F_bar, central_differences(lambda: by_hand(F), F)) < 1e-9
    Fc = F.astype(complex)
    assert relative_error(F_bar, complex_step(lambda: mean_cost(loss, Fc, Y, w), Fc)) < 1e-13
    found = network.named(network.backward(values, F_bar).theta_bar)
    for name, array in network.parameters().items():
        assert relative_error(found[name], central_differences(lambda: by_hand(network(X)), array)) < 1e-8, name


@each_loss
def test_costs_are_those_of_the_examples_in_the_precision_of_the_outputs(loss):
    rng = np.random.default_rng(3)
    F, Y = rng.normal(size=(K, 6)).astype(np.float32), targets(loss, 6, rng).astype(np.float32)
    costs = loss.costs(F, Y)
    assert (costs.shape, costs.dtype) == ((6,), np.float32)
    np.testing.assert_allclose(costs, [loss.cost(F[:, [b]], Y[:, [b]]) for b in range(6)], rtol=1e-6)
    with pytest.raises(ValueError, match="columns are examples"):
        loss.costs(F, Y[:, :1])


def test_an_epoch_written_out():
    """Without the package's loop, loss or weighting: 23 rows in shuffled minibatches of 5, the last one of 3."""
    X, Y, w = some_data()
    layer = Layer(np.full((K, 4), 0.1), np.zeros((K, 1)), "identity")
    W, b, network = layer.W.copy(), layer.b.copy(), Network([layer])
    (record,) = train(
        network, SquaredError(), SGD(0.01), (X, Y, w), rng=np.random.default_rng(7), epochs=1, batch_size=5
    )
    order, costs = np.random.default_rng(7).permutation(23), []
    for start in range(0, 23, 5):
        rows = order[start : start + 5]
        R = X[rows] @ W.T + b.T - Y[rows]
        costs += list(w[rows] * (R**2).sum(axis=1) / 2)
        W -= 0.01 * sum(w[n] * np.outer(r, X[n]) for n, r in zip(rows, R, strict=True)) / len(rows)
        b -= 0.01 * sum(w[n] * r for n, r in zip(rows, R, strict=True))[:, None] / len(rows)
    np.testing.assert_allclose(layer.W, W, rtol=1e-12)
    np.testing.assert_allclose(layer.b, b, rtol=1e-12)
    np.testing.assert_allclose(record.train_loss, sum(costs) / 23, rtol=1e-12)


def step(data, batch_size):
    """What the first minibatch adds to the parameters."""
    network = a_network()
    before = network.theta.copy()
    next(
        train(
            network, LOSS, SGD(1.0), data, rng=np.random.default_rng(0), epochs=1, batch_size=batch_size
        ).minibatches()
    )
    return network.theta - before


def test_the_pull_of_a_row_does_not_depend_on_its_neighbours():
    """In a minibatch of one, a row of weight 10 pulls ten times as hard; among others too."""
    X, Y, _ = some_data(1)
    np.testing.assert_allclose(step((X, Y, np.array([10.0])), 1), 10 * step((X, Y, np.array([1.0])), 1), rtol=1e-10)
    X, Y, _ = some_data(2)
    alone = [step((X[[n]], Y[[n]], np.array([w])), 1) for n, w in enumerate((1.0, 10.0))]
    np.testing.assert_allclose(step((X, Y, np.array([1.0, 10.0])), 2), sum(alone) / 2, rtol=1e-10)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_1_give_the_same_parameters_to_the_last_bit(loss, dtype):
    X, Y, _ = some_data()
    thetas = []
    for data in ((X, Y), (X, Y, np.ones(23))):
        network = a_network(dtype)
        list(train(network, loss, Adam(0.01), data, rng=np.random.default_rng(0), epochs=5, batch_size=4))
        thetas.append(network.theta)
    assert thetas[1].dtype == dtype
    assert np.array_equal(*thetas)


@each_loss
def test_a_row_of_weight_2_is_the_row_twice(loss):
    """Through a whole training by steps with all rows, with weights of mean 1."""
    X, Y, _ = some_data()
    counts = np.random.default_rng(2).integers(4, size=23)
    found = []
    for data in ((X, Y, counts / counts.mean()), (np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0))):
        network = a_network()
        options = {"epochs": 40, "batch_size": 99, "train_loss": "epoch_end", "valid": data}
        records = list(train(network, loss, Adam(0.02), data, rng=np.random.default_rng(0), **options))
        found.append([network.theta, *([r.train_loss, r.valid_loss] for r in records)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("k", range(13))
def test_going_on_after_any_minibatch_is_exact(k):
    def begin():
        return a_network(), Adam(0.05), np.random.default_rng(3), Progress()

    def go(network, optimizer, rng, progress):
        options = {"valid": some_data(11, seed=2), "batch_size": 4, "train_loss": "epoch_end"}
        return train(network, LOSS, optimizer, some_data(), rng=rng, epochs=2, progress=progress, **options)

    whole, parts = begin(), begin()
    last = list(go(*whole))[-1]
    list(itertools.islice(go(*parts).minibatches(), k))
    if parts[3].unfinished is not None:
        parts[2].random(5)
    assert dataclasses.replace(list(go(*parts))[-1], seconds=0) == dataclasses.replace(last, seconds=0)
    assert np.array_equal(whole[0].theta, parts[0].theta)


def test_an_evaluation_weighs_costs_and_counts_rows():
    """In several pieces; divided by N, so that a share of the weight that is not mean 1 stays."""
    X, Y, w = some_data(2500)
    network = a_network()
    F = network(X.T)
    costs = np.array([LOSS.cost(F[:, [n]], Y.T[:, [n]]) for n in range(2500)])
    found = evaluate(network, LOSS, (X, Y, w), {"accuracy": accuracy})
    np.testing.assert_allclose(found["loss"], np.dot(w, costs) / 2500, rtol=1e-12)
    assert found["accuracy"] == evaluate(network, LOSS, (X, Y), {"accuracy": accuracy})["accuracy"]


class Absolute:
    """A loss of one's own: c = 1/B sum |F - Y|."""

    name = "absolute"

    def cost(self, F, Y):
        return np.abs(F - Y).sum() / F.shape[1]

    def seed(self, F, Y):
        return np.sign(F - Y) / F.shape[1]

    def predict(self, F):
        return F


class WithCosts(Absolute):
    def costs(self, F, Y):
        return np.abs(F - Y).sum(axis=0)


class Doubled(WithCosts):
    """Its costs are those of another cost."""

    def cost(self, F, Y):
        return 2 * super().cost(F, Y)


def test_a_loss_of_ones_own_needs_costs_for_weights_alone():
    data, network = some_data(), a_network()
    other = WithCosts()
    other.cost = lambda F, Y: 0.0
    for loss in (Absolute(), Doubled(), other):
        words = r"the rows have weights, but the loss 'absolute' has no costs\(F, Y\) beside its cost"
        with pytest.raises(ValueError, match=words):
            train(network, loss, SGD(), data, rng=np.random.default_rng(0), epochs=1)
        with pytest.raises(ValueError, match=words):
            train(network, loss, SGD(), data[:2], valid=data, rng=np.random.default_rng(0), epochs=1)
        with pytest.raises(ValueError, match=words):
            evaluate(network, loss, data)
        list(train(network, loss, SGD(), data[:2], rng=np.random.default_rng(0), epochs=1))
    X, Y, w = data
    found = evaluate(network, WithCosts(), data)["loss"]
    np.testing.assert_allclose(found, np.mean(w * np.abs(network(X.T) - Y.T).sum(axis=0)), rtol=1e-12)


@pytest.mark.parametrize(
    ("w", "words"),
    [
        (np.ones(22), r"w has shape \(22,\), expected \(23,\): one weight a row"),
        (np.ones((23, 1)), r"w has shape \(23, 1\), expected \(23,\)"),
        (np.r_[-1, np.ones(22)], "from -1 to 1, expected finite numbers of 0 or more"),
        (np.r_[np.nan, np.ones(22)], "from nan to nan"),
        (np.r_[np.inf, np.ones(22)], "from 1 to inf"),
        (np.zeros(23), "from 0 to 0, expected .* not all 0"),
    ],
    ids=["too few", "a matrix", "negative", "nan", "infinite", "all 0"],
)
def test_weights_that_cannot_work_are_refused_at_the_call(w, words):
    X, Y, _ = some_data()
    with pytest.raises(ValueError, match=f"^data: .*{words}"):
        train(a_network(), LOSS, SGD(), (X, Y, w), rng=np.random.default_rng(0), epochs=1)
    with pytest.raises(ValueError, match=f"^valid: .*{words}"):
        train(a_network(), LOSS, SGD(), (X, Y), valid=(X, Y, w), rng=np.random.default_rng(0), epochs=1)
    with pytest.raises(ValueError, match=f"^data: .*{words}"):
        evaluate(a_network(), LOSS, (X, Y, w))


def test_a_weight_that_makes_the_cost_infinite_is_divergence_in_the_loss():
    X, Y, _ = some_data()
    with pytest.raises(DivergedError, match=r"cost inf.*; first in the loss"):
        list(
            train(
                a_network(),
                SquaredError(),
                SGD(),
                (9 * X, Y, np.full(23, 1e308)),
                rng=np.random.default_rng(0),
                epochs=1,
            )
        )
