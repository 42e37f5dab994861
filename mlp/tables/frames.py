"""Take the columns of arrays, by position, and of pandas, polars and Arrow tables, by name.

None of these packages is imported: a column of any of them gives its cells as an array or as a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables.cells import AS_OTHERS, DAY, EPOCH, Column, as_column, check_cells
from mlp.tables.reading import Reading
from mlp.tables.table import Rows, Table, Texts, choose_names
from mlp.text import listed, quoted
from mlp.types import Array


def names_of(data: Any) -> list[Any] | None:
    """The names of the columns of a frame; None for an array."""
    names = getattr(data, "column_names", getattr(data, "columns", None))
    return None if names is None else list(names)


def columns_of(data: Any, source: str) -> dict[str, Array]:
    """The columns of a frame by name, or those of an array by number, as "0". Raises DataError for a name twice."""
    names = names_of(data)
    if names is None:
        return {str(j): column for j, column in enumerate(np.asarray(data).T)}
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{source}: two columns have one name: {listed(list(map(str, twice[:1])))}; rename one")
    return {str(name): cells_of(data[name]) for name in names}


def training_table(
    columns: Mapping[str, Array],
    targets: Sequence[str],
    Y: Array,
    *,
    kinds: Mapping[str, str],
    others: Mapping[str, str | None],
    reading: Reading,
    source: str,
) -> Table:
    """The table of rows to train on: all columns but `others` are inputs, and are what `kinds` says or look like.

    Targets and arguments are those of `read_table`: the same cells in a file give the same table.
    """
    if absent := [name for name in (*kinds, *others) if name not in columns]:
        raise DataError(f"{source}: no column {listed(absent)}; the columns are {listed(list(columns))}")
    left_out = [*others, *(name for name, kind in kinds.items() if kind == "ignore")]
    choose_names(source, list(columns), None, (), left_out, numbered=False)
    inputs = [name for name in columns if name not in left_out]
    found = {name: column_of(name, columns[name], kinds.get(name), reading, source) for name in inputs}
    beside = {name: column_of(name, columns[name], AS_OTHERS[kind], reading, source) for name, kind in others.items()}
    table = table_of_found(found, source)
    return replace(
        table,
        targets=tuple(targets),
        Y=Y,
        others={name: column.values for name, column in beside.items()},
        notes=tuple(note for column in (*found.values(), *beside.values()) for note in column.notes),
    )


def table_of(data: Any, kinds: Mapping[str, str], reading: Reading, source: str) -> Table:
    """The table of the columns that `kinds` names. Raises DataError for a column that is missing or of another kind.

    Raises ValueError for an array that is not N x D with D the number of `kinds`.
    """
    names = names_of(data)
    if names is None:
        return table_of_array(data, kinds, reading, source)
    if absent := [name for name in kinds if name not in names]:
        raise DataError(f"{source}: no column {listed(absent)}; the columns are {listed(names)}")
    return table_of_columns({name: cells_of(data[name]) for name in kinds}, kinds, reading, source)


def table_of_array(data: Any, kinds: Mapping[str, str], reading: Reading, source: str) -> Table:
    """The table of an array, or of rows, with one column for each of `kinds`."""
    X = data if isinstance(data, Rows) else np.asarray(data)
    if X.ndim != 2 or X.shape[1] != len(kinds):
        raise ValueError(f"X has shape {X.shape}, expected (N, {len(kinds)}): one example a row")
    if X.dtype.kind in "biuf" and "category" not in kinds.values():
        return Table(source, dict(kinds), X, {}, (), np.empty((len(X), 0)))
    return table_of_columns({name: X[:, j] for j, name in enumerate(kinds)}, kinds, reading, source)


def table_of_columns(columns: Mapping[str, Array], kinds: Mapping[str, str], reading: Reading, source: str) -> Table:
    """The table of these of the columns, of kinds that are known."""
    found = {name: column_of(name, columns[name], kind, reading, source) for name, kind in kinds.items()}
    return replace(table_of_found(found, source), kinds=dict(kinds))


def table_of_found(found: Mapping[str, Column], source: str) -> Table:
    numbers = [column.values for column in found.values() if not isinstance(column.values, Texts)]
    texts = {name: column.values for name, column in found.items() if isinstance(column.values, Texts)}
    N = len(next(iter(found.values())).values)
    X = np.stack(numbers, axis=1) if numbers else np.empty((N, 0))
    return Table(source, {name: column.kind for name, column in found.items()}, X, texts, (), np.empty((N, 0)))


def cells_of(column: Any) -> Array:
    """The cells of a column: Arrow gives them as a list, pandas and polars as an array."""
    if hasattr(column, "to_pylist"):
        cells: Sequence[Any] = column.to_pylist()
        found = np.empty(len(cells), dtype=object)
        found[:] = cells
        return found
    return np.asarray(column.to_numpy())


def column_of(name: str, cells: Array, kind: str | None, reading: Reading, source: str) -> Column:
    """The cells as a column of this kind, or of that of their dtype; objects are taken for what they are as text.

    Dates are days since 1970-01-01, and nan stands for a missing number. Decimals have a point, whatever a file had.
    """
    if kind == "category" or cells.dtype.kind not in "biufM":
        texts = Texts.of([text_of(cell, reading) for cell in cells.tolist()])
        column = as_column(name, texts, kind, replace(reading, decimal="."))
        check_cells(source, name, column, kind)
        return column
    own = {"b": "boolean", "M": "date"}.get(cells.dtype.kind, "number")
    days = np.where(np.isnat(cells), np.nan, (cells - EPOCH) / DAY) if own == "date" else cells
    if np.isinf(values := days.astype(np.float64)).any():
        raise DataError(f"{source}: column {quoted(name)}: a number is infinite, expected finite numbers")
    return Column(own, values)


def text_of(cell: Any, reading: Reading) -> str | None:
    """A cell as a file would have it: whole floats without the point, because a column with gaps has floats."""
    if is_nothing(cell):
        return None
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    return None if reading.is_missing(text) else text


def is_nothing(cell: Any) -> bool:
    """Tell whether a cell is None, nan, NaT or pandas' NA, which is not even equal to itself."""
    if cell is None:
        return True
    equal = cell == cell
    return not isinstance(equal, (bool, np.bool_)) or not equal
