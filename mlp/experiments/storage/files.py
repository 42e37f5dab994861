"""Files that are whole or absent: written under a temporary name, flushed to the disk, and renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

TEMPORARY = re.compile(r"\.(.+)\.([0-9]+)\.tmp")  # .NAME.PROCESS.tmp
LONGEST = 200  # bytes of a file's name that its temporary name repeats: most file systems allow 255 in all


def irregular(path: Path | str) -> str | None:
    """Say why this is no regular file, or None: a pipe would wait for a writer, and a device may have no end.

    Raises OSError where there is nothing, and ValueError for what is no path.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISREG(mode):
        return None
    return "is a directory" if stat.S_ISDIR(mode) else "is a pipe or a device"


def write_file(path: Path, content: bytes, *, folder: int | None = None) -> None:
    """Replace the file in one step: readers, and whoever comes after a crash, see the old content or the new one.

    The new content is on the disk before it gets the name, and the directory is flushed after it, so that this holds
    for a power cut too. A file that was there keeps its mode, a link is followed, and what is no regular file (a pipe,
    a device) is written to and never replaced. Temporary files that a process left behind when it was killed are
    removed. With `folder`, the handle of an open directory, the file is in that one, wherever it was moved to and
    whatever has its name now, and a link there is replaced. Raises OSError, with the path in it; the file is then as it
    was.
    """
    with errors_name(path):
        if folder is None:
            real = Path(os.path.realpath(path))
            if real.exists() and not real.is_file():
                real.write_bytes(content)
                return
            remove_leftovers(real.parent, [real.name])
            replace_file(str(real), str(real.with_name(temporary_name(real.name))), content, None)
            sync_folder(real.parent)
        else:
            replace_file(path.name, temporary_name(path.name), content, folder)
            sync_handle(folder)


@contextlib.contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """An OSError from inside names this file: a write that fails does not say by itself what was written to."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def replace_file(path: str, temporary: str, content: bytes, folder: int | None) -> None:
    """Write the temporary file, flush it and rename it to `path`; both are relative to `folder`, if there is one."""
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = stat.S_IMODE(os.stat(path, dir_fd=folder).st_mode)
        if not os.access(path, os.W_OK, dir_fd=folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666, dir_fd=folder)
    try:
        with open(handle, "wb") as file:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def temporary_name(name: str) -> str:
    return f".{shortened(name)}.{os.getpid()}.tmp"


def shortened(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:LONGEST])


def as_json(data: Any) -> bytes:
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def sync_folder(folder: Path) -> None:
    """Flush a directory, so that the names in it outlive a power cut."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync_handle(handle)
    finally:
        os.close(handle)


def sync_handle(folder: int) -> None:
    """The same of an open directory; file systems that cannot are let be."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def remove_leftovers(folder: Path, names: Collection[str], *, alone: bool = False) -> None:
    """Remove the temporary files of these names that a process left behind which is no more.

    `alone` says that nobody else writes there, so that a number of a process that is alive is one used again.
    """
    short = {shortened(name) for name in names}
    for path in folder.glob(".*.tmp"):
        match = TEMPORARY.fullmatch(path.name)
        if match and match[1] in short and (alone or not writing(int(match[2]))):
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
        pass  # it is somebody else's, and alive
    return True
