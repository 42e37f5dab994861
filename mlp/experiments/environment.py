"""What the last bits of a result depend on beside config and data: versions, BLAS and its kernels, threads."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import threadpoolctl

import mlp


def environment(*, ranks: int = 1, mpi: str | None = None) -> dict[str, Any]:
    """Versions, the BLAS that NumPy runs with its kernels and threads, NumPy's own vector instructions, the platform.

    One config and one data file give the same bits wherever all of these are the same. The kernel is the one that the
    BLAS has chosen for this processor (or was told to use), which no version number shows. Where several ranks train,
    their number and the MPI decide in which order bars are summed.
    """
    config = np.show_config(mode="dicts")
    return {
        "versions": {"mlp": mlp.__version__, "python": platform.python_version(), "numpy": np.__version__},
        "blas": blas(),
        "ranks": ranks,
        "mpi": mpi,
        "simd": " ".join(config.get("SIMD Extensions", {}).get("found", [])),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "platform": platform.platform(),
    }


def blas() -> dict[str, Any]:
    """The BLAS that NumPy runs: name, version, kernel, and the threads that it may use at this moment."""
    built = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})  # empty parts are left out
    running: dict[str, Any] = next((pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"), {})
    return {
        "name": built.get("name"),
        "version": running.get("version") or built.get("version"),
        "kernel": running.get("architecture"),
        "threads": running.get("num_threads"),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of an environment is not as it was, in words: "numpy 2.4.6 (was 2.3.1)". `platform` is for people alone: a
    new kernel of the operating system changes no bit."""

    def compared(name: str, was: Any, value: Any) -> list[str]:
        return [] if value == was else [f"{name} {value} (was {'not recorded' if was is None else was})"]

    found = []
    for section, prefix in (("versions", ""), ("blas", "BLAS ")):
        before = then.get(section)
        for name, value in now[section].items():
            found += compared(f"{prefix}{name}", before.get(name) if isinstance(before, dict) else None, value)
    for name in ("ranks", "mpi", "simd", "machine", "libc"):
        found += compared(name, then.get(name), now[name])
    return found
