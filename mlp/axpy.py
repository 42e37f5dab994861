"""Y <- a X + b Y in one pass over memory, by the BLAS that NumPy multiplies matrices with.

An optimizer's step on a wide network is bound by memory, and `Y *= b; Y += a * X` reads and writes Y twice, a X once
more. BLAS has it as one routine: "a x plus y" (Lawson, Hanson, Kincaid and Krogh 1979), which OpenBLAS spreads over its
threads, and with b "axpby" (Blackford et al. 2002, sec. 2.4). NumPy itself calls BLAS for products alone, so the
routines are called here, in the library that NumPy has loaded. Smaller arrays, other kinds of arrays, and all arrays
where the library does not have them or cannot be asked, such as on Windows, take the lines of NumPy.

The two differ in the last bit: most kernels of BLAS fuse the product with the sum, some in whole blocks only, so that
there the bits depend on the processor and the number of threads, as those of matrix products do. Within `same_bits()`
all is left to NumPy.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import numpy as np

from mlp.types import Array

SMALLEST = 2**17  # elements, from which on a call of BLAS is faster
LARGEST = 2**31 - 1  # elements, where BLAS counts in 32 bits
KINDS = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}  # float32 and float64, as BLAS and C name them
NAMES = ("scipy_cblas_{}64_", "cblas_{}64_", "scipy_cblas_{}", "cblas_{}")  # in NumPy's wheels, and built elsewhere

Routine = Callable[..., None]

numpy_alone: ContextVar[bool] = ContextVar("numpy_alone", default=False)


def axpy(a: float, X: Array, Y: Array) -> None:
    """Y <- a X + Y, in place, for arrays of one shape that share no memory.

    An overflow in a large array is not seen by `np.errstate`: look for it (`mlp.divergence.LARGE_STEP`). With a = 0 the
    values of X, be they infinite, may be left out. Raises ValueError where Y is read-only or X does not fit.
    """
    routine = suitable_routine("axpy", X, Y) if Y.size >= SMALLEST else None
    if routine is None:
        Y += a * X
    else:
        routine(Y.size, a, X.ctypes.data, 1, Y.ctypes.data, 1)


def axpby(a: float, X: Array, b: float, Y: Array) -> None:
    """Y <- a X + b Y, in place; otherwise as `axpy`, and with b = 0 the values of Y may be left out."""
    routine = suitable_routine("axpby", X, Y) if Y.size >= SMALLEST else None
    if routine is None:
        Y *= b
        Y += X if a == 1 else a * X
    else:
        routine(Y.size, a, X.ctypes.data, 1, b, Y.ctypes.data, 1)


@contextmanager
def same_bits() -> Iterator[None]:
    """Within it sums have the same bits on every processor and with any number of threads."""
    token = numpy_alone.set(True)
    try:
        yield
    finally:
        numpy_alone.reset(token)


def suitable_routine(name: str, X: Array, Y: Array) -> Routine | None:
    """BLAS's routine for these arrays, or None where they are for NumPy: BLAS takes addresses and checks nothing."""
    if numpy_alone.get() or Y.size > LARGEST or X.dtype != Y.dtype or X.shape != Y.shape:
        return None
    if not (type(X) is type(Y) is np.ndarray and X.flags.c_contiguous and Y.flags.carray and X.flags.aligned):
        return None
    return find_routine(name, Y.dtype.char) if Y.dtype.isnative else None


@cache
def find_routine(name: str, char: str) -> Routine | None:
    """The routine for a dtype in NumPy's own BLAS, once it has computed right; None where there is none."""
    if char not in KINDS:
        return None
    letter, real = KINDS[char]
    whole, address = ctypes.c_ssize_t, ctypes.c_void_p  # where BLAS takes 32 of 64 bits, they are in one register
    arguments = {
        "axpy": [whole, real, address, whole, address, whole],
        "axpby": [whole, real, address, whole, real, address, whole],
    }
    try:
        # A symbol is looked up in this library and those that it needs, so in NumPy's BLAS and in no other.
        library = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    except (ImportError, OSError):
        return None
    for pattern in NAMES:
        routine = getattr(library, pattern.format(letter + name), None)
        if routine is not None:
            routine.argtypes, routine.restype = arguments[name], None
            return routine if computes_right(name, routine, char) else None
    return None


def computes_right(name: str, routine: Routine, char: str) -> bool:
    """Whether it gives 3 X - 2 Y, or 3 X + Y, of small whole numbers."""
    X, Y = np.arange(67, dtype=char), np.arange(67, 0, -1).astype(char)
    b = 1 if name == "axpy" else -2
    wanted = 3 * X + b * Y
    routine(Y.size, 3, X.ctypes.data, 1, *([] if name == "axpy" else [b]), Y.ctypes.data, 1)
    return bool(np.array_equal(Y, wanted))
