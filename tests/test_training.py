"""The loop: what a record says, how minibatches are cut, early stopping, and going on from where one was."""

import dataclasses
import itertools
import math
import re
import subprocess
import sys
import time

import numpy as np
import pytest

from mlp import (
    ACTIVATIONS,
    SGD,
    Activation,
    Adam,
    DivergedError,
    EpochRecord,
    Layer,
    MinibatchRecord,
    Network,
    Progress,
    SoftmaxCrossEntropy,
    SquaredError,
    evaluate,
    train,
)
from mlp.layers import Residual
from mlp.metrics import accuracy
from mlp.monitor import Monitor, Plateau
from mlp.optimizers import rates_of
from mlp.schedules import cosine, warm_up


def a_network(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return Network(
        [
            Layer.initialize(2, 5, "tanh", rng=rng, dtype=dtype),
            Layer.initialize(5, 3, "identity", rng=rng, dtype=dtype),
        ]
    )


def some_data(n=23, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, np.eye(3)[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]


def parameters(network):
    return {name: W.copy() for name, W in network.parameters().items()}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


LOSS = SoftmaxCrossEntropy()


def test_an_epoch_is_the_note_s_equations_over_shuffled_minibatches():
    """Written out with einsum and without Layer, Network or optimizer: one epoch, 23 rows, minibatches of 5."""
    X, Y = some_data()
    network, reference = a_network(), a_network()
    (record,) = train(network, LOSS, SGD(0.3), (X, Y), rng=np.random.default_rng(7), epochs=1, batch_size=5, l2=0.01)

    W1, b1, W2, b2 = reference.parameters().values()
    order = np.random.default_rng(7).permutation(23)
    costs, norms = [], []
    for start in range(0, 23, 5):
        rows = order[start : start + 5]
        x, y = X[rows], Y[rows]
        h = np.tanh(np.einsum("ji,bi->bj", W1, x) + b1.ravel())
        f = np.einsum("kj,bj->bk", W2, h) + b2.ravel()
        p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
        costs += list(-np.log((p * y).sum(axis=1)))
        f_bar = (p - y) / len(rows)  # the last minibatch has 3 rows, and 1/3 for its mean
        a_bar = np.einsum("kj,bk->bj", W2, f_bar) * (1 - h**2)
        gradient = [
            np.einsum("bj,bi->ji", a_bar, x) + 0.01 * W1,
            a_bar.sum(axis=0)[:, None],
            np.einsum("bk,bj->kj", f_bar, h) + 0.01 * W2,
            f_bar.sum(axis=0)[:, None],
        ]
        norms.append(math.sqrt(sum((g**2).sum() for g in gradient)))
        for W, W_bar in zip((W1, b1, W2, b2), gradient, strict=True):
            W -= 0.3 * W_bar
    for found, wanted in zip(network.parameters().values(), (W1, b1, W2, b2), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(record.train_loss, np.mean(costs), rtol=1e-12)
    np.testing.assert_allclose(record.gradient_norm, np.mean(norms), rtol=1e-12)
    assert (record.epoch, record.valid_loss, record.metrics, record.learning_rate) == (1, None, {}, 0.3)
    assert record.seconds > 0


def test_every_row_is_used_once_an_epoch_and_in_another_order_each_time():
    X = np.arange(10.0)[:, None]
    seen = []

    class Spy(SquaredError):
        def cost(self, F, Y):
            seen.append(Y[0].tolist())
            return super().cost(F, Y)

    network = Network([Layer([[0.0]], [[0.0]], "identity")])
    list(train(network, Spy(), SGD(1e-6), (X, X), rng=np.random.default_rng(0), epochs=2, batch_size=4))
    assert [len(batch) for batch in seen] == [1, 4, 4, 2, 4, 4, 2]  # the first row, at the call, to see that all fits
    del seen[0]
    first, second = seen[0] + seen[1] + seen[2], seen[3] + seen[4] + seen[5]
    assert sorted(first) == sorted(second) == X.ravel().tolist()
    assert first != second


def test_validation_metrics_and_the_training_loss_at_the_end_of_the_epoch():
    data, valid = some_data(), some_data(11, seed=2)
    network = a_network()
    options = {"rng": np.random.default_rng(0), "epochs": 3, "valid": valid, "metrics": {"accuracy": accuracy}}
    for record in train(network, LOSS, SGD(0.1), data, train_loss="epoch_end", l2=0.5, **options):
        assert record.train_loss == evaluate(network, LOSS, data)["loss"]  # of the data alone, without the penalty
        now = evaluate(network, LOSS, valid, {"accuracy": accuracy})
        assert record.valid_loss == now["loss"]
        assert record.metrics["valid_accuracy"] == now["accuracy"]
        assert record.metrics["train_accuracy"] == evaluate(network, LOSS, data, {"accuracy": accuracy})["accuracy"]


def test_evaluation_in_pieces_is_the_mean_over_all_rows():
    X, Y = some_data(2500)
    network = a_network()
    values = network.forward(X.T)
    np.testing.assert_allclose(evaluate(network, LOSS, (X, Y))["loss"], LOSS.cost(values[-1].H, Y.T), rtol=1e-13)


def test_the_schedule_acts_at_every_step_and_leaves_the_optimizer_as_it_was():
    rates = []

    class Spy(SGD):
        def step(self, theta, theta_bar, eta):
            rates.append(eta)
            super().step(theta, theta_bar, eta)

    optimizer, schedule = Spy(0.5), warm_up(cosine(4), 1)
    records = list(
        train(a_network(), LOSS, optimizer, some_data(), rng=np.random.default_rng(0), epochs=2, batch_size=10,
              schedule=schedule)
    )  # fmt: skip
    times = [epoch + (i + 0.5) / 3 for epoch in (0, 1) for i in range(3)]
    np.testing.assert_allclose(rates, [0.5 * schedule(t) for t in times], rtol=1e-15)
    assert [record.learning_rate for record in records] == [rates[2], rates[5]]
    assert optimizer.learning_rate == 0.5


def test_clipping_bounds_the_step():
    network = a_network()
    before = parameters(network)
    (record,) = train(
        network, LOSS, SGD(1.0), some_data(), rng=np.random.default_rng(0), epochs=1, batch_size=23, clip=1e-3
    )
    moved = math.sqrt(sum(((network.parameters()[k] - before[k]) ** 2).sum() for k in before))
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-9)
    assert record.gradient_norm > 1e-3


def test_early_stopping_puts_the_best_weights_back():
    data, (X, Y) = some_data(), some_data(11, seed=2)
    valid = X, Y[::-1]  # wrong labels, so that its loss turns up again
    network, progress, kept = a_network(), Progress(), {}
    records = []
    for record in train(
        network, LOSS, SGD(2.0), data, rng=np.random.default_rng(0), epochs=500, valid=valid, patience=5,
        progress=progress,
    ):  # fmt: skip
        records.append(record)
        kept[record.epoch] = parameters(network)
    losses = [record.valid_loss for record in records]
    best = int(np.argmin(losses)) + 1
    assert len(records) == best + 5 < 500
    assert (progress.best_epoch, progress.best_value, progress.epoch) == (best, min(losses), best + 5)
    assert same(kept[best], network.parameters())
    assert not same(kept[best + 5], network.parameters())


def best_by(monitor, **options):
    """The records of a training with this monitor, and its progress."""
    progress = Progress()
    options = {"valid": some_data(11, seed=2), "metrics": {"accuracy": accuracy}, "epochs": 40} | options
    loop = train(
        a_network(), LOSS, SGD(0.3), some_data(), rng=np.random.default_rng(0), monitor=monitor, progress=progress,
        **options,
    )  # fmt: skip
    return list(loop), progress


def test_the_best_epoch_is_the_first_or_the_last_with_the_best_metric():
    for ties in ("first", "last"):
        records, progress = best_by(Monitor("accuracy", ties))
        scores = [record.metrics["valid_accuracy"] for record in records]
        best = [record.epoch for record in records if record.metrics["valid_accuracy"] == max(scores)]
        assert len(best) > 1
        assert (progress.best_since, progress.best_epoch) == (best[0], best[0 if ties == "first" else -1])
        assert progress.best_value == -max(scores)
    records, progress = best_by(Monitor("accuracy"), valid=None, train_loss="epoch_end")
    assert progress.best_value == -max(record.metrics["train_accuracy"] for record in records)


def test_the_last_epoch_may_be_the_best():
    records, progress = best_by(Monitor("epoch"))
    assert (progress.best_epoch, len(records)) == (40, 40)


def test_patience_counts_from_the_first_of_equal_epochs():
    constant = {"accuracy": lambda P, Y: 0.5}
    records, progress = best_by(Monitor("accuracy", "last"), metrics=constant, patience=4)
    assert (len(records), progress.best_since, progress.best_epoch) == (5, 1, 5)


def test_a_metric_that_is_no_number_is_never_the_best():
    values = iter([math.nan, math.nan, 3.0, math.nan, 2.0, *[math.nan] * 35])
    _, progress = best_by(Monitor("m"), metrics={"m": lambda P, Y: next(values)})
    assert (progress.best_epoch, progress.best_value) == (5, 2.0)


def test_a_monitor_of_what_is_not_measured_is_refused():
    with pytest.raises(ValueError, match="one of loss, epoch, accuracy, got 'acuracy'"):
        best_by(Monitor("acuracy"))
    with pytest.raises(ValueError, match="a metric needs a validation set"):
        best_by(Monitor("accuracy"), valid=None)
    with pytest.raises(ValueError, match="ties must be one of first, last"):
        Monitor("loss", "both")


@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: SGD(0.1, 0.9, True), lambda: Adam(0.01)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_factor_of_the_rate_acts_on_its_parameters_alone(make, weight_decay):
    """One step with factors moves each parameter by its factor times the way that it goes without."""
    ways = []
    for factors in ({}, {"b": 3.0, "W1": 0.5}):
        network = a_network()
        before = parameters(network)
        list(
            train(
                network, LOSS, make(), some_data(), rng=np.random.default_rng(0), epochs=1, batch_size=23,
                rate_factors=factors, weight_decay=weight_decay,
            )
        )  # fmt: skip
        ways.append({name: W - before[name] for name, W in network.parameters().items()})
    for name, factor in {"W1": 0.5, "b1": 3, "W2": 1, "b2": 3}.items():
        np.testing.assert_allclose(ways[1][name], factor * ways[0][name], rtol=1e-2 * weight_decay + 1e-9, atol=1e-12)


def test_factors_reach_layers_inside_others_and_unknown_names_are_refused():
    rng = np.random.default_rng(0)
    inner = [Layer.initialize(5, 5, "tanh", rng=rng, dtype=np.float64)]
    network = Network([Layer.initialize(2, 5, "tanh", rng=rng, dtype=np.float64), Residual(inner)])
    found = network.named(rates_of(network, {"b": 2.0, "r1_W2": 4.0}))
    assert {name: set(part.ravel().tolist()) for name, part in found.items()} == {
        "W1": {1.0}, "b1": {2.0}, "r1_W2": {4.0}, "r1_b2": {2.0}
    }  # fmt: skip
    assert rates_of(network, {}) is None
    with pytest.raises(ValueError, match=r"rate_factors\['b'\] must be a number > 0"):
        rates_of(network, {"b": 0.0})
    with pytest.raises(ValueError, match="no parameter is called s: there are W1, b1, r1_W2, r1_b2"):
        rates_of(network, {"s": 2.0})


def test_without_patience_the_last_weights_stay_and_progress_has_the_best():
    network, progress = a_network(), Progress()
    records = list(
        train(network, LOSS, SGD(5.0), some_data(), rng=np.random.default_rng(0), epochs=20, progress=progress)
    )
    losses = [record.train_loss for record in records]
    assert progress.best_epoch == int(np.argmin(losses)) + 1
    assert progress.epoch == 20


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9, True), lambda: Adam(0.01)])
@pytest.mark.parametrize("k", [1, 4, 9])
def test_going_on_with_progress_is_exact(make, k):
    data, valid = some_data(), some_data(11, seed=2)

    def begin():
        return a_network(), make(), np.random.default_rng(3), Progress()

    def go(network, optimizer, rng, progress, epochs):
        options = {"valid": valid, "schedule": cosine(10), "batch_size": 4, "l2": 1e-3}
        return list(train(network, LOSS, optimizer, data, rng=rng, epochs=epochs, progress=progress, **options))

    whole, parts = begin(), begin()
    expected = go(*whole, 10)
    found = go(*parts, k) + go(*parts, 10)
    assert same(whole[0].parameters(), parts[0].parameters())
    assert [(r.train_loss, r.valid_loss) for r in found] == [(r.train_loss, r.valid_loss) for r in expected]
    assert np.array_equal(whole[3].best_theta, parts[3].best_theta)


