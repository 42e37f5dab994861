"""Write what was trained as a run directory, and read the epochs of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlp.experiments.config.yaml_text import dump_yaml
from mlp.experiments.model import Model
from mlp.experiments.storage.files import write_file
from mlp.experiments.storage.metrics_csv import MetricsFile, read_metrics
from mlp.experiments.storage.run_folder import as_json, empty_folder, now, without_nan
from mlp.records import EpochRecord


def write_run(folder: Path, model: Model, records: Sequence[EpochRecord], facts: dict[str, Any]) -> None:
    """Write a run directory, run.json last: a folder without it is no run. Raises ConfigError unless it is empty."""
    empty_folder(folder)
    write_file(folder / "config.yaml", dump_yaml(model.config).encode())
    model.save(folder / "model.npz")
    metrics = MetricsFile(folder)
    try:
        for record in records:
            metrics.append(record)
    finally:
        metrics.close()
    write_file(folder / "run.json", as_json(without_nan(facts | {"written": now()})))


def read_records(folder: Path) -> list[EpochRecord]:
    """The epochs of a run, as metrics.csv has them: their seconds are not in it."""
    return [
        EpochRecord(
            epoch=int(row.pop("epoch")),
            train_loss=row.pop("train_loss"),
            valid_loss=row.pop("valid_loss"),
            learning_rate=row.pop("learning_rate"),
            gradient_norm=row.pop("gradient_norm"),
            seconds=float("nan"),
            metrics=row,
        )
        for row in read_metrics(folder)
    ]
