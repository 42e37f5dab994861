"""Recomputed values (the note's footnote 3, "check-pointing"): the same bits of every bar for less memory."""

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from shift_layer import Shift

from mlp import SGD, Adam, Layer, Network, SquaredError, train
from mlp.checking.copies import stored
from mlp.cli.commands import cli
from mlp.experiments.model import load_model
from mlp.layers import Recompute

ACTIVATIONS = ("tanh", "relu", "gelu", "identity")


def deep_network(depth, rng, dtype=np.float32):
    """`depth` layers of all different sizes and changing activations; every third is a Shift."""
    layers, width = [], 4
    for number in range(depth):
        if number % 3 == 1:
            layers.append(Shift(width))
            continue
        layers.append(Layer.initialize(width, width + 1, ACTIVATIONS[number % len(ACTIVATIONS)], rng=rng, dtype=dtype))
        width += 1
    return layers, width


def blocks(layers, k):
    """The same layers, k in a block that is computed again."""
    return Network([Recompute(layers[start : start + k]) for start in range(0, len(layers), k)])


@pytest.mark.parametrize("batch", [7, 1, 4])
@pytest.mark.parametrize("depth", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_recomputing_keeps_every_bit_of_every_bar(k, depth, batch):
    rng = np.random.default_rng(depth)
    layers, n_out = deep_network(depth, rng)
    plain, recomputed = Network(layers), blocks(layers, k)
    X = rng.normal(size=(4, batch)).astype(np.float32)
    F_bar = rng.normal(size=(n_out, batch)).astype(np.float32)
    wanted = plain.backward(plain.forward(X), F_bar, input_bar=True)
    wanted_bars = [bar.tobytes() for bar in plain.named(wanted.theta_bar).values()]
    values = recomputed.forward(X)
    assert values[-1].H.tobytes() == plain(X).tobytes()
    for input_bar in (False, True):
        found = recomputed.backward(values, F_bar, input_bar=input_bar)
        assert [bar.tobytes() for bar in recomputed.named(found.theta_bar).values()] == wanted_bars
    assert found[0].H_in_bar.tobytes() == wanted[0].H_in_bar.tobytes()


@pytest.mark.parametrize("depth", [1, 2, 5, 12])
def test_stored_arrays_by_hand(depth):
    """Plain: X, and A and H of each layer. Recomputing: X, and H of each block."""
    rng = np.random.default_rng(0)
    layers = [Layer.initialize(3, 3, "tanh", rng=rng) for _ in range(depth)]
    X = np.ones((3, 5), np.float32)
    assert stored(Network(layers).forward(X)) == (1 + 2 * depth, (1 + 2 * depth) * 60)
    for k in range(1, depth + 2):
        arrays = 1 + -(-depth // k)
        assert stored(blocks(layers, k).forward(X)) == (arrays, arrays * 60)


def test_stored_counts_each_array_once_and_a_view_as_the_whole():
    A, B, C = np.zeros((3, 4)), np.zeros((2, 5), np.float32), np.zeros((7, 1))
    assert stored([]) == (0, 0)
    assert stored([A, (A, None), SimpleNamespace(H=A[:1].T, A=C), [B]]) == (3, 96 + 40 + 56)


def test_the_peak_of_training_falls():
    """36 layers: values and bars, 4 arrays a layer, or six blocks of six with the values of 6 layers."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20_000, 4)), rng.normal(size=(20_000, 4))
    peaks = []
    for k in (None, 6):
        layers = [Layer.initialize(4, 4, "tanh", rng=rng, dtype=np.float64) for _ in range(36)]
        network = Network(layers) if k is None else blocks(layers, k)
        tracemalloc.start()
        list(train(network, SquaredError(), SGD(), data, rng=rng, epochs=1, batch_size=20_000))
        peaks.append(tracemalloc.get_traced_memory()[1] / data[0].nbytes)
        tracemalloc.stop()
    assert peaks[0] > 4 * 36
    assert peaks[1] < 6 + 12 + 6 + 12


def test_train_takes_the_same_steps():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(50, 4)), rng.normal(size=(50, 8))
    outcomes = []
    for wrap in (Network, lambda layers: blocks(layers, 1), lambda layers: blocks(layers, 3)):
        layers, n_out = deep_network(6, np.random.default_rng(1))
        assert n_out == 8
        network = wrap(layers)
        rng = np.random.default_rng(2)
        records = train(network, SquaredError(), Adam(0.01), data, rng=rng, epochs=3, batch_size=16, l2=0.01, clip=0.5)
        losses = [record.train_loss for record in records]
        outcomes.append((losses, [W.tobytes() for W in network.parameters().values()]))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_a_config_can_recompute_and_its_model_is_saved_and_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{a:.6f},{b:.6f},{'yes' if a * b > 0 else 'no'}" for a, b in np.random.default_rng(0).normal(size=(60, 2))]
    Path("table.csv").write_text("a,b,answer\n" + "\n".join(rows) + "\n")
    start = "data: {path: table.csv, target: answer, split: {valid: 0.2}}\ntask: classification\n"
    end = "training: {epochs: 4, batch_size: 8, seed: 3}\n"
    configs = {
        "plain": "[{units: 7}, {units: 6}, {units: 5}, {units: 4}]",
        "saving": "[{units: 7}, {recompute: [{units: 6}, {units: 5}]}, {recompute: [{units: 4}]}]",
    }
    weights = {}
    for name, layers in configs.items():
        Path(f"{name}.yaml").write_text(f"{start}network: {{layers: {layers}}}\n{end}")
        done = CliRunner().invoke(cli, ["train", f"{name}.yaml", "--out", name, "--no-plot"])
        assert done.exit_code == 0, done.output
        weights[name] = [W.tobytes() for W in load_model(name).network.parameters().values()]
    assert weights["plain"] == weights["saving"]
    assert Path("plain/metrics.csv").read_text().split(",")[:3] == Path("saving/metrics.csv").read_text().split(",")[:3]
    assert CliRunner().invoke(cli, ["evaluate", "saving"]).exit_code == 0
    refused = CliRunner().invoke(cli, ["train", "saving.yaml", "--set", "network.layers.1.recompute=[]"])
    assert refused.exit_code == 2
    assert "network.layers.1" in refused.stderr
