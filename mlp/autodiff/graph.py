"""Record ordinary Python expressions as a graph of operations, and differentiate it in two modes.

    graph = Graph()
    u = graph.input(1.3, "u")
    v = u**2
    z = exp(sin(v) * log(v))
    forward_mode({u: 1.0})[z]      the note's z_dot = dz/du: one sweep, every dot, one input direction
    reverse_mode(z)[u]             the note's u_bar = dz/du: one sweep, every bar, one output

A node is recorded after its parents. So the order of recording is an order of computation, and its reverse is an order
of backpropagation: both modes are a loop over a list. Nothing is stored on the nodes, so a second sweep gives the same.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from mlp.arguments import check_argument, check_arguments, described, float_array, wrong
from mlp.autodiff.numpy_functions import UFUNCS, no_function
from mlp.autodiff.operation import Array, Operation, apply, is_finite
from mlp.autodiff.rules import OPERATIONS
from mlp.types import Count

MOST_ELEMENTS = 1_000_000  # of a Jacobian, unless a larger `limit` is given: a function of 31 x 31 matrices


def operators(name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods for an operator of nodes: `u + v` or `u + 2`, and `2 + u`."""
    operation = OPERATIONS[name]
    return (lambda node, other: record(operation, node, other)), (lambda node, other: record(operation, other, node))


@dataclass(eq=False, repr=False, slots=True)
class Node:
    """A quantity of a graph: its value, the operation that made it (None for an input) and its parents' indices.

    Arithmetic on nodes records new ones: + - * / ** @, -x, abs(x), x.T, x[index] and the functions of `mlp.autodiff`.
    The other operand may be a number or an array, which is then a constant of the graph. A value is read-only: what was
    computed from it would become wrong.
    """

    graph: Graph
    index: int
    value: Any
    operation: Operation | None
    parents: tuple[int, ...]
    options: dict[str, Any]
    name: str = ""

    @property
    def shape(self) -> tuple[Any, ...]:
        """The shape of the value; of several results, the tuple of their shapes."""
        return tuple(map(np.shape, self.value)) if isinstance(self.value, tuple) else np.shape(self.value)

    def named(self, name: str) -> Node:
        """This node, with a name for pictures and messages."""
        self.name = name
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "value" and hasattr(self, "value"):
            raise AttributeError(
                "value cannot be assigned: nodes made of it are not computed again; make a new graph with this input"
            )
        object.__setattr__(self, name, value)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """`array + node` records a node, as `node + array` does; other functions of NumPy are refused."""
        if ufunc in UFUNCS and method == "__call__" and not options:
            return record(OPERATIONS[UFUNCS[ufunc]], *inputs)
        raise no_function(ufunc)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        raise no_function(function)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("a node is no array: node.value is one, and the functions of mlp.autodiff take nodes")

    def __float__(self) -> float:
        raise TypeError("a node is no number: float(node.value) is one, and the functions of mlp.autodiff take nodes")

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is neither true nor false; ask its value")

    def __repr__(self) -> str:
        kind = "input" if self.operation is None else self.operation.name
        return f"Node({self.name or self.index}: {kind}, shape {self.shape})"

    __add__, __radd__ = operators("add")
    __sub__, __rsub__ = operators("subtract")
    __mul__, __rmul__ = operators("multiply")
    __truediv__, __rtruediv__ = operators("divide")
    __matmul__, __rmatmul__ = operators("matmul")
    __rpow__ = operators("positive_power")[1]

    def __pow__(self, other: Any) -> Any:
        if isinstance(other, Real):
            return record(OPERATIONS["power"], self, exponent=float(other))
        return record(OPERATIONS["positive_power"], self, other)

    def __neg__(self) -> Any:
        return record(OPERATIONS["negative"], self)

    def __abs__(self) -> Any:
        return record(OPERATIONS["absolute"], self)

    def __getitem__(self, index: Any) -> Any:
        return record(OPERATIONS["select"], self, index=index)

    @property
    def T(self) -> Any:
        return record(OPERATIONS["transpose"], self)


