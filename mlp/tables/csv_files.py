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
from typing import Any, BinaryIO

import numpy as np

from mlp.errors import DataError
from mlp.tables.table import Table, choose_names
from mlp.text import SHOWN, listed, quoted

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null"})
MAX_LABEL = 200  # characters; an array of text has room for its longest label in every row


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
    number, first = next(((number, row) for number, row in rows if not blank(row)), (0, []))
    if not number:
        raise DataError(f"{source}: 0 rows: the file is empty")
    check_delimiter(source, number, first, delimiter)
    if header is None:
        header = first_row_is_header(source, number, first)
    names = [cell.strip() if header else str(column) for column, cell in enumerate(first)]
    if len(first) > 1 and not first[-1].strip():  # a delimiter at the end of each line
        names.pop()
    if not header:
        rows = itertools.chain([(number, first)], rows)
    of_X, of_Y = choose_names(source, names, inputs, targets, numbered=not header)

    X = array.array("d")
    Y: array.array[Any] = array.array("q" if labels else "d")
    codes = dict[str, int]()  # of each distinct label, in the order of appearance
    missing: Counter[str] = Counter()
    N = blanks = 0
    for number, row in rows:
        if blank(row):
            blanks += 1
            continue
        if blanks and len(names) == 1:  # in one column a blank line between others is a cell without a value
            missing[names[0]] += blanks
        blanks = 0
        if len(row) == len(names) + 1 and not row[-1].strip():
            row.pop()
        if len(row) != len(names):
            where = "the header" if header else "the first row"
            raise DataError(f"{source}:{number}: {len(row)} cells, but {where} has {len(names)}")
        X.extend(parse_numbers(source, number, names, of_X, row, missing))
        if labels:
            found = [parse_label(source, number, names[column], row[column], missing) for column in of_Y]
            Y.extend([codes.setdefault(label, len(codes)) for label in found])
        else:
            Y.extend(parse_numbers(source, number, names, of_Y, row, missing))
        N += 1
    check_complete(source, missing)
    if N == 0:
        raise DataError(f"{source}: 0 rows: there is a header but no example below it")
    return Table(
        source,
        tuple(names[column] for column in of_X),
        np.frombuffer(X).reshape(N, len(of_X)),
        tuple(names[column] for column in of_Y),
        (np.array(list(codes), dtype=str)[Y] if labels else np.frombuffer(Y)).reshape(N, len(of_Y)),
    )


def check_delimiter(source: str, number: int, first: Sequence[str], delimiter: str) -> None:
    """Raises DataError where another delimiter would split the first row."""
    for other in (";", "\t", "|", ","):
        if other != delimiter and (looks_split_by(other, first) or (len(first) == 1 and other in first[0])):
            columns = "1 column" if len(first) == 1 else f"{len(first)} columns"
            raise DataError(
                f"{source}:{number}: {columns} found with the delimiter {delimiter!r}; it looks like {other!r} "
                f"(set data.delimiter: {other!r})"
            )


def check_complete(source: str, missing: Counter[str]) -> None:
    if missing:
        counts = [f"{count} in {quoted(name)}" for name, count in missing.most_common(SHOWN)]
        more = f" and more in {len(missing) - SHOWN} other columns" if len(missing) > SHOWN else ""
        raise DataError(
            f"{source}: missing values: {', '.join(counts)}{more} (blank, ?, NA, NaN or null); "
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
                    byte = ord(line[error.start]) & 0xFF
                    raise DataError(
                        f"{source}:{number}: not UTF-8 text (byte 0x{byte:02x}); save the table as CSV in UTF-8"
                    ) from error
            if "\0" in line:
                raise DataError(f"{source}: contains NUL characters: not a text file, expected CSV")
            yield line
    finally:
        with contextlib.suppress(ValueError):  # the caller may have closed it
            text.detach()  # or this would close it


def first_row_is_header(source: str, number: int, cells: Sequence[str]) -> bool:
    numeric = [cell for cell in cells if to_number(cell) is not None]
    if numeric:
        raise DataError(
            f"{source}:{number}: cannot tell whether the first row is a header: "
            f"{len(numeric)} of its {len(cells)} cells are numbers ({listed(numeric)}); "
            "set data.header: true if these are column names, or false if the row is an example"
        )
    return True


def parse_numbers(
    source: str, line: int, names: Sequence[str], columns: Sequence[int], row: Sequence[str], missing: Counter[str]
) -> list[float]:
    """The numbers in some columns of a row; counts what is missing and refuses what is not a finite number."""
    values = []
    for column in columns:
        value = to_number(row[column])
        if value is None or math.isnan(value):
            cell = row[column].strip()
            if cell.lower() not in MISSING:
                hint = " (a decimal comma? write 1.5, not 1,5)" if to_number(cell.replace(",", ".")) is not None else ""
                raise DataError(
                    f"{source}:{line}: column {quoted(names[column])}: expected a number, got {quoted(cell)}{hint}"
                )
            missing[names[column]] += 1
            value = math.nan
        elif math.isinf(value):
            raise DataError(
                f"{source}:{line}: column {quoted(names[column])}: {quoted(row[column].strip())} is infinite or too "
                "large for a float; expected a finite number"
            )
        values.append(value)
    return values


def parse_label(source: str, line: int, name: str, cell: str, missing: Counter[str]) -> str:
    label = cell.strip()
    if len(label) > MAX_LABEL:
        raise DataError(
            f"{source}:{line}: column {quoted(name)}: a label of {len(label):,} characters, {quoted(label)}; "
            f"expected a class, in at most {MAX_LABEL} characters"
        )
    if label.lower() in MISSING:
        missing[name] += 1
    return label


def blank(row: Sequence[str]) -> bool:
    return len(row) <= 1 and not "".join(row).strip()


def looks_split_by(other: str, cells: Sequence[str]) -> bool:
    """Whether a cell splits at `other` into several numbers: 1,5;2,5 read with commas."""
    return any(
        len(parts) > 1 and all(to_number(part) is not None for part in parts)
        for parts in (cell.split(other) for cell in cells)
    )


def to_number(cell: str) -> float | None:
    """The cell as a float, or None; Python's own float() would also take 1_000."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None
