"""Check a differentiation rule: both modes against numbers, and against each other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from mlp.autodiff.operation import Operation
from mlp.checking.bar import DIRECTIONS, ELEMENTS, Comparison, Problem, check_bars, choose
from mlp.checking.copies import fingerprint, float64, long_double
from mlp.checking.identities import ALL, EXACT, taylor
from mlp.checking.numerical import Derivative, Slope, step_sizes
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, apart, attempt, calling
from mlp.types import Array

Project = Mapping[int, Callable[[Array], Array]]


@np.errstate(all="ignore")
def check_operation(
    operation: Operation,
    inputs: Sequence[Any],
    options: Mapping[str, Any] | None = None,
    *,
    project: Project | None = None,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """Check an operation, one's own included, at these real inputs (arrays, or tuples of arrays) and options.

    With random C_bar, each bar of `reverse` against derivatives of <C_bar, C>; with random dots, `forward` against the
    change of C; the two against each other by <C_bar, C_dot> = sum of <A_bar, A_dot>; and the forward rule's Taylor
    remainders. `project` maps changes of an input (by position) to those that are allowed: where a rule is for
    symmetric S alone, `{0: lambda V: (V + V.T) / 2}`. What a rule raises is a failure, what `value` raises is raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    rule = Rule(operation, inputs, options or {}, project or {})
    C_bar, dots = rule.random_C_bar(rng), rule.random_dots(rng)
    return [
        *attempt("bars", "reverse", lambda: check_bars(rule.problem(C_bar), rng)),
        *attempt("C_dot", "forward", lambda: check_forward(rule, C_bar, dots, rng)),
        *attempt(ALL, "dot product", lambda: [dot_products(rule, rng)]),
        *attempt("memory", "called", lambda: [left_alone(rule, C_bar, dots)]),
    ]


