"""Mix an activation with the identity, by a share that each unit learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.activations import Activation, ActivationName
from mlp.arguments import float_array
from mlp.layers.dense import find_activation
from mlp.layers.rows import PerUnit, check_bar, check_rows, column
from mlp.layers.table import Maker
from mlp.shown import shown
from mlp.types import Array, Count


@shown
class MixValues(NamedTuple):
    """The values that `Mix.forward` computed, all K x B: the input A, G = f(A), and H."""

    A: Array
    G: Array
    H: Array


@shown
class MixBars(NamedTuple):
    """dc/da, K x 1, and dc/dA, K x B."""

    a_bar: Array
    H_in_bar: Array


class Mix(PerUnit):
    """H = (1 - a) A + a f(A) with a share `a` for each unit: a parametric activation.

    A is the input: the layer stands above one of units whose activation is the identity. At a = 1, where it starts, it
    is f (Holzmüller, Grinsztajn and Steinwart 2024, after He, Zhang, Ren and Sun 2015). `a` is K x 1 and is copied.

    Raises ValueError for any other shape, or an unknown activation.
    """

    parameters: ClassVar[tuple[str, ...]] = ("a",)
    penalized: ClassVar[tuple[str, ...]] = ()

    def __init__(self, a: Any, activation: str | Activation) -> None:
        self.a = column(float_array(a, "a"), "a")
        self.f = find_activation(activation)

    def __repr__(self) -> str:
        return f"Mix({self.n_in}, {self.f.name}, {self.a.dtype})"

    def forward(self, H_in: Array) -> MixValues:
        """H = A + a (f(A) - A) with A = H_in. Raises ValueError when H_in is not K x B."""
        check_rows(H_in, self.n_in)
        G = self.f(H_in)
        return MixValues(H_in, G, H_in + self.a * (G - H_in))

    def backward(self, values: MixValues, H_bar: Array, *, input_bar: bool = True) -> MixBars:
        """a_bar = (H_bar * (f(A) - A)) 1, a sum over the minibatch, and A_bar = (1 - a + a f'(A)) * H_bar."""
        check_bar(values, MixValues, H_bar)
        A, G, _ = values
        a_bar = (H_bar * (G - A)).sum(axis=1, keepdims=True)
        return MixBars(a_bar, (1 + self.a * (self.f.slope(A, G) - 1)) * H_bar)

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, mix: ActivationName) -> Mix:
        """The layer of a config's entry `{mix: selu}`."""
        return cls(np.ones((n_in, 1), maker.dtype), mix)

    def header(self) -> dict[str, Any]:
        """The layer without its arrays, for a model file."""
        return {"size": self.n_in, "activation": self.f.name}

    @classmethod
    def from_header(  # type: ignore[override]
        cls, arrays: Mapping[str, Array], /, size: Count, activation: ActivationName
    ) -> Mix:
        """The layer with this array. Raises ValueError when it has another size."""
        layer = cls(arrays["a"], activation)
        check_rows(layer.a, size)
        return layer
