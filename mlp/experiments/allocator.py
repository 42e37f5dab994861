"""What training tells the C library about memory: to keep what a step frees, because the next step takes it again.

A step makes its arrays anew. glibc gives the free end of its heap back to the system when that is larger than a limit,
and takes it again, page by page and zeroed, a moment later; whether that happens in every step or in none depends on
what lies at the end of the heap by chance. With bad luck a step of 784-256-128-10 takes twice as long.
"""

from __future__ import annotations

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT = 2**30  # bytes that may lie free at the end of the heap
OWN_MAPPING = 2**25  # bytes from which an array gets a mapping of its own: the most that glibc takes for this
VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")  # a user who has set one has chosen


def keep_freed_memory() -> bool:
    """Set both limits, for the whole process; False where the user has, or where there is no such C library."""
    if os.name != "posix" or any(name in os.environ for name in VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # macOS, musl
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, OWN_MAPPING)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
