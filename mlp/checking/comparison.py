"""Elements and directions of a bar, side by side with numerical derivatives, and the verdict on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlp.checking.guesses import Suspects, guess
from mlp.checking.numerical import CENTRAL, EPS, TOLERANCE, Function, Slope, step_sizes
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, apart
from mlp.types import Array

ELEMENTS = 128  # an array with more of them is sampled
BLURRED = 1e-2  # a pass needs numerical derivatives that are surer than this, relative to the norm
NOTHING = "all 0, nothing to compare: dead or saturated units, zero weights above, or a value that has no part?"

Index = tuple[int, ...]


@dataclass(frozen=True)
class Quantity:
    """An array x, a scalar f of it, and the bar that claims to be df/dx.

    - `size` is the magnitude that f is rounded at;
    - `columns` is the number B of examples (0: none);
    - `maker` says in messages where the bar is from;
    - `project` maps any change of x to one that f allows, such as a symmetric one;
    - `scale` is what a step is relative to where all of x is 0 (0: unknown, then it is 1);
    - `elements` is how many are compared one by one at most, or about so many;
    - `precise()` computes bars again in long double, by name, to tell a mistake from rounding.
    """

    name: str
    f: Function
    x: Array
    bar: Any
    size: float
    columns: int = 0
    maker: str = "backward"
    suspects: Suspects = field(default_factory=Suspects)
    project: Function = np.asarray
    scale: float = 0.0
    elements: int = ELEMENTS
    precise: Callable[[], Mapping[str, Any]] | None = None

    def direction(self, rng: np.random.Generator) -> Array:
        """A random change of x, as large as x."""
        return np.asarray(self.project(rng.normal(size=self.x.shape) * step_sizes(self.x, self.scale)))


class Comparison:
    """What was compared so far; `derivative` is a `Derivative`, or anything with its `method` and `along`."""

    def __init__(self, quantity: Quantity, bar: Array, derivative: Any) -> None:
        self.quantity, self.bar, self.derivative = quantity, bar, derivative
        self.steps = step_sizes(quantity.x, quantity.scale)
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
        noise = slope.noise + EPS * self.quantity.size  # the bar is computed from rounded values itself
        self.indices.append(index)
        self.found.append(float(np.sum(self.bar[unit != 0] * unit[unit != 0])))
        self.slopes.append(Slope(slope.value / step, slope.bend / step, noise / step))

    def unit(self, index: Index) -> Array:
        unit = np.zeros(self.bar.shape)
        unit[index] = 1.0
        return np.asarray(self.quantity.project(unit))

    def add_direction(self, v: Array) -> None:
        """Compare <bar, v> with the derivative along v, which a mistake in any element changes."""
        self.directions.append(self.off(v) / (float(np.linalg.norm(self.bar * v)) or 1.0))

    def off(self, v: Array) -> float:
        """By how much <bar, v> surely differs from the derivative along v."""
        slope = self.derivative.along(v)
        return max(abs(float(np.sum(self.bar * v)) - slope.value) - slope.doubt, 0.0)

    def locate(self, v: Array) -> Index:
        """An element that is wrong, by halving: of the two halves of a direction the worse one holds it."""
        places = np.arange(v.size)
        while len(places) > 1:
            halves, errors = np.array_split(places, 2), []
            for half in halves:
                part = np.zeros(v.size)
                part[half] = v.flat[half]
                errors.append(self.off(self.quantity.project(part.reshape(v.shape))))
            places = halves[int(np.argmax(errors))]
        return tuple(int(i) for i in np.unravel_index(int(places[0]), v.shape))

    def sure(self) -> Array:
        """By how much each element surely is wrong."""
        return np.array([max(abs(a - s.value) - s.doubt, 0.0) for a, s in zip(self.found, self.slopes, strict=True)])

    def confirmed(self) -> bool:
        """Do central differences say the same at the worst element? At a kink the complex step picks a side."""
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
            clear = doubt <= BLURRED * norm
            cause = guess(
                found[clear],
                wanted[clear],
                self.bar,
                lambda array: self.take(array)[clear],
                self.quantity.columns,
                self.quantity.suspects,
            )
            return self.say(FAIL, error, self.both(k), cause)
        if error > tolerance or not float(np.linalg.norm(doubt)) <= BLURRED * norm:
            return self.say(INCONCLUSIVE, error, self.excuse(int(np.argmax(np.maximum(doubt, difference)))))
        part = "all" if found.size == self.bar.size else f"{found.size} of"
        directions = f", {len(self.directions)} directions" if self.directions else ""
        return self.say(PASS, error, f"{part} {self.bar.size} elements{directions}")

    def say(self, verdict: str, error: float, reason: str, cause: str = "") -> Result:
        method = self.derivative.method
        return Result(self.quantity.name, method, verdict, error, TOLERANCE[method], reason, cause)

    def take(self, array: Array) -> Array:
        """The compared elements of an array like the bar."""
        return np.array([array[index] for index in self.indices])

    def both(self, k: int) -> str:
        at = f"at {list(self.indices[k])}: " if self.indices[k] else ""
        maker, method = self.quantity.maker, self.derivative.method
        found, wanted = apart(self.found[k], self.slopes[k].value)
        return f"{at}{maker} gives {found}, {method} {wanted}"

    def excuse(self, k: int) -> str:
        slope = self.slopes[k]
        if not np.isfinite(slope.value):
            return f"{self.both(k)}: the function cannot be evaluated around it"
        cause = "a kink within the step" if slope.bend > slope.noise else "less than rounding, saturated?"
        return f"{self.both(k)}: {cause}"
