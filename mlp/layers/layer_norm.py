"""Standardize the units of a layer, example by example."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.arguments import float_array
from mlp.layers.rows import PerUnit, check_bar, check_rows, column
from mlp.layers.table import Flag, Maker
from mlp.shown import shown
from mlp.types import Array

EPSILON = 1e-5


@shown
class LayerNormValues(NamedTuple):
    """The values that `LayerNorm.forward` computed: N is standardized, K x B, sigma is 1 x B, H is K x B."""

    N: Array
    sigma: Array
    H: Array


@shown
class LayerNormBars(NamedTuple):
    """dc/ds and dc/db, K x 1, and dc/dH_in, K x B."""

    s_bar: Array
    b_bar: Array
    H_in_bar: Array


class LayerNorm(PerUnit):
    """H = s * N + b, where each column of N is that of H_in with mean 0 and variance 1.

    N = (H_in - mu) / sigma, mu = 1/K sum_k H_in_k, sigma^2 = 1/K sum_k (H_in_k - mu)^2 + epsilon, epsilon = 1e-5 (Ba,
    Kiros and Hinton 2016, eq. 3-4). An example does not depend on its neighbours. s and b are K x 1, and are copied.

    Raises ValueError for other shapes, and for K = 1, where N is 0 whatever H_in is.
    """

    parameters: ClassVar[tuple[str, ...]] = ("s", "b")
    penalized: ClassVar[tuple[str, ...]] = ()

    def __init__(self, s: Any, b: Any) -> None:
        self.s, self.b = column(float_array(s, "s"), "s"), column(float_array(b, "b"), "b")
        if self.s.shape != self.b.shape:
            raise ValueError(f"s has shape {self.s.shape} and b has shape {self.b.shape}, expected the same")
        if len(self.s) == 1:
            raise ValueError("layer_norm of one unit is the same for every example: it needs at least two units below")

    def forward(self, H_in: Array) -> LayerNormValues:
        """H = s * N + b. Raises ValueError when H_in is not K x B."""
        check_rows(H_in, self.n_in)
        R = H_in - H_in.mean(axis=0, keepdims=True)
        sigma = np.sqrt((R * R).mean(axis=0, keepdims=True) + EPSILON)
        N = R / sigma
        return LayerNormValues(N, sigma, self.s * N + self.b)

    def backward(self, values: LayerNormValues, H_bar: Array, *, input_bar: bool = True) -> LayerNormBars:
        """The bars, with N_bar = s * H_bar.

        s_bar = (H_bar * N) 1,  b_bar = H_bar 1,  H_in_bar = (N_bar - mean_k N_bar - N mean_k(N * N_bar)) / sigma.
        """
        check_bar(values, LayerNormValues, H_bar)
        N, sigma, _ = values
        N_bar = self.s * H_bar
        along = (N * N_bar).mean(axis=0, keepdims=True)  # what a larger sigma takes away
        H_in_bar = (N_bar - N_bar.mean(axis=0, keepdims=True) - N * along) / sigma
        return LayerNormBars((H_bar * N).sum(axis=1, keepdims=True), H_bar.sum(axis=1, keepdims=True), H_in_bar)

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, layer_norm: Flag) -> LayerNorm:
        """The layer of a config's entry `{layer_norm: true}`: s = 1 and b = 0."""
        return cls(np.ones((n_in, 1), maker.dtype), np.zeros((n_in, 1), maker.dtype))
