"""Files that are whole or absent: written under a temporary name, flushed to the disk, and renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

TEMPORARY = re.compile(r"\.(.+)\.([0-9]+)\.tmp")  # .NAME.PROCESS.tmp
LONGEST = 200  # bytes of a file's name that its temporary name repeats: most file systems allow 255 in all


def write_file(path: Path, content: bytes) -> None:
    """Replace the file in one step: readers, and whoever comes after a crash, see the old content or the new one.

    The new content is on the disk before it gets the name, and the directory is flushed after it, so that this holds
    for a power cut too. A file that was there keeps its mode, a link is followed, and what is no regular file (a pipe,
    a device) is written to and never replaced. Temporary files that a process left behind when it was killed are
    removed. Raises OSError, with the path in it; the file is then as it was.
    """
    path = Path(os.path.realpath(path))
    temporary = None
    try:
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            path.write_bytes(content)
            return
        if mode is not None and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        name = os.fsdecode(os.fsencode(path.name)[:LONGEST])
        sweep(path.parent, [name])
        temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with open(handle, "wb") as file:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(handle, stat.S_IMODE(mode))
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: Path, data: Any) -> None:
    write_file(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Flush a directory, so that the names in it outlive a power cut; file systems that cannot are let be."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sweep(folder: Path, names: Collection[str]) -> None:
    """Remove the temporary files of these names that a process left behind which is no more."""
    for path in folder.glob(".*.tmp"):
        match = TEMPORARY.fullmatch(path.name)
        if match and match[1] in names and not writing(int(match[2])):
            with contextlib.suppress(OSError):
                path.unlink()


def writing(process: int) -> bool:
    """Whether a process that may be writing is alive, and another one than this."""
    if process == os.getpid() or os.name != "posix":  # elsewhere an open file cannot be removed anyway
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
