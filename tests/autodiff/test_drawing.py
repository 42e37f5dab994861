"""Pictures of graphs: the texts in the boxes; no box overlaps another, and arrows lead from parents to children."""

import numpy as np
import pytest
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from mlp import autodiff as ad
from mlp.autodiff import Graph, draw_graph, forward_mode, reverse_mode, to_dot
from mlp.autodiff.drawing import layers, symbol, titles


def example():
    graph = Graph()
    u = graph.input(1.3, "u")
    v = (u**2).named("v")
    w = ad.sin(v).named("w")
    x = ad.log(v).named("x")
    y = (w * x).named("y")
    z = ad.exp(y).named("z")
    return graph, forward_mode({u: 1.0}), reverse_mode(z)


def two_layer_network():
    graph = Graph()
    X, Y = graph.input([[0.5], [1.5]], "X"), graph.input([[1], [0.5]], "Y")
    W1, b1 = graph.input([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]], "W1"), graph.input([[0.01], [-0.02], [0.03]], "b1")
    W2, b2 = graph.input([[0.7, -0.8, 0.9], [-1, 1.1, -1.2]], "W2"), graph.input([[0.05], [-0.06]], "b2")
    H1 = ad.tanh((W1 @ X + b1).named("A1")).named("H1")
    R = ((W2 @ H1 + b2).named("A2") - Y).named("R")
    c = (0.5 * ad.sum(R * R)).named("c")
    return graph, forward_mode({W1: np.ones((3, 2))}), reverse_mode(c)


def tangle(seed):
    """Scalars that are combined at random, so that arrows pass many layers."""
    rng = np.random.default_rng(seed)
    graph = Graph()
    nodes = [graph.input(rng.uniform(1, 2), f"a{k}") for k in range(4)]
    functions = [ad.add, ad.multiply, ad.divide, ad.maximum]
    for k in range(16):
        i, j = rng.choice(len(nodes), 2, replace=False)
        nodes.append(functions[k % 4](nodes[i], nodes[j]))
    return graph, {}, reverse_mode(nodes[-1])


def everything():
    graph = Graph()
    rng = np.random.default_rng(1)
    x, w = graph.input(rng.normal(size=(3, 5)), "x"), graph.input(rng.normal(size=7), "hidden units")
    k = graph.input(1e-9 * rng.normal(size=3), "x^2_$a{%#}")
    S = graph.input(np.diag([1.0, 2.0]) * 1e7, "S")
    W, V = ad.eigh(S)
    t = graph.input(2 + 1j, "t")
    parts = [x[0, 1:3], x[[0, 1]], ad.tril(x), ad.concatenate([w, w]), -k / 3, ad.reshape(x, (5, 1, 3)), W * V, t**2]
    return graph, {}, reverse_mode(sum(map(ad.sum, parts)).named("loss"))


DRAWN = {
    "example": (example, False),
    "network": (two_layer_network, False),
    "folded": (two_layer_network, True),
    "tangle": (lambda: tangle(1), False),
    "another": (lambda: tangle(2), True),
    "everything": (everything, False),
    "all folded": (everything, True),
}


def of_kind(figure, kind):
    return [artist for artist in figure.axes[0].get_children() if isinstance(artist, kind)]


@pytest.mark.parametrize("name", DRAWN)
def test_boxes_do_not_overlap_and_arrows_lead_from_parents_to_children(name):
    make, fold = DRAWN[name]
    graph, dots, bars = make()
    figure = draw_graph(graph, dots=dots, bars=bars, fold=fold)
    figure.draw_without_rendering()
    boxes = [box.patch.get_window_extent() for box in of_kind(figure, AnnotationBbox)]
    shown = titles(graph, fold)
    assert len(boxes) == len(shown)
    for k, box in enumerate(boxes):
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1
        assert figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1
        assert not any(box.padded(5).overlaps(other) for other in boxes[k + 1 :])
        for text in of_kind(figure, AnnotationBbox)[k].findobj(Text):
            extent = text.get_window_extent()
            assert box.x0 < extent.x0 < extent.x1 < box.x1
            assert box.y0 < extent.y0 < extent.y1 < box.y1

    found = []
    for arrow in of_kind(figure, FancyArrowPatch):
        points = figure.axes[0].transData.transform(arrow._path_original.vertices)
        assert points[-1][0] > points[-2][0]  # or its head would have no direction
        (x0, y0), (x1, y1) = points[0], points[-1]
        (parent,) = [k for k, box in enumerate(boxes) if abs(box.x1 - x0) < 2 and box.y0 <= y0 <= box.y1]
        (child,) = [k for k, box in enumerate(boxes) if abs(box.x0 - x1) < 2 and box.y0 <= y1 <= box.y1]
        found.append((list(shown)[parent], list(shown)[child]))
    assert len(found) == len(set(found))
    if not fold:
        wanted = {(parent, node.index) for node in graph.nodes for parent in node.parents}
        assert set(found) == {(parent, child) for parent, child in wanted if parent in shown}
    assert {child for _, child in found} == {index for index in shown if graph.nodes[index].operation is not None}
    if name == "folded":
        assert {f"{graph.nodes[parent].name} {graph.nodes[child].name}" for parent, child in found} == {
            *("X A1", "W1 A1", "b1 A1", "A1 H1", "H1 A2", "W2 A2", "b2 A2", "A2 R", "Y R", "R c"),
        }


