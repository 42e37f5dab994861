"""Places for the boxes of a graph, in layers from left to right, with arrows that pass between boxes.

The layers and the free places for arrows are those of Sugiyama, Tagawa and Toda (1981), in one pass from the inputs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
Place = tuple[int, int]  # (node, layer): the node itself, or, in a later layer, its value on the way to a child

BETWEEN_LAYERS, BETWEEN_BOXES, MARGIN = 36.0, 16.0, 10.0  # points, of which 72 are an inch
PORT = 12.0  # between the points of one box at which arrows arrive


def layers(parents: Sequence[Sequence[int]]) -> list[int]:
    """The layer of every node: the longest distance from the inputs; an input stands just before its first use."""
    layer = [0] * len(parents)
    for child, above in enumerate(parents):
        layer[child] = max((layer[parent] + 1 for parent in above), default=0)
    for node, above in enumerate(parents):
        uses = [layer[child] for child, others in enumerate(parents) if node in others]
        if not above and uses:
            layer[node] = min(uses) - 1
    return layer


def arrange(sizes: Sequence[Point], parents: Sequence[Sequence[int]]) -> tuple[Point, list[Point], list[list[Point]]]:
    """Width and height of the picture, the centres of its boxes and the corners of every arrow; y grows downwards.

    `sizes` are the widths and heights of the boxes, `parents[i]` numbers below i.
    """
    layer = layers(parents)
    last = list(layer)  # the layer in which an arrow from the node begins its last step
    for child, above in enumerate(parents):
        for parent in above:
            last[parent] = max(last[parent], layer[child] - 1)
    columns = [[(n, at) for n in range(len(sizes)) if layer[n] <= at <= last[n]] for at in range(max(layer) + 1)]
    y = vertical(columns, layer, [height for _, height in sizes], parents)

    left, right, x = [], [], MARGIN
    for at in range(len(columns)):
        left.append(x)
        right.append(x + max(sizes[n][0] for n in range(len(sizes)) if layer[n] == at))
        x = right[-1] + BETWEEN_LAYERS
    tops = [y[n, layer[n]] - height / 2 for n, (_, height) in enumerate(sizes)]
    bottoms = [y[n, layer[n]] + height / 2 for n, (_, height) in enumerate(sizes)]
    up, down = min(*tops, *y.values()) - MARGIN, max(*bottoms, *y.values()) + MARGIN
    centres = [((left[at] + right[at]) / 2, y[n, at] - up) for n, at in enumerate(layer)]

    arrows = []
    for child, at in enumerate(layer):
        arriving = sorted(set(parents[child]), key=lambda parent: y[parent, at - 1])
        for k, parent in enumerate(arriving):
            corners = [(centres[parent][0] + sizes[parent][0] / 2, y[parent, layer[parent]] - up)]
            for here in range(layer[parent], at):
                corners += [(left[here], y[parent, here] - up)] * (here > layer[parent])
                corners += [(right[here], y[parent, here] - up)]
            port = centres[child][1] + min(PORT, sizes[child][1] / len(arriving)) * (k - (len(arriving) - 1) / 2)
            arrows.append([*corners, (left[at], port), (centres[child][0] - sizes[child][0] / 2, port)])
    return (right[-1] + MARGIN, down - up), centres, arrows


def vertical(
    columns: list[list[Place]], layer: list[int], heights: list[float], parents: Sequence[Sequence[int]]
) -> dict[Place, float]:
    """The y of every place: stacked in the order of what they come from, and as near to it as the stack allows."""
    y: dict[Place, float] = {}
    for at, column in enumerate(columns):
        wanted = {}
        for node, _ in column:
            before = parents[node] if layer[node] == at else [node]
            before = [n for n in before if parents[n]] or before  # inputs make room for what is computed
            if before:
                wanted[node] = sum(y[n, at - 1] for n in before) / len(before)
        column.sort(key=lambda place: wanted.get(place[0], float("inf")))
        edge = 0.0
        for node, _ in column:
            height = heights[node] if layer[node] == at else 0.0
            y[node, at] = edge + height / 2
            edge += height + BETWEEN_BOXES
        shifts = [wanted[node] - y[node, at] for node in wanted] or [-edge / 2]
        for place in column:
            y[place] += sum(shifts) / len(shifts)
    return y


def bends(corners: list[Point]) -> list[tuple[Point, Point, Point]]:
    """The steps of an arrow as Bezier curves, two control points and an end: level in the layers, an S between them."""
    steps = [step for step in pairwise(corners) if step[1][0] - step[0][0] > 0.01]  # else no direction at its end
    return [(((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1)) for (x0, y0), (x1, y1) in steps]
