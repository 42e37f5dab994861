"""See from the first lines of a text how its cells are separated, whether it has a header, and the columns' names.

What is not certain is a DataError that names the key to set.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlp.errors import DataError
from mlp.tables.cells import is_value, to_number
from mlp.tables.reading import Reading
from mlp.text import listed, quoted

HEAD = 2**18  # bytes that are looked at, or as many as LINES lines have
LINES = 3
LONGEST = 2**26  # bytes of these lines
ENDS = re.compile(rb"\r\n|\n|\r")
RECORDS = 200  # of them, rows
DELIMITERS = (",", ";", "\t", "|")
BLANKS = " "  # any run of blanks
YAML = {"\t": "tab", " ": '" "'}
SEP = re.compile(r"sep=(.)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Head:
    """The layout of a text: `skip` lines, then a header unless the columns are `numbered`, then rows.

    `rows` are the first of them, cells without the blanks around them; `closed` says that a delimiter ends each row.
    """

    delimiter: str
    names: tuple[str, ...]
    numbered: bool
    skip: int
    closed: bool
    rows: tuple[tuple[str, ...], ...]


def look(source: str, path: Path, reading: Reading, wanted: Sequence[str]) -> Head:
    """The layout of a text; where `wanted` names are all in its first row, that is the header."""
    lines, whole = head_lines(source, path)
    skip = reading.skip_lines
    if skip >= len(lines) > 0 and whole:
        raise DataError(f"{source}: data.skip_lines: {skip}, but the file has {len(lines)} lines")
    delimiter = reading.delimiter
    if skip < len(lines) and (match := SEP.fullmatch(lines[skip])):
        delimiter, skip = delimiter or match[1], skip + 1
    while skip < len(lines) and not lines[skip].strip():
        skip += 1
    lines = lines[skip:]
    if not lines:
        raise DataError(f"{source}: 0 rows: the file is empty")
    where = f"{source}:{skip + 1}"
    if delimiter is None:
        delimiter = find_delimiter(where, lines, reading)
    records = [record for record in split(lines, delimiter) if not blank(record)]
    first = records[0]
    if reading.delimiter is not None:
        check_delimiter(where, first, delimiter)
    if lines[0].startswith("#") and len(records) > 1 and len(records[1]) != len(first):
        raise DataError(f"{where}: looks like a comment; data.skip_lines: {skip + 1} leaves it out")
    numbered = is_numbered(where, first, reading, wanted)
    closed = len(first) > 1 and all(len(record) < len(first) or not record[-1] for record in records)
    cells = first[:-1] if closed else first
    names = tuple(str(j) for j in range(len(cells))) if numbered else tuple(cells)
    return Head(delimiter, names, numbered, skip, closed, tuple(map(tuple, records if numbered else records[1:])))


def head_lines(source: str, path: Path) -> tuple[list[str], bool]:
    """The lines, with their ends, of the first HEAD bytes but the last, perhaps cut one; whether they are the whole."""
    content, more = b"", b" "
    with open(path, "rb") as file:
        while more and len(ENDS.findall(content)) < LINES:
            more = file.read(max(HEAD, len(content)))
            content += more
            if len(content) > LONGEST and len(ENDS.findall(content)) < LINES:
                raise DataError(f"{source}: has lines of more than {LONGEST:,} bytes: expected a table")
        whole = not more or not file.read(1)
    lines = list(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    return lines if whole else lines[:-1], whole


def split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The first records of some lines; of several lines where a cell holds line ends."""
    if delimiter == BLANKS:
        return [line.split() for line in lines[:RECORDS]]
    found: list[list[str]] = []
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for record in reader:
            found.append([cell.strip() for cell in record])
            if len(found) == RECORDS:
                break
    except csv.Error:  # a cell longer than csv takes; the rows before it are enough here
        pass
    return found or [[]]


def find_delimiter(where: str, lines: Sequence[str], reading: Reading) -> str:
    """The delimiter that splits all of the first records into as many cells, if it is the only one; a comma if none."""
    fitting = []
    for delimiter in DELIMITERS:
        records = [record for record in split(lines, delimiter) if not blank(record)]
        widths = [len(record) for record in records]
        if widths and widths[0] > 1 and delimiter != reading.decimal:
            same = sum(width == widths[0] for width in widths) / len(widths)
            fitting.append((same, delimiter))
    best = [delimiter for same, delimiter in fitting if same == max(fitting)[0]]
    if len(best) > 1:
        raise DataError(
            f"{where}: the delimiter may be {' or '.join(map(named, best))}; "
            f"say which: data.delimiter: {YAML.get(best[1], quoted(best[1]))}"
        )
    if best:
        return best[0]
    columns = {len(line.split()) for line in lines[:RECORDS] if line.strip()}
    if len(columns) == 1 and columns != {1} and all(to_number(cell) is not None for cell in lines[-1].split()):
        return BLANKS
    return ","


def named(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else quoted(delimiter)


def check_delimiter(where: str, first: Sequence[str], delimiter: str) -> None:
    """Raises DataError where another delimiter than the one that was set would split the first row."""
    for other in DELIMITERS:
        if len(first) == 1 and other != delimiter and other in first[0]:
            raise DataError(
                f"{where}: 1 column found with the delimiter {named(delimiter)}; it looks like {named(other)}: "
                f"data.delimiter: {YAML.get(other, quoted(other))}"
            )


def is_numbered(where: str, first: Sequence[str], reading: Reading, wanted: Sequence[str]) -> bool:
    """Tell whether the first row is an example; refused where that is not certain."""
    if reading.header is not None:
        return not reading.header
    if set(wanted) <= set(first) and not all(name.isdigit() for name in wanted):
        return False
    values = [cell for cell in first if is_value(cell, reading.decimal)]
    if values:
        raise DataError(
            f"{where}: cannot tell whether the first row is a header: {len(values)} of its {len(first)} cells are "
            f"numbers ({listed(values)}); data.header: true if these are column names, or false if the row is an "
            "example"
        )
    return False


def blank(record: Sequence[str]) -> bool:
    return len(record) <= 1 and not "".join(record).strip()
