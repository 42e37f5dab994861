"""Make a network of layers, all of whose parameters are one vector theta, and dc/dtheta another, theta_bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlp.activations import Activation
from mlp.arguments import check_array, check_whole, float_array, wrong
from mlp.layers.dense import Layer
from mlp.markup import Markup, html_list
from mlp.shown import ByLayer, array_html
from mlp.stack import LayerLike, Stack
from mlp.types import Array


class Views(NamedTuple):
    """A vector of the size of theta, and the parts of it that belong to each layer: `layers[0]["W"]`."""

    vector: Array
    layers: list[dict[str, Array]]

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("views of a vector cannot be copied: make those of the copy by `network.views(vector)`")


class Bars(ByLayer):
    """The bars of every layer, lowest first; `theta_bar` = dc/dtheta is the vector of those of the parameters."""

    theta_bar: Array


class Place(NamedTuple):
    """The place of a parameter in theta."""

    layer: LayerLike
    name: str
    part: slice
    shape: tuple[int, ...]


class Network(Stack):
    """A stack of layers, and all of their parameters as one vector.

    All parameters lie end to end in `theta`, first the weights (what the layers list as `penalized`), then all others.
    Each layer's W and b are views of it: who changes theta in place changes them, and the other way round. A parameter
    that was replaced (`layer.W = ...`) is copied into theta when theta is next asked for. So layers can be shared by
    networks: each has a theta of its own, and takes over what the other has made of the layer.

    A layer that stands twice in a network has its parameters in theta once, under the number of its first place.
    theta has the highest precision among the parameters, and one that replaces another is rounded to it. Ask for
    `theta` when you need it: one that was kept from before a layer joined another network is no longer the layers'.
    """

    def __init__(self, layers: Sequence[Any], *more: Any) -> None:
        super().__init__(layers, *more)
        self.lay_out()

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int],
        activation: str | Activation,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ) -> Network:
        """A network of dense layers: `Network.dense([2, 16, 1], "tanh", rng=rng)`: 2 inputs, 16 tanh units, 1 output.

        The last layer is linear, as losses expect it. Weights are drawn as is usual for the activation, biases are 0
        (see `Layer.initialize`); float64 is for checking by differences. Raises ValueError for fewer than two sizes.
        """
        check_whole("sizes", sizes)
        if len(sizes) < 2:
            raise ValueError(f"sizes must be at least two, the inputs and the outputs, got {list(sizes)}")
        names = [activation] * (len(sizes) - 2) + ["identity"]
        pairs = zip(sizes, sizes[1:], names, strict=False)
        return cls([Layer.initialize(a, b, name, rng=rng, dtype=dtype) for a, b, name in pairs])

    def __call__(self, X: Array, draws: Any = None) -> Array:
        """F, the K_L x B outputs for the K_0 x B inputs X."""
        values = self.forward(X) if draws is None else self.forward(X, draws)
        return np.asarray(values[-1].H)

    def backward(
        self, values: Sequence[Any], F_bar: Array, *, out: Views | None = None, input_bar: bool = False
    ) -> Bars:
        """The bars of every layer, lowest first, from F_bar = dc/dF (a loss's `seed`): one reverse sweep.

        `theta_bar` of what is returned has the bars of all parameters. It is a new vector, or the one whose `views` are
        given as `out`, which is overwritten. Of a layer that stands twice each place has bars of its own, and theta_bar
        has their sum. The lowest layer's `H_in_bar` = dc/dX is left out unless `input_bar=True`. Raises ValueError when
        `values` are not those of all the layers.
        """
        check_array("F_bar", F_bar)
        if not isinstance(values, (list, tuple)):
            raise wrong("values", "what forward returned, a list of the values of each layer", values)
        if len(values) != len(self.layers):
            raise ValueError(f"got values of {len(values)} layers for a network of {len(self.layers)}")
        if out is None:
            theta = self.theta
            self.check_unchanged(values)
            out = self.views(np.empty(theta.shape, np.result_type(theta, F_bar)))
        bars = Bars(self.sweep(values, F_bar, out.layers, input_bar))
        bars.reverse()
        bars.theta_bar = out.vector
        return bars

    @property
    def theta(self) -> Array:
        """The vector of all parameters: the array itself, so in-place changes count."""
        if any(getattr(layer, name) is not view for layer, name, view in self.own):
            found = [np.array(getattr(layer, name)) for layer, name, _ in self.own]
            if not all(fits(W, view) for W, (_, _, view) in zip(found, self.own, strict=True)):
                self.lay_out()
                return self.vector
            for W, (_, _, view) in zip(found, self.own, strict=True):
                view[...] = W
            self.hand_out()
        return self.vector

    @theta.setter
    def theta(self, values: Array) -> None:
        theta = self.theta
        values = float_array(values, "theta")
        if values.shape != theta.shape:
            raise ValueError(f"theta has shape {theta.shape}, got {values.shape}")
        theta[...] = values

    def lay_out(self) -> None:
        """Make theta from the arrays that the layers have, and give them views of it.

        `n_weights` is how many of its numbers, the first ones, are weights.
        """
        entries = [
            (f"{name}{number}", layer, name, np.asarray(getattr(layer, name)), name in layer.penalized)
            for number, layer, name in self.listed()
        ]
        ordered = sorted(entries, key=lambda entry: not entry[-1])  # weights first; stable
        parts, end = {}, 0
        for name, _, _, array, _ in ordered:
            parts[name] = slice(end, end + array.size)
            end += array.size
        self.n_weights = sum(entry[3].size for entry in entries if entry[-1])
        self.places = {name: Place(layer, own, parts[name], array.shape) for name, layer, own, array, _ in entries}
        dtype = np.result_type(*(entry[3] for entry in entries)) if entries else np.dtype(np.float32)
        self.vector = np.empty(end, dtype if dtype.kind in "fc" else np.float64)
        for name, _, _, array, _ in entries:
            self.vector[parts[name]] = array.ravel()
        self.hand_out()

    def hand_out(self) -> None:
        """Make each layer's parameters views of theta."""
        named = self.named(self.vector)
        for name, place in self.places.items():
            setattr(place.layer, place.name, named[name])
        for name, place in self.places.items():
            if getattr(place.layer, place.name) is not named[name]:
                raise ValueError(
                    f"{name} is a parameter of two layers: a layer may stand twice in a network, but not inside two "
                    "others, nor by itself and inside another"
                )
        self.own = [(place.layer, place.name, named[name]) for name, place in self.places.items()]

    def _repr_html_(self) -> Markup:
        """Its layers, and their parameters."""
        layers = html_list(map(repr, self.layers))
        return Markup(layers + array_html(self.parameters(), f"{self.theta.size} parameters"))

    def parameters(self) -> dict[str, Array]:
        """Every parameter under the note's name, W^(1) as "W1": views of theta, so in-place changes count."""
        return self.named(self.theta)

    def named(self, vector: Array) -> dict[str, Array]:
        """The parts of a vector of theta's size (theta_bar, a velocity) by the names of the parameters."""
        return {name: vector[place.part].reshape(place.shape) for name, place in self.places.items()}

    def views(self, vector: Array) -> Views:
        """The same parts by layer: what `backward` takes as `out`."""
        named = self.named(vector)
        of = {(id(place.layer), place.name): named[name] for name, place in self.places.items()}
        return Views(vector, [{name: of[id(layer), name] for name in layer.parameters} for layer in self.layers])

    def __getstate__(self) -> dict[str, Any]:
        """The state that a copy, or a pickle, takes along: all but theta, which it lays out anew."""
        return {name: value for name, value in vars(self).items() if name not in ("vector", "places", "own")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self.lay_out()


def fits(array: Array, view: Array) -> bool:
    """Tell whether the array can be copied into the view: it has its shape, and both are real or both complex."""
    return array.shape == view.shape and np.iscomplexobj(array) == np.iscomplexobj(view)
