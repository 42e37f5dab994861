"""Split the rows of a table into training, validation and test rows."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mlp.errors import DataError
from mlp.tables.table import Texts
from mlp.text import listed, quoted
from mlp.types import Array

SplitMethod = Literal["stratified", "shuffled", "file_order"]

Fold = tuple[int, int]
"""(2, 5) is the second of five folds: its rows are for validation, those of the others for training."""

WORDS = {"train": 0, "training": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2}
"""The texts of a column that says which set a row belongs to."""


def split_rows(
    n: int,
    valid: float,
    test: float,
    *,
    method: SplitMethod,
    rng: np.random.Generator,
    labels: Array | None = None,
    fold: Fold | None = None,
) -> tuple[Array, Array, Array]:
    """Row numbers of the training, validation and test set, each in file order; they are disjoint and cover 0 to n - 1.

    `valid` and `test` are fractions of n, rounded to whole rows. "file_order" takes training rows first, then
    validation, then test. "shuffled" draws them with `rng`. "stratified" also draws them, and gives every set the same
    shares of each distinct row of `labels` (n x K), as nearly as whole rows allow. With a `fold`, the rows that are not
    for testing are cut into so many parts of one size, and validation has this one.
    """
    n_valid, n_test = round(n * valid), round(n * test)
    if fold is not None:
        ends = [(n - n_test) * k // fold[1] for k in (fold[0] - 1, fold[0])]
        n_valid, valid = ends[1] - ends[0], 1 / fold[1]
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
    if fold is not None:  # its rows go behind the others for training
        order = np.concatenate(
            [order[: ends[0]], order[ends[1] : n - n_test], order[ends[0] : ends[1]], order[n - n_test :]]
        )
    parts = order[:n_train], order[n_train : n_train + n_valid], order[n_train + n_valid :]
    for part in parts:
        part.sort()
    return parts


def split_groups(
    groups: Array, valid: float, test: float, rng: np.random.Generator, *, column: str, fold: Fold | None = None
) -> tuple[Array, Array, Array]:
    """The same for rows that belong together: all rows with one code in `groups` (n) are in one set.

    The groups are drawn in random order; test is filled first, then validation, each to the number of rows that comes
    nearest to its fraction of n. With a `fold`, the groups that are not for testing are cut into so many parts.
    """
    sizes = np.bincount(groups)
    drawn = rng.permutation(np.flatnonzero(sizes))
    n_test, n_valid = nearest_cuts(sizes[drawn], len(groups), test, valid)
    part = np.zeros(len(sizes), int)
    part[drawn[:n_test]], part[drawn[n_test:n_valid]] = 2, 1
    if fold is not None:
        rest = drawn[n_test:]
        middles = (np.cumsum(sizes[rest]) - sizes[rest] / 2) / sizes[rest].sum()  # of each group, between 0 and 1
        part[rest] = (middles * fold[1]).astype(int) == fold[0] - 1
        valid = 1 / fold[1]
    return checked(parts_of(part[groups]), valid, test, f"data.split.by: {column} has {len(drawn)} groups")


def split_ordered(values: Array, valid: float, test: float, *, column: str) -> tuple[Array, Array, Array]:
    """Train on what is first by `values` (n), then validate, and test on what is last.

    Rows of equal values stay together, so the sets come as near to their fractions as that allows.
    """
    _, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    n_test, n_valid = nearest_cuts(sizes[::-1], len(values), test, valid)
    part = np.zeros(len(sizes), int)
    part[len(sizes) - n_valid :], part[len(sizes) - n_test :] = 1, 2
    return checked(parts_of(part[codes]), valid, test, f"data.split.order: {column} has {len(sizes)} values")


def nearest_cuts(sizes: Array, n: int, first: float, second: float) -> tuple[int, int]:
    """The numbers of groups that, from the first on, come nearest to n first and n (first + second) rows."""
    ends = np.concatenate([[0], np.cumsum(sizes)])
    a, b = (int(np.abs(ends - n * share).argmin()) for share in (first, first + second))
    if first > 0 and a == 0:
        a = 1
    return a, max(b, a + 1) if second > 0 else a


def split_by_parts(
    column: Texts, name: str, valid_part: str | None, test_part: str | None
) -> tuple[Array, Array, Array]:
    """Take the sets from the texts of a column: train, valid and test, or all but the given ones for training."""
    written, codes = column.levels, column.codes
    if (codes < 0).any():
        raise DataError(f"data.split.column: {(codes < 0).sum()} rows have no value in column {quoted(name)}")
    if valid_part is None and test_part is None:
        unknown = [text for text in written if text not in WORDS]
        if unknown:
            raise DataError(
                f"data.split.column: column {quoted(name)} holds {listed(unknown)}, expected train, valid and test; "
                f"of other texts say which are which: data.split: {{column: {name}, test_part: {written[-1]}}}"
            )
        part = np.array([WORDS[text] for text in written])
    else:
        for key, text in (("valid_part", valid_part), ("test_part", test_part)):
            if text is not None and text not in written:
                raise DataError(f"data.split.{key}: no {quoted(text)} in column {quoted(name)}, only {listed(written)}")
        part = np.array([1 if text == valid_part else 2 if text == test_part else 0 for text in written])
    parts = parts_of(part[codes])
    if not parts[0].size:
        raise DataError(f"data.split.column: column {quoted(name)} leaves no rows for training")
    return parts


def parts_of(part: Array) -> tuple[Array, Array, Array]:
    """The rows of the parts 0, 1 and 2, in file order."""
    train, valid, test = (np.flatnonzero(part == k) for k in range(3))
    return train, valid, test


def checked(parts: tuple[Array, Array, Array], valid: float, test: float, what: str) -> tuple[Array, Array, Array]:
    """The parts, if each that was asked for has rows."""
    for name, fraction, rows in zip(("train", "valid", "test"), (1.0, valid, test), parts, strict=True):
        if fraction > 0 and not rows.size:
            raise DataError(
                f"{what}, too few for a {name} set: use other fractions than valid {valid:g}, test {test:g}"
            )
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
