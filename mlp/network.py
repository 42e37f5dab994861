"""A network is layers in order, and knows no loss: forward gives values, backward turns F_bar into bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlp.types import Array


class LayerLike(Protocol):
    """What `Network` and the optimizers ask of a layer; `Layer` is one, and yours can be another.

    `forward(H_in)` returns values with at least a field `H`; `backward(values, H_bar, input_bar=...)` returns bars with
    `H_in_bar` (None where `input_bar` is False is welcome, not required) and one `<name>_bar` for each name in
    `parameters`, fresh arrays of the parameter's shape. `penalized` lists those of them that an L2 penalty acts on.
    A layer that fixes its sizes may have `n_in` and `n_out`, and Network then checks that neighbours fit.
    """

    parameters: Any
    penalized: Any

    def forward(self, H_in: Array) -> Any: ...

    def backward(self, values: Any, H_bar: Array, *, input_bar: bool = True) -> Any: ...


class BlockInput(NamedTuple):
    """Stands for the values of a block's lowest layer where the block's values were dropped: what it takes to
    compute them again."""

    H_in: Array


class Network:
    """Layers 1 to L, lowest first: H^(0) = X, H^(l) = layer_l(H^(l-1)), F = H^(L).

    X is K_0 x B and F is K_L x B, columns are examples. `penalized` holds the names ("W1", "W2") of the parameters
    that an L2 penalty and weight decay act on. Raises ValueError when there is no layer, or when a layer's
    inputs are not as many as the outputs of the one below.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self.layers: list[LayerLike] = list(layers)
        if not self.layers:
            raise ValueError("a network needs at least one layer")
        width, source = None, 0
        for number, layer in enumerate(self.layers, 1):
            n_in, n_out = getattr(layer, "n_in", None), getattr(layer, "n_out", None)
            if width is not None and n_in is not None and n_in != width:
                raise ValueError(f"layer {number} takes {n_in} inputs, but layer {source} below it has {width} outputs")
            if n_out is not None:
                width, source = n_out, number
        names = [f"{name}{n}" for n, layer in enumerate(self.layers, 1) for name in layer.parameters]
        if len(set(names)) < len(names):
            raise ValueError(f"two parameters have one name among {', '.join(names)}")
        self.penalized = frozenset(f"{name}{n}" for n, layer in enumerate(self.layers, 1) for name in layer.penalized)

    def __repr__(self) -> str:
        return f"Network([{', '.join(map(repr, self.layers))}])"

    def __call__(self, X: Array) -> Array:
        """F, the K_L x B outputs for the K_0 x B inputs X; nothing else is kept."""
        H = X
        for layer in self.layers:
            H = layer.forward(H).H
        return H

    def forward(self, X: Array, *, keep_every: int | None = None) -> list[Any]:
        """The values of every layer, lowest first; the last one's `H` is F.

        With `keep_every=k`, layers 1 to L-1 fall into blocks of k (the highest may be smaller), and of each block only
        the input is kept. For L = 6 and k = 3:

            [BlockInput(X), None, None, BlockInput(H^(3)), None, values of layer 6]

        `backward` takes such a list too and computes one block at a time again ("check-pointing" in the note's
        footnote 3; Griewank and Walther 2000; Chen, Xu, Zhang and Guestrin 2016, arXiv 1604.06174), so that about L/k
        inputs and the values of k layers are alive at once: fewest arrays for k near sqrt(L), for the work of one more
        forward pass. The bars keep every bit, as long as a layer's forward, called again, gives the same values.
        Raises ValueError when k < 1.
        """
        if keep_every is None:
            return forward_all(self.layers, X)
        if keep_every < 1 or keep_every != int(keep_every):
            raise ValueError(f"keep_every must be a whole number, at least 1, got {keep_every}")
        values: list[Any] = []
        H = X
        for number, layer in enumerate(self.layers[:-1]):
            values.append(BlockInput(H) if number % keep_every == 0 else None)
            H = layer.forward(H).H
        return [*values, self.layers[-1].forward(H)]

    def backward(
        self, values: Sequence[Any], F_bar: Array, *, input_bar: bool = False, parameters_only: bool = False
    ) -> list[Any]:
        """The bars of every layer, lowest first, from F_bar = dc/dF (a loss's `seed`): one reverse sweep.

        The lowest layer's `H_in_bar` = dc/dX is left out unless `input_bar=True`. With `parameters_only=True` a layer's
        bars hold those of its parameters and, the lowest's, that one: A_bar and H_in_bar of all layers take as much
        memory as A and H do, and a step of training needs neither. Raises ValueError when `values` are not those of
        all the layers.
        """
        if len(values) != len(self.layers):
            raise ValueError(f"got values of {len(values)} layers for a network of {len(self.layers)}")
        bars: list[Any] = []
        block: list[Any] = []  # values that were computed again and that the sweep has not reached yet
        H_bar = F_bar
        for number in reversed(range(len(self.layers))):
            layer_values = values[number]
            if layer_values is None or isinstance(layer_values, BlockInput):
                block = block or self.compute_again(values, number)
                layer_values = block.pop()
            wanted = input_bar or number > 0
            layer_bars = self.layers[number].backward(layer_values, H_bar, input_bar=wanted)
            H_bar = layer_bars.H_in_bar
            if parameters_only:
                layer_bars = only(self.layers[number].parameters, layer_bars, H_bar if number == 0 else None)
            bars.append(layer_bars)
        return bars[::-1]

    def compute_again(self, values: Sequence[Any], highest: int) -> list[Any]:
        """The dropped values of a block, from its input up to the layer with the index `highest`."""
        lowest = max(n for n in range(highest + 1) if isinstance(values[n], BlockInput))
        return forward_all(self.layers[lowest : highest + 1], values[lowest].H_in)

    def parameters(self) -> dict[str, Array]:
        """Every parameter under the note's name, W^(1) as "W1": the arrays themselves, so in-place changes count."""
        return {
            f"{name}{number}": getattr(layer, name)
            for number, layer in enumerate(self.layers, 1)
            for name in layer.parameters
        }

    def with_bars(self, bars: Sequence[Any]) -> Iterator[tuple[str, Array, Array]]:
        """Each parameter with its bar: ("W1", the array W, the array W_bar), and so on upwards."""
        for number, (layer, layer_bars) in enumerate(zip(self.layers, bars, strict=True), 1):
            for name in layer.parameters:
                yield f"{name}{number}", getattr(layer, name), getattr(layer_bars, f"{name}_bar")


