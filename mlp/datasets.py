"""Examples ready to train on: splitting rows, standardizing by training statistics, class labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from mlp.activations import Array
from mlp.tables import DataError, listed

SplitMethod = Literal["stratified", "shuffled", "file_order"]

MOST_ONE_HOT = 2**30  # numbers in the one-hot codes of a column: 4 GiB in single precision


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
    validation, then test; "shuffled" draws them with `rng`; "stratified" also draws, and gives every set the same
    shares of each distinct row of `labels` (n x K) as nearly as whole rows allow. Raises DataError when a set that
    was asked for, or training, would get no row.
    """
    n_valid, n_test = round(n * valid), round(n * test)
    n_train = n - n_valid - n_test
    for name, fraction, count in (("valid", valid, n_valid), ("test", test, n_test), ("train", 1.0, n_train)):
        if fraction > 0 and count < 1:
            raise DataError(
                f"the split leaves 0 of {n} rows for {name}: use more rows or other fractions than "
                f"valid {valid:g}, test {test:g}"
            )
    if method == "file_order":
        order = np.arange(n)
    else:
        order = rng.permutation(n)
        if method == "stratified":
            assert labels is not None
            order = spread_classes(order, labels)
    parts = order[:n_train], order[n_train : n_train + n_valid], order[n_train + n_valid :]
    return np.sort(parts[0]), np.sort(parts[1]), np.sort(parts[2])


def spread_classes(order: Array, labels: Array) -> Array:
    """Reorder rows so that every stretch of them holds the classes in about their overall shares.

    The k-th of the m rows of a class, in the given order, gets the position (k + s) / m on a line from 0 to 1; the
    rows then go by position. The starts s, between 0 and 1, differ from class to class, because classes of one size
    would otherwise all be cut at once; a single row stays in the middle.
    """
    _, classes, sizes = np.unique(labels[order], axis=0, return_inverse=True, return_counts=True)
    by_class = np.argsort(classes.reshape(-1), kind="stable")  # members of class 0, then of class 1, ...
    k = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.empty(len(sizes))
    rank[np.argsort(sizes, kind="stable")] = np.arange(len(sizes))
    start = np.where(sizes > 1, (rank + 0.5) / len(sizes), 0.5)
    position = np.empty(len(order))
    position[by_class] = (k + np.repeat(start, sizes)) / np.repeat(sizes, sizes)
    return order[np.argsort(position, kind="stable")]


@dataclass(frozen=True)
class Scaler:
    """Standardization, column by column: z = (x - mean) / std, and back again.

    `mean` and `std` have D entries, in the column's own units. Fitted on training rows alone, so that nothing about
    validation or test rows leaks into the inputs. A constant column has std 1: it becomes 0 in training.
    """

    mean: Array
    std: Array

    @classmethod
    def fit(cls, X: Array, names: Sequence[str]) -> Scaler:
        """The mean and (population) standard deviation of each column of X (N x D), in float64.

        Deviations are divided by their largest before they are squared, so that neither 1e300 nor 1e-300 is too much.
        Raises DataError, naming the columns, where even the deviations overflow.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            X = np.asarray(X, dtype=np.float64)
            mean = (X / len(X)).sum(axis=0)
            deviation = X - mean
            largest = np.abs(deviation).max(axis=0)
            constant = X.max(axis=0) == X.min(axis=0)
            largest[constant] = 1.0
            std = largest * np.sqrt(np.mean(np.square(deviation / largest), axis=0))
        std[constant] = 1.0
        bad = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(std) & (std > 0)))
        if bad.size:
            raise DataError(
                f"values too large to standardize in {listed([names[i] for i in bad.tolist()])} "
                f"(up to {np.abs(X[:, bad]).max():g}): rescale the column"
            )
        return cls(mean, std)

    @classmethod
    def identity(cls, size: int) -> Scaler:
        """The scaler that changes nothing."""
        return cls(np.zeros(size), np.ones(size))

    def transform(self, X: Array, dtype: DTypeLike = np.float32) -> Array:
        """(X - mean) / std in the precision of training; computed in float64.

        Raises DataError when X has not D columns.
        """
        if X.shape[1] != len(self.mean):
            raise DataError(f"{X.shape[1]} columns, expected {len(self.mean)} as in training")
        with np.errstate(over="ignore"):
            return ((X - self.mean) / self.std).astype(dtype)

    def inverse(self, Z: Array) -> Array:
        """mean + std Z, in float64: N x D back in the columns' own units."""
        return self.mean + self.std * Z


@dataclass(frozen=True)
class Classes:
    """The labels of one target column, as they were written, in the order of the network's outputs.

    Labels that are all whole numbers are in numeric order, others in alphabetical order.
    """

    name: str
    labels: tuple[str, ...]

    @classmethod
    def fit(cls, name: str, written: Array, *, most: int | None = None) -> Classes:
        """The distinct labels of a training column (N of text).

        Raises DataError for a single class, for more than `most`, for so many that their one-hot codes are too large,
        for numbers that are not whole (a regression?), and for one number written in two ways, such as 1 and 1.0.
        """
        labels = sorted(set(written.tolist()))
        try:
            numbers = [float(label) for label in labels]
        except ValueError:
            numbers = []
        if numbers:
            fractions = [label for label, number in zip(labels, numbers, strict=True) if not number.is_integer()]
            if fractions:
                raise DataError(
                    f"target {name!r}: the labels {listed(fractions)} are not whole numbers; "
                    "use task: regression for a quantity, or text for classes"
                )
            if len(set(numbers)) < len(labels):
                raise DataError(f"target {name!r}: one class is written in two ways among {listed(labels)}")
            labels = [label for _, label in sorted(zip(numbers, labels, strict=True))]
        if len(labels) < 2:
            raise DataError(f"target {name!r}: only one class in the training rows, {labels[0]!r}: nothing to learn")
        if most is not None and len(labels) > most:
            raise DataError(
                f"target {name!r}: {len(labels)} classes ({listed(labels)}), but logistic_cross_entropy tells {most} "
                "apart; use loss: softmax_cross_entropy"
            )
        if len(labels) * len(written) > MOST_ONE_HOT:
            raise DataError(
                f"target {name!r}: {len(labels):,} classes in {len(written):,} training rows ({listed(labels)}): their "
                f"one-hot codes are more than {MOST_ONE_HOT:,} numbers; is it an identifier of the rows?"
            )
        return cls(name, tuple(labels))

    def codes(self, written: Array, where: str) -> Array:
        """The position of each label in `labels`. Raises DataError, naming them, for labels that training never saw."""
        index = {label: k for k, label in enumerate(self.labels)}
        unknown = sorted(set(written.tolist()) - set(index))
        if unknown:
            raise DataError(
                f"target {self.name!r}: {listed(unknown)} in the {where} rows but not in the training rows, "
                f"whose classes are {listed(self.labels)}"
            )
        return np.array([index[label] for label in written.tolist()], dtype=np.intp)
