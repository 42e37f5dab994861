"""Write a config for a table, as a person would begin one: it runs as it is, and each line says why it is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import (
    LoadedConfig,
    apply_override,
    check_reading_keys,
    complete,
    usable_path,
    validate,
)
from mlp.experiments.config.yaml_text import WORDS, Tree, parse_yaml
from mlp.experiments.profile import Profile, kinds_in_words, look_at
from mlp.tables import Reading
from mlp.tables.category import mostly_distinct
from mlp.tables.cells import is_value, to_days, to_number
from mlp.tables.table import Texts
from mlp.text import few, listed, quoted, visible
from mlp.types import Array

FEW_CLASSES = 10  # distinct whole numbers up to which a target is taken for classes
NEARLY = 0.95  # share of a target's cells that are numbers, from which the others look like mistakes
MANY_LEVELS = 100  # of a category, from which rare ones go together
RARE = 5  # a class is rare if it has less than this part of an equal share of the rows
LEAST = 5  # rows of a rare class: fewer are too few to be worth as much as the other classes
SMALLEST = 20  # rows below which there is nothing to split
TRAINING = 0.6  # the smallest share of the rows that the split leaves for training
MOST_LINES = 20  # columns that are left out with the reason for each; more are in one list
TYPED = {".npy", ".npz", ".parquet", ".json", ".ndjson", ".jsonl"}  # files whose header is not a row of them
MOST_STEPS = 50_000  # of a training
BATCHES = {1500: 64, 10_000: 128, 50_000: 256}  # below so many rows, rows of a step
COLUMN, WIDTH = 44, 110  # where comments begin, and where a list goes on in the next line
PLAIN = re.compile(r"(\.{0,2}/)*[A-Za-z_][A-Za-z0-9_./]*([ -][A-Za-z0-9_.]+)*")


def config_for(
    path: str, targets: Sequence[str], task: str | None, overrides: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """The text of a config that trains on this table, and notes about the table.

    `overrides` say how the table is written, as for `mlp predict`. The config is tried out, up to the first step of
    training. Raises DataError for what cannot be read or trained on, ConfigError for what cannot be a config.
    """
    text, notes = draft(path, targets, task, overrides)
    tree = parse_yaml(text.encode(), "the config")
    config = complete(validate(tree))
    data = config.data.model_copy(update={"path": usable_path(tree, Path(), "path", path)})
    prepare(LoadedConfig(config.model_copy(update={"data": data}), "init", "the config", (), tree), advise=False)
    return text, notes


def draft(path: str, targets: Sequence[str], task: str | None, overrides: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The same without trying it out."""
    reading, keys = reading_of(path, targets, task or "regression", overrides)
    table, found, unusable = look_at(path, reading, targets)
    columns = {name: column for name, column in table.others.items() if isinstance(column, Texts)}
    there = np.all([column.codes >= 0 for column in columns.values()], axis=0)
    rows = int(np.count_nonzero(there))
    useful = [each for each in found if not each.useless]
    if rows == 0:
        raise DataError(f"{path}: no row has a value in {listed(targets)}")
    if not useful:
        reasons = few([f"{quoted(each.name)} {each.useless}" for each in found])
        raise DataError(f"{path}: no column is of use as an input: {reasons}")
    written = not {*Path(path).suffixes} & TYPED
    if written and reading.header is None and any(map(is_value, (*table.inputs, *unusable, *targets))):
        keys["header"] = True
    counts = {name: label_counts(column, there) for name, column in columns.items()}
    if task is None:
        task = guessed_task(path, counts)
        if reading.query and task == "classification":  # which sees the targets as they are written
            return draft(path, targets, task, overrides)
    if missing := len(there) - rows:
        keys["missing_target"] = "drop"
    lines = [
        f"# Made for {visible(path)} by mlp init: {rows:,} rows. The keys that are worth changing first have a *.",
        *(f"# {visible(line)}" for line in kinds_in_words(useful)),
        "data:",
        line(f"  path: {scalar(path)}", "relative to this file"),
        line(f"  target: {flow(targets[0] if len(targets) == 1 else targets)}", target_words(path, counts, task)),
        *key_lines(keys, missing),
        *([] if path.endswith(".npz") else column_lines(found, unusable, len(table))),  # has no names
        *missing_lines(useful),
        line("  clip: smooth", "numbers far from the mean are drawn towards 3 standard deviations"),
        *split_lines(rows),
        line(f"task: {task}", "classification or regression"),
        *loss_lines(counts, task),
        *settings(rows, any(each.scaled for each in useful), task),
    ]
    return "\n".join(lines) + "\n", table.notes