def test_one_seed_gives_identical_weights_in_two_processes():
    script = (
        "import numpy as np, hashlib, test_training as t, mlp\n"
        "n = t.a_network(dtype=np.float32)\n"
        "list(mlp.train(n, t.LOSS, mlp.Adam(), t.some_data(), rng=np.random.default_rng(0), epochs=5))\n"
        "print(hashlib.sha256(b''.join(W.tobytes() for W in n.parameters().values())).hexdigest())"
    )
    folder = __file__.rpartition("/")[0]
    runs = [subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True) for _ in "12"]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout) == 65, runs[0].stderr


def test_single_precision_data_and_network_stay_single():
    X, Y = some_data()
    network = a_network(dtype=np.float32)
    list(train(network, LOSS, SGD(0.1), (X, Y), rng=np.random.default_rng(0), epochs=1))  # float64 data are cast
    assert {W.dtype for W in network.parameters().values()} == {np.dtype(np.float32)}


# Minibatch by minibatch


def test_minibatches_are_yielded_too_and_change_nothing():
    data, valid = some_data(), some_data(11, seed=2)
    options = {"epochs": 3, "batch_size": 5, "valid": valid, "schedule": cosine(3), "l2": 0.01}
    whole, parts = a_network(), a_network()
    epochs = list(train(whole, LOSS, Adam(0.01), data, rng=np.random.default_rng(3), **options))
    records = list(train(parts, LOSS, Adam(0.01), data, rng=np.random.default_rng(3), **options).minibatches())
    assert same(whole.parameters(), parts.parameters())
    assert [isinstance(record, MinibatchRecord) for record in records] == ([True] * 5 + [False]) * 3
    for number, record in enumerate(epochs):
        batches, again = records[6 * number : 6 * number + 5], records[6 * number + 5]
        assert [batch[:3] for batch in batches] == [(number + 1, i, 5) for i in (1, 2, 3, 4, 5)]
        assert (again.train_loss, again.valid_loss) == (record.train_loss, record.valid_loss)
        sizes = np.array([5, 5, 5, 5, 3])
        np.testing.assert_allclose(np.dot(sizes, [batch.cost for batch in batches]) / 23, record.train_loss, rtol=1e-14)
        np.testing.assert_allclose(
            np.mean([batch.gradient_norm for batch in batches]), record.gradient_norm, rtol=1e-14
        )
        assert batches[-1].learning_rate == record.learning_rate
        assert [batch.learning_rate for batch in batches] == [
            0.01 * cosine(3)(number + (i + 0.5) / 5) for i in range(5)
        ]


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9, True), lambda: Adam(0.01)])
@pytest.mark.parametrize("batch_size", [4, 23, 1])
def test_going_on_after_any_minibatch_is_exact(make, batch_size):
    """For every k: k minibatches, then the generator is used for something else, then the rest by a new iterator."""
    data, valid = some_data(), some_data(11, seed=2)

    def begin():
        return a_network(), make(), np.random.default_rng(3), Progress()

    def go(network, optimizer, rng, progress):
        options = {"valid": valid, "schedule": cosine(3), "batch_size": batch_size, "train_loss": "epoch_end"}
        return train(network, LOSS, optimizer, data, rng=rng, epochs=2, progress=progress, **options)

    whole = begin()
    expected = list(go(*whole))
    for k in range(2 * (math.ceil(23 / batch_size) + 1)):
        parts = begin()
        records = list(itertools.islice(go(*parts).minibatches(), k))
        if parts[3].unfinished is not None:
            parts[2].random(5)
        found = [record for record in records if isinstance(record, EpochRecord)] + list(go(*parts))
        assert same(whole[0].parameters(), parts[0].parameters())
        assert [dataclasses.replace(record, seconds=0) for record in found] == [
            dataclasses.replace(record, seconds=0) for record in expected
        ]
        assert np.array_equal(whole[3].best_theta, parts[3].best_theta)
        assert whole[2].bit_generator.state == parts[2].bit_generator.state


