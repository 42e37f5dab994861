"""One process at a time writes to a run directory, and it notices when the directory is not there any more."""

from __future__ import annotations

import errno
import os
import time
import weakref
from pathlib import Path

from mlp.errors import ConfigError

try:
    import fcntl
except ImportError:  # not a POSIX system: nobody is locked out there
    fcntl = None  # type: ignore[assignment]

WAIT = 0.2  # seconds: longer than somebody who only asks (see `locked`) holds it


class FolderLock:
    """An advisory lock on a directory itself (flock), so that there is no lock file that could be left behind.

    The kernel drops it with the process, however that ends. Where a file system cannot lock (some network ones), the
    directory is used unlocked, and `exclusive` is False. `handle` is the open directory, to write in it and in no
    other. Raises ConfigError when another process has the lock, OSError when the directory cannot be opened.
    """

    def __init__(self, folder: Path, holder: str = "another process") -> None:
        self.folder = folder
        self.handle: int | None = None
        self.exclusive = False
        if fcntl is None:
            return
        self.handle = os.open(folder, os.O_RDONLY)
        self.close = weakref.finalize(self, os.close, self.handle)
        until = time.monotonic() + WAIT
        while True:
            try:
                fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(WAIT / 10)
                    continue
                self.close()
                raise ConfigError(
                    f"{folder}: {holder} is writing to it; wait for it or stop it, or start another run with mlp train"
                ) from None
            except OSError:
                return
            self.exclusive = True
            return

    def held(self) -> bool:
        """Whether the directory is still where it was when it was locked, and not deleted, moved or replaced."""
        if self.handle is None:
            return True
        try:
            return os.path.samestat(os.fstat(self.handle), os.stat(self.folder))
        except OSError:
            return False

    def check(self) -> None:
        """Raises FileNotFoundError when it is not."""
        if not self.held():
            reason = "the run directory was deleted or moved while the run was writing to it"
            raise FileNotFoundError(errno.ENOENT, reason, str(self.folder))

    def release(self) -> None:
        if self.handle is not None:
            self.close()
            self.handle = None


def locked(folder: Path) -> bool | None:
    """Whether a process is writing to the directory at this moment; None where nothing can be locked."""
    try:
        lock = FolderLock(folder)
    except ConfigError:
        return True
    lock.release()
    return False if lock.exclusive else None
