"""Time an epoch of data of MNIST's size, shuffled and cut into minibatches by each library's usual loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarking.competitors import Competitor
from benchmarking.processes import Workers
from benchmarking.results import Row, duration, number, table
from benchmarking.steps import Say, rows_of
from benchmarking.work import Cell

NETWORK = "784-256-128-10"
BATCHES = (128, 32)
ROWS = 60_000
LOSS_TOLERANCE = 0.03
"""Each shuffles in an order of its own, so mean losses of the first epoch agree roughly; relative to the median."""


def measure_epochs(
    competitors: Sequence[Competitor],
    batches: Sequence[int],
    row_count: int,
    rounds: int,
    processors: int,
    folder: Path,
    say: Say,
    wrong: list[str],
) -> list[Row]:
    """The first epoch compiles and warms up and its loss is compared; the following ones are timed."""
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    with Workers(competitors, processors, folder) as workers:
        for batch in batches:
            cell = Cell(NETWORK, batch, "sgd")
            say(f"epoch: {row_count} rows, {cell.network}, B = {cell.batch}, {cell.optimizer}")
            setting = {"network": cell.network, "batch": cell.batch, "optimizer": cell.optimizer, "rows": row_count}
            workers.ask_all("prepare_epoch", **setting)
            losses = {name: loss for name, (_, _, loss) in workers.ask_all("epoch").items()}
            measured = workers.rounds(rounds, lambda worker: worker.ask("epoch"), rng)
            if not workers.workers:
                break
            training = {worker.competitor.name: worker.competitor.trains for worker in workers.workers}
            usual = float(np.median([losses[name] for name, trains in training.items() if trains] or [0.0]))
            for row in rows_of("epoch", list(training), measured, cell):
                row.rows, row.loss = row_count, losses[row.competitor]
                if not training[row.competitor] or abs(row.loss - usual) <= LOSS_TOLERANCE * usual:
                    rows.append(row)
                else:
                    wrong.append(
                        f"epoch, B = {batch}: {row.competitor}: does other work: its mean loss is {row.loss:.4g}, "
                        f"but {usual:.4g} in the median of all (more than {LOSS_TOLERANCE:g} away)"
                    )
        wrong += workers.failed
    return rows


def epochs_table(rows: Sequence[Row]) -> str:
    return table(
        ["epoch", "B", "time", "mlp / it", "cores", "mean loss of the first"],
        [
            [
                row.competitor,
                str(row.batch),
                duration(row.seconds or 0),
                number(row.ratio),
                number(row.processors, 1),
                number(row.loss, 4),
            ]
            for row in rows
        ],
    )
