"""Turn columns into numbers for the network and back: standardization of numbers, codes of class labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from mlp.errors import DataError
from mlp.tables.cells import to_number
from mlp.tables.table import examples, slices
from mlp.text import listed
from mlp.types import Array, Examples

MOST_CLASSES = 2**15  # of a column
FEW_CLASSES = 20  # numbers that are classes without a doubt
FAR_OFF = 16.0  # standard deviations from 0 to a mean; single precision is then 1e-6 of one


class Measured(NamedTuple):
    """Mean, standard deviation and range of each of D columns, over the cells that are not missing.

    All are float64 but for the count of `missing`.

    `std` is that of the population, and 1 where the column is constant; `mean` is then the constant itself.
    """

    mean: Array
    std: Array
    low: Array
    high: Array
    missing: Array

    @classmethod
    def of(cls, X: Examples, names: Sequence[str]) -> Measured:
        """Measure each column of X (N x D) in two passes. Raises DataError for one without any value.

        Deviations are divided by their largest before they are squared, so that neither 1e300 nor 1e-300 is too much.
        """
        N, D = X.shape
        mean, squares, missing = np.zeros(D), np.zeros(D), np.zeros(D, np.int64)
        low, high = np.full(D, np.inf), np.full(D, -np.inf)
        for piece in in_double_precision(X):
            missing += np.isnan(piece).sum(axis=0)
        if empty := [names[i] for i in np.flatnonzero(missing == N).tolist()]:
            raise DataError(
                f"no value in the {N} training rows in {listed(empty)}; data.columns: {{{empty[0]}: ignore}} leaves "
                "such a column out"
            )
        counts = N - missing
        with np.errstate(over="ignore", invalid="ignore"):
            for piece in in_double_precision(X):
                mean += np.where(np.isnan(piece), 0, piece / counts).sum(axis=0)
                low, high = np.fmin(low, np.fmin.reduce(piece)), np.fmax(high, np.fmax.reduce(piece))
            constant = low == high
            mean = np.where(constant, low, mean)  # a sum may be rounded
            largest = np.where(constant, 1.0, np.maximum(high - mean, mean - low))
            for piece in in_double_precision(X):
                squares += np.where(np.isnan(piece), 0, np.square((piece - mean) / largest)).sum(axis=0)
            std = np.where(constant, 1.0, largest * np.sqrt(squares / counts))
        bad = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(std) & (std > 0)))
        if bad.size:
            raise DataError(
                f"values too large to standardize in {listed([names[i] for i in bad.tolist()])} "
                f"(up to {np.maximum(-low, high)[bad].max():g}): rescale the column"
            )
        return cls(mean, std, low, high, missing)


@dataclass(frozen=True)
class Scaler:
    """Standardization, column by column: z = (x - mean) / std, and back again.

    `mean` and `std` have D entries, in the column's own units. They are those of the training rows alone, so that
    nothing about validation or test rows leaks into the inputs. A constant column becomes 0 in training, exactly.
    """

    mean: Array
    std: Array

    @classmethod
    def fit(cls, X: Examples, names: Sequence[str]) -> Scaler:
        """The scaler of the mean and standard deviation of each column of X (N x D), see `Measured`."""
        measured = Measured.of(X, names)
        return cls(measured.mean, measured.std)

    @classmethod
    def identity(cls, size: int) -> Scaler:
        """The scaler that changes nothing."""
        return cls(np.zeros(size), np.ones(size))

    def encode(self, X: Examples, names: Sequence[str]) -> Examples:
        """X (N x D) as the network sees it; the rows of a large table are standardized when they are asked for."""
        Z = examples((len(X), len(self.mean)), np.float32, lambda rows: self.transform(X[rows]))
        for rows in slices(X):
            check_finite(Z[rows], partial(X.__getitem__, rows), names, "data.standardize_target")
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


def check_finite(Z: Array, written: Callable[[], Array], names: Sequence[str], key: str = "data.standardize") -> None:
    """Raises DataError for coded numbers that are not finite: the written ones are not, or are too large."""
    wrong = np.flatnonzero(~np.isfinite(Z).all(axis=0)).tolist()
    if wrong:
        these, numbers = listed([names[i] for i in wrong]), np.asarray(written()[:, wrong], np.float64)
        if not np.isfinite(numbers).all():
            raise DataError(f"values that are not finite in {these}")
        raise DataError(
            f"values too large for {Z.dtype} in {these} (up to {np.abs(numbers).max():g}); rescale them, or set "
            f"{key}: true if it is false"
        )


def in_double_precision(X: Examples) -> Iterator[Array]:
    """Pieces of X as float64 in row-major order: sums over them do not depend on where X is and how it is stored."""
    return (np.array(X[rows], dtype=np.float64, order="C") for rows in slices(X))


def distinct_labels(name: str, written: Array) -> tuple[str, ...]:
    """The labels of a training column (N of text), as they are written, in the order of the network's outputs.

    Labels that are all numbers are in numeric order, others in alphabetical order.
    """
    labels = np.unique(written).tolist()
    numbers = [to_number(label) for label in labels]
    if all(number is not None for number in numbers):
        labels = [label for _, label in sorted(zip(numbers, labels, strict=True))]
    if len(labels) < 2:
        raise DataError(f"target {name!r}: only one class in the training rows, {labels[0]!r}: nothing to learn")
    if len(labels) > MOST_CLASSES:
        raise DataError(
            f"target {name!r}: {len(labels):,} classes in {len(written):,} training rows ({listed(labels)}), more "
            f"than {MOST_CLASSES:,}; is it an identifier of the rows, or a quantity (task: regression)?"
        )
    return tuple(labels)


def label_codes(name: str, labels: Sequence[str], written: Array, where: str) -> Array:
    """The position of each label in `labels`, in the smallest type of integers that will do."""
    found, places = np.unique(written, return_inverse=True)
    index = {label: k for k, label in enumerate(labels)}
    unknown = [label for label in found.tolist() if label not in index]
    if unknown:
        quantities = len(labels) > FEW_CLASSES and None not in map(to_number, labels)
        hint = "; if they are quantities, task: regression" if quantities else ""
        raise DataError(
            f"target {name!r}: {listed(unknown)} in the {where} rows but not in the training rows, "
            f"whose classes are {listed(labels)}{hint}"
        )
    codes = np.array([index[label] for label in found.tolist()], np.min_scalar_type(len(labels)))
    return codes[places]


def one_hot(codes: Array, size: int) -> Array:
    """N x size, with 1 where the code is the number of the column and 0 elsewhere."""
    Y = np.zeros((len(codes), size), np.float32)
    Y[np.arange(len(codes)), codes] = 1
    return Y
