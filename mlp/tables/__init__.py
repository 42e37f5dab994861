"""Read tables: CSV and its relatives, Parquet, JSON, `.npy` and `.npz`; one example a row.

Nothing is filled in, and a cell that is not what its column needs is refused with file, line, column and value. A
`DataError` is one line that a person can act on.
"""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from mlp.arguments import check_arguments
from mlp.errors import DataError
from mlp.tables.array_files import read_npy, read_npz
from mlp.tables.reading import Reading
from mlp.tables.table import Table
from mlp.text import listed

__all__ = ["Reading", "Table", "column_names", "files_of", "read_table", "standard_input"]

EXPECTED = "expected a table (.csv, .tsv, .parquet, .json, .npy or .npz)"


def standard_input() -> BinaryIO:
    """Standard input as bytes. Raises DataError when it is closed."""
    if sys.stdin is None:
        raise DataError("standard input: is closed")
    return sys.stdin.buffer


def read_table(
    path: Path | str,
    *,
    inputs: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    targets: Sequence[str] = (),
    labels: bool = False,
    kinds: Mapping[str, str] | None = None,
    others: Mapping[str, str | None] | None = None,
    reading: Reading | None = None,
    strict: bool = True,
) -> Table:
    """Read a table; the ending decides: Parquet, JSON, `.npy`, `.npz`, and delimited text for everything else.

    Text may be packed (`.gz`, `.zst`), "-" is text on standard input, and a pattern such as `part*.csv` names several
    files of one header. `reading` says how it is written, where that cannot be seen. Without a header, columns are
    called "0", "1", ...; the same names serve the columns of a `.npy` matrix. In a `.npz` file `targets` and `inputs`
    (one name, default "X") name arrays.

    `targets` are the columns of Y, read as text where `labels` is true. `inputs` are the input columns; None takes all
    that are not targets, in `exclude`, in `others`, or of the kind "ignore". `kinds` has the kinds of columns that are
    known: number, boolean, date, category, or quantity for any of the first three. `others` are columns that are wanted
    besides, as "number", as "text", or None for what they look like. A column of numbers and texts is refused; if not
    `strict`, it is a category.
    """
    check_arguments(read_table, locals())
    kinds, others, reading = kinds or {}, others or {}, reading or Reading()
    overlap = sorted(set(targets) & set(inputs or ()))
    if overlap:
        raise DataError(f"{path}: {listed(overlap)} among both the targets and the inputs: the answer would leak")
    source = "standard input" if str(path) == "-" else str(path)
    try:
        if source.endswith((".npy", ".npz")):
            read = read_npy if source.endswith(".npy") else read_npz
            check_kind(Path(path))
            check_arrays(source, kinds, reading)
            left_out = [*exclude, *(name for name, kind in kinds.items() if kind == "ignore")]
            return read(Path(path), targets, inputs, labels, left_out, others)
        from mlp.tables.files import read_files

        files = [standard_input()] if source == "standard input" else [Path(each) for each in files_of(path)]
        for each in files:
            if isinstance(each, Path):
                check_kind(each)
        return read_files(source, files, inputs, exclude, targets, labels, kinds, others, reading, strict)
    except OSError as error:
        raise DataError(f"{source}: {error.strerror or error}") from error
    except MemoryError:
        raise DataError(f"{source}: is more than fits into the memory of this machine") from None


def check_arrays(source: str, kinds: Mapping[str, str], reading: Reading) -> None:
    """Raises DataError for what arrays cannot be: categories, or the table of a query."""
    if texts := [name for name, kind in kinds.items() if kind == "category"]:
        raise DataError(f"{source}: column {listed(texts)} is a category, but arrays hold numbers; save it as Parquet")
    if reading.query:
        raise DataError(f"{source}: data.query is for tables, not for arrays; save it as Parquet")


def column_names(path: Path | str, reading: Reading, wanted: Sequence[str] = ()) -> list[str]:
    """The names of all columns of a table that is no array, in their order (`wanted` helps to see its header)."""
    from mlp.tables.files import names_of

    check_arguments(column_names, locals())
    files = [Path(each) for each in files_of(path)]
    try:
        for each in files:
            check_kind(each)
        return names_of(str(path), files, reading, wanted)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def files_of(path: Path | str) -> list[str]:
    """The files that a path names: itself, or all that match it where it is a pattern and no file."""
    text = str(path)
    if os.path.lexists(text) or not glob.has_magic(text):
        return [text]
    return sorted(glob.glob(text)) or [text]


def check_kind(path: Path) -> None:
    """Raises DataError for what is neither a file nor a stream that ends, OSError where there is nothing."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a NUL, or half of a character
        raise DataError(f"{path}: is not a path: {error}") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{path}: is a directory, {EXPECTED}")
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        raise DataError(f"{path}: is a device, and may have no end; {EXPECTED}")
