"""Describe the machine and the versions that a measurement holds for, in lines to print above it."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

LINUX_PROCESSORS, LINUX_TIMES = Path("/proc/cpuinfo"), Path("/proc/stat")


def processor() -> str:
    """The model of the processor, with family and model numbers where the system tells them."""
    if not LINUX_PROCESSORS.exists():
        return platform.processor() or platform.machine()
    facts: dict[str, str] = {}
    for line in LINUX_PROCESSORS.read_text().splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    if "cpu family" not in facts:
        return name
    wide = "with" if "avx512f" in facts.get("flags", "").split() else "without"
    return f"{name} (family {facts['cpu family']}, model {facts['model']}, {wide} AVX-512)"


def others(seconds: float = 0.5) -> float | None:
    """How many processors other processes use at this moment, or None where the system does not tell."""
    if not LINUX_TIMES.exists():
        return None

    def ticks() -> list[int]:
        return [int(count) for count in LINUX_TIMES.read_text().splitlines()[0].split()[1:9]]

    before = ticks()
    time.sleep(seconds)
    spent = [after - ago for after, ago in zip(ticks(), before, strict=True)]
    idle = spent[3] + spent[4]  # idle, and waiting for a disk
    return (os.cpu_count() or 1) * (1 - idle / max(1, sum(spent)))


def describe_machine(processors: int, competitors: Mapping[str, str]) -> list[str]:
    """`competitors` maps names to what each says about itself."""
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return [
        f"{processor()}, {os.cpu_count()} processors, {processors} of them used",
        f"{system}, Python {platform.python_version()}, {datetime.date.today()}",
        *(f"{name}: {description}" for name, description in competitors.items()),
    ]
