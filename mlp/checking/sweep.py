"""Sweep once through a network's layers, on a private copy, so that values, bars and cost can be looked at by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from mlp.checking.bar import ELEMENTS, Problem
from mlp.checking.copies import copy_of, float64, other_columns
from mlp.checking.guesses import dense_suspects, is_dense
from mlp.checking.loss import cost_size
from mlp.network import Network
from mlp.types import Array


class Sweep:
    """A minibatch, its values, bars and cost by the names of the arrays, in a private copy of a network in float64."""

    def __init__(self, network: Any, loss: Any, X: Array, Y: Array) -> None:
        self.loss, self.X, self.Y = loss, X, Y
        self.unused = copy_of(network)  # never called
        self.own = copy_of(self.unused)
        self.own.forward(other_columns(X))  # whoever keeps something keeps the wrong thing
        self.values = self.own.forward(X.copy())
        self.inputs = [X, *(value.H for value in self.values)]  # of each layer, and F
        self.names = ["X", *(f"H{number}" for number in range(1, len(self.values))), "F"]
        F = self.inputs[-1]
        self.seed = float64(loss.seed(F, Y))
        self.arrays = {**self.unused.parameters(), "X": X}
        self.variants: dict[bool, Network] = {}
        self.changed: set[int] = set()  # layers whose backward changes the bar that it is given
        # In a network of one's own that is no chain of its layers, only the whole can be asked.
        self.is_chain = np.allclose(chain(self.own.layers, X.copy()), F, equal_nan=True)
        # The more a forward pass costs, the fewer elements: seconds for 10^4 parameters, and for 10^6 too.
        self.elements = int(np.clip(2e7 / max(self.own.theta.size, 1), 16, ELEMENTS))

    @cached_property
    def size(self) -> float:
        """The magnitude that the cost is rounded at."""
        return cost_size(self.loss, self.inputs[-1], self.Y)

    @property
    def swept(self) -> bool:
        """Whether the bars could be computed."""
        return "found" in vars(self)

    @cached_property
    def found(self) -> dict[str, Array]:
        """The bars that are checked."""
        return self.bars(self.own, self.values, self.seed)

    def bars(self, own: Network, values: list[Any], seed: Array) -> dict[str, Array]:
        """The bars of the parameters and of all inputs, layer by layer; one of a layer that stands twice is a sum."""
        if not self.is_chain:
            found: Any = own.backward(values, seed, input_bar=True)
            return {**own.named(float64(found.theta_bar)), "X": float64(found[0].H_in_bar)}
        bars: dict[str, Array] = {}
        names = {(id(layer), name): f"{name}{number}" for number, layer, name in own.listed()}
        H_bar = seed
        for number in reversed(range(len(own.layers))):
            layer, given = own.layers[number], H_bar.copy()
            try:
                found = layer.backward(values[number], given, input_bar=True)
                own_bars = {name: float64(getattr(found, f"{name}_bar")) for name in layer.parameters}
                below = float64(found.H_in_bar)
            except Exception as error:
                place = f"in backward of layer {number + 1}, {layer!r}"
                if isinstance(error, ValueError):
                    raise ValueError(f"{place}: {error}") from error
                raise RuntimeError(f"{place}: {type(error).__name__}: {error}") from error
            if not np.array_equal(given, H_bar, equal_nan=True):
                self.changed.add(number + 1)
            for name, bar in own_bars.items():
                full = names[id(layer), name]
                bars[full] = bars.get(full, 0.0) + bar
            H_bar = bars[self.names[number]] = below
        return bars

    def variant(self, arrays: Mapping[str, Array]) -> Network:
        """A copy with these arrays, real or complex, in the place of its parameters of these names."""
        is_complex = any(map(np.iscomplexobj, arrays.values()))
        if is_complex not in self.variants:
            self.variants[is_complex] = copy_of(self.unused, np.complex128 if is_complex else np.float64)
        own = self.variants[is_complex]
        own.theta = self.unused.theta
        for name, part in own.parameters().items():
            part[...] = arrays.get(name, part)
        return own

    def cost(self, arrays: Mapping[str, Array], start: int = 0) -> Any:
        """The cost with these arrays in the place of the network's own, from the input of layer `start` (0: X) up."""
        own, H = self.variant(arrays), arrays.get(self.names[start], self.inputs[start])
        F = chain(own.layers[start:], H) if self.is_chain else own.forward(H)[-1].H
        return self.loss.cost(F, self.Y)

    def problem(self) -> Problem:
        """The parameters and X together."""
        return Problem(self.cost, self.arrays, self.found, self.size, columns=self.X.shape[1], elements=self.elements)

    def layer_problem(self, start: int) -> Problem:
        """The parameters and the input of a layer, with what may be wrong about their bars.

        Parameters of a layer that stands twice belong to its first place: only from there up are both in the cost.
        """
        own = {name: f"{name}{number}" for number, _, name in self.own.listed() if number == start + 1}
        names = {**own, "H_in": self.names[start]}
        layer, H_in = self.own.layers[start], self.inputs[start]
        H_bar = self.found.get(self.names[start + 1], self.seed)
        suspects = dense_suspects(layer, H_in, H_bar) if is_dense(layer) else {}
        return replace(
            self.problem(),
            cost=partial(self.cost, start=start),
            arrays={full: self.arrays.get(full, H_in) for full in names.values()},
            suspects={full: suspects.get(name, {}) for name, full in names.items()},
        )


def chain(layers: Sequence[Any], H: Any) -> Any:
    for layer in layers:
        H = layer.forward(H).H
    return H
