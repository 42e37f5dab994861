"""Check a differentiation rule: both modes against numbers, and against each other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from mlp.autodiff.operation import Operation
from mlp.checking.bar import DIRECTIONS, Problem, check_bar, identity
from mlp.checking.copies import fingerprint, float64
from mlp.checking.numerical import step_sizes
from mlp.checking.results import ALL, FAIL, Result, as_results, attempt, held
from mlp.types import Array

SHARED_BAR = "one array is handed to two: C_bar.copy() is an own one"


@as_results
@np.errstate(all="ignore")
def check_operation(
    operation: Operation,
    inputs: Sequence[Any],
    options: Mapping[str, Any] | None = None,
    *,
    project: Mapping[int, Callable[[Array], Array]] | None = None,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """Check an operation, one's own included, at these real inputs (arrays, or tuples of arrays) and options.

    With random C_bar and dots, `reverse` is compared with derivatives of <C_bar, C>, and `forward` with `reverse`, by
    <C_bar, C_dot> = sum of <A_bar, A_dot>. `project` maps a change of an input (by position) to the nearest that is
    allowed: where a rule is for symmetric S alone, `{0: lambda V: (V + V.T) / 2}`. What a rule raises is a failure.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    rule = Rule(operation, inputs, options or {}, project or {})
    draws = [(rng.normal(size=rule.C.shape), rule.random_dots(rng)) for _ in range(DIRECTIONS)]
    return [
        *attempt("bars", "reverse", lambda: check_reverse(rule, draws[0][0], rng)),
        *attempt("C_dot", "forward", lambda: dot_products(rule, draws)),
        *attempt("memory", "called", lambda: [left_alone(rule, *draws[0])]),
    ]


class Rule:
    """An operation at one place: its inputs by name, its value C in a row, and its two rules."""

    def __init__(
        self, operation: Operation, inputs: Sequence[Any], options: Mapping[str, Any], project: Mapping[int, Any]
    ) -> None:
        self.operation, self.options = operation, dict(options)
        self.members: list[tuple[str, ...] | str] = []  # the names of each input's arrays
        self.arrays: dict[str, Array] = {}
        self.project: dict[str, Callable[[Array], Array]] = {}
        for position, (name, given) in enumerate(zip(input_names(operation, len(inputs)), inputs, strict=True)):
            several = isinstance(given, tuple)
            named = {f"{name}[{k}]": part for k, part in enumerate(given)} if several else {name: given}
            self.members.append(tuple(named) if several else name)
            for member, array in named.items():
                if np.iscomplexobj(array):
                    raise ValueError(f"{operation.name}: {member} is complex; the checks are at real inputs")
                self.arrays[member] = float64(array)
                self.project[member] = project.get(position, np.asarray)
        self.result = operation.value(*self.arguments(self.arrays), **self.options)
        self.C = flat(self.result)
        if np.iscomplexobj(self.C):
            raise ValueError(f"{operation.name}: C is complex at real inputs; check its real and its imaginary part")

    def arguments(self, arrays: Mapping[str, Array]) -> tuple[Any, ...]:
        return tuple(
            arrays[names] if isinstance(names, str) else tuple(arrays[name] for name in names) for names in self.members
        )

    def value(self, arrays: Mapping[str, Array]) -> Array:
        """C in a row, with these arrays in the place of its inputs."""
        return flat(self.operation.value(*self.arguments(self.arrays | dict(arrays)), **self.options))

    def random_dots(self, rng: np.random.Generator) -> dict[str, Array]:
        return {name: self.project[name](rng.normal(size=x.shape) * step_sizes(x)) for name, x in self.arrays.items()}

    def forward(self, dots: Mapping[str, Array]) -> Any:
        """The derivative of C along the dots, C_dot."""
        arguments = self.arguments(self.arrays)
        return self.operation.forward(self.arguments(dots), self.result, *arguments, **self.options)

    def reverse(self, C_bar: Array) -> dict[str, Array]:
        """The bars of all arrays."""
        shapes = parts(self.result)
        ends = np.cumsum([part.size for part in shapes])[:-1]
        shaped = [bar.reshape(part.shape) for bar, part in zip(np.split(C_bar, ends), shapes, strict=True)]
        named: dict[str, Any] = {}
        given = tuple(shaped) if isinstance(self.result, tuple) else shaped[0]
        bars = self.operation.reverse(given, self.result, *self.arguments(self.arrays), **self.options)
        for names, bar in zip(self.members, bars, strict=True):
            named |= {names: bar} if isinstance(names, str) else dict(zip(names, bar, strict=True))
        return {name: np.asarray(bar) for name, bar in named.items()}


