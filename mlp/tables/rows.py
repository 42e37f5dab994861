"""Rows of a matrix, cut out when they are asked for: from memory, or from a `.npy` file too large for it.

A file is read with `pread`, not mapped into memory. What was read through a mapping counts as memory of the process (a
megabyte for a row of 3 KB, where the system's cache is made of large pages) until it is given back, and giving it back
so often that the memory stays flat made a row in random order take 3.2 to 5.6 us, against 3 to 3.6 us. A mapping also
counts against `ulimit -v`, and kills the process, without a word, when somebody cuts the file short.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.types import Array, Examples

PIECE = 2**18  # numbers that are worked on at a time in a pass over a table: 2 MB in double precision
SLOW = 8e-6  # seconds for a run of rows, beside 1e-9 a byte: it came from a disk, and not from the system's cache


def slices(X: Examples) -> Iterator[slice]:
    """Slices that cover all rows in order, of about PIECE numbers; they depend on the shape of X and nothing else."""
    rows = max(1, PIECE // max(1, X.shape[1]))
    for start in range(0, len(X), rows):
        yield slice(start, min(start + rows, len(X)))


def pieces(X: Examples) -> Iterator[Array]:
    """All rows of X in order, as arrays of about PIECE numbers."""
    return (X[piece] for piece in slices(X))


class Matrix:
    """What every stand-in for an N x D array answers from its shape."""

    shape: tuple[int, int]

    @property
    def ndim(self) -> int:
        return 2

    def __len__(self) -> int:
        return self.shape[0]


class Rows(Matrix):
    """Some rows and columns of a matrix, by their numbers (None: all of them), without a copy.

    `np.asarray(rows)` reads them all. Numbers more precise than a double come as doubles, the type of all arithmetic
    here, in which a larger number is inf.
    """

    def __init__(self, matrix: Examples, rows: Array | None = None, columns: list[int] | None = None) -> None:
        self.matrix, self.rows = matrix, rows
        self.columns: slice | list[int] | None = columns
        if columns == list(range(matrix.shape[1])):
            self.columns = None
        elif columns and columns == list(range(columns[0], columns[0] + len(columns))):
            self.columns = slice(columns[0], columns[0] + len(columns))
        self.shape = (
            len(matrix) if rows is None else len(rows),
            matrix.shape[1] if columns is None else len(columns),
        )
        self.dtype = np.dtype(np.float64) if too_precise(matrix.dtype) else matrix.dtype

    def __getitem__(self, rows: Any) -> Array:
        chosen = rows if self.rows is None else self.rows[rows]
        if self.columns is None:
            found = self.matrix[chosen]
        else:
            if isinstance(chosen, slice):
                chosen = np.arange(*chosen.indices(len(self.matrix)))
            found = np.empty((len(chosen), self.shape[1]), self.matrix.dtype)
            if found.size:  # whole rows are read, perhaps for the sake of a few columns
                at_once = max(1, PIECE // self.matrix.shape[1])
                for start in range(0, len(chosen), at_once):
                    some = slice(start, start + at_once)
                    found[some] = self.matrix[chosen[some]][:, self.columns]
        if too_precise(found.dtype):
            with np.errstate(over="ignore"):
                found = found.astype(np.float64)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.concatenate(list(pieces(self))).astype(dtype or self.dtype, copy=False)


def too_precise(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" and dtype.itemsize > 8


class StoredMatrix(Matrix):
    """The matrix in a `.npy` file, one example a row, whose rows are read when they are asked for.

    `M[rows]` takes a slice or an array of row numbers from 0; raises IndexError for others, and DataError when the file
    has been changed since it was opened. One that is deleted or replaced stays readable. Where rows come from a disk,
    those of one `M[rows]` are asked for all at once, so that it can serve them in its own order.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.path, self.start, self.shape, self.dtype = path, start, shape, dtype
        self.file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self.file)
        self.state = self.look()
        self.slow = False

    def __getitem__(self, rows: Any) -> Array:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        rows = np.asarray(rows)
        if len(rows) and not (rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"{self.path}: rows are numbers from 0 to {len(self) - 1}")
        rows = rows.astype(np.int64)
        row_bytes = self.shape[1] * self.dtype.itemsize
        first = np.flatnonzero(np.diff(rows, prepend=-2) != 1)  # of each run of rows that follow one another
        lengths = np.diff(first, append=len(rows)) * row_bytes
        runs = list(zip((self.start + rows[first] * row_bytes).tolist(), lengths.tolist(), strict=True))
        started = time.perf_counter()
        if self.slow and hasattr(os, "posix_fadvise"):
            for offset, length in runs:
                os.posix_fadvise(self.file, offset, length, os.POSIX_FADV_WILLNEED)
        content = b"".join([self.read(offset, length) for offset, length in runs])
        self.slow = time.perf_counter() - started > SLOW * len(runs) + 1e-9 * len(content)
        if self.look() != self.state:
            raise DataError(f"{self.path}: has changed while it was in use; start again when nothing writes to it")
        return np.frombuffer(content, self.dtype).reshape(len(rows), self.shape[1])

    def read(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self.file, length, offset)
        os.lseek(self.file, offset, os.SEEK_SET)
        return os.read(self.file, length)

    def __reduce__(self) -> str:
        raise TypeError(f"{self.path}: an open file cannot be copied or pickled")

    def look(self) -> tuple[int, int]:
        """What a change of the file changes: its size and the time of the last write."""
        found = os.fstat(self.file)
        return found.st_size, found.st_mtime_ns
