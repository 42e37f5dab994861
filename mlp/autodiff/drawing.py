"""Draw graphs for slides and notebooks: a box for each node, with its value, its dot and its bar.

Colours are those of Okabe and Ito (2008), darkened to be read as text; the accents of the note, a dot and a bar, say
the same without colour. matplotlib is imported when a picture is drawn, and never needs a display.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlp.arguments import check_arguments
from mlp.autodiff.graph import Graph, Node

MOST_BOXES = 100
MOST_ENTRIES, MOST_COLUMNS = 12, 4
LONGEST = 80  # characters of a formula that is written into another one
BETWEEN_LAYERS, BETWEEN_BOXES, MARGIN = 36.0, 16.0, 10.0  # points; the figure is as large as the boxes need
COLOURS = {"": "black", "dot": "#00598C", "bar": "#A84300"}

# Precedence: a formula that binds less tightly than its place asks for gets parentheses.
SUM, QUOTIENT, PRODUCT, POWER, ATOM = range(5)

# For each operation: its formula in mathtext, its precedence, and the least precedence of each parent's formula.
FORMULAS = {
    "add": ("{} + {}", SUM, (SUM, SUM)),
    "subtract": ("{} - {}", SUM, (SUM, QUOTIENT)),
    "negative": ("-{}", SUM, (PRODUCT,)),
    "multiply": (r"{}\,{}", PRODUCT, (PRODUCT, PRODUCT)),
    "matmul": (r"{}\,{}", PRODUCT, (PRODUCT, PRODUCT)),
    "divide": ("{} / {}", QUOTIENT, (PRODUCT, POWER)),
    "reciprocal": ("1 / {}", QUOTIENT, (POWER,)),
    "square": ("{}^2", POWER, (ATOM,)),
    "power": ("{}^{{{exponent:g}}}", POWER, (ATOM,)),
    "positive_power": ("{}^{{{}}}", POWER, (ATOM, SUM)),
    "transpose": (r"{}^\top", POWER, (ATOM,)),
    "inverse": ("{}^{{-1}}", POWER, (ATOM,)),
    "sqrt": (r"\sqrt{{{}}}", ATOM, (SUM,)),
    "absolute": ("|{}|", ATOM, (SUM,)),
    "part": (r"{}[{k}]", ATOM, (ATOM,)),
    "select": (r"{}[{index}]", ATOM, (ATOM,)),
}

Quantities = Mapping[Node, Any] | None


def draw_graph(
    graph: Graph,
    path: str | Path | None = None,
    dots: Quantities = None,
    bars: Quantities = None,
    *,
    fold: bool = False,
) -> Any:
    """Draw a graph as a matplotlib Figure, and write it to `path` if there is one (its ending says the format).

    Layers run from left to right, by the longest way from the inputs; an arrow over several layers passes behind the
    boxes between. A box has the node's formula and value, and its dot and bar if `dots` (of `forward_mode`) and `bars`
    (of `reverse_mode`) have them: the entries of small arrays, shape and norm of others. A number written in an
    expression has no box. With `fold=True`, neither has a node without a name that is used once: its formula stands in
    that of its child. Raises ValueError for a graph without nodes or with more than 100 boxes.
    """
    check_arguments(draw_graph, locals())
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    shown = titles(graph, fold)
    if not 0 < len(shown) <= MOST_BOXES:
        raise ValueError(f"a picture has 1 to {MOST_BOXES} boxes, this graph needs {len(shown)}")
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    boxes, sizes = {}, {}
    for index, (title, _) in shown.items():
        node = graph.nodes[index]
        fill = "white" if node.operation else "#E9F0F5"
        look = {"boxstyle": "round,pad=0,rounding_size=0.4", "fc": fill, "ec": "0.25", "lw": 1.2}
        boxes[index] = AnnotationBbox(packed(node, title, dots, bars), (0, 0), pad=0, bboxprops=look)
        axes.add_artist(boxes[index])
        extent = boxes[index].get_window_extent(renderer)
        sizes[index] = extent.width * 72 / figure.dpi, extent.height * 72 / figure.dpi

    parents = {index: above for index, (_, above) in shown.items()}
    places = arrange(sizes, parents)
    right = max(right for _, _, right in places.values()) + MARGIN
    top = min(y - sizes[index][1] / 2 for index, (_, y, _) in places.items()) - MARGIN
    bottom = max(y + sizes[index][1] / 2 for index, (_, y, _) in places.items()) + MARGIN
    figure.set_size_inches(right / 72, (bottom - top) / 72)
    axes.set(xlim=(0, right), ylim=(bottom, top))
    for child, box in boxes.items():
        left, y, _ = places[child]
        box.xy = box.xybox = left + sizes[child][0] / 2, y
        for parent in parents[child]:
            x0, y0, x1 = places[parent]
            bend = (x1 + left) / 2
            points = [(x0 + sizes[parent][0], y0), (x1, y0), (bend, y0), (bend, y), (left, y)]
            curve = Curve(points, [Curve.MOVETO, Curve.LINETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
            head = "-|>,head_length=7,head_width=3"
            axes.add_patch(FancyArrowPatch(path=curve, arrowstyle=head, color="0.35", lw=1.3, zorder=1))
    if path is not None:
        figure.savefig(path, dpi=200)
    return figure


def packed(node: Node, title: str, dots: Quantities, bars: Quantities) -> Any:
    """The texts of a box: the title, and below it a row for each quantity."""
    from matplotlib.offsetbox import HPacker, TextArea, VPacker

    rows: list[Any] = []
    for accent, value in quantities(node, dots, bars):
        font = {"size": 12.5, "color": COLOURS[accent]}
        name = TextArea(f"${symbol(node, accent)}$", textprops=font)
        numbers = TextArea("\n".join(value_lines(value)), textprops=font | {"family": "monospace"})
        rows.append(HPacker(children=[name, numbers], align="center", pad=0, sep=7))
    below = VPacker(children=rows, align="left", pad=0, sep=5)
    heading = TextArea(f"${title}$", textprops={"size": 15})
    return VPacker(children=[heading, below], align="center", pad=8, sep=7)


def arrange(sizes: Mapping[int, Any], parents: Mapping[int, list[int]]) -> dict[int, tuple[float, float, float]]:
    """For each box its left, the y of its middle and the right of its layer, in points; y grows downwards.

    The boxes of a layer stand in the order of their parents, as near to them as they can (Sugiyama et al. 1981).
    """
    layer, right = layers(parents), MARGIN - BETWEEN_LAYERS
    places: dict[int, tuple[float, float, float]] = {}
    for at in range(max(layer.values()) + 1):
        column = [node for node in sizes if layer[node] == at]
        left = right + BETWEEN_LAYERS
        right = left + max(sizes[node][0] for node in column)
        wanted = {node: np.mean([places[i][1] for i in parents[node]]) for node in column if parents[node]}
        middle, y = {}, 0.0
        for node in sorted(column, key=lambda node: wanted.get(node, np.inf)):
            middle[node] = y + sizes[node][1] / 2
            y += sizes[node][1] + BETWEEN_BOXES
        shift = float(np.mean([wanted[node] - middle[node] for node in wanted] or [-y / 2]))
        places |= {node: (left, middle[node] + shift, right) for node in column}
    return places


def layers(parents: Mapping[int, list[int]]) -> dict[int, int]:
    """The layer of every node: the longest distance from the inputs; an input stands just before its first use."""
    layer: dict[int, int] = {}
    for child, above in parents.items():
        layer[child] = max((layer[parent] + 1 for parent in above), default=0)
    for node in [node for node, above in parents.items() if not above]:
        layer[node] = min((layer[child] for child, above in parents.items() if node in above), default=1) - 1
    return layer


def to_dot(graph: Graph, dots: Quantities = None, bars: Quantities = None) -> str:
    """Write the graph in the language of Graphviz: `dot -Tsvg`. All nodes have a box, with the rows of `draw_graph`."""
    check_arguments(to_dot, locals())
    names = [node.name or f"n{node.index}" for node in graph.nodes]
    text = ["digraph {", '  rankdir=LR; node [shape=box, style=rounded, fontname="monospace"];']
    for node, name in zip(graph.nodes, names, strict=True):
        made = f" = {node.operation.name}({', '.join(names[i] for i in node.parents)})" if node.operation else ""
        label = [name + made]
        for accent, value in quantities(node, dots, bars):
            first, *others = value_lines(value)
            label += [f"{accent or 'value'} {first}", *others]
        text.append(f"  {node.index} [label={json.dumps(chr(10).join(label), ensure_ascii=False)}];")
        text += [f"  {parent} -> {node.index};" for parent in node.parents]
    return "\n".join([*text, "}", ""])


def quantities(node: Node, dots: Quantities, bars: Quantities) -> list[tuple[str, Any]]:
    """The node's value, dot and bar, as far as they are there, each with its accent."""
    given = (("dot", dots), ("bar", bars))
    return [("", node.value)] + [(accent, of[node]) for accent, of in given if of and node in of]