def input_names(operation: Operation, count: int) -> list[str]:
    """The parameter names of `value` where it has enough of them, else A, B, C, ..."""
    try:
        parameters = list(inspect.signature(operation.value).parameters.values())
    except ValueError:  # some NumPy functions do not tell
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] if len(names) >= count else [chr(ord("A") + k) for k in range(count)]


def parts(C: Any) -> list[Array]:
    return [np.asarray(part) for part in C] if isinstance(C, tuple) else [np.asarray(C)]


def flat(C: Any) -> Array:
    """All elements in a row."""
    return np.concatenate([part.ravel() for part in parts(C)])


def check_reverse(rule: Rule, C_bar: Array, rng: np.random.Generator) -> list[Result]:
    """Compare the bars with the derivatives of <C_bar, C>, as far as changes are allowed."""

    def cost(arrays: Mapping[str, Array]) -> Any:
        allowed = {name: rule.arrays[name] + rule.project[name](A - rule.arrays[name]) for name, A in arrays.items()}
        return np.sum(C_bar * rule.value(allowed))

    bars = rule.reverse(C_bar)
    for name, bar in bars.items():
        if bar.shape == rule.arrays[name].shape:
            bars[name] = np.asarray(rule.project[name](bar))
    problem = Problem(cost, rule.arrays, bars, float(np.sum(np.abs(C_bar * rule.C))), maker="reverse")
    return [check_bar(problem, name, rng) for name in rule.arrays]


def dot_products(rule: Rule, draws: list[tuple[Array, dict[str, Array]]]) -> list[Result]:
    """Check that <C_bar, C_dot> = sum of <A_bar, A_dot> over the inputs, for random C_bar and dots (Giles 2008).

    Where the bars are right, so is C_dot.
    """
    C_dots = [rule.forward(dots) for _, dots in draws]
    shapes, wanted = ([part.shape for part in parts(C)] for C in (C_dots[0], rule.result))
    if shapes != wanted:
        return [Result("C_dot", "shape", FAIL, np.inf, 0.0, f"the shape is {shapes}, that of C {wanted}")]
    up = [float(np.sum(C_bar * flat(C_dot))) for (C_bar, _), C_dot in zip(draws, C_dots, strict=True)]
    down = [sum(float(np.sum(bar * dots[name])) for name, bar in rule.reverse(C_bar).items()) for C_bar, dots in draws]
    return identity("dot product", {ALL: (up, down)}, ("by forward", "by reverse"), good=f"{len(draws)} draws")


def left_alone(rule: Rule, C_bar: Array, dots: Mapping[str, Array]) -> Result:
    """Check that rules change no argument, and that bars share no memory: they may be added to in place."""
    given = (*rule.arrays.values(), rule.result, C_bar, *dots.values())
    before = fingerprint(given)
    bars = rule.reverse(C_bar)
    rule.forward(dots)
    complaint, cause = "" if fingerprint(given) == before else "an argument was changed in place", ""
    named = [("C_bar", C_bar), *((f"the bar of {name}", bar) for name, bar in bars.items())]
    for (one, array), (other, bar) in combinations(named, 2):
        if np.shares_memory(array, bar):
            complaint, cause = f"{other} shares memory with {one}: whoever adds to one changes both", SHARED_BAR
    return held("memory", "called", complaint, "nothing changed in place, nothing shared", cause)
