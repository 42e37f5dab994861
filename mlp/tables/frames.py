"""Take the inputs of a model from arrays, by position, and from pandas, polars and Arrow tables, by name.

None of these packages is imported: a column of any of them gives its cells as an array or as a list.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables.cells import DAY, EPOCH, to_days
from mlp.tables.reading import Reading
from mlp.tables.table import Rows, Table, Texts
from mlp.text import listed, quoted
from mlp.types import Array


def table_of(data: Any, kinds: Mapping[str, str], reading: Reading, source: str) -> Table:
    """The table of the columns that `kinds` names. Raises DataError for a column that is missing or of another kind.

    Raises ValueError for an array that is not N x D with D the number of `kinds`.
    """
    names = getattr(data, "column_names", getattr(data, "columns", None))
    if names is None:
        return table_of_array(data, kinds, reading, source)
    if absent := [name for name in kinds if name not in list(names)]:
        raise DataError(f"{source}: no column {listed(absent)}; the columns are {listed(list(names))}")
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
    numbers, texts, N = [], {}, len(next(iter(columns.values())))
    for name, cells in columns.items():
        if kinds[name] == "category":
            texts[name] = Texts.of([text_of(cell, reading) for cell in cells.tolist()])
        else:
            numbers.append(numbers_of(name, cells, reading, source, date=kinds[name] == "date"))
    X = np.stack(numbers, axis=1) if numbers else np.empty((N, 0))
    return Table(source, dict(kinds), X, texts, (), np.empty((N, 0)))


def cells_of(column: Any) -> Array:
    """The cells of a column: Arrow gives them as a list, pandas and polars as an array."""
    if hasattr(column, "to_pylist"):
        cells: Sequence[Any] = column.to_pylist()
        found = np.empty(len(cells), dtype=object)
        found[:] = cells
        return found
    return np.asarray(column.to_numpy())


def numbers_of(name: str, cells: Array, reading: Reading, source: str, *, date: bool) -> Array:
    """A column as float64: dates, which may be texts, are days since 1970-01-01, and nan stands for what is missing."""
    if cells.dtype.kind in "biuf":
        found = cells.astype(np.float64)
    elif cells.dtype.kind == "M":
        found = np.where(np.isnat(cells), np.nan, (cells - EPOCH) / DAY)
    else:
        found = np.array([number_of(cell, name, reading, source, date) for cell in cells.tolist()], dtype=np.float64)
    if np.isinf(found).any():
        raise DataError(f"{source}: column {quoted(name)}: a number is infinite, expected finite numbers")
    return found


def number_of(cell: Any, name: str, reading: Reading, source: str, date: bool) -> float:
    if is_nothing(cell) or (isinstance(cell, str) and reading.is_missing(cell.strip())):
        return np.nan
    try:
        if isinstance(cell, datetime.date):
            return float((np.datetime64(cell) - EPOCH) / DAY)
        if isinstance(cell, str) and date and (days := to_days(cell.strip())) is not None:
            return days
        if isinstance(cell, str) and "_" in cell:
            raise ValueError
        return float(cell)
    except (TypeError, ValueError):
        raise DataError(f"{source}: column {quoted(name)}: expected a number, got {quoted(str(cell))}") from None


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
