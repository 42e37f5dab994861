"""How many BLAS threads a run uses: as many as its matrix products can, by their sizes alone.

Threads that get too little to do cost more than they compute: each product waits for all of them, and they spin while
they wait, so that beside other work a step may take ten times as long. OpenBLAS starts a second one from 2^18
multiplications; on an idle 2-core machine a step gains a fifth by it from 2^22 in its largest product, and little below
(`scripts/threads.py`), so each thread gets at least 2^21. The rule looks at sizes and at no clock: the last
bits of a product depend on the number of threads.

The number is one of the whole process. It is set for each minibatch and put back after it (2 microseconds), so that
what a caller does in between, such as another run, has its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Any, TypeVar

import threadpoolctl

from mlp.experiments.environment import blas

T = TypeVar("T")

MULTIPLICATIONS_OF_A_THREAD = 2**21
OBEYED = {  # by each BLAS: a user who has set one of these has chosen
    "openblas": ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS"),
    "mkl": ("MKL_NUM_THREADS", "OMP_NUM_THREADS"),
    "blis": ("BLIS_NUM_THREADS", "OMP_NUM_THREADS"),
}
VARIABLES = tuple(dict.fromkeys(name for names in OBEYED.values() for name in names))


def largest_product(sizes: Sequence[int], B: int) -> int:
    """Multiplications of the largest matrix product of a step: B K_in K_out, of W H and both products of its bars."""
    return B * max(n_in * n_out for n_in, n_out in pairwise(sizes))


def useful_threads(sizes: Sequence[int], B: int) -> int:
    """How many threads the products of these layers can use, whatever the machine has."""
    return max(1, largest_product(sizes, B) // MULTIPLICATIONS_OF_A_THREAD)


def loaded_blas() -> list[Any]:
    """threadpoolctl's controllers of the BLAS libraries that are loaded."""
    return threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers


def chosen_by_user(libraries: Sequence[Any]) -> str | None:
    """The variable by which the user has set the number of threads of these BLAS libraries."""
    names = (name for library in libraries for name in OBEYED.get(library.internal_api, ()))
    return next((name for name in names if os.environ.get(name)), None)


class ThreadLimit:
    """`with limit:` BLAS has at most so many threads, never more than it had, and as many as before at the end.

    Nothing is limited where a user has set the number, by the variable `chooser`. It can be entered again and again,
    one after the other.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        libraries = loaded_blas()
        self.chooser = chosen_by_user(libraries)
        self.libraries = libraries if self.chooser is None else []
        self.before: list[int | None] = []

    def __enter__(self) -> None:
        self.before = [library.num_threads for library in self.libraries]
        self.set([None if number is None else min(number, self.threads) for number in self.before])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.set(self.before)

    def set(self, numbers: Sequence[int | None]) -> None:
        for library, number in zip(self.libraries, numbers, strict=True):
            if number is not None:  # a BLAS that does not tell is left alone
                library.set_num_threads(number)

    def each(self, records: Iterator[T]) -> Iterator[T]:
        """The records, each of them made within the limit."""
        while True:
            with self:
                try:
                    record = next(records)
                except StopIteration:
                    return
            yield record


def describe_blas(limit: ThreadLimit) -> str:
    """What a run within `limit` computes its matrix products with."""
    available = blas()["threads"]
    with limit:
        found = blas()
    threads, kernel, chooser = found["threads"], found["kernel"], limit.chooser
    line = f"BLAS: {found['name'] or 'unknown'} {found['version'] or ''}".rstrip()
    if kernel is not None:
        line += f", {kernel} kernels"
    if threads is not None and threads < available:
        line += f", {threads} of {available} threads (the products are too small for more)"
    elif threads is not None:
        line += f", {threads} thread{'s' * (threads != 1)}{f' (by {chooser})' if chooser else ''}"
    return line
