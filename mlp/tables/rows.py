"""Rows that are made when they are asked for, and passes over a large table in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mlp.types import Array, Examples

PIECE = 2**18  # numbers that are worked on at a time in a pass over a table: 2 MB in double precision
SMALL = 2**20  # numbers: up to here rows are made at once and kept, 4 MB in single precision


class Rows:
    """N x D examples that are made when they are asked for.

    `X[rows]` is `cut(rows)`, an array, for a slice or an array of row numbers. What `cut` makes of a row depends on
    that row alone, so it is the same, to the last bit, as in the whole table made at once.
    """

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: DTypeLike, cut: Callable[[Any], Array]) -> None:
        self.shape, self.dtype, self.cut = shape, np.dtype(dtype), cut

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        return self.cut(rows)


def examples(shape: tuple[int, int], dtype: DTypeLike, cut: Callable[[Any], Array]) -> Examples:
    """The rows that `cut` makes: a small table as an array, a large one as `Rows`, of which there is no second copy."""
    rows = Rows(shape, dtype, cut)
    return rows[:] if shape[0] * shape[1] <= SMALL else rows


def choose_rows(X: Examples, numbers: Array) -> Examples:
    """The rows of X with these numbers."""
    return examples((len(numbers), X.shape[1]), X.dtype, lambda rows: X[numbers[rows]])


def choose_columns(X: Array, numbers: list[int]) -> Examples:
    """The columns of X with these numbers; neighbours are a view of X."""
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return X[:, numbers[0] : numbers[0] + len(numbers)]

    def cut(rows: Any) -> Array:
        return X[rows, numbers] if isinstance(rows, slice) else X[np.ix_(rows, numbers)]

    return examples((len(X), len(numbers)), X.dtype, cut)


def slices(X: Examples) -> Iterator[slice]:
    """Slices that cover all rows in order, of about PIECE numbers; they depend on the shape of X and nothing else."""
    rows = max(1, PIECE // max(1, X.shape[1]))
    for start in range(0, len(X), rows):
        yield slice(start, min(start + rows, len(X)))


def pieces(X: Examples) -> Iterator[Array]:
    """All rows of X in order, as arrays of about PIECE numbers."""
    return (X[rows] for rows in slices(X))
