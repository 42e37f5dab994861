"""The formulas and symbols of nodes in the note's letters, as mathtext for pictures."""

from __future__ import annotations

import re
from typing import Any

from mlp.autodiff.graph import Graph, Node

# Precedence: a formula that binds less tightly than its place asks for gets parentheses.
SUM, QUOTIENT, PRODUCT, POWER, ATOM = range(5)

# For each operation: its formula, its precedence, and the least precedence of each parent's formula.
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
LONGEST = 80
"""The most characters of a formula that is written into another one."""


def titles(graph: Graph, fold: bool) -> dict[int, str]:
    """The title of each node that gets a box, by index: its symbol and its formula, `A_1 = W_1 X + b_1`.

    Numbers get no box. With `fold`, neither do computed nodes without a name that are used once: their formula stands
    in that of their child.
    """
    parents = [parent for node in graph.nodes for parent in node.parents]
    texts: list[tuple[str, int]] = []  # of every node, as its children write it, with its precedence
    boxes = {}
    for node in graph.nodes:
        text = symbol(node), ATOM
        if node.operation is None:
            if not is_number(node):
                boxes[node.index] = text[0]
        else:
            own = formula(node, [texts[parent] for parent in node.parents])
            if fold and not node.name and parents.count(node.index) == 1 and len(own[0]) <= LONGEST:
                text = own
            else:
                boxes[node.index] = f"{text[0]} = {own[0]}"
        texts.append(text)
    return boxes


def formula(node: Node, parents: list[tuple[str, int]]) -> tuple[str, int]:
    """The node in terms of its parents' formulas, and its precedence."""
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
        options = {"index": index_text(options["index"])}
    texts = [text if own >= wanted else f"({text})" for (text, own), wanted in zip(parents, least, strict=True)]
    return template.format(*texts, **options), precedence


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
    """Whether the node is a number that was written in an expression, such as the 2 in `2 * x`."""
    return node.operation is None and node.shape == () and node.name == f"{node.value:g}"


def escape(text: str) -> str:
    """Any text as mathtext that shows it; what mathtext cannot show is a question mark."""
    return re.sub(r"([_%$#{} ])", r"\\\1", re.sub(r"[\\^~&\n]", "?", text))


def index_text(index: Any) -> str:
    """An index as it was written, an array of integers or booleans as three dots."""
    texts = []
    for item in index if isinstance(index, tuple) else (index,):
        if isinstance(item, slice):
            ends = (item.start, item.stop) if item.step is None else (item.start, item.stop, item.step)
            texts.append(":".join("" if end is None else str(end) for end in ends))
        else:
            texts.append(str(item) if isinstance(item, int) else "...")
    return r",\,".join(texts)