def test_what_the_caller_does_in_between_is_not_in_the_seconds():
    steps = train(a_network(), LOSS, SGD(0.1), some_data(), rng=np.random.default_rng(0), epochs=1, batch_size=5)
    for record in steps.minibatches():
        if isinstance(record, MinibatchRecord):
            time.sleep(0.05)
    assert 0 < record.seconds < 0.2


def test_numbers_beyond_the_precision_are_divergence_and_no_warning():
    X, Y = some_data()
    network = a_network(dtype=np.float32)
    error, _ = diverge(network, LOSS, SGD(0.1), (X * 1e40, Y))
    assert error.place == "the inputs"
    evaluate(a_network(), SquaredError(), (X * 1e200, Y * 1e200))  # warnings are errors here


# Divergence


def diverge(network, loss, optimizer, data, **options):
    """The error, and the parameters as they were before the step that it speaks of."""
    options = {"rng": np.random.default_rng(0), "epochs": 99, "batch_size": 5} | options
    before = parameters(network)
    try:
        for _ in train(network, loss, optimizer, data, **options).minibatches():
            before = parameters(network)
            assert np.geterr()["over"] == "warn"  # what is silenced inside is not silenced outside
    except DivergedError as error:
        return error, before
    raise AssertionError("nothing diverged")


