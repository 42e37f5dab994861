"""Look at each column of a table: what it is, what it holds, and whether it can say anything about a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlp.errors import DataError
from mlp.tables import Reading, Table, column_names, read_table
from mlp.tables.category import mostly_distinct
from mlp.tables.cells import to_number
from mlp.tables.coding import Coding
from mlp.tables.table import Texts, slices
from mlp.text import few, listed, quoted
from mlp.types import Array, Examples

ENOUGH = 20  # rows from which whole numbers that are all different may count the rows; and texts, numbers
SCARCE = 10  # values: with fewer, most cells missing, a split may leave a column without any
NEARLY = 0.95  # share of a column's texts that are numbers, from which the others look like mistakes
IDENTIFIERS = ("id", "index", "key", "nr", "no", "number", "row", "unnamed: 0")


@dataclass(frozen=True)
class Profile:
    """One column: its kind, how many cells are missing, what it holds in words, and an example.

    `useless` says why the column is better left out, if it is. Of a category `levels` is the number of different texts,
    `often` how many rows have the hundredth of them, from the commonest on, and `mixed` says that some are numbers. A
    column of numbers is `scaled` if it holds others than 0 and 1.
    """

    name: str
    kind: str
    missing: int
    holds: str
    example: str
    useless: str | None = None
    levels: int = 0
    often: int = 0
    mixed: bool = False
    scaled: bool = False


def look_at(path: str, reading: Reading, targets: Sequence[str] = ()) -> tuple[Table, list[Profile], list[str]]:
    """The table with its targets as texts in `others`, the profile of each input, and names that must be left out.

    These are columns without a name, and those that share one. Raises DataError for a target that does.
    """
    unusable: list[str] = []
    if not path.endswith((".npy", ".npz")):
        names = column_names(path, reading, targets)
        if absent := [name for name in targets if name not in names]:
            raise DataError(f"{path}: no column {listed(absent)} (the target); the columns are {listed(names)}")
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if shared := [name for name in twice if name in targets]:
            raise DataError(
                f"{path}: {names.count(shared[0])} columns are named {quoted(shared[0])} (the target); rename one, or "
                "take numbers for names by data.header: false and data.skip_lines: 1"
            )
        unusable = [name for name in dict.fromkeys(names) if not name or name in twice]
    others = dict.fromkeys(targets, "text")
    table = read_table(path, exclude=unusable, others=others, reading=reading, strict=False)
    return table, profiles(table), unusable


def profiles(table: Table) -> list[Profile]:
    """A profile of each input column."""
    X = table.X if isinstance(table.X, np.ndarray) else table.X[:]
    position = {name: j for j, name in enumerate(table.numbers)}
    return [
        text_profile(name, table.texts[name])
        if name in table.texts
        else number_profile(name, kind, np.asarray(X[:, position[name]], np.float64))
        for name, kind in table.kinds.items()
    ]


def coded_profiles(coding: Coding, Z: Examples) -> list[Profile]:
    """A profile of each input column, from its coding and the coded training rows; the example is a middle one."""
    found, missing = [], gaps_in(coding, Z)
    numbers = {name: j for j, name in enumerate(coding.numbers)}
    for name, kind in coding.kinds.items():
        if name in numbers:
            j = numbers[name]
            low, high, fill = (number_text(float(each[j]), kind) for each in (coding.low, coding.high, coding.fill))
            useless = f"always {low}" if low == high and not missing[name] else None
            found.append(Profile(name, kind, missing[name], f"{low} to {high}", fill, useless))
        else:
            category = coding.categories[name]
            holds = levels_in_words(category.codes, category.levels[:3])
            found.append(Profile(name, kind, missing[name], holds, category.levels[len(category.levels) // 2]))
    return found


def gaps_in(coding: Coding, Z: Examples) -> dict[str, int]:
    """The number of coded rows without a value, by column."""
    columns: list[int | None] = []
    place = len(coding.fill)
    for gaps in coding.gaps.tolist():
        columns.append(place if gaps else None)
        place += gaps
    for category in coding.categories.values():
        place += category.size
        columns.append(place - 1 if category.gaps else None)
    sums = np.sum([Z[rows].sum(axis=0, dtype=np.float64) for rows in slices(Z)], axis=0)
    names = (*coding.numbers, *coding.categories)
    return {name: 0 if j is None else round(sums[j]) for name, j in zip(names, columns, strict=True)}


def number_profile(name: str, kind: str, column: Array) -> Profile:
    there = column[~np.isnan(column)]
    missing = len(column) - len(there)
    if not there.size:
        return Profile(name, kind, missing, "nothing", "", "no cell has a value")
    low, high = number_text(there.min(), kind), number_text(there.max(), kind)
    useless = scarce(len(there), len(column))
    if there.min() == there.max() and not missing:
        useless = f"always {low}"
    elif kind == "number" and ENOUGH <= len(there) == len(column) and all_different(there):
        if there.max() - there.min() == len(there) - 1:
            useless = f"counts the rows, {low} to {high}"
        elif name.lower() in IDENTIFIERS or name.lower().endswith(("_id", " id")) or name.endswith("ID"):
            useless = f"{len(there):,} different whole numbers in {len(there):,} rows, and named like an identifier"
    scaled = bool(((there != 0) & (there != 1)).any())
    return Profile(name, kind, missing, f"{low} to {high}", number_text(there[0], kind), useless, scaled=scaled)


def all_different(numbers: Array) -> bool:
    """Tell whether these are whole numbers and no two of them are equal."""
    room = numbers.max() - numbers.min() >= len(numbers) - 1
    return bool(room and (numbers == np.floor(numbers)).all() and len(np.unique(numbers)) == len(numbers))


def text_profile(name: str, column: Texts) -> Profile:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    order = np.argsort(-counts, kind="stable").tolist()
    levels, rows, present = column.levels, len(column), int(counts.sum())
    return Profile(
        name,
        "category",
        rows - present,
        levels_in_words(len(levels), [levels[code] for code in order[:3]]),
        next((levels[code] for code in column.codes.tolist() if code >= 0), ""),
        useless_text(column, counts, present),
        len(levels),
        int(counts[order[99]]) if len(levels) >= 100 else 0,
        any(to_number(text) is not None for text in levels),
    )


def useless_text(column: Texts, counts: Array, present: int) -> str | None:
    """Why a column of text is better left out, if it is; `counts` are the rows of each level."""
    levels, rows = column.levels, len(column)
    if len(levels) == 1 and present == rows:
        return f"always {quoted(levels[0])}"
    if reason := scarce(present, rows):
        return reason
    others = [code for code, text in enumerate(levels) if to_number(text) is None]
    wrong = int(counts[others].sum())
    if len(levels) > ENOUGH and 0 < wrong <= (1 - NEARLY) * present:
        cells = f"cell{'s' * (wrong > 1)} no number ({listed([levels[code] for code in others])})"
        return f"{wrong} {cells}: correct or list in data.missing_values"
    if mostly_distinct(len(levels), present):
        if all(to_number(text.replace(",", "")) is not None for text in levels):
            return f"numbers written as {quoted(levels[0])}: data.decimal, or a query, can make numbers of them"
        return f"{len(levels):,} different texts in {present:,} rows: a name of the rows"
    return None


def levels_in_words(count: int, some: Sequence[str]) -> str:
    return f"{count:,} level{'s' * (count != 1)}: {', '.join(map(quoted, some))}" + ", ..." * (count > len(some))


def scarce(present: int, rows: int) -> str | None:
    """Why a column with few values is of no use, if it is."""
    return f"only {present} of {rows:,} rows have a value" if present < min(SCARCE, rows / 4) else None


def number_text(value: float, kind: str) -> str:
    """A number of this kind as a person would write it."""
    if kind == "date":
        time = np.datetime64(0, "s") + np.timedelta64(round(value * 86400), "s")
        return str(time).replace("T00:00:00", "").replace("T", " ")
    if kind == "boolean":
        return "true" if value else "false"
    return f"{value:.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.4g}"


def kinds_in_words(found: Sequence[Profile]) -> list[str]:
    """The columns of each kind, a line for each."""
    words: Mapping[str, str] = {
        "number": "numbers",
        "boolean": "true or false",
        "date": "dates",
        "category": "categories",
    }
    lines = []
    for kind, word in words.items():
        names = [each.name + (f" ({each.levels})" if each.levels else "") for each in found if each.kind == kind]
        if names:
            lines.append(f"{word}: {few(names)}")
    return lines
