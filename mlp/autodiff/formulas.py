"""Nodes in the note's letters, for pictures: symbols with dots and bars, formulas and numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mlp.autodiff.graph import Graph, Node

# How strongly a formula holds together: where a weaker one stands for a stronger, it needs parentheses.
SUM, QUOTIENT, PRODUCT, POWER, ATOM = range(5)

# For each operation: its formula, how strong it is, and how strong its parents' formulas must be.
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
}
LONGEST = 80
"""A formula of more characters is not written into another one."""


def is_number(node: Node) -> bool:
    """Whether the node is a number that was written in an expression, such as the 2 in `2 * x`."""
    return node.operation is None and node.shape == () and node.name == f"{node.value:g}"


def titles(graph: Graph, fold: bool) -> dict[int, str]:
    """What each node that gets a box is called and how it is computed, by index: `A_1 = W_1 X + b_1`.

    Numbers get no box. With `fold`, neither do computed nodes without a name that are used once: their formula stands
    in that of their child.
    """
    uses = [0] * len(graph.nodes)
    for node in graph.nodes:
        for parent in node.parents:
            uses[parent] += 1
    texts: list[tuple[str, int]] = []  # of every node, as its children write it
    boxes = {}
    for node in graph.nodes:
        text = symbol(node), ATOM
        if node.operation is None:
            if not is_number(node):
                boxes[node.index] = text[0]
        else:
            own, strength = formula(node, [texts[parent] for parent in node.parents])
            if fold and not node.name and uses[node.index] == 1 and len(own) <= LONGEST:
                text = own, strength
            else:
                boxes[node.index] = f"{text[0]} = {own}"
        texts.append(text)
    return boxes


def formula(node: Node, parents: list[tuple[str, int]]) -> tuple[str, int]:
    """How the node is computed from its parents' formulas, and how strongly that holds together."""
    assert node.operation is not None
    name = node.operation.name
    if name in FORMULAS:
        template, strength, wanted = FORMULAS[name]
        if name == "multiply" and all(node.graph.nodes[i].shape for i in node.parents):
            template = r"{} \odot {}"
        texts = [text if own >= least else f"({text})" for (text, own), least in zip(parents, wanted, strict=True)]
        return template.format(*texts, **node.options), strength
    arguments = [text for text, _ in parents]
    if name == "select":
        whole = arguments[0] if parents[0][1] == ATOM else f"({arguments[0]})"
        return f"{whole}[{index_text(node.options['index'])}]", ATOM
    if node.options.get("axis") is not None:
        arguments.append(rf"\mathrm{{axis}}\ {node.options['axis']}")
    joined = r",\,".join(arguments)
    return rf"\mathrm{{{escape(name)}}}({joined})", ATOM


def symbol(node: Node, accent: str = "") -> str:
    """The name of a node in mathtext, W1 as W with subscript 1, and with a dot or bar over it."""
    if is_number(node):
        text = re.sub(r"e([+-]\d+)", lambda e: rf" \cdot 10^{{{int(e[1])}}}", f"{node.value:.4g}")
        return f"({text})" if "-" in text or "cdot" in text else text
    name = node.name or f"n{node.index}"
    letter = re.fullmatch(r"([^\W\d_])(\d*|_\w+)", name)
    if letter:
        base, subscript = letter[1], letter[2].removeprefix("_")
    else:
        base, subscript = rf"\mathrm{{{escape(name)}}}", ""
        accent = accent.replace("bar", "overline")
    accented = rf"\{accent}{{{base}}}" if accent else base
    return rf"{accented}_{{\mathrm{{{escape(subscript)}}}}}" if subscript else accented


def escape(text: str) -> str:
    """Any text as mathtext that shows it; what mathtext cannot show is a question mark."""
    return re.sub(r"([_%$#{} ])", r"\\\1", re.sub(r"[\\^~&\n]", "?", text))


def index_text(index: Any) -> str:
    """An index as it was written, an array of integers or booleans as three dots."""
    texts = []
    for item in index if isinstance(index, tuple) else (index,):
        if isinstance(item, slice):
            ends = [item.start, item.stop] + ([] if item.step is None else [item.step])
            texts.append(":".join("" if end is None else str(end) for end in ends))
        else:
            texts.append(str(item) if isinstance(item, int) else "...")
    return r",\,".join(texts).replace("-", MINUS)


MINUS = "\N{MINUS SIGN}"


def number_text(value: Any) -> str:
    return f"{value:.4g}".replace("-", MINUS)


def matrix_lines(array: Any) -> list[str]:
    """The rows of a matrix (or of a vector, the only one), their columns aligned.

    All entries have the decimals that give the largest one three digits, or fewer if these suffice.
    """
    largest = np.abs(array).max(initial=0.0)
    if largest and not 1e-3 <= largest < 1e4:
        form = ".1e"
    else:
        most = max(0, 2 - int(np.floor(np.log10(largest)))) if largest else 0
        form = next(f".{d}f" for d in range(most + 1) if d == most or np.allclose(np.round(array, d), array, 1e-9, 0))
    texts = np.array([f"{entry:{form}}".replace("-", MINUS) for entry in (array + 0.0).ravel()])
    columns = texts.reshape(-1, array.shape[-1]).T
    aligned = [[text.rjust(max(map(len, column))) for text in column] for column in columns]
    return ["  ".join(row) for row in zip(*aligned, strict=True)]
