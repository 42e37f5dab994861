"""Inverse, solve, determinants and exponential: functions of a square matrix, analytic in complex matrices too.

Arguments stand in the order of the formula: `solve(A, B)` is A^-1 B. A right-hand side B may also be a vector of shape
(N,). A that is not square is refused with a ValueError; so is A that is singular to working precision (see
`preconditions`), but for the exponential. The determinants refuse it too: 0 is a fine determinant, but their rules
divide by A. The rules are those of Giles (2008), "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation", in his letters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.preconditions import invertible, is_square

PADE_DEGREE = 6


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
    if B.ndim not in (1, 2) or len(A) != len(B):
        raise ValueError(f"solve: shapes {A.shape} and {B.shape} do not fit in A^-1 B")
    return np.linalg.solve(A, B)


def solve_forward(dots: Dots, C: Array, A: Array, B: Array) -> Array:
    A_dot, B_dot = dots
    return np.linalg.solve(A, B_dot - A_dot @ C)


def solve_reverse(C_bar: Array, C: Array, A: Array, B: Array) -> Dots:
    B_bar = np.linalg.solve(A.T, C_bar)
    return -B_bar.reshape(len(A), -1) @ C.reshape(len(A), -1).T, B_bar  # a vector is one column


def determinant(A: Array) -> Any:
    """c = det A. c_dot = c tr(A^-1 A_dot), A_bar = c_bar c A^-T (Giles 2008, sec. 2.2.4)."""
    invertible("determinant", A)
    return np.linalg.det(A)


def log_abs_determinant(A: Array) -> Any:
    """c = log |det A|, which does not overflow. c_dot = tr(A^-1 A_dot), A_bar = c_bar A^-T (Giles 2008, sec. 2.2.4)."""
    invertible("log_abs_determinant", A)
    sign, log_abs = np.linalg.slogdet(A)
    return log_abs + np.log(sign * np.sign(sign.real))  # analytic: of complex A, the sign has the derivative


def matrix_exponential(A: Array) -> Array:
    """C = I + A + A^2/2! + ..., N x N, by scaling and squaring: exp(A) = exp(A/2^s)^(2^s).

    s makes |A/2^s|_1 < 1/2, where the Pade approximant of degree 6 is exact to rounding (Golub and Van Loan, Matrix
    Computations, algorithm 9.3.1). The derivative in a direction E is the upper right block of

        exp [[A, E], [0, A]] = [[exp A, L(A, E)], [0, exp A]],      C_dot = L(A, A_dot),      A_bar = L(A^T, C_bar)

    (Giles 2008, sec. 2.3.5; Higham, Functions of Matrices, sec. 3.2)."""
    is_square("matrix_exponential", A)
    squarings = max(0, int(np.frexp(np.linalg.norm(A, 1))[1]) + 1)
    A = A * 0.5**squarings
    identity = np.eye(len(A), dtype=A.dtype)
    term = numerator = denominator = identity
    coefficient = 1.0
    for k in range(1, PADE_DEGREE + 1):
        coefficient *= (PADE_DEGREE - k + 1) / (k * (2 * PADE_DEGREE - k + 1))
        term = A @ term
        numerator = numerator + coefficient * term
        denominator = denominator + (-1) ** k * coefficient * term
    C = np.linalg.solve(denominator, numerator)
    for _ in range(squarings):
        C = C @ C
    return C


def exponential_derivative(A: Array, E: Array) -> Array:
    """L(A, E). It is linear in E, which is scaled to elements of 1 so that its size costs no squarings of A."""
    N, scale = len(A), np.abs(E).max()
    if scale == 0:
        return np.zeros_like(A)
    return scale * matrix_exponential(np.block([[A, E / scale], [np.zeros_like(A), A]]))[:N, N:]


OPERATIONS = (
    Operation("inverse", inverse, inverse_forward, inverse_reverse, "Giles 2008, sec. 2.2.3"),
    Operation("solve", solve, solve_forward, solve_reverse, "Giles 2008, sec. 2.3.1"),
    Operation(
        "determinant",
        determinant,
        lambda dots, c, A: c * np.trace(np.linalg.solve(A, dots[0])),
        lambda c_bar, c, A: (c_bar * c * np.linalg.inv(A).T,),
        "Giles 2008, sec. 2.2.4",
    ),
    Operation(
        "log_abs_determinant",
        log_abs_determinant,
        lambda dots, c, A: np.trace(np.linalg.solve(A, dots[0])),
        lambda c_bar, c, A: (c_bar * np.linalg.inv(A).T,),
        "Giles 2008, sec. 2.2.4",
    ),
    Operation(
        "matrix_exponential",
        matrix_exponential,
        lambda dots, C, A: exponential_derivative(A, dots[0]),
        lambda C_bar, C, A: (exponential_derivative(A.T, C_bar),),
        "Giles 2008, sec. 2.3.5; Higham, Functions of Matrices, sec. 3.2",
    ),
)
