"""Checks of one differentiation rule: both modes against numbers, and against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mlp.autodiff.operation import Operation
from mlp.checking.compare import DIRECTIONS, check_bar, choose
from mlp.checking.comparison import ELEMENTS, Comparison, Quantity
from mlp.checking.copies import fingerprint
from mlp.checking.numerical import Derivative
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, apart, attempt
from mlp.checking.rule import Change, Project, Rule, flat, parts, weigh
from mlp.checking.together import ALL, EXACT, taylor
from mlp.types import Array


@np.errstate(all="ignore")
def check_operation(
    operation: Operation,
    inputs: Sequence[Any],
    options: Mapping[str, Any] | None = None,
    *,
    project: Project | None = None,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """All checks of an operation, one's own included, at these real inputs (arrays, or tuples of arrays) and options.

    With random C_bar, each bar of `reverse` against derivatives of <C_bar, C>; with random dots, `forward` against the
    change of C; the two against each other by <C_bar, C_dot> = sum of <A_bar, A_dot>; and the forward rule's Taylor
    remainders. `project` maps changes of an input (by position) to those that are allowed: where a rule is for
    symmetric S alone, `{0: lambda V: (V + V.T) / 2}`. What a rule raises is a failure, what `value` raises is raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    rule = Rule(operation, inputs, {} if options is None else options, {} if project is None else project)
    C_bar, dots = rule.random_C_bar(rng), rule.random_dots(rng)
    return [
        *attempt("bars", "reverse", lambda: check_reverse(rule, C_bar, rng)),
        *attempt("C_dot", "forward", lambda: check_forward(rule, C_bar, dots, rng)),
        *attempt(ALL, "dot product", lambda: [dot_products(rule, rng)]),
        *attempt("memory", "called", lambda: [left_alone(rule, C_bar, dots)]),
    ]


def check_reverse(rule: Rule, C_bar: list[Array], rng: np.random.Generator) -> list[Result]:
    """The bar of each input against the numerical derivatives of <C_bar, C>."""
    bars, size = rule.reverse(C_bar), rule.size(C_bar)
    return [
        check_bar(
            Quantity(
                name,
                rule.scalar(C_bar, name),
                x,
                bars[name],
                size,
                maker="reverse",
                project=rule.project[name],
                precise=partial(rule.precise, C_bar),
            ),
            rng,
        )
        for name, x in rule.arrays.items()
    ]


def check_forward(rule: Rule, C_bar: list[Array], dots: Mapping[str, Array], rng: np.random.Generator) -> list[Result]:
    """C_dot against the numerical derivative of C along the dots, and the Taylor remainders that it leaves."""
    C_dot = rule.forward(dots)
    shapes, wanted = ([part.shape for part in parts(C)] for C in (C_dot, rule.C))
    if shapes != wanted:
        return [Result("C_dot", "shape", FAIL, np.inf, 0.0, f"the shape is {shapes}, that of C {wanted}")]
    along, bar = rule.along(dots), flat(C_dot)
    size, largest = rule.size(C_bar), float(np.abs(flat(rule.C)).max(initial=0.0))
    method = Derivative(lambda t: weigh(C_bar, along(t)), np.zeros(()), size, [np.ones(())]).method
    quantity = Quantity("C_dot", np.asarray, np.zeros(bar.shape), bar, largest, maker="forward")
    comparison = Comparison(quantity, bar, Change(lambda t: flat(along(t)), method, largest))
    for index in choose(bar, ELEMENTS, rng):
        comparison.add(index)
    norm = float(np.linalg.norm(flat(rule.C)))
    return [comparison.result(), taylor("C_dot", lambda t: flat(along(t)), bar, norm)]


def dot_products(rule: Rule, rng: np.random.Generator) -> Result:
    """<C_bar, C_dot> = sum of <A_bar, A_dot> over the inputs, for random C_bar and dots (Giles 2008)."""
    worst, reason = 0.0, f"{DIRECTIONS} draws"
    for _ in range(DIRECTIONS):
        C_bar, dots = rule.random_C_bar(rng), rule.random_dots(rng)
        bars = rule.reverse(C_bar)
        up = np.concatenate([(c * d).ravel() for c, d in zip(C_bar, parts(rule.forward(dots)), strict=True)])
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
    return Result(ALL, "dot product", PASS, worst, EXACT, reason)


def left_alone(rule: Rule, C_bar: list[Array], dots: Mapping[str, Array]) -> Result:
    """Rules change none of their arguments, and bars may be added to in place: they share no memory with anything."""
    before = fingerprint(rule.arrays, rule.C, C_bar, dots)
    bars = rule.reverse(C_bar)
    rule.forward(dots)
    reason = "" if fingerprint(rule.arrays, rule.C, C_bar, dots) == before else "an argument was changed in place"
    named = list(bars.items())
    for k, (name, bar) in enumerate(named):
        others = [("C_bar", c_bar) for c_bar in C_bar] + [(f"the bar of {other}", array) for other, array in named[:k]]
        for other, array in others:
            if np.shares_memory(bar, array):
                reason = reason or f"the bar of {name} shares memory with {other}: whoever adds to one changes both"
    if reason:
        return Result("memory", "called", FAIL, np.inf, 0.0, reason)
    return Result("memory", "called", PASS, 0.0, 0.0, "nothing changed in place, nothing shared")
