"""Dropout: its mask, the bars under a mask that is kept, and that resumes, ranks and checks see the same one."""

import copy
from pathlib import Path

import numpy as np
import pytest
from checks import bars_and_complex_steps
from command_line import assert_checked_resumed_and_replayed, mlp
from numerical import relative_error
from small_runs import ADAM, write_problem

from mlp import SGD, Layer, Network, Progress, SquaredError, evaluate, train
from mlp.layers import Coupling, Dropout, Recompute, Residual
from mlp.layers.dropout import Draws
from mlp.minibatches import Alone


def dense(rng, n_in, n_out, activation="tanh", dtype=np.float64):
    return Layer.initialize(n_in, n_out, activation, rng=rng, dtype=dtype)


def network(seed=0, around=lambda layers: layers):
    rng = np.random.default_rng(seed)
    inner = [Dropout(0.3), dense(rng, 5, 5), Dropout(0.4)]
    return Network([dense(rng, 4, 5), *around(inner), dense(rng, 5, 3, "identity")])


KINDS = [lambda layers: layers, lambda layers: [Recompute(layers)], lambda layers: [Residual(layers)]]


def test_a_mask_has_the_mean_1_and_evaluation_has_none():
    H_in = np.ones((50, 400), np.float32)
    values = Dropout(0.2).forward(H_in, Draws((0, 1), 400))
    assert set(np.unique(values.H)) == {np.float32(0), np.float32(1.25)}
    assert abs(values.H.mean() - 1) < 0.02  # 20,000 draws: six deviations
    assert values.H.dtype == np.float32
    assert Dropout(0.2).forward(H_in).H is H_in
    assert (Dropout(0.0).forward(H_in, Draws((0, 1), 400)).H == 1).all()


@pytest.mark.parametrize("B", [7, 1, 4, 5])
@pytest.mark.parametrize("around", KINDS, ids=["plain", "recompute", "residual"])
def test_all_bars_under_one_mask(around, B):
    rng, loss = np.random.default_rng(B), SquaredError()
    net, X, Y = network(around=around), rng.normal(size=(4, B)), rng.normal(size=(3, B))
    for name, bar, wanted in bars_and_complex_steps(net, loss, X, Y, lambda: Draws((1, 2), B)):
        assert relative_error(bar, wanted) < 1e-9, name


def data(n=23):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 4)), rng.normal(size=(n, 3))


def trained(net, stop_after=None, **options):
    """Records of a training; if asked for, it stops after a minibatch and continues."""
    progress, rng, optimizer = Progress(), np.random.default_rng(5), SGD(0.1, 0.9)
    options = {"rng": rng, "epochs": 3, "batch_size": 5, "progress": progress} | options
    records = []
    if stop_after is not None:
        for number, record in enumerate(train(net, SquaredError(), optimizer, data(), **options).minibatches(), 1):
            records.append(record)
            if number == stop_after:
                break
        rng.standard_normal(7)  # its state is that of the unfinished epoch again
    return [*records, *train(net, SquaredError(), optimizer, data(), **options).minibatches()]


@pytest.mark.parametrize("stop_after", [1, 4, 5, 8])
def test_going_on_in_the_middle_of_an_epoch_draws_the_same_masks(stop_after):
    whole, parts = network(), network()
    trained(whole)
    trained(parts, stop_after)
    assert np.array_equal(whole.theta, parts.theta)


def test_masks_differ_from_minibatch_to_minibatch_and_from_epoch_to_epoch():
    seen = []

    class Spy(Dropout):
        def forward(self, H_in, draws=None):
            values = super().forward(H_in, draws)
            if values.M is not None:
                seen.append((values.M > 0).tobytes())
            return values

    rng = np.random.default_rng(0)
    trained(Network([dense(rng, 4, 6), Spy(0.5), dense(rng, 6, 3)]), epochs=4, batch_size=23)
    trained(Network([dense(rng, 4, 6), Spy(0.5), dense(rng, 6, 3)]), epochs=1, batch_size=5)
    assert len(set(seen)) == len(seen) == 4 + 5


def test_each_process_takes_its_columns_of_the_same_mask():
    class Half(Alone):
        """One of two processes, which takes the even or the odd rows, and keeps its bars."""

        def __init__(self, start):
            self.start, self.bars = start, None

        def share(self, rows):
            return rows[self.start :: 2]

        def sum(self, theta_bar, c, B):
            n = len(range(self.start, B, 2))
            self.bars = theta_bar * n / B
            return c

    def bars(workers):
        net = network()
        loop = train(
            net,
            SquaredError(),
            SGD(0.1),
            data(10),
            rng=np.random.default_rng(5),
            epochs=1,
            batch_size=10,
            workers=workers,
        )
        next(iter(loop.minibatches()))
        return loop.bars.vector if type(workers) is Alone else workers.bars

    np.testing.assert_allclose(bars(Half(0)) + bars(Half(1)), bars(Alone()), rtol=1e-12)


def test_evaluation_is_not_random():
    net, own = network(), data()
    assert evaluate(net, SquaredError(), own) == evaluate(net, SquaredError(), own)
    without = Network([layer for layer in network().layers if not isinstance(layer, Dropout)])
    assert np.array_equal(net(own[0].T), without(own[0].T))


def test_a_training_without_dropout_draws_nothing():
    """The order of the rows is that of the time before there was dropout."""
    rng = np.random.default_rng(5)
    net = Network([dense(np.random.default_rng(0), 4, 3)])
    trained(net, rng=rng, epochs=2)
    wanted = np.random.default_rng(5)
    wanted.permutation(23), wanted.permutation(23)
    assert rng.bit_generator.state == wanted.bit_generator.state


def test_what_cannot_be_random_is_refused():
    with pytest.raises(ValueError, match="could not be rebuilt"):
        Coupling(Network([dense(np.random.default_rng(0), 2, 2), Dropout(0.1)]))
    for p in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="dropout must be a number"):
            Dropout(p)


def test_a_copy_draws_the_same():
    net, X = network(), data()[0].T
    assert np.array_equal(copy.deepcopy(net)(X, Draws((3,), 23)), net(X, Draws((3,), 23)))


def test_runs_with_dropout_are_checked_resumed_and_replayed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_problem(ADAM, epochs=4)
    text = Path(path).read_text()
    layers = "layers: [{dropout: 0.1}, {units: 7, activation: tanh}, {dropout: 0.3}, {units: 5}]"
    Path(path).write_text(text.replace("layers: [{units: 7, activation: tanh}, {units: 5}]", layers))
    assert_checked_resumed_and_replayed(path)
    found = [mlp("predict", "whole", "table.csv").stdout for _ in range(2)]
    assert found[0] == found[1]
    assert "Dropout(0.3)" in mlp("summary", path).stdout
