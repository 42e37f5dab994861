"""The floor: the matrix products of a step and nothing else, with the shapes and memory layouts that `mlp` has.

    A = W H_in,  W_bar = A_bar H_in^T,  H_in_bar = W^T A_bar  (not for the lowest layer)

The factors are fixed and the results go into arrays that are there already, so nothing but the products is timed.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarking.competitors.with_mlp import describe, limit_threads
from benchmarking.work import Array, Cell, Rows, Weights

__all__ = ["Epoch", "Steps", "describe"]


class Steps:
    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        limit_threads(cell.sizes, cell.batch)
        rng = np.random.default_rng(4)
        self.inputs = [X.T for X, _ in minibatches]  # D x B, each column in one piece, as the training loop cuts them
        self.weights = [W for W, _ in weights]
        self.hidden, self.signals = (
            [rng.standard_normal((len(W), cell.batch), dtype=np.float32) for W in self.weights] for _ in range(2)
        )
        self.outputs = [np.empty_like(signal) for signal in self.signals]
        self.W_bars = [np.empty_like(W) for W in self.weights]
        self.input_bars = [np.empty_like(signal) for signal in self.signals[:-1]]

    def reset(self) -> None:
        """The factors never change."""

    def step(self, i: int) -> None:
        inputs: list[Array] = [self.inputs[i % len(self.inputs)], *self.hidden]
        for W, H, A in zip(self.weights, inputs, self.outputs, strict=False):
            np.matmul(W, H, out=A)
        for layer in reversed(range(len(self.weights))):
            np.matmul(self.signals[layer], inputs[layer].T, out=self.W_bars[layer])
            if layer > 0:
                np.matmul(self.weights[layer].T, self.signals[layer], out=self.input_bars[layer - 1])

    def finish(self) -> None:
        """A step returns when it is done."""


class Epoch:
    """The products of as many steps as an epoch has, without shuffling or cutting; a shorter last one counts whole."""

    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        X, classes = rows
        cuts = [slice(start, start + cell.batch) for start in range(0, len(X) - cell.batch + 1, cell.batch)]
        self.products = Steps(cell, weights, [(X[cut], classes[cut]) for cut in cuts], variant)
        self.count = math.ceil(len(X) / cell.batch)

    def run(self) -> None:
        for i in range(self.count):
            self.products.step(i)