def value_lines(value: Any) -> list[str]:
    """A number, the rows of a small matrix with their columns aligned, or shape and norm of another array."""
    if isinstance(value, tuple):
        return [f"{len(value)} results"]
    array = np.asarray(value)
    if array.ndim == 0:
        return [f"{value:.4g}"]
    if array.ndim > 2 or not 0 < array.size <= MOST_ENTRIES or array.shape[-1] > MOST_COLUMNS:
        return [f"shape {array.shape}", f"norm {np.linalg.norm(array):.4g}"]
    return np.array2string(np.atleast_2d(array), precision=3)[1:-1].split("\n ")


def titles(graph: Graph, fold: bool) -> dict[int, tuple[str, list[int]]]:
    """For each node that gets a box, its title, such as `A_1 = W_1 X + b_1`, and the nodes whose boxes it speaks of."""
    used = [parent for node in graph.nodes for parent in node.parents]
    texts: list[tuple[str, int]] = []  # of every node, as its children write it, with its precedence
    spoken: list[list[int]] = []  # of every node, the boxes in that text
    boxes = {}
    for node in graph.nodes:
        text, above = (symbol(node), ATOM), list(dict.fromkeys(i for parent in node.parents for i in spoken[parent]))
        own = formula(node, [texts[parent] for parent in node.parents]) if node.operation else text
        folded = fold and node.operation and not node.name and used.count(node.index) == 1 and len(own[0]) <= LONGEST
        if folded or is_number(node):
            text = own
        else:
            boxes[node.index] = (f"{text[0]} = {own[0]}" if node.operation else text[0]), above
            above = [node.index]
        texts.append(text)
        spoken.append(above)
    return boxes


