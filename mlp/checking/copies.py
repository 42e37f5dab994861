"""Copy layers and networks in float64: what is checked stays bitwise as it was, and parameters can be replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlp.checking.results import calling
from mlp.types import Array


class Private:
    """A deep copy of a network, or of a layer that stands `alone`, with float64 parameters.

    `names[number]` gives the parameters of a layer (counted from 0) their names in the network. A layer that stands
    twice has those of its first place. `weights` are the names of what a penalty acts on.

    Parameters are replaced wherever the copy refers to them, however deep, which is what `copy.deepcopy` does with the
    objects that its memo names. No method of the copy itself is ever called, so each `fresh` one has seen no data.
    """

    def __init__(self, thing: Any, *, alone: bool = False) -> None:
        self.alone = alone
        first: dict[int, int | str] = {}
        self.names = [
            {name: f"{name}{first.setdefault(id(layer), '' if alone else number)}" for name in layer.parameters}
            for number, layer in enumerate(self.layers(thing), 1)
        ]
        self.weights = {
            names[name] for layer, names in zip(self.layers(thing), self.names, strict=True) for name in layer.penalized
        }
        if not alone:
            thing = copy.deepcopy(thing)  # of an array that two layers had in common each has its own now
        old = self.read(thing)
        memo: dict[int, Any] = {id(array): np.array(array, dtype=np.float64) for array in old.values()}
        self.unused = copy.deepcopy(thing, memo)
        self.parameters = self.read(self.unused)
        self.variants: dict[Any, Any] = {}

    def layers(self, own: Any) -> list[Any]:
        return [own] if self.alone else list(own.layers)

    def read(self, own: Any) -> dict[str, Array]:
        """The parameters of a copy, as its layers hold them."""
        return {
            full: getattr(layer, name)
            for layer, names in zip(self.layers(own), self.names, strict=True)
            for name, full in names.items()
        }

    def fresh(self, replaced: Mapping[str, Array] | None = None) -> Any:
        """Another copy, with the same arrays for parameters, or with copies of other ones for some."""
        memo: dict[int, Any] = {id(array): array for array in self.parameters.values()}
        memo |= {id(self.parameters[name]): np.array(x) for name, x in (replaced or {}).items()}
        return copy.deepcopy(self.unused, memo)

    def variant(self, values: Mapping[str, Array]) -> Any:
        """A copy with these values, real or complex, in the place of its parameters of these names."""
        values = {name: x for name, x in values.items() if name in self.parameters}
        key = tuple((name, np.iscomplexobj(x)) for name, x in values.items())
        if key not in self.variants:
            self.variants[key] = self.fresh(values)
        arrays = self.read(self.variants[key])
        for name, x in values.items():
            arrays[name][...] = x
        return self.variants[key]


def layer_bars(layer: Any, values: Any, H_bar: Array) -> dict[str, Array]:
    """Copies of the bars of a layer's parameters and of H_in."""
    with calling("backward"):
        bars = layer.backward(values, H_bar, input_bar=True)
        return {name: float64(getattr(bars, f"{name}_bar")) for name in (*layer.parameters, "H_in")}


def off_zero(network: Any, rng: np.random.Generator) -> None:
    """Set parameters that are all 0 to something else: weight decay on them would not show."""
    for parameter in network.parameters().values():
        if not parameter.any():
            parameter += 0.1 * rng.normal(size=parameter.shape)


def long_double(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.astype(np.longdouble) for name, array in arrays.items()}


def float64(values: Any) -> Array:
    """A copy in float64."""
    return np.array(values, dtype=np.float64)


def two_columns(*arrays: Any) -> tuple[Array, ...]:
    """Copies in float64, a single column twice: with B = 1 a forgotten sum over the minibatch would not show."""
    copies = map(float64, arrays)
    return tuple(np.repeat(array, 2, axis=1) if array.shape[1] == 1 else array for array in copies)


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
