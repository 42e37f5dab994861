"""All partial derivatives of a small function, from its propagation rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mlp.autodiff.graph import Graph, Node, forward_mode, reverse_mode
from mlp.autodiff.operation import Array

LIMIT = 1_000_000
"""The most elements that are formed unless a larger `limit` is given: 8 MB, a function of 31 x 31 matrices."""


def jacobian(f: Callable[[Any], Any], A: Any, *, mode: str = "reverse", limit: int = LIMIT) -> Array:
    """dC/dA of C = f(A), an array of C's shape followed by A's: J[k, l, i, j] = dC_kl / dA_ij.

    A rule gives A_bar_ij = sum_kl C_bar_kl dC_kl/dA_ij. With C_bar = 1 at one k, l and 0 elsewhere, A_bar is
    J[k, l, :, :]: one sweep for each element of C ("reverse"). With A_dot = 1 at one i, j, C_dot is J[:, :, i, j]: one
    sweep for each element of A ("forward"). Both give the same; the mode with fewer sweeps is faster.

    Raises ValueError for more than `limit` elements: N x N matrices have N^4 of them, and most matrix functions cost
    less. A_bar needs one sweep of the propagation rule, and none of these elements. Raises ValueError also when f does
    not return one node computed from its input, and for another mode.
    """
    graph = Graph()
    parent = graph.input(A, "A")
    C = f(parent)
    if not isinstance(C, Node) or C.graph is not graph or isinstance(C.value, tuple):
        raise ValueError("jacobian: f must return one node that is computed from its input")
    elements = math.prod(C.shape) * math.prod(parent.shape)
    if elements == 0:
        raise ValueError(f"jacobian: nothing to differentiate, C has shape {C.shape} and A {parent.shape}")
    if elements > limit:
        raise ValueError(
            f"jacobian: a C of shape {C.shape} and an A of shape {parent.shape} have {elements:,} partial derivatives "
            f"(N x N matrices have N^4), more than {limit:,}; use the propagation rule: reverse_mode(C, C_bar) gives "
            "A_bar without forming any of them"
        )
    if mode == "reverse":
        none = np.zeros(parent.shape)  # the bar of an input that C does not depend on
        rows = [reverse_mode(C, C_bar).get(parent, none) for C_bar in one_hots(C)]
        return np.reshape(rows, C.shape + parent.shape)
    if mode == "forward":
        columns = [forward_mode({parent: A_dot})[C] for A_dot in one_hots(parent)]
        return np.moveaxis(np.reshape(columns, (-1, *C.shape)), 0, -1).reshape(C.shape + parent.shape)
    raise ValueError(f"jacobian: the mode is 'reverse' or 'forward', not {mode!r}")


def one_hots(node: Node) -> Any:
    """Every array of the node's shape that has a single 1 and else 0, in the order of the elements."""
    return np.eye(math.prod(node.shape)).reshape(-1, *node.shape)
