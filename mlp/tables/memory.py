"""How much memory this process may take: that of the machine, or less where a limit is set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROCESS = Path("/proc/self/cgroup")  # says which control groups this process is in
GROUPS = Path("/sys/fs/cgroup")


def allowed_memory() -> int | None:
    """Bytes: the least of the physical memory, the process's own limits and those of its control groups (Linux).

    None where the system does not tell (Windows).
    """
    limits = [*physical_memory(), *process_limits(), *group_limits()]
    return min(limits, default=None)


def physical_memory() -> Iterator[int]:
    if hasattr(os, "sysconf"):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def process_limits() -> Iterator[int]:
    """What `ulimit -v` and `ulimit -d` set."""
    try:
        import resource
    except ImportError:
        return
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit


def group_limits() -> Iterator[int]:
    """Limits of the control groups that the process is in, and of those above it: containers and batch systems."""
    with contextlib.suppress(OSError):
        for line in PROCESS.read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers == "":
                top, file = GROUPS, "memory.max"
            elif "memory" in controllers.split(","):
                top, file = GROUPS / "memory", "memory.limit_in_bytes"
            else:
                continue
            group = top / name.lstrip("/")
            for folder in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError):  # not visible from inside a container, or "max"
                    yield int((folder / file).read_text())
                if folder == top:
                    break
