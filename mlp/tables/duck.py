"""Ask DuckDB for the columns of files, which can read these files and nothing else."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence, Sized
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from mlp.errors import DataError
from mlp.processors import processors
from mlp.types import Array

Problem = duckdb.Error
LIMITS = ("autoinstall_known_extensions", "autoload_known_extensions", "python_enable_replacements")
NOTHING = ("\x01\x02",)  # a text that no cell has, so that none is taken for a missing one
LONGEST_LINE = 2**22  # bytes; DuckDB may leave out a longer one without a word
THREADS = 4  # at most: each has buffers of its own
AT_ONCE = 4  # columns of text in the first scan
CELLS = 2**21  # of text in one scan: they are Python objects for a while


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literals(files: Sequence[Path]) -> str:
    """A list of files as SQL writes it, where no name is taken for a pattern."""
    return f"[{', '.join(literal(glob.escape(str(file))) for file in files)}]"


def problem(error: Exception) -> str:
    """The message of DuckDB, in a line."""
    return " ".join(str(error).split("\n\n")[0].split("\n")[0].split())


def connect(files: Sequence[Path] = ()) -> duckdb.DuckDBPyConnection:
    """A database in memory. With files it is closed to everything but these, and nothing can change that.

    It takes no more threads than there are processors for this process, and no more memory than DuckDB finds here.
    """
    threads = max(1, min(int(processors()), THREADS))
    connection = duckdb.connect(config={"threads": threads, "temp_directory": ""})
    for name in LIMITS:
        connection.execute(f"SET {name} = false")
    if files:
        names = sorted({name for file in files for name in (str(file), glob.escape(str(file)))})
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, names))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    return connection


def csv_relation(
    files: Sequence[Path],
    types: Sequence[str],
    *,
    delimiter: str,
    header: bool,
    skip: int,
    nulls: Sequence[str] = NOTHING,
    decimal: str = ".",
    new_line: str | None = None,
) -> str:
    """The SQL of a scan of CSV files, with columns c0, c1, ... of these types; rejects are stored."""
    columns = ", ".join(f"'c{j}': '{kind}'" for j, kind in enumerate(types))
    return (
        f"read_csv({literals(files)}, columns={{{columns}}}, auto_detect=false, "
        f"delim={literal(delimiter)}, quote='\"', escape='\"', header={str(header).lower()}, skip={skip}, "
        f"nullstr=[{', '.join(map(literal, nulls))}], decimal_separator={literal(decimal)}, "
        f"strict_mode=true, store_rejects=true, rejects_limit=0, max_line_size={LONGEST_LINE}, "
        f"buffer_size={LONGEST_LINE}{'' if new_line is None else f', new_line={literal(new_line)}'})"
    )


def fetch(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> dict[str, Any]:
    """The columns of a relation, by name: masked arrays where something is missing."""
    if not columns:
        return {}
    return connection.execute(f"SELECT {', '.join(columns)} FROM {relation}").fetchnumpy()


def rejected(connection: duckdb.DuckDBPyConnection) -> tuple[bool, dict[int, int]]:
    """Tell whether the last scan left out rows for their form, and count the cells of each column of another type."""
    found = connection.execute(
        "SELECT error_type = 'CAST', column_name, count(*) FROM reject_errors GROUP BY ALL"
    ).fetchall()
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    casts = {int(name[1:]): count for cast, name, count in found if cast}
    return any(not cast for cast, _, _ in found), casts


def doubles(column: Any) -> Array:
    """A column of numbers as float64, nan where one is missing."""
    if isinstance(column, np.ma.MaskedArray):
        values: Any = column.astype(np.float64)
        return np.asarray(values.filled(np.nan))
    return np.asarray(column, np.float64)


def texts(column: Any) -> list[str | None]:
    """A column of texts, None where one is missing."""
    if isinstance(column, np.ma.MaskedArray):
        values = column.data.astype(object)
        values[np.ma.getmaskarray(column)] = None
        return values.tolist()
    return np.asarray(column).tolist()


def at_once(known: Mapping[int, Sized]) -> int:
    """The number of columns of text to scan at once, where the length of some is known."""
    rows = next((len(column) for column in known.values()), None)
    return AT_ONCE if rows is None else max(AT_ONCE, CELLS // max(1, rows))


def one_select(source: str, query: str) -> str:
    """The query without what separates statements. Raises DataError unless it is one SELECT."""
    try:
        statements = duckdb.extract_statements(query)
    except Problem as error:
        raise DataError(f"{source}: data.query: {problem(error)}") from None
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        got = ", ".join(str(kind).rpartition(".")[2] for kind in kinds) or "nothing"
        raise DataError(f"{source}: data.query: expected one SELECT over the table data, got {got}")
    written = query.encode()
    ends = [start for start, _ in duckdb.tokenize(query) if written[start : start + 1] == b";"]
    parts = [written[start + 1 : end].decode() for start, end in pairwise([-1, *ends, len(written)])]
    return next(part for part in parts if duckdb.extract_statements(part))
