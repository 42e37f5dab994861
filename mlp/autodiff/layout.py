"""Where the boxes of a graph go: in layers from left to right, with arrows that pass between boxes, never across one.

The method is that of Sugiyama, Tagawa and Toda (1981): nodes into layers; where an arrow passes a layer, a place is
kept free for it; the order inside the layers is improved by sweeps that put everything beside its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]
Place = tuple[int, int]  # (node, layer): the node itself, or, in a later layer, its value on the way to a child

BETWEEN_LAYERS = 36.0  # points, of which 72 are an inch
BETWEEN_BOXES = 16.0
MARGIN = 10.0
PORT = 12.0  # between the points of one box at which arrows arrive
SWEEPS = 24
INPUT_WEIGHT = 0.001  # inputs make room, so that what is computed from each other stands in a straight line


class Layout(NamedTuple):
    """Centres of the boxes, and the corner points of every arrow; y grows downwards."""

    width: float
    height: float
    centres: list[Point]
    arrows: list[list[Point]]


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


def arrange(sizes: Sequence[Point], parents: Sequence[Sequence[int]]) -> Layout:
    """Place boxes of the given widths and heights; `parents[i]` are numbers below i."""
    layer = layers(parents)
    ways = {
        (parent, child): [(parent, at) for at in range(layer[parent], layer[child])] + [(child, layer[child])]
        for child, above in enumerate(parents)
        for parent in sorted(set(above))
    }
    places = {(node, at): None for node, at in enumerate(layer)} | {p: None for way in ways.values() for p in way}
    columns = [[place for place in places if place[1] == at] for at in range(max(layer) + 1)]
    links = {step for way in ways.values() for step in pairwise(way)}
    heights = {(node, at): sizes[node][1] if at == layer[node] else 0.0 for node, at in places}

    weights = {(node, at): 1.0 if parents[node] else INPUT_WEIGHT for node, at in places}

    y = vertical(columns, links, heights, weights)
    top = min(y[place] - heights[place] / 2 for place in places) - MARGIN
    bottom = max(y[place] + heights[place] / 2 for place in places) + MARGIN
    left, right, x = [], [], MARGIN
    for at in range(len(columns)):
        left.append(x)
        right.append(x + max(sizes[node][0] for node in range(len(sizes)) if layer[node] == at))
        x = right[-1] + BETWEEN_LAYERS

    centres = [((left[at] + right[at]) / 2, y[node, at] - top) for node, at in enumerate(layer)]
    arrows = []
    for child, at in enumerate(layer):
        arriving = sorted((way for (_, to), way in ways.items() if to == child), key=lambda way: y[way[-2]])
        for k, way in enumerate(arriving):
            first = centres[way[0][0]][0] + sizes[way[0][0]][0] / 2
            port = centres[child][1] + PORT * (k - (len(arriving) - 1) / 2)
            corners = [(first, y[way[0]] - top), (right[way[0][1]], y[way[0]] - top)]
            for place in way[1:-1]:
                corners += [(left[place[1]], y[place] - top), (right[place[1]], y[place] - top)]
            arrows.append([*corners, (left[at], port), (centres[child][0] - sizes[child][0] / 2, port)])
    return Layout(right[-1] + MARGIN, bottom - top, centres, arrows)


def vertical(
    columns: list[list[Place]],
    links: set[tuple[Place, Place]],
    heights: dict[Place, float],
    weights: dict[Place, float],
) -> dict[Place, float]:
    """The y of every place, in the order with the fewest crossings that the sweeps found."""
    before: dict[Place, list[Place]] = {place: [] for place in heights}
    after: dict[Place, list[Place]] = {place: [] for place in heights}
    for start, end in sorted(links):
        before[end].append(start)
        after[start].append(end)

    y = dict.fromkeys(heights, 0.0)

    def settle_column(column: list[Place], beside: Iterable[dict[Place, list[Place]]], sort: bool) -> None:
        wanted = {}
        for place in column:
            neighbours = [neighbour for side in beside for neighbour in side[place]]
            total = sum(weights[neighbour] for neighbour in neighbours)
            wanted[place] = sum(weights[n] * y[n] for n in neighbours) / total if neighbours else y[place]
        if sort:
            column.sort(key=wanted.__getitem__)
        y.update(settle(column, wanted, heights, weights))

    for column in columns:
        settle_column(column, [before], sort=False)
    best, fewest = [list(column) for column in columns], crossings(y, links)
    for sweep in range(SWEEPS):
        side, order = (after, reversed(columns)) if sweep % 2 == 0 else (before, iter(columns))
        for column in order:
            settle_column(column, [side], sort=True)
        if crossings(y, links) < fewest:
            best, fewest = [list(column) for column in columns], crossings(y, links)
    for sweep in range(SWEEPS):
        for column in best if sweep % 2 else reversed(best):
            settle_column(column, [before, after], sort=False)
    return y


def settle(
    column: Sequence[Place], wanted: dict[Place, float], heights: dict[Place, float], weights: dict[Place, float]
) -> dict[Place, float]:
    """The positions nearest to the wanted ones (least squares) in which the column keeps its order and its gaps.

    Less the space that they take, the positions are nondecreasing, so this is isotonic regression: pool what violates
    the order, and give the pool its mean (Ayer et al. 1955).
    """
    space = dict.fromkeys(column, 0.0)
    for upper, lower in pairwise(column):
        space[lower] = space[upper] + (heights[upper] + heights[lower]) / 2 + BETWEEN_BOXES
    pools: list[tuple[float, float, list[Place]]] = []
    for place in column:
        mean, weight, members = wanted[place] - space[place], weights[place], [place]
        while pools and pools[-1][0] > mean:
            upper_mean, upper_weight, upper_members = pools.pop()
            mean = (upper_mean * upper_weight + mean * weight) / (upper_weight + weight)
            weight, members = upper_weight + weight, upper_members + members
        pools.append((mean, weight, members))
    return {place: mean + space[place] for mean, _, members in pools for place in members}


def crossings(y: dict[Place, float], links: set[tuple[Place, Place]]) -> int:
    """How many pairs of links between the same two layers cross."""
    return sum(
        (y[a] - y[c]) * (y[b] - y[d]) < 0 for a, b in links for c, d in links if a[1] == c[1] and (a, b) < (c, d)
    )
