"""Checks of all arrays at once: the dot-product identity, Taylor remainders, a minibatch against its examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp.checking.compare import DIRECTIONS, if_it_works, less_than
from mlp.checking.guesses import Suspects, guess
from mlp.checking.numerical import EPS, TOLERANCE, Derivative, central_slope, step_sizes
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, apart
from mlp.types import Array

ALL = "all together"
SEVERITY = (PASS, INCONCLUSIVE, FAIL)
TAYLOR_STEPS = tuple(10.0**-k for k in range(1, 9))
TAYLOR_TOLERANCE = 0.3  # how far from 2 the order may be
EXACT = 1e-9  # for identities that hold up to rounding


@dataclass(frozen=True)
class Problem:
    """A scalar cost of several arrays, the bars of all of them, and the magnitude that the cost is rounded at.

    `precise()` computes the bars again in long double, to tell a mistake from rounding; `scales` are what steps are
    relative to in arrays that are all 0.
    """

    cost: Callable[[dict[str, Array]], Any]
    arrays: Mapping[str, Array]
    bars: Mapping[str, Any]
    size: float
    precise: Callable[[], Mapping[str, Any]] | None = None
    scales: Mapping[str, float] = field(default_factory=dict)

    def direction(self, rng: np.random.Generator) -> tuple[Callable[[Any], Any], float, float]:
        """For random dots: t -> cost(arrays + t dots), the sum of <bar, dot>, and the norm of what is summed."""
        dots = {
            name: rng.normal(size=x.shape) * step_sizes(x, self.scales.get(name, 0.0))
            for name, x in self.arrays.items()
        }
        products = np.concatenate([np.ravel(self.bars[name] * dot) for name, dot in dots.items()])

        def along(t: Any) -> Any:
            return self.cost({name: x + t * dots[name] for name, x in self.arrays.items()})

        return along, float(products.sum()), float(np.linalg.norm(products))


def dot_product(problem: Problem, rng: np.random.Generator) -> Result:
    """Forward against reverse: c_dot = sum of <bar, dot> over all arrays, for random dots (Giles 2008).

    c_dot comes from one numerical derivative along the dots, which is forward mode by other means (note, footnote 2).
    """
    results = [along_one_direction(problem, rng) for _ in range(DIRECTIONS)]
    result = max(results, key=lambda result: (SEVERITY.index(result.verdict), result.error))
    if result.verdict == FAIL and (bars := if_it_works(problem.precise)) is not None:
        return less_than(dot_product(replace(problem, bars=bars, precise=None), rng), result)
    return result


def along_one_direction(problem: Problem, rng: np.random.Generator) -> Result:
    along, claimed, norm = problem.direction(rng)
    zero, one = np.zeros(()), np.ones(())
    derivative = Derivative(along, zero, problem.size, [one])
    slope, tolerance = derivative.along(one), TOLERANCE[derivative.method]
    off = abs(claimed - slope.value)
    error = off / norm if norm else 0.0
    verdict, reason = PASS, f"{DIRECTIONS} directions"
    if norm == 0 or not np.isfinite(error):
        verdict, reason = INCONCLUSIVE, "not finite" if norm else "all 0"
    elif error > tolerance:
        claimed_text, found = apart(claimed, slope.value)
        reason = f"bars and dots sum to {claimed_text}, {derivative.method} gives {found}"
        central = central_slope(along, zero, one, derivative.base, problem.size)
        verdict = FAIL if abs(claimed - central.value) - central.doubt > tolerance * norm else INCONCLUSIVE
        if verdict == INCONCLUSIVE:
            reason += ": a kink within the step" if central.bend > central.noise else ": less than rounding"
    return Result(ALL, "dot product", verdict, error, tolerance, reason)


def taylor(what: str, f: Callable[[float], Any], slope: Any, size: float) -> Result:
    """Does |f(t) - f(0) - t slope| fall like t^2? f may be an array; `slope` is its derivative at 0, of its shape.

    `error` is 2 minus the order at which it falls between the last two steps that rounding does not blur.
    """
    check, values = "Taylor", []
    base = np.asarray(f(0.0))
    for t in TAYLOR_STEPS:
        with contextlib.suppress(ValueError, ArithmeticError, np.linalg.LinAlgError):  # outside of the domain of f
            values.append((t, np.asarray(f(t)), np.asarray(f(-t))))
    remainders = [float(np.linalg.norm(up - base - t * slope)) for t, up, _ in values]
    turns = [float(np.linalg.norm(up - 2 * base + down)) for _, up, down in values]
    if not values or not np.isfinite(base).all() or not np.isfinite(remainders).all():
        return Result(what, check, INCONCLUSIVE, np.nan, TAYLOR_TOLERANCE, "not finite")
    floor = 40 * EPS * max(size, float(np.linalg.norm(values[0][1])))
    above = [k for k in range(len(values) - 1) if remainders[k] > 100 * floor]
    if not above:
        if values[0][0] * float(np.linalg.norm(slope)) > 1e3 * floor:
            return Result(what, check, PASS, 0.0, TAYLOR_TOLERANCE, "linear: no remainder above rounding")
        return Result(what, check, INCONCLUSIVE, 0.0, TAYLOR_TOLERANCE, "the change is less than rounding")
    k = above[-1]
    (t, _, _), (next_t, _, _) = values[k], values[k + 1]
    ratio = remainders[k] / max(remainders[k + 1], floor)
    order = float(np.log(ratio) / np.log(t / next_t))
    reason = f"|remainder| {remainders[k]:.1e} at step {t:.0e}, then {remainders[k + 1]:.1e}: order {order:.2f}"
    error = max(2 - order, 0.0)
    if error <= TAYLOR_TOLERANCE:
        return Result(what, check, PASS, error, TAYLOR_TOLERANCE, f"falls like t^{min(order, 2.0):.2f}")
    if remainders[k] <= 100 * turns[k]:  # it may come from different slopes on both sides
        return Result(what, check, INCONCLUSIVE, error, TAYLOR_TOLERANCE, f"{reason}: a kink within the step")
    return Result(what, check, FAIL, error, TAYLOR_TOLERANCE, reason)


def taylor_along(problem: Problem, rng: np.random.Generator) -> Result:
    along, claimed, _ = problem.direction(rng)
    return taylor(ALL, along, claimed, problem.size)


def identity(
    check: str, pairs: Mapping[str, tuple[Array, Array]], words: tuple[str, str], *, columns: int = 0, good: str = ""
) -> list[Result]:
    """Are two computations of each array the same up to rounding? One PASS for all, or what did not pass by name.

    `words` name the first and the second of each pair.
    """
    others, worst = [], 0.0
    for name, (first, second) in pairs.items():
        if np.shape(first) != np.shape(second):
            reason = f"{words[0]} has shape {np.shape(first)}, {words[1]} {np.shape(second)}"
            others.append(Result(name, check, FAIL, np.inf, EXACT, reason))
            continue
        if not np.isfinite(first).all() and np.array_equal(np.isfinite(first), np.isfinite(second)):
            others.append(Result(name, check, INCONCLUSIVE, np.nan, EXACT, "not finite"))
            continue
        difference = np.abs(np.subtract(first, second))
        norm = max(float(np.linalg.norm(first)), float(np.linalg.norm(second)))
        error = float(np.linalg.norm(difference)) / norm if norm else 0.0
        if not error <= EXACT:
            at = np.unravel_index(int(np.argmax(difference)), difference.shape)
            where = f"at {[int(i) for i in at]}: " if at else ""
            one, other = apart(np.asarray(first)[at], np.asarray(second)[at])
            reason = f"{where}{words[0]} {one}, {words[1]} {other}"
            guessed = guess(first, second, first, np.asarray, columns, Suspects())
            others.append(Result(name, check, FAIL, error, EXACT, reason, guessed))
        worst = max(worst, error)
    return others or [Result(ALL, check, PASS, worst, EXACT, good)]
