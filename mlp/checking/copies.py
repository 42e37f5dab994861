"""Private copies in float64: what is checked stays bitwise as it was, and any parameter can be another array."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mlp.types import Array

Reader = Callable[[Any], dict[str, Array]]


def layer_parameters(layer: Any) -> dict[str, Array]:
    return {name: getattr(layer, name) for name in layer.parameters}


def network_parameters(network: Any) -> dict[str, Array]:
    return network.parameters()


class Private:
    """A deep copy of a layer or a network whose parameters are float64; `read` gives them by name.

    Parameters are replaced wherever the copy refers to them, however deep, which is what `copy.deepcopy` does with the
    objects that its memo names. An array that two layers share is still one array. No method of the copy itself is ever
    called, so that each `fresh` one has seen no data.
    """

    def __init__(self, thing: Any, read: Reader) -> None:
        self.read = read
        old = read(thing)
        memo: dict[int, Any] = {id(array): np.array(array, dtype=np.float64) for array in old.values()}
        self.unused = copy.deepcopy(thing, memo)
        self.parameters = read(self.unused)
        self.variants: dict[Any, Any] = {}

    def fresh(self, replaced: Mapping[str, Array] | None = None) -> Any:
        """Another copy, with the same arrays for parameters, or with copies of other ones for some."""
        memo: dict[int, Any] = {id(array): array for array in self.parameters.values()}
        memo |= {id(self.parameters[name]): np.array(x) for name, x in (replaced or {}).items()}
        return copy.deepcopy(self.unused, memo)

    def variant(self, values: Mapping[str, Array]) -> Any:
        """A copy with these values, real or complex, in the place of its parameters of these names."""
        key = tuple((name, np.iscomplexobj(x)) for name, x in values.items())
        if key not in self.variants:
            self.variants[key] = self.fresh(values)
        variant = self.variants[key]
        arrays = self.read(variant)
        for name, x in values.items():
            arrays[name][...] = x
        return variant


def long_double(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.astype(np.longdouble) for name, array in arrays.items()}


def float64(values: Any) -> Array:
    return np.array(values, dtype=np.float64)


def two_columns(*arrays: Array) -> tuple[Array, ...]:
    """The arrays, or a single column twice: with B = 1 a forgotten sum over the minibatch would not show."""
    return tuple(np.repeat(array, 2, axis=1) if array.shape[1] == 1 else array for array in arrays)


def other_columns(X: Array) -> Array:
    """An input of the same kind that differs from X, for a forward pass in between."""
    turned = X[:, ::-1]
    return turned.copy() if not np.array_equal(turned, X) else 0.5 * X


def arrays_in(*things: Any) -> Iterator[Array]:
    """Every array in nested tuples, lists, dicts and objects with attributes."""
    waiting, seen = list(things), set()
    while waiting:
        thing = waiting.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            yield thing
        elif isinstance(thing, Mapping):
            waiting.extend(thing.values())
        elif isinstance(thing, (list, tuple)):
            waiting.extend(thing)
        elif hasattr(thing, "__dict__") and not isinstance(thing, type):
            waiting.extend(vars(thing).values())


def fingerprint(*things: Any) -> list[tuple[Any, ...]]:
    """The bits of all arrays in the things, to see whether a call changed any."""
    return [(array.shape, array.dtype.str, array.tobytes()) for array in arrays_in(*things)]
