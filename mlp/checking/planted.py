"""Known mistakes, each planted in a layer, loss, penalty, operation, loop or coding of a few lines, to see it caught.

Every class and function here is wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlp.autodiff.operation import Operation
from mlp.checking.loss import softmax
from mlp.layers.dense import Layer, LayerBars, LayerValues
from mlp.losses import SoftmaxCrossEntropy, SquaredError
from mlp.network import Network
from mlp.penalties import L2Penalty
from mlp.types import Array


class TransposedWBar(Layer):
    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        bars = super().backward(values, H_bar, input_bar=input_bar)
        return bars._replace(W_bar=values.H_in @ bars.A_bar.T)  # for A_bar H_in^T


class WForWT(Layer):
    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        bars = super().backward(values, H_bar, input_bar=input_bar)
        return bars._replace(H_in_bar=self.W @ bars.A_bar)  # for W^T A_bar


class BBarNotSummed(Layer):
    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        bars = super().backward(values, H_bar, input_bar=input_bar)
        return bars._replace(b_bar=bars.A_bar)  # for A_bar 1


class SlopeForgotten(Layer):
    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        A_bar = H_bar  # for g'(A) * H_bar
        return LayerBars(A_bar, A_bar.sum(axis=1, keepdims=True), A_bar @ values.H_in.T, self.W.T @ A_bar)


class SlopeAtH(Layer):
    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        A_bar = self.g.slope(values.H, self.g(values.H)) * H_bar  # for the slope at A
        return LayerBars(A_bar, A_bar.sum(axis=1, keepdims=True), A_bar @ values.H_in.T, self.W.T @ A_bar)


class EarlierValues(Layer):
    kept: Any = None

    def forward(self, H_in: Array) -> LayerValues:
        if self.kept is None:  # for every time
            self.kept = super().forward(H_in)
        return super().forward(H_in)

    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        return super().backward(self.kept, H_bar, input_bar=input_bar)


class WrongAsLowest(Layer):
    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        bars = super().backward(values, H_bar, input_bar=input_bar)
        return bars if input_bar else bars._replace(W_bar=-bars.W_bar)  # for the same W_bar


class InPlace(Layer):
    def forward(self, H_in: Array) -> LayerValues:
        A = self.W @ H_in + self.b
        return LayerValues(H_in, A, np.maximum(A, 0, out=A))  # H is A, and A is gone


class Overwriting(Layer):
    """H = g(W H_in + b 1^T) + H_in, as in a residual network, so that H_in is used twice."""

    def forward(self, H_in: Array) -> LayerValues:
        values = super().forward(H_in)
        return values._replace(H=values.H + H_in)

    def backward(self, values: LayerValues, H_bar: Array, *, input_bar: bool = True) -> LayerBars:
        bars = super().backward(values._replace(H=self.g(values.A)), H_bar)
        uses = {"H_in": H_bar} | {"H_in": bars.H_in_bar}  # for the sum of both
        return bars._replace(H_in_bar=uses["H_in"])


class MeanCostSumSeed(SquaredError):
    def seed(self, F: Array, Y: Array) -> Array:
        return F - Y  # for (F - Y) / B


class HalfMissing(SquaredError):
    def cost(self, F: Array, Y: Array) -> Any:
        return ((F - Y) * (F - Y)).sum() / F.shape[1]  # for / 2B, which the seed belongs to


class WrongAxis(SoftmaxCrossEntropy):
    def seed(self, F: Array, Y: Array) -> Array:
        return (softmax(F, axis=1) - Y) / F.shape[1]  # for axis=0


class DecayOnB(L2Penalty):
    def add_to(self, network: Network, bars: list[Any]) -> None:
        for _, parameter, bar in network.with_bars(bars):  # for those in network.penalized
            bar += self.strength * parameter


def plain_loop(
    network: Any, loss: Any, optimizer: Any, data: Any, *, rng: Any, epochs: int, batch_size: int, l2: float
) -> Iterator[None]:
    """A loop whose last minibatch, when it is short, counts as a share of a full one."""
    X, Y = data
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            values = network.forward(X[rows].T)
            F_bar = loss.seed(values[-1].H, Y[rows].T) * len(rows) / batch_size  # for the seed as it is
            bars = network.backward(values, F_bar)
            L2Penalty(l2).add_to(network, bars)
            optimizer.step(network, bars)
        yield


def one_hot_from_one(written: list[str], labels: list[str]) -> Array:
    codes = [labels.index(label) + 1 for label in written]  # for labels counted from 0
    return np.eye(len(labels))[np.array(codes) % len(labels)]


def overwriting_reverse(C_bar: Array, C: Array, A: Array) -> tuple[Array]:
    bars = {}
    for other in (A, A):  # A is both parents of C = A * A
        bars["A"] = C_bar * other  # for +=
    return (bars["A"],)


OVERWRITING_SQUARE = Operation(
    "A * A",
    value=lambda A: A * A,
    forward=lambda dots, C, A: A * dots[0] + dots[0] * A,
    reverse=overwriting_reverse,
    source="wrong on purpose",
)
