"""Compare a bar with numerical derivatives: every element of a small array, a sample and directions of a large one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp.checking.guesses import Suspects, guess
from mlp.checking.numerical import CENTRAL, EPS, TOLERANCE, Derivative, Function, Slope, step_sizes
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, apart
from mlp.types import Array

ELEMENTS = 128  # an array with more of them is sampled
DIRECTIONS = 3  # random ones, in the space of a whole array that is sampled, or of all arrays together
BLURRED = 1e-2  # a pass needs numerical derivatives that are surer than this, relative to the norm
ROUNDING = 1e-2  # what is left of an error in long double, if it was rounding
NOTHING = "all 0, nothing to compare: dead or saturated units, zero weights above, or a value that has no part?"

Index = tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """A scalar cost of several arrays, and the bars that claim to be its derivatives.

    - `cost(arrays)` is the cost with some of the arrays replaced, and `size` the magnitude that it is rounded at;
    - `scale` is what steps are relative to in arrays that are all 0 (0: unknown);
    - `project` maps any change of an array to one that the cost allows, such as a symmetric one;
    - `suspects` are wrong bars that would be explained, and `columns` is the number B of examples (0: none);
    - `precise()` computes the bars again in long double, to tell a mistake from rounding;
    - `elements` is how many of an array are compared one by one, or about so many;
    - `maker` says in messages where the bars are from.
    """

    cost: Function
    arrays: Mapping[str, Array]
    bars: Mapping[str, Any]
    size: float
    scale: float = 0.0
    project: Mapping[str, Function] = field(default_factory=dict)
    suspects: Mapping[str, Suspects] = field(default_factory=dict)
    columns: int = 0
    precise: Callable[[], Mapping[str, Any]] | None = None
    elements: int = ELEMENTS
    maker: str = "backward"

    def steps(self, name: str) -> Array:
        return step_sizes(self.arrays[name], self.scale)

    def allowed(self, name: str, change: Array) -> Array:
        return np.asarray(self.project.get(name, np.asarray)(change))

    def direction(self, name: str, rng: np.random.Generator) -> Array:
        """A random change of an array, as large as the array."""
        return self.allowed(name, rng.normal(size=self.arrays[name].shape) * self.steps(name))

    def more_precise(self) -> Problem | None:
        """The same with the bars in long double, or None: nobody promised that everything works in long double."""
        if self.precise is not None:
            with contextlib.suppress(Exception):
                return replace(self, bars=self.precise(), precise=None)
        return None


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
    comparison = compare(problem, name, derivative, rng)
    if comparison.result().verdict == FAIL and not comparison.confirmed():
        derivative.method = CENTRAL
        comparison = compare(problem, name, derivative, rng)
    result = comparison.result()
    if result.verdict == FAIL and (precise := problem.more_precise()) is not None:
        return less_than(check_bar(precise, name, rng), result)
    return result


def check_bars(problem: Problem, rng: np.random.Generator) -> list[Result]:
    return [check_bar(problem, name, rng) for name in problem.arrays]


def less_than(precise: Result, result: Result) -> Result:
    """Excuse a failure that nearly vanishes in long double: the 1 - h^2 of a saturated tanh has few digits left."""
    if np.isfinite(result.error) and precise.error <= ROUNDING * result.error:
        reason = f"{result.reason}: much less in long double, saturated?"
        return replace(result, verdict=INCONCLUSIVE, reason=reason, guess="")
    return result


def wrong_shape(problem: Problem, name: str, bar: Array, rng: np.random.Generator) -> Result:
    """Tell of a wrong shape, and guess the mistake from what makes a bar of the right shape out of it that passes."""
    shape = problem.arrays[name].shape
    repairs = {}
    if bar.ndim == 2:
        repairs["a transpose: the bar is the transpose of what it should be"] = bar.T
        repairs["the sum over the minibatch is missing"] = bar.sum(axis=1, keepdims=True)
    if bar.size == problem.arrays[name].size:
        repairs["the right numbers in a wrong shape"] = bar.reshape(shape)
    passing = (
        cause
        for cause, repaired in repairs.items()
        if repaired.shape == shape and check_bar(replace(problem, bars={name: repaired}), name, rng).verdict == PASS
    )
    reason = f"the bar has shape {bar.shape}, {name} has shape {shape}"
    return Result(name, "shape", FAIL, np.inf, 0.0, reason, next(passing, ""))


def compare(problem: Problem, name: str, derivative: Derivative, rng: np.random.Generator) -> Comparison:
    comparison = Comparison(problem, name, derivative)
    bar = comparison.bar
    for index in choose(bar, problem.elements, rng):
        comparison.add(index)
    if len(comparison.indices) < bar.size and np.isfinite(bar).all():
        for _ in range(DIRECTIONS):
            comparison.add_direction(problem.direction(name, rng))
        if max(comparison.directions) > TOLERANCE[derivative.method]:
            comparison.add(comparison.locate(problem.direction(name, rng)))
    return comparison


def choose(bar: Array, elements: int, rng: np.random.Generator) -> list[Index]:
    """Choose all places of a small array; of a large one about so many that hit different rows and columns.

    The largest element (or one that is not a number) is always among them.
    """
    if bar.size <= elements:
        return list(np.ndindex(bar.shape))
    axes = [np.concatenate([rng.permutation(n) for _ in range(-(-elements // n))])[:elements] for n in bar.shape]
    places = {tuple(place) for place in np.stack(axes, axis=1).tolist()}
    largest = np.unravel_index(int(np.argmax(np.abs(bar))), bar.shape)
    return sorted({*places, tuple(int(i) for i in largest)})


class Comparison:
    """Elements and directions of a bar, as far as they were compared, and the verdict on them.

    `derivative` is a `Derivative`, or anything with its `method` and `along`.
    """

    def __init__(self, problem: Problem, name: str, derivative: Any) -> None:
        self.problem, self.name, self.derivative = problem, name, derivative
        self.bar, self.steps = np.asarray(problem.bars[name]), problem.steps(name)
        self.indices: list[Index] = []
        self.found: list[float] = []
        self.slopes: list[Slope] = []
        self.directions: list[float] = []  # the error in each

    def add(self, index: Index) -> None:
        """Compare one element."""
        if index in self.indices:
            return
        unit, step = self.unit(index), self.steps[index]
        slope = self.derivative.along(step * unit)
        noise = slope.noise + EPS * self.problem.size  # the bar is computed from rounded values itself
        self.indices.append(index)
        self.found.append(float(np.sum(self.bar[unit != 0] * unit[unit != 0])))
        self.slopes.append(Slope(slope.value / step, slope.bend / step, noise / step))

    def unit(self, index: Index) -> Array:
        unit = np.zeros(self.bar.shape)
        unit[index] = 1.0
        return self.problem.allowed(self.name, unit)

    def add_direction(self, v: Array) -> None:
        """Compare <bar, v> with the derivative along v, which a mistake in any element changes."""
        self.directions.append(self.off(v) / (float(np.linalg.norm(self.bar * v)) or 1.0))

    def off(self, v: Array) -> float:
        """The amount by which <bar, v> surely differs from the derivative along v."""
        slope = self.derivative.along(v)
        return max(abs(float(np.sum(self.bar * v)) - slope.value) - slope.doubt, 0.0)

    def locate(self, v: Array) -> Index:
        """Find an element that is wrong, by halving: of the two halves of a direction the worse one holds it."""
        places = np.arange(v.size)
        while len(places) > 1:
            halves = np.array_split(places, 2)
            parts = [np.where(np.isin(np.arange(v.size), half).reshape(v.shape), v, 0.0) for half in halves]
            places = halves[int(np.argmax([self.off(self.problem.allowed(self.name, part)) for part in parts]))]
        return tuple(int(i) for i in np.unravel_index(int(places[0]), v.shape))

    def sure(self) -> Array:
        """The amount by which each element surely is wrong."""
        return np.array([max(abs(a - s.value) - s.doubt, 0.0) for a, s in zip(self.found, self.slopes, strict=True)])

    def confirmed(self) -> bool:
        """Ask central differences about the worst element: at a kink the complex step picks a side."""
        if self.derivative.method == CENTRAL or not np.isfinite(self.found).all():
            return True
        index = self.indices[int(np.argmax(self.sure()))]
        return bool(self.derivative.trusts_complex([self.steps[index] * self.unit(index)]))

    def result(self) -> Result:
        tolerance = TOLERANCE[self.derivative.method]
        found, wanted = np.array(self.found), np.array([slope.value for slope in self.slopes])
        doubt = np.array([slope.doubt for slope in self.slopes])
        if not np.isfinite(found).all():
            k = int(np.flatnonzero(~np.isfinite(found))[0])
            exists = doubt[k] <= BLURRED * abs(wanted[k])
            return self.say(FAIL if exists else INCONCLUSIVE, np.inf, f"{self.both(k)}, not finite")
        known = np.isfinite(wanted)
        difference = np.where(known, np.abs(found - np.where(known, wanted, 0.0)), np.inf)
        share = float(np.sqrt(found.size / max(self.bar.size, 1)))
        norm = max(float(np.linalg.norm(wanted[known])), share * float(np.linalg.norm(self.bar)))
        if norm == 0:
            return self.say(INCONCLUSIVE, 0.0, NOTHING)
        worst_direction = max(self.directions, default=0.0)
        error = max(float(np.linalg.norm(difference[known])) / norm, worst_direction)
        sure = self.sure()
        if float(np.linalg.norm(sure)) > tolerance * norm or worst_direction > tolerance:
            k = int(np.argmax(sure if sure.any() else difference))
            return self.say(FAIL, error, self.both(k), self.cause(found, wanted, doubt <= BLURRED * norm))
        if error > tolerance or not float(np.linalg.norm(doubt)) <= BLURRED * norm:
            return self.say(INCONCLUSIVE, error, self.excuse(int(np.argmax(np.maximum(doubt, difference)))))
        part = "all" if found.size == self.bar.size else f"{found.size} of"
        directions = f", {len(self.directions)} directions" if self.directions else ""
        return self.say(PASS, error, f"{part} {self.bar.size} elements{directions}")

    def say(self, verdict: str, error: float, reason: str, cause: str = "") -> Result:
        method = self.derivative.method
        return Result(self.name, method, verdict, error, TOLERANCE[method], reason, cause)

    def cause(self, found: Array, wanted: Array, clear: Array) -> str:
        """A guess from the elements whose derivatives are clear."""

        def take(array: Array) -> Array:
            return np.array([array[index] for index in self.indices])[clear]

        suspects = self.problem.suspects.get(self.name, Suspects())
        return guess(found[clear], wanted[clear], self.bar, take, self.problem.columns, suspects)

    def both(self, k: int) -> str:
        at = f"at {list(self.indices[k])}: " if self.indices[k] else ""
        found, wanted = apart(self.found[k], self.slopes[k].value)
        return f"{at}{self.problem.maker} gives {found}, {self.derivative.method} {wanted}"

    def excuse(self, k: int) -> str:
        slope = self.slopes[k]
        if not np.isfinite(slope.value):
            return f"{self.both(k)}: the function cannot be evaluated around it"
        cause = "a kink within the step" if slope.bend > slope.noise else "less than rounding, saturated?"
        return f"{self.both(k)}: {cause}"
