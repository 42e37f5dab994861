"""Is a bar the derivative? Of a small array every element is compared; of a large one a sample, and directions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mlp.checking.comparison import Comparison, Index, Quantity
from mlp.checking.numerical import CENTRAL, TOLERANCE, Derivative
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result
from mlp.types import Array

ROUNDING = 1e-2  # what is left of an error in long double, if it was rounding
DIRECTIONS = 3  # random ones, in the space of a whole array that is sampled, or of all arrays together


def check_bar(quantity: Quantity, rng: np.random.Generator) -> Result:
    """Is the bar the derivative of f at x?

    The error is |bar - numerical| / |numerical| in Frobenius norms over what was compared, so a small bar has to be as
    exact as a large one.
    """
    x, bar = quantity.x, np.asarray(quantity.bar)
    if bar.shape != x.shape:
        return wrong_shape(quantity, bar, rng)
    derivative = Derivative(quantity.f, x, quantity.size, [quantity.direction(rng) for _ in range(2)])
    if not np.isfinite(derivative.base):
        reason = "the value itself is not finite"
        return Result(quantity.name, derivative.method, INCONCLUSIVE, np.nan, TOLERANCE[derivative.method], reason)
    comparison = compare(quantity, bar, derivative, rng)
    if comparison.result().verdict == FAIL and not comparison.confirmed():
        derivative.method = CENTRAL
        comparison = compare(quantity, bar, derivative, rng)
    result = comparison.result()
    if result.verdict == FAIL and (bars := if_it_works(quantity.precise)) is not None:
        again = check_bar(replace(quantity, bar=bars[quantity.name], precise=None), rng)
        return less_than(again, result)
    return result


def if_it_works(precise: Callable[[], Any] | None) -> Any:
    """The bars in long double, or None: nobody promised that everything works in long double."""
    if precise is not None:
        with contextlib.suppress(Exception):
            return precise()
    return None


def less_than(precise: Result, result: Result) -> Result:
    """A failure, unless it nearly vanishes in long double: the 1 - h^2 of a saturated tanh has few digits left."""
    if np.isfinite(result.error) and precise.error <= ROUNDING * result.error:
        reason = f"{result.reason}: much less in long double, saturated?"
        return replace(result, verdict=INCONCLUSIVE, reason=reason, guess="")
    return result


def compare(quantity: Quantity, bar: Array, derivative: Derivative, rng: np.random.Generator) -> Comparison:
    comparison = Comparison(quantity, bar, derivative)
    for index in choose(bar, quantity.elements, rng):
        comparison.add(index)
    if len(comparison.indices) < bar.size and np.isfinite(bar).all():
        for _ in range(DIRECTIONS):
            comparison.add_direction(quantity.direction(rng))
        if max(comparison.directions) > TOLERANCE[derivative.method]:
            comparison.add(comparison.locate(quantity.direction(rng)))
    return comparison


def choose(bar: Array, elements: int, rng: np.random.Generator) -> list[Index]:
    """All places of a small array; of a large one about so many that, in a matrix, hit different rows and columns.

    The largest element (or one that is not a number) is always among them.
    """
    if bar.size <= elements:
        return list(np.ndindex(bar.shape))
    axes = [np.concatenate([rng.permutation(n) for _ in range(-(-elements // n))])[:elements] for n in bar.shape]
    places = {tuple(place) for place in np.stack(axes, axis=1).tolist()}
    largest = np.unravel_index(int(np.argmax(np.abs(bar))), bar.shape)
    return sorted({*places, tuple(int(i) for i in largest)})


def wrong_shape(quantity: Quantity, bar: Array, rng: np.random.Generator) -> Result:
    """A failure, with a guess where a bar of the right shape that can be made from this one passes."""
    repairs = {}
    if bar.ndim == 2:
        repairs["a transpose: the bar is the transpose of what it should be"] = bar.T
        repairs["the sum over the minibatch is missing"] = bar.sum(axis=1, keepdims=True)
    if bar.size == quantity.x.size:
        repairs["the right numbers in a wrong shape"] = bar.reshape(quantity.x.shape)
    reason = f"the bar has shape {bar.shape}, {quantity.name} has shape {quantity.x.shape}"
    for name, repaired in repairs.items():
        if repaired.shape == quantity.x.shape and check_bar(replace(quantity, bar=repaired), rng).verdict == PASS:
            return Result(quantity.name, "shape", FAIL, np.inf, 0.0, reason, name)
    return Result(quantity.name, "shape", FAIL, np.inf, 0.0, reason)
