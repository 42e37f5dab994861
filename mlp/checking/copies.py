"""Copy arrays and networks in float64: what is checked stays bitwise as it was, and parameters can be replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mlp.network import Network
from mlp.stack import is_buffer
from mlp.types import Array


def copy_of(network: Network, dtype: Any = np.float64) -> Network:
    """A copy with parameters of this type; it has seen no data if the network has not."""
    own = copy.deepcopy(network)
    for layer in own.layers:
        for name in layer.parameters:
            setattr(layer, name, getattr(layer, name).astype(dtype))
    own.lay_out()
    return own


def weight_names(network: Network) -> set[str]:
    """The names of what a penalty and weight decay act on."""
    places = network.named(np.arange(network.theta.size))
    return {name for name, place in places.items() if (place < network.n_weights).any()}


def buffer_names(network: Network) -> set[str]:
    """The names of what layers set themselves in training, such as running means."""
    return {name for name, place in network.places.items() if is_buffer(place.layer, place.name)}


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


def fingerprint(*things: Any) -> list[tuple[Any, ...]]:
    """The bits of all arrays in the things, to see whether a call changed any."""
    return [(array.shape, array.dtype.str, array.tobytes()) for array in arrays_in(things)]


def arrays_in(things: Any) -> Iterator[Array]:
    """Every array in nested tuples, lists and objects with fields."""
    waiting, seen = [things], set[int]()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            yield thing
        elif isinstance(thing, (list, tuple)):
            waiting.extend(thing)
        elif hasattr(thing, "__dict__") and not isinstance(thing, type):
            waiting.extend(vars(thing).values())


class Stored(NamedTuple):
    """The number of arrays, and of the bytes that they take."""

    arrays: int
    bytes: int


def stored(values: Any) -> Stored:
    """Count what `values` (of a layer, or a list of them) keep in memory.

    An array that several of them hold counts once, as H of a layer and H_in of the next do; a view counts as the whole
    array that it keeps alive.
    """
    arrays: dict[int, Array] = {}
    for array in arrays_in(values):
        while isinstance(array.base, np.ndarray):
            array = array.base
        arrays[id(array)] = array
    return Stored(len(arrays), sum(array.nbytes for array in arrays.values()))
