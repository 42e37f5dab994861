"""Saving memory (the note's footnote 3): the same bits from recomputed values, the same bars from rebuilt inputs."""

import copy
import importlib.util
import tracemalloc
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from numerical import complex_step, relative_error

from mlp import SGD, Adam, L2Penalty, Layer, Network, SquaredError, train
from mlp.cli.commands import cli
from mlp.experiments.model import KIND
from mlp.experiments.storage.archive import read_arrays
from mlp.layers.reversible import Coupling, Reversible
from mlp.network import BlockInput, stored

ACTIVATIONS = ("tanh", "relu", "gelu", "identity")


class Shift:
    """H = H_in + shift, a layer that is not ours: its values and bars are plain objects."""

    parameters = ("shift",)
    penalized = ()

    def __init__(self, size):
        self.shift = np.linspace(-1, 1, size)[:, None]

    def forward(self, H_in):
        return SimpleNamespace(H=H_in + self.shift)

    def backward(self, values, H_bar, *, input_bar=True):
        return SimpleNamespace(shift_bar=H_bar.sum(axis=1, keepdims=True), H_in_bar=H_bar)


def deep_network(depth, rng, dtype=np.float32):
    """`depth` layers of all different sizes and changing activations; every third is a Shift."""
    layers, width = [], 4
    for number in range(depth):
        if number % 3 == 1:
            layers.append(Shift(width))
            continue
        layers.append(Layer.initialize(width, width + 1, ACTIVATIONS[number % len(ACTIVATIONS)], rng=rng, dtype=dtype))
        width += 1
    return Network(layers), width


def bits(bars):
    """Every bar of every layer, activations and parameters alike."""
    fields = [bar._asdict() if isinstance(bar, tuple) else vars(bar) for bar in bars]
    return [{name: None if bar is None else bar.tobytes() for name, bar in each.items()} for each in fields]


@pytest.mark.parametrize("batch", [7, 1, 4])
@pytest.mark.parametrize("depth", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("k", range(1, 10))
def test_recomputing_keeps_every_bit_of_every_bar(k, depth, batch):
    rng = np.random.default_rng(depth)
    network, n_out = deep_network(depth, rng)
    X = rng.normal(size=(4, batch)).astype(np.float32)
    F_bar = rng.normal(size=(n_out, batch)).astype(np.float32)
    values, kept = network.forward(X), network.forward(X, keep_every=k)
    assert kept[-1].H.tobytes() == values[-1].H.tobytes()
    for input_bar in (False, True):
        wanted = bits(network.backward(values, F_bar, input_bar=input_bar))
        assert bits(network.backward(kept, F_bar, input_bar=input_bar)) == wanted
        assert bits(network.backward(kept, F_bar, input_bar=input_bar)) == wanted  # the list is as it was


def test_what_is_kept_is_plain_to_see():
    network, _ = deep_network(6, np.random.default_rng(0))
    X = np.ones((4, 5), np.float32)
    plain, kept = network.forward(X), network.forward(X, keep_every=3)
    assert [type(values) for values in kept[:5]] == [BlockInput, type(None), type(None), BlockInput, type(None)]
    assert kept[0].H_in is X
    assert kept[3].H_in.tobytes() == plain[2].H.tobytes()
    assert kept[5].A.tobytes() == plain[5].A.tobytes()
    for k in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"keep_every must be a whole number, at least 1, got {k}"):
            network.forward(X, keep_every=k)


def test_parameters_only_leaves_out_the_bars_of_activations_and_nothing_else():
    network, n_out = deep_network(5, np.random.default_rng(0))
    values, F_bar = network.forward(np.ones((4, 3), np.float32)), np.ones((n_out, 3), np.float32)
    for input_bar in (False, True):
        whole = network.backward(values, F_bar, input_bar=input_bar)
        found = network.backward(values, F_bar, input_bar=input_bar, parameters_only=True)
        assert [(name, bar.tobytes()) for name, _, bar in network.with_bars(found)] == [
            (name, bar.tobytes()) for name, _, bar in network.with_bars(whole)
        ]
        assert set(vars(found[0])) == {"W_bar", "b_bar", "H_in_bar"}
        assert [bars.H_in_bar is not None for bars in found] == [input_bar, False, False, False, False]
    assert found[0].H_in_bar.tobytes() == whole[0].H_in_bar.tobytes()


