"""Note what is odd about a table: constant columns, answers among the inputs, missing classes, rows shared by splits.

Each function yields one sentence, or none where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlp.experiments.config import schema
from mlp.tables import Table
from mlp.tables.cells import to_number
from mlp.tables.coding import Coding
from mlp.tables.table import examples, slices
from mlp.tables.target import Target
from mlp.text import few, listed, quoted
from mlp.types import Array, Examples

MANY = 100  # levels of a category
FEW = 10  # rows: where fewer are not of the most frequent answer, a column may agree with the answers by chance


def uncoded(table: Table, coding: Coding) -> tuple[list[str], Examples]:
    """The input columns (N x D) with their names: the numbers as they are written, then the codes of categories."""
    codes = list(coding.codes(table).values())
    X = table.X
    if not codes:
        return list(coding.numbers), X

    def cut(rows: Any) -> Array:
        return np.concatenate([X[rows], *(each[rows][:, None] for each in codes)], axis=1)

    names = [*coding.numbers, *coding.categories]
    return names, examples((len(table), len(names)), np.float64, cut)


def constant_targets(train: Table, target: Target) -> Iterator[str]:
    """Numbers that are all the same; a single class is an error (see `distinct_labels`)."""
    if not target.takes_labels and (names := chosen(train.targets, train.Y.min(axis=0) == train.Y.max(axis=0))):
        these, them = ("target {} is", "it") if len(names) == 1 else ("targets {} are", "them")
        yield (
            f"{these.format(listed(names))} constant in the training rows: nothing to learn; "
            f"leave {them} out of data.target"
        )


def odd_labels(target: Target, counts: Mapping[str, Mapping[str, Sequence[int]]]) -> Iterator[str]:
    """Labels that may be one class written in several ways, numbers that may be quantities, and classes of one row."""
    for column, labels in target.labels.items():
        alike: dict[object, list[str]] = {}
        for label in labels:
            number = to_number(label)
            alike.setdefault("".join(label.split()).lower() if number is None else number, []).append(label)
        several = [listed(ways) for ways in alike.values() if len(ways) > 1]
        if several:
            yield (
                f"target {quoted(column)}: {few(several)} are different classes, because labels are taken as they are "
                "written; if they are one, make them so in the table or by data.query"
            )
        if len(labels) > MANY and all(to_number(label) is not None for label in labels):
            yield (
                f"target {quoted(column)} has {len(labels)} classes that are all numbers: task: regression takes them "
                "as quantities"
            )
        once = [label for label, n in zip(labels, counts[column]["train"], strict=True) if n == 1]
        if once:
            yield (
                f"target {quoted(column)}: one training row alone has the class {listed(once)}: it can hardly be "
                "learnt; leave it out by data.query, or add rows"
            )


def constant_columns(X: Examples) -> Array:
    """The columns of X that hold one value alone."""
    return np.isin(np.arange(X.shape[1]), telling(X, np.zeros(len(X), int), np.arange(X.shape[1])))


def constant_inputs(names: Sequence[str], X: Examples, constant: Array, data: schema.Data) -> Iterator[str]:
    """Columns of one value other than 0: a column of a sparse table may well be 0 in all training rows."""
    if names := chosen(names, constant & (X[:1] != 0)[0]):
        columns = "column is" if len(names) == 1 else "columns are"
        it = leave_out(data, len(names))
        yield f"{len(names)} input {columns} constant in the training rows ({listed(names)}): {it}"


def answers_among_inputs(
    train: Table,
    names: Sequence[str],
    X: Examples,
    Y: Examples,
    constant: Array,
    target: Target,
    data: schema.Data,
) -> Iterator[str]:
    """Columns that are equal to a target or, for classes, that have one value for each class, and different ones.

    Not where fewer than FEW rows make the difference, and not where no other column would be left: then it is the task
    itself. Y (N x K) has the targets as the network sees them.
    """
    varying, found = np.flatnonzero(~constant), list[tuple[int, str]]()
    decided = [target.decide(Y[rows].T) for rows in slices(Y)] if target.takes_labels else [train.Y.T]
    for name, y in zip(train.targets, np.concatenate(decided, axis=1), strict=True):
        if len(y) - np.unique(y, return_counts=True)[1].max() >= FEW:
            columns = (telling if target.takes_labels else equal)(X, y, varying)
            found += [(j, name) for j in columns.tolist()]
    if found and len({j for j, _ in found}) < len(varying):
        words = "has one value for each class of" if target.takes_labels else "="
        items = [f"{quoted(names[j])} {words} {quoted(name)}" for j, name in found]
        yield (
            f"the answer is among the inputs: {few(items)} in all {len(train)} training rows; "
            f"{leave_out(data, len(items))} unless known when predicting"
        )


def equal(X: Examples, y: Array, left: Array) -> Array:
    """Those of the columns `left` of X that hold the N numbers of y."""
    return agreeing(X, left, lambda rows, left: y[rows, None])


def telling(X: Examples, codes: Array, left: Array) -> Array:
    """Those of the columns `left` of X that have one value for each class in `codes` (N), and no two classes one."""
    _, example, classes = np.unique(codes, return_index=True, return_inverse=True)  # `example`: a row of each class
    left = agreeing(X, left, lambda rows, left: X[example[classes[rows]]][:, left])
    return left[[len(np.unique(values)) == len(example) for values in X[example][:, left].T]]


def agreeing(X: Examples, left: Array, expected: Callable[[slice, Array], Array]) -> Array:
    """Those of the columns `left` of X whose numbers are `expected`; few are, as a rule, after the first rows."""
    for rows in slices(X):
        if not left.size:
            break
        left = left[(X[rows][:, left] == expected(rows, left)).all(axis=0)]
    return left


def new_in(tables: Mapping[str, Table], coding: Coding) -> Iterator[str]:
    """Notes on contents of validation and test rows that the training rows did not have."""
    for name, table in tables.items():
        if name != "train":
            yield from (f"in the {name} rows, {each}" for each in coding.news(table))


def many_levels(coding: Coding) -> Iterator[str]:
    """Categories of more than MANY levels: each level is an input of the network."""
    for name, category in coding.categories.items():
        if category.codes > MANY:
            yield (
                f"column {quoted(name)} has {category.codes} levels, each of which is an input of the network: "
                f"data.columns: {{{name}: {{min_count: 20}}}} puts rare ones together"
            )


def missing_classes(
    rows: Mapping[str, int], counts: Mapping[str, Mapping[str, Sequence[int]]], target: Target, data: schema.Data
) -> Iterator[str]:
    """Classes of the training rows that another split has no row of; `counts` as from `Experiment.class_counts`."""
    for split, n in rows.items():
        lacking = {
            column: [label for label, count in zip(labels, counts[column][split], strict=True) if not count]
            for column, labels in target.labels.items()
        }
        items = [f"class {listed(labels)} of target {quoted(column)}" for column, labels in lacking.items() if labels]
        if getattr(data, f"{split}_path", None):
            remedy = f"add such rows to data.{split}_path"
        elif data.split.method != "stratified":
            remedy = "try data.split.method: stratified"
        else:
            remedy = f"try a larger data.split.{split}"
        if items:
            yield f"the {n} {split} rows lack {few(items)}, and their scores say nothing about that: {remedy}"


def shared_rows(tables: Mapping[str, Table], coding: Coding, data: schema.Data) -> Iterator[str]:
    """Rows of a split whose inputs are those of a training row, from 1 % of the split's rows up.

    Fewer cannot move an accuracy by more than 0.01. Where the distinct training rows are half of all or less, the
    columns have so few combinations of values that new rows repeat them too, and nothing is wrong with the split.
    """
    if len(tables) == 1:
        return
    known = set(row_hashes(uncoded(tables["train"], coding)[1]).tolist())
    if 2 * len(known) <= len(tables["train"]):
        return
    others = {name: table for name, table in tables.items() if name != "train"}
    counts = {
        name: sum(row in known for row in row_hashes(uncoded(table, coding)[1]).tolist())
        for name, table in others.items()
    }
    shared = {name: n for name, n in counts.items() if n and n >= 0.01 * len(tables[name])}
    if shared:
        these = " and ".join(f"{n} of the {len(tables[name])} {name} rows" for name, n in shared.items())
        keys = dict.fromkeys(f"data.{name}_path" if getattr(data, f"{name}_path") else "data.path" for name in shared)
        yield (
            f"inputs of training rows are also those of {these}, so the scores there are not those of new rows alone: "
            f"remove repeated rows from {' and '.join(keys)}"
        )


def row_hashes(X: Examples) -> Array:
    """A number of 64 bits for each row of X, the same for rows of equal numbers (0 and -0 are equal)."""
    found = np.empty(len(X), np.int64)
    for rows in slices(X):
        doubles = np.ascontiguousarray(X[rows], dtype=np.float64) + 0.0  # which makes 0 of -0
        found[rows] = [hash(row.tobytes()) for row in doubles]
    return found


def chosen(names: Sequence[str], mask: Array) -> list[str]:
    return [names[i] for i in np.flatnonzero(mask).tolist()]


def leave_out(data: schema.Data, count: int) -> str:
    """data.exclude names columns, but a `.npz` file has arrays."""
    place = "out of the array in data.path" if data.path.endswith(".npz") else "out with data.exclude"
    return f"leave {'it' if count == 1 else 'them'} {place}"
