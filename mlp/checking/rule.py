"""An operation at one place, by the names of its arrays, and the numerical derivative of all elements of its value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from mlp.autodiff.operation import Operation
from mlp.checking.copies import float64, long_double
from mlp.checking.numerical import COMPLEX, COMPLEX_STEP, Slope, central_slope, step_sizes
from mlp.checking.results import calling
from mlp.types import Array

Project = Mapping[int, Callable[[Array], Array]]


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
        self.C = operation.value(*self.arguments(self.arrays), **self.options)
        if any(map(np.iscomplexobj, parts(self.C))):
            raise ValueError(f"{operation.name}: C is complex at real inputs; check its real and its imaginary part")

    def arguments(self, arrays: Mapping[str, Array]) -> tuple[Any, ...]:
        return tuple(
            arrays[names] if isinstance(names, str) else tuple(arrays[name] for name in names) for names in self.members
        )

    def scalar(self, C_bar: list[Array], name: str) -> Callable[[Array], Any]:
        """<C_bar, C> as a function of one array."""

        def value(x: Array) -> Any:
            C = self.operation.value(*self.arguments({**self.arrays, name: x}), **self.options)
            return weigh(C_bar, C)

        return value

    def along(self, dots: Mapping[str, Array]) -> Callable[[Any], Any]:
        """t -> C at the inputs plus t times their dots."""
        return lambda t: self.operation.value(
            *self.arguments({name: x + t * dots[name] for name, x in self.arrays.items()}), **self.options
        )

    def random_dots(self, rng: np.random.Generator) -> dict[str, Array]:
        return {name: self.project[name](rng.normal(size=x.shape) * step_sizes(x)) for name, x in self.arrays.items()}

    def random_C_bar(self, rng: np.random.Generator) -> list[Array]:
        return [rng.normal(size=part.shape) for part in parts(self.C)]

    def size(self, C_bar: list[Array]) -> float:
        """The terms of <C_bar, C> without their signs."""
        return float(sum(np.sum(np.abs(c_bar * c)) for c_bar, c in zip(C_bar, parts(self.C), strict=True)))

    def forward(self, dots: Mapping[str, Array]) -> Any:
        """C_dot."""
        with calling("forward"):
            return self.operation.forward(self.arguments(dots), self.C, *self.arguments(self.arrays), **self.options)

    def reverse(self, C_bar: list[Array]) -> dict[str, Array]:
        """The bars of all arrays."""
        return self.reverse_at(C_bar, self.arrays, self.C)

    def precise(self, C_bar: list[Array]) -> dict[str, Array]:
        """The same in long double."""
        arrays = long_double(self.arrays)
        return self.reverse_at(C_bar, arrays, self.operation.value(*self.arguments(arrays), **self.options))

    def reverse_at(self, C_bar: list[Array], arrays: Mapping[str, Array], C: Any) -> dict[str, Array]:
        shaped = tuple(C_bar) if isinstance(C, tuple) else C_bar[0]
        named: dict[str, Any] = {}
        with calling("reverse"):
            bars = self.operation.reverse(shaped, C, *self.arguments(arrays), **self.options)
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


def weigh(C_bar: list[Array], C: Any) -> Any:
    """<C_bar, C>."""
    return sum(np.sum(c_bar * c) for c_bar, c in zip(C_bar, parts(C), strict=True))


class Change:
    """The numerical derivative of all elements of f(t) at t = 0, as `Comparison` asks for it."""

    def __init__(self, f: Callable[[Any], Array], method: str, size: float) -> None:
        self.method = method
        if method == COMPLEX:
            self.slopes = [Slope(float(c.imag) / COMPLEX_STEP) for c in f(1j * COMPLEX_STEP)]
        else:
            all_at = cache(lambda t: f(t))  # every element asks for the same steps

            def element(k: int, t: Any) -> Any:
                return all_at(float(t))[k]

            zero, one = np.zeros(()), np.ones(())
            self.slopes = [
                central_slope(partial(element, k), zero, one, float(c), size) for k, c in enumerate(all_at(0.0))
            ]

    def along(self, v: Array) -> Slope:
        picked = [(float(v[k]), self.slopes[k]) for k in np.flatnonzero(v)]
        return Slope(
            sum(weight * slope.value for weight, slope in picked),
            sum(abs(weight) * slope.bend for weight, slope in picked),
            sum(abs(weight) * slope.noise for weight, slope in picked),
        )
