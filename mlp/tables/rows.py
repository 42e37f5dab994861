"""Go through the rows of a text one by one, with Python's csv module: to find what is wrong, and where.

DuckDB reads what is right. This is for what it does not take, and knows the line of each row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TextIO

from mlp.errors import DataError
from mlp.tables.cells import SEPARATED
from mlp.tables.head import BLANKS, Head, blank
from mlp.text import listed, quoted

INFINITE = re.compile(r"[-+]?(inf|infinity|[0-9.]+e[-+]?[0-9]+|[0-9]{300,})", re.IGNORECASE)
LONGEST = 2**22  # characters of a cell


def rows(source: str, path: Path, head: Head) -> Generator[tuple[int, list[str]], None, None]:
    """(line number, cells) of each row below the header; in one column a blank line between others is an empty cell.

    Raises DataError for text that is not UTF-8, a row of another number of cells, and quotes that do not fit.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = text_lines(source, file)
        for _ in range(head.skip):
            next(lines)
        below, blanks = head.numbered, list[int]()
        for number, row in records(source, lines, head):
            line = head.skip + number
            if blank(row):
                blanks.append(line)
                continue
            if len(row) == len(head.names) + 1 and not row[-1].strip():
                row.pop()
            if len(row) != len(head.names):
                where = "the first row" if head.numbered else "the header"
                raise DataError(f"{source}:{line}: {len(row)} cells, but {where} has {len(head.names)}")
            if below:
                yield from ((each, [""]) for each in blanks if len(head.names) == 1)
                yield line, row
            below, blanks = True, []


def records(source: str, lines: Iterator[str], head: Head) -> Iterator[tuple[int, list[str]]]:
    if head.delimiter == BLANKS:
        yield from ((number, line.split()) for number, line in enumerate(lines, 1))
        return
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=head.delimiter, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{source}:{head.skip + reader.line_num}: {error}") from error


def text_lines(source: str, text: TextIO) -> Iterator[str]:
    """The lines of UTF-8 text, with their ends, of whichever kind."""
    for number, line in enumerate(text, 1):
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError as error:  # a byte that is no part of UTF-8 was read as half of a character
                byte = f"0x{ord(line[error.start]) & 0xFF:02x}"
                hint = "data.encoding: latin-1, or utf-16, says what it is; or save the table in UTF-8"
                raise DataError(f"{source}:{number}: not UTF-8 text (byte {byte}); {hint}") from error
        if "\0" in line:
            raise DataError(
                f"{source}: contains NUL characters: not a text file, expected CSV (data.encoding: utf-16?)"
            )
        yield line


def rewrite(source: str, path: Path, head: Head, out: Path) -> None:
    """Write the rows as the plainest CSV: commas, quotes around all cells, one kind of line end, no header."""
    with open(out, "w", encoding="utf-8", newline="") as file, closing(rows(source, path, head)) as found:
        csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(row for _, row in found)


def first_place(files: Sequence[tuple[str, Path, Head]], column: int, is_it: Callable[[str], bool]) -> tuple[str, str]:
    """Find the first cell of a column of which `is_it` is true, as file:line, and the cell."""
    for source, path, head in files:
        with closing(rows(source, path, head)) as found:
            for line, row in found:
                if is_it(cell := row[column].strip()):
                    return f"{source}:{line}", cell
    raise LookupError("no such cell")


def expected_number(where: str, name: str, cell: str, count: int, otherwise: str) -> DataError:
    """The error for a cell that is no number, in a column that has `count` of them, and what to write otherwise."""
    if INFINITE.fullmatch(cell):
        return DataError(
            f"{where}: column {quoted(name)}: {quoted(cell)} is infinite or too large for a float; expected a finite "
            "number"
        )
    hint = ""
    if SEPARATED.fullmatch(cell):
        hint = ' (a decimal comma? data.decimal: ","; thousands are written without a comma)'
    more = f", and {count - 1} more such cells" if count > 1 else ""
    return DataError(f"{where}: column {quoted(name)}: expected a number, got {quoted(cell)}{hint}{more}; {otherwise}")


def check_names(source: str, names: Sequence[str], other: str, others: Sequence[str]) -> None:
    """Raises DataError unless two files of one table have the same columns in the same order."""
    if tuple(names) != tuple(others):
        differing = [name for name in others if name not in names] or list(others)
        raise DataError(f"{other}: its columns ({listed(differing)}, ...) are not those of {source}; name one file")
