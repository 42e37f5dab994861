"""Put the columns of a file, of whichever form, together as a `Table`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mlp.errors import DataError
from mlp.tables import duck
from mlp.tables.cells import AS_OTHERS, Column
from mlp.tables.plain import plain_text
from mlp.tables.reading import Reading
from mlp.tables.table import MAX_LABEL, Table, Texts, choose_names, too_long
from mlp.tables.text_tables import TextTable
from mlp.tables.typed_tables import READERS, TypedTable, query_table
from mlp.text import listed, quoted
from mlp.types import Array

Place = Callable[[Callable[[str], bool]], tuple[str, str]]
"""The place of the first cell of a column for which a function is true, and the cell."""


def read_files(
    source: str,
    files: Sequence[Path | BinaryIO],
    inputs: Sequence[str] | None,
    exclude: Sequence[str],
    targets: Sequence[str],
    labels: bool,
    kinds: Mapping[str, str],
    others: Mapping[str, str | None],
    reading: Reading,
    strict: bool,
) -> Table:
    """Read the table of these columns (see `read_table`)."""
    with ExitStack() as stack:
        wanted = [*targets] if reading.query else [*(inputs or ()), *targets, *others]
        found = opened(source, files, reading, wanted, stack)
        names, numbered = list(found.names), found.numbered
        left_out = {*exclude, *(name for name, kind in kinds.items() if kind == "ignore")}
        if inputs is None:
            check_there(source, [*names, *found.notes], [*left_out, *kinds], "data.exclude or data.columns")
        check_there(source, names, list(others), "asked for besides")
        of_X, of_Y = choose_names(source, names, inputs, targets, {*left_out, *others}, numbered=numbered)
        asked: dict[int, str | None] = {j: kinds.get(names[j]) for j in of_X}
        if inputs is not None and numbered and list(inputs) != [names[j] for j in of_X]:
            asked = dict(zip(of_X, map(kinds.get, inputs), strict=True))
        asked |= dict.fromkeys(of_Y, "category" if labels else "target")
        beside = {name: names.index(name) for name in others}
        asked_beside = {beside[name]: AS_OTHERS[kind] for name, kind in others.items()}
        columns = found.columns(asked_beside | asked, strict=strict)
        twice = {j: kind for j, kind in asked_beside.items() if kind != asked.get(j, kind)}
        beside_columns = {j: columns[j] for j in asked_beside} | found.columns(twice)
        missing = [are_missing(columns[j]) for j in of_Y]
        for j, cells in zip(of_Y, missing, strict=True):
            check_target(names[j], columns[j], cells, partial(found.place, j), reading)
        gaps = np.any(missing, axis=0)
    numbers = [j for j in of_X if not isinstance(columns[j].values, Texts)]
    N = len(columns[of_X[0]].values)
    if N == 0:
        why = "data.query leaves none" if reading.query else "there is a header but no example below it"
        raise DataError(f"{source}: 0 rows: {why}")
    if gaps.all():
        raise DataError(f"{source}: no row has a value in {listed([names[j] for j in of_Y])}")
    noted = [*(columns[j] for j in of_X), *beside_columns.values()]
    notes = tuple(dict.fromkeys(note for column in noted for note in column.notes))
    Y = matrix([columns[j].values for j in of_Y], N, labels)
    X = np.empty((N, len(numbers)))
    for k, j in enumerate(numbers):
        X[:, k] = columns[j].values
        columns[j] = Column(columns[j].kind, X[:0, k])  # the memory of one column is given back before the next
    table = Table(
        source,
        {names[j]: columns[j].kind for j in of_X},
        X,
        {names[j]: values for j in of_X if isinstance(values := columns[j].values, Texts)},
        tuple(names[j] for j in of_Y),
        Y,
        {name: beside_columns[j].values for name, j in beside.items()},
        notes,
    )
    return without(table, gaps)


def without(table: Table, gaps: Array) -> Table:
    """The rows of a table that have targets, and a note on how many others there are."""
    if not gaps.any():
        return table
    count = int(np.count_nonzero(gaps))
    note = f"{count:,} of {len(gaps):,} rows have no value in {listed(table.targets)}, and are left out"
    return replace(table.rows(np.flatnonzero(~gaps)), notes=(*table.notes, note))


def names_of(source: str, files: Sequence[Path | BinaryIO], reading: Reading, wanted: Sequence[str]) -> list[str]:
    with ExitStack() as stack:
        return list(opened(source, files, reading, [] if reading.query else wanted, stack).names)


def opened(
    source: str, files: Sequence[Path | BinaryIO], reading: Reading, wanted: Sequence[str], stack: ExitStack
) -> Any:
    """The columns of files, or of what the query makes of them, by name."""
    first = files[0] if isinstance(files[0], Path) else Path()
    suffix = Path(first.stem).suffix if first.suffix in (".gz", ".zst") else first.suffix  # of t.json.gz, .json
    if suffix in READERS:
        table = TypedTable.of(source, [file for file in files if isinstance(file, Path)], suffix, reading)
        unnoted: dict[str, tuple[str, ...]] = dict.fromkeys(table.names, ())
        return query_table(source, table.connection, table.relation(), unnoted, reading) if reading.query else table
    names = [str(file) if isinstance(file, Path) else source for file in files]
    paths = [stack.enter_context(plain_text(name, file, reading)) for name, file in zip(names, files, strict=True)]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    text = TextTable(list(zip(names, paths, strict=True)), reading, wanted, folder)
    if not reading.query:
        return text
    kinds = {j: "category" if name in reading.as_written else None for j, name in enumerate(text.names)}
    columns = text.columns(kinds, strict=False)
    notes = {text.names[j]: column.notes for j, column in columns.items()}
    return query_table(source, duck.connect(text.paths), text.relation(columns), notes, reading)


def check_there(source: str, names: Sequence[str], some: Sequence[str], what: str) -> None:
    if absent := [name for name in some if name not in names]:
        raise DataError(f"{source}: no column {listed(absent)} ({what}); the columns are {listed(names)}")


def are_missing(column: Column) -> Array:
    """Tell of each cell of a column whether it has no value."""
    return column.values.codes < 0 if isinstance(column.values, Texts) else np.isnan(column.values)


def check_target(name: str, column: Column, gaps: Array, place: Place, reading: Reading) -> None:
    """Raises DataError for targets that are missing, if they are to be refused, and for a label that is too long."""
    values, missing = column.values, int(np.count_nonzero(gaps))
    if missing and reading.missing_target == "refuse":
        where, word = place(reading.is_missing)
        keep = f"; if {quoted(word)} is a label, data.missing_values lists what is none" if word else ""
        raise DataError(
            f"{where}: missing targets: {missing} in {quoted(name)}; data.missing_target: drop leaves such rows "
            f"out{keep}"
        )
    if isinstance(values, Texts) and any(len(label) > MAX_LABEL for label in values.levels):
        where, label = place(lambda cell: len(cell) > MAX_LABEL)
        raise too_long(f"{where}: column {quoted(name)}", label or max(values.levels, key=len))


def matrix(columns: Sequence[Array | Texts], N: int, labels: bool) -> Array:
    """Target columns side by side (N x K), text for labels."""
    if not columns:
        return np.empty((N, 0))
    arrays = [
        np.array(column.levels, dtype=str)[column.codes] if isinstance(column, Texts) else column for column in columns
    ]
    return np.stack(arrays, axis=1)
