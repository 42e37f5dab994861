"""Tell what the texts of a column are, numbers, truth values, dates or categories, and take them as that."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mlp.errors import DataError
from mlp.tables.reading import Reading
from mlp.tables.table import Texts
from mlp.text import listed, quoted
from mlp.types import Array

NUMBERS = 0.5  # share of numbers among the cells of a column from which the others are taken for mistakes
LARGEST_WHOLE = 2.0**53  # up to here a float64 has every whole number
TRUTH = {"true": 1.0, "false": 0.0}
SEPARATED = re.compile(r"[-+]?(\d+,\d+|\d{1,3}(,\d{3})+(\.\d+)?)")  # by a decimal comma, or thousands
WHOLE = re.compile(r"[-+]?[0-9]{16,}")
LEADING_ZEROS = re.compile(r"[-+]?0[0-9]+")
DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?:Z|\+00(?::?00)?)?)?")
EPOCH, DAY = np.datetime64("1970-01-01"), np.timedelta64(1, "D")  # dates are days since then
AS_OTHERS = {"text": "category", "number": "quantity", None: None}  # the kinds of columns that are wanted besides


@dataclass(frozen=True)
class Column:
    """A column as it was read: `values` are float64, nan where a cell is missing, or the texts of a category.

    `wrong` are the texts that are not of this kind, in `count` cells.
    """

    kind: str
    values: Array | Texts
    notes: tuple[str, ...] = ()
    wrong: frozenset[str] = frozenset()
    count: int = 0


def to_number(cell: str, decimal: str = ".") -> float | None:
    """The finite number that a cell is, or None; Python's own float() would also take 1_000."""
    if decimal != ".":
        if "." in cell:
            return None
        cell = cell.replace(decimal, ".")
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None


def to_days(cell: str) -> float | None:
    """The days from 1970-01-01 to a date or a time (ISO 8601), or None."""
    match = DATE.fullmatch(cell)
    if match is None:
        return None
    try:
        time = np.datetime64(match[1] if match[2] is None else f"{match[1]}T{match[2]}")
    except ValueError:
        return None
    return float((time - EPOCH) / DAY)


def is_value(text: str, decimal: str = ".") -> bool:
    """Tell whether a name looks like a cell, so that a row of names may be taken for one of cells."""
    return to_number(text, decimal) is not None or to_days(text) is not None


def to_truth(cell: str) -> float | None:
    return TRUTH.get(cell.lower())


def otherwise(name: str, kind: str | None) -> str:
    """The advice for a column of this kind where some cells are no numbers."""
    return "task: classification takes texts" if kind == "target" else f"data.columns: {{{name}: category}} takes texts"


def check_cells(source: str, name: str, column: Column, kind: str | None) -> None:
    """Raises DataError for cells that are not of the column's kind; `kind` is the one that was asked for."""
    if column.wrong:
        raise DataError(
            f"{source}: column {quoted(name)}: expected a {column.kind}, got {quoted(min(column.wrong))} "
            f"({column.count} such cells); {otherwise(name, kind)}"
        )


def as_texts(raw: list[str | None], reading: Reading) -> Texts:
    """A column of texts without the blanks around them; None and the words for it are missing."""
    first: dict[str | None, int] = {}
    codes = np.array([first.setdefault(text, len(first)) for text in raw], np.int32)
    cleaned = [None if text is None or reading.is_missing(text.strip()) else text.strip() for text in first]
    distinct = Texts.of(cleaned)
    return Texts(distinct.levels, distinct.codes[codes] if len(codes) else codes)


def as_column(name: str, texts: Texts, kind: str | None, reading: Reading) -> Column:
    """The column as what it is said to be, or looks like.

    A "quantity" may be a number, a date or a truth value, and so may the "target" of a regression.
    """
    kind = "quantity" if kind == "target" else kind
    counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.levels))
    if kind == "category":
        return Column("category", texts)
    kinds: dict[str, Callable[[str], float | None]] = {
        "boolean": to_truth,
        "date": to_days,
        "number": partial(to_number, decimal=reading.decimal),
    }
    if kind == "boolean":  # 0 and 1 are truth values too
        kinds["boolean"] = lambda cell: to_truth(cell) if to_truth(cell) is not None else to_bit(cell)
    for each in ("boolean", "date") if kind in (None, "quantity") and texts.levels else ():
        found = [kinds[each](text) for text in texts.levels]
        if None not in found:
            return Column(each, chosen(found, texts))
    own = "number" if kind in (None, "quantity") else kind
    found = [kinds[own](text) for text in texts.levels]
    bad = np.array([value is None for value in found], bool)
    count = int(counts[bad].sum())
    if count and kind is None:
        other = [wrong and not SEPARATED.fullmatch(text) for wrong, text in zip(bad, texts.levels, strict=True)]
        if counts[other].sum() > (1 - NUMBERS) * counts.sum():
            return Column("category", texts)
    wrong = frozenset(text for text, value in zip(texts.levels, found, strict=True) if value is None)
    notes = odd_numbers(name, texts) if own == "number" else ()
    return Column(own, chosen(found, texts), notes, wrong, count)


def to_bit(cell: str) -> float | None:
    return {"0": 0.0, "1": 1.0}.get(cell)


def chosen(found: list[float | None], texts: Texts) -> Array:
    """The value of each cell, nan where there is none."""
    values = np.array([*(math.nan if value is None else value for value in found), math.nan])
    return values[texts.codes]


def odd_numbers(name: str, texts: Texts) -> tuple[str, ...]:
    """Notes on numbers that may be codes, or that a float64 does not have."""
    notes = []
    zeros = [text for text in texts.levels if LEADING_ZEROS.fullmatch(text)]
    if zeros:
        notes.append(
            f"column {quoted(name)} has numbers with leading zeros ({listed(zeros)}), taken as numbers; if they are "
            f"codes, say so: data.columns: {{{name}: category}}"
        )
    large = [text for text in texts.levels if WHOLE.fullmatch(text) and abs(float(text)) > LARGEST_WHOLE]
    if large:
        notes.append(
            f"column {quoted(name)} has whole numbers beyond 2^53 ({listed(large)}), which are rounded; if they are "
            f"codes, say so: data.columns: {{{name}: category}}, or ignore"
        )
    return tuple(notes)
