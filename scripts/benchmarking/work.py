"""The work that every competitor does: networks, initial weights, minibatches, and the losses that it must reach.

Everything is made from a seed by NumPy alone, so that each competitor's own process makes the same arrays. The losses
are those of plain formulas in float64, which no competitor takes part in.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NETWORKS = ("64-32-10", "784-100-10", "784-256-128-10", "784-512-512-10", "1024-1024-1024-1024-10")
BATCHES = (32, 128, 512)
OPTIMIZERS = ("sgd", "adam")

LEARNING_RATES = {"sgd": 2.0, "adam": 0.1}
"""For each input one part: low, so that rounding errors grow slowly in wide networks and losses in two precisions can
be compared, yet high enough for losses to move. They change no time."""

MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

COMPARED_STEPS = 100
"""So many minibatches there are, and after so many steps losses are compared."""


class Cell(NamedTuple):
    """One setting of the grid; `sizes` are the network's widths from inputs to classes."""

    network: str
    batch: int
    optimizer: str

    @property
    def sizes(self) -> list[int]:
        return [int(size) for size in self.network.split("-")]

    @property
    def learning_rate(self) -> float:
        return LEARNING_RATES[self.optimizer] / self.sizes[0]


Weights = list[tuple[Array, Array]]
"""W (K_out x K_in) and b (K_out x 1) of each layer, lowest first; hidden layers are relu, the highest is linear."""

Rows = tuple[Array, Array]
"""X (N x D, float32) and the classes of its rows (N, whole numbers)."""


def initial_weights(sizes: Sequence[int]) -> Weights:
    """Normal with variance 2 / K_in, and small biases, so that a competitor that forgets them is found out."""
    rng = np.random.default_rng(1)
    return [
        (
            (rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in)).astype(np.float32),
            (0.1 * rng.standard_normal((n_out, 1))).astype(np.float32),
        )
        for n_in, n_out in pairwise(sizes)
    ]


def make_rows(sizes: Sequence[int], count: int) -> Rows:
    """Standard normal inputs, and as classes the largest of K random projections with noise: it can be learned."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((count, sizes[0]), dtype=np.float32)
    teacher = rng.standard_normal((sizes[0], sizes[-1]), dtype=np.float32)
    scores = X @ teacher
    scores += np.sqrt(sizes[0]) * rng.standard_normal(scores.shape, dtype=np.float32)
    return X, scores.argmax(axis=1)


def minibatches(cell: Cell) -> list[Rows]:
    """`COMPARED_STEPS` minibatches of B rows, each in memory of its own as a gather of shuffled rows leaves it."""
    X, classes = make_rows(cell.sizes, COMPARED_STEPS * cell.batch)
    cuts = [slice(start, start + cell.batch) for start in range(0, len(X), cell.batch)]
    return [(X[rows].copy(), classes[rows].copy()) for rows in cuts]


def one_hot(classes: Array, count: int) -> Array:
    """N x K, float32."""
    return np.eye(count, dtype=np.float32)[classes]


def reference_losses(cell: Cell, steps: int = COMPARED_STEPS) -> list[float]:
    """The mean cross-entropy of each minibatch before its step: one example a row, float64, formulas written out."""
    weights = [(W.T.astype(np.float64), b.T.astype(np.float64)) for W, b in initial_weights(cell.sizes)]
    parameters = [parameter for layer in weights for parameter in layer]
    first, second = ([np.zeros_like(parameter) for parameter in parameters] for _ in range(2))
    losses = []
    for t, (X, classes) in enumerate(minibatches(cell)[:steps], 1):
        inputs = [X.astype(np.float64)]
        for W, b in weights[:-1]:
            inputs.append(np.maximum(inputs[-1] @ W + b, 0))
        logits = inputs[-1] @ weights[-1][0] + weights[-1][1]
        logits -= logits.max(axis=1, keepdims=True)
        log_sums = np.log(np.exp(logits).sum(axis=1))
        rows = np.arange(len(X))
        losses.append(float((log_sums - logits[rows, classes]).mean()))

        signal = np.exp(logits - log_sums[:, None])
        signal[rows, classes] -= 1
        signal /= len(X)
        gradients = []
        for (W, _), H in zip(reversed(weights), reversed(inputs), strict=True):
            gradients += [signal.sum(axis=0, keepdims=True), H.T @ signal]
            if H is not inputs[0]:
                signal = (signal @ W.T) * (H > 0)
        for parameter, gradient, m, s in zip(parameters, reversed(gradients), first, second, strict=True):
            if cell.optimizer == "sgd":
                m[...] = MOMENTUM * m + gradient
                parameter -= cell.learning_rate * m
            else:
                m[...] = BETA1 * m + (1 - BETA1) * gradient
                s[...] = BETA2 * s + (1 - BETA2) * gradient**2
                scale = np.sqrt(s / (1 - BETA2**t)) + EPSILON
                parameter -= cell.learning_rate * m / (1 - BETA1**t) / scale
    return losses
