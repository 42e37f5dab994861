"""Put layers around other layers, whose parameters they have as their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from mlp.layers.table import from_header
from mlp.stack import Stack, is_buffer
from mlp.types import Array


class Around:
    """A layer around the layers of `inner`: W of its layer number 1 is the attribute `m1_W`, for the letter m.

    A Network puts the number of the layer behind, as it always does: with the layer as its third, "m1_W3".
    """

    def __init__(self, letter: str, inner: Stack) -> None:
        self.places = {f"{letter}{number}_{name}": (layer, name) for number, layer, name in inner.listed()}
        self.inner = inner
        self.parameters = tuple(self.places)
        self.penalized = tuple(place for place, (layer, name) in self.places.items() if name in layer.penalized)
        self.buffers = tuple(place for place, (layer, name) in self.places.items() if is_buffer(layer, name))

    def __getattr__(self, name: str) -> Any:
        # Called for what is no plain attribute. No copy is kept here, as the arrays of the layers may be replaced.
        if name not in vars(self).get("places", ()):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        layer, inner_name = self.places[name]
        return getattr(layer, inner_name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self).get("places", ()):
            layer, inner_name = self.places[name]
            setattr(layer, inner_name, value)
        else:
            super().__setattr__(name, value)

    @property
    def random(self) -> bool:
        """Whether an inner layer draws random numbers in training."""
        return self.inner.random

    def room_for_bars(self, out: Mapping[str, Array] | None, H_bar: Array) -> Mapping[str, Array]:
        """The arrays for the bars of the parameters: `out`, or new ones."""
        if out is not None:
            return out
        parameters = {name: getattr(self, name) for name in self.parameters}
        return {name: np.empty_like(W, np.result_type(W, H_bar)) for name, W in parameters.items()}

    def inner_parts(self, out: Mapping[str, Array]) -> list[dict[str, Array]]:
        """These arrays by the inner layers, as `inner.sweep` takes them."""
        of = {(id(layer), own): out[name] for name, (layer, own) in self.places.items()}
        return [{name: of[id(layer), name] for name in layer.parameters} for layer in self.inner.layers]

    def inner_sweep(
        self, values: Sequence[Any], H_bar: Array, out: Mapping[str, Array], input_bar: bool
    ) -> Array | None:
        """Sweep through the inner layers; their bars go to `out`, and what is returned is dc/d(their input)."""
        for bars in self.inner.sweep(values, H_bar, self.inner_parts(out), input_bar):
            H_bar = bars.H_in_bar
        return H_bar if input_bar else None

    def bars(self, out: Mapping[str, Array], H_in_bar: Array | None) -> SimpleNamespace:
        """The bars of all inner layers under this layer's names, and H_in_bar."""
        return SimpleNamespace(H_in_bar=H_in_bar, **{f"{name}_bar": bar for name, bar in out.items()})


def sizes(layers: Sequence[Any]) -> tuple[int | None, int | None]:
    """The inputs of the lowest layer and the outputs of the highest, where these layers fix them."""
    return getattr(layers[0], "n_in", None), getattr(layers[-1], "n_out", None)


def layers_of(headers: Sequence[Mapping[str, Any]], arrays: Mapping[str, Array], letter: str) -> list[Any]:
    """The inner layers of these headers: W of the first is among the arrays as `m1_W`, for the letter m."""
    made = []
    for number, header in enumerate(headers, 1):
        start = f"{letter}{number}_"
        own = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
        made.append(from_header(header, own))
    return made
