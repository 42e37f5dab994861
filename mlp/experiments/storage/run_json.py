"""Make run directories, and write and read run.json, which says what ran on what and how it ended."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from mlp.errors import ConfigError, FileError
from mlp.experiments.storage import lock
from mlp.experiments.storage.files import sync_folder


def new_folder(wanted: Path) -> list[Path]:
    """Create `wanted`, or wanted-2, wanted-3, ...: the first that is not there yet.

    Returns it, and after it those above it that had to be made too. Raises ConfigError when it cannot be made.
    """
    try:
        made = make_folders(wanted.parent)
        number = 1
        while True:
            folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            try:
                return [*make_folders(folder, exist_ok=False), *made]
            except FileExistsError:
                number += 1
    except OSError as error:
        raise ConfigError(f"{wanted}: {error.strerror or error}; name another place with --out") from None


def empty_folder(folder: Path) -> list[Path]:
    """Create this directory, which may be there if nothing but a lock file is in it; returns those that had to be made,
    lowest first.

    Raises ConfigError when it cannot be made, or is there and not empty.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(path.name != lock.NAME for path in folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file"
            raise ConfigError(f"--out {folder}: {what}; a run needs a new directory")
        return make_folders(folder)
    except OSError as error:
        raise ConfigError(f"--out {folder}: {error.strerror or error}; choose another place") from None


def make_folders(folder: Path, *, exist_ok: bool = True) -> list[Path]:
    """Create a directory and those above it that are missing; returns them, lowest first. None is left on failure."""
    if folder.exists() and exist_ok:
        return []
    above = make_folders(folder.parent)
    try:
        folder.mkdir(exist_ok=exist_ok)
        sync_folder(folder.parent)
    except OSError:
        remove_folders(above)
        raise
    return [folder, *above]


def remove_files(folder: Path, names: Sequence[str]) -> None:
    """Remove those of these files that are there."""
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def remove_folders(folders: Sequence[Path]) -> None:
    """Remove directories, lowest first, as far as they are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


class Process(BaseModel):
    """Who writes, or wrote last, to the directory."""

    model_config = ConfigDict(strict=True)
    id: int
    host: str


class Resumed(BaseModel):
    """One resume: what had changed in the environment since the start of the run."""

    model_config = ConfigDict(strict=True, extra="allow")
    changed: list[str]


class RunRecord(BaseModel):
    """What is read again from run.json. The rest of it is for people, and kept."""

    model_config = ConfigDict(strict=True, extra="allow")
    status: Literal["running", "finished", "interrupted", "diverged", "failed"]
    epochs_done: int
    best_epoch: int | None
    sha256: dict[str, str]
    seconds: float
    process: Process | None = None
    resumed: list[Resumed] = []
    scores: dict[str, dict[str, float | None]] | None = None


def read_facts(folder: Path) -> dict[str, Any]:
    """run.json. Raises FileError when the folder is not that of a run."""
    try:
        facts = json.loads((folder / "run.json").read_text("utf-8"))
        return RunRecord.model_validate(facts).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise FileError(f"{folder}: not a run directory: run.json: {reason}")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def as_json(data: Any) -> bytes:
    """As run.json is written."""
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def without_nan(data: Any) -> Any:
    """The same with None for numbers that JSON cannot write."""
    if isinstance(data, dict):
        return {key: without_nan(value) for key, value in data.items()}
    return None if isinstance(data, float) and not np.isfinite(data) else data
