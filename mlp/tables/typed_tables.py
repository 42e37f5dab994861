"""Read the columns of tables that have types: Parquet, JSON, and what a query makes of any table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables import duck
from mlp.tables.cells import LARGEST_WHOLE, Column, as_column, as_texts, check_cells
from mlp.tables.reading import Reading
from mlp.text import listed, quoted

NUMBER = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BIGNUM)")
TIME = re.compile(r"DATE|TIMESTAMP.*")
TEXT = re.compile(r"VARCHAR|ENUM.*|UUID")
READERS = {
    ".parquet": "read_parquet",
    ".json": "read_json_auto",
    ".ndjson": "read_json_auto",
    ".jsonl": "read_json_auto",
}
RENAMED = re.compile(r"(.+)_[0-9]+")  # as DuckDB does where a name is there already


class TypedTable:
    """The columns of a `relation` in SQL, with the kinds that their types say.

    `notes` has the columns that a query was asked of, with the notes on each.
    """

    numbered = False

    def __init__(
        self,
        source: str,
        connection: Any,
        relation: str,
        reading: Reading,
        notes: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.source, self.connection, self.reading, self.from_ = source, connection, reading, relation
        self.notes = notes or {}
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        except duck.Problem as error:
            raise DataError(f"{source}: {duck.problem(error)}") from None
        self.types = {name: kind for name, kind, *_ in described}
        self.names = tuple(self.types)

    @classmethod
    def of(cls, source: str, files: Sequence[Path], suffix: str, reading: Reading) -> TypedTable:
        """The table in Parquet or JSON files."""
        relation = f"{READERS[suffix]}({duck.literals(files)}, hive_partitioning=false)"
        table = cls(source, duck.connect(files), relation, reading)
        if suffix == ".parquet":
            table.check_names(f"SELECT name FROM parquet_schema({duck.literals(files)})")
        else:
            table.check_names(f"SELECT unnest(json_keys(json)) FROM read_json_objects({duck.literals(files)})")
        return table

    def check_names(self, written: str) -> None:
        """Raises DataError where DuckDB has renamed a column, because its name differs by case alone from another's.

        The SQL of the names as they are `written` is asked only where a name looks as if.
        """
        lowered = {name.lower() for name in self.names}
        maybe = [match for name in self.names if (match := RENAMED.fullmatch(name)) and match[1].lower() in lowered]
        there = {name for (name,) in self.connection.execute(written).fetchall()} if maybe else set()
        if renamed := [match for match in maybe if match[0] not in there]:
            alike = [name for name in self.names if name.lower() == renamed[0][1].lower()]
            raise DataError(
                f"{self.source}: columns {listed([*alike, renamed[0][1]])} differ by case alone; rename one"
            )

    def columns(self, wanted: Mapping[int, str | None], *, strict: bool = True) -> dict[int, Column]:
        """The columns with these numbers, each as the kind that is given, or None for that of its type.

        Raises DataError, with the row, for a cell that is not of its column's kind.
        """
        found = {}
        for start in range(0, len(wanted), duck.AT_ONCE):
            some = dict(list(wanted.items())[start : start + duck.AT_ONCE])
            try:
                columns = [f"{self.expression(j, kind)} AS c{j}" for j, kind in some.items()]
                scanned = duck.fetch(self.connection, self.from_, columns)
            except duck.Problem as error:
                raise DataError(f"{self.source}: {duck.problem(error)}") from None
            for j, kind in some.items():
                found[j] = self.column(j, kind, scanned.pop(f"c{j}"))
                check_cells(self.source, self.names[j], found[j], kind)
        return found

    def kind(self, j: int) -> str:
        """The kind of a column by its type."""
        kind = self.types[self.names[j]]
        for pattern, name in ((NUMBER, "number"), (TIME, "date"), (TEXT, "category")):
            if pattern.fullmatch(kind):
                return name
        if kind == "BOOLEAN":
            return "boolean"
        raise DataError(
            f"{self.source}: column {quoted(self.names[j])} holds {kind}: data.exclude leaves it out, and data.query "
            "can make columns of it"
        )

    def expression(self, j: int, kind: str | None) -> str:
        """The SQL of a column: a DOUBLE for what becomes numbers, or text."""
        name, own = duck.identifier(self.names[j]), self.kind(j)
        if own == "category":
            return f"CAST({name} AS VARCHAR)"
        if kind == "category":
            whole = own == "number" and self.types[self.names[j]] in ("FLOAT", "DOUBLE")
            text = f"CAST({name} AS VARCHAR)"
            return f"regexp_replace({text}, '\\.0$', '')" if whole else text
        return f"epoch({name}) / 86400.0" if own == "date" else f"CAST({name} AS DOUBLE)"

    def column(self, j: int, kind: str | None, scanned: Any) -> Column:
        name, own = self.names[j], self.kind(j)
        if own == "category" or kind == "category":
            found = as_column(name, as_texts(duck.texts(scanned), self.reading), kind, self.reading)
            return replace(found, notes=found.notes or self.notes.get(name, ()))
        if kind not in (None, "quantity", "target", own) and "date" in (kind, own):
            raise DataError(f"{self.source}: column {quoted(name)}: expected a {kind}, got a {own}")
        values, notes = duck.doubles(scanned), list(self.notes.get(name, ()))
        if np.isinf(values).any():
            raise DataError(f"{self.source}: column {quoted(name)}: a number is infinite, expected finite numbers")
        if own == "number" and "INT" in self.types[name] and (np.abs(values) > LARGEST_WHOLE).any():
            notes.append(
                f"column {quoted(name)} has whole numbers beyond 2^53, which are rounded; if they are codes, say so: "
                f"data.columns: {{{name}: category}}, or ignore"
            )
        return Column(own if kind in (None, "quantity", "target") else kind, values, tuple(notes))

    def place(self, j: int, is_it: Callable[[str], bool]) -> tuple[str, str]:
        """The place of the first such cell of a column: these files have no lines."""
        return self.source, ""

    def relation(self) -> str:
        return self.from_


def query_table(
    source: str,
    connection: Any,
    relation: str,
    notes: Mapping[str, tuple[str, ...]],
    reading: Reading,
) -> TypedTable:
    """The table that `reading.query` makes of a relation with the columns in `notes`, its table `data`.

    Raises DataError for anything but one SELECT.
    """
    assert reading.query is not None
    query = duck.one_select(source, reading.query)
    there = {name.lower() for name in notes}
    absent = [name for name in reading.unknown if name.lower() not in there]
    types = ["VARCHAR" if name in reading.as_written else "DOUBLE" for name in absent]
    nulls = [f"CAST(NULL AS {kind}) AS {duck.identifier(name)}" for kind, name in zip(types, absent, strict=True)]
    try:
        connection.execute(f"CREATE TEMP VIEW data AS SELECT {', '.join(['*', *nulls])} FROM {relation}")
        connection.execute(f"CREATE TEMP TABLE answer AS ({query}\n)")
    except duck.Problem as error:
        raise DataError(f"{source}: data.query: {duck.problem(error)}") from None
    return TypedTable(source, connection, "answer", reading, notes)
