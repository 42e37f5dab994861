"""Several ranks in one process, as threads that sum in turn: what they end with is what one rank ends with."""

import copy
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlp import (
    SGD,
    Adam,
    DivergedError,
    Layer,
    LogisticCrossEntropy,
    Network,
    Progress,
    SoftmaxCrossEntropy,
    SquaredError,
    train,
)
from mlp.layers import BatchNorm
from mlp.layers.table import Maker
from mlp.minibatches import Alone
from mlp.parallel import Parts, Ranks, RanksDiffer
from mlp.parallel.agreement import check_alike, everywhere


class ThreadRanks(Ranks):
    """The ranks of one process; `shown` is what they show each other."""

    def __init__(self, rank, size, shown, barrier):
        self.rank, self.size = rank, size
        self.shown, self.barrier = shown, barrier

    def gather(self, value):
        self.shown[self.rank] = copy.deepcopy(value)
        self.barrier.wait(30)
        values = list(self.shown)
        self.barrier.wait(30)
        return values

    def broadcast(self, value):
        return copy.deepcopy(self.gather(value)[0])

    def sum(self, array):
        assert array.flags.c_contiguous
        first, *others = self.gather(array)
        array[...] = sum(others, start=first)

    def wait(self):
        raise InterruptedError("waits for another rank to end it")


def on_ranks(size, work):
    """What `work(ranks)` returns, or raises, on each of so many ranks."""
    shown, barrier = [None] * size, threading.Barrier(size)

    def one(rank):
        try:
            return work(ThreadRanks(rank, size, shown, barrier))
        except Exception as error:
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def make_network(dtype=np.float64, normalized=False):
    rng = np.random.default_rng(5)
    sizes = [(4, 6, "tanh"), (6, 5, "relu"), (5, 3, "identity")]
    layers = [Layer.initialize(a, b, g, rng=rng, dtype=dtype) for a, b, g in sizes]
    if normalized:
        layers.insert(1, BatchNorm.from_config(6, Maker(rng, dtype), batch_norm=True))
    return Network(layers)