def reading_of(
    path: str, targets: Sequence[str], task: str, overrides: Sequence[str]
) -> tuple[Reading, dict[str, Any]]:
    """The form of the table, and the keys of `data` that say it."""
    data: dict[str, Any] = {"path": path, "target": list(targets)}
    tree = Tree("mlp init", {"data": data, "task": task, "network": {"layers": []}, "training": {"epochs": 1}})
    check_reading_keys(overrides)
    for override in overrides:
        apply_override(tree, override)
    reading = validate(tree).reading()
    usable_path(tree, Path(), "path", path)
    return reading, {key: value for key, value in data.items() if key not in ("path", "target")}


def label_counts(column: Texts, there: Array) -> dict[str, int]:
    """The number of the rows that are there with each text."""
    counts = np.bincount(column.codes[there], minlength=len(column.levels)).tolist()
    return {label: count for label, count in zip(column.levels, counts, strict=True) if count}


def guessed_task(path: str, counts: dict[str, dict[str, int]]) -> str:
    """A regression where all targets are dates, or numbers that are not few whole ones.

    Raises DataError where almost all of them are.
    """
    for name, labels in counts.items():
        if all(to_days(label) is not None for label in labels):
            continue
        numbers = [number for label in labels if (number := to_number(label)) is not None]
        others = [label for label in labels if to_number(label) is None]
        few_whole = len(numbers) <= FEW_CLASSES and all(number.is_integer() for number in numbers)
        if few_whole or (others and sum(map(labels.__getitem__, others)) > (1 - NEARLY) * sum(labels.values())):
            return "classification"
        if others:
            raise DataError(
                f"{path}: target {quoted(name)}: almost all cells are numbers, but not {listed(others)}; "
                "correct them or list them in data.missing_values, or give --task classification"
            )
    return "regression"


def target_words(path: str, counts: dict[str, dict[str, int]], task: str) -> str:
    """A comment on the target. Raises DataError for a label alone, and for labels that are mostly different."""
    if task == "regression":
        return few([f"{len(labels):,} different numbers" for labels in counts.values()])
    for name, labels in counts.items():
        rows = sum(labels.values())
        if len(labels) == 1:
            raise DataError(f"{path}: target {quoted(name)} is always {quoted(*labels)}: nothing to learn")
        if mostly_distinct(len(labels), rows):
            raise DataError(
                f"{path}: target {quoted(name)} has {len(labels):,} different texts in {rows:,} rows: it looks like a "
                "name of the rows; numbers are predicted by --task regression"
            )
    if len(counts) > 1:
        return "classes"
    (labels,) = counts.values()
    return f"{len(labels)} classes: {few([f'{visible(label)} ({n:,})' for label, n in labels.items()])}"


def key_lines(keys: dict[str, Any], missing: int) -> list[str]:
    """The keys of `data` that say how the table is written, where so many rows have no target."""
    lines = {key: f"  {key}: {flow(value)}" for key, value in keys.items()}
    if missing:
        words = f"{missing:,} rows have no target; data.missing_values lists what is none"
        lines["missing_target"] = line(lines["missing_target"], words)
    return [*lines.values()]


def column_lines(found: Sequence[Profile], unusable: Sequence[str], rows: int) -> list[str]:
    """Lines on columns that are left out, with the reason, and on texts that need more than their kind."""
    useless = [each for each in found if each.useless]
    together = len(useless) > MOST_LINES
    excluded = [*unusable, *(each.name for each in useless if together)]
    reason = (
        "of no use: one value alone or none, or a name of the rows" if together else "no name, or one that is twice"
    )
    lines = []
    for each in found:
        name, present = scalar(each.name), rows - each.missing
        if each.useless and not together:
            lines.append(line(f"    {name}: ignore", visible(each.useless)))
        elif each.useless:
            continue
        elif each.levels > MANY_LEVELS:
            section = f"{{kind: category, min_count: {max(2, each.often // 2)}}}"
            lines.append(line(f"    {name}: {section}", f"{each.levels:,} levels; rare ones go together"))
        elif mostly_distinct(each.levels, present, TRAINING):
            words = f"{each.levels} levels in {present} rows; those of one row go together"
            lines.append(line(f"    {name}: {{kind: category, min_count: 2}}", words))
        elif each.mixed:
            lines.append(line(f"    {name}: category", "some cells are numbers, and some are not"))
    head = [line("  columns:", "number, category or ignore, where it is not as it looks")]
    return [*exclude_lines(excluded, reason), *(head if lines else []), *lines]


