"""Whole runs of `mlp train` from a file: their peak memory against the data's, and growth as N, width, depth double."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarking.results import Row
from benchmarking.steps import Say
from benchmarking.tables import duration, number, table
from benchmarking.work import make_rows

TRAIN = [sys.executable, "-c", "from mlp.cli.commands import main; main()", "train"]
BATCH = 128


class Run(NamedTuple):
    """What is trained; `suffix` is that of the data file."""

    rows: int
    sizes: tuple[int, ...]
    suffix: str = ".npz"
    epochs: int = 3

    @property
    def network(self) -> str:
        return "-".join(map(str, self.sizes))


class Outcome(NamedTuple):
    """Seconds of an epoch (the mean of the run's), peak memory and the data's, in MB."""

    seconds: float
    megabytes: float
    data_megabytes: float


def train(run: Run, folder: Path) -> Outcome:
    """Write data and a config into `folder`, train in a fresh process, and delete the data.

    Raises RuntimeError with the last line of what a failing run said.
    """
    data, config, out = folder / f"data{run.suffix}", folder / "config.yaml", folder / "run"
    X, classes = make_rows(run.sizes, run.rows)
    if run.suffix == ".npz":
        np.savez(data, X=X, y=classes.astype(np.float32))
        size, target = X.nbytes + 4 * len(X), "y"
    else:
        np.save(data, np.column_stack([X, classes]).astype(np.float32))
        size, target = X.nbytes + 4 * len(X), str(X.shape[1])
    layers = ", ".join(f"{{units: {units}}}" for units in run.sizes[1:-1])
    config.write_text(
        f"data: {{path: {data.name}, target: '{target}'}}\n"
        "task: classification\n"
        f"network: {{layers: [{layers}]}}\n"
        "optimizer: {name: sgd, learning_rate: 0.01, momentum: 0.9}\n"
        f"training: {{epochs: {run.epochs}, batch_size: {BATCH}, seed: 0}}\n"
    )
    del X, classes
    measured = [sys.executable, "-S", str(Path(__file__).with_name("peak.py")), *TRAIN]
    done = subprocess.run(
        [*measured, str(config), "--out", str(out), "--no-plot", "--quiet"], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"mlp train on {run.network}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    seconds = json.loads((out / "run.json").read_text())["seconds"]
    for path in (data, config, *out.iterdir()):
        path.unlink()
    out.rmdir()
    return Outcome(seconds / run.epochs, float(done.stdout.splitlines()[-1]), size / 1e6)


def row_of(part: str, run: Run, outcome: Outcome) -> Row:
    row = Row(part, f"mlp train {run.suffix}", run.network, BATCH, "sgd", run.rows, seconds=outcome.seconds)
    row.megabytes, row.data_megabytes = outcome.megabytes, outcome.data_megabytes
    return row


def measure_memory(row_counts: Sequence[int], folder: Path, say: Say) -> list[Row]:
    rows = []
    for suffix in (".npy", ".npz"):
        for count in row_counts:
            run = Run(count, (784, 256, 128, 10), suffix, epochs=2)
            say(f"memory: {count} rows from a {suffix} file")
            rows.append(row_of("memory", run, train(run, folder)))
    return rows


def memory_table(rows: Sequence[Row]) -> str:
    return table(
        ["memory", "rows", "data MB", "peak MB", "(peak - 100 MB) / data"],
        [
            [
                row.competitor,
                str(row.rows),
                number(row.data_megabytes, 0),
                number(row.megabytes, 0),
                number(((row.megabytes or 0) - 100) / (row.data_megabytes or 1)),
            ]
            for row in rows
        ],
    )


def growing(doublings: int) -> dict[str, list[Run]]:
    """Runs in which one quantity doubles, `doublings` times each."""
    powers = [2**power for power in range(doublings + 1)]
    return {
        "N": [Run(8192 * power, (64, 128, 128, 10)) for power in powers],
        "width": [Run(8192, (64, 64 * power, 64 * power, 10)) for power in powers],
        "depth": [Run(8192, (64, *[128] * (2 * power), 10)) for power in powers],
    }


def measure_growth(doublings: int, folder: Path, say: Say) -> list[Row]:
    rows = []
    for quantity, runs in growing(doublings).items():
        for run in runs:
            say(f"growth of {quantity}: {run.rows} rows, {run.network}")
            rows.append(row_of(f"growth of {quantity}", run, train(run, folder)))
    return rows


def growth_table(rows: Sequence[Row]) -> str:
    """Each run beside the one before it, with half of the quantity."""
    lines = []
    for before, row in zip([None, *rows], rows, strict=False):
        same = before is not None and before.part == row.part
        ratio = (row.seconds or 0) / (before.seconds or 1) if before is not None and same else None
        growth = (row.megabytes or 0) - (before.megabytes or 0) if before is not None and same else None
        shape = [row.part, str(row.rows), str(row.network)]
        times = [duration(row.seconds or 0), number(ratio)]
        lines.append([*shape, *times, number(row.megabytes, 0), number(growth, 0)])
    return table(["growth", "rows", "network", "epoch", "x before", "peak MB", "+ MB"], lines)
