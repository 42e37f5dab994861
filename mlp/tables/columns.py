"""Examples ready to train on: splitting rows, standardizing by training statistics, class labels.

Nothing here holds a second copy of a large table: passes over it go in pieces, and its rows are encoded when
minibatches are cut from them (`Encoded`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from mlp.errors import DataError
from mlp.tables.rows import PIECE, Matrix, pieces
from mlp.text import listed
from mlp.types import Array, Examples

SplitMethod = Literal["stratified", "shuffled", "file_order"]

MOST_CLASSES = 2**15  # of a column
FAR_OFF = 16.0  # standard deviations from 0 to a mean; single precision is then 1e-6 of one
SMALL = 2**20  # numbers: of an encoded table that is kept in memory, 4 MB in single precision


class Encoded(Matrix):
    """Examples as the network sees them, N x D in single precision, encoded when they are asked for.

    `X[rows]` is `encode(source[rows])`, where `encode` works on each row by itself: so it is the same, to the last bit,
    as those rows of the whole table encoded at once.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, encode: Callable[[Array], Array], width: int) -> None:
        self.source, self.encode, self.shape = source, encode, (len(source), width)

    def __getitem__(self, rows: Any) -> Array:
        return self.encode(self.source[rows])


def in_memory_if_small(X: Examples) -> Examples:
    """X as an array, from which minibatches are cut faster, if it has at most SMALL numbers."""
    if len(X) * X.shape[1] > SMALL:
        return X
    return np.concatenate(list(pieces(X)))


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

    The k-th of the m rows of a class, in the given order, gets the position (k + s) / m on a line from 0 to 1; the
    rows then go by position. The starts s, between 0 and 1, differ from class to class, because classes of one size
    would otherwise all be cut at once; a single row stays in the middle.
    """
    classes = distinct_rows(labels)[order]
    sizes = np.bincount(classes)
    rank = np.empty(len(sizes))
    rank[np.argsort(sizes, kind="stable")] = np.arange(len(sizes))
    start = np.where(sizes > 1, (rank + 0.5) / len(sizes), 0.5)
    by_class = np.argsort(classes, kind="stable")  # members of class 0, then of class 1, ...
    position = np.empty(len(order))
    ends = np.cumsum(sizes)
    for c, end in enumerate(ends.tolist()):
        members = by_class[end - sizes[c] : end]
        position[members] = (np.arange(len(members)) + start[c]) / sizes[c]
    del classes, by_class  # of a large table, what is left takes more than enough
    return order[np.argsort(position, kind="stable")]


def distinct_rows(labels: Array) -> Array:
    """For each row of labels (N x K), which of the distinct rows it is, in their sorted order."""
    codes: Array = np.zeros(len(labels), np.int64)
    for column in labels.T:
        values = distinct(column)
        codes = codes.astype(np.int64) * len(values) + positions(values, column)
        codes = positions(distinct(codes), codes)
    return codes


def distinct(values: Array) -> Array:
    """The distinct ones of N values, sorted; np.unique, which needs several copies, is given pieces."""
    found = [np.unique(values[start : start + PIECE]) for start in range(0, len(values), PIECE)]
    return np.unique(np.concatenate(found))


def positions(known: Array, values: Array) -> Array:
    """Where each of N values is among the known ones, sorted, in the smallest type of integers that will do."""
    codes = np.empty(len(values), np.min_scalar_type(len(known)))
    for start in range(0, len(values), PIECE):
        codes[start : start + PIECE] = np.searchsorted(known, values[start : start + PIECE])
    return codes


def in_double_precision(X: Examples) -> Iterator[Array]:
    """Pieces of X as float64 in row-major order: sums over them do not depend on where X is and how it is stored."""
    return (np.array(piece, dtype=np.float64, order="C") for piece in pieces(X))


@dataclass(frozen=True)
class Scaler:
    """Standardization, column by column: z = (x - mean) / std, and back again.

    `mean` and `std` have D entries, in the column's own units. Fitted on training rows alone, so that nothing about
    validation or test rows leaks into the inputs. A constant column has std 1: it becomes 0 in training.
    """

    mean: Array
    std: Array

    @classmethod
    def fit(cls, X: Examples, names: Sequence[str]) -> Scaler:
        """The mean and (population) standard deviation of each column of X (N x D), in float64, in two passes.

        Deviations are divided by their largest before they are squared, so that neither 1e300 nor 1e-300 is too much.
        Raises DataError, naming the columns, where even the deviations overflow.
        """
        N, D = X.shape
        mean, squares = np.zeros(D), np.zeros(D)
        low, high = np.full(D, np.inf), np.full(D, -np.inf)
        with np.errstate(over="ignore", invalid="ignore"):
            for piece in in_double_precision(X):
                mean += (piece / N).sum(axis=0)
                low, high = np.minimum(low, piece.min(axis=0)), np.maximum(high, piece.max(axis=0))
            constant = low == high
            largest = np.where(constant, 1.0, np.maximum(high - mean, mean - low))
            for piece in in_double_precision(X):
                squares += np.square((piece - mean) / largest).sum(axis=0)
            std = np.where(constant, 1.0, largest * np.sqrt(squares / N))
        bad = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(std) & (std > 0)))
        if bad.size:
            raise DataError(
                f"values too large to standardize in {listed([names[i] for i in bad.tolist()])} "
                f"(up to {np.maximum(-low, high)[bad].max():g}): rescale the column"
            )
        return cls(mean, std)

    @classmethod
    def identity(cls, size: int) -> Scaler:
        """The scaler that changes nothing."""
        return cls(np.zeros(size), np.ones(size))

    def transform(self, X: Array, dtype: DTypeLike = np.float32) -> Array:
        """(X - mean) / std, in row-major order, in the precision of training.

        All in single precision, where that costs at most about 1e-6 of a standard deviation. Where it would cost more
        (see `single`), in double precision until the end. That depends on mean and std alone: the same numbers give the
        same z, whatever their dtype. Raises DataError when X has not D columns.
        """
        if X.shape[1] != len(self.mean):
            raise DataError(f"{X.shape[1]} columns, expected {len(self.mean)} as in training")
        with np.errstate(over="ignore"):
            if self.single is None or dtype != np.float32:
                return ((X - self.mean) / self.std).astype(dtype, order="C")
            mean, std = self.single
            Z = X.astype(np.float32, order="C")
            Z -= mean
            Z /= std
            return Z

    @cached_property
    def single(self) -> tuple[Array, Array] | None:
        """Mean and std in single precision, unless a mean is FAR_OFF or a std is beyond its range."""
        if np.any((np.abs(self.mean) > FAR_OFF * self.std) | (self.std < 1e-30) | (self.std > 1e30)):
            return None
        return self.mean.astype(np.float32), self.std.astype(np.float32)

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

        Raises DataError for a single class, for more than `most` or MOST_CLASSES,
        for numbers that are not whole (a regression?), and for one number written in two ways, such as 1 and 1.0.
        """
        labels = distinct(written).tolist()
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
        if len(labels) > MOST_CLASSES:
            raise DataError(
                f"target {name!r}: {len(labels):,} classes in {len(written):,} training rows ({listed(labels)}), more "
                f"than {MOST_CLASSES:,}; is it an identifier of the rows?"
            )
        return cls(name, tuple(labels))

    def codes(self, written: Array, where: str) -> Array:
        """The position of each label in `labels`, in the smallest type of integers that will do.

        Raises DataError, naming them, for labels that training never saw.
        """
        found = distinct(written)
        index = {label: k for k, label in enumerate(self.labels)}
        unknown = [label for label in found.tolist() if label not in index]
        if unknown:
            raise DataError(
                f"target {self.name!r}: {listed(unknown)} in the {where} rows but not in the training rows, "
                f"whose classes are {listed(self.labels)}"
            )
        codes = np.array([index[label] for label in found.tolist()], np.min_scalar_type(len(self.labels)))
        return codes[positions(found, written)]


def one_hot(codes: Array, size: int) -> Array:
    """N x size, with 1 where the code is the number of the column and 0 elsewhere."""
    Y = np.zeros((len(codes), size), np.float32)
    Y[np.arange(len(codes)), codes] = 1
    return Y