def exclude_lines(names: Sequence[str], reason: str) -> list[str]:
    """A list of names, in as few lines as it takes."""
    lines = [""]
    for name in map(scalar, names):
        if lines[-1] and len(lines[-1]) + len(name) > WIDTH:
            lines.append("")
        lines[-1] += f"{name}, "
    lines[-1] = lines[-1].removesuffix(", ") + "]"
    if len(lines) > 1:
        return [line("  exclude: [", reason), *(f"    {each.rstrip()}" for each in lines)]
    return [line(f"  exclude: [{lines[0]}", reason)] if names else []


def missing_lines(useful: Sequence[Profile]) -> list[str]:
    gaps = {each.name: each.missing for each in useful if each.missing}
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


def loss_lines(counts: dict[str, dict[str, int]], task: str) -> list[str]:
    """The loss of several columns of classes, and how one of rare classes would be weighed."""
    if task == "regression":
        return []
    if len(counts) > 1:
        return [line("loss: logistic_cross_entropy", "several columns of two classes each")]
    (labels,) = counts.values()
    rare, count = min(labels.items(), key=lambda item: item[1])
    share = count / sum(labels.values())
    if share * len(labels) * RARE >= 1 or count < LEAST:
        return []
    words = f"{visible(rare)} is rare ({share:.1%}): without the # all classes weigh the same"
    return [line("# loss: {name: softmax_cross_entropy, class_weight: balanced}", words)]


def settings(rows: int, numbers: bool, task: str) -> list[str]:
    """Network and training of a size that suits the rows: 64 epochs up to 400,000 rows.

    After the tuned defaults of Holzmüller, Grinsztajn and Steinwart (2024). What each part is worth: scripts/README.md.
    """
    batch_size = next((size for limit, size in BATCHES.items() if rows < limit), 512)
    epochs = int(np.clip(MOST_STEPS * batch_size // rows, 10, 64))
    activation, rate = ("selu", "0.0025") if task == "classification" else ("mish", "0.005")
    units = f"    - {{units: 256, activation: {activation}, initialization: lecun_normal}}"
    return [
        "network:",
        line("  layers:", "* lowest first; more and wider layers of units for many rows"),
        *([line("    - {periodic: 16}", "small differences of a number count too")] if numbers else []),
        line("    - {gain: true}", "a factor for each column: which of them matter"),
        units,
        units,
        line("  output: {initialization: zeros}", "at first all rows have the same answer"),
        "optimizer:",
        "  name: adam",
        line(f"  learning_rate: {rate}", "* try a third of it, and three times as much"),
        line("  beta2: 0.95", "the size of a step follows the latest gradients"),
        line("  rate_factors: {s: 10}", "the factors of the columns learn faster"),
        "training:",
        line(f"  epochs: {epochs}", "* passes over the training rows"),
        line(f"  batch_size: {batch_size}", "rows of a step"),
        line("  schedule: {name: cycles}", "the learning rate rises and falls four times, ever more slowly"),
        *(MONITOR if rows >= SMALLEST else []),
        line("  seed: 0", "split, initial weights and shuffling follow from it"),
    ]


def line(text: str, comment: str) -> str:
    return f"{text:<{COLUMN}} # {comment}"


MONITOR = (
    line("  monitor: error", "the epoch of the highest accuracy, or lowest RMSE, answers"),
    line("  ties: last", "of equally good epochs the last one"),
)


def flow(value: Any) -> str:
    """A text, a truth value, a number, or a list of texts, as YAML reads it back."""
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(flow, value))}]"
    return str(value).lower()


def scalar(text: str) -> str:
    """A text as YAML reads it back."""
    if PLAIN.fullmatch(text) and text not in WORDS:
        return text
    if text.isprintable() and "'" not in text:
        return f"'{text}'"
    shown = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in shown) + '"'
