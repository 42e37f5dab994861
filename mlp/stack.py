"""Put layers in order, lowest first: one sweep up gives values, one sweep down turns F_bar into bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Protocol

import numpy as np

from mlp.arguments import check_argument, wrong
from mlp.shown import ByLayer
from mlp.types import Array


class LayerLike(Protocol):
    """The interface that a `Network` asks of a layer; `Layer` is one, and yours can be another.

    `forward(H_in)` returns values with at least a field `H`. `backward(values, H_bar, *, out=None, input_bar=True)`
    returns bars: `H_in_bar` (it may be None where `input_bar` is False), and `<name>_bar` for each name in
    `parameters`, of that parameter's shape. `out` maps the names to arrays that the bars may be written into; a layer
    that does not take it has its bars copied. `penalized` lists the parameters that an L2 penalty and weight decay act
    on. A layer that fixes its sizes may have `n_in` and `n_out`, and the network then checks that neighbours fit.
    One that can tell whether its values are still right may have `check_unchanged(values)` (see `Layer`).
    One whose `forward(H_in, draws=None)` takes random numbers gets them in training (see `mlp.layers.dropout.Draws`),
    and one that has `follow(values)` gets its values after each step, to move those parameters that are `buffers`.
    """

    parameters: Any
    penalized: Any

    def forward(self, H_in: Array) -> Any: ...

    def backward(self, values: Any, H_bar: Array, *, input_bar: bool = True) -> Any: ...


class Stack:
    """Layers 1 to L, lowest first: H^(0) = X, H^(l) = layer_l(H^(l-1)), F = H^(L).

    X is K_0 x B and F is K_L x B, columns are examples. Raises ValueError when there is no layer, or when a layer's
    inputs are not as many as the outputs of the one below.
    """

    def __init__(self, layers: Sequence[Any], *more: Any) -> None:
        if more or not isinstance(layers, (list, tuple)):
            raise wrong("layers", "a list of layers, such as [a, b]", layers)
        self.layers: tuple[LayerLike, ...] = tuple(layers)
        for number, layer in enumerate(self.layers, 1):
            check_argument(f"layer {number}", LayerLike, layer)
        if not self.layers:
            raise ValueError("a network needs at least one layer")
        width, source = None, 0
        for number, layer in enumerate(self.layers, 1):
            n_in, n_out = getattr(layer, "n_in", None), getattr(layer, "n_out", None)
            if width is not None and n_in is not None and n_in != width:
                raise ValueError(f"layer {number} takes {n_in} inputs, but layer {source} below it has {width} outputs")
            if n_out is not None:
                width, source = n_out, number
        names = [f"{name}{number}" for number, _, name in self.listed()]
        if len(set(names)) < len(names):
            raise ValueError(f"two parameters have one name among {', '.join(names)}")
        once = [sum(other is layer for other in self.layers) == 1 for layer in self.layers]
        takes_out = ["out" in signature(layer.backward).parameters for layer in self.layers]
        self.writes_out = [a and b for a, b in zip(once, takes_out, strict=True)]  # bars straight into theta_bar
        follow = [hasattr(layer, "follow") and getattr(layer, "follows", True) for layer in self.layers]
        self.followers = np.flatnonzero(follow).tolist()
        self.draws = [
            "draws" in signature(layer.forward).parameters and getattr(layer, "random", True) for layer in self.layers
        ]

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, self.layers))}])"

    @property
    def random(self) -> bool:
        """Whether a layer draws random numbers in training."""
        return any(self.draws)

    def __call__(self, X: Array, draws: Any = None) -> Array:
        """F, the K_L x B outputs for the K_0 x B inputs X; nothing else is kept."""
        for values in self.upwards(X, draws):
            H = values.H
        return H

    def forward(self, X: Array, draws: Any = None) -> list[Any]:
        """The values of every layer, lowest first; the last one's `H` is F.

        Training gives random numbers, `draws`, to the layers that want some; without them nothing is random.
        """
        return ByLayer(self.upwards(X, draws))

    def follow(self, values: Sequence[Any]) -> None:
        """Let the layers that keep something of the values of training, such as running means, take it from these."""
        for number in self.followers:
            layer: Any = self.layers[number]
            layer.follow(values[number])

    def upwards(self, H: Array, draws: Any) -> Iterator[Any]:
        """The values of one layer after the other."""
        for layer, random in zip(self.layers, self.draws, strict=True):
            each: Any = layer
            values = each.forward(H, draws) if random else each.forward(H)  # A = W H + b 1^T,  H = g(A)
            H = values.H
            yield values

    def sweep(
        self, values: Sequence[Any], F_bar: Array, out: Sequence[Mapping[str, Array]], input_bar: bool
    ) -> Iterator[Any]:
        """The bars of each layer, highest first; those of the parameters are put into `out`, by layer and name."""
        H_bar, seen = F_bar, set[int]()
        for number in reversed(range(len(self.layers))):
            layer, parts = self.layers[number], out[number]
            first = id(layer) not in seen
            seen.add(id(layer))
            options = {"out": parts} if self.writes_out[number] else {}
            found = layer.backward(values[number], H_bar, input_bar=input_bar or number > 0, **options)
            put_bars(found, parts, first)
            H_bar = found.H_in_bar
            yield found

    def check_unchanged(self, values: Sequence[Any]) -> None:
        """Raises ValueError when a layer that can tell (see `Layer`) has changed since `forward` made its values."""
        for layer, own in zip(self.layers, values, strict=True):
            if check := getattr(layer, "check_unchanged", None):
                check(own)

    def listed(self) -> Iterator[tuple[int, LayerLike, str]]:
        """The number of a layer, the layer, and a name of its parameters; a layer that stands twice comes once."""
        seen: set[int] = set()
        for number, layer in enumerate(self.layers, 1):
            if id(layer) not in seen:
                seen.add(id(layer))
                yield from ((number, layer, name) for name in layer.parameters)


def is_buffer(layer: Any, name: str) -> bool:
    """Tell whether a parameter is one that the layer sets itself in training."""
    return name in getattr(layer, "buffers", ())


def put_bars(bars: Any, parts: Mapping[str, Array], first: bool) -> None:
    """Put a layer's bars into their parts of theta_bar, or add them, where the layer was met before in the sweep."""
    for name, part in parts.items():
        bar = getattr(bars, f"{name}_bar")
        if bar is part:
            continue
        if np.shape(bar) != part.shape:
            raise ValueError(f"{name}_bar has shape {np.shape(bar)}, but {name} has shape {part.shape}")
        part[...] = bar if first else part + bar
