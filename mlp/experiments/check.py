"""Check a config's own data, loss, network, optimizer and training loop in numbers, for `mlp check`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mlp.checking import (
    FAIL,
    PASS,
    Result,
    check_labels,
    check_loop,
    check_loss,
    check_network,
    check_optimizer,
    check_weights,
)
from mlp.checking.results import attempt
from mlp.experiments.assemble import generators, read_splits
from mlp.experiments.experiment import Experiment
from mlp.tables import Table
from mlp.tables.coding import Coding
from mlp.tables.table import slices
from mlp.training import train
from mlp.types import Array, Examples

DATA_TOLERANCE = 1e-6  # examples are float32
RARE = "(rare)"


def check_experiment(experiment: Experiment, rows: int) -> list[Result]:
    """All checks of a config, as `what` says: of its data coding, loss, network, optimizer and training loop.

    The network, with its initial weights, and the loop see `rows` training rows from all over the table (all that there
    are, if there are fewer), the data coding is checked on all of them. Parameters that are 0 at first are drawn at
    random: below an output layer of zeros all bars would be 0, and say nothing.
    """
    model, config = experiment.model, experiment.loaded.config
    l2, weight_decay = config.training.l2, config.optimizer.weight_decay
    X, Y = experiment.splits["train"][:2]
    chosen = np.unique(np.linspace(0, len(X) - 1, rows).astype(int))
    X_few, Y_few = X[chosen].astype(np.float64), Y[chosen].astype(np.float64)
    network, rng = copy.deepcopy(model.network), np.random.default_rng(0)
    network.theta += np.where(network.theta == 0, 0.1 * rng.normal(size=network.theta.shape), 0).astype(np.float32)
    few, F = (X_few, Y_few), network(X_few.T)
    parts: list[tuple[str, Callable[[], Sequence[Result]]]] = [
        ("data", lambda: list(check_data(training_table(experiment), X, Y, experiment))),
        ("loss", lambda: check_loss(model.loss, F, Y_few.T)),
        ("network", lambda: check_network(network, model.loss, X_few.T, Y_few.T, l2)),
        ("optimizer", lambda: check_optimizer(experiment.optimizer, network)),
        ("loop", lambda: check_loop(train, network, model.loss, few, l2=l2, weight_decay=weight_decay)),
        ("loop", lambda: check_weights(train, network, model.loss, few)),
    ]
    return [result for part, check in parts for result in named(part, attempt("all", "as a whole", check))]


def named(part: str, results: Iterable[Result]) -> list[Result]:
    return [replace(result, what=f"{part}: {result.what}") for result in results]


def training_table(experiment: Experiment) -> Table:
    """The training rows as they are written: read again, and split by the same seed."""
    tables, _ = read_splits(experiment.loaded, generators(experiment.loaded.config)[0])
    return tables["train"]


def check_data(table: Table, X: Examples, Y: Examples, experiment: Experiment) -> Iterator[Result]:
    """X and Y, as they are trained on, against the table that they were made from."""
    coding, target = experiment.model.coding, experiment.model.target
    if coding.numbers:
        yield decoded("inputs", coding.numbers, lambda Z: coding.decode(Z)[0], X, table.X, coding.stretch)
    for name in coding.categories:
        yield decoded_texts(name, table, X, coding)
    if not target.takes_labels:
        yield decoded(", ".join(target.names), target.names, lambda Y: target.decide(Y.T).T, Y, table.Y)
    outputs = target.size // len(target.names)  # of each column
    for k, (name, labels) in enumerate(target.labels.items()):
        yield from labelled(name, labels, Y, table.Y[:, k], slice(k * outputs, (k + 1) * outputs))


def decoded_texts(name: str, table: Table, X: Examples, coding: Coding) -> Result:
    """A coded category, and back again, against the texts of the table; those without a level of their own are rare."""
    what, category, written = f"input {name!r}", coding.categories[name], table.texts[name].written()
    shown = [*category.levels, *([RARE] if category.rare else []), None, None]  # UNSEEN is -2, and MISSING -1
    for rows in slices(X):
        found = np.array(shown, dtype=object)[coding.decode(X[rows])[1][name]]
        known = np.isin(written[rows].astype(str), category.levels) | (written[rows] == None)  # noqa: E711
        wrong = np.flatnonzero(found != np.where(known, written[rows], RARE))
        if wrong.size:
            row = int(wrong[0])
            reason = f"row {rows.start + row}: {written[rows][row]!r} is written, {found[row]!r} is coded"
            return Result(what, "as written", FAIL, wrong.size / len(X), 0.0, reason)
    return Result(what, "as written", PASS, 0.0, 0.0, f"all {len(X)} rows, back as texts")


def labelled(name: str, labels: Sequence[str], Y: Examples, written: Array, columns: slice) -> list[Result]:
    """`check_labels`, in pieces: their one result, or those of the first piece that is not as it should be."""
    for rows in slices(Y):
        results = check_labels(Y[rows][:, columns], written[rows].tolist(), labels, name=name)
        if any(result.verdict != PASS for result in results):
            where = f"from row {rows.start}: " if rows.start else ""
            return [replace(result, reason=where + result.reason) for result in results]
    return [replace(result, reason=f"all {len(Y)} rows mark the label that is written") for result in results]


def decoded(
    what: str,
    columns: Sequence[str],
    decode: Callable[[Array], Array],
    coded: Examples,
    written: Examples,
    stretch: Callable[[Array], Array] = np.ones_like,
) -> Result:
    """Numbers that were standardized, and back again, against the numbers of the table: column by column.

    Where decoding stretches a rounding error of a coded number, by `stretch` of the written one, more may be lost.
    """
    tiny = np.finfo(np.float64).tiny
    difference, size = np.zeros(len(columns)), np.zeros(len(columns))
    worst, places = np.full(len(columns), -1.0), np.zeros(len(columns), int)
    for rows in slices(written):
        wanted = written[rows].astype(np.float64)
        found = decode(coded[rows])
        off = np.where(np.isnan(found) & np.isnan(wanted), 0, np.abs(found - wanted) / stretch(wanted))
        off = np.where(np.isnan(off), np.inf, off)
        difference = np.hypot(difference, np.linalg.norm(off, axis=0))
        size = np.hypot(size, np.linalg.norm(np.nan_to_num(wanted), axis=0))
        places = np.where(off.max(axis=0) > worst, rows.start + off.argmax(axis=0), places)
        worst = np.maximum(worst, off.max(axis=0))
    errors = difference / np.maximum(size, tiny)
    error = float(errors.max())
    if error <= DATA_TOLERANCE:
        return Result(what, "as written", PASS, error, DATA_TOLERANCE, f"all {len(written)} rows, back in their units")
    k = int(errors.argmax())
    row = slice(int(places[k]), int(places[k]) + 1)
    is_coded = decode(coded[row])[0, k]
    reason = f"row {places[k]}, {columns[k]!r}: {written[row][0, k]:.6g} is written, {is_coded:.6g} is coded"
    return Result(what, "as written", FAIL, error, DATA_TOLERANCE, reason)