def make_data(N=23, valid=9):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(N + valid, 4))
    Y = np.eye(3)[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
    return (X[:N], Y[:N]), (X[N:], Y[N:])


def accuracy(P, Y):
    return float((P.argmax(axis=0) == Y.argmax(axis=0)).mean())


CASES = {
    "momentum, clip, penalty": dict(
        make=lambda: SGD(0.3, momentum=0.9, nesterov=True), epochs=4, batch_size=8, clip=0.2, l2=1e-2
    ),
    "Adam, weights decay": dict(
        make=lambda: Adam(0.02), weight_decay=0.1, epochs=4, batch_size=7, train_loss="epoch_end"
    ),
    "rows with weights": dict(make=lambda: Adam(0.02), epochs=4, batch_size=4, train_loss="epoch_end", weights=True),
    "fewer examples than ranks": dict(make=lambda: SGD(0.1), epochs=2, batch_size=2),
    "batch norm, a last minibatch of one": dict(make=lambda: Adam(0.02), epochs=4, batch_size=11, normalized=True),
    "batch norm, fewer examples than ranks": dict(make=lambda: SGD(0.1), epochs=2, batch_size=2, normalized=True),
    "one example": dict(make=lambda: Adam(0.01), epochs=1, batch_size=1),
    "all examples, early stopping": dict(make=lambda: SGD(2.0, momentum=0.9), epochs=60, batch_size=99, patience=3),
}


def training(case, workers=None, dtype=np.float64, loss=None):
    """The records of a case, and the network that it ends with."""
    options = CASES[case].copy()
    network, optimizer = make_network(dtype, options.pop("normalized", False)), options.pop("make")()
    data, valid = make_data()
    if options.pop("weights", False):
        data, valid = ((X, Y, 1 + 9 * Y[:, 0] + X[:, 1] ** 2) for X, Y in (data, valid))
    records = train(
        network,
        loss or SoftmaxCrossEntropy(),
        optimizer,
        data,
        valid=valid,
        metrics={"accuracy": accuracy},
        rng=np.random.default_rng(1),
        workers=workers or Alone(),
        **options,
    )
    return list(records), network


def numbers(record):
    return [record.train_loss, record.valid_loss, record.gradient_norm, *record.metrics.values()]


def difference(network, other):
    """The largest difference of a parameter, relative to the largest parameter."""
    return np.abs(network.theta - other.theta).max() / np.abs(other.theta).max()


def bits(network):
    return network.theta.tobytes()


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("case", CASES)
def test_ranks_end_with_the_weights_that_one_process_gives(case, size):
    records, network = training(case)
    results = on_ranks(size, lambda ranks: training(case, Parts(ranks)))
    for rank_records, rank_network in results:
        assert bits(rank_network) == bits(results[0][1])
        assert difference(rank_network, network) < 1e-12
        assert [record.epoch for record in rank_records] == [record.epoch for record in records]
        for rank_record, record in zip(rank_records, records, strict=True):
            np.testing.assert_allclose(numbers(rank_record), numbers(record), rtol=1e-11)
    if case.endswith("early stopping"):
        assert len(records) < 60


def test_in_single_precision_too():
    """A few hundred roundings of 6e-8 each, where nothing amplifies them."""
    _, network = training("momentum, clip, penalty", dtype=np.float32)
    for _, rank_network in on_ranks(3, lambda ranks: training("momentum, clip, penalty", Parts(ranks), np.float32)):
        assert rank_network.theta.dtype == np.float32
        assert 0 < difference(rank_network, network) < 2e-5


def test_one_rank_is_one_process():
    _, network = training("momentum, clip, penalty")
    ((_, rank_network),) = on_ranks(1, lambda ranks: training("momentum, clip, penalty", Parts(ranks)))
    assert bits(rank_network) == bits(network)


def test_a_step_along_the_mean_over_all_examples():
    """W <- W - 1/B sum_b (W x_b + b - y_b) x_b^T, written out; parts of 2, 2 and 3 examples."""
    rng = np.random.default_rng(2)
    X, Y, W, b = rng.normal(size=(7, 4)), rng.normal(size=(7, 2)), rng.normal(size=(2, 4)), rng.normal(size=(2, 1))

    def work(ranks):
        network = Network([Layer(W, b, "identity")])
        loop = train(
            network,
            SquaredError(),
            SGD(1.0),
            (X, Y),
            rng=np.random.default_rng(4),
            epochs=1,
            batch_size=7,
            workers=Parts(ranks),
        )
        record = next(loop.minibatches())
        return network.layers[0], record

    R = X @ W.T + b.T - Y
    for layer, record in on_ranks(3, work):
        np.testing.assert_allclose(layer.W, W - sum(np.outer(R[n], X[n]) for n in range(7)) / 7, rtol=1e-12)
        np.testing.assert_allclose(layer.b[:, 0], b[:, 0] - R.mean(axis=0), rtol=1e-12)
        assert record.cost == pytest.approx((R**2).sum() / 14, rel=1e-12)


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("B", [1, 2, 3, 4, 5, 7, 16])
def test_every_row_is_one_ranks(B, size):
    rows = np.arange(100, 100 + B)
    parts = [Parts(ThreadRanks(rank, size, [], None)) for rank in range(size)]
    counts = [stop - start for start, stop in (part.bounds(B) for part in parts)]
    assert max(counts) - min(counts) <= 1
    owned = [part.share(rows) for part in parts]
    assert np.array_equal(np.concatenate([rows for rows, n in zip(owned, counts, strict=True) if n]), rows)
    assert all(len(rows) == max(1, n) for rows, n in zip(owned, counts, strict=True))


def test_a_wish_of_one_rank_stops_all_after_the_same_minibatch():
    """One process continues what they leave, as if nobody had stopped."""
    options = dict(epochs=3, batch_size=8)
    data, _ = make_data()

    def work(ranks):
        network, progress, rng = make_network(), Progress(), np.random.default_rng(1)
        optimizer, workers = SGD(0.3, momentum=0.9), Parts(ranks)
        seen = []
        loop = train(
            network,
            SoftmaxCrossEntropy(),
            optimizer,
            data,
            rng=rng,
            progress=progress,
            workers=workers or Alone(),
            **options,
        )
        for record in loop.minibatches():
            seen.append(record)
            if ranks.rank == 1 and len(seen) == 5:  # three minibatches, the epoch, and one more
                workers.stop()
        return network, progress, rng, optimizer, len(seen)

    whole = make_network()
    list(train(whole, SoftmaxCrossEntropy(), SGD(0.3, momentum=0.9), data, rng=np.random.default_rng(1), **options))
    for network, progress, rng, optimizer, seen in on_ranks(2, work):
        assert (seen, progress.epoch, progress.unfinished.minibatches) == (6, 1, 2)
        list(train(network, SoftmaxCrossEntropy(), optimizer, data, rng=rng, progress=progress, **options))
        assert difference(network, whole) < 1e-12


@pytest.mark.parametrize(("value", "place"), [(np.inf, "the inputs"), (1e200, "the loss"), (1e308, "layer 1")], ids=str)
def test_divergence_is_met_by_all_at_once(value, place):
    """With the place that one process finds, whoever has the row that began it."""

    def work(workers):
        (X, Y), _ = make_data()
        X = X.copy()
        X[17] = value
        layers = [Layer(np.ones((3, 4)), np.zeros((3, 1)), "identity")]
        loop = train(
            Network(layers), SquaredError(), SGD(0.1), (X, Y), rng=np.random.default_rng(3), epochs=2, workers=workers
        )
        with pytest.raises(DivergedError) as caught:
            list(loop)
        return caught.value

    wanted = work(Alone())
    assert place in str(wanted)
    for error in on_ranks(3, lambda ranks: work(Parts(ranks))):
        assert str(error) == str(wanted)
        assert vars(error) == vars(wanted)


def test_scores_are_those_of_rank_0():
    """A last bit that differs must not make one rank stop early, or call another epoch the best one."""

    class Differs(SoftmaxCrossEntropy):
        def __init__(self, rank):
            self.rank = rank

        def cost(self, F, Y):
            return super().cost(F, Y) + 0.1 * self.rank * (F.shape[1] == 9)  # of the validation set alone

    case = "all examples, early stopping"
    records, _ = training(case)
    for rank_records, _ in on_ranks(2, lambda ranks: training(case, Parts(ranks), loss=Differs(ranks.rank))):
        np.testing.assert_allclose([r.valid_loss for r in rank_records], [r.valid_loss for r in records], rtol=1e-11)


def test_weights_that_come_apart_are_noticed():
    class Drifts(SGD):
        def __init__(self, rank):
            super().__init__(0.1)
            self.rank = rank

        def step(self, theta, theta_bar, eta):
            super().step(theta, theta_bar, eta)
            if self.rank == 2:
                theta[5] = np.nextafter(theta[5], 1)

    def work(ranks):
        loop = train(
            make_network(),
            LogisticCrossEntropy(),
            Drifts(ranks.rank),
            make_data()[0],
            rng=np.random.default_rng(0),
            epochs=2,
            workers=Parts(ranks),
        )
        return list(loop)

    for error in on_ranks(3, work):
        assert isinstance(error, RanksDiffer)
        assert str(error).startswith("after epoch 1: the weights are not the same on all ranks")


def test_the_first_rank_that_fails_tells_it_and_the_others_wait_for_the_end():
    def work(ranks):
        return everywhere(ranks, lambda: [10, 20, 30, 40][ranks.rank] if ranks.rank in good else {}[ranks.rank])

    good = range(4)
    assert on_ranks(4, work) == [10, 20, 30, 40]
    good = (0, 2)
    assert [type(error) for error in on_ranks(4, work)] == [
        InterruptedError,
        KeyError,
        InterruptedError,
        InterruptedError,
    ]


def test_versions_are_compared_with_those_of_rank_0(monkeypatch):
    versions = threading.local()
    monkeypatch.setattr("mlp.parallel.agreement.environment", lambda: {"versions": {"numpy": versions.numpy}})

    def work(ranks):
        versions.numpy = ["2.4.0", "2.4.0", "2.3.1"][ranks.rank]
        check_alike(ranks, {})

    first, second, third = on_ranks(3, work)
    assert (first, second) == (None, None)
    assert re.fullmatch(r"has numpy 2.3.1, rank 0 on \S+ has 2.4.0; install the same", str(third))
