"""Read CSV as a `Table`: Python's csv module finds the cells, and each is then taken literally or refused."""

from __future__ import annotations

import array
import contextlib
import csv
import io
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from mlp.errors import DataError
from mlp.tables.table import MAX_LABEL, Table, choose_names, is_missing, too_long
from mlp.text import SHOWN, listed, quoted


def read_csv(
    source: str,
    file: BinaryIO,
    targets: Sequence[str],
    inputs: Sequence[str] | None,
    labels: bool,
    delimiter: str,
    header: bool | None,
) -> Table:
    """Read the rows one by one; numbers are kept as doubles, labels as the numbers of the distinct ones."""
    rows = csv_rows(source, file, delimiter)
    start, first = next(((line, row) for line, row in rows if not blank(row)), (0, []))
    if not first:
        raise DataError(f"{source}: 0 rows: the file is empty")
    check_delimiter(f"{source}:{start}", first, delimiter)
    if header is None:
        check_header(f"{source}:{start}", first)
    numbered = header is False
    names = [str(column) if numbered else cell.strip() for column, cell in enumerate(first)]
    if len(first) > 1 and not first[-1].strip():  # a delimiter at the end of each line
        names.pop()
    of_X, of_Y = choose_names(source, names, inputs, targets, numbered=numbered)
    cells = Cells(source, names, Counter())
    X = array.array("d")
    Y: array.array[Any] = array.array("q" if labels else "d")
    codes = dict[str, int]()  # of each distinct label, in the order of appearance
    blanks = 0
    for line, row in itertools.chain([(start, first)] if numbered else [], rows):
        if blank(row):
            blanks += 1
            continue
        if blanks and len(names) == 1:  # in one column a blank line between others is a cell without a value
            cells.missing[names[0]] += blanks
        blanks = 0
        if len(row) == len(names) + 1 and not row[-1].strip():
            row.pop()
        if len(row) != len(names):
            where = "the first row" if numbered else "the header"
            raise DataError(f"{source}:{line}: {len(row)} cells, but {where} has {len(names)}")
        X.extend(cells.numbers(row, of_X, line))
        if labels:
            found = [cells.label(row, column, line) for column in of_Y]
            Y.extend([codes.setdefault(label, len(codes)) for label in found])
        else:
            Y.extend(cells.numbers(row, of_Y, line))
    cells.check_complete()
    N = len(X) // len(of_X)
    if N == 0:
        raise DataError(f"{source}: 0 rows: there is a header but no example below it")
    return Table(
        source,
        tuple(names[column] for column in of_X),
        np.frombuffer(X).reshape(N, len(of_X)),
        tuple(names[column] for column in of_Y),
        (np.array(list(codes), dtype=str)[Y] if labels else np.frombuffer(Y)).reshape(N, len(of_Y)),
    )


@dataclass
class Cells:
    """The cells of a table: what each means, and how many are `missing` in each column."""

    source: str
    names: Sequence[str]
    missing: Counter[str]

    def numbers(self, row: Sequence[str], columns: Sequence[int], line: int) -> list[float]:
        """The finite numbers in some columns of a row, and nan for each that is missing."""
        return [
            number
            if (number := to_number(row[c])) is not None and math.isfinite(number)
            else self.no_number(row, c, line)
            for c in columns
        ]

    def no_number(self, row: Sequence[str], column: int, line: int) -> float:
        cell, where = row[column].strip(), self.place(column, line)
        if is_missing(cell):
            self.missing[self.names[column]] += 1
            return math.nan
        number = to_number(cell)
        if number is not None and math.isinf(number):
            raise DataError(f"{where}: {quoted(cell)} is infinite or too large for a float; expected a finite number")
        hint = " (a decimal comma? write 1.5, not 1,5)" if to_number(cell.replace(",", ".")) is not None else ""
        raise DataError(f"{where}: expected a number, got {quoted(cell)}{hint}")

    def label(self, row: Sequence[str], column: int, line: int) -> str:
        label = row[column].strip()
        if len(label) > MAX_LABEL:
            raise too_long(self.place(column, line), label)
        if is_missing(label):
            self.missing[self.names[column]] += 1
        return label

    def place(self, column: int, line: int) -> str:
        return f"{self.source}:{line}: column {quoted(self.names[column])}"

    def check_complete(self) -> None:
        if self.missing:
            counts = [f"{count} in {quoted(name)}" for name, count in self.missing.most_common(SHOWN)]
            more = f" and more in {len(self.missing) - SHOWN} other columns" if len(self.missing) > SHOWN else ""
            raise DataError(
                f"{self.source}: missing values: {', '.join(counts)}{more} (blank, ?, NA, NaN or null); "
                "remove these rows or fill them in, nothing is filled in silently"
            )


def csv_rows(source: str, file: BinaryIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every row, blank ones too, read as they are asked for."""
    reader = csv.reader(text_lines(source, file), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{source}:{reader.line_num}: {error}") from error


def text_lines(source: str, file: BinaryIO) -> Iterator[str]:
    """The lines of UTF-8 text, with their ends, of whichever kind."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        for number, line in enumerate(text, 1):
            if not line.isascii():
                try:
                    line.encode()
                except UnicodeEncodeError as error:  # a byte that is no part of UTF-8 was read as half of a character
                    byte = f"0x{ord(line[error.start]) & 0xFF:02x}"
                    hint = "save the table as CSV in UTF-8"
                    raise DataError(f"{source}:{number}: not UTF-8 text (byte {byte}); {hint}") from error
            if "\0" in line:
                raise DataError(f"{source}: contains NUL characters: not a text file, expected CSV")
            yield line
    finally:
        with contextlib.suppress(ValueError):  # the caller may have closed it
            text.detach()  # or this would close it


def check_delimiter(where: str, first: Sequence[str], delimiter: str) -> None:
    """Raises DataError where another delimiter would split the first row."""
    for other in (";", "\t", "|", ","):
        if other != delimiter and (splits(other, first) or (len(first) == 1 and other in first[0])):
            columns = "1 column" if len(first) == 1 else f"{len(first)} columns"
            raise DataError(
                f"{where}: {columns} found with the delimiter {delimiter!r}; it looks like {other!r} "
                f"(set data.delimiter: {other!r})"
            )


def splits(other: str, cells: Sequence[str]) -> bool:
    """Whether a cell splits at `other` into several numbers: 1,5;2,5 read with commas."""
    return any(other in cell and all(to_number(part) is not None for part in cell.split(other)) for cell in cells)


def check_header(where: str, cells: Sequence[str]) -> None:
    """Raises DataError where the first row may be an example."""
    if numeric := [cell for cell in cells if to_number(cell) is not None]:
        raise DataError(
            f"{where}: cannot tell whether the first row is a header: "
            f"{len(numeric)} of its {len(cells)} cells are numbers ({listed(numeric)}); "
            "set data.header: true if these are column names, or false if the row is an example"
        )


def blank(row: Sequence[str]) -> bool:
    return len(row) <= 1 and not "".join(row).strip()


def to_number(cell: str) -> float | None:
    """The cell as a float, or None; Python's own float() would also take 1_000."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None
