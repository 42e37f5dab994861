"""Notes about a table: constant columns, answers among the inputs, missing classes, rows shared by splits.

Each note is a generator of sentences, which yields none where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from mlp.experiments.config import schema
from mlp.minibatches import batches
from mlp.tables import Table
from mlp.tables.rows import slices
from mlp.tables.target import Target
from mlp.text import few, listed, quoted
from mlp.types import Array, Examples

FEW = 10  # rows: where fewer are not of the most frequent answer, a column may agree with the answers by chance
TOGETHER = 64  # rows that are hashed at a time


def constant_targets(train: Table, target: Target) -> Iterator[str]:
    """Numbers that are all the same; a single class is an error (see `Classes.fit`)."""
    if target.takes_labels:
        return
    names = chosen(train.targets, train.Y.min(axis=0) == train.Y.max(axis=0))
    if names:
        these, them = ("target {} is", "it") if len(names) == 1 else ("targets {} are", "them")
        yield (
            f"{these.format(listed(names))} constant in the training rows: nothing to learn; "
            f"leave {them} out of data.target"
        )


def constant_columns(X: Examples) -> Array:
    """Which columns of X hold one value alone."""
    D, first = X.shape[1], X[:1]
    return np.isin(np.arange(D), agreeing(X, np.arange(D), lambda rows, left: first[:, left]))


def constant_inputs(train: Table, constant: Array, data: schema.Data) -> Iterator[str]:
    """Columns of one value other than 0: a column of a sparse table may well be 0 in all training rows."""
    names = chosen(train.inputs, constant & (train.X[:1] != 0)[0])
    if names:
        columns = "column is" if len(names) == 1 else "columns are"
        it = leave_out(data, len(names))
        yield f"{len(names)} input {columns} constant in the training rows ({listed(names)}): {it}"


def answers_among_inputs(
    train: Table, Y: Examples, constant: Array, target: Target, data: schema.Data
) -> Iterator[str]:
    """Columns that are equal to a target or, for classes, that have one value for each class, and different ones.

    Not where fewer than FEW rows make the difference, and not where no other column would be left: then it is the task
    itself. Y (N x K) has the targets as the network sees them.
    """
    varying, found = np.flatnonzero(~constant), list[tuple[int, str]]()
    decided = [target.decide(Y[rows].T) for rows in slices(Y)] if target.takes_labels else [train.Y.T]
    for name, y in zip(train.targets, np.concatenate(decided, axis=1), strict=True):
        if len(y) - np.unique(y, return_counts=True)[1].max() >= FEW:
            columns = (telling if target.takes_labels else equal)(train.X, y, varying)
            found += [(j, name) for j in columns.tolist()]
    if found and len({j for j, _ in found}) < len(varying):
        words = "has one value for each class of" if target.takes_labels else "="
        items = [f"{quoted(train.inputs[j])} {words} {quoted(name)}" for j, name in found]
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
    values = X[example][:, left] if left.size else np.empty((0, 0))
    return left[[len(np.unique(column)) == len(example) for column in values.T]]


def agreeing(X: Examples, left: Array, expected: Callable[[slice, Array], Array]) -> Array:
    """Those of the columns `left` of X whose numbers are `expected`; few are, as a rule, after the first rows."""
    for rows in slices(X):
        if not left.size:
            break
        left = left[(X[rows][:, left] == expected(rows, left)).all(axis=0)]
    return left


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
    known = np.unique(row_hashes(tables["train"].X))
    if 4 * len(known) <= len(tables["train"]):
        return
    others = {name: table for name, table in tables.items() if name != "train"}
    counts = {name: int(np.isin(row_hashes(table.X), known).sum()) for name, table in others.items()}
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
    for rows in batches(len(X), TOGETHER):
        # + 0.0 makes 0 of -0; of a transposed matrix the rows must be brought together first, for speed
        together = np.ascontiguousarray(X[rows], dtype=np.float64) + 0.0
        found[rows] = [hash(row.tobytes()) for row in together]
    return found


def chosen(names: Sequence[str], mask: Array) -> list[str]:
    return [names[i] for i in np.flatnonzero(mask).tolist()]


def leave_out(data: schema.Data, count: int) -> str:
    """data.inputs names columns, but arrays of a `.npz` file."""
    place = "out of the array in data.path" if data.path.endswith(".npz") else "out with data.inputs"
    return f"leave {'it' if count == 1 else 'them'} {place}"
