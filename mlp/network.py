"""A network is layers in order, and knows no loss: forward gives values, backward turns F_bar into bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from mlp.activations import Array


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

    def forward(self, X: Array) -> list[Any]:
        """The values of every layer, lowest first; the last one's `H` is F."""
        values: list[Any] = []
        H = X
        for layer in self.layers:
            values.append(layer.forward(H))
            H = values[-1].H
        return values

    def backward(self, values: Sequence[Any], F_bar: Array, *, input_bar: bool = False) -> list[Any]:
        """The bars of every layer, lowest first, from F_bar = dc/dF (a loss's `seed`): one reverse sweep.

        The lowest layer's `H_in_bar` = dc/dX is left out unless `input_bar=True`. Raises ValueError when `values` are
        not those of all the layers.
        """
        if len(values) != len(self.layers):
            raise ValueError(f"got values of {len(values)} layers for a network of {len(self.layers)}")
        bars: list[Any] = []
        H_bar = F_bar
        for number in reversed(range(len(self.layers))):
            wanted = input_bar or number > 0
            bars.append(self.layers[number].backward(values[number], H_bar, input_bar=wanted))
            H_bar = bars[-1].H_in_bar
        return bars[::-1]

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
