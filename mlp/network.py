"""Put layers in order: forward gives values, backward turns F_bar into bars; all parameters are one vector theta."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlp.arguments import check_argument, check_array, float_array, wrong
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


class Views(NamedTuple):
    """A vector of the size of theta, and the parts of it that belong to each layer: `layers[0]["W"]`."""

    vector: Array
    layers: list[dict[str, Array]]

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("views of a vector cannot be copied: make those of the copy by `network.views(vector)`")


class Bars(list[Any]):
    """The bars of every layer, lowest first; `theta_bar` = dc/dtheta is the vector of those of the parameters."""

    theta_bar: Array


class Place(NamedTuple):
    """The place of a parameter in theta."""

    layer: LayerLike
    name: str
    part: slice
    shape: tuple[int, ...]


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
        return list(self.upwards(X, draws))

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


def put_bars(bars: Any, parts: Mapping[str, Array], first: bool) -> None:
    """Put a layer's bars into their parts of theta_bar, or add them, where the layer was met before in the sweep."""
    for name, part in parts.items():
        bar = getattr(bars, f"{name}_bar")
        if bar is part:
            continue
        if np.shape(bar) != part.shape:
            raise ValueError(f"{name}_bar has shape {np.shape(bar)}, but {name} has shape {part.shape}")
        part[...] = bar if first else part + bar
