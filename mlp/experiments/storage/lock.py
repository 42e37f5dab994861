"""Let one process at a time write to a run directory, which must also stay where it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import filelock

from mlp.errors import ConfigError

NAME = ".lock"
WAIT = 0.2  # seconds: longer than somebody who only asks (see `locked`) holds it
UNSUPPORTED = (
    errno.ENOLCK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EINVAL,
)  # by some network file systems


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
            folder / NAME, timeout=WAIT, poll_interval=WAIT / 10, thread_local=False, fallback_to_soft=False
        )
        try:
            self.lock.acquire()
        except filelock.Timeout:
            raise ConfigError(
                f"{folder}: {holder} is writing to it; wait for it or stop it, or start another run with mlp train"
            ) from None
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise OSError(error.errno, error.strerror, str(folder / NAME)) from None
            self.problem = f"{folder}: cannot be locked here ({error.strerror}): let no second process write to it"

    def held(self) -> bool:
        """Whether the directory is still where it was when it was locked, and not deleted, moved or replaced."""
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
    """Whether a process is writing to the directory at this moment; None where that cannot be known."""
    if not (folder / NAME).exists():  # a copy without it: to ask would make one
        return None
    try:
        lock = FolderLock(folder)
    except ConfigError:
        return True
    except OSError:
        return None
    lock.release()
    return None if lock.problem else False
