"""Read tables: CSV with or without a header, `.npy` and `.npz`; one example a row.

Nothing is guessed and nothing is filled in: a cell that is not what its column needs is refused with file, line, column
and value. A `DataError` is one line that a person can act on.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mlp.errors import DataError
from mlp.tables.array_files import read_npy, read_npz
from mlp.tables.csv_files import read_csv
from mlp.tables.table import Table
from mlp.text import listed

__all__ = ["Table", "read_table", "standard_input"]


def standard_input() -> BinaryIO:
    """Standard input as bytes. Raises DataError when it is closed."""
    if sys.stdin is None:
        raise DataError("standard input: is closed")
    return sys.stdin.buffer


def read_table(
    path: Path | str,
    *,
    targets: Sequence[str] = (),
    inputs: Sequence[str] | None = None,
    labels: bool = False,
    delimiter: str = ",",
    header: bool | None = None,
) -> Table:
    """Read a table; the ending decides: `.npy`, `.npz`, and CSV for everything else ("-" is CSV on standard input).

    CSV: UTF-8 (a byte order mark is fine), any line ends, quoted fields, blank lines skipped. `header=None` takes the
    first row as column names if no cell of it is a number, and refuses to guess otherwise; without a header, columns
    are called "0", "1", ... The same names serve the columns of a `.npy` matrix. In a `.npz` file `targets` and
    `inputs` (one name, default "X") name arrays.

    `targets` are the columns of Y, read as text where `labels` is true. `inputs` are the columns of X; None takes all
    others. A `.npy` file of more than 256 MiB is mapped, not loaded (see `read_npy`).
    """
    overlap = sorted(set(targets) & set(inputs or ()))
    if overlap:
        raise DataError(f"{path}: {listed(overlap)} among both the targets and the inputs: the answer would leak")
    if str(path) == "-":
        return read_csv("standard input", standard_input(), targets, inputs, labels, delimiter, header)
    path = Path(path)
    try:
        check_kind(path)
        if path.suffix == ".npy":
            return read_npy(path, targets, inputs, labels)
        if path.suffix == ".npz":
            return read_npz(path, targets, inputs, labels)
        with open(path, "rb") as file:
            return read_csv(str(path), file, targets, inputs, labels, delimiter, header)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except MemoryError:
        raise DataError(f"{path}: is more than fits into the memory of this machine") from None


def check_kind(path: Path) -> None:
    """Raises DataError for what is neither a file nor a stream that ends, OSError where there is nothing."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a NUL, or half of a character
        raise DataError(f"{path}: is not a path: {error}") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{path}: is a directory, expected a table (.csv, .npy or .npz)")
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        raise DataError(f"{path}: is a device, and may have no end; expected a table (.csv, .npy or .npz)")
