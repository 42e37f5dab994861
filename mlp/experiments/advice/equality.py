"""What is equal in a table, to the last bit: rows, columns, a column and a target; and whether chance explains it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from mlp.minibatches import batches
from mlp.tables.columns import distinct, positions
from mlp.tables.rows import pieces
from mlp.types import Array, Examples

TOGETHER = 64  # rows that are hashed at a time
PIECE = 256  # rows that are compared at a time


def row_hashes(X: Examples) -> Iterator[int]:
    """A number for each row of X, the same for rows of equal numbers (0 and -0 are equal).

    64 bits of SipHash: of a million different rows, two have one number with a probability of 3e-8.
    """
    for rows in batches(len(X), TOGETHER):
        # + 0.0 makes 0 of -0; of a transposed matrix the rows must be brought together first, for speed
        for row in np.ascontiguousarray(X[rows], dtype=np.float64) + 0.0:
            yield hash(row.tobytes())


def repeated_columns(X: Examples) -> list[tuple[int, int]]:
    """(j, i) for each column j of X that is equal to one on its left, of which i is the first."""
    hashes = [0] * X.shape[1]
    for piece in pieces(X):
        columns = np.ascontiguousarray(piece.T, dtype=np.float64) + 0.0
        before = np.array(hashes)[:, None].view(np.uint8)
        hashes = [hash(old.tobytes() + column.tobytes()) for old, column in zip(before, columns, strict=True)]
    first: dict[int, int] = {}
    originals = [first.setdefault(column, j) for j, column in enumerate(hashes)]
    return [(j, i) for j, i in enumerate(originals) if i < j]


def equal_columns(X: Examples, y: Array, left: Array) -> Array:
    """Those of the columns `left` of X (numbers of columns) that hold the N numbers of y."""
    return those_left(X, left, lambda rows, left: y[rows, None])


def telling_columns(X: Examples, codes: Array, left: Array) -> Array:
    """Those of the columns `left` that have one value for each class in `codes` (N), and no two classes sharing one."""
    classes = distinct(codes)
    example = np.zeros(len(classes), np.int64)  # a row of each class
    for rows in batches(len(codes)):
        found, place = np.unique(codes[rows], return_index=True)
        example[positions(classes, found)] = rows.start + place
    left = those_left(X, left, lambda rows, left: X[example[positions(classes, codes[rows])]][:, left])
    if left.size:
        values = np.concatenate([X[example[some]][:, left] for some in batches(len(example))])
        left = left[[len(np.unique(column)) == len(example) for column in values.T]]
    return left


def those_left(X: Examples, left: Array, expected: Callable[[slice, Array], Array]) -> Array:
    """Those of the columns `left` whose numbers are `expected`; few are, as a rule, after the first piece."""
    for rows in batches(len(X), PIECE):
        if not left.size:
            break
        left = left[(X[rows][:, left] == expected(rows, left)).all(axis=0)]
    return left


def is_coincidence(values: Array, trials: int) -> bool:
    """Whether one of `trials` columns may well hold these N values in this order by chance.

    With n_k of each distinct value there are N! / prod_k n_k! orders. A random order of the same values is the given
    one with the inverse of that as probability, and one of `trials` is with at most `trials` times that. True where
    this is more than 1 %: for the few rows of a toy, or columns of a wide sparse table with one entry each.
    """
    counts = np.unique(values, return_counts=True)[1]
    log_orders = math.lgamma(len(values) + 1) - sum(math.lgamma(n + 1) for n in counts.tolist())
    return log_orders < math.log(100 * trials)
