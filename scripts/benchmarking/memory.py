"""Measure the peak memory of whole runs of `mlp train` from a file, against the size of the data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarking.results import Row, number, table
from benchmarking.steps import Say
from benchmarking.work import make_rows

TRAIN = [sys.executable, "-c", "from mlp.cli.commands import main; main()", "train"]
CONFIG = """
data: {{path: {path}, target: '{target}'}}
task: classification
network: {{layers: [{{units: 256}}, {{units: 128}}]}}
optimizer: {{name: sgd, learning_rate: 0.01, momentum: 0.9}}
training: {{epochs: 2, batch_size: 128, seed: 0}}
"""
SIZES = (784, 256, 128, 10)


def peak_of_training(suffix: str, rows: int, folder: Path) -> float:
    """MB of a fresh process that trains; data and run are deleted after it.

    Raises RuntimeError with the last line of what a failing run said.
    """
    data, config, out = folder / f"data{suffix}", folder / "config.yaml", folder / "run"
    X, classes = make_rows(SIZES, rows)
    if suffix == ".npz":
        np.savez(data, X=X, y=classes.astype(np.float32))
    else:
        np.save(data, np.column_stack([X, classes]).astype(np.float32))
    config.write_text(CONFIG.format(path=data.name, target="y" if suffix == ".npz" else SIZES[0]))
    del X, classes
    measured = [sys.executable, "-S", str(Path(__file__).with_name("peak.py")), *TRAIN]
    done = subprocess.run(
        [*measured, str(config), "--out", str(out), "--no-plot", "--quiet"], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"mlp train on {rows} rows: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    for path in (data, config, *out.iterdir()):
        path.unlink()
    out.rmdir()
    return float(done.stdout.splitlines()[-1])


def measure_memory(row_counts: Sequence[int], folder: Path, say: Say) -> list[Row]:
    found = []
    for suffix in (".npy", ".npz"):
        for rows in row_counts:
            say(f"memory: {rows} rows from a {suffix} file")
            row = Row("memory", f"mlp train {suffix}", "-".join(map(str, SIZES)), 128, "sgd", rows)
            row.megabytes = peak_of_training(suffix, rows, folder)
            row.data_megabytes = 4 * rows * (SIZES[0] + 1) / 1e6
            found.append(row)
    return found


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
