"""Count the processors that this process may use, for the threads of BLAS and of what reads tables."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path


def processors() -> float:
    """As many as the process may run on, or less by a quota of its CPU time."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(affinity, cpu_quota())


def cpu_quota(own: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> float:
    """The processors' worth of time that the process's cgroup, and each group above it, allows; inf without a limit.

    Version 2 of cgroups has "quota period" in cpu.max, version 1 a file for each. A container may name a group that it
    cannot see; those above it, which it can, are looked at all the same.
    """
    quotas = [math.inf]
    for line in own.read_text().splitlines() if own.exists() else []:
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            top = groups / "cpu" if controllers else groups
            group = top / path.lstrip("/")
            quotas += [quota_of(folder) for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return min(quotas)


def quota_of(group: Path) -> float:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):  # the file is not there, or has "max" for no limit
            quota, period = " ".join((group / name).read_text() for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else math.inf
    return math.inf