def test_divergence_stops_before_the_step_with_the_place_and_the_numbers():
    X, Y = some_data()
    network = a_network()
    error, before = diverge(network, SquaredError(), SGD(1e4), (X, Y))
    assert re.fullmatch(
        r"epoch \d+, minibatch [1-5] of 5: cost (inf|nan|[\d.e+]+), gradient norm (inf|nan); first in .*", str(error)
    )
    assert 1 <= error.minibatch <= 5
    assert error.learning_rate == 1e4
    assert 0.5 < error.largest_input < 10
    assert error.largest_target == 1
    assert error.parameters_finite
    assert same(before, network.parameters())  # as the last good step left them
    assert all(np.isfinite(W).all() for W in network.parameters().values())


def poisoned(network, place):
    """Make layer 1, 2 or 3 overflow, or the bars of W2 alone (g(A) is finite, its slope is not)."""
    if place == "gradient":
        network.layers[1].g = Activation("cliff", value=np.tanh, slope=lambda A, H: np.full_like(A, np.inf))
    else:
        network.layers[place - 1].W[...] = 1e200
    return network


@pytest.mark.parametrize(
    ("place", "words"), [(2, "layer 2"), (3, "layer 3"), ("gradient", "the gradient of b2, layer 2")]
)
def test_the_first_layer_that_is_not_finite_is_named(place, words):
    rng = np.random.default_rng(0)
    network = Network([Layer.initialize(2, 4, g, rng=rng, dtype=np.float64) for g in ["softplus"]])
    network = Network(
        [
            *network.layers,
            Layer.initialize(4, 5, "softplus", rng=rng, dtype=np.float64),
            Layer.initialize(5, 3, "identity", rng=rng, dtype=np.float64),
        ]
    )
    network.layers[0].b += 1e120 if isinstance(place, int) else 0.0
    error, _ = diverge(poisoned(network, place), LOSS, SGD(0.1), some_data())
    assert error.place == words
    assert str(error).startswith("epoch 1, minibatch 1 of 5: ")
    assert str(error).endswith(f"; first in {words}")


