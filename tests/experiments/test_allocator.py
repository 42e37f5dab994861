"""Freed memory is kept for the next step, where the C library is glibc and the user has not decided otherwise."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource
from mlp.experiments.allocator import keep_freed_memory

libc = ctypes.CDLL(None)
libc.mallopt(-3, 2**25)  # from the heap, where the end of it is what is freed here
libc.mallopt(-1, 2**17)  # glibc's own limit, before it adapts
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        place = libc.malloc(2**23)
        ctypes.memset(place, 1, 2**23)
        libc.free(place)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


given_back = faults()
print(keep_freed_memory(), given_back, faults())
"""


def outcome(**environ):
    if sys.platform != "linux" or os.confstr("CS_GNU_LIBC_VERSION") is None:
        pytest.skip("no glibc")
    kept = {name: value for name, value in os.environ.items() if "MALLOC" not in name and name != "GLIBC_TUNABLES"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env={**kept, **environ}
    )
    answer, before, after = done.stdout.split()
    return answer, int(before), int(after)


def test_what_is_freed_is_not_given_back_to_the_system():
    answer, before, after = outcome()
    assert answer == "True"
    assert before > 50  # a fault a page, or a large one, in each of 50 rounds
    assert after < before / 10


def test_the_users_own_limit_stays():
    answer, before, after = outcome(MALLOC_TRIM_THRESHOLD_="131072")
    assert answer == "False"
    assert after > before / 2
