"""Metrics: numbers for people, computed from predictions P and targets Y of shape K x N, columns are examples.

P is what a loss's `predict` gives. None of these is differentiated. A metric of your own is any function of P and Y.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper

import numpy as np

from mlp.types import Array


class Share:
    """A metric that is the share of entries that are right, made of the function that says which are.

    It adds up: of a large data set `evaluate` counts the right `entries` batch by batch, and keeps no predictions.
    """

    def __init__(self, entries: Callable[[Array, Array], Array]) -> None:
        self.entries = entries
        update_wrapper(self, entries)

    def __call__(self, P: Array, Y: Array) -> float:
        return float(np.mean(self.entries(P, Y)))


@Share
def accuracy(P: Array, Y: Array) -> Array:
    """The share of columns whose largest entry is in the row that Y marks; Y is one-hot (ties go to the first row)."""
    return np.asarray(P.argmax(axis=0) == Y.argmax(axis=0))


@Share
def binary_accuracy(P: Array, Y: Array) -> Array:
    """The share of all K x N yes-or-no entries on Y's side of 1/2 (P = 1/2 counts as yes)."""
    return (P >= 0.5) == (Y >= 0.5)


def rmse(P: Array, Y: Array) -> float:
    """Root mean squared error, sqrt(mean (P - Y)^2) over all entries, in the units of Y."""
    return float(np.sqrt(np.mean(np.square(P - Y))))


def mae(P: Array, Y: Array) -> float:
    """Mean absolute error, mean |P - Y| over all entries, in the units of Y."""
    return float(np.mean(np.abs(P - Y)))


def r2(P: Array, Y: Array) -> float:
    """Coefficient of determination, 1 - sum (P - Y)^2 / sum (Y - mean Y)^2 per row, averaged over the K rows.

    1 is perfect and 0 is what the mean of Y would get; nan where a row of Y is constant, since the ratio has no
    meaning.
    """
    residual = np.square(P - Y).sum(axis=1)
    total = np.square(Y - Y.mean(axis=1, keepdims=True)).sum(axis=1)
    if np.any(np.ptp(Y, axis=1) == 0) or not np.all(total > 0):  # a sum may be above 0 by rounding alone
        return float("nan")
    return float(np.mean(1 - residual / total))


def confusion_matrix(P: Array, Y: Array) -> Array:
    """K x K counts: entry (i, j) is how many examples of class i were predicted to be of class j; Y is one-hot."""
    return count_pairs(Y.argmax(axis=0), P.argmax(axis=0), len(Y))


def count_pairs(true: Array, predicted: Array, K: int) -> Array:
    """K x K counts: entry (i, j) is how many examples of class i were predicted to be of class j."""
    counts = np.zeros((K, K), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    return counts
