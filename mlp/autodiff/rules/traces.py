"""Traces and norms: scalars that are linear or quadratic in the elements of a matrix.

Shapes that do not fit are refused with a ValueError. All values are analytic in complex input: nothing is conjugated,
and the norm is sqrt(tr A^T A). The rules combine those of the matrix product with dc = tr(A_bar^T dA), which defines
A_bar (Giles 2008, sec. 2.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Operation
from mlp.autodiff.preconditions import fit, invertible, is_matrix, is_square

Dots = tuple[Any, ...]

# c = tr A


def trace(A: Array) -> Any:
    """c = tr A of a square matrix. c_dot = tr A_dot, A_bar = c_bar I."""
    is_square("trace", A)
    return np.trace(A)


def trace_forward(dots: Dots, c: Any, A: Array) -> Any:
    (A_dot,) = dots
    return np.trace(A_dot)


def trace_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    return (c_bar * np.eye(len(A), dtype=A.dtype),)


# c = tr(A^T B)


def trace_product(A: Array, B: Array) -> Any:
    """c = tr(A^T B) = sum of A_ij B_ij, A and B of one shape. c_dot = tr(A_dot^T B) + tr(A^T B_dot); A_bar = c_bar B,
    B_bar = c_bar A."""
    fit("trace_product", "tr(A^T B)", A.shape == B.shape, A, B)
    return np.sum(A * B)


def trace_product_forward(dots: Dots, c: Any, A: Array, B: Array) -> Any:
    A_dot, B_dot = dots
    return np.sum(A_dot * B) + np.sum(A * B_dot)


def trace_product_reverse(c_bar: Any, c: Any, A: Array, B: Array) -> Dots:
    return c_bar * B, c_bar * A


# c = tr(A B)


def trace_matrix_product(A: Array, B: Array) -> Any:
    """c = tr(A B) = sum of A_ij B_ji, A N x M, B M x N. c_dot = tr(A_dot B) + tr(A B_dot); A_bar = c_bar B^T,
    B_bar = c_bar A^T."""
    fit("trace_matrix_product", "tr(A B)", A.shape == B.T.shape, A, B)
    return np.sum(A * B.T)


def trace_matrix_product_forward(dots: Dots, c: Any, A: Array, B: Array) -> Any:
    A_dot, B_dot = dots
    return np.sum(A_dot * B.T) + np.sum(A * B_dot.T)


def trace_matrix_product_reverse(c_bar: Any, c: Any, A: Array, B: Array) -> Dots:
    return c_bar * B.T, c_bar * A.T


# c = tr(B^T A B)


def trace_quadratic_form(B: Array, A: Array) -> Any:
    """c = tr(B^T A B), B N x M, A N x N. c_dot = tr(B_dot^T (A + A^T) B) + tr(B^T A_dot B); A_bar = c_bar B B^T,
    B_bar = c_bar (A + A^T) B."""
    is_matrix("trace_quadratic_form", B)
    is_square("trace_quadratic_form", A)
    fit("trace_quadratic_form", "tr(B^T A B)", len(A) == len(B), B, A)
    return np.sum(B * (A @ B))


def trace_quadratic_form_forward(dots: Dots, c: Any, B: Array, A: Array) -> Any:
    B_dot, A_dot = dots
    return np.sum(B_dot * ((A + A.T) @ B)) + np.sum(B * (A_dot @ B))


def trace_quadratic_form_reverse(c_bar: Any, c: Any, B: Array, A: Array) -> Dots:
    return c_bar * (A + A.T) @ B, c_bar * (B @ B.T)


# c = tr A^-1


def trace_inverse(A: Array) -> Any:
    """c = tr A^-1. c_dot = -tr(A^-1 A_dot A^-1), A_bar = -c_bar (A^-2)^T (Giles 2008, sec. 2.2.3)."""
    return np.trace(invertible("trace_inverse", A))


def trace_inverse_forward(dots: Dots, c: Any, A: Array) -> Any:
    (A_dot,) = dots
    A_inverse = np.linalg.inv(A)
    return -np.trace(A_inverse @ A_dot @ A_inverse)


def trace_inverse_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    A_inverse = np.linalg.inv(A)
    return (-c_bar * (A_inverse @ A_inverse).T,)


# c = |A|_F^2 = tr(A^T A)


def squared_frobenius_norm(A: Array) -> Any:
    """c = tr(A^T A) = sum of A_ij^2. c_dot = 2 tr(A^T A_dot), A_bar = 2 c_bar A."""
    return np.sum(A * A)


def squared_frobenius_norm_forward(dots: Dots, c: Any, A: Array) -> Any:
    (A_dot,) = dots
    return 2 * np.sum(A * A_dot)


def squared_frobenius_norm_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    return (2 * c_bar * A,)


# c = |A|_F


def frobenius_norm(A: Array) -> Any:
    """c = sqrt(tr(A^T A)). c_dot = tr(A^T A_dot)/c, A_bar = c_bar A/c (Giles 2008, sec. 5.1).

    Raises ValueError for A = 0, the tip of a cone, where there is no derivative."""
    largest = np.abs(A).max(initial=0)
    if largest == 0:
        raise ValueError("frobenius_norm: the matrix is 0, where the norm has no derivative")
    return largest * np.sqrt(np.sum((A / largest) ** 2))  # so that squares neither overflow nor vanish


def frobenius_norm_forward(dots: Dots, c: Any, A: Array) -> Any:
    (A_dot,) = dots
    return np.sum(A / c * A_dot)


def frobenius_norm_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    return (c_bar * (A / c),)


OPERATIONS = (
    Operation("trace", trace, trace_forward, trace_reverse, "Giles 2008, sec. 2.1"),
    Operation(
        "trace_product", trace_product, trace_product_forward, trace_product_reverse, "Giles 2008, sec. 2.1 and 2.2.2"
    ),
    Operation(
        "trace_matrix_product",
        trace_matrix_product,
        trace_matrix_product_forward,
        trace_matrix_product_reverse,
        "Giles 2008, sec. 2.1 and 2.2.2",
    ),
    Operation(
        "trace_quadratic_form",
        trace_quadratic_form,
        trace_quadratic_form_forward,
        trace_quadratic_form_reverse,
        "Giles 2008, sec. 2.1 and 2.2.2",
    ),
    Operation(
        "trace_inverse", trace_inverse, trace_inverse_forward, trace_inverse_reverse, "Giles 2008, sec. 2.1 and 2.2.3"
    ),
    Operation(
        "squared_frobenius_norm",
        squared_frobenius_norm,
        squared_frobenius_norm_forward,
        squared_frobenius_norm_reverse,
        "Giles 2008, sec. 2.1 and 2.2.2",
    ),
    Operation("frobenius_norm", frobenius_norm, frobenius_norm_forward, frobenius_norm_reverse, "Giles 2008, sec. 5.1"),
)
