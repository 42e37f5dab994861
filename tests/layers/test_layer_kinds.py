"""The layers beside the dense one: bars against a complex step and graphs, refusals, configs and model files."""

import numpy as np
import pytest
from checks import bars_and_complex_steps, passed
from numerical import relative_error

from mlp import ACTIVATIONS, Layer, Network, SquaredError
from mlp import autodiff as ad
from mlp.autodiff import Graph, reverse_mode
from mlp.checking.network import check_layer
from mlp.layers import BatchNorm, Embedding, Gain, LayerNorm, Mix, Periodic, Recompute, Residual
from mlp.layers.table import LAYERS, Columns, Maker, from_header, header_of

BATCHES = [7, 1, 4, 5, 3]  # different from all sizes, one example, and equal to some of the sizes


def normal(rng, *shape):
    return rng.normal(size=shape)


def dense(rng, n_in, n_out, activation="tanh"):
    return Layer(normal(rng, n_out, n_in), normal(rng, n_out, 1), activation)


def made(kind, rng):
    """A layer of each kind on 5 inputs."""
    match kind:
        case "gain":
            return Gain(normal(rng, 5, 1))
        case "layer_norm":
            return LayerNorm(normal(rng, 5, 1), normal(rng, 5, 1))
        case "batch_norm":
            return BatchNorm(*(normal(rng, 5, 1) for _ in range(3)), rng.uniform(0.5, 2, size=(5, 1)))
        case "periodic":
            D, M, F = 3, 2, 4
            V, c = normal(rng, D, M, F), normal(rng, D, M)
            return Periodic(5, [0, 3, 1], 0.3 * normal(rng, D, F), normal(rng, D, F), V, c)
        case "embedding":
            return Embedding(5, [[3, 1], [4]], normal(rng, 2, 3))
        case "residual":
            return Residual([dense(rng, 5, 6), dense(rng, 6, 5, "gelu")])
        case "recompute":
            return Recompute([made("gain", rng), dense(rng, 5, 6), LayerNorm(normal(rng, 6, 1), normal(rng, 6, 1))])
        case _:
            return Mix(normal(rng, 5, 1), kind.removeprefix("mix "))


KINDS = [
    "gain",
    "layer_norm",
    "batch_norm",
    "periodic",
    "embedding",
    "residual",
    "recompute",
    *(f"mix {name}" for name in ACTIVATIONS),
]


