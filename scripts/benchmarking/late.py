"""Time a late epoch of a network that has become certain, against an early one, in processor time.

Where classes are told apart beyond doubt, softmax gives the others probabilities below 1e-38. These and what follows
from them are subnormal numbers, with which many processors compute a hundred times more slowly, others hardly. The data
are well separated classes with a few extreme rows. The early epochs have a learning rate at which nothing is learned
yet, so that all epochs do the same work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import threadpoolctl

from benchmarking.results import Row, duration, number, table
from benchmarking.steps import Say
from benchmarking.work import MOMENTUM, Cell, Rows, one_hot
from mlp import SGD, Adam, Layer, Network, SoftmaxCrossEntropy, train

NETWORK = "32-256-256-256-10"
ACTIVATIONS = ("elu", "relu", "tanh")
BATCH = 128
SEPARATION = 10  # of the classes' centres, in standard deviations of a class
EXTREME_ROWS, EXTREME = 10, 10  # so many rows are so many times as large
EARLY_RATE = 1e-7
LATE_RATE = 1e-3
EARLY_EPOCHS, COMPARED_EPOCHS = 5, 5
CERTAIN = 0.1  # the mean cross-entropy of a network that doubts nothing


def separated_rows(cell: Cell, count: int) -> Rows:
    rng = np.random.default_rng(5)
    centres = SEPARATION * rng.standard_normal((cell.sizes[-1], cell.sizes[0]))
    classes = rng.integers(cell.sizes[-1], size=count)
    X = centres[classes] + rng.standard_normal((count, cell.sizes[0]))
    X[:EXTREME_ROWS] *= EXTREME
    return X.astype(np.float32), classes


def late_row(activation: str, optimizer_name: str, count: int, late_epochs: int) -> Row:
    """The shortest of the last epochs against the shortest of the early ones: other work makes no epoch shorter."""
    cell = Cell(NETWORK, BATCH, optimizer_name)
    rng = np.random.default_rng(6)
    activations = [activation] * (len(cell.sizes) - 2) + ["identity"]
    layers = [Layer.initialize(*pair, g, rng=rng) for pair, g in zip(pairwise(cell.sizes), activations, strict=True)]
    X, classes = separated_rows(cell, count)
    optimizer = SGD(EARLY_RATE, momentum=MOMENTUM) if optimizer_name == "sgd" else Adam(EARLY_RATE)
    training = train(
        Network(layers),
        SoftmaxCrossEntropy(),
        optimizer,
        (X, one_hot(classes, cell.sizes[-1])),
        rng=rng,
        epochs=EARLY_EPOCHS + late_epochs,
        batch_size=BATCH,
    )
    seconds, used, loss = [], time.process_time(), 0.0
    for record in training:
        seconds.append(time.process_time() - used)
        loss = record.train_loss
        if record.epoch == EARLY_EPOCHS:
            optimizer.learning_rate = LATE_RATE
        used = time.process_time()
    early, late = min(seconds[:EARLY_EPOCHS]), min(seconds[-COMPARED_EPOCHS:])
    row = Row("late", f"mlp {activation}", NETWORK, BATCH, optimizer_name, count, seconds=late, ratio=late / early)
    row.loss = loss
    return row


def measure_late(count: int, late_epochs: int, say: Say, wrong: list[str]) -> list[Row]:
    """Measure on one thread, because threads that wait use processors too. Not to become certain is an error."""
    rows = []
    for optimizer in ("sgd", "adam"):
        for activation in ACTIVATIONS:
            say(f"late: {NETWORK}, {activation}, {optimizer}")
            with threadpoolctl.threadpool_limits(1, user_api="blas"):
                row = late_row(activation, optimizer, count, late_epochs)
            if not (row.loss or 0) < CERTAIN:
                wrong.append(
                    f"late: {activation}, {optimizer}: a loss of {row.loss:.3g} is not that of a certain network"
                )
            rows.append(row)
    return rows


def late_table(rows: Sequence[Row]) -> str:
    return table(
        ["late", "optimizer", "last epoch", "/ first", "loss"],
        [
            [row.competitor, str(row.optimizer), duration(row.seconds or 0), number(row.ratio), f"{row.loss:.1e}"]
            for row in rows
        ],
    )
