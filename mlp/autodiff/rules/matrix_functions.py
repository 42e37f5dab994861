"""Polynomials and the exponential of a square matrix (not of its elements).

Both are refused, with a ValueError, for A that is not square, and are analytic in complex A.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Operation
from mlp.autodiff.preconditions import is_square

Dots = tuple[Any, ...]

# C = a_0 I + a_1 A + ... + a_N A^N


def horner(A: Array, coefficients: Sequence[float]) -> list[Array]:
    """[C_N, ..., C_0] of Horner's rule, C_N = a_N I and C_n = A C_(n+1) + a_n I."""
    identity = np.eye(len(A), dtype=A.dtype)
    *lower, highest = map(float, coefficients)
    terms = [highest * identity]
    for a in reversed(lower):
        terms.append(A @ terms[-1] + a * identity)
    return terms


def matrix_polynomial(A: Array, *, coefficients: Sequence[float]) -> Array:
    """C = sum over n of a_n A^n, with coefficients (a_0, a_1, ..., a_N), the constant first; A and C are K x K.

    Horner's rule C_n = A C_(n+1) + a_n I and its two sweeps (Giles 2008, sec. 2.3.4): C_n_dot = A_dot C_(n+1) +
    A C_(n+1)_dot; then back from C_0_bar = C_bar, A_bar += C_n_bar C_(n+1)^T and C_(n+1)_bar = A^T C_n_bar.

    Raises ValueError when there is no coefficient."""
    is_square("matrix_polynomial", A)
    if len(coefficients) == 0:
        raise ValueError("matrix_polynomial: needs at least one coefficient")
    return horner(A, coefficients)[-1]


def matrix_polynomial_forward(dots: Dots, C: Array, A: Array, *, coefficients: Sequence[float]) -> Array:
    (A_dot,) = dots
    C_dot = np.zeros_like(A_dot)
    for C_next in horner(A, coefficients)[:-1]:
        C_dot = A_dot @ C_next + A @ C_dot
    return C_dot


def matrix_polynomial_reverse(C_bar: Array, C: Array, A: Array, *, coefficients: Sequence[float]) -> Dots:
    A_bar = np.zeros_like(C_bar)
    for C_next in reversed(horner(A, coefficients)[:-1]):
        A_bar += C_bar @ C_next.T
        C_bar = A.T @ C_bar
    return (A_bar,)


# C = exp(A)

PADE_DEGREE = 6


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


def matrix_exponential_forward(dots: Dots, C: Array, A: Array) -> Array:
    (A_dot,) = dots
    return exponential_derivative(A, A_dot)


def matrix_exponential_reverse(C_bar: Array, C: Array, A: Array) -> Dots:
    return (exponential_derivative(A.T, C_bar),)


OPERATIONS = (
    Operation(
        "matrix_polynomial",
        matrix_polynomial,
        matrix_polynomial_forward,
        matrix_polynomial_reverse,
        "Giles 2008, sec. 2.3.4",
    ),
    Operation(
        "matrix_exponential",
        matrix_exponential,
        matrix_exponential_forward,
        matrix_exponential_reverse,
        "Giles 2008, sec. 2.3.5; Higham, Functions of Matrices, sec. 3.2",
    ),
)
