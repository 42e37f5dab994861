"""Check all arrays at once: the dot-product identity, Taylor remainders, and two computations of the same arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlp.checking.bar import DIRECTIONS, Problem, less_than
from mlp.checking.guesses import Suspects, guess
from mlp.checking.numerical import EPS, OUTSIDE, TOLERANCE, Derivative
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, apart

ALL = "all together"
SEVERITY = (PASS, INCONCLUSIVE, FAIL)
TAYLOR_STEPS = tuple(10.0**-k for k in range(1, 9))
TAYLOR_TOLERANCE = 0.3  # how far from 2 the order may be
EXACT = 1e-9  # for identities that hold up to rounding


def random_line(problem: Problem, rng: np.random.Generator) -> tuple[Callable[[Any], Any], float, float]:
    """For random dots: t -> cost(arrays + t dots), the sum of <bar, dot>, and the norm of what is summed."""
    dots = {name: problem.direction(name, rng) for name in problem.arrays}
    products = np.concatenate([np.ravel(problem.bars[name] * dot) for name, dot in dots.items()])

    def along(t: Any) -> Any:
        return problem.cost({name: x + t * dots[name] for name, x in problem.arrays.items()})

    return along, float(products.sum()), float(np.linalg.norm(products))


def dot_product(problem: Problem, rng: np.random.Generator) -> Result:
    """Compare forward and reverse: c_dot = sum of <bar, dot> over all arrays, for random dots (Giles 2008).

    c_dot comes from one numerical derivative along the dots, which is forward mode by other means (note, footnote 2).
    """
    results = [along_one_direction(problem, rng) for _ in range(DIRECTIONS)]
    result = max(results, key=lambda result: (SEVERITY.index(result.verdict), result.error))
    if result.verdict == FAIL and (precise := problem.more_precise()) is not None:
        return less_than(dot_product(precise, rng), result)
    return result


def along_one_direction(problem: Problem, rng: np.random.Generator) -> Result:
    along, claimed, norm = random_line(problem, rng)
    one = np.ones(())
    derivative = Derivative(along, np.zeros(()), problem.size, [one])
    slope, tolerance = derivative.along(one), TOLERANCE[derivative.method]
    off = abs(claimed - slope.value)
    error = off / norm if norm else 0.0
    verdict, reason = PASS, f"{DIRECTIONS} directions"
    if norm == 0 or not np.isfinite(error):
        verdict, reason = INCONCLUSIVE, "not finite" if norm else "all 0"
    elif error > tolerance:
        claimed_text, found = apart(claimed, slope.value)
        reason = f"bars and dots sum to {claimed_text}, {derivative.method} gives {found}"
        central = derivative.central(one)
        verdict = FAIL if abs(claimed - central.value) - central.doubt > tolerance * norm else INCONCLUSIVE
        if verdict == INCONCLUSIVE:
            reason += ": a kink within the step" if central.bend > central.noise else ": less than rounding"
    return Result(ALL, "dot product", verdict, error, tolerance, reason)


def taylor_along(problem: Problem, rng: np.random.Generator) -> Result:
    along, claimed, _ = random_line(problem, rng)
    return taylor(ALL, along, claimed, problem.size)


def taylor(what: str, f: Callable[[float], Any], slope: Any, size: float) -> Result:
    """Check that |f(t) - f(0) - t slope| falls like t^2.

    f may be an array; `slope` is its derivative at 0, of its shape. `error` is 2 minus the order at which it falls
    between the last two steps that rounding does not blur.
    """

    def say(verdict: str, error: float, reason: str) -> Result:
        return Result(what, "Taylor", verdict, error, TAYLOR_TOLERANCE, reason)

    values = []
    base = np.asarray(f(0.0))
    for t in TAYLOR_STEPS:
        with contextlib.suppress(*OUTSIDE):
            values.append((t, np.asarray(f(t)), np.asarray(f(-t))))
    remainders = [float(np.linalg.norm(up - base - t * slope)) for t, up, _ in values]
    if not values or not np.isfinite(base).all() or not np.isfinite(remainders).all():
        return say(INCONCLUSIVE, np.nan, "not finite")
    floor = 40 * EPS * max(size, float(np.linalg.norm(values[0][1])))
    above = [k for k in range(len(values) - 1) if remainders[k] > 100 * floor]
    if not above:
        if values[0][0] * float(np.linalg.norm(slope)) > 1e3 * floor:
            return say(PASS, 0.0, "linear: no remainder above rounding")
        return say(INCONCLUSIVE, 0.0, "the change is less than rounding")
    k = above[-1]
    (t, up, down), next_t = values[k], values[k + 1][0]
    order = float(np.log(remainders[k] / max(remainders[k + 1], floor)) / np.log(t / next_t))
    error = max(2 - order, 0.0)
    if error <= TAYLOR_TOLERANCE:
        return say(PASS, error, f"falls like t^{min(order, 2.0):.2f}")
    reason = f"|remainder| {remainders[k]:.1e} at step {t:.0e}, then {remainders[k + 1]:.1e}: order {order:.2f}"
    if remainders[k] <= 100 * float(np.linalg.norm(up - 2 * base + down)):  # different slopes on both sides, perhaps
        return say(INCONCLUSIVE, error, f"{reason}: a kink within the step")
    return say(FAIL, error, reason)


def identity(
    check: str, pairs: Mapping[str, tuple[Any, Any]], words: tuple[str, str], *, columns: int = 0, good: str = ""
) -> list[Result]:
    """Compare two computations of each array, which are the same up to rounding.

    The result is one PASS for all, or what did not pass by name. `words` name the first and the second of each pair.
    """
    others, worst = [], 0.0
    for name, pair in pairs.items():
        first, second = map(np.asarray, pair)
        if first.shape != second.shape:
            reason = f"{words[0]} has shape {first.shape}, {words[1]} {second.shape}"
            others.append(Result(name, check, FAIL, np.inf, EXACT, reason))
            continue
        if not np.isfinite(first).all() and np.array_equal(np.isfinite(first), np.isfinite(second)):
            others.append(Result(name, check, INCONCLUSIVE, np.nan, EXACT, "not finite"))
            continue
        difference = np.abs(first - second)
        norm = max(float(np.linalg.norm(first)), float(np.linalg.norm(second)))
        error = float(np.linalg.norm(difference)) / norm if norm else 0.0
        if not error <= EXACT:
            at = np.unravel_index(int(np.argmax(difference)), difference.shape)
            where = f"at {[int(i) for i in at]}: " if at else ""
            one, other = apart(first[at], second[at])
            cause = guess(first, second, first, np.asarray, columns, Suspects())
            reason = f"{where}{words[0]} {one}, {words[1]} {other}"
            others.append(Result(name, check, FAIL, error, EXACT, reason, cause))
        worst = max(worst, error)
    return others or [Result(ALL, check, PASS, worst, EXACT, good)]
