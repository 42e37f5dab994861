"""Operations that multiply, rearrange, pick and sum the elements of arrays.

All but the matrix product are linear, C = r(A). Then C_dot = r(A_dot), and A_bar puts each element of C_bar back where
its value came from (note, "masking" and "reshaping").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Operation
from mlp.autodiff.rules.preconditions import is_square


def linear(name: str, value: Callable[..., Any], reverse: Callable[..., Any], source: str) -> Operation:
    """C = r(A) with C_dot = r(A_dot); `reverse(C_bar, A, **options)` returns A_bar in a new array."""
    return Operation(
        name,
        value,
        forward=lambda dots, C, A, **options: value(dots[0], **options),
        reverse=lambda C_bar, C, A, **options: (reverse(C_bar, A, **options),),
        source=source,
    )


def matmul(A: Any, B: Any) -> Any:
    if A.ndim not in (1, 2) or B.ndim not in (1, 2) or A.shape[-1] != B.shape[0]:
        raise ValueError(f"matmul: shapes {A.shape} and {B.shape} do not make a product of matrices and vectors")
    return A @ B


def matmul_forward(dots: Any, C: Any, A: Any, B: Any) -> Any:
    A_dot, B_dot = dots
    return A_dot @ B + A @ B_dot


def matmul_reverse(C_bar: Any, C: Any, A: Any, B: Any) -> tuple[Any, ...]:
    """A_bar = C_bar B^T, B_bar = A^T C_bar; a vector on the left is a row here, one on the right a column."""
    A_matrix = A[np.newaxis, :] if A.ndim == 1 else A
    B_matrix = B[:, np.newaxis] if B.ndim == 1 else B
    C_bar = np.reshape(C_bar, (len(A_matrix), B_matrix.shape[1]))
    return (C_bar @ B_matrix.T).reshape(A.shape), (A_matrix.T @ C_bar).reshape(B.shape)


def mask(A: Any, keep: Any) -> Array:
    keep = np.asarray(keep)
    if keep.dtype != bool or keep.shape != A.shape:
        raise ValueError(f"mask: expected booleans of shape {A.shape}, got {keep.dtype} of shape {keep.shape}")
    return np.where(keep, A, A.dtype.type(0))


def select_reverse(C_bar: Any, A: Any, index: Any) -> Array:
    """The bars of all copies of an element, summed; 0 where none was selected."""
    A_bar = np.zeros(A.shape, C_bar.dtype)
    np.add.at(A_bar, index, C_bar)
    return A_bar


def sum_reverse(C_bar: Any, A: Any, axis: Any = None, keepdims: bool = False) -> Array:
    if axis is not None and not keepdims:
        C_bar = np.expand_dims(C_bar, axis)
    return np.broadcast_to(C_bar, A.shape).copy()


def trace(A: Array) -> Any:
    """c = tr A of a square matrix. c_dot = tr A_dot, A_bar = c_bar I."""
    is_square("trace", A)
    return np.trace(A)


def concatenate_reverse(C_bar: Any, C: Any, *inputs: Any, axis: int = 0) -> tuple[Any, ...]:
    ends = np.cumsum([A.shape[axis] for A in inputs])
    return tuple(piece.copy() for piece in np.split(C_bar, ends[:-1], axis))


def part_reverse(C_bar: Any, A: Any, k: int) -> tuple[Any, ...]:
    return tuple(np.array(C_bar) if i == k else np.zeros_like(member) for i, member in enumerate(A))


OPERATIONS = (
    Operation(
        "matmul", matmul, matmul_forward, matmul_reverse, "note, matrix product; Giles 2008, sec. 2.2.2: C = A B"
    ),
    linear("transpose", np.transpose, lambda C_bar, A: C_bar.T.copy(), "note, reshaping: C = A^T"),
    linear(
        "reshape",
        lambda A, shape: A.reshape(shape),
        lambda C_bar, A, shape: np.array(C_bar).reshape(A.shape),
        "note, reshaping: the elements of A, row by row, in another shape",
    ),
    linear("mask", mask, lambda C_bar, A, keep: mask(C_bar, keep), "note, masking: C = A where `keep`, else 0"),
    linear("select", lambda A, index: A[index], select_reverse, "note, reshaping, a subset of elements: C = A[index]"),
    linear("sum", np.sum, sum_reverse, "note, matrix product with vectors of ones: C = sum of A along axes"),
    linear("trace", trace, lambda C_bar, A: C_bar * np.eye(len(A), dtype=A.dtype), "Giles 2008, sec. 2.1: c = tr A"),
    Operation(
        "concatenate",
        lambda *inputs, axis=0: np.concatenate(inputs, axis),
        lambda dots, C, *inputs, axis=0: np.concatenate(dots, axis),
        concatenate_reverse,
        "note, reshaping: the inputs one after the other along an axis",
    ),
    linear("part", lambda A, k: A[k], part_reverse, "note, reshaping, a subset of elements: one of several results"),
)
