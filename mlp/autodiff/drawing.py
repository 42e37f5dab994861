"""Pictures of graphs for slides and notebooks: a box for each node, with its value, its dot and its bar.

Colours are those of Okabe and Ito (2008), darkened to be read as text; the accents of the note, a dot and a bar over
the name, say the same without colour. matplotlib is imported when a picture is drawn, and never needs a display.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlp.autodiff.formulas import matrix_lines, number_text, symbol, titles
from mlp.autodiff.graph import Graph, Node
from mlp.autodiff.layout import arrange

MOST_BOXES = 100
MOST_ENTRIES, MOST_COLUMNS = 12, 4
TITLE_SIZE, SHAPE_SIZE, TEXT_SIZE = 15.0, 10.0, 12.5  # points; the figure is as large as the boxes need
PADDING, LINE, SHAPE_LINE, BRACKET = 8.0, 16.0, 13.0, 3.0
TEXT, NUMBERS = "DejaVu Sans", "DejaVu Sans Mono"
DOT_COLOUR, BAR_COLOUR = "#00598C", "#A84300"


class Row(NamedTuple):
    """A quantity of a box: its symbol, and its number, the rows of its matrix, or a description."""

    symbol: str
    lines: list[str]
    is_matrix: bool
    colour: str

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + PADDING / 2

    @property
    def numbers_width(self) -> float:
        return max(text_width(line, TEXT_SIZE) for line in self.lines) + 2 * BRACKET


class Box(NamedTuple):
    title: str
    shape: str
    rows: list[Row]
    symbols_width: float
    width: float
    height: float
    is_input: bool


def draw_graph(
    graph: Graph,
    path: str | Path | None = None,
    dots: Mapping[Node, Any] | None = None,
    bars: Mapping[Node, Any] | None = None,
    *,
    fold: bool = False,
) -> Any:
    """A picture of a graph, as a matplotlib Figure, and written to `path` if there is one (its ending says the format).

    From left to right, each node stands as many layers from the inputs as the longest way to it has steps; an input
    stands just before its first use. A box says how its node is computed, and shows its value, its dot and its bar, as
    far as `dots` (of `forward_mode`) and `bars` (of `reverse_mode`) have them: the entries of small arrays, the norm
    of others. Numbers written in an expression stand in the formulas and have no box. A node without a name is called
    n and its number; with `fold=True`, if it is used once, its formula stands in that of its child and it has no box,
    so that a network fits on a slide. Raises ValueError for a graph without nodes or with more than 100 boxes.
    """
    from matplotlib.figure import Figure

    names = titles(graph, fold)
    if not 0 < len(names) <= MOST_BOXES:
        raise ValueError(f"a picture has 1 to {MOST_BOXES} boxes, this graph needs {len(names)}")
    boxes = [make_box(graph.nodes[index], title, dots or {}, bars or {}) for index, title in names.items()]
    layout = arrange([(box.width, box.height) for box in boxes], parents_with_boxes(graph, list(names)))

    figure = Figure(figsize=(layout.width / 72, layout.height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    for corners in layout.arrows:
        draw_arrow(axes, corners)
    for box, (x, y) in zip(boxes, layout.centres, strict=True):
        draw_box(axes, box, x - box.width / 2, y - box.height / 2)
    if path is not None:
        figure.savefig(path, dpi=200)
    return figure


def parents_with_boxes(graph: Graph, shown: list[int]) -> list[list[int]]:
    """For each box, the boxes that its formula speaks of, by their place in `shown`."""
    place = {index: k for k, index in enumerate(shown)}
    spoken: list[list[int]] = []  # of every node
    for node in graph.nodes:
        spoken.append([k for i in node.parents for k in ([place[i]] if i in place else spoken[i])])
    return [spoken[index] for index in shown]


def make_box(node: Node, title: str, dots: Mapping[Node, Any], bars: Mapping[Node, Any]) -> Box:
    rows = [make_row(symbol(node), node.value, "black")]
    if node in dots:
        rows.append(make_row(symbol(node, "dot"), dots[node], DOT_COLOUR))
    if node in bars:
        rows.append(make_row(symbol(node, "bar"), bars[node], BAR_COLOUR))
    shape = str(node.shape) if node.shape else ""
    symbols = max(text_width(f"${row.symbol}$", TEXT_SIZE) for row in rows) + PADDING
    widths = [symbols + max(row.numbers_width for row in rows), text_width(f"${title}$", TITLE_SIZE)]
    height = TITLE_SIZE + PADDING / 2 + (SHAPE_LINE if shape else 0) + sum(row.height for row in rows)
    return Box(title, shape, rows, symbols, max(widths) + 2 * PADDING, height + 2 * PADDING, node.operation is None)


def make_row(label: str, value: Any, colour: str) -> Row:
    if isinstance(value, tuple):
        return Row(label, [f"{len(value)} results"], False, colour)
    array = np.asarray(value)
    if array.ndim == 0:
        return Row(label, [number_text(value)], False, colour)
    if array.ndim > 2 or not 0 < array.size <= MOST_ENTRIES or array.shape[-1] > MOST_COLUMNS:
        return Row(label, [f"norm {number_text(np.linalg.norm(array))}"], False, colour)
    return Row(label, matrix_lines(array), True, colour)


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
    middle = left + box.width / 2
    y = top + PADDING + 0.8 * TITLE_SIZE
    axes.text(middle, y, f"${box.title}$", size=TITLE_SIZE, family=TEXT, ha="center", zorder=3)
    y += PADDING
    if box.shape:
        y += SHAPE_LINE
        axes.text(middle, y - 4, box.shape, size=SHAPE_SIZE, family=TEXT, ha="center", color="0.35", zorder=3)
    for row in box.rows:
        draw_row(axes, row, left + PADDING, left + PADDING + box.symbols_width, y + row.height / 2)
        y += row.height


def draw_row(axes: Any, row: Row, left: float, start: float, middle: float) -> None:
    """The symbol at `left`, the lines from `start` on, all of it around the height `middle`."""
    text = {"size": TEXT_SIZE, "color": row.colour, "va": "center_baseline", "zorder": 3}
    axes.text(left, middle, f"${row.symbol}$", family=TEXT, **text)
    first = middle - LINE * (len(row.lines) - 1) / 2
    for k, line in enumerate(row.lines):
        axes.text(start + BRACKET, first + LINE * k, line, family=NUMBERS, **text)
    if row.is_matrix:
        above, below = first - 0.45 * LINE, first + (len(row.lines) - 0.55) * LINE
        end = start + row.numbers_width
        for side, tip in ((start, start + BRACKET), (end, end - BRACKET)):
            axes.plot([tip, side, side, tip], [above, above, below, below], color=row.colour, lw=1, zorder=3)


def draw_arrow(axes: Any, corners: list[tuple[float, float]]) -> None:
    """Level inside the layers, an S between them."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    points, codes = [corners[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(corners):
        if x1 - x0 < 0.01:  # a box as wide as its layer: an arrow needs a direction at its end
            continue
        points += [((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    head = "-|>,head_length=7,head_width=3"
    axes.add_patch(FancyArrowPatch(path=Curve(points, codes), arrowstyle=head, color="0.35", lw=1.3, zorder=1))