def test_stored_counts_each_array_once_and_a_view_as_the_whole():
    A, B, C = np.zeros((3, 4)), np.zeros((2, 5), np.float32), np.zeros((7, 1))
    assert stored([]) == (0, 0)
    assert stored([A, (A, None), SimpleNamespace(H=A[:1].T, A=C), [B]]) == (3, 96 + 40 + 56)


@pytest.mark.parametrize("depth", [1, 2, 5, 12])
def test_stored_arrays_by_hand(depth):
    """Plain: X, and A and H of each layer. Recomputing: an input a block, and H_in, A and H of the highest layer."""
    rng = np.random.default_rng(0)
    network = Network([Layer.initialize(3, 3, "tanh", rng=rng) for _ in range(depth)])
    X = np.ones((3, 5), np.float32)
    assert stored(network.forward(X)) == (1 + 2 * depth, (1 + 2 * depth) * 60)
    for k in range(1, depth + 2):
        arrays = -(-(depth - 1) // k) + 3
        assert stored(network.forward(X, keep_every=k)) == (arrays, arrays * 60)


def peak_arrays(network, X, **kept):
    """The most memory of a forward and backward sweep, in units of X."""
    tracemalloc.start()
    values = network.forward(X, **kept)
    network.backward(values, values[-1].H, parameters_only=True)
    peak = tracemalloc.get_traced_memory()[1] / X.nbytes
    tracemalloc.stop()
    return peak


def test_the_peak_of_a_step_falls_too():
    """36 layers: A and H of each, or 6 inputs and A and H of 6 layers; each with a few for what is in work."""
    rng = np.random.default_rng(0)
    network = Network([Layer.initialize(4, 4, "tanh", rng=rng, dtype=np.float64) for _ in range(36)])
    X = rng.normal(size=(4, 20_000))
    assert 72 <= peak_arrays(network, X) < 72 + 8
    assert 18 <= peak_arrays(network, X, keep_every=6) < 18 + 8


def test_the_peak_of_training_falls_too():
    """36 layers: values and bars, 4 arrays a layer, or with k = 6 six inputs and the values of 6 layers."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20_000, 4)), rng.normal(size=(20_000, 4))
    peaks = {}
    for keep_every in (None, 6):
        network = Network([Layer.initialize(4, 4, "tanh", rng=rng, dtype=np.float64) for _ in range(36)])
        tracemalloc.start()
        list(train(network, SquaredError(), SGD(), data, rng=rng, epochs=1, batch_size=20_000, keep_every=keep_every))
        peaks[keep_every] = tracemalloc.get_traced_memory()[1] / data[0].nbytes
        tracemalloc.stop()
    assert peaks[None] > 4 * 36
    assert peaks[6] < 6 + 12 + 12


def test_train_takes_the_same_steps():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(50, 4)), rng.normal(size=(50, 8))
    outcomes = []
    for keep_every in (None, 1, 3):
        network, n_out = deep_network(6, np.random.default_rng(1))
        assert n_out == 8
        records = train(
            network, SquaredError(), Adam(0.01), data, rng=np.random.default_rng(2), epochs=3, batch_size=16,
            l2=0.01, clip=0.5, keep_every=keep_every,
        )  # fmt: skip
        losses = [(record.train_loss, record.gradient_norm) for record in records]
        outcomes.append((losses, {name: W.tobytes() for name, W in network.parameters().items()}))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    with pytest.raises(ValueError, match="keep_every must be at least 1, got 0"):
        train(network, SquaredError(), SGD(), data, rng=rng, epochs=1, keep_every=0)


def test_a_run_that_recomputes_ends_with_the_same_model_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{a:.6f},{b:.6f},{'yes' if a * b > 0 else 'no'}" for a, b in np.random.default_rng(0).normal(size=(60, 2))]
    Path("table.csv").write_text("a,b,answer\n" + "\n".join(rows) + "\n")
    Path("small.yaml").write_text(
        "data: {path: table.csv, target: answer, split: {valid: 0.2}}\n"
        "task: classification\n"
        "network: {layers: [{units: 7}, {units: 6}, {units: 5}, {units: 4}]}\n"
        "training: {epochs: 4, batch_size: 8, seed: 3}\n"
    )
    asked, forward = set(), Network.forward
    monkeypatch.setattr(
        Network, "forward", lambda self, X, **kept: asked.add(kept["keep_every"]) or forward(self, X, **kept)
    )

    def run(folder, *arguments):
        return CliRunner().invoke(cli, ["train", "small.yaml", "--out", folder, "--no-plot", *arguments])

    assert run("plain").exit_code == 0
    assert asked == {None}
    assert run("saving", "--set", "training.keep_every=2").exit_code == 0
    assert asked == {None, 2}
    assert Path("plain/model.npz").read_bytes() == Path("saving/model.npz").read_bytes()
    assert "epochs" in read_arrays(Path("saving/model.npz"), KIND)[0]["config"]["training"]
    assert "keep_every: 2" in Path("saving/config.yaml").read_text()
    assert "keep_every: null" in Path("plain/config.yaml").read_text()
    for wrong in ("0", "1.5", "yes"):
        refused = run("refused", "--set", f"training.keep_every={wrong}")
        assert refused.exit_code == 2
        assert "training.keep_every" in refused.stderr


def couplings(depth, K, rng, hidden=5, dtype=np.float64):
    """Couplings that take turns; every other m is a network with a hidden layer, the others are single layers."""

    def layer(n_in, n_out, activation):
        new = Layer.initialize(n_in, n_out, activation, rng=rng, dtype=dtype)
        new.b += rng.normal(size=new.b.shape)
        return new

    def m(number):
        if number % 2:
            return layer(K // 2, K // 2, "tanh")
        return Network([layer(K // 2, hidden, "tanh"), layer(hidden, K // 2, "identity")])

    return [Coupling(m(number), swap=number % 2 == 1) for number in range(depth)]


def test_a_coupling_by_hand():
    m = Layer([[2.0]], [[1.0]], "identity")  # m(h) = 2 h + 1
    H = np.array([[1.0, 10.0], [5.0, 50.0]])
    assert np.array_equal(Coupling(m).forward(H).H, [[1, 10], [8, 71]])
    assert np.array_equal(Coupling(m, swap=True).forward(H).H, [[12, 111], [5, 50]])
    bars = Coupling(m, swap=True).backward(Coupling(m, swap=True).forward(H), np.array([[1.0, 0.0], [0.0, 3.0]]))
    assert np.array_equal(bars.H_in_bar, [[1, 0], [2, 3]])
    assert np.array_equal(bars.m1_W_bar, [[5]])
    assert np.array_equal(bars.m1_b_bar, [[1]])


@pytest.mark.parametrize("depth", [1, 2, 64])
def test_the_inverse_is_the_inverse(depth):
    rng = np.random.default_rng(0)
    stack, X = Reversible(couplings(depth, 6, rng)), rng.normal(size=(6, 4))
    H = stack.forward(X).H
    assert relative_error(stack.inverse(H), X) < 1e-12
    assert relative_error(stack.forward(stack.inverse(H)).H, H) < 1e-12
    assert all(np.abs(H - X).min(axis=1) > 0) == (depth > 1)  # both halves change


def bars_of(network, X, F_bar):
    bars = network.backward(network.forward(X), F_bar, input_bar=True)
    return [bars[0].H_in_bar, *(bar for _, _, bar in network.with_bars(bars))]


@pytest.mark.parametrize("depth", [1, 2, 7, 64])
def test_bars_are_those_of_stored_values(depth):
    """The error of the rebuilt inputs grows with depth: about 1e-15 at 8 couplings, 1e-13 at 128 (measured)."""
    rng = np.random.default_rng(depth)
    layers = couplings(depth, 6, rng)
    X, F_bar = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    plain, reversible = bars_of(Network(layers), X, F_bar), bars_of(Network([Reversible(layers)]), X, F_bar)
    for network in (Network(layers), Network([Reversible(layers)])):
        assert network.backward(network.forward(X), F_bar)[0].H_in_bar is None  # not asked for, not computed
    for found, wanted in zip(reversible, plain, strict=True):
        assert found.shape == wanted.shape
        assert relative_error(found, wanted) < 1e-10


def framed(stack, rng):
    """A network with the stack between a layer from 3 units and a layer to 2."""
    first = Layer.initialize(3, 6, "tanh", rng=rng, dtype=np.float64)
    return Network([first, *stack, Layer.initialize(6, 2, "identity", rng=rng, dtype=np.float64)])


@pytest.mark.parametrize("batch", [7, 1, 6, 3])
@pytest.mark.parametrize("rebuilt", [False, True])
def test_bars_against_the_complex_step(rebuilt, batch):
    rng = np.random.default_rng(batch)
    layers = couplings(3, 6, rng)
    network = framed([Reversible(layers)] if rebuilt else layers, rng)
    X, Y, loss = rng.normal(size=(3, batch)), rng.normal(size=(2, batch)), SquaredError()
    penalty = L2Penalty(0.3)
    values = network.forward(X)
    bars = network.backward(values, loss.seed(values[-1].H, Y), input_bar=True)
    penalty.add_to(network, bars)
    found = {name: bar for name, _, bar in network.with_bars(bars)} | {"X": bars[0].H_in_bar}

    for layer in (network.layers[0], *(inner for c in layers for inner in c.m.layers), network.layers[-1]):
        layer.W, layer.b = layer.W.astype(complex), layer.b.astype(complex)
    Xc = X.astype(complex)
    arrays = network.parameters() | {"X": Xc}
    assert found.keys() == arrays.keys()
    for name, bar in found.items():
        wanted = complex_step(lambda: loss.cost(network(Xc), Y) + penalty.cost(network), arrays[name])
        assert relative_error(bar, wanted) < 1e-12, name


def test_parameters_have_names_of_their_own():
    rng = np.random.default_rng(0)
    stack = Reversible(couplings(12, 6, rng))
    network = framed([stack, *couplings(11, 6, rng)], rng)
    parameters = network.parameters()
    assert list(parameters)[:8] == [
        "W1", "b1", "c1_m1_W2", "c1_m1_b2", "c1_m2_W2", "c1_m2_b2", "c2_m1_W2", "c2_m1_b2"
    ]  # fmt: skip
    assert {"c12_m1_W2", "m1_W3", "m2_b3", "m1_W4", "m2_b13", "W14"} <= set(parameters)
    assert len({id(array) for array in parameters.values()}) == len(parameters)
    assert parameters["c2_m1_W2"] is stack.couplings[1].m.layers[0].W
    assert network.penalized == {name for name in parameters if "W" in name}
    with pytest.raises(AttributeError, match="Reversible has no attribute 'c13_m1_W'"):
        _ = stack.c13_m1_W
    copied = copy.deepcopy(network)  # as training does to keep the best epoch
    copied.parameters()["c2_m1_W2"][...] = 0
    assert not copied.layers[1].couplings[1].m.layers[0].W.any()
    assert stack.couplings[1].m.layers[0].W.any()


@pytest.mark.parametrize(
    "optimizer", [lambda: SGD(0.05, momentum=0.9), lambda: Adam(0.01, weight_decay=0.01)], ids=["SGD", "Adam"]
)
def test_training_a_reversible_stack_is_training_the_plain_one(optimizer):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    data, outcomes = (X, np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)), []
    for wrap in (list, lambda layers: [Reversible(layers)]):
        rng = np.random.default_rng(1)
        network = framed(wrap(couplings(4, 6, rng)), rng)
        records = list(
            train(network, SquaredError(), optimizer(), data, rng=rng, epochs=20, batch_size=16, l2=1e-3, keep_every=2)
        )
        assert records[-1].train_loss < 0.5 * records[0].train_loss
        outcomes.append(list(network.parameters().values()))
    for found, wanted in zip(*outcomes, strict=True):
        assert relative_error(found, wanted) < 1e-10


def test_what_a_reversible_stack_stores_and_needs_does_not_grow_with_depth():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 20_000))
    plain, rebuilt, peaks = [], [], []
    for depth in (4, 8, 16, 32):
        layers = couplings(depth, 6, rng)
        plain.append(stored(Network(layers).forward(X)).arrays)
        network = Network([Reversible(layers)])
        rebuilt.append(stored(network.forward(X)))
        peaks.append(peak_arrays(network, X))
    # Plain: X, and by turns H of a coupling with A and H of a tanh layer and A = H of a linear one, or A and H of one.
    assert plain == [1 + depth // 2 * (4 + 3) for depth in (4, 8, 16, 32)]
    assert rebuilt == [(1, X.nbytes)] * 4
    assert max(peaks) < min(peaks) + 0.1  # bars of parameters only


def test_a_frame_adds_its_own_arrays_and_no_more():
    rng = np.random.default_rng(0)
    counts = [stored(framed([Reversible(couplings(depth, 6, rng))], rng).forward(np.ones((3, 4)))) for depth in (2, 20)]
    assert counts[0] == counts[1]
    assert counts[0].arrays == 5  # X, A and H of the first layer, H of the stack, A = H of the last, which is linear


def test_couplings_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="m has 3 inputs and 2 outputs"):
        Coupling(Layer.initialize(3, 2, "tanh", rng=rng))
    with pytest.raises(ValueError, match="layer 2 takes 6 inputs, but layer 1 below it has 4 outputs"):
        Reversible([*couplings(1, 4, rng), *couplings(1, 6, rng)])
    with pytest.raises(ValueError, match="at least one layer"):
        Reversible([])
    (coupling,) = couplings(1, 6, rng)
    with pytest.raises(ValueError, match=r"got shape \(7, 2\), expected \(K, B\) with an even K"):
        coupling.forward(np.ones((7, 2)))
    with pytest.raises(ValueError, match=r"needs \(3, B\)"):
        coupling.forward(np.ones((8, 2)))
    with pytest.raises(ValueError, match=r"H_bar has shape \(6, 1\), but H has shape \(6, 2\)"):
        coupling.backward(coupling.forward(np.ones((6, 2))), np.ones((6, 1)))

    class Mean(Shift):
        def forward(self, H_in):
            return SimpleNamespace(H=H_in.mean(axis=0, keepdims=True))

    with pytest.raises(ValueError, match=r"m made shape \(1, 2\) from shape \(3, 2\)"):
        Coupling(Mean(3)).forward(np.ones((6, 2)))


def test_the_script_prints_both_tables():
    spec = importlib.util.spec_from_file_location("memory", Path(__file__).parents[2] / "scripts/memory.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    done = CliRunner().invoke(script.main, ["--layers", "9", "--width", "6", "--batch", "5", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    arrays = dict(line.rsplit(maxsplit=4)[:2] for line in done.stdout.splitlines()[2:9])
    # plain 1 + 2 L; recomputing ceil((L - 1) / k) + 3
    assert arrays == {
        "plain": "19",
        "fewer bars": "19",
        "k = 1": "11",
        "k = 2": "7",
        "k = 3": "6",
        "k = 4": "5",
        "k = 9": "4",
    }
    depths = [line.split() for line in done.stdout.splitlines()[-5:]]
    assert [(row[0], row[1], row[4]) for row in depths] == [
        (str(depth), str(1 + 3 * depth), "1") for depth in (1, 2, 4, 9, 18)
    ]
    assert [a < b for a, b in pairwise(int(row[1]) for row in depths)] == [True] * 4
