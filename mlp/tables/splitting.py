"""Split the rows of a table into training, validation and test rows."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mlp.errors import DataError
from mlp.types import Array

SplitMethod = Literal["stratified", "shuffled", "file_order"]


def split_rows(
    n: int,
    valid: float,
    test: float,
    *,
    method: SplitMethod,
    rng: np.random.Generator,
    labels: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Row numbers of the training, validation and test set, each in file order; they are disjoint and cover 0 to n - 1.

    `valid` and `test` are fractions of n, rounded to whole rows. "file_order" takes training rows first, then
    validation, then test. "shuffled" draws them with `rng`. "stratified" also draws them, and gives every set the same
    shares of each distinct row of `labels` (n x K), as nearly as whole rows allow.
    """
    n_valid, n_test = round(n * valid), round(n * test)
    n_train = n - n_valid - n_test
    for name, fraction, count in (("valid", valid, n_valid), ("test", test, n_test), ("train", 1.0, n_train)):
        if fraction > 0 and count < 1:
            raise DataError(
                f"the split leaves 0 of {n} rows for {name}: use more rows or other fractions than "
                f"valid {valid:g}, test {test:g}"
            )
    order = np.arange(n, dtype=np.uint32 if n < 2**32 else np.uint64)
    if method != "file_order":
        rng.shuffle(order)
        if method == "stratified":
            assert labels is not None
            order = spread_classes(order, labels)
    parts = order[:n_train], order[n_train : n_train + n_valid], order[n_train + n_valid :]
    for part in parts:
        part.sort()
    return parts


def spread_classes(order: Array, labels: Array) -> Array:
    """Reorder rows so that every stretch of them holds the classes in about their overall shares.

    The k-th of the m rows of a class, in the given order, gets the position (k + s) / m on a line from 0 to 1. The
    rows are then sorted by position. The starts s, between 0 and 1, differ from class to class: otherwise all classes
    of one size would lose a row at the same boundary. A class of one row is in the middle.
    """
    classes = distinct_rows(labels)[order]
    sizes = np.bincount(classes)
    rank = np.empty(len(sizes))
    rank[np.argsort(sizes, kind="stable")] = np.arange(len(sizes))
    start = np.where(sizes > 1, (rank + 0.5) / len(sizes), 0.5)
    by_class = np.argsort(classes, kind="stable")  # members of class 0, then of class 1, ...
    size = np.repeat(sizes, sizes)
    k = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    position = np.empty(len(order))
    position[by_class] = (k + np.repeat(start, sizes)) / size
    return order[np.argsort(position, kind="stable")]


def distinct_rows(labels: Array) -> Array:
    """For each row of labels (N x K), which of the distinct rows it is, in their sorted order."""
    codes = np.zeros(len(labels), np.int64)
    for column in labels.T:  # much faster than np.unique of whole rows
        values, places = np.unique(column, return_inverse=True)
        _, codes = np.unique(codes * len(values) + places, return_inverse=True)
    return codes
