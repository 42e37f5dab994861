"""The machine that a run computes on: versions and BLAS for run.json, the number of BLAS threads, the allocator.

The number of threads follows from the sizes of a step's matrix products. Threads with too little to do cost more than
they compute: each product waits for all of them, and they spin while they wait. OpenBLAS starts a second one from 2^18
multiplications; a step gains by it from 2^22 in its largest product (`scripts/threads.py`), so each thread gets at
least 2^21. No clock decides, because the last bits of a product depend on the number of threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

import mlp
from mlp.processors import processors

MULTIPLICATIONS_OF_A_THREAD = 2**21
OBEYED = {  # by each BLAS: a user who has set one of these has chosen
    "openblas": ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS"),
    "mkl": ("MKL_NUM_THREADS", "OMP_NUM_THREADS"),
    "blis": ("BLIS_NUM_THREADS", "OMP_NUM_THREADS"),
}
THREAD_VARIABLES = tuple(dict.fromkeys(name for names in OBEYED.values() for name in names))
MUCH_WAITING = 0.25  # threads without a processor, on average: one busy process beside the run makes it half or more
LONG_ENOUGH = 1.0  # seconds of training; less tells nothing about threads, and is over

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT = 2**30  # bytes that may lie free at the end of the heap
OWN_MAPPING = 2**25  # bytes from which an array gets a mapping of its own: the most that glibc takes for this
MALLOC_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def environment(*, ranks: int = 1, mpi: str | None = None) -> dict[str, Any]:
    """The facts on which the last bits of a result depend beside config and data.

    One config and one data file give the same bits wherever all of this is the same. The BLAS kernel is the one that
    was chosen for this processor, which no version number shows. Several processes sum bars in an order that their
    number and the MPI decide.
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


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences of two environments in words: "numpy 2.4.6 (was 2.3.1)". `platform` is for people alone: a new
    kernel of the operating system changes no bit."""
    rows = [(name, then.get(name), now[name]) for name in ("ranks", "mpi", "simd", "machine", "libc")]
    for section, prefix in (("blas", "BLAS "), ("versions", "")):
        found = then.get(section)
        before = found if isinstance(found, dict) else {}
        rows = [(f"{prefix}{name}", before.get(name), value) for name, value in now[section].items()] + rows
    return [
        f"{name} {value} (was {'not recorded' if was is None else was})" for name, was, value in rows if value != was
    ]


def blas() -> dict[str, Any]:
    """The BLAS that NumPy runs: name, version, kernel, and the threads that it may use at this moment."""
    built = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})  # empty parts are left out
    running: dict[str, Any] = next(iter(loaded_blas()), {})
    return {
        "name": built.get("name"),
        "version": running.get("version") or built.get("version"),
        "kernel": running.get("architecture"),
        "threads": running.get("num_threads"),
    }


def loaded_blas() -> list[dict[str, Any]]:
    """The facts of threadpoolctl on each BLAS library that is loaded."""
    return [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


@dataclass(frozen=True)
class Threads:
    """The number of BLAS threads of a run, of those that BLAS has, and the `reason` for it in words.

    Where `chosen` is False nothing is set: a user has set the environment `variable`, or BLAS tells no number.
    """

    number: int = 1
    available: int = 1
    reason: str = ""
    variable: str = THREAD_VARIABLES[0]
    chosen: bool = False

    def limit(self) -> threadpoolctl.threadpool_limits:
        """`with threads.limit():` BLAS has this number, and after it as many as before.

        The number is the process's: two runs that take turns in one process both have that of the one begun last.
        """
        return threadpoolctl.threadpool_limits(self.number if self.chosen else None, user_api="blas")

    def describe(self) -> str:
        """A line about what computes the matrix products."""
        found = blas()
        line = f"BLAS: {found['name'] or 'unknown'} {found['version'] or ''}".rstrip()
        if found["kernel"] is not None:
            line += f", {found['kernel']} kernels"
        if found["threads"] is None:
            return line
        of = f"{self.number} of {self.available}" if self.number < self.available else f"{self.number}"
        return f"{line}, {of} thread{'s' * (of != '1')}{f' ({self.reason})' if self.reason else ''}"


def choose_threads(multiplications: int) -> Threads:
    """As many as a product of so many multiplications can use, and no more than BLAS has and the system allows.

    What a user has set by an environment variable stays.
    """
    pools = loaded_blas()
    numbers = [pool["num_threads"] for pool in pools if pool["num_threads"]]
    if not numbers:
        return Threads()
    user = chosen_by_user(pools)
    if user is not None:
        return Threads(max(numbers), max(numbers), f"by {user}", user)
    most = processors()
    allowed = min(min(numbers), max(1, int(most)))
    number = min(allowed, max(1, multiplications // MULTIPLICATIONS_OF_A_THREAD))
    reason = f"this process may use {most:g} processors" if allowed < min(numbers) else ""
    if number < allowed:
        reason = "the products are too small for more"
    variable = OBEYED.get(pools[0]["internal_api"], THREAD_VARIABLES)[0]
    return Threads(number, max(numbers), reason, variable, chosen=True)


def chosen_by_user(pools: Sequence[Mapping[str, Any]]) -> str | None:
    """The variable by which the user has set the number of threads of these BLAS libraries."""
    names = (name for pool in pools for name in OBEYED.get(pool["internal_api"], ()))
    return next((name for name in names if os.environ.get(name)), None)


@dataclass
class Waiting:
    """The seconds for which threads of this process had work and no processor, summed over them, and all seconds.

    Beside other work BLAS threads wait for each other and spin, so that a product is as slow as the last of them. Their
    processor time does not tell that from sleep on an idle machine. Linux counts this time; elsewhere it stays 0.
    """

    waited: float = 0.0
    seconds: float = 0.0

    @contextlib.contextmanager
    def measure(self) -> Iterator[None]:
        started, before = time.perf_counter(), waited_so_far()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started
            self.waited += max(0.0, waited_so_far() - before)

    def note(self, threads: Threads) -> str | None:
        """A sentence where several BLAS threads waited much."""
        if threads.number < 2 or self.seconds < LONG_ENOUGH or self.waited < MUCH_WAITING * self.seconds:
            return None
        share = self.waited / (threads.number * self.seconds)
        return (
            f"other work took the processors of the {threads.number} BLAS threads {share:.0%} of the time, and each "
            f"product waits for all of them; fewer may be faster: {threads.variable}={threads.number // 2}"
        )


def waited_so_far() -> float:
    try:
        return sum(int((each / "schedstat").read_text().split()[1]) for each in Path("/proc/self/task").iterdir()) / 1e9
    except (OSError, IndexError):
        return 0.0


def keep_freed_memory() -> bool:
    """Have the C library keep what a step frees, in the whole process, because the next step takes it again.

    glibc gives the end of its heap back to the system when that is free and large, and takes it again, page by page and
    zeroed, a moment later. False where the user has set limits, or where there is no such C library.
    """
    if os.name != "posix" or any(name in os.environ for name in MALLOC_VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # macOS, musl
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, OWN_MAPPING)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
