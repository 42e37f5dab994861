"""Write a config for a table, as a person would begin one: it runs as it is, and each line says why it is there."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mlp.errors import ConfigError, DataError
from mlp.experiments.config.load import apply_override, validate
from mlp.experiments.config.yaml_text import WORDS, Tree, parse_yaml
from mlp.experiments.profile import Profile, kinds_in_words, look_at
from mlp.tables import Reading
from mlp.tables.category import FEW_ROWS, MOSTLY
from mlp.tables.cells import to_days
from mlp.tables.columns import to_number
from mlp.tables.table import Texts
from mlp.text import few, quoted, visible

FEW_CLASSES = 10  # distinct whole numbers up to which a target is taken for classes
MANY_LEVELS = 100  # of a category, from which rare ones go together
RARE = 0.1  # share of the rows below which a class is rare
SMALLEST = 20  # rows below which there is nothing to split
COLUMN = 44  # where comments begin
PLAIN = re.compile(r"(\.{0,2}/)*[A-Za-z_][A-Za-z0-9_./]*([ -][A-Za-z0-9_.]+)*")


def config_for(path: str, targets: Sequence[str], task: str | None, overrides: Sequence[str]) -> str:
    """The text of a config that trains on this table.

    `overrides` say how the table is written, as for `mlp predict`. Raises DataError for what cannot be read, and
    ConfigError for what cannot be a config.
    """
    reading, keys = reading_of(path, targets, overrides)
    table, found, unusable = look_at(path, reading, targets)
    columns = {name: column for name, column in table.others.items() if isinstance(column, Texts)}
    task = task or guessed_task(columns)
    missing = {name: int((column.codes < 0).sum()) for name, column in columns.items()}
    rows = len(table) - max(missing.values())
    for name, column in columns.items():
        check_target(path, name, column, task)
    if all(each.useless for each in found):
        reasons = few([f"{quoted(each.name)} {each.useless}" for each in found])
        raise DataError(f"{path}: no column is of use as an input: {reasons}")
    if reading.header is None and any(is_value(name) for name in (*table.inputs, *unusable, *targets)):
        keys["header"] = "true"
    lines = [
        f"# Made for {visible(path)} by mlp init: {rows:,} rows. The keys that are worth changing first have a *.",
        *(f"# {visible(line)}" for line in kinds_in_words([each for each in found if not each.useless])),
        "data:",
        line(f"  path: {scalar(path)}", "relative to this file"),
        line(f"  target: {names(targets)}", target_words(columns, task)),
        *(f"  {key}: {value}" for key, value in keys.items()),
        *query_lines(missing, "query" in keys),
        *(
            line(f"  exclude: [{', '.join(map(scalar, unusable))}]", "no name, or one that stands twice")
            for _ in unusable[:1]
            if not any(missing.values())  # a query takes no such columns
        ),
        *column_lines(found),
        *missing_lines(found),
        line("  clip: smooth", "numbers far from the mean are drawn towards 3 standard deviations"),
        *split_lines(rows),
        line(f"task: {task}", "classification or regression"),
        *loss_lines(columns, task),
        *settings(rows),
    ]
    text = "\n".join(lines) + "\n"
    validate(parse_yaml(text.encode(), "the config"))
    return text


def reading_of(path: str, targets: Sequence[str], overrides: Sequence[str]) -> tuple[Reading, dict[str, str]]:
    """How the table is written, and the keys of `data` that say it, as YAML."""
    keys = {}
    data = {"path": path, "target": list(targets)}
    tree = Tree("mlp init", {"data": data, "task": "regression", "network": {"layers": []}, "training": {"epochs": 1}})
    for override in overrides:
        dotted, _, value = override.partition("=")
        section, _, key = dotted.strip().partition(".")
        if section != "data" or key not in Reading.__dataclass_fields__:
            allowed = ", ".join(f"data.{name}" for name in Reading.__dataclass_fields__)
            raise ConfigError(f"--set {override}: for a table these keys can be set: {allowed}")
        apply_override(tree, override)
        keys[key] = value.strip()
    return validate(tree).data.reading(), keys


def check_target(path: str, name: str, column: Texts, task: str) -> None:
    """Raises DataError for a target without values, of one class, or of texts that are mostly distinct."""
    present, distinct = int((column.codes >= 0).sum()), len(column.levels)
    if not present:
        raise DataError(f"{path}: no row has a value in {quoted(name)}")
    if task == "classification" and distinct == 1:
        raise DataError(f"{path}: target {quoted(name)} is always {quoted(column.levels[0])}: nothing to learn")
    if task == "classification" and present > FEW_ROWS and distinct > MOSTLY * present:
        raise DataError(
            f"{path}: target {quoted(name)} has {distinct:,} different texts in {present:,} rows: it looks like a name "
            "of the rows; numbers are predicted by --task regression"
        )


def is_value(text: str) -> bool:
    return to_number(text) is not None or to_days(text) is not None


def guessed_task(columns: dict[str, Texts]) -> str:
    """A regression where all targets are dates, or numbers that are not few whole ones."""
    for column in columns.values():
        if all(to_days(text) is not None for text in column.levels):
            continue
        numbers = [to_number(text) for text in column.levels]
        if None in numbers or (len(numbers) <= FEW_CLASSES and all(float(n or 0).is_integer() for n in numbers)):
            return "classification"
    return "regression"


def target_words(columns: dict[str, Texts], task: str) -> str:
    if task == "regression":
        return "numbers"
    counts = {
        name: {column.levels[code]: n for code, n in enumerate(np.bincount(column.codes[column.codes >= 0]).tolist())}
        for name, column in columns.items()
    }
    (found, *more) = counts.values()
    words = few([f"{visible(label)} ({n:,})" for label, n in found.items()])
    return f"{len(found)} classes: {words}" if not more else "classes"


def query_lines(missing: dict[str, int], has_one: bool) -> list[str]:
    there = [name for name, count in missing.items() if count]
    if not there or has_one:
        return []
    condition = " AND ".join('"' + name.replace('"', '""') + '" IS NOT NULL' for name in there)
    query = f"SELECT * FROM data WHERE {condition}"
    return [line(f"  query: {scalar(query)}", f"{max(missing.values()):,} rows have no target")]


def column_lines(found: Sequence[Profile]) -> list[str]:
    """What is not as it looks: columns to ignore, with the reason, and texts that need more than their kind."""
    lines = []
    for each in found:
        if each.useless:
            lines.append(line(f"    {scalar(each.name)}: ignore", visible(each.useless)))
        elif each.kind == "category" and each.distinct > MANY_LEVELS:
            section = f"{{kind: category, min_count: {max(2, each.hundredth // 2)}}}"
            lines.append(
                line(f"    {scalar(each.name)}: {section}", f"{each.distinct:,} levels; rare ones go together")
            )
        elif each.mixed:
            lines.append(line(f"    {scalar(each.name)}: category", "some cells are numbers, and some are not"))
    return [line("  columns:", "number, category or ignore, where it is not as it looks"), *lines] if lines else []


def missing_lines(found: Sequence[Profile]) -> list[str]:
    gaps = {each.name: each.missing for each in found if each.missing and not each.useless}
    if not gaps:
        return []
    where = visible(next(iter(gaps))) if len(gaps) == 1 else f"{len(gaps)} columns"
    return [line("  missing: fill", f"{sum(gaps.values()):,} in {where}: the median, and a column that says so")]


def split_lines(rows: int) -> list[str]:
    if rows < SMALLEST:
        return [line("  # split: {valid: 0.2, test: 0.2}", f"too few rows, {rows}, to keep some apart")]
    share = 0.2 if rows < 1000 else 0.15
    words = "shares of the rows; by: COLUMN keeps those of one patient or store together"
    return [line(f"  split: {{valid: {share}, test: {share}}}", words)]


def loss_lines(columns: dict[str, Texts], task: str) -> list[str]:
    """The loss of several columns of classes, and weights of classes where one of them is rare."""
    if task == "regression":
        return []
    if len(columns) > 1:
        return [line("loss: logistic_cross_entropy", "several columns of two classes each")]
    ((_, column),) = columns.items()
    counts = np.bincount(column.codes[column.codes >= 0])
    share = counts.min() / counts.sum()
    if share >= RARE:
        return []
    words = (
        f"{visible(column.levels[int(counts.argmin())])} is rare ({share:.1%} of the rows): all classes weigh the same"
    )
    return [line("loss: {name: softmax_cross_entropy, class_weight: balanced}", words)]


def settings(rows: int) -> list[str]:
    """Network and training of a size that suits the rows: some 20,000 steps, at least 10 epochs and at most 200."""
    units, batch_size = ([64, 32], 32) if rows < 20_000 else ([128, 64], 128) if rows < 200_000 else ([256, 128], 256)
    epochs = int(np.clip(20_000 * batch_size // rows, 10, 200))
    patience = max(3, epochs // 5)
    stopping = f"  early_stopping: {{patience: {patience}}}"
    return [
        "network:",
        line("  layers:", "* hidden layers, lowest first; more and wider ones for many rows"),
        *(f"    - {{units: {n}, activation: relu}}" for n in units),
        line("optimizer: {name: adam, learning_rate: 1e-3}", "* try 3e-3 and 3e-4"),
        "training:",
        line(f"  epochs: {epochs}", "* passes over the training rows"),
        line(f"  batch_size: {batch_size}", ""),
        line("  l2: 1e-4", "* larger where training rows do better than validation rows"),
        line(f"  schedule: {{name: cosine, epochs: {epochs}}}", "the learning rate goes down to 0"),
        *([line(stopping, "epochs without a lower validation loss")] if rows >= SMALLEST else []),
        line("  seed: 0", "split, initial weights and shuffling follow from it"),
    ]


def names(targets: Sequence[str]) -> str:
    return scalar(targets[0]) if len(targets) == 1 else f"[{', '.join(map(scalar, targets))}]"


def scalar(text: str) -> str:
    """A text as YAML reads it back."""
    if PLAIN.fullmatch(text) and text not in WORDS and len(text) < 100:
        return text
    if text.isprintable() and "'" not in text and len(text) < 100:
        return f"'{text}'"
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in shown) + '"'


def line(text: str, comment: str) -> str:
    return f"{text:<{COLUMN}} # {comment}" if comment else text