def texts_of(figure):
    return [text.get_text() for box in of_kind(figure, AnnotationBbox) for text in box.findobj(Text)]


def test_the_notes_example_in_the_notes_letters():
    graph, dots, bars = example()
    assert texts_of(draw_graph(graph, dots=dots, bars=bars)) == [
        *("$u$", "$u$", "1.3", r"$\dot{u}$", "1", r"$\bar{u}$", "2.299"),
        *("$v = u^{2}$", "$v$", "1.69", r"$\dot{v}$", "2.6", r"$\bar{v}$", "0.8841"),
        *(r"$w = \mathrm{sin}(v)$", "$w$", "0.9929", r"$\dot{w}$", "-0.3092", r"$\bar{w}$", "0.8835"),
        *(r"$x = \mathrm{log}(v)$", "$x$", "0.5247", r"$\dot{x}$", "1.538", r"$\bar{x}$", "1.672"),
        *(r"$y = w\,x$", "$y$", "0.521", r"$\dot{y}$", "1.365", r"$\bar{y}$", "1.684"),
        *(r"$z = \mathrm{exp}(y)$", "$z$", "1.684", r"$\dot{z}$", "2.299", r"$\bar{z}$", "1"),
    ]
    assert texts_of(draw_graph(graph))[:5] == ["$u$", "$u$", "1.3", "$v = u^{2}$", "$v$"]


def test_small_arrays_show_their_entries_and_others_shape_and_norm():
    graph = Graph()
    x = graph.input([[0.5, -12.25], [0.0, 1.0]], "x")
    graph.input(np.full((3, 5), 2.0), "y")
    graph.input([1e-9, 2.0], "z")
    assert texts_of(draw_graph(graph, bars={x: np.ones((2, 2))})) == [
        *("$x$", "$x$", "[  0.5  -12.25]\n[  0.     1.  ]", r"$\bar{x}$", "[1. 1.]\n[1. 1.]"),
        *("$y$", "$y$", "shape (3, 5)\nnorm 7.746"),
        *("$z$", "$z$", "[1.e-09 2.e+00]"),
    ]


@pytest.mark.parametrize(("shape", "few"), [((4, 3), True), ((3, 4), True), ((13, 1), False), ((1, 5), False)])
def test_few_entries_are_12_in_at_most_4_columns(shape, few):
    graph = Graph()
    graph.input(np.ones(shape), "x")
    assert any("norm" in text for text in texts_of(draw_graph(graph))) is not few


@pytest.mark.parametrize(
    ("name", "plain", "bar"),
    [
        ("u", "u", r"\bar{u}"),
        ("W12", r"W_{\mathrm{12}}", r"\bar{W}_{\mathrm{12}}"),
        ("h_in", r"h_{\mathrm{in}}", r"\bar{h}_{\mathrm{in}}"),
        ("loss", r"\mathrm{loss}", r"\overline{\mathrm{loss}}"),
        ("units 50%", r"\mathrm{units\ 50\%}", r"\overline{\mathrm{units\ 50\%}}"),
        ("x^2_$a{", r"\mathrm{x?2\_\$a\{}", r"\overline{\mathrm{x?2\_\$a\{}}"),
        ("", r"n_{\mathrm{0}}", r"\bar{n}_{\mathrm{0}}"),
    ],
)
def test_symbols(name, plain, bar):
    node = Graph().input(1.3, name)
    assert (symbol(node), symbol(node, "bar")) == (plain, bar)


