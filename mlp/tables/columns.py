"""Turn columns into numbers for the network and back: standardization of numbers, codes of class labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike

from mlp.errors import DataError
from mlp.tables.table import examples, slices
from mlp.text import listed
from mlp.types import Array, Examples

MOST_CLASSES = 2**15  # of a column
FAR_OFF = 16.0  # standard deviations from 0 to a mean; single precision is then 1e-6 of one


@dataclass(frozen=True)
class Scaler:
    """Standardization, column by column: z = (x - mean) / std, and back again.

    `mean` and `std` have D entries, in the column's own units. They are those of the training rows alone, so that
    nothing about validation or test rows leaks into the inputs. A constant column has std 1: it becomes 0 in training.
    """

    mean: Array
    std: Array

    @classmethod
    def fit(cls, X: Examples, names: Sequence[str]) -> Scaler:
        """The mean and (population) standard deviation of each column of X (N x D), in float64, in two passes.

        Deviations are divided by their largest before they are squared, so that neither 1e300 nor 1e-300 is too much.
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

    def encode(self, X: Examples, names: Sequence[str]) -> Examples:
        """X (N x D) as the network sees it; the rows of a large table are standardized when they are asked for."""
        Z = examples((len(X), len(self.mean)), np.float32, lambda rows: self.transform(X[rows]))
        for rows in slices(X):
            wrong = np.flatnonzero(~np.isfinite(Z[rows]).all(axis=0)).tolist()
            if wrong:
                these, numbers = listed([names[i] for i in wrong]), np.asarray(X[rows][:, wrong], np.float64)
                if not np.isfinite(numbers).all():
                    raise DataError(f"values that are not finite in {these}")
                size = f"{np.abs(numbers).max():g}"
                raise DataError(
                    f"values too large for {Z.dtype} in {these} (up to {size}); rescale them, or set "
                    "data.standardize: true if it is false"
                )
        return Z

    def transform(self, X: Array, dtype: DTypeLike = np.float32) -> Array:
        """(X - mean) / std, in row-major order, in the precision of training.

        All in single precision, where that costs at most about 1e-6 of a standard deviation. Where it would cost more
        (see `single`), in double precision until the end. That depends on mean and std alone: the same numbers give the
        same z, whatever their dtype.
        """
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


def in_double_precision(X: Examples) -> Iterator[Array]:
    """Pieces of X as float64 in row-major order: sums over them do not depend on where X is and how it is stored."""
    return (np.array(X[rows], dtype=np.float64, order="C") for rows in slices(X))


def distinct_labels(name: str, written: Array) -> tuple[str, ...]:
    """The labels of a training column (N of text), in the order of the network's outputs.

    Labels that are all whole numbers are in numeric order, others in alphabetical order.
    """
    labels = np.unique(written).tolist()
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
    if len(labels) > MOST_CLASSES:
        raise DataError(
            f"target {name!r}: {len(labels):,} classes in {len(written):,} training rows ({listed(labels)}), more "
            f"than {MOST_CLASSES:,}; is it an identifier of the rows?"
        )
    return tuple(labels)


def label_codes(name: str, labels: Sequence[str], written: Array, where: str) -> Array:
    """The position of each label in `labels`, in the smallest type of integers that will do."""
    found, places = np.unique(written, return_inverse=True)
    index = {label: k for k, label in enumerate(labels)}
    unknown = [label for label in found.tolist() if label not in index]
    if unknown:
        raise DataError(
            f"target {name!r}: {listed(unknown)} in the {where} rows but not in the training rows, "
            f"whose classes are {listed(labels)}"
        )
    codes = np.array([index[label] for label in found.tolist()], np.min_scalar_type(len(labels)))
    return codes[places]


def one_hot(codes: Array, size: int) -> Array:
    """N x size, with 1 where the code is the number of the column and 0 elsewhere."""
    Y = np.zeros((len(codes), size), np.float32)
    Y[np.arange(len(codes)), codes] = 1
    return Y
