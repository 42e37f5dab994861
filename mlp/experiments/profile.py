"""Look at each column of a table: what it is, what it holds, and whether it can say anything about a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlp.errors import DataError
from mlp.tables import Reading, Table, column_names, read_table
from mlp.tables.category import FEW_ROWS, MOSTLY
from mlp.tables.coding import Coding
from mlp.tables.columns import to_number
from mlp.tables.table import Texts
from mlp.text import few, quoted
from mlp.types import Array

ENOUGH = 20  # rows from which whole numbers that are all different may count the rows
IDENTIFIERS = ("id", "index", "key", "nr", "no", "number", "row", "unnamed: 0")


@dataclass(frozen=True)
class Profile:
    """One column: its kind, how many cells are missing, how many are distinct, an example, and in words what it holds.

    `missing` is None where there are some, and their number is not known.

    `useless` says why the column is better left out, if it is, and `mixed` that some of its texts are numbers.
    `hundredth` is how many rows have the hundredth text of a category, from the commonest on.
    """

    name: str
    kind: str
    missing: int | None
    distinct: int
    example: str
    holds: str
    useless: str | None = None
    mixed: bool = False
    hundredth: int = 0


def look_at(
    path: str, reading: Reading, targets: Sequence[str] = (), kinds: Mapping[str, str] | None = None
) -> tuple[Table, list[Profile], list[str]]:
    """The table with its targets as texts in `others`, the profile of each input, and names that must be left out.

    These are columns without a name, and those that share one.
    """
    if path.endswith((".npy", ".npz")):
        raise DataError(f"{path}: arrays have no columns to look at; expected a table (.csv, .tsv, .parquet, .json)")
    names = column_names(path, reading, targets)
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1 or not name]
    unusable = [name for name in twice if name not in targets]
    table = read_table(
        path, exclude=unusable, kinds=kinds, others=dict.fromkeys(targets, "text"), reading=reading, strict=False
    )
    return table, profiles(table), unusable


def profiles(table: Table) -> list[Profile]:
    """A profile of each input column."""
    position = {name: j for j, name in enumerate(table.numbers)}
    return [
        text_profile(name, table.texts[name])
        if name in table.texts
        else number_profile(name, kind, np.asarray(table.X[:, position[name]], np.float64))
        for name, kind in table.kinds.items()
    ]


def coded_profiles(coding: Coding) -> list[Profile]:
    """A profile of each input column, from what its coding keeps of the training rows."""
    found, numbers = [], {name: j for j, name in enumerate(coding.numbers)}
    for name, kind in coding.kinds.items():
        if name in numbers:
            j = numbers[name]
            low, high, fill = (number_text(float(each[j]), kind) for each in (coding.low, coding.high, coding.fill))
            useless = f"always {low}" if low == high and not coding.gaps[j] else None
            found.append(Profile(name, kind, None if coding.gaps[j] else 0, 0, fill, f"{low} to {high}", useless))
        else:
            category = coding.categories[name]
            common = ", ".join(map(quoted, category.levels[:3])) + (", ..." if len(category.levels) > 3 else "")
            holds = f"{category.codes} level{'s' * (category.codes != 1)}: {common}"
            example, missing = category.levels[0], None if category.gaps else 0
            found.append(Profile(name, kind, missing, category.codes, example, holds))
    return found


def number_profile(name: str, kind: str, column: Array) -> Profile:
    there = column[~np.isnan(column)]
    missing = len(column) - len(there)
    if not there.size:
        return Profile(name, kind, missing, 0, "", "nothing", "no cell has a value")
    values, low, high = np.unique(there), there.min(), there.max()
    useless = None
    if len(values) == 1 and not missing:
        useless = f"always {number_text(low, kind)}"
    elif len(values) == len(column) >= ENOUGH and (values == np.floor(values)).all() and kind == "number":
        if high - low == len(column) - 1:
            useless = f"counts the rows, {number_text(low, kind)} to {number_text(high, kind)}"
        elif name.lower() in IDENTIFIERS or name.lower().endswith(("_id", " id")) or name.endswith("ID"):
            useless = f"{len(values):,} different whole numbers in {len(column):,} rows, and named like an identifier"
    holds = f"{number_text(low, kind)} to {number_text(high, kind)}"
    return Profile(name, kind, missing, len(values), number_text(there[0], kind), holds, useless)


def text_profile(name: str, column: Texts) -> Profile:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    present, distinct = int(counts.sum()), int((counts > 0).sum())
    common = [quoted(column.levels[code]) for code in np.argsort(-counts, kind="stable")[:3] if counts[code]]
    holds = f"{distinct:,} level{'s' * (distinct != 1)}: {', '.join(common)}" + (", ..." if distinct > 3 else "")
    useless = None
    if distinct == 1 and present == len(column):
        useless = f"always {common[0]}"
    elif present > FEW_ROWS and distinct > MOSTLY * present:
        useless = f"{distinct:,} different texts in {present:,} rows: a name of the rows"
    example = next((column.levels[code] for code in column.codes.tolist() if code >= 0), "")
    mixed = any(to_number(text) is not None for text in column.levels)
    hundredth = int(np.sort(counts)[-100]) if len(counts) >= 100 else 0
    return Profile(name, "category", len(column) - present, distinct, example, holds, useless, mixed, hundredth)


def number_text(value: float, kind: str) -> str:
    """A number of this kind as a person would write it."""
    if kind == "date":
        time = np.datetime64(0, "s") + np.timedelta64(round(value * 86400), "s")
        return str(time).replace("T00:00:00", "").replace("T", " ")
    if kind == "boolean":
        return "true" if value else "false"
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"


def kinds_in_words(found: Sequence[Profile]) -> list[str]:
    """Which columns are of which kind, a line for each kind."""
    words = {"number": "numbers", "boolean": "true or false", "date": "dates", "category": "categories"}
    lines = []
    for kind, word in words.items():
        names = [
            each.name + (f" ({each.distinct})" if kind == "category" else "") for each in found if each.kind == kind
        ]
        if names:
            lines.append(f"{word}: {few(names)}")
    return lines