@pytest.mark.parametrize(
    ("expression", "formula"),
    [
        (lambda x, A: 2 * (x + 1) ** 2, r"2\,(x + 1)^{2}"),
        (lambda x, A: x - (x - 1), "x - (x - 1)"),
        (lambda x, A: -(x + 1) * -3.5, r"(-(x + 1))\,(-3.5)"),
        (lambda x, A: x / (x * x) / 3, r"(x / (x\,x)) / 3"),
        (lambda x, A: (x * x) / 1e-9, r"x\,x / (1 \cdot 10^{-9})"),
        (lambda x, A: (x**0.5) ** x, "(x^{0.5})^{x}"),
        (lambda x, A: ad.sqrt(abs(x) + 1) ** 2, r"\sqrt{|x| + 1}^{2}"),
        (lambda x, A: ad.inverse(A.T @ A), r"(A^\top\,A)^{-1}"),
        (lambda x, A: (A * A).T, r"(A \odot A)^\top"),
        (lambda x, A: x * A, r"x\,A"),
        (lambda x, A: (A + A)[0, 1:], r"(A + A)[0,\,1:]"),
        (lambda x, A: ad.sum(A, axis=0)[::-1], r"\mathrm{sum}(A,\,\mathrm{axis}\ 0)[::-1]"),
        (
            lambda x, A: ad.maximum(x, ad.log_abs_determinant(A)),
            r"\mathrm{maximum}(x,\,\mathrm{log\_abs\_determinant}(A))",
        ),
    ],
)
def test_folded_formulas_have_the_parentheses_they_need(expression, formula):
    graph = Graph()
    x, A = graph.input(1.5, "x"), graph.input([[2.0, 1.0], [1.0, 3.0]], "A")
    result = expression(x, A)
    assert titles(graph, fold=True)[result.index][0] == f"n_{{\\mathrm{{{result.index}}}}} = {formula}"


def test_folding_keeps_what_has_a_name_or_is_used_twice_and_long_formulas():
    graph, _, _ = two_layer_network()
    assert [title for title, _ in titles(graph, fold=True).values()][6:] == [
        r"A_{\mathrm{1}} = W_{\mathrm{1}}\,X + b_{\mathrm{1}}",
        r"H_{\mathrm{1}} = \mathrm{tanh}(A_{\mathrm{1}})",
        r"A_{\mathrm{2}} = W_{\mathrm{2}}\,H_{\mathrm{1}} + b_{\mathrm{2}}",
        r"R = A_{\mathrm{2}} - Y",
        r"c = 0.5\,\mathrm{sum}(R \odot R)",
    ]
    graph = Graph()
    u = graph.input(1.3, "u")
    v = u**2
    ad.exp(ad.sin(v) * ad.log(v))
    assert list(titles(graph, fold=True)) == [u.index, v.index, 5]
    c = u
    for _ in range(30):
        c = ad.sin(c)
    assert max(len(title) for title, _ in titles(graph, fold=True).values()) < 120


def test_layers_are_longest_distances_and_inputs_stand_before_their_first_use():
    #          a   b   c = f(a)  d = f(c, b)  e = f(a, d)  unused
    parents = {0: [], 1: [], 2: [0], 3: [2, 1], 4: [0, 3], 5: []}
    assert layers(parents) == {0: 0, 1: 1, 2: 1, 3: 2, 4: 3, 5: 0}


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_file_is_written(tmp_path, ending):
    graph, dots, bars = example()
    path = tmp_path / f"graph.{ending}"
    draw_graph(graph, path, dots, bars)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


def test_the_language_of_graphviz():
    graph = Graph()
    A, x = graph.input([[1.0, 2], [3, 4]], "A"), graph.input([1, 0], 'x "0"')
    c = ad.sum(A @ x).named("c")
    assert to_dot(graph, bars=reverse_mode(c)).splitlines() == [
        "digraph {",
        '  rankdir=LR; node [shape=box, style=rounded, fontname="monospace"];',
        r'  0 [label="A\nvalue [1. 2.]\n[3. 4.]\nbar [1. 0.]\n[1. 0.]"];',
        r'  1 [label="x \"0\"\nvalue [1. 0.]\nbar [4. 6.]"];',
        r'  2 [label="n2 = matmul(A, x \"0\")\nvalue [1. 3.]\nbar [1. 1.]"];',
        "  0 -> 2;",
        "  1 -> 2;",
        r'  3 [label="c = sum(n2)\nvalue 4\nbar 1"];',
        "  2 -> 3;",
        "}",
    ]


def test_too_many_boxes_and_none_are_refused():
    graph = Graph()
    with pytest.raises(ValueError, match="1 to 100 boxes, this graph needs 0"):
        draw_graph(graph)
    x = graph.input(1.0)
    for _ in range(100):
        x = ad.sin(x)
    with pytest.raises(ValueError, match="1 to 100 boxes, this graph needs 101"):
        draw_graph(graph)
