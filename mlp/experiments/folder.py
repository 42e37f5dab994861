"""The files of a run directory that people read: metrics.csv and run.json, and how a directory gets its name."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import mlp
from mlp.experiments.archives import ModelFileError
from mlp.experiments.files import write_file
from mlp.experiments.yaml_text import ConfigError
from mlp.training import EpochRecord


def new_folder(wanted: Path) -> Path:
    """Create `wanted`, or wanted-2, wanted-3, ...: the first that is not there yet."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def empty_folder(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise ConfigError(f"--out {folder}: {what}; a run needs a new directory")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def metrics_row(record: EpochRecord) -> dict[str, Any]:
    return {
        "epoch": record.epoch,
        "train_loss": record.train_loss,
        "valid_loss": record.valid_loss,
        **record.metrics,
        "learning_rate": record.learning_rate,
        "gradient_norm": record.gradient_norm,
        "seconds": round(record.seconds, 6),
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """run.json. Raises ModelFileError when the folder is not that of a run."""
    try:
        facts = json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelFileError(f"{folder}: not a run directory: run.json: {reason}") from None
    if not isinstance(facts, dict):
        raise ModelFileError(f"{folder}: not a run directory: run.json does not hold a mapping")
    return facts


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.csv as numbers, None where a cell is empty; a row cut short by a crash is left out."""
    try:
        with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
            content = file.read()
    except OSError as error:
        raise ModelFileError(f"{folder / 'metrics.csv'}: {error.strerror or error}") from None
    whole = content[: content.rfind("\n") + 1]
    try:
        return [
            {name: float(cell) if cell else None for name, cell in row.items()}
            for row in csv.DictReader(io.StringIO(whole, newline=""))
        ]
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{folder / 'metrics.csv'}: not the metrics of a run ({error})") from None


def truncate_metrics(folder: Path, epoch: int) -> None:
    """Leave out of metrics.csv what is beyond an epoch: it is about to be computed again."""
    path = folder / "metrics.csv"
    if path.exists():
        header, *rows = path.read_text("utf-8").splitlines(keepends=True) or [""]
        kept = [row for row in rows if row.partition(",")[0].isdecimal() and int(row.partition(",")[0]) <= epoch]
        write_file(path, "".join([header, *kept] if kept else []).encode())


def environment() -> dict[str, Any]:
    """The versions, the BLAS and the processors that a result depends on in its last bits."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    threads = {name: os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ}
    return {
        "versions": {"mlp": mlp.__version__, "python": platform.python_version(), "numpy": np.__version__},
        "blas": {"name": blas["name"], "version": blas["version"]},
        "threads": {"processors": os.cpu_count(), **threads},
        "platform": platform.platform(),
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def without_nan(data: Any) -> Any:
    """The same with None for numbers that JSON cannot write."""
    if isinstance(data, dict):
        return {key: without_nan(value) for key, value in data.items()}
    return None if isinstance(data, float) and not np.isfinite(data) else data
