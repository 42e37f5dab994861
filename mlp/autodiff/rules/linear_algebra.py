"""Inverse, solves and determinants: the functions of a square matrix that exist where it is not singular.

Arguments stand in the order of the formula: `solve_right(B, A)` is B A^-1. A right-hand side B may also be a vector
of shape (N,). Every function of A^-1 refuses, with a ValueError, A that is not square or that is singular to working
precision: a reciprocal condition number 1/(|A|_1 |A^-1|_1) below N eps. The determinants do so too, although 0 is a
fine determinant, because their rules divide by A.

The rules are those of Giles (2008), "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation", sections 2.2 and 2.3, whose letters they keep. All values are analytic in complex A and B.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Operation
from mlp.autodiff.preconditions import fit, has_rows, invertible, is_square

Dots = tuple[Any, ...]


def columns(B: Array) -> Array:
    """A vector as the one column that it stands for; a matrix as it is."""
    return np.reshape(B, (len(B), -1))


# C = A^-1


def inverse(A: Array) -> Array:
    """C = A^-1, N x N. C_dot = -C A_dot C, A_bar = -C^T C_bar C^T (Giles 2008, sec. 2.2.3)."""
    return invertible("inverse", A)


def inverse_forward(dots: Dots, C: Array, A: Array) -> Array:
    (A_dot,) = dots
    return -C @ A_dot @ C


def inverse_reverse(C_bar: Array, C: Array, A: Array) -> Dots:
    return (-C.T @ C_bar @ C.T,)


# C = A^-1 B


def solve(A: Array, B: Array) -> Array:
    """C = A^-1 B, A N x N, B and C N x M. C_dot = A^-1 (B_dot - A_dot C); B_bar = A^-T C_bar, A_bar = -B_bar C^T
    (Giles 2008, sec. 2.3.1)."""
    invertible("solve", A)
    fit("solve", "A^-1 B", has_rows(B, len(A)), A, B)
    return np.linalg.solve(A, B)


def solve_forward(dots: Dots, C: Array, A: Array, B: Array) -> Array:
    A_dot, B_dot = dots
    return np.linalg.solve(A, B_dot - A_dot @ C)


def solve_reverse(C_bar: Array, C: Array, A: Array, B: Array) -> Dots:
    B_bar = np.linalg.solve(A.T, C_bar)
    return -columns(B_bar) @ columns(C).T, B_bar


# C = A^-T B


def solve_transposed(A: Array, B: Array) -> Array:
    """C = A^-T B, A N x N, B and C N x M. C_dot = A^-T (B_dot - A_dot^T C); B_bar = A^-1 C_bar, A_bar = -C B_bar^T
    (the rules of `solve` for A^T)."""
    invertible("solve_transposed", A)
    fit("solve_transposed", "A^-T B", has_rows(B, len(A)), A, B)
    return np.linalg.solve(A.T, B)


def solve_transposed_forward(dots: Dots, C: Array, A: Array, B: Array) -> Array:
    A_dot, B_dot = dots
    return np.linalg.solve(A.T, B_dot - A_dot.T @ C)


def solve_transposed_reverse(C_bar: Array, C: Array, A: Array, B: Array) -> Dots:
    B_bar = np.linalg.solve(A, C_bar)
    return -columns(C) @ columns(B_bar).T, B_bar


# C = B A^-1


def solve_right(B: Array, A: Array) -> Array:
    """C = B A^-1, B and C M x N, A N x N. C_dot = (B_dot - C A_dot) A^-1; B_bar = C_bar A^-T, A_bar = -C^T B_bar
    (the rules of `solve`, transposed)."""
    invertible("solve_right", A)
    fit("solve_right", "B A^-1", B.ndim == 2 and has_rows(B.T, len(A)), B, A)
    return np.linalg.solve(A.T, B.T).T


def solve_right_forward(dots: Dots, C: Array, B: Array, A: Array) -> Array:
    B_dot, A_dot = dots
    return np.linalg.solve(A.T, (B_dot - C @ A_dot).T).T


def solve_right_reverse(C_bar: Array, C: Array, B: Array, A: Array) -> Dots:
    B_bar = np.linalg.solve(A, C_bar.T).T
    return B_bar, -C.T @ B_bar


# L X = B


def solve_triangular(L: Array, B: Array) -> Array:
    """X = L^-1 B, L lower triangular N x N (elements above its diagonal are not read), B and X N x M.

    X_dot = L^-1 (B_dot - tril(L_dot) X); B_bar = L^-T X_bar, L_bar = -tril(B_bar X^T) (Giles 2008, sec. 2.3.1, for
    the elements that are read)."""
    is_square("solve_triangular", L)
    invertible("solve_triangular", np.tril(L))
    fit("solve_triangular", "L^-1 B", has_rows(B, len(L)), L, B)
    return np.linalg.solve(np.tril(L), B)


def solve_triangular_forward(dots: Dots, X: Array, L: Array, B: Array) -> Array:
    L_dot, B_dot = dots
    return np.linalg.solve(np.tril(L), B_dot - np.tril(L_dot) @ X)


def solve_triangular_reverse(X_bar: Array, X: Array, L: Array, B: Array) -> Dots:
    B_bar = np.linalg.solve(np.tril(L).T, X_bar)
    return -np.tril(columns(B_bar) @ columns(X).T), B_bar


# c = det A


def determinant(A: Array) -> Any:
    """c = det A. c_dot = c tr(A^-1 A_dot), A_bar = c_bar c A^-T (Giles 2008, sec. 2.2.4)."""
    invertible("determinant", A)
    return np.linalg.det(A)


def determinant_forward(dots: Dots, c: Any, A: Array) -> Any:
    (A_dot,) = dots
    return c * np.trace(np.linalg.solve(A, A_dot))


def determinant_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    return (c_bar * c * np.linalg.inv(A).T,)


# c = log |det A|


def log_abs_determinant(A: Array) -> Any:
    """c = log |det A|, of positive and negative determinants. c_dot = tr(A^-1 A_dot), A_bar = c_bar A^-T (Giles 2008,
    sec. 2.2.4: the determinant of large A overflows, its logarithm does not).

    For complex A it is log(+-det A) with the sign that makes the real part positive, which is analytic; `slogdet`
    alone would leave the derivative in its sign."""
    invertible("log_abs_determinant", A)
    sign, log_abs = np.linalg.slogdet(A)
    return log_abs + np.log(sign * np.sign(sign.real))


def log_abs_determinant_forward(dots: Dots, c: Any, A: Array) -> Any:
    (A_dot,) = dots
    return np.trace(np.linalg.solve(A, A_dot))


def log_abs_determinant_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    return (c_bar * np.linalg.inv(A).T,)


OPERATIONS = (
    Operation("inverse", inverse, inverse_forward, inverse_reverse, "Giles 2008, sec. 2.2.3"),
    Operation("solve", solve, solve_forward, solve_reverse, "Giles 2008, sec. 2.3.1"),
    Operation(
        "solve_transposed",
        solve_transposed,
        solve_transposed_forward,
        solve_transposed_reverse,
        "Giles 2008, sec. 2.3.1",
    ),
    Operation("solve_right", solve_right, solve_right_forward, solve_right_reverse, "Giles 2008, sec. 2.3.1"),
    Operation(
        "solve_triangular",
        solve_triangular,
        solve_triangular_forward,
        solve_triangular_reverse,
        "Giles 2008, sec. 2.3.1",
    ),
    Operation("determinant", determinant, determinant_forward, determinant_reverse, "Giles 2008, sec. 2.2.4"),
    Operation(
        "log_abs_determinant",
        log_abs_determinant,
        log_abs_determinant_forward,
        log_abs_determinant_reverse,
        "Giles 2008, sec. 2.2.4",
    ),
)