def formula(node: Node, parents: list[tuple[str, int]]) -> tuple[str, int]:
    """The node in terms of its parents' formulas, in mathtext, and its precedence."""
    assert node.operation is not None
    name, options = node.operation.name, node.options
    if name not in FORMULAS:
        arguments = [text for text, _ in parents]
        if options.get("axis") is not None:
            arguments.append(rf"\mathrm{{axis}}\ {options['axis']}")
        joined = r",\,".join(arguments)
        return rf"\mathrm{{{escape(name)}}}({joined})", ATOM
    template, precedence, least = FORMULAS[name]
    if name == "multiply" and all(node.graph.nodes[i].shape for i in node.parents):
        template = r"{} \odot {}"
    if name == "select":
        index = options["index"] if isinstance(options["index"], tuple) else (options["index"],)
        options = {"index": r",\,".join(map(index_text, index))}
    texts = [text if own >= wanted else f"({text})" for (text, own), wanted in zip(parents, least, strict=True)]
    return template.format(*texts, **options), precedence


def index_text(item: Any) -> str:
    """An index along one axis as it was written; an array of integers or booleans is three dots."""
    if isinstance(item, slice):
        ends = ("" if end is None else str(end) for end in (item.start, item.stop, item.step))
        return ":".join(ends).removesuffix(":")
    return str(item) if isinstance(item, int) else "..."


def symbol(node: Node, accent: str = "") -> str:
    """The name of a node in mathtext, W1 as W with subscript 1, and with a dot or bar over it."""
    if is_number(node):
        text = re.sub(r"e([+-]\d+)", lambda e: rf" \cdot 10^{{{int(e[1])}}}", f"{node.value:.4g}")
        return f"({text})" if "-" in text or "cdot" in text else text
    name = node.name or f"n{node.index}"
    if letter := re.fullmatch(r"([^\W\d_])(\d*|_\w+)", name):
        base, subscript = letter[1], letter[2].removeprefix("_")
    else:
        base, subscript = rf"\mathrm{{{escape(name)}}}", ""
        accent = accent.replace("bar", "overline")
    accented = rf"\{accent}{{{base}}}" if accent else base
    return rf"{accented}_{{\mathrm{{{escape(subscript)}}}}}" if subscript else accented


def is_number(node: Node) -> bool:
    """Tell whether the node is a number that was written in an expression, such as the 2 in `2 * x`."""
    return node.operation is None and node.shape == () and node.name == f"{node.value:g}"


def escape(text: str) -> str:
    """Any text as mathtext that shows it; what mathtext cannot show is a question mark."""
    return re.sub(r"([_%$#{} ])", r"\\\1", re.sub(r"[\\^~&\n]", "?", text))