def test_data_that_is_not_finite_is_named_as_the_place():
    X, Y = some_data()
    error, _ = diverge(a_network(), LOSS, SGD(0.1), (X * np.nan, Y))
    assert (error.epoch, error.minibatch, error.place) == (1, 1, "the inputs")
    error, _ = diverge(a_network(), SquaredError(), SGD(0.1), (X, np.full_like(Y, np.inf)))
    assert error.place == "the targets"


def test_a_gradient_whose_square_overflows_names_the_largest():
    """Cost and gradient are finite, but not the squares that the norm is the root of."""
    network = Network([Layer(np.zeros((3, 2), np.float32), np.zeros((3, 1), np.float32), "identity")])
    X, Y = some_data()
    error, _ = diverge(network, SquaredError(), SGD(0.1), (X * 1e15, Y * 1e10), clip=1.0)
    assert error.place == "the squared gradient of W1, layer 1"
    assert error.largest_input > 1e14
    assert error.largest_target == np.float32(1e10)


class Leap(SGD):
    """A step that goes wrong in one number of theta, though cost and gradient are finite."""

    def __init__(self, place):
        super().__init__(0.1)
        self.place = place

    def step(self, theta, theta_bar, eta):
        super().step(theta, theta_bar, eta)
        if self.steps == 7:
            theta[self.place] = np.inf