@pytest.mark.parametrize("B", BATCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_bars(kind, B):
    """Between a dense layer below and one above, so that the bars of both and of the input are asked for."""
    rng = np.random.default_rng(B)
    layer = made(kind, rng)
    network = Network([dense(rng, 4, 5), layer, dense(rng, layer.n_out, 3, "identity")])
    X, Y, loss = normal(rng, 4, B), normal(rng, 3, B), SquaredError()
    for name, bar, wanted in bars_and_complex_steps(network, loss, X, Y):
        assert relative_error(bar, wanted) < 1e-9, name


@pytest.mark.parametrize("B", [7, 1, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_mlp_check_passes(kind, B):
    rng = np.random.default_rng(0)
    results = check_layer(made(kind, rng), normal(rng, 5, B))
    if kind == "mix identity":  # whose share makes no difference
        results = [result for result in results if result.what != "a"]
    passed(results)


def graph_of(kind, layer, X, P):
    """H of a layer from operations on graphs."""
    match kind:
        case "gain":
            return P["s"] * X
        case "mix tanh":
            return X + P["a"] * (ad.tanh(X) - X)
        case "layer_norm":
            R = X - ad.mean(X, axis=0, keepdims=True)
            return P["s"] * (R / ad.sqrt(ad.mean(R * R, axis=0, keepdims=True) + 1e-5)) + P["b"]
        case "embedding":
            own = [
                P["W"] @ (np.eye(3)[:, part] @ np.eye(5)[rows])
                for rows, part in zip([[3, 1], [4]], [slice(0, 2), slice(2, 3)], strict=True)
            ]
            return ad.concatenate([np.eye(5)[[0, 2]] @ X, *(W @ X for W in own)])
    parts = [ad.select(X, [2, 4]), ad.select(X, [0, 3, 1])]
    for j, row in enumerate([0, 3, 1]):
        w, b, c = (ad.reshape(ad.select(P[name], j), (-1, 1)) for name in ("w", "b", "c"))
        parts.append(ad.select(P["V"], j) @ ad.cos(2 * np.pi * (w @ ad.select(X, [row])) + b) + c)
    return ad.concatenate(parts)


@pytest.mark.parametrize("B", [7, 1, 5])
@pytest.mark.parametrize("kind", ["gain", "mix tanh", "layer_norm", "periodic", "embedding"])
def test_the_same_bars_from_a_graph_of_operations(kind, B):
    rng = np.random.default_rng(3)
    layer, X = made(kind, rng), normal(rng, 5, B)
    H_bar, values = normal(rng, layer.n_out, B), layer.forward(X)
    found = layer.backward(values, H_bar)
    graph = Graph()
    inputs = {name: graph.input(getattr(layer, name), name) for name in layer.parameters}
    node = graph.input(X, "X")
    H = graph_of(kind, layer, node, inputs)
    np.testing.assert_allclose(H.value, values.H, rtol=1e-12)
    bars = reverse_mode(ad.sum(H_bar * H))
    for name, wanted in [("H_in", node), *inputs.items()]:
        assert relative_error(getattr(found, f"{name}_bar"), bars[wanted]) < 1e-12, name


def test_layer_norm_by_hand():
    """H_in = (1, 3): mean 2, deviation 1."""
    N = LayerNorm([[1.0], [10.0]], [[0.0], [5.0]]).forward(np.array([[1.0], [3.0]])).H
    np.testing.assert_allclose(N, [[-1], [15]], rtol=1e-5)


def test_periodic_by_hand():
    layer = Periodic(2, [1], [[0.5]], [[0.0]], [[[2.0]]], [[1.0]])
    np.testing.assert_allclose(layer.forward(np.array([[7.0], [1.0]])).H, [[7], [1], [2 * np.cos(np.pi) + 1]])


def test_an_unseen_level_is_embedded_as_zero():
    layer = Embedding(3, [[1, 2]], [[5.0, 6.0]])
    assert layer.forward(np.array([[9.0, 9], [1, 0], [0, 0]])).H.tolist() == [[9, 9], [5, 0]]


def test_a_mix_starts_as_its_activation():
    maker = Maker(np.random.default_rng(0), np.float64)
    X = np.linspace(-2, 2, 12).reshape(3, 4)
    assert np.array_equal(Mix.from_config(3, maker, mix="selu").forward(X).H, X + (ACTIVATIONS["selu"](X) - X))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gain(np.ones(3)), "(3,)"),
        (lambda: Gain(np.ones((3, 2))), "(3, 2)"),
        (lambda: Mix(np.ones(3), "relu"), "(3,)"),
        (lambda: Mix(np.ones((3, 1)), "rleu"), "activation must be one of"),
        (lambda: LayerNorm(np.ones((3, 1)), np.ones((2, 1))), "(2, 1)"),
        (lambda: LayerNorm(np.ones((1, 1)), np.ones((1, 1))), "at least two units"),
        (lambda: BatchNorm(*np.ones((3, 2, 1)), np.ones((3, 1))), "need one shape"),
        (lambda: BatchNorm(*np.ones((3, 2, 1)), [[1.0], [-1]]), "below 0"),
        (lambda: Residual([Layer(np.ones((2, 3)), np.ones((2, 1)), "relu")]), "3 inputs and 2 outputs"),
        (lambda: Residual([]), "at least one layer"),
        (lambda: Embedding(3, [], np.ones((2, 0))), "at least one"),
        (lambda: Embedding(3, [[0, 0]], np.ones((2, 2))), "different columns"),
        (lambda: Embedding(3, [[0, 3]], np.ones((2, 2))), "up to 3"),
        (lambda: Embedding(3, [[0, 1]], np.ones((2, 3))), "(2, 3)"),
        (
            lambda: Periodic(3, [], np.ones((0, 2)), np.ones((0, 2)), np.ones((0, 1, 2)), np.ones((0, 1))),
            "at least one",
        ),
        (lambda: Periodic(1, [1], np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 1, 2)), np.ones((1, 1))), "up to 1"),
        (lambda: Periodic(2, [1], np.ones((1, 3)), np.ones((1, 2)), np.ones((1, 1, 2)), np.ones((1, 1))), "(1, 3)"),
        (
            lambda: Periodic(2, [0, 1], np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 1, 2)), np.ones((1, 1))),
            "2 columns",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(make, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are checked below
        make()
    assert words in str(error.value)


@pytest.mark.parametrize("kind", ["gain", "layer_norm", "batch_norm", "periodic", "embedding", "mix relu"])
@pytest.mark.parametrize("shape", [(4, 3), (5,), (3, 5)])
def test_inputs_of_a_wrong_shape_are_refused(kind, shape):
    with pytest.raises(ValueError, match="columns are examples"):
        made(kind, np.random.default_rng(0)).forward(np.ones(shape))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_file_has_the_same_layer(kind):
    layer = made(kind, np.random.default_rng(0))
    arrays = {name: getattr(layer, name).copy() for name in layer.parameters}
    again = from_header(header_of(layer), arrays)
    X = normal(np.random.default_rng(1), 5, 4)
    assert np.array_equal(again.forward(X).H, layer.forward(X).H)
    assert repr(again) == repr(layer)


@pytest.mark.parametrize("kind", ["gain", "layer_norm", "batch_norm", "periodic", "mix relu"])
def test_a_header_of_another_size_is_refused(kind):
    layer = made(kind, np.random.default_rng(0))
    header = header_of(layer)
    key = "n_in" if kind == "periodic" else "size"
    arrays = {name: getattr(layer, name) for name in layer.parameters}
    with pytest.raises(ValueError, match=r"expected|inputs"):
        from_header({**header, key: 1}, arrays)


def test_columns_go_through_the_layers_that_keep_them():
    """Numbers 0 and 1, a category of 3 levels and one of 9: gain keeps all, each embedding takes its own."""
    columns = Columns((0, 1), ((2, 3, 4), tuple(range(5, 14))))
    maker = Maker(np.random.default_rng(0), np.float32, columns)
    entries = [{"gain": True}, {"periodic": 4}, {"embedding": 2}, {"units": 3}]
    gain, periodic, embedding, top = maker.layers(entries, 14)
    assert (gain.n_out, periodic.columns) == (14, [0, 1])
    assert embedding.categories == [list(range(3, 12))]  # behind the 3 levels that now stand in front
    assert (periodic.n_out, embedding.n_out, top.n_in) == (14 + 2 * 3, 20 - 9 + 2, 13)
    assert {layer.forward(np.zeros((layer.n_in, 2), np.float32)).H.dtype for layer in (gain, periodic, embedding)} == {
        np.dtype(np.float32)
    }


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"units": 3}, {"periodic": 4}], "layer 2: periodic embeds the numbers of a table: put it below"),
        ([{"periodic": 4}, {"periodic": 4}], "layer 2: periodic embeds numbers, and no input column"),
        ([{"units": 3}, {"embedding": 4}], "layer 2: embedding is for categories of a table"),
        ([{"embedding": 4, "above": 9}], "more than 9 levels"),
        ([{"units": 1}, {"layer_norm": True}], "layer 2: layer_norm of one unit"),
        ([{"residual": [{"units": 3}]}], "layer 1: the layers of a residual have 14 inputs and 3 outputs"),
    ],
)
def test_configs_that_do_not_fit_are_refused(entries, words):
    maker = Maker(np.random.default_rng(0), np.float32, Columns((0, 1), (tuple(range(5, 14)),)))
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        list(maker.layers(entries, 14))


def test_every_kind_is_tested():
    assert set(LAYERS) - {"units", "dropout"} == {kind.split()[0] for kind in KINDS}
