"""A forward and a reverse sweep of a private copy of a network, and its cost as a function of every array in it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mlp.checking.comparison import ELEMENTS, Quantity
from mlp.checking.copies import Private, long_double, network_parameters, other_columns
from mlp.checking.guesses import Suspects
from mlp.checking.layer import one
from mlp.checking.loss import cost_size
from mlp.checking.numerical import typical
from mlp.checking.results import calling
from mlp.checking.suspects import layer_suspects
from mlp.network import Network
from mlp.types import Array

DECAY_ON_B = "weight decay on b, which the cost of the penalty leaves out"


class Sweep:
    """The bars of a minibatch, by the names of their arrays.

    Parameters go by their names in the network; an array that is the parameter of two layers goes by both, "W1 = W2",
    and its bar is the sum of theirs (note, footnote 6). The input of layer 1 is "X", and that of layer l + 1 is "H<l>".
    """

    def __init__(self, network: Any, loss: Any, X: Array, Y: Array, penalty: Any) -> None:
        self.private = Private(network, network_parameters)
        self.own, self.loss, self.X, self.Y, self.penalty = self.private.fresh(), loss, X, Y, penalty
        earlier = self.own.forward(other_columns(X))  # whoever keeps something keeps the wrong thing
        self.values = self.own.forward(X.copy())
        self.F = self.values[-1].H
        self.inputs = [X, *(value.H for value in self.values[:-1])]
        self.other_inputs = [other_columns(X), *(value.H for value in earlier[:-1])]
        self.seed = np.array(loss.seed(self.F, Y), dtype=np.float64)
        self.size = cost_size(loss, self.F, Y)

        parameters = self.private.parameters
        by_array: dict[int, list[str]] = {}
        for name, array in parameters.items():
            by_array.setdefault(id(array), []).append(name)
        self.shared = {name: " = ".join(names) for names in by_array.values() for name in names}
        self.first = {" = ".join(names): names[0] for names in by_array.values()}
        self.arrays = {shared: parameters[name] for shared, name in self.first.items()} | {"X": X}
        # In a network of one's own that is no chain of its layers, only the whole can be asked.
        self.is_chain = np.allclose(Network(self.own.layers)(X), self.F, equal_nan=True)
        # The more a forward pass costs, the fewer elements: seconds for 10^4 parameters, and for 10^6 too.
        self.elements = int(np.clip(2e7 / max(sum(x.size for x in parameters.values()), 1), 16, ELEMENTS))

    def run(self) -> None:
        """The bars of the data, of the penalty and of both."""
        self.data_bars = self.bars_of(self.values)
        self.penalty_bars: dict[str, Array] = {}
        if self.shapes_fit():
            with calling("backward"):
                layer_bars = self.own.backward(self.values, self.seed, input_bar=True)
            for _, _, bar in self.own.with_bars(layer_bars):
                bar[...] = 0
            with calling("penalty.add_to"):
                self.penalty.add_to(self.own, layer_bars)
            self.penalty_bars = {name: bar for name, bar in self.named(layer_bars).items() if name in self.first}
        self.bars = self.total(self.data_bars)

    def total(self, data_bars: dict[str, Array]) -> dict[str, Array]:
        """Bars of the data, and those of the penalty added to them."""
        return {name: bar + self.penalty_bars.get(name, 0.0) for name, bar in data_bars.items()}

    def precise(self) -> dict[str, Array]:
        """The bars of the data once more, in long double."""
        own, X = self.private.fresh(long_double(self.private.parameters)), self.X.astype(np.longdouble)
        own.forward(other_columns(X))
        values = own.forward(X)
        return self.named(own.backward(values, self.loss.seed(values[-1].H, self.Y), input_bar=True))

    def precise_total(self) -> dict[str, Array]:
        return self.total(self.precise())

    def bars_of(self, values: Any, seed: Array | None = None) -> dict[str, Array]:
        with calling("backward"):
            return self.named(self.own.backward(values, self.seed if seed is None else seed, input_bar=True))

    def named(self, layer_bars: Any) -> dict[str, Array]:
        bars: dict[str, Array] = {}
        for name, _, bar in self.own.with_bars(layer_bars):
            shared = self.shared[name]
            bars[shared] = bars[shared] + bar if shared in bars else np.array(bar, dtype=np.float64)
        for number, layer in enumerate(layer_bars):
            bars[input_name(number)] = np.array(layer.H_in_bar, dtype=np.float64)
        return bars

    def shapes_fit(self) -> bool:
        return all(self.data_bars[name].shape == x.shape for name, x in self.arrays.items())

    def variant(self, arrays: dict[str, Array]) -> Any:
        return self.private.variant({self.first[name]: x for name, x in arrays.items() if name in self.first})

    def cost(self, arrays: dict[str, Array]) -> Any:
        """The whole cost with these arrays in the place of the network's own, X among them."""
        return self.data_cost(arrays) + self.penalty_cost(arrays)

    def data_cost(self, arrays: dict[str, Array]) -> Any:
        F = self.variant(arrays).forward(arrays.get("X", self.X))[-1].H
        return self.loss.cost(F, self.Y)

    def penalty_cost(self, arrays: dict[str, Array]) -> Any:
        return self.penalty.cost(self.variant(arrays))

    def cost_above(self, number: int, name: str, x: Array) -> Any:
        """The data's cost with one array of a layer (counted from 0), or its input, replaced: from there up alone."""
        H = x if name == input_name(number) else self.inputs[number]
        for layer in self.variant({name: x}).layers[number:]:
            H = layer.forward(H).H
        return self.loss.cost(H, self.Y)

    def quantities(self, number: int) -> list[Quantity]:
        """The parameters and the input of a layer (counted from 0), with what may be wrong about their bars."""
        layer = self.own.layers[number]
        names = {name: self.shared[f"{name}{number + 1}"] for name in layer.parameters} | {"H_in": input_name(number)}
        H_bar = self.seed if number + 1 == len(self.inputs) else self.data_bars[input_name(number + 1)]
        data_bars = {name: self.data_bars[shared] for name, shared in names.items()}
        suspects = layer_suspects(
            lambda: self.private.fresh().layers[number],
            self.inputs[number],
            self.other_inputs[number],
            H_bar,
            data_bars,
        )
        found = []
        for name, shared in names.items():
            if self.first.get(shared, f"{name}{number + 1}") != f"{name}{number + 1}":
                continue  # a layer below has it too, and it is checked there
            if not (self.is_chain or shared in self.arrays):
                continue
            x = self.inputs[number] if name == "H_in" else self.arrays[shared]
            found.append(
                Quantity(
                    shared,
                    partial(self.cost_above, number, shared) if self.is_chain else one(self.data_cost, shared),
                    x,
                    self.data_bars[shared],
                    self.size,
                    columns=self.X.shape[1],
                    suspects=suspects[name],
                    scale=self.scale(number),
                    elements=self.elements,
                    precise=self.precise,
                )
            )
        return found

    def scale(self, number: int) -> float:
        """How large the values of a layer (counted from 0) are: what a change of a bias that is 0 is measured by."""
        outputs = [*self.inputs[1:], self.F]
        return typical(outputs[number]) or typical(self.inputs[number])

    def scales(self) -> dict[str, float]:
        return {
            self.shared[f"{name}{number + 1}"]: self.scale(number)
            for number, layer in enumerate(self.own.layers)
            for name in layer.parameters
        }

    def penalties(self) -> list[Quantity]:
        """The parameters that the penalty's cost or its derivative touches; where it must not, it is the suspect."""
        found = []
        for name, bar in self.penalty_bars.items():
            free = self.first[name] not in self.own.penalized
            if not (free and not np.any(bar)):
                size = abs(float(self.penalty_cost({})))
                suspects = Suspects({DECAY_ON_B: bar} if free else {})
                f = one(self.penalty_cost, name)
                found.append(Quantity(name, f, self.arrays[name], bar, size, maker="penalty", suspects=suspects))
        return found


def input_name(number: int) -> str:
    """The input of a layer (counted from 0)."""
    return f"H{number}" if number else "X"
