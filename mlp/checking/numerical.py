"""Compute derivatives from values of a function: by the complex step where it can be trusted, else by differences.

The complex step, Im f(x + i h v) / h, is exact to rounding for analytic functions, however small the derivative is. But
some functions of NumPy take complex numbers and lose or bend the derivative without a word (`abs`, `sign`, `maximum`,
`linalg.norm`, `.conj()`). So it is believed only where central differences say the same in random directions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from mlp.types import Array

COMPLEX, CENTRAL = "complex step", "central differences"
TOLERANCE = {COMPLEX: 1e-9, CENTRAL: 1e-6}
"""The largest relative error of a bar that passes: far above what rounding leaves, far below any mistake."""

AGREEMENT = 1e-8  # of a complex step with central differences, relative

EPS = float(np.finfo(np.float64).eps)
COMPLEX_STEP = 1e-20
STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)  # of central differences, relative to the values
OUTSIDE = (ValueError, ArithmeticError, np.linalg.LinAlgError)  # what a function raises outside of its domain

Function = Callable[[Any], Any]


class Slope(NamedTuple):
    """A derivative along a direction; `bend` and `noise` say how far kinks and curvature, and rounding, can move it.

    `step` is the step that was taken, in units of the direction.
    """

    value: float
    bend: float = 0.0
    noise: float = 0.0
    step: float = 0.0

    @property
    def doubt(self) -> float:
        """The most that the value may be off. Where several kinks meet, their bends may nearly cancel."""
        return 1000 * self.bend + 3 * self.noise if np.isfinite(self.value) else np.inf


UNKNOWN = Slope(np.nan, np.inf, np.inf)


def step_sizes(x: Array) -> Array:
    """The change that counts as a step of 1: the size of an element, of a small one the root mean square of all.

    Where all of x is 0 it is 1.
    """
    size = float(np.sqrt(np.mean(np.square(x)))) if x.size else 0.0
    return np.maximum(np.abs(x), size if 0 < size < np.inf else 1.0)


class Derivative:
    """The derivative of a scalar f at x along any direction.

    `size` is the magnitude that f is rounded at: |f|, or the sum of the absolute values of the terms that cancel in it.
    In the directions, a complex step has to agree with central differences.
    """

    def __init__(self, f: Function, x: Array, size: float, directions: Iterable[Array]) -> None:
        self.f, self.x, self.size = f, x, size
        self.base = float(f(x))
        self.method = COMPLEX if self.trusts_complex(directions) else CENTRAL

    def along(self, v: Array) -> Slope:
        return self.exact(v) if self.method == COMPLEX else self.central(v)

    def trusts_complex(self, directions: Iterable[Array]) -> bool:
        """Tell whether central differences say the same, as far as they can see."""
        for v in directions:
            exact = self.exact(v).value
            if not np.isfinite(exact):
                return False
            central = self.central(v)
            limit = AGREEMENT * max(abs(exact), abs(central.value)) + 1e-2 * central.bend + 10 * central.noise
            lost = exact == 0 and central.value != 0
            if lost or not abs(exact - central.value) <= limit:
                return False
        return True

    def exact(self, v: Array) -> Slope:
        """Im f(x + i h v) / h, unknown where f does not take complex numbers or is another function for them."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                value = self.f(self.x + 1j * COMPLEX_STEP * v)
        except Exception:  # no complex version of a function, a cast, a refusal of its own: all mean the same here
            return UNKNOWN
        if not np.iscomplexobj(value) or not np.isfinite(value) or abs(value.real - self.base) > 1e-10 * self.size:
            return UNKNOWN
        return Slope(float(value.imag) / COMPLEX_STEP, step=COMPLEX_STEP)

    def central(self, v: Array) -> Slope:
        """The slope at t = 0 of f(x + t v), from the step t of STEPS that blurs the least.

        (f(t) - f(-t)) / 2t at t and t/2, extrapolated to t = 0 (Richardson), is off by t^4. Right minus left slope is
        t f'' where f is smooth, so that at t it is twice what it is at t/2; at a kink it is not, and `bend` shows it.
        So does a slope that a larger step contradicts, as where f is computed in float32 somewhere and stands still for
        small steps.
        """
        tried = []
        for t in STEPS:
            try:
                up, down, half_up, half_down = (float(self.f(self.x + s * v)) for s in (t, -t, t / 2, -t / 2))
            except OUTSIDE:
                continue
            wide, near = (up - down) / (2 * t), (half_up - half_down) / t
            turn = (up - 2 * self.base + down) / t - 2 * (half_up - 2 * self.base + half_down) / (t / 2)
            slope = Slope((4 * near - wide) / 3, max(abs(wide - near), abs(turn)), 4 * EPS * self.size / t, t)
            if np.isfinite(slope.bend):
                tried.append(slope)
                if slope.bend + slope.noise <= 1e-2 * TOLERANCE[CENTRAL] * abs(slope.value):
                    break
        if not tried:
            return UNKNOWN
        best = min(tried, key=lambda slope: slope.bend + slope.noise)
        contradiction = max(abs(slope.value - best.value) - 10 * (slope.bend + slope.noise) for slope in tried)
        return best._replace(bend=max(best.bend, contradiction))
