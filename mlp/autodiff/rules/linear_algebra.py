"""Inverse, solves and determinants: the functions of a square matrix that exist where it is not singular.

Arguments stand in the order of the formula: `solve(A, B)` is A^-1 B. A right-hand side B may also be a vector of shape
(N,). A that is not square, or singular to working precision (see `preconditions`), is refused with a ValueError. The
determinants refuse it too: 0 is a fine determinant, but their rules divide by A.

The rules are those of Giles (2008), "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation", sections 2.2 and 2.3, in his letters. All values are analytic in complex A and B.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.preconditions import fit, invertible


def columns(B: Array) -> Array:
    """A vector as the one column that it stands for; a matrix as it is."""
    return np.reshape(B, (len(B), -1))


def inverse(A: Array) -> Array:
    """C = A^-1, N x N. C_dot = -C A_dot C, A_bar = -C^T C_bar C^T (Giles 2008, sec. 2.2.3)."""
    return invertible("inverse", A)


def inverse_forward(dots: Dots, C: Array, A: Array) -> Array:
    (A_dot,) = dots
    return -C @ A_dot @ C


def inverse_reverse(C_bar: Array, C: Array, A: Array) -> Dots:
    return (-C.T @ C_bar @ C.T,)


def solve(A: Array, B: Array) -> Array:
    """C = A^-1 B, A N x N, B and C N x M. C_dot = A^-1 (B_dot - A_dot C); B_bar = A^-T C_bar, A_bar = -B_bar C^T
    (Giles 2008, sec. 2.3.1)."""
    invertible("solve", A)
    fit("solve", "A^-1 B", B.ndim in (1, 2) and len(A) == len(B), A, B)
    return np.linalg.solve(A, B)


def solve_forward(dots: Dots, C: Array, A: Array, B: Array) -> Array:
    A_dot, B_dot = dots
    return np.linalg.solve(A, B_dot - A_dot @ C)


def solve_reverse(C_bar: Array, C: Array, A: Array, B: Array) -> Dots:
    B_bar = np.linalg.solve(A.T, C_bar)
    return -columns(B_bar) @ columns(C).T, B_bar


def determinant(A: Array) -> Any:
    """c = det A. c_dot = c tr(A^-1 A_dot), A_bar = c_bar c A^-T (Giles 2008, sec. 2.2.4)."""
    invertible("determinant", A)
    return np.linalg.det(A)


def determinant_forward(dots: Dots, c: Any, A: Array) -> Any:
    return c * log_abs_determinant_forward(dots, c, A)


def determinant_reverse(c_bar: Any, c: Any, A: Array) -> Dots:
    return log_abs_determinant_reverse(c_bar * c, c, A)


def log_abs_determinant(A: Array) -> Any:
    """c = log |det A|. c_dot = tr(A^-1 A_dot), A_bar = c_bar A^-T (Giles 2008, sec. 2.2.4). It is finite where the
    determinant of a large matrix overflows.

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
    Operation("determinant", determinant, determinant_forward, determinant_reverse, "Giles 2008, sec. 2.2.4"),
    Operation(
        "log_abs_determinant",
        log_abs_determinant,
        log_abs_determinant_forward,
        log_abs_determinant_reverse,
        "Giles 2008, sec. 2.2.4",
    ),
)
