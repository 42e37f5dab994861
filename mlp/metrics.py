"""Metrics: numbers for people, computed from predictions P and targets Y of shape K x N, columns are examples.

P is what a loss's `predict` gives. None of these is differentiated.
"""

from __future__ import annotations

import numpy as np

from mlp.types import Array


def accuracy(P: Array, Y: Array) -> float:
    """The share of columns whose largest entry is in the row that Y marks; Y is one-hot (ties go to the first row)."""
    return float(np.mean(same_class(P, Y)))


def binary_accuracy(P: Array, Y: Array) -> float:
    """The share of all K x N yes-or-no entries on Y's side of 1/2 (P = 1/2 counts as yes)."""
    return float(np.mean(same_side(P, Y)))


def same_class(P: Array, Y: Array) -> Array:
    return np.asarray(P.argmax(axis=0) == Y.argmax(axis=0))


def same_side(P: Array, Y: Array) -> Array:
    return (P >= 0.5) == (Y >= 0.5)


# Metrics that are means of these yes-or-no entries: of a large data set they are counted, piece by piece.
SHARES = {accuracy: same_class, binary_accuracy: same_side}


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
    if not np.all(total > 0):
        return float("nan")
    return float(np.mean(1 - residual / total))


def confusion_matrix(P: Array, Y: Array) -> Array:
    """K x K counts: entry (i, j) is how many examples of class i were predicted to be of class j; Y is one-hot."""
    K = Y.shape[0]
    counts = np.zeros((K, K), dtype=np.int64)
    np.add.at(counts, (Y.argmax(axis=0), P.argmax(axis=0)), 1)
    return counts