class Rule:
    """An operation at one place: its inputs by name, its value C, and its two rules as functions of named arrays."""

    def __init__(
        self, operation: Operation, inputs: Sequence[Any], options: Mapping[str, Any], project: Project
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
        self.C = self.value(self.arrays)
        if any(map(np.iscomplexobj, parts(self.C))):
            raise ValueError(f"{operation.name}: C is complex at real inputs; check its real and its imaginary part")

    def arguments(self, arrays: Mapping[str, Array]) -> tuple[Any, ...]:
        return tuple(
            arrays[names] if isinstance(names, str) else tuple(arrays[name] for name in names) for names in self.members
        )

    def value(self, arrays: Mapping[str, Array]) -> Any:
        return self.operation.value(*self.arguments(arrays), **self.options)

    def problem(self, C_bar: Array) -> Problem:
        """<C_bar, C> as a function of the inputs, with the bars of the reverse rule."""

        def cost(arrays: dict[str, Array]) -> Any:
            return np.sum(C_bar * flat(self.value(self.arrays | arrays)))

        def precise() -> dict[str, Array]:
            arrays = long_double(self.arrays)
            return self.reverse(C_bar, arrays, self.value(arrays))

        bars, size = self.reverse(C_bar, self.arrays, self.C), float(np.sum(np.abs(C_bar * flat(self.C))))
        return Problem(cost, self.arrays, bars, size, project=self.project, precise=precise, maker="reverse")

    def random_dots(self, rng: np.random.Generator) -> dict[str, Array]:
        return {name: self.project[name](rng.normal(size=x.shape) * step_sizes(x)) for name, x in self.arrays.items()}

    def random_C_bar(self, rng: np.random.Generator) -> Array:
        return rng.normal(size=flat(self.C).shape)

    def forward(self, dots: Mapping[str, Array]) -> Any:
        """The derivative of C along the dots, C_dot."""
        with calling("forward"):
            return self.operation.forward(self.arguments(dots), self.C, *self.arguments(self.arrays), **self.options)

    def reverse(self, C_bar: Array, arrays: Mapping[str, Array], C: Any) -> dict[str, Array]:
        """The bars of all arrays."""
        ends = np.cumsum([part.size for part in parts(C)])
        shaped = [bar.reshape(part.shape) for bar, part in zip(np.split(C_bar, ends[:-1]), parts(C), strict=True)]
        named: dict[str, Any] = {}
        with calling("reverse"):
            bars = self.operation.reverse(
                tuple(shaped) if isinstance(C, tuple) else shaped[0], C, *self.arguments(arrays), **self.options
            )
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


class Change:
    """The derivative of <v, C(t)> at t = 0 for any v, as `Comparison` asks for it."""

    def __init__(self, C: Callable[[Any], Array], method: str, size: float) -> None:
        self.C, self.method, self.size = cache(C), method, size  # every element asks for the same steps

    def along(self, v: Array) -> Slope:
        used = v != 0
        derivative = Derivative(lambda t: np.sum(v[used] * self.C(t[()])[used]), np.zeros(()), self.size, [])
        derivative.method = self.method
        return derivative.along(np.ones(()))


def check_forward(rule: Rule, C_bar: Array, dots: Mapping[str, Array], rng: np.random.Generator) -> list[Result]:
    """Compare C_dot with the numerical derivative of C along the dots, and look at the Taylor remainders."""
    C_dot = rule.forward(dots)
    shapes, wanted = ([part.shape for part in parts(C)] for C in (C_dot, rule.C))
    if shapes != wanted:
        return [Result("C_dot", "shape", FAIL, np.inf, 0.0, f"the shape is {shapes}, that of C {wanted}")]

    def along(t: Any) -> Array:
        return flat(rule.value({name: x + t * dots[name] for name, x in rule.arrays.items()}))

    bar, C = flat(C_dot), flat(rule.C)
    size, largest = float(np.sum(np.abs(C_bar * C))), float(np.abs(C).max(initial=0.0))
    method = Derivative(lambda t: np.sum(C_bar * along(t)), np.zeros(()), size, [np.ones(())]).method
    problem = Problem(float, {"C_dot": np.zeros(bar.shape)}, {"C_dot": bar}, largest, maker="forward")
    comparison = Comparison(problem, "C_dot", Change(along, method, largest))
    for index in choose(bar, ELEMENTS, rng):
        comparison.add(index)
    return [comparison.result(), taylor("C_dot", along, bar, float(np.linalg.norm(C)))]


def dot_products(rule: Rule, rng: np.random.Generator) -> Result:
    """Check that <C_bar, C_dot> = sum of <A_bar, A_dot> over the inputs, for random C_bar and dots (Giles 2008)."""
    worst = 0.0
    for _ in range(DIRECTIONS):
        C_bar, dots = rule.random_C_bar(rng), rule.random_dots(rng)
        bars = rule.reverse(C_bar, rule.arrays, rule.C)
        up = C_bar * flat(rule.forward(dots))
        down = np.concatenate([(bars[name] * dot).ravel() for name, dot in dots.items()])
        norm = max(float(np.linalg.norm(up)), float(np.linalg.norm(down)))
        error = abs(float(up.sum() - down.sum())) / norm if norm else 0.0
        if not norm or not np.isfinite(error):
            return Result(ALL, "dot product", INCONCLUSIVE, error, EXACT, "not finite" if norm else "all 0")
        if error > EXACT:
            forward, reverse = apart(up.sum(), down.sum())
            reason = f"forward: <C_bar, C_dot> = {forward}, reverse: {reverse}"
            return Result(ALL, "dot product", FAIL, error, EXACT, reason)
        worst = max(worst, error)
    return Result(ALL, "dot product", PASS, worst, EXACT, f"{DIRECTIONS} draws")


def left_alone(rule: Rule, C_bar: Array, dots: Mapping[str, Array]) -> Result:
    """Check that rules change no argument, and that bars share no memory: they may be added to in place."""
    before = fingerprint(rule.arrays, rule.C, C_bar, dots)
    bars = rule.reverse(C_bar, rule.arrays, rule.C)
    rule.forward(dots)
    reason = "" if fingerprint(rule.arrays, rule.C, C_bar, dots) == before else "an argument was changed in place"
    others = [("C_bar", C_bar)]
    for name, bar in bars.items():
        for other, array in others:
            if np.shares_memory(bar, array):
                reason = reason or f"the bar of {name} shares memory with {other}: whoever adds to one changes both"
        others.append((f"the bar of {name}", bar))
    if reason:
        return Result("memory", "called", FAIL, np.inf, 0.0, reason)
    return Result("memory", "called", PASS, 0.0, 0.0, "nothing changed in place, nothing shared")
