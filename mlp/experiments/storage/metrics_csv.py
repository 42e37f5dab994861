"""Write and read metrics.csv: a row an epoch, the same bytes whenever the same run is made again."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from typing import Any, TextIO

from mlp.errors import FileError
from mlp.experiments.storage.files import errors_name, irregular, write_file
from mlp.records import EpochRecord
from mlp.text import visible

NAME = "metrics.csv"
EPOCH = re.compile(r"[1-9][0-9]{0,9}")  # up to the most epochs that a config may have


def cells(record: EpochRecord) -> dict[str, Any]:
    """The columns of a row. The seconds that an epoch took are not among them, so that equal runs have equal rows."""
    return {
        "epoch": record.epoch,
        "train_loss": record.train_loss,
        "valid_loss": record.valid_loss,
        **{visible(name): value for name, value in record.metrics.items()},  # a target's name may have a line end in it
        "learning_rate": record.learning_rate,
        "gradient_norm": record.gradient_norm,
    }


def as_line(row: dict[str, Any], *, header: bool = False) -> str:
    """A row, or its header, as it stands in the file; floats with all their digits, so that none is lost."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(row if header else row.values())
    return text.getvalue()


class MetricsFile:
    """metrics.csv of a run, open to append to. Raises OSError, with the path in it, when it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.file: TextIO = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115 (closed by `close`)

    def append(self, record: EpochRecord) -> None:
        """Write a row, and the header above the first one, through to the operating system."""
        row = cells(record)
        header = as_line(row, header=True) if self.file.tell() == 0 else ""
        with errors_name(self.path):
            self.file.write(header + as_line(row))
            self.file.flush()

    def sync(self) -> None:
        """Flush the rows to the disk: a checkpoint must never be ahead of them."""
        with errors_name(self.path):
            os.fsync(self.file.fileno())

    def close(self) -> None:
        with errors_name(self.path):
            self.file.close()


def read_lines(folder: Path) -> list[str]:
    """Header and rows as text, each with its line end; a row cut short by a crash is left out."""
    path = folder / NAME
    try:
        if kind := irregular(path):
            raise FileError(f"{path}: {kind}")
        lines = path.read_text("utf-8").splitlines(keepends=True)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not the metrics of a run ({error})") from None
    return [line for line in lines if line.endswith("\n")]


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows as numbers, None where a cell is empty. Raises FileError when the file is not one of ours."""
    lines = read_lines(folder)
    if lines and not lines[0].startswith("epoch,"):
        raise FileError(f"{folder / NAME}: does not begin with the names of columns")
    try:
        return [{name: float(cell) if cell else None for name, cell in row.items()} for row in csv.DictReader(lines)]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise FileError(f"{folder / NAME}: not the metrics of a run ({error})") from None


def truncate_metrics(folder: Path, epoch: int) -> int:
    """Remove the rows beyond an epoch, which is about to be computed again; returns how many epochs stay."""
    path = folder / NAME
    if not path.exists():
        return 0
    header, *rows = read_lines(folder) or [""]
    if header and not header.startswith("epoch,"):
        # It may be something else, and is kept.
        raise FileError(f"{path}: does not begin with the names of columns; put them back, or move the file away")
    kept = [row for row in rows if 1 <= epoch_of(row) <= epoch]
    write_file(path, "".join([header, *kept] if kept else []).encode())
    return len(set(map(epoch_of, kept)))


def epoch_of(row: str) -> int:
    """The number that a row begins with, as `as_line` writes it; 0 for anything else."""
    cell = row.partition(",")[0]
    return int(cell) if EPOCH.fullmatch(cell) else 0
