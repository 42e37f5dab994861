"""Pictures of graphs for slides and notebooks: a box for each node, with its value, its dot and its bar.

Colours are those of Okabe and Ito (2008), darkened to be read as text; the accents of the note, a dot and a bar over
the name, say the same without colour. matplotlib is imported when a picture is drawn, and never needs a display.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlp.autodiff.formulas import symbol, titles
from mlp.autodiff.graph import Graph, Node
from mlp.autodiff.layout import arrange, bends

MOST_BOXES = 100
MOST_ENTRIES, MOST_COLUMNS = 12, 4
TITLE_SIZE, TEXT_SIZE = 15.0, 12.5  # points; the figure is as large as the boxes need
PADDING, LINE = 8.0, 16.0
TEXT, NUMBERS = "DejaVu Sans", "DejaVu Sans Mono"
COLOURS = {"": "black", "dot": "#00598C", "bar": "#A84300"}

Quantities = Mapping[Node, Any] | None


Row = tuple[str, list[str], str]
"""The symbol of a quantity, the lines that show its value, and their colour."""


class Box(NamedTuple):
    title: str
    rows: list[Row]
    symbols_width: float
    width: float
    height: float
    is_input: bool


def draw_graph(
    graph: Graph,
    path: str | Path | None = None,
    dots: Quantities = None,
    bars: Quantities = None,
    *,
    fold: bool = False,
) -> Any:
    """A picture of a graph, as a matplotlib Figure, and written to `path` if there is one (its ending says the format).

    From left to right, each node stands as many layers from the inputs as the longest way to it has steps; an input
    stands just before its first use. A box gives the node's formula and its value, and its dot and bar if `dots` (of
    `forward_mode`) and `bars` (of `reverse_mode`) have them: the entries of small arrays, shape and norm of others.
    Numbers written in an expression stand in the formulas and have no box. A node without a name is called n and its
    number. With `fold=True`, if it is used once, its formula stands in that of its child and it has no box, so that a
    network fits on a slide. Raises ValueError for a graph without nodes or with more than 100 boxes.
    """
    from matplotlib.figure import Figure

    shown = titles(graph, fold)
    if not 0 < len(shown) <= MOST_BOXES:
        raise ValueError(f"a picture has 1 to {MOST_BOXES} boxes, this graph needs {len(shown)}")
    boxes = [make_box(graph.nodes[index], title, dots, bars) for index, title in shown.items()]
    (width, height), centres, arrows = arrange(
        [(box.width, box.height) for box in boxes], parents_with_boxes(graph, list(shown))
    )

    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    for corners in arrows:
        draw_arrow(axes, corners)
    for box, (x, y) in zip(boxes, centres, strict=True):
        draw_box(axes, box, x - box.width / 2, y - box.height / 2)
    if path is not None:
        figure.savefig(path, dpi=200)
    return figure


def to_dot(graph: Graph, dots: Quantities = None, bars: Quantities = None) -> str:
    """The graph in the language of Graphviz: `dot -Tsvg`. All nodes have a box, with the rows of `draw_graph`."""
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


def parents_with_boxes(graph: Graph, shown: list[int]) -> list[list[int]]:
    """For each box, the boxes that its formula speaks of, by their place in `shown`."""
    place = {index: k for k, index in enumerate(shown)}
    spoken: list[list[int]] = []  # of every node
    for node in graph.nodes:
        spoken.append([k for i in node.parents for k in ([place[i]] if i in place else spoken[i])])
    return [spoken[index] for index in shown]


def make_box(node: Node, title: str, dots: Quantities, bars: Quantities) -> Box:
    given = quantities(node, dots, bars)
    rows = [(f"${symbol(node, accent)}$", value_lines(value), COLOURS[accent]) for accent, value in given]
    symbols = max(text_width(text, TEXT_SIZE) for text, _, _ in rows) + PADDING
    numbers = max(text_width(line, TEXT_SIZE) for _, lines, _ in rows for line in lines)
    width = max(symbols + numbers, text_width(f"${title}$", TITLE_SIZE)) + 2 * PADDING
    height = TITLE_SIZE + sum(LINE * len(lines) + PADDING / 2 for _, lines, _ in rows) + 2.5 * PADDING
    return Box(title, rows, symbols, width, height, node.operation is None)


def text_width(text: str, size: float) -> float:
    """In points; text between dollars is mathtext, other text is numbers."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    is_math = text.startswith("$")
    font = FontProperties(family=TEXT if is_math else NUMBERS, size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=is_math)[0])


def draw_box(axes: Any, box: Box, left: float, top: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=5"
    fill = "#E9F0F5" if box.is_input else "white"
    axes.add_patch(FancyBboxPatch((left, top), box.width, box.height, style, fc=fill, ec="0.25", lw=1.2, zorder=2))
    y = top + PADDING + 0.8 * TITLE_SIZE
    axes.text(left + box.width / 2, y, f"${box.title}$", size=TITLE_SIZE, family=TEXT, ha="center", zorder=3)
    y = top + 2 * PADDING + TITLE_SIZE
    for text, lines, colour in box.rows:
        font = {"size": TEXT_SIZE, "color": colour, "va": "center_baseline", "zorder": 3}
        axes.text(left + PADDING, y + LINE * len(lines) / 2, text, family=TEXT, **font)
        for k, line in enumerate(lines):
            axes.text(left + PADDING + box.symbols_width, y + LINE * (k + 0.5), line, family=NUMBERS, **font)
        y += LINE * len(lines) + PADDING / 2


def draw_arrow(axes: Any, corners: list[tuple[float, float]]) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    curves = bends(corners)
    path = Curve(
        [corners[0], *(point for curve in curves for point in curve)], [Curve.MOVETO, *[Curve.CURVE4] * 3 * len(curves)]
    )
    head = "-|>,head_length=7,head_width=3"
    axes.add_patch(FancyArrowPatch(path=path, arrowstyle=head, color="0.35", lw=1.3, zorder=1))
