"""What a person would want to know about the columns and rows of their table: a generator of sentences a note.

See advice.py, which calls them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlp.experiments.advice.equality import (
    equal_columns,
    is_coincidence,
    repeated_columns,
    row_hashes,
    telling_columns,
)
from mlp.experiments.config import schema
from mlp.tables import Table
from mlp.tables.rows import pieces
from mlp.tables.targets import Exclusive, Quantities, Target
from mlp.text import few, listed, quoted
from mlp.types import Array, Examples


def constant_targets(train: Table, target: Target) -> Iterator[str]:
    """Quantities of one value (a single class is an error, see `Classes.fit`)."""
    if not isinstance(target, Quantities):
        return
    names = chosen(train.targets, train.Y.min(axis=0) == train.Y.max(axis=0))
    if names:
        these, them = (
            (f"target {listed(names)} is", "it") if len(names) == 1 else (f"targets {listed(names)} are", "them")
        )
        yield f"{these} constant in the training rows: nothing to learn; leave {them} out of data.target"


def constant_columns(X: Examples) -> Array:
    """Which columns of X hold one value alone."""
    first = X[:1]
    return ~np.any([(piece != first).any(axis=0) for piece in pieces(X)], axis=0)


def constant_inputs(train: Table, constant: Array, data: schema.Data) -> Iterator[str]:
    """Columns of one value, other than the blanks of a sparse table.

    Where a quarter or more of the other columns' numbers are 0 (pixels, counts, one-hot codes; nearly half in the
    shipped digits), a column of nothing but 0 is an entry too rare for these rows, as is to be expected there.
    """
    blank = constant & (train.X[:1] == 0)[0]
    if blank.any():
        others = len(train) * int((~blank).sum())
        if others - sum(np.count_nonzero(piece) for piece in pieces(train.X)) >= others / 4:
            constant = constant & ~blank
    names = chosen(train.inputs, constant)
    if names:
        columns = "column is" if len(names) == 1 else "columns are"
        it = leave_out(data, len(names))
        yield f"{len(names)} input {columns} constant in the training rows ({listed(names)}): {it}"


def repeated_inputs(train: Table, constant: Array, data: schema.Data) -> Iterator[str]:
    """Columns that are equal to another one in all training rows, where chance does not explain it.

    Of two constant columns chance does: they have one order.
    """
    pairs = repeated_columns(train.X)
    trials = math.comb(len(train.inputs), 2)
    by_chance = {i: constant[i] or is_coincidence(column(train.X, i), trials) for i in {i for _, i in pairs}}
    items = [f"{quoted(train.inputs[j])} = {quoted(train.inputs[i])}" for j, i in pairs if not by_chance[i]]
    if items:
        columns = "column" if len(items) == 1 else "columns"
        yield (
            f"{len(items)} repeated input {columns}: {few(items)} in all {len(train)} training rows; "
            f"{leave_out(data, len(items))}"
        )


def answers_among_inputs(
    train: Table, Y: Examples, constant: Array, target: Target, data: schema.Data
) -> Iterator[str]:
    """Columns that are equal to a target or, for classes, that have one value for each class, and different ones.

    Not where chance explains it (for K classes, in any of K! codings), and not where no other column would be left:
    then it is the task itself. Y (N x K) has the targets as the network sees them.
    """
    varying = np.flatnonzero(~constant)
    exact = isinstance(target, Quantities)
    found: list[tuple[int, str]] = []
    for name, y in zip(train.targets, answers(train, Y, target), strict=True):
        columns = (equal_columns if exact else telling_columns)(train.X, y, varying)
        codings = 1 if exact else math.factorial(int(y.max()) + 1)
        if columns.size and not is_coincidence(y, len(constant) * codings):
            found += [(j, name) for j in columns.tolist()]
    if found and len({j for j, _ in found}) < len(varying):
        words = "=" if exact else "has one value for each class of"
        items = [f"{quoted(train.inputs[j])} {words} {quoted(name)}" for j, name in found]
        yield (
            f"the answer is among the inputs: {few(items)} in all {len(train)} training rows; "
            f"{leave_out(data, len(items))} unless known when predicting"
        )


def answers(train: Table, Y: Examples, target: Target) -> Array:
    """A row for each target column: numbers as they were read, classes as 0, 1, ..."""
    if isinstance(target, Quantities):
        return train.Y.T
    kind = np.min_scalar_type(target.size)
    if isinstance(target, Exclusive):
        return np.concatenate([piece.argmax(axis=1).astype(kind) for piece in pieces(Y)])[None]
    return np.concatenate([piece.T.astype(kind) for piece in pieces(Y)], axis=1)


def missing_classes(
    rows: Mapping[str, int], counts: Mapping[str, Mapping[str, Sequence[int]]], target: Target, data: schema.Data
) -> Iterator[str]:
    """Classes of the training rows that another split has no row of; `counts` as from `Experiment.class_counts`."""
    for split, n in rows.items():
        items = []
        for column, labels in target.labels.items():
            missing = [label for label, count in zip(labels, counts[column][split], strict=True) if not count]
            if missing:
                items.append(f"class {listed(missing)} of target {quoted(column)}")
        if getattr(data, f"{split}_path", None):
            remedy = f"add such rows to data.{split}_path"
        elif data.split.method != "stratified":
            remedy = "try data.split.method: stratified"
        else:
            remedy = f"try a larger data.split.{split}"
        if items:
            yield f"the {n} {split} rows lack {few(items)}, and their scores say nothing about that: {remedy}"


def shared_rows(tables: Mapping[str, Table], data: schema.Data) -> Iterator[str]:
    """Rows of a split whose inputs are those of a training row, from 1 % of the split's rows up.

    Fewer cannot move an accuracy by more than 0.01. Where the distinct training rows are a quarter of all or less, the
    columns have so few combinations of values that new rows repeat them too, and nothing is wrong with the split.
    """
    if len(tables) == 1:
        return
    train = tables["train"]
    known = np.fromiter(row_hashes(train.X), np.int64, len(train))
    known.sort()
    if 4 * (1 + np.count_nonzero(known[1:] != known[:-1])) <= len(train):
        return
    others = {name: table for name, table in tables.items() if name != "train"}
    shared = {}
    for name, table in others.items():
        hashes = np.fromiter(row_hashes(table.X), np.int64, len(table))
        shared[name] = np.count_nonzero(known[np.searchsorted(known[:-1], hashes)] == hashes)
    shared = {name: n for name, n in shared.items() if n and n >= 0.01 * len(tables[name])}
    if shared:
        counts = " and ".join(f"{n} of the {len(tables[name])} {name} rows" for name, n in shared.items())
        keys = dict.fromkeys(f"data.{name}_path" if getattr(data, f"{name}_path") else "data.path" for name in shared)
        yield (
            f"inputs of training rows are also those of {counts}, so the scores there are not those of new rows alone: "
            f"remove repeated rows from {' and '.join(keys)}"
        )


def column(X: Examples, j: int) -> Array:
    return np.concatenate([piece[:, j] for piece in pieces(X)])


def chosen(names: Sequence[str], mask: Array) -> list[str]:
    return [names[i] for i in np.flatnonzero(mask).tolist()]


def leave_out(data: schema.Data, count: int) -> str:
    """data.inputs names columns, but arrays of a `.npz` file."""
    place = "out of the array in data.path" if data.path.endswith(".npz") else "out with data.inputs"
    return f"leave {'it' if count == 1 else 'them'} {place}"