class Graph:
    """The nodes in the order in which they were computed."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def input(self, value: Any, name: str = "") -> Node:
        """A quantity to start from: a copy of finite real or complex numbers, as floats; ValueError for others."""
        array = float_array(value, "value")
        check_argument("name", str, name)
        if not np.isfinite(array).all():
            raise ValueError(f"value must hold finite numbers, got {described(value)}")
        return self.add(array, None, (), {}).named(name)

    def add(self, value: Any, operation: Operation | None, parents: tuple[Node, ...], options: dict[str, Any]) -> Node:
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
        node = Node(self, len(self.nodes), value, operation, tuple(parent.index for parent in parents), options)
        self.nodes.append(node)
        return node


def record(operation: Operation, *arguments: Any, **options: Any) -> Any:
    """Compute an operation; where an argument is a node, record the result as a node of the same graph.

    Several results are a tuple of nodes. Raises ValueError when nodes of two graphs meet, and ArithmeticError when the
    value is not finite: log 0 or a division by 0 is an error where it happens, never a number later.
    """
    check_argument("operation", Operation, operation)
    nodes = [argument for argument in arguments if isinstance(argument, Node)]
    options = copy.deepcopy(options)  # the caller may use an index or a mask again, for something else
    if not nodes:
        name = f"an argument of {operation.name}"
        return apply(operation, "value", *(float_array(argument, name) for argument in arguments), **options)
    graph = nodes[0].graph
    if any(node.graph is not graph for node in nodes):
        raise ValueError(f"{operation.name}: the nodes are of two graphs")
    values = [a.value if isinstance(a, Node) else constant(operation, a, nodes) for a in arguments]
    value = apply(operation, "value", *values, **options)
    parents = []  # only now, because what fails leaves no node behind
    for a, plain in zip(arguments, values, strict=True):  # a number in an expression is named after itself
        parents.append(a if isinstance(a, Node) else graph.input(plain, f"{plain:g}" if plain.ndim == 0 else ""))
    node = graph.add(value, operation, tuple(parents), options)
    if isinstance(value, tuple):
        return tuple(record(OPERATIONS["part"], node, k=k) for k in range(len(value)))
    return node


def constant(operation: Operation, value: Any, nodes: list[Node]) -> Any:
    """A plain operand among nodes: 2.0 is as precise as they are, so that float32 stays float32."""
    if isinstance(value, (int, float, complex)):
        return np.asarray(value, np.result_type(value, *(node.value for node in nodes)))
    return float_array(value, f"an argument of {operation.name}")


class Sweep(dict[Node, Any]):
    """The dots or the bars by node."""

    def __missing__(self, key: Any) -> Any:
        raise KeyError(f"{key!r}: dots and bars are found by the node itself, and only of nodes that the sweep met")


def forward_mode(dots: Mapping[Node, Any]) -> dict[Node, Any]:
    """The dot of every node: its derivative along one direction of the inputs, in one sweep with the computation.

    `dots` gives the direction: inputs and their dots; every other input has dot 0. With {u: 1} each dot is the note's
    d theta / du. Raises ValueError for dots of a wrong shape, and ArithmeticError where a dot is not finite.
    """
    if not isinstance(dots, Mapping) or not all(isinstance(node, Node) for node in dots):
        first = next(iter(dots)) if isinstance(dots, Mapping) else dots
        raise wrong("dots", "a dict of nodes and their dots, {u: 1.0}", first)
    dots = {node: float_array(dot, f"the dot of {node!r}") for node, dot in dots.items()}
    if not dots:
        raise ValueError("forward mode needs the dot of at least one input")
    graph = next(iter(dots)).graph
    for node, dot in dots.items():
        if node.graph is not graph or node.operation is not None or dot.shape != node.shape:
            raise ValueError(
                f"{node!r}: expected an input of one graph and a dot of shape {node.shape}, got {dot.shape}"
            )
        if not np.isfinite(dot).all():
            raise ValueError(f"{node!r}: a dot that is not finite")
    found: list[Any] = []
    for node in graph.nodes:
        if node.operation is None:
            found.append(np.array(dots.get(node, np.zeros(node.shape)), dtype=node.value.dtype))
        else:
            parent_dots = tuple(found[i] for i in node.parents)
            inputs = (graph.nodes[i].value for i in node.parents)
            found.append(apply(node.operation, "forward", parent_dots, node.value, *inputs, **node.options))
    return Sweep(zip(graph.nodes, found, strict=True))


def reverse_mode(output: Node, output_bar: Any = None) -> dict[Node, Any]:
    """The bar of every node that the output depends on: d output / d node, in one sweep back through the graph.

    `output_bar` (1 for a scalar output) has the output's shape and weighs its elements. A value that is used several
    times sums the bars of its uses (note, footnote 6); all of them were recorded later, so the sum is complete when the
    sweep gets there. Raises ValueError when an output that is not scalar has no bar, or one of a wrong shape, and
    ArithmeticError where a bar is not finite: the derivative does not exist there.
    """
    check_argument("output", Node, output)
    if output_bar is None:
        if output.shape != ():
            raise ValueError(f"the output has shape {output.shape}: say how its elements count with output_bar")
        output_bar = 1.0
    output_bar = float_array(output_bar, "output_bar")
    if output_bar.shape != output.shape:
        raise ValueError(f"output_bar has shape {output_bar.shape}, the output {output.shape}")
    if not is_finite(output_bar):
        raise ValueError("output_bar is not finite")
    nodes = output.graph.nodes
    bars: dict[int, Any] = {output.index: np.array(output_bar, dtype=np.result_type(output.value))}
    for index in range(output.index, -1, -1):
        node = nodes[index]
        if index not in bars or node.operation is None:
            continue
        inputs = (nodes[i].value for i in node.parents)
        parent_bars = apply(node.operation, "reverse", bars[index], node.value, *inputs, **node.options)
        for parent, bar in zip(node.parents, parent_bars, strict=True):
            bars[parent] = add(bars[parent], bar) if parent in bars else bar
    return Sweep({nodes[index]: bar for index, bar in sorted(bars.items())})


def add(X: Any, Y: Any) -> Any:
    return tuple(x + y for x, y in zip(X, Y, strict=True)) if isinstance(X, tuple) else X + Y


def jacobian(f: Callable[[Any], Any], A: Any, *, mode: str = "reverse", limit: Count = MOST_ELEMENTS) -> Array:
    """dC/dA of C = f(A), an array of C's shape followed by A's: J[k, l, i, j] = dC_kl / dA_ij.

    With C_bar = 1 at one k, l and else 0, A_bar is J[k, l, :, :]: one sweep for each element of C ("reverse"). With
    A_dot = 1 at one i, j and else 0, C_dot is J[:, :, i, j]: one sweep for each element of A ("forward").

    Raises ValueError for more than `limit` elements: N x N matrices have N^4 of them, and A_bar needs none. Raises it
    also when f does not return one node computed from its input, and for another mode.
    """
    check_arguments(jacobian, locals())
    graph = Graph()
    parent = graph.input(A, "A")
    C = f(parent)
    if not isinstance(C, Node) or C.graph is not graph:
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
    if mode not in ("reverse", "forward"):
        raise ValueError(f"jacobian: the mode is 'reverse' or 'forward', not {mode!r}")
    start = C if mode == "reverse" else parent
    one_hots = np.eye(math.prod(start.shape)).reshape(-1, *start.shape)
    if mode == "reverse":
        none = np.zeros(parent.shape)  # the bar of an input that C does not depend on
        rows = [reverse_mode(C, C_bar).get(parent, none) for C_bar in one_hots]
        return np.reshape(rows, C.shape + parent.shape)
    columns = [forward_mode({parent: A_dot})[C] for A_dot in one_hots]
    return np.stack(columns, axis=-1).reshape(C.shape + parent.shape)
