"""Read the columns of CSV and its relatives: numbers straight by DuckDB where that is safe, all else as texts."""

from __future__ import annotations

import codecs
import mmap
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables import duck, rows
from mlp.tables.cells import LARGEST_WHOLE, Column, as_column, as_texts, otherwise, to_number
from mlp.tables.head import BLANKS, look
from mlp.tables.plain import PIECE
from mlp.tables.reading import Reading
from mlp.tables.table import Texts
from mlp.text import listed, quoted
from mlp.types import Array

WIDEST = 5000  # columns that DuckDB scans
MIXED = re.compile(rb"\r(?!\n)|(?<!\r)\n")  # line ends that are not CR LF
PLAIN = re.compile(r"[-+]?(0|[1-9][0-9]*)?([.,][0-9]*)?([eE][-+]?[0-9]+)?")
LEADING_ZERO = "regexp_full_match(trim({}), '[-+]?0[0-9]+')"
UNDERSCORE = "contains({}, '_')"


class TextTable:
    """Files of UTF-8 text, which are one table: `files` has (name for messages, path, layout) of each.

    DuckDB scans `paths`. These are the files, or copies in `folder` with the same rows as plain CSV, where DuckDB does
    not take a file as it is: Python's csv module then goes through its rows, and finds what is wrong.
    """

    notes: Mapping[str, tuple[str, ...]] = {}  # none from before: each column has its own

    def __init__(
        self, files: Sequence[tuple[str, Path]], reading: Reading, wanted: Sequence[str], folder: Path
    ) -> None:
        self.files = [(source, path, look(source, path, reading, wanted)) for source, path in files]
        source, _, head = self.files[0]
        for other, _, its_head in self.files[1:]:
            rows.check_names(source, head.names, other, its_head.names)
        self.names, self.numbered, self.reading, self.folder = head.names, head.numbered, reading, folder
        self.paths = [path for _, path, _ in self.files]
        self.layout: dict[str, Any] = {"delimiter": head.delimiter, "header": not head.numbered, "skip": head.skip}
        self.connection = duck.connect()
        if (
            head.delimiter == BLANKS
            or len(head.names) == 1
            or any(
                each.closed or (each.delimiter, each.skip) != (head.delimiter, head.skip) for _, _, each in self.files
            )
            or self.has_byte(b"\0")
            or not all(map(is_utf8, self.paths))
            or self.has_odd_lines()
        ):
            self.rewrite()

    def columns(self, wanted: Mapping[int, str | None], *, strict: bool = True) -> dict[int, Column]:
        """The columns with these numbers, each as the kind that is given, or None for what it looks like.

        Raises DataError, with file and line, for a cell that is not of its column's kind; if not `strict`, such a
        column is a category.
        """
        maybe = [j for j, kind in wanted.items() if kind in (None, "quantity", "target", "number")]
        candidates = {j for j in maybe if self.looks_plain(j)}
        sure = [j for j in wanted if j not in candidates][: duck.AT_ONCE]
        found, texts = self.plain_numbers(candidates, sure)
        rest = [j for j in wanted if j not in found and j not in texts]
        while rest:
            some = rest if self.is_wide else rest[: duck.at_once(texts)]
            texts |= self.texts(some)
            rest = rest[len(some) :]
        for j, column in texts.items():
            found[j] = as_column(self.names[j], column, wanted[j], self.reading)
            if found[j].wrong and not strict:
                found[j] = Column("category", column)
            elif found[j].wrong:
                raise self.wrong_cell(j, found[j], wanted[j])
        return found

    def texts(self, some: Sequence[int]) -> dict[int, Texts]:
        """The columns with these numbers as they are written."""
        if self.is_wide:
            cells = [
                [row[j] for j in some] for source, path, head in self.files for _, row in rows.rows(source, path, head)
            ]
            columns = [list(column) for column in zip(*cells, strict=True)] or [[] for _ in some]
            return {j: as_texts(column, self.reading) for j, column in zip(some, columns, strict=True)}
        scanned, _ = self.scan(["VARCHAR"] * len(self.names), [f"c{j}" for j in some])
        return {j: as_texts(duck.texts(scanned.pop(f"c{j}")), self.reading) for j in some}

    def plain_numbers(self, candidates: set[int], others: Sequence[int]) -> tuple[dict[int, Column], dict[int, Texts]]:
        """Those of the candidates whose cells all are numbers that mean the same to DuckDB and to `to_number`.

        The texts of other columns come from the same scan.
        """
        plain = set() if self.is_wide else candidates
        if self.reading.decimal == "," and self.has_byte(b"."):
            plain = set()
        nulls = {cell for row in self.first_rows() for cell in row if self.reading.is_missing(cell)} or {*duck.NOTHING}
        while plain:
            types = ["DOUBLE" if j in plain else "VARCHAR" for j in range(len(self.names))]
            names = [f"c{j}" for j in (*sorted(plain), *others)]
            scanned, casts = self.scan(types, names, nulls=sorted(nulls), decimal=self.reading.decimal)
            if not casts:
                break
            plain = plain - casts.keys()  # a row with such a cell is left out of the scan
        if not plain:
            return {}, {}
        decimal, words = self.reading.decimal, self.reading.missing_values or ()
        missing = [number for word in words if (number := to_number(word, decimal)) is not None]  # such as -99
        found, whole = {}, []
        for j in sorted(plain):
            column = scanned.pop(f"c{j}")
            values = duck.doubles(column)
            there = values[~np.ma.getmaskarray(column)] if isinstance(column, np.ma.MaskedArray) else values
            if there.size and np.isfinite(there).all() and not np.isin(there, missing).any():
                integers = bool((there == np.floor(there)).all())
                if not integers or np.abs(there).max() < LARGEST_WHOLE:
                    found[j] = Column("number", values)
                    whole += [j] if integers else []
        tests = dict.fromkeys(whole, LEADING_ZERO)
        if self.has_byte(b"_"):
            tests |= {j: f"({tests.get(j, 'false')} OR {UNDERSCORE})" for j in found}
        odd = self.having(tests)
        texts = {j: as_texts(duck.texts(scanned.pop(f"c{j}")), self.reading) for j in others}
        return {j: column for j, column in found.items() if j not in odd}, texts

    def looks_plain(self, j: int) -> bool:
        """Tell whether the first cells of a column are numbers without leading zeros, where they are not missing."""
        first = [row[j] for row in self.first_rows() if len(row) > j]
        return all(PLAIN.fullmatch(cell) is not None for cell in first if not self.reading.is_missing(cell))

    def first_rows(self) -> list[tuple[str, ...]]:
        return [row for _, _, head in self.files for row in head.rows]

    def having(self, tests: Mapping[int, str]) -> set[int]:
        """Columns with a cell for which their test, in SQL, is true."""
        if not tests:
            return set()
        columns = [f"count(*) FILTER ({test.replace('{}', f'c{j}')}) AS c{j}" for j, test in tests.items()]
        counts, _ = self.scan(["VARCHAR"] * len(self.names), columns)
        return {j for j in tests if counts[f"c{j}"][0]}

    def scan(
        self, types: Sequence[str], columns: Sequence[str], **options: Any
    ) -> tuple[dict[str, Any], dict[int, int]]:
        """Columns of all rows, and how many cells of each column are not of its type, whose rows are left out.

        The first scan of a file that DuckDB does not take has it rewritten.
        """
        problem = "a row is longer than it takes"
        try:
            relation = duck.csv_relation(self.paths, types, **self.layout, **options)
            found = duck.fetch(self.connection, relation, columns)
            structure, casts = duck.rejected(self.connection)
            if not structure:
                return found, casts
        except duck.Problem as error:
            problem = str(error)
        if self.is_rewritten:
            raise DataError(f"{self.files[0][0]}: DuckDB cannot read it: {problem}")
        self.rewrite()
        return self.scan(types, columns, **options)

    @property
    def is_wide(self) -> bool:
        """True where a scan would take longer than Python: the time of one grows with the square of the columns."""
        return len(self.names) > WIDEST

    @property
    def is_rewritten(self) -> bool:
        return self.paths[0].parent == self.folder

    def rewrite(self) -> None:
        """Have the same rows as plain CSV. Raises DataError, with the line, where a row is wrong."""
        self.paths = [self.folder / f"rows{number}" for number in range(len(self.files))]
        for (source, path, head), out in zip(self.files, self.paths, strict=True):
            rows.rewrite(source, path, head, out)
        self.layout = {"delimiter": ",", "header": False, "skip": 0, "new_line": "\\n"}

    def has_odd_lines(self) -> bool:
        """Tell whether DuckDB may leave out rows: where a line is longer than it takes, or not all lines end alike."""
        for _, path, _ in self.files:
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if content.find(b"\r") >= 0 and content.find(b"\n") >= 0 and MIXED.search(content):
                    return True
                start = 0
                while len(content) - start >= duck.LONGEST_LINE:
                    end = max(content.rfind(each, start, start + duck.LONGEST_LINE) for each in (b"\n", b"\r"))
                    if end < 0:
                        return True
                    start = end + 1
        return False

    def has_byte(self, byte: bytes) -> bool:
        for _, path, _ in self.files:
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if content.find(byte) >= 0:
                    return True
        return False

    def wrong_cell(self, j: int, column: Column, kind: str | None) -> DataError:
        where, cell = self.place(j, lambda cell: cell in column.wrong)
        name = self.names[j]
        if column.kind != "number":
            return DataError(f"{where}: column {quoted(name)}: expected a {column.kind}, got {quoted(cell)}")
        return rows.expected_number(where, name, cell, column.count, otherwise(name, kind))

    def place(self, j: int, is_it: Callable[[str], bool]) -> tuple[str, str]:
        """The place of the first such cell of a column, as file:line, and the cell."""
        return rows.first_place(self.files, j, is_it)

    def relation(self, found: Mapping[int, Column]) -> str:
        """The SQL of the table with its names, for a query, where each column has the type of its kind.

        Columns without a name, and those that share one, are not in it.
        """
        raw = duck.csv_relation(self.paths, ["VARCHAR"] * len(self.names), **self.layout)
        missing = ", ".join(map(duck.literal, self.reading.spellings()))
        columns = []
        counts = Counter(self.names)
        lowered = Counter(name.lower() for name, count in counts.items() if name and count == 1)
        if alike := [name for name, count in counts.items() if count == 1 and lowered[name.lower()] > 1]:
            raise DataError(f"{self.files[0][0]}: data.query: SQL does not tell {listed(alike)} apart; rename one")
        for j, name in enumerate(self.names):
            if not name or counts[name] > 1:
                continue
            cell = f"CASE WHEN trim(c{j}) NOT IN ({missing}) THEN trim(c{j}) END"
            columns.append(f"{typed(cell, found[j], self.reading.decimal)} AS {duck.identifier(name)}")
        return f"(SELECT {', '.join(columns)} FROM {raw})"


def is_utf8(path: Path) -> bool:
    """Tell whether a file is UTF-8 text; DuckDB looks at the columns alone that are asked for."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def typed(cell: str, column: Column, decimal: str) -> str:
    """The SQL of a cell of text as a value of the column's kind."""
    values: Array | Texts = column.values
    if isinstance(values, Texts):
        return cell
    if column.kind == "boolean":
        return f"CAST({cell} AS BOOLEAN)"
    there = values[~np.isnan(values)]
    whole = bool((there == np.floor(there)).all())
    if column.kind == "date":
        return f"CAST({cell} AS {'DATE' if whole else 'TIMESTAMP'})"
    number = cell if decimal == "." else f"replace({cell}, {duck.literal(decimal)}, '.')"
    small = whole and bool((np.abs(there) < LARGEST_WHOLE).all())
    return f"CAST(CAST({number} AS DOUBLE) AS BIGINT)" if small else f"CAST({number} AS DOUBLE)"
