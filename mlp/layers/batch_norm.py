"""Standardize each unit of a layer over the examples of a minibatch."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.arguments import float_array
from mlp.layers.dropout import Draws
from mlp.layers.rows import PerUnit, check_bar, check_rows, column
from mlp.layers.table import Flag, Maker
from mlp.shown import shown
from mlp.types import Array

EPSILON = 1e-5
DECAY = 0.9  # of the running mean and variance, a step


@shown
class BatchNormValues(NamedTuple):
    """The values that `BatchNorm.forward` computed: N is standardized, K x B, mu and v are K x 1, H is K x B.

    `draws` is None where mu and v are the running ones.
    """

    N: Array
    mu: Array
    v: Array
    H: Array
    draws: Draws | None


@shown
class BatchNormBars(NamedTuple):
    """dc/ds, dc/db, dc/d(running mean) and dc/d(running variance), K x 1, and dc/dH_in, K x B."""

    s_bar: Array
    b_bar: Array
    mean_bar: Array
    variance_bar: Array
    H_in_bar: Array


class BatchNorm(PerUnit):
    """H = s * N + b with N = (H_in - mu) / sigma, sigma^2 = v + epsilon, epsilon = 1e-5.

    In training, when `forward` is given `Draws`, mu and v are mean and variance of each unit over the B examples of the
    minibatch, over all processes (Ioffe and Szegedy 2015, algorithm 1). Otherwise they are the running `mean` and
    `variance`, so that an example is answered by itself. `follow` moves these after a step:

        mean <- 0.9 mean + 0.1 mu,   variance <- 0.9 variance + 0.1 v B / (B - 1).

    They are kept in theta, so that they are saved, averaged and put back with it; no step changes them, as c does not
    depend on them in training. All four are K x 1, and are copied. Raises ValueError for other shapes, and for a
    variance below 0.
    """

    s: Array
    b: Array
    mean: Array
    variance: Array
    parameters: ClassVar[tuple[str, ...]] = ("s", "b", "mean", "variance")
    penalized: ClassVar[tuple[str, ...]] = ()
    buffers: ClassVar[tuple[str, ...]] = ("mean", "variance")

    def __init__(self, s: Any, b: Any, mean: Any, variance: Any) -> None:
        for name, array in {"s": s, "b": b, "mean": mean, "variance": variance}.items():
            setattr(self, name, column(float_array(array, name), name))
        shapes = {name: getattr(self, name).shape for name in self.parameters}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"s, b, mean and variance need one shape, got {', '.join(map(str, shapes.values()))}")
        if (self.variance.real < 0).any():
            raise ValueError("variance has numbers below 0")

    def forward(self, H_in: Array, draws: Draws | None = None) -> BatchNormValues:
        """H = s * N + b. Raises ValueError when H_in is not K x B."""
        check_rows(H_in, self.n_in)
        if draws is None:
            mu, v = self.mean, self.variance
        else:
            mu = draws.total(H_in.sum(axis=1, keepdims=True)) / draws.B
            v = draws.total(((H_in - mu) ** 2).sum(axis=1, keepdims=True)) / draws.B
        N = (H_in - mu) / np.sqrt(v + EPSILON)
        return BatchNormValues(N, mu, v, self.s * N + self.b, draws)

    def backward(self, values: BatchNormValues, H_bar: Array, *, input_bar: bool = True) -> BatchNormBars:
        """The bars, with N_bar = s * H_bar: s_bar = (H_bar * N) 1, b_bar = H_bar 1, and in training

            H_in_bar = (N_bar - mean_b N_bar - N mean_b(N * N_bar)) / sigma.

        With the running mean and variance, H_in_bar = N_bar / sigma, mean_bar = -H_in_bar 1 and variance_bar =
        -(H_in_bar * N) 1 / (2 sigma).
        """
        check_bar(values, BatchNormValues, H_bar)
        N, sigma = values.N, np.sqrt(values.v + EPSILON)
        N_bar = self.s * H_bar
        s_bar, b_bar = (H_bar * N).sum(axis=1, keepdims=True), H_bar.sum(axis=1, keepdims=True)
        if values.draws is None:
            H_in_bar = N_bar / sigma
            mean_bar = -H_in_bar.sum(axis=1, keepdims=True)
            variance_bar = -(H_in_bar * N).sum(axis=1, keepdims=True) / (2 * sigma)
            return BatchNormBars(s_bar, b_bar, mean_bar, variance_bar, H_in_bar)
        B, n = values.draws.B, N.shape[1]  # a process has the bars of a mean over its own n examples
        shift, along = (values.draws.total(n * R.sum(axis=1, keepdims=True)) / (n * B) for R in (N_bar, N * N_bar))
        nothing = np.zeros_like(b_bar)
        return BatchNormBars(s_bar, b_bar, nothing, nothing, (N_bar - shift - N * along) / sigma)

    def follow(self, values: BatchNormValues) -> None:
        """Move the running mean and variance towards those of a minibatch in training; one example has no variance."""
        if values.draws is None or values.draws.B == 1:
            return
        B = values.draws.B
        for running, seen in ((self.mean, values.mu), (self.variance, values.v * (B / (B - 1)))):
            running += (1 - DECAY) * (seen - running)

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, batch_norm: Flag) -> BatchNorm:
        """The layer of a config's entry `{batch_norm: true}`: s = 1, b = 0, mean 0 and variance 1."""
        one, zero = np.ones((n_in, 1), maker.dtype), np.zeros((n_in, 1), maker.dtype)
        return cls(one, zero, zero, one)
