"""Make a run directory, let one process at a time write to it, and read its run.json: what ran, and how it ended."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from mlp.errors import ConfigError, FileError
from mlp.experiments.storage.files import irregular, sync_folder

LOCK = ".lock"
WAIT = 0.2  # seconds: longer than somebody who only asks (see `locked`) holds the lock
# By some network file systems:
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


def new_folder(wanted: Path) -> list[Path]:
    """Create `wanted`, or wanted-2, wanted-3, ...: the first that is not there yet.

    Returns it, and after it those above it that had to be made too.
    """
    try:
        made = make_folders(wanted.parent)
        folder, number = wanted, 1
        while True:
            try:
                return [*make_folders(folder, exist_ok=False), *made]
            except FileExistsError:
                number += 1
                folder = wanted.with_name(f"{wanted.name}-{number}")
    except OSError as error:
        raise ConfigError(f"{wanted}: {error.strerror or error}; name another place with --out") from None


def empty_folder(folder: Path) -> list[Path]:
    """Create this directory, which may be there if nothing but a lock file is in it.

    Returns those that had to be made, lowest first.
    """
    try:
        if folder.is_symlink() and not folder.exists():
            raise ConfigError(f"--out {folder}: is a link to {os.readlink(folder)}, which is not there")
        if folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file" if folder.is_file() else "is no directory"
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
        remove(above)
        raise
    return [folder, *above]


def remove(paths: Sequence[Path]) -> None:
    """Remove files, and directories that are empty by then, in this order, as far as that can be done."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


class FolderLock:
    """A lock on the file ".lock" in a directory. The file may stay; the lock ends with the process, however that ends.

    Where a file system cannot lock, the directory is used unlocked, and `problem` says why. Raises ConfigError when
    another process has the lock, OSError when the file cannot be made.
    """

    def __init__(self, folder: Path, holder: str = "another process") -> None:
        self.folder = folder
        self.problem: str | None = None
        self.place = os.stat(folder)
        self.lock = filelock.FileLock(
            folder / LOCK, timeout=WAIT, poll_interval=WAIT / 10, thread_local=False, fallback_to_soft=False
        )
        try:
            self.lock.acquire()
        except filelock.Timeout:
            raise ConfigError(
                f"{folder}: {holder} is writing to it; wait for it or stop it, or start another run with mlp train"
            ) from None
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise OSError(error.errno, error.strerror, str(folder / LOCK)) from None
            self.problem = f"{folder}: cannot be locked here ({error.strerror}): let no second process write to it"

    def held(self) -> bool:
        """Tell whether the directory is still where it was when it was locked, and not deleted, moved or replaced."""
        try:
            return os.path.samestat(self.place, os.stat(self.folder))
        except OSError:
            return False

    def check(self) -> None:
        """Raises FileNotFoundError when it is not."""
        if not self.held():
            reason = "the run directory was deleted or moved while the run was writing to it"
            raise FileNotFoundError(errno.ENOENT, reason, str(self.folder))

    def release(self) -> None:
        self.lock.release()


def locked(folder: Path) -> bool | None:
    """Tell whether a process is writing to the directory at this moment; None where that cannot be known."""
    if not (folder / LOCK).exists():  # a copy without it: to ask would make one
        return None
    try:
        lock = FolderLock(folder)
    except ConfigError:
        return True
    except OSError:
        return None
    lock.release()
    return None if lock.problem else False


class Part(BaseModel):
    """A mapping in run.json. What is not read again is for people, and kept."""

    model_config = ConfigDict(strict=True, extra="allow")


class Process(Part):
    """Who writes, or wrote last, to the directory."""

    id: int
    host: str


class Resumed(Part):
    """One resume: what had changed in the environment since the start of the run."""

    changed: list[str]


class RunRecord(Part):
    """The facts that are read again from run.json."""

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
        if kind := irregular(folder / "run.json"):
            raise FileError(f"{folder}: not a run directory: run.json {kind}")
        facts = json.loads((folder / "run.json").read_text("utf-8"))
        return RunRecord.model_validate(facts).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    except OSError as error:
        reason = error.strerror or str(error)
    except FileError:
        raise
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
