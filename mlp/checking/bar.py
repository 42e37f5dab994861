"""Compare a bar with numerical derivatives, or with the same bar computed in another way.

Of a small array every element is compared, of a large one a sample. The dot product has a part of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp.checking.guesses import Suspects, guess, reshaped
from mlp.checking.numerical import EPS, TOLERANCE, Derivative, Function, Slope, step_sizes
from mlp.checking.results import ALL, FAIL, INCONCLUSIVE, PASS, Result
from mlp.types import Array

ELEMENTS = 128  # an array with more of them is sampled
DIRECTIONS = 3
EXACT = 1e-9  # for identities that hold up to rounding
BLURRED = 1e-2  # a pass needs numerical derivatives that are surer than this, relative to the norm
ROUNDED = 10  # a bar is computed from rounded values itself: by so many EPS of the cost's size it may be off
NOTHING = "all 0, nothing to compare: dead or saturated units, zero weights above, or a value that has no part?"

Index = tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """A scalar cost of several arrays, and the bars that claim to be its derivatives.

    `cost(arrays)` is the cost with some of the arrays replaced, and `size` the magnitude that it is rounded at.
    `suspects` are the wrong bars of known mistakes, and `columns` is the number B of examples (0: none). Of an array
    about `elements` are compared. `maker` says in messages where the bars are from.
    """

    cost: Function
    arrays: Mapping[str, Array]
    bars: Mapping[str, Any]
    size: float
    suspects: Mapping[str, Suspects] = field(default_factory=dict)
    columns: int = 0
    elements: int = ELEMENTS
    maker: str = "backward"

    def direction(self, name: str, rng: np.random.Generator) -> Array:
        """A random change of an array, as large as the array."""
        x = self.arrays[name]
        return np.asarray(rng.normal(size=x.shape) * step_sizes(x))


def check_bar(problem: Problem, name: str, rng: np.random.Generator) -> Result:
    """Compare the bar of an array with the derivative of the cost.

    The error is |bar - numerical| / |numerical| in Frobenius norms over what was compared, so a small bar has to be as
    exact as a large one.
    """
    x, bar = problem.arrays[name], np.asarray(problem.bars[name])
    if bar.shape != x.shape:
        return wrong_shape(problem, name, bar, rng)
    directions = [problem.direction(name, rng) for _ in range(2)]
    derivative = Derivative(lambda x: problem.cost({name: x}), x, problem.size, directions)
    if not np.isfinite(derivative.base):
        reason = "the value itself is not finite"
        return Result(name, derivative.method, INCONCLUSIVE, np.nan, TOLERANCE[derivative.method], reason)
    return Comparison(problem, name, derivative, rng).result()


def wrong_shape(problem: Problem, name: str, bar: Array, rng: np.random.Generator) -> Result:
    """Tell of a wrong shape, and guess the mistake from what makes a bar of the right shape out of it that passes."""
    shape, cause = problem.arrays[name].shape, ""
    for mistake, right in reshaped(bar):
        mended = replace(problem, bars={name: right})
        if right.shape == shape and check_bar(mended, name, rng).verdict == PASS:
            cause = mistake
    return Result(name, "shape", FAIL, np.inf, 0.0, f"the bar has shape {bar.shape}, not {shape}", cause)


def dot_product(problem: Problem, rng: np.random.Generator) -> Result:
    """Compare forward and reverse: c_dot = sum of <bar, dot> over all arrays, for random dots (Giles 2008).

    c_dot comes from a numerical derivative along the dots, which is forward mode by other means (note, footnote 2). A
    mistake in any element changes the sum.
    """
    dots = [{name: problem.direction(name, rng) for name in problem.arrays} for _ in range(DIRECTIONS)]
    claims = [sum(float(np.sum(problem.bars[name] * dot)) for name, dot in draw.items()) for draw in dots]

    def cost(arrays: Mapping[str, Array]) -> Any:
        steps = list(zip(arrays[ALL], dots, strict=True))
        return problem.cost({name: x + sum(t * draw[name] for t, draw in steps) for name, x in problem.arrays.items()})

    t, bar = np.zeros(DIRECTIONS), np.array(claims)
    along = Problem(cost, {ALL: t}, {ALL: bar}, problem.size, columns=problem.columns, maker="<bars, dots>")
    result = replace(check_bar(along, ALL, rng), check="dot product")
    return replace(result, reason=f"{DIRECTIONS} directions") if result.verdict == PASS else result


def choose(bar: Array, elements: int, rng: np.random.Generator) -> list[Index]:
    """Choose all places of a small array; of a large one about `elements`, spread over rows and columns.

    The largest element (or one that is not a number) is always among them.
    """
    if bar.size <= elements:
        return list(np.ndindex(bar.shape))
    axes = [np.concatenate([rng.permutation(n) for _ in range(-(-elements // n))])[:elements] for n in bar.shape]
    places = {tuple(place) for place in np.stack(axes, axis=1).tolist()}
    largest = np.unravel_index(int(np.argmax(np.abs(bar))), bar.shape)
    return sorted({*places, tuple(int(i) for i in largest)})


class Comparison:
    """Elements of a bar beside their numerical derivatives."""

    def __init__(self, problem: Problem, name: str, derivative: Derivative, rng: np.random.Generator) -> None:
        self.problem, self.name, self.derivative = problem, name, derivative
        self.bar, self.steps = np.asarray(problem.bars[name]), step_sizes(problem.arrays[name])
        self.indices = choose(self.bar, problem.elements, rng)
        self.slopes = [self.slope(index) for index in self.indices]
        self.found = np.array([self.bar[index] for index in self.indices])
        self.wanted = np.array([slope.value for slope in self.slopes])
        self.doubt = np.array([slope.doubt for slope in self.slopes])
        self.sure = np.maximum(np.abs(self.found - self.wanted) - self.doubt, 0.0)  # by so much it is wrong

    def step(self, index: Index) -> Array:
        v = np.zeros(self.bar.shape)
        v[index] = self.steps[index]
        return v

    def slope(self, index: Index) -> Slope:
        step, (value, bend, noise, _) = self.steps[index], self.derivative.along(self.step(index))
        return Slope(value / step, bend / step, (noise + ROUNDED * EPS * self.problem.size) / step)

    def result(self) -> Result:
        found, wanted, doubt, size = self.found, self.wanted, self.doubt, self.bar.size
        tolerance = TOLERANCE[self.derivative.method]
        if not np.isfinite(found).all():
            k = int(np.flatnonzero(~np.isfinite(found))[0])
            exists = doubt[k] <= BLURRED * abs(wanted[k])
            return self.say(FAIL if exists else INCONCLUSIVE, np.inf, f"{self.both(k)}, not finite")
        known = np.isfinite(wanted)
        difference = np.where(known, np.abs(found - np.where(known, wanted, 0.0)), np.inf)
        share = float(np.sqrt(found.size / max(size, 1)))
        norm = max(float(np.linalg.norm(wanted[known])), share * float(np.linalg.norm(self.bar)))
        if norm == 0:
            return self.say(INCONCLUSIVE, 0.0, NOTHING)
        error = float(np.linalg.norm(difference[known])) / norm
        if float(np.linalg.norm(self.sure[known])) > tolerance * norm:
            clear = np.flatnonzero(doubt <= BLURRED * norm)
            chosen = tuple(np.array([self.indices[k] for k in clear], int).T)
            suspects = self.problem.suspects.get(self.name, {})
            cause = guess(found[clear], wanted[clear], self.bar, chosen, self.problem.columns, suspects)
            return self.say(FAIL, error, self.both(int(np.argmax(np.where(known, self.sure, 0.0)))), cause)
        if error > tolerance or not float(np.linalg.norm(doubt)) <= BLURRED * norm:
            return self.say(INCONCLUSIVE, error, self.excuse(int(np.argmax(np.maximum(doubt, difference)))))
        return self.say(PASS, error, f"{'all' if found.size == size else f'{found.size} of'} {size} elements")

    def say(self, verdict: str, error: float, reason: str, cause: str = "") -> Result:
        method = self.derivative.method
        return Result(self.name, method, verdict, error, TOLERANCE[method], reason, cause)

    def both(self, k: int) -> str:
        at = f"at {list(self.indices[k])}: " if self.indices[k] else ""
        return f"{at}{self.problem.maker} gives {self.found[k]:.9g}, {self.derivative.method} {self.wanted[k]:.9g}"

    def excuse(self, k: int) -> str:
        slope = self.slopes[k]
        cause = "a kink within the step" if slope.bend > slope.noise else "less than rounding, saturated?"
        if not np.isfinite(slope.value):
            cause = "the function cannot be evaluated around it"
        return f"{self.both(k)}: {cause}"


def identity(
    check: str,
    pairs: Mapping[str, tuple[Any, Any]],
    words: tuple[str, str],
    *,
    columns: int = 0,
    suspects: Mapping[str, Suspects] | None = None,
    good: str = "",
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
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(difference)), difference.shape))
            where = f"at {list(at)}: " if at else ""
            reason = f"{where}{words[0]} {first[at]:.9g}, {words[1]} {second[at]:.9g}"
            cause = guess(first, second, first, ..., columns, (suspects or {}).get(name, {}))
            others.append(Result(name, check, FAIL, error, EXACT, reason, cause))
        worst = max(worst, error)
    return others or [Result(ALL, check, PASS, worst, EXACT, good)]