def forward_all(layers: Sequence[LayerLike], X: Array) -> list[Any]:
    """The values of each layer, lowest first, where each takes the H of the one below."""
    values: list[Any] = []
    H = X
    for layer in layers:
        values.append(layer.forward(H))
        H = values[-1].H
    return values


def only(parameters: Iterable[str], bars: Any, H_in_bar: Array | None) -> SimpleNamespace:
    """The bars of these parameters, and H_in_bar."""
    return SimpleNamespace(H_in_bar=H_in_bar, **{f"{name}_bar": getattr(bars, f"{name}_bar") for name in parameters})


class Stored(NamedTuple):
    """How many arrays, and how many bytes they take."""

    arrays: int
    bytes: int


def stored(values: Any) -> Stored:
    """What `values` (of a layer, or a list of them) keep in memory.

    An array that several of them hold counts once, as H of a layer and H_in of the next do; a view counts as the whole
    array that it keeps alive.
    """
    arrays: dict[int, Array] = {}
    waiting = [values]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, np.ndarray):
            while isinstance(thing.base, np.ndarray):
                thing = thing.base
            arrays[id(thing)] = thing
        elif isinstance(thing, (list, tuple)):
            waiting.extend(thing)
        elif hasattr(thing, "__dict__"):  # values that are an object with fields
            waiting.extend(vars(thing).values())
    return Stored(len(arrays), sum(array.nbytes for array in arrays.values()))
