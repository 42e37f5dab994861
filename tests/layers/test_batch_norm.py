"""Batch normalization: bars through the statistics of a minibatch, running statistics, resumed and replayed runs."""

from pathlib import Path

import numpy as np
import pytest
from checks import bars_and_complex_steps
from command_line import assert_checked_resumed_and_replayed
from small_runs import ADAM, write_problem

from mlp import SGD, Adam, Layer, Network, Progress, SquaredError, train
from mlp import autodiff as ad
from mlp.autodiff import Graph, reverse_mode
from mlp.experiments.model import load_model
from mlp.layers import BatchNorm, Coupling, Recompute, Residual
from mlp.layers.dropout import Draws


def draws(B):
    return Draws((0, 1), B)


def norm(rng, K=5):
    return BatchNorm(*rng.normal(size=(3, K, 1)), rng.uniform(0.5, 2, size=(K, 1)))


def network(seed=0, around=lambda layer: layer):
    rng = np.random.default_rng(seed)
    below, above = (Layer.initialize(a, b, g, rng=rng, dtype=np.float64) for a, b, g in ((4, 5, "tanh"), (5, 3, "elu")))
    return Network([below, around(norm(rng)), above])


@pytest.mark.parametrize("B", [7, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("around", [lambda layer: layer, lambda layer: Residual([layer])], ids=["plain", "residual"])
def test_all_bars_in_training(around, B):
    rng, loss, net = np.random.default_rng(B), SquaredError(), network(around=around)
    X, Y = rng.normal(size=(4, B)), rng.normal(size=(3, B))
    for name, bar, wanted in bars_and_complex_steps(net, loss, X, Y, lambda: draws(B)):
        if "mean" in name or "variance" in name:
            assert not bar.any()
            assert not wanted.any()
        else:  # through one example, or a bias below, goes nothing but rounding
            assert np.linalg.norm(bar - wanted) < 1e-9 * max(np.linalg.norm(wanted), 1e-3), name


@pytest.mark.parametrize("B", [7, 1, 5])
def test_the_same_bars_from_a_graph_of_operations(B):
    rng = np.random.default_rng(3)
    layer, X, H_bar = norm(rng), rng.normal(size=(5, B)), rng.normal(size=(5, B))
    values = layer.forward(X, draws(B))
    found, graph = layer.backward(values, H_bar), Graph()
    s, b, node = graph.input(layer.s, "s"), graph.input(layer.b, "b"), graph.input(X, "X")
    R = node - ad.mean(node, axis=1, keepdims=True)
    H = s * (R / ad.sqrt(ad.mean(R * R, axis=1, keepdims=True) + 1e-5)) + b
    np.testing.assert_allclose(H.value, values.H, rtol=1e-12)
    bars = reverse_mode(ad.sum(H_bar * H))
    for name, wanted in (("s", s), ("b", b), ("H_in", node)):
        np.testing.assert_allclose(getattr(found, f"{name}_bar"), bars[wanted], rtol=1e-9, atol=1e-11)


def test_by_hand():
    """1 and 3: mean 2, variance 1, and 2 where one example is left out for the mean."""
    layer = BatchNorm([[2.0]], [[5.0]], [[0.0]], [[1.0]])
    values = layer.forward(np.array([[1.0, 3.0]]), draws(2))
    np.testing.assert_allclose(values.H, [[3, 7]], rtol=1e-5)
    layer.follow(values)
    np.testing.assert_allclose([layer.mean, layer.variance], [[[0.2]], [[1.1]]])
    np.testing.assert_allclose(layer.forward(np.array([[0.2]])).H, [[5]])  # in evaluation: the running mean
    before = layer.mean.copy(), layer.variance.copy()
    one = layer.forward(np.array([[9.0]]), draws(1))
    assert one.H == 5  # an example alone has no deviation
    layer.follow(one)
    layer.follow(layer.forward(np.array([[9.0]])))
    assert (layer.mean, layer.variance) == before


def data(n=23):
    rng = np.random.default_rng(1)
    return 3 + 2 * rng.normal(size=(n, 4)), rng.normal(size=(n, 3))


def trained(net, epochs=3, stop_after=None, optimizer=None, **options):
    """A training; it is left after a minibatch and gone on with, if that is asked for."""
    rng, optimizer = np.random.default_rng(5), optimizer or Adam(0.01)
    options |= {"rng": rng, "epochs": epochs, "batch_size": 11, "progress": Progress()}
    loop = train(net, SquaredError(), optimizer, data(), **options).minibatches()
    for number, _ in enumerate(loop, 1):
        if number == stop_after:
            break
    rng.standard_normal(7)  # its state is that of the unfinished epoch again
    list(train(net, SquaredError(), optimizer, data(), **options).minibatches())
    return net


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_going_on_in_the_middle_of_an_epoch_changes_nothing(stop_after):
    assert np.array_equal(trained(network()).theta, trained(network(), stop_after=stop_after).theta)


@pytest.mark.parametrize("around", [lambda layer: layer, lambda layer: Residual([layer])], ids=["plain", "residual"])
def test_the_running_statistics_become_those_of_the_data(around):
    """Where the layer below stays as it is: no step moves them, whatever the optimizer keeps."""
    net = network(around=around)
    optimizer = SGD(1e-12, momentum=0.9)
    trained(net, 60, optimizer=optimizer, l2=0.1, weight_decay=0.1)
    H = net.layers[0].forward(data()[0].T).H
    layer = net.layers[1] if isinstance(net.layers[1], BatchNorm) else net.layers[1].inner.layers[0]
    np.testing.assert_allclose(layer.mean[:, 0], H.mean(axis=1), atol=0.2)
    np.testing.assert_allclose(layer.variance[:, 0], H.var(axis=1), atol=0.1)


def test_what_cannot_be_normalized_is_refused():
    layer = norm(np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match="cannot be recomputed"):
        Recompute([Residual([layer])])
    with pytest.raises(ValueError, match="could not be rebuilt"):
        Coupling(Network([layer]))


def test_runs_are_checked_resumed_and_replayed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_problem(ADAM, "ema: 0.9\n", epochs=4)
    text = Path(path).read_text()
    layers = "layers: [{units: 7, activation: tanh}, {batch_norm: true}, {dropout: 0.1}, {units: 5}]"
    Path(path).write_text(text.replace("layers: [{units: 7, activation: tanh}, {units: 5}]", layers))
    assert_checked_resumed_and_replayed(path)
    layer = load_model("whole").network.layers[1]
    assert layer.mean.any()
    assert (layer.variance != 1).all()