@pytest.mark.parametrize(("place", "name", "layer"), [(-8, "b1", 1), (0, "W1", 1), (-1, "b2", 2)])
def test_a_parameter_that_is_not_finite_is_noticed_by_the_end_of_the_epoch(place, name, layer):
    """Even where no later cost would show it: a relu unit with the bias -inf is 0, and so is its gradient."""
    network = a_network()
    error, _ = diverge(network, LOSS, Leap(place), some_data())
    assert error.epoch == 2
    assert error.place in (f"layer {layer}", "layer 1", "layer 2")
    assert not error.parameters_finite

    silent = a_network()
    silent.layers[0].g = ACTIVATIONS["relu"]
    error, _ = diverge(silent, LOSS, Sink(), some_data())
    assert str(error) == "after epoch 2: a step made b1 not finite; first in layer 1"
    assert (error.epoch, error.minibatch, error.learning_rate) == (2, None, 0.1)
    assert not error.parameters_finite


class Sink(Leap):
    def __init__(self):
        super().__init__(-8)

    def step(self, theta, theta_bar, eta):
        super().step(theta, theta_bar, eta)
        if self.steps == 7:
            theta[-8:-3] = -np.inf  # b1


@pytest.mark.parametrize(("which", "options"), [("validation", {}), ("training", {"train_loss": "epoch_end"})])
def test_a_loss_after_the_epoch_that_is_not_finite_is_noticed(which, options):
    X, Y = some_data()

    class Rough(SquaredError):
        def cost(self, F, Y):
            return np.inf if len(Y[0]) == (11 if which == "validation" else 23) else super().cost(F, Y)

    error, _ = diverge(a_network(), Rough(), SGD(0.1), (X, Y), valid=some_data(11, seed=2), **options)
    assert str(error) == f"after epoch 1: the {which} loss is inf"
    assert (error.epoch, error.minibatch) == (1, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs must be a whole number >= 1"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"patience": 3}, "needs a validation set"),
        ({"patience": 0, "valid": some_data()}, "patience must be a whole number >= 1"),
        ({"clip": 0}, "clip must be a number > 0"),
        ({"l2": -1}, "l2 must be a number >= 0"),
        ({"weight_decay": -1}, "weight_decay must be a number >= 0"),
        ({"train_loss": "end"}, "running"),
        ({"valid": (np.zeros((3, 2)), np.zeros((4, 3)))}, r"valid: X has shape \(3, 2\) and Y has shape \(4, 3\)"),
        ({"data": (np.zeros((0, 2)), np.zeros((0, 3)))}, "at least one row"),
        ({"data": (np.zeros(3), np.zeros((3, 1)))}, "one example a row"),
    ],
)
def test_arguments_that_cannot_work_are_refused_at_the_call(change, words):
    options = {"data": some_data(), "epochs": 1, "rng": np.random.default_rng(0)} | change
    data = options.pop("data")
    with pytest.raises(ValueError, match=words):
        train(a_network(), LOSS, SGD(), data, **options)


class MaxNorm(Layer):
    """A layer that replaces W whenever it is asked: an array that is changed in place would do, but this is allowed."""

    def forward(self, H_in):
        self.W = self.W / np.maximum(1, np.linalg.norm(self.W, axis=1, keepdims=True) / 9)
        return super().forward(H_in)


