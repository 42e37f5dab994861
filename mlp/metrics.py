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

    highest_is_best = True

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


def poisson_deviance(P: Array, Y: Array) -> float:
    """The mean Poisson deviance of counts Y from means P, 2 mean [Y log(Y / P) - (Y - P)], over all entries."""
    ratio = np.where(Y > 0, Y / np.maximum(P, np.finfo(P.dtype).tiny), 1)
    return float(2 * np.mean(Y * np.log(ratio) - (Y - P)))


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


def class_scores(counts: Array) -> tuple[Array, Array, Array]:
    """Precision, recall and F1 of each of K classes, from K x K counts as `count_pairs` gives them.

    Of class k, precision is the share of right ones among those predicted, recall among the true ones, and
    F1 = 2 right / (predicted + true) their harmonic mean. nan where nothing is divided.
    """
    right, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / predicted, right / true, 2 * right / (predicted + true)


def balanced_accuracy(counts: Array) -> float:
    """The mean recall over the classes that there are, from K x K counts: chance is 1/K, however rare a class is."""
    return float(np.nanmean(class_scores(counts)[1]))


def roc_auc(scores: Array, positive: Array) -> float:
    """The probability that a positive example has a higher score than a negative one; ties count one half.

    The area under the ROC curve, by ranks: (R - n (n + 1) / 2) / (n m), with the sum R of the ranks of the n positive
    examples among all, m of which are negative (Hanley and McNeil 1982). nan where one of the two is absent.
    """
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of those that are equal
    return float((ranks[places][positive].sum() - n * (n + 1) / 2) / (n * m))


def average_precision(scores: Array, positive: Array) -> float:
    """sum_k (R_k - R_k-1) P_k over the distinct scores from the highest on: the area under precision over recall.

    P_k and R_k are precision and recall where all examples of at least the k-th score are taken for positive, without
    interpolation. nan where there are no positive examples.
    """
    n = int(positive.sum())
    if not n:
        return float("nan")
    values, places = np.unique(-scores, return_inverse=True)
    right = np.cumsum(np.bincount(places, positive, len(values)))
    taken = np.cumsum(np.bincount(places, minlength=len(values)))
    return float((np.diff(right, prepend=0) / n * right / taken).sum())


@Share
def row_accuracy(P: Array, Y: Array) -> Array:
    """The share of columns of which all K yes-or-no entries are on Y's side of 1/2."""
    return np.asarray(((P >= 0.5) == (Y >= 0.5)).all(axis=0))
