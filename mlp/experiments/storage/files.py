"""Write files that are whole or absent: under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

LONGEST = 200  # bytes of a name that its temporary name repeats: most file systems allow 255 in all


def irregular(path: Path | str) -> str | None:
    """Say why this is no regular file, or None: a pipe would wait for a writer, and a device may have no end."""
    mode = os.stat(path).st_mode
    if stat.S_ISREG(mode):
        return None
    return "is a directory" if stat.S_ISDIR(mode) else "is a pipe or a device"


def write_file(path: Path, content: bytes) -> None:
    """Replace the file in one step: readers, and whoever comes after a crash, see the old content or the new one.

    The content is on the disk before it gets the name, and the directory is flushed after that, so that this holds for
    a power cut too. A file that was there keeps its mode, a link is followed, and what is no regular file (a pipe, a
    device) is written to and never replaced. There is one temporary name for each name: two processes must not write
    the same file at once. Raises OSError, with the path in it; the file is then as it was.
    """
    with errors_name(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        real = Path(os.path.realpath(path))
        temporary = temporary_path(real)
        temporary.unlink(missing_ok=True)  # a process that was killed may have left it
        try:
            with open(temporary, "xb") as file:
                if real.exists():
                    if not os.access(real, os.W_OK):
                        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                    shutil.copymode(real, temporary)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, real)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(real.parent)


def temporary_path(path: Path) -> Path:
    """The name that a file has until it is whole: .NAME.tmp beside it."""
    return path.with_name(f".{os.fsdecode(os.fsencode(path.name)[:LONGEST])}.tmp")


@contextlib.contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """Name this file in every OSError from inside: a write that fails does not say by itself what was written to."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


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