def test_a_parameter_that_is_replaced_within_a_minibatch_is_trained():
    plain, replaced = a_network(), a_network()
    layers = [MaxNorm(replaced.layers[0].W, replaced.layers[0].b, "tanh"), replaced.layers[1]]
    outcomes = []
    for network in (plain, Network(layers)):
        list(train(network, LOSS, SGD(0.1, 0.9), some_data(), rng=np.random.default_rng(0), epochs=3))
        outcomes.append(network.theta)
    np.testing.assert_allclose(*outcomes, rtol=1e-13)


def test_an_instance_of_a_loss_with_a_seed_of_its_own_is_asked_for_it():
    loss, network = SoftmaxCrossEntropy(), a_network()
    loss.seed = lambda F, Y: 0 * F
    before = network.theta.copy()
    list(train(network, loss, SGD(0.1), some_data(), rng=np.random.default_rng(0), epochs=1))
    assert np.array_equal(network.theta, before)


def averaged(epochs=4, stop_after=None, **options):
    """theta after each step of a training with a moving average, the progress, and the scores of its epochs."""
    network, progress, rng, optimizer = a_network(), Progress(), np.random.default_rng(3), SGD(0.5)
    options = {"valid": some_data(11, seed=2), "ema": 0.8, "batch_size": 5, "progress": progress, "rng": rng} | options
    thetas, scores = [network.theta.copy()], []
    for part in (stop_after, None) if stop_after else (None,):
        loop = train(network, LOSS, optimizer, some_data(), epochs=epochs, **options)
        for record in loop.minibatches():
            if isinstance(record, EpochRecord):
                scores.append(record.valid_loss)
                continue
            thetas.append(network.theta.copy())
            if part == len(thetas) - 1:
                break
    return network, thetas, progress, scores


def test_a_moving_average_follows_theta_and_is_what_is_kept():
    network, thetas, progress, scores = averaged(monitor=Monitor("epoch"))
    wanted, kept = thetas[1], None
    for number, theta in enumerate(thetas[1:], 1):
        wanted = 0.8 * wanted + 0.2 * theta
        if number % 5 == 0:
            kept = a_network()
            kept.theta[...] = wanted
            np.testing.assert_allclose(scores[number // 5 - 1], evaluate(kept, LOSS, some_data(11, seed=2))["loss"])
    np.testing.assert_allclose(progress.best_theta, wanted)
    assert np.array_equal(network.theta, thetas[-1])  # which is stepped on from
    without = averaged(ema=0.0)[1]
    assert all(np.array_equal(one, other) for one, other in zip(thetas, without, strict=True))


@pytest.mark.parametrize("stop_after", [3, 5, 12])
def test_a_moving_average_goes_on_exactly(stop_after):
    whole, parts = averaged(), averaged(stop_after=stop_after)
    assert np.array_equal(whole[2].average, parts[2].average)
    assert np.array_equal(whole[2].best_theta, parts[2].best_theta)
    assert whole[3] == parts[3]


def test_the_rate_falls_on_a_plateau_and_stays_there():
    """The monitored value is best in epoch 2: patience 3 lowers the rate after epochs 5 and 8."""
    X, Y = np.eye(3), np.eye(3)
    values = iter([5.0, 1.0, *[2.0] * 20])
    records = train(
        Network([Layer(np.ones((3, 3)), np.zeros((3, 1)), "identity")]),
        SquaredError(),
        SGD(0.5),
        (X, Y),
        valid=(X, Y),
        metrics={"told": lambda P, Y: next(values)},
        monitor=Monitor("told"),
        plateau=Plateau(0.1, 3),
        rng=np.random.default_rng(0),
        epochs=9,
    )
    rates = [record.learning_rate for record in records]
    np.testing.assert_allclose(rates, [*[0.5] * 5, *[0.05] * 3, 0.005])


@pytest.mark.parametrize(("factor", "patience"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_plateaus_that_are_none(factor, patience):
    with pytest.raises(ValueError, match="must be"):
        Plateau(factor, patience)
